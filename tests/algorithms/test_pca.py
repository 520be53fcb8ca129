"""Principal components: scikit-learn and `numpy.cov` are the oracles."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from sklearn import decomposition
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks

from xcluster.algorithms import pca as module
from xcluster.algorithms.pca import PCA
from xcluster.base import parallel
from xcluster.base.streaming import ArrayBlocks, Statistics, iterate


@parametrize_with_checks([PCA(2)])
def test_follows_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(params=["sums", "rows"])
def way(request, monkeypatch):
    """Both ways of finding the components: from summed products and from the rows."""
    if request.param == "rows":
        monkeypatch.setattr(module, "MOST_STREAMED", 0)


def assert_same_axes(ours, theirs, atol=1e-7):
    signs = np.sign(np.sum(ours * theirs, axis=1, keepdims=True))
    np.testing.assert_allclose(ours, signs * theirs, atol=atol)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("n", [None, 1, 4, 0.8, 0.999])
def test_components_are_those_of_scikit_learn(wine, n):
    ours, peer = PCA(n).fit(wine), decomposition.PCA(n, svd_solver="full").fit(wine)
    assert ours.n_components_ == peer.n_components_
    assert_same_axes(ours.components_, peer.components_)
    np.testing.assert_allclose(ours.explained_variance_, peer.explained_variance_)
    np.testing.assert_allclose(ours.explained_variance_ratio_, peer.explained_variance_ratio_)
    np.testing.assert_allclose(ours.mean_, peer.mean_, atol=1e-12)


@pytest.mark.usefixtures("way")
def test_weighted_variances_are_those_of_the_weighted_covariance(wine):
    weight = np.random.default_rng(0).uniform(0, 3, len(wine))
    ours = PCA().fit(wine, sample_weight=weight)
    values, vectors = np.linalg.eigh(np.cov(wine.T, aweights=weight))
    np.testing.assert_allclose(ours.explained_variance_, values[::-1])
    assert_same_axes(ours.components_, vectors.T[::-1])
    np.testing.assert_allclose(ours.mean_, np.average(wine, axis=0, weights=weight), atol=1e-12)


@pytest.mark.usefixtures("way")
def test_weights_equal_rows_repeated(wine):
    weight = np.random.default_rng(0).integers(0, 4, len(wine))
    weighted = PCA(3).fit(wine, sample_weight=weight)
    repeated = PCA(3).fit(np.repeat(wine, weight, axis=0))
    assert_same_axes(weighted.components_, repeated.components_)
    ratios = weighted.explained_variance_ratio_, repeated.explained_variance_ratio_
    np.testing.assert_allclose(*ratios)


@pytest.mark.usefixtures("way")
def test_the_largest_loading_of_each_component_is_positive(wine):
    components = PCA().fit(wine).components_
    largest = np.abs(components).argmax(axis=1)
    assert (components[np.arange(len(components)), largest] > 0).all()


@pytest.mark.usefixtures("way")
def test_all_components_give_the_rows_back(wine):
    for X in (wine, wine.astype(np.float32)):
        pca = PCA().fit(X)
        scores = pca.transform(X)
        back = pca.inverse_transform(scores)
        assert scores.dtype == back.dtype == X.dtype
        np.testing.assert_allclose(back, X, atol=1e-5)


def test_scores_are_uncorrelated_with_the_variances_explained(wine):
    pca = PCA(4).fit(wine)
    covariance = np.cov(pca.transform(wine).T)
    np.testing.assert_allclose(covariance, np.diag(pca.explained_variance_), atol=1e-10)
    assert pca.get_feature_names_out().tolist() == ["pca0", "pca1", "pca2", "pca3"]


def test_thousands_of_features_are_decomposed_by_rows():
    X = np.random.default_rng(0).standard_normal((60, 3)) * [9, 5, 2]
    X = X @ np.linalg.qr(np.random.default_rng(1).standard_normal((2_100, 3)))[0].T
    ours, peer = PCA(3).fit(X), decomposition.PCA(3, svd_solver="full").fit(X)
    assert_same_axes(ours.components_, peer.components_)
    assert not hasattr(ours, "partial_statistics")


@pytest.mark.parametrize("shape", [(700, 900), (900, 700), (60, 2_500)])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-8)])
def test_few_components_of_many_features_are_exact_though_variances_fall_slowly(shape, dtype, rtol):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape) @ (rng.standard_normal((shape[1], shape[1])) / 30)
    weight = rng.integers(0, 3, len(X)).astype(float)
    X[weight == 0] = 1e30  # counts for nothing, whatever it is
    ours = PCA(5).fit(X.astype(dtype), sample_weight=weight)
    known, weight = X[weight > 0].astype(dtype).astype(float), weight[weight > 0]
    spread = weight.sum() - (weight @ weight) / weight.sum()  # as in np.cov
    mean = np.average(known, axis=0, weights=weight)
    centered = (known - mean) * np.sqrt(weight / spread)[:, None]
    values = np.linalg.svd(centered, compute_uv=False) ** 2
    np.testing.assert_allclose(ours.explained_variance_, values[:5], rtol=rtol)
    np.testing.assert_allclose(ours.explained_variance_ratio_, values[:5] / values.sum(), rtol=1e-5)
    axes = ours.components_
    np.testing.assert_allclose(axes @ axes.T, np.eye(5), atol=1e-8)
    projected = np.sum((axes @ centered.T) ** 2, axis=1)
    np.testing.assert_allclose(projected, values[:5], rtol=rtol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2_500, 500), (500, 2_500)])
def test_a_component_that_hardly_rises_above_noise_is_not_turned(shape, dtype):
    """Its variance is 2 % above that of the next; a loose end of the iteration would mix both."""
    rng = np.random.default_rng(0)
    left = np.linalg.qr(rng.standard_normal((shape[0], 6)))[0]
    right = np.linalg.qr(rng.standard_normal((shape[1], 6)))[0]
    X = (left * [900, 500, 202, 200, 198, 196]) @ right.T + rng.standard_normal(shape)
    X = X.astype(dtype)
    covariance = np.cov(X.T.astype(float)) if shape[0] > shape[1] else None
    if covariance is None:
        _, _, vectors = np.linalg.svd(X - X.mean(axis=0, dtype=float), full_matrices=False)
    else:
        vectors = np.linalg.eigh(covariance)[1].T[::-1]
    turned = 1 - np.abs(np.einsum("ij,ij->i", PCA(3).fit(X).components_, vectors[:3]))
    assert turned.max() < 1e-9


def test_components_of_many_features_take_no_matrix_of_all_pairs(monkeypatch):
    def refused(*_):
        raise AssertionError("products of all pairs of features")

    monkeypatch.setattr(PCA, "partial_statistics", refused)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2_000, 9)) @ rng.standard_normal((9, 1_600))
    X = (X + rng.standard_normal(X.shape)).astype(np.float32)
    assert PCA(5).fit(X).n_components_ == 5
    assert PCA(0.5).fit(X[:300]).explained_variance_ratio_.sum() > 0.5


def test_no_more_components_exist_than_rows():
    digits = load_digits().data[:20]
    assert PCA().fit(digits).components_.shape == (20, 64)
    with pytest.raises(ValueError, match=r"n_components=21.*1 to 20"):
        PCA(21).fit(digits)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit", [2.0**-60, 1.0, 2.0**60])
@pytest.mark.parametrize("offset", [0, 300])
def test_components_beyond_the_rank_of_the_rows_are_left_out(dtype, unit, offset):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((28_000, 2)) @ rng.standard_normal((2, 10)) + offset
    X = (X * unit).astype(dtype)
    with pytest.warns(UserWarning, match="only 2 principal components.* other 8 of 10"):
        pca = PCA(10).fit(X)
    peer = decomposition.PCA(2, svd_solver="full").fit(X.astype(float))
    np.testing.assert_allclose(pca.explained_variance_, peer.explained_variance_, rtol=1e-4)
    assert pca.transform(X).shape == (28_000, 2)


@pytest.mark.usefixtures("way")
def test_a_weak_component_above_rounding_is_kept_without_a_word(recwarn):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5_000, 6)) * [1, 1, 1, 1, 1, 1e-5]
    X = X @ np.linalg.qr(rng.standard_normal((6, 6)))[0]
    ours, peer = PCA(6).fit(X), decomposition.PCA(6, svd_solver="full").fit(X)
    np.testing.assert_allclose(ours.explained_variance_, peer.explained_variance_, rtol=1e-4)
    assert not recwarn


def test_constant_rows_have_one_component_without_variance():
    with pytest.warns(UserWarning, match="only 1 principal"):
        assert PCA(3).fit(np.full((50, 4), 0.1)).explained_variance_.tolist() == [0]


def test_a_component_beyond_the_rank_does_not_become_a_feature_after_scaling():
    rng = np.random.default_rng(0)
    groups = np.repeat([[0.0, 0], [9, 0], [0, 9]], 10_000, axis=0)
    X = (groups + rng.standard_normal(groups.shape)) @ rng.standard_normal((2, 10))
    samples = xr.DataArray(X, dims=("x", "f")).cluster.pixels(dim="f")
    with pytest.warns(UserWarning, match="only 2 principal"):
        labels = samples.pca(10).scale().kmeans(3).labels
    found = [
        np.bincount(part, minlength=3).max() for part in labels.values.astype(int).reshape(3, -1)
    ]
    assert min(found) > 9_900


def test_streaming_over_blocks_equals_the_fit_in_memory(wine):
    whole, streamed = PCA(3).fit(wine), PCA(3).fit(wine[:30])
    assert iterate(streamed, ArrayBlocks(wine, rows=17), 5) == 1
    np.testing.assert_allclose(streamed.components_, whole.components_, atol=1e-10)
    np.testing.assert_allclose(streamed.explained_variance_, whole.explained_variance_)
    np.testing.assert_allclose(streamed.mean_, whole.mean_, atol=1e-12)


def test_a_block_without_rows_changes_nothing(wine):
    whole, with_none = PCA(3).fit(wine), PCA(3).fit(wine)
    parts = [with_none.partial_statistics(rows) for rows in (wine[:0], wine)]
    with_none.update(Statistics.merge(parts))
    np.testing.assert_allclose(with_none.components_, whole.components_, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_large_offset_leaves_the_components_as_they_are(dtype):
    rng = np.random.default_rng(0)
    rows = np.round(rng.standard_normal((5_000, 4)) @ rng.standard_normal((4, 4)) * 16) / 16
    near, far = PCA().fit(rows), PCA().fit((rows + 2.0**19).astype(dtype))
    np.testing.assert_allclose(far.components_, near.components_, atol=1e-8)
    np.testing.assert_allclose(far.explained_variance_, near.explained_variance_, rtol=1e-8)


def test_the_number_of_threads_changes_no_digit(monkeypatch):
    X = np.random.default_rng(0).standard_normal((150_000, 5)).astype(np.float32)
    fits = []
    for n in (1, 3):
        monkeypatch.setattr(parallel, "n_threads", lambda n=n: n)
        fits.append(PCA().fit(X))
    np.testing.assert_array_equal(fits[0].components_, fits[1].components_)


@pytest.mark.parametrize(
    ("n", "error"), [(0, ValueError), (14, ValueError), (1.5, ValueError), (True, TypeError)]
)
def test_bad_numbers_of_components_are_named(wine, n, error):
    with pytest.raises(error, match=f"n_components={n}"):
        PCA(n).fit(wine)


def test_one_row_with_weight_is_too_few():
    X = np.random.default_rng(0).normal(size=(5, 3))
    with pytest.raises(ValueError, match=r"n_samples=1: .* two rows of positive weight"):
        PCA(1).fit(X, sample_weight=[0, 0, 1, 0, 0])
