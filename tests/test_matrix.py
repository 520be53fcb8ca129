"""Between xarray and numpy: rows are those of xarray's own stacking, results lie where they should.

The chains stand for what users ask; the functions are plain sums and shares, so that each test can
say with xarray or numpy alone what must come out.
"""

from dataclasses import replace

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

import xcluster
from xcluster.blocks import block as blocks
from xcluster.blocks import matrix, rows
from xcluster.grid.layout import COLUMN

CHUNKS = {"y": (4, 1, 2), "x": (2, 3)}


@pytest.fixture
def image():
    """Three variables over 7 x 5 pixels: one in other units, one over x alone; four gaps."""
    rng = np.random.default_rng(0)
    coords = {"y": np.arange(7.0)[::-1], "x": np.arange(5) * 10.0}
    a, b = rng.normal(size=(2, 7, 5))
    a[0, 0], a[3, 4], b[3, 3], b[6, 2] = np.nan, np.inf, np.nan, -np.inf
    arrays = {"a": (("y", "x"), a), "b": (("x", "y"), 100 + b.T), "c": ("x", np.arange(5.0))}
    return xr.Dataset(arrays, coords)


@pytest.fixture
def columns():
    """Two variables over depth or frequency, in odd orders of dims; both axes fall."""
    rng = np.random.default_rng(1)
    arrays = {
        "t": (("y", "depth", "x"), rng.normal(size=(3, 6, 4)), {"units": "degC"}),
        "s": (("depth", "x", "y"), rng.normal(size=(6, 4, 3)), {"units": "1e-3"}),
    }
    coords = {"depth": np.array([60.0, 50, 40, 30, 20, 10]), "x": np.arange(4.0)}
    ds = xr.Dataset(arrays, coords)
    ds["t"][1, 2, 3] = np.nan
    return ds


def layout_of(image):
    return image.cluster.pixels(["a", "b", "c"]).layout


def stacked(ds):
    """Rows (n_points, n_variables) by xarray alone, points in the order y, x."""
    return ds.to_array().transpose("y", "x", "variable").values.reshape(-1, len(ds))


def chunked(ds, chunks=CHUNKS):
    return ds.chunk({dim: sizes for dim, sizes in chunks.items() if dim in ds.dims})


# ------------------------------------------------------------------------------------------ apply


@pytest.mark.parametrize("arrange", [lambda ds: ds, chunked], ids=["memory", "chunks"])
def test_a_function_of_the_rows_lies_on_the_grid_and_nan_elsewhere(image, arrange):
    found = matrix.apply(layout_of(arrange(image)), lambda X: X.sum(axis=1), dtype=float)
    total = image.a + image.b + image.c
    expected = total.where(np.isfinite(total))
    xr.testing.assert_allclose(found.compute(), expected)
    assert found.dims == ("y", "x")
    assert int(found.isnull().sum()) == 4


@pytest.mark.parametrize("arrange", [lambda ds: ds, chunked], ids=["memory", "chunks"])
def test_a_width_adds_one_further_dim(image, arrange):
    share = matrix.apply(layout_of(arrange(image)), lambda X: X[:, :2] * [1, 2], width=2)
    assert share.dims == ("y", "x", COLUMN)
    assert share.shape == (7, 5, 2)
    whole = np.isfinite(stacked(image)).all(axis=1).reshape(7, 5)
    np.testing.assert_allclose(
        share.values[whole, 1], 2 * image.b.transpose("y", "x").values[whole]
    )
    assert np.isnan(share.values[~whole]).all()


def test_results_are_single_precision_unless_asked(image):
    assert matrix.apply(layout_of(image), lambda X: X[:, 0]).dtype == np.float32
    assert matrix.apply(layout_of(chunked(image)), lambda X: X[:, 0]).dtype == np.float32
    wide = matrix.apply(layout_of(chunked(image)), lambda X: X[:, 0], dtype=np.float64)
    assert wide.dtype == wide.compute().dtype == np.float64


def test_chunks_are_the_users_and_nothing_is_computed(image, computes):
    found = matrix.apply(layout_of(chunked(image)), lambda X: X, width=3)
    assert found.chunks == ((4, 1, 2), (2, 3), (3,))
    assert matrix.apply(layout_of(chunked(image)), lambda X: X[:, 0]).chunks == ((4, 1, 2), (2, 3))
    assert computes() == 0


def test_the_blocks_of_a_lazy_result_are_arrays_of_its_type_before_they_are_computed(image):
    found = matrix.apply(layout_of(chunked(image)), lambda X: X, width=3)
    assert found.data._meta.dtype == np.float32
    assert found.data._meta.ndim == 3
    assert found.data.name.startswith("xcluster-")


def test_one_chunked_variable_among_others_in_memory_is_enough(image):
    expected = matrix.apply(layout_of(image), lambda X: X.sum(axis=1))
    mixed = image.assign(b=image.b.chunk(y=(4, 1, 2), x=(2, 3)))
    found = matrix.apply(layout_of(mixed), lambda X: X.sum(axis=1))
    assert found.chunks == ((4, 1, 2), (2, 3))
    xr.testing.assert_equal(found.compute(), expected)


def test_only_complete_rows_reach_the_function(image):
    seen = []
    matrix.apply(layout_of(image), lambda X: seen.append(X.copy()) or X[:, 0])
    assert np.isfinite(np.concatenate(seen)).all()
    assert sum(len(each) for each in seen) == 7 * 5 - 4


def test_a_function_is_not_called_where_no_row_is_complete(image):
    calls = []
    mask = image.y > 3  # the first of three chunks and no other
    layout = chunked(image).cluster.pixels(["a", "b"]).where(mask).layout
    found = matrix.apply(layout, lambda X: calls.append(len(X)) or X[:, 0])
    with dask.config.set(scheduler="sync"):
        values = found.values
    assert sorted(calls) == [5, 9]  # three rows of two and of three pixels, less a gap
    assert np.isnan(values[3:]).all()


def test_the_result_has_the_coordinates_of_the_samples(image):
    image = image.assign_coords(area=("y", np.ones(7)), names=("x", list("abcde")))
    found = matrix.apply(layout_of(image), lambda X: X[:, 0])
    assert set(found.coords) == {"y", "x", "area", "names"}
    xr.testing.assert_identical(found.y, image.y.assign_coords(area=image.area))


@pytest.mark.parametrize("chunks", [None, {"y": 2}, {"y": 2, "depth": 5, "x": 3}])
def test_features_come_in_one_order_whatever_the_order_of_dims(columns, chunks):
    layout = (columns if chunks is None else columns.chunk(chunks)).cluster.profiles("depth").layout
    found = matrix.apply(layout, lambda X: X, width=12, dtype=float)
    rising = columns.sortby("depth").transpose("y", "x", "depth")
    expected = np.concatenate([rising.s.values, rising.t.values], axis=2)
    found = found.transpose("y", "x", COLUMN).values
    whole = np.isfinite(expected).all(axis=2)
    np.testing.assert_array_equal(found[whole], expected[whole])
    assert (~whole).sum() == 1
    assert np.isnan(found[~whole]).all()


def test_snapshots_of_several_dims_are_flattened_by_the_names_of_dims(columns):
    field = columns.s.rename(y="time").transpose("time", "x", "depth")
    layout = field.cluster.snapshots("time").layout
    found = matrix.apply(layout, lambda X: X, width=24, dtype=float)
    expected = field.sortby("depth").transpose("time", "depth", "x").values.reshape(3, 24)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("depths", [slice(None), slice(1), slice(2)])
def test_variables_with_features_of_other_lengths_stand_side_by_side(columns, depths):
    """As windows of an image and whole profiles: their feature dims are not one index."""
    other = columns.s.isel(depth=depths).rename(depth="band")
    layout = columns[["t"]].cluster.profiles("depth").layout
    band = other.to_dataset().cluster.profiles("band").layout.variables["s"]
    both = replace(layout, variables={**layout.variables, "s": band})
    lazy = columns[["t"]].chunk(y=2).cluster.profiles("depth").layout
    width = both.n_features
    expected = matrix.apply(both, lambda X: X, width=width)
    found = matrix.apply(
        replace(lazy, variables={**lazy.variables, "s": band}), lambda X: X, width=width
    )
    assert found.chunks[:2] == ((2, 1), (4,))
    xr.testing.assert_equal(found.compute(), expected)


# ----------------------------------------------------------------------------------- slabs, parts


def shapes_seen(layout):
    seen = []
    matrix.run(layout, lambda b: seen.append(b.shape) or np.zeros(b.shape), width=None, dtype=float)
    return sorted(seen)


def test_arrays_in_memory_are_cut_along_their_longest_dim_into_blocks_of_rows(image, monkeypatch):
    monkeypatch.setattr(matrix, "BLOCK_ROWS", 11)
    assert shapes_seen(layout_of(image)) == [(1, 5), (2, 5), (2, 5), (2, 5)]
    wide = layout_of(image.transpose("x", "y"))
    assert sorted(shapes_seen(wide)) == [(5, 1), (5, 2), (5, 2), (5, 2)]
    monkeypatch.setattr(matrix, "BLOCK_ROWS", 3)
    assert shapes_seen(layout_of(image)) == [(1, 5)] * 7
    monkeypatch.undo()
    assert shapes_seen(layout_of(image)) == [(7, 5)]


def test_a_grid_of_one_dim_is_cut_into_blocks_of_rows(monkeypatch):
    monkeypatch.setattr(matrix, "BLOCK_ROWS", 10)
    track = xr.DataArray(np.arange(25.0), dims="time", name="v")
    assert shapes_seen(track.cluster.pixels().layout) == [(5,), (10,), (10,)]


@pytest.mark.parametrize("n", [1, 3, 5, 11, 35, 1_000])
@pytest.mark.parametrize("order", [("y", "x"), ("x", "y")])
def test_results_do_not_depend_on_how_arrays_are_cut(image, monkeypatch, n, order):
    layout = layout_of(image.transpose(*order))
    expected = matrix.apply(layout, lambda X: X, width=3)
    monkeypatch.setattr(matrix, "BLOCK_ROWS", n)
    xr.testing.assert_identical(matrix.apply(layout, lambda X: X, width=3), expected)


@pytest.mark.parametrize("order", [("y", "x"), ("x", "y")])
@pytest.mark.parametrize("width", [None, 3])
def test_results_do_not_depend_on_the_parts_of_a_block(image, monkeypatch, order, width):
    layout = layout_of(chunked(image.transpose(*order)))
    function = (lambda X: X.sum(axis=1)) if width is None else (lambda X: X)
    expected = matrix.apply(layout, function, width=width).compute()
    monkeypatch.setattr(blocks, "PART_BYTES", 100)
    xr.testing.assert_identical(matrix.apply(layout, function, width=width).compute(), expected)


def test_a_grid_of_three_dims_is_cut_along_the_longest(monkeypatch):
    array = xr.DataArray(np.arange(24.0).reshape(2, 4, 3), dims=("t", "y", "x"), name="v")
    layout = array.cluster.pixels().layout
    monkeypatch.setattr(matrix, "BLOCK_ROWS", 12)
    assert shapes_seen(layout) == [(2, 2, 3)] * 2
    np.testing.assert_array_equal(matrix.apply(layout, lambda X: X[:, 0]), array)


# ----------------------------------------------------------------------------------------- reduce


def first_column(block):
    return [block.rows(block.complete)[:, 0].tolist()]


def joined(parts):
    return [each for part in parts for each in part]


def values_of(found):
    return [value for part in found for value in part]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("n", [5, 11, 10_000])
def test_blocks_are_merged_in_their_order(image, monkeypatch, n, whole):
    monkeypatch.setattr(matrix, "BLOCK_ROWS", n)
    found = matrix.reduce(layout_of(image), first_column, joined, whole=whole)
    X = stacked(image)
    assert values_of(found) == X[np.isfinite(X).all(axis=1), 0].tolist()
    assert len(found) == (1 if whole else {5: 7, 11: 4, 10_000: 1}[n])
    if not whole:
        assert matrix.reduce(layout_of(image), first_column, joined) == found


def test_chunks_are_merged_in_their_order_in_a_tree():
    """Thirty blocks: no merge takes more than eight, and the last one gives the answer."""
    array = xr.DataArray(da.arange(30.0, chunks=1), dims="x", name="v")
    sizes = []

    def merge(parts):
        sizes.append(len(parts))
        return joined(parts)

    found = matrix.reduce(array.cluster.pixels().layout, first_column, merge)
    assert values_of(found) == list(range(30))
    assert sorted(sizes) == [4, 6, 8, 8, 8]


def test_one_chunk_is_merged_too(image):
    found = matrix.reduce(layout_of(image.chunk()), lambda block: 1, lambda parts: sum(parts) + 10)
    assert found == 11


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("arrange", [lambda ds: ds, chunked], ids=["memory", "chunks"])
def test_a_block_is_taken_in_parts_unless_it_is_asked_for_whole(image, monkeypatch, arrange, whole):
    monkeypatch.setattr(blocks, "PART_BYTES", 240)  # ten rows of three columns
    layout = layout_of(arrange(image))
    assert matrix.reduce(layout, lambda block: len(block.inside), sum, whole=whole) == 35
    largest = matrix.reduce(layout, lambda block: len(block.inside), max, whole=whole)
    of_memory = 35 if whole else 5
    assert largest == (of_memory if layout.chunks == {} else 12 if whole else 8)


def test_all_scenes_are_reduced_and_in_their_order(image):
    parts = [image.isel(y=slice(4)), image.isel(y=slice(4, None))]
    for arrange in (
        lambda each, _: each,
        lambda each, _: each.chunk(y=2),
        lambda each, i: each.chunk(y=2) if i else each,
    ):
        scenes = [arrange(each, i) for i, each in enumerate(parts)]
        layout = xcluster.pool(scenes, lambda ds: ds.cluster.pixels(["a", "b"])).layout
        for whole in (False, True):
            found = matrix.reduce(layout, first_column, joined, whole=whole)
            X = stacked(image[["a", "b"]])
            assert values_of(found) == X[np.isfinite(X).all(axis=1), 0].tolist()


@pytest.mark.parametrize("arrange", [lambda ds: ds, chunked], ids=["memory", "chunks"])
def test_a_block_finds_the_further_arrays_of_its_scene(image, monkeypatch, arrange):
    monkeypatch.setattr(matrix, "BLOCK_ROWS", 10)
    number = xr.DataArray(np.arange(7), {"y": image.y}, ("y",))

    def totals(block):
        rows_of = np.broadcast_to(block.extra["number"], block.shape).ravel()[block.complete]
        return np.bincount(rows_of, block.rows(block.complete)[:, 0], 7)

    found = matrix.reduce(
        layout_of(arrange(image)), totals, sum, extra=lambda scene: {"number": number}
    )
    X = stacked(image)
    whole = np.isfinite(X).all(axis=1)
    np.testing.assert_allclose(found, np.bincount(np.arange(35)[whole] // 5, X[whole, 0], 7))


def test_mask_and_weight_over_fewer_dims_reach_every_block(image):
    samples = image.cluster.pixels(["a", "b"]).where(image.x > 5).weights(image.y + 1)
    layout = samples.layout
    found = matrix.reduce(
        layout, lambda block: float(block.weight[block.complete].sum()), sum, whole=True
    )
    whole = np.isfinite(image.a + image.b) & (image.x > 5)
    assert found == pytest.approx(float((image.y + 1).where(whole).sum()))


# ----------------------------------------------------------------------------------------- unpack


@pytest.mark.parametrize("order", [("y", "depth", "x"), ("x", "y", "depth")])
def test_rows_unpacked_are_the_samples_they_were_made_of(columns, order):
    ds = columns.transpose(*order).fillna(0)
    layout = ds.cluster.profiles("depth").layout
    X = matrix.apply(layout, lambda X: X, width=12, dtype=float)
    points = X.stack(point=("y", "x")).transpose("point", COLUMN).values
    found = matrix.unpack(layout.features, points, "point", np.arange(12) + 5)
    expected = ds.stack(point=("y", "x")).transpose("point", "depth")
    for name in ds:
        np.testing.assert_array_equal(found[name], expected[name])
        assert found[name].dims == ("point", "depth")
        assert found[name].attrs == ds[name].attrs
    np.testing.assert_array_equal(found.point, np.arange(12) + 5)
    xr.testing.assert_identical(found.depth, ds.depth)


def test_fields_unpacked_keep_their_dims_and_their_land(columns):
    field = columns.s.rename(y="time").transpose("time", "x", "depth").copy()
    field[:, 1, 2] = np.nan
    field[:, 3, 0] = np.nan
    layout = field.cluster.snapshots("time").layout
    assert layout.n_features == 22
    X = rows.gather(layout).X
    found = matrix.unpack(layout.features, X, "time", np.arange(3))
    xr.testing.assert_equal(found["s"], field.assign_coords(time=np.arange(3)))
    assert found["s"].dtype == np.float64
    small = matrix.unpack(layout.features, X.astype(np.float32), "time", np.arange(3))
    assert small["s"].dtype == np.float32
    whole = matrix.unpack(layout.features, X.astype(np.int16), "time", np.arange(3))
    assert np.isnan(whole["s"].values[0, 1, 2])


def test_single_features_unpack_to_one_value_a_row(image):
    layout = layout_of(image)
    X = np.arange(6).reshape(2, 3)
    found = matrix.unpack(layout.features, X, "label", np.arange(2))
    assert {name: each.values.tolist() for name, each in found.items()} == {
        "a": [0, 3],
        "b": [1, 4],
        "c": [2, 5],
    }
    assert found["a"].dims == ("label",)
    assert found["a"].dtype == X.dtype
