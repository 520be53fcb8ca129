"""How many rows are different: no more labels than these can have samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.ordering import value_order
from xcluster.base.errors import TooFewError

Array = NDArray[Any]


def n_distinct(X: Array, most: int) -> int:
    """Return the number of different rows, or ``most`` if there are so many.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0], [2.0], [1.0], [3.0]])
    >>> n_distinct(X, 9), n_distinct(X, 2)
    (3, 2)
    """
    few = X[:: max(len(X) // (4 * most), 1)]  # they are enough unless most rows are equal
    return most if _count(few, most) == most else _count(X, most)


def _count(left: Array, most: int) -> int:
    found = 0
    while len(left) and found < most:
        left = left[(left != left[0]).any(axis=1)]
        found += 1
    return found


def check_distinct(parameter: str, k: int, X: Array, weight: Array | None = None) -> None:
    """Refuse more labels than there are different rows of positive weight."""
    found = n_distinct(X if weight is None or weight.all() else X[weight > 0], k)
    if found < k:
        rule = f"must be at most the number of distinct rows, and there are {found} distinct rows"
        raise TooFewError(parameter, k, rule, "ask for fewer clusters")


@dataclass(frozen=True, eq=False)
class Distinct:
    """The different rows among many, each with the weight of all that are equal to it.

    Parameters
    ----------
    rows : int array of shape (n,)
        Positions: of equal rows the first.
    weight : array of shape (n,)
    """

    rows: Array
    weight: Array

    @classmethod
    def of(cls, X: Array, weight: Array) -> Distinct:
        """Return the different rows of positive weight, in the order of their values."""
        order = value_order([*X.T, weight])  # weights too: equal ones add up to the same bits
        order = order[weight[order] > 0]
        new = np.ones(len(order), bool)
        new[1:] = False
        for column in X.T:
            values = column[order]
            new[1:] |= values[1:] != values[:-1]
        starts = np.flatnonzero(new)
        return cls(np.minimum.reduceat(order, starts), np.add.reduceat(weight[order], starts))

    def shuffled(self, random: np.random.RandomState) -> Distinct:
        """Return them in random order."""
        order = random.permutation(len(self.rows))
        return Distinct(self.rows[order], self.weight[order])
