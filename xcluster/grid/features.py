"""Whether other data have the features of a fit, and in which order."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.checks import did_you_mean
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.grid.columns import Like
from xcluster.grid.foreign import as_plain
from xcluster.grid.layout import COORDINATE_TOLERANCE, Layout, upright
from xcluster.grid.samplers import Profiles, Sampler

AnyData = TypeVar("AnyData", xr.Dataset, xr.DataArray)


def as_dataset(data: Any, parameter: str = "data") -> xr.Dataset:
    """Return data as a Dataset of numpy; an unnamed DataArray becomes the variable "data"."""
    if isinstance(data, xr.Dataset):
        return as_plain(data)
    if not isinstance(data, xr.DataArray):
        rule = f"must be a Dataset or a DataArray, not {type(data).__name__}"
        raise BadTypeError(parameter, type(data).__name__, rule, "wrap it: xr.DataArray(...)")
    taken = {None, *data.coords, *data.dims}
    return as_plain(data.to_dataset(name="data" if data.name in taken else data.name))


def as_named(data: Any, names: Sequence[Hashable]) -> xr.Dataset:
    """Return data as a Dataset; a DataArray of any name becomes the only variable expected."""
    if isinstance(data, xr.DataArray) and len(names) == 1:
        data = data.rename(names[0])
    return as_dataset(data, "new")


def layout_like(data: Any, sampler: Sampler, template: xr.Dataset) -> Layout:
    """Return the layout of other data; refuse features that differ from those of ``template``."""
    layout = arranged(data, sampler, template)
    check_new(data, layout, sampler, template)
    return layout


def arranged(data: Any, sampler: Sampler, template: xr.Dataset) -> Layout:
    """Return the layout of other data with the variables and columns of ``template``.

    No variable may be missing.
    """
    names = list(template.data_vars)
    dataset = as_named(data, names)
    problems = [
        f"the variable {name!r} is missing; {did_you_mean(name, dataset.data_vars)}"
        for name in names
        if name not in dataset.variables
    ]
    if problems:
        raise _unfit("new", type(data).__name__, problems)
    layout = replace_names(sampler, names).arrange(dataset, like=template)
    return Like.fitted(template).of(layout)


def fitted_entries(data: AnyData, template: xr.Dataset) -> AnyData:
    """Return data with the fitted entries of dims that have more; they are found by coordinate.

    A dim that lacks some of them is returned as it is, and refused later.
    """
    found = {
        dim: _entries(data.indexes[dim], template.indexes[dim])
        for dim in template.dims
        if dim in data.indexes and dim in template.indexes
        if data.sizes[dim] > template.sizes[dim]
    }
    return data.isel({dim: each for dim, each in found.items() if each is not None})


def _entries(ours: pd.Index[Any], theirs: pd.Index[Any]) -> Array | None:
    """Return the places of ``theirs`` in ``ours``, rising; None if not each has exactly one."""
    if not (ours.is_unique and theirs.is_unique):
        return None
    if ours.dtype.kind in "fiu" and theirs.dtype.kind in "fiu":
        order, wanted = np.argsort(ours.values), theirs.values.astype(float)
        slack = _slack(wanted) + COORDINATE_TOLERANCE * np.abs(wanted)
        first = np.searchsorted(ours.values[order], wanted - slack)
        after = np.searchsorted(ours.values[order], wanted + slack, side="right")
        return np.sort(order[first]) if (after - first == 1).all() else None
    place = np.sort(_known_places(ours, theirs))
    return None if place[0] < 0 else place


def _known_places(ours: pd.Index[Any], theirs: pd.Index[Any]) -> Array:
    """Return the place of each entry of ``theirs`` in ``ours``, or -1."""
    try:
        return np.asarray(ours.unique().get_indexer(theirs))
    except TypeError:  # dates of two calendars cannot be compared
        return np.full(len(theirs), -1)


def check_new(data: Any, layout: Layout, sampler: Sampler, template: xr.Dataset) -> None:
    """Refuse other data whose features differ from those of ``template``."""
    levels = sampler.dim if isinstance(sampler, Profiles) and sampler.step is None else None
    check_features("new", type(data).__name__, layout.features, template, levels)


def check_features(
    parameter: str,
    given: str,
    features: xr.Dataset,
    template: xr.Dataset,
    levels: Hashable | None = None,
) -> None:
    """Refuse features that differ from those of ``template``; the error lists all differences.

    Parameters
    ----------
    parameter, given
        The parameter that the user passed, and the type of its value.
    features, template
        One sample without values, of the data and of the fit.
    levels
        The feature dim that a fit with ``step=`` would resample.
    """
    if list(features.data_vars) != list(template.data_vars):
        names = [list(map(str, each.data_vars)) for each in (features, template)]
        raise _unfit(parameter, given, [f"it has the variables {names[0]} instead of {names[1]}"])
    problems = [
        problem
        for name in template.data_vars
        for problem in _differences(features[name], template[name])
    ]
    if problems:
        raise _unfit(parameter, given, problems, levels)


def replace_names(sampler: Sampler, names: list[Hashable]) -> Sampler:
    """Return the sampler for exactly these variables."""
    assert is_dataclass(sampler)
    return replace(sampler, vars=tuple(names))


def _unfit(
    parameter: str, given: str, problems: list[str], levels: Hashable | None = None
) -> BadValueError:
    rule = "does not fit the clustering: " + "; ".join(problems)
    remedy = "rename, select or interpolate it to match"
    if levels is not None and any(repr(levels) in problem for problem in problems):
        remedy += f", or fit with step=, which accepts other levels of {levels!r}"
    return BadValueError(parameter, given, rule, remedy)


def _differences(new: xr.DataArray, fitted: xr.DataArray) -> list[str]:
    """Return the differences between a variable and the fitted one, as text."""
    name = fitted.name
    if set(new.dims) != set(fitted.dims):
        return [f"{name!r} has the feature dims {list(new.dims)}, not {list(fitted.dims)}"]
    found = _other_units(name, new, fitted)
    for dim in fitted.dims:
        if dim in new.coords and dim in fitted.coords:
            found += _other_units(dim, new[dim], fitted[dim])
        if new.sizes[dim] != fitted.sizes[dim]:
            n, expected_n = new.sizes[dim], fitted.sizes[dim]
            found.append(f"{name!r} has {n} points along {dim!r}, not {expected_n}")
            if n > expected_n:
                found[-1] += _why_not_chosen(new, fitted, dim)
        elif dim in new.coords and dim in fitted.coords:
            if not _is_same_set(new[dim].values, fitted[dim].values):
                found.append(f"{name!r} has other values of {dim!r}")
            elif not is_same_order(new[dim], fitted[dim]):
                found.append(f"{name!r} has another order of {dim!r}")
    return found


def _other_units(name: Hashable, new: xr.DataArray, fitted: xr.DataArray) -> list[str]:
    """Return as text that an array has other units than the fitted one, where both are known."""
    units, expected = new.attrs.get("units"), fitted.attrs.get("units")
    if None in (units, expected) or str(units).strip() == str(expected).strip():
        return []
    return [f"{name!r} has the units {units!r}, not {expected!r}"]


def _why_not_chosen(new: xr.DataArray, fitted: xr.DataArray, dim: Hashable) -> str:
    """Say why the fitted entries were not found among more."""
    if dim not in new.indexes or dim not in fitted.indexes:
        return ", and no coordinates tell which of them"
    known = _known_places(new.indexes[dim], fitted.indexes[dim])
    lacking = list(fitted.indexes[dim][known < 0])
    return f", and {lacking[0]!r} is not among them" if lacking else ""


def _is_same_set(new: Array, fitted: Array) -> bool:
    """Whether coordinates hold the same values, in any order."""
    ours, theirs = np.sort(new), np.sort(fitted)
    if ours.dtype.kind in "fiu" and theirs.dtype.kind in "fiu":
        return np.allclose(ours, theirs, rtol=COORDINATE_TOLERANCE, atol=_slack(theirs))
    try:
        return bool(np.array_equal(ours, theirs))
    except TypeError:  # dates of two calendars cannot be compared
        return False


def _slack(fitted: Array) -> float:
    """Return how far numbers near 0 may differ from fitted ones."""
    # Relative to the largest value: coordinates may be metres of the order of 1e-9.
    return COORDINATE_TOLERANCE * min(1.0, float(np.abs(fitted).max(initial=0)))


def is_same_order(new: xr.DataArray, fitted: xr.DataArray) -> bool:
    """Whether rows have features in the same order; falling coordinates are reversed for rows."""
    ours, theirs = (upright(each, each.dims).values for each in (new, fitted))
    return np.array_equal(np.argsort(ours, kind="stable"), np.argsort(theirs, kind="stable"))


def places(
    new: xr.DataArray | xr.Dataset,
    fitted: Mapping[Hashable, xr.DataArray],
    dims: Iterable[Hashable],
) -> dict[Hashable, Array]:
    """Return the positions of the fitted coordinates, along dims that have another order."""
    found = {}
    for dim in dims:
        if dim not in fitted or dim not in new.coords or new.sizes[dim] != fitted[dim].size:
            continue
        ours, theirs = new[dim].values, fitted[dim].values
        if _is_same_set(ours, theirs):
            rank = np.argsort(np.argsort(theirs, kind="stable"))
            place = np.argsort(ours, kind="stable")[rank]
            if not np.array_equal(place, np.arange(len(place))):
                found[dim] = place
    return found
