"""Sides of cells that do not lie in rows and columns: what is behind each, and how long it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.grid.areas import of_lists
from xcluster.grid.axes import Axes, axes_of, fold_pairs, planes
from xcluster.grid.geography import find_axis
from xcluster.grid.geometry import sides_of_cells
from xcluster.grid.healpix import healpix_of
from xcluster.grid.layout import Layout
from xcluster.grid.meshes import mesh_of


@dataclass(frozen=True, eq=False)
class ListedSides:
    """Sides of cells; one between two cells is listed for each of them.

    Parameters
    ----------
    cell : int array of shape (n_sides,)
        The cell that each side belongs to, counted on the flattened grid.
    behind : int array of shape (n_sides,)
        The cell behind it; -1 if there is none.
    length : array of shape (n_sides,)
    """

    cell: Array
    behind: Array
    length: Array

    def borders(self, codes: Array) -> Array:
        """Return how long the sides of each cell are behind which another code lies, or nothing.

        ``codes`` has the cells along its last axis.
        """
        return np.stack([self._border(row) for row in codes])

    def _border(self, codes: Array) -> Array:
        parts = (self.behind < 0) | (codes[self.cell] != codes[self.behind])
        return np.bincount(self.cell[parts], self.length[parts], minlength=len(codes))


def listed_sides(plane: Layout) -> tuple[ListedSides, str] | None:
    """Return the sides of all cells, and the unit of their lengths; None if that is not known.

    It is known of meshes and HEALPix cells, and of grids of which `sides_of_cells` knows it, even
    if they were stacked, lack rows, are in any order, or are folded.
    """
    cells = healpix_of(plane.sample_dims, plane.data) or mesh_of(plane.sample_dims, plane.data)
    if cells is None:
        return _of_grid(plane)
    areas = of_lists(plane.sample_dims, xr.Dataset() if plane.data is None else plane.data)
    if areas is None or plane.sample_dims != (cells.dim,):
        return None
    cell, behind, length = cells.sides()
    return ListedSides(cell, behind, length * areas.factor**0.5), areas.unit.removesuffix("2")


def _of_grid(plane: Layout) -> tuple[ListedSides, str] | None:
    axes = axes_of(plane)
    if len(axes.axes) != 2:
        return None
    every = np.arange(plane.n_points)
    slots, grid = np.unravel_index(axes.cells(every), axes.shape), np.full(axes.shape, -1)
    grid[slots] = every
    ranks = [np.unique(slot, return_inverse=True)[1] for slot in slots]
    rows = _in_rows(plane, axes, ranks)
    found = sides_of_cells(rows)
    if found is None:
        return None
    twin = _twins(plane)
    cells, length = [], []
    for (number, dim), (end, step) in product(enumerate(rows.sample_dims), enumerate((-1, 1))):
        behind = _moved(grid, slots, number, step, axes.axes[number].around)
        cells.append(np.where(behind < 0, twin, behind))
        whole = found[0][dim][end].variable.set_dims(rows.sizes).transpose(*rows.sample_dims)
        length.append(whole.values[tuple(ranks)])
    return ListedSides(np.tile(every, 4), np.concatenate(cells), np.concatenate(length)), found[1]


def _moved(grid: Array, slots: Sequence[Array], axis: int, step: int, around: bool) -> Array:
    """Return what lies one step further along an axis; -1 beyond its ends."""
    at, size = slots[axis] + step, grid.shape[axis]
    inside = around | ((at >= 0) & (at < size))
    moved = [at % size if number == axis else slot for number, slot in enumerate(slots)]
    return np.where(inside, grid[tuple(moved)], -1)


def _twins(plane: Layout) -> Array:
    """Return for each cell the one at the same place beyond the fold of a grid; -1 if none."""
    twin = np.full(plane.n_points, -1)
    first, second = fold_pairs(plane).T
    twin[first], twin[second] = second, first
    return twin


def _in_rows(plane: Layout, axes: Axes, ranks: Sequence[Array]) -> Layout:
    """Return the layout of the grid in rows and columns, with rising coordinates."""
    dims = tuple(axis.name for axis in axes.axes)
    sizes = {dim: int(rank.max()) + 1 for dim, rank in zip(dims, ranks, strict=True)}
    coords = {}
    for axis, dim in zip(axes.axes, dims, strict=True):
        if axis.values is not None:
            first = np.unique(axis.slot, return_index=True)[1]
            variable = xr.Variable([dim], axis.values.values[first], axis.values.attrs)
            coords[dim] = xr.DataArray(variable, {dim: variable}, name=dim)
    for name in ("longitude", "latitude"):
        place = find_axis(plane.coords, name)
        if place is not None and place.name not in dims:
            values = np.full(tuple(sizes.values()), np.nan)
            values[tuple(ranks)] = planes(plane, [place])[0]
            coords[place.name] = xr.DataArray(values, dims=dims, name=place.name, attrs=place.attrs)
    return replace(plane, sample_dims=dims, sizes=sizes, coords=coords)
