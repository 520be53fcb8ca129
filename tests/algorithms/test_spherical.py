"""Spherical k-means against plain numpy."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.utils.estimator_checks import parametrize_with_checks

from xcluster.algorithms.defined import Defined
from xcluster.algorithms.parts.sums import Exact, rounded
from xcluster.algorithms.spherical import SphericalKMeans
from xcluster.base.errors import BadValueError
from xcluster.base.streaming import ArrayBlocks, Statistics, iterate

METRICS = ("cosine", "correlation")


NOT_MET = {
    "check_sample_weight_equivalence_on_dense_data": "rows that are repeated give other starts",
    "check_estimators_dtypes": "one of its rows is 0",
}


@parametrize_with_checks(
    [SphericalKMeans(2, n_init=1), Defined()],
    expected_failed_checks=lambda each: NOT_MET if hasattr(each, "n_clusters") else {},
)
def test_scikit_learn_accepts_the_estimator(estimator, check):
    check(estimator)


def rays(n=4000, k=6, p=7, spread=0.6, seed=0):
    """Return rows around some directions, of very different lengths."""
    rng = np.random.default_rng(seed)
    shapes, group = 2 * rng.normal(size=(k, p)), rng.integers(k, size=n)
    return (shapes[group] + spread * rng.normal(size=(n, p))) * rng.gamma(1, 1, (n, 1))


def unit(X, metric):
    X = np.asarray(X, np.float64)
    X = X - X.mean(axis=1, keepdims=True) if metric == "correlation" else X
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def dhillon(Z, k, weight, rng):
    """Dhillon and Modha's iteration from k-means++ starts: twice the sum of 1 - cosine."""
    centers = Z[[rng.integers(len(Z))]]
    while len(centers) < k:
        far = np.maximum(1 - (Z @ centers.T).max(axis=1), 0)
        centers = np.vstack([centers, Z[rng.choice(len(Z), p=far / far.sum())]])
    for _ in range(100):
        label = (Z @ centers.T).argmax(axis=1)
        for c in np.unique(label):
            total = weight[label == c] @ Z[label == c]
            centers[c] = total / np.linalg.norm(total)
    return 2 * weight @ (1 - (Z @ centers.T).max(axis=1))


@pytest.mark.parametrize("metric", METRICS)
def test_the_objective_is_at_most_that_of_the_best_of_many_starts(metric):
    X, rng = rays(), np.random.default_rng(1)
    weight = rng.gamma(2, 1, len(X))
    fit = SphericalKMeans(6, metric=metric, n_init=3).fit(X, sample_weight=weight)
    Z = unit(X, metric)
    best = min(dhillon(Z, 6, weight, rng) for _ in range(8))
    assert fit.inertia_ <= best * (1 + 1e-4)
    cosines = Z @ fit.cluster_centers_.T
    np.testing.assert_array_equal(fit.labels_, cosines.argmax(axis=1))
    np.testing.assert_allclose(fit.inertia_, 2 * weight @ (1 - cosines.max(axis=1)), rtol=1e-5)
    np.testing.assert_allclose(fit.score(X, sample_weight=weight), -fit.inertia_, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(fit.cluster_centers_, axis=1), 1)


def test_distances_are_angles_or_one_less_correlation():
    X = rays(300)
    fit = SphericalKMeans(3, n_init=1).fit(X)
    angles = np.arccos(1 - cdist(X, fit.cluster_centers_, "cosine"))
    np.testing.assert_allclose(fit.transform(X), angles, atol=1e-7)
    near = fit.cluster_centers_[:1].copy()
    near[0, np.argmin(abs(near))] += 1e-7
    assert 5e-8 < fit.transform(near)[0, 0] <= 1e-7  # arccos of a cosine would give 0
    fit = SphericalKMeans(3, metric="correlation", n_init=1).fit(X)
    expected = cdist(X, fit.cluster_centers_, "correlation")
    np.testing.assert_allclose(fit.transform(X), expected, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_lengths_and_units_change_no_label(metric):
    X = rays()
    labels = SphericalKMeans(5, metric=metric, n_init=2).fit(X).labels_
    powers = 2.0 ** np.random.default_rng(2).integers(-80, 80, (len(X), 1))
    for scaled in (X * powers, X * 2.0**900, X * 2.0**-1000):
        again = SphericalKMeans(5, metric=metric, n_init=2).fit(scaled)
        np.testing.assert_array_equal(again.labels_, labels)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("metric", METRICS)
def test_exact_sums_are_the_same_in_any_blocks_and_right(metric, dtype):
    X = rays().astype(dtype)
    weight = np.random.default_rng(3).gamma(2, 1, len(X))
    fit = SphericalKMeans(5, metric=metric, n_init=1).fit(X)
    sums = Exact.guessed(X, weight)

    def of(order, n_blocks):
        parts = [
            fit.partial_statistics(X[rows], weight[rows], sums)
            for rows in np.array_split(order, n_blocks)
        ]
        return {name: rounded(each) for name, each in Statistics.merge(parts).sums.items()}

    found = of(np.arange(len(X)), 1)
    for name, each in of(np.random.default_rng(4).permutation(len(X)), 7).items():
        np.testing.assert_array_equal(each, found[name], name)
    Z, labels = unit(X, metric), fit.predict(X)
    totals = [weight[labels == c] @ (Z - fit.origin_)[labels == c] for c in range(5)]
    np.testing.assert_allclose(found["rows"], totals, rtol=1e-5, atol=1e-4)


def test_a_step_of_a_stream_is_that_of_dhillon():
    X, weight = rays(), np.random.default_rng(5).gamma(2, 1, 4000)
    fit = SphericalKMeans(5, n_init=1, max_iter=1, tol=0).fit(X, sample_weight=weight)
    label, Z = fit.predict(X), unit(X, "cosine")
    iterate(fit, ArrayBlocks(X, weight, 300), 1)
    totals = np.array([weight[label == c] @ Z[label == c] for c in range(5)])
    lengths = np.linalg.norm(totals, axis=1)
    np.testing.assert_allclose(fit.cluster_centers_, totals / lengths[:, None], atol=1e-6)
    np.testing.assert_allclose(fit.inertia_, 2 * (weight.sum() - lengths.sum()), rtol=1e-5)


def test_given_centres_may_have_any_length_but_zero():
    X = rays()
    centers = SphericalKMeans(4, n_init=1).fit(X).cluster_centers_
    given = SphericalKMeans(4, init=centers * [[1], [9], [0.1], [1e30]]).fit(X)
    np.testing.assert_allclose(given.cluster_centers_, centers, atol=1e-3)
    with pytest.raises(BadValueError, match="undefined for 1 of 4"):
        SphericalKMeans(4, init=centers * [[1], [0], [1], [1]]).fit(X)


def test_fewer_directions_than_clusters_are_an_error():
    X = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0], [0.0, 1.0]])
    with pytest.raises(BadValueError, match="distinct rows, and there are 2"):
        SphericalKMeans(3).fit(X)


@pytest.mark.parametrize(("metric", "row"), [("cosine", 0.0), ("correlation", 0.3)])
def test_rows_without_a_direction_are_refused(metric, row):
    X = rays(100)
    fit = SphericalKMeans(2, metric=metric, n_init=1).fit(X)
    X[[4, 9]] = row
    for act in (fit.fit, fit.predict, fit.transform, fit.score):
        with pytest.raises(BadValueError, match="undefined for 2 of 100 samples"):
            act(X)


def test_which_rows_have_a_direction():
    rows = np.array([[0, 0, 0], [-0.0, 0, 0], [1e-320, 0, 0], [1e300, -1e300, 0], [0.1, 0.1, 0.1]])
    rows = np.vstack([rows, [0.3, 0.1 + 0.2, 0.3], [1.0, 1.0, 1.001]])
    found = [np.isnan(Defined(metric).fit(rows).transform(rows)[:, 0]) for metric in METRICS]
    np.testing.assert_array_equal(found[0], [1, 1, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(found[1], [1, 1, 0, 0, 1, 1, 0])
