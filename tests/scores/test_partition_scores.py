"""Scores of partitions and memberships against scikit-learn, scipy and plain numpy."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics
from sklearn.cluster import KMeans

from xcluster import scores
from xcluster.scores import (
    calinski_harabasz,
    cluster_entropy,
    davies_bouldin,
    distortion,
    inertia,
)
from xcluster.scores.labelled import as_matrix


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(0)
    labels = rng.integers(4, size=300)
    return rng.normal(size=(4, 3), scale=2)[labels] + rng.normal(size=(300, 3)), labels


@pytest.fixture(scope="module")
def memberships():
    return np.random.default_rng(1).dirichlet(np.ones(4), 300)


def entropy_oracle(X, labels, bins, base):
    """The formula, cluster by cluster and channel by channel."""
    total = 0.0
    for column in X.T:
        for label in np.unique(labels):
            inside = column[labels == label]
            counts, _ = np.histogram(inside, bins, range=(column.min(), column.max()))
            total += len(inside) / len(X) * stats.entropy(counts, base=base)
    return total


def test_inertia_and_distortion_equal_those_of_k_means(blobs):
    X = blobs[0]
    model = KMeans(4, n_init=1, random_state=0).fit(X)
    centers = model.cluster_centers_
    assert inertia(X, model.labels_, centers=centers) == pytest.approx(model.inertia_)
    assert inertia(X, model.labels_) == pytest.approx(model.inertia_)
    assert distortion(X, model.labels_) == pytest.approx(model.inertia_ / 300)


def test_inertia_takes_the_centre_at_the_position_of_the_label():
    assert inertia([[1.0], [5.0]], [2, 2], centers=[[9.0], [9.0], [3.0]]) == 8.0
    assert distortion([[1.0], [5.0]], [2, 2], centers=[[9.0], [9.0], [4.0]]) == 5.0
    with pytest.raises(ValueError, match="up to 2"):
        inertia([[1.0], [5.0]], [2, 2], centers=[[9.0], [9.0]])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (calinski_harabasz, metrics.calinski_harabasz_score),
        (davies_bouldin, metrics.davies_bouldin_score),
    ],
)
def test_scores_equal_scikit_learns(blobs, ours, theirs):
    X, labels = blobs
    assert ours(X, labels) == pytest.approx(theirs(X, labels))
    weight = np.arange(300) % 4
    repeated = theirs(np.repeat(X, weight, axis=0), labels.repeat(weight))
    assert ours(X, labels, weight) == pytest.approx(repeated)


@pytest.mark.parametrize(
    "score",
    [
        inertia,
        distortion,
        calinski_harabasz,
        davies_bouldin,
        lambda X, labels, weight=None: cluster_entropy(X, labels, sample_weight=weight).value,
    ],
)
def test_weights_of_two_equal_a_row_repeated_and_noise_is_left_out(blobs, score):
    X, labels = blobs[0].copy(), blobs[1].copy()
    labels[:20] = -1
    weight = 1 + np.arange(300) % 2
    kept = labels >= 0
    expected = score(np.repeat(X[kept], weight[kept], axis=0), labels[kept].repeat(weight[kept]))
    X[:20] = np.nan
    assert score(X, labels, weight) == pytest.approx(expected)


def test_calinski_harabasz_refuses_weights_that_cannot_count_rows(blobs):
    with pytest.raises(ValueError, match="mean of 1"):
        calinski_harabasz(*blobs, np.full(300, 1e-3))


def test_perfect_and_hopeless_separations_are_infinite():
    X = np.array([[0.0], [0.0], [1.0], [1.0]])
    assert calinski_harabasz(X, [0, 0, 1, 1]) == math.inf
    assert davies_bouldin(X, [0, 0, 1, 1]) == 0
    assert davies_bouldin(X, [0, 1, 0, 1]) == math.inf


def test_scores_do_not_depend_on_the_unit(blobs):
    X, labels = blobs
    for score in (calinski_harabasz, davies_bouldin):
        assert score(X * 1e-6, labels) == pytest.approx(score(X, labels))


def test_two_constant_clusters_of_one_place_are_not_apart_and_scatter_nothing():
    X = np.array([[0.0], [0.0], [0.0], [4.0], [6.0]])
    assert davies_bouldin(X, [0, 1, 1, 2, 2]) == pytest.approx(0.2)


def test_single_precision_stays_and_all_else_becomes_double():
    small = np.ones((3, 2), np.float32)
    assert as_matrix("X", small) is small
    for kind in (bool, np.int8, np.uint64, np.float16, np.float64):
        assert as_matrix("X", np.ones((3, 2), kind)).dtype == np.float64
    double = np.ones((3, 2))
    assert as_matrix("X", double) is double


def test_single_precision_is_summed_in_double():
    X = np.repeat(np.float32([[1e4], [1e4 + 1]]), 2_000, axis=0)
    assert inertia(X, np.zeros(4_000)) == pytest.approx(1_000, rel=1e-9)
    centers = np.float32([[1e4 + 0.5]])
    assert inertia(X, np.zeros(4_000), centers=centers) == pytest.approx(1_000, rel=1e-9)


def test_ten_bins_and_nats_are_the_default(blobs):
    assert cluster_entropy(*blobs) == cluster_entropy(*blobs, bins=10, base=math.e)
    assert float(cluster_entropy(*blobs)) == cluster_entropy(*blobs).value


def test_the_value_on_an_edge_belongs_to_the_bin_above_and_the_highest_to_the_last():
    X = np.array([[0.0], [1.0], [2.0], [3.0], [4.0]])
    two = cluster_entropy(X, np.zeros(5), bins=2, base=2)
    assert two.value == pytest.approx(stats.entropy([2, 3], base=2))


@pytest.mark.parametrize(("bins", "base"), [(10, math.e), (4, 2)])
def test_cluster_entropy_follows_the_formula(blobs, bins, base):
    X, labels = blobs
    entropy = cluster_entropy(X, labels, bins, base)
    assert entropy.value == pytest.approx(entropy_oracle(X, labels, bins, base))
    assert entropy.baseline == pytest.approx(entropy_oracle(X, np.zeros(300), bins, base))
    assert entropy.information == pytest.approx(entropy.baseline - entropy.value)


def test_cluster_entropy_is_zero_where_clusters_are_constant():
    entropy = cluster_entropy([[1.0, 5], [1.0, 5], [3.0, 5]], [0, 0, 1])
    assert entropy.value == 0
    assert entropy.information > 0


def test_cluster_entropy_never_rises_where_a_cluster_is_split(blobs):
    X, labels = blobs
    split = np.where(X[:, 0] > 0, labels, labels + 4)
    assert cluster_entropy(X, split).value <= cluster_entropy(X, labels).value


def test_partition_coefficient_and_entropy_follow_bezdek(memberships):
    P = memberships
    assert scores.partition_coefficient(P) == pytest.approx((P**2).sum() / 300)
    assert scores.partition_entropy(P) == pytest.approx(-(P * np.log(P)).sum() / 300)


@pytest.mark.parametrize("k", [2, 3])
def test_xie_beni_takes_any_number_of_centres_and_any_unit(blobs, memberships, k):
    X, P = blobs[0], memberships[:, :k]
    expected = scores.xie_beni(X, P, X[:k])
    assert expected > 0
    assert scores.xie_beni(X * 1e-3, P, X[:k] * 1e-3) == pytest.approx(expected)


@pytest.mark.parametrize("m", [0.5, 1.5, 3.0])
def test_xie_beni_raises_memberships_to_the_fuzzifier(m):
    X, P, centers = [[1.0]], [[0.25, 0.5]], [[0.0], [4.0]]
    expected = (0.25**m * 1 + 0.5**m * 9) / 16
    assert scores.xie_beni(X, P, centers, m=m) == pytest.approx(expected)


def test_xie_beni_follows_the_formula(blobs, memberships):
    X, centers = blobs[0], blobs[0][:4]
    squares = ((X[:, None] - centers) ** 2).sum(axis=2)
    apart = ((centers[:, None] - centers) ** 2).sum(axis=2)[~np.eye(4, dtype=bool)].min()
    expected = (memberships**2 * squares).sum() / (300 * apart)
    assert scores.xie_beni(X, memberships, centers) == pytest.approx(expected)
    assert scores.xie_beni(X, memberships, X[[0, 0, 1, 2]]) == math.inf
    with pytest.raises(ValueError, match="P="):
        scores.xie_beni(X, memberships, centers[:3])


def test_membership_scores_weigh_rows_and_leave_missing_rows_out(blobs, memberships):
    X, weight = blobs[0], np.arange(300) % 3
    P = memberships.copy()
    expected = [
        scores.partition_coefficient(P.repeat(weight, axis=0)),
        scores.partition_entropy(P.repeat(weight, axis=0)),
        scores.xie_beni(X.repeat(weight, axis=0), P.repeat(weight, axis=0), X[:4]),
    ]
    P[weight == 0] = np.nan
    found = [
        scores.partition_coefficient(P, weight),
        scores.partition_entropy(P, weight),
        scores.xie_beni(X, P, X[:4], sample_weight=weight),
    ]
    np.testing.assert_allclose(found, expected)
    with pytest.raises(ValueError, match="complete row"):
        scores.partition_coefficient(np.full((3, 2), np.nan))


def test_doubt_of_each_row_follows_its_definition(memberships):
    P = memberships
    ordered = np.sort(P, axis=1)
    np.testing.assert_allclose(scores.membership_entropy(P), stats.entropy(P, axis=1))
    np.testing.assert_allclose(scores.membership_margin(P), ordered[:, -1] - ordered[:, -2])
    np.testing.assert_allclose(scores.robustness(P), (P.max(axis=1) - 1 / 4) * 4 / 3)


def test_robustness_classes_part_at_the_edges_of_pyxpcm():
    values = np.array([0.0, 0.32, 0.33, 0.65, 0.66, 0.9, 0.989, 0.99, 1.0])
    P = (
        np.stack([(1 + values) / 2, (1 - values) / 2], axis=1)
        + [[1e-12, -1e-12]] * (values < 1)[:, None]
    )
    assert scores.robustness_classes(P).tolist() == [0, 0, 1, 1, 2, 3, 3, 4, 4]
    assert len(scores.ROBUSTNESS_CLASSES) == len(scores.ROBUSTNESS_EDGES) - 1


def test_memberships_in_single_precision_are_summed_in_double(memberships):
    P = memberships.astype(np.float32)
    for measure in (scores.membership_entropy, scores.membership_margin, scores.robustness):
        assert measure(P).dtype == np.float64
        np.testing.assert_array_equal(measure(P), measure(P.astype(np.float64)))


def test_rows_without_weight_are_no_rows():
    P = [[1.0, 0.0], [0.5, 0.5]]
    assert scores.partition_coefficient(P, [0.0, 2.0]) == 0.5
    with pytest.raises(ValueError, match="complete row of weight above 0"):
        scores.partition_coefficient(P, [0.0, 0.0])


def test_missing_memberships_stay_missing():
    P = [[np.nan, np.nan], [0.2, np.nan], [1.0, 0.0]]
    for measure in (scores.membership_entropy, scores.membership_margin, scores.robustness):
        assert np.isnan(measure(P)).tolist() == [True, True, False]
    assert scores.robustness_classes(P).tolist() == [-1, -1, 4]


def test_one_cluster_leaves_no_doubt():
    P = np.ones((3, 1))
    assert scores.membership_entropy(P).tolist() == [0, 0, 0]
    assert scores.membership_margin(P).tolist() == [1, 1, 1]
    assert not np.shares_memory(scores.membership_margin(P), P)
    assert scores.robustness(P).tolist() == [1, 1, 1]


def test_poisson_deviance_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 3, 400)
    X = rng.poisson([[1, 0.2, 30, 4]] * 400).astype(np.float32)
    X[:, 1] *= labels != 1  # a mean of 0
    weight = rng.gamma(2, 1, 400)
    kept = labels >= 0
    means = np.array([np.average(X[labels == k], 0, weight[labels == k]) for k in range(3)])
    expected = 0.0
    for j in range(4):
        some = kept & (means[labels, j] > 0)
        of_feature = metrics.mean_poisson_deviance(
            X[some, j], means[labels[some], j], sample_weight=weight[some]
        )
        expected += of_feature * weight[some].sum() / weight[kept].sum()
    found = scores.poisson_deviance(X, labels, weight)
    assert found == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match=r"X=-1\.0: must be counts, at least 0"):
        scores.poisson_deviance([[-1.0], [2.0]], [0, 0])
