"""Fuzzy c-means beside scikit-fuzzy's, which has to be installed (or on PYTHONPATH)."""

from __future__ import annotations

import statistics
import time
import warnings

import numpy as np
from skfuzzy.cluster import cmeans
from sklearn.datasets import make_blobs

from xcluster.algorithms.fuzzy import FuzzyCMeans

SEEDS = (0, 1, 2)


def peer(X: np.ndarray, seed: int) -> tuple[float, float, int]:
    start = time.perf_counter()
    _, _, _, _, objectives, passes, _ = cmeans(X.T, 4, 2.0, 1e-5, 300, seed=seed)
    return time.perf_counter() - start, objectives[-1], passes


def ours(X: np.ndarray, seed: int, n_init: int) -> tuple[float, float, int]:
    start = time.perf_counter()
    fuzzy = FuzzyCMeans(4, n_init=n_init, random_state=seed).fit(X)
    return time.perf_counter() - start, fuzzy.objective_, fuzzy.n_iter_


def equal_starts(X: np.ndarray, seed: int) -> tuple[float, float]:
    """Return the seconds a pass of each takes, ours and the peer's, from the peer's start."""
    random = np.random.RandomState(seed)
    u = random.rand(4, len(X))
    u /= u.sum(axis=0)
    start = time.perf_counter()
    *_, passes, _ = cmeans(X.T, 4, 2.0, 0.0, 20, init=u)
    seconds_of_peer = (time.perf_counter() - start) / passes
    centers = (u**2) @ X / (u**2).sum(axis=1)[:, None]
    fuzzy = FuzzyCMeans(4, init=centers, max_iter=20, tol=0)
    start = time.perf_counter()
    with warnings.catch_warnings(action="ignore"):
        fuzzy.fit(X)
    # Beside the passes counted there is one that measures and one that labels.
    return (time.perf_counter() - start) / (len(fuzzy.objective_history_) + 2), seconds_of_peer


def main() -> None:
    X = make_blobs(65_536, n_features=7, centers=4, cluster_std=4.0, random_state=0)[0]
    ours(X, 0, 1)
    peer(X[:1000], 0)
    print("| what | ours | peer | ratio | target |\n|---|---|---|---|---|")
    for n_init in (5, 1):
        pairs = [(ours(X, seed, n_init), peer(X, seed)) for seed in SEEDS]
        (t, j, n), (t_peer, j_peer, n_peer) = (
            map(statistics.median, zip(*side, strict=True)) for side in zip(*pairs, strict=True)
        )
        what = f"fuzzy c-means 65,536 x 7, k=4, n_init={n_init}"
        print(f"| {what}: seconds | {t:.3f} | {t_peer:.3f} | {t_peer / t:.1f} | >= 5 |")
        print(f"| objective | {j:.1f} | {j_peer:.1f} | {j / j_peer:.6f} | <= 1.001 |")
        print(f"| passes | {n} | {n_peer} | {n_peer / n:.1f} | |")
    t, t_peer = map(statistics.median, zip(*(equal_starts(X, seed) for seed in SEEDS), strict=True))
    print(f"| milliseconds per pass | {1e3 * t:.1f} | {1e3 * t_peer:.1f} | {t_peer / t:.1f} | |")


if __name__ == "__main__":
    main()
