"""Mixtures with a uniform component against plain numpy."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import xcluster
from xcluster.algorithms.mixture import GaussianMixture
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.fit import fitting


@pytest.mark.filterwarnings("ignore:The mixture has")
@parametrize_with_checks([GaussianMixture(outliers=True)])
def test_scikit_learn_accepts_the_estimator(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def scattered():
    """Three groups in three dims, of which 4 % of the rows are scattered far about."""
    random = np.random.default_rng(1)
    group = random.integers(3, size=2000)
    X = 9 * random.normal(size=(3, 3))[group] + random.normal(size=(2000, 3)) * [1, 2, 0.5]
    away = random.random(2000) < 0.04
    X[away] = random.uniform(-60, 60, size=(away.sum(), 3))
    return X, np.where(away, -1, group), random.uniform(0.5, 2, size=2000)


def box_of(X, weight):
    """Corners of the box, as the docstring has it."""

    def quantiles(column, shares):
        order = np.argsort(column)
        below = np.cumsum(weight[order]) / weight.sum()
        return column[order][np.searchsorted(below, np.array(shares) - 1e-12)]

    columns = [quantiles(column, (0.01, 0.25, 0.75, 0.99)) for column in X.T]
    half = [max((q[3] - q[0]) / 2, 3 * (q[2] - q[1]) / 1.349) for q in columns]
    middle = [(q[3] + q[0]) / 2 for q in columns]
    return np.array(middle) + np.array([[-1.0], [1.0]]) * half


def plain_em(X, weight, means, passes, reg):
    """Memberships, noise share, means and log densities after some passes."""
    box = box_of(X, weight)
    density = 1 / np.prod(box[1] - box[0])
    k, covariances = len(means), np.array(3 * [np.eye(3)])
    shares, noise = np.full(k, 0.95 / k), 0.05
    for _ in range(passes):
        given = zip(shares, means, covariances, strict=True)
        joint = np.array([w * multivariate_normal.pdf(X, m, c) for w, m, c in given])
        total = joint.sum(axis=0) + noise * density
        u = joint / total * weight
        shares, noise = u.sum(axis=1) / weight.sum(), 1 - u.sum() / weight.sum()
        means = u @ X / u.sum(axis=1)[:, None]
        away = [X - mean for mean in means]
        moments = [(row * y.T) @ y / row.sum() for row, y in zip(u, away, strict=True)]
        covariances = np.array(moments) + reg * np.eye(3)
    return shares, noise, means, covariances, box


def started(X, passes):
    means = X[[5, 100, 700]]
    keywords = {
        "means_init": means,
        "weights_init": np.full(3, 1 / 3),
        "precisions_init": np.array(3 * [np.eye(3)]),
    }
    fit = GaussianMixture(3, outliers=True, max_iter=passes, tol=0, reg_covar=1e-3, **keywords)
    return fit, means


@pytest.mark.filterwarnings("ignore:The mixture still changed")
def test_passes_are_those_of_plain_numpy(scattered):
    X, _, weight = scattered
    fit, means = started(X, 30)
    fit.fit(X, sample_weight=weight)
    shares, noise, means, covariances, box = plain_em(X, weight, means, 30, 1e-3)
    np.testing.assert_allclose(fit.box_, box)
    np.testing.assert_allclose(fit.weights_, shares, rtol=1e-6)
    assert fit.noise_weight_ == pytest.approx(noise, rel=1e-6)
    assert fit.weights_.sum() + fit.noise_weight_ == pytest.approx(1)
    np.testing.assert_allclose(fit.means_, means, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fit.covariances_, covariances, rtol=1e-5, atol=1e-9)
    given = zip(shares, means, covariances, strict=True)
    joint = np.array([w * multivariate_normal.pdf(X, m, c) for w, m, c in given])
    uniform = noise / np.prod(box[1] - box[0])
    total = joint.sum(axis=0) + uniform
    np.testing.assert_allclose(fit.predict_proba(X), (joint / total).T, rtol=1e-5, atol=1e-12)
    labels = np.where(joint.max(axis=0) < uniform, -1, joint.argmax(axis=0))
    np.testing.assert_array_equal(fit.predict(X), labels)
    np.testing.assert_allclose(fit.score_samples(X), np.log(total), rtol=1e-6, atol=1e-9)
    bic = -2 * weight @ np.log(total) + (2 + 9 + 18 + 1) * np.log(weight.sum())
    assert fit.bic(X, weight) == pytest.approx(bic)
    every = np.vstack([joint, np.full(len(X), uniform)]) / total
    entropy = -np.sum(weight * np.where(every > 0, every * np.log(every + 1e-300), 0))
    assert fit.icl(X, weight) == pytest.approx(bic + 2 * entropy)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_scattered_rows_are_told_apart(scattered, kind):
    X, group, _ = scattered
    fit = GaussianMixture(3, covariance_type=kind, outliers=True, n_init=3).fit(X)
    labels, inner = fit.predict(X), group >= 0
    assert (labels[~inner] == -1).mean() > 0.95
    assert (labels[inner] == -1).mean() < 0.02
    assert adjusted_rand_score(group[inner], labels[inner]) > 0.9
    plain = GaussianMixture(3, covariance_type=kind, n_init=3).fit(X)
    assert fit.bic(X) < plain.bic(X)


def test_a_row_far_out_takes_no_component():
    random = np.random.default_rng(0)
    X = np.vstack([random.normal(size=(900, 2)), random.normal(size=(100, 2)) + 8])
    X[0] = 1e6
    fit = GaussianMixture(2, outliers=True, n_init=2).fit(X)
    np.testing.assert_allclose(np.sort(fit.means_[:, 0]), [0, 8], atol=0.4)
    assert fit.predict(X[:1]).tolist() == [-1]


def test_drawn_rows_include_uniform_ones(scattered):
    fit = GaussianMixture(3, outliers=True).fit(scattered[0])
    X, labels = fit.sample(2000)
    noise = X[labels == -1]
    assert len(noise) / 2000 == pytest.approx(fit.noise_weight_, abs=0.015)
    assert (noise >= fit.box_[0]).all()
    assert (noise <= fit.box_[1]).all()


# ------------------------------------------------------------------------------ through a chain


@pytest.fixture(scope="module")
def scene(scattered):
    X = scattered[0].reshape(40, 50, 3)
    names = {name: (("y", "x"), X[..., i]) for i, name in enumerate("abc")}
    return xr.Dataset(names, {"y": np.arange(40.0), "x": np.arange(50.0)})


def test_memberships_and_labels_on_the_grid_leave_out_noise(scene, scattered, tmp_path):
    fit = scene.cluster.pixels().scale(None).gmm(3, outliers=True, n_init=2)
    assert "gmm(k=3, n_init=2, outliers=True)" in repr(fit)
    u = fit.memberships.values
    noise = 1 - u.sum(axis=0)
    np.testing.assert_array_equal(fit.labels == -1, noise > u.max(axis=0))
    np.testing.assert_array_equal(fit.labels == -1, (scattered[1] == -1).reshape(40, 50))
    np.testing.assert_array_equal(fit.threshold(0.3).labels == -1, u.max(axis=0) <= 0.3)
    both = fit.predict(scene.chunk(y=7), memberships=True)
    np.testing.assert_array_equal(both["labels"], fit.labels)
    fit.save(tmp_path / "outliers.nc")
    again = xcluster.open(tmp_path / "outliers.nc", scene)
    xr.testing.assert_identical(again.predict(scene), fit.predict(scene))
    assert fit.report().loc[-1, "share"] == pytest.approx(float((fit.labels == -1).mean()))


def test_streamed_labels_do_not_depend_on_chunks(scene, monkeypatch):
    monkeypatch.setattr(fitting, "ALL_POINTS", 1000)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 1000)
    found = [
        each.cluster.pixels().scale(None).gmm(3, outliers=True, n_init=2, fit_on="all")
        for each in (scene, scene.chunk(y=7, x=33), scene.chunk(y=23))
    ]
    for each in found[1:]:
        np.testing.assert_array_equal(each.labels, found[0].labels)
        xr.testing.assert_identical(each.centers, found[0].centers)
    assert float((found[0].labels == -1).mean()) == pytest.approx(0.04, abs=0.01)


def test_what_cannot_be_is_refused_by_name(scene):
    with pytest.raises(BadTypeError, match="outliers='yes': must be True or False"):
        scene.cluster.pixels().gmm(3, outliers="yes")
    with pytest.raises(BadTypeError, match="outliers=1: must be True or False"):
        GaussianMixture(3, outliers=1).fit(np.eye(4))
    gaps = scene.where(scene.a > 0).cluster.pixels(missing="keep")
    with pytest.raises(BadValueError, match=r"gmm\(outliers=True\).*without outliers"):
        gaps.gmm(3, outliers=True)
