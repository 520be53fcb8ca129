"""Labels of data that were not fitted."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.checks import check_flag
from xcluster.base.errors import BadValueError
from xcluster.chain.anomaly import Climatology
from xcluster.fit import prediction
from xcluster.fit.fitted import Fitted, labelled_dim, need_soft
from xcluster.grid.features import (
    arranged,
    as_named,
    check_new,
    fitted_entries,
    is_same_order,
    places,
)
from xcluster.grid.layout import Layout, Variable
from xcluster.grid.links import selected
from xcluster.grid.names import free, names_in
from xcluster.grid.samplers import Profiles, Snapshots


def predict(fitted: Fitted, new: Any, memberships: bool) -> xr.DataArray | xr.Dataset:
    """Return the labels of other data, and memberships on request; lazy if the data are lazy."""
    if check_flag("memberships", memberships):
        need_soft(fitted, "memberships")
    single = _single(fitted, new)
    if single is not None:
        dims, data = single
        return predict(fitted, data, memberships).isel(dict.fromkeys(dims, 0))
    layout = new_layout(fitted, new)
    if not memberships:
        return prediction.labels(layout, fitted.assign)
    return labelled_dim(fitted, prediction.both(layout, fitted.assign))


def new_layout(fitted: Fitted, new: Any) -> Layout:
    """Return the layout of other data, minus the fitted climatology."""
    if fitted.source.rows is not None:
        rule = "labels follow from the places of the fitted samples, which other data do not have"
        remedy = "use fit.labels, or cluster without contiguous=, a graph or given distances"
        raise BadValueError("method", fitted.method_name, rule, remedy)
    data = as_named(new, list(fitted.template.data_vars))
    if getattr(fitted.sampler, "step", None) is None:  # levels are resampled otherwise
        # The object itself, as errors say what was passed.
        new, data = (fitted_entries(each, fitted.template) for each in (new, data))
    layout = _layout_in_order(new, fitted)
    if fitted.climatology is None:
        return layout
    return _layout_in_order(_anomalies(data, fitted.climatology, fitted.template), fitted)


def _single(fitted: Fitted, new: Any) -> tuple[tuple[Hashable, ...], xr.Dataset] | None:
    """Return a single sample, such as a pixel, over new dims of size 1; None if it is none."""
    names = list(fitted.template.data_vars)
    data = as_named(new, names)
    if not set(names) <= set(data.variables):
        return None
    along = getattr(fitted.sampler, "along", None)
    data = selected(data, [*names, *([along] if along in data.data_vars else [])])
    sampler, features = fitted.sampler, set(fitted.template.dims)
    if isinstance(sampler, Profiles):  # levels of its own along each column have another name
        features.add(sampler.dim)
    if not {dim for name in names for dim in data[name].dims} <= features:
        return None
    if isinstance(sampler, Snapshots):
        dims = sampler.dim if isinstance(sampler.dim, tuple) else (sampler.dim,)
    else:
        dims = (free("sample", names_in(data)),)
    positions = [name for name in names if name in data.coords and name not in dims]
    return dims, data.reset_coords(positions).expand_dims(list(dims))


def _layout_in_order(data: Any, fitted: Fitted) -> Layout:
    """Return the layout of other data, with its features in the fitted order."""
    layout = arranged(data, fitted.sampler, fitted.template)
    layout = layout.with_each(lambda name, each: _in_order(each, fitted.template[name]))
    check_new(data, layout, fitted.sampler, fitted.template)
    return layout


def _in_order(variable: Variable, fitted: xr.DataArray) -> Variable:
    """Return a variable with its features in the fitted order; lazy if it is lazy."""
    if variable.levels is not None:  # levels are sorted; others have been refused
        return variable
    array = variable.array
    found = places(array, fitted.coords, fitted.dims)
    # Falling coordinates are reversed later, when rows are made.
    moved = {dim: each for dim, each in found.items() if not is_same_order(array[dim], fitted[dim])}
    return replace(variable, array=array.isel(moved)) if moved else variable


def _anomalies(data: xr.Dataset, climatology: Climatology, template: xr.Dataset) -> xr.Dataset:
    """Return data minus a climatology; both must have the order of the fitted grid for it."""
    grid: dict[Hashable, xr.DataArray] = dict(template.coords)
    for dim, values in (climatology.coords or {}).items():
        grid[dim] = xr.DataArray(values, dims=dim)
    found = places(data, grid, data.dims)
    there = {dim: _slice_or_array(each) for dim, each in found.items()}
    back = {dim: _slice_or_array(np.argsort(each)) for dim, each in found.items()}
    return climatology(data.isel(there)).isel(back)


def _slice_or_array(places: Array) -> slice | Array:
    """Return places as a slice if they only reverse an axis: cheap for dask, a view in memory."""
    backwards = np.array_equal(places, np.arange(len(places))[::-1])
    return slice(None, None, -1) if backwards else places
