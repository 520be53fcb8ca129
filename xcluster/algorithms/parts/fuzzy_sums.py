"""Distances, memberships and their sums: what one pass of fuzzy clustering computes of a tile."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.frame import power_of_two
from xcluster.algorithms.parts.gaps import has_gaps
from xcluster.algorithms.parts.sums import Sums

Array = NDArray[Any]

TINY = 1e-300
"""Least weight and membership, so that nothing is divided by 0 and 0 has a logarithm."""
WORST_CONDITION = 1e10
"""Largest ratio of a covariance's eigenvalues; beyond it distances would be rounding error."""


def squared_distances(X: Array, centers: Array, factors: Array | None) -> Array:
    """Return squared distances in float64, of shape (n_clusters, n_rows).

    Features that a row lacks add nothing: ratios of distances are those of partial distances.

    Parameters
    ----------
    X : array of shape (n_rows, n_features)
    centers : array of shape (n_clusters, n_features)
    factors : array of shape (n_clusters, n_features, n_features), optional
        L of the norm (x - c)' L L' (x - c) of each cluster; euclidean without.
    """
    from xcluster.algorithms.kernels import distances, gaps
    from xcluster.algorithms.kernels.products import rows_product

    if factors is None:
        measure = gaps.known_squares if has_gaps(X) else distances.squared_distances
        return measure(X, centers)
    squares = np.empty((len(centers), len(X)))
    for center, factor, row in zip(centers, factors, squares, strict=True):
        residuals = rows_product(X, center, factor.T, np.float64)
        np.einsum("ij,ij->i", residuals, residuals, out=row)
    return squares


def shares(squares: Array, m: float) -> Array:
    """Return probabilistic memberships, (n_clusters, n_rows); those of a row sum to 1.

    Relative to the row's nearest centre, so that no power overflows however close `m` is to 1.
    A row on a centre belongs to it alone.
    """
    nearest = squares.min(axis=0)
    with np.errstate(invalid="ignore"):
        u = nearest / squares
    if not nearest.all():
        u[squares == 0] = 1
    if m != 2:
        u **= 1 / (m - 1)
    u /= reduce(np.add, u)  # `sum` adds those of a single row in another order than of several
    return np.asarray(u)


def typicalities(squares: Array, m: float, eta: Array) -> Array:
    """Return possibilistic memberships, of shape (n_clusters, n_rows): 1/2 at distance^2 eta."""
    with np.errstate(divide="ignore", over="ignore"):
        ratio = np.divide(squares, eta[:, None], out=np.zeros_like(squares), where=squares > 0)
        if m != 2:
            ratio **= 1 / (m - 1)
    ratio += 1
    return np.asarray(np.reciprocal(ratio, out=ratio))


def farthest(centers: Array, factors: Array | None, sums: Sums) -> float:
    """Return a bound on the squared distances of rows."""
    squares = np.square(sums.about(centers)).sum(axis=-1)
    if factors is not None:
        squares = squares * np.square(factors).sum(axis=(1, 2))
    return float(squares.max())


def tile_sums(
    X: Array, weight: Array, squares: Array, powers: Array, farthest: float, sums: Sums
) -> dict[str, Array]:
    """Return the sums over the rows of a tile by which every kind of fuzzy clustering moves.

    Parameters
    ----------
    X : array of shape (n_rows, n_features)
    weight : array of shape (n_rows,)
        w, the weights of the samples.
    squares, powers : arrays of shape (n_clusters, n_rows)
        d^2 and w u^m.
    farthest : float
        A bound on d^2.
    sums : Plain or Exact
        How rows are added.

    Returns
    -------
    dict
        Of each cluster ``weight`` (sum of w u^m), ``first`` (w u^m x) and ``spread`` (w u^m d^2);
        of all ``total`` (w). If rows have gaps, ``first`` is of what is there, and ``lacking`` are
        the sums of w u^m over the rows that lack each feature.
    """
    heaviest, found = sums.heaviest, {}
    if has_gaps(X):
        X, found["lacking"] = _gaps(X, powers, sums)
    grids = sums.grids(np.tile(heaviest * sums.about(np.zeros(X.shape[1])), (len(powers), 1)))
    return found | {
        "weight": sums.total(powers, heaviest),
        "first": sums.products(powers, X.T, grids),
        "spread": sums.total(powers * squares, heaviest * farthest),
        "total": sums.total(weight, heaviest),
    }


def _gaps(X: Array, powers: Array, sums: Sums) -> tuple[Array, Array]:
    """Return rows with 0 in their gaps, and the sums of ``powers`` over the gaps."""
    from xcluster.algorithms.kernels import gaps

    whole, lacking = gaps.split(X, np.zeros(X.shape[1]))
    grids = sums.grids(np.full((len(powers), X.shape[1]), sums.heaviest))
    return whole, sums.products(powers, lacking.T, grids)


def described(weight: Array, u: Array, k: int, sums: Sums) -> dict[str, Array]:
    """Return the sums over the rows of a tile that tell how good memberships are.

    Parameters are those of `tile_sums`, and ``u``, the memberships: those in k clusters, and in
    noise where there is one row more.

    Returns
    -------
    dict
        Of each cluster ``counts`` (w where u is largest); of all ``squared`` (w u^2) and
        ``entropy`` (-w u log u).
    """
    heaviest = sums.heaviest
    own = (u.argmax(axis=0) == np.arange(k)[:, None]) * weight
    u = u[:k]
    information = np.log(np.maximum(u, TINY))
    information *= -u
    # Clusters are added one after the other: `sum` takes another order for a single row.
    return {
        "counts": sums.total(own, heaviest),
        "squared": sums.total(reduce(np.add, u * u) * weight, heaviest * k),
        "entropy": sums.total(reduce(np.add, information) * weight, heaviest * k),
    }


def second_moments(X: Array, centers: Array, powers: Array, sums: Sums) -> Array:
    """Return the sums of w u^m (x - c)(x - c)', of shape (n_clusters, n_features, n_features)."""
    moments = []
    for center, row in zip(centers, powers, strict=True):
        away, residuals = sums.about(center), X.T - center[:, None]
        grids = sums.grids(sums.heaviest * np.multiply.outer(away, away))
        moments.append(sums.products(residuals * row, residuals, grids))
    return np.stack(moments, axis=-3)


def power(u: Array, m: float) -> Array:
    """Return ``u**m``, without a call of pow where m is 2."""
    return u * u if m == 2 else u**m


def regularized(covariances: Array) -> tuple[Array, Array]:
    """Return covariances whose eigenvalues are raised to a least ratio, and which were raised.

    Source: R. Babuska, P. J. van der Veen and U. Kaymak, "Improved covariance estimation for
    Gustafson-Kessel clustering", Proc. FUZZ-IEEE (2002), 1081-1085.
    """
    values, vectors = np.linalg.eigh(covariances)
    floor = np.maximum(values[:, -1:] / WORST_CONDITION, TINY)
    raised = np.asarray((values < floor).any(axis=1))
    values = np.maximum(values, floor)
    rebuilt = (vectors * values[:, None, :]) @ vectors.transpose(0, 2, 1)
    return np.where(raised[:, None, None], rebuilt, covariances), raised


def norm_factors(covariances: Array) -> Array:
    """Return L with L L' = det(F)^(1/p) F^-1 of each covariance F: a norm of unit volume."""
    values, vectors = np.linalg.eigh(covariances)
    logs = np.log(np.maximum(values / power_of_two(values[:, -1:]), TINY))
    scales = np.exp((logs.mean(axis=1, keepdims=True) - logs) / 2)
    return np.asarray(vectors * scales[:, None, :])
