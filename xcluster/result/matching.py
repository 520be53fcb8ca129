"""Which labels of two maps correspond, and whether the maps lie on the same grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xcluster import scores
from xcluster.base.arrays import Array
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.blocks.graphs import together
from xcluster.fit.fitted import Fitted
from xcluster.grid.layout import Layout


def mapping(ours: xr.DataArray, theirs: Any, k: int) -> Array:
    """Return a new number for each of our ``k`` labels, so that most samples agree with theirs.

    Labels without a partner are numbered after all others.
    """
    return numbers(*paired(ours, theirs), k)


def numbers(mine: Array, other: Array, k: int) -> Array:
    """Return the new numbers, from label maps as integers; -1 means no label."""
    found = scores.match_labels(other, mine)
    free = 1 + max([*found.values(), int(other.max(initial=-1)), -1])
    unseen = (label for label in range(k) if label not in found)
    found |= {label: free + place for place, label in enumerate(unseen)}
    return np.array([found[label] for label in range(k)])


def paired(ours: xr.DataArray, theirs: Any, parameter: str = "other") -> tuple[Array, Array]:
    """Return two label maps as integers in the same order; -1 means no data or no label."""
    ours, theirs = together([ours, aligned(ours, theirs, parameter)])
    return integers(ours, parameter), integers(theirs, parameter)


def label_map(given: Any, parameter: str) -> xr.DataArray:
    """Return the labels of a result, or the DataArray of labels that was given."""
    labels = given.labels if isinstance(given, Fitted) else given
    if not isinstance(labels, xr.DataArray):
        rule = f"must be a Clustering or a DataArray of labels, not {type(given).__name__}"
        raise BadTypeError(parameter, type(given).__name__, rule, "pass the .labels of a result")
    return labels


def aligned(ours: xr.DataArray, theirs: Any, parameter: str) -> xr.DataArray:
    """Return a label map in the order of ours; refuse another grid, and show both grids."""
    theirs = label_map(theirs, parameter)
    if set(ours.dims) != set(theirs.dims):
        rule = f"lies on {_grid(theirs)}, and the labels on {_grid(ours)}"
        raise BadValueError(parameter, theirs.name, rule, "pass labels on the same grid")
    try:
        found = xr.align(ours, _upright_as(ours, theirs), join="exact", copy=False)[1]
    except ValueError:
        rule = f"lies on {_grid(theirs)}, and the labels on {_grid(ours)}, at other coordinates"
        remedy = _how_to_align(ours, theirs, parameter)
        raise BadValueError(parameter, theirs.name, rule, remedy) from None
    return found.transpose(*ours.dims)


def _how_to_align(ours: xr.DataArray, theirs: xr.DataArray, parameter: str) -> str:
    """Return how a map comes onto the grid of ours: by the nearest of its cells, if it can."""
    if not set(theirs.dims) <= set(theirs.indexes) & set(ours.indexes):
        return "give both coordinates along all dims, or pass one on the same grid"
    numbers = all(theirs.indexes[dim].dtype.kind in "iufM" for dim in theirs.dims)
    nearest = ", method='nearest'" if numbers else ""
    return f"reindex it: {parameter}.reindex_like(labels{nearest})"


def _upright_as(ours: xr.DataArray, theirs: xr.DataArray) -> xr.DataArray:
    """Return ``theirs`` with the direction of each axis as in ``ours``."""
    turned = {
        dim: slice(None, None, -1)
        for dim in ours.dims
        if dim in ours.indexes
        and dim in theirs.indexes
        and not ours.indexes[dim].equals(theirs.indexes[dim])
        and ours.indexes[dim].equals(theirs.indexes[dim][::-1])
    }
    return theirs.isel(turned)


def check_same_grid(parameter: str, layout: Layout, labels: xr.DataArray) -> None:
    """Refuse samples that lie on another grid than the stored labels."""
    sizes = {str(dim): size for dim, size in layout.sizes.items()}
    same = sizes == {str(dim): size for dim, size in labels.sizes.items()} and all(
        layout.coords[dim].variable.equals(labels.coords[dim].variable)
        for dim in layout.sample_dims
        if dim in layout.coords and dim in labels.coords
    )
    if not same:
        grid = ", ".join(f"{dim}: {size}" for dim, size in layout.sizes.items())
        rule = f"lies on {grid}, and the saved labels on {_grid(labels)}, or at other coordinates"
        raise BadValueError(parameter, "object", rule, "pass the object that was clustered")


def integers(labels: xr.DataArray, parameter: str) -> Array:
    """Return a label map as flat integers, -1 without data; refuse fractions and text."""
    if labels.dtype.kind not in "fiub":
        rule = f"holds {labels.dtype}, but labels are whole numbers"
        remedy = "number them: np.unique(..., return_inverse=True)"
        raise BadTypeError(parameter, labels.name, rule, remedy)
    values = np.asarray(labels.values, dtype=float).ravel()
    values = np.where(np.isfinite(values), values, -1)
    if (values != np.trunc(values)).any():
        rule = "holds fractions, but labels are whole numbers"
        raise BadValueError(parameter, labels.name, rule, "round them, or pass labels")
    return values.astype(np.int64)


def _grid(array: xr.DataArray) -> str:
    return ", ".join(f"{dim}: {size}" for dim, size in array.sizes.items()) or "no dims"
