"""Columns with levels of their own: interpolated by us, and by numpy.interp in a compiled loop.

Run: python tests/benchmarks/own_levels.py
"""

import time

import numba
import numpy as np
import xarray as xr

import xcluster  # noqa: F401  (registers the accessor)
from xcluster.algorithms.kernels.columns import interpolate_columns
from xcluster.blocks import rows

N, LEVELS, BLOCK, REPEATS = 1_000_000, 100, 250_000, 3
TARGET = np.arange(100.0, 901.0, 10.0)


@numba.njit(nogil=True)
def peer(levels, values, target, out):
    for row in range(len(out)):
        out[row] = np.interp(target, levels[row], values[row])


def columns(n, dtype):
    random = np.random.default_rng(0)
    steps = random.uniform(5, 15, (n, LEVELS)).astype(dtype)
    levels = np.cumsum(steps, axis=1)
    return levels, np.cos(levels / 300)


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def kernels(dtype):
    """One thread each, in turns; the shortest of several."""
    levels, values = columns(BLOCK, dtype)
    falling = [np.ascontiguousarray(each[:, ::-1]) for each in (levels, values)]
    out = np.empty((BLOCK, len(TARGET)), dtype)
    calls = {
        "peer": lambda: peer(levels, values, TARGET, out),
        "rising": lambda: interpolate_columns(levels, values, TARGET),
        "falling": lambda: interpolate_columns(*falling, TARGET),
    }
    for call in calls.values():
        call()
    turns = [{name: timed(call) for name, call in calls.items()} for _ in range(REPEATS)]
    best = {name: min(turn[name] for turn in turns) * N / BLOCK for name in calls}
    for name in ("rising", "falling"):
        ratio = best[name] / best["peer"]
        what = f"{N:,} columns x {LEVELS} {name} levels to {len(TARGET)}, {dtype}"
        print(f"| {what} | {best[name]:.2f} s | {best['peer']:.2f} s | {ratio:.2f} | <= 3 |")


def chain(dtype):
    """All rows of `profiles`, from the arrays of the user to the rows of a fit."""
    levels, values = columns(N, dtype)
    dims = ("column", "level")
    ds = xr.Dataset({"t": (dims, values), "z": (dims, levels)})
    samples = ds.cluster.profiles("level", along="z", between=(100, 900), step=10)
    out = np.empty((N, len(TARGET)), dtype)
    turns = [
        (
            timed(lambda: rows.gather(samples.layout)),
            timed(lambda: peer(levels, values, TARGET, out)),
        )
        for _ in range(2)
    ]
    mine, theirs = (min(each) for each in zip(*turns, strict=True))
    what = f"the same as rows of profiles(along=), {dtype}"
    print(f"| {what} | {mine:.2f} s | {theirs:.2f} s | {mine / theirs:.2f} | <= 3 |")


def main():
    print("| what | ours | np.interp, compiled | ratio | target |\n|---|---|---|---|---|")
    for dtype in ("float32", "float64"):
        kernels(dtype)
    chain("float32")


if __name__ == "__main__":
    main()
