"""Sample weights, checked once for all estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _check_sample_weight

from xcluster.base.errors import BadValueError

Array = NDArray[Any]


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
