"""k-means of series under dynamic time warping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

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
from xcluster.algorithms.parts.warping_metrics import (
    DynamicTimeWarping,
    Metric,
    SoftDynamicTimeWarping,
    check_channels,
    check_window,
    dtw,
)
from xcluster.base.checks import check_choice, check_integer, check_number
from xcluster.base.errors import BadValueError, TooFewError
from xcluster.base.memory import check_memory
from xcluster.base.parallel import n_threads, single_threaded_blas

__all__ = ["WarpingKMeans", "dtw"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class _Partition:
    """Centres, and the rows that are nearest to each."""

    centers: Array
    labels: Array
    counts: Array
    objective: float
    n_iter: int = 0


class WarpingKMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """k-means of series of one length under dynamic time warping (DTW).

    It starts by greedy k-means++ under DTW. Then each series goes to its nearest centre and each
    centre to the barycentre of its series, in turn: by DBA [1]_, or for soft-DTW [2]_ by L-BFGS
    through tslearn. The
    objective never rises: the fit ends before an iteration that would raise it.

    Parameters
    ----------
    n_clusters : int, default 8
    metric : {"dtw", "softdtw"}, default "dtw"
        "softdtw" is smooth, and much slower.
    window : int, optional
        Sakoe-Chiba radius, for "dtw" only; by default a path may go anywhere.
    gamma : float, default 1.0
        Smoothing of "softdtw", in squared units of the data.
    n_channels : int, default 1
        Number of variables: a row is that many series of equal length, one after the other,
        which are warped along one path (dependent DTW).
    init : "k-means++" or array of shape (n_clusters, n_features), default "k-means++"
        How to start; from given centres there is one start.
    n_init : int, default 1
        Number of k-means++ starts, of which the one with the least inertia is kept.
    max_iter : int, default 50
        Most iterations of one start.
    max_iter_barycenter : int, default 10
        Most iterations of a barycentre within one of these.
    tol : float, default 1e-6
        The fit, or a barycentre, is done when an iteration lowers the objective by no more than
        this share.
    random_state : int, RandomState or None, default 0

    Attributes
    ----------
    cluster_centers_ : array of shape (n_clusters, n_features), float64
    labels_ : array of shape (n_samples,), int32
        Cluster of each row given to `fit`.
    inertia_ : float
        Weighted sum, over the rows, of the squared DTW distance (or soft-DTW value) to the
        nearest centre.
    counts_ : array of shape (n_clusters,), float64
        Sum of the sample weights of each cluster.
    n_iter_ : int
        Iterations of the best start.
    origin_ : array of shape (n_features,)
    unit_ : float
        "softdtw" only: median of each channel and spread of the rows given to `fit`, in which
        series are compared; `gamma` and `inertia_` are in units of the data.

    Notes
    -----
    A cluster without rows (or weight) starts again from the row farthest from its centre.

    The paths of DBA are traced in 256 times the squared length of a series in bytes, for each
    thread: 64 MB for 500 points.

    References
    ----------
    .. [1] F. Petitjean, A. Ketterlin and P. Gancarski, "A global averaging method for dynamic
       time warping, with applications to clustering", Pattern Recognition 44 (2011), 678-693.
    .. [2] M. Cuturi and M. Blondel, "Soft-DTW: a differentiable loss function for time-series",
       ICML 2017, 894-903.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0, 1, 0, 0, 0], [0, 0, 0, 1, 0], [5, 5, 5, 5, 6], [5, 6, 6, 6, 6]])
    >>> fit = WarpingKMeans(2).fit(X)
    >>> float(fit.inertia_)
    0.0
    >>> fit.predict(X) == fit.labels_
    array([ True,  True,  True,  True])
    """

    reads_order_of: tuple[str, ...] = ("features",)
    centers_are_prototypes = True
    origin_: Any = 0.0  # as files of 0.1.0 have it
    unit_: float = 1.0

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        metric: str = "dtw",
        window: int | None = None,
        gamma: float = 1.0,
        n_channels: int = 1,
        init: Any = "k-means++",
        n_init: int = 1,
        max_iter: int = 50,
        max_iter_barycenter: int = 10,
        tol: float = 1e-6,
        random_state: Any = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.metric = metric
        self.window = window
        self.gamma = gamma
        self.n_channels = n_channels
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.max_iter_barycenter = max_iter_barycenter
        self.tol = tol
        self.random_state = random_state

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
            ``n_channels``, and where DTW tells fewer than ``n_clusters`` rows apart.
        """
        X = validate_data(self, X, dtype=np.float64, order="C")
        weight = weight_or_ones(check_weight(sample_weight, X), len(X))
        self._check_parameters(*X.shape)
        self.check_memory(*X.shape)
        if self.metric == "softdtw":
            metric = SoftDynamicTimeWarping.of(X, weight, self.gamma, self.n_channels)
            self.origin_, self.unit_ = metric.origin, metric.unit
        with single_threaded_blas():
            self._fit(X, weight)
        return self

    def _fit(self, X: Array, weight: Array) -> None:
        runs = [self._run(X, weight, start) for start in self._starts(X, weight)]
        best = min(runs, key=lambda run: run.objective)
        self.cluster_centers_, self.labels_ = best.centers, best.labels.astype(np.int32)
        self.inertia_, self.counts_, self.n_iter_ = best.objective, best.counts, best.n_iter

    def predict(self, X: Any) -> Array:
        """Return the cluster of each row, of shape (n_samples,), int32."""
        labels: Array = self._costs(X).argmin(axis=1).astype(np.int32)
        return labels

    def transform(self, X: Any) -> Array:
        """Return DTW distances (or soft-DTW values), of shape (n_samples, n_clusters)."""
        return self._metric().distances(self._costs(X))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return minus what `inertia_` would be for these rows."""
        nearest = self._costs(X).min(axis=1)
        return -float(weight_or_ones(check_weight(sample_weight, X), len(nearest)) @ nearest)

    def _costs(self, X: Any) -> Array:
        X = new_rows(self, X, np.float64, order="C")
        return self._metric().costs(X, self.cluster_centers_)

    def _metric(self) -> Metric:
        if self.metric == "softdtw":
            return SoftDynamicTimeWarping(self.gamma, self.n_channels, self.origin_, self.unit_)
        return DynamicTimeWarping(self.n_channels, self.window, self.tol)

    def _starts(self, X: Array, weight: Array) -> list[Array]:
        if not isinstance(self.init, str):
            return [np.array(self.init, dtype=np.float64)]
        random = check_random_state(self.random_state)
        return [self._start(X, weight, random) for _ in range(self.n_init)]

    def _start(self, X: Array, weight: Array, random: np.random.RandomState) -> Array:
        """Draw rows far apart by greedy k-means++.

        Both metrics start under DTW: soft-DTW values may be negative, and cannot be weights.
        """
        metric = DynamicTimeWarping(self.n_channels, self.window)
        chosen = _draw(weight, 1, random)
        nearest = metric.costs(X, X[chosen])[:, 0]
        for found in range(1, self.n_clusters):
            potential = weight * nearest
            if not potential.any():
                raise self._too_many(f"{found} rows that differ")
            candidates = _draw(potential, 2 + int(np.log(self.n_clusters)), random)
            trials = np.minimum(metric.costs(X, X[candidates]), nearest[:, None])
            best = np.argmin(weight @ trials)
            chosen = np.append(chosen, candidates[best])
            nearest = trials[:, best]
        return X[chosen]

    def _run(self, X: Array, weight: Array, start: Array) -> _Partition:
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

    def _update(self, X: Array, weight: Array, partition: _Partition) -> Array:
        members = [
            np.flatnonzero((partition.labels == k) & (weight > 0)) for k in range(self.n_clusters)
        ]
        return self._metric().barycentres(
            X, weight, members, partition.centers, self.max_iter_barycenter
        )

    def _assign(self, X: Array, weight: Array, centers: Array, n_iter: int = 0) -> _Partition:
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
        return _Partition(centers, labels, counts, float(weight @ nearest), n_iter)

    def _reseed(self, X: Array, weight: Array, centers: Array, costs: Array, empty: int) -> None:
        """Move the centre of an empty cluster, in place, to the row farthest from its own."""
        nearest = np.where(weight > 0, costs.min(axis=1), -np.inf)
        row = np.argmax(nearest)
        column = self._metric().costs(X, X[[row]])[:, 0]
        if column[row] >= nearest[row]:
            raise self._too_many("fewer rows that differ")
        centers[empty], costs[:, empty] = X[row], column

    def _check_parameters(self, n_samples: int, n_features: int) -> None:
        for name in ("n_clusters", "n_init", "max_iter", "max_iter_barycenter"):
            check_integer(name, getattr(self, name), minimum=1)
        check_number("tol", self.tol, minimum=0)
        check_number("gamma", self.gamma, above=0)
        check_choice("metric", self.metric, ("dtw", "softdtw"))
        check_channels(n_features, self.n_channels)
        self._check_window()
        check_init(self.init, (self.n_clusters, n_features))
        if self.n_clusters > n_samples:
            raise self._too_many(f"n_samples={n_samples} rows")

    def check_memory(self, n_samples: int, n_features: int) -> None:
        """Refuse series so long that their paths do not fit in memory."""
        length = n_features // self.n_channels
        if self.metric == "dtw":
            what = f"paths of {length:,} x {length:,} points in {n_threads()} threads"
            needed = 256.0 * n_threads() * length**2
            remedy = "take every few points of the series, or use fewer threads"
            check_memory("metric", self.metric, needed, what, remedy)

    def _check_window(self) -> None:
        if check_window(self.window) is not None and self.metric == "softdtw":
            rule = "limits paths under metric='dtw' only"
            raise BadValueError("window", self.window, rule, "leave it out")

    def _too_many(self, available: str) -> TooFewError:
        rule = f"must be at most the number of rows that DTW tells apart, and there are {available}"
        return TooFewError("n_clusters", self.n_clusters, rule, "ask for fewer clusters")

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)


def _draw(potential: Array, size: int, random: np.random.RandomState) -> Array:
    """Return positions of rows, drawn in proportion to the potential."""
    edges = np.cumsum(potential)
    drawn = np.searchsorted(edges, random.uniform(size=size) * edges[-1], side="right")
    positions: Array = np.minimum(drawn, len(edges) - 1)
    return positions
