"""Levels along one axis: choose them, fill gaps and resample, for many profiles at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.arrays import Array
from xcluster.base.checks import check_number
from xcluster.base.errors import BadTypeError, BadValueError

UNUSED = 1e-9
"""Share of a level in a target up to which it is rounding: the target lies on another level."""


@dataclass(frozen=True, eq=False)
class Levels:
    """Fills and resamples each profile before it becomes a row.

    Parameters
    ----------
    source : array of shape (n_source,)
        Levels of the data, ascending: numbers, or dates as datetime64 or cftime.
    target : array of shape (n_target,)
        Levels of the rows, ascending; those outside the source levels become NaN.
    coverage : float, optional
        Gaps are filled in profiles with data on at least this share of the levels: linearly
        between levels, and with the nearest level at the ends. None: gaps are not filled.
    """

    source: Array
    target: Array
    coverage: float | None = None

    def __call__(self, values: Array) -> Array:
        """Return ``values`` of shape (n, n_source) as rows of shape (n, n_target)."""
        filled = values
        if self.coverage is not None:
            filled = fill_gaps(values, positions(self.source, self.source[0]), self.coverage)
        if self._matrix is None:
            return filled
        finite = np.isfinite(filled)
        out = np.asarray(np.where(finite, filled, 0) @ self._matrix.astype(filled.dtype))
        # Zero times NaN is NaN: a gap at a level that a target does not use would spread to it.
        used = ~(np.abs(self._matrix) <= UNUSED)
        rows = np.flatnonzero(~finite.all(axis=1))
        for found, value in ((np.isnan, np.nan), (np.isinf, np.inf)):
            touched = found(filled[rows]).astype(np.float32) @ used.astype(np.float32)
            out[rows] = np.where(touched > 0, value, out[rows])
        return out

    @cached_property
    def _matrix(self) -> Array | None:
        """Linear interpolation as a matrix (n_source, n_target); None if levels do not change."""
        if np.array_equal(self.source, self.target):
            return None
        first = self.source[0]
        return interpolation_matrix(positions(self.source, first), positions(self.target, first))


@dataclass(frozen=True, eq=False)
class OwnLevels:
    """Resamples profiles that have levels of their own onto common ones.

    Parameters
    ----------
    dim
        The dim of the data along which a profile lies.
    target : array of shape (n_target,)
        The common levels, ascending. Those outside the range of a profile become NaN.
    coverage : float, optional
        These are filled with the nearest level in profiles with data on at least this share of
        the common levels. None: they are not filled.
    """

    dim: Hashable
    target: Array
    coverage: float | None = None

    def __call__(self, values: Array, own: Array) -> Array:
        """Return rows (n, n_target) of ``values`` at the levels ``own``, both (n, n_source)."""
        from xcluster.algorithms.kernels.columns import interpolate_columns

        own, values = (
            each if each.dtype.kind == "f" else each.astype(float) for each in (own, values)
        )
        rows = interpolate_columns(own, values, self.target)
        return rows if self.coverage is None else fill_gaps(rows, self.target, self.coverage)


def is_dated(levels: Array) -> bool:
    """Whether levels, as `levels_of` gives them, are dates."""
    return levels.dtype.kind in "MO"


def positions(levels: Array, origin: Any) -> Array:
    """Return levels as numbers; dates become seconds since ``origin``."""
    if not is_dated(levels):
        return levels
    spans = levels - origin
    spans = spans.astype("timedelta64[us]") if spans.dtype == object else spans
    return np.asarray(spans / np.timedelta64(1, "s"))


def interpolation_matrix(source: Array, target: Array) -> Array:
    """Return the matrix of linear interpolation; columns of targets outside the source are NaN."""
    low = np.clip(np.searchsorted(source, target, side="right") - 1, 0, max(len(source) - 2, 0))
    high = np.minimum(low + 1, len(source) - 1)
    gap = source[high] - source[low]
    share = np.divide(target - source[low], gap, out=np.zeros(len(target)), where=gap > 0)
    matrix = np.zeros((len(source), len(target)))
    columns = np.arange(len(target))
    matrix[low, columns] += 1 - share
    matrix[high, columns] += share
    slack = 1e-9 * max(float(source[-1] - source[0]), 1e-300)
    matrix[:, (target < source[0] - slack) | (target > source[-1] + slack)] = np.nan
    return matrix


MOST_LEVELS = 100_000
"""Maximum number of levels of a profile; more are surely a mistake and would fill the memory."""


def regular_levels(source: Array, step: Any) -> Array:
    """Return levels ``step`` apart, from the first of ``source`` up to its last at most.

    ``step`` is a number, or a length of time that pandas can read if the levels are dates.
    """
    size = _span(step) if is_dated(source) else check_number("step", step, above=0)
    apart = size / pd.Timedelta("1s") if isinstance(size, pd.Timedelta) else size
    places = positions(source, source[0])
    count = float(np.floor((places[-1] - places[0] + 1e-9 * apart) / apart)) + 1
    if count > MOST_LEVELS:
        rule = f"gives {count:.3g} levels from {_said(source[0])} to {_said(source[-1])}"
        raise BadValueError("step", step, rule, f"pass a step that gives at most {MOST_LEVELS:,}")
    if isinstance(size, pd.Timedelta):
        return _dates_after(source[0], size, int(count))
    return np.asarray(source[0] + size * np.arange(int(count)))


def _span(step: Any) -> pd.Timedelta:
    """Return a length of time; refuse numbers, which have no unit, and months, which differ."""
    rule = "must be a fixed length of time above 0, as the levels are dates"
    remedy = "pass text or a timedelta, for example step='5D'"
    if not isinstance(step, str) or _is_number(step):
        raise BadTypeError("step", step, rule, remedy)
    try:
        span = pd.Timedelta(step)
    except ValueError as error:
        raise BadValueError("step", step, rule, remedy) from error
    if not span > pd.Timedelta(0):  # also false for NaT
        raise BadValueError("step", step, rule, remedy)
    return span


def _said(level: Any) -> str:
    """Return a level as text; the time of a date is left out if it is midnight."""
    text = np.datetime_as_string(level, "auto") if isinstance(level, np.datetime64) else str(level)
    return str(text).removesuffix(" 00:00:00")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _dates_after(first: Any, span: pd.Timedelta, count: int) -> Array:
    """Return ``count`` dates from the first on, with its type and, if possible, its unit."""
    if not isinstance(first, np.datetime64):
        return np.asarray(first + np.arange(count, dtype=object) * span.to_pytimedelta())
    exact = span.to_timedelta64()
    own = exact.astype(f"timedelta64[{np.datetime_data(first.dtype)[0]}]")
    return np.asarray(first + np.arange(count) * (own if own == exact else exact))


def fill_gaps(values: Array, levels: Array, coverage: float) -> Array:
    """Fill NaN in the rows of ``values`` that have data on at least this share of the levels.

    Inner gaps are filled linearly in ``levels``; the ends take the nearest level with data.
    """
    known = ~np.isnan(values)
    share = known.mean(axis=1)
    todo = np.flatnonzero((share >= coverage) & (share < 1) & (share > 0))
    if not len(todo):
        return values
    filled = values.copy()
    filled[todo] = _interpolate(values[todo], known[todo], levels)
    return filled


def _interpolate(values: Array, known: Array, levels: Array) -> Array:
    last = values.shape[1] - 1
    index = np.arange(last + 1)
    below = np.maximum.accumulate(np.where(known, index, -1), axis=1)
    above = np.minimum.accumulate(np.where(known, index, last + 1)[:, ::-1], axis=1)[:, ::-1]
    low, high = np.where(below < 0, above, below), np.where(above > last, below, above)
    gap = levels[high] - levels[low]
    share = np.divide(levels[index] - levels[low], gap, out=np.zeros(gap.shape), where=gap > 0)
    start, end = np.take_along_axis(values, low, 1), np.take_along_axis(values, high, 1)
    return np.asarray(start + (end - start) * share.astype(values.dtype))


def levels_of(data: xr.Dataset, dim: Hashable, parameter: str, value: Any) -> Array:
    """Return the levels along ``dim`` as floats or dates, which ``parameter`` needs."""
    if dim in data.coords:
        levels = data[dim].values
        if levels.dtype.kind in "fiu":
            return np.asarray(levels, float)
        if levels.dtype.kind == "M" or isinstance(data[dim].to_index(), xr.CFTimeIndex):
            return np.asarray(levels)
    rule = f"needs a coordinate of numbers or dates along {dim!r}"
    raise BadValueError(parameter, value, rule, f"add one: ds.assign_coords({dim}=...)")


SPANS: tuple[type, ...] = (dt.timedelta, np.timedelta64, pd.DateOffset)
"""Types of lengths of time."""


def plain(value: Any) -> Any:
    """Return a number, a date or a length of time as a number or text, which files can hold.

    Examples
    --------
    >>> plain(np.float32(2)), plain(np.timedelta64(36, "h")), plain(np.datetime64("2001-02-03"))
    (2.0, '1 days 12:00:00', '2001-02-03T00:00:00.000000000')
    """
    if isinstance(value, np.generic | np.ndarray | xr.DataArray) and value.ndim == 0:
        value = np.asarray(value)[()]
    with suppress(TypeError, ValueError):  # values that pandas cannot read are refused later
        if isinstance(value, SPANS):
            return str(pd.Timedelta(value))  # type: ignore[arg-type]
        if isinstance(value, dt.date | np.datetime64):
            # With the time, as text without it stands for the whole day.
            return pd.Timestamp(value).isoformat(timespec="nanoseconds")
    if hasattr(value, "calendar") and hasattr(value, "isoformat"):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) and value.dtype.kind not in "mM" else value


def within(levels: Array, dim: Hashable, between: Any) -> NDArray[np.intp]:
    """Return the positions of the levels in a range, both ends included."""
    if is_dated(levels):
        inside = _dates_within(levels, dim, between)
    else:
        low, high = check_range(between)
        inside = np.flatnonzero((levels >= low) & (levels <= high))
    if not len(inside):
        ends = _said(levels.min()), _said(levels.max())
        rule = f"contains no level of {dim!r}, which runs from {ends[0]} to {ends[1]}"
        raise BadValueError("between", between, rule, "choose a range inside this")
    return inside


def check_range(between: Any) -> tuple[float, float]:
    """Return a pair of numbers, the lower first."""
    remedy = "pass between=(lowest, highest)"
    try:
        low, high = (float(each) for each in between)
    except (TypeError, ValueError):
        raise BadTypeError("between", between, "must be two numbers", remedy) from None
    if np.isnan(low) or np.isnan(high):
        raise BadValueError("between", between, "must be two numbers, not NaN", remedy)
    if not low <= high:
        rule = "the first number must not be above the second"
        raise BadValueError("between", between, rule, f"pass between=({high}, {low})")
    return low, high


def _dates_within(levels: Array, dim: Hashable, between: Any) -> NDArray[np.intp]:
    """Return the positions of dates in a range, as an index of xarray finds them."""
    order = np.argsort(levels, kind="stable")[: np.count_nonzero(~pd.isna(levels))]
    index = (xr.CFTimeIndex if levels.dtype == object else pd.DatetimeIndex)(levels[order])
    rule = f"must be two dates in the calendar of {dim!r}"
    remedy = f"pass, for example, between={(_said(index.values[0]), _said(index.values[-1]))}"
    if len(between) != 2 or not all(isinstance(each, str) for each in between):
        raise BadTypeError("between", between, rule, remedy)
    try:
        low, high = (_moment(each, index) for each in between)
        (begin, end), (other, last) = index.slice_locs(low, high), index.slice_locs(high, low)
    except Exception as error:  # pandas and cftime raise five kinds
        raise BadValueError("between", between, rule, remedy) from error
    if begin >= end and other < last:
        rule = "the first date must not be after the second"
        raise BadValueError("between", between, rule, f"pass between={between[::-1]}")
    return np.sort(order[begin:end])


def _moment(text: str, index: pd.Index[Any]) -> Any:
    """Return a date as its index takes it; with fractions of seconds it is a moment, no period."""
    whole, point, _ = text.partition(".")
    if not point:
        return text
    return whole if isinstance(index, xr.CFTimeIndex) else pd.Timestamp(text)
