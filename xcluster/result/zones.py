"""How much of each zone each label covers."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.errors import BadTypeError
from xcluster.fit.fitted import Fitted, samples_of
from xcluster.fit.labels import UNCLASSIFIED
from xcluster.fit.summary import zone_sums
from xcluster.grid import areas
from xcluster.grid.fills import fills_of
from xcluster.grid.layout import LABEL, Layout
from xcluster.grid.zones import is_frame, zones_of
from xcluster.result import matching

ZONE = "zone"


def report_by(fitted: Fitted, by: Any) -> xr.Dataset:
    """Return samples and area of each label in each zone; see `Clustering.report`."""
    samples = samples_of(fitted, "report")
    layout = samples.layout
    zones, note = numbered_zones(by, layout, fitted.labels)
    area = areas.cell_areas(layout.coords, samples.data, layout.sample_dims, layout.chunks)
    found, sums = zone_sums(layout, fitted.assign, zones, area=area, labels=fitted.placed_labels)
    out = {"samples": (sums[0].astype(np.int64), {"long_name": "number of samples"})}
    if area is not None:
        lacking = [size for dim, size in layout.sizes.items() if dim not in area.dims]
        mean = sums[1] / np.prod(lacking, dtype=float)
        out["area"] = (mean, {"long_name": "area", "units": area.attrs["units"]})
    table = xr.Dataset(
        {name: ((ZONE, LABEL), values, attrs) for name, (values, attrs) in out.items()},
        {ZONE: found, LABEL: [*range(fitted.k), UNCLASSIFIED]},
    )
    if not table["samples"].sel({LABEL: UNCLASSIFIED}).any():
        table = table.isel({LABEL: slice(None, -1)})
    names = [*fitted.partition.label_names(), "unclassified"][: table.sizes[LABEL]]
    flags = {key: value for key, value in fitted.labels.attrs.items() if key.startswith("flag")}
    table = table.assign_coords(
        {LABEL: (LABEL, table[LABEL].values, flags), "label_name": (LABEL, names)}
    )
    return with_names(table, by).assign_attrs({"note": note} if note else {})


def numbered_zones(by: Any, layout: Layout, labels: xr.DataArray) -> tuple[xr.DataArray, str]:
    """Return zones on the grid of labels, NaN where there is none, and what was done to them."""
    if not is_frame(by):
        return _aligned(by, labels), ""
    zones, note = zones_of(by, layout, labels)
    return zones.where(zones >= 0), note


def with_names(table: xr.Dataset, by: Any) -> xr.Dataset:
    """Return a table over zones with their names, and with all polygons that were given."""
    if not is_frame(by):
        names = stated_names(by)
        known = [names.get(zone, str(zone)) for zone in table[ZONE].values.tolist()]
        return table.assign_coords(zone_name=(ZONE, known)) if names else table
    table = table.reindex({ZONE: np.arange(len(by))}, fill_value=0)
    index = by.index.to_flat_index() if by.index.nlevels > 1 else by.index
    table = table.assign_coords({ZONE: index})
    named = [name for name in getattr(by, "columns", ()) if str(name).lower() == "name"]
    return table.assign_coords(zone_name=(ZONE, by[named[0]].values)) if named else table


def stated_names(flagged: xr.DataArray) -> dict[int, str]:
    """Return the numbers that attributes of a map name, with their names."""
    values = np.atleast_1d(flagged.attrs.get("flag_values", ())).tolist()
    names = str(flagged.attrs.get("flag_meanings", "")).split()
    pairs = zip(values, names, strict=False)
    return {int(value): name.replace("_", " ") for value, name in pairs}


def _aligned(by: Any, labels: xr.DataArray) -> xr.DataArray:
    """Return zones on the grid of the labels, NaN where there is none."""
    if not isinstance(by, xr.DataArray):
        rule = "must be a DataArray of whole numbers, or a GeoDataFrame of polygons"
        raise BadTypeError("by", type(by).__name__, rule, "pass zones on the grid of the labels")
    if by.dtype.kind not in "fiub":
        rule = f"holds {by.dtype}, but zones are whole numbers"
        remedy = "number them: np.unique(..., return_inverse=True)"
        raise BadTypeError("by", by.name, rule, remedy)
    plane = labels.isel({dim: 0 for dim in labels.dims if dim not in by.dims}, drop=True)
    if not set(by.dims) <= set(labels.dims) or not by.ndim:
        plane = labels  # and the error shows both grids
    zones = matching.aligned(plane, by, "by").astype(np.float64)
    for _, value in fills_of(by):
        zones = zones.where(zones != value)
    return zones.reset_coords(drop=True)
