"""Compiled sums of which no order of the rows changes a bit.

A value ``v`` is cut on a grid: with ``coarse``, 1.5 times a power of two, ``v + coarse`` is rounded
to a multiple of its last digit. Read as an integer, it counts these digits from that of ``coarse``.
Integers add exactly in any order, and processors add several at once. What is left of ``v`` is cut
by ``fine`` in the same way; less than its last digit is dropped, row by row.
Source: J. Demmel and H. D. Nguyen, "Parallel reproducible summation", IEEE Transactions on
Computers 64 (2015), 2060-2070, whose bins are floating-point numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from xcluster.base.arrays import Array

TILE = 512
"""Rows whose counts, of at most 51 bits each, add up in an integer; so few stay in cache."""
HALF = 30
"""Bits of the low half of a count: double precision adds 2^32 high halves exactly, or 2^23 low."""
FINER = 2.0**-52
"""The last digit of the fine grid in that of the coarse one."""


Grids = tuple[Array, Array, Array]


def grids(bound: Any) -> Grids:
    """Return the coarse and the fine grid for values within a bound, and the coarse last digit."""
    exponent = np.frexp(bound)[1]
    return tuple(np.ldexp(each, exponent - 51) for each in (1.5 * 2.0**52, 1.5, 1.0))


def products(A: Array, B: Array, grids: Grids) -> Array:
    """Return the high and low parts of ``A @ B.T``.

    Parameters
    ----------
    A : array of shape (k, n), float64
    B : array of shape (q, n), float64
        If it is ``A``, only half of the products are computed.
    grids : arrays of shape (k, q)
        For the single products.

    Returns
    -------
    array of shape (4, k, q)
        High and low parts of the coarse and of the fine sums.
    """
    out, same = np.zeros((4, len(A), len(B))), B is A
    A = np.ascontiguousarray(A, np.float64)
    B = A if same else np.ascontiguousarray(B, np.float64)
    _products(A, B, *grids, same, out)
    return out


@njit(nogil=True, cache=True)
def bits(value: Any) -> Any:
    """Return the bits of a number as an integer."""
    return np.float64(value).view(np.int64)


@njit(nogil=True, cache=True)
def put(first: Any, second: Any, digit: Any, out: Array, c: int, f: int) -> None:
    """Add counts of digits of the coarse and the fine grid to the parts of a sum."""
    half = first >> HALF
    out[0, c, f] += np.float64(half) * (digit * 2.0**HALF)
    out[1, c, f] += np.float64(first - (half << HALF)) * digit
    half = second >> HALF
    out[2, c, f] += np.float64(half) * (digit * (FINER * 2.0**HALF))
    out[3, c, f] += np.float64(second - (half << HALF)) * (digit * FINER)


@njit(nogil=True, cache=True)
def _products(
    A: Array, B: Array, coarse: Array, fine: Array, digit: Array, same: bool, out: Array
) -> None:
    n = A.shape[1]
    for start in range(0, n, TILE):
        stop = min(start + TILE, n)
        for c in range(len(A)):
            a = A[c, start:stop]
            for f in range(c if same else 0, len(B)):
                first, second = _counts(a, B[f, start:stop], coarse[c, f], fine[c, f])
                put(first, second, digit[c, f], out, c, f)
    if same:
        for c in range(len(A)):
            for f in range(c):
                for part in range(len(out)):
                    out[part, c, f] = out[part, f, c]


@njit(nogil=True, cache=True)
def _counts(a: Array, b: Array, coarse: Any, fine: Any) -> tuple[Any, Any]:
    first, second = np.int64(0), np.int64(0)
    for r in range(len(a)):
        value = a[r] * b[r]
        cut = value + coarse
        first += np.float64(cut).view(np.int64)
        second += np.float64((value - (cut - coarse)) + fine).view(np.int64)
    n = np.int64(len(a))
    return first - n * bits(coarse), second - n * bits(fine)


@njit(cache=True, nogil=True)
def add_to_groups(values: Any, group: Any, grids: Any, parts: Any) -> None:
    """Add values to the sums of their groups, in whole numbers of each grid.

    Parameters
    ----------
    values : float64 array of shape (n,)
    group : int array of shape (n,)
    grids : float64 array of shape (n_grids,)
        Powers of two, the coarsest first; what is below the last is left out.
    parts : float64 array of shape (n_grids, n_groups)
        Whole numbers, which add exactly.
    """
    for row in range(len(values)):
        rest = values[row]
        for grid in range(len(grids)):
            if rest == 0:
                break
            whole = np.trunc(rest / grids[grid])
            parts[grid, group[row]] += whole
            rest -= whole * grids[grid]
