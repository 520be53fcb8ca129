"""k-medoids: each label has one of its own rows as centre, under any metric."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from xcluster.algorithms.parts.directions import away, compares_directions
from xcluster.algorithms.parts.dissimilarities import OF_SERIES, Dissimilarity, check_metric
from xcluster.algorithms.parts.distinct import Distinct, check_distinct
from xcluster.algorithms.parts.inputs import FLOATS, check_weight, new_rows, weight_or_ones
from xcluster.algorithms.parts.nearest import check_distances
from xcluster.algorithms.parts.ordering import value_order
from xcluster.algorithms.parts.seeding import draw_rows
from xcluster.algorithms.parts.series import check_channels
from xcluster.algorithms.parts.warping_metrics import check_window
from xcluster.base.checks import check_integer, is_one_of, is_text
from xcluster.base.errors import BadValueError, TooFewError
from xcluster.base.memory import check_memory
from xcluster.base.parallel import map_rows, map_threads
from xcluster.base.streaming import BLOCK_ROWS

Array = NDArray[Any]
AnyKMedoids = TypeVar("AnyKMedoids", bound="KMedoids")

MAX_EXACT, MAX_EXACT_CALLED = 20_000, 2_000
"""Different rows up to which all distances are computed: 1.6 GB; fewer by a slow function."""

SAMPLES, SAMPLE_ROWS, SAMPLE_CALLED = 5, 8_192, 512
"""Samples of CLARA, and how many rows are in each."""

START_ROWS, CONTINUED = 4_096, 3
"""Rows among which searches start, and how many of the best are continued among all."""


@dataclass(frozen=True, eq=False)
class _Sample:
    """Some of the different rows, and their distances to each other.

    Parameters
    ----------
    rows : int array of shape (n,)
    weight : array of shape (n,)
    distances : float32 array of shape (n, n)
    """

    rows: Array
    weight: Array
    distances: Array

    def first(self, n: int) -> _Sample:
        """Return the first rows, which are as good as any: they are in random order."""
        if len(self.rows) <= n:
            return self
        distances = np.ascontiguousarray(self.distances[:n, :n])
        return _Sample(self.rows[:n], self.weight[:n], distances)

    def improve(self, medoids: Array, max_iter: int) -> tuple[float, int]:
        """Exchange medoids, in place; return their loss and the number of passes."""
        from xcluster.algorithms.kernels.medoids import swap

        return swap(self.distances, self.weight, medoids, max_iter)


class KMedoids(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """k-medoids by FasterPAM, of many rows by FasterCLARA [1]_.

    Medoids are rows, chosen so that the weighted sum of the distances from all rows to their
    nearest medoid is small. From each start, medoids are exchanged with other rows as long as an
    exchange lowers this sum. This needs the distances between all different rows. Of more than
    ``max_exact`` rows, five samples of 8,192 are searched, and the medoids that suit all rows best
    are kept.

    Parameters
    ----------
    n_clusters : int, default 8
    metric : str or callable, default "euclidean"
        "euclidean", "sqeuclidean", "cityblock", "chebyshev", "canberra", "braycurtis", "hamming",
        "haversine", "cosine" or "correlation" (as in scikit-learn); "dtw" or "sbd"; or a function
        of two rows that returns their distance: symmetric, from 0 on, 0 for a row and itself.
    window : int, optional
        Sakoe-Chiba radius, for "dtw" only; by default a path may go anywhere.
    n_channels : int, default 1
        For "dtw" and "sbd": a row is that many series of equal length, one after the other.
    n_init : int, default 8
        Number of starts from rows far apart, each among at most 4,096 rows; the best three are
        continued among all.
    max_iter : int, default 100
        Most passes over all rows of one start.
    max_exact : int, optional
        Default: 20,000, or 2,000 for a function.
    random_state : int, RandomState or None, default 0

    Attributes
    ----------
    cluster_centers_ : array of shape (n_clusters, n_features)
        The medoids, in the order of their values.
    medoid_indices_ : int array of shape (n_clusters,)
        Which rows of the fit they are: of equal ones the first.
    labels_ : array of shape (n_samples,), int32
    loss_ : float
        Weighted sum of the distances of all rows to their nearest medoid.
    counts_ : array of shape (n_clusters,), float64
        Sum of the sample weights of each cluster.
    n_iter_ : int
        Passes of the search that ended.
    exact_ : bool
        Whether all rows were searched.
    n_features_in_ : int

    Notes
    -----
    Equal rows are one row with the sum of their weights. Distances are kept in single precision,
    in a power of two of their own unit, and added in double precision.

    References
    ----------
    .. [1] E. Schubert and P. J. Rousseeuw, "Fast and eager k-medoids clustering: O(k) runtime
       improvement of the PAM, CLARA, and CLARANS algorithms", Information Systems 101 (2021),
       101804.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0], [1.0], [2.5], [9.0], [10.0], [40.0]])
    >>> fit = KMedoids(2, metric="cityblock").fit(X)
    >>> fit.cluster_centers_.ravel(), float(fit.loss_)
    (array([ 2.5, 40. ]), 18.0)
    >>> fit.predict([[30.0]])
    array([1], dtype=int32)
    """

    sweeps_by = "sharing"

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        metric: Any = "euclidean",
        window: int | None = None,
        n_channels: int = 1,
        n_init: int = 8,
        max_iter: int = 100,
        max_exact: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.metric = metric
        self.window = window
        self.n_channels = n_channels
        self.n_init = n_init
        self.max_iter = max_iter
        self.max_exact = max_exact
        self.random_state = random_state

    @property
    def reads_order_of(self) -> tuple[str, ...]:
        """What the metric reads from the order of features; a function's is read elsewhere."""
        if is_text(self.metric, "haversine"):
            return ("variables", "features")
        return ("features",) if is_one_of(self.metric, OF_SERIES) else ()

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Find the medoids.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        y : None
            Ignored.
        sample_weight : array of shape (n_samples,), optional
            Not negative; a row of weight zero gets a label and is no medoid.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters out of range, rows for which the metric is not defined, a function that
            is no metric, distances that do not fit in memory, and where the metric tells fewer than
            ``n_clusters`` rows apart.
        """
        return next(_Search.of(self, X, sample_weight, self.n_clusters).each([self]))

    def fit_each(self, X: Any, ks: Sequence[int], sample_weight: Any = None) -> Iterator[Self]:
        """Yield a fit for each number of clusters; distances are computed once for all.

        Parameters
        ----------
        X, sample_weight
            As for `fit`.
        ks : sequence of int
        """
        unfitted = [clone(self).set_params(n_clusters=k) for k in ks]
        yield from _Search.of(unfitted[-1], X, sample_weight, min(ks)).each(unfitted)

    def predict(self, X: Any) -> Array:
        """Return the cluster of the nearest medoid of each row, of shape (n_samples,), int32."""
        return self._of_blocks(_first, new_rows(self, X))

    def transform(self, X: Any) -> Array:
        """Return distances to the medoids, (n_samples, n_clusters); angles for "cosine"."""
        X = new_rows(self, X)
        if compares_directions(self.metric):
            measure = self.measure
            check_distances(self.metric, X)
            return away(measure.placed(X), measure.placed(self.cluster_centers_), self.metric)
        return self._of_blocks(np.asarray, X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return minus what `loss_` would be for these rows."""
        nearest = self._of_blocks(_least, new_rows(self, X))
        return -float(weight_or_ones(check_weight(sample_weight, X), len(nearest)) @ nearest)

    def medoid_silhouette(self, X: Any, sample_weight: Any = None) -> float:
        """Return the weighted mean of 1 - a / b, from -1 to 1; more is better.

        a and b are the distances of a row to the nearest and to the second nearest medoid. It is 0
        where both are 0.

        References
        ----------
        L. Lenssen and E. Schubert, "Medoid silhouette clustering with automatic cluster number
        selection", Information Systems 120 (2024), 102290.
        """
        if len(self.cluster_centers_) < 2:
            raise TooFewError("n_clusters", 1, "a silhouette needs two medoids", "ask for more")
        values = self._of_blocks(_silhouettes, new_rows(self, X))
        weight = weight_or_ones(check_weight(sample_weight, X), len(values))
        return float(weight @ values / weight.sum())

    @property
    def measure(self) -> Dissimilarity:
        """How rows are compared."""
        return Dissimilarity(self.metric, self.window, self.n_channels)

    def _of_blocks(self, function: Callable[[Array], Array], X: Array) -> Array:
        """Return a function of the distances of blocks of rows to the medoids."""
        check_distances(self.metric, X)
        measure = self.measure
        medoids = measure.placed(self.cluster_centers_)

        def of_block(rows: Array) -> Array:
            return function(measure.between(measure.placed(rows), medoids))

        return np.concatenate(map_rows(of_block, X, BLOCK_ROWS))

    def check_parameters(self, n_features: int) -> None:
        """Refuse parameters out of range."""
        for name in ("n_clusters", "n_init", "max_iter"):
            check_integer(name, getattr(self, name), minimum=1)
        check_metric(self.metric)
        window = check_window(self.window)
        if is_one_of(self.metric, OF_SERIES):
            check_channels(n_features, self.n_channels)
        if window is not None and not is_text(self.metric, "dtw"):
            rule = "limits paths under metric='dtw' only"
            raise BadValueError("window", self.window, rule, "leave it out")

    def check_memory(self, n_samples: int, n_features: int) -> None:
        """Refuse so many rows that the distances between them do not fit in memory."""
        exact = n_samples <= self.most_exact
        n, times = (n_samples, 1) if exact else (self.sample_rows, SAMPLES)
        what = f"the distances between {n:,} samples"
        remedy = f"pass max_exact={max(n // 4, 2)}, so that only samples of so many are searched"
        check_memory("max_exact", self.most_exact, 4.0 * times * n**2, what, remedy)

    @property
    def most_exact(self) -> int:
        """The most different rows of which all are searched."""
        if self.max_exact is None:
            return MAX_EXACT_CALLED if callable(self.metric) else MAX_EXACT
        return check_integer("max_exact", self.max_exact, minimum=2)

    @property
    def sample_rows(self) -> int:
        """How many rows are in each sample of more; at least as many as CLARA takes."""
        rows = SAMPLE_CALLED if callable(self.metric) else SAMPLE_ROWS
        return max(min(rows, self.most_exact), 80 + 4 * self.n_clusters)

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)


def _first(distances: Array) -> Array:
    labels: Array = distances.argmin(axis=1).astype(np.int32)
    return labels


def _least(distances: Array) -> Array:
    return np.asarray(distances.min(axis=1))


def _nearest(distances: Array) -> Array:
    """Return the label of each row and its distance to that medoid, in two columns."""
    return np.column_stack([distances.argmin(axis=1), distances.min(axis=1)])


def _silhouettes(distances: Array) -> Array:
    a, b = np.partition(distances, 1, axis=1)[:, :2].T
    return np.where(b > 0, 1 - a / np.where(b > 0, b, 1.0), 0.0)


@dataclass(frozen=True, eq=False)
class _Search:
    """Rows with all distances that a search among them needs, for any number of medoids.

    Parameters
    ----------
    X : array of shape (n, n_features)
    weight : array of shape (n,)
    distinct : Distinct
        The different rows of positive weight, in random order: eager exchanges of rows in order of
        their values would creep along.
    samples
        One sample of all of them, or several of some.
    exact : bool
        Whether it is one of all.
    seed : int
        Of the starts.
    """

    X: Array
    weight: Array
    distinct: Distinct
    samples: list[_Sample]
    exact: bool
    seed: int

    @classmethod
    def of(cls, estimator: KMedoids, X: Any, sample_weight: Any, least: int) -> _Search:
        """Return a search with the parameters of an estimator; ``least`` is the smallest k."""
        X = validate_data(estimator, X, dtype=FLOATS, order="C")
        weight = weight_or_ones(check_weight(sample_weight, X), len(X))
        estimator.check_parameters(X.shape[1])
        check_distances(estimator.metric, X)
        check_distinct("n_clusters", least, X, weight)
        estimator.measure.check_rows(X)
        random = check_random_state(estimator.random_state)
        distinct = Distinct.of(X, weight).shuffled(random)
        n = len(distinct.rows)
        estimator.check_memory(n, X.shape[1])
        exact = n <= estimator.most_exact
        some = [(np.arange(n), distinct.weight)]
        if not exact:
            size = estimator.sample_rows
            some = [_spread(distinct.weight, size, random) for _ in range(SAMPLES)]
        placed = estimator.measure.placed
        samples = [
            _Sample(rows, w, estimator.measure.matrix(placed(X[distinct.rows[rows]])))
            for rows, w in some
        ]
        return cls(X, weight, distinct, samples, exact, int(random.randint(2**31)))

    def each(self, estimators: Sequence[AnyKMedoids]) -> Iterator[AnyKMedoids]:
        """Yield the estimators, fitted."""
        for estimator in estimators:
            estimator.n_features_in_ = self.X.shape[1]
            check_distinct("n_clusters", estimator.n_clusters, self.X, self.weight)
            self._fit(estimator)
            yield estimator

    def _fit(self, estimator: KMedoids) -> None:
        found = [self._searched(sample, estimator) for sample in self.samples]
        losses = [self._conclude(estimator, rows) for rows, _ in found]
        best = losses.index(min(losses))
        rows, estimator.n_iter_ = found[best]
        if best < len(found) - 1:  # the last one stands
            self._conclude(estimator, rows)
        estimator.exact_ = self.exact

    def _searched(self, sample: _Sample, estimator: KMedoids) -> tuple[Array, int]:
        """Return the best medoids among the rows of a sample, and the number of passes."""
        k, max_iter = estimator.n_clusters, estimator.max_iter
        few = sample.first(max(START_ROWS, 80 + 4 * k))
        start = partial(_from_start, few, k, max_iter)
        seeds = [np.random.RandomState([self.seed, i]) for i in range(estimator.n_init)]
        found = map_threads(start, seeds)
        if few is not sample:
            best = sorted(found, key=lambda each: each[0])[:CONTINUED]
            starts = [medoids for _, _, medoids in best]
            found = map_threads(lambda each: (*sample.improve(each, max_iter), each), starts)
        _, passes, medoids = min(found, key=lambda each: each[0])
        return self.distinct.rows[sample.rows[medoids]], passes

    def _conclude(self, estimator: KMedoids, rows: Array) -> float:
        """Set what follows from these rows as medoids; return the loss of all rows."""
        rows = rows[value_order([*self.X[rows].T])]
        estimator.medoid_indices_, estimator.cluster_centers_ = rows, self.X[rows]
        labels, nearest = estimator._of_blocks(_nearest, self.X).T
        estimator.labels_ = labels.astype(np.int32)
        estimator.loss_ = float(self.weight @ np.ascontiguousarray(nearest))
        estimator.counts_ = np.bincount(estimator.labels_, self.weight, estimator.n_clusters)
        return float(estimator.loss_)


def _from_start(
    sample: _Sample, k: int, max_iter: int, random: np.random.RandomState
) -> tuple[float, int, Array]:
    """Return the loss among the rows of a sample, the number of passes, and the medoids."""
    medoids = _far_apart(sample, k, random)
    return *sample.improve(medoids, max_iter), medoids


def _spread(weight: Array, size: int, random: np.random.RandomState) -> tuple[Array, Array]:
    """Draw rows in proportion to their weight, evenly spaced; return them and how often each."""
    edges = np.cumsum(weight)
    steps = (np.arange(size) + random.uniform()) / size
    drawn = np.searchsorted(edges, steps * edges[-1], side="right")
    rows, times = np.unique(np.minimum(drawn, len(edges) - 1), return_counts=True)
    return rows, times.astype(np.float64)


def _far_apart(sample: _Sample, k: int, random: np.random.RandomState) -> Array:
    """Draw rows by distance to those drawn so far, each the best of a few (greedy k-means++)."""
    chosen = draw_rows(sample.weight, 1, random)
    nearest = sample.distances[chosen[0]]
    for found in range(1, k):
        potential = sample.weight * nearest
        if not potential.any():
            rule = "must be at most the number of rows that the metric tells apart, and there are "
            raise TooFewError("n_clusters", k, rule + f"{found}", "ask for fewer clusters")
        candidates = draw_rows(potential, 2 + int(np.log(k)), random)
        trials = np.minimum(sample.distances[candidates], nearest)
        best = np.argmin((trials * sample.weight).sum(axis=1))
        chosen = np.append(chosen, candidates[best])
        nearest = trials[best]
    return chosen
