"""Trees, maps, memberships, density and warped profiles through `Samples`, on real data."""

import numpy as np
import pytest
import scipy.cluster.hierarchy
import scipy.ndimage
import xarray as xr
from sklearn.cluster import DBSCAN, HDBSCAN
from sklearn.metrics import adjusted_rand_score

import xcluster


@pytest.fixture(scope="module")
def ocean():
    """Sea surface of a coarse grid."""
    return xcluster.datasets.ocean().isel(latitude=slice(None, None, 2))


@pytest.fixture(scope="module")
def pixels(ocean):
    """Two scaled variables a pixel."""
    return ocean.cluster.pixels(["sst", "wind_speed"])


@pytest.fixture(scope="module")
def columns():
    """Depth profiles of a coarse grid."""
    return xcluster.datasets.tomography().cluster.profiles("depth", every=4)


def complete(samples):
    """Return the labelled points of a chain as rows in the order of the grid."""
    space = samples.transform().transpose(..., "component").values
    rows = space.reshape(-1, space.shape[-1])
    return rows[np.isfinite(rows).all(axis=1)]


def labelled(labels):
    """Return the labels of the points that have data."""
    values = labels.values.ravel()
    return values[np.isfinite(values)].astype(int)


class TestHac:
    def test_ward_cuts_the_data_as_scipy_does(self, pixels):
        fit = pixels.hac(5)
        merges = scipy.cluster.hierarchy.ward(complete(pixels).astype(float))
        expected = scipy.cluster.hierarchy.fcluster(merges, 5, "maxclust")
        assert adjusted_rand_score(expected, labelled(fit.labels)) == 1
        np.testing.assert_allclose(fit.tree[:, 2], merges[:, 2], rtol=1e-6)

    def test_a_cut_is_the_fit_with_that_k(self, pixels):
        fit = pixels.hac(6)
        xr.testing.assert_identical(fit.cut(3).labels, pixels.hac(3).labels)
        assert fit.cut(height=float(fit.tree[-2, 2]) * 1.0001).k == 2

    def test_a_chosen_k_comes_with_its_curve(self, pixels):
        fit = pixels.hac(range(2, 9))
        assert fit.k in range(2, 9)
        assert (np.diff(fit.sweep.table["distortion"]) < 0).all()
        xr.testing.assert_identical(fit.sweep.clustering(4).labels, fit.cut(4).labels)

    def test_contiguous_labels_are_single_regions(self, columns):
        labels = columns.hac(9, contiguous=True).labels
        assert labels.max() == 8
        for label in range(9):
            assert scipy.ndimage.label(labels.values == label)[1] == 1

    def test_contiguous_labels_meet_around_the_globe(self):
        lon = np.arange(-180, 180, 10.0)
        values = np.where(np.abs(lon) > 90, 1.0, 0.0) + np.zeros((3, 1))
        values[:, lon == -60] = 0.5
        coords = {
            "lat": ("lat", [0.0, 1.0, 2.0], {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        }
        grid = xr.DataArray(values, coords, ("lat", "lon"), name="x")
        labels = grid.cluster.pixels().hac(2, contiguous=True).labels
        assert (labels.sel(lon=-180) == labels.sel(lon=170)).all()
        flat = grid.assign_coords(lon=lon / 4).cluster.pixels().hac(3, contiguous=True).labels
        assert (flat.isel(lon=0) != flat.isel(lon=-1)).all()

    def test_islands_stay_apart(self):
        values = np.zeros((3, 7))
        values[:, 3] = np.nan
        grid = xr.DataArray(values + 0.001 * np.arange(7), dims=("y", "x"), name="z")
        labels = grid.cluster.pixels().hac(2, contiguous=True).labels
        assert labels.isel(x=slice(0, 3)).max() != labels.isel(x=slice(4, 7)).max()
        with pytest.raises(ValueError, match="2 separate parts"):
            grid.cluster.pixels().hac(1, contiguous=True)

    def test_candidates_begin_where_islands_have_labels_of_their_own(self):
        values = np.arange(63.0).reshape(3, 21)
        values[:, 5::5] = np.nan
        grid = xr.DataArray(values, dims=("y", "x"), name="z")
        with pytest.warns(UserWarning, match="below 4, the number of separate regions"):
            sweep = grid.cluster.pixels().hac(contiguous=True).sweep
        assert sweep.table.k.min() == 4
        below = r"ks=\[2, 3\]: are all below 4, the number of separate regions"
        with pytest.raises(ValueError, match=below):
            grid.cluster.pixels().hac([2, 3], contiguous=True)

    def test_contiguous_labels_keep_chunks_and_survive_a_file(self, tmp_path):
        counts = xcluster.datasets.nanosims().counts.isel(x=slice(0, 24), y=slice(0, 30))
        eager = counts.cluster.pixels(dim="species").hac(5, contiguous=8)
        lazy = counts.chunk(x=7, y=11).cluster.pixels(dim="species").hac(5, contiguous=8)
        assert lazy.labels.chunksizes["x"] == (7, 7, 7, 3)
        xr.testing.assert_identical(lazy.labels.compute(), eager.labels)
        eager.save(tmp_path / "regions.nc")
        again = xcluster.open(tmp_path / "regions.nc", data=counts)
        xr.testing.assert_identical(again.labels, eager.labels)
        assert eager.report()["samples"].sum() == eager.labels.notnull().sum()

    def test_weights_shift_ward_and_other_linkages_refuse_them(self, ocean, pixels):
        weighted = pixels.weights("area").hac(4)
        assert (weighted.labels != pixels.hac(4).labels).any()
        with pytest.raises(ValueError, match="takes no weights"):
            pixels.weights("area").hac(4, linkage="average")

    def test_what_is_no_tree_cannot_be_cut(self, pixels):
        with pytest.raises(ValueError, match="hac"):
            pixels.kmeans(3).cut(2)
        with pytest.raises(ValueError, match="hac"):
            _ = pixels.kmeans(3).tree

    def test_neighbours_need_a_grid(self):
        cloud = xr.DataArray(np.arange(12.0).reshape(6, 2), dims=("profile", "level"), name="t")
        with pytest.raises(ValueError, match="no coordinate along it says which are neighbours"):
            cloud.cluster.profiles("level").hac(2, contiguous=True)

    def test_ward_needs_euclidean_distances(self, pixels):
        with pytest.raises(ValueError, match="euclidean"):
            pixels.hac(3, metric="cityblock")


class TestSom:
    def test_labels_are_node_numbers_and_empty_nodes_are_kept(self, columns):
        fit = columns.som((4, 5))
        assert fit.k == 20
        assert fit.centers.sizes["label"] == 20
        np.testing.assert_array_equal(fit.centers["som_row"], np.repeat(np.arange(4), 5))
        np.testing.assert_array_equal(fit.centers["som_col"], np.tile(np.arange(5), 4))
        distances = fit.distances
        nearest = distances.argmin("label").values
        np.testing.assert_array_equal(fit.labels, nearest)

    def test_the_default_grid_is_the_fourth_root(self, columns):
        n = columns.layout.n_points
        side = int(np.ceil(np.sqrt(np.sqrt(n))))
        assert columns.som().u_matrix().shape == (side, side)

    def test_merged_nodes_are_classes_by_size(self, columns):
        merged = columns.som((4, 4)).merge_nodes(3)
        assert merged.k == 3
        assert (np.diff(merged.report()["samples"]) <= 0).all()

    def test_online_training_is_seeded(self, columns):
        first, second = (columns.som((3, 3), training="online", n_iter=500) for _ in range(2))
        xr.testing.assert_identical(first.labels, second.labels)

    def test_node_numbers_have_no_other_order(self, columns):
        with pytest.raises(ValueError, match="merge_nodes"):
            columns.som((3, 3), order="center")

    @pytest.mark.parametrize("grid", [(0, 3), (2, -1)])
    def test_a_side_without_nodes_is_refused(self, columns, grid):
        with pytest.raises(ValueError, match="grid"):
            columns.som(grid)

    def test_more_nodes_than_samples_warn(self, columns):
        few = columns.where(columns.data["latitude"] < columns.data["latitude"].min() + 1)
        with pytest.warns(UserWarning, match="nodes"):
            few.som((20, 20))


class TestFuzzy:
    def test_memberships_add_up_and_name_the_label(self, pixels):
        fit = pixels.fuzzy(3)
        memberships = fit.memberships
        known = memberships.isel(label=0).notnull()
        np.testing.assert_allclose(memberships.sum("label").where(known, 1), 1, atol=1e-5)
        likeliest = memberships.fillna(-1).argmax("label").where(known)
        np.testing.assert_array_equal(fit.labels, likeliest)

    def test_a_threshold_leaves_the_unclear_unclassified(self, pixels):
        fit = pixels.fuzzy(4)
        phases = fit.threshold(0.6)
        best = fit.memberships.max("label")
        np.testing.assert_array_equal(phases.labels == -1, best <= 0.6)
        unclear = phases.report().loc[-1, "samples"]
        assert unclear == int((best <= 0.6).sum()) > 0

    def test_back_projection_is_the_mean_above_the_threshold(self, ocean, pixels):
        fit = pixels.fuzzy(3)
        projected = fit.back_projection(u=0.5)
        chosen = ocean["sst"].where((fit.labels == 1) & (fit.memberships.sel(label=1) > 0.5))
        chosen = chosen.where(fit.labels.notnull()).values
        chosen = chosen[np.isfinite(chosen)]
        np.testing.assert_allclose(projected["sst"].sel(label=1), chosen.mean(), rtol=1e-5)
        error = chosen.std() / np.sqrt(len(chosen) - 1)
        np.testing.assert_allclose(projected["sst_error"].sel(label=1), error, rtol=1e-4)

    def test_weighted_back_projection_weighs_by_membership(self, ocean, pixels):
        fit = pixels.fuzzy(3)
        u = fit.memberships.sel(label=2)
        expected = (ocean["sst"] * u).sum() / u.sum()
        projected = fit.back_projection(weighted=True)["sst"].sel(label=2)
        np.testing.assert_allclose(projected, expected, rtol=1e-5)
        with pytest.raises(ValueError, match="memberships"):
            pixels.kmeans(2).back_projection(weighted=True)

    def test_possibilistic_memberships_need_not_add_up(self, pixels):
        with pytest.warns(UserWarning, match="coincide"):
            memberships = pixels.fuzzy(2, kind="possibilistic").memberships
        total = memberships.sum("label").where(memberships.isel(label=0).notnull())
        assert float(total.min()) < 0.9

    def test_m_must_exceed_one(self, pixels):
        with pytest.raises(ValueError, match=r"m=1\.0"):
            pixels.fuzzy(3, m=1.0)

    def test_a_chosen_k_has_its_curve(self, pixels):
        fit = pixels.fuzzy(range(2, 7))
        assert set(fit.sweep.table) >= {"distortion", "simplified_silhouette"}


class TestDensity:
    def test_dbscan_agrees_with_scikit_learn(self, pixels):
        ours = labelled(pixels.dbscan(0.1, min_samples=8).labels)
        theirs = DBSCAN(eps=0.1, min_samples=8).fit_predict(complete(pixels))
        np.testing.assert_array_equal(ours == -1, theirs == -1)
        assert adjusted_rand_score(ours, theirs) > 0.99

    def test_hdbscan_agrees_with_scikit_learn(self, pixels):
        ours = labelled(pixels.hdbscan(40).labels)
        theirs = HDBSCAN(min_cluster_size=40, copy=True).fit_predict(complete(pixels))
        # Equal distances are broken by the order of rows.
        assert adjusted_rand_score(ours, theirs) > 0.99

    def test_noise_is_flagged(self, pixels):
        labels = pixels.dbscan(0.05, min_samples=8).labels
        assert labels.attrs["flag_meanings"].startswith("unclassified")
        assert labels.attrs["flag_values"][0] == -1

    def test_far_samples_are_noise(self, ocean, pixels):
        far = ocean[["sst", "wind_speed"]] + 1000
        assert (labelled(pixels.dbscan(0.1).predict(far)) == -1).all()

    def test_density_takes_no_weights(self, pixels):
        with pytest.raises(ValueError, match="takes no weights"):
            pixels.weights("area").dbscan(0.1)


class TestWarped:
    def test_warped_kmeans_labels_predict_and_save(self, columns, tmp_path):
        fit = columns.kmeans(3, metric="dtw", max_iter=5)
        np.testing.assert_array_equal(fit.labels, fit.distances.argmin("label"))
        fit.save(tmp_path / "warped.nc")
        again = xcluster.open(tmp_path / "warped.nc")
        xr.testing.assert_identical(again.predict(columns.data), fit.predict(columns.data))

    def test_a_chosen_k_works_under_warping(self, columns):
        fit = columns.kmeans(range(2, 10), metric="dtw", max_iter=10, n_init=2)
        assert fit.k in range(3, 9)

    def test_several_variables_warp_together(self, columns):
        model = columns.data.assign(slow=1 / columns.data["vs"])
        fit = model.cluster.profiles("depth", every=8).kmeans(2, metric="dtw", max_iter=2)
        assert fit.model[-1].n_channels == 2

    def test_warping_needs_variables_of_one_length(self, columns):
        model = columns.data.assign(top=columns.data["vs"].isel(depth=0, drop=True))
        with pytest.raises(ValueError, match="the same length"):
            model.cluster.profiles("depth", ["vs", "top"]).kmeans(2, metric="dtw")

    def test_a_window_below_zero_is_refused(self, columns):
        with pytest.raises(ValueError, match="window"):
            columns.kmeans(2, metric="dtw", window=-1)

    def test_single_levels_cannot_be_warped(self, columns):
        with pytest.raises(ValueError, match="2"):
            columns.data.cluster.profiles("depth", between=(0, 1)).kmeans(2, metric="dtw")
