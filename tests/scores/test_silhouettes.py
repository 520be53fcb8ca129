"""Silhouettes against scikit-learn and plain numpy."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn import metrics

from xcluster.base import parallel
from xcluster.scores import (
    silhouette_samples,
    silhouette_score,
    silhouette_scores,
    simplified,
    simplified_silhouette_samples,
    simplified_silhouette_score,
)
from xcluster.scores.labelled import labelled_rows
from xcluster.scores.silhouette import _estimate, _stratified_rows

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(0)
    labels = rng.integers(5, size=1_003)
    return rng.normal(size=(5, 7))[labels] + rng.normal(size=(1_003, 7)), labels


def weighted_oracle(X, labels, weight):
    """The definition, row by row, from the whole distance matrix."""
    distances = np.sqrt(((X[:, None] - X) ** 2).sum(axis=2))
    result = np.zeros(len(X))
    for i, own in enumerate(labels):
        sums = {c: distances[i, labels == c] @ weight[labels == c] for c in set(labels)}
        totals = {c: weight[labels == c].sum() for c in set(labels)}
        others = totals[own] - min(1.0, weight[i])
        if others > 1e-9:
            a = sums[own] / others
            b = min(sums[c] / totals[c] for c in sums if c != own)
            result[i] = (b - a) / max(a, b)
    return result


@pytest.mark.parametrize("n_features", [1, 4, 7])
def test_silhouettes_equal_scikit_learns(blobs, n_features):
    X, labels = blobs[0][:, :n_features], blobs[1]
    expected = metrics.silhouette_samples(X, labels)
    np.testing.assert_allclose(silhouette_samples(X, labels), expected, atol=1e-9)


def test_silhouettes_of_float32_stay_close_on_a_large_offset(blobs):
    X, labels = (blobs[0] + 300).astype(np.float32), blobs[1]
    expected = metrics.silhouette_samples(X.astype(float), labels)
    np.testing.assert_allclose(silhouette_samples(X, labels), expected, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_silhouettes_of_float32_do_not_depend_on_the_unit(blobs, scale):
    X, labels = blobs[0].astype(np.float32), blobs[1]
    scaled = silhouette_samples(X * np.float32(scale), labels)
    np.testing.assert_allclose(scaled, silhouette_samples(X, labels), atol=1e-5)


def test_silhouettes_do_not_depend_on_the_order_of_rows_or_threads(blobs, monkeypatch):
    X, labels = blobs
    order = np.random.default_rng(3).permutation(len(X))
    expected = silhouette_samples(X, labels)
    np.testing.assert_allclose(silhouette_samples(X[order], labels[order]), expected[order])
    monkeypatch.setattr(parallel, "n_threads", lambda: 1)
    np.testing.assert_array_equal(silhouette_samples(X, labels), expected)


@pytest.mark.parametrize(("dtype", "offset"), [(np.float32, 0), (np.float64, 0), (np.float64, 1e6)])
def test_silhouettes_of_many_features_equal_scikit_learns(dtype, offset):
    random = np.random.default_rng(0)
    labels = np.arange(600) % 5
    X = random.normal(size=(600, 900)) + 3 * random.normal(size=(5, 900))[labels]
    X[labels == 4] = X[4] + 1e-6 * random.normal(size=(120, 900))  # products have no digits here
    X[9] = X[4]
    X = (X + offset).astype(dtype)
    expect = metrics.silhouette_samples(X.astype(float) - offset, labels)
    np.testing.assert_allclose(silhouette_samples(X, labels), expect, atol=1e-6)
    near = labels == 4
    both = np.ascontiguousarray(X[near], float) - X[4], np.arange(120) % 2
    direct = cdist(both[0], both[0])
    own = (both[1][:, None] == both[1]) & ~np.eye(120, dtype=bool)
    a = np.where(own, direct, 0).sum(axis=1) / 59
    b = np.where(both[1][:, None] != both[1], direct, 0).sum(axis=1) / 60
    found = silhouette_samples(X[near], both[1])
    np.testing.assert_allclose(found, (b - a) / np.maximum(a, b), atol=1e-6)


def test_integer_weights_equal_rows_repeated(blobs):
    X, labels = blobs[0][:200], blobs[1][:200]
    weight = np.random.default_rng(1).integers(1, 4, 200)
    repeated = metrics.silhouette_samples(np.repeat(X, weight, axis=0), labels.repeat(weight))
    first = np.cumsum(weight) - weight
    np.testing.assert_allclose(silhouette_samples(X, labels, weight), repeated[first], atol=1e-9)
    score = silhouette_score(X, labels, sample_weight=weight)
    assert score.value == pytest.approx(repeated.mean())


def test_fractional_weights_follow_the_definition(blobs):
    X, labels = blobs[0][:150], blobs[1][:150]
    weight = np.random.default_rng(2).uniform(0.01, 2.5, 150)
    expected = weighted_oracle(X, labels, weight)
    np.testing.assert_allclose(silhouette_samples(X, labels, weight), expected, atol=1e-9)


def test_small_weights_all_alike_change_nothing(blobs):
    X, labels = blobs
    weight = np.full(len(X), 1e-3)
    expected = silhouette_samples(X, labels)
    np.testing.assert_allclose(silhouette_samples(X, labels, weight), expected, atol=1e-9)


def test_noise_and_rows_without_weight_are_left_out(blobs):
    X, labels = blobs[0].copy(), blobs[1].copy()
    labels[::7] = -1
    X[::7] = np.nan
    weight = np.ones(len(X))
    weight[::5] = 0
    kept = (labels >= 0) & (weight > 0)
    result = silhouette_samples(X, labels, weight)
    np.testing.assert_allclose(result[kept], metrics.silhouette_samples(X[kept], labels[kept]))
    assert np.isnan(result[~kept]).all()


def test_a_row_alone_in_its_cluster_has_silhouette_zero():
    assert silhouette_samples([[0.0], [1.0], [9.0]], [0, 0, 1])[2] == 0
    assert silhouette_samples([[0.0], [1.0], [9.0]], [0, 0, 1], [1, 1, 0.3])[2] == 0


def test_coinciding_clusters_have_silhouette_zero():
    assert silhouette_samples(np.zeros((4, 2)), [0, 0, 1, 1]).tolist() == [0, 0, 0, 0]


def test_an_exact_score_is_its_own_interval(blobs):
    score = silhouette_score(*blobs)
    assert score.value == pytest.approx(metrics.silhouette_score(*blobs), abs=1e-9)
    assert (score.low, score.high, score.n_evaluated) == (score.value, score.value, 1_003)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_interval_covers_the_exact_value(weighted):
    rng = np.random.default_rng(4)
    labels = rng.choice(4, 4_000, p=[0.6, 0.3, 0.09, 0.01])
    X = rng.normal(size=(4, 2), scale=2)[labels] + rng.normal(size=(4_000, 2))
    weight = rng.uniform(0.1, 1, 4_000) if weighted else None
    exact = silhouette_score(X, labels, sample_weight=weight).value
    scores = [
        silhouette_score(X, labels, sample_weight=weight, limit=500, random_state=seed)
        for seed in range(100)
    ]
    assert sum(score.low <= exact <= score.high for score in scores) >= 90
    assert np.mean([score.value for score in scores]) == pytest.approx(exact, abs=0.003)
    spread = np.std([score.value for score in scores])
    half = np.mean([score.high - score.low for score in scores]) / 2
    assert half == pytest.approx(1.96 * spread, rel=0.25)
    assert scores[0].n_evaluated < 1_100


def labelled(sizes, weighted=True, seed=0):
    """Rows of clusters of these sizes, with weights, as the estimate takes them."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    weight = rng.uniform(0.2, 2, len(labels)) if weighted else None
    return labelled_rows(rng.normal(size=(len(labels), 2)), labels, weight)


def test_the_estimate_is_cochrans_stratified_ratio():
    data, rng = labelled([90, 40, 5]), np.random.default_rng(1)
    strata = [np.flatnonzero(data.cluster == c) for c in range(3)]
    drawn = [
        rng.choice(rows, n, replace=False) for rows, n in zip(strata, (20, 10, 3), strict=True)
    ]
    values = rng.uniform(-1, 1, 135)
    value = variance = 0.0
    for rows, own in zip(strata, drawn, strict=True):
        share = data.weight[rows].sum() / data.weight.sum()
        w, s, n = data.weight[own], values[own], len(own)
        ratio = (w * s).sum() / w.sum()
        residual = ((w * (s - ratio)) ** 2).sum() / (n - 1)
        value += share * ratio
        variance += share**2 * (1 - n / len(rows)) / n * residual / w.mean() ** 2
    every = np.concatenate(drawn)
    found = _estimate(data, every, values[every])
    assert found.value == pytest.approx(value)
    assert found.high - found.value == pytest.approx(1.959964 * np.sqrt(variance))
    assert found.value - found.low == pytest.approx(1.959964 * np.sqrt(variance))
    assert found.n_evaluated == 33


def test_an_interval_stays_between_minus_one_and_one():
    data = labelled([50, 50], weighted=False)
    rows = np.concatenate([np.flatnonzero(data.cluster == c)[:2] for c in (0, 1)])
    assert _estimate(data, rows, np.array([1.0, 0.9, 1.0, 0.8])).high == 1
    assert _estimate(data, rows, np.array([-1.0, -0.9, -1.0, -0.8])).low == -1


def test_rows_are_drawn_from_each_cluster_by_weight_and_once_each():
    data = labelled([400, 300, 100, 20])
    rows = _stratified_rows(data, 400, np.random.default_rng(0))
    shares = np.ceil(400 * data.totals / data.weight.sum()).astype(int)
    assert len(set(rows)) == len(rows)
    assert np.bincount(data.cluster[rows]).tolist() == [*shares[:3], 20]
    few = _stratified_rows(data, 10, np.random.default_rng(0))
    assert np.bincount(data.cluster[few]).tolist() == [30, 30, 30, 20]


def test_a_larger_limit_evaluates_its_square_over_the_number_of_rows(blobs):
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=4_000)
    X = rng.normal(size=(4_000, 1)) + labels[:, None]
    assert 2_250 <= silhouette_score(X, labels, limit=3_000).n_evaluated <= 2_252
    assert 1_000 <= silhouette_score(X, labels, limit=300).n_evaluated <= 1_002
    weight = rng.uniform(0.1, 5, 4_000)
    whole = silhouette_score(X, labels, sample_weight=weight, limit=4_000)
    assert whole.n_evaluated == 4_000
    assert whole.low == whole.value == whole.high == float(whole)


def test_the_same_seed_gives_the_same_estimate():
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=3_000)
    X = rng.normal(size=(3_000, 1)) + labels[:, None]
    default, first, again, other = (
        silhouette_score(X, labels, limit=10, **seed).low
        for seed in ({}, {"random_state": 0}, {"random_state": 0}, {"random_state": 1})
    )
    assert default == first == again
    assert first != other
    assert abs(first - other) < 0.05
    several = silhouette_scores(X, [labels, 1 - labels], limit=10)
    assert several[0].low == pytest.approx(first)
    assert several[1].low == pytest.approx(first)


def test_several_labellings_are_each_scored_without_the_noise_of_any(blobs):
    X, labels = blobs
    coarse, fine = labels // 2, labels * 2 + np.arange(len(X)) % 2
    coarse[:9], fine[5:30] = -1, -4
    one = np.full(len(X), 3)
    weight = np.arange(len(X)) % 4
    kept = np.arange(len(X)) >= 30
    found = silhouette_scores(X, [coarse, fine + 20 * (fine >= 0), one], sample_weight=weight)
    for each, own in zip(found[:2], (coarse, fine), strict=True):
        expected = silhouette_score(X[kept], own[kept], sample_weight=weight[kept])
        assert each.value == pytest.approx(expected.value, abs=1e-12)
        assert each.n_evaluated == expected.n_evaluated
    assert np.isnan(found[2].value)


@pytest.mark.parametrize("numbers", [(10, 3), (3, 10), (2, 3, 5)])
def test_labellings_that_cross_are_scored_as_each_alone(blobs, numbers):
    rng = np.random.default_rng(0)
    labellings = [rng.integers(n, size=1_003) for n in numbers]
    found = silhouette_scores(blobs[0], labellings)
    for each, own in zip(found, labellings, strict=True):
        assert each.value == pytest.approx(metrics.silhouette_score(blobs[0], own), abs=1e-9)


def test_sampled_rows_are_stratified_by_the_labelling_of_most_labels():
    rng = np.random.default_rng(0)
    fine = np.concatenate([np.arange(20).repeat(10), rng.integers(20, 22, 2_800)])
    X = rng.normal(size=(3_000, 1)) + fine[:, None] % 7
    coarse = (fine > 20).astype(int)
    exact = silhouette_scores(X, [coarse, fine])
    for labellings in ([coarse, fine], [fine, coarse]):
        found = silhouette_scores(X, labellings, limit=100)
        assert found[0].n_evaluated > 1_100  # all of the small ones, and a third of the others
        for each, whole in zip(
            found, exact if labellings[0] is coarse else exact[::-1], strict=True
        ):
            assert each.low - 0.05 <= whole.value <= each.high + 0.05
            assert each.n_evaluated == found[0].n_evaluated
    assert np.isnan(silhouette_scores(X, [fine, fine * 0], limit=100)[1].value)


def test_simplified_silhouettes_follow_the_definition(blobs):
    X, labels = blobs
    centers = np.array([X[labels == c].mean(axis=0) for c in range(5)])
    distances = np.sqrt(((X[:, None] - centers) ** 2).sum(axis=2))
    a = distances[np.arange(len(X)), labels]
    b = np.where(np.arange(5) == labels[:, None], np.inf, distances).min(axis=1)
    expected = (b - a) / np.maximum(a, b)
    np.testing.assert_allclose(simplified_silhouette_samples(X, labels, centers), expected)
    weight = np.arange(len(X)) % 3
    score = simplified_silhouette_score(X, labels, centers, weight)
    assert score == pytest.approx(np.repeat(expected, weight).mean())


def test_simplified_silhouettes_do_not_depend_on_blocks(blobs, monkeypatch):
    X, labels = blobs
    centers = np.array([X[labels == c].mean(axis=0) for c in range(5)])
    expected = simplified_silhouette_samples(X, labels, centers)
    monkeypatch.setattr(simplified, "BLOCK_ROWS", 100)
    np.testing.assert_array_equal(simplified_silhouette_samples(X, labels, centers), expected)


def test_simplified_silhouettes_leave_noise_out_and_count_empty_centres():
    values = simplified_silhouette_samples([[0.0], [3.0], [np.nan]], [0, 0, -1], [[0.0], [4.0]])
    np.testing.assert_allclose(values, [1.0, -2 / 3, np.nan])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0.0], [1.0]], [0, 0]), "2 or more labels"),
        (([[0.0], [1.0]], [0, 1, 1]), "2 rows"),
        (([[0.0], [np.nan]], [0, 1]), "must be finite"),
        (([0.0, 1.0], [0, 1]), "two dimensions"),
        (([[0.0], [1.0]], [0.5, 1]), "must be integers"),
        (([[0.0], [1.0]], [0, 1], [1, -1]), "sample_weight"),
    ],
)
def test_malformed_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        silhouette_samples(*arguments)


def test_a_label_without_a_centre_is_named():
    with pytest.raises(ValueError, match="up to 2"):
        simplified_silhouette_samples([[0.0], [1.0]], [0, 2], [[0.0], [1.0]])


def test_silhouettes_of_measured_pixels_equal_scikit_learns():
    path = SHARED / "microscopy" / "nanosims_grain_6species.nc"
    if not path.exists():
        pytest.skip("the shared data are not here")
    xr = pytest.importorskip("xarray")
    with xr.open_dataset(path) as image:
        X = image["counts"].isel(frame=0).values.reshape(6, -1).T[::40].astype(float)
    labels = (X[:, 1] > np.median(X[:, 1])).astype(int) + (X[:, 0] > X[:, 0].mean())
    expected = metrics.silhouette_samples(X, labels)
    np.testing.assert_allclose(silhouette_samples(X, labels), expected, atol=1e-6)
