"""Values of a map as an image, a mesh of cells, or points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.arrays import Array
from xcluster.grid.geography import edges, edges_with_holes
from xcluster.grid.polygons import corners, of_cells
from xcluster.plot.lattice import Floats, Lattice, is_even, longitude_range, unrolled
from xcluster.plot.outlines import draw_outline
from xcluster.plot.style import Style
from xcluster.plot.view import View

# Along the longer side of an image in another projection.
PIXELS = 1200


def draw_cells(
    ax: Any, da: xr.DataArray, lattice: Lattice, view: View, style: Style, looks: Mapping[str, Any]
) -> Any:
    """Draw ``da`` on ``ax`` and return the artist."""
    keywords = {"zorder": 1, **style.keywords, **looks}
    values = style.values(da.transpose(*lattice.dims))
    if lattice.outline is not None:
        return draw_outline(ax, values, lattice.outline, lattice.crs, keywords)
    if lattice.kind == "points":
        return _draw_points(ax, values, lattice, keywords)
    if lattice.kind == "curvilinear":
        return _draw_curvilinear(ax, values, lattice, keywords)
    if lattice.is_lonlat and not view.is_plate_carree and view.projection is not None:
        return _draw_projected(ax, values, lattice, keywords)
    return _draw_grid(ax, values, lattice, view, keywords)


def _draw_grid(
    ax: Any, values: Array, lattice: Lattice, view: View, keywords: Mapping[str, Any]
) -> Any:
    """Draw cells that are rectangles on the axes: an image where they are equal, else a mesh."""
    if lattice.is_lonlat and view.is_plate_carree:
        x, columns = _turned_columns(lattice, view.center)
    else:
        columns = np.argsort(lattice.x.values)
        x = lattice.x.values[columns].astype(float)
    rows = np.argsort(lattice.y.values)
    y = lattice.y.values[rows].astype(float)
    values = values[np.ix_(rows, columns)]
    if not (is_even(x) and is_even(y)):
        (x, across), (y, down) = edges_with_holes(x), edges_with_holes(y)
        hole = (down < 0)[:, None] | (across < 0)
        return _mesh(ax, x, y, np.ma.masked_where(hole, values[np.ix_(down, across)]), keywords)
    extent = (*edges(x)[[0, -1]], *edges(y)[[0, -1]])
    # In data units of the axes: cartopy would warp an image that reaches beyond the date line.
    looks = {"origin": "lower", "interpolation": "nearest", "transform": ax.transData}
    return ax.imshow(values, extent=extent, aspect=ax.get_aspect(), **looks, **keywords)


def _turned_columns(lattice: Lattice, center: float) -> tuple[Floats, NDArray[np.intp]]:
    """Return longitudes from the left edge of the map, relative to its centre, and their order.

    A cell that lies across that edge is drawn at both ends.
    """
    longitude = lattice.x.values.astype(float)
    west, east = longitude_range(longitude)
    if east - west < 360:
        turns = 360 * np.floor(((west + east) / 2 - center + 180) / 360)
        order, turned = unrolled(longitude, west - turns)
        return turned - center, order
    order, turned = unrolled(longitude, center - 180)
    turned = turned - center
    step = 360 / len(turned)
    if turned[0] - step / 2 < -180 - 1e-6 * step:
        order, turned = np.append(order, order[0]), np.append(turned, turned[0] + 360)
    elif turned[-1] + step / 2 > 180 + 1e-6 * step:
        order, turned = np.append(order[-1], order), np.append(turned[-1] - 360, turned)
    return turned, order


def _draw_projected(ax: Any, values: Array, lattice: Lattice, keywords: Mapping[str, Any]) -> Any:
    """Draw a grid of degrees in another projection: each pixel shows the cell that it lies in.

    A mesh of half transparent cells would show the seams between them.
    """
    west, east, south, north = ax.get_extent()
    fraction = PIXELS / max(east - west, north - south)
    x = _pixel_centres(west, east, fraction)
    y = _pixel_centres(south, north, fraction)
    lonlat = lattice.crs.transform_points(ax.projection, *np.meshgrid(x, y))
    rows, columns = _cell_of(lonlat[..., 1], lonlat[..., 0], lattice)
    inside = (rows >= 0) & (columns >= 0)
    filled: Floats = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
    image = np.ma.masked_invalid(np.where(inside, filled[rows, columns], np.nan))
    looks = {"origin": "lower", "interpolation": "nearest", "transform": ax.projection}
    return ax.imshow(image, extent=(west, east, south, north), **looks, **keywords)


def _pixel_centres(low: float, high: float, fraction: float) -> Floats:
    n = max(int((high - low) * fraction), 2)
    return low + (np.arange(n) + 0.5) * (high - low) / n


def _cell_of(
    latitude: Floats, longitude: Floats, lattice: Lattice
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return row and column of the cell around each place; -1 where there is none."""
    west, _ = longitude_range(lattice.x.values)
    columns, x = unrolled(lattice.x.values.astype(float), west)
    rows = np.argsort(lattice.y.values)
    x_edges, across = edges_with_holes(x)
    y_edges, down = edges_with_holes(lattice.y.values[rows].astype(float))
    turned = (longitude - x_edges[0]) % 360 + x_edges[0]
    # The number -1, of a hole, takes the last entry of what is appended.
    rows, columns = np.append(rows, -1)[down], np.append(columns, -1)[across]
    return _between(y_edges, latitude, rows), _between(x_edges, turned, columns)


def _between(bounds: Floats, places: Floats, order: NDArray[np.intp]) -> NDArray[np.intp]:
    found = np.searchsorted(bounds, places, side="right") - 1
    inside = (found >= 0) & (found < len(order)) & np.isfinite(places)
    return np.where(inside, order[np.where(inside, found, 0)], -1)


def _draw_curvilinear(ax: Any, values: Array, lattice: Lattice, keywords: Mapping[str, Any]) -> Any:
    y = lattice.y.transpose(*lattice.x.dims).values.astype(float)
    x = lattice.x.values.astype(float)
    values = np.ma.masked_where(~np.isfinite(x + y), np.ma.masked_invalid(values))
    if not (lattice.is_lonlat and hasattr(ax, "projection")):
        return _mesh(ax, x, y, values, {"shading": "auto", **_in_crs(ax, lattice), **keywords})
    placed = map(np.nan_to_num, corners(x, y))  # corners of no cell, which are not drawn
    corner = ax.projection.transform_points(lattice.crs, *placed)[..., :2]
    broken = _is_broken(corner, ax.projection)
    split = broken & ~np.ma.getmaskarray(values)
    if split.any():
        _draw_split_cells(ax, corner, values, split, keywords)
    corner = np.where(np.isfinite(corner), corner, 0.0)
    whole = np.ma.masked_where(broken, values)
    return _mesh(ax, corner[..., 0], corner[..., 1], whole, keywords, plain=True)


def _mesh(
    ax: Any, x: Floats, y: Floats, values: Any, keywords: Mapping[str, Any], plain: bool = False
) -> Any:
    """Draw a mesh whose cells show no seams where it is half transparent.

    Neighbours overlap by a pixel, so that the mesh is drawn opaque first, and then as a whole.
    One in the axes' units is ``plain``: cartopy would mend its cells once more.
    """
    from matplotlib.axes import Axes

    looks = dict(keywords)
    alpha = looks.pop("alpha", None)
    drawn = (Axes if plain else type(ax)).pcolormesh(ax, x, y, values, **looks)
    if alpha is not None:
        opacity = np.array([1.0, 1.0, 1.0, alpha], dtype=np.float32)
        drawn.set_agg_filter(lambda image, dpi: (np.asarray(image) * opacity, 0, 0))
    return drawn


def _is_broken(corner: Floats, projection: Any) -> NDArray[np.bool_]:
    """Whether a cell has corners at both ends of the map, or none on it."""
    width = np.subtract(*projection.x_limits[::-1])
    return np.asarray(~(np.ptp(of_cells(corner)[..., 0], axis=-1) < width / 2))


def _draw_split_cells(
    ax: Any, corner: Floats, values: Any, split: NDArray[np.bool_], keywords: Mapping[str, Any]
) -> None:
    """Draw cells across the edge of the map at both ends, where ends meet: in degrees."""
    import cartopy.crs as ccrs
    from matplotlib.collections import PolyCollection

    if not isinstance(ax.projection, ccrs.PlateCarree):
        return
    cells = of_cells(corner)[split]
    east = cells + np.where(cells[..., :1] < 0, [360.0, 0.0], 0.0)
    both = np.concatenate([east, east - [360.0, 0.0]])
    looks = {key: value for key, value in keywords.items() if key not in ("vmin", "vmax")}
    drawn = PolyCollection(list(both), array=np.tile(values[split], 2), **looks)
    drawn.set_clim(keywords.get("vmin"), keywords.get("vmax"))
    ax.add_collection(drawn, autolim=False)


def _draw_points(ax: Any, values: Array, lattice: Lattice, keywords: Mapping[str, Any]) -> Any:
    size = float(np.clip(8000 / max(values.size, 1), 4, 40))
    keywords = {"s": size, "linewidths": 0, **_in_crs(ax, lattice), **keywords}
    shown = np.isfinite(np.ma.filled(values.astype(float), np.nan))
    return ax.scatter(lattice.x.values[shown], lattice.y.values[shown], c=values[shown], **keywords)


def _in_crs(ax: Any, lattice: Lattice) -> dict[str, Any]:
    return {"transform": lattice.crs} if hasattr(ax, "projection") else {}
