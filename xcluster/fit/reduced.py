"""What can be asked about the reduced space, before samples are clustered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import xarray as xr

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


def correlation(question: Question) -> xr.DataArray:
    """Return the correlation of the features; weights of the samples count."""
    n = question.layout.n_features
    what, remedy = f"matrices of {n:,} x {n:,}", "choose fewer features"
    check_memory("features", n, 8.0 * 4 * n**2, what, remedy)
    prepared = fitting.prepare(replace(question.ready, steps=()), Options())
    if len(prepared.X) < 2:
        rule = "a correlation needs at least two samples"
        raise BadValueError("samples", len(prepared.X), rule, "pass more data")
    covariance = np.atleast_2d(np.cov(prepared.X.T, aweights=prepared.weight))
    spread = np.sqrt(np.diag(covariance))
    values = covariance / np.where(spread > 0, np.outer(spread, spread), np.nan)
    features = prepared.reduction.layout.features
    names, shown = feature_names(features), shown_columns(features)
    coords = {"feature": names, "other": names}
    return xr.DataArray(values[np.ix_(shown, shown)], coords, ("feature", "other"), "correlation")
