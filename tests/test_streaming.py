"""Data larger than memory: passes, tasks, chunks and faults."""

import pickle
import threading
import time
from collections import Counter
from dataclasses import replace
from functools import partial

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from dask.delayed import delayed
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import xcluster
from xcluster.chain.anomaly import Climatology
from xcluster.fit import fitting
from xcluster.fit.sources import Live

SHAPE = (60, 80)
NAMES = ("a", "b", "c")
CENTERS = np.array([[0.0, 0, 0], [6, 0, 3], [0, 6, -3], [6, 6, 6]])


@pytest.fixture
def _large(monkeypatch):
    """Let small grids count as too large to gather."""
    monkeypatch.setattr(fitting, "ALL_POINTS", 1_000)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 600)


def scene(shape=SHAPE, gaps=True):
    rng = np.random.default_rng(3)
    own = (np.arange(shape[0])[:, None] // 20 + np.arange(shape[1])[None] // 30) % 4
    values = CENTERS[own] + rng.normal(size=(*shape, 3))
    values = values.astype(np.float32)
    if gaps:
        values[rng.random(shape) < 0.1, 0] = np.nan
    coords = {"y": np.arange(shape[0]) * 10.0, "x": np.arange(shape[1]) * 10.0}
    arrays = {name: (("y", "x"), values[..., i]) for i, name in enumerate(NAMES)}
    return xr.Dataset(arrays, coords)


def rows_of(ds):
    X = ds.to_array().values.reshape(len(ds.data_vars), -1).T
    return X[np.isfinite(X).all(axis=1)].astype(np.float64)


class Reader:
    """A lazy copy of a Dataset that counts how often each block is read."""

    def __init__(self, ds, chunks):
        self.reads = Counter()
        arrays = {name: self._lazy(name, ds[name], chunks) for name in ds.data_vars}
        self.data = xr.Dataset(arrays, ds.coords)

    def _lazy(self, name, array, chunks):
        def read(block, block_info=None):
            self.reads[name, block_info[0]["chunk-location"]] += 1
            return block

        data = da.from_array(array.values, chunks).map_blocks(
            read, dtype=array.dtype, meta=np.empty((0, 0), array.dtype)
        )
        return xr.DataArray(data, dims=array.dims)

    @property
    def passes(self):
        counts = set(self.reads.values())
        assert len(counts) == 1, self.reads
        return counts.pop()


# ---------------------------------------------------------------------------------- what is read


@pytest.mark.usefixtures("_large")
def test_a_default_fit_reads_the_data_once():
    reader = Reader(scene(), (20, 40))
    fit = reader.data.cluster.pixels().kmeans(4)
    assert reader.passes == 1
    assert (fit.record.fit_on, fit.record.fitted) == ("a sample", 600)


@pytest.mark.usefixtures("_large")
def test_a_streamed_fit_reads_once_for_all_steps_and_once_an_iteration():
    reader = Reader(scene(), (20, 40))
    fit = reader.data.cluster.pixels().scale("standard").pca(2).kmeans(4, fit_on="all")
    assert reader.passes == 1 + fit.record.passes
    assert fit.record.passes < 12
    assert "all rows, streamed" in repr(fit)
    assert f"{len(rows_of(scene())):,} of" in fit.report().attrs["notes"][0]


STEPS = {
    "default": (lambda s: s, 0),
    "None": (lambda s: s.scale(None), 0),
    "standard": (lambda s: s.scale("standard"), 0),
    "robust": (lambda s: s.scale("robust"), 0),
    "minmax": (lambda s: s.scale("minmax", over="variable"), 0),
    "max": (lambda s: s.scale("max"), 0),
    "norm": (lambda s: s.scale("norm"), 0),
    "anscombe": (lambda s: s.scale("anscombe"), 0),
    "pca": (lambda s: s.pca(2), 0),
    "log, pca": (lambda s: s.scale("log").pca(2), 0),
    "clr, standard, pca": (lambda s: s.scale("clr").scale("standard").pca(2), 0),
    "robust, pca": (lambda s: s.scale("robust").pca(2), 0),
    "max, pca, standard": (lambda s: s.scale("max").pca(2).scale("standard"), 0),
    "pca, pca": (lambda s: s.pca(3).pca(2), 0),
    "pca, minmax": (lambda s: s.pca(2).scale("minmax"), 1),  # extremes of rows that were rotated
    "standard, log, pca": (lambda s: s.scale("minmax").then(cosine()).pca(2), 1),
}


def cosine():
    return FunctionTransformer(np.cos)


def positive():
    """Return a scene whose values have logarithms."""
    return scene() + 20


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize(("steps", "more"), STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("weighted", [False, True])
def test_steps_are_fitted_to_all_rows_in_the_pass_that_draws_the_sample(steps, more, weighted):
    reader = Reader(positive(), (20, 40))
    samples = steps(reader.data.cluster.pixels())
    if weighted:
        samples = samples.weights(xr.full_like(positive()["b"], 0.5) + positive()["y"])
    fit = samples.kmeans(4, fit_on="all")
    assert reader.passes == 1 + more + fit.record.passes


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize("steps", [lambda s: s.scale(None), lambda s: s.scale("standard").pca(2)])
def test_a_single_row_far_out_takes_no_further_pass(steps):
    ds = scene()
    ds["a"][7, 9] = 1e6
    reader = Reader(ds, (20, 40))
    fit = steps(reader.data.cluster.pixels()).kmeans(4, fit_on="all")
    assert reader.passes == 1 + fit.record.passes
    model, X = fit.model.steps[-1][1], rows_of(ds)
    for _, step in fit.model.steps[:-1]:
        X = step.transform(X)
    squared = ((X[:, None] - model.cluster_centers_) ** 2).sum(axis=2).min(axis=1)
    assert model.inertia_ == pytest.approx(squared.sum(), rel=1e-3)


@pytest.mark.usefixtures("_large")
def test_a_pass_is_read_again_where_rows_behind_a_step_reach_much_farther_than_the_sample():
    ds = scene()
    ds["a"][7, 9] = 1e6
    reader = Reader(ds, (20, 40))
    samples = reader.data.cluster.pixels().then(FunctionTransformer(np.abs))
    fit = samples.kmeans(4, fit_on="all")
    assert reader.passes == 1 + (1 + fit.record.passes)


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize("offset", [0.0, 1e7])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_scaling_and_components_from_one_pass_are_those_of_numpy(dtype, weighted, offset):
    ds = (scene().astype("f8") + offset).astype(dtype)
    samples = ds.chunk(y=20).cluster.pixels()
    weight = np.random.default_rng(5).gamma(1, 1, SHAPE)
    if weighted:
        samples = samples.weights(xr.DataArray(weight, ds.coords, ("y", "x")))
    fit = samples.scale("standard").pca(3).kmeans(4, fit_on="all")
    X = rows_of(ds)
    weights = weight.ravel()[np.isfinite(ds.to_array().values).all(axis=0).ravel()]
    weights = weights if weighted else np.ones(len(X))
    origin = X[0]
    mean = np.average(X - origin, axis=0, weights=weights) + origin
    deviation = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weights))
    scaler, pca = fit.model.steps[0][1], fit.model.steps[1][1]
    np.testing.assert_allclose(scaler.center_, mean, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(scaler.scale_, deviation, rtol=1e-12)
    covariance = np.cov(((X - mean) / deviation).T, aweights=weights)
    np.testing.assert_allclose(
        pca.explained_variance_, np.linalg.eigvalsh(covariance)[::-1], rtol=1e-12
    )


@pytest.mark.usefixtures("_large")
def test_values_without_a_logarithm_are_refused_wherever_they_lie():
    ds = positive()
    ds["b"][31, 17] = -3
    with pytest.raises(ValueError, match="needs values above 0, not -3"):
        ds.chunk(y=20).cluster.pixels().scale("log").kmeans(4, fit_on="all")


FIGURES = {
    "labels": lambda fit: fit.labels.compute(),
    "map": lambda fit: fit.plot.map(),
    "scatter": lambda fit: fit.plot.scatter(),
    "scatter3d": lambda fit: fit.plot.scatter3d(),
    "parallel": lambda fit: fit.plot.parallel(),
    "silhouette": lambda fit: fit.plot.silhouette(),
    "explore": lambda fit: fit.explore(),
    "report": lambda fit: fit.report(),
    "back_projection": lambda fit: fit.back_projection(),
}


@pytest.mark.parametrize("exact_rows", [100, 10_000])
@pytest.mark.parametrize("method", ["kmeans", "gmm"])
@pytest.mark.parametrize("show", FIGURES.values(), ids=FIGURES)
@pytest.mark.usefixtures("_large")
@pytest.mark.skipif(
    Version(dask.__version__) < Version("2026"),
    reason="older releases of dask put a block into each task that needs it",
)
def test_a_figure_reads_each_block_once(show, method, exact_rows, monkeypatch):
    monkeypatch.setattr("xcluster.fit.criteria.EXACT_ROWS", exact_rows)
    reader = Reader(scene(), (20, 40))
    fit = getattr(reader.data.cluster.pixels(), method)(4, n_init=1)
    reader.reads.clear()
    show(fit)
    assert reader.passes == 1


def test_building_and_showing_read_nothing():
    reader = Reader(scene(), (20, 40))
    repr(reader.data.cluster.pixels().scale("standard").pca(2))
    assert not reader.reads


def test_memberships_and_labels_of_new_data_come_from_one_pass():
    fit = scene().cluster.pixels().gmm(4)
    reader = Reader(scene(), (20, 40))
    new = fit.predict(reader.data, memberships=True)
    assert not reader.reads
    new = new.compute()
    assert reader.passes == 1
    xr.testing.assert_equal(new["labels"], fit.labels)
    np.testing.assert_allclose(new["memberships"], fit.memberships, atol=1e-6)


@pytest.mark.usefixtures("_large")
def test_a_sweep_reads_the_data_once_for_all_k():
    reader = Reader(scene(), (20, 40))
    reader.data.cluster.pixels().sweep(range(2, 6))
    assert reader.passes == 1


@pytest.mark.usefixtures("_large")
def test_samples_are_found_where_nearly_all_points_are_incomplete():
    ds = scene(gaps=False)
    ds["a"] = ds["a"].where(np.random.default_rng(0).random(SHAPE) < 0.02)
    fit = ds.chunk(y=20).cluster.pixels().kmeans(2, fit_on=30)
    complete = int(ds["a"].notnull().sum())
    assert (fit.record.fitted, fit.record.complete) == (30, complete)


# ------------------------------------------------------------------------------- what is computed


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize("chunks", [None, {"y": 20, "x": 40}])
def test_streamed_scaling_and_components_are_those_of_all_rows(chunks):
    ds = scene() if chunks is None else scene().chunk(chunks)
    fit = ds.cluster.pixels().scale("standard").pca(2).kmeans(4, fit_on="all")
    X = rows_of(scene())
    scaler, pca = fit.model.steps[0][1], fit.model.steps[1][1]
    oracle = StandardScaler().fit(X)
    np.testing.assert_allclose(scaler.center_, oracle.mean_, atol=1e-9)
    np.testing.assert_allclose(scaler.scale_, oracle.scale_, rtol=1e-9)
    variance = np.linalg.eigvalsh(np.cov(oracle.transform(X).T))[::-1]
    np.testing.assert_allclose(pca.explained_variance_, variance[:2], rtol=1e-6)


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize("how", ["minmax", "max"])
def test_streamed_extremes_are_those_of_all_rows(how):
    fit = scene().chunk(y=20).cluster.pixels().scale(how).kmeans(3, fit_on="all")
    X = rows_of(scene())
    spread = np.ptp(X, axis=0) if how == "minmax" else np.abs(X).max(axis=0)
    np.testing.assert_allclose(fit.model.steps[0][1].scale_, spread, rtol=1e-6)


@pytest.mark.usefixtures("_large")
def test_streamed_k_means_is_as_good_as_scikit_learn_on_all_rows():
    fit = scene().chunk(y=20).cluster.pixels().scale(None).kmeans(4, fit_on="all", tol=0)
    X = rows_of(scene())
    oracle = KMeans(4, n_init=10, random_state=0).fit(X)
    model = fit.model.steps[-1][1]
    assert model.inertia_ <= 1.0001 * oracle.inertia_
    assert adjusted_rand_score(model.predict(X), oracle.labels_) > 0.999
    np.testing.assert_allclose(
        np.sort(fit.record.counts), np.sort(np.bincount(oracle.labels_)), atol=3
    )


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize("method", ["kmeans", "gmm", "fuzzy", "som"])
def test_equal_weights_change_nothing_when_streamed(method):
    ds = scene().chunk(y=20)
    samples = ds.cluster.pixels().scale(None)
    size = (3, 3) if method == "som" else 4
    once = getattr(samples, method)(size, fit_on="all")
    twice = xr.full_like(ds["b"], 2.0, dtype=float)
    weighted = getattr(samples.weights(twice), method)(size, fit_on="all")
    np.testing.assert_allclose(weighted.assign.centers, once.assign.centers, atol=1e-6)
    np.testing.assert_allclose(weighted.record.counts, once.record.counts, rtol=1e-6)


@pytest.mark.usefixtures("_large")
def test_memory_and_dask_give_the_same_streamed_fit():
    eager = scene().cluster.pixels().gmm(4, fit_on="all")
    lazy = scene().chunk(y=17, x=33).cluster.pixels().gmm(4, fit_on="all")
    np.testing.assert_array_equal(lazy.assign.centers, eager.assign.centers)
    xr.testing.assert_equal(lazy.labels.compute(), eager.labels)


@pytest.mark.usefixtures("_large")
def test_steps_that_cannot_stream_are_reported_as_fitted_on_the_sample():
    samples = scene().chunk(y=20).cluster.pixels().scale("robust")
    fit = samples.kmeans(4, fit_on="all")
    assert "fitted on the sample only: scale('robust')" in ", ".join(fit.report().attrs["notes"])


@pytest.mark.usefixtures("_large")
def test_a_clusterer_that_cannot_stream_names_those_that_can():
    with pytest.raises(ValueError, match="fit_on=200_000, or use kmeans, gmm, som or fuzzy"):
        scene().chunk(y=20).cluster.pixels().hac(4, fit_on="all")


@pytest.mark.usefixtures("_large")
def test_k_is_chosen_on_the_sample_and_then_streamed():
    fit = scene().chunk(y=20).cluster.pixels().kmeans(range(2, 8), fit_on="all")
    assert fit.k in range(2, 8)
    assert fit.record.fitted == len(rows_of(scene()))


@pytest.mark.usefixtures("_large")
def test_too_few_distinct_rows_in_the_sample_fall_back_to_all_rows():
    values = np.zeros(SHAPE)
    values[3, 5], values[50, 70] = 1.0, 2.0
    ds = xr.Dataset({"a": (("y", "x"), values)}).chunk(y=20)
    fit = ds.cluster.pixels().kmeans(3)
    assert sorted(fit.centers["a"].values) == [0, 1, 2]
    assert sorted(fit.record.counts) == [1, 1, values.size - 2]
    assert (fit.record.fit_on, fit.record.fitted) == ("all rows", values.size)
    with pytest.raises(ValueError, match=r"k=4: .*distinct"):
        ds.cluster.pixels().kmeans(4)


def test_a_class_of_a_thousandth_is_found_from_the_default_sample():
    """One in a thousand rows lies apart: a full fit gives it a label, and so does the sample."""
    rng = np.random.default_rng(0)
    n = (1_200, 1_000)
    rare = rng.random(n) < 0.001
    values = rng.normal(size=(2, *n)).astype(np.float32) + 8 * (rng.random(n) < 0.5)
    values[0, rare] += 60
    ds = xr.Dataset({name: (("y", "x"), values[i]) for i, name in enumerate("ab")})
    sampled = ds.cluster.pixels().scale(None).gmm(3)
    assert sampled.record.fit_on == "a sample"
    found = sampled.labels.values[rare]
    share = (sampled.labels.values == found[0]).mean()
    assert len(np.unique(found)) == 1
    assert share == pytest.approx(rare.mean(), rel=0.01)


# ---------------------------------------------------------------------------------- chunks, tasks

chunks = st.lists(st.integers(0, 25), max_size=4)


def fill(sizes, length):
    """Return chunks of about these sizes that add up to a length; some hold nothing."""
    ends = np.minimum(np.cumsum(sizes), length)
    return tuple(int(each) for each in np.diff([0, *ends, length]))


@settings(max_examples=10, deadline=None)
@given(chunks, chunks)
def test_sampled_labels_are_the_same_for_any_chunks(ys, xs):
    ds = scene()
    fit = ds.chunk(y=fill(ys, 60), x=fill(xs, 80)).cluster.pixels().kmeans(4, fit_on=500, n_init=2)
    expected = ds.cluster.pixels().kmeans(4, fit_on=500, n_init=2).labels
    np.testing.assert_array_equal(fit.labels.compute(), expected)


@settings(max_examples=6, deadline=None)
@given(chunks, chunks)
def test_streamed_fits_are_the_same_bits_for_any_chunks(ys, xs):
    ds = scene()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "ALL_POINTS", 1_000)
        patch.setattr(fitting, "SAMPLE_ROWS", 600)
        chunked = ds.chunk(y=fill(ys, 60), x=fill(xs, 80)).cluster.pixels()
        fit = chunked.kmeans(4, fit_on="all", n_init=2)
        expected = ds.chunk(y=20).cluster.pixels().kmeans(4, fit_on="all", n_init=2)
    np.testing.assert_array_equal(fit.labels.compute(), expected.labels.compute())
    for (_, ours), (_, other) in zip(fit.model.steps, expected.model.steps, strict=True):
        for name in ("center_", "scale_", "cluster_centers_", "inertia_", "counts_"):
            if hasattr(other, name):
                np.testing.assert_array_equal(getattr(ours, name), getattr(other, name))


@pytest.mark.usefixtures("_large")
def test_schedulers_give_bit_equal_fits():
    ds = scene().chunk(y=7, x=11)
    fits = []
    for scheduler in ("sync", "threads"):
        with dask.config.set(scheduler=scheduler):
            fits.append(ds.cluster.pixels().gmm(4, fit_on="all"))
    np.testing.assert_array_equal(fits[0].assign.centers, fits[1].assign.centers)


class Tasks(dict):
    """Catches the optimised graphs of what is computed."""

    @classmethod
    def of(cls, function):
        graphs = []
        with dask.config.set(
            scheduler=lambda graph, keys, **_: graphs.append(graph) or dask.get(graph, keys)
        ):
            function()
        return graphs


@pytest.mark.usefixtures("_large")
def test_a_pass_is_one_fused_task_a_block():
    ds = scene().chunk(y=6, x=8)
    graphs = Tasks.of(lambda: ds.cluster.pixels().kmeans(4))
    merges = 100 / 8 + 100 / 64 + 3
    assert len(graphs) == 1
    # Blocks of numpy arrays of three variables are tasks of their own; reading them is not ours.
    own = [key for key in graphs[0] if "xarray-" not in str(key) and "array-" not in str(key)]
    assert len(own) <= 100 + merges


@pytest.mark.usefixtures("_large")
def test_labels_are_one_fused_task_a_block():
    fit = scene().chunk(y=6, x=8).cluster.pixels().pca(2).kmeans(4)
    graph = fit.labels.data.__dask_optimize__(
        fit.labels.data.__dask_graph__(), fit.labels.data.__dask_keys__()
    )
    own = [key for key in dict(graph) if "xarray-" not in str(key) and "array-" not in str(key)]
    assert len(own) == 100


def test_what_travels_to_a_block_pickles_and_is_small():
    fit = scene().cluster.pixels().scale("standard").pca(2).gmm(4)
    assert len(pickle.dumps(fit.assign)) < 100_000
    assert np.array_equal(pickle.loads(pickle.dumps(fit.assign)).centers, fit.assign.centers)


def test_chunked_features_are_brought_together():
    cube = scene().to_array("band").transpose("y", "band", "x")
    expected = cube.cluster.pixels(dim="band").kmeans(4).labels
    fit = cube.chunk(y=20, band=1).cluster.pixels(dim="band").kmeans(4)
    np.testing.assert_array_equal(fit.labels.compute(), expected)


@pytest.mark.usefixtures("_large")
def test_integers_stream():
    ds = (10 * scene(gaps=False)).astype(np.int16)
    fit = ds.chunk(y=20).cluster.pixels().kmeans(4, fit_on="all")
    np.testing.assert_array_equal(fit.labels.compute(), fit.predict(ds))


@pytest.mark.usefixtures("_large")
def test_blocks_without_a_complete_sample_are_passed_over():
    ds = scene()
    ds["b"][:20] = np.nan
    fit = ds.chunk(y=20).cluster.pixels().gmm(4, fit_on="all")
    assert fit.labels[:20].isnull().all().compute()
    assert fit.record.fitted == len(rows_of(ds))


def test_unknown_chunk_sizes_name_the_remedy():
    data = da.from_array(np.arange(20.0), 5)
    ds = xr.Dataset({"a": ("x", data[data > 3])})
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        ds.cluster.pixels().kmeans(2)


# ------------------------------------------------------------------------------------------ faults


def broken(block=(1, 1)):
    """Return a scene of which one block of ``b`` cannot be read."""

    def read(values, place):
        if place == block:
            raise OSError("checksum of the chunk differs")
        return values

    ds = scene().chunk(y=20, x=40)
    parts = [
        [
            da.from_delayed(delayed(read)(ds["b"].data.blocks[i, j], (i, j)), (20, 40), "f4")
            for j in range(2)
        ]
        for i in range(3)
    ]
    return ds.assign(b=(("y", "x"), da.block(parts)))


def test_a_fit_names_the_block_that_cannot_be_read():
    with pytest.raises(
        OSError, match=r"\[y 20:40, x 40:80\] of 'b'.*checksum of the chunk differs"
    ):
        broken().cluster.pixels().kmeans(3)


@pytest.mark.parametrize("name", ["fit.zarr", "fit.nc"])
def test_a_save_names_the_block_and_leaves_nothing_behind(tmp_path, name):
    model = scene().chunk(y=20, x=40).cluster.pixels().kmeans(3)
    fit = replace(model, source=Live(broken().cluster.pixels()))
    with pytest.raises(OSError, match=r"\[y 20:40, x 40:80\] of 'b'"):
        fit.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_failed_save_waits_for_tasks_that_still_write(tmp_path):
    """They would open the file anew: it stayed, or with old releases Python ended."""
    begun, ended = threading.Event(), threading.Event()

    def late(block):
        begun.set()
        time.sleep(0.5)
        ended.set()
        return block

    def fails(block):
        assert begun.wait(30)
        raise OSError("checksum of the chunk differs")

    ds = scene().chunk(y=30, x=80)
    model = ds.cluster.pixels().kmeans(3)
    b = ds["b"].data
    halves = [b.blocks[i].map_blocks(work, meta=b._meta) for i, work in enumerate((late, fails))]
    torn = ds.assign(b=(("y", "x"), da.concatenate(halves)))
    fit = replace(model, source=Live(torn.cluster.pixels()))
    with dask.config.set(num_workers=2), pytest.raises(OSError, match="checksum"):
        fit.save(tmp_path / "fit.nc")
    assert ended.is_set()
    assert not list(tmp_path.iterdir())


def test_a_failed_save_keeps_the_former_file(tmp_path):
    model = scene().chunk(y=20, x=40).cluster.pixels().kmeans(3)
    model.save(tmp_path / "fit.zarr")
    fit = replace(model, source=Live(broken().cluster.pixels()))
    with pytest.raises(OSError, match="cannot be read"):
        fit.save(tmp_path / "fit.zarr")
    np.testing.assert_array_equal(xcluster.open(tmp_path / "fit.zarr").labels, model.labels)


def test_errors_of_our_own_are_not_taken_for_unreadable_blocks():
    ds = scene().chunk(y=20)
    with pytest.raises(ValueError, match=r"weights=-1\.0: must be finite"):
        ds.cluster.pixels().weights(-xr.ones_like(ds["b"])).kmeans(3)


def test_blas_has_one_thread_inside_a_block():
    from threadpoolctl import threadpool_info

    from xcluster.blocks import matrix

    def threads(block):
        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    layout = scene().chunk(y=20).cluster.pixels().layout
    assert matrix.reduce(layout, threads, lambda parts: set().union(*parts)) <= {1}


def test_labels_are_written_block_by_block(tmp_path):
    reader = Reader(scene(), (20, 40))
    fit = scene().cluster.pixels().kmeans(4)
    labels = fit.predict(reader.data)
    labels.to_dataset(name="labels").to_zarr(tmp_path / "labels.zarr", consolidated=False)
    assert reader.passes == 1
    stored = xr.open_zarr(tmp_path / "labels.zarr", consolidated=False)["labels"]
    assert stored.encoding["dtype"] == np.int16
    assert stored.chunks == ((20, 20, 20), (40, 40))
    np.testing.assert_array_equal(stored, fit.labels)


# ------------------------------------------------------------------------------------------ scenes


def halves():
    ds = scene()
    return {"south": ds.isel(y=slice(0, 25)), "north": ds.isel(y=slice(25, None))}


def ask(ds):
    return ds.cluster.pixels().scale("standard")


@pytest.mark.parametrize("kind", [dict, xr.DataTree.from_dict])
@pytest.mark.parametrize("lazy", [False, True])
def test_pooled_halves_give_the_labels_of_the_whole(kind, lazy):
    scenes = {name: each.chunk(x=33) if lazy else each for name, each in halves().items()}
    fit = xcluster.pool(kind(scenes), ask).kmeans(4)
    whole = ask(scene()).kmeans(4)
    for name, part in halves().items():
        expected = whole.labels.sel(y=part["y"])
        np.testing.assert_array_equal(fit.labels[f"{name}/labels"], expected)
        np.testing.assert_array_equal(fit[name].labels, expected)
    assert fit.whole.record.fitted == whole.record.fitted
    assert fit.report()["samples"].sum() == whole.record.fitted


@pytest.mark.usefixtures("_large")
def test_pooled_scenes_stream():
    scenes = {name: each.chunk(x=33) for name, each in halves().items()}
    fit = xcluster.pool(scenes, ask).kmeans(4, fit_on="all")
    whole = ask(scene().chunk(x=33)).kmeans(4, fit_on="all")
    assert fit.whole.record.fitted == whole.record.fitted
    agreement = adjusted_rand_score(
        np.nan_to_num(fit["north"].labels.values.ravel(), nan=-1),
        np.nan_to_num(whole.labels.values[25:].ravel(), nan=-1),
    )
    assert agreement > 0.99


@pytest.mark.usefixtures("_large")
def test_scenes_of_one_grid_give_different_samples():
    ds = scene(gaps=False)
    fit = xcluster.pool([ds, ds.assign(a=ds["a"] + 100)], lambda ds: ds.cluster.pixels()).kmeans(2)
    counts = fit.report()["samples"]
    assert fit.whole.record.fitted == 600
    np.testing.assert_array_equal(counts[counts > 0], [ds["a"].size] * 2)
    assert abs(fit.whole.record.counts[0] - 300) not in (0, 300)


def test_a_scene_may_have_its_own_mask():
    fit = xcluster.pool(halves(), lambda ds: ds.cluster.pixels().where(ds["b"] > 0)).kmeans(3)
    for name, part in halves().items():
        assert fit[name].labels.where(part["b"] <= 0).isnull().all()


def test_scenes_with_other_features_are_refused():
    south, north = halves().values()
    with pytest.raises(ValueError, match=r"scene '1'.*variables \['a', 'b'\]"):
        xcluster.pool([south, north[["a", "b"]]], lambda ds: ds.cluster.pixels())
    with pytest.raises(ValueError, match="holds no scene"):
        xcluster.pool([], ask)


def differing(first, second):
    """A question that asks the first of two scenes one thing and the second another."""
    asked = iter([first, second])
    return lambda ds: next(asked)(ds.cluster.pixels())


ASKED = {
    "steps": (lambda s: s.pca(2), lambda s: s.pca(3), r"steps=.*'b'.*'a', \['pca\(2\)'\]"),
    "no steps": (lambda s: s, lambda s: s.pca(2), "steps=.*'b'.*'a'"),
    "scaling": (lambda s: s.scale(), lambda s: s.scale("robust"), "steps=.*'b'.*'a'"),
    "over": (lambda s: s.scale(), lambda s: s.scale(over="variable"), "steps=.*'b'.*'a'"),
    "function": (
        lambda s: s.then(FunctionTransformer(np.exp)),
        lambda s: s.then(FunctionTransformer(np.abs)),
        "steps=.*'b'.*'a'",
    ),
    "seed": (lambda s: s, lambda s: replace(s, random_state=1), "random_state=1: of scene 'b'"),
    "weights": (
        lambda s: s.weights(abs(s.data["a"])),
        lambda s: s,
        "weights='b': scene 'a' has weights, and scene 'b' has none",
    ),
    "no weights": (
        lambda s: s,
        lambda s: s.weights(abs(s.data["a"])),
        "weights='b': scene 'b' has weights, and scene 'a' has none",
    ),
    "anomaly": (
        lambda s: s,
        lambda s: replace(s, climatology=Climatology("time.month")),
        "anomaly='time.month'",
    ),
}


@pytest.mark.parametrize("case", ASKED)
def test_scenes_that_ask_for_another_fit_are_refused_before_anything_is_read(case, computes):
    first, second, message = ASKED[case]
    a, b = (each.chunk(x=33) for each in halves().values())
    with pytest.raises(ValueError, match=message):
        xcluster.pool({"a": a, "b": b}, differing(first, second))
    assert computes() == 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda s: s.scale("robust").pca(2),
        lambda s: s.weights(abs(s.data["a"])).pca(2),
        lambda s: s.then(FunctionTransformer(lambda X: X**2)),
        lambda s: s.then(FunctionTransformer(partial(np.power, 2))),
        lambda s: s.then(FunctionTransformer(np.add, kw_args={"x2": np.arange(3)})),
        lambda s: s.then(ColumnTransformer([("first", PCA(1), [0, 1])])),
        lambda s: s.then(SimpleImputer(missing_values=float("nan"))),
    ],
)
def test_chains_that_are_built_anew_for_each_scene_are_the_same(ask):
    xcluster.pool(halves(), lambda ds: ask(ds.cluster.pixels()))


def fields():
    """Two series of fields, the second on falling latitudes."""
    coords = {"time": np.arange(12), "lat": np.arange(-20.0, 30, 10), "lon": np.arange(4.0)}
    values = np.random.default_rng(3).normal(size=(2, 12, 5, 4))
    dims = ("time", "lat", "lon")
    first, second = (xr.DataArray(each, coords, dims, name="z") for each in values)
    return {"a": first, "b": second.isel(lat=slice(None, None, -1))}


def test_fields_of_scenes_are_weighed_alike_whichever_way_latitudes_run():
    pooled = xcluster.pool(fields(), lambda ds: ds.cluster.snapshots("time").weights("area"))
    assert pooled.kmeans(2).k == 2
    weights = iter([xr.DataArray(np.arange(1.0, 5) ** n, dims="lon") for n in (1, 2)])
    with pytest.raises(ValueError, match=r"steps=.*weights.*of scene 'b'"):
        xcluster.pool(fields(), lambda ds: ds.cluster.snapshots("time").weights(next(weights)))


@pytest.mark.parametrize("lazy", [False, True])
def test_fields_of_scenes_with_other_cells_are_refused_at_the_fit(lazy, computes):
    scenes = fields()
    for name, cell in (("a", {"lat": -20, "lon": 0}), ("b", {"lat": 10, "lon": 3})):
        scenes[name].loc[cell] = np.nan
    scenes = {name: each.chunk(time=5) if lazy else each for name, each in scenes.items()}
    pooled = xcluster.pool(scenes, lambda ds: ds.cluster.snapshots("time"))
    assert computes() == 0
    for k in (2, range(2, 4)):
        with pytest.raises(ValueError, match=r"scene 'b'=.*other cells of 'z' than scene 'a'"):
            pooled.kmeans(k)
    scenes["b"] = scenes["a"]
    assert xcluster.pool(scenes, lambda ds: ds.cluster.snapshots("time")).kmeans(2).k == 2
