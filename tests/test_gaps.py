"""Samples with gaps: which they are, what is learned from them, and what refuses them."""

import numpy as np
import pytest
import xarray as xr
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import nan_euclidean_distances

import xcluster
from xcluster import scores
from xcluster.algorithms.fuzzy import FuzzyCMeans
from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.mixture import GaussianMixture
from xcluster.algorithms.parts.sums import PLAIN
from xcluster.algorithms.scaling import Scaler
from xcluster.algorithms.spherical import SphericalKMeans
from xcluster.base.errors import BadValueError
from xcluster.base.parallel import single_threaded_blas
from xcluster.fit import fitting

SHAPE = (24, 20)
NAMES = ("a", "b", "c", "d", "e")


def rows(seed=0, n=480, share=0.3):
    """Return rows of three groups with gaps at random, and the groups."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n)
    X = 4 * rng.normal(size=(3, len(NAMES)))[group] + rng.normal(size=(n, len(NAMES)))
    X[rng.random(X.shape) < share] = np.nan
    X[np.isnan(X).all(axis=1), 0] = 1.0
    return X, group


@pytest.fixture(scope="module")
def scene():
    """Return the rows on a grid, as float64."""
    X, _ = rows()
    coords = {"y": np.arange(24.0), "x": np.arange(20.0)}
    columns = zip(NAMES, X.T.reshape(len(NAMES), *SHAPE), strict=True)
    return xr.Dataset({name: (("y", "x"), values) for name, values in columns}, coords)


@pytest.fixture(scope="module")
def fit(scene):
    return scene.cluster.pixels(missing="keep").kmeans(3)


def covered(scene, least):
    return scene.to_array().notnull().mean("variable") >= least


# --------------------------------------------------------------------------- which are samples


def test_samples_are_those_with_enough_features(scene):
    for coverage in (0.2, 0.5, 0.6, 1.0):
        labels = scene.cluster.pixels(missing="keep", coverage=coverage).kmeans(3).labels
        np.testing.assert_array_equal(labels.notnull(), covered(scene, coverage))


def test_a_sample_without_any_feature_is_none(scene):
    empty = scene.where(scene.y > 3)
    fit = empty.cluster.pixels(missing="keep", coverage=0).kmeans(2)
    some = empty.to_array().notnull().any("variable")
    np.testing.assert_array_equal(fit.labels.notnull(), some)


def test_each_variable_counts_the_same():
    rng = np.random.default_rng(0)
    deep = xr.DataArray(rng.normal(size=(30, 9)), dims=("x", "z"), coords={"z": np.arange(9.0)})
    ds = xr.Dataset({"t": deep.where(deep.x > 9), "top": deep.isel(z=0, drop=True)})
    samples = ds.cluster.profiles("z", vars=["t", "top"], missing="keep", coverage=0.5)
    coverage = samples.kmeans(2).coverage
    np.testing.assert_array_equal(coverage, np.where(ds.x > 9, 1.0, 0.5))


def test_coverage_is_lazy_and_says_which_share_is_there(scene, fit):
    share = scene.to_array().notnull().mean("variable")
    np.testing.assert_allclose(fit.coverage, share.where(share >= 0.5), rtol=1e-6)
    lazy = fit.samples.data.chunk(y=7).cluster.pixels(missing="keep").kmeans(3).coverage
    assert lazy.chunks is not None
    xr.testing.assert_identical(lazy.compute(), fit.coverage)


def test_the_report_says_how_much_was_there(scene, fit):
    kept = covered(scene, 0.5)
    known = scene.to_array().notnull().where(kept, drop=False)
    n_gaps = int((~known.all("variable") & kept).sum())
    share = float(known.where(kept).mean())
    note = next(each for each in fit.report().attrs["notes"] if "gaps" in each)
    assert note.startswith(f"{n_gaps:,} of {int(kept.sum()):,} samples have gaps: {share:.0%}")


def test_every_sampler_keeps_gaps(scene):
    cube = scene.to_array("band").transpose("y", "x", "band")
    curves = cube.cluster.profiles("band", missing="keep").kmeans(3)
    np.testing.assert_array_equal(curves.labels.notnull(), covered(scene, 0.5))
    windows = cube.isel(band=0).cluster.patches(3, dims=("y", "x"), missing="keep").kmeans(2)
    assert windows.labels.notnull().mean() > 0.9
    fields = cube.cluster.snapshots("band", missing="keep").weights(scene.y + 1).kmeans(2)
    assert fields.labels.notnull().all()
    step = cube.assign_coords(band=np.arange(5.0)).cluster
    assert step.profiles("band", step=0.5, missing="keep", coverage=0.3).kmeans(2).k == 2


# ------------------------------------------------------------------------------------- k-means


def lloyd_of_known(X, centers):
    """k-POD's objective, minimised by plain numpy from given centres."""
    for _ in range(200):
        squares = np.nansum((X[:, None] - centers) ** 2, axis=2)
        labels = squares.argmin(axis=1)
        groups = [X[labels == c] for c in range(len(centers))]
        counts = np.array([np.isfinite(group).sum(axis=0) for group in groups])
        totals = np.array([np.nansum(group, axis=0) for group in groups])
        moved = np.where(counts > 0, totals / np.maximum(counts, 1), centers)
        if np.array_equal(moved, centers):
            break
        centers = moved
    return labels, centers, squares.min(axis=1).sum()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_kmeans_is_lloyd_on_what_is_known(dtype):
    X = rows(share=0.4)[0].astype(dtype)
    start = np.nan_to_num(X[:3])
    labels, centers, objective = lloyd_of_known(X.astype(np.float64), start)
    ours = KMeans(3, init=start, tol=0).fit(X)
    np.testing.assert_array_equal(ours.labels_, labels)
    np.testing.assert_allclose(ours.cluster_centers_, centers, rtol=1e-5)
    np.testing.assert_allclose(ours.inertia_, objective, rtol=1e-5)
    np.testing.assert_array_equal(ours.predict(X), labels)


def test_kmeans_finds_the_best_of_many_starts():
    X, group = rows()
    rng = np.random.default_rng(0)
    whole = np.where(np.isnan(X), np.nanmean(X, axis=0), X)
    starts = (whole[rng.choice(len(X), 3, replace=False)] for _ in range(10))
    best = min(lloyd_of_known(X, start)[2] for start in starts)
    ours = KMeans(3).fit(X)
    assert ours.inertia_ <= best * (1 + 1e-6)
    assert adjusted_rand_score(group, ours.labels_) > 0.85


def test_weights_stand_for_rows_that_occur_several_times():
    X, _ = rows(n=200, share=0.2)
    weight = np.random.default_rng(2).integers(1, 4, len(X))
    start = np.nan_to_num(X[:3])
    weighted = KMeans(3, init=start).fit(X, sample_weight=weight)
    repeated = KMeans(3, init=start).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.cluster_centers_, repeated.cluster_centers_, rtol=1e-6)


def test_distances_are_partial(scene, fit):
    X = np.stack([scene[name].values.ravel() for name in NAMES], axis=1)
    scaled = fit.model[:-1].transform(X)
    raw = nan_euclidean_distances(scaled, fit.model[-1].cluster_centers_)
    ours = fit.distances.values.reshape(3, -1)
    kept = covered(scene, 0.5).values.ravel()
    np.testing.assert_allclose(ours[fit.partition.codes].T[kept], raw[kept], rtol=1e-5)


def test_a_feature_that_no_row_of_a_cluster_has_keeps_its_start():
    X = np.array([[0.0, 5.0], [0.1, 5.1], [9.0, np.nan], [9.1, np.nan]])
    fit = KMeans(2, init=np.array([[0.0, 5.0], [9.0, 4.0]])).fit(X)
    np.testing.assert_allclose(fit.cluster_centers_, [[0.05, 5.05], [9.05, 4.0]])


def test_units_and_offsets_change_no_label():
    X, _ = rows()
    labels = KMeans(3).fit_predict(X)
    for factor in (2.0**80, 2.0**-80):
        np.testing.assert_array_equal(KMeans(3).fit_predict(X * factor), labels)
    assert adjusted_rand_score(KMeans(3).fit_predict(X + 1e6), labels) == 1


# --------------------------------------------------------------------------------------- fuzzy


def fuzzy_of_known(X, centers, m, passes=300):
    """Fuzzy c-means by partial distances (Hathaway and Bezdek 2001), by plain numpy."""
    known = ~np.isnan(X)
    for _ in range(passes):
        squares = nan_euclidean_distances(X, centers, squared=True)
        u = squares ** (-1 / (m - 1))
        u /= u.sum(axis=1, keepdims=True)
        centers = (u**m).T @ np.nan_to_num(X) / ((u**m).T @ known)
    return centers, u


@pytest.mark.parametrize("m", [2.0, 1.5])
def test_fuzzy_is_that_of_partial_distances(m):
    X, group = rows()
    start = np.array([np.nanmean(X[group == g], axis=0) for g in range(3)])
    centers, u = fuzzy_of_known(X, start, m)
    fit = FuzzyCMeans(3, m=m, init=start, tol=1e-12).fit(X)
    np.testing.assert_allclose(fit.cluster_centers_, centers, rtol=1e-5)
    np.testing.assert_allclose(fit.predict_proba(X), u, atol=1e-5)
    history = np.array(fit.objective_history_)
    assert (np.diff(history) <= 1e-12 * history[0]).all()
    free = FuzzyCMeans(3, m=m).fit(X)
    assert free.objective_ <= fit.objective_ * (1 + 1e-4)


def test_weights_of_fuzzy_stand_for_rows_that_occur_several_times():
    X, _ = rows(n=200, share=0.2)
    weight = np.random.default_rng(2).integers(1, 4, len(X))
    start = np.nan_to_num(X[:3])
    weighted = FuzzyCMeans(3, init=start).fit(X, sample_weight=weight)
    repeated = FuzzyCMeans(3, init=start).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.cluster_centers_, repeated.cluster_centers_, rtol=1e-6)


@pytest.mark.parametrize("end", ["fuzzy", "gmm"])
def test_memberships_distances_and_files_are_of_what_is_there(scene, tmp_path, end):
    fit = getattr(scene.cluster.pixels(missing="keep"), end)(3, n_init=1)
    kept = covered(scene, 0.5)
    np.testing.assert_array_equal(fit.memberships.notnull().all("label"), kept)
    np.testing.assert_allclose(fit.memberships.sum("label").where(kept).max(), 1, rtol=1e-6)
    rows_of = fit.model[:-1].transform(scene[list(NAMES)].to_dataframe()[list(NAMES)].values)
    away = nan_euclidean_distances(rows_of, fit.assign.centers)
    ours = fit.distances.values.reshape(3, -1)[fit.partition.codes].T
    np.testing.assert_allclose(ours[kept.values.ravel()], away[kept.values.ravel()], rtol=1e-5)
    assert np.isfinite([float(each) for each in fit.scores().values()]).all()
    fit.save(tmp_path / "fit.nc")
    opened = xcluster.open(tmp_path / "fit.nc")
    predicted = opened.predict(scene, memberships=True)
    np.testing.assert_array_equal(predicted["memberships"], fit.memberships)


@pytest.mark.parametrize(
    "keywords", [{"kind": "possibilistic"}, {"shape": "gustafson-kessel"}, {"kind": "no"}]
)
def test_other_fuzzy_clusters_refuse_gaps(scene, keywords):
    parameter = "kind" if keywords == {"kind": "no"} else "method"
    refused(lambda: scene.cluster.pixels(missing="keep").fuzzy(3, **keywords), parameter)


# ----------------------------------------------------------------------------------------- gmm


def em_of_known(X, weights, means, covariances, kind, passes):
    """EM of a mixture with missing values (Ghahramani and Jordan 1994), row by row."""
    k, p = means.shape
    likelihoods = []
    for _ in range(passes):
        logs, rows, products = np.empty((len(X), k)), np.empty((len(X), k, p)), []
        products = np.empty((len(X), k, p, p))
        for i, x in enumerate(X):
            o = ~np.isnan(x)
            for c in range(k):
                mean, S = means[c], covariances[c]
                logs[i, c] = np.log(weights[c]) + multivariate_normal.logpdf(
                    x[o], mean[o], S[np.ix_(o, o)]
                )
                B = S[np.ix_(~o, o)] @ np.linalg.inv(S[np.ix_(o, o)])
                y = x.copy()
                y[~o] = mean[~o] + B @ (x[o] - mean[o])
                C = np.zeros((p, p))
                C[np.ix_(~o, ~o)] = S[np.ix_(~o, ~o)] - B @ S[np.ix_(o, ~o)]
                rows[i, c], products[i, c] = y, np.outer(y, y) + C
        total = logsumexp(logs, axis=1)
        likelihoods.append(total.mean())
        r = np.exp(logs - total[:, None])
        n = r.sum(axis=0)
        weights = n / len(X)
        means = np.einsum("ic,icp->cp", r, rows) / n[:, None]
        second = np.einsum("ic,icpq->cpq", r, products) / n[:, None, None]
        covariances = second - np.einsum("cp,cq->cpq", means, means)
        if kind == "tied":
            covariances = np.broadcast_to(np.tensordot(weights, covariances, 1), covariances.shape)
        if kind == "diag":
            covariances = covariances * np.eye(p)
        if kind == "spherical":
            variance = np.einsum("cpp->c", covariances) / p
            covariances = variance[:, None, None] * np.eye(p)
    return weights, means, covariances, likelihoods, r


SHAPES = {
    "full": lambda S: S,
    "tied": lambda S: S[0],
    "diag": lambda S: np.diagonal(S, axis1=1, axis2=2),
    "spherical": lambda S: S[:, 0, 0],
}


@pytest.mark.parametrize("kind", SHAPES)
def test_gmm_is_em_with_missing_values(kind):
    X, group = rows(n=90)
    means = np.array([np.nanmean(X[group == g], axis=0) for g in range(3)])
    start = np.full(3, 1 / 3), means, np.tile(2.0 * np.eye(5), (3, 1, 1))
    weights, centers, covariances, likelihoods, r = em_of_known(X, *start, kind, passes=4)
    given = {"weights_init": start[0], "means_init": means}
    given["precisions_init"] = SHAPES[kind](np.linalg.inv(start[2]))
    fit = GaussianMixture(3, covariance_type=kind, reg_covar=0, tol=0, max_iter=4, **given)
    with pytest.warns(ConvergenceWarning):
        fit.fit(X)
    np.testing.assert_allclose(fit.weights_, weights, rtol=1e-7)
    np.testing.assert_allclose(fit.means_, centers, rtol=1e-7)
    np.testing.assert_allclose(fit.covariances_, SHAPES[kind](covariances), rtol=1e-6, atol=1e-9)
    assert fit.lower_bound_ == pytest.approx(likelihoods[-1], rel=1e-9)
    _, _, _, after, r = em_of_known(X, weights, centers, covariances, kind, passes=1)
    np.testing.assert_allclose(fit.predict_proba(X), r, atol=1e-7)
    assert fit.score(X) == pytest.approx(after[0], rel=1e-9)


@pytest.mark.parametrize("kind", SHAPES)
def test_the_likelihood_never_falls(kind):
    X, _ = rows(share=0.4)
    fit = GaussianMixture(3, covariance_type=kind, reg_covar=0, tol=0, max_iter=1)
    with pytest.warns(ConvergenceWarning):
        fit.fit(X)
    values = []
    with single_threaded_blas():
        for _ in range(25):
            fit.update(fit.partial_statistics(X))
            values.append(fit.lower_bound_)
    assert (np.diff(values) > -1e-9 * abs(values[-1])).all()


def test_gmm_finds_the_groups(scene):
    _, group = rows()
    fit = scene.cluster.pixels(missing="keep").gmm(3)
    kept = covered(scene, 0.5).values.ravel()
    assert adjusted_rand_score(group[kept], fit.labels.values.ravel()[kept]) > 0.95
    np.testing.assert_allclose(fit.memberships.sum("label").values.ravel()[kept], 1, rtol=1e-6)
    assert np.isfinite([float(each) for each in fit.scores().values()]).all()


@pytest.mark.parametrize(("n_features", "remedy"), [(12, "raise coverage"), (60, "pca first")])
def test_many_patterns_are_said_with_the_time_they_take(n_features, remedy):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(130, n_features))
    X[rng.random(X.shape) < 0.5] = np.nan
    X[np.isnan(X).all(axis=1), 0] = 0.0
    said = rf"in 1\d\d different patterns.*about 0.1\d s for a pass.*{remedy}"
    with pytest.warns(UserWarning, match=said):
        GaussianMixture(1, covariance_type="spherical").fit(X)


# ------------------------------------------------------------------------------------- scaling


@pytest.mark.parametrize("how", ["standard", "minmax", "max"])
def test_scaling_is_from_what_is_there(how):
    X, _ = rows()
    scaler = Scaler(how).fit(X)
    center, scale = {
        "standard": (np.nanmean(X, axis=0), np.nanstd(X, axis=0)),
        "minmax": (np.nanmin(X, axis=0), np.nanmax(X, axis=0) - np.nanmin(X, axis=0)),
        "max": (0, np.nanmax(abs(X), axis=0)),
    }[how]
    np.testing.assert_allclose(scaler.transform(X), (X - center) / scale, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(scaler.inverse_transform(scaler.transform(X)), X, rtol=1e-9)


def test_weighted_means_and_deviations_are_of_what_is_there():
    X, _ = rows()
    weight = np.random.default_rng(0).gamma(2, 1, len(X))
    scaler = Scaler().fit(X, sample_weight=weight)
    known = np.ma.masked_invalid(X)
    mean = np.ma.average(known, axis=0, weights=weight)
    variance = np.ma.average((known - mean) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(scaler.center_, mean, rtol=1e-9)
    np.testing.assert_allclose(scaler.scale_, np.sqrt(variance), rtol=1e-9)


# ----------------------------------------------------------------- chunks, streams, files, scenes

CHAINS = {
    "kmeans": lambda s: s.kmeans(3, fit_on="all"),
    "fuzzy": lambda s: s.fuzzy(3, fit_on="all", n_init=1),
    "gmm": lambda s: s.gmm(3, fit_on="all", n_init=1, max_iter=20),
    "weights.tied gmm": lambda s: s.weights("area").gmm(
        3, covariance_type="tied", fit_on="all", n_init=1, max_iter=20
    ),
    "minmax.kmeans": lambda s: s.scale("minmax").kmeans(3, fit_on="all"),
    "weights.kmeans": lambda s: s.weights("area").kmeans(3, fit_on="all"),
}


@pytest.mark.parametrize(
    ("name", "streams"), [("kmeans", False), *((name, True) for name in CHAINS)]
)
def test_chunks_change_no_bit(scene, name, streams, monkeypatch):
    if streams:
        monkeypatch.setattr(fitting, "ALL_POINTS", 100)
        monkeypatch.setattr(fitting, "SAMPLE_ROWS", 120)
    ds = scene.assign_coords(y=("y", scene.y.values, {"units": "degrees_north"}))
    fits = CHAINS[name]
    expected = fits(ds.cluster.pixels(missing="keep"))
    assert expected.record.fit_on == ("all rows, streamed" if streams else "all rows")
    turned = ds.transpose("x", "y").isel(y=slice(None, None, -1))
    for other in (ds.chunk(y=(1, 23)), turned.chunk(y=7, x=9)):
        found = fits(other.cluster.pixels(missing="keep"))
        labels = found.labels.sortby("y").transpose("y", "x")
        np.testing.assert_array_equal(labels, expected.labels)
        for variable in expected.centers:
            np.testing.assert_array_equal(found.centers[variable], expected.centers[variable])


def test_a_stream_ends_where_lloyd_on_all_rows_ends(scene, monkeypatch):
    whole = scene.cluster.pixels(missing="keep").scale("standard").kmeans(3)
    monkeypatch.setattr(fitting, "ALL_POINTS", 100)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 200)
    streamed = scene.chunk(y=5).cluster.pixels(missing="keep").scale("standard")
    streamed = streamed.kmeans(3, fit_on="all", tol=0)
    maps = (each.labels.fillna(-1).values.ravel() for each in (whole, streamed))
    assert adjusted_rand_score(*maps) > 0.98
    kept = scene.where(covered(scene, 0.5))
    found = kept.groupby(streamed.labels.compute()).mean()
    for name in NAMES:
        np.testing.assert_allclose(streamed.centers[name], found[name], rtol=1e-6)


def test_saved_results_label_samples_with_gaps(scene, fit, tmp_path):
    fit.save(tmp_path / "fit.nc")
    opened = xcluster.open(tmp_path / "fit.nc", data=scene)
    xr.testing.assert_identical(opened.predict(scene), fit.labels)
    xr.testing.assert_identical(opened.coverage, fit.coverage)
    assert opened.report().attrs["notes"] == fit.report().attrs["notes"]
    alone = xcluster.open(tmp_path / "fit.nc")
    xr.testing.assert_equal(alone.labels.compute(), fit.labels)
    xr.testing.assert_identical(alone.predict(scene.isel(y=slice(4))), fit.labels.isel(y=slice(4)))


def test_scenes_are_fitted_together(scene, fit):
    halves = [scene.isel(y=slice(12)), scene.isel(y=slice(12, None))]
    pooled = xcluster.pool(halves, lambda each: each.cluster.pixels(missing="keep")).kmeans(3)
    found = [pooled[name].labels for name in pooled]
    np.testing.assert_array_equal(xr.concat(found, "y"), fit.labels)


# ----------------------------------------------------------------------- what follows from a fit


def test_centres_and_back_projection_are_of_what_was_measured(scene, fit):
    kept = scene.where(fit.labels.notnull()).groupby(fit.labels)
    projected = fit.back_projection()
    for name in NAMES:
        np.testing.assert_allclose(projected[name], kept.mean()[name], rtol=1e-6)
        n = kept.count()[name]
        error = kept.std()[name] / np.sqrt(n - 1)
        np.testing.assert_allclose(projected[f"{name}_error"], error, rtol=1e-6)
    cleaned = fit.smooth(3)
    means = scene.where(fit.labels.notnull()).groupby(cleaned.labels).mean()
    for name in NAMES:
        np.testing.assert_allclose(cleaned.centers[name], means[name], rtol=1e-6)


def shares(fit, weight, power):
    """Return how much each sample counts in the centre of each label."""
    label = xr.DataArray(np.arange(fit.k), dims="label")
    share = fit.memberships.astype(np.float64) ** power if fit.is_soft else fit.labels == label
    return (share * weight).where(fit.labels.notnull(), 0.0).transpose("label", "y", "x").values


def check_measured(centers, scene, share):
    """Compare centres with the weighted means of the values that are there, by plain numpy."""
    for name in NAMES:
        values = scene[name].values
        known = share * np.isfinite(values)
        expected = np.nansum(share * values, axis=(1, 2)) / known.sum(axis=(1, 2))
        np.testing.assert_allclose(centers[name], expected, rtol=2e-4)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(("method", "power"), [("kmeans", 1), ("gmm", 1), ("fuzzy", 2)])
def test_centres_are_weighted_means_of_what_was_measured(
    scene, tmp_path, monkeypatch, method, power, streams
):
    if streams:
        monkeypatch.setattr(fitting, "ALL_POINTS", 100)
        monkeypatch.setattr(fitting, "SAMPLE_ROWS", 120)
    half = scene.isel(y=slice(12))
    weight = 1 + half.y * half.x / 50
    samples = half.chunk(y=5).cluster.pixels(missing="keep").weights(weight).scale("standard")
    fit = getattr(samples, method)(3, n_init=1, tol=1e-5, fit_on="all")
    assert fit.record.fit_on == ("all rows, streamed" if streams else "all rows")
    share = shares(fit, weight, power)
    check_measured(fit.centers, half, share)
    fit.save(tmp_path / "fit.nc")
    merged = np.stack([share[0] + share[2], share[1]])
    for each in (fit, xcluster.open(tmp_path / "fit.nc")):
        check_measured(each.merge([[0, 2]]).centers, half, merged)


def test_what_no_sample_of_a_label_has_is_unknown_in_its_centre(tmp_path):
    a = np.repeat([0.0, 10.0, 20.0], 8).reshape(2, 12) + np.linspace(0, 1, 12)
    b = np.where(a < 15, a, np.nan)
    ds = xr.Dataset({"a": (("y", "x"), a), "b": (("y", "x"), b)})
    fit = ds.cluster.pixels(missing="keep").kmeans(3, order="a")
    np.testing.assert_array_equal(fit.centers.b.isnull(), [False, False, True])
    merged = fit.merge([[1, 2]])
    np.testing.assert_allclose(merged.centers.b[1], b[(a > 5) & (a < 15)].mean())
    fit.smooth(3).save(tmp_path / "fit.nc")
    xr.testing.assert_identical(xcluster.open(tmp_path / "fit.nc").centers, fit.smooth(3).centers)
    assert fit.match(fit).labels.equals(fit.labels)
    assert len(fit.report()) == 3


@pytest.mark.parametrize("method", ["kmeans", "gmm"])
def test_a_stream_knows_what_no_sample_of_a_label_has(method, monkeypatch):
    monkeypatch.setattr(fitting, "ALL_POINTS", 10)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 60)
    rng = np.random.default_rng(0)
    a = 30.0 * rng.integers(0, 3, (6, 12)) + rng.normal(size=(6, 12))
    b = np.where(a < 45, a + rng.normal(size=a.shape), np.nan)
    ds = xr.Dataset({"a": (("y", "x"), a), "b": (("y", "x"), b)}).chunk(y=4)
    samples = ds.cluster.pixels(missing="keep").scale("minmax")
    fit = getattr(samples, method)(3, order="a", fit_on="all")
    assert fit.record.fit_on == "all rows, streamed"
    np.testing.assert_array_equal(fit.centers.b.isnull(), [False, False, True])
    np.testing.assert_allclose(fit.centers.b[1], b[(a > 15) & (a < 45)].mean())
    np.testing.assert_allclose(fit.centers.a[2], a[a > 45].mean())


@pytest.mark.parametrize("method", ["kmeans", "gmm"])
def test_of_complete_samples_it_is_the_same_whether_gaps_are_kept(scene, method, monkeypatch):
    monkeypatch.setattr(fitting, "ALL_POINTS", 100)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 120)
    whole = scene.fillna(scene.mean() + scene.y + scene.x)
    kept, dropped = (
        getattr(whole.cluster.pixels(missing=how), method)(3, n_init=1, fit_on="all")
        for how in ("keep", "drop")
    )
    xr.testing.assert_equal(kept.labels, dropped.labels)
    xr.testing.assert_allclose(kept.centers, dropped.centers, rtol=1e-12)


@pytest.mark.parametrize("estimator", [KMeans(3), SphericalKMeans(3), GaussianMixture(3)])
def test_a_pass_hands_out_the_shares_that_predict_gives(estimator):
    X, _ = rows()
    X = np.nan_to_num(X, nan=1.0) if isinstance(estimator, SphericalKMeans) else X
    weight = np.linspace(0.5, 2, len(X))
    estimator.fit(X)
    with single_threaded_blas():
        found, shares = estimator.statistics_and_shares(X, weight, PLAIN)
        expected = estimator.partial_statistics(X, weight)
    for name, value in expected.sums.items():
        np.testing.assert_array_equal(found.sums[name], value)
    soft = isinstance(estimator, GaussianMixture)
    predicted = estimator.predict_proba(X).T if soft else estimator.predict(X)
    np.testing.assert_allclose(shares, predicted, rtol=1e-9)


def silhouette(X, labels):
    """The silhouette of partial distances, by plain numpy."""
    away = nan_euclidean_distances(X)
    out = []
    for i in range(len(X)):
        means = {}
        for label in np.unique(labels):
            others = (labels == label) & (np.arange(len(X)) != i)
            means[label] = np.nanmean(away[i, others])
        a = means.pop(labels[i])
        b = min(means.values())
        out.append((b - a) / max(a, b))
    return np.array(out)


def test_silhouettes_are_by_partial_distances_and_say_so(fit):
    X, group = rows(n=90)
    np.testing.assert_allclose(scores.silhouette_samples(X, group), silhouette(X, group), atol=1e-9)
    assert "partial distances" in fit.silhouette.attrs["comment"]
    assert "partial distances" in fit.scores().attrs["comment"]
    assert np.isfinite([float(each) for each in fit.scores().values()]).all()


def test_scores_of_gaps_are_those_of_partial_distances():
    X, group = rows(n=200)
    means = np.array([np.nanmean(X[group == g], axis=0) for g in range(3)])
    away = nan_euclidean_distances(X, means)
    own = away[np.arange(len(X)), group]
    assert scores.inertia(X, group) == pytest.approx((own**2).sum())
    others = np.where(np.arange(3) == group[:, None], np.inf, away).min(axis=1)
    simplified = ((others - own) / np.maximum(own, others)).mean()
    assert scores.simplified_silhouette_score(X, group, means) == pytest.approx(simplified)
    complete = np.nan_to_num(X)
    assert scores.davies_bouldin(X, group) != scores.davies_bouldin(complete, group)
    edges = [np.linspace(np.nanmin(c), np.nanmax(c), 11) for c in X.T]
    entropy = 0.0
    for column, edge in zip(X.T, edges, strict=True):
        known = ~np.isnan(column)
        for g in range(3):
            counts = np.histogram(column[known & (group == g)], edge)[0]
            p = counts[counts > 0] / counts.sum()
            entropy -= counts.sum() / known.sum() * (p * np.log(p)).sum()
    assert float(scores.cluster_entropy(X, group)) == pytest.approx(entropy)


def test_correlations_are_of_the_samples_that_have_both(scene):
    frame = scene.where(covered(scene, 0.5)).to_dataframe()[list(NAMES)]
    found = scene.cluster.pixels(missing="keep").correlation()
    np.testing.assert_allclose(found, frame.corr(), rtol=1e-9)


def test_a_k_is_chosen_from_samples_with_gaps(scene, fit):
    criteria = ["inertia", "silhouette", "simplified_silhouette"]
    found = scene.cluster.pixels(missing="keep").sweep(range(2, 5), criteria=criteria)
    assert found.best("silhouette") == found.best("simplified_silhouette") == 3
    assert (np.diff(found.table["inertia"]) < 0).all()
    agreement = fit.uncertainty(n_refits=2).agreement
    np.testing.assert_array_equal(agreement.notnull(), fit.labels.notnull())


def test_gaps_that_a_step_fills_are_none_for_those_behind_it(scene):
    fit = scene.cluster.pixels(missing="keep").then(SimpleImputer()).pca(2).kmeans(3)
    np.testing.assert_array_equal(fit.labels.notnull(), covered(scene, 0.5))
    assert fit.centers["a"].notnull().all()


# ------------------------------------------------------------------------------------ bad input


def refused(function, parameter):
    with pytest.raises(BadValueError) as caught:
        function()
    assert caught.value.parameter == parameter
    return str(caught.value)


@pytest.mark.parametrize("end", ["hac", "som"])
def test_clusterers_that_cannot_take_gaps_name_those_that_can(scene, end):
    samples = scene.cluster.pixels(missing="keep")
    said = refused(lambda: getattr(samples, end)(*([] if end == "som" else [3])), "method")
    assert "kmeans()" in said
    assert "SimpleImputer" in said


@pytest.mark.parametrize(
    "step",
    [
        lambda s: s.pca(2, noise="poisson"),
        lambda s: s.nmf(2),
        lambda s: s.scale("robust"),
        lambda s: s.scale("log"),
    ],
)
def test_steps_that_cannot_take_gaps_name_those_that_can(scene, step):
    said = refused(lambda: step(scene.cluster.pixels(missing="keep")).kmeans(2), "steps")
    assert "'standard', 'minmax' or 'max'" in said


def test_refusals_come_before_anything_is_read(scene):
    def broken(block):
        raise AssertionError("was read")

    lazy = scene.chunk(y=8).map(lambda a: a.copy(data=a.data.map_blocks(broken, dtype=a.dtype)))
    refused(lambda: lazy.cluster.pixels(missing="keep").hac(3), "method")
    refused(lambda: lazy.cluster.pixels(missing="keep").nmf(2).kmeans(3), "steps")
    refused(lambda: lazy.cluster.pixels(missing="keep").sweep([2, 3], criteria="gap"), "criteria")


def test_a_feature_that_no_sample_has_is_named(scene):
    lacking = scene.assign(d=scene.d * np.nan)
    said = refused(lambda: lacking.cluster.pixels(missing="keep", coverage=0.3).kmeans(2), "vars")
    assert "'d': missing in each of" in said


def test_rows_without_any_value_are_refused():
    X, _ = rows()
    X[3] = np.nan
    with pytest.raises(BadValueError, match="1 rows without any value: 3"):
        KMeans(3).fit(X)
    for estimator in (KMeans(3), Scaler()):
        with pytest.raises(BadValueError, match="1 features without any value: 0"):
            estimator.fit(np.where(np.arange(5) == 0, np.nan, np.nan_to_num(X)))


@pytest.mark.parametrize("estimator", [KMeans(2), GaussianMixture(2), FuzzyCMeans(2)])
def test_a_feature_that_only_rows_without_weight_have_is_refused(estimator):
    X, _ = rows(n=40)
    X[1:, 4] = np.nan
    weight = np.ones(40)
    weight[0] = 0
    with pytest.raises(BadValueError, match="1 features without any value: 4"):
        estimator.fit(X, sample_weight=weight)


def test_directions_need_all_features(scene):
    X, group = rows(n=40)
    for metric in ("cosine", "correlation"):
        with pytest.raises(BadValueError, match=r"kmeans\(\) under the Euclidean metric"):
            scene.cluster.pixels(missing="keep").kmeans(3, metric=metric)
        with pytest.raises(ValueError, match="NaN"):
            SphericalKMeans(3, metric=metric).fit(X)
        with pytest.raises(BadValueError, match="needs all features"):
            scores.silhouette_score(X, group, metric=metric)
        with pytest.raises(BadValueError, match="needs all features"):
            scores.simplified_silhouette_score(X, group, np.ones((3, 5)), metric=metric)


def test_deviance_is_of_whole_counts_alone(scene):
    counts = (10 * abs(scene)).round()
    fit = counts.cluster.pixels(missing="keep").kmeans(2, n_init=1)
    assert "deviance" not in fit.scores(space="data")
    X, group = rows(n=40)
    with pytest.raises(BadValueError, match="counts"):
        scores.poisson_deviance(abs(X), group)


def test_infinite_values_are_refused_beside_gaps(scene):
    infinite = scene.assign(a=scene.a.where(scene.y > 2, np.inf))
    assert "infinite" in refused(lambda: infinite.cluster.pixels(missing="keep").kmeans(2), "vars")


def test_too_few_samples_say_which_coverage_they_lack(scene):
    sparse = scene.where(scene.y < -1).assign(a=scene.a)
    said = refused(lambda: sparse.cluster.pixels(missing="keep").kmeans(2), "vars")
    assert "coverage below 0.5" in said


@pytest.mark.parametrize("sampler", ["pixels", "snapshots"])
def test_wrong_keywords_are_refused(scene, sampler):
    make = getattr(scene.cluster, sampler)
    given = {} if sampler == "pixels" else {"dim": "y"}
    refused(lambda: make(missing="no", **given), "missing")
    refused(lambda: make(missing=0.5, **given), "missing")
    refused(lambda: make(missing="keep", coverage=1.5, **given), "coverage")
    refused(lambda: make(coverage=0.7, **given), "coverage")
