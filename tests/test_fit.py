"""What a result tells: centres, report, tables, members and predictions."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.base import BaseEstimator
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import Pipeline

import xcluster

EARTH_KM2 = 4 * np.pi * 6371.0088**2


@pytest.fixture(scope="module")
def fit(ocean):
    return ocean.cluster.pixels().kmeans(4, tol=0)


@pytest.fixture(scope="module")
def soft(ocean):
    return ocean.cluster.pixels().pca(3).gmm(3)


# ------------------------------------------------------------------------------------ centres


def test_centers_of_kmeans_are_the_means_of_their_samples_in_data_units(ocean, fit):
    for label in range(4):
        mean = ocean.where(fit.labels == label).mean()
        for name in ocean:
            found = float(fit.centers[name].sel(label=label))
            assert found == pytest.approx(float(mean[name]), rel=1e-4, abs=1e-4)


def test_weighted_centers_are_weighted_means(ocean):
    fit = ocean.cluster.pixels().weights("area").kmeans(3, tol=0)
    cosine = np.cos(np.deg2rad(ocean.latitude))
    for label in range(3):
        mean = ocean.sst.where(fit.labels == label).weighted(cosine).mean()
        assert float(fit.centers.sst[label]) == pytest.approx(float(mean), rel=1e-4)


def test_centers_keep_the_attributes_of_the_variables_and_their_levels(profiles):
    centers = profiles.cluster.profiles("depth").kmeans(3).centers
    assert centers.temperature.dims == ("label", "depth")
    assert centers.temperature.attrs["units"] == profiles.temperature.attrs["units"]
    xr.testing.assert_identical(centers.depth, profiles.depth)


def test_prototypes_of_a_mixture_are_its_means_brought_back(soft):
    means = soft.model[-1].means_
    back = soft.model[:-1].inverse_transform(means)
    order = np.argsort(soft.partition.codes)
    found = soft.prototypes.to_dataarray().transpose("label", "variable")
    np.testing.assert_allclose(found, back[order], rtol=1e-5)


def test_features_are_the_space_that_was_clustered(soft):
    Z = soft.features
    assert Z.dims == ("component", "latitude", "longitude")
    known = soft.labels.notnull().values
    raw = soft.model[-1].predict(Z.values[:, known].T)
    np.testing.assert_array_equal(soft.partition.codes[raw], soft.labels.values[known])


def test_distances_lie_between_samples_and_centers(fit):
    nearest = fit.distances.fillna(np.inf).argmin("label").where(fit.labels.notnull())
    np.testing.assert_array_equal(nearest, fit.labels)


def test_the_model_is_a_fitted_pipeline(soft):
    assert isinstance(soft.model, Pipeline)
    assert [name for name, _ in soft.model.steps] == ["columns", "scale", "pca", "gmm"]


# ------------------------------------------------------------------------------------- report


def test_a_report_counts_samples_shares_and_areas(ocean, fit):
    report = fit.report()
    assert report.index.tolist() == [0, 1, 2, 3]
    for label in range(4):
        assert report.loc[label, "samples"] == int((fit.labels == label).sum())
    assert report["share"].sum() == pytest.approx(1)


def test_areas_of_a_whole_globe_add_up_to_the_sphere():
    lat, lon = np.arange(-87.5, 90, 5), np.arange(2.5, 360, 5)
    values = np.where(lat[:, None] > 0, 1.0, 0.0) + np.zeros((1, len(lon)))
    globe = xr.DataArray(values, {"lat": lat, "lon": lon}, ("lat", "lon"))
    report = globe.cluster.pixels().kmeans(2).report()
    np.testing.assert_allclose(report["area_km2"], EARTH_KM2 / 2, rtol=1e-9)


def test_the_area_of_a_cap_is_that_of_the_analytic_sphere():
    lat, lon = np.arange(89.5, -90, -1), np.arange(-179.5, 180, 1)
    values = (lat[:, None] > 60) * 1.0 + np.zeros((1, len(lon)))
    globe = xr.DataArray(values, {"lat": lat, "lon": lon}, ("lat", "lon"))
    report = globe.cluster.pixels().kmeans(2).report()
    cap = EARTH_KM2 / 2 * (1 - np.sin(np.deg2rad(60)))
    np.testing.assert_allclose(report["area_km2"], [EARTH_KM2 - cap, cap], rtol=1e-9)


def test_areas_follow_bounds_where_there_are_any():
    bounds = np.array([[-90.0, 0.0], [0.0, 90.0]])
    ds = xr.Dataset(
        {"a": (("lat", "lon"), [[0.0, 0.0], [1.0, 1.0]]), "lat_bnds": (("lat", "nv"), bounds)},
        {"lat": ("lat", [-80.0, 10.0], {"bounds": "lat_bnds"}), "lon": [90.0, 270.0]},
    )
    report = ds.cluster.pixels("a").kmeans(2).report()
    np.testing.assert_allclose(report["area_km2"], EARTH_KM2 / 2)


@pytest.mark.parametrize("step", [1, -1])
def test_areas_do_not_depend_on_where_longitudes_jump(ocean, step):
    ocean = ocean.isel(longitude=slice(None, None, step))
    expected = ocean.cluster.pixels().kmeans(3).report()
    positive = ocean.assign_coords(longitude=ocean.longitude % 360)
    for ds in (positive, positive.roll(longitude=7, roll_coords=True)):
        report = ds.cluster.pixels().kmeans(3).report()
        np.testing.assert_allclose(report["area_km2"], expected["area_km2"])


def test_area_weights_of_cells_do_not_depend_on_where_longitudes_jump():
    lat, lon = np.array([-60.0, 0.0, 60.0]), np.array([120.0, 150, 180, 210, 240])
    bounds = xr.DataArray(np.stack([lat - 30, lat + 30], axis=1), dims=("lat", "nv"))
    turned = (lon + 180) % 360 - 180
    ours, theirs = (
        xr.Dataset(
            {"a": (("lat", "lon"), np.arange(15.0).reshape(3, 5)), "edges": bounds},
            {"lat": ("lat", lat, {"bounds": "edges"}), "lon": each},
        )
        for each in (turned, lon)
    )
    weights = [ds.cluster.pixels("a").weights("area").layout.weight for ds in (ours, theirs)]
    np.testing.assert_allclose(*weights)


def test_there_is_no_area_without_latitude_and_longitude(bands):
    assert "area_km2" not in bands.cluster.pixels(dim="band").kmeans(3).report()


def test_a_report_tells_the_mean_membership(soft):
    report = soft.report()
    for label in range(3):
        mine = soft.memberships.sel(label=label).where(soft.labels == label)
        assert report.loc[label, "membership"] == pytest.approx(float(mine.mean()), rel=1e-5)


def test_labels_are_numbered_by_the_fitted_rows_and_say_so(ocean):
    """On the map the sizes of so few fitted rows may stand in another order."""
    said = "labels were numbered by their size among the fitted samples"
    pixels = ocean.cluster.pixels()
    fit = pixels.hac(5, fit_on=60)
    assert (np.diff(fit.record.counts) != 0).any()
    sizes = np.zeros(5)
    np.add.at(sizes, fit.partition.codes, fit.record.counts)
    assert (np.diff(sizes) <= 0).all()
    assert not fit.report()["samples"].is_monotonic_decreasing
    assert said in fit.report().attrs["notes"]
    assert said in repr(fit)
    for other in (pixels.hac(5), pixels.hac(5, fit_on=60, order="center"), pixels.som((2, 2))):
        assert said not in other.report().attrs["notes"]


def test_a_report_notes_what_was_dropped_and_what_was_fitted(ocean):
    fit = ocean.cluster.pixels().where(ocean.latitude > 0).kmeans(3, fit_on=200)
    notes = " ".join(fit.report().attrs["notes"])
    complete = int(fit.labels.notnull().sum())
    outside = int((ocean.latitude <= 0).sum()) * ocean.sizes["longitude"]
    assert f"200 of {complete:,} samples fitted (a sample)" in notes
    assert f"{outside:,} of 1,800 grid points outside" in notes
    assert "grid points incomplete, 'specific_humidity' in" in notes


# ------------------------------------------------------------------------------------- tables


def test_a_table_has_one_row_a_sample_with_coordinates_label_and_components(ocean, soft):
    table = soft.to_dataframe()
    assert len(table) == int(soft.labels.notnull().sum())
    assert list(table.columns[:3]) == ["latitude", "longitude", "label"]
    assert {"component_0", "component_2", "membership_0", "membership_2"} <= set(table.columns)
    row = table.iloc[17]
    there = soft.labels.sel(latitude=row.latitude, longitude=row.longitude)
    assert row["label"] == there
    assert pd.api.types.is_integer_dtype(table["label"])


def test_components_in_a_table_bear_the_names_of_variables_while_they_are_such(fit):
    assert "sst" in fit.to_dataframe()


def test_a_dataset_holds_labels_memberships_and_the_users_attributes(ocean):
    soft = ocean.cluster.pixels().pca(2).gmm(3, attrs={"source": "ships", "year": 1987})
    ds = soft.to_dataset()
    assert list(ds) == ["labels", "memberships"]
    assert ds.attrs == {"source": "ships", "year": 1987}
    assert soft.attrs["source"] == "ships"
    assert "source" in repr(soft)


# ------------------------------------------------------------------------------------ predict


def test_predictions_of_the_fitted_data_are_the_labels(ocean, profiles, fit):
    xr.testing.assert_identical(fit.predict(ocean), fit.labels)
    deep = profiles.cluster.profiles("depth", step=100, missing=0.5).pca(2).gmm(3)
    xr.testing.assert_identical(deep.predict(profiles), deep.labels)


def test_predictions_lie_on_the_grid_of_the_new_data(fit):
    fine = xcluster.datasets.ocean().isel(latitude=slice(20, 60)).transpose("longitude", "latitude")
    labels = fit.predict(fine)
    assert labels.dims == ("longitude", "latitude")
    xr.testing.assert_equal(labels.latitude, fine.latitude)
    again = fit.predict(fine.isel(latitude=slice(None, None, -1)))
    np.testing.assert_array_equal(again.values[:, ::-1], labels)


def test_predictions_of_doubles_by_a_fit_to_singles_are_the_same(ocean):
    for ask in (lambda s: s.pca(2), lambda s: s.scale("robust"), lambda s: s.nmf(2)):
        fit = ask(abs(ocean).cluster.pixels()).kmeans(3)
        labels = fit.predict(abs(ocean).astype("float64"))
        assert (labels != fit.labels).where(labels.notnull(), False).mean() < 0.01


def test_masks_are_not_carried_over_to_predictions(ocean):
    fit = ocean.cluster.pixels().where(ocean.latitude > 0).kmeans(3)
    assert fit.predict(ocean).sel(latitude=slice(-60, 0)).notnull().any()


def test_levels_may_differ_where_the_chain_says_step(profiles):
    fit = profiles.cluster.profiles("depth", "temperature", between=(0, 500), step=50).kmeans(3)
    finer = profiles.interp(depth=np.unique([*profiles.depth.values[:12], *np.arange(0, 501, 20)]))
    labels = fit.predict(finer.astype("float32"))
    agree = (labels == fit.labels).sum() / fit.labels.notnull().sum()
    assert agree > 0.97


def test_levels_that_fall_or_differ_by_rounding_are_the_same(profiles):
    fit = profiles.cluster.profiles("depth").kmeans(3)
    down = profiles.isel(depth=slice(None, None, -1))
    near = profiles.assign_coords(depth=profiles.depth * (1 + 1e-9))
    for new in (down, near):
        np.testing.assert_array_equal(fit.predict(new), fit.labels)


def test_an_array_of_another_name_is_taken_where_there_is_one_variable(tomography):
    fit = tomography.vs.cluster.profiles("depth").kmeans(3)
    np.testing.assert_array_equal(fit.predict(tomography.vs.rename("vsv")), fit.labels)


def test_predictions_of_merged_and_unclassified_labels_are_such(ocean, soft):
    changed = soft.merge([[0, 2]]).threshold(0.8).relabel(["a", "b"])
    both = changed.predict(ocean, memberships=True)
    xr.testing.assert_identical(both.labels.rename("label"), changed.labels)
    xr.testing.assert_identical(both.memberships, changed.memberships)
    assert both.memberships.label_name.values.tolist() == ["a", "b"]


def test_incomplete_samples_are_predicted_as_missing(ocean, fit):
    new = ocean.assign(sst=ocean.sst.where(ocean.latitude < 0))
    assert fit.predict(new).sel(latitude=slice(1, 90)).isnull().all()


# ------------------------------------------------------------------------------------ foreign


class Halves(BaseEstimator):
    """A clusterer of the user's own: two labels, no centres."""

    def fit(self, X, y=None):
        self.middle_ = np.median(X[:, 0])
        return self

    def predict(self, X):
        return (X[:, 0] > self.middle_).astype(int)


def test_centers_of_a_clusterer_without_any_are_group_means(bands):
    fit = bands.cluster.pixels(dim="band").fit(Halves())
    for label in range(2):
        mean = bands.where(fit.labels == label).mean(("y", "x"))
        np.testing.assert_allclose(fit.centers["data"].sel(label=label), mean, rtol=1e-5)


def test_a_foreign_mixture_has_memberships(bands):
    fit = bands.cluster.pixels(dim="band").fit(GaussianMixture(3, random_state=0))
    assert fit.is_soft
    np.testing.assert_allclose(fit.memberships.sum("label"), 1, rtol=1e-5)


def test_the_repr_tells_the_question_the_fit_and_the_shares(ocean, fit):
    text = repr(fit)
    assert "kmeans(k=4, tol=0)" in text
    assert "pixels over (latitude: 30, longitude: 60)" in text
    assert "label_3" in text
    assert "<table>" in fit._repr_html_()
