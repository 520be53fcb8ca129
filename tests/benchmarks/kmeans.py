"""k-means and standard scaling against scikit-learn, side by side in one process."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.cluster import KMeans as PeerKMeans
from sklearn.datasets import make_blobs
from sklearn.preprocessing import StandardScaler

from xcluster.algorithms.kmeans import KMeans, grow
from xcluster.algorithms.scaling import Scaler

REPEATS = 3
KS = range(2, 21)


def main() -> None:
    print("| what | ours | peer | ratio | target |")
    print("|---|---|---|---|---|")
    chain()
    memory()
    sweep()


def rows(n: int) -> np.ndarray:
    X, _ = make_blobs(n, 7, centers=12, cluster_std=4.0, random_state=0)
    return X.astype(np.float32)


def chain() -> None:
    X = rows(1_000_000)
    (ours, fit), (peer, peer_fit) = interleaved(lambda: our_chain(X), lambda: peer_chain(X))
    line("scale and k-means, 1,000,000 x 7, k=6 (s)", ours, peer, "<= 1.15")
    line("... iterations", fit.n_iter_, peer_fit.n_iter_, "")
    line("... inertia", true_inertia(X, fit), true_inertia(X, peer_fit), "<= 1")


def our_chain(X: np.ndarray) -> KMeans:
    scaled = Scaler("standard").fit_transform(X)
    return KMeans(6, init=scaled[:6], n_init=1).fit(scaled)


def peer_chain(X: np.ndarray) -> PeerKMeans:
    scaled = StandardScaler().fit_transform(X)
    return PeerKMeans(6, init=scaled[:6], n_init=1).fit(scaled)


def true_inertia(X: np.ndarray, fit: Any) -> float:
    """Return the sum of squares of the labels about their own means, in float64."""
    scaled = StandardScaler().fit_transform(X.astype(np.float64))
    return sum(
        float(np.sum((scaled[fit.labels_ == c] - scaled[fit.labels_ == c].mean(0)) ** 2))
        for c in range(fit.n_clusters)
    )


def memory() -> None:
    X = rows(1_000_000)
    ours, peer = (peak(lambda call=call: call(X)) / X.nbytes for call in (our_chain, peer_chain))
    line("... peak memory / data", ours, peer, "ours <= 2.5")


def peak(function: Callable[[], Any]) -> int:
    tracemalloc.start()
    function()
    result = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result


def sweep() -> None:
    X = rows(65_536)
    (ours, fits), (peer, peer_fits) = interleaved(lambda: our_sweep(X), lambda: peer_sweep(X))
    line("sweep k=2..20, 65,536 x 7 (s)", ours, peer, "<= 0.33")
    worst = max(a.inertia_ / b.inertia_ for a, b in zip(fits, peer_fits, strict=True))
    mean = np.mean([a.inertia_ / b.inertia_ for a, b in zip(fits, peer_fits, strict=True)])
    print(
        f"| ... inertia, ours over peer: mean, worst | {mean:.4f} | {worst:.4f} | | <= 1, <= 1.02 |"
    )
    rises = int(np.sum(np.diff([fit.inertia_ for fit in fits]) > 0))
    print(f"| ... k at which inertia rises | {rises} | | | 0 |")


def our_sweep(X: np.ndarray) -> list[KMeans]:
    fits = [KMeans(KS[0], n_init=1).fit(X)]
    for k in KS[1:]:
        fits.append(KMeans(k, init=grow(fits[-1].cluster_centers_, X)).fit(X))
    return fits


def peer_sweep(X: np.ndarray) -> list[PeerKMeans]:
    return [PeerKMeans(k, n_init=1, random_state=0).fit(X) for k in KS]


def interleaved(*functions: Callable[[], Any]) -> list[tuple[float, Any]]:
    """Return the best time and the result of each, measured in turns after a warm-up."""
    results = [function() for function in functions]
    best = [np.inf] * len(functions)
    for _ in range(REPEATS):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            results[i] = function()
            best[i] = min(best[i], time.perf_counter() - start)
    return list(zip(best, results, strict=True))


def line(what: str, ours: float, peer: float, target: str) -> None:
    print(f"| {what} | {ours:.4g} | {peer:.4g} | {ours / peer:.3f} | {target} |")


if __name__ == "__main__":
    main()
