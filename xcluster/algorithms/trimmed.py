"""Trimmed k-means: the rows farthest from their centre move no centre, and are noise."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from xcluster.algorithms.kmeans import ALIKE, SOME_ROWS, KMeans
from xcluster.algorithms.parts.frame import Frame
from xcluster.algorithms.parts.inputs import weight_or_ones
from xcluster.algorithms.parts.nearest import NOISE
from xcluster.algorithms.parts.placed import BLOCK_ROWS
from xcluster.algorithms.parts.seeding import random_rows
from xcluster.algorithms.parts.spread import NEARLY, quantiles
from xcluster.algorithms.parts.sums import PLAIN, Plain, Sums
from xcluster.algorithms.spherical import SphericalKMeans
from xcluster.base.checks import check_number
from xcluster.base.errors import BadValueError, TooFewError
from xcluster.base.parallel import map_threads, row_blocks
from xcluster.base.streaming import Statistics

Array = NDArray[Any]

FEW_PASSES = 10
"""Number of passes over some rows after which starts are compared."""
ROUNDS = 4
"""Number of searches among the rows that are not trimmed, as long as each ends lower."""
SHIFT = 15
"""Last bits of a float32 that bins leave out: 256 bins to a power of two."""
FIRST_BIN, N_BINS = 63 << 8, 80 << 8
"""Bins of squared distances from 2^-64 to 2^16, in squared units of the frame."""


def check_trim(trim: Any) -> float:
    """Return ``trim`` as a number of at least 0 and below 0.5."""
    remedy = "pass, for example, trim=0.02"
    share = check_number("trim", trim, minimum=0, remedy=remedy)
    if share >= 0.5:
        rule = "must be below 0.5: clusters are of most of the samples"
        raise BadValueError("trim", trim, rule, remedy)
    return share


class _Trimming(KMeans):
    """What both trimmed forms of k-means add to the form that they are made of."""

    sweeps_by = row_means = improve = None  # type: ignore[assignment]
    leaves_noise = True
    trim: float
    _cut: np.float32

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: distances of rows with gaps cannot be compared."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = False
        return tags

    def predict(self, X: Any) -> Array:
        """Return the cluster of each row, of shape (n_samples,), int32; -1 beyond the cut-off."""
        labels, squared = self._nearest(self._rows(X))
        return self._labelled(labels, squared)

    def _labelled(self, labels: Array, squared: Array) -> Array:
        return np.where(squared <= self._cut, labels, np.int32(NOISE))

    def _check_parameters(self, n_samples: int) -> None:
        super()._check_parameters(n_samples)
        check_trim(self.trim)

    def _too_many(self, available: str) -> TooFewError:
        rule = f"must be at most the number of distinct rows that trim={self.trim:g} keeps, and "
        remedy = "ask for fewer clusters, or trim less"
        return TooFewError("n_clusters", self.n_clusters, f"{rule}there are {available}", remedy)

    # ------------------------------------------------------------------------ rows in memory

    def _best(self, X: Array, weight: Array | None, frame: Frame) -> tuple[Array, int]:
        """Return the centres, and the number of passes, of the start that ends lowest."""
        if not (isinstance(self.init, str) or callable(self.init)):
            run = self._concentrated(self._given(), X, weight)
            return run.cluster_centers_, run.n_iter_
        few = slice(None, None, max(len(X) // SOME_ROWS, 1))
        some, part = X[few], None if weight is None else weight[few]
        best = self._searched(self._best_start(some, part, frame), some, part, frame)
        run = self._concentrated(best.cluster_centers_, X, weight)
        return run.cluster_centers_, run.n_iter_

    def _best_start(self, X: Array, weight: Array | None, frame: Frame) -> Self:
        """Return the best of short runs from random rows, and from k-means of all rows.

        The starts of k-means are drawn far apart, and so among rows that should be trimmed.
        """
        random = check_random_state(self.random_state)
        starts = [random_rows(X, self.n_clusters, weight, random) for _ in range(self.n_init)]
        starts.append(super()._best(X, weight, frame)[0])

        def from_start(start: Array) -> list[Self]:
            with suppress(TooFewError):  # another start may keep more rows that differ
                return [self._concentrated(start, X, weight, FEW_PASSES)]
            return []

        found: list[list[Self]] = map_threads(from_start, starts)
        runs = [run for each in found for run in each]
        if not runs:
            raise self._too_many("fewer")
        return min(runs, key=lambda run: run.inertia_)

    def _searched(self, best: Self, X: Array, weight: Array | None, frame: Frame) -> Self:
        """Return a run that is no longer improved by k-means of the rows that it keeps."""
        best = self._concentrated(best.cluster_centers_, X, weight)
        for _ in range(ROUNDS):
            kept = best._nearest(X)[1] <= best._cut
            part = None if weight is None else weight[kept]
            centers, _ = super()._best(np.ascontiguousarray(X[kept]), part, frame)
            run = self._concentrated(centers, X, weight)
            if run.inertia_ >= (1 - ALIKE) * best.inertia_:
                break
            best = run
        return best

    def _concentrated(
        self, centers: Array, X: Array, weight: Array | None, most: int | None = None
    ) -> Self:
        """Return a fit from these centres: each pass trims, and moves centres to their rows."""
        run, done = self._at(centers), False
        run.n_iter_ = 0
        while not done and run.n_iter_ < (most or self.max_iter):
            done = run._concentrate(X, weight)
            run.n_iter_ += 1
        return run

    def _concentrate(self, X: Array, weight: Array | None) -> bool:
        """Make one pass; return whether the centres rest."""
        labels, squared = self._nearest(X)
        kept = self._kept(squared, weight)
        sums = super()._sums

        def of_block(rows: slice) -> Statistics:
            return Statistics(sums(X[rows], kept[rows], labels[rows], squared[rows], PLAIN))

        parts = map_threads(of_block, row_blocks(len(X), BLOCK_ROWS))
        return super().update(Statistics.merge(parts))

    def _kept(self, squared: Array, weight: Array | None) -> Array:
        """Take the cut-off of these rows; return their weights, 0 beyond it."""
        weight = weight_or_ones(weight, len(squared))
        self._take_cut(quantiles(squared, weight, (1 - self.trim,))[0])
        return self._within(squared, weight)

    def _within(self, squared: Array, weight: Array) -> Array:
        return np.where(squared <= self._cut, weight, 0.0)

    def _take_cut(self, squared: Any) -> None:
        self._cut = np.float32(squared)
        self.cutoff_ = float(np.sqrt(self._cut, dtype=np.float64) * self.unit_)

    def _label(self, X: Array, weight: Array | None) -> None:
        """Label the rows by the final centres, and measure those that are kept."""
        labels, squared = self._nearest(X)
        kept = self._kept(squared, weight)
        self.labels_ = self._labelled(labels, squared)
        self.counts_ = np.bincount(labels, kept, minlength=self.n_clusters)
        self.inertia_ = float(squared.astype(np.float64) @ kept) * self.unit_**2

    # ------------------------------------------------------------------------ rows in blocks

    def _sums(
        self, X: Array, weight: Array | None, labels: Array, squared: Array, sums: Sums
    ) -> dict[str, Array]:
        """Return the sums of the rows within the cut-off, and the weights by squared distance."""
        weight = weight_or_ones(weight, len(X))
        kept = self._within(squared, weight)
        found = super()._sums(X, kept, labels, squared, sums)
        return found | {"farness": _weights_by_bin(squared, weight, sums)}

    def update(self, statistics: Statistics) -> bool:
        """Move each centre to the mean of its rows, and take the cut-off that they had.

        Parameters
        ----------
        statistics : Statistics
            Merged from `partial_statistics` of all blocks.

        Returns
        -------
        bool
            Whether the fit is done.
        """
        done = super().update(statistics)
        self._take_cut(_upper_quantile(statistics.sums["farness"], 1 - self.trim))
        return done


def _weights_by_bin(squared: Array, weight: Array, sums: Sums) -> Array:
    """Return the sums of weights by the first bits of squared distances, of shape (N_BINS,)."""
    from xcluster.algorithms.kernels import lloyd

    bits = np.ascontiguousarray(squared).view(np.int32)
    bins = np.clip((bits >> SHIFT) - FIRST_BIN, 0, N_BINS - 1)
    if isinstance(sums, Plain):
        return np.bincount(bins, weight, N_BINS)
    nothing = np.zeros((len(bins), 1)), np.zeros(1)
    grids = sums.grids(sums.heaviest * np.ones(3))
    return lloyd.exact_sums(*nothing, weight, bins, np.zeros(len(bins)), N_BINS, grids)[0]


def _upper_quantile(weights: Array, share: float) -> Any:
    """Return the greatest squared distance of the bin in which a quantile lies."""
    below = np.cumsum(weights)
    found = int(np.searchsorted(below, share * NEARLY * below[-1]))
    return np.array(((found + FIRST_BIN + 1) << SHIFT) - 1, np.int32).view(np.float32)


class TrimmedKMeans(_Trimming):
    """k-means without the rows that are farthest from their centre, after [1]_.

    In each pass the share ``trim`` of the rows (by weight) that lies farthest from the nearest
    centre moves no centre. What is minimised is the sum of squares of the others. `predict` says -1
    beyond the cut-off distance.

    Parameters
    ----------
    n_clusters : int, default 8
    trim : float, default 0.05
        Share of the rows, at least 0 and below 0.5.
    init : {"k-means++", "random"}, callable, or array of shape (n_clusters, n_features)
        As for `KMeans`, from which one of the starts is taken. Given centres are the only start.
    n_init : int, default 10
        Number of starts at random rows, and of those of k-means.
    max_iter : int, default 300
    tol : float, default 1e-4
    random_state : int, RandomState or None, default 0

    Attributes
    ----------
    cluster_centers_ : array of shape (n_clusters, n_features), float64
        Means of the rows that are not trimmed.
    labels_ : array of shape (n_samples,), int32
        -1 where a row is trimmed.
    cutoff_ : float
        The distance beyond which a row belongs to no cluster, in units of the data.
    inertia_ : float
        Weighted sum of squared distances of the rows that are not trimmed.
    counts_ : array of shape (n_clusters,), float64
        Sum of the weights of these rows.
    n_iter_ : int
        Iterations of the last run.
    leaves_noise : bool
        True.

    Notes
    -----
    The cut-off is the least distance within which at least the share 1 - ``trim`` of the weight
    lies, so that rows at equal distances share their fate. Over blocks (`partial_statistics` and
    `update`) each pass trims by the cut-off that the pass before has found, and takes the upper end
    of that bin of squared distances, 256 to a power of two, in which the quantile lies: at most
    0.2 % beyond it, and the same however the rows are divided into blocks.

    Starts are short runs from random rows, and from k-means of all rows. From the best on, k-means
    of the rows that are kept is the next start, as long as it ends lower. With more than 32,768
    rows the starts are compared on some at even steps.

    References
    ----------
    .. [1] J. A. Cuesta-Albertos, A. Gordaliza and C. Matran, "Trimmed k-means: an attempt to
       robustify quantizers", Annals of Statistics 25 (1997), 553-576.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0], [500.0]])
    >>> fit = TrimmedKMeans(2, trim=0.15).fit(X)
    >>> np.sort(fit.cluster_centers_, axis=None), fit.cutoff_
    (array([ 1., 11.]), 1.0)
    >>> fit.predict([[-1.0], [2.0]]) >= 0
    array([False,  True])
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        trim: float = 0.05,
        init: Any = "k-means++",
        n_init: int = 10,
        max_iter: int = 300,
        tol: float = 1e-4,
        random_state: Any = 0,
    ) -> None:
        self.trim = trim
        super().__init__(
            n_clusters,
            init=init,
            n_init=n_init,
            max_iter=max_iter,
            tol=tol,
            random_state=random_state,
        )


class TrimmedSphericalKMeans(_Trimming, SphericalKMeans):
    """Spherical k-means without the rows whose direction is farthest from that of their centre.

    `SphericalKMeans` says what is compared, and `TrimmedKMeans` what is trimmed.

    Parameters
    ----------
    n_clusters : int, default 8
    trim : float, default 0.05
    metric : {"cosine", "correlation"}, default "cosine"
    init : {"k-means++", "random"}, callable, or array of shape (n_clusters, n_features)
    n_init : int, default 10
    max_iter : int, default 300
    tol : float, default 1e-4
    random_state : int, RandomState or None, default 0

    Attributes
    ----------
    cutoff_ : float
        The distance between directions, the root of 2 (1 - cosine), beyond which a row belongs to
        no cluster.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 0.0], [9.0, 1.0], [1.0, 0.1], [0.0, 2.0], [1.0, 8.0], [5.0, -5.0]])
    >>> TrimmedSphericalKMeans(2, trim=0.17).fit(X).labels_ >= 0
    array([ True,  True,  True,  True,  True, False])
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        trim: float = 0.05,
        metric: str = "cosine",
        init: Any = "k-means++",
        n_init: int = 10,
        max_iter: int = 300,
        tol: float = 1e-4,
        random_state: Any = 0,
    ) -> None:
        self.trim = trim
        SphericalKMeans.__init__(
            self,
            n_clusters,
            metric=metric,
            init=init,
            n_init=n_init,
            max_iter=max_iter,
            tol=tol,
            random_state=random_state,
        )

    def _settle(self, X: Array, weight: Array | None) -> None:
        """Leave the centres, which rest already."""
