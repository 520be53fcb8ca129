"""The first numbers: k-means on a raster in memory, a whole tomography model, the import.

Run: python tests/benchmarks/spine.py
"""

import os
import subprocess
import sys
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import xarray as xr
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

import xcluster

SHARED = Path(__file__).parents[3] / "shared" / "data" / "tomography"


def seconds(function, repeats=5):
    """Return the best of some runs, and the last result."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return min(times), result


def raster(n=1000, p=7, k=6, seed=0):
    """Make n x n pixels of p variables: k overlapping groups."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 2.0, (k, p))
    group = rng.integers(0, k, n * n)
    X = (centres[group] + rng.normal(0, 1, (n * n, p))).astype(np.float32)
    names = [f"v{i}" for i in range(p)]
    planes = np.ascontiguousarray(X.T).reshape(p, n, n)
    data = {name: (("y", "x"), plane) for name, plane in zip(names, planes, strict=True)}
    return xr.Dataset(data, {"y": np.arange(n), "x": np.arange(n)}), X


def kmeans_rows():
    """k-means on 1,000,000 x 7 from the same starts."""
    ds, X = raster()
    scaled = StandardScaler().fit_transform(X)
    rng = np.random.default_rng(1)
    starts = scaled[rng.choice(len(X), 6, replace=False)]

    def ours():
        return ds.cluster.pixels().scale("standard").kmeans(6, n_init=1, init=starts)

    def peer():
        return KMeans(6, n_init=1, init=starts).fit(StandardScaler().fit_transform(X))

    ours()
    pairs = [(seconds(ours, 1), seconds(peer, 1)) for _ in range(7)]
    mine, fit = min((pair[0] for pair in pairs), key=lambda pair: pair[0])
    theirs, model = min((pair[1] for pair in pairs), key=lambda pair: pair[0])
    passes = fit.model[-1].n_iter_, model.n_iter_
    what = f"k-means, 1,000,000 x 7, k = 6 ({passes[0]} and {passes[1]} iterations), s"
    yield what, mine, theirs, "<= 1.15"
    tracemalloc.start()
    ours()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    yield (
        "the same: extra peak memory, MiB, over the data's",
        peak / 2**20,
        X.nbytes / 2**20,
        "<= 2.5",
    )


def tomography():
    """A whole model, k = 2 to 20, against a loop over columns and one fit a k."""
    path = SHARED / "S362ANI+M.nc"
    ds = xr.open_dataset(path).load() if path.exists() else xcluster.datasets.tomography()
    ds = ds[["vs"]]

    def ours():
        return ds.cluster.profiles("depth").kmeans(k=None)

    ours()
    mine, fit = seconds(ours, 3)
    start = time.perf_counter()
    from kneed import KneeLocator
    from tslearn.clustering import TimeSeriesKMeans

    columns = []
    for i in range(ds.sizes["latitude"]):
        for j in range(ds.sizes["longitude"]):
            column = ds["vs"].values[:, i, j]
            if not np.isnan(column).any():
                columns.append(column)
    X = np.array(columns)[:, :, None]
    curve, models = [], {}
    for k in range(2, 21):
        models[k] = TimeSeriesKMeans(k, metric="euclidean", max_iter=50, random_state=0).fit(X)
        curve.append(models[k].inertia_)
    KneeLocator(range(2, 21), curve, curve="convex", direction="decreasing")
    theirs = time.perf_counter() - start
    name = f"{len(X):,} columns x {X.shape[1]} depths, k = 2 to 20, s"
    yield name, mine, theirs, "<= 0.1"
    ours_j = fit.model[-1].inertia_ / len(X)
    yield f"the same: mean squared distance at k = {fit.k}", ours_j, models[fit.k].inertia_, "<= 1"


def imports():
    """import xcluster against import xarray, sklearn.cluster, compiled as installers leave them."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def run(code):
        command = [sys.executable, "-c", code]
        return seconds(lambda: subprocess.run(command, check=True, env=env), 7)[0]

    bare = run("pass")
    mine, theirs = run("import xcluster") - bare, run("import xarray, sklearn.cluster") - bare
    yield "import, seconds", mine, theirs, "<= 1.3"


def main():
    """Print the table."""
    warnings.simplefilter("ignore")
    print("| what | ours | peer | ratio | target |\n|---|---|---|---|---|")
    for part in (kmeans_rows, tomography, imports):
        for what, mine, theirs, target in part():
            print(f"| {what} | {mine:.4g} | {theirs:.4g} | {mine / theirs:.3f} | {target} |")


if __name__ == "__main__":
    main()
