"""Compiled passes of k-means that measure only the rows whose nearest centre may have changed.

Rows stand feature by feature, as float32 in their frame, so that they are the vector lanes. Each
row has a ``gap``: a lower bound of the distance to any other centre less an upper bound of that
to its own (the two bounds of Hamerly's algorithm, of which only the difference decides). Centres
that move use it up; where nothing is left, the row is gathered into a tile and measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xcluster.algorithms.kernels.lloyd import ROUNDING, tile_lanes

Array = NDArray[Any]

GATHERED = 16  # products with so many centres take as long as to gather the rows
EPSILON = np.float32(ROUNDING)
LEFT = np.float32(1 - 2.0**-22)  # makes up for the rounding of a gap in each pass
VANISHING = np.float32(1e-18)  # squares of smaller distances lose digits, or are zero


@njit(nogil=True, cache=True)
def place(X: Array, origin: Array, factor: Any, placed: Array) -> None:
    """Set ``placed``, of shape (n_features, n_samples) and float32, to the rows in the frame."""
    for start in range(0, len(X), 16):  # sixteen values are a cache line of the result
        for f in range(X.shape[1]):
            for r in range(start, min(start + 16, len(X))):
                placed[f, r] = (X[r, f] - origin[f]) * factor


@njit(nogil=True, cache=True)
def accumulate(squared: Array, block: Array, first: int, center: Array) -> None:
    """Set ``squared`` to the squared distances of rows to one centre, summed feature by feature.

    Four features at a time: the sum stays in a register, and the order of additions is the same.
    """
    p, n = block.shape[0], len(squared)
    for i in range(n):
        squared[i] = 0
    f = 0
    while f + 4 <= p:
        c0, c1, c2, c3 = center[f], center[f + 1], center[f + 2], center[f + 3]
        for i in range(n):
            d0 = block[f, first + i] - c0
            d1 = block[f + 1, first + i] - c1
            d2 = block[f + 2, first + i] - c2
            d3 = block[f + 3, first + i] - c3
            squared[i] = (((squared[i] + d0 * d0) + d1 * d1) + d2 * d2) + d3 * d3
        f += 4
    while f < p:
        value = center[f]
        for i in range(n):
            difference = block[f, first + i] - value
            squared[i] += difference * difference
        f += 1


@njit(nogil=True, cache=True)
def squared_to_own(block: Array, centers: Array, labels: Array) -> Array:
    """Return the squared distance of each row to the centre of its label, as float32."""
    squared, values = np.zeros(block.shape[1], np.float32), np.empty(len(centers), np.float32)
    for f in range(block.shape[0]):
        for c in range(len(centers)):
            values[c] = centers[c, f]
        for r in range(len(squared)):
            difference = block[f, r] - values[labels[r]]
            squared[r] += difference * difference
    return squared


@njit(nogil=True, cache=True)
def settle(
    block: Array,
    weight: Array | None,
    centers: Array,
    loss: Array,
    labels: Array,
    gaps: Array,
    counts: Array,
    totals: Array,
) -> None:
    """Label the rows of a block by the nearest centre, and change the sums of those that moved.

    Parameters
    ----------
    block : array of shape (n_features, n_samples), float32
    weight : array of shape (n_samples,), optional
    centers : array of shape (n_clusters, n_features), float32
    loss : array of shape (n_clusters,), float32
        What the gap of a row with this label lost since the pass before.
    labels, gaps : array of shape (n_samples,), integer and float32
        Changed in place. A row whose gap is zero is measured; one whose label is -1 is not yet in
        the sums.
    counts, totals : array of shape (n_clusters,) and (n_clusters, n_features), float64
        Sums of weights and of weighted rows of this block, changed in place.
    """
    _measure(block, weight, centers, _used_up(loss, labels, gaps), labels, gaps, counts, totals)


def settle_by_products(
    block: Array,
    norms: Array,
    weight: Array | None,
    centers: Array,
    loss: Array,
    labels: Array,
    gaps: Array,
    counts: Array,
    totals: Array,
) -> None:
    """Do what `settle` does, faster for many features: products decide where rounding cannot.

    ``norms`` are the lengths of the rows, of shape (n_samples,), float32.
    """
    pending, (k, n) = _used_up(loss, labels, gaps), (len(centers), block.shape[1])
    few = len(pending) * (k + GATHERED) < n * k  # else products of all rows cost less
    tile = np.take(block, pending, axis=1) if few else block
    halves = 0.5 * np.einsum("kp,kp->k", centers, centers)
    with np.errstate(over="ignore", invalid="ignore"):  # such rows are measured
        ranks = centers @ tile - halves[:, None]
    if not few and len(pending) < n:
        ranks = np.take(ranks, pending, axis=1)
    lengths = np.sqrt(2 * halves)
    own = _decide(ranks, norms[pending], lengths, halves, block.shape[0], pending, gaps)
    sure = own >= 0
    if not sure.all():
        _measure(block, weight, centers, pending[~sure], labels, gaps, counts, totals)
        pending, own = pending[sure], own[sure]
    _move(block, pending, weight, pending, own, labels, counts, totals)


@njit(nogil=True, cache=True)
def _used_up(loss: Array, labels: Array, gaps: Array) -> Array:
    """Lessen the gaps by what they lost; return the rows where nothing is left."""
    pending = np.empty(len(gaps), np.int64)
    found = 0
    for r in range(len(gaps)):
        gaps[r] = (gaps[r] - loss[labels[r]]) * LEFT
        pending[found] = r
        found += gaps[r] <= 0
    return pending[:found]


@njit(nogil=True, cache=True)
def _decide(
    ranks: Array,
    norms: Array,
    lengths: Array,
    halves: Array,
    n_features: int,
    pending: Array,
    gaps: Array,
) -> Array:
    """Return the centre of highest rank of each row, or -1 where rounding decides; set its gap.

    A rank is half of what the squared distance lacks of the squared length of the row. It is as
    far off as in `lloyd.nearest_by_product`.
    """
    own = np.empty(len(pending), np.int32)
    slack = np.float32((n_features + 8) * ROUNDING)
    for i in range(len(pending)):
        own[i], best = -1, np.argmax(ranks[:, i])
        least = ranks[best, i] - slack * (norms[i] * lengths[best] + halves[best])
        most = np.float32(-np.inf)
        for c in range(len(lengths)):
            if c != best:
                most = max(most, ranks[c, i] + slack * (norms[i] * lengths[c] + halves[c]))
        if most < least:
            own[i] = best
            square = norms[i] * norms[i]
            far = np.sqrt(max(square * (1 - slack) - 2 * most, np.float32(0)))
            near = np.sqrt(max(square * (1 + slack) - 2 * least, np.float32(0)))
            gaps[pending[i]] = far * (1 - 5 * slack) - near * (1 + slack) - VANISHING
    return own


@njit(nogil=True, cache=True)
def _measure(
    block: Array,
    weight: Array | None,
    centers: Array,
    pending: Array,
    labels: Array,
    gaps: Array,
    counts: Array,
    totals: Array,
) -> None:
    """Measure these rows, and move those that have another nearest centre than before."""
    lanes = tile_lanes(block.shape[0])
    tile, places = np.empty((block.shape[0], lanes), np.float32), np.empty(lanes, np.int64)
    for i in range(lanes):
        places[i] = i
    trial, own = np.empty(lanes, np.float32), np.empty(lanes, np.int32)
    least, second = np.empty(lanes, np.float32), np.empty(lanes, np.float32)
    for start in range(0, len(pending), lanes):
        rows = pending[start : start + lanes]
        _gather(tile, block, rows)
        _two_nearest(tile, centers, trial[: len(rows)], own, least, second)
        _widen(gaps, rows, least, second, block.shape[0])
        _move(tile, places, weight, rows, own, labels, counts, totals)


@njit(nogil=True, cache=True)
def _gather(tile: Array, block: Array, pending: Array) -> None:
    for f in range(len(tile)):
        for i in range(len(pending)):
            tile[f, i] = block[f, pending[i]]


@njit(nogil=True, cache=True)
def _two_nearest(
    tile: Array, centers: Array, trial: Array, own: Array, least: Array, second: Array
) -> None:
    for i in range(len(trial)):
        own[i], least[i], second[i] = 0, np.inf, np.inf
    for c in range(len(centers)):
        accumulate(trial, tile, 0, centers[c])
        _keep_two(np.int32(c), trial, own, least, second)


@njit(nogil=True, cache=True)
def _keep_two(c: Any, trial: Array, own: Array, least: Array, second: Array) -> None:
    # A value that stays is stored as well: stores of some lanes only are very slow on processors
    # of AMD, and compilers make such stores of "x[i] = a if b else x[i]". Hence + 0, and the
    # maximum, which is the last of the centres that were nearer, as these are counted up.
    for i in range(len(trial)):
        second[i] = min(second[i], max(trial[i], least[i])) + np.float32(0)
        own[i] = max(own[i], c if trial[i] < least[i] else np.int32(0))
        least[i] = min(trial[i], least[i])


@njit(nogil=True, cache=True)
def _widen(gaps: Array, pending: Array, least: Array, second: Array, p: int) -> None:
    """Set the gaps of measured rows, less what rounding may add to any distance.

    While a gap lasts the own centre is no farther than ``second`` was. So the rounding of
    distances that a later pass does not measure is covered, too: it would find the same centre.
    """
    slack = (p + 4) * EPSILON
    for i in range(len(pending)):
        far, near = np.sqrt(second[i]), np.sqrt(least[i])
        gaps[pending[i]] = far * (1 - 5 * slack) - near * (1 + slack) - VANISHING


@njit(nogil=True, cache=True)
def _move(
    tile: Array,
    places: Array,
    weight: Array | None,
    pending: Array,
    own: Array,
    labels: Array,
    counts: Array,
    totals: Array,
) -> None:
    for i in range(len(pending)):
        r = pending[i]
        if own[i] != labels[r]:
            w = 1.0 if weight is None else weight[r]
            if labels[r] >= 0:
                _add(tile, places[i], -w, labels[r], counts, totals)
            _add(tile, places[i], w, own[i], counts, totals)
            labels[r] = own[i]


@njit(nogil=True, cache=True)
def recount(
    block: Array, weight: Array | None, labels: Array, counts: Array, totals: Array
) -> None:
    """Set the sums of a block from its labels alone."""
    for c in range(len(counts)):
        counts[c] = 0
        for f in range(len(block)):
            totals[c, f] = 0
    for r in range(block.shape[1]):
        _add(block, r, 1.0 if weight is None else weight[r], labels[r], counts, totals)


@njit(nogil=True, cache=True)
def _add(block: Array, r: int, weight: float, c: int, counts: Array, totals: Array) -> None:
    counts[c] += weight
    for f in range(block.shape[0]):
        totals[c, f] += weight * np.float64(block[f, r])


@njit(nogil=True, cache=True)
def step(means: Array, centers: Array, loss: Array) -> None:
    """Move ``centers``, which are float32, to the means, and set what gaps lose by this.

    A row loses the step of its own centre and the longest of the other centres.
    """
    k, p = means.shape
    steps, widest = np.empty(k), 0
    for c in range(k):
        square = 0.0
        for f in range(p):
            placed = np.float32(means[c, f])
            square += (np.float64(placed) - np.float64(centers[c, f])) ** 2
            centers[c, f] = placed
        steps[c] = np.sqrt(square) * (1 + 1e-6)  # so that float32 rounds to no less
        if steps[c] > steps[widest]:
            widest = c
    runner_up = 0.0
    for c in range(k):
        if c != widest:
            runner_up = max(runner_up, steps[c])
    for c in range(k):
        loss[c] = steps[c] + (runner_up if c == widest else steps[widest])
