"""k-means of series under dynamic time warping."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from xcluster.algorithms.parts.series import Metric, SeriesKMeans
from xcluster.algorithms.parts.warping_metrics import (
    DynamicTimeWarping,
    SoftDynamicTimeWarping,
    check_window,
    dtw,
)
from xcluster.base.checks import check_choice, check_integer, check_number
from xcluster.base.errors import BadValueError
from xcluster.base.memory import check_memory
from xcluster.base.parallel import n_threads

__all__ = ["WarpingKMeans", "dtw"]

Array = NDArray[Any]


class WarpingKMeans(SeriesKMeans):
    """k-means of series of one length under dynamic time warping (DTW).

    It starts by greedy k-means++ under DTW. Then each series goes to its nearest centre and each
    centre to the barycentre of its series, in turn: by DBA [1]_, or for soft-DTW [2]_ by L-BFGS
    through tslearn. The objective never rises: the fit ends before an iteration that would raise
    it.

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

    metric_name = "DTW"
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

    def check_memory(self, n_samples: int, n_features: int) -> None:
        """Refuse series so long that their paths do not fit in memory."""
        length = n_features // self.n_channels
        if self.metric == "dtw":
            what = f"paths of {length:,} x {length:,} points in {n_threads()} threads"
            needed = 256.0 * n_threads() * length**2
            remedy = "take every few points of the series, or use fewer threads"
            check_memory("metric", self.metric, needed, what, remedy)

    def _fit(self, X: Array, weight: Array) -> None:
        if self.metric == "softdtw":
            metric = SoftDynamicTimeWarping.of(X, weight, self.gamma, self.n_channels)
            self.origin_, self.unit_ = metric.origin, metric.unit
        super()._fit(X, weight)

    def _metric(self) -> Metric:
        if self.metric == "softdtw":
            return SoftDynamicTimeWarping(self.gamma, self.n_channels, self.origin_, self.unit_)
        return DynamicTimeWarping(self.n_channels, self.window, self.tol)

    def _metric_of_starts(self) -> Metric:
        """Return DTW for both metrics: soft-DTW values may be negative, and cannot be weights."""
        return DynamicTimeWarping(self.n_channels, self.window)

    def _check_parameters(self, n_samples: int, n_features: int) -> None:
        check_integer("max_iter_barycenter", self.max_iter_barycenter, minimum=1)
        check_number("gamma", self.gamma, above=0)
        check_choice("metric", self.metric, ("dtw", "softdtw"))
        super()._check_parameters(n_samples, n_features)
        if check_window(self.window) is not None and self.metric == "softdtw":
            rule = "limits paths under metric='dtw' only"
            raise BadValueError("window", self.window, rule, "leave it out")
