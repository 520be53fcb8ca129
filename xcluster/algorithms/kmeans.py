"""k-means by Lloyd's iteration over blocks of rows, with sample weights, for data of any size."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from xcluster.algorithms.parts.bounded import BoundedLloyd, iterate_bounded
from xcluster.algorithms.parts.distances import distances
from xcluster.algorithms.parts.distinct import check_distinct
from xcluster.algorithms.parts.frame import Frame
from xcluster.algorithms.parts.gaps import (
    check_features,
    check_rows,
    filled,
    has_gaps,
    known_means,
    measured_means,
)
from xcluster.algorithms.parts.inputs import (
    FLOATS,
    check_init,
    check_shape,
    check_weight,
    finite_or_gaps,
    new_rows,
    weight_or_ones,
)
from xcluster.algorithms.parts.placed import BLOCK_ROWS, PlacedRows
from xcluster.algorithms.parts.seeding import (
    grow,
    kmeans_plusplus,
    random_rows,
    representatives,
)
from xcluster.algorithms.parts.sums import PLAIN, Exact, Plain, Sums
from xcluster.algorithms.parts.swaps import TRIES, improve
from xcluster.base.checks import check_integer, check_number
from xcluster.base.errors import BadValueError, TooFewError
from xcluster.base.parallel import map_rows, map_threads, row_blocks, single_threaded_blas
from xcluster.base.streaming import ArrayBlocks, Statistics, iterate

__all__ = ["KMeans", "grow"]

Array = NDArray[Any]
Run = tuple[BoundedLloyd, int]
WAYS = ("k-means++", "random")
"""How starts are drawn."""
FEW_TRIES = 6
"""Number of swaps without success after which the first search ends, that of the best starts."""
SEARCHED = 2
"""Number of starts, which end differently, from which there is a first search."""
ALIKE = 1e-5
"""Share of the within sum of squares by which starts differ that end alike: in rounding alone."""
FINER = 0.01
"""Factor on the tolerance with which the best run ends after its search."""
SOME_ROWS = 16_384
"""Number of rows on which starts are improved if there are more than twice as many."""
NO_SPREAD = 2.0**-44
"""Share of the squared distance from the origin below which float32 takes rows for one point."""


class KMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """k-means clustering that gives the same labels with any number of threads.

    Lloyd's iteration [1]_ from greedy k-means++ starts. Distances are float32, on rows from
    which something near their mean is subtracted; sums are float64 over blocks of a fixed size,
    merged in order. In memory, bounds [2]_ tell which rows cannot have changed their label; only
    the others are measured again, so the labels are the same as if all were.

    Parameters
    ----------
    n_clusters : int, default 8
    init : {"k-means++", "random"}, callable, or array of shape (n_clusters, n_features)
        How to start, by default "k-means++": rows drawn far apart, or any rows ("random"), or
        ``init(X, n_clusters, random_state)``, where X is the rows or some that stand for all. From
        given centres there is one start, and no search.
    n_init : int, default 10
        Number of starts that are not given. A short local search follows the best two, and a
        longer one the best of these.
    max_iter : int, default 300
        Most iterations of one start.
    tol : float, default 1e-4
        A run is done when the squared shift of all centres is at most this share of the mean
        variance of the features. After a search the best run goes on to a hundredth of it.
    random_state : int, RandomState or None, default 0

    Attributes
    ----------
    cluster_centers_ : array of shape (n_clusters, n_features), float64
    labels_ : array of shape (n_samples,), int32
        Cluster of each row given to `fit`.
    inertia_ : float
        Weighted sum of squared distances to the nearest centre. After `update` that of the rows
        and their cluster means in that pass.
    counts_ : array of shape (n_clusters,), float64
        Sum of the sample weights of each cluster.
    n_iter_ : int
        Iterations of the best start, without those of the search.
    origin_ : array of shape (n_features,), float64
    unit_ : float
        Frame of the float32 distances: near the mean and the spread of the rows given to `fit`.
    sweeps_by : str
        "growing": a fit of more clusters may start from one of fewer, by `grow`.

    Notes
    -----
    The local search removes the centre whose rows lose least without it, and splits the cluster
    that gains most, after which Lloyd's iteration goes on; so breathing k-means [3]_ and swaps
    [4]_ find better optima than many starts. With more than 32,768 rows most of it is done on
    some that stand for all, drawn by weight and by distance to the mean [5]_.

    Rows may have gaps (NaN). What is minimised then is the sum of squared distances over the
    values that rows have, as in k-POD [6]_: a row goes to the centre that is nearest in its known
    features, and a centre is the mean of the values that its rows have. Even where gaps are at
    random, centres are not those of complete rows, however many rows there are [7]_.

    A cluster without rows (or weight) is started again: it takes half of the cluster with the
    largest sum of squares, which is cut through its mean. This needs no row, so it is the same
    in memory and while streaming. Where all other clusters are single points as well there are
    fewer distinct rows than clusters, and that is an error.

    To refine a fitted object on more data, pass over these with `xcluster.base.streaming.iterate`.
    To fit one more cluster from where this fit ended, start from `grow`.

    References
    ----------
    .. [1] S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information
       Theory 28 (1982), 129-137.
    .. [2] G. Hamerly, "Making k-means even faster", SIAM International Conference on Data Mining
       2010, 130-140.
    .. [3] B. Fritzke, "Breathing k-means", arXiv 2006.15666 (2020).
    .. [4] T. Kanungo et al., "A local search approximation algorithm for k-means clustering",
       Computational Geometry 28 (2004), 89-112.
    .. [5] O. Bachem, M. Lucic and A. Krause, "Scalable k-means clustering via lightweight
       coresets", KDD 2018, 1119-1127.
    .. [6] J. T. Chi, E. C. Chi and R. G. Baraniuk, "k-POD: a method for k-means clustering of
       missing data", The American Statistician 70 (2016), 91-99.
    .. [7] Y. Terada and X. Guan, "Some notes on the k-means clustering for missing data",
        arXiv 2410.00546 (2024).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 2.0], [1.0, 4.0], [10.0, 2.0], [10.0, 4.0], [10.0, 3.0]])
    >>> fit = KMeans(2).fit(X)
    >>> sorted(fit.cluster_centers_.tolist())
    [[1.0, 3.0], [10.0, 3.0]]
    >>> finer = KMeans(3, init=grow(fit.cluster_centers_, X)).fit(X)
    >>> finer.inertia_ < fit.inertia_
    True
    """

    _lacking: Array | None = None  # the weight of the gaps, by cluster and feature

    sweeps_by = "growing"
    reads_order_of: tuple[str, ...] = ()

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Any = "k-means++",
        n_init: int = 10,
        max_iter: int = 300,
        tol: float = 1e-4,
        random_state: Any = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: rows may have gaps."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Find the centres.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            float32 and float64 are taken as they are. NaN is a gap.
        y : None
            Ignored.
        sample_weight : array of shape (n_samples,), optional
            Not negative; a row of weight zero gets a label and moves no centre.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters out of range, where fewer than ``n_clusters`` rows are distinct, and
            where a row has no value, or a feature none in any row.
        """
        finite = finite_or_gaps(self)
        X = validate_data(self, X, dtype=FLOATS, order="C", ensure_all_finite=finite)
        weight = check_weight(sample_weight, X)
        self._check_parameters(len(X))
        self._fit(X, weight)
        return self

    def _fit(self, X: Array, weight: Array | None) -> None:
        gaps = has_gaps(X)
        if gaps:
            check_rows(X)
            check_features(X, weight)
        whole = filled(X, known_means(X, weight)) if gaps else X
        frame = Frame.of(whole, weight)
        self.origin_, self.unit_ = frame.origin, frame.unit
        with single_threaded_blas():  # set once: many short passes follow
            find = self._best_on_known if gaps else self._best
            self.cluster_centers_, self.n_iter_ = find(X, weight, frame)
            self._label(X, weight)

    def improve(self, X: Any, sample_weight: Any = None, tries: int = TRIES) -> Self:
        """Move centres of this fit from where they are useless to where they are missing.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Rows about which the centres are improved: those of `fit`, or some that stand for them.
        sample_weight : array of shape (n_samples,), optional
        tries : int, default 24
            Number of swaps without success after which the search ends.

        Returns
        -------
        self
        """
        X = self._rows(X)
        if has_gaps(X):
            remedy = "fit anew, with these centres as init="
            raise BadValueError("X", X.shape, "has gaps, which the search does not know", remedy)
        weight = check_weight(sample_weight, X)
        with single_threaded_blas():
            rows = PlacedRows.of(X, weight, self._frame)
            run, self.n_iter_ = self._run(rows, [self.cluster_centers_], tries)
            self.cluster_centers_ = self._means(run, X)
            self._label(X, weight)
        return self

    def predict(self, X: Any) -> Array:
        """Return the cluster of each row, of shape (n_samples,), int32."""
        return self._nearest(self._rows(X))[0]

    def transform(self, X: Any) -> Array:
        """Return the distances to the centres, of shape (n_samples, n_clusters).

        Of a row with gaps they are partial distances: from what is known, as if the other features
        lay equally far.
        """
        return distances(self._rows(X), self.cluster_centers_)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return minus the weighted sum of squared distances to the nearest centre."""
        X = self._rows(X)
        weight = check_weight(sample_weight, X)
        squared = self._nearest(X)[1]
        total = float(squared @ weight_or_ones(weight, len(X)))
        return -total * self.unit_**2

    def _rows(self, X: Any) -> Array:
        """Return rows, checked, as they are compared with the centres."""
        return new_rows(self, X, order="C")

    def partial_statistics(
        self, X: Array, sample_weight: Array | None = None, sums: Sums = PLAIN
    ) -> Statistics:
        """Return the sums of one block of rows by nearest centre; changes nothing.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        sample_weight : array of shape (n_samples,), optional
        sums : Plain or Exact
            How rows are added.

        Returns
        -------
        Statistics
            Sums ``counts`` (n_clusters), ``rows`` (n_clusters, n_features), of the rows less
            `origin_`, and ``spread`` (n_clusters), of squared distances to the centre; of rows
            with gaps also ``lacking`` (n_clusters, n_features), the weight of the gaps.
        """
        return self.statistics_and_shares(X, sample_weight, sums)[0]

    def statistics_and_shares(
        self, X: Array, sample_weight: Array | None, sums: Sums
    ) -> tuple[Statistics, Array]:
        """Return `partial_statistics` and the labels that they are of, of shape (n,)."""
        X = _floats(X)
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        labels, squared = self._nearest_of(X, sums.gaps and has_gaps(X))
        found = self._sums(X, weight, labels, squared, sums)
        return Statistics(found), self._labelled(labels, squared)

    def _nearest_of(self, X: Array, some_gaps: bool) -> tuple[Array, Array]:
        """Return label and squared distance, in squared units of the frame, of a block's rows."""
        from xcluster.algorithms.kernels.lloyd import nearest

        frame = self._frame
        return nearest(X, frame.origin, frame.unit, frame.place(self.cluster_centers_), some_gaps)

    def _labelled(self, labels: Array, squared: Array) -> Array:
        """Return the labels of rows from their nearest centres and squared distances."""
        return labels

    def _sums(
        self, X: Array, weight: Array | None, labels: Array, squared: Array, sums: Sums
    ) -> dict[str, Array]:
        """Return the sums of a block of rows by label."""
        from xcluster.algorithms.kernels import gaps, lloyd

        frame, some_gaps = self._frame, sums.gaps and has_gaps(X)
        whole, lacking = gaps.split(X, frame.origin) if some_gaps else (X, X)
        given = whole, frame.origin, weight, labels, squared, self.n_clusters
        if isinstance(sums, Plain):
            counts, rows, spread = lloyd.sums(*given)
        else:
            counts, rows, spread = lloyd.exact_sums(*given, sums.grids(self._bounds(sums)))
        found = {"counts": counts, "rows": rows, "spread": spread * frame.unit**2}
        if some_gaps:
            found["lacking"] = self._weights_of(lacking, weight, labels, sums)
        return found

    def _weights_of(self, rows: Array, weight: Array | None, labels: Array, sums: Sums) -> Array:
        """Return the weighted sums by label of rows of zeros and ones."""
        from xcluster.algorithms.kernels import lloyd

        nothing = np.zeros(rows.shape[1]), np.zeros(len(rows), np.float32)
        given = rows, nothing[0], weight, labels, nothing[1], self.n_clusters
        if isinstance(sums, Plain) or weight is None:
            out = sums.nothing(self.n_clusters, rows.shape[1])
            out[(0,) * (out.ndim - 2)] += lloyd.sums(*given)[1]  # whole numbers add exactly
            return out
        return lloyd.exact_sums(*given, sums.grids(sums.heaviest * np.ones(rows.shape[1] + 2)))[1]

    def _bounds(self, sums: Exact) -> Array:
        """Return bounds on the features, the weight and the squared distance of a row."""
        away = sums.about(self.cluster_centers_) / self.unit_
        squared = _squares(away).max()
        return sums.heaviest * np.array([*sums.about(self.origin_), 1.0, 2 * squared])

    def update(self, statistics: Statistics) -> bool:
        """Move each centre to the mean of its rows; return whether the fit is done.

        Parameters
        ----------
        statistics : Statistics
            Merged from `partial_statistics` of all blocks.

        Raises
        ------
        ValueError
            Where fewer than ``n_clusters`` rows are distinct.
        """
        before = self.cluster_centers_
        counts, spread = statistics.sums["counts"], statistics.sums["spread"]
        self._lacking = lacking = statistics.sums.get("lacking")
        known = counts[:, None] - (np.zeros_like(before) if lacking is None else lacking)
        moved, pull = self._moved(statistics.sums["rows"], known)
        # Of a feature that no row of the cluster has, the centre stays where it was.
        centers = np.where(known > 0, moved, before)
        within = np.maximum(spread - _squares(centers - before, pull), 0)
        mean = np.average(centers, axis=0, weights=known)
        total = within.sum() + _squares(centers - mean, known).sum()
        self._split(centers, counts, within)
        self.cluster_centers_, self.counts_ = centers, counts
        self.inertia_ = float(within.sum())
        limit = self.tol * total / known.sum()
        return bool((counts > 0).all() and _squares(centers - before).sum() <= limit)

    def _moved(self, rows: Array, known: Array) -> tuple[Array, Array]:
        """Return the centres that sums of rows give, and by what the square of their way lowers J.

        J is the sum of squares of each cluster; ``known`` is the weight of the rows that have each
        feature.
        """
        return self.origin_ + rows / np.where(known > 0, known, 1.0), known

    def row_means(self) -> tuple[Array, Array]:
        """Return the means of the rows of each cluster, and their weights, in the last pass.

        If rows have gaps, weights are by feature.
        """
        return measured_means(self.cluster_centers_, self.counts_, self._lacking)

    def _split(self, centers: Array, counts: Array, within: Array) -> None:
        """Let each empty cluster take half of the one with the largest sum of squares."""
        rounding = NO_SPREAD * counts * _squares(centers - self.origin_)
        squares, sizes = np.where(within > rounding, within, 0.0), counts.copy()
        direction = np.random.default_rng(0).standard_normal(centers[0].shape)
        direction /= np.linalg.norm(direction)
        for empty in np.flatnonzero(counts == 0):
            widest = int(np.argmax(squares))
            if squares[widest] == 0:
                raise self._too_many(f"{np.sum(counts > 0)} distinct rows")
            step = 0.5 * np.sqrt(squares[widest] / sizes[widest]) * direction
            centers[empty] = centers[widest] + step
            centers[widest] -= step
            for values, share in ((squares, 4), (sizes, 2)):
                values[widest] /= share
                values[empty] = values[widest]

    def _best(self, X: Array, weight: Array | None, frame: Frame) -> tuple[Array, int]:
        """Return the centres and the number of passes of the best run."""
        rows = PlacedRows.of(X, weight, frame)
        try:
            if isinstance(self.init, str) or callable(self.init):
                best, passes = self._search(X, weight, rows)
                iterate_bounded(best, self.max_iter, FINER * self._limit(rows), self._refill)
            else:
                best, passes = self._run(rows, [self._given()])
        except TooFewError as error:
            check_distinct("n_clusters", self.n_clusters, X, weight)
            # There are enough distinct rows, of which float32 tells fewer apart.
            raise self._too_far(X) from error
        return self._means(best, X), passes

    def _given(self) -> Array:
        """Return the starting centres that the user gave."""
        return np.array(self.init, dtype=np.float64)

    def _search(self, X: Array, weight: Array | None, rows: PlacedRows) -> Run:
        """Return the best run from drawn starts, most of it on some rows if there are many."""
        random = check_random_state(self.random_state)
        some, part = representatives(X, weight, SOME_ROWS, random, rows)
        if some is X:
            return self._run(rows, self._starts(X, weight, rows, random), TRIES)
        few = PlacedRows.of(some, part, rows.frame)
        try:
            run, _ = self._run(few, self._starts(some, part, few, random), TRIES)
            starts = [rows.frame.origin + run.means * rows.frame.unit]
        except TooFewError:  # too few of these rows may be distinct, although enough of all are
            starts = self._starts(X, weight, rows, random)
        return self._run(rows, starts, FEW_TRIES)

    def _starts(
        self, X: Array, weight: Array | None, rows: PlacedRows, random: np.random.RandomState
    ) -> list[Array]:
        return [self._start(X, weight, rows, random) for _ in range(self.n_init)]

    def _start(
        self, X: Array, weight: Array | None, rows: PlacedRows, random: np.random.RandomState
    ) -> Array:
        k = self.n_clusters
        if callable(self.init):
            centers = self.init(X, k, random_state=random)
            return check_shape("init(...)", centers, (k, X.shape[1]))
        if self.init == "random":
            check_distinct("n_clusters", k, X, weight)
            return random_rows(X, k, weight, random)
        return kmeans_plusplus(X, k, weight, random, rows)

    def _run(self, rows: PlacedRows, starts: list[Array], tries: int = 0) -> Run:
        """Return the best run of several starts, improved by swaps if any are tried.

        A few swaps are tried from the best starts, as the best of them then often is another.
        """
        limit = self._limit(rows)

        def iterate(run: BoundedLloyd, wanted: float = -np.inf) -> int:
            return iterate_bounded(run, self.max_iter, limit, self._refill, wanted)

        def from_start(start: Array) -> Run:
            run = BoundedLloyd(rows, (start - rows.frame.origin) / rows.frame.unit)
            return run, iterate(run)

        def searched(run: Run) -> Run:
            improve(run[0], iterate, run[1], FEW_TRIES)
            return run

        each = map_threads if rows.few else map
        squares = float(rows.moments()[2])
        runs = _leaders(each(from_start, starts), SEARCHED, squares)
        if len(starts) > 1:
            runs = _leaders(each(searched, runs), 1, squares)
        best, passes = runs[0]
        if tries:
            improve(best, iterate, passes, tries)
        return best, passes

    def _limit(self, rows: PlacedRows) -> float:
        """Return the squared shift of all centres, in units of the frame, that ends a run."""
        return float(self.tol * rows.variance() / self.n_features_in_)

    def _refill(self, run: BoundedLloyd) -> Array:
        """Return the centres after a pass of a run in which clusters were empty."""
        # A fit in the frame of the run, where origin and unit are 0 and 1.
        frame = KMeans(self.n_clusters, tol=self.tol)
        frame.origin_, frame.unit_ = np.zeros(self.n_features_in_), 1.0
        frame.cluster_centers_ = run.means
        sums = {"counts": run.counts, "rows": run.totals, "spread": run.within()}
        frame.update(Statistics(sums))
        centers: Array = frame.cluster_centers_
        return centers

    def _best_on_known(self, X: Array, weight: Array | None, frame: Frame) -> tuple[Array, int]:
        """Return centres for the values that rows have, and the number of passes.

        Centres of rows with means in their gaps are one start. Fresh ones compete with it, on some
        of the rows if there are many.
        """
        if not (isinstance(self.init, str) or callable(self.init)):
            return self._on_known(self._given(), X, weight)
        whole = filled(X, known_means(X, weight))
        few = slice(None, None, max(len(X) // SOME_ROWS, 1))
        some, part = whole[few], None if weight is None else weight[few]
        random = check_random_state(self.random_state)
        starts = self._starts(some, part, PlacedRows.of(some, part, frame), random)
        starts.append(self._best(whole, weight, frame)[0])
        found = [self._on_known(start, X[few], part)[0] for start in starts]
        best = min(found, key=lambda centers: self._loss(centers, X[few], part))
        return self._on_known(best, X, weight)

    def _on_known(self, centers: Array, X: Array, weight: Array | None) -> tuple[Array, int]:
        """Return where Lloyd's iteration on known values ends, and the number of passes."""
        fit = self._at(centers)
        passes = iterate(fit, ArrayBlocks(X, weight), self.max_iter)
        return fit.cluster_centers_, passes

    def _loss(self, centers: Array, X: Array, weight: Array | None) -> float:
        return -self._at(centers).score(X, sample_weight=weight)

    def _at(self, centers: Array) -> Self:
        """Return a fit with these centres in the same frame."""
        fit: Self = clone(self)
        fit.origin_, fit.unit_, fit.n_features_in_ = self.origin_, self.unit_, self.n_features_in_
        fit.cluster_centers_ = centers
        return fit

    def _means(self, run: BoundedLloyd, X: Array) -> Array:
        """Return the centres of a run: means of the rows as given, not as placed."""
        from xcluster.algorithms.kernels.lloyd import sums

        blocks = row_blocks(len(X), BLOCK_ROWS)

        def of_block(b: int) -> tuple[Array, Array]:
            rows, labels, part = X[blocks[b]], run.labels[b], run.rows.weights[b]
            # The labels stand in for distances, of which the sum is not wanted.
            return sums(rows, self.origin_, part, labels, labels, self.n_clusters)[:2]

        parts = zip(*run.rows.each(of_block), strict=True)
        counts, totals = (np.sum(part, axis=0) for part in parts)
        centers = self.origin_ + run.means * self.unit_
        if counts.all():  # else the run ended as it filled an empty cluster
            centers = self.origin_ + totals / counts[:, None]
        return centers

    def _label(self, X: Array, weight: Array | None) -> None:
        """Label the rows by the final centres, and measure them."""
        self.labels_, squared = self._nearest(X)
        weight = weight_or_ones(weight, len(X))
        self.counts_ = np.bincount(self.labels_, weight, minlength=self.n_clusters)
        self.inertia_ = float(squared @ weight) * self.unit_**2

    def _nearest(self, X: Array) -> tuple[Array, Array]:
        """Return label and squared distance, in squared units of the frame, of each row."""
        from xcluster.algorithms.kernels.lloyd import nearest

        frame, gaps = self._frame, has_gaps(X)
        centers = frame.place(self.cluster_centers_)
        parts = map_rows(
            lambda rows: nearest(rows, frame.origin, frame.unit, centers, gaps), X, BLOCK_ROWS
        )
        labels, squared = zip(*parts, strict=True)
        return np.concatenate(labels), np.concatenate(squared)

    @property
    def _frame(self) -> Frame:
        return Frame(self.origin_, self.unit_)

    def _check_parameters(self, n_samples: int) -> None:
        for name in ("n_clusters", "n_init", "max_iter"):
            check_integer(name, getattr(self, name), minimum=1)
        check_number("tol", self.tol, minimum=0)
        if not callable(self.init):
            check_init(self.init, (self.n_clusters, self.n_features_in_), WAYS)
        if self.n_clusters > n_samples:
            raise self._too_many(f"n_samples={n_samples} rows")

    def _too_many(self, available: str) -> TooFewError:
        rule = f"must be at most the number of distinct rows, and there are {available}"
        return TooFewError("n_clusters", self.n_clusters, rule, "ask for fewer clusters")

    def _too_far(self, X: Array) -> BadValueError:
        """Return the error for rows that differ, but not in the seven digits of float32."""
        away = np.abs(X - self.origin_)
        n_far = np.count_nonzero(away > away.max() / 2)
        values = "one value lies" if n_far == 1 else f"{n_far:,} values lie"
        rule = (
            f"cannot be told apart: {values} {away.max():.0e} away, and beside that all else is 0"
        )
        remedy = "mask what lies so far out, or bring it nearer by scale('robust') and clipping"
        return BadValueError("n_clusters", self.n_clusters, rule, remedy)

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)


def _leaders(runs: Iterable[Run], most: int, squares: float) -> list[Run]:
    """Return the best runs, the best first; of those that end alike only the first.

    Rounding, which the unit of the data may change, does not choose among these. ``squares`` is
    the sum of the squared lengths of the rows.
    """
    leaders: list[Run] = []
    for run in runs:
        value = run[0].between()
        margin = ALIKE * max(squares - value, 0.0)
        if all(abs(each[0].between() - value) > margin for each in leaders):
            leaders = nlargest(most, [*leaders, run], key=lambda each: each[0].between())
    return leaders


def _squares(rows: Array, weight: Any = 1.0) -> Array:
    squares: Array = np.einsum("kp,kp->k", weight * rows, rows)
    return squares


def _floats(X: Array) -> Array:
    X = np.asarray(X)
    return np.ascontiguousarray(X, dtype=np.float32 if X.dtype == np.float32 else np.float64)
