"""Rows of counts: which values are counts, and which rows hold any."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.moments import pieces
from xcluster.base.errors import BadValueError, NotCountsError
from xcluster.base.parallel import map_threads

Array = NDArray[Any]


def strangest(X: Array) -> Array:
    """Return how far each feature is from counts, shape (2, n_features).

    The first row has the largest negative value without its sign, the second the largest fraction;
    both are 0 for counts.
    """
    found = np.zeros((2, X.shape[1]))
    for piece in pieces(X):
        part = X[piece]
        np.maximum(found[0], -part.min(axis=0, initial=0), out=found[0])
        np.maximum(found[1], (part - np.floor(part)).max(axis=0, initial=0), out=found[1])
    return found


def check_counts(parameter: str, found: Array) -> None:
    """Refuse rows of which `strangest` has found values that are no counts."""
    for distance, kind in zip(found, ("negative", "fractional"), strict=True):
        if distance.any():
            column = int(distance.argmax())
            raise NotCountsError.of(parameter, kind, column, f"feature {column} (from 0)")


def check_rows(parameter: str, X: Array) -> None:
    """Refuse rows in memory that hold other values than counts, or no counts at all."""
    rows = [X[piece] for piece in pieces(X)]
    check_counts(parameter, np.max(map_threads(strangest, rows), axis=0))
    if not X.any():
        rule = "needs counts, but the data are zero everywhere"
        raise BadValueError(parameter, "poisson", rule, f"leave {parameter} out")


def without_counts(X: Array) -> Array:
    """Return which rows hold no counts, or a negative value, shape (n,): these are no data."""
    return np.asarray(~(X > 0).any(axis=1) | (X < 0).any(axis=1))
