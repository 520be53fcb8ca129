"""Distances to points, and an origin among points that one far out does not move."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.gaps import has_gaps, partial_squares

Array = NDArray[Any]


def middle(points: Array) -> Array:
    """Return an origin among points, in float64, that no single one of them moves far."""
    half = (len(points) - 1) // 2
    origin: Array = np.partition(points, half, axis=0)[half].astype(np.float64)
    return origin


def distances(X: Array, points: Array) -> Array:
    """Return the distance of each row to each point, of shape (n_rows, n_points).

    Those of rows with gaps are partial distances: see `partial_squares`.
    """
    from xcluster.algorithms.kernels.distances import squared_distances

    squared = partial_squares if has_gaps(X) else squared_distances
    return np.sqrt(squared(X, points)).T.astype(X.dtype)
