"""Which k each criterion chooses on labelled scenes, and how far labels agree with the truth."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import xcluster

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


SCENES: dict[str, Callable[[], Scene]] = {
    "salinas_a (6 classes)": salinas,
    "eolearn (5 classes)": eolearn,
    "pfm domains (2 classes)": domains,
}


def report(name: str, samples: Any, truth: xr.DataArray) -> None:
    true_k = len(np.unique(truth.values[np.isfinite(truth.values)]))
    for method in METHODS:
        criteria = CRITERIA + FURTHER.get(method, [])
        start = time.perf_counter()
        sweep = samples.sweep(KS, method, criteria=criteria, progress=False)
        seconds = time.perf_counter() - start
        chosen = {str(each.criterion.values): int(each) for each in sweep.agreement().chosen}
        of_k = {k: agreement(sweep.clustering(k), truth) for k in {*chosen.values(), true_k} - {0}}
        head = f"| {name} | {method} ({seconds:.0f} s) | the truth's own k"
        print(f"{head} | {true_k} | {of_k[true_k]} |")
        for criterion, k in chosen.items():
            found = of_k[k] if k else " | "
            print(f"| | | {criterion} | {k or 'none'} | {found} |", flush=True)


def agreement(fit: Any, truth: xr.DataArray) -> str:
    found = xcluster.compare(fit.labels, truth)
    return f"{float(found.adjusted_rand):.2f} | {float(found.adjusted_mutual_info):.2f}"


def main(wanted: str = "") -> None:
    """Print the table, of the scenes whose name holds ``wanted``."""
    warnings.simplefilter("ignore")
    print("| scene | method | criterion | k | ARI | AMI |\n|---|---|---|---|---|---|")
    for name, scene in SCENES.items():
        if wanted in name:
            report(name, *scene())


if __name__ == "__main__":
    main(*sys.argv[1:])
