"""Names and colours of labels, as the attributes of a label map tell them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.base.palette import UNCLASSIFIED_COLOR, label_colors

UNCLASSIFIED_NAME = "unclassified"


@dataclass(frozen=True, eq=False)
class Flags:
    """Labels in the order of a legend.

    Parameters
    ----------
    values
        The labels; -1, where there is one, stands last.
    names, colors
        Of each label.
    """

    values: NDArray[np.int64]
    names: tuple[str, ...]
    colors: tuple[str, ...]

    @property
    def classified(self) -> Flags:
        """The same without -1."""
        keep = [i for i, value in enumerate(self.values) if value >= 0]
        return Flags(self.values[keep], _pick(self.names, keep), _pick(self.colors, keep))

    def positions(self, labels: Array) -> NDArray[np.float32]:
        """Return where each label stands in the legend; NaN where it stands nowhere."""
        order = np.argsort(self.values)
        if not len(order):
            return np.full(labels.shape, np.nan, np.float32)
        nearest = np.searchsorted(self.values[order], labels).clip(max=len(order) - 1)
        found = self.values[order][nearest] == labels
        return np.where(found, order[nearest], np.nan).astype(np.float32)

    def color_of(self, labels: Array) -> NDArray[np.str_]:
        """Return the colour of each label; unclassified where it is not known."""
        positions = self.positions(labels)
        colors = np.array([*self.colors, UNCLASSIFIED_COLOR])
        places = np.where(np.isnan(positions), len(self.colors), positions).astype(int)
        return np.asarray(colors[places])


def has_flags(da: xr.DataArray) -> bool:
    """Whether ``da`` is a label map by its attributes."""
    return "flag_values" in da.attrs and "flag_meanings" in da.attrs


def flags_of(da: xr.DataArray) -> Flags:
    """Return names and colours of the labels in ``da``, which are made up where it has none.

    Raises
    ------
    ValueError
        If ``flag_meanings`` or ``flag_colors`` has another length than ``flag_values``.
    """
    if not has_flags(da):
        return _with_unclassified(_numbered(_present(da)), da)
    values = np.atleast_1d(da.attrs["flag_values"]).astype(np.int64)
    names = [name.replace("_", " ") for name in str(da.attrs["flag_meanings"]).split()]
    colors = str(da.attrs.get("flag_colors", "")).split() or _numbered(values).colors
    _check_length("flag_meanings", names, values)
    _check_length("flag_colors", colors, values)
    return _with_unclassified(Flags(values, tuple(names), tuple(colors)), da)


def flags_of_centers(centers: xr.DataArray | xr.Dataset) -> Flags:
    """Return names and colours from the coordinates ``label`` and ``label_name`` of centres."""
    label = centers["label"]
    if has_flags(label):
        return flags_of(label)
    flags = _numbered(label.values.astype(np.int64))
    stated = centers.coords.get("label_name")
    if stated is None or stated.dims != ("label",):  # the user's own may lie over other dims
        return flags
    return Flags(flags.values, tuple(map(str, stated.values)), flags.colors)


def _present(da: xr.DataArray) -> NDArray[np.int64]:
    values = np.unique(np.asarray(da.values, dtype=float))
    return np.asarray(values[np.isfinite(values)], dtype=np.int64)


def _numbered(values: NDArray[np.int64]) -> Flags:
    """Return flags that say the number of each label; a label's colour is that of its number."""
    palette = label_colors(int(values.max(initial=-1)) + 1)
    colors = [palette[value] if value >= 0 else UNCLASSIFIED_COLOR for value in values]
    names = [str(value) if value >= 0 else UNCLASSIFIED_NAME for value in values]
    return Flags(values, tuple(names), tuple(colors))


def _with_unclassified(flags: Flags, da: xr.DataArray) -> Flags:
    """Put -1 last, and leave it out where no sample has it."""
    known = flags.classified
    if not bool((da == -1).any()):
        return known
    stated = [i for i, value in enumerate(flags.values) if value == -1]
    name = flags.names[stated[0]] if stated else UNCLASSIFIED_NAME
    color = flags.colors[stated[0]] if stated else UNCLASSIFIED_COLOR
    return Flags(np.append(known.values, -1), (*known.names, name), (*known.colors, color))


def _check_length(attribute: str, found: Sequence[str], values: Array) -> None:
    if len(found) != len(values):
        rule = f"has {len(found)} entries for {len(values)} labels"
        raise BadValueError(attribute, " ".join(found), rule, "give one to each label")


def _pick(items: Sequence[str], places: Sequence[int]) -> tuple[str, ...]:
    return tuple(items[place] for place in places)
