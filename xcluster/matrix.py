"""Between xarray and numpy: the only module that turns labelled arrays into rows and back.

Work is done block by block. Chunked arrays keep their chunks, one task a block over all variables
together; arrays in memory are cut into slabs that threads share.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.checks import complaint
from xcluster.layout import (
    COLUMN,
    Layout,
    canonical_dims,
    flat_features,
    is_descending,
    upright,
)
from xcluster.levels import Levels
from xcluster.parallel import map_threads, single_threaded_blas
from xcluster.streaming import BLOCK_ROWS

Array = NDArray[Any]
T = TypeVar("T")

OURS = "while working on a block that was read"
"""Marks errors that do not come from reading the data."""

CACHED_ROWS = 16_384
"""Rows put together at a time: in cache while one variable after another is filled in."""

PART_BYTES = 32 * 2**20
"""Rows of a block put together at a time: windows of an image are far larger than the image."""


@dataclass(frozen=True, eq=False)
class Block:
    """The rows of some grid points, with data or without.

    Parameters
    ----------
    pieces
        One array a variable, of shape (sample axes..., feature axes...), whose sample axes
        broadcast to ``shape``. Often a view in which values stand many times.
    dtype
        Of the rows.
    inside : array of shape (n_points,)
        Where the mask, if any, is True and the weight above zero.
    weight : array of shape (n_points,), optional
    extra
        Further arrays, by name, that broadcast against ``shape``.
    shape
        Of the grid points.
    """

    pieces: tuple[Array, ...]
    dtype: np.dtype[Any]
    inside: Array
    weight: Array | None
    extra: Mapping[str, Array]
    shape: tuple[int, ...]

    @cached_property
    def complete(self) -> Array:
        """Which points are samples: inside, with every feature a finite number."""
        complete = self.inside.reshape(self.shape)
        for piece in self.pieces:
            if piece.dtype.kind == "f":
                # Variable by variable, as one value a row lies side by side with the next row's.
                feature_axes = tuple(range(len(self.shape), piece.ndim))
                complete = complete & np.isfinite(piece).all(axis=feature_axes)
        return complete.ravel()

    def rows(self, chosen: Array) -> Array:
        """Return the rows where ``chosen`` (bool) is True, or at these positions.

        Rows that are not chosen are never put together.
        """
        everything = chosen.dtype == bool and bool(chosen.all())
        where = None if everything else np.unravel_index(_positions(chosen), self.shape)
        columns = [self._flat(piece, where) for piece in self.pieces]
        if len(columns) == 1 and self._is_ours(columns[0]):
            return columns[0]
        X = np.empty((len(columns[0]), sum(each.shape[1] for each in columns)), self.dtype)
        for start in range(0, len(X), CACHED_ROWS):
            tile = slice(start, start + CACHED_ROWS)
            np.concatenate([each[tile] for each in columns], axis=1, out=X[tile])
        return X

    def _flat(self, piece: Array, where: tuple[Array, ...] | None) -> Array:
        """Return a variable as (n_points, columns), or its columns at some points."""
        tail = piece.shape[len(self.shape) :]
        n_columns = int(np.prod(tail, dtype=np.int64))
        whole = np.broadcast_to(piece, (*self.shape, *tail))
        if where is None:
            return whole.reshape(-1, n_columns)
        if whole.flags.c_contiguous:  # taking rows of two axes is faster than places of many
            return whole.reshape(-1, n_columns)[np.ravel_multi_index(where, self.shape)]
        return whole[where].reshape(-1, n_columns)

    def _is_ours(self, column: Array) -> bool:
        """Whether rows of one variable are a copy already, so that the user's stay untouched."""
        return column.dtype == self.dtype and not np.may_share_memory(column, self.pieces[0])

    def parts(self) -> list[Block]:
        """Cut into blocks whose rows, put together, take at most `PART_BYTES`."""
        n_columns = sum(int(np.prod(each.shape[len(self.shape) :])) for each in self.pieces)
        n_points = int(np.prod(self.shape, dtype=np.int64))
        n_parts = -(-n_points * n_columns * self.dtype.itemsize // PART_BYTES)
        if n_parts < 2:
            return [self]
        longest = int(np.argmax(self.shape))
        step = max(self.shape[longest] // n_parts, 1)
        return [
            self._cut(longest, slice(start, start + step))
            for start in range(0, self.shape[longest], step)
        ]

    def _cut(self, axis: int, where: slice) -> Block:
        """Return the block of some places along one axis, as views."""

        def of(array: Array) -> Array:
            along = (slice(None),) * axis
            return array[(*along, where)] if array.shape[axis] == self.shape[axis] else array

        weight = None if self.weight is None else of(self.weight.reshape(self.shape)).ravel()
        inside = of(self.inside.reshape(self.shape))
        extra = {name: of(array) if array.ndim else array for name, array in self.extra.items()}
        pieces = tuple(of(piece) for piece in self.pieces)
        return Block(pieces, self.dtype, inside.ravel(), weight, extra, inside.shape)


def _positions(chosen: Array) -> Array:
    return np.flatnonzero(chosen) if chosen.dtype == bool else chosen


@dataclass(frozen=True, eq=False)
class _Part:
    """How the columns of one variable are had; pickles in a few bytes."""

    axes: tuple[bool, ...]
    levels: Levels | None
    kept: Array | None


@dataclass(frozen=True, eq=False)
class _Assembly:
    """Turns the arrays of one block into a `Block`, and calls a function of it."""

    parts: tuple[_Part, ...]
    others: tuple[tuple[str, tuple[bool, ...]], ...]
    dtype: np.dtype[Any]
    function: Callable[[Block], Any]

    def __call__(self, *arrays: Array) -> Any:
        try:
            with single_threaded_blas():
                return self.function(self.block(*arrays))
        except Exception as error:
            error.add_note(OURS)
            raise

    def block(self, *nested: Any) -> Block:
        arrays = [_unnested(array) for array in nested]
        values, others = arrays[: len(self.parts)], arrays[len(self.parts) :]
        spread = {
            name: _spread(array, axes)
            for (name, axes), array in zip(self.others, others, strict=True)
        }
        pieces = [_columns(array, part) for array, part in zip(values, self.parts, strict=True)]
        n_axes = len(self.parts[0].axes)
        shape = np.broadcast_shapes(
            *(piece.shape[:n_axes] for piece in pieces),
            *(array.shape for array in spread.values()),
        )
        return _as_block(tuple(pieces), self.dtype, spread, shape)


def _unnested(array: Any) -> Array:
    """Return the one chunk in the lists, one for each feature dim, that dask gives it in."""
    while isinstance(array, list):
        (array,) = array
    return np.asarray(array)


def _as_block(
    pieces: tuple[Array, ...],
    dtype: np.dtype[Any],
    spread: dict[str, Array],
    shape: tuple[int, ...],
) -> Block:
    mask, weight = (
        np.broadcast_to(spread.pop(name), shape).ravel() if name in spread else None
        for name in ("mask", "weight")
    )
    inside = np.ones(int(np.prod(shape, dtype=np.int64)), bool) if mask is None else mask
    if weight is not None:
        weight = weight.astype(np.float64)
        wrong = weight[inside & ~((weight >= 0) & np.isfinite(weight))]
        if len(wrong):
            raise ValueError(complaint("weights", float(wrong[0]), WEIGHT_RULE, WEIGHT_REMEDY))
        inside = inside & (weight > 0)
    return Block(pieces, dtype, inside, weight, spread, shape)


WEIGHT_RULE = "must be finite numbers of at least 0 wherever the mask is True"
WEIGHT_REMEDY = "fill them (weights.fillna(0)) or leave those samples out with .where()"


def _spread(array: Array, axes: tuple[bool, ...]) -> Array:
    """Insert the sample axes that an array lacks."""
    lacking = tuple(i for i, present in enumerate(axes) if not present)
    return np.expand_dims(array, lacking)


def _columns(array: Array, part: _Part) -> Array:
    """Return one variable as (sample axes..., feature axes...), all of the former."""
    n_axes = sum(part.axes)
    if part.levels is not None:
        array = array if array.dtype.kind == "f" else array.astype(np.float64)
        rows = part.levels(array.reshape(-1, array.shape[-1]))
        array = rows.reshape(*array.shape[:-1], rows.shape[-1])
    if part.kept is not None:
        width = int(np.prod(array.shape[n_axes:], dtype=np.int64))
        array = array.reshape(*array.shape[:n_axes], width)[..., part.kept]
    return np.expand_dims(array, tuple(i for i, present in enumerate(part.axes) if not present))


@dataclass(frozen=True, eq=False)
class _Inputs:
    """The arrays of a layout in the order that an `_Assembly` takes them."""

    arrays: tuple[xr.DataArray, ...]
    sample_dims: tuple[Hashable, ...]
    parts: tuple[_Part, ...]
    others: tuple[tuple[str, tuple[bool, ...]], ...]
    dtype: np.dtype[Any]

    def assembly(self, function: Callable[[Block], Any]) -> _Assembly:
        return _Assembly(self.parts, self.others, self.dtype, function)


def _inputs(layout: Layout, extra: Mapping[str, xr.DataArray] | None = None) -> _Inputs:
    dims = layout.sample_dims
    arrays, parts = [], []
    for variable in layout.variables.values():
        feature_dims = canonical_dims(variable.feature_dims)
        array = upright(variable.array, feature_dims)
        present = tuple(dim in array.dims for dim in dims)
        arrays.append(array.transpose(*(dim for dim in dims if dim in array.dims), *feature_dims))
        parts.append(_Part(present, variable.levels, variable.kept))
    further = {"mask": layout.mask, "weight": layout.weight, **(extra or {})}
    others = []
    for name, other in further.items():
        if other is not None:
            present = tuple(dim in other.dims for dim in dims)
            arrays.append(other.transpose(*(dim for dim in dims if dim in other.dims)))
            others.append((name, present))
    return _Inputs(tuple(arrays), dims, tuple(parts), tuple(others), layout.dtype)


# ---------------------------------------------------------------- running a function over blocks


def apply(
    layout: Layout,
    function: Callable[[Array], Array],
    *,
    width: int | None = None,
    dtype: Any = np.float32,
) -> xr.DataArray:
    """Return ``function`` of the complete rows, laid on the grid; NaN elsewhere.

    Lazy where the layout is, with its chunks.

    Parameters
    ----------
    layout
        Of the object.
    function
        Takes (n, n_features), returns (n,), or (n, width) where ``width`` is given.
    width
        Size of a further last dim, `COLUMN`.
    dtype
        Of the result.

    Returns
    -------
    DataArray over the sample dims (and `COLUMN`), with the coordinates of the samples.
    """
    scatter = _Scatter(function, width, np.dtype(dtype))
    data = run(layout, scatter, width=width, dtype=dtype)
    dims = layout.sample_dims if width is None else (*layout.sample_dims, COLUMN)
    return xr.DataArray(data, dict(layout.coords), dims)


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
            # A slice is filled much faster than places one by one.
            where = slice(None) if complete.all() else complete
            out[where] = self.function(block.rows(complete))
        return out.reshape(*block.shape, *tail)


def run(
    layout: Layout, function: Callable[[Block], Array], *, width: int | None, dtype: Any
) -> Any:
    """Return ``function`` of each block as one array over the sample dims, numpy or dask."""
    inputs = _inputs(layout)
    if layout.is_lazy:
        return _dask_blocks(inputs, function, width=width, dtype=np.dtype(dtype))
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
    rows_each = max(int(np.prod(shape, dtype=np.int64)) // shape[longest], 1)
    thickness = max(BLOCK_ROWS // rows_each, 1)
    whole = [slice(None)] * len(shape)
    return [
        (*whole[:longest], slice(start, start + thickness), *whole[longest + 1 :])
        for start in range(0, shape[longest], thickness)
    ]


def _cut(inputs: _Inputs, where: tuple[slice, ...]) -> list[Array]:
    by_dim = dict(zip(inputs.sample_dims, where, strict=True))
    return [
        array.values[tuple(by_dim.get(dim, slice(None)) for dim in array.dims)]
        for array in inputs.arrays
    ]


def _dask_blocks(
    inputs: _Inputs, function: Callable[[Block], Any], *, width: int | None, dtype: np.dtype[Any]
) -> Any:
    """One fused task a block: feature dims whole, sample dims as chunked by the user."""
    import dask.array as da

    index = {dim: i for i, dim in enumerate(inputs.sample_dims)}
    out_index = tuple(index.values())
    new_axes = {} if width is None else {len(index): width}
    fresh = count(len(index) + 1)  # feature dims of two variables are not one index
    arguments: list[Any] = []
    for array in inputs.arrays:
        whole = {dim: -1 for dim in array.dims if dim not in index}
        data = array.chunk(whole).data if array.chunks is not None else array.data
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
        name=None,
        token="cluster",
    )


def reduce(
    layout: Layout,
    function: Callable[[Block], T],
    merge: Callable[[Sequence[T]], T],
    *,
    extra: Callable[[Layout], Mapping[str, xr.DataArray]] = lambda _: {},
    whole: bool = False,
) -> T:
    """Return ``merge`` of ``function`` over all blocks of all scenes: one pass over the data.

    Parameters
    ----------
    layout
        Of the object.
    function
        What to compute of each block.
    merge
        Joins a few results; chunked data merge in a tree, in the order of the blocks.
    extra
        Gives further arrays over the sample dims of a scene, found in `Block.extra`.
    whole
        Take arrays in memory as one block, where cutting them would only cost a copy.
    """
    inputs = [_inputs(scene, extra(scene)) for scene in layout.scenes]
    of_block: Callable[[Block], T] = function if whole else _ByParts(function, merge)
    if any(scene.is_lazy for scene in layout.scenes):
        with named_failures(layout):
            return _dask_reduce(inputs, of_block, merge)
    slabs = [
        (each, where)
        for scene, each in zip(layout.scenes, inputs, strict=True)
        for where in ([(slice(None),) * len(scene.shape)] if whole else _slabs(scene.shape))
    ]
    return merge(map_threads(lambda slab: slab[0].assembly(of_block)(*_cut(*slab)), slabs))


@dataclass(frozen=True, eq=False)
class _ByParts:
    """A function of a block, of which only a part's rows are in memory at a time."""

    function: Callable[[Block], Any]
    merge: Callable[[Sequence[Any]], Any]

    def __call__(self, block: Block) -> Any:
        parts = [self.function(part) for part in block.parts()]
        return parts[0] if len(parts) == 1 else self.merge(parts)


SPLIT_EVERY = 8


def _dask_reduce(
    inputs: Sequence[_Inputs], function: Callable[[Block], T], merge: Callable[[Sequence[T]], T]
) -> T:
    from dask.base import compute
    from dask.delayed import delayed

    boxed = _Boxed(function)
    blocks = [_dask_blocks(each, boxed, width=None, dtype=np.dtype(object)) for each in inputs]
    parts = [part for each in blocks for part in each.to_delayed().ravel()]
    merge_task = delayed(_MergeBoxed(merge), pure=False)
    while True:
        parts = [merge_task(parts[i : i + SPLIT_EVERY]) for i in range(0, len(parts), SPLIT_EVERY)]
        if len(parts) == 1:
            result: T = _unbox(compute(parts[0])[0])
            return result


@contextmanager
def named_failures(layout: Layout | None) -> Iterator[None]:
    """Say which block cannot be read, where that is why a computation failed."""
    try:
        yield
    except Exception as error:
        # What our own functions raise has been read; a lost worker is no matter of the data.
        ours = OURS in getattr(error, "__notes__", ())
        if layout is None or ours or "distributed" in type(error).__module__:
            raise
        unreadable = next(filter(None, map(_unreadable, _source_blocks(layout))), None)
        if unreadable is None:
            raise
        raise OSError(unreadable) from error


def _source_blocks(layout: Layout) -> Iterator[xr.DataArray]:
    """Yield each block of each chunked array, to be read on its own."""
    for array in (array for scene in layout.scenes for array in _inputs(scene).arrays):
        if (chunks := array.chunks) is None:
            continue
        ends = [np.cumsum([0, *sizes]) for sizes in chunks]
        for place in np.ndindex(*(len(each) - 1 for each in ends)):
            where = [slice(each[i], each[i + 1]) for i, each in zip(place, ends, strict=True)]
            yield array[tuple(where)].assign_attrs(
                block=", ".join(
                    f"{dim} {each.start}:{each.stop}"
                    for dim, each in zip(array.dims, where, strict=True)
                )
            )


def _unreadable(block: xr.DataArray) -> str | None:
    """Return what is wrong with one block, if anything is."""
    try:
        block.data.persist(scheduler="sync")
    except Exception as error:  # whatever a reader says
        return (
            f"the block [{block.attrs['block']}] of {block.name!r} cannot be read "
            f"({type(error).__name__}: {error}). Repair or replace it, or select what is whole."
        )
    return None


@dataclass(frozen=True, eq=False)
class _Boxed:
    """Puts any result into an array of one object, as blocks of an array must be arrays."""

    function: Callable[[Block], Any]

    def __call__(self, block: Block) -> Array:
        return _box(self.function(block), len(block.shape))


@dataclass(frozen=True, eq=False)
class _MergeBoxed:
    merge: Callable[[Sequence[Any]], Any]

    def __call__(self, boxes: Sequence[Array]) -> Array:
        return _box(self.merge([_unbox(box) for box in boxes]), 1)


def _box(result: Any, ndim: int) -> Array:
    box = np.empty((1,) * ndim, object)
    box.flat[0] = result
    return box


def _unbox(box: Array) -> Any:
    return box.flat[0]


# --------------------------------------------------------------------- rows back to the variables


def unpack(features: xr.Dataset, rows: Array, dim: Hashable, values: Array) -> xr.Dataset:
    """Return rows of features as a Dataset over ``dim`` and the feature dims.

    Parameters
    ----------
    features
        One sample without values, as `Layout.features`.
    rows : array of shape (n, n_features)
    dim
        Name of the rows' dim.
    values : array of shape (n,)
        Its coordinate.
    """
    out, start = {}, 0
    for name, template in features.data_vars.items():
        kept = ~np.isnan(flat_features(template, template.dims))
        columns = rows[:, start : start + int(kept.sum())]
        out[name] = _unpack_variable(template, _spread_columns(columns, kept), dim)
        start += columns.shape[1]
    return xr.Dataset(out, {**features.coords, dim: (dim, values)})


def _spread_columns(columns: Array, kept: Array) -> Array:
    """Return columns at their places among all cells, NaN at those that are no features."""
    if kept.all():
        return columns
    whole = np.full((len(columns), len(kept)), np.nan, np.result_type(columns, np.float32))
    whole[:, kept] = columns
    return whole


def _unpack_variable(template: xr.DataArray, columns: Array, dim: Hashable) -> xr.DataArray:
    dims = canonical_dims(template.dims)
    shape = tuple(template.sizes[each] for each in dims)
    array = xr.DataArray(columns.reshape(len(columns), *shape), dims=(dim, *dims))
    fallen = [each for each in dims if is_descending(template, each)]
    array = array.isel({each: slice(None, None, -1) for each in fallen})
    return array.transpose(dim, *template.dims).assign_attrs(template.attrs)
