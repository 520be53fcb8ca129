"""Regions of a label map in blocks: time and the peak of memory, for about a million regions.

python tests/benchmarks/regions.py [--side 10000] [--chunk 1000]
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import dask.array as da
import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

import xcluster  # noqa: F401  (registers the accessor)


def make(path, side, chunk, noise):
    """Write six labels with speckle, block by block."""
    labels = np.lib.format.open_memmap(path, "w+", np.int8, (side, side))
    for y in range(0, side, chunk):
        random = np.random.default_rng(y)
        shape = min(chunk, side - y), side
        field = gaussian_filter(random.normal(size=shape).astype(np.float32), 12)
        edges = np.quantile(field[::7, ::7], np.linspace(0, 1, 7)[1:-1])
        block = np.digitize(field, edges).astype(np.int8)
        noisy = random.random(shape) < noise
        block[noisy] = random.integers(0, 6, noisy.sum())
        labels[y : y + chunk] = block


def peak():
    """Peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=10_000)
    parser.add_argument("--chunk", type=int, default=1000)
    parser.add_argument("--noise", type=float, default=0.008)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.npy"
        make(path, given.side, given.chunk, given.noise)
        stored = np.load(path, mmap_mode="r")
        values = da.from_array(stored, chunks=given.chunk).astype(np.float32)
        place = 10.0 * np.arange(given.side)
        coords = {dim: (dim, place, {"units": "m"}) for dim in ("y", "x")}
        image = xr.DataArray(values, coords, ("y", "x"), name="v")
        fit = image.cluster.pixels().kmeans(6, order="v", n_init=1)
        print(f"after the fit: {peak():,.0f} MiB")
        start = time.perf_counter()
        found = fit.regions()
        seconds = time.perf_counter() - start
        print(f"{found.sizes['region']:,} regions in {seconds:.1f} s, peak {peak():,.0f} MiB")


if __name__ == "__main__":
    main()
