"""Distances that neither an offset of the data nor a point far out costs their digits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

CANCELS = 1e-4
"""Share of the terms of |x|^2 - 2 x c + |c|^2 below which their sum is measured by differences."""


def middle(points: Array) -> Array:
    """Return an origin among points, in float64, that no single one of them moves far."""
    origin: Array = np.sort(points, axis=0)[(len(points) - 1) // 2].astype(np.float64)
    return origin


def squared_distances(X: Array, points: Array) -> Array:
    """Return squared distances in float64, of shape (n_points, n_rows)."""
    from xcluster.algorithms.kernels.products import lanes_product

    origin = middle(points)
    rows, offsets = X - origin, points - origin
    squares = lanes_product(-2 * offsets, rows.T)
    terms = np.einsum("ij,ij->i", rows, rows) + np.einsum("ij,ij->i", offsets, offsets)[:, None]
    squares += terms
    terms *= CANCELS
    point, row = np.nonzero(squares < terms)
    residuals = X[row].astype(np.float64) - points[point]
    squares[point, row] = np.einsum("ij,ij->i", residuals, residuals)
    return squares


def distances(X: Array, points: Array) -> Array:
    """Return the distance of each row to each point, of shape (n_rows, n_points)."""
    return np.sqrt(squared_distances(X, points)).T.astype(X.dtype)
