"""Where a computation over all blocks failed: which block of the user's data cannot be read."""

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

import xcluster
from xcluster.base.errors import BadFileError
from xcluster.blocks import matrix
from xcluster.blocks.block import OURS
from xcluster.blocks.failures import named_failures


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


def failed(layout, error=None):
    """What comes out where a computation fails."""
    with pytest.raises(Exception) as caught, named_failures(layout):  # noqa: PT011
        raise error or RuntimeError("somewhere")
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
    assert str(error.__cause__) == "somewhere"


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


@pytest.mark.parametrize("arrange", [lambda array: array, xr.DataArray.compute])
def test_an_error_stays_where_all_blocks_can_be_read(arrange):
    error = ValueError("of the user's scheduler")
    assert failed(layout_of(arrange(lazy())), error) is error


def test_blocks_are_looked_through_without_the_users_scheduler():
    """It may be the one that failed."""

    def lost(*_, **__):
        raise RuntimeError("no worker is left")

    with dask.config.set(scheduler=lost):
        assert "[y 0:2, x 4:6] of 'a'" in str(failed(layout_of(lazy((0, 1)))))


def test_an_error_stays_where_there_are_no_data_to_look_at():
    error = ValueError("mine")
    assert failed(None, error) is error


def test_our_own_errors_and_lost_workers_do_not_read_the_data_again():
    layout = layout_of(lazy((0, 0)))
    ours = ValueError("not of reading")
    ours.add_note(OURS)
    assert failed(layout, ours) is ours
    lost = type("KilledWorker", (Exception,), {"__module__": "distributed.scheduler"})()
    assert failed(layout, lost) is lost
    noted = ValueError("with another note")
    noted.add_note("of the user")
    assert isinstance(failed(layout, noted), BadFileError)


def test_a_pass_over_the_data_says_which_block_it_could_not_read():
    with pytest.raises(OSError, match=r"\[y 2:4, x 4:6\] of 'a' cannot be read"):
        matrix.reduce(layout_of(lazy((1, 1))), lambda block: 1, sum)


def test_nothing_is_read_where_nothing_failed():
    with named_failures(layout_of(lazy((0, 0)))):
        pass
