"""How near the best known optimum fits end: 40 data sets against many runs of scikit-learn.

Run: python tests/benchmarks/optimum.py [kmeans] [sweep] [mixture] [--seeds 5] [--only name ...]

Both sides have one processor. Inertias are sums of squares about the means of the labels, in
float64.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from sklearn.cluster import KMeans as PeerKMeans
from sklearn.datasets import make_blobs
from sklearn.mixture import GaussianMixture as PeerMixture
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import xcluster  # noqa: F401  (registers the accessor)
from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.mixture import GaussianMixture
from xcluster.algorithms.parts.spread import robust_variances

DATA = Path(__file__).parents[3] / "shared" / "data"
RUNS = 50
STARTS = 10
"""Of one fit of scikit-learn, with which times are compared; five such fits are its 50 runs."""
KS = range(2, 21)
SWEPT = (
    "blobs_2d",
    "blobs_7d",
    "equal_blobs",
    "uniform_2d",
    "uniform_7d",
    "heavy",
    "rings",
    "ocean",
)
MIXED = ("blobs_7d", "unequal_blobs", "nested", "elongated", "heavy", "rings", "argo", "ocean")

Set = tuple[np.ndarray, int]


# ------------------------------------------------------------------------------ twenty of our own


def made() -> Iterator[tuple[str, Callable[[], Set]]]:
    """Yield data sets of many kinds, with the k that is asked for."""
    random = np.random.default_rng(0)

    def blobs(n: int, p: int, k: int, std: float, seed: int = 0) -> np.ndarray:
        return make_blobs(n, p, centers=k, cluster_std=std, random_state=seed)[0]

    def ring(n: int, radii: int) -> np.ndarray:
        angle, radius = random.uniform(0, 2 * np.pi, n), random.integers(1, radii + 1, n)
        return np.c_[radius * np.cos(angle), radius * np.sin(angle)] + random.normal(
            0, 0.05, (n, 2)
        )

    def nested(n: int) -> np.ndarray:
        scale = 10.0 ** -random.integers(0, 4, n)[:, None]
        centers = random.normal(0, 1, (5, 3))
        return scale * (5 * centers[random.integers(0, 5, n)] + random.normal(0, 1, (n, 3)))

    def sizes(n: int) -> np.ndarray:
        centers = random.normal(0, 4, (12, 4))
        label = random.choice(12, n, p=2.0 ** -np.r_[1:12, 11])
        return centers[label] + random.normal(0, 0.5, (n, 4)) * (1 + label[:, None] / 6)

    def counts(n: int) -> np.ndarray:
        spectra = random.dirichlet(np.full(12, 0.3), 6)[random.integers(0, 6, n)]
        return random.poisson(12 * random.gamma(1, 3, (n, 1)) * spectra).astype(float)

    def walk(n: int) -> np.ndarray:
        steps = random.normal(size=(n, 24)).cumsum(axis=1)
        return steps - steps.mean(axis=1, keepdims=True)

    yield "equal_blobs", lambda: (blobs(5_000, 3, 15, 0.5), 15)
    yield "unequal_blobs", lambda: (sizes(8_000), 12)
    yield "blobs_2d", lambda: (blobs(6_000, 2, 40, 0.5, 3), 40)
    yield "blobs_7d", lambda: (blobs(8_000, 7, 12, 4.0).astype(np.float32), 12)
    yield "many_dims", lambda: (blobs(5_000, 50, 25, 1.0).astype(np.float32), 25)
    yield "close_many_dims", lambda: (blobs(5_000, 50, 25, 6.0, 1).astype(np.float32), 25)
    yield "many_labels", lambda: (blobs(10_000, 5, 100, 0.7, 2), 100)
    yield "few_rows", lambda: (blobs(200, 4, 6, 2.0, 4), 10)
    yield "uniform_2d", lambda: (random.uniform(size=(6_000, 2)), 20)
    yield "uniform_7d", lambda: (random.uniform(size=(6_000, 7)), 10)
    yield "noise", lambda: (random.normal(size=(4_000, 20)), 8)
    yield "heavy", lambda: (random.standard_t(2, size=(6_000, 3)), 12)
    yield "lognormal", lambda: (random.lognormal(0, 1, (6_000, 4)), 9)
    yield "elongated", lambda: (blobs(6_000, 3, 8, 1.0, 5) @ random.normal(size=(3, 3)) ** 3, 8)
    yield "nested", lambda: (nested(6_000), 20)
    yield "rings", lambda: (ring(6_000, 3), 15)
    yield "counts", lambda: (counts(6_000), 10)
    yield "duplicates", lambda: (random.integers(0, 5, (6_000, 3)).astype(float), 12)
    yield "walks", lambda: (walk(4_000), 10)
    yield "many_rows", lambda: (blobs(200_000, 6, 30, 3.0, 6).astype(np.float32), 25)


# ------------------------------------------------------------------------------------ twenty real


def real() -> Iterator[tuple[str, Callable[[], Set]]]:
    """Yield measured data and published models, with the k that is asked for."""

    def opened(path: str) -> xr.Dataset:
        return xr.open_dataset(DATA / path, decode_times=False)

    def profiles(path: str, names: list[str], dim: str, scaled: bool = False) -> np.ndarray:
        ds = opened(path)
        return complete(np.hstack([as_rows(ds[name], dim) for name in names]), scaled)

    def pixels(path: str, names: list[str], scaled: bool = True, **where: int) -> np.ndarray:
        ds = opened(path).isel(where)
        return complete(np.column_stack([ds[name].values.ravel() for name in names]), scaled)

    swo = [str(name) for name in opened("land/swo_ecoplot_18vars.nc").data_vars]
    coads = ["SST", "AIRT", "SPEH", "WSPD", "UWND", "VWND", "SLP"]
    land = ["ndvi_max", "ndvi_min", "fapar_max", "topt", "c4_fraction"]
    minerals = ["O", "Na", "Mg", "Al", "Si", "K", "Ca", "Fe"]
    olci = [f"rtoa_{i}" for i in range(1, 22)]

    yield "salinas", lambda: (profiles("land/salinas_a.nc", ["radiance"], "band"), 6)
    yield "ecoplots", lambda: (pixels("land/swo_ecoplot_18vars.nc", swo), 10)
    yield "sinop", lambda: (profiles("land/sinop_ndvi_12dates.nc", ["ndvi"], "time"), 8)
    yield "matogrosso", lambda: (profiles("land/matogrosso_ndvi_samples.nc", ["ndvi"], "step"), 12)
    yield "land", lambda: (pixels("land/land_climatology_0p5deg.nc", land), 12)
    yield "igbp", lambda: (profiles("land/igbp_fractions_1deg.nc", ["igbp_fraction"], "igbp"), 17)
    yield (
        "levitus",
        lambda: (
            profiles(
                "ocean_climate/levitus_TS_annual.nc", ["temperature", "salinity"], "depth", True
            ),
            8,
        ),
    )
    yield (
        "argo",
        lambda: (profiles("ocean_climate/argo_profiles_std.nc", ["temperature"], "pressure"), 6),
    )
    yield "ocean", lambda: (pixels("ocean_climate/coads_monthly.nc", coads, month=0), 7)
    yield "sst", lambda: (profiles("ocean_climate/coads_monthly.nc", ["SST"], "month"), 10)
    yield "pop", lambda: (pixels("ocean_climate/pop_curvilinear.nc", ["urot", "vrot", "t"]), 10)
    yield "olci", lambda: (pixels("ocean_climate/OLCI_SNS_L2.nc", olci, scaled=False), 12)
    yield "cascadia", lambda: (profiles("tomography/PNW10-S_kmps.nc", ["vs"], "depth"), 5)
    yield "west_us", lambda: (profiles("tomography/wUS-SH-2010_percent.nc", ["dvs"], "depth"), 10)
    yield "mantle", lambda: (profiles("tomography/SEMum.nc", ["vs", "xi"], "depth", True), 15)
    yield (
        "tissue",
        lambda: (profiles("microscopy/nanosims_tissue_256.nc", ["counts"], "species"), 7),
    )
    yield "minerals", lambda: (pixels("microscopy/eds_sem_mineral_75x100.nc", minerals), 9)
    yield "domains", lambda: (pixels("microscopy/pfm_pto_4channels.nc", ["amplitude", "phase"]), 6)
    yield (
        "raman",
        lambda: (profiles("microscopy/raman_thp1_cell_40x40.nc", ["intensity"], "raman_shift"), 8),
    )
    yield "pressure", lambda: (weather(), 8)


def weather() -> np.ndarray:
    slp = xr.open_dataset(DATA / "weather" / "ncep_slp_natl_daily_2001_2010.nc").slp
    winter = slp.isel(time=slp["time"].dt.month.isin([12, 1, 2]).values)
    return complete(as_rows(winter - winter.mean("time"), ("lat", "lon")), False)


def as_rows(array: xr.DataArray, dims: str | tuple[str, ...]) -> np.ndarray:
    dims = (dims,) if isinstance(dims, str) else dims
    ordered = array.transpose(..., *dims).values
    return ordered.reshape(-1, int(np.prod([array.sizes[dim] for dim in dims])))


def complete(X: np.ndarray, scaled: bool) -> np.ndarray:
    X = X[np.isfinite(X).all(axis=1)].astype(np.float64)
    X = X[:, X.std(axis=0) > 0]
    return np.ascontiguousarray(StandardScaler().fit_transform(X) if scaled else X)


def sets(names: list[str] | None) -> Iterator[tuple[str, np.ndarray, int]]:
    for source in (made, real if DATA.exists() else lambda: ()):
        for name, make in source():
            X, k = (
                make()
            )  # every one is made, so that none depends on the others that are asked for
            if not names or name in names:
                yield name, X, k


# ------------------------------------------------------------------------------------- the tables


def inertia(X: np.ndarray, labels: np.ndarray) -> float:
    X = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
    counts = np.bincount(labels)
    means = np.stack([np.bincount(labels, column) for column in X.T], axis=1) / counts[:, None]
    return float(np.sum((X - means[labels]) ** 2))


def timed(function: Callable[..., Any], *args: Any) -> tuple[float, Any]:
    start = time.process_time()  # of this process alone, whatever else the machine does
    result = function(*args)
    return time.process_time() - start, result


def kmeans(seeds: int, names: list[str] | None) -> None:
    print("| data | rows x features, k | ours / best of 50 | worst seed | peer's 10 | time |")
    print("|---|---|---|---|---|---|")
    ratios, times = [], []
    for name, X, k in sets(names):
        pairs = []
        for seed in range(RUNS // STARTS):
            peer = timed(PeerKMeans(k, n_init=STARTS, random_state=seed).fit, X)
            ours = timed(KMeans(k, random_state=seed).fit, X) if seed < seeds else None
            pairs.append((ours, peer))
        theirs = [inertia(X, fit.labels_) for _, (_, fit) in pairs]
        mine = [inertia(X, ours[1].labels_) for ours, _ in pairs if ours]
        spent = float(np.median([ours[0] / peer[0] for ours, peer in pairs if ours]))
        best = min(theirs)
        ratios.append(np.mean(mine) / best)
        times.append(spent)
        size = f"{len(X):,} x {X.shape[1]}, {k}"
        shown = ratios[-1], max(mine) / best, np.mean(theirs) / best
        print(
            f"| {name} | {size} | {' | '.join(f'{r:.4f}' for r in shown)} | {spent:.2f} |",
            flush=True,
        )
    print(f"| median | | {np.median(ratios):.5f} | | | {np.median(times):.2f} |")
    print(f"| largest (<= 1.002, time <= 1.5) | | {max(ratios):.4f} | | | {max(times):.2f} |")


def sweep(seeds: int, names: list[str] | None) -> None:
    print("| sweep of k = 2 to 20 | rows x features | over best of 10 | worst k | rises | time |")
    print("|---|---|---|---|---|---|")
    for name, X, _ in sets(names or list(SWEPT)):
        samples = xr.DataArray(X, dims=("row", "feature")).cluster.pixels(dim="feature")
        swept(samples)
        spent, found = timed(swept, samples)
        peer, fits = timed(each_k, X)
        ratio = found / [inertia(X, fit.labels_) for fit in fits]
        rises = int((np.diff(found) > 0).sum())
        worst = f"{ratio.max():.4f} (k = {KS[int(ratio.argmax())]})"
        shown = f"{ratio.mean():.4f} | {worst} | {rises} | {spent / peer:.2f}"
        print(f"| {name} | {len(X):,} x {X.shape[1]} | {shown} |", flush=True)


def swept(samples: Any) -> np.ndarray:
    table = samples.sweep(KS, criteria=["inertia"], progress=False).table
    return np.asarray(table.inertia.values)


def each_k(X: np.ndarray) -> list[PeerKMeans]:
    return [PeerKMeans(k, n_init=STARTS, random_state=0).fit(X) for k in KS]


def mixture(seeds: int, names: list[str] | None) -> None:
    print("| mixture | rows x features, k | less best of 20 | worst seed | peer's 1 | time |")
    print("|---|---|---|---|---|---|")
    for name, X, k in sets(names or list(MIXED)):
        X = pca(X[:: max(len(X) // 4_000, 1)])
        X /= np.sqrt(robust_variances(X))  # so that both add 1e-6 to each variance
        k = min(k, 8)
        peers = [timed(PeerMixture(k, random_state=s).fit, X) for s in range(20)]
        theirs = [fit.score(X) for _, fit in peers if sound(fit, X)]
        runs = [timed(GaussianMixture(k, n_init=10, random_state=s).fit, X) for s in range(seeds)]
        mine = [fit.score(X) for _, fit in runs if sound(fit, X)]
        spent = np.mean([t for t, _ in runs]) / np.sum([t for t, _ in peers[:10]])
        size = f"{len(X):,} x {X.shape[1]}, {k}"
        best = max(theirs)
        differences = np.mean(mine) - best, min(mine) - best, np.mean(theirs) - best
        shown = " | ".join(f"{each:+.4f}" for each in differences)
        print(f"| {name} | {size} | {shown} | {spent:.2f} |", flush=True)


def sound(fit: Any, X: np.ndarray) -> bool:
    """Whether every component has more rows than features: others may be spikes of likelihood."""
    return bool(fit.predict_proba(X).sum(axis=0).min() >= X.shape[1] + 1)


def pca(X: np.ndarray, most: int = 8) -> np.ndarray:
    """Return a few components, so that covariances have inverses."""
    X = X - X.mean(axis=0)
    if X.shape[1] <= most:
        return X.astype(np.float64)
    return np.asarray(X @ np.linalg.svd(X, full_matrices=False)[2][:most].T, np.float64)


def warm_up() -> None:
    """Compile all kernels before anything is timed."""
    X = np.random.default_rng(0).normal(size=(40_000, 3))
    for rows in (X, X.astype(np.float32), X[:1_000], X[:1_000].astype(np.float32)):
        KMeans(4).fit(rows)
    GaussianMixture(2, n_init=2).fit(X[:1_000])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    tables = {"kmeans": kmeans, "sweep": sweep, "mixture": mixture}
    parser.add_argument("tables", nargs="*", choices=[*tables, []], default=list(tables))
    parser.add_argument("--seeds", type=int, default=RUNS // STARTS)
    parser.add_argument("--only", nargs="*")
    chosen = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    warnings.simplefilter("ignore")
    warm_up()
    with threadpool_limits(1):
        for name in chosen.tables or list(tables):
            tables[name](chosen.seeds, chosen.only)
            print()


if __name__ == "__main__":
    main()
