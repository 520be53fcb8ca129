"""Latitude and longitude, and edges of cells."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

EARTH_RADIUS_KM = 6371.0088
FULL_CIRCLE = 360.0
ROUNDING = 1e-3
"""Degrees by which single precision may go beyond a limit."""

Axis = Literal["latitude", "longitude"]
Coords = Mapping[Hashable, xr.DataArray]


def find_axis(coords: Coords, axis: Axis) -> xr.DataArray | None:
    """Return the latitude or longitude among ``coords``, found by CF attributes or by name.

    None where there is none, or where what has the name is not in degrees.
    """
    import cf_xarray  # noqa: F401  (registers the accessor that guess_coord_axis needs)

    dataset = xr.Dataset(coords={name: coord.variable for name, coord in coords.items()})
    stated = dataset.cf.coordinates.get(axis)
    named = stated or dataset.cf.guess_coord_axis().cf.coordinates.get(axis)
    return coords[named[0]] if named and _is_degrees(coords[named[0]], axis) else None


def _is_degrees(coord: xr.DataArray, axis: Axis) -> bool:
    """Whether values can be degrees, whatever the name is: others are metres, or counted."""
    units = coord.attrs.get("units")
    if coord.dtype.kind not in "fiu" or not str(units or "degrees").startswith("deg"):
        return False
    if coord.chunks is not None or not np.isfinite(coord.values).any():
        return True
    low, high = float(coord.min()), float(coord.max())
    if axis == "latitude":
        return max(-low, high) <= 90 + ROUNDING
    return high - low <= FULL_CIRCLE + ROUNDING


def is_geographic(coords: Coords) -> bool:
    """Whether both latitude and longitude are known."""
    return all(find_axis(coords, axis) is not None for axis in ("latitude", "longitude"))


def edges(centres: NDArray[Any]) -> NDArray[Any]:
    """Return the n + 1 edges midway between n centres."""
    if len(centres) < 2:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
