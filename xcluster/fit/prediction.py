"""Label maps of a layout under a fitted chain, and whether other data fit it at all."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.checks import did_you_mean
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.blocks import matrix
from xcluster.fit.assign import Assign
from xcluster.fit.labels import FILL_VALUE, UNCLASSIFIED, Partition
from xcluster.grid.layout import (
    COLUMN,
    COORDINATE_TOLERANCE,
    LABEL,
    Layout,
    Variable,
    upright,
)
from xcluster.grid.samplers import Profiles

if TYPE_CHECKING:
    from xcluster.chain.anomaly import Climatology
    from xcluster.fit.fitted import Fitted
    from xcluster.grid.samplers import Sampler

Array = NDArray[Any]


def labels(layout: Layout, assign: Assign) -> xr.DataArray:
    """Return the label map, lazy where the layout is."""
    return as_labels(matrix.apply(layout, assign.labels), assign.partition)


def labels_of_rows(rows: xr.DataArray, layout: Layout, assign: Assign) -> xr.DataArray:
    """Return the labels that the fitted rows themselves got, chunked as the layout is."""
    clusterer = assign.clusterer
    of_row = assign.partition(clusterer.leaf_labels_[clusterer.leaf_])
    values = np.where(rows.values < 0, np.float32(np.nan), of_row[rows.values])
    placed = as_labels(rows.copy(data=values), assign.partition)
    return placed.chunk(layout.chunks) if layout.is_lazy else placed


def stored_labels(stored: xr.Dataset, partition: Partition) -> xr.DataArray:
    """Return labels as they were saved, unclassified where no membership exceeds the floor."""
    labels = stored["labels"]
    if partition.floor is not None:
        unclear = np.isfinite(labels) & ~(stored["memberships"].max(LABEL) > partition.floor)
        labels = labels.where(~unclear, np.float32(UNCLASSIFIED))
    return as_labels(labels, partition)


def memberships(layout: Layout, assign: Assign) -> xr.DataArray:
    """Return the memberships, over (``label``, sample dims)."""
    width = assign.partition.n_labels
    return as_memberships(matrix.apply(layout, assign.memberships, width=width))


def both(layout: Layout, assign: Assign) -> xr.Dataset:
    """Return labels and memberships from one pass over the data."""
    columns = matrix.apply(layout, assign.both, width=1 + assign.partition.n_labels)
    return xr.Dataset(
        {
            "labels": as_labels(columns.isel({COLUMN: 0}), assign.partition),
            "memberships": as_memberships(columns.isel({COLUMN: slice(1, None)})),
        }
    )


def distances(layout: Layout, assign: Assign) -> xr.DataArray:
    """Return the distance to the centre of each label, over (``label``, sample dims)."""
    width = assign.partition.n_labels
    columns = matrix.apply(layout, assign.distances, width=width)
    return _over_labels(columns, "distances", "distance to centre")


def as_labels(array: xr.DataArray, partition: Partition) -> xr.DataArray:
    """Name a label map and give it flags, and an encoding for files."""
    named = array.rename("labels").assign_attrs(partition.attrs)
    named.encoding = {"dtype": "int16", "_FillValue": FILL_VALUE}
    return named


def as_memberships(columns: xr.DataArray) -> xr.DataArray:
    """Name memberships."""
    return _over_labels(columns, "memberships", "membership").assign_attrs(units="1")


def recode(stored: xr.Dataset, mapping: Array) -> xr.Dataset:
    """Return stored labels and memberships with each label ``mapping[label]``."""
    partition = Partition(np.asarray(mapping))
    labels = stored["labels"]
    recoded = xr.apply_ufunc(
        _recode,
        labels,
        kwargs={"partition": partition},
        dask="parallelized",
        output_dtypes=[np.float32],
        keep_attrs=True,
    )
    out = stored.assign(labels=recoded)
    if "memberships" in stored:
        columns = stored["memberships"].transpose(..., LABEL)
        grouped = xr.apply_ufunc(
            partition.memberships,
            columns,
            input_core_dims=[[LABEL]],
            output_core_dims=[[COLUMN]],
            exclude_dims={LABEL},
            dask="allowed",
            keep_attrs=True,
        )
        out = out.drop_dims(LABEL).assign(memberships=as_memberships(grouped))
    return out


def _recode(labels: Array, partition: Partition) -> Array:
    known = np.isfinite(labels)
    return np.where(known, partition(np.where(known, labels, -1).astype(np.int64)), labels)


def _over_labels(columns: xr.DataArray, name: str, long_name: str) -> xr.DataArray:
    array = columns.rename({COLUMN: LABEL}).transpose(LABEL, ...)
    array = array.assign_coords({LABEL: np.arange(array.sizes[LABEL])})
    return array.rename(name).assign_attrs(long_name=long_name)


# --------------------------------------------------------------------------- does new data fit?


def as_dataset(data: Any, parameter: str = "data") -> xr.Dataset:
    """Return a Dataset of one's own; an unnamed DataArray becomes the variable "data"."""
    if isinstance(data, xr.Dataset):
        return data
    if not isinstance(data, xr.DataArray):
        rule = f"must be a Dataset or a DataArray, not {type(data).__name__}"
        remedy = "wrap it: xr.DataArray(...)"
        raise BadTypeError(parameter, type(data).__name__, rule, remedy)
    taken = {None, *data.coords, *data.dims}
    return data.to_dataset(name="data" if data.name in taken else data.name)


def as_named(data: Any, names: Sequence[Hashable]) -> xr.Dataset:
    """Return a Dataset; a DataArray of any name is the only variable there is."""
    if isinstance(data, xr.DataArray) and len(names) == 1:
        data = data.rename(names[0])
    return as_dataset(data, "new")


def new_layout(fitted: Fitted, new: Any) -> Layout:
    """Return the layout of other data, less the fitted climatology."""
    layout = _layout_in_order(new, fitted)
    if fitted.climatology is None:
        return layout
    data = as_named(new, list(fitted.template.data_vars))
    return _layout_in_order(_anomalies(data, fitted.climatology, fitted.template), fitted)


def _layout_in_order(data: Any, fitted: Fitted) -> Layout:
    """Return the layout of other data, whatever the order of its features."""
    layout = _arranged(data, fitted.sampler, fitted.template)
    variables = {
        name: _in_order(variable, fitted.template[name])
        for name, variable in layout.variables.items()
    }
    layout = replace(layout, variables=variables)
    _check_new(data, layout, fitted.sampler, fitted.template)
    return layout


def _in_order(variable: Variable, fitted: xr.DataArray) -> Variable:
    """Return a variable with its features in the fitted order; lazy where it is."""
    if variable.levels is not None:  # which are sorted, or were refused
        return variable
    array = variable.array
    places = _places(array, fitted.coords, fitted.dims)
    # Falling coordinates are turned round where rows are put together.
    moved = {
        dim: each for dim, each in places.items() if not _is_same_order(array[dim], fitted[dim])
    }
    return replace(variable, array=array.isel(moved)) if moved else variable


def _anomalies(data: xr.Dataset, climatology: Climatology, template: xr.Dataset) -> xr.Dataset:
    """Return data less a climatology, which is on the fitted grid and has to be met on it."""
    grid: dict[Hashable, xr.DataArray] = dict(template.coords)
    for dim, values in (climatology.coords or {}).items():
        grid[dim] = xr.DataArray(values, dims=dim)
    places = _places(data, grid, data.dims)
    there = {dim: _slice_or_array(each) for dim, each in places.items()}
    back = {dim: _slice_or_array(np.argsort(each)) for dim, each in places.items()}
    return climatology(data.isel(there)).isel(back)


def _slice_or_array(places: Array) -> slice | Array:
    """Return a slice for all places backwards: one step for dask, and a view in memory."""
    backwards = np.array_equal(places, np.arange(len(places))[::-1])
    return slice(None, None, -1) if backwards else places


def layout_like(data: Any, sampler: Sampler, template: xr.Dataset) -> Layout:
    """Return the layout of other data for the features of ``template``; list what is wrong."""
    layout = _arranged(data, sampler, template)
    _check_new(data, layout, sampler, template)
    return layout


def _check_new(data: Any, layout: Layout, sampler: Sampler, template: xr.Dataset) -> None:
    levels = sampler.dim if isinstance(sampler, Profiles) and sampler.step is None else None
    check_features("new", type(data).__name__, layout.features, template, levels)


def _arranged(data: Any, sampler: Sampler, template: xr.Dataset) -> Layout:
    names = list(template.data_vars)
    dataset = as_named(data, names)
    problems = [
        f"the variable {name!r} is missing; {did_you_mean(name, dataset.data_vars)}"
        for name in names
        if name not in dataset.data_vars
    ]
    if problems:
        raise _unfit("new", type(data).__name__, problems)
    return replace_names(sampler, names).arrange(dataset, like=template)


def check_features(
    parameter: str,
    given: str,
    features: xr.Dataset,
    template: xr.Dataset,
    levels: Hashable | None = None,
) -> None:
    """Refuse features that are not those of ``template``; list what is wrong.

    Parameters
    ----------
    parameter, given
        What the user passed, and of which type it was.
    features, template
        One sample of each, without values.
    levels
        The feature dim that a fit to regular levels would resample.
    """
    if list(features.data_vars) != list(template.data_vars):
        names = [list(map(str, each.data_vars)) for each in (features, template)]
        problems = [f"it has the variables {names[0]}, not {names[1]}"]
        raise _unfit(parameter, given, problems)
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
        remedy += f"; a fit with step= takes other levels of {levels!r}"
    return BadValueError(parameter, given, rule, remedy)


def _differences(new: xr.DataArray, fitted: xr.DataArray) -> list[str]:
    """Say in what a variable differs from the fitted one."""
    name = fitted.name
    if set(new.dims) != set(fitted.dims):
        return [f"{name!r} has the feature dims {list(new.dims)}, not {list(fitted.dims)}"]
    found = []
    units, expected = new.attrs.get("units"), fitted.attrs.get("units")
    if None not in (units, expected) and str(units).strip() != str(expected).strip():
        found.append(f"{name!r} has units {units!r}, not {expected!r}")
    for dim in fitted.dims:
        if new.sizes[dim] != fitted.sizes[dim]:
            found.append(f"{name!r} has {new.sizes[dim]} {dim!r}, not {fitted.sizes[dim]}")
        elif dim in new.coords and dim in fitted.coords:
            found += _coordinate_difference(name, new[dim], fitted[dim])
    return found


def _coordinate_difference(name: Hashable, new: xr.DataArray, fitted: xr.DataArray) -> list[str]:
    dim = fitted.dims[0]
    if not _is_same_set(new.values, fitted.values):
        return [f"{name!r} lies at other values of {dim!r}"]
    return [] if _is_same_order(new, fitted) else [f"{name!r} has another order of {dim!r}"]


def _is_same_set(new: Array, fitted: Array) -> bool:
    """Whether coordinates hold the same values, in any order."""
    ours, theirs = np.sort(new), np.sort(fitted)
    if ours.dtype.kind in "fiu" and theirs.dtype.kind in "fiu":
        # Of the largest value, as metres may be counted in 1e-9 as well.
        slack = COORDINATE_TOLERANCE * min(1.0, float(np.abs(theirs).max(initial=0)))
        return np.allclose(ours, theirs, rtol=COORDINATE_TOLERANCE, atol=slack)
    try:
        return bool(np.array_equal(ours, theirs))
    except TypeError:  # dates of two calendars cannot be compared
        return False


def _is_same_order(new: xr.DataArray, fitted: xr.DataArray) -> bool:
    """Whether rows hold features in one order, which for falling coordinates is turned round."""
    ours, theirs = (upright(each, each.dims).values for each in (new, fitted))
    return np.array_equal(np.argsort(ours, kind="stable"), np.argsort(theirs, kind="stable"))


def _places(
    new: xr.DataArray | xr.Dataset,
    fitted: Mapping[Hashable, xr.DataArray],
    dims: Iterable[Hashable],
) -> dict[Hashable, Array]:
    """Return where the fitted coordinates lie along those dims that hold them in another order."""
    places = {}
    for dim in dims:
        if dim not in fitted or dim not in new.coords or new.sizes[dim] != fitted[dim].size:
            continue
        ours, theirs = new[dim].values, fitted[dim].values
        if _is_same_set(ours, theirs):
            rank = np.argsort(np.argsort(theirs, kind="stable"))
            place = np.argsort(ours, kind="stable")[rank]
            if not np.array_equal(place, np.arange(len(place))):
                places[dim] = place
    return places
