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
from xcluster.algorithms.parts.merges import Merges
from xcluster.algorithms.parts.nearest import (
    BLOCK_QUERIES,
    NOISE,
    Search,
    check_distances,
    equal_rows,
    nearest,
    nearest_of,
)
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

    Fitted by scikit-learn's HDBSCAN, with `predict` and `strength` by the tree of the fit.

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
    core_distances_ : array of shape (n_samples,)
        Distance of each to its ``min_samples``-th neighbour, itself included.
    births_, deaths_ : arrays of shape (n_clusters,)
        The distances at which each cluster of the tree joins others, and at which it splits or
        falls apart.
    n_features_in_ : int
    leaves_noise : bool
        True: `predict` may call new rows noise, even where the fit found none.

    Notes
    -----
    A new row joins the tree as in `approximate_predict` of package hdbscan [2]_: at the least
    mutual reachability distance d to one of its nearest 2 (``min_samples`` - 1) fitted rows. It
    has the label of this row if d is below the distance at which the cluster was born, else it is
    noise. Its strength is the distance at which the cluster dies over d, at most 1. Core distances
    are those of the fit; the package takes those of one neighbour less. If all rows are one cluster
    (``allow_single_cluster``), new rows are noise where fitted ones would be: beyond
    ``cluster_selection_epsilon`` or, if this is 0, the distance at which the cluster dies.

    References
    ----------
    .. [1] R. Campello, D. Moulavi, J. Sander, "Density-based clustering based on hierarchical
       density estimates", PAKDD (2013) 160-172.
    .. [2] L. McInnes, J. Healy and S. Astels, "hdbscan: Hierarchical density based clustering",
       Journal of Open Source Software 2 (2017), 205.

    Examples
    --------
    >>> X = [[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [40.0]]
    >>> model = HDBSCAN(min_cluster_size=3, min_samples=2).fit(X)
    >>> model.labels_
    array([ 0,  0,  0,  1,  1,  1, -1])
    >>> model.predict([[5.3], [100.0]])
    array([ 1, -1])
    >>> model.strength([[5.1], [5.3], [100.0]]).round(2)
    array([1. , 0.5, 0. ])
    """

    leaves_noise = True

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
            away = nearest_of(X, X, self._n_neighbours, self.metric)[1]
        self.samples_, self.sample_labels_ = X, inner.labels_
        self.labels_, self.probabilities_ = inner.labels_, inner.probabilities_
        self.births_, self.deaths_ = self._reaches(inner._single_linkage_tree_)
        self.core_distances_ = away.max(axis=1)
        return self

    def _reaches(self, tree: Array) -> tuple[Array, Array]:
        """Return the distances below which rows join each cluster, and from which on fully."""
        merges = Merges(tree["left_node"], tree["right_node"], tree["value"])
        births, tops = merges.pure(self.labels_)
        ends = np.array([merges.end(top, self.min_cluster_size) for top in tops])
        whole = merges.end(merges.root, self.min_cluster_size)
        if self.allow_single_cluster and len(tops) == 1 and whole < births[0]:
            # All rows are one cluster, of which those are noise that join beyond a distance.
            reach = self.cluster_selection_epsilon or whole
            return np.array([np.nextafter(reach, np.inf)]), np.array([whole])
        return births, ends

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
        if self._n_neighbours > n_samples:
            name = "min_cluster_size" if self.min_samples is None else "min_samples"
            rule = f"is more than the {n_samples} samples"
            raise BadValueError(name, self._n_neighbours, rule, "pass a smaller one")

    def predict(self, X: Any) -> Array:
        """Return the label of each row, or -1 where no cluster reaches.

        A row that equals a fitted one gets its label.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        int array of shape (n_rows,)
        """
        X = new_rows(self, X, np.float64)
        if not hasattr(self, "core_distances_"):  # a file of 0.1.0
            labels: Array = self.sample_labels_
            return labels[nearest(self.samples_, X, self.metric)[0]]
        return self._placed(X)[0]

    def strength(self, X: Any) -> Array:
        """Return how firmly each row belongs to its cluster: 0 for noise, up to 1.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        array of shape (n_rows,)
        """
        return self._placed(new_rows(self, X, np.float64))[1]

    def _placed(self, X: Array) -> tuple[Array, Array]:
        """Return the label and the strength of rows."""
        near, reach = self._joined(X)
        labels = self.sample_labels_[near]
        labels = np.where(reach < np.append(self.births_, 0.0)[labels], labels, NOISE)
        deaths = np.append(self.deaths_, 0.0)[labels]
        strength = np.minimum(deaths / np.where(reach > 0, reach, 1.0), 1.0)
        strength[(reach == 0) & (labels != NOISE)] = 1.0
        equal, found = equal_rows(self.samples_, X)
        labels[found] = self.sample_labels_[equal[found]]
        strength[found] = self.probabilities_[equal[found]]
        return labels, strength

    def _joined(self, X: Array) -> tuple[Array, Array]:
        """Return the fitted row by which each row joins the tree, and at what distance.

        Among the nearest ``2 (min_samples - 1)`` fitted rows it is that of the least mutual
        reachability; of several such rows it is the nearest.
        """
        n, core = self._n_neighbours, self.core_distances_
        n_near = min(max(2 * (n - 1), n), len(core))
        index, away = nearest_of(self.samples_, X, n_near, self.metric)
        own = np.partition(away, n - 1, axis=1)[:, n - 1 : n]
        reach = np.maximum(np.maximum(core[index], own), away)
        least = reach.min(axis=1, keepdims=True)
        best = np.where(reach == least, away, np.inf).argmin(axis=1)
        return index[np.arange(len(index)), best], least[:, 0]

    @property
    def _n_neighbours(self) -> int:
        """The rows that make a neighbourhood."""
        return self.min_cluster_size if self.min_samples is None else self.min_samples
