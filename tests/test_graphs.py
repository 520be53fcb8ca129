"""What dask is given by a pass over all blocks."""

from itertools import chain

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import xcluster
from xcluster.blocks import matrix


def image(n_blocks):
    values = da.arange(3 * n_blocks, chunks=3).reshape(n_blocks, 3) / 7
    return xr.Dataset(
        {name: (("y", "x"), values * i) for i, name in enumerate("abc", 1)},
        {"y": np.arange(float(n_blocks)), "x": np.arange(3.0)},
    )


@pytest.fixture
def graphs(monkeypatch):
    found = []
    plain = matrix._Tree.of.__func__

    def of(cls, blocks, merge):
        tree = plain(cls, blocks, merge)
        found.append(tree.graph)
        return tree

    monkeypatch.setattr(matrix._Tree, "of", classmethod(of))
    return found


def count(block):
    return int(block.complete.sum())


def count_rows(samples):
    return matrix.reduce(samples.layout, count, sum)


def test_a_pass_has_as_many_layers_over_many_blocks_as_over_few(graphs):
    for n_blocks in (9, 700):
        assert count_rows(image(n_blocks).cluster.pixels()) == 3 * n_blocks
    few, many = graphs
    assert len(many.layers) == len(few.layers)
    (tree,) = (layer for name, layer in many.layers.items() if name.startswith("xcluster-merge"))
    assert len(tree) == 88 + 11 + 2 + 1  # of 700 blocks, eight at a time


def test_scenes_share_one_tree(graphs):
    pooled = xcluster.pool({name: image(50) for name in "abc"}, lambda ds: ds.cluster.pixels())
    assert count_rows(pooled) == 3 * 50 * 3
    assert len(graphs) == 1


def test_parts_are_merged_in_the_order_of_the_blocks():
    samples = image(100).cluster.pixels()
    first = matrix.reduce(
        samples.layout,
        lambda block: [float(block.rows(block.complete)[0, 0])],
        lambda parts: list(chain.from_iterable(parts)),
    )
    assert first == sorted(first)
    assert len(first) == 100


def test_two_merges_of_the_same_blocks_have_keys_of_their_own(graphs):
    samples = image(9).cluster.pixels()
    found = [matrix.reduce(samples.layout, count, each, whole=True) for each in (sum, max)]
    assert found == [27, 3]
    names = [set(graph.layers) for graph in graphs]
    assert len(names[0] ^ names[1]) == 2  # the blocks are the same, the trees are not
