"""Arrays of other libraries give the labels of numpy, or are refused by name."""

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xcluster

VALUES = np.random.default_rng(0).normal(size=600) + 9 * (np.arange(600) % 3)
GAPS = np.arange(600) % 50 == 7


def table(dtype, values=VALUES):
    """A Dataset of one extension array with gaps, and the same as numpy."""
    column = pd.array(np.where(GAPS, None, values), dtype=dtype)
    plain = np.where(GAPS, np.nan, values)
    return pd.DataFrame({"a": column}).to_xarray(), xr.Dataset({"a": ("index", plain)})


@pytest.mark.parametrize(
    "dtype", ["Int64", "Int16", "Float64", "double[pyarrow]", "int32[pyarrow]"]
)
def test_nullable_and_arrow_columns_give_the_labels_of_numpy(dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    ours, plain = table(dtype, np.round(VALUES) if "nt" in dtype else VALUES)
    fit, expected = (each.cluster.pixels().kmeans(3) for each in (ours, plain))
    np.testing.assert_array_equal(fit.labels, expected.labels)
    assert int(fit.labels.isnull().sum()) == GAPS.sum()
    np.testing.assert_allclose(fit.centers["a"], expected.centers["a"], rtol=1e-6)
    np.testing.assert_array_equal(fit.predict(ours), expected.labels)
    assert not isinstance(ours["a"].dtype, np.dtype)  # the user's object is as it was


def test_nullable_columns_without_gaps_keep_their_type():
    ds = pd.DataFrame({"a": pd.array([1, 2, 9], dtype="Int16")}).to_xarray()
    assert ds.cluster.pixels().layout.variables["a"].array.dtype == np.int16


def test_a_nullable_mask_and_nullable_weights_count():
    ours, plain = table("Float64")
    mask = pd.DataFrame({"m": pd.array(np.arange(600) < 300, dtype="boolean")}).to_xarray()["m"]
    weight = pd.DataFrame({"w": pd.array(np.arange(600), dtype="Int64")}).to_xarray()["w"]
    fit = ours.cluster.pixels().where(mask).weights(weight).kmeans(3)
    index = xr.DataArray(np.arange(600), dims="index")
    expected = plain.cluster.pixels().where(index < 300).weights(index).kmeans(3)
    np.testing.assert_array_equal(fit.labels, expected.labels)


def test_columns_of_text_are_named_with_their_type():
    ds = pd.DataFrame({"a": [1.0, 2.0], "kind": pd.Categorical(["x", "y"])}).to_xarray()
    assert ds.cluster.pixels().layout.left_out["kind"] == "has dtype category"
    with pytest.raises(TypeError, match="has dtype category"):
        ds.cluster.pixels("kind")


@pytest.mark.parametrize("chunks", [None, {"x": 7}])
@pytest.mark.filterwarnings("error")
def test_units_of_quantities_reach_the_centres(chunks):
    pint = pytest.importorskip("pint")
    kelvin = pint.UnitRegistry().kelvin
    field = xr.DataArray(VALUES.reshape(20, 30) * kelvin, dims=("y", "x"), name="t")
    field = field.assign_coords(height=("y", np.arange(20.0) * kelvin))
    field = field if chunks is None else field.chunk(chunks)
    fit = field.cluster.pixels().kmeans(3)
    expected = xr.DataArray(VALUES.reshape(20, 30), dims=("y", "x"), name="t").cluster
    np.testing.assert_array_equal(fit.labels, expected.pixels().kmeans(3).labels)
    assert fit.centers["t"].attrs["units"] == "kelvin"
    assert fit.labels["height"].attrs["units"] == "kelvin"
    assert (fit.labels.chunks is None) == (chunks is None)
    with pytest.raises(ValueError, match="units"):
        fit.predict(xr.DataArray(VALUES.reshape(20, 30), dims=("y", "x"), attrs={"units": "m"}))


def test_nothing_is_computed_to_take_chunks_of_quantities():
    pint = pytest.importorskip("pint")
    field = xr.DataArray(np.ones((20, 30)) * pint.UnitRegistry().m, dims=("y", "x")).chunk(x=10)

    def refuse(*_, **__):
        raise AssertionError("computed")

    with dask.config.set(scheduler=refuse):
        repr(field.cluster.pixels())


@pytest.mark.parametrize("chunks", [None, {"x": 7}])
def test_sparse_arrays_are_refused_by_name_with_a_remedy_that_works(chunks):
    sparse = pytest.importorskip("sparse")
    full = np.where(np.arange(600) % 3, VALUES, 0).reshape(20, 30)
    held = xr.DataArray(sparse.COO.from_numpy(full), dims=("y", "x"))
    ds = xr.Dataset({"a": held, "b": (("y", "x"), full)})
    ds = ds if chunks is None else ds.chunk(chunks)
    assert ds.cluster.pixels().layout.left_out["a"] == "is an array of sparse COO"
    with pytest.raises(TypeError, match=r"is an array of sparse COO.*as_numpy"):
        ds.cluster.pixels("a")
    labels = (ds.as_numpy().cluster.pixels(name).kmeans(2).labels for name in "ab")
    np.testing.assert_array_equal(*labels)


class OnDevice:
    """An array that numpy may not read, as those of cupy are."""

    __module__ = "cupy.core"
    shape, ndim, dtype = (20, 30), 2, np.dtype("f4")

    def __array_function__(self, *_, **__):
        raise AssertionError("touched")

    __array_ufunc__ = __array__ = __array_function__


def test_an_array_on_a_device_is_refused_before_it_is_touched():
    ds = xr.Dataset({"a": (("y", "x"), OnDevice()), "b": (("y", "x"), VALUES.reshape(20, 30))})
    samples = ds.cluster.pixels()
    assert samples.layout.left_out == {"a": "is an array of cupy OnDevice"}
    assert "cupy OnDevice" in repr(samples)
    with pytest.raises(TypeError, match=r"vars='a': is an array of cupy OnDevice"):
        ds.cluster.pixels(["a", "b"])


def test_a_mask_or_weights_of_another_library_are_refused_by_name():
    sparse = pytest.importorskip("sparse")
    ds = xr.Dataset({"a": ("x", VALUES)})
    held = xr.DataArray(sparse.COO.from_numpy(VALUES > 5), dims="x")
    with pytest.raises(TypeError, match=r"mask.*is an array of sparse COO"):
        ds.cluster.pixels().where(held)
    with pytest.raises(TypeError, match=r"weights.*is an array of sparse COO"):
        ds.cluster.pixels().weights(held.astype(float))


def test_a_file_that_is_not_loaded_stays_so(tmp_path):
    xr.Dataset({"a": (("y", "x"), VALUES.reshape(20, 30))}).to_netcdf(tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc") as ds:
        ds.cluster.pixels()
        assert not ds["a"].variable._in_memory


def test_arrays_of_numpy_are_not_copied():
    ds = xr.Dataset({"a": ("x", VALUES)})
    assert ds.cluster.pixels().data is ds
    assert xcluster.ClusterAccessor(ds["a"]).pixels().layout.variables["a"].array.values is not None
