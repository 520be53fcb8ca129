"""Gaussian components over rows with gaps, by expectation and maximisation with missing values.

Rows that lack the same features have one *pattern*. What a row has follows a Gaussian of these
features alone, so each pattern is measured like complete rows of fewer features, with factors that
all of its rows share. What is expected of the missing features follows from the sums of the others:
the regression on what is there, and the variance that it leaves.
Source: Z. Ghahramani and M. I. Jordan, "Supervised learning from incomplete data via an EM
approach", Advances in Neural Information Processing Systems 6 (1994), 120-127.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from xcluster.algorithms.parts.covariances import MATRICES, precision_factors
from xcluster.algorithms.parts.gaps import patterns, rows_by_pattern
from xcluster.algorithms.parts.gaussians import (
    Components,
    Form,
    Moments,
    Piece,
    by_row,
    statistics,
)
from xcluster.algorithms.parts.sums import PLAIN, Exact, Sums
from xcluster.base.arrays import Array
from xcluster.base.streaming import Statistics

SEPARATOR = "moments of "
"""In the names of sums, before the pattern: a letter per feature, 1 where it is there."""


@dataclass(frozen=True, eq=False)
class Pattern:
    """The components in the features that some rows have.

    Parameters
    ----------
    kind
        Type of the covariances.
    weights, means, covariances
        Of the components, in all features; covariances are shaped by their type.
    unit : float
        As in `Components`.
    known : bool array of shape (n_features,)
        Which features the rows have.
    """

    kind: str
    weights: Array
    means: Array
    covariances: Array
    unit: float
    known: Array

    @cached_property
    def form(self) -> Form:
        """The components of these features alone."""
        return Components(self.weights, self.means[:, self.known], self._factors, self.unit).form()

    @cached_property
    def _each(self) -> Array:
        """A covariance for each component: of shape (k, p, p), or (k, p) for diagonals."""
        k, p = self.means.shape
        if self.kind in MATRICES:
            return np.broadcast_to(self.covariances, (k, p, p))
        own = self.covariances if self.kind == "diag" else self.covariances[:, None]
        return np.broadcast_to(own, (k, p))

    @cached_property
    def _factors(self) -> Array:
        if self.kind not in MATRICES:
            return precision_factors("diag", self._each[:, self.known])
        roots = np.linalg.cholesky(self._each[:, self.known][:, :, self.known])
        return np.tril(np.linalg.inv(roots)).swapaxes(1, 2)  # of all components at once

    def expected(self, sums: Array) -> Moments:
        """Return the moments of all features, from the sums of those that are there."""
        weight, first, second = self.form.moments(sums)
        if self.kind not in MATRICES:
            moments = np.zeros_like(self.means), weight[:, None] * self._each
            for whole, own in zip(moments, (first, second), strict=True):
                whole[:, self.known] = own
            return Moments(weight, *moments)
        expect = self._regressions
        turned = expect.swapaxes(1, 2)
        # What is known is left without variance.
        left = self._each - expect @ self._each[:, self.known]
        left[:, self.known], left[:, :, self.known] = 0.0, 0.0
        products = expect @ second @ turned + weight[:, None, None] * left
        symmetric = (products + products.swapaxes(1, 2)) / 2
        return Moments(weight, (expect @ first[:, :, None])[:, :, 0], symmetric)

    @cached_property
    def _regressions(self) -> Array:
        """By what known features are multiplied to expect all, of shape (k, p, n_known)."""
        factors = self._factors
        regressions = self._each[:, :, self.known] @ factors @ factors.swapaxes(1, 2)
        regressions[:, self.known] = np.eye(factors.shape[1])
        return regressions


def n_patterns(X: Array) -> int:
    """Return how many patterns there are."""
    return len(patterns(~np.isnan(X))[0])


def statistics_of_patterns(
    whole: Form,
    pattern_of: Callable[[Array], Pattern],
    to_shares: Callable[[Array], Array],
    X: Array,
    sample_weight: Array | None = None,
    sums: Sums = PLAIN,
    shares: Array | None = None,
) -> Statistics:
    """Return what `statistics` does, for rows with gaps: moments of each pattern by its name.

    Parameters
    ----------
    whole
        The components of all features, by which complete rows are measured.
    pattern_of : callable
        Returns the components of a pattern.
    to_shares, X, sample_weight, sums, shares
        As for `statistics`.
    """
    nothing = None if sample_weight is None else sample_weight[:0]
    parts = [statistics(whole, to_shares, X[:0], nothing, sums)]
    for known, rows in rows_by_pattern(X):
        form = whole if known.all() else pattern_of(known).form
        weight = None if sample_weight is None else sample_weight[rows]
        own = np.ascontiguousarray(X[rows][:, known])
        mine = None if shares is None else np.empty((len(shares), len(rows)))
        found = statistics(form, to_shares, own, weight, _of_features(sums, known), mine)
        if shares is not None:
            shares[:, rows] = mine
        parts.append(found if known.all() else _named(found, known))
    return Statistics.merge(parts)


def _of_features(sums: Sums, known: Array) -> Sums:
    if isinstance(sums, Exact):
        return replace(sums, origin=sums.origin[known], reach=sums.reach[known])
    return sums


def _named(found: Statistics, known: Array) -> Statistics:
    """Return statistics whose moments have the name of a pattern."""
    renamed = dict(found.sums)
    renamed[SEPARATOR + "".join("01"[int(each)] for each in known)] = renamed.pop("moments")
    return Statistics(renamed)


class Expected(NamedTuple):
    """What is known of all rows after a pass, and what is expected of their gaps.

    Parameters
    ----------
    moments
        Moments of all features.
    lacking : float
        The weight of the gaps.
    known, first : array of shape (k, n_features)
        The weight of the rows that have a feature, and their first moment.
    """

    moments: Moments
    lacking: float
    known: Array
    first: Array


def expected_moments(
    whole: Moments, pattern_of: Callable[[Array], Pattern], sums: Mapping[str, Array]
) -> Expected:
    """Return the moments of all rows, also of the features that they lack.

    Parameters
    ----------
    whole
        Moments of complete rows.
    pattern_of, sums
        The components of a pattern, and the merged sums of `statistics_of_patterns`.
    """
    lacking, first = 0.0, whole.first
    weight = np.repeat(whole.weight[:, None], whole.first.shape[1], axis=1)
    for name in sorted(name for name in sums if name.startswith(SEPARATOR)):
        known = np.array([each == "1" for each in name[len(SEPARATOR) :]])
        found = pattern_of(known).expected(sums[name])
        whole = Moments(*(a + b for a, b in zip(whole, found, strict=True)))
        lacking += float(found.weight.sum()) * int((~known).sum())
        weight, first = weight + np.outer(found.weight, known), first + known * found.first
    return Expected(whole, lacking, weight, first)


def by_row_of_patterns(
    pattern_of: Callable[[Array], Pattern],
    X: Array,
    width: tuple[int, ...],
    dtype: Any,
    measure: Callable[[Piece], Array],
) -> Array:
    """Return what `by_row` does, for rows with gaps."""
    result = np.empty((len(X), *width), dtype)
    for known, rows in rows_by_pattern(X):
        own = np.ascontiguousarray(X[rows][:, known])
        result[rows] = by_row(pattern_of(known).form, own, width, dtype, measure)
    return result
