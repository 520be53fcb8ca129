"""Saved results: exact round trips, changes found, nothing half done."""

import json
import shutil
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.cluster import HDBSCAN, Birch, BisectingKMeans, KMeans
from sklearn.decomposition import FastICA
from sklearn.mixture import BayesianGaussianMixture

import xcluster
from xcluster.files import serial, storage

SUFFIXES = (".nc", ".zarr")


@pytest.fixture(scope="module")
def fit(ocean):
    samples = ocean.cluster.pixels().where(ocean.latitude > -60).weights("area").pca(3)
    attrs = {"source": "ships", "year": 1987, "levels": [1, 2, 3], "ratio": 0.5}
    fit = samples.gmm(3, attrs=attrs, order="sst")
    return fit.relabel(["cold", "mild", "warm sea"], colors=["blue", "lime", "red"])


def assert_same(ours, fit, data):
    """Everything that needs no values is exactly as it was; and so is prediction."""
    xr.testing.assert_identical(ours.labels.compute(), fit.labels.compute())
    assert ours.labels.encoding == fit.labels.encoding
    xr.testing.assert_identical(ours.centers, fit.centers)
    assert ours.partition.label_names() == fit.partition.label_names()
    assert ours.partition.label_colors() == fit.partition.label_colors()
    assert {k: np.asarray(v).tolist() for k, v in ours.attrs.items()} == {
        k: np.asarray(v).tolist() for k, v in fit.attrs.items()
    }
    if fit.is_soft:
        xr.testing.assert_identical(ours.memberships.compute(), fit.memberships.compute())
    xr.testing.assert_identical(ours.predict(data), fit.predict(data))
    assert ours.record == fit.record
    assert repr(ours)


def round_trip(fit, path, **keywords):
    fit.save(path)
    return xcluster.open(path, **keywords)


# ------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_everything_comes_back(tmp_path, ocean, fit, suffix):
    assert_same(round_trip(fit, tmp_path / f"a{suffix}"), fit, ocean)


@pytest.mark.parametrize("is_reversed", [False, True])
def test_variables_keep_their_order_however_a_folder_lists_its_files(
    tmp_path, ocean, monkeypatch, is_reversed
):
    ours = ocean.assign_coords(zone=ocean.latitude > 0, area=ocean.latitude * 2)
    fit = ours.cluster.pixels().gmm([2, 3], n_init=1)
    fit.save(tmp_path / "a.zarr")
    listed = Path.iterdir
    monkeypatch.setattr(
        Path, "iterdir", lambda self: iter(sorted(listed(self), reverse=is_reversed))
    )
    again = xcluster.open(tmp_path / "a.zarr")
    for opened, saved in (
        (again.labels, fit.labels),
        (again.centers, fit.centers),
        (again.sweep.table, fit.sweep.table),
        (again.to_dataset(), fit.to_dataset()),
    ):
        assert list(opened.coords) == list(saved.coords)
        if isinstance(saved, xr.Dataset):
            assert list(opened.data_vars) == list(saved.data_vars)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_with_its_data_a_result_is_whole_again(tmp_path, ocean, fit, suffix):
    again = round_trip(fit, tmp_path / f"a{suffix}", data=ocean)
    assert_same(again, fit, ocean)
    xr.testing.assert_identical(again.members("warm sea"), fit.members("warm sea"))
    xr.testing.assert_identical(again.features, fit.features)
    assert again.report().equals(fit.report())
    assert again.to_dataframe().equals(fit.to_dataframe())


METHODS = {
    "kmeans": lambda ds: ds.cluster.pixels().kmeans(3),
    "robust": lambda ds: ds.cluster.pixels().scale("robust").kmeans(3),
    "nmf": lambda ds: ds.cluster.pixels(["wind_speed", "specific_humidity"]).nmf(2).kmeans(3),
    "tied": lambda ds: ds.cluster.pixels().gmm(3, covariance_type="tied"),
    "scikit-learn": lambda ds: ds.cluster.pixels().fit(KMeans(3, random_state=0)),
    "birch": lambda ds: ds.cluster.pixels().fit(Birch(n_clusters=3)),
    "bisecting": lambda ds: ds.cluster.pixels().fit(BisectingKMeans(3, random_state=0)),
    "mixture": lambda ds: ds.cluster.pixels().fit(BayesianGaussianMixture(n_components=3)),
    "ica": lambda ds: ds.cluster.pixels().scale().then(FastICA(2, random_state=0)).kmeans(3),
    "norm": lambda ds: ds.cluster.pixels().scale("norm").kmeans(3),
    "merged": lambda ds: ds.cluster.pixels().gmm(4).merge([[0, 3]]),
    "threshold": lambda ds: ds.cluster.pixels().gmm(3).threshold(0.9),
    "one": lambda ds: ds.cluster.pixels().kmeans(1),
    "gaps": lambda ds: ds.cluster.pixels(missing="keep", coverage=0.3).kmeans(3),
    "gaps, gmm": lambda ds: ds.cluster.pixels(missing="keep").scale("minmax").gmm(3, n_init=1),
}
COUNTED = {
    "mixture": lambda ds: ds.cluster.pixels().mixture(3, n_init=1),
    "pca": lambda ds: ds.cluster.pixels().pca(2, noise="poisson").kmeans(3),
    "nmf": lambda ds: ds.cluster.pixels().nmf(2, loss="poisson").gmm(3, n_init=1),
    "anscombe": lambda ds: ds.cluster.pixels().scale("anscombe").kmeans(3),
}


@pytest.mark.parametrize("method", METHODS)
def test_every_kind_of_fit_comes_back(tmp_path, ocean, method):
    fit = METHODS[method](ocean)
    again = round_trip(fit, tmp_path / "a.nc")
    assert_same(again, fit, ocean)
    assert again.method == fit.method


@pytest.mark.parametrize("method", COUNTED)
def test_every_kind_of_fit_to_counts_comes_back(tmp_path, ocean, method):
    counts = np.ceil(abs(ocean[["sst", "wind_speed", "specific_humidity"]]))
    fit = COUNTED[method](counts)
    assert_same(round_trip(fit, tmp_path / "a.nc"), fit, counts)


def test_a_clusterer_of_scikit_learn_predicts_rows_of_any_precision(ocean):
    fit = ocean.cluster.pixels().fit(KMeans(3, random_state=0))
    expected = fit.predict(ocean)
    for dtype in ("float32", "float64"):
        xr.testing.assert_equal(fit.predict(ocean.astype(dtype)), expected)


def grid(kind, random):
    """One object of each kind that the package clusters."""
    if kind == "profiles":
        values = random.normal(size=(4, 3, 5)).astype("float32")
        coords = {"depth": [30.0, 20, 10, 0], "station": list("abc")}
        da = xr.DataArray(values, coords, ("depth", "station", "time"), "t", {"units": "K"})
        return da, da.cluster.profiles("depth", step=8)
    if kind == "time":
        dates = np.array(["2000-01-01", "2000-01-03", "2001-05-05T06"], "M8[ns]")
        da = xr.DataArray(random.normal(size=(3, 5)), {"time": dates}, ("time", "x"))
        return da, da.cluster.pixels()
    if kind == "curvilinear":
        lon, lat = np.meshgrid(np.arange(5.0), np.arange(4.0))
        coords = {"lat": (("j", "i"), lat), "lon": (("j", "i"), lon), "crs": 0}
        da = xr.DataArray(random.normal(size=(4, 5)), coords, ("j", "i"))
        return da, da.cluster.pixels()
    da = xr.DataArray(random.integers(0, 9, (6, 4)), dims=("k", "x"), attrs={"valid_min": 0})
    return da, da.cluster.pixels(dim="x")


@pytest.mark.filterwarnings("ignore:The mixture has")
@pytest.mark.filterwarnings("ignore:.*Zarr V3 specification")
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(["profiles", "time", "curvilinear", "integers"]),
    suffix=st.sampled_from(SUFFIXES),
    method=st.sampled_from(["kmeans", "gmm"]),
    chunked=st.booleans(),
    names=st.lists(
        st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=6),
        min_size=2,
        max_size=2,
        unique=True,
    ),
    attrs=st.dictionaries(
        st.sampled_from(["source", "tag", "note"]),
        st.one_of(st.integers(-5, 5), st.floats(-1, 1), st.text("abcäß 1", min_size=1)),
    ),
)
def test_any_result_comes_back_exactly(
    tmp_path_factory, kind, suffix, method, chunked, names, attrs
):
    data, samples = grid(kind, np.random.default_rng(0))
    if chunked:
        data = data.chunk({data.dims[-1]: 2})
        samples = type(samples)(data.to_dataset(name=data.name or "data"), samples.sampler)
    ask = {"covariance_type": "spherical"} if method == "gmm" else {}
    fit = getattr(samples, method)(2, attrs=attrs, **ask).relabel(names)
    again = round_trip(fit, tmp_path_factory.mktemp("any") / f"a{suffix}")
    assert_same(again, fit, data)


def test_the_table_of_a_sweep_comes_back(tmp_path, ocean):
    fit = ocean.cluster.pixels().gmm(range(2, 5))
    again = round_trip(fit, tmp_path / "a.nc")
    xr.testing.assert_identical(again.sweep.table, fit.sweep.table)
    assert again.sweep.best() == fit.sweep.best()
    with pytest.raises(ValueError, match=r"k=3.*not its models.*k=3"):
        again.sweep.clustering(3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_can_be_saved_again(tmp_path, ocean, fit, suffix):
    again = round_trip(fit, tmp_path / f"a{suffix}")
    assert_same(
        round_trip(again.relabel(["x", "y", "z"]), tmp_path / f"b{suffix}"),
        again.relabel(["x", "y", "z"]),
        ocean,
    )


def test_stored_results_can_be_merged_thresholded_and_matched(tmp_path, fit):
    again = round_trip(fit, tmp_path / "a.nc")
    for change in (
        lambda each: each.merge([["cold", "warm sea"]]),
        lambda each: each.threshold(0.9),
    ):
        xr.testing.assert_identical(change(again).labels, change(fit).labels)
        xr.testing.assert_allclose(change(again).memberships, change(fit).memberships)
    xr.testing.assert_identical(again.match(fit).labels, fit.labels)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_programs_read_the_labels_with_their_flags(tmp_path, fit, suffix):
    fit.save(tmp_path / f"a{suffix}")
    keywords = {"engine": "zarr", "consolidated": False} if suffix == ".zarr" else {}
    with xr.open_dataset(tmp_path / f"a{suffix}", **keywords) as ds:
        assert ds.labels.cf.is_flag_variable
        assert ds.labels.encoding["dtype"] == np.int16
        assert ds.attrs["source"] == "ships"
        assert (ds.labels.cf == "mild").any()


# --------------------------------------------------------------------------- without the data


@pytest.mark.parametrize(
    "act",
    [
        lambda fit: fit.members(1),
        lambda fit: fit.report(),
        lambda fit: fit.to_dataframe(),
        lambda fit: fit.features,
        lambda fit: fit.distances,
    ],
)
def test_what_needs_the_data_says_so(tmp_path, fit, act):
    again = round_trip(fit, tmp_path / "a.nc")
    with pytest.raises(ValueError, match=r"needs the original values.*open\(path, data=ds\)"):
        act(again)


def test_data_on_another_grid_are_refused(tmp_path, ocean, fit):
    fit.save(tmp_path / "a.nc")
    for other in (
        ocean.isel(latitude=slice(5)),
        ocean.assign_coords(latitude=ocean.latitude + 1),
        ocean.isel(latitude=slice(None, None, -1)),
    ):
        with pytest.raises(ValueError, match=r"data=.*lies on.*Pass the object"):
            xcluster.open(tmp_path / "a.nc", data=other)
    with pytest.raises(ValueError, match="'sst' is missing"):
        xcluster.open(tmp_path / "a.nc", data=ocean.drop_vars("sst"))


# -------------------------------------------------------------------------- files that changed


def expect_refusal(path, match="path="):
    with pytest.raises(ValueError, match=match) as caught:
        xcluster.open(path)
    assert str(path) in str(caught.value)
    assert "Save the result again" in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, fit, share):
    path = tmp_path / "a.nc"
    fit.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    expect_refusal(path)


def test_a_missing_part_of_a_zarr_directory_is_refused(tmp_path, fit):
    path = tmp_path / "a.zarr"
    fit.save(path)
    for part in ("labels", "model", "manifest", "centers"):
        copy = tmp_path / f"without_{part}.zarr"
        shutil.copytree(path, copy)
        shutil.rmtree(copy / part)
        expect_refusal(copy)


@pytest.mark.parametrize("group", ["/", "centers", "model"])
def test_a_changed_value_is_refused(tmp_path, fit, group):
    path = tmp_path / "a.nc"
    fit.save(path)
    with netCDF4.Dataset(path, "a") as file:
        file.set_auto_maskandscale(False)
        folder = file if group == "/" else file[group]
        name = {"/": "memberships", "centers": "sst", "model": "centers"}[group]
        folder[name][:] = np.nextafter(folder[name][:], 1)
    expect_refusal(path, match=f"was changed.*{group}")


@pytest.mark.parametrize("name", ["flag_meanings", "flag_colors", "long_name"])
def test_a_changed_attribute_is_refused(tmp_path, fit, name):
    path = tmp_path / "a.nc"
    fit.save(path)
    with netCDF4.Dataset(path, "a") as file:
        file["labels"].setncattr(name, "something else")
    expect_refusal(path, match="was changed.*labels")


def test_a_changed_attribute_of_the_file_is_refused(tmp_path, fit):
    path = tmp_path / "a.nc"
    fit.save(path)
    with netCDF4.Dataset(path, "a") as file:
        file.setncattr("source", "aeroplanes")
    expect_refusal(path, match="was changed")


ATTRIBUTES = {
    "tuple": ((29.5, 45.5), [29.5, 45.5]),
    "list": ([1, 2], [1, 2]),
    "texts": (("a", "b"), ["a", "b"]),
    "single": (np.float32([1.5]), 1.5),
    "table": ([[1, 2], [3, 4]], "[[1, 2], [3, 4]]"),
    "ragged": ([[1], [2, 3]], "[[1], [2, 3]]"),
    "flag": (np.bool_(True), "True"),
    "flags": ([True, False], "[True, False]"),
    "nothing": ([None], "[None]"),
    "large": (2**70, str(2**70)),
}


@pytest.mark.parametrize("suffix", ["nc", "zarr"])
@pytest.mark.parametrize("name", ATTRIBUTES)
def test_any_attribute_of_the_data_can_be_saved(tmp_path, name, suffix):
    given, expected = ATTRIBUTES[name]
    data = xr.Dataset({"a": ("x", [0.0, 1.0, 9.0])}, {"x": ("x", [1, 2, 3], {"stated": given})})
    path = tmp_path / f"fit.{suffix}"
    data.cluster.pixels().kmeans(2).save(path)
    stated = np.asarray(xcluster.open(path).labels["x"].attrs["stated"]).tolist()
    assert stated == expected or stated == [expected]


def test_an_added_variable_is_refused(tmp_path, fit):
    path = tmp_path / "a.nc"
    fit.save(path)
    with netCDF4.Dataset(path, "a") as file:
        file.createVariable("more", "f4", ())
    expect_refusal(path, match="was changed.*more")


def test_a_changed_manifest_is_refused(tmp_path, fit):
    path = tmp_path / "a.nc"
    fit.save(path)
    with netCDF4.Dataset(path, "a") as file:
        text = file["manifest"].getncattr("manifest")
        file["manifest"].setncattr("manifest", text.replace('"gmm"', '"kmm"'))
    expect_refusal(path, match="manifest's checksum")


@pytest.mark.parametrize("where", [0.35, 0.5, 0.65, 0.8])
def test_a_flipped_byte_never_gives_other_labels(tmp_path, fit, where):
    path = tmp_path / "a.nc"
    fit.save(path)
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 0xFF
    path.write_bytes(content)
    try:
        again = xcluster.open(path)
    except ValueError as error:
        message = str(error)
    else:  # the byte was none of ours: free space within the file
        message = "path="
        xr.testing.assert_identical(again.labels, fit.labels)
        xr.testing.assert_identical(again.centers, fit.centers)
    assert "path=" in message


def test_a_flipped_byte_in_a_zarr_directory_is_refused(tmp_path, fit):
    path = tmp_path / "a.zarr"
    fit.save(path)
    chunk = max((path / "labels").rglob("c/*/*"), key=lambda each: each.stat().st_size)
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 0xFF
    chunk.write_bytes(content)
    expect_refusal(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_no_clustering_is_refused(tmp_path, ocean, suffix):
    path = tmp_path / f"a{suffix}"
    write = ocean.to_zarr if suffix == ".zarr" else ocean.to_netcdf
    write(path)
    expect_refusal(path, match="not a saved clustering")


def test_a_text_file_is_refused(tmp_path):
    path = tmp_path / "a.nc"
    path.write_text("no netCDF at all")
    expect_refusal(path, match="not a saved clustering")


def test_a_wrong_suffix_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"path=.*\.nc \(netCDF\)"):
        xcluster.open(tmp_path / "a.pkl")
    with pytest.raises(FileNotFoundError, match=r"path=.*no such file"):
        xcluster.open(tmp_path / "a.nc")


# --------------------------------------------------------------------------- foreign estimators


class Foreign(BaseEstimator):
    """A clusterer of another package."""

    def fit(self, X, y=None):
        self.middle_ = X.mean(axis=0)
        return self

    def predict(self, X):
        return (X[:, 0] > self.middle_[0]).astype(int)


def test_a_foreign_estimator_is_refused_unless_it_is_trusted(tmp_path, ocean):
    fit = ocean.cluster.pixels().fit(Foreign())
    path = tmp_path / "a.nc"
    fit.save(path)
    name = f"{Foreign.__module__}.Foreign"
    with pytest.raises(ValueError, match=r"path=.*types of other packages.*pass trusted=.*Foreign"):
        xcluster.open(path)
    assert_same(xcluster.open(path, trusted=[name]), fit, ocean)


def test_a_manifest_that_names_any_other_type_is_refused(tmp_path, fit):
    for name in ("os:system", "sklearn.utils:os", "xcluster.files.io:Path", "sklearn.os:getcwd"):
        encoded = {"estimator": name, "state": {"params": {"dict": {}}, "fitted": {"dict": {}}}}
        with pytest.raises(
            (ValueError, ImportError), match=r"may not be|not an estimator|No module"
        ):
            serial.decode(encoded, {})


class Labelling(BaseEstimator):
    """A clusterer of another package that labels what it is fitted to, and no more."""

    def fit(self, X, y=None):
        return self

    def fit_predict(self, X, y=None):
        return (X[:, 0] > X[:, 0].mean()).astype(int)


def test_what_wraps_a_clusterer_without_predict_is_ours(tmp_path, ocean):
    coarse = ocean.isel(latitude=slice(None, None, 3))
    fit = coarse.cluster.pixels().fit(HDBSCAN(20, copy=True))
    again = round_trip(fit, tmp_path / "a.nc")
    assert_same(again, fit, coarse)
    trees = [each.model[-1].estimator_._single_linkage_tree_ for each in (again, fit)]
    np.testing.assert_array_equal(*trees)
    fit = coarse.cluster.pixels().fit(Labelling())
    fit.save(tmp_path / "b.nc")
    name = f"{Labelling.__module__}.Labelling"
    with pytest.raises(ValueError, match=rf"pass trusted=\['{name}'\]"):
        xcluster.open(tmp_path / "b.nc")
    assert_same(xcluster.open(tmp_path / "b.nc", trusted=[name]), fit, coarse)


class Counting(Foreign):
    """It holds an object that lives in this process only."""

    def fit(self, X, y=None):
        self.counted_ = (row for row in X)
        return super().fit(X)


def test_what_cannot_be_written_as_arrays_is_refused_before_anything_is_written(tmp_path, ocean):
    fit = ocean.cluster.pixels().fit(Counting())
    with pytest.raises(TypeError, match=r"clusterer='Counting'.*Save .to_dataset\(\)"):
        fit.save(tmp_path / "a.nc")
    assert not list(tmp_path.iterdir())


def test_no_file_holds_a_pickle(tmp_path, fit):
    fit.save(tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        manifest = json.loads(file["manifest"].getncattr("manifest"))
    assert manifest["clusterer"]["estimator"] == "xcluster.algorithms.mixture:GaussianMixture"
    assert "skops" not in json.dumps(manifest)


# ------------------------------------------------------------------------------ nothing half done


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("broken", ["value_checksums", "_write_manifest"])
def test_the_old_file_stays_whole_when_saving_fails(
    tmp_path, ocean, fit, monkeypatch, suffix, broken
):
    path = tmp_path / f"a{suffix}"
    fit.save(path)

    def fails(*arguments):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(storage, broken, fails)
        with pytest.raises(OSError, match="no space"):
            ocean.cluster.pixels().kmeans(2).save(path)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert_same(xcluster.open(path), fit, ocean)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_is_replaced_and_nothing_is_left_beside(tmp_path, ocean, fit, suffix):
    path = tmp_path / f"a{suffix}"
    ocean.cluster.pixels().kmeans(2).save(path)
    fit.save(path)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert xcluster.open(path).k == 3


def test_saving_over_the_file_that_the_result_came_from_works(tmp_path, ocean, fit):
    path = tmp_path / "a.zarr"
    fit.save(path)
    named = xcluster.open(path).relabel(["x", "y", "z"])
    named.save(path)
    assert xcluster.open(path).partition.label_names() == ("x", "y", "z")


def test_a_multi_index_is_refused_before_anything_is_written(tmp_path, ocean):
    stacked = ocean.stack(place=("latitude", "longitude"))
    fit = stacked.cluster.pixels().kmeans(3)
    with pytest.raises(ValueError, match=r"coords='\w+'.*reset_index"):
        fit.save(tmp_path / "a.nc")
    assert not list(tmp_path.iterdir())


def test_saving_changes_nothing_of_the_result(tmp_path, ocean, fit):
    before = fit.to_dataset().copy(deep=True)
    data = ocean.copy(deep=True)
    fit.save(tmp_path / "a.nc")
    xr.testing.assert_identical(fit.to_dataset(), before)
    xr.testing.assert_identical(ocean, data)
    assert fit.labels.encoding == {"dtype": "int16", "_FillValue": -32768}
