"""Entries along a dim, as a user names them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Literal

import pandas as pd
import xarray as xr

from xcluster.base.checks import blamed
from xcluster.base.errors import BadValueError


def place_of(grid: xr.DataArray, dim: Hashable, sel: Mapping[Hashable, Any]) -> int:
    """Return the place of the entry ``sel[dim]``; of numbers and dates that of the nearest one."""
    index = grid.indexes[dim] if dim in grid.indexes else pd.RangeIndex(grid.sizes[dim])
    ordered = index.dtype.kind in "iufM" or isinstance(index, xr.CFTimeIndex)
    nearest: Literal["nearest"] | None = "nearest" if dim in grid.indexes and ordered else None
    remedy = f"choose from {', '.join(map(str, index[:5]))}, ..."
    with blamed("sel", sel[dim], remedy):
        place = int(index.get_indexer(_dated(sel[dim], index), method=nearest)[0])
    if place < 0:
        raise BadValueError("sel", sel[dim], f"is not along {dim!r}", remedy)
    return place


def _dated(entry: Any, index: Any) -> Any:
    """Return an entry to look for; text is a date of the calendar that ``index`` keeps."""
    if isinstance(index, xr.CFTimeIndex) and isinstance(entry, str):
        return xr.date_range(entry, periods=1, calendar=index.calendar, use_cftime=True)
    return pd.Index([entry])
