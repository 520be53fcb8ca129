"""Non-negative matrix factorisation, with clear errors for negative data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import decomposition
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from xcluster.algorithms.parts.inputs import FLOATS, new_rows
from xcluster.base.errors import BadValueError

Array = NDArray[Any]

ROW_TOLERANCE, ROW_ITERATIONS = 1e-6, 1000
"""When the components of a row are found: share of its first gradient, and most rounds."""


@contextmanager
def _without_warning() -> Iterator[None]:
    """Ignore that the last digits still change: users of nmf() cannot ask for more iterations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def check_rank(n_components: int, X: Array) -> None:
    """Refuse more components than rows or features."""
    if n_components > min(X.shape):
        rule = f"must be at most {min(X.shape)}, the smaller of rows and features"
        raise BadValueError("n_components", n_components, rule, "ask for fewer")


class NMF(decomposition.NMF):
    """scikit-learn's NMF; rows with negative values are refused in the fit and NaN afterwards.

    Parameters
    ----------
    n_components : int, default 2
    max_iter : int, default 400
    random_state : int, default 0

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        In units of the data; the components of a row have none.
    unit_ : float
        Mean of the values, in which they are factorised: scikit-learn's start has constants in it.

    Raises
    ------
    ValueError
        If the data of the fit hold a negative value.

    References
    ----------
    Lee and Seung (1999), Nature 401, 788.

    Examples
    --------
    >>> import numpy as np
    >>> NMF(1).fit(np.outer([1.0, 2.0, 3.0], [1.0, 4.0])).components_.shape
    (1, 2)
    """

    reads_order_of: tuple[str, ...] = ()
    unit_: float = 1.0  # as files of 0.1.0 have it

    def __init__(
        self, n_components: int = 2, *, max_iter: int = 400, random_state: int | None = 0
    ) -> None:
        super().__init__(n_components, init="nndsvda", max_iter=max_iter, random_state=random_state)

    def fit_transform(
        self, X: Array, y: Any = None, W: Array | None = None, H: Array | None = None
    ) -> Array:
        """Fit and return the components of each row, shape (n_samples, n_components)."""
        X = validate_data(self, X, dtype=FLOATS)
        if X.min() < 0:
            rule = f"Negative values in data passed to NMF are refused; the lowest is {X.min():g}"
            remedy = "leave out what is negative with .where(), or scale('minmax') first"
            raise BadValueError("vars", "data", rule, remedy)
        check_rank(self.n_components, X)
        if not X.any():
            rule = "are zero everywhere, and nothing is left to factorise"
            raise BadValueError("vars", "data", rule, "leave nmf() out")
        self.unit_ = float(X.mean(dtype=np.float64))
        with _without_warning():
            scores = np.asarray(super().fit_transform(X / X.dtype.type(self.unit_), W=W, H=H))
        self.components_ *= self.unit_
        self.reconstruction_err_ *= self.unit_
        return scores

    def transform(self, X: Array) -> Array:
        """Return the components of each row; NaN where a row holds a negative value.

        Each row is solved until it alone is done, so that it does not depend on the rows beside.
        """
        from xcluster.algorithms.kernels.nonnegative import nonnegative_coefficients

        check_is_fitted(self)
        X = new_rows(self, X, self.components_.dtype)
        negative = np.asarray((X < 0).any(axis=1))
        unit = X.dtype.type(self.unit_)
        rows = np.where(negative[:, None], 0, X / unit)
        parts = self.components_.astype(np.float64) / self.unit_
        out = nonnegative_coefficients(rows, parts, ROW_TOLERANCE, ROW_ITERATIONS)
        out[negative] = np.nan
        return out
