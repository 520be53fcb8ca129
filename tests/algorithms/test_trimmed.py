"""Trimmed k-means against plain numpy."""

import numpy as np
import pytest
import sklearn.cluster
import sklearn.metrics
import xarray as xr
from scipy.spatial.distance import cdist
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import xcluster
from xcluster.algorithms.parts.directions import directions
from xcluster.algorithms.parts.sums import Exact, rounded
from xcluster.algorithms.trimmed import TrimmedKMeans, TrimmedSphericalKMeans
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.base.streaming import Statistics, iterate
from xcluster.fit import fitting

NOT_MET = {
    "check_sample_weight_equivalence_on_dense_data": "rows that are repeated give other starts",
    "check_estimators_dtypes": "one of its rows is 0",
}


@parametrize_with_checks(
    [TrimmedKMeans(2, n_init=1), TrimmedSphericalKMeans(2, n_init=1)],
    expected_failed_checks=lambda each: NOT_MET,
)
def test_scikit_learn_accepts_the_estimators(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def scattered():
    """Six groups in three dims, of which 3 % of the rows are scattered far about."""
    random = np.random.default_rng(0)
    group = random.integers(6, size=3000)
    X = 9 * random.normal(size=(6, 3))[group] + random.normal(size=(3000, 3))
    away = random.random(3000) < 0.03
    X[away] = random.uniform(-60, 60, size=(away.sum(), 3))
    return X, np.where(away, -1, group), random.uniform(0.5, 2, size=3000)


def trimmed_kmeans(X, weight, centers, trim, unit=lambda mean: mean):
    """Cuesta-Albertos et al.: centres, labels, cut-off and inertia."""
    for _ in range(300):
        distance = cdist(X, centers)
        label, own = distance.argmin(axis=1), distance.min(axis=1)
        order = np.argsort(own)
        within = np.cumsum(weight[order]) / weight.sum()
        cutoff = own[order][np.searchsorted(within, 1 - trim - 1e-12)]
        kept = own <= cutoff
        moved = [
            np.average(X[kept & (label == j)], 0, weight[kept & (label == j)])
            for j in range(len(centers))
        ]
        if np.allclose(moved, centers, rtol=0, atol=1e-12):
            break
        centers = np.array([unit(mean) for mean in moved])
    return centers, np.where(kept, label, -1), cutoff, weight[kept] @ own[kept] ** 2


@pytest.mark.parametrize("trim", [0.01, 0.2])
def test_a_run_is_that_of_plain_numpy(scattered, trim):
    X, _, weight = scattered
    start = X[::500]
    centers, labels, cutoff, inertia = trimmed_kmeans(X, weight, start, trim)
    fit = TrimmedKMeans(6, trim=trim, init=start, tol=0).fit(X, sample_weight=weight)
    np.testing.assert_allclose(fit.cluster_centers_, centers, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(fit.labels_, labels)
    np.testing.assert_array_equal(fit.predict(X), labels)
    assert fit.cutoff_ == pytest.approx(cutoff, rel=1e-6)
    assert fit.inertia_ == pytest.approx(inertia, rel=1e-6)
    kept = np.bincount(labels[labels >= 0], weight[labels >= 0])
    np.testing.assert_allclose(fit.counts_, kept)


def test_directions_are_trimmed_as_in_plain_numpy(scattered):
    X, _, weight = scattered
    Z = directions(X, "cosine")
    start = Z[::500]
    centers, labels, cutoff, _ = trimmed_kmeans(
        Z, weight, start, 0.1, lambda mean: mean / np.linalg.norm(mean)
    )
    fit = TrimmedSphericalKMeans(6, trim=0.1, init=start, tol=0).fit(X, sample_weight=weight)
    np.testing.assert_allclose(fit.cluster_centers_, centers, atol=1e-6)
    assert np.mean(fit.labels_ != labels) < 1e-3
    assert fit.cutoff_ == pytest.approx(cutoff, rel=1e-5)


def test_without_trim_it_is_k_means(scattered):
    X, _, weight = scattered
    fit = TrimmedKMeans(6, trim=0.0).fit(X, sample_weight=weight)
    theirs = sklearn.cluster.KMeans(6, n_init=10, random_state=0).fit(X, sample_weight=weight)
    assert fit.inertia_ <= theirs.inertia_ * (1 + 1e-6)
    assert (fit.labels_ >= 0).all()


def test_groups_are_found_among_scattered_rows(scattered):
    X, group, _ = scattered
    fit, inner = TrimmedKMeans(6, trim=0.04).fit(X), group >= 0
    assert adjusted_rand_score(group[inner], fit.labels_[inner]) > 0.9
    assert (fit.labels_[~inner] == -1).all()
    plain = sklearn.cluster.KMeans(6, n_init=10, random_state=0).fit(X)
    assert adjusted_rand_score(group[inner], plain.labels_[inner]) < 0.5


def test_rows_of_weight_zero_do_not_set_the_cut_off(scattered):
    X, _, weight = scattered
    start, some = X[::500], np.arange(3000) % 3 > 0
    zero = TrimmedKMeans(6, init=start).fit(X, sample_weight=np.where(some, weight, 0.0))
    left = TrimmedKMeans(6, init=start).fit(X[some], sample_weight=weight[some])
    assert zero.cutoff_ == pytest.approx(left.cutoff_, rel=1e-4)


class _Blocks:
    """Rows in blocks of any size, whose sums are exact."""

    def __init__(self, X, weight, n):
        self.parts = [(X[i : i + n], weight[i : i + n]) for i in range(0, len(X), n)]
        self.sums = Exact.guessed(X, weight)

    def reduce(self, function):
        merged = Statistics.merge([function(*part, self.sums) for part in self.parts])
        return Statistics({name: rounded(each) for name, each in merged.sums.items()})


@pytest.mark.parametrize("kind", [TrimmedKMeans, TrimmedSphericalKMeans])
def test_blocks_of_any_size_give_the_same_bits_near_the_fit_in_memory(scattered, kind):
    X, _, weight = scattered
    found = []
    for n in (100, 777, 3000):
        fit = kind(6, init=X[::500], n_init=1).fit(X[::3], sample_weight=weight[::3])
        iterate(fit, _Blocks(X, weight, n), 300)
        found.append((fit.cluster_centers_.tobytes(), fit.cutoff_))
        start = fit.cluster_centers_
    assert len(set(found)) == 1
    whole = kind(6, init=start).fit(X, sample_weight=weight)
    np.testing.assert_allclose(fit.cluster_centers_, whole.cluster_centers_, atol=0.02)
    assert abs(fit.cutoff_ / whole.cutoff_ - 1) < 0.01


# ------------------------------------------------------------------------------ through a chain


@pytest.fixture(scope="module")
def scene(scattered):
    X = scattered[0].reshape(50, 60, 3)
    names = {name: (("y", "x"), X[..., i]) for i, name in enumerate("abc")}
    return xr.Dataset(names, {"y": np.arange(50.0), "x": np.arange(60.0)})


def fitted(scene, **keywords):
    return scene.cluster.pixels().scale(None).kmeans(6, trim=0.04, n_init=2, **keywords)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_streamed_labels_do_not_depend_on_chunks(scene, metric, monkeypatch):
    monkeypatch.setattr(fitting, "ALL_POINTS", 1000)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 1000)
    found = [
        fitted(each, metric=metric, fit_on="all")
        for each in (scene, scene.chunk(y=7, x=33), scene.chunk(y=23))
    ]
    for each in found[1:]:
        np.testing.assert_array_equal(each.labels, found[0].labels)
        xr.testing.assert_identical(each.centers, found[0].centers)
    assert float((found[0].labels == -1).mean()) == pytest.approx(0.04, abs=0.005)


def test_a_saved_result_and_a_prediction_have_the_cut_off(scene, tmp_path):
    fit = fitted(scene)
    assert "kmeans(k=6, n_init=2, trim=0.04)" in repr(fit)
    fit.save(tmp_path / "trimmed.nc")
    again = xcluster.open(tmp_path / "trimmed.nc", scene)
    xr.testing.assert_identical(again.predict(scene), fit.predict(scene))
    np.testing.assert_array_equal(fit.predict(scene.chunk(x=7)), fit.labels)
    report = fit.report()
    assert report.loc[-1, "share"] == pytest.approx(0.04)
    assert (fit.predict(scene + 1000) == -1).all()


def test_a_sweep_leaves_out_what_is_trimmed(scene):
    samples = scene.cluster.pixels().scale(None)
    criteria = ["silhouette", "simplified_silhouette", "davies_bouldin", "stability"]
    sweep = samples.sweep([5, 6], trim=0.04, n_init=1, criteria=criteria)
    fit = sweep.clustering(6)
    kept = fit.labels.values.ravel() >= 0
    X = np.stack([scene[name].values.ravel() for name in "abc"], axis=1)
    expect = sklearn.metrics.silhouette_score(X[kept], fit.labels.values.ravel()[kept])
    assert float(sweep.table.silhouette.sel(k=6)) == pytest.approx(expect, abs=2e-3)
    assert np.isfinite(sweep.table.to_dataarray()).all()


@pytest.mark.parametrize("trim", [-0.1, 0.5, 1, np.nan])
def test_a_trim_out_of_range_is_refused(scene, trim):
    with pytest.raises(BadValueError, match=r"trim=.*Pass, for example, trim=0\.02"):
        scene.cluster.pixels().kmeans(3, trim=trim)


def test_what_cannot_be_trimmed_is_refused_by_name(scene):
    with pytest.raises(BadTypeError, match="trim="):
        scene.cluster.pixels().kmeans(3, trim="some")
    with pytest.raises(BadValueError, match=r"trim=0\.1: cannot be used with metric='dtw'"):
        scene.cluster.pixels().kmeans(3, trim=0.1, metric="dtw")
    gaps = scene.where(scene.a > 0).cluster.pixels(missing="keep")
    with pytest.raises(BadValueError, match=r"kmeans\(trim=0\.1\).*without trim"):
        gaps.kmeans(3, trim=0.1)


def test_as_many_clusters_as_rows_that_differ_need_no_start_that_keeps_them_all():
    X = np.repeat([0.0, 1.0, 2.0, 9.0], [50, 30, 17, 3])[:, None]
    fit = TrimmedKMeans(4, trim=0.05).fit(X)
    assert sorted(zip(fit.cluster_centers_[:, 0], fit.counts_, strict=True)) == [
        (0, 50),
        (1, 30),
        (2, 17),
        (9, 3),
    ]


def test_more_clusters_than_rows_that_are_kept_are_refused_by_the_share():
    X, init = np.repeat([0.0, 1.0, 9.0], [50, 47, 3])[:, None], [[0.0], [1.0], [1.5]]
    with pytest.raises(BadValueError, match=r"that trim=0\.05 keeps, and there are 2 .*trim less"):
        TrimmedKMeans(3, trim=0.05, init=init).fit(X)
