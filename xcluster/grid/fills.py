"""Numbers that attributes call missing values, and that still stand as numbers in the data."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from itertools import chain
from typing import Any

import numpy as np
import xarray as xr

from xcluster.grid.layout import Layout

DECODED = ("_FillValue", "missing_value")
"""Attributes that `xr.decode_cf` turns into NaN."""

Fill = tuple[str, float]
"""An attribute, and a number that it calls missing."""


def fills_of(array: xr.DataArray) -> tuple[Fill, ...]:
    """Return the numbers that the attributes of a variable call missing, as its type holds them."""
    found: dict[float, str] = {}
    for attribute in (*DECODED, "nodata"):
        for number in np.ravel(array.attrs.get(attribute, ())):
            value = _held(number, array.dtype)
            if value is not None:
                found.setdefault(value, attribute)
    return tuple((attribute, value) for value, attribute in found.items())


def _held(number: Any, dtype: np.dtype[Any]) -> float | None:
    """Return a number as an array of this type holds it; None for NaN, and if it cannot."""
    try:
        with np.errstate(over="ignore"):
            value = dtype.type(number).item() if dtype.kind == "f" else float(number)
    except (TypeError, ValueError):
        return None
    if dtype.kind == "f":
        return value if np.isfinite(value) else None
    if dtype.kind not in "iu" or not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
        return None
    return value if value.is_integer() else None


def undecoded(layout: Layout, counts: Iterable[int]) -> list[str]:
    """Return a sentence for each variable with such numbers; ``counts`` are of samples."""
    pairs = zip(layout.variables, counts, strict=True)
    return [_said(name, _of_scenes(name, layout), int(n)) for name, n in pairs if n]


def _of_scenes(name: Hashable, layout: Layout) -> tuple[Fill, ...]:
    """Return what attributes call missing in any of the scenes."""
    each = (fills_of(scene.variables[name].array) for scene in layout.scenes)
    return tuple(dict.fromkeys(chain.from_iterable(each)))


def _said(name: Hashable, fills: tuple[Fill, ...], n: int) -> str:
    values = [value for _, value in fills]
    given = ", ".join(f"{attribute}={value:.9g}" for attribute, value in fills)
    ways = ["xr.decode_cf(ds)"] if all(key in DECODED for key, _ in fills) else []
    ways.append(f"ds.where(~ds[{name!r}].isin({values}))")
    return (
        f"{n:,} samples hold a number of {name!r} that its attributes call missing ({given}). "
        f"Turn it into NaN by {' or '.join(ways)}, if it is no value."
    )
