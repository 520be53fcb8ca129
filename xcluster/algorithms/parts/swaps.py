"""Local search for k-means: move a centre from where it is useless to where one is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.bounded import BoundedLloyd
from xcluster.algorithms.parts.frame import Frame
from xcluster.algorithms.parts.placed import PlacedRows

Array = NDArray[Any]
Iterate = Callable[[BoundedLloyd, float], int]
Swap = tuple[int, int, Array, Array]

TRIES = 24
"""Number of swaps without success after which the search ends."""
BUDGET = 4
"""Share of the passes of a start (and of choosing its rows) that its search may take."""
CHOOSING = 3
"""Number of passes that choosing the rows of a start takes, about."""
REMOVED = 8
"""Number of centres that may be removed: those whose rows are nearest to another centre."""
PROMISING = 0.35
"""Least gain of a swap, as a share of its loss. Both are estimates before Lloyd's iteration, which
makes up for a part of the loss; less than this it never made up for."""
REMAINS = 0.8
"""Share of the loss with which swaps are ordered."""
BETTER = 1e-5
"""Share of the within sum of squares by which a swap must lower it."""
OUTLYING = 2
"""Factor by which the gain must be larger if the rows farthest from the mean are cut off."""
SLIVER = 1e-9
"""Share of a cluster below which what is left of it is rounding alone."""
TURNS, CUTS = 2, 3
"""Iterations that find the main axis of each cluster, and that cut the cluster across it."""


def improve(run: BoundedLloyd, iterate: Iterate, passes: int, tries: int = TRIES) -> None:
    """Swap centres of a run that has converged, as long as its sum of squares falls.

    A swap removes one centre and splits the cluster of another one in two. Which swap to try
    follows from estimates: what the rows of each centre would lose without it (as swaps of
    Kanungo et al. [1]_ with all candidates at once, the utility of Fritzke [2]_), and what each
    cluster gains if it is cut across its main axis. Lloyd's iteration follows every swap.

    Parameters
    ----------
    run : BoundedLloyd
        Changed in place.
    iterate : callable
        Iterates a run; it may give up where the run would not rise above the second argument.
    passes : int
        Number of passes in which it converged. The search may take some times as many.
    tries : int, default 24
        Number of swaps without success after which the search ends.

    References
    ----------
    .. [1] T. Kanungo et al., "A local search approximation algorithm for k-means clustering",
       Computational Geometry 28 (2004), 89-112.
    .. [2] B. Fritzke, "Breathing k-means", arXiv 2006.15666 (2020).
    """
    squares = run.rows.moments()[2]
    left = BUDGET * (passes + CHOOSING)
    improving = len(run.means) > 1
    while improving:
        best, value = run.kept(), run.between()
        wanted = value + BETTER * (squares - value)
        improving = False
        for swap in _swaps(run, tries):
            run.swap(*swap)
            left -= iterate(run, wanted)
            improving = bool(run.counts.all()) and run.between() > wanted
            if improving:
                break
            run.restore(best)
            if left <= 0:
                break


def shrink(centers: Array, X: Array, sample_weight: Array | None = None) -> Array:
    """Leave out the most useless centre: the start of a fit with one cluster less.

    It is that without which the sum of squares would rise least.

    Parameters
    ----------
    centers : array of shape (n_clusters, n_features)
        Two or more.
    X : array of shape (n_samples, n_features), float32 or float64
    sample_weight : array of shape (n_samples,), optional

    Returns
    -------
    array of shape (n_clusters - 1, n_features)

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0], [1.0], [9.0]])
    >>> shrink(X, X)
    array([[1.],
           [9.]])
    """
    frame = Frame.of(X, sample_weight)
    run = BoundedLloyd(
        PlacedRows.of(X, sample_weight, frame), (centers - frame.origin) / frame.unit
    )
    run.assign()
    useless = _losses(run) if run.counts.all() else run.counts
    return np.delete(centers, int(np.argmin(useless)), axis=0)


def _swaps(run: BoundedLloyd, tries: int) -> list[Swap]:
    """Return the most promising swaps, the best first: what `BoundedLloyd.swap` is given."""
    first, second, gain = _halves(run)
    loss = _losses(run)
    profit = gain[:, None] - REMAINS * loss
    profit[gain[:, None] <= PROMISING * loss] = -np.inf
    np.fill_diagonal(profit, -np.inf)
    best = np.argsort(-profit, axis=None, kind="stable")[:tries]
    pairs = np.transpose(np.unravel_index(best, profit.shape)).tolist()
    return [(c, r, first[c], second[c]) for c, r in pairs if profit[c, r] > -np.inf]


def _losses(run: BoundedLloyd) -> Array:
    """Return what the sum of squares rises by without each centre; inf for the useful ones.

    Each row goes to the second nearest centre, which then moves to the new mean.
    """
    from xcluster.algorithms.kernels.swaps import transfers, two_nearest

    rows, k = run.rows, len(run.means)
    near = rows.each(lambda b: two_nearest(rows.blocks[b], run.centers))

    def of_block(b: int) -> tuple[Array]:
        own, _, excess = near[b]
        weight = rows.weights[b]
        return (np.bincount(own, excess if weight is None else excess * weight, minlength=k),)

    (rise,) = rows.summed(of_block)
    least = np.argsort(rise, kind="stable")[:REMOVED]
    slots = np.full(k, -1)
    slots[least] = np.arange(len(least))
    moved, totals = rows.summed(
        lambda b: transfers(
            rows.blocks[b], rows.weights[b], near[b][0], near[b][1], slots, len(least)
        )
    )
    drawn = np.sum((totals - moved[..., None] * run.means) ** 2, axis=2) / (run.counts + moved)
    losses = np.full(k, np.inf)
    losses[least] = rise[least] - drawn.sum(axis=1)
    return losses


def _halves(run: BoundedLloyd) -> tuple[Array, Array, Array]:
    """Return the means of the two halves of each cluster, and by what the split lowers the sum.

    Each cluster is cut across its main axis. If some rows are very far from the others, it gains
    much more to cut these off, and little after that from Lloyd's iteration.
    """
    farthest = _farthest(run)
    normals = _unit(farthest - run.means)
    for _ in range(TURNS):
        some, totals = _beyond(run, normals, run.means, cut=False)
        normals = _unit(totals - some[:, None] * run.means)
    cuts = [
        _cut(run, normals, run.means),
        _cut(run, farthest - run.means, (farthest + run.means) / 2),
    ]
    firsts, seconds, gains = (np.stack(part) for part in zip(*cuts, strict=True))
    better = (gains[1] > OUTLYING * gains[0]).astype(int), np.arange(len(run.means))
    return firsts[better], seconds[better], gains[better]


def _cut(run: BoundedLloyd, normals: Array, points: Array) -> tuple[Array, Array, Array]:
    """Return what `_halves` does, from cuts through points; two means of each cluster follow."""
    counts = run.counts
    for _ in range(CUTS):
        some, totals = _beyond(run, normals, points, cut=True)
        rest = counts - some
        split = (some > 0) & (rest > SLIVER * counts)
        sizes = np.where(split, some, 1.0)[:, None], np.where(split, rest, 1.0)[:, None]
        first = np.where(split[:, None], totals / sizes[0], run.means)
        second = np.where(split[:, None], (counts[:, None] * run.means - totals) / sizes[1], first)
        normals, points = first - second, (first + second) / 2
    gains = some * rest / counts * np.sum(normals**2, axis=1)
    return first, second, gains


def _beyond(run: BoundedLloyd, normals: Array, points: Array, cut: bool) -> tuple[Array, ...]:
    """Return the sums of rows beyond the plane through a point of their cluster."""
    from xcluster.algorithms.kernels.swaps import beyond

    rows, along = run.rows, normals.astype(np.float32)
    levels = np.einsum("kp,kp->k", normals, points).astype(np.float32)
    return rows.summed(
        lambda b: beyond(rows.blocks[b], rows.weights[b], run.labels[b], along, levels, cut)
    )


def _farthest(run: BoundedLloyd) -> Array:
    """Return the row farthest from the mean of each cluster."""
    from xcluster.algorithms.kernels.swaps import farthest

    rows = run.rows
    found = rows.each(
        lambda b: farthest(rows.blocks[b], rows.weights[b], run.centers, run.labels[b])
    )
    squared, points = (np.stack(part) for part in zip(*found, strict=True))
    best = np.argmax(squared, axis=0), np.arange(len(run.means))
    return np.asarray(points[best], np.float64)


def _unit(directions: Array) -> Array:
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    units: Array = directions / np.where(lengths > 0, lengths, 1.0)
    return units
