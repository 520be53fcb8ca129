"""Gaussian mixtures, fitted by expectation and maximisation over blocks of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import replace
from functools import partial
from heapq import nlargest
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.parts.covariances import (
    COVARIANCE_TYPES,
    MATRICES,
    factor_of_each,
    maximising,
    precision_factors,
    to_covariance,
)
from xcluster.algorithms.parts.distinct import check_distinct
from xcluster.algorithms.parts.frame import Frame
from xcluster.algorithms.parts.gaps import (
    check_features,
    check_rows,
    filled,
    has_gaps,
    known_means,
    measured_means,
)
from xcluster.algorithms.parts.gaussians import (
    Components,
    Form,
    Moments,
    Piece,
    by_row,
    statistics,
    to_assignments,
    to_responsibilities,
)
from xcluster.algorithms.parts.inputs import FLOATS, check_weight, finite_or_gaps, new_rows
from xcluster.algorithms.parts.mixture_criteria import InformationCriteria
from xcluster.algorithms.parts.mixture_start import (
    bounding_box,
    checked_start,
    covariances_from,
    evenly_spaced,
    filled_from_nearest,
    nearest_of,
    regularisation,
    without_farthest,
)
from xcluster.algorithms.parts.nearest import NOISE
from xcluster.algorithms.parts.partial_gaussians import (
    Expected,
    Pattern,
    by_row_of_patterns,
    expected_moments,
    n_patterns,
    statistics_of_patterns,
)
from xcluster.algorithms.parts.seeding import kmeans_plusplus, random_rows
from xcluster.algorithms.parts.split_merge import Parameters, improved
from xcluster.algorithms.parts.sums import PLAIN, Sums
from xcluster.algorithms.trimmed import TrimmedKMeans
from xcluster.base.checks import check_choice, check_flag, check_integer, check_number, warn
from xcluster.base.errors import BadValueError
from xcluster.base.memory import check_memory
from xcluster.base.parallel import map_threads, single_threaded_blas
from xcluster.base.streaming import ArrayBlocks, Statistics, iterate

Array = NDArray[Any]

LEARNED = (
    "weights_",
    "means_",
    "covariances_",
    "precisions_cholesky_",
    "lower_bound_",
    "_bound",
    "noise_weight_",
    "n_iter_",
    "converged_",
    "weight_sum_",
)
LEAST_SHARE = 10 * np.finfo(np.float64).eps
"""Share of the rows below which a component counts as empty; keeps its logarithm finite."""
ALIKE = 1e-3
"""Difference in the mean log-likelihood below which runs end alike, and the first is taken."""
START_NOISE = 0.05
"""Weight of the uniform component before the first pass."""
SEARCHED = 3
"""Number of starts, which end differently, that are improved by a search."""
FINER = 0.25
"""Factor on the tolerance with which the best run ends after its search."""

MOST_PATTERNS, FEW_PATTERNS = 0.1, 100
"""Patterns of gaps for each row above which a fit warns, unless they are as few as this."""
WIDE, SECONDS = 50, 1e-3
"""Features above which it names pca first, and the time that a pass takes for each pattern."""

INIT_PARAMS = ("kmeans", "random_from_data")
SIMPLER = (
    'fewer components, pca first, covariance_type="diag", or a larger reg_covar (it is in '
    "squared units of the data)"
)


class GaussianMixture(InformationCriteria, DensityMixin, BaseEstimator):
    """A mixture of Gaussian components, with sample weights, for data of any size.

    Parameters
    ----------
    n_components : int, default 1
        Number of components.
    covariance_type : {"full", "tied", "diag", "spherical"}, default "full"
        A covariance matrix for each component; one for all; a diagonal for each; a variance for
        each.
    tol : float, default 1e-3
        The fit is done when the mean log-likelihood changes by less. After a search it goes on to
        a quarter of this, on the rows of the starts.
    reg_covar : float, optional
        Added to every variance, so that none vanishes, in squared units of the data. By default
        1e-6 times the variance of each feature, so that the answer does not depend on units (see
        Notes); scikit-learn's default is 1e-6, in whatever unit the data have.
    max_iter : int, default 100
        Most iterations of one start.
    n_init : int, default 1
        Number of starts, each fitted to at most 20,000 rows. Of several, a local search improves
        the three likeliest, and the best one goes on over all rows. Not used with `means_init`,
        which leaves nothing to chance.
    init_params : {"kmeans", "random_from_data"}, default "kmeans"
        Where the components start: at the centres of k-means, or at samples drawn at random.
        Every sample then belongs to its nearest centre.
    outliers : bool, default False
        Add a component of uniform density for rows that belong to no other (see Notes). Rows with
        gaps are refused then.
    weights_init : array of shape (n_components,), optional
        Weights to start from, among the Gaussian components.
    means_init : array of shape (n_components, n_features), optional
        Means to start from.
    precisions_init : array, optional
        Inverse covariances to start from, in the shape of `covariances_`.
    random_state : int, RandomState or None, default 0
        Seed of the starts. An int gives the same result on any number of threads.

    Attributes
    ----------
    weights_ : array of shape (n_components,)
        Share of each component; they sum to 1, less `noise_weight_`.
    means_ : array of shape (n_components, n_features)
        Mean of each component.
    covariances_ : array
        Of shape (n_components, n_features, n_features), (n_features, n_features),
        (n_components, n_features) or (n_components,), by `covariance_type`.
    precisions_cholesky_ : array
        Upper triangular U with inverse covariance U U' (or roots of inverse variances), in the
        shape of `covariances_`.
    precisions_ : array
        Inverses of `covariances_`, in their shape.
    converged_ : bool
        Whether the likelihood stood still before `max_iter` was reached.
    n_iter_ : int
        Iterations made, those of later refinement included.
    lower_bound_ : float
        Mean log-likelihood of the samples as the last iteration found it.
    weight_sum_ : float
        Sum of the sample weights of the last iteration (rows, where unweighted).
    noise_weight_ : float
        Share of the uniform component; 0 without.
    box_ : array of shape (2, n_features)
        The box whose volume gives its density; only with `outliers`.
    leaves_noise : bool
        Whether labels may be -1, as with `outliers`.
    reg_covar_ : array of shape (n_features,)
        What is added to the variance of each feature, in squared units of the data.
    unit_ : float
        A power of two near the spread of the rows given to `fit`.
    n_features_in_ : int
        Number of features seen by `fit`.

    Notes
    -----
    The variance behind the default of `reg_covar` is the squared interquartile range divided by
    1.349, of the rows from which the fit starts (at most 20,000), so that a value far out does not
    count. A feature with equal quartiles has that of the rows which differ from its median, times
    their share; a constant feature takes the mean of the others. For "spherical" it is the mean of
    all features. Where a fit is refined on more data it stays.

    Log densities are computed in `unit_`, so that data multiplied by a power of two get the same
    labels to the last bit.

    Maximum likelihood by the EM algorithm [1]_, as in `sklearn.mixture.GaussianMixture`, which
    it equals from equal starts. Each iteration is one pass of `partial_statistics` over blocks
    of rows and one `update`; so a mixture fitted on a sample can be refined on data of any size
    with ``xcluster.base.streaming.iterate(mixture, blocks, max_passes)``. Float32 input is measured
    in float64 piece by piece, and never copied as a whole.

    The local search merges two components that are nearly one, and splits a third one in two [2]_,
    as long as the likelihood rises. No component becomes flat by it, or gets fewer rows than one
    more than there are features.

    Rows may have gaps (NaN). Their memberships are those of the features that they have, and the
    rest is what components expect of it, with its variance [3]_. Several starts are compared on
    rows with centres of k-means in their gaps; the three likeliest go on without them, instead of
    the search. The likelihood is right if whether a value is missing depends on known values only.

    With `outliers` the density is that of the Gaussian components plus w / V, of a uniform
    component [4]_, whose weight w is learned with the others, from 0.05 on. V is the volume of a
    robust bounding box: in each feature it reaches from the 1 % to the 99 % quantile of the rows
    from which the fit starts, but is at least 6 robust standard deviations wide (the roots of the
    variances behind `reg_covar`). So a unit plays no part, nor does how far out a row lies: the
    density is w / V outside of the box as well. `predict` says -1 where this component is the most
    probable. The first components are those of trimmed k-means, without the 5 % of the rows that
    lie farthest from their centre.

    A component that loses all its samples keeps its mean and covariance at a weight of nearly
    0, and the fit warns.

    References
    ----------
    .. [1] A. P. Dempster, N. M. Laird and D. B. Rubin, "Maximum likelihood from incomplete data
       via the EM algorithm", J. R. Stat. Soc. B 39 (1977), 1-38.
    .. [2] N. Ueda, R. Nakano, Z. Ghahramani and G. E. Hinton, "SMEM algorithm for mixture models",
       Neural Computation 12 (2000), 2109-2128.
    .. [3] Z. Ghahramani and M. I. Jordan, "Supervised learning from incomplete data via an EM
       approach", Advances in Neural Information Processing Systems 6 (1994), 120-127.
    .. [4] J. D. Banfield and A. E. Raftery, "Model-based Gaussian and non-Gaussian clustering",
       Biometrics 49 (1993), 803-821.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]])
    >>> mixture = GaussianMixture(2).fit(X)
    >>> np.sort(mixture.means_.round(3), axis=None)
    array([ 1., 11.])
    >>> mixture.predict_proba(X).max(axis=1).round(3)
    array([1., 1., 1., 1., 1., 1.])
    """

    weights_: Array
    means_: Array
    covariances_: Array
    precisions_cholesky_: Array
    converged_: bool
    n_iter_: int
    lower_bound_: float
    reg_covar_: Array
    unit_: float = 1.0  # as files of 0.1.0 have it
    weight_sum_: float
    _bound: float  # the same as lower_bound_, per unit_
    noise_weight_: float = 0.0
    box_: Array
    _measured: tuple[Array, Array] | None = None  # what `row_means` returns of rows with gaps
    n_features_in_: int

    reads_order_of: tuple[str, ...] = ()

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float | None = None,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        outliers: bool = False,
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = 0,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.outliers = outliers
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: rows may have gaps, unless there is a uniform component."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = not self.leaves_noise
        return tags

    @property
    def leaves_noise(self) -> bool:
        """Whether rows may belong to no component."""
        return isinstance(self.outliers, bool | np.bool_) and bool(self.outliers)

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the mixture.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Float32 or float64. NaN is a gap.
        y : None
            Ignored.
        sample_weight : array of shape (n_samples,), optional
            A weight of 2 counts a row twice.

        Returns
        -------
        GaussianMixture
            This estimator.

        Raises
        ------
        ValueError
            For parameters out of range, fewer distinct rows than components, weights that are
            negative or all zero, a covariance without an inverse, a row without a value, or a
            feature that no row has.

        Warns
        -----
        UserWarning
            Where the mixture has more parameters than there are samples, components without
            samples, or rows with gaps in more patterns than a tenth of the rows.
        ConvergenceWarning
            Where `max_iter` was reached.
        """
        self._check_parameters()
        finite = finite_or_gaps(self)
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2, ensure_all_finite=finite)
        weight = check_weight(sample_weight, X)
        if has_gaps(X):
            check_rows(X)
            check_features(X, weight)
            self._say_patterns(X)
        self.check_memory(*X.shape)
        blocks = ArrayBlocks(X, weight)
        self._check_size(len(X))
        check_distinct("n_components", self.n_components, X, blocks.sample_weight)
        self.reg_covar_ = regularisation(blocks, self.reg_covar, self.covariance_type)
        whole = filled(X, known_means(X)) if has_gaps(X) else X
        self.unit_ = Frame.of(whole, blocks.sample_weight).unit
        if self.leaves_noise:
            self.box_ = bounding_box(blocks)
        self._start_best(blocks)
        iterate(self, blocks, self.max_iter)
        self._warn_of_outcome()
        return self

    def _check_parameters(self) -> None:
        check_integer("n_components", self.n_components, minimum=1)
        check_choice("covariance_type", self.covariance_type, COVARIANCE_TYPES)
        check_number("tol", self.tol, minimum=0)
        if self.reg_covar is not None:
            check_number("reg_covar", self.reg_covar, minimum=0)
        check_integer("max_iter", self.max_iter, minimum=1)
        check_integer("n_init", self.n_init, minimum=1)
        check_choice("init_params", self.init_params, INIT_PARAMS)
        check_flag("outliers", self.outliers)

    def check_memory(self, n_samples: int, n_features: int) -> None:
        """Refuse matrices of so many features that they do not fit in memory."""
        if self.covariance_type not in MATRICES:
            return
        k = self.n_components
        # Measured: sums of two blocks and copies, covariances and their factors, old and new.
        n_matrices = 8 * k if self.covariance_type == "full" else 3 * k + 4
        what = f"matrices of {n_features:,} x {n_features:,}"
        remedy = 'use pca first, or covariance_type="diag"'
        needed = 8.0 * n_matrices * n_features**2
        check_memory("covariance_type", self.covariance_type, needed, what, remedy)

    def _check_size(self, n_samples: int) -> None:
        """Refuse fewer samples than components; warn of fewer samples than parameters."""
        if n_samples < self.n_components:
            rule = f"must be at most the number of samples, n_samples = {n_samples}"
            remedy = f"pass {n_samples} or fewer"
            raise BadValueError("n_components", self.n_components, rule, remedy)
        if self._n_parameters() > n_samples:
            warn(
                f"The mixture has {self._n_parameters()} parameters but only {n_samples} samples, "
                f"so it may fit noise. Use {SIMPLER}."
            )

    def _warn_of_outcome(self) -> None:
        """Warn of components without samples, and of a fit that still changed."""
        n_empty = int((self.weights_ < 2 * LEAST_SHARE).sum())
        if n_empty:
            warn(f"{n_empty} of {self.n_components} components have no samples. Use fewer.")
        if not self.converged_:
            warn(
                f"The mixture still changed after max_iter={self.max_iter} iterations. Use a "
                "larger max_iter or tol, or fewer components.",
                ConvergenceWarning,
            )

    def _start_best(self, blocks: ArrayBlocks) -> None:
        """Start; of several starts take the one that ends likeliest after a search."""
        seeds = list(self._seeds())
        if len(seeds) == 1:
            self._start(blocks, seeds[0])
            return
        some = evenly_spaced(blocks)
        gaps = has_gaps(some.X)
        whole = replace(some, X=self._filled(some)) if gaps else some
        starts = map_threads(partial(self._run, whole), seeds)
        goes_on = (lambda run: run._continued(some)) if gaps else (lambda run: improved(run, some))
        best = _leaders(map_threads(goes_on, _leaders(starts, SEARCHED)), 1)[0]
        best.tol = FINER * self.tol
        iterate(best, some, self.max_iter)
        for name in LEARNED:
            setattr(self, name, getattr(best, name))
        self.n_iter_ = 0

    def _continued(self, blocks: ArrayBlocks) -> Self:
        """Return the mixture after iterations on other rows than before."""
        run = copy(self)
        run.place(Parameters(self.weights_, self.means_, self.covariances_))
        iterate(run, blocks, self.max_iter)
        return run

    def _filled(self, blocks: ArrayBlocks) -> Array:
        """Return rows with the centres of k-means in their gaps, from which starts are quick."""
        kmeans = KMeans(self.n_components).fit(blocks.X, sample_weight=blocks.sample_weight)
        return filled_from_nearest(blocks.X, kmeans.cluster_centers_)

    def _run(self, blocks: ArrayBlocks, seed: int) -> Self:
        """Return a mixture iterated from one start."""
        run = copy(self)
        run._start(blocks, seed)
        iterate(run, blocks, self.max_iter)
        return run

    def place(self, parameters: Parameters) -> None:
        """Take other parameters, of any number of components; a fit goes on from there."""
        self._begin()
        self.weights_, self.means_ = parameters.weights, parameters.means
        self._take_covariances(parameters.covariances)

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Array:
        """Fit the mixture and return each row's likeliest component, of shape (n_samples,)."""
        return self.fit(X, y, sample_weight).predict(X)

    def predict(self, X: Any) -> Array:
        """Return each row's likeliest component, an int array of shape (n_samples,).

        It is -1 where the uniform component is likelier.
        """
        noise = self._log_noise

        def likeliest(piece: Piece) -> Array:
            labels = piece.log_densities.argmax(axis=0)
            return np.where(piece.log_densities.max(axis=0) < noise, NOISE, labels)

        return self._by_row(X, (), np.int64, likeliest)

    def predict_proba(self, X: Any) -> Array:
        """Return the membership of each row, of shape (n_samples, n_components).

        Those of a row sum to 1, less that in the uniform component.
        """
        to_shares = self._to_shares

        def memberships(piece: Piece) -> Array:
            to_shares(piece.log_densities)
            return piece.log_densities.T

        return self._by_row(X, (self.n_components,), np.float64, memberships)

    def score_samples(self, X: Any) -> Array:
        """Return the log density at each row, of shape (n_samples,)."""
        to_shares = self._to_shares
        per_unit = self._by_row(X, (), np.float64, lambda piece: to_shares(piece.log_densities))
        n_known = np.count_nonzero(~np.isnan(np.asarray(X, np.float64)), axis=1)
        return np.asarray(per_unit - self._log_volume * (n_known / self.means_.shape[1]))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the (weighted) mean log density of the rows."""
        return float(np.average(self.score_samples(X), weights=sample_weight))

    def sample(self, n_samples: int = 1) -> tuple[Array, Array]:
        """Draw rows from the mixture; every call gives the same if `random_state` is an int.

        Parameters
        ----------
        n_samples : int, default 1

        Returns
        -------
        X : array of shape (n_samples, n_features)
            Component by component.
        labels : int array of shape (n_samples,)
            The component of each row; -1 for rows of the uniform component, which come last.
        """
        check_is_fitted(self)
        n_samples = check_integer("n_samples", n_samples, minimum=1)
        random = check_random_state(self.random_state)
        noise = [self.noise_weight_] if self.leaves_noise else []
        sizes = random.multinomial(n_samples, [*self.weights_, *noise])
        rows = [
            mean + to_covariance(factor, random.standard_normal((size, len(mean))))
            for mean, factor, size in zip(self.means_, self._factors(), sizes, strict=False)
        ]
        labels = np.repeat(np.arange(len(sizes)), sizes)
        if noise:
            rows.append(random.uniform(*self.box_, (sizes[-1], self.n_features_in_)))
            labels[labels == self.n_components] = NOISE
        return np.concatenate(rows), labels

    @property
    def precisions_(self) -> Array:
        """The inverses of the covariances, in their shape."""
        factors = self.precisions_cholesky_
        if self.covariance_type in MATRICES:
            return np.asarray(factors @ factors.swapaxes(-1, -2))
        return factors**2

    def partial_statistics(
        self, X: Array, sample_weight: Array | None = None, sums: Sums = PLAIN
    ) -> Statistics:
        """Return the log-likelihood and moments of a block under the current parameters.

        Parameters
        ----------
        X : array of shape (n_rows, n_features)
            Complete rows; none at all will do.
        sample_weight : array of shape (n_rows,), optional
        sums : Plain or Exact
            How rows are added.

        Returns
        -------
        Statistics
            Sums ``log_likelihood`` (per `unit_`) and ``total`` (of the weights), and ``moments``,
            of which the present parameters make `Moments`, all in float64. Moments of rows with
            gaps are apart, by the features that they have.
        """
        return self._statistics(X, sample_weight, sums)

    def statistics_and_shares(
        self, X: Array, sample_weight: Array | None, sums: Sums
    ) -> tuple[Statistics, Array]:
        """Return `partial_statistics` and the memberships that they are of, of shape (k, n)."""
        shares = np.empty((len(self.weights_), len(X)))
        return self._statistics(X, sample_weight, sums, shares), shares

    def _statistics(
        self, X: Array, weight: Array | None, sums: Sums, shares: Array | None = None
    ) -> Statistics:
        given = self._to_shares, X, weight, sums, shares
        if sums.gaps and has_gaps(X):
            return statistics_of_patterns(self._form(), self._pattern, *given)
        return statistics(self._form(), *given)

    def _pattern(self, known: Array) -> Pattern:
        """Return the components in the features that some rows have."""
        given = self.covariance_type, self.weights_, self.means_, self.covariances_, self.unit_
        return Pattern(*given, known)

    def _say_patterns(self, X: Array) -> None:
        """Warn of nearly as many patterns of gaps as rows: each is measured by itself."""
        n = n_patterns(X)
        if n <= max(MOST_PATTERNS * len(X), FEW_PATTERNS):
            return
        seconds = n * SECONDS
        first = "reduce by pca first" if X.shape[1] > WIDE else "raise coverage"
        warn(
            f"The {len(X):,} samples lack features in {n:,} different patterns, each of which is "
            f"measured by itself: about {seconds:.2g} s for a pass, of which there are up to "
            f"max_iter={self.max_iter}. To be faster, {first}, or use kmeans or fuzzy."
        )

    def update(self, merged: Statistics) -> bool:
        """Take the likeliest parameters; return whether the likelihood stood still.

        Likelihoods are compared where both passes saw the same total weight: the first pass
        over other data than before cannot end the fit.
        """
        sums = merged.sums
        total = float(sums["total"])
        mean = float(sums["log_likelihood"]) / total
        same_data = math.isclose(total, self.weight_sum_)
        self.converged_ = same_data and abs(mean - self._bound) < self.tol
        whole = self._form().moments(sums["moments"])
        found = expected_moments(whole, self._pattern, sums)
        share = 1 - found.lacking / (total * self.means_.shape[1])
        self._measured = self._measured_means(found) if found.lacking else None
        self._bound, self.lower_bound_ = mean, mean - self._log_volume * share
        self.weight_sum_ = total
        self.n_iter_ += 1
        if self.noise_weight_:
            self.noise_weight_ = max(1 - float(found.moments.weight.sum()) / total, LEAST_SHARE)
        self._maximise(found.moments)
        return self.converged_

    def _measured_means(self, found: Expected) -> tuple[Array, Array]:
        """Return the means of what rows have, and the weights of these rows."""
        weight, known = found.moments.weight, found.known
        means = self.means_ + found.first / np.where(known > 0, known, 1.0)
        return measured_means(means, weight, weight[:, None] - known)

    def row_means(self) -> tuple[Array, Array]:
        """Return the means of the rows by component, and their weights, in the last pass.

        If rows have gaps, they are of what is there, and weights by feature.
        """
        if self._measured is not None:
            return self._measured
        return self.means_, self.weights_ * self.weight_sum_

    def _maximise(self, moments: Moments) -> None:
        """Set the parameters under which rows of these moments are the likeliest."""
        weight, first, second = moments
        floor = LEAST_SHARE * weight.sum()
        shares = weight + floor
        self.weights_ = (1 - self.noise_weight_) * (shares / shares.sum())
        self.means_ = self.means_ + first / shares[:, None]
        moments = Moments(np.where(weight > floor, weight, 0.0), first, second)
        self._take_covariances(maximising(self.covariance_type, moments, self.reg_covar_))

    def _take_covariances(self, covariances: Array) -> None:
        self.covariances_ = covariances
        try:
            with single_threaded_blas():
                factors = precision_factors(self.covariance_type, covariances)
        except np.linalg.LinAlgError:
            rule = "must be so large that every covariance has an inverse"
            raise BadValueError("reg_covar", self.reg_covar, rule, f"use {SIMPLER}") from None
        self.precisions_cholesky_ = factors

    def _form(self) -> Form:
        given = self.weights_, self.means_, self._factors(), self.unit_, self._log_noise
        return Components(*given).form()

    @property
    def _to_shares(self) -> Callable[[Array], Array]:
        """What turns log densities into responsibilities in place, and returns log sums."""
        noise = self._log_noise
        if noise == -math.inf:
            return to_responsibilities
        return partial(to_responsibilities, log_noise=noise)

    @property
    def _log_noise(self) -> float:
        """The weighted log density of the uniform component, per `unit_`."""
        if not self.noise_weight_:
            return -math.inf
        widths = (self.box_[1] - self.box_[0]) / self.unit_
        return math.log(self.noise_weight_) - float(np.log(widths).sum())

    def _n_parameters(self) -> int:
        return super()._n_parameters() + int(self.leaves_noise)

    def _entropies(self, X: Any) -> Array:
        shares = self.predict_proba(X)
        of_noise = entr(np.maximum(1 - shares.sum(axis=1), 0)) if self.leaves_noise else 0.0
        return np.asarray(entr(shares).sum(axis=1) + of_noise)

    def _factors(self) -> Array:
        return factor_of_each(self.covariance_type, self.precisions_cholesky_, *self.means_.shape)

    @property
    def _log_volume(self) -> float:
        """The logarithm of what densities per `unit_` are divided by to be per unit of the data."""
        return math.log(self.unit_) * int(self.means_.shape[1])

    def _by_row(
        self, X: Any, width: tuple[int, ...], dtype: Any, measure: Callable[[Piece], Array]
    ) -> Array:
        X = new_rows(self, X)
        with single_threaded_blas():
            if not has_gaps(X):
                return by_row(self._form(), X, width, dtype, measure)
            check_rows(X)
            return by_row_of_patterns(self._pattern, X, width, dtype, measure)

    def _start(self, blocks: ArrayBlocks, seed: int) -> None:
        """Set the parameters that the first pass measures."""
        self._begin()
        self.noise_weight_ = START_NOISE if self.leaves_noise else 0.0
        given = self._given(blocks.X.shape[1])
        if "weights" in given:
            given["weights"] = (1 - self.noise_weight_) * given["weights"]
        self.means_ = given["means"] if "means" in given else self._centers(blocks, seed)
        if len(given) < 3:
            nearest = nearest_of(self.means_, self.covariance_type)
            if has_gaps(blocks.X):
                blocks = replace(blocks, X=filled_from_nearest(blocks.X, self.means_))
            if self.leaves_noise:
                blocks = without_farthest(blocks, self.means_, START_NOISE)
            merged = blocks.reduce(partial(statistics, nearest, to_assignments))
            self._maximise(nearest.moments(merged.sums["moments"]))
        for name in given.keys() - {"precisions"}:
            setattr(self, f"{name}_", given[name])
        if "precisions" in given:
            self._take_covariances(covariances_from(given["precisions"], self.covariance_type))

    def _begin(self) -> None:
        """Forget what passes over the rows have found."""
        self._bound = self.lower_bound_ = -np.inf
        self.weight_sum_, self.n_iter_, self.converged_ = 0.0, 0, False

    def _given(self, n_features: int) -> dict[str, Array]:
        """Return what the user gave to start from."""
        names = ("weights", "means", "precisions")
        given = {name: getattr(self, f"{name}_init") for name in names}
        return checked_start(given, self.covariance_type, self.n_components, n_features)

    def _centers(self, blocks: ArrayBlocks, seed: int) -> Array:
        """Return the points to which rows are first assigned, of shape (k, p)."""
        X, weight = blocks.X, blocks.sample_weight
        whole = filled(X, known_means(X, weight)) if has_gaps(X) else X
        if self.init_params == "random_from_data":
            return random_rows(whole, self.n_components, weight, seed)
        if self.leaves_noise:
            trimmed = TrimmedKMeans(self.n_components, trim=START_NOISE, n_init=1)
            trimmed.set_params(random_state=seed)
            return np.asarray(trimmed.fit(X, sample_weight=weight).cluster_centers_)
        # Without swaps, which would make all starts alike.
        start = kmeans_plusplus(whole, self.n_components, weight, seed)
        kmeans = KMeans(self.n_components, init=start)
        return np.asarray(kmeans.fit(X, sample_weight=weight).cluster_centers_)

    def _seeds(self) -> list[int]:
        random = check_random_state(self.random_state)
        n_starts = self.n_init if self.means_init is None else 1
        return [int(seed) for seed in random.randint(2**31 - 1, size=n_starts)]


def _leaders(runs: Iterable[GaussianMixture], most: int) -> list[GaussianMixture]:
    """Return the likeliest runs, the best first; of those that end alike only the first.

    Rounding, which the unit of the data may change, does not choose among these.
    """
    leaders: list[GaussianMixture] = []
    for run in runs:
        if all(abs(each._bound - run._bound) > ALIKE for each in leaders):
            leaders = nlargest(most, [*leaders, run], key=lambda each: each._bound)
    return leaders
