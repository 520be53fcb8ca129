"""Where fuzzy c-means starts: at given centres, or at the best of several short fits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.cluster import kmeans_plusplus
from sklearn.utils import check_random_state

from xcluster.base.checks import check_numbers
from xcluster.base.errors import BadValueError
from xcluster.base.streaming import ArrayBlocks

if TYPE_CHECKING:
    from xcluster.algorithms.fuzzy import FuzzyCMeans

Array = NDArray[Any]

START_ROWS = 8192
START_PASSES = 50
START_TOLERANCE = 1e-3


def start(fuzzy: FuzzyCMeans, blocks: ArrayBlocks) -> tuple[Array, Array | None]:
    """Return the centres and covariances to start from."""
    if not isinstance(fuzzy.init, str):
        return _given_centers(fuzzy, blocks.X.shape[1]), None
    random = check_random_state(fuzzy.random_state)
    sample = _sample(blocks, random)
    short = clone(fuzzy).set_params(max_iter=START_PASSES, tol=START_TOLERANCE)
    best: tuple[float, Array, Array | None] = math.inf, np.empty(0), None
    for _ in range(fuzzy.n_init):
        centers, _ = kmeans_plusplus(
            sample.X, fuzzy.n_clusters, sample_weight=sample.sample_weight, random_state=random
        )
        short._begin(np.asarray(centers, np.float64), None)
        short._run(sample)
        if short.objective_ < best[0]:
            best = short.objective_, short.cluster_centers_, short.covariances_
    return best[1:]


def _given_centers(fuzzy: FuzzyCMeans, n_features: int) -> Array:
    centers = check_numbers("init", fuzzy.init, "give one row for each cluster")
    if centers.shape != (fuzzy.n_clusters, n_features):
        rule = f"must have the shape ({fuzzy.n_clusters}, {n_features})"
        remedy = "give one row for each cluster"
        raise BadValueError("init", f"array of shape {centers.shape}", rule, remedy)
    return centers


def _sample(blocks: ArrayBlocks, random: np.random.RandomState) -> ArrayBlocks:
    """Return at most `START_ROWS` of the rows that weigh anything, drawn at random."""
    X, weight = blocks.X, blocks.sample_weight
    rows = np.arange(len(X)) if weight is None else np.flatnonzero(weight)
    if len(rows) > START_ROWS:
        rows = np.sort(random.choice(rows, START_ROWS, replace=False))
    return ArrayBlocks(X[rows], None if weight is None else weight[rows], rows=blocks.rows)
