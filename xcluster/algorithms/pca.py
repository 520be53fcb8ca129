"""Principal components of weighted rows, from one pass over the blocks."""

from __future__ import annotations

import numbers
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from xcluster.algorithms.parts.frame import power_of_two
from xcluster.algorithms.parts.inputs import FLOATS, check_weight, new_rows, weight_or_ones
from xcluster.algorithms.parts.krylov import MORE, leading_singular
from xcluster.algorithms.parts.moments import near_mean, pieces
from xcluster.algorithms.parts.row_moments import Depth, Moments
from xcluster.algorithms.parts.sums import PLAIN, Sums
from xcluster.base.checks import warn
from xcluster.base.errors import BadParameterError, BadTypeError, BadValueError, TooFewError
from xcluster.base.parallel import map_threads, single_threaded_blas
from xcluster.base.streaming import ArrayBlocks, Statistics

Array = NDArray[Any]

MOST_STREAMED = 2_000
"""Features up to which the covariance (32 MB then) is summed; beyond, rows are decomposed."""

BLOCK_ROWS = 8_192
"""Rows of a block in memory: their products are soon merged, and few rows are several blocks."""

WIDE = 256
"""Features from which rows are decomposed if they are fewer."""

PASSES = 12
"""Products of rows and a vector that a decomposition of the rows takes for each component."""


def streams(pca: PCA) -> bool:
    """Whether the products of all features fit in memory, so that they can be summed."""
    return getattr(pca, "n_features_in_", 0) <= MOST_STREAMED


class PCA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Principal component analysis [1]_ with sample weights, for data of any size.

    Up to 2,000 features the covariance matrix is summed in one pass over blocks of rows and
    decomposed. If there are more, or a fit in memory takes less time so, the rows themselves are
    decomposed: by block Lanczos from random vectors [2]_ where few components are asked for.

    Parameters
    ----------
    n_components : int, float or None, default None
        How many to keep, at most the rank of the rows; a fraction of the variance to explain; None
        keeps as many as the smaller of rows and features.
    random_state : int, RandomState or None, default 0
        Of the vectors from which a decomposition of the rows starts.

    Attributes
    ----------
    components_ : array of shape (`n_components_`, n_features), float64
        Orthonormal rows; the loading of largest magnitude in each is positive.
    mean_ : array of shape (n_features,), float64
    explained_variance_ : array of shape (`n_components_`,), float64
        With ``n - 1`` in the denominator; with weights what `numpy.cov` does with ``aweights``.
    explained_variance_ratio_ : array of shape (`n_components_`,), float64
    n_components_ : int

    Warns
    -----
    UserWarning
        Where the rows have fewer components above their rounding than asked for. A component whose
        variance is below that of rounding errors of the values, or of the decomposition, would be
        noise, which a later scaling would make as large as any other.

    References
    ----------
    .. [1] I. T. Jolliffe, "Principal Component Analysis", 2nd ed., Springer, 2002.
    .. [2] C. Musco and C. Musco, "Randomized block Krylov methods for stronger and faster
       approximate singular value decomposition", NeurIPS (2015).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    >>> pca = PCA(1).fit(X)
    >>> pca.components_.round(3)
    array([[0.6, 0.8]])
    >>> pca.transform(X).round(3)
    array([[-5.],
           [ 0.],
           [ 5.]])
    """

    reads_order_of: tuple[str, ...] = ()
    moments: Depth | None = "products"
    is_affine = True

    def __init__(self, n_components: int | float | None = None, *, random_state: Any = 0) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Find the components.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        y : None
            Ignored.
        sample_weight : array of shape (n_samples,), optional

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For ``n_components`` out of range, and fewer than two rows of positive weight.
        """
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        weight = check_weight(sample_weight, X)
        if self._by_rows(X.shape) and self._decompose_rows(X, weight):
            return self
        # Products are taken about a value near the mean, so that a large offset costs no digits.
        self.mean_ = near_mean(X)
        self.update(ArrayBlocks(X, weight, BLOCK_ROWS).reduce(self.partial_statistics))
        return self

    def transform(self, X: Any) -> Array:
        """Return the components of each row, of shape (n_samples, `n_components_`)."""
        X = new_rows(self, X)
        from xcluster.algorithms.kernels.products import rows_product

        axes = self.components_.astype(np.float64)
        scores = np.empty((len(X), self.n_components_), X.dtype)

        def project(rows: slice) -> None:
            scores[rows] = rows_product(X[rows], self.mean_, axes)

        map_threads(project, pieces(X))
        return scores

    def inverse_transform(self, X: Any) -> Array:
        """Return rows in the units of the data, of shape (n_samples, n_features)."""
        check_is_fitted(self)
        X = check_array(X, dtype=FLOATS)
        return np.asarray(X @ self.components_.astype(X.dtype) + self.mean_.astype(X.dtype))

    @available_if(streams)
    def partial_statistics(
        self, X: Array, sample_weight: Array | None = None, sums: Sums = PLAIN
    ) -> Statistics:
        """Return the moments of one block of rows; changes nothing.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        sample_weight : array of shape (n_samples,), optional
        sums : Plain or Exact
            How rows are added.

        Returns
        -------
        Statistics
            Sums ``count`` (of rows with weight), ``weight``, ``squared_weight``, ``rows`` and
            ``products``, of the rows less `mean_` (that of a sample, or zero); and ``rounding``,
            the relative rounding error of the values.
        """
        center = getattr(self, "mean_", np.zeros(X.shape[1]))
        weight = weight_or_ones(sample_weight, len(X))
        # The root of the weight is one more column, whose products are the weighted rows.
        away = np.append(sums.about(center), 1.0)
        grids = sums.grids(sums.heaviest * np.multiply.outer(away, away))
        products = sums.nothing(len(away), len(away))
        for piece in pieces(X):
            part = np.ones((len(X[piece]), X.shape[1] + 1))
            np.subtract(X[piece], center, out=part[:, :-1])
            if sample_weight is not None:
                part *= np.sqrt(weight[piece])[:, None]
            lanes = part.T
            products += sums.products(lanes, lanes, grids)
        moments = {"rows": products[..., :-1, -1], "products": products[..., :-1, :-1]}
        maxima = {"rounding": np.asarray(np.finfo(X.dtype).eps)}
        return Statistics(of_weight(weight, sums) | moments, maxima=maxima)

    @available_if(streams)
    def update(self, statistics: Statistics) -> bool:
        """Find the components from merged statistics; return that this is all."""
        sums = statistics.sums
        offset = sums["rows"] / sums["weight"]
        scatter = sums["products"] - sums["weight"] * np.outer(offset, offset)
        with single_threaded_blas():  # so that the last digits do not depend on the machine's load
            values, vectors = np.linalg.eigh(scatter / denominator(sums))
        most = min(int(sums["count"]), len(offset))
        self.mean_ = getattr(self, "mean_", 0.0) + offset
        variance = np.maximum(values[::-1], 0)
        rounding = float(statistics.maxima["rounding"])
        floor = self._floor(variance[0] * len(offset) * np.finfo(np.float64).eps, rounding)
        self._set(vectors.T[::-1][:most], variance[:most], float(variance.sum()), floor)
        return True

    def fit_moments(self, moments: Moments) -> bool:
        """Find the components of all rows from their moments; return whether these tell them."""
        if moments.mean is None or moments.products is None:
            return False
        self.mean_ = moments.mean
        sums = {
            "count": np.asarray(moments.count),
            "weight": np.asarray(moments.weight),
            "squared_weight": np.asarray(moments.squared_weight),
            "rows": np.zeros_like(moments.mean),
            "products": moments.products,
        }
        self.update(Statistics(sums, maxima={"rounding": np.asarray(moments.rounding)}))
        return True

    @property
    def affine(self) -> tuple[Array, Array]:
        """What is subtracted from a row, and the axes by which it is multiplied."""
        return self.mean_, self.components_

    def _decompose_rows(self, X: Array, weight: Array | None) -> bool:
        """Find the components by a singular value decomposition of the centred rows.

        Return whether it is done: products of the features may be the faster way.
        """
        if weight is not None:
            X, weight = X[weight > 0], weight[weight > 0]
        weight = weight_or_ones(weight, len(X))
        sums = of_weight(weight)
        near = near_mean(X)  # about which a large offset costs no digits
        parts = map_threads(lambda block: weight[block] @ (X[block] - near), pieces(X))
        self.mean_ = near + sum(parts) / sums["weight"]
        return self._decompose(X - self.mean_.astype(X.dtype), weight / denominator(sums))

    def _decompose(self, rows: Array, share: Array) -> bool:
        """Find the components of rows, each times its share; overwrite the rows."""
        # In a unit of their size, as LAPACK brings large and small numbers into its own range.
        unit = float(power_of_two(max(rows.max(), -rows.min())))
        rows *= (np.sqrt(share) / unit).astype(rows.dtype)[:, None]
        found = self._singular(rows)
        if found is None:
            return False
        values, vectors = found
        squares = map_threads(
            lambda block: np.square(rows[block]).sum(dtype=np.float64), pieces(rows)
        )
        values, total = values * unit, sum(squares) * unit**2
        rounding = float(np.finfo(rows.dtype).eps)
        # The mean is rounded too, which moves all rows together.
        size = values[0] ** 2 + float(np.abs(self.mean_).max()) ** 2
        floor = self._floor(size * rows.shape[1] * rounding**2, rounding)
        self._set(vectors, values**2, float(total), floor)
        return True

    def _singular(self, rows: Array) -> tuple[Array, Array] | None:
        few = self._few(rows.shape)
        found = leading_singular(rows, few, self.random_state) if few else None
        if found is not None or rows.shape[1] <= min(len(rows), MOST_STREAMED):
            return found
        with single_threaded_blas():
            _, values, vectors = np.linalg.svd(rows, full_matrices=False)
        return values.astype(np.float64), vectors.astype(np.float64)

    def _by_rows(self, shape: tuple[int, ...]) -> bool:
        """Return whether a decomposition of the rows takes less time than their covariance."""
        n_rows, n_features = shape
        if n_features > MOST_STREAMED or n_features > max(n_rows, WIDE):
            return True
        few = self._few(shape)
        covariance = n_rows / 2 + 10 * n_features  # products a pair of features, then eigenvectors
        return few > 0 and PASSES * (few + MORE) * n_rows < covariance * n_features

    def _few(self, shape: tuple[int, ...]) -> int:
        """Return the number of components asked for where it is far below the rank, else 0."""
        n = self.n_components
        if not isinstance(n, numbers.Integral) or isinstance(n, bool):
            return 0
        return int(n) if 1 <= n <= min(shape) // 4 - MORE else 0

    def _floor(self, arithmetic: float, rounding: float) -> float:
        """Return the variance that errors of the arithmetic or of rounded values can have."""
        return max(arithmetic, float(np.abs(self.mean_).max() * rounding / 2) ** 2)

    def _set(self, components: Array, variance: Array, total: float, floor: float) -> None:
        """Keep the components asked for, with the sign of the largest loading positive."""
        ratio = variance / total if total > 0 else np.zeros_like(variance)
        n = self._within_rank(self._count(ratio), max(int((variance > floor).sum()), 1))
        self.n_components_ = n
        self.components_ = signed(components[:n])
        self.explained_variance_ = variance[:n]
        self.explained_variance_ratio_ = ratio[:n]

    def _count(self, ratio: Array) -> int:
        """Return how many components to keep of those whose shares of the variance are given."""
        n = self.n_components
        if n is None:
            return len(ratio)
        if isinstance(n, bool) or not isinstance(n, numbers.Real):
            raise self._refusal(BadTypeError, len(ratio))
        number = float(n)
        if isinstance(n, numbers.Integral) and 1 <= number <= len(ratio):
            return int(number)
        if not isinstance(n, numbers.Integral) and 0 < number < 1:
            explained = np.cumsum(ratio)
            return min(int(np.searchsorted(explained, number, side="right")) + 1, len(ratio))
        raise self._refusal(BadValueError, len(ratio))

    def _within_rank(self, n: int, rank: int) -> int:
        """Return how many components to keep; if numbered, no more than the rank."""
        if n <= rank or self.n_components is None:
            return n
        warn(
            f"The rows have only {rank} principal components above their rounding errors. The "
            f"other {n - rank} of {n} would be noise and are left out. Ask for {rank} or fewer."
        )
        return rank

    def _refusal(self, kind: type[BadParameterError], most: int) -> BadParameterError:
        rule = f"must be an integer from 1 to {most}, a fraction between 0 and 1, or None"
        remedy = f"there are {most} components here, the smaller of rows and features"
        return kind("n_components", self.n_components, rule, remedy)

    @property
    def _n_features_out(self) -> int:
        return int(self.n_components_)


def signed(components: Array) -> Array:
    """Return components with the sign of their largest loading positive."""
    largest = np.argmax(np.abs(components), axis=1)
    return np.asarray(
        components * np.sign(components[np.arange(len(components)), largest])[:, None]
    )


def of_weight(weight: Array, sums: Sums = PLAIN) -> dict[str, Array]:
    """Return the number of rows with weight, and the sums of weights and their squares."""
    return {
        "count": sums.total((weight > 0).astype(np.float64), 1.0),
        "weight": sums.total(weight, sums.heaviest),
        "squared_weight": sums.total(weight * weight, sums.heaviest**2),
    }


def denominator(sums: Any) -> float:
    """Return what turns a weighted scatter into an unbiased covariance."""
    if sums["count"] < 2:
        rule = "principal components need at least two rows of positive weight"
        raise TooFewError("n_samples", int(sums["count"]), rule, "give more rows a weight above 0")
    return float(sums["weight"] - sums["squared_weight"] / sums["weight"])
