"""Starting centres for k-means: greedy k-means++ over blocks of rows, or rows at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from xcluster.algorithms.parts.frame import Frame
from xcluster.algorithms.parts.placed import BLOCK_ROWS, PlacedRows
from xcluster.base.parallel import single_threaded_blas

Array = NDArray[Any]


def kmeans_plusplus(
    X: Array,
    n_clusters: int,
    sample_weight: Array | None = None,
    random_state: Any = 0,
    rows: PlacedRows | None = None,
) -> Array:
    """Draw starting centres far apart from each other.

    The first is a row drawn by weight. Each further one is the best of ``2 + log(n_clusters)``
    rows drawn by weight times squared distance to the nearest centre so far [1]_.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), float32 or float64
    n_clusters : int
    sample_weight : array of shape (n_samples,), optional
    random_state : int, RandomState or None, default 0
    rows : PlacedRows, optional
        The rows of ``X`` where they are placed already.

    Returns
    -------
    array of shape (n_clusters, n_features), float64
        Rows of ``X``; some twice where fewer than ``n_clusters`` are distinct.

    References
    ----------
    .. [1] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding",
       SODA 2007, 1027-1035.
    """
    random = check_random_state(random_state)
    potential = _Potential(X, sample_weight, rows)
    with single_threaded_blas():
        potential.add(X[potential.draw(random, 1)])
        for _ in range(n_clusters - 1):
            potential.add_best(potential.draw(random, 2 + int(np.log(n_clusters))))
    return potential.centers


def random_rows(
    X: Array, n_clusters: int, sample_weight: Array | None = None, random_state: Any = 0
) -> Array:
    """Return different rows drawn by weight, of shape (n_clusters, n_features), float64.

    At least ``n_clusters`` rows must have a weight.
    """
    shares = None if sample_weight is None else sample_weight / sample_weight.sum()
    drawn = check_random_state(random_state).choice(len(X), n_clusters, replace=False, p=shares)
    return np.asarray(X[drawn], np.float64)


def grow(
    centers: Array, X: Array, sample_weight: Array | None = None, random_state: Any = 0
) -> Array:
    """Add one well-chosen row to the centres: the start of a fit with one more cluster.

    The row is the best of several drawn by weight times squared distance to the nearest centre.

    Parameters
    ----------
    centers : array of shape (n_clusters, n_features)
    X : array of shape (n_samples, n_features), float32 or float64
    sample_weight : array of shape (n_samples,), optional
    random_state : int, RandomState or None, default 0

    Returns
    -------
    array of shape (n_clusters + 1, n_features), float64

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0], [1.0], [9.0]])
    >>> grow(np.array([[0.5]]), X)
    array([[0.5],
           [9. ]])
    """
    potential = _Potential(X, sample_weight, None)
    trials = 2 + int(np.log(len(centers) + 1))
    with single_threaded_blas():
        potential.add(centers)
        potential.add_best(potential.draw(check_random_state(random_state), trials))
    return potential.centers


def representatives(
    X: Array,
    sample_weight: Array | None,
    n_draws: int,
    random_state: Any = 0,
    rows: PlacedRows | None = None,
) -> tuple[Array, Array | None]:
    """Draw rows that stand for all: their sums of squares about any centres are similar.

    Half of the draws are by weight, half by weight times squared distance to the mean, so that
    rows far out are not missed [1]_. The draws are evenly spaced along the rows, so that rows in
    an order by value are well represented.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), float32 or float64
    sample_weight : array of shape (n_samples,), or None
    n_draws : int
        Number of draws; a row may be drawn several times, and then weighs more.
    random_state : int, RandomState or None, default 0
    rows : PlacedRows, optional
        The rows of ``X`` where they are placed already.

    Returns
    -------
    some : array of shape (up to ``n_draws``, n_features)
    weight : array of shape (up to ``n_draws``,)
        What each row stands for; in sum about the weight of all. ``X`` and ``sample_weight``
        themselves where there are few rows.

    References
    ----------
    .. [1] O. Bachem, M. Lucic and A. Krause, "Scalable k-means clustering via lightweight
       coresets", KDD 2018, 1119-1127.
    """
    if len(X) <= 2 * n_draws:
        return X, sample_weight
    potential = _Potential(X, sample_weight, rows)
    with single_threaded_blas():
        weight = potential.of_all_rows()
        share = weight / weight.sum()
        potential.add(potential.rows.mean()[None])
        squared = potential.of_all_rows()
    if squared.any():
        share = (share + squared / squared.sum()) / 2
    edges = np.cumsum(share)
    steps = np.arange(n_draws) + check_random_state(random_state).uniform()
    drawn = np.searchsorted(edges, steps / n_draws * edges[-1], side="right")
    taken, times = np.unique(np.minimum(drawn, len(X) - 1), return_counts=True)
    return X[taken], weight[taken] * times / (share[taken] * n_draws)


class _Potential:
    """The weighted squared distance of every row to its nearest centre so far.

    It is kept by row in float32 and summed in float64 by tiles of rows, in their order, so that
    draws do not depend on the number of threads.
    """

    def __init__(self, X: Array, sample_weight: Array | None, rows: PlacedRows | None) -> None:
        from xcluster.algorithms.kernels.seeding import TILE, add_up

        self.X, n = np.ascontiguousarray(X), len(X)
        self.rows = rows or PlacedRows.of(self.X, sample_weight, Frame.of(self.X, sample_weight))
        self.centers = np.empty((0, X.shape[1]))
        self.closest, self.totals = np.ones(n, np.float32), np.empty(-(-n // TILE))
        add_up(self.closest, self.rows.weight, 0, n, self.totals)
        self._nearer = np.empty((0, n), np.float32)

    def draw(self, random: np.random.RandomState, size: int) -> Array:
        """Return the positions of ``size`` rows, drawn in proportion to the potential."""
        from xcluster.algorithms.kernels.seeding import draw

        shares = random.uniform(size=size)
        drawn: Array = draw(self.closest, self.rows.weight, self.totals, shares)
        return drawn

    def add(self, centers: Array) -> None:
        """Take the centres, and the distances to them."""
        for center in centers:
            self._add_best(center[None])

    def add_best(self, candidates: Array) -> None:
        """Take the candidate row that leaves the least potential."""
        self._add_best(self.X[candidates])

    def _add_best(self, points: Array) -> None:
        from xcluster.algorithms.kernels.seeding import approach

        if len(self.centers) == 0:
            self.closest[:] = np.inf
        if len(self._nearer) != len(points):
            self._nearer = np.empty((len(points), len(self.X)), np.float32)
        placed, sums = self.rows.frame.place(points), np.empty((len(points), len(self.totals)))

        def of_block(b: int) -> None:
            given = self.rows.blocks[b], self.rows.weight, b * BLOCK_ROWS, self.closest
            approach(*given, placed, self._nearer, sums)

        self.rows.each(of_block)
        best = int(np.argmin(sums.sum(axis=1)))
        self.closest[:], self.totals = self._nearer[best], sums[best]
        self.centers = np.concatenate([self.centers, points[[best]]], dtype=np.float64)

    def of_all_rows(self) -> Array:
        """Return the weighted potential of each row, in float64."""
        weight = self.rows.weight
        return self.closest * (np.ones(1) if weight is None else weight)


def draw_rows(potential: Array, size: int, random: np.random.RandomState) -> Array:
    """Return positions of rows, drawn in proportion to the potential."""
    edges = np.cumsum(potential)
    drawn = np.searchsorted(edges, random.uniform(size=size) * edges[-1], side="right")
    positions: Array = np.minimum(drawn, len(edges) - 1)
    return positions
