"""Features are known by their coordinates: in whatever order data hold them, rows agree."""

import numpy as np
import pytest
import xarray as xr

import xcluster


def bands_of(names):
    """Three bands that tell apart: the second rises as the first falls, the last is noise."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(12, 15))
    values = np.stack([base, -3 * base + 5, 20 * rng.normal(size=base.shape)])
    coords = {"band": names, "y": np.arange(12.0), "x": np.arange(15.0)}
    return xr.DataArray(values, coords, ("band", "y", "x"), name="radiance")


def weather():
    time = xr.date_range("2001-01-01", periods=60, freq="MS", use_cftime=False)
    coords = {"time": time, "lat": [50.0, 40.0, 30.0], "lon": np.arange(0.0, 40, 10)}
    values = np.random.default_rng(1).normal(size=(60, 3, 4)) * np.arange(1, 5)
    values += 9 * np.sin(2 * np.pi * time.month.values / 12)[:, None, None] * np.arange(4)
    values[:, 1, 2] = np.nan
    return xr.DataArray(values, coords, ("time", "lat", "lon"), name="z")


BANDS = {
    "names": (["blue", "red", "green"], ["blue", "green", "red"]),
    "numbers": ([400, 700, 550], [400, 550, 700]),
    "rising": ([400, 550, 700], [700, 400, 550]),
    "falling": ([700, 550, 400], [400, 550, 700]),
}


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("case", BANDS)
def test_predictions_do_not_depend_on_the_order_of_bands(case, lazy):
    fitted, other = BANDS[case]
    da = bands_of(fitted)
    fit = da.cluster.pixels(dim="band").kmeans(4)
    moved = da.sel(band=other)
    predicted = fit.predict(moved.chunk(x=5, band=1) if lazy else moved)
    assert (predicted.chunks is not None) == lazy
    np.testing.assert_array_equal(predicted, fit.labels)


def test_predictions_within_a_range_of_levels_do_not_depend_on_their_order():
    da = bands_of([400, 700, 550])
    fit = da.cluster.profiles("band", between=(500, 800)).kmeans(3)
    np.testing.assert_array_equal(fit.predict(da.sel(band=[550, 400, 700])), fit.labels)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("moved", [{"lon": 2}, {"lat": 1}, {"lat": 2, "lon": 1}])
def test_predictions_of_fields_do_not_depend_on_where_they_begin(moved, lazy):
    da = weather()
    rolled = da.roll(moved, roll_coords=True)
    rolled = rolled.chunk(time=20) if lazy else rolled
    for samples in (
        da.cluster.snapshots("time"),
        da.cluster.snapshots("time").anomaly("time.month"),
    ):
        fit = samples.pca(3).kmeans(4)
        np.testing.assert_array_equal(fit.predict(rolled), fit.labels)


def test_a_cycle_is_subtracted_where_it_was_learned_and_labels_stay_where_the_data_are():
    da = weather().drop_isel(lat=1)
    fit = da.cluster.pixels().anomaly("time.month").kmeans(3)
    rolled = da.roll(lon=1, lat=1, roll_coords=True)
    expected = fit.labels.roll(lon=1, lat=1, roll_coords=True)
    xr.testing.assert_equal(fit.predict(rolled), expected)


def test_a_cycle_over_named_bands_is_subtracted_from_each_its_own():
    da = weather().isel(lat=0).assign_coords(lon=["d", "c", "a", "b"])
    with pytest.warns(UserWarning, match="it holds names"):
        samples = da.cluster.snapshots("time")
    fit = samples.anomaly("time.month").kmeans(3)
    np.testing.assert_array_equal(fit.predict(da.sel(lon=["a", "b", "c", "d"])), fit.labels)


def test_features_are_named_in_the_order_that_rows_hold_them():
    da = bands_of(["blue", "red", "green"])
    frame = da.cluster.pixels(dim="band").kmeans(2).to_dataframe()
    for band in da.band.values:
        np.testing.assert_allclose(frame[f"radiance {band}"], da.sel(band=band).values.ravel())
    correlation = da.cluster.pixels(dim="band").correlation()
    other = correlation.dims[1]
    pair = {correlation.dims[0]: "radiance blue", other: "radiance red"}
    assert float(correlation.sel(pair)) == pytest.approx(-1)


def test_scenes_of_another_order_are_refused():
    da = bands_of(["blue", "red", "green"])
    scenes = {"a": da, "b": da.sel(band=["blue", "green", "red"])}
    with pytest.raises(ValueError, match=r"scene 'b'=.*another order of 'band'"):
        xcluster.pool(scenes, lambda each: each.cluster.pixels(dim="band"))
