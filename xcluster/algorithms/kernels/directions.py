"""Compiled directions of rows: each row divided by its length, by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xcluster.base.arrays import read_only

Array = NDArray[Any]

SQUARES = 1e-280, 1e280
"""Between these no square that matters is lost, nor their sum infinite."""


def directions(X: Array, centred: bool) -> Array:
    """Return each row, less its mean if ``centred``, divided by its length.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), float32 or float64
    centred : bool

    Returns
    -------
    array of shape (n_samples, n_features), of the type of ``X``
        NaN for rows without a length.
    """
    out = np.empty(X.shape, X.dtype)
    _divide(read_only(X), centred, _rounding(X), out)
    return out


def undefined(X: Array, centred: bool) -> Array:
    """Return which rows have no length, a bool array of shape (n_samples,)."""
    out = np.zeros(len(X), np.bool_)
    _mark(read_only(X), centred, _rounding(X), out)
    return out


def _rounding(X: Array) -> float:
    """Return the share of its mean that is the length of a row which varies in rounding alone."""
    return float(4 * np.finfo(X.dtype).eps * np.sqrt(X.shape[1]))


@njit(nogil=True, cache=True, error_model="numpy")
def _divide(X: Array, centred: bool, rounding: float, out: Array) -> None:
    for r in range(X.shape[0]):
        mean = _mean(X, r) if centred else 0.0
        square = _square(X, r, mean, 1.0)
        if SQUARES[0] < square < SQUARES[1]:
            length = np.sqrt(square)
            factor = 1 / length if length > rounding * abs(mean) else np.nan
            for f in range(X.shape[1]):
                out[r, f] = (X[r, f] - mean) * factor
        else:
            largest = _largest(X, r, mean)
            length = np.sqrt(_square(X, r, mean, largest))
            length = length if length > rounding * abs(mean) / largest else np.nan
            for f in range(X.shape[1]):
                out[r, f] = (X[r, f] - mean) / largest / length


@njit(nogil=True, cache=True, error_model="numpy")
def _mark(X: Array, centred: bool, rounding: float, out: Array) -> None:
    row = np.empty((1, X.shape[1]))
    for r in range(X.shape[0]):
        if centred or X[r, 0] == 0:
            _divide(X[r : r + 1], centred, rounding, row)
            out[r] = np.isnan(row[0, 0])


@njit(nogil=True, cache=True, error_model="numpy")
def _mean(X: Array, r: int) -> float:
    total = 0.0
    for f in range(X.shape[1]):
        total += X[r, f] - np.float64(X[r, 0])
    return float(X[r, 0] + total / X.shape[1])


@njit(nogil=True, cache=True, error_model="numpy")
def _square(X: Array, r: int, mean: float, unit: float) -> float:
    total = 0.0
    for f in range(X.shape[1]):
        difference = (X[r, f] - mean) / unit
        total += difference * difference
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _largest(X: Array, r: int, mean: float) -> float:
    largest = 0.0
    for f in range(X.shape[1]):
        largest = max(largest, abs(X[r, f] - mean))
    return largest
