"""Features that count more or less than others."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from xcluster.algorithms.parts.inputs import FLOATS, new_rows
from xcluster.base.errors import BadValueError

Array = NDArray[Any]

LEAST = 1e-6
"""Least share of the largest weight: a pole has no area, and nothing can be divided by 0."""


class FeatureWeights(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Multiply each feature by the square root of its weight.

    Squared distances and variances are then weighted sums over the features, as area weights
    ask for with fields on a grid of latitudes [1]_.

    Parameters
    ----------
    weight : array of shape (n_features,), optional
        At least 0; those below a millionth of the largest count as a millionth of it. None gives
        all features the same weight.
    how : str, default "given"
        Where the weights come from, as text for the reader of a report.

    Attributes
    ----------
    factor_ : array of shape (n_features,)
        The square roots.

    References
    ----------
    .. [1] G. R. North et al., Mon. Weather Rev. 110 (1982), 699-706.

    Examples
    --------
    >>> from xcluster.algorithms.feature_weights import FeatureWeights
    >>> FeatureWeights([1.0, 0.25]).fit_transform([[4.0, 4.0]])
    array([[4., 2.]])
    """

    is_stateless = is_affine = keeps_means = True
    reads_order_of: tuple[str, ...] = ()

    def __init__(self, weight: Any = None, *, how: str = "given") -> None:
        self.weight = weight
        self.how = how

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the weights against the features of ``X``, shape (n_samples, n_features)."""
        X = validate_data(self, X, dtype=FLOATS, ensure_all_finite="allow-nan")
        p = X.shape[1]
        weight = np.ones(p) if self.weight is None else np.asarray(self.weight, np.float64)
        if weight.shape != (p,) or not (np.isfinite(weight) & (weight >= 0)).all():
            rule = f"must be {p} finite numbers of at least 0, one for each feature"
            raise BadValueError("weights", f"array of {weight.shape}", rule, "fill them")
        if not weight.any():
            raise BadValueError("weights", "all 0", "leave nothing", "check the weights")
        self.factor_ = np.sqrt(np.maximum(weight, LEAST * weight.max()))
        return self

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: rows with gaps keep them."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @property
    def affine(self) -> tuple[Array, Array]:
        """What is subtracted from a row, and what it is then multiplied by."""
        return np.zeros_like(self.factor_), self.factor_

    def transform(self, X: Any) -> Array:
        """Return the weighted features."""
        X = new_rows(self, X)
        return np.asarray(X * self.factor_.astype(X.dtype))

    def inverse_transform(self, X: Any) -> Array:
        """Return features in units of the data."""
        check_is_fitted(self)
        X = check_array(X, dtype=FLOATS, ensure_all_finite="allow-nan")
        return np.asarray(X / self.factor_.astype(X.dtype))
