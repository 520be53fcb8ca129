"""Cosine and correlation from samples to results: in any chunks, streamed, saved, compared."""

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_rand_score, silhouette_samples

import xcluster
from xcluster import scores
from xcluster.base.errors import BadValueError
from xcluster.fit import fitting

METRICS = ("cosine", "correlation")
DARK = 12


def image(shape=(60, 50)):
    """Return spectra of four materials under very uneven light; some pixels are dark."""
    rng = np.random.default_rng(0)
    material = rng.integers(4, size=shape)
    spectra = rng.gamma(1, 1, (4, 9))[material] + 0.1 * rng.random((*shape, 9))
    spectra *= rng.gamma(2, 1, (*shape, 1))
    spectra[:3, :4] = 0
    axes = {name: np.arange(n) * 1.0 for name, n in zip("yxb", spectra.shape, strict=True)}
    arrays = {"r": (("y", "x", "b"), spectra), "material": (("y", "x"), material)}
    return xr.Dataset(arrays, axes)


@pytest.fixture(scope="module")
def ds():
    return image()


@pytest.fixture(scope="module", params=METRICS)
def fit(request, ds):
    return pixels(ds).kmeans(4, metric=request.param)


def pixels(ds):
    return ds[["r"]].cluster.pixels(dim="b")


def rows_of(ds, fit):
    labels = fit.labels.values.ravel()
    known = ~np.isnan(labels)
    return ds.r.values.reshape(-1, 9)[known], labels[known].astype(int), known


def test_materials_are_found_under_any_light(ds, fit):
    _, labels, known = rows_of(ds, fit)
    assert adjusted_rand_score(ds.material.values.ravel()[known], labels) > 0.999
    euclidean = pixels(ds).kmeans(4).labels.values.ravel()[known]
    assert adjusted_rand_score(ds.material.values.ravel()[known], euclidean) < 0.5


def test_samples_without_a_direction_are_no_data_and_counted(ds, fit):
    np.testing.assert_array_equal(fit.labels.isnull(), (ds.r == 0).all("b"))
    assert (fit.record.fitted, fit.record.empty) == (3000 - DARK, DARK)
    assert "12 of 3,000 samples without a direction" in fit.report().attrs["notes"]
    assert fit.distances.isnull().sum() == 4 * DARK


def test_centres_are_the_means_of_their_samples_in_data_units(ds, fit):
    means = [ds.r.where(fit.labels == label).mean(["y", "x"]) for label in range(4)]
    np.testing.assert_allclose(fit.centers.r, np.stack(means), rtol=1e-12)


def test_silhouettes_are_those_of_scikit_learn(ds, fit):
    X, labels, known = rows_of(ds, fit)
    metric = fit.model[-1].metric
    expected = silhouette_samples(X, labels, metric=metric)
    np.testing.assert_allclose(fit.silhouette.values.ravel()[known], expected, atol=1e-6)
    assert float(fit.scores().silhouette) == pytest.approx(expected.mean(), abs=1e-9)
    swept = pixels(ds).sweep([3, 4], metric=metric, criteria=["silhouette", "distortion"])
    assert float(swept.table.silhouette[1]) == pytest.approx(expected.mean(), abs=1e-6)
    assert float(fit.scores().distortion) == pytest.approx(float(swept.table.distortion[1]), 1e-5)


def test_a_result_is_saved_opened_and_predicts(ds, fit, tmp_path):
    fit.save(tmp_path / "fit.nc")
    opened = xcluster.open(tmp_path / "fit.nc")
    assert opened.record == fit.record
    xr.testing.assert_identical(opened.labels, fit.labels)
    xr.testing.assert_identical(opened.centers, fit.centers)
    brighter = ds[["r"]] * xr.DataArray(2.0 ** np.arange(60), dims="y")
    xr.testing.assert_equal(opened.predict(brighter).compute(), fit.labels)


def arrangements(ds):
    yield ds.chunk(y=(1, 40, 19), x=17, b=-1)
    yield ds.transpose("b", "x", "y").isel(y=slice(None, None, -1)).chunk(x=50, y=31)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("streams", [False, True])
def test_labels_are_the_same_bits_in_any_chunks(ds, metric, streams, monkeypatch):
    if streams:
        monkeypatch.setattr(fitting, "ALL_POINTS", 1_000)
        monkeypatch.setattr(fitting, "SAMPLE_ROWS", 700)
    given = {"metric": metric, "n_init": 1, "fit_on": "all", "progress": False}
    expected = pixels(ds).kmeans(5, **given)
    assert expected.record.fit_on == ("all rows, streamed" if streams else "all rows")
    assert expected.record.empty == DARK
    for arranged in arrangements(ds):
        fit = pixels(arranged).kmeans(5, **given)
        assert fit.record == expected.record
        np.testing.assert_array_equal(fit.model[-1].cluster_centers_, centers_of(expected))
        labels = fit.labels.compute().transpose("y", "x").sortby("y")
        xr.testing.assert_equal(labels, expected.labels)


def centers_of(fit):
    return fit.model[-1].cluster_centers_


@pytest.mark.parametrize("metric", METRICS)
def test_trees_and_dense_groups_take_the_same_metrics(ds, metric):
    part = ds.isel(y=slice(0, 20))
    truth = part.material.values.ravel()
    for fit in (
        pixels(part).hac(4, linkage="average", metric=metric),
        pixels(part).dbscan(0.02, metric=metric),
        pixels(part).hdbscan(20, metric=metric),
    ):
        _, labels, known = rows_of(part, fit)
        assert fit.record.empty == DARK
        assert adjusted_rand_score(truth[known], labels) > 0.99
        assert float(fit.distances.min("label").max()) < 0.3
    units = pixels(part).hac(4, linkage="average", metric=metric).distances.attrs.get("units")
    assert units == ("rad" if metric == "cosine" else None)


def test_regions_merge_by_correlation(ds):
    fit = pixels(ds.isel(y=slice(0, 12))).hac(
        40, linkage="average", metric="correlation", contiguous=True
    )
    assert fit.k == 40


def test_angles_start_at_zero_so_several_variables_are_not_centred(ds):
    two = ds[["r"]].assign(s=100 * ds.r + 1)
    assert two.cluster.pixels(dim="b").kmeans(3, metric="cosine").model[0].how == "max"
    other = two.cluster.pixels(dim="b").kmeans(3, metric="correlation").model
    assert other[0].how == "standard"


def test_data_without_any_direction_are_refused(ds):
    with pytest.raises(BadValueError, match="undefined for 3,000 of 3,000 samples"):
        pixels(ds * 0).kmeans(2, metric="cosine")


@pytest.mark.parametrize("metric", METRICS)
def test_scores_of_directions_are_weighted_as_repeated_rows(metric):
    rng = np.random.default_rng(6)
    X, labels, times = rng.normal(size=(90, 5)) + 2, rng.integers(-1, 3, 90), rng.integers(1, 4, 90)
    weighted = scores.silhouette_samples(X, labels, times, metric=metric)
    repeated = np.repeat(np.arange(90), times)
    expected = scores.silhouette_samples(X[repeated], labels[repeated], metric=metric)
    np.testing.assert_allclose(weighted[repeated], expected, atol=1e-12)
    known = labels >= 0
    theirs = silhouette_samples(X[known], labels[known], metric=metric)
    ours = scores.silhouette_samples(X, labels, metric=metric)
    np.testing.assert_allclose(ours[known], theirs, atol=1e-12)


def test_equal_directions_have_no_silhouette_and_unknown_metrics_are_named():
    X = np.outer([1.0, 2, 3, 4], [0.1, 0.2, 0.7])
    found = scores.silhouette_samples(X, [0, 0, 1, 1], metric="cosine")
    np.testing.assert_array_equal(found, 0)
    with pytest.raises(BadValueError, match="cosine"):
        scores.silhouette_score(X, [0, 0, 1, 1], metric="cosin")
    with pytest.raises(BadValueError, match="undefined for 1 of 4"):
        scores.silhouette_score(X * [[1], [0], [1], [1]], [0, 0, 1, 1], metric="cosine")


def test_labels_are_numbered_by_size_or_by_a_variable_of_centers(ds):
    with pytest.raises(BadValueError, match=r"Pass order='size'"):
        pixels(ds).kmeans(3, metric="cosine", order="center")
    fit = pixels(ds).kmeans(3, metric="cosine", n_init=1, order="size")
    assert (np.diff(fit.report().samples) <= 0).all()
    fit = pixels(ds).kmeans(3, metric="cosine", n_init=1, order="r")
    assert (np.diff(fit.centers.r.mean("b")) > 0).all()
