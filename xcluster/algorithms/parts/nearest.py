"""The nearest of some samples: how clusterers without centres label new rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from xcluster.algorithms.parts.directions import compares_directions, directions, undefined
from xcluster.algorithms.parts.frame import Frame
from xcluster.algorithms.parts.gaps import has_gaps
from xcluster.base.checks import is_text
from xcluster.base.errors import BadValueError
from xcluster.base.parallel import map_rows
from xcluster.base.streaming import BLOCK_ROWS

Array = NDArray[Any]

NOISE = -1
"""The label of rows that belong to no cluster."""
BLOCK_QUERIES = 2048
"""Rows whose neighbourhoods are held at once: each may be as long as the data."""
MOST_IN_TREES = 15
"""Features up to which scikit-learn searches in trees, which measure by differences."""


@dataclass(frozen=True, eq=False)
class Search:
    """A search among samples, less an origin.

    scikit-learn expands the squared distances of many features. These keep their digits near the
    origin.

    Parameters
    ----------
    inner : NearestNeighbors
    origin : float or array of shape (n_features,)
    """

    inner: NearestNeighbors
    origin: Any

    @classmethod
    def of(cls, samples: Array, metric: str, radius: float = 1.0) -> Search:
        """Return a search among samples for the nearest one, and those within a radius."""
        expands = metric == "euclidean" and samples.shape[1] > MOST_IN_TREES
        origin = Frame.of(samples).origin if expands else 0.0
        inner = NearestNeighbors(n_neighbors=1, radius=radius, metric=metric)
        return cls(inner.fit(samples - origin), origin)

    def nearest(self, X: Array) -> tuple[Array, Array]:
        """Return distance and index of the nearest sample, each of shape (n_rows, 1)."""
        return self.inner.kneighbors(X - self.origin)  # type: ignore[no-any-return]

    def among(self, X: Array, n: int) -> tuple[Array, Array]:
        """Return distances and indices of the ``n`` nearest samples, both of shape (n_rows, n)."""
        return self.inner.kneighbors(X - self.origin, n)  # type: ignore[no-any-return]

    def within(self, X: Array) -> Array:
        """Return the samples within the radius, an object array of int arrays."""
        near: Array = self.inner.radius_neighbors(X - self.origin, return_distance=False)
        return near


def nearest(samples: Array, X: Array, metric: str = "euclidean") -> tuple[Array, Array]:
    """Return the index of the nearest of ``samples`` for each row of ``X``, and its distance.

    A row that equals a sample gets that sample, however distances are rounded; of several equal
    samples it gets the first.

    Parameters
    ----------
    samples : array of shape (n_samples, n_features)
    X : array of shape (n_rows, n_features)
    metric : str, default="euclidean"
        Any metric of `sklearn.neighbors.NearestNeighbors`.

    Returns
    -------
    index : int array of shape (n_rows,)
    distance : array of shape (n_rows,)
    """
    search = Search.of(samples, metric)
    blocks = map_rows(search.nearest, X, BLOCK_ROWS)
    distance, index = (np.concatenate(parts)[:, 0] for parts in zip(*blocks, strict=True))
    equal, found = equal_rows(samples, X)
    index[found], distance[found] = equal[found], 0.0
    return index, distance


def nearest_of(samples: Array, X: Array, n: int, metric: str) -> tuple[Array, Array]:
    """Return the indices of the ``n`` nearest samples of each row, and their distances.

    Distances that scikit-learn may expand are measured again by differences, so that a row gets
    the same ones in any block.

    Parameters
    ----------
    samples : array of shape (n_samples, n_features)
    X : array of shape (n_rows, n_features)
    n : int
    metric : str
        Any metric of `sklearn.neighbors.NearestNeighbors`.

    Returns
    -------
    index : int array of shape (n_rows, n)
    distance : array of shape (n_rows, n)
    """
    search, by_direction = Search.of(samples, metric), compares_directions(metric)
    compared = directions(samples, metric) if by_direction else samples

    def of_rows(rows: Array) -> tuple[Array, Array]:
        distance, index = search.among(rows, n)
        if by_direction:
            return index, _apart(directions(rows, metric), compared, index) ** 2 / 2
        return index, _apart(rows, compared, index) if metric == "euclidean" else distance

    parts = map_rows(of_rows, X, BLOCK_QUERIES)
    index, distance = (np.concatenate(each) for each in zip(*parts, strict=True))
    return index, distance


def _apart(X: Array, samples: Array, index: Array) -> Array:
    """Return the Euclidean distances of each row to some samples, of shape (n_rows, n)."""
    away = X[:, None] - samples[index]
    return np.asarray(np.sqrt(np.einsum("ijk,ijk->ij", away, away)))


def check_distances(metric: Any, X: Array) -> None:
    """Refuse rows that have no distance to any other under ``metric``."""
    what = "the same" if is_text(metric, "correlation") else "0"
    if compares_directions(metric):
        if has_gaps(X):
            rule = "needs all features, and some rows have gaps (NaN)"
            raise BadValueError("metric", metric, rule, 'pass metric="euclidean"')
        without = undefined(X, metric)
    elif is_text(metric, "braycurtis"):
        without = np.logical_not(X.any(axis=1))
    else:
        return
    if without.any():
        rows = f"{without.sum():,} of {len(X):,} samples"
        rule = f"is undefined for {rows}, which are {what} in all features"
        remedy = 'mask them with where(), or choose metric="euclidean"'
        raise BadValueError("metric", metric, rule, remedy)


def equal_rows(samples: Array, X: Array) -> tuple[Array, Array]:
    """Return for each row of ``X`` a sample, and whether it is equal to it."""
    keys, wanted = _as_bytes(samples), _as_bytes(X)
    order = np.argsort(keys, kind="stable")
    place = np.searchsorted(keys, wanted, sorter=order)
    candidate = order[np.minimum(place, len(order) - 1)]
    return candidate, keys[candidate] == wanted


def _as_bytes(X: Array) -> Array:
    """View each row as one value that can be sorted and compared."""
    rows = np.ascontiguousarray(X, np.float64) + 0.0  # no negative zeros
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0]
