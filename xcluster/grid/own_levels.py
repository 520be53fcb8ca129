"""Axes that differ from column to column: the one that a user names, and others that data hold."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.checks import did_you_mean, is_one_of, warn
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.grid.layout import LABEL
from xcluster.grid.levels import check_range, regular_levels

VERTICAL = (
    "sea_water_pressure",
    "air_pressure",
    "depth",
    "altitude",
    "height",
    "geopotential_height",
)
VERTICAL_UNITS = ("dbar", "decibar", "bar", "mbar", "millibar", "hPa", "Pa", "kPa")


def own_axis(data: xr.Dataset, dim: Hashable, along: Any) -> xr.DataArray:
    """Return the coordinate or variable ``along``, which holds the levels of each column."""
    if not is_one_of(along, data.variables):
        rule, remedy = "is not a coordinate of the data", did_you_mean(along, data.variables)
        raise BadValueError("along", along, rule, remedy)
    axis: xr.DataArray = data[along]
    if dim not in axis.dims:
        rule = f"lies over {list(axis.dims)}, without {dim!r}"
        remedy = f"name a coordinate with the dim {dim!r}, which holds the levels of each column"
        raise BadValueError("along", along, rule, remedy)
    if axis.dtype.kind not in "fiu":
        rule = f"has dtype {axis.dtype}, but levels of columns are numbers"
        raise BadTypeError("along", along, rule, "turn it into numbers first")
    if along == LABEL or along in data.dims:
        rule = "cannot become the dim of the profiles, as another dim has this name"
        raise BadValueError("along", along, rule, f"rename it: ds.rename({along}='level')")
    return axis


def common_levels(dim: Hashable, between: Any, step: Any) -> Array:
    """Return levels ``step`` apart from the first to the last of ``between``; both are needed."""
    remedy = "pass both, for example between=(0, 500), step=10"
    for name, value in (("step", step), ("between", between)):
        if value is None:
            rule = f"is needed with along=: columns over {dim!r} have no common levels"
            raise BadValueError(name, None, rule, remedy)
    return regular_levels(np.array(check_range(between)), step)


def check_sample_dims(axis: xr.DataArray, dim: Hashable, sample_dims: Sequence[Hashable]) -> None:
    """Refuse an axis that differs along a dim over which there are no samples."""
    other = [name for name in axis.dims if name != dim and name not in sample_dims]
    if other:
        rule = f"has the dim {other[0]!r}, which none of the chosen variables has"
        remedy = "select one entry of that dim, or choose variables that have it"
        raise BadValueError("along", axis.name, rule, remedy)


def warn_of_own_levels(data: xr.Dataset, dim: Hashable, chosen: Collection[Hashable]) -> None:
    """Warn if columns along ``dim`` are compared level by level, though each has its own levels."""
    found = [name for name in data.variables if name not in chosen and _is_axis(data[name], dim)]
    if found:
        warn(
            f"profiles over {dim!r} are compared level by level, but {found[0]!r} holds other "
            f"levels for each of them. Pass along={found[0]!r} with between= and step= to compare "
            f"them at common levels, or along={dim!r} to compare them as they are."
        )


def _is_axis(array: xr.DataArray, dim: Hashable) -> bool:
    """Whether an array holds vertical levels that differ from column to column."""
    if array.ndim < 2 or dim not in array.dims or array.dtype.kind not in "fiu":
        return False
    # On a grid with coordinates of its own, a field of pressure is data unless it is a coordinate.
    is_axis = array.name in array.coords or not array.indexes
    return says_vertical(array) if is_axis else _is_marked(array)


def says_vertical(array: xr.DataArray) -> bool:
    """Whether attributes say that an array holds heights, depths or pressures."""
    stated, units = (str(array.attrs.get(name, "")) for name in ("standard_name", "units"))
    return _is_marked(array) or stated in VERTICAL or units in VERTICAL_UNITS


def _is_marked(array: xr.DataArray) -> bool:
    return array.attrs.get("axis") == "Z" or "positive" in array.attrs
