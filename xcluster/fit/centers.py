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
    return Means(*_means(sums))


def label_means(
    layout: Layout, assign: Labeller, labels: Callable[[Layout], xr.DataArray] | None
) -> tuple[Array, Array]:
    """Return the mean of the samples of each label and their weight, of all scenes together.

    If samples may have gaps, the weight is that of the samples that have each feature.
    """
    return _means(summary.label_sums(layout, assign, labels=labels, features=True))


def _means(sums: summary.Sums) -> tuple[Array, Array]:
    weight = sums["known"] if "known" in sums else sums.get("weight", sums["samples"])
    weight = np.asarray(weight[:-1], np.float64)
    return _over(sums["features"][:-1], weight), weight


def by_label(partition: Partition, counts: Array, raw: Array) -> Array:
    """Return the mean of the clusterer's own centres per label, weighted by ``counts``.

    These have the shape (n_raw,) or, if samples may have gaps, (n_raw, n_features).
    """
    total = np.zeros((partition.n_labels, raw.shape[1]))
    weight = np.zeros_like(total)
    for number, label in enumerate(partition.codes):
        known = np.isfinite(raw[number])
        # A centre without samples still is a centre, if its label has no other.
        share = np.where(known, np.maximum(counts[number], 1e-200), 0.0)
        total[label] += share * np.where(known, raw[number], 0.0)
        weight[label] += share
    return _over(total, weight)


def _over(total: Array, weight: Array) -> Array:
    """Return totals divided by weights; NaN where the weight is 0."""
    weight = weight if weight.ndim == total.ndim else weight[:, None]
    return np.asarray(np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0))
