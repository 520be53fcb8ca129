"""How near the best optimum k-means ends: many runs of scikit-learn are the reference."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans as PeerKMeans
from sklearn.datasets import make_blobs

from xcluster.algorithms.kernels import swaps
from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.parts import swaps as search
from xcluster.algorithms.parts.bounded import BoundedLloyd, iterate_bounded
from xcluster.algorithms.parts.frame import Frame
from xcluster.algorithms.parts.placed import PlacedRows
from xcluster.algorithms.parts.seeding import representatives
from xcluster.base import parallel
from xcluster.base.errors import BadValueError


def many_dims():
    return make_blobs(2_000, 50, centers=25, random_state=0)[0], 25


def many_labels():
    return make_blobs(2_000, 2, centers=40, cluster_std=0.5, random_state=3)[0], 40


def few_rows():
    return make_blobs(200, 4, centers=6, cluster_std=2.0, random_state=4)[0], 10


def duplicates():
    return np.random.default_rng(0).integers(0, 5, (2_000, 3)).astype(float), 12


def nested():
    random = np.random.default_rng(0)
    scale = 10.0 ** -random.integers(0, 4, 2_000)[:, None]
    centers = random.normal(0, 1, (5, 3))[random.integers(0, 5, 2_000)]
    return scale * (5 * centers + random.normal(0, 1, (2_000, 3))), 20


def uniform():
    return np.random.default_rng(0).uniform(size=(2_000, 2)), 20


def rows_of(X, weight=None):
    return PlacedRows.of(X, weight, Frame(np.zeros(X.shape[1]), 1.0))


def converged(X, k, weight=None, seed=0):
    """Return a run of Lloyd's iteration from random rows that has come to its end."""
    starts = X[np.random.default_rng(seed).choice(len(X), k, replace=False)]
    run = BoundedLloyd(rows_of(X, weight), starts)
    iterate_bounded(run, 300, 0.0, KMeans(k)._refill)
    return run


@pytest.mark.large
@pytest.mark.parametrize(
    "make",
    [many_dims, many_labels, few_rows, duplicates, nested, uniform],
    ids=lambda f: f.__name__,
)
def test_a_default_fit_is_as_good_as_the_best_of_fifty_runs(make):
    X, k = make()
    runs = [PeerKMeans(k, n_init=1, random_state=seed).fit(X).inertia_ for seed in range(50)]
    ours = [KMeans(k, random_state=seed).fit(X).inertia_ for seed in range(5)]
    assert np.mean(ours) <= 1.002 * min(runs)


def test_many_rows_are_searched_by_some_that_stand_for_them():
    X, _ = make_blobs(40_000, 5, centers=12, cluster_std=1.0, random_state=0)
    X[::4_000] += 300  # ten rows far away, which belong together
    runs = [PeerKMeans(13, n_init=1, random_state=seed).fit(X).inertia_ for seed in range(5)]
    ours = [KMeans(13, random_state=seed).fit(X) for seed in range(3)]
    assert np.mean([fit.inertia_ for fit in ours]) <= 1.002 * min(runs)
    assert all(len(set(fit.labels_[::4_000]) - set(fit.labels_[1::4_000])) >= 1 for fit in ours)


def test_many_rows_give_the_same_labels_with_any_number_of_threads(monkeypatch):
    X = np.random.default_rng(0).normal(size=(50_000, 4)).astype(np.float32)
    weight = np.random.default_rng(1).uniform(size=len(X))
    fits = []
    for n in (1, 2, 5):
        monkeypatch.setattr(parallel, "n_threads", lambda n=n: n)
        fits.append(KMeans(9).fit(X, sample_weight=weight))
    for other in fits[1:]:
        np.testing.assert_array_equal(fits[0].labels_, other.labels_)
        np.testing.assert_array_equal(fits[0].cluster_centers_, other.cluster_centers_)


def test_given_centres_are_not_searched():
    """Two centres in one of two far groups: Lloyd's iteration alone cannot leave."""
    X, _ = make_blobs(3_000, 2, centers=[[0, 0], [50, 0], [0, 50]], random_state=0)
    starts = np.array([[-1.0, 0.0], [1.0, 0.0], [25.0, 25.0]])
    ours = KMeans(3, init=starts).fit(X)
    peer = PeerKMeans(3, init=starts, n_init=1).fit(X)
    np.testing.assert_array_equal(ours.labels_, peer.labels_)
    assert ours.improve(X).inertia_ < 0.1 * peer.inertia_


@pytest.mark.parametrize("seed", range(5))
def test_improving_never_makes_a_fit_worse(seed):
    X, k = uniform()
    before = KMeans(k, init=X[seed * k : (seed + 1) * k]).fit(X)
    inertia = before.inertia_
    assert before.improve(X, tries=3).inertia_ <= inertia


def test_weights_of_two_improve_as_a_row_repeated():
    X, k = few_rows()
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    repeated = np.repeat(X, weight, axis=0)
    one = KMeans(k, init=X[:k]).fit(X, sample_weight=weight).improve(X, weight)
    two = KMeans(k, init=X[:k]).fit(repeated).improve(repeated)
    # The two halves of a cluster may change places.
    ours, theirs = (
        fit.cluster_centers_[fit.cluster_centers_[:, 0].argsort()] for fit in (one, two)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("p", [1, 3, 7, 90])
def test_the_two_nearest_centres_are_those_of_all_distances(p):
    random = np.random.default_rng(p)
    X, centers = random.normal(size=(9_000, p)), random.normal(size=(11, p)).astype(np.float32)
    squared = ((X.astype(np.float32)[:, None] - centers) ** 2).sum(axis=2, dtype=np.float64)
    order = np.argsort(squared, axis=1)
    found = [swaps.two_nearest(block, centers) for block in rows_of(X).blocks]
    own, other, excess = (np.concatenate(part) for part in zip(*found, strict=True))
    np.testing.assert_array_equal(own, order[:, 0])
    np.testing.assert_array_equal(other, order[:, 1])
    nearest = np.sort(squared, axis=1)
    np.testing.assert_allclose(excess, nearest[:, 1] - nearest[:, 0], atol=1e-4 * squared.max())


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_a_centre_is_what_its_removal_costs(weighted):
    random = np.random.default_rng(0)
    X = random.normal(size=(9_000, 3))
    weight = random.integers(0, 3, len(X)).astype(float) if weighted else None
    run = converged(X, 6, weight)
    squared = ((X[:, None] - run.means) ** 2).sum(axis=2)
    w = np.ones(len(X)) if weight is None else weight
    for removed, loss in enumerate(search._losses(run)):
        left = np.delete(squared, removed, axis=1).argmin(axis=1)
        after = sum(spread(X[left == c], w[left == c]) for c in range(5))
        own = squared.argmin(axis=1)
        before = sum(spread(X[own == c], w[own == c]) for c in range(6))
        assert loss == pytest.approx(after - before, rel=1e-3)


def test_the_centre_that_is_left_out_costs_least():
    X, _ = make_blobs(9_000, 3, centers=6, cluster_std=2.0, random_state=1)
    centers = KMeans(6).fit(X).cluster_centers_
    left = [np.delete(centers, c, axis=0) for c in range(6)]
    costs = [PeerKMeans(5, init=each, n_init=1, max_iter=1).fit(X).inertia_ for each in left]
    np.testing.assert_array_equal(search.shrink(centers, X), left[np.argmin(costs)])


def spread(X, weight):
    mean = np.average(X, axis=0, weights=weight)
    return float(weight @ ((X - mean) ** 2).sum(axis=1))


def test_the_gain_of_a_split_is_what_two_means_save():
    """Six groups in pairs, and a centre for each pair."""
    centers = np.array([[0, 0, 0], [6, 0, 0], [0, 60, 0], [0, 60, 7], [60, 0, 0], [60, 8, 0]])
    X, group = make_blobs(9_000, 3, centers=centers, random_state=0)
    run = BoundedLloyd(rows_of(X), np.array([[3.0, 0, 0], [0, 60, 3.5], [60, 4, 0]]))
    iterate_bounded(run, 300, 0.0, KMeans(3)._refill)
    first, second, gain = search._halves(run)
    for pair in range(3):
        rows = X[group // 2 == pair]
        two = PeerKMeans(2, n_init=5, random_state=0).fit(rows)
        assert gain[pair] == pytest.approx(
            spread(rows, np.ones(len(rows))) - two.inertia_, rel=1e-3
        )
        np.testing.assert_allclose(
            np.sort([first[pair], second[pair]], axis=0),
            np.sort(two.cluster_centers_, axis=0),
            atol=0.01,
        )


def test_clusters_of_equal_rows_gain_nothing():
    X = np.repeat(np.array([[0.0, 0.1], [3.0, 0.2], [7.0, 0.0]]), 50, axis=0)
    run = BoundedLloyd(rows_of(X), X[::50])
    iterate_bounded(run, 300, 0.0, KMeans(3)._refill)
    np.testing.assert_allclose(search._halves(run)[2], 0, atol=1e-9)
    assert KMeans(3).fit(X).inertia_ == pytest.approx(0, abs=1e-9)


def test_rows_that_stand_for_all_have_the_same_sum_of_squares():
    random = np.random.default_rng(0)
    X = random.standard_t(2, size=(100_000, 3))
    weight = random.uniform(size=len(X))
    some, part = representatives(X, weight, 8_192)
    assert len(some) <= 8_192
    assert part.sum() == pytest.approx(weight.sum(), rel=0.02)
    for seed in range(5):
        centers = X[np.random.default_rng(seed).choice(len(X), 8)].astype(np.float32)
        whole, drawn = (total(rows_of(*pair), centers) for pair in ((X, weight), (some, part)))
        assert drawn == pytest.approx(whole, rel=0.02)


def total(rows, centers):
    of_blocks = zip(rows.blocks, rows.weights, strict=True)
    return sum(
        ((b[:, None] - centers.T[:, :, None]) ** 2).sum(axis=0).min(axis=0) @ w
        for b, w in of_blocks
    )


def test_few_rows_stand_for_themselves():
    X = np.random.default_rng(0).normal(size=(16_384, 2))
    assert representatives(X, None, 8_192) == (X, None)


def test_as_many_labels_as_distinct_rows_are_found_among_many():
    """Some of the rows, of which too few are distinct, cannot be searched."""
    X = np.zeros((100_000, 2))
    X[:50_000, 0] = 1.0
    X[777] = 1e-4
    fit = KMeans(3).fit(X)
    assert sorted(fit.counts_) == [1, 49_999, 50_000]
    with pytest.raises(BadValueError, match="3 distinct rows"):
        KMeans(4).fit(X)
