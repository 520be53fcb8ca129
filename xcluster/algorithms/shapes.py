"""k-means of series that may be shifted: k-Shape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.inputs import new_rows
from xcluster.algorithms.parts.series import SeriesKMeans
from xcluster.algorithms.parts.shape_metrics import ShapeBased
from xcluster.base.checks import check_choice

Array = NDArray[Any]


class ShapeKMeans(SeriesKMeans):
    """k-means of series of one length by their shape, at any shift (k-Shape [1]_).

    The shape of a series is what is left without its mean and its size. The distance of two is 1
    less their largest correlation at any shift, where zeros stand for what lies beyond the ends.
    The centre of a cluster is the shape that is most like those of its members, each moved to
    where it fits the last centre best: the first eigenvector of their sums of products. It starts
    by greedy k-means++.

    Parameters
    ----------
    n_clusters : int, default 8
    metric : {"sbd"}, default "sbd"
        The shape-based distance.
    n_channels : int, default 1
        Number of variables: a row is that many series of equal length, one after the other. Each
        has a shape of its own, all count the same, and they are shifted together.
    init : "k-means++" or array of shape (n_clusters, n_features), default "k-means++"
        How to start; from given centres there is one start.
    n_init : int, default 3
        Number of k-means++ starts, of which the one with the least inertia is kept.
    max_iter : int, default 100
        Most iterations of one start.
    tol : float, default 1e-6
        The fit is done when an iteration lowers the objective by no more than this share.
    random_state : int, RandomState or None, default 0

    Attributes
    ----------
    cluster_centers_ : array of shape (n_clusters, n_features), float64
        Shapes, with the mean level and the mean standard deviation of their series, so that they
        can be drawn beside them.
    labels_ : array of shape (n_samples,), int32
        Cluster of each row given to `fit`.
    inertia_ : float
        Weighted sum, over the rows, of the squared distance to the nearest centre.
    counts_ : array of shape (n_clusters,), float64
        Sum of the sample weights of each cluster.
    n_iter_ : int
        Iterations of the best start.

    Notes
    -----
    A shape has a sign: a series and its negative are far apart. A centre's sign is that of its
    members. Rows whose channels are all constant have no shape; they lie at distance 1 from
    every centre.

    References
    ----------
    .. [1] J. Paparrizos and L. Gravano, "k-Shape: efficient and accurate clustering of time
       series", SIGMOD 2015, 1855-1870.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0, 1, 0, 0, 0], [0, 0, 0, 2, 0], [0, 1, 1, 1, 0], [5, 5, 7, 7, 7]])
    >>> fit = ShapeKMeans(2).fit(X)
    >>> fit.predict(X) == fit.labels_
    array([ True,  True,  True,  True])
    >>> first, second = fit.shifts(X[:2])
    >>> int(second - first)
    2
    """

    metric_name = "SBD"

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        metric: str = "sbd",
        n_channels: int = 1,
        init: Any = "k-means++",
        n_init: int = 3,
        max_iter: int = 100,
        tol: float = 1e-6,
        random_state: Any = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.metric = metric
        self.n_channels = n_channels
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def shifts(self, X: Any) -> Array:
        """Return by how many points each row lies behind its nearest centre, (n_samples,), int."""
        X = new_rows(self, X, np.float64, order="C")
        away, shifts = self._metric().compared(X, self.cluster_centers_)
        return np.asarray(shifts[np.arange(len(X)), (away**2).argmin(axis=1)])

    def _check_parameters(self, n_samples: int, n_features: int) -> None:
        check_choice("metric", self.metric, ("sbd",))
        super()._check_parameters(n_samples, n_features)

    def _metric(self) -> ShapeBased:
        return ShapeBased(self.n_channels)
