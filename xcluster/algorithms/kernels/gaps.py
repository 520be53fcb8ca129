"""Compiled loops over rows that lack features, which are NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from xcluster.base.arrays import Array, read_only


def split(X: Array, values: Array) -> tuple[Array, Array]:
    """Return rows with one value per feature in their gaps, and 1 where the gaps are, 0 elsewhere.

    Without a branch for each value this takes a tenth of the time of `numpy.where`.

    Parameters
    ----------
    X : array of shape (n_rows, n_features), float32 or float64
    values : array of shape (n_features,)

    Returns
    -------
    two arrays of the shape and type of ``X``
    """
    whole, lacking = np.empty_like(X), np.empty_like(X)
    _split(read_only(X), values.astype(X.dtype), whole, lacking)
    return whole, lacking


@njit(nogil=True, cache=True)
def _split(X: Array, values: Array, whole: Array, lacking: Array) -> None:
    for r in range(X.shape[0]):
        for f in range(X.shape[1]):
            value: Any = X[r, f]
            known = value == value
            whole[r, f] = value if known else values[f]
            lacking[r, f] = 0 if known else 1


def known_squares(X: Array, points: Array) -> Array:
    """Return the sum of squared differences over the features that each row has.

    Parameters
    ----------
    X : array of shape (n_rows, n_features), float32 or float64
    points : array of shape (n_points, n_features)

    Returns
    -------
    float64 array of shape (n_points, n_rows)
    """
    squares = np.empty((len(points), len(X)))
    _known_squares(read_only(X), np.ascontiguousarray(points, np.float64), squares)
    return squares


@njit(nogil=True, cache=True)
def _known_squares(X: Array, points: Array, squares: Array) -> None:
    for r in range(X.shape[0]):
        for c in range(points.shape[0]):
            total = 0.0
            for f in range(X.shape[1]):
                difference = np.float64(X[r, f]) - points[c, f]
                square = difference * difference
                total += square if square > 0.0 else 0.0  # a gap (NaN) is not above 0
            squares[c, r] = total
