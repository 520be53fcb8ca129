"""Positions on an image, as the user gives them and as pixels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.errors import BadTypeError, BadValueError

Positions = tuple[tuple[Hashable, tuple[float, ...]], ...]

POINT = "point"
"""Name of the dim of positions."""

EVIDENT = 0.9
"""If a larger share of the positions is off the image, they must have other units."""

REMEDY = "pass positions in the units of the image's coordinates"


def positions_of(at: Any, dims: Sequence[Hashable], image: xr.Dataset) -> Positions:
    """Return positions as numbers along each dim.

    Parameters
    ----------
    at : Dataset, DataFrame, mapping, or array of shape (n, len(dims))
        Numbers by the names of the dims, or columns in the order of ``dims``.
    dims
        The dims of the image.
    image
        The image. Its units must be those of the positions, if both are known.
    """
    columns = _columns(at, dims)
    for dim, column in columns.items():
        _check_units(dim, column, image)
    try:
        values = {dim: np.asarray(each, np.float64).ravel() for dim, each in columns.items()}
    except (TypeError, ValueError):
        raise BadTypeError("at", type(at).__name__, "must be numbers", REMEDY) from None
    sizes = {dim: len(each) for dim, each in values.items()}
    if len(set(sizes.values())) > 1:
        rule = f"must have the same number of values along each dim, but has {sizes}"
        raise BadValueError("at", type(at).__name__, rule, "pass one value per dim and position")
    if not next(iter(values.values())).size:
        raise BadValueError("at", [], "holds no position", "leave it out to get a lattice")
    return tuple((dim, tuple(map(float, each))) for dim, each in values.items())


def _columns(at: Any, dims: Sequence[Hashable]) -> dict[Hashable, Any]:
    names = at.variables if isinstance(at, xr.Dataset) else getattr(at, "columns", at)
    if isinstance(at, Mapping) or hasattr(at, "columns"):
        lacking = [dim for dim in dims if dim not in names]
        if lacking:
            rule = f"has no column {lacking[0]!r}, but the image lies over {list(dims)}"
            raise BadValueError("at", list(map(str, names)), rule, "name the columns like the dims")
        return {dim: at[dim] for dim in dims}
    try:
        shape = np.shape(at)
    except ValueError:  # lists of different lengths
        raise BadTypeError("at", at, "must be pairs of numbers", REMEDY) from None
    if len(shape) != 2 or shape[1] != len(dims):
        rule = f"must have shape (n, {len(dims)}), one column per dim {', '.join(map(repr, dims))}"
        raise BadValueError("at", f"array of shape {shape}", rule, "transpose it, or name columns")
    if isinstance(at, xr.DataArray):
        at = _in_order(at, dims)
    return {dim: np.asarray(at)[:, column] for column, dim in enumerate(dims)}


def _in_order(at: xr.DataArray, dims: Sequence[Hashable]) -> xr.DataArray:
    """Return the columns in the order of ``dims``, if they have names."""
    column = at.dims[1]
    named = column in at.coords and set(at[column].values.tolist()) == set(dims)
    return at.sel({column: list(dims)}) if named else at


def _check_units(dim: Hashable, column: Any, image: xr.Dataset) -> None:
    theirs = getattr(column, "attrs", {}).get("units")
    ours = image[dim].attrs.get("units") if dim in image.coords else None
    if None not in (theirs, ours) and str(theirs).strip() != str(ours).strip():
        rule = f"is in {theirs!r}, but the image is in {ours!r}"
        raise BadValueError("at", dim, rule, "convert the positions")


def nearest_pixels(at: Mapping[Hashable, Array], image: xr.Dataset) -> Array:
    """Return the pixel of each position, shape (n_dims, n); off the image it is -1 or the size.

    The image's coordinates must rise. Positions that clearly have other units are refused.
    """
    pixels = np.array([_along(at[dim], image[dim]) for dim in at])
    sizes = np.array([[image.sizes[dim]] for dim in at])
    on_image = ((pixels >= 0) & (pixels < sizes)).all(axis=0)
    if on_image.mean() < 1 - EVIDENT:
        places = "; ".join(_extents(dim, at[dim], image[dim]) for dim in at)
        rule = f"{(~on_image).sum():,} of {on_image.size:,} are not on the image ({places})"
        raise BadValueError("at", "positions", rule, REMEDY)
    n_distinct = np.unique(pixels[:, on_image], axis=1).shape[1]
    if on_image.sum() >= 10 and 2 * n_distinct < on_image.sum():
        rule = f"{on_image.sum():,} positions fall on only {n_distinct:,} different pixels"
        raise BadValueError("at", "positions", rule, REMEDY)
    return pixels


def _along(values: Array, coord: xr.DataArray) -> Array:
    """Return the nearest pixel; positions more than half a pixel outside are off the image."""
    centres = coord.values.astype(np.float64)
    edges = np.concatenate([centres, centres]) if len(centres) == 1 else centres
    first, last = (edges[1] - edges[0]) / 2, (edges[-1] - edges[-2]) / 2
    borders = [centres[0] - first, *(centres[1:] + centres[:-1]) / 2, centres[-1] + last]
    slack = 1e-9 * max(abs(borders[0]), abs(borders[-1]))
    borders[0], borders[-1] = borders[0] - slack, borders[-1] + slack
    place = np.searchsorted(borders, values, side="right") - 1
    return np.where(np.isfinite(values), place, -1)


def _extents(dim: Hashable, values: Array, coord: xr.DataArray) -> str:
    known = values[np.isfinite(values)]
    theirs = f"{known.min():g} to {known.max():g}" if len(known) else "NaN"
    ours = f"{float(coord[0]):g} to {float(coord[-1]):g}"
    return f"{dim!r} runs from {ours}, positions from {theirs}"
