"""Compiled passes of k-means++: draws by the potential, and what candidates leave of it.

The potential of a row is its weight times its squared distance to the nearest centre so far. It is
summed in double precision by tiles of rows, in their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xcluster.algorithms.kernels.bounds import accumulate
from xcluster.algorithms.kernels.lloyd import tile_lanes

Array = NDArray[Any]

TILE = 256
"""Number of rows of which the potential is summed."""
LANES = 64
"""Least number of rows that are measured together."""


@njit(nogil=True, cache=True)
def draw(closest: Array, weight: Array | None, totals: Array, shares: Array) -> Array:
    """Return the positions of the rows at these shares of the whole potential.

    Parameters
    ----------
    closest : array of shape (n_samples,), float32
        Squared distances to the nearest centre.
    weight : array of shape (n_samples,), optional
    totals : array of shape (n_tiles,)
        Sums of the potential.
    shares : array of any length
        Between 0 and 1.
    """
    whole, drawn = 0.0, np.empty(len(shares), np.int64)
    for tile in range(len(totals)):
        whole += totals[tile]
    for i in range(len(shares)):
        left, tile = shares[i] * whole, 0
        while tile < len(totals) - 1 and left >= totals[tile]:
            left -= totals[tile]
            tile += 1
        row, last = tile * TILE, min((tile + 1) * TILE, len(closest)) - 1
        while row < last:
            left -= np.float64(closest[row]) * (1.0 if weight is None else weight[row])
            if left < 0:
                break
            row += 1
        drawn[i] = row
    return drawn


@njit(nogil=True, cache=True)
def approach(
    block: Array,
    weight: Array | None,
    first: int,
    closest: Array,
    centers: Array,
    nearer: Array,
    sums: Array,
) -> None:
    """Set the squared distances to the nearest centre, if each of some centres were added.

    Parameters
    ----------
    block : array of shape (n_features, n_rows), float32
        Rows from ``first`` on, a multiple of `TILE`.
    weight, closest : array of shape (n_samples,)
        As in `draw`, of all rows.
    centers : array of shape (n_candidates, n_features), float32
    nearer : array of shape (n_candidates, n_samples), float32
        Set for the rows of the block.
    sums : array of shape (n_candidates, n_tiles)
        The sums of the potential, set for the tiles of the block.
    """
    (p, n), lanes = block.shape, max(tile_lanes(block.shape[0]), LANES)
    tile = np.empty((p, lanes), np.float32)
    for start in range(0, n, lanes):
        size = min(lanes, n - start)
        for f in range(p):  # a copy, as rows of a block may lie in the same lines of the cache
            for i in range(size):
                tile[f, i] = block[f, start + i]
        rows = slice(first + start, first + start + size)
        for c in range(len(centers)):
            accumulate(nearer[c, rows], tile, 0, centers[c])
            _lessen(nearer[c, rows], closest[rows])
    for c in range(len(centers)):
        add_up(nearer[c], weight, first, first + n, sums[c])


@njit(nogil=True, cache=True)
def _lessen(squared: Array, closest: Array) -> None:
    for i in range(len(squared)):
        squared[i] = min(squared[i], closest[i]) + np.float32(0)  # all are stored, as in `bounds`


@njit(nogil=True, cache=True)
def add_up(closest: Array, weight: Array | None, first: int, stop: int, sums: Array) -> None:
    """Set the sums of the potential of some tiles."""
    for start in range(first, stop, TILE):
        total = 0.0
        for r in range(start, min(start + TILE, stop)):
            total += np.float64(closest[r]) * (1.0 if weight is None else weight[r])
        sums[start // TILE] = total
