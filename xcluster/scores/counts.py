"""Counts of pairs: how often each of some numbers meets each of others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def pair_counts(
    first: Array, second: Array, shape: tuple[int, int], weight: Array | None = None
) -> Array:
    """Return how often, or with how much weight, each pair of numbers occurs.

    Parameters
    ----------
    first, second : integer arrays of shape (n_samples,)
        From 0 to less than the sides of ``shape``.
    shape : tuple of two ints
        Of the table: one row for each number in ``first``, one column for each in ``second``.
    weight : array of shape (n_samples,), optional
        Of each pair; 1 by default.

    Returns
    -------
    array of ``shape``
        Integers, or float64 where there are weights.

    Examples
    --------
    >>> import numpy as np
    >>> from xcluster.scores.counts import pair_counts
    >>> pair_counts(np.array([0, 0, 1]), np.array([1, 1, 0]), (2, 3))
    array([[0, 2, 0],
           [1, 0, 0]])
    """
    n_rows, n_columns = shape
    flat = np.bincount(first * n_columns + second, weight, n_rows * n_columns)
    return flat.reshape(shape)
