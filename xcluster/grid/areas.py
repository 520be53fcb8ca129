"""The area of each grid cell: as the data state it, from bounds, or from centres."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.grid.curvilinear import copies, of_centres, of_stacked
from xcluster.grid.geography import EARTH_RADIUS_KM, FULL_CIRCLE, ROUNDING, find_axis
from xcluster.grid.healpix import healpix_of
from xcluster.grid.intervals import cells, halves, repeats
from xcluster.grid.meshes import mesh_of
from xcluster.grid.polygons import as_degrees, solid_angles, unit_vectors

Coords = Mapping[Hashable, xr.DataArray]
Side = Callable[[xr.DataArray, xr.Dataset], xr.DataArray | None]
"""From the coordinate of an axis, and data with its bounds, to a side of each cell."""

METRES = {"m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0, "km": 1e3}
LENGTHS = (*METRES, "cm", "mm", "um", "µm", "μm", "nm", "pm", "angstrom", "Å")
SQUARE_KILOMETRES = {"m2": 1e-6, "m^2": 1e-6, "m**2": 1e-6, "km2": 1.0, "km^2": 1.0, "km**2": 1.0}
_IN_METRES = {
    **METRES,
    "cm": 1e-2,
    "mm": 1e-3,
    "um": 1e-6,
    "µm": 1e-6,
    "μm": 1e-6,
    "nm": 1e-9,
    "pm": 1e-12,
    "angstrom": 1e-10,
    "Å": 1e-10,
}
_SQUARE_METRES = {"ha": 1e4, **{f"{unit}2": side**2 for unit, side in _IN_METRES.items()}}
ROTATED = {"latitude": "grid_latitude", "longitude": "grid_longitude"}
SAME_AREA = 1e-6
"""Relative difference of areas that comes from longitudes in single precision."""


@dataclass(frozen=True, eq=False)
class Areas:
    """The areas of cells: the product of their sides, so that a large grid takes little memory.

    Parameters
    ----------
    sides
        Heights and widths over one dim each, or the areas themselves.
    factor
        What the product is multiplied by.
    unit
        The unit of the areas.
    """

    sides: tuple[xr.DataArray, ...]
    factor: float
    unit: str

    @property
    def dims(self) -> tuple[Hashable, ...]:
        """The dims of the areas."""
        return tuple(dim for side in self.sides for dim in side.dims)

    @property
    def largest(self) -> float:
        """The area of the largest cell."""
        return prod(float(side.max()) for side in self.sides) * self.factor

    def array(self, chunks: Mapping[Hashable, Any] | None = None) -> xr.DataArray:
        """Return the areas; if they have several sides and ``chunks`` are given, lazily."""
        if chunks and len(self.dims) > 1 and len(self.sides) > 1:
            whole = _outer(self.sides, chunks)
        else:
            whole = prod(self.sides[1:], start=self.sides[0])
        return (whole * self.factor).assign_attrs(units=self.unit)


def _outer(sides: Sequence[xr.DataArray], chunks: Mapping[Hashable, Any]) -> xr.DataArray:
    """Return the product of two sides, whose chunks are multiplied where they are needed."""
    import dask.array as da

    arguments: list[Any] = []
    for axis, side in enumerate(sides):
        sizes = tuple(chunks.get(dim, -1) for dim in side.dims)
        arguments += [da.from_array(side.values, chunks=sizes), (axis,)]
    # Not a product of xarray: dask would warn that it has many more chunks than each side.
    data = da.blockwise(
        np.outer, (0, 1), *arguments, token="xcluster-areas", dtype=float, align_arrays=False
    )
    return xr.DataArray(data, dims=[dim for side in sides for dim in side.dims])


def cell_areas(
    coords: Coords,
    data: xr.Dataset,
    dims: Collection[Hashable] = (),
    chunks: Mapping[Hashable, Any] | None = None,
) -> xr.DataArray | None:
    """Return the area of each cell as an array with its unit; None where areas are not known.

    It is lazy where `Areas.array` says so.
    """
    areas = areas_of(coords, data, dims)
    return None if areas is None else areas.array(chunks)


def areas_of(coords: Coords, data: xr.Dataset, dims: Collection[Hashable] = ()) -> Areas | None:
    """Return the area of each cell.

    In this order: a variable that the data name in ``cell_measures``, HEALPix cells, the faces of
    a UGRID mesh, bounds, and the centres of latitudes and longitudes (1-D, 2-D, or those of a
    rotated pole) or of a plane. Coordinates of a plane need a unit of length. A cell that occurs
    several times has a part of its area each time.

    Parameters
    ----------
    coords : mapping of DataArray
        Coordinates of the samples.
    data : Dataset
        With bounds, cell measures and meshes.
    dims
        Dims of the samples, which may have no coordinates.

    Returns
    -------
    Areas or None
        In the unit "km2" on Earth, otherwise in that of the coordinates, squared. None where areas
        are not known.
    """
    measured = _measured(coords, data)
    if measured is not None:
        return measured
    listed = of_lists({*dims, *(dim for coord in coords.values() for dim in coord.dims)}, data)
    if listed is not None:
        return listed
    latitude, longitude = (axis_of(coords, name) for name in ("latitude", "longitude"))
    if latitude is None or longitude is None:
        return _of_plane(coords, data)
    if latitude.dims != longitude.dims and latitude.ndim == longitude.ndim == 1:
        return _on_earth(_band_heights(latitude, data), widths(longitude, data))
    if set(latitude.dims) != set(longitude.dims):
        return None
    if _is_level(latitude) and _is_level(longitude):
        return _on_earth(_of_levels(((latitude, _band_heights), (longitude, widths)), data))
    return _on_earth(_of_polygons(latitude, longitude.transpose(*latitude.dims), data))


def ratio(parameter: str, value: Any, unit: str, to: str) -> float:
    """Return how many of the unit of area ``to`` one ``unit`` is; refuse one that is not known."""
    known = [_SQUARE_METRES.get(re.sub(r"\^|\*\*", "", each)) for each in (unit, to)]
    if known[0] is None or known[1] is None:
        rule = f"must have a unit of area that can become {to}, such as {to}"
        raise BadValueError(parameter, value, rule, f"pass the number in {to}")
    return known[0] / known[1]


def area_weights(
    coords: Coords,
    data: xr.Dataset,
    dims: Collection[Hashable] = (),
    chunks: Mapping[Hashable, Any] | None = None,
) -> xr.DataArray | None:
    """Return the area of each cell, as `Areas.array`; without longitudes that of bands.

    None where no area is known; scattered points are refused.
    """
    areas, latitude = areas_of(coords, data, dims), axis_of(coords, "latitude")
    if areas is not None:
        return (areas if latitude is None else _of_bands(areas, latitude)).array(chunks)
    if latitude is None:
        return None
    longitude = axis_of(coords, "longitude")
    if longitude is not None and longitude.dims == latitude.dims and latitude.ndim == 1:
        raise _scattered(latitude)
    heights = _band_heights(latitude, data) if longitude is None and latitude.ndim == 1 else None
    return _cosines(latitude) if heights is None else heights


def _of_bands(areas: Areas, latitude: xr.DataArray) -> Areas:
    """Return the areas along a 1-D latitude alone, if cells of one latitude are alike."""
    if len(areas.dims) != 2 or latitude.ndim != 1:
        return areas
    sides = [
        side.max([dim for dim in side.dims if dim not in latitude.dims]) for side in areas.sides
    ]
    pairs = zip(areas.sides, sides, strict=True)
    same = all((abs(side - widest) <= SAME_AREA * side).all() for side, widest in pairs)
    return replace(areas, sides=tuple(sides)) if same else areas


def _scattered(latitude: xr.DataArray) -> BadValueError:
    (dim,) = latitude.dims
    rule = f"is not known of points along {dim!r}, which have no bounds and lie on no known mesh"
    remedy = "pass a DataArray of weights, such as a variable of areas, or name it in cell_measures"
    return BadValueError("weights", "area", rule, remedy)


def of_lists(dims: Collection[Hashable], data: xr.Dataset) -> Areas | None:
    """Return the area of HEALPix cells, or of faces or nodes of a mesh."""
    healpix = healpix_of(dims, data)
    if healpix is not None:
        angles = np.full(len(healpix.cells), healpix.solid_angle)
        return _on_earth(xr.DataArray(angles, dims=[healpix.dim]))
    mesh = mesh_of(dims, data)
    if mesh is None:
        return None
    areas = xr.DataArray(mesh.areas(), dims=[mesh.dim])
    return _on_earth(areas) if mesh.unit is None else _on_plane(mesh.unit, areas)


def _on_earth(*angles: xr.DataArray | None) -> Areas | None:
    """Return areas from solid angles, or from heights and widths; None if one is not known."""
    known = tuple(each for each in angles if each is not None)
    return Areas(known, EARTH_RADIUS_KM**2, "km2") if len(known) == len(angles) else None


def _on_plane(unit: str, *sides: xr.DataArray) -> Areas | None:
    """Return areas in a unit of length, squared; None if it is none."""
    if unit not in LENGTHS:
        return None
    plain = Areas(sides, 1.0, f"{unit}2")
    if unit in METRES and plain.largest * METRES[unit] ** 2 >= 1:  # land, no microscope
        return Areas(sides, (METRES[unit] / 1e3) ** 2, "km2")
    return plain


def _cosines(latitude: xr.DataArray) -> xr.DataArray:
    cosines = np.cos(np.deg2rad(latitude.values.astype(float)))
    return xr.DataArray(np.maximum(cosines, 0), dims=latitude.dims)


def axis_of(coords: Coords, name: Any) -> xr.DataArray | None:
    """Return latitude or longitude, or that of a rotated pole, which turns no area."""
    rotated = [c for c in coords.values() if c.attrs.get("standard_name") == ROTATED[name]]
    found = find_axis(coords, name)
    if found is not None and found.ndim > 1 and len(rotated) == 1:
        return rotated[0]  # exact, where centres of a curvilinear grid are not
    return rotated[0] if found is None and rotated else found


def _measured(coords: Coords, data: xr.Dataset) -> Areas | None:
    """Return the areas that a variable of the data states, in a unit that is known."""
    import cf_xarray  # noqa: F401  (registers the accessor)

    dims = {dim for coord in coords.values() for dim in coord.dims}
    for name in data.cf.cell_measures.get("area", []):
        if name in data.variables and data[name].ndim and set(data[name].dims) <= dims:
            factor = SQUARE_KILOMETRES.get(data[name].attrs.get("units", "m2"))
            if factor is not None:
                area = data[name].reset_coords(drop=True).astype(float)
                return Areas((area,), factor, "km2")
    return None


def _band_heights(latitude: xr.DataArray, data: xr.Dataset) -> xr.DataArray | None:
    """Return the height of the band of each latitude, as a part of the radius."""
    edges = bounds_along(latitude, data) or cells(latitude.values)
    if edges is None:
        return None
    return xr.DataArray(_height(edges) / _times(latitude, data), dims=latitude.dims)


def _height(edges: tuple[Array, Array]) -> Array:
    """Return the height of bands between two latitudes each, as a part of the radius."""
    south, north = (np.sin(np.deg2rad(np.clip(edge, -90, 90))) for edge in edges)
    return np.asarray(np.abs(north - south))


def widths(longitude: xr.DataArray, data: xr.Dataset) -> xr.DataArray | None:
    """Return the width of the cells of each longitude, in radians."""
    width = _width(longitude, data, FULL_CIRCLE)
    if width is None:
        return None
    times = _times(longitude, data, FULL_CIRCLE)
    return xr.DataArray(np.deg2rad(width) / times, dims=longitude.dims)


def _between_bounds(longitude: Array, bounds: tuple[Array, Array]) -> Array:
    """Return the width of cells in degrees; bounds of 359 and 1 are two degrees apart."""
    width = np.abs(bounds[1] - bounds[0])
    ahead = (longitude - np.minimum(*bounds)) % FULL_CIRCLE
    outside = (ahead == 0) | (ahead >= width)
    wraps = outside & (width > FULL_CIRCLE / 2) & (width < FULL_CIRCLE - ROUNDING)
    return np.asarray(np.where(wraps, FULL_CIRCLE - width, width))


def _times(axis: xr.DataArray, data: xr.Dataset, period: float | None = None) -> Array:
    """Return how often each cell of an axis occurs; half cells at both ends are two cells."""
    bounds = bounds_along(axis, data)
    if bounds is None:
        return repeats(axis.values, period=period)
    return repeats(np.minimum(*bounds), np.abs(bounds[1] - bounds[0]), period=period)


def _is_level(coord: xr.DataArray) -> bool:
    """Whether a coordinate is a level of the index of a grid that was stacked."""
    index = coord.indexes.get(coord.dims[0]) if coord.ndim == 1 else None
    return index is not None and index.nlevels > 1 and coord.name in index.names


def _of_levels(axes: Sequence[tuple[xr.DataArray, Side]], data: xr.Dataset) -> xr.DataArray | None:
    """Return the area of the cells of a grid that was stacked: the product of their sides."""
    (dim,) = axes[0][0].dims
    area = 1 / repeats(axes[0][0].indexes[dim].factorize()[0])
    for axis, side in axes:
        _, first, place = np.unique(axis.values, return_index=True, return_inverse=True)
        name = _name_of_bounds(axis)
        bounds = data[[name] if name in data.variables else []]
        found = side(axis.isel({dim: first}), bounds.isel({dim: first}, missing_dims="ignore"))
        if found is None:
            return None
        area = area * found.values[place]
    return xr.DataArray(area, dims=[dim])


def _of_polygons(
    latitude: xr.DataArray, longitude: xr.DataArray, data: xr.Dataset
) -> xr.DataArray | None:
    """Return the solid angle of cells from their bounds, or from the corners between centres."""
    boxes = bounds_along(longitude, data), bounds_along(latitude, data)
    if boxes[0] is not None and boxes[1] is not None:
        width = np.deg2rad(_between_bounds(longitude.values, boxes[0]))
        area = width * _height(boxes[1]) / repeats(*boxes[0], *boxes[1])
        return xr.DataArray(area, dims=latitude.dims)
    stated = _bounds(longitude, data), _bounds(latitude, data)
    if stated[0] is not None and stated[1] is not None:
        vertices = [each.values for each in stated if each is not None]
        times = copies(*as_degrees(unit_vectors(*vertices).mean(axis=-1)))
        return xr.DataArray(solid_angles(*vertices) / times, dims=latitude.dims)
    if latitude.ndim == 2:
        return of_centres(longitude, latitude)
    index = latitude.indexes.get(latitude.dims[0]) if latitude.ndim else None
    return None if index is None or index.nlevels != 2 else of_stacked(longitude, latitude)


def _of_plane(coords: Coords, data: xr.Dataset) -> Areas | None:
    """Return the areas on a plane of two axes in the same unit of length."""
    axes = [
        coord
        for name, coord in coords.items()
        if (coord.dims == (name,) or _is_level(coord)) and coord.attrs.get("units") in LENGTHS
    ]
    if len(axes) != 2 or axes[0].attrs["units"] != axes[1].attrs["units"]:
        return None
    if axes[0].dims == axes[1].dims:
        sides = [_of_levels([(axis, _sides) for axis in axes], data)]
    else:
        sides = [_sides(axis, data) for axis in axes]
    known = [side for side in sides if side is not None]
    return _on_plane(axes[0].attrs["units"], *known) if len(known) == len(sides) else None


def _sides(axis: xr.DataArray, data: xr.Dataset) -> xr.DataArray | None:
    """Return the width of the cells of one axis, in its own unit."""
    width = _width(axis, data)
    return None if width is None else xr.DataArray(width / _times(axis, data), dims=axis.dims)


def _width(axis: xr.DataArray, data: xr.Dataset, period: float | None = None) -> Array | None:
    """Return how wide each cell is, from bounds or centres, whatever the axis starts from."""
    bounds = bounds_along(axis, data)
    if bounds is not None:
        return _between_bounds(axis.values, bounds) if period else np.abs(bounds[1] - bounds[0])
    sides = halves(axis.values, period)
    return None if sides is None else sides[0] + sides[1]


def bounds_along(axis: xr.DataArray, data: xr.Dataset) -> tuple[Array, Array] | None:
    """Return both bounds of the cells of one axis; None if the data have none."""
    bounds = _bounds(axis, data)
    if bounds is None or bounds.ndim != 2 or bounds.shape[1] != 2:
        return None
    return bounds.values[:, 0], bounds.values[:, 1]


def _bounds(axis: xr.DataArray, data: xr.Dataset) -> xr.DataArray | None:
    """Return the bounds of a coordinate, its own dims first; None if the data have none."""
    name = _name_of_bounds(axis)
    if name not in data.variables:
        return None
    bounds = data[name]
    if bounds.ndim != axis.ndim + 1 or not set(axis.dims) <= set(bounds.dims):
        return None
    for dim in axis.dims:
        if dim in axis.coords and dim in bounds.coords and not axis[dim].equals(bounds[dim]):
            bounds = bounds.sel({dim: axis[dim].values})
    bounds = bounds.transpose(*axis.dims, ...)
    return bounds.astype(float) if bounds.shape[:-1] == axis.shape else None


def _name_of_bounds(axis: xr.DataArray) -> Any:
    return axis.attrs.get("bounds", axis.encoding.get("bounds"))
