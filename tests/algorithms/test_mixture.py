"""Gaussian mixtures: scikit-learn's as oracle, then weights, streaming, digits and errors."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.mixture import GaussianMixture as Oracle
from sklearn.utils.estimator_checks import parametrize_with_checks

import xcluster
from xcluster.algorithms.mixture import GaussianMixture
from xcluster.algorithms.parts.gaussians import Components, Expanded, Factored
from xcluster.algorithms.parts.sums import PLAIN
from xcluster.base import parallel
from xcluster.base.streaming import BLOCK_ROWS, ArrayBlocks, Statistics, iterate

TYPES = ["full", "tied", "diag", "spherical"]
LEARNED = ["weights_", "means_", "covariances_", "precisions_cholesky_"]


@pytest.mark.filterwarnings("ignore:The mixture has")
@parametrize_with_checks([GaussianMixture()])
def test_the_estimator_keeps_scikit_learns_contract(estimator, check):
    check(estimator)


def rows(n_rows=600, n_features=4, seed=0):
    """Three correlated groups."""
    random = np.random.default_rng(seed)
    groups = [
        random.normal(size=(n_rows // 3, n_features)) @ random.normal(size=(n_features, n_features))
        + 4 * random.normal(size=n_features)
        for _ in range(3)
    ]
    return np.concatenate(groups)


def start(X, covariance_type):
    """Equal starts for both sides."""
    p = X.shape[1]
    precisions = {
        "full": np.tile(np.eye(p), (3, 1, 1)),
        "tied": np.eye(p),
        "diag": np.ones((3, p)),
        "spherical": np.ones(3),
    }[covariance_type]
    return {
        "covariance_type": covariance_type,
        "weights_init": np.array([0.2, 0.3, 0.5]),
        "means_init": X[:: len(X) // 3][:3].astype(float),
        "precisions_init": precisions,
        "reg_covar": 1e-6,  # scikit-learn's default; ours follows the features
        "max_iter": 200,
    }


def assert_same(ours, theirs, rtol=1e-9, atol=1e-9):
    for name in LEARNED:
        np.testing.assert_allclose(
            getattr(ours, name), getattr(theirs, name), rtol, atol, err_msg=name
        )


@pytest.mark.parametrize("covariance_type", TYPES)
def test_equal_starts_end_where_scikit_learn_ends(covariance_type):
    X = rows()
    ours = GaussianMixture(3, **start(X, covariance_type)).fit(X)
    theirs = Oracle(3, **start(X, covariance_type)).fit(X)
    assert_same(ours, theirs)
    assert (ours.n_iter_, ours.converged_) == (theirs.n_iter_, theirs.converged_)
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, rel=1e-12)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_densities_memberships_and_criteria_equal_scikit_learns(covariance_type):
    X = rows()
    ours = GaussianMixture(3, **start(X, covariance_type)).fit(X)
    theirs = Oracle(3, **start(X, covariance_type)).fit(X)
    np.testing.assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-9)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    for criterion in ("bic", "aic", "score"):
        expected = getattr(theirs, criterion)(X)
        assert getattr(ours, criterion)(X) == pytest.approx(expected, rel=1e-9)


def test_more_features_than_are_written_out_equal_scikit_learn():
    X = rows(n_rows=900, n_features=20)
    ours = GaussianMixture(3, **start(X, "full")).fit(X)
    assert isinstance(ours._form(), Factored)
    assert_same(ours, Oracle(3, **start(X, "full")).fit(X), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_precisions_are_the_inverses_of_the_covariances(covariance_type):
    fit = GaussianMixture(3, covariance_type=covariance_type).fit(rows())
    matrices = covariance_type in ("full", "tied")
    inverses = np.linalg.inv(fit.covariances_) if matrices else 1 / fit.covariances_
    np.testing.assert_allclose(fit.precisions_, inverses, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_samples_have_the_weights_means_and_covariances_of_the_mixture(covariance_type):
    fit = GaussianMixture(3, covariance_type=covariance_type).fit(rows())
    X, labels = fit.sample(200_000)
    np.testing.assert_allclose(np.bincount(labels) / len(X), fit.weights_, atol=0.005)
    for k, mean in enumerate(fit.means_):
        own = X[labels == k] - mean
        covariance = fit.covariances_ if covariance_type == "tied" else fit.covariances_[k]
        expected = covariance if np.ndim(covariance) == 2 else covariance * np.eye(4)
        scale = np.sqrt(np.diag(expected))
        np.testing.assert_allclose(own.mean(axis=0) / scale, 0, atol=0.02)
        ratio = (own.T @ own / len(own) - expected) / np.outer(scale, scale)
        np.testing.assert_allclose(ratio, 0, atol=0.03)


def test_samples_need_a_fit_and_a_number():
    with pytest.raises(NotFittedError):
        GaussianMixture(2).sample()
    fit = GaussianMixture(2).fit(rows())
    with pytest.raises(ValueError, match="n_samples=0"):
        fit.sample(0)
    np.testing.assert_array_equal(fit.sample(5)[0], fit.sample(5)[0])


def test_icl_adds_twice_the_entropy_to_the_bic():
    X = rows()
    mixture = GaussianMixture(3).fit(X)
    memberships = mixture.predict_proba(X) + 1e-300
    entropy = -(memberships * np.log(memberships)).sum()
    assert mixture.icl(X) == pytest.approx(mixture.bic(X) + 2 * entropy)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_integer_weights_equal_rows_repeated(covariance_type):
    X = rows()
    weight = np.arange(len(X)) % 3
    repeated = np.repeat(X, weight, axis=0)
    options = start(X, covariance_type) | {"weights_init": None, "precisions_init": None}
    weighted = GaussianMixture(3, **options).fit(X, sample_weight=weight)
    plain = GaussianMixture(3, **options).fit(repeated)
    assert_same(weighted, plain, rtol=1e-7)
    assert weighted.score(X, sample_weight=weight) == pytest.approx(plain.score(repeated))
    for criterion in ("bic", "aic", "icl"):
        expected = getattr(plain, criterion)(repeated)
        assert getattr(weighted, criterion)(X, weight) == pytest.approx(expected)


def test_weights_reach_the_start_by_k_means():
    X = (
        np.repeat([[0.0], [1.0], [10.0], [50.0]], 5, axis=0)
        + np.tile(np.arange(5) / 50, 4)[:, None]
    )
    weight = np.repeat([1.0, 1.0, 1.0, 0.0], 5)
    mixture = GaussianMixture(2).fit(X, sample_weight=weight)
    np.testing.assert_allclose(np.sort(mixture.means_[:, 0]), [0.54, 10.04], atol=1e-6)


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_the_result_does_not_depend_on_the_number_of_threads(monkeypatch, covariance_type):
    X = rows(3 * BLOCK_ROWS, 2).astype(np.float32)
    results = []
    for n_threads in (1, 3):
        monkeypatch.setattr(parallel, "n_threads", lambda n=n_threads: n)
        mixture = GaussianMixture(3, **start(X, covariance_type) | {"max_iter": 3, "tol": 1}).fit(X)
        results.append([*(getattr(mixture, name) for name in LEARNED), mixture.predict_proba(X)])
    for one, three in zip(*results, strict=True):
        np.testing.assert_array_equal(one, three)


class Chunks:
    """Rows in chunks of several sizes, one of them empty."""

    def __init__(self, X, weight, cuts):
        self.parts = list(zip(np.split(X, cuts), np.split(weight, cuts), strict=True))

    def reduce(self, function):
        return Statistics.merge([function(X, weight) for X, weight in self.parts])


def test_streaming_over_chunks_equals_memory():
    X, weight = rows(), np.linspace(0.5, 2, 600)
    options = start(X, "full")
    in_memory = GaussianMixture(3, **options).fit(X, sample_weight=weight)
    streamed = GaussianMixture(3, **options | {"max_iter": 1, "tol": 1e9})
    with pytest.warns(ConvergenceWarning):
        streamed.fit(X, sample_weight=weight)
    streamed.set_params(tol=1e-3)
    iterate(streamed, Chunks(X, weight, [100, 100, 450]), 200)
    assert_same(streamed, in_memory)
    assert streamed.n_iter_ == in_memory.n_iter_


def test_a_fit_on_a_sample_is_refined_on_all_rows():
    X = rows(6000)
    sampled = GaussianMixture(3).fit(X[::20])
    before = sampled.score(X)
    passes = iterate(sampled, ArrayBlocks(X), 100)
    assert passes >= 2, "the first pass over other data must not end the fit"
    assert sampled.converged_
    assert sampled.score(X) > before


def test_statistics_change_no_parameter_and_take_empty_blocks():
    X = rows()
    mixture = GaussianMixture(3).fit(X)
    before = mixture.means_.copy()
    whole = mixture.partial_statistics(X)
    parts = [mixture.partial_statistics(part) for part in (X[:0], X[:50], X[50:])]
    for name, total in Statistics.merge(parts).sums.items():
        np.testing.assert_allclose(total, whole.sums[name], rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(mixture.means_, before)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_an_offset_of_a_million_moves_the_means_only(covariance_type):
    X = np.round(rows() * 1024) / 1024  # so that the sum is exact
    here = GaussianMixture(3, covariance_type=covariance_type, means_init=X[:3]).fit(X)
    there = GaussianMixture(3, covariance_type=covariance_type, means_init=X[:3] + 1e6).fit(X + 1e6)
    np.testing.assert_allclose(there.means_ - 1e6, here.means_, atol=1e-7)
    np.testing.assert_allclose(there.covariances_, here.covariances_, rtol=1e-6, atol=1e-7)
    assert there.lower_bound_ == pytest.approx(here.lower_bound_, rel=1e-9)


def nearly_singular():
    """Two components that are 1e7 times narrower in one direction than the data are wide."""
    random = np.random.default_rng(0)
    line = np.concatenate([random.normal(size=300) - 100, random.normal(size=300) + 100])
    return np.column_stack([line, line + 1e-5 * random.normal(size=600)])


def test_nearly_singular_covariances_keep_their_digits():
    X = nearly_singular()
    mixture = GaussianMixture(2, reg_covar=1e-14).fit(X)
    halves = [X[:300], X[300:]]
    order = np.argsort(mixture.means_[:, 0])
    expected = np.array([np.var(half @ [1, -1]) for half in halves])
    found = mixture.covariances_[order] @ [1, -1] @ [1, -1]
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    assert isinstance(mixture._form(), Factored)


@pytest.mark.parametrize("diagonal", [False, True])
def test_both_forms_give_the_same_densities_and_moments(diagonal):
    random = np.random.default_rng(1)
    X = rows()
    factors = np.triu(random.uniform(0.1, 1, size=(3, 4, 4)))
    factors = factors.diagonal(axis1=1, axis2=2) if diagonal else factors
    components = Components(np.array([0.2, 0.3, 0.5]), X[:3], factors)
    found = []
    for form in (Expanded(components), Factored(components)):
        features = form.features(X)
        densities = form.log_densities(features)
        sums = form.sums(np.ones((3, len(X))), features, PLAIN, form.grids(PLAIN))
        found.append([densities, *form.moments(sums)])
    for expanded, factored in zip(*found, strict=True):
        np.testing.assert_allclose(expanded, factored, rtol=1e-9, atol=1e-8)


def test_float32_rows_give_nearly_the_float64_fit():
    X = rows().astype(np.float32)
    single, double = (GaussianMixture(3, means_init=X[:3]).fit(x) for x in (X, X.astype(float)))
    assert_same(single, double)


def test_the_best_of_several_starts_is_kept():
    X, _ = make_blobs(400, centers=6, cluster_std=0.7, random_state=3)
    options = {"init_params": "random_from_data", "random_state": 1}
    one = GaussianMixture(6, **options).fit(X)
    several = GaussianMixture(6, n_init=6, **options).fit(X)
    assert several.lower_bound_ > one.lower_bound_ + 0.01
    assert several.score(X) == pytest.approx(several.lower_bound_, abs=several.tol)


def test_fit_predict_equals_fit_then_predict():
    X = rows()
    np.testing.assert_array_equal(
        GaussianMixture(3).fit_predict(X), GaussianMixture(3).fit(X).predict(X)
    )


@pytest.mark.parametrize("covariance_type", TYPES)
def test_a_component_without_samples_is_kept_and_warned_of(covariance_type):
    X = rows()
    far = np.stack([X[0], X[-1], np.full(4, 1e6)])
    mixture = GaussianMixture(3, covariance_type=covariance_type, means_init=far)
    with pytest.warns(UserWarning, match="1 of 3 components have no samples"):
        mixture.fit(X)
    np.testing.assert_array_equal(mixture.means_[2], far[2])
    assert np.isfinite(mixture.score_samples(X)).all()
    assert np.bincount(mixture.predict(X), minlength=3)[2] == 0


def test_more_parameters_than_samples_warns_what_to_do():
    X = rows(30, 8)
    with pytest.warns(UserWarning, match=r"134 parameters but only 30 samples.*pca.*\"diag\""):
        GaussianMixture(3, reg_covar=0.1).fit(X)


def test_enough_samples_fit_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GaussianMixture(3).fit(rows())


def test_a_fit_cut_short_warns():
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        GaussianMixture(3, max_iter=2, tol=0).fit(rows())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components=0"),
        ({"covariance_type": "ful"}, "Did you mean 'full'"),
        ({"tol": -1}, "tol=-1"),
        ({"reg_covar": -1}, "reg_covar=-1"),
        ({"max_iter": 0}, "max_iter=0"),
        ({"n_init": 0}, "n_init=0"),
        ({"init_params": "k"}, "init_params='k'"),
        ({"n_components": 601}, "at most the number of samples"),
        ({"weights_init": [0.5, 0.6]}, "sum to 1"),
        ({"weights_init": [1.0]}, r"shape \(2,\)"),
        ({"means_init": np.full((2, 4), np.nan)}, "means_init=.*finite"),
        ({"precisions_init": np.ones((2, 3, 3))}, r"precisions_init=.*shape \(2, 4, 4\)"),
        ({"precisions_init": -np.tile(np.eye(4), (2, 1, 1))}, "positive definite"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_rule(options, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        GaussianMixture(**{"n_components": 2} | options).fit(rows())


@pytest.mark.parametrize("weight", [np.zeros(600), -np.ones(600)])
def test_weights_that_weigh_nothing_or_less_raise(weight):
    with pytest.raises(ValueError, match=r"sample_weight.*must not be negative"):
        GaussianMixture(2).fit(rows(), sample_weight=weight)


def test_a_covariance_without_inverse_says_to_raise_reg_covar():
    X = np.repeat(rows(), 2, axis=1)
    with pytest.raises(ValueError, match=r"reg_covar=0.*larger reg_covar"):
        GaussianMixture(2, reg_covar=0).fit(X)


@pytest.mark.large
@pytest.mark.parametrize("every", [2, 3])
def test_ten_starts_end_as_likely_as_ten_of_the_oracle(every):
    ocean = xcluster.datasets.ocean().isel(latitude=slice(None, None, every))
    components = ocean.cluster.pixels().pca(3).transform().values.reshape(3, -1).T
    X = components[np.isfinite(components).all(axis=1)]
    runs = [Oracle(8, n_init=10, random_state=seed).fit(X).score(X) for seed in (0, 1)]
    assert GaussianMixture(8, n_init=10).fit(X).score(X) > min(runs) - 0.002
