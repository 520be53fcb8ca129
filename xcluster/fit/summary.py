"""Sums per label, gathered in one pass over the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.algorithms.parts.group_sums import KeyedSums
from xcluster.algorithms.parts.sums import Binned
from xcluster.base.errors import BadValueError
from xcluster.blocks import matrix
from xcluster.blocks.block import Block
from xcluster.fit.assign import Labeller
from xcluster.grid.layout import Layout

Array = NDArray[Any]

Sums = Mapping[str, Array]
"""Each has one row per label, and a last row for unclassified samples."""


@dataclass(frozen=True, eq=False)
class LabelSums:
    """Sums over the samples of each label in one block.

    Parameters
    ----------
    assign
        Gives the labels.
    features : bool
        Whether to sum the features too, for the means of labels; and the weight of the samples that
        have each, if they may have gaps (``known``).
    """

    assign: Labeller
    features: bool = False

    def __call__(self, block: Block) -> dict[str, Any]:
        """Return the sums of one block."""
        complete = block.complete
        n_labels = self.assign.partition.n_labels
        X = block.rows(complete)
        if (known := block.further("labels")) is None:
            labels, memberships = self._assigned(X)
        else:
            labels = known[complete]
            soft = self.assign.is_soft and len(X) > 0
            memberships = self.assign.memberships(X) if soft else None
        kept = np.isfinite(labels)
        where = np.where(labels[kept] < 0, n_labels, labels[kept]).astype(np.int64)
        sums: dict[str, Any] = {"samples": np.bincount(where, minlength=n_labels + 1)}
        if block.weight is not None:
            sums["weight"] = _add(block.weight[complete][kept], where, n_labels)
        if (area := block.further("area")) is not None:
            sums["area"] = _add(area[complete][kept], where, n_labels)
        if memberships is not None:
            own = np.take_along_axis(memberships[kept], np.minimum(where, n_labels - 1)[:, None], 1)
            sums["membership"] = _add(own[:, 0], where, n_labels)
        if self.features:
            weight = None if block.weight is None else block.weight[complete][kept]
            sums |= _of_features(X[kept], weight, where, n_labels, block.coverage is not None)
        return sums

    def _assigned(self, X: Array) -> tuple[Array, Array | None]:
        if not len(X):
            return np.zeros(0, np.float32), None
        if not self.assign.is_soft:
            return self.assign.labels(X), None
        both = self.assign.both(X)
        return both[:, 0], both[:, 1:]


def _of_features(
    X: Array, weight: Array | None, where: Array, n_labels: int, gaps: bool
) -> dict[str, Binned]:
    """Return the sums of the features and, if there may be gaps, of the weights of each."""
    if not gaps:
        return {"features": Binned.by_label(X, weight, where, n_labels + 1)}
    known = ~np.isnan(X)
    parts = {"features": np.where(known, X, 0), "known": known}
    return {
        name: Binned.by_label(each, weight, where, n_labels + 1) for name, each in parts.items()
    }


def _add(values: Array, where: Array, n_labels: int) -> Binned:
    return Binned.by_label(values[:, None], None, where, n_labels + 1)


@dataclass(frozen=True, eq=False)
class ZoneSums:
    """Sums over the samples of each label in each zone of one block.

    Parameters
    ----------
    assign
        Gives the labels.
    """

    assign: Labeller

    def __call__(self, block: Block) -> KeyedSums:
        """Return the sums of a block by ``zone * (n_labels + 1) + label``; -1 is the last label."""
        zone, known = block.further("zone"), block.further("labels")
        assert zone is not None, "zones are always given"
        if (broken := zone[zone % 1 > 0]).size:
            rule, remedy = "holds fractions, but zones are whole numbers", "round them"
            raise BadValueError("by", float(broken[0]), rule, remedy)
        complete, n_labels = block.complete & np.isfinite(zone), self.assign.partition.n_labels
        if known is None:
            some = complete.any()
            labels = self.assign.labels(block.rows(complete)) if some else np.zeros(0)
        else:
            labels = known[complete]
        kept = np.isfinite(labels)
        where = np.where(labels[kept] < 0, n_labels, labels[kept]).astype(np.int64)
        key = zone[complete][kept].astype(np.int64) * (n_labels + 1) + where
        columns = [np.ones(len(key))]
        if (area := block.further("area")) is not None:
            columns.append(area[complete][kept].astype(np.float64))
        return KeyedSums.of(columns, key)


def zone_sums(
    layout: Layout,
    assign: Labeller,
    zones: xr.DataArray,
    *,
    area: xr.DataArray | None = None,
    labels: Callable[[Layout], xr.DataArray] | None = None,
) -> tuple[Array, Array]:
    """Return the zones, and samples and area of each label in each, from one pass over the data.

    The sums have the shape (1 or 2, n_zones, n_labels + 1); unclassified samples are the last.
    """
    extra = {"zone": zones} if area is None else {"zone": zones, "area": area}
    found = matrix.reduce(
        layout, ZoneSums(assign), KeyedSums.joined, extra=lambda scene: extra | given(labels, scene)
    )
    zone, label = np.divmod(found.keys, assign.partition.n_labels + 1)
    every, place = np.unique(zone, return_inverse=True)
    out = np.zeros((len(found.sums.top), len(every), assign.partition.n_labels + 1))
    out[:, place, label] = found.sums.total()
    return every, out


def merge_sums(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Add the sums of several blocks; blocks without samples may lack some sums."""
    names = {name for part in parts for name in part}
    return {name: reduce(add, [part[name] for part in parts if name in part]) for name in names}


def totals(sums: Mapping[str, Any]) -> Sums:
    """Return merged sums as arrays."""
    return {name: each.total() if isinstance(each, Binned) else each for name, each in sums.items()}


def given(
    labels: Callable[[Layout], xr.DataArray] | None, scene: Layout
) -> dict[str, xr.DataArray]:
    """Return the labels of a scene as a further array of its blocks, if they are given."""
    return {} if labels is None else {"labels": labels(scene)}


def label_sums(
    layout: Layout,
    assign: Labeller,
    *,
    area: xr.DataArray | None = None,
    labels: Callable[[Layout], xr.DataArray] | None = None,
    features: bool = False,
) -> Sums:
    """Return the sums of all blocks, from one pass over the data.

    ``labels`` give those of a scene, if labels do not follow from the features.
    """
    of_block = LabelSums(assign, features)
    extra = {} if area is None else {"area": area}
    found = totals(
        matrix.reduce(
            layout,
            of_block,
            merge_sums,
            extra=lambda scene: extra | given(labels, scene),
            called="sums-of-labels",
        )
    )
    of_features = ("features", "known")
    single = {n for n, each in found.items() if n not in of_features and each.ndim == 2}
    return {name: each[:, 0] if name in single else each for name, each in found.items()}
