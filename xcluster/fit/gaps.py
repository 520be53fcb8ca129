"""Whether the steps and the clusterer of a chain take samples with gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xcluster.algorithms.parts.gaps import fills_gaps, has_gaps, takes_gaps
from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.chain.question import Question
from xcluster.chain.reduction import feature_names
from xcluster.chain.steps import THEN, Step, resolve
from xcluster.fit.methods import Method
from xcluster.grid.layout import Layout, shown_columns

CLUSTERERS = (
    "gmm() without outliers, kmeans() under the Euclidean metric without trim, fuzzy() of the "
    "default kind and shape"
)
"""The methods of ours that cluster samples with gaps."""

STEPS = "scale() with 'standard', 'minmax' or 'max', weights(), and pca() of equal noise"
"""The steps of ours that take samples with gaps."""

IMPUTER = "then(SimpleImputer())"
FILL = f"use pca() before it, or fill the gaps, for example by {IMPUTER}"
MOST_NAMED = 5


def check_steps(question: Question) -> None:
    """Refuse steps that cannot take the gaps of samples, before anything is read."""
    if question.layout.coverage is None:
        return
    for step in resolve(question.steps, question.layout):
        if not takes_gaps(step.transformer):
            rule = "cannot take samples with gaps (missing='keep')"
            remedy = f"these steps can: {STEPS}; or fill the gaps first, for example by {IMPUTER}"
            raise BadValueError("steps", str(step), rule, remedy)
        if _may_fill(step):
            return


def check_clusterer(question: Question, method: Method) -> None:
    """Refuse a clusterer that cannot take gaps, unless a step may have filled them."""
    if question.layout.coverage is None or any(map(_may_fill, question.steps)):
        return
    if not takes_gaps(method.estimator):
        rule = "cannot cluster samples with gaps (missing='keep')"
        remedy = f"these can: {CLUSTERERS}; or {FILL}"
        raise BadValueError("method", method.said, rule, remedy)


def check_criteria(question: Question, names: Sequence[str]) -> None:
    """Refuse the gap statistic for samples with gaps: its references have none."""
    if question.layout.coverage is None or any(map(_may_fill, question.steps)):
        return
    if {"gap", "gap_error"} & set(names):
        rule = "cannot be measured for samples with gaps (missing='keep')"
        raise BadValueError("criteria", "gap", rule, "choose another, such as 'silhouette'")


def _may_fill(step: Step) -> bool:
    """Whether a step leaves no gaps, or may: only a fit can tell this of the user's own."""
    return step.kind is THEN or fills_gaps(step.transformer)


def check_filled(estimator: Any, X: Array) -> None:
    """Refuse rows with gaps for an estimator that cannot take them."""
    if not takes_gaps(estimator) and has_gaps(X):
        rule = "cannot take gaps, which the steps before it left"
        remedy = f"add a step that fills all of them: pca(), or for example {IMPUTER}"
        raise BadValueError("estimator", type(estimator).__name__, rule, remedy)


def check_features(layout: Layout, X: Array) -> None:
    """Refuse features that no fitted sample has, by their names."""
    lacking = np.array([np.isnan(column).all() for column in X.T])
    if not lacking.any():
        return
    features = layout.features
    names = np.array(feature_names(features))[lacking[shown_columns(features)]]
    shown = ", ".join(map(repr, names[:MOST_NAMED].tolist()))
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    rule = f"{shown}{more}: missing in each of {len(X):,} samples"
    remedy = "leave these features out: choose other vars, or a part of the dim with ds.sel()"
    raise BadValueError("vars", list(layout.shown), rule, remedy)
