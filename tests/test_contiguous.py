"""Contiguous regions: all samples are fitted, and labels belong to their places."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter, label

import xcluster
from xcluster.fit import fitting

MEMORY = r"contiguous= needs all samples in memory: about 0\.6 GB if all 1,040,400 grid points"


def quadrants(side, noise=0.01):
    """Four regions, of which two opposite ones are equal but for noise."""
    rng = np.random.default_rng(0)
    low = np.arange(side) < side // 3
    region = np.where(low[:, None], 0, 2) + np.where(low, 0, 1)
    values = np.array([0.0, 5, 9, 0])[region] + noise * rng.standard_normal((side, side))
    coords = {"y": np.arange(side)[::-1] * 1.0, "x": np.arange(side) * 1.0}
    ds = xr.Dataset({"height": (("y", "x"), values.astype(np.float32))}, coords)
    return ds, region


def assert_same_regions(labels, region):
    pairs = np.unique(np.stack([np.asarray(labels).ravel(), region.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(region)) == len(np.unique(pairs[0]))


@pytest.mark.large
def test_regions_of_more_than_a_million_points_are_those_of_the_grid():
    ds, region = quadrants(1_020)
    with pytest.warns(UserWarning, match=MEMORY):
        fit = ds.cluster.pixels().hac(4, contiguous=True)
    assert fit.record.fit_on == "all rows"
    assert fit.record.fitted == 1_040_400
    assert_same_regions(fit.labels, region)


@pytest.mark.parametrize("fit_on", ["auto", "all"])
@pytest.mark.parametrize("chunks", [None, {"y": 40, "x": 33}])
@pytest.mark.filterwarnings("ignore:contiguous= needs all samples in memory|distortion has no")
def test_all_samples_are_fitted_whatever_the_size(monkeypatch, fit_on, chunks):
    monkeypatch.setattr(fitting, "ALL_POINTS", 5_000)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 500)
    ds, region = quadrants(180)  # 32,400 points
    samples = (ds if chunks is None else ds.chunk(chunks)).cluster.pixels()
    fit = samples.hac(4, contiguous=True, fit_on=fit_on)
    assert_same_regions(fit.labels, region)
    swept = samples.sweep([4, 5], "hac", contiguous=True, fit_on=fit_on)
    assert_same_regions(swept.clustering(4).labels, region)
    chosen = samples.hac([4, 5], contiguous=True, fit_on=fit_on)
    assert chosen.record.fitted == 32_400


def test_a_number_of_rows_is_refused(recwarn):
    samples = quadrants(60)[0].cluster.pixels()
    for ask in (
        lambda: samples.hac(4, contiguous=True, fit_on=500),
        lambda: samples.hac([4, 5], contiguous=8, fit_on=10_000),
        lambda: samples.sweep([4], "hac", contiguous=True, fit_on=500),
    ):
        with pytest.raises(ValueError, match=r"fit_on=\d+: contiguous= needs all samples"):
            ask()
    with pytest.raises(ValueError, match="fit_on='some': must be 'auto', 'all' or a number"):
        samples.hac(4, contiguous=True, fit_on="some")
    samples.hac(4, contiguous=True)
    assert not recwarn


def test_predict_names_the_labels_where_others_would_not_be_regions(tmp_path):
    rng = np.random.default_rng(0)
    coarse = [gaussian_filter(rng.standard_normal((170, 172)), 5) for _ in range(2)]
    da = xr.DataArray(np.round(np.stack(coarse, -1), 2), dims=("y", "x", "band"))  # many equal rows
    samples = da.cluster.pixels(dim="band")
    fit = samples.hac(12, contiguous=True)
    assert [label(fit.labels.values == number)[1] for number in range(12)] == [1] * 12
    fit.save(tmp_path / "a.nc")
    for each in (fit, fit.cut(9), xcluster.open(tmp_path / "a.nc")):
        with pytest.raises(ValueError, match=r"method='hac'.*follow from the places.*fit\.labels"):
            each.predict(da)
    free = samples.hac(12)
    np.testing.assert_array_equal(free.predict(da), free.labels)


def test_regimes_of_contiguous_steps_have_the_labels_of_the_fit():
    rng = np.random.default_rng(0)
    time = pd.date_range("2000-01-01", periods=90, freq="D")
    values = np.repeat([0.0, 5, 0, 5], [30, 20, 25, 15])[:, None, None] + rng.normal(
        size=(90, 3, 4)
    )
    da = xr.DataArray(values, {"time": time}, ("time", "y", "x"), "z")
    fit = da.cluster.snapshots("time").hac(4, contiguous=True)
    regimes = fit.regimes()
    np.testing.assert_array_equal(regimes.labels, fit.labels)
    assert np.count_nonzero(np.diff(regimes.labels)) == 3
    with pytest.raises(ValueError, match="follow from the places"):
        fit.regimes(da)
