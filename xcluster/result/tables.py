"""Results as tables for pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from xcluster.chain.question import layout_of
from xcluster.fit.fitted import bound
from xcluster.fit.labels import UNCLASSIFIED
from xcluster.fit.summary import label_sums
from xcluster.grid import geography
from xcluster.grid.layout import LABEL

if TYPE_CHECKING:
    from xcluster.api.clustering import Clustering
    from xcluster.grid.layout import Layout


def report(clustering: Clustering) -> pd.DataFrame:
    """Return one row a label; see `Clustering.report`."""
    samples = bound(clustering, "report")
    area = geography.cell_areas(layout_of(samples).coords, samples.data)
    labels = None if clustering.rows is None else clustering.labels
    sums = label_sums(layout_of(samples), clustering.assign, area=area, labels=labels)
    k, count = clustering.k, sums["samples"]
    weight = sums.get("weight", count)
    columns = {
        "name": [*clustering.partition.label_names(), "unclassified"],
        "samples": count,
        "share": weight / weight.sum(),
    }
    if "area" in sums:
        columns["area_km2"] = sums["area"] / _repeats(layout_of(samples), area)
    if "membership" in sums:
        mean = sums["membership"] / np.where(count > 0, count, np.nan)
        columns["membership"] = np.where(np.arange(k + 1) < k, mean, np.nan)
    frame = pd.DataFrame(columns, index=pd.Index([*range(k), UNCLASSIFIED], name=LABEL))
    frame = frame if count[k] else frame.iloc[:k]
    frame.attrs["notes"] = clustering.record.sentences()
    return frame


def _repeats(layout: Layout, area: xr.DataArray | None) -> int:
    """Return how often each cell is counted: once a step of time, say."""
    dims = () if area is None else area.dims
    return int(np.prod([size for dim, size in layout.sizes.items() if dim not in dims]))


def samples_table(clustering: Clustering) -> pd.DataFrame:
    """Return one row a complete sample; see `Clustering.to_dataframe`."""
    labels = clustering.labels
    arrays = {"label": labels}
    features = clustering.features
    names = features.coords.get("feature", features["component"]).values
    arrays |= {
        _component_name(name): features.isel(component=i, drop=True) for i, name in enumerate(names)
    }
    if clustering.is_soft:
        arrays |= {
            f"membership_{number}": clustering.memberships.sel(label=number, drop=True)
            for number in range(clustering.k)
        }
    arrays = {name: array.reset_coords(drop=True) for name, array in arrays.items()}
    table = xr.Dataset(arrays, labels.coords).compute()
    frame = table.to_dataframe(dim_order=list(labels.dims)).dropna(subset=["label"])
    return frame.astype({"label": int}).reset_index()


def _component_name(name: object) -> str:
    return f"component_{name}" if isinstance(name, int | np.integer) else str(name)
