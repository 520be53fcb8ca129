"""Pieces of a label map: how they join over the seams of blocks, and which get another label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from xcluster.algorithms.kernels.pieces import (
    OUTSIDE,
    follow_neighbours,
    group_pairs,
    join_smallest,
    measure_pieces,
    neighbours_of_small,
    number_pieces,
    pairs_of_groups,
    touching_pieces,
)
from xcluster.base.arrays import Array

NO_DATA = -2
"""The code of cells without data; other codes are labels, with -1 for unclassified cells."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """Cells that touch and have one label, and which pieces touch.

    Parameters
    ----------
    code : int16 array of shape (n,)
        The label of each piece.
    size : int64 array of shape (n,)
        How many cells it has, or how large their area is.
    first : int64 array of shape (n,)
        The least of the positions of its cells.
    far : int64 array of shape (n, n_labels)
        The sum of the distances of its cells to the centre of each label; of no columns if they
        play no part.
    pairs : int32 array of shape (n_pairs, 2)
        The pieces that touch.
    at_edge : bool array of shape (n,)
        Whether a piece touches the edge of the map.
    """

    code: Array
    size: Array
    first: Array
    far: Array
    pairs: Array
    at_edge: Array

    def relabelled(self, code: Array) -> tuple[Pieces, Array]:
        """Return the pieces after they got other labels, and the new number of each.

        Those that touch and agree become one.
        """
        a, b = self.pairs.T
        group = np.empty(len(code), np.int32)
        count = group_pairs(self.pairs[code[a] == code[b]], group)
        new, first = np.empty(count, np.int16), np.empty(count, np.int64)
        measure_pieces(group, self.first, code, new, first)
        size, at_edge = np.zeros(count, np.int64), np.zeros(count, bool)
        far = np.zeros((count, self.far.shape[1]), np.int64)
        np.add.at(size, group, self.size)
        np.add.at(far, group, self.far)
        at_edge[group[self.at_edge]] = True
        pairs = np.empty((0, 2), np.int32)
        pairs = np.empty((pairs_of_groups(self.pairs, group, pairs), 2), np.int32)
        pairs_of_groups(self.pairs, group, pairs)
        return Pieces(new, size, first, far, pairs, at_edge), group

    @property
    def numbers(self) -> tuple[Array, Array, Array, Array]:
        """What decides which neighbour a piece is joined to."""
        return self.code, self.size, self.first, self.far

    def neighbours_of_small(self, least: int) -> tuple[Array, Array]:
        """Return the neighbours of pieces below a size: where those of each start, and all."""
        has_label = self.code != NO_DATA
        small = has_label & (self.size < least)
        start = np.empty(len(self.code) + 1, np.int64)
        beside = np.empty(0, np.int32)
        neighbours_of_small(self.pairs, small, has_label, start, beside)
        beside = np.empty(start[-1], np.int32)
        neighbours_of_small(self.pairs, small, has_label, start, beside)
        return start, beside


# ------------------------------------------------------------------------- pieces of one block


@dataclass(frozen=True, eq=False)
class Around:
    """What counts as a neighbour on a grid.

    Parameters
    ----------
    axes
        The axes along which there are neighbours.
    closed
        Those of them whose ends touch.
    corners
        Whether cells with a common corner touch.
    """

    axes: tuple[int, ...]
    closed: tuple[int, ...]
    corners: bool

    def steps(self, shape: Sequence[int]) -> Array:
        """Return how far back the neighbours before a cell lie in a flattened array."""
        strides = [int(np.prod(shape[axis + 1 :])) for axis in self.axes]
        found = [
            sum(s * stride for s, stride in zip(step, strides, strict=True))
            for step in product((-1, 0, 1), repeat=len(self.axes))
            if step > (0,) * len(self.axes) and (self.corners or np.count_nonzero(step) == 1)
        ]
        return np.array(found, np.int64)


def pieces_of(codes: Array, around: Around) -> Array:
    """Return the number of the piece of each cell of one block, int32 with the shape of codes."""
    padded = _padded(codes, around)
    piece = np.empty(padded.size, np.int32)
    number_pieces(padded.ravel(), around.steps(padded.shape), piece)
    return piece.reshape(padded.shape)[_inner(codes, around)]


def _padded(array: Array, around: Around, fill: Any = OUTSIDE) -> Array:
    width = [(axis in around.axes,) * 2 for axis in range(array.ndim)]
    return np.pad(array, np.array(width, int), constant_values=fill)


def _inner(array: Array, around: Around) -> tuple[slice, ...]:
    return tuple(slice(1, -1) if axis in around.axes else slice(None) for axis in range(array.ndim))


def measured(
    piece: Array,
    codes: Array,
    position: Array,
    around: Around,
    size: Array | None = None,
    far: Array | None = None,
    least: float = np.inf,
) -> Pieces:
    """Return the pieces of one block; arrays have one entry per cell, ``far`` one row.

    Pairs of two pieces that are larger than ``least`` are left out.
    """
    flat = piece.ravel()
    found = _measured(flat, codes.ravel(), position.ravel(), size, far)
    return replace(found, pairs=_touching(piece, around, found.size < least))


def _measured(
    piece: Array, codes: Array, position: Array, size: Array | None, far: Array | None
) -> Pieces:
    """Return pieces without pairs; ``piece``, ``codes`` and ``position`` are flattened."""
    count = int(piece.max(initial=-1)) + 1
    code, first = np.empty(count, np.int16), np.empty(count, np.int64)
    measure_pieces(piece, position, codes, code, first)
    sizes = np.bincount(piece, None if size is None else size.ravel(), count).astype(np.int64)
    columns = np.empty((0, len(piece))) if far is None else far.reshape(len(piece), -1).T
    total = np.array([np.bincount(piece, column, count) for column in columns], np.int64)
    none = np.empty((0, 2), np.int32)
    return Pieces(code, sizes, first, total.reshape(-1, count).T, none, np.zeros(count, bool))


def connected_pieces(
    codes: Array,
    position: Array,
    graph: Any,
    size: Array | None = None,
    far: Array | None = None,
    at_edge: Array | None = None,
) -> tuple[Array, Pieces]:
    """Return the piece of each cell of a graph of neighbours, and the pieces."""
    pairs = np.column_stack(graph.tocoo().coords)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    same = codes[pairs[:, 0]] == codes[pairs[:, 1]]
    piece = np.empty(len(codes), np.int32)
    group_pairs(pairs[same].astype(np.int32), piece)
    found = _measured(piece, codes, position, size, far)
    if at_edge is not None:
        found.at_edge[piece[at_edge]] = True
    return piece, replace(found, pairs=piece[pairs[~same]])


def pieces_on_graph(codes: Array, position: Array, graph: Any) -> tuple[Array, Pieces]:
    """Return the piece of each cell of a block, and the pieces; the last axes are a graph's cells.

    Cells of different entries of the other axes never touch.
    """
    n = graph.shape[0]
    rows = zip(codes.reshape(-1, n), position.reshape(-1, n), strict=True)
    found = [connected_pieces(*row, graph) for row in rows]
    rows_of = [pieces for _, pieces in found]
    start = first_numbers(rows_of)
    piece = [each + np.int32(at) for (each, _), at in zip(found, start[:-1], strict=True)]
    return np.stack(piece).reshape(codes.shape), stacked(rows_of)


def _touching(piece: Array, around: Around, counts: Array) -> Array:
    padded = _padded(piece, around, -1)
    flat, steps = padded.ravel(), around.steps(padded.shape)
    n = touching_pieces(flat, steps, counts, np.empty((0, 2), np.int32))
    pairs = np.empty((n, 2), np.int32)
    touching_pieces(flat, steps, counts, pairs)
    return pairs


# ---------------------------------------------------------------------------- pieces of all blocks


@dataclass(frozen=True, eq=False)
class Part:
    """The pieces of one block, and which of them lie at its sides.

    Parameters
    ----------
    pieces
        Numbered within the block.
    sides
        For each axis of neighbours the pieces of the first and of the last cells.
    """

    pieces: Pieces
    sides: dict[int, tuple[Array, Array]]


def part_of(codes: Array, position: Array, around: Around, **further: Any) -> Part:
    """Return the pieces of one block; see `measured`."""
    piece = pieces_of(codes, around)
    pieces = measured(piece, codes, position, around, **further)
    sides = {axis: (piece.take(0, axis), piece.take(-1, axis)) for axis in around.axes}
    return Part(pieces, sides)


def first_numbers(each: Sequence[Pieces]) -> Array:
    """Return where the pieces of each block begin if all are numbered on, and behind the last."""
    return np.concatenate([[0], np.cumsum([len(pieces.code) for pieces in each])])


def stacked(each: Sequence[Pieces], *further: Array) -> Pieces:
    """Return pieces numbered one after the other; ``further`` are pairs of these numbers."""
    names = ("code", "size", "first", "far", "at_edge")
    found = {name: np.concatenate([getattr(one, name) for one in each]) for name in names}
    pairs = np.concatenate([*(pieces.pairs for pieces in each), *further])
    stop = 0
    for pieces, first in zip(each, first_numbers(each), strict=False):
        pairs[stop : stop + len(pieces.pairs)] += np.int32(first)
        stop += len(pieces.pairs)
    return Pieces(**found, pairs=pairs)


def join_parts(parts: Array, around: Around) -> tuple[Pieces, list[Array]]:
    """Return the pieces of a whole map, and for each block the number of each of its pieces.

    ``parts`` is an array of objects with the shape of the grid of blocks.
    """
    each = [part.pieces for part in parts.flat]
    start = first_numbers(each)
    offset = start[:-1].astype(np.int32).reshape(parts.shape)
    seams = [_seams(parts, offset, axis, around) for axis in around.axes]
    whole = stacked(each, *(pairs for pairs, _ in seams))
    for _, edge in seams:
        whole.at_edge[edge] = True
    joined, group = whole.relabelled(whole.code)
    return joined, np.split(group, start[1:-1])


def _seams(parts: Array, offset: Array, axis: int, around: Around) -> tuple[Array, Array]:
    """Return the pieces that touch over seams along one axis, and those at the edge of the map."""
    lows, highs = (
        [_line(parts, offset, axis, i, end) for i in range(parts.shape[axis])] for end in (0, 1)
    )
    closed = axis in around.closed
    following = [*lows[1:], *lows[:1]] if closed else lows[1:]
    pairs = [
        _over_seam(high, low, axis, around) for high, low in zip(highs, following, strict=False)
    ]
    edge = np.empty(0, np.int64) if closed else np.concatenate([lows[0].ravel(), highs[-1].ravel()])
    return np.concatenate([np.empty((0, 2), np.int32), *pairs]), edge


def _line(parts: Array, offset: Array, axis: int, i: int, end: int) -> Array:
    """Return the pieces along one side of all blocks with the number ``i`` along an axis."""
    if parts.ndim == 1:
        return np.atleast_1d(parts[i].sides[axis][end] + offset[i])
    blocks, first = parts.take(i, axis), offset.take(i, axis)
    numbered = np.empty(blocks.shape, object)
    for place in np.ndindex(blocks.shape):
        numbered[place] = blocks[place].sides[axis][end] + first[place]
    return np.asarray(np.block(numbered.tolist()))


def _over_seam(high: Array, low: Array, axis: int, around: Around) -> Array:
    """Return pairs of pieces on both sides of a seam, at equal places or one step beside them."""
    others = [other - (other > axis) for other in around.axes if other != axis]
    closed = [other - (other > axis) for other in around.closed if other != axis]
    found = []
    for step in product((-1, 0, 1) if around.corners else (0,), repeat=len(others)):
        moved = np.roll(low, [-s for s in step], others) if others else low
        cut = [slice(None)] * low.ndim
        for other, s in zip(others, step, strict=True):
            if s and other not in closed:
                cut[other] = slice(None, -1) if s > 0 else slice(1, None)
        found.append(np.column_stack([high[tuple(cut)].ravel(), moved[tuple(cut)].ravel()]))
    return np.concatenate(found)


# -------------------------------------------------------------------------------- which label each


def filled(pieces: Pieces) -> Array:
    """Return a label for each piece: holes without data inside one label get this label."""
    code = pieces.code.copy()
    both = np.concatenate([pieces.pairs, pieces.pairs[:, ::-1]])
    hole, beside = both[pieces.code[both[:, 0]] == NO_DATA].T
    least, most = np.full(len(code), 32767, np.int16), np.full(len(code), NO_DATA, np.int16)
    np.minimum.at(least, hole, pieces.code[beside])
    np.maximum.at(most, hole, pieces.code[beside])
    inside = (pieces.code == NO_DATA) & ~pieces.at_edge & (least == most) & (most >= 0)
    code[inside] = most[inside]
    return code


def sieved(pieces: Pieces, least: int) -> Array:
    """Return a label for each piece: those smaller than ``least`` take that of a neighbour.

    They want the label whose centre is nearest, if distances are known, then the largest neighbour,
    then the first. At first all pieces are looked at as they are: a small one follows the neighbour
    that it wants, this one follows its own, until one is large enough. What is still small is then
    joined to the neighbour that it wants, the smallest piece first. A piece that touches no other
    keeps its label.
    """
    to = np.empty(len(pieces.code), np.int32)
    follow_neighbours(pieces.numbers, *pieces.neighbours_of_small(least), least, to)
    whole, group = pieces.relabelled(pieces.code[to])
    head = np.empty(len(whole.code), np.int32)
    join_smallest(whole.numbers, *whole.neighbours_of_small(least), least, head)
    while not np.array_equal(head, head[head]):
        head = head[head]
    return np.asarray(whole.code[head[group]])
