"""Calibrated axes, peaks of a spectrum and pixel sizes, against numpy and scipy."""

from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import xarray as xr

from xcluster.coords import calibrate, find_peaks, pixel_size

EDS = Path(__file__).resolve().parents[2] / "shared/data/microscopy/eds_sem_AgAl_50x50.nc"


@pytest.fixture
def cube():
    """Spectra of three lines on a falling background, with a coordinate in channels."""
    channel = np.arange(200)
    lines = sum(h * np.exp(-(((channel - c) / 3) ** 2)) for c, h in [(30, 5), (90, 20), (150, 10)])
    counts = lines + np.exp(-channel / 50) + np.zeros((4, 3, 200))
    return xr.DataArray(
        counts,
        dims=["y", "x", "channel"],
        coords={"channel": ("channel", channel, {"long_name": "channel", "units": "1"})},
        attrs={"units": "count"},
        name="counts",
    )


def test_the_line_is_that_of_polyfit(cube):
    found, known = [30, 90, 150], [0.28, 1.01, 1.74]
    result = calibrate(cube, "channel", found, known, units="keV")
    scale, offset = np.polyfit(found, known, 1)
    axis = result["channel"]
    np.testing.assert_allclose(axis, scale * np.arange(200) + offset)
    np.testing.assert_allclose(axis.attrs["calibration_scale"], scale)
    np.testing.assert_allclose(axis.attrs["calibration_offset"], offset)
    residuals = np.array(known) - np.polyval([scale, offset], found)
    np.testing.assert_allclose(axis.attrs["calibration_residuals"], residuals, atol=1e-12)
    assert axis.attrs["units"] == "keV"
    assert axis.attrs["long_name"] == "channel"


def test_calibrating_leaves_the_users_object_alone(cube):
    before = cube.copy(deep=True)
    calibrate(cube, "channel", [30, 90], [1, 2], units="keV")
    assert cube.identical(before)


def test_a_dataset_and_a_dim_without_coordinate_are_calibrated_too(cube):
    dataset = cube.drop_vars("channel").to_dataset().chunk({"y": 2})
    result = calibrate(dataset, "channel", [0, 100], [5.0, 15.0])
    np.testing.assert_allclose(result["channel"], 5 + np.arange(200) / 10)
    assert result["counts"].chunks == dataset["counts"].chunks


def test_a_calibrated_axis_goes_through_netcdf(cube, tmp_path):
    calibrate(cube, "channel", [30, 90, 150], [1, 2, 3.1]).to_netcdf(tmp_path / "cube.nc")
    with xr.open_dataset(tmp_path / "cube.nc") as opened:
        assert len(opened["channel"].attrs["calibration_residuals"]) == 3


@pytest.mark.parametrize(
    ("found", "known", "message"),
    [
        ([1], [2], "two different positions"),
        ([3, 3], [1, 2], "two different positions"),
        ([1, 2, 3], [1, 2], r"known, which has shape \(2,\)"),
        ([1, np.nan], [1, 2], "must be finite"),
        ([1, 2], [4, 4], "no slope"),
    ],
)
def test_pairs_that_make_no_line_are_refused(cube, found, known, message):
    with pytest.raises(ValueError, match=message):
        calibrate(cube, "channel", found, known)


def test_a_wrong_dim_is_named_with_the_nearest(cube):
    for call in (lambda: calibrate(cube, "chanel", [1, 2], [1, 2]), lambda: find_peaks(cube, "c")):
        with pytest.raises(ValueError, match="channel"):
            call()


def test_a_coordinate_of_text_is_refused():
    named = xr.DataArray([1.0, 2.0], coords={"band": ["red", "blue"]}, dims="band")
    with pytest.raises(TypeError, match="numeric coordinate"):
        calibrate(named, "band", [0, 1], [1, 2])


def test_peaks_are_those_of_scipy_on_the_mean_spectrum(cube):
    moved = cube.assign_coords(channel=cube["channel"] * 0.01 + 1)
    result = find_peaks(moved, "channel", prominence=1)
    spectrum = moved.mean(["y", "x"]).values
    indices, properties = scipy.signal.find_peaks(spectrum, prominence=1)
    np.testing.assert_array_equal(result["position"], moved["channel"][indices])
    np.testing.assert_array_equal(result["height"], spectrum[indices])
    np.testing.assert_array_equal(result["prominence"], properties["prominences"])
    assert result["height"].attrs["units"] == "count"


def test_height_and_distance_limit_the_peaks(cube):
    assert find_peaks(cube, "channel", height=15)["position"].values.tolist() == [90]
    assert find_peaks(cube, "channel", distance=100)["position"].values.tolist() == [90]


def test_peaks_do_not_depend_on_dims_order_chunks_or_missing_pixels(cube):
    eager = find_peaks(cube, "channel")
    missing = cube.where(cube["y"] > 0)
    for other in (
        cube.transpose("channel", "x", "y"),
        cube.chunk({"y": 1, "channel": 50}),
        missing,
    ):
        xr.testing.assert_allclose(find_peaks(other, "channel"), eager)


def test_a_gap_in_the_spectrum_is_no_peak(cube):
    gap = cube.where((cube["channel"] < 60) | (cube["channel"] > 70))
    assert find_peaks(gap, "channel")["position"].values.tolist() == [30, 90, 150]


def test_found_peaks_calibrate_the_axis(cube):
    found = find_peaks(cube, "channel", prominence=1)["position"]
    axis = calibrate(cube, "channel", found, [1.0, 3.0, 5.0])["channel"]
    np.testing.assert_allclose(axis.sel(channel=[1.0, 5.0], method="nearest"), [1, 5])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda cube: find_peaks(cube.to_dataset(), "channel"), TypeError, "one variable"),
        (lambda cube: find_peaks(cube * np.nan, "channel"), ValueError, "has no data"),
        (lambda cube: find_peaks(cube, "channel", distance=0), ValueError, "distance=0"),
        (lambda cube: find_peaks(cube, "channel", prominence=-1), ValueError, "prominence=-1"),
    ],
)
def test_what_cannot_have_peaks_is_refused(cube, call, error, message):
    with pytest.raises(error, match=message):
        call(cube)


def test_pixels_get_physical_coordinates_and_the_rest_stays(cube):
    before = cube.copy(deep=True)
    result = pixel_size(cube, 0.25, unit="um")
    np.testing.assert_allclose(result["y"], [0, 0.25, 0.5, 0.75])
    np.testing.assert_allclose(result["x"], [0, 0.25, 0.5])
    assert result["y"].attrs["units"] == result["x"].attrs["units"] == "um"
    assert result["channel"].identical(cube["channel"])
    assert cube.identical(before)


@pytest.mark.parametrize(("dims", "stretched"), [(("y", "x"), "y"), (("x", "y"), "x")])
def test_tilt_lengthens_the_direction_across_its_axis(cube, dims, stretched):
    result = pixel_size(cube, 2.0, unit="nm", tilt=-60, dims=dims)
    steps = {dim: float(result[dim][1]) for dim in dims}
    assert steps.pop(stretched) == pytest.approx(4.0)
    assert list(steps.values()) == [2.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size=0"),
        ({"tilt": 90}, "between -90 and 90"),
        ({"dims": ("y",)}, "two dims"),
        ({"dims": "yx"}, "two dims"),
        ({"dims": ("row", "x")}, "dim='row': is not a dim"),
    ],
)
def test_sizes_that_make_no_grid_are_refused(cube, arguments, message):
    with pytest.raises(ValueError, match=message):
        pixel_size(cube, **{"size": 1.0, "unit": "um", **arguments})


@pytest.mark.skipif(not EDS.exists(), reason="shared data are not at hand")
def test_a_real_spectrum_finds_its_energy_axis_again():
    """Aluminium and silver lines, found by channel, give the energy axis of the file."""
    with xr.open_dataset(EDS) as dataset:
        counts = dataset["counts"].load()
    channels = counts.drop_vars("energy").rename(energy="channel")
    found = find_peaks(channels, "channel", prominence=0.2, distance=20)
    highest = found.sortby("prominence", ascending=False)["position"].values[:2]
    axis = calibrate(channels, "channel", sorted(highest), [1.487, 2.984], units="keV")["channel"]
    np.testing.assert_allclose(axis, counts["energy"], atol=0.05)
