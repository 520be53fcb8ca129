"""Profiles by label: members, bands, centres, and which way the axis goes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from label_maps import COLORS, flagged
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex

from xcluster.plot import profiles
from xcluster.plot.panels import panel_columns


@pytest.fixture
def labels():
    """Four columns of label 0, one of label 2, one without data."""
    return flagged([[0, 0, 2], [0, 0, np.nan]], latitude=[0, 1], longitude=[0, 1, 2])


@pytest.fixture
def data(labels):
    """Profiles over depth that are 10 label + depth + number of the column."""
    depth = xr.DataArray(np.array([0.0, 10, 30]), dims="depth", attrs={"units": "km"})
    number = xr.DataArray(np.arange(6.0).reshape(2, 3), dims=labels.dims)
    da = (10 * labels + depth + number).assign_coords(depth=depth)
    da.attrs = {"long_name": "velocity", "units": "km s-1"}
    return da.transpose("latitude", "depth", "longitude")


def members_of(ax):
    return next(c for c in ax.collections if isinstance(c, LineCollection))


def test_each_label_has_a_panel_with_its_name_count_and_color(data, labels):
    axes = profiles.profiles(data, labels)
    assert [ax.get_title() for ax in axes] == [
        "deep ocean (n = 4)", "shelf (n = 0)", "coast (n = 1)"
    ]  # fmt: skip
    assert [to_hex(ax.lines[0].get_color()) for ax in axes] == COLORS


def test_depth_goes_downwards_and_values_across(data, labels):
    ax = profiles.profiles(data, labels)[0]
    assert ax.get_ylim() == (30, 0)
    assert ax.figure.get_supylabel() == "depth [km]"
    assert ax.figure.get_supxlabel() == "velocity [km s-1]"
    first = members_of(ax).get_segments()[0]
    np.testing.assert_allclose(first, [[0, 0], [10, 10], [30, 30]])


@pytest.mark.parametrize(
    ("name", "attrs", "down"),
    [
        ("pressure", {"units": "dbar"}, True),
        ("z", {"axis": "Z", "positive": "down"}, True),
        ("z", {"axis": "Z", "positive": "up"}, False),
        ("height", {"positive": "up"}, False),
    ],
)
def test_attributes_and_names_tell_a_vertical_axis_and_its_direction(
    data, labels, name, attrs, down
):
    renamed = data.rename(depth=name)
    renamed[name].attrs = attrs
    low, high = profiles.profiles(renamed, labels)[0].get_ylim()
    assert (low > high) == down


def test_a_spectrum_runs_horizontally(data, labels):
    ax = profiles.profiles(data.rename(depth="energy"), labels)[0]
    assert ax.get_xlim() == (0, 30)
    assert ax.figure.get_supylabel() == "velocity [km s-1]"


def test_without_centers_the_bold_line_is_the_mean_of_the_members(data, labels):
    line = profiles.profiles(data, labels)[0].lines[0]
    np.testing.assert_allclose(line.get_xdata(), 2 + np.array([0, 10, 30]))


def test_centers_may_have_levels_of_their_own(data, labels):
    given = xr.DataArray(
        [[1.0, 2.0], [3.0, 4.0]], {"label": [0, 2], "depth": [5.0, 6.0]}, ("label", "depth")
    )
    ax = profiles.profiles(data, labels, given)[2]
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[3, 5], [4, 6]])


def test_the_band_is_between_the_quantiles_of_all_members(data, labels):
    ax = profiles.profiles(data, labels, members=1, quantiles=(0, 1))[0]
    assert len(members_of(ax).get_segments()) == 1
    band = next(c for c in ax.collections if isinstance(c, PolyCollection))
    assert band.get_datalim(ax.transData).x0 == 0
    assert band.get_datalim(ax.transData).x1 == 34
    assert len(profiles.profiles(data, labels, quantiles=None)[0].collections) == 1


def test_unclassified_has_a_panel_of_its_own(data, labels):
    assert profiles.profiles(data, labels.where(labels != 2, -1))[-1].get_title() == (
        "unclassified (n = 1)"
    )


def test_names_of_channels_stand_below_them(data, labels):
    channels = data.rename(depth="species").assign_coords(species=["12C", "16O", "SE"])
    ax = profiles.profiles(channels, labels)[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["12C", "16O", "SE"]


@pytest.mark.parametrize(("n", "columns"), [(1, 1), (5, 5), (6, 6), (7, 4), (10, 5), (20, 5)])
def test_panels_stand_in_one_to_six_columns(n, columns):
    assert panel_columns(n) == columns


def test_panels_may_be_given(data, labels):
    figure, given = plt.subplots(2, 2)
    axes = profiles.profiles(data, labels, ax=given)
    assert axes == list(given.flat[:3])
    assert {ax.get_xlabel() for ax in axes} == {"velocity [km s-1]"}
    assert {ax.get_ylim() for ax in axes} == {(30, 0)}
    assert given[1, 1].get_title() == ""
    assert figure.get_supxlabel() == ""
    with pytest.raises(ValueError, match="there are 3 panels"):
        profiles.profiles(data, labels, ax=given[0])
    with pytest.raises(ValueError, match="either ax or figsize"):
        profiles.profiles(data, labels, ax=given, figsize=(3, 3))
    with pytest.raises(ValueError, match="col_wrap"):
        profiles.profiles(data, labels, ax=given, col_wrap=2)


def test_very_many_curves_are_named_by_a_bar():
    centers = xr.DataArray(np.ones((60, 2)), dims=("label", "depth"))
    ax = profiles.centers(centers.assign_coords(label=range(60)))[0].axes
    assert ax.get_legend() is None
    (bar,) = ax.child_axes
    assert bar.get_yticklabels()[-1].get_text() == "59"


def test_curves_with_dims_that_do_not_fit_the_labels_are_refused(data, labels):
    with pytest.raises(ValueError, match=r"latitude.*and one more"):
        profiles.profiles(data.isel(depth=0, drop=True), labels)


def test_all_centers_stand_in_one_panel_with_their_names():
    centers = xr.DataArray(
        [[1.0, 2.0], [3.0, 5.0]],
        {"label": [0, 1], "label_name": ("label", ["slow", "fast"]), "depth": [0.0, 9.0]},
        ("label", "depth"),
        attrs={"long_name": "velocity", "units": "km s-1"},
    )
    lines = profiles.centers(centers)
    ax = lines[0].axes
    assert [line.get_color() for line in lines] == COLORS[:2]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["slow", "fast"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("velocity [km s-1]", "depth")
    assert ax.get_ylim() == (9, 0)
    assert profiles.centers(centers, ax=ax)[0].axes is ax
