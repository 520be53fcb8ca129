"""How good a result is: all scores that can be computed for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xcluster import scores
from xcluster.algorithms.parts.counts import strangest
from xcluster.algorithms.parts.gaps import has_gaps
from xcluster.base.arrays import Array
from xcluster.base.checks import check_choice
from xcluster.base.errors import BadValueError
from xcluster.chain.reduction import Chain
from xcluster.fit import labelled
from xcluster.fit.criteria import CRITERIA, FittedRows, directional, measure, silhouettes_by
from xcluster.fit.fitted import PARTIAL, Fitted, samples_of
from xcluster.fit.labelled import LabelledSamples
from xcluster.result import matching
from xcluster.scores.labelled import labelled_rows

OF_LABELS = (
    "inertia",
    "distortion",
    "simplified_silhouette",
    "calinski_harabasz",
    "davies_bouldin",
    "entropy",
)


def all_scores(fitted: Fitted, space: str, truth: Any) -> xr.Dataset:
    """Return all scores of the labels, in the space that was clustered or in that of the data."""
    layout = samples_of(fitted, "scores").layout
    check_choice("space", space, ("features", "data"))
    maps = [fitted.labels] if truth is None else [fitted.labels, _truth(fitted, truth)]
    chain = fitted.assign.chain if space == "features" else Chain(gaps=fitted.assign.chain.gaps)
    found = labelled.read(layout, maps, chain)
    values = _of_labels(found, fitted.assign.clusterer if space == "features" else None)
    if space == "features":
        values |= _of_model(fitted, found)
    elif not (has_gaps(found.Z) or strangest(found.Z).any()):
        values["deviance"] = scores.poisson_deviance(found.Z, found.labels[0], found.weight)
    if truth is not None:
        values |= agreement(*found.labels)
    return _as_dataset(values, space, len(found.Z)).assign_attrs(
        PARTIAL if has_gaps(found.Z) else {}
    )


def agreement(ours: Array, theirs: Array) -> dict[str, float]:
    """Return the scores of two labellings of the same rows, by name."""
    found = scores.agreement(theirs, ours)
    names = ("adjusted_rand", "adjusted_mutual_info", "v_measure")
    return {name: getattr(found, name) for name in names}


def _truth(fitted: Fitted, truth: Any) -> xr.DataArray:
    """Return the truth in the order of the labels, as whole numbers."""
    known = matching.aligned(fitted.labels, truth, "truth")
    numbers = matching.integers(known, "truth")
    if not (numbers >= 0).any():
        rule = "has no label: all its values are NaN or negative"
        raise BadValueError("truth", known.name, rule, "number its classes from 0")
    return known.copy(data=numbers.reshape(known.shape).astype(np.float64))


def _of_labels(found: LabelledSamples, clusterer: Any) -> dict[str, float]:
    """Return the scores that need only the labels, in the metric of a clusterer if there is one."""
    data = labelled_rows(found.Z, found.labels[0], found.weight)
    fit = FittedRows(data.X, data.weight, None, data.cluster, data.means, directional(clusterer))
    values = measure(OF_LABELS, fit)
    parts = dict.fromkeys(("silhouette", "silhouette_low", "silhouette_high"), float("nan"))
    if fit.several:
        by = silhouettes_by(clusterer)
        score = scores.silhouette_score(data.X, data.cluster, sample_weight=data.weight, **by)
        parts = dict(zip(parts, (score.value, score.low, score.high), strict=True))
    return parts | values


def _of_model(fitted: Fitted, found: LabelledSamples) -> dict[str, float]:
    """Return the scores of likelihoods and memberships, which only some clusterers have."""
    clusterer = fitted.assign.clusterer
    names = [
        name
        for name, criterion in CRITERIA.items()
        if criterion.needs is not None and hasattr(clusterer, criterion.needs)
    ]
    fit = FittedRows(found.Z, found.weight, clusterer, found.labels[0], fitted.assign.centers)
    return measure(names, fit) | _in_own_distances(fit)


def _in_own_distances(fit: FittedRows) -> dict[str, float]:
    """Return inertia and distortion in the distances that the clusterer minimised, as sweeps do."""
    if getattr(fit.estimator, "metric", "euclidean") == "euclidean":
        return {}
    if not hasattr(fit.estimator, "inertia_"):
        return {}
    inertia = -float(fit.estimator.score(fit.X, sample_weight=fit.weight))
    return {"inertia": inertia, "distortion": inertia / fit.total}


def _as_dataset(values: dict[str, float], space: str, n_samples: int) -> xr.Dataset:
    arrays = {
        name: ((), value, CRITERIA[name].attrs(value) if name in CRITERIA else {})
        for name, value in values.items()
    }
    return xr.Dataset(arrays, attrs={"space": space, "n_samples": n_samples})
