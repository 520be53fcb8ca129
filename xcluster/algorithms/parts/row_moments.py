"""Extremes and moments of all rows, gathered in one pass, from which steps are fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any, Literal, Self

import numpy as np

from xcluster.algorithms.parts.moments import pieces
from xcluster.algorithms.parts.sums import LOWEST, WIDTH, Binned, Exact, extremes
from xcluster.base.arrays import Array
from xcluster.base.parallel import single_threaded_blas

Depth = Literal["extremes", "squares", "products"]
DEPTHS: tuple[Depth, ...] = ("extremes", "squares", "products")
"""What is gathered beside the extremes: nothing, means and variances, or covariances too."""

MOST_PRODUCTS = 64
"""Features up to which their products are summed beside a sample. Time grows with their square."""

HIGHEST = 18
"""The bin of the largest products: those of greater numbers overflow."""
LARGEST, SMALLEST = 900, -800
"""Binary exponents within which all digits of a product, and of its rest, are numbers."""


@dataclass(frozen=True, eq=False)
class Moments:
    """What steps are fitted to if they need no more of the rows than this.

    Parameters
    ----------
    count, weight, squared_weight : float
        Number of the rows, and the sums of their weights and squared weights.
    least, greatest : array of shape (n_features,)
        The extremes of the rows or, behind a rotation, bounds on them.
    heaviest : float
        The largest weight.
    rounding : float
        Relative rounding error of the values.
    mean : array of shape (n_features,), optional
    scatter : array of shape (n_features,) or (n_features, n_features), optional
        Weighted sums of squares, or of all products, of the rows less their mean.
    are_extremes
        Whether some row has each of the extremes.
    """

    count: float
    weight: float
    squared_weight: float
    least: Array
    greatest: Array
    heaviest: float
    rounding: float
    mean: Array | None = None
    scatter: Array | None = None
    are_extremes: bool = True

    @property
    def squares(self) -> Array | None:
        """Weighted sums of squares of each feature less its mean."""
        return self.scatter if self.products is None else self.products.diagonal()

    @property
    def products(self) -> Array | None:
        """Weighted sums of products of any two features less their means."""
        return None if self.scatter is None or self.scatter.ndim == 1 else self.scatter

    def through(self, transformer: Any) -> Moments | None:
        """Return the moments of the rows behind a step; None if these do not tell them."""
        if not getattr(transformer, "is_affine", False):
            return None
        center, factor = transformer.affine
        return (self._scaled if factor.ndim == 1 else self._rotated)(center, factor)

    def _scaled(self, center: Array, factor: Array) -> Moments:
        least, greatest = (self.least - center) * factor, (self.greatest - center) * factor
        scaled = replace(self, least=least, greatest=greatest)
        if self.mean is None or self.scatter is None:
            return scaled
        factors = factor**2 if self.scatter.ndim == 1 else np.outer(factor, factor)
        return replace(scaled, mean=(self.mean - center) * factor, scatter=self.scatter * factors)

    def _rotated(self, center: Array, axes: Array) -> Moments:
        ends = np.sort([self.least - center, self.greatest - center], axis=0)
        up, down = np.maximum(axes, 0), np.minimum(axes, 0)
        with single_threaded_blas():
            least, greatest = up @ ends[0] + down @ ends[1], up @ ends[1] + down @ ends[0]
            bounded = replace(self, least=least, greatest=greatest, are_extremes=False)
            if self.mean is None or self.products is None:
                return replace(bounded, mean=None, scatter=None)
            scatter = axes @ self.products @ axes.T
            return replace(bounded, mean=axes @ (self.mean - center), scatter=scatter)

    def bounds(self, X: Array) -> Exact:
        """Return bounds for the sums of all rows, of which ``X`` is a sample."""
        return Exact.spanning(X, self.least, self.greatest, self.heaviest)


@dataclass(frozen=True, eq=False)
class Gathered:
    """Sums of which `Moments` are made. They are the same in any blocks, as they are exact.

    Where a value has more digits than a product of two in double precision, its rest is summed too
    (`xcluster.algorithms.kernels.moments`). So the rows need no pivot, which could be known only
    from a pass before.

    Parameters
    ----------
    depth
        What is summed.
    count
        Number of the rows.
    least, greatest : array of shape (n_features,)
    heaviest : float
        The largest weight.
    rounding : float
        Relative rounding error of the values.
    sums : Binned
        Of the products of pairs of features, which `_pairs` lists; a further feature is 1.
    squared_weight : Binned
    behind : Gathered, optional
        The same of the rows behind the first step, if this learns nothing.
    """

    depth: Depth
    count: int
    least: Array
    greatest: Array
    heaviest: float
    rounding: float
    sums: Binned
    squared_weight: Binned
    behind: Gathered | None = None

    @classmethod
    def of(cls, X: Array, weight: Array | None, depth: Depth) -> Self:
        """Return what one block of rows gives; of rows with gaps only the extremes."""
        least, greatest = extremes(X)
        heaviest = 1.0 if weight is None else float(weight.max(initial=0.0))
        top = _tops(least, greatest, heaviest, depth)
        sums = Binned(top, np.zeros((6, len(top))))
        for piece in pieces(X):
            part = None if weight is None else weight[piece]
            sums += Binned(top, _sums(X[piece], part, depth, top))
        each = np.ones((1, len(X))) if weight is None else weight[None].astype(np.float64)
        squared = Binned.products(each, each)
        rounding = float(np.finfo(X.dtype).eps)
        return cls(depth, len(X), least, greatest, heaviest, rounding, sums, squared)

    @staticmethod
    def merge(parts: Sequence[Gathered]) -> Gathered:
        """Return what the rows of all blocks give together."""
        behind = [part.behind for part in parts if part.behind is not None]
        return replace(
            parts[0],
            count=sum(part.count for part in parts),
            least=np.min([part.least for part in parts], axis=0),
            greatest=np.max([part.greatest for part in parts], axis=0),
            heaviest=max(part.heaviest for part in parts),
            sums=reduce(add, [part.sums for part in parts]),
            squared_weight=reduce(add, [part.squared_weight for part in parts]),
            behind=Gathered.merge(behind) if behind else None,
        )

    def moments(self, unit: float) -> Moments | None:
        """Return the moments with weights in ``unit``; None if sums may have lost digits."""
        exponents = _exponents(self.least, self.greatest, self.heaviest)
        if not self.count or ((exponents > LARGEST) | (exponents < SMALLEST)).any():
            return None
        # Which bins a sum keeps must not depend on the blocks, so the largest row decides.
        top = _tops(self.least, self.greatest, self.heaviest, self.depth)
        sums = self.sums.below(top).exact()
        found = Moments(
            float(self.count),
            float(sums[-1]) / unit,
            float(self.squared_weight.total()[0, 0]) / unit**2,
            self.least.astype(np.float64),
            self.greatest.astype(np.float64),
            self.heaviest / unit,
            self.rounding,
        )
        if self.depth == "extremes":
            return found
        mean, scatter = _about_mean(sums, _pairs(len(self.least), self.depth))
        return replace(found, mean=mean, scatter=scatter / unit)


def _pairs(n_features: int, depth: Depth) -> Array:
    """Return the pairs of features whose products are summed; the last pair is of ones."""
    n, ones = np.arange(n_features), np.full(n_features, n_features)
    last = [[n_features, n_features]]
    if depth == "extremes":
        return np.array(last)
    if depth == "products":
        return np.column_stack(np.triu_indices(n_features + 1))
    return np.concatenate([np.column_stack([n, n]), np.column_stack([n, ones]), last])


def _sums(X: Array, weight: Array | None, depth: Depth, top: Array) -> Array:
    """Return the parts of the sums of the pairs of features."""
    from xcluster.algorithms.kernels.moments import pair_sums

    lanes = np.ones((X.shape[1] + 1, len(X)))
    lanes[:-1] = X.T
    digits = np.ldexp(1.0, WIDTH * top)
    pairs = _pairs(X.shape[1], depth)
    return pair_sums(lanes, weight, pairs, digits, X.dtype == np.float32)


def _exponents(least: Array, greatest: Array, heaviest: float) -> Array:
    """Return the binary exponents of the (weighted) squares of features; 0 for features of 0."""
    size = np.maximum(np.maximum(-least, greatest), 0).astype(np.float64)
    return np.where(size > 0, 2 * np.frexp(size)[1] + np.frexp(heaviest)[1], 0)


def _tops(least: Array, greatest: Array, heaviest: float, depth: Depth) -> Array:
    """Return the upper bin of the sum of each pair, from the largest values of the features."""
    size = np.append(np.maximum(np.maximum(-least, greatest), 0).astype(np.float64), 1.0)
    exponents = np.frexp(size)[1]
    pairs = _pairs(len(least), depth)
    highest = exponents[pairs].sum(axis=1) + np.frexp(heaviest)[1]
    top = np.clip(-(-(highest + 1 - WIDTH) // WIDTH), LOWEST, HIGHEST)
    return np.where((size[pairs] > 0).all(axis=1), top, LOWEST)


def _about_mean(sums: Array, pairs: Array) -> tuple[Array, Array]:
    """Return the means, and the sums of products less the means, from exact sums."""
    first, second = pairs.T
    n = pairs[-1, -1]
    inner, weight = second < n, sums[-1]
    totals = sums[(first < n) & ~inner]
    first, second = first[inner], second[inner]
    products = sums[inner] - totals[first] * totals[second] / weight
    mean, values = (totals / weight).astype(np.float64), products.astype(np.float64)
    if len(values) == n:
        return mean, values
    scatter = np.empty((n, n))
    scatter[first, second] = scatter[second, first] = values
    return mean, scatter
