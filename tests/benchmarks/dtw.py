"""k-means under DTW beside tslearn's: time and objective."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from tslearn.clustering import TimeSeriesKMeans
from tslearn.metrics import cdist_dtw

from xcluster.algorithms.warping import WarpingKMeans, dtw

SEEDS = range(3)


def profiles(n_samples: int, length: int, n_shapes: int = 8) -> Any:
    """Return noisy bumps and steps at shifted depths."""
    random = np.random.default_rng(0)
    depth = np.linspace(0, 1, length)
    centre, width, height = random.uniform(0.2, 0.8, (3, n_shapes, 1))
    shape = random.integers(n_shapes, size=n_samples)
    shifted = depth - random.normal(0, 0.05, (n_samples, 1))
    bumps = height[shape] * np.exp(-(((shifted - centre[shape]) / (0.2 * width[shape])) ** 2))
    steps = np.tanh((shifted - centre[::-1][shape]) / 0.1)
    return bumps * 3 + steps + random.normal(0, 0.1, (n_samples, length))


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def distance_row() -> str:
    X = profiles(400, 100)
    ours, peer = [], []
    for _ in range(3):
        ours.append(seconds(lambda: dtw(X, X))[0])
        peer.append(seconds(lambda: cdist_dtw(X[:, :, None], X[:, :, None], n_jobs=2))[0])
    cells = 400 * 400 * 100 * 100
    rate, other = cells / np.median(ours), cells / 2 / np.median(peer)  # the peer does one triangle
    return f"| DTW cells per second | {rate:.2g} | {other:.2g} | {rate / other:.1f} | |"


def kmeans_rows() -> list[str]:
    X = profiles(2000, 100)
    times, peer_times, ours, peer = [], [], [], []
    for seed in SEEDS:
        model = WarpingKMeans(8, max_iter=5, random_state=seed)
        other = TimeSeriesKMeans(8, metric="dtw", max_iter=5, n_init=1, random_state=seed, n_jobs=2)
        spent, model = seconds(lambda model=model: model.fit(X))
        times.append(spent)
        spent, other = seconds(lambda other=other: other.fit(X[:, :, None]))
        peer_times.append(spent)
        ours.append(mean_cost(X, model.cluster_centers_))
        peer.append(mean_cost(X, other.cluster_centers_[:, :, 0]))
    what = "2,000 x 100, k=8, 5 iterations"
    ratio = np.median(peer_times) / np.median(times)
    cost = np.median(ours) / np.median(peer)
    return [
        f"| {what}: seconds | {np.median(times):.2f} | {np.median(peer_times):.1f} |"
        f" {ratio:.0f} | >= 20 |",
        f"| {what}: objective | {np.median(ours):.4f} | {np.median(peer):.4f} | {cost:.4f} |"
        " <= 1.01 |",
    ]


def mean_cost(X: Any, centers: Any) -> float:
    return float((dtw(X, centers).min(axis=1) ** 2).mean())


def large_row() -> str:
    X = profiles(20_000, 40)
    spent, model = seconds(lambda: WarpingKMeans(8).fit(X))
    what = f"20,000 x 40, k=8, {model.n_iter_} iterations: seconds"
    return f"| {what} | {spent:.1f} | | | < 60 |"


def warm() -> None:
    X = profiles(20, 100)
    WarpingKMeans(2, max_iter=1).fit(X)
    TimeSeriesKMeans(2, metric="dtw", max_iter=1, n_init=1, random_state=0).fit(X[:, :, None])


def main() -> None:
    warm()
    print("| what | ours | peer | ratio | target |")
    print("|---|---|---|---|---|")
    print(distance_row(), large_row(), sep="\n", flush=True)
    print(*kmeans_rows(), sep="\n")


if __name__ == "__main__":
    main()
