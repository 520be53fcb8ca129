"""Saved results of data whose names, masks and values are unlike those of most: all comes back."""

import numpy as np
import pytest
import xarray as xr

import xcluster

SUFFIXES = (".nc", ".zarr")
OURS = ("row", "mask", "weights", "likeliest")


@pytest.fixture(scope="module")
def two(ocean):
    """Return two variables on a coarse grid, without names of dims in common with the files'."""
    return ocean[["sst", "wind_speed"]].isel(latitude=slice(None, None, 4))


def reopened(fit, path, data=None):
    fit.save(path)
    return xcluster.open(path, data=data)


def assert_same_answers(fit, path, data):
    """Labels, report and merged labels are as before; with the data, and without."""
    whole, alone = reopened(fit, path, data), xcluster.open(path)
    assert whole.report().equals(fit.report())
    xr.testing.assert_identical(whole.labels, fit.labels)
    xr.testing.assert_identical(alone.labels.compute(), fit.labels)
    merged = fit.merge([[0, 1]]).labels
    xr.testing.assert_identical(alone.merge([[0, 1]]).labels.compute(), merged)


# ------------------------------------------------------------------------- names of the user's


def test_dims_may_be_called_row_and_col(tmp_path, two):
    ds = two.rename(latitude="row", longitude="col").fillna(0)
    assert_same_answers(ds.cluster.pixels().kmeans(2), tmp_path / "a.nc", ds)
    assert_same_answers(ds.cluster.pixels().hac(3, contiguous=True), tmp_path / "b.nc", ds)
    bare = ds.drop_vars(["row", "col"])
    assert_same_answers(bare.cluster.pixels().hac(3, contiguous=True), tmp_path / "c.nc", bare)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("method", ["kmeans", "gmm"])
def test_coordinates_may_have_the_names_of_our_arrays(tmp_path, two, suffix, method):
    number = np.arange(two.sizes["latitude"])
    ds = two.assign_coords(dict.fromkeys(OURS, ("latitude", number % 2)))
    plain = getattr(ds.cluster.pixels(), method)(3)
    assert_same_answers(plain, tmp_path / f"a{suffix}", ds)
    chosen = ds.cluster.pixels().where(ds.sst > 5).weights(ds.wind_speed.fillna(0) + 1)
    fit = getattr(chosen, method)(3)
    fit = fit.threshold(0.6) if fit.is_soft else fit
    assert_same_answers(fit, tmp_path / f"b{suffix}", ds)


@pytest.mark.parametrize("name", ["labels", "memberships"])
def test_a_coordinate_with_the_name_of_a_label_map_is_refused_before_anything_is_written(
    tmp_path, two, name
):
    ds = two.assign_coords({name: ("latitude", np.arange(two.sizes["latitude"]))})
    for fit in (ds.cluster.pixels().gmm(2), ds.cluster.pixels().kmeans(2)):
        with pytest.raises(ValueError, match=rf"coords='{name}'.*Rename yours"):
            fit.save(tmp_path / "a.nc")
    with pytest.raises(ValueError, match=rf"coords='{name}'.*Rename yours"):
        ds.cluster.pixels().gmm(2).to_dataset()
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------ masks and weights as fitted


def test_a_mask_in_another_order_comes_back_where_it_was(tmp_path, two):
    mask = (two.sst > 10).sortby("latitude", ascending=False)
    fit = two.cluster.pixels().where(mask).kmeans(3)
    assert_same_answers(fit, tmp_path / "a.nc", two)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_masks_and_weights_of_a_larger_region_are_saved_for_the_samples(tmp_path, ocean, suffix):
    ds = ocean[["sst", "wind_speed"]].isel(latitude=slice(10, 30, 2))
    samples = ds.cluster.pixels().where(ocean.sst > 5).weights(ocean.sst.fillna(0) + 3)
    assert_same_answers(samples.kmeans(3), tmp_path / f"a{suffix}", ds)


def test_a_mask_on_the_full_grid_is_saved_for_every_sixth_profile(tmp_path):
    tomo = xcluster.datasets.tomography()
    samples = tomo.cluster.profiles("depth", every=6).where(tomo.latitude > 37)
    assert_same_answers(samples.kmeans(3), tmp_path / "a.nc", tomo)


# ------------------------------------------------------------------------------ matched numbers


def test_numbers_matched_to_a_result_of_more_labels_come_back(tmp_path, two):
    pixels = two.cluster.pixels()
    fit = pixels.gmm(2).match(pixels.kmeans(6))
    assert fit.k > 2
    assert_same_answers(fit, tmp_path / "a.nc", two)


# ------------------------------------------------------------------------- files that are replaced


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_results_opened_from_a_file_stay_as_they_are_when_it_is_replaced(tmp_path, two, suffix):
    path = tmp_path / f"a{suffix}"
    opened = reopened(two.cluster.pixels().gmm(4).threshold(0.5), path)
    merged = opened.merge([[0, 1]])
    before = [each.to_dataset().compute() for each in (opened, merged)]
    merged.save(path)
    for each, expected in zip((opened, merged), before, strict=True):
        xr.testing.assert_identical(each.to_dataset().compute(), expected)
    again = xcluster.open(path).labels.compute()
    xr.testing.assert_identical(again.rename("labels"), before[1].labels)


def test_a_zarr_folder_is_read_when_its_labels_are_wanted(tmp_path, two):
    opened = reopened(two.chunk(latitude=2).cluster.pixels().kmeans(2), tmp_path / "a.zarr")
    assert opened.labels.chunks == two.chunk(latitude=2).sst.chunks


# ----------------------------------------------------------------------------- packed coordinates


PACKED = {"dtype": "int16", "scale_factor": 0.1, "add_offset": 3.0, "_FillValue": -1}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("encoding", [PACKED, {"dtype": "int16"}])
def test_coordinates_come_back_exactly_however_they_were_packed(tmp_path, two, suffix, encoding):
    ds = two.assign_coords(latitude=two.latitude + 0.123)
    ds.latitude.encoding = dict(encoding)
    weight = ds.sst.fillna(0) + 3.21
    weight.encoding = dict(encoding)
    assert_same_answers(ds.cluster.pixels().weights(weight).kmeans(3), tmp_path / f"a{suffix}", ds)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_dates_come_back_as_they_were(tmp_path, suffix):
    values = np.random.default_rng(0).normal(size=(12, 5))
    days = xr.date_range("2000-01-01", periods=12, freq="7h")
    of_cftime = xr.date_range("2000-01-01", periods=12, freq="7h", use_cftime=True)
    for number, dates in enumerate((days, of_cftime)):
        da = xr.DataArray(values, {"time": dates}, ("time", "x"), "t")
        da.time.encoding = {"dtype": "int64", "units": "hours since 1999-01-01"}
        pixels, columns = da.cluster.pixels(), da.cluster.pixels(dim="time")
        assert_same_answers(pixels.kmeans(2), tmp_path / f"p{number}{suffix}", da)
        assert_same_answers(columns.kmeans(2), tmp_path / f"c{number}{suffix}", da)


# ------------------------------------------------------------------------------ numbers of numpy


def numpy_chains(two, tomo):
    """Return results of chains that were given numbers as numpy has them."""
    depth, image = tomo.depth, two.sst.fillna(0)
    four, eight = np.int64(4), np.int64(8)
    return {
        "between": (tomo.cluster.profiles("depth", between=depth.values[[0, 20]], every=6), tomo),
        "arrays": (tomo.cluster.profiles("depth", between=(depth[0], depth[20]), every=6), tomo),
        "every": (tomo.cluster.profiles("depth", every={"latitude": eight, "longitude": 6}), tomo),
        "patches": (image.cluster.patches(four, every=four), image.to_dataset()),
        "seed": (two.cluster.pixels(random_state=four), two),
    }


@pytest.mark.parametrize("kind", ["between", "arrays", "every", "patches", "seed"])
def test_numbers_of_numpy_in_a_chain_are_saved_as_plain_ones(tmp_path, two, kind):
    samples, data = numpy_chains(two, xcluster.datasets.tomography())[kind]
    fit = samples.kmeans(2, random_state=np.uint8(3))
    assert_same_answers(fit, tmp_path / "a.nc", data)
    assert type(xcluster.open(tmp_path / "a.nc").record.random_state) is int


# --------------------------------------------------------------------------------- trees and sweeps


def test_a_tree_is_cut_elsewhere_once_the_data_are_given(tmp_path, two):
    fit = two.cluster.pixels().hac(5)
    alone = reopened(fit, tmp_path / "a.nc")
    with pytest.raises(ValueError, match=r"cut.*needs the original values.*open\(path, data=ds\)"):
        alone.cut(3)
    whole = xcluster.open(tmp_path / "a.nc", data=two)
    xr.testing.assert_identical(whole.cut(3).labels, fit.cut(3).labels)


@pytest.mark.filterwarnings("ignore:.*no knee")
def test_a_tree_cut_elsewhere_does_not_say_why_a_sweep_chose_its_k(two):
    fit = two.cluster.pixels().hac(range(2, 5))
    assert any("no knee" in str(note) for note in fit.record.notes)
    assert not any("no knee" in str(note) for note in fit.cut(3).record.notes)


@pytest.mark.filterwarnings("ignore:.*no knee")
def test_a_sweep_smooths_its_curve_again_as_it_was_asked_to(tmp_path, two):
    fit = two.cluster.pixels().kmeans(range(2, 6), smooth=True, interp_method="polynomial")
    options = reopened(fit, tmp_path / "a.nc").sweep.options
    assert (options.smooth, options.interp_method) == (True, "polynomial")
    again = reopened(xcluster.open(tmp_path / "a.nc"), tmp_path / "b.nc")
    assert again.sweep.options == options


# -------------------------------------------------------------------------------- steps as asked

STEPS = {
    "two scalings": lambda pixels: pixels.scale("standard", over="all").scale("minmax"),
    "a scaling of each": lambda pixels: pixels.scale("robust", over="variable").pca(1).scale(),
    "none stated": lambda pixels: pixels.pca(2),
    "none wanted": lambda pixels: pixels.scale(None),
}


def said(samples):
    return [(step.name, step.over, step.transformer is None) for step in samples.steps]


@pytest.mark.parametrize("kind", STEPS)
def test_steps_come_back_as_they_were_asked_for(tmp_path, two, kind):
    fit = STEPS[kind](two.cluster.pixels()).kmeans(2)
    again = reopened(fit, tmp_path / "a.nc", two)
    assert said(again.samples) == said(fit.samples)
    assert repr(again.samples) == repr(fit.samples)
    xr.testing.assert_identical(again.samples.kmeans(2).labels, fit.labels)
    assert said(reopened(again, tmp_path / "b.nc", two).samples) == said(fit.samples)


def test_steps_of_a_file_saved_without_its_data_are_told_by_what_was_fitted(tmp_path, two):
    fit = STEPS["two scalings"](two.cluster.pixels()).kmeans(2)
    alone = reopened(fit, tmp_path / "a.nc")
    assert said(reopened(alone, tmp_path / "b.nc", two).samples) == said(fit.samples)


# ------------------------------------------------------------------------------ one unnamed array


def test_the_only_variable_may_have_another_name_when_its_file_is_opened(tmp_path, two):
    fit = two.sst.rename(None).cluster.pixels().kmeans(2)
    assert_same_answers(fit, tmp_path / "a.nc", two.sst.rename("temperature"))
