"""DBSCAN and HDBSCAN against scikit-learn's, and what these do not have: prediction."""

from inspect import signature
from pathlib import Path

import numpy as np
import pytest
from sklearn import cluster
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from xcluster.algorithms import density
from xcluster.algorithms.density import DBSCAN, HDBSCAN

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


def test_hdbscan_gives_new_rows_the_label_of_the_nearest_row():
    X, new = moons(), moons(seed=1)
    model = HDBSCAN(10).fit(X)
    nearest = ((new[:, None] - X) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(model.predict(new), model.labels_[nearest])


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
