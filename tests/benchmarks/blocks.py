"""What many blocks cost the client: seconds before the first task, and bytes that are sent.

    python tests/benchmarks/blocks.py [--blocks 1000 10000 100000] [--profile]

Few blocks are read: in place of a pass, one block is computed and taken for all. The time of a pass
is that from the call, or from the end of the pass before, to the finished graph of tasks. With a
client, the scheduler makes the tasks of the graph that it is sent; this time is counted here too.
The bytes are those of the graph that is sent, less those of the data alone. Seconds are those of
the processor, because other work on the machine would count too.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
import warnings
from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr
from dask.core import get_dependencies
from dask.highlevelgraph import HighLevelGraph
from distributed.protocol.serialize import serialize, to_serialize

import xcluster  # noqa: F401  (registers the accessor)
from xcluster.blocks.graphs import MERGE

N_VARIABLES = 3
SIDE = 316
"""Pixels along a side of a block: 100,000 blocks have 10^10 pixels."""

Figures = tuple[float, int]
"""Seconds, and bytes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--profile", action="store_true", help="say where the time goes")
    options = parser.parse_args()
    profile = cProfile.Profile() if options.profile else None
    print(
        "| what | blocks | seconds | slope | bytes a block beyond the data |\n|---|---|---|---|---|"
    )
    before: dict[str, tuple[int, float]] = {}
    for n in options.blocks:
        if profile:
            profile.enable()
        for what, (seconds, size) in measured(n).items():
            fewer, less = before.get(what, (n, seconds))
            slope = np.log(seconds / less) / np.log(n / fewer) if fewer < n else np.nan
            before[what] = n, seconds
            print(f"| {what} | {n:,} | {seconds:.2f} | {slope:.2f} | {size / n:.0f} |", flush=True)
    if profile:
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)


# ------------------------------------------------------------------------------------------- data


class OnDisk:
    """Looks like an array of a file, with data in the first rows of each block."""

    dtype, ndim = np.dtype(np.float32), 2

    def __init__(self, shape: tuple[int, int], seed: int) -> None:
        self.shape, self.seed = shape, seed

    def __getitem__(self, where: tuple[slice, slice]) -> np.ndarray:
        shape = [len(range(*each.indices(n))) for each, n in zip(where, self.shape, strict=True)]
        values = np.random.default_rng(self.seed).normal(size=shape).astype(self.dtype)
        values[3:] = np.nan
        return values


def scene(n: int) -> xr.Dataset:
    """Return some variables on latitudes and longitudes, in ``n`` blocks."""
    across = next(each for each in range(int(n**0.5), 0, -1) if n % each == 0)
    shape = across * SIDE, n // across * SIDE
    data = {
        f"v{i}": (("lat", "lon"), da.from_array(OnDisk(shape, i), chunks=SIDE, name=f"v{i}-{n}"))
        for i in range(N_VARIABLES)
    }
    lat, lon = (np.arange(size) / size * 60 for size in shape)
    return xr.Dataset(
        data,
        {
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )


# -------------------------------------------------------------------------------------- questions


class OneBlock:
    """Stands for a scheduler: computes one block for all, and notes when each pass was ready."""

    def __init__(self) -> None:
        self.found: list[Figures] = []
        self.start = time.process_time()

    def __call__(self, graph: Any, keys: Any, **_: Any) -> list[Any]:
        waited, size = time.process_time() - self.start, pickled(graph)
        start = time.process_time()
        tasks = dict(graph.__dask_graph__() if hasattr(graph, "__dask_graph__") else graph)
        self.found.append((waited + time.process_time() - start, size))
        first = next(key for key in tasks if key[0].startswith(MERGE) and key[1:] == (0, 0))
        block = min(get_dependencies(tasks, first))
        result = dask.get({key: tasks[key] for key in below(tasks, block)}, block)
        self.start = time.process_time()
        return [result]


def below(tasks: dict[Any, Any], key: Any) -> set[Any]:
    """Return the key of a task and those of all that it needs."""
    return {key}.union(*(below(tasks, each) for each in get_dependencies(tasks, key)))


def pickled(graph: Any) -> int:
    """Return the bytes of a graph as a client sends it."""
    header, frames = serialize(to_serialize(graph), on_error="raise")
    return len(str(header)) + sum(memoryview(each).nbytes for each in frames)


def of_data(ds: xr.Dataset) -> int:
    """Return the bytes of the graph of all variables."""
    return pickled(HighLevelGraph.merge(*(each.data.dask for each in ds.values())))


def passes(ask: Callable[[], Any], names: list[str], data: int) -> tuple[Any, dict[str, Figures]]:
    """Return the answer to a question, and the figures of each pass that it makes."""
    scheduler = OneBlock()
    with dask.config.set(scheduler=scheduler):
        answer = ask()
    found = zip(names, scheduler.found, strict=True)
    return answer, {name: (seconds, size - data) for name, (seconds, size) in found}


def streamed(samples: Any, what: str, data: int) -> tuple[Any, dict[str, Figures]]:
    """Return a streamed fit and the figures of its passes."""
    names = ["sample", "sample again", "pass", "next pass"]
    return passes(
        lambda: samples.scale(None).kmeans(4, fit_on="all", max_iter=2, tol=0, progress=False),
        [f"{what}, {name}" for name in names],
        data,
    )


def measured(n: int) -> dict[str, Figures]:
    """Return the figures of questions about ``n`` blocks."""
    ds = scene(n)
    data, samples = of_data(ds), ds.cluster.pixels()
    fit, found = streamed(samples, "k-means", data)
    found |= passes(fit.report, ["report"], data)[1]
    found |= streamed(samples.weights("area"), "weighted by area", data)[1]
    cut = ds.isel(lat=slice(1, None))
    cut = cut.where(cut.v0 < 2)
    found |= streamed(cut.cluster.pixels(), "cut and masked", of_data(cut))[1]
    start = time.process_time()
    lazy = fit.labels
    return found | {"lazy labels": (time.process_time() - start, pickled(lazy.data.dask) - data)}


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # max_iter is reached on purpose
        main()
