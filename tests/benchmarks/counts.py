"""Poisson factors against scikit-learn's, and what Poisson weights find in spectra of few counts.

    python tests/benchmarks/counts.py [spectra.nc] [--map map.nc]

The first table needs a file with ``counts`` over y, x and energy. It takes the shortest of several
runs in alternation. The second simulates EDS maps of 1, 3 and 10 counts a spectrum on average, and
compares labels with the minerals (adjusted Rand index; spectra without counts are left out). Before
k-means, factors of a spectrum are divided by their length.

--map takes a map of X-ray counts and of elements, instead of the simulation. Each count goes to one
of two halves at random, whose noise is independent: how far labels of the two agree, by the size of
windows that are added up. Then the share of each element in the counts of each label.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import scipy.sparse
import xarray as xr
from sklearn.decomposition import NMF
from sklearn.metrics import adjusted_rand_score

import xcluster
from xcluster.algorithms.kernels.counts import deviances, started
from xcluster.algorithms.poisson_nmf import PoissonNMF, start

K, ITERATIONS, RUNS, SIZE = 5, 50, 4, 96

QUIET = {"n_init": 3, "progress": False}
CHAINS = {
    "pca(3).kmeans(3)": lambda s: s.pca(3).kmeans(3, **QUIET),
    'scale("anscombe").pca(3).kmeans(3)': lambda s: s.scale("anscombe").pca(3).kmeans(3, **QUIET),
    'pca(3, noise="poisson").kmeans(3)': lambda s: s.pca(3, noise="poisson").kmeans(3, **QUIET),
    "nmf(3), norm, kmeans(3)": lambda s: s.nmf(3).scale("norm").kmeans(3, **QUIET),
    'nmf(3, loss="poisson"), norm, kmeans(3)': lambda s: (
        s.nmf(3, loss="poisson").scale("norm").kmeans(3, **QUIET)
    ),
    "mixture(3)": lambda s: s.mixture(3, **QUIET),
}


def theirs(X, H):
    """Return the seconds and the deviance of scikit-learn from the same start, on sparse rows."""
    rows, W = scipy.sparse.csr_matrix(X, dtype=float), started(X, K)
    model = NMF(
        K,
        init="custom",
        solver="mu",
        beta_loss="kullback-leibler",
        max_iter=ITERATIONS,
        tol=0,
    )
    begun = time.perf_counter()
    W = model.fit_transform(rows, W=W, H=H.copy())
    return time.perf_counter() - begun, deviances(X, W, model.components_.T).sum()


def ours(X, H):
    """Return the seconds and the deviance of our factors."""
    model = PoissonNMF(K, max_iter=ITERATIONS, tol=0)
    begun = time.perf_counter()
    model._iterate(X, np.ones(len(X)), H)
    return time.perf_counter() - begun, model.deviance_


def speed(path):
    """Print seconds and deviances of both on measured counts."""
    counts = xr.open_dataset(path)["counts"].values
    X = counts.reshape(-1, counts.shape[-1]).astype(np.float32)
    print(f"{len(X):,} x {X.shape[1]} counts, {X.sum(axis=1).mean():.1f} a spectrum")
    H = start(X, K, 0)
    ours(X, H)  # compiles
    found = [(ours(X, H), theirs(X, H)) for _ in range(RUNS)]
    seconds = np.array([[each[0] for each in pair] for pair in found]).min(axis=0)
    first, second = (each[1] for each in found[0])
    print(f"{ITERATIONS} iterations: {seconds[0]:.2f} s, scikit-learn {seconds[1]:.2f} s")
    print(
        f"{seconds[1] / seconds[0]:.1f} times as fast; deviances differ by {first / second - 1:.1e}"
    )


def few_counts(ds, mean, seed):
    """Return the simulated map as if it had been measured for a shorter time."""
    share = mean / float(ds.counts.sum("channel").mean())
    drawn = np.random.default_rng(seed).binomial(ds.counts.values, share)
    return ds.counts.copy(data=drawn.astype(np.uint16))


def agreement(ask, counts, truth):
    """Return the adjusted Rand index of labels and minerals."""
    labels = ask(counts.cluster.pixels("counts", dim="channel")).labels.values
    some = np.isfinite(labels) & (counts.sum("channel").values > 0)
    return adjusted_rand_score(truth.values[some], labels[some])


def recovery():
    """Print the agreement for each chain and number of counts."""
    ds = xcluster.datasets.eds(size=SIZE)
    print(f"\n{'chain':40} {'1':>6} {'3':>6} {'10':>6}  counts a spectrum")
    for name, ask in CHAINS.items():
        found = [agreement(ask, few_counts(ds, mean, 0), ds.truth) for mean in (1, 3, 10)]
        print(f"{name:40} " + " ".join(f"{value:6.2f}" for value in found), flush=True)


# ------------------------------------------------------------------------- halves of a real map

ELEMENTS = ("O", "Na", "Mg", "Al", "Si", "K", "Ca", "Fe")
WINDOWS = (1, 2, 3, 5)
PHASES = {
    'pca(3, noise="poisson").kmeans(3)': lambda s: s.pca(3, noise="poisson").kmeans(3, **QUIET),
    'nmf(3, loss="poisson"), norm, kmeans(3)': CHAINS['nmf(3, loss="poisson"), norm, kmeans(3)'],
    'scale("anscombe").pca(3).kmeans(3)': CHAINS['scale("anscombe").pca(3).kmeans(3)'],
    "mixture(3)": CHAINS["mixture(3)"],
    "mixture(4)": lambda s: s.mixture(4, **QUIET),
}


def added(counts, n):
    """Return sums over windows of n x n pixels."""
    return counts.coarsen(y=n, x=n, boundary="trim").sum()


def phases(ask, counts, n):
    return ask(added(counts, n).rename("counts").cluster.pixels(dim="energy")).labels


def halves(path):
    """Print how far labels of the halves of a map agree, and the elements of some."""
    ds = xr.load_dataset(path)
    counts = ds.counts.sel(energy=slice(0.3, 8)).coarsen(energy=4, boundary="trim").sum()
    counts = counts.astype("uint16")
    drawn = np.random.default_rng(0).binomial(counts.values, 0.5).astype(np.uint16)
    one = counts.copy(data=drawn)
    sizes = " ".join(f"{f'{n} x {n}':>6}" for n in WINDOWS)
    print(f"\n{'agreement of halves':40} {sizes}")
    for name, ask in PHASES.items():
        found = []
        for n in WINDOWS:
            maps = [phases(ask, each, n).values.ravel() for each in (one, counts - one)]
            some = np.isfinite(maps).all(axis=0)
            found.append(adjusted_rand_score(*(each[some] for each in maps)))
        print(f"{name:40} " + " ".join(f"{value:6.2f}" for value in found), flush=True)
    for name in ('pca(3, noise="poisson").kmeans(3)', "mixture(4)"):
        shares(ds, name, phases(PHASES[name], counts, 3), 3)


def shares(ds, name, labels, n):
    """Print the share of each element's window in the counts of each label, in percent."""
    elements = [added(ds[element], n) for element in ELEMENTS]
    total, image = added(ds.counts, n).sum("energy"), added(ds.image.astype(float), n) / n**2
    print(f"\n{name}, {n} x {n}\nlabel windows " + " ".join(f"{e:>5}" for e in ELEMENTS) + " image")
    for label in range(int(labels.max()) + 1):
        mine = labels == label
        found = [100 * float(each.where(mine).sum() / total.where(mine).sum()) for each in elements]
        shown = " ".join(f"{value:5.1f}" for value in found)
        print(f"{label:5} {int(mine.sum()):7} {shown} {float(image.where(mine).mean()):6.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spectra", nargs="*")
    parser.add_argument("--map")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for path in options.spectra:
        speed(path)
    if options.map:
        halves(options.map)
    else:
        recovery()


if __name__ == "__main__":
    main()
