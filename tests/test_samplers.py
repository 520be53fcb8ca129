"""What is a sample and what are its features: each parameter against plain numpy."""

import numpy as np
import pytest
import xarray as xr

import xcluster  # noqa: F401  (registers the accessor)
from xcluster.blocks import matrix, rows


def matrix_of(samples):
    """The complete rows in canonical order, no step applied."""
    return rows.gather(samples.layout).X


def grid_of(samples):
    """Rows on the grid (sample dims..., feature), NaN where a sample is incomplete."""
    return matrix.apply(
        samples.layout, lambda X: X, width=samples.layout.n_features, dtype=np.float64
    ).values


# ------------------------------------------------------------------------------------- pixels


def test_pixels_have_one_feature_a_variable_and_drop_what_is_incomplete(ocean):
    found = grid_of(ocean.cluster.pixels())
    expected = np.stack([ocean[name].values for name in sorted(ocean.data_vars)], -1).astype(float)
    expected[np.isnan(expected).any(-1)] = np.nan
    np.testing.assert_array_equal(found, expected)


def test_pixels_take_only_the_variables_that_are_named_and_show_them_in_that_order(ocean):
    samples = ocean.cluster.pixels(vars=["wind_speed", "sst"])
    assert list(samples.layout.shown) == list(samples.layout.features) == ["wind_speed", "sst"]
    assert list(samples.layout.variables) == ["sst", "wind_speed"]
    assert "not named" in repr(samples)


def test_one_name_is_one_variable(ocean):
    assert list(ocean.cluster.pixels("sst").layout.variables) == ["sst"]


def test_pixels_along_a_dim_have_its_entries_as_features(bands):
    found = grid_of(bands.cluster.pixels(dim="band"))
    np.testing.assert_array_equal(found, bands.transpose("y", "x", "band").values)


def test_a_named_variable_without_the_dim_joins_as_a_single_feature(bands):
    height = xr.DataArray(np.arange(63.0).reshape(9, 7), dims=("y", "x"))
    ds = xr.Dataset({"image": bands, "height": height})
    samples = ds.cluster.pixels(vars=["image", "height"], dim="band")
    assert samples.layout.n_features == 7
    np.testing.assert_array_equal(grid_of(samples)[..., 0], height.values)


def test_an_unnamed_array_is_the_variable_data(bands):
    assert list(bands.cluster.pixels(dim="band").layout.variables) == ["data"]


@pytest.mark.parametrize("name", ["y", "x"])
def test_an_array_named_like_its_dim_still_works(bands, name):
    fit = bands.isel(band=0, drop=True).rename(name).cluster.pixels().kmeans(3)
    assert fit.labels.dims == ("y", "x")


def test_each_step_of_time_is_a_sample_of_its_own():
    ds = xr.Dataset(
        {"a": (("time", "x"), np.arange(12.0).reshape(3, 4))},
        {"time": np.array(["2000-01", "2000-02", "2000-03"], "M8[ns]")},
    )
    labels = ds.cluster.pixels().kmeans(3).labels
    assert labels.dims == ("time", "x")
    assert labels.time.dtype.kind == "M"


def test_dims_named_row_column_and_component_are_the_users_to_use(bands):
    image = bands.rename(y="row", x="column")
    fit = image.cluster.pixels(dim="band").pca(2).gmm(3)
    assert fit.memberships.dims == ("label", "row", "column")
    assert image.cluster.pixels(dim="band").pca(2).transform().dims == (
        "component",
        "row",
        "column",
    )


def test_integers_are_clustered_and_keep_their_values():
    counts = xr.DataArray(np.array([[1, 2, 50], [51, 1, 52]], np.uint16), dims=("y", "x"))
    fit = counts.cluster.pixels().kmeans(2)
    np.testing.assert_array_equal(fit.labels, [[0, 0, 1], [1, 0, 1]])
    np.testing.assert_allclose(fit.centers["data"], [4 / 3, 51], rtol=1e-6)


def test_large_integers_and_doubles_stay_double():
    far = xr.DataArray(np.array([1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3]), dims="x")
    assert far.cluster.pixels().layout.dtype == np.float64
    assert far.astype("int64").cluster.pixels().layout.dtype == np.float64


def test_left_out_variables_are_named_with_the_reason(bands):
    ds = xr.Dataset(
        {
            "image": bands.isel(band=0, drop=True),
            "other": bands.isel(band=1, drop=True),
            "x_bnds": (("x", "nv"), np.zeros((7, 2))),
            "quality": (("y", "x"), np.zeros((9, 7), np.int8), {"flag_meanings": "good bad"}),
            "crs": ((), 0),
            "name": (("y",), np.array(list("abcdefghi"))),
            "line": (("y",), np.zeros(9)),
        }
    )
    samples = ds.cluster.pixels()
    assert list(samples.layout.variables) == ["image", "other"]
    reasons = samples.layout.left_out
    assert reasons["x_bnds"] == "holds bounds"
    assert reasons["quality"] == "holds flags"
    assert reasons["crs"] == "has no dims"
    assert reasons["name"].startswith("has dtype")
    assert reasons["line"] == "has other dims: ['y']"
    assert all(name in repr(samples) for name in reasons)


# ----------------------------------------------------------------------------------- profiles


def test_profiles_have_the_levels_of_each_variable_as_features(profiles):
    samples = profiles.cluster.profiles("depth")
    both = [profiles[name].transpose(..., "depth").values for name in sorted(profiles)]
    expected = np.concatenate(both, -1).reshape(-1, 40)
    expected = expected[~np.isnan(expected).any(1)]
    np.testing.assert_array_equal(matrix_of(samples), expected)


def test_between_keeps_the_levels_at_both_ends(tomography):
    kept = tomography.cluster.profiles("depth", between=(10, 20)).layout.features
    np.testing.assert_array_equal(kept.depth, [10, 12.5, 15, 17.5, 20])


def test_step_resamples_as_numpy_interp_does_and_stops_at_the_last_level(profiles):
    samples = profiles.cluster.profiles("depth", "temperature", between=(5, 130), step=9)
    depth = profiles.depth.values
    kept = (depth >= 5) & (depth <= 130)
    target = np.arange(depth[kept][0], depth[kept][-1] + 1e-9, 9)
    columns = profiles.temperature.transpose(..., "depth").values[..., kept].reshape(-1, kept.sum())
    columns = columns[~np.isnan(columns).any(1)]
    expected = [np.interp(target, depth[kept], column) for column in columns]
    assert samples.layout.features.depth.values.max() <= 130
    np.testing.assert_allclose(samples.layout.features.depth, target)
    np.testing.assert_allclose(matrix_of(samples), expected, rtol=2e-6)


def test_step_that_reaches_the_last_level_keeps_it(tomography):
    levels = tomography.cluster.profiles("depth", step=0.1).layout.features.depth
    assert len(levels) == 1001
    assert levels[-1] == pytest.approx(100)


@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_every_strides_all_sample_dims(tomography, every):
    labels = tomography.cluster.profiles("depth", every=every).kmeans(2).labels
    for dim in ("latitude", "longitude"):
        expected = np.sort(tomography[dim])[::every]
        np.testing.assert_array_equal(np.sort(labels[dim]), expected)


@pytest.mark.parametrize("step", [2, 3, 5])
def test_every_counts_from_the_lowest_coordinate_in_any_order_of_the_grid(tomography, step):
    shuffled = np.random.default_rng(0).permutation(tomography.sizes["latitude"])
    fallen = tomography.isel(latitude=slice(None, None, -1), longitude=slice(None, None, -1))
    for model in (tomography, fallen, tomography.isel(latitude=shuffled)):
        kept = model.cluster.profiles("depth", every=step).layout.coords
        for dim in ("latitude", "longitude"):
            found = kept[dim].values
            np.testing.assert_array_equal(np.sort(found), np.sort(tomography[dim])[::step])
            assert (np.diff(model.indexes[dim].get_indexer(found)) > 0).all()  # order as it was


def test_labels_of_every_third_profile_do_not_depend_on_the_direction_of_an_axis(tomography):
    fallen = tomography.isel(latitude=slice(None, None, -1))
    ours, theirs = (
        each.cluster.profiles("depth", every=3).kmeans(4).labels for each in (tomography, fallen)
    )
    np.testing.assert_array_equal(ours, theirs.sortby("latitude"))


def test_every_as_a_mapping_strides_the_dims_that_it_names(tomography):
    samples = tomography.cluster.profiles("depth", every={"longitude": 4})
    assert samples.layout.sizes == {"latitude": 28, "longitude": 4}


def gappy():
    depth = np.array([0.0, 1.0, 3.0, 7.0, 8.0])
    columns = np.array(
        [
            [1, 2, 4, 8, 9],
            [np.nan, 2, np.nan, 6, np.nan],
            [np.nan, np.nan, np.nan, 5, np.nan],
            [np.nan] * 5,
        ]
    )
    return xr.DataArray(columns, {"depth": depth}, ("profile", "depth"), name="t")


def test_profiles_with_any_gap_are_dropped_by_default():
    np.testing.assert_array_equal(matrix_of(gappy().cluster.profiles("depth")), [[1, 2, 4, 8, 9]])


def test_interpolate_fills_gaps_linearly_and_ends_with_the_nearest_level():
    da = gappy()
    found = matrix_of(da.cluster.profiles("depth", missing="interpolate"))
    for row, column in zip(found, da.values[:3], strict=True):
        known = ~np.isnan(column)
        expected = np.interp(da.depth, da.depth[known], column[known])
        np.testing.assert_allclose(row, expected)


def test_gaps_at_levels_that_step_does_not_use_drop_no_profile():
    rng = np.random.default_rng(0)
    values, depth = rng.normal(size=(400, 300, 41)), np.arange(41) * 2.5  # 120,000 profiles
    used = np.isin(depth, np.arange(0, 101, 5))
    values[..., ~used] = np.where(rng.random((400, 300, 20)) < 0.5, np.nan, values[..., ~used])
    da = xr.DataArray(values, {"depth": depth}, ("y", "x", "depth"))
    found = matrix_of(da.cluster.profiles("depth", step=5))
    np.testing.assert_array_equal(found, values[..., used].reshape(-1, used.sum()))


def test_a_gap_drops_a_profile_where_a_level_of_step_lies_beside_it():
    depth, target = np.arange(9) * 2.5, np.arange(0, 20, 6)
    lost = [np.any((target > d - 2.5) & (target < d + 2.5)) for d in depth]  # a level beside it
    values = np.random.default_rng(0).normal(size=(9, 9))
    gaps = np.where(np.eye(9, dtype=bool), np.nan, values)
    da = xr.DataArray(gaps, {"depth": depth}, ("x", "depth"))
    found = matrix_of(da.cluster.profiles("depth", step=6))
    expected = [np.interp(target, depth, row) for row in values[~np.array(lost)]]
    np.testing.assert_allclose(found, expected)
    assert len(expected) == 2


def test_a_level_that_rounding_puts_beside_its_own_needs_no_neighbour():
    depth = np.round(np.arange(31) * 0.1, 1)  # 0.3, and 3 * 0.1 is a little more
    values = np.random.default_rng(0).normal(size=(50, 31))
    values[:, [4, 7, 8, 13]] = np.nan
    da = xr.DataArray(values, {"depth": depth}, ("x", "depth"))
    found = matrix_of(da.cluster.profiles("depth", step=0.3))
    np.testing.assert_allclose(found, values[:, ::3], atol=1e-12)


def test_infinite_values_count_at_the_levels_that_step_uses():
    values = np.random.default_rng(0).normal(size=(50, 5))
    values[7, 1] = np.inf
    da = xr.DataArray(values, {"depth": np.arange(5.0)}, ("x", "depth"))
    np.testing.assert_array_equal(matrix_of(da.cluster.profiles("depth", step=2)), values[:, ::2])
    with pytest.raises(ValueError, match="holds infinite values at 1 of 50"):
        matrix_of(da.cluster.profiles("depth", step=0.5))


@pytest.mark.parametrize(("share", "kept"), [(0.2, 3), (0.4, 2), (0.41, 1), (1.0, 1)])
def test_a_fraction_fills_only_profiles_with_that_coverage(share, kept):
    assert len(matrix_of(gappy().cluster.profiles("depth", missing=share))) == kept


def test_gaps_are_filled_before_levels_are_resampled():
    da = gappy()
    found = matrix_of(da.cluster.profiles("depth", missing=0.4, step=2))
    known = ~np.isnan(da.values[1])
    expected = np.interp([0, 2, 4, 6, 8], da.depth[known], da.values[1][known])
    np.testing.assert_allclose(found[1], expected)


def test_gaps_without_a_depth_coordinate_are_filled_by_position():
    da = gappy().drop_vars("depth")
    found = matrix_of(da.cluster.profiles("depth", missing=0.4))
    np.testing.assert_allclose(found[1], [2, 2, 4, 6, 6])


def test_a_surface_variable_joins_the_profiles_as_a_single_feature(profiles):
    ds = profiles.assign(surface=profiles.salinity.isel(depth=0, drop=True))
    samples = ds.cluster.profiles("depth", vars=["temperature", "surface"], between=(0, 100))
    n_levels = int((profiles.depth <= 100).sum())
    assert samples.layout.n_features == n_levels + 1
    fit = samples.kmeans(3)
    assert fit.centers["surface"].dims == ("label",)
    assert fit.centers["temperature"].dims == ("label", "depth")
    assert "surface" not in ds.cluster.profiles("depth").layout.variables


def test_depth_that_falls_gives_the_same_rows_and_centers_in_its_own_direction(profiles):
    up = profiles.isel(depth=slice(None, None, -1))
    ours, theirs = (ds.cluster.profiles("depth", step=50, missing=0.5) for ds in (profiles, up))
    np.testing.assert_allclose(matrix_of(ours), matrix_of(theirs))
    centers = theirs.kmeans(3).centers
    assert (centers.depth.diff("depth") < 0).all()
    expected = ours.kmeans(3).centers
    np.testing.assert_allclose(centers.temperature, expected.temperature.sel(depth=centers.depth))


# ---------------------------------------------------------------------------------- snapshots


def test_snapshots_have_the_whole_field_as_features():
    random = np.random.default_rng(0)
    da = xr.DataArray(random.normal(size=(12, 3, 4)), dims=("time", "lat", "lon"))
    samples = da.cluster.snapshots()
    np.testing.assert_array_equal(matrix_of(samples), da.values.reshape(12, 12))
    fit = samples.kmeans(2)
    assert fit.labels.dims == ("time",)
    assert fit.centers["data"].dims == ("label", "lat", "lon")


# -------------------------------------------------------------------------- grids of all kinds


@pytest.mark.parametrize("order", [("y", "x", "band"), ("x", "band", "y"), ("band", "x", "y")])
def test_labels_stand_in_the_order_of_the_users_dims(bands, order):
    labels = bands.transpose(*order).cluster.pixels(dim="band").kmeans(3).labels
    assert labels.dims == tuple(dim for dim in order if dim != "band")
    expected = bands.cluster.pixels(dim="band").kmeans(3).labels
    xr.testing.assert_equal(labels.transpose("y", "x"), expected)


def test_longitudes_of_0_to_360_give_the_same_labels(ocean):
    shifted = ocean.assign_coords(longitude=ocean.longitude % 360).sortby("longitude")
    ours = ocean.cluster.pixels().kmeans(5).labels
    theirs = shifted.cluster.pixels().kmeans(5).labels
    back = theirs.assign_coords(longitude=(theirs.longitude + 180) % 360 - 180).sortby("longitude")
    np.testing.assert_array_equal(back.values, ours.values)


def test_curvilinear_grids_keep_their_2d_coordinates():
    random = np.random.default_rng(0)
    lon, lat = np.meshgrid(np.linspace(0, 50, 8), np.linspace(-60, 60, 6))
    ds = xr.Dataset(
        {"t": (("j", "i"), lat + random.normal(size=lat.shape))},
        {"lat2d": (("j", "i"), lat), "lon2d": (("j", "i"), lon)},
    )
    labels = ds.cluster.pixels().weights("area").kmeans(3).labels
    np.testing.assert_array_equal(labels.lat2d, lat)
    assert labels.dims == ("j", "i")


def test_scattered_profiles_have_one_sample_dim(profiles):
    stacked = profiles.stack(N_PROF=("latitude", "longitude")).reset_index("N_PROF")
    argo = stacked.rename(depth="N_LEVELS").transpose("N_PROF", "N_LEVELS").drop_vars("N_LEVELS")
    labels = argo.cluster.profiles("N_LEVELS").kmeans(4).labels
    assert labels.dims == ("N_PROF",)
    assert {"latitude", "longitude"} <= set(labels.coords)
    expected = profiles.cluster.profiles("depth").kmeans(4).labels
    np.testing.assert_array_equal(labels.values, expected.values.ravel())


def test_a_coordinate_for_the_projection_stays_on_the_labels(bands):
    crs = xr.DataArray(0, attrs={"grid_mapping_name": "latitude_longitude"})
    labels = bands.assign_coords(spatial_ref=crs).cluster.pixels(dim="band").kmeans(3).labels
    assert labels.spatial_ref.attrs == crs.attrs


def test_duplicate_coordinates_are_allowed(ocean):
    seam = xr.concat([ocean, ocean.isel(longitude=0)], "longitude")
    fit = seam.cluster.pixels().where(seam.sst > 0).kmeans(3)
    last, first = fit.labels.isel(longitude=-1), fit.labels.isel(longitude=0)
    np.testing.assert_array_equal(last.values, first.values)


# ------------------------------------------------------------------------------ mask and area


def test_where_limits_the_samples_and_two_masks_mean_both(ocean):
    samples = ocean.cluster.pixels().where(ocean.sst > 10).where(ocean.latitude > 0)
    complete = np.isfinite(ocean.to_dataarray()).all("variable")
    expected = complete & (ocean.sst > 10) & (ocean.latitude > 0)
    labels = samples.kmeans(3).labels
    np.testing.assert_array_equal(labels.notnull().transpose(*expected.dims), expected)


def test_a_mask_may_lie_in_another_order_and_cover_more(ocean):
    part = ocean.isel(latitude=slice(5, 25))
    mask = (ocean.sst > 10).isel(latitude=slice(None, None, -1)).transpose("longitude", "latitude")
    ours = part.cluster.pixels().where(mask).kmeans(3).labels
    theirs = part.cluster.pixels().where(part.sst > 10).kmeans(3).labels
    xr.testing.assert_equal(ours, theirs)


def test_area_weights_are_the_areas_of_bands_up_to_the_poles(ocean):
    weight = ocean.cluster.pixels().weights("area").layout.weight
    south, north = np.deg2rad(np.clip([ocean.latitude - 3, ocean.latitude + 3], -90, 90))
    height = np.sin(north) - np.sin(south)
    np.testing.assert_allclose(weight / weight.sum(), height / height.sum(), rtol=1e-6)


def test_area_weights_are_cell_areas_where_there_are_bounds(ocean):
    edges = np.linspace(-90, 90, ocean.sizes["latitude"] + 1)
    ds = ocean.assign(lat_bnds=(("latitude", "nv"), np.stack([edges[:-1], edges[1:]], 1)))
    ds = ds.assign_coords(latitude=ds.latitude.assign_attrs(bounds="lat_bnds"))
    weight = ds.cluster.pixels().weights("area").layout.weight
    height = np.diff(np.sin(np.deg2rad(edges)))
    np.testing.assert_allclose(weight / weight.sum(), height / height.sum())
