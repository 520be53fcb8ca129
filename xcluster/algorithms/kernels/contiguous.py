"""Greedy merging of neighbours in a graph, for regions that hold together.

Each edge is two half-edges, ``2 e`` and ``2 e + 1``, that share a value and stand in the linked
lists of their two clusters; a union joins two lists. Every cluster keeps one entry in the heap,
its nearest neighbour when last looked up. The younger of two neighbours was looked up when both
existed, so its entry is at least as near as that pair. Ties are settled by tree nodes, so that the
numbers of slots and edges change nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

WARD, AVERAGE, COMPLETE, SINGLE = range(4)
CHILDREN = 4
"""Of each place in the heap: four are beside each other in memory."""


class Regions(NamedTuple):
    """Clusters by slot (n,), and edges.

    ``centers`` (n, n_features), ``weights``, ``nodes`` (tree node), ``parents`` (union-find over
    slots), ``ends``: first and last half-edge (-1: none); ``links`` by half-edge: the following
    one, and the slot that it leads to; ``values`` by edge (NaN: gone); ``seen``: scratch by slot.
    """

    centers: Array
    weights: Array
    nodes: Array
    parents: Array
    ends: Array
    links: Array
    values: Array
    seen: Array


class Heap(NamedTuple):
    """Pairs, the nearest first: ``values`` (n,), tree ``nodes`` and ``slots`` (n, 2)."""

    values: Array
    nodes: Array
    slots: Array


@njit(nogil=True, cache=True, inline="always")
def _find(parents, slot):  # type: ignore[no-untyped-def]
    while parents[slot] != slot:
        parents[slot] = parents[parents[slot]]
        slot = parents[slot]
    return slot


@njit(nogil=True, cache=True, inline="always")
def _ward(regions, a, b):  # type: ignore[no-untyped-def]
    total = 0.0
    for f in range(regions.centers.shape[1]):
        gap = regions.centers[a, f] - regions.centers[b, f]
        total += gap * gap
    wa, wb = regions.weights[a], regions.weights[b]
    return total * (2.0 * (wa * wb / (wa + wb)))


@njit(nogil=True, cache=True, inline="always")
def _combine(linkage, a, b, weight_a, weight_b):  # type: ignore[no-untyped-def]
    """Return the distance to a union from those to its two parts."""
    if linkage == AVERAGE:
        return (weight_a * a + weight_b * b) / (weight_a + weight_b)
    return max(a, b) if linkage == COMPLETE else min(a, b)


@njit(nogil=True, cache=True, inline="always")
def _link(regions, slot, half):  # type: ignore[no-untyped-def]
    """Append a half-edge to the list of a cluster."""
    if regions.ends[slot, 0] < 0:
        regions.ends[slot, 0] = half
    else:
        regions.links[regions.ends[slot, 1], 0] = half
    regions.ends[slot, 1] = half
    regions.links[half, 0] = -1


@njit(nogil=True, cache=True)
def _drop_repeats(regions, slot, stamp, linkage, weight_a, weight_b):  # type: ignore[no-untyped-def]
    """Leave one edge from a new union to each neighbour, with the combined value."""
    half = regions.ends[slot, 0]
    regions.ends[slot, 0] = -1
    while half >= 0:
        following, edge = regions.links[half, 0], half // 2
        value = regions.values[edge]
        if not np.isnan(value):
            other = _find(regions.parents, regions.links[half, 1])
            repeated = regions.seen[other, 0] == stamp
            if repeated and linkage != WARD:
                kept = regions.seen[other, 1]
                regions.values[kept] = _combine(
                    linkage, regions.values[kept], value, weight_a, weight_b
                )
            if repeated or other == slot:
                regions.values[edge] = np.nan
            else:
                regions.seen[other, 0], regions.seen[other, 1] = stamp, edge
                if linkage == WARD:
                    regions.values[edge] = _ward(regions, slot, other)
                regions.links[half, 1] = other
                _link(regions, slot, half)
        half = following


@njit(nogil=True, cache=True)
def _entry(regions, slot):  # type: ignore[no-untyped-def]
    """Return (value, node, neighbour's node, slot, neighbour) of the nearest neighbour, or -1s."""
    best, nearest = np.inf, -1
    half = regions.ends[slot, 0]
    regions.ends[slot, 0] = -1
    while half >= 0:
        following, value = regions.links[half, 0], regions.values[half // 2]
        if not np.isnan(value):
            _link(regions, slot, half)
            if nearest < 0 or value <= best:
                other = _find(regions.parents, regions.links[half, 1])
                tie = value == best and nearest >= 0
                if not tie or regions.nodes[other] < regions.nodes[nearest]:
                    best, nearest = value, other
        half = following
    node = regions.nodes[nearest] if nearest >= 0 else -1
    return best, int(regions.nodes[slot]), int(node), int(slot), int(nearest)


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
    regions.links[regions.ends[a, 1], 0] = regions.ends[b, 0]
    regions.ends[a, 1] = regions.ends[b, 1]
    _drop_repeats(regions, a, node, linkage, weight_a, weight_b)


@njit(nogil=True, cache=True, inline="always")
def _is_before(heap, at, value, node, other_node):  # type: ignore[no-untyped-def]
    """Whether the entry at a place comes before another one."""
    if heap.values[at] != value:
        return heap.values[at] < value
    if heap.nodes[at, 0] != node:
        return heap.nodes[at, 0] < node
    return heap.nodes[at, 1] < other_node


@njit(nogil=True, cache=True, inline="always")
def _get(heap, at):  # type: ignore[no-untyped-def]
    value, node, other_node = heap.values[at], heap.nodes[at, 0], heap.nodes[at, 1]
    return value, int(node), int(other_node), int(heap.slots[at, 0]), int(heap.slots[at, 1])


@njit(nogil=True, cache=True, inline="always")
def _put(heap, at, entry):  # type: ignore[no-untyped-def]
    heap.values[at], heap.nodes[at, 0], heap.nodes[at, 1] = entry[0], entry[1], entry[2]
    heap.slots[at, 0], heap.slots[at, 1] = entry[3], entry[4]


@njit(nogil=True, cache=True)
def _sink(heap, size, at, entry):  # type: ignore[no-untyped-def]
    """Put an entry at a place, or below it where others come before."""
    value, node, other_node = entry[0], entry[1], entry[2]
    while CHILDREN * at + 1 < size:
        first = CHILDREN * at + 1
        least = first
        for child in range(first + 1, min(first + CHILDREN, size)):
            nearest = _get(heap, least)
            if _is_before(heap, child, nearest[0], nearest[1], nearest[2]):
                least = child
        if not _is_before(heap, least, value, node, other_node):
            break
        _put(heap, at, _get(heap, least))
        at = least
    _put(heap, at, entry)


@njit(nogil=True, cache=True)
def _fill(heap, regions):  # type: ignore[no-untyped-def]
    """Add an entry of each cluster that has a neighbour; return how many there are."""
    size = 0
    for slot in range(len(regions.nodes)):
        entry = _entry(regions, slot)
        if entry[4] >= 0:
            _put(heap, size, entry)
            size += 1
    for at in range((size - 2) // CHILDREN, -1, -1):
        _sink(heap, size, at, _get(heap, at))
    return size


@njit(nogil=True, cache=True)
def merge_regions(regions, heap, linkage, pairs, heights):  # type: ignore[no-untyped-def]
    """Merge the closest neighbours until none are left; return the number of merges."""
    n, done = len(regions.nodes), 0
    for half in range(len(regions.links)):
        _link(regions, regions.links[half ^ 1, 1], half)
    if linkage == WARD:
        for e in range(len(regions.values)):
            regions.values[e] = _ward(regions, regions.links[2 * e, 1], regions.links[2 * e + 1, 1])
    size = _fill(heap, regions)
    while size > 0:
        value, node, other_node, slot, other = _get(heap, 0)
        present = regions.nodes[slot] == node
        if present and regions.nodes[other] == other_node:
            pairs[done, 0], pairs[done, 1] = min(node, other_node), max(node, other_node)
            heights[done] = value
            heavier = regions.weights[slot] >= regions.weights[other]
            slot, gone = (slot, other) if heavier else (other, slot)
            _join(regions, slot, gone, n + done, linkage)
            done += 1
        entry = _entry(regions, slot) if present else (np.inf, -1, -1, -1, -1)
        if entry[4] < 0:
            size -= 1
            entry = _get(heap, size)
        _sink(heap, size, 0, entry)
    return done
