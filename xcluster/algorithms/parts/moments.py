"""What keeps sums of powers accurate, and their copies in double precision small."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.base.parallel import row_blocks

Array = NDArray[Any]

FIRST_ROWS = 1_024
PIECE = 2**19
"""Values worked on at a time."""


def near_mean(X: Array) -> Array:
    """Return the mean of the first rows, about which powers are summed, in float64."""
    mean: Array = X[:FIRST_ROWS].mean(axis=0, dtype=np.float64)
    return mean


def pieces(X: Array) -> list[slice]:
    """Return the slices that cut rows into pieces of few values."""
    return row_blocks(len(X), max(PIECE // X.shape[1], 1))
