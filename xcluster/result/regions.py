"""Regions: samples that touch and have one label, what they measure, and which of them touch."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.checks import check_choice
from xcluster.blocks import matrix
from xcluster.blocks.regions import Cells, Regions, limits_of, measured_regions
from xcluster.fit.fitted import Fitted
from xcluster.grid import areas
from xcluster.grid.geography import FULL_CIRCLE
from xcluster.grid.geometry import Sides, centres, sides_of_cells
from xcluster.grid.hashing import canonical_positions
from xcluster.grid.layout import LABEL, Layout
from xcluster.grid.links import with_attrs
from xcluster.grid.names import check_free, free, names_in
from xcluster.grid.polygons import as_degrees
from xcluster.grid.sides import ListedSides, listed_sides
from xcluster.grid.surroundings import Surroundings, over, surroundings

REGION, EDGE, END = "region", "edge", "end"
NOWHERE = 1e-9
"""A mean of places on the unit sphere that lies so near its middle has no direction."""
ROUNDED = 2.0**-49
"""Variances below this part of the mean square are rounding."""


def regions(fitted: Fitted, neighbours: Any) -> xr.Dataset:
    """Return the regions of a result; see `Clustering.regions`."""
    corners = check_choice("neighbours", neighbours, (4, 8)) == 8
    layout, labels = fitted.source.layout, fitted.labels
    around = surroundings(layout, "regions()", neighbours, fitted.graph)
    check_free(labels, [REGION, EDGE, END])
    cells, units = _cells(fitted, layout, around)
    found, numbered = measured_regions(labels, cells, around, corners, layout)
    attrs = {"long_name": "number of the region, -1 without data"}
    table = xr.Dataset({"region_map": with_attrs(numbered.rename("region_map"), attrs, on=labels)})
    table = table.assign_coords({REGION: np.arange(len(found.label))})
    columns = [*_columns(fitted, found, units), *_places(cells, found)]
    means = _means(fitted, cells, found)
    taken = names_in(table) | names_in(means)
    for name, values, attrs in columns:
        table = table.assign({free(name, taken): (REGION, values, attrs)})
    table = table.assign({name: means[name] for name in means.data_vars})
    table = table.assign_coords(_steps(fitted, layout, around, found, {*taken, *table}))
    text = {"long_name": "regions that touch, the smaller number first"}
    return table.assign({free("neighbours", taken): ((EDGE, END), found.pairs, text)})


# ---------------------------------------------------------------------------- what is measured


def _cells(fitted: Fitted, layout: Layout, around: Surroundings) -> tuple[Cells, dict[str, str]]:
    """Return what is measured of cells, and the units of area and perimeter."""
    plane = over(layout, around.dims)
    places, on_earth = centres(plane)
    data = xr.Dataset() if layout.data is None else layout.data
    area = areas.areas_of(layout.coords, data, layout.sample_dims)
    sides = _sides(plane, around) if fitted.graph is None else None
    units = {} if area is None else {"area": area.unit}
    if sides is not None:
        units["perimeter"] = sides[1]
    question = fitted.samples
    features = origin = None
    if question is not None:
        features = matrix.apply(layout, np.asarray, width=layout.n_features, dtype=layout.dtype)
        origin = _origin(fitted, layout.n_features)
    return Cells(
        _positions(layout, around),
        [_bare(each) for each in places],
        on_earth,
        [] if area is None else [*map(_bare, area.sides), xr.DataArray(area.factor)],
        None if layout.weight is None else _bare(layout.weight),
        None if sides is None else sides[0],
        None if features is None else _bare(features),
        origin,
    ), units


def _sides(plane: Layout, around: Surroundings) -> tuple[Sides | ListedSides, str] | None:
    """Return how long the sides of cells are, and the unit; None if that is not known."""
    return sides_of_cells(plane) if around.graph is None else listed_sides(plane)


def _bare(array: xr.DataArray) -> xr.DataArray:
    """Return an array without coordinates; its name is kept."""
    return xr.DataArray(array.variable.to_base_variable(), name=array.name)


def _origin(fitted: Fitted, n_features: int) -> Array:
    """Return a place amid the data, which is the same for all chunks: the mean of the centres."""
    centers = np.asarray(fitted.raw_centers, np.float64).reshape(-1, n_features)
    return np.nan_to_num(centers.mean(axis=0) if len(centers) else np.zeros(n_features))


def _positions(layout: Layout, around: Surroundings) -> list[xr.DataArray]:
    """Return arrays whose sum numbers the cells: steps of other dims first, then places."""
    size = 1 + sum(int(each.max()) for each in around.position)
    return [*around.position, *(each * size for each in _step_positions(layout, around))]


def _step_positions(layout: Layout, around: Surroundings) -> tuple[xr.DataArray, ...]:
    others = tuple(dim for dim in layout.sample_dims if dim not in around.dims)
    return canonical_positions(over(layout, others)) if others else ()


# -------------------------------------------------------------------------------- what is said


Column = tuple[str, Array, dict[str, Any]]


def _columns(fitted: Fitted, found: Regions, units: dict[str, str]) -> Iterator[Column]:
    """Yield name, values and attributes of what each region is and measures."""
    flags = {key: value for key, value in fitted.labels.attrs.items() if key.startswith("flag")}
    yield LABEL, found.label.astype(np.int64), {"long_name": "label", **flags}
    samples = found.sums["samples"][0].astype(np.int64)
    yield "samples", samples, {"long_name": "number of samples"}
    for name in ("area", "perimeter"):
        if name in units and name in found.sums:
            yield name, found.sums[name][0], {"long_name": name, "units": units[name]}


def _places(cells: Cells, found: Regions) -> Iterator[Column]:
    """Yield centroid and bounds of regions along each coordinate."""
    share = found.sums["area" if cells.areas else "samples"][0]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = found.sums["place"] / share
    if cells.on_earth and cells.places:
        far = np.linalg.norm(mean, axis=0) > NOWHERE
        mean = np.where(far, np.stack(as_degrees(mean)), np.nan)
        start = _first_longitude(cells)
        mean[0] = (mean[0] - start) % FULL_CIRCLE + start
    rows = list(zip(found.low, found.high, strict=True))
    if cells.on_earth:
        rows = [_longitude_limits(cells, found), rows[-1]]
    for place, centre, (low, high) in zip(cells.places, mean, rows, strict=True):
        units = {key: place.attrs[key] for key in ("units",) if key in place.attrs}
        yield (
            f"{place.name}_centroid",
            centre,
            {"long_name": f"{place.name} of the centroid", **units},
        )
        for end, values in (("min", low), ("max", high)):
            known = np.where(np.isfinite(values), values, np.nan)
            yield f"{place.name}_{end}", known, {**units}


def _first_longitude(cells: Cells) -> float:
    """Return from where longitudes are counted in the data: -180, 0, or the first of them."""
    west, east = cells.west, float(cells.places[0].max())
    if west >= 0 and east <= FULL_CIRCLE:
        return 0.0
    return -FULL_CIRCLE / 2 if west >= -FULL_CIRCLE / 2 and east <= FULL_CIRCLE / 2 else west


def _longitude_limits(cells: Cells, found: Regions) -> tuple[Array, Array]:
    """Return the western and the eastern longitude of each region, by the shortest way round."""
    low, high = found.low[:-1], found.high[:-1]
    way = np.argmin(high - low, axis=0)
    values = np.unique(cells.places[0].values)
    values = values[np.isfinite(values)]
    ends = np.full((2, len(way)), np.nan)
    turned = limits_of([values, values], True, cells.west)[:-1]
    for number, each in enumerate(turned):
        order = np.argsort(each)
        mine = (way == number) & np.isfinite(low[number])
        for end, limit in zip(ends, (low, high), strict=True):
            end[mine] = values[order][np.searchsorted(each[order], limit[number][mine])]
    return ends[0], ends[1]


def _means(fitted: Fitted, cells: Cells, found: Regions) -> xr.Dataset:
    """Return mean and spread of every variable over the samples of each region."""
    if cells.origin is None:
        return xr.Dataset()
    n = len(found.label)
    sums = found.sums["features"].reshape(len(cells.origin), 2, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        moved, square = np.moveaxis(sums, 1, 0) / found.sums["weight"][0]
    variance = square - moved**2
    spread = np.sqrt(np.where(variance > ROUNDED * square, variance, 0 * square))
    rows = {"": moved + cells.origin[:, None], "_std": spread}
    numbers = np.arange(n)
    out, spreads = (
        matrix.unpack(fitted.template, np.ascontiguousarray(each.T), REGION, numbers)
        for each in rows.values()
    )
    for name in spreads.data_vars:
        said = {"long_name": f"standard deviation of {name}"}
        units = {key: out[name].attrs[key] for key in ("units",) if key in out[name].attrs}
        own = spreads[name].drop_attrs(deep=False).assign_attrs({**said, **units})
        out = out.assign({free(f"{name}_std", names_in(out)): own})
    return out


def _steps(
    fitted: Fitted, layout: Layout, around: Surroundings, found: Regions, taken: set[Hashable]
) -> dict[str, Any]:
    """Return where each region lies along further dims, and the name of its label."""
    out: dict[str, Any] = {}
    names = fitted.partition.names
    if names is not None:
        named = np.array([*names, "unclassified"], dtype=object)[found.label]
        out[free("label_name", taken)] = (REGION, named.astype(str))
    size = 1 + sum(int(each.max()) for each in around.position)
    step = found.first // size
    for each in reversed(_step_positions(layout, around)):
        (dim,) = each.dims
        rank = np.argsort(each.values)
        stride = max(int(each.values[rank[1]]), 1) if len(rank) > 1 else 1
        at = rank[step // stride % len(rank)]
        values = layout.coords[dim].values if dim in layout.coords else np.arange(len(rank))
        out[free(f"region_{dim}", taken)] = (REGION, values[at])
    return out
