"""Merges of a binary tree of rows: where groups of rows begin and end in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xcluster.base.arrays import Array

MIXED = -2
"""What a node is labelled whose rows have different labels."""


@dataclass(frozen=True, eq=False)
class Merges:
    """The n - 1 merges of n rows, those at small distances first.

    Nodes below n are rows; node n + i is made by merge i.

    Parameters
    ----------
    left, right : int arrays of shape (n - 1,)
        The nodes that are merged.
    distance : array of shape (n - 1,)
    """

    left: Array
    right: Array
    distance: Array

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.distance) + 1

    @property
    def root(self) -> int:
        """The node of all rows."""
        return 2 * len(self.distance)

    @cached_property
    def _sizes(self) -> list[int]:
        """How many rows each node has."""
        sizes = [1] * self.n_rows
        for left, right in zip(self.left.tolist(), self.right.tolist(), strict=True):
            sizes.append(sizes[left] + sizes[right])
        return sizes

    def pure(self, labels: Array) -> tuple[Array, list[int]]:
        """Return for each label the last node of its rows alone, and the distance where it ends.

        It ends at infinity if all rows have the label.

        Parameters
        ----------
        labels : int array of shape (n,)
            -1 is none.

        Returns
        -------
        distances : array of shape (n_labels,)
        nodes : list of int
        """
        of_node = labels.tolist()
        k = max(of_node) + 1
        births, tops = np.full(k, np.inf), [self.root] * k
        pairs = zip(self.left.tolist(), self.right.tolist(), self.distance, strict=True)
        for left, right, distance in pairs:
            same = of_node[left] == of_node[right]
            of_node.append(of_node[left] if same else MIXED)
            for child in () if same else (left, right):
                if of_node[child] >= 0:
                    births[of_node[child]], tops[of_node[child]] = distance, child
        return births, tops

    def end(self, node: int, least: int) -> float:
        """Return the distance at which a node is no longer one group of at least so many rows.

        Going down, branches with fewer rows fall off; it ends where both branches have enough rows,
        or none has.
        """
        while True:
            merge = node - self.n_rows
            branches = (int(self.left[merge]), int(self.right[merge]))
            large = [branch for branch in branches if self._sizes[branch] >= least]
            if len(large) != 1:
                return float(self.distance[merge])
            node = large[0]
