"""Keys of samples that depend on their coordinates, not on the order or chunks of the array."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.grid.geography import find_axis
from xcluster.grid.layout import Layout, canonical_dims


def coordinate_keys(layout: Layout) -> tuple[xr.DataArray, ...]:
    """Return the hash of each coordinate of each sample dim; a sample's key mixes their sum."""
    longitude = find_axis(layout.coords, "longitude")
    keys = []
    for dim in layout.sample_dims:
        values = _hash(_canonical_values(layout, dim, longitude))
        name = f"{dim}{layout.scene}"  # so that scenes on the same grid give different samples
        # Equal coordinates are told apart by how often they came before.
        repeats = pd.Series(values).groupby(values).cumcount().to_numpy(np.uint64)
        keys.append(xr.DataArray(mix(values + mix(repeats) + _hash([name])[0]), dims=[dim]))
    return tuple(keys)


def canonical_positions(layout: Layout) -> tuple[xr.DataArray, ...]:
    """Return a number for each coordinate of each sample dim; their sum numbers the samples.

    Samples are counted with dims sorted by name and coordinates rising, for any order of the data.
    """
    longitude = find_axis(layout.coords, "longitude")
    positions, stride = [], 1
    for dim in reversed(canonical_dims(layout.sample_dims)):
        order = np.argsort(_canonical_values(layout, dim, longitude), kind="stable")
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        positions.append(xr.DataArray(rank * stride, dims=[dim]))
        stride *= layout.sizes[dim]
    return tuple(positions)


def mix(keys: Array) -> Array:
    """Mix the bits of 64-bit keys (finaliser of SplitMix64), so that similar keys become unlike."""
    keys = keys.astype(np.uint64)
    keys ^= keys >> np.uint64(30)
    keys *= np.uint64(0xBF58476D1CE4E5B9)
    keys ^= keys >> np.uint64(27)
    keys *= np.uint64(0x94D049BB133111EB)
    keys ^= keys >> np.uint64(31)
    return keys


def _canonical_values(layout: Layout, dim: Hashable, longitude: xr.DataArray | None) -> Array:
    """Return the index of ``dim``, longitudes modulo 360; positions if it has no coordinate."""
    coord = layout.coords.get(dim)
    if coord is None or coord.ndim != 1:
        return np.arange(layout.sizes[dim])
    values = coord.values
    if longitude is not None and longitude.dims == (dim,) and values.dtype.kind == "f":
        # Rounded: on grids of 0.1 degrees the last digits change when 360 is added.
        return np.round(values.astype(np.float64) % 360, 6) % 360
    if values.dtype.kind in "fiu":
        return values.astype(np.float64) + 0.0  # so that -0.0 and 0.0 have the same hash
    if values.dtype.kind in "mM":
        return values
    # One by one, as the entries of a MultiIndex are tuples.
    return np.array([str(value) for value in values], object)


def _hash(values: Any) -> Array:
    array = np.asarray(values)
    array = array.astype(object) if array.dtype.kind == "U" else array
    return pd.util.hash_array(array).astype(np.uint64)
