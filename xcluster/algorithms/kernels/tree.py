"""Folds over a merge tree, children before parents."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def count_leaves(pairs):  # type: ignore[no-untyped-def]
    """Return the number of leaves under each merge of an int array (n - 1, 2) of nodes."""
    n = len(pairs) + 1
    counts = np.ones(2 * n - 1, np.int64)
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
