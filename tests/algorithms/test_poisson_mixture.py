"""Mixtures of Poisson rates against plain numpy."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import poisson
from sklearn.exceptions import ConvergenceWarning

from xcluster.algorithms.poisson_mixture import PoissonMixture
from xcluster.base.streaming import ArrayBlocks, iterate

RATES = np.array([[9.0, 1.0, 0.5, 0.0], [1.0, 8.0, 0.5, 0.0], [2.0, 2.0, 6.0, 0.0]])


def counts(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    group = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    return rng.poisson(RATES[group]).astype(float), group


def joint(X, model):
    """Return the log of weight times probability of each row in each component."""
    return poisson.logpmf(X[:, None], model.means_).sum(axis=2) + np.log(model.weights_)


def test_the_rates_are_found_again():
    X, _ = counts(30_000)
    model = PoissonMixture(3, n_init=3, tol=1e-8).fit(X)
    order = np.argsort(-model.weights_)
    np.testing.assert_allclose(model.means_[order], RATES, atol=0.15)
    np.testing.assert_allclose(model.weights_[order], [0.5, 0.3, 0.2], atol=0.01)


@pytest.mark.filterwarnings("ignore:max_iter")
@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_is_that_of_plain_numpy(weighted):
    X, _ = counts()
    weight = np.random.default_rng(1).gamma(2, 1, len(X)) if weighted else np.ones(len(X))
    model = PoissonMixture(3, max_iter=3, tol=0).fit(X, sample_weight=weight)
    logs = joint(X, model)
    shares = weight[:, None] * np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    iterate(model, ArrayBlocks(X, weight, 700), max_passes=1)
    np.testing.assert_allclose(model.weights_, shares.sum(axis=0) / weight.sum(), rtol=1e-10)
    means = shares.T @ X / shares.sum(axis=0)[:, None]
    np.testing.assert_allclose(model.means_, means, rtol=1e-9, atol=1e-9)


@pytest.mark.filterwarnings("ignore:max_iter")
def test_likelihood_never_falls():
    X, _ = counts()
    model = PoissonMixture(3, max_iter=1, tol=0).fit(X)
    found = []
    for _ in range(40):
        iterate(model, ArrayBlocks(X), max_passes=1)
        found.append(model.lower_bound_)
    assert (np.diff(found) >= -1e-9 * abs(found[0])).all()


def test_scores_and_criteria_are_their_formulas():
    X, _ = counts()
    model = PoissonMixture(3).fit(X)
    expected = logsumexp(joint(X, model), axis=1)
    np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-10)
    bic = -2 * expected.sum() + (3 * 4 + 3 - 1) * np.log(len(X))
    assert model.bic(X) == pytest.approx(bic)
    u = model.predict_proba(X)
    np.testing.assert_allclose(u.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(X), u.argmax(axis=1))


def test_bic_chooses_the_number_of_components():
    X, _ = counts()
    found = [PoissonMixture(k, n_init=3).fit(X).bic(X) for k in range(1, 6)]
    assert np.argmin(found) == 2


def test_a_feature_without_counts_excludes_no_component():
    X, _ = counts()
    model = PoissonMixture(3).fit(X)
    row = X[:1].copy()
    row[0, 3] = 5
    assert np.isfinite(model.score_samples(row)).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "n_components=0"),
        ({"max_iter": 0}, "max_iter=0"),
        ({"n_init": 0}, "n_init=0"),
        ({"tol": -1.0}, "tol=-1"),
    ],
)
def test_bad_parameters_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        PoissonMixture(**parameters).fit(counts()[0])


@pytest.mark.parametrize(("value", "kind"), [(-1, "negative"), (0.5, "fractional")])
def test_values_that_are_no_counts_are_refused(value, kind):
    X, _ = counts()
    fitted = PoissonMixture(2).fit(X)
    X[-1, 2] = value
    with pytest.raises(ValueError, match=f"family='poisson'.*{kind}.*feature 2"):
        PoissonMixture(2).fit(X)
    with pytest.raises(ValueError, match=f"family='poisson'.*{kind}.*feature 2"):
        iterate(fitted, ArrayBlocks(X), max_passes=1)


def test_a_mixture_that_still_changes_warns():
    X, _ = counts(300)
    with pytest.warns(ConvergenceWarning, match="max_iter=1: the mixture still changes"):
        PoissonMixture(3, max_iter=1).fit(X)
