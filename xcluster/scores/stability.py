"""Stability: which labels come back when the rows are drawn again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from xcluster.base.arrays import Array
from xcluster.base.checks import check_choice, check_integer, check_number
from xcluster.scores.agreement import contingency, match_labels
from xcluster.scores.labelled import LabelledRows, as_matrix, labelled_rows

Predict = Callable[[Array], ArrayLike]
Fit = Callable[[Array, Array | None], Predict]


@dataclass(frozen=True, eq=False)
class Refit:
    """One refit, its labels matched with those in question.

    Parameters
    ----------
    predict : callable
        Labels rows by the refit's own numbers.
    mapping : mapping of int to int
        From these to the given labels; what has no partner counts as noise.
    """

    predict: Predict
    mapping: Mapping[int, int]

    def __call__(self, X: Array) -> Array:
        """Return matched labels of rows of shape (n_samples, n_features)."""
        names, place = np.unique(np.asarray(self.predict(X)), return_inverse=True)
        return np.array([self.mapping.get(name, -1) for name in names.tolist()])[place]


@dataclass(frozen=True, eq=False)
class Stability:
    """How well labels survive refits on other rows.

    Attributes
    ----------
    labels : integer array of shape (n_labels,)
        The labels that occur, ascending.
    jaccard : float64 array of shape (n_labels,)
        Mean Jaccard similarity of each label with its match. Hennig's reading: 0.75 and more is
        stable; at 0.6 to 0.75 there is a pattern, but which rows belong to it is uncertain; at
        0.5 and less the cluster is dissolved.
    row_agreement : float64 array of shape (n_samples,)
        The share of refits that give the row its label again; NaN for rows left out.
    mean_agreement : float
        Its weighted mean.
    refits : tuple of Refit
        To label other rows.
    """

    labels: Array
    jaccard: Array
    row_agreement: Array
    mean_agreement: float
    refits: tuple[Refit, ...]


def stability(
    X: ArrayLike,
    labels: ArrayLike,
    fit: Fit,
    *,
    sample_weight: ArrayLike | None = None,
    n_refits: int = 20,
    resampling: str = "bootstrap",
    fraction: float = 0.5,
    random_state: int = 0,
) -> Stability:
    """Refit on resampled rows and measure how well each label and each row comes back.

    Each refit predicts all rows; its labels are matched one to one with the given ones by the
    Hungarian method. Hennig takes each label's most similar cluster instead, and only the rows
    drawn; with a one-to-one match two labels that merge cannot both count as found.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    labels : integer array of shape (n_samples,)
        The result in question. Negative = noise, left out.
    fit : callable
        ``fit(X, sample_weight)`` returns a function ``predict(X) -> labels``; the weight is None
        where none was given here. Predicted noise agrees with no label.
    sample_weight : array of shape (n_samples,), optional
        Drawn rows keep theirs; it also weights the Jaccard similarities and the mean.
    n_refits : int, default 20
    resampling : {"bootstrap", "subsample"}, default "bootstrap"
        As many rows with replacement, or ``fraction`` of them without.
    fraction : float, default 0.5
        For subsamples only; above 0, at most 1.
    random_state : int, default 0

    Returns
    -------
    Stability

    Raises
    ------
    ValueError
        If an option is out of range or an array malformed.

    References
    ----------
    Hennig (2007), "Cluster-wise assessment of cluster stability", Computational Statistics and
    Data Analysis 52, 258-271.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.cluster import KMeans
    >>> from xcluster.scores import stability
    >>> def fit(X, sample_weight):
    ...     return KMeans(2, random_state=0).fit(X, sample_weight=sample_weight).predict
    >>> X = np.array([[0.0], [1.0], [2.0], [20.0], [21.0], [22.0]])
    >>> stability(X, [0, 0, 0, 1, 1, 1], fit, n_refits=5, resampling="subsample").jaccard
    array([1., 1.])
    """
    check_integer("n_refits", n_refits, minimum=1)
    check_choice("resampling", resampling, ("bootstrap", "subsample"))
    check_number("fraction", fraction, above=0.0)
    data = labelled_rows(as_matrix("X", X), labels, sample_weight)
    size = None if resampling == "bootstrap" else max(1, round(min(fraction, 1.0) * len(data.X)))
    refits = [
        _refit(data, fit, size, sample_weight is not None, stream)
        for stream in np.random.default_rng(random_state).spawn(n_refits)
    ]
    matched = [each(data.X) for each in refits]
    agreed = np.mean([data.names[data.cluster] == each for each in matched], axis=0)
    return Stability(
        data.names,
        np.mean([_jaccard(data, each) for each in matched], axis=0),
        data.spread(agreed),
        float(np.average(agreed, weights=data.weight)),
        tuple(refits),
    )


def _refit(
    data: LabelledRows, fit: Fit, size: int | None, weighted: bool, rng: np.random.Generator
) -> Refit:
    """Fit rows drawn at random, and match the labels of all rows."""
    n_rows = len(data.X)
    rows = np.sort(rng.choice(n_rows, size or n_rows, replace=size is None))
    predict = fit(data.X[rows], data.weight[rows] if weighted else None)
    given = data.names[data.cluster]
    mapping = match_labels(given, np.asarray(predict(data.X)), data.weight)
    known = set(data.names.tolist())
    return Refit(predict, {mine: theirs for mine, theirs in mapping.items() if theirs in known})


def _jaccard(data: LabelledRows, matched: Array) -> Array:
    """Return the Jaccard similarity of each label with its match; 0 where it has none."""
    noise = data.names[-1] + 1
    matched = np.where(matched < 0, noise, matched)
    shared = contingency(data.names[data.cluster], matched, data.weight)
    similarity = np.zeros(data.n_clusters)
    found = shared.labels_b < noise
    places = np.searchsorted(data.names, shared.labels_b[found])
    similarity[places] = shared.jaccard[places, np.flatnonzero(found)]
    return similarity
