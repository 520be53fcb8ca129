"""Mixtures of Poisson rates, fitted by expectation and maximisation over blocks of counts."""

from __future__ import annotations

import math
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.parts.counts import check_counts, check_rows, strangest
from xcluster.algorithms.parts.distinct import check_distinct
from xcluster.algorithms.parts.inputs import FLOATS, check_weight, new_rows, weight_or_ones
from xcluster.algorithms.parts.mixture_criteria import InformationCriteria
from xcluster.algorithms.parts.moments import pieces
from xcluster.algorithms.parts.seeding import kmeans_plusplus
from xcluster.algorithms.parts.sums import PLAIN, Sums
from xcluster.base.checks import check_integer, check_number, warn
from xcluster.base.errors import complaint
from xcluster.base.streaming import ArrayBlocks, Statistics, iterate

Array = NDArray[Any]

FLOOR = 1e-10
"""A rate is at least this share of the feature's mean, so that a single count excludes nothing."""


LEARNED = ("weights_", "means_", "lower_bound_", "weight_sum_", "n_iter_", "converged_")


class PoissonMixture(InformationCriteria, DensityMixin, BaseEstimator):
    """A mixture of components with a Poisson rate for every feature, for data of any size.

    Parameters
    ----------
    n_components : int, default 1
        Number of components.
    tol : float, default 1e-3
        The fit is done when the mean log-likelihood changes by less.
    max_iter : int, default 100
        Most iterations of one start.
    n_init : int, default 1
        Number of starts; the likeliest is kept. Each begins with the groups that k-means finds
        among the roots of the counts.
    random_state : int, RandomState or None, default 0
        Seed of the starts.

    Attributes
    ----------
    weights_ : array of shape (n_components,)
        Share of each component; they sum to 1.
    means_ : array of shape (n_components, n_features)
        The rates: mean counts of the rows of each component.
    lower_bound_ : float
        Mean log-likelihood as the last iteration found it, without the factorials of the counts.
    weight_sum_ : float
        Sum of the sample weights of the last iteration.
    n_iter_ : int
        Iterations made, those of later refinement included.
    converged_ : bool
        Whether the likelihood stood still before `max_iter` was reached.

    References
    ----------
    A. P. Dempster, N. M. Laird and D. B. Rubin, "Maximum likelihood from incomplete data via the EM
    algorithm", Journal of the Royal Statistical Society B 39 (1977), 1-38.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[9.0, 1.0], [8.0, 0.0], [0.0, 7.0], [1.0, 9.0]])
    >>> PoissonMixture(2).fit(X).means_.round(1)
    array([[8.5, 0.5],
           [0.5, 8. ]])
    """

    weights_: Array
    means_: Array
    lower_bound_: float
    weight_sum_: float
    n_iter_: int
    converged_: bool
    n_features_in_: int

    reads_order_of: tuple[str, ...] = ()
    reads_counts = True

    def __init__(
        self,
        n_components: int = 1,
        *,
        tol: float = 1e-3,
        max_iter: int = 100,
        n_init: int = 1,
        random_state: Any = 0,
    ) -> None:
        self.n_components = n_components
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the mixture to counts of shape (n_samples, n_features).

        Warns
        -----
        ConvergenceWarning
            Where `max_iter` was reached.
        """
        check_integer("n_components", self.n_components, minimum=1)
        check_integer("max_iter", self.max_iter, minimum=1)
        check_integer("n_init", self.n_init, minimum=1)
        check_number("tol", self.tol, minimum=0)
        X = validate_data(self, X, dtype=FLOATS)
        blocks = ArrayBlocks(X, check_weight(sample_weight, X))
        check_rows("family", X)
        check_distinct("n_components", self.n_components, X, blocks.sample_weight)
        runs = []
        for seed in check_random_state(self.random_state).randint(2**31 - 1, size=self.n_init):
            run = copy(self)
            run._start(blocks, int(seed))
            iterate(run, blocks, self.max_iter)
            runs.append(run)
        best = max(runs, key=lambda run: run.lower_bound_)
        for name in LEARNED:
            setattr(self, name, getattr(best, name))
        if not self.converged_:
            rule, remedy = "the mixture still changes", "raise it or tol, or ask for fewer labels"
            warn(complaint("max_iter", self.max_iter, rule, remedy), ConvergenceWarning)
        return self

    def predict(self, X: Any) -> Array:
        """Return each row's likeliest component, an int array of shape (n_samples,)."""
        return np.asarray(self._log_densities(new_rows(self, X)).argmax(axis=1))

    def predict_proba(self, X: Any) -> Array:
        """Return the membership of each row, of shape (n_samples, n_components)."""
        return _memberships(self._log_densities(new_rows(self, X)))[0]

    def score_samples(self, X: Any) -> Array:
        """Return the log probability of each row, of shape (n_samples,)."""
        X = new_rows(self, X)
        found = logsumexp(self._log_densities(X), axis=1)
        return np.asarray(found - gammaln(X.astype(np.float64) + 1).sum(axis=1))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the (weighted) mean log probability of the rows."""
        return float(np.average(self.score_samples(X), weights=sample_weight))

    def partial_statistics(
        self, X: Array, sample_weight: Array | None = None, sums: Sums = PLAIN
    ) -> Statistics:
        """Return the log-likelihood and the counts of each component in a block; changes nothing.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        sample_weight : array of shape (n_samples,), optional
        sums : Plain or Exact
            How rows are added.

        Returns
        -------
        Statistics
            Sums ``log_likelihood``, ``total`` (of the weights) and ``moments``, the counts of each
            component and in a last column its weight; and ``strangest``, how far features are from
            counts.
        """
        weight, most = weight_or_ones(sample_weight, len(X)), sums.about(np.zeros(X.shape[1]))
        k = self.n_components
        grids = sums.grids(sums.heaviest * np.tile(np.append(most, 1.0), (k, 1)))
        moments = sums.nothing(k, X.shape[1] + 1)
        likelihood = np.empty(len(X))
        for piece in pieces(X):
            found, likelihood[piece] = _memberships(self._log_densities(X[piece]))
            lanes = np.concatenate([X[piece], np.ones((len(X[piece]), 1))], axis=1).T
            moments += sums.products(weight[piece] * found.T, lanes.astype(np.float64), grids)
        bound = sums.heaviest * self._largest(most)
        totals = {
            "log_likelihood": sums.total(weight * likelihood, bound),
            "total": sums.total(weight, sums.heaviest),
        }
        return Statistics(totals | {"moments": moments}, maxima={"strangest": strangest(X)})

    def update(self, merged: Statistics) -> bool:
        """Take the likeliest rates; return whether the likelihood stood still."""
        check_counts("family", merged.maxima["strangest"])
        sums = merged.sums
        total = float(sums["total"])
        mean = float(sums["log_likelihood"]) / total
        same_data = math.isclose(total, self.weight_sum_)
        self.converged_ = same_data and abs(mean - self.lower_bound_) < self.tol
        self.lower_bound_, self.weight_sum_ = mean, total
        self.n_iter_ += 1
        self._take(sums["moments"])
        return self.converged_

    def row_means(self) -> tuple[Array, Array]:
        """Return the means of the rows by component, and their weights, in the last pass."""
        return self.means_, self.weights_ * self.weight_sum_

    def _take(self, moments: Array) -> None:
        rows, size = moments[:, :-1], moments[:, -1]
        mean = rows.sum(axis=0) / size.sum()
        share = size / size.sum()
        rates = np.divide(rows, size[:, None], out=np.zeros(rows.shape), where=size[:, None] > 0)
        self.weights_, self.means_ = share, np.maximum(rates, FLOOR * mean)

    def _log_densities(self, X: Array) -> Array:
        """Return the log density of each row in each component, less the term of the counts."""
        from xcluster.algorithms.kernels.products import rows_product

        logs = np.log(self.means_, out=np.zeros(self.means_.shape), where=self.means_ > 0)
        found = rows_product(X, np.zeros(X.shape[1]), logs, np.float64)
        with np.errstate(divide="ignore"):
            return np.asarray(found - self.means_.sum(axis=1) + np.log(self.weights_))

    def _largest(self, most: Array) -> float:
        """Return a bound on the log-likelihood of rows with counts up to ``most``."""
        logs = np.log(self.means_, out=np.zeros(self.means_.shape), where=self.means_ > 0)
        shares = np.log(self.weights_[self.weights_ > 0])
        return float((np.abs(logs) @ most + self.means_.sum(axis=1)).max() - shares.min() + 1)

    def _start(self, blocks: ArrayBlocks, seed: int) -> None:
        """Set the rates of the groups that k-means finds among roots of the counts."""
        roots = 2 * np.sqrt(blocks.X + blocks.X.dtype.type(0.375))
        init = kmeans_plusplus(roots, self.n_components, blocks.sample_weight, seed)
        labels = KMeans(self.n_components, init=init).fit(roots, None, blocks.sample_weight)
        found = np.eye(self.n_components)[labels.labels_]
        weight = weight_or_ones(blocks.sample_weight, len(roots))
        lanes = np.concatenate([blocks.X, np.ones((len(roots), 1))], axis=1)
        self._take((weight * found.T) @ lanes)
        self.lower_bound_, self.weight_sum_ = -np.inf, 0.0
        self.n_iter_, self.converged_ = 0, False

    def _n_parameters(self) -> int:
        return self.n_components * self.n_features_in_ + self.n_components - 1


def _memberships(log_densities: Array) -> tuple[Array, Array]:
    """Return the membership of each row in each component, and its log-likelihood."""
    total = logsumexp(log_densities, axis=1)
    return np.exp(log_densities - total[:, None]), total
