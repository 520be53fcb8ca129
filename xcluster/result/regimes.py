"""Regimes: how often each label of a series occurs, how long it lasts and what follows it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.checks import check_integer, check_number, did_you_mean, is_one_of
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
    by: Any = None,
) -> xr.Dataset:
    """Return statistics of the regimes; see `Clustering.regimes`."""
    min_duration = check_integer("min_duration", min_duration, minimum=1)
    if min_similarity is not None:
        min_similarity = check_number("min_similarity", min_similarity, minimum=-1, maximum=1)
    layout = samples_of(fitted, "regimes").layout if new is None else new_layout(fitted, new)
    dim = _time(layout)
    by = _others(by, layout, dim)
    if not fitted.k:
        rule = "the result has no labels: every sample is noise"
        raise BadValueError("method", fitted.method_name, rule, "cluster with other parameters")
    placed, similarity = _projected(fitted, layout)
    names = _statistics(np.empty(0), np.empty(0, bool), fitted.k)
    check_free(placed, [*names, LABEL, "next_label", "labels", "similarity"])
    series = _Series.of(layout, dim)
    filtered = _filtered(
        series.in_line(placed),
        series.in_line(similarity),
        series.follows,
        min_similarity,
        min_duration,
    )
    kept = series.back(filtered, placed)
    out = _of_entries(kept, series, by, fitted.k)
    partition = replace(fitted.partition, has_noise=True)
    out = out.assign(
        labels=prediction.as_labels(kept, partition),
        similarity=similarity.rename({COLUMN: LABEL}).assign_attrs(long_name="similarity"),
    )
    return labelled_dim(fitted, _with_composites(out, composites, kept, dim, by))


def _time(layout: Layout) -> Hashable:
    """Return the dim along which the samples of a series follow each other."""
    dims = layout.sample_dims
    if len(dims) == 1:
        return dims[0]
    dated = [dim for dim in dims if _has_dates(layout.coords.get(dim))]
    found = dated or [dim for dim in dims if str(dim).lower() == "time"]
    if len(found) != 1:
        rule = (
            f"lie over {list(dims)}, but regimes need one dim with dates, along which steps follow"
        )
        remedy = "use snapshots('time'), or snapshots(['member', 'time']) for an ensemble"
        raise BadValueError("samples", layout.shape, rule, remedy)
    return found[0]


def _has_dates(coord: xr.DataArray | None) -> bool:
    if coord is None:
        return False
    return coord.dtype.kind in "mM" or isinstance(coord.to_index(), xr.CFTimeIndex)


def _others(by: Any, layout: Layout, dim: Hashable) -> list[Hashable]:
    """Return the dims for whose entries there are statistics of their own."""
    others = [each for each in layout.sample_dims if each != dim]
    if by is None:
        return []
    is_several = isinstance(by, list | tuple) and not is_one_of(by, others)
    wanted = list(by) if is_several else [by]
    for each in wanted:
        if not is_one_of(each, others) or wanted.count(each) > 1:
            rule = f"must name dims of the samples beside {dim!r}, which are {others}, each once"
            remedy = did_you_mean(each, others) if others else "leave by= out: there is one series"
            raise BadValueError("by", by, rule, remedy)
    return wanted


def _projected(fitted: Fitted, layout: Layout) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the label of each sample, and its similarity to each label over `COLUMN`."""
    found = matrix.apply(layout, _project(fitted), width=1 + fitted.k).compute()
    placed = found.isel({COLUMN: 0}).copy()
    if fitted.source.rows is not None:  # labels do not follow from the features alone
        placed = placed.copy(data=fitted.labels.values)
    return placed, found.isel({COLUMN: slice(1, None)}).transpose(COLUMN, ...)


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


@dataclass(frozen=True, eq=False)
class _Series:
    """One or several series over the same times, one behind the other as one line of steps.

    Parameters
    ----------
    dim
        The dim of time.
    order : array of shape (n_times,)
        The places of the times, rising.
    apart : array of shape (n_times,)
        For each time whether the next one does not follow directly; True at the end of a series.
    n
        The number of series.
    """

    dim: Hashable
    order: Array
    apart: Array
    n: int

    @classmethod
    def of(cls, layout: Layout, dim: Hashable) -> _Series:
        """Return the series of a layout."""
        n_times = layout.sizes[dim]
        order, follows = _in_time(layout.coords.get(dim), n_times)
        return cls(dim, order, ~np.append(follows, False), layout.n_points // n_times)

    @property
    def follows(self) -> Array:
        """For each step of the line but the first whether it follows directly."""
        return ~np.tile(self.apart, self.n)[:-1]

    def of_some(self, n: int) -> _Series:
        """Return only ``n`` of the series."""
        return replace(self, n=n)

    def in_line(self, array: xr.DataArray) -> Array:
        """Return an array over the samples as one line, behind its dim `COLUMN`."""
        first = [COLUMN] if COLUMN in array.dims else []
        values = array.isel({self.dim: self.order}).transpose(*first, ..., self.dim).values
        return values.reshape(*values.shape[: len(first)], -1)

    def back(self, line: Array, like: xr.DataArray) -> xr.DataArray:
        """Return one line at the places of its samples."""
        ordered = like.transpose(..., self.dim)
        values = np.empty(ordered.shape, line.dtype)
        values[..., self.order] = line.reshape(ordered.shape)
        return ordered.copy(data=values).transpose(*like.dims)


def _in_time(coord: xr.DataArray | None, n_times: int) -> tuple[Array, Array]:
    """Return the order in time, and for each step but the first whether it follows directly."""
    order, follows = np.arange(n_times), np.ones(max(n_times - 1, 0), bool)
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


def _of_entries(kept: xr.DataArray, series: _Series, by: Sequence[Hashable], k: int) -> xr.Dataset:
    """Return the statistics of all series together, or of those of each entry of ``by``."""
    if not by:
        one = series.of_some(kept.size // len(series.order))
        return _statistics(one.in_line(kept), one.follows, k)
    dim, *others = by
    each = [_of_entries(kept.isel({dim: n}), series, others, k) for n in range(kept.sizes[dim])]
    along = kept[dim].variable if dim in kept.coords else dim
    return xr.concat(each, along, data_vars="all", coords="minimal", compat="override")


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
    out: xr.Dataset, composites: Any, labels: xr.DataArray, dim: Hashable, by: Sequence[Hashable]
) -> xr.Dataset:
    """Return the statistics with the mean of each variable over the steps of each label."""
    if composites is None:
        return out
    data = _lying_with(labels, as_dataset(composites, "composites"), dim)
    if taken := [name for name in data.data_vars if name in out]:
        rule = "has the name of a variable that regimes() returns"
        raise BadValueError("composites", taken[0], rule, f"rename(z_{taken[0]}=...)")
    over = [each for each in labels.dims if each not in by]
    means = [
        data.where(labels == label).mean(over, keep_attrs=True) for label in range(out.sizes[LABEL])
    ]
    return out.merge(xr.concat(means, xr.DataArray(out[LABEL].values, dims=LABEL, name=LABEL)))


def _lying_with(labels: xr.DataArray, data: xr.Dataset, dim: Hashable) -> xr.Dataset:
    """Return variables over the times of the regimes; refuse others."""
    lacking = [name for name, array in data.data_vars.items() if dim not in array.dims]
    if lacking or dim not in data.dims:
        rule = f"has no dim {dim!r}"
        remedy = "leave this variable out" if lacking else "pass variables that have it"
        raise BadValueError("composites", lacking[0] if lacking else list(data), rule, remedy)
    try:
        return xr.align(data, labels, join="exact")[0]
    except ValueError:
        rule = f"has other values of {dim!r} than the regimes"
        remedy = f"select: ds.sel({dim}=labels.{dim})"
        raise BadValueError("composites", list(data), rule, remedy) from None
