"""Cells in lists as polygons: faces and nodes of meshes, HEALPix cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.grid.geography import is_geographic
from xcluster.grid.healpix import healpix_of
from xcluster.grid.layout import COLUMN
from xcluster.grid.meshes import Mesh, mesh_of
from xcluster.grid.polygons import as_degrees, unit_vectors

POLE = 1e-6
"""Degrees from a pole up to which a corner is the pole."""
MOST_POLYGONS = 500_000
"""More are smaller than pixels, and take minutes; they are drawn as points."""


@dataclass(frozen=True, eq=False)
class Outline:
    """Polygons on the sphere or on a plane.

    Parameters
    ----------
    x, y : DataArrays of shape (n_polygons, n_corners)
        Longitudes and latitudes in degrees, or places on a plane; a corner may be repeated.
    owner : int array of shape (n_polygons,)
        The sample that each polygon belongs to.
    size
        Number of samples.
    """

    x: xr.DataArray
    y: xr.DataArray
    owner: Array
    size: int

    @property
    def is_lonlat(self) -> bool:
        """Whether places are degrees."""
        return bool(self.x.name == "longitude")

    @cached_property
    def centre(self) -> tuple[Array, Array]:
        """X and y of each sample; NaN for one without polygons."""
        places = self.x.values, self.y.values
        corners = unit_vectors(*places) if self.is_lonlat else np.stack(places)
        sums = np.stack([self._sum(each.sum(axis=1)) for each in corners])
        count = self._sum(np.full(len(self.owner), self.x.shape[1]))
        sums = np.divide(sums, count, out=np.full(sums.shape, np.nan), where=count > 0)
        x, y = as_degrees(sums) if self.is_lonlat else sums
        return x, y

    def _sum(self, values: Array) -> Array:
        return np.bincount(self.owner, values, minlength=self.size)


def outline_of(da: xr.DataArray, described: xr.Dataset | None) -> Outline | None:
    """Return the cells of an array over one dim; None if they are not known, or too many.

    None too where cells cannot be drawn, but points can, as longitudes and latitudes are known.
    """
    data = da.to_dataset(name=COLUMN) if described is None else described
    (dim,) = da.dims
    found = healpix_of([dim], data) or mesh_of([dim], data)
    if found is None or data.sizes.get(dim) != da.sizes[dim] or da.size > MOST_POLYGONS:
        return None
    try:
        *corners, owner = found.polygons()
    except (BadValueError, ImportError):  # cells of unknown order, or no package for them
        if is_geographic(da.coords):
            return None
        raise
    unit = found.unit if isinstance(found, Mesh) else None
    names = ("longitude", "latitude") if unit is None else ("x", "y")
    units = ("degrees_east", "degrees_north") if unit is None else (unit, unit)
    x, y = (
        xr.DataArray(each, dims=("polygon", "corner"), name=name, attrs={"units": own})
        for each, name, own in zip(corners, names, units, strict=True)
    )
    return Outline(x, y, owner, da.size)


def draw_outline(
    ax: Any, values: Array, outline: Outline, crs: Any, keywords: Mapping[str, Any]
) -> Any:
    """Draw each sample's polygons; those across the edge of a map of degrees at both ends."""
    from matplotlib.collections import PolyCollection

    shown = np.ma.masked_invalid(values)[outline.owner]
    corner = around_poles(outline)
    broken = np.zeros(len(corner), bool)
    if hasattr(ax, "projection"):
        corner = ax.projection.transform_points(crs, corner[..., 0], corner[..., 1])[..., :2]
        broken = ~(np.ptp(corner[..., 0], axis=-1) < np.ptp(ax.projection.x_limits) / 2)
    present = ~np.ma.getmaskarray(shown)
    whole, split = present & ~broken, present & broken & _in_degrees(ax)
    east = corner[split] + np.where(corner[split][..., :1] < 0, [360.0, 0.0], 0.0)
    polygons = np.concatenate([corner[whole], east, east - [360.0, 0.0]])
    order = np.concatenate([np.flatnonzero(whole), *[np.flatnonzero(split)] * 2])
    looks = {key: each for key, each in keywords.items() if key not in ("vmin", "vmax", "s")}
    looks = {"linewidths": 0, "antialiased": False, **looks}
    drawn = PolyCollection(list(polygons), array=shown[order], **looks)
    drawn.set_clim(keywords.get("vmin"), keywords.get("vmax"))
    ax.add_collection(drawn, autolim=False)
    return drawn


def _in_degrees(ax: Any) -> bool:
    import cartopy.crs as ccrs

    return isinstance(getattr(ax, "projection", None), ccrs.PlateCarree)


def around_poles(outline: Outline) -> Array:
    """Return corners (n_polygons, n, 2) as they are drawn where longitudes are one axis.

    A pole has no longitude. As a corner it becomes a side, with the longitudes of the corners
    before and behind it.
    """
    x, y = outline.x.values, outline.y.values
    pole = np.abs(y) > 90 - POLE
    if not outline.is_lonlat or not pole.any():
        return np.stack([x, y], axis=-1)
    x = np.where(pole, outline.centre[0][outline.owner][:, None], x)
    beside = np.where(pole, np.roll(x, 1, axis=1), x), np.where(pole, np.roll(x, -1, axis=1), x)
    twice = np.stack(beside, axis=-1).reshape(len(x), -1)
    return np.stack([twice, np.repeat(y, 2, axis=1)], axis=-1)
