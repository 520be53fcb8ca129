"""Rows of counts as they are: checked, and without those that hold no counts."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from xcluster.algorithms.parts.counts import check_counts, check_rows, strangest, without_counts
from xcluster.algorithms.parts.inputs import FLOATS, new_rows
from xcluster.algorithms.parts.sums import PLAIN, Sums
from xcluster.base.streaming import Statistics

Array = NDArray[Any]


class Counted(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Refuse values that are no counts, and turn rows without counts to NaN: they are no data.

    Attributes
    ----------
    n_empty_ : int
        Rows of the fit without counts.

    Examples
    --------
    >>> Counted().fit_transform([[1.0, 2.0], [0.0, 0.0]])
    array([[ 1.,  2.],
           [nan, nan]])
    """

    reads_order_of: tuple[str, ...] = ()
    reads_counts = keeps_means = True

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Check rows of shape (n_samples, n_features), and count those without counts.

        Raises
        ------
        ValueError
            If a value is negative or fractional, or all are zero.
        """
        X = validate_data(self, X, dtype=FLOATS)
        check_rows("family", X)
        self.n_empty_ = int(without_counts(X).sum())
        return self

    def transform(self, X: Any) -> Array:
        """Return the rows; NaN those without counts, and those with a negative value."""
        X = new_rows(self, X)
        return np.asarray(np.where(without_counts(X)[:, None], X.dtype.type(np.nan), X))

    def inverse_transform(self, X: Any) -> Array:
        """Return the rows."""
        check_is_fitted(self)
        return np.asarray(check_array(X, dtype=FLOATS))

    def partial_statistics(
        self, X: Array, sample_weight: Array | None = None, sums: Sums = PLAIN
    ) -> Statistics:
        """Return how many rows of a block hold no counts, and how far its values are from counts.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        sample_weight : array of shape (n_samples,), optional
        sums : Plain or Exact
            How rows are added.
        """
        empty = sums.total(without_counts(X).astype(np.float64), 1.0)
        return Statistics({"empty": empty}, maxima={"strangest": strangest(X)})

    def update(self, statistics: Statistics) -> bool:
        """Take the merged statistics; return that this is all."""
        check_counts("family", statistics.maxima["strangest"])
        self.n_empty_ = int(statistics.sums["empty"])
        return True
