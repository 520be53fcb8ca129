"""Names of ours beside the user's, who may call dims, coordinates and variables what they like.

Where both would meet, either ours gives way, or the user is told to rename theirs: neither ever
takes the place of the other.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable

import xarray as xr

from xcluster.base.errors import BadValueError


def free(name: str, taken: Collection[Hashable]) -> str:
    """Return ``name``, with as many underscores behind it as it takes to be no other's."""
    while name in taken:
        name += "_"
    return name


def names_in(obj: xr.DataArray | xr.Dataset) -> set[Hashable]:
    """Return the names of all dims, coordinates and variables of an object."""
    return {*obj.dims, *obj.coords, *(obj.data_vars if isinstance(obj, xr.Dataset) else ())}


def check_free(obj: xr.DataArray | xr.Dataset, names: Iterable[Hashable]) -> None:
    """Refuse names of the user's that an array or a dim of the result has."""
    taken = [name for name in names if name in names_in(obj)]
    if taken:
        rule = "is the name of an array of the result"
        remedy = f"rename yours before the fit: ds.rename({taken[0]}='own_{taken[0]}')"
        raise BadValueError("coords", taken[0], rule, remedy)
