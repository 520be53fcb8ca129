"""One block of grid points: how the arrays of a layout become rows, and which rows are complete."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.errors import BadValueError
from xcluster.base.parallel import single_threaded_blas
from xcluster.grid.fills import fills_of
from xcluster.grid.layout import Layout, Variable, canonical_dims, upright
from xcluster.grid.levels import Levels, OwnLevels

Array = NDArray[Any]
Axes = tuple[bool, ...]
"""For each sample dim, whether an array has it."""

T = TypeVar("T")
S = TypeVar("S")

OURS = "while working on a block that was read"
"""A note on errors that do not come from reading the data."""

CACHED_ROWS = 16_384
"""Number of rows that are made at a time, so that they stay in the cache of the processor."""

ROUNDING = 1e-9
"""How much lower, relatively, a share may seem than it is."""

PART_BYTES = 32 * 2**20
"""Size of the rows of a block that are made at a time: windows overlap and need much memory."""


@dataclass(frozen=True, eq=False)
class Block:
    """The rows of some grid points, complete or not.

    Parameters
    ----------
    pieces
        One array per variable, of shape (sample axes..., feature axes...). Its sample axes
        broadcast to ``shape``. Often it is a view that shows the same values many times.
    dtype
        Dtype of the rows.
    inside : array of shape (n_points,)
        Where the mask (if there is one) is True and the weight is not zero.
    weight : array of shape (n_points,), optional
        Weights of the points.
    keys
        One array per sample dim. Their sum, over ``shape``, is different for each point.
    extra
        Further arrays that broadcast to ``shape``. The package chooses their names, not the user.
    shape
        Shape of the grid points.
    runs
        For each piece the ranges of its features that are columns one after another; empty if
        all pieces have the order of the columns.
    filled
        For each piece where it holds a number that the attributes of the variable call missing;
        empty if no attribute does so.
    coverage
        The least share of its features that a sample has; None if it must have all.
    """

    pieces: tuple[Array, ...]
    dtype: np.dtype[Any]
    inside: Array
    weight: Array | None
    keys: tuple[Array, ...]
    extra: Mapping[str, Array]
    shape: tuple[int, ...]
    runs: tuple[tuple[slice, ...], ...] = ()
    filled: tuple[Array, ...] = ()
    coverage: float | None = None

    @cached_property
    def complete(self) -> Array:
        """Which points are samples: those inside whose features are all finite numbers.

        If samples may have gaps, enough of their features are there, and none is infinite.
        """
        if self.coverage is not None:
            return self._covered(self.coverage)
        complete = self.inside.reshape(self.shape)
        for piece in self.pieces:
            if piece.dtype.kind == "f":
                # Variable by variable, where the values of one variable lie side by side.
                complete = complete & np.isfinite(piece).all(axis=self._feature_axes(piece))
        return complete.ravel()

    def _covered(self, coverage: float) -> Array:
        """Return which points inside have at least this share of their features."""
        known = self.inside.reshape(self.shape)
        for piece in self.pieces:
            infinite = np.isinf(piece)
            if infinite.any():
                known = known & ~infinite.any(axis=self._feature_axes(piece))
        share = self.share()
        return known.ravel() & (share > 0) & (share >= coverage * (1 - ROUNDING))

    def share(self) -> Array:
        """Return which share of its features each point has; each variable counts the same."""
        lacking = np.zeros(self.shape, np.uint32)  # as long as whole features are counted
        for piece in self.pieces:
            found, axes = np.isnan(piece), self._feature_axes(piece)
            lacking = lacking + (found.mean(axis=axes) if axes else found)
        return np.asarray(1 - lacking / len(self.pieces)).ravel()

    def _feature_axes(self, piece: Array) -> tuple[int, ...]:
        return tuple(range(len(self.shape), piece.ndim))

    @property
    def sizes(self) -> Array:
        """The number of features of each variable."""
        tails = (piece.shape[len(self.shape) :] for piece in self.pieces)
        return np.array([math.prod(tail) for tail in tails], np.int64)

    def lacking(self, chosen: Array) -> Array:
        """Return how many features each chosen point lacks, shape (n_chosen, n_variables)."""
        counts = []
        for piece in self.pieces:
            found = np.isnan(piece).sum(axis=self._feature_axes(piece))
            counts.append(np.broadcast_to(found, self.shape).ravel()[chosen])
        return np.stack(counts, axis=1)

    @property
    def key(self) -> Array:
        """The sum of the keys of each point, shape (n_points,)."""
        return np.broadcast_to(sum(self.keys), self.shape).ravel()

    @property
    def n_filled(self) -> Array:
        """Per piece, at how many points inside it holds a number that is called missing."""
        inside = self.inside.reshape(self.shape)
        counts = [int(np.count_nonzero(inside & each)) for each in self.filled]
        return np.array(counts or [0] * len(self.pieces), np.int64)

    def further(self, name: str) -> Array | None:
        """Return a further array at each point, shape (n_points,); None if it was not given."""
        found = self.extra.get(name)
        return None if found is None else np.broadcast_to(found, self.shape).ravel()

    def rows(self, chosen: Array) -> Array:
        """Return the rows where ``chosen`` is True, or the rows at the positions ``chosen``.

        Only these rows are made.
        """
        everything = chosen.dtype == bool and bool(chosen.all())
        positions = None if everything else _positions(chosen)
        columns = [self._flat(piece, positions) for piece in self.pieces]
        if self.runs:
            pairs = zip(columns, self.runs, strict=True)
            columns = [each[:, run] for each, runs in pairs for run in runs]
        if len(columns) == 1 and self._is_ours(columns[0]):
            return columns[0]
        X = np.empty((len(columns[0]), sum(each.shape[1] for each in columns)), self.dtype)
        for start in range(0, len(X), CACHED_ROWS):
            tile = slice(start, start + CACHED_ROWS)
            np.concatenate([each[tile] for each in columns], axis=1, out=X[tile])
        return X

    def _flat(self, piece: Array, positions: Array | None) -> Array:
        """Return a variable as (n_points, columns), or its columns at some points."""
        tail = piece.shape[len(self.shape) :]
        n_columns = math.prod(tail)
        whole = np.broadcast_to(piece, (*self.shape, *tail))
        if positions is None:
            return whole.reshape(-1, n_columns)
        if whole.flags.c_contiguous:  # indexing one axis is faster than indexing several
            return np.take(whole.reshape(-1, n_columns), positions, axis=0)
        return whole[np.unravel_index(positions, self.shape)].reshape(-1, n_columns)

    def _is_ours(self, column: Array) -> bool:
        """Whether rows of one variable are a copy already, so that the user's array is safe."""
        return column.dtype == self.dtype and not np.may_share_memory(column, self.pieces[0])

    def parts(self) -> list[Block]:
        """Cut the block into blocks whose rows take at most `PART_BYTES`."""
        n_columns = sum(math.prod(each.shape[len(self.shape) :]) for each in self.pieces)
        n_points = math.prod(self.shape)
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
        """Return the part of the block in a range along one axis, as views."""

        def of(array: Array) -> Array:
            along = (slice(None),) * axis
            return array[(*along, where)] if array.shape[axis] == self.shape[axis] else array

        weight = None if self.weight is None else of(self.weight.reshape(self.shape)).ravel()
        inside = of(self.inside.reshape(self.shape))
        extra = {name: of(array) if array.ndim else array for name, array in self.extra.items()}
        keys, pieces = tuple(map(of, self.keys)), tuple(map(of, self.pieces))
        of_points = (inside.ravel(), weight, keys, extra, inside.shape)
        filled = tuple(map(of, self.filled))
        return Block(pieces, self.dtype, *of_points, self.runs, filled, self.coverage)


def _positions(chosen: Array) -> Array:
    return np.flatnonzero(chosen) if chosen.dtype == bool else chosen


@dataclass(frozen=True, eq=False)
class _Part:
    """How the columns of one variable are made; it pickles to a few bytes."""

    axes: tuple[Axes, ...]
    levels: Levels | OwnLevels | None
    kept: Array | None
    runs: tuple[slice, ...]
    fills: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Beside(Generic[T]):
    """One value for each array that comes with the features, by the purpose of the array.

    Purposes are fields, not names in a dictionary: names of the user cannot collide with them.

    Parameters
    ----------
    mask, weight
        Which points count, and how much.
    keys
        One per sample dim.
    extra
        Further arrays, by names that the package chooses.
    """

    mask: T | None = None
    weight: T | None = None
    keys: tuple[T, ...] = ()
    extra: Mapping[str, T] = field(default_factory=dict)

    def values(self) -> list[T]:
        """Return the values in a fixed order."""
        single = [each for each in (self.mask, self.weight) if each is not None]
        return [*single, *self.keys, *self.extra.values()]

    def like(self, values: Iterable[S]) -> Beside[S]:
        """Return other values for the same purposes; they come in the order of `values`."""
        following = iter(values)
        return Beside(
            None if self.mask is None else next(following),
            None if self.weight is None else next(following),
            tuple(next(following) for _ in self.keys),
            {name: next(following) for name in self.extra},
        )


@dataclass(frozen=True, eq=False)
class Assembly:
    """Makes a `Block` of the arrays of one block, and calls a function with it."""

    parts: tuple[_Part, ...]
    beside: Beside[Axes]
    dtype: np.dtype[Any]
    coverage: float | None
    function: Callable[[Block], Any]

    def __call__(self, *arrays: Array) -> Any:
        """Return the result of the function for the block that these arrays make."""
        try:
            with single_threaded_blas():
                return self.function(self.block(*arrays))
        except Exception as error:
            error.add_note(OURS)
            raise

    def block(self, *nested: Any) -> Block:
        """Return the block that these arrays make."""
        arrays = map(_unnested, nested)
        given = [list(islice(arrays, len(part.axes))) for part in self.parts]
        pieces = list(map(_columns, given, self.parts))
        filled = tuple(map(_filled, given, self.parts))
        spread = list(map(_spread, arrays, self.beside.values()))
        n_axes = len(self.parts[0].axes[0])
        shape = np.broadcast_shapes(
            *(piece.shape[:n_axes] for piece in pieces), *(array.shape for array in spread)
        )
        runs = tuple(part.runs for part in self.parts)
        block = _as_block(tuple(pieces), self.dtype, self.beside.like(spread), shape, runs)
        filled = filled if any(part.fills for part in self.parts) else ()
        return _weighted(replace(block, filled=filled, coverage=self.coverage))


def _unnested(array: Any) -> Array:
    """Return the one chunk inside nested lists: dask adds one list per feature dim."""
    while isinstance(array, list):
        (array,) = array
    return np.asarray(array)


def _as_block(
    pieces: tuple[Array, ...],
    dtype: np.dtype[Any],
    beside: Beside[Array],
    shape: tuple[int, ...],
    runs: tuple[tuple[slice, ...], ...],
) -> Block:
    mask, weight = (
        None if each is None else np.broadcast_to(each, shape).ravel()
        for each in (beside.mask, beside.weight)
    )
    inside = np.ones(math.prod(shape), bool) if mask is None else mask
    if weight is not None:
        weight = weight.astype(np.float64)
    return Block(pieces, dtype, inside, weight, beside.keys, beside.extra, shape, runs)


def _weighted(block: Block) -> Block:
    """Return the block without points of weight 0; refuse samples whose weight is none.

    Where data are missing, as those of a model over land, areas often are so too: such points are
    incomplete whatever their weight.
    """
    weight = block.weight
    if weight is None:
        return block
    unsound = block.inside & ~((weight >= 0) & np.isfinite(weight))
    if unsound.any():
        wrong = weight[replace(block, inside=unsound).complete]
        if len(wrong):
            raise BadValueError("weights", float(wrong[0]), WEIGHT_RULE, WEIGHT_REMEDY)
    return replace(block, inside=block.inside & (weight != 0))


WEIGHT_RULE = "must be finite numbers of at least 0 for each sample inside the mask"
WEIGHT_REMEDY = "fill the gaps (weights.fillna(0)) or leave those samples out with .where()"


def _spread(array: Array, axes: Axes) -> Array:
    """Insert the sample axes that an array lacks."""
    lacking = tuple(i for i, present in enumerate(axes) if not present)
    return np.expand_dims(array, lacking)


def _columns(arrays: Sequence[Array], part: _Part) -> Array:
    """Return one variable as (sample axes..., feature axes...), with all sample axes."""
    if isinstance(part.levels, OwnLevels):
        values, own = map(_spread, arrays, part.axes)
        return _resampled(values, own, part.levels)
    (array,), (axes,) = arrays, part.axes
    n_axes = sum(axes)
    if part.levels is not None:
        array = array if array.dtype.kind == "f" else array.astype(np.float64)
        rows = part.levels(array.reshape(-1, array.shape[-1]))
        array = rows.reshape(*array.shape[:-1], rows.shape[-1])
    if part.kept is not None:
        width = math.prod(array.shape[n_axes:])
        array = array.reshape(*array.shape[:n_axes], width)[..., part.kept]
    return _spread(array, axes)


def _resampled(values: Array, own: Array, levels: OwnLevels) -> Array:
    """Return columns (axes..., n_source) at common levels; the axes of both arrays broadcast."""
    values, own = np.broadcast_arrays(values, own)
    rows = levels(*(each.reshape(-1, each.shape[-1]) for each in (values, own)))
    return rows.reshape(*values.shape[:-1], rows.shape[-1])


def on_levels(variable: Variable) -> xr.DataArray:
    """Return a variable as figures draw it: on common levels if columns have their own; lazy."""
    levels = variable.levels
    if not isinstance(levels, OwnLevels):
        return variable.array
    (along,), template = variable.feature_dims, variable.template
    found: xr.DataArray = xr.apply_ufunc(
        _resampled,
        *variable.arrays,
        kwargs={"levels": levels},
        input_core_dims=[[levels.dim]] * 2,
        output_core_dims=[[along]],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {along: template.sizes[along]}, "allow_rechunk": True},
        output_dtypes=[variable.array.dtype],
        keep_attrs="override",
    )
    return found.assign_coords(template.coords)


def _filled(arrays: Sequence[Array], part: _Part) -> Array:
    """Return where a variable holds a number that its attributes call missing."""
    values, axes = arrays[0], part.axes[0]  # behind the values come the levels of each column
    if not part.fills:
        return np.zeros((1,) * len(axes), bool)
    found = np.isin(values, part.fills).any(axis=tuple(range(sum(axes), values.ndim)))
    return _spread(np.asarray(found), axes)


@dataclass(frozen=True, eq=False)
class Inputs:
    """The arrays of a layout in the order that an `Assembly` takes them."""

    arrays: tuple[xr.DataArray, ...]
    sample_dims: tuple[Hashable, ...]
    parts: tuple[_Part, ...]
    beside: Beside[Axes]
    dtype: np.dtype[Any]
    coverage: float | None

    def assembly(self, function: Callable[[Block], Any]) -> Assembly:
        """Return the `Assembly` that calls ``function`` with a block of these arrays."""
        return Assembly(self.parts, self.beside, self.dtype, self.coverage, function)


def inputs_of(
    layout: Layout,
    extra: Mapping[str, xr.DataArray] | None = None,
    keys: tuple[xr.DataArray, ...] = (),
) -> Inputs:
    """Return the arrays of a layout: dims in a fixed order, feature coordinates rising."""
    dims = layout.sample_dims
    arrays, parts = [], []
    for variable in layout.variables.values():
        found = [_in_order(each, dims, feature_dims) for each, feature_dims in _read(variable)]
        arrays += found
        present = tuple(_present(array, dims) for array in found)
        fills = tuple(value for _, value in fills_of(variable.array))
        parts.append(_Part(present, variable.levels, variable.kept, variable.runs, fills))
    beside = Beside(layout.mask, layout.weight, keys, extra or {})
    arrays += [_in_order(array, dims) for array in beside.values()]
    axes = beside.like(_present(array, dims) for array in beside.values())
    return Inputs(tuple(arrays), dims, tuple(parts), axes, layout.dtype, layout.coverage)


def _read(variable: Variable) -> list[tuple[xr.DataArray, tuple[Hashable, ...]]]:
    """Return the arrays of a variable, each with its feature dims, whose coordinates rise."""
    if isinstance(variable.levels, OwnLevels):  # each column is sorted by itself
        return [(array, (variable.levels.dim,)) for array in variable.arrays]
    dims = canonical_dims(variable.feature_dims)
    return [(upright(variable.array, dims), dims)]


def _present(array: xr.DataArray, dims: tuple[Hashable, ...]) -> Axes:
    return tuple(dim in array.dims for dim in dims)


def _in_order(
    array: xr.DataArray, dims: tuple[Hashable, ...], feature_dims: tuple[Hashable, ...] = ()
) -> xr.DataArray:
    return array.transpose(*(dim for dim in dims if dim in array.dims), *feature_dims)
