"""What is taken where no variables are named, and what is said about the rest."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xcluster  # noqa: F401
from xcluster.grid.roles import describing

GRID = ("y", "x")
DATA = Path(__file__).parents[2] / "shared" / "data"


def field(seed=0, **attrs):
    """A variable of random numbers on one grid, in two groups."""
    values = np.random.default_rng(seed).normal(size=(20, 30)) + 8 * (np.arange(30) % 2)
    return (GRID, values.astype("f4"), attrs)


DESCRIBING = {
    "bounds": ({"bounds": "other"}, {}, "holds the bounds of another variable"),
    "climatology": ({"climatology": "other"}, {}, "holds the climatology of another variable"),
    "grid mapping": ({"grid_mapping": "other"}, {}, "holds the grid mapping of another variable"),
    "long grid mapping": (
        {"grid_mapping": "other: x y"},
        {},
        "holds the grid mapping of another variable",
    ),
    "cell measures": (
        {"cell_measures": "area: other volume: absent"},
        {},
        "holds the cell measures of another variable",
    ),
    "ancillary": (
        {"ancillary_variables": "first other"},
        {},
        "holds the ancillary data of another variable",
    ),
    "coordinates": (
        {"coordinates": "lon other"},
        {},
        "holds the coordinates of another variable",
    ),
    "mesh connectivity": (
        {"cf_role": "mesh_topology", "face_node_connectivity": "other"},
        {},
        "holds the connectivity of another variable",
    ),
    "mesh coordinates": (
        {"cf_role": "mesh_topology", "node_coordinates": "absent other"},
        {},
        "holds the coordinates of another variable",
    ),
    "role": ({}, {"cf_role": "profile_id"}, "has the cf_role 'profile_id'"),
    "latitude": ({}, {"standard_name": "latitude"}, "has the standard_name 'latitude'"),
    "time": ({}, {"standard_name": "time"}, "has the standard_name 'time'"),
    "depth": ({}, {"standard_name": "depth"}, "has the standard_name 'depth'"),
    "projected": (
        {},
        {"standard_name": "projection_x_coordinate"},
        "has the standard_name 'projection_x_coordinate'",
    ),
    "sigma": (
        {},
        {"standard_name": "ocean_s_coordinate_g2"},
        "has the standard_name 'ocean_s_coordinate_g2'",
    ),
    "degrees": ({}, {"units": "degrees_north"}, "is a coordinate"),
    "axis": ({}, {"axis": "Z", "standard_name": "sea_water_pressure"}, "is a coordinate"),
    "status": ({}, {"standard_name": "sea_water_temperature status_flag"}, "holds flags"),
    "status alone": ({}, {"standard_name": "status_flag"}, "holds flags"),
    "quality": ({}, {"standard_name": "aggregate_quality_flag"}, "holds flags"),
    "classes": ({}, {"flag_values": [0, 1]}, "holds flags"),
    "error": (
        {},
        {"standard_name": "sea_water_temperature standard_error"},
        "holds the standard error of another variable",
    ),
    "observations": (
        {},
        {"standard_name": "sea_water_temperature number_of_observations"},
        "holds the number of observations of another variable",
    ),
}


@pytest.mark.parametrize("case", DESCRIBING)
def test_variables_that_describe_others_are_not_taken(case):
    of_first, own, reason = DESCRIBING[case]
    holder = "mesh" if "cf_role" in of_first else "first"
    ds = xr.Dataset({"first": field(), "second": field(1), "other": field(2, **own)})
    ds["mesh"] = ((), 0)
    ds[holder].attrs |= of_first
    samples = ds.cluster.pixels()
    assert list(samples.layout.shown) == ["first", "second"]
    assert samples.layout.left_out["other"] == reason
    assert re.search(rf"left out .*other.*\({re.escape(reason)}\)", repr(samples))
    assert list(ds.cluster.pixels(vars=["other"]).layout.shown) == ["other"]


def test_links_that_xarray_moves_to_the_encoding_count_too(tmp_path):
    ds = xr.Dataset({"first": field(ancillary_variables="other"), "other": field(1)})
    ds["first"].attrs["grid_mapping"] = "crs"
    ds["crs"] = ((), 0, {"grid_mapping_name": "latitude_longitude"})
    ds.to_netcdf(tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc") as opened:
        layout = opened.cluster.pixels().layout
    assert layout.shown == ("first",)
    assert layout.left_out["crs"] == "holds the grid mapping of another variable"


def test_a_raw_argo_file_gives_temperature_and_salinity():
    levels = ("N_PROF", "N_LEVELS")
    rng = np.random.default_rng(0)

    def of(name, **attrs):
        return (levels, rng.normal(size=(40, 50)).astype("f4"), attrs)

    names = ["PRES", "TEMP", "PSAL"]
    ds = xr.Dataset({name: of(name) for name in names})
    ds["PRES"].attrs["axis"] = "Z"
    for name in names:
        ds[f"{name}_QC"] = (levels, np.ones((40, 50)))
        ds[f"{name}_ADJUSTED_ERROR"] = of(name)
    ds["LATITUDE"] = ("N_PROF", np.zeros(40), {"units": "degree_north"})
    ds["JULD"] = ("N_PROF", np.arange(40.0), {"standard_name": "time"})
    with pytest.warns(UserWarning, match="'PRES' holds other levels"):
        columns = ds.cluster.profiles("N_LEVELS")
    own = ds.cluster.profiles("N_LEVELS", along="PRES", between=(-1, 1), step=0.5)
    for samples in (ds.cluster.pixels(), columns, own):
        assert samples.layout.shown == ("TEMP", "PSAL")
    said = repr(ds.cluster.pixels())
    assert "PRES_QC, TEMP_QC, PSAL_QC (holds flags)" in said
    assert "PRES_ADJUSTED_ERROR, TEMP_ADJUSTED_ERROR, PSAL_ADJUSTED_ERROR (holds errors)" in said


@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")
def test_an_ocean_model_on_a_mesh_gives_temperature_and_salinity():
    with xr.open_dataset(DATA / "mesh" / "fesom_pi_ts.nc") as ds:
        layout = ds.cluster.pixels().layout
        undecoded = xr.open_dataset(DATA / "mesh" / "fesom_pi_ts.nc", decode_coords=False)
    assert layout.shown == ("temperature", "salinity")
    assert ds.isel(depth=0).cluster.pixels().layout.left_out["node_area"] == "holds areas of cells"
    assert layout.left_out["mesh2d"] == "has the cf_role 'mesh_topology'"
    assert layout.left_out["face_nodes"] == "holds the connectivity of another variable"
    for name in ("node_lon", "node_lat"):
        assert describing(undecoded)[name] == "holds the coordinates of another variable"


@pytest.mark.parametrize(
    ("name", "units", "long_name"),
    [
        ("node_area", "m2", None),
        ("TAREA", "centimeter^2", None),
        ("areacello", "m2", None),
        ("areaCell", "m^2", None),
        ("gridcell_area", "km2", None),
        ("GRAREA", "m**2", "Area of grid cells"),
        ("s", "m2", "Grid cell area"),
    ],
)
def test_areas_of_cells_are_left_out_with_a_word(name, units, long_name):
    attrs = {"units": units} | ({"long_name": long_name} if long_name else {})
    samples = xr.Dataset({"ice": field(), name: field(1, **attrs)}).cluster.pixels()
    assert samples.layout.shown == ("ice",)
    assert f"{name} (holds areas of cells)" in repr(samples)


@pytest.mark.parametrize(
    ("name", "units", "long_name"),
    [
        ("burned_area", "m2", "burned area"),
        ("cell_area", "um2", "area of a cell"),
        ("leaf_area", "1", None),
        ("sea_ice_area", "km2", "area of sea ice"),
        ("cell_area_fraction", "m2", None),
        ("area", "m2", None),
    ],
)
def test_measured_areas_are_taken(name, units, long_name):
    attrs = {"units": units} | ({"long_name": long_name} if long_name else {})
    assert describing(xr.Dataset({name: field(**attrs)})) == {}


def test_measured_quantities_with_similar_names_are_taken():
    names = {
        "sea_floor_depth_below_geoid": "elevation",
        "wind_speed": "qc_wind",
        "surface_altitude": "orography",
        "sea_ice_thickness": "errors",
        "air_pressure": "pressure",
    }
    ds = xr.Dataset({name: field(standard_name=std) for std, name in names.items()})
    assert describing(ds) == {}


def test_each_reason_is_said_once_with_the_names_that_it_holds_for():
    flags = {f"flag_{i:02}": field(i, flag_meanings="good bad") for i in range(30)}
    ds = xr.Dataset({"band": field(), **flags})
    said = next(line for line in repr(ds.cluster.pixels()).splitlines() if "left out" in line)
    assert said.count("(holds flags)") == 1
    assert "flag_00, flag_01" in said
    assert "... 20 more (holds flags)" in said


# ------------------------------------------------------------------------------- several grids


def staggered(sizes=(240, 180), coords=True):
    """Two variables that share no dim."""
    (ny, nx), rng = sizes, np.random.default_rng(0)
    ds = xr.Dataset(
        {
            "t": (("y_t", "x_t"), rng.normal(size=(24, 18))),
            "u": (("y_u", "x_u"), rng.normal(size=(ny, nx))),
        }
    )
    if not coords:
        return ds
    edges = {"y_u": np.linspace(-1, 25, ny), "x_u": np.linspace(-1, 19, nx)}
    return ds.assign_coords(y_t=np.arange(24.0), x_t=np.arange(18.0), **edges)


def remedy_of(ds):
    with pytest.raises(ValueError, match="lies over") as caught:
        ds.cluster.pixels(vars=["t", "u"])
    return caught.value


def test_variables_on_two_grids_are_refused_with_the_number_of_pairs():
    error = remedy_of(staggered())
    assert f"{24 * 18 * 240 * 180:,}" in error.rule
    assert "'t' lies over ['y_t', 'x_t'] and 'u' over ['y_u', 'x_u']" in error.rule


@pytest.mark.parametrize("case", ["interpolate", "if their points are the same"])
def test_the_remedy_brings_two_grids_together(case):
    ds = staggered() if case == "interpolate" else staggered((24, 18), coords=False)
    said, call = remedy_of(ds).remedy.split(": ", 1)
    assert said == case
    joined = eval(call, {"ds": ds})
    samples = joined.cluster.pixels(vars=["t", "u"])
    assert samples.layout.sizes == {"y_t": 24, "x_t": 18}
    assert samples.kmeans(2).labels.notnull().all()


def test_grids_that_cannot_be_joined_by_one_call_are_refused_too():
    assert "bring them to one grid" in remedy_of(staggered((25, 17), coords=False)).remedy


def test_grids_that_share_only_time_are_two_grids():
    ds = staggered().expand_dims(time=3)
    error = remedy_of(ds)
    assert eval(error.remedy.split(": ", 1)[1], {"ds": ds})["u"].dims == ("time", "y_t", "x_t")


def test_a_variable_of_fewer_dims_is_spread_over_the_grid_of_another():
    ds = staggered().assign(line=("x_t", np.arange(18.0)))
    assert ds.cluster.pixels(vars=["line", "t"]).layout.sample_dims == ("y_t", "x_t")
    with pytest.raises(ValueError, match="lies over"):
        ds.cluster.profiles("y_t", vars=["t", "u"])


# ------------------------------------------------------------------- missing values as numbers


def raster(dtype="f4", fill=-999.0, **attrs):
    """An image in two groups, with 7 pixels of a number that stands for a missing value."""
    values = np.random.default_rng(0).normal(size=(200, 300)) + 40 * (1 + np.arange(300) % 2)
    values.flat[:70:10] = fill
    return xr.Dataset({"t": (GRID, values.astype(dtype), attrs), "u": (GRID, -values.astype("f4"))})


FILLS = {
    "_FillValue": ("f4", -999.0, {"_FillValue": np.float32(-999)}),
    "missing_value": ("f8", 1e36, {"missing_value": 1e36}),
    "several": ("f4", -999.0, {"missing_value": [1e36, -999.0], "_FillValue": 1e36}),
    "nodata": ("i2", -999, {"nodata": -999}),
    "text": ("f4", -999.0, {"nodata": "-999"}),
    "whole": ("i4", -999, {"missing_value": -999.0}),
    "byte": ("u1", 255, {"_FillValue": np.uint8(255)}),
}


@pytest.mark.parametrize("chunks", [None, {"y": 37}])
@pytest.mark.parametrize("case", FILLS)
@pytest.mark.filterwarnings("ignore:variable 't' has multiple fill values")
def test_missing_values_that_stand_as_numbers_are_counted(case, chunks):
    dtype, fill, attrs = FILLS[case]
    ds = raster(dtype, fill, **attrs)
    ds = ds if chunks is None else ds.chunk(chunks)
    with pytest.warns(UserWarning, match="^7 samples hold a number of 't' that its") as caught:
        fit = ds.cluster.pixels().kmeans(2)
    said = str(caught[0].message)
    assert all(key in said for key in attrs)
    assert "7 samples hold a number of 't'" in repr(fit)
    assert ("xr.decode_cf(ds)" in said) == ("nodata" not in attrs)
    remedy = re.search(r"NaN by (.*), if it is", said).group(1)
    for call in remedy.split(" or "):
        mended = eval(call, {"xr": xr, "ds": ds})
        labels = mended.cluster.pixels("t").kmeans(2).labels
        assert int(labels.isnull().sum()) == 7


@pytest.mark.parametrize(
    ("dtype", "attrs"),
    [
        ("f4", {"_FillValue": np.nan}),
        ("i2", {"_FillValue": np.nan, "missing_value": 1e36}),
        ("i2", {"nodata": "none", "missing_value": -998.5}),
        ("f4", {"missing_value": -998.0, "nodata": None}),
    ],
)
@pytest.mark.filterwarnings("error")
def test_numbers_that_no_attribute_calls_missing_are_values(dtype, attrs):
    assert raster(dtype, **attrs).cluster.pixels().kmeans(2).labels.notnull().all()


@pytest.mark.filterwarnings("error")
def test_missing_values_outside_the_mask_are_not_counted():
    ds = raster(_FillValue=-999.0)
    ds.cluster.pixels().where(ds.t != -999).kmeans(2)


def test_looking_for_missing_values_reads_nothing_more(computes):
    counts = []
    for attrs in ({}, {"_FillValue": -999.0}):
        ds, before = raster(**attrs).chunk(y=50), computes()
        if attrs:
            with pytest.warns(UserWarning, match="7 samples"):
                ds.cluster.pixels().kmeans(2)
        else:
            ds.cluster.pixels().kmeans(2)
        counts.append(computes() - before)
    assert counts[0] == counts[1] > 0


def test_a_profile_is_counted_once_and_before_its_levels_are_filled():
    values = np.random.default_rng(0).normal(size=(500, 8)) + 9 * (np.arange(500) % 2)[:, None]
    values[3:6, 2:] = -999
    ds = xr.DataArray(values, {"depth": np.arange(8.0)}, ("x", "depth"), attrs={"nodata": -999})
    with pytest.warns(UserWarning, match="^3 samples hold a number of 'data'"):
        ds.cluster.profiles("depth", step=0.7).kmeans(2)


def test_missing_values_of_windows_and_of_a_sample_of_the_rows_are_counted():
    ds = raster(_FillValue=-999.0)
    with pytest.warns(UserWarning, match="^7 samples"):
        ds.cluster.pixels().kmeans(2, fit_on=500)
    holds = np.lib.stride_tricks.sliding_window_view(ds.t.values == -999, (3, 3)).any((2, 3))
    with pytest.warns(UserWarning, match=f"^{holds.sum()} samples"):
        ds.cluster.patches(3, "t").kmeans(2)


def test_missing_values_are_counted_before_a_mean_cycle_is_subtracted():
    time = pd.date_range("2000-01-01", periods=240, freq="MS")
    values = np.random.default_rng(0).normal(size=(240, 20, 30))
    values[5:9, 3, 4] = -999
    attrs = {"missing_value": -999.0}
    field = xr.DataArray(values, {"time": time}, ("time", "y", "x"), name="t", attrs=attrs)
    for each in (field, field.chunk(time=50)):
        with pytest.warns(UserWarning, match="^4 samples hold a number of 't'") as caught:
            each.cluster.snapshots().anomaly("time.month").kmeans(2)
        assert len(caught) == 1
