"""What estimators are given: rows, weights and starts, checked once for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from xcluster.algorithms.parts.gaps import takes_gaps
from xcluster.base.checks import check_numbers
from xcluster.base.errors import BadValueError

Array = NDArray[Any]

FLOATS = (np.float64, np.float32)
"""Types that rows keep; all others become float64."""


def new_rows(estimator: Any, X: Any, dtype: Any = FLOATS, order: str | None = None) -> Array:
    """Return rows for a fitted estimator, checked against those that it was fitted on.

    They may lack features, if those of the fit may.
    """
    check_is_fitted(estimator)
    finite = finite_or_gaps(estimator)
    rows = validate_data(
        estimator, X, dtype=dtype, order=order, reset=False, ensure_all_finite=finite
    )
    return np.asarray(rows)


def finite_or_gaps(estimator: Any) -> Any:
    """Return what scikit-learn calls ``ensure_all_finite`` for the rows of an estimator."""
    return "allow-nan" if takes_gaps(estimator) else True


def check_weight(sample_weight: Any, X: Array) -> Array | None:
    """Return the weights as float64, none of them negative and not all zero."""
    if sample_weight is None:
        return None
    sample_weight = np.asarray(sample_weight)
    if not sample_weight.any() or (sample_weight < 0).any():
        rule = "must not be negative, nor zero for every row"
        remedy = "pass weights of which some are positive"
        raise BadValueError("min(sample_weight)", float(sample_weight.min()), rule, remedy)
    return np.asarray(_check_sample_weight(sample_weight, X, dtype=np.float64))


def weight_or_ones(sample_weight: Array | None, n_rows: int) -> Array:
    """Return the weights, 1 for each row where there are none."""
    return np.ones(n_rows) if sample_weight is None else sample_weight


def check_init(init: Any, shape: tuple[int, int], ways: Sequence[str] = ("k-means++",)) -> None:
    """Refuse starts other than these ways to draw them, and centres of this shape."""
    known = ", ".join(map(repr, ways))
    remedy = f"pass {known} or an array of centres"
    given = init if isinstance(init, str) else check_numbers("init", init, remedy).shape
    if given not in (*ways, shape):
        rule = f"must be {known} or centres of shape {shape}"
        raise BadValueError("init", given, rule, "pass one of these")


def check_shape(parameter: str, value: Any, shape: tuple[int, ...]) -> Array:
    """Return finite numbers of this shape."""
    remedy = f"pass an array of shape {shape}"
    array = check_numbers(parameter, value, remedy)
    if array.shape != shape:
        rule = f"must be finite numbers of shape {shape}"
        raise BadValueError(parameter, value, rule, remedy)
    return array
