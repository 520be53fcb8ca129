"""Names, colours, nodes and flags of labels, whatever becomes of their numbers."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def pixels(ocean):
    return ocean.cluster.pixels()


@pytest.fixture(scope="module")
def four(pixels):
    return pixels.kmeans(4)


def test_labels_of_a_matched_map_stand_at_their_own_nodes(pixels):
    fit = pixels.som((2, 3))
    turned = fit.match((fit.labels + 1) % 6)
    assert turned.partition.codes.tolist() == [1, 2, 3, 4, 5, 0]
    assert turned.centers.som_row.values.tolist() == [1, 0, 0, 0, 1, 1]
    assert turned.centers.som_col.values.tolist() == [2, 0, 1, 2, 0, 1]
    places = turned.centers.set_index(label=("som_row", "som_col")).sst
    ours = fit.centers.set_index(label=("som_row", "som_col")).sst
    np.testing.assert_array_equal(places.sel(som_row=1, som_col=2), ours.sel(som_row=1, som_col=2))
    assert "som_row" not in fit.merge([[0, 1]]).centers.coords
