"""The image that windows were taken from, beneath their labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from xcluster.base.arrays import Array
from xcluster.explore.excerpt import Excerpt
from xcluster.explore.nearest import middles
from xcluster.explore.raster import Raster, raster_of
from xcluster.fit.fitted import Fitted, samples_of
from xcluster.grid.positions import POINT
from xcluster.grid.windows import Patches, image_dims, per_dim, with_coordinates
from xcluster.plot.text import with_units

# More pixels than these along a dim do not show.
MAX_SIDE = 700

# Shares of the values between which greys change.
DARK, BRIGHT = 0.005, 0.995


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A grey image on a raster of its own.

    Parameters
    ----------
    grey : uint8 array of shape (ny, nx)
        The first row is the lowest y.
    place
        Where its pixels lie.
    window
        Width and height of a window, in units of the axes.
    title
        What the image shows.
    separate
        Whether windows lie at given positions, each a mark over the image.
    """

    grey: Array
    place: Raster
    window: tuple[float, float]
    title: str
    separate: bool

    def raster(self, labels: xr.DataArray) -> Raster:
        """Return the pixels of the map: those of the image, each with the window around it."""
        if not self.separate:
            return raster_of(labels)
        lattice = self.place.lattice
        assert lattice is not None
        x, y = (
            np.broadcast_to(labels[axis.name].values, labels.shape).astype(float).ravel()
            for axis in (lattice.x, lattice.y)
        )
        half = np.array(self.window) / 2
        tree = cKDTree(np.column_stack([x, y]) / half)
        pixels = middles(self.place.box, *self.place.points.shape)
        distance, nearest = tree.query(pixels / half, p=np.inf)
        return replace(self.place, points=np.where(distance < 1, nearest, -1), x=x, y=y)


def backdrop_of(clustering: Fitted, excerpt: Excerpt, labels: xr.DataArray) -> Backdrop | None:
    """Return the image of a clustering of windows; None for one of other samples."""
    sampler = clustering.sampler
    if not isinstance(sampler, Patches):
        return None
    data = samples_of(clustering, "explore").data
    dims = image_dims(data, sampler.vars, sampler.dims)
    separate = POINT in labels.dims
    if len(dims) != 2 or not (separate or set(labels.dims) == set(dims)):
        return None
    name = next(iter(clustering.template.data_vars))
    image = with_coordinates(data[[name]], dims)[name]
    spacing = {dim: abs(_mean_step(image[dim].values.astype(float))) for dim in dims}
    image = _one_image(image, dims, excerpt.indexers)
    place = raster_of(image)
    lattice = place.lattice
    assert lattice is not None
    if lattice.kind != "grid":
        return None
    sizes = per_dim("size", sampler.size, dims)
    across, upwards = lattice.x.dims[0], lattice.y.dims[0]
    window = (sizes[across] * spacing[across], sizes[upwards] * spacing[upwards])
    grey = in_greys(image.values.ravel())[place.points]
    return Backdrop(grey, place, window, with_units(image), separate)


def _one_image(image: xr.DataArray, dims: Any, indexers: Mapping[Any, slice]) -> xr.DataArray:
    """Return the image of the page's entries of further dims, with no more pixels than show."""
    image = image.isel({dim: each for dim, each in indexers.items() if dim not in dims},
                       missing_dims="ignore")  # fmt: skip
    image = image.isel({dim: 0 for dim in image.dims if dim not in dims})
    steps = {dim: slice(None, None, -(-image.sizes[dim] // MAX_SIDE)) for dim in dims}
    return image.isel(steps).compute()


def _mean_step(centres: Array) -> float:
    return float(centres[-1] - centres[0]) / (len(centres) - 1) if len(centres) > 1 else 1.0


def in_greys(values: Array) -> Array:
    """Return values as greys from 0 to 255; a few extremes do not count, and NaN is black."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.zeros(values.shape, np.uint8)
    low, high = np.quantile(finite, [DARK, BRIGHT])
    shares = (np.nan_to_num(values, nan=low) - low) / (high - low or 1.0)
    return np.asarray(np.rint(255 * shares.clip(0, 1)).astype(np.uint8))
