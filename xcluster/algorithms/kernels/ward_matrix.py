"""Ward's merges by nearest-neighbour chains over a matrix of all distances, for many features.

The matrix is updated as clusters merge (Lance and Williams 1967), so that rows are not read again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

NEAR = 1e-3
"""Share of their squared lengths below which products leave a squared distance too few digits."""


@njit(nogil=True, cache=True)
def to_distances(products: Array, X: Array, weights: Array) -> None:
    """Turn the products of all pairs of rows into Ward's squared distances, in place."""
    n = len(X)
    squares = np.empty(n)
    for i in range(n):
        squares[i] = products[i, i]
    for i in range(n):
        for j in range(i):
            lengths = squares[i] + squares[j]
            square = lengths - 2 * products[i, j]
            if square < NEAR * lengths:
                square = 0.0
                for f in range(X.shape[1]):
                    square += (X[i, f] - X[j, f]) ** 2
            scale = 2.0 * (weights[i] * weights[j] / (weights[i] + weights[j]))
            products[i, j] = products[j, i] = scale * square
        products[i, i] = np.inf


@njit(nogil=True, cache=True)
def merge_all(distances: Array, weights: Array, pairs: Array, heights: Array) -> None:
    """Write all merges, as nodes and squared heights, in the order made; ``distances`` changes.

    Parameters
    ----------
    distances : array of shape (n, n)
        Ward's squared distances, infinite on the diagonal.
    weights : array of shape (n,)
        Changed, too.
    pairs : int array of shape (n - 1, 2)
    heights : array of shape (n - 1,)
    """
    n = len(weights)
    nodes, below, alive = np.empty(n, np.int64), np.zeros(n), np.empty(n, np.bool_)
    for each in range(n):
        nodes[each], alive[each] = each, True
    chain, length, first, done = np.empty(n + 2, np.int64), 0, 0, 0
    while done < n - 1:
        # A link may have died where rounding brought a union nearer than its parts were.
        if length and not alive[chain[length - 1]]:
            length = 0
        if length == 0:
            while not alive[first]:
                first += 1
            chain[0], length = first, 1
        slot = chain[length - 1]
        previous = chain[length - 2] if length > 1 and alive[chain[length - 2]] else -1
        nearest: Any = np.argmin(distances[slot])
        # That the previous link wins ties is what ends every chain.
        if previous >= 0 and distances[slot, previous] <= distances[slot, nearest]:
            nearest = previous
        if nearest != previous:
            chain[length] = nearest
            length += 1
            continue
        pairs[done, 0] = min(nodes[slot], nodes[nearest])
        pairs[done, 1] = max(nodes[slot], nodes[nearest])
        # Never below its parts, whatever the rounding: then a stable sort keeps them in order.
        heights[done] = max(distances[slot, nearest], below[slot], below[nearest])
        _join(distances, weights, slot, nearest)
        alive[nearest] = False
        nodes[slot], below[slot] = n + done, heights[done]
        done += 1
        length -= 2


@njit(nogil=True, cache=True)
def _join(distances: Array, weights: Array, kept: int, gone: int) -> None:
    """Set the distances of the union of two clusters, and take the second out."""
    a, b, between = weights[kept], weights[gone], distances[kept, gone]
    for other in range(len(weights)):
        c = weights[other]
        if other in (kept, gone) or distances[kept, other] == np.inf:
            joined = np.inf
        else:
            near = (a + c) * distances[kept, other] + (b + c) * distances[gone, other]
            joined = (near - c * between) / (a + b + c)
        distances[kept, other] = distances[other, kept] = joined
        distances[gone, other] = distances[other, gone] = np.inf
    weights[kept] = a + b
