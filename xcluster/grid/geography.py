"""Latitude and longitude, and edges of cells."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import lru_cache
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
    for found in (_stated, _guessed):
        named = [name for name, coord in coords.items() if axis in found(name, *_described(coord))]
        if named:
            first = coords[sorted(named, key=str)[0]]
            return first if _is_degrees(first, axis) else None
    return None


def _described(coord: xr.DataArray) -> tuple[int, bool, tuple[tuple[Hashable, str], ...]]:
    """Return what cf_xarray reads of a coordinate, besides its name."""
    texts = ((name, text) for name, text in coord.attrs.items() if isinstance(text, str))
    return coord.ndim, coord.dtype.kind in "mM", tuple(texts)


@lru_cache  # cf_xarray takes longer for a few coordinates than some fits
def _stated(name: Hashable, *described: Any) -> frozenset[Hashable]:
    """Return what a coordinate is by its attributes: latitude, for example."""
    return frozenset(_alone(name, *described).cf.coordinates)


@lru_cache
def _guessed(name: Hashable, *described: Any) -> frozenset[Hashable]:
    """Return what a coordinate is by its attributes and by its name."""
    return frozenset(_alone(name, *described).cf.guess_coord_axis().cf.coordinates)


def _alone(name: Hashable, ndim: int, is_time: bool, attrs: Any) -> xr.Dataset:
    import cf_xarray  # noqa: F401  (registers the accessor)

    values = np.zeros((1,) * ndim, "datetime64[ns]" if is_time else float)
    dims = [f"dim{number}" for number in range(ndim)]
    return xr.Dataset(coords={name: (dims, values, dict(attrs))})


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
