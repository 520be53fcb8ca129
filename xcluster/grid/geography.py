"""Latitude, longitude and the area of grid cells."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

EARTH_RADIUS_KM = 6371.0088

Axis = Literal["latitude", "longitude"]
Coords = Mapping[Hashable, xr.DataArray]


def find_axis(coords: Coords, axis: Axis) -> xr.DataArray | None:
    """Return the latitude or longitude among ``coords``, found by CF attributes or by name."""
    import cf_xarray  # noqa: F401  (registers the accessor that guess_coord_axis needs)

    dataset = xr.Dataset(coords={name: coord.variable for name, coord in coords.items()})
    named = dataset.cf.coordinates.get(axis) or _guessed(dataset, axis)
    return coords[named[0]] if named else None


def _guessed(dataset: xr.Dataset, axis: Axis) -> list[Hashable]:
    guessed = dataset.cf.guess_coord_axis()
    return list(guessed.cf.coordinates.get(axis, []))


def is_geographic(coords: Coords) -> bool:
    """Whether both latitude and longitude are known."""
    return all(find_axis(coords, axis) is not None for axis in ("latitude", "longitude"))


def area_weights(coords: Coords, data: xr.Dataset) -> xr.DataArray | None:
    """Return the weight of each grid point: the area of its cell if it has bounds, else cos(lat).

    None if there is no latitude.
    """
    latitude = find_axis(coords, "latitude")
    if latitude is None:
        return None
    if _bounds(latitude, data) is not None and (areas := cell_areas(coords, data)) is not None:
        return areas
    cosine = np.cos(np.deg2rad(latitude.values.astype(float)))
    return xr.DataArray(np.maximum(cosine, 0), dims=latitude.dims)


def cell_areas(coords: Coords, data: xr.Dataset) -> xr.DataArray | None:
    """Return the area of each cell of a grid of 1-D latitudes and longitudes, in km2.

    Edges of cells are the bounds in ``data``, otherwise they lie midway between the centres. None
    for other grids.
    """
    latitude, longitude = find_axis(coords, "latitude"), find_axis(coords, "longitude")
    if latitude is None or longitude is None or latitude.dims == longitude.dims:
        return None
    if latitude.ndim != 1 or longitude.ndim != 1 or min(latitude.size, longitude.size) < 2:
        return None
    south_north = np.clip(_edges(latitude, data, latitude.values.astype(np.float64)), -90, 90)
    height = np.abs(np.diff(np.sin(np.deg2rad(south_north)), axis=1)[:, 0])
    # From 359 to 0 and from 179 to -180 is one degree, anywhere along the axis.
    eastward = np.unwrap(longitude.values.astype(np.float64), period=360)
    width = np.abs(np.deg2rad(np.diff(_edges(longitude, data, eastward), axis=1)[:, 0]))
    area = EARTH_RADIUS_KM**2 * height[:, None] * np.minimum(width, 2 * np.pi)[None, :]
    return xr.DataArray(area, dims=latitude.dims + longitude.dims, attrs={"units": "km2"})


def _bounds(axis: xr.DataArray, data: xr.Dataset) -> NDArray[Any] | None:
    """Return the bounds (n, 2) of an axis for its own values; None if the data have none."""
    name = axis.attrs.get("bounds", axis.encoding.get("bounds"))
    if name not in data.variables or axis.dims[0] not in data[name].dims:
        return None
    bounds = data[name]
    if axis.dims[0] in axis.coords and axis.dims[0] in bounds.coords:
        bounds = bounds.sel({axis.dims[0]: axis[axis.dims[0]].values})
    if bounds.ndim != 2 or bounds.shape != (axis.size, 2):
        return None
    return np.asarray(bounds.transpose(axis.dims[0], ...).values, dtype=np.float64)


def _edges(axis: xr.DataArray, data: xr.Dataset, centres: NDArray[Any]) -> NDArray[Any]:
    """Return the edges (n, 2) of cells: the bounds in ``data``, otherwise midway."""
    bounds = _bounds(axis, data)
    if bounds is not None:
        return bounds
    found = edges(centres)
    return np.stack([found[:-1], found[1:]], axis=1)


def edges(centres: NDArray[Any]) -> NDArray[Any]:
    """Return the n + 1 edges midway between n centres."""
    if len(centres) < 2:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
