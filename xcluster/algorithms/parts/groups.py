"""Means of rows by group."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.gaps import has_gaps

Array = NDArray[Any]


def group_means(X: Array, groups: Array, weights: Array) -> Array:
    """Return the weighted mean of each group's rows; groups are numbered from 0.

    Gaps do not count: the mean is NaN where no row of a group has a value.
    """
    if has_gaps(X):
        return np.column_stack([_known_means(column, groups, weights) for column in X.T])
    totals = np.bincount(groups, weights)
    sums = [np.bincount(groups, weights * column) for column in X.T]
    return np.column_stack(sums) / totals[:, None]


def _known_means(column: Array, groups: Array, weights: Array) -> Array:
    known, n_groups = ~np.isnan(column), int(groups.max(initial=-1)) + 1
    weights, groups = weights[known], groups[known]
    totals = np.bincount(groups, weights, n_groups)
    sums = np.bincount(groups, weights * column[known], n_groups)
    means: Array = np.divide(sums, totals, out=np.full(n_groups, np.nan), where=totals > 0)
    return means
