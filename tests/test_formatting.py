"""What a result says of itself in text and HTML: the shares of the labels, and of which samples."""

import re

import numpy as np
import pytest
import xarray as xr
from sklearn.cluster import DBSCAN

import xcluster
from xcluster.fit import fitting

SHARE = re.compile(r"^ +(-?\d+)  (\S+) +([\d.]+)%$", re.MULTILINE)
NAME = re.compile(r"^ +(-?\d+)  (\S+)", re.MULTILINE)


def shares(fit):
    """Return the percentages of a repr by label."""
    return {int(label): float(share) for label, _, share in SHARE.findall(repr(fit))}


def names(fit):
    """Return the names of a repr by label, those without a percentage too."""
    return {int(label): name for label, name in NAME.findall(repr(fit))}


def reported(fit):
    """Return the percentages of a report by label."""
    return (100 * fit.report()["share"]).round(1).to_dict()


@pytest.fixture(scope="module")
def soft(ocean):
    return ocean.cluster.pixels().weights("area").pca(3).gmm(4)


@pytest.fixture(scope="module")
def scenes(ocean):
    return {"south": ocean.sel(latitude=slice(-90, 0)), "north": ocean.sel(latitude=slice(0, 90))}


@pytest.fixture(scope="module")
def pooled(scenes):
    return xcluster.pool(scenes, lambda ds: ds.cluster.pixels()).kmeans(3)


# ------------------------------------------------------------------------------------ the shares


NOISY = {
    "hdbscan": lambda samples: samples.hdbscan(min_cluster_size=20),
    "weighted": lambda samples: samples.weights("area").fit(DBSCAN(eps=0.15, min_samples=8)),
}


@pytest.mark.parametrize("method", NOISY)
def test_shares_are_of_all_samples_those_without_a_label_too(ocean, method):
    fit = NOISY[method](ocean.cluster.pixels(["sst", "wind_speed"]))
    assert names(fit)[-1] == "unclassified"
    assert shares(fit) == reported(fit)
    assert f"unclassified {shares(fit)[-1]}%" in fit._repr_html_()


def test_where_every_sample_is_noise_that_is_all_there_is(ocean):
    with pytest.warns(UserWarning, match="every sample is noise"):
        fit = ocean.cluster.pixels(["sst", "wind_speed"]).dbscan(1e-6)
    assert shares(fit) == {-1: 100.0}


def test_merged_labels_have_the_shares_of_both_and_new_names_change_none(soft):
    merged = soft.merge([[0, 3]]).relabel({0: "large"})
    assert shares(merged) == reported(merged)
    assert names(merged)[0] == "large"
    assert -1 not in names(merged)


def test_behind_a_threshold_no_shares_are_told_as_none_are_known(soft):
    for fit in (soft.threshold(0.8), soft.threshold(0.8).merge([[0, 1]]), soft.threshold(0)):
        assert "%" not in repr(fit) + fit._repr_html_()
        assert list(names(fit)) == [*range(fit.k), -1]
        assert "unclassified" in fit._repr_html_()


def test_a_streamed_mixture_tells_no_shares_and_streamed_kmeans_does(ocean, monkeypatch):
    monkeypatch.setattr(fitting, "ALL_POINTS", 100)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 500)
    samples = ocean.cluster.pixels(["sst", "wind_speed"])
    streamed = samples.kmeans(3, fit_on="all")
    assert streamed.record.passes
    assert shares(streamed) == pytest.approx(reported(streamed), abs=0.5)
    assert "%" not in repr(samples.gmm(3, fit_on="all"))


# ------------------------------------------------------------------------------ scenes of a pool


def test_a_scene_of_a_pool_tells_no_shares_of_the_pool_and_says_whose_counts_it_has(pooled):
    scene = pooled["north"]
    assert "%" not in repr(scene) + scene._repr_html_()
    assert list(names(scene)) == [0, 1, 2]
    said = "the counts are of 2 scenes fitted together; this is 'north'"
    assert said in repr(scene)
    assert said in scene.report().attrs["notes"]


def test_all_scenes_together_tell_their_shares(pooled):
    found = pooled.report().groupby("label")["samples"].sum()
    assert shares(pooled.whole) == (100 * found / found.sum()).round(1).to_dict()
    assert re.search(r"samples +2 scenes, 1,800 grid points", repr(pooled.whole))


def test_a_pool_of_one_scene_is_that_scene(ocean):
    scene = xcluster.pool([ocean], lambda ds: ds.cluster.pixels()).kmeans(3)["0"]
    assert shares(scene) == reported(scene)
    assert "scene" not in repr(scene)


# --------------------------------------------------------------------------------- saved results


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_an_opened_result_tells_the_same_shares(tmp_path, ocean, soft, pooled, suffix):
    noisy = NOISY["weighted"](ocean.cluster.pixels(["sst", "wind_speed"]))
    for number, fit in enumerate((soft, soft.threshold(0.8), noisy, pooled["north"])):
        path = tmp_path / f"{number}{suffix}"
        fit.save(path)
        for again in (xcluster.open(path), xcluster.open(path, data=fit.samples.data)):
            assert shares(again) == shares(fit)
            assert names(again) == names(fit)


def series(ocean):
    """Return a field over time."""
    drift = xr.DataArray(np.random.default_rng(0).normal(size=(6, 30)), dims=("time", "latitude"))
    time = np.arange("2000-01", "2000-07", dtype="M8[M]").astype("M8[ns]")
    return (ocean.sst + drift).assign_coords(time=time).transpose("time", ...).to_dataset(name="t")


STATED = {
    "pixels": lambda ds: ds.cluster.pixels().scale().pca(2),
    "one variable": lambda ds: ds.cluster.pixels("sst").scale("robust"),
    "each feature": lambda ds: series(ds).cluster.pixels(dim="time").scale(over="feature").pca(2),
    "all features": lambda ds: ds.cluster.pixels().scale(over="all").pca(2).scale(over="all"),
    "behind a mix": lambda ds: (
        ds.cluster.profiles("latitude", "sst", missing=0.1).pca(2).scale("max", over="all")
    ),
    "step": lambda ds: ds.cluster.profiles("latitude", "sst", step=30, missing=0.1),
    "snapshots": lambda ds: (
        series(ds).cluster.snapshots().anomaly("time.season").weights("area").pca(2)
    ),
    "patches": lambda ds: ds.fillna(0).cluster.patches(4, every=3).scale(None),
}


@pytest.mark.parametrize("question", STATED)
def test_an_opened_result_tells_its_samples_features_and_steps(tmp_path, ocean, question):
    fit = STATED[question](ocean).kmeans(2)
    fit.save(tmp_path / "a.nc")
    ours, theirs = (
        [line for line in repr(each).splitlines() if not line.startswith("  left out")]
        for each in (xcluster.open(tmp_path / "a.nc"), fit)
    )
    assert ours == theirs


def test_an_opened_result_says_that_samples_had_weights(tmp_path, soft):
    soft.save(tmp_path / "a.nc")
    assert re.search(r"weights +as saved", repr(xcluster.open(tmp_path / "a.nc")))
