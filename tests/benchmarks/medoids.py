"""k-medoids beside the package kmedoids, which has to be installed (or on PYTHONPATH)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import kmedoids
import numpy as np
from sklearn.datasets import make_blobs
from sklearn.metrics import pairwise_distances

from xcluster.algorithms.medoids import KMedoids

SEEDS = (0, 1, 2)


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor seconds of a call, and what it returns."""
    start = time.process_time()
    found = function()
    return time.process_time() - start, found


def rows(name: str, n: int) -> np.ndarray:
    if name == "uniform":
        return np.random.default_rng(0).uniform(size=(n, 3))
    if name == "lognormal":
        return np.exp(np.random.default_rng(0).normal(size=(n, 8)))
    return make_blobs(n, int(name.split()[1]), centers=25, cluster_std=2.0, random_state=0)[0]


def peer(X: np.ndarray, k: int, seed: int) -> tuple[float, float]:
    """Return the seconds of all distances and a search, and the loss of its medoids."""

    def search() -> Any:
        distances = pairwise_distances(X).astype(np.float32)
        return kmedoids.fasterpam(distances, k, random_state=seed, n_cpu=1).medoids

    needed, medoids = seconds(search)
    return needed, loss(X, X[medoids])


def loss(X: np.ndarray, medoids: np.ndarray) -> float:
    return float(pairwise_distances(X, medoids).min(axis=1).sum())


def main() -> None:
    KMedoids(2).fit(np.arange(9.0)[:, None])  # compiles
    print("| what | ours | peer | ratio | target |\n|---|---|---|---|---|")
    for name, n, k in (
        *(("blobs 5", 20_000, 5), ("blobs 5", 20_000, 20), ("blobs 50", 20_000, 20)),
        *(("uniform", 5_000, 20), ("lognormal", 20_000, 20)),
    ):
        X = rows(name, n)
        t, fit = seconds(lambda: KMedoids(k).fit(X))  # noqa: B023
        theirs = [peer(X, k, seed) for seed in (SEEDS if n < 10_000 else SEEDS[:1])]
        t_peer, best = (min(each) for each in zip(*theirs, strict=True))
        what = f"FasterPAM, {name}, n={n:,}, k={k}"
        print(f"| {what}: processor seconds | {t:.1f} | {t_peer:.1f} | {t_peer / t:.1f} | >= 1 |")
        print(
            f"| loss | {fit.loss_:.1f} | {best:.1f} | {fit.loss_ / best:.5f} | <= 1 |", flush=True
        )
    X = rows("blobs 5", 1_000_000)
    t, fit = seconds(lambda: KMedoids(20).fit(X))
    some = X[:: len(X) // 20_000]
    exact = loss(X, KMedoids(20).fit(some).cluster_centers_)
    print(f"| FasterCLARA, blobs 5, n=1,000,000, k=20: processor seconds | {t:.1f} | | | |")
    print(f"| loss, beside one search among 20,000 rows | {fit.loss_:.0f} | {exact:.0f} | ", end="")
    print(f"{fit.loss_ / exact:.5f} | |")


if __name__ == "__main__":
    main()
