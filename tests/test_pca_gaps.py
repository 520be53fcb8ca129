"""Principal components of samples with gaps: what they equal, and what follows from them."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

import xcluster
from xcluster.algorithms import gap_pca
from xcluster.algorithms.gap_pca import GapPCA, fewest
from xcluster.algorithms.parts.gaps import patterns
from xcluster.algorithms.parts.latent import Latent
from xcluster.algorithms.pca import PCA
from xcluster.base.errors import BadParameterError
from xcluster.fit import fitting

NAMES = ("a", "b", "c", "d", "e", "f")
MODES = pytest.mark.parametrize("few", [True, False], ids=["moments", "rows"])


def rows(n=300, p=6, share=0.3, noise=0.4, seed=0):
    """Return rows of two components and noise, with gaps at random."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2)) * [3, 1.5] @ rng.normal(size=(2, p))
    X += noise * rng.normal(size=X.shape) + rng.normal(size=p)
    X[rng.random(X.shape) < share] = np.nan
    X[np.isnan(X).all(axis=1), 0] = 1.0
    return X


@pytest.fixture(scope="module")
def scene():
    coords = {"y": np.arange(20.0), "x": np.arange(15.0)}
    columns = zip(NAMES, rows().T.reshape(len(NAMES), 20, 15), strict=True)
    return xr.Dataset({name: (("y", "x"), values) for name, values in columns}, coords)


@pytest.fixture
def mode(monkeypatch, few):
    """Sum moments of patterns, or pass over rows, whatever the data suggest."""
    monkeypatch.setattr(gap_pca, "_has_few_patterns", lambda X: few)


def em(X, q, weight):
    """Probabilistic principal components with missing values, row by row: mean and covariance.

    What is missing is hidden; the likeliest components follow from the expected covariance.
    """
    p, mean, C = X.shape[1], np.nanmean(X, axis=0), np.diag(np.nanvar(X, axis=0))
    for _ in range(200):
        S, total = np.zeros((p, p)), np.zeros(p)
        for x, w in zip(X, weight, strict=True):
            o = ~np.isnan(x)
            B = C[np.ix_(~o, o)] @ np.linalg.inv(C[np.ix_(o, o)])
            y = x - mean
            y[~o] = B @ y[o]
            total += w * y
            S += w * np.outer(y, y)
            S[np.ix_(~o, ~o)] += w * (C[np.ix_(~o, ~o)] - B @ C[np.ix_(o, ~o)])
        moved, before = total / weight.sum(), C
        mean = mean + moved
        values, vectors = np.linalg.eigh(S / weight.sum() - np.outer(moved, moved))
        values[: p - q] = values[: p - q].mean()
        C = (vectors * values) @ vectors.T
        if np.abs(C - before).max() < 1e-13 * np.abs(C).max():
            break
    return mean, C


def expected_scores(X, mean, C, axes):
    """The scores of rows with the conditional mean in their gaps."""
    out = []
    for x in X:
        o, y = ~np.isnan(x), x - mean
        y[~o] = C[np.ix_(~o, o)] @ np.linalg.solve(C[np.ix_(o, o)], y[o])
        out.append(axes @ y)
    return np.array(out)


def covariance(pca):
    """The covariance under which rows are the likeliest."""
    W = pca.latent_axes_
    return W @ W.T + pca.noise_variance_ * np.eye(len(W))


def likelihood(X, pca):
    """The log-likelihood of what is there."""
    C, total = covariance(pca), 0.0
    for x in X:
        o = ~np.isnan(x)
        total += multivariate_normal.logpdf(x[o], pca.mean_[o], C[np.ix_(o, o)])
    return total


# ----------------------------------------------------------------------------- against references


@pytest.fixture(scope="module")
def reference():
    """Return rows, their weights, and what plain EM finds."""
    X, weight = rows(n=60), np.random.default_rng(1).integers(1, 4, 60).astype(float)
    return X, weight, *em(X, 2, weight)


@MODES
def test_components_are_those_of_plain_em(reference, mode):
    X, weight, mean, C = reference
    pca = GapPCA(2, tol=1e-14).fit(X, sample_weight=weight)
    np.testing.assert_allclose(covariance(pca), C, atol=1e-6 * np.abs(C).max())
    np.testing.assert_allclose(pca.mean_, mean, atol=1e-6 * np.abs(mean).max())
    values = np.linalg.eigvalsh(C)[::-1]
    ratio = values[:2] / values.sum()
    np.testing.assert_allclose(pca.explained_variance_ratio_, ratio, rtol=1e-6)
    share = weight.sum() / (weight.sum() - (weight**2).sum() / weight.sum())
    np.testing.assert_allclose(pca.explained_variance_, values[:2] * share, rtol=1e-6)
    np.testing.assert_allclose(pca.components_ @ pca.components_.T, np.eye(2), atol=1e-12)
    scores = expected_scores(X, mean, C, pca.components_)
    np.testing.assert_allclose(pca.transform(X), scores, atol=1e-5)


def test_the_sign_is_that_of_the_largest_loading():
    pca = GapPCA(3).fit(rows())
    largest = np.abs(pca.components_).argmax(axis=1)
    assert (pca.components_[np.arange(3), largest] > 0).all()


@pytest.mark.parametrize("n", [2, 6, 0.9, None])
def test_without_gaps_it_is_pca_to_the_last_bit(n):
    X = rows(share=0).astype(np.float32)
    ours, plain = GapPCA(n).fit(X), PCA(n).fit(X)
    np.testing.assert_array_equal(ours.components_, plain.components_)
    np.testing.assert_array_equal(ours.explained_variance_, plain.explained_variance_)
    np.testing.assert_array_equal(ours.transform(X), plain.transform(X))
    X[0, 1:] = np.nan  # gaps may come after the fit
    np.testing.assert_array_equal(ours.transform(X)[1:], plain.transform(X[1:]))
    assert np.isfinite(ours.transform(X)).all()


@MODES
def test_with_few_gaps_it_is_close_to_pca(mode):
    X = rows(n=2000, share=0)
    plain = PCA(2).fit(X)
    X[7, 3] = np.nan
    ours = GapPCA(2).fit(X)
    np.testing.assert_allclose(ours.components_, plain.components_, atol=1e-4)
    np.testing.assert_allclose(ours.explained_variance_, plain.explained_variance_, rtol=1e-3)
    away = np.abs(ours.transform(X) - plain.transform(np.nan_to_num(X, nan=plain.mean_[3])))
    assert np.delete(away, 7, axis=0).max() < 1e-2


@MODES
def test_the_likelihood_never_falls(mode):
    X, before = rows(share=0.5), -np.inf
    for n in (1, 2, 3, 5, 10):
        pca = GapPCA(3, tol=0, max_iter=n)
        with pytest.warns(ConvergenceWarning, match=f"max_iter={n}"):
            pca.fit(X)
        after = likelihood(X, pca)
        assert after > before - 1e-9 * abs(before)
        before = after


def test_all_ways_find_the_same(monkeypatch):
    X, found = rows(p=12, share=0.4), []
    for few, most in ((True, 256), (False, 256), (False, 1)):
        monkeypatch.setattr(gap_pca, "_has_few_patterns", lambda X, few=few: few)
        monkeypatch.setattr(gap_pca, "MOST_WHOLE", most)
        found.append(GapPCA(2, tol=1e-14).fit(X))
    assert found[0].n_iter_ == found[1].n_iter_ < found[2].n_iter_
    for other in found[1:]:
        np.testing.assert_allclose(found[0].components_, other.components_, atol=1e-6)
        np.testing.assert_allclose(found[0].transform(X), other.transform(X), atol=1e-5)


@MODES
def test_weights_stand_for_rows_that_occur_several_times(mode):
    X, weight = rows(n=100), np.random.default_rng(1).integers(0, 4, 100)
    weighted = GapPCA(2, tol=1e-14).fit(X, sample_weight=weight)
    repeated = GapPCA(2, tol=1e-14).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.components_, repeated.components_, atol=1e-6)
    np.testing.assert_allclose(weighted.mean_, repeated.mean_, atol=1e-6)


@MODES
def test_units_change_no_bit_and_offsets_no_component(mode):
    X = rows()
    one = GapPCA(2).fit(X)
    for unit in (2.0**60, 2.0**-60):
        other = GapPCA(2).fit(X * unit)
        np.testing.assert_array_equal(other.components_, one.components_)
        np.testing.assert_array_equal(other.transform(X * unit), one.transform(X) * unit)
    for X_ in (X * 1e24, X * 1e-24, X + 1e6):
        other = GapPCA(2).fit(X_)
        np.testing.assert_allclose(other.components_, one.components_, atol=1e-6)


@MODES
def test_values_without_noise_are_found_again(mode):
    whole = rows(share=0, noise=0)
    X = np.where(np.random.default_rng(3).random(whole.shape) < 0.2, np.nan, whole)
    known = (~np.isnan(X)).sum(axis=1) >= 3
    with pytest.warns(UserWarning, match="only 2 principal components"):
        pca = GapPCA(4).fit(X[known])
    assert pca.n_components_ == 2
    back = pca.inverse_transform(pca.transform(X[known]))
    np.testing.assert_allclose(back, whole[known], atol=1e-3)


@MODES
def test_as_many_components_as_features_are_found(mode):
    pca = GapPCA(6).fit(rows())
    np.testing.assert_allclose(pca.components_ @ pca.components_.T, np.eye(6), atol=1e-12)
    assert (np.diff(pca.explained_variance_) <= 0).all()
    assert pca.explained_variance_ratio_.sum() == pytest.approx(1)
    assert GapPCA().fit(rows()).n_components_ == 6


@MODES
def test_a_share_keeps_the_fewest_components_that_explain_it(mode):
    X = rows(noise=1.5)
    for share in (0.5, 0.9, 0.99):
        n = GapPCA(share).fit(X).n_components_
        assert GapPCA(n).fit(X).explained_variance_ratio_.sum() > share
        assert n == 1 or GapPCA(n - 1).fit(X).explained_variance_ratio_.sum() <= share


def test_the_fewest_that_are_enough():
    for most in range(1, 12):
        for least in range(1, most + 1):
            assert fewest(lambda n, least=least: n >= least, most) == least


def test_what_is_done_to_a_row_does_not_depend_on_the_others():
    X = rows().astype(np.float32)
    pca = GapPCA(2).fit(X)
    whole = pca.transform(X)
    for part in (slice(0, 1), slice(5, 90), slice(None, None, 3)):
        np.testing.assert_array_equal(pca.transform(X[part]), whole[part])


def test_patterns_are_the_different_rows():
    for p in (3, 64, 65, 200):
        known = np.random.default_rng(p).random((40, p)) < 0.9
        known = np.concatenate([known, known[::-1]])
        masks, number = patterns(known)
        np.testing.assert_array_equal(masks[number], known)
        assert len(masks) == len(np.unique(known, axis=0))


def test_more_features_than_are_streamed_and_few_rows():
    X = rows(n=40, p=2500, noise=0.2)
    pca = GapPCA(2).fit(X)
    assert not pca.streams
    assert pca.converged_
    back = pca.inverse_transform(pca.transform(X))
    assert np.nanvar(X - back) < 1.2 * 0.2**2


@parametrize_with_checks([GapPCA(2, max_iter=2000)])
def test_sklearn_compatible(estimator, check):
    check(estimator)


# ------------------------------------------------------------------------------------- in a chain


def test_everything_may_follow(scene, tmp_path):
    samples = scene.cluster.pixels(missing="keep").pca(2)
    covered = scene.to_array().notnull().mean("variable") >= 0.5
    np.testing.assert_array_equal(samples.transform().notnull().all("component"), covered)
    for fit in (samples.hdbscan(), samples.hac(3)):
        np.testing.assert_array_equal(fit.labels.notnull(), covered)
    assert "comment" not in fit.silhouette.attrs
    assert "comment" not in fit.scores().attrs
    assert "partial distances" in fit.scores("data").attrs["comment"]
    assert samples.scale("robust").kmeans(2).k == 2
    table = samples.sweep(range(2, 4), criteria=["gap", "silhouette"]).table
    assert table.to_array().notnull().all()


def test_centres_are_of_what_was_measured_and_files_know_all(scene, tmp_path):
    fit = scene.cluster.pixels(missing="keep").pca(2).kmeans(3)
    means = scene.where(fit.labels.notnull()).groupby(fit.labels).mean()
    for name in NAMES:
        np.testing.assert_allclose(fit.centers[name], means[name], rtol=1e-6)
        np.testing.assert_allclose(fit.back_projection()[name], means[name], rtol=1e-6)
    assert any("have gaps" in note for note in fit.report().attrs["notes"])
    fit.save(tmp_path / "fit.nc")
    opened = xcluster.open(tmp_path / "fit.nc", data=scene)
    xr.testing.assert_identical(opened.predict(scene), fit.labels)
    xr.testing.assert_identical(opened.coverage, fit.coverage)
    xr.testing.assert_identical(opened.centers, fit.centers)


def test_scenes_are_fitted_together(scene):
    halves = [scene.isel(y=slice(10)), scene.isel(y=slice(10, None))]
    ask = lambda each: each.cluster.pixels(missing="keep").pca(2)  # noqa: E731
    pooled = xcluster.pool(halves, ask).kmeans(3)
    found = xr.concat([pooled[name].labels for name in pooled], "y")
    np.testing.assert_array_equal(found, ask(scene).kmeans(3).labels)


def test_the_reconstruction_is_compared_with_what_was_measured(scene):
    found = scene.cluster.pixels(missing="keep").scale(None).pca(2)
    X = np.stack([scene[name].values.ravel() for name in NAMES], axis=1)
    X = X[(~np.isnan(X)).mean(axis=1) >= 0.5]
    pca = GapPCA(2).fit(X)
    missed = np.nansum((X - pca.inverse_transform(pca.transform(X))) ** 2)
    r2 = 1 - missed / np.nansum((X - np.nanmean(X, axis=0)) ** 2)
    assert float(found.reconstruction().total) == pytest.approx(r2, abs=1e-4)


@MODES
def test_chunks_change_no_bit(scene, mode, monkeypatch):
    monkeypatch.setattr(fitting, "ALL_POINTS", 100)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 120)
    turned = scene.transpose("x", "y").isel(y=slice(None, None, -1))
    weight = 1 + scene.y * scene.x / 50
    fits = [
        ds.cluster.pixels(missing="keep").weights(weight).pca(2).kmeans(3, fit_on="all")
        for ds in (scene, turned.chunk(y=(1, 19), x=9))
    ]
    one = fits[0].model[1]
    assert fits[0].record.fit_on == "all rows, streamed"
    assert not fits[0].record.sampled
    for name in ("components_", "mean_", "explained_variance_", "latent_axes_"):
        np.testing.assert_array_equal(getattr(fits[1].model[1], name), getattr(one, name))
    labels = fits[1].labels.sortby("y").transpose("y", "x")
    np.testing.assert_array_equal(labels, fits[0].labels)


@MODES
def test_a_stream_finds_the_components_of_all_rows(scene, mode, monkeypatch):
    whole = scene.cluster.pixels(missing="keep").pca(2).kmeans(2).model[1]
    monkeypatch.setattr(fitting, "ALL_POINTS", 100)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 120)
    monkeypatch.setitem(GapPCA.__init__.__kwdefaults__, "tol", 1e-13)
    found = scene.cluster.pixels(missing="keep").pca(2).kmeans(2, fit_on="all").model[1]
    np.testing.assert_allclose(found.components_, whole.components_, atol=1e-3)
    np.testing.assert_allclose(found.explained_variance_, whole.explained_variance_, rtol=1e-3)


# -------------------------------------------------------------------------------------- bad input


def test_bad_input_is_refused(scene):
    samples = scene.cluster.pixels(missing="keep")
    with pytest.raises(BadParameterError, match="of equal noise") as caught:
        samples.pca(2, noise="poisson").kmeans(2)
    assert caught.value.parameter == "steps"
    with pytest.raises(BadParameterError, match="from 1 to 6") as caught:
        samples.pca(7).kmeans(2)
    assert caught.value.parameter == "n"
    lacking = scene.assign(d=scene.d * np.nan).cluster.pixels(missing="keep", coverage=0.3)
    with pytest.raises(BadParameterError, match="'d': missing in each of"):
        lacking.pca(2).kmeans(2)
    with pytest.raises(BadParameterError, match="1 rows without any value: 3"):
        GapPCA(2).fit(np.where(np.arange(9)[:, None] == 3, np.nan, rows(n=9)))
    for keywords in ({"tol": -1}, {"max_iter": 0}):
        with pytest.raises(BadParameterError, match=next(iter(keywords))):
            GapPCA(2, **keywords).fit(rows())


def test_rows_with_little_come_near_the_mean():
    latent = Latent(np.zeros(2), np.array([[1.0], [1.0]]), 1.0)
    found = latent.completed(np.array([[3.0, np.nan], [3.0, 3.0]]))
    np.testing.assert_allclose(found.lanes.T, [[3.0, 1.5], [3.0, 3.0]])


@MODES
def test_constants_with_gaps_have_scores_of_zero(mode):
    X = np.full((40, 4), 3.0)
    X[::3, 1] = X[1::4, 2] = np.nan
    fit = GapPCA(1).fit(X)
    assert fit.converged_
    assert not fit.transform(X).any()


@MODES
def test_a_block_without_rows_sums_to_nothing(mode):
    fit = GapPCA(1).fit(rows(40))
    sums = fit.partial_statistics(rows(40)[:0]).sums
    assert not any(np.any(each) for each in sums.values())
