"""Silhouettes: exact for any number of rows, or estimated from some of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xcluster.algorithms.parts.directions import METRICS, directions
from xcluster.algorithms.parts.gaps import has_gaps
from xcluster.algorithms.parts.nearest import check_distances
from xcluster.base.arrays import Array
from xcluster.base.checks import check_choice, check_integer
from xcluster.base.parallel import map_rows
from xcluster.scores.labelled import LabelledRows, as_matrix, check_labels, labelled_rows

EXACT_ROWS = 65_536
WIDE = 128
"""Features from which distances come from products of rows, in double precision."""
PRODUCTS = 2**21
"""Of rows, computed at once."""
SILHOUETTE_METRICS = ("euclidean", *METRICS)
Distances = Callable[[Array, Array], Array]
"""Returns the distance of each row of one array to each row of another."""
ROUNDING = 1e-14
"""Mean of 1 - cosine below which it is rounding alone."""
_FEWEST_SAMPLED = 1_000
_FEWEST_PER_CLUSTER = 30
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class SilhouetteScore:
    """A mean silhouette with the bounds of its 95 % confidence interval.

    Attributes
    ----------
    value : float
        The mean, or its estimate, between -1 and 1.
    low, high : float
        The interval; both equal ``value`` where every row was used.
    n_evaluated : int
        The number of rows whose silhouette was computed (each against all rows).
    """

    value: float
    low: float
    high: float
    n_evaluated: int

    def __float__(self) -> float:
        return self.value


def silhouette_samples(
    X: ArrayLike,
    labels: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    metric: str | Distances = "euclidean",
) -> Array:
    """Return the exact silhouette of each row (Rousseeuw 1987).

    ``s = (b - a) / max(a, b)`` with ``a`` the mean distance to the other rows of the own cluster
    and ``b`` the mean distance to the nearest other cluster; 0 for a row alone in its cluster.
    Means are weighted. From the weight of the own cluster the row's own weight is taken off, at
    most 1 of it, so that a row of weight 2 equals the row twice.

    Distances of rows with gaps (NaN) are partial: from the features that both have, as if the
    others lay equally far. A row that shares no feature with another is not compared with it. Other
    metrics need all features.

    Distances are computed in the type of ``X`` (float32 stays), those of 128 features and more in
    float64, and summed in float64. The distance matrix is never held: memory beyond copies of
    ``X`` hardly grows with the number of rows, apart from the result; time grows with its square.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    labels : integer array of shape (n_samples,)
        Negative = noise, left out.
    sample_weight : array of shape (n_samples,), optional
        Rows of weight 0 are left out.
    metric : {"euclidean", "cosine", "correlation"} or callable, default "euclidean"
        Distance: 1 - cosine and 1 - r are summed by label, so time does not grow with the square.
        A function of two arrays of rows returns all distances between them, of shape (n, m).

    Returns
    -------
    float64 array of shape (n_samples,)
        NaN for rows left out.

    Raises
    ------
    ValueError
        If there are fewer than two labels, an array is malformed, or ``metric`` is unknown or not
        defined for a row.

    References
    ----------
    Rousseeuw (1987), "Silhouettes: a graphical aid to the interpretation and validation of
    cluster analysis", Journal of Computational and Applied Mathematics 20, 53-65.

    Examples
    --------
    >>> from xcluster.scores import silhouette_samples
    >>> silhouette_samples([[0.0], [1.0], [8.0], [9.0]], [0, 0, 1, 1]).round(2)
    array([0.88, 0.87, 0.87, 0.88])
    """
    _check_metric(metric)
    data = labelled_rows(X, labels, sample_weight, minimum=2)
    return data.spread(_silhouettes(data, [data.cluster], np.arange(len(data.X)), metric)[0])


def silhouette_score(
    X: ArrayLike,
    labels: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    limit: int = EXACT_ROWS,
    random_state: int = 0,
    metric: str | Distances = "euclidean",
) -> SilhouetteScore:
    """Return the weighted mean silhouette, exact up to ``limit`` rows, estimated beyond.

    The estimate takes a random sample of rows, stratified by cluster, and computes the silhouette
    of each against *all* rows, so that each is exact and their mean is unbiased (silhouettes
    within a sample are not). ``limit**2 / n_samples`` rows are taken, at least 1,000: as much
    work as ``limit`` rows exactly. The interval is that of a stratified ratio estimate with
    finite population correction (Cochran 1977).

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    labels : integer array of shape (n_samples,)
        Negative = noise, left out.
    sample_weight : array of shape (n_samples,), optional
    limit : int, default 65,536
        The most rows that are all evaluated.
    random_state : int, default 0
    metric : {"euclidean", "cosine", "correlation"} or callable, default "euclidean"

    Returns
    -------
    SilhouetteScore

    Raises
    ------
    ValueError
        If there are fewer than two labels, or an array is malformed.

    See Also
    --------
    silhouette_samples : The definition, and what weights mean.

    References
    ----------
    Cochran (1977), "Sampling Techniques", 3rd edition, Wiley, chapters 5 and 6.

    Examples
    --------
    >>> from xcluster.scores import silhouette_score
    >>> round(silhouette_score([[0.0], [1.0], [8.0], [9.0]], [0, 0, 1, 1]).value, 2)
    0.87
    """
    return silhouette_scores(
        X,
        [labels],
        sample_weight=sample_weight,
        limit=limit,
        random_state=random_state,
        metric=metric,
    )[0]


def silhouette_scores(
    X: ArrayLike,
    labellings: Sequence[ArrayLike],
    *,
    sample_weight: ArrayLike | None = None,
    limit: int = EXACT_ROWS,
    random_state: int = 0,
    metric: str | Distances = "euclidean",
) -> list[SilhouetteScore]:
    """Return the `silhouette_score` of several labellings, each distance taken once for all.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    labellings : sequence of integer arrays of shape (n_samples,)
        Rows that are negative in any of them are left out. Where rows are sampled they are
        stratified by the labelling of most labels.
    sample_weight : array of shape (n_samples,), optional
    limit : int, default 65,536
        The most rows that are all evaluated.
    random_state : int, default 0
    metric : {"euclidean", "cosine", "correlation"} or callable, default "euclidean"

    Returns
    -------
    list of SilhouetteScore
        NaN for a labelling of a single label.

    Raises
    ------
    ValueError
        If none has two labels, or an array is malformed.

    Examples
    --------
    >>> from xcluster.scores import silhouette_scores
    >>> X = [[0.0], [1.0], [8.0], [9.0]]
    >>> [round(each.value, 2) for each in silhouette_scores(X, [[0, 0, 1, 1], [0, 0, 0, 1]])]
    [0.87, 0.03]
    """
    limit = check_integer("limit", limit, minimum=1)
    _check_metric(metric)
    X = as_matrix("X", X)
    labels = [check_labels("labels", each, len(X)) for each in labellings]
    noise = np.min(labels, axis=0) < 0
    finest = max(labels, key=lambda each: len(np.unique(each)))
    data = labelled_rows(X, np.where(noise, -1, finest), sample_weight, minimum=2)
    clusters = [np.unique(each[data.kept], return_inverse=True)[1] for each in labels]
    rows = np.arange(len(data.X))
    if len(data.X) > limit:
        n_sampled = max(_FEWEST_SAMPLED, limit**2 // len(data.X))
        rows = _stratified_rows(data, n_sampled, np.random.default_rng(random_state))
    values = _silhouettes(data, clusters, rows, metric)
    return [_estimate(data, rows, each) for each in values]


def _check_metric(metric: str | Distances) -> None:
    if not callable(metric):
        check_choice("metric", metric, SILHOUETTE_METRICS)


def _silhouettes(
    data: LabelledRows, labellings: Sequence[Array], queries: Array, metric: str | Distances
) -> Array:
    """Return the silhouettes of the rows at ``queries``, shape (n_labellings, n_queries)."""
    from xcluster.algorithms.kernels.silhouette import LANES

    cell, clusters, edges = _cells(labellings)
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(len(clusters) + 1))
    cells = data.weight[order], starts, clusters, edges[-1]
    sums_of: Callable[[Array], Any]
    at_once = LANES
    if not isinstance(metric, str):
        sums_of = _by_function(metric, data.X, order, *cells)
    elif metric != "euclidean":
        check_distances(metric, data.X)
        sums_of = _by_directions(directions(data.X, metric), order, *cells)
    elif has_gaps(data.X):
        sums_of = _by_known(data.X, order, *cells)
    elif data.X.shape[1] >= WIDE:
        sums_of = _by_products(data.X, order, *cells)
        at_once = max(LANES, PRODUCTS // len(data.X))
    else:
        sums_of = _by_differences(data.X, order, *cells)
    totals = np.concatenate([np.bincount(each, data.weight) for each in labellings])[:, None]

    def of_block(block: Array) -> list[Array]:
        found = sums_of(block)
        sums, weights = found if isinstance(found, tuple) else (found, totals)
        of_each = (np.split(each, edges[:-1]) for each in (sums, weights))
        parts = zip(*of_each, labellings, strict=True)
        return [_from_sums(a, b, each[block], data.weight[block]) for a, b, each in parts]

    return np.concatenate(map_rows(of_block, queries, at_once), axis=1)


def _by_differences(X: Array, order: Array, *cells: Any) -> Callable[[Array], Array]:
    """Return what sums the distances from some rows to all, which are sorted by cell."""
    from xcluster.algorithms.kernels.silhouette import distance_sums

    matrix = np.pad(_scaled(X), ((0, 0), (0, -X.shape[1] % 4)))
    rows = matrix[order]
    return lambda block: distance_sums(np.ascontiguousarray(matrix[block].T), rows, *cells)


def _by_function(
    metric: Distances,
    X: Array,
    order: Array,
    weight: Array,
    starts: Array,
    clusters: Array,
    n_clusters: int,
) -> Callable[[Array], Array]:
    """Do what `_by_differences` does for distances that a function computes."""
    rows = X[order]

    def sums(block: Array) -> Array:
        found = np.add.reduceat(metric(rows, X[block]) * weight[:, None], starts[:-1], axis=0)
        totals = np.zeros((n_clusters, len(block)))
        for numbers in clusters.T:
            np.add.at(totals, numbers, found)
        return totals

    return sums


def _by_known(X: Array, order: Array, *cells: Any) -> Callable[[Array], tuple[Array, Array]]:
    """Return what sums partial distances, and the weight of the rows that have them."""
    from xcluster.algorithms.kernels.silhouette import partial_distance_sums

    matrix = _scaled(X)
    rows = matrix[order]
    return lambda block: partial_distance_sums(np.ascontiguousarray(matrix[block].T), rows, *cells)


def _by_products(X: Array, order: Array, *cells: Any) -> Callable[[Array], Array]:
    """Do what `_by_differences` does, faster for many features."""
    from xcluster.algorithms.kernels.silhouette import distance_sums_by_products

    matrix = _scaled(X).astype(np.float64)
    matrix -= matrix.mean(axis=0)  # near the origin squared distances keep their digits
    rows = matrix[order]
    squares = np.einsum("ij,ij->i", rows, rows)

    def sums(block: Array) -> Array:
        queries = matrix[block]
        return distance_sums_by_products(queries @ rows.T, queries, rows, squares, *cells)

    return sums


def _by_directions(
    X: Array, order: Array, weight: Array, starts: Array, clusters: Array, n_clusters: int
) -> Callable[[Array], Array]:
    """Do what `_by_differences` does for 1 - cosine: cosines add up as rows do."""
    from xcluster.algorithms.kernels.products import rows_product

    rows = np.column_stack([X, np.ones(len(X))])[order] * weight[:, None]
    of_cells = np.add.reduceat(rows, starts[:-1], axis=0)
    totals = np.zeros((n_clusters, rows.shape[1]))
    for numbers in clusters.T:
        np.add.at(totals, numbers, of_cells)
    vectors, weights = totals[:, :-1], totals[:, -1:]

    def sums(block: Array) -> Array:
        found = weights - rows_product(X[block], np.zeros(X.shape[1]), vectors, np.float64).T
        return np.where(found > ROUNDING * weights, found, 0.0)

    return sums


def _cells(labellings: Sequence[Array]) -> tuple[Array, Array, Array]:
    """Return the cell of each row: those of one cell share a cluster in every labelling.

    Also the clusters of each cell, numbered on from one labelling to the next, and where the
    numbers of each labelling end.
    """
    cell = np.zeros(len(labellings[0]), np.int64)
    for each in labellings:
        cell = np.unique(cell * (each.max() + 1) + each, return_inverse=True)[1]
    first = np.unique(cell, return_index=True)[1]
    edges = np.cumsum([each.max() + 1 for each in labellings])
    shifted = [each[first] + edge for each, edge in zip(labellings, [0, *edges[:-1]], strict=True)]
    return cell, np.stack(shifted, axis=1), edges


def _scaled(X: Array) -> Array:
    """Scale by a power of two, which is exact, so that squares cannot overflow."""
    exponent = math.frexp(float(np.fmax.reduce(np.abs(X), axis=None, initial=0.0)))[1]
    return np.ldexp(X, -exponent)


def _from_sums(sums: Array, totals: Array, cluster: Array, weight: Array) -> Array:
    """Return silhouettes from sums of distances, and of weights of the rows with a distance.

    Both have the shape (n_clusters, n_queries), or one column of weights.
    """
    if len(totals) < 2:
        return np.full(len(cluster), np.nan)
    lanes, totals = np.arange(len(cluster)), np.broadcast_to(totals, sums.shape)
    own = totals[cluster, lanes]
    others = own - np.minimum(weight, 1.0)
    alone = others <= 1e-12 * own
    a = sums[cluster, lanes] / np.where(alone, 1.0, others)
    means = np.divide(sums, totals, out=np.full(sums.shape, np.inf), where=totals > 0)
    means[cluster, lanes] = np.inf
    b = means.min(axis=0)
    alone |= np.isinf(b)  # no feature in common with any row of another cluster
    return np.where(alone, 0.0, contrast(a, np.where(alone, 0.0, b)))


def contrast(a: Array, b: Array) -> Array:
    """Return ``(b - a) / max(a, b)``, 0 where both are 0."""
    larger = np.maximum(a, b)
    return (b - a) / np.where(larger > 0, larger, 1.0)


def _stratified_rows(data: LabelledRows, n_sampled: int, rng: np.random.Generator) -> Array:
    """Draw rows without replacement, from each cluster in proportion to its weight."""
    shares = np.ceil(n_sampled * data.totals / data.totals.sum()).astype(int)
    ends = np.cumsum(np.bincount(data.cluster))
    members = np.split(np.argsort(data.cluster, kind="stable"), ends[:-1])
    drawn = [
        rng.choice(rows, min(len(rows), max(share, _FEWEST_PER_CLUSTER)), replace=False)
        for rows, share in zip(members, shares, strict=True)
    ]
    return np.concatenate(drawn)


def _estimate(data: LabelledRows, rows: Array, values: Array) -> SilhouetteScore:
    """Return the stratified ratio estimate: a weighted mean per cluster, then over clusters.

    Of all rows it is their weighted mean, and its variance none.
    """
    cluster, weight = data.cluster[rows], data.weight[rows]
    drawn, present = np.bincount(cluster), np.bincount(data.cluster)
    weights = np.bincount(cluster, weight)
    means = np.bincount(cluster, weight * values) / weights
    residuals = weight * (values - means[cluster])
    spread = np.bincount(cluster, residuals**2) / np.maximum(drawn - 1, 1)
    variances = (1 - drawn / present) * spread / drawn / (weights / drawn) ** 2
    shares = data.totals / data.totals.sum()
    value = float(shares @ means)
    half = _NORMAL_95 * math.sqrt(float(shares**2 @ variances))
    low, high = np.clip([value - half, value + half], -1.0, 1.0)
    return SilhouetteScore(value, float(low), float(high), len(rows))
