"""Rows as they are, without those that have no direction under cosine or correlation."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from xcluster.algorithms.parts.directions import METRICS, SHAPES, undefined
from xcluster.algorithms.parts.inputs import FLOATS, check_weight
from xcluster.algorithms.parts.nearest import check_distances
from xcluster.algorithms.parts.series import check_channels
from xcluster.algorithms.parts.sums import PLAIN, Sums
from xcluster.base.checks import check_choice
from xcluster.base.errors import BadValueError
from xcluster.base.streaming import Statistics

Array = NDArray[Any]


class Defined(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Turn rows on which a metric is not defined to NaN: they are no data.

    Parameters
    ----------
    metric : {"cosine", "correlation", "sbd"}, default "cosine"
        "cosine" is not defined for rows of zeros, "correlation" for rows whose features are all the
        same, "sbd" for rows whose channels each hold one value.
    n_channels : int, default 1
        Number of equal blocks of a row, each a series of its own, for "sbd".

    Attributes
    ----------
    n_empty_ : int
        Rows of the fit on which it is not defined.
    lacks : str
        What these rows lack.

    Examples
    --------
    >>> Defined("cosine").fit_transform([[1.0, 2.0], [0.0, 0.0]])
    array([[ 1.,  2.],
           [nan, nan]])
    """

    keeps_means = True
    reads_order_of: tuple[str, ...] = ()
    lacks = "a direction"

    def __init__(self, metric: str = "cosine", n_channels: int = 1) -> None:
        self.metric = metric
        self.n_channels = n_channels

    @property
    def assumes(self) -> str:
        """The scaling that is added for several variables: zero stays where angles start at it."""
        return "max" if self.metric == "cosine" else "standard"

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Count the rows, of shape (n_samples, n_features), on which the metric is not defined.

        Raises
        ------
        ValueError
            If the metric is unknown or defined for no row, or if rows are too short for
            ``n_channels`` series.
        """
        check_choice("metric", self.metric, (*METRICS, SHAPES))
        X = validate_data(self, X, dtype=FLOATS, ensure_all_finite=False)
        check_weight(sample_weight, X)
        if self.metric == SHAPES:
            check_channels(X.shape[1], self.n_channels)
        without = self._undefined(X)
        if without.all():
            self._refuse(X)
        self.n_empty_ = int(without.sum())
        return self

    def _refuse(self, X: Array) -> None:
        check_distances(self.metric, X)
        rule = f"is undefined for {len(X):,} of {len(X):,} samples, whose variables are constant"
        raise BadValueError("metric", self.metric, rule, 'choose metric="euclidean"')

    def transform(self, X: Any) -> Array:
        """Return the rows; NaN those on which the metric is not defined. NaN stays."""
        check_is_fitted(self)
        X = np.asarray(validate_data(self, X, dtype=FLOATS, reset=False, ensure_all_finite=False))
        without = self._undefined(X)
        # Most blocks have none, and need no copy.
        return np.asarray(
            np.where(without[:, None], X.dtype.type(np.nan), X) if without.any() else X
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True  # to look for NaN would take as long as all else here
        return tags

    def inverse_transform(self, X: Any) -> Array:
        """Return the rows."""
        check_is_fitted(self)
        return np.asarray(check_array(X, dtype=FLOATS))

    def partial_statistics(
        self, X: Array, sample_weight: Array | None = None, sums: Sums = PLAIN
    ) -> Statistics:
        """Return on how many rows of a block the metric is not defined.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        sample_weight : array of shape (n_samples,), optional
        sums : Plain or Exact
            How rows are added.
        """
        without = self._undefined(X).astype(np.float64)
        return Statistics({"empty": sums.total(without, 1.0)})

    def _undefined(self, X: Array) -> Array:
        return undefined(X, self.metric, self.n_channels)

    def update(self, statistics: Statistics) -> bool:
        """Take the merged statistics; return that this is all."""
        self.n_empty_ = int(statistics.sums["empty"])
        return True
