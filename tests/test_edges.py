"""Ways that are rarely taken: many labels, one scene, odd grids, results without memberships."""

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import ListedColormap
from sklearn.preprocessing import PolynomialFeatures

import xcluster
from xcluster.algorithms.som import SOM
from xcluster.base import parallel
from xcluster.files import integrity
from xcluster.grid import areas
from xcluster.plot.maps import map as draw_map
from xcluster.plot.training import training
from xcluster.result import formatting

mpl.use("agg")


@pytest.fixture(scope="module")
def fit(ocean):
    return ocean.cluster.pixels().kmeans(4)


# ------------------------------------------------------------------------------------- results


def test_the_repr_of_many_labels_shows_the_first_and_counts_the_rest(ocean):
    shown = formatting.SHOWN_LABELS
    many = repr(ocean.cluster.pixels().kmeans(shown + 3, n_init=1))
    assert f"label_{shown - 1} " in many
    assert f"label_{shown} " not in many
    assert many.endswith("... and 3 more")


def test_a_single_dataset_may_be_pooled(ocean, fit):
    pooled = xcluster.pool(ocean, lambda ds: ds.cluster.pixels()).kmeans(4)
    xr.testing.assert_equal(pooled["0"].labels, fit.labels)


def test_labels_of_an_opened_result_without_memberships_merge(fit, tmp_path):
    fit.save(tmp_path / "fit.nc")
    opened = xcluster.open(tmp_path / "fit.nc")
    found = opened.merge([[0, 3]])
    xr.testing.assert_equal(found.labels.load(), fit.merge([[0, 3]]).labels)
    assert "memberships" not in found.to_dataset()


def test_weights_are_saved_with_the_result(ocean, tmp_path):
    weights = 1 + abs(ocean["sst"]).fillna(0)
    weights.attrs.clear()
    ocean.cluster.pixels().weights(weights).kmeans(3).save(tmp_path / "fit.nc")
    with xr.open_dataset(tmp_path / "fit.nc") as saved:
        np.testing.assert_allclose(saved["weights"], weights, rtol=1e-6)


def test_large_variables_are_sealed_piece_by_piece(fit, tmp_path, monkeypatch):
    fit.save(tmp_path / "whole.nc")
    monkeypatch.setattr(integrity, "SLAB_BYTES", 200)
    fit.save(tmp_path / "pieces.nc")
    for name in ("whole.nc", "pieces.nc"):
        xr.testing.assert_equal(xcluster.open(tmp_path / name).labels.load(), fit.labels)


@pytest.mark.parametrize("weighted", [False, True])
def test_means_back_in_the_data_are_those_of_the_weighted_samples(ocean, weighted):
    weights = 1 + abs(ocean["sst"]).fillna(0)
    fit = ocean.cluster.pixels().weights(weights).pca(3).gmm(3)
    found = fit.back_projection(weighted=weighted)
    shares = fit.memberships.transpose("label", ...)
    if not weighted:
        shares = ((fit.labels == shares.label) & (shares > 0.5)).astype(float)
    for name in ("sst", "wind_speed"):
        expected = (
            ocean[name].weighted((shares * weights).fillna(0)).mean(["latitude", "longitude"])
        )
        np.testing.assert_allclose(found[name], expected, rtol=1e-4)


def test_a_chain_without_inverse_has_no_reconstruction(ocean):
    samples = ocean.cluster.pixels(["sst", "wind_speed"]).then(PolynomialFeatures())
    with pytest.raises(ValueError, match="a step has no inverse"):
        samples.reconstruction()


def test_fields_of_integers_have_all_their_cells(ocean):
    field = ocean["sst"].fillna(0).astype(int).rename(latitude="time")
    layout = field.cluster.snapshots("time").layout
    assert layout.n_features == field.sizes["longitude"]


# ---------------------------------------------------------------------------- grids, threads, nodes


def test_areas_need_two_latitudes_and_two_longitudes():
    for n in (1, 3):
        grid = xr.Dataset(coords={"latitude": np.arange(n) * 10.0, "longitude": [0.0, 1.0]})
        found = areas.cell_areas(grid.coords, grid)
        assert (found is None) == (n == 1)


def test_bounds_that_are_not_pairs_are_passed_over():
    grid = xr.Dataset(coords={"latitude": [0.0, 10.0, 20.0], "longitude": [0.0, 1.0]})
    expected = areas.cell_areas(grid.coords, grid)
    grid["latitude"].attrs["bounds"] = "edges"
    grid["edges"] = ("latitude", [1.0, 2.0, 3.0])
    xr.testing.assert_equal(areas.cell_areas(grid.coords, grid), expected)


def test_one_processor_works_on_items_in_their_order(monkeypatch):
    monkeypatch.setattr(parallel, "n_threads", lambda: 1)
    begun = []
    found = parallel.each_in_threads(lambda i: begun.append(i) or i * i, range(4))
    assert next(found) == 0
    assert begun == [0]
    assert list(found) == [1, 4, 9]


def test_a_map_may_be_trained_from_a_random_state():
    X = np.random.default_rng(0).normal(size=(60, 2))
    nodes = [
        SOM((2, 3), training="online", n_iter=300, random_state=state).fit(X).cluster_centers_
        for state in (np.random.RandomState(3), np.random.RandomState(3), np.random.RandomState(4))
    ]
    np.testing.assert_array_equal(nodes[0], nodes[1])
    assert not np.array_equal(nodes[0], nodes[2])


# ------------------------------------------------------------------------------------- figures


def test_maps_of_conditions_and_of_nothing_are_drawn(ocean):
    condition = draw_map(ocean["sst"] > 10)
    assert set(np.unique(condition.get_array().compressed())) == {0, 1}
    with pytest.warns(UserWarning, match="all values are NaN"):
        nothing = draw_map(ocean["sst"] * np.nan)
    assert nothing.get_clim() == (0, 1)


def test_a_colour_map_that_is_too_short_is_named(fit):
    with pytest.raises(ValueError, match="has 2 colours for 4 labels"):
        fit.plot.map(cmap=ListedColormap(["red", "blue"], name="two"))


def test_a_loss_over_orders_of_magnitude_is_drawn_on_a_logarithmic_scale():
    wide, narrow = (training({"loss": values})[0] for values in ([5e4, 3e2, 1.0], [3.0, 2.0]))
    assert (wide.get_yscale(), narrow.get_yscale()) == ("log", "linear")
    assert len(wide.lines) == 1
    assert len(training({"loss": [3.0, 2.0]}, kept=2)[0].lines) == 2


def test_a_component_is_drawn_by_its_number(ocean):
    samples = ocean.cluster.pixels().pca(2)
    artist = samples.plot.map(1)
    expected = samples.transform().isel(component=1)
    assert np.nanmax(artist.get_array()) == pytest.approx(float(expected.max()), rel=1e-6)
    with pytest.raises(ValueError, match=r"var=2: is no component; they are 0 to 1"):
        samples.plot.map(2)


def test_nodes_are_drawn_of_any_variable_and_not_of_fields(ocean, tomography):
    values = ocean.cluster.pixels(["sst", "wind_speed"]).som((2, 3), n_iter=2)
    assert values.plot.nodes("wind_speed") is not None
    with pytest.raises(ValueError, match=r"var='salt'"):
        values.plot.nodes("salt")
    fields = tomography["vs"].rename(depth="time").cluster.snapshots("time").som((2, 2), n_iter=2)
    with pytest.raises(ValueError, match="lies along two dims"):
        fields.plot.nodes()


# -------------------------------------------------------------------------------------- samplers


def test_windows_may_have_a_size_for_each_dim(bands):
    image = bands.isel(band=0, drop=True)
    both = image.cluster.patches({"y": 3, "x": 3}).kmeans(2)
    xr.testing.assert_equal(both.labels, image.cluster.patches(3).kmeans(2).labels)
    with pytest.raises(ValueError, match="or a mapping with the dims"):
        image.cluster.patches({"y": 3, "z": 3}).kmeans(2)


def test_fields_on_another_grid_are_refused(ocean):
    field = ocean["sst"].expand_dims(time=4) + xr.DataArray([0.0, 1.0, 10.0, 11.0], dims="time")
    fit = field.cluster.snapshots("time").kmeans(2)
    with pytest.raises(ValueError, match="longitude"):
        fit.predict(field.isel(longitude=slice(5)))


def test_a_step_that_would_give_millions_of_levels_is_refused(profiles):
    with pytest.raises(ValueError, match=r"step=1e-06: gives .* levels from"):
        profiles.cluster.profiles("depth", step=1e-6).kmeans(2)


def test_a_sweep_of_which_nothing_can_be_fitted_says_why(ocean):
    constant = ocean[["sst"]].fillna(0) * 0
    with pytest.raises(ValueError, match="distinct"):
        constant.cluster.pixels().sweep(range(2, 5))
