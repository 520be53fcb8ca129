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

FOUND = 1e-8, 100
"""What vectors may leave: a share of the largest value, or rounding errors if these are more."""

BLOCK_VALUES = 2**20
"""Values of a block of rows, which is read once for both products of a pass."""


def leading_singular(rows: Array, n: int, random_state: Any) -> tuple[Array, Array]:
    """Return the ``n`` largest singular values and their right vectors, by block Lanczos [1]_.

    Each pass reads the rows once. It goes on until the vectors are found, where a fixed number of
    power iterations stops too soon or too late, and it keeps what earlier passes gave.

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
    if len(rows) >= rows.shape[1]:
        return _within(rows, _leading_space(rows, n, random_state), n)
    space = _leading_space(rows.T, n, random_state).astype(rows.dtype)
    return _within(rows, np.linalg.qr((rows.T @ space).astype(np.float64))[0], n)


def _leading_space(rows: Array, n: int, random_state: Any) -> Array:
    """Return a basis of which the first ``n`` columns are the leading right vectors."""
    width = min(n + MORE, rows.shape[1])
    block = check_random_state(random_state).standard_normal((rows.shape[1], width))
    basis, images = np.empty((2, rows.shape[1], 0))
    tolerance = max(FOUND[0], FOUND[1] * float(np.finfo(rows.dtype).eps))
    for _ in range(MOST_PASSES):
        block = _orthonormal(block, basis)
        basis = np.hstack([basis, block])
        images = np.hstack([images, _squared(rows, block)])
        values, turn = np.linalg.eigh(basis.T @ images)
        values, turn = values[::-1], turn[:, ::-1][:, :width]
        left = images @ turn[:, :n] - basis @ (turn[:, :n] * values[:n])
        found = np.linalg.norm(left, axis=0).max() <= tolerance * values[0]
        if found or basis.shape[1] + width > rows.shape[1]:
            break
        block = images[:, -width:]
    return np.asarray(basis @ turn)


def _orthonormal(block: Array, basis: Array) -> Array:
    """Return an orthonormal basis of what a block adds to one; twice, as rounding wants it."""
    for _ in range(2):
        block = np.linalg.qr(block - basis @ (basis.T @ block))[0]
    return block


def _squared(rows: Array, block: Array) -> Array:
    """Return ``rows.T @ rows @ block``."""
    block = block.astype(rows.dtype)
    return _sum_of_blocks(rows, lambda some: some.T @ (some @ block))


def _within(rows: Array, basis: Array, n: int) -> tuple[Array, Array]:
    """Return the singular values and vectors of the rows within a basis.

    Squares are summed in double precision, so that small values beside large ones are right.
    """
    placed = basis.astype(rows.dtype)

    def of_block(some: Array) -> Array:
        scores = (some @ placed).astype(np.float64)
        return np.asarray(scores.T @ scores)

    squares, turn = np.linalg.eigh(_sum_of_blocks(rows, of_block))
    values = np.sqrt(np.maximum(squares[::-1][:n], 0))
    return values, (basis @ turn[:, ::-1][:, :n]).T


def _sum_of_blocks(rows: Array, function: Any) -> Array:
    parts = map_threads(
        lambda block: function(rows[block]).astype(np.float64),
        row_blocks(len(rows), max(BLOCK_VALUES // rows.shape[1], 1)),
    )
    return np.asarray(sum(parts))
