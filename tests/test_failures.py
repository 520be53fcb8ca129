"""Where a computation over all blocks failed: which block of the user's data cannot be read."""

from typing import ClassVar

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

import xcluster
from xcluster.base.errors import BadFileError
from xcluster.blocks import matrix
from xcluster.blocks.block import OURS


def lazy(broken=None, name="a", dims=("y", "x"), said="the disk is gone"):
    """A 5 x 6 array in chunks of 2 x 4, of which one cannot be read."""

    def read(block, block_info=None):
        if block_info[0]["chunk-location"] == broken:
            raise OSError(said)
        return block

    values = da.zeros((5, 6), chunks=(2, 4)).map_blocks(read, dtype=float, meta=np.empty((0, 0)))
    return xr.DataArray(values, dims=dims, name=name)


def layout_of(*arrays):
    return xr.Dataset({each.name: each for each in arrays}).cluster.pixels().layout


def failed(layout):
    """What comes out of a pass over the data."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        matrix.reduce(layout, lambda block: 1, sum)
    return caught.value


@pytest.mark.parametrize(
    ("place", "block"),
    [((0, 0), "y 0:2, x 0:4"), ((1, 1), "y 2:4, x 4:6"), ((2, 0), "y 4:5, x 0:4")],
)
def test_the_block_its_variable_the_reason_and_a_remedy_are_named(place, block):
    error = failed(layout_of(lazy(), lazy(place, "b")))
    assert isinstance(error, OSError)
    assert isinstance(error, BadFileError)
    assert (error.parameter, error.value) == ("vars", "b")
    assert error.rule.startswith(f"the block [{block}] of 'b' cannot be read")
    assert error.remedy == "repair or replace it, or select data without it"
    assert str(error) == (
        f"vars='b': the block [{block}] of 'b' cannot be read (OSError: the disk is gone). "
        "Repair or replace it, or select data without it."
    )
    assert str(error.__cause__) == "the disk is gone"


def test_the_first_of_several_broken_blocks_is_named():
    both = layout_of(lazy((2, 1), "a", said="late"), lazy((0, 0), "b", said="early"))
    assert "of 'a' cannot be read (OSError: late)" in str(failed(both))


def test_arrays_in_memory_are_passed_over_and_scenes_are_not():
    whole = lazy().compute()
    scenes = [whole.to_dataset(), lazy((1, 0)).to_dataset()]
    pooled = xcluster.pool(scenes, lambda ds: ds.cluster.pixels()).layout
    assert "[y 2:4, x 0:4] of 'a'" in str(failed(pooled))
    mixed = layout_of(whole, lazy((1, 0), "b"))
    assert "[y 2:4, x 0:4] of 'b'" in str(failed(mixed))


def test_a_mask_that_cannot_be_read_is_named_too():
    mask = lazy((0, 1), "sea").astype(bool)
    layout = lazy().to_dataset().cluster.pixels().where(mask).layout
    assert "[y 0:2, x 4:6]" in str(failed(layout))


SELECTED = {
    "isel": lambda array: array.isel(x=slice(1, None)),
    "computed": lambda array: 2 * array + 1,
    "masked": lambda array: array.where(array < 2),
    "cut and masked": lambda array: array.isel(x=slice(1, None)).where(lambda cut: cut < 2),
    "joined": lambda array: array.chunk(y=5),
    "split": lambda array: array.chunk(y=1),
}


@pytest.mark.parametrize("cluster", [None, "a cluster"])
@pytest.mark.parametrize("select", SELECTED.values(), ids=SELECTED)
def test_the_block_of_data_that_were_selected_is_named(select, cluster, request):
    if cluster:
        request.getfixturevalue("client")
    layout = layout_of(select(lazy()), select(lazy((1, 0), "b")))
    error = failed(layout)
    rows = "y 0:5" if select is SELECTED["joined"] else "y 2:"
    assert isinstance(error, BadFileError)
    assert rows in error.rule
    assert ", x 0:" in error.rule
    assert error.value == "b"


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.Client(processes=False, set_as_default=False, **options) as client:
        yield client


@pytest.fixture(autouse=True)
def _scheduler(request):
    """A cluster only where a test asks for it."""
    asked = request.node.callspec.params.get("cluster") if hasattr(request.node, "callspec") else 0
    if asked:
        with request.getfixturevalue("client").as_current():
            yield
    else:
        with dask.config.set(scheduler="threads"):
            yield


class Disk:
    """What was read, and what cannot be read; a class, so that it is not copied to a cluster."""

    reads: ClassVar = []
    faulty: ClassVar = set()


def counting(kind=OSError, broken=(7, 0)):
    """Two variables in 100 blocks, places that cannot be read, and all that were read."""
    reads, faulty = Disk.reads, Disk.faulty
    for each in (reads, faulty):
        each.clear()
    faulty.add(broken)

    def read(block, block_info=None):
        place = block_info[0]["chunk-location"]
        Disk.reads.append(place)
        if place in Disk.faulty:
            raise kind("gone")
        return block + place[0]

    values = da.zeros((100, 3), chunks=(1, 3)).map_blocks(read, dtype=float, meta=np.empty((0, 0)))
    ds = xr.Dataset({name: (("y", "x"), values + i) for i, name in enumerate("ab")})
    return ds, faulty, reads


@pytest.mark.parametrize("kind", [OSError, ValueError])
def test_no_block_is_read_again_to_find_one_that_cannot_be_read(kind):
    ds, _, reads = counting(kind)
    with dask.config.set(scheduler="sync"):
        assert "[y 7:8, x 0:3] of 'a'" in str(failed(ds.cluster.pixels().layout))
    assert len(reads) == len(set(reads)) <= 100


class NoEndpointConnectionError(Exception):
    """As packages of the network have them."""


@pytest.mark.parametrize(
    "kind", [ConnectionResetError, TimeoutError, MemoryError, NoEndpointConnectionError]
)
def test_errors_of_memory_and_of_the_network_pass_through_at_once(kind):
    ds, _, reads = counting(kind)
    error = failed(ds.cluster.pixels().layout)
    assert type(error) is kind
    assert len(reads) == len(set(reads))


def test_an_error_that_says_no_task_stays():
    error = ValueError("of the user's scheduler")

    def lost(*_, **__):
        raise error

    layout = layout_of(lazy((0, 1)))
    with dask.config.set(scheduler=lost):
        assert failed(layout) is error


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("cluster", [None, "a cluster"])
def test_a_save_names_the_block_and_reads_nothing_again(tmp_path, suffix, cluster):
    ds, faulty, reads = counting()
    faulty.clear()
    fit = ds.cluster.pixels().kmeans(2, n_init=1)
    faulty.add((60, 0))
    reads.clear()
    with pytest.raises(OSError, match=r"\[y 60:61, x 0:3\] of 'a' cannot be read"):
        fit.save(tmp_path / f"fit{suffix}")
    assert 0 < len(reads) == len(set(reads))


def test_our_own_errors_stay():
    def fails(block):
        raise ValueError("not of reading")

    with pytest.raises(ValueError, match="not of reading") as caught:
        matrix.reduce(layout_of(lazy()), fails, sum)
    assert str(caught.value) == "not of reading"
    assert caught.value.__notes__ == [OURS]


def test_a_pass_over_the_data_says_which_block_it_could_not_read():
    with pytest.raises(OSError, match=r"\[y 2:4, x 4:6\] of 'a' cannot be read"):
        matrix.reduce(layout_of(lazy((1, 1))), lambda block: 1, sum)


def flaky(failures):
    """A Dataset of which each block can be read only after some failures."""
    ds, _, reads = counting(broken=None)

    def read(block, block_info=None):
        if Disk.reads.count(block_info[0]["chunk-location"]) <= failures:
            raise OSError("try again")
        return block

    found = ds.a.data.map_blocks(read, dtype=float, meta=np.empty((0, 0)))
    return xr.Dataset({"a": (("y", "x"), found)}), reads


@pytest.mark.parametrize("cluster", ["a cluster"])
def test_a_cluster_reads_again_what_failed(tmp_path, cluster):
    ds, reads = flaky(1)
    with pytest.raises(OSError, match="try again"):
        ds.cluster.pixels().kmeans(2, n_init=1)
    ds, reads = flaky(1)
    fit = ds.cluster.pixels().kmeans(2, n_init=1, retries=1)
    assert len(reads) == 200
    assert "retries" not in repr(fit)
    reads.clear()
    fit.save(tmp_path / "fit.zarr", retries=1)
    assert len(reads) == 200


def test_threads_cannot_read_again(tmp_path):
    samples = counting(broken=None)[0].cluster.pixels()
    with pytest.raises(ValueError, match=r"retries=2: needs a cluster.* Call distributed.Client"):
        samples.kmeans(2, retries=2)
    with pytest.raises(ValueError, match="needs a cluster"):
        samples.sweep([2, 3], retries=2)
    fit = samples.kmeans(2, n_init=1)
    with pytest.raises(ValueError, match="needs a cluster"):
        fit.save(tmp_path / "fit.nc", retries=2)
    assert not (tmp_path / "fit.nc").exists()
    with pytest.raises(ValueError, match="retries=-1"):
        samples.kmeans(2, retries=-1)
