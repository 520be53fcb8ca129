"""Agreement of labellings, and the stability of one under refits."""

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics
from sklearn.cluster import KMeans

from xcluster.scores import agreement, contingency, match_labels, relabel, stability

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    a = rng.integers(4, size=500)
    return a, np.where(rng.random(500) < 0.8, (a + 1) % 4, rng.integers(4, size=500))


def kmeans(k):
    def fit(X, sample_weight):
        model = KMeans(k, n_init=3, random_state=0)
        return model.fit(X, sample_weight=sample_weight).predict

    return fit


def blobs(n=60, apart=30.0):
    """Three blobs of n rows."""
    rng = np.random.default_rng(1)
    labels = np.arange(3).repeat(n)
    return rng.normal(size=(3 * n, 2)) + apart * np.array([[0, 0], [1, 0], [0, 1]])[labels], labels


def test_contingency_equals_scikit_learns_and_weights_count_rows(pair):
    a, b = pair
    np.testing.assert_array_equal(contingency(a, b).table, metrics.cluster.contingency_matrix(a, b))
    weight = np.arange(500) % 3
    expected = metrics.cluster.contingency_matrix(a.repeat(weight), b.repeat(weight))
    np.testing.assert_array_equal(contingency(a, b, weight).table, expected)


def test_contingency_names_its_labels_and_leaves_noise_out():
    found = contingency([3, 3, -1, 8], [0, 5, 5, -1])
    assert found.labels_a.tolist() == [3]
    assert found.labels_b.tolist() == [0, 5]
    assert found.table.tolist() == [[1, 1]]


def test_jaccard_is_shared_weight_over_weight_in_either(pair):
    a, b = pair
    expected = [
        [((a == i) & (b == j)).sum() / ((a == i) | (b == j)).sum() for j in range(4)]
        for i in range(4)
    ]
    np.testing.assert_allclose(contingency(a, b).jaccard, expected)


def test_matching_undoes_a_renumbering(pair):
    a, b = pair
    mapping = match_labels(a, b)
    assert mapping == {0: 3, 1: 0, 2: 1, 3: 2}
    assert (relabel(b, mapping) == a).mean() > 0.8


def test_matching_maximises_the_weight_on_the_diagonal(pair):
    from itertools import permutations

    a, b = pair
    best = max((np.array(p)[b] == a).sum() for p in permutations(range(4)))
    assert (relabel(b, match_labels(a, b)) == a).sum() == best


def test_matching_works_where_either_has_fewer_labels():
    assert match_labels([0, 0, 0, 0, 0], [2, 2, 2, 0, 1]) == {0: 1, 1: 2, 2: 0}
    assert match_labels([0, 1, 2, 2], [7, 7, 4, 4]) in ({4: 2, 7: 0}, {4: 2, 7: 1})


def test_matching_numbers_labels_seen_only_where_the_other_has_noise():
    assert match_labels([0, 0, -1], [1, 1, 0]) == {0: 1, 1: 0}
    assert match_labels([-1, -1], [0, 1]) == {0: 0, 1: 1}


def test_matching_goes_by_weight_where_given():
    a, b = [0, 1, 1, 1], [5, 5, 5, 6]
    assert match_labels(a, b) == {5: 0, 6: 1} or match_labels(a, b) == {5: 1, 6: 0}
    assert match_labels(a, b, [9, 1, 1, 1]) == {5: 0, 6: 1}
    assert match_labels(a, b, [1, 9, 1, 1]) == {5: 1, 6: 0}


def test_labels_are_numbered_from_zero_where_there_are_none_to_match():
    assert match_labels([], []) == {}
    assert match_labels([-5, -5], [3, 1]) == {1: 0, 3: 1}


def test_relabelling_leaves_every_negative_label_alone():
    found = relabel([2, -7, 0, 2], {0: 5, 2: 0})
    assert found.tolist() == [0, -7, 5, 0]
    assert found.dtype == np.int64
    assert relabel([-2, 0], {0: 1, -2: 8}).tolist() == [-2, 1]
    assert relabel([], {}).dtype == np.int64
    with pytest.raises(KeyError):
        relabel([0, 1], {0: 1})


def test_agreement_equals_scikit_learns_on_rows_labelled_in_both(pair):
    a, b = pair[0].astype(float), pair[1].copy()
    a[:30], b[20:50] = np.nan, -1
    found = agreement(a, b)
    rows = slice(50, None)
    assert found.adjusted_rand == metrics.adjusted_rand_score(a[rows], b[rows])
    assert found.adjusted_mutual_info == metrics.adjusted_mutual_info_score(a[rows], b[rows])
    assert found.v_measure == metrics.v_measure_score(a[rows], b[rows])
    assert found.n_rows == 450


def test_labellings_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="b="):
        contingency([0, 1], [0, 1, 1])


@pytest.mark.parametrize("resampling", ["bootstrap", "subsample"])
def test_separated_blobs_are_stable(resampling):
    X, labels = blobs()
    found = stability(X, labels, kmeans(3), n_refits=5, resampling=resampling)
    assert found.jaccard.tolist() == [1, 1, 1]
    assert found.mean_agreement == 1
    assert (found.row_agreement == 1).all()


def test_a_blob_cut_in_two_is_the_unstable_part():
    X, labels = blobs()
    cut = np.where((labels == 0) & (X[:, 0] > 0), 3, labels)
    found = stability(X, cut, kmeans(4), n_refits=10)
    assert found.jaccard[[1, 2]].max() > found.jaccard[[0, 3]].max()
    assert found.row_agreement[labels == 0].mean() < found.row_agreement[labels > 0].mean()


def test_labels_that_merge_do_not_both_come_back():
    X, labels = blobs()
    found = stability(X, labels, kmeans(2), n_refits=5)
    assert sorted(found.jaccard)[0] < 0.3
    assert found.mean_agreement == pytest.approx(2 / 3)


def test_predicted_noise_agrees_with_nothing():
    X, labels = blobs()
    found = stability(X, labels, lambda *_: lambda X: np.where(labels == 1, -1, labels), n_refits=2)
    assert found.jaccard.tolist() == [1, 0, 1]
    assert found.row_agreement.tolist() == (labels != 1).astype(float).tolist()


def test_a_refit_is_measured_by_weight():
    X, labels = blobs()
    swapped = np.where(np.arange(180) < 10, 1, labels)
    weight = np.where(np.arange(180) < 10, 3.0, 1.0)
    found = stability(X, labels, lambda *_: lambda X: swapped, sample_weight=weight, n_refits=1)
    np.testing.assert_allclose(found.jaccard, [50 / 80, 60 / 90, 1])
    assert found.mean_agreement == pytest.approx(1 - 30 / 200)


def test_fits_receive_weights_only_where_given():
    X, labels = blobs()
    seen = []

    def fit(rows, sample_weight):
        seen.append(sample_weight)
        return lambda X: labels

    stability(X, labels, fit, n_refits=1)
    stability(X, labels, fit, sample_weight=np.full(180, 2.0), n_refits=1)
    assert seen[0] is None
    assert (seen[1] == 2).all()


def drawn_by(**keywords):
    """The rows that each refit got, by their only feature."""
    X = np.arange(40.0)[:, None]
    labels = (X[:, 0] >= 20).astype(int)
    drawn = []

    def fit(rows, sample_weight):
        drawn.append(rows[:, 0].astype(int).tolist())
        return lambda X: (X[:, 0] >= 20).astype(int)

    stability(X, labels, fit, **keywords)
    return drawn


def test_a_bootstrap_draws_as_many_rows_with_replacement():
    drawn = drawn_by()
    assert len(drawn) == 20
    assert all(len(rows) == 40 for rows in drawn)
    assert all(15 < len(set(rows)) < 35 for rows in drawn)
    assert drawn[0] != drawn[1]
    assert drawn == drawn_by(random_state=0)
    assert drawn != drawn_by(random_state=1)


@pytest.mark.parametrize(
    ("fraction", "n"), [(None, 20), (0.25, 10), (1.0, 40), (7.0, 40), (1e-9, 1)]
)
def test_a_subsample_draws_a_share_of_the_rows_once_each(fraction, n):
    keywords = {} if fraction is None else {"fraction": fraction}
    drawn = drawn_by(resampling="subsample", n_refits=3, **keywords)
    assert len(drawn) == 3
    assert all(len(rows) == len(set(rows)) == n for rows in drawn)


def test_drawn_rows_keep_their_weights_and_stay_in_order():
    X = np.arange(40.0)[:, None]

    def fit(rows, sample_weight):
        np.testing.assert_array_equal(sample_weight, rows[:, 0] + 1)
        assert (np.diff(rows[:, 0]) >= 0).all()
        return lambda X: (X[:, 0] >= 20).astype(int)

    stability(X, np.arange(40) // 20, fit, sample_weight=np.arange(40.0) + 1, n_refits=3)


def test_refits_are_matched_by_weight():
    """Rows of the first label are few but heavy: the refit's label is theirs."""
    X, labels = np.zeros((10, 1)), np.array([0] * 2 + [1] * 8)
    merged = np.array([5] * 8 + [6] * 2)
    heavy = np.where(labels == 0, 10.0, 1.0)
    found = stability(X, labels, lambda *_: lambda X: merged, sample_weight=heavy, n_refits=1)
    assert found.refits[0].mapping == {5: 0, 6: 1}
    np.testing.assert_allclose(found.jaccard, [20 / 26, 2 / 8])
    assert found.labels.tolist() == [0, 1]
    assert found.mean_agreement == pytest.approx(22 / 28)


def test_a_refit_labels_other_rows_with_the_given_numbers():
    X, labels = np.arange(6.0)[:, None], np.array([7, 7, 7, 3, 3, 3])
    found = stability(X, labels, lambda *_: lambda X: (X[:, 0] > 2).astype(int) - 2 * (X[:, 0] > 9))
    assert len(found.refits) == 20
    assert found.refits[0](np.array([[1.0], [4.0], [11.0]])).tolist() == [7, 3, -1]
    assert found.labels.tolist() == [3, 7]


def test_noise_has_no_stability():
    X, labels = blobs()
    labels[:5] = -1
    found = stability(X, labels, kmeans(3), n_refits=2)
    assert np.isnan(found.row_agreement[:5]).all()
    assert not np.isnan(found.row_agreement[5:]).any()


def test_the_truth_of_a_measured_scene_agrees_with_itself():
    path = SHARED / "land" / "salinas_a.nc"
    if not path.exists():
        pytest.skip("the shared data are not here")
    xr = pytest.importorskip("xarray")
    with xr.open_dataset(path) as scene:
        truth = scene["ground_truth"].values.ravel().astype(int)
    truth = np.where(truth > 0, truth, -1)
    found = agreement(truth, -truth + truth.max() * (truth > 0) + (truth > 0))
    assert found.adjusted_rand == 1
    assert found.n_rows == 5_348
