"""k-medoids: against plain PAM, under all metrics, and with bad input."""

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.metrics import pairwise_distances
from sklearn.utils.estimator_checks import parametrize_with_checks

from xcluster.algorithms import medoids
from xcluster.algorithms.kernels.medoids import swap
from xcluster.algorithms.medoids import KMedoids
from xcluster.algorithms.parts import dissimilarities
from xcluster.algorithms.parts.dissimilarities import METRICS, Dissimilarity
from xcluster.algorithms.parts.shape_metrics import ShapeBased
from xcluster.algorithms.warping import dtw
from xcluster.base import memory
from xcluster.base.parallel import n_threads

RNG = np.random.default_rng(0)
X = np.concatenate([RNG.normal(c, 1, (50, 4)) for c in (2.0, 6.0, 11.0)])[RNG.permutation(150)]
WEIGHT = RNG.integers(1, 4, len(X)).astype(float)


@parametrize_with_checks([KMedoids(2, n_init=2)])
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


def pam(D, weight, chosen):
    """Take the best of all exchanges until none lowers the loss, by plain sums."""
    loss = weight @ D[chosen].min(axis=0)
    while True:
        trials = [
            (weight @ D[[*np.delete(chosen, i), c]].min(axis=0), i, c)
            for i, c in itertools.product(range(len(chosen)), range(len(D)))
        ]
        best, i, c = min(trials)
        if best >= loss * (1 - 1e-9):
            return loss
        loss, chosen = best, np.append(np.delete(chosen, i), c)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_exchanges_end_where_plain_pam_finds_none(k):
    D = cdist(X, X, "cityblock").astype(np.float32)
    found = np.arange(k)
    loss, _ = swap(D, WEIGHT, found, 100)
    assert loss == pytest.approx(WEIGHT @ D[found].min(axis=0), rel=1e-6)
    assert pam(D.astype(float), WEIGHT, found) == pytest.approx(loss, rel=1e-6)


def test_two_medoids_are_the_best_of_all_pairs():
    D = cdist(X, X)
    best = min(WEIGHT @ np.minimum(D[a], D[b]) for a, b in itertools.combinations(range(len(X)), 2))
    fit = KMedoids(2).fit(X, sample_weight=WEIGHT)
    assert fit.loss_ == pytest.approx(best, rel=1e-12)
    np.testing.assert_array_equal(X[fit.medoid_indices_], fit.cluster_centers_)
    assert fit.score(X, sample_weight=WEIGHT) == pytest.approx(-best, rel=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_distances_are_those_of_scikit_learn(metric):
    rows = X[:, :2] / 10 if metric == "haversine" else X
    measure = Dissimilarity(metric)
    own = {"dtw": dtw, "sbd": lambda a, b: np.sqrt(ShapeBased().costs(a, b))}
    expected = own[metric](rows, rows) if metric in own else pairwise_distances(rows, metric=metric)
    found = measure(rows, rows[:40])
    np.testing.assert_allclose(found, expected[:, :40], rtol=1e-9, atol=1e-12)
    matrix = measure.matrix(measure.placed(rows)).astype(float)
    unit = expected.max() / matrix.max()
    assert np.log2(unit) == pytest.approx(round(np.log2(unit)), abs=1e-6)
    np.testing.assert_allclose(matrix * unit, expected, rtol=1e-6, atol=1e-7)


def test_a_matrix_of_several_tiles_is_symmetric_and_the_same(monkeypatch):
    measure = Dissimilarity("dtw")
    whole = measure.matrix(X)
    monkeypatch.setattr(dissimilarities, "TILE", 41)
    np.testing.assert_array_equal(measure.matrix(X), whole)
    np.testing.assert_array_equal(whole, whole.T)


@pytest.mark.parametrize(
    "metric", ["euclidean", "sqeuclidean", "cityblock", "cosine", "dtw", "sbd"]
)
def test_units_and_the_order_of_rows_change_no_label(metric):
    fit = KMedoids(4, metric=metric).fit(X)
    for unit in (2.0**60, 2.0**-60):
        np.testing.assert_array_equal(KMedoids(4, metric=metric).fit(X * unit).labels_, fit.labels_)
    order = np.random.default_rng(1).permutation(len(X))
    np.testing.assert_array_equal(clone(fit).fit(X[order]).labels_, fit.labels_[order])
    np.testing.assert_array_equal(fit.predict(X), fit.labels_)
    np.testing.assert_array_equal(fit.transform(X).argmin(axis=1), fit.labels_)


def test_the_number_of_threads_changes_nothing(monkeypatch):
    fit = KMedoids(4, max_exact=100).fit(X)
    monkeypatch.setattr("xcluster.base.parallel.n_threads", lambda: 1)
    again = clone(fit).fit(X)
    assert n_threads() >= 1
    assert again.loss_ == fit.loss_
    np.testing.assert_array_equal(again.labels_, fit.labels_)


@pytest.mark.parametrize("max_exact", [None, 100])
def test_a_weight_of_two_is_a_row_twice(max_exact):
    fit = KMedoids(4, max_exact=max_exact).fit(X, sample_weight=WEIGHT)
    twice = clone(fit).fit(np.repeat(X, WEIGHT.astype(int), axis=0))
    np.testing.assert_array_equal(twice.cluster_centers_, fit.cluster_centers_)
    np.testing.assert_array_equal(twice.counts_, fit.counts_)


def test_a_row_of_weight_zero_gets_a_label_and_is_no_medoid():
    weight = np.append(np.ones(len(X)), 0.0)
    far = np.vstack([X, np.full(4, 1e6)])
    fit = KMedoids(3).fit(far, sample_weight=weight)
    assert len(X) not in fit.medoid_indices_
    assert fit.labels_[-1] == 2
    assert fit.counts_.sum() == len(X)


def test_samples_of_many_rows_come_near_the_search_among_all(monkeypatch):
    monkeypatch.setattr(medoids, "SAMPLE_ROWS", 96)
    exact, some = (KMedoids(3, max_exact=most).fit(X) for most in (None, 120))
    assert exact.exact_
    assert not some.exact_
    assert exact.loss_ <= some.loss_ < 1.05 * exact.loss_
    assert some.loss_ == pytest.approx(cdist(X, X[some.medoid_indices_]).min(axis=1).sum())


def test_a_search_that_starts_among_some_rows_is_continued_among_all(monkeypatch):
    alone = KMedoids(3).fit(X)
    monkeypatch.setattr(medoids, "START_ROWS", 10)
    assert KMedoids(3).fit(X).loss_ == pytest.approx(alone.loss_)


def test_fits_of_several_k_are_those_of_each():
    ks = (2, 3, 6)
    for k, each in zip(ks, KMedoids(metric="cityblock").fit_each(X, ks, WEIGHT), strict=True):
        alone = KMedoids(k, metric="cityblock").fit(X, sample_weight=WEIGHT)
        np.testing.assert_array_equal(each.medoid_indices_, alone.medoid_indices_)


def test_the_medoid_silhouette_compares_the_two_nearest_medoids():
    fit = KMedoids(3, metric="chebyshev").fit(X)
    a, b = np.sort(cdist(X, fit.cluster_centers_, "chebyshev"), axis=1)[:, :2].T
    expected = np.average(1 - a / b, weights=WEIGHT)
    assert fit.medoid_silhouette(X, WEIGHT) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="two medoids"):
        KMedoids(1).fit(X).medoid_silhouette(X)


def test_a_function_gives_what_the_metric_of_its_name_gives():
    fit = KMedoids(3, metric=lambda a, b: np.abs(a - b).sum()).fit(X)
    named = KMedoids(3, metric="cityblock").fit(X)
    np.testing.assert_array_equal(fit.medoid_indices_, named.medoid_indices_)
    np.testing.assert_array_equal(fit.predict(X), named.labels_)


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        (lambda a, b: a[0] - b[0], "from 0 on"),
        (lambda a, b: np.nan, "returns nan"),
        (lambda a, b: np.inf, "returns inf"),
        (lambda a, b: abs(a[0] - 2 * b[0]), "row and itself"),
        (lambda a, b: max(a[0] - b[0], 0.0), "not symmetric"),
        (lambda a, b: a, "one number, not ndarray"),
        (lambda a, b: "far", "one number, not str"),
        (lambda a: 0.0, "failed with TypeError"),
        (lambda a, b: a.fill(0), "failed with ValueError, assignment destination is read-only"),
    ],
)
def test_a_function_that_is_no_metric_is_refused(metric, said):
    with pytest.raises((ValueError, TypeError), match=said):
        KMedoids(3, metric=metric).fit(X)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"metric": "euclidan"}, "did you mean 'euclidean'"),
        ({"metric": None}, "must be one of"),
        ({"metric": "haversine"}, "rows have 4 features"),
        ({"window": 2}, "metric='dtw' only"),
        ({"metric": "dtw", "window": -1}, "at least 0"),
        ({"metric": "dtw", "n_channels": 3}, "divide the number of features"),
        ({"n_clusters": 0}, "at least 1"),
        ({"n_clusters": 151}, "150 distinct rows"),
        ({"n_init": 0}, "at least 1"),
        ({"max_iter": 0}, "at least 1"),
        ({"max_exact": 1}, "at least 2"),
    ],
)
def test_bad_parameters_are_refused(given, said):
    with pytest.raises(ValueError, match=f"(?i){said}"):
        KMedoids(**{"n_clusters": 3, **given}).fit(X)


def test_rows_that_the_metric_does_not_tell_apart_are_too_few():
    series = np.array([[0.0, 0, 1, 2], [0, 1, 2, 2], [0, 1, 1, 2]])
    with pytest.raises(ValueError, match="rows that the metric tells apart, and there are 1"):
        KMedoids(2, metric="dtw").fit(series)


def test_rows_without_a_direction_are_refused():
    with pytest.raises(ValueError, match=r"cosine.*undefined for 1 of 151"):
        KMedoids(2, metric="cosine").fit(np.vstack([X, np.zeros(4)]))


def test_distances_that_do_not_fit_in_memory_are_refused_before_they_are_computed(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 1e9)
    model = KMedoids(3)
    model.check_memory(15_000, 4)
    with pytest.raises(ValueError, match=r"1.6 GB.*20,000 samples, and 1 GB.*max_exact=5000"):
        model.check_memory(20_000, 4)
    KMedoids(3, max_exact=5000).check_memory(20_000, 4)
