"""Scores of a hard partition in the space of its features: inertia, Calinski-Harabasz, ..."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from xcluster.algorithms.parts.gaps import (
    all_distances,
    has_gaps,
    known_means,
    partial_squares,
)
from xcluster.algorithms.parts.moments import pieces
from xcluster.base.arrays import Array
from xcluster.base.checks import check_integer, check_number
from xcluster.base.errors import BadValueError, TooFewError
from xcluster.scores.labelled import LabelledRows, as_matrix, labelled_rows, pair_counts


@dataclass(frozen=True)
class ClusterEntropy:
    """The entropy that is left inside the clusters, and what there was without them.

    Attributes
    ----------
    value : float
        Entropy within clusters, added up over features; 0 where each cluster is constant.
    baseline : float
        The same with all rows in one cluster.
    """

    value: float
    baseline: float

    @property
    def information(self) -> float:
        """What the labels tell about the features: ``baseline - value``, at least 0."""
        return self.baseline - self.value

    def __float__(self) -> float:
        return self.value


def inertia(
    X: ArrayLike,
    labels: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    centers: ArrayLike | None = None,
) -> float:
    """Return the weighted sum of squared distances to the own centre.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    labels : integer array of shape (n_samples,)
        Negative = noise, left out.
    sample_weight : array of shape (n_samples,), optional
    centers : array of shape (n_clusters, n_features), optional
        Labels are positions in it; by default the weighted means of the clusters.

    Returns
    -------
    float
        In squared units of ``X``.

    Raises
    ------
    ValueError
        If a label has no centre, or an array is malformed.

    References
    ----------
    MacQueen (1967), "Some methods for classification and analysis of multivariate observations".

    Examples
    --------
    >>> from xcluster.scores import inertia
    >>> inertia([[0.0], [2.0], [8.0]], [0, 0, 1])
    2.0
    """
    data = labelled_rows(X, labels, sample_weight)
    return float(data.weight @ _squared_distances(data, _centers(data, centers)))


def distortion(
    X: ArrayLike,
    labels: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    centers: ArrayLike | None = None,
) -> float:
    """Return the weighted mean of squared distances to the own centre.

    Parameters
    ----------
    X, labels, sample_weight, centers
        As for `inertia`.

    Returns
    -------
    float

    Examples
    --------
    >>> from xcluster.scores import distortion
    >>> round(distortion([[0.0], [2.0], [8.0]], [0, 0, 1]), 3)
    0.667
    """
    data = labelled_rows(X, labels, sample_weight)
    squares = _squared_distances(data, _centers(data, centers))
    return float(np.average(squares, weights=data.weight))


def calinski_harabasz(
    X: ArrayLike, labels: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Return the variance ratio: between clusters over within, each per degree of freedom.

    Weights count rows here (the total weight stands for the number of rows). Higher is better.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    labels : integer array of shape (n_samples,)
        Negative = noise, left out.
    sample_weight : array of shape (n_samples,), optional

    Returns
    -------
    float
        At least 0; infinite where every cluster is constant.

    Raises
    ------
    ValueError
        If there are fewer than two labels, or as many labels as rows (or as their weight).

    References
    ----------
    Calinski and Harabasz (1974), "A dendrite method for cluster analysis", Communications in
    Statistics 3, 1-27.

    Examples
    --------
    >>> from xcluster.scores import calinski_harabasz
    >>> calinski_harabasz([[0.0], [1.0], [8.0], [9.0]], [0, 0, 1, 1])
    128.0
    """
    data = labelled_rows(X, labels, sample_weight, minimum=2)
    total, k = float(data.weight.sum()), data.n_clusters
    if total <= k:
        raise _no_freedom(total, k, weighted=sample_weight is not None)
    within = float(data.weight @ _squared_distances(data, data.means))
    middle = known_means(data.X, data.weight)
    between = float(data.totals @ _squared_lengths(data.means - middle))
    return between / (k - 1) * (total - k) / within if within > 0 else math.inf


def poisson_deviance(
    X: ArrayLike, labels: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Return the weighted mean deviance of rows of counts from the mean of their cluster.

    It is 2 times the sum of x ln(x / m) - (x - m) over the features of a row, m being the mean: for
    counts what the squared distance is for values of equal noise. Lower is better; noise alone
    gives about 1 per feature where counts are many.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Counts, at least 0.
    labels : integer array of shape (n_samples,)
        Negative = noise, left out.
    sample_weight : array of shape (n_samples,), optional

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    ValueError
        If a value is negative, or a row has gaps (NaN).

    References
    ----------
    McCullagh and Nelder (1989), "Generalized linear models", 2nd ed., section 2.3.

    Examples
    --------
    >>> from xcluster.scores import poisson_deviance
    >>> round(poisson_deviance([[1.0], [3.0], [9.0]], [0, 0, 1]), 4)
    0.3488
    """
    data = labelled_rows(X, labels, sample_weight)
    least = float(data.X.min(initial=0.0))
    if not least >= 0:
        raise BadValueError("X", least, "must be counts, at least 0", "give counts")
    # Over a cluster, x - m adds up to 0, and x ln(m) to m ln(m) times the weight.
    of_rows = sum(data.weight[piece] @ _own_logs(data.X[piece]) for piece in pieces(data.X))
    of_means = float(data.totals @ _own_logs(data.means))
    return max(2 * (float(of_rows) - of_means) / float(data.weight.sum()), 0.0)


def _own_logs(X: Array) -> Array:
    """Return the sum of x ln(x) of each row."""
    X = X.astype(np.float64)
    return np.asarray(xlogy(X, X).sum(axis=1))


def _no_freedom(total: float, k: int, weighted: bool) -> TooFewError:
    """Return the error for labels that leave no degree of freedom within them."""
    if not weighted:
        rule = f"there are as many labels as the {total:g} rows, and nothing is left within them"
        return TooFewError("labels", k, rule, "cluster into fewer labels")
    rule = f"the total weight stands for the number of rows and must exceed the {k} labels"
    remedy = "scale weights to a mean of 1, or use fewer labels"
    return TooFewError("sample_weight", total, rule, remedy)


def davies_bouldin(
    X: ArrayLike, labels: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Return the mean, over clusters, of the worst ratio of scatter to separation.

    Lower is better.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    labels : integer array of shape (n_samples,)
        Negative = noise, left out.
    sample_weight : array of shape (n_samples,), optional

    Returns
    -------
    float
        At least 0; infinite where two clusters that scatter share their mean.

    Raises
    ------
    ValueError
        If there are fewer than two labels, or an array is malformed.

    References
    ----------
    Davies and Bouldin (1979), "A cluster separation measure", IEEE Transactions on Pattern
    Analysis and Machine Intelligence 1, 224-227.

    Examples
    --------
    >>> from xcluster.scores import davies_bouldin
    >>> davies_bouldin([[0.0], [1.0], [8.0], [9.0]], [0, 0, 1, 1])
    0.125
    """
    data = labelled_rows(X, labels, sample_weight, minimum=2)
    distances = data.weight * np.sqrt(_squared_distances(data, data.means))
    scatter = np.bincount(data.cluster, distances) / data.totals
    separation = all_distances(data.means, data.means)
    both = scatter[:, None] + scatter
    touching = np.where(both > 0, np.inf, 0.0)
    ratios = np.divide(both, separation, out=touching, where=separation > 0)
    np.fill_diagonal(ratios, 0.0)
    return float(ratios.max(axis=1).mean())


def cluster_entropy(
    X: ArrayLike,
    labels: ArrayLike,
    bins: int = 10,
    base: float = math.e,
    sample_weight: ArrayLike | None = None,
) -> ClusterEntropy:
    """Return the Shannon entropy left within clusters, added up over features.

    ``H = sum_c sum_k (n_k / n) (-sum_b p log p)`` with ``p`` the share of cluster ``k`` in bin
    ``b`` of feature ``c``. Bins are of equal width over each feature's range and common to all
    clusters. Lower is better; it never rises where a cluster is split.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    labels : integer array of shape (n_samples,)
        Negative = noise, left out.
    bins : int, default 10
        Bins over each feature's range.
    base : float, default e
        Of the logarithm: e gives nats, 2 gives bits.
    sample_weight : array of shape (n_samples,), optional

    Returns
    -------
    ClusterEntropy
        With ``value``, ``baseline`` (one cluster) and ``information``, their difference.

    Raises
    ------
    ValueError
        If ``bins`` is below 1, ``base`` not above 1, or an array is malformed.

    References
    ----------
    Shannon (1948), "A mathematical theory of communication"; the conditional entropy of a
    histogram, summed over features.

    Examples
    --------
    >>> from xcluster.scores import cluster_entropy
    >>> cluster_entropy([[0.0], [1.0], [8.0], [9.0]], [0, 0, 1, 1], base=2)
    ClusterEntropy(value=1.0, baseline=2.0)
    """
    bins = check_integer("bins", bins, minimum=1)
    unit = math.log(check_number("base", base, above=1.0))
    data = labelled_rows(X, labels, sample_weight)
    value = baseline = 0.0
    for column in data.X.T:
        counts = _histograms(data, column, bins)
        value += _entropy(counts)
        baseline += _entropy(counts.sum(axis=0, keepdims=True))
    return ClusterEntropy(value / unit, baseline / unit)


def _histograms(data: LabelledRows, column: Array, bins: int) -> Array:
    """Return weighted counts of shape (n_clusters, bins) over the column's range, without gaps."""
    known = ~np.isnan(column)
    column = column[known]
    low, high = column.min(initial=np.inf), column.max(initial=-np.inf)
    width = (high - low) / bins or 1.0
    place = np.minimum(((column - low) / width).astype(np.intp), bins - 1)
    shape = (data.n_clusters, bins)
    return pair_counts(data.cluster[known], place, shape, data.weight[known])


def _entropy(counts: Array) -> float:
    """Return the mean entropy of the rows of ``counts`` in nats, by the rows' totals."""
    from scipy.special import entr

    counts = counts[counts.any(axis=1)]  # a cluster may lack the feature
    totals = counts.sum(axis=1)
    entropies = entr(counts / totals[:, None]).sum(axis=1)
    return float(np.average(entropies, weights=totals))


def _centers(data: LabelledRows, centers: ArrayLike | None) -> Array:
    """Return the centre of each occurring label."""
    if centers is None:
        return data.means
    matrix = as_matrix("centers", centers)
    if data.names[-1] >= len(matrix):
        rule = f"must have a row for each label up to {data.names[-1]}"
        raise BadValueError("centers", matrix.shape, rule, "pass the centre of each label")
    return matrix[data.names]


def _squared_distances(data: LabelledRows, centers: Array) -> Array:
    """Return each row's squared distance to its own centre, in float64."""
    return _squared_lengths(data.X - centers.astype(np.float64)[data.cluster])


def _squared_lengths(offsets: Array) -> Array:
    """Return the squared length of each row; with gaps, as those of partial distances."""
    if has_gaps(offsets):
        return np.asarray(partial_squares(offsets, np.zeros((1, offsets.shape[1])))[0])
    return np.asarray(np.einsum("ij,ij->i", offsets, offsets))
