"""Label maps, memberships and distances of a layout, from a fitted chain and clusterer."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.checks import is_text
from xcluster.blocks import matrix
from xcluster.blocks.block import Block
from xcluster.fit.assign import Labeller
from xcluster.fit.labels import FILL_VALUE, UNCLASSIFIED, Partition
from xcluster.grid.layout import COLUMN, LABEL, Layout
from xcluster.grid.names import check_free

Array = NDArray[Any]


def labels(layout: Layout, assign: Labeller) -> xr.DataArray:
    """Return the label map; lazy if the layout is lazy."""
    return as_labels(matrix.apply(layout, assign.labels, called="labels"), assign.partition)


def labels_of_rows(rows: xr.DataArray, layout: Layout, assign: Labeller) -> xr.DataArray:
    """Return the labels that the fitted rows got in the fit, with the chunks of the layout."""
    of_row = assign.partition(assign.clusterer.row_labels_)
    values = np.where(rows.values < 0, np.float32(np.nan), of_row[rows.values])
    placed = as_labels(rows.copy(data=values), assign.partition)
    return placed.chunk(layout.chunks) if layout.is_lazy else placed


def stored_labels(stored: xr.Dataset, partition: Partition) -> xr.DataArray:
    """Return labels as they were saved, unclassified where no membership is above the floor."""
    labels = stored["labels"]
    if partition.floor is not None:
        unclear = np.isfinite(labels) & ~(stored["memberships"].max(LABEL) > partition.floor)
        labels = labels.where(~unclear, np.float32(UNCLASSIFIED))
    return as_labels(labels, partition)


def memberships(layout: Layout, assign: Labeller) -> xr.DataArray:
    """Return the memberships, over (``label``, sample dims)."""
    width = assign.partition.n_labels
    return as_memberships(
        matrix.apply(layout, assign.memberships, width=width, called="memberships")
    )


def both(layout: Layout, assign: Labeller) -> xr.Dataset:
    """Return labels and memberships from one pass over the data."""
    columns = matrix.apply(
        layout, assign.both, width=1 + assign.partition.n_labels, called="labels"
    )
    check_free(columns, ("labels", "memberships"))
    return xr.Dataset(
        {
            "labels": as_labels(columns.isel({COLUMN: 0}), assign.partition),
            "memberships": as_memberships(columns.isel({COLUMN: slice(1, None)})),
        }
    )


def distances(layout: Layout, assign: Labeller) -> xr.DataArray:
    """Return the distance to the centre of each label, over (``label``, sample dims)."""
    width = assign.partition.n_labels
    columns = matrix.apply(layout, assign.distances, width=width, called="distances")
    if is_text(getattr(assign.clusterer, "metric", None), "cosine"):
        return _over_labels(columns, "distances", "angle to centre").assign_attrs(units="rad")
    return _over_labels(columns, "distances", "distance to centre")


def shifts(layout: Layout, assign: Labeller) -> xr.DataArray:
    """Return by how many features each sample lies behind the centre of its label."""
    array = matrix.apply(layout, assign.shifts, called="shifts").rename("shifts")
    attrs = {**layout.links, "long_name": "shift behind the centre of the label", "units": "1"}
    return array.assign_attrs(attrs)


def strength(layout: Layout, assign: Labeller) -> xr.DataArray:
    """Return how firmly each sample belongs to its label; lazy if the layout is lazy."""
    found = matrix.apply(layout, assign.strengths, called="strength")
    attrs = {**layout.links, "long_name": "strength of membership", "units": "1"}
    return found.rename("strength").assign_attrs(attrs)


def coverage(layout: Layout) -> xr.DataArray:
    """Return which share of its features each sample has; each variable counts the same."""
    data = matrix.run(layout, _coverage, width=None, dtype=np.float32, called="coverage")
    attrs = {**layout.links, "long_name": "share of features that are there", "units": "1"}
    return xr.DataArray(data, dict(layout.coords), layout.sample_dims, "coverage", attrs)


def _coverage(block: Block) -> Array:
    share = np.where(block.complete, block.share(), np.nan)
    return share.astype(np.float32).reshape(block.shape)


def as_labels(array: xr.DataArray, partition: Partition) -> xr.DataArray:
    """Return a label map with its name, its flags and an encoding for files."""
    named = array.rename(LABEL).assign_attrs(partition.attrs)
    named.encoding = {"dtype": "int16", "_FillValue": FILL_VALUE}
    return named


def as_memberships(columns: xr.DataArray) -> xr.DataArray:
    """Return memberships with their name, over ``label`` and the sample dims."""
    return _over_labels(columns, "memberships", "membership").assign_attrs(units="1")


def recode(stored: xr.Dataset, mapping: Array) -> xr.Dataset:
    """Return stored labels and memberships with each label replaced by ``mapping[label]``."""
    out = stored.assign(labels=recode_labels(stored["labels"], mapping))
    if "memberships" in stored:
        grouped = recode_memberships(stored["memberships"], mapping)
        out = out.drop_dims(LABEL).assign(memberships=grouped)
    return out


def recode_labels(labels: xr.DataArray, mapping: Array) -> xr.DataArray:
    """Return a label map with each label replaced by ``mapping[label]``."""
    recoded: xr.DataArray = xr.apply_ufunc(
        _recode,
        labels,
        kwargs={"partition": Partition(np.asarray(mapping))},
        dask="parallelized",
        output_dtypes=[np.float32],
        keep_attrs=True,
    )
    return recoded


def recode_memberships(memberships: xr.DataArray, mapping: Array) -> xr.DataArray:
    """Return memberships with those of labels that become one added up."""
    grouped = xr.apply_ufunc(
        Partition(np.asarray(mapping)).memberships,
        memberships.transpose(..., LABEL),
        input_core_dims=[[LABEL]],
        output_core_dims=[[COLUMN]],
        exclude_dims={LABEL},
        dask="allowed",
        keep_attrs=True,
    )
    return as_memberships(grouped)


def _recode(labels: Array, partition: Partition) -> Array:
    known = np.isfinite(labels)
    return np.where(known, partition(np.where(known, labels, -1).astype(np.int64)), labels)


def _over_labels(columns: xr.DataArray, name: str, long_name: str) -> xr.DataArray:
    array = columns.rename({COLUMN: LABEL}).transpose(LABEL, ...)
    array = array.assign_coords({LABEL: np.arange(array.sizes[LABEL])})
    return array.rename(name).assign_attrs(long_name=long_name)
