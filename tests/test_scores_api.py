"""Scores of a result, silhouettes on its grid, and data in view before clustering."""

import numpy as np
import pytest
import xarray as xr
from sklearn import metrics
from sklearn.cluster import DBSCAN
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

import xcluster  # noqa: F401  (registers the accessor)
from xcluster.fit import criteria

SIZES = {"y": 12, "x": 25}


@pytest.fixture(scope="module")
def scene():
    """Three overlapping groups in two variables of other units; one corner has no data."""
    random = np.random.default_rng(0)
    group = random.integers(0, 3, tuple(SIZES.values()))
    centers = np.array([[0, 0], [4, 0], [0, 4]])
    values = centers[group] + random.normal(size=(*group.shape, 2))
    data = xr.Dataset(
        {"a": (("y", "x"), values[..., 0]), "b": (("y", "x"), 1000 * values[..., 1])},
        {"y": np.arange(12.0), "x": np.arange(25.0), "group": (("y", "x"), group)},
    )
    return data.where((data.x > 2) | (data.y > 1))


@pytest.fixture(scope="module")
def fit(scene):
    return scene.cluster.pixels().kmeans(3)


def rows(fit, space="features"):
    """Return rows and labels of the complete samples."""
    array = fit.features if space == "features" else fit.samples.data[["a", "b"]].to_dataarray()
    Z = array.values.reshape(len(array), -1).T
    labels = fit.labels.values.ravel()
    kept = np.isfinite(labels) & (labels >= 0)
    return Z[kept], labels[kept].astype(int)


@pytest.mark.parametrize("space", ["features", "data"])
def test_scores_are_those_of_scikit_learn(fit, space):
    Z, labels = rows(fit, space)
    found = fit.scores(space)
    assert float(found.silhouette) == pytest.approx(metrics.silhouette_score(Z, labels), abs=1e-6)
    assert float(found.silhouette_low) == float(found.silhouette_high) == float(found.silhouette)
    calinski = metrics.calinski_harabasz_score(Z, labels)
    assert float(found.calinski_harabasz) == pytest.approx(calinski, rel=1e-6)
    davies = metrics.davies_bouldin_score(Z, labels)
    assert float(found.davies_bouldin) == pytest.approx(davies, rel=1e-6)
    means = np.stack([Z[labels == label].mean(0) for label in range(3)])
    assert float(found.inertia) == pytest.approx(((Z - means[labels]) ** 2).sum())
    assert float(found.distortion) == pytest.approx(float(found.inertia) / len(Z))
    assert found.attrs == {"space": space, "n_samples": len(Z)}


def test_a_mixture_has_its_likelihoods_too(scene):
    fit = scene.cluster.pixels().gmm(3)
    Z, _ = rows(fit)
    peer = GaussianMixture(3, n_init=5, random_state=0, tol=1e-6).fit(Z)
    found = fit.scores()
    assert float(found.bic) == pytest.approx(peer.bic(Z), rel=1e-3)
    assert float(found.aic) == pytest.approx(peer.aic(Z), rel=1e-3)
    squares = (fit.memberships**2).sum("label").where(fit.labels.notnull()).mean()
    assert float(found.partition_coefficient) == pytest.approx(float(squares), abs=1e-5)
    assert "bic" not in fit.scores("data")


def test_a_truth_adds_the_agreement_with_it(fit, scene):
    truth = scene.group.where(scene.a.notnull())
    labels, classes = fit.labels.values.ravel(), truth.values.ravel()
    kept = np.isfinite(labels)
    found = fit.scores(truth=truth.transpose("x", "y"))
    expected = metrics.adjusted_rand_score(classes[kept], labels[kept])
    assert float(found.adjusted_rand) == pytest.approx(expected)
    expected = metrics.v_measure_score(classes[kept], labels[kept])
    assert float(found.v_measure) == pytest.approx(expected)


def test_samples_of_unknown_truth_count_in_all_other_scores(fit, scene):
    truth = scene.group.where(scene.x > 9)
    found = fit.scores(truth=truth)
    assert found.attrs["n_samples"] == fit.record.complete
    labels = fit.labels.where(scene.x > 9)
    kept = np.isfinite(labels.values)
    expected = metrics.adjusted_rand_score(truth.values[kept], labels.values[kept])
    assert float(found.adjusted_rand) == pytest.approx(expected)


def test_unclassified_samples_are_left_out(scene):
    fit = scene.cluster.pixels().fit(DBSCAN(eps=0.15, min_samples=4))
    Z, labels = rows(fit)
    assert (fit.labels == -1).any()
    expected = metrics.silhouette_score(Z, labels)
    assert float(fit.scores().silhouette) == pytest.approx(expected, abs=1e-6)
    assert bool(fit.silhouette.where(fit.labels == -1).isnull().all())


def test_scores_follow_merged_labels(fit):
    merged = fit.merge([[0, 1]])
    Z, labels = rows(merged)
    expected = metrics.silhouette_score(Z, labels)
    assert float(merged.scores().silhouette) == pytest.approx(expected, abs=1e-6)


def test_a_single_label_has_no_silhouette(scene):
    fit = scene.cluster.pixels().kmeans(1)
    assert np.isnan(float(fit.scores().silhouette))
    assert np.isfinite(float(fit.scores().distortion))
    with pytest.raises(ValueError, match=r"k=1: .*needs at least two labels"):
        _ = fit.silhouette


def test_scores_and_silhouettes_do_not_depend_on_chunks(fit, scene):
    lazy = scene.chunk(y=5, x=10).cluster.pixels().kmeans(3)
    xr.testing.assert_allclose(lazy.scores(), fit.scores(), rtol=1e-9)
    xr.testing.assert_allclose(lazy.silhouette, fit.silhouette, atol=1e-6)


def test_the_silhouette_lies_on_the_grid(fit):
    Z, labels = rows(fit)
    kept = np.isfinite(fit.labels.values)
    assert fit.silhouette.dims == fit.labels.dims
    expected = metrics.silhouette_samples(Z, labels)
    np.testing.assert_allclose(fit.silhouette.values[kept], expected, atol=1e-6)
    assert np.isnan(fit.silhouette.values[~kept]).all()


def test_contiguous_labels_have_silhouettes_too(scene):
    fit = scene.cluster.pixels().hac(40, contiguous=True)
    Z, labels = rows(fit)
    kept = np.isfinite(fit.labels.values)
    expected = metrics.silhouette_samples(Z, labels)
    np.testing.assert_allclose(fit.silhouette.values[kept], expected, atol=1e-5)


def test_beyond_the_limit_the_silhouette_is_simplified_and_lazy(scene, monkeypatch):
    monkeypatch.setattr(criteria, "EXACT_ROWS", 100)
    fit = scene.chunk(y=6).cluster.pixels().kmeans(3)
    found = fit.silhouette
    assert found.chunks == ((6, 6), (25,))
    assert found.attrs == {"long_name": "simplified silhouette"}
    Z, _ = rows(fit)
    centers = fit.assign.centers[np.argsort(fit.partition.codes)]
    distances = np.sort(np.linalg.norm(Z[:, None] - centers, axis=2), axis=1)
    expected = (distances[:, 1] - distances[:, 0]) / distances[:, 1]
    np.testing.assert_allclose(
        found.values[np.isfinite(fit.labels.values)], expected, rtol=1e-4, atol=1e-5
    )


def test_weights_enter_scores(scene):
    weight = xr.DataArray(np.random.default_rng(1).integers(1, 4, 25), dims="x")
    fit = scene.cluster.pixels().weights(weight).kmeans(3)
    Z, labels = rows(fit)
    times = np.broadcast_to(weight, (12, 25))[np.isfinite(fit.labels.values)]
    Z, labels = np.repeat(Z, times, axis=0), np.repeat(labels, times)
    found = fit.scores()
    davies = metrics.davies_bouldin_score(Z, labels)
    assert float(found.davies_bouldin) == pytest.approx(davies, rel=1e-5)
    means = np.stack([Z[labels == label].mean(0) for label in range(3)])
    distortion = ((Z - means[labels]) ** 2).sum(axis=1).mean()
    assert float(found.distortion) == pytest.approx(distortion, rel=1e-5)


def test_bad_questions_are_refused(fit, scene):
    with pytest.raises(ValueError, match="space='raw': must be one of 'features', 'data'"):
        fit.scores("raw")
    with pytest.raises(ValueError, match=r"truth='group': lies on y: 12, x: 9, .*on y: 12, x: 25"):
        fit.scores(truth=scene.group.isel(x=slice(9)))
    with pytest.raises(TypeError, match="truth='list': must be a Clustering or a DataArray"):
        fit.scores(truth=[0, 1])
    with pytest.raises(ValueError, match="truth='group': has no label"):
        fit.scores(truth=scene.group * 0 - 1)
    with pytest.raises(ValueError, match="fractions"):
        fit.scores(truth=scene.group + 0.5)


# ------------------------------------------------------------------------------ before clustering


def test_a_reconstruction_keeps_the_variance_that_components_explain(scene):
    samples = scene.cluster.pixels().pca(1)
    found = samples.reconstruction()
    assert float(found.total) == pytest.approx(float(samples.explained_variance().sum()), abs=1e-6)
    Z, _ = rows(scene.cluster.pixels().kmeans(1))
    peer = PCA(1).fit(Z)
    given_back = peer.inverse_transform(peer.transform(Z))
    expected = metrics.r2_score(Z, given_back, multioutput="raw_values")
    np.testing.assert_allclose(found.r2, expected, atol=1e-5)
    assert found["variable"].values.tolist() == ["a", "b"]


def test_nothing_is_lost_by_all_components(scene):
    assert float(scene.cluster.pixels().pca(2).reconstruction().total) == pytest.approx(1)


def test_a_chain_that_reduces_nothing_has_no_reconstruction(scene):
    with pytest.raises(ValueError, match=r"reconstruction\(\) needs a chain that reduces.*pca"):
        scene.cluster.pixels().scale("robust").scale("standard").reconstruction()


def test_correlations_are_weighted(scene):
    weight = xr.DataArray(np.random.default_rng(1).integers(1, 4, 25), dims="x")
    found = scene.cluster.pixels().weights(weight).correlation()
    kept = scene.a.notnull().values
    times = np.broadcast_to(weight, (12, 25))[kept]
    repeated = [np.repeat(scene[name].values[kept], times) for name in "ab"]
    np.testing.assert_allclose(found, np.corrcoef(repeated), atol=1e-6)
