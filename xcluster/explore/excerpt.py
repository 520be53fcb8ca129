"""Which of the grid points a page shows, so that it stays small."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.grid.entries import place_of
from xcluster.grid.geography import find_axis
from xcluster.grid.layout import Layout
from xcluster.grid.positions import POINT
from xcluster.plot.text import facet_title

Indexers = dict[Hashable, slice]

MAX_SAMPLES = 262_144
MAX_BYTES = 6_000_000


@dataclass(frozen=True, eq=False)
class Excerpt:
    """Some of the grid points of a layout, in the order of its dims.

    Parameters
    ----------
    dims
        Of the samples.
    indexers
        What is kept along them.
    single
        Dims of which one entry is kept.
    notes
        What is left out.
    """

    dims: tuple[Hashable, ...]
    indexers: Indexers
    single: list[Hashable]
    notes: list[str]

    def cut(self, array: xr.DataArray) -> xr.DataArray:
        """Cut an array over the samples, without the dims of which one entry is kept."""
        return array.transpose(*self.dims).isel(self.indexers).squeeze(self.single)

    def rows(self, array: xr.DataArray, dim: Hashable) -> Array:
        """Return what a cut array holds along ``dim``, one row per kept grid point."""
        values = array.transpose(*self.dims, dim).values
        return np.asarray(values.reshape(-1, values.shape[-1]))


def excerpt_of(layout: Layout, complete: int, sel: Mapping[Hashable, Any], width: int) -> Excerpt:
    """Choose grid points; nothing is read for this.

    Parameters
    ----------
    layout
        Of the samples.
    complete
        The most samples that have a label: only these take room.
    sel
        The entry of further dims that a reader wants to see.
    width
        How many bytes one sample takes.

    Raises
    ------
    ValueError
        If ``sel`` names a dim that the samples do not lie over, or an entry that is not there.
    """
    indexers, notes = _choose(layout, sel)
    sizes = (1 if dim in indexers else size for dim, size in layout.sizes.items())
    strides = _strides(layout, indexers, min(complete, math.prod(sizes)), width)
    if strides:
        step = max(each.step for each in strides.values())
        notes.append(f"1 of {step} grid points along each dim")
    indexers |= strides
    return Excerpt(tuple(layout.sample_dims), indexers, _single(layout, indexers), notes)


def cut(layout: Layout, indexers: Mapping[Hashable, Any]) -> Layout:
    """Return the layout of some of the grid points."""

    def less(array: xr.DataArray) -> xr.DataArray:
        return array.isel({dim: each for dim, each in indexers.items() if dim in array.dims})

    sizes = {
        dim: len(range(size)[indexers.get(dim, slice(None))]) for dim, size in layout.sizes.items()
    }
    return replace(
        layout.with_each(lambda _, each: each.with_arrays(less)),
        sizes=sizes,
        coords={name: less(coord) for name, coord in layout.coords.items()},
        mask=None if layout.mask is None else less(layout.mask),
        weight=None if layout.weight is None else less(layout.weight),
    )


def _choose(layout: Layout, sel: Mapping[Hashable, Any]) -> tuple[Indexers, list[str]]:
    """Return one entry of every dim that a map has no room for: that of ``sel``, or the first."""
    unknown = [dim for dim in sel if dim not in layout.sample_dims]
    if unknown:
        rule = f"names {unknown[0]!r}, and the samples lie over {list(layout.sample_dims)}"
        raise BadValueError("sel", dict(sel), rule, "choose along one of these")
    grid = xr.DataArray(
        np.broadcast_to(np.int8(0), layout.shape), dict(layout.coords), layout.sample_dims
    )
    free = [dim for dim in layout.sample_dims if dim not in sel and layout.sizes[dim] > 1]
    drawn = _drawn(layout, free)
    extra = [dim for dim in free if dim not in drawn]
    places = {dim: place_of(grid, dim, sel) if dim in sel else 0 for dim in (*sel, *extra)}
    shown = {
        dim: grid[dim].values[place] if dim in grid.coords else place
        for dim, place in places.items()
    }
    said = [f"{facet_title(grid, {dim: value})} only" for dim, value in shown.items()]
    return {dim: slice(place, place + 1) for dim, place in places.items()}, said


def _drawn(layout: Layout, free: list[Hashable]) -> list[Hashable]:
    """Return the dims of the map: those of longitude and latitude, of positions, or the last."""
    axes = [find_axis(layout.coords, name) for name in ("longitude", "latitude")]
    found = [axis for axis in axes if axis is not None]
    horizontal = {dim for axis in found for dim in axis.dims}
    if len(found) == 2 and horizontal <= set(free):
        return [dim for dim in free if dim in horizontal]
    return [POINT] if POINT in free else free[-2:]


def _strides(layout: Layout, indexers: Indexers, count: int, width: int) -> Indexers:
    """Return the finest strides at which the page stays small."""
    dims = [dim for dim in layout.sample_dims if dim not in indexers and layout.sizes[dim] > 1]
    allowed = min(MAX_SAMPLES, max(MAX_BYTES // max(width, 1), 1))
    step = int(np.ceil((count / allowed) ** (1 / max(len(dims), 1)) - 1e-9))
    return {dim: slice(None, None, step) for dim in dims} if step > 1 else {}


def _single(layout: Layout, indexers: Indexers) -> list[Hashable]:
    """Return the dims of which one entry is shown, as long as one dim is left."""
    found = [
        dim
        for dim in layout.sample_dims
        if layout.sizes[dim] == 1 or (dim in indexers and indexers[dim].stop is not None)
    ]
    return found if len(found) < len(layout.sample_dims) else found[1:]
