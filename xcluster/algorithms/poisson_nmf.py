"""Non-negative factors of counts: those under which Poisson counts are likeliest."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.decomposition._nmf import _initialize_nmf
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from xcluster.algorithms.nmf import check_rank
from xcluster.algorithms.parts.counts import check_counts, check_rows, strangest, without_counts
from xcluster.algorithms.parts.inputs import FLOATS, check_weight, new_rows, weight_or_ones
from xcluster.algorithms.parts.moments import pieces
from xcluster.algorithms.parts.sums import PLAIN, Sums
from xcluster.base.checks import check_integer, check_number
from xcluster.base.parallel import map_threads, row_blocks, single_threaded_blas
from xcluster.base.streaming import Statistics

Array = NDArray[Any]

ROW_UPDATES = 50
"""Updates that solve a row: its deviance is then within 1e-6 of the least on spectra of counts."""

BLOCK_ROWS = 4_096

BETWEEN_CHECKS = 10
"""Iterations between two looks at the deviance, as in scikit-learn."""

LEAST = float(np.finfo(np.float64).eps)
"""A smaller share of a component's counts is none."""


class PoissonNMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Non-negative factors under which Poisson counts are likeliest, by multiplicative updates.

    They have the least Kullback-Leibler divergence [1]_. In memory this is scikit-learn's
    ``NMF(solver="mu", beta_loss="kullback-leibler")``, with another start of the coefficients. Of
    streamed blocks the coefficients are solved anew in each pass, by a fixed number of updates.

    Parameters
    ----------
    n_components : int, default 2
    max_iter : int, default 400
        Iterations over rows in memory.
    tol : float, default 1e-4
        The fit ends if the root of the deviance falls by less than this share of its first value
        in 10 iterations; of streamed rows if no component moves by more than this share.
    max_passes : int, default 10
        Passes over streamed rows.
    random_state : int, default 0
        Of the singular vectors from which the components start.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features), float64
        Share of each feature in the counts of a component; each row sums to 1. The coefficients
        of a row, which `transform` returns, are its counts from each component.
    deviance_ : float
        Of the rows in memory: twice the sum of ``x log(x / y) - x + y`` for counts x and what is
        expected, y.
    n_iter_ : int
        Iterations over rows in memory.
    n_empty_ : int
        Rows of the fit without counts. They are no data, and are transformed to NaN.

    Raises
    ------
    ValueError
        If the data of the fit hold negative or fractional values, or no counts.

    References
    ----------
    .. [1] D. D. Lee and H. S. Seung, "Learning the parts of objects by non-negative matrix
       factorization", Nature 401 (1999), 788-791.

    Examples
    --------
    >>> import numpy as np
    >>> PoissonNMF(1).fit(np.outer([1.0, 2.0, 3.0], [1.0, 4.0])).components_
    array([[0.2, 0.8]])
    """

    reads_order_of: tuple[str, ...] = ()
    reads_counts = True
    stands_for = {"loss": "'poisson'"}

    def __init__(
        self,
        n_components: int = 2,
        *,
        max_iter: int = 400,
        tol: float = 1e-4,
        max_passes: int = 10,
        random_state: int | None = 0,
    ) -> None:
        self.n_components = n_components
        self.max_iter = max_iter
        self.tol = tol
        self.max_passes = max_passes
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Find the components.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Counts.
        y : None
            Ignored.
        sample_weight : array of shape (n_samples,), optional

        Returns
        -------
        self
        """
        check_integer("n_components", self.n_components, minimum=1)
        check_integer("max_iter", self.max_iter, minimum=1)
        check_integer("max_passes", self.max_passes, minimum=1)
        check_number("tol", self.tol, minimum=0)
        X = validate_data(self, X, dtype=FLOATS)
        weight = weight_or_ones(check_weight(sample_weight, X), len(X))
        check_rows("loss", X)
        check_rank(self.n_components, X)
        self.n_empty_ = int(without_counts(X).sum())
        self._iterate(X, weight, start(X, self.n_components, self.random_state))
        return self

    def transform(self, X: Any) -> Array:
        """Return the counts of each row from each component, shape (n_samples, n_components).

        They are NaN where a row has no counts, or holds a negative value.
        """
        from xcluster.algorithms.kernels.counts import solved

        X = new_rows(self, X)
        nothing = without_counts(X)
        parts, scores = self.components_.T, np.empty((len(X), len(self.components_)), X.dtype)

        def solve(rows: slice) -> None:
            scores[rows] = solved(np.where(nothing[rows, None], 0, X[rows]), parts, ROW_UPDATES)

        map_threads(solve, pieces(X))
        scores[nothing] = np.nan
        return scores

    def inverse_transform(self, X: Any) -> Array:
        """Return the expected counts, of shape (n_samples, n_features)."""
        check_is_fitted(self)
        X = check_array(X, dtype=FLOATS)
        return np.asarray(X @ self.components_.astype(X.dtype))

    def partial_statistics(
        self, X: Array, sample_weight: Array | None = None, sums: Sums = PLAIN
    ) -> Statistics:
        """Return the counts of one block that each component explains; changes nothing.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        sample_weight : array of shape (n_samples,), optional
        sums : Plain or Exact
            How rows are added.

        Returns
        -------
        Statistics
            Sums ``explained``, per share of the components, and ``empty``, the rows without
            counts; and ``strangest``, how far features are from counts.
        """
        from xcluster.algorithms.kernels.counts import ratios, solved

        weight, parts = weight_or_ones(sample_weight, len(X)), self._nonzero().T
        # A component explains at most all counts of a feature.
        grids = sums.grids(sums.heaviest * sums.about(0.0) / parts.T)
        explained = sums.nothing(*parts.T.shape)
        for piece in pieces(X):
            part = np.maximum(X[piece], 0)
            W = solved(part, parts, ROW_UPDATES)
            shares = weight[piece] * W.T
            explained += sums.products(shares, ratios(part, W, parts), grids)
        empty = sums.total(without_counts(X).astype(np.float64), 1.0)
        return Statistics(
            {"explained": explained, "empty": empty}, maxima={"strangest": strangest(X)}
        )

    def update(self, statistics: Statistics) -> bool:
        """Update the components from merged statistics; return whether they stood still."""
        check_counts("loss", statistics.maxima["strangest"])
        self.n_empty_ = int(statistics.sums["empty"])
        old = self.components_
        self._set(self._nonzero() * statistics.sums["explained"])
        return bool(np.abs(self.components_ - old).sum(axis=1).max() <= self.tol)

    def _nonzero(self) -> Array:
        """Return the components, none of them zero: a feature may have its first counts now."""
        return np.maximum(self.components_, LEAST)

    def _iterate(self, X: Array, weight: Array, components: Array) -> None:
        """Update coefficients and components in turn, as long as the deviance falls."""
        from xcluster.algorithms.kernels.counts import started

        W, parts = started(X, len(components)), np.ascontiguousarray(components.T)
        first = last = self._distance(X, weight, W, parts)
        for done in range(1, self.max_iter + 1):
            parts = _improved(X, weight, W, parts)
            self.n_iter_ = done
            if self.tol > 0 and done % BETWEEN_CHECKS == 0:
                now = self._distance(X, weight, W, parts)
                if last - now < self.tol * first:
                    break
                last = now
        self.deviance_ = self._distance(X, weight, W, parts) ** 2
        self._set(parts.T)

    def _distance(self, X: Array, weight: Array, W: Array, parts: Array) -> float:
        """Return the root of the deviance."""
        from xcluster.algorithms.kernels.counts import deviances

        found = map_threads(
            lambda rows: weight[rows] @ deviances(X[rows], W[rows], parts),
            row_blocks(len(X), BLOCK_ROWS),
        )
        return float(np.sqrt(max(sum(found), 0.0)))

    def _set(self, components: Array) -> None:
        """Keep components, as shares; one that explains nothing is zero."""
        size = components.sum(axis=1, keepdims=True)
        shares = np.divide(components, size, out=np.zeros(components.shape), where=size > 0)
        self.components_ = np.where(shares > LEAST, shares, 0.0)

    @property
    def _n_features_out(self) -> int:
        return int(self.n_components)


def _improved(X: Array, weight: Array, W: Array, parts: Array) -> Array:
    """Update the coefficients in place; return updated components, shape (n_features, k)."""
    from xcluster.algorithms.kernels.counts import updated

    def explained(rows: slice) -> Array:
        return updated(X[rows], weight[rows], W[rows], parts)

    found = sum(map_threads(explained, row_blocks(len(X), BLOCK_ROWS)))
    size = weight @ W
    parts = np.divide(found, size, out=np.zeros_like(parts), where=size > 0)
    return np.where(parts < LEAST * parts.sum(axis=0), 0.0, parts)


def start(X: Array, n_components: int, random_state: Any) -> Array:
    """Return the components from which updates start, of shape (n_components, n_features)."""
    with single_threaded_blas():
        unit = X.dtype.type(X.mean(dtype=np.float64))
        _, found = _initialize_nmf(X / unit, n_components, "nndsvda", random_state=random_state)
    found = found.astype(np.float64)
    return np.asarray(found / found.sum(axis=1, keepdims=True))
