"""Hierarchical clustering whose tree is kept, so that it can be cut again."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, issparse
from scipy.sparse.csgraph import connected_components
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from xcluster.algorithms.parts.connectivity import grid_connectivity
from xcluster.algorithms.parts.distinct import check_distinct
from xcluster.algorithms.parts.groups import group_means
from xcluster.algorithms.parts.inputs import new_rows
from xcluster.algorithms.parts.linkages import (
    LINKAGES,
    contiguous_linkage,
    cut_at,
    cut_into,
    micro_centers,
    pairwise_linkage,
    ward_linkage,
)
from xcluster.algorithms.parts.nearest import check_distances, nearest
from xcluster.base.checks import check_choice, check_integer, check_number
from xcluster.base.errors import BadValueError
from xcluster.base.memory import check_memory

__all__ = ["Hierarchical", "grid_connectivity"]

Array = NDArray[Any]

METRICS = ("euclidean", "cityblock", "cosine", "correlation")
# The most rows of an exact tree: seconds to a minute, or 3.2 GB where all distances are needed.
MAX_EXACT = {"ward": 131_072, "single": 65_536, "average": 20_000, "complete": 20_000}
N_MICRO = 16_384


class Hierarchical(ClusterMixin, BaseEstimator):
    """Agglomerative clustering, exact without an n x n matrix for Ward's linkage.

    Nothing is random, and labels do not depend on the number of threads. They are numbered by
    descending weight, ties by centre.

    Parameters
    ----------
    n_clusters : int, default=2
        Where `fit` cuts the tree.
    linkage : {"ward", "average", "complete", "single"}, default="ward"
    metric : {"euclidean", "cityblock", "cosine", "correlation"}, default="euclidean"
        Ward's linkage is euclidean only.
    connectivity : sparse matrix of shape (n_samples, n_samples), optional
        Only rows that it connects merge, directly or through others; a symmetric pattern.
        `grid_connectivity` makes one. Separate parts stay separate. Two neighbouring clusters
        are as far apart as the connections between them say (for Ward: as their means and
        weights say).
    max_exact : int, optional
        With more rows (and no connectivity) Ward's linkage first makes micro-clusters, by Ward
        within cells of space, and then the weighted tree over these; the other linkages raise.
        Default: 131,072 rows for Ward, 65,536 for single, 20,000 for average and complete.

    Attributes
    ----------
    labels_ : int array of shape (n_samples,)
    linkage_matrix_ : array of shape (`n_leaves_` - 1, 4)
        As scipy's, over the leaves. With connectivity it stands in the order of the merges, in
        which heights can fall; separate parts are joined last, at infinite height.
    exact_ : bool
        Whether the leaves are the rows (of positive weight), not micro-clusters.
    n_micro_ : int or None
        Number of micro-clusters.
    n_leaves_ : int
    samples_ : array of shape (`n_leaves_`, n_features)
        The leaves: fitted rows, or centres of micro-clusters.
    leaf_ : int array of shape (n_samples,)
        The leaf of each fitted row.
    leaf_weights_ : array of shape (`n_leaves_`,)
    leaf_labels_ : int array of shape (`n_leaves_`,)
    is_connected_ : bool
        Whether connectivity said which rows may merge.
    n_connected_components_ : int
        Parts that never merge; 1 without connectivity.
    cluster_centers_ : array of shape (n_clusters, n_features)
        Weighted means of the rows.
    counts_ : int array of shape (n_clusters,)
        Number of rows.
    row_labels_ : int array of shape (n_samples,)
        The labels of the fitted rows at the present cut.
    predicts_by_ : {"nearest fitted sample", "nearest micro-cluster"}
    n_features_in_ : int
    sweeps_by : str
        "cutting": every number of clusters is a cut of one tree, made by `recut`.

    Notes
    -----
    A weight is the initial size of a row, as if it stood there that many times; rows of weight
    zero are no leaves and get the label of the nearest leaf. Heights with unit weights are
    scipy's. Trees are grown by nearest-neighbour chains [1]_ over blocks in space; contiguous
    ones by merging the closest neighbours [2]_.

    References
    ----------
    .. [1] F. Murtagh, "A survey of recent advances in hierarchical clustering algorithms", The
       Computer Journal 26 (1983) 354-359.
    .. [2] J. H. Ward, "Hierarchical grouping to optimize an objective function", Journal of the
       American Statistical Association 58 (1963) 236-244.

    Examples
    --------
    >>> model = Hierarchical(2).fit([[0.0], [1.0], [9.0], [2.0], [11.0]])
    >>> model.labels_
    array([0, 0, 1, 0, 1])
    >>> model.cut(n_clusters=3)
    array([0, 0, 1, 0, 2])
    >>> model.cut(height=1.0)
    array([0, 0, 2, 1, 3])
    """

    sweeps_by = "cutting"
    reads_order_of: tuple[str, ...] = ()

    def __init__(
        self,
        n_clusters: int = 2,
        *,
        linkage: str = "ward",
        metric: str = "euclidean",
        connectivity: Any = None,
        max_exact: int | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.linkage = linkage
        self.metric = metric
        self.connectivity = connectivity
        self.max_exact = max_exact

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Grow the tree and cut it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            Not negative; for Ward's linkage only. Must be positive with connectivity.

        Raises
        ------
        ValueError
            If a parameter is out of range, if weights are given to another linkage than Ward's,
            if there are fewer distinct rows than clusters (connectivity may tell equal rows
            apart) or fewer clusters than connected parts, or if a linkage other than Ward's would
            exceed ``max_exact``.
        """
        self._check_parameters()
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        weights = self._check_weights(X, sample_weight)
        edges = self._check_connectivity(len(X))
        check_distances(self.metric, X)
        if edges is None:
            check_distinct("n_clusters", self.n_clusters, X, weights)
        self._set_leaves(X, weights)
        self.check_memory(*self.samples_.shape)
        self._check_n_clusters(self.n_clusters)
        self.linkage_matrix_ = self._grow(edges)
        self.leaf_labels_ = self._number(cut_into(self.linkage_matrix_, self.n_clusters))
        self.labels_ = self.row_labels_
        self.cluster_centers_ = group_means(X, self.labels_, weights)
        self.counts_ = np.bincount(self.labels_)
        return self

    def cut(self, n_clusters: int | None = None, *, height: float | None = None) -> Array:
        """Return the labels of the fitted rows from another cut of the tree.

        Parameters
        ----------
        n_clusters : int, optional
        height : float, optional
            Only merges up to it are made. Give one of the two.

        Returns
        -------
        int array of shape (n_samples,)
            Numbered by descending weight, ties by centre.

        Raises
        ------
        ValueError
            If both or neither are given, if ``n_clusters`` is less than the number of connected
            parts or more than that of leaves or distinct rows, or if ``height`` is negative.
        """
        check_is_fitted(self)
        if (n_clusters is None) == (height is None):
            given = {"n_clusters": n_clusters, "height": height}
            raise BadValueError("cut", given, "takes one of the two", "pass only one")
        if height is not None:
            groups = cut_at(self.linkage_matrix_, check_number("height", height, minimum=0))
        else:
            groups = cut_into(self.linkage_matrix_, self._check_n_clusters(n_clusters))
        return self._number(groups)[self.leaf_]

    def recut(self, n_clusters: int | None = None, *, height: float | None = None) -> Self:
        """Return an estimator with the same tree cut elsewhere.

        Parameters
        ----------
        n_clusters, height
            As for `cut`.

        Returns
        -------
        Hierarchical, fitted; the original stays as it is.
        """
        labels = self.cut(n_clusters, height=height)
        again = copy.copy(self)
        again.labels_, again.n_clusters = labels, int(labels.max()) + 1
        again.leaf_labels_ = np.empty(self.n_leaves_, labels.dtype)
        again.leaf_labels_[self.leaf_] = labels
        again.cluster_centers_ = group_means(self.samples_, again.leaf_labels_, self.leaf_weights_)
        again.counts_ = np.bincount(labels)
        return again

    def predict(self, X: Any) -> Array:
        """Return the label of the nearest leaf; fitted rows keep theirs.

        (Where equal rows have different labels, which only connectivity can give, all get the
        first's.)

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        int array of shape (n_rows,)
        """
        X = new_rows(self, X, np.float64)
        return self.leaf_labels_[nearest(self.samples_, X, self.metric)[0]]

    @property
    def takes_weights(self) -> bool:
        """Whether weights have a meaning: for Ward's linkage only."""
        return self.linkage == "ward"

    @property
    def row_labels_(self) -> Array:
        """Labels of the fitted rows at the present cut."""
        labels: Array = self.leaf_labels_[self.leaf_]
        return labels

    def _check_parameters(self) -> None:
        check_integer("n_clusters", self.n_clusters, minimum=1)
        check_choice("linkage", self.linkage, LINKAGES)
        check_choice("metric", self.metric, METRICS)
        if self.max_exact is not None:
            check_integer("max_exact", self.max_exact, minimum=2)
        if self.linkage == "ward" and self.metric != "euclidean":
            rule = 'linkage="ward" is defined for euclidean distance only'
            remedy = 'choose linkage="average", or metric="euclidean"'
            raise BadValueError("metric", self.metric, rule, remedy)

    def _check_weights(self, X: Array, sample_weight: Any) -> Array:
        if sample_weight is None:
            return np.ones(len(X))
        if not self.takes_weights:
            rule = f"linkage={self.linkage!r} takes no weights"
            remedy = 'leave them out, or choose linkage="ward"'
            raise BadValueError("sample_weight", "given", rule, remedy)
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        least = 2 if self.connectivity is None else len(X)
        if np.count_nonzero(weights) < least:
            rule = f"at least {least} must be positive"
            remedy = "leave out rows that have no weight"
            raise BadValueError("sample_weight", "given", rule, remedy)
        return np.asarray(weights)

    def _check_connectivity(self, n: int) -> Array | None:
        """Return each connected pair once, and note the number of parts."""
        self.n_connected_components_ = 1
        self.is_connected_ = self.connectivity is not None
        if self.connectivity is None:
            return None
        matrix = self.connectivity
        if not issparse(matrix) or matrix.shape != (n, n):
            rule = f"must be a sparse matrix of shape ({n}, {n})"
            remedy = "make one with grid_connectivity"
            found = getattr(matrix, "shape", type(matrix))
            raise BadValueError("connectivity", found, rule, remedy)
        entries = coo_array(matrix)
        ends = np.sort(np.column_stack(entries.coords)[entries.data != 0], axis=1)
        ends = ends[ends[:, 0] < ends[:, 1]]
        once = coo_array((np.ones(len(ends), bool), tuple(ends.T)), shape=(n, n)).tocsr()
        self.n_connected_components_ = connected_components(once, directed=False)[0]
        return np.column_stack(once.tocoo().coords)

    def check_memory(self, n_samples: int, n_features: int) -> None:
        """Refuse so many rows that the distances between them do not fit in memory."""
        if self.linkage in ("average", "complete") and self.connectivity is None:
            what = f"the distances between {n_samples:,} samples"
            remedy = 'choose linkage="ward", or fit fewer samples'
            check_memory("linkage", self.linkage, 8.0 * n_samples**2, what, remedy)

    def _check_n_clusters(self, n_clusters: int | None) -> int:
        n_clusters = check_integer("n_clusters", n_clusters, minimum=1)
        parts = self.n_connected_components_
        if n_clusters < parts:
            rule = f"the connectivity has {parts} separate parts, and these never merge"
            raise BadValueError("n_clusters", n_clusters, rule, f"pass {parts} or more")
        # Files of earlier versions do not say whether it is connected.
        if self.exact_ and not getattr(self, "is_connected_", True):
            check_distinct("n_clusters", n_clusters, self.samples_)
        if n_clusters > self.n_leaves_:
            what = "rows" if self.exact_ else "micro-clusters"
            rule = f"there are {self.n_leaves_} {what}"
            remedy = "ask for fewer" if self.exact_ else "ask for fewer, or raise max_exact"
            raise BadValueError("n_clusters", n_clusters, rule, remedy)
        return n_clusters

    def _set_leaves(self, X: Array, weights: Array) -> None:
        """Choose what the tree is over, and find the leaf of each row."""
        positive = weights > 0
        leaves = X if positive.all() else X[positive]
        limit = MAX_EXACT[self.linkage] if self.max_exact is None else self.max_exact
        self.exact_ = self.connectivity is not None or len(leaves) <= limit
        if not self.exact_ and self.linkage != "ward":
            rule = f"linkage={self.linkage!r} with {len(leaves)} rows exceeds it"
            remedy = 'choose linkage="ward", take fewer rows, or raise max_exact'
            raise BadValueError("max_exact", limit, rule, remedy)
        if not self.exact_:
            leaves = micro_centers(leaves, weights[positive], min(N_MICRO, limit))
        self.samples_, self.leaf_ = leaves, np.arange(len(X))
        if leaves is not X:
            self._assign_leaves(X)
        self.n_leaves_ = len(self.samples_)
        self.leaf_weights_ = np.bincount(self.leaf_, weights)
        self.n_micro_ = None if self.exact_ else self.n_leaves_
        self.predicts_by_ = "nearest " + ("fitted sample" if self.exact_ else "micro-cluster")

    def _assign_leaves(self, X: Array) -> None:
        """Give each row to its nearest leaf, as `predict` does, and drop leaves without rows."""
        used, self.leaf_ = np.unique(nearest(self.samples_, X)[0], return_inverse=True)
        self.samples_ = self.samples_[used]

    def _grow(self, edges: Array | None) -> Array:
        X, weights = self.samples_, self.leaf_weights_
        if edges is not None:
            return contiguous_linkage(X, weights, edges, self.linkage, self.metric)
        if self.linkage == "ward":
            return ward_linkage(X, weights)
        return pairwise_linkage(X, self.linkage, self.metric)

    def _number(self, groups: Array) -> Array:
        """Renumber groups of leaves by descending weight, ties by centre."""
        weights = np.bincount(groups, self.leaf_weights_)
        centers = group_means(self.samples_, groups, self.leaf_weights_)
        order = np.lexsort([*centers.T[::-1], -weights])
        return np.argsort(order)[groups]
