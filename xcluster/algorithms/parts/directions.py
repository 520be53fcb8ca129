"""Rows as directions: what cosine and correlation compare, whatever the length of a row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.distances import distances
from xcluster.base.checks import is_one_of

Array = NDArray[Any]

METRICS = ("cosine", "correlation")
"""Metrics of directions; for "correlation" the mean of its features is subtracted from each row."""
SHAPES = "sbd"
"""The metric of shapes: as "correlation", of each channel, at any shift."""


def compares_directions(metric: Any) -> bool:
    """Whether a metric does not see how long rows are."""
    return is_one_of(metric, METRICS)


def directions(X: Array, metric: str) -> Array:
    """Return rows of length 1; NaN where a row has no direction under the metric.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), float32 or float64
    metric : {"cosine", "correlation"}

    Returns
    -------
    array of shape (n_samples, n_features), of the type of ``X``

    Examples
    --------
    >>> import numpy as np
    >>> directions(np.array([[3.0, 4.0], [0.0, 0.0]]), "cosine")
    array([[0.6, 0.8],
           [nan, nan]])
    """
    from xcluster.algorithms.kernels import directions as kernel

    return kernel.directions(X, metric == "correlation")


def undefined(X: Array, metric: str, n_channels: int = 1) -> Array:
    """Return which rows have no direction, shape (n,).

    These are zeros for "cosine", constants for "correlation", and for "sbd" rows all of whose
    channels are constant.
    """
    from xcluster.algorithms.kernels import directions as kernel

    series = X.reshape(len(X) * n_channels, -1)
    each = kernel.undefined(series, metric != "cosine")
    return np.asarray(each.reshape(len(X), n_channels).all(axis=1))


def away(Z: Array, points: Array, metric: str) -> Array:
    """Return the distance of each direction to each point, shape (n_samples, n_points).

    Parameters
    ----------
    Z : array of shape (n_samples, n_features)
        Of length 1, as the points are.
    points : array of shape (n_points, n_features)
    metric : {"cosine", "correlation"}

    Returns
    -------
    array of shape (n_samples, n_points), of the type of ``Z``
        Angles in radians for "cosine"; 1 - r for "correlation". They follow from differences, so
        that small ones keep their digits.
    """
    half = np.minimum(distances(Z, points) / 2, 1)
    return np.asarray(2 * (np.arcsin(half) if metric == "cosine" else half**2))
