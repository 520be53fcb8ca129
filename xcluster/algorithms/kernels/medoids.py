"""Compiled swaps of medoids: FasterPAM on a matrix of distances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

ROUNDING = 1e-10
"""Share of the loss by which a swap must lower it: less is rounding alone."""


def swap(distances: Array, weight: Array, medoids: Array, max_iter: int) -> tuple[float, int]:
    """Exchange medoids with other rows, in place, until no exchange lowers the loss.

    Parameters
    ----------
    distances : float32 array of shape (n, n)
        Symmetric. Rows are tried as medoids in their order.
    weight : float64 array of shape (n,)
    medoids : int64 array of shape (k,)
        Rows to start from; the better ones lie here afterwards.
    max_iter : int
        Most passes over all rows.

    Returns
    -------
    loss : float
        Weighted sum of the distances to the nearest medoid.
    n_iter : int
        Passes, the last of which may have been cut short.
    """
    far = float(distances.max(initial=0)) if len(medoids) == 1 else np.inf
    return _swap(distances, weight, medoids, max_iter, far)


@njit(nogil=True, cache=True)
def _swap(D: Array, weight: Array, medoids: Array, max_iter: int, far: float) -> tuple[float, int]:
    """Take every exchange that lowers the loss as soon as it is found (eager swaps)."""
    n, k = len(D), len(medoids)
    near, next_ = np.empty(n, np.int32), np.empty(n, np.int32)
    least, second = np.empty(n, np.float32), np.empty(n, np.float32)
    for o in range(n):
        _two_nearest(D, medoids, o, far, near, next_, least, second)
    losses, change = np.empty(k), np.empty(k)
    loss = _losses(weight, near, least, second, losses)
    unchanged, tried = 0, 0
    while unchanged < n and tried < max_iter * n:
        c = tried % n
        tried, unchanged = tried + 1, unchanged + 1
        if least[c] == 0.0:  # a medoid, or equal to one
            continue
        gain = _changes(D[c], weight, near, least, second, losses, change)
        i = _smallest(change)
        if change[i] + gain < -ROUNDING * loss:
            medoids[i] = c
            for o in range(n):
                _exchanged(D, medoids, i, o, far, near, next_, least, second)
            loss = _losses(weight, near, least, second, losses)
            unchanged = 0
    return loss, (tried + n - 1) // n


@njit(nogil=True, cache=True)
def _changes(
    row: Array,
    weight: Array,
    near: Array,
    least: Array,
    second: Array,
    losses: Array,
    change: Array,
) -> float:
    """Return what all exchanges with a candidate gain alike; set ``change`` to what each adds."""
    gain = 0.0
    for i in range(len(losses)):
        change[i] = losses[i]
    for o in range(len(row)):
        if row[o] < second[o]:
            d, a, b = np.float64(row[o]), np.float64(least[o]), np.float64(second[o])
            if d < a:
                gain += weight[o] * (d - a)
                change[near[o]] += weight[o] * (a - b)
            else:
                change[near[o]] += weight[o] * (d - b)
    return gain


@njit(nogil=True, cache=True)
def _smallest(values: Array) -> int:
    best = 0
    for i in range(len(values)):
        if values[i] < values[best]:
            best = i
    return best


@njit(nogil=True, cache=True)
def _losses(weight: Array, near: Array, least: Array, second: Array, losses: Array) -> float:
    """Return the loss; set ``losses`` to what it would rise by without each medoid."""
    loss = 0.0
    for i in range(len(losses)):
        losses[i] = 0.0
    for o in range(len(near)):
        a = np.float64(least[o])
        loss += weight[o] * a
        losses[near[o]] += weight[o] * (np.float64(second[o]) - a)
    return loss


@njit(nogil=True, cache=True)
def _exchanged(
    D: Array,
    medoids: Array,
    i: int,
    o: int,
    far: float,
    near: Array,
    next_: Array,
    least: Array,
    second: Array,
) -> None:
    """Find the two nearest medoids of row ``o`` after medoid ``i`` has become another row."""
    d = D[medoids[i], o]
    if near[o] == i or next_[o] == i:
        _two_nearest(D, medoids, o, far, near, next_, least, second)
    elif d < least[o]:
        second[o], next_[o] = least[o], near[o]
        least[o], near[o] = d, i
    elif d < second[o]:
        second[o], next_[o] = d, i


@njit(nogil=True, cache=True)
def _two_nearest(
    D: Array,
    medoids: Array,
    o: int,
    far: float,
    near: Array,
    next_: Array,
    least: Array,
    second: Array,
) -> None:
    near[o], next_[o] = 0, -1
    least[o], second[o] = D[medoids[0], o], far
    for i in range(1, len(medoids)):
        d = D[medoids[i], o]
        if d < least[o]:
            second[o], next_[o] = least[o], near[o]
            least[o], near[o] = d, i
        elif d < second[o]:
            second[o], next_[o] = d, i
