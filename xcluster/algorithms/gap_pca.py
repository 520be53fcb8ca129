"""Principal components of rows with gaps, by expectation and maximisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import validate_data

from xcluster.algorithms.parts.gaps import (
    check_features,
    check_rows,
    filled,
    has_gaps,
    known_means,
    patterns,
)
from xcluster.algorithms.parts.inputs import FLOATS, check_weight, new_rows, weight_or_ones
from xcluster.algorithms.parts.latent import (
    Found,
    Latent,
    PatternMoments,
    likeliest,
    of_rows,
    pattern_statistics,
    placed,
    row_statistics,
    widened,
)
from xcluster.algorithms.parts.moments import pieces
from xcluster.algorithms.parts.sums import PLAIN, Sums
from xcluster.algorithms.pca import BLOCK_ROWS, MOST_STREAMED, PCA, denominator, of_weight, signed
from xcluster.base.checks import check_integer, check_number, warn
from xcluster.base.memory import check_memory
from xcluster.base.parallel import map_threads, single_threaded_blas
from xcluster.base.streaming import BLOCK_ROWS as MANY_ROWS
from xcluster.base.streaming import ArrayBlocks, Statistics, iterate

Array = NDArray[Any]

LEAST_NOISE = 1e-10
"""Least share of the variance of a feature that is noise: without any, gaps have no mean."""
MOST_WHOLE = 256
"""Features up to which a fit in memory looks for components in all directions at once."""
MOST_MOMENTS = 2**20
"""Numbers up to which the moments of all patterns of gaps are summed, if they are few."""


class GapPCA(PCA):
    """Principal component analysis of rows that may have gaps, with weights, for data of any size.

    The likeliest components by EM: probabilistic principal components with missing values [1]_.
    A row is Gaussian with the covariance ``C = W W' + s I``, with one column of W for each
    component and the noise s. Of a row that has the features o and lacks m, the mean of what is
    lacking is ``W_m (W_o' W_o + s I)^-1 W_o' (x_o - mean_o)`` and its covariance ``s W_m (W_o' W_o
    + s I)^-1 W_m' + s I``. The components are the leading eigenvectors of the covariance that rows
    are expected to have, and s is the mean of the other eigenvalues.

    Without gaps this is `PCA`, to the last bit. With few gaps it is close to it, as only what is
    missing is estimated: scores are no hidden values of the iteration.

    Parameters
    ----------
    n_components : int, float or None, default None
        How many to keep. A fraction keeps the fewest that explain more of the variance when they
        are fitted. None keeps as many as the smaller of rows and features.
    tol : float, default 1e-8
        The fit is done when the mean log-likelihood of a value rises by less.
    max_iter : int, default 500
        Most iterations.
    random_state : int, RandomState or None, default 0
        Of the vectors from which a decomposition of many features starts.

    Attributes
    ----------
    components_ : array of shape (`n_components_`, n_features), float64
        Orthonormal rows, by falling variance; the loading of largest magnitude is positive.
    mean_ : array of shape (n_features,), float64
        The likeliest means: what is missing counts as it is expected.
    explained_variance_ : array of shape (`n_components_`,), float64
        Eigenvalues of C, with ``n - 1`` in the denominator as in `PCA`.
    explained_variance_ratio_ : array of shape (`n_components_`,), float64
        Their share of the trace of C.
    latent_axes_ : array of shape (n_features, q), float64
        W, with orthogonal columns.
    noise_variance_ : float
        s. It is at least 1e-10 of the mean variance of a feature.
    n_components_ : int
    n_iter_ : int
        Iterations made over the last rows.
    converged_ : bool

    Warns
    -----
    ConvergenceWarning
        Where `max_iter` was reached.
    UserWarning
        As in `PCA`.

    Notes
    -----
    Scores are those that `PCA` gives rows with the mean of what is lacking in their gaps. This is
    the mean of the scores, given what is there: if all is there they are those of `PCA`, and where
    little is there they come near 0, as least squares over what is there would not. The mean of
    the hidden variables of [1]_ is shrunk for complete rows too.

    The likelihood never falls. In memory, each iteration takes the likeliest of all components for
    the expected covariance, up to 256 features. Otherwise it takes the likeliest in the span of the
    present ones, the former ones and what the expected covariance makes of them.
    If rows have few patterns of gaps, one pass sums the moments of each, and all iterations follow
    from these. Otherwise each iteration is a pass, and rows of a pattern share one matrix, which is
    as small as there are components. Time grows with rows, features and squared components.

    References
    ----------
    .. [1] M. E. Tipping and C. M. Bishop, "Probabilistic principal component analysis", J. R.
       Stat. Soc. B 61 (1999), 611-622.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.outer([-2.0, -1.0, 0.0, 1.0, 2.0], [1.0, 2.0, 2.0])
    >>> X[0, 2] = np.nan
    >>> pca = GapPCA(1).fit(X)
    >>> pca.components_.round(3)
    array([[0.333, 0.667, 0.667]])
    >>> pca.inverse_transform(pca.transform(X))[0].round(3)
    array([-2., -4., -4.])
    """

    fills_gaps = True
    moments = None
    is_affine = False  # scores of rows with gaps are not

    latent_axes_: Array
    noise_variance_: float
    n_iter_: int
    converged_: bool
    weight_sum_: float
    _basis: Array
    _bound: float
    _unit: float

    def __init__(
        self,
        n_components: int | float | None = None,
        *,
        tol: float = 1e-8,
        max_iter: int = 500,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_components, random_state=random_state)
        self.tol = tol
        self.max_iter = max_iter

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: rows may have gaps."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Find the components.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            NaN is a gap.
        y : None
            Ignored.
        sample_weight : array of shape (n_samples,), optional

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters out of range, fewer than two rows, a row without a value, or a feature
            that no row has.
        """
        check_number("tol", self.tol, minimum=0)
        check_integer("max_iter", self.max_iter, minimum=1)
        X = validate_data(
            self, X, dtype=FLOATS, ensure_min_samples=2, ensure_all_finite="allow-nan"
        )
        weight = check_weight(sample_weight, X)
        if not has_gaps(X):
            self._by_pattern = True
            self._start(X, weight, self.n_components)
            return self
        check_rows(X)
        check_features(X, weight)
        most = min(len(X) if weight is None else int((weight > 0).sum()), X.shape[1])
        self._count(np.full(most, 1 / most))  # refuses what is no number of components
        self._by_pattern = _has_few_patterns(X)
        self._fit_gaps(X, weight, most)
        asked = self.n_components
        if asked is not None and asked >= 1:
            self._within_rank(min(int(asked), self._n_latent + 1), self.n_components_)
        return self

    def _fit_gaps(self, X: Array, weight: Array | None, most: int) -> None:
        n = self.n_components
        if n is None or n >= 1:
            self._iterate(X, weight, most if n is None else int(n))
            return

        def enough(number: int) -> bool:
            self._iterate(X, weight, number)
            return float(self._ratio[:number].sum()) > n

        self._iterate(X, weight, fewest(enough, most))

    def _iterate(self, X: Array, weight: Array | None, n: int) -> None:
        """Fit ``n`` components to rows with gaps."""
        n_latent = min(n, X.shape[1] - 1)
        needed = 8.0 * 4 * X.shape[1] * 3 * n_latent**2
        what, remedy = f"sums for {X.shape[1]:,} features and {n_latent:,} components", "use fewer"
        check_memory("n_components", n, 0.0 if self._by_pattern else needed, what, remedy)
        self._start(filled(X, known_means(X, weight)), weight, n_latent)
        if X.shape[1] <= MOST_WHOLE:
            self._basis = np.eye(X.shape[1])
        rows = MANY_ROWS if self._by_pattern else BLOCK_ROWS
        iterate(self, ArrayBlocks(X, weight, rows), self.max_iter)
        self._basis = self._few_directions(self.components_[:n_latent])

    def _start(self, whole: Array, weight: Array | None, n: Any) -> None:
        """Take the components of rows without gaps, from which iterations start."""
        plain = PCA(n, random_state=self.random_state).fit(whole, sample_weight=weight)
        for name in ("mean_", "components_", "explained_variance_", "n_components_"):
            setattr(self, name, getattr(plain, name))
        self.explained_variance_ratio_ = plain.explained_variance_ratio_
        variance, ratio = self.explained_variance_, self.explained_variance_ratio_
        total = float(variance[0] / ratio[0]) if ratio[0] > 0 else 0.0
        few = max(min(self.n_components_, len(self.mean_) - 1), 0)
        given = self.components_[:few], variance[:few], total or 1.0
        self._take(placed(self.mean_, *given, LEAST_NOISE))
        self._basis = self._few_directions(self.components_[:few])
        self._unit, self._bound = self.noise_variance_, -np.inf
        self.weight_sum_, self.n_iter_, self.converged_ = 0.0, 1, True

    def _few_directions(self, axes: Array) -> Array:
        """Return some directions, those of axes first, to which passes over all rows keep."""
        return widened(axes.T, np.eye(len(self.mean_), len(axes)))

    def _take(self, latent: Latent) -> None:
        self.mean_, self.latent_axes_ = latent.mean, latent.axes
        self.noise_variance_ = latent.noise

    @property
    def _latent(self) -> Latent:
        return Latent(self.mean_, self.latent_axes_, self.noise_variance_)

    @property
    def _n_latent(self) -> int:
        return int(self.latent_axes_.shape[1])

    def transform(self, X: Any) -> Array:
        """Return the mean of the scores of each row, of shape (n_samples, `n_components_`)."""
        from xcluster.algorithms.kernels.products import lanes_product

        X = new_rows(self, X)
        if not has_gaps(X):
            return super().transform(X)
        check_rows(X)
        latent, scores = self._latent, np.empty((len(X), self.n_components_), X.dtype)

        def project(rows: slice) -> None:
            scores[rows] = lanes_product(self.components_, latent.completed(X[rows]).lanes).T

        map_threads(project, pieces(X))
        return scores

    @property
    def streams(self) -> bool:
        """Whether sums of all features fit in memory."""
        return bool(self.n_features_in_ <= MOST_STREAMED)

    @property
    def max_passes(self) -> int:
        """The most passes over all rows."""
        return 1 if self._by_pattern else self.max_iter

    def partial_statistics(
        self, X: Array, sample_weight: Array | None = None, sums: Sums = PLAIN
    ) -> Statistics:
        """Return the sums of one block of rows; changes nothing.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        sample_weight : array of shape (n_samples,), optional
        sums : Plain or Exact
            How rows are added.

        Returns
        -------
        Statistics
            Sums ``count``, ``weight`` and ``squared_weight``, and either the moments of each
            pattern of gaps, or what is expected of the rows under the present components.
        """
        weight = of_weight(weight_or_ones(sample_weight, len(X)), sums)
        if self._by_pattern:
            found = pattern_statistics(self.mean_, X, sample_weight, sums)
        else:
            given = self._latent, self._basis, self._unit, X, sample_weight, sums
            found = row_statistics(*given)
        return Statistics(weight | dict(found.sums))

    def update(self, statistics: Statistics) -> bool:
        """Take the likeliest components; return whether the fit is done."""
        sums = statistics.sums
        with single_threaded_blas():
            if not self._by_pattern:
                self._step(of_rows(self._latent, self._basis, sums), sums)
                return self._is_done()
            self._basis = np.eye(len(self.mean_))
            moments = PatternMoments.of(self.mean_, sums)
            self._step(moments.found(self._latent, self._unit), sums)
            while not self._is_done():
                self._step(moments.found(self._latent, self._unit), sums)
            self._basis = self._few_directions(self.components_[: self._n_latent])
        return True

    def _step(self, found: Found, sums: Any) -> None:
        """Take the components that are likeliest for what all rows are expected to be."""
        bound = found.log_likelihood / found.known
        if not math.isclose(found.weight, self.weight_sum_):  # other rows than before
            self._bound, self.n_iter_ = -np.inf, 0
        best = likeliest(found, self.mean_, self._basis, self._n_latent, LEAST_NOISE)
        vanishes = best.latent.noise <= LEAST_NOISE**2 * self._unit  # constants have no likeliest
        self.converged_ = vanishes or bound - self._bound < self.tol
        self._bound, self.weight_sum_, self.n_iter_ = bound, found.weight, self.n_iter_ + 1
        self._take(best.latent)
        self._basis = best.basis
        self._keep(best.axes, best.variance, best.total, found.weight / denominator(sums))

    def _is_done(self) -> bool:
        """Whether there is nothing left to do; warn of components that still change."""
        if not self.converged_ and self.n_iter_ >= self.max_iter:
            warn(
                f"The components still changed after max_iter={self.max_iter} iterations. Use "
                "fewer components, or raise coverage.",
                ConvergenceWarning,
            )
        return self.converged_ or self.n_iter_ >= self.max_iter

    def _keep(self, axes: Array, variance: Array, total: float, share: float) -> None:
        """Keep the components asked for, above the least noise."""
        asked, p = self.n_components, len(self.mean_)
        if len(axes) == p - 1 and (asked is None or not 1 <= asked < p):
            last = np.linalg.qr(axes.T, mode="complete")[0][:, len(axes) :]
            axes = np.vstack([axes, last.T[:1]])
            variance = np.append(variance, self.noise_variance_)
        self._ratio = variance / total if total > 0 else np.zeros_like(variance)
        n = len(variance) if asked is None or asked >= 1 else self._count(self._ratio)
        floor = self._floor(2 * LEAST_NOISE * total / p, 0.0)
        n = min(n, max(int((variance > floor).sum()), 1))
        self.n_components_ = n
        self.components_ = signed(axes[:n])
        self.explained_variance_ = variance[:n] * share
        self.explained_variance_ratio_ = self._ratio[:n]


def fewest(enough: Callable[[int], bool], most: int) -> int:
    """Return the least number that is enough, and at most ``most``, if more always are."""
    high = 1
    while high < most and not enough(high):
        high = min(2 * high, most)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _has_few_patterns(X: Array) -> bool:
    """Whether moments of each pattern of gaps are fewer numbers than the rows, and not many."""
    n, p = patterns(~np.isnan(X))[0].shape
    return bool(n * p <= len(X) and n * p**2 <= MOST_MOMENTS)
