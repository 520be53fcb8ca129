"""k-Shape beside tslearn's: time and objective of series that are shifted.

Run as ``python tests/benchmarks/shapes.py``; tslearn must be installed.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from tslearn.clustering import KShape

from xcluster.algorithms.shapes import ShapeKMeans


def series(n, length, kinds, seed=0):
    """Return smooth random shapes, each moved, stretched in size and with noise."""
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.normal(size=(kinds, length)), axis=1) * np.hanning(length)
    rows = np.array(
        [np.roll(steps[i % kinds], rng.integers(-length // 8, length // 8)) for i in range(n)]
    )
    return rng.uniform(1, 5, (n, 1)) * (rows + rng.normal(size=rows.shape))


def timed(function):
    """Return a result, and the processor time that it took."""
    start = time.process_time()
    return function(), time.process_time() - start


def compared(n, length, k):
    """Print one row: one start of each side, and the time of one iteration."""
    X = series(n, length, k)
    Z = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)
    ours, mine = timed(lambda: ShapeKMeans(k, n_init=1).fit(X))
    peer, theirs = timed(lambda: KShape(k, n_init=1, random_state=0).fit(Z[:, :, None]))
    each = mine / (ours.n_iter_ + 1), theirs / peer.n_iter_
    objective = ours.inertia_ / n, peer.inertia_
    print(
        f"| {n:,} x {length}, {k} | {mine:.2f} | {theirs:.1f} | {theirs / mine:.0f} "
        f"| {each[1] / each[0]:.0f} | {objective[0]:.4f} | {objective[1]:.4f} |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="*", default=["500,60,4", "2000,100,8"])
    sizes = [tuple(map(int, each.split(","))) for each in parser.parse_args().sizes]
    warnings.simplefilter("ignore")
    ShapeKMeans(2).fit(series(50, 30, 2))  # compiles
    print(
        "| rows x points, k | ours, s | tslearn, s | times faster | by iteration | ours | theirs |"
    )
    print("|---|---|---|---|---|---|---|")
    for n, length, k in sizes:
        compared(n, length, k)


if __name__ == "__main__":
    main()
