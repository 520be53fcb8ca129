"""Silhouettes of 65,536 rows: `python tests/benchmarks/silhouette.py`."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn import metrics

from xcluster.scores import (
    silhouette_samples,
    silhouette_score,
    simplified_silhouette_score,
)

ROWS, FEATURES, K = 65_536, 7, 7


def blobs(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Overlapping blobs, each row labelled by its nearest centre."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(scale=1.5, size=(K, FEATURES))
    X = centers[rng.integers(K, size=n)] + rng.normal(size=(n, FEATURES))
    return X, metrics.pairwise_distances_argmin(X, centers), centers


def timed(function: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def resident() -> float:
    """The memory that this process holds now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def extra_memory(function: Callable[[], object]) -> float:
    """The most memory above the start, sampled every millisecond, in MB."""
    before, done, peak = resident(), threading.Event(), [0.0]

    def watch() -> None:
        while not done.wait(0.001):
            peak[0] = max(peak[0], resident() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    function()
    done.set()
    watcher.join()
    return peak[0]


def coverage(n_seeds: int = 100, n: int = 10_000) -> int:
    """How many seeds give an interval that holds the exact value (of weighted rows)."""
    X, labels, _ = blobs(n, seed=1)
    weight = np.random.default_rng(2).uniform(0.1, 1.0, n)
    exact = silhouette_score(X, labels, sample_weight=weight).value
    scores = (
        silhouette_score(X, labels, sample_weight=weight, limit=2_000, random_state=seed)
        for seed in range(n_seeds)
    )
    return sum(score.low <= exact <= score.high for score in scores)


def row(what: str, ours: object, peer: object, ratio: object, target: str) -> None:
    print(f"| {what} | {ours} | {peer} | {ratio} | {target} |", flush=True)


def main() -> None:
    X, labels, centers = blobs(ROWS)
    silhouette_samples(X[:500], labels[:500])
    silhouette_samples(X[:500].astype(np.float32), labels[:500])
    print("| what | ours | peer | ratio | target |\n|---|---|---|---|---|")
    some = slice(10_000)
    error = np.abs(
        silhouette_samples(X[some], labels[some])
        - metrics.silhouette_samples(X[some], labels[some])
    ).max()
    row("largest difference, 10,000 rows, float64", f"{error:.1e}", "scikit-learn", "", "1e-6")
    memory = extra_memory(lambda: silhouette_samples(X, labels))
    row("extra memory, 65,536 x 7", f"{memory:.0f} MB", "", "", "< 200 MB")
    peer, expected = timed(lambda: metrics.silhouette_score(X, labels))
    for dtype in (np.float64, np.float32):
        data = X.astype(dtype)
        exact, score = timed(lambda data=data: silhouette_score(data, labels))
        name = f"exact, 65,536 x 7, {np.dtype(dtype)} (off by {score.value - expected:.0e})"
        row(name, f"{exact:.2f} s", f"{peer:.2f} s", f"{peer / exact:.1f}", "> 5")
        simple = min(
            timed(lambda data=data: simplified_silhouette_score(data, labels, centers))[0]
            for _ in range(5)
        )
        name = f"simplified against exact, {np.dtype(dtype)}"
        row(name, f"{simple * 1e3:.1f} ms", f"{exact:.2f} s", f"{exact / simple:.0f}", "> 50")
    row("seeds of 100 whose 95 % interval holds the exact value", coverage(), "", "", ">= 90")


if __name__ == "__main__":
    main()
