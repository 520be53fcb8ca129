"""Sums of columns by group, for many groups, that no blocks and no order of the rows change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from xcluster.base.arrays import Array

BITS, BINS = 24, 4
"""A value is cut into so many whole numbers of so many bits: they add exactly in double precision
for up to half a billion rows."""
DENSE = 2**22
"""Keys are looked up if they are so close together, and sorted otherwise."""
LOWEST = -38
"""The bin of the smallest numbers."""


@dataclass(frozen=True, eq=False)
class GroupSums:
    """Sums over the rows of each group.

    Bins begin at fixed exponents, so any block cuts a value at the same places. If a block has
    larger values than another, bins of the other are dropped as a whole.

    Parameters
    ----------
    top : int array of shape (n_columns,)
        The upper bin of each column.
    parts : array of shape (n_columns, BINS, n_groups)
        Sums of whole numbers in each bin, the upper one first.
    """

    top: Array
    parts: Array

    @classmethod
    def of(cls, columns: Iterable[Array], group: Array, n_groups: int) -> GroupSums:
        """Return the sums of columns (n,) over the rows of each group (n,)."""
        from xcluster.algorithms.kernels.sums import add_to_groups

        top, parts = [], []
        for column in columns:
            top.append(_top_bin(column))
            grids = np.exp2(BITS * (top[-1] - np.arange(BINS, dtype=np.float64)))
            parts.append(np.zeros((BINS, n_groups)))
            add_to_groups(column, group, grids, parts[-1])
        shape = (len(top), BINS, n_groups)
        return cls(np.array(top, np.int64), np.array(parts, np.float64).reshape(shape))

    @classmethod
    def joined(
        cls, found: Sequence[GroupSums], groups: Sequence[Array], n_groups: int
    ) -> GroupSums:
        """Return the sums of several blocks, from the new number of each of their groups."""
        top = np.max([each.top for each in found], axis=0)
        parts = np.zeros((len(top), BINS, n_groups))
        for each, group in zip(found, groups, strict=True):
            for column, shift in enumerate(top - each.top):
                for bin_ in range(shift, BINS):
                    own = each.parts[column, bin_ - shift]
                    parts[column, bin_] += np.bincount(group, own, n_groups)
        return cls(top, parts)

    def total(self) -> Array:
        """Return the sums, of shape (n_columns, n_groups)."""
        start = np.zeros((len(self.top), self.parts.shape[2]))
        lowest_first = range(BINS - 1, -1, -1)
        exponents = (BITS * (self.top - bin_)[:, None] for bin_ in lowest_first)
        scaled = zip(lowest_first, exponents, strict=True)
        return sum((np.ldexp(self.parts[:, bin_], e) for bin_, e in scaled), start)


@dataclass(frozen=True, eq=False)
class KeyedSums:
    """Sums over the rows of each key that occurs.

    Parameters
    ----------
    keys : int array of shape (n_keys,)
        Rising.
    sums : GroupSums
        One group per key.
    """

    keys: Array
    sums: GroupSums

    @classmethod
    def of(cls, columns: Iterable[Array], key: Array) -> KeyedSums:
        """Return the sums of columns (n,) over the rows of each key (n,)."""
        low, high = (int(key.min()), int(key.max())) if len(key) else (0, 0)
        if high - low < DENSE:
            count = np.bincount(key - low, minlength=high - low + 1)
            keys = np.flatnonzero(count) + low
            group = (np.cumsum(count > 0) - 1)[key - low]
        else:
            keys, group = np.unique(key, return_inverse=True)
        return cls(keys, GroupSums.of(columns, group, len(keys)))

    @classmethod
    def joined(cls, found: Sequence[KeyedSums]) -> KeyedSums:
        """Return the sums of several blocks."""
        keys = np.unique(np.concatenate([each.keys for each in found]))
        groups = [np.searchsorted(keys, each.keys) for each in found]
        return cls(keys, GroupSums.joined([each.sums for each in found], groups, len(keys)))


def _top_bin(values: Array) -> int:
    """Return the bin that holds the first bits of the largest value."""
    largest = max(values.max(initial=0.0), -values.min(initial=0.0))
    return max(-(-int(np.frexp(largest)[1]) // BITS) - 1, LOWEST) if largest > 0 else LOWEST
