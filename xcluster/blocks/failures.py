"""If a computation over all blocks fails, find the block of the data that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import xarray as xr

from xcluster.base.errors import BadFileError
from xcluster.blocks.block import OURS, inputs_of
from xcluster.grid.layout import Layout


@contextmanager
def named_failures(layout: Layout | None) -> Iterator[None]:
    """If a computation fails because a block cannot be read, raise an error with its place."""
    try:
        yield
    except Exception as error:
        # Errors of our own functions and of lost workers do not come from reading the data.
        ours = OURS in getattr(error, "__notes__", ())
        if layout is None or ours or "distributed" in type(error).__module__:
            raise
        unreadable = next(filter(None, map(_unreadable, _source_blocks(layout))), None)
        if unreadable is None:
            raise
        raise unreadable from error


def _source_blocks(layout: Layout) -> Iterator[xr.DataArray]:
    """Yield each block of each chunked array, so that it can be read by itself."""
    from dask.array.core import slices_from_chunks

    for array in (array for scene in layout.scenes for array in inputs_of(scene).arrays):
        if array.chunks is None:
            continue
        for where in slices_from_chunks(array.chunks):
            ranges = [
                f"{dim} {each.start}:{each.stop}"
                for dim, each in zip(array.dims, where, strict=True)
            ]
            yield array[where].assign_attrs(block=", ".join(ranges))


def _unreadable(block: xr.DataArray) -> BadFileError | None:
    """Return an error if a block cannot be read, otherwise None."""
    try:
        block.data.persist(scheduler="sync")
    except Exception as error:  # readers raise many kinds
        rule = (
            f"the block [{block.attrs['block']}] of {block.name!r} cannot be read "
            f"({type(error).__name__}: {error})"
        )
        remedy = "repair or replace it, or select data without it"
        return BadFileError("vars", block.name, rule, remedy)
    return None
