"""Results keep their place in the world: grid mappings in memory, in files and on maps."""

from pathlib import Path

import cartopy.crs as ccrs
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from pyproj import CRS, Transformer

import xcluster
from xcluster.explore.gather import gather
from xcluster.plot import maps
from xcluster.plot.lattice import lattice_of

mpl.use("agg")
rasterio = pytest.importorskip("rasterio")

DATA = Path(__file__).parents[2] / "shared" / "data"
EPSG = 32633
STYLES = ("coordinate", "variable", "encoding")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def mapped(data, mapping, name="utm", style="coordinate"):
    """Return data whose variables name a grid mapping, as files and packages state it."""
    stated = xr.DataArray(0, attrs=mapping)
    data = (
        data.assign({name: stated}) if style == "variable" else data.assign_coords({name: stated})
    )
    for variable in data.data_vars.values():
        if variable.ndim:
            where = variable.encoding if style == "encoding" else variable.attrs
            where["grid_mapping"] = name
    return data


def plain(n_y=24, n_x=32):
    """Two bands, a date and three clear groups on a grid of 20 x 30 m, north at the top."""
    random = np.random.default_rng(0)
    group = np.arange(n_y)[:, None] * 3 // n_y + np.zeros(n_x)
    coords = {"y": 5_100_000.0 - 30 * np.arange(n_y), "x": 400_000.0 + 20 * np.arange(n_x)}
    values = {
        name: (("y", "x"), 10 * group + random.normal(size=group.shape)) for name in ("red", "nir")
    }
    return xr.Dataset(values, coords)


def projected(style="coordinate", **sizes):
    return mapped(plain(**sizes), CRS.from_epsg(EPSG).to_cf(), style=style)


TRANSFORM = (20.0, 0.0, 399_990.0, 0.0, -30.0, 5_100_015.0)


def read_by_gdal(path):
    """Return the EPSG code and the six numbers of the transform that GDAL finds."""
    with rasterio.open(path) as raster:
        return raster.crs.to_epsg(), tuple(raster.transform)[:6]


def assert_linked(array, name="utm"):
    assert array.attrs["grid_mapping"] == name, array.name
    assert array.coords[name].attrs["grid_mapping_name"], array.name


# ------------------------------------------------------------------------------- in memory


@pytest.mark.parametrize("style", STYLES)
def test_all_that_lies_on_the_grid_names_the_grid_mapping(style):
    data = projected(style)
    fit = data.cluster.pixels().gmm(3)
    for array in (
        fit.labels, fit.memberships, fit.distances, fit.features, fit.silhouette, fit.mask(1),
        fit.mask([0, 2]), fit.predict(data), fit.threshold(0.9).labels, fit.merge([[0, 1]]).labels,
        *fit.to_dataset().data_vars.values(), *fit.predict(data, memberships=True).values(),
        *(each for each in fit.uncertainty(n_refits=2).values() if "x" in each.dims),
        xcluster.compare(fit, fit).difference,
    ):  # fmt: skip
        assert_linked(array)
    assert "utm" in fit.members(0).coords
    assert (data.x.attrs, data.y.attrs) == ({}, {})


def test_the_simplified_silhouette_names_it_too(monkeypatch):
    monkeypatch.setattr("xcluster.fit.criteria.EXACT_ROWS", 100)
    found = projected().cluster.pixels().kmeans(3).silhouette
    assert found.attrs["long_name"] == "simplified silhouette"
    assert_linked(found)


def test_a_mask_keeps_the_attributes_of_its_coordinates():
    data = plain().assign_coords(lat=(("y", "x"), np.zeros((24, 32)), {"units": "degrees_north"}))
    assert data.cluster.pixels().kmeans(3).mask(0).lat.attrs == {"units": "degrees_north"}


def test_labels_follow_contiguous_samples_and_windows():
    data = projected("variable")
    assert_linked(data.cluster.pixels().hac(3, contiguous=True).labels)
    fit = data.cluster.patches(3, vars="red", every=2).kmeans(3)
    assert_linked(fit.labels)
    assert_linked(fit.upsample())


def test_centres_name_it_only_where_features_lie_on_the_grid():
    data = projected("variable")
    bands = data.cluster.pixels().kmeans(3).centers
    assert "grid_mapping" not in bands.red.attrs
    assert "utm" not in bands.coords
    steps = xr.concat([data[["red"]] + number for number in range(6)], "time")
    steps = mapped(steps, data.utm.attrs, style="variable")
    fit = steps.cluster.snapshots("time", vars="red").kmeans(2)
    assert_linked(fit.centers.red)
    assert "grid_mapping" not in fit.labels.attrs


def test_a_link_to_nothing_is_not_passed_on():
    data = plain()
    data.red.attrs["grid_mapping"] = "lost"
    assert "grid_mapping" not in data.cluster.pixels().kmeans(3).labels.attrs


def test_arithmetic_that_drops_the_link_does_not_lose_the_crs():
    data = projected("encoding") * 2.0
    for variable in data.data_vars.values():
        variable.attrs.clear()
        variable.encoding.clear()
    assert_linked(data.cluster.pixels().kmeans(3).labels)


def test_two_grid_mappings_are_passed_on_as_stated():
    data = projected().assign_coords(geo=((), 0, CRS.from_epsg(4326).to_cf()))
    for name in ("red", "nir"):
        data[name].attrs["grid_mapping"] = "utm: x y geo: lat lon"
    labels = data.cluster.pixels().kmeans(3).labels
    assert labels.attrs["grid_mapping"] == "utm: x y geo: lat lon"
    assert lattice_of(labels).crs.to_epsg() == EPSG


def test_lazy_labels_stay_lazy_with_a_lazy_grid_mapping(computes):
    data = projected("variable", n_y=240).chunk(y=60)
    fit = data.cluster.pixels().kmeans(3)
    before = computes()
    assert_linked(fit.labels)
    assert_linked(fit.mask(0))
    assert computes() == before


# ------------------------------------------------------------------------------- in files


@pytest.mark.parametrize("style", STYLES)
def test_gdal_reads_epsg_and_transform_of_labels_in_netcdf(tmp_path, style):
    fit = projected(style).cluster.pixels().gmm(3)
    for name, array in {"l": fit.labels, "m": fit.memberships, "mask": fit.mask(0)}.items():
        path = tmp_path / f"{name}.nc"
        array.to_netcdf(path)
        assert read_by_gdal(path) == (EPSG, TRANSFORM)
    with rasterio.open(tmp_path / "l.nc") as raster:
        np.testing.assert_array_equal(raster.read(1), fit.labels.values)
    xr.testing.assert_identical(xr.open_dataarray(tmp_path / "l.nc").utm, fit.labels.utm)


def test_gdal_reads_a_dataset_and_a_saved_result(tmp_path):
    fit = projected("variable").cluster.pixels().gmm(3)
    fit.to_dataset().to_netcdf(tmp_path / "both.nc")
    fit.save(tmp_path / "fit.nc")
    for path in ("both.nc", "fit.nc"):
        found = read_by_gdal(f"netcdf:{tmp_path / path}:labels")
        assert found == (EPSG, TRANSFORM)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("style", STYLES)
def test_a_saved_result_keeps_the_link(tmp_path, suffix, style):
    data = projected(style)
    fit = data.cluster.pixels().gmm(3)
    fit.save(tmp_path / f"fit{suffix}")
    for again in (
        xcluster.open(tmp_path / f"fit{suffix}"),
        xcluster.open(tmp_path / f"fit{suffix}", data=data),
    ):
        for array in (again.labels, again.memberships, again.mask(0), again.predict(data)):
            assert_linked(array)
        xr.testing.assert_identical(again.labels.compute(), fit.labels)
        again.labels.to_netcdf(tmp_path / "again.nc")
        assert read_by_gdal(tmp_path / "again.nc") == (EPSG, TRANSFORM)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_grid_mapping_of_one_letter_is_saved(tmp_path, suffix):
    data = projected("variable")
    data["utm"] = data.utm.copy(data=np.array(b"", "S1"))
    fit = data.cluster.pixels().kmeans(3)
    fit.save(tmp_path / f"fit{suffix}")
    assert_linked(xcluster.open(tmp_path / f"fit{suffix}").labels)


def test_labels_in_zarr_keep_the_link(tmp_path):
    labels = projected("variable").cluster.pixels().kmeans(3).labels
    labels.to_zarr(tmp_path / "labels.zarr", zarr_format=2)
    assert_linked(xr.open_zarr(tmp_path / "labels.zarr").label)


def test_pooled_scenes_keep_theirs(tmp_path):
    zones = {"west": EPSG, "east": EPSG + 1}
    scenes = {n: mapped(plain(), CRS.from_epsg(zones[n]).to_cf(), style="variable") for n in zones}
    fit = xcluster.pool(scenes, lambda scene: scene.cluster.pixels()).kmeans(3)
    fit.save(tmp_path / "fit.nc")
    for result in (fit, xcluster.open(tmp_path / "fit.nc")):
        for name, epsg in zones.items():
            result[name].labels.to_netcdf(tmp_path / "one.nc")
            assert read_by_gdal(tmp_path / "one.nc") == (epsg, TRANSFORM)


@pytest.mark.parametrize("said", [False, True])
def test_a_coarser_grid_has_its_own_transform(tmp_path, said):
    """rioxarray states corner and spacing in GeoTransform, which are those of the data."""
    data = projected()
    data.utm.attrs["GeoTransform"] = "399990.0 20.0 0.0 5100015.0 0.0 -30.0"
    if said:
        for dim in "xy":
            data[dim].attrs["axis"] = dim.upper()
    fit = data.expand_dims(z=[0.0, 1.0]).cluster.profiles("z", every=2).kmeans(3)
    fit.labels.to_netcdf(tmp_path / "every.nc")
    windows = data.cluster.patches(2, vars="red", every=2).kmeans(3).labels
    assert "GeoTransform" not in fit.labels.utm.attrs
    assert "GeoTransform" not in windows.utm.attrs
    assert "GeoTransform" in data.utm.attrs
    expected = (40.0, 0.0, 399_980.0, 0.0, -60.0, 5_100_000.0)  # counted from the lowest y
    assert read_by_gdal(tmp_path / "every.nc") == (EPSG, expected)


@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")
def test_gdal_finds_the_pixels_of_a_modis_tile(tmp_path):
    """Sinop: 147 x 255 pixels of 231.656 m in MODIS's sinusoidal projection."""
    crs = CRS.from_proj4("+proj=sinu +R=6371007.181 +units=m")
    tile = xr.open_dataset(DATA / "land" / "sinop_ndvi_12dates.nc", chunks={})
    fit = mapped(tile, crs.to_cf(), "modis", "variable").cluster.profiles("time").kmeans(4)
    fit.labels.to_netcdf(tmp_path / "labels.nc")
    with rasterio.open(tmp_path / "labels.nc") as raster:
        found = CRS.from_wkt(raster.crs.to_wkt()).to_cf()
        assert (found["grid_mapping_name"], found["semi_major_axis"]) == ("sinusoidal", 6371007.181)
        assert raster.shape == (147, 255)
        np.testing.assert_allclose(raster.res, 231.656358, atol=1e-5)
        np.testing.assert_allclose(raster.xy(0, 0), (tile.x[0], tile.y[0]), atol=1e-3)
        np.testing.assert_allclose(raster.xy(146, 254), (tile.x[-1], tile.y[-1]), atol=1e-3)
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    west, south = to_degrees.transform(tile.x.min(), tile.y.min())
    axes = maps.map(fit.labels).axes
    np.testing.assert_allclose(
        ccrs.PlateCarree().transform_point(axes.get_xlim()[0], axes.get_ylim()[0], axes.projection),
        (west, south), atol=0.01,
    )  # fmt: skip


def test_a_rotated_pole_and_its_coordinates_stay(tmp_path):
    data, _ = rotated()
    labels = data.cluster.pixels().kmeans(3).labels
    labels.to_netcdf(tmp_path / "labels.nc")
    stored = xr.open_dataset(tmp_path / "labels.nc", decode_coords=False)
    assert stored.label.attrs["grid_mapping"] == "rotated_pole"
    assert {"lat", "lon"} <= set(stored.label.attrs["coordinates"].split())
    assert stored.rotated_pole.attrs["grid_north_pole_latitude"] == 39.25


# ------------------------------------------------------------------------------- on maps


def rotated(coordinates=True):
    """A regional model's grid, and the CRS that pyproj makes of its grid mapping."""
    mapping = {
        "grid_mapping_name": "rotated_latitude_longitude",
        "grid_north_pole_latitude": 39.25,
        "grid_north_pole_longitude": -162.0,
    }
    crs = CRS.from_cf(mapping)
    rlon, rlat = np.linspace(-15, 15, 31), np.linspace(-10, 10, 21)
    true = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    lon, lat = true.transform(*np.meshgrid(rlon, rlat))
    values = np.random.default_rng(0).normal(size=(2, *lat.shape))
    data = xr.Dataset(
        {"t": (("rlat", "rlon"), values[0]), "u": (("rlat", "rlon"), values[1])},
        {
            "rlat": ("rlat", rlat, {"standard_name": "grid_latitude", "units": "degrees"}),
            "rlon": ("rlon", rlon, {"standard_name": "grid_longitude", "units": "degrees"}),
        },
    )
    data = mapped(data, mapping, "rotated_pole", "variable")
    if coordinates:
        data = data.assign_coords(
            lat=(("rlat", "rlon"), lat, {"units": "degrees_north", "standard_name": "latitude"}),
            lon=(("rlat", "rlon"), lon, {"units": "degrees_east", "standard_name": "longitude"}),
        )
    return data, (lon, lat)


def test_a_rotated_pole_is_no_plain_longitude_on_a_map():
    data, (lon, lat) = rotated(coordinates=False)
    labels = data.cluster.pixels().kmeans(3).labels
    lattice = lattice_of(labels)
    there = ccrs.PlateCarree().transform_points(lattice.crs, *np.meshgrid(lattice.x, lattice.y))
    np.testing.assert_allclose(there[..., 0], lon, atol=0.2)  # sphere and ellipsoid differ
    np.testing.assert_allclose(there[..., 1], lat, atol=0.2)
    assert maps.map(labels).axes.projection == lattice.crs


@pytest.mark.parametrize("style", STYLES)
def test_maps_and_pages_are_in_the_projection_of_the_data(style):
    fit = projected(style).cluster.pixels().kmeans(3)
    assert maps.map(fit.labels).axes.projection.to_epsg() == EPSG
    assert maps.map(fit.mask(0).astype(float)).axes.projection.to_epsg() == EPSG
    page = gather([fit], {})
    assert page.raster.lattice.crs.to_epsg() == EPSG


@pytest.mark.parametrize(("units", "factor"), [("km", 1e-3), ("m", 1.0), ("metre", 1.0)])
def test_coordinates_in_another_unit_lie_where_the_crs_has_them(units, factor):
    data = projected()
    data = data.assign_coords({d: (d, data[d].values * factor, {"units": units}) for d in "xy"})
    west, east = maps.map(data.cluster.pixels().kmeans(3).labels).axes.get_xlim()
    np.testing.assert_allclose((west, east), (399_990, 399_990 + 32 * 20))


def test_angles_of_a_geostationary_satellite_become_places_on_earth():
    """The example of the product guide of GOES-R, volume 3, section 5.1.2.8.1: 33.846162 N."""
    mapping = {
        "grid_mapping_name": "geostationary", "perspective_point_height": 35786023.0,
        "longitude_of_projection_origin": -75.0, "sweep_angle_axis": "x",
        "semi_major_axis": 6378137.0, "semi_minor_axis": 6356752.31414,
    }  # fmt: skip
    x, y = [-0.024052, -0.02], [0.095340, 0.09]
    da = xr.DataArray(
        [[0.0, 1.0], [2.0, 3.0]],
        {"y": ("y", y, {"units": "rad"}), "x": ("x", x, {"units": "rad"})},
        ("y", "x"), attrs={"grid_mapping": "goes"},
    ).assign_coords(goes=((), 0, mapping))  # fmt: skip
    lattice = lattice_of(da)
    lon, lat = ccrs.PlateCarree().transform_point(
        *map(float, (lattice.x[0], lattice.y[0])), lattice.crs
    )
    np.testing.assert_allclose((lon, lat), (-84.690932, 33.846162), atol=1e-5)


def test_a_saved_grid_mapping_of_several_numbers_is_understood(tmp_path):
    mapping = CRS.from_epsg(5070).to_cf()
    del mapping["crs_wkt"]
    fit = mapped(plain(), mapping).cluster.pixels().kmeans(3)
    fit.save(tmp_path / "fit.nc")
    reopened = xcluster.open(tmp_path / "fit.nc").labels
    assert lattice_of(reopened).crs == lattice_of(fit.labels).crs


def test_a_compound_crs_is_drawn_by_its_horizontal_part():
    data = mapped(plain(), {"crs_wkt": CRS(f"EPSG:{EPSG}+5773").to_wkt()})
    assert lattice_of(data.cluster.pixels().kmeans(3).labels).crs.to_epsg() == EPSG


NOT_UNDERSTOOD = (
    {"grid_mapping_name": "nonsense"},
    {"grid_mapping_name": "albers_conical_equal_area", "standard_parallel": "(29.5, 45.5)"},
    {"grid_mapping_name": "albers_conical_equal_area", "standard_parallel": None},
)


@pytest.mark.parametrize("mapping", NOT_UNDERSTOOD)
def test_a_grid_mapping_that_is_not_understood_is_said(mapping):
    data = mapped(plain(), mapping)
    labels = data.cluster.pixels().kmeans(3).labels
    with pytest.warns(UserWarning, match="'utm' is not understood"):
        artist = maps.map(labels)
    assert not hasattr(artist.axes, "projection")


TEXTS = (f"EPSG:{EPSG}", f"+init=epsg:{EPSG}", CRS.from_epsg(EPSG).to_wkt())


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("on", ["dataset", "variables"])
def test_a_crs_that_only_an_attribute_states_reaches_maps_and_files(tmp_path, text, on):
    data = plain()
    for each in [data] if on == "dataset" else data.data_vars.values():
        each.attrs["crs"] = text
    fit = data.cluster.pixels().kmeans(3)
    fit.labels.to_netcdf(tmp_path / "labels.nc")
    assert read_by_gdal(tmp_path / "labels.nc") == (EPSG, TRANSFORM)
    assert maps.map(fit.labels).axes.projection.to_epsg() == EPSG
    assert gather([fit], {}).raster.lattice.crs.to_epsg() == EPSG
    drawn = maps.map(data.red.assign_attrs(crs=text))
    assert drawn.axes.projection.to_epsg() == EPSG
    np.testing.assert_array_equal(fit.predict(plain()), fit.labels)
    assert "spatial_ref" not in data.variables


def test_an_attribute_that_states_no_crs_or_another_than_coordinates_is_none():
    grid = xr.Dataset(
        {"a": (("lat", "lon"), np.arange(12.0).reshape(3, 4))},
        {"lat": [0, 1, 2], "lon": [0, 1, 2, 3]},
    )
    stated = projected().assign_attrs(crs="EPSG:3857")
    assert stated.cluster.pixels().kmeans(2).labels.attrs["grid_mapping"] == "utm"
    for data in (plain().assign_attrs(crs="local"), grid.assign_attrs(crs="EPSG:3857")):
        labels = data.cluster.pixels().kmeans(2).labels
        assert "spatial_ref" not in labels.coords
        assert not hasattr(maps.map(plain().red.assign_attrs(crs="local")).axes, "projection")
