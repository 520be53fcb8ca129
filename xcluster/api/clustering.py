"""The result as a user sees it: labels on the user's grid, and everything about them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast, overload

import pandas as pd
import xarray as xr

from xcluster.api.completion import Completed
from xcluster.api.latent import LatentSpace
from xcluster.base.arrays import Array
from xcluster.chain.reduction import Chain
from xcluster.explore import Page, explore
from xcluster.export import hyperspy, msa, polygons, raster, tiff
from xcluster.files import io
from xcluster.fit.cleaning import Fill, Sieve, Smooth
from xcluster.fit.fitted import Fitted
from xcluster.plot.clustering import ClusteringPlot
from xcluster.result import (
    back_projection,
    diagnostics,
    doubt,
    formatting,
    medoids,
    new_data,
    nodes,
    regimes,
    regions,
    relabelling,
    tables,
    upsampling,
    zones,
)

if TYPE_CHECKING:
    import geopandas as gpd

    from xcluster.api.samples import Samples
    from xcluster.api.sweep import Sweep


@dataclass(frozen=True, eq=False, repr=False)
class Clustering(Completed, Fitted, LatentSpace):
    """A fitted clustering. All its arrays lie on the user's coordinates.

    Parameters
    ----------
    method_name : str
        Name of the clusterer's method, such as "kmeans".
    sampler
        What one sample is.
    template : Dataset
        One sample without values: names, coordinates and units of the features.
    assign
        The fitted steps and clusterer, and what the numbers of the clusterer mean.
    record
        What was fitted: how many samples, from which rows.
    source
        Where labels come from: the data, or what a file stored.
    sweep : Sweep, optional
        The fits among which k was chosen.
    attrs : mapping
        The user's own attributes.
    climatology
        The mean cycle that is subtracted from the data first.
    keywords : mapping of str to str
        Keywords of the method that differ from the defaults, as text.
    graph : csr_array of bool, shape (n_points, n_points), optional
        Which samples are neighbours, if you gave a graph as ``contiguous=``.

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
        (
            *("of", "sampler", "template", "assign", "source", "climatology", "raw_centers"),
            *("raw_means", "means_of_labels", "placed_labels", "silhouettes"),
        )
    )

    @classmethod
    def of(cls, fitted: Fitted, sweep: Sweep | None) -> Self:
        """Return this result as the public class."""
        found = {each.name: getattr(fitted, each.name) for each in fields(Fitted)}
        return cls(**{**found, "sweep": sweep})

    @property
    def samples(self) -> Samples | None:
        """The samples that were clustered; None if the result was opened without its data.

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
        """Return the variables at the samples of one label, and NaN at all other samples.

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

    @property
    def medoids(self) -> xr.Dataset:
        """The sample that is the medoid of each label: its data, over (``label``, feature dims).

        Coordinates of the sample dims tell where each medoid lies. Finding them takes a pass over
        the data when this is asked; values are lazy if the data are lazy. Of equal samples it is
        the one with the least coordinates, of merged labels the medoid of most samples.

        Raises
        ------
        ValueError
            If the method is not `kmedoids`, or the result was opened without its data (`centers`
            are kept in the file).

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmedoids(3)
        >>> fit.medoids.latitude.dims, fit.medoids.sst.units
        (('label',), 'degC')
        """
        return medoids.medoids(self)

    def mask(self, labels: int | str | Sequence[int | str]) -> xr.DataArray:
        """Return where the samples of one or several labels are; lazy if the data are lazy.

        Parameters
        ----------
        labels : int, str, or list of these
            Numbers or names.

        Returns
        -------
        DataArray of bool over the sample dims, False where there is no label.

        Raises
        ------
        ValueError
            If there is no such label.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4).relabel(["warm", "cold", "windy", "ice"])
        >>> bool(ds.where(fit.mask("warm")).sst.count() == (fit.labels == 0).sum())
        True
        >>> fit.mask([1, "ice"]).dtype
        dtype('bool')
        """
        return tables.mask(self, labels)

    def predict(
        self, new: xr.Dataset | xr.DataArray, memberships: bool = False
    ) -> xr.DataArray | xr.Dataset:
        """Return the labels of other data; lazy if these are lazy.

        Parameters
        ----------
        new : Dataset or DataArray
            With the same variables, feature coordinates (to 1e-6) and units as the fitted data.
            From more entries along a feature dim the fitted ones are taken by coordinate.
            The levels of profiles may differ if the samples were made with ``step``. The mask of
            the fitted samples is not used. A single sample, such as a pixel, has a scalar label.
        memberships : bool, default False
            Return a Dataset of ``labels`` and ``memberships``, from one pass over the data.

        Raises
        ------
        ValueError
            If the data do not have the fitted features, or have more without coordinates that tell
            which were fitted; the error lists every difference. If labels
            follow from the places of the fitted samples (``contiguous=``, a graph or given
            distances); then only ``labels`` has them.

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

    # ------------------------------------------------------------------------ changes of the labels

    def threshold(self, u: float) -> Self:
        """Return the clustering with label -1 where no membership is above ``u``.

        Parameters
        ----------
        u : float
            At least 0 and below 1.

        Raises
        ------
        ValueError
            If the method gives no memberships.

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
        """Return the clustering with other names or colours; the numbers stay.

        Parameters
        ----------
        names : sequence or mapping, optional
            A sequence gives one name per label. A mapping gives the names of some labels.
        colors : sequence or mapping, optional
            The same for colours: anything that matplotlib takes as a colour.

        Raises
        ------
        ValueError
            If a sequence does not have one entry per label, a label is unknown, a name occurs
            twice, or a colour is unknown.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(2)
        >>> fit.relabel(["warm", "cold"], colors=["red", "blue"]).labels.flag_meanings
        'warm cold'
        """
        return relabelling.relabel(self, names, colors)

    def smooth(self, size: int = 3, *, by: Literal["majority", "memberships"] = "majority") -> Self:
        """Return the clustering with each label replaced by that of the window around it.

        Parameters
        ----------
        size : int, default 3
            Side of the window in samples; odd. On a mesh, with HEALPix cells or with a graph of
            neighbours a window of 3 is a sample and its neighbours, one of 5 also has theirs.
        by : {"majority", "memberships"}, default "majority"
            "majority": the label that occurs most often in the window. "memberships": the label
            with the largest mean membership in the window; only for soft methods.

        Returns
        -------
        Clustering
            Its labels are lazy if the data are lazy, with the same chunks. `report`, `members`,
            `centers`, `back_projection`, `silhouette`, figures and files are those of the new
            labels. `model`, `memberships`, `distances` and `predict` stay as they were.

        Raises
        ------
        ValueError
            If ``size`` is even or below 3, the samples have no neighbours in space, the method
            gives no memberships, or labels that were cleaned already are to be smoothed by them.

        Notes
        -----
        If two labels occur most often, a sample keeps its own. Samples without data have no vote;
        unclassified samples vote as a label. Windows lie in the dims of space, for each entry of
        all other dims; they go round the globe, and over the fold of a tripolar grid. Later
        `merge`, `relabel` and `threshold` start from the new labels.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> smooth = fit.smooth(5)
        >>> bool((smooth.labels.notnull() == fit.labels.notnull()).all())
        True
        """
        return relabelling.cleaned(self, Smooth.checked(size, by))

    def sieve(
        self,
        min_size: int | None = None,
        *,
        min_area: str | None = None,
        neighbours: Literal[4, 8] = 4,
        into: Literal["largest", "nearest"] = "largest",
    ) -> Self:
        """Return the clustering without small pieces: each takes the label of a neighbour.

        A piece is a set of samples that touch and have one label.

        Parameters
        ----------
        min_size : int, optional
            Pieces with fewer samples are small.
        min_area : str, optional
            Pieces with a smaller area are small; a number and its unit, such as ``"5 km2"``. Give
            this or ``min_size``.
        neighbours : {4, 8}, default 4
            Whether samples touch where they share a side, or a corner too.
        into : {"largest", "nearest"}, default "largest"
            Which neighbour a piece is joined to: the largest, or the one whose label has the centre
            that is nearest to the samples of the piece, in the space that was clustered.

        Returns
        -------
        Clustering
            As `smooth` returns it.

        Raises
        ------
        ValueError
            If neither or both of ``min_size`` and ``min_area`` are given, an area has no known
            unit, areas of samples are not known, or samples have no neighbours in space. For
            ``into="nearest"`` if the result was opened without its data.

        Notes
        -----
        Pieces are first taken as they are: a small one takes the label of the neighbour that it
        wants, or of the one that this wants, until one is large enough; so does the sieve of GDAL.
        What is still small is then joined to its neighbours, the smallest first. Of equal
        neighbours the one whose coordinates come first is taken. A piece that touches no other
        keeps its label. Lazy data are read twice when the labels are computed: once for the pieces
        of each block, and once for the labels; "nearest" also reads them for distances.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> fit.sieve(min_area="500000 km2", into="nearest").k
        4
        """
        return relabelling.cleaned(self, Sieve.checked(min_size, min_area, neighbours, into))

    def fill(self) -> Self:
        """Return the clustering with holes filled: points without data inside one label.

        A hole is a set of points without data that touch along their sides. It takes a label if it
        touches no other label and no edge of the map.

        Returns
        -------
        Clustering
            As `smooth` returns it. Points that were filled have a label in maps, but they are no
            samples: `report`, `centers` and the like do not count them.

        Raises
        ------
        ValueError
            If samples have no neighbours in space.

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> image = xr.DataArray(np.zeros((5, 6)), dims=("y", "x")).astype(float)
        >>> image[:, 3:] = 1
        >>> image[2, 1] = np.nan
        >>> fit = image.cluster.pixels().kmeans(2)
        >>> int(fit.labels.isnull().sum()), int(fit.fill().labels.isnull().sum())
        (1, 0)
        """
        return relabelling.cleaned(self, Fill.checked())

    def merge(self, groups: Iterable[Sequence[int | str]]) -> Self:
        """Return the clustering with some labels joined; the others keep their order.

        Parameters
        ----------
        groups : iterable of sequences
            The labels to join, by number or name; each label at most once.

        Raises
        ------
        ValueError
            If a label is unknown or is in two groups.

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
        """Return the clustering renumbered: each label takes the most similar label of ``other``.

        Parameters
        ----------
        other : Clustering or DataArray of labels
            On the same grid. Names and colours of a Clustering are taken over too.

        Raises
        ------
        TypeError
            If ``other`` is not a Clustering and not a DataArray of labels.
        ValueError
            If it lies on another grid, or holds fractions.

        Notes
        -----
        The renumbering is the one for which most samples have the same label in both (Kuhn 1955,
        Naval Research Logistics 2, 83). Labels without a partner are numbered after all others.

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

    # -------------------------------------------------------------------------------------- quality

    def scores(self, space: str = "features", *, truth: Any = None) -> xr.Dataset:
        """Return all scores that can be computed for the result.

        Distances are Euclidean, except that inertia and distortion of ``kmeans(metric="dtw")``
        and "softdtw" are in their own. Of results under "cosine" and "correlation" scores in the
        space "features" compare directions: samples of length 1, of which silhouettes take
        1 - cosine or 1 - r, and all others the distances between them. Centres are the means of
        the labels, as in a sweep. Weights are divided by their mean: their unit does not matter,
        and n is the number of samples (in `xcluster.scores`, which take arrays, a weight of 2
        counts a row twice). Up to 1,000,000 grid points all samples are used, beyond that the
        100,000 samples that a fit would use. Samples without a label are left out.

        Parameters
        ----------
        space : {"features", "data"}, default "features"
            Where distances are measured: "features" in the space that was clustered, "data"
            between the original values.
        truth : DataArray or Clustering, optional
            Labels to compare with, on the same grid; NaN or negative where they are not known.

        Returns
        -------
        Dataset
            Numbers without dims: ``silhouette``, ``simplified_silhouette``,
            ``calinski_harabasz``, ``davies_bouldin``, ``entropy``, ``inertia`` and
            ``distortion``. ``silhouette_low`` and ``silhouette_high`` are the bounds of a 95 %
            confidence interval; they differ from the silhouette only if it was computed from a
            sample of the rows. For soft methods, in the space "features", also scores of
            memberships and likelihood, and of `mixture` the Poisson ``deviance``; in the space
            "data" of any result, if the values are counts. With a truth also ``adjusted_rand``,
            ``adjusted_mutual_info`` and ``v_measure``. A score that is not defined for the labels
            is NaN, and its attribute ``note`` says why: most need two labels, and
            ``calinski_harabasz`` fewer labels than samples.

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
        """Return how similar the labels are when the clusterer is fitted to other samples.

        Each refit starts anew, on rows that are drawn from the samples. Its labels are matched
        one to one with those of the result. The steps are not refitted. If there are more than
        20,000 grid points, refits use 20,000 rows, and are then applied to all.

        Parameters
        ----------
        n_refits : int, default 20
            Number of refits.
        resampling : {"bootstrap", "subsample"}, default "bootstrap"
            "bootstrap": draw as many rows as there are, with replacement. "subsample": draw
            ``fraction`` of the rows, without replacement.
        fraction : float, default 0.5
            Only for "subsample"; above 0, at most 1.
        random_state : int, optional
            Seed of the drawing; by default that of the fit.

        Returns
        -------
        Dataset of

        ``jaccard`` over ``label``
            mean Jaccard similarity of a label with the matching label of each refit. From 0.75
            on a label is stable, from 0.5 down it is not found again;
        ``agreement`` over the sample dims
            share of the refits in which a sample gets the same label; lazy if the data are lazy;
        ``mean_agreement``
            its mean over the rows of the refits.

        For soft methods also, over the sample dims,

        ``membership_entropy``
            Shannon entropy of the memberships, in nats;
        ``margin``
            largest membership minus the second largest;
        ``robustness``
            ``(max p - 1/k) k / (k - 1)``, with ``robustness_class`` as flags from "unlikely" to
            "virtually certain".

        Raises
        ------
        ValueError
            If labels follow from the places of the samples, a parameter is out of range, or the
            result was opened without its data.

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
        """Return mean and standard error of the original data per label.

        Parameters
        ----------
        u : float, default 0.5
            For soft methods: average only samples whose membership is above ``u``. At least 0
            and below 1.
        weighted : bool, default False
            For soft methods: average all samples instead, weighted by their memberships.

        Returns
        -------
        Dataset over (``label``, feature dims): each variable, and ``<name>_error``.

        Raises
        ------
        ValueError
            If ``u`` is out of range, or ``weighted`` is set and the method gives no memberships.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().fuzzy(3)
        >>> sorted(fit.back_projection())[:2]
        ['air_temperature', 'air_temperature_error']
        """
        return back_projection.back_projection(self, u, weighted)

    # --------------------------------------------------------------- for one method or sampler only

    @property
    def tree(self) -> Array:
        """The merges of `hac` as a scipy linkage matrix, shape (n_leaves - 1, 4).

        Heights are in units of the reduced space.

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
        """Return the clustering of `hac` with its tree cut elsewhere; nothing is fitted again.

        Give ``k`` or ``height``. Labels are numbered by size; the ``order`` of the fit is not
        used.

        Parameters
        ----------
        k : int, optional
            Number of labels.
        height : float, optional
            Only merges up to this height are made.

        Raises
        ------
        ValueError
            If the result has no tree or was opened without its data, if both or neither of ``k``
            and ``height`` are given, or if ``k`` is out of range.

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
            If the result is not one of `som`.

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
        """Return the clustering of `som` with its nodes merged into classes.

        Nodes are merged by Ward's linkage, weighted by their samples.

        Parameters
        ----------
        k : int
            Number of classes. Class 0 is the largest.

        Raises
        ------
        ValueError
            If the result is not one of `som`, or fewer than ``k`` nodes have samples.

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
            Also paint pixels that lie in no window. By default they are NaN.

        Returns
        -------
        DataArray over the dims of the image. Each pixel has the label of the window whose centre
        is nearest.

        Raises
        ------
        ValueError
            If the samples are not patches, or the result was opened without its data.

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
        by: Hashable | Sequence[Hashable] | None = None,
    ) -> xr.Dataset:
        """Return how often, how long and in which order each regime of `snapshots` occurs.

        Samples over several dims, such as ``snapshots(["member", "time"])``, are several series.
        Episodes and transitions are counted within each series, never from one to the next.

        Parameters
        ----------
        new : Dataset or DataArray, optional
            Other data, which get the fitted regimes; by default the fitted data.
        min_duration : int, default 1
            Episodes shorter than this, in steps, are set to no regime.
        min_similarity : float, optional
            Steps whose similarity to their regime is below this are set to no regime; -1 to 1.
        composites : Dataset or DataArray, optional
            Other variables over the same times; the mean of each is returned per regime. A variable
            without the dim of members counts once for each member.
        by : name or list of names, optional
            Sample dims beside that of time: ``by="member"`` returns all statistics and composites
            for each member, over this dim too. By default they are of all members together.

        Returns
        -------
        Dataset
            Over ``label``: ``frequency`` (share of the steps with data), ``persistence``
            (probability that the regime stays for one more step), ``episodes`` (number) and
            ``duration`` (mean, in steps). Over (``label``, ``next_label``): ``transitions``, the
            probability of the regime of the next step, from pairs of steps that both have a
            regime. Over time: ``labels`` (-1: no regime). Over (``label``, time):
            ``similarity``. Without dims: ``no_regime``, the share of steps without a regime. The
            composites have their own names.

        Raises
        ------
        ValueError
            If the samples have several dims of which none has dates, ``by`` is none of the others,
            a parameter is out of range, or the composites have other times.

        Notes
        -----
        The similarity is the cosine between a step and the centre of a regime in the space that
        was clustered, after the mean of the fitted steps is subtracted from both. With area
        weights this is the pattern correlation (Michelangeli, Vautard and Legras 1995, J. Atmos.
        Sci. 52, 1237). A missing step or a gap in time ends an episode; no transition is counted
        across it.

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> field = np.repeat(np.eye(3)[[0, 1, 0]], 4, axis=0)
        >>> fit = xr.DataArray(field, dims=("time", "x")).cluster.snapshots("time").kmeans(2)
        >>> fit.regimes().duration.values
        array([4., 4.])
        """
        return regimes.regimes(self, new, min_duration, min_similarity, composites, by)

    def regions(self, neighbours: Literal[4, 8] = 4) -> xr.Dataset:
        """Return the regions of the label map: samples that touch and have one label.

        Parameters
        ----------
        neighbours : {4, 8}, default 4
            Whether samples touch where they share a side, or a corner too.

        Returns
        -------
        Dataset
            ``region_map`` on the grid of the labels (integer, -1 without data; lazy if the data
            are lazy, with the same chunks), and over ``region``:

            ``label``, ``samples``
                which label it has, and how many samples;
            ``area``, ``perimeter``
                with their units; missing where areas of samples, or the lengths of their sides,
                are not known;
            ``<coordinate>_centroid``, ``<coordinate>_min``, ``<coordinate>_max``
                of each coordinate in space: the centroid, and the least and the greatest coordinate
                of its samples. The longitudes of a region that lies across the first longitude of
                the data run from ``min`` eastwards to ``max``, which is then smaller;
            each variable, and ``<variable>_std``
                mean and standard deviation over its samples, with any feature dims, weighted if the
                samples have weights; missing if the result was opened without its data.

            ``region_<dim>`` says where a region lies along a dim that is not in space, such as
            time. Over (``edge``, ``end``) ``neighbours`` has the pairs of regions that touch.

        Raises
        ------
        ValueError
            If samples have no neighbours in space, or a dim of the data is named ``region``,
            ``edge`` or ``end``.

        Notes
        -----
        Neighbours are those of `sieve`. Unclassified samples (-1) have regions, too. Regions are
        numbered by their first samples: with rising coordinates, dims in the order of their names,
        those of space last. So numbers depend neither on chunks nor on the direction of axes.

        The perimeter is the length of all sides of cells behind which lies another region, no data
        or the end of the map: of rectangles on a plane, of parts of meridians and parallels, or of
        great circles between the corners of a curvilinear grid or a mesh. The cell of a node of a
        mesh reaches to the middles of its faces and of their sides. Cells of a mesh and of HEALPix
        without coordinates lie where their corners tell it: ``longitude`` and ``latitude``, or
        ``x`` and ``y``. The centroid is weighted by area, if that is known. On the Earth it is the
        mean of the places in space; one of a region that goes round the Earth may lie at a pole.

        The table is computed at once, in one pass over the data. Points that `fill` added belong to
        the map, to perimeters and limits, but they are no samples.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> regions = ds.cluster.pixels().kmeans(4).sieve(10).regions()
        >>> regions.sst.dims, regions.area.units
        (('region',), 'km2')
        """
        return regions.regions(self, neighbours)

    # ------------------------------------------------------------- tables, files, pages and figures

    @overload
    def report(self, by: None = None) -> pd.DataFrame: ...

    @overload
    def report(self, by: object) -> xr.Dataset: ...

    def report(self, by: Any = None) -> pd.DataFrame | xr.Dataset:
        """Return one row per label: samples, share, area and mean membership.

        ``.attrs["notes"]`` says what was left out, sampled or fitted without weights.

        Parameters
        ----------
        by : DataArray or GeoDataFrame, optional
            Zones, of which each is reported by itself. A DataArray has whole numbers on the grid of
            the labels, or over some of its dims; NaN and what its attributes call missing are no
            zone. Of polygons in a GeoDataFrame a sample belongs to the first that holds its centre.

        Returns
        -------
        DataFrame or Dataset
            A DataFrame indexed by label, with the columns ``name``, ``samples``, ``share`` (of the
            weight), ``area_km2`` (``area_um2`` and the like where axes have such units) and
            ``membership`` (soft methods). With ``by`` a Dataset over (``zone``, ``label``) of
            ``samples`` and, where areas are known, ``area`` with its unit. Zones are the numbers
            found, or the index of the GeoDataFrame. ``zone_name`` are the CF flags of the zones, or
            the column ``name`` (or ``NAME``) of the GeoDataFrame.
            Polygons in another CRS than the grid are moved, and the attribute ``note`` says so.

        Raises
        ------
        ValueError
            If the result was opened without its data, zones lie on another grid or are no whole
            numbers, or the data do not state their CRS and the polygons do.
        TypeError
            If ``by`` is neither a DataArray of numbers nor a GeoDataFrame of polygons.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> list(fit.report())
        ['name', 'samples', 'share', 'area_km2']
        >>> south = (ds.latitude < 0).astype(int)
        >>> fit.report(by=south).area.dims
        ('zone', 'label')
        """
        return tables.report(self) if by is None else zones.report_by(self, by)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per complete sample: coordinates, label, components and memberships.

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
        """Return the labels and, for a soft method, the memberships as one Dataset.

        Raises
        ------
        ValueError
            If the data have a coordinate or dim named ``labels`` or ``memberships``.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().gmm(3)
        >>> list(fit.to_dataset())
        ['labels', 'memberships']
        """
        return tables.to_dataset(self)

    def save(self, path: str | PathLike[str], *, retries: int = 0) -> None:
        """Write the result and its model to netCDF (``.nc``) or Zarr (``.zarr``).

        Nothing is pickled. An older file of that name is replaced only when the new one is
        complete.

        Parameters
        ----------
        path
            Path of the netCDF file or of the Zarr directory.
        retries : int, default 0
            How often a cluster of dask.distributed reads a block again if this fails.

        Raises
        ------
        OSError
            If a block of the data cannot be read; the error names its variable and its place.
        ValueError
            If ``retries`` is given without a cluster.

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
        io.save(self, path, retries)

    def to_raster(
        self,
        path: str | PathLike[str],
        what: Literal["labels", "memberships"] = "labels",
        *,
        sel: Mapping[Hashable, Any] | None = None,
    ) -> None:
        """Write the label map, or memberships, to a GeoTIFF for QGIS and other GIS programs.

        The file is a Cloud-Optimised GeoTIFF. An older file of that name is replaced only when the
        new one is complete.

        Parameters
        ----------
        path
            Path of the file; it ends in ``.tif`` or ``.tiff``.
        what : {"labels", "memberships"}, default "labels"
            "labels": one band with the colours of the labels. Names and colours are also in a
            raster attribute table, in ``<path>.aux.xml``. "memberships": one float32 band per
            label, with its name; only for soft methods.
        sel : mapping, optional
            Which entry of further dims to write, such as ``{"time": "2001-07"}``.

        Raises
        ------
        ImportError
            If rasterio is not installed.
        OSError
            If the file cannot be written, or a block of the data cannot be read.
        ValueError
            If the samples lie on no regular grid (meshes, HEALPix cells, lists, curvilinear grids,
            uneven spacing), further dims have several entries and ``sel`` chooses none, the method
            gives no memberships, or there are more than 65,534 labels.

        Notes
        -----
        Labels are 8-bit numbers up to 254 labels, otherwise 16-bit. The largest number (255 or
        65,535) means no data, the one below it (254 or 65,534) unclassified; the tags ``no_data``
        and ``unclassified`` of the file say so. Rows run from north to south, and longitudes from
        -180 to 180, whatever their order in the data. The CRS is that of the grid mapping of the
        data; degrees without one are EPSG:4326. Blocks are written one by one, so that the map is
        never in memory.

        Examples
        --------
        >>> import tempfile, xcluster
        >>> import rasterio
        >>> fit = xcluster.datasets.ocean().cluster.pixels().kmeans(4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fit.to_raster(f"{folder}/provinces.tif")
        ...     with rasterio.open(f"{folder}/provinces.tif") as file:
        ...         file.crs.to_epsg(), file.shape, file.nodata
        (4326, (90, 180), 255.0)
        """
        raster.to_raster(self, path, what, sel)

    def to_polygons(
        self,
        by: Literal["region", "label"] = "region",
        *,
        simplify: float | None = None,
        sel: Mapping[Hashable, Any] | None = None,
    ) -> gpd.GeoDataFrame:
        """Return the labels as polygons, for GIS programs.

        Parameters
        ----------
        by : {"region", "label"}, default "region"
            One row per region, or per label. A region is a set of samples that share sides and
            have one label.
        simplify : float, optional
            How much to smooth the steps along edges of cells: corners that span triangles with an
            area below the square of this are left out. In units of the CRS. Neighbours keep their
            common edges, and no region vanishes.
        sel : mapping, optional
            Which entry of further dims to take, such as ``{"time": "2001-07"}``.

        Returns
        -------
        GeoDataFrame
            With ``label`` (-1: unclassified, last), ``name``, ``color``, ``samples`` and, where
            areas are known, ``area_km2`` (``area_um2`` and the like where axes have such units).
            Labels stand in order, of each the largest region first. Write it with
            ``.to_file("result.gpkg")``.

        Raises
        ------
        ImportError
            If geopandas or rasterio is not installed.
        ValueError
            If the samples lie on no regular grid, further dims have several entries and ``sel``
            chooses none, or ``simplify`` is not above 0.

        Notes
        -----
        Areas are those of the samples, as `report` has them, for simplified polygons too. The map
        of labels is in memory, with two bytes per sample. Regions end where the map does: one that
        goes on at the other side of the globe is two.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().kmeans(4)
        >>> fit.to_polygons("label").columns.to_list()
        ['label', 'name', 'color', 'samples', 'area_km2', 'geometry']
        """
        return polygons.to_polygons(self, by, simplify, sel)

    def to_tiff(
        self,
        path: str | PathLike[str],
        what: Literal["labels", "memberships"] = "labels",
    ) -> None:
        """Write the label map or the memberships as a TIFF image for ImageJ, Fiji or napari.

        The first row is the top one of ``plot.map()``. Pixel sizes, their units and the origin are
        those of the coordinates; names, colours and the method are in the metadata. Other dims than
        rows and columns become times, slices and channels. Needs tifffile, of the extra
        ``microscopy``.

        Parameters
        ----------
        path
            Of the file, which ends in ``.tif`` or ``.tiff``. An older file is replaced when the new
            one is complete.
        what : {"labels", "memberships"}, default "labels"
            "labels": the number of the label of each pixel, as one byte up to 254 labels and
            otherwise two. Samples without data have the largest number (255 or 65535), label -1 the
            one below it. Numbers of one byte have the colours of the labels. "memberships": one
            channel per label, as float32 with NaN where there are no data, from black to the colour
            of the label.

        Raises
        ------
        ImportError
            If tifffile is not installed.
        OSError
            If the file cannot be written, or a block of the data cannot be read.
        ValueError
            If samples do not lie on rows and columns, have more than three other dims, or the
            method gives no memberships.

        Warns
        -----
        UserWarning
            If rows or columns are not evenly spaced, so that pixels have no size.

        Notes
        -----
        Lazy labels are computed and written block by block. The file is not compressed, as ImageJ
        opens no tiles.

        Examples
        --------
        >>> import tempfile, tifffile, xcluster
        >>> eds = xcluster.coords.pixel_size(xcluster.datasets.eds(size=24), 0.5, unit="um")
        >>> fit = eds.cluster.pixels("counts", dim="channel").pca(2).kmeans(3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fit.to_tiff(f"{folder}/minerals.tif")
        ...     tifffile.imread(f"{folder}/minerals.tif").shape
        (24, 24)
        """
        tiff.write(self, path, what)

    def to_msa(
        self,
        folder: str | PathLike[str],
        what: Literal["centers", "back_projection"] = "centers",
        *,
        var: Hashable | None = None,
        signal_type: str | None = None,
    ) -> list[Path]:
        """Write one spectrum per label as EMSA/MAS files, for DTSA-II, Bruker Esprit and others.

        Parameters
        ----------
        folder
            Is made if it does not exist. Files are ``label_0.msa``, with the name of the label if
            it has one (``label_0_quartz.msa``); older ones of these names are replaced.
        what : {"centers", "back_projection"}, default "centers"
            The centres, or the means of the original spectra.
        var : hashable, optional
            Variable of the spectra; by default the first with one feature dim.
        signal_type : {"EDS_SEM", "EDS_TEM", "EELS", "CL"}, optional
            As HyperSpy names it. By default the attribute ``signal_type`` of the variable, or
            "EELS" along energy losses.

        Returns
        -------
        list of Path
            Of the files, in the order of labels.

        Raises
        ------
        OSError
            If a file cannot be written.
        TypeError
            If the spectral axis has no numbers.
        ValueError
            If no variable has one feature dim, or the spectral axis is not evenly spaced.

        Warns
        -----
        UserWarning
            If a label has no sample to average, so that it has no file.

        Notes
        -----
        The format is ISO 22029, with pairs of position and value. Texts are cut to ASCII and 64
        characters.

        Examples
        --------
        >>> import tempfile, xcluster
        >>> eds = xcluster.datasets.eds(size=24)
        >>> fit = eds.cluster.pixels("counts", dim="channel").pca(2).kmeans(2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in fit.to_msa(folder, signal_type="EDS_TEM")]
        ['label_0.msa', 'label_1.msa']
        """
        return msa.write(self, folder, what, var, signal_type)

    def to_hyperspy(
        self,
        what: Literal["labels", "memberships", "centers", "back_projection"] = "labels",
        *,
        var: Hashable | None = None,
        signal_type: str | None = None,
    ) -> Any:
        """Return labels as an image, or the spectrum of each label, as a signal of HyperSpy.

        HyperSpy is no dependency of this package; install it by ``pip install hyperspy``, and exspy
        for EDS and EELS.

        Parameters
        ----------
        what : {"labels", "memberships", "centers", "back_projection"}, default "labels"
            "labels" and "memberships" are a Signal2D over rows and columns, navigated by label and
            by all other dims; "centers" and "back_projection" a Signal1D, navigated by label.
        var : hashable, optional
            Variable of the spectra; by default the first with one feature dim.
        signal_type : {"EDS_SEM", "EDS_TEM", "EELS", "CL"}, optional
            Of the spectra. By default the attribute ``signal_type`` of the variable, or "EELS"
            along energy losses.

        Returns
        -------
        hyperspy.signals.Signal2D or Signal1D
            Lazy if the labels are lazy. Axes have names, units and places of the coordinates.
            Values are those of `labels`: NaN where there are no data, -1 without a label. The node
            ``xcluster`` of the metadata has names and colours of the labels, and the method.

        Raises
        ------
        ImportError
            If HyperSpy is not installed.
        ValueError
            If samples do not lie on rows and columns, the method gives no memberships, or no
            variable has one feature dim.

        Examples
        --------
        >>> import xcluster
        >>> eds = xcluster.datasets.eds(size=24)
        >>> fit = eds.cluster.pixels("counts", dim="channel").pca(2).kmeans(2)
        >>> spectra = fit.to_hyperspy("centers", signal_type="EDS_TEM")  # doctest: +SKIP
        """
        return hyperspy.signal(self, what, var, signal_type)

    def explore(
        self, other: Clustering | None = None, *, sel: Mapping[Hashable, Any] | None = None
    ) -> Page:
        """Return an HTML page to explore the result, alone or beside another (needs bokeh).

        The page shows the label map: over the Earth if the grid is geographic, over the image if
        samples are windows. It shows the sample under the pointer (profile, spectrum, window,
        field or values) with the centre of its label, and all samples in the plane of two
        components. A box or an outline drawn in the map or among the components marks the same
        samples in both. A click on a name hides its label. The page contains its scripts and
        data and needs no server and no network.

        Parameters
        ----------
        other : Clustering, optional
            A second result on the same grid. It is shown beside the first, with its own labels,
            centres and components.
        sel : mapping, optional
            Which entry of further dims to show, such as ``{"time": "2001-07"}``; by default the
            first.

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
            ``sel`` names an entry that does not exist.
        TypeError
            If ``other`` is not a Clustering.

        Notes
        -----
        Of large grids not every point is kept, and values are stored in 255 steps; the page says
        so.

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
