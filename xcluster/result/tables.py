"""Results as tables for pandas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import pandas as pd
import xarray as xr

from xcluster.chain.reduction import columns_of, feature_names, shown_components
from xcluster.fit.fitted import Fitted, number_of, samples_of
from xcluster.fit.labels import UNCLASSIFIED
from xcluster.fit.summary import label_sums
from xcluster.grid import areas
from xcluster.grid.layout import COLUMN, LABEL, Layout
from xcluster.grid.links import with_attrs
from xcluster.grid.names import check_free, free, names_in


def report(fitted: Fitted) -> pd.DataFrame:
    """Return one row per label; see `Clustering.report`."""
    samples = samples_of(fitted, "report")
    layout = samples.layout
    area = areas.cell_areas(layout.coords, samples.data, layout.sample_dims, layout.chunks)
    sums = label_sums(samples.layout, fitted.assign, area=area, labels=fitted.placed_labels)
    k, count = fitted.k, sums["samples"]
    weight = sums.get("weight", count)
    columns = {
        "name": [*fitted.partition.label_names(), "unclassified"],
        "samples": count,
        "share": weight / weight.sum(),
    }
    if area is not None:
        columns[f"area_{area.attrs['units']}"] = sums["area"] / _repeats(samples.layout, area)
    if "membership" in sums:
        mean = sums["membership"] / np.where(count > 0, count, np.nan)
        columns["membership"] = np.where(np.arange(k + 1) < k, mean, np.nan)
    frame = pd.DataFrame(columns, index=pd.Index([*range(k), UNCLASSIFIED], name=LABEL))
    frame = frame if count[k] else frame.iloc[:k]
    frame.attrs.update(method=fitted.method, notes=fitted.record.sentences())
    return frame


def _repeats(layout: Layout, area: xr.DataArray | None) -> int:
    """Return how often each cell is counted, for example once per time step."""
    dims = () if area is None else area.dims
    return int(np.prod([size for dim, size in layout.sizes.items() if dim not in dims]))


def samples_table(fitted: Fitted) -> pd.DataFrame:
    """Return one row per complete sample; see `Clustering.to_dataframe`.

    A column that would have the name of a coordinate of the user gets an underscore.
    """
    labels = fitted.labels
    arrays: dict[str, xr.DataArray] = {}
    for name, array in _columns(fitted):
        arrays[free(name, {*names_in(labels), *arrays})] = array.reset_coords(drop=True)
    table = xr.Dataset(arrays, labels.coords).compute()
    frame = table.to_dataframe(dim_order=list(labels.dims)).dropna(subset=[LABEL])
    return frame.astype({LABEL: int}).reset_index()


def _columns(fitted: Fitted) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield the name and the array of each column that is not a coordinate."""
    yield LABEL, fitted.labels
    chain, layout = fitted.assign.chain, samples_of(fitted, "to_dataframe").layout
    components = columns_of(layout, chain)
    n_components = components.sizes[COLUMN]
    components = components.isel({COLUMN: shown_components(chain, fitted.template, n_components)})
    numbered = [f"component_{number}" for number in range(n_components)]
    names = feature_names(fitted.template) if chain.keeps_columns else numbered
    for number, name in enumerate(names):
        yield name, components.isel({COLUMN: number})
    for number in range(fitted.k) if fitted.is_soft else ():
        yield f"membership_{number}", fitted.memberships.sel({LABEL: number}, drop=True)


def members(fitted: Fitted, label: int | str) -> xr.Dataset:
    """Return the variables at the samples of one label, and NaN at all other samples."""
    layout = samples_of(fitted, "members").layout
    data = xr.Dataset({name: layout.variables[name].array for name in layout.shown})
    return data.where(fitted.labels == number_of(fitted, label))


def mask(fitted: Fitted, labels: int | str | Sequence[int | str]) -> xr.DataArray:
    """Return where the samples of some labels are."""
    several = labels if isinstance(labels, list | tuple | range) else [cast("int | str", labels)]
    numbers = [number_of(fitted, each) for each in several]
    found = fitted.labels
    return with_attrs(found.isin(numbers).rename("mask"), {}, on=found)


def to_dataset(fitted: Fitted) -> xr.Dataset:
    """Return the labels and, for a soft method, the memberships as one Dataset."""
    arrays = {"labels": fitted.labels}
    if fitted.is_soft:
        arrays["memberships"] = fitted.memberships
    check_free(fitted.labels, arrays)
    return xr.Dataset(arrays, attrs=dict(fitted.attrs))


def alone(array: xr.DataArray) -> xr.Dataset:
    """Return an array of a result as a Dataset; beside a dim ``label`` the map is ``labels``."""
    name = "labels" if array.name == LABEL else str(array.name)
    check_free(array, [name])
    return array.to_dataset(name=name)
