"""Regimes: how often each label of a series occurs, how long it lasts and what follows it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.checks import check_integer, check_number
from xcluster.base.errors import BadValueError
from xcluster.blocks import matrix
from xcluster.fit import prediction
from xcluster.fit.assign import Labeller
from xcluster.fit.fitted import Fitted, labelled_dim, samples_of
from xcluster.fit.labels import UNCLASSIFIED
from xcluster.grid.features import as_dataset
from xcluster.grid.layout import COLUMN, LABEL, Layout
from xcluster.grid.names import check_free
from xcluster.result.new_data import new_layout


def regimes(
    fitted: Fitted,
    new: xr.Dataset | xr.DataArray | None,
    min_duration: int,
    min_similarity: float | None,
    composites: xr.Dataset | xr.DataArray | None,
) -> xr.Dataset:
    """Return statistics of the regimes; see `Clustering.regimes`."""
    min_duration = check_integer("min_duration", min_duration, minimum=1)
    if min_similarity is not None:
        min_similarity = check_number("min_similarity", min_similarity, minimum=-1, maximum=1)
    layout = samples_of(fitted, "regimes").layout if new is None else new_layout(fitted, new)
    dim = _time(layout)
    if not fitted.k:
        rule = "the result has no labels: every sample is noise"
        raise BadValueError("method", fitted.method_name, rule, "cluster with other parameters")
    found = matrix.apply(layout, _project(fitted), width=1 + fitted.k).compute()
    similarity = found.isel({COLUMN: slice(1, None)}).transpose(COLUMN, ...)
    placed = found.isel({COLUMN: 0}).copy()
    if fitted.source.rows is not None:  # labels do not follow from the features alone
        placed = placed.copy(data=fitted.labels.values)
    order, follows = _series(layout, dim)
    labels = placed.values[order]
    kept = _filtered(labels, similarity.values[:, order], follows, min_similarity, min_duration)
    out = _statistics(kept, follows, fitted.k)
    placed.values[order] = kept
    check_free(placed, [*out.variables, "labels", "similarity"])
    partition = replace(fitted.partition, has_noise=True)
    out = out.assign(
        labels=prediction.as_labels(placed, partition),
        similarity=similarity.rename({COLUMN: LABEL}).assign_attrs(long_name="similarity"),
    )
    return labelled_dim(fitted, _with_composites(out, composites, placed, dim))


def _time(layout: Layout) -> Hashable:
    if len(layout.sample_dims) != 1:
        rule = f"lie over {list(layout.sample_dims)}, but regimes need a series with one dim"
        raise BadValueError("samples", layout.shape, rule, "use snapshots('time')")
    return layout.sample_dims[0]


@dataclass(frozen=True, eq=False)
class _Projection:
    """Gives the label of rows and their similarity to each label; it is sent to blocks."""

    assign: Labeller
    origin: Array

    def __call__(self, X: Array) -> Array:
        rows = self.assign.chain(X) - self.origin
        centers = self.assign.centers - self.origin
        cosine = _unit(rows) @ _unit(centers).T
        nearest = np.full((len(X), self.assign.partition.n_labels), -1.0)
        for number, label in enumerate(self.assign.partition.codes):
            np.maximum(nearest[:, label], cosine[:, number], out=nearest[:, label])
        return np.column_stack([self.assign.labels(X), nearest])


def _project(fitted: Fitted) -> _Projection:
    centers, counts = fitted.assign.centers, np.asarray(fitted.record.counts)
    known = np.isfinite(centers).all(axis=1) & (counts > 0)
    return _Projection(fitted.assign, np.average(centers[known], axis=0, weights=counts[known]))


def _unit(rows: Array) -> Array:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, length, out=np.zeros(rows.shape), where=length > 0))


def _series(layout: Layout, dim: Hashable) -> tuple[Array, Array]:
    """Return the order in time, and for each step but the first whether it follows directly."""
    order, follows = np.arange(layout.n_points), np.ones(max(layout.n_points - 1, 0), bool)
    coord = layout.coords.get(dim)
    if coord is None or not _is_time(coord) or coord.size < 2:
        return order, follows
    order = np.argsort(coord.values, kind="stable")
    steps = np.diff(coord.values[order])
    if steps.dtype == object:
        steps = np.array([step.total_seconds() for step in steps])
    steps = steps.astype(np.float64)
    if len(steps) > 1:
        follows = np.asarray(steps < 1.5 * np.median(steps))
    return order, follows


def _is_time(coord: xr.DataArray) -> bool:
    """Whether values are numbers or dates; cftime dates are objects."""
    return coord.dtype.kind in "fiuMm" or isinstance(coord.to_index(), xr.CFTimeIndex)


def _filtered(
    labels: Array, similarity: Array, follows: Array, floor: float | None, shortest: int
) -> Array:
    """Return labels, with -1 where the similarity is too low or the episode too short."""
    kept = labels.copy()
    if floor is not None:
        classified = kept >= 0
        own = similarity[kept[classified].astype(int), np.flatnonzero(classified)]
        kept[np.flatnonzero(classified)[own < floor]] = UNCLASSIFIED
    for start, stop in _episodes(kept, follows):
        if stop - start < shortest and kept[start] >= 0:
            kept[start:stop] = UNCLASSIFIED
    return kept


def _episodes(labels: Array, follows: Array) -> list[tuple[int, int]]:
    """Return start and end of each run of one label; a gap in time ends a run."""
    if not len(labels):
        return []
    breaks = np.flatnonzero((labels[1:] != labels[:-1]) | ~follows) + 1
    edges = [0, *breaks.tolist(), len(labels)]
    return list(pairwise(edges))


def _statistics(labels: Array, follows: Array, k: int) -> xr.Dataset:
    lengths: list[list[int]] = [[] for _ in range(k)]
    for start, stop in _episodes(labels, follows):
        if labels[start] >= 0:
            lengths[int(labels[start])].append(stop - start)
    n_steps = max(int(np.isfinite(labels).sum()), 1)
    total = np.array([sum(each) for each in lengths], float)
    number = np.array([len(each) for each in lengths])
    mean = np.divide(total, number, out=np.full(k, np.nan), where=number > 0)
    chance = _transitions(labels, follows, k)
    return xr.Dataset(
        {
            "frequency": (LABEL, total / n_steps, _attrs("share of the steps", "1")),
            "persistence": (LABEL, np.diag(chance), _attrs("probability to stay", "1")),
            "episodes": (LABEL, number, _attrs("number of episodes")),
            "duration": (LABEL, mean, _attrs("mean duration, in steps")),
            "transitions": ((LABEL, "next_label"), chance, _attrs("transition probability", "1")),
            "no_regime": ((), (labels < 0).sum() / n_steps, _attrs("share without regime", "1")),
        },
        {LABEL: np.arange(k), "next_label": np.arange(k)},
    )


def _attrs(long_name: str, units: str | None = None) -> dict[str, str]:
    return {"long_name": long_name} if units is None else {"long_name": long_name, "units": units}


def _transitions(labels: Array, follows: Array, k: int) -> Array:
    """Return the probability of each next label; rows sum to 1, or are NaN without a next step."""
    both = follows & (labels[:-1] >= 0) & (labels[1:] >= 0)
    counts = np.zeros((k, k))
    np.add.at(counts, (labels[:-1][both].astype(int), labels[1:][both].astype(int)), 1)
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(counts, total, out=np.full((k, k), np.nan), where=total > 0))


def _with_composites(
    out: xr.Dataset, composites: Any, labels: xr.DataArray, dim: Hashable
) -> xr.Dataset:
    """Return the statistics with the mean of each variable over the steps of each label."""
    if composites is None:
        return out
    data = as_dataset(composites, "composites")
    for name, array in data.data_vars.items():
        if dim not in array.dims:
            rule = f"has no dim {dim!r}"
            raise BadValueError("composites", name, rule, "leave this variable out")
        if name in out:
            rule = "has the name of a variable that regimes() returns"
            raise BadValueError("composites", name, rule, f"rename(z_{name}=...)")
    if dim not in data.dims:
        rule = f"has no dim {dim!r}"
        raise BadValueError("composites", list(data), rule, "pass variables that have it")
    try:
        data, labels = xr.align(data, labels, join="exact")
    except ValueError:
        rule = f"has other values of {dim!r} than the regimes"
        remedy = f"select: ds.sel({dim}=labels.{dim})"
        raise BadValueError("composites", list(data), rule, remedy) from None
    numbers = labels.values
    means = [
        data.isel({dim: np.flatnonzero(numbers == label)}).mean([dim], keep_attrs=True)
        for label in range(out.sizes[LABEL])
    ]
    return out.merge(xr.concat(means, xr.DataArray(out[LABEL].values, dims=LABEL, name=LABEL)))
