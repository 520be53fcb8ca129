"""How values of rows are added: in their order, or so that blocks and order do not matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from xcluster.algorithms.parts.gaps import has_gaps
from xcluster.base.arrays import Array

SLACK = 4.0
"""All rows reach no farther, as a first guess, than this times those of the sample."""


@dataclass(frozen=True, eq=False)
class Plain:
    """Sums of rows that always come in the same blocks and order."""

    heaviest: float = 0.0
    gaps: bool = True
    """Whether rows may lack features."""

    def about(self, center: Any) -> Array:
        """Return zeros: no bounds are needed."""
        return np.zeros(np.shape(center))

    def grids(self, bound: Any) -> Any:
        """Return nothing: values are not cut."""
        return None

    def nothing(self, *shape: int) -> Array:
        """Return sums of no rows."""
        return np.zeros(shape)

    def total(self, values: Array, bound: Any) -> Array:
        """Return the sum over the last axis."""
        return np.asarray(values.sum(axis=-1))

    def products(self, A: Array, B: Array, grids: Any) -> Array:
        """Return ``A @ B.T``."""
        return np.asarray(A @ B.T)


PLAIN = Plain()


@dataclass(frozen=True, eq=False)
class Exact:
    """Sums that no chunks and no order of the rows change by a bit.

    Sums have a first axis of 4 high and low parts. Those of several blocks are added part by part,
    which is exact up to 4e9 rows in 8e6 tiles; `rounded` makes one number of the parts.

    Parameters
    ----------
    origin : array of shape (n_features,)
    reach : array of shape (n_features,)
        No row lies farther from the origin.
    heaviest : float
        No weight is larger.
    gaps : bool, default True
        Whether rows may lack features; to look for them takes time.
    """

    origin: Array
    reach: Array
    heaviest: float
    gaps: bool = True

    @classmethod
    def guessed(cls, X: Array, weight: Array | None) -> Exact:
        """Return bounds that should hold for all rows, from a sample of them."""
        origin = _middle(X)
        seen = cls(origin, np.zeros(len(origin)), 1.0).extent(X, weight)
        return cls(origin, SLACK * seen["reach"], SLACK * float(seen["heaviest"]))

    @classmethod
    def spanning(cls, X: Array, least: Array, greatest: Array, heaviest: float) -> Exact:
        """Return bounds around all rows, of which ``X`` is a sample, from their extremes.

        The rows may be rounded, in the precision of ``X``, from those that have these extremes.
        """
        origin = _middle(X)
        size = np.maximum(np.abs(least), np.abs(greatest))
        reach = 2 * np.maximum(greatest - origin, origin - least)
        return cls(origin, reach + 8 * np.finfo(X.dtype).eps * size, 2 * heaviest)

    def extent(self, X: Array, weight: Array | None) -> dict[str, Array]:
        """Return how far these rows reach from the origin, and their largest weight."""
        if self.gaps and has_gaps(X):
            from xcluster.algorithms.kernels import gaps

            X, _ = gaps.split(X, self.origin)  # which does not lie far from itself
        below = self.origin - _by_feature(np.minimum, X, np.inf)
        above = _by_feature(np.maximum, X, -np.inf) - self.origin
        heaviest = 1.0 if weight is None else weight.max(initial=0.0)
        reach = np.maximum(np.maximum(below, above), 0.0)
        return {"reach": reach, "heaviest": np.asarray(heaviest)}

    def widened(self, extent: Mapping[str, Array]) -> Exact:
        """Return bounds within which an extent lies: these if they are wide enough."""
        reach, heaviest = extent["reach"], float(extent["heaviest"])
        if (reach <= self.reach).all() and heaviest <= self.heaviest:
            return self
        widest = np.maximum(reach, self.reach)
        return replace(self, reach=widest, heaviest=max(heaviest, self.heaviest))

    def about(self, center: Any) -> Array:
        """Return how far a row may lie from ``center``, by feature."""
        return np.asarray(self.reach + np.abs(self.origin - center))

    def grids(self, bound: Any) -> Any:
        """Return the grids on which values within a bound are cut."""
        from xcluster.algorithms.kernels import sums

        return sums.grids(bound)

    def nothing(self, *shape: int) -> Array:
        """Return the parts of sums of no rows."""
        return np.zeros((4, *shape))

    def total(self, values: Array, bound: Any) -> Array:
        """Return the parts of the sum over the last axis, of values within the bound."""
        rows = np.atleast_2d(values)
        grids = self.grids(np.broadcast_to(np.ravel(bound), (1, len(rows))))
        parts = self.products(np.ones((1, rows.shape[1])), rows, grids)
        return parts.reshape(4, *values.shape[:-1])

    def products(self, A: Array, B: Array, grids: Any) -> Array:
        """Return the parts of ``A @ B.T``; the grids are for each single product."""
        from xcluster.algorithms.kernels import sums

        return sums.products(A, B, grids)


Sums = Plain | Exact

WIDE = 512
"""Values that are compared at once."""


def extremes(X: Array) -> tuple[Array, Array]:
    """Return the least and the greatest value of each feature; infinite ones if no row has it."""
    least, greatest = _by_feature(np.minimum, X, np.inf), _by_feature(np.maximum, X, -np.inf)
    if np.isnan(least).any():  # slower, but gaps do not count
        least, greatest = _by_feature(np.fmin, X, np.inf), _by_feature(np.fmax, X, -np.inf)
    return least, greatest


def _by_feature(rule: np.ufunc, X: Array, nothing: float) -> Array:
    """Return the least or greatest values; numpy is several times slower on rows this narrow."""
    n, p = X.shape
    at_once = max(WIDE // max(p, 1), 1)
    many = n // at_once * at_once
    wide = rule.reduce(X[:many].reshape(-1, at_once * p), axis=0, initial=nothing)
    return np.asarray(
        rule.reduce(np.concatenate([wide.reshape(at_once, p), X[many:]]), axis=0, initial=nothing)
    )


def _middle(X: Array) -> Array:
    """Return the median of each feature, in float64."""
    median = np.nanmedian if has_gaps(X) else np.median
    return np.asarray(median(X, axis=0)).astype(np.float64)


def rounded(parts: Array) -> Array:
    """Return the sums that high and low parts make."""
    high, low, finer_high, finer_low = parts
    return np.asarray((high + low) + (finer_high + finer_low))


WIDTH = 52
"""Bits of a bin; a bin begins at each multiple of this exponent."""
LOWEST = -21
"""The bin of the smallest numbers."""


@dataclass(frozen=True, eq=False)
class Binned:
    """Sums that no chunks and no order of the rows change, where no bounds are known beforehand.

    Each sum keeps two bins or more: that of the largest value so far, and the next. As bins begin
    at fixed exponents, any block cuts a value at the same places, and drops whole bins.

    Parameters
    ----------
    top : array of int
        The upper bin of each sum.
    parts : array of shape (2 * n_bins, ...)
        High and low parts in each bin, from the upper one on.
    """

    top: Array
    parts: Array

    @classmethod
    def products(cls, A: Array, B: Array) -> Binned:
        """Return the sums ``A @ B.T``, of shape (k, q), for A of shape (k, n) and B (q, n)."""
        from xcluster.algorithms.kernels import sums

        size = np.abs(A).max(axis=0, initial=0.0)
        largest = (size * np.abs(B)).max(axis=1, initial=0.0)
        top = -(-(np.frexp(largest)[1] + 1 - WIDTH) // WIDTH)
        top = np.tile(np.where(largest > 0, top, LOWEST), (len(A), 1))
        bound = np.ldexp(0.5, WIDTH * top + WIDTH - 1)
        return cls(top, sums.products(A, B, sums.grids(bound)))

    @classmethod
    def by_label(cls, rows: Array, weight: Array | None, labels: Array, n_labels: int) -> Binned:
        """Return the (weighted) sums of the rows of each label, of shape (n_labels, q)."""
        top = np.full((n_labels, rows.shape[1]), LOWEST)
        parts = np.zeros((4, *top.shape))
        for label in np.unique(labels):
            mine = labels == label
            share = np.ones(mine.sum()) if weight is None else weight[mine]
            found = cls.products(share[None], rows[mine].T.astype(np.float64))
            top[label], parts[:, label] = found.top[0], found.parts[:, 0]
        return cls(top, parts)

    def __add__(self, other: Binned) -> Binned:
        """Return the sums of the rows of both."""
        top = np.maximum(self.top, other.top)
        return Binned(top, self.below(top).parts + other.below(top).parts)

    def below(self, top: Array) -> Binned:
        """Return the same sums with the bins from ``top`` on, which is no lower than before."""
        lower = 2 * (top - self.top)
        parts = np.zeros_like(self.parts)
        for moved in range(0, len(parts), 2):
            parts[moved:] += np.where(lower == moved, self.parts[: len(parts) - moved], 0.0)
        return Binned(top, parts)

    def total(self) -> Array:
        """Return the sums."""
        return rounded(self.parts)

    def exact(self) -> Array:
        """Return the sums as exact fractions."""
        parts: Array = np.asarray(np.frompyfunc(Fraction, 1, 1)(self.parts))
        return np.asarray(parts.sum(axis=0))
