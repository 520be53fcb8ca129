"""The coordinate reference system that a grid mapping states, and coordinates in its units."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import xarray as xr

from xcluster.base.errors import BadValueError
from xcluster.grid.areas import METRES
from xcluster.grid.links import grid_mapping_of


def stated_crs(da: xr.DataArray, axis: Hashable) -> Any:
    """Return the horizontal CRS of pyproj that the grid mapping of one axis states; None without.

    Raises
    ------
    ValueError
        If the grid mapping is not understood.
    """
    mapping = grid_mapping_of(da, axis)
    if mapping is None:
        return None
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    stated_as = ("crs_wkt", "spatial_ref", "EPSG_code")
    text = next((mapping.attrs[key] for key in stated_as if mapping.attrs.get(key)), None)
    try:
        stated = CRS.from_user_input(text) if text else CRS.from_cf(mapping.attrs)
    except (CRSError, KeyError, TypeError, ValueError) as error:
        rule = f"is not understood ({error})"
        remedy = f'state its CRS: ds[{mapping.name!r}].attrs = {{"spatial_ref": "EPSG:32633"}}'
        raise BadValueError("grid_mapping", mapping.name, rule, remedy) from error
    stated = stated.sub_crs_list[0] if stated.is_compound else stated
    return stated.source_crs if stated.is_bound else stated


def in_units_of(stated: Any, axis: xr.DataArray) -> xr.DataArray:
    """Return a coordinate in the unit of a CRS; angles of a geostationary view become lengths."""
    unit, first = str(axis.attrs.get("units")), stated.axis_info[0]
    metres = METRES.get(unit, first.unit_conversion_factor)
    if unit in ("rad", "radian", "radians"):
        metres = stated.to_cf().get("perspective_point_height", metres)
    factor = metres / first.unit_conversion_factor
    return axis if factor == 1 else (axis * factor).assign_attrs(axis.attrs, units=first.unit_name)
