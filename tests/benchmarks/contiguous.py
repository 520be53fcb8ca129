"""Contiguous labels of as many HEALPix cells as a world map of 12 km has: time and peak of memory.

Run as ``python tests/benchmarks/contiguous.py``; cdshealpix must be installed.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import xarray as xr

import xcluster  # noqa: F401  (registers the accessor)


def sky(nside):
    """Return one variable of noise on all cells, in nested order."""
    values = np.random.default_rng(0).normal(size=12 * nside**2).astype(np.float32)
    grid = {
        "grid_mapping_name": "healpix",
        "healpix_nside": nside,
        "healpix_order": "nested",
    }
    cells = {"cell": np.arange(len(values)), "crs": ((), 0, grid)}
    return xr.Dataset({"a": ("cell", values, {"grid_mapping": "crs"})}, cells)


def fit(nside):
    return sky(nside).cluster.pixels(["a"]).hac(8, contiguous="healpix").labels.values


def peak():
    """Return the peak of resident memory in GiB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 2**20 for line in lines if line.startswith("VmHWM"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nside", type=int, default=512)
    nside = parser.parse_args().nside
    warnings.simplefilter("ignore")
    fit(16)  # compiles
    start, used = time.perf_counter(), time.process_time()
    fit(nside)
    wall, processor = time.perf_counter() - start, time.process_time() - used
    print("| cells | wall, s | processor, s | peak, GiB | target |\n|---|---|---|---|---|")
    target = "< 60 s, < 2 GiB"
    print(f"| {12 * nside**2:,} | {wall:.0f} | {processor:.0f} | {peak():.2f} | {target} |")


if __name__ == "__main__":
    main()
