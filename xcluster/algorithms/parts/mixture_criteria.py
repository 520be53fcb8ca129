"""Information criteria, by which mixtures of different sizes are compared."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from xcluster.algorithms.parts.covariances import n_free

Array = NDArray[Any]


class InformationCriteria:
    """What a fitted mixture with `score_samples` and `predict_proba` costs; lower is better."""

    n_components: int
    covariance_type: str
    n_features_in_: int

    if TYPE_CHECKING:

        def score_samples(self, X: Any) -> Array:
            """Return the log density at each row."""

        def predict_proba(self, X: Any) -> Array:
            """Return the membership of each row."""

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """Return the Bayesian information criterion; lower is better.

        It is -2 sum(w log p(x)) + n_parameters ln(sum w), with weights of 1 by default: a weight of
        2 counts a row twice. (Weights of the samples of an object are divided by their mean first,
        so that their sum is the number of rows.)

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        sample_weight : array of shape (n_samples,), optional

        References
        ----------
        G. Schwarz, "Estimating the dimension of a model", Ann. Statist. 6 (1978), 461-464.
        """
        total = len(X) if sample_weight is None else float(np.sum(sample_weight))
        return self._deviance(X, sample_weight) + self._n_parameters() * math.log(total)

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """Return Akaike's criterion, -2 sum(w log p(x)) + 2 n_parameters; lower is better.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        sample_weight : array of shape (n_samples,), optional

        References
        ----------
        H. Akaike, "A new look at the statistical model identification", IEEE Trans. Autom.
        Control 19 (1974), 716-723.
        """
        return self._deviance(X, sample_weight) + 2 * self._n_parameters()

    def icl(self, X: Any, sample_weight: Any = None) -> float:
        """Return the integrated completed likelihood in the scale of `bic`.

        It is the BIC plus twice the entropy of the memberships, -sum(w u log u), and so
        favours components that do not overlap.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        sample_weight : array of shape (n_samples,), optional

        References
        ----------
        G. McLachlan and D. Peel, "Finite mixture models", Wiley (2000), section 6.10.
        """
        entropies = _weighted_sum(self._entropies(X), sample_weight)
        return self.bic(X, sample_weight) + 2 * entropies

    def _entropies(self, X: Any) -> Array:
        """Return the entropy of the memberships of each row."""
        return np.asarray(entr(self.predict_proba(X)).sum(axis=1))

    def _deviance(self, X: Any, sample_weight: Any) -> float:
        return -2 * _weighted_sum(self.score_samples(X), sample_weight)

    def _n_parameters(self) -> int:
        k, p = self.n_components, self.n_features_in_
        return k - 1 + k * p + n_free(self.covariance_type, k, p)


def _weighted_sum(values: Array, sample_weight: Any) -> float:
    return float(np.sum(values if sample_weight is None else values * np.asarray(sample_weight)))
