"""Fits beside each other, and whatever number of threads the libraries are given."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr

import xcluster

pytestmark = pytest.mark.large

QUESTIONS = """
import hashlib
from concurrent.futures import ThreadPoolExecutor

import xcluster

ocean = xcluster.datasets.ocean()[["sst", "wind_speed", "sea_level_pressure"]]
ocean = ocean.isel(latitude=slice(10, 80, 2), longitude=slice(0, 180, 3))
model = xcluster.datasets.tomography().isel(latitude=slice(0, None, 8), longitude=slice(0, None, 8))


def answers():
    return {
        "kmeans": lambda: ocean.cluster.pixels().kmeans(5, n_init=3),
        "gmm": lambda: ocean.cluster.pixels().pca(2).gmm(4),
        "ward": lambda: ocean.cluster.pixels().hac(5),
        "fuzzy": lambda: ocean.cluster.pixels().fuzzy(4),
        "som": lambda: ocean.cluster.pixels().som((3, 3)),
        "dtw": lambda: model.cluster.profiles("depth").kmeans(3, metric="dtw", n_init=1),
        "sweep": lambda: ocean.cluster.pixels().kmeans(range(2, 6), n_init=2),
        "lazy": lambda: ocean.chunk(latitude=9).cluster.pixels().kmeans(5, n_init=3),
    }


def digest(ask):
    return hashlib.sha256(ask().labels.compute().values.tobytes()).hexdigest()
"""
ALONE = QUESTIONS + "print([digest(ask) for ask in answers().values()])"
TOGETHER = (
    QUESTIONS
    + "asked = list(answers().values()) * 2\n"
    + "with ThreadPoolExecutor(4) as pool:\n"
    + "    found = list(pool.map(digest, asked))\n"
    + "assert found[: len(found) // 2] == found[len(found) // 2 :]\n"
    + "print(found[: len(found) // 2])"
)


def printed(program, **environment):
    """What a fresh interpreter prints whose libraries read this environment."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def alone():
    """The labels of each question, asked one after the other."""
    return printed(ALONE)


@pytest.mark.parametrize("threads", ["1", "3"])
def test_labels_do_not_depend_on_the_threads_that_libraries_are_given(alone, threads):
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    assert printed(ALONE, **dict.fromkeys(names, threads)) == alone


def test_fits_in_several_threads_do_not_disturb_each_other(alone):
    # numba's own layer of last resort ends the process when two threads enter it
    assert printed(TOGETHER, NUMBA_THREADING_LAYER="workqueue") == alone


def test_one_result_may_be_asked_from_several_threads():
    ds = xcluster.datasets.ocean().isel(latitude=slice(10, 80, 4), longitude=slice(0, 180, 7))
    fit = ds.cluster.pixels().pca(2).gmm(3)
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(getattr, fit, name) for name in ("labels", "centers") * 6]
        found = [each.result() for each in asked]
    for labels, centers in zip(found[::2], found[1::2], strict=True):
        xr.testing.assert_identical(labels, fit.labels)
        xr.testing.assert_identical(centers, fit.centers)


def test_an_error_in_one_thread_leaves_the_fit_in_another_whole():
    ds = xcluster.datasets.ocean().isel(latitude=slice(10, 80, 4), longitude=slice(0, 180, 7))
    expected = ds.cluster.pixels().kmeans(4, n_init=3).labels
    with ThreadPoolExecutor(2) as pool:
        bad = [pool.submit(ds.cluster.pixels().kmeans, -1) for _ in range(5)]
        good = [pool.submit(ds.cluster.pixels().kmeans, 4, n_init=3) for _ in range(5)]
        assert all(isinstance(each.exception(), ValueError) for each in bad)
        for each in good:
            np.testing.assert_array_equal(each.result().labels, expected)
