"""Label maps as GeoTIFF and as polygons, read back by GDAL and GeoPandas."""

import json
import os
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import rasterio.shutil
import shapely
import xarray as xr
from flat_mesh import flat_mesh
from pyproj import CRS
from rasterio.env import get_gdal_config
from rasterio.features import rasterize
from scipy.ndimage import label as number_regions
from scipy.ndimage import uniform_filter

import xcluster
from xcluster.base.errors import BadParameterError

ROOT = Path(xcluster.__file__).parents[1]
NO_DATA, UNCLASSIFIED = 255, 254
COLORS = ["#112233", "#445566", "#778899", "#aabbcc"]
NAMES = ["deep & wide", "<b>", "née", "d"]


def land(shape=(90, 70), rising=False, seed=0):
    """Smooth groups on a grid of 30 m in UTM, with a corner and some pixels without data."""
    random = np.random.default_rng(seed)
    field = uniform_filter(random.normal(size=shape), 5)
    field = np.digitize(field, np.quantile(field, [0.25, 0.5, 0.75])) * 5.0
    field += random.normal(size=shape) * 0.1
    field[:12, :9] = np.nan
    field[random.random(shape) < 0.01] = np.nan
    y = 4_999_985.0 - 30 * np.arange(shape[0])
    metres = {"units": "m"}
    coords = {"y": ("y", y, metres), "x": ("x", 400_015.0 + 30 * np.arange(shape[1]), metres)}
    crs = xr.DataArray(0, attrs={"spatial_ref": CRS.from_epsg(32633).to_wkt()})
    values = xr.DataArray(field, coords, ("y", "x"), name="band").assign_coords(spatial_ref=crs)
    return values.isel(y=slice(None, None, -1)) if rising else values


def fitted(data, k=4):
    fit = data.cluster.pixels().kmeans(k)
    return fit.relabel(NAMES[:k], colors=COLORS[:k])


def codes(labels):
    """Return what a file should hold, rows from north to south."""
    values = labels.sortby("y", ascending=False).sortby("x").transpose("y", "x").values
    return np.where(np.isnan(values), NO_DATA, np.where(values < 0, UNCLASSIFIED, values))


def random_chunks(data, seed):
    random = np.random.default_rng(seed)
    cuts = {}
    for dim, size in data.sizes.items():
        inner = np.sort(random.choice(np.arange(1, size), 3, replace=False))
        cuts[dim] = tuple(np.diff([0, *inner, size]).tolist())
    return data.chunk(cuts)


# -------------------------------------------------------------------------------------- GeoTIFF


@pytest.mark.parametrize("rising", [False, True])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_a_geotiff_holds_the_labels_where_they_are(tmp_path, rising, seed):
    data = land(rising=rising)
    fit = fitted(data if seed is None else random_chunks(data, seed).transpose("x", "y"))
    fit.to_raster(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.dtypes == ("uint8",)
        assert file.crs.to_epsg() == 32633
        assert file.transform == rasterio.Affine(30, 0, 400_000, 0, -30, 5_000_000)
        np.testing.assert_array_equal(file.read(1), codes(fit.labels))
        for row, column in ((3, 60), (89, 0), (50, 31)):
            at = dict(zip(("x", "y"), file.xy(row, column), strict=True))
            assert file.read(1)[row, column] == fit.labels.sel(at).values


def test_a_geotiff_has_names_colours_and_what_its_numbers_mean(tmp_path):
    fit = fitted(land())
    fit.to_raster(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.nodata == NO_DATA
        assert file.tags()["no_data"] == str(NO_DATA)
        assert file.tags()["unclassified"] == str(UNCLASSIFIED)
        colors = file.colormap(1)
        assert ["#{:02x}{:02x}{:02x}".format(*colors[i]) for i in range(4)] == COLORS
        assert colors[NO_DATA][3] == 0  # not shown
    rasterio.shutil.copy(tmp_path / "a.tif", tmp_path / "a.vrt", driver="VRT")  # as GDAL reads it
    table = ET.parse(tmp_path / "a.vrt").find("VRTRasterBand/GDALRasterAttributeTable")
    rows = [[cell.text for cell in row] for row in table.findall("Row")]
    assert rows[0] == ["0", NAMES[0], "17", "34", "51"]
    assert [row[:2] for row in rows[1:]] == [
        ["1", "<b>"], ["2", "née"], ["3", "d"], [str(UNCLASSIFIED), "unclassified"],
    ]  # fmt: skip


def test_a_geotiff_is_cloud_optimised_and_its_overviews_hold_labels(tmp_path):
    data = land((1300, 1100))
    fitted(data.chunk(y=400, x=500)).to_raster(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.block_shapes == [(512, 512)]
        assert file.overviews(1) == [2, 4]
        assert file.compression.name == "deflate"
    with rasterio.open(tmp_path / "a.tif", overview_level=1) as file:
        assert set(np.unique(file.read(1))) <= {0, 1, 2, 3, NO_DATA}


def test_unclassified_samples_have_the_number_below_no_data(tmp_path):
    fit = land().cluster.pixels().gmm(3).threshold(0.99)
    assert (fit.labels == -1).any()
    fit.to_raster(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(file.read(1), codes(fit.labels))


@pytest.mark.parametrize(("k", "dtype"), [(254, "uint8"), (255, "uint16")])
def test_more_labels_than_bytes_hold_take_16_bits(tmp_path, k, dtype):
    values = np.arange(1200.0).reshape(30, 40)
    coords = {"y": np.arange(30.0), "x": np.arange(40.0)}
    fit = xr.DataArray(values, coords, ("y", "x"), name="a").cluster.pixels().kmeans(k, n_init=1)
    fit.to_raster(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.dtypes == (dtype,)
        assert file.nodata == np.iinfo(dtype).max
        assert file.tags()["unclassified"] == str(np.iinfo(dtype).max - 1)
        np.testing.assert_array_equal(file.read(1), fit.labels.values[::-1])
        assert len(file.colormap(1)) >= k


def test_more_labels_than_a_geotiff_holds_are_refused():
    from xcluster.export.codes import Codes

    with pytest.raises(ValueError, match=r"k=65535: an image holds at most 65,534 labels"):
        Codes(65_535)


@pytest.mark.parametrize("seed", [None, 3])
def test_memberships_have_a_band_for_each_label(tmp_path, seed):
    data = land(rising=True) if seed is None else random_chunks(land(rising=True), seed)
    fit = data.cluster.pixels().gmm(3).relabel(["a", "b", "c"])
    fit.to_raster(tmp_path / "a.tif")
    fit.to_raster(tmp_path / "a.tif", "memberships")
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.dtypes == ("float32",) * 3
        assert np.isnan(file.nodata)
        assert file.descriptions == ("a", "b", "c")
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        np.testing.assert_array_equal(file.read(), fit.memberships.values[:, ::-1])
    assert os.listdir(tmp_path) == ["a.tif"]  # no table of the older file


def test_memberships_of_a_hard_method_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"kmeans gives none"):
        fitted(land()).to_raster(tmp_path / "a.tif", "memberships")


def test_degrees_are_longitude_and_latitude_from_180_west(tmp_path):
    ocean = xcluster.datasets.ocean()
    fit = ocean.cluster.pixels().kmeans(3)
    turned = ocean.assign_coords(longitude=ocean.longitude % 360).sortby("longitude")
    for name, each in {"a": fit, "b": turned.cluster.pixels().kmeans(3)}.items():
        each.to_raster(tmp_path / f"{name}.tif")
        with rasterio.open(tmp_path / f"{name}.tif") as file:
            assert file.crs.to_epsg() == 4326
            assert file.transform == rasterio.Affine(2, 0, -180, 0, -2, 90)
            expected = np.nan_to_num(fit.labels.values[::-1], nan=NO_DATA)
            np.testing.assert_array_equal(file.read(1), expected)


def test_a_crs_that_a_geotiff_cannot_hold_stands_beside_it(tmp_path):
    pole = {
        "grid_mapping_name": "rotated_latitude_longitude",
        "grid_north_pole_latitude": 39.25,
        "grid_north_pole_longitude": -162.0,
    }
    data = land().drop_vars("spatial_ref").assign_coords(crs=xr.DataArray(0, attrs=pole))
    coords = {"y": 0.1 * np.arange(90.0), "x": 0.1 * np.arange(70.0)}
    data = data.drop_vars(["x", "y"]).assign_coords(coords)
    data.x.attrs, data.y.attrs = ({"standard_name": f"grid_{n}"} for n in ("longitude", "latitude"))
    fitted(data).to_raster(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        assert CRS.from_wkt(file.crs.to_wkt()).equals(CRS.from_cf(pole), ignore_axis_order=True)
    assert ET.parse(tmp_path / "a.tif.aux.xml").find("PAMRasterBand") is not None


def test_kilometres_become_the_units_of_the_crs(tmp_path):
    data = land()
    for dim in ("x", "y"):
        data = data.assign_coords({dim: (dim, data[dim].values / 1e3, {"units": "km"})})
    fitted(data).to_raster(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        np.testing.assert_allclose(file.transform[:6], (30, 0, 400_000, 0, -30, 5_000_000))


def test_one_step_of_several_is_written(tmp_path):
    times = pd.date_range("2001-01-01", periods=3, freq="MS")
    data = xr.concat([land(seed=n) for n in range(3)], pd.Index(times, name="time"))
    fit = fitted(data)
    with pytest.raises(ValueError, match=r"Choose one entry .*sel=\{'time': '2001-01-01") as caught:
        fit.to_raster(tmp_path / "a.tif")
    sel = eval(caught.value.remedy.split("sel=")[1])
    fit.to_raster(tmp_path / "first.tif", sel=sel)
    fit.to_raster(tmp_path / "last.tif", sel={"time": "2001-03"})
    for name, step in (("first", 0), ("last", 2)):
        with rasterio.open(tmp_path / f"{name}.tif") as file:
            np.testing.assert_array_equal(file.read(1), codes(fit.labels.isel(time=step)))
    polygons = fit.to_polygons("label", sel={"time": "2001-03"})
    assert polygons.samples.sum() == fit.labels.isel(time=2).notnull().sum()
    with pytest.raises(ValueError, match="names 'month'"):
        fit.to_polygons(sel={"month": 1})


@pytest.mark.parametrize("steps", [[1, 2], [0.5, 1.5], ["a", "b"]])
def test_a_step_is_named_as_it_can_be_chosen(tmp_path, steps):
    data = xr.concat([land(), land(seed=1)], pd.Index(steps, name="step"))
    fit = fitted(data)
    with pytest.raises(ValueError, match="Choose one entry") as caught:
        fit.to_raster(tmp_path / "a.tif")
    sel = eval(caught.value.remedy.split("sel=")[1])
    assert sel == {"step": steps[0]}
    fit.to_raster(tmp_path / "a.tif", sel=sel)


def irregular():
    data = land()
    return data.isel(x=[0, 1, 2, 4, 7, 8, 9])


def curvilinear():
    data = land().drop_vars(["x", "y", "spatial_ref"])
    y, x = np.indices(data.shape)
    lonlat = {"longitude": (("y", "x"), x + 0.1 * y), "latitude": (("y", "x"), y * 0.5)}
    return data.assign_coords(lonlat)


def points():
    data = land().drop_vars("spatial_ref").stack(point=("y", "x")).reset_index("point")
    degrees = {
        "longitude": ("point", data.x.values / 1e5),
        "latitude": ("point", data.y.values / 1e5),
    }
    return data.drop_vars(["x", "y"]).assign_coords(degrees)


def healpix():
    cell = np.arange(48)
    attrs = {"standard_name": "healpix_index", "nside": 2, "indexing_scheme": "nested"}
    values = np.random.default_rng(0).normal(size=48)
    return xr.DataArray(values, {"cell": ("cell", cell, attrs)}, ("cell",), name="a")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (irregular, r"evenly spaced .*'x' are not.*ds\.interp"),
        (curvilinear, r"the grid is curvilinear"),
        (points, r"a list along 'point'"),
        (healpix, r"HEALPix cells and meshes have no rows"),
        (lambda: land().drop_vars("x"), r"'x' has none.*assign_coords"),
        (lambda: land().isel(x=[4]), r"(evenly spaced|rows and columns)"),
        (lambda: land().assign_coords(x=list(map(str, range(70)))), r"'x' has no numbers"),
    ],
)
def test_what_is_no_regular_grid_is_refused(tmp_path, make, why):
    fit = make().cluster.pixels().kmeans(3)
    for call in (lambda: fit.to_raster(tmp_path / "a.tif"), fit.to_polygons):
        with pytest.raises(ValueError, match=why) as caught:
            call()
        assert isinstance(caught.value, BadParameterError)
    assert not os.listdir(tmp_path)


def test_a_mesh_is_refused(tmp_path):
    fit = flat_mesh()[0].cluster.pixels().kmeans(2)
    with pytest.raises(ValueError, match="meshes have no rows"):
        fit.to_raster(tmp_path / "a.tif")


def test_what_the_error_of_uneven_spacing_says_helps(tmp_path):
    ds = irregular().drop_vars("spatial_ref")
    with pytest.raises(ValueError, match="evenly") as caught:
        fitted(ds).to_raster(tmp_path / "a.tif")
    even = eval(caught.value.remedy.split(": ", 1)[1], {"ds": ds, "np": np})
    fitted(even).to_raster(tmp_path / "a.tif")


def test_a_shuffled_axis_is_put_in_order(tmp_path):
    data = land()
    places = np.random.default_rng(0).permutation(70)
    fit = fitted(data)
    fitted(data.isel(x=places)).to_raster(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(file.read(1), codes(fit.labels))


def test_coordinates_in_single_precision_are_even(tmp_path):
    data = land()
    data = data.assign_coords(y=data.y.astype(np.float32), x=data.x.astype(np.float32))
    fitted(data).to_raster(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        np.testing.assert_allclose(file.transform[0], 30, rtol=1e-3)


# ---------------------------------------------------------------------------- files, lazily


def test_a_result_without_its_data_is_written(tmp_path):
    fit = fitted(land())
    fit.save(tmp_path / "a.nc")
    opened = xcluster.open(tmp_path / "a.nc")
    opened.to_raster(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(file.read(1), codes(fit.labels))
    pd.testing.assert_frame_equal(
        pd.DataFrame(opened.to_polygons("label").drop(columns="geometry")),
        pd.DataFrame(fit.to_polygons("label").drop(columns="geometry")),
    )


def test_each_block_is_read_once_and_the_memory_of_gdal_is_as_before(tmp_path):
    import dask.array as da

    data, reads = land(), []

    def counted(block, block_info=None):
        reads.append(block_info[0]["chunk-location"])
        return block

    chunked = da.from_array(data.values, (30, 35)).map_blocks(
        counted, dtype=float, meta=np.empty(0)
    )
    fit = fitted(data)
    labels = data.copy(data=chunked).cluster.pixels().kmeans(4)
    reads.clear()
    with rasterio.Env():
        before = get_gdal_config("GDAL_CACHEMAX")
        labels.to_raster(tmp_path / "a.tif")
        assert get_gdal_config("GDAL_CACHEMAX") == before
    assert sorted(reads) == [(y, x) for y in range(3) for x in range(2)]
    with rasterio.open(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(file.read(1), codes(fit.labels))


@pytest.mark.large
def test_a_cluster_computes_what_this_process_writes(tmp_path):
    distributed = pytest.importorskip("distributed")
    data = land()
    fit = fitted(data)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as local,
        distributed.Client(local),
    ):
        fitted(random_chunks(data, 4)).to_raster(tmp_path / "a.tif")
        fit.to_raster(tmp_path / "b.tif")
    for name in ("a.tif", "b.tif"):
        with rasterio.open(tmp_path / name) as file:
            np.testing.assert_array_equal(file.read(1), codes(fit.labels))


def test_a_block_that_cannot_be_read_is_named_and_the_old_file_stays(tmp_path):
    import dask.array as da

    data, broken = land(), []

    def fail(block, block_info=None):
        if broken and block_info[0]["chunk-location"] == (1, 1):
            raise OSError("the disk is gone")
        return block

    chunked = da.from_array(data.values, (30, 35)).map_blocks(fail, dtype=float, meta=np.empty(0))
    fit = fitted(data.copy(data=chunked))
    fit.to_raster(tmp_path / "a.tif")
    before = {each: (tmp_path / each).read_bytes() for each in os.listdir(tmp_path)}
    broken.append(True)
    with pytest.raises(OSError, match=r"block \[y 30:60, x 35:70\] of 'band' cannot be read"):
        fit.relabel({0: "other"}).to_raster(tmp_path / "a.tif")
    assert {each: (tmp_path / each).read_bytes() for each in os.listdir(tmp_path)} == before


FULL = """
    import json, os, resource, signal, sys, xcluster
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path, found = sys.argv[1], []
    fit = xcluster.open(path.replace(".tif", ".nc")).relabel({0: "other"})
    for limit in (100, 3000, 20_000, 40_000, 262_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            fit.to_raster(path)
            found.append("written")
        except OSError as error:
            found.append([error.parameter, error.rule])
    print(json.dumps(found))
"""


@pytest.mark.skipif(os.name != "posix", reason="limits and signals are POSIX's")
def test_a_full_disk_leaves_the_old_files_whole(tmp_path):
    fit = fitted(land((300, 300)))
    fit.save(tmp_path / "a.nc")
    fit.to_raster(tmp_path / "a.tif")
    before = {each: (tmp_path / each).read_bytes() for each in os.listdir(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FULL), str(tmp_path / "a.tif")],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for parameter, rule in json.loads(done.stdout.splitlines()[-1]):
        assert parameter == "path"
        assert rule.startswith("cannot be written (")
    assert {each: (tmp_path / each).read_bytes() for each in os.listdir(tmp_path)} == before


@pytest.mark.parametrize("path", ["a.png", "a", "a.nc"])
def test_another_suffix_is_refused(tmp_path, path):
    with pytest.raises(ValueError, match=r"must end in \.tif or \.tiff\. Write a\.tif"):
        fitted(land()).to_raster(tmp_path / path)


@pytest.mark.parametrize(
    ("suffix", "call"),
    [
        (".tif", "fit.to_raster(path)"),
        (".tiff", "fit.to_raster(path)"),
        (".csv", "fit.to_dataframe().to_csv(path)"),
        (".gpkg", "fit.to_polygons().to_file(path)"),
        (".shp", "fit.to_polygons().to_file(path)"),
        (".geojson", "fit.to_polygons().to_file(path)"),
    ],
)
def test_save_says_which_method_writes_a_file_of_another_program(tmp_path, suffix, call):
    fit, path = fitted(land()), tmp_path / f"a{suffix}"
    with pytest.raises(ValueError, match="must end in") as caught:
        fit.save(path)
    assert call in caught.value.remedy
    eval(call, {"fit": fit, "path": path})
    assert path.exists()


@pytest.mark.parametrize("name", ["rasterio", "geopandas"])
def test_what_is_not_installed_is_named_with_the_command(tmp_path, monkeypatch, name):
    fit = fitted(land())
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=rf"needs {name}.*pip install \"xarray-cluster\[geo\]\""):
        fit.to_polygons()
    if name == "rasterio":
        with pytest.raises(ImportError, match=r"to_raster\(\) needs rasterio"):
            fit.to_raster(tmp_path / "a.tif")


# ------------------------------------------------------------------------------------- polygons


def painted(frame, shape=(90, 70)):
    """Return the labels that polygons cover, on the pixels of the map."""
    pairs = [(shape, UNCLASSIFIED if label < 0 else label) for shape, label in
             zip(frame.geometry, frame.label, strict=True)]  # fmt: skip
    transform = rasterio.Affine(30, 0, 400_000, 0, -30, 5_000_000)
    return rasterize(pairs, shape, fill=NO_DATA, transform=transform, dtype="uint8")


@pytest.mark.parametrize("by", ["region", "label"])
@pytest.mark.parametrize("rising", [False, True])
def test_polygons_cover_the_samples_of_their_labels(by, rising):
    fit = land(rising=rising).cluster.pixels().gmm(3).threshold(0.99).relabel(NAMES[:3])
    frame = fit.to_polygons(by)
    np.testing.assert_array_equal(painted(frame), codes(fit.labels))
    assert frame.crs.to_epsg() == 32633
    assert frame.is_valid.all()
    assert dict(zip(frame.label, frame.name, strict=True)) == {
        **dict(enumerate(NAMES[:3])), -1: "unclassified",
    }  # fmt: skip
    assert frame.label.iloc[-1] == -1


def test_areas_are_those_of_the_samples():
    frame = fitted(land()).to_polygons()
    np.testing.assert_allclose(frame.area, 900.0 * frame.samples)
    np.testing.assert_allclose(frame.area_km2, 9e-4 * frame.samples)


def test_areas_on_the_globe_are_those_of_the_report():
    fit = xcluster.datasets.ocean().cluster.pixels().kmeans(5)
    report = fit.report()
    for by in ("region", "label"):
        summed = fit.to_polygons(by).groupby("label")[["samples", "area_km2"]].sum()
        np.testing.assert_array_equal(summed.samples, report.samples)
        np.testing.assert_allclose(summed.area_km2, report.area_km2)


def test_areas_that_are_not_known_are_no_column():
    data = land().drop_vars(["spatial_ref", "x", "y"]).assign_coords(x=range(70), y=range(90))
    frame = fitted(data).to_polygons()
    assert list(frame) == ["label", "name", "color", "samples", "geometry"]
    assert frame.crs is None
    np.testing.assert_allclose(frame.area, frame.samples)


def test_regions_are_samples_that_share_sides():
    fit = fitted(land())
    frame = fit.to_polygons()
    found = codes(fit.labels)
    assert len(frame) == sum(number_regions(found == label)[1] for label in range(4))
    expected = [np.sort(np.bincount(number_regions(found == n)[0].ravel())[1:]) for n in range(4)]
    for label, sizes in enumerate(expected):
        of_label = frame[frame.label == label].samples
        assert list(of_label) == list(sizes[::-1])


@pytest.mark.parametrize("seed", range(3))
def test_polygons_do_not_depend_on_chunks(seed):
    eager = fitted(land()).to_polygons()
    chunked = fitted(random_chunks(land(rising=bool(seed % 2)), seed)).to_polygons()
    assert eager.drop(columns="geometry").equals(chunked.drop(columns="geometry"))
    assert shapely.equals_exact(eager.geometry.values, chunked.geometry.values).all()


@pytest.mark.parametrize("tolerance", [50.0, 100.0])
@pytest.mark.parametrize("by", ["region", "label"])
def test_simplified_neighbours_keep_their_common_edges(tolerance, by):
    fit = fitted(land())
    stepped, frame = fit.to_polygons(by), fit.to_polygons(by, simplify=tolerance)
    assert shapely.coverage_is_valid(frame.geometry.values)
    assert frame.is_valid.all()
    assert not frame.is_empty.any()
    count = shapely.get_num_coordinates
    assert count(frame.geometry.values).sum() < count(stepped.geometry.values).sum()
    pd.testing.assert_series_equal(frame.area_km2, stepped.area_km2)


@pytest.mark.parametrize("suffix", ["gpkg", "geojson"])
def test_polygons_are_read_back_by_geopandas(tmp_path, suffix):
    frame = fitted(land()).to_polygons("label")
    frame.to_file(tmp_path / f"a.{suffix}")
    back = geopandas.read_file(tmp_path / f"a.{suffix}").to_crs(frame.crs)
    assert list(back.name) == NAMES
    assert list(back.color) == COLORS
    np.testing.assert_allclose(back.area_km2, frame.area_km2)
    np.testing.assert_allclose(back.area, frame.area, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:method='dbscan'")
def test_a_map_of_noise_alone_has_polygons_and_a_file(tmp_path):
    fit = land().cluster.pixels().dbscan(eps=1e-9, min_samples=50)
    frame = fit.to_polygons("label")
    assert list(frame.label) == [-1]
    assert list(frame.samples) == [fit.labels.notnull().sum()]
    fit.to_raster(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        assert set(np.unique(file.read(1))) == {UNCLASSIFIED, NO_DATA}


@pytest.mark.parametrize("simplify", [None, 50.0])
def test_a_step_without_data_has_no_polygons(simplify):
    steps = xr.concat([land(), land() * np.nan], pd.Index([1, 2], name="step"))
    frame = fitted(steps).to_polygons("label", simplify=simplify, sel={"step": 2})
    assert len(frame) == 0
    assert list(frame) == ["label", "name", "color", "samples", "area_km2", "geometry"]
    assert frame.crs.to_epsg() == 32633


# --------------------------------------------------------------------------------------- scenes


def pooled(other=None):
    scenes = {"one": land(), "two/b": land(seed=1) if other is None else other}
    return xcluster.pool(scenes, lambda each: each.cluster.pixels()).kmeans(3)


def test_each_scene_has_a_file_of_its_own(tmp_path):
    fit = pooled()
    fit.to_raster(tmp_path)
    assert sorted(each.name for each in tmp_path.glob("*.tif")) == ["one.tif", "two%2Fb.tif"]
    with rasterio.open(tmp_path / "two%2Fb.tif") as file:
        np.testing.assert_array_equal(file.read(1), codes(fit["two/b"].labels))
    assert [each.name for each in fit.to_raster(tmp_path / "new")] == ["one.tif", "two%2Fb.tif"]
    with pytest.raises(OSError, match=r"one\.tif.*cannot be used"):
        fit.to_raster(tmp_path / "one.tif")


def test_polygons_of_scenes_are_one_table():
    fit = pooled()
    frame = fit.to_polygons("label")
    assert list(frame.index) == ["one"] * 3 + ["two/b"] * 3
    assert frame.crs.to_epsg() == 32633
    np.testing.assert_array_equal(frame.samples, fit.report().samples)


def test_scenes_with_different_crs_have_no_common_table():
    crs = xr.DataArray(0, attrs={"spatial_ref": CRS.from_epsg(32632).to_wkt()})
    with pytest.raises(ValueError, match=r"'two/b'.*another CRS than 'one'.*fit\['two/b'\]"):
        pooled(land().assign_coords(spatial_ref=crs)).to_polygons()
