"""Dims that are no part of a field, as they count members of an ensemble or hold dates or names."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

import xarray as xr

from xcluster.base.checks import warn
from xcluster.grid.geography import find_axis
from xcluster.grid.own_levels import says_vertical

MEMBERS = (
    *("member", "ensemble", "ens", "realization", "realisation", "number", "run", "model"),
    *("scenario", "experiment", "simulation", "bootstrap", "replicate", "sample", "draw"),
)

HEIGHTS = re.compile(
    "(s|m|p|model_?)?lev|n?z|layer|hei?ght|depth|alt|pres|isobar|sigma|s_(rho|w)|hybrid|bottom_top"
)
"""How names of vertical dims begin."""


def warn_of_strange_dims(
    data: xr.Dataset, sample_dims: Sequence[Hashable], feature_dims: Sequence[Hashable]
) -> None:
    """Warn if a dim that is not spatial gives features of snapshots."""
    for dim in feature_dims:
        if data.sizes[dim] > 1 and (why := _why_strange(data, dim, feature_dims)):
            wanted = f"[{', '.join(map(repr, (dim, *sample_dims)))}]"
            warn(
                f"the entries of {dim!r} became features, but it {why}. Pass snapshots({wanted}) "
                f"to take each of them as a sample, or select one with ds.isel({dim}=0)."
            )


def _why_strange(data: xr.Dataset, dim: Hashable, dims: Sequence[Hashable]) -> str:
    """Return why a dim is not spatial; empty text if it may be."""
    index = data.indexes.get(dim)
    if counts_members(dim, data.coords.get(dim)):
        return "counts members of an ensemble"
    if index is not None and (isinstance(index, xr.CFTimeIndex) or index.dtype.kind in "mM"):
        return "holds times"
    if index is not None and index.dtype.kind not in "fiu":
        return "holds names"
    spatial = _spatial_dims(data, dims)
    return "is no axis of space" if spatial and dim not in spatial else ""


def counts_members(dim: Hashable, coord: xr.DataArray | None) -> bool:
    """Whether the entries of a dim are members of an ensemble, by its name or its coordinate."""
    stated = "" if coord is None else str(coord.attrs.get("standard_name", ""))
    name = str(dim).lower().rstrip("_0123456789")
    return stated == "realization" or name in MEMBERS or name.rstrip("s_") in MEMBERS


def _spatial_dims(data: xr.Dataset, dims: Sequence[Hashable]) -> set[Hashable]:
    """Return the dims of latitude, longitude and height; none if places are not geographic."""
    found: set[Hashable] = set()
    for axis in ("latitude", "longitude"):
        place = find_axis(data.coords, axis)
        if place is None or not set(place.dims) & set(dims):
            return set()
        found |= set(place.dims)
    return found | {dim for dim in dims if _is_vertical(data, dim)}


def _is_vertical(data: xr.Dataset, dim: Hashable) -> bool:
    return bool(HEIGHTS.match(str(dim).lower())) or (
        dim in data.coords and says_vertical(data[dim])
    )
