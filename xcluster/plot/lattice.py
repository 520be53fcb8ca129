"""Where the values of a map lie: horizontal coordinates, edges of cells, and their CRS."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.arrays import Array
from xcluster.base.checks import did_you_mean, warn
from xcluster.base.errors import BadValueError
from xcluster.grid.crs import in_units_of, stated_crs
from xcluster.grid.geography import edges, find_axis
from xcluster.grid.layout import LABEL
from xcluster.plot.outlines import Outline, outline_of
from xcluster.plot.panels import days_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lattice:
    """The horizontal coordinates of a map.

    Parameters
    ----------
    kind
        ``"grid"``: 1-D ``x`` and ``y`` along two dims; ``"curvilinear"``: both over the same two
        dims; ``"points"``: both along one dim.
    x, y
        Positions of the values.
    crs
        The cartopy CRS of the positions; None for an image without a place on Earth.
    counted
        Whether an axis has dates or names, so that x and y have no common scale. Positions are
        then days of matplotlib's, or places.
    outline
        The cells of values along one dim, if these are known.
    """

    kind: Literal["grid", "curvilinear", "points"]
    x: xr.DataArray
    y: xr.DataArray
    crs: Any
    counted: bool = False
    outline: Outline | None = None

    @property
    def dims(self) -> tuple[Hashable, ...]:
        """The dims of the map, rows first."""
        return self.x.dims if self.kind != "grid" else (*self.y.dims, *self.x.dims)

    @property
    def is_lonlat(self) -> bool:
        """Whether positions are degrees of longitude and latitude."""
        import cartopy.crs as ccrs

        return isinstance(self.crs, ccrs.PlateCarree)

    @property
    def upward(self) -> bool:
        """Whether y rises upwards; an image has its first row at the top, wherever that is."""
        values = self.y.values
        if self.crs is not None or self.y.attrs.get("standard_name") == "projection_y_coordinate":
            return True
        return self.kind != "grid" or len(values) < 2 or bool(values[0] > values[-1])


def lattice_of(
    da: xr.DataArray,
    facets: Iterable[Hashable] = (),
    x: Hashable | None = None,
    y: Hashable | None = None,
    transform: Any = None,
    cells: xr.Dataset | None = None,
) -> Lattice:
    """Find the horizontal coordinates of ``da``; names and a CRS that are given win.

    ``cells`` may describe the mesh or the HEALPix cells that values lie on.

    Raises
    ------
    ValueError
        If ``x`` or ``y`` is unknown, or ``da`` does not have two horizontal dims (or one with
        latitudes and longitudes) beside the facets.
    """
    import cartopy.crs as ccrs

    facets = tuple(facets)
    free = [dim for dim in da.dims if dim not in facets]
    alone = len(free) == 1 and x is None and y is None
    one = da.isel(dict.fromkeys(facets, 0)) if alone else da
    outline = outline_of(one, cells) if alone else None
    if outline is not None:
        return _listed(da, free[0], outline)
    if x is not None or y is not None:
        horizontal = _named(da, "x", x), _named(da, "y", y)
        lonlat = _is_lonlat(*horizontal)
    else:
        horizontal, lonlat = _found(da, facets)
    kind = _kind(*horizontal)
    left = set(da.dims) - set(facets) - {d for axis in horizontal for d in axis.dims}
    if kind is None or left:
        raise _not_a_map(da, facets)
    numbers = _counted(horizontal[0]), _counted(horizontal[1])
    counted = numbers[0] is not horizontal[0] or numbers[1] is not horizontal[1]
    if lonlat or transform is not None:
        return Lattice(kind, *numbers, transform or ccrs.PlateCarree(), counted)
    return Lattice(kind, *_placed(da, *numbers), counted)


def _listed(da: xr.DataArray, dim: Hashable, outline: Outline) -> Lattice:
    """Return the places of cells along one dim."""
    import cartopy.crs as ccrs

    crs = ccrs.PlateCarree()
    if not outline.is_lonlat:
        x, y, crs = _placed(da, outline.x, outline.y)
        outline = replace(outline, x=x, y=y)
    x, y = (
        xr.DataArray(each, dims=[dim], name=of.name, attrs=of.attrs)
        for each, of in zip(outline.centre, (outline.x, outline.y), strict=True)
    )
    return Lattice("points", x, y, crs, outline=outline)


def _counted(axis: xr.DataArray) -> xr.DataArray:
    """Return the positions themselves where they are numbers; days of dates, places of names."""
    if axis.ndim != 1 or axis.dtype.kind in "iufb":
        return axis
    at: Array = np.arange(axis.size)
    if axis.dtype.kind == "M":
        at = days_of(axis.values)
    return xr.DataArray(at, dims=axis.dims, name=axis.name, attrs=axis.attrs)


def _named(da: xr.DataArray, parameter: str, name: Hashable | None) -> xr.DataArray:
    if name is None:
        raise BadValueError(parameter, name, "x and y go together", "give both")
    if name not in da.coords and name not in da.dims:
        rule = "is neither a coordinate nor a dim"
        raise BadValueError(parameter, name, rule, did_you_mean(name, [*da.coords, *da.dims]))
    return da[name]


def _is_lonlat(x: xr.DataArray, y: xr.DataArray) -> bool:
    return all(str(axis.attrs.get("units", "")).startswith("degree") for axis in (x, y))


def _found(
    da: xr.DataArray, facets: tuple[Hashable, ...]
) -> tuple[tuple[xr.DataArray, xr.DataArray], bool]:
    """Return x and y, and whether they are longitude and latitude."""
    free = [dim for dim in da.dims if dim not in facets]
    coords = {name: c for name, c in da.coords.items() if c.dims and set(c.dims) <= set(free)}
    longitude, latitude = find_axis(coords, "longitude"), find_axis(coords, "latitude")
    if longitude is not None and latitude is not None:
        return (longitude, latitude), True
    if len(free) != 2:
        raise _not_a_map(da, facets)
    rows, columns = free if free[0] not in ("x", "X", "lon") else free[::-1]
    return (da[columns], da[rows]), False


def _kind(x: xr.DataArray, y: xr.DataArray) -> Literal["grid", "curvilinear", "points"] | None:
    if x.ndim == y.ndim == 1:
        return "points" if x.dims == y.dims else "grid"
    return "curvilinear" if x.ndim == y.ndim == 2 and set(x.dims) == set(y.dims) else None


def _not_a_map(da: xr.DataArray, facets: tuple[Hashable, ...]) -> BadValueError:
    left = {str(dim): size for dim, size in da.sizes.items() if dim not in facets}
    rule = "a map needs two spatial dims, or one with latitude and longitude coordinates"
    remedy = "keep both dims where you select, with .isel() for one, or name x= and y="
    if others := list(map(str, not_of_a_map(da, [dim for dim in da.dims if dim not in facets]))):
        ways = zip(("col", "row"), others, strict=False)
        panels = ", ".join(f"{way}={dim!r}" for way, dim in ways)
        one = ", ".join(f"{dim}=0" for dim in others)
        name = "fit.labels" if da.name == LABEL else "da"
        choice = f"xcluster.plot.maps.map({name}.isel({one}))"
        remedy = f"draw all with {panels}, choose one: {choice}, or name x= and y="
    return BadValueError("dims", left, rule, remedy)


def not_of_a_map(da: xr.DataArray, left: Sequence[Hashable]) -> list[Hashable]:
    """Return the dims that are one too many: without latitudes and longitudes all but the last."""
    axes = [find_axis(da.coords, axis) for axis in ("latitude", "longitude")]
    dims = [axis.dims for axis in axes if axis is not None and axis.ndim]
    horizontal = {dim for each in dims for dim in each} if len(dims) == 2 else left[-2:]
    return [dim for dim in left if dim not in horizontal]


def _placed(
    da: xr.DataArray, x: xr.DataArray, y: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray, Any]:
    """Return x and y, in the units of the CRS of the grid mapping, and this CRS or None."""
    stated = _stated_crs(da, x)
    if stated is None:
        return x, y, None
    import cartopy.crs as ccrs

    if stated.is_geographic:
        return x, y, _rotated_pole(stated) if stated.is_derived else ccrs.PlateCarree()
    x, y = (in_units_of(stated, axis) for axis in (x, y))
    projection = ccrs.Projection(stated)
    # Cartopy knows the limits of few projections, and cuts at them what lies outside.
    (west, east), (south, north) = limits(x.values), limits(y.values)
    known = projection.bounds or (west, east, south, north)
    projection.bounds = (
        min(known[0], west), max(known[1], east), min(known[2], south), max(known[3], north)
    )  # fmt: skip
    return x, y, projection


def _stated_crs(da: xr.DataArray, x: xr.DataArray) -> Any:
    """Return the horizontal CRS that the grid mapping of ``da`` states, else None."""
    try:
        return stated_crs(da, x.name)
    except BadValueError as error:
        said = f"the grid mapping {error.value!r} {error.rule}, so that the map "
        said += "has no place on Earth; pass its CRS as transform="
        warn(said)
        return None


def _rotated_pole(stated: Any) -> Any:
    import cartopy.crs as ccrs

    names = ("grid_north_pole_longitude", "grid_north_pole_latitude", "north_pole_grid_longitude")
    return ccrs.RotatedPole(*(stated.to_cf()[name] for name in names))


def limits(values: Array) -> tuple[float, float]:
    """Return the least and the greatest edge of cells, from centres along an axis or on a plane."""
    reach = edges(np.sort(values.astype(float))) if values.ndim == 1 else values
    return float(np.nanmin(reach)), float(np.nanmax(reach))


def is_even(centres: Floats) -> bool:
    """Whether centres are spaced evenly, to a twentieth of their spacing."""
    if len(centres) < 3:
        return True
    even = np.linspace(centres[0], centres[-1], len(centres))
    return bool(np.abs(centres - even).max() < 0.05 * abs(even[1] - even[0]))


def longitude_range(longitude: Array) -> tuple[float, float]:
    """Return the western and eastern limit of longitudes of any convention, east of west.

    What lies within is everything but the widest gap; a gap as narrow as the others means that
    the longitudes go all the way round, and then the range is -180 to 180.
    """
    ring = np.unique(np.round(longitude[np.isfinite(longitude)].astype(float) % 360, 6) % 360)
    if len(ring) < 2:
        at = float(ring[0]) if len(ring) else 0.0
        return (at, at) if at <= 180 else (at - 360, at - 360)
    gaps = np.diff(ring, append=ring[0] + 360)
    widest = int(gaps.argmax())
    if gaps[widest] <= max(1.5 * np.median(gaps), 5.0) and len(ring) > 4:
        return -180.0, 180.0
    west = ring[(widest + 1) % len(ring)]
    east = west + 360 - gaps[widest]
    turns = 360 * np.ceil(((west + east) / 2 - 180) / 360)
    return float(west - turns), float(east - turns)


def unrolled(longitude: Floats, west: float) -> tuple[NDArray[np.intp], Floats]:
    """Return the order from ``west`` eastwards without duplicates, and the longitudes in it."""
    turned = np.round((longitude - west) % 360, 6) % 360
    _, order = np.unique(turned, return_index=True)
    return order, turned[order] + west
