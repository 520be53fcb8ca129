"""Labelled rows, checked, with noise left out: what every score starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from xcluster.algorithms.parts.groups import group_means
from xcluster.base.arrays import Array
from xcluster.base.errors import BadTypeError, BadValueError, TooFewError


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Rows that carry a label and a weight above zero.

    Attributes
    ----------
    X : float array of shape (n_kept, n_features)
    cluster : integer array of shape (n_kept,)
        The position of each row's label in ``names``.
    weight : float64 array of shape (n_kept,)
    names : integer array of shape (n_clusters,)
        The labels that occur, ascending.
    kept : boolean array of shape (n_samples,)
        Which of the rows given these are.
    """

    X: Array
    cluster: Array
    weight: Array
    names: Array
    kept: Array

    @property
    def n_clusters(self) -> int:
        """The number of labels that occur."""
        return len(self.names)

    @property
    def totals(self) -> Array:
        """The total weight of each cluster, shape (n_clusters,)."""
        return np.bincount(self.cluster, self.weight)

    @property
    def means(self) -> Array:
        """The weighted mean of each cluster, shape (n_clusters, n_features)."""
        return group_means(self.X, self.cluster, self.weight)

    def spread(self, values: Array) -> Array:
        """Return values of the kept rows in place among all rows, NaN elsewhere."""
        full = np.full(len(self.kept), np.nan)
        full[self.kept] = values
        return full


def labelled_rows(
    X: ArrayLike, labels: ArrayLike, sample_weight: ArrayLike | None = None, *, minimum: int = 1
) -> LabelledRows:
    """Return the rows with a label of at least 0 and a weight above 0; they may have gaps (NaN).

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    labels : integer array of shape (n_samples,)
        Negative = noise.
    sample_weight : array of shape (n_samples,), optional
    minimum : int, default 1
        The fewest clusters that the score is defined for.

    Raises
    ------
    ValueError
        If shapes disagree, a kept row is infinite or has no value at all, a weight is negative, or
        clusters are too few.
    """
    X = as_matrix("X", X)
    labels = check_labels("labels", labels, len(X))
    weight = check_weight(sample_weight, len(X))
    kept = (labels >= 0) & (weight > 0)
    names, cluster = np.unique(labels[kept], return_inverse=True)
    if len(names) < minimum:
        rule = f"this score needs {minimum} or more labels among the rows that count"
        raise TooFewError("labels", names.tolist(), rule, "cluster into more labels")
    X = X[kept]
    if not np.isfinite(X).all() and (np.isinf(X).any() or np.isnan(X).all(axis=1).any()):
        remedy = "give such rows a negative label, or drop them"
        raise BadValueError("X", "NaN or infinity", "labelled rows must be finite", remedy)
    return LabelledRows(X, cluster, weight[kept], names, kept)


def real_numbers(parameter: str, value: ArrayLike) -> Array:
    """Return ``value`` as an array of integers or floats."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows of several lengths
        array = np.array(None)
    if array.dtype.kind not in "biuf":
        kind = f"{type(value).__name__} of {array.dtype}"
        rule = "must be an array of real numbers"
        raise BadTypeError(parameter, kind, rule, "convert it to numbers")
    return array


def as_matrix(parameter: str, value: ArrayLike) -> Array:
    """Return ``value`` as a 2-D float array; float32 stays, all else becomes float64."""
    array = real_numbers(parameter, value)
    if array.ndim != 2:
        rule = "must have two dimensions, rows and columns"
        raise BadValueError(parameter, array.shape, rule, "reshape it")
    return array if array.dtype == np.float32 else array.astype(np.float64, copy=False)


def check_labels(parameter: str, labels: ArrayLike, n_samples: int) -> Array:
    """Return one integer label per row; whole floats are accepted, NaN counts as noise."""
    array = real_numbers(parameter, labels)
    if array.shape != (n_samples,):
        rule = f"must have one entry for each of the {n_samples} rows"
        raise BadValueError(parameter, array.shape, rule, "pass the labels of these rows")
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), -1.0, array)
        if not np.isfinite(array).all() or (array % 1).any():
            raise BadValueError(parameter, array.dtype, "must be integers", "number the labels")
    return array.astype(np.int64)


def check_weight(sample_weight: ArrayLike | None, n_samples: int) -> Array:
    """Return one finite float64 weight of at least zero for each row; None = ones."""
    if sample_weight is None:
        return np.ones(n_samples)
    weight = real_numbers("sample_weight", sample_weight).astype(np.float64)
    if weight.shape != (n_samples,) or not np.isfinite(weight).all() or (weight < 0).any():
        rule = f"must be {n_samples} finite numbers of at least 0, one for each row"
        raise BadValueError("sample_weight", weight, rule, "check shape and values")
    return weight


def pair_counts(
    first: Array, second: Array, shape: tuple[int, int], weight: Array | None = None
) -> Array:
    """Return how often, or with how much weight, each pair of numbers occurs.

    Parameters
    ----------
    first, second : integer arrays of shape (n_samples,)
        From 0 to less than the sides of ``shape``.
    shape : tuple of two ints
        Of the table: one row for each number in ``first``, one column for each in ``second``.
    weight : array of shape (n_samples,), optional
        Of each pair; 1 by default.

    Returns
    -------
    array of ``shape``
        Integers, or float64 where there are weights.

    Examples
    --------
    >>> import numpy as np
    >>> from xcluster.scores.labelled import pair_counts
    >>> pair_counts(np.array([0, 0, 1]), np.array([1, 1, 0]), (2, 3))
    array([[0, 2, 0],
           [1, 0, 0]])
    """
    n_rows, n_columns = shape
    return np.bincount(first * n_columns + second, weight, n_rows * n_columns).reshape(shape)
