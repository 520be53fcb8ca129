"""Starting centres for k-means: greedy k-means++ over blocks of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from xcluster.algorithms.frame import Frame
from xcluster.parallel import map_threads, single_threaded_blas

Array = NDArray[Any]
ROWS = 16_384


def kmeans_plusplus(
    X: Array, n_clusters: int, sample_weight: Array | None = None, random_state: Any = 0
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
    potential = _Potential(X, sample_weight)
    with single_threaded_blas():
        potential.add(X[potential.draw(random, 1)])
        for _ in range(n_clusters - 1):
            potential.add_best(potential.draw(random, 2 + int(np.log(n_clusters))))
    return potential.centers


def grow(
    centers: Array, X: Array, sample_weight: Array | None = None, random_state: Any = 0
) -> Array:
    """Add one well-chosen row to the centres: the warm start of a fit with one cluster more.

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
    potential = _Potential(X, sample_weight)
    trials = 2 + int(np.log(len(centers) + 1))
    with single_threaded_blas():
        potential.add(centers)
        potential.add_best(potential.draw(check_random_state(random_state), trials))
    return potential.centers


class _Potential:
    """The weighted squared distance of every row to its nearest centre so far.

    It is kept by row in float32 and summed by block in float64, in the order of the blocks, so
    that draws do not depend on the number of threads.
    """

    def __init__(self, X: Array, sample_weight: Array | None) -> None:
        self.X = np.ascontiguousarray(X)
        self.weight = sample_weight
        self.frame = Frame.of(X, sample_weight)
        self.centers = np.empty((0, X.shape[1]))
        self.closest = np.ones(len(X), np.float32)
        self._sum_blocks()

    def draw(self, random: np.random.RandomState, size: int) -> Array:
        """Return the positions of ``size`` rows, drawn in proportion to the potential."""
        edges = np.cumsum(self.totals)
        drawn = []
        for value in random.uniform(size=size) * edges[-1]:
            block = min(int(np.searchsorted(edges, value, side="right")), len(edges) - 1)
            within = np.cumsum(self._of_rows(block))
            value -= edges[block] - self.totals[block]
            drawn.append(
                block * ROWS + min(np.searchsorted(within, value, side="right"), len(within) - 1)
            )
        return np.array(drawn)

    def add(self, centers: Array) -> None:
        """Take the centres, and the distances to them."""
        from xcluster.algorithms.kernels.lloyd import nearest

        placed = self.frame.place(centers)

        def of_block(rows: slice) -> None:
            squared = nearest(self.X[rows], self.frame, placed)[1]
            first = len(self.centers) == 0
            self.closest[rows] = squared if first else np.minimum(self.closest[rows], squared)

        self._each_block(of_block)
        self.centers = np.concatenate([self.centers, centers], dtype=np.float64)
        self._sum_blocks()

    def add_best(self, candidates: Array) -> None:
        """Take the candidate row that leaves the least potential."""
        from xcluster.algorithms.kernels.lloyd import squared_distances

        placed = self.frame.place(self.X[candidates])

        def of_block(rows: slice) -> Array:
            squared = squared_distances(self.X[rows], self.frame, placed)
            np.minimum(squared, self.closest[rows], out=squared)
            return (
                squared.sum(axis=1, dtype=np.float64)
                if self.weight is None
                else squared @ self.weight[rows]
            )

        left = np.sum(self._each_block(of_block), axis=0)
        self.add(self.X[candidates[[np.argmin(left)]]])

    def _of_rows(self, block: int) -> Array:
        rows = slice(block * ROWS, (block + 1) * ROWS)
        closest = self.closest[rows].astype(np.float64)
        return closest if self.weight is None else closest * self.weight[rows]

    def _sum_blocks(self) -> None:
        self.totals = np.array([self._of_rows(b).sum() for b in range(-(-len(self.X) // ROWS))])

    def _each_block(self, function: Callable[[slice], Any]) -> list[Any]:
        return map_threads(function, [slice(s, s + ROWS) for s in range(0, len(self.X), ROWS)])
