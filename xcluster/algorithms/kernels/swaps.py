"""Compiled passes that tell where a centre of k-means is useless, and where one is missing.

Rows stand feature by feature, as float32 in their frame, as in `bounds`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xcluster.algorithms.kernels.bounds import accumulate, squared_to_own
from xcluster.algorithms.kernels.lloyd import tile_lanes

Array = NDArray[Any]


@njit(nogil=True, cache=True)
def two_nearest(block: Array, centers: Array) -> tuple[Array, Array, Array]:
    """Return each row's nearest centre, the second nearest, and how much farther that is, squared.

    Parameters
    ----------
    block : array of shape (n_features, n_samples), float32
    centers : array of shape (n_clusters, n_features), float32
        Two or more.

    Returns
    -------
    own, other : array of shape (n_samples,), int32
    excess : array of shape (n_samples,), float32
    """
    n = block.shape[1]
    lanes = tile_lanes(block.shape[0])
    own, other, excess = np.zeros(n, np.int32), np.zeros(n, np.int32), np.empty(n, np.float32)
    trial, least = np.empty(lanes, np.float32), np.empty(lanes, np.float32)
    for start in range(0, n, lanes):
        tile = slice(start, min(start + lanes, n))
        second = excess[tile]
        for i in range(len(second)):
            least[i], second[i] = np.inf, np.inf
        for c in range(len(centers)):
            accumulate(trial[: len(second)], block, start, centers[c])
            _keep_two(np.int32(c), trial, own[tile], other[tile], least, second)
        for i in range(len(second)):
            second[i] -= least[i]
    return own, other, excess


@njit(nogil=True, cache=True)
def _keep_two(c: Any, trial: Array, own: Array, other: Array, least: Array, second: Array) -> None:
    for i in range(len(own)):
        nearer = trial[i] < least[i]
        farther = least[i] if nearer else trial[i]
        loser = own[i] if nearer else c
        own[i] = c if nearer else own[i]
        least[i] = trial[i] if nearer else least[i]
        other[i] = loser if farther < second[i] else other[i]
        second[i] = min(second[i], farther)


@njit(nogil=True, cache=True)
def transfers(
    block: Array, weight: Array | None, own: Array, other: Array, slots: Array, n_slots: int
) -> tuple[Array, Array]:
    """Return the weight, and the weighted sum, of rows by own and second nearest centre.

    Parameters
    ----------
    block : array of shape (n_features, n_samples), float32
    weight : array of shape (n_samples,), optional
    own, other : array of shape (n_samples,), int32
    slots : array of shape (n_clusters,), int64
        Where the rows of a centre are counted, below ``n_slots``; -1 if they are not.
    n_slots : int

    Returns
    -------
    counts, totals : array of shape (n_slots, n_clusters) and (n_slots, n_clusters, n_features)
    """
    p, k = block.shape[0], len(slots)
    counts, totals = np.zeros((n_slots, k)), np.zeros((n_slots, k, p))
    for r in range(block.shape[1]):
        slot = slots[own[r]]
        if slot >= 0:
            w = 1.0 if weight is None else weight[r]
            counts[slot, other[r]] += w
            for f in range(p):
                totals[slot, other[r], f] += w * np.float64(block[f, r])
    return counts, totals


@njit(nogil=True, cache=True)
def farthest(
    block: Array, weight: Array | None, centers: Array, labels: Array
) -> tuple[Array, Array]:
    """Return the row farthest from the centre of each label, and its squared distance first.

    Rows without weight do not count.
    """
    squared = squared_to_own(block, centers, labels)
    most, rows = np.empty(len(centers), np.float32), np.zeros(len(centers), np.int64)
    for c in range(len(centers)):
        most[c] = -1
    for r in range(len(squared)):
        if squared[r] > most[labels[r]] and (weight is None or weight[r] > 0):
            most[labels[r]] = squared[r]
            rows[labels[r]] = r
    points = np.empty(centers.shape, np.float32)
    for c in range(len(centers)):
        for f in range(len(block)):
            points[c, f] = block[f, rows[c]]
    return most, points


@njit(nogil=True, cache=True)
def beyond(
    block: Array, weight: Array | None, labels: Array, normals: Array, levels: Array, cut: bool
) -> tuple[Array, Array]:
    """Return sums, by label, of the rows beyond a plane through their cluster.

    Parameters
    ----------
    block : array of shape (n_features, n_samples), float32
    weight : array of shape (n_samples,), optional
    labels : array of shape (n_samples,), integer
    normals : array of shape (n_clusters, n_features), float32
    levels : array of shape (n_clusters,), float32
        A row lies beyond where its product with the normal of its label is more.
    cut : bool
        Whether each row beyond counts once. Else every row counts by its distance to the plane.

    Returns
    -------
    counts, totals : array of shape (n_clusters,) and (n_clusters, n_features), float64
    """
    p, n = block.shape
    heights, along = np.empty(n, np.float32), np.empty(len(normals), np.float32)
    for r in range(n):
        heights[r] = -levels[labels[r]]
    for f in range(p):
        for c in range(len(normals)):
            along[c] = normals[c, f]
        for r in range(n):
            heights[r] += block[f, r] * along[labels[r]]
    counts, totals = np.zeros(len(normals)), np.zeros(normals.shape)
    for r in range(n):
        if cut and heights[r] <= 0:
            continue
        w = (1.0 if weight is None else weight[r]) * (1.0 if cut else np.float64(heights[r]))
        counts[labels[r]] += w
        for f in range(p):
            totals[labels[r], f] += w * np.float64(block[f, r])
    return counts, totals
