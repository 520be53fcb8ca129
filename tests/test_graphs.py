"""What dask is given by a pass over all blocks."""

import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import cloudpickle
import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from packaging.version import Version

import xcluster
from xcluster.blocks import matrix
from xcluster.blocks.graphs import Tree
from xcluster.grid.areas import cell_areas


def image(n_blocks):
    values = da.arange(3 * n_blocks, chunks=3).reshape(n_blocks, 3) / 7
    return xr.Dataset(
        {name: (("y", "x"), values * i) for i, name in enumerate("abc", 1)},
        {"y": np.arange(float(n_blocks)), "x": np.arange(3.0)},
    )


@pytest.fixture
def graphs(monkeypatch):
    found = []
    plain = Tree.of.__func__

    def of(cls, blocks, merge):
        tree = plain(cls, blocks, merge)
        found.append(tree.graph)
        return tree

    monkeypatch.setattr(Tree, "of", classmethod(of))
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


# ------------------------------------------------------------------------------ tasks of a block

N_BLOCKS = 20


def several(n_variables, low_level=False):
    """Variables that are each read by tasks of their own, in 20 blocks of rows."""
    rng = np.random.default_rng(0)
    arrays = {
        f"v{i}": da.from_array(rng.normal(size=(400, 30)), chunks=(20, 30)).map_blocks(np.abs)
        for i in range(n_variables)
    }
    if low_level:
        arrays = {
            name: da.Array(dict(each.dask), each.name, each.chunks, dtype=each.dtype)
            for name, each in arrays.items()
        }
    coords = {"y": np.arange(400.0), "x": np.arange(30.0)}
    return xr.Dataset({name: (("y", "x"), each) for name, each in arrays.items()}, coords)


SELECTIONS = {
    "all": lambda ds: ds,
    "isel": lambda ds: ds.isel(x=slice(3, None)),
    "reversed": lambda ds: ds.isel(y=slice(None, None, -1), x=slice(None, None, 2)),
    "cut twice": lambda ds: ds.isel(x=slice(3, None)).isel(y=slice(7, 350)),
    "sel": lambda ds: ds.sel(x=slice(3, 25), y=slice(30, 300)),
    "list": lambda ds: ds.isel(x=[1, 2, 5, 7]),
    "masked": lambda ds: ds.isel(x=slice(3, None)).where(ds.v0 > 0.1),
    "computed": lambda ds: (ds.isel(x=slice(3, None)) * 2 + 1).astype("float32"),
}


@pytest.fixture
def optimized(monkeypatch):
    """The graphs that a scheduler is given."""
    found = []
    plain = Tree.__dask_optimize__

    def optimize(graph, keys, **options):
        found.append(plain(graph, keys, **options))
        return found[-1]

    monkeypatch.setattr(Tree, "__dask_optimize__", staticmethod(optimize))
    return found


def tasks_of_blocks(graph):
    """All but merges and the arrays themselves, of which there is one each."""
    return [
        key for key in graph if isinstance(key, tuple) and not key[0].startswith("xcluster-merge")
    ]


@pytest.mark.parametrize("low_level", [False, True])
@pytest.mark.parametrize("n_variables", [3, 7])
@pytest.mark.parametrize("select", SELECTIONS.values(), ids=SELECTIONS)
def test_a_block_is_at_most_two_tasks(optimized, select, n_variables, low_level):
    ds = select(several(n_variables, low_level))
    samples = ds.cluster.pixels().where(ds.v1 < 2)
    expected = ((ds.v1 < 2) & ds.to_array().notnull().all("variable")).sum()
    assert count_rows(samples) == expected
    (graph,) = optimized
    assert len(tasks_of_blocks(graph)) <= 2 * ds.v0.data.numblocks[0]


def test_profiles_and_snapshots_of_cut_data_are_at_most_two_tasks_a_block(optimized):
    ds = several(5).isel(x=slice(3, None))
    for samples in (ds.cluster.profiles("x"), ds.rename(y="time").cluster.snapshots("time")):
        assert count_rows(samples) == 400
    for graph in optimized:
        assert len(tasks_of_blocks(graph)) <= 2 * N_BLOCKS


def test_chunks_that_are_joined_are_read_side_by_side(optimized):
    ds = several(1).chunk(x=10)
    assert count_rows(ds.cluster.profiles("x")) == 400
    (graph,) = optimized
    assert len(tasks_of_blocks(graph)) >= 3 * N_BLOCKS


def test_a_source_that_blocks_share_is_read_once(optimized):
    reads = []

    def read(block):
        reads.append(1)
        return block

    values = da.ones((40, 8), chunks=(20, 8)).map_blocks(read, meta=np.empty((0, 0)))
    ds = xr.Dataset({"a": (("y", "x"), values), "b": (("y", "x"), 2 * values)})
    assert count_rows(ds.chunk(y=5).cluster.pixels()) == 320
    assert len(reads) == 2


def test_a_user_who_turns_fusing_off_gets_the_same(optimized):
    with dask.config.set({"optimization.fuse.active": False}):
        assert count_rows(several(3).isel(x=slice(3, None)).cluster.pixels()) == 400 * 27


# ------------------------------------------------------------------------------- bytes of a block


def on_earth(units):
    """Two variables in 225 blocks of 60 x 60 pixels."""
    values = da.random.default_rng(0).normal(size=(900, 900), chunks=60)
    axes = {"y": np.linspace(-80, 80, 900), "x": np.arange(900.0) ** 1.01 / 5}
    coords = {dim: (dim, axis, {"units": units[dim]}) for dim, axis in axes.items()}
    return xr.Dataset({"a": (("y", "x"), values), "b": (("y", "x"), values**2)}, coords)


SPHERE = {"y": "degrees_north", "x": "degrees_east"}
PLANE = {"y": "m", "x": "m"}


def bytes_beyond_data(graph, ds):
    """Bytes of a graph, as they are sent, for each block of the data."""
    own = dask.highlevelgraph.HighLevelGraph.merge(*(each.data.dask for each in ds.values()))
    return (len(cloudpickle.dumps(graph)) - len(cloudpickle.dumps(own))) / 225


@pytest.mark.parametrize("units", [SPHERE, PLANE], ids=["sphere", "plane"])
def test_areas_of_cells_are_sent_as_heights_and_widths(graphs, units):
    ds = on_earth(units)
    samples = ds.cluster.pixels()
    if units is SPHERE:
        samples = samples.weights("area")
    fit = samples.kmeans(3, fit_on=2000)
    report = fit.report()
    assert len(graphs) == 2
    for graph in graphs:
        assert bytes_beyond_data(graph, ds) < 1000
    assert bytes_beyond_data(fit.sieve(min_area="3 km2").labels.data.dask, ds) < 1000
    (whole,) = report.filter(like="area").sum()
    eager = cell_areas(dict(ds.coords), ds)
    assert eager.chunks is None
    np.testing.assert_allclose(whole, eager.sum(), rtol=1e-12)


# ------------------------------------------------------------------------ names, and many blocks


def random(side, **chunks):
    values = np.random.default_rng(0).normal(size=(side, side))
    coords = {"y": np.arange(float(side)), "x": np.arange(float(side))}
    return xr.Dataset({"a": (("y", "x"), values)}, coords).chunk(chunks)


def test_layers_have_names_that_people_understand(graphs):
    small, large = (random(side, y=200).cluster.pixels() for side in (300, 1001))
    fit = small.kmeans(3)
    fit.report()
    small.kmeans(3, fit_on=500)
    large.scale("standard").kmeans(3, fit_on="all", max_iter=1, tol=0, progress=False)
    layers = {name.rpartition("-")[0] for graph in graphs for name in graph.layers}
    assert {
        "xcluster-all-rows",
        "xcluster-sample",
        "xcluster-kmeans-pass",
        "xcluster-sums-of-labels",
        "xcluster-merge",
    } <= layers
    assert fit.labels.data.name.startswith("xcluster-labels-")


def test_a_warning_says_once_that_blocks_are_tiny(monkeypatch):
    monkeypatch.setattr("xcluster.blocks.sizes.VERY_MANY", 1_000)  # a tenth of them tells as much
    samples = random(32, y=1, x=1).cluster.pixels()
    assert "1,024 blocks of 8 bytes" in repr(samples)
    with pytest.warns(UserWarning, match="blocks of") as warned:
        fit = samples.kmeans(2)
    assert [str(each.message)[:24] for each in warned] == ["1,024 blocks of 8 bytes:"]
    xr.testing.assert_equal(fit.labels.compute(), random(32).cluster.pixels().kmeans(2).labels)


def test_blocks_that_are_few_or_large_are_no_matter():
    large = da.zeros((1100 * 1100, 110), chunks=(1100, 110))  # 1,100 blocks of 0.9 MiB
    few, many = (
        xr.Dataset({"a": (("y", "x"), each)}).cluster.pixels()
        for each in (large[: 1100 * 900], large)
    )
    assert "blocks of" not in repr(few)
    assert "1,100 blocks of 945 kB" in repr(many)
    whole = da.zeros((1100 * 1200, 110), chunks=(1200, 110))  # 1,100 blocks of 1.007 MiB
    assert "blocks of" not in repr(xr.Dataset({"a": (("y", "x"), whole)}).cluster.pixels())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("chunks", [(5, 9, 1), (1, 1, 13), (8, 2, 5)])
def test_labels_of_uneven_chunks_are_written_to_zarr(tmp_path, chunks):
    ds = random(15).chunk(y=chunks, x=(2, 13))
    fit = ds.cluster.pixels().kmeans(3)
    fit.save(tmp_path / "fit.zarr")
    xr.testing.assert_equal(xcluster.open(tmp_path / "fit.zarr").labels.compute(), fit.labels)


PLANNED = """
import dask
dask.config.set({"array.query-planning": True})
import dask.array, numpy as np, xarray as xr, xcluster
assert "_array_expr" in dask.array.Array.__module__
rng = np.random.default_rng(0)
dims, shape = ("time", "depth", "y", "x"), (20, 6, 24, 30)
values = {name: (dims, rng.normal(size=shape).astype("float32")) for name in "ab"}
coords = {dim: np.arange(float(n)) for dim, n in zip(dims, shape)}
coords["y"] = ("y", np.linspace(-60, 60, 24), {"units": "degrees_north"})
coords["x"] = ("x", np.arange(30) * 12.0, {"units": "degrees_east"})
eager = xr.Dataset(values, coords)
eager = eager.where(eager.a.isel(time=0, depth=0, drop=True) < 1)
lazy = eager.chunk(time=7, y=10, x=11)
mask = eager.b.isel(time=0, depth=0, drop=True) < 1
questions = {
    "pixels": lambda ds: ds.cluster.pixels().where(mask).weights("area"),
    "profiles": lambda ds: ds.cluster.profiles("depth").pca(2),
    "snapshots": lambda ds: ds.cluster.snapshots("time").pca(2),
}
for name, ask in questions.items():
    for keywords in ({}, {"fit_on": 15}):
        ours, theirs = (ask(ds).kmeans(2, **keywords) for ds in (lazy, eager))
        assert ours.labels.chunks is not None, name
        xr.testing.assert_equal(ours.labels.compute(), theirs.labels)
        assert ours.report().equals(theirs.report()), name
        xr.testing.assert_equal(ours.predict(lazy).compute(), theirs.predict(eager))
print("equal")
"""


@pytest.mark.large
@pytest.mark.skipif(Version(dask.__version__) < Version("2026.7"), reason="was not complete yet")
def test_samplers_work_with_the_query_planning_of_dask():
    command = [sys.executable, "-W", "ignore", "-c", PLANNED]
    environment = {**os.environ, "PYTHONPATH": str(Path(xcluster.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "equal\n", done.stderr
