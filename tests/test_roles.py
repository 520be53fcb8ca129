"""What is taken where no variables are named, and what is said about the rest."""

import re

import numpy as np
import pytest
import xarray as xr

import xcluster
from xcluster.grid.roles import describing

GRID = ("y", "x")


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
    for samples in (ds.cluster.pixels(), ds.cluster.profiles("N_LEVELS")):
        assert samples.layout.shown == ("TEMP", "PSAL")
    said = repr(ds.cluster.pixels())
    assert "PRES_QC, TEMP_QC, PSAL_QC (holds flags)" in said
    assert "PRES_ADJUSTED_ERROR, TEMP_ADJUSTED_ERROR, PSAL_ADJUSTED_ERROR (holds errors)" in said


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
    assert "flag_00, flag_01" in said and "... 20 more (holds flags)" in said
