"""Lloyd's iteration over rows in memory that measures only rows which may change their label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.placed import PlacedRows

Array = NDArray[Any]

MANY = np.iinfo(np.int16).max
LITTLE = 1e-6
"""A cluster with less than this share of all weight is counted again: it may be rounding alone."""
PATIENCE = 10
"""Number of passes as good as the last one after which a run must have reached what is wanted."""


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
        k, p = centers.shape
        self.rows = rows
        lengths = [block.shape[1] for block in rows.blocks]
        integers = np.int16 if k <= MANY else np.int32  # half the memory
        self.labels = [np.full(n, -1, integers) for n in lengths]
        self.gaps = [np.zeros(n, np.float32) for n in lengths]
        self.loss = np.zeros(k, np.float32)
        self._counts, self._totals = np.zeros((len(lengths), k)), np.zeros((len(lengths), k, p))
        self.place(centers)

    def place(self, centers: Array) -> None:
        """Take other centres; every row is measured again."""
        self.means = np.array(centers, dtype=np.float64)
        self.centers = self.means.astype(np.float32)
        for gap in self.gaps:
            gap[:] = 0

    def assign(self) -> None:
        """Label every row by its nearest centre."""
        self.rows.each(self._settle)
        self.loss[:] = 0
        self._merge()
        if self.counts.min() < LITTLE * self.counts.sum():
            self._recount()

    def _settle(self, b: int) -> None:
        from xcluster.algorithms.kernels import bounds, lloyd

        block, sums = self.rows.blocks[b], (self._counts[b], self._totals[b])
        changed = self.centers, self.loss, self.labels[b], self.gaps[b], *sums
        if len(block) < lloyd.PRODUCT_FEATURES:
            bounds.settle(block, self.rows.weights[b], *changed)
        else:
            bounds.settle_by_products(block, self.rows.norms[b], self.rows.weights[b], *changed)

    def step(self) -> float:
        """Move each centre to the mean of its rows; return the squared shift of all."""
        from xcluster.algorithms.kernels import bounds

        before, self.means = self.means, self.totals / self.counts[:, None]
        bounds.step(self.means, self.centers, self.loss)
        return float(np.sum((self.means - before) ** 2))

    def between(self) -> float:
        """Return the sum of squares of the cluster means about the origin, by weight."""
        squares = np.einsum("kp,kp->k", self.totals, self.totals)
        return float(squares @ (1 / np.where(self.counts > 0, self.counts, np.inf)))

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

    def _merge(self) -> None:
        self.counts, self.totals = self._counts.sum(axis=0), self._totals.sum(axis=0)

    def _recount(self) -> None:
        from xcluster.algorithms.kernels import bounds

        def of_block(b: int) -> None:
            block, weight = self.rows.blocks[b], self.rows.weights[b]
            bounds.recount(block, weight, self.labels[b], self._counts[b], self._totals[b])

        self.rows.each(of_block)
        self._merge()


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
    before, trial = -np.inf, wanted > -np.inf
    for done in range(1, max_passes + 1):
        run.assign()
        if not run.counts.all():
            if trial:
                return done
            run.place(refill(run))
            continue
        now = run.between() if trial else 0.0
        if run.step() <= limit or (trial and now + PATIENCE * max(now - before, 0) < wanted):
            return done
        before = now
    return max_passes
