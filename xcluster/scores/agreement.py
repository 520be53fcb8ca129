"""Agreement between two labellings of the same rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from xcluster.base.arrays import Array
from xcluster.scores.labelled import check_labels, check_weight, pair_counts


@dataclass(frozen=True, eq=False)
class Contingency:
    """How much weight each pair of labels shares.

    Attributes
    ----------
    table : float64 array of shape (n_labels_a, n_labels_b)
    labels_a, labels_b : integer arrays
        The labels of its rows and of its columns, ascending.
    """

    table: Array
    labels_a: Array
    labels_b: Array

    @property
    def jaccard(self) -> Array:
        """Weight shared over weight in either, for each pair; shape of ``table``."""
        union: Array = self.table.sum(axis=1, keepdims=True) + self.table.sum(axis=0) - self.table
        return self.table / union


@dataclass(frozen=True)
class Agreement:
    """Scores of two labellings; 1 where they agree apart from the numbering.

    Attributes
    ----------
    adjusted_rand, adjusted_mutual_info : float
        About 0 for labels at random.
    v_measure : float
        The harmonic mean of homogeneity and completeness, the first labelling being the truth.
    n_rows : int
        Rows that carry a label in both.
    """

    adjusted_rand: float
    adjusted_mutual_info: float
    v_measure: float
    n_rows: int


def contingency(a: ArrayLike, b: ArrayLike, sample_weight: ArrayLike | None = None) -> Contingency:
    """Return the table of weights shared by each label of ``a`` and each of ``b``.

    Parameters
    ----------
    a, b : integer arrays of shape (n_samples,)
        Rows that are negative (or NaN) in either are left out.
    sample_weight : array of shape (n_samples,), optional

    Returns
    -------
    Contingency

    Raises
    ------
    ValueError
        If lengths differ or labels are not whole numbers.

    Examples
    --------
    >>> from xcluster.scores import contingency
    >>> contingency([0, 0, 1, 1], [5, 5, 5, 7]).table
    array([[2., 0.],
           [1., 1.]])
    """
    a, b, used = _paired(a, b)
    weight = check_weight(sample_weight, len(a))[used]
    labels_a, rows = np.unique(a[used], return_inverse=True)
    labels_b, columns = np.unique(b[used], return_inverse=True)
    table = pair_counts(rows, columns, (len(labels_a), len(labels_b)), weight)
    return Contingency(table, labels_a, labels_b)


def match_labels(
    a: ArrayLike, b: ArrayLike, sample_weight: ArrayLike | None = None
) -> dict[int, int]:
    """Return the label of ``a`` that each label of ``b`` corresponds to.

    One to one, with the most weight on matched pairs (the Hungarian method). Labels of ``b`` that
    are left over, because ``a`` has fewer, get the next numbers above those of ``a``.

    Parameters
    ----------
    a, b : integer arrays of shape (n_samples,)
        Rows that are negative (or NaN) in either are left out.
    sample_weight : array of shape (n_samples,), optional

    Returns
    -------
    dict of int to int
        From each label of ``b`` to its new label; no two share one.

    Raises
    ------
    ValueError
        If lengths differ or labels are not whole numbers.

    References
    ----------
    Kuhn (1955), "The Hungarian method for the assignment problem", Naval Research Logistics
    Quarterly 2, 83-97.

    Examples
    --------
    >>> from xcluster.scores import match_labels
    >>> match_labels([0, 0, 1, 1, 1], [1, 1, 0, 0, 2])
    {0: 1, 1: 0, 2: 2}
    """
    from scipy.optimize import linear_sum_assignment

    a, b, _ = _paired(a, b)
    shared = contingency(a, b, sample_weight)
    rows, columns = linear_sum_assignment(shared.table, maximize=True)
    of_a, of_b = shared.labels_a[rows].tolist(), shared.labels_b[columns].tolist()
    mapping = dict(zip(of_b, of_a, strict=True))
    free = int(a.max(initial=-1)) + 1
    for label in np.unique(b[b >= 0]).tolist():
        if label not in mapping:
            mapping[label] = free
            free += 1
    return dict(sorted(mapping.items()))


def relabel(labels: ArrayLike, mapping: dict[int, int]) -> Array:
    """Return ``labels`` renumbered by ``mapping``; negative labels stay.

    Parameters
    ----------
    labels : integer array of shape (n_samples,)
    mapping : dict of int to int
        For each label of at least 0, as `match_labels` returns it.

    Returns
    -------
    integer array of shape (n_samples,)

    Raises
    ------
    KeyError
        If a label is not in ``mapping``.

    Examples
    --------
    >>> from xcluster.scores import relabel
    >>> relabel([0, 1, -1], {0: 1, 1: 0})
    array([ 1,  0, -1])
    """
    labels = check_labels("labels", labels, np.size(labels))
    names, place = np.unique(labels, return_inverse=True)
    new = [mapping[name] if name >= 0 else name for name in names.tolist()]
    return np.array(new, dtype=np.int64)[place]


def agreement(a: ArrayLike, b: ArrayLike) -> Agreement:
    """Return scores of how far two labellings agree, whatever their numbering.

    Each row counts once: the corrections for chance are defined for counts.

    Parameters
    ----------
    a, b : integer arrays of shape (n_samples,)
        Rows that are negative (or NaN) in either are left out.

    Returns
    -------
    Agreement

    Raises
    ------
    ValueError
        If lengths differ or labels are not whole numbers.

    References
    ----------
    Hubert and Arabie (1985), "Comparing partitions"; Vinh, Epps, Bailey (2010), "Information
    theoretic measures for clusterings comparison"; Rosenberg and Hirschberg (2007), "V-measure".

    Examples
    --------
    >>> from xcluster.scores import agreement
    >>> agreement([0, 0, 1, 1], [1, 1, 0, 0])
    Agreement(adjusted_rand=1.0, adjusted_mutual_info=1.0, v_measure=1.0, n_rows=4)
    """
    from sklearn import metrics

    a, b, used = _paired(a, b)
    return Agreement(
        float(metrics.adjusted_rand_score(a[used], b[used])),
        float(metrics.adjusted_mutual_info_score(a[used], b[used])),
        float(metrics.v_measure_score(a[used], b[used])),
        int(used.sum()),
    )


def _paired(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array, Array]:
    """Return both as checked labels, and which rows are labelled in both."""
    a = check_labels("a", a, np.size(a))
    b = check_labels("b", b, len(a))
    return a, b, (a >= 0) & (b >= 0)
