"""Prediction for clusterers that only label what they were fitted on."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.utils.validation import _check_sample_weight, has_fit_parameter, validate_data

from xcluster.algorithms.parts.inputs import FLOATS, new_rows
from xcluster.algorithms.parts.nearest import NOISE, nearest
from xcluster.base.checks import check_choice
from xcluster.base.errors import BadValueError

Array = NDArray[Any]


class Inductive(ClusterMixin, BaseEstimator):
    """Give `predict` to any clusterer that has only `fit_predict`.

    Parameters
    ----------
    estimator : clusterer
        A clone of it is fitted.
    by : {"sample", "center"}, default="sample"
        New rows get the label of the nearest fitted row, noise included, and rows of the fit
        their own; or the label of the nearest mean of a cluster: no rows are kept, and no new row
        is noise.
    columns : int array, optional
        Those of the rows that the clone gets, if not all in their order: of distances to other
        samples, those to the fitted rows.

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
    row_labels_ : int array of shape (n_samples,)
        The labels of the fitted rows, with ``by="sample"``.
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

    def __init__(self, estimator: Any, *, by: str = "sample", columns: Any = None) -> None:
        self.estimator = estimator
        self.by = by
        self.columns = columns

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
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        self.estimator_ = clone(self.estimator)
        weights = self._passed_on(X, sample_weight)
        rows = X if self.columns is None else X[:, self.columns]
        self.labels_ = np.asarray(self.estimator_.fit_predict(rows, **weights))
        found, centers = _centers(X, self.labels_, weights.get("sample_weight"))
        self.cluster_centers_ = centers
        by_sample = self.by == "sample"
        self.samples_: Array = X if by_sample else centers
        self.sample_labels_: Array = self.labels_ if by_sample else found
        if not len(self.samples_):
            rule = "every row is noise, so there is no centre"
            raise BadValueError("by", self.by, rule, 'pass by="sample"')
        return self

    @property
    def row_labels_(self) -> Array:
        """Labels of the fitted rows, which are kept with ``by="sample"``."""
        return self.sample_labels_

    @property
    def takes_weights(self) -> bool:
        """Whether the wrapped estimator is fitted with weights."""
        return bool(has_fit_parameter(self.estimator, "sample_weight"))

    def _passed_on(self, X: Array, sample_weight: Any) -> dict[str, Array]:
        """Return the keywords that carry the weights, none without weights."""
        if sample_weight is None:
            return {}
        if not self.takes_weights:
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
        X = new_rows(self, X)
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
