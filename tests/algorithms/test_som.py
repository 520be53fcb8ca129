from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from minisom import MiniSom
from scipy.cluster.hierarchy import fcluster, ward
from scipy.spatial.distance import cdist
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from xcluster.algorithms.kernels.distances import two_nearest
from xcluster.algorithms.parts.som_nodes import nearest_nodes
from xcluster.algorithms.som import SOM
from xcluster.base import parallel
from xcluster.base.streaming import ArrayBlocks, iterate

PROFILES = Path(__file__).parents[3] / "shared" / "data" / "tomography" / "PNW10-S_kmps.nc"


@pytest.fixture(scope="module")
def curves():
    """Smooth profiles of 30 levels, as those of a tomographic model."""
    random = np.random.default_rng(3)
    depth = np.linspace(0, 1, 30)
    modes = np.array([np.cos(order * np.pi * depth) / (1 + order) for order in range(4)])
    return 3 + random.normal(size=(3000, 4)) @ modes + 0.02 * random.normal(size=(3000, 30))


@pytest.fixture(scope="module")
def fitted(curves):
    return SOM((6, 5)).fit(curves)


WEIGHT_CHECKS = [
    "check_sample_weights_pandas_series",
    "check_sample_weights_not_an_array",
    "check_sample_weights_list",
    "check_all_zero_sample_weights_error",
    "check_sample_weights_shape",
    "check_sample_weights_not_overwritten",
    "check_sample_weight_equivalence_on_dense_data",
]


def expected_failed_checks(som):
    if som.training == "online":
        return dict.fromkeys(WEIGHT_CHECKS, "online training takes no weights")
    if som.grid is None:
        reason = "repeated rows are more rows, and the default grid grows with their number"
        return {"check_sample_weight_equivalence_on_dense_data": reason}
    return {}


@parametrize_with_checks(
    [SOM(), SOM((2, 1)), SOM((2, 2), training="online", n_iter=200)],
    expected_failed_checks=expected_failed_checks,
)
@pytest.mark.filterwarnings("ignore:grid=:UserWarning", "ignore:Warning. sigma:UserWarning")
def test_som_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


def test_online_training_is_minisoms(curves):
    ours = SOM(
        (5, 4), training="online", sigma=0.3, learning_rate=0.1, n_iter=2000, random_state=7
    ).fit(curves)
    peer = MiniSom(5, 4, 30, sigma=0.3, learning_rate=0.1, random_seed=7)
    peer.random_weights_init(curves)
    peer.train(curves, 2000)
    np.testing.assert_array_equal(ours.cluster_centers_, peer.get_weights().reshape(20, 30))
    np.testing.assert_array_equal(ours.bmus_[:200], [peer.winner(row) for row in curves[:200]])
    assert ours.quantization_error_ == pytest.approx(peer.quantization_error(curves))
    assert ours.topographic_error_ == pytest.approx(peer.topographic_error(curves))


def test_batch_training_fits_no_worse_than_minisom_in_order_and_closeness(curves, fitted):
    peer = MiniSom(6, 5, 30, sigma=0.3, learning_rate=0.1, random_seed=0)
    peer.random_weights_init(curves)
    peer.train(curves, 10_000)
    assert fitted.quantization_error_ <= peer.quantization_error(curves)
    assert fitted.topographic_error_ < peer.topographic_error(curves) / 2


def test_a_pass_is_the_mean_of_the_samples_weighted_by_closeness_in_the_grid(curves):
    """One pass at a radius of 0.8, beside Kohonen's formula sample by sample."""
    som = SOM((3, 4), n_iter=1, sigma=0.8).fit(curves)
    start = SOM((3, 4), n_iter=1, sigma=1e6).fit(curves)
    assert np.ptp(start.cluster_centers_, axis=0).max() < 1e-9  # everything is everyone's neighbour
    plane = _plane_by_svd(curves, 3, 4)
    winners = cdist(curves, plane).argmin(axis=1)
    places = np.column_stack(np.divmod(np.arange(12), 4))
    closeness = np.exp(-cdist(places, places, "sqeuclidean") / (2 * 0.8**2))[:, winners]
    expected = closeness @ curves / closeness.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(som.cluster_centers_, expected, rtol=1e-6)


def _plane_by_svd(X, n_rows, n_columns):
    mean = X.mean(axis=0)
    _, lengths, axes = np.linalg.svd(X - mean, full_matrices=False)
    axes = axes * lengths[:, None] / math.sqrt(len(X))
    first, second = (axis * np.sign(axis[np.abs(axis).argmax()]) for axis in axes[:2])
    across, along = np.linspace(-1, 1, n_rows), np.linspace(-1, 1, n_columns)
    return np.array([mean + a * first + b * second for b in across for a in along])


def test_errors_and_labels_are_those_of_all_distances(curves, fitted):
    distances = cdist(curves, fitted.cluster_centers_)
    nearest, next_nearest = np.argsort(distances, axis=1)[:, :2].T
    steps = np.abs(np.subtract(np.divmod(nearest, 5), np.divmod(next_nearest, 5))).max(axis=0)
    np.testing.assert_array_equal(fitted.labels_, nearest)
    np.testing.assert_array_equal(fitted.predict(curves), nearest)
    np.testing.assert_array_equal(fitted.bmus_ @ [5, 1], nearest)
    np.testing.assert_array_equal(fitted.counts_, np.bincount(nearest, minlength=30))
    np.testing.assert_allclose(fitted.transform(curves), distances)
    assert fitted.quantization_error_ == pytest.approx(distances.min(axis=1).mean())
    assert fitted.topographic_error_ == pytest.approx((steps > 1).mean())


@pytest.mark.filterwarnings("ignore:Warning. sigma:UserWarning")
@pytest.mark.parametrize("grid", [(4, 6), (1, 5), (5, 1)])
def test_u_matrix_is_minisoms_distance_map_in_data_units(curves, grid):
    som = SOM(grid).fit(curves)
    peer = MiniSom(*grid, 30)
    peer._weights = som.cluster_centers_.reshape(*grid, 30)
    u_matrix = som.u_matrix()
    np.testing.assert_allclose(u_matrix / u_matrix.max(), peer.distance_map(scaling="mean"))
    here, there = som.cluster_centers_[:2] if grid[0] == 1 else som.cluster_centers_[[0, grid[1]]]
    if 1 in grid:
        assert u_matrix.flat[0] == pytest.approx(np.linalg.norm(here - there))


def test_two_fits_agree_to_the_last_bit(curves, fitted):
    again = SOM((6, 5), random_state=99).fit(curves)
    np.testing.assert_array_equal(again.cluster_centers_, fitted.cluster_centers_)


def test_nodes_do_not_depend_on_the_number_of_threads(curves, monkeypatch):
    X = np.tile(curves, (4, 1)) + np.linspace(0, 0.1, 12_000)[:, None]
    many = SOM((6, 6)).fit(X)
    monkeypatch.setattr(parallel, "n_threads", lambda: 1)
    with threadpool_limits(limits=1):
        one = SOM((6, 6)).fit(X)
    np.testing.assert_array_equal(one.cluster_centers_, many.cluster_centers_)
    np.testing.assert_array_equal(one.labels_, many.labels_)


def test_weights_of_two_equal_a_row_repeated(curves):
    weight = np.random.default_rng(0).integers(0, 3, size=len(curves))
    weighted = SOM((4, 4)).fit(curves, sample_weight=weight)
    repeated = SOM((4, 4)).fit(np.repeat(curves, weight, axis=0))
    np.testing.assert_allclose(weighted.cluster_centers_, repeated.cluster_centers_, rtol=1e-5)
    assert weighted.quantization_error_ == pytest.approx(repeated.quantization_error_, rel=1e-6)
    np.testing.assert_allclose(weighted.counts_, repeated.counts_, atol=3)


def test_blocks_of_any_size_train_the_same_map(curves, fitted):
    streamed = SOM((6, 5)).fit(curves[:1000])
    whole = SOM((6, 5)).fit(curves[:1000])
    for som, rows in ((streamed, 700), (whole, 65_536)):
        iterate(som, ArrayBlocks(curves, rows=rows), som.max_iter)
    np.testing.assert_allclose(streamed.cluster_centers_, whole.cluster_centers_, rtol=1e-9)
    assert streamed.counts_.sum() == len(curves)
    assert streamed.quantization_error_ < 1.02 * fitted.quantization_error_
    assert cdist(curves, streamed.cluster_centers_).min(axis=1).mean() == pytest.approx(
        streamed.quantization_error_
    )


def test_refinement_of_a_settled_map_ends_after_a_pass(curves):
    som = SOM((4, 4), n_iter=200).fit(curves)
    assert iterate(som, ArrayBlocks(curves), 50) == 1


def test_an_offset_of_the_data_moves_the_nodes_only(curves, fitted):
    moved = SOM((6, 5)).fit(curves + 1e4)
    np.testing.assert_allclose(moved.cluster_centers_ - 1e4, fitted.cluster_centers_, atol=1e-4)


def test_the_default_grid_grows_with_the_fourth_root(curves):
    assert SOM().fit(curves).grid_ == (8, 8)


def test_merged_nodes_are_wards_classes_of_equal_nodes_heaviest_first():
    """On samples that sit on their nodes, Ward over nodes is Ward over samples."""
    random = np.random.default_rng(5)
    groups = np.repeat(random.normal(size=(3, 2)) * 20, (3, 4, 5), axis=0)
    spots = np.unique(groups + random.normal(size=(12, 2)), axis=0)
    counts = random.integers(1, 6, size=12)
    X = np.repeat(spots, counts, axis=0)
    som = SOM((3, 4)).fit(X)
    som.cluster_centers_, som.counts_ = spots, counts
    classes = som.merge_nodes(3)[som.predict(X)]
    expected = fcluster(ward(X), 3, criterion="maxclust")
    assert len(set(zip(classes, expected, strict=True))) == 3
    assert (np.diff(np.bincount(classes)) <= 0).all()


def test_an_empty_node_joins_the_class_of_the_nearest_occupied_one():
    som = SOM((1, 3)).fit(np.array([[0.0], [0.1], [9.0], [9.2], [9.3]]))
    som.cluster_centers_, som.counts_ = np.array([[0.0], [8.0], [9.0]]), np.array([2.0, 0.0, 3.0])
    np.testing.assert_array_equal(som.merge_nodes(2), [1, 0, 0])
    with pytest.raises(ValueError, match="n_clusters=3: the map has only 2 nodes with samples"):
        som.merge_nodes(3)


def test_more_nodes_than_samples_are_warned_of_and_kept():
    X = np.random.default_rng(0).normal(size=(10, 3))
    with pytest.warns(UserWarning, match=r"grid=\(4, 4\): has more nodes than .* samples \(10\)"):
        som = SOM((4, 4)).fit(X)
    assert len(som.counts_) == 16
    assert (som.counts_ == 0).any()


def test_a_single_node_is_the_mean_and_has_no_topographic_error(curves):
    som = SOM((1, 1)).fit(curves)
    np.testing.assert_allclose(som.cluster_centers_[0], curves.mean(axis=0))
    assert math.isnan(som.topographic_error_)
    np.testing.assert_array_equal(som.u_matrix(), [[0.0]])


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"grid": (0, 3)}, ValueError, "grid=0: must be an integer of at least 1"),
        ({"grid": (3, 2.5)}, TypeError, "grid=2.5"),
        ({"grid": (3,)}, ValueError, "two numbers"),
        ({"training": "offline"}, ValueError, "Did you mean 'online'"),
        ({"sigma": 0}, ValueError, "sigma=0"),
        ({"learning_rate": -1.0}, ValueError, "learning_rate"),
        ({"n_iter": 0}, ValueError, "n_iter=0"),
    ],
)
def test_bad_parameters_are_named(curves, parameters, error, message):
    with pytest.raises(error, match=message):
        SOM(**parameters).fit(curves)


def test_online_training_refuses_weights(curves):
    with pytest.raises(ValueError, match='Use training="batch"'):
        SOM(training="online").fit(curves, sample_weight=np.ones(len(curves)))


@pytest.mark.skipif(not PROFILES.exists(), reason="the shared data are not here")
def test_depth_profiles_of_cascadia_lie_closer_to_the_batch_map_than_to_seisgos():
    with xr.open_dataset(PROFILES) as model:
        profiles = model.vs.transpose("latitude", "longitude", "depth").to_numpy()
    X = profiles.reshape(-1, profiles.shape[-1]).astype(np.float64)
    batch = SOM().fit(X)
    online = SOM(training="online", sigma=0.3, learning_rate=0.1, n_iter=5000).fit(X)
    assert batch.grid_ == (9, 9)
    assert batch.quantization_error_ < online.quantization_error_
    assert batch.topographic_error_ < 0.3 < online.topographic_error_


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("far", [0, 1e4])
def test_the_nearest_nodes_are_those_of_distances_in_double_precision(dtype, far):
    rng = np.random.default_rng(0)
    nodes = rng.normal(size=(30, 70)) + far
    X = rng.normal(size=(3000, 70)) + far
    X[:1000] = nodes[np.sort([rng.choice(30, 2, replace=False) for _ in range(1000)])].mean(axis=1)
    X[5], X = X[5] + 1e30, X.astype(dtype)
    squared = ((X[:, None].astype(float) - nodes) ** 2).sum(axis=2)
    order = np.argsort(squared, axis=1, kind="stable")
    nearest, second, least = two_nearest(X, nodes)
    np.testing.assert_allclose(least, squared.min(axis=1), rtol=1e-12)
    for found, expected in ((nearest, order[:, 0]), (second, order[:, 1])):
        away = [np.take_along_axis(squared, each[:, None], axis=1) for each in (found, expected)]
        np.testing.assert_allclose(*away, rtol=1e-12)
    np.testing.assert_array_equal(nearest_nodes(X, nodes), nearest)
