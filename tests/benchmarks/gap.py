"""What the gap statistic chooses: `python tests/benchmarks/gap.py`."""

import time

import numpy as np

from xcluster.scores import gap_statistic

SEEDS = 20
ROWS = 300


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=(ROWS, 3))


def blobs(k: int, seed: int) -> np.ndarray:
    """Unit blobs whose centres are at least ten apart."""
    rng = np.random.default_rng(seed)
    centers = np.empty((0, 3))
    while len(centers) < k:
        center = rng.uniform(-20, 20, 3)
        if all(np.linalg.norm(centers - center, axis=1) > 10):
            centers = np.vstack([centers, center])
    return np.repeat(centers, ROWS // k, axis=0) + rng.normal(size=(ROWS // k * k, 3))


def report(what: str, data: list[np.ndarray], k: int) -> None:
    start = time.perf_counter()
    gaps = [gap_statistic(X, range(1, 9), random_state=i) for i, X in enumerate(data)]
    each = (time.perf_counter() - start) / len(data)
    best = [gap.best for gap in gaps]
    published = [gap.published for gap in gaps].count(k)
    missed = [number for number in best if number != k]
    name = f"{what}, {each:.1f} s each" + (f", else {missed}" if missed else "")
    print(f"| {name} | {best.count(k)} | {published} | | 19 of {len(data)} |", flush=True)


def main() -> None:
    print("| what | ours | the rule as published | ratio | target |\n|---|---|---|---|---|")
    report("uniform noise: 1", [noise(seed) for seed in range(SEEDS)], 1)
    for k in range(3, 7):
        report(f"separated blobs: {k}", [blobs(k, seed) for seed in range(SEEDS)], k)


if __name__ == "__main__":
    main()
