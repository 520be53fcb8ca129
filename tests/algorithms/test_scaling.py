"""Scaling: scikit-learn and plain numpy are the oracles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, poisson
from sklearn.datasets import load_wine
from sklearn.preprocessing import MinMaxScaler, Normalizer, RobustScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from xcluster.algorithms.scaling import Scaler
from xcluster.base import parallel
from xcluster.base.streaming import ArrayBlocks, iterate

GROUPS = np.repeat([0, 7, 2], [5, 5, 3])
LINEAR = ("standard", "robust", "minmax", "max")


def not_met(scaler):
    name_only = "the check asks whatever is called Scaler for the parameter with_mean"
    reasons = dict.fromkeys(
        ("check_estimator_sparse_array", "check_estimator_sparse_matrix"), name_only
    )
    if scaler.how == "robust":
        reasons["check_sample_weight_equivalence_on_dense_data"] = "quartiles are unweighted"
    return reasons


@parametrize_with_checks([Scaler(how) for how in (*LINEAR, "norm")], expected_failed_checks=not_met)
def test_follows_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def wine():
    return load_wine().data


@pytest.mark.parametrize(
    ("how", "peer"),
    [
        ("standard", StandardScaler()),
        ("robust", RobustScaler()),
        ("minmax", MinMaxScaler()),
        ("norm", Normalizer()),
    ],
)
def test_each_column_is_scaled_as_scikit_learn_does(wine, how, peer):
    ours = Scaler(how).fit_transform(wine)
    np.testing.assert_allclose(ours, peer.fit_transform(wine), rtol=1e-10, atol=1e-12)


def test_max_divides_by_the_largest_magnitude(wine):
    X = wine - wine.mean(axis=0)
    np.testing.assert_allclose(Scaler("max").fit_transform(X), X / np.abs(X).max(axis=0))


def test_log_clr_and_anscombe_are_their_formulas(wine):
    log = np.log(wine)
    np.testing.assert_allclose(Scaler("log").fit_transform(wine), log)
    centred = log - log.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(Scaler("clr").fit_transform(wine), centred)
    root = 2 * np.sqrt(wine + 3 / 8)
    np.testing.assert_allclose(Scaler("anscombe").fit_transform(wine), root)


@pytest.mark.parametrize("how", LINEAR)
def test_columns_of_a_group_share_a_centre_and_a_scale(wine, how):
    scaler = Scaler(how, groups=GROUPS).fit(wine)
    for group in np.unique(GROUPS):
        columns = group == GROUPS
        pooled = Scaler(how).fit(wine[:, columns].reshape(-1, 1))
        np.testing.assert_allclose(scaler.center_[columns], pooled.center_[0], atol=1e-12)
        np.testing.assert_allclose(scaler.scale_[columns], pooled.scale_[0])


@pytest.mark.parametrize("how", ["norm", "clr"])
def test_rows_are_normalised_within_each_group(wine, how):
    whole = Scaler(how, groups=GROUPS).fit_transform(wine)
    for group in np.unique(GROUPS):
        columns = group == GROUPS
        alone = Scaler(how).fit_transform(wine[:, columns])
        np.testing.assert_allclose(whole[:, columns], alone)


@pytest.mark.parametrize("how", ["standard", "minmax", "max"])
@pytest.mark.parametrize("groups", [None, GROUPS])
def test_weights_equal_rows_repeated(wine, how, groups):
    weight = np.random.default_rng(0).integers(0, 4, len(wine))
    weighted = Scaler(how, groups=groups).fit(wine, sample_weight=weight)
    repeated = Scaler(how, groups=groups).fit(np.repeat(wine, weight, axis=0))
    np.testing.assert_allclose(weighted.center_, repeated.center_)
    np.testing.assert_allclose(weighted.scale_, repeated.scale_)


@pytest.mark.parametrize("how", [*LINEAR, "log"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_inverse_gives_the_data_back_in_their_precision(wine, how, dtype):
    X = wine.astype(dtype)
    scaler = Scaler(how, groups=None if how == "log" else GROUPS).fit(X)
    scaled = scaler.transform(X)
    back = scaler.inverse_transform(scaled)
    assert scaler.has_inverse
    assert scaled.dtype == back.dtype == dtype
    np.testing.assert_allclose(back, X, rtol=1e-5 if dtype == np.float32 else 1e-10, atol=2e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_inverse_of_anscombe_turns_mean_roots_into_mean_counts(dtype):
    means = np.array([0.05, 0.3, 1.0, 3.0, 10.0, 100.0, 1000.0])
    counts = np.arange(1500)[:, None]
    roots = (poisson.pmf(counts, means) * 2 * np.sqrt(counts + 0.375)).sum(axis=0)
    scaler = Scaler("anscombe").fit(np.ones((2, len(means)), dtype))
    back = scaler.inverse_transform(roots[None].astype(dtype))
    assert back.dtype == dtype
    np.testing.assert_allclose(back[0], means, rtol=2e-3, atol=0.02)
    algebraic = roots**2 / 4 - 0.375
    assert (np.abs(algebraic - means)[2:] > 0.15).all()


def test_the_inverse_of_anscombe_is_0_where_there_are_no_counts():
    scaler = Scaler("anscombe").fit(np.zeros((2, 5)))
    D = np.array([[-1.0, 0.0, 1.2, 2 * np.sqrt(3 / 8), np.nan]])
    np.testing.assert_array_equal(scaler.inverse_transform(D), [[0, 0, 0, 0, np.nan]])


@pytest.mark.parametrize("how", ["norm", "clr"])
def test_what_has_no_inverse_has_no_such_method(wine, how):
    scaler = Scaler(how).fit(wine)
    assert not scaler.has_inverse
    assert not hasattr(scaler, "inverse_transform")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_large_offset_leaves_the_deviations_as_they_are(dtype):
    rows = np.random.default_rng(0).integers(-64, 64, (5_000, 3)) / 16
    near = Scaler().fit_transform(rows)
    far = Scaler().fit_transform((rows + 2.0**19).astype(dtype))
    np.testing.assert_allclose(far, near, atol=1e-6)


@pytest.mark.parametrize("how", ["standard", "minmax", "max"])
def test_streaming_over_blocks_equals_the_fit_in_memory(wine, how):
    whole = Scaler(how, groups=GROUPS).fit(wine)
    streamed = Scaler(how, groups=GROUPS).fit(wine[:20])
    assert iterate(streamed, ArrayBlocks(wine, rows=13), 5) == 1
    np.testing.assert_allclose(streamed.center_, whole.center_)
    np.testing.assert_allclose(streamed.scale_, whole.scale_)


@pytest.mark.parametrize("how", ["standard", "minmax", "log"])
def test_a_block_without_rows_changes_nothing(wine, how):
    whole, with_none = Scaler(how).fit(wine), Scaler(how).fit(wine)
    parts = [with_none.partial_statistics(rows) for rows in (wine[:0], wine)]
    with_none.update(type(parts[0]).merge(parts))
    np.testing.assert_allclose(with_none.center_, whole.center_, rtol=1e-12)
    np.testing.assert_allclose(with_none.scale_, whole.scale_)


def test_robust_scaling_does_not_stream():
    assert not hasattr(Scaler("robust"), "partial_statistics")
    assert hasattr(Scaler("standard"), "partial_statistics")


def test_the_number_of_threads_changes_no_digit(monkeypatch):
    X = np.random.default_rng(0).standard_normal((150_000, 3)).astype(np.float32)
    fits = []
    for n in (1, 3):
        monkeypatch.setattr(parallel, "n_threads", lambda n=n: n)
        fits.append(Scaler().fit(X))
    np.testing.assert_array_equal(fits[0].center_, fits[1].center_)
    np.testing.assert_array_equal(fits[0].scale_, fits[1].scale_)


@pytest.mark.parametrize("how", ["standard", "minmax", "robust"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_columns_become_zero_and_are_named_once(wine, how, dtype):
    X = wine.astype(dtype)
    X[:, [2, 5]] = 0.1
    with pytest.warns(UserWarning, match=r"2 of 13 features \(columns 2, 5\)") as caught:
        scaled = Scaler(how).fit_transform(X)
    assert len(caught) == 1
    np.testing.assert_allclose(scaled[:, [2, 5]], 0, atol=1e-15)


def sparse_counts(n=28_000):
    """A dense column, one with 15 % that are not 0, one with 3 %, one with 0.1 %, a constant."""
    rng = np.random.default_rng(0)
    share = np.array([1.0, 0.15, 0.03, 0.001, 0.0])
    return rng.poisson(8, (n, 5)) * (rng.random((n, 5)) < share) + np.array([0, 0, 0, 5, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_robust_scaling_of_sparse_counts_takes_a_wider_range_and_says_of_which(dtype):
    X = sparse_counts().astype(dtype)
    with (
        pytest.warns(UserWarning, match=r"quartiles of 3 of 5 features \(columns 1, 2, 3\)"),
        pytest.warns(UserWarning, match=r"no spread in 1 of 5 features \(columns 4\)"),
    ):
        scaled = Scaler("robust").fit_transform(X)
    q = np.quantile(X, [0.01, 0.05, 0.25, 0.75, 0.95, 0.99], axis=0)
    iqr = norm.ppf(0.75) - norm.ppf(0.25)
    expected = [
        q[3, 0] - q[2, 0],
        (q[4, 1] - q[1, 1]) * iqr / (norm.ppf(0.95) - norm.ppf(0.05)),
        (q[5, 2] - q[0, 2]) * iqr / (norm.ppf(0.99) - norm.ppf(0.01)),
        np.ptp(X[:, 3]),
        1,
    ]
    np.testing.assert_allclose(scaled, (X - np.median(X, axis=0)) / expected, rtol=1e-4)
    assert (scaled[:, :4].std(axis=0) > 0.01).all()


def test_robust_scaling_of_groups_widens_a_group_as_a_whole():
    X = sparse_counts()[:, 1:3]
    with pytest.warns(UserWarning, match=r"2 of 2 features \(columns 0, 1\)"):
        scale = Scaler("robust", groups=[0, 0]).fit(X).scale_
    assert scale[0] == scale[1]
    np.testing.assert_allclose(scale[0], 0.41006 * np.ptp(np.quantile(X, [0.05, 0.95])))


@pytest.mark.parametrize("how", ["log", "clr"])
def test_the_logarithm_of_no_positive_number_is_refused_in_fit_and_nan_in_transform(wine, how):
    X = wine.copy()
    X[3, 4] = 0
    with pytest.raises(ValueError, match=rf"how='{how}'.*above 0, not 0.*anscombe"):
        Scaler(how).fit(X)
    scaled = Scaler(how).fit(wine).transform(X)
    assert np.isnan(scaled[3, 4])
    assert np.isfinite(np.delete(scaled, 3, axis=0)).all()


def test_the_root_takes_counts_of_zero_and_refuses_large_negative_numbers():
    counts = np.array([[0.0], [3.0]])
    np.testing.assert_allclose(Scaler("anscombe").fit_transform(counts)[0], 2 * np.sqrt(3 / 8))
    with pytest.raises(ValueError, match=r"how='anscombe'.*-0.375, not -1"):
        Scaler("anscombe").fit(counts - 1)


def test_a_row_of_zeros_has_no_length_and_stays():
    np.testing.assert_array_equal(Scaler("norm").fit_transform([[0.0, 0.0]]), [[0.0, 0.0]])


@pytest.mark.parametrize(
    ("params", "message"),
    [({"how": "standart"}, "Did you mean .standard."), ({"groups": [0, 1]}, "13 columns")],
)
def test_bad_parameters_are_named(wine, params, message):
    with pytest.raises(ValueError, match=message):
        Scaler(**params).fit(wine)
