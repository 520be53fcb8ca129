"""The gap statistic: clustering against data that have no clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from xcluster.algorithms.parts.frame import Frame
from xcluster.base.arrays import Array
from xcluster.base.checks import check_integer
from xcluster.base.errors import BadValueError
from xcluster.base.parallel import map_threads
from xcluster.scores.labelled import as_matrix, check_weight

Fit = Callable[..., ArrayLike]

_FAR = 10.0


@dataclass(frozen=True, eq=False)
class GapStatistic:
    """The gap of each number of clusters.

    Attributes
    ----------
    ks : integer array of shape (n_ks,)
        Ascending.
    gap : float64 array of shape (n_ks,)
        Mean log inertia of the references less that of the data.
    error : float64 array of shape (n_ks,)
        The standard error ``sd * sqrt(1 + 1 / n_references)``.
    """

    ks: Array
    gap: Array
    error: Array

    @property
    def published(self) -> int | None:
        """The smallest k with ``gap(k) >= gap(k+1) - error(k+1)``; None where it still grows.

        ``k+1`` is the next of the ``ks``, so they should be consecutive; the last cannot be
        chosen.
        """
        candidates = self._candidates
        return int(self.ks[candidates[0]]) if len(candidates) else None

    @property
    def best(self) -> int | None:
        """The `published` choice, passed over where a later one is far better.

        Blobs that lie evenly gain less from their first splits than uniform data do, and then the
        rule stops there, however well separated they are. So a k that fulfils the rule is passed
        over where a later one that fulfils it has a gap larger by more than ten errors; uniform
        data stay within a few, separated blobs exceed forty.
        """
        candidates = self._candidates
        for position in candidates:
            later = candidates[candidates > position]
            if (self.gap[later] - self.gap[position] <= _FAR * self.error[later]).all():
                return int(self.ks[position])
        return None

    @property
    def _candidates(self) -> Array:
        """Positions that fulfil the rule."""
        return np.flatnonzero(self.gap[:-1] >= self.gap[1:] - self.error[1:])


def kmeans_inertias(X: Array, ks: Sequence[int], sample_weight: Array | None = None) -> list[float]:
    """Return the k-means inertia of each k, the best of five starts.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    ks : sequence of int
    sample_weight : array of shape (n_samples,), optional

    Returns
    -------
    list of float

    Examples
    --------
    >>> import numpy as np
    >>> from xcluster.scores import kmeans_inertias
    >>> np.round(kmeans_inertias(np.array([[0.0], [2.0], [8.0]]), [1, 2]), 3)
    array([34.667,  2.   ])
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    frame = Frame.of(np.asarray(X), sample_weight)  # else squares of large numbers overflow
    placed = (X - frame.origin) / frame.unit
    # References are fitted side by side, and threads of OpenMP would only wait for few rows.
    with threadpool_limits(1, user_api="openmp"):
        fits = [
            KMeans(k, n_init=5, random_state=0).fit(placed, sample_weight=sample_weight) for k in ks
        ]
    return [float(fit.inertia_) * frame.unit**2 for fit in fits]


def gap_statistic(
    X: ArrayLike,
    ks: Iterable[int],
    fit: Fit = kmeans_inertias,
    *,
    sample_weight: ArrayLike | None = None,
    n_references: int = 20,
    max_samples: int = 2_000,
    random_state: int = 0,
) -> GapStatistic:
    """Return the gap statistic of each k (Tibshirani et al. 2001).

    Each reference is drawn independently, uniformly from the box around the data along their
    principal axes, with as many rows as the data have.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    ks : iterable of int
        Consecutive, with the k above the largest of interest: the rule looks one ahead. Start at
        1, so that "no clusters" can be the answer.
    fit : callable, default k-means
        ``fit(X, ks)`` returns the inertia of each k; with weights it is called as
        ``fit(X, ks, sample_weight)`` for the data. Called from several threads.
    sample_weight : array of shape (n_samples,), optional
        Enters the principal axes and the inertia of the data; references are uniform.
    n_references : int, default 20
    max_samples : int, default 2,000
        Beyond that number of rows a random sample of so many is taken; the statistic compares
        shapes, which so many rows show, and its cost is that of ``n_references`` sweeps.
    random_state : int, default 0

    Returns
    -------
    GapStatistic
        With ``gap``, ``error``, the k that the rule chooses as ``published``, and ``best``.

    Raises
    ------
    ValueError
        If a k is below 1 or above the number of rows, or ``X`` is not finite.

    References
    ----------
    Tibshirani, Walther, Hastie (2001), "Estimating the number of clusters in a data set via the
    gap statistic", Journal of the Royal Statistical Society B 63, 411-423.

    Examples
    --------
    >>> import numpy as np
    >>> from xcluster.scores import gap_statistic
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 2)) + np.repeat([[0, 0], [20, 0], [0, 20]], 20, axis=0)
    >>> gap_statistic(X, range(1, 6), n_references=5).best
    3
    """
    check_integer("n_references", n_references, minimum=2)
    check_integer("max_samples", max_samples, minimum=2)
    rng = np.random.default_rng(random_state)
    X, weight = _some_rows(as_matrix("X", X), sample_weight, max_samples, rng)
    numbers = _ascending(ks, len(X))
    uniform = _uniform_box(X, weight)
    streams = rng.spawn(n_references)
    drawn = map_threads(lambda stream: _log_dispersion(fit(uniform(stream), numbers)), streams)
    references = np.array(drawn)
    weights = () if sample_weight is None else (weight,)
    # By the mean weight, so that both dispersions sum as many units of weight as there are rows.
    own = _log_dispersion(np.asarray(fit(X, numbers, *weights)) / weight.mean())
    error = references.std(axis=0) * np.sqrt(1 + 1 / n_references)
    return GapStatistic(np.array(numbers), references.mean(axis=0) - own, error)


def _some_rows(
    X: Array, sample_weight: ArrayLike | None, max_samples: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return rows of weight above 0 and their weights, at most ``max_samples``."""
    weight = check_weight(sample_weight, len(X))
    rows = np.flatnonzero(weight)
    if len(rows) > max_samples:
        rows = np.sort(rng.choice(rows, max_samples, replace=False))
    if not np.isfinite(X[rows]).all():
        raise BadValueError("X", "NaN or infinity", "rows must be finite", "drop incomplete rows")
    return X[rows].astype(np.float64), weight[rows]


def _ascending(ks: Iterable[int], n_samples: int) -> list[int]:
    numbers = sorted({check_integer("ks", k, minimum=1) for k in ks})
    if not numbers or numbers[-1] > n_samples:
        rule = f"must be numbers of clusters up to the {n_samples} rows used"
        raise BadValueError("ks", numbers, rule, "pass smaller ks or raise max_samples")
    return numbers


def _uniform_box(X: Array, weight: Array) -> Callable[[np.random.Generator], Array]:
    """Return a function that draws ``len(X)`` rows from the box along the principal axes."""
    middle = np.average(X, axis=0, weights=weight)
    centred = X - middle
    axes = np.linalg.svd(centred * np.sqrt(weight)[:, None], full_matrices=False)[2]
    scores = centred @ axes.T
    low, high = scores.min(axis=0), scores.max(axis=0)
    return lambda rng: rng.uniform(low, high, scores.shape) @ axes + middle


def _log_dispersion(inertias: ArrayLike) -> Array:
    # As many clusters as distinct rows have no dispersion, and 0 has no logarithm to compare.
    return np.log(np.maximum(inertias, np.finfo(np.float64).tiny))
