"""An origin and a unit in which the numbers of a fit are neither large nor small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LOOKED_AT = 4_096
"""Rows from which a frame is taken, or a little more."""


def power_of_two(values: Any) -> Any:
    """Return the least power of two above each value, 1 for zero.

    Dividing by it rounds nothing. It doubles with the values, so that the quotients do not depend
    on the unit of the data where that is changed by powers of two.
    """
    return np.ldexp(1.0, np.frexp(values)[1])


def rounded_as(X: Array, point: Array) -> Array:
    """Return a point, in double precision, that rows can have; less it rows are placed fast."""
    return point.astype(np.result_type(X, np.float32)).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Frame:
    """An origin among the rows and a unit near their spread.

    A large offset would leave float32 no digits for what tells rows apart, and squares of very
    large or small numbers would overflow or vanish.

    Parameters
    ----------
    origin : array of shape (n_features,), float64
        The median, rounded as the rows are: a mean would follow a single row that lies far out.
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
        origin = rounded_as(X, np.median(some, axis=0))
        return cls(origin, float(power_of_two(np.abs(some - origin).max())))

    def place(self, points: Array) -> Array:
        """Return the points in this frame, as float32."""
        placed: Array = ((points - self.origin) / self.unit).astype(np.float32)
        return placed
