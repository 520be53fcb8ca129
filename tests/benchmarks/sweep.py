"""Sweeps over k against independent scikit-learn fits, side by side in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.mixture import GaussianMixture

import xcluster  # noqa: F401  (registers the accessor)
from xcluster import scores

KS = range(2, 21)
REPEATS = 3


def blobs(n: int = 65_536) -> np.ndarray:
    X, _ = make_blobs(n, 7, centers=12, cluster_std=4.0, random_state=0)
    return X.astype(np.float32)


def uniform(n: int = 65_536) -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(n, 7)).astype(np.float32)


def samples(X: np.ndarray) -> Any:
    array = xr.DataArray(X.reshape(256, -1, X.shape[1]), dims=("y", "x", "band"))
    return array.cluster.pixels(dim="band")


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def interleaved(ours: Callable[[], Any], peer: Callable[[], Any], repeats: int) -> list[Any]:
    """Return the median seconds and the last result of each."""
    runs = [(timed(ours), timed(peer)) for _ in range(repeats)]
    return [
        (float(np.median([run[side][0] for run in runs])), runs[-1][side][1]) for side in (0, 1)
    ]


def line(what: str, ours: float, peer: float, target: str) -> None:
    print(f"| {what} | {ours:.3g} | {peer:.3g} | {peer / ours:.2f} | {target} |", flush=True)


def inertia(name: str, X: np.ndarray) -> None:
    (ours, sweep), (peer, fits) = interleaved(
        lambda: samples(X).sweep(KS, criteria=["inertia"], progress=False),
        lambda: [KMeans(k, n_init=1, random_state=0).fit(X) for k in KS],
        REPEATS,
    )
    line(f"sweep of k = 2 to 20, inertia, 65,536 x 7, {name} (s)", ours, peer, ">= 3")
    values = sweep.table.inertia.values
    ratio = values / [fit.inertia_ for fit in fits]
    rises = int((np.diff(values) > 0).sum())
    print(f"| ... inertia over the peer's, mean | {ratio.mean():.4f} | | | <= 1.0 |")
    print(f"| ... inertia over the peer's, largest | {ratio.max():.4f} | | | <= 1.02 |")
    print(f"| ... rises with k | {rises} | | | 0 |", flush=True)


def silhouettes(X: np.ndarray) -> None:
    labels = [KMeans(k, n_init=1, random_state=0).fit_predict(X) for k in KS]
    (ours, _), (peer, _) = interleaved(
        lambda: scores.silhouette_scores(X, labels),
        lambda: [scores.silhouette_score(X, each) for each in labels],
        1,
    )
    line(
        f"exact silhouettes of 19 labellings together or apart, {len(X):,} x 7 (s)", ours, peer, ""
    )


def mixtures(X: np.ndarray) -> None:
    ks = range(2, 9)
    (ours, _), (peer, _) = interleaved(
        lambda: samples(X).sweep(ks, "gmm", criteria=["bic"], progress=False),
        lambda: [GaussianMixture(k, random_state=0).fit(X).bic(X) for k in ks],
        1,
    )
    line(f"sweep of k = 2 to 8, mixture, BIC, {len(X):,} x 7 (s)", ours, peer, "")


def main() -> None:
    samples(blobs(2_560)).sweep([2, 3], criteria=["inertia", "silhouette"])
    samples(blobs(2_560)).sweep([2, 3], "gmm", criteria=["bic"])
    print("| what | ours | peer | ratio | target |\n|---|---|---|---|---|")
    inertia("blobs", blobs())
    inertia("uniform", uniform())
    silhouettes(blobs(20_480))
    mixtures(blobs(20_480))


if __name__ == "__main__":
    main()
