"""Links of CF: by attributes a variable names its grid mapping and its further coordinates."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence

import xarray as xr

from xcluster.grid.geography import is_geographic

GRID_MAPPING = "grid_mapping"
KINDS = (GRID_MAPPING, "coordinates")
STATES_CRS = ("grid_mapping_name", "crs_wkt", "spatial_ref")
"""Attributes of which every grid mapping has one."""
SPATIAL_REF = "spatial_ref"
"""Name of the grid mapping that is made of an attribute."""
INIT = re.compile(r"^\+?init=")
"""How PROJ 4 began what names a CRS by authority and code."""
TRANSFORM = "GeoTransform"

Coords = Mapping[Hashable, xr.DataArray]


def linked(variable: xr.DataArray | xr.Variable, kind: str) -> dict[str, list[str]]:
    """Return the names that an attribute of a variable links, whether it was decoded or not.

    Of a grid mapping in the long form, ``"crs: x y other: lat lon"``, each name comes with its
    coordinates.
    """
    text = _text(variable, kind)
    if ":" not in text:
        return {word: [] for word in text.split()}
    parts = [part.split() for part in text.split(":")]
    heads = [words[-1] for words in parts[:-1] if words]
    tails = [words[:-1] for words in parts[1:-1]] + parts[-1:]
    return dict(zip(heads, tails, strict=False))


def _text(variable: xr.DataArray | xr.Variable, kind: str) -> str:
    text = variable.attrs.get(kind, variable.encoding.get(kind))
    return text if isinstance(text, str) else ""


def selected(data: xr.Dataset, names: Sequence[Hashable]) -> xr.Dataset:
    """Return some variables, with all that they link as coordinates.

    In files that were opened without ``decode_coords="all"`` a grid mapping is a data variable. If
    nothing but an attribute ``crs`` states it, there is a coordinate for it, which files can hold.
    """
    pairs = [(name, link) for name in names for kind in KINDS for link in linked(data[name], kind)]
    others = [(name, link) for name, link in pairs if link in data.data_vars and link not in names]
    lie_within = dict.fromkeys(b for a, b in others if set(data[b].dims) <= set(data[a].dims))
    chosen = data[[*names, *lie_within]].set_coords(lie_within)
    stated = _crs_in_attrs([chosen, *chosen.data_vars.values()], chosen.coords)
    free = stated is not None and SPATIAL_REF not in data.variables
    return chosen.assign_coords({SPATIAL_REF: stated}) if free else chosen


def _crs_in_attrs(
    objects: Iterable[xr.Dataset | xr.DataArray], coords: Coords
) -> xr.DataArray | None:
    """Return the grid mapping that attributes ``crs`` state as text.

    None if they state none or several, and where coordinates say where data lie.
    """
    texts = {each.attrs["crs"] for each in objects if isinstance(each.attrs.get("crs"), str)}
    if len(texts) != 1 or any(map(states_crs, coords.values())) or is_geographic(coords):
        return None
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        stated = CRS.from_user_input(INIT.sub("", texts.pop()))
    except CRSError:
        return None
    return xr.DataArray(0, name=SPATIAL_REF, attrs={**stated.to_cf(), SPATIAL_REF: stated.to_wkt()})


def links_of(arrays: Iterable[xr.DataArray], coords: Coords) -> dict[str, str]:
    """Return the attribute by which results over ``coords`` name their grid mapping, if any.

    Arithmetic drops encodings, so that a coordinate that states a CRS counts without a link too.
    """
    for array in arrays:
        names = linked(array, GRID_MAPPING)
        if names and all(name in coords for name in names):
            return {GRID_MAPPING: _text(array, GRID_MAPPING)}
    stated = [str(name) for name, coord in coords.items() if states_crs(coord)]
    return {GRID_MAPPING: stated[0]} if len(stated) == 1 else {}


def with_axes(coords: Coords) -> dict[Hashable, xr.DataArray]:
    """Return coordinates, of which ``x`` and ``y`` say which axis they are if nothing else does.

    Without ``axis`` or ``standard_name`` GDAL does not read where a grid lies.
    """
    unsaid = [
        name
        for name, coord in coords.items()
        if name in ("x", "y", "X", "Y") and not {"axis", "standard_name"} & coord.attrs.keys()
    ]
    return {**coords, **{n: coords[n].assign_attrs(axis=str(n).upper()) for n in unsaid}}


def on_other_grid(data: xr.Dataset) -> xr.Dataset:
    """Return data whose grid mappings do not state the corner and spacing of an earlier grid."""
    stated = {name: each for name, each in data.coords.items() if TRANSFORM in each.attrs}
    attrs = {n: {k: v for k, v in e.attrs.items() if k != TRANSFORM} for n, e in stated.items()}
    bare = {name: each.drop_attrs().assign_attrs(attrs[name]) for name, each in stated.items()}
    return data.assign_coords(bare)


def grid_mapping_of(array: xr.DataArray, axis: Hashable) -> xr.DataArray | None:
    """Return the grid mapping of one coordinate of an array; None if it has none."""
    found = linked(array.assign_attrs(links_of([array], array.coords)), GRID_MAPPING)
    names = [name for name, coords in found.items() if axis in coords] or list(found)
    if not names:
        return _crs_in_attrs([array], array.coords)
    return array.coords.get(names[0])


def is_linked(array: xr.DataArray) -> bool:
    """Whether a result names its grid mapping."""
    return GRID_MAPPING in array.attrs


def states_crs(coord: xr.DataArray) -> bool:
    """Whether a coordinate is a grid mapping."""
    return not coord.dims and any(key in coord.attrs for key in STATES_CRS)


def unlinked(attrs: Mapping[str, object]) -> dict[str, object]:
    """Return attributes without links to variables on the grid."""
    return {key: value for key, value in attrs.items() if key not in KINDS}


def with_attrs(array: xr.DataArray, attrs: Mapping[str, object], on: xr.DataArray) -> xr.DataArray:
    """Return an array with these attributes only, and the grid mapping of the array ``on``.

    Coordinates keep their attributes, which say where the array lies.
    """
    links = {key: value for key, value in on.attrs.items() if key == GRID_MAPPING}
    return array.drop_attrs(deep=False).assign_attrs({**links, **attrs})
