"""The steps between rows and clusterer, against scikit-learn."""

import numpy as np
import pytest
import xarray as xr
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import AgglomerativeClustering, BisectingKMeans, SpectralClustering
from sklearn.decomposition import NMF, PCA
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer, StandardScaler

import xcluster
from xcluster.blocks import rows
from xcluster.grid.layout import shown_columns


def matrix_of(samples):
    """The complete rows with features in the user's order, no step applied."""
    return rows.gather(samples.layout).X[:, shown_columns(samples.layout.features)]


def reduced(samples):
    """The complete rows of the reduced space, in the order of the grid."""
    values = samples.transform().values
    values = values.reshape(len(values), -1).T
    return values[np.isfinite(values).all(1)]


def by_variable(X, sizes):
    """Each variable's block less its means, by one deviation: what the default scaling is."""
    blocks = np.split(X.astype(float), np.cumsum(sizes)[:-1], axis=1)
    return np.hstack([(block - block.mean()) / block.std() for block in blocks])


# ---------------------------------------------------------------------- the scaling of default


def test_several_variables_are_standardised_by_variable_before_a_clusterer(profiles):
    samples = profiles.cluster.profiles("depth")
    fit = samples.kmeans(3)
    Z = fit.features.values.reshape(40, -1).T
    Z = Z[np.isfinite(Z).all(1)]
    np.testing.assert_allclose(Z, by_variable(matrix_of(samples), [20, 20]), atol=2e-5)
    assert "scale('standard', over='variable') (assumed)" in repr(samples)
    assert "scale('standard', over='variable') (assumed)" in repr(fit)


def test_one_variable_is_left_as_it_is(tomography):
    samples = tomography.cluster.profiles("depth")
    assert "scale" not in repr(samples)
    np.testing.assert_array_equal(reduced(samples), matrix_of(samples)[:, :])


def steps_of(samples):
    line = next(line for line in repr(samples).splitlines() if line.startswith("  steps"))
    return line.split(maxsplit=1)[1]


ASSUMED = "scale('standard', over='variable') (assumed)"


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (lambda s: s, ASSUMED),
        (lambda s: s.pca(3), f"{ASSUMED} -> pca(3)"),
        (lambda s: s.nmf(3), "scale('max', over='variable') (assumed) -> nmf(3)"),
        (lambda s: s.scale(None), "none"),
        (lambda s: s.scale(None).pca(3), "pca(3)"),
        (lambda s: s.scale("robust").pca(2), "scale('robust') -> pca(2)"),
        (lambda s: s.pca(3).scale("standard"), "pca(3) -> scale('standard')"),
        (lambda s: s.scale(StandardScaler()), "scale(StandardScaler)"),
        (lambda s: s.then(QuantileTransformer()), "then(QuantileTransformer)"),
        (lambda s: s.then(QuantileTransformer()).pca(2), "then(QuantileTransformer) -> pca(2)"),
    ],
)
def test_the_scaling_of_default_stands_where_the_rule_says(ocean, ask, expected):
    samples = ask(ocean.cluster.pixels())
    assert steps_of(samples) == expected
    assert expected.split(" -> ")[0].split("(assumed")[0] in samples._repr_html_().replace(
        "&#x27;", "'"
    )


# ------------------------------------------------------------------------------ each reduction


@pytest.mark.parametrize("n", [3, 0.9])
def test_pca_spans_the_axes_of_scikit_learn(ocean, n):
    samples = ocean.cluster.pixels().scale("standard").pca(n)
    X = StandardScaler().fit_transform(matrix_of(samples).astype(float))
    peer = PCA(n).fit(X)
    found = samples.transform()
    assert found.dims == ("component", "latitude", "longitude")
    np.testing.assert_allclose(np.abs(reduced(samples)), np.abs(peer.transform(X)), atol=2e-4)
    np.testing.assert_allclose(
        samples.explained_variance(), peer.explained_variance_ratio_, atol=1e-5
    )
    loadings = samples.loadings().to_dataarray().transpose("component", "variable")
    np.testing.assert_allclose(np.abs(loadings), np.abs(peer.components_), atol=1e-4)


def test_loadings_lie_on_the_levels_of_the_data(profiles):
    loadings = profiles.cluster.profiles("depth").pca(2).loadings()
    assert loadings.temperature.dims == ("component", "depth")
    np.testing.assert_array_equal(loadings.depth, profiles.depth)


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
def test_nmf_reaches_the_error_of_scikit_learn(tomography):
    samples = tomography.cluster.profiles("depth").nmf(3)
    X = tomography.vs.values.reshape(41, -1).T
    peer = NMF(3, init="nndsvda", max_iter=400, random_state=0).fit(X)
    H = samples.loadings().vs.values
    assert (H >= 0).all()
    error = np.linalg.norm(X - reduced(samples) @ H)
    assert error <= 1.01 * np.linalg.norm(X - peer.transform(X) @ peer.components_)


def test_any_transformer_may_follow_and_is_not_changed(ocean):
    quantiles = QuantileTransformer(n_quantiles=20)
    samples = ocean.cluster.pixels().then(quantiles)
    expected = QuantileTransformer(n_quantiles=20).fit_transform(matrix_of(samples))
    np.testing.assert_allclose(reduced(samples), expected, atol=1e-5)
    assert not hasattr(quantiles, "quantiles_")


def test_a_step_may_be_taken_twice(ocean):
    fit = ocean.cluster.pixels().scale().pca(4).scale().pca(2).kmeans(3)
    names = ["columns", "scale", "pca", "scale_2", "pca_2", "kmeans"]
    assert [name for name, _ in fit.model.steps] == names
    assert fit.centers.sst.dims == ("label",)


def test_every_method_returns_a_new_object(ocean):
    samples = ocean.cluster.pixels()
    before = repr(samples)
    samples.pca(2).scale("standard").where(ocean.sst > 0).weights("area")
    assert repr(samples) == before


@pytest.mark.parametrize("over", ["feature", "variable", "all"])
def test_scaling_shares_centre_and_scale_as_over_says(profiles, over):
    samples = profiles.cluster.profiles("depth").scale("standard", over=over)
    X = matrix_of(samples).astype(float)
    expected = {
        "feature": lambda: StandardScaler().fit_transform(X),
        "variable": lambda: by_variable(X, [20, 20]),
        "all": lambda: by_variable(X, [40]),
    }[over]()
    np.testing.assert_allclose(reduced(samples), expected, atol=2e-4)


# -------------------------------------------------------------------------------------- weights


def repeated(ds, weight, dim="sample"):
    """Each sample as often as its integer weight says."""
    flat = ds.stack({dim: weight.dims}).reset_index(dim)
    times = weight.stack({dim: weight.dims}).values
    return flat.isel({dim: np.repeat(np.arange(len(times)), times)})


@pytest.fixture
def weighted(ocean):
    small = ocean.isel(latitude=slice(8, 22), longitude=slice(None, None, 3))
    random = np.random.default_rng(1)
    weight = xr.zeros_like(small.sst, int).copy(data=random.integers(1, 4, size=small.sst.shape))
    return small, weight


def test_weights_of_integers_equal_repeated_samples_in_scaling_and_pca(weighted):
    ds, weight = weighted
    ours = ds.cluster.pixels().weights(weight).scale("standard").pca(3)
    theirs = repeated(ds, weight).cluster.pixels().scale("standard").pca(3)
    # The ratio of variances knows no n or n - 1, and the axes have their signs fixed.
    np.testing.assert_allclose(ours.explained_variance(), theirs.explained_variance(), rtol=1e-4)
    xr.testing.assert_allclose(ours.loadings(), theirs.loadings(), atol=1e-3)


def test_weights_of_integers_equal_repeated_samples_in_kmeans(weighted):
    ds, weight = weighted
    ask = {"init": np.random.default_rng(0).normal(size=(4, 7)), "tol": 0}
    ours = ds.cluster.pixels().weights(weight).kmeans(4, **ask)
    theirs = repeated(ds, weight).cluster.pixels().kmeans(4, **ask)
    np.testing.assert_array_equal(ours.labels, theirs.predict(ds))
    # Weights are scaled to mean 1, so the counts agree as shares.
    shares = [np.divide(each.record.counts, sum(each.record.counts)) for each in (ours, theirs)]
    np.testing.assert_allclose(*shares, rtol=1e-12)


def test_weights_of_integers_equal_repeated_samples_in_a_mixture(bands):
    random = np.random.default_rng(0)
    weight = xr.DataArray(random.integers(1, 4, size=(9, 7)), dims=("y", "x"))
    ask = {"covariance_type": "diag", "tol": 1e-8}
    ours = bands.cluster.pixels(dim="band").weights(weight).gmm(3, **ask)
    many = repeated(bands.drop_vars(["x", "y"]), weight)
    theirs = many.cluster.pixels(dim="band").gmm(3, **ask)
    np.testing.assert_array_equal(ours.labels, theirs.predict(bands))
    np.testing.assert_allclose(ours.centers["data"], theirs.centers["data"], rtol=1e-4)


def test_weights_change_shares_and_labels_are_numbered_by_weight(ocean):
    fit = ocean.cluster.pixels().weights("area").kmeans(4)
    report = fit.report()
    assert (report["share"].diff().dropna() <= 0).all()
    cosine = np.cos(np.deg2rad(ocean.latitude))
    expected = [(cosine * (fit.labels == label)).sum() for label in range(4)]
    np.testing.assert_allclose(report["share"], expected / np.sum(expected), rtol=1e-6)


@pytest.mark.parametrize("step", ["robust", "nmf", "then"])
def test_steps_that_cannot_take_weights_are_reported(ocean, step):
    samples = ocean.clip(min=0).cluster.pixels().weights("area")
    samples = {
        "robust": lambda: samples.scale("robust"),
        "nmf": lambda: samples.nmf(2),
        "then": lambda: samples.then(QuantileTransformer(n_quantiles=10)),
    }[step]()
    notes = samples.kmeans(3).report().attrs["notes"]
    assert any("fitted without weights" in note and step in note for note in notes)


def test_steps_that_take_weights_are_not_reported(ocean):
    notes = ocean.cluster.pixels().weights("area").pca(3).kmeans(3).report().attrs["notes"]
    assert not any("without weights" in note for note in notes)


@pytest.mark.parametrize("peer", [SpectralClustering(3), AgglomerativeClustering(3)])
def test_a_clusterer_without_weights_refuses_them(ocean, peer):
    with pytest.raises(ValueError, match=r"weights=.*takes no weights"):
        ocean.cluster.pixels().weights("area").fit(peer)


def test_a_clusterer_with_weights_gets_them(ocean):
    samples = ocean.cluster.pixels().weights("area")
    assert samples.fit(BisectingKMeans(3, random_state=0)).record.weighted


def test_samples_of_weight_zero_are_left_out(ocean):
    weight = (ocean.sst > 10).astype(float)
    fit = ocean.cluster.pixels().weights(weight).kmeans(3)
    assert not fit.labels.where(ocean.sst <= 10).notnull().any()


# ------------------------------------------------------------------- centres and foreign steps


class Squares(TransformerMixin, BaseEstimator):
    """A transformer without an inverse."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return np.square(X)


def test_centers_without_an_inverse_are_group_means(bands):
    fit = bands.cluster.pixels(dim="band").then(Squares()).kmeans(3)
    for label in range(3):
        mean = bands.where(fit.labels == label).mean(("y", "x"))
        np.testing.assert_allclose(fit.centers["data"].sel(label=label), mean, rtol=1e-5)


def test_rows_that_a_step_refuses_have_no_label():
    def log(X):
        with np.errstate(invalid="ignore"):
            return np.log(X)

    da = xr.DataArray(np.array([1.0, 2.0, 50.0, 60.0]), dims="x")
    fit = da.cluster.pixels().then(FunctionTransformer(log)).kmeans(2)
    labels = fit.predict(xr.DataArray([1.5, -1.0, 55.0], dims="x"))
    assert np.isnan(labels[1])
    assert labels[0] != labels[2]


def test_the_same_question_gives_the_same_transform_twice(ocean):
    samples = ocean.cluster.pixels().pca(3)
    xr.testing.assert_identical(samples.transform(), ocean.cluster.pixels().pca(3).transform())


def test_the_demo_data_are_clustered_in_one_line():
    labels = xcluster.datasets.ocean().cluster.pixels().pca(3).gmm(3).labels
    assert labels.max() == 2
