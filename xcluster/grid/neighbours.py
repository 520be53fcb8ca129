"""Which samples are neighbours on the grid, and which grid points have rows."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import xarray as xr

from xcluster.algorithms.parts.connectivity import grid_connectivity
from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.grid.geography import FULL_CIRCLE, find_axis
from xcluster.grid.hashing import canonical_positions
from xcluster.grid.layout import Layout


def check_neighbours(layout: Layout) -> None:
    """Refuse samples without neighbours: several scenes, or a single dim without coordinates."""
    if len(layout.scenes) > 1:
        rule = "needs neighbours on one grid, but pooled scenes lie on several grids"
        raise BadValueError("contiguous", True, rule, "leave contiguous= out")
    if len(layout.sample_dims) == 1 and layout.sample_dims[0] not in layout.coords:
        rule = f"samples along {layout.sample_dims[0]!r} without coordinates have no neighbours"
        raise BadValueError("contiguous", True, rule, "leave contiguous= out")


def connect(layout: Layout, key: Array, neighbours: int) -> Any:
    """Return which rows are neighbours, as a sparse matrix; ``key`` are canonical positions."""
    place = places(layout, key)
    present = np.zeros(layout.shape, bool)
    present.flat[place] = True
    wrap = tuple(axis for axis, dim in enumerate(layout.sample_dims) if wraps(layout, dim))
    cells = grid_connectivity(layout.shape, present, neighbours=neighbours, wrap=wrap)
    # Cells are in the order of their positions, rows in the order of the fit.
    rank = np.argsort(np.argsort(place))
    return cells[rank][:, rank]


def places(layout: Layout, key: Array) -> Array:
    """Return the positions of rows in the user's own array, flattened.

    Canonical positions cannot be used for neighbours: they start anew at the prime meridian.
    """
    position = sum(canonical_positions(layout))
    assert isinstance(position, xr.DataArray)
    canonical = position.transpose(*layout.sample_dims).values.ravel()
    place = np.empty(len(canonical), np.int64)
    place[canonical] = np.arange(len(canonical))
    return np.asarray(place[key])


def wraps(layout: Layout, dim: Hashable) -> bool:
    """Whether ``dim`` is a longitude around the whole globe, so that its ends are neighbours."""
    longitude = find_axis(layout.coords, "longitude")
    if longitude is None or longitude.dims != (dim,) or longitude.size < 3:
        return False
    values = np.sort(longitude.values.astype(float) % FULL_CIRCLE)
    gaps = np.diff([*values, values[0] + FULL_CIRCLE])
    return bool(gaps.max() <= 1.5 * np.median(gaps))


def rows_on_grid(layout: Layout, key: Array) -> xr.DataArray:
    """Return the number of the row at each grid point; -1 where there is none."""
    rows = np.full(layout.n_points, -1, np.int32)
    rows[places(layout, key)] = np.arange(len(key))
    rows = rows.reshape(layout.shape)
    return xr.DataArray(rows, dict(layout.coords), layout.sample_dims, "row", layout.links)
