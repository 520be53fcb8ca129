"""Points in the space of components: order, counts, colours, circles."""

import numpy as np
import pytest
import xarray as xr
from label_maps import COLORS, flagged
from matplotlib.colors import LogNorm, to_hex
from matplotlib.patches import Circle

from xcluster.plot import scatter


@pytest.fixture
def labels():
    return flagged([[0, 0, 0, 2], [2, np.nan, 0, 0]], latitude=[0, 1], longitude=range(4))


@pytest.fixture
def components(labels):
    """Six samples of label 0 in one place but for one; two of label 2 elsewhere."""
    first = xr.zeros_like(labels).drop_attrs().where(labels.notnull())
    first = first + 4 * (labels == 2)
    first[0, 0] = 1.0
    return xr.concat([first, 2 * first, 0 * first], "component").transpose("latitude", ...)


def test_dense_points_are_drawn_last_and_colored_by_their_number(components):
    artist = scatter.scatter(components)
    assert list(artist.get_array()) == [1, 2, 2, 4, 4, 4, 4]
    np.testing.assert_allclose(artist.get_offsets()[0], [1, 2])
    assert artist.axes.get_xlabel() == "component 0"
    assert artist.colorbar.ax.get_ylabel() == "samples in a bin"


def test_counts_are_those_of_a_histogram_of_100_bins():
    points = np.random.default_rng(0).normal(size=(500, 2))
    da = xr.DataArray(points.T, dims=("component", "sample"))
    found = np.sort(scatter.scatter(da).get_array())
    counts = np.histogram2d(*points.T, bins=100)[0].ravel()
    np.testing.assert_array_equal(found, np.sort(np.repeat(counts, counts.astype(int))))


def test_the_scale_of_counts_may_be_logarithmic(components):
    assert isinstance(scatter.scatter(components, log=True).norm, LogNorm)


def test_points_by_label_have_the_colors_of_the_labels(components, labels):
    artist = scatter.scatter(components, labels)
    by_place = {
        float(x): to_hex(color)
        for (x, _), color in zip(artist.get_offsets(), artist.get_facecolors(), strict=True)
    }
    assert by_place == {0.0: COLORS[0], 1.0: COLORS[0], 4.0: COLORS[2]}
    names = [text.get_text() for text in artist.axes.get_legend().get_texts()]
    assert names == ["deep ocean", "shelf", "coast"]


def test_circles_reach_the_farthest_member_of_each_label(components, labels):
    given = xr.DataArray(
        [[0.0, 0.0, 0.0], [4.0, 5.0, 0.0]], {"label": [0, 2]}, ("label", "component")
    )
    ax = scatter.scatter(components, labels, circles=given).axes
    circles = [patch for patch in ax.patches if isinstance(patch, Circle)]
    assert [circle.radius for circle in circles] == pytest.approx([np.hypot(1, 2), 3])
    assert [to_hex(circle.get_edgecolor()) for circle in circles] == [COLORS[0], COLORS[2]]


def test_options_of_the_other_way_to_color_points_are_refused(components, labels):
    with pytest.raises(ValueError, match=r"log=True.*those of labels"):
        scatter.scatter(components, labels, log=True)
    with pytest.raises(ValueError, match=r"circles=.*there are none"):
        scatter.scatter(components, circles=True)


def test_points_may_be_drawn_without_an_explanation(components, labels):
    assert scatter.scatter(components, labels, legend=False).axes.get_legend() is None
    assert scatter.scatter(components, legend=False).colorbar is None
    assert scatter.scatter3d(components, labels, legend=False).figure.legends == []


def test_names_of_labels_stand_clear_of_three_axes(components, labels):
    artist = scatter.scatter3d(components, labels)
    artist.figure.canvas.draw()
    (legend,) = artist.figure.legends
    box = legend.get_window_extent()
    assert not box.overlaps(artist.axes.zaxis.label.get_window_extent())
    assert box.x1 <= artist.figure.bbox.width


def test_points_far_back_have_the_colors_of_their_labels_too(components, labels):
    artist = scatter.scatter3d(components, labels)
    artist.figure.canvas.draw()
    assert {to_hex(color, True) for color in artist.get_facecolors()} == {
        COLORS[0] + "ff", COLORS[2] + "ff"
    }  # fmt: skip


def test_a_figure_of_very_many_features_stays_narrow():
    values = xr.DataArray(np.random.default_rng(0).random((90, 5)), dims=("feature", "x"))
    ax = scatter.parallel(values, xr.DataArray(np.zeros(5), dims="x"))[0].axes
    assert ax.figure.get_size_inches()[0] <= 13
    assert len(ax.get_xticks()) == 30


def test_other_components_can_be_chosen(components):
    ax = scatter.scatter(components, x=1, y=2, density=False).axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("component 1", "component 2")


def test_each_component_has_a_histogram(components):
    axes = scatter.histogram(components, bins=5)
    assert [ax.get_xlabel() for ax in axes] == ["component 0", "component 1", "component 2"]
    assert axes[0].patches[0].get_xy()[:, 1].max() == 4


def test_of_very_many_components_the_first_have_a_histogram():
    values = xr.DataArray(np.arange(120.0).reshape(60, 2), dims=("component", "x"))
    axes = scatter.histogram(values)
    assert [ax.get_xlabel() for ax in axes] == [f"component {i}" for i in range(24)]
    assert axes[0].figure.get_suptitle() == "the first 24 of 60"
    assert len(scatter.histogram(values, at_most=2)) == 2


def test_parallel_coordinates_run_from_least_to_greatest(labels):
    values = xr.concat([labels * 5 + 7, -labels], xr.DataArray(["a", "b"], dims="feature"))
    values = values.assign_coords(feature=["a", "b"])
    lines = scatter.parallel(values, labels)
    assert [len(each.get_segments()) for each in lines] == [5, 0, 2]
    np.testing.assert_allclose(lines[2].get_segments()[0], [[0, 1], [1, 0]])
    assert [tick.get_text() for tick in lines[0].axes.get_xticklabels()] == ["a", "b"]
    assert [to_hex(each.get_color()[0]) for each in (lines[0], lines[2])] == [
        COLORS[0], COLORS[2]
    ]  # fmt: skip
