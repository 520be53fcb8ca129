"""Which part of the world a map shows, in which projection, and axes for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xcluster.base.errors import BadValueError
from xcluster.plot.lattice import Lattice, limits, longitude_range

Extent = tuple[float, float, float, float]

GLOBAL_WIDTH = 300.0
GLOBAL_HEIGHT = 120.0
POINT_MARGIN = 0.04

# Width over height of a map whose x and y have no common scale.
FREE_SHAPE = 1.5


@dataclass(frozen=True, eq=False)
class View:
    """Projection and limits of a map.

    Parameters
    ----------
    projection
        The cartopy projection of the axes; None for plain axes.
    extent
        West, east, south, north: degrees where the coordinates are, else units of the coordinates.
    in_degrees
        Whether ``extent`` is in degrees.
    upward
        Whether y rises upwards; an image has its first row at the top.
    fills
        Whether the map fills its axes, as where x and y have no common scale.
    """

    projection: Any
    extent: Extent
    in_degrees: bool
    upward: bool = True
    fills: bool = False

    @property
    def is_plate_carree(self) -> bool:
        """Whether degrees are the axes' own units."""
        import cartopy.crs as ccrs

        return isinstance(self.projection, ccrs.PlateCarree)

    @property
    def center(self) -> float:
        """The central longitude of the projection."""
        return _central_longitude(self.projection)

    @property
    def is_global(self) -> bool:
        """Whether nearly all longitudes show."""
        return self.in_degrees and self.extent[1] - self.extent[0] >= GLOBAL_WIDTH

    @property
    def is_world(self) -> bool:
        """Whether nearly all of the Earth shows, or as much as the projection can."""
        return self.is_global and self.extent[3] - self.extent[2] >= GLOBAL_HEIGHT

    @property
    def stretch(self) -> float:
        """How much longer a unit of y is drawn than one of x, so that shapes are true."""
        if not self.is_plate_carree or self.is_global:
            return 1.0
        middle = np.deg2rad((self.extent[2] + self.extent[3]) / 2)
        return float(1 / max(np.cos(middle), 0.1))

    def apply(self, ax: Any) -> None:
        """Set the limits of ``ax``, and true shapes."""
        west, east, south, north = self.extent
        if self.in_degrees and not self.is_plate_carree and self.projection is not None:
            self._apply_projected(ax)
            return
        shift = self.center if self.is_plate_carree else 0.0
        ax.set_xlim(west - shift, east - shift)
        ax.set_ylim(*((south, north) if self.upward else (north, south)))
        ax.set_aspect("auto" if self.fills else self.stretch)

    def _apply_projected(self, ax: Any) -> None:
        import cartopy.crs as ccrs

        if self.is_world:
            ax.set_global()
        else:
            ax.set_extent(self.extent, crs=ccrs.PlateCarree())


def shape_of(ax: Any) -> float:
    """Return width over height of axes whose limits are set."""
    if ax.get_aspect() == "auto":
        return FREE_SHAPE
    width, height = abs(np.subtract(*ax.get_xlim())), abs(np.subtract(*ax.get_ylim()))
    stretch = ax.get_aspect() if isinstance(ax.get_aspect(), float) else 1.0
    return float(np.clip(width / (height * stretch or 1.0), 0.25, 4.0))


def largest_box(shape: float, width: float, height: float) -> tuple[float, float]:
    """Return the largest width and height of this shape within a box."""
    return min(width, height * shape), min(width / shape, height)


def view_of(lattice: Lattice, projection: Any, extent: Extent | None, ax: Any) -> View:
    """Return the view that was asked for, else one that shows all of the data.

    Raises
    ------
    ValueError
        If a projection is wanted for coordinates without a place on Earth, or the extent is empty.
    """
    if lattice.crs is None and projection is not None:
        rule = "the coordinates are not geographic"
        remedy = "name x= and y=, or pass the CRS of the coordinates as transform="
        raise BadValueError("projection", projection.__class__.__name__, rule, remedy)
    in_degrees = lattice.is_lonlat or (extent is not None and lattice.crs is not None)
    shown = data_extent(lattice) if extent is None else _checked(extent, lattice.crs is not None)
    if ax is not None:
        projection = getattr(ax, "projection", None)
    elif projection is None:
        projection = _default_projection(lattice, shown)
    return View(projection, _turned(shown, projection), in_degrees, lattice.upward, lattice.counted)


def data_extent(lattice: Lattice) -> Extent:
    """Return the limits of all cells."""
    if lattice.outline is not None:
        x, y = lattice.outline.x.values, lattice.outline.y.values
        return (*(longitude_range(x) if lattice.is_lonlat else limits(x)), *limits(y))
    if lattice.kind == "points":
        return _around_points(lattice)
    south, north = limits(lattice.y.values)
    if not lattice.is_lonlat:
        return (*limits(lattice.x.values), south, north)
    west, east = longitude_range(lattice.x.values)
    half = _half_cell(lattice.x.values)
    if east - west < 360:
        west, east = west - half, east + half
    return west, east, max(south, -90.0), min(north, 90.0)


def _around_points(lattice: Lattice) -> Extent:
    south, north = np.nanmin(lattice.y.values), np.nanmax(lattice.y.values)
    if not lattice.is_lonlat:
        west, east = float(np.nanmin(lattice.x.values)), float(np.nanmax(lattice.x.values))
    else:
        west, east = longitude_range(lattice.x.values)
    margin = POINT_MARGIN * max(east - west, north - south, 1e-9)
    if not lattice.is_lonlat:
        return west - margin, east + margin, float(south - margin), float(north + margin)
    if east - west + 2 * margin >= 360:
        west, east, margin = -180.0, 180.0, 0.0
    return west - margin, east + margin, max(south - margin, -90.0), min(north + margin, 90.0)


def _half_cell(longitude: Any) -> float:
    if longitude.ndim > 1 or longitude.size < 2:
        return 0.0 if longitude.ndim > 1 else 0.5
    return float(np.median(np.abs(np.diff(longitude.astype(float)))) / 2)


def _checked(extent: Extent, on_earth: bool) -> Extent:
    west, east, south, north = map(float, extent)
    if on_earth and east < west:
        east += 360
    if not (west < east and south < north):
        rule = "must be west, east, south, north, and not empty"
        raise BadValueError("extent", tuple(extent), rule, "for example (-20, 50, 30, 70)")
    return west, east, south, north


def _default_projection(lattice: Lattice, extent: Extent) -> Any:
    """Return the data's own projection, or rectangles of degrees that keep a region whole."""
    if lattice.crs is None or not lattice.is_lonlat:
        return lattice.crs
    import cartopy.crs as ccrs

    west, east = extent[:2]
    whole = east - west >= GLOBAL_WIDTH or (west >= -180 and east <= 180)
    return ccrs.PlateCarree(central_longitude=0.0 if whole else round((west + east) / 2))


def _central_longitude(projection: Any) -> float:
    if projection is None:
        return 0.0
    # Degrees are turned by the prime meridian, projected metres by the central longitude.
    stated = projection.proj4_params
    return float(stated.get("lon_0", stated.get("pm", 0.0)))


def _turned(extent: Extent, projection: Any) -> Extent:
    """Return the extent by whole turns as near as can be to the projection's central longitude."""
    import cartopy.crs as ccrs

    if not isinstance(projection, ccrs.PlateCarree):
        return extent
    center = _central_longitude(projection)
    west, east, south, north = extent
    if east - west >= 360:
        return center - 180, center + 180, south, north
    turns = 360 * np.floor(((west + east) / 2 - center + 180) / 360)
    return west - turns, east - turns, south, north
