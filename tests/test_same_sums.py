"""Same data, same labels, while streaming: sums over blocks are the same bits in any chunks."""

import math
from fractions import Fraction
from functools import reduce
from operator import add

import numpy as np
import pytest
import xarray as xr

from xcluster.algorithms.fuzzy import FuzzyCMeans
from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.mixture import GaussianMixture
from xcluster.algorithms.parts.row_moments import Gathered
from xcluster.algorithms.parts.sums import Binned, Exact, rounded
from xcluster.algorithms.pca import PCA
from xcluster.algorithms.scaling import Scaler
from xcluster.algorithms.som import SOM
from xcluster.base.streaming import Statistics

# ---------------------------------------------------------------------------- sums of one block


def rows(n=9000, p=4, dtype=np.float64):
    """Return rows of very different features, one of them far out."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(n, p)) + 3 * rng.integers(0, 3, (n, 1))) * 10.0 ** np.arange(p)
    X[7:8, 1] = 1e6
    return X.astype(dtype)


def bounds(X, weight=None):
    guess = Exact.guessed(X[:500], None if weight is None else weight[:500])
    return guess.widened(guess.extent(X, weight))


def arrangements(n, seed=1):
    """Yield orders of rows, cut into blocks."""
    rng = np.random.default_rng(seed)
    yield [np.arange(n)]
    yield np.array_split(rng.permutation(n), 13)
    yield np.split(np.arange(n)[::-1], np.sort(rng.integers(0, n, 40)))
    yield [np.arange(n)[: n // 2], *np.array_split(np.arange(n)[n // 2 :], 700)]


def merged(measure, X, weight, sums, blocks):
    def of(rows):
        return measure(X[rows], None if weight is None else weight[rows], sums)

    parts = [of(rows) for rows in blocks]
    pairs = [Statistics.merge(parts[i : i + 5]) for i in range(0, len(parts), 5)]
    found = Statistics.merge(pairs)
    return {name: rounded(each) for name, each in found.sums.items()}


ESTIMATORS = {
    "kmeans": KMeans(5, n_init=1),
    "kmeans of many features": KMeans(5, n_init=1),
    "standard": Scaler("standard"),
    "pca": PCA(2),
    "som": SOM((3, 3)),
    "som, in training": SOM((3, 3)),
    "fuzzy": FuzzyCMeans(3, max_iter=5),
    "possibilistic": FuzzyCMeans(3, kind="possibilistic", max_iter=5),
    "gustafson-kessel": FuzzyCMeans(3, shape="gustafson-kessel", max_iter=5),
    "full": GaussianMixture(3, max_iter=3),
    "factored": GaussianMixture(3, max_iter=3),
    "tied": GaussianMixture(3, covariance_type="tied", max_iter=3),
    "diag": GaussianMixture(3, covariance_type="diag", max_iter=3),
    "spherical": GaussianMixture(3, covariance_type="spherical", max_iter=3),
}
WIDTHS = {"kmeans of many features": 70, "factored": 20}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("weighted", [pytest.param(False, marks=pytest.mark.large), True])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_sums_are_the_same_bits_in_any_blocks_and_order(name, dtype, weighted):
    X = rows(p=WIDTHS.get(name, 4)).astype(dtype)
    if name in WIDTHS:
        X = np.random.default_rng(2).normal(size=X.shape).astype(dtype)
    weight = np.random.default_rng(3).gamma(1, 1, len(X)) if weighted else None
    fitted = ESTIMATORS[name].fit(X[:500], sample_weight=None if weight is None else weight[:500])
    if name == "som, in training":
        fitted.n_iter_ = 1
    found = [
        merged(fitted.partial_statistics, X, weight, bounds(X, weight), blocks)
        for blocks in arrangements(len(X))
    ]
    plain = fitted.partial_statistics(X, weight).sums
    for name, value in plain.items():
        for other in found:
            np.testing.assert_array_equal(other[name], found[0][name], err_msg=name)
        scale = np.abs(value).max()
        np.testing.assert_allclose(found[0][name], value, rtol=1e-9, atol=1e-9 * scale)


@pytest.mark.parametrize("outlier", [1.0, 1e9, 1e-9])
def test_sums_are_those_of_exact_arithmetic(outlier):
    rng = np.random.default_rng(4)
    X, A = rng.normal(size=(30_000, 3)) * [1, 1e5, 1e-5], rng.random((2, 30_000))
    X[11] *= outlier
    sums = bounds(X)
    grids = sums.grids(np.tile(sums.about(np.zeros(3)), (2, 1)))
    found = rounded(sums.products(A, X.T, grids))
    exact = np.array([[math.fsum(a * x) for x in X.T] for a in A])
    assert (np.abs(found - exact) <= 1e-15 * (A @ np.abs(X))).all()
    total = rounded(sums.total(X.T, sums.about(np.zeros(3))))
    np.testing.assert_allclose(total, [math.fsum(x) for x in X.T], atol=0, rtol=1e-12)


def test_bounds_are_widened_only_where_rows_lie_beyond_them():
    X = rows()
    guess = Exact.guessed(X[:500], None)
    assert guess.widened(guess.extent(X[:500], None)) is guess
    wider = guess.widened(guess.extent(X * 100, np.full(len(X), 9.0)))
    assert (wider.reach >= np.abs(X * 100 - guess.origin).max(axis=0)).all()
    assert wider.heaviest == 9


@pytest.mark.parametrize("unit", [1.0, 2.0**-700, 1e90])
def test_sums_without_bounds_are_exact_and_the_same_bits_in_any_blocks_and_order(unit):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(6000, 4)) * 10.0 ** rng.integers(-9, 9, (6000, 1)) * [1, 1e5, 1e-5, 0]
    X, shares = X * unit, rng.random((6000, 2))
    found = []
    for blocks in arrangements(len(X)):
        parts = [Binned.products(shares[rows].T, X[rows].T) for rows in blocks]
        pairs = [reduce(add, parts[i : i + 5]) for i in range(0, len(parts), 5)]
        found.append(reduce(add, pairs).total())
    exact = np.array([[math.fsum(share * x) for x in X.T] for share in shares.T])
    np.testing.assert_allclose(found[0], exact, rtol=0, atol=1e-15 * np.abs(X).sum())
    for other in found:
        np.testing.assert_array_equal(other, found[0])


def test_sums_by_label_are_those_of_its_rows():
    X, labels = rows(), np.random.default_rng(6).integers(0, 5, 9000)
    weight = np.random.default_rng(7).random(len(X))
    found = Binned.by_label(X, weight, labels, 6).total()
    for label in range(6):
        mine = labels == label
        np.testing.assert_allclose(found[label], weight[mine] @ X[mine], rtol=1e-12)


@pytest.mark.parametrize("depth", ["squares", "products"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_moments_are_those_of_exact_arithmetic_in_any_blocks(offset, dtype, weighted, depth):
    X = (rows(2000, p=3) + offset).astype(dtype)
    weight = np.random.default_rng(9).gamma(1, 1, len(X)) if weighted else None
    found = []
    for blocks in arrangements(len(X)):
        parts = [Gathered.of(X[i], None if weight is None else weight[i], depth) for i in blocks]
        merged = [Gathered.merge(parts[i : i + 5]) for i in range(0, len(parts), 5)]
        found.append(Gathered.merge(merged).moments(1.0))
    exact = [[Fraction(float(x)) for x in row] for row in X]
    share = [Fraction(1 if weight is None else float(weight[i])) for i in range(len(X))]
    total = sum(share)
    mean = [sum(w * row[j] for w, row in zip(share, exact, strict=True)) / total for j in range(3)]
    less = [[x - m for x, m in zip(row, mean, strict=True)] for row in exact]
    pairs = [(i, j) for i in range(3) for j in range(3) if i == j or depth == "products"]
    scatter = [
        float(sum(w * r[i] * r[j] for w, r in zip(share, less, strict=True))) for i, j in pairs
    ]
    np.testing.assert_allclose(found[0].mean, np.array(mean, float), rtol=3e-16)
    np.testing.assert_allclose(found[0].scatter.ravel(), scatter, rtol=3e-16)
    for other in found:
        np.testing.assert_array_equal(other.mean, found[0].mean)
        np.testing.assert_array_equal(other.scatter, found[0].scatter)
        np.testing.assert_array_equal(other.least, X.min(axis=0))
        assert (other.weight, other.squared_weight) == (found[0].weight, found[0].squared_weight)


@pytest.mark.parametrize("unit", [1e140, 1e-130])
def test_moments_of_numbers_whose_squares_lose_digits_are_not_told(unit):
    assert Gathered.of(rows(100) * unit, None, "products").moments(1.0) is None
    few = Gathered.of(rows(0), None, "products")
    assert few.moments(1.0) is None
    assert Gathered.merge([few, Gathered.of(rows(100), None, "products")]).moments(1.0).count == 100


def test_climatologies_and_means_of_labels_are_the_same_bits_in_any_chunks():
    rng = np.random.default_rng(8)
    dates = xr.date_range("2001-01-01", periods=400)
    values = rng.normal(size=(400, 8, 9)) + 5 * rng.integers(0, 2, (400, 1, 1))
    coords = {"time": dates, "lat": np.arange(8.0), "lon": np.arange(9.0)}
    field = xr.DataArray(values, coords, ("time", "lat", "lon"), name="z")

    def found(field):
        samples = field.cluster.snapshots("time").anomaly("time.month").pca(3)
        fit = samples.gmm(2)
        told = fit.back_projection(), fit.centers, fit.report().to_xarray()
        return fit.climatology.means["z"], *(each.to_array().values for each in told[:2]), told[2]

    expected = found(field)
    for chunks in ({"time": 77, "lon": 5}, {"time": 399}):
        for ours, other in zip(found(field.chunk(chunks)), expected, strict=True):
            if isinstance(other, np.ndarray):
                np.testing.assert_array_equal(ours, other)
            else:
                xr.testing.assert_equal(ours, other)
