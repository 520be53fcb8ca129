"""Snapshots: fields weighed by area, anomalies, regimes; chunked as eager and on real fields."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

import xcluster

COADS = Path(__file__).resolve().parents[2] / "shared" / "data/ocean_climate/coads_monthly.nc"
SEQUENCE = np.repeat(np.random.default_rng(1).integers(0, 3, 80), 9)
TIME = pd.date_range("2000-01-01", periods=len(SEQUENCE))


@pytest.fixture
def weather():
    """Two years of days: three patterns on top of a seasonal cycle twice as strong; land is NaN."""
    random = np.random.default_rng(0)
    patterns = random.normal(size=(3, 6, 8))
    season = 20 * np.cos(2 * np.pi * np.arange(len(TIME)) / 365.25)
    noise = 0.3 * random.normal(size=(len(TIME), 6, 8))
    values = patterns[SEQUENCE] + season[:, None, None] + noise
    values[:, 0, :3] = np.nan
    coords = {
        "time": TIME,
        "lat": ("lat", np.linspace(75, -50, 6), {"units": "degrees_north"}),
        "lon": np.arange(0, 360, 45.0),
    }
    return xr.DataArray(values, coords, ("time", "lat", "lon"), name="z", attrs={"units": "m"})


@pytest.fixture
def fit(weather):
    samples = weather.cluster.snapshots("time").weights("area")
    return samples.anomaly("time.dayofyear", smooth=21).pca(4).kmeans(3)


def test_cells_that_never_have_data_are_no_features(weather):
    samples = weather.cluster.snapshots("time")
    assert samples.layout.n_features == 45
    centers = samples.kmeans(2).centers.z
    np.testing.assert_array_equal(centers.isnull().any("label"), weather.isnull().all("time"))


def test_a_cell_that_lacks_data_at_some_times_leaves_these_out(weather):
    weather[5, 3, 3] = np.nan
    labels = weather.cluster.snapshots("time").kmeans(2).labels
    np.testing.assert_array_equal(np.flatnonzero(labels.isnull()), [5])


def test_area_weighs_features_by_the_root_of_the_cosine_of_latitude(weather):
    root = np.sqrt(np.cos(np.deg2rad(weather.lat)))
    rows = (weather * root).transpose("time", "lat", "lon").values.reshape(len(TIME), -1)
    rows = rows[:, np.isfinite(rows).all(axis=0)]
    theirs = KMeans(3, n_init=10, random_state=0).fit(PCA(4, random_state=0).fit_transform(rows))
    ours = weather.cluster.snapshots("time").weights("area").pca(4).kmeans(3)
    assert adjusted_rand_score(ours.labels.values, theirs.labels_) == 1


def test_centers_of_weighed_fields_are_in_data_units(weather):
    fit = weather.cluster.snapshots("time").weights("area").kmeans(3)
    means = weather.groupby(fit.labels).mean()
    np.testing.assert_allclose(fit.centers.z, means.values, atol=1e-5)


def test_weights_of_ones_over_the_field_change_nothing_and_those_over_time_weigh_samples(weather):
    samples = weather.cluster.snapshots("time")
    plain = samples.kmeans(3).labels
    ones = xr.ones_like(weather.isel(time=0, drop=True).fillna(0))
    xr.testing.assert_equal(samples.weights(ones).kmeans(3).labels, plain)
    assert samples.weights(xr.ones_like(weather.time, dtype=float)).layout.weight is not None


def test_anomalies_are_the_data_less_the_mean_of_their_month(weather):
    samples = weather.cluster.snapshots("time").anomaly("time.month").ready
    expected = weather.groupby("time.month") - weather.groupby("time.month").mean()
    np.testing.assert_allclose(samples.layout.variables["z"].array, expected, atol=1e-12)


def test_correlations_of_anomalies_know_no_cycle(weather):
    found = weather.cluster.snapshots("time").anomaly("time.month").correlation()
    anomalies = weather.groupby("time.month") - weather.groupby("time.month").mean()
    expected = anomalies.cluster.snapshots("time").correlation()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_smoothed_cycle_is_a_running_mean_around_the_year(weather):
    samples = weather.cluster.snapshots("time").anomaly("time.month", smooth=3).ready
    groups = weather.groupby("time.month")
    total, count = groups.sum(skipna=False), groups.count()
    around = [
        (total.roll(month=1) + total + total.roll(month=-1)).values,
        (count.roll(month=1) + count + count.roll(month=-1)).values,
    ]
    with np.errstate(invalid="ignore"):
        expected = around[0] / around[1]
    np.testing.assert_allclose(samples.climatology.means["z"], expected)


def test_anomalies_find_the_patterns_that_the_season_hides(weather, fit):
    plain = weather.cluster.snapshots("time").weights("area").pca(4).kmeans(3)
    assert adjusted_rand_score(SEQUENCE, plain.labels) < 0.3
    assert adjusted_rand_score(SEQUENCE, fit.labels) == 1


@pytest.mark.parametrize("chunks", [{"time": 50}, {"time": 200, "lat": 4, "lon": 3}])
def test_chunked_fields_give_the_labels_of_eager_ones(weather, fit, chunks):
    samples = weather.chunk(chunks).cluster.snapshots("time").weights("area")
    lazy = samples.anomaly("time.dayofyear", smooth=21).pca(4).kmeans(3)
    assert lazy.labels.chunks is not None
    xr.testing.assert_equal(lazy.labels.compute(), fit.labels)


def test_building_and_showing_anomalies_of_chunked_fields_computes_nothing(weather, computes):
    samples = weather.chunk(time=50).cluster.snapshots("time").weights("area")
    assert "time.month" in repr(samples.anomaly("time.month").pca(2))
    assert computes() == 0


def test_new_data_are_predicted_with_the_fitted_cycle_after_saving_too(weather, fit, tmp_path):
    fit.save(tmp_path / "a.nc")
    again = xcluster.open(tmp_path / "a.nc")
    summer = slice("2000-06-01", "2000-08-31")
    for new in (weather, weather.isel(lat=slice(None, None, -1)), weather.chunk(time=31)):
        for each in (fit, again):
            xr.testing.assert_equal(
                each.predict(new.sel(time=summer)).compute(), fit.labels.sel(time=summer)
            )
    assert "time.dayofyear" in repr(xcluster.open(tmp_path / "a.nc", data=weather))


def test_months_that_the_cycle_was_not_fitted_to_are_refused(weather):
    winter = weather.sel(time=slice("2000-01-01", "2000-03-31"))
    fit = winter.cluster.snapshots("time").anomaly("time.month").kmeans(2)
    with pytest.raises(ValueError, match="without month 4"):
        fit.predict(weather)


@pytest.mark.parametrize(
    ("groupby", "keywords", "message"),
    [
        ("month", {}, "must name a dim"),
        ("time.moon", {}, "'moon'"),
        ("times.month", {}, "'time'"),
        ("lat.month", {}, "without 'lat'"),
        ("time.month", {"smooth": 4}, "must be odd"),
        ("time.month", {"smooth": 13}, "more than the 12 groups"),
    ],
)
def test_cycles_that_cannot_be_are_refused(weather, groupby, keywords, message):
    with pytest.raises(ValueError, match=message):
        weather.cluster.snapshots("time").anomaly(groupby, **keywords)


@pytest.mark.parametrize("steps", [[0, 1, 3, 4, 9, 20, 22], [0, 2, 1, 3], [0, 1, 1, 2]])
def test_an_irregular_time_axis_is_refused(weather, steps):
    with pytest.raises(ValueError, match=r"irregular|must rise"):
        weather.isel(time=steps).cluster.snapshots("time").anomaly("time.month")


def test_a_time_axis_may_leave_out_whole_seasons_and_count_months(weather):
    winters = weather.isel(time=np.isin(weather.time.dt.month, [12, 1, 2]))
    months = weather.resample(time="MS").mean()
    for data in (winters, months):
        assert data.cluster.snapshots("time").anomaly("time.month").climatology.groupby


# --------------------------------------------------------------------------------------- regimes


def labelled(sequence):
    """A result whose labels follow a sequence of three patterns; label 0 is the most frequent."""
    field = np.eye(3)[np.asarray(sequence)]
    data = xr.DataArray(field, dims=("time", "x"), name="z")
    return data.cluster.snapshots("time").kmeans(3)


def test_statistics_of_regimes_are_those_counted_by_hand():
    fit = labelled([0, 0, 0, 1, 1, 0, 2, 0, 0, 1])
    found = fit.regimes()
    np.testing.assert_allclose(found.frequency, [0.6, 0.3, 0.1])
    np.testing.assert_array_equal(found.episodes, [3, 2, 1])
    np.testing.assert_allclose(found.duration, [2, 1.5, 1])
    expected = np.array([[3, 2, 1], [1, 1, 0], [1, 0, 0]], float)
    np.testing.assert_allclose(found.transitions, expected / expected.sum(1, keepdims=True))
    np.testing.assert_allclose(found.persistence, np.diag(found.transitions))


def test_short_episodes_are_no_regime():
    found = labelled([0, 0, 0, 1, 1, 0, 2, 0, 0, 1]).regimes(min_duration=2)
    np.testing.assert_array_equal(found.labels, [0, 0, 0, 1, 1, -1, -1, 0, 0, -1])
    assert found.no_regime == 0.3
    assert found.labels.attrs["flag_values"][0] == -1


def test_steps_like_no_regime_are_none(weather, fit):
    found = fit.regimes(min_similarity=0.9)
    own = found.similarity.max("label")
    np.testing.assert_array_equal(found.labels == -1, own < 0.9)
    assert 0 < float(found.no_regime) < 1


def test_a_gap_in_time_ends_an_episode(weather, fit):
    days = np.r_[0:9, 20:27]
    found = fit.regimes(weather.isel(time=days))
    assert int(found.episodes.sum()) >= 2
    whole = fit.regimes(weather)
    xr.testing.assert_equal(found.labels, whole.labels.isel(time=days))


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_a_gap_ends_an_episode_in_every_calendar(calendar):
    days = xr.date_range(
        "2000-01-01", periods=20, calendar=calendar, use_cftime=calendar != "standard"
    )
    fit = labelled([0, 0, 0, 0, 1, 1, 2])
    found = fit.regimes(fit.samples.data.assign_coords(time=days[[0, 1, 10, 11, 12, 13, 14]]))
    np.testing.assert_array_equal(found.episodes, [2, 1, 1])
    np.testing.assert_array_equal(found.duration, [2, 2, 1])


@pytest.mark.parametrize("calendar", ["standard", "noleap"])
def test_time_runs_forwards_in_whatever_order_the_steps_are(calendar):
    sequence = [0, 0, 0, 1, 1, 0, 2, 0, 0, 1]
    time = xr.date_range(
        "2000-01-01", periods=10, calendar=calendar, use_cftime=calendar != "standard"
    )
    fit = labelled(sequence)
    new = fit.samples.data.assign_coords(time=time)
    forwards = fit.regimes(new, min_duration=2)
    for order in (slice(None, None, -1), [3, 9, 0, 1, 7, 5, 8, 2, 6, 4]):
        found = fit.regimes(new.isel(time=order), min_duration=2)
        xr.testing.assert_equal(found.drop_dims("time"), forwards.drop_dims("time"))
        xr.testing.assert_equal(found.labels, forwards.labels.isel(time=order))


def test_noise_alone_has_no_regimes(weather):
    with pytest.warns(UserWarning, match="every sample is noise"):
        fit = weather.cluster.snapshots("time").hdbscan(min_cluster_size=500)
    for call in (fit.regimes, fit.plot.transitions):
        with pytest.raises(ValueError, match="every sample is noise"):
            call()


def test_composites_are_means_of_other_variables(weather, fit):
    rain = weather.isel(lat=0, lon=5, drop=True).rename("rain") ** 2
    found = fit.regimes(composites=rain)
    np.testing.assert_allclose(found.rain, rain.groupby(fit.labels).mean())
    with pytest.raises(ValueError, match="other values of 'time'"):
        fit.regimes(composites=rain.isel(time=slice(5)))


def test_regimes_need_a_series(ocean):
    with pytest.raises(ValueError, match="snapshots"):
        ocean.cluster.pixels().kmeans(2).regimes()


@pytest.mark.skipif(not COADS.exists(), reason="the climatology is not there")
def test_months_of_a_real_ocean_split_into_seasons():
    ds = xr.open_dataset(COADS)[["SST", "SLP"]].load()
    ds = ds.where(ds.notnull().all("month"))
    fit = ds.cluster.snapshots("month").weights("area").pca(3).kmeans(2)
    lazy = ds.chunk(month=5, latitude=40).cluster.snapshots("month").weights("area").pca(3)
    xr.testing.assert_equal(lazy.kmeans(2).labels.compute(), fit.labels)
    assert fit.labels.sel(month=2) == fit.labels.sel(month=3) != fit.labels.sel(month=8)
    assert fit.centers.SST.isnull().any("label").equals(ds.SST.isnull().all("month"))


def test_pooled_scenes_have_a_common_climatology():
    time = xr.date_range("2000-01-01", periods=24, freq="MS", use_cftime=False)
    fields = xr.DataArray(
        np.random.default_rng(0).normal(size=(24, 3, 4)), {"time": time}, ("time", "y", "x"), "t"
    )
    scenes = {"a": fields, "b": fields + 1}
    pooled = xcluster.pool(scenes, lambda ds: ds.cluster.snapshots("time").anomaly("time.month"))
    mean = (fields.groupby("time.month").mean() + 0.5).sel(month=fields.time.dt.month)
    for scene, layout in zip(scenes.values(), pooled.ready.layout.scenes, strict=True):
        expected = (scene - mean).drop_vars("month")
        np.testing.assert_allclose(layout.variables["t"].array, expected, atol=1e-12)


def test_a_series_of_single_numbers_can_be_snapshots():
    series = xr.DataArray(np.repeat([0.0, 5.0, 0.0], 4), dims="time", name="z")
    labels = series.cluster.snapshots("time").kmeans(2).labels
    np.testing.assert_array_equal(labels, np.repeat([0, 1, 0], 4))
