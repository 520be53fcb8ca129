"""Spherical k-means: rows are compared by direction, by cosine or correlation."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.parts.bounded import BoundedLloyd
from xcluster.algorithms.parts.directions import METRICS, away, directions
from xcluster.algorithms.parts.inputs import FLOATS, check_weight
from xcluster.algorithms.parts.nearest import check_distances
from xcluster.algorithms.parts.sums import Exact, Sums
from xcluster.base.checks import check_choice
from xcluster.base.streaming import ArrayBlocks, Statistics, iterate

Array = NDArray[Any]


class SphericalKMeans(KMeans):
    """k-means of directions, after Dhillon and Modha [1]_.

    Rows count by their direction alone: each is divided by its length, under "correlation" after
    its mean is subtracted. A centre is the mean of its rows divided by its length, so the weighted
    sum of the cosines between rows and centres is as large as possible. Fits begin with k-means of
    the directions, with its starts and its search.

    Parameters
    ----------
    n_clusters : int, default 8
    metric : {"cosine", "correlation"}, default "cosine"
    init : {"k-means++", "random"}, callable, or array of shape (n_clusters, n_features)
        As for `KMeans`; callables get directions. Given centres may have any length but zero.
    n_init : int, default 10
    max_iter : int, default 300
    tol : float, default 1e-4
    random_state : int, RandomState or None, default 0

    Attributes
    ----------
    cluster_centers_ : array of shape (n_clusters, n_features), float64
        Of length 1; under "correlation" each has mean 0.
    labels_ : array of shape (n_samples,), int32
    inertia_ : float
        Weighted sum of squared distances between directions and centres: 2 (1 - cosine).
    counts_ : array of shape (n_clusters,), float64
        Sum of the sample weights of each cluster.
    n_iter_ : int
        Iterations of the best start.
    centers_are_directions : bool
        True: how long a centre is tells nothing of its rows.

    References
    ----------
    .. [1] I. S. Dhillon and D. S. Modha, "Concept decompositions for large sparse text data using
       clustering", Machine Learning 42 (2001), 143-175.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 0.0], [9.0, 1.0], [0.0, 2.0], [1.0, 8.0]])
    >>> fit = SphericalKMeans(2).fit(X)
    >>> fit.predict(100 * X) == fit.labels_
    array([ True,  True,  True,  True])
    """

    sweeps_by = row_means = None  # type: ignore[assignment]
    centers_are_directions = True

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        metric: str = "cosine",
        init: Any = "k-means++",
        n_init: int = 10,
        max_iter: int = 300,
        tol: float = 1e-4,
        random_state: Any = 0,
    ) -> None:
        self.metric = metric
        super().__init__(
            n_clusters,
            init=init,
            n_init=n_init,
            max_iter=max_iter,
            tol=tol,
            random_state=random_state,
        )

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: rows with gaps have no direction."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = False
        return tags

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Find the centres.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        y : None
            Ignored.
        sample_weight : array of shape (n_samples,), optional
            Not negative; a row of weight zero gets a label and moves no centre.

        Raises
        ------
        ValueError
            For parameters out of range, for rows of zeros (under "correlation": rows that are the
            same in all features), and where rows have fewer than ``n_clusters`` directions.
        """
        check_choice("metric", self.metric, METRICS)
        X = validate_data(self, X, dtype=FLOATS, order="C")
        weight = check_weight(sample_weight, X)
        self._check_parameters(len(X))
        check_distances(self.metric, X)
        Z = directions(X, self.metric)
        self._fit(Z, weight)
        self._settle(X, weight)
        self._label(Z, weight)
        return self

    def _settle(self, X: Array, weight: Array | None) -> None:
        """Iterate until the centres are of their rows, now that they are of length 1."""
        iterate(self, ArrayBlocks(X, weight), self.max_iter)

    def transform(self, X: Any) -> Array:
        """Return angles to the centres in radians, or 1 - r; shape (n_samples, n_clusters)."""
        return away(self._rows(X), self.cluster_centers_, self.metric)

    def statistics_and_shares(
        self, X: Array, sample_weight: Array | None, sums: Sums
    ) -> tuple[Statistics, Array]:
        """Return what `KMeans` does, of directions."""
        return super().statistics_and_shares(directions(X, self.metric), sample_weight, sums)

    def update(self, statistics: Statistics) -> bool:
        """Move each centre to the direction of its rows; return whether the fit is done."""
        done = super().update(statistics)
        self.cluster_centers_ = _unit(self.cluster_centers_)  # a split cluster has other lengths
        return done

    def _rows(self, X: Any) -> Array:
        X = super()._rows(X)
        check_distances(self.metric, X)
        return directions(X, self.metric)

    def _given(self) -> Array:
        centers = super()._given()
        check_distances(self.metric, centers)
        return directions(centers, self.metric)

    def _bounds(self, sums: Exact) -> Array:
        away = np.abs(self.origin_) + 2.0  # no direction is longer than 1
        return sums.heaviest * np.array([*away, 1.0, 16.0 / self.unit_**2])

    def _moved(self, rows: Array, known: Array) -> tuple[Array, Array]:
        totals = rows + known * self.origin_
        return _unit(totals), np.linalg.norm(totals, axis=1, keepdims=True)

    def _means(self, run: BoundedLloyd, X: Array) -> Array:
        return _unit(super()._means(run, X))


def _unit(centers: Array) -> Array:
    """Return centres of length 1; one of no length, of rows that cancel, stays."""
    lengths = np.linalg.norm(centers, axis=1, keepdims=True)
    return np.asarray(centers / np.where(lengths > 0, lengths, 1.0))
