"""Label maps side by side: the same grid, and which labels go together."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster import scores
from xcluster.checks import complaint
from xcluster.layout import Layout

Array = NDArray[Any]


def mapping(ours: xr.DataArray, theirs: Any, k: int) -> Array:
    """Return the number that each of our ``k`` labels takes to agree most with theirs.

    Labels without a partner are numbered after all others.
    """
    mine, other = paired(ours, theirs)
    found = scores.match_labels(other, mine)
    free = 1 + max([*found.values(), int(other.max(initial=-1)), -1])
    unseen = (label for label in range(k) if label not in found)
    found |= {label: free + place for place, label in enumerate(unseen)}
    return np.array([found[label] for label in range(k)])


def paired(ours: xr.DataArray, theirs: Any) -> tuple[Array, Array]:
    """Return two label maps as integers in one order; -1 without data or label."""
    if not isinstance(theirs, xr.DataArray):
        rule = f"must be a Clustering or a DataArray of labels, not {type(theirs).__name__}"
        raise TypeError(complaint("other", type(theirs).__name__, rule, "pass its .labels"))
    if set(ours.dims) != set(theirs.dims):
        rule = f"lies on {_grid(theirs)}, and the labels on {_grid(ours)}"
        raise ValueError(complaint("other", theirs.name, rule, "bring both to one grid"))
    try:
        ours, theirs = xr.align(ours, theirs, join="exact", copy=False)
    except ValueError:
        rule = f"lies on {_grid(theirs)}, and the labels on {_grid(ours)}, at other coordinates"
        raise ValueError(
            complaint("other", theirs.name, rule, "reindex it: other.reindex_like(labels)")
        ) from None
    theirs = theirs.transpose(*ours.dims)
    return _integers(ours), _integers(theirs)


def check_same_grid(parameter: str, layout: Layout, labels: xr.DataArray) -> None:
    """Refuse samples that do not lie where stored labels lie."""
    sizes = {str(dim): size for dim, size in layout.sizes.items()}
    same = sizes == {str(dim): size for dim, size in labels.sizes.items()} and all(
        layout.coords[dim].variable.equals(labels.coords[dim].variable)
        for dim in layout.sample_dims
        if dim in layout.coords and dim in labels.coords
    )
    if not same:
        grid = ", ".join(f"{dim}: {size}" for dim, size in layout.sizes.items())
        rule = f"lies on {grid}, and the saved labels on {_grid(labels)}, or at other coordinates"
        raise ValueError(complaint(parameter, "object", rule, "pass the object that was clustered"))


def _integers(labels: xr.DataArray) -> Array:
    values = np.asarray(labels.values, dtype=float).ravel()
    return np.where(np.isfinite(values), values, -1).astype(np.int64)


def _grid(array: xr.DataArray) -> str:
    return ", ".join(f"{dim}: {size}" for dim, size in array.sizes.items())
