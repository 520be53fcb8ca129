"""DBSCAN and HDBSCAN against scikit-learn's, and what these do not have: prediction."""

from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial.distance import cdist
from sklearn import cluster
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import xcluster
from xcluster.algorithms import density
from xcluster.algorithms.density import DBSCAN, HDBSCAN
from xcluster.base.errors import BadValueError

DATA = Path(__file__).parents[3] / "shared" / "data"


def moons(n=400, seed=0):
    return make_moons(n, noise=0.08, random_state=seed)[0]


@parametrize_with_checks([DBSCAN(), HDBSCAN()])
def test_follows_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("eps", [0.05, 0.12, 0.3])
@pytest.mark.parametrize("min_samples", [1, 5, 12])
def test_core_samples_and_noise_are_those_of_scikit_learn(eps, min_samples):
    X = moons()
    ours = DBSCAN(eps, min_samples=min_samples).fit(X)
    peer = cluster.DBSCAN(eps=eps, min_samples=min_samples).fit(X)
    np.testing.assert_array_equal(ours.core_sample_indices_, peer.core_sample_indices_)
    core = ours.core_sample_indices_
    np.testing.assert_array_equal(ours.labels_[core], peer.labels_[core])
    np.testing.assert_array_equal(ours.labels_ == -1, peer.labels_ == -1)


def test_real_pixels_are_clustered_as_by_scikit_learn():
    xr, path = pytest.importorskip("xarray"), DATA / "land" / "salinas_a.nc"
    if not path.exists():
        pytest.skip("shared data are not here")
    radiance = xr.open_dataset(path).radiance.transpose(..., "band").values
    X = radiance.reshape(-1, radiance.shape[-1])[::4, ::20].astype(float)
    ours, peer = DBSCAN(150).fit(X), cluster.DBSCAN(eps=150).fit(X)
    assert ours.labels_.max() > 1
    assert adjusted_rand_score(ours.labels_, peer.labels_) > 0.999


def test_labels_do_not_depend_on_the_order_of_rows():
    """Border samples of two clusters do in the original algorithm."""
    X = np.array([[0.0], [0.2], [0.4], [1.0], [1.5], [1.7], [1.9]])  # 1.0 is nearer to the right
    forth = DBSCAN(0.65, min_samples=4).fit(X)
    back = DBSCAN(0.65, min_samples=4).fit(X[::-1])
    assert adjusted_rand_score(forth.labels_, back.labels_[::-1]) == 1.0
    np.testing.assert_array_equal(forth.labels_ == -1, back.labels_[::-1] == -1)


def test_a_border_sample_belongs_to_its_nearest_core_sample():
    left, right = np.linspace(0, 0.3, 4), np.linspace(1.3, 1.6, 4)
    X = np.r_[left, 0.82, right][:, None]
    model = DBSCAN(0.53, min_samples=4).fit(X)
    assert 4 not in model.core_sample_indices_
    assert model.labels_.tolist() == [0] * 4 + [1] * 5
    assert cluster.DBSCAN(eps=0.53, min_samples=4).fit(X).labels_[4] == 0


@pytest.mark.parametrize("most_pairs", [0, 500, 2**25])
def test_memory_blocks_change_nothing(monkeypatch, most_pairs):
    whole = DBSCAN(0.12).fit(moons()).labels_
    monkeypatch.setattr(density, "BLOCK_QUERIES", 7)
    monkeypatch.setattr(density, "MOST_PAIRS", most_pairs)  # the others are found again
    np.testing.assert_array_equal(DBSCAN(0.12).fit(moons()).labels_, whole)


def test_new_rows_get_the_nearest_core_sample_within_eps():
    model, new = DBSCAN(0.12).fit(moons()), moons(seed=1)
    distances = np.sqrt(((new[:, None] - model.components_) ** 2).sum(axis=2))
    nearest = model.component_labels_[distances.argmin(axis=1)]
    expected = np.where(distances.min(axis=1) <= 0.12, nearest, -1)
    np.testing.assert_array_equal(model.predict(new), expected)
    assert -1 in expected


@pytest.mark.parametrize("model", [DBSCAN(0.12), HDBSCAN(10)])
def test_fitted_rows_keep_their_labels(model):
    X = moons()
    np.testing.assert_array_equal(model.fit(X).predict(X), model.labels_)
    assert -1 in model.labels_


def test_data_without_a_dense_place_is_all_noise():
    model = DBSCAN(1e-6).fit(moons())
    assert set(model.labels_) == set(model.predict(moons(seed=1))) == {-1}


def test_hdbscan_is_that_of_scikit_learn():
    X = moons()
    ours = HDBSCAN(15, min_samples=4).fit(X)
    peer = cluster.HDBSCAN(min_cluster_size=15, min_samples=4, copy=True).fit(X)
    np.testing.assert_array_equal(ours.labels_, peer.labels_)
    np.testing.assert_array_equal(ours.probabilities_, peer.probabilities_)


def reachability(X, min_samples):
    """Core distances and mutual reachability of rows."""
    distances = cdist(X, X)
    core = np.sort(distances, axis=1)[:, min_samples - 1]
    reach = np.maximum(np.maximum(core[:, None], core), distances)
    np.fill_diagonal(reach, np.inf)
    return core, reach


def life(reach, mine, least):
    """The distances at which a cluster joins other rows, and at which it is no longer one."""
    birth, inside = reach[np.ix_(mine, ~mine)].min(), reach[np.ix_(mine, mine)]
    tree = minimum_spanning_tree(csr_array(np.where(np.isfinite(inside), inside, 0.0)))
    for level in np.unique(tree.data)[::-1]:
        part = connected_components(csr_array(inside < level))[1]
        if np.count_nonzero(np.bincount(part) >= least) != 1:
            return birth, level
    raise AssertionError("rows fall apart at last")


def joining(core, min_samples, away):
    """The fitted row by which a new row joins the tree, and at what distance."""
    near = np.argsort(away)[: 2 * (min_samples - 1)]
    joins = np.maximum(np.maximum(core[near], away[near[min_samples - 1]]), away[near])
    return near[joins.argmin()], joins.min()


def approximate_predict(X, labels, min_samples, least, new):
    """Labels and strengths of new rows, from all distances."""
    core, reach = reachability(X, min_samples)
    lives = [life(reach, labels == c, least) for c in range(labels.max() + 1)]
    said = []
    for away in cdist(new, X):
        neighbour, level = joining(core, min_samples, away)
        label = labels[neighbour]
        birth, death = lives[label]
        said.append((label, min(death / level, 1)) if label >= 0 and level < birth else (-1, 0))
    return np.transpose(said)


@pytest.mark.parametrize("method", ["eom", "leaf"])
def test_hdbscan_places_new_rows_by_its_tree(method):
    X = np.vstack([moons(250), np.random.default_rng(0).uniform(-2, 3, (40, 2))])
    new = np.vstack([moons(200, seed=1), np.random.default_rng(1).uniform(-3, 4, (100, 2))])
    model = HDBSCAN(15, min_samples=5, cluster_selection_method=method).fit(X)
    labels, strength = approximate_predict(X, model.labels_, 5, 15, new)
    np.testing.assert_array_equal(model.predict(new), labels)
    np.testing.assert_allclose(model.strength(new), strength, rtol=1e-9)
    assert 0.2 < (labels == -1).mean() < 0.8
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    np.testing.assert_array_equal(model.strength(X), model.probabilities_)


def test_hdbscan_calls_rows_out_of_reach_noise_where_the_fit_found_none():
    X = np.vstack([moons(60) / 100, moons(60, seed=1) / 100 + 9])
    model = HDBSCAN(5, min_samples=2).fit(X)
    assert (model.labels_ >= 0).all()
    assert model.predict([[5.0, 5.0], [30.0, 30.0], [1e9, 0.0]]).tolist()[1:] == [-1, -1]
    assert model.strength([[30.0, 30.0]]).tolist() == [0]


def test_rows_of_a_single_cluster_are_told_from_noise_as_in_the_fit():
    X = np.random.default_rng(0).normal(size=(300, 2))
    model = HDBSCAN(30, min_samples=5, allow_single_cluster=True).fit(X)
    assert set(model.labels_) == {-1, 0}
    core, _ = reachability(X, 5)
    joined = [joining(core, 5, away) for away in cdist(X + 0.02, X)]
    expect = [0 if model.labels_[i] == 0 and at <= model.deaths_[0] else -1 for i, at in joined]
    np.testing.assert_array_equal(model.predict(X + 0.02), expect)
    assert 0.05 < expect.count(0) / 300 < 0.9


@pytest.mark.parametrize("metric", ["cosine", "correlation", "cityblock", "chebyshev"])
def test_other_metrics_place_new_rows_too(metric):
    random = np.random.default_rng(0)
    shapes = random.normal(size=(3, 20))[random.integers(3, size=300)]
    X = shapes + 0.1 * random.normal(size=(300, 20))
    model = HDBSCAN(15, metric=metric).fit(X[:200])
    labels = model.predict(X[200:])
    np.testing.assert_array_equal(model.predict(X[:200]), model.labels_)
    np.testing.assert_array_equal(labels, np.concatenate([model.predict(X[200:230]), labels[30:]]))
    np.testing.assert_array_equal(model.strength(X[200:])[:7], model.strength(X[200:207]))
    assert len(set(labels[labels >= 0])) == 3
    if metric in ("cityblock", "chebyshev"):
        assert (model.predict(10 * random.normal(size=(9, 20))) == -1).all()


def test_new_rows_are_placed_as_by_package_hdbscan():
    peer = pytest.importorskip("hdbscan")
    X, new = moons(1000), 1.5 * moons(500, seed=1)
    ours = HDBSCAN(20, min_samples=6).fit(X)
    theirs = peer.HDBSCAN(20, min_samples=5, prediction_data=True).fit(X)
    labels, strength = peer.approximate_predict(theirs, new)
    assert adjusted_rand_score(ours.labels_, theirs.labels_) > 0.99
    assert adjusted_rand_score(ours.predict(new), labels) > 0.98
    # Their core distances are those of one neighbour less than in the fit.
    assert np.mean(np.abs(ours.strength(new) - strength)) < 0.03


@pytest.fixture(scope="module")
def plane():
    X = np.vstack([moons(900), np.random.default_rng(0).uniform(-2, 3, (60, 2))])
    names = {name: (("y", "x"), X[:, i].reshape(30, 32)) for i, name in enumerate("ab")}
    return xr.Dataset(names, {"y": np.arange(30.0), "x": np.arange(32.0)})


def test_strength_lies_on_the_grid_and_is_lazy(plane, tmp_path):
    fit = plane.cluster.pixels().scale(None).hdbscan(20, fit_on=600)
    lazy = plane.chunk(y=7, x=9).cluster.pixels().scale(None).hdbscan(20, fit_on=600)
    assert lazy.strength.chunks == lazy.labels.chunks
    xr.testing.assert_identical(lazy.strength.compute(), fit.strength)
    np.testing.assert_array_equal(lazy.labels, fit.labels)
    np.testing.assert_array_equal(fit.strength == 0, fit.labels == -1)
    fit.save(tmp_path / "fit.nc")
    again = xcluster.open(tmp_path / "fit.nc", plane)
    xr.testing.assert_identical(again.strength, fit.strength)
    np.testing.assert_array_equal(again.predict(plane + 0.1), fit.predict(plane + 0.1))
    with pytest.raises(BadValueError, match=r"which only results of hdbscan\(\) have"):
        plane.cluster.pixels().dbscan(0.3).strength  # noqa: B018


def test_a_file_of_before_keeps_the_label_of_the_nearest_fitted_row(plane, tmp_path):
    fit = plane.cluster.pixels().scale(None).hdbscan(20)
    for name in ("core_distances_", "births_", "deaths_"):
        delattr(fit.assign.clusterer, name)
    fit.save(tmp_path / "old.nc")
    old = xcluster.open(tmp_path / "old.nc", plane)
    X = np.stack([plane.a.values.ravel(), plane.b.values.ravel()], axis=1)
    nearest = cdist(X + 0.4, X).argmin(axis=1)
    expect = fit.labels.values.ravel()[nearest]
    np.testing.assert_array_equal(old.predict(plane + 0.4).values.ravel(), expect)
    with pytest.raises(BadValueError, match="has no strength"):
        old.strength  # noqa: B018


@pytest.mark.parametrize("kind", [DBSCAN, HDBSCAN])
def test_density_takes_no_weights(kind):
    assert "sample_weight" not in signature(kind.fit).parameters
    with pytest.raises(TypeError, match="sample_weight"):
        kind().fit(moons(), sample_weight=np.ones(400))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (DBSCAN(0.0), "eps=0.0"),
        (DBSCAN(min_samples=0), "min_samples=0"),
        (HDBSCAN(1), "min_cluster_size=1"),
    ],
)
def test_bad_parameters_are_named(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(moons())
