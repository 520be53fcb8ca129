"""Which cells of a grid touch, as a sparse matrix for contiguous clustering."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from xcluster.base.checks import check_choice
from xcluster.base.errors import BadValueError

Array = NDArray[Any]


def grid_connectivity(
    shape: Sequence[int],
    mask: Array | None = None,
    *,
    neighbours: int = 4,
    wrap: Sequence[int] = (),
) -> csr_array:
    """Connect the cells of an n-dimensional grid that touch.

    Parameters
    ----------
    shape : sequence of int
        The grid.
    mask : bool array of ``shape``, optional
        Only True cells count. They are numbered in C order; default: all cells.
    neighbours : {4, 8}, default=4
        In two dimensions the number of neighbours of an inner cell. With 4, cells touch where
        they share a side (in n dimensions, a face: 2 n neighbours); with 8, where they share a
        corner (3**n - 1 neighbours).
    wrap : sequence of int, default=()
        Axes whose ends touch, such as longitude on a global grid.

    Returns
    -------
    csr_array of bool, shape (n_cells, n_cells)
        Symmetric, with an empty diagonal.

    Raises
    ------
    ValueError
        If ``mask`` does not have the shape, or ``wrap`` names an axis that is not there.

    Examples
    --------
    >>> grid_connectivity((2, 2)).toarray().astype(int)
    array([[0, 1, 1, 0],
           [1, 0, 0, 1],
           [1, 0, 0, 1],
           [0, 1, 1, 0]])
    """
    edges = grid_pairs(shape, mask, neighbours=neighbours, wrap=wrap)
    n = int(np.prod(shape)) if mask is None else int(np.count_nonzero(mask))
    return symmetric(edges, n)


def symmetric(pairs: Array, n: int) -> csr_array:
    """Return pairs of ``n`` rows as a symmetric matrix of bool."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    matrix = coo_array((np.ones(len(both), bool), tuple(both.T)), shape=(n, n)).tocsr()
    matrix.data[:] = True  # pairs that occur twice were added
    return matrix


def grid_pairs(
    shape: Sequence[int],
    mask: Array | None = None,
    *,
    neighbours: int = 4,
    wrap: Sequence[int] = (),
) -> Array:
    """Return the pairs of cells that touch, shape (n_pairs, 2); see `grid_connectivity`."""
    check_choice("neighbours", neighbours, (4, 8))
    shape = tuple(int(side) for side in shape)
    around = _check_wrap(wrap, len(shape))
    mask = np.ones(shape, bool) if mask is None else _check_mask(mask, shape)
    number = np.full(shape, -1)
    number[mask] = np.arange(np.count_nonzero(mask))
    pairs = [_pairs(number, step, around) for step in _steps(len(shape), neighbours)]
    return np.concatenate([*pairs, np.empty((0, 2), int)])


def _check_wrap(wrap: Sequence[int], n_axes: int) -> set[int]:
    if any(not -n_axes <= axis < n_axes for axis in wrap):
        rule = f"the grid has {n_axes} axes"
        raise BadValueError("wrap", tuple(wrap), rule, "name axes from 0")
    return {axis % n_axes for axis in wrap}


def _check_mask(mask: Array, shape: tuple[int, ...]) -> Array:
    mask = np.asarray(mask, bool)
    if mask.shape != shape:
        rule = f"must have the shape of the grid, {shape}"
        raise BadValueError("mask.shape", mask.shape, rule, "broadcast it to the grid")
    return mask


def _steps(n_axes: int, neighbours: int) -> Iterator[tuple[int, ...]]:
    """Yield one of each two opposite steps to a neighbour."""
    for step in itertools.product((-1, 0, 1), repeat=n_axes):
        if step > (0,) * n_axes and (neighbours == 8 or np.count_nonzero(step) == 1):
            yield step


def _pairs(number: Array, step: tuple[int, ...], around: set[int]) -> Array:
    """Return the pairs of cell numbers that lie one step apart."""
    there = np.roll(number, [-s for s in step], axis=tuple(range(number.ndim)))
    for axis, s in enumerate(step):
        if s and axis not in around:
            end = [slice(None)] * number.ndim
            end[axis] = slice(-1, None) if s > 0 else slice(0, 1)
            there[tuple(end)] = -1
    touching = (number >= 0) & (there >= 0) & (number != there)
    return np.column_stack([number[touching], there[touching]])
