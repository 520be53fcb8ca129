"""Label maps and memberships as TIFF, read back by tifffile as ImageJ and napari see them."""

import errno
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import xarray as xr

import xcluster
from xcluster.base.errors import BadValueError
from xcluster.export import tiff

ROOT = Path(__file__).parents[1]


def image(shape=(23, 31), seed=0, **coords):
    """Return a map of three levels, a hole without data among them."""
    values = np.random.default_rng(seed).integers(0, 3, shape) * 10.0
    values[..., 3:5, 4:9] = np.nan
    dims = ("time", "y", "x")[-len(shape) :]
    return xr.DataArray(values, coords, dims, name="counts")


def um(n, step, unit="um", first=0.0):
    return (np.arange(n) * step + first, {"units": unit})


def sized(step=0.25, unit="um", first=0.0):
    y, x = um(23, step, unit, first), um(31, 2 * step, unit, first)
    return image(y=("y", *y), x=("x", *x))


def written(fit, folder, what="labels"):
    """Return pixels, tags and metadata of a file."""
    path = folder / "map.tif"
    fit.to_tiff(path, what)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        tags = {tag.name: tag.value for tag in page.tags}
        return file.asarray(), tags, file.imagej_metadata, file.series[0].axes


def as_numbers(labels, no_data=255):
    return np.where(np.isnan(labels), no_data, np.where(labels < 0, no_data - 1, labels))


def test_pixels_are_the_numbers_of_labels_and_two_are_stated(tmp_path):
    soft = sized().cluster.pixels().fuzzy(3).threshold(0.999)
    noise = image().where(lambda da: da.notnull(), 3.0).cluster.pixels().dbscan(eps=0.5)
    for fit in (soft, noise):
        pixels, _, said, _ = written(fit, tmp_path)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, as_numbers(fit.labels.values))
        assert said["Info"].splitlines()[-2:] == ["254: unclassified", "255: no data"]


def test_names_and_colours_travel(tmp_path):
    fit = sized().cluster.pixels().kmeans(3)
    fit = fit.relabel(["quartz", "iron µ-phase", "void"], colors=["red", "#00ff80", "blue"])
    _, tags, said, _ = written(fit, tmp_path)
    assert said["Info"].splitlines()[:4] == [
        "xcluster: kmeans(k=3)",
        "0: quartz (#ff0000)",
        "1: iron µ-phase (#00ff80)",
        "2: void (#0000ff)",
    ]
    colors = np.asarray(tags["ColorMap"]).reshape(3, 256).T // 257
    assert colors[:3].tolist() == [[255, 0, 0], [0, 255, 128], [0, 0, 255]]
    assert colors[254].tolist() == [0xBB] * 3
    assert tags["PhotometricInterpretation"] == 3  # a palette


def test_more_labels_than_a_byte_holds_take_two(tmp_path):
    for k, dtype, no_data in ((254, np.uint8, 255), (255, np.uint16, 65535)):
        data = image((20, 20))
        data[:] = np.arange(400.0).reshape(20, 20) % k
        data[0, 0] = np.nan
        fit = data.cluster.pixels().kmeans(k, n_init=1, max_iter=1, init=np.arange(k)[:, None])
        assert fit.k == k
        pixels, tags, said, _ = written(fit, tmp_path)
        assert pixels.dtype == dtype
        np.testing.assert_array_equal(pixels, as_numbers(fit.labels.values, no_data))
        assert ("ColorMap" in tags) == (dtype == np.uint8)
        assert f"{no_data}: no data" in said["Info"]


def test_more_labels_than_two_bytes_hold_are_refused():
    with pytest.raises(BadValueError, match=r"k=70000: .* at most 65,534 labels. .*merge"):
        tiff.Codes(70_000)


@pytest.mark.parametrize(
    ("unit", "step", "shown", "size"),
    [
        ("um", 0.25, "um", 0.25),
        ("µm", 0.25, "um", 0.25),
        ("nm", 3.7, "nm", 3.7),
        ("m", 2e-9, "um", 2e-3),
        ("m", 5.0, "m", 5.0),
        ("Å", 1.5, "A", 1.5),
        ("°", 1.5, r"\u00b0", 1.5),
        ("", 2.0, None, 2.0),
    ],
)
def test_pixels_have_size_unit_and_origin(tmp_path, unit, step, shown, size):
    fit = sized(step, unit, first=10 * step).cluster.pixels().kmeans(3)
    _, tags, said, _ = written(fit, tmp_path)
    of_x, of_y = (tags[name][1] / tags[name][0] for name in ("XResolution", "YResolution"))
    assert (of_x, of_y) == pytest.approx((2 * size, size), rel=1e-6)
    assert said.get("unit") == shown
    assert (said["xorigin"], said["yorigin"]) == pytest.approx((-5.0, -10.0))


def test_other_units_along_rows_are_said(tmp_path):
    data = image(y=("y", *um(23, 1.0, "nm")), x=("x", *um(31, 1.0, "um")))
    _, _, said, _ = written(data.cluster.pixels().kmeans(3), tmp_path)
    assert (said["unit"], said["yunit"]) == ("um", "nm")


def test_uneven_rows_have_no_size_and_this_is_said(tmp_path):
    data = sized().assign_coords(y=("y", np.arange(23.0) ** 2, {"units": "um"}))
    fit = data.cluster.pixels().kmeans(3)
    with pytest.warns(UserWarning, match="no pixel size: 'y' is not evenly spaced"):
        _, tags, said, _ = written(fit, tmp_path)
    assert tags["XResolution"] == tags["YResolution"] == (1, 1)
    assert "unit" not in said


DATES = pd.date_range("2001-01-01", periods=23)


@pytest.mark.parametrize("y", [None, list("abcdefghijklmnopqrstuvw"), DATES], ids=str)
def test_rows_without_numbers_have_no_size(tmp_path, y):
    data = image() if y is None else image(y=y)
    fit = data.cluster.pixels().kmeans(3)
    pixels, tags, _, _ = written(fit, tmp_path)
    np.testing.assert_array_equal(pixels, as_numbers(fit.labels.values))
    assert tags["XResolution"] == (1, 1)


def test_the_first_row_is_that_of_the_figure(tmp_path):
    """An image starts with its first row wherever y is; on the Earth north is up."""
    degrees = {
        "lat": ("lat", np.linspace(-40, 40, 23), {"units": "degrees_north"}),
        "lon": ("lon", np.linspace(0, 60, 31), {"units": "degrees_east"}),
    }
    north_up = image().rename(y="lat", x="lon").assign_coords(degrees)
    order = np.random.default_rng(0).permutation(23)
    cases = {
        "rising": sized(),
        "falling": sized().isel(y=slice(None, None, -1)),
        "leftwards": sized().isel(x=slice(None, None, -1)),
        "columns first": sized().T,
        "shuffled": sized().isel(y=order),
        "north up": north_up,
        "south up": north_up.isel(lat=slice(None, None, -1)),
    }
    for name, data in cases.items():
        fit = data.cluster.pixels().kmeans(3)
        pixels, _, _, _ = written(fit, tmp_path)
        drawn = fit.plot.map()
        shown = np.ma.filled(drawn.get_array(), np.nan)
        low, high = drawn.axes.get_ylim()
        shown = shown[::-1] if low < high else shown  # drawn from below
        numbers = np.where(pixels == 255, np.nan, pixels)
        np.testing.assert_array_equal(numbers, shown, err_msg=name)


def test_further_dims_are_times_slices_and_channels(tmp_path):
    time = pd.date_range("2001-01-01", periods=4)
    data = image((4, 23, 31), time=time)
    fit = data.cluster.pixels().kmeans(3)
    pixels, _, said, axes = written(fit, tmp_path)
    assert axes == "TYX"
    np.testing.assert_array_equal(pixels, as_numbers(fit.labels.values))
    assert [text.split("T")[0] for text in said["Labels"]] == [
        f"time = 2001-01-0{day}" for day in (1, 2, 3, 4)
    ]
    deep = data.expand_dims(z=[1.5, 2.5]).cluster.pixels().kmeans(3)
    pixels, _, said, axes = written(deep, tmp_path)
    assert axes == "TZYX"
    lettered = deep.labels.transpose("time", "z", "y", "x")
    np.testing.assert_array_equal(pixels, as_numbers(lettered.values))
    assert said["Labels"][1].endswith(", z = 2.5")
    many = data.expand_dims(a=1, b=1, c=1).cluster.pixels().kmeans(3)
    with pytest.raises(BadValueError, match=r"at most three dims beside rows and columns"):
        many.to_tiff(tmp_path / "many.tif")


def test_memberships_are_channels_in_the_colours_of_their_labels(tmp_path):
    data = image((2, 23, 31), y=("y", *um(23, 0.5)), x=("x", *um(31, 0.5)))
    fit = data.cluster.pixels().gmm(3, covariance_type="diag").relabel(colors=["red", "lime", "b"])
    pixels, tags, said, axes = written(fit, tmp_path, "memberships")
    assert axes == "TCYX"
    theirs = fit.memberships.transpose("time", "label", "y", "x").values.astype(np.float32)
    np.testing.assert_array_equal(pixels, theirs)
    assert np.isnan(pixels).sum() == 3 * 2 * 10
    assert said["mode"] == "composite"
    assert said["LUTs"][1][:, -1].tolist() == [0, 255, 0]
    assert said["Ranges"] == (0.0, 1.0) * 3
    assert said["Labels"][:2] == ["time = 0, label_0", "time = 0, label_1"]
    assert tags["XResolution"] == (2, 1)


def test_windows_are_an_image_of_windows(tmp_path):
    data = image().fillna(0.0).assign_coords(y=("y", *um(23, 0.5)), x=("x", *um(31, 0.5)))
    fit = data.cluster.patches(5, every=3).kmeans(2)
    pixels, tags, _, _ = written(fit, tmp_path)
    np.testing.assert_array_equal(pixels, fit.labels.values)
    assert tags["XResolution"][0] / tags["XResolution"][1] == pytest.approx(1 / 1.5)


@pytest.mark.parametrize("what", ["labels", "memberships"])
def test_lazy_blocks_give_the_same_file(tmp_path, what, computes):
    rng = np.random.default_rng(0)
    for number in range(6):
        y, x = (tuple(np.diff([0, *sorted(rng.choice(np.arange(1, n), 3, False)), n]).tolist())
                for n in (23, 31))  # fmt: skip
        files = []
        for data in (sized(), sized().chunk(y=y, x=x)):
            fit = data.cluster.pixels().gmm(3, covariance_type="diag")
            before = computes()
            fit.to_tiff(tmp_path / "a.tif", what)
            assert computes() - before == (data.chunks is not None), number
            files.append((tmp_path / "a.tif").read_bytes())
        assert files[0] == files[1]


def test_cleaned_labels_are_written(tmp_path):
    fit = sized().chunk(y=10).cluster.pixels().kmeans(3).smooth(3).sieve(4)
    pixels, _, said, _ = written(fit, tmp_path)
    np.testing.assert_array_equal(pixels, as_numbers(fit.labels.values))
    assert "sieve" in said["Info"].splitlines()[0]


def test_an_opened_result_is_written(tmp_path):
    fit = sized().cluster.pixels().kmeans(3)
    fit.save(tmp_path / "fit.nc")
    pixels, _, _, _ = written(xcluster.open(tmp_path / "fit.nc"), tmp_path)
    np.testing.assert_array_equal(pixels, as_numbers(fit.labels.values))


def test_samples_that_are_no_image_are_refused(tmp_path):
    points = xr.Dataset({"a": ("node", np.arange(20.0))}).assign_coords(
        lat=("node", np.linspace(0, 9, 20), {"units": "degrees_north"}),
        lon=("node", np.linspace(0, 9, 20), {"units": "degrees_east"}),
    )
    for data in (points, points.drop_vars(["lat", "lon"])):
        fit = data.cluster.pixels().kmeans(2)
        with pytest.raises(BadValueError, match=r"rows and columns, .* along \('node',\)"):
            fit.to_tiff(tmp_path / "a.tif")


def test_other_suffixes_methods_and_words_are_refused(tmp_path):
    fit = sized().cluster.pixels().kmeans(3)
    with pytest.raises(BadValueError, match=r"must end in .tif or .tiff. Write to map.tif"):
        fit.to_tiff(tmp_path / "map.png")
    with pytest.raises(BadValueError, match="memberships"):
        fit.to_tiff(tmp_path / "map.tif", "memberships")
    with pytest.raises(BadValueError, match=r"Did you mean .labels."):
        fit.to_tiff(tmp_path / "map.tif", "label")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_tifffile_is_named_with_its_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(ImportError, match=r'pip install "xarray-cluster\[microscopy\]"'):
        sized().cluster.pixels().kmeans(3).to_tiff(tmp_path / "map.tif")


# -------------------------------------------------------------------------------- what may go wrong


@pytest.mark.parametrize("lazy", [False, True])
def test_a_full_disk_leaves_the_old_file_whole_and_is_named(tmp_path, monkeypatch, lazy):
    data = sized().chunk(y=10) if lazy else sized()
    fit = data.cluster.pixels().kmeans(3)
    path = tmp_path / "map.tif"
    fit.to_tiff(path)
    old = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tiff.Pixels, "__setitem__", full)
    with pytest.raises(OSError, match=r"path=.*cannot be written \(No space left") as caught:
        fit.relabel(["a", "b", "c"]).to_tiff(path)
    assert caught.value.remedy == "check space and permissions, or choose another folder"
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


FULL = """
    import json, resource, sys, numpy as np, xarray as xr, xcluster
    fit = xr.DataArray(np.eye(200), dims=("y", "x")).cluster.pixels().kmeans(2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
    try:
        fit.to_tiff(sys.argv[1])
    except OSError as error:
        print(json.dumps([error.parameter, error.rule]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_file_that_the_system_does_not_let_grow_is_named(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(FULL), str(tmp_path / "map.tif")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    parameter, rule = json.loads(done.stdout)
    assert parameter == "path"
    assert rule.startswith("cannot be written (")
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_cannot_be_read_is_named(tmp_path):
    import dask.array as da

    def broken(block, block_info=None):
        if block_info[0]["chunk-location"] == (1, 0):
            raise OSError("the disk is gone")
        return block

    data = sized().fillna(0.0)
    lazy = data.copy(data=da.from_array(data.values, (12, 31)).map_blocks(broken, dtype=float))
    fit = data.cluster.pixels().kmeans(3)
    there = xcluster.Clustering.of(fit, None)
    there.save(tmp_path / "fit.nc")
    opened = xcluster.open(tmp_path / "fit.nc", data=lazy)
    with pytest.raises(OSError, match=r"vars='counts': the block .* cannot be read"):
        opened.to_tiff(tmp_path / "map.tif")
    assert not (tmp_path / "map.tif").exists()
    assert not list(tmp_path.glob(".*"))


def test_planes_that_imagej_cannot_open_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff, "LARGEST_PLANE", 23 * 31 - 1)
    with pytest.raises(BadValueError, match=r"23 x 31 pixels is larger than ImageJ opens"):
        sized().cluster.pixels().kmeans(3).to_tiff(tmp_path / "map.tif")


def test_a_long_stack_describes_its_first_plane(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff, "CLASSIC", 2000)
    fit = image((4, 23, 31)).cluster.pixels().kmeans(3)
    pixels, _, said, _ = written(fit, tmp_path)
    assert said["images"] == 4
    np.testing.assert_array_equal(pixels, as_numbers(fit.labels.values))


def test_each_scene_is_a_file_in_a_folder(tmp_path):
    scenes = {"north/1": sized(), "south": sized().isel(x=slice(9))}
    pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
    fit = pooled.kmeans(3)
    paths = fit.to_tiff(tmp_path / "maps")
    assert [path.name for path in paths] == ["north%2F1.tif", "south.tif"]
    for name, path in zip(scenes, paths, strict=True):
        np.testing.assert_array_equal(tifffile.imread(path), as_numbers(fit[name].labels.values))
    pooled.gmm(2).to_tiff(tmp_path, "memberships")
    assert tifffile.imread(tmp_path / "south.tif").shape == (2, 23, 9)
    with pytest.raises(BadValueError, match="what='label'"):
        fit.to_tiff(tmp_path / "none", "label")
    assert not (tmp_path / "none").exists()
