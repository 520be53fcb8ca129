"""Where samples lie on an even raster, whatever grid they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.explore.nearest import PIXELS, Box, by_point, scattered
from xcluster.explore.painted import painted
from xcluster.grid.geography import edges_with_holes, is_geographic
from xcluster.plot.lattice import Lattice, is_even, lattice_of, longitude_range, unrolled
from xcluster.plot.outlines import outline_of
from xcluster.plot.text import dim_text, with_units
from xcluster.plot.view import view_of

# Of a day: dates on a page are in milliseconds.
MILLISECONDS = 86_400_000.0


@dataclass(frozen=True, eq=False)
class Raster:
    """Pixels of a map, each with the number of the grid point that it shows.

    Parameters
    ----------
    points : int array of shape (ny, nx)
        Flat index into the labels, -1 where there is none. The first row is the lowest y.
    box
        Least x, least y, width and height.
    x, y : arrays of shape (n_points,)
        The middle of each grid point, in units of the box.
    names
        What the axes say.
    kinds
        Of x and y: "number", "time" or "name".
    shape
        Width over height of the picture.
    upward
        Whether y rises upwards.
    lattice
        Where the labels lie; None for a single dim without a place.
    entries
        The names at 0, 1, ... along x, where its kind is "name".
    """

    points: Array
    box: Box
    x: Array
    y: Array
    names: tuple[str, str]
    kinds: tuple[str, str]
    shape: float
    upward: bool
    lattice: Lattice | None
    entries: Sequence[str] = ()

    @property
    def is_geographic(self) -> bool:
        """Whether x and y are degrees."""
        return self.lattice is not None and self.lattice.is_lonlat


def raster_of(labels: xr.DataArray, described: xr.Dataset | None = None) -> Raster:
    """Lay the grid points of ``labels`` on an even raster.

    ``described`` may describe the mesh or the HEALPix cells that they lie on.

    Raises
    ------
    ValueError
        If the labels do not have one or two spatial dims.
    """
    listed = labels.ndim == 1 and outline_of(labels, described) is not None
    if labels.ndim == 1 and not (listed or is_geographic(labels.coords)):
        return _strip(labels)
    lattice = lattice_of(labels, cells=described)
    order = [labels.dims.index(dim) for dim in lattice.dims]
    flat = np.arange(labels.size).reshape(labels.shape).transpose(order)
    lay = painted if listed else _grid if lattice.kind == "grid" else scattered
    points, box, x, y = lay(lattice, flat)
    stretch = view_of(lattice, None, None, None).stretch
    shape = float(np.clip(box[2] / (box[3] * stretch), 0.25, 4.0))
    names = with_units(lattice.x), with_units(lattice.y)
    kinds = _kind(labels, lattice.x), _kind(labels, lattice.y)
    across, down = (MILLISECONDS if kind == "time" else 1.0 for kind in kinds)
    box = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
    place = points, box, x * across, y * down
    return Raster(*place, names, kinds, shape, lattice.upward, lattice)


def _kind(labels: xr.DataArray, axis: xr.DataArray) -> str:
    """Return "time" for an axis of dates, whose positions are days, else "number"."""
    dates = axis.name in labels.coords and labels[axis.name].dtype.kind == "M"
    return "time" if dates else "number"


def _strip(labels: xr.DataArray) -> Raster:
    """Lay samples along a single dim, as coloured bars."""
    dim = labels.dims[0]
    values = labels[dim].values
    kind, at = "name", np.arange(labels.size, dtype=float)
    if values.dtype.kind == "M":
        kind, at = "time", values.astype("datetime64[ms]").astype(float)
    elif values.dtype.kind in "iuf":
        kind, at = "number", values.astype(float)
    order = np.argsort(at)
    points, (low, width) = _resampled(at[order])
    names = (dim_text(labels, dim), "")
    y = np.full(labels.size, 0.5)
    cells = np.where(points < 0, -1, order[points])[None, :]
    box, entries = (low, 0.0, width, 1.0), [str(each) for each in values] if kind == "name" else []
    return Raster(cells, box, at, y, names, (kind, "number"), 4.0, True, None, entries)


def _resampled(centres: Array) -> tuple[Array, tuple[float, float]]:
    """Return which of rising centres each even pixel shows, and where the pixels begin and end.

    Pixels in a hole between the centres show -1.
    """
    bounds, cells = edges_with_holes(centres.astype(float))
    n = len(centres) if is_even(centres) else int(np.clip(4 * len(centres), PIXELS, 4 * PIXELS))
    low, width = bounds[0], bounds[-1] - bounds[0]
    pixels = low + (np.arange(n) + 0.5) * width / n
    shown = np.searchsorted(bounds, pixels, side="right") - 1
    return cells[shown.clip(0, len(cells) - 1)], (float(low), float(width))


def _grid(lattice: Lattice, flat: Array) -> tuple[Array, Box, Array, Array]:
    x, y = lattice.x.values.astype(float), lattice.y.values.astype(float)
    columns, rows = np.argsort(x), np.argsort(y)
    along_x = x[columns]
    if lattice.is_lonlat:
        columns, along_x = unrolled(x, longitude_range(x)[0])
        x = x.copy()
        x[columns] = along_x
    shown_x, (west, width) = _resampled(along_x)
    shown_y, (south, height) = _resampled(y[rows])
    points = flat[np.ix_(rows[shown_y], columns[shown_x])]
    points = np.where((shown_y < 0)[:, None] | (shown_x < 0), -1, points)
    return points, (west, south, width, height), *by_point(np.meshgrid(x, y), flat)
