"""The result: a fitted clusterer, the source of its labels, and the arrays that follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from xcluster import scores
from xcluster.base.checks import check_integer
from xcluster.base.errors import BadValueError
from xcluster.base.wording import call_text
from xcluster.blocks import matrix
from xcluster.chain import reduction
from xcluster.chain.anomaly import Climatology
from xcluster.chain.question import Question
from xcluster.fit import labelled, prediction
from xcluster.fit.assign import Labeller
from xcluster.fit.candidates import Candidates
from xcluster.fit.centers import by_label, label_means
from xcluster.fit.criteria import directional, silhouettes_by
from xcluster.fit.fitting import reduced_centers
from xcluster.fit.labels import Partition
from xcluster.fit.means import Means
from xcluster.fit.record import Record
from xcluster.fit.sources import Source, Stored
from xcluster.grid.layout import LABEL, Layout, shown_columns
from xcluster.grid.links import with_attrs
from xcluster.grid.names import free, names_in
from xcluster.grid.samplers import Sampler

Array = NDArray[Any]
AnyFitted = TypeVar("AnyFitted", bound="Fitted")
Labelled = TypeVar("Labelled", xr.DataArray, xr.Dataset)

PARTIAL = {"comment": "by partial distances: from the features that are there"}
"""Attribute of what is measured of samples with gaps."""


@dataclass(frozen=True, eq=False, repr=False)
class Fitted:
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
    sweep : Candidates, optional
        The fits among which k was chosen.
    attrs : mapping
        The user's own attributes.
    climatology
        The mean cycle that is subtracted from the data first.
    keywords : mapping of str to str
        Keywords of the method that differ from the defaults, as text.
    graph : csr_array of bool, shape (n_points, n_points), optional
        Which samples are neighbours, if the user gave a graph as ``contiguous=``.
    """

    method_name: str
    sampler: Sampler
    template: xr.Dataset
    assign: Labeller
    record: Record
    source: Source
    sweep: Candidates | None = None
    attrs: Mapping[str, Any] = field(default_factory=dict)
    climatology: Climatology | None = None
    keywords: Mapping[str, str] = field(default_factory=dict)
    graph: Any = None

    # ------------------------------------------------------------------------- of the clusterer

    @property
    def method(self) -> str:
        """What was fitted: the method, and its keywords that differ from the defaults.

        A k that was chosen stands before its candidates. Long values are shown as a checksum.
        The text is saved with the result. ``method_name`` is the name alone.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> ds.cluster.pixels().gmm(3, covariance_type="diag").method
        "gmm(k=3, covariance_type='diag')"
        """
        return call_text(self.method_name, self.keywords)

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
        """What the clusterer's own numbers mean: order, names and colours of labels.

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

        Its ``predict`` gives the clusterer's own numbers. ``partition.codes`` has the label of
        each number. Rows have their features in the order of the variables and, along each dim,
        of the data. If steps and clusterer have them in another order, the first step is
        "columns".

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> [name for name, _ in fit.model.steps]
        ['columns', 'scale', 'kmeans']
        """
        steps = [(step.name, step.transformer) for step in self.assign.chain.steps]
        order = np.argsort(shown_columns(self.template))
        if not np.array_equal(order, np.arange(len(order))):
            steps.insert(0, ("columns", _taking(order)))
        return Pipeline([*steps, (self.method_name, self.assign.clusterer)])

    @property
    def is_soft(self) -> bool:
        """Whether the result has memberships.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().gmm(3)
        >>> fit.is_soft
        True
        """
        return self.assign.is_soft

    # ---------------------------------------------------------------------- over the sample dims

    @property
    def samples(self) -> Question | None:
        """The samples that were clustered; None if the result was opened without its data."""
        return self.source.question

    @property
    def labels(self) -> xr.DataArray:
        """Label of each sample, over the sample dims.

        In memory labels are float32: 0 to k - 1, -1 where a sample is unclassified or noise, and
        NaN where it has no data. In files they are int16. They are lazy if the data are lazy,
        with the same chunks. The CF attributes ``flag_values`` and ``flag_meanings`` name them;
        ``grid_mapping`` names the coordinate that states the CRS, if the data have one.
        Their name is ``label``, so that ``ds.groupby(fit.labels.compute()).mean()`` lines up with
        `centers`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> fit.labels.dims, fit.labels.dtype
        (('latitude', 'longitude'), dtype('float32'))
        """
        return self._labels.copy()

    @property
    def memberships(self) -> xr.DataArray:
        """Membership of each sample in each label, 0 to 1, over (``label``, sample dims).

        Raises
        ------
        ValueError
            If the method gives no memberships.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().gmm(3)
        >>> total = fit.memberships.sum("label", skipna=False)
        >>> round(float(total.max()), 3)
        1.0
        """
        need_soft(self, "memberships")
        return labelled_dim(self, self.source.memberships(self.assign))

    @property
    def distances(self) -> xr.DataArray:
        """Distance of each sample to each centre, over (``label``, sample dims).

        It is measured in the space that was clustered. Under ``metric="cosine"`` it is the angle in
        radians (the spectral angle), under "correlation" 1 - r. NaN where a sample is incomplete.
        If samples may have gaps it is a partial distance: from the features that are there, as if
        the others lay equally far.

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
        layout = samples_of(self, "distances").layout
        return labelled_dim(self, prediction.distances(layout, self.assign))

    @property
    def shifts(self) -> xr.DataArray:
        """By how many features each sample lies behind the centre of its label, over sample dims.

        For results of ``kmeans(metric="sbd")``, which compares samples at their best shift: 3 means
        that the sample looks like the centre moved by three features to the end of the feature
        dim. It is NaN where there is no label, and lazy if the data are lazy.

        Raises
        ------
        ValueError
            If the method does not shift samples, or the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3, metric="sbd")
        >>> fit.shifts.dims
        ('latitude', 'longitude')
        """
        if not hasattr(self.assign.clusterer, "shifts"):
            rule = f".shifts needs a method that shifts samples, and {self.method_name} does not"
            raise BadValueError("method", self.method_name, rule, 'use kmeans(k, metric="sbd")')
        return prediction.shifts(samples_of(self, "shifts").layout, self.assign)

    @property
    def strength(self) -> xr.DataArray:
        """How firmly each sample belongs to its label, over the sample dims; only of `hdbscan`.

        1 where a sample is in the densest part of its group, 0 where it is noise: the distance at
        which the group ends, over that at which the sample joins it. NaN where there is no sample;
        lazy if the data are lazy.

        Raises
        ------
        ValueError
            For other methods, for files of version 0.1.0, and if the result was opened without its
            data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels(["sst", "wind_speed"]).hdbscan(30)
        >>> float(fit.strength.where(fit.labels == -1).max())
        0.0
        """
        clusterer_with(self, "core_distances_", "strength", "hdbscan")
        return prediction.strength(samples_of(self, "strength").layout, self.assign)

    @property
    def coverage(self) -> xr.DataArray:
        """Which share of its features each sample has, over the sample dims.

        Each variable counts the same, however many features it has. It is 1 everywhere unless
        samples may have gaps (``missing="keep"``), NaN where there is no sample, and lazy if the
        data are lazy.

        Raises
        ------
        ValueError
            If the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> ds["sst"] = ds.sst.where(ds.latitude < 40)
        >>> fit = ds.cluster.pixels(["sst", "wind_speed"], missing="keep").kmeans(3)
        >>> float(fit.coverage.min())
        0.5
        """
        return prediction.coverage(samples_of(self, "coverage").layout)

    @property
    def features(self) -> xr.DataArray:
        """The samples in the space that was clustered, over (``component``, sample dims).

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
        layout = samples_of(self, "features").layout
        return reduction.transform(layout, self.assign.chain, self.template)

    @property
    def silhouette(self) -> xr.DataArray:
        """Silhouette of each sample in the space that was clustered, over the sample dims.

        It is exact up to 65,536 complete samples (up to ``max_exact`` samples under metrics that
        only `kmedoids` has). Beyond that it is the simplified silhouette,
        which uses distances to centres instead of distances to samples, and is lazy if the data
        are lazy. The attribute ``long_name`` says which one it is. NaN where a sample has no
        label. Distances of samples with gaps are partial, and the attribute ``comment`` says so.

        Raises
        ------
        ValueError
            If there is only one label, or the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> fit.silhouette.dims
        ('latitude', 'longitude')
        """
        return self.silhouettes[0].copy()

    # ---------------------------------------------------------------------- over the feature dims

    @property
    def centers(self) -> xr.Dataset:
        """Centre of each label in data units, over (``label``, feature dims).

        It is the mean of the fitted samples, whatever the steps: of those of the label or, if the
        method has memberships, of all, weighted by them (by u^m for `fuzzy`). Means were summed
        during the fit. Merged labels have the mean of both. If labels were cleaned, it is the mean
        of all samples of the label.

        The centres of `kmedoids` are its `medoids`: the data of one sample of each label. Those of
        `som`, and of `kmeans` under "dtw", "softdtw" and "sbd", are their `prototypes`, unless a
        step has no inverse. So are those in files of versions that summed no means; notes of their
        `report` say so.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3)
        >>> fit.centers.vs.dims, fit.centers.vs.units
        (('label', 'depth'), 'km s-1')
        """
        return self._centers.copy(deep=True)

    @property
    def prototypes(self) -> xr.Dataset:
        """What `predict` compares samples with, in data units, over (``label``, feature dims).

        These are the centres of the clusterer, taken back through the steps: for a row of the
        reduced space the data that it stands for. Behind `scale("log")` this is a geometric mean,
        for example, and behind `pca` only what the components keep; `centers` are means of
        samples. Of merged labels it is the mean, weighted by the fitted samples of each.

        Raises
        ------
        ValueError
            If a step has no inverse, or if the method compares samples with fitted samples
            instead (`hac`, `dbscan`, `hdbscan`, and clusterers of your own without `predict`).

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().pca(2).gmm(3)
        >>> fit.prototypes.sst.dims
        ('label',)
        """
        counts = np.asarray(self.record.counts)
        return over_features(self, by_label(self.partition, counts, taken_back(self)))

    # ---------------------------------------------------------------------------- computed once

    @cached_property
    def _labels(self) -> xr.DataArray:
        return self.source.labels(self.assign)

    @cached_property
    def silhouettes(self) -> tuple[xr.DataArray, xr.DataArray]:
        """The silhouette and the label of each sample; exact ones come from one pass."""
        layout = samples_of(self, "silhouette").layout
        if self.k < 2:
            rule = "a silhouette needs at least two labels"
            raise BadValueError("k", self.k, rule, "cluster into more labels")
        by = silhouettes_by(self.assign.clusterer)
        if self.record.complete > by["limit"]:
            return _simplified(self), self.labels
        found = labelled.read(layout, [self.labels], self.assign.chain, every=True)
        given = found.Z, found.labels[0], found.weight
        values = scores.silhouette_samples(*given, metric=by["metric"])
        exact: xr.DataArray = found.on_grid(values).rename("silhouette")
        labels = found.on_grid(found.labels[0]).assign_attrs(self.labels.attrs)
        exact = exact.assign_attrs(long_name="silhouette", **partial_said(self))
        return exact, labels

    @cached_property
    def _centers(self) -> xr.Dataset:
        if self.means_of_labels is not None:
            return over_features(self, self.means_of_labels[0])
        means = self.raw_means
        return over_features(self, by_label(self.partition, means.weight, means.rows))

    @cached_property
    def means_of_labels(self) -> tuple[Array, Array] | None:
        """Means of the samples of each label, and their weights, if labels were cleaned."""
        if not self.source.cleaning:
            return None
        known = getattr(self.source, "of_labels", None)
        if isinstance(self.source, Stored) or known is not None:
            return known() if callable(known) else known
        layout = samples_of(self, "centers of cleaned labels").layout
        return label_means(layout, self.assign, self.placed_labels)

    @property
    def placed_labels(self) -> Callable[[Layout], xr.DataArray] | None:
        """What gives the labels of a scene, if they do not follow from features alone."""
        source = self.source
        scenes = getattr(source, "scenes", None)
        if scenes:
            return lambda layout: scenes[layout.scene].labels(self.assign)
        placed = source.rows is not None or bool(source.cleaning)
        return (lambda _: self.labels) if placed else None

    @property
    def raw_centers(self) -> Array:
        """Centres of the clusterer's own numbers in data units, shape (n_raw, n_features)."""
        return self.raw_means.rows

    @cached_property
    def raw_means(self) -> Means:
        """Centres of the clusterer's own numbers in data units, and how much each weighs."""
        means = self.source.means
        if means is not None:
            return means() if callable(means) else means
        taken_back = np.asarray(self.assign.chain.inverse(self.assign.centers))
        return Means(taken_back, np.asarray(self.record.counts))


def _taking(order: Array) -> FunctionTransformer:
    """Return a step that puts the columns of rows into this order."""
    there, back = ({"indices": each, "axis": 1} for each in (order, np.argsort(order)))
    return FunctionTransformer(np.take, np.take, kw_args=there, inv_kw_args=back)


def title(fitted: Fitted) -> str:
    """Return what was fitted, and how many labels there are if that does not say it."""
    k, said = fitted.k, fitted.method
    if fitted.keywords.get("k", "").split(" ")[0] != str(k):
        said += f", {'1 label' if k == 1 else f'{k} labels'}"
    return ", ".join([said, *(str(step) for _, step in fitted.source.cleaning)])


def samples_of(fitted: Fitted, what: str) -> Question:
    """Return the samples, or an error which says that ``what`` needs the original values."""
    return fitted.source.asked(what)


def need_soft(fitted: Fitted, what: str) -> None:
    """Refuse ``what`` for a method without memberships."""
    if not fitted.is_soft:
        rule = f".{what} needs a method that gives memberships, and {fitted.method_name} gives none"
        raise BadValueError("method", fitted.method_name, rule, "cluster by gmm or fuzzy")


def number_of(fitted: Fitted, label: int | str) -> int:
    """Return the number of a label that is given by number or name."""
    names = fitted.partition.label_names()
    if isinstance(label, str) and label in names:
        return names.index(label)
    if not isinstance(label, str):
        number = check_integer("label", label, minimum=0)
        if number < fitted.k:
            return number
    if not names:
        rule = "the result has no labels: every sample is noise"
        raise BadValueError("label", label, rule, "cluster with other parameters")
    rule = f"is not a label; labels are 0 to {fitted.k - 1}, named {', '.join(names)}"
    raise BadValueError("label", label, rule, "choose one of these")


def taken_back(fitted: Fitted) -> Array:
    """Return the centres that new samples are compared with, taken back through the steps."""
    clusterer, chain = fitted.assign.clusterer, fitted.assign.chain
    if hasattr(clusterer, "samples_") or reduced_centers(clusterer) is None:
        rule = f"has no prototypes: {fitted.method_name}() compares samples with fitted ones"
        raise BadValueError("method", fitted.method_name, rule, "use .centers, the means of labels")
    rows = chain.inverse(fitted.assign.centers)
    if rows is None:
        rule = "has a step without an inverse, so that nothing can be taken back through it"
        raise BadValueError("steps", chain.names, rule, "use .centers, the means of labels")
    return np.asarray(rows)


def labelled_dim(fitted: Fitted, obj: Labelled) -> Labelled:
    """Give the label coordinate its flags, and its names if there are any."""
    partition = replace(fitted.partition, floor=None, has_noise=False)
    obj = obj.assign_coords({LABEL: obj[LABEL].assign_attrs(partition.attrs)})
    if hasattr(fitted.assign.clusterer, "grid_"):
        node = np.argsort(partition.codes)
        if np.array_equal(partition.codes[node], np.arange(fitted.k)):  # one node per label
            row, column = np.divmod(node, fitted.assign.clusterer.grid_[1])
            obj = _beside(obj, som_row=row, som_col=column)
    return obj if partition.names is None else _beside(obj, label_name=list(partition.names))


def _beside(obj: Labelled, **values: Any) -> Labelled:
    """Return the object with coordinates of its labels; they do not replace names of the user."""
    taken = {each for each in names_in(obj) if each not in obj.coords or obj[each].dims != (LABEL,)}
    return obj.assign_coords({free(name, taken): (LABEL, each) for name, each in values.items()})


def over_features(fitted: Fitted, rows: Array, errors: Array | None = None) -> xr.Dataset:
    """Return rows of labels, shape (k, n_features), as variables over label and feature dims."""
    number = np.arange(fitted.k)
    out = matrix.unpack(fitted.template, rows, LABEL, number)
    if errors is not None:
        spread = matrix.unpack(fitted.template, errors, LABEL, number)
        for name in spread.data_vars:  # the user may have variables with such names
            out = out.assign({free(f"{name}_error", names_in(out)): spread[name]})
    return labelled_dim(fitted, out)


def clusterer_with(fitted: Fitted, attribute: str, what: str, owner: str) -> Any:
    """Return the clusterer if it has ``attribute``; else say which method gives ``what``."""
    clusterer = fitted.assign.clusterer
    if not hasattr(clusterer, attribute):
        rule = f"has no {what}, which only results of {owner}() have"
        raise BadValueError("method", fitted.method_name, rule, f"cluster by .{owner}()")
    return clusterer


def partial_said(fitted: Fitted) -> dict[str, str]:
    """Return an attribute for what is measured by partial distances, if samples have gaps."""
    return PARTIAL if fitted.record.gaps and not fitted.assign.chain.fills_gaps else {}


def _simplified(fitted: Fitted) -> xr.DataArray:
    """Return the simplified silhouette of every sample, from distances to centres."""
    labels, distances = fitted.labels, fitted.distances
    if directional(fitted.assign.clusterer) == "cosine":  # from angles to 1 - cosine
        distances = 2 * xr.ufuncs.sin(distances / 2) ** 2
    own = distances[LABEL] == labels
    a = distances.where(own).min(LABEL)
    b = distances.where(~own).min(LABEL)
    larger = xr.where(a > b, a, b)
    values: xr.DataArray = (b - a) / larger.where(larger > 0, 1.0)
    attrs = {"long_name": "simplified silhouette", **partial_said(fitted)}
    return with_attrs(values.astype(np.float32).rename("silhouette"), attrs, on=labels)
