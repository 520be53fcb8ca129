"""Log densities and moments of Gaussian components over a block of rows, in two forms.

Both forms hold rows as columns (features first), so that every operation runs along contiguous
memory, and work through a block in pieces that stay in the processor's cache.

`Expanded` writes a log density as a product of coefficients with ``(1, z, z z')``: densities and
moments are then one matrix product each, whatever the number of components. `Factored` multiplies
each component's centred rows by its precision factor: slower, but it loses no digits where a
component is far narrower than the data, and it needs no room for ``z z'``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.inputs import weight_or_ones
from xcluster.algorithms.parts.sums import PLAIN, Sums
from xcluster.base.parallel import map_threads, row_blocks
from xcluster.base.streaming import BLOCK_ROWS, Statistics

Array = NDArray[Any]

CACHED_NUMBERS = 65_536
"""Numbers (half a MB of them) that the features of a piece may take and still stay in cache."""

FEATURES_PER_COMPONENT, WIDEST_EXPANDED = 5, 64
"""Features up to which writing out ``z z'`` is faster: 5 per component, and no more than 64.

Measured for 3, 6 and 20 components: the forms break even at about 18, 40 and more than 96
features. Expanded, a component costs little, but the features grow with the square.
"""

LARGEST_TERMS = 4e7
"""Size of terms that may cancel in an expanded log density: the error is then about 1e-8."""


class Moments(NamedTuple):
    """Sums of weighted responsibilities times 1, y and y y', where y = x - the component's mean.

    Arrays of shape (k,), (k, p), and (k, p, p) or, for diagonal covariances, (k, p).
    """

    weight: Array
    first: Array
    second: Array


@dataclass(frozen=True, eq=False)
class Components:
    """Weighted Gaussian components.

    Parameters
    ----------
    weights : array of shape (k,)
    means : array of shape (k, p)
    factors : array of shape (k, p, p) or (k, p)
        Upper triangular U with precision U U', or roots of diagonal precisions.
    unit : float, default 1
        A power of two near the spread of the rows. Densities are per unit, so that their bits
        stay the same if rows and components are multiplied by a power of two.
    log_noise : float, default -inf
        Weighted log density of a uniform component beside these, per unit.
    """

    weights: Array
    means: Array
    factors: Array
    unit: float = 1.0
    log_noise: float = -np.inf

    @cached_property
    def origin(self) -> Array:
        """The mixture's mean, from which rows are measured so that offsets do no harm."""
        return np.asarray(self.weights @ self.means / self.weights.sum())

    @cached_property
    def offsets(self) -> Array:
        """The means, measured from the origin."""
        return self.means - self.origin

    @cached_property
    def log_heights(self) -> Array:
        """Weighted log density of each component at its mean, of shape (k,)."""
        roots = self.factors
        if roots.ndim == 3:
            roots = np.diagonal(roots, axis1=1, axis2=2)
        logs = np.log(roots * self.unit)
        normalisation = logs.sum(axis=1) - 0.5 * roots.shape[1] * np.log(2 * np.pi)
        return np.asarray(np.log(self.weights) + normalisation)

    def farthest(self, sums: Sums) -> float:
        """Return a bound on the size of log densities of the rows."""
        squares = np.square(sums.about(self.means))
        if self.factors.ndim == 3:
            ratios = np.square(self.factors).sum(axis=(1, 2)) * squares.sum(axis=1)
        else:
            ratios = (self.factors**2 * squares).sum(axis=1)
        of_noise = abs(self.log_noise) if np.isfinite(self.log_noise) else 0.0
        return float((np.abs(self.log_heights) + ratios).max()) + len(self.means) + of_noise

    def form(self) -> Form:
        """Return the faster of the two forms that keeps enough digits."""
        k, p = self.means.shape
        if self.factors.ndim == 3 and p > min(FEATURES_PER_COMPONENT * k, WIDEST_EXPANDED):
            return Factored(self)
        expanded = Expanded(self)
        return expanded if expanded.largest_terms() < LARGEST_TERMS else Factored(self)


@dataclass(frozen=True, eq=False)
class Expanded:
    """Components as coefficients of ``(1, z, z z')``, z being measured from the origin."""

    components: Components

    @cached_property
    def precisions(self) -> Array:
        """Inverse covariances, of shape (k, p, p), or (k, p) for diagonals."""
        factors = self.components.factors
        return factors @ factors.swapaxes(1, 2) if factors.ndim == 3 else factors**2

    @cached_property
    def upper(self) -> tuple[Array, Array]:
        """Rows and columns of the upper triangle, in the order of the features."""
        return np.triu_indices(self.components.means.shape[1])

    @cached_property
    def coefficients(self) -> Array:
        """What the features are multiplied by, of shape (k, q)."""
        offsets, precisions = self.components.offsets, self.precisions
        if precisions.ndim == 2:
            linear, square = precisions * offsets, -0.5 * precisions
        else:
            linear = np.einsum("kij,kj->ki", precisions, offsets)
            square = -precisions[:, *self.upper]
            square[:, np.equal(*self.upper)] *= 0.5
        constant = self.components.log_heights - 0.5 * (linear * offsets).sum(axis=1)
        return np.concatenate([constant[:, None], linear, square], axis=1)

    def largest_terms(self) -> float:
        """Return the size that terms of the log densities have for rows of the mixture."""
        offsets, factors = self.components.offsets, self.components.factors
        if factors.ndim == 2:
            variances = 1 / factors**2
            spread = self.components.weights @ (variances + offsets**2)
            return float((self.precisions @ spread).max())
        inverses = np.linalg.inv(factors)
        variances = np.einsum("kji,kji->ki", inverses, inverses)
        spread = np.sqrt(self.components.weights @ (variances + offsets**2))
        return float((spread @ np.abs(self.precisions) @ spread).max())

    @property
    def n_numbers(self) -> int:
        """How many numbers are kept in cache for each row."""
        return int(self.coefficients.shape[1])

    def features(self, X: Array) -> Array:
        """Return ``(1, z, z z')`` of each row, of shape (q, n)."""
        p = X.shape[1]
        features = np.empty((self.n_numbers, len(X)))
        features[0] = 1
        z = np.subtract(X.T, self.components.origin[:, None], out=features[1 : p + 1])
        squares = features[p + 1 :]
        if self.precisions.ndim == 2:
            np.square(z, out=squares)
            return features
        start = 0
        for i in range(p):
            np.multiply(z[i:], z[i], out=squares[start : start + p - i])
            start += p - i
        return features

    def log_densities(self, features: Array) -> Array:
        """Return the weighted log density of each component, of shape (k, n)."""
        from xcluster.algorithms.kernels.products import lanes_product

        return lanes_product(self.coefficients, features)

    def grids(self, sums: Sums) -> Any:
        """Return the grids on which `sums` are cut."""
        away = sums.about(self.components.origin)
        squares = away**2 if self.precisions.ndim == 2 else (away[:, None] * away)[self.upper]
        bound = sums.heaviest * np.concatenate([[1.0], away, squares])
        return sums.grids(np.tile(bound, (len(self.coefficients), 1)))

    @property
    def n_sums(self) -> int:
        """How many sums there are for each component."""
        return self.n_numbers

    def sums(self, responsibilities: Array, features: Array, sums: Sums, grids: Any) -> Array:
        """Return the sums that `moments` are made of, of shape (k, q)."""
        return sums.products(responsibilities, features, grids)

    def moments(self, sums: Array) -> Moments:
        """Return the moments about each mean from the sums about the origin."""
        offsets = self.components.offsets
        p = offsets.shape[1]
        weight, linear, square = sums[:, 0], sums[:, 1 : p + 1], sums[:, p + 1 :]
        first = linear - weight[:, None] * offsets
        if self.precisions.ndim == 2:
            return Moments(weight, first, square - (linear + first) * offsets)
        second = np.empty((len(sums), p, p))
        rows, columns = self.upper
        second[:, rows, columns] = second[:, columns, rows] = square
        crossed = first[:, :, None] * offsets[:, None, :]
        second -= crossed + crossed.swapaxes(1, 2)
        second -= weight[:, None, None] * offsets[:, :, None] * offsets[:, None, :]
        return Moments(weight, first, second)


@dataclass(frozen=True, eq=False)
class Factored:
    """Components as factors by which rows, measured from each mean, are multiplied."""

    components: Components

    @property
    def n_numbers(self) -> int:
        """How many numbers are kept in cache for each row."""
        return 3 * int(self.components.means.shape[1])

    def features(self, X: Array) -> Array:
        """Return each row measured from the origin, of shape (p, n)."""
        return np.asarray(np.subtract(X.T, self.components.origin[:, None], dtype=np.float64))

    def log_densities(self, features: Array) -> Array:
        """Return the weighted log density of each component, of shape (k, n)."""
        return self.log_ratios(features) + self.components.log_heights[:, None]

    def log_ratios(self, features: Array) -> Array:
        """Return the logarithm of each density over that at the mean, of shape (k, n)."""
        from xcluster.algorithms.kernels.products import squared_lengths

        if self._is_full:
            return -0.5 * squared_lengths(features, self.components.offsets, self._lower)
        ratios = np.empty((len(self.components.means), features.shape[1]))
        for k, factor in enumerate(self.components.factors):
            scaled = factor[:, None] * (features - self.components.offsets[k][:, None])
            ratios[k] = -0.5 * _added(np.square(scaled, out=scaled))
        return ratios

    @cached_property
    def _lower(self) -> Array:
        """The full factors, lower triangular."""
        return np.ascontiguousarray(self.components.factors.swapaxes(1, 2))

    def grids(self, sums: Sums) -> list[Any]:
        """Return the grids on which the sums of each component are cut."""
        away = [np.append(each, 1.0) for each in sums.about(self.components.means)]
        if self._is_full:
            return [sums.grids(sums.heaviest * np.multiply.outer(each, each)) for each in away]
        return [sums.grids(sums.heaviest * np.array([[*each, *each[:-1] ** 2]])) for each in away]

    @property
    def n_sums(self) -> int:
        """How many sums there are for each component."""
        return 1 + int(self.components.means.shape[1]) + int(self.components.factors[0].size)

    @property
    def _is_full(self) -> bool:
        return self.components.factors.ndim == 3

    def sums(self, responsibilities: Array, features: Array, sums: Sums, grids: Any) -> Array:
        """Return the sums that `moments` are made of, of shape (k, 1 + p + factor.size)."""
        given = zip(self.components.offsets, responsibilities, grids, strict=True)
        found = [self._sums_about(offset, row, features, sums, each) for offset, row, each in given]
        return np.stack(found, axis=-2)

    def _sums_about(
        self, offset: Array, responsibility: Array, features: Array, sums: Sums, grids: Any
    ) -> Array:
        p = len(features)
        y = np.ones((p + 1, features.shape[1]))
        np.subtract(features, offset[:, None], out=y[:-1])
        if not self._is_full:
            powers = np.concatenate([y, np.square(y[:-1])])
            found = sums.products(responsibility[None], powers, grids)[..., 0, :]
            return np.concatenate(
                [found[..., p : p + 1], found[..., :p], found[..., p + 1 :]], axis=-1
            )
        y *= np.sqrt(responsibility)
        found = sums.products(y, y, grids)
        second = found[..., :p, :p].reshape(*found.shape[:-2], p * p)
        return np.concatenate([found[..., p, p:], found[..., :p, p], second], axis=-1)

    def moments(self, sums: Array) -> Moments:
        """Return the moments about each mean."""
        p = self.components.means.shape[1]
        second = sums[:, p + 1 :].reshape(self.components.factors.shape)
        return Moments(sums[:, 0], sums[:, 1 : p + 1], second)


class Nearest(Factored):
    """Components whose densities tell distances alone, which a constant beside them would round."""

    log_densities = Factored.log_ratios


Form = Expanded | Factored


class Piece(NamedTuple):
    """A few rows of a block: where they stand, their features and their log densities."""

    rows: slice
    features: Array
    log_densities: Array


def pieces(form: Form, X: Array) -> Iterator[Piece]:
    """Cut a block into pieces that stay in cache, and measure each."""
    length = max(CACHED_NUMBERS // form.n_numbers, 64)
    for rows in row_blocks(len(X), length):
        features = form.features(X[rows])
        yield Piece(rows, features, form.log_densities(features))


def by_row(
    form: Form, X: Array, width: tuple[int, ...], dtype: Any, measure: Callable[[Piece], Array]
) -> Array:
    """Return an array of shape (n, *width) with ``measure(piece)`` in the rows of each piece."""
    result = np.empty((len(X), *width), dtype=dtype)

    def fill(block: slice) -> None:
        for piece in pieces(form, X[block]):
            result[block][piece.rows] = measure(piece)

    map_threads(fill, row_blocks(len(X), BLOCK_ROWS))
    return result


def statistics(
    form: Form,
    to_shares: Callable[[Array], Array],
    X: Array,
    sample_weight: Array | None = None,
    sums: Sums = PLAIN,
    shares: Array | None = None,
) -> Statistics:
    """Return the log-likelihood and moments of a block.

    Parameters
    ----------
    form : Expanded or Factored
    to_shares : callable
        `to_responsibilities` or `to_assignments`.
    X : array of shape (n, p)
    sample_weight : array of shape (n,), optional
    sums : Plain or Exact
        How rows are added.
    shares : array of shape (k, n), optional
        Filled with the shares of the rows.
    """
    grids, bound = form.grids(sums), sums.heaviest * form.components.farthest(sums)
    moments = sums.nothing(len(form.components.means), form.n_sums)
    log_likelihood = sums.nothing()
    for piece in pieces(form, X):
        log_sums, own = to_shares(piece.log_densities), piece.log_densities
        if shares is not None:
            shares[:, piece.rows] = own
        if sample_weight is not None:
            log_sums *= sample_weight[piece.rows]
            own *= sample_weight[piece.rows]
        log_likelihood += sums.total(log_sums, bound)
        moments += form.sums(own, piece.features, sums, grids)
    total = sums.total(weight_or_ones(sample_weight, len(X)), sums.heaviest)
    found = {"log_likelihood": log_likelihood, "total": total, "moments": moments}
    return Statistics(sums=found)


def to_responsibilities(log_densities: Array, log_noise: float | None = None) -> Array:
    """Turn weighted log densities (k, n) into responsibilities in place; return log sums (n,).

    With ``log_noise``, the weighted log density of a uniform component, its responsibility is what
    those of a row lack to 1.
    """
    top = log_densities.max(axis=0)
    if log_noise is not None:
        top = np.maximum(top, log_noise)
    log_densities -= top
    np.exp(log_densities, out=log_densities)
    total = _added(log_densities)
    if log_noise is not None:
        total = total + np.exp(log_noise - top)
    log_densities /= total
    return np.asarray(top + np.log(total))


def _added(terms: Array) -> Array:
    """Return the sum over the first axis, term by term.

    `sum` adds the terms of a single row in another order than those of several.
    """
    total: Array = reduce(np.add, terms)
    return total


def to_assignments(log_densities: Array) -> Array:
    """Turn log densities (k, n), in place, into 1 for the densest component and 0 for the others.

    Return those of the densest, of shape (n,).
    """
    top, densest = log_densities.max(axis=0), log_densities.argmax(axis=0)
    log_densities[:] = densest == np.arange(len(log_densities))[:, None]
    return np.asarray(top)
