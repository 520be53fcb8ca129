"""What titles and axes say: long names and units."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from textwrap import fill
from typing import Any

import numpy as np
import xarray as xr

# Characters that stand along three inches.
LINE_LENGTH = 38

DEPTH_UNITS = {"dbar", "decibar", "decibars", "db"}
DEPTH_NAMES = ("depth", "pressure", "pres", "deptht", "lev_depth")


def name_of(da: xr.DataArray) -> str:
    """Return the long name, else the standard name, else the name, else nothing."""
    stated = da.attrs.get("long_name") or da.attrs.get("standard_name") or da.name or ""
    return str(stated).replace("_", " ") if "long_name" not in da.attrs else str(stated)


def with_units(da: xr.DataArray) -> str:
    """Return the name with its units in brackets."""
    return bracketed(name_of(da), da.attrs)


def bracketed(name: str, attrs: Mapping[Any, Any]) -> str:
    """Return ``name`` with the units that ``attrs`` state, in brackets."""
    units = str(attrs.get("units", ""))
    return f"{name} [{units}]" if units not in ("", "1") else name


def in_lines(text: str) -> str:
    """Return a text that an axis has room for, in lines; words stay whole."""
    return fill(text, LINE_LENGTH, break_long_words=False)


def dim_text(da: xr.DataArray | xr.Dataset, dim: Hashable) -> str:
    """Return what the axis along ``dim`` says."""
    return with_units(da[dim]) if dim in da.coords else str(dim)


def is_depth(da: xr.DataArray | xr.Dataset, dim: Hashable) -> bool:
    """Whether ``dim`` is an axis that people draw vertically, with large values at the bottom."""
    attrs: Mapping[Any, Any] = da[dim].attrs if dim in da.coords else {}
    if "positive" in attrs:
        return str(attrs["positive"]).lower() == "down"
    if str(attrs.get("units", "")) in DEPTH_UNITS:
        return True
    return attrs.get("standard_name") == "depth" or str(dim).lower() in DEPTH_NAMES


def is_vertical(da: xr.DataArray | xr.Dataset, dim: Hashable) -> bool:
    """Whether ``dim`` is a vertical axis of either direction."""
    attrs: Mapping[Any, Any] = da[dim].attrs if dim in da.coords else {}
    stated = attrs.get("axis") == "Z" or str(attrs.get("positive", "")).lower() in ("up", "down")
    return stated or is_depth(da, dim)


def set_title(drawn: Any, title: str) -> None:
    """Write a title above one map, or above all of a FacetGrid."""
    if hasattr(drawn, "axs"):
        drawn.fig.suptitle(title)
    else:
        drawn.axes.set_title(title)


def facet_title(da: xr.DataArray, place: Mapping[Hashable, Any]) -> str:
    """Return name, value and units of the dims of one facet."""
    return ", ".join(_place_text(da, dim, value) for dim, value in place.items())


def _place_text(da: xr.DataArray, dim: Hashable, value: Any) -> str:
    units = str(da[dim].attrs.get("units", "")) if dim in da.coords else ""
    number = isinstance(value, np.floating | float)
    text = f"{value:.6g}" if number else str(value).removesuffix(".000000000")
    return f"{dim} = {text} {units}".rstrip() if units not in ("", "1") else f"{dim} = {text}"
