"""Label maps as images: which dims are rows and columns, and which way they run."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.fit.fitted import Fitted
from xcluster.plot.lattice import Lattice, lattice_of, not_of_a_map


@dataclass(frozen=True, eq=False)
class Image:
    """An array over further dims, rows and columns, in this order.

    Parameters
    ----------
    values
        As the map figure shows it: the first row is the top one, the first column the left one.
    lattice
        Where rows and columns lie.
    """

    values: xr.DataArray
    lattice: Lattice

    @property
    def further(self) -> tuple[Hashable, ...]:
        """The dims beside rows and columns."""
        return self.values.dims[:-2]


def image_of(fitted: Fitted, da: xr.DataArray, what: str) -> Image:
    """Return labels or memberships as images.

    Raises
    ------
    ValueError
        If they do not lie on rows and columns.
    """
    samples = fitted.samples
    cells = None if samples is None else samples.data
    further = not_of_a_map(da, list(fitted.labels.dims))
    further = [dim for dim in da.dims if dim in further or dim not in fitted.labels.dims]
    if da.ndim - len(further) == 2:
        lattice = lattice_of(da, further, cells=cells)
        if lattice.kind != "points":
            return Image(_displayed(da.transpose(*further, *lattice.dims), lattice), lattice)
    dims = tuple(map(str, fitted.labels.dims))
    rule = f"needs samples on rows and columns, and they lie along {dims}"
    raise BadValueError("samples", what, rule, "use to_dataset(), which takes any samples")


def _displayed(da: xr.DataArray, lattice: Lattice) -> xr.DataArray:
    """Return an array with its rows from the top and its columns from the left."""
    if lattice.kind != "grid":
        return da
    rows, columns = np.argsort(lattice.y.values), np.argsort(lattice.x.values)
    rows = rows[::-1] if lattice.upward else rows
    order = dict(zip(da.dims[-2:], (rows, columns), strict=True))
    return da.isel({dim: _slice(places) for dim, places in order.items()})


def _slice(places: Array) -> slice | Array:
    """Return places as a slice if they rise or fall by one, so that lazy blocks stay whole."""
    for step in (1, -1):
        if (np.diff(places) == step).all():
            return slice(None, None, step)
    return places
