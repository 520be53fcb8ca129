"""Compiled squared distances by differences: nothing cancels, and a row is measured by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xcluster.algorithms.kernels.products import FEATURES, LANES, clear, fill
from xcluster.base.arrays import read_only

Array = NDArray[Any]


def squared_distances(X: Array, points: Array) -> Array:
    """Return the squared distance of each row from each point, in double precision.

    Parameters
    ----------
    X : array of shape (n, p), float32 or float64
    points : array of shape (k, p)

    Returns
    -------
    array of shape (k, n)
    """
    out = np.empty((len(points), len(X)))
    _squared(read_only(X), np.ascontiguousarray(points, np.float64), out)
    return out


def two_nearest(X: Array, points: Array) -> tuple[Array, Array, Array]:
    """Return the nearest and the second nearest of some points, and the square to the nearest.

    Of points at the same distance the first is the nearest, as for `argmin`. Parameters are those
    of `squared_distances`; arrays of shape (n,) are returned, the points as int32.
    """
    nearest, second = np.zeros((2, len(X)), np.int32)
    squares = np.empty(len(X))
    given = read_only(X), np.ascontiguousarray(points, np.float64)
    _two_nearest(*given, nearest, second, squares)
    return nearest, second, squares


@njit(nogil=True, cache=True)
def _squared(X: Array, points: Array, out: Array) -> None:
    sums = np.empty((len(points), _n_lanes(len(X))))
    for start in range(0, len(X), LANES):
        rows = min(LANES, len(X) - start)
        _measure(X[start : start + rows], points, sums)
        for c in range(len(points)):
            for r in range(rows):
                out[c, start + r] = sums[c, r]


@njit(nogil=True, cache=True)
def _two_nearest(X: Array, points: Array, nearest: Array, second: Array, squares: Array) -> None:
    sums = np.empty((len(points), _n_lanes(len(X))))
    least, following = np.empty(LANES), np.empty(LANES)
    for start in range(0, len(X), LANES):
        rows = min(LANES, len(X) - start)
        _measure(X[start : start + rows], points, sums)
        for r in range(rows):
            least[r], following[r] = np.inf, np.inf
        for c in range(len(points)):
            for r in range(rows):
                if sums[c, r] < least[r]:
                    following[r], second[start + r] = least[r], nearest[start + r]
                    least[r], nearest[start + r] = sums[c, r], c
                elif sums[c, r] < following[r]:
                    following[r], second[start + r] = sums[c, r], c
        for r in range(rows):
            squares[start + r] = least[r]


@njit(nogil=True, cache=True)
def _n_lanes(n_rows: int) -> int:
    """Return how many lanes are measured at once: few for a few rows, by eights as in registers."""
    return min((n_rows + 7) // 8 * 8, LANES)


@njit(nogil=True, cache=True)
def _measure(X: Array, points: Array, sums: Array) -> None:
    """Set ``sums`` to the squared distances of the points (rows) from a tile of rows (lanes)."""
    p = X.shape[1]
    origin, tile = np.zeros(p), np.zeros((FEATURES, LANES))
    clear(sums)
    for first in range(0, p, FEATURES):
        last = min(first + FEATURES, p)
        fill(tile, X[:, first:last], origin[first:last])
        _add_squares(points, first, last, tile, sums)


@njit(nogil=True, cache=True)
def _add_squares(points: Array, first: int, last: int, tile: Array, sums: Array) -> None:
    """Add the squared differences of some features; two at a time, for fewer loads of the sums."""
    whole = first + (last - first) // 2 * 2
    for c in range(len(points)):
        for f in range(first, whole, 2):
            a, b, i = points[c, f], points[c, f + 1], f - first
            for r in range(sums.shape[1]):
                u, v = tile[i, r] - a, tile[i + 1, r] - b
                sums[c, r] = (sums[c, r] + u * u) + v * v
        for f in range(whole, last):
            a, i = points[c, f], f - first
            for r in range(sums.shape[1]):
                u = tile[i, r] - a
                sums[c, r] += u * u
