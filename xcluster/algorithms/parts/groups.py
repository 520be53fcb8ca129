"""Means of rows by group."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def group_means(X: Array, groups: Array, weights: Array) -> Array:
    """Return the weighted mean of each group's rows; groups are numbered from 0."""
    totals = np.bincount(groups, weights)
    sums = [np.bincount(groups, weights * column) for column in X.T]
    return np.column_stack(sums) / totals[:, None]
