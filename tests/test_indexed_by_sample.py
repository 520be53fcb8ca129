"""Graphs, distances and row numbers of the user's own clusterer, against scikit-learn alone."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter, label
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import (
    DBSCAN,
    HDBSCAN,
    AffinityPropagation,
    AgglomerativeClustering,
    KMeans,
    SpectralClustering,
)
from sklearn.decomposition import KernelPCA
from sklearn.feature_extraction.image import grid_to_graph
from sklearn.metrics import adjusted_rand_score, pairwise_distances

import xcluster

SIDES = 170, 172  # 29,240 samples: rows change places from some 20,000 on
K = 6


def field(seed=0, sides=SIDES):
    """A smooth field of three features whose rows have another order than the grid."""
    rng = np.random.default_rng(seed)
    bands = [gaussian_filter(rng.standard_normal(sides), 4) for _ in range(3)]
    values = np.stack(bands, -1) + 1e-3 * rng.standard_normal((*sides, 3))
    coords = {"y": np.arange(sides[0])[::-1], "x": np.arange(sides[1])}
    return xr.DataArray(values, coords, ("y", "x", "band"))


@pytest.fixture(scope="module")
def scene():
    return field()


def partition_of(estimator, X):
    return estimator.fit(X).labels_


def assert_same_partition(labels, expected):
    assert adjusted_rand_score(expected, np.asarray(labels).ravel()) == 1


ARRANGEMENTS = {
    "as it is": lambda da: da,
    "turned, flipped and chunked": lambda da: (
        da.transpose("x", "y", "band").isel(y=slice(None, None, -1)).chunk({"y": 37, "x": 50})
    ),
}


@pytest.mark.parametrize("arrange", ARRANGEMENTS.values(), ids=ARRANGEMENTS)
def test_a_graph_connects_the_samples_as_the_user_sees_them(scene, arrange):
    da = arrange(scene)
    dims = [dim for dim in da.dims if dim != "band"]
    estimator = AgglomerativeClustering(
        K, connectivity=grid_to_graph(*(da.sizes[dim] for dim in dims))
    )
    fit = da.cluster.pixels(dim="band").fit(estimator)
    assert fit.labels.dims == tuple(dims)
    X = da.transpose(..., "band").values.reshape(-1, 3)
    assert_same_partition(fit.labels, partition_of(estimator, X))
    assert [label(fit.labels.values == number)[1] for number in range(K)] == [1] * K
    assert fit.report()["samples"].sum() == X.shape[0]


@pytest.mark.parametrize("graph", ["of the complete samples", "of all grid points"])
def test_a_graph_leaves_incomplete_samples_out(scene, graph):
    whole = np.random.default_rng(1).random(SIDES) < 0.97
    keep = label(whole)[0] == 1  # one connected part
    da = scene.where(xr.DataArray(keep, dims=("y", "x")))
    ours = grid_to_graph(*SIDES, mask=keep if graph == "of the complete samples" else None)
    fit = da.cluster.pixels(dim="band").fit(AgglomerativeClustering(K, connectivity=ours))
    peer = AgglomerativeClustering(K, connectivity=grid_to_graph(*SIDES, mask=keep))
    assert_same_partition(fit.labels.values[keep], partition_of(peer, scene.values[keep]))
    assert np.isnan(fit.labels.values[~keep]).all()


def test_a_graph_of_another_shape_is_refused_with_both_shapes():
    da = field(sides=(20, 10))
    samples = da.cluster.pixels(dim="band").where(da.y > 3)
    estimator = AgglomerativeClustering(4, connectivity=grid_to_graph(9, 10))
    rule = r"connectivity=\(90, 90\).*\(160, 160\) of the complete.*\(200, 200\) of all"
    with pytest.raises(ValueError, match=rule):
        samples.fit(estimator)


def test_hac_names_the_one_way_to_connect_samples():
    samples = field(sides=(20, 10)).cluster.pixels(dim="band")
    with pytest.raises(TypeError, match=r"connectivity='coo_matrix'.*contiguous=True"):
        samples.hac(3, connectivity=grid_to_graph(20, 10))
    with pytest.raises(TypeError, match="n_channels=1: is not a keyword of kmeans"):
        samples.kmeans(3, metric="dtw", n_channels=1)


def test_what_belongs_to_places_cannot_be_predicted_but_is_kept_in_a_file(tmp_path):
    da = field(sides=(20, 10))
    estimator = AgglomerativeClustering(4, connectivity=grid_to_graph(20, 10))
    fit = da.cluster.pixels(dim="band").fit(estimator)
    assert estimator.connectivity is not None
    fit.save(tmp_path / "a.nc")
    for each in (fit, xcluster.open(tmp_path / "a.nc"), xcluster.open(tmp_path / "a.nc", data=da)):
        xr.testing.assert_identical(each.labels, fit.labels)
        with pytest.raises(ValueError, match=r"follow from the places.*Use fit\.labels"):
            each.predict(da)
    with pytest.raises(ValueError, match="follow from the places"):
        fit.uncertainty()


# --------------------------------------------------------------------------------- distances

PRECOMPUTED = {
    "tree": AgglomerativeClustering(4, metric="precomputed", linkage="average"),
    "dbscan": DBSCAN(0.5, min_samples=4, metric="precomputed"),
    "hdbscan": HDBSCAN(20, metric="precomputed", copy=True),
}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", PRECOMPUTED)
def test_given_distances_are_those_between_the_samples(name, masked, reverse):
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(5, 3)) * 4, 120, axis=0) + 0.3 * rng.normal(size=(600, 3))
    X = rng.permutation(X)
    place = np.arange(600)[:: -1 if reverse else 1]
    D = pairwise_distances(X)
    da = xr.DataArray(D, {"site": place, "other": place}, ("site", "other"))
    keep = rng.random(600) < 0.8 if masked else np.ones(600, bool)
    samples = da.cluster.pixels(dim="other").where(xr.DataArray(keep, {"site": place}, ("site",)))
    fit = samples.fit(PRECOMPUTED[name])
    found = fit.labels.values[keep]
    expected = partition_of(PRECOMPUTED[name], D[keep][:, keep].copy())
    assert_same_partition(found, expected)
    np.testing.assert_array_equal(found < 0, expected < 0)
    for number in range(fit.k):  # centres lie over the other sites as the user has them
        mean = D[keep][found == number].mean(axis=0)
        np.testing.assert_allclose(fit.centers.isel(label=number).to_array().squeeze(), mean)


def test_given_affinities_are_those_between_the_samples():
    rng = np.random.default_rng(0)
    X = rng.permutation(np.repeat([[0.0], [3], [9]], 60, axis=0) + 0.1 * rng.normal(size=(180, 1)))
    A = np.exp(-pairwise_distances(X))
    samples = xr.DataArray(A, dims=("site", "other")).cluster.pixels(dim="other")
    for estimator in (
        SpectralClustering(3, affinity="precomputed", random_state=0),
        AffinityPropagation(affinity="precomputed", random_state=0, damping=0.9),
    ):
        assert_same_partition(samples.fit(estimator).labels, partition_of(estimator, A))


def test_distances_that_are_none_are_refused():
    da = field(sides=(20, 10))
    estimator = AgglomerativeClustering(3, metric="precomputed", linkage="average")
    with pytest.raises(ValueError, match=r"metric='precomputed'.*all 200 grid points.*\(200, 3\)"):
        da.cluster.pixels(dim="band").fit(estimator)
    square = xr.DataArray(pairwise_distances(np.arange(9.0)[:, None]), dims=("site", "other"))
    with pytest.raises(ValueError, match=r"metric='precomputed'.*scale\(\) changes them"):
        square.cluster.pixels(dim="other").scale().fit(estimator)
    samples = square.cluster.pixels(dim="other")
    for ask in (samples.dbscan, samples.hdbscan):
        with pytest.raises(ValueError, match=r"metric='precomputed'.*Pass a clusterer of scikit"):
            ask(metric="precomputed")
    with pytest.raises(ValueError, match=r"kernel='precomputed'.*distances to the fitted samples"):
        samples.then(KernelPCA(2, kernel="precomputed"))


# ----------------------------------------------------------------- row numbers and functions


class FromRows(ClusterMixin, BaseEstimator):
    """Rows belong to the nearest of some of them, which are given by number."""

    def __init__(self, init=None):
        self.init = init

    def fit(self, X, y=None):
        self.cluster_centers_ = X[np.asarray(self.init)]
        self.labels_ = self.predict(X)
        return self

    def predict(self, X):
        return pairwise_distances(X, self.cluster_centers_).argmin(axis=1)


def test_row_numbers_count_the_complete_samples_of_the_grid(scene):
    keep = np.random.default_rng(1).random(SIDES) < 0.9
    da = scene.where(xr.DataArray(keep, dims=("y", "x")))
    estimator = FromRows(init=[3, 9_000, 25_000])
    fit = da.cluster.pixels(dim="band").fit(estimator)
    assert_same_partition(fit.labels.values[keep], partition_of(estimator, scene.values[keep]))
    np.testing.assert_array_equal(fit.predict(da), fit.labels)


def test_a_function_gets_the_samples_in_the_order_of_the_grid(scene):
    def rows(X, k, random_state, numbers=(3, 9_000, 25_000)):
        return X[list(numbers)]

    estimator = KMeans(3, init=rows, n_init=1, max_iter=1)
    fit = scene.cluster.pixels(dim="band").fit(estimator)
    X = scene.values.reshape(-1, 3)
    assert_same_partition(fit.labels, estimator.fit(X).predict(X))


class Kept:
    """A start that holds a value for each sample."""

    def __init__(self, values):
        self.values = values

    def __call__(self, X, k, random_state=None):
        return X[np.argsort(self.values)[:k]]

    def method(self, X, k, random_state=None):
        return self(X, k)


def keeping(values):
    """Starts that keep values of the samples in four ways."""

    def scope(X, k, random_state=None):
        return X[np.argsort(values)[:k]]

    def argument(values, X, k, random_state=None):
        return X[np.argsort(values)[:k]]

    return scope, partial(argument, values), Kept(values), Kept(values).method


def test_what_is_kept_for_each_sample_is_refused_where_only_some_are_fitted():
    da = field(sides=(60, 50))
    samples, values = da.cluster.pixels(dim="band"), np.random.default_rng(0).random(3_000)
    X = da.values.reshape(-1, 3)
    for init in keeping(values):
        estimator = KMeans(3, init=init, n_init=1, max_iter=1)
        assert_same_partition(samples.fit(estimator).labels, estimator.fit(X).predict(X))
        with pytest.raises(ValueError, match="fit_on=300: init= needs all samples"):
            samples.fit(estimator, fit_on=300)
    tree = AgglomerativeClustering(3, connectivity=grid_to_graph(60, 50))
    with pytest.raises(ValueError, match="fit_on=300: connectivity= needs all samples"):
        samples.fit(tree, fit_on=300)


def test_values_of_the_complete_samples_alone_are_refused_for_a_sample_too():
    da = field(sides=(60, 50))
    samples = da.cluster.pixels(dim="band").where(da.x > 4)
    estimator = KMeans(3, init=Kept(np.arange(2_700)), n_init=1)
    with pytest.raises(ValueError, match="init='given': numbers the samples of one grid"):
        samples.fit(estimator, fit_on=300)


def test_a_function_that_keeps_nothing_fits_a_sample():
    da = field(sides=(60, 50))
    estimator = DBSCAN(0.5, metric=lambda a, b: np.abs(a - b).sum())
    assert da.cluster.pixels(dim="band").fit(estimator, fit_on=100).record.fitted == 100


def test_pooled_scenes_have_no_common_numbers():
    pooled = xcluster.pool(
        [field(0, (9, 8)), field(1, (9, 8))], lambda s: s.cluster.pixels(dim="band")
    )
    with pytest.raises(ValueError, match="connectivity='given': numbers the samples of one grid"):
        pooled.fit(AgglomerativeClustering(2, connectivity=grid_to_graph(9, 8)))
