"""Fuzzy c-means: memberships between 0 and 1, probabilistic, possibilistic or beside noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.cluster import kmeans_plusplus
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from xcluster.algorithms.parts import fuzzy_sums
from xcluster.algorithms.parts.distances import middle
from xcluster.algorithms.parts.distinct import check_distinct
from xcluster.algorithms.parts.gaps import (
    LEAST_KNOWN,
    check_features,
    check_rows,
    filled,
    has_gaps,
    known_means,
    measured_means,
)
from xcluster.algorithms.parts.inputs import (
    FLOATS,
    check_init,
    check_weight,
    finite_or_gaps,
    new_rows,
    weight_or_ones,
)
from xcluster.algorithms.parts.nearest import NOISE
from xcluster.algorithms.parts.sums import PLAIN, Sums
from xcluster.algorithms.trimmed import TrimmedKMeans
from xcluster.base.checks import check_choice, check_integer, check_number, is_text, warn
from xcluster.base.errors import BadValueError, advice, complaint
from xcluster.base.memory import check_memory
from xcluster.base.parallel import map_rows, single_threaded_blas
from xcluster.base.streaming import ArrayBlocks, Statistics, in_tiles, iterate

Array = NDArray[Any]

TILE_ROWS = 4096
"""Rows measured at once: their distances and memberships stay in cache."""
COINCIDENT = 0.1
"""Centres nearer than this share of the smaller cluster's radius count as one."""
EQUAL = 0.01
"""Partition coefficient, 0 where all memberships are equal and 1 where crisp, of useless ones."""
ROUNDING = 1e-9
"""Share of the objective by which a start must end lower: those that end alike are one."""
KINDS = ("probabilistic", "possibilistic", "noise")
FAR = 0.05
"""Share of the rows that the start beside noise leaves out."""
START_ROWS, START_PASSES, START_TOLERANCE = 8192, 50, 1e-3
"""Each start runs over at most so many rows, for so many passes, to this tolerance."""


class FuzzyCMeans(ClusterMixin, BaseEstimator):
    """Fuzzy c-means: spherical or Gustafson-Kessel, probabilistic, possibilistic or beside noise.

    Parameters
    ----------
    n_clusters : int, default 8
        Number of clusters.
    m : float, default 2.0
        Fuzzifier, above 1; near 1 memberships are nearly 0 or 1.
    kind : {"probabilistic", "possibilistic", "noise"}, default "probabilistic"
        Probabilistic memberships of a sample sum to 1 [1]_. Possibilistic ones tell how typical
        it is of each cluster, so that an outlier belongs to none; they start from the
        probabilistic result, from which each cluster's radius is taken [2]_. Beside noise those of
        a sample sum to 1 with its membership in a further cluster that is equally far from all
        samples [6]_ (see Notes).
    delta : float, optional
        That distance, in units of the data; only for ``kind="noise"``. By default it follows from
        the mean squared distance between samples and centres (see Notes).
    shape : {"spherical", "gustafson-kessel"}, default "spherical"
        Euclidean distances, or for each cluster a norm of its own from its fuzzy covariance, at
        equal volumes [3]_. A covariance that is nearly singular is regularised [4]_.
    init : "k-means++" or array of shape (n_clusters, n_features), default "k-means++"
        Centres to start from.
    n_init : int, default 5
        Number of k-means++ starts. Each runs over at most 8,192 rows drawn at random; the best
        goes on over all. Not used with an array as `init`.
    max_iter : int, default 300
        Most passes over the data; as many again for possibilistic memberships.
    tol : float, default 1e-5
        The fit is done when no centre moves by more than this share of the root mean square
        distance and the objective falls by no larger share of itself. Refinement over blocks is
        done when the objective falls by no larger share: centres may move slowly for many passes
        more, each of which reads all data.
    random_state : int, RandomState or None, default 0
        Seed of the starts. An int gives the same result on any number of threads.

    Attributes
    ----------
    cluster_centers_ : array of shape (n_clusters, n_features)
        Means of the samples, weighted by memberships to the power m.
    labels_ : int array of shape (n_samples,)
        Cluster of the largest membership; -1 where that in noise is larger.
    counts_ : array of shape (n_clusters,)
        Samples with each label, or their weight.
    covariances_ : array of shape (n_clusters, n_features, n_features) or None
        Fuzzy covariances, regularised; None where spherical.
    regularized_ : bool array of shape (n_clusters,)
        Whose covariance was nearly singular; Gustafson-Kessel only.
    eta_ : array of shape (n_clusters,) or None
        Squared distance at which a membership is 1/2; possibilistic only.
    delta_ : float or None
        Distance of noise from each sample.
    leaves_noise : bool
        Whether labels may be -1.
    objective_ : float
        Sum of u^m d^2, plus eta (1 - u)^m where possibilistic, over samples and clusters; plus the
        sum of u^m delta^2 over memberships in noise.
    objective_history_ : list of float
        The objective at each pass over the same data; it never rises.
    partition_coefficient_ : float
        Mean of the sum of u^2: 1 where memberships are crisp, 1 / n_clusters where all are equal.
    partition_entropy_ : float
        Mean of the sum of -u log u; 0 where memberships are crisp.
    xie_beni_ : float
        Mean of the sum of u^m d^2 over the least squared distance of two centres, both Euclidean
        whatever the shape, as in `xcluster.scores.xie_beni`; lower is better, NaN for a single
        cluster.
    coincident_ : int array of shape (n_pairs, 2)
        Pairs of clusters that share a centre, to a tenth of the smaller one's radius.
    weight_sum_ : float
        Sum of the sample weights of the last pass (rows, where unweighted).
    n_iter_ : int
        Passes made, those of later refinement included.
    n_features_in_ : int
        Number of features seen by `fit`.

    Notes
    -----
    A pass is `partial_statistics` over blocks of rows and one `update`, so clusters fitted on a
    sample can be refined on data of any size with ``xcluster.base.streaming.iterate(fuzzy, blocks,
    max_passes)``; `eta_` then stays. Each step minimises the objective by memberships, centres
    or norms. Only a regularised covariance could raise it; the fit then ends at the best.

    Beside noise, u_i = d_i^(-2/(m-1)) / (sum_j d_j^(-2/(m-1)) + delta^(-2/(m-1))). The fit starts
    from trimmed k-means, without the 5 % of the rows of the starts that lie farthest from their
    centre. By default delta^2 is the mean squared distance of the other rows to all centres of this
    start: lambda in [6]_ is 1. It then stays, so that the objective never rises, unlike in [6]_,
    where it is computed anew in each pass.

    Possibilistic memberships of a row do not depend on each other, so nothing keeps centres apart.
    Where clusters overlap they coincide, and labels mean nothing: on two of six labelled scenes the
    adjusted Rand index is 0.00, where that of probabilistic ones is 0.64 and 0.17. Neither smaller
    radii nor those of labels change this at m = 2; m = 1.2 raises the second to 0.45. They are for
    clusters with empty space between them.

    Rows may have gaps (NaN), if memberships are probabilistic and clusters spherical. These follow
    from partial distances, and centres from the values that rows have [5]_; the objective is the
    sum over these values.

    References
    ----------
    .. [1] J. C. Bezdek, "Pattern recognition with fuzzy objective function algorithms", Plenum
       (1981).
    .. [2] R. Krishnapuram and J. M. Keller, "A possibilistic approach to clustering", IEEE
       Trans. Fuzzy Systems 1 (1993), 98-110.
    .. [3] D. E. Gustafson and W. C. Kessel, "Fuzzy clustering with a fuzzy covariance matrix",
       Proc. IEEE CDC (1979), 761-766.
    .. [4] R. Babuska, P. J. van der Veen and U. Kaymak, "Improved covariance estimation for
       Gustafson-Kessel clustering", Proc. FUZZ-IEEE (2002), 1081-1085.
    .. [5] R. J. Hathaway and J. C. Bezdek, "Fuzzy c-means clustering of incomplete data", IEEE
       Trans. Systems, Man and Cybernetics B 31 (2001), 735-744.
    .. [6] R. N. Dave, "Characterization and detection of noise in clustering", Pattern Recognition
       Letters 12 (1991), 657-664.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0], [0.1], [0.2], [5.0], [9.8], [9.9], [10.0]])
    >>> fuzzy = FuzzyCMeans(2).fit(X)
    >>> np.sort(fuzzy.cluster_centers_, axis=None).round(1)
    array([0.5, 9.5])
    >>> fuzzy.predict_proba([[5.0]]).round(2)
    array([[0.5, 0.5]])
    """

    cluster_centers_: Array
    covariances_: Array | None
    eta_: Array | None
    delta_: float | None = None  # as files of 0.1.0 have it
    objective_: float
    objective_history_: list[float]
    weight_sum_: float
    _row_means: tuple[Array, Array]
    n_iter_: int

    reads_order_of: tuple[str, ...] = ()

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        m: float = 2.0,
        kind: str = "probabilistic",
        shape: str = "spherical",
        delta: float | None = None,
        init: Any = "k-means++",
        n_init: int = 5,
        max_iter: int = 300,
        tol: float = 1e-5,
        random_state: Any = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.m = m
        self.kind = kind
        self.shape = shape
        self.delta = delta
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: rows may have gaps, if shares are of plain distances."""
        tags = super().__sklearn_tags__()
        plain = is_text(self.kind, "probabilistic") and is_text(self.shape, "spherical")
        tags.input_tags.allow_nan = plain
        return tags

    @property
    def leaves_noise(self) -> bool:
        """Whether rows may belong to no cluster."""
        return is_text(self.kind, "noise")

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the clusters.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Float32 or float64. Complete rows or, if memberships are probabilistic and clusters
            spherical, rows with gaps (NaN).
        y : None
            Ignored.
        sample_weight : array of shape (n_samples,), optional
            A weight of 2 counts a row twice.

        Returns
        -------
        FuzzyCMeans
            This estimator.

        Raises
        ------
        ValueError
            For parameters out of range, such as m <= 1; fewer distinct rows than clusters;
            weights that are negative or all zero; a row without a value, or a feature that no row
            has.

        Warns
        -----
        UserWarning
            Where memberships are all equal, a covariance was regularised or centres coincide.
        ConvergenceWarning
            Where `max_iter` was reached.
        """
        finite = finite_or_gaps(self)
        X = validate_data(self, X, dtype=FLOATS, order="C", ensure_all_finite=finite)
        self._check_parameters(*X.shape)
        weight = check_weight(sample_weight, X)
        if has_gaps(X):
            check_rows(X)
            check_features(X, weight)
        self.check_memory(*X.shape)
        blocks = ArrayBlocks(X, weight, rows=TILE_ROWS)
        check_distinct("n_clusters", self.n_clusters, X, blocks.sample_weight)
        with single_threaded_blas():
            if self.kind == "noise":
                self._begin_beside_noise(blocks)
            else:
                self._begin(*self._start(blocks))
            settled = self._run(blocks)
            found = blocks.reduce(self.partial_statistics)
            equal = _are_equal(found.sums, self.n_clusters)
            if self.kind == "possibilistic":
                self.eta_ = _squared_radii(found.sums)
                self.objective_, self.objective_history_ = math.inf, []
                settled = self._run(blocks)
                found = blocks.reduce(self.partial_statistics)
            self._measure(found)
            self.labels_ = self._by_tile(X, self._largest)
        self._warn_of_outcome(settled, equal)
        return self

    def _check_parameters(self, n_samples: int, n_features: int) -> None:
        for name in ("n_clusters", "n_init", "max_iter"):
            check_integer(name, getattr(self, name), minimum=1)
        check_number("m", self.m, above=1)
        check_number("tol", self.tol, minimum=0)
        check_choice("kind", self.kind, KINDS)
        self._check_delta()
        check_choice("shape", self.shape, ("spherical", "gustafson-kessel"))
        check_init(self.init, (self.n_clusters, n_features))
        if n_samples < self.n_clusters:
            rule = f"is more than the n_samples={n_samples} samples"
            raise BadValueError("n_clusters", self.n_clusters, rule, "ask for fewer")

    def _check_delta(self) -> None:
        if self.delta is None:
            return
        check_number("delta", self.delta, above=0)
        if not self.leaves_noise:
            rule = f"cannot be used with kind={self.kind!r}"
            raise BadValueError("delta", self.delta, rule, "leave it out, or pass kind='noise'")

    def check_memory(self, n_samples: int, n_features: int) -> None:
        """Refuse covariances of so many features that they do not fit in memory."""
        if self.shape == "gustafson-kessel":
            what = f"covariances of {n_features:,} x {n_features:,}"
            needed = 8.0 * 8 * self.n_clusters * n_features**2
            remedy = 'use pca first, or shape="spherical"'
            check_memory("shape", self.shape, needed, what, remedy)

    def _start(self, blocks: ArrayBlocks) -> tuple[Array, Array | None]:
        """Return centres and covariances to start from: those given, or of the best short fit."""
        if not isinstance(self.init, str):
            return np.array(self.init, dtype=np.float64), None
        random = check_random_state(self.random_state)
        sample = _some_rows(blocks, random)
        whole = filled(sample.X, known_means(blocks.X)) if has_gaps(sample.X) else sample.X
        short = clone(self).set_params(max_iter=START_PASSES, tol=START_TOLERANCE)
        best: tuple[float, Array, Array | None] = math.inf, np.empty(0), None
        # In float64 about a row in the middle: it expands squares, which must not lose digits.
        placed = whole - middle(whole)
        for _ in range(self.n_init):
            _, rows = kmeans_plusplus(
                placed, self.n_clusters, sample_weight=sample.sample_weight, random_state=random
            )
            short._begin(np.asarray(whole[rows], np.float64), None)
            short._run(sample)
            if short.objective_ < best[0] * (1 - ROUNDING):
                best = short.objective_, short.cluster_centers_, short.covariances_
        return best[1:]

    def _begin_beside_noise(self, blocks: ArrayBlocks) -> None:
        """Set centres and the distance of noise from rows of which the farthest do not count."""
        sample = _some_rows(blocks, check_random_state(self.random_state))
        start = TrimmedKMeans(self.n_clusters, trim=FAR, init=self.init, n_init=self.n_init)
        start.set_params(random_state=self.random_state, max_iter=START_PASSES)
        start.fit(sample.X, sample_weight=sample.sample_weight)
        drawn = isinstance(self.init, str)
        centers = start.cluster_centers_ if drawn else np.array(self.init, np.float64)
        self._begin(centers, None)
        near = sample.take(start.labels_ >= 0)
        self.delta_ = self._mean_distance(near) if self.delta is None else float(self.delta)

    def _mean_distance(self, blocks: ArrayBlocks) -> float:
        """Return the root of the mean squared distance of rows to all centres, above zero."""
        squares = fuzzy_sums.squared_distances(blocks.X, self.cluster_centers_, None)
        of_rows = np.average(squares.mean(axis=0), weights=blocks.sample_weight)
        if not of_rows > 0:
            rule = f"cannot follow from equal samples (n_samples={len(blocks.X):,} near a centre)"
            raise BadValueError("delta", None, rule, "pass a number, for example delta=1.0")
        return math.sqrt(float(of_rows))

    def _warn_of_outcome(self, settled: bool, equal: bool) -> None:
        """Warn of clusters that still move or coincide, and of singular covariances."""
        if not settled:
            message = complaint("max_iter", self.max_iter, "the clusters still move", "raise it")
            warn(message, ConvergenceWarning)
        if equal:
            rule = f"memberships are all 1/{self.n_clusters} and labels mean nothing, as "
            rule += f"all centres become one with {self.n_features_in_} features and this m"
            m = f"{1 + (self.m - 1) / 5:.3g}"
            remedy = f"reduce the features by pca first, or pass a smaller m, for example m={m}"
            warn(complaint("m", self.m, rule, remedy))
        elif len(self.coincident_):
            pairs = ", ".join(f"{a} and {b}" for a, b in self.coincident_)
            rule = f"the centres of {pairs} coincide (the numbers are those of the estimator)"
            warn(advice(rule, self._parting()))
        if self.covariances_ is not None and self.regularized_.any():
            found = ", ".join(map(str, np.flatnonzero(self.regularized_)))
            rule = f"the covariances of {found} are singular and were regularised (the numbers are "
            rule += "those of the estimator)"
            warn(complaint("shape", self.shape, rule, "use pca first or fewer clusters"))

    def _parting(self) -> str:
        """Return what may keep centres apart."""
        if self.kind == "possibilistic":
            return "use kind='noise', which keeps centres apart, a smaller m, or fewer clusters"
        return "ask for fewer clusters"

    def predict(self, X: Any) -> Array:
        """Return the cluster of each row's largest membership, of shape (n_samples,).

        It is -1 where that in noise is larger.
        """
        return self._by_tile(new_rows(self, X), self._largest)

    def predict_proba(self, X: Any) -> Array:
        """Return memberships, of shape (n_samples, n_clusters).

        Probabilistic ones of a row sum to 1, beside noise less that in noise; possibilistic ones
        need not.
        """
        return self._by_tile(new_rows(self, X), lambda u: u[: self.n_clusters].T)

    def _largest(self, u: Array) -> Array:
        largest = u.argmax(axis=0)
        return np.where(largest == self.n_clusters, NOISE, largest)

    def row_shares(self, X: Any) -> Array:
        """Return how much each row counts in each mean: u^m, of shape (n_clusters, n_samples)."""
        shares = self.predict_proba(X).T
        return np.ascontiguousarray(fuzzy_sums.power(shares, self.m))

    def partial_statistics(
        self, X: Array, sample_weight: Array | None = None, sums: Sums = PLAIN
    ) -> Statistics:
        """Return what a block of rows says about the clusters; changes nothing.

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
            The sums of `xcluster.algorithms.parts.fuzzy_sums`, `tile_sums` and `described`; for
            Gustafson-Kessel also ``second``, those of w u^m (x - c)(x - c)'; where memberships are
            possibilistic ``doubt``, those of w (1 - u)^m; beside noise ``noise``, that of w u^m of
            the memberships in it.
        """
        return self._statistics(X, sample_weight, sums, described=True)

    def update(self, statistics: Statistics) -> bool:
        """Move the clusters; return whether they have settled.

        Objectives are compared where both passes saw the same total weight, so the first pass
        over other data than before cannot end the fit. Settled clusters stay where they were
        measured.
        """
        total = float(statistics.sums["total"])
        before = self.objective_ if math.isclose(self.weight_sum_, total) else math.inf
        self._measure(statistics)
        if self.objective_ > before:
            self.objective_ = before
            self.cluster_centers_, self.covariances_ = self._before
            return True
        sums = statistics.sums
        given = self._centers_of(sums), sums["weight"], sums.get("lacking")
        self._row_means = measured_means(*given)
        self.objective_history_ = [*self.objective_history_, self.objective_]
        rests = before - self.objective_ <= self.tol * self.objective_
        # Passes that describe the clusters are a refinement: they may read all data from disk.
        return self._move(sums, rests, rests and "counts" in sums)

    def _measure(self, statistics: Statistics) -> None:
        """Take what the sums tell of the present clusters."""
        sums = statistics.sums
        self.weight_sum_ = float(sums["total"])
        self.objective_ = float(sums["spread"].sum())
        if self.eta_ is not None:
            self.objective_ += float(self.eta_ @ sums["doubt"])
        if self.delta_ is not None:
            self.objective_ += self.delta_**2 * float(sums["noise"])
        if "counts" in sums:
            self._describe(sums)

    def _describe(self, sums: Mapping[str, Array]) -> None:
        """Take what tells how good the present clusters are."""
        self.counts_ = sums["counts"]
        self.partition_coefficient_ = float(sums["squared"]) / self.weight_sum_
        self.partition_entropy_ = float(sums["entropy"]) / self.weight_sum_
        self._measure_separation(sums)

    def _measure_separation(self, sums: Mapping[str, Array]) -> None:
        """Take what compares the distances between centres with those within clusters."""
        centers = self.cluster_centers_
        pairs = np.column_stack(np.triu_indices(len(centers), 1))
        squares = fuzzy_sums.squared_distances(centers, centers, self._norm_factors())
        squares = np.minimum(squares, squares.T)[tuple(pairs.T)]
        radii = _squared_radii(sums)[pairs].min(axis=1)
        self.coincident_ = pairs[squares <= COINCIDENT**2 * radii]
        self.xie_beni_ = self._xie_beni(sums)

    def _xie_beni(self, sums: Mapping[str, Array]) -> float:
        if len(self.cluster_centers_) < 2:
            return math.nan
        # The trace of the second moments is the spread in Euclidean distances.
        spread = sums["spread"].sum() if self.covariances_ is None else _trace(sums["second"])
        separation = float(pdist(self.cluster_centers_, "sqeuclidean").min())
        return float(spread) / self.weight_sum_ / separation if separation > 0 else math.inf

    def _move(self, sums: Mapping[str, Array], rests: bool, stops: bool) -> bool:
        """Move centres and norms, unless they have settled; return whether they have.

        They have if the objective ``rests`` and no centre would move, or if the fit ``stops``.
        """
        weight = np.maximum(sums["weight"], fuzzy_sums.TINY)[:, None]
        centers = self._centers_of(sums)
        steps = centers - self.cluster_centers_
        square = float((steps**2).sum(axis=1).max())
        mean_square = float(sums["spread"].sum() / weight.sum())
        if stops or (rests and square <= self.tol * (self.tol * mean_square)):
            return True
        self._before = self.cluster_centers_, self.covariances_
        self.cluster_centers_ = centers
        self.n_iter_ += 1
        if self.covariances_ is not None:
            products = steps[:, :, None] * steps[:, None, :]
            self._take_covariances(sums["second"] / weight[:, :, None] - products)
        return False

    def _centers_of(self, sums: Mapping[str, Array]) -> Array:
        """Return the means of the rows.

        A cluster that no sample belongs to stays where it is, or in the features that none has.
        """
        weight = np.maximum(sums["weight"], fuzzy_sums.TINY)[:, None]
        known = weight - sums.get("lacking", 0.0)
        moves = known > np.maximum(fuzzy_sums.TINY, LEAST_KNOWN * weight)
        means = sums["first"] / np.where(moves, known, 1.0)
        return np.where(moves, means, self.cluster_centers_)

    def row_means(self) -> tuple[Array, Array]:
        """Return the means of the rows of each cluster, and their weights, in the last pass.

        If rows have gaps, weights are by feature.
        """
        return self._row_means

    def _take_covariances(self, covariances: Array) -> None:
        self.covariances_, self.regularized_ = fuzzy_sums.regularized(covariances)

    def _statistics(
        self,
        X: Array,
        sample_weight: Array | None,
        sums: Sums = PLAIN,
        described: bool = False,
    ) -> Statistics:
        """Return the sums of a block by which clusters move, and those that describe them."""
        factors = self._norm_factors()
        return in_tiles(
            lambda X, weight: self._sums(X, weight, factors, sums, described),
            X,
            weight_or_ones(sample_weight, len(X)),
            TILE_ROWS,
        )

    def _sums(
        self,
        X: Array,
        weight: Array,
        factors: Array | None,
        sums: Sums,
        described: bool,
    ) -> dict[str, Array]:
        squares = fuzzy_sums.squared_distances(X, self.cluster_centers_, factors)
        u = self._memberships(squares)
        of_all = fuzzy_sums.power(u, self.m) * weight
        powers = of_all[: self.n_clusters]
        farthest = fuzzy_sums.farthest(self.cluster_centers_, factors, sums)
        found = fuzzy_sums.tile_sums(X, weight, squares, powers, farthest, sums)
        if described:
            found |= fuzzy_sums.described(weight, u, self.n_clusters, sums)
        if factors is not None:
            found["second"] = fuzzy_sums.second_moments(X, self.cluster_centers_, powers, sums)
        if self.eta_ is not None:
            doubt = fuzzy_sums.power(1 - u, self.m) * weight
            found["doubt"] = sums.total(doubt, sums.heaviest)
        if self.delta_ is not None:
            found["noise"] = sums.total(of_all[-1], sums.heaviest)
        return found

    def _memberships(self, squares: Array) -> Array:
        """Return memberships, of shape (n_clusters, n_rows); beside noise with that as last row."""
        if self.eta_ is not None:
            return fuzzy_sums.typicalities(squares, self.m, self.eta_)
        if self.delta_ is not None:
            squares = np.vstack([squares, np.full(squares.shape[1], self.delta_**2)])
        return fuzzy_sums.shares(squares, self.m)

    def _norm_factors(self) -> Array | None:
        return None if self.covariances_ is None else fuzzy_sums.norm_factors(self.covariances_)

    def _by_tile(self, X: Array, function: Callable[[Array], Array]) -> Array:
        """Return ``function(memberships)`` of each tile of rows, one after the other."""
        factors = self._norm_factors()

        def of_tile(tile: Array) -> Array:
            squares = fuzzy_sums.squared_distances(tile, self.cluster_centers_, factors)
            return function(self._memberships(squares))

        return np.concatenate(map_rows(of_tile, X, TILE_ROWS))

    def _run(self, blocks: ArrayBlocks) -> bool:
        """Pass over the blocks until the clusters have settled; return whether they have."""
        # Only the last clusters are described: for those on the way it would be half of the work.
        passes = iterate(self, blocks, self.max_iter, measure=self._statistics)
        return passes < self.max_iter

    def _begin(self, centers: Array, covariances: Array | None) -> None:
        """Set the clusters that the first pass measures; norms start out euclidean."""
        self.cluster_centers_, self.covariances_ = centers, covariances
        if self.shape == "gustafson-kessel" and covariances is None:
            self._take_covariances(np.tile(np.eye(centers.shape[1]), (len(centers), 1, 1)))
        self._before = self.cluster_centers_, self.covariances_
        self.eta_, self.delta_, self.objective_history_ = None, None, []
        self.objective_, self.weight_sum_, self.n_iter_ = math.inf, 0.0, 0


def _trace(matrices: Array) -> Array:
    return np.asarray(np.trace(matrices.sum(axis=0)))


def _squared_radii(sums: Mapping[str, Array]) -> Array:
    """Return the mean squared distance within each cluster, weighted by u^m."""
    return np.asarray(sums["spread"] / np.maximum(sums["weight"], fuzzy_sums.TINY))


def _are_equal(sums: Mapping[str, Array], n_clusters: int) -> bool:
    """Whether all memberships are nearly the same, from the mean of the sum of their squares."""
    if n_clusters == 1:
        return False
    coefficient = float(sums["squared"] / sums["total"])
    return (coefficient - 1 / n_clusters) / (1 - 1 / n_clusters) < EQUAL


def _some_rows(blocks: ArrayBlocks, random: np.random.RandomState) -> ArrayBlocks:
    """Return at most `START_ROWS` of the rows that weigh anything, drawn at random."""
    weight = blocks.sample_weight
    rows = np.arange(len(blocks.X)) if weight is None else np.flatnonzero(weight)
    if len(rows) > START_ROWS:
        rows = np.sort(random.choice(rows, START_ROWS, replace=False))
    return blocks.take(rows)
