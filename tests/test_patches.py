"""Windows of an image: which there are, chunked as eager, painted back, and on real images."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xcluster
from xcluster.blocks import block as blocks
from xcluster.blocks import matrix

MICROSCOPY = Path(__file__).resolve().parents[2] / "shared" / "data" / "microscopy"


@pytest.fixture
def image():
    """Stripes of two kinds on 30 x 40 pixels half a nanometre apart, and a hole."""
    random = np.random.default_rng(0)
    values = random.normal(size=(30, 40)) + 6 * (np.arange(40) % 4 < 2) * (np.arange(40) < 20)
    values[3, 35] = np.nan
    coords = {
        "y": ("y", 0.5 * np.arange(30), {"units": "nm"}),
        "x": ("x", 0.5 * np.arange(40), {"units": "nm"}),
    }
    return xr.DataArray(values.astype(np.float32), coords, ("y", "x"), name="intensity")


def rows_of(samples):
    return matrix.apply(
        samples.layout, lambda X: X, width=samples.layout.n_features, dtype=np.float64
    ).values


def windows_of(values, size, every=1):
    """Each window, its columns one after another, NaN where any pixel is."""
    starts = [range(0, n - size + 1, every) for n in values.shape]
    found = np.array(
        [[values[i : i + size, j : j + size].T.ravel() for j in starts[1]] for i in starts[0]],
        float,
    )
    found[np.isnan(found).any(-1)] = np.nan
    return found, starts


@pytest.mark.parametrize("size", [1, 4, 5, 30])
@pytest.mark.parametrize("every", [1, 3])
def test_features_are_the_pixels_of_each_full_window_without_gaps(image, size, every):
    samples = image.cluster.patches(size, every=every)
    expected, starts = windows_of(image.values, size, every)
    np.testing.assert_array_equal(rows_of(samples), expected.astype(np.float32))
    centres = 0.5 * (np.array(starts[1]) + size // 2)
    np.testing.assert_array_equal(samples.layout.coords["x"], centres)


def test_parts_of_a_block_give_the_rows_of_the_whole(image, monkeypatch):
    whole = rows_of(image.cluster.patches(5))
    monkeypatch.setattr(blocks, "PART_BYTES", 5_000)
    np.testing.assert_array_equal(rows_of(image.cluster.patches(5)), whole)


@pytest.mark.parametrize("chunks", [{"y": 7, "x": 9}, {"y": 3, "x": 40}, {}])
def test_chunked_images_give_the_labels_of_eager_ones(image, chunks):
    eager = image.cluster.patches(6, every=2).pca(2).kmeans(3)
    lazy = image.chunk(chunks).cluster.patches(6, every=2).pca(2).kmeans(3)
    assert lazy.labels.chunks is not None
    xr.testing.assert_equal(lazy.labels.compute(), eager.labels)
    xr.testing.assert_equal(lazy.upsample().compute(), eager.upsample())


def test_building_and_showing_windows_of_a_chunked_image_computes_nothing(image, computes):
    assert "36" in repr(image.chunk(y=7).cluster.patches(6).pca(2))
    assert computes() == 0


def test_a_mirrored_image_has_the_same_labels_at_the_same_places(image):
    fit = image.cluster.patches(4, every=3).kmeans(3)
    mirrored = image.isel(y=slice(None, None, -1)).cluster.patches(4, every=3).kmeans(3)
    xr.testing.assert_equal(mirrored.labels.sortby("y"), fit.labels)
    xr.testing.assert_equal(mirrored.upsample().sortby("y"), fit.upsample())


def test_channels_are_variables_and_centres_are_windows_in_data_units(image):
    ds = xr.Dataset({"a": image.fillna(0), "b": 2 * image.fillna(0)})
    fit = ds.cluster.patches(4).pca(2).kmeans(2)
    assert fit.centers["b"].dims == ("label", "window_y", "window_x")
    np.testing.assert_allclose(fit.centers["b"], 2 * fit.centers["a"], atol=1e-4)
    np.testing.assert_array_equal(fit.centers["window_y"], [-1.0, -0.5, 0.0, 0.5])
    assert fit.centers["window_x"].attrs["units"] == "nm"


def test_frames_are_further_samples_where_the_dims_of_a_window_are_named(image):
    stack = xr.concat([image, image + 1], "frame")
    with pytest.raises(ValueError, match="has 3 dims"):
        stack.cluster.patches(4)
    assert stack.cluster.patches(4, dims=("y", "x")).layout.sizes == {
        "frame": 2,
        "y": 27,
        "x": 37,
    }


def test_every_pixel_of_a_lattice_that_touches_itself_is_painted_by_its_own_window(image):
    fit = image.fillna(0).cluster.patches(5, every=5).kmeans(3)
    painted = fit.upsample()
    assert painted.dims == image.dims
    np.testing.assert_array_equal(painted.values, np.kron(fit.labels.values, np.ones((5, 5))))


def test_pixels_beyond_all_windows_are_painted_on_request_only(image):
    fit = image.fillna(0).cluster.patches(4, every=9).kmeans(2)
    assert fit.upsample().isnull().any()
    assert fit.upsample(beyond=True).notnull().all()


def positions():
    return {"y": [5.0, 7.2, 0.0], "x": [5.0, 3.1, 99.0]}


@pytest.mark.parametrize(
    "at",
    [
        xr.Dataset({name: ("point", values) for name, values in positions().items()}),
        pd.DataFrame(positions()),
        np.column_stack(list(positions().values())),
        xr.DataArray(
            np.column_stack([positions()["x"], positions()["y"]]),
            {"axis": ["x", "y"]},
            ("point", "axis"),
        ),
    ],
    ids=["Dataset", "table", "array", "named columns"],
)
def test_windows_at_positions_are_those_around_them(image, at):
    samples = image.cluster.patches(4, at=at)
    assert samples.layout.sizes == {"point": 2}
    assert "1 of 3 positions have no full window" in repr(samples)
    first, second = rows_of(samples)
    np.testing.assert_array_equal(first, image.values[8:12, 8:12].T.ravel())
    np.testing.assert_array_equal(second, image.values[12:16, 4:8].T.ravel())
    np.testing.assert_array_equal(samples.layout.coords["y"], [5.0, 7.2])


def test_windows_at_peaks_are_the_same_chunked_saved_and_painted(image, tmp_path):
    found = xcluster.peaks(image, sigma=1, min_distance=2)
    fit = image.cluster.patches(4, at=found).kmeans(2)
    lazy = image.chunk(y=7, x=11).cluster.patches(4, at=found).kmeans(2)
    xr.testing.assert_equal(lazy.labels.compute(), fit.labels)
    fit.save(tmp_path / "a.nc")
    again = xcluster.open(tmp_path / "a.nc", data=image)
    xr.testing.assert_equal(again.upsample(), fit.upsample())
    own = fit.labels.isel(point=0)
    assert fit.upsample().sel(y=own.y, x=own.x) == own


def test_a_saved_result_predicts_windows_of_the_same_spacing_only(image, tmp_path):
    fit = image.cluster.patches(4).pca(2).gmm(2)
    fit.save(tmp_path / "a.nc")
    again = xcluster.open(tmp_path / "a.nc")
    xr.testing.assert_equal(again.predict(image), fit.labels)
    with pytest.raises(ValueError, match="window_y"):
        again.predict(image.assign_coords(y=2 * image.y))


def test_spacings_of_nanometres_in_metres_are_compared_as_well(image):
    metres = image.assign_coords(y=1e-9 * image.y, x=1e-9 * image.x)
    fit = metres.cluster.patches(4).kmeans(2)
    with pytest.raises(ValueError, match="window_y"):
        fit.predict(metres.assign_coords(y=3 * metres.y))


def test_a_mixture_of_raw_windows_warns_of_too_many_parameters(image):
    with pytest.warns(UserWarning, match="parameters but only"):
        image.cluster.patches(8, every=4).gmm(2)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"size": 0}, "size=0"),
        ({"size": 31}, "30 pixels along 'y'"),
        ({"size": 4, "every": 0}, "every=0"),
        ({"size": 4, "dims": ("y", "z")}, "'z'"),
        ({"size": 4, "at": [[900.0, 900.0]]}, "are not on the image"),
        ({"size": 4, "at": [[0.0, 0.0]]}, "full window"),
        ({"size": 4, "at": np.zeros((2, 3))}, r"shape \(n, 2\)"),
        ({"size": 4, "at": {"y": [1.0]}}, "no column 'x'"),
        ({"size": 4, "at": np.random.default_rng(0).uniform(0, 0.6, (50, 2))}, "50 positions fall"),
    ],
)
def test_windows_that_cannot_be_are_refused(image, keywords, message):
    with pytest.raises(ValueError, match=message):
        image.cluster.patches(**keywords)


def test_positions_in_other_units_are_refused(image):
    at = xr.Dataset({name: ("point", [5.0], {"units": "px"}) for name in "yx"})
    with pytest.raises(ValueError, match="'px'"):
        image.cluster.patches(4, at=at)


def test_only_patches_can_be_upsampled(ocean):
    with pytest.raises(ValueError, match="patches"):
        ocean.cluster.pixels().kmeans(2).upsample()


def real(name):
    path = MICROSCOPY / name
    if not path.exists():
        pytest.skip(f"{name} is not there")
    return xr.open_dataset(path)


def test_windows_tell_the_hole_and_adatoms_of_a_real_lattice():
    image = real("stem_MoS2_Se_1024.nc").intensity.isel(y=slice(0, 300), x=slice(0, 300))
    found = xcluster.peaks(image, sigma=3, min_distance=5)
    fit = image.cluster.patches(20, at=found).pca(2).gmm(3)
    lazy = image.chunk(y=128, x=128).cluster.patches(20, at=found).pca(2).gmm(3)
    xr.testing.assert_equal(lazy.labels.compute(), fit.labels)
    assert fit.centers.intensity.shape == (3, 20, 20)


def test_windows_of_a_real_map_of_elements_are_alike_chunked():
    maps = real("eds_sem_AgAl_50x50.nc")[["Al", "Ag"]].load()
    fit = maps.cluster.patches(5).pca(2).kmeans(2)
    lazy = maps.chunk(y=20, x=20).cluster.patches(5).pca(2).kmeans(2)
    xr.testing.assert_equal(lazy.labels.compute(), fit.labels)
    # The edge between the metals is a line: the sums of the map over windows tell the sides.
    silver = maps.Ag.rolling(y=5, x=5, center=True).mean().sel(fit.labels.coords)
    sides = silver.groupby(fit.labels).mean()
    assert float(sides.max()) > 2 * float(sides.min())
