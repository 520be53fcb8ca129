"""Compiled sums of products of two features, of which no rounding and no order of rows is lost.

The product of two numbers in double precision is a number and a rest. Both are cut and counted as
in `xcluster.algorithms.kernels.sums`, here on three grids. So nothing has to be subtracted from
the rows before: where a mean is a billion times the spread, the variance still has all digits.
Source of the rest: T. Ogita, S. M. Rump and S. Oishi, "Accurate sum and dot product", SIAM Journal
on Scientific Computing 26 (2005), 1955-1988.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from xcluster.algorithms.kernels.sums import FINER, HALF, TILE, bits
from xcluster.base.arrays import Array


def pair_sums(
    lanes: Array, weight: Array | None, pairs: Array, digits: Array, is_exact: bool
) -> Array:
    """Return the parts of the (weighted) sums of the products of two lanes.

    Parameters
    ----------
    lanes : array of shape (p, n), float64
        Features of n rows.
    weight : array of shape (n,), optional
    pairs : int array of shape (m, 2)
        The two lanes of each sum.
    digits : array of shape (m,)
        The last digit of the first grid of each sum.
    is_exact
        Whether products have no rest, as those of single precision.

    Returns
    -------
    array of shape (6, m)
        High and low parts on the three grids.
    """
    out = np.zeros((6, len(pairs)))
    if weight is None:
        heavy, rest = lanes, (lanes[:0] if is_exact else np.zeros_like(lanes))
    else:
        heavy, rest = np.empty_like(lanes), np.empty_like(lanes)
        _weigh(lanes, np.ascontiguousarray(weight, np.float64), heavy, rest)
    _pair_sums(heavy, rest, lanes, pairs, digits, out)
    return out


def _fused(context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return the type and the instruction of ``a * b + c`` with one rounding."""

    def built(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.fma(*given)

    return types.float64(types.float64, types.float64, types.float64), built


_fma: Any = intrinsic(_fused)


@njit(nogil=True, cache=True)
def _weigh(lanes: Array, weight: Array, heavy: Array, rest: Array) -> None:
    for f in range(len(lanes)):
        for r in range(len(weight)):
            value = lanes[f, r] * weight[r]
            heavy[f, r] = value
            rest[f, r] = _fma(lanes[f, r], weight[r], -value)


@njit(nogil=True, cache=True)
def _pair_sums(
    heavy: Array, rest: Array, lanes: Array, pairs: Array, digits: Array, out: Array
) -> None:
    n = lanes.shape[1]
    for start in range(0, n, TILE):
        stop = min(start + TILE, n)
        for m in range(len(pairs)):
            c, f, digit = pairs[m, 0], pairs[m, 1], digits[m]
            a, b = heavy[c, start:stop], lanes[f, start:stop]
            if len(rest):
                counts = _counts_with_rest(a, rest[c, start:stop], b, digit)
            else:
                counts = _counts(a, b, digit)
            for each in range(3):
                half = counts[each] >> HALF
                out[2 * each, m] += np.float64(half) * (digit * 2.0**HALF)
                out[2 * each + 1, m] += np.float64(counts[each] - (half << HALF)) * digit
                digit *= FINER


@njit(nogil=True, cache=True)
def _counts(a: Array, b: Array, digit: Any) -> tuple[Any, Any, Any]:
    coarse, middle, fine = 1.5 * 2.0**52 * digit, 1.5 * digit, 1.5 * FINER * digit
    first, second, third = np.int64(0), np.int64(0), np.int64(0)
    for r in range(len(a)):
        value = a[r] * b[r]
        cut = value + coarse
        first += np.float64(cut).view(np.int64)
        value -= cut - coarse
        cut = value + middle
        second += np.float64(cut).view(np.int64)
        third += np.float64((value - (cut - middle)) + fine).view(np.int64)
    n = np.int64(len(a))
    return first - n * bits(coarse), second - n * bits(middle), third - n * bits(fine)


@njit(nogil=True, cache=True)
def _counts_with_rest(a: Array, rest: Array, b: Array, digit: Any) -> tuple[Any, Any, Any]:
    coarse, middle, fine = 1.5 * 2.0**52 * digit, 1.5 * digit, 1.5 * FINER * digit
    first, second, third = np.int64(0), np.int64(0), np.int64(0)
    for r in range(len(a)):
        value = a[r] * b[r]
        left = _fma(rest[r], b[r], _fma(a[r], b[r], -value))
        cut = value + coarse
        first += np.float64(cut).view(np.int64)
        value -= cut - coarse
        cut = value + middle
        second += np.float64(cut).view(np.int64)
        third += np.float64((value - (cut - middle)) + fine).view(np.int64)
        cut = left + middle  # the rest is too small for the first grid
        second += np.float64(cut).view(np.int64)
        third += np.float64((left - (cut - middle)) + fine).view(np.int64)
    n = np.int64(2 * len(a))
    return (
        first - np.int64(len(a)) * bits(coarse),
        second - n * bits(middle),
        third - n * bits(fine),
    )
