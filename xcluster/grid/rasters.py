"""Regular grids as programs of maps know them: rows from north to south, columns from the west."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.grid.crs import in_units_of, stated_crs
from xcluster.grid.entries import place_of
from xcluster.grid.geography import FULL_CIRCLE, find_axis
from xcluster.grid.healpix import healpix_of
from xcluster.grid.intervals import EVEN
from xcluster.grid.meshes import mesh_of

LONLAT = 4326
"""Longitude and latitude of WGS 84, which degrees mean where no CRS is stated."""

KEPT = "bring the data to a regular grid first; fit.save('result.nc') keeps any grid"


@dataclass(frozen=True, eq=False)
class Raster:
    """A regular grid of cells.

    Parameters
    ----------
    rows, columns
        Its dims.
    places
        For each other dim the place of the only entry that is taken.
    order
        How entries of rows and columns become ordered, where they are not.
    transform
        Width of a cell, 0, western edge, 0, height of a cell as a negative number, northern edge.
    crs
        The CRS of pyproj; None if it is not known.
    """

    rows: Hashable
    columns: Hashable
    places: Mapping[Hashable, int]
    order: Mapping[Hashable, Any]
    transform: tuple[float, float, float, float, float, float]
    crs: Any

    def of(self, array: xr.DataArray) -> xr.DataArray:
        """Return an array over rows and columns, and over what it has beside the dims of labels."""
        at = {dim: place for dim, place in self.places.items() if dim in array.dims}
        chosen = array.isel(at).transpose(..., self.rows, self.columns)
        return chosen.isel(dict(self.order))


def raster_of(labels: xr.DataArray, data: xr.Dataset, what: str, sel: Any = None) -> Raster:
    """Return the regular grid of a label map.

    Parameters
    ----------
    labels : DataArray
        Its coordinates and dims are read, never its values.
    data : Dataset
        What may describe the cells.
    what
        What is to be done, for errors.
    sel : mapping, optional
        Which entry to take of dims that are neither rows nor columns.

    Raises
    ------
    ValueError
        If the cells lie on no regular grid, or dims are left of which no entry is chosen.
    """
    places = _places(labels, sel)
    one = labels.isel(places)
    if healpix_of(one.dims, data) or mesh_of(one.dims, data):
        rule = "needs a grid, and HEALPix cells and meshes have no rows and columns"
        raise _no_raster(labels, what, rule, KEPT)
    x, y = _axes(one, what)
    left = [dim for dim in one.dims if dim not in (x.dims[0], y.dims[0])]
    if left:
        chosen = {str(dim): _shown(labels, dim) for dim in left}
        rule = f"has room for {y.name!r} and {x.name!r} only"
        raise _no_raster(labels, what, rule, f"choose one entry of the others: sel={chosen}")
    crs = _crs(one, x, y)
    if crs is not None and crs.is_projected:
        x, y = in_units_of(crs, x), in_units_of(crs, y)
    columns, (west, width) = _ordered(x, what, turns=crs is not None and crs.is_geographic)
    rows, (south, height) = _ordered(y, what)
    north = south + height * (y.size - 0.5)
    order = {x.dims[0]: columns, y.dims[0]: _flipped(rows)}
    order = {dim: each for dim, each in order.items() if each is not None}
    transform = (width, 0.0, west - width / 2, 0.0, -height, north)
    return Raster(y.dims[0], x.dims[0], places, order, transform, crs)


def _places(labels: xr.DataArray, sel: Any) -> dict[Hashable, int]:
    """Return the places that ``sel`` names, and those of dims with a single entry beside two."""
    sel = {} if sel is None else sel
    if not isinstance(sel, Mapping):
        remedy = 'pass sel={"time": "2001-07"}, for example'
        raise BadTypeError("sel", sel, "must be a mapping of dims", remedy)
    unknown = [dim for dim in sel if dim not in labels.dims]
    if unknown:
        rule = f"names {unknown[0]!r}, and the labels lie over {list(labels.dims)}"
        raise BadValueError("sel", dict(sel), rule, "choose along one of these")
    chosen = {dim: place_of(labels, dim, sel) for dim in sel}
    single = {dim: 0 for dim in labels.dims if labels.sizes[dim] == 1 and dim not in chosen}
    return {**chosen, **(single if labels.ndim - len(chosen) - len(single) == 2 else {})}


def _shown(labels: xr.DataArray, dim: Hashable) -> Any:
    """Return the first entry of a dim as a user would type it."""
    if dim not in labels.coords:
        return 0
    first = labels.indexes[dim][0] if dim in labels.indexes else 0
    first = first.item() if isinstance(first, np.number) else first
    return first if isinstance(first, int | float) else str(first)


def _axes(one: xr.DataArray, what: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the coordinates of columns and of rows."""
    longitude, latitude = (find_axis(one.coords, axis) for axis in ("longitude", "latitude"))
    if longitude is not None and latitude is not None:
        if longitude.ndim == latitude.ndim == 1:
            if longitude.dims != latitude.dims:
                return longitude, latitude
            rule = f"needs rows and columns, and cells lie in a list along {longitude.dims[0]!r}"
            raise _no_raster(one, what, rule, KEPT)
        if one.ndim < 2 or any(dim not in one.coords for dim in longitude.dims):
            rule = "needs rows and columns that run along its axes, and the grid is curvilinear"
            raise _no_raster(one, what, rule, KEPT)
    if one.ndim < 2:
        rule = f"needs rows and columns, and the labels lie over {list(one.dims)}"
        raise _no_raster(one, what, rule, KEPT)
    return _on_plane(one, what)


def _on_plane(one: xr.DataArray, what: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Return x and y by their attributes or names; otherwise those of the last two dims."""
    import cf_xarray  # noqa: F401  (registers the accessor)

    coords = {name: c.variable for name, c in one.coords.items() if c.dims == (name,)}
    axes = xr.Dataset(coords=coords).cf.guess_coord_axis().cf.axes
    found = [axes[axis][0] for axis in ("X", "Y") if axes.get(axis)]
    x, y = found if len(found) == 2 else (one.dims[-1], one.dims[-2])
    for dim in (x, y):
        if dim not in one.coords:
            rule = f"needs coordinates, and {dim!r} has none"
            remedy = f"place the data: ds.assign_coords({{{dim!r}: numbers}})"
            raise _no_raster(one, what, rule, remedy)
    return one[x], one[y]


def _crs(one: xr.DataArray, x: xr.DataArray, y: xr.DataArray) -> Any:
    """Return the CRS of the axes: the stated one, or that of degrees."""
    stated = stated_crs(one, x.name)
    along_x, along_y = find_axis({x.name: x}, "longitude"), find_axis({y.name: y}, "latitude")
    if along_x is None or along_y is None:
        return stated
    if stated is not None and stated.is_geographic and not stated.is_derived:
        return stated
    from pyproj import CRS

    return CRS.from_epsg(LONLAT)


def _ordered(axis: xr.DataArray, what: str, turns: bool = False) -> tuple[Any, tuple[float, float]]:
    """Return how an axis is brought into rising order, its first value and its spacing.

    Longitudes become -180 to 180 if they are evenly spaced then.
    """
    if axis.dtype.kind not in "iuf":
        rule = f"needs rows and columns that are evenly spaced, and {axis.name!r} has no numbers"
        raise _no_raster(axis, what, rule, KEPT)
    values = axis.values.astype(np.float64)
    half = FULL_CIRCLE / 2
    turned = [(values + half) % FULL_CIRCLE - half] if turns else []
    rounding = np.spacing(np.abs(axis.values.astype(_precision(axis))).max())
    for each in (*turned, values):
        order = np.argsort(each, kind="stable")
        spacing = _spacing(each[order], float(rounding))
        if spacing is not None:
            return _indexer(order), (float(each[order[0]]), spacing)
    rule = f"needs evenly spaced rows and columns, and those of {axis.name!r} are not"
    low, high = values.min(), values.max()
    remedy = f"bring the data to even ones: ds.interp({{{axis.name!r}: "
    remedy += f"np.linspace({low:g}, {high:g}, {max(axis.size, 2)})}})"
    raise _no_raster(axis, what, rule, remedy)


def _precision(axis: xr.DataArray) -> Any:
    return axis.dtype if axis.dtype.kind == "f" else np.float64


def _spacing(rising: Array, rounding: float) -> float | None:
    """Return the spacing of evenly spaced values; None if they are not."""
    if len(rising) < 2 or not np.isfinite(rising).all():
        return None
    step = (rising[-1] - rising[0]) / (len(rising) - 1)
    away = np.abs(rising - (rising[0] + step * np.arange(len(rising)))).max()
    return float(step) if step > 0 and away <= EVEN * step + rounding else None


def _indexer(order: Array) -> Any:
    """Return an order as a slice, if it is one; None if nothing changes."""
    steps = np.diff(order)
    if (steps == 1).all():
        return None
    return slice(None, None, -1) if (steps == -1).all() else order


def _flipped(order: Any) -> Any:
    """Return the opposite order."""
    if order is None:
        return slice(None, None, -1)
    return None if isinstance(order, slice) else order[::-1]


def _no_raster(labels: xr.DataArray, what: str, rule: str, remedy: str) -> BadValueError:
    return BadValueError("dims", list(labels.dims), f"{what} {rule}", remedy)
