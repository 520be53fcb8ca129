"""Changes of labels against plain counts, and areas of change against a published example."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from test_cleaning import speckled

import xcluster
from xcluster.scores.stratified import stratified_shares

COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
"""Olofsson et al. (2014), table 8: deforestation, forest gain, stable forest, stable non-forest."""
PIXELS = np.array([200_000.0, 150_000, 3_200_000, 6_450_000])
HECTARES = 0.09


def maps(seed=0, gaps=0.02):
    """Two maps of three labels on a plane of cells of 30 m."""
    return [speckled(seed=seed + 9 * each, gaps=gaps).level.clip(max=2) for each in range(2)]


def counted(a, b, n=3):
    table = np.zeros((n, n), int)
    known = np.isfinite(a) & np.isfinite(b) & (a >= 0) & (b >= 0)
    np.add.at(table, (a[known].astype(int), b[known].astype(int)), 1)
    return table


# -------------------------------------------------------------------------------------- two maps


def test_pairs_of_labels_are_counted_with_their_areas():
    a, b = maps()
    found = xcluster.change(a, b)
    table = counted(a.values, b.values)
    np.testing.assert_array_equal(found.samples, table)
    np.testing.assert_allclose(found.area_km2, 0.0009 * table, rtol=1e-12)
    assert found.area_km2.units == "km2"
    off = table - np.diag(np.diag(table))
    np.testing.assert_array_equal(found.gains, off.sum(axis=0))
    np.testing.assert_array_equal(found.losses, off.sum(axis=1))
    np.testing.assert_allclose(
        found.gains_km2 - found.losses_km2, 0.0009 * (off.sum(0) - off.sum(1))
    )
    expected = np.where(np.isnan(a) | np.isnan(b), np.nan, a.values != b.values)
    np.testing.assert_array_equal(found.changed, expected)
    assert found.changed.dtype == np.float32


def test_no_chunks_change_a_table_and_maps_stay_lazy(computes):
    a, b = maps()
    whole = xcluster.change(a, b)
    for cut in ({"y": 37, "x": 61}, {"x": 50}):
        for first, second in ((a.chunk(cut), b.chunk(cut)), (a, b.chunk(cut)), (a.chunk(cut), b.T)):
            lazy = xcluster.change(first, second)
            assert lazy.changed.chunks is not None
            assert lazy.samples.chunks is None
            xr.testing.assert_identical(lazy.compute(), whole)
    before = computes()
    xcluster.change(a.chunk(y=60), b.chunk(y=60))
    assert computes() == before + 1


def test_results_of_one_model_are_compared_with_their_names():
    ds = xcluster.datasets.ocean()
    fit = ds.cluster.pixels(["sst"]).kmeans(3).relabel(["a", "b", "c"])
    warmer = fit.predict(ds.assign(sst=ds.sst + 2))
    found = xcluster.change(fit, warmer)
    table = counted(fit.labels.values, warmer.values)
    np.testing.assert_array_equal(found.samples, table)
    np.testing.assert_allclose(found.area_km2.sum("to"), fit.report().area_km2, rtol=1e-12)
    assert found.from_name.values.tolist() == found.label_name.values.tolist() == ["a", "b", "c"]
    assert found.samples.sel({"from": 0, "to": 0}) == table[0, 0]


def test_unclassified_samples_are_left_out_and_unknown_labels_found():
    a = xr.DataArray([[0, 0, -1], [4, 4, 0]], dims=("y", "x"))
    b = xr.DataArray([[0, 4, 0], [4.0, np.nan, 7]], dims=("y", "x"))
    found = xcluster.change(a, b)
    assert found["from"].values.tolist() == found["to"].values.tolist() == [0, 4, 7]
    np.testing.assert_array_equal(found.samples, [[1, 1, 1], [0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(found.changed, [[0, 1, np.nan], [0, np.nan, 1]])
    assert not [name for name in found if "km2" in str(name)]


def test_zones_have_tables_of_their_own():
    a, b = maps()
    zone = xr.DataArray(np.kron(np.arange(9).reshape(3, 3), np.ones((60, 67), int))[:, :200],
                        a.coords)  # fmt: skip
    zone = zone.where(zone != 4)
    found = xcluster.change(a, b, by=zone)
    assert found.samples.dims == ("zone", "from", "to")
    for number in found.zone.values:
        mine = (zone == number).values
        own = counted(np.where(mine, a, np.nan), b.values)
        np.testing.assert_array_equal(found.samples.sel(zone=number), own)
    assert 4 not in found.zone
    chunked = xcluster.change(a.chunk(x=33), b.chunk(x=33), by=zone.chunk(y=7))
    xr.testing.assert_identical(chunked.compute(), found)
    geopandas = pytest.importorskip("geopandas")
    from shapely.geometry import box

    frame = geopandas.GeoDataFrame(
        {"name": ["w", "e"]}, geometry=[box(-1, -1, 2984, 9e3), box(2985, -1, 9e3, 9e3)]
    )
    sides = xcluster.change(a, b, by=frame)
    np.testing.assert_array_equal(sides.samples.sum("zone"), counted(a.values, b.values))
    np.testing.assert_array_equal(sides.samples[0], counted(a.values[:, :100], b.values[:, :100]))


# ----------------------------------------------------------------------------------- along a dim


def series():
    times = pd.date_range("2000-01-01", periods=5, freq="YS")
    steps = [speckled(40, 50, seed, gaps=0.2).level.clip(max=2) for seed in range(5)]
    return xr.concat(steps, "time").assign_coords(time=times).transpose("y", "time", "x")


def by_loops(labels, times):
    ny, nt, nx = labels.shape
    table, changes = np.zeros((3, 3), int), np.full((ny, nx), np.nan)
    last = np.full((ny, nx), np.datetime64("NaT"), "datetime64[ns]")
    for j, i in np.ndindex(ny, nx):
        previous = None
        for t in range(nt):
            label = labels[j, t, i]
            if np.isnan(label):
                continue
            if previous is not None:
                table[int(previous), int(label)] += 1
                changes[j, i] = np.nan_to_num(changes[j, i]) + (label != previous)
                last[j, i] = times[t] if label != previous else last[j, i]
            previous = label
    return table, changes, last


@pytest.mark.parametrize("cut", [None, {"time": 2, "y": 17}, {"x": 20}])
def test_along_a_dim_each_step_is_compared_with_the_last_label_before_it(cut):
    labels = series()
    table, changes, last = by_loops(labels.values, labels.time.values)
    found = xcluster.change(labels if cut is None else labels.chunk(cut), dim="time")
    np.testing.assert_array_equal(found.samples, table)
    np.testing.assert_allclose(found.area_km2, 0.0009 * table, rtol=1e-12)
    np.testing.assert_array_equal(found.changes, changes)
    np.testing.assert_array_equal(found.last_change, last)
    assert found.changed.sizes == {"y": 40, "time": 4, "x": 50}
    assert (found.changed.chunks is None) == (cut is None)
    assert (found.last_change.chunks is None) == (cut is None)


def test_steps_may_be_numbers_names_or_nothing():
    labels = series().astype("float32")
    for values in (np.arange(5) * 2.5, list("abcde"), None):
        given = labels.drop_vars("time") if values is None else labels.assign_coords(time=values)
        found = xcluster.change(given, dim="time")
        assert found.last_change.dtype == np.float64
        last = found.last_change.values
        steps = values if isinstance(values, np.ndarray) else np.arange(5.0)
        assert set(last[np.isfinite(last)]) == set(steps[1:])


# ------------------------------------------------------------------------------------- references


def test_areas_are_those_of_the_published_example():
    """The paper gives hectares and the half width of their 95 % intervals."""
    found = stratified_shares(COUNTS, PIXELS)
    total = PIXELS.sum() * HECTARES
    np.testing.assert_allclose(found.share * total, [21158, 11686, 285770, 581386], atol=0.5)
    np.testing.assert_allclose(1.96 * found.error * total, [6158, 3756, 15510, 16282], atol=0.5)
    assert found.accuracy == pytest.approx(0.947, abs=5e-4)
    assert 1.96 * found.accuracy_error == pytest.approx(0.018, abs=5e-4)


def test_a_reference_sample_corrects_areas_of_change():
    a, b = (each.clip(max=1) for each in maps(gaps=0))
    random = np.random.default_rng(0)
    sampled = random.random(a.shape) < 0.05
    truth = [
        xr.where(random.random(a.shape) < 0.1, 1 - each, each).where(sampled) for each in (a, b)
    ]
    found = xcluster.change(a, b, reference=truth)
    mapped = (2 * a + b).values
    true = (2 * truth[0] + truth[1]).values
    counts, cells = np.zeros((4, 4), int), np.bincount(mapped.ravel().astype(int), minlength=4)
    np.add.at(counts, (mapped[sampled].astype(int), true[sampled].astype(int)), 1)
    weight, n = cells / cells.sum(), counts.sum(axis=1)
    rate = counts / n[:, None]
    share = weight @ rate
    error = np.sqrt((weight[:, None] ** 2 * rate * (1 - rate) / (n[:, None] - 1)).sum(axis=0))
    area = 0.0009 * cells.sum()
    np.testing.assert_allclose(found.estimate.values.ravel(), area * share, rtol=1e-9)
    np.testing.assert_allclose(
        found.estimate_high.values.ravel(), area * (share + 1.959964 * error), rtol=1e-6
    )
    assert found.estimate.units == "km2"
    assert float(found.accuracy) == pytest.approx(float(weight @ np.diag(rate)))
    lazy = xcluster.change(a.chunk(y=50), b.chunk(y=50), reference=truth)
    xr.testing.assert_identical(lazy.compute(), found)


# ---------------------------------------------------------------------------------------- figures


def test_the_figure_has_areas_and_colours_only_what_moved():
    a, b = (each.to_dataset(name="level") for each in maps())
    fit = a.cluster.pixels().kmeans(3, order="level")
    later = fit.predict(b)
    found = xcluster.change(fit, later)
    image = fit.plot.change(later)
    texts = [text.get_text() for text in image.axes.texts]
    assert texts == [f"{each:.4g}" for each in found.area_km2.values.ravel()]
    shown = np.ma.filled(image.get_array().astype(float), np.nan)
    np.testing.assert_array_equal(np.isnan(shown), np.eye(3, dtype=bool))
    assert {text.get_color() for text in image.axes.texts[::4]} == {"black"}
    assert image.axes.get_ylabel() == "from"


# --------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda a, b: xcluster.change(a), ValueError, "either a second label map"),
        (lambda a, b: xcluster.change(a, b, dim="y"), ValueError, "either a second label map"),
        (lambda a, b: xcluster.change(a, dim="time"), ValueError, "at least two steps"),
        (lambda a, b: xcluster.change(a, b.isel(x=slice(9))), ValueError, "other coordinates"),
        (lambda a, b: xcluster.change(a, "b"), TypeError, "Clustering or a DataArray"),
        (lambda a, b: xcluster.change(a + 0.5, b), ValueError, "whole numbers below"),
        (lambda a, b: xcluster.change(a, b * 1e6), ValueError, "whole numbers below"),
        (lambda a, b: xcluster.change(a, b.astype(str)), TypeError, "labels are whole numbers"),
        (lambda a, b: xcluster.change(a, b, by="zone"), TypeError, "GeoDataFrame of polygons"),
        (lambda a, b: xcluster.change(a, b, reference=a), TypeError, "two DataArrays"),
        (lambda a, b: xcluster.change(a, b, reference=(a, b + 5)), ValueError, "labels of the map"),
        (lambda a, b: xcluster.change(a, b, reference=(a * np.nan, b)), ValueError, "at least two"),
        (lambda a, b: xcluster.change(a, b, by=a, reference=(a, b)), ValueError, "no zones"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(call, kind, message):
    with pytest.raises(kind, match=message):
        call(*maps())
