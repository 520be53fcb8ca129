"""One EM iteration beside scikit-learn's: ``python tests/benchmarks/mixture.py``.

From equal starts, each side is fitted with few and with more iterations, in turn; the
difference is the iterations'.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Peer

from xcluster.algorithms.mixture import GaussianMixture

ROWS, FEATURES, COMPONENTS = 1_000_000, 7, 6
FEW, MORE, REPEATS = 1, 5, 3


def make_rows(seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    means = 3 * random.normal(size=(COMPONENTS, FEATURES))
    mixing = random.normal(size=(COMPONENTS, FEATURES, FEATURES)) / 2
    X = random.normal(size=(ROWS, FEATURES)).astype(np.float32)
    for k in range(COMPONENTS):
        X[k::COMPONENTS] = X[k::COMPONENTS] @ mixing[k] + means[k]
    return X


def start(X: np.ndarray, covariance_type: str) -> dict:
    k, p = COMPONENTS, FEATURES
    precisions = {"full": np.tile(np.eye(p), (k, 1, 1)), "diag": np.ones((k, p))}
    return {
        "covariance_type": covariance_type,
        "weights_init": np.full(k, 1 / k),
        "means_init": X[:k].astype(float) + 0.5,
        "precisions_init": precisions[covariance_type],
        "reg_covar": 1e-6,
        "tol": 0,
    }


def timed(make: type, X: np.ndarray, max_iter: int, options: dict) -> tuple[float, float]:
    began = time.perf_counter()
    fitted = make(COMPONENTS, max_iter=max_iter, **options).fit(X)
    return time.perf_counter() - began, fitted.lower_bound_


def an_iteration(X: np.ndarray, covariance_type: str) -> tuple[list[float], float]:
    """Return the seconds an iteration takes on both sides, and how far likelihoods differ."""
    options = start(X, covariance_type)
    seconds: dict[tuple[type, int], float] = {}
    bounds = {}
    for _ in range(REPEATS):
        for make in (GaussianMixture, Peer):
            for n in (FEW, MORE):
                taken, bounds[make] = timed(make, X, n, options)
                seconds[make, n] = min(taken, seconds.get((make, n), np.inf))
    each = [(seconds[m, MORE] - seconds[m, FEW]) / (MORE - FEW) for m in (GaussianMixture, Peer)]
    return each, abs(bounds[GaussianMixture] / bounds[Peer] - 1)


def main() -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    X = make_rows()
    print("| what | ours | peer | ratio | target |\n|---|---|---|---|---|")
    for covariance_type, target in (("full", ">= 5"), ("diag", "")):
        (ours, peer), difference = an_iteration(X, covariance_type)
        what = f"{covariance_type} mixture, {COMPONENTS} components, {ROWS:,} x {FEATURES} float32"
        print(
            f"| {what}: one iteration | {ours:.3f} s | {peer:.3f} s (scikit-learn) "
            f"| {peer / ours:.1f} times faster | {target} |"
        )
        print(f"| {what}: log-likelihood, relative difference | | | {difference:.1e} | <= 1e-6 |")


if __name__ == "__main__":
    main()
