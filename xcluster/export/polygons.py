"""Labels as polygons, for GIS programs."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xcluster.algorithms.kernels.pieces import OUTSIDE
from xcluster.algorithms.parts.pieces import Around, pieces_of
from xcluster.base.arrays import Array
from xcluster.base.checks import check_choice, check_number
from xcluster.base.errors import BadValueError
from xcluster.base.optional import optional
from xcluster.base.palette import UNCLASSIFIED_COLOR
from xcluster.export.raster import EXTRA, described
from xcluster.fit.fitted import Fitted
from xcluster.fit.labels import UNCLASSIFIED
from xcluster.grid import areas
from xcluster.grid.layout import LABEL
from xcluster.grid.rasters import Raster, raster_of
from xcluster.plot.flags import UNCLASSIFIED_NAME

SIDES = Around((0, 1), (), corners=False)
"""Cells of one region share sides. Polygons of cells that only share corners are not valid."""


def to_polygons(fitted: Fitted, by: Any, simplify: Any, sel: Any) -> Any:
    """Return a GeoDataFrame; see `Clustering.to_polygons`."""
    by = check_choice("by", by, ("region", "label"))
    tolerance = None if simplify is None else check_number("simplify", simplify, above=0)
    for package in ("rasterio", "geopandas"):
        frames = optional(package, "to_polygons()", EXTRA)

    data = described(fitted)
    raster = raster_of(fitted.labels, data, "to_polygons()", sel)
    chosen = fitted.labels.isel(dict(raster.places))
    codes = _codes(raster.of(chosen))
    piece = pieces_of(codes, SIDES)
    table = _table(fitted, codes, piece, _areas(chosen, data, raster))
    shapes = _polygons(piece, raster, tolerance)
    if by == LABEL:
        table, shapes = _by_label(table, shapes)
    last = table[LABEL] == UNCLASSIFIED
    order = np.lexsort((-table["samples"], table[LABEL], last))
    frame = frames.GeoDataFrame(table, geometry=shapes, crs=raster.crs)
    return frame.iloc[order].reset_index(drop=True)


def scenes_to_polygons(scenes: Mapping[str, Fitted], by: Any, simplify: Any, sel: Any) -> Any:
    """Return the polygons of several scenes, indexed by scene."""
    frames = {name: to_polygons(scene, by, simplify, sel) for name, scene in scenes.items()}
    first = next(iter(frames))
    for name, frame in frames.items():
        if frame.crs != frames[first].crs:
            rule = f"has another CRS than {first!r}"
            raise BadValueError("scene", name, rule, f"call fit[{name!r}].to_polygons()")
    return pd.concat(frames, names=["scene"]).reset_index(level=1, drop=True)


def _codes(labels: xr.DataArray) -> Array:
    """Return labels as int16, computed block by block; `OUTSIDE` where there are no data."""
    codes = xr.apply_ufunc(_coded, labels, dask="parallelized", output_dtypes=[np.int16])
    return np.asarray(codes.values)


def _coded(labels: Array) -> Array:
    return np.where(np.isnan(labels), OUTSIDE, labels).astype(np.int16)


def _areas(chosen: xr.DataArray, data: xr.Dataset, raster: Raster) -> xr.DataArray | None:
    """Return the area of each cell in the order of the raster; None if it is not known."""
    coords = {name: coord for name, coord in chosen.coords.items() if coord.ndim}
    area = areas.cell_areas(coords, data, chosen.dims)
    if area is None or not set(area.dims) <= set(chosen.dims):
        return None
    whole = area.reset_coords(drop=True).broadcast_like(chosen.reset_coords(drop=True))
    return raster.of(whole.drop_vars(list(whole.coords))).assign_attrs(area.attrs)


def _table(fitted: Fitted, codes: Array, piece: Array, area: xr.DataArray | None) -> pd.DataFrame:
    """Return label, name, colour, samples and area of each region."""
    inside = piece >= 0
    numbers, first = np.unique(piece[inside], return_index=True)
    label = codes[inside][first].astype(np.int64)
    partition = fitted.partition
    names = np.array([*partition.label_names(), UNCLASSIFIED_NAME], object)
    colors = np.array([*partition.label_colors(), UNCLASSIFIED_COLOR], object)
    columns = {
        LABEL: label,
        "name": names[label],  # -1 is the last
        "color": colors[label],
        "samples": np.bincount(piece[inside], minlength=len(numbers)),
    }
    if area is not None:
        weights = np.nan_to_num(area.values[inside])
        unit = area.attrs["units"]
        columns[f"area_{unit}"] = np.bincount(piece[inside], weights, len(numbers))
    return pd.DataFrame(columns)


def _polygons(piece: Array, raster: Raster, tolerance: float | None) -> Array:
    """Return the polygon of each region, by its number."""
    import shapely

    width, _, west, _, height, north = raster.transform

    def placed(points: Array) -> Array:
        return points * (width, height) + (west, north)

    points, rings = _outlines(piece)
    kind = shapely.GeometryType.POLYGON
    if tolerance is None:
        return np.asarray(shapely.from_ragged_array(kind, placed(points), rings))
    # Each corner must be a vertex of all regions that meet there, also of one whose side runs on.
    polygons = shapely.segmentize(shapely.from_ragged_array(kind, points, rings), 1.0)
    cornered = shapely.transform(polygons, lambda each: placed(np.rint(each)))
    return np.asarray(shapely.coverage_simplify(cornered, tolerance))


def _outlines(piece: Array) -> tuple[Array, tuple[Array, Array]]:
    """Return the corners of all regions by their numbers, and where their rings and they begin.

    Corners are counted in columns and rows. GDAL gives regions in the order of their last rows.
    """
    from rasterio.features import shapes

    numbers, n_rings, n_corners, flat = array("q"), array("q"), array("q"), array("d")
    for shape, number in shapes(piece, mask=piece >= 0, connectivity=4):
        numbers.append(int(number))
        n_rings.append(len(shape["coordinates"]))
        for ring in shape["coordinates"]:
            n_corners.append(len(ring))
            flat.extend(chain.from_iterable(ring))
    order = np.argsort(np.asarray(numbers), kind="stable")
    ring = _reordered(np.asarray(n_rings), order)
    corner = _reordered(np.asarray(n_corners), ring)
    lengths = np.asarray(n_corners)[ring], np.asarray(n_rings)[order]
    starts = [np.concatenate([[0], np.cumsum(each)]) for each in lengths]
    return np.asarray(flat).reshape(-1, 2)[corner], (starts[0], starts[1])


def _reordered(counts: Array, order: Array) -> Array:
    """Return the places of the parts of groups, if the groups are put into another order."""
    first = np.cumsum(counts) - counts
    moved = counts[order]
    within = np.arange(moved.sum()) - np.repeat(np.cumsum(moved) - moved, moved)
    return np.asarray(np.repeat(first[order], moved) + within)


def _by_label(table: pd.DataFrame, polygons: Array) -> tuple[pd.DataFrame, Array]:
    """Return one row and one collection of polygons for each label."""
    import shapely

    _, row = np.unique(table[LABEL], return_inverse=True)
    order = np.argsort(row, kind="stable")
    together = shapely.multipolygons(polygons[order], indices=row[order])
    texts = dict.fromkeys(("name", "color"), "first")
    how = {name: texts.get(str(name), "sum") for name in table.columns.drop(LABEL)}
    return table.groupby(LABEL, as_index=False).agg(how), np.asarray(together)
