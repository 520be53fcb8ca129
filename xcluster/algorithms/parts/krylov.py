"""The leading singular vectors of many features, without a matrix of features times features."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from xcluster.base.parallel import map_threads, row_blocks

Array = NDArray[Any]

MORE = 10
"""Vectors sought beyond those asked for: the wider the block, the fewer passes."""

MOST_PASSES = 12

ANGLE = 1e-6
"""How far a vector may be turned: what it leaves, over the gap beside its value, bounds that."""

BLOCK_VALUES = 2**20
"""Values of a block of rows, which is read once for both products of a pass."""


def leading_singular(rows: Array, n: int, random_state: Any) -> tuple[Array, Array] | None:
    """Return the ``n`` largest singular values and their right vectors, by block Lanczos [1]_.

    Each pass reads the rows once, and keeps what earlier passes gave. It goes on until the vectors
    are found to `ANGLE`, where a fixed number of power iterations stops too soon or too late. If
    values lie so close together that this would take too many passes, the result is None.

    Parameters
    ----------
    rows : array of shape (n_samples, n_features), float32 or float64
    n : int
        Well below both.
    random_state : int, RandomState or None
        Of the start.

    Returns
    -------
    values : array of shape (n,), float64
    vectors : array of shape (n, n_features), float64

    References
    ----------
    .. [1] C. Musco and C. Musco, "Randomized block Krylov methods for stronger and faster
       approximate singular value decomposition", NeurIPS (2015).
    """
    wide = rows.shape[1] > len(rows)
    space = _leading_space(rows.T if wide else rows, n, random_state)
    if space is None:
        return None
    if wide:
        products = _sum_of_blocks(rows, lambda some, block: some.T @ space[block])
        space = np.linalg.qr(products)[0]
    return _within(rows, space, n)


def _leading_space(rows: Array, n: int, random_state: Any) -> Array | None:
    """Return a basis of which the first ``n`` columns are the leading right vectors."""
    width = min(n + MORE, rows.shape[1])
    block = check_random_state(random_state).standard_normal((rows.shape[1], width))
    basis, images = np.empty((2, rows.shape[1], 0))
    before = np.inf
    for left in reversed(range(MOST_PASSES)):
        block = _orthonormal(block, basis)
        basis = np.hstack([basis, block])
        images = np.hstack([images, _squared(rows, block)])
        values, turn = np.linalg.eigh(basis.T @ images)
        values, turn = values[::-1], turn[:, ::-1][:, :width]
        over = _angles(basis, images, values[: n + 1], turn[:, :n]).max() / ANGLE
        if over <= 1:
            return np.asarray(basis @ turn)
        is_whole = basis.shape[1] + width > rows.shape[1]
        if is_whole or (left < MOST_PASSES // 2 and over * (over / before) ** left > 1):
            break  # it would not be found in the passes that are left
        block, before = images[:, -width:], over
    return None


def _angles(basis: Array, images: Array, values: Array, turn: Array) -> Array:
    """Return bounds of the angles by which vectors in a basis may be turned."""
    left = images @ turn - basis @ (turn * values[:-1])
    gaps = values[:-1] - values[1:]
    nearest = np.minimum(gaps, np.append(np.inf, gaps[:-1]))
    return np.asarray(np.linalg.norm(left, axis=0) / np.maximum(nearest, np.finfo(float).tiny))


def _orthonormal(block: Array, basis: Array) -> Array:
    """Return an orthonormal basis of what a block adds to one; twice, as rounding wants it."""
    for _ in range(2):
        block = np.linalg.qr(block - basis @ (basis.T @ block))[0]
    return block


def _squared(rows: Array, block: Array) -> Array:
    """Return ``rows.T @ rows @ block``."""
    return _sum_of_blocks(rows, lambda some, _: some.T @ (some @ block))


def _within(rows: Array, basis: Array, n: int) -> tuple[Array, Array]:
    """Return the singular values and vectors of the rows within a basis."""

    def of_block(some: Array, _: slice) -> Array:
        scores = some @ basis
        return np.asarray(scores.T @ scores)

    squares, turn = np.linalg.eigh(_sum_of_blocks(rows, of_block))
    values = np.sqrt(np.maximum(squares[::-1][:n], 0))
    return values, (basis @ turn[:, ::-1][:, :n]).T


def _sum_of_blocks(rows: Array, function: Any) -> Array:
    """Return the sum of a function of blocks of the rows in double precision."""
    parts = map_threads(
        lambda block: function(rows[block].astype(np.float64, copy=False), block),
        row_blocks(len(rows), max(BLOCK_VALUES // rows.shape[1], 1)),
    )
    return np.asarray(sum(parts))
