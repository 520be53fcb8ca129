"""Centres of labels in data units, from the centres of the clusterer's own numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.fit import prediction, summary
from xcluster.fit.assign import Labeller
from xcluster.fit.labels import Partition
from xcluster.fit.means import Means
from xcluster.grid.layout import Layout

Array = NDArray[Any]


def group_means(layout: Layout, assign: Labeller, rows: xr.DataArray | None) -> Means:
    """Return the means of the samples of each of the clusterer's own numbers.

    ``rows`` are the fitted rows on the grid. They are needed if labels do not follow from the
    features alone.
    """
    plain = replace(assign, partition=Partition(np.arange(len(assign.partition.codes))))
    labels = None
    if rows is not None:
        labels = partial(prediction.labels_of_rows, rows, assign=plain)
    sums = summary.label_sums(layout, plain, labels=labels, features=True)
    weight = np.asarray(sums.get("weight", sums["samples"])[:-1], np.float64)
    return Means(_over(sums["features"][:-1], weight[:, None]), weight)


def label_means(
    layout: Layout, assign: Labeller, labels: Callable[[Layout], xr.DataArray] | None
) -> tuple[Array, Array]:
    """Return the mean of the samples of each label and their weight, of all scenes together."""
    sums = summary.label_sums(layout, assign, labels=labels, features=True)
    weight = np.asarray(sums.get("weight", sums["samples"])[:-1], np.float64)
    return _over(sums["features"][:-1], weight[:, None]), weight


def by_label(partition: Partition, counts: Array, raw: Array) -> Array:
    """Return the mean of the clusterer's own centres per label, weighted by ``counts``."""
    k, codes = partition.n_labels, partition.codes
    total, weight = np.zeros((k, raw.shape[1])), np.zeros((k, 1))
    for number in np.flatnonzero(np.isfinite(raw).all(axis=1)):
        # A centre without samples still is a centre, if its label has no other.
        share = max(counts[number], 1e-200)
        total[codes[number]] += share * raw[number]
        weight[codes[number]] += share
    return _over(total, weight)


def _over(total: Array, weight: Array) -> Array:
    """Return totals divided by weights; NaN where the weight is 0."""
    return np.asarray(np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0))
