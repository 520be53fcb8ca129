"""Which polygon holds the centre of each grid cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.grid.crs import in_units_of, stated_crs
from xcluster.grid.geography import FULL_CIRCLE
from xcluster.grid.geometry import centres
from xcluster.grid.layout import Layout
from xcluster.grid.surroundings import plane_of

LONLAT = "EPSG:4326"


def is_frame(by: Any) -> bool:
    """Whether an object is a GeoDataFrame or a GeoSeries; geopandas is not imported for it."""
    return type(by).__module__.partition(".")[0] == "geopandas" and hasattr(by, "to_crs")


def zones_of(frame: Any, layout: Layout, labels: xr.DataArray) -> tuple[xr.DataArray, str]:
    """Return the number of the first polygon that holds each centre, and what was done to them.

    It is -1 where none does.
    """
    plane = plane_of(layout)
    places, on_earth = centres(plane) if plane.sample_dims else ([], False)
    if len(places) != 2:
        rule = "needs the place of each sample in longitude and latitude, or on a plane"
        raise BadValueError("by", type(frame).__name__, rule, "pass a DataArray of zones")
    y, x = _plane_axes(places) if not on_earth else places[::-1]
    polygons, note, (x, y) = _on_the_grid(frame, labels, x, y, on_earth)
    shape = {dim: plane.sizes[dim] for dim in dict.fromkeys((*y.dims, *x.dims))}
    zone = xr.DataArray(np.full(tuple(shape.values()), -1, np.int32), dims=list(shape))
    y = y if x.ndim == 1 else y.transpose(*x.dims)
    for number, polygon in enumerate(polygons.geometry):
        if polygon is not None and not polygon.is_empty:
            at = _held(polygon, x, y, on_earth)
            inside = zone.values[at]
            zone.values[at] = np.where(inside < 0, number, inside)
    return zone, note


def _plane_axes(places: list[xr.DataArray]) -> tuple[xr.DataArray, xr.DataArray]:
    """Return y and x of a plane: as attributes or names tell them, or else in this order."""
    import cf_xarray  # noqa: F401  (registers the accessor)

    named = {str(each.name): each for each in places}
    known = xr.Dataset(
        coords={name: (each.dims, each.values, each.attrs) for name, each in named.items()}
    )
    axes = known.cf.guess_coord_axis().cf.axes
    first = named.get(axes["X"][0]) if axes.get("X") else None
    x = places[1] if first is None else first
    (y,) = (each for each in places if each is not x)
    return y, x


def _on_the_grid(
    frame: Any, labels: xr.DataArray, x: xr.DataArray, y: xr.DataArray, on_earth: bool
) -> tuple[Any, str, tuple[xr.DataArray, xr.DataArray]]:
    """Return polygons in the CRS of the grid, what was done to them, and x and y in its units."""
    kinds = set(frame.geometry.dropna().geom_type) - {"Polygon", "MultiPolygon"}
    if kinds:
        rule = "must hold polygons"
        raise BadTypeError("by", ", ".join(sorted(kinds)), rule, "make areas: by.buffer(distance)")
    stated: Any = LONLAT if on_earth else stated_crs(labels, x.name)
    if stated is not None and not on_earth:
        x, y = in_units_of(stated, x), in_units_of(stated, y)
    if frame.crs is None or frame.crs == stated:
        return frame, "", (x, y)
    if stated is None:
        rule = f"lies in {frame.crs.name}, and the data do not state their CRS"
        remedy = "write it: ds.rio.write_crs(...), or pass by.set_crs(None, allow_override=True)"
        raise BadValueError("by", frame.crs.name, rule, remedy)
    moved = frame.to_crs(stated)
    return moved, f"polygons were moved from {frame.crs.name} to {moved.crs.name}", (x, y)


def _held(polygon: Any, x: xr.DataArray, y: xr.DataArray, on_earth: bool) -> tuple[Array, ...]:
    """Return the places in the array of the centres that a polygon holds."""
    import shapely

    west, south, east, north = polygon.bounds
    xs, ys = x.values.astype(np.float64), y.values.astype(np.float64)
    if on_earth:
        xs = xs + FULL_CIRCLE * np.ceil((west - xs) / FULL_CIRCLE)
    near_x, near_y = (xs >= west) & (xs <= east), (ys >= south) & (ys <= north)
    if x.dims == y.dims:
        at = np.nonzero(near_x & near_y)
        xs, ys = xs[at], ys[at]
    else:
        grid = np.meshgrid(np.flatnonzero(near_y), np.flatnonzero(near_x), indexing="ij")
        at = tuple(each.ravel() for each in grid)
        xs, ys = xs[at[1]], ys[at[0]]
    shapely.prepare(polygon)
    inside = shapely.intersects_xy(polygon, xs, ys)
    return tuple(each[inside] for each in at)
