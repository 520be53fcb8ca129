"""The coordinates in which float32 is accurate enough for distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LOOKED_AT = 4_096
"""Rows from which a frame is taken, or a little more."""


@dataclass(frozen=True, eq=False)
class Frame:
    """An origin near the mean of the rows and a unit near their spread.

    A large offset would leave float32 no digits for what tells rows apart, and squares of very
    large or small numbers would overflow or vanish.

    Parameters
    ----------
    origin : array of shape (n_features,), float64
    unit : float
        A power of two, so that dividing by it rounds nothing.
    """

    origin: Array
    unit: float

    @classmethod
    def of(cls, X: Array, sample_weight: Array | None = None) -> Frame:
        """Return the frame of the rows, from some thousand of them at even steps."""
        rows = np.arange(len(X)) if sample_weight is None else np.flatnonzero(sample_weight)
        some = X[rows[:: max(len(rows) // LOOKED_AT, 1)]].astype(np.float64)
        origin = some.mean(axis=0)
        largest = float(np.abs(some - origin).max())
        return cls(origin, float(2.0 ** np.frexp(largest)[1]) if largest > 0 else 1.0)

    def place(self, points: Array) -> Array:
        """Return the points in this frame, as float32."""
        placed: Array = ((points - self.origin) / self.unit).astype(np.float32)
        return placed
