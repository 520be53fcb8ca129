"""Levels at the ends of profiles that no profile reaches, and that only repeat the nearest one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.grid.layout import Layout
from xcluster.grid.levels import OwnLevels

Array = NDArray[Any]


def repeated_ends(layout: Layout, X: Array) -> list[str]:
    """Return a sentence for each variable whose common levels lie beyond all profiles.

    Where gaps are filled, such levels have the value of the nearest level in every row of ``X``.
    """
    filled = [
        name
        for name, each in layout.variables.items()
        if isinstance(each.levels, OwnLevels) and each.levels.coverage is not None
    ]
    said = (_said(layout, name, X) for name in filled)
    return [sentence for sentence in said if sentence]


def _said(layout: Layout, name: Hashable, X: Array) -> str:
    template = layout.features[name]
    columns = template.values.astype(np.intp)
    first, last = _changing(X, columns)
    if first >= last or last - first == len(columns) - 1:
        return ""
    low, high = template[template.dims[0]].values[[first, last]]
    return (
        f"beyond the levels {low:g} to {high:g} no profile of {name!r} changes: if none reaches "
        "further, these levels only repeat the nearest one. Choose a smaller range: "
        f"between=({low:g}, {high:g})"
    )


def _changing(X: Array, columns: Array) -> tuple[int, int]:
    """Return the first and the last of the columns that differ from the next one outwards."""
    first, last = 0, len(columns) - 1
    while first < last and (X[:, columns[first]] == X[:, columns[first + 1]]).all():
        first += 1
    while last > first and (X[:, columns[last]] == X[:, columns[last - 1]]).all():
        last -= 1
    return first, last
