"""Latitude and longitude among coordinates, as cf_xarray finds them in all of them at once."""

import itertools

import cf_xarray  # noqa: F401
import numpy as np
import pytest
import xarray as xr

from xcluster import datasets
from xcluster.grid.geography import find_axis

AXES = "latitude", "longitude"
ATTRS = (
    {},
    {"units": "degrees_north"},
    {"standard_name": "longitude", "range": np.arange(2)},
    {"_CoordinateAxisType": "Lat", "count": 3},
)
VALUES = np.arange(3.0), np.arange(3).astype("datetime64[ns]")


def by_cf_xarray(ds, axis):
    stated = ds.cf.coordinates.get(axis)
    return (stated or ds.cf.guess_coord_axis().cf.coordinates.get(axis) or [None])[0]


@pytest.mark.parametrize("names", [("lat", "nav_lat"), ("LON", "time")])
def test_latitude_and_longitude_are_those_of_cf_xarray(names):
    for each in itertools.product(itertools.product(ATTRS, VALUES), repeat=2):
        dims = names[0], "at"  # a coordinate of its own dim, and one of another
        coords = {
            name: (dim, values, attrs)
            for name, dim, (attrs, values) in zip(names, dims, each, strict=True)
        }
        ds = xr.Dataset(coords=coords)
        for axis in AXES:
            found, expected = find_axis(dict(ds.coords), axis), by_cf_xarray(ds, axis)
            if expected is not None and ds[expected].dtype.kind == "M":
                expected = None  # no degrees
            assert (None if found is None else found.name) == expected


def test_coordinates_that_are_alike_are_asked_about_once(monkeypatch):
    coords = dict(datasets.ocean().coords)
    expected = [find_axis(coords, axis).name for axis in AXES]
    monkeypatch.delattr(xr.Dataset, "cf")
    assert [find_axis(coords, axis).name for axis in AXES] == expected
