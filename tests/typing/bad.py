"""Calls that type checkers refuse, each marked; read by check.py, never run."""

import xarray as xr

import xcluster
from xcluster import ClusterAccessor


def question(ds: xr.Dataset) -> xcluster.Samples:
    return ClusterAccessor(ds).pixels(variables=["sst"])  # refused


def steps(ds: xr.Dataset) -> None:
    samples = ClusterAccessor(ds).pixels()
    samples.scale(over="varaible")  # refused
    samples.weights("aera")  # refused
    samples.pca("3")  # refused
    samples.no_such_step()  # refused


def clusterers(ds: xr.Dataset) -> None:
    samples = ClusterAccessor(ds).pixels()
    samples.kmeans("4")  # refused
    samples.kmeans(4, n_int=2)  # refused
    samples.kmeans(n_clusters=4)  # refused
    samples.kmeans(4, metric="dwt")  # refused
    samples.kmeans(4, fit_on="everything")  # refused
    samples.kmeans(4, init="kmeans++")  # refused
    samples.kmeans(4, progress="yes")  # refused
    samples.gmm(4, covariance_type="ful")  # refused
    samples.gmm(4, init_params="k-means")  # refused
    samples.hac(4, linkage="wrad")  # refused
    samples.hac(4, contiguous=6)  # refused
    samples.hac(4, n_init=2)  # refused
    samples.fuzzy(4, kind="possible")  # refused
    samples.fuzzy(4, shape="round")  # refused
    samples.som((3, 3), training="bach")  # refused
    samples.som((3, 3), order="size")  # refused
    samples.dbscan(0.3, min_sample=5)  # refused
    samples.hdbscan(5, cluster_selection_method="leave")  # refused
    samples.fit(object(), fit_onn="all")  # refused


def sweeps(ds: xr.Dataset) -> None:
    samples = ClusterAccessor(ds).pixels()
    samples.sweep(method="kmean")  # refused
    samples.sweep(criteria="silhouete")  # refused
    samples.sweep(criteria=["bic", "silhouete"])  # refused
    samples.sweep(method="hac", linkage="wrad")  # refused


def several(scenes: dict[str, xr.Dataset]) -> None:
    pooled = xcluster.pool(scenes, lambda ds: ClusterAccessor(ds).pixels())
    pooled.kmeans(3, n_int=2)  # refused
    fit: xcluster.Clustering = pooled.kmeans(3)  # refused
    fit.no_such_array  # noqa: B018  # refused


def learned(ds: xr.Dataset) -> None:
    samples = ClusterAccessor(ds).pixels()
    samples.vae(2, epoch=3)  # refused
    samples.pca(2).gmm(3).plot.map(cmapp="viridis")  # refused
