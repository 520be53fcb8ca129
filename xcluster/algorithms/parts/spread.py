"""The variance of each feature as its bulk has it, whatever a single row holds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.inputs import weight_or_ones

Array = NDArray[Any]

NORMAL_RANGE = 1.349
"""The interquartile range of a normal distribution, in its standard deviations."""
FEWEST = 3
"""Rows that must differ from the median to tell a variance: one or two may be outliers."""
ROUNDING = 2.0**-50
"""Share of the widest deviation below which the values of a feature are rounding alone."""
NEARLY = 1 - 2.0**-32
"""Share of a weight that its rows add up to, whatever the rounding of their sum."""


def robust_variances(X: Array, sample_weight: Array | None = None) -> Array:
    """Return the variance of each feature, of shape (n_features,), float64; gaps do not count.

    It is the squared interquartile range divided by 1.349. If this is 0, it is the share of rows
    that differ from the median, times the squared median of how much they do. Features that do
    not vary get the mean variance of the others, or 1 if there are none.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    sample_weight : array of shape (n_samples,), optional
        A weight of 2 counts a row twice.
    """
    weight = weight_or_ones(sample_weight, len(X))
    columns = [(column.astype(np.float64), ~np.isnan(column)) for column in X.T]
    variances = np.array([_of_column(column[known], weight[known]) for column, known in columns])
    varies = variances > ROUNDING**2 * variances.max()
    variances[~varies] = variances[varies].mean() if varies.any() else 1.0
    return variances


def _of_column(values: Array, weight: Array) -> float:
    low, middle, high = quantiles(values, weight, (0.25, 0.5, 0.75))
    if high > low:
        return float(((high - low) / NORMAL_RANGE) ** 2)
    away = np.abs(values - middle)
    differs = (away > 0) & (weight > 0)
    if np.count_nonzero(differs) < FEWEST:
        return 0.0
    share = weight[differs].sum() / weight.sum()
    return float(share * quantiles(away[differs], weight[differs], (0.5,))[0] ** 2)


def quantiles(values: Array, weight: Array, shares: tuple[float, ...]) -> Array:
    """Return the least values at or below which these shares of the weight lie."""
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    places = np.searchsorted(below, np.multiply(shares, NEARLY * below[-1]))
    found: Array = values[order[places]]
    return found
