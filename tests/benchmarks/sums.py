"""What exact sums cost: a pass over a block with them, over the same pass with plain sums.

Run as ``python tests/benchmarks/sums.py``: processor time, in alternation, median of several.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from threadpoolctl import threadpool_limits

from xcluster.algorithms.fuzzy import FuzzyCMeans
from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.mixture import GaussianMixture
from xcluster.algorithms.parts.sums import PLAIN, Exact
from xcluster.algorithms.pca import PCA
from xcluster.algorithms.scaling import Scaler
from xcluster.algorithms.som import SOM

PASSES = {
    "k-means, k = 6, of 7 features": (KMeans(6, n_init=1), 7, 1.3),
    "k-means, k = 6, of 60 features": (KMeans(6, n_init=1), 60, 1.3),
    "standard scaling of 7 features": (Scaler("standard"), 7, 1.3),
    "PCA of 7 features": (PCA(3), 7, 5),
    "PCA of 60 features": (PCA(3), 60, 5),
    "fuzzy c-means, k = 6, of 7 features": (FuzzyCMeans(6, n_init=1, max_iter=3), 7, 1.3),
    "map of 5 x 5 nodes of 7 features": (SOM((5, 5)), 7, 1.3),
    "full mixture, k = 6, of 7 features": (GaussianMixture(6, n_init=1, max_iter=3), 7, 1.5),
    "full mixture, k = 6, of 60 features": (GaussianMixture(6, n_init=1, max_iter=3), 60, 1.5),
    "diagonal mixture, k = 6, of 7 features": (
        GaussianMixture(6, covariance_type="diag", n_init=1, max_iter=3),
        *(7, 1.5),
    ),
}


def used(function):
    """Return the processor time of a call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def compared(estimator, p, n_values, repeats):
    """Return the median time of a pass with plain sums, and with exact ones."""
    X = np.random.default_rng(0).normal(size=(n_values // p, p)).astype(np.float32)
    X += 3 * np.random.default_rng(1).integers(0, 4, (len(X), 1)).astype(np.float32)
    fitted = estimator.fit(X[:5000])
    guess = Exact.guessed(X[:5000], None)
    exact = guess.widened(guess.extent(X, None))

    def of(sums):
        return used(lambda: fitted.partial_statistics(X, None, sums))

    times = [(of(PLAIN), of(exact)) for _ in range(repeats + 1)]
    return np.median(times[1:], axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=3_500_000, help="rows times features")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| one pass | plain, ms | exact, ms | ratio | aim |\n|---|---|---|---|---|")
    with threadpool_limits(1):
        for name, (estimator, p, aim) in PASSES.items():
            plain, exact = 1e3 * compared(estimator, p, options.values, options.repeats)
            print(f"| {name} | {plain:.1f} | {exact:.1f} | {exact / plain:.2f} | {aim} |")


if __name__ == "__main__":
    main()
