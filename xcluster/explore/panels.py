"""Curves, fields and single values of samples, stored in 256 steps."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.blocks import matrix
from xcluster.grid.geography import find_axis
from xcluster.grid.names import free, names_in
from xcluster.plot.text import dim_text, is_depth, is_vertical, name_of, with_units

Kind = Literal["curve", "field", "values"]
Plan = tuple[Kind, list[Hashable], dict[Hashable, slice]]

MAX_LEVELS = 1024
MAX_SIDE = 64
MAX_PANELS = 4

MISSING = 255


@dataclass(frozen=True, eq=False)
class Panel:
    """One figure of the sample under the pointer.

    Parameters
    ----------
    kind
        A curve along one dim, a field over two, or single values of several variables.
    names
        Of the variables: one, but for "values".
    picked
        The entries that are shown along each feature dim.
    steps : uint8 array of shape (n, width)
        Values in steps; 255 where there is none.
    low, step : arrays of shape (width,)
        ``low + step * steps`` are the values.
    level : array of shape (width,)
        Position along a curve, or number of the value.
    titles
        What the axes along the levels and the values say; for values, the name of each.
    upright, downward
        Whether levels stand upwards, and whether they grow downwards.
    shape
        Rows and columns of a field.
    level_names
        Of single values, and of levels that are no numbers.
    dated
        Whether levels are dates, counted in milliseconds since 1970.
    """

    kind: Kind
    names: Sequence[Hashable]
    picked: Mapping[Hashable, slice]
    steps: Array
    low: Array
    step: Array
    level: Array
    titles: Sequence[str]
    upright: bool = False
    downward: bool = False
    shape: tuple[int, int] = (1, 1)
    level_names: Sequence[str] = ()
    dated: bool = False

    def of(self, data: xr.Dataset, dim: Hashable) -> Array:
        """Return the panel's values of each entry of ``dim``, shape (entries, width)."""
        return _columns(data, self.names, self.picked, dim)


def stored_width(features: xr.Dataset) -> int:
    """Return how many bytes one sample takes."""
    return sum(
        int(np.prod([features[name].isel(picked).size for name in names]))
        if kind != "values"
        else len(names)
        for kind, names, picked in _plan(features)
    )


def panels_of(features: xr.Dataset, rows: Array) -> tuple[list[Panel], list[str]]:
    """Return the figures of samples, and what a reader should know of them.

    Parameters
    ----------
    features
        One sample without values.
    rows : array of shape (n, n_features)
    """
    sample = free("sample", names_in(features))
    data = matrix.unpack(features, rows, sample, np.arange(len(rows)))
    plans = _plan(features)
    panels = [_panel(plan, data, sample) for plan in plans]
    shown = {name for _, names, _ in plans for name in names}
    notes = ["values stored in 255 steps from the least to the greatest"]
    left = [str(name) for name in features.data_vars if name not in shown]
    if left:
        notes.append(f"not shown: {', '.join(left)}")
    strided = {dim: abs(each.step) for _, _, picked in plans for dim, each in picked.items()}
    notes += [f"1 of {step} entries along {dim}" for dim, step in strided.items() if step > 1]
    return panels, notes


def _plan(features: xr.Dataset) -> list[Plan]:
    """Return kind, variables and strides along feature dims of each panel."""
    limits = {1: MAX_LEVELS, 2: MAX_SIDE}
    single = [name for name, array in features.data_vars.items() if array.ndim == 0]
    others = [name for name, array in features.data_vars.items() if array.ndim in (1, 2)]
    plans: list[Plan] = []
    for array in (features[name] for name in others[: MAX_PANELS - bool(single)]):
        picked = {dim: _stride(array, dim, limits[array.ndim]) for dim in array.dims}
        plans.append(("curve" if array.ndim == 1 else "field", [array.name], picked))
    return [*plans, ("values", single, {})] if single else plans


def _stride(array: xr.DataArray, dim: Hashable, limit: int) -> slice:
    """Return the entries of ``dim`` that are shown; a field has the north at its top."""
    step = -(-array.sizes[dim] // limit)
    latitude = find_axis(dict(array.coords), "latitude")
    from_south = (
        array.ndim == 2
        and latitude is not None
        and latitude.dims == (dim,)
        and bool(latitude[0] < latitude[-1])
    )
    return slice(None, None, -step if from_south else step)


def _panel(plan: Plan, data: xr.Dataset, sample: Hashable) -> Panel:
    kind, names, picked = plan
    steps, low, step = in_steps(_columns(data, names, picked, sample))
    array = data[names[0]].isel(picked)
    dims = [dim for dim in array.dims if dim != sample]
    given = (kind, names, picked, steps, low, step)
    if kind == "values":
        places, titles = np.arange(len(names)), [with_units(data[name]) for name in names]
        return Panel(*given, places, titles, level_names=[str(name) for name in names])
    if kind == "field":
        shape = array.sizes[dims[0]], array.sizes[dims[1]]
        titles = [dim_text(array, dims[1]), dim_text(array, dims[0]), with_units(array)]
        return Panel(*given, np.arange(len(low)), titles, shape=shape)
    levels, texts = _levels(array[dims[0]].values)
    upright, downward = is_vertical(array, dims[0]), is_depth(array, dims[0])
    titles = [dim_text(array, dims[0]), with_units(array) or name_of(array)]
    dated = array[dims[0]].dtype.kind == "M"
    return Panel(*given, levels, titles, upright, downward, level_names=texts, dated=dated)


def _levels(values: Array) -> tuple[Array, list[str]]:
    """Return the positions of levels along a curve, and their names where they are no numbers.

    Examples
    --------
    >>> _levels(np.array(["1970-01-02"], "datetime64[ns]"))
    (array([86400000.]), ['1970-01-02'])
    """
    if values.dtype.kind in "iuf":
        return values.astype(float), []
    if values.dtype.kind == "M":
        since = np.asarray((values - np.datetime64(0, "s")) / np.timedelta64(1, "ms"))
        return since, [str(text) for text in np.datetime_as_string(values, "auto")]
    # Dates of other calendars too, which mostly are of whole days.
    names = [str(value).removesuffix(" 00:00:00") for value in values]
    return np.arange(float(len(values))), names


def _columns(
    data: xr.Dataset, names: Sequence[Hashable], picked: Mapping[Hashable, slice], dim: Hashable
) -> Array:
    chosen = [data[name].isel(picked) for name in names]
    rows = [each.transpose(dim, ...).values for each in chosen]
    columns = [each.reshape(len(each), int(np.prod(each.shape[1:]))) for each in rows]
    return np.concatenate(columns, axis=1).astype(np.float32)


def in_steps(values: Array) -> tuple[Array, Array, Array]:
    """Return values as steps of 0 to 254 of each column, and least value and size of the steps.

    Examples
    --------
    >>> steps, low, step = in_steps(np.array([[0.0], [1.0], [np.nan]]))
    >>> steps.ravel(), low + 254 * step
    (array([  0, 254, 255], dtype=uint8), array([1.]))
    """
    finite = np.isfinite(values)
    low = np.where(finite, values, np.inf).min(axis=0, initial=np.inf)
    high = np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf)
    low, high = (np.where(finite.any(axis=0), each, 0.0) for each in (low, high))
    step = (high - low) / (MISSING - 1)
    shares = (np.where(finite, values, low) - low) / np.where(step > 0, step, 1.0)
    return np.where(finite, np.rint(shares), MISSING).astype(np.uint8), low, step
