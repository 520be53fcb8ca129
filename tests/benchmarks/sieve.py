"""Sieve of a label map in blocks, beside GDAL's sieve of the same map in memory.

    python tests/benchmarks/sieve.py [--side 10000] [--least 20]

Prints seconds of wall and processor, the peak memory of ours, and how many pixels differ.
"""

import argparse
import resource
import tempfile
import time
from functools import partial
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import xarray as xr
from scipy.ndimage import uniform_filter

from xcluster.algorithms.parts.pieces import sieved
from xcluster.blocks.label_maps import by_pieces
from xcluster.grid.layout import Layout
from xcluster.grid.surroundings import surroundings

CHUNK = 1000


def make(path, side):
    """Write six labels with speckle, block by block."""
    labels = np.lib.format.open_memmap(path, "w+", np.int8, (side, side))
    for y in range(0, side, CHUNK):
        random = np.random.default_rng(y)
        rows = min(CHUNK, side - y)
        field = uniform_filter(random.normal(size=(rows, side)).astype(np.float32), 25)
        edges = np.quantile(field[::7, ::7], np.linspace(0, 1, 7)[1:-1])
        block = np.digitize(field, edges).astype(np.int8)
        noisy = random.random(block.shape) < 0.03
        block[noisy] = random.integers(0, 6, noisy.sum())
        labels[y : y + rows] = block


def ours(path, least):
    """Return the sum of the sieved labels of each block, so that no map is kept."""
    source = np.load(path, mmap_mode="r")
    chunked = da.from_array(source, CHUNK, name="map").astype(np.float32)
    labels = xr.DataArray(chunked, dims=("y", "x"))
    layout = Layout({}, (), labels.dims, dict(labels.sizes), {}, data=xr.Dataset())
    around = surroundings(layout, "sieve()", 4)
    found = by_pieces(labels, partial(sieved, least=least), around, least=least)
    return found.astype(np.int8)


def timed(function):
    """Return the result, seconds of wall, and seconds of processor."""
    wall, used = time.perf_counter(), time.process_time()
    result = function()
    return result, time.perf_counter() - wall, time.process_time() - used


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=10_000)
    parser.add_argument("--least", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.npy"
        make(path, 500)
        ours(path, options.least).compute()  # compiles
        make(path, options.side)
        out = np.lib.format.open_memmap(
            Path(folder) / "out.npy", "w+", np.int8, (options.side, options.side)
        )
        with dask.config.set(scheduler="threads", num_workers=2):
            found = ours(path, options.least)
            _, wall, used = timed(lambda: da.store(found.data, out, lock=False))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        n = options.side**2
        print(f"| ours, {n:,} pixels | {wall:.1f} s | {used:.1f} s | {peak:.2f} GiB |")
        from rasterio.features import sieve

        whole = np.load(path).view(np.uint8)
        theirs, wall, used = timed(lambda: sieve(whole, options.least, connectivity=4))
        print(f"| GDAL, in memory | {wall:.1f} s | {used:.1f} s | |")
        differ = (theirs.view(np.int8) != out).mean()
        print(f"pixels that differ: {differ:.2e} (ties, and what GDAL leaves)")


if __name__ == "__main__":
    main()
