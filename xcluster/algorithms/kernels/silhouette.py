"""Sums of distances from a few rows to all rows of each cluster, for several labellings at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

LANES = 128

NEAR = 1e-6
"""Share of their squared lengths below which products leave a squared distance too few digits."""


@njit(nogil=True, cache=True)
def distance_sums(
    queries: Array, rows: Array, weights: Array, starts: Array, clusters: Array, n_clusters: int
) -> Array:
    """Return the weighted sums of distances from each query to the rows of each cluster.

    A cell holds the rows that share a cluster in every labelling: each distance is taken once,
    however many labellings there are. Distances are taken in the type of the data, sums in
    float64. The queries are the lanes of vector instructions, so no sum runs across lanes and
    none is reordered.

    Parameters
    ----------
    queries : array of shape (n_features, n_queries)
        ``n_features`` is a multiple of four (pad with zeros).
    rows : array of shape (n_rows, n_features)
        Sorted by cell.
    weights : float64 array of shape (n_rows,)
    starts : integer array of shape (n_cells + 1,)
        Where each cell's rows start, and the end of the last.
    clusters : integer array of shape (n_cells, n_labellings)
        The clusters of each cell, numbered on from one labelling to the next.
    n_clusters : int
        Of all labellings together.

    Returns
    -------
    float64 array of shape (n_clusters, n_queries)
    """
    n_features, n_queries = queries.shape
    sums = np.zeros((n_clusters, n_queries))
    squares = np.empty(n_queries, queries.dtype)
    # A flat total: views such as ``sums[cluster]`` cost an atomic count each.
    total = np.empty(n_queries)
    for cell in range(starts.size - 1):
        for lane in range(n_queries):
            total[lane] = 0.0
        for row in range(starts[cell], starts[cell + 1]):
            weight = weights[row]
            for lane in range(n_queries):
                squares[lane] = 0
            for f in range(0, n_features, 4):
                a, b, c, d = rows[row, f], rows[row, f + 1], rows[row, f + 2], rows[row, f + 3]
                for lane in range(n_queries):
                    u, v = a - queries[f, lane], b - queries[f + 1, lane]
                    w, x = c - queries[f + 2, lane], d - queries[f + 3, lane]
                    squares[lane] += (u * u + v * v) + (w * w + x * x)
            for lane in range(n_queries):
                total[lane] += weight * np.sqrt(squares[lane])
        for labelling in range(clusters.shape[1]):
            cluster = clusters[cell, labelling]
            for lane in range(n_queries):
                sums[cluster, lane] += total[lane]
    return sums


@njit(nogil=True, cache=True)
def partial_distance_sums(
    queries: Array, rows: Array, weights: Array, starts: Array, clusters: Array, n_clusters: int
) -> tuple[Array, Array]:
    """Return what `distance_sums` does, for rows with gaps, and the weights that were summed.

    A squared distance is the sum over the features that both rows have, by the share of these. Rows
    without a common feature are left out.
    """
    n_features, n_queries = queries.shape
    sums, known = np.zeros((n_clusters, n_queries)), np.zeros((n_clusters, n_queries))
    squares, common = np.empty(n_queries), np.empty(n_queries)
    for cell in range(starts.size - 1):
        for row in range(starts[cell], starts[cell + 1]):
            for lane in range(n_queries):
                squares[lane], common[lane] = 0.0, 0.0
            for f in range(n_features):
                value = rows[row, f]
                for lane in range(n_queries):
                    difference = np.float64(value - queries[f, lane])
                    is_known = difference == difference
                    squares[lane] += difference * difference if is_known else 0.0
                    common[lane] += 1.0 if is_known else 0.0
            for lane in range(n_queries):
                some = common[lane] > 0
                square = squares[lane] * n_features / common[lane] if some else 0.0
                weight = weights[row] if some else 0.0
                for labelling in range(clusters.shape[1]):
                    sums[clusters[cell, labelling], lane] += weight * np.sqrt(square)
                    known[clusters[cell, labelling], lane] += weight
    return sums, known


@njit(nogil=True, cache=True)
def distance_sums_by_products(
    products: Array,
    queries: Array,
    rows: Array,
    squares: Array,
    weights: Array,
    starts: Array,
    clusters: Array,
    n_clusters: int,
) -> Array:
    """Return what `distance_sums` does, for many features, from products of queries and rows.

    Parameters
    ----------
    products : float64 array of shape (n_queries, n_rows)
    queries : float64 array of shape (n_queries, n_features)
    rows : float64 array of shape (n_rows, n_features)
        Less an origin, as the queries are.
    squares : array of shape (n_rows,)
        The squared lengths of the rows.
    weights, starts, clusters, n_clusters
        As for `distance_sums`.
    """
    n_queries, n_features = queries.shape
    sums = np.zeros((n_clusters, n_queries))
    for q in range(n_queries):
        length = 0.0
        for f in range(n_features):
            length += queries[q, f] * queries[q, f]
        for cell in range(starts.size - 1):
            total = 0.0
            for row in range(starts[cell], starts[cell + 1]):
                lengths = length + squares[row]
                square = lengths - 2 * products[q, row]
                if square < NEAR * lengths:
                    square = 0.0
                    for f in range(n_features):
                        square += (queries[q, f] - rows[row, f]) ** 2
                total += weights[row] * np.sqrt(square)
            for labelling in range(clusters.shape[1]):
                sums[clusters[cell, labelling], q] += total
    return sums
