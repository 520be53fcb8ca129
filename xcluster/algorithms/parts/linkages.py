"""Merge trees as scipy linkage matrices: how they are grown, and how they are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import reverse_cuthill_mckee
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import paired_distances

from xcluster.algorithms.parts.directions import directions
from xcluster.algorithms.parts.groups import group_means
from xcluster.base.parallel import map_threads, row_blocks
from xcluster.base.streaming import BLOCK_ROWS

Array = NDArray[Any]

LINKAGES = ("ward", "average", "complete", "single")
# The most rows of a cell in which micro-clusters are grown.
CELL_ROWS = 8192
# With fewer clusters, packing them again costs more time than narrower boxes save.
SMALLEST_REPACK = 512
# Features from which, and rows for each of them up to which, the distances of all pairs are held.
WIDE, ROWS_A_FEATURE = 64, 8
ROWS_AT_ONCE = 256


def ward_linkage(X: Array, weights: Array) -> Array:
    """Return the exact weighted Ward tree in memory proportional to the data.

    Parameters
    ----------
    X : array of shape (n, n_features)
        Finite; n of at least 2.
    weights : array of shape (n,)
        Positive initial sizes. With unit weights the heights are those of
        `scipy.cluster.hierarchy.ward`.

    Returns
    -------
    array of shape (n - 1, 4)
        A scipy linkage matrix, ascending in height.

    References
    ----------
    F. Murtagh, "A survey of recent advances in hierarchical clustering algorithms", The Computer
    Journal 26 (1983) 354-359.
    """
    from xcluster.algorithms.kernels.ward import Merges, merge_until

    n = len(X)
    if X.shape[1] >= WIDE and n <= ROWS_A_FEATURE * X.shape[1]:
        return _ward_of_all_pairs(X, weights)
    merges = Merges(np.empty((n - 1, 2), np.int64), np.empty(n - 1))
    state = X.astype(np.float64), weights.astype(np.float64), np.arange(n), np.zeros(n)
    done = 0
    while done < n - 1:
        live = n - done
        wanted = n - 1 if live <= SMALLEST_REPACK else done + live // 2
        clusters = _pack(*state)
        merge_until(clusters, merges, done, wanted)
        state, done = _unpack(clusters), wanted
    return _as_linkage(merges.pairs, np.sqrt(merges.heights))


def _ward_of_all_pairs(X: Array, weights: Array) -> Array:
    """Return the weighted Ward tree from products of all pairs of rows."""
    from xcluster.algorithms.kernels.ward_matrix import merge_all, to_distances

    rows = X.astype(np.float64)
    rows -= rows.mean(axis=0)  # near the origin squared distances keep their digits
    products = np.empty((len(X), len(X)))

    def multiply(block: slice) -> None:
        np.matmul(rows[block], rows.T, out=products[block])

    map_threads(multiply, row_blocks(len(X), ROWS_AT_ONCE))
    to_distances(products, rows, weights)
    pairs, heights = np.empty((len(X) - 1, 2), np.int64), np.empty(len(X) - 1)
    merge_all(products, weights.astype(np.float64), pairs, heights)
    return _as_linkage(pairs, np.sqrt(heights))


def _pack(centers: Array, weights: Array, nodes: Array, heights: Array) -> Any:
    """Put near clusters into the same block, so that few blocks need be opened."""
    from xcluster.algorithms.kernels.ward import LANES, Clusters

    n_features = centers.shape[1]
    order = np.concatenate(split_in_space(centers, LANES))
    n_blocks = -(-len(order) // LANES)
    padding = n_blocks * LANES - len(order)

    def padded(values: Array, filler: float) -> Array:
        filling = np.full((padding, *values.shape[1:]), filler, values.dtype)
        return np.concatenate([values[order], filling])

    lanes = padded(centers, np.inf).reshape(n_blocks, LANES, n_features)
    return Clusters(
        np.ascontiguousarray(lanes.transpose(0, 2, 1)),
        padded(weights, 1.0).reshape(n_blocks, LANES),
        padded(nodes, -1),
        padded(heights, 0.0),
        np.empty((n_features, n_blocks)),
        np.empty((n_features, n_blocks)),
        np.empty(n_blocks),
    )


def _unpack(clusters: Any) -> tuple[Array, Array, Array, Array]:
    """Return the live clusters' centres, weights, nodes and heights."""
    centers = clusters.centers.transpose(0, 2, 1).reshape(-1, clusters.centers.shape[1])
    live = np.isfinite(centers[:, 0])
    return (
        centers[live],
        clusters.weights.reshape(-1)[live],
        clusters.nodes[live],
        clusters.heights[live],
    )


def split_in_space(X: Array, size: int) -> list[Array]:
    """Halve the rows across their widest feature until no part exceeds ``size``.

    All parts but one hold a multiple of ``size`` rows until the last halving, so they fill
    blocks of that size.
    """
    parts, pending = [], [np.arange(len(X))]
    while pending:
        rows = pending.pop()
        if len(rows) <= size:
            parts.append(rows)
            continue
        inside = X[rows]
        widest = np.argmax(inside.max(axis=0) - inside.min(axis=0))
        half = size * -(-len(rows) // (2 * size))
        if half == len(rows):
            half -= size
        order = np.argpartition(inside[:, widest], half)
        pending += [rows[order[half:]], rows[order[:half]]]
    return parts


def _as_linkage(pairs: Array, heights: Array) -> Array:
    """Sort merges by height and number their nodes in that order, as scipy does."""
    n = len(heights) + 1
    order = np.argsort(heights, kind="stable")
    number = np.arange(2 * n - 1)
    number[n + order] = n + np.arange(n - 1)
    return _with_counts(np.sort(number[pairs[order]], axis=1), heights[order])


def _with_counts(pairs: Array, heights: Array) -> Array:
    """Return the linkage matrix, whose last column counts the leaves under each node."""
    from xcluster.algorithms.kernels.tree import count_leaves

    return np.column_stack([pairs, heights, count_leaves(pairs)])


def pairwise_linkage(X: Array, linkage: str, metric: str) -> Array:
    """Return the average, complete or single linkage tree.

    Single linkage needs memory proportional to the data, the others n (n - 1) / 2 distances.
    """
    import fastcluster

    if linkage == "single":
        return fastcluster.linkage_vector(X, "single", metric)  # type: ignore[no-any-return]
    distances = pdist(X, metric)
    return fastcluster.linkage(distances, linkage, preserve_input=False)  # type: ignore[no-any-return]


def contiguous_linkage(X: Array, weights: Array, edges: Array, linkage: str, metric: str) -> Array:
    """Return the tree in which only neighbours merge.

    Parameters
    ----------
    X : array of shape (n, n_features)
    weights : array of shape (n,)
        Positive initial sizes.
    edges : int array of shape (n_edges, 2)
        Each pair of neighbours once.
    linkage : {"ward", "average", "complete", "single"}
        For all but Ward, two clusters are as far apart as the edges between them say.
    metric : str
        The length of an edge, for all but Ward.

    Returns
    -------
    array of shape (n - 1, 4)
        A scipy linkage matrix in the order of the merges. Heights may fall from one merge to
        the next, as they do in every tree grown under a constraint. Where the graph has several
        parts, the last merges join these at infinite height, in the order of their first rows.
    """
    from xcluster.algorithms.kernels.contiguous import Heap, merge_regions

    n = len(X)
    pairs, heights = np.empty((n - 1, 2), np.int64), np.full(n - 1, np.inf)
    lengths = np.zeros(len(edges)) if linkage == "ward" else _edge_lengths(X, edges, metric)
    regions = _regions(X, weights, edges, lengths)
    heap = Heap(np.empty(n), *(np.empty((n, 2), regions.nodes.dtype) for _ in range(2)))
    done = merge_regions(regions, heap, LINKAGES.index(linkage), pairs, heights)
    if linkage == "ward":
        heights[:done] = np.sqrt(heights[:done])
    _join_parts(pairs, done)
    return _with_counts(pairs, heights)


def _edge_lengths(X: Array, edges: Array, metric: str) -> Array:
    if metric == "correlation":  # scikit-learn pairs rows under some metrics only
        X, metric = directions(X, metric), "cosine"
    blocks = [edges[rows] for rows in row_blocks(len(edges), BLOCK_ROWS)]
    lengths = [paired_distances(X[block[:, 0]], X[block[:, 1]], metric=metric) for block in blocks]
    return np.concatenate([*lengths, np.empty(0)])


def _regions(X: Array, weights: Array, edges: Array, lengths: Array) -> Any:
    """Return the start of a contiguous clustering: every row its own cluster.

    Neighbours are near each other in memory. The tree does not depend on it, as nodes keep the
    numbers of the rows.
    """
    from xcluster.algorithms.kernels.contiguous import Regions

    n = len(X)
    integer = np.int32 if 2 * max(n, len(edges)) < 2**31 else np.int64
    rows = _along_edges(n, edges)
    slots = np.empty(n, integer)
    slots[rows] = np.arange(n)
    links = np.full((2 * len(edges), 2), -1, integer)
    links[:, 1] = slots[edges].reshape(-1)
    return Regions(
        centers=X[rows].astype(np.float64),
        weights=weights[rows].astype(np.float64),
        nodes=rows.astype(integer),
        parents=np.arange(n, dtype=integer),
        ends=np.full((n, 2), -1, integer),
        links=links,
        values=lengths,
        seen=np.full((n, 2), -1, integer),
    )


def _along_edges(n: int, edges: Array) -> Array:
    """Return the rows in an order in which neighbours are near each other."""
    both = (np.concatenate([edges[:, i], edges[:, 1 - i]]) for i in (0, 1))
    graph = coo_array((np.ones(2 * len(edges), bool), tuple(both)), shape=(n, n)).tocsr()
    return np.asarray(reverse_cuthill_mckee(graph, symmetric_mode=True))


def _join_parts(pairs: Array, done: int) -> None:
    """Let the merges after ``done`` join what is left, in the order of the first leaves."""
    from xcluster.algorithms.kernels.tree import groups_by

    n_nodes = len(pairs) + 1 + done
    part = groups_by(pairs, np.arange(len(pairs)) < done)[:n_nodes]
    roots = np.zeros(part.max() + 1, np.int64)
    np.maximum.at(roots, part, np.arange(n_nodes))
    joined = np.concatenate([roots[:1], np.arange(n_nodes, n_nodes + len(roots) - 2)])
    pairs[done:] = np.sort(np.column_stack([joined[: len(roots) - 1], roots[1:]]), axis=1)


def cut_into(linkage: Array, n_groups: int) -> Array:
    """Return the group of each leaf when the last ``n_groups - 1`` merges are undone."""
    from xcluster.algorithms.kernels.tree import groups_by

    n = len(linkage) + 1
    return np.asarray(groups_by(_pairs(linkage), np.arange(n - 1) < n - n_groups)[:n])


def cut_at(linkage: Array, height: float) -> Array:
    """Return the group of each leaf when only merges up to ``height`` are made.

    Where heights fall, a merge counts as high as the highest below it.
    """
    from xcluster.algorithms.kernels.tree import groups_by, highest_below

    pairs = _pairs(linkage)
    kept = highest_below(pairs, np.ascontiguousarray(linkage[:, 2])) <= height
    return np.asarray(groups_by(pairs, kept)[: len(linkage) + 1])


def _pairs(linkage: Array) -> Array:
    return linkage[:, :2].astype(np.int64)


def micro_centers(X: Array, weights: Array, n_micro: int) -> Array:
    """Return the centres of about ``n_micro`` small groups, by Ward within cells of space.

    The trees of all cells are cut at one height, so that groups are small where rows are dense.

    Parameters
    ----------
    X : array of shape (n, n_features)
    weights : array of shape (n,)
        Positive.
    n_micro : int
        Fewer than n.

    Returns
    -------
    array of shape (n_micro, n_features)
        More only where no height gives that number.
    """
    cells = split_in_space(X, CELL_ROWS)
    trees = map_threads(lambda rows: ward_linkage(X[rows], weights[rows]), cells)
    heights = np.sort(np.concatenate([tree[:, 2] for tree in trees]))
    height = heights[len(X) - n_micro - 1]
    groups = [cut_at(tree, height) for tree in trees]
    centers = [
        group_means(X[rows], group, weights[rows])
        for rows, group in zip(cells, groups, strict=True)
    ]
    return np.concatenate(centers)
