"""Results of several scenes: what each scene gives alone, and one model for all."""

import dask
import numpy as np
import pytest
import xarray as xr

import xcluster

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
    with pytest.raises(ValueError, match="opened without them"):
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

    fit = pooled({name: ds.chunk(y=4) for name, ds in scenes.items()}).kmeans(2)
    with dask.config.set(scheduler=never):
        labels = fit.merge([[0]]).labels
        repr(fit)
    assert all(node["labels"].chunks is not None for node in labels.children.values())


def test_a_page_has_a_tab_for_each_scene(scenes):
    pytest.importorskip("bokeh")
    text = pooled({name: scenes[name] for name in ("centers", "0")}).kmeans(2).explore().text
    assert text.count('"name":"TabPanel"') == 2


def test_figures_are_drawn_of_each_scene_or_of_the_model_once(scenes):
    fit = pooled(scenes).kmeans(3)
    assert set(fit.plot.map()) == set(NAMES)
