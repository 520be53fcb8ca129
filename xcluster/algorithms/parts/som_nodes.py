"""The nodes of a map: where they start, which is nearest, what they sum, how they merge."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from xcluster.algorithms.parts.distances import distances, middle
from xcluster.algorithms.parts.frame import power_of_two, rounded_as
from xcluster.algorithms.parts.inputs import weight_or_ones
from xcluster.algorithms.parts.linkages import cut_into, ward_linkage
from xcluster.algorithms.parts.moments import pieces
from xcluster.algorithms.parts.som_grid import Grid
from xcluster.algorithms.parts.sums import Plain, Sums

Array = NDArray[Any]


def plane(X: Array, weight: Array | None, grid: Grid) -> Array:
    """Return nodes spread over the plane of the first two principal axes, one deviation each way.

    The longer side of the grid lies along the first axis.
    """
    mean, covariance = _mean_and_covariance(X, weight_or_ones(weight, len(X)))
    axes = _principal_axes(covariance)
    across = int(grid[1] > grid[0])
    steps = (np.linspace(-1, 1, side) if side > 1 else np.zeros(1) for side in grid)
    row, column = np.meshgrid(*steps, indexing="ij")
    return np.asarray(
        mean
        + np.outer(row, axes[across]).reshape(-1, X.shape[1])
        + np.outer(column, axes[1 - across]).reshape(-1, X.shape[1])
    )


def _mean_and_covariance(X: Array, weight: Array) -> tuple[Array, Array]:
    """Return both in float64, whose squares neither overflow nor vanish."""
    parts, total, roots = pieces(X), weight.sum(), np.sqrt(weight)[:, None]
    mean = sum(weight[part] @ X[part] for part in parts) / total
    scatter = np.zeros((X.shape[1],) * 2)
    for part in parts:
        scaled = (X[part] - mean) * roots[part]
        scatter += scaled.T @ scaled  # half the work of a product of two arrays
    return mean, scatter / total


def _principal_axes(covariance: Array) -> Array:
    """Return two axes (2, n_features) as long as the deviation along them; signs are fixed."""
    p = len(covariance)
    first = max(p - 2, 0)
    variances, vectors = eigh(covariance, subset_by_index=[first, p - 1])
    axes = np.zeros((2, p))
    axes[: p - first] = (vectors * np.sqrt(np.maximum(variances, 0)))[:, ::-1].T
    largest = np.abs(axes).argmax(axis=1)
    return axes * np.where(axes[[0, 1], largest] < 0, -1.0, 1.0)[:, None]


def nearest_nodes(X: Array, nodes: Array) -> Array:
    """Return the nearest node of each row: by a product in float32, or in float64 if that is close.

    A product is taken about the middle of the nodes, or an offset of the data would leave it too
    few digits.
    """
    from xcluster.algorithms.kernels.distances import two_nearest
    from xcluster.algorithms.kernels.lloyd import decided_by_product

    origin = rounded_as(X, middle(nodes))
    unit = power_of_two(np.abs(nodes - origin).max())
    nearest = decided_by_product(X, origin, unit, (nodes - origin) / unit)
    close = np.flatnonzero(nearest < 0)
    nearest[close] = two_nearest(X[close], nodes)[0]
    return nearest


def sums_by_node(
    X: Array, weight: Array, nodes: Array, n_nodes: int, sums: Sums
) -> dict[str, Array]:
    """Return ``weight`` (n_nodes,) and ``first`` (n_nodes, n_features) of the rows of each node."""
    from xcluster.algorithms.kernels import lloyd

    origin, none = np.zeros(X.shape[1]), np.zeros(len(X), np.float32)
    if isinstance(sums, Plain):
        found = lloyd.sums(X, origin, weight, nodes, none, n_nodes)
    else:
        grids = sums.grids(sums.heaviest * np.array([*sums.about(origin), 1.0, 0.0]))
        found = lloyd.exact_sums(X, origin, weight, nodes, none, n_nodes, grids)
    return {"weight": found[0], "first": found[1]}


def merged_by_ward(nodes: Array, counts: Array, n_clusters: int) -> Array:
    """Return a class for each node, by Ward over the occupied ones; 0 is the heaviest."""
    occupied = np.flatnonzero(counts)
    centers, weights = nodes[occupied], counts[occupied]
    classes = np.zeros(1, dtype=np.intp)
    if len(occupied) > 1:
        classes = _by_weight(cut_into(ward_linkage(centers, weights), n_clusters), weights)
    nearest_occupied = distances(nodes, centers).argmin(axis=1)
    return np.asarray(classes[nearest_occupied])


def _by_weight(classes: Array, weights: Array) -> Array:
    """Renumber classes so that 0 is the heaviest; ties go by first node."""
    _, first, classes = np.unique(classes, return_index=True, return_inverse=True)
    order = np.lexsort((first, -np.bincount(classes, weights=weights)))
    return np.argsort(order)[classes]
