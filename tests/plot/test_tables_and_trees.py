"""Tables with numbers, dendrograms, nodes, silhouettes."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from label_maps import COLORS, flagged
from matplotlib.colors import to_hex
from scipy.cluster.hierarchy import fcluster, ward

from xcluster.plot import centers, dendrogram, matrices, nodes, profiles, silhouette


@pytest.fixture
def table():
    coords = {"first": [0, 1], "second": [0, 1, 2]}
    return xr.DataArray([[9000.0, 0, 1], [2, 30, np.nan]], coords, ("first", "second"))


def numbers(image):
    return [text.get_text() for text in image.axes.texts]


def test_a_confusion_table_says_each_count_and_which_result_is_where(table):
    image = matrices.confusion(table)
    assert numbers(image) == ["9,000", "0", "1", "2", "30"]
    assert (image.axes.get_xlabel(), image.axes.get_ylabel()) == ("second", "first")
    dark, light = image.axes.texts[:2]
    assert (dark.get_color(), light.get_color()) == ("white", "black")


def test_names_of_labels_stand_beside_the_cells(table):
    named = table.assign_coords(first_name=("first", ["sea", "land"]))
    ticks = matrices.confusion(named).axes.get_yticklabels()
    assert [tick.get_text() for tick in ticks] == ["sea", "land"]


def test_correlations_and_probabilities_have_fixed_scales(table):
    assert matrices.correlation(table / 9000).get_clim() == (-1, 1)
    assert matrices.transitions(table / 9000).get_clim() == (0, 1)


def test_numbers_are_left_out_where_they_would_not_fit(table):
    assert numbers(matrices.correlation(xr.DataArray(np.eye(30), dims=("a", "b")))) == []
    assert numbers(matrices.correlation(table, annotate=False)) == []


@pytest.mark.parametrize("rows", [1, 2, 20])
def test_names_cells_and_color_bar_of_a_table_have_room(rows):
    names = [f"sea surface temperature anomaly {i} [degC]" for i in range(3)]
    da = xr.DataArray(np.ones((rows, 3)), {"label": range(rows), "v": names}, ("label", "v"))
    image = matrices.features(da.assign_coords(label=[f"label {i}" for i in range(rows)]))
    figure = image.figure
    figure.canvas.draw()
    assert image.axes.get_window_extent().height > 0.4 * rows * figure.dpi
    bar = image.colorbar.ax.yaxis.label.get_window_extent()
    assert 0 <= bar.y0 < bar.y1 <= figure.bbox.height


def test_numbers_of_many_features_do_not_run_into_each_other():
    values = np.outer([1, 1.1], np.geomspace(-9.6437e-2, -1.5823e4, 18))
    image = matrices.features(xr.DataArray(values, dims=("label", "variable")))
    image.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in image.axes.texts]
    assert len(boxes) == 36
    for left, right in pairwise(boxes[:18]):
        assert left.x1 < right.x0


def test_long_numbers_of_very_many_features_are_left_out():
    da = xr.DataArray(np.full((2, 40), -1.23456e-7), dims=("label", "variable"))
    assert numbers(matrices.features(da)) == []
    assert len(numbers(matrices.features(da, annotate=True))) == 80


def test_thousands_are_written_in_full():
    da = xr.DataArray([[15823.4, 2.5e9], [1e5, 0.5]], dims=("label", "variable"))
    assert numbers(matrices.features(da)) == ["15823", "2.5e+09", "100000", "0.5"]


def test_long_names_are_written_in_lines_within_the_figure():
    name = "Raman intensity, background subtracted in the source"
    curves = xr.DataArray(
        np.ones((2, 5)), {"label": [0, 1]}, ("label", "shift"), attrs={"long_name": name}
    )
    text = profiles.centers(curves)[0].axes.yaxis.label
    text.figure.canvas.draw()
    assert text.get_text().replace("\n", " ") == name
    box = text.get_window_extent()
    assert 0 <= box.y0 < box.y1 <= text.figure.bbox.y1
    single = xr.Dataset({"a": ("label", [1.0, 2.0], {"long_name": name})})
    (tick,) = centers.table(single).axes.get_xticklabels()
    tick.figure.canvas.draw()
    assert tick.get_window_extent().x0 >= 0


def test_of_very_many_rows_evenly_spaced_ones_are_named():
    names = [f"label_{i}" for i in range(120)]
    da = xr.DataArray(np.eye(120), {"a": names, "b": names}, ("a", "b"))
    axes = matrices.correlation(da).axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == names[::3]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == names[::3]
    np.testing.assert_array_equal(axes.get_yticks(), np.arange(0, 120, 3))


def test_a_table_may_have_no_color_bar(table):
    assert matrices.confusion(table, legend=False).colorbar is None


def test_a_table_of_three_dims_is_refused(table):
    with pytest.raises(ValueError, match="a table needs two dims"):
        matrices.correlation(table.expand_dims("time"))


@pytest.fixture
def merges():
    return ward(np.random.default_rng(1).normal(size=(80, 3)))


def test_a_dendrogram_shows_p_branches_and_every_sample_once(merges):
    tree = dendrogram.dendrogram(merges, p=12)
    assert len(tree["ivl"]) == 12
    held = [int(text.strip("()")) if "(" in text else 1 for text in tree["ivl"]]
    assert sum(held) == 80


def test_branches_below_the_cut_have_one_color_a_label(merges):
    cut = merges[-5:-3, 2].mean()
    k = fcluster(merges, cut, "distance").max()
    colors = [f"#0000{i:02x}" for i in range(k)]
    tree = dendrogram.dendrogram(merges, cut=cut, colors=colors)
    below = [c for c, d in zip(tree["color_list"], tree["dcoord"], strict=True) if d[1] <= cut]
    assert k == 5
    assert list(dict.fromkeys(below)) == [c for c in colors if c in below]
    above = [c for c, d in zip(tree["color_list"], tree["dcoord"], strict=True) if d[1] > cut]
    assert set(above) == {dendrogram.ABOVE}


def test_colors_of_branches_may_be_explained(merges):
    dendrogram.dendrogram(merges, names={"shelf": "#ff0000"})
    legend = plt.gca().get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["shelf"]
    assert to_hex(legend.get_patches()[0].get_facecolor()) == "#ff0000"


def test_fewer_colors_than_branches_are_refused(merges):
    with pytest.raises(ValueError, match="80 labels below the cut"):
        dendrogram.dendrogram(merges, cut=0.0, colors=["red"])


def test_what_is_not_a_tree_is_refused():
    with pytest.raises(ValueError, match="four columns"):
        dendrogram.dendrogram(np.ones((5, 3)))


def test_the_u_matrix_has_rows_downwards_and_a_color_bar():
    da = xr.DataArray(np.arange(6.0).reshape(3, 2), dims=("col", "row"))
    image = nodes.u_matrix(da)
    np.testing.assert_array_equal(image.get_array(), [[0, 2, 4], [1, 3, 5]])
    assert image.colorbar.ax.get_ylabel() == "distance to the neighbours"


def test_nodes_stand_where_they_are_and_empty_ones_are_grey():
    data = np.arange(12.0).reshape(2, 2, 3)
    centers = xr.DataArray(data, {"depth": [0, 5, 9]}, ("row", "col", "depth"))
    counts = xr.DataArray([[4, 0], [1, 2]], dims=("row", "col"))
    axes = nodes.nodes(centers, counts)
    np.testing.assert_array_equal(axes[2].lines[0].get_xdata(), [6, 7, 8])
    assert axes[0].get_ylim() == (9, 0)
    assert axes[1].lines[0].get_color() == "0.75"
    assert [ax.texts[0].get_text() for ax in axes] == ["4", "0", "1", "2"]


def test_nodes_of_something_else_are_refused():
    with pytest.raises(ValueError, match="self-organizing"):
        nodes.u_matrix(xr.DataArray(np.ones((2, 2)), dims=("y", "x")))


def test_silhouettes_are_sorted_and_as_thick_as_there_are_samples():
    labels = flagged([[0, 0, 0, 2], [np.nan, -1, 0, 2]], y=[0, 1], x=range(4))
    values = xr.DataArray([[0.1, 0.7, 0.5, 0.2], [np.nan, np.nan, 0.3, 0.4]], dims=("y", "x"))
    shapes = silhouette.silhouette(values, labels)
    ax = shapes[0].axes
    assert [to_hex(shape.get_facecolor()[0]) for shape in shapes] == [COLORS[0], COLORS[2]]
    heights = [np.ptp(shape.get_paths()[0].vertices[:, 1]) for shape in shapes]
    assert heights == pytest.approx([4 / 6, 2 / 6])
    assert shapes[0].get_paths()[0].vertices[:, 0].max() == 0.7
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [
        "deep ocean (0.40)", "shelf", "coast (0.30)"
    ]  # fmt: skip
    assert ax.get_legend().get_texts()[0].get_text() == "mean 0.37"


def test_the_mean_silhouette_stands_beside_the_data_not_over_it():
    labels = flagged([[0, 0, 0, 2]], y=[0], x=range(4))
    ax = silhouette.silhouette(xr.zeros_like(labels).drop_attrs() + 0.9, labels)[0].axes
    ax.figure.canvas.draw()
    assert not ax.get_legend().get_window_extent().overlaps(ax.patch.get_window_extent())
