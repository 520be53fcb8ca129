"""From samples to a fitted result: rows, then steps, then the clusterer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from xcluster.algorithms.parts.distinct import n_distinct
from xcluster.algorithms.parts.gaps import filled, has_gaps, known_means
from xcluster.algorithms.parts.ordering import data_order
from xcluster.algorithms.parts.row_moments import Gathered, Moments
from xcluster.algorithms.parts.sums import Exact, extremes, rounded
from xcluster.base.checks import as_typed, blamed, check_integer, warn
from xcluster.base.errors import BadValueError, NotCountsError
from xcluster.base.memory import check_memory
from xcluster.base.progress import bar
from xcluster.base.streaming import BlockFunction, Statistics, iterate
from xcluster.blocks import matrix, rows
from xcluster.blocks.block import Block
from xcluster.blocks.ends import repeated_ends
from xcluster.blocks.gaps import check_enough
from xcluster.blocks.tally import Tally
from xcluster.chain.question import Question
from xcluster.chain.reduction import Chain, Reduction, feature_names, keeps_means
from xcluster.chain.steps import FittedStep, Step, resolve
from xcluster.fit import gaps, gathering, means
from xcluster.fit.means import Beside, Means
from xcluster.fit.methods import Method, Options
from xcluster.fit.record import Record
from xcluster.grid.fills import undecoded
from xcluster.grid.layout import Layout, shown_columns

Array = NDArray[Any]

ALL_POINTS = 1_000_000
ALL_VALUES = 150_000_000
SAMPLE_ROWS = 100_000
SAMPLE_VALUES = 25_000_000
BYTES_PER_VALUE, BYTES_PER_ROW = 20, 600
"""Measured at the peak of a contiguous fit of 1,040,400 rows of 1 to 12 values, beside the data."""

OBJECTIVES = {
    "inertia_": 1,
    "loss_": 1,
    "objective_": 1,
    "quantization_error_": 1,
    "lower_bound_": -1,
}
"""Attributes of estimators that hold what a fit minimises (1) or maximises (-1)."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Rows in the space that is clustered, ready for any number of clusterers.

    Parameters
    ----------
    X : array of shape (n, n_components)
        The rows.
    weight : array of shape (n,), optional
        Weights of the rows.
    reduction
        The fitted steps.
    record
        How many rows there were, and which were fitted.
    key : array of shape (n,)
        The canonical position of each row, if all rows were gathered.
    blocks
        All rows as blocks, if the fit streams.
    data : array of shape (n, n_columns), optional
        The rows before the first step through which a mean cannot be taken back; None if there
        is no such step.
    data_sums
        How features of all rows are added, if the fit streams.
    span : tuple of two arrays of shape (n_features,), optional
        The extremes of the features.
    """

    X: Array
    weight: Array | None
    reduction: Reduction
    record: Record
    key: Array
    blocks: LayoutBlocks | None = None
    data: Array | None = None
    data_sums: Exact | None = None
    span: tuple[Array, Array] | None = None


class Fit(NamedTuple):
    """A fitted clusterer, what was fitted, and the means of its rows; None for prototypes."""

    estimator: Any
    record: Record
    means: Means | None


@dataclass(eq=False)
class LayoutBlocks:
    """All rows of a layout after some fitted steps. Each ``reduce`` is one pass over the data.

    Sums are the same bits in any chunks. For this they need bounds on the rows, which are guessed
    from the sample. The first pass tells how far the rows reach. If they reach beyond the guess,
    this pass is made again.

    Parameters
    ----------
    layout
        Layout of the rows.
    chain
        The fitted steps.
    unit
        What weights are divided by.
    sums
        The bounds, guessed at first.
    beside
        What each pass sums of the features too; `last` is what the last one found.
    """

    layout: Layout
    chain: Chain
    unit: float
    sums: Exact
    measured: bool = False
    beside: Beside | None = None
    last: Statistics | None = None

    def reduce(self, function: BlockFunction) -> Statistics:
        """Return the merged statistics of every block."""
        merged = self._pass(function)
        if not self.measured:
            self.measured = True
            wider = self.sums.widened(merged.maxima)
            if wider is not self.sums:
                self.sums = wider
                merged = self._pass(function)
        total = {name: rounded(each) for name, each in merged.sums.items()}
        self.last = replace(merged, sums=total)
        return self.last

    def _pass(self, function: BlockFunction) -> Statistics:
        measures = not self.measured
        of_block = _OfBlock(self.chain, function, self.unit, self.sums, measures, self.beside)
        owner = type(getattr(function, "__self__", function)).__name__.lower()
        called = f"{owner}-pass"  # such as kmeans-pass
        merged = matrix.reduce(self.layout, of_block, _merge_present, called=called)
        if merged is None:
            raise BadValueError("fit_on", "all", "no block holds a row", "check the mask")
        return merged


@dataclass(frozen=True, eq=False)
class _OfBlock:
    chain: Chain
    function: BlockFunction
    unit: float
    sums: Exact
    measures: bool
    beside: Beside | None

    def __call__(self, block: Block) -> Statistics | None:
        complete = block.complete
        if not complete.any():
            return None
        weight = None if block.weight is None else block.weight[complete] / self.unit
        X = block.rows(complete)
        Z = self.chain(X)
        finite = self.chain.usable(Z) if self.chain.steps else complete[complete]
        if not finite.all():
            X, Z, weight = X[finite], Z[finite], None if weight is None else weight[finite]
        if self.beside is None:
            found = self.function(Z, weight, self.sums)
        else:
            found = self.beside.statistics(X, Z, weight, self.sums)
        if not self.measures:
            return found
        return replace(found, maxima={**found.maxima, **self.sums.extent(Z, weight)})


def _merge_present(parts: Sequence[Statistics | None]) -> Statistics | None:
    present = [part for part in parts if part is not None]
    return Statistics.merge(present) if present else None


# ------------------------------------------------------------------------------ rows and steps


def prepare(
    question: Question, options: Options, k: int = 1, needs_all: str | None = None
) -> Prepared:
    """Read the rows, and fit the steps to them.

    If a sample has fewer than ``k`` different rows, all different rows are used instead; if fewer
    than ``k`` samples are complete, the error says why. With ``needs_all``, which `plan` explains,
    there is no sample.
    """
    layout = question.layout
    gaps.check_steps(question)
    wanted, streams = plan(layout, options.fit_on, needs_all)
    found = draw(layout, wanted, gathering.asked(question) if streams else None)
    n_fitted = len(found.X)
    gaps.check_features(layout, found.X)
    check_enough(layout, found.tally, k)
    if n_fitted < found.tally.complete and n_distinct(found.X, k) < k:
        found, streams = rows.distinct(layout), False
        n_fitted = found.tally.complete
    fit_on = _fit_on_text(n_fitted, found.tally, streams)
    seed = question.random_state if options.random_state is None else options.random_state
    remarks = [*undecoded(layout, found.tally.filled), *repeated_ends(layout, found.X)]
    for sentence in remarks:
        warn(sentence)
    record = Record.of(found.tally, layout, n_fitted, fit_on, seed, remarks)
    found, unit = ordered(found, n_fitted)
    return _fit_steps(question, found, record, unit if streams else None, options.progress)


def draw(layout: Layout, wanted: int | None, gather: rows.Gather | None = None) -> rows.Rows:
    """Return a sample of ``wanted`` complete rows, or all rows if it is None.

    With a sample, the same pass can ``gather`` sums of all rows.
    """
    return rows.gather(layout) if wanted is None else rows.sample(layout, wanted, gather)


def ordered(found: rows.Rows, n: int) -> tuple[rows.Rows, float]:
    """Return rows in an order that follows from their values, and their mean weight.

    The exact order by value comes before any sum, so that both are the same bits however the rows
    were arranged.

    The weights are divided by this mean, so that the unit of the weights does not matter. ``n`` is
    the number of samples that the rows stand for.
    """
    exact = found.exact_order()
    order = data_order(without_gaps(found.X, exact), exact)
    # In place: there are two copies of the rows now, the peak of memory of a fit.
    found.key[:] = found.key[order]
    X = np.take(found.X, order, axis=0)
    X += 0  # -0.0 becomes 0.0: they are equal, so either might stand here
    if found.weight is None:
        return replace(found, X=X), 1.0
    weight = found.weight[order]
    unit = float(weight.sum()) / n
    if not unit > 0:
        rule = "add up to 0 over the complete samples"
        raise BadValueError("weights", unit, rule, "give some samples a weight above 0")
    return replace(found, X=X, weight=weight / unit), unit


def without_gaps(X: Array, order: Array) -> Array:
    """Return rows with the means of the known values, summed in this order, in their gaps."""
    return filled(X, known_means(X[order])) if has_gaps(X) else X


def plan(layout: Layout, fit_on: Any, needs_all: str | None = None) -> tuple[int | None, bool]:
    """Return how many rows to sample (None: all), and whether to stream.

    Only the shape of the data decides; or ``needs_all``, the name of a parameter that says which
    samples are neighbours, for example: there are none in a sample.
    """
    n = layout.n_pooled
    small = n <= ALL_POINTS and n * layout.n_features <= ALL_VALUES
    enough = max(min(SAMPLE_ROWS, SAMPLE_VALUES // layout.n_features), 1)
    if isinstance(fit_on, str):
        if fit_on not in ("auto", "all"):
            rule = "must be 'auto', 'all' or a number of rows"
            raise BadValueError("fit_on", fit_on, rule, "pass fit_on='auto'")
        if needs_all:
            return None, False
        return (None if small else enough), fit_on == "all" and not small
    wanted = check_integer("fit_on", fit_on, minimum=1)
    if needs_all:
        rule = f"{needs_all}= needs all samples, not some of them"
        remedy = "leave fit_on out, or select a part of the data"
        raise BadValueError("fit_on", fit_on, rule, remedy)
    return (None if wanted >= n else wanted), False


def _fit_on_text(n_fitted: int, tally: Tally, streams: bool) -> str:
    if streams:
        return "all rows, streamed"
    return "all rows" if n_fitted == tally.complete else "a sample"


def _fit_steps(
    question: Question, found: rows.Rows, record: Record, unit: float | None, progress: bool
) -> Prepared:
    """Fit the steps to rows and, if the fit streams, to all rows with weights in ``unit``."""
    layout = question.layout
    chain, unweighted, sampled = Chain(gaps=layout.coverage is not None), [], []
    empty: Counter[str] = Counter()
    every, data = None if unit is None else AllRows.of(layout, found, unit), None
    data_sums = None if every is None else every.data_sums(found)
    all_ = found.gathered
    span = extremes(found.X) if all_ is None else (all_.least, all_.greatest)
    for step in resolve(question.steps, layout):
        transformer = step.build(found.X.shape[1], layout)
        if getattr(transformer, "shows_progress", False):
            transformer.set_params(progress=progress)
        with as_typed(step.kind.typed_as), _named_feature(layout, chain):
            takes_weight = fit_estimator(transformer, found.X, found.weight)
            knows_all = not every or every.refine(transformer, chain, found.X, found.weight)
        unweighted += [] if takes_weight else [str(step)]
        sampled += [] if knows_all else [str(step)]
        empty[getattr(transformer, "lacks", "counts")] += getattr(transformer, "n_empty_", 0)
        if data is None and not keeps_means(transformer):
            data = found.X
        found, kept = _transformed(transformer, chain, found)
        data = data if data is None or kept is None else data[kept]
        fitted = FittedStep(_unique(step, chain), step.kind, transformer)
        chain = replace(chain, steps=(*chain.steps, fitted))
    record = replace(record, unweighted=tuple(unweighted), sampled=tuple(sampled))
    record = _without(empty, record)
    X, weight = found.X, found.weight
    blocks = None if every is None else every.blocks(chain, X, weight)
    reduction = Reduction(layout, chain)
    return Prepared(X, weight, reduction, record, found.key, blocks, data, data_sums, span)


def _without(empty: Counter[str], record: Record) -> Record:
    """Return the record without rows that were left out, numbered by what they lack."""
    if not empty.total():
        return record
    n, lacking = empty.total(), " or ".join(+empty)
    return replace(record, fitted=record.fitted - n, empty=n, lacking=lacking)


@contextmanager
def _named_feature(layout: Layout, chain: Chain) -> Iterator[None]:
    """Let errors about values that are no counts name the feature as users know it."""
    try:
        yield
    except NotCountsError as error:
        if not chain.keeps_columns:
            raise
        features = layout.features
        place = int(np.argsort(shown_columns(features))[error.column])
        raise error.at(repr(feature_names(features)[place])) from None


def _transformed(
    transformer: Any, chain: Chain, found: rows.Rows
) -> tuple[rows.Rows, Array | None]:
    """Return rows after a fitted step, without those that hold none of the counts it needs.

    Where some are left out, also return which are kept.
    """
    found = replace(found, X=np.asarray(transformer.transform(found.X)))
    if not getattr(transformer, "n_empty_", 0):
        return found, None
    kept = np.flatnonzero(chain.usable(found.X))
    return found.take(kept), kept


@dataclass(eq=False)
class AllRows:
    """What is known of all rows behind the steps that are fitted so far, while some are in memory.

    Parameters
    ----------
    layout
        Layout of the rows.
    unit
        What weights are divided by.
    moments
        Moments of the rows; None if they are not known.
    behind
        Those of the rows behind the first step, if they were gathered with the sample.
    gathered
        What was gathered with the sample.
    """

    layout: Layout
    unit: float
    moments: Moments | None
    behind: Moments | None
    gathered: Gathered | None = None

    @classmethod
    def of(cls, layout: Layout, found: rows.Rows, unit: float) -> AllRows:
        """Return what was gathered with a sample."""
        gathered = found.gathered
        moments = None if gathered is None else gathered.moments(unit)
        if gathered is None or gathered.behind is None:
            return cls(layout, unit, moments, None, gathered)
        return cls(layout, unit, moments, gathered.behind.moments(unit), gathered)

    def data_sums(self, found: rows.Rows) -> Exact | None:
        """Return how features of all rows are added, of which some are in memory."""
        all_ = self.gathered
        if all_ is None:
            return None
        return Exact.spanning(found.X, all_.least, all_.greatest, all_.heaviest / self.unit)

    def refine(self, transformer: Any, chain: Chain, X: Array, weight: Array | None) -> bool:
        """Fit a step to all rows, if it can be; return whether it knows all rows then."""
        knows_all = self._fit(transformer, chain, X, weight)
        moments, self.behind = self.behind, None
        if moments is None and self.moments is not None:
            moments = self.moments.through(transformer)
        self.moments = moments
        return knows_all

    def _fit(self, transformer: Any, chain: Chain, X: Array, weight: Array | None) -> bool:
        known = self.moments
        fits_moments = known is not None and hasattr(transformer, "fit_moments")
        if fits_moments and transformer.fit_moments(known):
            return True
        if not streams_blocks(transformer):
            return bool(getattr(transformer, "is_stateless", False))
        max_passes = getattr(transformer, "max_passes", 1)
        iterate(transformer, self.blocks(chain, X, weight), max_passes)
        return True

    def blocks(self, chain: Chain, X: Array, weight: Array | None) -> LayoutBlocks:
        """Return all rows behind a chain as blocks; ``X`` are those in memory."""
        known = self.moments
        bounds = Exact.guessed(X, weight) if known is None else known.bounds(X)
        bounds = replace(bounds, gaps=chain.gaps)
        return LayoutBlocks(self.layout, chain, self.unit, bounds)


def _unique(step: Step, chain: Chain) -> str:
    """Return a name that no step of the chain has yet, as a Pipeline needs it."""
    taken, name = set(chain.names), step.name
    numbered = (f"{name}_{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(each for each in numbered if each not in taken)


def takes_weights(estimator: Any) -> bool:
    """Whether an estimator is fitted with weights; some of ours only with some parameters."""
    takes: bool = getattr(estimator, "takes_weights", True)
    return takes and has_fit_parameter(estimator, "sample_weight")


def fit_estimator(estimator: Any, X: Array, weight: Array | None) -> bool:
    """Fit, with weights if the estimator takes them; return whether all weights were used."""
    gaps.check_filled(estimator, X)
    takes = has_fit_parameter(estimator, "sample_weight")
    keywords = {} if weight is None or not takes else {"sample_weight": weight}
    remedy = f"check its parameters, and whether it can be fitted to {len(X):,} samples"
    with blamed("estimator", estimator, remedy):
        estimator.fit(X, **keywords)
    return bool(getattr(estimator, "uses_weight", True)) if keywords else weight is None


def refit(unfitted: Any, X: Array, weight: Array | None) -> Callable[[Array], Array]:
    """Return a function that predicts the labels of rows, from a fit to other rows."""
    estimator = clone(unfitted)
    fit_estimator(estimator, X, weight)
    predict: Callable[[Array], Array] = estimator.predict
    return predict


def streams_blocks(estimator: Any) -> bool:
    """Whether an estimator can be fitted block by block."""
    return hasattr(estimator, "partial_statistics") and getattr(estimator, "streams", True)


# ---------------------------------------------------------------------------------- clusterers


def fit_clusterer(prepared: Prepared, estimator: Any, progress: bool) -> Fit:
    """Fit one clusterer to the rows and, if the fit streams, refine it over all blocks."""
    fit_estimator(estimator, prepared.X, prepared.weight)
    record = count_labels(prepared, estimator)
    if prepared.blocks is None:
        return Fit(estimator, record, own_means(prepared, estimator, len(record.counts)))
    return refine_clusterer(prepared, estimator, record, progress)


def refine_clusterer(prepared: Prepared, estimator: Any, record: Record, progress: bool) -> Fit:
    """Continue from the fit of the sample; each iteration is one pass over all blocks."""
    assert prepared.blocks is not None
    chain, n_raw, blocks = prepared.reduction.chain, len(record.counts), prepared.blocks
    if not (_are_prototypes(prepared, estimator) or means.known_by(estimator, chain)):
        assert prepared.data_sums is not None, "extremes are gathered with a sample"
        blocks = replace(blocks, beside=Beside(estimator, prepared.data_sums, n_raw, chain.gaps))
    forget_rows(estimator)
    with bar(progress, "pass", total=None) as shown:

        def after_pass(done: int) -> None:
            shown.set_postfix(objective=f"{objective(estimator):.6g}")
            shown.update()

        passes = iterate(estimator, blocks, estimator.max_iter, after_pass)
    counts = getattr(estimator, "counts_", None)
    if counts is None:  # a mixture has shares instead of counts
        counts = estimator.weights_ * estimator.weight_sum_
    counts = tuple(float(each) for each in counts)
    fitted = record.complete - record.empty
    record = replace(record, passes=passes, counts=counts, fitted=fitted)
    return Fit(estimator, record, _streamed_means(prepared, blocks, estimator))


def _streamed_means(prepared: Prepared, blocks: LayoutBlocks, estimator: Any) -> Means | None:
    """Return the means of all rows, as the last pass found them."""
    if _are_prototypes(prepared, estimator):
        return None
    chain = prepared.reduction.chain
    if blocks.beside is None:
        found = Means(*estimator.row_means()).back(chain, prepared.span)
        return found.filled(chain, reduced_centers(estimator))
    assert blocks.last is not None, "there was a pass"
    found = blocks.beside.means(blocks.last.sums)
    return found.filled(chain, reduced_centers(estimator))


def own_means(prepared: Prepared, estimator: Any, n_raw: int) -> Means | None:
    """Return the means of the rows in memory by the clusterer's own weights, in data units."""
    if _are_prototypes(prepared, estimator):
        return None
    X, chain = prepared.X, prepared.reduction.chain
    data = X if prepared.data is None else prepared.data
    members = getattr(estimator, "medoid_indices_", None)
    if members is not None:
        counts = count_labels(prepared, estimator).counts
        return Means(data[members].astype(np.float64), np.array(counts)).back(
            chain.linear, prepared.span
        )
    shares = means.shares_of(estimator, X, partial(row_labels, estimator))
    found = means.of_rows(data, shares, prepared.weight, n_raw, chain.gaps)
    found = found.back(chain.linear, prepared.span)
    return found.filled(chain, reduced_centers(estimator))


def _are_prototypes(prepared: Prepared, estimator: Any) -> bool:
    return means.are_prototypes(estimator, prepared.reduction.chain)


def objective(estimator: Any) -> float:
    """Return what a fit minimises, to compare fits of the same k to the same rows."""
    for name, sign in OBJECTIVES.items():
        if hasattr(estimator, name):
            return sign * float(getattr(estimator, name))
    return float("nan")


def count_labels(prepared: Prepared, estimator: Any) -> Record:
    """Return the record, with the weight of the rows of each of the clusterer's numbers."""
    labels = row_labels(estimator, prepared.X)
    n_raw = max(n_raw_labels(estimator), int(labels.max(initial=-1)) + 1)
    known = labels >= 0
    weight = None if prepared.weight is None else prepared.weight[known]
    counts = np.bincount(labels[known], weight, minlength=n_raw)
    return replace(
        prepared.record,
        counts=tuple(float(count) for count in counts),
        unclassified=int(len(labels) - known.sum()),
    )


def mean_rows(prepared: Prepared, estimator: Any, n_raw: int) -> Array:
    """Return the mean of the fitted rows of each of the clusterer's numbers."""
    labels = row_labels(estimator, prepared.X)
    means = np.full((n_raw, prepared.X.shape[1]), np.nan)
    for number in range(n_raw):
        mine = labels == number
        if mine.any():
            weight = None if prepared.weight is None else prepared.weight[mine]
            means[number] = np.average(prepared.X[mine], axis=0, weights=weight)
    return means


def row_labels(estimator: Any, X: Array) -> Array:
    """Return the clusterer's own numbers for the rows that it was fitted to."""
    labels = getattr(estimator, "labels_", None)
    found = estimator.predict(X) if labels is None or len(labels) != len(X) else labels
    return np.asarray(found).astype(np.int64)


def n_raw_labels(estimator: Any) -> int:
    """Return how many numbers a fitted clusterer can give; 0 if it has no centres."""
    centers = reduced_centers(estimator)
    return 0 if centers is None else len(centers)


def reduced_centers(estimator: Any) -> Array | None:
    """Return the centres of a fitted clusterer in the reduced space; None if it has none."""
    for name in ("cluster_centers_", "means_"):
        centers = getattr(estimator, name, None)
        if centers is not None:
            return np.asarray(centers)
    return None


def forget_rows(estimator: Any) -> None:
    """Delete the labels of the fitted rows, so that a result does not grow with its data."""
    for name in ("labels_", "bmus_"):
        if name in vars(estimator):
            delattr(estimator, name)


def check_fits(question: Question, method: Method, options: Options) -> None:
    """Refuse a fit that is not possible, before anything is read."""
    layout = question.layout
    _, streams = plan(layout, options.fit_on, method.needs_all)
    gaps.check_clusterer(question, method)
    if method.needs_all:
        _say_memory(layout, method.needs_all)
    if streams and not streams_blocks(method.estimator):
        rule = f"cannot stream {method.said} over {layout.n_pooled:,} grid points"
        remedy = "pass fit_on=200_000, or use kmeans, gmm, som or fuzzy, which can stream"
        raise BadValueError("fit_on", options.fit_on, rule, remedy)
    if isinstance(options.fit_on, int):
        n_rows = min(options.fit_on, layout.n_pooled)
        needed = 2.0 * n_rows * layout.n_features * layout.dtype.itemsize
        what = f"{n_rows:,} samples of {layout.n_features:,} features"
        check_memory("fit_on", options.fit_on, needed, what, "pass a smaller number, or 'auto'")
    if layout.weight is not None and not takes_weights(method.estimator):
        rule = f"{method.said} takes no weights"
        remedy = "leave them out, or use kmeans, gmm, som (batch), hac (Ward) or fuzzy"
        raise BadValueError("weights", "given", rule, remedy)


def _say_memory(layout: Layout, needs_all: str) -> None:
    """Warn how much memory a fit of all samples takes, if others would be fitted to a sample."""
    wanted, _ = plan(layout, "auto")
    if wanted is not None:
        n = layout.n_pooled
        size = n * (layout.n_features * BYTES_PER_VALUE + BYTES_PER_ROW) / 1e9
        warn(
            f"{needs_all}= needs all samples in memory: about {size:.1f} GB if all "
            f"{n:,} grid points have data. Select a part of the data if this is too much."
        )
