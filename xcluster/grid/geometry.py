"""Where the centres of grid cells lie, and how long their sides are."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.grid.areas import areas_of, axis_of, bounds_along, widths
from xcluster.grid.geography import EARTH_RADIUS_KM, find_axis
from xcluster.grid.healpix import healpix_of
from xcluster.grid.intervals import cells
from xcluster.grid.layout import Layout
from xcluster.grid.meshes import Mesh, mesh_of
from xcluster.grid.polygons import corners, unit_vectors

Sides = Mapping[Hashable, tuple[xr.DataArray, xr.DataArray]]
"""For each dim the sides that a cell shares with the one before and with the one after it."""


def centres(plane: Layout) -> tuple[list[xr.DataArray], bool]:
    """Return the coordinates of cells in space, and whether they are longitude and latitude.

    An axis of a grid without a coordinate is counted. Cells of a mesh and of HEALPix that have no
    coordinates lie where their corners tell it.
    """
    lonlat = [find_axis(plane.coords, axis) for axis in ("longitude", "latitude")]
    known = [each.reset_coords(drop=True) for each in lonlat if each is not None]
    if len(known) == 2:
        return known, True
    cells = healpix_of(plane.sample_dims, plane.data) or mesh_of(plane.sample_dims, plane.data)
    if cells is not None:
        unit = cells.unit if isinstance(cells, Mesh) else None
        return _named(cells.dim, cells.centres(), unit), unit is None
    axes = [axis for dim in plane.sample_dims for axis in _along(plane, dim)]
    counts = len(axes) > 1  # along a single dim numbers of samples are no places
    known = [each for each in axes if each.dtype.kind in "iuf"]
    return [each for each in known if counts or each.name in plane.coords], False


def _named(dim: Hashable, places: tuple[Array, Array], unit: str | None) -> list[xr.DataArray]:
    """Return longitude and latitude, or x and y if they have a unit of a plane."""
    names = ("longitude", "latitude") if unit is None else ("x", "y")
    units = ("degrees_east", "degrees_north") if unit is None else (unit, unit)
    return [
        xr.DataArray(place, dims=[dim], name=name, attrs={"units": said} if said else {})
        for place, name, said in zip(places, names, units, strict=True)
    ]


def _along(plane: Layout, dim: Hashable) -> list[xr.DataArray]:
    """Return the coordinates along a dim, those of its levels if it was stacked; else numbers."""
    coord = plane.coords.get(dim)
    if coord is None or coord.ndim != 1:
        return [xr.DataArray(np.arange(plane.sizes[dim]), dims=[dim], name=dim)]
    index = coord.to_index()
    names = index.names if index.nlevels > 1 else [dim]
    return [plane.coords[name].reset_coords(drop=True) for name in names]


def sides_of_cells(plane: Layout) -> tuple[Sides, str] | None:
    """Return how long the sides of cells are, and the unit; None if that is not known.

    It is known of two axes of latitude and longitude, of a plane with units of length, and of a
    curvilinear grid, whose cells have great circles between their corners.
    """
    data = xr.Dataset() if plane.data is None else plane.data
    latitude, longitude = (axis_of(plane.coords, name) for name in ("latitude", "longitude"))
    if len(plane.sample_dims) != 2:
        return None
    if latitude is None or longitude is None:
        return _on_plane(plane, data)
    if latitude.ndim == longitude.ndim == 1:
        found = _between_parallels(latitude, longitude, data)
    elif set(latitude.dims) == {*plane.sample_dims} and min(latitude.shape) > 1:
        found = _curvilinear(latitude.transpose(*longitude.dims), longitude)
    else:
        return None
    return None if found is None else (_scaled(found, EARTH_RADIUS_KM), "km")


def _scaled(sides: Sides, factor: float) -> Sides:
    return {dim: (before * factor, after * factor) for dim, (before, after) in sides.items()}


def _on_plane(plane: Layout, data: xr.Dataset) -> tuple[Sides, str] | None:
    found = areas_of(plane.coords, data, plane.sample_dims)
    if found is None or len(found.sides) != 2:
        return None
    first, second = (side * found.factor**0.5 for side in found.sides)
    sides = {first.dims[0]: (second, second), second.dims[0]: (first, first)}
    return sides, found.unit.removesuffix("2")


def _between_parallels(
    latitude: xr.DataArray, longitude: xr.DataArray, data: xr.Dataset
) -> Sides | None:
    edges, width = bounds_along(latitude, data) or cells(latitude.values), widths(longitude, data)
    if edges is None or width is None:
        return None
    low, high = np.deg2rad(np.clip(np.sort(edges, axis=0), -90, 90))
    rises = latitude.values[0] <= latitude.values[-1]
    ends = (low, high) if rises else (high, low)
    before, after = (xr.DataArray(np.cos(each), dims=latitude.dims) * width for each in ends)
    meridian = xr.DataArray(high - low, dims=latitude.dims)
    return {latitude.dims[0]: (before, after), longitude.dims[0]: (meridian, meridian)}


def _curvilinear(latitude: xr.DataArray, longitude: xr.DataArray) -> Sides:
    centre = (each.values.astype(np.float64) for each in (longitude, latitude))
    points = unit_vectors(*corners(*centre))
    y, x = longitude.dims
    along_x, along_y = (
        2 * np.arcsin(np.linalg.norm(np.diff(points, axis=axis), axis=0) / 2) for axis in (2, 1)
    )
    known = [np.nan_to_num(each) for each in (along_x, along_y)]
    ends = {y: (known[0][:-1], known[0][1:]), x: (known[1][:, :-1], known[1][:, 1:])}
    return {
        dim: (xr.DataArray(before, dims=(y, x)), xr.DataArray(after, dims=(y, x)))
        for dim, (before, after) in ends.items()
    }
