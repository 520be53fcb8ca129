"""Functions of every block: labelled arrays become rows, and results go back onto the grid.

Chunked arrays keep their chunks, with one task per block for all variables together. Arrays in
memory are cut into slabs, which are given to threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.parallel import map_threads
from xcluster.base.streaming import BLOCK_ROWS
from xcluster.blocks.block import Block, Inputs, inputs_of
from xcluster.blocks.failures import named_failures
from xcluster.blocks.graphs import Tree
from xcluster.grid.layout import COLUMN, Layout
from xcluster.grid.names import check_free

Array = NDArray[Any]
T = TypeVar("T")


def apply(
    layout: Layout,
    function: Callable[[Array], Array],
    *,
    width: int | None = None,
    dtype: Any = np.float32,
    called: str = "values",
) -> xr.DataArray:
    """Return ``function`` of the complete rows on the grid, NaN elsewhere.

    The result is lazy if the layout is lazy, and has its chunks.

    Parameters
    ----------
    layout
        Layout of one scene.
    function
        Takes rows (n, n_features), and returns (n,), or (n, width) if ``width`` is given.
    width
        Size of a further last dim, `COLUMN`.
    dtype
        Dtype of the result.
    called
        What people see on dask's dashboard, after ``xcluster-``.

    Returns
    -------
    DataArray over the sample dims (and `COLUMN`), with the coordinates of the samples.
    """
    scatter = _Scatter(function, width, np.dtype(dtype))
    data = run(layout, scatter, width=width, dtype=dtype, called=called)
    dims = layout.sample_dims if width is None else (*layout.sample_dims, COLUMN)
    return xr.DataArray(data, dict(layout.coords), dims, attrs=layout.links)


@dataclass(frozen=True, eq=False)
class _Scatter:
    function: Callable[[Array], Array]
    width: int | None
    dtype: np.dtype[Any]

    def __call__(self, block: Block) -> Array:
        parts = [self._of_part(part) for part in block.parts()]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, int(np.argmax(block.shape)))

    def _of_part(self, block: Block) -> Array:
        complete = block.complete
        tail = () if self.width is None else (self.width,)
        out = np.full((len(complete), *tail), np.nan, self.dtype)
        if complete.any():
            # Filling a slice is much faster than filling single places.
            where = slice(None) if complete.all() else complete
            out[where] = self.function(block.rows(complete))
        return out.reshape(*block.shape, *tail)


def run(
    layout: Layout,
    function: Callable[[Block], Array],
    *,
    width: int | None,
    dtype: Any,
    called: str = "values",
) -> Any:
    """Return ``function`` of each block as one array over the sample dims, numpy or dask."""
    assert len(layout.scenes) == 1, "each scene has a grid of its own"
    inputs = inputs_of(layout)
    if layout.is_lazy:
        return _dask_blocks(inputs, function, called, width=width, dtype=np.dtype(dtype))
    tail = () if width is None else (width,)
    out = np.empty((*layout.shape, *tail), dtype)
    assembly = inputs.assembly(function)

    def fill(where: tuple[slice, ...]) -> None:
        out[where] = assembly(*_cut(inputs, where))

    map_threads(fill, _slabs(layout.shape))
    return out


def _slabs(shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """Cut a grid along its longest dim into slabs of about one block of rows."""
    longest = int(np.argmax(shape))
    rows_each = max(math.prod(shape) // shape[longest], 1)
    thickness = max(BLOCK_ROWS // rows_each, 1)
    whole = [slice(None)] * len(shape)
    return [
        (*whole[:longest], slice(start, start + thickness), *whole[longest + 1 :])
        for start in range(0, shape[longest], thickness)
    ]


def _cut(inputs: Inputs, where: tuple[slice, ...]) -> list[Array]:
    by_dim = dict(zip(inputs.sample_dims, where, strict=True))
    return [
        array.values[tuple(by_dim.get(dim, slice(None)) for dim in array.dims)]
        for array in inputs.arrays
    ]


def _dask_blocks(
    inputs: Inputs,
    function: Callable[[Block], Any],
    called: str,
    *,
    width: int | None,
    dtype: np.dtype[Any],
) -> Any:
    """Make one fused task per block: feature dims whole, sample dims as the user chunked them."""
    import dask.array as da

    chunks = {dim: sizes for each in inputs.arrays for dim, sizes in each.chunksizes.items()}
    index = {dim: i for i, dim in enumerate(inputs.sample_dims)}
    out_index = tuple(index.values())
    new_axes = {} if width is None else {len(index): width}
    fresh = count(len(index) + 1)  # feature dims of two variables are different indexes
    arguments: list[Any] = []
    for array in inputs.arrays:
        whole = {dim: -1 for dim in array.dims if dim not in index}
        if array.chunks is not None:
            data = array.chunk(whole).data
        else:  # dask takes plain arrays too, but not with its query planning
            sizes = tuple(-1 if dim in whole else chunks.get(dim, -1) for dim in array.dims)
            data = da.from_array(array.data, chunks=sizes)
        axes = tuple(index[dim] if dim in index else next(fresh) for dim in array.dims)
        arguments += [data, axes]
    return da.blockwise(
        inputs.assembly(function),
        (*out_index, *new_axes),
        *arguments,
        new_axes=new_axes,
        concatenate=None,  # feature dims are one chunk: joining them would only copy it
        dtype=dtype,
        meta=np.empty((0,) * (len(index) + len(new_axes)), dtype),
        token=f"xcluster-{called}",
    )


def reduce(
    layout: Layout,
    function: Callable[[Block], T],
    merge: Callable[[Sequence[T]], T],
    *,
    extra: Callable[[Layout], Mapping[str, xr.DataArray]] = lambda _: {},
    keys: Callable[[Layout], tuple[xr.DataArray, ...]] = lambda _: (),
    whole: bool = False,
    called: str = "pass",
) -> T:
    """Return the merged results of ``function`` for all blocks of all scenes, in one pass.

    Parameters
    ----------
    layout
        Layout of one scene, or of several scenes that are fitted together.
    function
        What to compute for each block.
    merge
        Merges a few results. Results of chunked data are merged in a tree, in the order of the
        blocks.
    extra
        Returns further arrays over the sample dims of a scene, for `Block.extra`.
    keys
        Returns an array per sample dim of a scene, for `Block.keys`.
    whole
        Whether arrays in memory are one block, because cutting them would only cost a copy.
    called
        What people see on dask's dashboard, after ``xcluster-``.
    """
    inputs = [inputs_of(scene, extra(scene), keys(scene)) for scene in layout.scenes]
    of_block: Callable[[Block], T] = function if whole else _ByParts(function, merge)
    if any(scene.is_lazy for scene in layout.scenes):
        return _dask_reduce(layout, inputs, of_block, merge, called)
    slabs = [
        (each, where)
        for scene, each in zip(layout.scenes, inputs, strict=True)
        for where in ([(slice(None),) * len(scene.shape)] if whole else _slabs(scene.shape))
    ]
    return merge(map_threads(lambda slab: slab[0].assembly(of_block)(*_cut(*slab)), slabs))


@dataclass(frozen=True, eq=False)
class _ByParts:
    """Calls a function for parts of a block, so that only the rows of one part are in memory."""

    function: Callable[[Block], Any]
    merge: Callable[[Sequence[Any]], Any]

    def __call__(self, block: Block) -> Any:
        parts = [self.function(part) for part in block.parts()]
        return parts[0] if len(parts) == 1 else self.merge(parts)


def _dask_reduce(
    layout: Layout,
    inputs: Sequence[Inputs],
    function: Callable[[Block], T],
    merge: Callable[[Sequence[T]], T],
    called: str,
) -> T:
    """Return the merged results of all blocks. The graph is one layer of blocks and one tree."""
    from dask.base import compute

    nothing = np.dtype(object)
    blocks = [_dask_blocks(each, function, called, width=None, dtype=nothing) for each in inputs]
    with named_failures(layout, blocks):
        merged: tuple[T] = compute(Tree.of(blocks, merge))
    return merged[0]


# --------------------------------------------------------------------- rows back to the variables


def unpack(features: xr.Dataset, rows: Array, dim: Hashable, values: Array) -> xr.Dataset:
    """Return rows of features as a Dataset over ``dim`` and the feature dims.

    Parameters
    ----------
    features
        One sample with the column of each feature, such as `Layout.features`.
    rows : array of shape (n, n_features)
        The rows.
    dim
        Name of the dim along which the rows lie.
    values : array of shape (n,)
        Coordinate of this dim.
    """
    check_free(features, [dim])
    out = {
        name: xr.DataArray(_unpacked(template.values, rows), dims=(dim, *template.dims))
        for name, template in features.data_vars.items()
    }
    out = {name: each.assign_attrs(features[name].attrs) for name, each in out.items()}
    return xr.Dataset(out, {**features.coords, dim: (dim, values)})


def _unpacked(columns: Array, rows: Array) -> Array:
    """Return rows at the places of their columns, with NaN at cells that are no features."""
    known = ~np.isnan(columns)
    values = rows[:, np.where(known, columns, 0).astype(np.intp)]
    if known.all():
        return values
    values = values.astype(np.result_type(values, np.float32), copy=False)
    values[:, ~known] = np.nan
    return values
