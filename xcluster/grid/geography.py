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
DRAWN_HOLE = 5.0
"""Times the gaps on both sides. Levels that grow with depth, and dates with clouds between, are
drawn without a hole."""

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


def edges_with_holes(centres: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the edges of cells as they are drawn, from rising centres, and what each cell shows.

    A gap that is much wider than those on both sides is a hole, as a selection of seasons or of two
    regions leaves it. It is a cell that shows nothing, -1; cells beside it keep their width.
    """
    bounds, shown, gaps = edges(centres), np.arange(len(centres)), np.diff(centres)
    beside = np.maximum(gaps[:-2], gaps[2:])
    at = np.flatnonzero((gaps[1:-1] > DRAWN_HOLE * beside) & (beside > 0)) + 1
    bounds[at + 1] = centres[at] + gaps[at - 1] / 2
    after = centres[at + 1] - gaps[at + 1] / 2
    return np.insert(bounds, at + 2, after), np.insert(shown, at + 1, -1)
