"""Clusters as dense regions, with noise: DBSCAN and HDBSCAN that predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import cluster
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.neighbors import BallTree, KDTree
from sklearn.utils.validation import validate_data

from xcluster.algorithms.kernels.neighbourhoods import join_neighbours, number_groups
from xcluster.algorithms.parts.inputs import new_rows
from xcluster.algorithms.parts.nearest import NOISE, Search, check_distances, nearest
from xcluster.base.checks import (
    blamed,
    check_choice,
    check_flag,
    check_integer,
    check_number,
    is_one_of,
)
from xcluster.base.errors import BadValueError
from xcluster.base.memory import check_memory
from xcluster.base.parallel import each_in_threads, row_blocks

Array = NDArray[Any]

BLOCK_QUERIES = 2048
"""Rows whose neighbourhoods are held at once: each may be as long as the data."""
MOST_PAIRS = 2**25
"""Pairs of neighbours that are kept (128 MiB); the others are found twice."""

METRICS = "choose a metric that sklearn.neighbors.NearestNeighbors knows"


def _read_by(metric: Any) -> tuple[str, ...]:
    """Return what a metric reads from the order of features: haversine takes latitudes first."""
    is_haversine = isinstance(metric, str) and metric == "haversine"
    return ("variables", "features") if is_haversine else ()


def _check_metric(metric: Any) -> None:
    """Refuse given distances, by which no new row could be labelled."""
    if isinstance(metric, str) and metric == "precomputed":
        rule = "needs distances to the fitted rows instead of features"
        remedy = 'pass a clusterer of scikit-learn with metric="precomputed" to fit()'
        raise BadValueError("metric", metric, rule, remedy)


class DBSCAN(ClusterMixin, BaseEstimator):
    """Density-based clusters; the rest is noise.

    Differs from scikit-learn's in three points: memory is bounded whatever ``eps``; a border
    sample belongs to its nearest core sample, so that labels do not depend on the order of the
    rows; and new rows can be labelled.

    Sample weights are not taken. (In DBSCAN a weight would count a row several times towards
    ``min_samples``: it would change what is dense, not how much a row matters.)

    Parameters
    ----------
    eps : float, default=0.5
        Radius of a neighbourhood, in units of the data.
    min_samples : int, default=5
        A row with that many rows within ``eps``, itself included, is a core sample.
    metric : str, default="euclidean"
        Any metric of `sklearn.neighbors.NearestNeighbors`.

    Attributes
    ----------
    labels_ : int array of shape (n_samples,)
        Clusters are numbered by their first core sample; -1 is noise.
    core_sample_indices_ : int array of shape (n_core_samples,)
    components_ : array of shape (n_core_samples, n_features)
        The core samples.
    component_labels_ : int array of shape (n_core_samples,)
        Their labels.
    n_features_in_ : int
    leaves_noise : bool
        True: `predict` may call new rows noise, even where the fit found none.

    References
    ----------
    M. Ester, H.-P. Kriegel, J. Sander, X. Xu, "A density-based algorithm for discovering clusters
    in large spatial databases with noise", KDD (1996) 226-231.

    Examples
    --------
    >>> model = DBSCAN(eps=1.5, min_samples=2).fit([[0.0], [1.0], [9.0], [10.0], [30.0]])
    >>> model.labels_
    array([ 0,  0,  1,  1, -1])
    >>> model.predict([[8.0], [20.0]])
    array([ 1, -1])
    """

    leaves_noise = True

    def __init__(
        self, eps: float = 0.5, *, min_samples: int = 5, metric: str = "euclidean"
    ) -> None:
        self.eps = eps
        self.min_samples = min_samples
        self.metric = metric

    @property
    def reads_order_of(self) -> tuple[str, ...]:
        """What tells features apart by their place: nothing, unless the metric does."""
        return _read_by(self.metric)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the core samples and the clusters that they form.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        """
        check_number("eps", self.eps, above=0)
        check_integer("min_samples", self.min_samples, minimum=1)
        _check_metric(self.metric)
        X = validate_data(self, X, dtype=np.float64)
        check_distances(self.metric, X)
        with blamed("metric", self.metric, METRICS):
            search = Search.of(X, self.metric, self.eps)
            counts, near = _neighbours(search, X)
        is_core = counts >= self.min_samples
        self.core_sample_indices_ = np.flatnonzero(is_core)
        self.components_ = X[is_core]
        self.labels_, is_border = _grouped(search, X, counts, is_core, near)
        self.component_labels_ = self.labels_[is_core]
        self.labels_[is_border] = self._assign(X[is_border])
        return self

    def predict(self, X: Any) -> Array:
        """Return the label of the nearest core sample within ``eps``, else -1.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        int array of shape (n_rows,)
        """
        return self._assign(new_rows(self, X, np.float64))

    def _assign(self, X: Array) -> Array:
        if not len(self.components_) or not len(X):
            return np.full(len(X), NOISE)
        index, distance = nearest(self.components_, X, self.metric)
        return np.where(distance <= self.eps, self.component_labels_[index], NOISE)


def _neighbours(search: Search, X: Array) -> tuple[Array, list[Array | None]]:
    """Return how many neighbours each row has, and for each block of rows those of all in turn.

    There is None for blocks beyond the number of pairs that are kept.
    """
    counts, near, n_pairs = [], [], 0
    blocks = (X[rows] for rows in row_blocks(len(X), BLOCK_QUERIES))
    for found in each_in_threads(search.within, blocks):
        counts.append(np.fromiter(map(len, found), np.intp, len(found)))
        n_pairs += counts[-1].sum()
        near.append(_in_turn(found) if n_pairs <= MOST_PAIRS else None)
    return np.concatenate(counts), near


def _grouped(
    search: Search, X: Array, counts: Array, is_core: Array, near: Sequence[Array | None]
) -> tuple[Array, Array]:
    """Return the cluster of each core sample, what chains of these reach, and who is near one."""
    parent, is_border = np.arange(len(X), dtype=np.int32), np.zeros(len(X), bool)
    for rows, kept in zip(row_blocks(len(X), BLOCK_QUERIES), near, strict=True):
        found = _in_turn(search.within(X[rows])) if kept is None else kept
        join_neighbours(rows.start, counts[rows], found, is_core, parent, is_border)
    labels = np.full(len(X), NOISE)
    number_groups(is_core, parent, labels)
    return labels, is_border


def _in_turn(found: Array) -> Array:
    """Return the neighbours of several rows, those of one row after the other."""
    return np.concatenate(found, dtype=np.int32, casting="same_kind")


class HDBSCAN(ClusterMixin, BaseEstimator):
    """Density-based clusters at all scales; the rest is noise.

    Fitted by scikit-learn's HDBSCAN, with `predict`.

    Parameters
    ----------
    min_cluster_size : int, default=5
        Smaller groups are noise.
    min_samples : int, default=None
        Rows, itself included, that make a row's neighbourhood; default ``min_cluster_size``.
    cluster_selection_epsilon : float, default=0.0
        Clusters nearer than this are not split.
    cluster_selection_method : {"eom", "leaf"}, default="eom"
        The most persistent clusters of the tree, or its leaves.
    allow_single_cluster : bool, default=False
    metric : str, default="euclidean"

    Attributes
    ----------
    labels_ : int array of shape (n_samples,)
        -1 is noise.
    probabilities_ : array of shape (n_samples,)
        How firmly each row belongs to its cluster; 0 for noise.
    samples_ : array of shape (n_samples, n_features)
        The fitted rows.
    n_features_in_ : int

    References
    ----------
    R. Campello, D. Moulavi, J. Sander, "Density-based clustering based on hierarchical density
    estimates", PAKDD (2013) 160-172.

    Examples
    --------
    >>> X = [[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [40.0]]
    >>> model = HDBSCAN(min_cluster_size=3, min_samples=2).fit(X)
    >>> model.labels_
    array([ 0,  0,  0,  1,  1,  1, -1])
    >>> model.predict([[4.0], [100.0]])
    array([ 1, -1])
    """

    def __init__(
        self,
        min_cluster_size: int = 5,
        *,
        min_samples: int | None = None,
        cluster_selection_epsilon: float = 0.0,
        cluster_selection_method: str = "eom",
        allow_single_cluster: bool = False,
        metric: str = "euclidean",
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.min_samples = min_samples
        self.cluster_selection_epsilon = cluster_selection_epsilon
        self.cluster_selection_method = cluster_selection_method
        self.allow_single_cluster = allow_single_cluster
        self.metric = metric

    @property
    def reads_order_of(self) -> tuple[str, ...]:
        """What tells features apart by their place: nothing, unless the metric does."""
        return _read_by(self.metric)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the clusters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        """
        self._check_parameters()
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        self._check_size(len(X))
        check_distances(self.metric, X)
        self.check_memory(*X.shape)
        with blamed("metric", self.metric, METRICS):
            inner = cluster.HDBSCAN(**self.get_params(), copy=True).fit(X)
        self.samples_, self.sample_labels_ = X, inner.labels_
        self.labels_, self.probabilities_ = inner.labels_, inner.probabilities_
        return self

    def _check_parameters(self) -> None:
        check_integer("min_cluster_size", self.min_cluster_size, minimum=2)
        if self.min_samples is not None:
            check_integer("min_samples", self.min_samples, minimum=1)
        check_number("cluster_selection_epsilon", self.cluster_selection_epsilon, minimum=0)
        methods = ("eom", "leaf")
        check_choice("cluster_selection_method", self.cluster_selection_method, methods)
        check_flag("allow_single_cluster", self.allow_single_cluster)
        _check_metric(self.metric)

    def check_memory(self, n_samples: int, n_features: int) -> None:
        """Refuse so many rows that the distances between them do not fit in memory."""
        if is_one_of(self.metric, {*KDTree.valid_metrics, *BallTree.valid_metrics}):
            return  # a tree finds neighbours without all distances
        what = f"the distances between {n_samples:,} samples"
        remedy = 'choose metric="euclidean", or fit fewer samples'
        check_memory("metric", self.metric, 19.0 * n_samples**2, what, remedy)

    def _check_size(self, n_samples: int) -> None:
        """Refuse a neighbourhood of more rows than there are."""
        name = "min_cluster_size" if self.min_samples is None else "min_samples"
        if getattr(self, name) > n_samples:
            rule = f"is more than the {n_samples} samples"
            raise BadValueError(name, getattr(self, name), rule, "pass a smaller one")

    def predict(self, X: Any) -> Array:
        """Return the label of the nearest fitted row, noise included.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        int array of shape (n_rows,)
        """
        X = new_rows(self, X, np.float64)
        labels: Array = self.sample_labels_
        return labels[nearest(self.samples_, X, self.metric)[0]]
