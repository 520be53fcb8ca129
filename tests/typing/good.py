"""Calls that type checkers take, and the types that they give; read by check.py, never run."""

from typing import assert_type

import xarray as xr
from sklearn.cluster import MiniBatchKMeans

import xcluster
from xcluster import ClusterAccessor, Clustering, PooledClustering, Samples, Sweep


def question(ds: xr.Dataset) -> Samples:
    return ClusterAccessor(ds).pixels(["sst", "wind_speed"], random_state=3)


def steps(ds: xr.Dataset) -> None:
    samples = ClusterAccessor(ds).pixels(vars=["sst"]).where(ds.sst > 0).weights("area")
    assert_type(samples, Samples)
    assert_type(samples.scale("robust", over="variable", balance=True).pca(3), Samples)
    assert_type(ClusterAccessor(ds).pixels(dim=["ky", "kx"]), Samples)
    assert_type(ClusterAccessor(ds).profiles("depth", every=2).vae(2, epochs=3), Samples)
    floats = ClusterAccessor(ds).profiles("level", along="PRES", between=(0, 500), step=10)
    assert_type(floats, Samples)
    days = ClusterAccessor(ds).snapshots(["member", "time"]).anomaly("time.month", common=False)
    assert_type(days.kmeans(3).regimes(by="member"), xr.Dataset)


def clusterers(ds: xr.Dataset) -> None:
    samples = question(ds)
    assert_type(samples.kmeans(4, n_init=2, fit_on=1_000, order="sst", progress=False), Clustering)
    assert_type(samples.kmeans(range(2, 9), metric="dtw", window=3), Clustering)
    assert_type(samples.gmm(4, covariance_type="diag", attrs={"run": 1}), Clustering)
    assert_type(samples.kmeans(4, metric="cosine"), Clustering)
    assert_type(samples.hac(4, linkage="average", metric="cosine"), Clustering)
    assert_type(samples.hac(4, contiguous=8, max_exact=500), Clustering)
    assert_type(samples.hac(4, contiguous=("nearest", 6)), Clustering)
    assert_type(samples.hac(4, contiguous="mesh"), Clustering)
    assert_type(samples.fuzzy(4, kind="possibilistic", init="k-means++"), Clustering)
    assert_type(samples.som((3, 4), sigma=2.0), Clustering)
    assert_type(samples.dbscan(0.3, metric="cityblock"), Clustering)
    assert_type(samples.hdbscan(50, cluster_selection_method="leaf"), Clustering)
    assert_type(samples.hdbscan(50).strength, xr.DataArray)
    assert_type(samples.kmeans(4, trim=0.02), Clustering)
    assert_type(samples.gmm(4, outliers=True), Clustering)
    assert_type(samples.fuzzy(4, kind="noise", delta=1.5), Clustering)
    assert_type(samples.fit(MiniBatchKMeans(4), fit_on="all"), Clustering)
    assert_type(samples.kmeans(4, order=lambda centers: centers.sst).k, int)


def sweeps(ds: xr.Dataset) -> None:
    sweep = question(ds).sweep(range(2, 9), "gmm", ["bic", "silhouette"], covariance_type="tied")
    assert_type(sweep, Sweep)
    assert_type(sweep.clustering(sweep.best("bic")).labels, xr.DataArray)


def several(scenes: dict[str, xr.Dataset]) -> None:
    fit = xcluster.pool(scenes, question).kmeans(3, n_init=2)
    assert_type(fit, PooledClustering)
    assert_type(fit["one"], Clustering)
