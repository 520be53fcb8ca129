"""Time beside other packages over shapes of data, clusterers, precisions and weights.

Run as ``python tests/benchmarks/plane.py [--only kmeans] [--quick] [--redo]``. Each side of a cell
has a process of its own, and the two fit in turn. Cells that ``docs/plane.csv`` has are kept, so
that a run can be resumed; ``docs/plane.png`` is drawn from that file.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

DOCS = Path(__file__).parents[2] / "docs"
TABLE, FIGURE = DOCS / "plane.csv", DOCS / "plane.png"
KEY = ["what", "n", "d", "k", "dtype", "weights"]
MOST_VALUES, QUICK_VALUES = 250_000_000, 3_000_000
REPEATS, QUICK_REPEATS = 5, 3

Data = tuple[np.ndarray, np.ndarray | None, int]


class Pair(NamedTuple):
    """A fit and that of a peer, what both are to make small, and where they are compared."""

    ours: Callable[..., Any]
    peer: Callable[..., Any]
    objective: Callable[..., float]
    shapes: list[tuple[int, int]]
    cases: list[tuple[int, str, bool]]
    allowed: float = 1.001


# ------------------------------------------------------------------------------------- objectives


def spread(data: Data, fit: Any) -> float:
    """Return the sum of squares of rows about the means of their labels."""
    X, weight, _ = data
    weight, labels, total = np.ones(len(X)) if weight is None else weight, fit.labels_, 0.0
    for label in np.unique(labels):
        rows, w = X[labels == label].astype(np.float64), weight[labels == label]
        total += float(w @ np.square(rows - np.average(rows, axis=0, weights=w)).sum(axis=1))
    return total


def unexplained(data: Data, fit: Any) -> float:
    return 1 - float(np.sum(fit.explained_variance_ratio_))


def unlikely(data: Data, fit: Any) -> float:
    """Return the inverse of the mean density, per feature."""
    return float(np.exp(-fit.score(data[0][:20_000]) / data[0].shape[1]))


def fuzziness(data: Data, centers: np.ndarray) -> float:
    """Return the objective of fuzzy c-means with m = 2."""
    squares = np.stack([np.square(data[0] - center).sum(axis=1) for center in centers])
    return float((1 / (1 / np.maximum(squares, 1e-300)).sum(axis=0)).sum())


def quantisation(data: Data, nodes: np.ndarray) -> float:
    from scipy.spatial.distance import cdist

    return float(cdist(data[0], nodes).min(axis=1).mean())


def noise(data: Data, fit: Any) -> float:
    return 1 + float(np.mean(fit.labels_ < 0))


def warped(data: Data, centers: np.ndarray) -> float:
    from xcluster.algorithms.warping import dtw

    return float(np.square(dtw(data[0], centers).min(axis=1)).mean())


# ------------------------------------------------------------------------------------------ fits


def sides(what: str) -> Pair:
    """Return what is compared; packages are imported where they are timed."""
    from sklearn import cluster, decomposition, metrics, mixture

    from xcluster import scores
    from xcluster.algorithms import density, fuzzy, hierarchical, kmeans, pca, som, warping
    from xcluster.algorithms import mixture as mixtures
    from xcluster.algorithms import nmf as factors

    def start(X: np.ndarray, k: int) -> dict[str, Any]:
        return {"init": X[:: len(X) // k][:k], "n_init": 1}

    def average(X: np.ndarray, k: int) -> Any:
        import fastcluster
        from scipy.cluster.hierarchy import fcluster

        labels = fcluster(fastcluster.linkage(X, "average"), k, "maxclust")
        return argparse.Namespace(labels_=labels)

    def fuzzy_peer(X: np.ndarray, k: int) -> np.ndarray:
        from skfuzzy.cluster import cmeans

        return cmeans(X.T, k, 2.0, 1e-5, 300, seed=0)[0]

    def map_peer(X: np.ndarray, k: int) -> np.ndarray:
        from minisom import MiniSom

        peer = MiniSom(k, k, X.shape[1], random_seed=0)
        peer.random_weights_init(X)
        peer.train(X, 50_000)
        return peer.get_weights().reshape(k * k, -1)

    def series_peer(X: np.ndarray, k: int) -> np.ndarray:
        from tslearn.clustering import TimeSeriesKMeans

        peer = TimeSeriesKMeans(k, metric="dtw", max_iter=5, random_state=0, n_jobs=2)
        return peer.fit(X[:, :, None]).cluster_centers_[:, :, 0]

    def hdbscan_peer(X: np.ndarray, k: int) -> Any:
        return cluster.HDBSCAN(k, copy=True).fit(X)

    def radius(X: np.ndarray) -> float:
        return 0.7 * float(np.sqrt(2 * X.shape[1]))

    many = [(k, dtype, w) for k, dtype in [(8, "f4"), (20, "f8")] for w in (False, True)]
    both, single = [(8, "f4", False), (8, "f8", False)], [(8, "f8", False)]
    shapes = [(10**3, 2), (10**3, 2000), (5400, 75), (10**4, 1024), (20_000, 224), (10**5, 7)]
    large = [(10**5, 100), (10**5, 2000), (10**6, 2), (10**6, 30), (10**6, 224)]
    small = [(500, 5000), (1000, 2), (2000, 300), (10**4, 7)]
    ones = {
        "kmeans": Pair(
            lambda X, w, k: kmeans.KMeans(k, **start(X, k)).fit(X, sample_weight=w),
            lambda X, w, k: cluster.KMeans(k, **start(X, k)).fit(X, sample_weight=w),
            spread, shapes + large, [*many, (2, "f4", False), (100, "f4", False)],
        ),
        "kmeans, default": Pair(
            lambda X, w, k: kmeans.KMeans(k).fit(X, sample_weight=w),
            lambda X, w, k: cluster.KMeans(k, n_init=10, random_state=0).fit(X, sample_weight=w),
            spread, [*shapes, *large[::2]], both,
        ),
        "pca": Pair(
            lambda X, w, k: pca.PCA(k).fit(X),
            lambda X, w, k: decomposition.PCA(k, random_state=0).fit(X),
            unexplained, shapes[1:] + large[:2] + large[3:], [(5, "f4", False), (5, "f8", False)],
        ),
        "mixture": Pair(
            lambda X, w, k: mixtures.GaussianMixture(k, **mixed(X, k)).fit(X),
            lambda X, w, k: mixture.GaussianMixture(k, **mixed(X, k)).fit(X),
            unlikely, [(1000, 2), (5000, 100), (10**5, 7), (10**5, 30), (10**6, 7)], both, 1.01,
        ),
        "nmf": Pair(
            lambda X, w, k: factors.NMF(k).fit(np.abs(X)),
            lambda X, w, k: decomposition.NMF(k, init="nndsvda", max_iter=400, random_state=0).fit(
                np.abs(X)
            ),
            lambda data, fit: float(fit.reconstruction_err_),
            [(1000, 30), (5400, 75), (20_000, 100), (10**5, 30)], [(4, "f4", False)], 1.01,
        ),
        "ward": Pair(
            lambda X, w, k: hierarchical.Hierarchical(k).fit(X),
            lambda X, w, k: cluster.AgglomerativeClustering(k).fit(X), spread, small, single,
        ),
        "average linkage": Pair(
            lambda X, w, k: hierarchical.Hierarchical(k, linkage="average").fit(X),
            lambda X, w, k: average(X, k), spread, small, single,
        ),
        "dbscan": Pair(
            lambda X, w, k: density.DBSCAN(radius(X)).fit(X),
            lambda X, w, k: cluster.DBSCAN(radius(X)).fit(X),
            noise, [(1000, 2), (5400, 75), (5000, 10), (20_000, 3)], single,
        ),
        "hdbscan": Pair(
            lambda X, w, k: density.HDBSCAN(k).fit(X), lambda X, w, k: hdbscan_peer(X, k),
            noise, [(1000, 2), (2000, 75), (5000, 10), (20_000, 3)], single,
        ),
        "silhouette": Pair(
            lambda X, w, k: float(scores.silhouette_score(X, np.arange(len(X)) * k // len(X))),
            lambda X, w, k: float(metrics.silhouette_score(X, np.arange(len(X)) * k // len(X))),
            lambda data, value: 2 - value, [(1000, 2), (5400, 75), (5000, 1000), (20_000, 7)], both,
        ),
        "fuzzy": Pair(
            lambda X, w, k: fuzzy.FuzzyCMeans(k, random_state=0).fit(X).cluster_centers_,
            lambda X, w, k: fuzzy_peer(X, k),
            fuzziness, [(1000, 2), (5400, 75), (10**4, 1024), (10**5, 7)], single,
        ),
        "som": Pair(
            lambda X, w, k: som.SOM((k, k)).fit(X).cluster_centers_,
            lambda X, w, k: map_peer(X, k),
            quantisation, [(1000, 2), (5400, 75), (20_000, 100)], [(12, "f8", False)],
        ),
        "dtw": Pair(
            lambda X, w, k: warping.WarpingKMeans(k, max_iter=5).fit(X).cluster_centers_,
            lambda X, w, k: series_peer(X, k), warped, [(500, 40), (500, 100)], single, 1.02,
        ),
    }  # fmt: skip
    return ones[what]


def mixed(X: np.ndarray, k: int) -> dict[str, Any]:
    """Return equal starts of a mixture, and ten iterations without a test of convergence."""
    precisions = np.tile(np.eye(X.shape[1]), (k, 1, 1))
    start = {"weights_init": np.full(k, 1 / k), "means_init": X[:k].astype(float)}
    return {**start, "precisions_init": precisions, "max_iter": 10, "tol": 0.0, "reg_covar": 1e-4}


NAMES = (
    "kmeans", "kmeans, default", "pca", "mixture", "nmf", "ward", "average linkage", "dbscan",
    "hdbscan", "silhouette", "fuzzy", "som", "dtw",
)  # fmt: skip


def rows(n: int, d: int, k: int, dtype: str, weights: bool) -> Data:
    """Return blobs that overlap, on twelve factors where features are many, and their weights."""
    random = np.random.default_rng(0)
    factors = min(d, 12)
    scores = (
        random.standard_normal((n, factors))
        + 2.5 * random.standard_normal((16, factors))[random.integers(16, size=n)]
    )
    X = random.standard_normal((n, d), dtype=np.float32) / 2
    X += (scores @ random.standard_normal((factors, d)) / np.sqrt(factors)).astype(np.float32)
    return X.astype(dtype), random.uniform(0.5, 2, n) if weights else None, k


# ------------------------------------------------------------------------------------ measurement


def work(side: str, cell: dict[str, Any]) -> None:
    """Fit once for every line that comes, and print the seconds; the objective in the end."""
    warnings.simplefilter("ignore")
    pair, data = sides(cell["what"]), rows(*(cell[name] for name in KEY[1:]))
    fit, (X, weight, k) = getattr(pair, side), data
    few = slice(max(10 * k, 200))  # what is compiled, is compiled for this
    fit(X[few], None if weight is None else weight[few], k)
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() != "fit":
            break
        wall, processor = time.perf_counter(), time.process_time()
        fitted = fit(X, weight, k)
        print(time.perf_counter() - wall, time.process_time() - processor, flush=True)
    print(pair.objective(data, fitted), flush=True)


def measured(cell: dict[str, Any], repeats: int) -> dict[str, Any]:
    """Return medians of both sides, which fit in turn, and what they came to."""
    code = [sys.executable, __file__, "--cell", json.dumps(cell), "--side"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    found: dict[str, list[list[float]]] = {"ours": [], "peer": []}
    workers = {side: subprocess.Popen([*code, side], **pipes) for side in found}
    for each in workers.values():
        each.stdout.readline()
    for _ in range(repeats):
        for side, each in workers.items():
            tell(each, "fit")
            found[side].append([float(value) for value in each.stdout.readline().split()])
    for each in workers.values():
        tell(each, "end")
    ends = {side: float(each.stdout.readline()) for side, each in workers.items()}
    result = {}
    for i, unit in enumerate(("wall", "processor")):
        for side, times in found.items():
            result[f"{side}_{unit}"] = statistics.median(each[i] for each in times)
        result[f"ratio_{unit}"] = result[f"ours_{unit}"] / result[f"peer_{unit}"]
    return result | {"objective": ends["ours"] / ends["peer"]}


def tell(process: Any, line: str) -> None:
    process.stdin.write(line + "\n")
    process.stdin.flush()


def cells(only: str, quick: bool) -> Iterator[dict[str, Any]]:
    for what in (name for name in NAMES if only in name):
        pair = sides(what)
        for n, d in pair.shapes:
            for case in pair.cases:
                if n * d <= (QUICK_VALUES if quick else MOST_VALUES) and case[0] * 10 <= n:
                    yield dict(zip(KEY, (what, n, d, *case), strict=True))


def draw(table: pd.DataFrame, unit: str) -> None:
    """Draw the worst ratio of each clusterer and shape; a star where the objective is worse."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    shapes = table.sort_values(["d", "n"])[["n", "d"]].drop_duplicates().to_numpy().tolist()
    names = [name for name in NAMES if name in set(table["what"])]
    figure, axes = plt.subplots(figsize=(2 + 0.55 * len(shapes), 1.5 + 0.4 * len(names)))
    ratios = np.full((len(names), len(shapes)), np.nan)
    for (what, n, d), group in table.groupby(["what", "n", "d"]):
        y, x = names.index(what), shapes.index([n, d])
        ratios[y, x] = group[f"ratio_{unit}"].max()
        star = "*" if group["objective"].max() > sides(what).allowed else ""
        axes.text(x, y, f"{ratios[y, x]:.2g}{star}", ha="center", va="center", size=7)
    image = axes.imshow(np.log2(ratios), cmap="RdBu_r", vmin=-3, vmax=3, aspect="auto")
    axes.set_xticks(range(len(shapes)), [f"{n:,} x {d:,}" for n, d in shapes], rotation=90, size=7)
    axes.set_yticks(range(len(names)), names)
    axes.set_title(f"time ({unit}) over that of the other package, worst of each shape", size=9)
    figure.colorbar(image, label="log2 of the ratio")
    figure.savefig(FIGURE, dpi=130, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="clusterers with this in their name")
    parser.add_argument("--quick", action="store_true", help="small cells, three fits of each")
    parser.add_argument("--redo", action="store_true", help="measure again what the table has")
    parser.add_argument("--unit", default="wall", choices=("wall", "processor"), help="drawn")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        work(given.side, json.loads(given.cell))
        return
    table = pd.read_csv(TABLE) if TABLE.exists() else pd.DataFrame(columns=KEY)
    done = {} if table.empty else {tuple(row[KEY]): dict(row) for _, row in table.iterrows()}
    for cell in cells(given.only, given.quick):
        if given.redo or tuple(cell.values()) not in done:
            found = measured(cell, QUICK_REPEATS if given.quick else REPEATS)
            done[tuple(cell.values())] = cell | found
            print(*cell.values(), *(f"{name} {value:.3g}" for name, value in found.items()))
            pd.DataFrame(list(done.values())).to_csv(TABLE, index=False, float_format="%.4g")
    table = pd.read_csv(TABLE)
    draw(table, given.unit)
    for unit in ("wall", "processor"):
        ratios = table[f"ratio_{unit}"]
        print(f"{unit}: worst {ratios.max():.2f}, median {ratios.median():.2f}, {len(table)} cells")


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
