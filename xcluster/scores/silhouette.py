"""Silhouettes: exact for any number of rows, estimated from some rows, or simplified."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xcluster.checks import check_integer, complaint
from xcluster.parallel import map_threads
from xcluster.scores.labelled import LabelledRows, as_matrix, labelled_rows

Array = NDArray[Any]

EXACT_ROWS = 65_536
_FEWEST_SAMPLED = 1_000
_FEWEST_PER_CLUSTER = 30
_BLOCK_ROWS = 16_384
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
    X: ArrayLike, labels: ArrayLike, sample_weight: ArrayLike | None = None
) -> Array:
    """Return the exact silhouette of each row (Rousseeuw 1987).

    ``s = (b - a) / max(a, b)`` with ``a`` the mean distance to the other rows of the own cluster
    and ``b`` the mean distance to the nearest other cluster; 0 for a row alone in its cluster.
    Means are weighted. From the own cluster's weight a row's own is taken off, but never more
    than one: so a row of weight 2 equals the row twice, and weights below one mean what they
    mean elsewhere.

    Distances are computed in the type of ``X`` (float32 stays) and summed in float64. The
    distance matrix is never held: memory beyond a sorted copy of ``X`` does not grow with the
    number of rows but for the result; time grows with its square.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    labels : integer array of shape (n_samples,)
        Negative = noise, left out.
    sample_weight : array of shape (n_samples,), optional
        Rows of weight 0 are left out.

    Returns
    -------
    float64 array of shape (n_samples,)
        NaN for rows left out.

    Raises
    ------
    ValueError
        If there are fewer than two labels, or an array is malformed.

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
    data = labelled_rows(X, labels, sample_weight, minimum=2)
    return data.spread(_silhouettes(data, np.arange(len(data.X))))


def silhouette_score(
    X: ArrayLike,
    labels: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    limit: int = EXACT_ROWS,
    random_state: int = 0,
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
    limit = check_integer("limit", limit, minimum=1)
    data = labelled_rows(X, labels, sample_weight, minimum=2)
    n_rows = len(data.X)
    if n_rows <= limit:
        value = float(np.average(_silhouettes(data, np.arange(n_rows)), weights=data.weight))
        return SilhouetteScore(value, value, value, n_rows)
    n_sampled = max(_FEWEST_SAMPLED, limit**2 // n_rows)
    rows = _stratified_rows(data, n_sampled, np.random.default_rng(random_state))
    return _estimate(data, rows, _silhouettes(data, rows))


def simplified_silhouette_samples(X: ArrayLike, labels: ArrayLike, centers: ArrayLike) -> Array:
    """Return each row's silhouette by centres instead of rows (Hruschka et al. 2004).

    ``a`` is the distance to the own centre and ``b`` that to the nearest other centre: linear in
    the number of rows. Weights play no part but through the centres; average with them for a
    weighted score.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    labels : integer array of shape (n_samples,)
        Positions in ``centers``. Negative = noise, left out.
    centers : array of shape (n_clusters, n_features)

    Returns
    -------
    float64 array of shape (n_samples,)
        NaN for noise.

    Raises
    ------
    ValueError
        If there are fewer than two centres, a label has none, or an array is malformed.

    References
    ----------
    Hruschka, de Castro, Campello (2004), "Evolutionary algorithms for clustering gene-expression
    data", ICDM, 403-406.

    Examples
    --------
    >>> from xcluster.scores import simplified_silhouette_samples
    >>> simplified_silhouette_samples([[0.0], [1.0], [8.0]], [0, 0, 1], [[0.5], [8.0]]).round(2)
    array([0.94, 0.93, 1.  ])
    """
    data = labelled_rows(X, labels)
    centers = as_matrix("centers", centers)
    if len(centers) < 2 or data.names[-1] >= len(centers):
        rule = f"needs at least two rows, and one for each label up to {data.names[-1]}"
        raise ValueError(complaint("centers", centers.shape, rule, "pass the centre of each label"))
    own = data.names[data.cluster]
    blocks = [slice(i, i + _BLOCK_ROWS) for i in range(0, len(own), _BLOCK_ROWS)]
    parts = map_threads(lambda rows: _simplified(data.X[rows], own[rows], centers), blocks)
    return data.spread(np.concatenate(parts))


def simplified_silhouette_score(
    X: ArrayLike, labels: ArrayLike, centers: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Return the weighted mean of `simplified_silhouette_samples`, noise left out.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    labels : integer array of shape (n_samples,)
    centers : array of shape (n_clusters, n_features)
    sample_weight : array of shape (n_samples,), optional

    Returns
    -------
    float

    Examples
    --------
    >>> from xcluster.scores import simplified_silhouette_score
    >>> round(simplified_silhouette_score([[0.0], [1.0], [8.0]], [0, 0, 1], [[0.5], [8.0]]), 2)
    0.96
    """
    kept = labelled_rows(X, labels, sample_weight)
    values = simplified_silhouette_samples(X, labels, centers)
    return float(np.average(values[kept.kept], weights=kept.weight))


def _silhouettes(data: LabelledRows, queries: Array) -> Array:
    """Return the exact silhouettes of the rows at ``queries``, in blocks over threads."""
    from xcluster.algorithms.kernels.silhouette import LANES, distance_sums

    order = np.argsort(data.cluster, kind="stable")
    starts = np.searchsorted(data.cluster[order], np.arange(data.n_clusters + 1))
    matrix = _scaled_and_padded(data.X)
    rows, weights = matrix[order], data.weight[order]

    def of_block(start: int) -> Array:
        block = queries[start : start + LANES]
        columns = np.ascontiguousarray(matrix[block].T)
        sums = distance_sums(columns, rows, weights, starts)
        return _from_sums(sums, data.cluster[block], data.weight[block], data.totals)

    return np.concatenate(map_threads(of_block, range(0, len(queries), LANES)))


def _scaled_and_padded(X: Array) -> Array:
    """Scale by a power of two, which is exact, so that squares cannot overflow; pad to fours."""
    exponent = math.frexp(float(np.abs(X).max(initial=0.0)))[1]
    scaled = np.ldexp(X, -exponent)
    return np.pad(scaled, ((0, 0), (0, -X.shape[1] % 4)))


def _from_sums(sums: Array, cluster: Array, weight: Array, totals: Array) -> Array:
    """Return silhouettes from sums of shape (n_clusters, n_queries); ``sums`` is overwritten."""
    lanes = np.arange(len(cluster))
    others = totals[cluster] - np.minimum(weight, 1.0)
    alone = others <= 1e-12 * totals[cluster]
    a = sums[cluster, lanes] / np.where(alone, 1.0, others)
    sums /= totals[:, None]
    sums[cluster, lanes] = np.inf
    b = sums.min(axis=0)
    return np.where(alone, 0.0, _silhouette(a, b))


def _silhouette(a: Array, b: Array) -> Array:
    larger = np.maximum(a, b)
    return (b - a) / np.where(larger > 0, larger, 1.0)


def _simplified(X: Array, own: Array, centers: Array) -> Array:
    from scipy.spatial.distance import cdist

    distances = cdist(X, centers)
    lanes = np.arange(len(X))
    a = distances[lanes, own]
    distances[lanes, own] = np.inf
    return _silhouette(a, distances.min(axis=1))


def _stratified_rows(data: LabelledRows, n_sampled: int, rng: np.random.Generator) -> Array:
    """Draw rows without replacement, from each cluster in proportion to its weight."""
    shares = np.ceil(n_sampled * data.totals / data.totals.sum()).astype(int)
    members = np.split(
        np.argsort(data.cluster, kind="stable"), np.cumsum(np.bincount(data.cluster))[:-1]
    )
    drawn = [
        rng.choice(rows, min(len(rows), max(share, _FEWEST_PER_CLUSTER)), replace=False)
        for rows, share in zip(members, shares, strict=True)
    ]
    return np.concatenate(drawn)


def _estimate(data: LabelledRows, rows: Array, values: Array) -> SilhouetteScore:
    """Return the stratified ratio estimate: a weighted mean per cluster, then over clusters."""
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
    return SilhouetteScore(value, max(value - half, -1.0), min(value + half, 1.0), len(rows))
