"""Mean and standard error of the original data per label."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xcluster.algorithms.parts.sums import Binned
from xcluster.base.arrays import Array
from xcluster.base.checks import check_flag
from xcluster.base.errors import BadValueError
from xcluster.blocks import matrix
from xcluster.blocks.block import Block
from xcluster.fit.assign import Labeller
from xcluster.fit.fitted import Fitted, over_features, samples_of
from xcluster.fit.labels import check_floor
from xcluster.fit.summary import given, merge_sums, totals


def back_projection(fitted: Fitted, u: float, weighted: bool) -> xr.Dataset:
    """Return mean and standard error over ``label`` and the feature dims."""
    u = check_floor(u)
    if check_flag("weighted", weighted) and not fitted.is_soft:
        rule = f"needs a method that gives memberships, and {fitted.method_name} gives none"
        raise BadValueError("weighted", weighted, rule, "cluster by gmm or fuzzy")
    shift = np.nan_to_num(fitted.raw_centers)
    shift = shift.sum(axis=0) / max(len(shift), 1)  # there are no centres if all is noise
    return over_features(fitted, *_means_and_errors(fitted, None if weighted else u, shift))


@dataclass(frozen=True, eq=False)
class ProjectionSums:
    """Weighted sums of the features and their squares in one block.

    Parameters
    ----------
    assign
        Gives labels and memberships.
    floor : float or None
        A sample counts for its label if its membership is above this. None: every sample counts
        for each label, weighted by its membership.
    shift : array of shape (n_features,)
        A value near the mean that is subtracted first, so that squares keep their digits.
    """

    assign: Labeller
    floor: float | None
    shift: Array

    def __call__(self, block: Block) -> dict[str, Any]:
        """Return the sums of one block."""
        complete = block.complete
        given = block.further("labels")
        labels = None if given is None else given[complete]
        X = block.rows(complete).astype(np.float64) - self.shift
        shares = self._shares(block.rows(complete), labels)
        if block.weight is not None:
            shares = shares * block.weight[complete][:, None]
        once = np.ones((1, len(X)))
        if block.coverage is not None:
            once = (~np.isnan(X)).T.astype(np.float64)
            X = np.where(np.isnan(X), 0.0, X)
        return {
            "share": Binned.products(once, shares.T),
            "square_share": Binned.products(once, np.square(shares).T),
            "features": Binned.products(shares.T, X.T),
            "squares": Binned.products(shares.T, np.square(X).T),
        }

    def _shares(self, X: Array, labels: Array | None) -> Array:
        """Return how much each row counts for each label, shape (n, n_labels)."""
        n_labels = self.assign.partition.n_labels
        if not len(X):
            return np.zeros((0, n_labels))
        if self.floor is None:
            return np.nan_to_num(self.assign.memberships(X).astype(np.float64))
        labels = self.assign.labels(X) if labels is None else labels
        shares = labels[:, None] == np.arange(n_labels)
        if self.assign.is_soft:
            shares &= self.assign.memberships(X) > self.floor
        return np.asarray(shares, dtype=np.float64)


def _means_and_errors(fitted: Fitted, floor: float | None, shift: Array) -> tuple[Array, Array]:
    """Return means and standard errors of the original data, one row per label.

    ``shift`` of shape (n_features,) is subtracted before sums are taken.
    """
    layout = samples_of(fitted, "back_projection").layout
    found = matrix.reduce(
        layout,
        ProjectionSums(fitted.assign, floor, shift),
        merge_sums,
        extra=partial(given, fitted.placed_labels),
        called="back-projection",
    )
    sums = totals(found)
    # Of each feature, if samples may have gaps; otherwise of all together.
    shares, squares = sums["share"].T, sums["square_share"].T
    share = np.where(shares > 0, shares, np.nan)
    mean = sums["features"] / share
    variance = np.maximum(sums["squares"] / share - mean**2, 0)
    effective = share**2 / np.where(shares > 0, squares, np.nan)
    # One sample has no spread, so its error is not known.
    freedom = np.where(effective > 1, effective - 1, np.nan)
    return mean + shift, np.sqrt(variance / freedom)
