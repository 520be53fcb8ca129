"""The gap statistic and the knee."""

import warnings
from itertools import count

import numpy as np
import pytest
from kneed import KneeLocator
from sklearn.cluster import KMeans

from xcluster.scores import GapStatistic, gap_statistic, kmeans_inertias
from xcluster.scores.knee import knee

KS = np.arange(2, 21)


def blobs(k, seed=0, n=50):
    rng = np.random.default_rng(seed)
    return np.repeat(np.eye(k) * 20, n, axis=0) + rng.normal(size=(k * n, k))


def seisgo_recipe(ks, values, smooth):
    """SeisGo's steps: a moving average of width 3 with its ends restored, then kneed."""
    values = np.array(values, dtype=float)
    if smooth:
        smoothed = np.array([np.mean(values[max(i - 1, 0) : i + 2]) for i in range(len(values))])
        smoothed[0], smoothed[-1] = values[0], values[-1]
        values = smoothed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return KneeLocator(ks, values, S=1, curve="convex", direction="decreasing").knee


def test_the_gap_chooses_one_cluster_on_uniform_noise():
    X = np.random.default_rng(0).uniform(size=(200, 3))
    assert gap_statistic(X, range(1, 5), n_references=10).best == 1


@pytest.mark.parametrize("k", [3, 4])
def test_the_gap_finds_separated_blobs(k):
    assert gap_statistic(blobs(k), range(1, k + 3), n_references=10).best == k


def test_the_gap_of_one_cluster_is_known_in_closed_form():
    """A uniform interval has variance 1/12: the reference's log inertia follows."""
    X = np.linspace(0, 1, 1_000)[:, None]
    found = gap_statistic(X, [1], n_references=200)
    assert found.gap[0] == pytest.approx(0, abs=0.01)
    one = np.log(np.var(np.random.default_rng(0).uniform(size=(200, 1_000)), axis=1))
    assert found.error[0] == pytest.approx(one.std() * np.sqrt(1 + 1 / 200), rel=0.2)


def test_the_references_fill_the_box_along_the_principal_axes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1)) @ [[3.0, 4.0]] + rng.normal(size=(300, 2)) * 0.01
    seen = []

    def fit(rows, ks):
        seen.append(rows)
        return np.ones(len(ks))

    gap_statistic(X, [1, 2], fit, n_references=3)
    across = [np.ptp(rows @ [-0.8, 0.6]) for rows in seen]
    assert len(seen) == 4
    assert max(across) < 0.1
    assert all(rows.shape == X.shape for rows in seen)


def test_the_gap_and_its_error_follow_tibshirani():
    """Mean log inertia of references less that of the data; sd * sqrt(1 + 1/n)."""
    number, own, n = count(), np.array([5.0, 0.5]), 7

    def fit(rows, ks):
        i = next(number)
        return own if i == n else np.exp(np.array([1.0 + i, 3.0 * i]))

    found = gap_statistic(blobs(2), [1, 2], fit, n_references=n)
    logs = np.array([[1.0 + i, 3.0 * i] for i in range(n)])
    np.testing.assert_allclose(found.gap, logs.mean(axis=0) - np.log(own))
    np.testing.assert_allclose(found.error, logs.std(axis=0) * np.sqrt(1 + 1 / n))


def test_twenty_references_two_thousand_rows_and_seed_zero_are_the_default():
    X, seen = blobs(3, n=667), []

    def fit(rows, ks):
        seen.append(rows)
        return [float(np.abs(rows).sum())]

    default, named, other = (
        gap_statistic(X, [1], fit, **keywords).gap
        for keywords in ({}, {"random_state": 0}, {"random_state": 1})
    )
    assert len(X) == 2_001
    assert len(seen) == 63
    assert {len(rows) for rows in seen} == {2_000}
    assert len(np.unique(seen[20], axis=0)) == 2_000
    assert default == named != other


def test_the_box_follows_weights_and_lies_where_the_data_do():
    """Heavy rows set the axes, all rows the extent; an offset moves the box along."""
    rng = np.random.default_rng(5)
    X = np.concatenate([rng.normal(size=(40, 1)) * [[3.0, 1.0]], rng.normal(size=(40, 2))])
    X += rng.normal(size=X.shape) * 0.1 + [500.0, -900.0]
    weight = np.where(np.arange(80) < 40, 50.0, 1.0)
    axes = np.linalg.eigh(np.cov(X.T, aweights=weight))[1]
    seen = []

    def fit(rows, ks, sample_weight=None):
        seen.append(rows)
        return [1.0]

    gap_statistic(X, [1], fit, sample_weight=weight, n_references=30)
    own, drawn = X @ axes, np.concatenate(seen[:-1]) @ axes
    assert (drawn.min(axis=0) >= own.min(axis=0) - 1e-9).all()
    assert (drawn.max(axis=0) <= own.max(axis=0) + 1e-9).all()
    np.testing.assert_allclose(np.ptp(drawn, axis=0), np.ptp(own, axis=0), rtol=0.02)


def test_inertias_are_the_best_of_five_starts():
    X = np.random.default_rng(0).uniform(size=(80, 2))
    weight = np.arange(80) % 3
    ks = [1, 7, 12]
    for given in (None, weight):
        expected = [
            KMeans(k, n_init=5, random_state=0).fit(X, sample_weight=given).inertia_ for k in ks
        ]
        assert kmeans_inertias(X, ks, given) == pytest.approx(expected, rel=1e-12)


def curve(gap):
    return GapStatistic(np.arange(1, len(gap) + 1), np.array(gap), np.full(len(gap), 0.01))


def test_the_published_rule_takes_the_first_k_whose_successor_is_no_better():
    assert curve([0.1, 0.3, 0.5, 0.505, 0.9, 0.4]).published == 3
    assert curve([0.1, 0.2, 0.3]).published is None


def test_the_choice_is_the_published_one_unless_a_later_candidate_is_far_better():
    assert curve([0.30, 0.29, 0.39, 0.20]).best == 1
    assert curve([0.30, 0.29, 0.60, 0.50]).published == 1
    assert curve([0.30, 0.29, 0.60, 0.50]).best == 3
    assert curve([0.30, 0.29, 0.60, 0.90]).best == 1
    assert curve([0.1, 0.2, 0.3]).best is None


def test_a_gap_on_the_bound_fulfils_the_rule():
    quarter = np.full(4, 0.25)
    assert GapStatistic(np.arange(1, 5), np.array([0.25, 0.5, 1, 2]), quarter).published == 1
    far = GapStatistic(np.arange(1, 5), np.array([0.5, 0.25, 3, 0.25]), quarter)
    assert far.best == 1  # ten errors, and not more


def test_even_blobs_are_found_where_the_published_rule_stops_at_one():
    corners = np.vstack([np.eye(3), -np.eye(3)]) * 20
    X = np.repeat(corners, 30, axis=0) + np.random.default_rng(0).normal(size=(180, 3))
    found = gap_statistic(X, range(1, 9), n_references=10)
    assert found.published == 1
    assert found.best == 6


def test_the_gap_grows_on_where_no_k_is_enough():
    found = gap_statistic(blobs(4), [1, 2, 3], n_references=5)
    assert found.best is None


def test_equal_weights_change_no_gap_and_weights_reach_the_fit():
    X = blobs(3)
    plain = gap_statistic(X, range(1, 5), n_references=3)
    weighted = gap_statistic(X, range(1, 5), sample_weight=np.full(150, 5.0), n_references=3)
    np.testing.assert_allclose(weighted.gap, plain.gap, rtol=1e-9)
    half = np.arange(150) % 2
    np.testing.assert_allclose(
        gap_statistic(X, [1, 2], sample_weight=half, n_references=3).gap,
        gap_statistic(X[half == 1], [1, 2], n_references=3).gap,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit", [2.0**-60, 2.0**60, 1e-24, 1e24])
def test_a_gap_has_no_unit(unit, dtype):
    X = np.round(256 * blobs(4)) / 256  # exact in single precision
    plain = gap_statistic(X, range(1, 7), n_references=3)
    found = gap_statistic((X * unit).astype(dtype), range(1, 7), n_references=3)
    np.testing.assert_allclose(found.gap, plain.gap, rtol=0, atol=1e-6)
    assert found.best == plain.best == 4


def test_large_data_are_sampled_and_the_same_seed_gives_the_same_gap():
    sizes = set()

    def fit(X, ks):
        sizes.add(len(X))
        return kmeans_inertias(X, ks)

    first, again = (
        gap_statistic(blobs(3), [1, 2], fit, n_references=3, max_samples=80) for _ in range(2)
    )
    assert sizes == {80}
    np.testing.assert_array_equal(first.gap, again.gap)


def test_constant_data_are_one_cluster():
    found = gap_statistic(np.ones((10, 2)), [1, 2], lambda X, ks: np.zeros(len(ks)))
    assert found.best == 1


def test_ks_beyond_the_rows_are_refused():
    with pytest.raises(ValueError, match="up to the 3 rows"):
        gap_statistic(np.eye(3), [1, 4])


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_the_knee_equals_seisgos_recipe(seed, smooth):
    rng = np.random.default_rng(seed)
    values = 100 / KS ** rng.uniform(0.5, 3) + rng.uniform(0, 1, KS.size)
    assert knee(KS, values, smooth=smooth) == seisgo_recipe(KS, values, smooth)


@pytest.mark.parametrize("corner", [4, 7])
def test_the_knee_of_two_straight_lines_is_their_corner(corner):
    values = np.where(corner >= KS, 100 - 10 * KS, 100 - 10 * corner - 0.1 * (KS - corner))
    assert knee(KS, values) == corner
    assert knee(KS[::-1], values[::-1]) == corner
    assert knee(KS, -values, curve="concave", direction="increasing") == corner


@pytest.mark.parametrize(
    "values",
    [np.linspace(5, 1, 19), np.ones(19), np.full(19, np.nan)],
    ids=["line", "constant", "missing"],
)
def test_no_knee_is_an_answer_without_a_warning(values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert knee(KS, values) is None


@pytest.mark.parametrize("interp_method", ["interp1d", "polynomial"])
@pytest.mark.parametrize("smooth", [False, True])
def test_any_curve_gives_an_int_or_none_without_a_warning(interp_method, smooth):
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in (0, 1, 2, 3, 4, 8, 30):
            for curve in ("convex", "concave"):
                for direction in ("increasing", "decreasing"):
                    found = knee(
                        np.arange(n),
                        rng.normal(size=n).round(1),
                        curve=curve,
                        direction=direction,
                        interp_method=interp_method,
                        smooth=smooth,
                    )
                    assert found is None or type(found) is int


def test_values_that_are_not_finite_are_left_out():
    values = np.where(KS <= 5, 100.0 - 10 * KS, 50 - 0.1 * KS)
    assert knee(np.r_[1, KS], np.r_[np.nan, values]) == knee(KS, values) == 5


def test_the_polynomial_option_reaches_kneed():
    values = 100 / KS**2 + np.random.default_rng(1).uniform(0, 3, KS.size)
    expected = KneeLocator(
        KS, values, curve="convex", direction="decreasing", interp_method="polynomial"
    ).knee
    assert knee(KS, values, interp_method="polynomial") == expected


def test_options_and_shapes_of_the_knee_are_checked():
    with pytest.raises(ValueError, match=r"curve='concav': .* Did you mean 'concave'"):
        knee(KS, KS, curve="concav")
    with pytest.raises(ValueError, match="shape of ks"):
        knee(KS, KS[1:])
