"""Labels of data that hold more than was fitted, or a single sample."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xcluster

DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="module")
def cube():
    """Three groups of spectra of twelve bands, in float32."""
    random = np.random.default_rng(0)
    shape = random.normal(size=(3, 12))
    group = np.arange(20 * 30).reshape(20, 30) % 3
    values = (5 * shape[group] + random.normal(size=(20, 30, 12))).astype(np.float32)
    coords = {"y": np.arange(20.0), "x": np.arange(30.0), "band": np.linspace(0.4, 2.5, 12)}
    return xr.DataArray(values, coords, ("y", "x", "band"), name="radiance")


@pytest.fixture(scope="module")
def fit(cube):
    return cube.isel(band=slice(2, 9)).cluster.pixels(dim="band").gmm(3)


# ------------------------------------------------------------------------------ single samples


def test_a_single_pixel_has_a_scalar_label(cube, fit):
    few = cube.isel(band=slice(2, 9))
    for y, x in ((0, 0), (7, 11), (19, 29)):
        label = fit.predict(few.isel(y=y, x=x))
        assert label.shape == ()
        assert label.item() == fit.labels[y, x].item()
        assert (label.y.item(), label.x.item()) == (y, x)
        assert str(label.attrs) == str(fit.labels.attrs)
        assert label.name == "label"
        assert label.encoding == fit.labels.encoding


def test_a_single_pixel_has_memberships(cube, fit):
    found = fit.predict(cube.isel(y=3, x=4, band=slice(2, 9)), memberships=True)
    assert found.labels.shape == ()
    xr.testing.assert_allclose(found.memberships, fit.memberships.isel(y=3, x=4), atol=1e-6)


def test_a_single_pixel_without_data_has_no_label(cube, fit):
    assert np.isnan(fit.predict(cube.isel(y=3, x=4, band=slice(2, 9)) * np.nan))


def test_a_single_pixel_of_several_variables_has_a_label(ocean):
    fit = ocean.cluster.pixels().kmeans(3)
    place = np.argwhere(np.isfinite(fit.labels.values))[50]
    at = dict(zip(fit.labels.dims, place, strict=True))
    assert fit.predict(ocean.isel(at)).item() == fit.labels.isel(at).item()


def test_a_lazy_pixel_has_a_lazy_label(cube, fit, computes):
    label = fit.predict(cube.chunk(x=10).isel(y=3, x=4))
    assert label.chunks is not None
    assert computes() == 0
    assert label.compute().item() == fit.labels[3, 4].item()


def test_a_single_profile_and_a_single_step_have_a_label(cube):
    profiles = cube.cluster.profiles("band", step=0.2).kmeans(3)
    assert profiles.predict(cube.isel(y=2, x=1)).item() == profiles.labels[2, 1].item()
    dates = pd.date_range("2001-01-01", periods=20)
    steps = cube.rename(y="time").assign_coords(time=dates)
    fit = steps.cluster.snapshots("time").kmeans(3)
    label = fit.predict(steps.isel(time=4))
    assert label.item() == fit.labels[4].item()
    assert label.time == dates[4]
    assert fit.predict(steps.isel(time=4, drop=True)).item() == label.item()


def test_a_single_step_of_anomalies_has_a_label():
    dates = pd.date_range("2001-01-01", periods=730)
    values = np.random.default_rng(0).normal(size=(730, 4, 5))
    days = xr.DataArray(values, {"time": dates}, ("time", "y", "x"), name="slp")
    fit = days.cluster.snapshots().anomaly("time.month").kmeans(3)
    assert fit.predict(days.isel(time=99)).item() == fit.labels[99].item()


def test_a_single_pixel_keeps_its_grid_mapping(cube):
    crs = xr.DataArray(0, attrs={"grid_mapping_name": "latitude_longitude"})
    data = cube.to_dataset().assign(crs=crs)
    data.radiance.attrs["grid_mapping"] = "crs"
    fit = data.cluster.pixels(dim="band").kmeans(3)
    label = fit.predict(data.isel(x=0, y=0))
    assert label.attrs["grid_mapping"] == "crs"
    assert label.crs.shape == ()
    assert data.radiance.dims == ("y", "x", "band")


def test_a_dim_named_sample_is_the_user_s(cube):
    data = cube.rename(band="sample")
    fit = data.cluster.pixels(dim="sample").kmeans(3)
    assert fit.predict(data.isel(x=5, y=6)).item() == fit.labels[6, 5].item()


def test_pools_and_saved_results_label_a_single_pixel(cube, tmp_path):
    pooled = xcluster.pool(
        {"a": cube, "b": cube + 1}, lambda each: each.cluster.pixels(dim="band")
    ).kmeans(3)
    assert pooled.predict(cube[3, 4]).item() == pooled["a"].labels[3, 4].item()
    pooled.save(tmp_path / "fit.nc")
    again = xcluster.open(tmp_path / "fit.nc")
    assert again.predict(cube[3, 4]).item() == pooled["a"].labels[3, 4].item()


# ------------------------------------------------------------------------------ more than fitted


@pytest.mark.parametrize(
    "order", [slice(None), slice(None, None, -1), [4, 2, 9, 0, 11, 3, 7, 5, 6, 8, 1, 10]]
)
@pytest.mark.parametrize("chunks", [None, {"x": 7, "band": 5}])
def test_bands_that_were_fitted_are_taken_by_their_coordinate(cube, fit, order, chunks):
    new = cube.isel(band=order)
    new = new if chunks is None else new.chunk(chunks)
    found = fit.predict(new)
    assert (found.chunks is None) == (chunks is None)
    xr.testing.assert_identical(found.compute(), fit.labels)


def test_bands_in_another_precision_are_found(cube, fit):
    xr.testing.assert_equal(
        fit.predict(cube.assign_coords(band=cube.band.astype("f4"))), fit.labels
    )


def test_named_bands_are_taken_by_name(cube):
    named = cube.assign_coords(band=list("abcdefghijkl"))
    fit = named.sel(band=["b", "k", "c"]).cluster.pixels(dim="band").kmeans(3)
    xr.testing.assert_equal(fit.predict(named), fit.labels)


def test_more_variables_levels_and_cells_are_no_matter(cube):
    fit = cube.isel(band=slice(3, 8)).cluster.profiles("band").kmeans(3)
    both = cube.to_dataset().assign(other=cube + 1)
    xr.testing.assert_equal(fit.predict(both), fit.labels)
    steps = cube.rename(y="time")
    region = steps.isel(x=slice(4, 20)).cluster.snapshots("time").kmeans(3)
    xr.testing.assert_equal(region.predict(steps), region.labels)


def test_without_coordinates_more_bands_are_refused(cube, fit):
    with pytest.raises(ValueError, match="12 points along 'band', not 7, and no coordinates"):
        fit.predict(cube.drop_vars("band"))
    bare = cube.drop_vars("band").isel(band=slice(2, 9)).cluster.pixels(dim="band").kmeans(3)
    with pytest.raises(ValueError, match="no coordinates tell which"):
        bare.predict(cube)


def test_more_bands_of_other_values_are_refused(cube, fit):
    moved = cube.assign_coords(band=cube.band + 0.01)
    said = r"12 points along .band., not 7, and 0\.78\d+. is not among"
    with pytest.raises(ValueError, match=said):
        fit.predict(moved)


def test_fewer_bands_are_refused(cube, fit):
    with pytest.raises(ValueError, match="5 points along 'band', not 7"):
        fit.predict(cube.isel(band=slice(2, 7)))


def test_bands_that_occur_twice_are_refused(cube, fit):
    with pytest.raises(ValueError, match="24 points along 'band', not 7"):
        fit.predict(xr.concat([cube, cube], "band"))


@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")
def test_a_fit_without_water_bands_labels_the_whole_spectrometer_cube():
    """AVIRIS of Salinas A: 20 of 224 bands see only water vapour."""
    scene = xr.open_dataset(DATA / "land" / "salinas_a.nc")[["radiance"]]
    scene = scene.assign_coords(band=np.arange(1, 225))
    dry = scene.sel(band=~scene.water_band.astype(bool))
    fit = dry.cluster.pixels(dim="band").kmeans(6)
    xr.testing.assert_equal(fit.predict(scene), fit.labels)
    assert fit.predict(scene.isel(y=40, x=41)).item() == fit.labels[40, 41].item()


def test_a_single_column_with_its_own_levels_and_one_step_of_one_member():
    random = np.random.default_rng(0)
    pressure = np.sort(random.uniform(0, 600, (60, 80)), axis=1)
    warm = np.arange(60)[:, None] % 2
    floats = xr.Dataset(
        {
            "t": (("profile", "level"), 4 + (8 + 6 * warm) * np.exp(-pressure / 250)),
            "p": (("profile", "level"), pressure),
        }
    )
    keywords = {"along": "p", "between": (50, 500), "step": 25}
    fit = floats.cluster.profiles("level", vars="t", **keywords).kmeans(2)
    assert fit.predict(floats.isel(profile=7)).item() == fit.labels[7].item()
    runs = xr.DataArray(random.normal(size=(3, 40, 4, 5)), dims=("member", "time", "y", "x"))
    steps = runs.cluster.snapshots(["member", "time"]).kmeans(2)
    assert steps.predict(runs.isel(member=1, time=9)).item() == steps.labels[1, 9].item()
