"""If no sample is complete, the error says what to do; each remedy is done here, and works."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xcluster
from xcluster.base.errors import TooFewError

DATA = Path(__file__).parents[2] / "shared" / "data"
rng = np.random.default_rng(0)


def error_of(cluster):
    with pytest.raises(TooFewError) as caught:
        cluster()
    return caught.value


def followed(remedy, data):
    """Return the data and the keywords that a remedy asks for; its code stands behind colons."""
    keywords = {}
    for part in remedy.split("; and "):
        _, _, code = part.partition(": ")
        if code.startswith("ds"):
            data = eval(code, {"ds": data, "np": np})
        else:
            keywords |= eval(f"dict({code})")
    return data, keywords


def check(data, sampler, mentions, *args, where=None, k=2, **keywords):
    """Fit in vain, do what the error says, fit again; return the error and the result."""

    def fit(data, **changes):
        chosen = {**keywords, **changes}
        samples = getattr(data.cluster, sampler)(*args, **chosen)
        samples = samples if where is None else samples.where(where)
        return samples.kmeans(k)

    error = error_of(lambda: fit(data))
    assert "complete" in error.rule
    for text in mentions:
        assert text in error.remedy, error.remedy
    if sampler != "profiles":
        assert "between" not in error.remedy
        assert "missing=" not in error.remedy
    data, changes = followed(error.remedy, data)
    again = fit(data, **changes)
    assert again.record.fitted >= k
    return error, again


@pytest.fixture
def image():
    names = "abc"
    return xr.Dataset(
        {name: (("y", "x"), rng.normal(size=(20, 30))) for name in names},
        {"y": np.arange(20.0), "x": np.arange(30.0)},
    )


@pytest.fixture
def spectra():
    values = rng.normal(size=(20, 30, 12)).astype(np.float32)
    coords = {"y": np.arange(20), "x": np.arange(30), "band": np.linspace(0.4, 2.5, 12)}
    return xr.DataArray(values, coords, ("y", "x", "band"), name="radiance").to_dataset()


# ----------------------------------------------------------------------------------- pixels


def test_pixels_leave_a_variable_out(image):
    image["b"] = image.b * np.nan
    _, fit = check(image, "pixels", ["vars=['a', 'c']"])
    assert fit.record.fitted == 600


def test_named_variables_are_named_again(image):
    image["b"] = image.b * np.nan
    check(image, "pixels", ["vars=['a']"], vars=["a", "b"])


def test_variables_that_no_sample_has_together(image):
    half = image.x < 15
    image = image.assign(a=image.a.where(half), b=image.b.where(~half))
    _, fit = check(image, "pixels", ["vars=["])
    assert fit.record.fitted == 300


def test_pixels_leave_bands_out_that_are_missing_everywhere(spectra):
    spectra["radiance"] = spectra.radiance.where((spectra.band < 1.3) | (spectra.band > 1.5))
    _, fit = check(spectra, "pixels", ["ds.dropna('band', how='all')"], dim="band")
    assert fit.record.fitted == 600
    assert fit.centers.sizes["band"] == 11


def test_pixels_leave_bands_out_inside_a_mask_only(spectra):
    inside = spectra.x < 10
    spectra["radiance"] = spectra.radiance.where(~inside | (spectra.band > 1.0))
    _, fit = check(spectra, "pixels", ["ds.isel({'band': slice("], dim="band", where=inside)
    assert fit.record.fitted == 200


def test_most_values_are_kept(spectra):
    """Two bands lack a half each, a third lacks nearly all."""
    left = spectra.x < 15
    values = spectra.radiance.copy()
    values[:, :, 3] = values[:, :, 3].where(left)
    values[:, :, 5] = values[:, :, 5].where(~left)
    values[:, :, 8] = values[:, :, 8].where(spectra.x < 1)
    spectra["radiance"] = values
    _, fit = check(spectra, "pixels", ["np.r_["], dim="band")
    # Without bands 8, 3 and 5 all 600 samples have 9 values; with one of 3 and 5 300 have 10.
    assert (fit.record.fitted, fit.centers.sizes["band"]) == (600, 9)


def test_a_stacked_detector_leaves_dead_channels_out():
    index = pd.MultiIndex.from_product([range(4), range(5)], names=["ky", "kx"])
    values = rng.normal(size=(10, 12, 20))
    values[..., [3, 11]] = np.nan
    data = xr.DataArray(values, dims=("y", "x", "detector"), name="counts")
    data = data.assign_coords(xr.Coordinates.from_pandas_multiindex(index, "detector"))
    check(data.to_dataset(), "pixels", ["dropna('detector', how='all')"], dim="detector")
    check(data, "pixels", ["dropna('detector', how='all')"], dim="detector")


DEAD = {
    "a row": (lambda ky, kx: ky == 2, ["dropna('ky', how='all')"], ["'kx'"]),
    "a row and columns": (lambda ky, kx: (ky == 0) | (kx > 2), ["dropna('ky'", "dropna('kx'"], []),
    "a cell": (lambda ky, kx: (ky == 1) & (kx == 3), ["fillna(ds.mean())"], ["'k"]),
}


@pytest.mark.parametrize("case", DEAD)
def test_a_detector_of_two_dims_leaves_rows_and_columns_out_or_is_filled(case):
    dead, mentions, others = DEAD[case]
    data = xr.DataArray(rng.normal(size=(10, 12, 4, 5)), dims=("y", "x", "ky", "kx"), name="counts")
    places = (xr.DataArray(np.arange(data.sizes[dim]), dims=dim) for dim in ("ky", "kx"))
    data = data.where(~dead(*places))
    error, _ = check(data.to_dataset(), "pixels", mentions, dim=["ky", "kx"])
    assert not any(text in error.remedy for text in others)


def test_spectra_over_different_dims_leave_entries_of_each_out(spectra):
    spectra["counts"] = (("y", "x", "energy"), rng.normal(size=(20, 30, 5)))
    spectra["image"] = (("y", "x"), rng.normal(size=(20, 30)))
    spectra["counts"][..., 3] = np.nan
    spectra["radiance"][..., :4] = np.nan
    names, mentions = ["radiance", "counts", "image"], ["dropna('energy'", "dropna('band'"]
    _, fit = check(spectra, "pixels", mentions, vars=names, dim=["band", "energy"])
    assert dict(fit.centers.sizes) == {"label": 2, "band": 8, "energy": 4}
    spectra["counts"][:] = np.nan
    mentions = ["vars=['radiance', 'image']", "dropna('band'"]
    keywords = {"vars": names, "dim": ["band", "energy"]}
    error = error_of(lambda: spectra.cluster.pixels(**keywords).kmeans(2))
    assert all(text in error.remedy for text in mentions), error.remedy


def test_other_variables_do_not_keep_bands(spectra):
    spectra["quality"] = ("band", np.ones(12, np.int8))
    spectra["radiance"] = spectra.radiance.where(spectra.band > 1.0)
    check(spectra, "pixels", ["ds.isel("], vars="radiance", dim="band")


def test_names_and_dims_that_are_no_text():
    data = xr.Dataset(
        {7: (("y", 3), rng.normal(size=(40, 6))), "w": (("y", 3), rng.normal(size=(40, 6)))}
    )
    data[7][:, 2] = np.nan
    check(data, "pixels", ["{3: np.r_[0:2, 3:6]}"], dim=3, vars=[7, "w"], k=1)


def test_chunked_data_have_the_same_remedy(spectra):
    spectra["radiance"] = spectra.radiance.where(spectra.band > 1.0)
    lazy, _ = check(spectra.chunk(x=7, band=5), "pixels", ["ds.dropna"], dim="band")
    eager, _ = check(spectra, "pixels", ["ds.dropna"], dim="band")
    assert str(lazy) == str(eager)


def test_a_variable_without_any_number_is_named(image):
    image["a"] = image.a * np.nan
    error = error_of(lambda: image.a.cluster.pixels().kmeans(2))
    assert "'a' holds no number" in error.rule
    assert "check" in error.remedy.lower()


def test_a_few_complete_samples_are_too_few_for_many_labels(image):
    image["b"] = image.b.where((image.x < 3) & (image.y < 1))
    error, fit = check(image, "pixels", ["fewer clusters", "vars=['a', 'c']"], k=5)
    assert (error.parameter, error.value) == ("k", 5)
    assert error.rule == "3 samples are complete and 597 are not; 'b' lacks values in 597 of them"
    assert fit.record.fitted == 600
    assert image.cluster.pixels().kmeans(3).k == 3


# ---------------------------------------------------------------------------------- profiles


def columns(missing):
    depth = np.array([0.0, 10, 20, 50, 100, 200, 500, 1000])
    values = rng.normal(size=(8, 12, 15))
    values[missing(*np.indices(values.shape))] = np.nan
    coords = {"depth": depth, "y": np.arange(12), "x": np.arange(15)}
    return xr.DataArray(values, coords, ("depth", "y", "x"), name="t").to_dataset()


@pytest.mark.parametrize("step", [None, 5.0])
@pytest.mark.parametrize("direction", [1, -1])
def test_profiles_that_end_above_the_bottom_are_cut(step, direction):
    data = columns(lambda z, y, x: z > 5).isel(depth=slice(None, None, direction))
    _, fit = check(data, "profiles", ["between=(0.0, 200.0)"], "depth", step=step)
    assert fit.record.fitted == 180
    assert fit.centers.depth.max() == 200


def test_profiles_of_which_some_are_short_are_cut_where_most_values_are_kept():
    data = columns(lambda z, y, x: z > 2 + x // 3)
    data["t"][7] = np.nan
    _, fit = check(data, "profiles", ["between=(0.0, "], "depth")
    assert fit.record.fitted >= 36


def test_profiles_with_holes_are_filled():
    data = columns(lambda z, y, x: (z + x) % 2 == 0)
    _, fit = check(data, "profiles", ["missing='interpolate'"], "depth")
    assert fit.record.fitted == 180


def test_levels_that_no_profile_has_are_left_out():
    data = columns(lambda z, y, x: z == 3)
    check(data, "profiles", ["ds.dropna('depth', how='all')"], "depth")
    check(data, "profiles", ["missing='interpolate'"], "depth", between=(0, 500))
    check(data, "profiles", ["missing='interpolate'"], "depth", step=5)


def test_a_share_that_no_profile_reaches():
    data = columns(lambda z, y, x: (z + x) % 3 > 0)
    check(data, "profiles", ["missing='interpolate'"], "depth", missing=0.9)


@pytest.mark.parametrize("names", [None, list("abcdefgh")])
def test_levels_without_numbers_are_left_out_by_place(names):
    data = columns(lambda z, y, x: z > 5).drop_vars("depth")
    data["t"][6, 0, 0], data["t"][7, 1, 1] = 1.0, 1.0
    data = data if names is None else data.assign_coords(depth=names)
    check(data, "profiles", ["ds.isel({'depth': slice(0, 6)})"], "depth")


def test_a_range_of_dates_is_told_as_dates():
    data = columns(lambda z, y, x: z > 5).rename(depth="time")
    data = data.assign_coords(time=pd.date_range("2001-01-01", periods=8))
    _, fit = check(data, "profiles", ["between=('2001-01-01"], "time")
    assert fit.centers.sizes["time"] == 6


def test_a_second_variable_of_profiles_is_left_out():
    data = columns(lambda z, y, x: z > 9)
    data["s"] = data.t * np.nan
    check(data, "profiles", ["vars=['t']"], "depth")


# --------------------------------------------------------------------------------- snapshots


def steps(missing, n=40):
    values = rng.normal(size=(n, 6, 8))
    values[missing(*np.indices(values.shape))] = np.nan
    coords = {"time": pd.date_range("2001-01-01", periods=n), "y": np.arange(6), "x": np.arange(8)}
    return xr.DataArray(values, coords, ("time", "y", "x"), name="slp").to_dataset()


def test_snapshots_take_the_cells_that_steps_have():
    data = steps(lambda t, y, x: (x == t % 4) & (y < 3))
    _, fit = check(data, "snapshots", ["ds.where(ds.count('time') >= 40)"])
    assert fit.record.fitted == 40
    assert int(fit.centers.slp.isel(label=0).count()) == 48 - 12


def test_a_blank_step_does_not_hinder_the_others():
    data = steps(lambda t, y, x: (t == 7) | ((x == t % 4) & (y < 3)))
    _, fit = check(data, "snapshots", [">= 39)"])
    assert fit.record.fitted == 39


def test_steps_are_masked_and_cells_are_counted_in_all():
    data = steps(lambda t, y, x: (x == t % 4) & (y < 3))
    _, fit = check(data, "snapshots", [">= 40)"], where=data.time.dt.month == 1)
    assert fit.record.fitted == 31


def test_snapshots_without_a_cell_that_enough_steps_have_are_filled():
    data = steps(lambda t, y, x: (t + x) % 8 == 0)
    _, fit = check(data, "snapshots", ["ds.fillna(ds.mean('time'))"])
    assert fit.record.fitted == 40


def test_a_field_without_numbers_is_left_out():
    data = steps(lambda t, y, x: t < 0)
    data["hgt"] = data.slp * np.nan
    check(data, "snapshots", ["vars=['slp']"])


# ------------------------------------------------------------------------- windows and pools


def test_windows_are_filled(image):
    data = image[["a"]].where((image.x % 3 > 0) | (image.y % 3 > 0))
    _, fit = check(data, "patches", ["smaller windows", "ds.fillna(ds.mean())"], 5)
    assert fit.record.fitted == 16 * 26
    assert data.cluster.patches(2).kmeans(2).record.fitted > 2


def test_windows_leave_an_empty_variable_out(image):
    data = image[["a", "b"]].where((image.x % 3 > 0) | (image.y % 3 > 0))
    data["b"] = data.b * np.nan
    check(data, "patches", ["vars=['a']"], 5)


def test_pools_say_it_for_each_scene(spectra):
    spectra["radiance"] = spectra.radiance.where(spectra.band > 1.0)
    scenes = {"one": spectra, "two": spectra + 1}

    def fit(scenes):
        return xcluster.pool(scenes, lambda ds: ds.cluster.pixels(dim="band")).kmeans(2)

    error = error_of(lambda: fit(scenes))
    assert error.remedy.startswith("in each scene ")
    assert fit({n: followed(error.remedy, each)[0] for n, each in scenes.items()}).k == 2


def test_pools_of_snapshots_fill_gaps(image):
    data = steps(lambda t, y, x: (x == t % 4) & (y < 3))
    scenes = {"one": data, "two": data + 1}

    def fit(scenes):
        return xcluster.pool(scenes, lambda ds: ds.cluster.snapshots()).kmeans(2)

    error = error_of(lambda: fit(scenes))
    assert "fillna" in error.remedy
    assert fit({n: followed(error.remedy, each)[0] for n, each in scenes.items()}).k == 2


# ----------------------------------------------------------------------------------- infinite


def test_infinite_values_are_masked_also_beside_text(image):
    image["a"] = image.a.where(image.x > 3, np.inf)
    image["note"] = ("y", ["text"] * 20)
    with pytest.raises(ValueError, match="infinite") as caught:
        image.cluster.pixels().kmeans(2)
    data, _ = followed(caught.value.remedy, image)
    assert data.cluster.pixels().kmeans(2).record.fitted == 20 * 26


def test_a_band_of_infinite_values_only_is_left_out(spectra):
    spectra["radiance"] = spectra.radiance.where(spectra.band > 0.5, -np.inf)
    _, fit = check(spectra, "pixels", ["np.isfinite(ds)", "dropna"], dim="band")
    assert fit.centers.sizes["band"] == 11


# --------------------------------------------------------------------------------- real files


@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")
def test_argo_floats_that_end_at_different_pressures():
    argo = xr.open_dataset(DATA / "ocean_climate" / "argo_profiles_std.nc")
    argo = argo[["temperature", "salinity"]]
    gone = argo.where(argo.pressure < argo.pressure[200])
    _, fit = check(gone, "profiles", ["between="], "pressure", k=3)
    assert fit.record.fitted > 500


@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")
def test_monthly_fields_of_ships():
    """COADS: nearly every cell lacks a month somewhere."""
    coads = xr.open_dataset(DATA / "ocean_climate" / "coads_monthly.nc")
    sst = coads[["SST"]]
    month = xr.DataArray(np.arange(12), dims="month")
    cells = xr.DataArray(np.arange(180), dims="longitude")
    check(sst.where(cells % 12 != month), "snapshots", ["ds."], dim="month")
