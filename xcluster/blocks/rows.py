"""The rows that are fitted: all complete ones or a sample, and counts of all others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.ordering import value_order
from xcluster.algorithms.parts.row_moments import Gathered
from xcluster.base.errors import BadValueError, TooFewError
from xcluster.blocks import matrix
from xcluster.blocks.block import Block
from xcluster.blocks.gaps import finite_only, nothing_complete
from xcluster.blocks.sizes import warn_of_tiny_blocks
from xcluster.blocks.tally import Tally
from xcluster.grid.hashing import canonical_positions, coordinate_keys, mix
from xcluster.grid.layout import Layout

Array = NDArray[Any]

Gather = Callable[[Block], Gathered]
"""What is summed of all complete rows of a block while some of them are drawn."""

LARGEST_VALUE = 1e150

SPARE = 8
"""Points that are looked at for each row of a sample: enough if one point in 8 is complete."""

WIDE = 256
SPARE_WIDE = 2
"""The same for rows of more than `WIDE` features, such as windows, which need much memory."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Complete rows with their weights.

    Parameters
    ----------
    X : array of shape (n, n_features)
        The rows.
    weight : array of shape (n,), optional
        Their weights.
    key : array of shape (n,), unsigned integers
        The canonical position of each row (32 bits); of sampled rows its hash (64 bits).
    tally
        Counts of all grid points.
    gathered : Gathered, optional
        Sums of all complete rows, if these are some of them.
    """

    X: Array
    weight: Array | None
    key: Array
    tally: Tally
    gathered: Gathered | None = None

    def take(self, order: Array) -> Rows:
        """Return the rows at the positions ``order``, with the same tally."""
        weight = None if self.weight is None else self.weight[order]
        return replace(self, X=np.take(self.X, order, axis=0), weight=weight, key=self.key[order])

    def exact_order(self) -> Array:
        """Return the order of the rows by value, then weight, then key."""
        weight = [] if self.weight is None else [self.weight]
        return value_order([*self.X.T, *weight, self.key])


def gather(layout: Layout) -> Rows:
    """Return all complete rows, in the order of the user's array or of its chunks."""
    warn_of_tiny_blocks(layout)
    read = partial(_read, n=None, limit=None, starts=_starts(layout))
    rows = matrix.reduce(
        layout,
        read,
        partial(_merge, n=None),
        keys=canonical_positions,
        whole=True,
        called="all-rows",
    )
    # 32 bits are enough for any number of rows that fits into memory.
    return checked(replace(rows, key=rows.key.astype(np.uint32)), layout)


def sample(layout: Layout, n: int, gather: Gather | None = None) -> Rows:
    """Return the ``n`` complete rows with the smallest keys, which are hashes of coordinates.

    The same pass can ``gather`` sums of all complete rows.

    A block only makes and sends rows whose keys are among the smallest `SPARE` times ``n`` of all
    points (`SPARE_WIDE` times for long rows). One pass is enough, unless most points are
    incomplete; then a further pass reads more rows.
    """
    warn_of_tiny_blocks(layout)
    spare = SPARE if layout.n_features <= WIDE else SPARE_WIDE
    share, gathered = spare * n / max(layout.n_pooled, 1), None
    while True:
        read = partial(_read, n=n, limit=_limit(share), starts=_starts(layout), gather=gather)
        rows = matrix.reduce(
            layout, read, partial(_merge, n=n), keys=coordinate_keys, called="sample"
        )
        complete = rows.tally.complete
        gathered, gather = gathered or rows.gathered, None  # the first pass has read all rows
        if share >= 1 or len(rows.key) >= min(n, complete):
            return checked(replace(rows, gathered=gathered), layout)
        share = spare * max(share, n / complete)


def _limit(share: float) -> np.uint64:
    """Return the limit below which this share of all keys lies."""
    return np.uint64(min(int(share * 2.0**64), 2**64 - 1))


def distinct(layout: Layout) -> Rows:
    """Return each different row once, weighted by how often it occurs.

    For clusterers that take weights this is the same as all rows. It is meant for data with few
    different rows, as they all must fit into memory.
    """
    of_block = partial(_Counts.of_block, starts=_starts(layout))
    counts = matrix.reduce(layout, of_block, _Counts.merge, called="different-rows")
    pairs = counts.pairs
    X, first = np.unique(pairs[:, :-1].astype(layout.dtype), axis=0, return_index=True)
    weight = np.add.reduceat(pairs[:, -1] * counts.number, first) if len(first) else pairs[:, -1]
    key = np.arange(len(X), dtype=np.uint32)
    return checked(Rows(X, weight, key, counts.tally), layout)


@dataclass(frozen=True, eq=False)
class _Counts:
    """How often each row occurs with each weight.

    These are whole numbers, so the weights of a row have the same sum in any order of the blocks.
    Pairs are a row and its weight, in ascending order.
    """

    pairs: Array
    number: Array
    tally: Tally

    @classmethod
    def of_block(cls, block: Block, *, starts: Array) -> _Counts:
        complete = block.complete
        X = block.rows(complete)
        weight = np.ones(len(X)) if block.weight is None else block.weight[complete]
        pairs, number = np.unique(np.column_stack([X, weight]), axis=0, return_counts=True)
        return cls(pairs, number, Tally.of(block, complete, starts))

    @classmethod
    def merge(cls, parts: Sequence[_Counts]) -> _Counts:
        pairs = np.concatenate([part.pairs for part in parts])
        pairs, which = np.unique(pairs, axis=0, return_inverse=True)
        number = np.zeros(len(pairs), np.int64)
        np.add.at(number, which.ravel(), np.concatenate([part.number for part in parts]))
        return cls(pairs, number, Tally.merge([part.tally for part in parts]))


def _starts(layout: Layout) -> Array:
    sizes = [variable.size for variable in layout.variables.values()]
    return np.cumsum([0, *sizes[:-1]])


def _read(
    block: Block,
    *,
    n: int | None,
    limit: np.uint64 | None,
    starts: Array,
    gather: Gather | None = None,
) -> Rows:
    complete = block.complete
    tally = Tally.of(block, complete, starts)
    key = block.key
    if n is None or limit is None:
        weight = None if block.weight is None else block.weight[complete]
        return Rows(block.rows(complete), weight, key[complete], tally)
    key = mix(key)
    chosen = np.flatnonzero(complete & (key <= limit))
    if len(chosen) > n:  # the rows of others are never made
        chosen = chosen[key[chosen] <= np.partition(key[chosen], n - 1)[n - 1]]
    weight = None if block.weight is None else block.weight[chosen]
    gathered = None if gather is None else gather(block)
    return _smallest(Rows(block.rows(chosen), weight, key[chosen], tally, gathered), n)


def _merge(parts: Sequence[Rows], n: int | None) -> Rows:
    if len(parts) == 1:
        return parts[0]
    weighted = parts[0].weight is not None
    gathered = [part.gathered for part in parts if part.gathered is not None]
    merged = Rows(
        np.concatenate([part.X for part in parts]),
        np.concatenate([part.weight for part in parts]) if weighted else None,
        np.concatenate([part.key for part in parts]),
        Tally.merge([part.tally for part in parts]),
        Gathered.merge(gathered) if gathered else None,
    )
    return merged if n is None else _smallest(merged, n)


def _smallest(rows: Rows, n: int) -> Rows:
    """Return the ``n`` rows with the smallest keys; of rows with equal keys the first by value."""
    if len(rows.key) <= n:
        return rows
    limit = np.partition(rows.key, n - 1)[n - 1]
    below, at_limit = np.flatnonzero(rows.key < limit), np.flatnonzero(rows.key == limit)
    if len(below) + len(at_limit) > n:
        at_limit = at_limit[rows.take(at_limit).exact_order()[: n - len(below)]]
    return rows.take(np.concatenate([below, at_limit]))


def checked(rows: Rows, layout: Layout) -> Rows:
    """Return ``rows``; refuse infinite values, and data without any complete row."""
    tally, names = rows.tally, list(layout.variables)
    if tally.points == tally.outside:
        rule = f"leaves out all {tally.points:,} points"
        told = ("weights", "all 0") if layout.mask is None else ("where", "mask")
        raise TooFewError(*told, rule, "check the mask and the weights")
    if not tally.complete:
        raise nothing_complete(layout, tally)
    if tally.infinite.any():
        name = names[int(tally.infinite.argmax())]
        rule = f"holds infinite values at {tally.infinite.max():,} of {tally.points:,} points"
        raise BadValueError("vars", name, rule, f"mask them: {finite_only(layout)}")
    _check_range(rows.X, names)
    return rows


def _check_range(X: Array, names: Sequence[Hashable]) -> None:
    """Refuse values whose squares overflow: distances between them would be infinite."""
    if X.dtype == np.float64 and max(X.max(), -X.min()) > LARGEST_VALUE:
        rule = f"hold values beyond {LARGEST_VALUE:g}, whose squares overflow"
        raise BadValueError("vars", list(names), rule, "divide the variables by a constant first")
