"""Which cells of a label map lie beside each other in space, whatever other dims it has."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from xcluster.algorithms.parts.connectivity import symmetric
from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.grid.axes import Axes, axes_of, fold_pairs, no_neighbours
from xcluster.grid.ensembles import counts_members
from xcluster.grid.geography import find_axis
from xcluster.grid.hashing import canonical_positions
from xcluster.grid.healpix import Healpix, healpix_of
from xcluster.grid.layout import Layout
from xcluster.grid.meshes import mesh_of
from xcluster.grid.neighbours import described_pairs, pairs_on_axes

TIMES = ("time", "t", "date", "frame")


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The spatial dims of a map, and which of its cells touch.

    Parameters
    ----------
    dims
        The spatial dims, in the order of the map.
    closed
        Those of them whose ends touch.
    graph : csr_array of bool, optional
        Which cells of these dims touch, flattened, if the order of the array does not tell it.
    at_edge : array of bool, optional
        Of a graph, which cells lie at the edge of the map, as far as that is known.
    position
        Arrays over these dims whose sum is the position of a cell: an order that does not depend on
        how the data lie.
    """

    dims: tuple[Hashable, ...]
    closed: tuple[Hashable, ...] = ()
    graph: Any = None
    at_edge: Array | None = None
    position: Sequence[xr.DataArray] = ()


def surroundings(layout: Layout, what: str, neighbours: int, graph: Any = None) -> Surroundings:
    """Return which samples lie beside each other.

    Parameters
    ----------
    layout
        Where samples lie.
    what
        What is to be done, for errors.
    neighbours : {4, 8}
        Whether cells touch where they share a side, or a corner too.
    graph : csr_array of bool, optional
        What the user gave as neighbours of the samples.
    """
    if graph is not None:
        place = canonical_positions(layout)
        return Surroundings(layout.sample_dims, graph=graph, position=place)
    plane = plane_of(layout)
    dims = plane.sample_dims
    found = _on_cells(plane, neighbours) if dims else None
    if found is not None:
        return found
    rule = no_neighbours(plane)[0] if dims else "the samples have no dims in space"
    if rule:
        remedy = "use it for labels on a grid, on a mesh, or of hac(contiguous=...) with a graph"
        raise BadValueError("samples", what, f"needs neighbours in space, but {rule}", remedy)
    return _on_axes(plane, axes_of(plane), neighbours)


def _on_axes(plane: Layout, axes: Axes, neighbours: int) -> Surroundings:
    """Return which cells touch along the axes of a grid."""
    named = replace(axes, axes=sorted(axes.axes, key=lambda axis: str(axis.name)))
    if _is_plain(axes) and not len(fold_pairs(plane)):
        closed = tuple(axis.dim for axis in axes.axes if axis.around)
        strides = [int(np.prod(named.shape[number + 1 :])) for number in range(len(named.shape))]
        place = [
            xr.DataArray(axis.slot * stride, dims=[axis.dim])
            for axis, stride in zip(named.axes, strides, strict=True)
        ]
        return Surroundings(plane.sample_dims, closed, position=place)
    every = np.arange(plane.n_points)
    graph = symmetric(pairs_on_axes(plane, axes, neighbours, every), plane.n_points)
    cell = xr.DataArray(named.cells(every).reshape(plane.shape), dims=plane.sample_dims)
    return Surroundings(plane.sample_dims, (), graph, _ends(axes, every), [cell])


def _on_cells(plane: Layout, neighbours: int) -> Surroundings | None:
    """Return which cells of a mesh or of HEALPix touch; None if the data describe none."""
    sides, n = described_pairs(plane, True, 4), plane.n_points
    if sides is None:
        return None
    pairs = described_pairs(plane, True, neighbours)
    pairs = sides if pairs is None else pairs  # cells of a mesh only touch along their sides
    mesh = mesh_of(plane.sample_dims, plane.data)
    every = 4 if mesh is None else mesh.n_corners if mesh.location == "face" else 0
    at_edge = np.bincount(sides.ravel(), minlength=n) < every
    place = canonical_positions(plane)
    return Surroundings(plane.sample_dims, (), symmetric(pairs, n), at_edge, place)


def _ends(axes: Axes, place: Array) -> Array:
    """Return which cells lie at an end of an axis whose ends do not touch."""
    at = np.unravel_index(axes.cells(place), axes.shape)
    open_axes = [
        (slot, axis.size - 1) for slot, axis in zip(at, axes.axes, strict=True) if not axis.around
    ]
    return np.asarray(np.any([np.isin(slot, (0, last)) for slot, last in open_axes], axis=0))


def spatial_dims(layout: Layout) -> tuple[Hashable, ...]:
    """Return the dims of longitude and latitude, or those that hold no times, members or names.

    Cells of HEALPix and of a mesh on the sphere have longitudes and latitudes.
    """
    lonlat = [find_axis(layout.coords, axis) for axis in ("longitude", "latitude")]
    if all(each is not None for each in lonlat):
        placed = {dim for each in lonlat if each is not None for dim in each.dims}
        return tuple(dim for dim in layout.sample_dims if dim in placed)
    cells = healpix_of(layout.sample_dims, layout.data) or mesh_of(layout.sample_dims, layout.data)
    if cells is not None and (isinstance(cells, Healpix) or cells.unit is None):
        return (cells.dim,)
    return tuple(dim for dim in layout.sample_dims if _is_spatial(dim, layout.coords.get(dim)))


def _is_spatial(dim: Hashable, values: xr.DataArray | None) -> bool:
    if str(dim).lower() in TIMES or counts_members(dim, values):
        return False
    if values is None:
        return True
    index = values.to_index()
    return index.nlevels > 1 or (values.dtype.kind in "iuf" and values.attrs.get("axis") != "T")


def plane_of(layout: Layout) -> Layout:
    """Return the layout of one step along all dims but those of space."""
    return over(layout, spatial_dims(layout))


def over(layout: Layout, dims: tuple[Hashable, ...]) -> Layout:
    """Return the layout of one step along all other dims."""
    coords = {name: each for name, each in layout.coords.items() if set(each.dims) <= set(dims)}
    sizes = {dim: layout.sizes[dim] for dim in dims}
    return replace(layout, sample_dims=dims, sizes=sizes, coords=coords)


def _is_plain(axes: Axes) -> bool:
    """Whether cells that lie beside each other in the array do so in space, and no others."""
    if len(axes.axes) > len(axes.layout.sample_dims):
        return False
    return all(
        (axis.size == len(axis.slot) and _is_row(axis.slot, axis.around)) for axis in axes.axes
    )


def _is_row(slot: Array, around: bool) -> bool:
    steps = np.diff(slot)
    if around:
        steps = (steps + 1) % len(slot) - 1
    return bool((steps == 1).all() or (steps == -1).all())
