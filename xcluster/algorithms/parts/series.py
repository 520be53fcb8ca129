"""k-means of series of one length, under a metric that has centres of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from xcluster.algorithms.parts.inputs import check_init, check_weight, new_rows, weight_or_ones
from xcluster.algorithms.parts.seeding import draw_rows
from xcluster.base.checks import check_integer, check_number
from xcluster.base.errors import BadValueError, TooFewError
from xcluster.base.parallel import single_threaded_blas

Array = NDArray[Any]


class Metric(Protocol):
    """What k-means needs to know of a way to compare series."""

    def costs(self, X: Array, centers: Array) -> Array:
        """Return what `inertia_` sums, of shape (n_samples, n_clusters)."""
        ...

    def distances(self, costs: Array) -> Array:
        """Return costs as what users read as distances."""
        ...

    def barycentres(
        self, X: Array, weight: Array, members: list[Array], centers: Array, max_iter: int
    ) -> Array:
        """Return each centre moved towards the barycentre of its members."""
        ...


@dataclass(frozen=True, eq=False)
class Partition:
    """Centres, and the rows that are nearest to each."""

    centers: Array
    labels: Array
    counts: Array
    objective: float
    n_iter: int = 0


class SeriesKMeans(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator, ABC
):
    """k-means of series: greedy k-means++, then labels and centres in turn.

    The objective never rises: the fit ends before an iteration that would raise it. A cluster
    without rows (or weight) starts again from the row farthest from its centre.
    """

    reads_order_of: tuple[str, ...] = ("features",)
    centers_are_prototypes = True
    metric_name: str
    """What messages call the metric."""
    n_clusters: int
    n_channels: int
    init: Any
    n_init: int
    max_iter: int
    max_iter_barycenter: int = 1
    tol: float
    random_state: Any

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Find the centres.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Each row is one series, or ``n_channels`` of them, one after the other.
        y : None
            Ignored.
        sample_weight : array of shape (n_samples,), optional
            Not negative; a row of weight zero gets a label and moves no centre.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters out of range, series shorter than 2, rows that cannot be cut into
            ``n_channels``, and where the metric tells fewer than ``n_clusters`` rows apart.
        """
        X = validate_data(self, X, dtype=np.float64, order="C")
        weight = weight_or_ones(check_weight(sample_weight, X), len(X))
        self._check_parameters(*X.shape)
        self.check_memory(*X.shape)
        with single_threaded_blas():
            self._fit(X, weight)
        return self

    def predict(self, X: Any) -> Array:
        """Return the cluster of each row, of shape (n_samples,), int32."""
        labels: Array = self._costs(X).argmin(axis=1).astype(np.int32)
        return labels

    def transform(self, X: Any) -> Array:
        """Return the distance of each row to each centre, of shape (n_samples, n_clusters)."""
        return self._metric().distances(self._costs(X))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return minus what `inertia_` would be for these rows."""
        nearest = self._costs(X).min(axis=1)
        return -float(weight_or_ones(check_weight(sample_weight, X), len(nearest)) @ nearest)

    def check_memory(self, n_samples: int, n_features: int) -> None:
        """Refuse series so long that what the metric needs does not fit in memory."""

    @abstractmethod
    def _metric(self) -> Metric:
        """Return how series are compared."""

    def _metric_of_starts(self) -> Metric:
        """Return how series are compared where starts are drawn: with costs of at least 0."""
        return self._metric()

    def _fit(self, X: Array, weight: Array) -> None:
        runs = [self._run(X, weight, start) for start in self._starts(X, weight)]
        best = min(runs, key=lambda run: run.objective)
        self.cluster_centers_, self.labels_ = best.centers, best.labels.astype(np.int32)
        self.inertia_, self.counts_, self.n_iter_ = best.objective, best.counts, best.n_iter

    def _costs(self, X: Any) -> Array:
        X = new_rows(self, X, np.float64, order="C")
        return self._metric().costs(X, self.cluster_centers_)

    def _starts(self, X: Array, weight: Array) -> list[Array]:
        if not isinstance(self.init, str):
            return [np.array(self.init, dtype=np.float64)]
        random = check_random_state(self.random_state)
        return [self._start(X, weight, random) for _ in range(self.n_init)]

    def _start(self, X: Array, weight: Array, random: np.random.RandomState) -> Array:
        """Draw rows far apart by greedy k-means++."""
        metric = self._metric_of_starts()
        chosen = draw_rows(weight, 1, random)
        nearest = metric.costs(X, X[chosen])[:, 0]
        for found in range(1, self.n_clusters):
            potential = weight * nearest
            if not potential.any():
                raise self._too_many(f"{found} rows that differ")
            candidates = draw_rows(potential, 2 + int(np.log(self.n_clusters)), random)
            trials = np.minimum(metric.costs(X, X[candidates]), nearest[:, None])
            best = np.argmin(weight @ trials)
            chosen = np.append(chosen, candidates[best])
            nearest = trials[:, best]
        return X[chosen]

    def _run(self, X: Array, weight: Array, start: Array) -> Partition:
        """Iterate from one start for as long as the objective falls."""
        best = self._assign(X, weight, start)
        for n_iter in range(1, self.max_iter + 1):
            following = self._assign(X, weight, self._update(X, weight, best), n_iter)
            gain = best.objective - following.objective
            if gain >= 0:
                best = following
            if gain <= self.tol * abs(best.objective):
                break
        return best

    def _update(self, X: Array, weight: Array, partition: Partition) -> Array:
        members = [
            np.flatnonzero((partition.labels == k) & (weight > 0)) for k in range(self.n_clusters)
        ]
        return self._metric().barycentres(
            X, weight, members, partition.centers, self.max_iter_barycenter
        )

    def _assign(self, X: Array, weight: Array, centers: Array, n_iter: int = 0) -> Partition:
        """Find the nearest centre of each row; give empty clusters another centre."""
        centers = centers.copy()
        costs = self._metric().costs(X, centers)
        for _ in range(self.n_clusters):
            counts = np.bincount(costs.argmin(axis=1), weight, minlength=self.n_clusters)
            if counts.all():
                break
            self._reseed(X, weight, centers, costs, int(np.argmin(counts)))
        labels, nearest = costs.argmin(axis=1), costs.min(axis=1)
        counts = np.bincount(labels, weight, minlength=self.n_clusters)
        return Partition(centers, labels, counts, float(weight @ nearest), n_iter)

    def _reseed(self, X: Array, weight: Array, centers: Array, costs: Array, empty: int) -> None:
        """Move the centre of an empty cluster, in place, to the row farthest from its own."""
        nearest = np.where(weight > 0, costs.min(axis=1), -np.inf)
        row = np.argmax(nearest)
        column = self._metric().costs(X, X[[row]])[:, 0]
        if column[row] >= nearest[row]:
            raise self._too_many("fewer rows that differ")
        centers[empty], costs[:, empty] = X[row], column

    def _check_parameters(self, n_samples: int, n_features: int) -> None:
        for name in ("n_clusters", "n_init", "max_iter"):
            check_integer(name, getattr(self, name), minimum=1)
        check_number("tol", self.tol, minimum=0)
        check_channels(n_features, self.n_channels)
        check_init(self.init, (self.n_clusters, n_features))
        if self.n_clusters > n_samples:
            raise self._too_many(f"n_samples={n_samples} rows")

    def _too_many(self, available: str) -> TooFewError:
        tells = f"must be at most the number of rows that {self.metric_name} tells apart"
        rule = f"{tells}, and there are {available}"
        return TooFewError("n_clusters", self.n_clusters, rule, "ask for fewer clusters")

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)


def check_channels(n_features: int, n_channels: Any) -> None:
    """Refuse rows that are not ``n_channels`` series of at least 2 points."""
    check_integer("n_channels", n_channels, minimum=1)
    if n_features % n_channels:
        rule = f"must divide the number of features, and there are {n_features}"
        remedy = "give every variable the same number of points"
        raise BadValueError("n_channels", n_channels, rule, remedy)
    if n_features < 2 * n_channels:
        rule = f"must be at least 2 for each of n_channels={n_channels} to be compared as a series"
        raise BadValueError("n_features", n_features, rule, "pass longer series")
