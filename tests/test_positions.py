"""Coordinates of the samples as features."""

import numpy as np
import pytest
import xarray as xr
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

import xcluster


@pytest.fixture(scope="module")
def field():
    """Greenness that does not tell apart three regions, which their places do."""
    rng = np.random.default_rng(0)
    y, x = np.arange(170.0)[::-1], 3 * np.arange(170.0)
    values = rng.normal(size=(170, 170)) + 6 * (x > 250)
    return xr.Dataset({"ndvi": (("y", "x"), values)}, {"y": y, "x": x})


def expected(field, names, k):
    """The labels of scikit-learn for the same columns, and where they lie."""
    columns = xr.broadcast(*(field[name] for name in names))
    X = np.stack([each.transpose("y", "x").values.ravel() for each in columns], axis=1)
    return KMeans(k, n_init=20, random_state=0).fit_predict(StandardScaler().fit_transform(X)), X


@pytest.mark.parametrize("chunks", [None, {"y": 50}])
def test_positions_on_index_coordinates_are_features(field, chunks):
    ds = field if chunks is None else field.chunk(chunks)
    fit = ds.cluster.pixels(["ndvi", "x", "y"]).kmeans(4)
    labels, X = expected(field, ["ndvi", "x", "y"], 4)
    assert adjusted_rand_score(fit.labels.values.ravel(), labels) > 0.999
    assert fit.labels.dims == ("y", "x")
    for column, name in enumerate(["ndvi", "x", "y"]):
        means = [X[fit.labels.values.ravel() == k, column].mean() for k in range(4)]
        np.testing.assert_allclose(fit.centers[name], means, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(fit.predict(ds), fit.labels)


def test_labels_by_position_do_not_depend_on_the_direction_of_an_axis(field):
    turned = field.isel(y=slice(None, None, -1)).transpose("x", "y")
    ours, theirs = (
        each.cluster.pixels(["ndvi", "x", "y"]).kmeans(4).labels for each in (field, turned)
    )
    np.testing.assert_array_equal(ours, theirs.sel(y=field.y).transpose("y", "x"))


def test_a_row_and_a_single_pixel_are_labelled_by_their_position(field):
    fit = field.cluster.pixels(["ndvi", "x", "y"]).kmeans(4)
    np.testing.assert_array_equal(fit.predict(field.isel(y=3)), fit.labels.isel(y=3))
    for y, x in [(3, 4), (90, 100), (169, 0)]:
        one = fit.predict(field.isel(y=y, x=x))
        assert one.ndim == 0
        assert one.item() == fit.labels.isel(y=y, x=x).item()


def test_a_single_step_is_labelled_by_its_position():
    values = np.random.default_rng(0).normal(size=(60, 4)) + np.arange(60)[:, None] // 20
    steps = xr.DataArray(values, {"x": np.arange(60.0)}, ("x", "cell"), name="v").to_dataset()
    fit = steps.cluster.snapshots("x", ["v", "x"]).kmeans(3)
    assert fit.predict(steps.isel(x=33)).item() == fit.labels[33].item()


def test_labels_by_position_name_their_grid_mapping(field):
    crs = xr.DataArray(0, attrs={"grid_mapping_name": "transverse_mercator"})
    projected = field.assign(crs=crs)
    projected["ndvi"].attrs["grid_mapping"] = "crs"
    fit = projected.cluster.pixels(["ndvi", "x", "y"]).kmeans(4)
    for labels in (fit.labels, fit.predict(projected)):
        assert labels.attrs["grid_mapping"] == "crs"
        assert "crs" in labels.coords


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_result_by_position_is_saved_and_opened(tmp_path, field, suffix):
    fit = field.cluster.pixels(["ndvi", "x", "y"]).kmeans(4)
    fit.save(tmp_path / f"a{suffix}")
    opened = xcluster.open(tmp_path / f"a{suffix}", data=field)
    xr.testing.assert_identical(opened.centers, fit.centers)
    np.testing.assert_array_equal(opened.predict(field), fit.labels)
    np.testing.assert_array_equal(opened.labels["y"], field["y"])
    xr.testing.assert_allclose(opened.scores(), fit.scores())


def test_positions_of_profiles_snapshots_and_two_dimensional_coordinates(field):
    cube = xr.concat([field, field + 1], "depth").assign_coords(far=field.x + field.y)
    assert cube.cluster.profiles("depth", ["ndvi", "y"]).kmeans(3).centers["y"].dims == ("label",)
    assert cube.cluster.pixels(["ndvi", "far"]).kmeans(3).centers["far"].dims == ("label",)
    assert cube.cluster.snapshots("x", ["ndvi", "x"]).kmeans(3).centers["x"].dims == ("label",)


def test_results_by_position_are_projected_back(field):
    few = field.isel(y=slice(None, None, 10), x=slice(None, None, 10))
    fit = few.cluster.pixels(["ndvi", "x"]).kmeans(3)
    means = few.x.broadcast_like(few.ndvi).groupby(fit.labels).mean()
    np.testing.assert_allclose(fit.back_projection()["x"], means, rtol=1e-6)
    assert set(fit.to_dataframe().columns) >= {"ndvi", "label"}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda ds: ds.cluster.pixels(["ndvi", "x"], dim="x"), "coordinate of the features"),
        (lambda ds: ds.cluster.snapshots("y", ["ndvi", "x"]), "'x' lacks it"),
        (lambda ds: ds.cluster.patches(3, ["ndvi", "x"]), "'x' lacks it"),
        (lambda ds: ds.drop_vars("x").cluster.pixels(["ndvi", "x"]), "assign_coords"),
        (lambda ds: ds.cluster.pixels(["x", "y"]), "no variable beside it"),
    ],
)
def test_positions_that_are_no_features_are_refused(field, call, said):
    with pytest.raises(ValueError, match=said):
        call(field)
