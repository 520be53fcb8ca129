"""Rows in memory laid out once for many measurements of their distances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.frame import Frame
from xcluster.algorithms.parts.inputs import weight_or_ones
from xcluster.base.arrays import read_only
from xcluster.base.parallel import map_threads, row_blocks

Array = NDArray[Any]

BLOCK_ROWS = 8_192  # 25 features, and what is kept for each row, stay in the second-level cache
FEW_ROWS = 32_768  # up to here a pass takes less time than to wake the threads


@dataclass(frozen=True, eq=False)
class PlacedRows:
    """Rows in their frame, feature by feature, in blocks of a fixed size.

    Parameters
    ----------
    frame : Frame
    values : array of shape (n_features * n_samples,), float32
        The blocks, one after the other.
    weight : array of shape (n_samples,), or None
    blocks : list of arrays of shape (n_features, up to `BLOCK_ROWS`), float32
        Views of ``values``.
    weights : list of arrays of shape (up to `BLOCK_ROWS`,), or of None
    """

    frame: Frame
    values: Array
    weight: Array | None
    blocks: list[Array]
    weights: list[Array | None]

    @classmethod
    def of(cls, X: Array, sample_weight: Array | None, frame: Frame) -> Self:
        """Place the rows."""
        from xcluster.algorithms.kernels import bounds
        from xcluster.algorithms.kernels.lloyd import as_precise

        rows, (n, p) = row_blocks(len(X), BLOCK_ROWS), X.shape
        origin, factor = as_precise(X, frame.origin, frame.unit)
        X, values = read_only(X), np.empty(n * p, np.float32)
        blocks = [values[p * each.start : p * each.stop].reshape(p, -1) for each in rows]
        pairs = zip(rows, blocks, strict=True)
        map_threads(lambda pair: bounds.place(X[pair[0]], origin, factor, pair[1]), pairs)
        weights = [None if sample_weight is None else sample_weight[each] for each in rows]
        return cls(frame, values, sample_weight, blocks, weights)

    @cached_property
    def norms(self) -> list[Array]:
        """The length of each row, in the same blocks, as float32."""
        return self.each(lambda b: np.sqrt(np.einsum("fr,fr->r", *(self.blocks[b],) * 2)))

    @property
    def few(self) -> bool:
        """Whether one thread is as fast as several."""
        return len(self.blocks) * BLOCK_ROWS <= FEW_ROWS

    def each(self, function: Callable[[int], Any]) -> list[Any]:
        """Return the function of every block's number, in order."""
        numbers = range(len(self.blocks))
        return [function(b) for b in numbers] if self.few else map_threads(function, numbers)

    def summed(self, function: Callable[[int], tuple[Any, ...]]) -> tuple[Any, ...]:
        """Return the sums over all blocks of what the function gives for each, in order."""
        return tuple(sum(part) for part in zip(*self.each(function), strict=True))

    def variance(self) -> float:
        """Return the weighted mean squared distance to the mean, in units of the frame."""
        weight, total, squares = self.moments()
        mean = total / weight
        return max(float(squares / weight - mean @ mean), 0.0)

    def mean(self) -> Array:
        """Return the weighted mean of the rows, as given."""
        weight, total, _ = self.moments()
        mean: Array = self.frame.origin + total / weight * self.frame.unit
        return mean

    def moments(self) -> tuple[Any, Array, Any]:
        """Return the sums of weights, of weighted rows and of their squared lengths."""
        weight, total, squares = self.summed(self._moments)
        return weight, total, squares

    def _moments(self, b: int) -> tuple[Any, Array, Any]:
        values, weight = self.blocks[b].astype(np.float64), self.weights[b]
        weight = weight_or_ones(weight, values.shape[1])
        return weight.sum(), values @ weight, np.einsum("fr,fr,r->", values, values, weight)
