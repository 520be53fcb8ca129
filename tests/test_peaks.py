"""Bright positions: a lattice whose atoms are known, and a real micrograph."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xcluster.image_peaks import peaks

STEM = Path(__file__).resolve().parents[2] / "shared/data/microscopy/stem_MoS2_Se_1024.nc"


@pytest.fixture
def lattice():
    """Noisy Gaussian atoms on an oblique lattice, of unlike brightness; image and positions."""
    random = np.random.default_rng(0)
    i, j = (index.ravel() for index in np.meshgrid(np.arange(8), np.arange(7)))
    centres = np.column_stack([8 + 11 * i + 2 * j, 8 + 12 * j])
    y, x = np.mgrid[:110, :90]
    distance2 = (y - centres[:, :1, None]) ** 2 + (x - centres[:, 1:, None]) ** 2
    height = random.uniform(1, 2, len(centres))[:, None, None]
    values = (height * np.exp(-distance2 / 8)).sum(axis=0) + random.normal(0, 0.03, y.shape)
    coords = {"y": ("y", 5 - 0.1 * np.arange(110), {"units": "nm"}), "x": 0.2 * np.arange(90)}
    return xr.DataArray(values, coords, ["y", "x"], attrs={"units": "counts"}), centres


def pixels(found):
    """Return the pixel positions of peaks of the lattice, shape (n, 2)."""
    return np.column_stack([(5 - found["y"]) / 0.1, found["x"] / 0.2])


def test_every_atom_of_a_lattice_is_found_within_a_pixel(lattice):
    image, centres = lattice
    found = pixels(peaks(image, sigma=1.5, min_distance=3, threshold=0.3))
    nearest = np.linalg.norm(found[:, None] - centres, axis=2)
    assert len(found) == len(centres)
    assert sorted(nearest.argmin(axis=1)) == list(range(len(centres)))
    assert nearest.min(axis=1).max() < 1.5


def test_peaks_stand_brightest_first_and_carry_names_and_units(lattice):
    image, _ = lattice
    found = peaks(image, min_distance=3, threshold=0.3)
    assert (np.diff(found["brightness"]) <= 0).all()
    assert found["brightness"].attrs["units"] == "counts"
    assert found["y"].attrs["units"] == "nm"
    assert set(found.to_dataframe().columns) == {"brightness", "y", "x"}


def test_dims_order_chunks_and_number_type_have_no_effect(lattice):
    image, _ = lattice
    expected = peaks(image, min_distance=3)
    for other in (image.transpose("x", "y"), image.chunk({"y": 20})):
        assert peaks(other, min_distance=3).identical(expected)
    counts = (image * 1000).round().astype(int)
    assert peaks(counts, sigma=0).equals(peaks(counts.astype(float), sigma=0))


def test_a_turned_axis_gives_the_same_peaks(lattice):
    image, _ = lattice
    one, other = (peaks(i, min_distance=3, threshold=0.3) for i in (image, image[::-1, ::-1]))
    np.testing.assert_allclose(one["y"], other["y"])
    np.testing.assert_allclose(one["x"], other["x"])


def test_missing_pixels_hide_their_own_peaks_and_no_others(lattice):
    image, centres = lattice
    hidden = image.copy()
    hidden[:, :26] = np.nan
    hidden[60, 60] = np.inf
    found = pixels(peaks(hidden, sigma=1.5, min_distance=3, threshold=0.3))
    far = centres[centres[:, 1] > 30]
    nearest = np.linalg.norm(far[:, None] - found, axis=2).min(axis=1)
    assert (nearest < 2).all()
    assert (found[:, 1] > 25.5).all()


def test_of_two_peaks_within_the_window_the_brighter_stays():
    image = xr.DataArray(np.zeros((20, 20)), dims=["row", "column"])
    image[8, 8], image[8, 11] = 2, 1
    assert peaks(image, sigma=0, min_distance=2).sizes["point"] == 2
    one = peaks(image, sigma=0, min_distance=3)
    assert (one["row"].item(), one["column"].item()) == (8, 8)


def test_touching_pixels_of_one_brightness_count_once():
    image = xr.DataArray(np.zeros((9, 9)), dims=["y", "x"])
    image[4:6, 4:6] = 3
    assert peaks(image, sigma=0).sizes["point"] == 1


@pytest.mark.parametrize("values", [np.full((8, 8), 7.3), np.add.outer(np.arange(8.0), np.ones(8))])
def test_a_flat_image_and_a_slope_have_no_peaks(values):
    found = peaks(xr.DataArray(values, dims=["y", "x"]))
    assert found.sizes["point"] == 0
    assert {"brightness", "y", "x"} <= set(found.variables)


@pytest.mark.parametrize(
    ("image", "parameters", "error", "message"),
    [
        (np.zeros((3, 3)), {}, TypeError, "DataArray"),
        (xr.DataArray(np.zeros((2, 3, 3))), {}, ValueError, "two dims"),
        (xr.DataArray(np.full((3, 3), np.nan)), {}, ValueError, "no finite pixel"),
        (xr.DataArray(np.zeros((3, 3))), {"sigma": -1}, ValueError, "sigma=-1"),
        (xr.DataArray(np.zeros((3, 3))), {"min_distance": 0}, ValueError, "min_distance=0"),
        (xr.DataArray(np.zeros((3, 3))), {"threshold": "high"}, TypeError, "threshold='high'"),
    ],
)
def test_what_has_no_peaks_by_nature_is_refused(image, parameters, error, message):
    with pytest.raises(error, match=message):
        peaks(image, **parameters)


@pytest.mark.skipif(not STEM.exists(), reason="shared data are not at hand")
def test_atom_columns_of_a_micrograph_stand_as_its_fourier_transform_says():
    """Rows of a hexagonal lattice of step a lie a * sqrt(3) / 2 apart."""
    from scipy.spatial import KDTree

    with xr.open_dataset(STEM) as dataset:
        image = dataset["intensity"].load()
    found = peaks(image, sigma=3, min_distance=10)
    positions = np.column_stack([found["y"], found["x"]])
    nearest = KDTree(positions).query(positions, k=2)[0][:, 1]
    step = float(image["x"][1]) * strongest_period(image.values) * 2 / np.sqrt(3)
    assert len(found["point"]) > 1500
    assert np.median(nearest) == pytest.approx(step, rel=0.1)


def strongest_period(values):
    """Return the median period of the twelve strongest waves, the slowest apart, in pixels."""
    n = len(values)
    power = abs(np.fft.fft2((values - values.mean()) * np.outer(np.hanning(n), np.hanning(n))))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(n), np.fft.fftfreq(n)))
    power[frequency < 10 / n] = 0
    return np.median(1 / frequency.ravel()[np.argsort(power.ravel())[-12:]])


def test_an_image_whose_dim_is_named_like_a_column_of_the_table_is_refused(lattice):
    with pytest.raises(ValueError, match=r"image.dims=.*rename\(brightness="):
        peaks(lattice[0].rename(x="brightness"))


def test_an_image_whose_dim_is_named_like_that_of_the_table_is_searched_as_any_other(lattice):
    image, _ = lattice
    found, plain = peaks(image.rename(x="point")), peaks(image)
    np.testing.assert_array_equal(found["point"], plain["x"])
    np.testing.assert_array_equal(found["brightness"], plain["brightness"])
