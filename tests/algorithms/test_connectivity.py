"""Connections of grid cells against pairs found one by one."""

import itertools

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.image import grid_to_graph

from xcluster.algorithms.parts.connectivity import grid_connectivity


def by_hand(shape, mask, neighbours, wrap):
    """Compare every two cells."""
    cells = [cell for cell in itertools.product(*map(range, shape)) if mask[cell]]
    touching = np.zeros((len(cells),) * 2, bool)
    for (i, a), (j, b) in itertools.combinations(enumerate(cells), 2):
        gaps = np.abs(np.subtract(a, b))
        around = np.isin(np.arange(len(shape)), wrap)
        gaps = np.where(around, np.minimum(gaps, np.array(shape) - gaps), gaps)
        near = gaps.sum() == 1 if neighbours == 4 else gaps.max() == 1
        touching[i, j] = touching[j, i] = near
    return touching


@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("wrap", [(), (0,), (-1,), (0, 1)])
@pytest.mark.parametrize("shape", [(5, 6), (2, 3), (1, 4), (4, 3, 3)])
def test_cells_touch_as_they_do_by_hand(shape, wrap, neighbours):
    mask = np.random.default_rng(0).random(shape) < 0.8
    found = grid_connectivity(shape, mask, neighbours=neighbours, wrap=wrap)
    wrapped = [axis % len(shape) for axis in wrap]
    np.testing.assert_array_equal(found.toarray(), by_hand(shape, mask, neighbours, wrapped))


def test_a_full_grid_is_that_of_scikit_learn():
    peer = grid_to_graph(7, 5, return_as=np.ndarray).astype(bool)
    np.fill_diagonal(peer, False)
    np.testing.assert_array_equal(grid_connectivity((7, 5)).toarray(), peer)


def test_a_line_has_two_neighbours_a_cell_and_a_ring_no_end():
    assert grid_connectivity((9,)).sum(axis=1).tolist() == [1] + [2] * 7 + [1]
    assert grid_connectivity((9,), wrap=(0,)).sum(axis=1).tolist() == [2] * 9


def test_wrapping_joins_the_two_sides_of_a_date_line():
    mask = np.zeros((3, 8), bool)
    mask[:, [0, 7]] = True
    assert connected_components(grid_connectivity(mask.shape, mask))[0] == 2
    assert connected_components(grid_connectivity(mask.shape, mask, wrap=(1,)))[0] == 1


def test_an_empty_mask_gives_an_empty_matrix():
    assert grid_connectivity((3, 3), np.zeros((3, 3), bool)).shape == (0, 0)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"neighbours": 6}, "neighbours=6"),
        ({"wrap": (2,)}, "the grid has 2 axes"),
        ({"mask": np.ones((3, 4), bool)}, "shape of the grid"),
    ],
)
def test_bad_grids_are_named(keywords, message):
    with pytest.raises(ValueError, match=message):
        grid_connectivity((4, 3), **keywords)
