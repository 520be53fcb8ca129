"""Folds over a merge tree, children before parents."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def count_leaves(pairs):  # type: ignore[no-untyped-def]
    """Return the number of leaves under each merge of an int array (n - 1, 2) of nodes."""
    n = len(pairs) + 1
    counts = np.empty(2 * n - 1, np.int64)
    for leaf in range(n):
        counts[leaf] = 1
    for merge in range(n - 1):
        counts[n + merge] = counts[pairs[merge, 0]] + counts[pairs[merge, 1]]
    return counts[n:]


@njit(nogil=True, cache=True)
def highest_below(pairs, heights):  # type: ignore[no-untyped-def]
    """Return the greatest height at or below each merge: not its own where the tree inverts."""
    n = len(pairs) + 1
    highest = np.zeros(2 * n - 1)
    for merge in range(n - 1):
        below = max(highest[pairs[merge, 0]], highest[pairs[merge, 1]])
        highest[n + merge] = max(heights[merge], below)
    return highest[n:]


@njit(nogil=True, cache=True)
def groups_by(pairs, kept):  # type: ignore[no-untyped-def]
    """Return the group of each leaf and merge when only some merges are made; -1: not made.

    Groups are numbered by their first leaves.
    """
    n = len(pairs) + 1
    # The highest merge above each node that is made, and the number of its group.
    found, number = np.empty(2 * n - 1, np.int64), np.empty(2 * n - 1, np.int64)
    for node in range(2 * n - 1):
        found[node], number[node] = -1, -1
    for node in range(2 * n - 2, -1, -1):
        if node < n or kept[node - n]:
            if found[node] < 0:
                found[node] = node
            if node >= n:
                found[pairs[node - n, 0]] = found[pairs[node - n, 1]] = found[node]
    groups = 0
    for node in range(2 * n - 1):
        if found[node] >= 0:
            if number[found[node]] < 0:
                number[found[node]] = groups
                groups += 1
            found[node] = number[found[node]]
    return found
