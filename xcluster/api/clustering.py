"""The answer as a user gets it: labels on the own grid, and all that can be told about them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xcluster.api.completion import Completed
from xcluster.api.latent import LatentSpace
from xcluster.chain.reduction import Chain
from xcluster.explore import Page, explore
from xcluster.files import io
from xcluster.fit.fitted import Fitted
from xcluster.plot.clustering import ClusteringPlot
from xcluster.result import (
    back_projection,
    diagnostics,
    doubt,
    formatting,
    new_data,
    nodes,
    regimes,
    relabelling,
    tables,
    upsampling,
)

if TYPE_CHECKING:
    from xcluster.api.samples import Samples
    from xcluster.api.sweep import Sweep

Array = NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class Clustering(Completed, Fitted, LatentSpace):
    """A fitted clustering; every array that it gives lies on the user's coordinates.

    Parameters
    ----------
    method : str
        Name of the clusterer's method.
    sampler
        What a sample is.
    template : Dataset
        One sample without values: names, coordinates and units of the features.
    assign
        The fitted steps and clusterer, and what its numbers mean.
    record
        What the fit saw.
    source
        What the result stands on: live data, or what a file stored.
    sweep : Sweep, optional
        The fits among which k was chosen.
    attrs : mapping
        The user's own attributes.
    climatology
        The means that are subtracted from data before anything else.

    Examples
    --------
    >>> import xcluster
    >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
    >>> fit = ds.cluster.pixels().kmeans(4)
    >>> fit.relabel({0: "tropics"}).report().name[0]
    'tropics'
    """

    sweep: Sweep | None = None

    _for_us: ClassVar = frozenset(
        ("of", "sampler", "template", "assign", "source", "climatology", "raw_centers")
    )

    @classmethod
    def of(cls, fitted: Fitted, sweep: Sweep | None) -> Self:
        """Return the same as the public class."""
        found = {each.name: getattr(fitted, each.name) for each in fields(Fitted)}
        return cls(**{**found, "sweep": sweep})

    @property
    def samples(self) -> Samples | None:
        """The samples that were clustered; None where a result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> fit.samples.gmm(4).k
        4
        """
        return cast("Samples | None", super().samples)

    def members(self, label: int | str) -> xr.Dataset:
        """Return the data of one label: the variables, NaN at samples of other labels.

        Parameters
        ----------
        label : int or str
            Its number or name.

        Returns
        -------
        Dataset over the dims of the data, in their units.

        Raises
        ------
        ValueError
            If there is no such label, or the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> list(fit.members(0))[:3]
        ['sst', 'air_temperature', 'specific_humidity']
        """
        return tables.members(self, label)

    def predict(
        self, new: xr.Dataset | xr.DataArray, memberships: bool = False
    ) -> xr.DataArray | xr.Dataset:
        """Return the labels of other data; lazy where they are.

        Parameters
        ----------
        new : Dataset or DataArray
            With the variables, feature coordinates (to 1e-6) and units of the fitted ones. Levels
            may differ where the chain says ``step``. Masks are not carried over.
        memberships : bool, default False
            Return a Dataset of ``labels`` and ``memberships``, from one pass over the data.

        Raises
        ------
        ValueError
            If the data do not fit; the error lists each reason.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> south, north = ds.sel(latitude=slice(-90, 0)), ds.sel(latitude=slice(0, 90))
        >>> fit = south.cluster.pixels().kmeans(4)
        >>> fit.predict(north).sizes == north.sst.sizes
        True
        """
        return new_data.predict(self, new, memberships)

    # --------------------------------------------------------------------------------- other labels

    def threshold(self, u: float) -> Self:
        """Return the clustering whose labels are -1 where no membership exceeds ``u``.

        Parameters
        ----------
        u : float
            From 0 to below 1.

        Raises
        ------
        ValueError
            If the method is not a soft one.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().gmm(3)
        >>> bool((fit.threshold(0.9).labels == -1).any())
        True
        """
        return relabelling.threshold(self, u)

    def relabel(
        self,
        names: Sequence[str] | Mapping[int, str] | None = None,
        *,
        colors: Sequence[Any] | Mapping[int, Any] | None = None,
    ) -> Self:
        """Return the clustering with other names or colours; numbers stay.

        Parameters
        ----------
        names : sequence or mapping, optional
            One a label, or some by number.
        colors : sequence or mapping, optional
            Anything that matplotlib takes.

        Raises
        ------
        ValueError
            If there are too few or unknown labels, a name twice, or no such colour.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(2)
        >>> fit.relabel(["warm", "cold"], colors=["red", "blue"]).labels.flag_meanings
        'warm cold'
        """
        return relabelling.relabel(self, names, colors)

    def merge(self, groups: Iterable[Sequence[int | str]]) -> Self:
        """Return the clustering with labels joined; the others keep their order.

        Parameters
        ----------
        groups : iterable of sequences
            The labels to join, by number or name; each label at most once.

        Raises
        ------
        ValueError
            If a label is unknown or stands in two groups.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> fit.merge([[0, 2]]).k
        3
        """
        return relabelling.merge(self, groups)

    def match(self, other: Fitted | xr.DataArray) -> Self:
        """Return the clustering with the numbers of ``other`` where the two overlap most.

        Parameters
        ----------
        other : Clustering or DataArray of labels
            On the same grid. A Clustering also lends its names and colours.

        Raises
        ------
        TypeError
            If ``other`` holds no labels.
        ValueError
            If it lies on another grid, or holds fractions.

        Notes
        -----
        The assignment that maximises the number of samples of equal label (Kuhn 1955, Naval
        Research Logistics 2, 83). Labels without a partner are numbered after all others.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> again = ds.cluster.pixels().kmeans(4, order="sst")
        >>> again.match(fit).labels.equals(fit.labels)
        True
        """
        return relabelling.match(self, other)

    # ------------------------------------------------------------------------ how far to believe it

    def scores(self, space: str = "features", *, truth: Any = None) -> xr.Dataset:
        """Return all scores that make sense for the result.

        Distances are Euclidean and weights count, as they do in a sweep. All samples enter up to
        1,000,000 grid points, beyond that the 100,000 that a fit would take; those without a
        label are left out.

        Parameters
        ----------
        space : {"features", "data"}, default "features"
            Where distances are taken: in the space that was clustered, or between the data as
            they are.
        truth : DataArray or Clustering, optional
            Labels to compare with, on the same grid; NaN and negative where unknown.

        Returns
        -------
        Dataset of numbers without dims: ``silhouette`` (with the bounds ``silhouette_low`` and
        ``silhouette_high`` of its 95 % confidence interval, apart where rows were sampled),
        ``simplified_silhouette``, ``calinski_harabasz``, ``davies_bouldin``, ``entropy``,
        ``inertia``, ``distortion``; of soft methods, in the space of features, also what is
        known of their memberships and likelihood; with a truth ``adjusted_rand``,
        ``adjusted_mutual_info`` and ``v_measure``. NaN where a single label has no value.

        Raises
        ------
        ValueError
            If the result was opened without its data, no sample has a label, or the truth lies
            on another grid.

        See Also
        --------
        xcluster.scores : The definitions, with their sources.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().kmeans(4)
        >>> round(float(fit.scores().silhouette), 1)
        0.3
        """
        return diagnostics.all_scores(self, space, truth)

    def uncertainty(
        self,
        n_refits: int = 20,
        *,
        resampling: str = "bootstrap",
        fraction: float = 0.5,
        random_state: int | None = None,
    ) -> xr.Dataset:
        """Return how well labels come back when the clusterer is fitted to other samples.

        Each refit starts anew, on rows drawn from the samples; its labels are matched one to one
        with those of the result. The steps are not refitted. Of more than 20,000 grid points
        refits take as many rows, and are then applied to all.

        Parameters
        ----------
        n_refits : int, default 20
        resampling : {"bootstrap", "subsample"}, default "bootstrap"
            As many rows with replacement, or ``fraction`` of them without.
        fraction : float, default 0.5
            For subsamples only; above 0, at most 1.
        random_state : int, optional
            By default that of the fit.

        Returns
        -------
        Dataset of

        ``jaccard`` over ``label``
            mean Jaccard similarity with the matched label of each refit (0.75 and more is
            stable, 0.5 and less dissolved);
        ``agreement`` over the sample dims
            share of the refits that give a sample its label again, lazy where the data are;
        ``mean_agreement``
            its mean over the rows of the refits.

        Of soft methods also, over the sample dims,

        ``membership_entropy``
            Shannon entropy of the memberships, in nats;
        ``margin``
            between the largest membership and the second;
        ``robustness``
            ``(max p - 1/k) k / (k - 1)``, with ``robustness_class`` as flags from "unlikely" to
            "virtually certain".

        Raises
        ------
        ValueError
            If labels depend on neighbours on the grid, an option is out of range, or the result
            was opened without its data.

        References
        ----------
        Hennig (2007), "Cluster-wise assessment of cluster stability", Computational Statistics
        and Data Analysis 52, 258-271; Maze et al. (2017), Progress in Oceanography 151, 275-292,
        for the robustness.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().kmeans(3)
        >>> sorted(fit.uncertainty(n_refits=3))
        ['agreement', 'jaccard', 'mean_agreement']
        """
        return doubt.uncertainty(self, n_refits, resampling, fraction, random_state)

    def back_projection(self, u: float = 0.5, weighted: bool = False) -> xr.Dataset:
        """Return mean and standard error of the original data of each label.

        Parameters
        ----------
        u : float, default 0.5
            For soft methods: only samples whose membership exceeds it are averaged; from 0 to
            below 1.
        weighted : bool, default False
            For soft methods: weigh every sample by its membership instead.

        Returns
        -------
        Dataset over (``label``, feature dims): each variable, and ``<name>_error``.

        Raises
        ------
        ValueError
            If ``u`` is out of range, or ``weighted`` is asked of a method without memberships.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().fuzzy(3)
        >>> sorted(fit.back_projection())[:2]
        ['air_temperature', 'air_temperature_error']
        """
        return back_projection.back_projection(self, u, weighted)

    # --------------------------------------------------------------------- of one method or sampler

    @property
    def tree(self) -> Array:
        """Merges of `hac` as a scipy linkage matrix, shape (n_leaves - 1, 4).

        Heights stand in units of the reduced space.

        Raises
        ------
        ValueError
            If the result has no tree.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).hac(4)
        >>> fit.tree.shape
        (170, 4)
        """
        return relabelling.tree(self)

    def cut(self, k: int | None = None, *, height: float | None = None) -> Self:
        """Return the clustering of `hac` with its tree cut elsewhere, without a refit.

        Labels are numbered by size, whatever order the fit was asked for.

        Parameters
        ----------
        k : int, optional
            Number of labels.
        height : float, optional
            Only merges up to it are made. Give one of the two.

        Raises
        ------
        ValueError
            If the result has no tree or was opened without its data, both or none are given, or
            ``k`` is out of range.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().hac(6)
        >>> fit.cut(3).k
        3
        """
        return relabelling.cut(self, k, height)

    def u_matrix(self) -> xr.DataArray:
        """Return the mean distance of each node of `som` to its neighbours on the map.

        Returns
        -------
        DataArray over (``som_row``, ``som_col``), in units of the reduced space.

        Raises
        ------
        ValueError
            If the result has no nodes.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).som((3, 4))
        >>> fit.u_matrix().shape
        (3, 4)
        """
        return nodes.u_matrix(self)

    def merge_nodes(self, k: int) -> Self:
        """Return the clustering of `som` with its nodes merged into classes, by weighted Ward.

        Parameters
        ----------
        k : int
            Number of classes; they are numbered by falling size.

        Raises
        ------
        ValueError
            If the result has no nodes, or fewer occupied ones than ``k``.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).som((3, 4))
        >>> fit.merge_nodes(3).k
        3
        """
        return relabelling.merge_nodes(self, k)

    def upsample(self, beyond: bool = False) -> xr.DataArray:
        """Return the labels of `patches` painted on the pixels of the image.

        Parameters
        ----------
        beyond : bool, default False
            Also paint pixels that lie in no window, as the nearest centre has it; else NaN.

        Returns
        -------
        DataArray over the dims of the image: each pixel as the window whose centre is nearest.

        Raises
        ------
        ValueError
            If the samples are no patches, or the result was opened without its data.

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> image = xr.DataArray(np.random.default_rng(0).normal(size=(20, 30)), dims=("y", "x"))
        >>> fit = image.cluster.patches(5, every=5).kmeans(3)
        >>> fit.upsample().sizes == image.sizes
        True
        """
        return upsampling.upsample(self, beyond)

    def regimes(
        self,
        new: xr.Dataset | xr.DataArray | None = None,
        *,
        min_duration: int = 1,
        min_similarity: float | None = None,
        composites: xr.Dataset | xr.DataArray | None = None,
    ) -> xr.Dataset:
        """Return how often, how long and in which order each regime of `snapshots` occurs.

        Parameters
        ----------
        new : Dataset or DataArray, optional
            Other data to project on the fitted regimes; by default the fitted data.
        min_duration : int, default 1
            Shorter episodes, in steps, count as no regime.
        min_similarity : float, optional
            Steps whose similarity to their regime is below it count as no regime; -1 to 1.
        composites : Dataset or DataArray, optional
            Any variables over the same times, of which the mean of each regime is returned.

        Returns
        -------
        Dataset
            Over ``label``: ``frequency`` (share of the steps with data), ``persistence``
            (probability to stay one step more), ``episodes`` (number) and ``duration`` (mean,
            in steps); over (``label``, ``next_label``): ``transitions``, the probability of the
            next step's regime where both steps have one; over time: ``labels`` (-1: no regime)
            and, over (``label``, time), ``similarity``; the composites under their names; and
            ``no_regime``, the share of steps without one.

        Raises
        ------
        ValueError
            If the samples have more than one dim, a parameter is out of range, or the
            composites have other times.

        Notes
        -----
        The similarity is the cosine between a step and a regime's centre in the space that was
        clustered, both less the mean of the fitted steps: with area weights the pattern
        correlation (Michelangeli, Vautard and Legras 1995, J. Atmos. Sci. 52, 1237). A step
        that is missing, or a gap in time, ends an episode and is no transition.

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> field = np.repeat(np.eye(3)[[0, 1, 0]], 4, axis=0)
        >>> fit = xr.DataArray(field, dims=("time", "x")).cluster.snapshots("time").kmeans(2)
        >>> fit.regimes().duration.values
        array([4., 4.])
        """
        return regimes.regimes(self, new, min_duration, min_similarity, composites)

    # -------------------------------------------------------------------------------- out of xarray

    def report(self) -> pd.DataFrame:
        """Return one row a label: samples, share, area and mean membership.

        What was dropped, sampled or fitted without weights stands in ``.attrs["notes"]``.

        Returns
        -------
        DataFrame indexed by label, with the columns ``name``, ``samples``, ``share`` (of the
        weight), ``area_km2`` (on a geographic grid) and ``membership`` (soft methods).

        Raises
        ------
        ValueError
            If the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> list(fit.report())
        ['name', 'samples', 'share', 'area_km2']
        """
        return tables.report(self)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row a complete sample: coordinates, label, components and memberships.

        Raises
        ------
        ValueError
            If the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().pca(2).kmeans(4)
        >>> list(fit.to_dataframe())
        ['latitude', 'longitude', 'label', 'component_0', 'component_1']
        """
        return tables.samples_table(self)

    def to_dataset(self) -> xr.Dataset:
        """Return labels, and memberships of a soft method, as one Dataset.

        Raises
        ------
        ValueError
            If the data have a coordinate or dim of that name.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().gmm(3)
        >>> list(fit.to_dataset())
        ['labels', 'memberships']
        """
        return tables.to_dataset(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the result to a netCDF (``.nc``) or Zarr (``.zarr``) file, model included.

        Nothing is pickled. A file of that name is replaced once the new one is whole.

        Parameters
        ----------
        path
            Of the file, or directory for Zarr.

        See Also
        --------
        xcluster.open

        Examples
        --------
        >>> import tempfile, xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ds.cluster.pixels().kmeans(4).save(f"{folder}/provinces.nc")
        ...     xcluster.open(f"{folder}/provinces.nc").k
        4
        """
        io.save(self, path)

    def explore(
        self, other: Clustering | None = None, *, sel: Mapping[Hashable, Any] | None = None
    ) -> Page:
        """Return one HTML page to look into the result, alone or beside another (needs bokeh).

        The label map, over the Earth where it is geographic, and over the image where samples
        are windows of one; the profile, spectrum, window, field or values of the sample under
        the pointer against the centre of its label; and the samples among their components. A
        box or an outline drawn on the map or among the components marks the same samples in
        both; a click on a name hides its label. All scripts and data are inside the page, which
        needs no server and no network.

        Parameters
        ----------
        other : Clustering, optional
            A second result on the same grid, shown beside the first with its own labels,
            centres and components; the pointer says the labels of both.
        sel : mapping, optional
            Which entry of further dims to show, as ``{"time": "2001-07"}``; by default the first.

        Returns
        -------
        Page
            Shown inline in a notebook; ``save(path)`` writes it.

        Raises
        ------
        ImportError
            If bokeh is not installed.
        ValueError
            If a result was opened without its data, ``other`` lies on another grid, or
            ``sel`` names an entry that there is not.
        TypeError
            If ``other`` is no result.

        Notes
        -----
        Large grids are thinned, and values stored in 255 steps; the page says so.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().kmeans(4)
        >>> fit.explore().save("page.html")  # doctest: +SKIP
        """
        return explore(self, other, sel=sel)

    @property
    def plot(self) -> ClusteringPlot:
        """Figures: ``plot.map()``, ``plot.profiles()``, ``plot.centers()`` and others.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3)
        >>> fit.plot.map()  # doctest: +SKIP
        """
        return ClusteringPlot(self)

    def __repr__(self) -> str:
        return formatting.text(self)

    def _repr_html_(self) -> str:
        return formatting.html(self)

    def _latent_parts(self) -> tuple[Chain, xr.Dataset]:
        return self.assign.chain, self.template

    def _latent(self) -> xr.DataArray:
        return self.features
