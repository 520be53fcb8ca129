"""What the pass that draws a sample gathers of all rows, so that steps need no further pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xcluster.algorithms.parts.row_moments import DEPTHS, MOST_PRODUCTS, Depth, Gathered
from xcluster.blocks.block import Block
from xcluster.chain.question import Question
from xcluster.chain.reduction import finite_rows
from xcluster.chain.steps import resolve


@dataclass(frozen=True, eq=False)
class Gather:
    """Gathers sums of the complete rows of a block; it is sent to blocks.

    Parameters
    ----------
    depth
        What is summed.
    first : transformer, optional
        The first step, fitted, if it learns nothing: sums are then taken behind it.
    """

    depth: Depth
    first: Any = None

    def __call__(self, block: Block) -> Gathered:
        """Return the sums of one block."""
        complete = block.complete
        X = block.rows(complete)
        weight = None if block.weight is None else block.weight[complete]
        if self.first is None:
            return Gathered.of(X, weight, self.depth)
        Z = self.first.transform(X) if len(X) else X
        finite = finite_rows(Z)
        behind = Gathered.of(Z[finite], None if weight is None else weight[finite], self.depth)
        return replace(Gathered.of(X, weight, "extremes"), behind=behind)


def asked(question: Question) -> Gather:
    """Return what to gather for the steps of a question."""
    layout, first = question.layout, None
    if layout.coverage is not None:  # samples may have gaps
        return Gather("extremes")
    depth: Depth = "extremes"
    for number, step in enumerate(resolve(question.steps, layout)):
        transformer = step.build(layout.n_features, layout)
        needed = getattr(transformer, "moments", None)
        if needed is not None and (needed != "products" or layout.n_features <= MOST_PRODUCTS):
            depth = max(depth, needed, key=DEPTHS.index)
        if getattr(transformer, "is_affine", False):
            continue
        if number or not getattr(transformer, "is_stateless", False):
            break  # moments do not tell those of the rows behind this step
        first = transformer.fit(np.ones((1, layout.n_features), layout.dtype))
    return Gather(depth, first)
