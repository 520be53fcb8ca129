"""The nearest of some samples: how clusterers without centres label new rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from xcluster.base.parallel import map_rows
from xcluster.base.streaming import BLOCK_ROWS

Array = NDArray[Any]

NOISE = -1
"""The label of rows that belong to no cluster."""


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
    search = NearestNeighbors(n_neighbors=1, metric=metric).fit(samples)

    blocks = map_rows(search.kneighbors, X, BLOCK_ROWS)
    distance, index = (np.concatenate(parts)[:, 0] for parts in zip(*blocks, strict=True))
    equal, found = _equal_rows(samples, X)
    index[found], distance[found] = equal[found], 0.0
    return index, distance


def _equal_rows(samples: Array, X: Array) -> tuple[Array, Array]:
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
