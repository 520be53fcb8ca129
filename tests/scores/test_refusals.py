"""What scores refuse: parameter, value, rule and remedy, word for word."""

import numpy as np
import pytest

from xcluster import scores

PAIR = [[0.0], [1.0]]

TWO_DIMS = "must have two dimensions, rows and columns. Reshape it."
ONE_EACH = "must have one entry for each of the 2 rows. Pass the labels of these rows."
WHOLE = "must be integers. Number the labels."
WEIGHTS = "must be 2 finite numbers of at least 0, one for each row. Check shape and values."
TWO_LABELS = (
    "this score needs 2 or more labels among the rows that count. Cluster into more labels."
)
MEMBERSHIPS = (
    "memberships must be at least 0, one column for each cluster. "
    "Pass probabilities or memberships."
)
COMPLETE = "needs a complete row of weight above 0. Check for NaN."
KS = "must be numbers of clusters up to the 2 rows used. Pass smaller ks or raise max_samples."


@pytest.mark.parametrize(
    ("call", "value", "rule"),
    [
        (lambda: scores.silhouette_samples([0.0, 1.0], [0, 1]), "X=(2,)", TWO_DIMS),
        (lambda: scores.silhouette_samples(PAIR, [0, 1, 1]), "labels=(3,)", ONE_EACH),
        (lambda: scores.silhouette_samples(PAIR, [0.5, 1.0]), "labels=dtype('float64')", WHOLE),
        (lambda: scores.silhouette_samples(PAIR, [np.inf, 1.0]), "labels=dtype('float64')", WHOLE),
        (
            lambda: scores.silhouette_samples(PAIR, [0, 1], [1.0, -1.0]),
            "sample_weight=array([ 1., -1.])",
            WEIGHTS,
        ),
        (
            lambda: scores.silhouette_samples(PAIR, [0, 1], [1.0, np.inf]),
            "sample_weight=array([ 1., inf])",
            WEIGHTS,
        ),
        (
            lambda: scores.silhouette_samples(PAIR, [0, 1], [1.0]),
            "sample_weight=array([1.])",
            WEIGHTS,
        ),
        (lambda: scores.silhouette_samples(PAIR, [3, 3]), "labels=[3]", TWO_LABELS),
        (lambda: scores.silhouette_samples(PAIR, [0, 1], [1.0, 0.0]), "labels=[0]", TWO_LABELS),
        (
            lambda: scores.silhouette_samples([[0.0], [np.nan]], [0, 1]),
            "X='NaN or infinity'",
            "labelled rows must be finite. Give such rows a negative label, or drop them.",
        ),
        (lambda: scores.silhouette_scores([0.0, 1.0], [[0, 1]]), "X=(2,)", TWO_DIMS),
        (lambda: scores.silhouette_scores(PAIR, [[0, 1], [0]]), "labels=(1,)", ONE_EACH),
        (lambda: scores.silhouette_scores(PAIR, [[0, 0], [1, 1]]), "labels=[0]", TWO_LABELS),
        (
            lambda: scores.silhouette_score(PAIR, [0, 1], limit=0),
            "limit=0",
            "must be an integer of at least 1. Pass limit=1 or more.",
        ),
        (
            lambda: scores.simplified_silhouette_samples(PAIR, [0, 1], [0.0, 1.0]),
            "centers=(2,)",
            TWO_DIMS,
        ),
        (
            lambda: scores.simplified_silhouette_samples([[0.0], *PAIR], [0, 1, 2], PAIR),
            "centers=(2, 1)",
            "needs at least two rows, and one for each label up to 2. "
            "Pass the centre of each label.",
        ),
        (
            lambda: scores.simplified_silhouette_samples(PAIR, [0, 0], [[0.0]]),
            "centers=(1, 1)",
            "needs at least two rows, and one for each label up to 0. "
            "Pass the centre of each label.",
        ),
        (
            lambda: scores.inertia(PAIR, [0, 2], centers=PAIR),
            "centers=(2, 1)",
            "must have a row for each label up to 2. Pass the centre of each label.",
        ),
        (lambda: scores.inertia(PAIR, [0, 1], centers=[0.0, 1.0]), "centers=(2,)", TWO_DIMS),
        (
            lambda: scores.inertia(PAIR, [-1, -1]),
            "labels=[]",
            "this score needs 1 or more labels among the rows that count. "
            "Cluster into more labels.",
        ),
        (lambda: scores.calinski_harabasz(PAIR, [0, 0]), "labels=[0]", TWO_LABELS),
        (
            lambda: scores.calinski_harabasz(PAIR, [0, 1]),
            "labels=2",
            "there are as many labels as the 2 rows, and nothing is left within them. "
            "Cluster into fewer labels.",
        ),
        (
            lambda: scores.calinski_harabasz(PAIR, [0, 1], [0.5, 0.5]),
            "sample_weight=1.0",
            "the total weight stands for the number of rows and must exceed the 2 labels. "
            "Scale weights to a mean of 1, or use fewer labels.",
        ),
        (lambda: scores.davies_bouldin(PAIR, [0, 0]), "labels=[0]", TWO_LABELS),
        (
            lambda: scores.cluster_entropy(PAIR, [0, 1], bins=0),
            "bins=0",
            "must be an integer of at least 1. Pass bins=1 or more.",
        ),
        (
            lambda: scores.cluster_entropy(PAIR, [0, 1], base=1),
            "base=1",
            "must be a finite number above 1.0. Pass a number, for example base=2.0.",
        ),
        (lambda: scores.partition_coefficient([1.0, 0.0]), "P=(2,)", TWO_DIMS),
        (lambda: scores.partition_coefficient([[1.0, -0.5]]), "P=(1, 2)", MEMBERSHIPS),
        (lambda: scores.partition_coefficient(np.empty((2, 0))), "P=(2, 0)", MEMBERSHIPS),
        (lambda: scores.partition_coefficient([[np.nan, 0.5]]), "P=(1,)", COMPLETE),
        (
            lambda: scores.partition_coefficient([[1.0, 0.0], [np.nan, 0.0]], [0.0, 1.0]),
            "P=(2,)",
            COMPLETE,
        ),
        (
            lambda: scores.partition_entropy([[1.0, 0.0]], [1.0, 1.0]),
            "sample_weight=array([1., 1.])",
            "must be 1 finite numbers of at least 0, one for each row. Check shape and values.",
        ),
        (lambda: scores.xie_beni([0.0, 1.0], np.eye(2), PAIR), "X=(2,)", TWO_DIMS),
        (lambda: scores.xie_beni(PAIR, np.eye(2), [0.0, 1.0]), "centers=(2,)", TWO_DIMS),
        (
            lambda: scores.xie_beni(PAIR, np.eye(3), PAIR),
            "P=(3, 3)",
            "X (2, 1) and centers (2, 1) need (2, 2), 2 or more. "
            "Pass the memberships of these rows.",
        ),
        (
            lambda: scores.xie_beni(PAIR, np.ones((2, 1)), [[0.0]]),
            "P=(2, 1)",
            "X (2, 1) and centers (1, 1) need (2, 1), 2 or more. "
            "Pass the memberships of these rows.",
        ),
        (
            lambda: scores.xie_beni(PAIR, np.eye(2), PAIR, m=0),
            "m=0",
            "must be a finite number above 0.0. Pass a number, for example m=1.0.",
        ),
        (lambda: scores.contingency([[0, 1]], [0, 1]), "a=(1, 2)", ONE_EACH),
        (lambda: scores.contingency([0, 1], [0, 1, 1]), "b=(3,)", ONE_EACH),
        (lambda: scores.contingency([0, 1.5], [0, 1]), "a=dtype('float64')", WHOLE),
        (lambda: scores.relabel([0.5], {0: 1}), "labels=dtype('float64')", WHOLE),
        (
            lambda: scores.gap_statistic(PAIR, [1], n_references=1),
            "n_references=1",
            "must be an integer of at least 2. Pass n_references=2 or more.",
        ),
        (
            lambda: scores.gap_statistic(PAIR, [1], max_samples=1),
            "max_samples=1",
            "must be an integer of at least 2. Pass max_samples=2 or more.",
        ),
        (
            lambda: scores.gap_statistic(PAIR, [0, 1]),
            "ks=0",
            "must be an integer of at least 1. Pass ks=1 or more.",
        ),
        (lambda: scores.gap_statistic(PAIR, []), "ks=[]", KS),
        (lambda: scores.gap_statistic(PAIR, [3, 1]), "ks=[1, 3]", KS),
        (lambda: scores.gap_statistic([0.0, 1.0], [1]), "X=(2,)", TWO_DIMS),
        (
            lambda: scores.gap_statistic([[0.0], [np.inf]], [1]),
            "X='NaN or infinity'",
            "rows must be finite. Drop incomplete rows.",
        ),
        (
            lambda: scores.stability(PAIR, [0, 1], None, n_refits=0),
            "n_refits=0",
            "must be an integer of at least 1. Pass n_refits=1 or more.",
        ),
        (
            lambda: scores.stability(PAIR, [0, 1], None, resampling="jackknife"),
            "resampling='jackknife'",
            "must be one of 'bootstrap', 'subsample'. Pass one of these.",
        ),
        (
            lambda: scores.stability(PAIR, [0, 1], None, fraction=0),
            "fraction=0",
            "must be a finite number above 0.0. Pass a number, for example fraction=1.0.",
        ),
        (lambda: scores.stability([0.0, 1.0], [0, 1], None), "X=(2,)", TWO_DIMS),
    ],
)
def test_a_refusal_names_parameter_value_rule_and_remedy(call, value, rule):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    assert str(caught.value) == f"{value}: {rule}"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: scores.silhouette_score(PAIR, [0, 1], limit=2.5), "limit=2.5: must be an integer"),
        (lambda: scores.cluster_entropy(PAIR, [0, 1], bins=2.0), "bins=2.0: must be an integer"),
        (lambda: scores.cluster_entropy(PAIR, [0, 1], base="e"), "base='e': must be a finite"),
        (lambda: scores.xie_beni(PAIR, np.eye(2), PAIR, m="2"), "m='2': must be a finite"),
    ],
)
def test_a_wrong_type_is_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()


NUMBERS = "must be an array of real numbers. Convert it to numbers."


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (lambda: scores.inertia([["a"], ["b"]], [0, 1]), "X='list of <U1'"),
        (lambda: scores.inertia([[1j], [1]], [0, 1]), "X='list of complex128'"),
        (lambda: scores.inertia([[0.0], [1.0, 2.0]], [0, 1]), "X='list of object'"),
        (lambda: scores.inertia(None, [0, 1]), "X='NoneType of object'"),
        (lambda: scores.inertia(PAIR, np.array(["a", "b"])), "labels='ndarray of <U1'"),
        (lambda: scores.inertia(PAIR, [None, 1]), "labels='list of object'"),
        (lambda: scores.inertia(PAIR, [0, 1], ["x", "y"]), "sample_weight='list of <U1'"),
        (lambda: scores.inertia(PAIR, [0, 1], centers="ab"), "centers='str of <U2'"),
    ],
)
def test_what_holds_no_numbers_is_named(call, value):
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value) == f"{value}: {NUMBERS}"


def test_booleans_and_whole_floats_are_labels():
    assert scores.inertia(PAIR, [True, False]) == scores.inertia(PAIR, [1.0, 0.0]) == 0
    assert scores.inertia(PAIR, [True, np.nan, 5][:2]) == 0


def test_the_bounds_themselves_are_allowed():
    assert scores.cluster_entropy(PAIR, [0, 1], bins=1).baseline == 0
    assert scores.cluster_entropy(PAIR, [0, 0], base=1.5).value == pytest.approx(
        np.log(2) / np.log(1.5)
    )
    assert scores.xie_beni(PAIR, np.eye(2), PAIR, m=0.5) == 0
    assert scores.gap_statistic(PAIR, [1, 2], n_references=2, max_samples=2).ks.tolist() == [1, 2]
    assert scores.silhouette_score(PAIR, [0, 1], limit=1).value == 0
