"""Which samples are neighbours, and which grid points have rows.

Neighbours come from the axes of a grid, from a mesh or HEALPix cells that the data describe, from
distances, or from a graph that the user gives.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from scipy.sparse import coo_array, issparse
from scipy.spatial import cKDTree

from xcluster.algorithms.parts.connectivity import grid_pairs, symmetric
from xcluster.base.arrays import Array
from xcluster.base.checks import check_choice, check_integer
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.base.wording import value_text
from xcluster.grid.axes import Axes, axes_of, check_axes, fold_pairs, planes
from xcluster.grid.geography import FULL_CIRCLE, find_axis, is_geographic
from xcluster.grid.hashing import canonical_positions
from xcluster.grid.healpix import Healpix, healpix_of
from xcluster.grid.layout import Layout
from xcluster.grid.meshes import mesh_of
from xcluster.grid.polygons import unit_vectors

DEGREE_DIGITS = 9
"""Digits of longitudes that count: a tenth of a millimetre."""
WAYS = 'pass True, 4, 8, "mesh", ("nearest", 6), a sparse matrix, or pairs of numbers'


@dataclass(frozen=True, eq=False)
class Neighbours:
    """How neighbours are found among samples.

    Parameters
    ----------
    said
        As text, as the user typed it.
    find
        A function from the places of rows on the grid, flattened, to pairs of rows.
    graph : csr_array of bool, shape (n_points, n_points), optional
        What the user gave, made symmetric.
    joins
        Whether parts that touch nothing are joined if there are more of them than labels.
    """

    said: str
    find: Callable[[Array], Array]
    graph: Any = None
    joins: bool = True


def neighbours_of(contiguous: Any, layout: Layout) -> Neighbours | None:
    """Return how neighbours are found; refuse samples that have none. None if it is False."""
    if contiguous is False:
        return None
    if len(layout.scenes) > 1:
        rule = "needs neighbours on one grid, but pooled scenes lie on several grids"
        raise BadValueError("contiguous", contiguous, rule, "leave contiguous= out")
    if isinstance(contiguous, str):
        return _of_cells(check_choice("contiguous", contiguous, ("mesh", "healpix")), layout)
    if isinstance(contiguous, bool | int | float | np.number | None):
        return _of_grid(check_choice("contiguous", contiguous, (False, True, 4, 8)), layout)
    if isinstance(contiguous, tuple) and contiguous[:1] == ("nearest",):
        return _of_nearest(contiguous, layout)
    graph = _graph(contiguous, layout)
    pairs = np.column_stack(graph.tocoo().coords)
    said = value_text(contiguous if issparse(contiguous) else np.asarray(contiguous))
    return Neighbours(said, partial(_among, layout, pairs[pairs[:, 0] < pairs[:, 1]]), graph)


def connect(layout: Layout, key: Array, neighbours: Neighbours) -> Any:
    """Return which rows are neighbours, as a sparse matrix; ``key`` are canonical positions."""
    place = places(layout, key)
    return symmetric(neighbours.find(place), len(place))


def _among(layout: Layout, pairs: Array, place: Array) -> Array:
    """Return pairs of grid points as pairs of the rows at these places."""
    row = np.full(layout.n_points, -1, np.int32)
    row[place] = np.arange(len(place))
    pairs = row[pairs]
    return np.asarray(pairs[(pairs >= 0).all(axis=1)])


def _of_cells(kind: str, layout: Layout) -> Neighbours:
    """Return the neighbours on a mesh, or among HEALPix cells, that the data must describe."""
    pairs = described_pairs(layout, kind, 4, kind)
    if pairs is None:
        rule = "finds no such cells that the samples lie on"
        remedy = "cluster the Dataset that describes them"
        raise BadValueError("contiguous", kind, rule, remedy)
    return Neighbours(repr(kind), partial(_among, layout, pairs))


def described_pairs(
    layout: Layout, contiguous: Any, n: int, kind: str | None = None
) -> Array | None:
    """Return the neighbours of cells that the data describe; None if they describe none.

    Cells along one of several dims are neighbours at each entry of the others, which are axes.
    """
    healpix = healpix_of(layout.sample_dims, layout.data) if kind != "mesh" else None
    mesh = mesh_of(layout.sample_dims, layout.data) if kind != "healpix" and n == 4 else None
    found = healpix or mesh
    if found is None:
        return None
    check_axes(layout, contiguous, cells=found.dim)
    pairs = found.pairs(corners=n == 8) if isinstance(found, Healpix) else found.pairs()
    return pairs if len(layout.sample_dims) == 1 else _at_each_step(layout, found.dim, pairs, n)


def _at_each_step(layout: Layout, dim: Hashable, pairs: Array, n: int) -> Array:
    """Return pairs of cells at each entry of other dims, and of each cell along these dims."""
    every = axes_of(layout)
    axes = Axes(layout, [axis for axis in every.axes if axis.dim != dim])
    points = xr.DataArray(
        np.arange(layout.n_points).reshape(layout.shape), dims=layout.sample_dims
    ).transpose(..., dim)
    steps = points.values.reshape(-1, layout.sizes[dim])
    along = steps[_pairs_on(axes, n, steps[:, 0])]  # (n_pairs, 2, n_cells)
    found = [steps[:, pairs], along.transpose(0, 2, 1)]
    if n == 8:
        found += [
            np.stack([along[:, i, pairs[:, 0]], along[:, 1 - i, pairs[:, 1]]], -1) for i in (0, 1)
        ]
    return np.concatenate([each.reshape(-1, 2) for each in found])


def _of_grid(contiguous: Any, layout: Layout) -> Neighbours:
    """Return the neighbours along the axes of the grid, or of cells that the data describe."""
    n = 4 if contiguous is True else int(contiguous)
    said = "True" if n == 4 else str(n)
    described = described_pairs(layout, contiguous, n)
    if described is not None:
        return Neighbours(said, partial(_among, layout, described))
    check_axes(layout, contiguous)
    return Neighbours(said, partial(pairs_on_axes, layout, axes_of(layout), n), joins=False)


def pairs_on_axes(layout: Layout, axes: Axes, n: int, place: Array) -> Array:
    """Return the pairs of samples at these places that touch along the axes of the grid."""
    return np.concatenate([_pairs_on(axes, n, place), _among(layout, fold_pairs(layout), place)])


def _pairs_on(axes: Axes, n: int, place: Array) -> Array:
    """Return the pairs of these places that are neighbours along axes."""
    cell = axes.cells(place)
    order = np.argsort(cell)
    present = np.zeros(axes.shape, bool)
    present.flat[cell] = True
    if np.count_nonzero(present) < len(cell):
        rule = "has samples with the same coordinates on the stacked grid"
        raise BadValueError("contiguous", True, rule, "drop those that occur twice")
    return np.asarray(order[grid_pairs(axes.shape, present, neighbours=n, wrap=axes.around)])


def _of_nearest(contiguous: Any, layout: Layout) -> Neighbours:
    if len(contiguous) != 2:
        rule = "must say how many neighbours each sample has"
        raise BadValueError("contiguous", contiguous, rule, 'pass ("nearest", 6)')
    n = check_integer("contiguous", contiguous[1], minimum=1)
    return Neighbours(repr(("nearest", n)), partial(_nearest, _points(layout), n))


def _points(layout: Layout) -> Array:
    """Return the position of each grid point: on the unit sphere, or in the plane."""
    axes = axes_of(layout)
    lonlat = [find_axis(layout.coords, axis) for axis in ("longitude", "latitude")]
    known = [each for each in lonlat if each is not None] if is_geographic(layout.coords) else []
    if beside := axes.beside(known):
        rule = f"needs one place for each sample, but {beside[0]!r} holds many at each place"
        remedy = f"select one entry of {beside[0]!r}, or pass a graph"
        raise BadValueError("contiguous", "nearest", rule, remedy)
    if known:
        longitude, latitude = planes(layout, known)
        # -90 and 270 degrees are one place to the last bit, so that ties are settled alike.
        turned = np.round(longitude % FULL_CIRCLE, DEGREE_DIGITS) % FULL_CIRCLE
        return np.moveaxis(unit_vectors(turned, latitude), 0, -1)
    found = axes.positions()
    if found is None:
        rule = "needs longitude and latitude, or x and y, of each sample"
        remedy = "assign them as coordinates, with units, or pass a graph"
        raise BadValueError("contiguous", "nearest", rule, remedy)
    return np.stack(planes(layout, found), axis=-1)


def _nearest(points: Array, n: int, place: Array) -> Array:
    mine = points[place]
    unknown = ~np.isfinite(mine).all(axis=1)
    if unknown.any():
        rule = f"{unknown.sum():,} samples have no position"
        remedy = "leave them out with where(), or give them coordinates"
        raise BadValueError("contiguous", "nearest", rule, remedy)
    _, nearest = cKDTree(mine).query(mine, min(n + 1, len(mine)), workers=-1)
    pairs = np.column_stack([np.repeat(np.arange(len(mine)), nearest.shape[1]), nearest.ravel()])
    return np.asarray(pairs[pairs[:, 0] != pairs[:, 1]])


def _graph(given: Any, layout: Layout) -> Any:
    """Return the user's graph over all grid points; refuse one of another number of samples."""
    n = layout.n_points
    order = "in the order of the grid, those without data included"
    if issparse(given):
        if given.shape != (n, n):
            rule = f"must have the shape {(n, n)} of all samples, {order}"
            raise BadValueError("contiguous", given.shape, rule, "make it for all grid points")
        entries = coo_array(given)
        pairs = np.column_stack(entries.coords)[entries.data != 0]
    else:
        pairs = _pairs(given)
        if pairs.size and not (pairs.min() >= 0 and pairs.max() < n):
            rule = f"must hold numbers of samples from 0 to {n - 1:,}, {order}"
            raise BadValueError("contiguous", (pairs.min(), pairs.max()), rule, "count from 0")
    return symmetric(pairs[pairs[:, 0] != pairs[:, 1]], n)


def _pairs(given: Any) -> Array:
    try:
        pairs = np.asarray(given)
    except ValueError:  # rows of different lengths
        pairs = np.empty(0)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        rule = "must be a graph: a sparse matrix, or an array of shape (n, 2) of numbers of samples"
        raise BadTypeError("contiguous", type(given).__name__, rule, WAYS)
    return pairs.astype(np.int64)


def places(layout: Layout, key: Array) -> Array:
    """Return the positions of rows in the user's own array, flattened.

    Canonical positions cannot be used for neighbours: they start anew at the prime meridian.
    """
    position = sum(canonical_positions(layout))
    assert isinstance(position, xr.DataArray)
    canonical = position.transpose(*layout.sample_dims).values.ravel()
    place = np.empty(len(canonical), np.int64)
    place[canonical] = np.arange(len(canonical))
    return np.asarray(place[key])


def rows_on_grid(layout: Layout, key: Array) -> xr.DataArray:
    """Return the number of the row at each grid point; -1 where there is none."""
    rows = np.full(layout.n_points, -1, np.int32)
    rows[places(layout, key)] = np.arange(len(key))
    rows = rows.reshape(layout.shape)
    return xr.DataArray(rows, dict(layout.coords), layout.sample_dims, "row", layout.links)
