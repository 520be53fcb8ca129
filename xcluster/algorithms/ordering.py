"""An order of rows that comes from the data alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

N_ITERATIONS = 12
NARROW = 256


def data_order(X: Array) -> Array:
    """Return the order of rows along their first principal axis, once each column is scaled.

    Random draws (starts of k-means, say) are made from rows in this order, so that they pick the
    same rows however the user's array was arranged. A few power iterations from a fixed start
    are enough: the direction has to be the same each time, not exact.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)

    Returns
    -------
    array of shape (n_samples,), a permutation.
    """
    return np.argsort(X @ _direction(X).astype(X.dtype), kind="stable")


def _direction(X: Array) -> Array:
    mean = X.mean(axis=0, dtype=np.float64)
    deviation = X.std(axis=0, dtype=np.float64)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    # Unequal loads, so that the start is not orthogonal to contrasts between columns.
    axis = 1 + np.arange(X.shape[1]) / X.shape[1]
    gram = _gram(X, mean) if X.shape[1] <= NARROW else None
    for _ in range(N_ITERATIONS):
        loads = axis * scale
        product = gram @ loads if gram is not None else _gram_product(X, mean, loads)
        axis = product * scale
        norm = np.linalg.norm(axis)
        if norm == 0:
            break
        axis = axis / norm
    return np.asarray(axis * scale)


def _gram(X: Array, mean: Array) -> Array:
    centred = mean.astype(X.dtype)
    total = np.zeros((X.shape[1],) * 2)
    for start in range(0, len(X), 65_536):
        block = (X[start : start + 65_536] - centred).astype(np.float64)
        total += block.T @ block
    return total


def _gram_product(X: Array, mean: Array, loads: Array) -> Array:
    loads, centre = loads.astype(X.dtype), mean.astype(X.dtype)
    scores = X @ loads - centre @ loads
    return np.asarray((scores @ X - scores.sum() * centre).astype(np.float64))
