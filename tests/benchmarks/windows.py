"""Windows of an image, snapshots of a field, and the latent space of a climatology.

Run: python tests/benchmarks/windows.py
"""

import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import davies_bouldin_score, silhouette_score

import xcluster  # noqa: F401  (registers the accessor)

DATA = Path(__file__).resolve().parents[3] / "shared/data"


def resident_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["VmRSS"].split()[0]) / 1024


class Peak:
    """The most memory that this process holds, watched every 10 ms."""

    def __enter__(self):
        self.mb, self._done = resident_mb(), threading.Event()
        self._watch = threading.Thread(target=self._run)
        self._watch.start()
        return self

    def _run(self):
        while not self._done.wait(0.01):
            self.mb = max(self.mb, resident_mb())

    def __exit__(self, *_):
        self._done.set()
        self._watch.join()


def timed(function):
    start = time.perf_counter()
    return function(), time.perf_counter() - start


def windows(image, kind):
    with Peak() as peak:
        labels, seconds = timed(
            lambda: image.cluster.patches(40).pca(2).gmm(5, progress=False).labels.compute()
        )
    what = f"40 x 40 at every pixel, 1,024 x 1,024, {kind}, pca(2).gmm(5)"
    cost = f"{seconds:.0f} s, peak {peak.mb:.0f} MB"
    print(f"| {what} | {cost} | {int(labels.notnull().sum()):,} labels | | 120 s, 1,024 MB |")


def snapshots():
    random, n = np.random.default_rng(0), 7300
    patterns = random.normal(size=(12, 90 * 180)).astype(np.float32)
    X = random.normal(size=(n, 12)).astype(np.float32) * np.linspace(4, 1, 12, dtype="f4")
    X = X @ patterns
    X += random.standard_normal(X.shape, dtype=np.float32)
    coords = {"time": pd.date_range("2000-01-01", periods=n), "lat": np.linspace(-89, 89, 90)}
    field = xr.DataArray(X.reshape(n, 90, 180), coords, ("time", "lat", "lon"), name="z")

    def peer():
        return KMeans(4, n_init=10).fit(PCA(10, random_state=0).fit_transform(X))

    def ours():
        return field.cluster.snapshots("time").pca(10).kmeans(4, progress=False).labels

    pairs = [(timed(ours)[1], timed(peer)[1]) for _ in range(2)]
    mine, theirs = (min(each) for each in zip(*pairs, strict=True))
    what = "20 years of days, 90 x 180, pca(10).kmeans(4), labels"
    print(f"| {what} | {mine:.1f} s | {theirs:.1f} s | {mine / theirs:.2f} | <= 2 |")


def latent():
    annual = xr.open_dataset(DATA / "ocean_climate/coads_monthly.nc").mean("month").load()
    samples = annual.cluster.pixels()
    chains = {"data": samples, "pca(2)": samples.pca(2), "vae(2)": samples.vae(2)}
    print("\n| k-means, k = 7, in | silhouette | Davies-Bouldin | R2 | fit, s |")
    print("|---|---|---|---|---|")
    whole = samples.scale("standard", over="variable").transform()
    X = whole.values.reshape(len(whole), -1).T
    X = X[np.isfinite(X).all(axis=1)]
    for name, chain in chains.items():
        fit, seconds = timed(lambda chain=chain: chain.kmeans(7, progress=False))
        Z = fit.features.values.reshape(fit.features.sizes["component"], -1).T
        Z = Z[np.isfinite(Z).all(axis=1)]
        labels = fit.labels.values.ravel()
        labels = labels[np.isfinite(labels)]
        scores = silhouette_score(Z, labels), davies_bouldin_score(Z, labels)
        last = fit.assign.chain.last
        error = np.mean((X - last.inverse_transform(Z)) ** 2) if name != "data" else 0.0
        r2 = 1 - error / X.var(axis=0).mean()
        print(f"| {name} | {scores[0]:.3f} | {scores[1]:.3f} | {r2:.3f} | {seconds:.1f} |")


def main():
    image = xr.open_dataset(DATA / "microscopy/stem_MoS2_Se_1024.nc").load()
    image.isel(y=slice(40), x=slice(40)).cluster.patches(8).pca(2).gmm(2)
    print("| what | ours | peer | ratio | target |\n|---|---|---|---|---|")
    windows(image, "in memory")
    windows(image.chunk(y=256, x=256), "in blocks of 256")
    snapshots()
    latent()


if __name__ == "__main__":
    main()
