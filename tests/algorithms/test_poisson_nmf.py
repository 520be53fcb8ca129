"""Components of counts against scikit-learn's multiplicative updates, and what counts are."""

import numpy as np
import pytest
from scipy.special import xlogy
from sklearn import decomposition

from xcluster.algorithms.kernels.counts import deviances, ratios, solved, started, updated
from xcluster.algorithms.poisson_nmf import ROW_UPDATES, PoissonNMF, start
from xcluster.base.streaming import ArrayBlocks, iterate


def counts(n=3000, p=40, k=3, mean=20.0, seed=0):
    """Return Poisson counts of mixed spectra, with a channel and a few rows of zeros."""
    rng = np.random.default_rng(seed)
    spectra = rng.dirichlet(np.full(p, 0.3), k)
    spectra[:, 7] = 0
    X = rng.poisson(mean * rng.dirichlet(np.full(k, 0.5), n) @ spectra).astype(np.float32)
    X[5::500] = 0
    return X


def deviance(X, expected):
    return 2 * (xlogy(X, X / np.where(X > 0, expected, 1)) - X + expected).sum()


@pytest.mark.parametrize("mean", [2.0, 20.0, 400.0])
def test_deviance_is_that_of_scikit_learn_from_an_equal_start(mean):
    X = counts(mean=mean)
    ours = PoissonNMF(3, max_iter=60, tol=0).fit(X)
    reference = decomposition.NMF(
        3, init="custom", solver="mu", beta_loss="kullback-leibler", max_iter=60, tol=0
    )
    W = reference.fit_transform(X.astype(float), W=started(X, 3), H=start(X, 3, 0))
    expected = deviance(X.astype(float), W @ reference.components_)
    assert ours.deviance_ == pytest.approx(expected, rel=1e-4)
    shares = reference.components_ / reference.components_.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ours.components_, shares, atol=1e-6)


def test_kernels_are_their_formulas():
    X, rng = counts(206)[6:].astype(float), np.random.default_rng(1)
    weight, W, parts = rng.gamma(2, 1, 200), rng.gamma(2, 1, (200, 3)), rng.gamma(2, 1, (40, 3))
    after = W * ((X / (W @ parts.T)) @ parts) / parts.sum(axis=0)
    explained = (weight[:, None] * X / (after @ parts.T)).T @ after * parts
    moved = W.copy()
    np.testing.assert_allclose(updated(X, weight, moved, parts), explained, rtol=1e-12)
    np.testing.assert_allclose(moved, after, rtol=1e-12)
    np.testing.assert_allclose(ratios(X, W, parts), (X / (W @ parts.T)).T, rtol=1e-12)
    assert deviances(X, W, parts).sum() == pytest.approx(deviance(X, W @ parts.T), rel=1e-12)


def test_a_row_without_counts_has_zero_coefficients():
    assert (solved(np.zeros((1, 4)), np.ones((4, 2)), 3) == 0).all()


def test_a_row_is_solved_to_its_least_deviance():
    X = counts(300, mean=17.0)
    parts = PoissonNMF(3).fit(X).components_.T
    few = deviances(X, solved(X, parts, ROW_UPDATES), parts).sum()
    many = deviances(X, solved(X, parts, 5000), parts).sum()
    assert few == pytest.approx(many, rel=1e-4)


def test_coefficients_are_the_counts_of_a_row():
    X = counts()
    reduced = PoissonNMF(3).fit_transform(X)
    some = X.any(axis=1)
    np.testing.assert_allclose(reduced[some].sum(axis=1), X[some].sum(axis=1), rtol=1e-5)


def test_rows_without_counts_are_no_data_and_channels_without_counts_have_no_loading():
    X = counts()
    fitted = PoissonNMF(3).fit(X)
    assert fitted.n_empty_ == (~X.any(axis=1)).sum() >= 6
    np.testing.assert_array_equal(np.isnan(fitted.transform(X)).all(axis=1), ~X.any(axis=1))
    assert (fitted.components_[:, 7] == 0).all()
    negative = X[:2].copy()
    negative[0, 0] = -1
    assert np.isnan(fitted.transform(negative)[0]).all()


def test_counts_of_a_channel_that_had_none_are_left_out():
    X = counts()
    fitted = PoissonNMF(3).fit(X)
    row = X[:1].copy()
    row[0, 7] = 1
    assert np.isfinite(fitted.transform(row)).all()


def test_a_feature_whose_first_counts_are_in_later_blocks_gets_a_loading():
    X = counts()
    fitted = PoissonNMF(3).fit(X)
    X[:, 7] = 1
    iterate(fitted, ArrayBlocks(X), max_passes=1)
    assert fitted.components_[:, 7].max() == pytest.approx(len(X) / X.sum(), rel=1)


def test_a_weight_of_two_counts_a_row_twice():
    X = counts(500)
    weight = np.tile([1.0, 2.0], 250)
    twice = np.repeat(X, weight.astype(int), axis=0)
    one = PoissonNMF(3, tol=0)
    components = start(X, 3, 0)
    one._iterate(X, weight, components)
    found = one.components_
    one._iterate(twice, np.ones(len(twice)), components)
    np.testing.assert_allclose(found, one.components_, rtol=1e-9)


def test_streamed_passes_lower_the_deviance_to_that_of_a_fit_in_memory():
    X = counts(6000)
    ours = PoissonNMF(3, max_iter=30).fit(X[:300])

    def missed():
        parts = ours.components_.T
        return deviances(X, solved(np.ascontiguousarray(X), parts, ROW_UPDATES), parts).sum()

    values = [missed()]
    for _ in range(60):
        iterate(ours, ArrayBlocks(X, rows=1000), max_passes=1)
        values.append(missed())
    assert (np.diff(values) <= 1e-6 * values[0]).all()
    assert values[-1] == pytest.approx(PoissonNMF(3, tol=0).fit(X).deviance_, rel=5e-3)


@pytest.mark.parametrize(("value", "kind"), [(-1, "negative"), (0.5, "fractional")])
def test_values_that_are_no_counts_are_refused(value, kind):
    X = counts()
    X[-1, 4] = value
    with pytest.raises(ValueError, match=f"loss='poisson'.*{kind}.*feature 4"):
        PoissonNMF(3).fit(X)
    fitted = PoissonNMF(3).fit(X[:-1])
    with pytest.raises(ValueError, match=f"loss='poisson'.*{kind}.*feature 4"):
        iterate(fitted, ArrayBlocks(X), max_passes=1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "n_components=0"),
        ({"n_components": 41}, "n_components=41.*at most 40"),
        ({"max_iter": 0}, "max_iter=0"),
        ({"max_passes": 0}, "max_passes=0"),
        ({"tol": -1.0}, "tol=-1"),
    ],
)
def test_bad_parameters_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        PoissonNMF(**parameters).fit(counts())


def test_data_without_counts_are_refused():
    with pytest.raises(ValueError, match=r"loss='poisson'.*zero everywhere"):
        PoissonNMF(1).fit(np.zeros((5, 3)))
