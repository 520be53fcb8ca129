"""The same calls on a dask.distributed cluster, with a worker lost on the way."""

import os
import signal
import threading
import time

import cloudpickle
import numpy as np
import pytest
import xarray as xr

from xcluster.base.parallel import single_threaded_blas
from xcluster.fit import fitting

pytestmark = pytest.mark.large

distributed = pytest.importorskip("distributed")

SHAPE = (120, 100)
CHUNKS = {"y": 10, "x": 50}


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def _large(monkeypatch):
    """Let small grids count as too large to gather."""
    monkeypatch.setattr(fitting, "ALL_POINTS", 1_000)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 600)


def _slow(block):
    time.sleep(0.02)
    return block


def scene(slow=False):
    rng = np.random.default_rng(5)
    own = (np.arange(SHAPE[0])[:, None] // 30 + np.arange(SHAPE[1])[None] // 40) % 4
    arrays = {}
    for name, centers in {"a": (0, 6, 0, 6), "b": (0, 0, 6, 6), "c": (3, 0, 0, 3)}.items():
        values = np.take(centers, own) + rng.normal(size=SHAPE)
        arrays[name] = (("y", "x"), values.astype(np.float32))
    ds = xr.Dataset(arrays, {"y": np.arange(SHAPE[0]) * 1.0, "x": np.arange(SHAPE[1]) * 1.0})
    ds = ds.chunk(CHUNKS)
    return ds.map(lambda array: array.copy(data=array.data.map_blocks(_slow))) if slow else ds


def locally(function):
    """Return the result of the threaded scheduler."""
    import dask

    with dask.config.set(scheduler="threads"):
        return function()


def kill_one_worker(client, after):
    """End the process of one worker in a while; its nanny starts another."""
    pids = client.run(os.getpid)
    victim = next(iter(pids.values()))
    timer = threading.Timer(after, os.kill, (victim, 9))
    timer.start()
    return timer


def stream(ds, method="gmm"):
    samples = ds.cluster.pixels().scale("standard")
    return getattr(samples, method)(4, fit_on="all", progress=False)


@pytest.mark.parametrize("method", ["kmeans", "gmm"])
def test_a_cluster_gives_bit_equal_fits(client, method):
    expected = locally(lambda: stream(scene(), method))
    fit = stream(scene(), method)
    np.testing.assert_array_equal(fit.assign.centers, expected.assign.centers)
    np.testing.assert_array_equal(fit.labels.values, locally(expected.labels.compute))


def test_a_worker_killed_in_a_fit_changes_nothing(client):
    expected = locally(lambda: stream(scene()))
    timer = kill_one_worker(client, 0.6)
    fit = stream(scene(slow=True))
    assert timer.finished.is_set(), "the fit was over before the worker was killed"
    np.testing.assert_array_equal(fit.assign.centers, expected.assign.centers)
    assert fit.record == expected.record


def test_a_worker_killed_in_a_write_changes_nothing(client, tmp_path):
    fit = locally(lambda: stream(scene()))
    labels = fit.predict(scene(slow=True))
    timer = kill_one_worker(client, 0.3)
    labels.to_dataset().to_zarr(tmp_path / "labels.zarr", consolidated=False)
    assert timer.finished.is_set(), "all was written before the worker was killed"
    stored = xr.open_zarr(tmp_path / "labels.zarr", consolidated=False)["label"]
    np.testing.assert_array_equal(stored.values, locally(fit.labels.compute))


@pytest.mark.skipif(os.name == "nt", reason="an alarm of POSIX")
def test_an_interrupted_sweep_leaves_nothing_on_the_cluster(client):
    slow = scene(slow=True).cluster.pixels().scale("standard")
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.4)
    try:
        with pytest.raises(KeyboardInterrupt):
            slow.sweep(range(2, 6), fit_on="all", progress=False)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    end = time.monotonic() + 30
    while (left := client.run_on_scheduler(_tasks)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not left
    table = locally(lambda: scene().cluster.pixels().sweep([2, 3], progress=False).table)
    xr.testing.assert_identical(scene().cluster.pixels().sweep([2, 3], progress=False).table, table)


def _tasks(dask_scheduler):
    return len(dask_scheduler.tasks)


def _done(dask_scheduler):
    return {key for key, _, state, *_ in dask_scheduler.transition_log if state == "memory"}


def test_a_block_of_cut_and_masked_data_is_at_most_two_tasks(client):
    ds = scene().isel(x=slice(3, None))
    samples = ds.where(ds.a > 0).cluster.pixels()
    before = client.run_on_scheduler(_done)
    samples.kmeans(4, fit_on=600, progress=False)
    new = client.run_on_scheduler(_done) - before
    blocks = {key for key in new if isinstance(key, tuple) and "merge" not in key[0]}
    assert 24 <= len(blocks) <= 2 * 24


def test_the_graph_of_a_fit_travels_in_few_bytes():
    fit = locally(lambda: stream(scene()))
    labels = fit.labels
    graph = dict(
        labels.data.__dask_optimize__(labels.data.__dask_graph__(), labels.data.__dask_keys__())
    )
    own = [task for key, task in graph.items() if "xarray-" not in str(key)]
    assert len(own) == 24
    assert max(len(cloudpickle.dumps(task)) for task in own) < 200_000


def _blas_threads(_):
    from threadpoolctl import threadpool_info

    with single_threaded_blas():
        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


def test_workers_limit_blas_inside_a_block(client):
    assert set().union(*client.gather(client.map(_blas_threads, range(3)))) <= {1}
