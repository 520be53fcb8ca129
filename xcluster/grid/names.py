"""Names that the package adds to results, and names of the user, which can be any.

If both are the same, either the package takes another name, or an error asks the user to rename
theirs. One array never replaces the other.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable

import xarray as xr

from xcluster.base.errors import BadValueError


def free(name: str, taken: Collection[Hashable]) -> str:
    """Return ``name``, with underscores appended until it is not one of the names ``taken``."""
    while name in taken:
        name += "_"
    return name


def names_in(obj: xr.DataArray | xr.Dataset) -> set[Hashable]:
    """Return the names of all dims, coordinates and variables of an object."""
    return {*obj.dims, *obj.coords, *(obj.data_vars if isinstance(obj, xr.Dataset) else ())}


def check_free(obj: xr.DataArray | xr.Dataset, names: Iterable[Hashable]) -> None:
    """Refuse names of the user that arrays or dims of the result have."""
    taken = [name for name in names if name in names_in(obj)]
    if taken:
        rule = "has the name of an array of the result"
        remedy = f"rename yours before the fit: ds.rename({taken[0]}='own_{taken[0]}')"
        raise BadValueError("coords", taken[0], rule, remedy)
