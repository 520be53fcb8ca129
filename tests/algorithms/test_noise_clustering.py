"""Fuzzy clusters beside noise against plain numpy."""

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import cdist
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import xcluster
from xcluster.algorithms.fuzzy import FuzzyCMeans
from xcluster.algorithms.trimmed import TrimmedKMeans
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.fit import fitting

OTHER_STARTS = {"check_sample_weight_equivalence_on_dense_data": "repeated rows give other starts"}


@parametrize_with_checks(
    [FuzzyCMeans(2, kind="noise", n_init=1)], expected_failed_checks=lambda each: OTHER_STARTS
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_scikit_learn_accepts_the_estimator(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def scattered():
    """Four groups in three dims, of which 4 % of the rows are scattered far about."""
    random = np.random.default_rng(3)
    group = random.integers(4, size=2000)
    X = 9 * random.normal(size=(4, 3))[group] + random.normal(size=(2000, 3))
    away = random.random(2000) < 0.04
    X[away] = random.uniform(-60, 60, size=(away.sum(), 3))
    return X, np.where(away, -1, group), random.uniform(0.5, 2, size=2000)


def dave(X, weight, centers, delta, m):
    """Noise clustering by its formulas: centres and all memberships, noise last."""
    for _ in range(500):
        d = np.hstack([cdist(X, centers), np.full((len(X), 1), delta)])
        u = d ** (-2 / (m - 1)) / (d ** (-2 / (m - 1))).sum(axis=1, keepdims=True)
        powers = u[:, :-1] ** m * weight[:, None]
        moved = powers.T @ X / powers.sum(axis=0)[:, None]
        if np.abs(moved - centers).max() < 1e-12:
            break
        centers = moved
    objective = weight @ (u**m * d**2).sum(axis=1)
    return centers, u, objective


@pytest.mark.parametrize("m", [2.0, 1.5])
def test_a_fit_is_that_of_plain_numpy(scattered, m):
    X, _, weight = scattered
    start = X[[5, 105, 700, 1200]] + 0.1
    centers, u, objective = dave(X, weight, start, 6.0, m)
    keywords = {"m": m, "delta": 6.0, "init": start, "tol": 1e-12, "max_iter": 1000}
    fit = FuzzyCMeans(4, kind="noise", **keywords).fit(X, sample_weight=weight)
    np.testing.assert_allclose(fit.cluster_centers_, centers, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fit.predict_proba(X), u[:, :-1], atol=1e-6)
    labels = np.where(u.argmax(axis=1) == 4, -1, u.argmax(axis=1))
    np.testing.assert_array_equal(fit.labels_, labels)
    np.testing.assert_array_equal(fit.predict(X), labels)
    assert fit.objective_ == pytest.approx(objective)
    assert np.all(np.diff(fit.objective_history_) <= 1e-9 * objective)
    counts = np.bincount(labels[labels >= 0], weight[labels >= 0], minlength=4)
    np.testing.assert_allclose(fit.counts_, counts)


def test_delta_is_that_of_the_formula(scattered):
    X, _, weight = scattered
    fit = FuzzyCMeans(4, kind="noise").fit(X, sample_weight=weight)
    start = TrimmedKMeans(4, trim=0.05, n_init=5, max_iter=50).fit(X, sample_weight=weight)
    near = start.labels_ >= 0
    squares = cdist(X[near], start.cluster_centers_) ** 2
    mean = np.average(squares.mean(axis=1), weights=weight[near])
    assert fit.delta_ == pytest.approx(np.sqrt(mean))


@pytest.mark.parametrize("shape", ["spherical", "gustafson-kessel"])
def test_scattered_rows_are_noise_and_draw_no_centre(scattered, shape):
    X, group, _ = scattered
    X = X.copy()
    X[group == -1] *= 30
    fit = FuzzyCMeans(4, kind="noise", shape=shape).fit(X)
    inner = group >= 0
    assert (fit.labels_[~inner] == -1).mean() > 0.9
    assert adjusted_rand_score(group[inner], fit.labels_[inner]) > 0.95
    means = np.array([X[group == j].mean(axis=0) for j in range(4)])
    assert cdist(means, fit.cluster_centers_).min(axis=1).max() < 0.5


# ------------------------------------------------------------------------------ through a chain


@pytest.fixture(scope="module")
def scene(scattered):
    X = scattered[0].reshape(40, 50, 3)
    names = {name: (("y", "x"), X[..., i]) for i, name in enumerate("abc")}
    return xr.Dataset(names, {"y": np.arange(40.0), "x": np.arange(50.0)})


def test_memberships_and_labels_on_the_grid_leave_out_noise(scene, tmp_path):
    fit = scene.cluster.pixels().scale(None).fuzzy(4, kind="noise", delta=6.0)
    assert "fuzzy(k=4, delta=6.0, kind='noise')" in repr(fit)
    u = fit.memberships.values
    np.testing.assert_array_equal(fit.labels == -1, 1 - u.sum(axis=0) > u.max(axis=0))
    assert 0.03 < float((fit.labels == -1).mean()) < 0.06
    both = fit.predict(scene.chunk(y=7), memberships=True)
    np.testing.assert_array_equal(both["labels"], fit.labels)
    fit.save(tmp_path / "noise.nc")
    again = xcluster.open(tmp_path / "noise.nc", scene)
    xr.testing.assert_identical(again.predict(scene), fit.predict(scene))
    assert fit.report().loc[-1, "share"] == pytest.approx(float((fit.labels == -1).mean()))


def test_streamed_labels_do_not_depend_on_chunks(scene, monkeypatch):
    monkeypatch.setattr(fitting, "ALL_POINTS", 1000)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 1000)
    found = [
        each.cluster.pixels().scale(None).fuzzy(4, kind="noise", fit_on="all")
        for each in (scene, scene.chunk(y=7, x=33), scene.chunk(y=23))
    ]
    for each in found[1:]:
        np.testing.assert_array_equal(each.labels, found[0].labels)
        xr.testing.assert_identical(each.centers, found[0].centers)


def test_what_cannot_be_is_refused_by_name(scene):
    samples = scene.cluster.pixels()
    for delta in (0.0, -1.0, np.nan):
        with pytest.raises(BadValueError, match=r"delta=.*above 0"):
            samples.fuzzy(3, kind="noise", delta=delta)
    with pytest.raises(BadTypeError, match="delta='far'"):
        samples.fuzzy(3, kind="noise", delta="far")
    with pytest.raises(BadTypeError, match=r"delta=2\.0: needs kind='noise'"):
        samples.fuzzy(3, delta=2.0)
    with pytest.raises(BadValueError, match="cannot be used with kind='probabilistic'"):
        FuzzyCMeans(2, delta=2.0).fit(np.eye(3))
    gaps = scene.where(scene.a > 0).cluster.pixels(missing="keep")
    with pytest.raises(BadValueError, match=r"fuzzy\(kind='noise'\).*default kind"):
        gaps.fuzzy(3, kind="noise")


def test_a_distance_of_noise_that_would_be_zero_is_asked_for():
    X = np.ones((20, 2))
    with pytest.raises(BadValueError, match=r"delta=None: .*Pass a number, for example delta=1\.0"):
        FuzzyCMeans(1, kind="noise").fit(X)
    assert (FuzzyCMeans(1, kind="noise", delta=1.0).fit(X).predict_proba(X) == 1).all()
