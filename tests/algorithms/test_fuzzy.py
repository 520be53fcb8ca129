from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from xcluster.algorithms.fuzzy import FuzzyCMeans
from xcluster.algorithms.pca import PCA
from xcluster.base import parallel
from xcluster.base.streaming import ArrayBlocks, iterate

pytestmark = pytest.mark.filterwarnings("ignore:the centres of:UserWarning")
GRAIN = Path(__file__).parents[3] / "shared" / "data" / "microscopy" / "nanosims_grain_6species.nc"
KINDS = [
    {"kind": kind, "shape": shape}
    for kind in ("probabilistic", "possibilistic")
    for shape in ("spherical", "gustafson-kessel")
]


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(1500, n_features=4, centers=4, cluster_std=1.2, random_state=1)[0]


@pytest.fixture(scope="module")
def stripes():
    """Three long, parallel, well separated Gaussians; rows, and the labels of Bayes' rule."""
    random = np.random.default_rng(0)
    covariance = np.diag([100.0, 0.25])
    means = np.array([[0.0, 0.0], [4.0, 5.0], [-4.0, 10.0]])
    X = np.concatenate([random.multivariate_normal(mean, covariance, 400) for mean in means])
    densities = [multivariate_normal(mean, covariance).pdf(X) for mean in means]
    return X, np.argmax(densities, axis=0), np.repeat(range(3), 400)


RANDOM_STARTS = {
    "check_sample_weight_equivalence_on_dense_data": "k-means++ draws other rows among repeats"
}


@parametrize_with_checks(
    [
        FuzzyCMeans(3),
        FuzzyCMeans(2, shape="gustafson-kessel"),
        FuzzyCMeans(2, kind="possibilistic"),
    ],
    expected_failed_checks=lambda fuzzy: RANDOM_STARTS,
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_fuzzy_c_means_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("m", [1.3, 2.0, 3.5])
def test_probabilistic_memberships_centres_and_objective_are_bezdeks(blobs, m):
    """Six passes beside the textbook formulas, on all rows at once."""
    start = blobs[[0, 10, 20, 30]]
    with pytest.warns(ConvergenceWarning, match="max_iter=6"):
        fuzzy = FuzzyCMeans(4, m=m, init=start, max_iter=6, tol=0).fit(blobs)
    centers, history = start, []
    for _ in range(6):
        squares, u = _bezdek(blobs, centers, m)
        history.append((u**m * squares).sum())
        centers = (u**m).T @ blobs / (u**m).sum(axis=0)[:, None]
    squares, u = _bezdek(blobs, centers, m)
    objective = (u**m * squares).sum()
    np.testing.assert_allclose(fuzzy.objective_history_, history)
    np.testing.assert_allclose(fuzzy.cluster_centers_, centers, rtol=1e-8)
    np.testing.assert_allclose(fuzzy.predict_proba(blobs), u, atol=1e-9)
    assert fuzzy.objective_ == pytest.approx(objective)
    assert fuzzy.partition_coefficient_ == pytest.approx((u**2).sum() / len(blobs))
    assert fuzzy.partition_entropy_ == pytest.approx(-(u * np.log(u)).sum() / len(blobs))
    separation = cdist(centers, centers, "sqeuclidean")[np.triu_indices(4, 1)].min()
    assert fuzzy.xie_beni_ == pytest.approx(objective / len(blobs) / separation)
    np.testing.assert_array_equal(fuzzy.labels_, u.argmax(axis=1))
    np.testing.assert_array_equal(fuzzy.counts_, np.bincount(u.argmax(axis=1)))


def _bezdek(X, centers, m):
    squares = cdist(X, centers, "sqeuclidean") + 1e-300
    with np.errstate(over="ignore"):
        ratios = (squares[:, :, None] / squares[:, None, :]) ** (1 / (m - 1))
    return squares, 1 / ratios.sum(axis=2)


def test_possibilistic_memberships_are_krishnapurams_and_kellers(blobs):
    start = blobs[[0, 10, 20, 30]]
    fuzzy = FuzzyCMeans(4, kind="possibilistic", init=start, tol=1e-9).fit(blobs)
    first = FuzzyCMeans(4, init=start, tol=1e-9).fit(blobs)
    squares, u = _bezdek(blobs, first.cluster_centers_, 2)
    eta = (u**2 * squares).sum(axis=0) / (u**2).sum(axis=0)
    np.testing.assert_allclose(fuzzy.eta_, eta, rtol=1e-6)
    squares = cdist(blobs, fuzzy.cluster_centers_, "sqeuclidean")
    u = 1 / (1 + squares / fuzzy.eta_)
    np.testing.assert_allclose(fuzzy.predict_proba(blobs), u, rtol=1e-7)
    means = (u**2).T @ blobs / (u**2).sum(axis=0)[:, None]
    np.testing.assert_allclose(fuzzy.cluster_centers_, means, atol=1e-5)
    objective = (u**2 * squares).sum() + (fuzzy.eta_ * (1 - u) ** 2).sum()
    assert fuzzy.objective_ == pytest.approx(objective)


def test_an_outlier_is_typical_of_no_cluster(blobs):
    far = blobs.max(axis=0, keepdims=True) + 500
    share = FuzzyCMeans(4).fit(blobs).predict_proba(far)
    typical = FuzzyCMeans(4, kind="possibilistic").fit(blobs).predict_proba(far)
    assert share.sum() == pytest.approx(1)
    assert typical.max() < 1e-3


def test_gustafson_kessel_norms_have_unit_volume_and_follow_the_covariances(stripes):
    X, *_ = stripes
    fuzzy = FuzzyCMeans(3, shape="gustafson-kessel", tol=1e-8).fit(X)
    norms = [np.sqrt(np.linalg.det(F)) * np.linalg.inv(F) for F in fuzzy.covariances_]
    squares = np.column_stack(
        [
            cdist(X, center[None], "mahalanobis", VI=norm)[:, 0] ** 2
            for center, norm in zip(fuzzy.cluster_centers_, norms, strict=True)
        ]
    )
    u = 1 / squares / (1 / squares).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fuzzy.predict_proba(X), u, rtol=1e-7)
    assert fuzzy.objective_ == pytest.approx((u**2 * squares).sum())
    residuals = X - fuzzy.cluster_centers_[0]
    covariance = (u[:, :1] ** 2 * residuals).T @ residuals / (u[:, 0] ** 2).sum()
    np.testing.assert_allclose(fuzzy.covariances_[0], covariance, rtol=1e-3, atol=1e-3)


def test_gustafson_kessel_finds_stripes_that_spheres_cut_across(stripes):
    X, bayes, truth = stripes
    elongated = FuzzyCMeans(3, shape="gustafson-kessel").fit_predict(X)
    spherical = FuzzyCMeans(3).fit_predict(X)
    best = adjusted_rand_score(truth, bayes)
    assert adjusted_rand_score(truth, elongated) > best - 0.01
    assert adjusted_rand_score(truth, spherical) < 0.8


@pytest.mark.parametrize("options", KINDS)
@pytest.mark.parametrize("m", [1.5, 2.0])
def test_the_objective_never_rises(blobs, options, m):
    for start in range(3):
        fuzzy = FuzzyCMeans(4, m=m, init=blobs[start::400][:4], tol=1e-8, **options).fit(blobs)
        history = np.array([*fuzzy.objective_history_, fuzzy.objective_])
        assert len(history) > 3
        assert (np.diff(history) <= 1e-14 * history[0]).all()


def test_the_best_of_several_starts_is_kept():
    X = make_blobs(900, centers=12, cluster_std=0.3, random_state=4)[0]
    several = FuzzyCMeans(12, n_init=8).fit(X)
    alone = [FuzzyCMeans(12, n_init=1, random_state=seed).fit(X) for seed in range(5)]
    assert max(fuzzy.objective_ for fuzzy in alone) > 1.5 * several.objective_


def test_weights_of_two_equal_a_row_repeated(blobs):
    weight = np.random.default_rng(0).integers(0, 3, size=len(blobs))
    for options in KINDS:
        fuzzy = FuzzyCMeans(4, init=blobs[:4], **options)
        weighted = fuzzy.fit(blobs, sample_weight=weight).cluster_centers_
        objective, entropy = fuzzy.objective_, fuzzy.partition_entropy_
        repeated = fuzzy.fit(np.repeat(blobs, weight, axis=0))
        np.testing.assert_allclose(weighted, repeated.cluster_centers_, rtol=1e-6)
        assert (objective, entropy) == pytest.approx(
            (repeated.objective_, repeated.partition_entropy_)
        )


@pytest.mark.parametrize("options", KINDS)
def test_clusters_do_not_depend_on_the_number_of_threads(blobs, options, monkeypatch):
    X = np.tile(blobs, (7, 1)) + np.linspace(0, 1, 10_500)[:, None]
    many = FuzzyCMeans(4, **options).fit(X)
    monkeypatch.setattr(parallel, "n_threads", lambda: 1)
    with threadpool_limits(limits=1):
        one = FuzzyCMeans(4, **options).fit(X)
    np.testing.assert_array_equal(one.cluster_centers_, many.cluster_centers_)
    np.testing.assert_array_equal(one.labels_, many.labels_)


@pytest.mark.parametrize("options", KINDS)
def test_blocks_of_any_size_give_the_same_clusters(blobs, options):
    many = FuzzyCMeans(4, tol=1e-7, **options).fit(blobs[:500])
    one = FuzzyCMeans(4, tol=1e-7, **options).fit(blobs[:500])
    for fuzzy, rows in ((many, 333), (one, 65_536)):
        assert 1 < iterate(fuzzy, ArrayBlocks(blobs, rows=rows), 300) < 300
    np.testing.assert_allclose(many.cluster_centers_, one.cluster_centers_, rtol=1e-9)
    assert many.counts_.sum() == len(blobs)


@pytest.mark.parametrize("shape", ["spherical", "gustafson-kessel"])
def test_a_sample_refined_over_blocks_ends_where_the_whole_fit_ends(blobs, shape):
    whole = FuzzyCMeans(4, shape=shape, tol=1e-8).fit(blobs)
    # Refinement ends by the objective, which falls with the square of what centres move.
    sample = FuzzyCMeans(4, shape=shape, tol=1e-14).fit(blobs[:500])
    iterate(sample, ArrayBlocks(blobs, rows=333), 300)
    match = cdist(sample.cluster_centers_, whole.cluster_centers_).argmin(axis=1)
    np.testing.assert_allclose(sample.cluster_centers_, whole.cluster_centers_[match], atol=1e-5)
    assert sample.objective_ == pytest.approx(whole.objective_)
    assert sample.xie_beni_ == pytest.approx(whole.xie_beni_)


@pytest.mark.parametrize("keywords", KINDS)
@pytest.mark.parametrize("scale", [2.0**-60, 1.0])
def test_memberships_that_are_all_equal_are_reported_with_what_helps(keywords, scale):
    random = np.random.default_rng(0)
    centers = random.normal(size=(4, 50))
    centers *= 6 / np.linalg.norm(centers, axis=1, keepdims=True)
    truth = random.integers(4, size=4_000)
    X = (centers[truth] + random.normal(size=(4_000, 50))) * scale
    with pytest.warns(UserWarning, match=r"all 1/4.* 50 features.*pca.*m=1\.2") as caught:
        FuzzyCMeans(4, **keywords).fit(X)
    assert not any("coincide" in str(each.message) for each in caught)
    for helped in (
        FuzzyCMeans(4, m=1.2).fit(X),
        FuzzyCMeans(4).fit(PCA(4).fit_transform(X)),
    ):
        assert adjusted_rand_score(truth, helped.labels_) > 0.99


def test_memberships_of_overlapping_clusters_are_not_all_equal(recwarn):
    X = np.random.default_rng(0).uniform(size=(3_000, 2))
    fuzzy = FuzzyCMeans(4).fit(X)
    assert 0.3 < fuzzy.partition_coefficient_ < 0.6
    assert not recwarn


def test_coincident_possibilistic_centres_are_reported():
    """Three clusters for two groups: two of the centres fall into one group's middle."""
    X = make_blobs(600, centers=[[0, 0], [30, 0]], random_state=0)[0]
    with pytest.warns(UserWarning, match="the centres of . and . coincide"):
        fuzzy = FuzzyCMeans(3, kind="possibilistic").fit(X)
    (pair,) = fuzzy.coincident_
    here, there = fuzzy.cluster_centers_[pair]
    np.testing.assert_allclose(here, there, atol=0.2)
    assert len(FuzzyCMeans(2, kind="possibilistic").fit(X).coincident_) == 0


def test_a_singular_covariance_is_regularised_and_warned_of(blobs):
    flat = np.column_stack([blobs, blobs[:, 0] + blobs[:, 1]])
    with pytest.warns(UserWarning, match="covariances of 0, 1, 2, 3 are singular"):
        fuzzy = FuzzyCMeans(4, shape="gustafson-kessel").fit(flat)
    assert np.isfinite(fuzzy.predict_proba(flat)).all()
    assert (np.linalg.cond(fuzzy.covariances_) < 1.01e10).all()
    assert (np.diff(fuzzy.objective_history_) <= 0).all()


def test_a_sample_on_a_centre_belongs_to_it_alone():
    X = np.array([[0.0, 0.0], [0.0, 0.0], [8.0, 0.0], [8.0, 0.0]])
    u = FuzzyCMeans(2).fit(X).predict_proba(X)
    np.testing.assert_allclose(np.sort(u, axis=1), [[0.0, 1.0]] * 4, atol=1e-12)


def test_a_fuzzifier_near_one_is_hard_and_finite(blobs):
    u = FuzzyCMeans(4, m=1.001).fit(blobs).predict_proba(blobs)
    assert np.isfinite(u).all()
    assert np.mean(u.max(axis=1) > 0.999) > 0.99


def test_float32_rows_give_the_clusters_of_float64(blobs):
    single = FuzzyCMeans(4, init=blobs[:4]).fit(blobs.astype(np.float32))
    double = FuzzyCMeans(4, init=blobs[:4]).fit(blobs)
    np.testing.assert_allclose(single.cluster_centers_, double.cluster_centers_, atol=1e-4)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"m": 1}, ValueError, "m=1: must be a finite number above 1"),
        ({"m": 0.5}, ValueError, "m=0.5"),
        ({"n_clusters": 0}, ValueError, "n_clusters=0"),
        ({"n_clusters": 2.0}, TypeError, "n_clusters=2.0"),
        ({"n_clusters": 1501}, ValueError, "n_samples=1500"),
        ({"kind": "possible"}, ValueError, "Did you mean 'possibilistic'"),
        ({"shape": "gustafson"}, ValueError, "Did you mean 'gustafson-kessel'"),
        ({"init": np.zeros((2, 4))}, ValueError, r"init=\(2, 4\): .* centres of shape \(8, 4\)"),
        ({"tol": -1}, ValueError, "tol=-1"),
    ],
)
def test_bad_parameters_are_named(blobs, parameters, error, message):
    with pytest.raises(error, match=message):
        FuzzyCMeans(**parameters).fit(blobs)


@pytest.mark.skipif(not GRAIN.exists(), reason="the shared data are not here")
def test_a_grain_and_its_background_are_told_apart():
    """Grain of counts on an empty background: nearly crisp, and Bezdek's fixed point."""
    with xr.open_dataset(GRAIN) as image:
        counts = image.counts.sum("frame").transpose("y", "x", "species").to_numpy()
    X = counts.reshape(-1, counts.shape[-1]).astype(np.float64)
    X /= X.max(axis=0)
    fuzzy = FuzzyCMeans(2, tol=1e-7).fit(X)
    _, u = _bezdek(X, fuzzy.cluster_centers_, 2)
    fixed = (u**2).T @ X / (u**2).sum(axis=0)[:, None]
    np.testing.assert_allclose(fuzzy.cluster_centers_, fixed, atol=1e-6)
    assert fuzzy.partition_coefficient_ > 0.7


def test_refinement_ends_when_the_objective_rests_though_centres_still_creep():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5, 4))[rng.integers(0, 5, 30_000)] * 2 + rng.normal(size=(30_000, 4))
    exact = FuzzyCMeans(5, n_init=2).fit(X)
    fuzzy = FuzzyCMeans(5, n_init=2).fit(X[:1_500])
    passes = iterate(fuzzy, ArrayBlocks(X, rows=1_000), 300)
    gains = -np.diff(fuzzy.objective_history_[-passes:]) / fuzzy.objective_
    assert gains[-1] <= fuzzy.tol < gains[-2]
    assert passes <= 8 < exact.n_iter_
    assert fuzzy.objective_ == pytest.approx(exact.objective_, rel=1e-5)
    match = cdist(fuzzy.cluster_centers_, exact.cluster_centers_).argmin(axis=1)
    assert (match[fuzzy.predict(X)] == exact.predict(X)).mean() > 0.99
