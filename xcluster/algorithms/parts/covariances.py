"""What the four covariance types of a mixture mean: shapes, maximisation, factors.

============  ================  ======================================
type          shape             the covariance of component i is
============  ================  ======================================
"full"        ``(k, p, p)``     a matrix of its own
"tied"        ``(p, p)``        one matrix for all
"diag"        ``(k, p)``        a diagonal of its own
"spherical"   ``(k,)``          a variance of its own, in all directions
============  ================  ======================================
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from xcluster.algorithms.parts.gaussians import Moments

Array = NDArray[Any]

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
MATRICES = ("full", "tied")


def shape(kind: str, k: int, p: int) -> tuple[int, ...]:
    """Return the shape of the covariances of k components of p features."""
    return {"full": (k, p, p), "tied": (p, p), "diag": (k, p), "spherical": (k,)}[kind]


def n_free(kind: str, k: int, p: int) -> int:
    """Return how many numbers the covariances leave free."""
    matrix = p * (p + 1) // 2
    return {"full": k * matrix, "tied": matrix, "diag": k * p, "spherical": k}[kind]


def maximising(kind: str, moments: Moments, reg_covar: Array) -> Array:
    """Return the covariances under which rows of these moments are the likeliest.

    To the variance of each feature its ``reg_covar`` is added. Components without weight get the
    mean covariance of the others.
    """
    weight = moments.weight
    occupied = weight > 0
    inverse = np.divide(1.0, weight, where=occupied, out=np.zeros_like(weight))
    step = moments.first * inverse[:, None]
    if kind == "tied":
        scatter = moments.second.sum(axis=0) - step.T @ moments.first
        return np.asarray(scatter / weight.sum() + np.diag(reg_covar))
    if kind == "full":
        square = step[:, :, None] * step[:, None, :]
        covariances = moments.second * inverse[:, None, None] - square + np.diag(reg_covar)
    else:
        covariances = moments.second * inverse[:, None] - step**2 + reg_covar
    if kind == "spherical":
        covariances = covariances.mean(axis=1)
    covariances[~occupied] = np.tensordot(weight / weight.sum(), covariances, axes=1)
    return np.asarray(covariances)


def squares(kind: str, d: Array) -> Array:
    """Return the covariance of two rows that differ by twice this, for each d of shape (..., p)."""
    if kind in MATRICES:
        return np.asarray(d[..., :, None] * d[..., None, :])
    return np.asarray(d**2 if kind == "diag" else np.mean(d**2, axis=-1))


def log_determinants(kind: str, covariances: Array, p: int) -> Array:
    """Return the logarithm of the determinant of each covariance."""
    if kind in MATRICES:
        return np.asarray(np.linalg.slogdet(covariances)[1])
    logs = np.log(covariances)
    return np.asarray(logs.sum(axis=-1) if kind == "diag" else p * logs)


def flat(kind: str, covariances: Array, least: Array) -> Array:
    """Whether the variance of each covariance falls below a least one, (p,), in some direction."""
    if kind not in MATRICES:
        covariances = covariances.reshape(len(covariances), -1)
        return np.asarray((covariances < least[: covariances.shape[1]]).any(axis=1))
    matrices = covariances.reshape(-1, len(least), len(least))
    scale = 1 / np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))
    own = matrices * squares("full", scale) - scale[:, :, None] ** 2 * np.diag(least)
    return np.asarray(np.linalg.eigvalsh(own)[:, 0] < 0)


def precision_factors(kind: str, covariances: Array) -> Array:
    """Return upper triangular U with inverse covariance U U', or roots of inverse variances.

    Raises
    ------
    numpy.linalg.LinAlgError
        Where a covariance is not positive definite.
    """
    if kind not in MATRICES:
        if not (covariances > 0).all():
            raise np.linalg.LinAlgError
        return np.asarray(1 / np.sqrt(covariances))
    roots = np.linalg.cholesky(covariances)
    inverse = [_inverse_of_lower(root) for root in roots.reshape(-1, *roots.shape[-2:])]
    return np.reshape(inverse, roots.shape).swapaxes(-1, -2)


def _inverse_of_lower(root: Array) -> Array:
    return np.asarray(solve_triangular(root, np.eye(len(root)), lower=True))


def to_covariance(factor: Array, rows: Array) -> Array:
    """Return rows of unit covariance, of shape (n, p), with the covariance of a precision factor.

    The factor is of shape (p, p), or (p,) for a diagonal.
    """
    if factor.ndim == 1:
        return rows / factor
    return np.asarray(solve_triangular(factor, rows.T, trans="T").T)


def from_precisions(kind: str, precisions: Array) -> Array:
    """Return the covariances of which these are the inverses.

    Raises
    ------
    numpy.linalg.LinAlgError
        Where a precision is not symmetric and positive definite.
    """
    if kind not in MATRICES:
        return precision_factors(kind, precisions) ** 2
    if not np.allclose(precisions, precisions.swapaxes(-1, -2)):
        raise np.linalg.LinAlgError
    factors = precision_factors(kind, precisions)
    return np.asarray(factors @ factors.swapaxes(-1, -2))


def factor_of_each(kind: str, factors: Array, k: int, p: int) -> Array:
    """Return a factor for each component: of shape (k, p, p), or (k, p) for diagonals."""
    if kind == "tied":
        return np.broadcast_to(factors, (k, p, p))
    if kind == "spherical":
        return np.broadcast_to(factors[:, None], (k, p))
    return factors
