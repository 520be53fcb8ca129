"""Means of the fitted rows in data units, each by the weights that its clusterer gives the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.bounded import MANY
from xcluster.algorithms.parts.frame import rounded_as
from xcluster.algorithms.parts.gaps import LEAST_KNOWN
from xcluster.algorithms.parts.inputs import weight_or_ones
from xcluster.algorithms.parts.moments import FIRST_ROWS, near_mean, pieces
from xcluster.algorithms.parts.sums import Exact, Sums
from xcluster.base.parallel import map_threads
from xcluster.base.streaming import Statistics
from xcluster.chain.reduction import Chain

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Means:
    """Means of rows of features.

    Parameters
    ----------
    rows : array of shape (n_raw, n_features)
        The mean of each of the clusterer's own numbers; NaN where no row counts.
    weight : array of shape (n_raw,) or (n_raw, n_features)
        How much the rows of each number weigh together; if rows may have gaps, those that have
        each feature.
    """

    rows: Array
    weight: Array

    def back(self, chain: Chain, span: tuple[Array, Array] | None = None) -> Means:
        """Return these means of transformed rows as means of features, which lie within ``span``.

        Without these extremes of the features rounding could make means of counts negative.
        """
        some = chain.usable(self.rows)
        found = np.asarray(chain.inverse(self.rows[some]))
        rows = np.full((len(some), found.shape[1]), np.nan)
        rows[some] = found
        return Means(rows if span is None else np.clip(rows, *span), self.weight)

    def filled(self, chain: Chain, centers: Array | None) -> Means:
        """Return these means, with centres taken back for the numbers that have no rows."""
        some = self.weight > 0
        empty = ~(some if some.ndim == 1 else some.any(axis=1))
        if centers is None or not empty.any():
            return self
        taken_back = chain.inverse(centers[empty])
        if taken_back is None:
            return self
        rows = self.rows.copy()
        rows[empty] = taken_back
        return Means(rows, self.weight)


def are_prototypes(estimator: Any, chain: Chain) -> bool:
    """Whether the centres of a result are those of its clusterer, taken back."""
    return chain.inverts and getattr(estimator, "centers_are_prototypes", False)


def known_by(estimator: Any, chain: Chain) -> bool:
    """Whether a clusterer that was fitted block by block knows its means of features.

    If rows have gaps, steps must leave each feature by itself.
    """
    knows = getattr(estimator, "row_means", None) is not None
    return knows and chain.keeps_means and (chain.keeps_columns or not chain.gaps)


def shares_of(estimator: Any, Z: Array, labels: Callable[[Array], Array]) -> Array:
    """Return how much rows count: their labels (n,), or a share of each number (n_raw, n)."""
    if hasattr(estimator, "row_shares"):
        return np.asarray(estimator.row_shares(Z))
    if hasattr(estimator, "predict_proba"):
        return np.ascontiguousarray(np.asarray(estimator.predict_proba(Z), np.float64).T)
    return labels(Z)


def of_rows(X: Array, shares: Array, weight: Array | None, n_raw: int, gaps: bool = False) -> Means:
    """Return the means of rows in memory, summed in double precision over blocks of fixed size."""
    X = np.ascontiguousarray(X)
    summed = Summed(_near_known(X) if gaps else near_mean(X), gaps)

    def of_piece(rows: slice) -> tuple[Array, Array]:
        part = None if weight is None else weight[rows]
        return _sums(summed.rows(X[rows]), shares[..., rows], part, summed.about, n_raw)

    found = zip(*map_threads(of_piece, pieces(X)), strict=True)
    counts, totals = (np.sum(part, axis=0) for part in found)
    return summed.means(counts, totals)


@dataclass(frozen=True, eq=False)
class Summed:
    """How rows are summed: as they are or, if they may have gaps, beside which features are there.

    Parameters
    ----------
    origin : array of shape (n_features,)
        What is subtracted from the rows; of rows with gaps, rounded as they are.
    gaps : bool
        Whether rows may have gaps, which then count as the origin.
    """

    origin: Array
    gaps: bool

    @property
    def about(self) -> Array:
        """What is subtracted from each column that is summed."""
        return np.append(self.origin, np.zeros_like(self.origin)) if self.gaps else self.origin

    def rows(self, X: Array) -> Array:
        """Return the columns that are summed."""
        from xcluster.algorithms.kernels.gaps import split

        if not self.gaps:
            return np.ascontiguousarray(X)
        whole, lacking = split(X, self.origin)
        return np.hstack([whole, 1 - lacking])

    def means(self, counts: Array, totals: Array) -> Means:
        """Return the means from the weight of each number and the sums of its rows."""
        weight, p = counts, len(self.origin)
        of_each = counts[:, None]
        if self.gaps:
            weight = of_each = np.where(totals[:, p:] > LEAST_KNOWN * of_each, totals[:, p:], 0.0)
        some = np.broadcast_to(of_each > 0, (len(counts), p))
        rows = np.full(some.shape, np.nan)
        rows[some] = (self.origin + totals[:, :p] / np.where(some, of_each, 1.0))[some]
        return Means(rows, weight)


def _near_known(X: Array) -> Array:
    """Return the mean of the first values of each feature, rounded as the rows are."""
    known = (column[~np.isnan(column)][:FIRST_ROWS] for column in X.T)
    means = [each.mean(dtype=np.float64) if len(each) else 0.0 for each in known]
    return rounded_as(X, np.array(means))


def _sums(
    X: Array, shares: Array, weight: Array | None, origin: Array, n_raw: int
) -> tuple[Array, Array]:
    """Return the weight of each number, and the sum of its rows less the origin."""
    from xcluster.algorithms.kernels.lloyd import sums

    if shares.ndim == 2:
        powers = shares if weight is None else shares * weight
        return powers.sum(axis=1), powers @ (X - origin)
    # The labels stand in for distances, of which the sum is not wanted.
    labels = _groups(shares, n_raw, np.int16 if n_raw < MANY else np.int32)
    counts, totals, _ = sums(X, origin, weight, labels, labels, n_raw + 1)
    return counts[:-1], totals[:-1]


def _groups(labels: Array, n_raw: int, dtype: Any) -> Array:
    """Return labels with a last group for rows without one."""
    return np.where(labels < 0, n_raw, labels).astype(dtype)


@dataclass(frozen=True, eq=False)
class Beside:
    """What a pass of a clusterer over blocks sums of the features beside its own sums.

    Parameters
    ----------
    estimator
        The clusterer; its present parameters decide how much a row counts.
    sums
        How rows of features are added.
    n_raw : int
        How many numbers it gives.
    gaps : bool, default False
        Whether rows may have gaps.
    """

    estimator: Any
    sums: Exact
    n_raw: int
    gaps: bool = False

    def statistics(self, X: Array, Z: Array, weight: Array | None, sums: Sums) -> Statistics:
        """Return the statistics of a block of rows, ``Z`` behind the steps, with these sums."""
        found: Statistics
        if hasattr(self.estimator, "statistics_and_shares"):
            found, shares = self.estimator.statistics_and_shares(Z, weight, sums)
        else:
            found = self.estimator.partial_statistics(Z, weight, sums)
            shares = shares_of(self.estimator, Z, self.estimator.predict)
        return replace(found, sums={**found.sums, **self(X, shares, weight)})

    def __call__(self, X: Array, shares: Array, weight: Array | None) -> dict[str, Array]:
        """Return the exact sums of a block of rows, which have these labels or shares."""
        of_block = self._of_shares if shares.ndim == 2 else self._of_labels
        counts, totals = of_block(self._summed.rows(X), shares, weight)
        return {"means_weight": counts, "means_rows": totals}

    def _of_labels(self, X: Array, labels: Array, weight: Array | None) -> tuple[Array, Array]:
        from xcluster.algorithms.kernels.lloyd import exact_sums

        sums, k = self._bounds, self.n_raw + 1
        bound = sums.heaviest * np.array([*sums.about(sums.origin), 1.0, 1.0])
        groups, nothing = _groups(labels, self.n_raw, np.int32), np.zeros(len(X), np.float32)
        given = X, sums.origin, weight, groups, nothing, k, sums.grids(bound)
        counts, totals, _ = exact_sums(*given)
        return counts[:, :-1], totals[:, :-1]

    def _of_shares(self, X: Array, shares: Array, weight: Array | None) -> tuple[Array, Array]:
        sums, powers = self._bounds, shares * weight_or_ones(weight, len(X))
        away = np.append(sums.about(sums.origin), 1.0)
        grids = sums.grids(sums.heaviest * np.tile(away, (len(powers), 1)))
        found = sums.nothing(len(powers), len(away))
        for piece in pieces(X):
            lanes = np.ones((len(away), len(X[piece])))
            np.subtract(X[piece].T, sums.origin[:, None], out=lanes[:-1])
            found += sums.products(powers[:, piece], lanes, grids)
        return found[..., -1], found[..., :-1]

    def means(self, sums: Any) -> Means:
        """Return the means of all rows, from the sums of the last pass."""
        return self._summed.means(sums["means_weight"], sums["means_rows"])

    @property
    def _summed(self) -> Summed:
        return Summed(self.sums.origin, self.gaps)

    @property
    def _bounds(self) -> Exact:
        """How the columns that are summed are added."""
        if not self.gaps:
            return self.sums
        reach = np.append(self.sums.reach, np.ones_like(self.sums.reach))
        return replace(self.sums, origin=self._summed.about, reach=reach)
