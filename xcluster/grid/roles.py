"""Which variables describe others or say where data lie, as the conventions of CF tell it."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import xarray as xr

NAMED_AS = {
    "bounds": "bounds",
    "climatology": "climatology",
    "grid_mapping": "grid mapping",
    "cell_measures": "cell measures",
    "ancillary_variables": "ancillary data",
    "coordinates": "coordinates",
}
"""Attributes of a variable that name others, and what those hold."""

COORDINATES = frozenset(
    (
        *("latitude", "longitude", "grid_latitude", "grid_longitude"),
        *("depth", "height", "altitude", "model_level_number", "realization"),
        *("time", "forecast_reference_time", "forecast_period"),
        *("radiation_wavelength", "radiation_frequency", "cell_area", "cell_thickness"),
    )
)
"""Standard names of what says where or when, or how large a cell is."""

COORDINATE_ENDS = ("_coordinate", "_coordinate_g1", "_coordinate_g2")
DEGREES = re.compile(r"degrees?(_north|_east|_?[NE])")
"""Units that only latitudes and longitudes have."""

CELL_AREA = re.compile(
    r"(cell|grid(_?cell)?|node|face|element|pixel|[tuvqfw])_?area|area_?(cell[ao]?|[tuvqfw])"
    r"|.*\barea of .*(cell|node|face|element|pixel)s?|.*\b(cell|node|face|element|pixel)s? area"
)
"""Names and long names of areas of cells; other areas, as of ice or fires, are measured."""

EARTH_AREA = re.compile(r"(k|c)?m(\^|\*\*)?2|(kilo|centi)?met(er|re)s?(\^|\*\*)?2")
"""Units of areas on Earth. Those of cells under a microscope are measured."""

FLAGS = ("flag_meanings", "flag_masks", "flag_values")
NAME_ENDS = {
    "_bnds": "holds bounds",
    "_bounds": "holds bounds",
    "_qc": "holds flags",
    "_error": "holds errors",
}


def describing(data: xr.Dataset) -> dict[Hashable, str]:
    """Return the variables that are no measured quantity of their own, and for each one why."""
    found: dict[Hashable, str] = {}
    for name, variable in data.variables.items():
        for named, what in _named_by({**variable.encoding, **variable.attrs}):
            if named in data.data_vars and named != name:
                found[named] = f"holds the {what} of another variable"
    own = {name: _own_role(name, array.attrs) for name, array in data.data_vars.items()}
    return found | {name: role for name, role in own.items() if role and name not in found}


def _named_by(attrs: Mapping[Any, Any]) -> Iterable[tuple[str, str]]:
    """Return the names that the attributes of a variable hold, and what each name stands for."""
    held = dict(NAMED_AS)
    if attrs.get("cf_role") == "mesh_topology":
        kinds = ("connectivity", "coordinates")
        held |= {key: kind for key in map(str, attrs) for kind in kinds if key.endswith(f"_{kind}")}
    for key, what in held.items():
        text = str(attrs.get(key, ""))
        # "crs: x y" names a grid mapping, but "area: areacello" the kind of a measure.
        for word in (text.replace(":", " ") if key == "grid_mapping" else text).split():
            if not word.endswith(":"):
                yield word, what


def _own_role(name: Hashable, attrs: Mapping[Any, Any]) -> str:
    """Return why a variable is no measured quantity, from its own attributes and name."""
    if "cf_role" in attrs:
        return f"has the cf_role {attrs['cf_role']!r}"
    stated = str(attrs.get("standard_name", ""))
    if any(flag in attrs for flag in FLAGS) or stated.endswith("_flag"):
        return "holds flags"
    standard, *modifiers = stated.split() or [""]
    if modifiers:
        return f"holds the {modifiers[0].replace('_', ' ')} of another variable"
    if standard in COORDINATES or standard.endswith(COORDINATE_ENDS):
        return f"has the standard_name {standard!r}"
    if "axis" in attrs or DEGREES.fullmatch(str(attrs.get("units"))):
        return "is a coordinate"
    names = str(name).lower(), str(attrs.get("long_name")).lower()
    if EARTH_AREA.fullmatch(str(attrs.get("units"))) and any(map(CELL_AREA.fullmatch, names)):
        return "holds areas of cells"
    ends = (role for end, role in NAME_ENDS.items() if str(name).lower().endswith(end))
    return next(ends, "")
