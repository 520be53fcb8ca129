"""k-means: scikit-learn is the oracle, the number of threads must not matter."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from sklearn.cluster import KMeans as PeerKMeans
from sklearn.datasets import make_blobs
from sklearn.utils.estimator_checks import parametrize_with_checks

from xcluster.algorithms.kernels import lloyd, runs
from xcluster.algorithms.kmeans import KMeans, grow
from xcluster.algorithms.parts import placed
from xcluster.algorithms.parts.bounded import BoundedLloyd
from xcluster.algorithms.parts.frame import Frame
from xcluster.algorithms.parts.placed import PlacedRows
from xcluster.algorithms.parts.seeding import kmeans_plusplus, random_rows
from xcluster.base import parallel
from xcluster.base.streaming import ArrayBlocks, iterate

NOT_MET = {
    "check_sample_weight_equivalence_on_dense_data": (
        "the check shuffles the rows, and starts are drawn by position, as in scikit-learn"
    )
}


@parametrize_with_checks([KMeans(2, n_init=2)], expected_failed_checks=lambda _: NOT_MET)
def test_follows_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def blobs():
    X, _ = make_blobs(40_000, 7, centers=6, cluster_std=3.0, random_state=1)
    return X.astype(np.float32)


def both(X, starts, **params):
    """Fit ours and scikit-learn's from the same starts."""
    k = len(starts)
    ours = KMeans(k, init=starts, n_init=1, **params).fit(X)
    return ours, PeerKMeans(k, init=starts, n_init=1, **params).fit(X)


def sum_of_squares(X, labels, weight=None):
    weight = np.ones(len(X)) if weight is None else weight
    total = 0.0
    for label in np.unique(labels):
        rows, w = X[labels == label].astype(np.float64), weight[labels == label]
        total += w @ ((rows - np.average(rows, axis=0, weights=w)) ** 2).sum(axis=1)
    return total


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_labels_from_the_same_starts_are_those_of_scikit_learn(blobs, dtype):
    X = blobs.astype(dtype)
    ours, peer = both(X, X[:6])
    np.testing.assert_array_equal(ours.labels_, peer.labels_)
    np.testing.assert_allclose(ours.cluster_centers_, peer.cluster_centers_, rtol=1e-4, atol=1e-5)
    assert ours.n_iter_ == peer.n_iter_


def test_labels_of_real_data_are_those_of_scikit_learn(wine):
    ours, peer = both(wine, wine[::60], tol=0)
    np.testing.assert_array_equal(ours.labels_, peer.labels_)
    assert ours.inertia_ == pytest.approx(peer.inertia_, rel=1e-6)


def test_many_features_and_centres_give_the_labels_of_scikit_learn():
    X, _ = make_blobs(3_000, 90, centers=50, cluster_std=2.0, random_state=0)
    starts = kmeans_plusplus(X, 50)
    ours, peer = both(X, starts)
    np.testing.assert_array_equal(ours.labels_, peer.labels_)
    assert ours.inertia_ == pytest.approx(peer.inertia_, rel=1e-6)


def test_both_ways_of_finding_the_nearest_centre_agree(blobs, monkeypatch):
    frame = Frame.of(blobs)
    lanes = lloyd.nearest(blobs, frame.origin, frame.unit, frame.place(blobs[:9]))
    monkeypatch.setattr(lloyd, "PRODUCT_FEATURES", 1)
    product = lloyd.nearest(blobs, frame.origin, frame.unit, frame.place(blobs[:9]))
    np.testing.assert_array_equal(lanes[0], product[0])
    np.testing.assert_allclose(lanes[1], product[1], rtol=1e-5)


def test_inertia_is_the_sum_of_squares_in_float64(blobs):
    fit = KMeans(6, n_init=1, tol=0).fit(blobs)
    assert fit.inertia_ == pytest.approx(sum_of_squares(blobs, fit.labels_), rel=1e-7)
    assert fit.score(blobs) == pytest.approx(-fit.inertia_, rel=1e-12)


def test_labels_do_not_depend_on_the_number_of_threads(blobs, monkeypatch):
    fits = []
    for n in (1, 2, 5):
        monkeypatch.setattr(parallel, "n_threads", lambda n=n: n)
        fits.append(KMeans(9, n_init=2).fit(blobs))
    for other in fits[1:]:
        np.testing.assert_array_equal(fits[0].labels_, other.labels_)
        np.testing.assert_array_equal(fits[0].cluster_centers_, other.cluster_centers_)


def test_the_same_data_twice_give_the_same_labels(wine):
    first, second = (KMeans(4).fit_predict(wine) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_several_starts_are_at_least_as_good_as_one_and_as_scikit_learns(wine):
    one, several = KMeans(7, n_init=1).fit(wine), KMeans(7).fit(wine)
    peer = PeerKMeans(7, n_init=50, random_state=0).fit(wine)
    assert several.inertia_ <= one.inertia_
    assert several.inertia_ <= 1.0001 * peer.inertia_


def test_weights_of_two_equal_a_row_repeated(wine):
    weight = np.random.default_rng(0).integers(0, 3, len(wine))
    weighted = KMeans(3, init=wine[::60], tol=0).fit(wine, sample_weight=weight)
    repeated = KMeans(3, init=wine[::60], tol=0).fit(np.repeat(wine, weight, axis=0))
    np.testing.assert_allclose(weighted.cluster_centers_, repeated.cluster_centers_, rtol=1e-10)
    np.testing.assert_array_equal(np.repeat(weighted.labels_, weight), repeated.labels_)
    assert weighted.inertia_ == pytest.approx(repeated.inertia_)
    np.testing.assert_allclose(weighted.counts_, repeated.counts_)


def test_weights_give_the_centres_of_scikit_learn(blobs):
    weight = np.random.default_rng(0).uniform(0, 5, len(blobs))
    ours = KMeans(6, init=blobs[:6]).fit(blobs, sample_weight=weight)
    peer = PeerKMeans(6, init=blobs[:6]).fit(blobs, sample_weight=weight)
    np.testing.assert_allclose(ours.cluster_centers_, peer.cluster_centers_, rtol=1e-3, atol=1e-3)


def test_starts_of_weighted_rows_are_those_of_rows_repeated(wine):
    weight = np.random.default_rng(0).integers(0, 4, len(wine))
    weighted = kmeans_plusplus(wine, 5, weight.astype(float))
    np.testing.assert_array_equal(weighted, kmeans_plusplus(np.repeat(wine, weight, axis=0), 5))


def test_rows_without_weight_are_no_starts():
    X = np.r_[np.zeros((5, 1)), np.ones((5, 1)), np.full((5, 1), 100.0)]
    weight = np.repeat([1.0, 1.0, 0.0], 5)
    for seed in range(20):
        starts = kmeans_plusplus(X, 2, weight, seed)
        assert sorted(starts.ravel()) == [0, 1]


def test_random_starts_are_different_rows_drawn_by_weight():
    X = np.arange(4.0)[:, None]
    weight = np.array([0.0, 1.0, 2.0, 5.0])
    random = np.random.RandomState(0)
    pairs = np.array([random_rows(X, 2, weight, random).ravel() for _ in range(4_000)])
    assert (pairs[:, 0] != pairs[:, 1]).all()
    shares = np.bincount(pairs[:, 0].astype(int), minlength=4) / len(pairs)
    np.testing.assert_allclose(shares, weight / 8, atol=0.03)


def test_random_starts_end_as_low_as_the_best_of_many_of_scikit_learn(blobs):
    ours = KMeans(6, init="random").fit(blobs)
    peer = PeerKMeans(6, init="random", n_init=5, random_state=0).fit(blobs)
    assert ours.inertia_ <= 1.0001 * peer.inertia_


def test_a_function_gives_each_start_and_draws_from_the_seed(wine):
    drawn = []

    def any_rows(X, n_clusters, random_state):
        drawn.append(random_state.randint(len(X), size=n_clusters))
        return X[drawn[-1]]

    fit = KMeans(3, init=any_rows, n_init=4, random_state=7).fit(wine)
    expected = np.random.RandomState(7).randint(len(wine), size=(4, 3))
    np.testing.assert_array_equal(drawn, expected)
    assert fit.inertia_ == pytest.approx(KMeans(3).fit(wine).inertia_, rel=1e-6)


@pytest.mark.parametrize("n_rows", [100, 40_000])
def test_random_starts_need_as_many_rows_with_weight_as_clusters(n_rows):
    X = np.random.default_rng(0).normal(size=(n_rows, 2))
    weight = np.zeros(n_rows)
    weight[[3, 50, 80]] = 1.0
    with pytest.raises(ValueError, match=r"n_clusters=4.*there are 3 distinct rows"):
        KMeans(4, init="random").fit(X, sample_weight=weight)
    assert KMeans(3, init="random").fit(X, sample_weight=weight).inertia_ == 0


def test_float32_and_float64_rows_give_the_same_labels(blobs):
    single, double = (KMeans(6, n_init=1).fit(blobs.astype(t)) for t in (np.float32, np.float64))
    np.testing.assert_array_equal(single.labels_, double.labels_)


@pytest.mark.parametrize("offset", [1e6, -1e6])
def test_a_large_offset_changes_no_label(wine, offset):
    near = KMeans(3, init=wine[::60]).fit(wine)
    far = KMeans(3, init=wine[::60] + offset).fit(wine + offset)
    np.testing.assert_array_equal(near.labels_, far.labels_)
    assert far.inertia_ == pytest.approx(near.inertia_, rel=1e-6)


@pytest.mark.parametrize("offset", [1e2, 1e4])
def test_float32_rows_far_from_zero_have_exact_means_and_nearest_centres(offset):
    X = (np.random.default_rng(1).normal(size=(1_000, 12)) + offset).astype(np.float32)
    rows = X.astype(np.float64)
    assert (np.median(rows, axis=0) % np.spacing(X[0, 0])).any()  # float32 would round the origin
    fit = KMeans(5, n_init=1, tol=0, max_iter=1000).fit(X)
    means = [rows[fit.labels_ == k].mean(axis=0) for k in range(5)]
    np.testing.assert_allclose(fit.cluster_centers_, means, rtol=1e-12)
    squared = ((rows[:, None] - fit.cluster_centers_) ** 2).sum(axis=2)
    best, second = np.sort(squared, axis=1)[:, :2].T
    clear = second - best > 1e-5
    np.testing.assert_array_equal(fit.labels_[clear], squared.argmin(axis=1)[clear])
    np.testing.assert_array_equal(KMeans(9).fit(X[:9]).transform(X[:9]).min(axis=1), 0)


@pytest.mark.parametrize("unit", [1e-30, 1e30])
def test_the_unit_of_the_data_changes_no_label(wine, unit):
    plain, other = (KMeans(3, n_init=2).fit(wine * u) for u in (1.0, unit))
    np.testing.assert_array_equal(plain.labels_, other.labels_)


def test_empty_clusters_are_filled(blobs):
    starts = np.r_[blobs[:3], np.full((3, 7), 1e4)]
    fit = KMeans(6, init=starts).fit(blobs)
    good = KMeans(6).fit(blobs)
    assert (np.bincount(fit.labels_, minlength=6) > 0).all()
    assert fit.inertia_ < 1.5 * good.inertia_


def test_as_many_clusters_as_distinct_rows_are_found():
    X = np.repeat(np.array([[0.0, 0.1], [0.0, 0.2], [0.7, 0.0]]), 50, axis=0)
    fit = KMeans(3, init=np.zeros((3, 2))).fit(X)
    assert fit.inertia_ == pytest.approx(0, abs=1e-12)
    assert sorted(fit.counts_) == [50, 50, 50]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_more_clusters_than_distinct_rows_are_refused(dtype, offset):
    X = (np.repeat(np.array([[0.0, 0.1], [0.3, 0.2], [0.7, 0.0]]), 50, axis=0) + offset).astype(
        dtype
    )
    with pytest.raises(ValueError, match=r"n_clusters=4.*3 distinct rows"):
        KMeans(4).fit(X)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"n_clusters": 0}, ValueError, "n_clusters=0"),
        ({"n_clusters": 2.0}, TypeError, "n_clusters=2.0"),
        ({"n_clusters": True}, TypeError, "n_clusters=True"),
        ({"n_clusters": 1000}, ValueError, "n_clusters=1000.*178"),
        ({"init": "any"}, ValueError, "init='any'"),
        ({"init": lambda X, k, random_state: X[:2]}, ValueError, r"init\(...\).*shape \(8, 13\)"),
        ({"init": np.zeros((2, 2))}, ValueError, r"init=\(2, 2\)"),
        ({"tol": -1.0}, ValueError, "tol=-1.0"),
        ({"max_iter": 0}, ValueError, "max_iter=0"),
    ],
)
def test_bad_parameters_are_named(wine, params, error, message):
    with pytest.raises(error, match=message):
        KMeans(**params).fit(wine)


def test_negative_weights_are_refused(wine):
    with pytest.raises(ValueError, match="sample_weight"):
        KMeans(2).fit(wine, sample_weight=-np.ones(len(wine)))


def test_transform_gives_distances_and_predict_the_nearest(wine):
    fit = KMeans(4, n_init=1).fit(wine)
    distances = np.linalg.norm(wine[:, None] - fit.cluster_centers_, axis=2)
    np.testing.assert_allclose(fit.transform(wine), distances, rtol=1e-6)
    np.testing.assert_array_equal(fit.predict(wine), distances.argmin(axis=1))
    np.testing.assert_array_equal(fit.predict(wine), fit.labels_)
    assert fit.get_feature_names_out().tolist() == [f"kmeans{i}" for i in range(4)]


def test_a_fit_on_a_sample_is_refined_over_blocks_of_all_rows(blobs):
    starts = blobs[:6]
    whole = KMeans(6, init=starts, tol=0).fit(blobs)
    refined = KMeans(6, init=starts, tol=0).fit(blobs[::10])
    passes = iterate(refined, ArrayBlocks(blobs, rows=7_001), 300)
    np.testing.assert_allclose(refined.cluster_centers_, whole.cluster_centers_, atol=1e-5)
    assert refined.inertia_ == pytest.approx(whole.inertia_, rel=1e-6)
    assert passes < 300


def test_statistics_of_no_rows_change_nothing(wine):
    fit = KMeans(3).fit(wine)
    merged = ArrayBlocks(wine).reduce(fit.partial_statistics)
    none = fit.partial_statistics(wine[:0])
    for name, value in merged.sums.items():
        np.testing.assert_array_equal(value + none.sums[name], value)


def test_streaming_starts_an_empty_cluster_again(wine):
    fit = KMeans(3).fit(wine)
    fit.cluster_centers_[2] = 1e5
    iterate(fit, ArrayBlocks(wine, rows=50), 100)
    assert (fit.counts_ > 0).all()


def test_starts_differ_from_each_other_and_are_rows(blobs):
    random = np.random.RandomState(0)
    first, second = (kmeans_plusplus(blobs, 5, random_state=random) for _ in range(2))
    assert not np.array_equal(first, second)
    assert {tuple(row) for row in first} <= {tuple(row) for row in blobs.astype(np.float64)}


def test_starts_are_as_good_as_scikit_learns(blobs):
    from sklearn.cluster import kmeans_plusplus as peer

    def potential(start):
        return np.mean([-score(blobs, start(s)) for s in range(10)])

    ours = potential(partial(kmeans_plusplus, blobs, 6, None))
    theirs = potential(lambda seed: peer(blobs, 6, random_state=seed)[0])
    assert ours < 1.1 * theirs


def score(X, centers):
    model = KMeans(len(centers), init=centers, max_iter=1).fit(X)
    model.cluster_centers_ = np.asarray(centers, dtype=np.float64)
    return model.score(X)


def test_growing_adds_a_row_that_lowers_the_inertia(blobs):
    fit = KMeans(5, n_init=1).fit(blobs)
    grown = grow(fit.cluster_centers_, blobs)
    np.testing.assert_array_equal(grown[:5], fit.cluster_centers_)
    assert grown[5].astype(np.float32) in blobs
    assert score(blobs, grown) > score(blobs, fit.cluster_centers_)


def test_a_block_is_smaller_than_the_rows_of_these_tests(blobs):
    """Else the tests of threads would test nothing."""
    assert len(blobs) > 2 * placed.BLOCK_ROWS
    assert len(blobs) > placed.FEW_ROWS


def plain_lloyd(X, centers, weight, passes):
    """Measure every row in every pass: what the bounded iteration must not differ from."""
    for _ in range(passes):
        labels = all_squared(X, centers).argmin(axis=1)
        counts = np.bincount(labels, weight, minlength=len(centers))
        if not counts.all():
            return labels, None
        totals = np.zeros(centers.shape)
        np.add.at(totals, labels, weight[:, None] * X.astype(np.float64))
        centers = totals / counts[:, None]
    return labels, centers


def all_squared(X, centers):
    squared = np.zeros((len(X), len(centers)), np.float32)
    for x, c in zip(X.T, centers.T.astype(np.float32), strict=True):
        squared += (x[:, None] - c) ** 2
    return squared


def ties(random, p):
    """Rows on a coarse lattice: many equal ones, many as far from one centre as from another."""
    return random.integers(-3, 4, (9_000, p)) / 4


def clouds(random, p):
    return random.normal(size=(9_000, p)) / 4


def far_apart(random, p):
    """Rows of very different size: float32 has few digits left for the small ones."""
    return random.normal(size=(9_000, p)) * 10.0 ** random.integers(-6, 1, (9_000, 1))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("p", [1, 3, 7, 90])
@pytest.mark.parametrize("make", [ties, clouds, far_apart])
def test_bounds_change_no_label_in_any_pass(make, p, weighted):
    random = np.random.default_rng(p)
    X = make(random, p).astype(np.float32)
    weight = random.integers(0, 3, len(X)).astype(float) if weighted else np.ones(len(X))
    starts = np.unique(X[:40], axis=0)[:9].astype(np.float64)
    rows = PlacedRows.of(X, weight if weighted else None, Frame(np.zeros(p), 1.0))
    run, centers = BoundedLloyd(rows, starts), starts
    for _ in range(30):
        labels, centers = plain_lloyd(X, centers, weight, 1)
        run.assign()
        np.testing.assert_array_equal(np.concatenate(run.labels), labels)
        if centers is None:
            break
        run.step()
        np.testing.assert_allclose(run.means, centers, rtol=1e-12, atol=1e-13)
        centers = run.means  # else the last digit of a sum could decide a tie


@pytest.mark.parametrize("p", [1, 3, 7, 90])
@pytest.mark.parametrize("make", [ties, clouds, far_apart])
def test_bounds_hold_after_swaps_and_their_withdrawal(make, p):
    X = make(np.random.default_rng(p), p).astype(np.float32)
    run = BoundedLloyd(
        PlacedRows.of(X, None, Frame(np.zeros(p), 1.0)), np.unique(X[:40], axis=0)[:7]
    )
    for _ in range(3):
        run.assign()
        run.step()
    for split, removed in [(0, 1), (3, 6), (5, 2)]:
        before, labels = run.kept(), np.concatenate(run.labels)
        shift = 0.3 * X.std(axis=0)
        run.swap(split, removed, run.means[split] + shift, run.means[split] - shift)
        run.assign()
        expected, _ = plain_lloyd(X, run.centers, np.ones(len(X)), 1)
        np.testing.assert_array_equal(np.concatenate(run.labels), expected)
        np.testing.assert_array_equal(run.counts, np.bincount(expected, minlength=len(run.counts)))
        run.restore(before)
        np.testing.assert_array_equal(np.concatenate(run.labels), labels)
        run.assign()
        expected, _ = plain_lloyd(X, run.centers, np.ones(len(X)), 1)
        np.testing.assert_array_equal(np.concatenate(run.labels), expected)
        run.step()


@pytest.mark.parametrize("weighted", [False, True])
def test_passes_in_one_call_are_those_of_one_pass_after_the_other(weighted):
    random = np.random.default_rng(0)
    X = random.normal(size=(20_000, 3))
    weight = random.integers(0, 3, len(X)).astype(float) if weighted else None
    rows = PlacedRows.of(X, weight, Frame(np.zeros(3), 1.0))
    one, other = BoundedLloyd(rows, X[:5]), BoundedLloyd(rows, X[:5])
    assert one.iterate(12, 0.0, -np.inf) == (12, runs.ON)
    for _ in range(12):
        other.assign()
        other.step()
    for ours, theirs in zip(one.kept(), other.kept(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_bounds_spare_most_measurements(blobs):
    rows = PlacedRows.of(blobs, None, Frame.of(blobs))
    run = BoundedLloyd(rows, rows.frame.place(blobs[:6]).astype(np.float64))
    for _ in range(8):
        run.assign()
        run.step()
    lost = [gap <= run.loss[own] for gap, own in zip(run.gaps, run.labels, strict=True)]
    assert np.concatenate(lost).mean() < 0.3


def test_a_cluster_that_loses_all_its_weight_is_empty():
    """Weights that come and go leave rounding behind, which is no cluster."""
    random = np.random.default_rng(0)
    X = random.normal(size=(500, 2))
    weight = random.uniform(0, 1, 500) ** 3
    run = BoundedLloyd(PlacedRows.of(X, weight, Frame(np.zeros(2), 1.0)), X[:4])
    run.assign()
    run.place(np.r_[run.means[:3], [[50.0, 50.0]]])
    run.assign()
    assert run.counts[3] == 0
    assert run.counts.sum() == pytest.approx(weight.sum(), rel=1e-12)


def test_as_many_clusters_as_rows_are_the_rows(wine):
    fit = KMeans(len(wine), n_init=1).fit(wine)
    assert sorted(fit.labels_) == list(range(len(wine)))
    np.testing.assert_allclose(fit.cluster_centers_[fit.labels_], wine, rtol=1e-12)


def test_one_cluster_is_the_mean(blobs):
    fit = KMeans(1, n_init=1).fit(blobs)
    np.testing.assert_allclose(fit.cluster_centers_[0], blobs.mean(0, dtype=float), atol=1e-6)
    assert fit.n_iter_ <= 2


def test_equal_rows_are_one_cluster_at_once():
    fit = KMeans(1, n_init=1).fit(np.full((100, 3), 0.1))
    assert fit.n_iter_ == 1


def test_few_rows_give_the_same_labels_with_any_number_of_threads(wine, monkeypatch):
    """Few rows: each start has a thread, instead of each block."""
    fits = []
    for n in (1, 2, 5):
        monkeypatch.setattr(parallel, "n_threads", lambda n=n: n)
        fits.append(KMeans(9).fit(wine))
    for other in fits[1:]:
        np.testing.assert_array_equal(fits[0].labels_, other.labels_)
        np.testing.assert_array_equal(fits[0].cluster_centers_, other.cluster_centers_)
