"""Rows that lack some features, which are NaN: whether any do, and what is known of the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.base.parallel import map_rows

PIECE = 2**18
"""Values worked on at a time."""
SOME_ROWS = 256
"""Rows that are looked at first."""
LEAST_KNOWN = 1e-12
"""Share of a cluster's weight below which its samples lack a feature: the rest is rounding."""


def has_gaps(X: Array) -> bool:
    """Whether any row lacks a feature."""
    # Where gaps are many, a few rows tell it.
    return any(bool(np.isnan(rows.min(initial=np.inf))) for rows in (X[:SOME_ROWS], X))


def known_rows(X: Array) -> Array:
    """Return which rows have a feature, shape (n_rows,)."""
    unknown = np.flatnonzero(np.isnan(X[:, 0]))
    for column in X.T[1:]:  # far fewer values are looked at than in rows as a whole
        if not len(unknown):
            break
        unknown = unknown[np.isnan(column[unknown])]
    known = np.ones(len(X), bool)
    known[unknown] = False
    return known


def patterns(known: Array) -> tuple[Array, Array]:
    """Return the different rows of a bool array, and which of them each row is."""
    order, starts = _sorted(known)
    number = np.empty(len(known), np.int64)
    number[order] = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(known))))
    return known[order[starts]], number


def rows_by_pattern(X: Array) -> Iterator[tuple[Array, Array]]:
    """Yield which features some rows have, and the positions of these rows."""
    known = ~np.isnan(X)
    order, starts = _sorted(known)
    for rows in np.split(order, starts[1:]) if len(X) else ():
        yield known[rows[0]], rows


def _sorted(known: Array) -> tuple[Array, Array]:
    """Return an order in which equal rows of a bool array follow each other, and where each starts.

    The first rows are those without False.
    """
    bits = np.packbits(~known, axis=1)
    order = np.lexsort(bits.T[::-1])  # byte by byte, which takes a pass over the rows each
    sorted_bits = bits[order]
    new = np.ones(len(known), bool)
    new[1:] = (sorted_bits[1:] != sorted_bits[:-1]).any(axis=1)
    return order, np.flatnonzero(new)


def takes_gaps(estimator: Any) -> bool:
    """Whether an estimator can be fitted to rows with gaps: its tags for scikit-learn say so."""
    tags = getattr(estimator, "__sklearn_tags__", None)
    return tags is not None and bool(tags().input_tags.allow_nan)


def fills_gaps(transformer: Any) -> bool:
    """Whether rows behind a transformer surely have no gaps."""
    return bool(getattr(transformer, "fills_gaps", False))


def known_means(X: Array, weight: Array | None = None) -> Array:
    """Return the (weighted) mean of each feature over the rows that have it, in float64."""
    known = ~np.isnan(X)
    weight = np.ones(len(X)) if weight is None else weight
    near = X[known.argmax(axis=0), np.arange(X.shape[1])].astype(np.float64)
    away = np.where(known, X - near, 0.0)
    totals = np.einsum("i,ij->j", weight, known)
    share = np.where(totals > 0, totals, 1.0)  # rows that have a feature may have no weight
    means: Array = near + np.einsum("i,ij->j", weight, away) / share
    return means


def measured_means(means: Array, weight: Array, lacking: Array | None) -> tuple[Array, Array]:
    """Return means of rows, and the weight of the rows that have each feature.

    Parameters
    ----------
    means : array of shape (k, n_features)
        Means of what is known.
    weight : array of shape (k,)
        Of all rows.
    lacking : array of shape (k, n_features), optional
        Of the rows that lack a feature; none do without it. Means of a feature that no row has
        become NaN.
    """
    if lacking is None:
        return means, weight
    every = weight[:, None]
    known = np.where(every - lacking > LEAST_KNOWN * every, every - lacking, 0.0)
    return np.where(known > 0, means, np.nan), known


def filled(X: Array, values: Array) -> Array:
    """Return rows with one value per feature in the place of gaps, in the type of the rows."""
    return np.where(np.isnan(X), values.astype(X.dtype), X)


def check_features(X: Array, weight: Array | None = None) -> None:
    """Refuse features that no row has, or none that weighs anything."""
    rows = X if weight is None else X[weight > 0]
    _refuse("features", np.array([np.isnan(column).all() for column in rows.T]), X)


def check_rows(X: Array) -> None:
    """Refuse rows without any feature."""
    _refuse("rows", ~known_rows(X), X)


def _refuse(what: str, lacking: Array, X: Array) -> None:
    if lacking.any():
        first = ", ".join(map(str, np.flatnonzero(lacking)[:10]))
        rule = f"has {lacking.sum():,} {what} without any value: {first}"
        raise BadValueError("X", X.shape, rule, f"leave these {what} out")


def partial_squares(X: Array, points: Array) -> Array:
    """Return squared distances from the known features, as if the others lay equally far [1]_.

    Parameters
    ----------
    X : array of shape (n_rows, n_features)
    points : array of shape (n_points, n_features)
        They may have gaps too. NaN where a row and a point share no feature.

    Returns
    -------
    float64 array of shape (n_points, n_rows)

    References
    ----------
    .. [1] J. K. Dixon, "Pattern recognition with partly missing data", IEEE Transactions on
       Systems, Man and Cybernetics 9 (1979), 617-621.
    """

    def of_rows(rows: Array) -> Array:
        return np.stack([_partial_squares(rows, point) for point in points], axis=1)

    if not len(points):
        return np.empty((0, len(X)))
    found = map_rows(of_rows, X.astype(np.float64), max(PIECE // X.shape[1], 1))
    return np.concatenate(found).T


def all_distances(X: Array, points: Array, metric: str = "euclidean") -> Array:
    """Return the distance of each row to each point, in float64.

    Euclidean ones are partial where a row or a point has gaps; others are of whole rows.
    """
    from scipy.spatial.distance import cdist

    if metric == "euclidean" and (has_gaps(X) or has_gaps(points)):
        return np.sqrt(partial_squares(X, points)).T
    return np.asarray(cdist(X, points, metric))


def _partial_squares(X: Array, point: Array) -> Array:
    away = X - point
    known = ~np.isnan(away)
    n_known = known.sum(axis=1)
    squares = np.square(np.where(known, away, 0.0)).sum(axis=1)
    share = X.shape[1] / np.where(n_known > 0, n_known, np.nan)
    return np.asarray(squares * share)
