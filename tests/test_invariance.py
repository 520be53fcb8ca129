"""Same data, same labels: whatever the chunks, order of dims, direction of axes, threads."""

import warnings

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import xcluster
from xcluster import parallel

QUICK = settings(max_examples=15, deadline=None, derandomize=True)
DIMS = ("latitude", "longitude")
CENTERS = {"rtol": 1e-6, "atol": 1e-6}


def small_ocean():
    ds = xcluster.datasets.ocean()[["sst", "wind_speed", "sea_level_pressure"]]
    return ds.isel(latitude=slice(10, 80, 4), longitude=slice(0, 180, 7))


def small_profiles():
    ds = xcluster.datasets.ocean_profiles()
    return ds.isel(latitude=slice(5, 85, 5), longitude=slice(0, 180, 9))


OCEAN, PROFILES = small_ocean(), small_profiles()
QUESTIONS = {
    "kmeans": lambda ds: ds.cluster.pixels().kmeans(4, n_init=3),
    "gmm": lambda ds: ds.cluster.pixels().pca(2).gmm(3),
    "area": lambda ds: ds.cluster.pixels().weights("area").kmeans(4, n_init=3),
    "sample": lambda ds: ds.cluster.pixels().kmeans(3, n_init=3, fit_on=60),
}
EXPECTED = {name: ask(OCEAN) for name, ask in QUESTIONS.items()}


def ask_profiles(ds):
    return ds.cluster.profiles("depth", between=(0, 800), step=40, missing=0.6).kmeans(4, n_init=3)


EXPECTED_DEEP = ask_profiles(PROFILES)


def chunks_of(sizes):
    """Any way to cut each dim."""
    return st.fixed_dictionaries(
        {dim: st.integers(size // 5 + 1, size) for dim, size in sizes.items()}
    )


def cut(ds, chunks):
    with dask.config.set({"array.slicing.split_large_chunks": False}):
        return ds.chunk(chunks)


def assert_same_labels(ours, expected):
    """Equal label for label once brought to one order of dims and one direction."""
    labels = ours.labels.transpose(*expected.labels.dims)
    labels = labels.sel({dim: expected.labels[dim] for dim in labels.dims})
    np.testing.assert_array_equal(labels, expected.labels)


@pytest.mark.parametrize("question", QUESTIONS)
@QUICK
@given(chunks=chunks_of({dim: OCEAN.sizes[dim] for dim in DIMS}))
def test_any_chunks_give_the_eager_labels(question, chunks):
    with dask.config.set(scheduler="synchronous"):
        assert_same_labels(QUESTIONS[question](cut(OCEAN, chunks)), EXPECTED[question])


@QUICK
@given(chunks=chunks_of(dict(PROFILES.sizes)))
def test_any_chunks_of_profiles_give_the_eager_labels(chunks):
    with dask.config.set(scheduler="synchronous"):
        assert_same_labels(ask_profiles(cut(PROFILES, chunks)), EXPECTED_DEEP)


directions = st.fixed_dictionaries(dict.fromkeys(DIMS, st.sampled_from([1, -1])))


@pytest.mark.parametrize("question", QUESTIONS)
@QUICK
@given(order=st.permutations(DIMS), direction=directions)
def test_any_order_and_direction_gives_the_same_labels(question, order, direction):
    ds = OCEAN.transpose(*order).isel({d: slice(None, None, s) for d, s in direction.items()})
    fit = QUESTIONS[question](ds)
    assert fit.labels.dims == tuple(order)
    assert_same_labels(fit, EXPECTED[question])
    xr.testing.assert_allclose(fit.centers, EXPECTED[question].centers, **CENTERS)


@QUICK
@given(
    order=st.permutations(["depth", *DIMS]),
    direction=st.fixed_dictionaries(dict.fromkeys(["depth", *DIMS], st.sampled_from([1, -1]))),
    chunked=st.booleans(),
)
def test_profiles_do_not_depend_on_the_direction_of_any_axis(order, direction, chunked):
    ds = PROFILES.transpose(*order).isel({d: slice(None, None, s) for d, s in direction.items()})
    assert_same_labels(ask_profiles(ds.chunk(latitude=5) if chunked else ds), EXPECTED_DEEP)


@QUICK
@given(shift=st.sampled_from([None, 0, 360, -360]), roll=st.integers(0, 25))
def test_longitudes_may_start_anywhere(shift, roll):
    named = OCEAN.longitude % 360 if shift is None else OCEAN.longitude + shift
    ds = OCEAN.assign_coords(longitude=named.assign_attrs(OCEAN.longitude.attrs))
    rolled = ds.roll(longitude=roll, roll_coords=True)
    for question in ("kmeans", "sample"):
        labels = QUESTIONS[question](rolled).labels.roll(longitude=-roll)
        np.testing.assert_array_equal(labels.values, EXPECTED[question].labels.values)


@QUICK
@given(seed=st.integers(0, 1000), k=st.integers(1, 6))
def test_the_same_seed_gives_the_same_labels_twice(seed, k):
    ours, theirs = (OCEAN.cluster.pixels(random_state=seed).kmeans(k, n_init=2) for _ in range(2))
    xr.testing.assert_identical(ours.labels, theirs.labels)
    xr.testing.assert_identical(ours.centers, theirs.centers)


@QUICK
@given(scale=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_units_do_not_matter_once_features_are_standardised(scale, offset):
    ds = OCEAN.astype("float64")
    ours = (ds * scale + offset).cluster.pixels().scale("standard").kmeans(3, n_init=3)
    theirs = ds.cluster.pixels().scale("standard").kmeans(3, n_init=3)
    assert (ours.labels == theirs.labels).sum() >= theirs.labels.notnull().sum() - 1


# ----------------------------------------------------------------------------------- threads


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("question", QUESTIONS)
def test_the_number_of_threads_does_not_matter(monkeypatch, threads, question):
    monkeypatch.setattr(parallel, "n_threads", lambda: threads)
    monkeypatch.setattr("xcluster.matrix.BLOCK_ROWS", 37)
    fit = QUESTIONS[question](OCEAN)
    assert_same_labels(fit, EXPECTED[question])
    xr.testing.assert_identical(fit.centers, EXPECTED[question].centers)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_the_scheduler_does_not_matter(scheduler):
    with dask.config.set(scheduler=scheduler):
        fit = QUESTIONS["kmeans"](OCEAN.chunk(latitude=4))
        assert_same_labels(fit, EXPECTED["kmeans"])


# ------------------------------------------------------------------- the user's objects stay


def everything(ds):
    """Use a result in every way that takes the data."""
    fit = ds.cluster.pixels().where(ds.sst > 0).weights("area").pca(2).gmm(3, order="sst")
    fit = fit.relabel(["a", "b", "c"]).threshold(0.5)
    fit.labels, fit.memberships, fit.distances, fit.features, fit.centers  # noqa: B018
    fit.report(), fit.to_dataframe(), fit.to_dataset(), fit.members("a"), fit.predict(ds)
    repr(fit), fit._repr_html_()
    fit.labels[:] = 3
    fit.labels.attrs["units"] = "changed"
    fit.centers["sst"][:] = 0
    fit.labels.latitude.attrs["units"] = "changed"
    fit.members("b").sst.attrs["units"] = "changed"
    fit.members("b").sst[:] = 0


@pytest.mark.parametrize("chunks", [None, {"latitude": 5}])
def test_nothing_is_ever_written_to_the_users_objects(chunks):
    ds = OCEAN.copy(deep=True) if chunks is None else OCEAN.copy(deep=True).chunk(chunks)
    ds.encoding["source"] = "here"
    ds.sst.encoding["dtype"] = "int16"
    before = ds.copy(deep=True)
    encodings = {name: dict(variable.encoding) for name, variable in ds.variables.items()}
    everything(ds)
    xr.testing.assert_identical(ds, before)
    assert {name: dict(variable.encoding) for name, variable in ds.variables.items()} == encodings
    assert chunks is None or ds.chunks == before.chunks


def test_no_option_of_xarray_numpy_or_dask_is_changed():
    before = (np.geterr(), xr.get_options(), list(warnings.filters), dict(dask.config.config))
    everything(OCEAN.copy(deep=True))
    after = (np.geterr(), xr.get_options(), list(warnings.filters), dict(dask.config.config))
    assert after == before
