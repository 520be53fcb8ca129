"""The answer: labels on the user's own grid, and everything that a fit can tell about them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster import formatting, matching, matrix, prediction, reduction, tables
from xcluster.assign import Assign
from xcluster.checks import check_integer, check_number, complaint
from xcluster.diagnostics import Diagnostics
from xcluster.labels import Partition
from xcluster.layout import LABEL, Layout
from xcluster.record import Record
from xcluster.results import MethodResults
from xcluster.summary import label_sums

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd
    from sklearn.pipeline import Pipeline

    from xcluster.anomaly import Climatology
    from xcluster.explore import Page
    from xcluster.plot.clustering import ClusteringPlot
    from xcluster.samplers import Sampler
    from xcluster.samples import Samples
    from xcluster.selection import Sweep

Array = NDArray[Any]
Labelled = TypeVar("Labelled", xr.DataArray, xr.Dataset)


@dataclass(frozen=True, eq=False, repr=False)
class Clustering(MethodResults, Diagnostics):
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
    samples : Samples, optional
        Of the fitted object; None where a saved result was opened without its data.
    sweep : Sweep, optional
        The fits among which k was chosen.
    attrs : mapping
        The user's own attributes.
    stored : Dataset, optional
        Labels and memberships as saved, where there is no object.
    means : array of shape (n_raw, n_features), optional
        Centres in data units as saved, where the steps have no inverse.
    rows : DataArray of int, optional
        The fitted row at each grid point (-1: none), where labels cannot be told from the
        features alone.
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

    method: str
    sampler: Sampler
    template: xr.Dataset
    assign: Assign
    record: Record
    samples: Samples | None = None
    sweep: Sweep | None = None
    attrs: Mapping[str, Any] = field(default_factory=dict)
    stored: xr.Dataset | None = None
    means: Array | None = None
    rows: xr.DataArray | None = None
    climatology: Climatology | None = None

    # ------------------------------------------------------------------------------ the model

    @property
    def k(self) -> int:
        """Number of labels.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4).merge([[0, 1]])
        >>> fit.k
        3
        """
        return self.partition.n_labels

    @property
    def partition(self) -> Partition:
        """What the clusterer's own numbers mean: order, names, colours.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4).merge([[0, 1]])
        >>> sorted(fit.partition.codes.tolist())
        [0, 0, 1, 2]
        """
        return self.assign.partition

    @property
    def model(self) -> Pipeline:
        """The fitted steps and clusterer as a scikit-learn Pipeline.

        Its numbers are the clusterer's own; ``partition.codes`` turns them into labels.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> [name for name, _ in fit.model.steps]
        ['scale', 'kmeans']
        """
        from sklearn.pipeline import Pipeline

        return Pipeline([*self.assign.chain.steps, (self.method, self.assign.clusterer)])

    @property
    def is_soft(self) -> bool:
        """Whether there are memberships.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().gmm(3)
        >>> fit.is_soft
        True
        """
        return self.assign.is_soft

    # ---------------------------------------------------------------------- arrays on the grid

    @property
    def labels(self) -> xr.DataArray:
        """Label of each sample, over the sample dims.

        float32 in memory: NaN without data, -1 unclassified, else 0 to k - 1; int16 in files. Lazy
        where the data are, with their chunks. CF ``flag_values`` and ``flag_meanings`` name them.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> fit.labels.dims, fit.labels.dtype
        (('latitude', 'longitude'), dtype('float32'))
        """
        return self._labels.copy()

    @cached_property
    def _labels(self) -> xr.DataArray:
        if self.samples is None:
            assert self.stored is not None
            return prediction.stored_labels(self.stored, self.partition)
        if self.rows is not None:
            return prediction.labels_of_rows(self.rows, self.samples.layout, self.assign)
        return prediction.labels(self.samples.layout, self.assign)

    @property
    def memberships(self) -> xr.DataArray:
        """Membership of each sample in each label, over (``label``, sample dims), 0 to 1.

        Raises
        ------
        ValueError
            If the method is not a soft one.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().gmm(3)
        >>> total = fit.memberships.sum("label", skipna=False)
        >>> round(float(total.max()), 3)
        1.0
        """
        self._need_soft("memberships")
        if self.samples is None:
            return self._named(self._stored("memberships"))
        return self._named(prediction.memberships(self.samples.layout, self.assign))

    @property
    def distances(self) -> xr.DataArray:
        """Distance of each sample to each centre, over (``label``, sample dims).

        In the space that was clustered, and in its units; NaN where a sample is incomplete.

        Raises
        ------
        ValueError
            If the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> fit.distances.dims
        ('label', 'latitude', 'longitude')
        """
        return self._named(prediction.distances(self.bound("distances").layout, self.assign))

    @property
    def features(self) -> xr.DataArray:
        """The space that was clustered, over (``component``, sample dims).

        Raises
        ------
        ValueError
            If the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().pca(2).kmeans(4)
        >>> fit.features.dims
        ('component', 'latitude', 'longitude')
        """
        layout = self.bound("features").layout
        return reduction.transform(layout, self.assign.chain, self.template)

    @cached_property
    def centers(self) -> xr.Dataset:
        """Centre of each label in data units, over (``label``, feature dims).

        The inverse of the steps where they have one, else the mean of the label's samples.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3)
        >>> fit.centers.vs.dims, fit.centers.vs.units
        (('label', 'depth'), 'km s-1')
        """
        return self.as_features(self._by_label(self.raw_centers))

    def as_features(self, rows: Array, errors: Array | None = None) -> xr.Dataset:
        """Return one row a label, shape (k, n_features), as variables over label and features."""
        number = np.arange(self.k)
        out = matrix.unpack(self.template, rows, LABEL, number)
        if errors is not None:
            spread = matrix.unpack(self.template, errors, LABEL, number)
            out = out.assign({f"{name}_error": spread[name] for name in spread.data_vars})
        return self._named(out)

    @cached_property
    def raw_centers(self) -> Array:
        """Centres in data units of the clusterer's own numbers, shape (n_raw, n_features)."""
        if self.means is not None:
            return self.means
        inverse = self.assign.chain.inverse(self.assign.centers)
        return self._group_means() if inverse is None else np.asarray(inverse)

    def _group_means(self) -> Array:
        plain = replace(self.assign, partition=Partition(np.arange(len(self.partition.codes))))
        layout = self.bound("centers").layout
        labels = None
        if self.rows is not None:
            labels = prediction.labels_of_rows(self.rows, layout, plain)
        sums = label_sums(layout, plain, labels=labels, features=True)
        weight = sums.get("weight", sums["samples"])[:-1, None].astype(float)
        return _over(sums["features"][:-1], weight)

    def _by_label(self, raw: Array) -> Array:
        """Average the clusterer's own centres by label, as the fitted samples weigh them."""
        counts, codes = np.asarray(self.record.counts), self.partition.codes
        total, weight = np.zeros((self.k, raw.shape[1])), np.zeros((self.k, 1))
        for number in np.flatnonzero(np.isfinite(raw).all(axis=1)):
            # A centre that got no sample still is the centre of a label of its own.
            share = max(counts[number], 1e-200)
            total[codes[number]] += share * raw[number]
            weight[codes[number]] += share
        return _over(total, weight)

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
        samples = self.bound("members")
        data = xr.Dataset({name: each.array for name, each in samples.layout.variables.items()})
        return data.where(self.labels == self._number(label))

    # ----------------------------------------------------------------------------------- tables

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
        self.bound("to_dataframe")
        return tables.samples_table(self)

    def to_dataset(self) -> xr.Dataset:
        """Return labels, and memberships of a soft method, as one Dataset.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().gmm(3)
        >>> list(fit.to_dataset())
        ['labels', 'memberships']
        """
        arrays = {"labels": self.labels}
        if self.is_soft:
            arrays["memberships"] = self.memberships
        return xr.Dataset(arrays, attrs=dict(self.attrs))

    # ---------------------------------------------------------------------------- new data

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
        if memberships:
            self._need_soft("memberships")
        layout = self.layout_of(new)
        if not memberships:
            return prediction.labels(layout, self.assign)
        return self._named(prediction.both(layout, self.assign))

    def layout_of(self, new: Any) -> Layout:
        """Return the layout of other data, less the fitted climatology."""
        layout = prediction.layout_of(new, self.sampler, self.template)
        if self.climatology is None:
            return layout
        names = list(self.template.data_vars)
        less = self.climatology(prediction.as_named(new, names))
        return prediction.layout_of(less, self.sampler, self.template)

    # ------------------------------------------------------------------- other views of the same

    def threshold(self, u: float) -> Clustering:
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
        self._need_soft("threshold")
        u = check_number("u", u, minimum=0)
        if u >= 1:
            rule = "must be below 1, as no membership exceeds that"
            raise ValueError(complaint("u", u, rule, "pass u=0.5, for example"))
        return self.with_partition(replace(self.partition, floor=u), stored=self.stored)

    def relabel(
        self,
        names: Sequence[str] | Mapping[int, str] | None = None,
        *,
        colors: Sequence[str] | Mapping[int, str] | None = None,
    ) -> Clustering:
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
        return self.with_partition(self.partition.relabelled(names, colors), stored=self.stored)

    def merge(self, groups: Iterable[Sequence[int | str]]) -> Clustering:
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
        groups = [groups] if isinstance(groups, str) else list(groups)
        if any(isinstance(group, str) or not isinstance(group, Iterable) for group in groups):
            rule = "must be sequences of labels"
            raise TypeError(complaint("groups", groups, rule, f"pass {[groups]!r}"))
        return self._recoded(
            self._merged([[self._number(each) for each in group] for group in groups])
        )

    def _merged(self, groups: Sequence[Sequence[int]]) -> Array:
        together = np.arange(self.k)
        listed = [label for group in groups for label in group]
        if len(listed) != len(set(listed)):
            rule = "holds a label twice"
            raise ValueError(complaint("groups", groups, rule, "put each label in one group"))
        for group in groups:
            together[list(group)] = min(group)
        return np.unique(together, return_inverse=True)[1]

    def match(self, other: Clustering | xr.DataArray) -> Clustering:
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
        theirs = other.labels if isinstance(other, Clustering) else other
        matched = self._recoded(matching.mapping(self.labels, theirs, self.k))
        if isinstance(other, Clustering) and matched.k == other.k:
            names, colors = other.partition.names, other.partition.label_colors()
            return matched.relabel(names, colors=colors)
        return matched

    def _recoded(self, mapping: Array) -> Clustering:
        stored = None if self.stored is None else prediction.recode(self.stored, mapping)
        return self.with_partition(self.partition.recoded(mapping), stored=stored)

    def with_partition(self, partition: Partition, stored: xr.Dataset | None) -> Clustering:
        """Return the clustering whose labels mean something else; ``stored`` ones come along."""
        return replace(self, assign=replace(self.assign, partition=partition), stored=stored)

    # ------------------------------------------------------------------------- files and figures

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
        from xcluster import io

        io.save(self, path)

    def explore(
        self, other: Clustering | None = None, *, sel: Mapping[Hashable, Any] | None = None
    ) -> Page:
        """Return one HTML page to look into the result, alone or beside another (needs bokeh).

        The label map, over the Earth where it is geographic; the profile, spectrum, field or
        values of the sample under the pointer against the centre of its label; and the samples
        among their components. A box or an outline drawn on the map or among the components
        marks the same samples in both; a click on a name hides its label. All scripts and data
        are inside the page, which needs no server and no network.

        Parameters
        ----------
        other : Clustering, optional
            A second result on the same grid, shown beside the first.
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
            If the result was opened without its data, or ``other`` lies on another grid.

        Notes
        -----
        Large grids are thinned, and values stored in 255 steps; the page says so.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().kmeans(4)
        >>> fit.explore().save("page.html")  # doctest: +SKIP
        """
        from xcluster.explore import explore

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
        from xcluster.plot.clustering import ClusteringPlot

        return ClusteringPlot(self)

    def __repr__(self) -> str:
        return formatting.text(self)

    def _repr_html_(self) -> str:
        return formatting.html(self)

    # ------------------------------------------------------------------------------ shared parts

    def bound(self, what: str) -> Samples:
        """Return the samples; an error says that ``what`` needs the original values."""
        if self.samples is None:
            rule = "needs the original values, and the result was opened without them"
            raise ValueError(
                complaint("data", None, f"{what} {rule}", "xcluster.open(path, data=ds)")
            )
        return self.samples

    def _stored(self, name: str) -> xr.DataArray:
        assert self.stored is not None
        return self.stored[name]

    def _need_soft(self, what: str) -> None:
        if not self.is_soft:
            rule = f"{self.method} gives no memberships, so there is no {what}"
            raise ValueError(complaint("method", self.method, rule, "gmm and fuzzy have them"))

    def _number(self, label: int | str) -> int:
        names = self.partition.label_names()
        if isinstance(label, str) and label in names:
            return names.index(label)
        if not isinstance(label, str):
            number = check_integer("label", label, minimum=0)
            if number < self.k:
                return number
        rule = f"is no label; they are 0 to {self.k - 1}, named {', '.join(names)}"
        raise ValueError(complaint("label", label, rule, "choose one of these"))

    def _named(self, obj: Labelled) -> Labelled:
        """Give the label coordinate its flags, and names where there are any."""
        partition = replace(self.partition, floor=None, has_noise=False)
        obj = obj.assign_coords({LABEL: obj[LABEL].assign_attrs(partition.attrs)})
        if hasattr(self.assign.clusterer, "grid_"):
            row, column = np.divmod(np.arange(self.k), self.assign.clusterer.grid_[1])
            if self.k == len(self.partition.codes):
                obj = obj.assign_coords(som_row=(LABEL, row), som_col=(LABEL, column))
        if partition.names is None:
            return obj
        return obj.assign_coords(label_name=(LABEL, list(partition.names)))


def _over(total: Array, weight: Array) -> Array:
    """Return totals over weights; NaN where there is none."""
    return np.asarray(np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0))
