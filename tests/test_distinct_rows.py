"""No more labels than there are different rows: one rule for every clusterer that takes k."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xcluster.algorithms.fuzzy import FuzzyCMeans
from xcluster.algorithms.hierarchical import Hierarchical
from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.mixture import GaussianMixture
from xcluster.algorithms.parts.distinct import n_distinct

GIVEN = [[0.0, 0], [1, 2], [5, 5], [8, 8]]

ASK = {
    "kmeans": lambda s, k: s.kmeans(k),
    "kmeans from centres": lambda s, k: s.kmeans(k, init=GIVEN[:k]),
    "kmeans dtw": lambda s, k: s.kmeans(k, metric="dtw"),
    "gmm": lambda s, k: s.gmm(k),
    "gmm diag": lambda s, k: s.gmm(k, covariance_type="diag"),
    "gmm from rows": lambda s, k: s.gmm(k, init_params="random_from_data"),
    "gmm from means": lambda s, k: s.gmm(k, means_init=GIVEN[:k]),
    "ward": lambda s, k: s.hac(k),
    "ward of micro-clusters": lambda s, k: s.hac(k, max_exact=50),
    "average": lambda s, k: s.hac(k, linkage="average"),
    "single": lambda s, k: s.hac(k, linkage="single"),
    "complete": lambda s, k: s.hac(k, linkage="complete"),
    "cut": lambda s, k: s.hac(2).cut(k),
    "fuzzy": lambda s, k: s.fuzzy(k),
    "fuzzy from centres": lambda s, k: s.fuzzy(k, init=GIVEN[:k]),
    "possibilistic": lambda s, k: s.fuzzy(k, kind="possibilistic"),
    "gustafson-kessel": lambda s, k: s.fuzzy(k, shape="gustafson-kessel"),
}


def of_rows(rows, n=180):
    """Samples with these rows, each as often as the others."""
    values = np.resize(np.asarray(rows, float), (n, len(rows[0]))).reshape(-1, 10, len(rows[0]))
    return xr.DataArray(values, dims=("y", "x", "band")).cluster.pixels(dim="band")


@pytest.mark.filterwarnings("ignore:.*(may fit noise|regularised)")
@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_more_labels_than_distinct_rows_are_refused(ask):
    samples = of_rows(GIVEN[:3])
    labels = ask(samples, 3).labels
    assert np.unique(labels).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=r"=4: must be at most the number of .*there are 3 "):
        ask(samples, 4)


@pytest.mark.parametrize("method", ["kmeans", "gmm", "hac", "fuzzy"])
@pytest.mark.parametrize("criteria", [None, ["gap", "stability"]])
@pytest.mark.filterwarnings("ignore:.*may fit noise")
def test_a_sweep_leaves_such_k_out_with_one_warning(method, criteria):
    with pytest.warns(UserWarning, match="candidates from k=4 on were left out") as caught:
        sweep = of_rows(GIVEN[:3]).sweep([2, 3, 4, 5], method, criteria)
    assert sweep.table.k.values.tolist() == [2, 3]
    assert len([each for each in caught if "left out" in str(each.message)]) == 1


@pytest.mark.filterwarnings("ignore:.*may fit noise")
def test_a_rare_row_counts_where_a_sample_misses_it():
    values = np.zeros((200, 150, 2))
    values[3, 4] = 1
    samples = xr.DataArray(values, dims=("y", "x", "band")).cluster.pixels(dim="band")
    for ask in (samples.kmeans, samples.gmm, samples.hac, samples.fuzzy):
        assert int((ask(2, fit_on=500).labels == 1).sum()) == 1


def test_refits_with_too_few_distinct_rows_leave_the_stability_unknown():
    rows = [[0.0, 0]] * 500 + [[1.0, 2]] * 499 + [[9.0, 9]]
    samples = xr.DataArray(rows, dims=("x", "band")).cluster.pixels(dim="band")
    for method in ("kmeans", "hac", "fuzzy"):
        stability = samples.sweep([2, 3], method, criteria="stability").table.stability
        assert np.isfinite(stability.sel(k=2))
        assert np.isnan(stability.sel(k=3))


def test_equal_neighbours_may_lie_in_different_regions():
    samples = of_rows([[0.0]] * 10 + [[1.0]] * 10)  # stripes of ten points
    labels = samples.hac(18, contiguous=True).labels
    np.testing.assert_array_equal(np.unique(labels), np.arange(18))
    np.testing.assert_array_equal(labels.std("x"), 0)


@pytest.mark.parametrize(
    "estimator", [KMeans(3), GaussianMixture(3), FuzzyCMeans(3), Hierarchical(3)]
)
@pytest.mark.filterwarnings("ignore:.*may fit noise")
def test_rows_without_weight_do_not_count(estimator):
    X = np.array([[0.0, 0], [0, 0], [1, 2], [5, 5], [1, 2], [0, 0], [1, 2]])
    weight = np.array([1.0, 1, 1, 0, 1, 1, 1])
    with pytest.raises(ValueError, match="=3: must be at most the number of distinct rows"):
        estimator.fit(X, sample_weight=weight)


@pytest.mark.parametrize("n", [1, 40, 100_000])
def test_distinct_rows_are_counted_as_numpy_does(n):
    rng = np.random.default_rng(n)
    X = np.where(rng.random((n, 2)) < 0.99, 0.0, rng.integers(-3, 4, (n, 2)))
    expected = len(np.unique(X + 0.0, axis=0))
    assert n_distinct(-X, 100) == expected
    assert n_distinct(X, max(expected - 1, 1)) == max(expected - 1, 1)
