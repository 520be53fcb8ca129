"""The nodes of a map: where they start, which is nearest, what they sum, how they merge."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse import csr_array
from sklearn.metrics.pairwise import euclidean_distances

from xcluster.algorithms.parts.linkages import cut_into, ward_linkage
from xcluster.algorithms.parts.som_grid import Grid

Array = NDArray[Any]


def plane(X: Array, weight: Array | None, grid: Grid) -> Array:
    """Return nodes spread over the plane of the first two principal axes, one deviation each way.

    The longer side of the grid lies along the first axis.
    """
    mean = np.average(X, axis=0, weights=weight)
    axes = _principal_axes(X - mean, weight)
    across = int(grid[1] > grid[0])
    steps = (np.linspace(-1, 1, side) if side > 1 else np.zeros(1) for side in grid)
    row, column = np.meshgrid(*steps, indexing="ij")
    return np.asarray(
        mean
        + np.outer(row, axes[across]).reshape(-1, X.shape[1])
        + np.outer(column, axes[1 - across]).reshape(-1, X.shape[1])
    )


def _principal_axes(centered: Array, weight: Array | None) -> Array:
    """Return two axes (2, n_features) as long as the deviation along them; signs are fixed."""
    p = centered.shape[1]
    scaled = centered if weight is None else centered * np.sqrt(weight)[:, None]
    total = len(centered) if weight is None else weight.sum()
    first = max(p - 2, 0)
    variances, vectors = eigh(scaled.T @ scaled / total, subset_by_index=[first, p - 1])
    axes = np.zeros((2, p))
    axes[: p - first] = (vectors * np.sqrt(np.maximum(variances, 0)))[:, ::-1].T
    largest = np.abs(axes).argmax(axis=1)
    return axes * np.where(axes[[0, 1], largest] < 0, -1.0, 1.0)[:, None]


def ranks_of_nodes(X: Array, nodes: Array, dtype: type[np.floating[Any]]) -> Array:
    """Return squared distances to the nodes, less the row's own squared norm.

    Without that norm the order is the same. Distances are measured about the middle of the nodes,
    so that an offset of the data costs no digits.
    """
    origin = nodes.mean(axis=0)
    centered = nodes - origin
    # A last column of ones lets the matrix product add the nodes' squared norms.
    rows = np.ones((len(X), X.shape[1] + 1), dtype)
    np.subtract(X, origin, out=rows[:, :-1], casting="same_kind")
    table = np.vstack([-2 * centered.T, (centered**2).sum(axis=1)])
    ranks: Array = rows @ table.astype(dtype)
    return ranks


def sums_by_node(X: Array, weight: Array, nodes: Array, n_nodes: int) -> dict[str, Array]:
    """Return ``weight`` (n_nodes,) and ``first`` (n_nodes, n_features) of the rows of each node."""
    membership = csr_array((weight, nodes, np.arange(len(X) + 1)), shape=(len(X), n_nodes))
    return {
        "weight": np.bincount(nodes, weights=weight, minlength=n_nodes),
        "first": membership.T @ X,
    }


def merged_by_ward(nodes: Array, counts: Array, n_clusters: int) -> Array:
    """Return a class for each node, by Ward over the occupied ones; 0 is the heaviest."""
    occupied = np.flatnonzero(counts)
    centers, weights = nodes[occupied], counts[occupied]
    classes = np.zeros(1, dtype=np.intp)
    if len(occupied) > 1:
        classes = _by_weight(cut_into(ward_linkage(centers, weights), n_clusters), weights)
    nearest_occupied = euclidean_distances(nodes, centers).argmin(axis=1)
    return np.asarray(classes[nearest_occupied])


def _by_weight(classes: Array, weights: Array) -> Array:
    """Renumber classes so that 0 is the heaviest; ties go by first node."""
    _, first, classes = np.unique(classes, return_index=True, return_inverse=True)
    order = np.lexsort((first, -np.bincount(classes, weights=weights)))
    return np.argsort(order)[classes]
