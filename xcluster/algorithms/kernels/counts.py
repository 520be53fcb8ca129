"""Compiled updates of non-negative components of counts: zeros cost nothing, a row is by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xcluster.base.arrays import read_only

Array = NDArray[Any]


def solved(X: Array, parts: Array, n_updates: int) -> Array:
    """Return the coefficients of each row after some updates from its counts in equal shares.

    Parameters
    ----------
    X : array of shape (n, p), float32 or float64
        Counts.
    parts : array of shape (p, k), float64
    n_updates : int

    Returns
    -------
    array of shape (n, k), float64
    """
    W = started(X, parts.shape[1])
    _solve(read_only(X), W, np.ascontiguousarray(parts), parts.sum(axis=0), n_updates)
    return W


def started(X: Array, k: int) -> Array:
    """Return the counts of each row in ``k`` equal shares, shape (n, k)."""
    W = np.empty((len(X), k))
    _share(read_only(X), W)
    return W


def updated(X: Array, weight: Array, W: Array, parts: Array) -> Array:
    """Update the coefficients in place; return the (weighted) counts that each part explains.

    Parameters
    ----------
    X : array of shape (n, p), float32 or float64
    weight : array of shape (n,), float64
    W : array of shape (n, k), float64
    parts : array of shape (p, k), float64

    Returns
    -------
    array of shape (p, k)
    """
    out = np.zeros(parts.shape)
    _update(read_only(X), weight, W, np.ascontiguousarray(parts), parts.sum(axis=0), out)
    return out * parts


def ratios(X: Array, W: Array, parts: Array) -> Array:
    """Return counts divided by what is expected, of shape (p, n); 0 where nothing is expected."""
    out = np.zeros((X.shape[1], len(X)))
    _divide(read_only(X), W, np.ascontiguousarray(parts), out)
    return out


def deviances(X: Array, W: Array, parts: Array) -> Array:
    """Return the Poisson deviance of each row, shape (n,)."""
    out = np.empty(len(X))
    _deviances(read_only(X), W, np.ascontiguousarray(parts), parts.sum(axis=0), out)
    return out


@njit(nogil=True, cache=True)
def _share(X: Array, W: Array) -> None:
    for r in range(len(X)):
        total = 0.0
        for f in range(X.shape[1]):
            total += X[r, f]
        W[r] = total / W.shape[1]


@njit(nogil=True, cache=True)
def _gather(x: Array, where: Array, counts: Array) -> int:
    """Find the features of a row that have counts; return how many there are."""
    n = 0
    for f in range(len(x)):
        where[n], counts[n] = f, x[f]
        n += x[f] > 0
    return n


@njit(nogil=True, cache=True)
def _expected(w: Array, part: Array) -> float:
    total = 0.0
    for c in range(len(w)):
        total += w[c] * part[c]
    return total


@njit(nogil=True, cache=True)
def _grow(
    w: Array, where: Array, counts: Array, n: int, parts: Array, sums: Array, grown: Array
) -> None:
    """Multiply the coefficients of one row by the update of Lee and Seung."""
    grown[:] = 0
    for i in range(n):
        part = parts[where[i]]
        expected = _expected(w, part)
        if expected > 0:
            ratio = counts[i] / expected
            for c in range(len(w)):
                grown[c] += ratio * part[c]
    for c in range(len(w)):
        w[c] = w[c] * grown[c] / sums[c] if sums[c] > 0 else 0.0


@njit(nogil=True, cache=True)
def _solve(X: Array, W: Array, parts: Array, sums: Array, n_updates: int) -> None:
    p, k = parts.shape
    where, counts, grown = np.empty(p + 1, np.intp), np.empty(p + 1), np.empty(k)
    for r in range(len(X)):
        n = _gather(X[r], where, counts)
        for _ in range(n_updates):
            _grow(W[r], where, counts, n, parts, sums, grown)


@njit(nogil=True, cache=True)
def _update(X: Array, weight: Array, W: Array, parts: Array, sums: Array, out: Array) -> None:
    p, k = parts.shape
    where, counts, grown = np.empty(p + 1, np.intp), np.empty(p + 1), np.empty(k)
    for r in range(len(X)):
        n, w = _gather(X[r], where, counts), W[r]
        _grow(w, where, counts, n, parts, sums, grown)
        for i in range(n):
            f = where[i]
            expected = _expected(w, parts[f])
            if expected > 0:
                ratio = weight[r] * counts[i] / expected
                for c in range(k):
                    out[f, c] += ratio * w[c]


@njit(nogil=True, cache=True)
def _divide(X: Array, W: Array, parts: Array, out: Array) -> None:
    for r in range(len(X)):
        for f in range(X.shape[1]):
            if X[r, f] > 0:
                expected = _expected(W[r], parts[f])
                if expected > 0:
                    out[f, r] = X[r, f] / expected


@njit(nogil=True, cache=True)
def _deviances(X: Array, W: Array, parts: Array, sums: Array, out: Array) -> None:
    for r in range(len(X)):
        total = _expected(W[r], sums)
        for f in range(X.shape[1]):
            if X[r, f] > 0:
                x = np.float64(X[r, f])
                expected = _expected(W[r], parts[f])
                total += x * np.log(x / expected) - x if expected > 0 else np.inf
        out[r] = 2 * total
