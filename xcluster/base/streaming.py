"""Per-block statistics, merged, then an update: the loop under every fit.

An estimator that streams offers two methods beside scikit-learn's own:

``partial_statistics(X, sample_weight, sums)``
    the `Statistics` of one block of complete rows under the current parameters; changes nothing.
    ``sums`` adds the rows: see `xcluster.algorithms.parts.sums`.
``update(statistics)``
    takes the merged statistics of all rows, sets new parameters, and returns whether it is done.
``statistics_and_shares(X, sample_weight, sums)``, optional
    returns the same statistics and the labels or shares of the rows that they are of, so that means
    of features can be summed in the same pass.

Rows in memory are cut into blocks of a fixed size and merged in order, so a sum does not depend
on the number of threads. Chunked data come as any object with a ``reduce`` of the same meaning;
it adds them so that chunks do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

import numpy as np

from xcluster.base.arrays import Array
from xcluster.base.parallel import map_threads, row_blocks, single_threaded_blas

BLOCK_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class Statistics:
    """Named arrays of one block (or of all), with the rule by which each is merged.

    A block may lack what is merged from others.
    """

    sums: Mapping[str, Array] = field(default_factory=dict)
    minima: Mapping[str, Array] = field(default_factory=dict)
    maxima: Mapping[str, Array] = field(default_factory=dict)

    @staticmethod
    def merge(parts: Sequence[Statistics]) -> Statistics:
        """Merge the statistics of several blocks, in the order given."""
        return Statistics(
            _merge([part.sums for part in parts], np.add),
            _merge([part.minima for part in parts], np.minimum),
            _merge([part.maxima for part in parts], np.maximum),
        )


def _merge(parts: Sequence[Mapping[str, Array]], rule: Callable[..., Array]) -> dict[str, Array]:
    merged = dict(parts[0])
    for part in parts[1:]:
        for name, value in part.items():
            merged[name] = rule(merged[name], value) if name in merged else value
    return merged


BlockFunction = Callable[..., Statistics]
"""Takes rows, their weights and, where sums must be the same in any chunks, how to add."""


class Blocks(Protocol):
    """Rows in blocks: what a streaming fit reads once in each pass."""

    def reduce(self, function: BlockFunction) -> Statistics:
        """Return the merged ``function(X, sample_weight)`` of every block."""
        ...


class StreamingEstimator(Protocol):
    """What an estimator offers to be fitted block by block."""

    def partial_statistics(self, X: Array, sample_weight: Array | None = None) -> Statistics:
        """Return the statistics of one block under the current parameters."""
        ...

    def update(self, statistics: Statistics) -> bool:
        """Set new parameters from merged statistics; return whether the fit is done."""
        ...


@dataclass(frozen=True, eq=False)
class ArrayBlocks:
    """Rows in memory, as blocks of a fixed size.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    sample_weight : array of shape (n_samples,), optional
    rows : int, default 65536
        The rows of a block. Fewer suit statistics that are small compared with the work on them:
        there are more blocks, so more threads have work.
    """

    X: Array
    sample_weight: Array | None = None
    rows: int = BLOCK_ROWS

    def take(self, rows: Any) -> Self:
        """Return some of the rows, with their weights."""
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        return replace(self, X=self.X[rows], sample_weight=weight)

    def reduce(self, function: BlockFunction) -> Statistics:
        """Return the merged statistics of all blocks, computed in a pool of threads."""

        def of_block(rows: slice) -> Statistics:
            block = self.take(rows)
            return function(block.X, block.sample_weight)

        return Statistics.merge(map_threads(of_block, row_blocks(max(len(self.X), 1), self.rows)))


def in_tiles(
    measure: Callable[[Array, Array], Mapping[str, Array]], X: Array, weight: Array, rows: int
) -> Statistics:
    """Return the merged sums ``measure(X, weight)`` of a block cut into tiles that stay in cache.

    Parameters
    ----------
    measure : callable
    X : array of shape (n_samples, n_features)
    weight : array of shape (n_samples,)
    rows : int
        The rows of a tile.
    """
    tiles = row_blocks(max(len(X), 1), rows)
    return Statistics.merge([Statistics(measure(X[tile], weight[tile])) for tile in tiles])


def iterate(
    estimator: StreamingEstimator,
    blocks: Blocks,
    max_passes: int,
    after_pass: Callable[[int], None] = lambda done: None,
    measure: BlockFunction | None = None,
) -> int:
    """Pass over the blocks until the estimator is done; return the number of passes.

    Parameters
    ----------
    estimator
        Already started: the first pass measures the rows under its present parameters.
    blocks
        The rows.
    max_passes
        The most passes to make.
    after_pass
        Called with the number of passes done, for a progress bar.
    measure
        What a pass computes of a block: `partial_statistics` by default.
    """
    measure = measure or estimator.partial_statistics
    # Held over all passes: to look up the libraries takes milliseconds, as long as a short pass.
    with single_threaded_blas():
        for done in range(1, max_passes + 1):
            finished = estimator.update(blocks.reduce(measure))
            after_pass(done)
            if finished:
                return done
    return max_passes
