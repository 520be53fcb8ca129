"""Fits of data larger than memory, in units of the time that reading them takes.

    python tests/benchmarks/streaming.py [--rows 20000000] [--large 100000000] [--dask-ml]

Wall time and processor time (of all threads) are both shown: on a machine that is busy with other
work only the latter says much.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scene
import xarray as xr
from sklearn.cluster import KMeans as PeerKMeans
from sklearn.mixture import GaussianMixture as PeerMixture

import xcluster  # noqa: F401  (registers the accessor)

REPEATS = 3
Seconds = tuple[float, float]


def main() -> None:
    options = arguments()
    if options.peak is not None:
        print(peak_memory(Path(options.peak)))
        return
    with tempfile.TemporaryDirectory() as folder:
        print("| what | ours | peer | ratio | target |\n|---|---|---|---|---|")
        path = Path(folder) / "scene.zarr"
        ds = scene.make(path, options.rows)
        speed(ds, Path(folder) / "labels.zarr")
        quality(ds)
        if options.dask_ml:
            dask_ml(ds)
        size(path, Path(folder), options)


def arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--large", type=int, default=0, help="rows of a larger scene, or 0")
    parser.add_argument("--dask-ml", action="store_true")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    return parser.parse_args()


def timed(function: Callable[[], Any]) -> tuple[Any, Seconds]:
    wall, processor = time.perf_counter(), time.process_time()
    result = function()
    return result, (time.perf_counter() - wall, time.process_time() - processor)


def line(what: str, ours: Seconds, peer: Seconds, target: str) -> None:
    for kind, a, b in zip(("wall", "processor"), ours, peer, strict=True):
        print(f"| {what}, {kind} (s) | {a:.2f} | {b:.2f} | {a / b:.2f} | {target} |", flush=True)


def least(times: list[Seconds]) -> Seconds:
    return min(each[0] for each in times), min(each[1] for each in times)


# ------------------------------------------------------------------------------------------ speed


def read(ds: xr.Dataset) -> Any:
    return ds.to_array().mean().compute()


def label(ds: xr.Dataset, target: Path) -> Any:
    fit = ds.cluster.pixels().scale(None).kmeans(8)
    fit.labels.to_dataset().to_zarr(target, mode="w", consolidated=False)
    return fit


def speed(ds: xr.Dataset, target: Path) -> None:
    """Compare with reading, turn by turn."""
    label(ds.isel(y=slice(0, 1_200)), target)  # compiles
    reads, labels, passes = [], [], {"kmeans": [], "gmm": []}
    for _ in range(REPEATS):
        reads.append(timed(lambda: read(ds))[1])
        labels.append(timed(lambda: label(ds, target))[1])
        for method, k in (("kmeans", 8), ("gmm", 6)):
            passes[method].append(one_pass(ds.cluster.pixels().scale(None), method, k))
    line("default fit and labels to Zarr", least(labels), least(reads), "<= 3")
    line("kmeans(8, fit_on='all'), one pass", least(passes["kmeans"]), least(reads), "<= 2")
    line("gmm(6, fit_on='all'), one pass", least(passes["gmm"]), least(reads), "<= 4")


def one_pass(samples: Any, method: str, k: int) -> Seconds:
    """Return the seconds of one more pass: fits of four passes and of one, compared."""
    short, long = (
        timed(
            lambda n=n: getattr(samples, method)(k, fit_on="all", max_iter=n, tol=0, progress=False)
        )[1]
        for n in (1, 4)
    )
    return (long[0] - short[0]) / 3, (long[1] - short[1]) / 3


# ---------------------------------------------------------------------------------------- quality


def rows(ds: xr.Dataset, n: int) -> np.ndarray:
    every = max(ds["v0"].size // n, 1)
    return ds.to_array().values.reshape(len(ds.data_vars), -1)[:, ::every].T[:n].copy()


def sum_of_squares(X: np.ndarray, centers: np.ndarray) -> float:
    total = 0.0
    for start in range(0, len(X), 500_000):
        part = X[start : start + 500_000].astype(np.float64)
        squared = (part**2).sum(1)[:, None] - 2 * part @ centers.T + (centers**2).sum(1)
        total += float(squared.min(axis=1).sum())
    return total


def quality(ds: xr.Dataset) -> None:
    """Compare what the fits reach, on all rows."""
    X = rows(ds, ds["v0"].size)
    some = np.ascontiguousarray(X[:: max(len(X) // 2_000_000, 1)])
    peer = PeerKMeans(8, n_init=10, random_state=0).fit(some)
    ours = ds.cluster.pixels().scale(None).kmeans(8).assign.centers
    a, b = sum_of_squares(X, ours), sum_of_squares(X, peer.cluster_centers_.astype(np.float64))
    compared("sum of squares on all rows, default fit", a, b, "<= 1.005")
    some = np.ascontiguousarray(X[:: max(len(X) // 1_000_000, 1)]).astype(np.float64)
    samples = ds.cluster.pixels().scale(None)
    model = samples.gmm(6, fit_on="all", n_init=10, progress=False).model[-1]
    free = PeerMixture(6, random_state=0).fit(some)
    near = PeerMixture(6, means_init=model.means_).fit(some)
    for start, peer in (("its own start", free), ("our means", near)):
        what = f"log-likelihood per row, gmm(6, fit_on='all'), peer from {start}"
        compared(what, model.score(some), peer.score(some), "within 0.1 %, or above")


def compared(what: str, ours: float, peer: float, target: str) -> None:
    print(f"| {what} | {ours:.6g} | {peer:.6g} | {ours / peer:.5f} | {target} |", flush=True)


def dask_ml(ds: xr.Dataset) -> None:
    """Compare with dask-ml, where it is installed."""
    try:
        from dask_ml.cluster import KMeans
    except ImportError as error:
        print(f"| dask_ml.cluster.KMeans(8).fit | | not installed ({error}) | | >= 15 |")
        return
    stacked = ds.to_array().stack(pixel=("y", "x")).transpose("pixel", "variable").data
    peer = timed(lambda: KMeans(8).fit(stacked.rechunk({1: -1})))[1]
    ours = timed(lambda: ds.cluster.pixels().scale(None).kmeans(8))[1]
    line("dask_ml.cluster.KMeans(8).fit, our default fit", peer, ours, ">= 15")


# ------------------------------------------------------------------------------------------- size


def peak_memory(path: Path) -> str:
    """Fit and label a scene; return megabytes at the peak, and seconds."""
    label(scene.open_scene(path).isel(y=slice(0, 1_200)), path.with_name("warm.zarr"))
    _, (wall, processor) = timed(
        lambda: label(scene.open_scene(path), path.with_name("labels.zarr"))
    )
    # Not getrusage: its peak is inherited from the process that started this one.
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return f"{peak:.0f} {wall:.3f} {processor:.3f}"


def measured_apart(path: Path) -> tuple[float, float, float]:
    """Measure in a process of its own, so that the peak is that of one fit."""
    command = [sys.executable, __file__, "--peak", str(path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    peak, wall, processor = map(float, said[-3:])
    return peak, wall, processor


def size(path: Path, folder: Path, options: Any) -> None:
    """Compare memory and time at several sizes."""
    found = {options.rows: measured_apart(path)}
    for n in (options.rows // 10, options.large):
        if n:
            scene.make(folder / "other.zarr", n)
            found[n] = measured_apart(folder / "other.zarr")
    for n, (peak, wall, processor) in sorted(found.items()):
        print(
            f"| {n:,} pixels: peak memory (MiB), wall, processor (s) "
            f"| {peak:.0f}, {wall:.1f}, {processor:.1f} | | | < 1536 MiB |"
        )
    sizes = np.log([*sorted(found)])
    for kind, place in (("wall", 1), ("processor", 2)):
        times = np.log([found[n][place] for n in sorted(found)])
        slope = np.polyfit(sizes, times, 1)[0]
        print(f"| slope of log {kind} time on log rows | {slope:.3f} | | | <= 1.05 |")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # max_iter is reached on purpose
        main()
