"""Results of several scenes: what each scene gives alone, and one model for all."""

import pickle

import dask
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from chromium import PROGRAM, Chromium
from sklearn.metrics import adjusted_rand_score

import xcluster
from xcluster.chain.pooling import scenes_of

NAMES = ("centers", "model", "", "a b", "0", "Meer/Küste")


def scene(seed, size=12):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, (size, 9))
    values = {name: (("y", "x"), 5.0 * group + rng.normal(size=(size, 9))) for name in "ab"}
    return xr.Dataset(values, {"y": np.arange(size) * 1.0, "x": np.arange(9.0)})


@pytest.fixture
def scenes():
    return {name: scene(seed, 8 + seed) for seed, name in enumerate(NAMES)}


def pooled(scenes):
    return xcluster.pool(scenes, lambda ds: ds.cluster.pixels())


def same_labels(a, b):
    return all(np.array_equal(a[name].labels, b[name].labels, equal_nan=True) for name in a)


def test_one_model_labels_each_scene_as_it_predicts_it(scenes):
    fit = pooled(scenes).kmeans(3)
    assert list(fit) == list(NAMES)
    for name, ds in scenes.items():
        np.testing.assert_array_equal(fit[name].labels, fit.predict(ds))


def test_the_model_is_that_of_all_rows_together(scenes):
    fit = pooled(scenes).kmeans(3)
    rows = {
        name: np.concatenate([ds[name].values.ravel() for ds in scenes.values()]) for name in "ab"
    }
    labels = np.concatenate([fit[name].labels.values.ravel() for name in scenes])
    found = fit.back_projection()
    for label in range(3):
        mine = labels == label
        for name in "ab":
            np.testing.assert_allclose(found[name][label], rows[name][mine].mean(), rtol=1e-6)
            error = rows[name][mine].std() / np.sqrt(mine.sum() - 1)
            np.testing.assert_allclose(found[f"{name}_error"][label], error, rtol=1e-6)
            np.testing.assert_allclose(fit.centers[name][label], rows[name][mine].mean(), rtol=1e-5)


def test_other_labels_are_those_of_each_scene_alone(scenes):
    fit = pooled(scenes).gmm(3)
    merged, limited = fit.merge([[0, 2]]), fit.threshold(0.99)
    named = fit.relabel(["x", "y", "z"])
    for name, alone in fit.items():
        np.testing.assert_array_equal(merged[name].labels, alone.merge([[0, 2]]).labels)
        np.testing.assert_array_equal(limited[name].labels, alone.threshold(0.99).labels)
        assert named[name].labels.flag_meanings == "x y z"


def test_a_match_counts_the_samples_of_all_scenes(scenes):
    fit = pooled(scenes).kmeans(3, order="a")
    again = pooled(scenes).kmeans(3, order=lambda centers: -centers.a)
    assert not same_labels(fit, again)
    assert same_labels(fit, again.match(fit))


def test_scores_are_those_of_each_scene(scenes):
    fit = pooled(scenes).kmeans(3)
    found = fit.scores()
    assert found.scene.values.tolist() == list(NAMES)
    for name, alone in fit.items():
        assert float(found.silhouette.sel(scene=name)) == float(alone.scores().silhouette)


def test_tables_have_a_row_per_scene_and_label_and_per_sample(scenes):
    fit = pooled(scenes).kmeans(3)
    assert fit.report().loc["model"]["samples"].sum() == scenes["model"].a.size
    table = fit.to_dataframe()
    assert (table.loc["model", "label"].to_numpy() == fit["model"].labels.values.ravel()).all()


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_scenes_come_back_from_a_file_under_any_name(scenes, tmp_path, suffix):
    masks = {name: ds.a > 0 for name, ds in scenes.items()}
    asked = iter(masks.values())
    fit = xcluster.pool(scenes, lambda ds: ds.cluster.pixels().where(next(asked))).gmm([2, 3])
    fit = fit.threshold(0.9).relabel({0: "deep sea"})
    fit.save(tmp_path / f"a{suffix}")
    opened = xcluster.open(tmp_path / f"a{suffix}")
    bound = xcluster.open(tmp_path / f"a{suffix}", scenes)
    for again in (opened, bound):
        assert isinstance(again, xcluster.PooledClustering)
        assert list(again) == list(NAMES)
        assert same_labels(fit, again)
        xr.testing.assert_allclose(again.centers, fit.centers)
        assert again.partition.names == fit.partition.names
        np.testing.assert_array_equal(again.sweep.table.k, [2, 3])
        np.testing.assert_array_equal(again.predict(scenes["0"]), fit.predict(scenes["0"]))
    with pytest.raises(ValueError, match="opened without its data"):
        opened.report()
    assert bound.report().equals(fit.report())


def test_data_of_other_scenes_are_refused_by_name(scenes, tmp_path):
    pooled(scenes).kmeans(2).save(tmp_path / "a.nc")
    others = {f"{name}!": ds for name, ds in scenes.items()}
    with pytest.raises(ValueError, match=r"^data="):
        xcluster.open(tmp_path / "a.nc", others)


def test_nothing_is_computed_before_labels_are_asked_for(scenes):
    def never(*_, **__):
        raise AssertionError("computed")

    fit = pooled({name: scenes[name].chunk(y=4) for name in ("centers", "0")}).kmeans(2)
    with dask.config.set(scheduler=never):
        labels = fit.merge([[0]]).labels
        repr(fit)
    assert all(node["labels"].chunks is not None for node in labels.children.values())


def test_a_page_has_a_tab_for_each_scene(scenes):
    pytest.importorskip("bokeh")
    text = pooled({name: scenes[name] for name in ("centers", "0")}).kmeans(2).explore().text
    assert text.count('"name":"TabPanel"') == 2


def test_figures_are_drawn_of_each_scene_or_of_the_model_once(scenes, drawn):
    fit = pooled(scenes).kmeans(3)
    assert set(fit.plot.map()) == set(NAMES)


# --------------------------------------------------------------------------- two tiles of one map


def ask(ds):
    return ds.cluster.pixels()


@pytest.fixture(scope="module")
def tiles():
    whole = scene(0, 24)
    return {"low": whole.isel(y=slice(10)), "high": whole.isel(y=slice(10, None))}


@pytest.fixture(scope="module")
def fit(tiles):
    return pooled(tiles).kmeans(3)


@pytest.fixture(scope="module")
def soft(tiles):
    return pooled(tiles).gmm(3)


@pytest.fixture
def drawn():
    yield lambda: len(plt.get_fignums())
    plt.close("all")


@pytest.mark.parametrize("what", ["labels", "memberships", "distances", "features", "silhouette"])
def test_a_tree_holds_the_arrays_of_each_scene(soft, what):
    tree = getattr(soft, what)
    assert list(tree.children) == ["low", "high"]
    for name, alone in soft.items():
        xr.testing.assert_identical(tree[name][what], getattr(alone, what).rename(what))
    assert soft["low"] is soft["low"]


def test_tables_of_all_scenes_hold_those_of_each(soft):
    table, tree, members = soft.to_dataframe(), soft.to_datatree(), soft.members(1)
    doubt = soft.uncertainty(n_refits=2)
    for name, alone in soft.items():
        pd.testing.assert_frame_equal(table.loc[name].reset_index(drop=True), alone.to_dataframe())
        xr.testing.assert_identical(tree[name].to_dataset(), alone.to_dataset())
        xr.testing.assert_identical(members[name].to_dataset(), alone.members(1))
        xr.testing.assert_identical(doubt[name].to_dataset(), alone.uncertainty(n_refits=2))


@pytest.mark.parametrize("space", ["features", "data"])
def test_every_score_is_that_of_its_scene(soft, space):
    found = soft.scores(space)
    for name, alone in soft.items():
        for score, value in alone.scores(space).items():
            np.testing.assert_array_equal(found[score].sel(scene=name), value)


def test_a_truth_is_compared_scene_by_scene(fit, soft):
    found = fit.scores(truth=soft).adjusted_rand
    for name in fit:
        labels = soft[name].labels.values.ravel(), fit[name].labels.values.ravel()
        assert float(found.sel(scene=name)) == pytest.approx(adjusted_rand_score(*labels))
    maps = {name: soft[name].labels for name in soft}
    np.testing.assert_array_equal(fit.scores(truth=maps).adjusted_rand, found)
    with pytest.raises(TypeError, match=r"^truth='Clustering'"):
        fit.scores(truth=soft["low"])


def test_regimes_and_composites_are_those_of_each_scene():
    rng = np.random.default_rng(0)
    states = np.repeat(rng.integers(0, 3, 40), 3)
    values = 10 * rng.normal(size=(3, 6))[states] + rng.normal(size=(120, 6))
    series = xr.DataArray(values, {"time": np.arange(120)}, ("time", "x"))
    years = {"first": series[:60], "second": series[60:]}
    fit = xcluster.pool(years, lambda ds: ds.cluster.snapshots("time")).kmeans(3)
    further = {name: each.mean("x").rename("mean") for name, each in years.items()}
    found = fit.regimes(composites=further)
    for name, alone in fit.items():
        labels = alone.labels.values
        shares = [(labels == label).mean() for label in range(3)]
        means = [further[name].values[labels == label].mean() for label in range(3)]
        np.testing.assert_allclose(found[name].frequency, shares)
        np.testing.assert_allclose(found[name]["mean"], means)
    with pytest.raises(ValueError, match=r"^composites=\['first'\]"):
        fit.regimes(composites={"first": further["first"]})


def test_windows_are_painted_on_the_image_of_each_scene():
    rng = np.random.default_rng(0)
    images = [xr.DataArray(rng.normal(size=(20, 30)), dims=("y", "x")) for _ in range(2)]
    fit = xcluster.pool(images, lambda ds: ds.cluster.patches(5, every=5)).kmeans(3)
    for name, alone in fit.items():
        expected = alone.labels.values.repeat(5, axis=0).repeat(5, axis=1)
        np.testing.assert_array_equal(fit.upsample()[name]["labels"], expected)


def test_trees_are_cut_and_nodes_merged_in_all_scenes(tiles):
    tree, nodes = pooled(tiles).hac(4), pooled(tiles).som((2, 3))
    cut, merged = tree.cut(2), nodes.merge_nodes(2)
    for name, ds in tiles.items():
        np.testing.assert_array_equal(cut[name].labels, cut.predict(ds))
        np.testing.assert_array_equal(cut[name].labels, tree[name].cut(2).labels)
        np.testing.assert_array_equal(merged[name].labels, merged.predict(ds))


def test_each_k_of_a_sweep_is_a_result_of_all_scenes(tiles):
    chosen = pooled(tiles).gmm([2, 3])
    for sweep in (pooled(tiles).sweep([2, 3]), chosen.sweep):
        found = sweep.clustering(2)
        assert (found.k, list(found)) == (2, ["low", "high"])
        for name, ds in tiles.items():
            np.testing.assert_array_equal(found[name].labels, found.predict(ds))
    again = chosen["low"].sweep.clustering(2).labels
    np.testing.assert_array_equal(again, chosen.sweep.clustering(2)["low"].labels)


def test_a_result_travels_and_its_samples_are_fitted_again(fit, soft):
    assert same_labels(pickle.loads(pickle.dumps(soft)), soft)
    assert same_labels(fit.samples.gmm(3), soft)


def test_other_results_are_matched_only_if_they_are_of_the_same_scenes(fit, tiles):
    with pytest.raises(TypeError, match=r"^other='Clustering'"):
        fit.match(fit["low"])
    with pytest.raises(ValueError, match=r"^other=\['low'\]"):
        fit.match(pooled({"low": tiles["low"]}).kmeans(2))
    with pytest.raises(ValueError, match=r"^other='label'"):
        fit.match(pooled({"low": tiles["high"], "high": tiles["low"]}).kmeans(2))


# --------------------------------------------------------------- scenes without labels, odd names


@pytest.fixture(scope="module")
def patchy(tiles):
    """Of a scene in full, one of clouds alone, and one where a single label occurs."""
    low = tiles["low"]
    high = low.where(low.a > 8)
    return pooled({"full": low, "clouds": low * np.nan, "one": high}).kmeans(3)


def test_scenes_without_labels_have_no_scores_and_others_have_theirs(patchy):
    silhouette, scores = patchy.silhouette, patchy.scores()
    assert silhouette["clouds"]["silhouette"].isnull().all()
    assert silhouette["one"]["silhouette"].isnull().all()
    xr.testing.assert_identical(silhouette["full"]["silhouette"], patchy["full"].silhouette)
    assert np.isfinite(scores.inertia).values.tolist() == [True, False, True]
    assert np.isfinite(scores.silhouette).values.tolist() == [True, False, False]
    doubt = patchy.uncertainty(n_refits=2)
    assert [bool(doubt[name].data_vars) for name in patchy] == [True, False, True]


def test_scenes_without_labels_have_no_silhouettes_to_draw(patchy, drawn):
    assert list(patchy.plot.silhouette()) == ["full"]
    assert drawn() == 1


def test_a_name_that_is_no_scene_is_told_the_names(fit):
    with pytest.raises(KeyError, match=r"^scene='lo'.*\['low', 'high'\]"):
        fit["lo"]
    assert fit.get("lo") is None
    assert "lo" not in fit


def test_names_with_slashes_are_paths_of_the_trees(tiles):
    tree = xr.DataTree.from_dict({f"run/{name}": ds for name, ds in tiles.items()})
    fit = pooled(tree).kmeans(2)
    np.testing.assert_array_equal(fit.labels["run/low/labels"], fit["run/low"].labels)
    assert list(scenes_of(fit.labels)) == list(fit) == ["run/low", "run/high"]


@pytest.mark.parametrize("names", [("", "b"), ("/", "b"), ("..", "b"), ("a", "a/b")])
def test_names_that_make_no_tree_still_have_results(tiles, names):
    fit = pooled(dict(zip(names, tiles.values(), strict=True))).kmeans(2)
    assert all(fit[name].labels.notnull().all() for name in names)
    with pytest.raises(ValueError, match=r"^scenes?="):
        fit.labels  # noqa: B018


def test_two_scenes_of_one_name_are_refused(tiles):
    with pytest.raises(ValueError, match=r"^objects=\['1', '1'\]"):
        pooled({1: tiles["low"], "1": tiles["high"]})


@pytest.mark.parametrize("name", ["labels", "memberships"])
def test_a_coordinate_of_the_name_of_an_array_is_told(tiles, name):
    named = {key: ds.assign_coords({name: ds.y + 1}) for key, ds in tiles.items()}
    fit = pooled(named).gmm(2)
    with pytest.raises(ValueError, match=rf"^coords='{name}'"):
        getattr(fit, name)
    assert fit.distances["low"]["distances"].coords[name].dims == ("y",)


# ----------------------------------------------------------------------------------------- files


def without_inverse(ds):
    return ds.cluster.pixels().scale("norm")


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_changed_labels_of_an_opened_file_are_those_of_live_scenes(tiles, soft, tmp_path, suffix):
    soft.save(tmp_path / f"a{suffix}")
    tree = xr.DataTree.from_dict(tiles)
    for opened in (xcluster.open(tmp_path / f"a{suffix}", data) for data in (None, tiles, tree)):
        assert same_labels(opened.merge([[0, 2]]), soft.merge([[0, 2]]))
        assert same_labels(opened.match(soft), soft)
        opened.merge([[0, 1]]).threshold(0.9).save(tmp_path / f"b{suffix}")
        again = xcluster.open(tmp_path / f"b{suffix}")
        assert same_labels(again.threshold(0), soft.merge([[0, 1]]))


def test_means_without_an_inverse_are_those_of_all_rows(tiles, tmp_path):
    fit = xcluster.pool(tiles, without_inverse).hac(3)
    fit.save(tmp_path / "a.nc")
    bound = xcluster.open(tmp_path / "a.nc", tiles)
    a = np.concatenate([ds.a.values.ravel() for ds in tiles.values()])
    labels = np.concatenate([fit[name].labels.values.ravel() for name in tiles])
    means = [a[labels == label].mean() for label in range(3)]
    for found in (fit, fit["low"], bound, bound["high"], xcluster.open(tmp_path / "a.nc")["low"]):
        np.testing.assert_allclose(found.centers.a, means, rtol=1e-5)
    xr.testing.assert_allclose(bound.cut(2)["low"].centers, fit.cut(2).centers)


@pytest.mark.parametrize("turned", [False, True])
def test_scenes_may_be_weighed_by_area_or_by_an_array(tiles, tmp_path, turned):
    maps = {name: ds.rename(y="lat", x="lon") for name, ds in tiles.items()}
    maps = dict(reversed(maps.items())) if turned else maps

    def weigh(ds):
        how = "area" if float(ds.lat[0]) == 0 else abs(ds.a) + 1
        return ds.cluster.pixels().weights(how)

    fit = xcluster.pool(maps, weigh).kmeans(3)
    fit.save(tmp_path / "a.nc")
    found = xcluster.open(tmp_path / "a.nc", maps)
    pd.testing.assert_frame_equal(found.report(), fit.report())
    assert found.samples.scenes["low"].weighting == "area"


def test_one_scene_and_one_object_are_opened_over_what_was_fitted(tiles, tmp_path):
    low = tiles["low"]
    pooled(low).kmeans(2).save(tmp_path / "one.nc")
    for data in (low, {"0": low}, [low]):
        assert list(xcluster.open(tmp_path / "one.nc", data)) == ["0"]
    ask(low).kmeans(2).save(tmp_path / "plain.nc")
    with pytest.raises(TypeError, match=r"^data='dict'"):
        xcluster.open(tmp_path / "plain.nc", {"0": low})
    pooled(tiles).kmeans(2).save(tmp_path / "two.nc")
    with pytest.raises(TypeError, match=r"^data='Dataset'.*'low', 'high'"):
        xcluster.open(tmp_path / "two.nc", low)


def test_a_file_of_many_scenes_is_opened_a_few_times_only(tiles, tmp_path, monkeypatch):
    import netCDF4

    opened, original = [], netCDF4.Dataset

    class Counting(original):
        def __init__(self, *args, **keywords):
            opened.append(args)
            super().__init__(*args, **keywords)

    counts = []
    for n in (2, 8):
        pooled({str(number): tiles["low"] for number in range(n)}).kmeans(2).save(tmp_path / "a.nc")
        monkeypatch.setattr(netCDF4, "Dataset", Counting)
        xcluster.open(tmp_path / "a.nc")
        monkeypatch.undo()
        counts.append(len(opened))
        opened.clear()
    assert counts == [1, 1]


# ----------------------------------------------------------------------------------- lazy scenes


def test_lazy_scenes_compute_nothing_but_the_fit_which_sums_all_means(tiles, computes):
    lazy = {name: ds.chunk(y=4) for name, ds in tiles.items()}
    fit = xcluster.pool(lazy, without_inverse).gmm(3)
    assert computes() == 1
    for other in (fit, fit.threshold(0.9), fit.merge([[0, 1]]), fit.relabel({0: "a"})):
        assert repr(other) + other._repr_html_() + repr(other["low"])
        for what in ("labels", "memberships", "distances", "features"):
            assert getattr(other, what)["low"][what].chunksizes["y"] == (4, 4, 2)
        assert other.members(0)["low"]["a"].chunks
    assert computes() == 1
    for found in (fit["low"], fit, fit["high"]):
        assert found.centers.a.notnull().all()
    assert computes() == 1


# --------------------------------------------------------------------------------------- figures


def test_the_name_of_a_scene_stands_above_its_figure(soft, drawn):
    titles = [each.axes.get_title() for each in soft.plot.map().values()]
    assert titles == ["low: gmm(k=3)", "high: gmm(k=3)"]
    facets = soft.plot.memberships()
    assert [each.fig.get_suptitle() for each in facets.values()] == ["low", "high"]
    assert soft.plot.histogram()["high"][0].figure.get_suptitle() == "high"
    assert drawn() == 6


def test_axes_are_given_by_scene(fit, drawn):
    _, axes = plt.subplots(1, 2)
    found = fit.plot.scatter(ax=dict(zip(fit, axes, strict=True)))
    assert [each.axes for each in found.values()] == list(axes)
    assert drawn() == 1
    with pytest.raises(TypeError, match=r"^ax="):
        fit.plot.scatter(ax=axes[0])
    with pytest.raises(ValueError, match=r"^ax=\['low'\]"):
        fit.plot.scatter(ax={"low": axes[0]})


def test_figures_of_the_model_are_drawn_once(tiles, drawn):
    tree, nodes = pooled(tiles).hac(3), pooled(tiles).som((2, 2))
    sizes = [int(each.strip("()")) for each in tree.plot.dendrogram(p=5)["ivl"]]
    assert sum(sizes) == sum(ds.a.size for ds in tiles.values())
    nodes.plot.nodes()
    nodes.plot.u_matrix()
    assert drawn() == 3


def test_confusion_counts_the_samples_of_each_scene(fit, soft, drawn):
    for name, image in fit.plot.confusion(soft).items():
        ours, theirs = fit[name].labels.values, soft[name].labels.values
        counts = [((ours == i) & (theirs == j)).sum() for i in range(3) for j in range(3)]
        assert sorted(int(each.get_text()) for each in image.axes.texts) == sorted(counts)
    with pytest.raises(TypeError, match=r"^other='Clustering'"):
        fit.plot.confusion(soft["low"])


def test_a_figure_that_fails_leaves_none_behind_and_a_dollar_is_no_formula(tiles, drawn):
    fit = pooled({r"$\x": tiles["low"], "b": tiles["high"]}).kmeans(2)
    with pytest.raises(ValueError, match=r"^colour="):
        fit.plot.map(colour="red")
    assert drawn() == 0
    fit.plot.scatter()[r"$\x"].figure.canvas.draw()


# ------------------------------------------------------------------------------------- the page


@pytest.fixture(scope="module")
def browser(fit, soft, tmp_path_factory):
    """A page of two tabs of two results each, in a browser; nothing is logged as an error."""
    pytest.importorskip("bokeh")
    if PROGRAM is None:
        pytest.skip("needs chromium")
    path = tmp_path_factory.mktemp("page") / "page.html"
    fit.explore(soft).save(path)
    browser = Chromium()
    browser.open(path)
    yield browser
    assert browser.errors == []
    browser.close()


TABS = "Bokeh.documents[0].roots()[0]"


def model(tab, name):
    inside = f"[...{TABS}.tabs[{tab}].child.references()]"
    return f"{inside}.find((each) => each.name === '{name}')"


def show(browser, tab):
    """Click the name of a tab, and wait until its map is drawn."""
    place = browser.run(
        f"(() => {{ const header = Bokeh.index.find_one({TABS}).header_els[{tab}];"
        "const box = header.getBoundingClientRect();"
        "return [box.left + box.width / 2, box.top + box.height / 2]; })()"
    )
    browser.click(*place)
    browser.wait(f"{TABS}.active === {tab}")
    browser.wait(f"Bokeh.index.find_one({model(tab, 'map0')})?.frame.bbox.width > 50")


def test_a_tab_carries_the_labels_of_its_scene(browser, fit):
    assert browser.run(f"{TABS}.tabs.map((each) => each.title)") == ["low", "high"]
    for tab, alone in enumerate(fit.values()):
        found = browser.run(f"Array.from({model(tab, 'samples')}.data.label0)")
        np.testing.assert_array_equal(found, alone.labels.values.ravel())


@pytest.mark.parametrize("tab", [1, 0])
def test_a_box_on_a_map_marks_the_samples_of_its_tab_alone(browser, tab):
    show(browser, tab)
    inside = f"{model(tab, 'chosen')}.data.inside"
    others = browser.run(f"Array.from({model(1 - tab, 'chosen')}.data.inside)")
    left, top, width, height = browser.run(
        f"(() => {{ const map = {model(tab, 'map0')}, view = Bokeh.index.find_one(map);"
        "map.toolbar.active_drag = map.toolbar.tools.find((t) => t.type === 'BoxSelectTool');"
        "const canvas = view.canvas_view.el.getBoundingClientRect(), box = view.frame.bbox;"
        "return [canvas.left + box.left, canvas.top + box.top, box.width, box.height]; })()"
    )
    browser.drag(*((left + part * width, top + part * height) for part in (0.2, 0.4, 0.6)))
    browser.wait(f"{inside}.length > 0")
    chosen = browser.run(f"{inside}.reduce((a, b) => a + b, 0)")
    for points in ("points0", "points1"):
        assert browser.run(f"{model(tab, points)}.selected.indices.length") == chosen > 0
    assert browser.run(f"Array.from({model(1 - tab, 'chosen')}.data.inside)") == others
