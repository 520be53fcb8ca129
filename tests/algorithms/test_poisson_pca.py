"""Components of weighted counts against a plain singular value decomposition."""

import numpy as np
import pytest

from xcluster.algorithms.poisson_pca import PoissonPCA
from xcluster.base.streaming import ArrayBlocks, iterate


def counts(n=2000, p=30, seed=0):
    rng = np.random.default_rng(seed)
    spectra = rng.dirichlet(np.full(p, 0.3), 3)
    spectra[:, 7] = 0
    X = rng.poisson(15 * rng.dirichlet(np.full(3, 0.5), n) @ spectra).astype(np.float64)
    X[5::500] = 0
    return X


def reference(X, weight=None):
    """Return scores, loadings and shares of Keenan and Kotula's weighted counts."""
    weight = np.ones(len(X)) if weight is None else weight
    some = X.any(axis=1)
    X, weight = X[some], weight[some] / weight[some].sum()
    g, h = X.mean(axis=1), weight @ X
    used = h > 0
    weighted = X[:, used] / np.sqrt(np.outer(g, h[used]))
    _, values, axes = np.linalg.svd(np.sqrt(weight)[:, None] * weighted, full_matrices=False)
    loadings = np.zeros((len(axes), X.shape[1]))
    loadings[:, used] = axes * np.sqrt(h[used])
    return weighted @ axes.T, loadings, values**2 / (values**2).sum(), values**2


def assert_close_but_for_signs(found, expected, **keywords):
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found, expected * signs, **keywords)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("p", [30, 2100])
def test_components_are_those_of_weighted_counts(p, weighted):
    X = counts(400 if p > 2000 else 2000, p)
    weight = np.random.default_rng(1).gamma(2, 1, len(X)) if weighted else None
    scores, loadings, shares, variance = reference(X, weight)
    pca = PoissonPCA(3).fit(X, sample_weight=weight)
    assert_close_but_for_signs(pca.components_.T, loadings[:3].T, atol=1e-7)
    assert_close_but_for_signs(pca.transform(X)[X.any(axis=1)], scores[:, :3], atol=1e-6)
    np.testing.assert_allclose(pca.explained_variance_ratio_, shares[:3], rtol=1e-7)
    np.testing.assert_allclose(pca.explained_variance_, variance[:3], rtol=1e-7)
    largest = np.abs(pca.components_).argmax(axis=1)
    assert (pca.components_[np.arange(3), largest] > 0).all()


def test_all_components_give_the_counts_back():
    X = counts(200, 12)
    pca = PoissonPCA().fit(X)
    some = X.any(axis=1)
    np.testing.assert_allclose(pca.inverse_transform(pca.transform(X[some])), X[some], atol=1e-9)


def test_noise_is_alike_in_all_features():
    rng = np.random.default_rng(0)
    X = rng.poisson(np.geomspace(1, 200, 25), size=(20_000, 25)).astype(float)
    pca = PoissonPCA().fit(X)
    np.testing.assert_allclose(pca.explained_variance_[1:] * X.mean(), 1, rtol=0.15)


def test_rows_and_features_without_counts_are_no_data():
    X = counts()
    pca = PoissonPCA(3).fit(X)
    assert pca.n_empty_ == (~X.any(axis=1)).sum() >= 4
    np.testing.assert_array_equal(np.isnan(pca.transform(X)).all(axis=1), ~X.any(axis=1))
    assert (pca.components_[:, 7] == 0).all()
    same = PoissonPCA(3).fit(X[X.any(axis=1)])
    np.testing.assert_allclose(pca.components_, same.components_, atol=1e-12)


def test_blocks_give_what_all_rows_give():
    X = counts()
    pca = PoissonPCA(3).fit(X[:300])
    assert iterate(pca, ArrayBlocks(X, rows=170), max_passes=1) == 1
    np.testing.assert_allclose(pca.components_, PoissonPCA(3).fit(X).components_, atol=1e-12)


@pytest.mark.parametrize("p", [30, 2100])
@pytest.mark.parametrize(("value", "kind"), [(-1, "negative"), (0.5, "fractional")])
def test_values_that_are_no_counts_are_refused(value, kind, p):
    X = counts(100, p)
    X[-1, 4] = value
    with pytest.raises(ValueError, match=f"noise='poisson'.*{kind}.*feature 4"):
        PoissonPCA(3).fit(X)


def test_numbers_of_components_are_those_of_pca():
    with pytest.raises(ValueError, match=r"n_components=31.*from 1 to 30"):
        PoissonPCA(31).fit(counts())
    shares = reference(counts())[2]
    assert PoissonPCA(0.5).fit(counts()).n_components_ == 1 + (shares.cumsum() <= 0.5).sum()
