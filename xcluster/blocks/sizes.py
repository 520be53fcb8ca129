"""How many blocks there are, and what to say of blocks that are too small."""

from __future__ import annotations

import math

from xcluster.base.checks import warn
from xcluster.grid.layout import Layout

SMALL, MANY = 2**20, 1_000
"""Blocks of fewer bytes are worth a hint, if there are as many."""

TINY, VERY_MANY = 2**16, 10_000
"""The same for a warning: the scheduler takes longer than the work."""


def small_blocks(layout: Layout, small: int = SMALL, many: int = MANY) -> str:
    """Return a sentence if the blocks of a layout are small and many, otherwise nothing."""
    count = sum(_count(scene) for scene in layout.scenes)
    size = sum(_bytes(scene) for scene in layout.scenes) / max(count, 1)
    if count < many or size >= small:
        return ""
    shown = f"{size / 1024:.0f} kB" if size >= 1024 else f"{size:.0f} bytes"
    return (
        f"{count:,} blocks of {shown}: the scheduler needs up to 1 ms for each in each pass; "
        "open the data with larger chunks, such as those of the shards of a Zarr store"
    )


def warn_of_tiny_blocks(layout: Layout) -> None:
    """Warn if blocks are so many and so small that a pass is spent on the scheduler."""
    sentence = small_blocks(layout, TINY, VERY_MANY)
    if sentence:
        warn(sentence)


def _count(layout: Layout) -> int:
    """Return the number of blocks of one scene."""
    return math.prod(len(sizes) for sizes in layout.chunks.values())


def _bytes(layout: Layout) -> int:
    """Return the bytes of all features of one scene; the shape alone tells them."""
    variables = layout.variables.values()
    return layout.n_points * sum(each.extent * each.array.dtype.itemsize for each in variables)
