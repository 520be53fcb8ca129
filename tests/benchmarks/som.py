"""Batch self-organising maps beside MiniSom's 50,000 steps, winners included."""

from __future__ import annotations

import statistics
import time

import numpy as np
from minisom import MiniSom

from xcluster.algorithms.som import SOM

SEEDS = (0, 1, 2)


def profiles(n_samples: int = 20_000, n_levels: int = 100) -> np.ndarray:
    """Return smooth profiles: eight cosines of falling weight, and a little noise."""
    random = np.random.default_rng(0)
    depth = np.linspace(0, 1, n_levels)
    modes = np.array([np.cos(order * np.pi * depth) / (1 + order) for order in range(8)])
    noise = 0.05 * random.normal(size=(n_samples, n_levels))
    return random.normal(size=(n_samples, 8)) @ modes + noise


def peer(X: np.ndarray, seed: int, sigma: float, rate: float) -> tuple[float, float, float]:
    start = time.perf_counter()
    som = MiniSom(12, 12, X.shape[1], sigma=sigma, learning_rate=rate, random_seed=seed)
    som.random_weights_init(X)
    som.train(X, 50_000)
    [som.winner(row) for row in X]
    seconds = time.perf_counter() - start
    return seconds, som.quantization_error(X), som.topographic_error(X)


def ours(X: np.ndarray) -> tuple[float, float, float]:
    start = time.perf_counter()
    som = SOM((12, 12)).fit(X)
    seconds = time.perf_counter() - start
    return seconds, som.quantization_error_, som.topographic_error_


def main() -> None:
    X = profiles()
    ours(X)
    print("| what | ours | peer | ratio | target |\n|---|---|---|---|---|")
    for sigma, rate, name in ((0.3, 0.1, "SeisGo's 0.3, 0.1"), (1.0, 0.5, "its own 1.0, 0.5")):
        pairs = [(ours(X), peer(X, seed, sigma, rate)) for seed in SEEDS]
        (t, q, e), (t_peer, q_peer, e_peer) = (
            map(statistics.median, zip(*side, strict=True)) for side in zip(*pairs, strict=True)
        )
        what = f"SOM 12 x 12, 20,000 x 100, MiniSom at {name}"
        print(f"| {what}: seconds | {t:.2f} | {t_peer:.2f} | {t_peer / t:.1f} | >= 10 |")
        print(f"| quantisation error | {q:.4f} | {q_peer:.4f} | {q / q_peer:.4f} | <= 1 |")
        print(f"| topographic error | {e:.3f} | {e_peer:.3f} | {e / e_peer:.2f} | |")


if __name__ == "__main__":
    main()
