"""Prediction for clusterers that only label what they were fitted on."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from xcluster.base.checks import check_choice
from xcluster.base.errors import BadValueError
from xcluster.base.parallel import map_threads
from xcluster.base.streaming import BLOCK_ROWS

Array = NDArray[Any]

NOISE = -1


def nearest(samples: Array, X: Array, metric: str = "euclidean") -> tuple[Array, Array]:
    """Return the index of the nearest of ``samples`` for each row of ``X``, and its distance.

    A row that equals a sample gets that sample (the first of equals), whatever the rounding.

    Parameters
    ----------
    samples : array of shape (n_samples, n_features)
    X : array of shape (n_rows, n_features)
    metric : str, default="euclidean"
        Any metric of `sklearn.neighbors.NearestNeighbors`.

    Returns
    -------
    index : int array of shape (n_rows,)
    distance : array of shape (n_rows,)
    """
    search = NearestNeighbors(n_neighbors=1, metric=metric).fit(samples)

    def of_block(start: int) -> tuple[Array, Array]:
        distance, index = search.kneighbors(X[start : start + BLOCK_ROWS])
        return index[:, 0], distance[:, 0]

    blocks = map_threads(of_block, range(0, len(X), BLOCK_ROWS))
    index, distance = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    equal, found = _equal_rows(samples, X)
    index[found], distance[found] = equal[found], 0.0
    return index, distance


def _equal_rows(samples: Array, X: Array) -> tuple[Array, Array]:
    """Return for each row of ``X`` a sample, and whether it is equal to it."""
    keys, wanted = _as_bytes(samples), _as_bytes(X)
    order = np.argsort(keys, kind="stable")
    place = np.searchsorted(keys, wanted, sorter=order)
    candidate = order[np.minimum(place, len(order) - 1)]
    return candidate, keys[candidate] == wanted


def _as_bytes(X: Array) -> Array:
    """View each row as one value that can be sorted and compared."""
    rows = np.ascontiguousarray(X, np.float64) + 0.0  # no negative zeros
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0]


class Inductive(ClusterMixin, BaseEstimator):
    """Give `predict` to any clusterer that has only `fit_predict`.

    Parameters
    ----------
    estimator : clusterer
        A clone of it is fitted.
    by : {"sample", "center"}, default="sample"
        New rows get the label of the nearest fitted row, noise included, and rows of the fit
        their own; or the label of the nearest mean of a cluster, which needs no rows kept and
        knows no noise.

    Attributes
    ----------
    estimator_ : clusterer
        The fitted clone.
    labels_ : int array of shape (n_samples,)
        As the clone gives them; -1 is noise.
    samples_ : array of shape (n_kept, n_features)
        What new rows are compared with: the fitted rows, or the means.
    sample_labels_ : int array of shape (n_kept,)
        Their labels.
    cluster_centers_ : array of shape (n_clusters, n_features)
        Mean of each cluster, weighted where the fit is; ascending by label, without noise.
    n_features_in_ : int

    Raises
    ------
    ValueError
        If weights are passed to an estimator that does not take them, or if every row is noise
        and there is no centre to assign by.

    Examples
    --------
    >>> from sklearn.cluster import AgglomerativeClustering
    >>> model = Inductive(AgglomerativeClustering(2)).fit([[0.0], [1.0], [9.0]])
    >>> bool(model.predict([[8.0]])[0] == model.labels_[2])
    True
    """

    def __init__(self, estimator: Any, *, by: str = "sample") -> None:
        self.estimator = estimator
        self.by = by

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit a clone of the estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            Only for an estimator that takes it.
        """
        check_choice("by", self.by, ("sample", "center"))
        X = validate_data(self, X, dtype=(np.float64, np.float32), ensure_min_samples=2)
        self.estimator_ = clone(self.estimator)
        weights = self._passed_on(X, sample_weight)
        self.labels_ = np.asarray(self.estimator_.fit_predict(X, **weights))
        found, centers = _centers(X, self.labels_, weights.get("sample_weight"))
        self.cluster_centers_ = centers
        by_sample = self.by == "sample"
        self.samples_: Array = X if by_sample else centers
        self.sample_labels_: Array = self.labels_ if by_sample else found
        if not len(self.samples_):
            rule = "every row is noise, so there is no centre"
            raise BadValueError("by", self.by, rule, 'pass by="sample"')
        return self

    def _passed_on(self, X: Array, sample_weight: Any) -> dict[str, Array]:
        """Return the keywords that carry the weights, none without weights."""
        if sample_weight is None:
            return {}
        if not has_fit_parameter(self.estimator, "sample_weight"):
            name = type(self.estimator).__name__
            rule = f"{name} takes no weights"
            remedy = "leave them out, or choose a clusterer that takes them"
            raise BadValueError("sample_weight", "given", rule, remedy)
        return {"sample_weight": _check_sample_weight(sample_weight, X)}

    def predict(self, X: Any) -> Array:
        """Return the label of the nearest fitted row or centre.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        int array of shape (n_rows,)
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        return self.sample_labels_[nearest(self.samples_, X)[0]]


def _centers(X: Array, labels: Array, weights: Array | None) -> tuple[Array, Array]:
    """Return the labels that are no noise, and the weighted mean of each one's rows."""
    found = np.setdiff1d(labels, [NOISE])
    means = [
        np.average(
            X[labels == k], axis=0, weights=None if weights is None else weights[labels == k]
        )
        for k in found
    ]
    return found, np.reshape(means, (len(found), X.shape[1]))
