"""The simulated data: repeatable, and with a truth that can be found again."""

import numpy as np
import pytest
import xarray as xr

from xcluster import datasets
from xcluster.datasets import simulated
from xcluster.scores import agreement

EVERY = [datasets.eds, datasets.stem, datasets.weather]


@pytest.mark.parametrize("simulate", EVERY)
def test_the_same_seed_gives_the_same_values_and_another_other_ones(simulate):
    once, twice, other = simulate(), simulate(), simulate(random_state=1)
    xr.testing.assert_identical(once, twice)
    first = next(iter(once))
    assert not np.array_equal(once[first], other[first])


@pytest.mark.parametrize("simulate", EVERY)
def test_the_attributes_say_that_the_data_are_simulated(simulate):
    assert "simulated" in simulate().attrs["source"]


@pytest.mark.parametrize("simulate", EVERY)
def test_variables_have_long_names_and_units(simulate):
    for variable in simulate().data_vars.values():
        assert variable.attrs["long_name"]
        assert variable.attrs["units"]


@pytest.mark.parametrize("simulate", EVERY)
def test_the_truth_has_a_name_for_each_number(simulate):
    truth = simulate().truth
    assert np.array_equal(np.unique(truth), truth.attrs["flag_values"])
    assert len(truth.attrs["flag_meanings"].split()) == len(truth.attrs["flag_values"])


def test_eds_lines_stand_where_the_calibration_puts_them():
    ds = datasets.eds()
    spectrum = ds.counts.where(ds.truth == 2).mean(("y", "x"))
    found = int(spectrum.values[100:].argmax()) + 100
    expected = (simulated.LINES["Ti Ka"] - ds.kev_offset) / ds.kev_per_channel
    assert abs(found - expected) <= 1


def test_eds_counts_of_a_pure_pixel_add_up_to_the_minerals_total():
    ds = datasets.eds()
    total = ds.counts.sum("channel").where(ds.truth == 0).quantile(0.5)
    assert float(total) == pytest.approx(simulated.COUNTS["chlorite"], rel=0.1)


def test_stem_spots_stand_where_the_domain_puts_them():
    ds = datasets.stem(noise=0.0)
    middle = simulated.SPACING // 2 + simulated.SPACING // 2 + 2 * simulated.SPACING
    cell = ds.intensity.values[middle - 5 : middle + 6, middle - 5 : middle + 6]
    assert ds.truth.isel(y=middle, x=middle) == 0
    assert np.unravel_index(int(cell.argmax()), cell.shape) == (5, 5)


def test_weather_regimes_last_as_long_as_their_persistence_says():
    truth = datasets.weather(days=4000).truth.values
    kept = np.mean(truth[1:] == truth[:-1])
    assert kept == pytest.approx(simulated.PERSISTENCE, abs=0.02)


def test_minerals_are_found_again_by_nmf_and_kmeans():
    ds = datasets.eds()
    fit = ds.cluster.pixels("counts", dim="channel").nmf(3).kmeans(3)
    assert agreement(fit.labels.values.ravel(), ds.truth.values.ravel()).adjusted_rand > 0.7
