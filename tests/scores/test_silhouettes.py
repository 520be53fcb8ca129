"""Silhouettes against scikit-learn and plain numpy."""

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from xcluster import parallel
from xcluster.scores import (
    silhouette_samples,
    silhouette_score,
    simplified_silhouette_samples,
    simplified_silhouette_score,
)

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
    assert scores[0].n_evaluated < 1_100


def test_the_same_seed_gives_the_same_estimate(blobs):
    first, again, other = (
        silhouette_score(*blobs, limit=10, random_state=seed).low for seed in (1, 1, 2)
    )
    assert first == again
    assert first == other or abs(first - other) < 0.05


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


def test_simplified_silhouettes_leave_noise_out_and_count_empty_centres():
    values = simplified_silhouette_samples([[0.0], [3.0], [np.nan]], [0, 0, -1], [[0.0], [4.0]])
    np.testing.assert_allclose(values, [1.0, -2 / 3, np.nan])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0.0], [1.0]], [0, 0]), "at least 2 label"),
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
