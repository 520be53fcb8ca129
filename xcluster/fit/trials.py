"""Fits of one method for several k to the same rows, and the criteria of each fit."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from xcluster import scores
from xcluster.algorithms.parts.gaps import has_gaps
from xcluster.algorithms.parts.nearest import nearest
from xcluster.algorithms.parts.seeding import grow, representatives
from xcluster.algorithms.parts.swaps import shrink
from xcluster.base.checks import warn
from xcluster.base.errors import BadValueError, TooFewError
from xcluster.base.parallel import each_in_threads, map_threads
from xcluster.base.progress import bar
from xcluster.fit import fitting
from xcluster.fit.criteria import (
    CRITERIA,
    FittedRows,
    directional,
    has_several,
    measure,
    silhouettes_by,
)
from xcluster.fit.fitting import Fit, Prepared
from xcluster.fit.methods import Method
from xcluster.grid.neighbours import connect

Array = NDArray[Any]
Models = Mapping[int, Fit]

STABILITY_ROWS = 20_000
STABILITY_REFITS = 10
STARTS_OF_REFITS = 3
"""Starts of each refit for stability; with only one, the start itself would change labels."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One k, fitted and measured.

    Parameters
    ----------
    fit
        The fit, without the labels of its rows.
    values
        The criteria that are measured for each fit by itself.
    labels : array of shape (n,)
        The clusterer's own numbers, for criteria that need all fits.
    """

    fit: Fit
    values: Mapping[str, float]
    labels: Array


SEARCHED_ROWS = 8_192
"""Number of rows on which k-means for the next k is improved by swaps, if there are many."""

TRIES = 6
"""Number of swaps without success after which this search ends."""

FRESH_STARTS = 1
"""Number of fresh starts that compete with the one grown from fewer labels, if rows are few."""

BETTER = 1e-3
"""Share of the inertia by which a start from more labels must end lower."""

LOOSER = 5
"""Factor on the tolerance of k-means in a sweep; it changes inertias by less than a thousandth."""

Build = Callable[..., Any]
Start = Callable[[Any, Array, Array | None], Any]


def fit_all(
    prepared: Prepared,
    method: Method,
    ks: Sequence[int],
    names: Sequence[str],
    progress: bool,
    unfinished: bool = True,
) -> tuple[xr.Dataset, Models]:
    """Return the table of criteria over ``k``, and the models.

    If the user interrupts, the finished candidates are returned with a warning. With
    ``unfinished=False`` the interrupt is raised, as a k must be chosen among all candidates.
    """
    prepared = replace(prepared, blocks=None)
    ks = _above_parts(within_rows(ks, len(prepared.X)), _n_parts(method, prepared))
    done: dict[int, Candidate] = {}
    together: dict[str, Array] = {}
    with bar(progress, "k", total=len(ks)) as shown:
        try:
            for k, candidate in zip(ks, _candidates(prepared, method, ks, names), strict=True):
                done[k] = candidate
                shown.update()
            together |= _together(prepared, method, done, names)
        except BadValueError as error:
            if not done or len(done) == len(ks):
                raise
            # Every larger k would fail as well: there are too few different rows.
            warn(f"candidates from k={ks[len(done)]} on were left out: {error.advice}")
            together |= _together(prepared, method, done, names)
        except KeyboardInterrupt:
            if not (done and unfinished):
                raise
            missing = [str(k) for k in ks if k not in done]
            rest = f"k={', '.join(missing)}" if missing else "criteria that compare all fits"
            warn(f"interrupted: {len(done)} of {len(ks)} candidates were fitted, without {rest}")
    return _table(done, together, names), {k: each.fit for k, each in done.items()}


def _table(
    done: Mapping[int, Candidate], together: Mapping[str, Array], names: Sequence[str]
) -> xr.Dataset:
    """Return the criteria over ``k``; NaN if an interrupt came before they were measured."""
    unknown = np.full(len(done), np.nan)
    values = {
        name: together.get(name, unknown)
        if CRITERIA[name].measure is None
        else [candidate.values[name] for candidate in done.values()]
        for name in names
    }
    curves = {name: ("k", values[name], CRITERIA[name].attrs(values[name])) for name in names}
    return xr.Dataset(curves, {"k": list(done)})


def within_rows(ks: Sequence[int], n_rows: int) -> list[int]:
    """Return the candidates up to the number of rows; warn if some are left out."""
    kept = [k for k in ks if k <= n_rows]
    if not kept:
        rule = f"are all more than the {n_rows:,} samples"
        raise BadValueError("ks", list(ks), rule, "choose smaller numbers")
    if len(kept) < len(ks):
        warn(f"candidates above the {n_rows:,} samples were left out")
    return kept


def _above_parts(ks: list[int], n_parts: int) -> list[int]:
    """Return the candidates from the number of separate regions on; warn if some are left out."""
    kept = [k for k in ks if k >= n_parts]
    if not kept:
        rule = f"are all below {n_parts:,}, the number of separate regions of the samples"
        raise BadValueError("ks", ks, rule, "choose larger numbers")
    if len(kept) < len(ks):
        warn(f"candidates below {n_parts:,}, the number of separate regions, were left out")
    return kept


def _n_parts(method: Method, prepared: Prepared) -> int:
    """Return the number of separate regions of the samples; 1 if neighbours do not matter."""
    if method.neighbours is None:
        return 1
    pairs = connect(prepared.reduction.layout, prepared.key, method.neighbours)
    return int(connected_components(pairs, directed=False)[0])


# ---------------------------------------------------------------------------------- single fits


def _candidates(
    prepared: Prepared, method: Method, ks: Sequence[int], names: Sequence[str]
) -> Iterator[Candidate]:
    """Yield each k, fitted and measured; one after another if each starts from the one before."""
    alone = [name for name in names if CRITERIA[name].measure is not None]
    one = partial(_candidate, prepared, method, alone)
    build = partial(built, method, prepared)
    if method.sweeps_by == "sharing":  # computes distances once
        for estimator in build(ks[-1]).fit_each(prepared.X, ks, prepared.weight):
            yield _measured(prepared, alone, estimator)
        return
    if method.sweeps_by is None or has_gaps(prepared.X):  # searches need all features
        yield from each_in_threads(one, ks)
        return
    for estimator in _in_turn(build, ks, prepared.X, prepared.weight):
        yield _measured(prepared, alone, estimator)


def _in_turn(build: Build, ks: Sequence[int], X: Array, weight: Array | None) -> Iterator[Any]:
    """Yield the fit of each k, which starts from the one before.

    If rows are few, k-means may also start from the one after: a pass over many takes too long.
    """
    before = None
    for k in ks:
        try:
            fit = fit_k(build, k, X, weight, before)
        except (BadValueError, KeyboardInterrupt):
            if before is not None:
                yield before
            raise
        if before is not None:
            if before.sweeps_by == "growing" and len(X) <= 2 * SEARCHED_ROWS:
                before, fit = _shrunk(build, before, fit, X, weight)
            yield before
        before = fit
    yield before


def _candidate(prepared: Prepared, method: Method, names: Sequence[str], k: int) -> Candidate:
    build = partial(built, method, prepared)
    return _measured(prepared, names, fit_k(build, k, prepared.X, prepared.weight, None))


def _measured(prepared: Prepared, names: Sequence[str], estimator: Any) -> Candidate:
    record = fitting.count_labels(prepared, estimator)
    fit = _fitted_rows(prepared, estimator)
    values = measure(names, fit)
    means = fitting.own_means(prepared, estimator, len(record.counts))
    fitting.forget_rows(estimator)
    return Candidate(Fit(estimator, record, means), values, fit.labels.astype(np.int32))


def _fitted_rows(prepared: Prepared, estimator: Any) -> FittedRows:
    labels = fitting.row_labels(estimator, prepared.X)
    centers = fitting.reduced_centers(estimator)
    if centers is None:
        centers = fitting.mean_rows(prepared, estimator, int(labels.max()) + 1)
    given = prepared.X, prepared.weight, estimator, labels, centers
    return FittedRows(*given, directional(estimator))


def built(method: Method, prepared: Prepared, k: int | None, **params: Any) -> Any:
    """Return an unfitted estimator with its random state and, if it needs them, neighbours."""
    estimator = method.build(k, random_state=prepared.record.random_state, **params)
    if method.neighbours is not None:
        graph = connect(prepared.reduction.layout, prepared.key, method.neighbours)
        if method.neighbours.joins and k is not None:
            graph = _joined(graph, prepared.X, k)
        estimator.set_params(connectivity=graph)
    return estimator


def _joined(graph: Any, X: Array, k: int) -> Any:
    """Join each part of a graph to the most similar row of the largest, if there are over ``k``."""
    n_parts, part = connected_components(graph, directed=False)
    if n_parts <= k:
        return graph
    warn(f"the graph has {n_parts:,} separate parts, more than k={k}: they were joined by value")
    largest = np.bincount(part).argmax()
    inside = np.flatnonzero(part == largest)
    first = np.delete(np.unique(part, return_index=True)[1], largest)
    ends = first, inside[nearest(X[inside], X[first])[0]]
    bridges = coo_array((np.ones(len(first), bool), ends), shape=graph.shape)
    return graph + bridges + bridges.T


def fit_k(build: Build, k: int, X: Array, weight: Array | None, before: Any) -> Any:
    """Return an estimator that is fitted quickly: one start, more labels than before, or a cut."""
    how = getattr(before, "sweeps_by", None)
    if how == "cutting":
        return before.recut(k)
    if how == "growing":
        return _next_grown(build, k, X, weight, before)
    return _fitted(build(k, n_init=1), X, weight)


def _next_grown(build: Build, k: int, X: Array, weight: Array | None, before: Any) -> Any:
    """Return k-means for more labels than ``before``.

    It starts from the centres of ``before`` and from rows far from these. Swaps improve this start,
    on some of the rows if there are many; then it is continued on all. If there are few, fresh
    starts compete with it.
    """
    some = representatives(X, weight, SEARCHED_ROWS)
    starts: list[Start] = [partial(_improved, before)]
    if some[0] is X:
        starts.append(_fitted)
    try:
        fits = map_threads(lambda start: start(build(k, n_init=FRESH_STARTS), *some), starts)
    except BadValueError:  # too few of these rows may be distinct, although enough of all are
        return _grown(before, build(k), X, weight)
    best = min(fits, key=fitting.objective)
    if some[0] is X:
        return best
    found = _fitted_from(best.cluster_centers_, build(k), X, weight)
    worse = fitting.objective(found) > fitting.objective(before)
    return _grown(before, build(k), X, weight) if worse else found


def _shrunk(build: Build, before: Any, fit: Any, X: Array, weight: Array | None) -> tuple[Any, Any]:
    """Return k-means for as many labels as ``before``, and the fit of more labels.

    The latter without its most useless centres is another start for fewer labels. Where this ends
    better, more labels are grown from there as well, so that they are not worse than fewer.
    """
    centers = fit.cluster_centers_
    while len(centers) > before.n_clusters:
        centers = shrink(centers, X, weight)
    found = _fitted_from(centers, build(before.n_clusters), X, weight)
    if fitting.objective(found) >= (1 - BETTER) * fitting.objective(before):
        return before, fit
    return found, min(fit, _grown(found, build(fit.n_clusters), X, weight), key=fitting.objective)


def _improved(before: Any, estimator: Any, X: Array, weight: Array | None) -> Any:
    grown = _grown(before, estimator, X, weight)
    tol = grown.tol
    return grown.set_params(tol=LOOSER * tol).improve(X, weight, TRIES).set_params(tol=tol)


def _fitted(estimator: Any, X: Array, weight: Array | None) -> Any:
    fitting.fit_estimator(estimator, X, weight)
    return estimator


def _grown(before: Any, estimator: Any, X: Array, weight: Array | None) -> Any:
    """Return k-means fitted from the centres of ``before``, with rows as further centres."""
    centers = before.cluster_centers_
    while len(centers) < estimator.n_clusters:
        centers = grow(centers, X, weight)
    return _fitted_from(centers, estimator, X, weight)


def _fitted_from(centers: Array, estimator: Any, X: Array, weight: Array | None) -> Any:
    init, tol = estimator.init, estimator.tol
    _fitted(estimator.set_params(init=centers, tol=LOOSER * tol), X, weight)
    return estimator.set_params(init=init, tol=tol)  # so that a refit starts anew


# --------------------------------------------------------------------- criteria of all fits at once


def _together(
    prepared: Prepared, method: Method, done: Mapping[int, Candidate], names: Sequence[str]
) -> dict[str, Array]:
    """Return the criteria that are measured for all fits together."""
    found: dict[str, Array] = {}
    if "silhouette" in names:
        labellings = [each.labels for each in done.values()]
        found["silhouette"] = _silhouettes(prepared, labellings, silhouettes_by(method.estimator))
    with unheard_warnings():
        if "stability" in names:
            found["stability"] = _stabilities(prepared, method, done)
        if "gap" in names:
            found |= _gaps(prepared, method, list(done))
    return found


@contextmanager
def unheard_warnings() -> Iterator[None]:
    """Ignore warnings of fits that the user did not ask for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _silhouettes(prepared: Prepared, labellings: Sequence[Array], by: Mapping[str, Any]) -> Array:
    if not any(map(has_several, labellings)):
        return np.full(len(labellings), np.nan)
    found = scores.silhouette_scores(prepared.X, labellings, sample_weight=prepared.weight, **by)
    return np.array([each.value for each in found])


def _stabilities(prepared: Prepared, method: Method, done: Mapping[int, Candidate]) -> Array:
    """Return the share of rows with the same label in refits to halves.

    NaN for one label, and where halves have too few distinct rows.
    """
    seed, X, weight = prepared.record.random_state, prepared.X, prepared.weight
    some = np.sort(np.random.default_rng(seed).permutation(len(X))[:STABILITY_ROWS])

    def of_k(k: int) -> float:
        labels = done[k].labels[some]
        if (labels == labels[0]).all():
            return float("nan")
        unfitted = method.build(k, random_state=seed, n_init=STARTS_OF_REFITS)
        try:
            found = scores.stability(
                X[some],
                labels,
                partial(fitting.refit, unfitted),
                sample_weight=None if weight is None else weight[some],
                n_refits=STABILITY_REFITS,
                resampling="subsample",
                random_state=seed,
            )
        except TooFewError:  # some of the rows have fewer distinct ones than labels
            return float("nan")
        return found.mean_agreement

    return np.array(list(each_in_threads(of_k, done)))


def _gaps(prepared: Prepared, method: Method, ks: Sequence[int]) -> dict[str, Array]:
    seed = prepared.record.random_state
    found = scores.gap_statistic(
        prepared.X,
        ks,
        dispersions(method, seed),
        sample_weight=prepared.weight,
        random_state=seed,
    )
    return {"gap": found.gap, "gap_error": found.error}


def dispersions(method: Method, random_state: int) -> Callable[..., Any]:
    """Return what `gap_statistic` fits to the data and to its references, by the same method."""
    if method.sweeps_by == "growing":
        return scores.kmeans_inertias
    build = partial(method.build, random_state=random_state)

    def fits(X: Array, ks: Sequence[int], weight: Array | None) -> Iterator[Any]:
        if method.sweeps_by == "sharing":
            yield from build(ks[-1]).fit_each(X, ks, weight)
            return
        estimator = None
        for k in ks:
            estimator = fit_k(build, k, X, weight, estimator)
            yield estimator

    def fit(X: Array, ks: Sequence[int], weight: Array | None = None) -> list[float]:
        found = fits(X, ks, weight)
        return [scores.inertia(X, fitting.row_labels(each, X), weight) for each in found]

    return fit
