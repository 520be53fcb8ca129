"""Dynamic time warping of many series at once, one series to a vector lane.

A cell of the accumulated cost depends on its left neighbour, so one pair of series leaves vector
units idle. A *tile* holds `LANES` series transposed, and each step of the recurrence is done for
all of them with one instruction per vector. With fewer lanes LLVM unrolls the loop over them
instead of vectorising it, which costs a factor of two to four.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
LANES = 32


@njit(nogil=True, cache=True)
def _fill_tile(X: Array, start: int, tile: Array) -> None:
    """Transpose the rows from ``start`` on into the lanes; spare lanes repeat the last row."""
    n_channels, length = tile.shape[:2]
    for lane in range(LANES):
        row = min(start + lane, len(X) - 1)
        for channel in range(n_channels):
            for j in range(length):
                tile[channel, j, lane] = X[row, channel * length + j]


@njit(nogil=True, cache=True)
def _accumulate(tile: Array, centre: Array, window: int, cost: Array) -> None:
    """Fill the accumulated squared cost of one centre against each lane.

    Row ``i + 1`` of ``cost`` belongs to point ``i`` of the centre, column ``j + 1`` to point
    ``j`` of the series. Rows are taken modulo their number: two are enough for the distance,
    all are needed to trace the path back. Outside the band only the cells that its own cells
    look at are set.
    """
    n_channels, length = tile.shape[:2]
    rows = len(cost)
    cost[0] = np.inf
    cost[0, 0] = 0.0
    for i in range(length):
        above = cost[i % rows]
        here = cost[(i + 1) % rows]
        first, stop = max(0, i - window), min(length, i + window + 1)
        here[first] = np.inf
        if stop < length:
            here[stop + 1] = np.inf
        value = centre[0, i]
        for j in range(first, stop):
            for lane in range(LANES):
                gap = tile[0, j, lane] - value
                diagonal, up, left = above[j, lane], above[j + 1, lane], here[j, lane]
                least = diagonal if diagonal < up else up
                least = least if least < left else left
                here[j + 1, lane] = gap * gap + least
            for channel in range(1, n_channels):
                other = centre[channel, i]
                for lane in range(LANES):
                    gap = tile[channel, j, lane] - other
                    here[j + 1, lane] += gap * gap


@njit(nogil=True, cache=True)
def squared_distances(X: Array, centres: Array, window: int, out: Array) -> None:
    """Write squared DTW distances of rows to centres into ``out``.

    Parameters
    ----------
    X : array of shape (n_samples, n_channels * length)
    centres : array of shape (n_centres, n_channels, length)
    window : int
        Sakoe-Chiba radius; the length or more means none.
    out : array of shape (n_samples, n_centres)
    """
    n_centres, n_channels, length = centres.shape
    tile = np.empty((n_channels, length, LANES))
    cost = np.empty((2, length + 1, LANES))
    for start in range(0, len(X), LANES):
        _fill_tile(X, start, tile)
        for k in range(n_centres):
            _accumulate(tile, centres[k], window, cost)
            for lane in range(min(LANES, len(X) - start)):
                out[start + lane, k] = cost[length % 2, length, lane]


@njit(nogil=True, cache=True)
def _add_path(
    tile: Array, lane: int, cost: Array, weight: float, sums: Array, weights: Array
) -> None:
    """Walk one lane's path back and add its points to the centre points they are matched to."""
    n_channels, length = tile.shape[:2]
    i, j = length, length
    while i > 0 and j > 0:
        weights[i - 1] += weight
        for channel in range(n_channels):
            sums[channel, i - 1] += weight * tile[channel, j - 1, lane]
        diagonal, up, left = cost[i - 1, j - 1, lane], cost[i - 1, j, lane], cost[i, j - 1, lane]
        if diagonal <= up and diagonal <= left:
            i, j = i - 1, j - 1
        elif up <= left:
            i -= 1
        else:
            j -= 1


@njit(nogil=True, cache=True)
def aligned_sums(
    X: Array, sample_weight: Array, centre: Array, window: int, sums: Array, weights: Array
) -> float:
    """Add the rows, aligned to one centre, to the sums of a barycentre update.

    Parameters
    ----------
    X : array of shape (n_samples, n_channels * length)
    sample_weight : array of shape (n_samples,)
    centre : array of shape (n_channels, length)
    window : int
        Sakoe-Chiba radius; the length or more means none.
    sums : array of shape (n_channels, length)
        Receives the weighted sum of the points matched to each point of the centre.
    weights : array of shape (length,)
        Receives their total weight.

    Returns
    -------
    float
        Weighted sum of the squared distances to the centre.
    """
    n_channels, length = centre.shape
    tile = np.empty((n_channels, length, LANES))
    cost = np.empty((length + 1, length + 1, LANES))
    total = 0.0
    for start in range(0, len(X), LANES):
        _fill_tile(X, start, tile)
        _accumulate(tile, centre, window, cost)
        for lane in range(min(LANES, len(X) - start)):
            weight = sample_weight[start + lane]
            total += weight * cost[length, length, lane]
            _add_path(tile, lane, cost, weight, sums, weights)
    return total
