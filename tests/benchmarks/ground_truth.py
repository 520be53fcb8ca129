"""Which k each criterion chooses on labelled scenes, and how far labels agree with the truth.

``--store`` writes what each method finds at the truth's own k to tests/references/ground_truth.csv,
which tests hold every change to.
"""

from __future__ import annotations

import csv
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import xcluster
from xcluster import datasets

STORED = Path(__file__).parents[1] / "references" / "ground_truth.csv"
COLUMNS = ("scene", "method", "k", "adjusted_rand", "adjusted_mutual_info")
DATA = Path(__file__).parents[3] / "shared" / "data"
KS = range(1, 13)
METHODS = ("kmeans", "hac", "gmm", "fuzzy")
CRITERIA = [
    "distortion",
    "silhouette",
    "simplified_silhouette",
    "calinski_harabasz",
    "davies_bouldin",
    "entropy",
    "gap",
    "stability",
]
FURTHER = {
    "gmm": ["bic", "aic", "icl", "partition_coefficient", "xie_beni"],
    "fuzzy": ["partition_coefficient", "xie_beni"],
}

Scene = tuple[Any, xr.DataArray]


def salinas() -> Scene:
    """Crops by spectra without the bands of water; six classes."""
    ds = xr.open_dataset(DATA / "land" / "salinas_a.nc")
    cube = ds.radiance.isel(band=np.flatnonzero(ds.water_band == 0)).astype("float32")
    truth = ds.ground_truth.where(ds.ground_truth > 0)
    return cube.cluster.pixels(dim="band").where(truth.notnull()).pca(5), truth


def eolearn() -> Scene:
    """Land cover by the course of the NDVI over months; five classes, of very unlike sizes."""
    ds = xr.open_dataset(DATA / "land" / "eolearn_ndvi_lulc.nc")
    months = ds.ndvi.where(ds.valid == 1).groupby("time.month").mean().astype("float32")
    truth = ds.ground_truth.where(ds.ground_truth > 0).isel(
        time=0, drop=True, missing_dims="ignore"
    )
    return months.cluster.pixels(dim="month").where(truth.notnull()).pca(5), truth


def domains() -> Scene:
    """Ferroelectric domains by amplitude and phase; two classes by a threshold of the phase."""
    ds = xr.open_dataset(DATA / "microscopy" / "pfm_pto_4channels.nc").isel(
        x=slice(None, None, 2), y=slice(None, None, 2)
    )
    names = ["amplitude", "phase"]
    return ds[names].cluster.pixels(), (ds.phase > 45).astype(float)


def minerals() -> Scene:
    """Simulated spectra of three minerals, blurred where they meet."""
    ds = datasets.eds(size=48)
    counts = ds.counts.astype("float32")
    return counts.cluster.pixels(dim="channel").scale().pca(3), ds.truth.astype(float)


def crystal() -> Scene:
    """Windows around the atom columns of a simulated crystal of three domains."""
    ds = datasets.stem()
    found = xcluster.peaks(ds.intensity, sigma=1.5, min_distance=4, threshold=0.6)
    samples = ds.intensity.cluster.patches(16, at=found).pca(2)
    point = samples.transform()
    truth = ds.truth.sel(y=point.y, x=point.x).astype(float)
    return samples, truth


def weather() -> Scene:
    """Days of four simulated regimes, less the yearly cycle."""
    ds = datasets.weather(days=1000)
    fields = ds.z500.cluster.snapshots("time").anomaly("time.dayofyear", smooth=31)
    return fields.weights("area").pca(5), ds.truth.astype(float)


SCENES: dict[str, Callable[[], Scene]] = {
    "salinas_a (6 classes)": salinas,
    "eolearn (5 classes)": eolearn,
    "pfm domains (2 classes)": domains,
}
SIMULATED: dict[str, Callable[[], Scene]] = {
    "minerals (3 classes, simulated)": minerals,
    "crystal (3 classes, simulated)": crystal,
    "weather (4 classes, simulated)": weather,
}
FITS: dict[str, Callable[[Any, int], Any]] = {
    "kmeans": lambda samples, k: samples.kmeans(k),
    "kmeans trimmed": lambda samples, k: samples.kmeans(k, trim=0.02),
    "gmm": lambda samples, k: samples.gmm(k),
    "gmm outliers": lambda samples, k: samples.gmm(k, outliers=True),
    "gmm tied": lambda samples, k: samples.gmm(k, covariance_type="tied"),
    "hac": lambda samples, k: samples.hac(k),
    "hac contiguous": lambda samples, k: samples.hac(k, contiguous=True),
    "fuzzy": lambda samples, k: samples.fuzzy(k),
    "fuzzy gustafson-kessel": lambda samples, k: samples.fuzzy(k, shape="gustafson-kessel"),
    "fuzzy possibilistic": lambda samples, k: samples.fuzzy(k, kind="possibilistic"),
    "fuzzy noise": lambda samples, k: samples.fuzzy(k, kind="noise"),
    "som merged": lambda samples, k: samples.som((8, 8)).merge_nodes(k),
    "hdbscan": lambda samples, k: samples.hdbscan(30),
}
# What cannot be: points have no neighbours, and days are not parted by empty space.
UNSUITED = {"crystal": ("hac contiguous",), "weather": ("hac contiguous", "hdbscan")}


def fits_of(scene: str) -> list[str]:
    """Return the methods that a scene is clustered by."""
    return [name for name in FITS if name not in UNSUITED.get(scene.partition(" ")[0], ())]


def true_k(truth: xr.DataArray) -> int:
    return len(np.unique(truth.values[np.isfinite(truth.values)]))


def found(scene: Scene, method: str) -> tuple[int, float, float]:
    """Return k and the agreement with the truth; what is left out as noise is a class as well."""
    samples, truth = scene
    k = true_k(truth)
    labels = FITS[method](samples, k).labels
    fit = xcluster.compare(labels.where(labels != -1, labels.max() + 1).drop_attrs(), truth)
    return k, float(fit.adjusted_rand), float(fit.adjusted_mutual_info)


def store() -> None:
    """Write the table that tests hold changes to."""
    with STORED.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for name, make in {**SIMULATED, **SCENES}.items():
            scene = make()
            for method in fits_of(name):
                k, rand, information = found(scene, method)
                table.writerow((name, method, k, f"{rand:.3f}", f"{information:.3f}"))


def report(name: str, samples: Any, truth: xr.DataArray) -> None:
    own_k = true_k(truth)
    for method in METHODS:
        criteria = CRITERIA + FURTHER.get(method, [])
        start = time.perf_counter()
        sweep = samples.sweep(KS, method, criteria=criteria, progress=False)
        seconds = time.perf_counter() - start
        chosen = {str(each.criterion.values): int(each) for each in sweep.agreement().chosen}
        of_k = {k: agreement(sweep.clustering(k), truth) for k in {*chosen.values(), own_k} - {0}}
        head = f"| {name} | {method} ({seconds:.0f} s) | the truth's own k"
        print(f"{head} | {own_k} | {of_k[own_k]} |")
        for criterion, k in chosen.items():
            agreed = of_k[k] if k else " | "
            print(f"| | | {criterion} | {k or 'none'} | {agreed} |", flush=True)


def agreement(fit: Any, truth: xr.DataArray) -> str:
    agreed = xcluster.compare(fit.labels, truth)
    return f"{float(agreed.adjusted_rand):.2f} | {float(agreed.adjusted_mutual_info):.2f}"


def possibilistic() -> None:
    """Print how possibilistic labels agree with the truth, and how many pairs of centres coincide.

    `m` is that of the possibilistic kind; the first column is the probabilistic one, ``m=2``.
    """
    ms = (2.0, 1.5, 1.2)
    print(
        "| scene | probabilistic |", " | ".join(f"m={m:g}" for m in ms), "|\n|---|---|---|---|---|"
    )
    for name, make in {**SIMULATED, **SCENES}.items():
        samples, truth = make()
        k = true_k(truth)
        fits = [samples.fuzzy(k), *(samples.fuzzy(k, m=m, kind="possibilistic") for m in ms)]
        shown = [
            f"{float(xcluster.compare(fit.labels, truth).adjusted_rand):.2f} "
            f"({len(fit.model[-1].coincident_)})"
            for fit in fits
        ]
        print(f"| {name} |", " | ".join(shown), "|", flush=True)


def main(wanted: str = "") -> None:
    """Print the table, of the scenes whose name holds ``wanted``; or store the methods' own."""
    warnings.simplefilter("ignore")
    actions = {"--store": store, "--possibilistic": possibilistic}
    if wanted in actions:
        actions[wanted]()
        return
    print("| scene | method | criterion | k | ARI | AMI |\n|---|---|---|---|---|---|")
    for name, scene in SCENES.items():
        if wanted in name:
            report(name, *scene())


if __name__ == "__main__":
    main(*sys.argv[1:])
