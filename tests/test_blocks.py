"""Blocks: rows as plain numpy puts them together, completeness, weights, parts, errors that travel.

A block is made here of plain arrays, as an `Assembly` makes it of the chunks of a user's data.
"""

import pickle
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from xcluster.blocks import block as blocks
from xcluster.blocks.block import Block, inputs_of

SHAPE = (4, 3)
POINTS = 12
BOTH = ["t", "n"]


def block(pieces, dtype=np.float64, inside=None, weight=None, extra=None, keys=(), shape=SHAPE):
    inside = np.ones(int(np.prod(shape)), bool) if inside is None else inside
    return Block(tuple(pieces), np.dtype(dtype), inside, weight, tuple(keys), extra or {}, shape)


def pieces(rng=0):
    """Four variables of one, two and (2, 3) features; one lacks an axis."""
    rng = np.random.default_rng(rng)
    return (
        rng.normal(size=(4, 3)),
        rng.normal(size=(4, 3, 2)).astype(np.float32),
        rng.integers(9, size=(1, 3)),
        rng.normal(size=(4, 3, 2, 3)),
    )


def plain_rows(pieces):
    """Rows (12, n_columns) by numpy's broadcasting alone."""
    whole = [np.broadcast_to(each, (4, 3, *each.shape[2:])).reshape(12, -1) for each in pieces]
    return np.concatenate(whole, axis=1)


# ------------------------------------------------------------------------------------------- rows


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "chosen",
    [
        np.ones(POINTS, bool),
        np.zeros(POINTS, bool),
        np.arange(POINTS) % 3 == 1,
        np.array([7, 0, 7, 11]),
        np.array([], int),
    ],
    ids=["all", "none", "mask", "positions", "no position"],
)
def test_rows_are_the_columns_of_all_variables_side_by_side(chosen, order):
    made = tuple(np.asarray(each, order=order) for each in pieces())
    found = block(made).rows(chosen)
    np.testing.assert_array_equal(found, plain_rows(pieces())[chosen])
    assert found.dtype == np.float64


def test_many_rows_are_put_together_tile_by_tile(monkeypatch):
    monkeypatch.setattr(blocks, "CACHED_ROWS", 5)
    np.testing.assert_array_equal(block(pieces()).rows(np.ones(POINTS, bool)), plain_rows(pieces()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_have_the_type_of_the_block(dtype):
    for made in (pieces(), pieces()[1:2], pieces()[2:3]):
        assert block(made, dtype).rows(np.arange(3)).dtype == dtype
        assert block(made, dtype).rows(np.ones(POINTS, bool)).dtype == dtype


@pytest.mark.parametrize("chosen", [np.ones(POINTS, bool), np.arange(POINTS) > 3, np.arange(4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_writing_to_rows_leaves_the_users_array_alone(chosen, dtype):
    for array in (np.arange(24.0).reshape(4, 3, 2), np.arange(6.0).reshape(1, 3, 2)):
        before = array.copy()
        block([array], dtype).rows(chosen)[:] = -1
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("array", [np.ones((40, 30, 400)), np.ones((1, 30, 400))])
def test_rows_of_a_single_variable_are_copied_once(array):
    made = block([array], shape=(40, 30))
    tracemalloc.start()
    found = made.rows(np.arange(900))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.9 * found.nbytes


# --------------------------------------------------------------------------------------- complete


def test_a_row_is_complete_where_it_is_inside_and_each_feature_is_finite():
    made = pieces()
    made[0][0, 1] = np.nan
    made[1][2, 2, 1] = np.inf
    made[3][3, 0, 1, 2] = -np.inf
    inside = np.arange(POINTS) != 4
    expected = np.isfinite(plain_rows(made)).all(axis=1) & inside
    found = block(made, inside=inside).complete
    assert found.dtype == bool
    assert found.tolist() == expected.tolist()
    assert (~found).sum() == 4


def test_integers_are_always_complete_and_a_gap_counts_for_all_points_that_share_it():
    shared = np.array([[1.0, np.nan, 3.0]])
    assert block([np.zeros(SHAPE, int)]).complete.all()
    assert block([np.zeros(SHAPE, int), shared]).complete.tolist() == [True, False, True] * 4


# ------------------------------------------------------------------------------------------ parts


def test_a_small_block_is_its_own_only_part():
    one = block(pieces())
    assert one.parts() == [one]


@pytest.mark.parametrize(("n_bytes", "n_parts"), [(12 * 40, 1), (12 * 40 - 1, 2), (120, 4), (1, 4)])
def test_parts_cover_a_block_and_hold_at_most_so_many_bytes_where_one_place_does(
    monkeypatch, n_bytes, n_parts
):
    monkeypatch.setattr(blocks, "PART_BYTES", n_bytes)
    weight = np.arange(12.0)
    extra = {"key": np.arange(12).reshape(SHAPE), "row": np.arange(4)[:, None], "one": np.array(7)}
    keys = np.arange(4)[:, None], 4 * np.arange(3)[None]
    whole = block(pieces(), np.float32, weight % 5 > 0, weight, extra, keys)
    parts = whole.parts()
    assert len(parts) == n_parts
    assert sum(part.shape[0] for part in parts) == 4
    for name, of in {
        "rows": lambda b: b.rows(np.ones(len(b.inside), bool)),
        "complete": lambda b: b.complete,
        "weight": lambda b: b.weight,
        "key": lambda b: np.broadcast_to(b.extra["key"], b.shape).ravel(),
        "row": lambda b: np.broadcast_to(b.extra["row"], b.shape).ravel(),
        "one": lambda b: np.broadcast_to(b.extra["one"], b.shape).ravel(),
        "further": lambda b: b.further("row"),
        "keys": lambda b: b.key,
    }.items():
        joined = np.concatenate([of(part) for part in parts])
        np.testing.assert_array_equal(joined, of(whole), err_msg=name)
    assert all(part.dtype == whole.dtype for part in parts)


def test_parts_are_cut_along_the_longest_axis_as_views(monkeypatch):
    monkeypatch.setattr(blocks, "PART_BYTES", 2 * 5 * 8 // 2)
    array = np.arange(10.0).reshape(2, 5)
    parts = block([array], shape=(2, 5)).parts()
    assert [part.shape for part in parts] == [(2, 2), (2, 2), (2, 1)]
    assert all(np.shares_memory(part.pieces[0], array) for part in parts)
    assert all(part.weight is None for part in parts)


def test_what_all_points_share_is_whole_in_each_part(monkeypatch):
    monkeypatch.setattr(blocks, "PART_BYTES", 50)
    shared = np.arange(3.0)[None]
    made = block([np.zeros(SHAPE), shared])
    for part in made.parts():
        assert part.pieces[1] is shared
        np.testing.assert_array_equal(
            part.rows(part.complete)[:, 1], np.tile(shared[0], part.shape[0])
        )


def test_the_longest_axis_may_be_as_long_as_one_of_features(monkeypatch):
    """Cutting goes by the sample axes: four features are not four places."""
    monkeypatch.setattr(blocks, "PART_BYTES", 100)
    values = np.arange(48.0).reshape(4, 3, 4)
    found = [part.rows(part.complete) for part in block([values]).parts()]
    assert [len(each) for each in found] == [3, 3, 3, 3]
    np.testing.assert_array_equal(np.concatenate(found), values.reshape(12, 4))


# ---------------------------------------------------------------------- from the arrays of a layout


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    coords = {"depth": [30.0, 20.0, 10.0], "y": np.arange(4.0), "x": np.arange(3.0)}
    arrays = {
        "t": (("y", "depth", "x"), rng.normal(size=(4, 3, 3)).astype(np.float32)),
        "n": (("depth", "y"), rng.integers(9, size=(3, 4)).astype(np.int16)),
    }
    return xr.Dataset(arrays, coords)


def block_of(samples, extra=None, keys=()):
    """The one block of arrays in memory."""
    inputs = inputs_of(samples.layout, extra, keys)
    return inputs.assembly(lambda block: block)(*(each.values for each in inputs.arrays))


def all_rows(made):
    return made.rows(np.ones(len(made.inside), bool))


def profiles(ds, order=("y", "x")):
    """Rows (n_points, 2 * n_depths) by xarray alone."""
    rising = ds.sortby("depth").broadcast_like(ds.t.isel(depth=0, drop=True))
    parts = [rising[name].transpose(*order, "depth").values for name in ("n", "t")]
    return np.concatenate(parts, axis=2).reshape(-1, 2 * ds.sizes["depth"])


def test_arrays_become_rows_of_rising_features_whatever_the_order_of_dims(image):
    for ds in (image, image.transpose("x", "depth", "y"), image.sortby("depth")):
        samples = ds.cluster.profiles("depth", BOTH)
        made = block_of(samples)
        assert made.shape == samples.layout.shape
        assert made.dtype == np.float32
        np.testing.assert_array_equal(all_rows(made), profiles(ds, samples.layout.sample_dims))
        assert made.weight is None
        assert made.inside.all()
        assert made.extra == {}


def test_levels_are_resampled_in_double_precision_where_data_are_integers(image):
    image = image.isel(x=slice(2))
    made = block_of(image.cluster.profiles("depth", BOTH, step=5))
    expected = image.astype(float).interp(depth=[10.0, 15.0, 20.0, 25.0, 30.0])
    np.testing.assert_allclose(all_rows(made), profiles(expected), rtol=1e-6)
    assert [piece.dtype for piece in made.pieces] == [np.float64, np.float32]


def test_only_cells_with_data_are_columns():
    field = xr.DataArray(np.arange(24.0).reshape(2, 3, 4), dims=("time", "y", "x"), name="v")
    field[:, 1, 2] = field[:, 0, 0] = np.nan
    made = block_of(field.cluster.snapshots("time"))
    kept = field.transpose("time", "x", "y").values.reshape(2, 12)
    np.testing.assert_array_equal(all_rows(made), kept[:, np.isfinite(kept[0])])


def test_further_arrays_are_found_by_name_and_spread_over_the_sample_axes(image):
    extra = {"row": xr.DataArray(np.arange(4), dims="y"), "all": xr.DataArray(5)}
    made = block_of(image.cluster.profiles("depth", BOTH), extra)
    assert made.extra["row"].shape == (4, 1)
    assert np.broadcast_to(made.extra["all"], made.shape).sum() == 60
    turned = block_of(image.transpose("x", ...).cluster.profiles("depth", BOTH), extra)
    assert turned.extra["row"].shape == (1, 4)


def test_arrays_beside_the_features_are_told_apart_by_purpose_and_never_by_name(image):
    mask = xr.DataArray([True, False, True, True], dims="mask")
    weight = xr.DataArray([1.0, 2, 3], dims="weight")
    samples = image.rename(y="mask", x="weight").cluster.profiles("depth", BOTH)
    samples = samples.where(mask).weights(weight)
    extra = {"mask": xr.DataArray(5), "weight": xr.DataArray([7, 8, 9], dims="weight")}
    keys = (xr.DataArray(np.arange(4), dims="mask"), xr.DataArray([0, 10, 20], dims="weight"))
    made = block_of(samples, extra, keys)
    np.testing.assert_array_equal(made.inside, np.repeat(mask.values, 3))
    np.testing.assert_array_equal(made.weight, np.tile(weight.values, 4))
    np.testing.assert_array_equal(made.key.reshape(4, 3), np.add.outer(np.arange(4), [0, 10, 20]))
    np.testing.assert_array_equal(made.further("weight"), np.tile([7, 8, 9], 4))
    assert made.further("mask").tolist() == [5] * 12
    assert made.further("labels") is None


def test_masks_and_weights_say_which_points_are_inside(image):
    weight = xr.DataArray([0.0, 1, 2, 3], {"y": image.y}, ("y",))
    samples = image.cluster.profiles("depth", BOTH).where(image.x > 0)
    assert block_of(samples).inside.reshape(4, 3).tolist() == [[False, True, True]] * 4
    assert block_of(samples).weight is None
    weighted = block_of(samples.weights(weight))
    assert weighted.inside.reshape(4, 3).tolist() == [[False] * 3] + [[False, True, True]] * 3
    assert weighted.weight.reshape(4, 3).tolist() == [[i] * 3 for i in range(4)]
    assert weighted.weight.dtype == np.float64
    only = block_of(image.cluster.profiles("depth", BOTH).weights(weight.astype(int)))
    assert only.inside.tolist() == [False] * 3 + [True] * 9
    assert only.weight.dtype == np.float64


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_a_weight_that_is_no_weight_is_named_unless_masked(image, wrong):
    weight = xr.full_like(image.y, 1.0)
    weight[2] = wrong
    samples = image.cluster.profiles("depth", BOTH).weights(weight)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        block_of(samples)
    assert str(caught.value) == (
        f"weights={wrong!r}: must be finite numbers of at least 0 for each sample inside the mask. "
        "Fill the gaps (weights.fillna(0)) or leave those samples out with .where()."
    )
    made = block_of(samples.where(image.y != 2))
    assert made.inside.tolist() == [True] * 6 + [False] * 3 + [True] * 3


def test_the_first_wrong_weight_inside_is_the_one_that_is_named(image):
    weight = xr.DataArray([-5.0, 1, -2, -3], {"y": image.y}, ("y",))
    samples = image.cluster.profiles("depth", BOTH).weights(weight)
    samples = samples.where((image.y > 0) & (image.x == 0))
    with pytest.raises(ValueError, match=r"^weights=-2\.0: "):
        block_of(samples)


def test_errors_of_our_own_functions_are_marked_as_not_of_reading(image):
    def fail(block):
        raise KeyError("mine")

    inputs = inputs_of(image.cluster.profiles("depth", BOTH).layout)
    with pytest.raises(KeyError, match="mine") as caught:
        inputs.assembly(fail)(*(each.values for each in inputs.arrays))
    assert caught.value.__notes__ == [blocks.OURS]


def test_blocks_are_worked_on_with_one_thread_of_blas(image):
    from threadpoolctl import threadpool_info

    seen = []
    inputs = inputs_of(image.cluster.profiles("depth", BOTH).layout)
    inputs.assembly(lambda block: seen.extend(threadpool_info()))(
        *(each.values for each in inputs.arrays)
    )
    assert {each["num_threads"] for each in seen if each["user_api"] == "blas"} == {1}


def test_a_chunk_may_come_in_lists_as_dask_gives_it(image):
    inputs = inputs_of(image.cluster.profiles("depth", BOTH).layout)
    arrays = [each.values for each in inputs.arrays]
    made = inputs.assembly(all_rows)([[arrays[0]]], [arrays[1]])
    np.testing.assert_array_equal(made, inputs.assembly(all_rows)(*arrays))


def test_what_is_sent_to_a_block_pickles_without_the_data(image):
    samples = image.cluster.profiles("depth", BOTH, step=5).where(image.x > 0)
    inputs = inputs_of(samples.layout)
    sent = pickle.dumps(inputs.assembly(all_rows))
    assert len(sent) < 2_000
    arrays = [each.values for each in inputs.arrays]
    np.testing.assert_array_equal(pickle.loads(sent)(*arrays), inputs.assembly(all_rows)(*arrays))


def test_a_block_is_frozen():
    one = block(pieces())
    assert replace(one, dtype=np.dtype("f4")).rows(np.arange(2)).dtype == np.float32
    with pytest.raises(AttributeError):
        one.dtype = np.dtype("f4")
