"""Gaps filled and levels resampled along one axis, many profiles at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.checks import complaint

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Levels:
    """What is done to each profile before it becomes a row.

    Parameters
    ----------
    source : array of shape (n_source,)
        Levels of the data, ascending.
    target : array of shape (n_target,)
        Levels of the rows, ascending; those outside the source levels become NaN.
    coverage : float, optional
        Share of levels with data from which on gaps are filled, linearly between levels and with
        the nearest level at the ends. None fills nothing.
    """

    source: Array
    target: Array
    coverage: float | None = None

    def __call__(self, values: Array) -> Array:
        """Return ``values`` of shape (n, n_source) as rows of shape (n, n_target)."""
        filled = values if self.coverage is None else fill_gaps(values, self.source, self.coverage)
        if self._matrix is None:
            return filled
        with np.errstate(invalid="ignore"):
            out = np.asarray(filled @ self._matrix.astype(filled.dtype))
        # Infinity times zero is NaN, and a gap would hide what is an error in the data.
        out[np.isinf(filled).any(axis=1)] = np.inf
        return out

    @cached_property
    def _matrix(self) -> Array | None:
        """Linear interpolation as a matrix (n_source, n_target); None where levels stay."""
        if np.array_equal(self.source, self.target):
            return None
        return interpolation_matrix(self.source, self.target)


def interpolation_matrix(source: Array, target: Array) -> Array:
    """Return the matrix of linear interpolation; NaN columns for targets outside the source."""
    low = np.clip(np.searchsorted(source, target, side="right") - 1, 0, max(len(source) - 2, 0))
    high = np.minimum(low + 1, len(source) - 1)
    gap = source[high] - source[low]
    share = np.divide(target - source[low], gap, out=np.zeros(len(target)), where=gap > 0)
    matrix = np.zeros((len(source), len(target)))
    columns = np.arange(len(target))
    matrix[low, columns] += 1 - share
    matrix[high, columns] += share
    slack = 1e-9 * max(float(source[-1] - source[0]), 1e-300)
    matrix[:, (target < source[0] - slack) | (target > source[-1] + slack)] = np.nan
    return matrix


MOST_LEVELS = 100_000
"""Levels of a profile; more are a slip of units, and would fill the memory."""


def regular_levels(source: Array, step: float) -> Array:
    """Return levels ``step`` apart from the first of ``source``, none beyond its last."""
    slack = 1e-9 * step
    count = float(np.floor((source[-1] - source[0] + slack) / step)) + 1
    if count > MOST_LEVELS:
        rule = f"gives {count:.3g} levels from {source[0]:g} to {source[-1]:g}"
        remedy = f"pass a step that gives at most {MOST_LEVELS:,}"
        raise ValueError(complaint("step", step, rule, remedy))
    return np.asarray(source[0] + step * np.arange(int(count)))


def fill_gaps(values: Array, levels: Array, coverage: float) -> Array:
    """Fill NaN in the rows of ``values`` that have at least ``coverage`` of their levels.

    Inner gaps are linear in ``levels``; ends take the nearest level with data.
    """
    known = ~np.isnan(values)
    share = known.mean(axis=1)
    todo = np.flatnonzero((share >= coverage) & (share < 1) & (share > 0))
    if not len(todo):
        return values
    filled = values.copy()
    filled[todo] = _interpolate(values[todo], known[todo], levels)
    return filled


def _interpolate(values: Array, known: Array, levels: Array) -> Array:
    last = values.shape[1] - 1
    index = np.arange(last + 1)
    below = np.maximum.accumulate(np.where(known, index, -1), axis=1)
    above = np.minimum.accumulate(np.where(known, index, last + 1)[:, ::-1], axis=1)[:, ::-1]
    low, high = np.where(below < 0, above, below), np.where(above > last, below, above)
    gap = levels[high] - levels[low]
    share = np.divide(levels[index] - levels[low], gap, out=np.zeros(gap.shape), where=gap > 0)
    start, end = np.take_along_axis(values, low, 1), np.take_along_axis(values, high, 1)
    return np.asarray(start + (end - start) * share.astype(values.dtype))
