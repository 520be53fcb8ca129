"""GeoTIFF of a lazy label map, and polygons beside GDAL's own.

    python tests/benchmarks/gis.py raster [--side 14143] [--chunk 1000]
    python tests/benchmarks/gis.py polygons [--side 707]

Prints seconds of wall, for the GeoTIFF the peak memory of the process, for polygons how many times
`rasterio.features.shapes` alone they take.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import rasterio
import xarray as xr
from rasterio.features import shapes
from scipy.ndimage import uniform_filter

import xcluster  # noqa: F401  (registers the accessor)

REPEATS = 3


def block_of_labels(block_info, speckle):
    """Return a block of a field of six values."""
    (y, x), _ = zip(*block_info[None]["array-location"], strict=True)
    random = np.random.default_rng([y, x])
    shape = block_info[None]["chunk-shape"]
    field = uniform_filter(random.normal(size=shape).astype(np.float32), 25)
    found = np.digitize(field, np.quantile(field[::7, ::7], np.linspace(0, 1, 7)[1:-1]))
    noisy = random.random(shape) < speckle
    found[noisy] = random.integers(0, 6, noisy.sum())
    return found.astype(np.float32)


def land(side, chunk, speckle):
    """Return a lazy field on a grid of 30 m in UTM."""
    chunks = da.core.normalize_chunks(chunk, (side, side))
    lazy = da.map_blocks(block_of_labels, speckle=speckle, chunks=chunks, dtype=np.float32)
    metres = {"units": "m"}
    coords = {"y": ("y", 5e6 - 30.0 * np.arange(side), metres)}
    coords["x"] = ("x", 4e5 + 30.0 * np.arange(side), metres)
    return xr.DataArray(lazy, coords, ("y", "x"), name="band", attrs={"crs": "EPSG:32633"})


def raster(side, chunk):
    """Write a GeoTIFF."""
    fit = land(side, chunk, 0.01).cluster.pixels().kmeans(6)
    with tempfile.TemporaryDirectory() as folder, dask.config.set(num_workers=2):
        path = Path(folder) / "a.tif"
        start = time.perf_counter()
        fit.to_raster(path)
        wall = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        with rasterio.open(path) as file:
            layout = file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"]
        size = path.stat().st_size / 2**20
        print(f"| {side**2:,} pixels, {layout} of {size:.0f} MiB | {wall:.1f} s | {peak:.2f} GiB |")


def polygons(side):
    """Compare polygons with those of GDAL, in alternation."""
    fit = land(side, side, 0.01).compute().cluster.pixels().kmeans(6)
    codes = fit.labels.values.astype(np.uint8)
    ours, theirs = [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        count = sum(1 for _ in shapes(codes, connectivity=4))
        middle = time.perf_counter()
        frame = fit.to_polygons()
        theirs.append(middle - start)
        ours.append(time.perf_counter() - middle)
        assert len(frame) == count
    print(f"| {side**2:,} pixels, {count:,} regions | {min(ours):.2f} s |")
    print(f"| rasterio.features.shapes alone | {min(theirs):.2f} s |")
    print(f"ratio {min(ours) / min(theirs):.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("raster", "polygons"))
    parser.add_argument("--side", type=int)
    parser.add_argument("--chunk", type=int, default=1000)
    options = parser.parse_args()
    if options.what == "raster":
        raster(options.side or 14_143, options.chunk)
    else:
        polygons(options.side or 707)


if __name__ == "__main__":
    main()
