"""How samples and features lie in the user's arrays: names, sizes and coordinates.

Values are never read here. The one thing that depends on them, which cells of a field have data,
is passed in as `Cells`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.grid.levels import Levels, OwnLevels
from xcluster.grid.links import links_of, states_crs, unlinked, with_axes
from xcluster.grid.remedies import Gaps, of_variables

Kept = NDArray[np.bool_]
Places = NDArray[np.intp]

LABEL = "label"
"""Name of the dim of labels in results."""


class OwnDim(StrEnum):
    """Temporary names of dims: text, as xarray needs it, but equal to no name of a user."""

    COLUMN = "column"

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    __hash__ = object.__hash__


COLUMN = OwnDim.COLUMN
"""Temporary name of the dim of columns, before it becomes the dim of labels or components."""

COORDINATE_TOLERANCE = 1e-6
"""How far feature coordinates of other data may differ from the fitted ones."""


@dataclass(frozen=True, eq=False)
class Variable:
    """One variable and the features that it gives.

    Parameters
    ----------
    array
        Its values, over some of the sample dims and all of ``feature_dims``.
    feature_dims
        Its feature dims in the user's order; empty if the variable is a single feature.
    levels
        How samples are filled and resampled along the only feature dim, if they are.
    axis
        The levels of each column, where columns have levels of their own. The values then lie over
        the dim ``levels.dim`` instead of the feature dim.
    cells
        Which cells of the field are features, if this may not be all (land in a field of the
        sea).
    order
        For each column its cell, among flattened cells (and behind them those that are no
        features). By default columns are in the order of the cells.
    """

    array: xr.DataArray
    feature_dims: tuple[Hashable, ...] = ()
    levels: Levels | OwnLevels | None = None
    axis: xr.DataArray | None = None
    cells: Cells | None = None
    order: Places | None = None

    @cached_property
    def template(self) -> xr.DataArray:
        """One sample without values: the feature dims with their coordinates and attributes.

        Instead of values it holds the column of each feature, counted from the first one of the
        variable, and NaN at cells of the field that are not features.
        """
        array = self.array
        if isinstance(self.levels, Levels):
            array = _at_levels(array, self.feature_dims[0], self.levels)
        elif self.levels is not None and self.axis is not None:
            array = _at_own_levels(array, self.axis, self.levels.target)
        coords = {
            name: coord
            for name, coord in array.coords.items()
            if set(coord.dims) <= set(self.feature_dims)
            and (coord.dims or (self.is_field and states_crs(coord)))
        }
        shape = tuple(array.sizes[dim] for dim in self.feature_dims)
        empty = np.broadcast_to(np.float32(0), shape)
        links = links_of([array], coords) if self.is_field else {}
        coords = with_axes(coords) if links else coords
        variables = {name: coord.variable for name, coord in coords.items()}
        attrs = {**unlinked(array.attrs), **links}
        template = xr.DataArray(empty, variables, self.feature_dims, attrs=attrs)
        column = np.full(self.extent, np.nan)
        column[self._cell_of_column] = np.arange(self.size)
        return template.copy(data=unflat_features(column, template))

    @property
    def arrays(self) -> tuple[xr.DataArray, ...]:
        """What is read for the features: the values, and behind them the levels of each column."""
        return (self.array,) if self.axis is None else (self.array, self.axis)

    def with_arrays(self, change: Callable[[xr.DataArray], xr.DataArray]) -> Self:
        """Return the variable with each of its arrays changed."""
        axis = None if self.axis is None else change(self.axis)
        return replace(self, array=change(self.array), axis=axis)

    @property
    def is_field(self) -> bool:
        """Whether one sample is a field, so that features lie on the grid and samples do not."""
        return self.cells is not None

    @property
    def _cell_of_column(self) -> Places:
        order = np.arange(self.extent) if self.order is None else self.order
        return order if self.kept is None else order[self.kept[order]]

    @property
    def runs(self) -> tuple[slice, ...]:
        """The columns, as ranges of the features in the order of their cells."""
        if self.order is None:
            return (slice(None),)
        cells = self._cell_of_column
        place = cells if self.kept is None else (np.cumsum(self.kept) - 1)[cells]
        edges = [0, *(np.flatnonzero(np.diff(place) != 1) + 1), len(place)]
        return tuple(
            slice(int(place[start]), int(place[start]) + end - start)
            for start, end in pairwise(edges)
        )

    @property
    def kept(self) -> Kept | None:
        """Which cells are features, flattened; None if all are."""
        return None if self.cells is None else self.cells.kept

    @property
    def extent(self) -> int:
        """Number of features, including cells that never have data; the shape alone tells it."""
        if self.levels is not None:
            return len(self.levels.target)
        return int(np.prod([self.array.sizes[dim] for dim in self.feature_dims], dtype=np.int64))

    @property
    def size(self) -> int:
        """Number of features."""
        return self.extent if self.kept is None else int(self.kept.sum())


@dataclass(frozen=True, eq=False)
class Cells:
    """Which cells of a field are features. Data may have to be read to know this.

    Parameters
    ----------
    find
        A function that is called when the cells are first needed. It returns an array of bool,
        flattened, or None if all cells are features. Without a function all cells
        are features.
    """

    find: Callable[[], Kept | None] | None = None

    @cached_property
    def kept(self) -> Kept | None:
        """Which cells are features, flattened; None if all are."""
        return None if self.find is None else self.find()


def flat_cells(found: xr.DataArray, dims: tuple[Hashable, ...]) -> Kept | None:
    """Return which cells are features, flattened; None if all cells or no cells are."""
    kept = flat_features(found, dims)
    return kept if kept.any() and not kept.all() else None


def _at_levels(array: xr.DataArray, dim: Hashable, levels: Levels) -> xr.DataArray:
    """Return an array without values at the target levels, in the direction of ``array``."""
    if np.array_equal(levels.source, levels.target):
        return array
    target = levels.target[::-1] if is_descending(array, dim) else levels.target
    attrs = array.coords[dim].attrs if dim in array.coords else {}
    stand_in = np.broadcast_to(np.float32("nan"), (len(target),))
    return xr.DataArray(stand_in, {dim: (dim, target, attrs)}, (dim,), attrs=array.attrs)


def _at_own_levels(array: xr.DataArray, axis: xr.DataArray, target: Places) -> xr.DataArray:
    """Return an array without values at the target levels, over a dim with the name of the axis."""
    stand_in = np.broadcast_to(np.float32("nan"), (len(target),))
    coords = {axis.name: (axis.name, target, axis.attrs)}
    return xr.DataArray(stand_in, coords, (axis.name,), attrs=array.attrs)


@dataclass(frozen=True, eq=False)
class Layout:
    """Samples and features of one object.

    Parameters
    ----------
    variables
        The variables by name, in the order of their columns.
    shown
        The names of the variables in the user's order.
    sample_dims
        The dims of the labels, in the user's order.
    sizes
        Number of grid points along each sample dim.
    coords
        The coordinates that labels keep.
    left_out
        For each variable that is not used the reason.
    mask, weight
        Over some of the sample dims: which samples count, and how much.
    scene
        Name of the scene, if several are fitted together.
    notes
        Sentences about the samples for the report.
    remedy
        What the sampler says to do if no sample is complete.
    data
        The object that the samples were taken from, which may describe their cells.
    coverage
        The least share of its features that a sample has, if samples may have gaps.
    """

    variables: Mapping[Hashable, Variable]
    shown: tuple[Hashable, ...]
    sample_dims: tuple[Hashable, ...]
    sizes: Mapping[Hashable, int]
    coords: Mapping[Hashable, xr.DataArray]
    left_out: Mapping[Hashable, str] = field(default_factory=dict)
    mask: xr.DataArray | None = None
    weight: xr.DataArray | None = None
    scene: str = ""
    notes: tuple[str, ...] = ()
    remedy: Callable[[Gaps], str] = of_variables
    data: xr.Dataset | None = None
    coverage: float | None = None

    def with_each(self, change: Callable[[Hashable, Variable], Variable]) -> Self:
        """Return the layout with each variable changed, from its name and what it was."""
        return replace(self, variables={n: change(n, each) for n, each in self.variables.items()})

    @property
    def scenes(self) -> tuple[Layout, ...]:
        """The layouts that are fitted together, one per scene."""
        return (self,)

    @property
    def n_pooled(self) -> int:
        """Number of grid points in all scenes."""
        return sum(scene.n_points for scene in self.scenes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the labels."""
        return tuple(self.sizes[dim] for dim in self.sample_dims)

    @property
    def n_points(self) -> int:
        """Number of grid points, with data or without."""
        return int(np.prod(self.shape, dtype=np.int64))

    @cached_property
    def features(self) -> xr.Dataset:
        """One sample with the column of each feature instead of values, in the user's order.

        Features of other data are compared with it.
        """
        sizes = [variable.size for variable in self.variables.values()]
        first = dict(zip(self.variables, np.cumsum([0, *sizes]).tolist(), strict=False))
        templates = {}
        for name in self.shown:
            template = self.variables[name].template
            templates[name] = template.copy(data=template.values + first[name])
        return xr.Dataset(templates)

    @cached_property
    def n_features(self) -> int:
        """Number of columns of the rows."""
        return sum(variable.size for variable in self.variables.values())

    @cached_property
    def dtype(self) -> np.dtype[np.floating]:
        """Single precision if it can hold every variable exactly, otherwise double precision."""
        dtypes = [variable.array.dtype for variable in self.variables.values()]
        small = all(np.can_cast(dtype, np.float32) for dtype in dtypes)
        return np.dtype(np.float32 if small else np.float64)

    @cached_property
    def links(self) -> dict[str, str]:
        """The attribute by which results on the grid of the samples name their grid mapping."""
        variables = self.variables.values()
        if any(each.is_field for each in variables):
            return {}
        return links_of((each.array for each in variables), self.coords)

    @property
    def column_groups(self) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        """The number of the variable of each column."""
        sizes = [variable.size for variable in self.variables.values()]
        return np.repeat(np.arange(len(sizes)), sizes)

    @property
    def chunks(self) -> dict[Hashable, tuple[int, ...]]:
        """Chunk sizes along the sample dims, if the arrays are chunked."""
        return {
            dim: sizes
            for variable in self.variables.values()
            for array in variable.arrays
            for dim, sizes in array.chunksizes.items()
            if dim in self.sizes
        }

    @property
    def is_lazy(self) -> bool:
        """Whether any of the arrays is a dask array."""
        arrays = [array for variable in self.variables.values() for array in variable.arrays]
        return any(
            array.chunks is not None
            for array in [*arrays, self.mask, self.weight]
            if array is not None
        )


@dataclass(frozen=True, eq=False)
class Scenes(Layout):
    """Several scenes that are fitted together. The fields of `Layout` are those of the first.

    A pass over the data goes through all scenes. Results on a grid are computed for one scene.

    Parameters
    ----------
    layouts
        The layouts of all scenes, the first one included.
    """

    layouts: tuple[Layout, ...] = ()

    @classmethod
    def of(cls, layouts: Sequence[Layout]) -> Scenes:
        """Return these layouts (at least one) as one layout."""
        shared = {each.name: getattr(layouts[0], each.name) for each in fields(Layout)}
        return cls(**shared, layouts=tuple(layouts))

    @property
    def scenes(self) -> tuple[Layout, ...]:
        """The layouts that are fitted together, one per scene."""
        return self.layouts


def is_descending(array: xr.DataArray | xr.Dataset, dim: Hashable) -> bool:
    """Whether the index of ``dim`` falls; in rows features always have rising order."""
    index = array.indexes.get(dim)
    return index is not None and len(index) > 1 and bool(index.is_monotonic_decreasing)


def canonical_dims(dims: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    """Return ``dims`` sorted by name, the order in which feature dims are flattened."""
    return tuple(sorted(dims, key=str))


def upright(array: xr.DataArray, dims: tuple[Hashable, ...]) -> xr.DataArray:
    """Return ``array`` with the indexes of ``dims`` rising."""
    return array.isel({dim: slice(None, None, -1) for dim in dims if is_descending(array, dim)})


def flat_features(array: xr.DataArray, dims: tuple[Hashable, ...]) -> NDArray[Any]:
    """Return an array over feature dims in the order of cells, shape (n_cells,)."""
    return shown_features(upright(array, dims))


def shown_features(array: xr.DataArray) -> NDArray[Any]:
    """Return an array over feature dims in the order in which users see features, flattened."""
    return np.asarray(array.transpose(*canonical_dims(array.dims)).values).ravel()


def unflat_features(cells: NDArray[Any], like: xr.DataArray) -> NDArray[Any]:
    """Return values in the order of cells as an array over the dims of one sample."""
    dims = canonical_dims(like.dims)
    array = xr.DataArray(cells.reshape([like.sizes[dim] for dim in dims]), dims=dims)
    fallen = {dim: slice(None, None, -1) for dim in dims if is_descending(like, dim)}
    return np.asarray(array.isel(fallen).transpose(*like.dims).values)


def shown_columns(features: xr.Dataset) -> Places:
    """Return the column of each feature, in the order in which users see features.

    ``features`` is one sample, such as `Layout.features`.
    """
    return _known([shown_features(each) for each in features.data_vars.values()])


def cell_columns(features: xr.Dataset) -> Places:
    """Return the column of each feature, in the order of variables and their cells."""
    return _known([flat_features(each, each.dims) for each in features.data_vars.values()])


def _known(columns: Sequence[NDArray[np.float64]]) -> Places:
    found = np.concatenate(columns)
    return np.asarray(found[~np.isnan(found)], np.intp)
