"""How likely mixtures end: many runs of scikit-learn are the reference, scipy for each estimate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture as Peer

from xcluster.algorithms.mixture import GaussianMixture
from xcluster.algorithms.parts import split_merge
from xcluster.algorithms.parts.spread import robust_variances
from xcluster.base import parallel
from xcluster.base.streaming import ArrayBlocks


def unequal_groups():
    """Twelve groups, each half as large as the one before."""
    random = np.random.default_rng(0)
    centers = random.normal(0, 4, (12, 4))
    label = random.choice(12, 4_000, p=2.0 ** -np.r_[1:12, 11])
    return centers[label] + random.normal(0, 0.5, (4_000, 4)) * (1 + label[:, None] / 6)


def nested_groups():
    """Groups inside groups that are ten times as wide."""
    random = np.random.default_rng(0)
    scale = 10.0 ** -random.integers(0, 4, 3_000)[:, None]
    centers = random.normal(0, 1, (5, 3))[random.integers(0, 5, 3_000)]
    return scale * (5 * centers + random.normal(0, 1, (3_000, 3)))


@pytest.mark.large
@pytest.mark.parametrize("make", [unequal_groups, nested_groups], ids=lambda make: make.__name__)
def test_ten_starts_are_as_likely_as_the_best_of_twenty_runs(make):
    X = make()
    X /= np.sqrt(robust_variances(X))  # so that both add 1e-6 to each variance
    runs = [Peer(8, random_state=seed).fit(X) for seed in range(20)]
    best = max(run.score(X) for run in runs if run.weights_.min() * len(X) >= X.shape[1] + 1)
    fits = [GaussianMixture(8, n_init=10, random_state=seed).fit(X) for seed in range(2)]
    assert np.mean([fit.score(X) for fit in fits]) >= best - 0.002


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_a_search_ends_likelier_with_the_same_number_of_components(covariance_type):
    X = unequal_groups()
    start = GaussianMixture(8, covariance_type=covariance_type, means_init=X[:8]).fit(X)
    found = split_merge.improved(start, ArrayBlocks(X))
    assert found.means_.shape == (8, 4)
    assert found.score(X) > start.score(X) + 0.01


def test_a_merger_loses_at_most_what_is_estimated():
    X = nested_groups()
    fit = GaussianMixture(5, tol=1e-6, max_iter=1_000).fit(X)
    parts = zip(fit.weights_, fit.means_, fit.covariances_, strict=True)
    densities = np.stack([w * multivariate_normal(m, c).pdf(X) for w, m, c in parts])
    shares = densities / densities.sum(axis=0)
    losses = split_merge._losses(fit, shares, np.full(len(X), 1 / len(X)))
    for i, j in zip(*np.triu_indices(5, 1), strict=True):
        pair = shares[i] + shares[j]
        mean = np.average(X, axis=0, weights=pair)
        merged = multivariate_normal(mean, np.cov(X.T, aweights=pair, ddof=0))
        after = np.delete(densities, [i, j], axis=0).sum(axis=0) + pair.mean() * merged.pdf(X)
        fall = np.mean(np.log(densities.sum(axis=0)) - np.log(after))
        assert -1e-3 <= fall <= losses[i, j] + 1e-3


def test_the_search_makes_no_flat_component():
    """A value that many rows share has a density without bound but for `reg_covar`."""
    X = np.random.default_rng(0).normal(size=(3_000, 3))
    X[::5, 1] = 0.25
    start = GaussianMixture(4, means_init=X[1:5]).fit(X)
    found = split_merge.improved(start, ArrayBlocks(X))
    for fit in (start, found):
        assert np.linalg.eigvalsh(fit.covariances_).min() > 1e-3


def test_searched_mixtures_are_the_same_bits_on_any_number_of_threads(monkeypatch):
    X, fits = unequal_groups(), []
    for n in (1, 2, 5):
        monkeypatch.setattr(parallel, "n_threads", lambda n=n: n)
        fits.append(GaussianMixture(6, n_init=4).fit(X))
    for other in fits[1:]:
        np.testing.assert_array_equal(fits[0].means_, other.means_)
        np.testing.assert_array_equal(fits[0].covariances_, other.covariances_)


def test_a_power_of_two_as_unit_changes_no_label_of_a_searched_mixture():
    X = nested_groups()
    labels = [GaussianMixture(5, n_init=4).fit_predict(X * unit) for unit in (1.0, 2.0**-40)]
    np.testing.assert_array_equal(*labels)
