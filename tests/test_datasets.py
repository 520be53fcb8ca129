"""The data sets in the wheel: complete, licensed, small, and read without a network."""

from pathlib import Path

import numpy as np
import pytest

from xcluster import datasets
from xcluster.datasets import simulated

EVERY = [getattr(datasets, name) for name in datasets.__all__ if name not in simulated.__all__]


@pytest.mark.parametrize("load", EVERY)
def test_source_licence_and_references_are_stated(load):
    ds = load()
    assert all(ds.attrs[key] for key in ("source", "license", "references", "history"))
    text = (Path(datasets.__file__).parent / "data" / "LICENSES.md").read_text()
    assert f"`{load.__name__}.nc`" in text


@pytest.mark.parametrize("load", EVERY)
def test_variables_are_in_memory_with_long_name_and_units(load):
    ds = load()
    for variable in ds.data_vars.values():
        assert isinstance(variable.variable._data, np.ndarray)
        assert variable.dtype in (np.float32, np.uint16)
        assert variable.attrs["long_name"]
        assert variable.attrs["units"]


@pytest.mark.parametrize("load", EVERY)
def test_the_file_is_closed_again(load):
    ds = load()
    assert ds._close is None


def test_all_files_together_stay_under_three_megabytes():
    folder = Path(datasets.__file__).parent / "data"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3e6


def test_tomography_has_plausible_shear_velocities_and_depth_downwards():
    ds = datasets.tomography()
    assert ds.vs.notnull().all()
    assert 0.5 < ds.vs.min() < ds.vs.max() < 6
    assert ds.depth.attrs["positive"] == "down"


def test_ocean_is_warm_at_the_equator_and_missing_on_land():
    ds = datasets.ocean()
    assert ds.sst.sel(latitude=0, method="nearest").mean() > 24
    assert np.isnan(ds.sst.sel(latitude=24, longitude=10, method="nearest"))
    assert len({int(variable.notnull().sum()) for variable in ds.values()}) > 1


def test_ocean_profiles_end_at_the_sea_floor():
    filled = datasets.ocean_profiles().temperature.notnull().sum(("latitude", "longitude"))
    assert (filled.diff("depth") <= 0).all()


def test_nanosims_counts_are_those_of_the_brightest_channels():
    counts = datasets.nanosims().counts
    assert counts.sel(species="SE").max() == 22908
    assert counts.sel(species="18O").max() < 100
