"""Compiled runs of Lloyd's iteration: what follows each pass, and all passes over few rows.

A pass over some thousand rows takes less time than the calls that it needs from Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xcluster.algorithms.kernels.bounds import recount, settle, step

Array = NDArray[Any]
Pair = tuple[Array, Array]
Run = tuple[Array, Array, Array, Array, Array]

ON, OVER, EMPTY = 0, 1, 2
"""What follows a pass: the next, the end, or other centres, as one has no row."""
LITTLE = 1e-6
"""A cluster with less than this share of all weight is counted again: it may be rounding alone."""
PATIENCE = 10
"""Number of passes as good as the last one after which a run must have reached what is wanted."""


@njit(nogil=True, cache=True)
def repeat(
    values: Array,
    weight: Array | None,
    size: int,
    own: Pair,
    parts: Pair,
    run: Run,
    most: int,
    limit: float,
    wanted: float,
) -> tuple[int, int]:
    """Make passes until the run is over or a centre has no row; return their number, and which.

    Parameters
    ----------
    values : array of shape (n_features * n_samples,), float32
        Blocks of rows one after the other, each of them feature by feature.
    weight : array of shape (n_samples,), optional
    size : int
        Number of rows of a block.
    own : arrays of shape (n_samples,)
        Labels and gaps, as in `bounds.settle`, changed in place.
    parts : arrays of shape (n_blocks, n_clusters) and (n_blocks, n_clusters, n_features)
        Weights and weighted sums by block, changed in place.
    run, limit, wanted
        As in `conclude`.
    most : int
        Number of passes.
    """
    n, p, before = len(own[0]), run[1].shape[1], -np.inf
    for done in range(1, most + 1):
        for again in range(2):  # one call of `settle`, as each is compiled anew
            for b in range(len(parts[0])):
                start, stop = b * size, min((b + 1) * size, n)
                block = values[p * start : p * stop].reshape((p, stop - start))
                part = None if weight is None else weight[start:stop]
                labels, gaps = own[0][start:stop], own[1][start:stop]
                counts, totals = parts[0][b], parts[1][b]
                if again:
                    recount(block, part, labels, counts, totals)
                else:
                    settle(block, part, run[3], run[4], labels, gaps, counts, totals)
            if not merge(parts, run):
                break
        state, before = conclude(run, limit, wanted, before)
        if state != ON:
            return done, state
    return most, ON


@njit(nogil=True, cache=True)
def merge(parts: Pair, run: Run) -> bool:
    """Add the sums of the blocks after a pass; return whether some must be counted again."""
    counts, totals, _, _, loss = run
    least, whole = np.inf, 0.0
    for c in range(len(counts)):
        counts[c], totals[c], loss[c] = 0, 0, 0
        for b in range(len(parts[0])):
            counts[c] += parts[0][b, c]
            for f in range(totals.shape[1]):
                totals[c, f] += parts[1][b, c, f]
        least, whole = min(least, counts[c]), whole + counts[c]
    return least < LITTLE * whole


@njit(nogil=True, cache=True)
def conclude(run: Run, limit: float, wanted: float, before: float) -> tuple[int, float]:
    """Move the centres to the means of their rows, unless one has none; tell what follows.

    Parameters
    ----------
    run : tuple of arrays
        Counts, totals, means, centres and loss of a `BoundedLloyd`, changed in place.
    limit : float
        The run is over if the squared shift of all centres is within this.
    wanted, before : float
        If ``wanted`` is finite it is also over where `between` will hardly rise above this. How
        fast it rises tells its value after the pass before.

    Returns
    -------
    state : int
        `ON`, `OVER` or `EMPTY`.
    now : float
        `between` after this pass.
    """
    counts, totals, means, centers, loss = run
    for c in range(len(counts)):
        if counts[c] <= 0:
            return EMPTY, before
    now, shift = between(counts, totals), 0.0
    for c in range(len(means)):
        for f in range(means.shape[1]):
            mean = totals[c, f] / counts[c]
            shift += (mean - means[c, f]) ** 2
            means[c, f] = mean
    step(means, centers, loss)
    hopeless = now + PATIENCE * max(now - before, 0.0) < wanted
    return (OVER if shift <= limit or hopeless else ON), now


@njit(nogil=True, cache=True)
def between(counts: Array, totals: Array) -> float:
    """Return the sum of squares of the cluster means about the origin, by weight."""
    total = 0.0
    for c in range(len(counts)):
        squares = 0.0
        for f in range(totals.shape[1]):
            squares += totals[c, f] ** 2
        if counts[c] > 0:
            total += squares / counts[c]
    return total
