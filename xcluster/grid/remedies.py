"""What to do if no sample is complete: code that leaves out what is missing."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Gaps:
    """Which features to leave out, so that samples are complete and most values are kept.

    Parameters
    ----------
    kept : Dataset of bool
        One sample, True at each feature that is kept. Nothing is kept if that does not help.
    empty : list
        The variables without any value; others are in ``kept`` too.
    least
        The least number of samples that have a feature that is kept; 0 if each scene has its own.
    never
        Whether the features that are left out are missing in all data, inside the mask or not.
    """

    kept: xr.Dataset
    empty: Sequence[Hashable]
    least: int
    never: bool

    @property
    def variables(self) -> list[Hashable]:
        """The variables of which something is kept."""
        return [name for name, each in self.kept.data_vars.items() if each.any()]

    def along(self, dim: Hashable) -> NDArray[np.bool_]:
        """Return of which entries of a feature dim all these variables keep something."""
        return np.asarray(np.all(self._each_along(dim), axis=0))

    def are_alike(self, dim: Hashable) -> bool:
        """Whether all these variables keep the same entries of a feature dim."""
        return np.array_equal(np.any(self._each_along(dim), axis=0), self.along(dim))

    def _each_along(self, dim: Hashable) -> list[NDArray[np.bool_]]:
        found = [self.kept[name] for name in self.variables if dim in self.kept[name].dims]
        return [each.any([d for d in each.dims if d != dim]).values for each in found]


def of_variables(gaps: Gaps) -> str:
    """Say which variables to take."""
    return together(only(gaps.variables, gaps))


def only(names: Sequence[Hashable], gaps: Gaps) -> list[str]:
    """Say that only these variables should be taken, if there are others."""
    if len(names) == len(gaps.kept):
        return []
    return [f"leave out variables that samples lack: vars={list(names)}"]


def filled(gaps: Gaps, means: str) -> str:
    """Say how to fill gaps, and which variables have nothing to fill them with."""
    known = [name for name in gaps.kept.data_vars if name not in gaps.empty]
    return together([*only(known, gaps), f"fill gaps, for example by means: ds.fillna({means})"])


def fewer_entries(gaps: Gaps, dim: Hashable) -> list[str]:
    """Say how to leave out entries of a feature dim, if there are any."""
    keep = gaps.along(dim)
    if keep.all():
        return []
    entries = f"entries of {dim!r}"
    if gaps.never and gaps.are_alike(dim):
        return [f"leave out the {entries} that no sample has: ds.dropna({dim!r}, how='all')"]
    return [f"leave out the {entries} that samples lack: ds.isel({{{dim!r}: {_indexer(keep)}}})"]


def smaller(gaps: Gaps, dims: Sequence[Hashable]) -> str:
    """Say which variables and entries of feature dims to leave out, or how to fill gaps."""
    kept = gaps.kept[gaps.variables]
    whole = kept.isel({dim: gaps.along(dim) for dim in dims if dim in kept.dims})
    if not all(each.all() for each in whole.values()):
        return filled(gaps, "ds.mean()")
    entries = [said for dim in dims if dim in kept.dims for said in fewer_entries(gaps, dim)]
    return together([*only(gaps.variables, gaps), *entries])


def together(remedies: list[str]) -> str:
    """Return remedies that all are needed as one text."""
    return "; and ".join(remedies)


def runs(keep: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and last + 1 of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], keep, [False]]))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _indexer(keep: NDArray[np.bool_]) -> str:
    found = runs(keep)
    if len(found) == 1:
        return f"slice({found[0][0]}, {found[0][1]})"
    return f"np.r_[{', '.join(f'{start}:{end}' for start, end in found)}]"
