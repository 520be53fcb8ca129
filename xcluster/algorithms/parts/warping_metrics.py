"""Costs and barycentres under dynamic time warping and its soft form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from xcluster.algorithms.parts.series import check_channels
from xcluster.algorithms.parts.spread import quantiles, robust_variances
from xcluster.base.checks import check_integer
from xcluster.base.errors import BadValueError
from xcluster.base.parallel import map_rows, map_threads, row_blocks

Array = NDArray[Any]
BLOCK_ROWS = 256


@dataclass(frozen=True)
class DynamicTimeWarping:
    """Squared DTW distances, and barycentres by DBA.

    Parameters
    ----------
    n_channels : int, default 1
        Number of equal blocks that a row consists of, warped together.
    window : int, optional
        Sakoe-Chiba radius.
    tol : float, default 1e-6
        A barycentre is done when its cost falls by no more than this share.
    """

    n_channels: int = 1
    window: int | None = None
    tol: float = 1e-6

    def costs(self, X: Array, centers: Array) -> Array:
        """Return squared DTW distances, of shape (n_samples, n_clusters)."""
        from xcluster.algorithms.kernels.dtw import squared_distances

        if centers.shape[1:] != X.shape[1:]:
            raise ValueError("rows and centres differ in their number of features")
        squared = np.empty((len(X), len(centers)))
        series = self._series(centers)

        def of_block(rows: slice) -> None:
            squared_distances(X[rows], series, self._radius(series), squared[rows])

        map_threads(of_block, row_blocks(len(X), BLOCK_ROWS))
        return squared

    def distances(self, costs: Array) -> Array:
        """Return the square roots."""
        roots: Array = np.sqrt(costs)
        return roots

    def barycentres(
        self, X: Array, weight: Array, members: list[Array], centers: Array, max_iter: int
    ) -> Array:
        """Return each centre after up to ``max_iter`` iterations of DBA over its members."""
        series = self._series(centers).copy()
        before = np.full(len(series), np.inf)
        active = [k for k, rows in enumerate(members) if len(rows)]
        for _ in range(max_iter):
            if not active:
                break
            costs = self._average(X, weight, {k: members[k] for k in active}, series)
            active = [k for k in active if costs[k] < (1 - self.tol) * before[k]]
            before = costs
        return series.reshape(len(centers), -1)

    def _average(self, X: Array, weight: Array, members: dict[int, Array], series: Array) -> Array:
        """Move the centres in place; return the cost of each before the move."""
        jobs = [
            (k, rows[block])
            for k, rows in members.items()
            for block in row_blocks(len(rows), BLOCK_ROWS)
        ]
        parts = map_threads(lambda job: self._align(X, weight, job[1], series[job[0]]), jobs)
        costs = np.zeros(len(series))
        sums, weights = np.zeros(series.shape), np.zeros((len(series), 1, series.shape[2]))
        for (k, _), (block_sums, block_weights, cost) in zip(jobs, parts, strict=True):
            sums[k] += block_sums
            weights[k] += block_weights
            costs[k] += cost
        moved = list(members)
        series[moved] = sums[moved] / weights[moved]
        return costs

    def _align(self, X: Array, weight: Array, rows: Array, centre: Array) -> Any:
        from xcluster.algorithms.kernels.dtw import aligned_sums

        sums, weights = np.zeros(centre.shape), np.zeros(centre.shape[1])
        cost = aligned_sums(X[rows], weight[rows], centre, self._radius(centre), sums, weights)
        return sums, weights, cost

    def _series(self, rows: Array) -> Array:
        return np.ascontiguousarray(rows).reshape(len(rows), self.n_channels, -1)

    def _radius(self, series: Array) -> int:
        length: int = series.shape[-1]
        return length if self.window is None else min(self.window, length)


@dataclass(frozen=True, eq=False)
class SoftDynamicTimeWarping:
    """Soft-DTW values and barycentres, by tslearn.

    Parameters
    ----------
    gamma : float
        Smoothing, in squared units of the data.
    n_channels : int, default 1
    origin : float or array of shape (n_features,), default 0.0
        What is subtracted from the series, the same for all points of a channel.
    unit : float, default 1.0
        What they are divided by. L-BFGS stops at absolute tolerances, and distances are expanded
        squares: neither suits every unit and offset of the data.
    """

    gamma: float
    n_channels: int = 1
    origin: Any = 0.0
    unit: float = 1.0

    @classmethod
    def of(cls, X: Array, weight: Array, gamma: float, n_channels: int) -> SoftDynamicTimeWarping:
        """Return the metric with origin and unit of the rows."""
        channels = X.reshape(len(X), n_channels, -1)
        each = np.repeat(weight, channels.shape[2])
        medians = [quantiles(channels[:, c].ravel(), each, (0.5,))[0] for c in range(n_channels)]
        origin = np.repeat(medians, channels.shape[2])
        spread = robust_variances((X - origin).reshape(-1, 1), np.repeat(weight, X.shape[1]))
        return cls(gamma, n_channels, origin, float(np.sqrt(spread[0])))

    def costs(self, X: Array, centers: Array) -> Array:
        """Return soft-DTW values, of shape (n_samples, n_clusters); they may be negative."""
        from tslearn.metrics import cdist_soft_dtw

        series = self._series(centers)
        parts = map_rows(
            lambda rows: cdist_soft_dtw(self._series(rows), series, gamma=self._gamma),
            X,
            BLOCK_ROWS,
        )
        return np.concatenate(parts) * self.unit**2

    def distances(self, costs: Array) -> Array:
        """Return the values themselves: negative ones have no root."""
        return costs

    def barycentres(
        self, X: Array, weight: Array, members: list[Array], centers: Array, max_iter: int
    ) -> Array:
        """Return each centre after up to ``max_iter`` iterations of L-BFGS."""
        from tslearn.barycenters import softdtw_barycenter

        def of_cluster(k: int) -> Array:
            rows = members[k]
            if not len(rows):
                return np.asarray(centers[k])
            series: Array = softdtw_barycenter(
                self._series(X[rows]),
                gamma=self._gamma,
                weights=weight[rows],
                max_iter=max_iter,
                init=self._series(centers[[k]])[0],
            )
            return np.asarray(np.ravel(series.T) * self.unit + self.origin)

        return np.array(map_threads(of_cluster, range(len(centers))))

    @property
    def _gamma(self) -> float:
        return self.gamma / self.unit**2

    def _series(self, rows: Array) -> Array:
        """Return rows as tslearn has them: (n_samples, length, n_channels)."""
        placed = (rows - self.origin) / self.unit
        series = placed.reshape(len(rows), self.n_channels, -1).transpose(0, 2, 1)
        return np.ascontiguousarray(series)


def dtw(X: Any, Y: Any, window: int | None = None, n_channels: int = 1) -> Array:
    """Compute the DTW distance of every row of ``X`` to every row of ``Y``.

    The distance is the square root of the least sum of squared differences along a warping path
    [1]_, which may leave the diagonal by at most ``window`` points [2]_.

    Parameters
    ----------
    X : array of shape (n_samples_X, n_channels * length)
    Y : array of shape (n_samples_Y, n_channels * length)
    window : int, optional
        Sakoe-Chiba radius; none by default, and 0 is the Euclidean distance.
    n_channels : int, default 1
        Number of equal blocks of a row, one variable after the other. All are warped along one
        path (dependent DTW).

    Returns
    -------
    array of shape (n_samples_X, n_samples_Y)

    Raises
    ------
    ValueError
        For a negative window, values that are not finite, series shorter than 2, rows of unequal
        length, or rows that cannot be cut into channels.

    References
    ----------
    .. [1] T. K. Vintsyuk, "Speech discrimination by dynamic programming", Cybernetics 4 (1968),
       52-57.
    .. [2] H. Sakoe and S. Chiba, "Dynamic programming algorithm optimization for spoken word
       recognition", IEEE Transactions on Acoustics, Speech, and Signal Processing 26 (1978), 43-49.

    Examples
    --------
    >>> dtw([[0, 0, 1, 2]], [[0, 1, 2, 2], [0, 0, 1, 4]])
    array([[0., 2.]])
    """
    rows, others = (check_array(series, dtype=np.float64, order="C") for series in (X, Y))
    if rows.shape[1] != others.shape[1]:
        rule = "must have rows of equal length"
        raise BadValueError(
            "shapes", (rows.shape, others.shape), rule, "pass one series in each row"
        )
    check_channels(rows.shape[1], n_channels)
    metric = DynamicTimeWarping(n_channels, check_window(window))
    return metric.distances(metric.costs(rows, others))


def check_window(window: Any) -> int | None:
    """Return the radius, if there is one."""
    remedy = "pass window=0 or more, or None for no limit"
    return None if window is None else check_integer("window", window, minimum=0, remedy=remedy)
