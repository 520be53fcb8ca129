"""Compiled loops of k-means: the nearest centre of each row, and the sums of each cluster.

Rows are the vector lanes: a tile of rows is put in the frame, as float32, and laid out feature by
feature, so that one instruction works on several rows whatever the number of features. With many
features or centres a matrix product finds the nearest centre instead, if its digits suffice.

Distances are float32 and sums float64. A sum runs over the rows of its block in their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xcluster.algorithms.kernels.sums import FINER, TILE, Grids, bits, put
from xcluster.base.arrays import read_only

Array = NDArray[Any]

TILE_VALUES = 8_192  # 32 KiB of float32: a tile stays in the first-level cache
PRODUCT_FEATURES = 64  # from here on a matrix product is faster (measured with AVX-512) ...
PRODUCT_WORK = 4_000  # ... and from this many features times centres
PRODUCT_ROWS = 512
ROUNDING = 2.0**-24  # the largest relative error of one float32 operation


def nearest(
    X: Array, origin: Array, unit: float, centers: Array, gaps: bool = False
) -> tuple[Array, Array]:
    """Return each row's nearest centre and its squared distance.

    Features that a row lacks (NaN) add nothing, if there may be ``gaps``.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), float32 or float64, C order
    origin : array of shape (n_features,), float64
    unit : float
        Frame in which distances are measured.
    centers : array of shape (n_clusters, n_features), float32
        In the frame.

    Returns
    -------
    labels : array of shape (n_samples,), int32
    squared : array of shape (n_samples,), float32
        In squared units of the frame.
    """
    if not centers.shape[1:] == origin.shape == X.shape[1:]:
        raise ValueError("rows, origin and centres differ in their number of features")
    rows = read_only(X), *as_precise(X, origin, unit)
    if gaps or (X.shape[1] < PRODUCT_FEATURES and centers.size < PRODUCT_WORK):
        labels, squared = _nearest_in_lanes(*rows, centers)
    else:
        labels = nearest_by_product(X, origin, unit, centers)
        squared = _squared_to_own(*rows, centers, labels)
    return labels, squared


def sums(
    X: Array, origin: Array, weight: Array | None, labels: Array, squared: Array, n_clusters: int
) -> tuple[Array, Array, Array]:
    """Return weight, weighted sum of rows less the origin and of ``squared``, each by label."""
    X, (origin, _) = read_only(X), as_precise(X, origin)
    weight = None if weight is None else read_only(weight)
    totals: tuple[Array, Array, Array] = _sums(X, origin, weight, labels, squared, n_clusters)
    return totals


def exact_sums(
    X: Array,
    origin: Array,
    weight: Array | None,
    labels: Array,
    squared: Array,
    n_clusters: int,
    grids: Grids,
) -> tuple[Array, Array, Array]:
    """Return the sums of `sums` as high and low parts, which any order of the rows leaves the same.

    The grids are for the features, the weight and ``squared``, in this order.
    """
    X, (origin, _) = read_only(X), as_precise(X, origin)
    weight = None if weight is None else read_only(weight)
    squared = np.minimum(squared, np.finfo(np.float32).max)  # infinity is not cut by any grid
    out = np.zeros((4, n_clusters, X.shape[1] + 2))
    _exact_sums(X, origin, weight, labels, squared, *grids, out)
    return out[..., -2], out[..., :-2], out[..., -1]


def as_precise(X: Array, origin: Array, unit: float = 1.0) -> tuple[Array, Any]:
    """Return the origin and the factor of the unit, as precise as the rows or, if need be, more.

    Rows less another origin than that of the centres would all be shifted.
    """
    with np.errstate(over="ignore", under="ignore"):
        factor = 1 / np.float64(unit)
        same = origin.astype(X.dtype), X.dtype.type(factor)
    return same if same[1] == factor and (same[0] == origin).all() else (origin, factor)


def nearest_by_product(X: Array, origin: Array, unit: float, centers: Array) -> Array:
    """Return each row's nearest centre, as int32, from products where these decide it.

    For the other rows differences in float64 decide. Parameters are those of `nearest`.
    """
    labels = decided_by_product(X, origin, unit, centers)
    unsure = np.flatnonzero(labels < 0)
    rest = read_only(X[unsure]), *as_precise(X, origin, unit), centers.astype(np.float64)
    labels[unsure] = _nearest_in_lanes(*rest)[0]
    return labels


def decided_by_product(X: Array, origin: Array, unit: float, centers: Array) -> Array:
    """Return each row's nearest centre, as int32, or -1 where rounding decides which it is.

    BLAS adds in another order at the edge of a block. So a product decides only if no rounding
    could make another centre the nearest. Parameters are those of `nearest`, but ``centers`` may be
    float64.
    """
    X, (origin, factor) = read_only(X), as_precise(X, origin, unit)
    halves = 0.5 * np.einsum("kp,kp->k", centers, centers, dtype=np.float64)
    lengths, halves = np.sqrt(2 * halves).astype(np.float32), halves.astype(np.float32)
    single = centers.astype(np.float32, copy=False)
    labels = np.empty(len(X), np.int32)
    with np.errstate(over="ignore", invalid="ignore"):  # such rows are not decided
        for start in range(0, len(X), PRODUCT_ROWS):
            rows = slice(start, start + PRODUCT_ROWS)
            placed = _placed(X[rows], origin, factor)
            norms = np.sqrt(np.einsum("rp,rp->r", placed, placed))
            _decide(single @ placed.T, norms, lengths, halves, X.shape[1], labels[rows])
    return labels


@njit(nogil=True, cache=True)
def _placed(X: Array, origin: Array, factor: Any) -> Array:
    placed = np.empty(X.shape, np.float32)
    for r in range(X.shape[0]):
        for f in range(X.shape[1]):
            placed[r, f] = (X[r, f] - origin[f]) * factor
    return placed


@njit(nogil=True, cache=True)
def _decide(
    products: Array, norms: Array, lengths: Array, halves: Array, n_features: int, labels: Array
) -> None:
    """Set the label of each row to the centre of highest rank, or to -1 where rounding decides.

    The rank is the product less half the square of the centre. A sum of p products is within p
    roundings of the product of lengths, in any order; a few more pay for the rounding of rows,
    centres, squares and of the last difference.
    """
    top, second, best = _two_highest(products, halves)
    slack = np.float32((n_features + 8) * ROUNDING)
    longest, highest = lengths[0], halves[0]
    for c in range(len(lengths)):
        longest, highest = max(longest, lengths[c]), max(highest, halves[c])
    for r in range(len(labels)):
        own = best[r]
        least = top[r] - slack * (norms[r] * lengths[own] + halves[own])
        sure = second[r] + slack * (norms[r] * longest + highest) < least
        if not sure:  # only a centre far away may round so much
            sure = True
            for c in range(len(products)):
                rank = products[c, r] - halves[c]
                most = rank + slack * (norms[r] * lengths[c] + halves[c])
                sure &= c == own or most < least
        labels[r] = own if sure else -1


@njit(nogil=True, cache=True)
def _two_highest(products: Array, halves: Array) -> tuple[Array, Array, Array]:
    """Return the highest and the second highest rank of each row, and the centre of the highest.

    Two centres at a time, so that what is known of a row is loaded and stored once for both.
    """
    k, n = products.shape
    top, second, best = np.empty(n, np.float32), np.empty(n, np.float32), np.zeros(n, np.int32)
    for r in range(n):
        top[r] = products[0, r] - halves[0] if k % 2 else -np.inf
        second[r] = -np.inf
    for c in range(k % 2, k, 2):
        half, half_after, one, after = halves[c], halves[c + 1], np.int32(c), np.int32(c + 1)
        for r in range(n):
            a, b, t, s = products[c, r] - half, products[c + 1, r] - half_after, top[r], second[r]
            higher, lower = b if b > a else a, a if b > a else b
            which = after if b > a else one
            beaten = t if higher > t else higher
            beaten = beaten if beaten > lower else lower
            second[r] = beaten if beaten > s else s
            best[r] = which if higher > t else best[r]
            top[r] = higher if higher > t else t
    return top, second, best


@njit(nogil=True, cache=True)
def tile_lanes(n_features: int) -> int:
    """Return how many rows a tile holds."""
    return max(TILE_VALUES // max(n_features, 32), 16)


@njit(nogil=True, cache=True)
def _fill(tile: Array, X: Array, start: int, rows: int, origin: Array, factor: Any) -> None:
    for r in range(rows):
        for f in range(X.shape[1]):
            tile[f, r] = (X[start + r, f] - origin[f]) * factor


@njit(nogil=True, cache=True)
def _measure(tile: Array, center: Array, squared: Array) -> None:
    zero = squared.dtype.type(0)
    for r in range(len(squared)):
        squared[r] = zero
    for f in range(tile.shape[0]):
        value = center[f]
        for r in range(tile.shape[1]):
            difference = tile[f, r] - value
            square = difference * difference
            # That of a gap (NaN) is not above 0; to ask for this costs nothing.
            squared[r] += square if square > zero else zero


@njit(nogil=True, cache=True)
def _nearest_in_lanes(X: Array, origin: Array, factor: Any, centers: Array) -> tuple[Array, Array]:
    n, p = X.shape
    lanes = tile_lanes(p)
    labels, squared = np.empty(n, np.int32), np.empty(n, np.float32)
    tile, trial = np.zeros((p, lanes), centers.dtype), np.empty(lanes, centers.dtype)
    least, own = np.empty(lanes, centers.dtype), np.zeros(lanes, np.int32)
    for start in range(0, n, lanes):
        rows = min(lanes, n - start)
        _fill(tile, X, start, rows, origin, factor)
        for r in range(lanes):
            least[r], own[r] = np.inf, 0
        for c in range(len(centers)):
            _measure(tile, centers[c], trial)
            for r in range(lanes):
                if trial[r] < least[r]:
                    least[r] = trial[r]
                    own[r] = c
        for r in range(rows):
            labels[start + r], squared[start + r] = own[r], least[r]
    return labels, squared


@njit(nogil=True, cache=True)
def _squared_to_own(X: Array, origin: Array, factor: Any, centers: Array, labels: Array) -> Array:
    squared = np.empty(len(X), np.float32)
    for r in range(len(X)):
        total = np.float64(0)
        for f in range(X.shape[1]):
            difference = np.float64((X[r, f] - origin[f]) * factor - centers[labels[r], f])
            total += difference * difference
        squared[r] = total
    return squared


@njit(nogil=True, cache=True)
def _sums(
    X: Array, origin: Array, weight: Array | None, labels: Array, squared: Array, n_clusters: int
) -> tuple[Array, Array, Array]:
    counts, spread = np.zeros(n_clusters), np.zeros(n_clusters)
    totals = np.zeros((n_clusters, X.shape[1]))
    for r in range(len(X)):
        c = labels[r]
        w = 1.0 if weight is None else weight[r]
        counts[c] += w
        spread[c] += w * squared[r]
        for f in range(X.shape[1]):
            totals[c, f] += w * np.float64(X[r, f] - origin[f])
    return counts, totals, spread


@njit(nogil=True, cache=True)
def _exact_sums(
    X: Array,
    origin: Array,
    weight: Array | None,
    labels: Array,
    squared: Array,
    coarse: Array,
    fine: Array,
    digit: Array,
    out: Array,
) -> None:
    (n, p), shape = X.shape, out.shape[1:]
    rows, first = np.zeros(shape[0], np.int64), np.zeros(shape, np.int64)
    second = np.zeros_like(first)
    for start in range(0, n, TILE):
        for r in range(start, min(start + TILE, n)):
            c = np.uint64(labels[r])  # unsigned, so that no label is looked for from the end
            w = 1.0 if weight is None else weight[r]
            rows[c] += 1
            for f in range(p):
                _add(w * np.float64(X[r, f] - origin[f]), coarse, first, second, c, f)
            if weight is not None:
                _add(w, coarse, first, second, c, p)
            _add(w * squared[r], coarse, first, second, c, p + 1)
        for i in range(shape[0]):
            if weight is None:  # the rows themselves are counted
                first[i, p] = rows[i] * bits(1.0 + coarse[p])
                second[i, p] = rows[i] * bits(fine[p])
            for f in range(p + 2):
                one = first[i, f] - rows[i] * bits(coarse[f])
                other = second[i, f] - rows[i] * bits(fine[f])
                put(one, other, digit[f], out, i, f)
            rows[i] = 0
            for f in range(p + 2):
                first[i, f], second[i, f] = 0, 0


@njit(nogil=True, cache=True)
def _add(value: float, coarse: Array, first: Array, second: Array, c: Any, f: int) -> None:
    # The fine grid is computed: with a fifth array compilers give up to add several features at
    # once, as each array to which sums go might overlap each from which numbers come.
    cut, fine = value + coarse[f], coarse[f] * FINER
    first[c, f] += np.float64(cut).view(np.int64)
    second[c, f] += np.float64((value - (cut - coarse[f])) + fine).view(np.int64)
