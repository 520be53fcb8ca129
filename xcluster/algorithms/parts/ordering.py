"""An order of rows that comes from the data alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.base.parallel import map_rows

Array = NDArray[Any]

N_ITERATIONS = 12
N_ITERATIONS_WIDE = 3  # each of which is two passes over the rows
NARROW = 256
BLOCK_VALUES = 500_000
FIRST_ROWS = 1000


def data_order(X: Array, key: Array) -> Array:
    """Return the order of rows along their first principal axis, once each column is scaled.

    Random draws (starts of k-means, say) are made from rows in this order, so that they pick the
    same rows however the user's array was arranged. A few power iterations from a fixed start
    are enough: the direction has to be the same each time, not exact. It is rounded to single
    precision, so that it does not depend on the order in which rows were summed either.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    key : array of shape (n_samples,), unsigned integers below 2**32
        Orders rows that lie at the same place on the axis.

    Returns
    -------
    array of shape (n_samples,), a permutation.

    Examples
    --------
    >>> import numpy as np
    >>> data_order(np.array([[3.0], [1.0], [2.0]]), np.arange(3))
    array([1, 2, 0])
    """
    place = _sortable(_along_axis(X))
    place <<= np.uint64(32)
    place |= key.astype(np.uint64)
    return np.argsort(place)


def _along_axis(X: Array) -> Array:
    """Return the place of each row on the axis, in single precision."""
    pivot = X[:FIRST_ROWS].mean(axis=0, dtype=np.float64).astype(X.dtype)
    axis = _direction(X, pivot).astype(np.float32).astype(X.dtype)
    # einsum sums each row by itself; a matrix product may not, and ties would depend on position.
    places = _each_block(X, lambda block: np.einsum("ij,j->i", block - pivot, axis))
    return np.concatenate(places, dtype=np.float32, casting="same_kind")


def _direction(X: Array, pivot: Array) -> Array:
    """Return the loads of the first principal axis of the scaled columns."""
    rows, squares = (sum(parts) for parts in zip(*_each_block(X, _sums_about(pivot)), strict=True))
    shift = rows / len(X)
    is_gram = squares.ndim == 2
    squares = squares - len(X) * (np.outer(shift, shift) if is_gram else shift**2)
    deviation = np.sqrt(np.maximum(squares.diagonal() if is_gram else squares, 0) / len(X))
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    # Unequal loads, so that the start is not orthogonal to contrasts between columns.
    axis = 1 + np.arange(X.shape[1]) / X.shape[1]
    mean = (pivot + shift).astype(X.dtype)
    for _ in range(N_ITERATIONS if is_gram else N_ITERATIONS_WIDE):
        product = squares @ (axis * scale) if is_gram else _product(X, mean, axis * scale)
        length = np.linalg.norm(product * scale)
        if length == 0:
            break
        axis = product * scale / length
    return np.asarray(axis * scale)


def _sums_about(pivot: Array) -> Callable[[Array], tuple[Array, Array]]:
    """Return what sums rows and squares of a block: all products where columns are few."""

    def of_block(block: Array) -> tuple[Array, Array]:
        centred = (block - pivot).astype(np.float64)
        if len(pivot) > NARROW:
            return centred.sum(axis=0), np.einsum("ij,ij->j", centred, centred)
        return centred.sum(axis=0), centred.T @ centred

    return of_block


def _product(X: Array, mean: Array, loads: Array) -> Array:
    """Return the product of the matrix of squares and the loads, without that matrix."""
    loads = loads.astype(X.dtype)

    def of_block(block: Array) -> Array:
        centred = block - mean
        return np.asarray(((centred @ loads) @ centred).astype(np.float64))

    return np.asarray(sum(_each_block(X, of_block)))


def _each_block(X: Array, function: Callable[[Array], Any]) -> list[Any]:
    step = max(BLOCK_VALUES // X.shape[1], 1)
    return map_rows(function, X, step)


def _sortable(values: Array) -> Array:
    """Return unsigned integers in the order of single precision numbers."""
    bits = (values + np.float32(0)).view(np.uint32)  # + 0 so that -0.0 ties with 0.0
    negative = bits >> np.uint32(31) != 0
    return np.where(negative, ~bits, bits | np.uint32(1 << 31)).astype(np.uint64)
