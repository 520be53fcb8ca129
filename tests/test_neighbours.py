"""Contiguous labels on graphs, meshes and cells, against scikit-learn with the true graph."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from flat_mesh import FACE, NODE, flat_mesh
from scipy.ndimage import gaussian_filter
from scipy.ndimage import label as components
from scipy.sparse import coo_array, csr_array, identity, kron, kronsum
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from sklearn.cluster import AgglomerativeClustering
from sklearn.feature_extraction.image import grid_to_graph
from sklearn.metrics import adjusted_rand_score

import xcluster
from xcluster.grid.healpix import Healpix, healpix_of
from xcluster.grid.meshes import mesh_of
from xcluster.grid.neighbours import connect, neighbours_of

DATA = Path(__file__).parents[2] / "shared" / "data"


def smooth(shape, seed=0, width=3):
    return gaussian_filter(np.random.default_rng(seed).standard_normal(shape), width, mode="wrap")


def graph_of(pairs, n):
    pairs = np.asarray(pairs)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return csr_array(coo_array((np.ones(len(both)), tuple(both.T)), shape=(n, n)))


def sklearns(X, graph, k):
    return AgglomerativeClustering(k, connectivity=graph, linkage="ward").fit_predict(X)


def same(labels, truth):
    return adjusted_rand_score(np.asarray(labels).ravel(), np.asarray(truth).ravel()) == 1.0


def connected(layout, contiguous):
    """Return which grid points are neighbours, all of them samples."""
    from xcluster.grid.hashing import canonical_positions

    key = sum(canonical_positions(layout)).transpose(*layout.sample_dims).values.ravel()
    return connect(layout, key, neighbours_of(contiguous, layout))


def cells(n=4000, seed=0):
    """Points on a sphere with two fields, and the graph of their nearest neighbours."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n, 3))
    points /= np.linalg.norm(points, axis=1)[:, None]
    lon, lat = (
        np.rad2deg(np.arctan2(points[:, 1], points[:, 0])),
        np.rad2deg(np.arcsin(points[:, 2])),
    )
    X = np.column_stack([np.sin(3 * points[:, 0]) + points[:, 2], points[:, 1] * points[:, 2]])
    X += 0.05 * rng.standard_normal(X.shape)
    ds = xr.Dataset(
        {"a": ("cell", X[:, 0]), "b": ("cell", X[:, 1])},
        {
            "cell": np.arange(n),
            "lon": ("cell", lon, {"units": "degrees_east"}),
            "lat": ("cell", lat, {"units": "degrees_north"}),
        },
    )
    near = cKDTree(points).query(points, 7)[1][:, 1:]
    return ds, np.column_stack([np.repeat(np.arange(n), 6), near.ravel()])


@pytest.mark.parametrize("how", ["nearest", "pairs", "sparse", "lists"])
def test_labels_on_a_list_of_cells_are_those_of_scikit_learn_with_the_true_graph(how):
    ds, pairs = cells()
    given = {
        "nearest": ("nearest", 6),
        "pairs": pairs,
        "sparse": graph_of(pairs, len(ds.cell)),
        "lists": pairs.tolist(),
    }[how]
    fit = ds.cluster.pixels().scale(None).hac(9, contiguous=given)
    truth = sklearns(ds.to_array().values.T, graph_of(pairs, len(ds.cell)), 9)
    assert same(fit.labels, truth)


def test_a_graph_numbers_samples_as_the_user_sees_them_incomplete_ones_included():
    side = 175  # 30,625 samples
    values = smooth((side, side)) + 0.01 * smooth((side, side), 1, 0)
    gaps = np.random.default_rng(2).random(values.shape) < 0.01
    da = xr.DataArray(np.where(gaps, np.nan, values), dims=("y", "x"), name="z")
    da = da.assign_coords(y=np.arange(side)[::-1] * 1.0, x=np.arange(side) * 1.0)
    graph = grid_to_graph(side, side)
    known = np.flatnonzero(~gaps.ravel())
    part = csr_array(graph)[known][:, known]
    assert connected_components(part)[0] == 1
    k = 9
    by_graph = da.cluster.pixels().hac(k, contiguous=graph).labels
    np.testing.assert_array_equal(by_graph, da.cluster.pixels().hac(k, contiguous=True).labels)
    assert same(by_graph.values.ravel()[known], sklearns(da.values.reshape(-1, 1)[known], part, k))
    turned = graph.tocsr()[np.arange(side**2).reshape(side, side).T.ravel()]
    turned = turned[:, np.arange(side**2).reshape(side, side).T.ravel()]
    again = da.transpose().cluster.pixels().hac(k, contiguous=turned).labels
    xr.testing.assert_equal(again.transpose("y", "x"), by_graph)


def test_nearest_neighbours_are_counted_among_complete_samples_and_on_the_sphere():
    ds, _ = cells(1200)
    ds["a"] = ds.a.where(np.arange(1200) % 3 > 0)
    xyz = np.deg2rad(ds.lon.values), np.deg2rad(ds.lat.values)
    points = np.stack(
        [np.cos(xyz[1]) * np.cos(xyz[0]), np.cos(xyz[1]) * np.sin(xyz[0]), np.sin(xyz[1])], 1
    )
    known = np.flatnonzero(ds.a.notnull())
    near = cKDTree(points[known]).query(points[known], 5)[1][:, 1:]
    pairs = np.column_stack([np.repeat(np.arange(len(known)), 4), near.ravel()])
    fit = ds.cluster.pixels().scale(None).hac(6, contiguous=("nearest", 4))
    truth = sklearns(ds.to_array().values.T[known], graph_of(pairs, len(known)), 6)
    assert same(fit.labels.values[known], truth)
    assert np.isnan(np.delete(fit.labels.values, known)).all()


def test_nearest_neighbours_in_a_plane_need_x_and_y():
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 5e5, (600, 2))
    coords = {"x": ("site", xy[:, 0], {"units": "m"}), "y": ("site", xy[:, 1], {"units": "m"})}
    da = xr.DataArray(np.sin(xy[:, 0] / 1e5) + 0.1 * rng.normal(size=600), coords, ("site",), "z")
    near = cKDTree(xy).query(xy, 7)[1][:, 1:]
    pairs = np.column_stack([np.repeat(np.arange(600), 6), near.ravel()])
    truth = sklearns(da.values[:, None], graph_of(pairs, 600), 5)
    assert same(da.cluster.pixels().hac(5, contiguous=("nearest", 6)).labels, truth)
    with pytest.raises(ValueError, match="needs longitude and latitude, or x and y"):
        da.drop_vars("x").cluster.pixels().hac(5, contiguous=("nearest", 6))


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("units", [{}, {"units": "m"}])
def test_nearest_neighbours_need_one_place_for_each_sample(stacked, units):
    name = "member" if units else "depth"
    coords = {name: np.arange(5.0), "lat": ("lat", np.arange(6.0), units)}
    coords |= {"lon": ("lon", np.arange(8.0), units)}
    da = xr.DataArray(smooth((5, 6, 8)), coords, (name, "lat", "lon"), "z")
    several = da.stack(s=(name, "lat", "lon")) if stacked else da
    with pytest.raises(ValueError, match=f"{name}' holds many at each place"):
        several.cluster.pixels().hac(3, contiguous=("nearest", 4))
    one = da.isel({name: [0]}).stack(s=(name, "lat", "lon")) if stacked else da.isel({name: 0})
    assert one.cluster.pixels().hac(3, contiguous=("nearest", 4)).k == 3  # the remedy


def test_nearest_neighbours_need_every_coordinate_of_a_plane():
    da = xr.DataArray(smooth((4, 6, 8)), {"z": np.arange(4.0), "x": np.arange(8.0)}, list("zyx"))
    with pytest.raises(ValueError, match="needs longitude and latitude, or x and y"):
        da.rename("a").cluster.pixels().hac(3, contiguous=("nearest", 4))
    da = da.assign_coords(y=np.arange(6.0)).rename("a")
    assert da.cluster.pixels().hac(3, contiguous=("nearest", 4)).k == 3


def test_ties_of_the_nearest_do_not_depend_on_where_longitudes_begin():
    lon, lat = np.arange(0, 360, 7.2), np.linspace(-80, 80, 30)
    da = xr.DataArray(smooth((30, 50)), {"lat": lat, "lon": lon}, ("lat", "lon"), "z")
    west = da.assign_coords(lon=np.round((lon + 180) % 360 - 180, 1)).sortby("lon")
    labels, other = (
        each.cluster.pixels().hac(9, contiguous=("nearest", 5)).labels for each in (da, west)
    )
    np.testing.assert_array_equal(np.roll(other, 25, axis=1), labels)


# --------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("contiguous", [True, 4, 8])
def test_numbers_of_cells_are_no_line(contiguous):
    ds, pairs = cells(300)
    with pytest.raises(ValueError, match=r"numbers of 'cell' do not say.*nearest") as caught:
        ds.cluster.pixels().hac(3, contiguous=contiguous)
    assert '("nearest", 6)' in caught.value.remedy
    ds.cluster.pixels().hac(3, contiguous=("nearest", 6))  # the remedy
    ds.cluster.pixels().hac(3, contiguous=pairs)


@pytest.mark.parametrize("index", [False, True])
def test_points_at_several_times_are_no_grid(index):
    ds = cells(192)[0].drop_vars("cell")
    ds = ds.assign_coords(cell=np.arange(192)) if index else ds
    ds["a"] = ds.a.expand_dims(time=np.arange(3.0))
    with pytest.raises(ValueError, match="numbers of 'cell' do not say"):
        ds.cluster.pixels(["a"]).hac(2, contiguous=True)


@pytest.mark.parametrize(("kind", "contiguous"), [("mesh", True), ("mesh", "mesh"),
                                                  ("healpix", 4), ("healpix", "healpix"),
                                                  ("healpix", 8)])  # fmt: skip
@pytest.mark.parametrize("last", ["cell", "time"])
def test_cells_are_neighbours_at_each_time_and_along_times(kind, contiguous, last):
    """The graph of cells times a line is a Kronecker sum; with corners the strong product."""
    ds = healpix_cells(4, "ring", "mapping") if kind == "healpix" else flat_mesh()[0]
    dim, name = ("cell", "a") if kind == "healpix" else (FACE, "depth")
    n = ds.sizes[dim]
    one = connected(ds.cluster.pixels([name]).layout, contiguous) > 0
    line = graph_of([[0, 2], [2, 1], [1, 3]], 4)  # times in no order
    many = ds.assign({name: ds[name].expand_dims(time=[0.0, 2.0, 1.0, 3.0])})
    many = many.transpose(..., dim) if last == "cell" else many.transpose(..., "time")
    found = connected(many.cluster.pixels([name]).layout, contiguous)
    eyes = (identity(4), identity(n))
    true = kronsum(one, line) if contiguous != 8 else kron(line + eyes[0], one + eyes[1])
    order = np.arange(4 * n).reshape(4, n)
    order = order.ravel() if last == "cell" else order.T.ravel()
    true = true.toarray()[np.ix_(order, order)] > 0
    np.fill_diagonal(true, False)
    np.testing.assert_array_equal(found.toarray() > 0, true)


def test_members_of_cells_are_no_neighbours():
    ds, _ = flat_mesh()
    ds["depth"] = ds.depth.expand_dims(member=3)
    for contiguous in (True, "mesh"):
        with pytest.raises(ValueError, match="'member' counts members"):
            ds.cluster.pixels(["depth"]).hac(3, contiguous=contiguous)
    one = ds.isel(member=0).cluster.pixels(["depth"])
    assert one.hac(3, contiguous="mesh").k == 3  # the remedy


@pytest.mark.parametrize(
    ("dim", "values", "rule"),
    [
        ("member", [1, 2, 3], "'member' counts members"),
        ("member", None, "'member' counts members"),
        ("kind", ["a", "b", "c"], "'kind' has names"),
        ("kind", np.array(["a", "b", "c"], object), "'kind' has names"),
        ("land", [True, False, True], "'land' has names"),
    ],
)
def test_members_and_names_are_no_axis_of_neighbours(dim, values, rule):
    da = xr.DataArray(
        np.random.default_rng(0).normal(size=(3, 6, 7)), dims=(dim, "y", "x"), name="z"
    )
    da = da if values is None else da.assign_coords({dim: values})
    with pytest.raises(ValueError, match=rule):
        da.cluster.pixels().hac(3, contiguous=True)
    assert da.isel({dim: 0}).cluster.pixels().hac(3, contiguous=True).k == 3  # the remedy
    stacked = da.stack(z=(dim, "x"))
    with pytest.raises(ValueError, match=rule):
        stacked.cluster.pixels().hac(3, contiguous=True)


@pytest.mark.parametrize(
    "coord",
    [
        pd.date_range("2000", periods=40),
        np.linspace(0, 3, 40),
        xr.Variable("t", np.arange(40), {"units": "m"}),
    ],
)
def test_dates_and_lengths_are_a_line(coord):
    da = xr.DataArray(np.random.default_rng(0).normal(size=40), {"t": ("t", coord)}, ("t",), "z")
    labels = da.cluster.pixels().hac(5, contiguous=True).labels
    assert np.count_nonzero(np.diff(labels)) == 4


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (csr_array((5, 5)), r"must have the shape \(12, 12\)"),
        ([[0, 12]], "numbers of samples from 0 to 11"),
        ([[-1, 2]], "numbers of samples from 0 to 11"),
        ([[0, 1, 2]], "must be a graph"),
        ([[0.0, 1.0]], "must be a graph"),
        (("nearest",), "how many neighbours"),
        (("nearest", 0), "contiguous=0"),
        ("grid", "contiguous='grid'"),
        ("mesh", "finds no such cells"),
        ("healpix", "finds no such cells"),
        (6, "contiguous=6"),
    ],
)
def test_what_is_no_graph_is_refused(graph, message):
    da = xr.DataArray(np.arange(12.0).reshape(3, 4), dims=("y", "x"), name="z")
    with pytest.raises((ValueError, TypeError), match=message):
        da.cluster.pixels().hac(2, contiguous=graph)


def test_scenes_have_no_graph():
    ds, pairs = cells(300)
    with pytest.raises(ValueError, match="pooled scenes lie on several grids"):
        xcluster.pool({"a": ds, "b": ds}, lambda each: each.cluster.pixels()).hac(
            3, contiguous=pairs
        )


def test_parts_above_k_are_joined_with_a_warning():
    values = np.r_[np.zeros(50), np.full(50, 9.0), 8.9, 0.1, 8.8] + 0.001 * np.arange(103)
    line = np.column_stack([np.arange(99), np.arange(1, 100)])  # the last three touch nothing
    da = xr.DataArray(values, dims="cell", name="z")
    with pytest.warns(UserWarning, match="4 separate parts, more than k=2"):
        labels = da.cluster.pixels().hac(2, contiguous=line).labels.values
    assert same(labels, values > 5)
    assert da.cluster.pixels().hac(4, contiguous=line).k == 4


# --------------------------------------------------------------------------- what grids say


def test_a_stacked_grid_knows_the_grid_it_came_from():
    side = 170
    values = smooth((side, side + 3)) + 0.01 * smooth((side, side + 3), 1, 0)
    da = xr.DataArray(
        values, {"y": np.arange(side) * 2.0, "x": np.arange(side + 3)}, ("y", "x"), "z"
    )
    plain = da.cluster.pixels().hac(9, contiguous=True).labels
    rng = np.random.default_rng(0)
    stacked = da.stack(cell=("x", "y"))
    stacked = stacked.isel(cell=rng.permutation(stacked.sizes["cell"]))
    found = stacked.cluster.pixels().hac(9, contiguous=True).labels
    xr.testing.assert_equal(found.unstack("cell").transpose("y", "x"), plain)
    land = stacked.isel(cell=stacked.values > np.quantile(values, 0.3))
    labels = land.cluster.pixels().hac(60, contiguous=True).labels.unstack("cell").values
    assert all(components(labels == number)[1] == 1 for number in range(60))


def test_an_axis_in_any_order_has_the_neighbours_of_the_sorted_one():
    side = 170
    coords = {"lat": np.linspace(-60, 60, side), "lon": np.arange(side) * 360 / side}
    da = xr.DataArray(smooth((side, side), 3), coords, ("lat", "lon"), "z")
    rng = np.random.default_rng(1)
    turned = da.isel(lat=rng.permutation(side), lon=rng.permutation(side))
    plain = da.cluster.pixels().hac(9, contiguous=True).labels
    xr.testing.assert_equal(
        turned.cluster.pixels().hac(9, contiguous=True).labels.sel(plain.coords), plain
    )


def test_polar_caps_are_no_neighbours():
    lat, lon = np.arange(-89.5, 90), np.arange(0.5, 360)
    da = xr.DataArray(np.zeros((180, 360)), {"lat": lat, "lon": lon}, ("lat", "lon"), "z")
    caps = da.isel(lat=np.abs(lat) > 60)
    assert connected_components(connected(caps.cluster.pixels().layout, True))[0] == 2
    boxes = da.isel(lon=[10, 11, 12, 200, 201, 202])
    assert connected_components(connected(boxes.cluster.pixels().layout, True))[0] == 2
    fine = np.concatenate([np.arange(-60, -50, 0.1), np.arange(50, 60, 0.1)]).astype(np.float32)
    single = xr.DataArray(np.zeros((len(fine), 2)), {"lat": fine, "lon": [0, 1]}, ("lat", "lon"))
    assert connected_components(connected(single.cluster.pixels().layout, True))[0] == 2
    greenwich = da.isel(lon=[0, 1, 358, 359])
    assert connected_components(connected(greenwich.cluster.pixels().layout, True))[0] == 1


def curvilinear(ny, nx, fold=False):
    """A grid of two-dimensional longitudes around the globe; folded along its last row."""
    lat, lon = np.meshgrid(np.linspace(-70, 80, ny), np.arange(nx) * 360 / nx, indexing="ij")
    if fold:  # the last row again, backwards, as grids of two northern poles have it
        lat[-1], lon[-1] = 80 + 5 * np.abs(np.sin(np.deg2rad(lon[0]))), lon[-1]
        lat, lon = (np.vstack([each, each[-1:, ::-1]]) for each in (lat, lon))
    coords = {
        "lat": (("j", "i"), lat, {"units": "degrees_north"}),
        "lon": (("j", "i"), lon, {"units": "degrees_east"}),
    }
    return xr.Dataset({"a": (("j", "i"), np.zeros(lat.shape))}, coords)


def test_two_dimensional_longitudes_meet_at_the_seam():
    ds = curvilinear(12, 40)
    graph = connected(ds.cluster.pixels().layout, True).toarray()
    rows = np.arange(12) * 40
    assert graph[rows, rows + 39].all()
    region = ds.isel(i=slice(0, 30))
    graph = connected(region.cluster.pixels().layout, True).toarray()
    rows = np.arange(12) * 30
    assert not graph[rows, rows + 29].any()


def test_a_stacked_curvilinear_grid_meets_at_its_seam():
    ds = curvilinear(12, 40)
    n = ds.a.size
    graph = connected(ds.cluster.pixels().layout, True).toarray()
    chosen = np.random.default_rng(0).permutation(n)
    stacked = ds.stack(cell=("j", "i")).isel(cell=chosen)
    found = connected(stacked.cluster.pixels().layout, True).toarray()
    np.testing.assert_array_equal(found, graph[np.ix_(chosen, chosen)])


def test_a_fold_joins_cells_of_equal_coordinates():
    ds = curvilinear(12, 40, fold=True)
    graph = connected(ds.cluster.pixels().layout, True).toarray()
    i = np.arange(40)
    assert graph[11 * 40 + i, 12 * 40 + 39 - i].all()
    plain = connected(curvilinear(13, 40).cluster.pixels().layout, True).sum()
    assert graph.sum() == plain + 2 * 40


@pytest.mark.parametrize("further", [False, True])
def test_a_stacked_fold_joins_the_cells_of_the_grid(further):
    ds = curvilinear(12, 40, fold=True)
    ds = ds.assign(a=ds.a.expand_dims(time=2)) if further else ds
    n = ds.j.size * ds.i.size
    graph = connected(ds.cluster.pixels().layout, True).toarray()
    chosen = np.random.default_rng(0).permutation(n)
    stacked = ds.stack(cell=("j", "i")).isel(cell=chosen)
    found = connected(stacked.cluster.pixels().layout, True).toarray()
    both = np.concatenate([chosen, chosen + n]) if further else chosen
    np.testing.assert_array_equal(found, graph[np.ix_(both, both)])


@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")
def test_the_real_ocean_model_of_displaced_poles_meets_at_its_seam():
    pop = xr.open_dataset(DATA / "ocean_climate" / "pop_curvilinear.nc")
    layout = pop.cluster.pixels(vars=["t"]).layout
    graph = connected(layout, True)
    ny, nx = layout.shape
    rows = np.arange(ny) * nx
    assert np.asarray(graph[rows, rows + nx - 1]).all()


@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")
def test_regions_of_a_real_mantle_model_go_on_where_its_meridian_stands_twice():
    ds = xr.open_dataset(DATA / "tomography" / "S362ANI+M.nc").isel(depth=3)
    labels = ds.cluster.pixels(["vs"]).hac(8, contiguous=True).labels
    first, last = labels.isel(longitude=0), labels.isel(longitude=-1)
    np.testing.assert_array_equal(first, last)
    rows, columns = np.indices(labels.isel(longitude=slice(1, None)).shape)
    number = rows * columns.shape[1] + columns
    ring = np.stack([number, np.roll(number, -1, axis=1)], -1).reshape(-1, 2)
    pairs = np.concatenate([ring, np.stack([number[:-1], number[1:]], -1).reshape(-1, 2)])
    values = labels.isel(longitude=slice(1, None)).values.ravel()
    inside = pairs[values[pairs[:, 0]] == values[pairs[:, 1]]]
    assert connected_components(graph_of(inside, len(values)))[0] == 8


# ----------------------------------------------------------------------------------------- meshes


def fesom():
    return xr.open_dataset(DATA / "mesh" / "fesom_pi_ts.nc")


def triangles(ds):
    """Edges of the triangles, one by one."""
    faces = ds.face_nodes.values.astype(int)
    return {tuple(sorted(pair)) for face in faces for pair in itertools.combinations(face, 2)}


@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")
@pytest.mark.parametrize("contiguous", [True, "mesh"])
def test_nodes_of_a_real_mesh_are_neighbours_along_its_edges(contiguous):
    ds = fesom().isel(depth=0)
    graph = graph_of(sorted(triangles(ds)), ds.sizes["node"])
    fit = ds.cluster.pixels(vars=["temperature"]).hac(8, contiguous=contiguous)
    assert same(fit.labels, sklearns(ds.temperature.values[:, None], graph, 8))


@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")
def test_faces_of_a_real_mesh_are_neighbours_over_their_edges():
    ds = fesom().isel(depth=0)
    faces = ds.face_nodes.values.astype(int)
    ds["t"] = ("face", ds.temperature.values[faces].mean(axis=1))
    by_edge = {}
    for number, face in enumerate(faces):
        for pair in itertools.combinations(sorted(face), 2):
            by_edge.setdefault(pair, []).append(number)
    pairs = [each for each in by_edge.values() if len(each) == 2]
    fit = ds.cluster.pixels(vars=["t"]).hac(8, contiguous="mesh")
    assert same(fit.labels, sklearns(ds.t.values[:, None], graph_of(pairs, len(faces)), 8))


def mixed(start, fill, dtype, transposed=False):
    """Two squares and a triangle: 0 1 2 3, 1 4 5 2, 3 2 6."""
    faces = np.array([[0, 1, 2, 3], [1, 4, 5, 2], [3, 2, 6, -1]])
    faces = np.where(faces < 0, fill, faces + start).astype(dtype)
    dims = ("corner", "face") if transposed else ("face", "corner")
    attrs = {"start_index": start} if start is not None else {}
    ds = xr.Dataset(
        {
            "mesh": ((), 0, {"cf_role": "mesh_topology", "topology_dimension": 2,
                             "node_coordinates": "nx ny", "face_node_connectivity": "fn",
                             "face_dimension": "face"}),
            "fn": (dims, faces.T if transposed else faces, attrs),
            "a": ("face", [0.0, 1.0, 5.0], {"mesh": "mesh", "location": "face"}),
            "nx": ("node", [0.0, 1, 1, 0, 2, 2, 0.5], {"units": "degrees_east"}),
            "ny": ("node", [0.0, 0, 1, 1, 0, 1, 2], {"units": "degrees_north"}),
        }
    )  # fmt: skip
    if np.issubdtype(dtype, np.integer):
        ds.fn.attrs["_FillValue"] = np.dtype(dtype).type(fill)
    return ds


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize(("fill", "dtype"), [(-1, int), (999_999, np.int32), (np.nan, float)])
@pytest.mark.parametrize("transposed", [False, True])
def test_connectivity_is_understood_however_it_is_written(start, fill, dtype, transposed):
    ds = mixed(start, fill, dtype, transposed)
    mesh = mesh_of(["face"], ds)
    assert {tuple(pair) for pair in mesh.pairs().tolist()} == {(0, 1), (0, 2)}
    nodes = mesh_of(["node"], ds)
    assert len(nodes.pairs()) == 9
    unsaid = ds.assign(fn=ds.fn.assign_attrs(start_index=start))
    del unsaid.fn.attrs["start_index"]
    np.testing.assert_array_equal(mesh_of(["face"], unsaid).faces, mesh.faces)


@pytest.mark.parametrize("repeated", ["first", "last"])
def test_a_repeated_node_is_no_edge(repeated):
    triangles = np.array([[0, 1, 2], [0, 3, 4]])  # they share a node only
    faces = np.column_stack([triangles, triangles[:, 0 if repeated == "first" else 2]])
    ds = mixed(0, -1, int).drop_dims("face").assign(fn=(("face", "corner"), faces))
    mesh = mesh_of(["face"], ds)
    assert not len(mesh.pairs())
    np.testing.assert_array_equal(mesh.n_corners, 3)
    nodes = mesh_of(["node"], ds)
    assert len(nodes.pairs()) == 6
    halves = np.bincount(triangles.ravel(), np.repeat(mesh.areas() / 3, 3), minlength=7)
    np.testing.assert_allclose(nodes.areas(), halves, rtol=1e-12)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_renamed_dim_of_faces_is_found(transposed):
    ds = mixed(0, -1, int, transposed).rename(face="element")
    assert len(mesh_of(["element"], ds).pairs()) == 2


@pytest.mark.parametrize("start", [0, 1, None])
def test_nodes_that_were_selected_are_noticed_with_a_remedy_that_works(start):
    ds, _ = flat_mesh()
    attrs = {} if start is None else {"start_index": start}
    numbers = ds.mesh2d_face_nodes - (start == 0)
    ds["mesh2d_face_nodes"] = numbers.drop_attrs().assign_attrs(attrs)
    some = ds.isel({NODE: slice(100)})
    with (
        pytest.warns(UserWarning, match=r"\.where\(mask\)"),
        pytest.raises(ValueError, match="area"),
    ):
        some.cluster.pixels(["bed"]).weights("area")
    with pytest.warns(UserWarning, match="there are 100 nodes"):
        assert mesh_of([NODE], some) is None
    mask = xr.DataArray(np.arange(ds.sizes[NODE]) < 100, dims=NODE)
    masked = ds.cluster.pixels(["bed"]).where(mask).weights("area").hac(3, contiguous="mesh")
    assert int(masked.labels.notnull().sum()) == 100
    fewer = ds.isel({FACE: slice(50)})
    assert len(mesh_of([FACE], fewer).areas()) == 50


@pytest.mark.parametrize("name", ["depth", "bed"])
def test_faces_and_nodes_of_a_mesh_on_a_plane_are_neighbours_over_and_along_edges(name):
    ds, faces = flat_mesh(columns=30, rows=25)
    by_edge = {}
    for number, face in enumerate(faces):
        for pair in zip(face, [*face[1:], face[0]], strict=True):
            by_edge.setdefault(tuple(sorted(pair)), []).append(number)
    over = [pair for pair in by_edge.values() if len(pair) == 2]
    graph = graph_of(over if name == "depth" else list(by_edge), ds[name].size)
    values = ds[name] + 0.3 * np.random.default_rng(0).normal(size=ds[name].size)
    samples = ds.assign({name: values}).cluster.pixels([name])
    for contiguous in (True, "mesh"):
        labels = samples.hac(6, contiguous=contiguous).labels
        assert same(labels, sklearns(values.values[:, None], graph, 6))


# ---------------------------------------------------------------------------------------- HEALPix


def healpix_cells(nside, scheme, how, cells=None):
    cells = np.arange(12 * nside**2) if cells is None else cells
    level = int(np.log2(nside))
    values = ("cell", np.random.default_rng(0).normal(size=len(cells)))
    if how == "coordinate":
        attrs = {"grid_name": "healpix", "level": level, "indexing_scheme": scheme}
        return xr.Dataset({"a": values}, {"cell_ids": ("cell", cells, attrs)})
    attrs = {"grid_mapping_name": "healpix", "healpix_nside": nside, "healpix_order": scheme[:4]}
    if how == "cf":
        attrs = {
            "grid_mapping_name": "healpix",
            "refinement_level": level,
            "indexing_scheme": scheme,
        }
    ds = xr.Dataset({"a": values}, {"crs": ((), 0, attrs)})
    if how == "cf":
        ds = ds.assign_coords(index=("cell", cells, {"standard_name": "healpix_index"}))
    return ds


@pytest.mark.parametrize("scheme", ["nested", "ring"])
@pytest.mark.parametrize("how", ["coordinate", "mapping", "cf"])
def test_healpix_cells_are_neighbours_where_they_share_two_corners(scheme, how):
    pytest.importorskip("cdshealpix")
    ds = healpix_cells(8, scheme, how)
    graph = connected(ds.cluster.pixels().layout, "healpix")
    lon, lat = (
        np.deg2rad(each) for each in Healpix("cell", 8, scheme, np.arange(768)).polygons()[:2]
    )
    corners = np.round([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], 9) + 0.0
    _, number = np.unique(corners.reshape(3, -1), axis=1, return_inverse=True)
    number = number.reshape(768, 4)
    shared = (number[:, None, :, None] == number[None, :, None, :]).any(axis=3).sum(axis=2)
    np.testing.assert_array_equal(graph.toarray(), shared == 2)
    around = connected(ds.cluster.pixels().layout, 8).toarray()
    np.testing.assert_array_equal(around, (shared > 0) & (shared < 4))


@pytest.mark.parametrize("scheme", ["nested", "ring"])
def test_healpix_neighbours_are_those_of_healpy(scheme):
    healpy = pytest.importorskip("healpy")
    pytest.importorskip("cdshealpix")
    some = np.sort(np.random.default_rng(0).permutation(12 * 64**2)[:30_000])
    found = connected(healpix_cells(64, scheme, "coordinate", some).cluster.pixels().layout, True)
    near = healpy.get_all_neighbours(64, some, nest=scheme == "nested")[[0, 2, 4, 6]]
    place = np.full(12 * 64**2, -1)
    place[some] = np.arange(len(some))
    pairs = np.column_stack([np.tile(np.arange(len(some)), 4), place[near].ravel()])
    expected = graph_of(pairs[pairs[:, 1] >= 0], len(some))
    assert (found != (expected > 0)).nnz == 0


@pytest.mark.parametrize("how", ["coordinate", "mapping"])
@pytest.mark.parametrize("some", [False, True])
def test_years_are_no_healpix_cells(how, some):
    ids = np.arange(500) if some else np.arange(3072)
    ds = healpix_cells(16, "nested", how, ids)
    ds = ds.assign_coords(cell=ids) if some and how == "mapping" else ds
    years = xr.DataArray(np.random.default_rng(0).normal(size=40), {"year": 1980 + np.arange(40)})
    ds["a"] = ds.a + years
    labels = ds.cluster.snapshots("year").hac(4, contiguous=True).labels
    assert np.count_nonzero(np.diff(labels)) == 3
    assert healpix_of({"year", "cell"}, ds).dim == "cell"


def test_healpix_without_its_package_names_the_command(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "cdshealpix", None)
    with pytest.raises(ImportError, match=r'pip install "xarray-cluster\[healpix\]"'):
        healpix_cells(4, "nested", "coordinate").cluster.pixels().hac(3, contiguous="healpix")


def test_healpix_of_an_unknown_order_is_refused():
    pytest.importorskip("cdshealpix")
    ds = healpix_cells(4, "unique", "coordinate")
    with pytest.raises(ValueError, match="needs a known order of cells"):
        ds.cluster.pixels().hac(3, contiguous="healpix")


# ------------------------------------------------------------------------------------------ files


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_file_keeps_the_graph(tmp_path, suffix):
    ds, pairs = cells(500)
    fit = ds.cluster.pixels().hac(5, contiguous=pairs)
    fit.save(tmp_path / f"fit{suffix}")
    again = xcluster.open(tmp_path / f"fit{suffix}", data=ds)
    assert (again.graph != (graph_of(pairs, 500) > 0)).nnz == 0
    xr.testing.assert_identical(again.labels, fit.labels)
    xr.testing.assert_identical(again.cut(3).labels, fit.cut(3).labels)
    assert again.method == fit.method
    assert "array" in fit.method


def test_methods_say_the_graph():
    ds, pairs = cells(300)
    samples = ds.cluster.pixels()
    assert samples.hac(3, contiguous=("nearest", 6)).method == "hac(k=3, contiguous=('nearest', 6))"
    one = samples.hac(3, contiguous=pairs).method
    assert one != samples.hac(3, contiguous=pairs[:-1]).method
