"""Which cells of a field have data in at least one sample; land in a field of the sea has none."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from functools import partial

import numpy as np
import xarray as xr

from xcluster.grid.layout import Cells, Kept, Layout, Variable, flat_cells


def with_cells(layout: Layout) -> Layout:
    """Return the layout that knows which cells are features; they are read when first needed."""
    variables = {name: _with_cells(variable) for name, variable in layout.variables.items()}
    return replace(layout, variables=variables)


def _with_cells(variable: Variable) -> Variable:
    if variable.cells is None or variable.cells.find is not None:
        return variable
    if not variable.feature_dims:  # a single number is a feature, whether it has data or not
        return replace(variable, cells=None)
    return replace(variable, cells=Cells(partial(_find, variable.array, variable.feature_dims)))


def _find(array: xr.DataArray, dims: tuple[Hashable, ...]) -> Kept | None:
    return flat_cells(_with_data(array, dims), dims) if array.dtype.kind == "f" else None


def _with_data(array: xr.DataArray, dims: tuple[Hashable, ...]) -> xr.DataArray:
    others = [dim for dim in array.dims if dim not in dims]
    if array.chunks is not None:
        axes = tuple(array.get_axis_num(others))
        # Methods of the array, not functions of xarray: these fail with dask's query planning.
        present = (array.data == array.data).any(axis=axes)
        return array.isel(dict.fromkeys(others, 0)).copy(data=present).compute()
    found = array.isel(dict.fromkeys(others, 0)).notnull().copy()
    lacking = np.nonzero(~found.values)
    if len(lacking[0]):  # look only at the few cells that the first sample lacks
        fields = array.transpose(*others, *found.dims).values
        present = ~np.isnan(fields[(slice(None),) * len(others) + lacking])
        found.values[lacking] = present.reshape(-1, len(lacking[0])).any(axis=0)
    return found
