"""Figures of results and samples: what they take from them, and one colour a label everywhere."""

import inspect
import os
import subprocess
import sys
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex
from matplotlib.patches import Circle
from scipy.cluster.hierarchy import fcluster, linkage

from xcluster.fit.sources import Live
from xcluster.plot import (
    centers,
    curves,
    dendrogram,
    loadings,
    maps,
    matrices,
    memberships,
    nodes,
    profiles,
    scatter,
    silhouette,
    training,
)
from xcluster.plot.dendrogram import ABOVE, cut_height


@pytest.fixture(scope="module")
def pixels(ocean):
    return ocean.cluster.pixels()


@pytest.fixture(scope="module")
def soft(pixels):
    return pixels.pca(3).gmm(4)


@pytest.fixture(scope="module")
def tree(pixels):
    return pixels.hac(5)


@pytest.fixture(scope="module")
def mapped(tomography):
    return tomography.cluster.profiles("depth").som((2, 3))


@pytest.fixture(scope="module")
def weather():
    """Three fields that return again and again, in blocks of four days."""
    random = np.random.default_rng(0)
    fields = random.normal(size=(3, 6, 8))
    order = np.repeat([0, 1, 0, 2, 1, 0], 4)
    values = 5 * fields[order] + 0.1 * random.normal(size=(24, 6, 8))
    coords = {
        "time": np.arange("2001-01-01", "2001-01-25", dtype="M8[D]").astype("M8[ns]"),
        "latitude": ("latitude", np.arange(30.0, 60, 5), {"units": "degrees_north"}),
        "longitude": ("longitude", np.arange(-20.0, 20, 5), {"units": "degrees_east"}),
    }
    da = xr.DataArray(values, coords, ("time", "latitude", "longitude"), "pressure")
    return da.cluster.snapshots("time").kmeans(3)


def legend_colors(ax):
    (legend,) = [ax.get_legend()] if ax.get_legend() else ax.figure.legends
    return [to_hex(patch.get_facecolor()) for patch in legend.get_patches()]


# ------------------------------------------------------------------- one colour a label everywhere


def colors_of_figures(result):
    """The colours of the labels in each figure of a result, in the order of the labels."""
    found = {
        "map": legend_colors(result.plot.map().axes),
        "scatter": legend_colors(result.plot.scatter().axes),
        "scatter3d": legend_colors(result.plot.scatter3d().axes),
        "parallel": legend_colors(result.plot.parallel()[0].axes),
        "silhouette": [to_hex(each.get_facecolor()[0]) for each in result.plot.silhouette()],
        "centers": [
            to_hex(text.get_bbox_patch().get_facecolor())
            for text in result.plot.centers().axes.get_yticklabels()
        ],
    }
    plt.close("all")
    return found


@pytest.mark.parametrize("change", ["as it is", "relabelled", "matched", "merged"])
def test_all_figures_of_a_result_agree_on_the_color_of_a_label(soft, pixels, change):
    result = {
        "as it is": lambda: soft,
        "relabelled": lambda: soft.relabel(list("abcd"), colors={1: "crimson", 3: "k"}),
        "matched": lambda: pixels.pca(3).kmeans(4).match(soft.relabel(colors={0: "gold"})),
        "merged": lambda: soft.merge([(0, 2)]),
    }[change]()
    expected = list(result.partition.label_colors())
    assert colors_of_figures(result) == dict.fromkeys(colors_of_figures(result), expected)


def colors_by_name(result):
    return dict(zip(result.partition.label_names(), result.partition.label_colors(), strict=True))


def test_a_name_has_one_color_in_all_that_comes_from_a_result(soft, pixels, tmp_path):
    import xcluster

    named = soft.relabel(["gyre", "shelf", "polar", "coast"])
    expected = colors_by_name(named)
    named.save(tmp_path / "fit.nc")
    relatives = {
        "merge": named.merge([(0, 2)]),
        "threshold": named.threshold(0.9),
        "open": xcluster.open(tmp_path / "fit.nc"),
        "match": pixels.pca(3).kmeans(4).match(named),
        "match of fewer": pixels.kmeans(3).match(named),
        "match of more": pixels.kmeans(6).match(named),
    }
    for relation, result in relatives.items():
        found = colors_by_name(result)
        shared = found.keys() & expected.keys()
        assert len(shared) >= 3, relation
        assert {name: found[name] for name in shared} == {name: expected[name] for name in shared}
        assert len(set(found.values())) == len(found), relation


def test_points_have_the_color_of_their_label_on_the_map(soft):
    artist = soft.plot.scatter()
    features, labels = soft.features, soft.labels
    colors = np.array(soft.partition.label_colors())
    expected = {
        (x, y): colors[int(label)]
        for x, y, label in zip(
            *(features.isel(component=i).values.ravel() for i in (0, 1)),
            labels.values.ravel(),
            strict=True,
        )
        if np.isfinite(label)
    }
    found = zip(artist.get_offsets(), artist.get_facecolors(), strict=True)
    assert all(expected[tuple(place)] == to_hex(color) for place, color in found)


def test_profiles_have_the_colors_and_the_centres_of_the_labels(mapped):
    result = mapped.merge_nodes(3).relabel(colors=["red", "green", "blue"])
    axes = result.plot.profiles()
    assert [to_hex(ax.lines[-1].get_color()) for ax in axes] == ["#ff0000", "#008000", "#0000ff"]
    np.testing.assert_allclose(axes[1].lines[-1].get_xdata(), result.centers.vs[1], rtol=1e-6)


# ------------------------------------------------------------------------------------ of results


@pytest.mark.parametrize(
    "keywords",
    [
        {"every": 2},
        {"every": {"latitude": 3}},
        {"step": 5, "between": (10, 60)},
        {"between": (0, 30)},
    ],
    ids=str,
)
def test_profiles_lie_on_the_grid_of_the_samples(tomography, keywords):
    result = tomography.cluster.profiles("depth", **keywords).kmeans(3)
    axes = result.plot.profiles()
    counts = [int(ax.get_title().split("n = ")[1].rstrip(")").replace(",", "")) for ax in axes]
    assert counts == result.report()["samples"].tolist()
    np.testing.assert_allclose(axes[0].lines[-1].get_ydata(), result.centers.depth)


def test_profiles_of_a_variable_that_lacks_a_sample_dim_are_drawn(tomography):
    zonal = tomography.vs.mean("longitude").rename("zonal")
    result = xr.merge([tomography, zonal]).cluster.profiles("depth", vars=["vs", "zonal"]).kmeans(2)
    assert len(result.plot.profiles("zonal")) == 2


def test_circles_of_kmeans_stand_about_its_centres(pixels):
    result = pixels.pca(2).kmeans(3)
    circles = [p for p in result.plot.scatter(circles=True).axes.patches if isinstance(p, Circle)]
    raw = result.assign.centers[np.argsort(result.partition.codes)]
    np.testing.assert_allclose([circle.center for circle in circles], raw, rtol=1e-5)


def test_features_that_nothing_reduces_have_their_own_names(pixels):
    ax = pixels.kmeans(3).plot.scatter(1, 3).axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("air_temperature, scaled", "wind_speed, scaled")


def test_features_that_nothing_scales_have_their_units(tomography):
    ax = tomography.cluster.profiles("depth").kmeans(2).plot.scatter().axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("vs 0.0 [km s-1]", "vs 2.5 [km s-1]")


def test_centres_of_pixels_are_a_table_in_data_units(soft):
    image = soft.plot.centers()
    centers = soft.centers
    texts = [text.get_text() for text in image.axes.texts]
    assert texts[:2] == [f"{float(centers[name][0]):.4g}" for name in ("sst", "air_temperature")]
    shares = image.get_array()
    np.testing.assert_allclose([shares.min(axis=0), shares.max(axis=0)], [[0] * 7, [1] * 7])


def test_centres_of_fields_are_maps(weather):
    grid = weather.plot.centers()
    assert [ax.get_title() for ax in grid.axs.flat] == ["label 0", "label 1", "label 2"]


def test_the_tree_has_the_colors_of_the_labels_and_a_line_at_the_cut(tree):
    drawn = tree.plot.dendrogram(p=12)
    cut = plt.gca().lines[-1].get_ydata()[0]
    assert len(fcluster_sizes(tree.tree, cut)) == 5
    below = {
        color for color, heights in zip(drawn["color_list"], drawn["dcoord"], strict=True)
        if heights[1] < cut
    }  # fmt: skip
    assert below <= set(tree.partition.label_colors())
    above = [c for c, d in zip(drawn["color_list"], drawn["dcoord"], strict=True) if d[1] > cut]
    assert set(above) == {ABOVE}


def fcluster_sizes(merges, cut):
    return np.bincount(fcluster(merges, cut, "distance"))[1:]


def test_the_tree_names_the_labels_of_its_colors(tree):
    named = tree.relabel(["deep ocean", "b", "c", "d", "e"])
    named.plot.dendrogram()
    texts = [text.get_text() for text in plt.gca().get_legend().get_texts()]
    assert texts == ["deep ocean", "b", "c", "d", "e"]
    assert legend_colors(plt.gca()) == list(tree.partition.label_colors())
    named.plot.dendrogram(legend=False)
    assert plt.gca().get_legend() is None


def test_the_tree_counts_samples_below_its_branches(tree):
    texts = tree.plot.dendrogram(p=8)["ivl"]
    assert sum(int(text.strip("()").replace(",", "")) for text in texts) == tree.record.fitted


def test_a_tree_of_micro_clusters_counts_the_samples_in_them(ocean):
    result = ocean.cluster.pixels().hac(4, max_exact=200)
    assert result.assign.clusterer.n_micro_ is not None
    texts = result.plot.dendrogram()["ivl"]
    assert sum(int(text.strip("()").replace(",", "")) for text in texts) == result.record.fitted


def test_parts_that_never_merge_are_joined_at_the_top():
    merges = np.array([[0, 1, 1.0, 2], [2, 3, 2.0, 2], [4, 5, np.inf, 4]])
    drawn = dendrogram.dendrogram(merges, leaf_colors=["red", "red", "blue", "blue"])
    assert max(max(heights) for heights in drawn["dcoord"]) == pytest.approx(2.3)
    assert sorted(set(drawn["color_list"])) == sorted(["red", "blue", ABOVE])


@pytest.mark.parametrize("k", range(1, 21))
def test_the_cut_stands_between_two_merges(k):
    merges = linkage(np.random.default_rng(0).normal(size=(20, 2)), "ward")
    assert len(fcluster_sizes(merges, cut_height(merges, k))) == k


def test_nodes_have_counts_and_the_colors_of_their_labels(mapped):
    axes = mapped.plot.nodes()
    assert [ax.texts[0].get_text() for ax in axes] == [
        f"{count:,}" for count in mapped.assign.clusterer.counts_.astype(int)
    ]
    assert [ax.lines[0].get_color() for ax in axes] == list(mapped.partition.label_colors())
    merged = mapped.merge_nodes(2)
    colors = np.array(merged.partition.label_colors())[merged.partition.codes]
    assert [ax.lines[0].get_color() for ax in merged.plot.nodes()] == colors.tolist()


def test_nodes_of_pixels_are_one_plane_a_variable(pixels):
    result = pixels.som((2, 3))
    axes = result.plot.nodes()
    values = axes[1].collections[0].get_array()
    np.testing.assert_allclose(np.ravel(values), result.centers.air_temperature)


def test_the_u_matrix_is_drawn(mapped):
    np.testing.assert_array_equal(mapped.plot.u_matrix().get_array(), mapped.u_matrix())


def test_phases_leave_out_what_no_membership_exceeds(soft):
    artist = soft.plot.phases(0.9)
    names = [text.get_text() for text in artist.axes.get_legend().get_texts()]
    assert names[-1] == "unclassified"
    assert artist.axes.get_title() == "gmm(k=4), membership above 0.9"


def test_confusion_counts_samples_of_two_results(soft, tree):
    table = soft.plot.confusion(tree.relabel(list("abcde"))).get_array()
    first, second = soft.labels.values, tree.labels.values
    both = np.isfinite(first) & np.isfinite(second)
    expected = np.histogram2d(first[both], second[both], [range(5), range(6)])[0]
    np.testing.assert_array_equal(table, expected)
    assert [tick.get_text() for tick in plt.gca().get_xticklabels()] == list("abcde")
    assert plt.gca().get_xlabel() == "the other (hac(k=5))"


def test_transitions_are_those_of_the_regimes(weather):
    image = weather.relabel(["calm", "storm", "rain"]).plot.transitions()
    np.testing.assert_allclose(image.get_array(), weather.regimes().transitions)
    assert [tick.get_text() for tick in image.axes.get_xticklabels()] == ["calm", "storm", "rain"]


def test_scree_and_histograms_show_the_components(soft):
    heights = [bar.get_height() for bar in soft.plot.scree()]
    ratios = soft.assign.chain.last.explained_variance_ratio_
    np.testing.assert_allclose(heights, 100 * ratios)
    assert [ax.get_xlabel() for ax in soft.plot.histogram()] == [f"component {i}" for i in range(3)]


def test_a_lattice_of_the_latent_space_is_decoded(soft, tomography):
    axes = soft.plot.latent(n=4)
    assert axes[0].collections[0].get_array().size == 16
    curves = tomography.cluster.profiles("depth").pca(2).kmeans(2)
    panels = curves.plot.latent(n=3)
    middle = curves.assign.chain.inverse(curves.features.values.reshape(2, -1).T).mean(axis=0)
    assert len(panels) == 9
    np.testing.assert_allclose(panels[4].lines[0].get_xdata(), middle, atol=0.3)


def test_training_curves_mark_the_epoch_that_was_kept():
    history = {
        "loss": [3.0, 2, 1],
        "kl": [1.0, 0, 2],
        "r2": [-1.0, 0, 0.5],
        "mu": np.ones((3, 7, 2)),
    }
    axes = training.training(history, kept=3)
    assert [ax.get_yscale() for ax in axes] == ["log", "linear", "linear"]
    assert axes[0].get_legend().get_texts()[0].get_text() == "epoch 3 kept"
    (narrow,) = training.training({"loss": [1.009, 1.005]})
    assert narrow.get_yscale() == "linear"


def test_training_of_a_result_is_that_of_its_vae(ocean):
    pytest.importorskip("torch")
    result = ocean.cluster.pixels().vae(2, epochs=2).kmeans(2)
    assert len(result.plot.training()[0].lines[0].get_xdata()) == 2


# ------------------------------------------------------------------------------------ of samples


def test_a_selected_entry_is_said_above_its_map(tomography, bands):
    samples = tomography.cluster.profiles("depth")
    assert samples.plot.map(sel={"depth": 49.0}).axes.get_title() == "depth = 50 km"
    named = bands.assign_coords(band=list("abcdef")).cluster.pixels(dim="band")
    artist = named.plot.map(sel={"band": "c"})
    assert artist.axes.get_title() == "band = c"
    np.testing.assert_array_equal(artist.get_array(), bands[2])
    grid = samples.plot.map(sel={"depth": [10, 50]}, col="depth")
    assert [ax.get_title() for ax in grid.axs.flat] == ["depth = 10 km", "depth = 50 km"]


def test_facets_of_labels_say_the_method(ocean):
    both = xr.concat([ocean.sst, ocean.sst + 1], xr.DataArray([1, 7], dims="month"))
    fit = both.to_dataset(name="sst").assign(wind=ocean.wind_speed).cluster.pixels().kmeans(3)
    grid = fit.plot.map(col="month")
    assert grid.fig.get_suptitle() == "kmeans(k=3)"


def test_correlations_are_those_of_the_complete_samples(pixels):
    image = pixels.plot.correlation()
    rows = np.stack([pixels.data[name].values.ravel() for name in pixels.layout.shown], axis=1)
    rows = rows[np.isfinite(rows).all(axis=1)]
    np.testing.assert_allclose(image.get_array(), np.corrcoef(rows.T), atol=1e-4)


def test_loadings_are_curves_maps_or_a_table(pixels, tomography, weather):
    samples = tomography.cluster.profiles("depth").pca(2)
    (ax,) = samples.plot.loadings()
    np.testing.assert_allclose(ax.lines[1].get_xdata(), samples.loadings().vs[1])
    table = pixels.pca(2).plot.loadings()
    assert table.get_array().shape == (2, 7)
    assert -table.norm.vmin == table.norm.vmax == pytest.approx(np.abs(table.get_array()).max())
    grid = weather.samples.pca(2).plot.loadings()
    assert len(grid.axs.flat) == 2
    assert loadings.loadings(samples.loadings(), at_most=1)[0].lines[-1] is not None


def test_samples_have_scatter_scree_and_histogram(pixels):
    samples = pixels.pca(2)
    assert samples.plot.scatter(log=True).colorbar is not None
    assert len(samples.plot.scree()) == len(samples.plot.histogram()) == 2


def test_features_may_be_colored_by_their_values():
    table = xr.DataArray([[1.0, 30], [3, 10]], {"a": [0, 1], "b": ["x", "y"]}, ("a", "b"))
    image = matrices.features(table)
    np.testing.assert_array_equal(image.get_array(), [[0, 1], [1, 0]])
    assert [text.get_text() for text in image.axes.texts] == ["1", "30", "3", "10"]


# ------------------------------------------------------------------------------------- bad input


def test_a_figure_that_makes_no_sense_says_which_results_have_it(soft, tree, weather):
    refused = {
        "dendrogram": (soft, "hac"), "nodes": (soft, "som"), "u_matrix": (tree, "som"),
        "phases": (tree, "gmm or fuzzy"), "scree": (tree, "pca"), "training": (soft, "vae"),
        "latent": (tree, "vae"), "profiles": (weather, "plot.centers"),
        "transitions": (soft, "snapshots"),
    }  # fmt: skip
    for name, (result, owner) in refused.items():
        with pytest.raises(ValueError, match=owner):
            getattr(result.plot, name)()


def test_profiles_of_pixels_are_refused(pixels):
    with pytest.raises(ValueError, match=r"no variable lies along.*profiles\(dim\)"):
        pixels.kmeans(2).plot.profiles()


FIGURES = [
    *(centers.table, centers.fields, centers.curves, curves.criterion, curves.criteria),
    *(curves.scree, dendrogram.dendrogram, loadings.loadings, maps.map, matrices.confusion),
    *(matrices.correlation, matrices.features, matrices.transitions, memberships.memberships),
    *(nodes.nodes, nodes.planes, nodes.u_matrix, profiles.profiles, scatter.histogram),
    *(scatter.parallel, scatter.scatter, scatter.scatter3d, silhouette.silhouette),
    training.training,
]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda each: each.__name__)
def test_every_figure_takes_axes_and_a_size_after_its_data(figure):
    """Those that name neither pass their keywords on to a figure that does."""
    parameters = inspect.signature(figure).parameters
    passes_on = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    for name in ("ax", "figsize"):
        if name in parameters:
            assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
            assert parameters[name].default is None
        else:
            assert passes_on


def test_facets_refuse_axes_of_others(soft):
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="facets make axes of their own"):
        soft.plot.memberships(ax=ax)


def test_too_few_components_are_refused(pixels):
    with pytest.raises(ValueError, match=r"needs 3 components, and there are 2"):
        pixels.pca(2).kmeans(2).plot.scatter3d()
    with pytest.raises(ValueError, match=r"needs 2 components, and there are 1"):
        scatter.scatter(xr.DataArray(np.ones((1, 4)), dims=("component", "n")))


def test_a_map_of_a_series_is_refused(weather):
    with pytest.raises(ValueError, match="two spatial dims"):
        weather.plot.map()


def test_an_unknown_variable_is_refused_with_the_nearest(soft, pixels):
    with pytest.raises(ValueError, match="Did you mean 'sst'"):
        soft.plot.centers("sts")
    with pytest.raises(ValueError, match="Did you mean 'sst'"):
        pixels.pca(2).plot.loadings("sts")


def test_labels_that_are_all_missing_make_empty_figures(soft, ocean):
    empty = replace(soft, source=Live(soft.samples.where(ocean.sst > 1e9)))
    with pytest.warns(UserWarning, match="all values are NaN"):
        empty.plot.map()
    assert len(empty.plot.scatter().get_offsets()) == 0
    assert empty.plot.parallel()
    with pytest.raises(ValueError, match="no complete sample"):
        empty.plot.latent()
    assert empty.plot.confusion(soft).get_array().sum() == 0


def test_more_labels_than_colors_are_all_distinct(pixels):
    result = pixels.som((7, 8))
    artist = result.plot.map()
    assert len({to_hex(color) for color in artist.cmap.colors}) == 56


def test_a_result_without_its_data_draws_what_it_can(soft, tmp_path):
    import xcluster

    soft.save(tmp_path / "fit.nc")
    opened = xcluster.open(tmp_path / "fit.nc")
    assert legend_colors(opened.plot.map().axes) == list(soft.partition.label_colors())
    assert len(opened.plot.scree()) == 3
    for name in ("scatter", "parallel", "silhouette", "histogram"):
        with pytest.raises(ValueError, match="needs the original values"):
            getattr(opened.plot, name)()


def test_planes_of_a_lattice_have_its_coordinates():
    ds = xr.Dataset(
        {"v": (("row", "col"), np.arange(6.0).reshape(2, 3))}, {"row": [0.0, 1], "col": [5.0, 6, 7]}
    )
    (ax,) = nodes.planes(ds)
    assert ax.get_xlim() == (4.5, 7.5)
    assert ax.get_ylim() == (-0.5, 1.5)


def test_figures_need_no_screen():
    code = (
        "import xcluster; fit = xcluster.datasets.ocean().isel(latitude=slice(None, None, 5))"
        ".cluster.pixels().kmeans(2); fit.plot.scatter().figure.canvas.draw()"
    )
    hidden = {
        k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    }
    subprocess.run([sys.executable, "-c", code], check=True, env=hidden, timeout=60)
