"""Where a Gaussian mixture starts: at centres, each with the rows nearest to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.parts.gaussians import Components, Factored
from xcluster.base.streaming import ArrayBlocks

if TYPE_CHECKING:
    from xcluster.algorithms.mixture import GaussianMixture

Array = NDArray[Any]


def centers(mixture: GaussianMixture, blocks: ArrayBlocks, seed: int) -> Array:
    """Return the points to which rows are first assigned, of shape (k, p)."""
    k, X, weight = mixture.n_components, blocks.X, blocks.sample_weight
    if mixture.init_params == "kmeans":
        kmeans = KMeans(k, n_init=1, random_state=seed).fit(X, sample_weight=weight)
        return np.asarray(kmeans.cluster_centers_, np.float64)
    shares = None if weight is None else weight / weight.sum()
    rows = np.random.RandomState(seed).choice(len(X), k, replace=False, p=shares)
    return np.asarray(X[rows], np.float64)


def nearest_of(means: Array, *, with_matrices: bool) -> Factored:
    """Return components of unit covariance: the densest at a row is the nearest."""
    k, p = means.shape
    unit = np.eye(p) if with_matrices else np.ones(p)
    return Factored(Components(np.ones(k), means, np.broadcast_to(unit, (k, *unit.shape))))
