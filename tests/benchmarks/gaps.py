"""Samples with gaps: what a pass costs, and how well labels survive them.

    python tests/benchmarks/gaps.py [--passes [--rows 20000000] [--coverage 0]]
        [--components] [--ari gmm kmeans [--seeds 3] [--sets minerals ...]]

--passes: one streamed pass over a Zarr store with 30 % gaps, and over one without, in alternation.
--components: the cost of principal components of rows of which 30 % of the values are missing.
--ari: labels of samples that lack 10, 30 and 60 % of their values, at random or in patches as under
clouds, against what is true: classes of the Salinas-A scene (where it is at hand), simulated
minerals, and for ocean profiles the labels that the same method gives without gaps.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scene
import xarray as xr
from scipy.ndimage import gaussian_filter
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, SimpleImputer
from sklearn.metrics import adjusted_rand_score
from streaming import least, line, one_pass

import xcluster
from xcluster.algorithms.gap_pca import GapPCA

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SHARES = (0.1, 0.3, 0.6)
GAPS = 0.3
REPEATS = 3

# -------------------------------------------------------------------------------------- passes


def passes(n_rows: int, coverage: float) -> None:
    """Print the seconds of one more pass with gaps and without, of all processors and by clock."""
    print("| one pass | with gaps | without | ratio | target |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        whole = scene.make(Path(folder) / "whole.zarr", n_rows)
        lacking = scene.with_gaps(whole, GAPS, Path(folder) / "gaps.zarr")
        samples = {
            "with": lacking.cluster.pixels(missing="keep", coverage=coverage).scale(None),
            "without": whole.cluster.pixels().scale(None),
        }
        for method, k, target in (("kmeans", 8, "<= 1.5"), ("gmm", 6, "<= 3")):
            for each in samples.values():  # compiles
                one_pass(each, method, k)
            found = {name: [] for name in samples}
            for _ in range(REPEATS):
                for name, each in samples.items():
                    found[name].append(one_pass(each, method, k))
            line(f"{method}({k})", least(found["with"]), least(found["without"]), target)


# ------------------------------------------------------------------------------------ components


def components() -> None:
    """Print what principal components of rows with gaps cost, in seconds of processor time."""
    columns = "patterns | components | iterations | fit | one pass | `transform`"
    print(f"| | {columns} |\n" + "|---" * 7 + "|")
    for n, p, n_components in ((1_000_000, 7, 3), (20_000, 100, 5)):
        X = rows_with_gaps(n, p, n_components)
        GapPCA(n_components).fit(X[:1000])  # compiles
        print(f"| {n:,} x {p} | {cost(X, n_components)} |", flush=True)


def rows_with_gaps(n: int, p: int, n_components: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(n, n_components)) @ rng.normal(size=(n_components, p))
    X = (hidden + 0.3 * rng.normal(size=(n, p))).astype(np.float32)
    X[rng.random(X.shape) < GAPS] = np.nan
    return X[~np.isnan(X).all(axis=1)]


def cost(X: np.ndarray, n_components: int) -> str:
    """Return the cells of one row: what there is to do, and how long it takes."""
    fitted, fit = used(lambda: GapPCA(n_components).fit(X))
    one = used(lambda: fitted.partial_statistics(X))[1]
    told = used(lambda: fitted.transform(X))[1]
    n_patterns = len(np.unique(np.packbits(np.isnan(X), axis=1), axis=0))
    counts = f"{n_patterns:,} | {n_components} | {fitted.n_iter_}"
    return f"{counts} | {fit:.1f} | {one:.2f} | {told:.2f}"


def used(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return a result, and the processor time that it took."""
    start = time.process_time()
    return function(), time.process_time() - start


# ---------------------------------------------------------------------------------------- labels


def salinas() -> tuple[xr.Dataset, np.ndarray, int]:
    """Eight bands of a scene of six crops."""
    ds = xr.load_dataset(DATA / "land" / "salinas_a.nc")
    bands = ds.radiance[..., ~ds.water_band.values][..., 12::26].astype("float32")
    crops = ds.ground_truth
    chosen = {f"band {band:g}": bands.sel(band=band, drop=True) for band in bands.band.values}
    return xr.Dataset(chosen).where(crops > 0), crops.values, 6


def minerals() -> tuple[xr.Dataset, np.ndarray, int]:
    """Counts in the windows of seven lines."""
    ds = xcluster.datasets.eds()
    channels = (ds.line_energy - ds.kev_offset) / ds.kev_per_channel
    windows = {
        str(each.line.values): ds.counts.isel(channel=slice(int(each) - 4, int(each) + 5))
        for each in channels
        if "Ka" in str(each.line.values)
    }
    sums = {name: window.sum("channel").astype("float32") for name, window in windows.items()}
    return xr.Dataset(sums), ds.truth.values, 3


def ocean() -> tuple[xr.Dataset, None, int]:
    """Temperature and salinity at four depths, at every second place."""
    ds = xcluster.datasets.ocean_profiles().sel(depth=[0, 100, 300, 1000])
    ds = ds.isel(latitude=slice(None, None, 2), longitude=slice(None, None, 2))
    columns = {
        f"{name} {depth:g}": ds[name].sel(depth=depth, drop=True)
        for name in ds
        for depth in ds.depth.values
    }
    whole = xr.Dataset(columns)
    return whole.where(whole.to_array().notnull().all("variable")), None, 5


SETS = {"Salinas-A": salinas, "minerals": minerals, "ocean": ocean}


def at_random(ds: xr.Dataset, share: float, seed: int) -> xr.Dataset:
    """Return data that lack a share of their values, each by itself."""
    rng = np.random.default_rng(seed)
    return ds.map(lambda each: each.where(rng.random(each.shape) >= share))


def in_patches(ds: xr.Dataset, share: float, seed: int) -> xr.Dataset:
    """Return data of which each variable lacks a share, in patches of its own."""
    rng = np.random.default_rng(seed)

    def covered(each: xr.DataArray) -> xr.DataArray:
        clouds = gaussian_filter(rng.normal(size=each.shape), 4)
        return each.where(clouds >= np.quantile(clouds[each.notnull()], share))

    return ds.map(covered)


WAYS = {"at random": at_random, "in patches": in_patches}

Fit = Callable[[Any], Any]
METHODS: dict[str, Callable[[int], Fit]] = {
    "gmm": lambda k: lambda samples: samples.gmm(k, progress=False),
    "kmeans": lambda k: lambda samples: samples.kmeans(k, progress=False),
}


def kept(ds: xr.Dataset) -> Any:
    return ds.cluster.pixels(missing="keep", coverage=0).scale("standard")


ANSWERS: dict[str, Callable[[xr.Dataset], Any]] = {
    "kept": kept,
    "imputed": lambda ds: kept(ds).then(IterativeImputer(random_state=0)),
    "means": lambda ds: kept(ds).then(SimpleImputer()),
    "dropped": lambda ds: ds.cluster.pixels().scale("standard"),
}


def labels_of(ds: xr.Dataset, fit: Fit, answer: str) -> np.ndarray:
    """Return labels, NaN where there are none; all NaN where too few samples are complete."""
    try:
        return np.asarray(fit(ANSWERS[answer](ds)).labels.values)
    except ValueError:
        return np.full(next(iter(ds.values())).shape, np.nan)


def agreement(truth: np.ndarray, labels: np.ndarray, among: np.ndarray) -> float:
    """Return the adjusted Rand index of some samples; NaN if there are none with a label."""
    some = among & np.isfinite(labels) & np.isfinite(truth)
    return adjusted_rand_score(truth[some], labels[some]) if some.any() else np.nan


def measured(ds: xr.Dataset, truth: np.ndarray, fit: Fit) -> Iterator[float]:
    """Yield the agreement of each way to answer, then of the complete samples alone."""
    gaps = ds.to_array().isnull()
    every, complete = ~gaps.all("variable").values, ~gaps.any("variable").values
    found = {answer: labels_of(ds, fit, answer) for answer in ANSWERS}
    for answer in ("kept", "imputed", "means"):
        yield agreement(truth, found[answer], every)
    yield complete.sum() / every.sum()
    for answer in ("kept", "dropped"):
        yield agreement(truth, found[answer], complete)


def ari(methods: list[str], sets: list[str], seeds: int) -> None:
    """Print the table of adjusted Rand indices, each a mean over seeds of the gaps."""
    for method in methods:
        print(
            f"\n| {method} | gaps | kept | imputed | means | complete | of these, kept | dropped |"
            "\n|---|---|---|---|---|---|---|---|"
        )
        for name in sets:
            survey(name, *SETS[name](), METHODS[method], seeds)


def survey(
    name: str, ds: xr.Dataset, truth: np.ndarray | None, k: int, of: Any, seeds: int
) -> None:
    """Print the lines of one data set."""
    fit = of(k)
    whole = labels_of(ds, fit, "dropped")
    truth = whole if truth is None else truth.astype(float)
    print(f"| {name} | none | {agreement(truth, whole, np.isfinite(whole)):.2f} | | | | | |")
    for way, lacking in WAYS.items():
        for share in SHARES:
            found = [list(measured(lacking(ds, share, s), truth, fit)) for s in range(seeds)]
            shown = " | ".join(f"{each:.2f}" for each in np.nanmean(found, axis=0))
            print(f"| {name} | {share:.0%} {way} | {shown} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passes", action="store_true")
    parser.add_argument("--components", action="store_true")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--coverage", type=float, default=0.0)
    parser.add_argument("--ari", nargs="*", choices=METHODS, default=[])
    at_hand = [name for name in SETS if name != "Salinas-A" or DATA.exists()]
    parser.add_argument("--sets", nargs="*", choices=SETS, default=at_hand)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.passes:
        passes(options.rows, options.coverage)
    if options.components:
        components()
    if options.ari:
        ari(options.ari, options.sets, options.seeds)


if __name__ == "__main__":
    main()
