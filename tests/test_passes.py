"""Statistics of blocks, merged, then an update: against numpy over all rows."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from xcluster.base.streaming import BLOCK_ROWS, ArrayBlocks, Statistics, iterate


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(23, 3))


def statistics(X, sample_weight=None):
    weight = np.ones(len(X)) if sample_weight is None else sample_weight
    count = np.array(1 if len(X) else 0)
    sums = {"n": np.array(len(X)), "total": weight @ X, "blocks": count}
    if not len(X):
        return Statistics(sums)
    return Statistics(sums, {"low": X.min(axis=0)}, {"high": X.max(axis=0)})


def test_sums_minima_and_maxima_of_blocks_are_those_of_all_rows(X):
    merged = Statistics.merge([statistics(X[:4]), statistics(X[4:9]), statistics(X[9:])])
    np.testing.assert_allclose(merged.sums["total"], X.sum(axis=0))
    assert merged.sums["n"] == 23
    np.testing.assert_array_equal(merged.minima["low"], X.min(axis=0))
    np.testing.assert_array_equal(merged.maxima["high"], X.max(axis=0))


def test_merging_leaves_the_parts_as_they_were(X):
    first, second = statistics(X[:9]), statistics(X[9:])
    before = first.sums["total"].copy()
    Statistics.merge([first, second])
    np.testing.assert_array_equal(first.sums["total"], before)
    assert first.sums["n"] == 9


def test_the_statistics_of_one_block_are_its_own(X):
    one = statistics(X)
    merged = Statistics.merge([one])
    assert merged.sums == one.sums
    assert merged.minima == one.minima
    assert merged.maxima == one.maxima


@pytest.mark.parametrize(("rows", "blocks"), [(1, 23), (7, 4), (22, 2), (23, 1), (BLOCK_ROWS, 1)])
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_in_memory_are_read_in_blocks_with_their_weights(X, rows, blocks, weighted):
    weight = np.arange(23.0) if weighted else None
    found = ArrayBlocks(X, weight, rows).reduce(statistics)
    assert found.sums["n"] == 23
    assert found.sums["blocks"] == blocks
    expected = X.sum(axis=0) if weight is None else weight @ X
    np.testing.assert_allclose(found.sums["total"], expected)


def test_blocks_hold_65536_rows_by_default():
    lengths = []
    ArrayBlocks(np.zeros((2 * 65_536 + 1, 1))).reduce(
        lambda X, weight: lengths.append(len(X)) or statistics(X)
    )
    assert sorted(lengths) == [1, 65_536, 65_536]


def test_a_single_row_is_one_block_and_no_row_an_empty_one(X):
    assert ArrayBlocks(X[:1], rows=1).reduce(
        lambda X, weight: Statistics({"blocks": np.array(1), "n": np.array(len(X))})
    ).sums == {"blocks": 1, "n": 1}
    assert ArrayBlocks(np.zeros((0, 3))).reduce(statistics).sums["n"] == 0


class Countdown:
    """An estimator that is done after so many passes."""

    def __init__(self, passes):
        self.left = passes
        self.totals = []
        self.blas = set()

    def partial_statistics(self, X, sample_weight=None):
        self.blas |= {
            each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"
        }
        return statistics(X, sample_weight)

    def update(self, merged):
        self.totals.append(merged.sums["n"])
        self.left -= 1
        return self.left == 0


@pytest.mark.parametrize(
    ("needed", "allowed", "made"),
    [(1, 5, 1), (3, 5, 3), (5, 5, 5), (9, 5, 5), (9, 1, 1), (9, 0, 0)],
)
def test_passes_are_made_until_the_estimator_is_done_or_no_more_are_allowed(
    X, needed, allowed, made
):
    estimator, seen = Countdown(needed), []
    done = iterate(estimator, ArrayBlocks(X, rows=10), allowed, seen.append)
    assert done == made
    assert estimator.totals == [23] * made
    assert seen == list(range(1, made + 1))
    assert iterate(Countdown(needed), ArrayBlocks(X), allowed) == made


def test_a_pass_runs_with_one_thread_of_blas(X):
    estimator = Countdown(2)
    iterate(estimator, ArrayBlocks(X), 5)
    assert estimator.blas == {1}
