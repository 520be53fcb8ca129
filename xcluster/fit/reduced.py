"""What can be asked about the reduced space, before samples are clustered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import xarray as xr

from xcluster.algorithms.parts.gaps import filled, has_gaps, known_means
from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.base.memory import check_memory
from xcluster.chain.question import Question
from xcluster.chain.reduction import Reduction, feature_names
from xcluster.fit import fitting
from xcluster.fit.methods import Options
from xcluster.grid.layout import shown_columns


@dataclass(frozen=True, eq=False, repr=False)
class Reducible(Question):
    """A question whose steps can be fitted without a clusterer."""

    @cached_property
    def reduction(self) -> Reduction:
        """The steps, fitted as they would be for a clusterer."""
        return fitting.prepare(self.ready, Options()).reduction


def _of_all(X: Array, weight: Array | None) -> Array:
    covariance = np.atleast_2d(np.cov(X.T, aweights=weight))
    spread = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.where(spread > 0, np.outer(spread, spread), np.nan))


def _of_pairs(X: Array, weight: Array | None) -> Array:
    """Return correlations of which each is from the rows that have both features."""
    known, away = ~np.isnan(X), filled(X - known_means(X), np.zeros(X.shape[1]))
    weighted = known.T * (np.ones(len(X)) if weight is None else weight)
    total = weighted @ known
    total = np.where(total > 0, total, np.nan)
    mean, squares = weighted @ away / total, weighted @ np.square(away) / total
    products = (weighted * away.T) @ away / total
    variance = squares - mean**2
    spread = np.sqrt(np.where(variance > 0, variance * variance.T, np.nan))
    return np.asarray((products - mean * mean.T) / spread)


def correlation(question: Question) -> xr.DataArray:
    """Return the correlation of the features; weights of the samples count.

    If samples may have gaps, each number is from the samples that have both features.
    """
    n = question.layout.n_features
    what, remedy = f"matrices of {n:,} x {n:,}", "choose fewer features"
    check_memory("features", n, 8.0 * 4 * n**2, what, remedy)
    prepared = fitting.prepare(replace(question.ready, steps=()), Options())
    if len(prepared.X) < 2:
        rule = "a correlation needs at least two samples"
        raise BadValueError("samples", len(prepared.X), rule, "pass more data")
    measure = _of_pairs if has_gaps(prepared.X) else _of_all
    values = measure(prepared.X, prepared.weight)
    features = prepared.reduction.layout.features
    names, shown = feature_names(features), shown_columns(features)
    coords = {"feature": names, "other": names}
    return xr.DataArray(values[np.ix_(shown, shown)], coords, ("feature", "other"), "correlation")
