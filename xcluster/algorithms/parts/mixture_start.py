"""Where a Gaussian mixture starts: what the user gave, and points with the rows nearest to each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.covariances import MATRICES, from_precisions, shape
from xcluster.algorithms.parts.distances import distances
from xcluster.algorithms.parts.gaps import partial_squares
from xcluster.algorithms.parts.gaussians import Components, Nearest
from xcluster.algorithms.parts.inputs import check_shape, weight_or_ones
from xcluster.algorithms.parts.spread import quantiles, robust_variances
from xcluster.base.errors import BadValueError
from xcluster.base.streaming import ArrayBlocks

Array = NDArray[Any]

START_ROWS = 20_000
"""The most rows on which starts are compared."""
RELATIVE = 1e-6
"""Share of its variance that is added to the variance of a feature by default."""
BOX = (0.01, 0.99)
"""Quantiles between which the box of a uniform component lies at least."""


def checked_start(
    given: Mapping[str, Any], covariance_type: str, k: int, p: int
) -> dict[str, Array]:
    """Return those of "weights", "means" and "precisions" that the user gave, as arrays.

    Raises
    ------
    ValueError
        For a wrong shape, infinite numbers, and weights that are not positive or do not sum to 1.
    """
    checked = {
        "weights": (_check_shares, (k,)),
        "means": (check_shape, (k, p)),
        "precisions": (check_shape, shape(covariance_type, k, p)),
    }
    return {
        name: check(f"{name}_init", given[name], expected)
        for name, (check, expected) in checked.items()
        if given[name] is not None
    }


def _check_shares(parameter: str, value: Any, expected: tuple[int, ...]) -> Array:
    shares = check_shape(parameter, value, expected)
    if not (shares > 0).all() or not np.isclose(shares.sum(), 1):
        rule = "must be positive and sum to 1"
        raise BadValueError(parameter, value, rule, "divide them by their sum")
    return shares


def covariances_from(precisions: Array, covariance_type: str) -> Array:
    """Return the covariances that belong to `precisions_init`."""
    try:
        return from_precisions(covariance_type, precisions)
    except np.linalg.LinAlgError:
        rule = "must be symmetric and positive definite"
        remedy = "pass the inverses of covariance matrices"
        raise BadValueError("precisions_init", precisions, rule, remedy) from None


def nearest_of(means: Array, covariance_type: str) -> Nearest:
    """Return components of unit covariance: the densest at a row is the nearest."""
    k, p = means.shape
    unit = np.eye(p) if covariance_type in MATRICES else np.ones(p)
    return Nearest(Components(np.ones(k), means, np.broadcast_to(unit, (k, *unit.shape))))


def filled_from_nearest(X: Array, means: Array) -> Array:
    """Return rows with the values of their nearest mean in their gaps."""
    nearest = partial_squares(X, means).argmin(axis=0)
    return np.where(np.isnan(X), means[nearest].astype(X.dtype), X)


def regularisation(blocks: ArrayBlocks, reg_covar: float | None, covariance_type: str) -> Array:
    """Return what is added to the variance of each feature, of shape (n_features,).

    A number is in squared units of the data. None is a millionth of what each feature varies by,
    or of their mean if the covariances are spherical.
    """
    p = blocks.X.shape[1]
    if reg_covar is not None:
        return np.full(p, float(reg_covar))
    some = evenly_spaced(blocks)
    variances = robust_variances(some.X, some.sample_weight)
    if covariance_type == "spherical":
        variances = np.full(p, variances.mean())
    return RELATIVE * variances


def bounding_box(blocks: ArrayBlocks) -> Array:
    """Return the lower and the upper corner of a box about the bulk of the rows, of shape (2, p).

    In each feature it reaches from the 1 % to the 99 % quantile, but is at least 6 robust standard
    deviations wide.
    """
    some = evenly_spaced(blocks)
    weight = weight_or_ones(some.sample_weight, len(some.X))
    columns = (quantiles(column.astype(np.float64), weight, BOX) for column in some.X.T)
    low, high = np.transpose(list(columns))
    deviations = np.sqrt(robust_variances(some.X, some.sample_weight))
    half = np.maximum((high - low) / 2, 3 * deviations)
    return np.asarray((low + high) / 2 + np.array([-half, half]))


def without_farthest(blocks: ArrayBlocks, means: Array, share: float) -> ArrayBlocks:
    """Return the rows with a weight of 0 for the share that lies farthest from the nearest mean."""
    weight = weight_or_ones(blocks.sample_weight, len(blocks.X))
    away = distances(blocks.X, means).min(axis=1)
    near = away <= quantiles(away, weight, (1 - share,))[0]
    return replace(blocks, sample_weight=np.where(near, weight, 0.0))


def evenly_spaced(blocks: ArrayBlocks) -> ArrayBlocks:
    """Return at most `START_ROWS` rows, at even steps."""
    step = -(-len(blocks.X) // START_ROWS)
    if step == 1:
        return blocks
    some = blocks.take(slice(None, None, step))
    return ArrayBlocks(np.ascontiguousarray(some.X), some.sample_weight)
