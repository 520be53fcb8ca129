"""Compiled linear interpolation of columns that have levels of their own."""

from __future__ import annotations

import numpy as np
from numba import njit

from xcluster.base.arrays import Array, read_only

ROUNDING = 1e-9
"""Share of the range of a column by which a level may lie outside it."""


def interpolate_columns(levels: Array, values: Array, target: Array) -> Array:
    """Return the values of each column at common levels, as `numpy.interp` finds them.

    Entries without a level or a value are skipped. Outside its own range a column is NaN. Its
    levels may rise, fall or lie in any order; of equal levels the mean value counts.

    Parameters
    ----------
    levels, values : arrays of shape (n, n_levels), float32 or float64
    target : array of shape (n_target,), float64
        Rising.

    Returns
    -------
    array of shape (n, n_target), with the dtype of ``values``

    Examples
    --------
    >>> levels, values = np.array([[4.0, 2.0, np.nan, 0.0]]), np.array([[8.0, 4.0, 5.0, 0.0]])
    >>> interpolate_columns(levels, values, np.array([1.0, 3.0, 5.0]))
    array([[ 2.,  6., nan]])
    """
    out = np.empty((len(values), len(target)), values.dtype)
    _interpolate(read_only(levels), read_only(values), np.asarray(target, np.float64), out)
    return out


@njit(nogil=True, cache=True)
def _interpolate(levels: Array, values: Array, target: Array, out: Array) -> None:
    x, y = np.empty(levels.shape[1]), np.empty(levels.shape[1])
    for row in range(len(out)):
        n = _known(levels[row], values[row], x, y)
        if n and x[0] > x[n - 1]:
            _reverse(x, y, n)
        _at(x, y, _rising(x, y, n), target, out[row])


@njit(nogil=True, cache=True)
def _known(levels: Array, values: Array, x: Array, y: Array) -> int:
    """Write the levels that have a value to ``x``, the values to ``y``; return their number."""
    n = 0
    for each in range(len(levels)):
        if np.isfinite(levels[each]) and not np.isnan(values[each]):
            x[n], y[n] = levels[each], values[each]
            n += 1
    return n


@njit(nogil=True, cache=True)
def _reverse(x: Array, y: Array, n: int) -> None:
    for low in range(n // 2):
        high = n - 1 - low
        x[low], x[high] = x[high], x[low]
        y[low], y[high] = y[high], y[low]


@njit(nogil=True, cache=True)
def _rising(x: Array, y: Array, n: int) -> int:
    """Sort ``n`` levels and make one of equal ones; return how many are left."""
    is_rising = True
    for each in range(1, n):
        is_rising = is_rising and x[each] > x[each - 1]
    if is_rising:
        return n
    # By value too, so that the mean of equal levels does not depend on their order.
    for each in range(1, n):
        level, value, place = x[each], y[each], each
        while place and (x[place - 1], y[place - 1]) > (level, value):
            x[place], y[place] = x[place - 1], y[place - 1]
            place -= 1
        x[place], y[place] = level, value
    return _merged(x, y, n)


@njit(nogil=True, cache=True)
def _merged(x: Array, y: Array, n: int) -> int:
    """Give equal levels, which lie side by side, their mean value; return how many are left."""
    kept, start = 0, 0
    while start < n:
        stop, total = start, 0.0
        while stop < n and x[stop] == x[start]:
            total += y[stop]
            stop += 1
        x[kept], y[kept] = x[start], total / (stop - start)
        kept, start = kept + 1, stop
    return kept


@njit(nogil=True, cache=True)
def _at(x: Array, y: Array, n: int, target: Array, out: Array) -> None:
    """Write the values at the levels ``target``, by one walk along rising levels ``x``."""
    slack = ROUNDING * (x[n - 1] - x[0]) if n else 0.0
    low = 0
    for each in range(len(target)):
        level = target[each]
        if n == 0 or level < x[0] - slack or level > x[n - 1] + slack:
            out[each] = np.nan
            continue
        while low < n - 2 and x[low + 1] <= level:
            low += 1
        out[each] = _between(x, y, low, min(low + 1, n - 1), level)


@njit(nogil=True, cache=True)
def _between(x: Array, y: Array, low: int, high: int, level: float) -> float:
    """Return the value between two levels; at a level its own, whatever the other one is."""
    if level <= x[low]:
        return float(y[low])
    if level >= x[high]:
        return float(y[high])
    if np.isinf(y[low]) or np.isinf(y[high]):
        return np.inf  # refused later, as infinite data are
    return float(y[low] + (y[high] - y[low]) * ((level - x[low]) / (x[high] - x[low])))
