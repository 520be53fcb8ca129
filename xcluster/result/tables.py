"""Results as tables for pandas."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr

from xcluster.base.errors import BadValueError
from xcluster.fit.fitted import Fitted, number_of, samples_of
from xcluster.fit.labels import UNCLASSIFIED
from xcluster.fit.summary import label_sums
from xcluster.grid import geography
from xcluster.grid.layout import LABEL, Layout


def report(fitted: Fitted) -> pd.DataFrame:
    """Return one row a label; see `Clustering.report`."""
    samples = samples_of(fitted, "report")
    area = geography.cell_areas(samples.layout.coords, samples.data)
    labels = None if fitted.source.rows is None else fitted.labels
    sums = label_sums(samples.layout, fitted.assign, area=area, labels=labels)
    k, count = fitted.k, sums["samples"]
    weight = sums.get("weight", count)
    columns = {
        "name": [*fitted.partition.label_names(), "unclassified"],
        "samples": count,
        "share": weight / weight.sum(),
    }
    if "area" in sums:
        columns["area_km2"] = sums["area"] / _repeats(samples.layout, area)
    if "membership" in sums:
        mean = sums["membership"] / np.where(count > 0, count, np.nan)
        columns["membership"] = np.where(np.arange(k + 1) < k, mean, np.nan)
    frame = pd.DataFrame(columns, index=pd.Index([*range(k), UNCLASSIFIED], name=LABEL))
    frame = frame if count[k] else frame.iloc[:k]
    frame.attrs["notes"] = fitted.record.sentences()
    return frame


def _repeats(layout: Layout, area: xr.DataArray | None) -> int:
    """Return how often each cell is counted: once a step of time, say."""
    dims = () if area is None else area.dims
    return int(np.prod([size for dim, size in layout.sizes.items() if dim not in dims]))


def samples_table(fitted: Fitted) -> pd.DataFrame:
    """Return one row a complete sample; see `Clustering.to_dataframe`."""
    labels = fitted.labels
    arrays = {"label": labels}
    features = fitted.features
    names = features.coords.get("feature", features["component"]).values
    arrays |= {
        _component_name(name): features.isel(component=i, drop=True) for i, name in enumerate(names)
    }
    if fitted.is_soft:
        arrays |= {
            f"membership_{number}": fitted.memberships.sel(label=number, drop=True)
            for number in range(fitted.k)
        }
    arrays = {name: array.reset_coords(drop=True) for name, array in arrays.items()}
    table = xr.Dataset(arrays, labels.coords).compute()
    frame = table.to_dataframe(dim_order=list(labels.dims)).dropna(subset=["label"])
    return frame.astype({"label": int}).reset_index()


def _component_name(name: object) -> str:
    return f"component_{name}" if isinstance(name, int | np.integer) else str(name)


def members(fitted: Fitted, label: int | str) -> xr.Dataset:
    """Return the data of one label: the variables, NaN at samples of other labels."""
    layout = samples_of(fitted, "members").layout
    data = xr.Dataset({name: each.array for name, each in layout.variables.items()})
    return data.where(fitted.labels == number_of(fitted, label))


def to_dataset(fitted: Fitted) -> xr.Dataset:
    """Return labels, and memberships of a soft method, as one Dataset."""
    arrays = {"labels": fitted.labels}
    if fitted.is_soft:
        arrays["memberships"] = fitted.memberships
    check_free(fitted.labels, arrays)
    return xr.Dataset(arrays, attrs=dict(fitted.attrs))


def alone(array: xr.DataArray) -> xr.Dataset:
    """Return an array of a result as a Dataset."""
    check_free(array, [str(array.name)])
    return array.to_dataset()


def check_free(labels: xr.DataArray, names: Iterable[str]) -> None:
    """Refuse coordinates and dims of the user's that an array of the result is called."""
    taken = [name for name in names if name in labels.coords or name in labels.dims]
    if taken:
        rule = "is the name of an array of the result"
        remedy = f"rename yours before the fit: ds.rename({taken[0]}='own_{taken[0]}')"
        raise BadValueError("coords", taken[0], rule, remedy)
