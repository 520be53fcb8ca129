"""An order of rows that comes from the data alone, and is the same to the last bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.base.parallel import map_threads, row_blocks

Array = NDArray[Any]

N_ITERATIONS = 12
N_ITERATIONS_WIDE = 3  # each of which is two passes over the rows
NARROW = 256
BLOCK_VALUES = 500_000
FIRST_ROWS = 1000
HALF, LOWER = np.uint64(32), np.uint64(0xFFFFFFFF)
"""How to take the upper and the lower half of 64 bits."""


def value_order(columns: Iterable[Array]) -> Array:
    """Return the order of rows by value: by the first column, where it ties by the next, and so on.

    Nothing is computed from the values, so that no arrangement of the rows can change their
    order by rounding: only rows that are equal in every column may change places.

    Parameters
    ----------
    columns : arrays of shape (n_samples,)
        Floats without NaN, of which -0.0 is equal to 0.0, or integers of at least 0. There are
        fewer than 2**32 rows.

    Returns
    -------
    array of shape (n_samples,), a permutation.

    Examples
    --------
    >>> import numpy as np
    >>> value_order([np.array([1, 0, 1]), np.array([0.5, 2.5, -0.5])])
    array([1, 2, 0])
    """
    words = [(column, word) for column in columns for word in _words(column.dtype)]
    column, word = words[0]
    first = word(column)
    order = _argsort(first)
    tied, group = _ties(first[order])
    for column, word in words[1:]:
        if not len(tied):
            break
        # Rows of one group tie so far. The group is the upper half of what is compared.
        compared = group.astype(np.uint64) << HALF | word(column[order[tied]])
        sorting = np.argsort(compared)
        order[tied] = order[tied[sorting]]
        still, group = _ties(compared[sorting])
        tied = tied[still]
    return order


def _argsort(words: Array) -> Array:
    """Return the order of words of 32 bits; equal ones stay in their order.

    To sort them together with their positions is several times faster than to sort positions.
    """
    packed = words.astype(np.uint64) << HALF
    packed |= np.arange(len(words), dtype=np.uint64)
    packed.sort()
    packed &= LOWER
    return packed.view(np.int64)


def _ties(ordered: Array) -> tuple[Array, Array]:
    """Return the positions of values that occur more than once, and a rising number for each."""
    first = np.append(True, ordered[1:] != ordered[:-1])
    shared = np.flatnonzero(~(first & np.append(first[1:], True)))
    return shared, np.cumsum(first, dtype=np.uint32)[shared]


def _words(dtype: np.dtype[Any]) -> Iterator[Callable[[Array], Array]]:
    """Yield functions that return numbers as words of 32 bits, which are compared one by one."""
    if dtype.itemsize <= 4:
        yield _sortable
    else:
        yield lambda values: (_sortable(values) >> HALF).astype(np.uint32)
        yield lambda values: _sortable(values).astype(np.uint32)  # the lower half


def data_order(X: Array, order: Array) -> Array:
    """Return the order of rows along their first principal axis, once each column is scaled.

    Random draws (starts of k-means, say) are made from rows in this order, so that they pick the
    same rows however the user's array was arranged. A few power iterations from a fixed start
    are enough: the direction has to be the same each time, not exact.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    order : array of shape (n_samples,)
        The order of the rows by value. In this order sums are made, and rows that lie at the same
        place on the axis are taken, so that both are the same for any arrangement of the rows.

    Returns
    -------
    array of shape (n_samples,), a permutation.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[3.0], [1.0], [2.0]])
    >>> data_order(X, value_order(X.T))
    array([1, 2, 0])
    """
    return np.asarray(order[_argsort(_sortable(_along_axis(X, order)[order]))])


def _along_axis(X: Array, order: Array) -> Array:
    """Return the place of each row on the axis, in single precision."""
    pivot = X[order[:FIRST_ROWS]].mean(axis=0, dtype=np.float64).astype(X.dtype)
    largest = np.finfo(X.dtype).max  # columns of denormal numbers would have infinite loads
    axis = np.clip(_direction(X, order, pivot), -largest, largest).astype(X.dtype)
    # einsum sums each row by itself; a matrix product may not, and ties would depend on position.
    places = map_threads(lambda block: np.einsum("ij,j->i", X[block] - pivot, axis), _blocks(X))
    return np.concatenate(places, dtype=np.float32, casting="same_kind")


def _direction(X: Array, order: Array, pivot: Array) -> Array:
    """Return the loads of the first principal axis of the scaled columns."""
    parts = _each_block(X, order, _sums_about(pivot))
    rows, squares = (sum(part) for part in zip(*parts, strict=True))
    shift = rows / len(X)
    is_gram = squares.ndim == 2
    squares = squares - len(X) * (np.outer(shift, shift) if is_gram else shift**2)
    deviation = np.sqrt(np.maximum(squares.diagonal() if is_gram else squares, 0) / len(X))
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    # Unequal loads, so that the start is not orthogonal to contrasts between columns.
    axis = 1 + np.arange(X.shape[1]) / X.shape[1]
    mean = (pivot + shift).astype(X.dtype)
    for _ in range(N_ITERATIONS if is_gram else N_ITERATIONS_WIDE):
        product = squares @ (axis * scale) if is_gram else _product(X, order, mean, axis * scale)
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


def _product(X: Array, order: Array, mean: Array, loads: Array) -> Array:
    """Return the product of the matrix of squares and the loads, without that matrix."""
    loads = loads.astype(X.dtype)

    def of_block(block: Array) -> Array:
        centred = block - mean
        return np.asarray(((centred @ loads) @ centred).astype(np.float64))

    return np.asarray(sum(_each_block(X, order, of_block)))


def _each_block(X: Array, order: Array, function: Callable[[Array], Any]) -> list[Any]:
    """Return a function of each block of rows in this order."""
    return map_threads(lambda block: function(np.take(X, order[block], axis=0)), _blocks(X))


def _blocks(X: Array) -> list[slice]:
    return row_blocks(len(X), max(BLOCK_VALUES // X.shape[1], 1))


def _sortable(values: Array) -> Array:
    """Return unsigned integers in the order of numbers; integers must not be negative."""
    unsigned = f"u{values.dtype.itemsize}"
    if values.dtype.kind != "f":
        return values.astype(unsigned)
    bits = (values + values.dtype.type(0)).view(f"i{values.dtype.itemsize}")  # -0.0 ties with 0.0
    last = 8 * values.dtype.itemsize - 1
    # Of negative numbers all bits are turned, of others only the sign.
    bits ^= (bits >> last) | (-1 << last)
    return np.asarray(bits.view(unsigned))
