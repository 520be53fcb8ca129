"""HEALPix cells, as the attributes of coordinates or of a grid mapping describe them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError

SIDES, AROUND = (1, 3, 5, 7), (0, 1, 2, 3, 5, 6, 7, 8)
"""Columns of neighbours with a common side, and with a common side or corner."""

LEVELS = ("refinement_level", "level", "depth", "healpix_order")
"""Attributes that hold the binary logarithm of nside."""

ORDERS = ("indexing_scheme", "healpix_order", "order")
BLOCK = 2**18
"""Cells whose neighbours are found at a time."""


@dataclass(frozen=True, eq=False)
class Healpix:
    """HEALPix cells along one dim.

    Parameters
    ----------
    dim
        The dim of the cells.
    nside
        Number of cells along the side of each of the twelve base cells.
    scheme
        "nested" or "ring"; None if the data do not say it.
    cells : int array
        The number of each cell.
    """

    dim: Hashable
    nside: int
    scheme: str | None
    cells: Array

    @property
    def solid_angle(self) -> float:
        """Of each cell."""
        return 4 * np.pi / (12 * self.nside**2)

    def pairs(self, corners: bool = False) -> Array:
        """Return pairs of cells with a common side, or also those with a common corner."""
        cells, depth, nested = self._nested(), self._depth, _library().nested
        order = np.argsort(cells, kind="stable")
        rising, found = cells[order], []
        for start in range(0, len(cells), BLOCK):
            some = cells[start : start + BLOCK]
            near = nested.neighbours(some, depth)[:, list(AROUND if corners else SIDES)]
            place = np.minimum(np.searchsorted(rising, near), len(cells) - 1)
            mine = np.arange(start, start + len(some))[:, None]
            there = (rising[place] == near) & (order[place] > mine)
            pair = np.broadcast_to(mine, near.shape)[there], order[place][there]
            found.append(np.column_stack(pair).astype(np.int32))
        return np.concatenate(found)

    def polygons(self) -> tuple[Array, Array, Array]:
        """Return longitude and latitude of the corners of each cell (n, 4), and its number."""
        nested = _library().nested
        longitude, latitude = nested.vertices(self._nested(), self._depth)
        number = np.arange(len(self.cells))
        return longitude.to_value("deg"), latitude.to_value("deg"), number

    @property
    def _depth(self) -> int:
        return int(np.log2(self.nside))

    def _nested(self) -> Array:
        """Return the numbers of the cells in the nested scheme."""
        if self.scheme is None or 2**self._depth != self.nside:
            rule = f"needs a known order of cells and nside as a power of two, not {self.nside}"
            remedy = "set the attribute indexing_scheme='nested' or 'ring' of the grid mapping"
            raise BadValueError("healpix", self.scheme, rule, remedy)
        cells = self.cells.astype(np.uint64)
        if self.scheme == "ring":
            cells = _library().from_ring(cells, self._depth)
        return np.asarray(cells, np.int64)


def _library() -> Any:
    try:
        import cdshealpix
    except ImportError as error:
        message = 'HEALPix cells need cdshealpix: pip install "xarray-cluster[healpix]"'
        raise ImportError(message) from error
    return cdshealpix


def healpix_of(dims: Collection[Hashable], data: xr.Dataset | None) -> Healpix | None:
    """Return the HEALPix cells along one of ``dims``; None if the data describe none."""
    for attrs, dim, cells in () if data is None else _described(dims, data):
        nside = _nside(attrs)
        if nside is not None and cells is not None:
            return Healpix(dim, nside, _scheme(attrs), cells)
        if nside is not None and data is not None and data.sizes.get(dim) == 12 * nside**2:
            return Healpix(dim, nside, _scheme(attrs), np.arange(data.sizes[dim]))
    return None


def _described(
    dims: Collection[Hashable], data: xr.Dataset
) -> Iterator[tuple[Mapping[str, Any], Hashable, Array | None]]:
    """Yield attributes that describe cells, their dim, and their numbers if these are known."""
    mappings: dict[str, Any] = {}
    for variable in data.variables.values():
        if variable.attrs.get("grid_mapping_name") == "healpix":
            mappings |= variable.attrs
    for coord in data.coords.values():
        attrs = coord.attrs
        said = (attrs.get("grid_name"), attrs.get("standard_name"))
        if coord.ndim == 1 and coord.dims[0] in dims and {"healpix", "healpix_index"} & {*said}:
            yield {**mappings, **attrs}, coord.dims[0], coord.values
    for dim in dims if mappings else ():
        numbers = data[dim] if dim in data.coords else None
        if numbers is None or numbers.dtype.kind in "iu":
            yield mappings, dim, None if numbers is None else numbers.values


def _nside(attrs: Mapping[str, Any]) -> int | None:
    for key in ("nside", "healpix_nside"):
        if key in attrs:
            return int(attrs[key])
    levels = [attrs[key] for key in LEVELS if isinstance(attrs.get(key), int | np.integer)]
    return 2 ** int(levels[0]) if levels else None


def _scheme(attrs: Mapping[str, Any]) -> str | None:
    said = [str(attrs[key]).lower() for key in ORDERS if isinstance(attrs.get(key), str)]
    if "nest" in attrs:
        said.append("nested" if attrs["nest"] else "ring")
    known = [name for each in said for name in ("nested", "ring") if each.startswith(name[:4])]
    return known[0] if known else None
