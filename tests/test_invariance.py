"""Same data, same labels: whatever the chunks, order of dims, direction of axes, threads."""

import functools
import warnings

import dask
import numpy as np
import pytest
import xarray as xr
import xarray.testing.strategies as xrst
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.cluster import KMeans

import xcluster
from xcluster.base import parallel

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


# ------------------------------------------------------------------------------ every method

METHODS = {
    "kmeans": lambda ds: ds.cluster.pixels().kmeans(4, n_init=3),
    "trimmed": lambda ds: ds.cluster.pixels().kmeans(4, trim=0.02, n_init=3),
    "knee": lambda ds: ds.cluster.pixels().kmeans(range(2, 6), n_init=2),
    "minmax": lambda ds: ds.cluster.pixels().scale("minmax").kmeans(4, n_init=3),
    "robust": lambda ds: ds.cluster.pixels().scale("robust").kmeans(4, n_init=3),
    "gmm": lambda ds: ds.cluster.pixels().pca(2).gmm(3),
    "gmm outliers": lambda ds: ds.cluster.pixels().pca(2).gmm(3, outliers=True, n_init=2),
    "ward": lambda ds: ds.cluster.pixels().hac(5),
    "average": lambda ds: ds.cluster.pixels().hac(5, linkage="average"),
    "fuzzy": lambda ds: ds.cluster.pixels().fuzzy(4),
    "gustafson-kessel": lambda ds: ds.cluster.pixels().fuzzy(4, shape="gustafson-kessel"),
    "possibilistic": lambda ds: ds.cluster.pixels().fuzzy(3, kind="possibilistic"),
    "fuzzy noise": lambda ds: ds.cluster.pixels().fuzzy(3, kind="noise"),
    "som": lambda ds: ds.cluster.pixels().som((3, 3)),
    "online som": lambda ds: ds.cluster.pixels().som((3, 3), training="online", n_iter=5_000),
    "dbscan": lambda ds: ds.cluster.pixels().dbscan(eps=0.4),
    "hdbscan": lambda ds: ds.cluster.pixels().hdbscan(min_cluster_size=5, min_samples=4),
    "scikit-learn": lambda ds: ds.cluster.pixels().fit(KMeans(4, n_init=3, random_state=0)),
    "dtw": lambda ds: series(ds).cluster.profiles("month").kmeans(3, metric="dtw", n_init=1),
}


def series(ds):
    """Three values a pixel as one short profile."""
    parts = [ds[name] / ds[name].std() for name in ("sst", "wind_speed", "sea_level_pressure")]
    months = xr.Variable("month", np.arange(3.0))
    return xr.concat(parts, months, coords="minimal", compat="override").to_dataset(name="sst")


def shuffled(seed):
    rng = np.random.default_rng(seed)
    return OCEAN.isel({dim: rng.permutation(OCEAN.sizes[dim]) for dim in DIMS})


def with_columns_of_nan(seed):
    """Empty columns between the others, at longitudes of their own."""
    chosen = np.random.default_rng(seed).choice(OCEAN.longitude[:-1], 4, replace=False)
    return OCEAN.reindex(longitude=np.sort([*OCEAN.longitude.values, *(chosen + 1)]))


def transposed_and_chunked(**chunks):
    return OCEAN.transpose(*DIMS[::-1]).chunk(chunks)


CHANGES = {
    "shuffled": [shuffled(seed) for seed in (0, 1)],
    "columns of NaN": [with_columns_of_nan(seed) for seed in (0, 1)],
    "float64": [OCEAN.astype("float64")],
    "float32": [OCEAN.astype("float32")],
    "transposed and chunked": [  # of the first, the last block of each latitude is one sample
        transposed_and_chunked(latitude=1, longitude=5),
        transposed_and_chunked(latitude=17, longitude=9),
    ],
    "descending": [OCEAN.isel(dict.fromkeys(DIMS, slice(None, None, -1)))],
}
ROUNDED = {"float64", "float32"}


@functools.cache
def expected(method):
    return METHODS[method](OCEAN)


def share_of_equal_labels(ours, theirs):
    """Over the samples of the second, none of which may be missing in the first."""
    labels = ours.labels.transpose(*theirs.labels.dims)
    labels = labels.sel({dim: theirs.labels[dim] for dim in DIMS}).values
    counts = theirs.labels.notnull().values
    np.testing.assert_array_equal(np.isnan(labels), ~counts)
    return (labels == theirs.labels.values)[counts].mean()


@pytest.mark.filterwarnings("ignore:.* coincide:UserWarning")  # possibilistic centres may
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_the_labels_of_the_same_data(method, change):
    for ds in CHANGES[change]:
        equal = share_of_equal_labels(METHODS[method](ds), expected(method))
        assert equal >= 0.999 if change in ROUNDED else equal == 1


UNSCALED = {
    "kmeans": lambda ds: ds.cluster.pixels().scale(None).kmeans(4, n_init=3),
    "gmm": lambda ds: ds.cluster.pixels().scale(None).gmm(3),
    "ward": lambda ds: ds.cluster.pixels().scale(None).hac(5),
    "fuzzy": lambda ds: ds.cluster.pixels().scale(None).fuzzy(4),
    "som": lambda ds: ds.cluster.pixels().scale(None).som((3, 3)),
    "pca": lambda ds: ds.cluster.pixels().scale(None).pca(2).kmeans(4, n_init=3),
}


@pytest.mark.parametrize("method", UNSCALED)
@settings(QUICK, max_examples=5)
@given(offset=st.floats(-300, 300))
def test_a_constant_added_to_all_values_does_not_matter(method, offset):
    ds = OCEAN.astype("float64")
    fit = UNSCALED[method](ds + offset)
    assert share_of_equal_labels(fit, UNSCALED[method](ds)) >= 0.999


@pytest.mark.parametrize("over", ["feature", "variable", "all"])
@settings(QUICK, max_examples=5)
@given(scale=st.floats(1e-6, 1e6))
def test_the_unit_of_all_variables_does_not_matter_once_they_are_standardised(over, scale):
    ds = OCEAN.astype("float64")
    ask = QUESTIONS_SCALED[over]
    assert share_of_equal_labels(ask(ds * scale), ask(ds)) >= 0.999


QUESTIONS_SCALED = {
    over: lambda ds, over=over: ds.cluster.pixels().scale("standard", over=over).kmeans(3, n_init=3)
    for over in ("feature", "variable", "all")
}


@pytest.mark.parametrize("over", ["feature", "all"])
def test_a_dataset_and_its_dataarray_are_the_same_pixels(over):
    array = OCEAN.to_dataarray("quantity")
    ours = array.cluster.pixels(dim="quantity").scale("standard", over=over).kmeans(4, n_init=3)
    theirs = OCEAN.cluster.pixels().scale("standard", over=over).kmeans(4, n_init=3)
    assert_same_labels(ours, theirs)


@settings(QUICK, max_examples=40)
@given(
    variable=xrst.variables(
        array_strategy_fn=lambda shape, dtype: npst.arrays(
            dtype, shape, elements=npst.from_dtype(dtype, min_value=-1e3, max_value=1e3)
        ),
        dims=xrst.dimension_sizes(min_dims=2, max_dims=3, min_side=2, max_side=6),
        dtype=st.sampled_from([np.dtype("float32"), np.dtype("float64")]),
        attrs=st.just({}),
    ),
    order=st.randoms(use_true_random=False),
)
def test_whatever_the_names_sizes_and_values_labels_follow_the_samples(variable, order):
    array = xr.DataArray(variable)
    feature, *samples = array.dims
    whole = array.notnull().all(feature)
    values = array.where(whole, drop=False).stack(sample=samples).dropna("sample")
    different = len(np.unique(values.values, axis=values.get_axis_num("sample")).T)
    reserved = {"label", "cluster"} & set(map(str, array.dims))
    if reserved or different < 2 or not whole.any():
        return
    fit = array.cluster.pixels(dim=feature).kmeans(2, n_init=1)
    assert fit.labels.dims == tuple(samples)
    xr.testing.assert_equal(fit.labels.notnull().drop_vars(fit.labels.coords), whole)
    moved = array.transpose(*order.sample(array.dims, array.ndim))
    again = moved.cluster.pixels(dim=feature).kmeans(2, n_init=1)
    xr.testing.assert_equal(again.labels.transpose(*samples), fit.labels)


# ----------------------------------------------------------------------------------- threads


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("question", QUESTIONS)
def test_the_number_of_threads_does_not_matter(monkeypatch, threads, question):
    monkeypatch.setattr(parallel, "n_threads", lambda: threads)
    monkeypatch.setattr("xcluster.blocks.matrix.BLOCK_ROWS", 37)
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
