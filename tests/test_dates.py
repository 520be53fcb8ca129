"""Profiles along dates: chosen, filled, resampled, drawn, explored, saved; as along numbers."""

import datetime as dt
import json
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xcluster
from xcluster.blocks import rows

KINDS = ["datetime64", "noleap", "360_day"]


@pytest.fixture(scope="module")
def weather():
    """Fifty days in two hundred places."""
    ds = xcluster.datasets.weather()[["z500"]]
    return ds.isel(time=slice(50), latitude=slice(10), longitude=slice(20))


@pytest.fixture(params=KINDS)
def series(request, weather):
    """The same numbers along dates of each kind: 50 days from the first of 2001 on."""
    if request.param == "datetime64":
        return weather
    pytest.importorskip("cftime")
    time = xr.date_range(
        "2001-01-01", periods=50, freq="D", calendar=request.param, use_cftime=True
    )
    return weather.assign_coords(time=time)


@pytest.fixture
def numbered(weather):
    """The same numbers along days, counted from 0."""
    return weather.assign_coords(time=np.arange(50.0))


@pytest.fixture
def gappy():
    """Two series at uneven dates, of which one has gaps."""
    time = np.array(["2001-01-01", "2001-01-02", "2001-01-05", "2001-01-11"], "datetime64[ns]")
    values = [[0.0, 1, 4, 10], [0, np.nan, np.nan, 20]]
    return xr.DataArray(values, {"time": time}, ("place", "time"), name="t")


def rows_of(samples):
    return rows.gather(samples.layout).X


def times_of(samples):
    return samples.layout.features.time.values


# ------------------------------------------------------------------------------------- between


def test_a_range_of_dates_keeps_both_ends_as_one_of_numbers_does(series, numbered):
    found = series.cluster.profiles("time", between=("2001-01-11", "2001-01-21"))
    np.testing.assert_array_equal(times_of(found), series.time[10:21])
    expected = numbered.cluster.profiles("time", between=(10, 20))
    np.testing.assert_array_equal(rows_of(found), rows_of(expected))


@pytest.mark.parametrize("between", [("2001-01", "2001-01"), ("2001-01-30T12", "2001-02")])
def test_text_stands_for_the_whole_month_as_in_sel(series, between):
    found = series.cluster.profiles("time", between=between)
    np.testing.assert_array_equal(times_of(found), series.sel(time=slice(*between)).time)


@pytest.mark.parametrize(
    "between",
    [
        (np.datetime64("2001-01-03"), np.datetime64("2001-01-06")),
        (dt.datetime(2001, 1, 3), dt.datetime(2001, 1, 6)),
        (dt.date(2001, 1, 3), pd.Timestamp("2001-01-06")),
        np.array(["2001-01-03", "2001-01-06"], "datetime64[s]"),
    ],
)
def test_dates_of_all_types_make_a_range(series, between):
    found = series.cluster.profiles("time", between=between)
    np.testing.assert_array_equal(times_of(found), series.time[2:6])


def test_dates_of_the_data_make_a_range(series):
    found = series.cluster.profiles("time", between=(series.time[2], series.time[5]))
    np.testing.assert_array_equal(times_of(found), series.time[2:6])


def test_a_moment_is_no_whole_second():
    time = np.datetime64("2001-01-01", "ns") + np.arange(40) * np.timedelta64(250, "ms")
    da = xr.DataArray(np.random.default_rng(0).normal(size=(3, 40)), {"time": time}, ("x", "time"))
    found = da.cluster.profiles("time", between=(time[2], time[4].astype("datetime64[s]")))
    np.testing.assert_array_equal(times_of(found), time[2:5])


@pytest.mark.parametrize("order", [slice(None, None, -1), [3, 1, 2, 7, 0, 5]])
def test_the_order_of_dates_does_not_matter_to_a_range(series, order):
    turned = series.isel(time=order)
    found = times_of(turned.cluster.profiles("time", between=("2001-01-02", "2001-01-04")))
    np.testing.assert_array_equal(found, turned.time[np.isin(turned.time, series.time[1:4])])


def test_a_missing_date_lies_in_no_range(weather):
    time = weather.time.values.copy()
    time[3] = "NaT"
    found = weather.assign_coords(time=time).cluster.profiles(
        "time", between=("2001-01-02", "2001")
    )
    np.testing.assert_array_equal(times_of(found), np.delete(time, [0, 3]))


# ---------------------------------------------------------------------------------------- step


@pytest.mark.parametrize(
    "step", ["36h", np.timedelta64(36, "h"), dt.timedelta(1.5), pd.Timedelta("36h")]
)
def test_a_length_of_time_resamples_as_a_number_of_days_does(series, numbered, step):
    found = series.cluster.profiles("time", step=step)
    expected = numbered.cluster.profiles("time", step=1.5)
    np.testing.assert_allclose(rows_of(found), rows_of(expected), rtol=1e-6)
    times = times_of(found)
    assert times.dtype == series.time.dtype
    assert times[0] == series.time.values[0]
    assert all(pd.Timedelta(each) == pd.Timedelta("36h") for each in np.diff(times))
    assert len(times) == 33


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_resampled_dates_keep_their_unit_where_it_holds_the_step(weather, unit):
    ds = weather.assign_coords(time=weather.time.values.astype(f"datetime64[{unit}]"))
    assert times_of(ds.cluster.profiles("time", step="6h")).dtype == ds.time.dtype
    seconds = ds.isel(time=slice(2)).cluster.profiles("time", step="1.5s")
    assert times_of(seconds)[1] - times_of(seconds)[0] == np.timedelta64(1500, "ms")


def test_dates_that_fall_give_the_same_rows_and_centers_in_their_own_direction(series):
    ours, theirs = (
        ds.cluster.profiles("time", step="2D", missing=0.5)
        for ds in (series, series.isel(time=slice(None, None, -1)))
    )
    np.testing.assert_allclose(rows_of(ours), rows_of(theirs))
    np.testing.assert_array_equal(theirs.kmeans(2).centers.time, times_of(ours)[::-1])


# ------------------------------------------------------------------------------------- missing


@pytest.mark.parametrize("missing", ["interpolate", 0.5])
def test_gaps_are_filled_in_proportion_to_time(gappy, missing):
    found = rows_of(gappy.cluster.profiles("time", missing=missing))
    np.testing.assert_allclose(sorted(found[:, 1:3].tolist()), [[1, 4], [2, 8]])


def test_gaps_along_dates_of_other_calendars_are_filled_in_proportion_to_time(gappy):
    pytest.importorskip("cftime")
    other = gappy.convert_calendar("noleap", use_cftime=True)
    found, expected = (rows_of(da.cluster.profiles("time", missing=0.5)) for da in (other, gappy))
    np.testing.assert_allclose(found, expected)


def test_a_fraction_above_the_coverage_leaves_gaps(gappy):
    assert len(rows_of(gappy.cluster.profiles("time", missing=0.6))) == 1


# ------------------------------------------------------------------------- the rest of a result


QUESTION = {"between": ("2001-01-03", "2001-02"), "step": dt.timedelta(2), "missing": 0.5}


def test_a_result_along_dates_is_saved_and_predicts(series, tmp_path):
    fit = series.cluster.profiles("time", **QUESTION).pca(3).kmeans(3)
    fit.save(tmp_path / "fit.nc")
    found = xcluster.open(tmp_path / "fit.nc")
    xr.testing.assert_identical(found.centers.time, fit.centers.time)
    part = series.isel(longitude=slice(5), time=slice(1, None))
    expected = fit.labels.isel(longitude=slice(5))
    np.testing.assert_array_equal(found.predict(part), expected)
    np.testing.assert_array_equal(fit.predict(part), expected)
    with_data = xcluster.open(tmp_path / "fit.nc", series)
    xr.testing.assert_equal(with_data.samples.kmeans(3).labels, fit.samples.kmeans(3).labels)


def test_a_range_of_exact_dates_is_saved(weather, tmp_path):
    ends = np.datetime64("2001-01-03"), pd.Timestamp("2001-01-20")
    fit = weather.cluster.profiles("time", between=ends, step=np.timedelta64(3, "D")).kmeans(2)
    fit.save(tmp_path / "fit.nc")
    found = xcluster.open(tmp_path / "fit.nc")
    np.testing.assert_array_equal(found.predict(weather), fit.labels)


def test_a_range_of_numpy_numbers_is_saved(numbered, tmp_path):
    question = {"between": np.array([3.0, 30], np.float32), "step": np.float64(2)}
    fit = numbered.cluster.profiles("time", **question).kmeans(2)
    fit.save(tmp_path / "fit.nc")
    np.testing.assert_array_equal(xcluster.open(tmp_path / "fit.nc").predict(numbered), fit.labels)


def test_numbers_are_no_dates_to_predict_from(weather, numbered):
    with pytest.raises(ValueError, match="other values of 'time'"):
        weather.cluster.profiles("time", step="1D").kmeans(2).predict(numbered)


@pytest.mark.parametrize("calendar", ["julian", "all_leap"])
def test_levels_of_another_calendar_are_refused(series, calendar):
    pytest.importorskip("cftime")
    time = xr.date_range("2001-01-01", periods=50, freq="D", calendar=calendar, use_cftime=True)
    fit = series.cluster.profiles("time", step="2D").kmeans(2)
    with pytest.raises(ValueError, match=r"new=.* 'time'"):
        fit.predict(series.assign_coords(time=time))


def test_building_along_dates_computes_nothing(series, computes):
    chunked = series.chunk(time=20, latitude=5)
    samples = chunked.cluster.profiles("time", **QUESTION).pca(3)
    assert repr(samples)
    assert computes() == 0
    expected = series.cluster.profiles("time", **QUESTION).pca(3).kmeans(3).labels
    np.testing.assert_array_equal(samples.kmeans(3).labels, expected)


# ------------------------------------------------------------------------------------- figures


@pytest.fixture(scope="module")
def fitted(weather):
    return weather.cluster.profiles("time").pca(3).kmeans(3)


def test_profiles_along_dates_lie_on_an_axis_of_dates(fitted, weather):
    from matplotlib.dates import AutoDateLocator, date2num

    ax = fitted.plot.profiles()[0]
    ax.figure.canvas.draw()
    assert isinstance(ax.xaxis.get_major_locator(), AutoDateLocator)
    assert ax.get_xlim() == tuple(date2num(weather.time[[0, -1]]))
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), date2num(weather.time))
    segments = ax.collections[0].get_segments()
    np.testing.assert_array_equal(segments[0][:, 0], date2num(weather.time))
    assert 2 < len(ax.get_xticks()) <= 6


def test_centers_along_dates_lie_on_an_axis_of_dates(fitted, weather):
    from matplotlib.dates import AutoDateLocator, date2num

    (line, *_) = fitted.plot.centers()
    np.testing.assert_array_equal(line.get_xdata(), date2num(weather.time))
    assert isinstance(line.axes.xaxis.get_major_locator(), AutoDateLocator)


@pytest.mark.parametrize("calendar", KINDS[1:])
def test_dates_of_other_calendars_are_written_at_few_places(weather, calendar):
    pytest.importorskip("cftime")
    time = xr.date_range("2001-01-21", periods=50, freq="D", calendar=calendar, use_cftime=True)
    fit = weather.assign_coords(time=time).cluster.profiles("time", step="2D").kmeans(2)
    for ax in (fit.plot.profiles()[0], fit.plot.centers()[0].axes):
        ax.figure.canvas.draw()
        low, high = ax.get_xlim()
        assert high - low in (49, 48)
        texts = [
            text.get_text()
            for place, text in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
            if low <= place <= high
        ]
        assert 1 < len(texts) < 6
        assert all(text in {str(each)[:10] for each in time} for text in texts)


def test_times_of_day_of_other_calendars_stand_below_their_date(weather):
    pytest.importorskip("cftime")
    time = xr.date_range("2001-01-01", periods=30, freq="h", calendar="noleap", use_cftime=True)
    ds = weather.isel(time=slice(30)).assign_coords(time=time)
    ax = ds.cluster.profiles("time").kmeans(2).plot.profiles()[0]
    ax.figure.canvas.draw()
    assert "2001-01-01\n12:00" in [text.get_text() for text in ax.get_xticklabels()]


# ---------------------------------------------------------------------------------------- page


def models_of(page, kind):
    """The models of one type in a page, by the name of the figure that they are part of."""
    text = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page.text, re.S)[1]
    found = []

    def walk(value):
        children = value.values() if isinstance(value, dict) else value
        if isinstance(value, dict) and value.get("name") == kind:
            found.append(value["attributes"])
        for each in children if isinstance(value, dict | list) else ():
            walk(each)

    walk(json.loads(text))
    return found


def test_a_page_has_an_axis_of_dates_beneath_curves_along_them(fitted):
    pytest.importorskip("bokeh")
    page = fitted.explore()
    (axis,) = models_of(page, "DatetimeAxis")
    assert axis["axis_label"] == "time"
    assert not models_of(page, "FixedTicker")
    assert '"2001-01-05"' in page.text  # what the pointer says


def test_a_page_counts_dates_in_milliseconds():
    from xcluster.explore.panels import panels_of

    time = np.datetime64("2001-01-01T06", "ns") + np.arange(3) * np.timedelta64(1_500_000, "ns")
    template = xr.Dataset({"a": ("time", np.zeros(3))}, {"time": time})
    ((panel,), _) = panels_of(template, np.zeros((2, 3)))
    begin = pd.Timestamp("2001-01-01T06").timestamp() * 1000
    np.testing.assert_allclose(panel.level - begin, [0, 1.5, 3], atol=1e-3)
    assert panel.dated
    assert panel.level_names[1] == "2001-01-01T06:00:00.001500"


def test_a_page_names_few_of_many_dates_of_other_calendars(weather):
    pytest.importorskip("bokeh")
    pytest.importorskip("cftime")
    other = weather.convert_calendar("noleap", use_cftime=True)
    page = other.cluster.profiles("time").kmeans(2).explore()
    (ticker,) = models_of(page, "FixedTicker")
    assert 10 <= len(ticker["ticks"]) <= 20
    assert '"2001-01-05"' in page.text


# -------------------------------------------------------------------------------------- errors

V, T = ValueError, TypeError

WRONG = {
    "outside": ({"between": ("1990", "1991")}, V, ("('1990', '1991')", "no level of 'time'")),
    "reversed": (
        {"between": ("2001-01-20", "2001-01-10")},
        V,
        ("not be after the second", "between=('2001-01-10', '2001-01-20')"),
    ),
    "no date": ({"between": ("soon", "2001")}, V, ("between=('soon', '2001')", "two dates")),
    "not a time": ({"between": (pd.NaT, "2001")}, V, ("between=('NaT', '2001')", "two dates")),
    "numbers": ({"between": (0, 3)}, T, ("between=(0, 3)", "two dates", "'2001-01-01'")),
    "one": ({"between": ("2001",)}, T, ("between=('2001',)", "two dates")),
    "text": ({"between": "2001"}, T, ("between='2001'", "two dates")),
    "open": ({"between": (None, "2001")}, T, ("between=(None, '2001')", "two dates")),
    "days": ({"step": 5}, T, ("step=5", "fixed length of time", "step='5D'")),
    "days as text": ({"step": "5"}, T, ("step='5'", "fixed length of time", "step='5D'")),
    "months": ({"step": "1M"}, V, ("step='1M'", "fixed length of time", "step='5D'")),
    "months of numpy": ({"step": np.timedelta64(1, "M")}, T, ("step=", "fixed length of time")),
    "backwards": ({"step": "-5D"}, V, ("step='-5D'", "above 0")),
    "no time": ({"step": np.timedelta64("NaT", "ns")}, V, ("step='NaT'", "above 0")),
    "tiny": ({"step": "1ns"}, V, ("step='1ns'", "levels from 2001-01-01 to 2001-02-19", "100,000")),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_name_what_was_passed(weather, case):
    question, kind, parts = WRONG[case]
    with pytest.raises(kind) as caught:
        weather.cluster.profiles("time", **question)
    assert [part for part in parts if part not in str(caught.value)] == []


def test_a_date_that_a_calendar_lacks_is_refused(weather):
    pytest.importorskip("cftime")
    other = weather.convert_calendar("360_day", align_on="date", use_cftime=True)
    with pytest.raises(ValueError, match=r"between=.*'2001-01-31'.*calendar of 'time'"):
        other.cluster.profiles("time", between=("2001-01-01", "2001-01-31"))


@pytest.mark.parametrize(
    ("question", "start"),
    [
        ({"missing": "interpolate"}, "missing='interpolate'"),
        ({"missing": 0.5}, "missing=0.5"),
        ({"step": 2, "missing": 0.5}, "step=2"),
        ({"between": (1, 2)}, "between=(1, 2)"),
    ],
)
def test_levels_that_are_names_are_refused_by_what_was_passed(weather, question, start):
    named = weather.assign_coords(time=[f"day {each}" for each in range(50)])
    with pytest.raises(ValueError, match="numbers or dates along 'time'") as caught:
        named.cluster.profiles("time", **question)
    assert str(caught.value).startswith(start)


def test_dates_are_refused_where_levels_are_numbers(numbered):
    with pytest.raises(TypeError, match="two numbers"):
        numbered.cluster.profiles("time", between=("2001-01-01", "2001-02-01"))
    with pytest.raises(TypeError, match="step='5D': must be a finite number"):
        numbered.cluster.profiles("time", step="5D")


def test_dates_in_disorder_are_refused_to_be_resampled(weather):
    with pytest.raises(ValueError, match="neither rise nor fall"):
        weather.isel(time=[2, 0, 1]).cluster.profiles("time", step="1D")


def test_data_of_another_calendar_do_not_fit():
    def series(calendar):
        time = xr.date_range("2001-01-01", periods=6, calendar=calendar, use_cftime=True)
        values = np.random.default_rng(0).normal(size=(6, 4, 5))
        return xr.DataArray(values, {"time": time}, ("time", "y", "x"), name="u")

    fit = series("noleap").cluster.profiles("time").kmeans(2)
    with pytest.raises(ValueError, match="has other values of 'time'"):
        fit.predict(series("360_day"))
