"""Areas of curvilinear cells from their centres, whichever rows and columns were selected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.grid.geography import FULL_CIRCLE
from xcluster.grid.intervals import HOLE, repeats, within
from xcluster.grid.polygons import as_degrees, solid_angles, unit_vectors

GROWTH = 1.1
"""How much wider than the step before it a step of a curvilinear grid may usually be."""
FEW = 10
"""Lines that may be missing without steps being of another width behind them."""


def of_centres(longitude: xr.DataArray, latitude: xr.DataArray) -> xr.DataArray | None:
    """Return the solid angle of curvilinear cells between their centres, in steradians.

    Corners lie midway between centres. At the ends, beside a hole that a selection has left, and
    beside a cell without coordinates, a cell is as wide as its own spacing. Between two of these it
    is as wide as usual in its row and its column. Rows and columns may be repeated, and in any
    order if they have an index. None if there are fewer than two of them, and so no spacing.
    """
    places = [each.values for each in (longitude, latitude)]
    first, second = (_lines(latitude, places, axis) for axis in (0, 1))
    if min(len(first[0]), len(second[0])) < 2:
        return None
    distinct = (each[first[0]][:, second[0]].astype(np.float64) for each in places)
    angles = _between(*distinct)[first[1]][:, second[1]]
    return xr.DataArray(angles / copies(*places), dims=latitude.dims)


def of_stacked(longitude: xr.DataArray, latitude: xr.DataArray) -> xr.DataArray | None:
    """Return the solid angle of the cells of a curvilinear grid that was stacked."""
    index = latitude.indexes[latitude.dims[0]]
    levels = (index.get_level_values(name) for name in index.names)
    slots = tuple(np.unique(each, return_inverse=True)[1] for each in levels)
    shape = [int(slot.max()) + 1 for slot in slots]
    grid = np.full((2, *shape), np.nan)
    for plane, each in zip(grid, (longitude, latitude), strict=True):
        plane[slots] = each.values
    angles = of_centres(*(xr.DataArray(each, dims=("row", "column")) for each in grid))
    if angles is None:
        return None
    times = repeats(index.factorize()[0])
    return xr.DataArray(angles.values[slots] / times, dims=latitude.dims)


def copies(longitude: Array, latitude: Array) -> Array:
    """Return how many cells lie at the place of each cell, as where a tripolar grid is folded."""
    places = [within(each, FULL_CIRCLE) for each in (longitude, latitude)]
    known = np.isfinite(places[0] + places[1])
    times = np.ones(known.shape, np.int64)
    times[known] = repeats(*(each[known] for each in places))
    return times


def _lines(latitude: xr.DataArray, places: Sequence[Array], axis: int) -> tuple[Array, Array]:
    """Return where the different lines along an axis are, in order, and which one each line is."""
    east, north = (np.moveaxis(within(each, FULL_CIRCLE), axis, 0) for each in places)
    keys = [line.tobytes() for line in np.hstack([east, north])]
    first: dict[bytes, int] = {}
    for number, key in enumerate(keys):
        first.setdefault(key, number)
    at, index = np.array(list(first.values())), latitude.indexes.get(latitude.dims[axis])
    if index is not None and index.nlevels == 1 and index[at].is_unique:
        at = at[np.argsort(index.values[at])]
    rank = {keys[number]: place for place, number in enumerate(at)}
    return at, np.array([rank[key] for key in keys])


def _between(longitude: Array, latitude: Array) -> Array:
    """Return the solid angle of the cells between centres that lie in rows and columns."""
    points = unit_vectors(longitude, latitude)
    down, across = (_steps(points, axis) for axis in (1, 2))
    south, north = _ends(points, 1, np.asarray(np.isnan(down).all(axis=(0, 2))))
    holes = np.asarray(np.isnan(across).all(axis=(0, 1)))
    (first, second), (fourth, third) = (_ends(each, 2, holes) for each in (south, north))
    angles = solid_angles(*as_degrees(np.stack([first, second, third, fourth], axis=-1)))
    usual = np.outer(
        *(_median(np.linalg.norm(each, axis=0), axis) for each, axis in ((across, 1), (down, 0)))
    )
    usual[np.isnan(points[0])] = np.nan
    return np.where(np.isnan(angles), usual, angles)


def _median(values: Array, axis: int) -> Array:
    """Return the median of what is finite; NaN if nothing is."""
    known = np.ma.masked_invalid(values)
    return np.asarray(np.ma.median(known, axis=axis).filled(np.nan))  # type: ignore[no-untyped-call]


def _steps(points: Array, axis: int) -> Array:
    """Return the way from each point to the next one along ``axis``; NaN across holes."""
    steps = np.diff(points, axis=axis)
    np.moveaxis(steps, axis, 0)[_holes(np.moveaxis(steps, axis, 0))] = np.nan
    return steps


def _holes(steps: Array) -> Array:
    """Return which steps between lines are holes: wider than those around them let expect.

    What is usual grows from line to line by no more than `GROWTH`, and beyond a wide hole more.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.linalg.norm(steps, axis=1))
        grows = _median(np.diff(logs, axis=0), 1)
    width = np.cumsum([0.0, *np.nan_to_num(grows)])
    padded = np.pad(width, 1, mode="edge")
    missing = np.exp(width - np.minimum(padded[:-2], padded[2:]))
    slope = np.log(GROWTH) * np.cumsum(np.maximum(missing / FEW, 1))
    before = np.minimum.accumulate(width - slope) + slope
    after = np.minimum.accumulate((width + slope)[::-1])[::-1] - slope
    return np.asarray(width - np.minimum(before, after) > np.log(HOLE))


def _ends(points: Array, axis: int, holes: Array) -> tuple[Array, Array]:
    """Return the middle between each point and the one before, and the one after it."""
    lines = np.moveaxis(points, axis, 0)
    halves = np.diff(lines, axis=0) / 2
    halves[holes] = np.nan
    unknown = np.full_like(lines[:1], np.nan)
    before, after = np.concatenate([unknown, halves]), np.concatenate([halves, unknown])
    low = lines - np.where(np.isnan(before), after, before)
    high = lines + np.where(np.isnan(after), before, after)
    return np.moveaxis(low, 0, axis), np.moveaxis(high, 0, axis)
