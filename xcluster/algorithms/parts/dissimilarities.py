"""How unlike two rows are: metrics by name and functions of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement, starmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts import directions
from xcluster.algorithms.parts.directions import compares_directions
from xcluster.algorithms.parts.shape_metrics import ShapeBased
from xcluster.algorithms.parts.warping_metrics import DynamicTimeWarping
from xcluster.base.arrays import read_only
from xcluster.base.checks import blamed, check_choice
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.base.parallel import map_threads, row_blocks

Array = NDArray[Any]
Metric = str | Callable[[Array, Array], float]

METRICS = (
    *("euclidean", "sqeuclidean", "cityblock", "chebyshev", "canberra", "braycurtis"),
    *("hamming", "haversine", *directions.METRICS, "dtw", directions.SHAPES),
)
"""Metrics by name; all but the last two are those of scikit-learn."""

OF_SERIES = ("dtw", directions.SHAPES)
"""Metrics of series, which read the order of features."""

TILE = 512
"""Rows and columns of the matrix that are computed at once."""

TRIED = 12
"""Rows whose distances to each other show whether a function is a metric."""

ASYMMETRY = 1e-6
"""Share of the largest distance by which the two distances of a pair may differ by rounding."""


def check_metric(metric: Any) -> None:
    """Refuse what is neither the name of a metric nor a function."""
    if not callable(metric):
        check_choice("metric", metric, METRICS)


@dataclass(frozen=True)
class Dissimilarity:
    """Distances between rows, each pair by itself, in double precision.

    Parameters
    ----------
    metric : str or callable
        One of `METRICS`, or a function of two rows.
    window : int, optional
        Sakoe-Chiba radius of "dtw".
    n_channels : int, default 1
        Number of series of a row, for "dtw" and "sbd".
    """

    metric: Metric
    window: int | None = None
    n_channels: int = 1

    def placed(self, X: Array) -> Array:
        """Return rows as `between` compares them: as directions, if only these count."""
        if compares_directions(self.metric):
            return directions.directions(X, str(self.metric))
        return X if self.metric == "euclidean" else np.ascontiguousarray(X, np.float64)

    def between(self, X: Array, Y: Array) -> Array:
        """Return the distance of each of these rows to each of those, both as `placed`.

        Parameters
        ----------
        X : array of shape (n, n_features)
        Y : array of shape (m, n_features)

        Returns
        -------
        float64 array of shape (n, m)
        """
        from scipy.spatial.distance import cdist
        from sklearn.metrics.pairwise import haversine_distances

        if callable(self.metric):
            return self._called(X, Y)
        if self.metric == "dtw":
            metric = DynamicTimeWarping(self.n_channels, self.window)
            return metric.distances(metric.costs(X, Y))
        if self.metric == directions.SHAPES:
            shapes = ShapeBased(self.n_channels)
            return shapes.distances(shapes.costs(X, Y))
        if self.metric == "haversine":
            return np.asarray(haversine_distances(X, Y))
        if self.metric == "euclidean":
            return np.asarray(np.sqrt(_squared(X, Y)))
        if self.metric == "sqeuclidean":
            return _squared(X, Y)
        if compares_directions(self.metric):  # 1 - cosine is half the square between directions
            return _squared(X, Y) / 2
        return np.asarray(cdist(X, Y, self.metric))

    def __call__(self, X: Array, Y: Array) -> Array:
        """Return the distance of each of these rows to each of those, as `between` does."""
        return self.between(self.placed(X), self.placed(Y))

    def matrix(self, X: Array) -> Array:
        """Return all distances between rows that are `placed`, each pair measured once.

        They are in a power of two of their own unit, near the largest: single precision keeps them
        whatever the unit of the data, which changes no bit.

        Returns
        -------
        float32 array of shape (n, n), symmetric
        """
        distances = np.empty((len(X), len(X)), np.float32)
        largest = self.between(X[:1], X).max()
        unit = 2.0 ** -np.frexp(largest)[1] if largest > 0 else 1.0
        blocks = row_blocks(len(X), TILE)

        def fill(tile: tuple[slice, slice]) -> None:
            rows, columns = tile
            found = self.between(X[rows], X[columns]) * unit
            distances[rows, columns] = found
            if rows != columns:
                distances[columns, rows] = found.T

        map_threads(fill, [(a, b) for i, a in enumerate(blocks) for b in blocks[i:]])
        return distances

    def check_rows(self, X: Array) -> None:
        """Refuse rows that the metric does not suit, and a function that is no metric."""
        if self.metric == "haversine" and X.shape[1] != 2:
            rule = f"needs latitude and longitude in radians, and rows have {X.shape[1]} features"
            raise BadValueError("metric", self.metric, rule, 'pass metric="euclidean"')
        if callable(self.metric):
            some = self.placed(X[:: max(len(X) // TRIED, 1)][:TRIED])
            self._check_pairs(some, self._called(some, some))

    def _check_pairs(self, some: Array, found: Array) -> None:
        """Refuse a function under which a row is away from itself, or a pair has two distances."""
        largest = float(found.max(initial=0))
        for i, j in combinations_with_replacement(range(len(some)), 2):
            there, back = found[i, j], found[j, i]
            if i == j and there > ASYMMETRY * largest:
                raise self._no_metric(f"gives {there:.6g} for a row and itself, which must be 0")
            if abs(there - back) > ASYMMETRY * largest:
                rule = f"is not symmetric: {there:.6g} for a pair of rows, {back:.6g} the other way"
                raise self._no_metric(rule)

    def _called(self, X: Array, Y: Array) -> Array:
        assert callable(self.metric)
        X, Y = (read_only(each) for each in (X, Y))  # a function could change what it is given
        with blamed("metric", self.metric, "pass a function of two rows that returns a number"):
            pairs = list(starmap(self.metric, ((a, b) for a in X for b in Y)))
        try:
            found = np.array(pairs, np.float64).reshape(len(X), len(Y))
        except (TypeError, ValueError):
            rule = f"must return one number, not {type(pairs[0]).__name__}"
            remedy = "pass a function of two rows that returns their distance"
            raise BadTypeError("metric", self.metric, rule, remedy) from None
        if not (found >= 0).all() or np.isinf(found).any():
            wrong = found[~(found >= 0) | np.isinf(found)][0]
            raise self._no_metric(f"returns {wrong:.6g}, and distances are numbers from 0 on")
        return found

    def _no_metric(self, rule: str) -> BadValueError:
        return BadValueError("metric", self.metric, rule, f"use one of {', '.join(METRICS)}")


def _squared(X: Array, Y: Array) -> Array:
    """Return squared distances; those of many rows at once are compiled for the longer array."""
    from xcluster.algorithms.kernels.distances import squared_distances

    if len(X) <= len(Y):
        return squared_distances(Y, X)
    return squared_distances(X, Y).T
