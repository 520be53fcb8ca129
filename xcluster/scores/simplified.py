"""Silhouettes by centres instead of rows: linear in the number of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from xcluster.algorithms.parts.gaps import all_distances
from xcluster.algorithms.parts.nearest import check_distances
from xcluster.base.arrays import Array
from xcluster.base.checks import check_choice
from xcluster.base.errors import BadValueError
from xcluster.base.parallel import map_threads, row_blocks
from xcluster.scores.labelled import as_matrix, labelled_rows
from xcluster.scores.silhouette import SILHOUETTE_METRICS, contrast

BLOCK_ROWS = 16_384


def simplified_silhouette_samples(
    X: ArrayLike, labels: ArrayLike, centers: ArrayLike, *, metric: str = "euclidean"
) -> Array:
    """Return each row's silhouette by centres instead of rows (Hruschka et al. 2004).

    ``a`` is the distance to the own centre and ``b`` that to the nearest other centre: linear in
    the number of rows. Weights count only through the centres; average with them for a
    weighted score.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    labels : integer array of shape (n_samples,)
        Positions in ``centers``. Negative = noise, left out.
    centers : array of shape (n_clusters, n_features)
    metric : {"euclidean", "cosine", "correlation"}, default "euclidean"

    Returns
    -------
    float64 array of shape (n_samples,)
        NaN for noise.

    Raises
    ------
    ValueError
        If there are fewer than two centres, a label has none, an array is malformed, or ``metric``
        is unknown or not defined for a row or centre.

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
    check_choice("metric", metric, SILHOUETTE_METRICS)
    data = labelled_rows(X, labels)
    centers = as_matrix("centers", centers)
    for rows in (data.X, centers):
        check_distances(metric, rows)
    if len(centers) < 2 or data.names[-1] >= len(centers):
        rule = f"needs at least two rows, and one for each label up to {data.names[-1]}"
        raise BadValueError("centers", centers.shape, rule, "pass the centre of each label")
    own = data.names[data.cluster]
    blocks = row_blocks(len(own), BLOCK_ROWS)
    parts = map_threads(lambda rows: _simplified(data.X[rows], own[rows], centers, metric), blocks)
    return data.spread(np.concatenate(parts))


def simplified_silhouette_score(
    X: ArrayLike,
    labels: ArrayLike,
    centers: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    metric: str = "euclidean",
) -> float:
    """Return the weighted mean of `simplified_silhouette_samples`, noise left out.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    labels : integer array of shape (n_samples,)
    centers : array of shape (n_clusters, n_features)
    sample_weight : array of shape (n_samples,), optional
    metric : {"euclidean", "cosine", "correlation"}, default "euclidean"

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
    values = simplified_silhouette_samples(X, labels, centers, metric=metric)
    return float(np.average(values[kept.kept], weights=kept.weight))


def _simplified(X: Array, own: Array, centers: Array, metric: str) -> Array:
    distances = all_distances(X, centers, metric)
    lanes = np.arange(len(X))
    a = distances[lanes, own]
    distances[lanes, own] = np.inf
    return contrast(a, np.fmin.reduce(distances, axis=1))
