"""Random trials of the promise: the same data and seed give the same labels, however they lie.

Each trial draws data of 28,000 to 200,000 pixels, a chain and an arrangement: chunks, order of
dims, direction of axes, order of variables, number of threads. ``--trials 2000 --seed 0``

``--streamed --trials 100 --points 2000000``: one set of larger data, streamed in other chunks by
each trial; the labels are compared with those of a first fit, and all numbers of the model too.
"""

import argparse
import collections
import contextlib
import warnings

import dask
import numpy as np
import xarray as xr

import xcluster  # noqa: F401  (registers the accessor)
from xcluster.base import parallel
from xcluster.fit import fitting

DIMS = ("y", "x")
VALUES = {
    "noise": lambda rng, shape: rng.normal(size=shape),
    "single": lambda rng, shape: rng.normal(size=shape).astype(np.float32),
    "offset": lambda rng, shape: rng.normal(size=shape) + 1e4,
    "counts": lambda rng, shape: rng.integers(0, 6, shape),
    "groups": lambda rng, shape: rng.normal(size=shape) + 3 * rng.integers(0, 4, shape[1:]),
    "gaps": lambda rng, shape: np.where(rng.random(shape) < 0.02, np.nan, rng.normal(size=shape)),
}
CHAINS = {
    "kmeans": lambda s: s.kmeans(8, n_init=2),
    "kmeans of a sample": lambda s: s.kmeans(5, n_init=2, fit_on=9_000),
    "robust, pca, kmeans": lambda s: s.scale("robust").pca(2).kmeans(6, n_init=2),
    "minmax, nmf, kmeans": lambda s: s.scale("minmax").nmf(2).kmeans(4, n_init=2),
    "gmm": lambda s: s.gmm(4, n_init=1, max_iter=30),
    "pca, gmm": lambda s: s.pca(2).gmm(3, n_init=1, max_iter=30),
    "diagonal gmm": lambda s: s.gmm(4, covariance_type="diag", n_init=1, max_iter=30),
    "fuzzy": lambda s: s.fuzzy(4, n_init=1, max_iter=30),
    "gustafson-kessel": lambda s: s.fuzzy(3, shape="gustafson-kessel", n_init=1, max_iter=15),
    "som": lambda s: s.som((4, 4)),
    "online som": lambda s: s.som((3, 3), training="online", n_iter=5_000),
    "ward of a sample": lambda s: s.hac(5, fit_on=3_000),
    "hdbscan of a sample": lambda s: s.hdbscan(50, fit_on=3_000),
    "sweep": lambda s: s.kmeans([3, 5, 7]),
}


def arranged(ds, rng):
    """Return the same data, lying in another way."""
    names = rng.permutation(list(ds.data_vars))
    ds = ds[list(names)].transpose(*rng.permutation(DIMS))
    ds = ds.isel({dim: slice(None, None, rng.choice([1, -1])) for dim in DIMS})
    if rng.random() < 0.2:
        return ds
    return ds.chunk({dim: int(rng.integers(ds.sizes[dim] // 9, ds.sizes[dim] + 1)) for dim in DIMS})


def trial(rng):
    """Return the chain, the number of labels that differ, and of labels."""
    shape = (int(rng.integers(2, 6)), *rng.integers(170, 450, 2))
    values = VALUES[rng.choice(list(VALUES))](rng, shape)
    coords = {dim: np.sort(rng.normal(size=n)) for dim, n in zip(DIMS, shape[1:], strict=True)}
    ds = xr.Dataset({f"v{i}": (DIMS, each) for i, each in enumerate(values)}, coords)
    chain = rng.choice(list(CHAINS))
    found = []
    for each in (ds, arranged(ds, rng)):
        threads = int(rng.integers(1, 9))
        parallel.n_threads = lambda threads=threads: threads
        scheduler = rng.choice(["synchronous", "threads"])
        with dask.config.set(scheduler=scheduler):
            found.append(CHAINS[chain](each.cluster.pixels()).labels.compute())
    first, second = xr.align(*found, join="right")
    same = (first == second) | (first.isnull() & second.isnull())
    return chain, int((~same).sum()), same.size


STREAMED = {
    "scale, kmeans": lambda s: s.scale().kmeans(6, n_init=2, fit_on="all"),
    "minmax, pca, kmeans": lambda s: s.scale("minmax").pca(2).kmeans(6, n_init=2, fit_on="all"),
    "pca, gmm": lambda s: s.pca(3).gmm(4, max_iter=8, fit_on="all"),
    "gmm": lambda s: s.gmm(4, max_iter=8, fit_on="all"),
    "diagonal gmm": lambda s: s.gmm(4, covariance_type="diag", max_iter=8, fit_on="all"),
    "fuzzy": lambda s: s.fuzzy(4, n_init=1, max_iter=8, fit_on="all"),
    "som": lambda s: s.som((4, 4), fit_on="all"),
}


def large_data(rng, points):
    """Return four variables of groups that overlap, with gaps and a value far out."""
    side = int(np.sqrt(points))
    shape = (4, side, points // side)
    values = rng.normal(size=shape) + 2 * rng.integers(0, 5, shape[1:])
    values *= np.array([1, 50, 1e-3, 7])[:, None, None]
    values[0][rng.random(shape[1:]) < 0.01] = np.nan
    values[:, 1, 2] *= 1e3
    coords = {dim: np.arange(n, dtype=float) for dim, n in zip(DIMS, shape[1:], strict=True)}
    return xr.Dataset({f"v{i}": (DIMS, each) for i, each in enumerate(values)}, coords)


def numbers(fit):
    """Return all floats that the steps and the clusterer learned."""
    learned = [value for _, step in fit.model.steps for value in vars(step).values()]
    arrays = [np.asarray(value) for value in learned if isinstance(value, float | np.ndarray)]
    return [each for each in arrays if each.dtype.kind == "f"]


def streamed_trial(ds, chain, rng, first):
    """Return how many labels differ from those of the first fit, and how many numbers."""
    fit = STREAMED[chain](arranged(ds, rng).cluster.pixels())
    labels = fit.labels.compute().transpose(*DIMS).sortby(list(DIMS)).values
    if chain not in first:
        first[chain] = labels, numbers(fit)
    expected, learned = first[chain]
    pairs = zip(numbers(fit), learned, strict=True)
    others = sum(int((~((a == b) | (a != a) & (b != b))).sum()) for a, b in pairs)
    same = (labels == expected) | (np.isnan(labels) & np.isnan(expected))
    return int((~same).sum()), others, labels.size


def streamed(options):
    """Print the table of streamed fits."""
    fitting.ALL_POINTS = min(fitting.ALL_POINTS, options.points // 2)
    ds = large_data(np.random.default_rng(options.seed), options.points)
    first, rows = {}, collections.defaultdict(lambda: np.zeros(4, np.int64))
    with contextlib.suppress(KeyboardInterrupt):  # hours of work are told when they are stopped
        for number in range(options.trials):
            for chain in STREAMED:
                rng = np.random.default_rng([options.seed, number])
                rows[chain] += [1, *streamed_trial(ds, chain, rng, first)]
    print("| chain | fits | labels that differ | numbers of the model that differ | labels |")
    print("|---|---|---|---|---|")
    for chain, row in [*rows.items(), ("all", sum(rows.values()))]:
        print("|", " | ".join([chain, *(f"{int(each):,}" for each in row)]), "|")


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--streamed", action="store_true")
    parser.add_argument("--points", type=int, default=2_000_000)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.streamed:
        streamed(options)
        return
    rows = collections.defaultdict(lambda: np.zeros(4, np.int64))
    with contextlib.suppress(KeyboardInterrupt):
        for number in range(options.trials):
            chain, differ, size = trial(np.random.default_rng([options.seed, number]))
            rows[chain] += [1, differ > 0, differ, size]
    print("| chain | trials | trials that differ | labels that differ | labels |")
    print("|---|---|---|---|---|")
    for chain, row in [*sorted(rows.items()), ("all", sum(rows.values()))]:
        print("|", " | ".join([chain, *(f"{int(each):,}" for each in row)]), "|")


if __name__ == "__main__":
    main()
