"""The hierarchical estimator against scipy's trees and scikit-learn's contiguous ones."""

from pathlib import Path

import numpy as np
import pytest
from scipy.cluster.hierarchy import cut_tree, fcluster, is_valid_linkage, linkage
from scipy.sparse import block_diag, csr_array
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from xcluster.algorithms import hierarchical
from xcluster.algorithms.hierarchical import Hierarchical
from xcluster.algorithms.parts import linkages
from xcluster.algorithms.parts.connectivity import grid_connectivity
from xcluster.algorithms.parts.linkages import micro_centers, ward_linkage

LINKAGES = ["ward", "average", "complete", "single"]
DATA = Path(__file__).parents[3] / "shared" / "data"


def rows(n=600, n_features=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_features))


def blobs(n=3000, k=5, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    return rng.normal(size=(n, k)) + 10 * np.eye(k)[truth], truth


def same_partition(a, b):
    return adjusted_rand_score(a, b) == 1.0


@parametrize_with_checks([Hierarchical()])
def test_follows_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("method", LINKAGES)
@pytest.mark.parametrize("n", [2, 3, 64, 65, 1200])
def test_the_tree_is_scipys(method, n):
    X = rows(n)
    model = Hierarchical(1, linkage=method).fit(X)
    np.testing.assert_allclose(model.linkage_matrix_, linkage(X, method), rtol=1e-9)


@pytest.mark.parametrize("n_features", [1, 9, 40])
def test_the_ward_tree_is_scipys_in_any_number_of_features(n_features):
    X = rows(700, n_features)
    np.testing.assert_allclose(
        ward_linkage(X, np.ones(len(X))), linkage(X, "ward"), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("metric", ["cityblock", "cosine"])
@pytest.mark.parametrize("method", LINKAGES[1:])
def test_the_tree_of_another_metric_is_scipys(method, metric):
    X = rows(200)
    model = Hierarchical(linkage=method, metric=metric).fit(X)
    expected = linkage(X, method, metric)
    np.testing.assert_allclose(model.linkage_matrix_, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 7, 600])
def test_cuts_into_k_are_scipys(k):
    X = rows()
    labels = Hierarchical().fit(X).cut(k)
    # Not by `fcluster`: in SciPy 1.14 it never gives more than all rows but two.
    assert same_partition(labels, cut_tree(linkage(X, "ward"), k).ravel())
    assert set(labels) == set(range(k))


@pytest.mark.parametrize("height", [0, 0.5, 3.0, 1e9])
def test_cuts_at_a_height_are_scipys(height):
    X = rows()
    labels = Hierarchical().fit(X).cut(height=height)
    assert same_partition(labels, fcluster(linkage(X, "ward"), height, "distance"))


def test_a_tree_full_of_ties_and_equal_rows_is_as_low_as_scipys():
    """Ties may be broken otherwise, but a valid greedy tree merges equal rows first."""
    X = np.random.default_rng(0).integers(0, 4, size=(900, 3)).astype(float)
    model = Hierarchical().fit(X)
    assert is_valid_linkage(model.linkage_matrix_)
    assert len(np.unique(model.cut(height=0))) == len(np.unique(X, axis=0))
    n_unique = len(np.unique(X, axis=0))
    assert np.count_nonzero(model.linkage_matrix_[:, 2]) == n_unique - 1


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_the_ward_tree_of_many_features_is_scipys_to_the_last_digits(offset):
    random = np.random.default_rng(0)
    X = random.normal(size=(600, 900)) + 3 * random.normal(size=(9, 900))[np.arange(600) % 9]
    X[300:320] = X[40:60]  # equal rows, which merge at a height of exactly zero
    X[320:340] = X[40:60] + 1e-5 * random.normal(size=(20, 900))
    tree, expect = ward_linkage(X + offset, np.ones(600)), linkage(X + offset, "ward")
    np.testing.assert_allclose(tree[:, 2], expect[:, 2], rtol=1e-9)
    assert (tree[:20, 2] == 0).all()
    for k in (2, 9, 30, 500):
        ours, theirs = hierarchical.cut_into(tree, k), fcluster(expect, k, "maxclust")
        assert adjusted_rand_score(ours, theirs) == 1
    np.testing.assert_array_equal(
        ward_linkage((X + offset) * 2.0**-60, np.ones(600))[:, :2], tree[:, :2]
    )


def test_weights_of_ward_equal_repeated_rows_of_many_features():
    X = np.random.default_rng(1).normal(size=(300, 400))
    weights = np.arange(300) % 3 + 1
    weighted = ward_linkage(X, weights.astype(float))
    repeated = linkage(np.repeat(X, weights, axis=0), "ward")
    np.testing.assert_allclose(weighted[:, 2], repeated[-299:, 2])


def test_the_ward_tree_of_many_features_reads_the_rows_once(monkeypatch):
    def refused(*_):
        raise AssertionError("rows are measured again for each merge")

    monkeypatch.setattr(linkages, "_pack", refused)
    assert ward_linkage(np.random.default_rng(0).normal(size=(500, 5_000)), np.ones(500)).shape


def test_weights_of_ward_equal_rows_repeated():
    X, weights = rows(120), np.random.default_rng(1).integers(1, 6, 120)
    weighted = Hierarchical(6).fit(X, sample_weight=weights)
    repeated = Hierarchical(6).fit(np.repeat(X, weights, axis=0))
    np.testing.assert_array_equal(np.repeat(weighted.labels_, weights), repeated.labels_)
    np.testing.assert_allclose(weighted.cluster_centers_, repeated.cluster_centers_)
    heights = repeated.linkage_matrix_[:, 2]
    np.testing.assert_allclose(weighted.linkage_matrix_[:, 2], heights[heights > 1e-9])


def test_rows_of_weight_zero_change_nothing_and_get_the_nearest_label():
    X = rows(100)
    weights = np.r_[np.ones(80), np.zeros(20)]
    model = Hierarchical(4).fit(X, sample_weight=weights)
    alone = Hierarchical(4).fit(X[:80])
    np.testing.assert_array_equal(model.labels_[:80], alone.labels_)
    np.testing.assert_array_equal(model.labels_[80:], alone.predict(X[80:]))


def test_labels_are_numbered_by_size():
    X, _ = blobs()
    model = Hierarchical(5).fit(X)
    assert (np.diff(model.counts_) <= 0).all()
    np.testing.assert_array_equal(model.counts_, np.bincount(model.labels_))


def test_labels_do_not_depend_on_the_order_of_rows():
    X = rows()
    order = np.random.default_rng(0).permutation(len(X))
    direct, shuffled = Hierarchical(7).fit(X), Hierarchical(7).fit(X[order])
    np.testing.assert_array_equal(direct.labels_[order], shuffled.labels_)


def test_labels_do_not_depend_on_the_number_of_threads(monkeypatch):
    X, _ = blobs(20_000)
    many = Hierarchical(30, max_exact=5000).fit(X)
    monkeypatch.setattr("xcluster.base.parallel.n_threads", lambda: 1)
    one = Hierarchical(30, max_exact=5000).fit(X)
    np.testing.assert_array_equal(many.labels_, one.labels_)


@pytest.mark.parametrize("max_exact", [None, 300])
def test_fitted_rows_keep_their_labels(max_exact):
    X = rows(1500, 20)
    model = Hierarchical(9, max_exact=max_exact).fit(X)
    np.testing.assert_array_equal(model.predict(X), model.labels_)


def test_new_rows_get_the_label_of_the_nearest_fitted_row():
    X, new = rows(), rows(50, seed=1)
    model = Hierarchical(9).fit(X)
    nearest = ((new[:, None] - X) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(model.predict(new), model.labels_[nearest])


def test_beyond_the_limit_micro_clusters_find_the_same_clusters():
    X, truth = blobs(12_000)
    model = Hierarchical(5, max_exact=1000).fit(X)
    assert (model.exact_, model.n_micro_) == (False, model.n_leaves_)
    assert 950 <= model.n_micro_ <= 1000
    assert model.predicts_by_ == "nearest micro-cluster"
    assert same_partition(model.labels_, truth)


def test_micro_clusters_split_the_rows_nearly_as_well_as_the_exact_tree():
    X = rows(10_000, 2)
    centers = micro_centers(X, np.ones(len(X)), 500)
    assert len(centers) == 500
    exact = Hierarchical(500).fit(X)
    spread = ((X - exact.cluster_centers_[exact.labels_]) ** 2).sum()
    distances = (X**2).sum(1)[:, None] - 2 * X @ centers.T + (centers**2).sum(1)
    assert np.maximum(distances.min(axis=1), 0).sum() < 1.05 * spread


@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("method", LINKAGES)
def test_contiguous_trees_are_those_of_scikit_learn(method, neighbours):
    X, graph = rows(30 * 20, 3), grid_connectivity((30, 20), neighbours=neighbours)
    model = Hierarchical(8, linkage=method, connectivity=graph).fit(X)
    peer = AgglomerativeClustering(
        8, linkage=method, connectivity=graph.astype(float), compute_distances=True
    ).fit(X)
    assert same_partition(model.labels_, peer.labels_)
    heights = np.sort(model.linkage_matrix_[:, 2])
    np.testing.assert_allclose(heights, np.sort(peer.distances_))


def test_a_full_graph_gives_the_free_tree():
    X = rows(80)
    model = Hierarchical(4, connectivity=csr_array(np.ones((80, 80)))).fit(X)
    np.testing.assert_allclose(model.linkage_matrix_, linkage(X, "ward"))


def test_weights_of_contiguous_ward_equal_neighbours_repeated():
    X, weights = rows(40), np.random.default_rng(0).integers(1, 4, 40)
    line = Hierarchical(5, connectivity=grid_connectivity((40,))).fit(X, sample_weight=weights)
    graph = grid_connectivity((int(weights.sum()),))
    repeated = Hierarchical(5, connectivity=graph).fit(np.repeat(X, weights, axis=0))
    np.testing.assert_array_equal(np.repeat(line.labels_, weights), repeated.labels_)


def test_regions_of_a_contiguous_tree_hold_together():
    graph = grid_connectivity((25, 25))
    labels = Hierarchical(12, connectivity=graph).fit(rows(625)).labels_
    for label in range(12):
        inside = np.flatnonzero(labels == label)
        part = Hierarchical(1, connectivity=graph[inside][:, inside])
        if len(inside) > 1:
            part.fit(rows(len(inside)))  # raises where there are several parts


@pytest.mark.parametrize("method", LINKAGES)
def test_islands_stay_separate_though_they_are_alike(method):
    mask = np.ones((10, 11), bool)
    mask[:, 5] = False
    X = np.zeros((100, 1)) + np.arange(100)[:, None] * 1e-6
    model = Hierarchical(2, linkage=method, connectivity=grid_connectivity(mask.shape, mask))
    labels = model.fit(X).labels_
    west = np.broadcast_to(np.arange(11) < 5, mask.shape)[mask]
    assert same_partition(labels, west)
    assert model.n_connected_components_ == 2
    assert np.isinf(model.linkage_matrix_[:, 2]).sum() == 1
    assert same_partition(model.cut(height=1e6), west)


def test_a_tree_over_many_islands_is_a_valid_linkage_matrix():
    parts = [grid_connectivity((side, 2)) for side in (3, 1, 4)] + [csr_array((3, 3), dtype=bool)]
    graph = csr_array(block_diag(parts))
    model = Hierarchical(6, connectivity=graph).fit(rows(19))
    assert is_valid_linkage(model.linkage_matrix_)
    assert model.n_connected_components_ == 6
    assert same_partition(model.labels_, [0] * 6 + [1] * 2 + [2] * 8 + [3, 4, 5])


def test_the_tissue_of_nanosims_is_clustered_as_by_scipy():
    xr, path = pytest.importorskip("xarray"), DATA / "microscopy" / "nanosims_grain_6species.nc"
    if not path.exists():
        pytest.skip("shared data are not here")
    counts = xr.open_dataset(path).counts.isel(frame=0)[:, ::6, ::6]
    X = counts.transpose(..., "species").values.reshape(-1, 6).astype(float)
    X = (X / X.max(axis=0)) + 1e-9 * rows(len(X), 6)  # counts tie, and ties may go either way
    model, expected = Hierarchical(4).fit(X), linkage(X, "ward")
    np.testing.assert_allclose(model.linkage_matrix_[:, 2], expected[:, 2], rtol=1e-6)
    assert same_partition(model.labels_, fcluster(expected, 4, "maxclust"))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"linkage": "median"}, "linkage='median'"),
        ({"metric": "cosine"}, "euclidean distance only"),
        ({"n_clusters": 0}, "n_clusters=0"),
        ({"n_clusters": 51}, "there are 50 distinct rows"),
        ({"max_exact": 20, "n_clusters": 30}, "raise max_exact|Raise max_exact"),
        ({"max_exact": 20, "linkage": "average"}, "max_exact=20.*50 rows"),
        ({"connectivity": np.ones((50, 50))}, "sparse matrix of shape"),
        ({"connectivity": grid_connectivity((7, 7))}, r"connectivity=\(49, 49\)"),
        ({"connectivity": csr_array((50, 50)), "n_clusters": 3}, "50 separate parts"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        Hierarchical(**parameters).fit(rows(50))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "takes one of the two"),
        ({"n_clusters": 3, "height": 1.0}, "takes one of the two"),
        ({"height": -1.0}, "height=-1.0"),
        ({"n_clusters": 51}, "there are 50 distinct rows"),
    ],
)
def test_bad_cuts_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Hierarchical().fit(rows(50)).cut(**arguments)


@pytest.mark.parametrize("method", LINKAGES[1:])
def test_only_ward_takes_weights(method):
    with pytest.raises(ValueError, match="takes no weights"):
        Hierarchical(linkage=method).fit(rows(50), sample_weight=np.ones(50))


def test_contiguous_rows_need_positive_weights():
    model = Hierarchical(connectivity=grid_connectivity((50,)))
    with pytest.raises(ValueError, match="at least 50 must be positive"):
        model.fit(rows(50), sample_weight=np.arange(50))


def test_the_limits_can_be_raised_by_the_user(monkeypatch):
    monkeypatch.setitem(hierarchical.MAX_EXACT, "ward", 100)
    assert not Hierarchical().fit(rows(200)).exact_
    assert Hierarchical(max_exact=200).fit(rows(200)).exact_
