"""Arrays of other libraries: those of pandas and pint become numpy, others are told by name."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.errors import BadTypeError

AnyObject = TypeVar("AnyObject", xr.Dataset, xr.DataArray)


def as_plain(data: AnyObject) -> AnyObject:
    """Return an object with numpy instead of pandas' nullable and arrow arrays, and of quantities.

    Missing values become NaN, and the units of a quantity an attribute. Nothing is read or
    computed, and what is plain already is not copied.
    """
    if isinstance(data, xr.DataArray):
        if not _is_foreign(data.variable):
            return data
        plain = _plain(data.variable)
        return data.copy(data=plain.data).assign_attrs(plain.attrs)
    changed = {name: _plain(each) for name, each in data.variables.items() if _is_foreign(each)}
    return data.assign(changed) if changed else data


def foreign_name(array: xr.DataArray) -> str:
    """Return the library and type of an array that is not numpy; empty for numpy and dask."""
    kind = type(_held(array.variable))
    library = kind.__module__.partition(".")[0]
    return "" if library in ("numpy", "xarray", "dask") else f"{library} {kind.__name__}"


def check_plain(parameter: str, value: Any, array: xr.DataArray) -> None:
    """Refuse an array of another library."""
    if foreign := foreign_name(array):
        rule = f"is an array of {foreign}, and only numpy and dask arrays can be clustered"
        raise BadTypeError(parameter, value, rule, "turn it into numpy: ds.as_numpy()")


def _held(variable: xr.Variable) -> Any:
    """Return the array of a variable, or an array like the blocks of one that is chunked."""
    held = variable._data  # `data` would read a file
    return held._meta if variable.chunks is not None and hasattr(held, "_meta") else held


def _is_foreign(variable: xr.Variable) -> bool:
    numeric = variable.dtype.kind in "fiub"
    return numeric and (not isinstance(variable.dtype, np.dtype) or _is_quantity(variable))


def _is_quantity(variable: xr.Variable) -> bool:
    held = _held(variable)
    return hasattr(held, "magnitude") and hasattr(held, "units")


def _plain(variable: xr.Variable) -> xr.Variable:
    if not isinstance(variable.dtype, np.dtype):
        return variable.copy(data=_of_pandas(variable.data))
    data, units = variable.data, str(_held(variable).units)
    if hasattr(data, "magnitude"):
        plain = data.magnitude
    else:  # chunks of quantities
        meta = np.empty((0,) * data.ndim, data.dtype)
        plain = data.map_blocks(attrgetter("magnitude"), dtype=data.dtype, meta=meta)
    return xr.Variable(variable.dims, plain, {**variable.attrs, "units": units})


def _of_pandas(array: Any) -> Array:
    """Return an array of pandas as numpy, with NaN in the smallest type that is exact."""
    dtype = getattr(array.dtype, "numpy_dtype", None) or array.dtype.subtype
    if array.isna().any():
        dtype = np.result_type(dtype, np.float32)
        return np.asarray(array.to_numpy(dtype=dtype, na_value=np.nan))
    return np.asarray(array.to_numpy(dtype=dtype))
