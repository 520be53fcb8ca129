"""Chains that read counts: the same in any chunks, streamed, saved, and with nothing in a pixel."""

import dask
import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_rand_score

import xcluster
from xcluster.fit import fitting

SHAPE = (180, 160)
STEPS = {
    "nmf": lambda s: s.nmf(3, loss="poisson"),
    "pca": lambda s: s.pca(3, noise="poisson"),
}


def scene(mean=6.0, seed=0):
    """Return a map of counts, of which some pixels and one channel are empty."""
    rng = np.random.default_rng(seed)
    spectra = rng.dirichlet(np.full(24, 0.5), 3)
    spectra[:, 4] = 0
    phase = rng.integers(0, 3, SHAPE)
    counts = rng.poisson(mean * spectra[phase])
    counts[:3, :50] = 0
    axis = np.arange(24.0)
    coords = {"y": np.arange(180.0), "x": np.arange(160.0), "energy": axis}
    arrays = {
        "counts": (("y", "x", "energy"), counts.astype(np.uint16)),
        "phase": (("y", "x"), phase),
    }
    return xr.Dataset(arrays, coords)


def asked(ds, name):
    return STEPS[name](ds[["counts"]].cluster.profiles("energy"))


def arrangements(ds):
    yield ds.chunk(y=37, x=160, energy=24)
    yield ds.chunk(y=(1, 100, 79), x=53, energy=-1)
    yield ds.transpose("energy", "x", "y").chunk(x=80, y=90)
    yield ds.isel(y=slice(None, None, -1)).chunk(y=61)


def learned(step):
    return {name: value for name, value in vars(step).items() if name[-1] == "_"}


def assert_same(fit, expected):
    assert fit.record == expected.record
    for name, value in learned(expected.model[0]).items():
        np.testing.assert_array_equal(learned(fit.model[0])[name], value, err_msg=name)
    labels = fit.labels.compute().transpose("y", "x").sortby("y")
    xr.testing.assert_equal(labels, expected.labels.compute())


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("name", STEPS)
def test_bits_are_the_same_in_any_chunks(name, streams, monkeypatch):
    if streams:
        monkeypatch.setattr(fitting, "ALL_POINTS", 1_000)
        monkeypatch.setattr(fitting, "SAMPLE_ROWS", 3_000)
    ds = scene()
    expected = asked(ds, name).kmeans(3, n_init=1, fit_on="all", progress=False)
    assert expected.record.fit_on == ("all rows, streamed" if streams else "all rows")
    assert expected.record.sampled == ()
    for arranged in arrangements(ds):
        fit = asked(arranged, name).kmeans(3, n_init=1, fit_on="all", progress=False)
        assert_same(fit, expected)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("streams", [False, True])
def test_pixels_without_counts_are_no_data_and_counted_in_the_report(name, streams, monkeypatch):
    if streams:
        monkeypatch.setattr(fitting, "ALL_POINTS", 1_000)
        monkeypatch.setattr(fitting, "SAMPLE_ROWS", 3_000)
    ds = scene()
    empty = ds.counts.sum("energy") == 0
    n = int(empty.sum())
    assert n > 150
    fit = asked(ds, name).kmeans(3, n_init=1, fit_on="all", progress=False)
    xr.testing.assert_equal(
        fit.labels.isnull(), empty.drop_vars(["y", "x"]).assign_coords(fit.labels.coords)
    )
    assert (fit.record.fitted, fit.record.empty) == (28_800 - n, n)
    assert f"{n} of 28,800 samples without counts" in fit.report().attrs["notes"]
    assert fit.report().samples.sum() == 28_800 - n


@pytest.mark.parametrize("name", STEPS)
def test_channels_without_counts_have_no_loading(name):
    loadings = asked(scene(), name).loadings().counts
    assert (loadings.isel(energy=4) == 0).all()
    assert (loadings != 0).any("component").sum() == 23


@pytest.mark.parametrize("name", STEPS)
def test_a_result_is_saved_opened_and_predicts(name, tmp_path):
    ds = scene()
    fit = asked(ds, name).kmeans(3, n_init=1, progress=False)
    fit.save(tmp_path / "fit.nc")
    opened = xcluster.open(tmp_path / "fit.nc")
    assert opened.record == fit.record
    xr.testing.assert_equal(opened.labels, fit.labels)
    xr.testing.assert_equal(opened.predict(ds).compute(), fit.labels)


@pytest.mark.parametrize("name", STEPS)
def test_no_scaling_is_added_before_a_step_that_reads_counts(name):
    ds = scene()
    two = ds[["counts"]].assign(more=ds.counts * 2)
    reduced = STEPS[name](two.cluster.profiles("energy"))
    assert "assumed" not in repr(reduced)
    assert reduced.transform().notnull().any()


@pytest.mark.parametrize("name", STEPS)
def test_weights_count(name):
    ds = scene()
    weight = (ds.phase == 0) * 10.0 + 1
    plain = asked(ds, name).loadings().counts
    weighted = STEPS[name](ds[["counts"]].cluster.profiles("energy").weights(weight))
    assert abs(weighted.loadings().counts - plain).max() > 1e-3
    assert weighted.kmeans(2, n_init=1, progress=False).record.unweighted == ()


@pytest.mark.parametrize("name", STEPS)
def test_nothing_is_read_before_the_fit_and_features_stay_lazy(name):
    ds = scene().chunk(y=60)
    samples = asked(ds, name)
    assert dask.is_dask_collection(samples.transform().data)
    assert dask.is_dask_collection(samples.kmeans(2, n_init=1, progress=False).labels.data)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize(("value", "kind"), [(-1.0, "negative"), (1.5, "fractional")])
def test_what_is_no_count_is_refused_while_streaming_too(name, value, kind, monkeypatch):
    ds = scene().astype(float)
    ds.counts[100, 100, 3] = value
    with pytest.raises(ValueError, match=f"poisson'.*{kind} values in 'counts 3.0'"):
        asked(ds, name).kmeans(2, progress=False)
    monkeypatch.setattr(fitting, "ALL_POINTS", 1_000)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 10)
    with pytest.raises(ValueError, match=f"poisson'.*{kind} values in 'counts 3.0'"):
        asked(ds, name).kmeans(2, n_init=1, fit_on="all", progress=False)


@pytest.mark.parametrize("name", STEPS)
def test_pixels_without_counts_stay_no_data_behind_further_steps(name):
    ds = scene().chunk(y=2)  # blocks with no counts at all among them
    ds["counts"] = ds.counts.where(ds.y > 3, 0).astype(np.uint16)
    fit = asked(ds, name).scale("standard").kmeans(3, n_init=1, progress=False)
    empty = (ds.counts.sum("energy") == 0).values
    np.testing.assert_array_equal(fit.labels.isnull().values, empty)


def test_reconstruction_leaves_out_pixels_without_counts():
    found = asked(scene(mean=300.0), "nmf").reconstruction()
    assert found.total > 0.9


def mixed(ds, **keywords):
    samples = ds[["counts"]].cluster.profiles("energy")
    return samples.mixture(3, n_init=2, fit_on="all", progress=False, **keywords)


@pytest.mark.parametrize("streams", [False, True])
def test_a_mixture_is_the_same_in_any_chunks_and_comes_back_from_a_file(
    streams, monkeypatch, tmp_path
):
    if streams:
        monkeypatch.setattr(fitting, "ALL_POINTS", 1_000)
        monkeypatch.setattr(fitting, "SAMPLE_ROWS", 3_000)
    ds = scene()
    expected = mixed(ds)
    for arranged in arrangements(ds):
        fit = mixed(arranged)
        assert_same(fit, expected)
        for name in ("weights_", "means_", "lower_bound_"):
            found, other = (getattr(each.model[-1], name) for each in (fit, expected))
            np.testing.assert_array_equal(found, other)
    expected.save(tmp_path / "fit.nc")
    opened = xcluster.open(tmp_path / "fit.nc")
    xr.testing.assert_equal(opened.predict(ds).compute(), expected.labels)
    assert opened.method == expected.method


@pytest.mark.parametrize("streams", [False, True])
def test_a_mixture_leaves_out_pixels_without_counts(streams, monkeypatch):
    if streams:
        monkeypatch.setattr(fitting, "ALL_POINTS", 1_000)
        monkeypatch.setattr(fitting, "SAMPLE_ROWS", 3_000)
    ds = scene()
    empty = (ds.counts.sum("energy") == 0).values
    fit = mixed(ds)
    np.testing.assert_array_equal(fit.labels.isnull().values, empty)
    assert (fit.record.fitted, fit.record.empty) == (28_800 - empty.sum(), empty.sum())
    np.testing.assert_allclose(fit.memberships.sum("label").values[~empty], 1, rtol=1e-5)


def test_bic_finds_the_number_of_phases_and_labels_agree_with_them():
    ds = scene(mean=20.0)
    fit = ds[["counts"]].cluster.profiles("energy").mixture([2, 3, 4], n_init=2, progress=False)
    assert fit.k == 3
    some = fit.labels.notnull().values
    assert adjusted_rand_score(ds.phase.values[some], fit.labels.values[some]) > 0.9
    counts = ds.counts.where(fit.labels == 0).mean(("y", "x"))
    weighted = fit.centers.counts.sel(label=0)
    np.testing.assert_allclose(weighted, counts, atol=0.2)


def test_no_scaling_is_added_before_a_mixture():
    ds = scene()
    two = ds[["counts"]].assign(more=ds.counts * 2)
    fit = two.cluster.profiles("energy").mixture(2, n_init=1, progress=False)
    assert "assumed" not in repr(fit)
    assert "counts()" in repr(fit)


def test_a_mixture_refuses_what_is_no_count():
    ds = scene().astype(float)
    ds.counts[100, 100, 3] = 1.5
    with pytest.raises(ValueError, match=r"family='poisson'.*fractional values in 'counts 3.0'"):
        mixed(ds)
    with pytest.raises(ValueError, match="family='binomial'"):
        mixed(scene(), family="binomial")


def test_deviance_compares_labels_of_counts_however_they_were_found():
    ds = scene().isel(y=slice(60))
    samples = ds[["counts"]].cluster.profiles("energy")
    sweep = samples.sweep([2, 3], "mixture", criteria=["deviance", "bic"], n_init=1, progress=False)
    fit = samples.mixture(3, n_init=1, progress=False)
    own, other = fit.scores().deviance, fit.scores("data").deviance
    # Spectra without counts are no samples; in the data, they have no label either.
    assert float(own) == pytest.approx(float(other), rel=1e-9)
    assert float(sweep.table.deviance[0]) > float(sweep.table.deviance[1])
    worse = samples.pca(2).kmeans(2, n_init=1, progress=False)
    assert "deviance" not in worse.scores()
    assert float(worse.scores("data").deviance) > float(own)
    assert "deviance" not in (ds.counts + 0.5).cluster.profiles("energy").kmeans(2).scores("data")
