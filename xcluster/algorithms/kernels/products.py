"""Compiled matrix products that give a row the same result alone and anywhere in any block.

Products of BLAS do not: at the edge of a block they take other loops, which add in another order.
Here rows are the vector lanes, and each sum runs over the features in their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xcluster.base.arrays import read_only

Array = NDArray[Any]

LANES, FEATURES = 64, 64  # a tile of 32 KiB stays in the first-level cache
TILE_VALUES = 16_384  # of rows with all their features; 128 KiB stay in the second-level cache


def lanes_product(coefficients: Array, lanes: Array) -> Array:
    """Return ``coefficients @ lanes``, where each row lies along a lane.

    Parameters
    ----------
    coefficients : array of shape (k, p), float64
    lanes : array of shape (p, n), float64
        Rows as columns.

    Returns
    -------
    array of shape (k, n)
    """
    out = np.empty((len(coefficients), lanes.shape[1]))
    _lanes_product(np.ascontiguousarray(lanes), np.ascontiguousarray(coefficients), out)
    return out


def rows_product(X: Array, origin: Array, coefficients: Array, dtype: Any = None) -> Array:
    """Return ``(X - origin) @ coefficients.T``, computed in double precision.

    Parameters
    ----------
    X : array of shape (n, p), float32 or float64
    origin : array of shape (p,), float64
    coefficients : array of shape (k, p), float64
    dtype : optional
        Of the result; that of ``X`` if it is not given.

    Returns
    -------
    array of shape (n, k)
    """
    out = np.empty((len(X), len(coefficients)), dtype or X.dtype)
    given = read_only(X), np.asarray(origin, np.float64), np.ascontiguousarray(coefficients)
    _rows_product(*given, out)
    return out


def squared_lengths(lanes: Array, offsets: Array, factors: Array) -> Array:
    """Return the squared length of each row less an offset, times a triangular factor.

    Parameters
    ----------
    lanes : array of shape (p, n), float64
        Rows as columns.
    offsets : array of shape (k, p), float64
    factors : array of shape (k, p, p), float64
        Lower triangular: what lies above the diagonal is not read.

    Returns
    -------
    array of shape (k, n)
    """
    out = np.empty((len(offsets), lanes.shape[1]))
    given = np.ascontiguousarray(lanes), np.ascontiguousarray(offsets)
    _squared_lengths(*given, np.ascontiguousarray(factors), out)
    return out


@njit(nogil=True, cache=True)
def _lanes_product(lanes: Array, coefficients: Array, out: Array) -> None:
    p, n = lanes.shape
    tile, sums = np.zeros((FEATURES, LANES)), np.empty((len(coefficients), LANES))
    for start in range(0, n, LANES):
        stop = min(start + LANES, n)
        clear(sums)
        for first in range(0, p, FEATURES):
            last = min(first + FEATURES, p)
            for f in range(first, last):
                for r in range(stop - start):
                    tile[f - first, r] = lanes[f, start + r]
            _add_products(coefficients, first, last, tile, sums)
        for c in range(len(out)):
            for r in range(stop - start):
                out[c, start + r] = sums[c, r]


@njit(nogil=True, cache=True)
def _squared_lengths(lanes: Array, offsets: Array, factors: Array, out: Array) -> None:
    p, n = lanes.shape
    most = min(max(TILE_VALUES // p, 8), LANES)
    width = min(most // 8, (n + 7) // 8) * 8
    tile, scaled, total = np.zeros((p, width)), np.empty((1, width)), np.empty(width)
    for start in range(0, n, width):
        rows = min(width, n - start)
        for c in range(len(offsets)):
            for f in range(p):
                for r in range(rows):
                    tile[f, r] = lanes[f, start + r] - offsets[c, f]
            for r in range(width):
                total[r] = 0
            for f in range(p):
                clear(scaled)
                _add_products(factors[c, f : f + 1], 0, f + 1, tile, scaled)
                for r in range(width):
                    total[r] += scaled[0, r] * scaled[0, r]
            for r in range(rows):
                out[c, start + r] = total[r]


@njit(nogil=True, cache=True)
def _rows_product(X: Array, origin: Array, coefficients: Array, out: Array) -> None:
    n, p = X.shape
    tile, sums = np.zeros((FEATURES, LANES)), np.empty((len(coefficients), LANES))
    for start in range(0, n, LANES):
        rows = min(LANES, n - start)
        clear(sums)
        for first in range(0, p, FEATURES):
            last = min(first + FEATURES, p)
            fill(tile, X[start : start + rows, first:last], origin[first:last])
            _add_products(coefficients, first, last, tile, sums)
        for r in range(rows):
            for c in range(len(coefficients)):
                out[start + r, c] = sums[c, r]


@njit(nogil=True, cache=True)
def clear(sums: Array) -> None:
    """Set all sums to zero."""
    for c in range(sums.shape[0]):
        for r in range(sums.shape[1]):
            sums[c, r] = 0


@njit(nogil=True, cache=True)
def fill(tile: Array, X: Array, origin: Array) -> None:
    """Set the lanes of a tile to rows less the origin."""
    for r in range(X.shape[0]):
        for f in range(X.shape[1]):
            tile[f, r] = np.float64(X[r, f]) - origin[f]


@njit(nogil=True, cache=True)
def _add_products(coefficients: Array, first: int, last: int, tile: Array, sums: Array) -> None:
    """Add the products of some features, in their order, to the sums of all lanes of a tile.

    Four features are added at a time, so that a sum is loaded and stored once for the four.
    """
    whole = first + (last - first) // 4 * 4
    for c in range(len(coefficients)):
        for f in range(first, whole, 4):
            a, b = coefficients[c, f], coefficients[c, f + 1]
            d, e = coefficients[c, f + 2], coefficients[c, f + 3]
            i = f - first
            for r in range(sums.shape[1]):
                total = (sums[c, r] + a * tile[i, r]) + b * tile[i + 1, r]
                sums[c, r] = (total + d * tile[i + 2, r]) + e * tile[i + 3, r]
        for f in range(whole, last):
            a, i = coefficients[c, f], f - first
            for r in range(sums.shape[1]):
                sums[c, r] += a * tile[i, r]
