"""Greedy merging of neighbours in a graph, for regions that hold together.

Each edge is two half-edges, ``2 e`` and ``2 e + 1``, that share a value and stand in the linked
lists of their two clusters; a union joins two lists. Every cluster keeps one entry in the heap,
its nearest neighbour when last looked up. The younger of two neighbours was looked up when both
existed, so its entry is at least as near as that pair.
"""

from __future__ import annotations

import heapq
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

WARD, AVERAGE, COMPLETE, SINGLE = range(4)


class Regions(NamedTuple):
    """Clusters by slot (n,), and edges.

    ``centers`` (n, n_features), ``weights``, ``nodes`` (tree node), ``parents`` (union-find over
    slots), ``first`` and ``last`` half-edge (-1: none); ``following`` and ``targets`` by
    half-edge; ``values`` and ``alive`` by edge; ``seen`` and ``seen_edge``: scratch by slot.
    """

    centers: Array
    weights: Array
    nodes: Array
    parents: Array
    first: Array
    last: Array
    following: Array
    targets: Array
    values: Array
    alive: Array
    seen: Array
    seen_edge: Array


@njit(nogil=True, cache=True)
def _find(parents, slot):  # type: ignore[no-untyped-def]
    while parents[slot] != slot:
        parents[slot] = parents[parents[slot]]
        slot = parents[slot]
    return slot


@njit(nogil=True, cache=True)
def _ward(regions, a, b):  # type: ignore[no-untyped-def]
    total = 0.0
    for f in range(regions.centers.shape[1]):
        gap = regions.centers[a, f] - regions.centers[b, f]
        total += gap * gap
    wa, wb = regions.weights[a], regions.weights[b]
    return total * (2.0 * (wa * wb / (wa + wb)))


@njit(nogil=True, cache=True)
def _combine(linkage, a, b, weight_a, weight_b):  # type: ignore[no-untyped-def]
    """Return the distance to a union from those to its two parts."""
    if linkage == AVERAGE:
        return (weight_a * a + weight_b * b) / (weight_a + weight_b)
    return max(a, b) if linkage == COMPLETE else min(a, b)


@njit(nogil=True, cache=True)
def _link(regions, slot, half):  # type: ignore[no-untyped-def]
    """Append a half-edge to the list of a cluster."""
    if regions.first[slot] < 0:
        regions.first[slot] = half
    else:
        regions.following[regions.last[slot]] = half
    regions.last[slot] = half
    regions.following[half] = -1


@njit(nogil=True, cache=True)
def _drop_repeats(regions, slot, stamp, linkage, weight_a, weight_b):  # type: ignore[no-untyped-def]
    """Leave one live edge from a new union to each neighbour, with the combined value."""
    half = regions.first[slot]
    regions.first[slot] = -1
    while half >= 0:
        following, edge = regions.following[half], half // 2
        other = _find(regions.parents, regions.targets[half])
        if other == slot:
            regions.alive[edge] = False
        elif regions.alive[edge] and regions.seen[other] == stamp:
            kept = regions.seen_edge[other]
            if linkage != WARD:
                regions.values[kept] = _combine(
                    linkage, regions.values[kept], regions.values[edge], weight_a, weight_b
                )
            regions.alive[edge] = False
        if regions.alive[edge]:
            regions.seen[other] = stamp
            regions.seen_edge[other] = edge
            if linkage == WARD:
                regions.values[edge] = _ward(regions, slot, other)
            _link(regions, slot, half)
        half = following


@njit(nogil=True, cache=True)
def _entry(regions, slot):  # type: ignore[no-untyped-def]
    """Return (value, node, neighbour's node, slot, neighbour) of the nearest neighbour, or -1s."""
    best, nearest = np.inf, -1
    half = regions.first[slot]
    regions.first[slot] = -1
    while half >= 0:
        following, edge = regions.following[half], half // 2
        if regions.alive[edge]:
            _link(regions, slot, half)
            other = _find(regions.parents, regions.targets[half])
            value = regions.values[edge]
            tie = value == best and regions.nodes[other] < regions.nodes[nearest]
            if nearest < 0 or value < best or tie:
                best, nearest = value, other
        half = following
    node = regions.nodes[nearest] if nearest >= 0 else -1
    return best, regions.nodes[slot], node, slot, nearest


@njit(nogil=True, cache=True)
def _join(regions, a, b, node, linkage):  # type: ignore[no-untyped-def]
    """Merge slot ``b`` into slot ``a``."""
    weight_a, weight_b = regions.weights[a], regions.weights[b]
    share = weight_b / (weight_a + weight_b)
    for f in range(regions.centers.shape[1]):
        regions.centers[a, f] += share * (regions.centers[b, f] - regions.centers[a, f])
    regions.weights[a] += weight_b
    regions.parents[b] = a
    regions.nodes[a], regions.nodes[b] = node, -1
    regions.following[regions.last[a]] = regions.first[b]
    regions.last[a] = regions.last[b]
    _drop_repeats(regions, a, node, linkage, weight_a, weight_b)


@njit(nogil=True, cache=True)
def merge_regions(regions, linkage, pairs, heights):  # type: ignore[no-untyped-def]
    """Merge the closest neighbours until none are left; return the number of merges."""
    n, done = len(regions.nodes), 0
    for half in range(len(regions.targets)):
        _link(regions, regions.targets[half ^ 1], half)
    if linkage == WARD:
        for e in range(len(regions.values)):
            a, b = regions.targets[2 * e], regions.targets[2 * e + 1]
            regions.values[e] = _ward(regions, a, b)
    heap = [_entry(regions, slot) for slot in range(n)]
    heapq.heapify(heap)
    while len(heap):
        value, node, other_node, slot, other = heapq.heappop(heap)
        if other < 0 or regions.nodes[slot] != node:
            continue
        if regions.nodes[other] != other_node:
            heapq.heappush(heap, _entry(regions, slot))
            continue
        pairs[done, 0], pairs[done, 1] = min(node, other_node), max(node, other_node)
        heights[done] = value
        heavier = regions.weights[slot] >= regions.weights[other]
        kept, gone = (slot, other) if heavier else (other, slot)
        _join(regions, kept, gone, n + done, linkage)
        done += 1
        heapq.heappush(heap, _entry(regions, kept))
    return done
