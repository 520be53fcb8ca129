"""Small data of every shape that the package promises to take."""

import dask
import numpy as np
import pytest
import xarray as xr
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from xcluster import datasets


@pytest.fixture(scope="session")
def ocean():
    """Seven variables on the globe, NaN on land."""
    return datasets.ocean().isel(latitude=slice(None, None, 3), longitude=slice(None, None, 3))


@pytest.fixture(scope="session")
def profiles():
    """Temperature and salinity, many columns cut off by the sea floor."""
    return datasets.ocean_profiles().isel(
        latitude=slice(None, None, 4), longitude=slice(None, None, 4)
    )


@pytest.fixture(scope="session")
def tomography():
    """Shear velocity without gaps; longitude falls."""
    return datasets.tomography().isel(latitude=slice(None, None, 4), longitude=slice(None, None, 4))


@pytest.fixture
def bands():
    """An unnamed image of six bands and 9 x 7 pixels in three clear groups."""
    random = np.random.default_rng(0)
    group = np.arange(63).reshape(9, 7) % 3
    values = 10.0 * group + random.normal(size=(6, 9, 7)) + np.arange(6)[:, None, None]
    return xr.DataArray(
        values.astype(np.float32),
        {"band": np.arange(6.0), "y": np.arange(9.0), "x": np.arange(7.0)},
        ("band", "y", "x"),
    )


class CountingScheduler:
    """A dask scheduler that counts how often it is called."""

    def __init__(self):
        self.computes = 0

    def __call__(self, graph, keys, **keywords):
        self.computes += 1
        return dask.get(graph, keys, **keywords)


@pytest.fixture
def computes():
    """How many times dask computed anything within a test: ``computes()``."""
    scheduler = CountingScheduler()
    with dask.config.set(scheduler=scheduler):
        yield lambda: scheduler.computes


@pytest.fixture(scope="session")
def wine():
    """178 wines by 13 measurements, each of unit variance."""
    return StandardScaler().fit_transform(load_wine().data)
