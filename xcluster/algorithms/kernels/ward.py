"""Ward's merges by nearest-neighbour chains, over blocks of clusters with bounding boxes.

A cluster is a lane of a block. A chain steps from a cluster to its nearest; where two are each
other's nearest they merge, which for Ward's distance gives the same tree as always merging the
closest two (Murtagh 1983). A box whose distance exceeds the best so far is not opened.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

LANES = 64
# Features summed before it is asked whether any lane can still be the nearest.
GROUP = 8
# Bounds and distances are rounded differently; a bound must never exceed the distance it bounds.
SAFE = 1.0 - 1e-12


class Clusters(NamedTuple):
    """Live clusters, one per lane; dead lanes have infinite centres and weight 1.

    ``centers`` (n_blocks, n_features, LANES), ``weights`` (n_blocks, LANES), ``nodes`` and
    ``heights`` (n_blocks * LANES,): tree node in the lane, and its squared height. ``low``,
    ``high`` (n_features, n_blocks) and ``lightest`` (n_blocks,) bound each block.
    """

    centers: Array
    weights: Array
    nodes: Array
    heights: Array
    low: Array
    high: Array
    lightest: Array


class Merges(NamedTuple):
    """Merges in the order made: ``pairs`` of nodes (n - 1, 2), squared ``heights`` (n - 1,)."""

    pairs: Array
    heights: Array


@njit(nogil=True, cache=True)
def _scale(a, b):  # type: ignore[no-untyped-def]
    """Return the factor of Ward's squared distance, scipy's: 1 between two unit weights."""
    return 2.0 * (a * b / (a + b))


@njit(nogil=True, cache=True)
def _set_bounds(clusters, block):  # type: ignore[no-untyped-def]
    """Fit box and least weight of a block to its live lanes."""
    low, high, lightest = clusters.low, clusters.high, np.inf
    for f in range(len(low)):
        low[f, block], high[f, block] = np.inf, -np.inf
    for lane in range(LANES):
        if clusters.centers[block, 0, lane] == np.inf:
            continue
        lightest = min(lightest, clusters.weights[block, lane])
        for f in range(len(low)):
            low[f, block] = min(low[f, block], clusters.centers[block, f, lane])
            high[f, block] = max(high[f, block], clusters.centers[block, f, lane])
    clusters.lightest[block] = lightest if lightest < np.inf else 1.0


@njit(nogil=True, cache=True)
def _bound_blocks(clusters, point, weight, bounds):  # type: ignore[no-untyped-def]
    """Write the least distance that a cluster can have to anything in each block."""
    low, high, lightest = clusters.low, clusters.high, clusters.lightest
    for b in range(len(bounds)):
        bounds[b] = 0.0
    for f in range(len(low)):
        x = point[f]
        for b in range(len(bounds)):
            gap = max(max(low[f, b] - x, x - high[f, b]), 0.0)
            bounds[b] += gap * gap
    for b in range(len(bounds)):
        bounds[b] *= SAFE * _scale(weight, lightest[b])


@njit(nogil=True, cache=True)
def _measure(clusters, block, point, weight, limit, out):  # type: ignore[no-untyped-def]
    """Write Ward's squared distance from a cluster to each lane.

    Returns False, with ``out`` unfinished, once no lane is within ``limit`` before weighting.
    """
    centers, weights, n_features = clusters.centers, clusters.weights, len(point)
    for lane in range(LANES):
        out[lane] = 0.0
    for start in range(0, n_features, GROUP):
        for f in range(start, min(start + GROUP, n_features)):
            x = point[f]
            for lane in range(LANES):
                gap = centers[block, f, lane] - x
                out[lane] += gap * gap
        within = 0
        for lane in range(LANES):
            within += out[lane] < limit
        if within == 0:
            return False
    for lane in range(LANES):
        out[lane] *= _scale(weight, weights[block, lane])
    return True


@njit(nogil=True, cache=True)
def _nearest_in_block(clusters, block, slot, point, nearest, best, out):  # type: ignore[no-untyped-def]
    """Return the nearest slot so far and its distance; only a strictly nearer one replaces it."""
    weight = clusters.weights[slot // LANES, slot % LANES]
    limit = best / (SAFE * _scale(weight, clusters.lightest[block]))
    if not _measure(clusters, block, point, weight, limit, out):
        return nearest, best
    for lane in range(LANES):
        if out[lane] < best and block * LANES + lane != slot:
            best = out[lane]
            nearest = block * LANES + lane
    return nearest, best


@njit(nogil=True, cache=True)
def _nearest(clusters, slot, previous, bounds, out):  # type: ignore[no-untyped-def]
    """Return the slot nearest to ``slot`` and its distance, ``previous`` where it ties.

    That the previous link of the chain wins ties is what ends every chain.
    """
    home = slot // LANES
    point = np.empty(len(clusters.low))
    for f in range(len(point)):
        point[f] = clusters.centers[home, f, slot % LANES]
    weight = clusters.weights[home, slot % LANES]
    nearest, best = previous, np.inf
    if previous >= 0:
        _measure(clusters, previous // LANES, point, weight, np.inf, out)
        best = out[previous % LANES]
    nearest, best = _nearest_in_block(clusters, home, slot, point, nearest, best, out)
    _bound_blocks(clusters, point, weight, bounds)
    for block in range(len(bounds)):
        if bounds[block] < best and block != home:
            nearest, best = _nearest_in_block(clusters, block, slot, point, nearest, best, out)
    return nearest, best


@njit(nogil=True, cache=True)
def _join(clusters, kept, gone, node, height):  # type: ignore[no-untyped-def]
    """Put the union of two clusters into the slot kept, and kill the other."""
    b, i, c, j = kept // LANES, kept % LANES, gone // LANES, gone % LANES
    total = clusters.weights[b, i] + clusters.weights[c, j]
    share = clusters.weights[c, j] / total
    for f in range(len(clusters.low)):
        gap = clusters.centers[c, f, j] - clusters.centers[b, f, i]
        clusters.centers[b, f, i] += share * gap
        clusters.centers[c, f, j] = np.inf
    clusters.weights[b, i] = total
    clusters.weights[c, j] = 1.0
    clusters.nodes[kept] = node
    clusters.heights[kept] = height
    _set_bounds(clusters, b)
    _set_bounds(clusters, c)


@njit(nogil=True, cache=True)
def _is_dead(clusters, slot):  # type: ignore[no-untyped-def]
    return clusters.centers[slot // LANES, 0, slot % LANES] == np.inf


@njit(nogil=True, cache=True)
def _merge(clusters, merges, done, slot, nearest, distance):  # type: ignore[no-untyped-def]
    """Merge two clusters, and write this to ``merges``."""
    pair = clusters.nodes[slot], clusters.nodes[nearest]
    merges.pairs[done, 0], merges.pairs[done, 1] = min(pair), max(pair)
    # Never below its parts, whatever the rounding: then a stable sort keeps them in order.
    height = max(distance, clusters.heights[slot], clusters.heights[nearest])
    merges.heights[done] = height
    heavier = (
        clusters.weights[slot // LANES, slot % LANES]
        > clusters.weights[nearest // LANES, nearest % LANES]
    )
    kept, gone = (slot, nearest) if heavier else (nearest, slot)
    _join(clusters, kept, gone, len(merges.heights) + 1 + done, height)


@njit(nogil=True, cache=True)
def merge_until(clusters, merges, done, wanted):  # type: ignore[no-untyped-def]
    """Go on from ``done`` merges until there are ``wanted``, writing them to ``merges``."""
    n_blocks = len(clusters.centers)
    for block in range(n_blocks):
        _set_bounds(clusters, block)
    bounds, out = np.empty(n_blocks), np.empty(LANES)
    chain = np.empty(n_blocks * LANES + 2, np.int64)
    length, first = 0, 0
    while done < wanted:
        # A link may have died where rounding brought a union nearer than its parts were.
        if length and _is_dead(clusters, chain[length - 1]):
            length = 0
        if length == 0:
            while _is_dead(clusters, first):
                first += 1
            chain[0], length = first, 1
        slot = chain[length - 1]
        previous = chain[length - 2] if length > 1 else -1
        if previous >= 0 and _is_dead(clusters, previous):
            previous = -1
        nearest, distance = _nearest(clusters, slot, previous, bounds, out)
        if nearest != previous:
            chain[length] = nearest
            length += 1
            continue
        _merge(clusters, merges, done, slot, nearest, distance)
        done += 1
        length -= 2
