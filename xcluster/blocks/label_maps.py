"""Functions of label maps that look at what lies around a cell, in memory or lazily."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import getitem
from typing import Any, cast

import numpy as np
import xarray as xr

from xcluster.algorithms.parts.pieces import (
    NO_DATA,
    Around,
    Part,
    Pieces,
    connected_pieces,
    join_parts,
    part_of,
    pieces_of,
)
from xcluster.base.arrays import Array
from xcluster.grid.surroundings import Surroundings

Sums = Callable[[Array], Array]
"""Sums of whole numbers, or of True, over the window of each cell."""

Rule = Callable[[Pieces], Array]
"""From the pieces of a map to the label of each."""


# ------------------------------------------------------------------------------------- by windows


def by_windows(
    found: xr.DataArray,
    of_block: Callable[[Array, Sums], Array],
    size: int,
    around: Surroundings,
    dtype: Any,
) -> xr.DataArray:
    """Return a function of a map and of sums over windows, lazily if the map is lazy.

    On a mesh and the like a window of 3 cells is a cell with its neighbours, one of 5 also with
    theirs, and so on. Windows do not go over other dims than those of space.
    """
    if around.graph is not None:
        function = partial(_with_rings, of_block=of_block, size=size, graph=around.graph)
        return _in_one_block(function, [found], around.dims, dtype)
    axes = [found.get_axis_num(dim) for dim in around.dims]
    closed = [found.get_axis_num(dim) for dim in around.closed]
    function = partial(_with_boxes, of_block=of_block, axes=axes, depth=size // 2)
    if found.chunks is None:
        padded, inner = found.values, [slice(None)] * found.ndim
        for axis in axes:
            width = [(size // 2,) * 2 if each == axis else (0, 0) for each in range(found.ndim)]
            how = {"mode": "wrap"} if axis in closed else {"constant_values": np.nan}
            padded, inner[axis] = np.pad(padded, width, **how), slice(size // 2, -(size // 2))
        return found.copy(data=function(padded)[tuple(inner)])
    import dask.array as da

    data = da.map_overlap(
        function,
        found.data,
        depth=dict.fromkeys(axes, size // 2),
        boundary={axis: "periodic" if axis in closed else np.nan for axis in axes},
        dtype=dtype,
        meta=np.empty((0,) * found.ndim, dtype),
    )
    return found.copy(data=data.rechunk(found.chunks))


def _with_boxes(
    values: Array, of_block: Callable[[Array, Sums], Array], axes: Sequence[int], depth: int
) -> Array:
    return of_block(values, partial(_box_sums, axes=axes, depth=depth))


def _box_sums(values: Array, axes: Sequence[int], depth: int) -> Array:
    for axis in axes:
        first = np.zeros_like(values.take([0], axis), np.int64)
        total = np.concatenate([first, np.cumsum(values, axis, np.int64)], axis)
        at = np.arange(values.shape[axis])
        high, low = np.minimum(at + depth + 1, len(at)), np.maximum(at - depth, 0)
        values = total.take(high, axis) - total.take(low, axis)
    return values


def _with_rings(
    values: Array, of_block: Callable[[Array, Sums], Array], size: int, graph: Any
) -> Array:
    from scipy.sparse import eye_array

    once = (eye_array(graph.shape[0], dtype=np.int64) + graph.astype(np.int64)).tocsr()
    reach = once
    for _ in range(size // 2 - 1):
        reach = reach @ once
    reach.data[:] = 1
    flat = of_block(
        values.reshape(-1, graph.shape[0]), lambda rows: (reach @ rows.astype(np.int64).T).T
    )
    return flat.reshape(values.shape)


def _in_one_block(
    function: Callable[..., Array],
    arrays: Sequence[xr.DataArray],
    dims: Sequence[Hashable],
    dtype: Any,
) -> xr.DataArray:
    """Return a function of all cells of the spatial dims at once; the first array is the map."""
    found = arrays[0]
    whole = [
        each if each.chunks is None else each.chunk(dict.fromkeys(dims, -1)) for each in arrays
    ]
    out: xr.DataArray = xr.apply_ufunc(
        function,
        *whole,
        input_core_dims=[[*(set(each.dims) - set(found.dims)), *dims] for each in arrays],
        output_core_dims=[list(dims)],
        dask="parallelized",
        output_dtypes=[dtype],
        keep_attrs=True,
    ).transpose(*found.dims)
    return out if found.chunks is None else out.chunk(found.chunksizes)


# -------------------------------------------------------------------------------------- by pieces


def by_pieces(
    labels: xr.DataArray,
    rule: Rule,
    around: Surroundings,
    *,
    size: xr.DataArray | None = None,
    far: xr.DataArray | None = None,
    corners: bool = False,
    least: float = np.inf,
) -> xr.DataArray:
    """Return a map whose pieces have the labels that a rule gives them.

    A lazy map stays lazy and keeps its chunks. Its blocks are computed twice: first for their
    pieces, then for their new labels, so that they need not be kept meanwhile.

    Parameters
    ----------
    labels
        The map; NaN where there are no data.
    rule
        Gives each piece its label.
    around
        Which cells touch.
    size : DataArray of int, optional
        The size of each cell; by default 1.
    far : DataArray of int over (``label``, dims of the map), optional
        How far each cell is from the centre of each label.
    corners
        Whether cells of a grid also touch where they share a corner.
    least
        Neighbours of pieces from this size on play no part for each other.
    """
    given = {"size": size, "far": far}
    further = {name: each for name, each in given.items() if each is not None}
    if around.graph is not None:
        position, *others = xr.broadcast(labels, *around.position)[1:]
        arrays = [labels, sum(others, position)]
        arrays += [xr.broadcast(labels, each)[1] for each in further.values()]
        function = partial(_on_graph, rule=rule, around=around, names=tuple(further))
        return _in_one_block(function, arrays, around.dims, np.float32)
    axes = tuple(labels.get_axis_num(dim) for dim in around.dims)
    grid = Around(axes, tuple(labels.get_axis_num(dim) for dim in around.closed), corners)
    arrays = [each.transpose(..., *labels.dims, missing_dims="ignore") for each in further.values()]
    arrays = [*around.position, *arrays]
    missing = [[i for i, dim in enumerate(labels.dims) if dim not in each.dims] for each in arrays]
    measure = _Measure(grid, least, tuple(further), missing)
    if labels.chunks is not None:
        return labels.copy(data=_lazily(labels, arrays, measure, rule))
    part = measure(labels.values, *(each.values for each in arrays))
    (code,) = _decide((1,) * labels.ndim, [part], grid, rule)
    return labels.copy(data=_painted(labels.values, code, grid))


def codes_of(labels: Array) -> Array:
    """Return labels as whole numbers, with a code where there are no data."""
    return np.where(np.isnan(labels), NO_DATA, labels).astype(np.int16)


def _values(code: Array) -> Array:
    return np.where(code == NO_DATA, np.float32(np.nan), code.astype(np.float32))


@dataclass(frozen=True, eq=False)
class _Measure:
    """Finds the pieces of one block, from its labels, positions, and sizes and distances.

    Parameters
    ----------
    around, least
        As in `by_pieces`.
    names
        What follows positions: "size", "far".
    missing
        For each array the axes of the map that it lacks.
    """

    around: Around
    least: float
    names: tuple[str, ...]
    missing: Sequence[Sequence[int]]

    def __call__(self, labels: Array, *arrays: Array) -> Part:
        """Return the pieces of a block."""
        n = len(arrays) - len(self.names)
        full = [np.expand_dims(*each) for each in zip(arrays, self.missing, strict=True)]
        position = np.broadcast_to(sum(full[:n]), labels.shape)
        further = dict(zip(self.names, full[n:], strict=True))
        if "size" in further:
            further["size"] = np.broadcast_to(further["size"], labels.shape)
        if "far" in further:
            further["far"] = np.moveaxis(further["far"], 0, -1)
        return part_of(codes_of(labels), position, self.around, least=self.least, **further)


def _decide(shape: Sequence[int], parts: Sequence[Part], around: Around, rule: Rule) -> list[Array]:
    """Return the new label of each piece of each block."""
    blocks = np.empty(len(parts), object)
    blocks[:] = parts
    pieces, group = join_parts(blocks.reshape(shape), around)
    code = rule(pieces)
    return [code[each] for each in group]


def _painted(labels: Array, code: Array, around: Around) -> Array:
    """Return one block with the new labels of its pieces."""
    return _values(code[pieces_of(codes_of(labels), around)])


def _on_graph(
    labels: Array,
    position: Array,
    *arrays: Array,
    rule: Rule,
    around: Surroundings,
    names: tuple[str, ...],
) -> Array:
    """Return the map with the new labels of its pieces, for each step of other dims."""
    n = around.graph.shape[0]
    flat, places = labels.reshape(-1, n), position.reshape(-1, n)
    further = dict(zip(names, (each.reshape(len(flat), -1, n) for each in arrays), strict=True))
    out = np.empty_like(flat)
    for step, row in enumerate(flat):
        own = {name: each[step].T for name, each in further.items()}
        codes, at_edge = codes_of(row), around.at_edge
        piece, found = connected_pieces(codes, places[step], around.graph, at_edge=at_edge, **own)
        out[step] = _values(rule(found)[piece])
    return out.reshape(labels.shape)


def _lazily(
    labels: xr.DataArray, arrays: Sequence[xr.DataArray], measure: _Measure, rule: Rule
) -> Any:
    """Return the dask array of the map with new labels."""
    import dask.array as da
    from dask.base import tokenize
    from dask.core import flatten
    from dask.delayed import Delayed
    from dask.graph_manipulation import bind
    from dask.highlevelgraph import HighLevelGraph

    parts = object_blocks(labels, arrays, measure)
    shape, keys = parts.numblocks, list(flatten(parts.__dask_keys__()))
    name = f"xcluster-pieces-{tokenize(parts.name, rule)}"
    decided = (f"{name}-decided", 0)
    tasks: dict[Any, Any] = {decided: (_decide, shape, keys, measure.around, rule)}
    merged = HighLevelGraph.from_collections(decided[0], tasks, dependencies=[parts])
    delayed = Delayed(decided, merged, layer=decided[0])
    again = bind(labels.data, parents=delayed, seed=name)
    painted: dict[Any, Any] = {}
    for number, place in enumerate(np.ndindex(*shape)):
        own = (f"{name}-own", number)
        painted[own] = (getitem, decided, number)
        painted[(name, *place)] = (_painted, (again.name, *place), own, measure.around)
    both = cast("Any", [again, delayed])
    graph = HighLevelGraph.from_collections(name, painted, dependencies=both)
    meta = np.empty((0,) * labels.ndim, np.float32)
    return da.Array(graph, name, labels.data.chunks, dtype=np.float32, meta=meta)


def object_blocks(
    labels: xr.DataArray, arrays: Sequence[xr.DataArray], measure: Callable[..., Any]
) -> Any:
    """Return what a function finds in each block, as a dask array whose blocks are no arrays."""
    import dask.array as da

    index = {dim: i for i, dim in enumerate(labels.dims)}
    arguments: list[Any] = [labels.data, tuple(index.values())]
    for each in arrays:
        chunks = {dim: labels.chunksizes.get(dim, -1) for dim in each.dims}
        arguments += [each.chunk(chunks).data, tuple(index.get(dim, -1) for dim in each.dims)]
    return da.blockwise(
        measure,
        tuple(index.values()),
        *arguments,
        concatenate=True,
        dtype=object,
        meta=np.empty((0,) * labels.ndim, object),
    )
