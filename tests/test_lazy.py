"""Lazy in, lazy out: computes are counted, chunks are kept, and labels are those of eager data."""

import warnings

import numpy as np
import pytest
import xarray as xr

import xcluster  # noqa: F401  (registers the accessor)

CHUNKS = {"latitude": 7, "longitude": 13}


@pytest.fixture
def chunked(ocean):
    return ocean.chunk(CHUNKS)


@pytest.fixture
def deep(profiles):
    return profiles.chunk(latitude=5, longitude=20, depth=6)


QUESTIONS = {
    "pixels": lambda ds: ds.cluster.pixels(),
    "mask": lambda ds: ds.cluster.pixels().where(ds.sst > 10),
    "weights": lambda ds: ds.cluster.pixels().weights(ds.wind_speed.fillna(0)),
    "area": lambda ds: ds.cluster.pixels().weights("area"),
    "steps": lambda ds: ds.cluster.pixels().scale("robust").pca(3).scale("minmax"),
    "nmf": lambda ds: ds.cluster.pixels(["wind_speed", "specific_humidity"]).nmf(2),
    "gaps": lambda ds: ds.cluster.pixels(["sst", "wind_speed"], missing="keep"),
    "counts": lambda ds: np.ceil(abs(ds)).cluster.pixels().pca(2, noise="poisson"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_building_samples_and_showing_them_computes_nothing(chunked, computes, question):
    samples = QUESTIONS[question](chunked)
    assert repr(samples)
    assert samples._repr_html_()
    assert computes() == 0


def test_building_profiles_of_every_kind_computes_nothing(deep, computes):
    samples = deep.cluster.profiles(
        "depth", between=(0, 500), step=25, every=2, missing="interpolate"
    )
    assert repr(samples.pca(2))
    assert computes() == 0


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_fit_that_gathers_its_rows_computes_once(chunked, computes, question):
    QUESTIONS[question](chunked).kmeans(4)
    assert computes() == 1


@pytest.mark.parametrize("method", ["kmeans", "gmm"])
def test_the_choice_of_k_computes_once(chunked, computes, method):
    chunked.cluster.pixels().sweep(range(2, 5), method)
    assert computes() == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # there may be no knee
        getattr(chunked.cluster.pixels(["sst", "wind_speed"]), method)(range(2, 6))
    assert computes() == 2


def test_a_sampled_fit_computes_once(chunked, computes):
    fit = chunked.cluster.pixels().kmeans(4, fit_on=200)
    assert fit.record.fitted == 200
    assert computes() == 1


def test_results_stay_lazy_until_they_are_asked_for(chunked, computes):
    fit = chunked.cluster.pixels().pca(3).gmm(3)
    before = computes()
    lazy = [
        fit.labels,
        fit.memberships,
        fit.distances,
        fit.features,
        fit.members(1).sst,
        fit.threshold(0.9).labels,
        fit.merge([[0, 1]]).labels,
        fit.relabel(["a", "b", "c"]).labels,
        fit.predict(chunked),
        fit.predict(chunked, memberships=True).memberships,
        fit.to_dataset().labels,
    ]
    assert repr(fit)
    assert fit._repr_html_()
    assert fit.centers.sst.shape == (3,)
    assert computes() == before
    assert all(array.chunks is not None for array in lazy)


def test_a_report_computes_once(chunked, computes):
    fit = chunked.cluster.pixels().pca(3).gmm(3)
    before = computes()
    fit.report()
    assert computes() == before + 1


@pytest.mark.parametrize("name", ["labels", "memberships", "distances", "features"])
def test_results_keep_the_chunks_of_the_data(chunked, name):
    result = getattr(chunked.cluster.pixels().pca(2).gmm(3), name)
    kept = dict(zip(result.dims, result.chunks, strict=True))
    assert kept["latitude"] == chunked.chunks["latitude"]
    assert kept["longitude"] == chunked.chunks["longitude"]


def test_predictions_keep_the_chunks_of_the_new_data(ocean):
    fit = ocean.cluster.pixels().kmeans(3)
    new = ocean.chunk(latitude=11)
    assert fit.predict(new).chunks == new.sst.chunks
    assert fit.predict(ocean).chunks is None


def test_each_block_is_one_task_a_pass(chunked):
    labels = chunked.cluster.pixels().kmeans(3).labels
    n_blocks = labels.data.npartitions
    # One task a block for labels, and what dask needs to bring in each variable.
    graph = labels.data.__dask_graph__()
    own = [layer for name, layer in graph.layers.items() if name.startswith("xcluster-labels")]
    assert sum(len(layer) for layer in own) == n_blocks


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("method", ["kmeans", "gmm"])
def test_chunked_data_give_the_eager_labels(ocean, chunked, question, method):
    ask = QUESTIONS[question]
    eager = getattr(ask(ocean), method)(4)
    lazy = getattr(ask(chunked), method)(4)
    np.testing.assert_array_equal(lazy.labels, eager.labels)
    xr.testing.assert_identical(lazy.centers, eager.centers)


def test_chunked_data_give_the_eager_sample(ocean, chunked):
    eager = ocean.cluster.pixels().kmeans(4, fit_on=300)
    lazy = chunked.cluster.pixels().kmeans(4, fit_on=300)
    xr.testing.assert_identical(lazy.labels.compute(), eager.labels)


def test_chunked_profiles_give_the_eager_memberships(profiles, deep):
    def ask(ds):
        return ds.cluster.profiles("depth", between=(0, 1000), step=50, missing=0.5).pca(3).gmm(4)

    xr.testing.assert_identical(ask(deep).memberships.compute(), ask(profiles).memberships)


def test_predictions_of_lazy_and_eager_data_are_equal(ocean, chunked):
    fit = ocean.cluster.pixels().pca(3).gmm(3)
    eager, lazy = (fit.predict(data, memberships=True) for data in (ocean, chunked))
    xr.testing.assert_identical(lazy.compute(), eager)
    xr.testing.assert_identical(eager.labels.rename("label"), fit.labels)
    xr.testing.assert_identical(eager.memberships, fit.memberships)


def test_only_some_variables_may_be_lazy(ocean):
    mixed = ocean.assign(sst=ocean.sst.chunk(CHUNKS))
    labels = mixed.cluster.pixels().kmeans(3).labels
    assert labels.chunks is not None
    np.testing.assert_array_equal(labels, ocean.cluster.pixels().kmeans(3).labels)


def test_group_means_of_lazy_data_are_those_of_eager_data(ocean, chunked):
    eager = ocean.cluster.pixels(["sst", "wind_speed"]).scale("norm").kmeans(3)
    lazy = chunked.cluster.pixels(["sst", "wind_speed"]).scale("norm").kmeans(3)
    xr.testing.assert_allclose(lazy.centers, eager.centers, rtol=1e-10)
