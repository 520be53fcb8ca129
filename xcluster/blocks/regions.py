"""Regions of a label map: what the cells of each measure together, from one pass over blocks."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import chain, product
from operator import mul
from typing import Any

import numpy as np
import xarray as xr

from xcluster.algorithms.kernels.pieces import limits_of_pieces
from xcluster.algorithms.parts.group_sums import GroupSums
from xcluster.algorithms.parts.pieces import (
    NO_DATA,
    Around,
    Part,
    Pieces,
    join_parts,
    measured,
    pieces_of,
    pieces_on_graph,
)
from xcluster.base.arrays import Array
from xcluster.base.memory import check_memory
from xcluster.blocks.failures import named_failures
from xcluster.blocks.graphs import Tree
from xcluster.blocks.label_maps import by_windows, codes_of, object_blocks
from xcluster.grid.geography import FULL_CIRCLE
from xcluster.grid.geometry import Sides
from xcluster.grid.layout import Layout
from xcluster.grid.polygons import unit_vectors
from xcluster.grid.sides import ListedSides
from xcluster.grid.surroundings import Surroundings

BLOCK_CELLS = 2**22
"""Cells of a map in memory that are measured at a time."""

QUARTERS = 4
"""Longitudes are also counted from so many places, as a region may lie across the first one."""


@dataclass(frozen=True, eq=False)
class Cells:
    """What is measured of the cells of a map, each over some of its dims.

    Parameters
    ----------
    positions : sequence of DataArray of int
        Their sum is a number for each cell that does not depend on how the data lie.
    places : sequence of DataArray
        Coordinates in space; longitude and latitude if ``on_earth``.
    on_earth
        Whether the places are longitude and latitude.
    areas : sequence of DataArray
        Their product is the area of each cell; none if this is not known.
    weight : DataArray, optional
        Of each cell.
    sides : mapping of dim to two DataArrays, or ListedSides, optional
        How long the sides are that a cell shares with the one before and with the one after it; of
        a graph all sides of all cells.
    features : DataArray over (dims of the map, `COLUMN`), optional
        The values of samples; NaN where a cell is no sample.
    origin : array of shape (n_features,), optional
        Features are measured from it.
    """

    positions: Sequence[xr.DataArray]
    places: Sequence[xr.DataArray]
    on_earth: bool
    areas: Sequence[xr.DataArray] = ()
    weight: xr.DataArray | None = None
    sides: Sides | ListedSides | None = None
    features: xr.DataArray | None = None
    origin: Array | None = None

    @property
    def rows(self) -> Sides:
        """The sides of cells that lie in rows and columns."""
        return {} if self.sides is None or isinstance(self.sides, ListedSides) else self.sides

    @property
    def west(self) -> float:
        """The longitude from which longitudes are counted."""
        return float(self.places[0].min()) if self.on_earth else 0.0

    def arrays(self) -> dict[str, xr.DataArray]:
        """Return all arrays by name."""
        given = {"weight": self.weight, "features": self.features}
        given |= {f"area {number}": each for number, each in enumerate(self.areas)}
        given |= {f"position {number}": each for number, each in enumerate(self.positions)}
        given |= {f"place {number}": each for number, each in enumerate(self.places)}
        for number, both in enumerate(self.rows.values()):
            given |= {f"before {number}": both[0], f"after {number}": both[1]}
        return {name: each for name, each in given.items() if each is not None}


@dataclass(frozen=True, eq=False)
class Finder:
    """Finds the pieces of one block, in which the dims of a graph are the last ones."""

    around: Around
    graph: Any = None

    def __call__(self, codes: Array, position: Array) -> tuple[Array, Pieces]:
        """Return the piece of each cell, and the pieces."""
        if self.graph is not None:
            return pieces_on_graph(codes, position, self.graph)
        piece = pieces_of(codes, self.around)
        return piece, measured(piece, codes, position, self.around)

    def numbered(self, labels: Array, numbers: Array) -> Array:
        """Return one block with the number of the region of each cell."""
        codes = codes_of(labels)
        if self.graph is None:
            return np.asarray(numbers[pieces_of(codes, self.around)])
        return np.asarray(numbers[self(codes, np.zeros(codes.shape, np.int64))[0]])


@dataclass(frozen=True, eq=False)
class Regions:
    """The regions of a map, in the order of the least positions of their cells.

    Parameters
    ----------
    label, first : int arrays of shape (n,)
        Of each region: its label, and the least position of its cells.
    pairs : int array of shape (n_pairs, 2)
        The regions that touch, the smaller number first.
    sums : mapping of str to array of shape (n_columns, n)
        Sums over the cells of each region.
    low, high : arrays of shape (n_limits, n)
        The least and the greatest coordinates of its cells; see `limits_of`.
    numbers : list of int array
        For each block the region of each of its pieces; -1 where there are no data.
    """

    label: Array
    first: Array
    pairs: Array
    sums: Mapping[str, Array]
    low: Array
    high: Array
    numbers: Sequence[Array]


@dataclass(frozen=True, eq=False)
class _Measured:
    """What the pieces of one block measure."""

    part: Part
    sums: Mapping[str, GroupSums]
    low: Array
    high: Array


# ------------------------------------------------------------------------------------ of one block


@dataclass(frozen=True, eq=False)
class _Measure:
    """Measures the pieces of one block, from its labels, which sides are borders, and `Cells`."""

    finder: Finder
    names: Sequence[str]
    missing: Sequence[Sequence[int]]
    on_earth: bool
    west: float
    origin: Array | None
    listed: ListedSides | None

    def __call__(self, labels: Array, *arrays: Array) -> list[_Measured]:
        """Return what the pieces of a block measure, as the only entry of a list."""
        full = [np.expand_dims(*each) for each in zip(arrays, self.missing, strict=True)]
        given = dict(zip(self.names, full, strict=True))
        features = given.pop("features", None)
        position = sum(each for name, each in given.items() if name.startswith("position"))
        given = {name: np.broadcast_to(each, labels.shape) for name, each in given.items()}
        codes = codes_of(labels)
        piece, pieces = self.finder(codes, np.broadcast_to(position, labels.shape))
        sides = {axis: (piece.take(0, axis), piece.take(-1, axis)) for axis in self.axes}
        flat, n = piece.ravel(), len(pieces.code)
        if features is not None:
            remedy = "clean the map first: fit.sieve(10).regions()"
            needed = (
                128.0 * n * features.shape[-1]
            )  # means and squares, twice while they are joined
            check_memory("regions", n, needed, "sums of all variables", remedy)
        columns = self._columns(codes, given, features)
        sums = {name: GroupSums.of(each, flat, n) for name, each in columns}
        places = [each for name, each in given.items() if name.startswith("place")]
        low, high = _limits(flat, n, limits_of(places, self.on_earth, self.west))
        return [_Measured(Part(pieces, sides), sums, low, high)]

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes along which blocks have seams."""
        return self.finder.around.axes

    def _columns(
        self, codes: Array, given: Mapping[str, Array], features: Array | None
    ) -> Iterator[tuple[str, Iterator[Array]]]:
        """Yield names of sums, and the columns that are summed."""
        counted = codes != NO_DATA
        if features is not None:
            counted = counted & np.isfinite(features).all(axis=-1)
        yield "samples", _flat([counted])
        share = counted
        factors = [each for name, each in given.items() if name.startswith("area")]
        if factors:
            share = np.where(counted, np.nan_to_num(reduce(mul, factors)), 0)
            yield "area", _flat([share])
        if self.listed is not None:
            borders = self.listed.borders(codes.reshape(-1, self.finder.graph.shape[0]))
            yield "perimeter", _flat([borders])
        elif "border" in given:
            yield "perimeter", _flat([self._border(given)])
        yield "place", _flat(self._places(given, share))
        weight = counted
        if "weight" in given:
            weight = np.where(counted, given["weight"], 0)
        yield "weight", _flat([weight])
        if features is not None and self.origin is not None:
            yield "features", _flat(_powers(features, self.origin, counted, weight))

    def _border(self, given: Mapping[str, Array]) -> Array:
        """Return how long the sides of each cell are that are borders."""
        border = given["border"]
        total = np.zeros(border.shape)
        for bit, name in enumerate(name for name in given if name.startswith(("before", "after"))):
            total += np.where(border >> bit & 1, given[name], 0)
        return total

    def _places(self, given: Mapping[str, Array], share: Array) -> Iterator[Array]:
        """Yield coordinates times the share of each cell; of longitudes and latitudes in space."""
        places: Sequence[Array] = [given[name] for name in given if name.startswith("place")]
        if self.on_earth:
            places = list(unit_vectors(*places))
        for place in places:
            yield np.where(share > 0, np.nan_to_num(place) * share, 0)


def _flat(columns: Any) -> Iterator[Array]:
    return (np.ravel(each).astype(np.float64) for each in columns)


def _powers(features: Array, origin: Array, counted: Array, weight: Array) -> Iterator[Array]:
    """Yield each feature and its square, times the weight."""
    for number, start in enumerate(origin):
        moved = np.where(counted, features[..., number] - start, 0)
        yield moved * weight
        yield moved * moved * weight


def limits_of(places: Sequence[Array], on_earth: bool, west: float) -> list[Array]:
    """Return coordinates whose limits are wanted: of longitudes as they are counted eastwards.

    These come first, counted from ``west`` and from each quarter turn after it.
    """
    if not on_earth:
        return list(places)
    turns = FULL_CIRCLE / QUARTERS * np.arange(QUARTERS)
    return [*((places[0] - west - turn) % FULL_CIRCLE for turn in turns), places[1]]


def _limits(piece: Array, n: int, values: Sequence[Array]) -> tuple[Array, Array]:
    low, high = np.empty((len(values), n)), np.empty((len(values), n))
    for number, each in enumerate(values):
        limits_of_pieces(piece, np.ravel(each).astype(np.float64), low[number], high[number])
    return low, high


# ----------------------------------------------------------------------------------- of all blocks


def measured_regions(
    labels: xr.DataArray, cells: Cells, around: Surroundings, corners: bool, layout: Layout
) -> tuple[Regions, xr.DataArray]:
    """Return the regions of a map, and the map of their numbers, which is lazy if labels are.

    Parameters
    ----------
    labels
        NaN where there are no data.
    cells
        What is measured.
    around
        Which cells touch.
    corners
        Whether cells of a grid also touch where they share a corner.
    layout
        Where the labels come from, for errors.
    """
    finder, given, ordered = _finder(labels, around, corners), cells.arrays(), labels
    if around.graph is not None:
        ordered = labels.transpose(..., *around.dims)
    elif cells.rows:
        given["border"] = bordering(labels, around, list(cells.rows))
    ordered = _in_blocks(ordered, around)
    dims = ordered.dims
    arrays = [each.transpose(*dims, ..., missing_dims="ignore") for each in given.values()]
    missing = [[i for i, dim in enumerate(dims) if dim not in each.dims] for each in arrays]
    listed = cells.sides if isinstance(cells.sides, ListedSides) else None
    how = cells.on_earth, cells.west, cells.origin, listed
    measure = _Measure(finder, tuple(given), missing, *how)
    parts, shape = _all_measured(ordered, arrays, measure, layout)
    regions = _joined(parts, shape, finder.around)
    numbered = _numbered(ordered, finder, regions.numbers).transpose(*labels.dims)
    if labels.chunks is None:
        return regions, labels.copy(data=numbered.values)
    return regions, labels.copy(data=numbered.data.rechunk(labels.chunks))


def _finder(labels: xr.DataArray, around: Surroundings, corners: bool) -> Finder:
    if around.graph is not None:
        return Finder(Around((), (), False), around.graph)
    axes, closed = (
        tuple(labels.get_axis_num(dim) for dim in dims) for dims in (around.dims, around.closed)
    )
    return Finder(Around(axes, closed, corners))


def _in_blocks(labels: xr.DataArray, around: Surroundings) -> xr.DataArray:
    """Return the map in the blocks that are measured: a graph needs all cells in space at once.

    A large map in memory is cut, as what is measured takes many times its memory.
    """
    if around.graph is not None:
        whole = dict.fromkeys(around.dims, -1)
        return labels if labels.chunks is None else labels.chunk(whole)
    if labels.chunks is None and labels.size > BLOCK_CELLS:
        import dask.array as da

        chunks = da.core.normalize_chunks("auto", labels.shape, BLOCK_CELLS, dtype=np.int8)
        return labels.chunk(dict(zip(labels.dims, chunks, strict=True)))
    return labels


def bordering(labels: xr.DataArray, around: Surroundings, dims: Sequence[Hashable]) -> xr.DataArray:
    """Return which sides of each cell are borders of its piece, as bits, lazily if labels are.

    For each of ``dims`` there is a bit for the side before the cell, and one for that after it.
    """
    axes = [labels.get_axis_num(dim) for dim in dims]
    return by_windows(labels, partial(_bits, axes=axes), 3, around, np.uint8)


def _bits(labels: Array, _: Any, axes: Sequence[int]) -> Array:
    bits = np.zeros(labels.shape, np.uint8)
    for number, (axis, step) in enumerate(product(axes, (1, -1))):
        bits |= (np.roll(labels, step, axis) != labels).astype(np.uint8) << number
    return bits


def _all_measured(
    labels: xr.DataArray, arrays: Sequence[xr.DataArray], measure: _Measure, layout: Layout
) -> tuple[list[_Measured], tuple[int, ...]]:
    """Return what all blocks measure, in one pass, and the shape of the grid of blocks."""
    if labels.chunks is None:
        found = measure(labels.values, *(each.values for each in arrays))
        return found, (1,) * labels.ndim
    from dask.base import compute

    blocks = object_blocks(labels, arrays, measure)
    with named_failures(layout, [blocks]):
        (parts,) = compute(Tree.of([blocks], _listed))
    return parts, blocks.numblocks


def _listed(parts: Sequence[list[_Measured]]) -> list[_Measured]:
    return list(chain.from_iterable(parts))


def _joined(measured: Sequence[_Measured], shape: tuple[int, ...], around: Around) -> Regions:
    """Return the regions of all blocks, joined over their seams."""
    parts = np.empty(len(measured), object)
    parts[:] = [each.part for each in measured]
    pieces, groups = join_parts(parts.reshape(shape), around)
    known = np.flatnonzero(pieces.code != NO_DATA)
    known = known[np.argsort(pieces.first[known])]
    number = np.full(len(pieces.code), -1, np.int32)
    number[known] = np.arange(len(known))
    names = dict.fromkeys(name for each in measured for name in each.sums)
    n, every = len(number), range(len(measured))
    sums = {
        name: GroupSums.joined([measured[i].sums[name] for i in every], groups, n).total()[:, known]
        for name in names
    }
    low, high = np.full((2, len(measured[0].low), n), [[[np.inf]], [[-np.inf]]])
    for each, group in zip(measured, groups, strict=True):
        for row in range(len(low)):
            np.minimum.at(low[row], group, each.low[row])
            np.maximum.at(high[row], group, each.high[row])
    pairs = _distinct(number[pieces.pairs])
    numbers = [number[group] for group in groups]
    limits = low[:, known], high[:, known]
    return Regions(pieces.code[known], pieces.first[known], pairs, sums, *limits, numbers)


def _distinct(pairs: Array) -> Array:
    """Return pairs of regions once, the smaller number first."""
    pairs = np.sort(pairs[(pairs >= 0).all(axis=1)].astype(np.int64), axis=1)
    key = np.sort(pairs[:, 0] << 32 | pairs[:, 1])  # faster than np.unique, which hashes
    key = key[np.diff(key, prepend=-1) > 0]
    return np.column_stack([key >> 32, key & (2**32 - 1)])


def _numbered(labels: xr.DataArray, finder: Finder, numbers: Sequence[Array]) -> xr.DataArray:
    """Return the map of the numbers of regions; of a map in memory there is but one block."""
    if labels.chunks is None:
        return labels.copy(data=finder.numbered(labels.values, numbers[0]))
    import dask.array as da
    from dask.base import tokenize
    from dask.core import flatten
    from dask.highlevelgraph import HighLevelGraph

    name = f"xcluster-regions-{tokenize(labels.data.name, finder.around)}"
    keys = flatten(labels.data.__dask_keys__())
    tasks: dict[Any, Any] = {
        (name, *key[1:]): (finder.numbered, key, of_block)
        for key, of_block in zip(keys, numbers, strict=True)
    }
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=[labels.data])
    meta = np.empty((0,) * labels.ndim, np.int32)
    return labels.copy(data=da.Array(graph, name, labels.data.chunks, dtype=np.int32, meta=meta))
