"""A scene of any size in a Zarr store: smooth regions of a few classes, seven variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

N_VARIABLES, N_CLASSES = 7, 8
CHUNKS = (500, 1_000)
WIDTH = 10_000


def make(path: Path, n_rows: int) -> xr.Dataset:
    """Write a scene of ``n_rows`` pixels, chunks of 500,000, and open it."""
    width = min(WIDTH, n_rows // CHUNKS[0])
    shape = (n_rows // width, width)
    chunks = da.core.normalize_chunks(CHUNKS, shape)
    arrays = {f"v{band}": (("y", "x"), _lazy(band, chunks)) for band in range(N_VARIABLES)}
    coords = {"y": np.arange(shape[0]) * 10.0, "x": np.arange(shape[1]) * 10.0}
    xr.Dataset(arrays, coords).to_zarr(path, mode="w", consolidated=False)
    return open_scene(path)


def with_gaps(ds: xr.Dataset, share: float, path: Path) -> xr.Dataset:
    """Write a scene that lacks a share of its values at random, and open it."""

    def lacking(block: np.ndarray, band: int, block_info: Any = None) -> np.ndarray:
        random = np.random.default_rng([band, *block_info[0]["chunk-location"]])
        return np.where(random.random(block.shape, np.float32) < share, np.float32(np.nan), block)

    arrays = {
        name: (("y", "x"), da.map_blocks(lacking, each.data, band, dtype=np.float32))
        for band, (name, each) in enumerate(ds.items())
    }
    xr.Dataset(arrays, ds.coords).to_zarr(path, mode="w", consolidated=False)
    return open_scene(path)


def open_scene(path: Path) -> xr.Dataset:
    return xr.open_zarr(path, consolidated=False)


def _lazy(band: int, chunks: Any) -> da.Array:
    meta = np.empty((0, 0), np.float32)
    return da.map_blocks(_block, band, chunks=chunks, dtype=np.float32, meta=meta)


def _block(band: int, block_info: Any = None) -> np.ndarray:
    place = block_info[None]["array-location"]
    y, x = (np.arange(start, stop) / 800 for start, stop in place)
    own, shade = np.zeros((len(y), len(x)), np.intp), None
    best = np.full(own.shape, -np.inf)
    for c in range(N_CLASSES):  # the class of a pixel has the largest of some smooth fields
        field = np.outer(np.sin(y * (1 + 0.13 * c) + c), np.cos(x * (1 + 0.07 * c) - 2 * c))
        own[field > best] = c
        best = np.maximum(best, field)
        shade = field if shade is None else shade
    random = np.random.default_rng([band, *(start for start, _ in place)])
    centers = np.random.default_rng(0).uniform(0, 10, (N_CLASSES, N_VARIABLES))
    noise = 0.7 * random.standard_normal(own.shape, np.float32)
    return (centers[own, band] + 0.5 * shade + noise).astype(np.float32)
