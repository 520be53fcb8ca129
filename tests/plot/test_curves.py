"""Criteria over k, scree, memberships."""

import numpy as np
import pytest
import xarray as xr

from xcluster.plot import curves, memberships


@pytest.fixture
def distortion():
    attrs = {"long_name": "mean squared distance", "units": "km2 s-2"}
    return xr.DataArray([9.0, 3.0, 2.5], {"k": [2, 3, 4]}, "k", "distortion", attrs)


def test_the_chosen_k_is_marked_and_named(distortion):
    ax = curves.criterion(distortion, 3).axes
    curve, choice, point = ax.lines
    np.testing.assert_allclose(curve.get_xydata(), [[2, 9], [3, 3], [4, 2.5]])
    assert list(choice.get_xdata()) == [3, 3]
    np.testing.assert_allclose(point.get_xydata(), [[3, 3]])
    assert ax.get_legend().get_texts()[0].get_text() == "k = 3"
    assert ax.get_xlabel() == "number of labels k"
    assert ax.get_ylabel() == "mean squared distance [km2 s-2]"


def test_without_a_choice_nothing_is_marked(distortion):
    ax = curves.criterion(distortion).axes
    assert len(ax.lines) == 1
    assert ax.get_legend() is None


def test_each_criterion_has_a_panel_and_errors_become_bars(distortion):
    table = xr.Dataset({"distortion": distortion, "gap": distortion, "gap_error": distortion / 9})
    axes = curves.criteria(table, {"gap": 4})
    assert len(axes) == 2
    assert [len(ax.containers) for ax in axes] == [0, 1]
    assert axes[1].get_legend().get_texts()[0].get_text() == "k = 4"
    assert axes[0].get_legend() is None


def test_a_long_name_of_a_criterion_fits_beside_its_panel(distortion):
    distortion.attrs["long_name"] = "mean squared distance to the centre of the nearest label"
    ax = curves.criteria(xr.Dataset({"distortion": distortion}))[0]
    ax.figure.canvas.draw()
    text = ax.yaxis.label.get_window_extent()
    assert 0 <= text.y0 < text.y1 <= ax.figure.bbox.height


def test_scree_shows_shares_and_their_sum():
    bars = curves.scree(xr.DataArray([0.6, 0.3, 0.1], dims="component"))
    assert [bar.get_height() for bar in bars] == pytest.approx([60, 30, 10])
    np.testing.assert_allclose(bars[0].axes.lines[0].get_ydata(), [60, 90, 100])


@pytest.mark.parametrize("numbers", [[0, 1, 2], [3, 4, 5]])
def test_scree_names_components_as_all_figures_do(numbers):
    ratios = xr.DataArray([0.6, 0.3, 0.1], {"component": numbers}, ("component",))
    bars = curves.scree(ratios)
    assert [bar.get_x() + bar.get_width() / 2 for bar in bars] == pytest.approx(numbers)
    np.testing.assert_array_equal(bars[0].axes.lines[0].get_xdata(), numbers)


def test_memberships_are_maps_from_zero_to_one_with_names():
    half = xr.DataArray(np.full((2, 3, 4), 0.5), dims=("label", "y", "x"))
    named = half.assign_coords(label=[0, 1], label_name=("label", ["slow", "fast"]))
    grid = memberships.memberships(named)
    assert [ax.get_title() for ax in grid.axs.flat] == ["slow", "fast"]
    assert {ax.images[0].get_clim() for ax in grid.axs.flat} == {(0, 1)}


def test_memberships_need_a_map():
    with pytest.raises(ValueError, match="two spatial dims"):
        memberships.memberships(xr.DataArray(np.ones((2, 3)), dims=("label", "sample")))
