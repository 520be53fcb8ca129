"""Compiled least squares with coefficients of at least 0, each row until it alone is done."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xcluster.algorithms.kernels.products import rows_product

Array = NDArray[Any]


def nonnegative_coefficients(X: Array, parts: Array, tol: float, max_iter: int) -> Array:
    """Return the coefficients of at least 0 with which the parts add up to each row best.

    One coefficient after the other is set to its best value. A row is done when its projected
    gradient is at most ``tol`` times that of no coefficients.

    Parameters
    ----------
    X : array of shape (n, p), float32 or float64
    parts : array of shape (k, p), float64
    tol : float
    max_iter : int

    Returns
    -------
    array of shape (n, k), in the dtype of ``X``
    """
    products = rows_product(X, np.zeros(X.shape[1]), parts, np.float64)
    gram = np.einsum("ip,jp->ij", parts, parts)
    return np.asarray(_descend(products, gram, tol, max_iter), X.dtype)


@njit(nogil=True, cache=True)
def _descend(products: Array, gram: Array, tol: float, max_iter: int) -> Array:
    n, k = products.shape
    W = np.zeros((n, k))
    for r in range(n):
        w, limit = W[r], 0.0
        for c in range(k):
            limit += tol * max(products[r, c], 0.0)
        for _ in range(max_iter):
            left = 0.0
            for c in range(k):
                gradient = -products[r, c]
                for j in range(k):
                    gradient += gram[c, j] * w[j]
                left += abs(min(gradient, 0.0) if w[c] == 0 else gradient)
                if gram[c, c] > 0:
                    w[c] = max(w[c] - gradient / gram[c, c], 0.0)
            if left <= limit:
                break
    return W
