"""k-means under dynamic time warping, against tslearn and a plain dynamic programme."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks
from tslearn.barycenters import dtw_barycenter_averaging
from tslearn.clustering import TimeSeriesKMeans
from tslearn.metrics import cdist_dtw, cdist_soft_dtw

from xcluster.algorithms.warping import WarpingKMeans, dtw
from xcluster.base import parallel

TOMOGRAPHY = Path(__file__).parents[3] / "shared" / "data" / "tomography" / "PNW10-S_kmps.nc"


def shifted_shapes(n_samples=90, length=30, noise=0.05):
    """Return a bump, a step and a valley at random depths, and which each row is."""
    random = np.random.default_rng(3)
    at = np.linspace(0, 1, length) - random.uniform(0.3, 0.7, (n_samples, 1))
    shapes = np.stack(
        [2 * np.exp(-((at / 0.1) ** 2)), np.tanh(at / 0.05), -np.exp(-((at / 0.1) ** 2))]
    )
    truth = np.arange(n_samples) % 3
    X = shapes[truth, np.arange(n_samples)]
    return X + random.normal(0, noise, X.shape), truth


@pytest.fixture(scope="module")
def shapes():
    return shifted_shapes()


@pytest.fixture(scope="module")
def tomography():
    if not TOMOGRAPHY.exists():
        pytest.skip("no shared data here")
    import xarray as xr

    with xr.open_dataset(TOMOGRAPHY) as model:
        columns = model["vs"].transpose("latitude", "longitude", "depth")[::8, ::8].values
    return columns.reshape(-1, columns.shape[-1]).astype(np.float64)


def in_channels(X, n_channels):
    """Return rows in tslearn's layout, (n_samples, length, n_channels)."""
    return X.reshape(len(X), n_channels, -1).transpose(0, 2, 1)


def plain_dtw(x, y, window):
    """Return the DTW distance of two series, cell by cell."""
    cost = np.full((len(x) + 1, len(y) + 1), np.inf)
    cost[0, 0] = 0
    for i, j in np.ndindex(len(x), len(y)):
        if abs(i - j) <= window:
            before = min(cost[i, j], cost[i, j + 1], cost[i + 1, j])
            cost[i + 1, j + 1] = (x[i] - y[j]) ** 2 + before
    return np.sqrt(cost[-1, -1])


@pytest.mark.parametrize("window", [None, 0, 1, 4, 23, 24, 99])
def test_distances_equal_a_plain_dynamic_programme(window):
    random = np.random.default_rng(0)
    X, Y = random.normal(size=(37, 24)), random.normal(size=(3, 24))
    expected = [[plain_dtw(x, y, 99 if window is None else window) for y in Y] for x in X]
    np.testing.assert_allclose(dtw(X, Y, window), expected, rtol=1e-12)


@pytest.mark.parametrize("n_channels", [1, 2, 3])
@pytest.mark.parametrize("window", [None, 3])
def test_distances_equal_those_of_tslearn(n_channels, window):
    random = np.random.default_rng(1)
    X, Y = random.normal(size=(300, 18)), random.normal(size=(4, 18))
    band = {} if window is None else {"global_constraint": "sakoe_chiba"}
    expected = cdist_dtw(
        in_channels(X, n_channels), in_channels(Y, n_channels), sakoe_chiba_radius=window, **band
    )
    np.testing.assert_allclose(dtw(X, Y, window, n_channels), expected, rtol=1e-12)


def test_a_window_of_zero_gives_the_euclidean_distance(shapes):
    X = shapes[0]
    expected = np.linalg.norm(X[:, None] - X[:5], axis=2)
    np.testing.assert_allclose(dtw(X, X[:5], window=0), expected, rtol=1e-12)


@pytest.mark.parametrize(("n_channels", "window"), [(1, None), (1, 3), (2, None)])
def test_one_barycentre_costs_no_more_than_that_of_tslearn(shapes, n_channels, window):
    X = shapes[0][::3]
    band = {"global_constraint": "sakoe_chiba", "sakoe_chiba_radius": window} if window else None
    peer = dtw_barycenter_averaging(
        in_channels(X, n_channels),
        init_barycenter=in_channels(X[:1], n_channels)[0],
        max_iter=30,
        metric_params=band,
    )
    fit = WarpingKMeans(
        1, init=X[:1], n_channels=n_channels, window=window, max_iter_barycenter=30
    ).fit(X)
    assert fit.inertia_ <= np.sum(dtw(X, peer.T.reshape(1, -1), window, n_channels) ** 2) + 1e-9


def test_one_iteration_of_dba_is_that_of_tslearn(shapes):
    X = shapes[0][::3]
    peer = dtw_barycenter_averaging(X[:, :, None], init_barycenter=X[:1].T, max_iter=1)
    fit = WarpingKMeans(1, init=X[:1], max_iter=1, max_iter_barycenter=1).fit(X)
    np.testing.assert_allclose(fit.cluster_centers_, peer.T, atol=1e-12)


def test_shifted_shapes_are_told_apart(shapes):
    X, truth = shapes
    assert adjusted_rand_score(truth, WarpingKMeans(3, n_init=3).fit_predict(X)) == 1


@pytest.mark.parametrize("metric", ["dtw", "softdtw"])
def test_the_objective_never_rises(shapes, metric):
    X = shapes[0] + np.random.default_rng(0).normal(0, 0.3, shapes[0].shape)
    parameters = {"metric": metric, "max_iter_barycenter": 2, "tol": 0, "gamma": 0.1}
    inertia = [WarpingKMeans(4, max_iter=n, **parameters).fit(X).inertia_ for n in range(1, 6)]
    assert all(after <= before for before, after in pairwise(inertia))
    assert inertia[-1] < inertia[0]


def test_inertia_is_the_sum_of_squared_distances_to_the_nearest_centre(shapes):
    X = shapes[0]
    weight = np.linspace(0, 2, len(X))
    fit = WarpingKMeans(3, window=5).fit(X, sample_weight=weight)
    distances = dtw(X, fit.cluster_centers_, window=5)
    np.testing.assert_array_equal(fit.transform(X), distances)
    np.testing.assert_array_equal(fit.labels_, distances.argmin(axis=1))
    assert fit.inertia_ == pytest.approx(weight @ distances.min(axis=1) ** 2)
    np.testing.assert_allclose(fit.counts_, np.bincount(fit.labels_, weight))


@pytest.mark.parametrize("metric", ["dtw", "softdtw"])
def test_a_weight_of_three_equals_a_row_three_times(shapes, metric):
    X = shapes[0][:30]
    weight = np.arange(30) % 4
    parameters = {"init": X[[1, 2, 3]], "metric": metric, "max_iter": 5, "gamma": 0.1}
    weighted = WarpingKMeans(3, **parameters).fit(X, sample_weight=weight)
    repeated = WarpingKMeans(3, **parameters).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(
        weighted.cluster_centers_, repeated.cluster_centers_, rtol=1e-6, atol=1e-6
    )
    assert weighted.inertia_ == pytest.approx(repeated.inertia_, rel=1e-6)


def test_labels_do_not_depend_on_the_number_of_threads(monkeypatch):
    X = shifted_shapes(700, 20, noise=0.5)[0]
    several = WarpingKMeans(5, max_iter=4).fit(X)
    monkeypatch.setattr(parallel, "n_threads", lambda: 1)
    single = WarpingKMeans(5, max_iter=4).fit(X)
    np.testing.assert_array_equal(several.labels_, single.labels_)
    np.testing.assert_array_equal(several.cluster_centers_, single.cluster_centers_)


def test_an_empty_cluster_takes_the_row_farthest_from_its_centre(shapes):
    X = shapes[0]
    far = np.full(X.shape[1], 100.0)
    fit = WarpingKMeans(3, init=np.stack([X[0], X[1], far])).fit(X)
    assert np.all(fit.counts_ > 0)
    np.testing.assert_array_equal(np.bincount(fit.labels_), fit.counts_)


def test_channels_of_different_meaning_are_warped_together(shapes):
    X, truth = shapes
    both = np.hstack([X, 10 - X])
    fit = WarpingKMeans(3, n_channels=2, n_init=3).fit(both)
    assert fit.cluster_centers_.shape == (3, both.shape[1])
    assert adjusted_rand_score(truth, fit.labels_) == 1


def test_softdtw_values_are_those_of_tslearn(shapes):
    X = shapes[0][:40]
    fit = WarpingKMeans(2, metric="softdtw", gamma=0.5, n_channels=2, max_iter=2).fit(X)
    expected = cdist_soft_dtw(in_channels(X, 2), in_channels(fit.cluster_centers_, 2), gamma=0.5)
    np.testing.assert_allclose(fit.transform(X), expected, atol=1e-9)
    np.testing.assert_array_equal(fit.predict(X), fit.labels_)


def test_softdtw_tells_shifted_shapes_apart(shapes):
    X, truth = shapes
    fit = WarpingKMeans(3, metric="softdtw", gamma=0.05, max_iter=5).fit(X)
    assert adjusted_rand_score(truth, fit.labels_) > 0.9


def test_a_model_of_cascadia_costs_no_more_than_that_of_tslearn(tomography):
    start = tomography[[0, 40, 80, 90]]
    peer = TimeSeriesKMeans(4, metric="dtw", init=start[:, :, None], max_iter=5)
    peer.fit(tomography[:, :, None])
    ours = WarpingKMeans(4, init=start, max_iter=5).fit(tomography)
    theirs = dtw(tomography, peer.cluster_centers_[:, :, 0]).min(axis=1) ** 2
    assert ours.inertia_ <= 1.01 * theirs.sum()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"window": -1}, "window=-1"),
        ({"n_channels": 4}, "n_channels=4: must divide"),
        ({"n_channels": 30}, "n_features=30: must be at least 2"),
        ({"n_clusters": 91}, "n_samples=90"),
        ({"gamma": 0}, "gamma=0"),
        ({"metric": "ddtw"}, "metric='ddtw'"),
        ({"metric": "softdtw", "window": 3}, "window=3"),
        ({"init": np.zeros((2, 30))}, "init="),
        ({"init": "random"}, "init='random'"),
    ],
)
def test_bad_parameters_are_named_with_their_rule(shapes, parameters, message):
    with pytest.raises(ValueError, match=message):
        WarpingKMeans(**{"n_clusters": 3} | parameters).fit(shapes[0])


def test_a_window_that_is_no_integer_is_a_type_error(shapes):
    with pytest.raises(TypeError, match=r"window=1\.5"):
        WarpingKMeans(3, window=1.5).fit(shapes[0])


@pytest.mark.parametrize("init", ["k-means++", np.zeros((3, 4))])
def test_more_clusters_than_rows_that_differ_under_dtw_is_an_error(init):
    X = np.array([[0, 1, 1, 1], [0, 0, 0, 1], [5, 5, 5, 5]])
    with pytest.raises(ValueError, match=r"n_clusters=3: .* DTW tells apart"):
        WarpingKMeans(3, init=init).fit(X)


@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        (np.ones((2, 4)), np.ones((2, 5)), "equal length"),
        (np.ones(4), np.ones((2, 4)), "Expected 2D"),
        (np.ones((2, 1)), np.ones((2, 1)), "n_features=1"),
        (np.full((2, 4), np.nan), np.ones((2, 4)), "NaN"),
    ],
)
def test_distances_of_unlike_series_are_an_error(X, Y, message):
    with pytest.raises(ValueError, match=message):
        dtw(X, Y)


EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": "k-means++ draws other rows of repeated ones",
}


@parametrize_with_checks(
    [WarpingKMeans(n_clusters=3, max_iter=3)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_the_contract_of_scikit_learn_is_kept(estimator, check):
    check(estimator)
