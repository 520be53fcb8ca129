"""From a question to its result: the fit of one k, or of the best of several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from xcluster.base.checks import as_typed, check_choice, check_integer, several
from xcluster.base.errors import BadValueError
from xcluster.base.retries import retrying
from xcluster.chain.question import Question
from xcluster.chain.steps import counted, defined, n_columns
from xcluster.fit import conclusion, fitting, gaps, trials
from xcluster.fit.alignment import aligned
from xcluster.fit.candidates import FALLBACK, Candidates, Fits
from xcluster.fit.criteria import CRITERIA, available
from xcluster.fit.fitted import Fitted
from xcluster.fit.fitting import Fit, Prepared
from xcluster.fit.methods import (
    TYPED_AS,
    Method,
    Options,
    keywords_said,
    several_said,
    split_keywords,
)
from xcluster.grid.columns import Sorted

DEFAULT_KS = range(2, 21)


def cluster(question: Question, method: Method, k: Any, keywords: Mapping[str, Any]) -> Fitted:
    """Fit ``k`` labels, or as many as the method's criterion chooses among candidates."""
    method, options = split_keywords(method, keywords)
    question, method = _in_columns(question, method)
    with as_typed(TYPED_AS), retrying(options.retries):
        if method.parameter is None:
            return _single(question, method, None, options)
        if k is None or (isinstance(k, Iterable) and not isinstance(k, str)):
            return _chosen(question, method, DEFAULT_KS if k is None else k, options)
        k = check_integer("k", k, minimum=1)
        check_k(k, question)
        return _single(question, method, k, options)


def _in_columns(question: Question, method: Method) -> tuple[Question, Method]:
    """Return both with the steps and the order of features that the clusterer needs."""
    steps = counted(question.steps, method.estimator)
    if method.takes_keywords:  # an estimator of the user's own gets all rows
        steps = defined(steps, method.estimator)
    question = replace(question, steps=steps)
    transformers = [step.transformer for step in question.steps]
    question = question.ordered(Sorted.for_chain([*transformers, method.estimator]))
    return question, method.for_rows(question)


def check_k(k: int, question: Question) -> None:
    """Refuse a k above the number of grid points."""
    if k > question.layout.n_pooled:
        rule = f"is more than the {question.layout.n_pooled:,} grid points"
        raise BadValueError("k", k, rule, "choose a smaller k")


def _check(question: Question, method: Method, options: Options, k: int | None) -> None:
    """Refuse wrong values that can be found before anything is read; ``k`` is the largest."""
    layout = question.layout
    fitting.check_fits(question, method, options)
    conclusion.check_options(layout, method, options)
    columns = n_columns(question.steps, layout.n_features)
    estimator = method.build(k)
    if columns is not None and hasattr(estimator, "check_memory"):
        estimator.check_memory(1, columns)  # how many samples are complete is not known yet


def _single(question: Question, method: Method, k: int | None, options: Options) -> Fitted:
    _check(question, method, options, k)
    least = k if k and fitting.takes_weights(method.estimator) else 1
    prepared = fitting.prepare(question, options, least, method.needs_all)
    method, prepared = aligned(method, prepared)
    estimator = trials.built(method, prepared, k)
    fit = fitting.fit_clusterer(prepared, estimator, options.progress)
    return conclusion.conclude(
        question, prepared.reduction, method, fit, options, prepared=prepared
    )


def _chosen(question: Question, method: Method, ks: Iterable[int], options: Options) -> Fitted:
    ks = check_ks(ks)
    _check(question, method, options, ks[-1])
    prepared = fitting.prepare(question, options, needs_all=method.needs_all)
    swept = run(question, prepared, method, ks, None, options, unfinished=False)
    k, note = swept.choose(None)
    fit = _best_start(prepared, swept, method, k, options)
    if note:
        fit = fit._replace(record=replace(fit.record, notes=(*fit.record.notes, note)))
    return conclusion.conclude(question, prepared.reduction, method, fit, options, swept, prepared)


def _best_start(
    prepared: Prepared, swept: Candidates, method: Method, k: int, options: Options
) -> Fit:
    """Fit the chosen k from several starts; keep the fit of the sweep if it is better."""
    if swept.method.sweeps_by in ("cutting", "sharing"):
        return swept.models[k]  # no start would give another
    estimator = trials.built(method, prepared, k)
    in_memory = replace(prepared, blocks=None)
    fit = fitting.fit_clusterer(in_memory, estimator, options.progress)
    if fitting.objective(swept.models[k].estimator) < fitting.objective(fit.estimator):
        fit = swept.models[k]
    if prepared.blocks is None:
        return fit
    return fitting.refine_clusterer(prepared, fit.estimator, fit.record, options.progress)


def sweep(
    question: Question,
    method: Method,
    ks: Iterable[int] | None,
    criteria: Any,
    keywords: Mapping[str, Any],
) -> Candidates:
    """Fit each k, and measure the criteria."""
    method, options = split_keywords(method, keywords)
    wanted = check_ks(DEFAULT_KS if ks is None else ks)
    names = check_criteria(criteria, method)
    question, method = _in_columns(question, method)
    _check(question, method, options, wanted[-1])
    gaps.check_criteria(question, names or ())
    with retrying(options.retries):
        found = fitting.prepare(question, options, needs_all=method.needs_all)
    prepared = replace(found, blocks=None)
    with as_typed(TYPED_AS):
        return run(question, prepared, method, wanted, names, options)


def check_ks(ks: Iterable[int]) -> list[int]:
    """Return the candidates in rising order, each once."""
    if isinstance(ks, int) and not isinstance(ks, bool):
        ks = [ks]
    listed = several("ks", ks, "must be several integers", "pass, for example, range(2, 21)")
    wanted = sorted({check_integer("k", k, minimum=1) for k in listed})
    if not wanted:
        raise BadValueError("ks", ks, "is empty", "pass, for example, range(2, 21)")
    return wanted


def check_criteria(criteria: Any, method: Method) -> list[str] | None:
    """Return the names of criteria; refuse those that cannot be measured for the method."""
    if criteria is None:
        return None
    remedy = "pass, for example, criteria=['silhouette']"
    names = (
        [criteria]
        if isinstance(criteria, str)
        else several("criteria", criteria, "must be one name or several", remedy)
    )
    if not names:
        raise BadValueError("criteria", criteria, "is empty", remedy)
    for name in names:
        check_choice("criteria", name, tuple(CRITERIA))
        if not CRITERIA[name].suits(method):
            known = ", ".join(available(method))
            rule = f"cannot be measured for {method.name}(), which has {known}"
            raise BadValueError("criteria", name, rule, "choose one of these")
    if {"gap", "gap_error"} & set(names):  # the gap needs its error to choose
        names = [*names, "gap", "gap_error"]
    return list(dict.fromkeys(names))


def run(
    question: Question,
    prepared: Prepared,
    method: Method,
    ks: Sequence[int],
    criteria: Sequence[str] | None,
    options: Options,
    unfinished: bool = True,
) -> Candidates:
    """Fit each k to the same rows and measure the criteria; an interrupt ends this early."""
    names = list(criteria or dict.fromkeys([str(method.criterion), FALLBACK]))
    table, models = trials.fit_all(prepared, method, ks, names, options.progress, unfinished)
    key = None if method.neighbours is None else prepared.key
    fits = Fits(models, question, prepared.reduction, key)
    said = keywords_said(
        method, options, prepared.record.random_state, several_said(table["k"].values)
    )
    return Candidates(table, method, options, fits, said)


def fitted_of(candidates: Candidates, k: int) -> Fitted:
    """Return the result for one k of the candidates; nothing is fitted again."""
    fits = candidates.fits
    if fits is None:
        rule = "the file holds the table of the sweep, but not its models"
        raise BadValueError("k", k, rule, f"fit again with k={k}")
    check_choice("k", k, tuple(fits.models))
    return conclusion.conclude(
        fits.question,
        fits.reduction,
        candidates.method,
        fits.models[k],
        candidates.options,
        candidates,
    )
