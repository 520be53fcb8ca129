"""Ensembles: members and times as samples, cycles common or of each, regimes within each series."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

import xcluster

NCEP = Path(__file__).resolve().parents[2] / "shared/data/weather/ncep_slp_natl_daily_2001_2010.nc"
TIME = pd.date_range("2001-01-01", periods=730)
BOTH = ["member", "time"]


@pytest.fixture
def ensemble():
    """Three members, each with its own sequence of three patterns, cycle, and offset."""
    random = np.random.default_rng(0)
    sequence = np.repeat(random.integers(0, 3, (3, 73)), 10, axis=1)
    patterns = 3 * random.normal(size=(3, 4, 5))
    season = np.cos(2 * np.pi * TIME.day_of_year.to_numpy() / 365)
    values = patterns[sequence] + random.normal(size=(3, 730, 4, 5)) / 3
    values += (np.arange(1.0, 4)[:, None] * (1 + 5 * season))[..., None, None]
    coords = {
        "member": [10, 20, 30],
        "time": TIME,
        "lat": [30.0, 40, 50, 60],
        "lon": np.arange(5.0),
    }
    return xr.DataArray(values, coords, ("member", "time", "lat", "lon"), name="slp")


def cycles(da, dims):
    """The mean of each month over some dims, at each time."""
    return da - da.groupby("time.month").mean(dims).sel(month=da.time.dt.month).drop_vars("month")


# ------------------------------------------------------------------------------------- the samples


def test_each_time_of_each_member_is_a_sample_as_if_they_were_stacked(ensemble):
    fit = ensemble.cluster.snapshots(BOTH).kmeans(3)
    assert fit.labels.dims == ("member", "time")
    assert fit.centers.slp.dims == ("label", "lat", "lon")
    rows = ensemble.values.reshape(-1, 20)
    theirs = KMeans(3, n_init=10, random_state=0).fit(rows)
    assert adjusted_rand_score(fit.labels.values.ravel(), theirs.labels_) == 1
    sizes = fit.report().samples.values
    np.testing.assert_array_equal(sizes, np.sort(np.bincount(theirs.labels_))[::-1])


@pytest.mark.parametrize("dim", [["time", "member"], ("member", "time")])
def test_the_order_of_the_dims_and_the_chunks_change_nothing(ensemble, dim):
    expected = ensemble.cluster.snapshots(BOTH).pca(4).kmeans(3)
    for other in (
        ensemble.chunk(member=1, time=100, lat=3),
        ensemble.transpose("lat", "time", ...),
    ):
        found = other.cluster.snapshots(dim).pca(4).kmeans(3)
        xr.testing.assert_equal(found.labels.compute().transpose(*BOTH), expected.labels)
    assert ensemble.chunk(time=50).cluster.snapshots(dim).kmeans(3).labels.chunks is not None


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_results_are_saved_and_predict_other_members(ensemble, tmp_path, suffix):
    fit = ensemble.cluster.snapshots(BOTH).anomaly("time.month").kmeans(3)
    fit.save(tmp_path / f"a{suffix}")
    for each in (fit, xcluster.open(tmp_path / f"a{suffix}")):
        found = each.predict(ensemble.isel(member=[2, 1]).assign_coords(member=[7, 8]))
        np.testing.assert_array_equal(found, fit.labels.isel(member=[2, 1]))
    again = xcluster.open(tmp_path / f"a{suffix}", data=ensemble)
    xr.testing.assert_equal(again.samples.kmeans(3).labels, fit.labels)
    assert "snapshots(dim=('member', 'time'))" in repr(again)


def test_a_tuple_can_be_the_name_of_one_dim():
    values = np.random.default_rng(0).normal(size=(20, 4))
    da = xr.DataArray(values, dims=(("a", "b"), "x"), name="z")
    assert da.cluster.snapshots(("a", "b")).layout.sample_dims == (("a", "b"),)


@pytest.mark.parametrize(
    ("dim", "message"),
    [
        ([], "at least one dim"),
        (["time", "time"], "each once"),
        (["time", "membre"], "'membre'.*'member'"),
        (["time", ["member"]], "is not a dim"),
        ({"time"}, "is not a dim"),
        (["member", "time", "lat", "lon"], None),
    ],
)
def test_lists_of_dims_that_cannot_be_are_refused(ensemble, dim, message):
    if message is None:
        assert ensemble.cluster.snapshots(dim).layout.n_features == 1
        return
    with pytest.raises((ValueError, TypeError), match=message):
        ensemble.cluster.snapshots(dim)


# ------------------------------------------------------- dims that are not spatial, with a warning


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda da: da, "'member' became features, but it counts members"),
        (lambda da: da.rename(member="realization"), "counts members"),
        (lambda da: da.rename(member="Ensemble_2"), "counts members"),
        (lambda da: da.rename(member="ens"), "counts members"),
        (
            lambda da: da.rename(member="n").assign_coords(
                n=("n", range(3), {"standard_name": "realization"})
            ),
            "counts members",
        ),
        (lambda da: da.rename(member="a").assign_coords(a=["x", "y", "z"]), "holds names"),
        (lambda da: da.rename(member="start").assign_coords(start=TIME[:3]), "holds times"),
        (lambda da: da.rename(member="band"), "is no axis of space"),
        (lambda da: da.rename(member="band").drop_vars("band"), "is no axis of space"),
    ],
)
def test_a_dim_that_is_not_spatial_gives_no_features_without_a_word(ensemble, change, why):
    da = change(ensemble)
    with pytest.warns(UserWarning, match=rf"{why}.*Pass snapshots\(\['.*', 'time'\]\)"):
        da.cluster.snapshots("time")


def test_the_remedies_of_the_warning_need_no_other(ensemble):
    assert ensemble.cluster.snapshots(BOTH).layout.n_features == 20
    assert ensemble.isel(member=0).cluster.snapshots("time").layout.n_features == 20
    assert ensemble.isel(member=[0]).cluster.snapshots("time").layout.n_features == 20


@pytest.mark.parametrize(
    "level",
    [
        xr.DataArray([850.0, 500.0, 200.0], dims="plev", attrs={"units": "hPa"}),
        xr.DataArray([1.0, 2.0, 3.0], dims="own", attrs={"axis": "Z"}),
        xr.DataArray([1.0, 2.0, 3.0], dims="depth"),
    ],
)
def test_heights_and_places_give_features_without_a_warning(ensemble, level):
    dim = level.dims[0]
    da = ensemble.rename(member=dim).assign_coords({dim: level})
    assert da.cluster.snapshots("time").layout.n_features == 60
    plain = da.drop_vars([dim, "lat", "lon"]).rename({dim: "a", "lat": "b"})
    assert plain.cluster.snapshots("time").layout.n_features == 60


# ---------------------------------------------------------------------------------------- anomalies


@pytest.mark.parametrize(("common", "dims"), [(True, ["member", "time"]), (False, "time")])
@pytest.mark.parametrize("chunks", [None, {"member": 2, "time": 100, "lat": 3}])
def test_the_cycle_is_common_to_all_members_or_of_each(ensemble, common, dims, chunks):
    da = ensemble if chunks is None else ensemble.chunk(chunks)
    samples = da.cluster.snapshots(BOTH).anomaly("time.month", common=common)
    found = samples.ready.layout.variables["slp"].array
    assert (found.chunks is None) == (chunks is None)
    np.testing.assert_allclose(found.transpose(*ensemble.dims), cycles(ensemble, dims), atol=1e-12)


def test_cycles_of_each_member_need_the_same_members(ensemble, tmp_path):
    for members in ([10, 20, 30], ["a", "b", "c"]):
        da = ensemble.assign_coords(member=members)
        fit = da.cluster.snapshots(BOTH).anomaly("time.month", common=False).kmeans(3)
        assert "common=False" in repr(fit)
        fit.save(tmp_path / "a.nc")
        for each in (fit, xcluster.open(tmp_path / "a.nc")):
            turned = each.predict(da.isel(member=[2, 0, 1]))
            xr.testing.assert_equal(turned, fit.labels.isel(member=[2, 0, 1]))
            with pytest.raises(
                ValueError, match=r"3 points along 'member', here are 1.*common=True"
            ):
                each.predict(da.isel(member=[0]))
            with pytest.raises(ValueError, match="other values of 'member'"):
                each.predict(da.assign_coords(member=[*members[:2], 2 * members[2]]))


def scenes_of(ensemble):
    return {f"run {n}": ensemble.isel(member=n, drop=True) for n in range(3)}


def test_scenes_have_a_common_cycle_as_members_have(ensemble):
    scenes = scenes_of(ensemble)
    scenes["run 1"] = scenes["run 1"].isel(lat=slice(None, None, -1)).chunk(time=100)
    fit = xcluster.pool(
        scenes, lambda da: da.cluster.snapshots("time").anomaly("time.month").pca(4)
    ).kmeans(3)
    whole = ensemble.cluster.snapshots(BOTH).anomaly("time.month").pca(4).kmeans(3)
    for n, name in enumerate(scenes):
        np.testing.assert_array_equal(fit[name].labels, whole.labels.isel(member=n))
    assert fit["run 2"].predict(scenes["run 0"]).equals(fit["run 0"].labels)
    assert fit.predict(scenes["run 1"]).equals(fit["run 1"].labels)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_scenes_can_have_a_cycle_each_which_is_saved(ensemble, tmp_path, suffix):
    scenes, path = scenes_of(ensemble), tmp_path / f"a{suffix}"
    fit = xcluster.pool(
        scenes, lambda da: da.cluster.snapshots("time").anomaly("time.month", common=False)
    ).kmeans(3)
    whole = ensemble.cluster.snapshots(BOTH).anomaly("time.month", common=False).kmeans(3)
    fit.save(path)
    for each in (fit, xcluster.open(path), xcluster.open(path, data=scenes)):
        for n, (name, scene) in enumerate(scenes.items()):
            np.testing.assert_array_equal(each[name].labels, whole.labels.isel(member=n))
            np.testing.assert_array_equal(each[name].predict(scene), each[name].labels)
        with pytest.raises(ValueError, match=r"another one for each of the scenes.*fit\[scene\]"):
            each.predict(scenes["run 0"])
    regimes = fit.regimes()["run 1"]
    np.testing.assert_allclose(regimes.frequency, whole.regimes(by="member").frequency[1])


def test_scenes_of_members_have_cycles_of_their_own_each(ensemble):
    scenes = {"model": ensemble, "other": 2 * ensemble.isel(member=[0, 1])}
    pooled = xcluster.pool(
        scenes, lambda da: da.cluster.snapshots(BOTH).anomaly("time.month", common=False)
    )
    for layout, scene in zip(pooled.ready.layout.scenes, scenes.values(), strict=True):
        found = layout.variables["slp"].array
        np.testing.assert_allclose(found, cycles(scene, "time"), atol=1e-12)
    by = pooled.kmeans(3).regimes(by="member")
    assert [by[name].sizes["member"] for name in scenes] == [3, 2]


def test_scenes_whose_cycles_differ_are_refused(ensemble):
    asked = {"run 0": "time.month", "run 1": "time.season", "run 2": "time.month"}
    months = iter(asked.values())
    with pytest.raises(ValueError, match=r"anomaly=.*differs from that of scene 'run 0'"):
        xcluster.pool(
            scenes_of(ensemble), lambda da: da.cluster.snapshots("time").anomaly(next(months))
        )
    elsewhere = [ensemble.isel(member=0), ensemble.isel(member=0, lat=slice(2))]
    for common in (True, False):
        pooled = xcluster.pool(
            elsewhere,
            lambda da, common=common: da.cluster.pixels().anomaly("time.month", common=common),
        )
        if common:
            with pytest.raises(ValueError, match=r"another grid.*common=False"):
                pooled.kmeans(2)
        else:
            assert pooled.kmeans(2).k == 2


def test_scenes_whose_cycles_differ_in_an_option_are_told_which(ensemble):
    for ours, theirs, said in [
        ({"common": False}, {}, "'time.month': of scene 'b' with common=False differs"),
        ({"smooth": 3}, {}, "'time.month': of scene 'b' with smooth=3 differs"),
        ({}, {"common": False}, "of scene 'b' differs from that of scene 'a', .*common=False"),
    ]:
        options = iter([theirs, ours])
        with pytest.raises(ValueError, match=said):
            xcluster.pool(
                {"a": ensemble, "b": ensemble},
                lambda da, o=options: da.cluster.snapshots(BOTH).anomaly("time.month", **next(o)),
            )


@pytest.mark.parametrize("chunks", [None, {"time": 50}])
def test_missing_values_of_all_members_and_scenes_are_counted_before_a_cycle(ensemble, chunks):
    held = ensemble.copy(deep=True)
    held[{"member": 0, "time": slice(3, 7), "lat": 1}] = -999
    held[{"member": 1, "time": slice(5, 11), "lat": 2}] = -999
    held = held if chunks is None else held.chunk(chunks)
    marked = held.assign_attrs(missing_value=-999.0)
    with pytest.warns(UserWarning, match="^10 samples hold a number of 'slp'") as caught:
        marked.cluster.snapshots(BOTH).anomaly("time.month").kmeans(2)
    assert len(caught) == 1
    # The scenes may say it differently, and the first one not at all.
    scenes = {"a": held[0], "b": marked[1], "c": marked[0].assign_attrs(nodata=-999)}
    scenes = {name: scene.drop_vars("member") for name, scene in scenes.items()}
    with pytest.warns(UserWarning, match=r"^10 samples.*\(missing_value=-999") as caught:
        xcluster.pool(scenes, lambda da: da.cluster.snapshots("time").anomaly("time.month")).kmeans(
            2
        )
    assert len(caught) == 1
    with pytest.warns(UserWarning, match=r"^30 samples.*\(missing_value=-999"):
        xcluster.pool(
            {name: scene for name, scene in scenes.items() if name != "c"},
            lambda da: da.cluster.pixels(),
        ).kmeans(2)


# ------------------------------------------------------------------------------------------ regimes


def counted(labels, k):
    """Episodes, steps and transitions of each label in one series, counted step by step."""
    episodes, steps, chances = np.zeros(k), np.zeros(k), np.zeros((k, k))
    for place, label in enumerate(labels):
        steps[label] += 1
        episodes[label] += place == 0 or labels[place - 1] != label
        if place:
            chances[labels[place - 1], label] += 1
    return episodes, steps, chances


def test_regimes_are_counted_within_each_member_never_across_a_seam(ensemble):
    fit = ensemble.cluster.snapshots(BOTH).anomaly("time.month").kmeans(3)
    each = [counted(one.values.astype(int), 3) for one in fit.labels.transpose(*BOTH)]
    together, by = fit.regimes(), fit.regimes(by="member")
    episodes, steps, chances = (np.array(part) for part in zip(*each, strict=True))
    for found, axis in ((together, 0), (by, ())):
        n, total = episodes.sum(axis), steps.sum(axis)
        np.testing.assert_array_equal(found.episodes, n)
        np.testing.assert_allclose(found.duration, total / n)
        np.testing.assert_allclose(found.frequency, total / total.sum(-1, keepdims=True))
        count = chances.sum(axis)
        np.testing.assert_allclose(found.transitions, count / count.sum(-1, keepdims=True))
    assert by.transitions.dims == ("member", "label", "next_label")
    assert by.no_regime.dims == ("member",)
    np.testing.assert_array_equal(by.member, ensemble.member)
    xr.testing.assert_equal(together.labels, fit.labels)
    assert fit.plot.transitions() is not None
    plt.close("all")


def test_short_episodes_at_a_seam_do_not_join():
    field = np.eye(2)[[[0, 0, 0, 1], [1, 0, 0, 0]]]
    da = xr.DataArray(field, {"time": TIME[:4]}, ("member", "time", "x"), name="z")
    found = da.cluster.snapshots(BOTH).kmeans(2).regimes(min_duration=2)
    np.testing.assert_array_equal(found.labels, [[0, 0, 0, -1], [-1, 0, 0, 0]])
    assert found.duration[0] == 3


def test_times_in_any_order_and_dims_in_any_order_give_the_same_regimes(ensemble):
    fit = ensemble.cluster.snapshots(BOTH).kmeans(3)
    expected = fit.regimes(min_duration=3, min_similarity=0.2, by="member")
    order = np.random.default_rng(0).permutation(730)
    found = fit.regimes(
        ensemble.isel(time=order).transpose("time", ...),
        min_duration=3,
        min_similarity=0.2,
        by="member",
    )
    xr.testing.assert_equal(found.drop_dims("time"), expected.drop_dims("time"))
    back = found.labels.sortby("time").transpose(*BOTH)
    np.testing.assert_array_equal(back, expected.labels)


def test_composites_are_of_all_members_or_of_each(ensemble):
    fit = ensemble.cluster.snapshots(BOTH).kmeans(3)
    rain, index = ensemble.isel(lat=0, lon=0, drop=True) ** 2, ensemble.isel(member=0).mean("lon")
    further = xr.Dataset({"rain": rain, "index": index.drop_vars("member")})
    together, by = (fit.regimes(composites=further, by=each) for each in (None, ["member"]))
    for label in range(3):
        where = fit.labels == label
        np.testing.assert_allclose(together.rain.sel(label=label), rain.values[where.values].mean())
        chosen = [rain[n].values[where[n].values] for n in range(3)]
        of_each = [each.mean() if len(each) else np.nan for each in chosen]
        np.testing.assert_allclose(by.rain.sel(label=label).transpose("member"), of_each)
    assert set(by["index"].dims) == {"member", "label", "lat"}


@pytest.mark.parametrize("by", ["time", "lat", ["member", "member"], 3, {"member"}])
def test_results_by_what_is_no_dim_of_series_are_refused(ensemble, by):
    fit = ensemble.cluster.snapshots(BOTH).kmeans(2)
    with pytest.raises(ValueError, match=r"by=.*which are"):
        fit.regimes(by=by)


@pytest.mark.parametrize("name", ["episodes", "next_label"])
def test_members_may_not_have_the_name_of_a_result(ensemble, name):
    renamed = ensemble.rename(member=name)
    with pytest.raises(ValueError, match=f"rename\\({name}='own_{name}'\\)"):
        renamed.cluster.snapshots([name, "time"]).kmeans(2).regimes(by=name)


def test_series_need_a_dim_of_time(ensemble):
    fit = ensemble.rename(time="step").drop_vars("step").cluster.snapshots(["member", "step"])
    with pytest.raises(ValueError, match="one dim with dates"):
        fit.kmeans(2).regimes()
    fit = ensemble.drop_vars("time").cluster.snapshots(BOTH).kmeans(2)
    assert fit.regimes().episodes.sum() > 10


# ------------------------------------------------------------------------------------ the real days


@pytest.mark.skipif(not NCEP.exists(), reason="the days are not there")
def test_winters_of_the_atlantic_as_members_are_those_of_a_loop_over_them():
    slp = xr.open_dataset(NCEP).slp.load()
    winters = [
        slp.sel(time=slice(f"{year}-12-01", f"{year + 1}-02-28")) for year in range(2001, 2010)
    ]
    time = winters[0].time.values
    members = xr.concat([each.assign_coords(time=time) for each in winters], "member")
    fit = (
        members.cluster.snapshots(BOTH).anomaly("time.dayofyear").weights("area").pca(10).kmeans(4)
    )
    values = members - members.mean("member")
    rows = (values * np.sqrt(np.cos(np.deg2rad(slp.lat)))).values.reshape(-1, 17 * 33)
    scores = PCA(10, random_state=0).fit_transform(rows)
    theirs = KMeans(4, n_init=10, random_state=0).fit(scores)
    found = fit.labels.transpose(*BOTH).values.ravel()
    apart = [scores[found == n] - scores[found == n].mean(axis=0) for n in range(4)]
    assert sum((each**2).sum() for each in apart) < 1.0005 * theirs.inertia_
    by, together = fit.regimes(by="member"), fit.regimes()
    each = [counted(one.values.astype(int), 4) for one in fit.labels.transpose(*BOTH)]
    for found, (episodes, steps, _) in zip(by.episodes.values, each, strict=True):
        np.testing.assert_array_equal(found, episodes)
        assert steps.sum() == 90
    np.testing.assert_array_equal(together.episodes, by.episodes.sum("member"))
    loop = [fit.predict(members.isel(member=[n])) for n in range(9)]
    xr.testing.assert_equal(xr.concat(loop, "member"), fit.labels)
