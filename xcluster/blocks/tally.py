"""How many grid points are samples, and why others are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.blocks.block import Block

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Tally:
    """How many grid points there were, and why some are not samples.

    Parameters
    ----------
    points
        Number of all grid points.
    outside
        Number of points where the mask is False or the weight is zero.
    complete
        Number of the other points where every feature is a number, or enough of them are.
    missing, infinite : arrays of shape (n_variables,)
        Per variable, the number of points inside where it lacks a value or is infinite.
    filled : array of shape (n_variables,)
        Per variable, the number of points inside where it holds a number that its attributes call
        missing.
    gaps
        Number of the samples that lack a feature.
    there : array of shape (n_variables,)
        Per variable, the number of values that the samples have.
    """

    points: int
    outside: int
    complete: int
    missing: Array
    infinite: Array
    filled: Array
    gaps: int
    there: Array

    @property
    def incomplete(self) -> int:
        """Points inside that lack a feature."""
        return self.points - self.outside - self.complete

    @staticmethod
    def of(block: Block, complete: Array, starts: Array) -> Tally:
        """Count one block, whose variables start at the columns ``starts``."""
        inside = block.inside
        missing = infinite = np.zeros(len(starts), np.int64)
        if complete.sum() < inside.sum():
            X = block.rows(inside & ~complete)
            missing = np.logical_or.reduceat(np.isnan(X), starts, axis=1).sum(axis=0)
            infinite = np.logical_or.reduceat(np.isinf(X), starts, axis=1).sum(axis=0)
        outside = int(len(inside) - inside.sum())
        gaps, there = _of_samples(block, complete, len(starts))
        counts = len(inside), outside, int(complete.sum())
        return Tally(*counts, missing, infinite, block.n_filled, gaps, there)

    @staticmethod
    def merge(tallies: Sequence[Tally]) -> Tally:
        """Add the counts of several blocks."""
        return Tally(
            sum(each.points for each in tallies),
            sum(each.outside for each in tallies),
            sum(each.complete for each in tallies),
            np.sum([each.missing for each in tallies], axis=0),
            np.sum([each.infinite for each in tallies], axis=0),
            np.sum([each.filled for each in tallies], axis=0),
            sum(each.gaps for each in tallies),
            np.sum([each.there for each in tallies], axis=0),
        )


def _of_samples(block: Block, complete: Array, n_variables: int) -> tuple[int, Array]:
    """Return how many samples lack a feature, and how many values of each variable they have."""
    if block.coverage is None:
        return 0, np.zeros(n_variables, np.int64)
    lacking = block.lacking(complete)
    sizes = block.sizes * int(complete.sum())
    return int(lacking.any(axis=1).sum()), sizes - lacking.sum(axis=0)
