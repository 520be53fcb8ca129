"""Along which axes samples have neighbours, in which order, and where these axes meet."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.grid.ensembles import counts_members
from xcluster.grid.geography import FULL_CIRCLE, find_axis
from xcluster.grid.healpix import healpix_of
from xcluster.grid.intervals import EVEN, HOLE
from xcluster.grid.layout import Layout
from xcluster.grid.meshes import mesh_of
from xcluster.grid.polygons import unit_vectors

REMEDY = 'pass ("nearest", 6), or a graph: a sparse matrix or pairs of numbers of samples'
SAME_PLACE = 7
"""Digits of positions on the unit sphere that agree at one place: about a metre."""


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of the grid.

    Parameters
    ----------
    dim
        The dim that holds it; of a stacked grid several axes have the same dim.
    values
        The coordinate of each entry of the dim; None if it has none.
    slot : int array
        For each entry its number along the axis. Where there is a hole, a number is left out.
    size
        The number of these numbers.
    around
        Whether both ends are neighbours.
    """

    dim: Hashable
    values: xr.DataArray | None
    slot: Array
    size: int
    around: bool = False

    @property
    def name(self) -> Hashable:
        """The name of its coordinate; of the dim if it has none."""
        return self.dim if self.values is None else self.values.name


@dataclass(frozen=True, eq=False)
class Axes:
    """The axes of a grid."""

    layout: Layout
    axes: Sequence[Axis]

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of the grid, holes included."""
        return tuple(axis.size for axis in self.axes)

    @property
    def around(self) -> tuple[int, ...]:
        """Numbers of the axes whose ends are neighbours."""
        return tuple(number for number, axis in enumerate(self.axes) if axis.around)

    def cells(self, place: Array) -> Array:
        """Return the cell of each place of the user's array, both flattened."""
        at = dict(
            zip(self.layout.sample_dims, np.unravel_index(place, self.layout.shape), strict=True)
        )
        slots = [axis.slot[at[axis.dim]] for axis in self.axes]
        return np.asarray(np.ravel_multi_index(slots, self.shape))

    def beside(self, lonlat: Sequence[xr.DataArray]) -> list[Hashable]:
        """Return the names of axes along which samples lie at one place."""
        names = {axis.name: axis for axis in self.axes if axis.size > 1}
        places = {each.name for each in lonlat}
        if not lonlat:
            return [name for name, axis in names.items() if counts_members(name, axis.values)]
        if places <= {axis.name for axis in self.axes}:
            return [name for name in names if name not in places]
        dims = {dim for each in lonlat for dim in each.dims}
        return [name for name, axis in names.items() if axis.dim not in dims]

    def positions(self) -> list[xr.DataArray] | None:
        """Return coordinates of samples in a plane; None if they are not known."""
        known = [axis.values for axis in self.axes if axis.values is not None]
        if len(self.axes) == 1:
            known = _horizontal(self.layout, self.axes[0].dim)
        elif len(known) < sum(axis.size > 1 for axis in self.axes):
            return None
        return known if len(known) > 1 and all(each.dtype.kind in "iuf" for each in known) else None


def axes_of(layout: Layout) -> Axes:
    """Return the axes of the samples; a stacked dim has those of the grid that it came from."""
    axes: list[Axis] = []
    for number, dim in enumerate(layout.sample_dims):
        levels = _levels(layout, dim)
        if levels is None:
            axes.append(_axis(layout, dim, layout.coords.get(dim), number))
        else:
            axes += _closed(layout, dim, [_level(layout, dim, each) for each in levels])
    return Axes(layout, axes)


def _closed(layout: Layout, dim: Hashable, axes: list[Axis]) -> list[Axis]:
    """Return the axes of a stacked dim; those of a curvilinear grid may go round."""
    lonlat = [find_axis(layout.coords, each) for each in ("longitude", "latitude")]
    beside = [each for each in lonlat if each is not None and each.dims == (dim,)]
    names = {axis.name for axis in axes}
    if len(axes) != 2 or len(beside) != 2 or names & {each.name for each in beside}:
        return axes
    points = np.full((3, *(axis.size for axis in axes)), np.nan)
    points[:, axes[0].slot, axes[1].slot] = unit_vectors(
        *(each.values.astype(np.float64) for each in beside)
    )
    return [replace(axis, around=_ends_meet(points, n)) for n, axis in enumerate(axes)]


def _levels(layout: Layout, dim: Hashable) -> list[xr.DataArray] | None:
    """Return the coordinates of a stacked dim; None of any other."""
    index = layout.coords[dim].to_index() if dim in layout.coords else None
    if not isinstance(index, pd.MultiIndex):
        return None
    return [layout.coords[name] for name in index.names]


def _axis(layout: Layout, dim: Hashable, values: xr.DataArray | None, number: int) -> Axis:
    if values is None or values.ndim != 1:
        size = layout.sizes[dim]
        return Axis(dim, None, np.arange(size), size, _goes_round(layout, number))
    turned = _turned(layout, values)
    slot = np.empty(len(turned), np.int64)
    slot[np.argsort(turned, kind="stable")] = np.arange(len(turned))
    return _spaced(layout, dim, values, np.sort(turned), slot, number)


def _level(layout: Layout, dim: Hashable, values: xr.DataArray) -> Axis:
    distinct, slot = np.unique(_turned(layout, values), return_inverse=True)
    return _spaced(layout, dim, values, distinct, slot, None)


def _spaced(
    layout: Layout, dim: Hashable, values: xr.DataArray, rising: Array, slot: Array, number: Any
) -> Axis:
    """Return an axis with the holes between its rising values, of degrees only."""
    around = number is not None and _goes_round(layout, number)
    if _is(layout, values, "longitude") and len(rising) > 2:
        gaps = np.diff([*rising, rising[0] + FULL_CIRCLE])
        around = bool(gaps.max() <= HOLE * np.median(gaps))
    if _is(layout, values, "longitude") or _is(layout, values, "latitude"):
        slot = (np.arange(len(rising)) + _holes(rising))[slot]
    return Axis(dim, values, slot, int(slot.max()) + 1, around)


def _is(layout: Layout, values: xr.DataArray, axis: Any) -> bool:
    found = find_axis(layout.coords, axis)
    return found is not None and found.name == values.name and found.dims == values.dims


def _turned(layout: Layout, values: xr.DataArray) -> Array:
    """Return values to sort by: of longitudes eastwards from behind their widest gap."""
    if not _is(layout, values, "longitude"):
        return np.asarray(values.values)
    degrees = np.round(values.values.astype(np.float64) % FULL_CIRCLE, 6) % FULL_CIRCLE
    ring = np.unique(degrees)
    gaps = np.diff([*ring, ring[0] + FULL_CIRCLE])
    first = ring[(int(gaps.argmax()) + 1) % len(ring)]
    return np.asarray(np.round((degrees - first) % FULL_CIRCLE, 6) % FULL_CIRCLE)


def _holes(rising: Array) -> Array:
    """Return how many holes lie before each value of an even axis that lacks some."""
    gaps = np.diff(rising.astype(np.float64))
    present = gaps[gaps > 0]
    if not len(present):
        return np.zeros(len(rising), np.int64)
    # Their mean, as in single precision the least one is too short by some rounding.
    steps = gaps / present[present <= HOLE * present.min()].mean()
    even = np.abs(steps - np.round(steps)).max() < EVEN
    return np.concatenate([[0], np.cumsum((steps > HOLE) & even)])


def check_axes(layout: Layout, contiguous: Any, cells: Hashable = None) -> None:
    """Refuse samples along a dim whose entries are no neighbours; ``cells`` have a graph."""
    rule, remedy = no_neighbours(layout, cells)
    if rule:
        raise BadValueError("contiguous", contiguous, rule, f"{remedy}{REMEDY}")


def no_neighbours(layout: Layout, cells: Hashable = None) -> tuple[str, str]:
    """Return why samples have no neighbours along their dims, and what may help; else no text."""
    for dim in layout.sample_dims:
        if dim == cells:
            continue
        levels = _levels(layout, dim)
        for values in [layout.coords.get(dim)] if levels is None else levels:
            rule = _no_axis(layout, dim, values)
            if rule:
                return rule, "select one entry of it, or "
    (dim, *others) = layout.sample_dims
    if not others and dim not in layout.coords and dim != cells:
        rule = f"{dim!r} only lists samples, and no coordinate along it says which are neighbours"
        return rule, ""
    return "", ""


def _no_axis(layout: Layout, dim: Hashable, values: xr.DataArray | None) -> str:
    """Return why a dim is no axis of neighbours; empty if it is one."""
    name = dim if values is None else values.name
    if counts_members(str(name), values):
        return f"{name!r} counts members, which are no neighbours of each other"
    if values is not None and _has_names(values):
        return f"{name!r} has names, which are no neighbours of each other"
    if _levels(layout, dim) is None and _is_list(layout, dim, values):
        return f"the numbers of {name!r} do not say which samples are neighbours"
    return ""


def _has_names(values: xr.DataArray) -> bool:
    kind = values.dtype.kind
    text = kind == "O" and values.size > 0 and isinstance(values.values.flat[0], str)
    return text or kind in "USb"


def _is_list(layout: Layout, dim: Hashable, values: xr.DataArray | None) -> bool:
    """Whether entries are only counted: a line has units, or the name of an axis."""
    if values is not None and values.dtype.kind not in "iu":
        return False
    if len(layout.sample_dims) > 1:
        lonlat = [find_axis(layout.coords, axis) for axis in ("longitude", "latitude")]
        cells = healpix_of([dim], layout.data), mesh_of([dim], layout.data)
        return all(each is not None and each.dims == (dim,) for each in lonlat) or any(cells)
    if values is None or values.attrs.get("units", "1") != "1":
        return False
    import cf_xarray  # noqa: F401  (registers the accessor)

    alone = xr.Dataset(coords={dim: values.variable}).cf.guess_coord_axis()
    return not {"axis", "standard_name"} & alone[dim].attrs.keys()


def _horizontal(layout: Layout, dim: Hashable) -> list[xr.DataArray]:
    """Return x and y of the samples of a list, by CF attributes or by name."""
    import cf_xarray  # noqa: F401  (registers the accessor)

    along = {name: c for name, c in layout.coords.items() if c.dims == (dim,) and name != dim}
    found = xr.Dataset(coords={name: c.variable for name, c in along.items()})
    named = found.cf.guess_coord_axis().cf.axes
    first = [named[axis][0] for axis in ("X", "Y") if named.get(axis)]
    return [along[name] for name in first]


def planes(layout: Layout, coords: Sequence[xr.DataArray]) -> list[Array]:
    """Return coordinates at each grid point, flattened."""
    sizes = {dim: layout.sizes[dim] for dim in layout.sample_dims}
    return [
        each.variable.set_dims(sizes).transpose(*sizes).values.astype(np.float64).ravel()
        for each in coords
    ]


# ----------------------------------------------------------------------------------- curvilinear


def _lonlat(layout: Layout) -> tuple[tuple[Hashable, ...], Array] | None:
    """Return the dims of 2-D coordinates, or of their stack, and positions on the unit sphere."""
    longitude, latitude = (find_axis(layout.coords, each) for each in ("longitude", "latitude"))
    if longitude is None or latitude is None or set(longitude.dims) != set(latitude.dims):
        return None
    if longitude.ndim == 1:
        levels = _levels(layout, longitude.dims[0])
        if levels is None or {longitude.name, latitude.name} & {each.name for each in levels}:
            return None
    both = longitude.values, latitude.transpose(*longitude.dims).values
    return longitude.dims, unit_vectors(*(each.astype(np.float64) for each in both))


def _goes_round(layout: Layout, number: int) -> bool:
    """Whether the ends of an axis of 2-D coordinates are as near as neighbours inside."""
    found = _lonlat(layout)
    dim = layout.sample_dims[number]
    if found is None or dim not in found[0]:
        return False
    return _ends_meet(found[1], found[0].index(dim))


def _ends_meet(points: Array, axis: int) -> bool:
    """Whether both ends of points (3, ny, nx) are as near along an axis as neighbours inside."""
    lines = np.moveaxis(points, 1 + axis, 1)
    steps = np.linalg.norm(np.diff(lines, axis=1), axis=0)
    gap = np.linalg.norm(lines[:, 0] - lines[:, -1], axis=0)
    known = np.isfinite(gap) & np.isfinite(steps).any(axis=0)
    if lines.shape[1] < 3 or not known.any():
        return False
    near = gap[known] <= HOLE * np.nanmedian(steps[:, known], axis=0)
    return bool(near.mean() > 0.5)


def fold_pairs(layout: Layout) -> Array:
    """Return pairs of grid points at the same place: where a tripolar grid is folded."""
    found = _lonlat(layout)
    if found is None:
        return np.empty((0, 2), np.int64)
    dims, points = found
    flat = np.round(points.reshape(3, -1), SAME_PLACE).T + 0.0  # so that -0.0 equals 0.0
    known = np.flatnonzero(np.isfinite(flat).all(axis=1))
    _, group = np.unique(flat[known], axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    same = np.flatnonzero(np.diff(group.ravel()[order]) == 0)
    pairs = np.column_stack([known[order[same]], known[order[same + 1]]])
    numbers = xr.DataArray(
        np.arange(layout.n_points).reshape(layout.shape), dims=layout.sample_dims
    )
    planes = numbers.transpose(..., *dims).values.reshape(-1, len(flat))
    return np.asarray(planes[:, pairs].reshape(-1, 2))
