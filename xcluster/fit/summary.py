"""Sums per label, gathered in one pass over the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.blocks import matrix
from xcluster.blocks.block import Block
from xcluster.fit.assign import Labeller
from xcluster.grid.layout import Layout

Array = NDArray[Any]

# Each sum has one row per label, and a last row for unclassified samples.
Sums = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class LabelSums:
    """Sums over the samples of each label in one block.

    Parameters
    ----------
    assign
        Gives the labels.
    features : bool
        Whether to sum the features too, for the means of labels.
    """

    assign: Labeller
    features: bool = False

    def __call__(self, block: Block) -> Sums:
        """Return the sums of one block."""
        complete = block.complete
        n_labels = self.assign.partition.n_labels
        X = block.rows(complete)
        if (known := block.further("labels")) is None:
            labels, memberships = self._assigned(X)
        else:  # such labels follow from places, and are not soft
            labels, memberships = known[complete], None
        kept = np.isfinite(labels)
        where = np.where(labels[kept] < 0, n_labels, labels[kept]).astype(np.int64)
        sums = {"samples": np.bincount(where, minlength=n_labels + 1)}
        if block.weight is not None:
            sums["weight"] = _add(block.weight[complete][kept], where, n_labels)
        if (area := block.further("area")) is not None:
            sums["area"] = _add(area[complete][kept], where, n_labels)
        if memberships is not None:
            own = np.take_along_axis(memberships[kept], np.minimum(where, n_labels - 1)[:, None], 1)
            sums["membership"] = _add(own[:, 0], where, n_labels)
        if self.features:
            weight = None if block.weight is None else block.weight[complete][kept]
            sums["features"] = _add_rows(X[kept], where, n_labels, weight)
        return sums

    def _assigned(self, X: Array) -> tuple[Array, Array | None]:
        if not len(X):
            return np.zeros(0, np.float32), None
        if not self.assign.is_soft:
            return self.assign.labels(X), None
        both = self.assign.both(X)
        return both[:, 0], both[:, 1:]


def _add(values: Array, where: Array, n_labels: int) -> Array:
    return np.bincount(where, values.astype(np.float64), minlength=n_labels + 1)


def _add_rows(X: Array, where: Array, n_labels: int, weight: Array | None) -> Array:
    total = np.zeros((n_labels + 1, X.shape[1]))
    for label in np.unique(where):
        rows = where == label
        share = np.ones(rows.sum()) if weight is None else weight[rows]
        total[label] = share @ X[rows].astype(np.float64)
    return total


def merge_sums(parts: Sequence[Sums]) -> Sums:
    """Add the sums of several blocks; blocks without samples may lack some sums."""
    names = {name for part in parts for name in part}
    return {name: np.sum([part[name] for part in parts if name in part], axis=0) for name in names}


def label_sums(
    layout: Layout,
    assign: Labeller,
    *,
    area: xr.DataArray | None = None,
    labels: xr.DataArray | None = None,
    features: bool = False,
) -> Sums:
    """Return the sums of all blocks, from one pass over the data.

    ``labels`` are used instead of those of ``assign``, if labels do not follow from the features.
    """
    further = {"area": area, "labels": labels}
    extra = {name: array for name, array in further.items() if array is not None}
    return matrix.reduce(layout, LabelSums(assign, features), merge_sums, extra=lambda _: extra)
