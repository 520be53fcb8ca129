"""Few components and equal noise around them: what rows with gaps are expected to have.

A row follows a Gaussian of covariance ``W W' + noise I``, with W of few columns (probabilistic
principal components). Rows that lack the same features have one *pattern*, and share the matrix by
which what they have is turned into what they lack. It is as small as there are components.
Source: M. E. Tipping and C. M. Bishop, "Probabilistic principal component analysis", J. R. Stat.
Soc. B 61 (1999), 611-622.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from xcluster.algorithms.parts.gaps import patterns, rows_by_pattern
from xcluster.algorithms.parts.inputs import weight_or_ones
from xcluster.algorithms.parts.sums import PLAIN, Sums
from xcluster.base.arrays import Array
from xcluster.base.parallel import row_blocks
from xcluster.base.streaming import Statistics

PIECE = 2**19
"""Values worked on at a time."""
FEWEST = 64
"""Rows worked on at a time, however many features they have."""
PATTERN = "pattern "
"""In the names of sums, before the features that rows have: a letter per feature, 1 if there."""


class Patterns(NamedTuple):
    """What all rows of a pattern share.

    Parameters
    ----------
    inverse : array of shape (n_patterns, q, q)
        Of the axes' products over the features that are there, plus the noise.
    log_det : array of shape (n_patterns,)
        Logarithm of the determinant before the inverse, in units of the noise.
    left : array of shape (n_patterns,)
        Variance of all that is lacking, where the rest is known.
    """

    inverse: Array
    log_det: Array
    left: Array


class Completed(NamedTuple):
    """Rows less the mean with what is expected in their gaps, as columns.

    Parameters
    ----------
    lanes : array of shape (p, n)
    known : bool array of shape (p, n)
    masks, number
        The patterns, of shape (n_patterns, p), and which of them each row has.
    shared : Patterns
    distances : array of shape (n,)
        Squared Mahalanobis distances of what is there.
    """

    lanes: Array
    known: Array
    masks: Array
    number: Array
    shared: Patterns
    distances: Array


@dataclass(frozen=True, eq=False)
class Latent:
    """Probabilistic principal components.

    Parameters
    ----------
    mean : array of shape (p,)
    axes : array of shape (p, q)
        Orthogonal columns W.
    noise : float
        Variance around the components in each feature, above zero.
    """

    mean: Array
    axes: Array
    noise: float

    def shared(self, masks: Array) -> Patterns:
        """Return what the rows of each pattern share."""
        from xcluster.algorithms.kernels.products import lanes_product

        q = self.axes.shape[1]
        lanes = masks.T.astype(np.float64)
        inner = lanes_product(self._pairs, lanes).T.reshape(-1, q, q)
        outer = lanes_product(self._pairs, 1 - lanes).T.reshape(-1, q, q)
        whole = inner + self.noise * np.eye(q)
        inverse = np.linalg.inv(whole)
        within = (inverse * outer).reshape(len(masks), -1).sum(axis=1)
        left = self.noise * (within + (~masks).sum(axis=1))
        return Patterns(inverse, np.linalg.slogdet(whole / self.noise)[1], left)

    @cached_property
    def _pairs(self) -> Array:
        """The products of any two axes, of shape (q * q, p)."""
        p, q = self.axes.shape
        return (self.axes[:, :, None] * self.axes[:, None, :]).reshape(p, q * q).T

    def completed(self, X: Array) -> Completed:
        """Return rows with what is expected in their gaps."""
        from xcluster.algorithms.kernels.products import lanes_product

        known = ~np.isnan(X)
        masks, number = patterns(known)
        shared, there = self.shared(masks), known.T
        lanes = np.where(there, np.subtract(X.T, self.mean[:, None], dtype=np.float64), 0.0)
        turned = lanes_product(self.axes.T, lanes).T[:, :, None]
        scores = np.ascontiguousarray((shared.inverse[number] @ turned)[:, :, 0].T)
        expected = lanes_product(self.axes, scores)
        away = np.where(there, lanes - expected, 0.0)
        ones = np.ones((1, len(lanes)))
        distances = lanes_product(ones, away**2 / self.noise)[0]
        distances += lanes_product(ones[:, : len(scores)], scores**2)[0]
        whole = np.where(there, lanes, expected)
        return Completed(whole, there, masks, number, shared, distances)

    def log_density(self, n_known: Array, log_det: Array, distances: Array, unit: float) -> Array:
        """Return log densities, but for the constant, with variances in a unit."""
        heights = n_known * np.log(self.noise / unit) + log_det
        return np.asarray((heights + distances) / -2)


class Found(NamedTuple):
    """What all rows are expected to be, under given components.

    Parameters
    ----------
    weight, known : float
        Sums of the weights of rows, and of values.
    log_likelihood : float
    rows : array of shape (p,)
        Sum of the rows less the mean.
    applied : array of shape (p, r)
        The sum of all products, times a basis.
    trace : float
        The sum of all squares.
    """

    weight: float
    known: float
    log_likelihood: float
    rows: Array
    applied: Array
    trace: float


def row_statistics(
    latent: Latent, basis: Array, unit: float, X: Array, weight: Array | None, sums: Sums
) -> Statistics:
    """Return the sums of a block that `of_rows` makes `Found` of."""
    sized = _Sized(latent, basis, unit, sums)
    p, r = basis.shape
    total = {
        "applied": sums.nothing(p, r + 1),
        "lacking": sums.nothing(p, latent.axes.shape[1] * r + 1),
        "scalars": sums.nothing(3),
    }
    for piece in row_blocks(len(X), max(PIECE // max(p, latent.axes.shape[1] * r), FEWEST)):
        share = None if weight is None else weight[piece]
        for name, found in sized.of_piece(X[piece], share).items():
            total[name] += found
    return Statistics(total)


@dataclass(frozen=True, eq=False)
class _Sized:
    """Sums of rows under components, with bounds within which each value lies."""

    latent: Latent
    basis: Array
    unit: float
    sums: Sums

    def of_piece(self, X: Array, weight: Array | None) -> dict[str, Array]:
        from xcluster.algorithms.kernels.products import lanes_product

        found, share = self.latent.completed(X), weight_or_ones(weight, len(X))
        ones = np.ones((1, len(X)))
        applied = np.concatenate([lanes_product(self.basis.T, found.lanes), ones]) * share
        left = np.concatenate([self._left(found)[:, found.number], ones]) * share
        n_known = found.known.sum(axis=0)
        squares = lanes_product(np.ones((1, len(found.lanes))), found.lanes**2)[0]
        log_det = found.shared.log_det[found.number]
        log = self.latent.log_density(n_known, log_det, found.distances, self.unit)
        scalars = np.stack([n_known, log, squares + found.shared.left[found.number]]) * share
        return {
            "applied": self.sums.products(found.lanes, applied, self._applied_grids),
            "lacking": self.sums.products((~found.known) * 1.0, left, self._lacking_grids),
            "scalars": self.sums.total(scalars, self._scalar_bounds),
        }

    def _left(self, found: Completed) -> Array:
        """Return, by pattern, the variance of scores times axes and basis over what is lacking."""
        from xcluster.algorithms.kernels.products import lanes_product

        p, q = self.latent.axes.shape
        pairs = (self.latent.axes[:, :, None] * self.basis[:, None, :]).reshape(p, -1)
        crossed = lanes_product(pairs.T, (~found.masks.T) * 1.0).T.reshape(-1, q, len(pairs.T) // q)
        left = self.latent.noise * (found.shared.inverse @ crossed)
        return np.ascontiguousarray(left.reshape(len(left), -1).T)

    @cached_property
    def _reach(self) -> Array:
        """How far a completed row may lie from the mean."""
        about = self.sums.about(self.latent.mean)
        scores = np.sqrt((about**2).sum() / self.latent.noise) / 2
        expected = np.sqrt((self.latent.axes**2).sum(axis=1)) * scores
        return np.asarray(2 * np.maximum(about, expected))

    @cached_property
    def _applied_grids(self) -> object:
        by_row = np.append(np.abs(self.basis).T @ self._reach, 1.0)
        return self.sums.grids(2 * self.sums.heaviest * np.multiply.outer(self._reach, by_row))

    @cached_property
    def _lacking_grids(self) -> object:
        lengths = np.sqrt((self.latent.axes**2).sum(axis=1))
        each = lengths @ np.abs(self.basis)
        by_row = np.append(np.tile(each, self.latent.axes.shape[1]), 1.0)
        return self.sums.grids(2 * self.sums.heaviest * np.tile(by_row, (len(lengths), 1)))

    @cached_property
    def _scalar_bounds(self) -> Array:
        p, q = self.latent.axes.shape
        variance, noise = (self.latent.axes**2).sum(), self.latent.noise
        log = p * np.abs(np.log(noise / self.unit)) + q * np.log1p(variance / noise)
        log += (self.sums.about(self.latent.mean) ** 2).sum() / noise
        squares = (self._reach**2).sum() + variance + p * noise
        return 2 * self.sums.heaviest * np.array([p, log, squares])


def of_rows(latent: Latent, basis: Array, sums: Mapping[str, Array]) -> Found:
    """Return what the merged sums of `row_statistics` tell of all rows."""
    applied, lacking = sums["applied"], sums["lacking"]
    known, log_likelihood, trace = map(float, sums["scalars"])
    left = lacking[:, :-1].reshape(len(lacking), *(latent.axes.shape[1], basis.shape[1]))
    whole = applied[:, :-1] + np.einsum("jq,jqr->jr", latent.axes, left)
    whole += latent.noise * lacking[:, -1:] * basis
    return Found(float(sums["weight"]), known, log_likelihood, applied[:, -1], whole, trace)


def pattern_statistics(
    origin: Array, X: Array, weight: Array | None, sums: Sums = PLAIN
) -> Statistics:
    """Return the moments of the rows of each pattern, about an origin.

    They do not depend on the components, so that one pass over the rows serves all iterations.
    """
    share = np.sqrt(weight_or_ones(weight, len(X)))
    found = {}
    for known, rows in rows_by_pattern(X):
        lanes = np.ones((known.sum() + 1, len(rows)))
        np.subtract(X[np.ix_(rows, known)].T, origin[known, None], out=lanes[:-1])
        lanes *= share[rows]
        away = np.append(sums.about(origin)[known], 1.0)
        grids = sums.grids(sums.heaviest * np.multiply.outer(away, away))
        name = PATTERN + "".join("01"[int(each)] for each in known)
        found[name] = sums.products(lanes, lanes, grids)
    return Statistics(found)


@dataclass(frozen=True, eq=False)
class PatternMoments:
    """Moments of the rows of each pattern, which are zero for what these lack.

    Parameters
    ----------
    origin : array of shape (p,)
        What is subtracted from the rows.
    masks : bool array of shape (n_patterns, p)
    weight : array of shape (n_patterns,)
    first : array of shape (n_patterns, p)
    second : array of shape (n_patterns, p, p)
    """

    origin: Array
    masks: Array
    weight: Array
    first: Array
    second: Array

    @classmethod
    def of(cls, origin: Array, sums: Mapping[str, Array]) -> Self:
        """Return the moments from merged `pattern_statistics`."""
        names = sorted(name for name in sums if name.startswith(PATTERN))
        masks = np.array([[each == "1" for each in name[len(PATTERN) :]] for name in names])
        moments = np.zeros((len(names), len(origin) + 1, len(origin) + 1))
        for each, known, name in zip(moments, masks, names, strict=True):
            there = np.append(known, True)
            each[np.ix_(there, there)] = sums[name]
        return cls(origin, masks, moments[:, -1, -1], moments[:, :-1, -1], moments[:, :-1, :-1])

    def about(self, point: Array) -> Self:
        """Return the moments about another origin."""
        moved = np.where(self.masks, point - self.origin, 0.0)
        first = self.first - self.weight[:, None] * moved
        crossed = self.first[:, :, None] * moved[:, None, :]
        second = self.second - crossed - moved[:, :, None] * first[:, None, :]
        return replace(self, origin=point, first=first, second=second)

    def found(self, latent: Latent, unit: float) -> Found:
        """Return what all rows are expected to be; the basis of `Found` is the features."""
        here, masks = self.about(latent.mean), self.masks
        shared, axes, there = latent.shared(masks), latent.axes, masks[:, :, None]
        scores = shared.inverse @ (there * axes).swapaxes(1, 2)
        expected = axes @ scores
        fill = np.where(there, np.eye(len(axes)), expected)
        away = np.where(there, np.eye(len(axes)) - expected, 0.0)
        distances = _traces(away, here.second) / latent.noise + _traces(scores, here.second)
        n_known = self.weight * masks.sum(axis=1)
        log_det = self.weight * shared.log_det
        left = axes @ shared.inverse @ axes.T + np.eye(len(axes))
        left *= latent.noise * self.weight[:, None, None] * ~there * ~masks[:, None, :]
        products = (fill @ here.second @ fill.swapaxes(1, 2) + left).sum(axis=0)
        return Found(
            float(self.weight.sum()),
            float(n_known.sum()),
            float(latent.log_density(n_known, log_det, distances, unit).sum()),
            (fill @ here.first[:, :, None]).sum(axis=0)[:, 0],
            products,
            float(products.trace()),
        )


def _traces(A: Array, S: Array) -> Array:
    """Return the trace of ``A S A'`` of each pattern."""
    return np.asarray(((A @ S) * A).sum(axis=(1, 2)))


class Likeliest(NamedTuple):
    """The likeliest components of expected rows, within a basis that holds the former ones.

    Parameters
    ----------
    latent : Latent
    axes : array of shape (q, p)
        Orthonormal rows.
    variance : array of shape (q,)
    total : float
        Variance of all features together.
    basis : array of shape (p, r)
        What to apply the products to next.
    """

    latent: Latent
    axes: Array
    variance: Array
    total: float
    basis: Array


def likeliest(found: Found, mean: Array, basis: Array, q: int, least: float) -> Likeliest:
    """Return the likeliest components; ``least`` is the share of the variance that noise has."""
    moved = found.rows / found.weight
    applied = found.applied / found.weight - np.outer(moved, moved @ basis)
    inner = basis.T @ applied
    values, vectors = np.linalg.eigh((inner + inner.T) / 2)
    values, vectors = values[::-1][:q], vectors[:, ::-1][:, :q]
    axes, total = basis @ vectors, found.trace / found.weight - float(moved @ moved)
    if basis.shape[1] < len(mean):  # the features themselves need no other basis
        former = basis[:, :q]
        further = applied @ vectors - axes * values, former - axes @ (axes.T @ former)
        basis = widened(axes, np.hstack(further))
    latent = placed(mean + moved, axes.T, values, total, least)
    return Likeliest(latent, axes.T, values, total, basis)


def placed(mean: Array, axes: Array, variance: Array, total: float, least: float) -> Latent:
    """Return the model of components of which the variances are known."""
    p, q = len(mean), len(axes)
    noise = max((total - float(variance.sum())) / (p - q), least * total / p)
    return Latent(mean, axes.T * np.sqrt(np.maximum(variance - noise, 0.0)), noise)


def widened(axes: Array, further: Array) -> Array:
    """Return an orthonormal basis of axes, the columns of which come first, and further ones."""
    if axes.shape[1] + further.shape[1] >= len(axes):
        return np.eye(len(axes))
    return np.linalg.qr(np.hstack([axes, further]))[0]
