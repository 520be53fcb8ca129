"""Scores and per-row doubt of soft memberships: arrays ``P`` of shape (n_samples, n_clusters)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from xcluster.algorithms.parts.gaps import all_distances
from xcluster.base.arrays import Array
from xcluster.base.checks import check_number
from xcluster.base.errors import BadValueError
from xcluster.scores.labelled import as_matrix, check_weight

ROBUSTNESS_EDGES = (0.0, 0.33, 0.66, 0.9, 0.99, 1.0)
ROBUSTNESS_CLASSES = ("unlikely", "as likely as not", "likely", "very likely", "virtually certain")


def partition_coefficient(P: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the mean of the summed squared memberships (Bezdek 1981): 1 = crisp.

    Parameters
    ----------
    P : array of shape (n_samples, n_clusters)
        Rows with NaN are left out.
    sample_weight : array of shape (n_samples,), optional

    Returns
    -------
    float
        Between 1 / n_clusters and 1 where memberships add up to one.

    Raises
    ------
    ValueError
        If an array is malformed or no row is complete.

    References
    ----------
    Bezdek (1981), "Pattern Recognition with Fuzzy Objective Function Algorithms", Plenum.

    Examples
    --------
    >>> from xcluster.scores import partition_coefficient
    >>> partition_coefficient([[1.0, 0.0], [0.5, 0.5]])
    0.75
    """
    return _mean(np.square(_memberships(P)).sum(axis=1), sample_weight)


def partition_entropy(P: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the mean of `membership_entropy` in nats (Bezdek 1981): 0 = crisp.

    Parameters
    ----------
    P : array of shape (n_samples, n_clusters)
        Rows with NaN are left out.
    sample_weight : array of shape (n_samples,), optional

    Returns
    -------
    float
        Between 0 and log n_clusters where memberships add up to one.

    Raises
    ------
    ValueError
        If an array is malformed or no row is complete.

    References
    ----------
    Bezdek (1981), "Pattern Recognition with Fuzzy Objective Function Algorithms", Plenum.

    Examples
    --------
    >>> from xcluster.scores import partition_entropy
    >>> round(partition_entropy([[1.0, 0.0], [0.5, 0.5]]), 3)
    0.347
    """
    return _mean(membership_entropy(P), sample_weight)


def xie_beni(
    X: ArrayLike,
    P: ArrayLike,
    centers: ArrayLike,
    m: float = 2.0,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return compactness over separation of a fuzzy partition; lower is better.

    ``sum u^m d^2 / (n min |c_i - c_j|^2)``, distances Euclidean; partial ones of rows with gaps.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    P : array of shape (n_samples, n_clusters)
        Rows with NaN are left out.
    centers : array of shape (n_clusters, n_features)
    m : float, default 2
        The fuzzifier; 2 is the index as published.
    sample_weight : array of shape (n_samples,), optional

    Returns
    -------
    float
        Infinite where two centres coincide.

    Raises
    ------
    ValueError
        If shapes disagree, there are fewer than two centres, or ``m`` is not above 0.

    References
    ----------
    Xie and Beni (1991), "A validity measure for fuzzy clustering", IEEE Transactions on Pattern
    Analysis and Machine Intelligence 13, 841-847.

    Examples
    --------
    >>> from xcluster.scores import xie_beni
    >>> xie_beni([[0.0], [4.0]], [[1.0, 0.0], [0.0, 1.0]], [[1.0], [3.0]])
    0.25
    """
    from scipy.spatial.distance import pdist

    X, P, centers = as_matrix("X", X), _memberships(P), as_matrix("centers", centers)
    if len(centers) < 2 or P.shape != (len(X), len(centers)):
        rule = f"X {X.shape} and centers {centers.shape} need ({len(X)}, {len(centers)}), 2 or more"
        raise BadValueError("P", P.shape, rule, "pass the memberships of these rows")
    power = check_number("m", m, above=0.0)
    squares = all_distances(X, centers) ** 2
    compactness = _mean((P**power * squares).sum(axis=1), sample_weight)
    separation = float(pdist(centers, "sqeuclidean").min())
    return compactness / separation if separation > 0 else float("inf")


def membership_entropy(P: ArrayLike) -> Array:
    """Return the Shannon entropy of each row's memberships, in nats: 0 = no doubt.

    Parameters
    ----------
    P : array of shape (n_samples, n_clusters)

    Returns
    -------
    float64 array of shape (n_samples,)
        NaN where a membership is NaN.

    References
    ----------
    Shannon (1948), "A mathematical theory of communication".

    Examples
    --------
    >>> from xcluster.scores import membership_entropy
    >>> membership_entropy([[1.0, 0.0], [0.5, 0.5]]).round(3)
    array([0.   , 0.693])
    """
    from scipy.special import entr

    return np.asarray(entr(_memberships(P)).sum(axis=1))


def membership_margin(P: ArrayLike) -> Array:
    """Return each row's largest membership less its second largest: 0 = a tie.

    Parameters
    ----------
    P : array of shape (n_samples, n_clusters)

    Returns
    -------
    float64 array of shape (n_samples,)
        The membership itself where there is one cluster only; NaN where a membership is NaN.

    References
    ----------
    Scheffer, Decomain, Wrobel (2001), "Active hidden Markov models for information extraction",
    who name the margin.

    Examples
    --------
    >>> from xcluster.scores import membership_margin
    >>> membership_margin([[0.75, 0.25, 0.0], [0.5, 0.5, 0.0]])
    array([0.5, 0. ])
    """
    P = _memberships(P)
    if P.shape[1] == 1:
        return P[:, 0].copy()
    ordered = np.partition(P, -2, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])  # NaN sorts last, so it takes its row


def robustness(P: ArrayLike) -> Array:
    """Return ``(max p - 1/K) K / (K - 1)`` of each row: 0 = even, 1 = certain.

    Parameters
    ----------
    P : array of shape (n_samples, n_clusters)
        Probabilities, which add up to one.

    Returns
    -------
    float64 array of shape (n_samples,)
        1 where there is one cluster only; NaN where a membership is NaN.

    References
    ----------
    Maze et al. (2017), "Coherent heat patterns revealed by unsupervised classification of Argo
    temperature profiles in the North Atlantic Ocean", Progress in Oceanography 151, 275-292.

    Examples
    --------
    >>> from xcluster.scores import robustness
    >>> robustness([[1.0, 0.0], [0.75, 0.25], [0.5, 0.5]])
    array([1. , 0.5, 0. ])
    """
    P = _memberships(P)
    k = P.shape[1]
    largest: Array = P.max(axis=1)
    return (largest - 1 / k) * k / (k - 1) if k > 1 else largest


def robustness_classes(P: ArrayLike) -> Array:
    """Return the class of each row's robustness: a position in `ROBUSTNESS_CLASSES`.

    The classes part at `ROBUSTNESS_EDGES`; a value on an edge belongs to the class above.

    Parameters
    ----------
    P : array of shape (n_samples, n_clusters)

    Returns
    -------
    integer array of shape (n_samples,)
        -1 where a membership is NaN.

    References
    ----------
    As for `robustness`.

    Examples
    --------
    >>> from xcluster.scores import ROBUSTNESS_CLASSES, robustness_classes
    >>> [ROBUSTNESS_CLASSES[i] for i in robustness_classes([[1.0, 0.0], [0.75, 0.25]])]
    ['virtually certain', 'as likely as not']
    """
    values = robustness(P)
    return np.where(np.isnan(values), -1, np.digitize(values, ROBUSTNESS_EDGES[1:-1]))


def _memberships(P: ArrayLike) -> Array:
    """Return ``P`` in float64; (n_samples, n_clusters) with at least one cluster."""
    matrix = as_matrix("P", P).astype(np.float64, copy=False)
    if not matrix.shape[1] or (matrix < 0).any():
        rule = "memberships must be at least 0, one column for each cluster"
        raise BadValueError("P", matrix.shape, rule, "pass probabilities or memberships")
    return matrix


def _mean(values: Array, sample_weight: ArrayLike | None) -> float:
    """Return the weighted mean of the values that are not NaN."""
    weight = check_weight(sample_weight, len(values))
    used = ~np.isnan(values) & (weight > 0)
    if not used.any():
        rule = "needs a complete row of weight above 0"
        raise BadValueError("P", values.shape, rule, "check for NaN")
    return float(np.average(values[used], weights=weight[used]))
