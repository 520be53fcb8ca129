"""Means of the fitted rows in data units, each by the weights that its clusterer gives the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.bounded import MANY
from xcluster.algorithms.parts.inputs import weight_or_ones
from xcluster.algorithms.parts.moments import near_mean, pieces
from xcluster.algorithms.parts.sums import Exact
from xcluster.base.parallel import map_threads
from xcluster.chain.reduction import Chain

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Means:
    """Means of rows of features.

    Parameters
    ----------
    rows : array of shape (n_raw, n_features)
        The mean of each of the clusterer's own numbers; NaN where no row counts.
    weight : array of shape (n_raw,)
        How much the rows of each number weigh together.
    """

    rows: Array
    weight: Array

    def back(self, chain: Chain, span: tuple[Array, Array] | None = None) -> Means:
        """Return these means of transformed rows as means of features, which lie within ``span``.

        Without these extremes of the features rounding could make means of counts negative.
        """
        some = np.asarray(np.isfinite(self.rows).all(axis=1))
        found = np.asarray(chain.inverse(self.rows[some]))
        rows = np.full((len(some), found.shape[1]), np.nan)
        rows[some] = found
        return Means(rows if span is None else np.clip(rows, *span), self.weight)

    def filled(self, chain: Chain, centers: Array | None) -> Means:
        """Return these means, with centres taken back for the numbers that have no rows."""
        empty = ~(self.weight > 0)
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
    """Whether a clusterer that was fitted block by block knows its means of features."""
    return chain.keeps_means and getattr(estimator, "row_means", None) is not None


def shares_of(estimator: Any, Z: Array, labels: Callable[[Array], Array]) -> Array:
    """Return how much rows count: their labels (n,), or a share of each number (n_raw, n)."""
    if hasattr(estimator, "row_shares"):
        return np.asarray(estimator.row_shares(Z))
    if hasattr(estimator, "predict_proba"):
        return np.ascontiguousarray(np.asarray(estimator.predict_proba(Z), np.float64).T)
    return labels(Z)


def of_rows(X: Array, shares: Array, weight: Array | None, n_raw: int) -> Means:
    """Return the means of rows in memory, summed in double precision over blocks of fixed size."""
    X, origin = np.ascontiguousarray(X), near_mean(X)

    def of_piece(rows: slice) -> tuple[Array, Array]:
        part = None if weight is None else weight[rows]
        return _sums(X[rows], shares[..., rows], part, origin, n_raw)

    found = zip(*map_threads(of_piece, pieces(X)), strict=True)
    counts, totals = (np.sum(part, axis=0) for part in found)
    return _means(counts, totals, origin)


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


def _means(counts: Array, totals: Array, origin: Array) -> Means:
    some = counts > 0
    rows = np.full(totals.shape, np.nan)
    rows[some] = origin + totals[some] / counts[some, None]
    return Means(rows, counts)


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
    """

    estimator: Any
    sums: Exact
    n_raw: int

    def __call__(self, X: Array, Z: Array, weight: Array | None) -> dict[str, Array]:
        """Return the exact sums of a block of rows, which are ``Z`` behind the steps."""
        shares = shares_of(self.estimator, Z, self.estimator.predict)
        of_block = self._of_shares if shares.ndim == 2 else self._of_labels
        counts, totals = of_block(np.ascontiguousarray(X), shares, weight)
        return {"means_weight": counts, "means_rows": totals}

    def _of_labels(self, X: Array, labels: Array, weight: Array | None) -> tuple[Array, Array]:
        from xcluster.algorithms.kernels.lloyd import exact_sums

        sums, k = self.sums, self.n_raw + 1
        bound = sums.heaviest * np.array([*sums.about(sums.origin), 1.0, 1.0])
        groups, nothing = _groups(labels, self.n_raw, np.int32), np.zeros(len(X), np.float32)
        given = X, sums.origin, weight, groups, nothing, k, sums.grids(bound)
        counts, totals, _ = exact_sums(*given)
        return counts[:, :-1], totals[:, :-1]

    def _of_shares(self, X: Array, shares: Array, weight: Array | None) -> tuple[Array, Array]:
        sums, powers = self.sums, shares * weight_or_ones(weight, len(X))
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
        return _means(sums["means_weight"], sums["means_rows"], self.sums.origin)
