"""Lloyd's iteration over rows in memory that measures only rows which may change their label."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.placed import BLOCK_ROWS, PlacedRows

Array = NDArray[Any]
State = list[Array]

MANY = np.iinfo(np.int16).max

LITTLE_WORK = 1_000_000
"""Rows times features times centres up to which products cost more to call than they save."""


class BoundedLloyd:
    """One run of Lloyd's iteration, with Hamerly's bounds [1]_.

    Its labels are those of the nearest centre among all, in float32, as if every row had been
    measured in every pass. Sums are changed by the rows that move, in float64, block by block.

    Parameters
    ----------
    rows : PlacedRows
    centers : array of shape (n_clusters, n_features), float64
        Starts, in the frame of the rows.

    Attributes
    ----------
    means : array of shape (n_clusters, n_features), float64
        Centres in the frame.
    labels : list of arrays of int16, or of int32 for very many clusters
        Of each block, by the centres before the last step.

    References
    ----------
    .. [1] G. Hamerly, "Making k-means even faster", SIAM International Conference on Data Mining
       2010, 130-140.
    """

    def __init__(self, rows: PlacedRows, centers: Array) -> None:
        (k, p), n, n_blocks = centers.shape, sum(b.shape[1] for b in rows.blocks), len(rows.blocks)
        self.rows = rows
        integers = np.int16 if k <= MANY else np.int32  # half the memory
        self._own = np.full(n, -1, integers), np.zeros(n, np.float32)
        self.labels, self.gaps = (
            np.split(each, range(BLOCK_ROWS, n, BLOCK_ROWS)) for each in self._own
        )
        self._parts = np.zeros((n_blocks, k)), np.zeros((n_blocks, k, p))
        self.counts, self.totals = np.zeros(k), np.zeros((k, p))
        self.means, self.centers = np.empty((k, p)), np.empty((k, p), np.float32)
        self.loss = np.zeros(k, np.float32)
        self._run = self.counts, self.totals, self.means, self.centers, self.loss
        self.place(centers)

    def place(self, centers: Array) -> None:
        """Take other centres; every row is measured again."""
        self.means[:] = centers
        self.centers[:] = centers
        self._own[1][:] = 0

    def kept(self) -> State:
        """Return a copy of all that passes change."""
        return [each.copy() for each in self._changing()]

    def restore(self, state: State) -> None:
        """Go back to where `kept` was called."""
        for each, before in zip(self._changing(), state, strict=True):
            each[...] = before

    def _changing(self) -> Iterator[Array]:
        return chain(self._own, self._parts, self._run)

    def swap(self, split: int, removed: int, first: Array, second: Array) -> None:
        """Move two centres next to where the first of them is.

        To rows of other centres, none of the two comes nearer than the first was by more than
        its distance from there. So their bounds still hold, less this distance.
        """
        away = np.array([first, second], np.float32) - self.centers[split].astype(np.float64)
        steps = np.linalg.norm(away, axis=1)
        self.loss += np.float32(steps.max() * (1 + 1e-6))
        self.loss[[split, removed]] = np.inf
        for c, center in ((split, first), (removed, second)):
            self.means[c] = self.centers[c] = center

    def assign(self) -> None:
        """Label every row by its nearest centre."""
        from xcluster.algorithms.kernels import bounds, runs

        def recount(b: int) -> None:
            block, weight = self.rows.blocks[b], self.rows.weights[b]
            bounds.recount(block, weight, self.labels[b], *self._part(b))

        self.rows.each(self._settle)
        if runs.merge(self._parts, self._run):
            self.rows.each(recount)
            runs.merge(self._parts, self._run)

    def _part(self, b: int) -> tuple[Array, Array]:
        return self._parts[0][b], self._parts[1][b]

    def _settle(self, b: int) -> None:
        from xcluster.algorithms.kernels import bounds

        block = self.rows.blocks[b]
        changed = self.centers, self.loss, self.labels[b], self.gaps[b], *self._part(b)
        if self._in_lanes:
            bounds.settle(block, self.rows.weights[b], *changed)
        else:
            bounds.settle_by_products(block, self.rows.norms[b], self.rows.weights[b], *changed)

    @property
    def _in_lanes(self) -> bool:
        from xcluster.algorithms.kernels import lloyd

        work = len(self._own[0]) * self.means.size
        return self.means.shape[1] < lloyd.PRODUCT_FEATURES or work <= LITTLE_WORK

    def step(self) -> None:
        """Move each centre to the mean of its rows."""
        from xcluster.algorithms.kernels import runs

        runs.conclude(self._run, 0.0, -np.inf, -np.inf)

    def iterate(self, most: int, limit: float, wanted: float) -> tuple[int, int]:
        """Make passes until one ends the run or leaves a centre without rows.

        Parameters are those of `iterate_bounded`. Returns the number of passes and a state of
        `kernels.runs`.
        """
        from xcluster.algorithms.kernels import runs

        if self.rows.few and self._in_lanes:
            given = self.rows.values, self.rows.weight, BLOCK_ROWS, self._own, self._parts
            done, state = runs.repeat(*given, self._run, most, limit, wanted)
            return done, state
        before = -np.inf
        for done in range(1, most + 1):
            self.assign()
            state, before = runs.conclude(self._run, limit, wanted, before)
            if state != runs.ON:
                return done, state
        return most, runs.ON

    def between(self) -> float:
        """Return the sum of squares of the cluster means about the origin, by weight."""
        from xcluster.algorithms.kernels import runs

        return float(runs.between(self.counts, self.totals))

    def within(self) -> Array:
        """Return each cluster's sum of squares about its centre, in units of the frame."""
        from xcluster.algorithms.kernels import bounds

        def of_block(b: int) -> Array:
            squared = bounds.squared_to_own(self.rows.blocks[b], self.centers, self.labels[b])
            weight = self.rows.weights[b]
            weighted = squared if weight is None else squared * weight
            return np.bincount(self.labels[b], weighted, minlength=len(self.centers))

        within: Array = np.sum(self.rows.each(of_block), axis=0)
        return within


def iterate_bounded(
    run: BoundedLloyd,
    max_passes: int,
    limit: float,
    refill: Callable[[BoundedLloyd], Array],
    wanted: float = -np.inf,
) -> int:
    """Repeat until the squared shift is within the limit; return the number of passes.

    Parameters
    ----------
    run : BoundedLloyd
    max_passes : int
    limit : float
    refill : callable
        Returns the next centres of a run in which a cluster is empty.
    wanted : float, optional
        A run that will hardly come to have more `BoundedLloyd.between` than this is given up, as
        is one in which a cluster is empty.
    """
    from xcluster.algorithms.kernels.runs import EMPTY

    passes = 0
    while passes < max_passes:
        done, state = run.iterate(max_passes - passes, limit, wanted)
        passes += done
        if state != EMPTY or wanted > -np.inf:
            break
        run.place(refill(run))
    return passes
