"""HEALPix cells, as the attributes of coordinates or of a grid mapping describe them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.base.optional import optional
from xcluster.grid.polygons import unit_vectors

SIDES, AROUND = (1, 3, 5, 7), (0, 1, 2, 3, 5, 6, 7, 8)
"""Columns of neighbours with a common side, and with a common side or corner."""

IN_TURN = (1, 5, 7, 3)
"""Columns of neighbours behind the sides of a cell, from its southern corner eastwards."""
PARTS = 4
"""Parts of a side, each as long as a great circle."""

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

    def sides(self) -> tuple[Array, Array, Array]:
        """Return for each side of each cell the cell, that behind it or -1, and its angle.

        Sides are no great circles: their lengths, in radians, are those of `PARTS` parts.
        """
        cells, depth, nested = self._nested(), self._depth, _library().nested
        order = np.argsort(cells, kind="stable")
        rising, behind, angles = cells[order], [], []
        for start in range(0, len(cells), BLOCK):
            some = cells[start : start + BLOCK]
            near = nested.neighbours(some, depth)[:, list(IN_TURN)]
            place = np.minimum(np.searchsorted(rising, near), len(cells) - 1)
            behind.append(np.where(rising[place] == near, order[place], -1))
            corners = unit_vectors(*_degrees(nested.vertices(some, depth, step=PARTS)))
            chords = np.linalg.norm(np.roll(corners, -1, axis=-1) - corners, axis=0)
            arcs = 2 * np.arcsin(chords / 2)
            angles.append(arcs.reshape(len(some), len(IN_TURN), PARTS).sum(axis=-1))
        cell = np.repeat(np.arange(len(cells)), len(IN_TURN))
        return cell, np.concatenate(behind).ravel(), np.concatenate(angles).ravel()

    def centres(self) -> tuple[Array, Array]:
        """Return longitude and latitude of the centre of each cell, in degrees."""
        return _degrees(_library().nested.healpix_to_lonlat(self._nested(), self._depth))

    def polygons(self) -> tuple[Array, Array, Array]:
        """Return longitude and latitude of the corners of each cell (n, 4), and its number."""
        nested = _library().nested
        number = np.arange(len(self.cells))
        return *_degrees(nested.vertices(self._nested(), self._depth)), number

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


def _degrees(places: Any) -> tuple[Array, Array]:
    longitude, latitude = places
    return longitude.to_value("deg"), latitude.to_value("deg")


def _library() -> Any:
    return optional("cdshealpix", "the grid of HEALPix cells", '"xarray-cluster[healpix]"')


def healpix_of(dims: Collection[Hashable], data: xr.Dataset | None) -> Healpix | None:
    """Return the HEALPix cells along one of ``dims``; None if the data describe none."""
    for attrs, dim, cells in () if data is None else _described(data):
        nside = _nside(attrs)
        if nside is not None and dim in dims:
            return Healpix(dim, nside, _scheme(attrs), cells)
    return None


def _described(data: xr.Dataset) -> Iterator[tuple[Mapping[str, Any], Hashable, Array]]:
    """Yield attributes that describe cells, their dim, and their numbers."""
    mappings: dict[str, Any] = {}
    for variable in data.variables.values():
        if variable.attrs.get("grid_mapping_name") == "healpix":
            mappings |= variable.attrs
    stated = [each for each in data.coords.values() if each.ndim == 1 and _says_cells(each.attrs)]
    for coord in stated:
        yield {**mappings, **coord.attrs}, coord.dims[0], coord.values
    nside = _nside(mappings)
    if nside is not None and not stated:
        yield from ((mappings, *each) for each in _numbered(data, 12 * nside**2))


def _says_cells(attrs: Mapping[str, Any]) -> bool:
    return attrs.get("grid_name") == "healpix" or attrs.get("standard_name") == "healpix_index"


def _numbered(data: xr.Dataset, n: int) -> list[tuple[Hashable, Array]]:
    """Return the dim that must be that of ``n`` cells or some of them, and their numbers.

    Years are whole numbers, too: the dim is the one of all cells, or else the longest one.
    """
    numbers = {dim: data[dim].values for dim in data.dims}  # 0, 1, ... without coordinates
    whole = {
        dim: each
        for dim, each in numbers.items()
        if each.dtype.kind in "iu" and each.size and each.min() >= 0 and each.max() < n
    }
    every = [dim for dim, each in whole.items() if len(each) == n]
    known = every or [dim for dim in whole if dim in data.coords]
    return [(dim, whole[dim]) for dim in sorted(known, key=lambda dim: -data.sizes[dim])[:1]]


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
