"""The geometry of a rectangular grid of nodes, numbered row by row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.base.checks import check_integer
from xcluster.base.errors import BadValueError

Array = NDArray[Any]
Grid = tuple[int, int]


def default_grid(n_samples: int) -> Grid:
    """Return ceil(sqrt(sqrt(n_samples))) rows and as many columns."""
    side = math.ceil(math.sqrt(math.sqrt(n_samples)))
    return side, side


def check_grid(grid: Any) -> Grid:
    """Return ``grid`` as two ints of at least 1."""
    remedy = "pass for example grid=(12, 12)"
    if not isinstance(grid, tuple | list) or len(grid) != 2:
        rule = "must be two numbers, of rows and of columns"
        raise BadValueError("grid", grid, rule, remedy)
    n_rows, n_columns = (check_integer("grid", side, minimum=1, remedy=remedy) for side in grid)
    return n_rows, n_columns


def squared_distances(grid: Grid) -> Array:
    """Return squared distances between all nodes, in steps of the grid: (n_nodes, n_nodes)."""
    row, column = np.divmod(np.arange(math.prod(grid)), grid[1])
    return np.asarray((row[:, None] - row) ** 2 + (column[:, None] - column) ** 2)


def are_neighbours(a: Array, b: Array, grid: Grid) -> Array:
    """Tell of each pair of node numbers whether the nodes touch, by side or corner."""
    rows, columns = np.abs(np.subtract(np.divmod(a, grid[1]), np.divmod(b, grid[1])))
    return np.asarray(np.maximum(rows, columns) <= 1)


def mean_distance_to_neighbours(nodes: Array, grid: Grid) -> Array:
    """Return the mean over up to eight neighbours, of shape ``grid``; 0 for a single node."""
    nodes = nodes.reshape(*grid, -1)
    total, number = np.zeros(grid), np.zeros(grid)
    for here, there in _touching(grid):
        distance = np.linalg.norm(nodes[here] - nodes[there], axis=-1)
        for end in (here, there):
            total[end] += distance
            number[end] += 1
    return total / np.maximum(number, 1)


def _touching(grid: Grid) -> list[tuple[Any, Any]]:
    """Return pairs of indices that lay side by side each two nodes that touch, once."""
    whole, head, tail = slice(None), slice(0, -1), slice(1, None)
    return [
        ((whole, head), (whole, tail)),
        ((head, whole), (tail, whole)),
        ((head, head), (tail, tail)),
        ((head, tail), (tail, head)),
    ]
