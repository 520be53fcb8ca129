"""Regions against scipy and plain loops, for any chunks and on all kinds of grids."""

from functools import reduce

import dask
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from flat_mesh import FACE, flat_mesh
from scipy import ndimage
from scipy.sparse.csgraph import connected_components
from test_cleaning import pieces, speckled, touching

import xcluster
from xcluster.algorithms.parts.connectivity import grid_connectivity
from xcluster.algorithms.parts.group_sums import GroupSums
from xcluster.grid.healpix import healpix_of
from xcluster.grid.meshes import mesh_of
from xcluster.grid.polygons import unit_vectors

RADIUS = 6371.0088


def clustered(ds, vars=None):
    return ds.cluster.pixels(vars).kmeans(5, order="level", n_init=3)


@pytest.fixture(scope="module")
def fit():
    """Labels of 36,000 samples in memory."""
    return clustered(speckled())


@pytest.fixture(scope="module")
def found(fit):
    return fit.regions()


def numbered_by_first(piece):
    """Numbers from 0 in the order in which pieces first occur, going along y for each x."""
    flat = piece.T.ravel()
    order = list(dict.fromkeys(flat[flat > 0].tolist()))
    out = np.full(piece.max() + 1, -1)
    out[order] = np.arange(len(order))
    return out[piece]


def border_of(labels, y, x, dy, dx, wrap=False):
    """How long the sides of one cell are behind which another label or nothing lies."""
    ny, nx = labels.shape
    total = 0.0
    for (j, i), length in {
        (y - 1, x): dx[0],
        (y + 1, x): dx[1],
        (y, x - 1): dy,
        (y, x + 1): dy,
    }.items():
        inside = 0 <= j < ny and (wrap or 0 <= i < nx)
        total += 0 if inside and labels[j, i % nx] == labels[y, x] else length
    return total


# ------------------------------------------------------------------------------------ right values


@pytest.mark.parametrize("neighbours", [4, 8])
def test_regions_are_the_pieces_of_scipy(fit, neighbours):
    ours = fit.regions(neighbours)
    expected = numbered_by_first(pieces(fit.labels.values, neighbours == 8))
    np.testing.assert_array_equal(ours.region_map, expected)
    assert ours.region_map.dtype == np.int32
    beside = touching(expected + 1, neighbours == 8)
    edges = sorted((a - 1, b - 1) for a in beside for b in beside[a] if a < b)
    np.testing.assert_array_equal(ours.neighbours, edges)
    assert ours.neighbours.dims == ("edge", "end")


def test_what_regions_measure_are_plain_sums(fit, found):
    labels, number = fit.labels.values, found.region_map.values
    every = np.arange(found.sizes["region"])
    np.testing.assert_array_equal(found.samples, ndimage.sum_labels(number >= 0, number, every))
    np.testing.assert_array_equal(found.label, ndimage.maximum(labels, number, every))
    np.testing.assert_allclose(found.area, 0.03**2 * found.samples, rtol=1e-12)
    assert found.area.units == "km2"
    assert found.perimeter.units == "km"
    y, x = np.indices(labels.shape) * 30.0
    for name, place in {"y": y, "x": x}.items():
        for end, of in {
            "centroid": ndimage.mean,
            "min": ndimage.minimum,
            "max": ndimage.maximum,
        }.items():
            np.testing.assert_allclose(found[f"{name}_{end}"], of(place, number, every), rtol=1e-12)
            assert found[f"{name}_{end}"].units == "m"
    border = np.zeros(labels.shape)
    for at in np.argwhere(number >= 0):
        border[tuple(at)] = border_of(labels, *at, 0.03, (0.03, 0.03))
    np.testing.assert_allclose(
        found.perimeter, ndimage.sum_labels(border, number, every), rtol=1e-12
    )


def test_mean_and_spread_are_those_of_every_variable():
    random = np.random.default_rng(2)
    ds = speckled()
    ds["far"] = ds.level + 1e4 + 1e-3 * random.normal(size=ds.level.shape)
    ds["rest"] = ("band", "y", "x"), random.normal(size=(3, 180, 200)).astype(np.float32)
    fit = ds.cluster.pixels(["level", "far", "rest"], dim="band").kmeans(4)
    found = fit.regions()
    number, every = found.region_map.values, found.region.values
    for name in ("far", "rest"):
        bands = ds[name].values if "band" in ds[name].dims else ds[name].values[None]
        assert found[name].dims == ("region", *(["band"] if len(bands) > 1 else []))
        for values, mean, spread in zip(
            bands,
            np.atleast_2d(found[name].T),
            np.atleast_2d(found[f"{name}_std"].T),
            strict=True,
        ):
            values = values.astype(float)
            np.testing.assert_allclose(
                mean, ndimage.mean(values, number, every), rtol=1e-9, atol=1e-9
            )
            expected = ndimage.standard_deviation(values - np.nanmean(values), number, every)
            np.testing.assert_allclose(spread, expected, rtol=1e-6, atol=1e-6)
    alone = found.samples == 1
    assert (found.far_std[alone] == 0).all()


def test_weights_count_in_the_means():
    random = np.random.default_rng(4)
    ds = speckled(60, 50)
    ds["v"] = ("y", "x"), random.normal(size=(60, 50))
    w = xr.DataArray(random.random((60, 50)), ds.level.coords)
    found = ds.cluster.pixels().weights(w).kmeans(3).regions()
    number, every = found.region_map.values, found.region.values
    total = ndimage.sum_labels(w.values, number, every)
    mean = ndimage.sum_labels(w.values * ds.v.values, number, every) / total
    square = ndimage.sum_labels(w.values * ds.v.values**2, number, every) / total
    np.testing.assert_allclose(found.v, mean, rtol=1e-9)
    np.testing.assert_allclose(found.v_std, np.sqrt(np.maximum(square - mean**2, 0)), atol=1e-6)


def test_sums_of_groups_are_exact_for_values_of_any_size():
    from fractions import Fraction

    random = np.random.default_rng(0)
    n, group = 30_000, random.integers(0, 40, 30_000)
    columns = [random.normal(size=n) * 10.0 ** random.integers(-6, 6, n), np.zeros(n)]
    whole = GroupSums.of(columns, group, 40).total()
    exact = [float(sum(map(Fraction, columns[0][group == each]))) for each in range(40)]
    np.testing.assert_allclose(whole[0], exact, rtol=1e-15)
    assert (whole[1] == 0).all()
    for parts in (2, 9):
        cuts = np.array_split(np.argsort(random.random(n)), parts)
        found = [GroupSums.of([each[cut] for each in columns], group[cut], 40) for cut in cuts]
        again = GroupSums.joined(found, [np.arange(40)] * parts, 40).total()
        np.testing.assert_array_equal(again, whole)


# -------------------------------------------------------------------------------------- the Earth


def on_earth(longitudes, seed=0):
    random = np.random.default_rng(seed)
    ny, nx = 36, len(longitudes)
    field = ndimage.gaussian_filter(random.normal(size=(ny, nx)), 3, mode=("nearest", "wrap"))
    level = np.digitize(field, np.quantile(field, [0.3, 0.6])).astype(float)
    level[random.random((ny, nx)) < 0.03] = np.nan
    coords = {"lat": np.arange(-87.5, 90, 5), "lon": longitudes}
    return xr.DataArray(level, coords, ("lat", "lon"), name="level").to_dataset()


@pytest.mark.parametrize("first", [0, -177.5])
def test_regions_over_the_first_meridian_are_whole(first):
    ds = on_earth(first + np.arange(0, 360, 5.0))
    fit = ds.cluster.pixels().kmeans(3, order="level")
    found, labels = fit.regions(), fit.labels.values
    number, lon, lat = found.region_map.values, ds.lon.values, ds.lat.values
    twice = pieces(np.tile(labels, 2))
    n_columns = len(lon)
    for region in found.region.values:
        own = number == region
        assert len(np.unique(labels[own])) == 1
        seen = np.unique(twice[np.tile(own, 2)])
        columns = np.flatnonzero(own.any(axis=0))
        gaps = np.diff([*columns, columns[0] + n_columns])
        at = int(gaps.argmax())
        if gaps[at] * 5 > 90:  # it does not go round
            assert float(found.lon_max[region]) == lon[columns[at]]
            assert float(found.lon_min[region]) == lon[columns[(at + 1) % len(columns)]]
        rows = np.flatnonzero(own.any(axis=1))
        assert float(found.lat_min[region]) == lat[rows[0]]
        assert float(found.lat_max[region]) == lat[rows[-1]]
        assert len(seen) >= 1
    crosses = (found.lon_min > found.lon_max).sum()
    assert crosses > 2
    same_label = labels[:, 0] == labels[:, -1]
    np.testing.assert_array_equal(number[same_label, 0], number[same_label, -1])
    area = RADIUS**2 * np.deg2rad(5) * np.diff(np.sin(np.deg2rad(np.arange(-90, 91, 5))))
    cell = np.repeat(area[:, None], n_columns, 1)
    every = found.region.values
    np.testing.assert_allclose(found.area, ndimage.sum_labels(cell, number, every), rtol=1e-9)
    vectors = [np.cos(np.deg2rad(lat))[:, None] * np.cos(np.deg2rad(lon)),
               np.cos(np.deg2rad(lat))[:, None] * np.sin(np.deg2rad(lon)),
               np.sin(np.deg2rad(lat))[:, None] * np.ones(n_columns)]  # fmt: skip
    x, y, z = (ndimage.sum_labels(cell * each, number, every) for each in vectors)
    np.testing.assert_allclose(
        found.lat_centroid, np.rad2deg(np.arctan2(z, np.hypot(x, y))), atol=1e-9
    )
    turn = (found.lon_centroid - np.rad2deg(np.arctan2(y, x)) + 180) % 360 - 180
    np.testing.assert_allclose(turn, 0, atol=1e-6)
    assert found.lon_centroid.min() >= (0 if first == 0 else -180)
    border = np.zeros(labels.shape)
    edge = RADIUS * np.deg2rad(5) * np.cos(np.deg2rad(np.arange(-90, 91, 5)))
    for j, i in np.argwhere(number >= 0):
        border[j, i] = border_of(labels, j, i, RADIUS * np.deg2rad(5), edge[j : j + 2], wrap=True)
    np.testing.assert_allclose(
        found.perimeter, ndimage.sum_labels(border, number, every), rtol=1e-9
    )


def test_a_small_cell_of_a_curvilinear_grid_has_the_sides_of_the_same_plain_grid():
    plain = on_earth(np.arange(2.5, 60, 5.0)).isel(lat=slice(10, 25))
    lat, lon = np.meshgrid(plain.lat, plain.lon, indexing="ij")
    curved = xr.Dataset({"level": (("j", "i"), plain.level.values)})
    curved = curved.assign_coords(lat=(("j", "i"), lat), lon=(("j", "i"), lon))
    fits = [each.cluster.pixels().kmeans(3, order="level") for each in (plain, curved)]
    a, b = (fit.regions() for fit in fits)
    order = [int(b.region_map.values[a.region_map.values == each][0]) for each in a.region.values]
    b = b.isel(region=order)
    np.testing.assert_array_equal(a.samples, b.samples)
    np.testing.assert_allclose(a.perimeter, b.perimeter, rtol=2e-3)
    np.testing.assert_allclose(a.area, b.area, rtol=2e-3)
    for name in ("lat_min", "lat_max", "lon_min", "lon_max"):
        np.testing.assert_array_equal(a[name], b[name])


# ---------------------------------------------------------------------------------- other samples


def test_other_dims_are_measured_step_by_step():
    parts = [speckled(40, 50, seed) for seed in range(3)]
    times = np.array(["2001-01", "2002-01", "2003-01"], "datetime64[ns]")
    ds = xr.concat(parts, "time").assign_coords(time=times).transpose("y", "time", "x")
    fit = clustered(ds)
    found = fit.regions()
    for number, time in enumerate(times):
        mine = found.isel(region=(found.region_time == time).values)
        alone = clustered(parts[number]).regions()
        step = found.region_map.isel(time=number).transpose("y", "x")
        np.testing.assert_array_equal(
            step - int(mine.region[0]), alone.region_map.where(step >= 0, -1 - int(mine.region[0]))
        )
        for name in ("label", "samples", "area", "perimeter", "x_centroid", "level_std"):
            np.testing.assert_array_equal(mine[name], alone[name])
    assert found.neighbours.isel(end=0).size == sum(
        clustered(each).regions().sizes["edge"] for each in parts
    )
    chunked = clustered(ds.chunk(time=2, y=17)).regions()
    xr.testing.assert_identical(chunked.compute(), found)


def test_stacked_and_shuffled_grids_have_the_regions_of_the_grid():
    ds = speckled(40, 50)
    plain = clustered(ds).regions()
    stacked = clustered(ds.stack(cell=("y", "x"))).regions()
    columns = np.random.default_rng(0).permutation(50)
    shuffled = clustered(ds.isel(x=columns)).regions()
    np.testing.assert_array_equal(shuffled.region_map.isel(x=np.argsort(columns)), plain.region_map)
    np.testing.assert_array_equal(stacked.region_map.unstack("cell"), plain.region_map)
    for name in ("label", "samples", "perimeter", "x_centroid", "y_min", "level"):
        np.testing.assert_allclose(stacked[name], plain[name], rtol=1e-12)
        np.testing.assert_allclose(shuffled[name], plain[name], rtol=1e-12)
    assert stacked.perimeter.units == "km"


@pytest.mark.parametrize("curved", [False, True])
def test_a_stacked_globe_has_the_perimeters_of_the_globe(curved):
    ds = on_earth(np.arange(0, 360, 5.0))
    if curved:
        lat, lon = np.meshgrid(ds.lat, ds.lon, indexing="ij")
        ds = ds.rename(lat="j", lon="i").drop_vars(["j", "i"]).assign_coords(
            lat=(("j", "i"), lat + np.cos(np.deg2rad(lon))), lon=(("j", "i"), lon)
        )  # fmt: skip
    dims = ("j", "i") if curved else ("lat", "lon")
    listed = ds.assign_coords({dim: np.arange(ds.sizes[dim]) for dim in dims}) if curved else ds
    plain, stacked = (
        each.cluster.pixels().kmeans(3, order="level").regions()
        for each in (ds, listed.stack(cell=dims))
    )
    number = stacked.region_map.values.reshape(plain.region_map.shape)
    first = [int(number[plain.region_map.values == each][0]) for each in plain.region.values]
    stacked = stacked.isel(region=first)
    np.testing.assert_array_equal(stacked.samples, plain.samples)
    np.testing.assert_allclose(stacked.perimeter, plain.perimeter, rtol=1e-9)


def test_a_fold_is_no_border():
    nj, ni = 12, 24
    lon, lat = np.meshgrid(np.arange(0, 360, 15.0), np.linspace(30, 80, nj))
    lon[-1, ni // 2 :], lat[-1, ni // 2 :] = lon[-1, : ni // 2][::-1], lat[-1, : ni // 2][::-1]
    values = np.where(np.arange(nj)[:, None] > 8, 1.0, 0.0) * np.ones(ni)
    ds = xr.Dataset({"v": (("j", "i"), values)})
    ds = ds.assign_coords(lat=(("j", "i"), lat), lon=(("j", "i"), lon))
    found = ds.cluster.pixels().kmeans(2, order="v").regions()
    north = int(np.flatnonzero(found.v > 0.5)[0])
    assert found.sizes["region"] == 2
    ring = 2 * np.pi * RADIUS * np.cos(np.deg2rad((lat[8, 0] + lat[9, 0]) / 2))
    np.testing.assert_allclose(found.perimeter[north], ring, rtol=0.03)


def outlines(mesh, number):
    """The union of the polygons of each region."""
    import shapely

    x, y, of = mesh.polygons()
    shapes = shapely.polygons(np.stack([x, y], axis=-1))
    return [shapely.union_all(shapes[number[of] == each]) for each in np.unique(number)]


@pytest.mark.parametrize("name", ["depth", "bed"])
def test_regions_of_a_mesh_have_the_outlines_of_their_polygons(name):
    pytest.importorskip("shapely")
    ds, _ = flat_mesh()
    (dim,) = ds[name].dims
    ds[name] = ds[name].copy(data=np.floor(ds[name] / 2) % 3)
    found = ds.cluster.pixels([name]).kmeans(3, order=name).regions()
    mesh = mesh_of([dim], ds)
    shapes = outlines(mesh, found.region_map.values)
    assert found.sizes["region"] == len(shapes) > 3
    np.testing.assert_allclose(found.perimeter, [each.length / 1e3 for each in shapes], rtol=1e-6)
    parts = 1e-6 if name == "depth" else 0.02  # a node has equal parts of its faces
    np.testing.assert_allclose(found.area, [each.area / 1e6 for each in shapes], rtol=parts)
    places = [[each.centroid.x, each.centroid.y] for each in shapes]
    ours = np.stack([found.x_centroid, found.y_centroid], axis=1)
    np.testing.assert_allclose(ours - places, 0, atol=25)  # a quarter of a cell
    assert found.perimeter.units == "km"
    assert found.x_centroid.units == found.y_max.units == "m"
    x, _ = mesh.centres()
    every = found.region.values
    np.testing.assert_array_equal(found.x_min, ndimage.minimum(x, found.region_map.values, every))
    lazy = ds.chunk({dim: 50}).cluster.pixels([name]).kmeans(3, order=name).regions()
    xr.testing.assert_identical(lazy.compute(), found)


@pytest.mark.parametrize("name", ["depth", "bed"])
def test_a_mesh_on_the_sphere_is_that_on_a_small_plane(name):
    flat, _ = flat_mesh()
    flat[name] = flat[name].copy(data=np.floor(flat[name] / 2) % 3)
    x, y = flat.mesh2d_node_x, flat.mesh2d_node_y
    degrees = np.rad2deg(1e-3 / RADIUS)
    lon = (179.99 + (x - x.min()) * degrees + 180) % 360 - 180  # over the date line
    lat = (y - y.mean()) * degrees
    round_ = flat.assign_coords(
        mesh2d_node_x=lon.assign_attrs(units="degrees_east", standard_name="longitude"),
        mesh2d_node_y=lat.assign_attrs(units="degrees_north", standard_name="latitude"),
    )
    a, b = (each.cluster.pixels([name]).kmeans(3, order=name).regions() for each in (flat, round_))
    np.testing.assert_array_equal(a.region_map, b.region_map)
    np.testing.assert_allclose(a.perimeter, b.perimeter, rtol=1e-6)
    np.testing.assert_allclose(a.area, b.area, rtol=1e-6)
    named = {"mesh2d_node_x": "longitude", "mesh2d_node_y": "latitude"}  # coordinates of nodes
    b = b.rename({each: reduce(lambda x, y: x.replace(*y), named.items(), each) for each in b})
    east = ((b.longitude_centroid - 179.99) % 360) / degrees + float(x.min())
    np.testing.assert_allclose(east, a.x_centroid, rtol=1e-6)
    np.testing.assert_allclose(b.latitude_max / degrees, a.y_max - float(y.mean()), atol=1e-3)
    assert b.longitude_centroid.units == "degrees_east"
    assert (b.longitude_min > b.longitude_max).any()


def test_levels_on_a_mesh_of_the_globe_are_steps_of_their_own():
    ds, _ = flat_mesh()
    degrees = {"units": "degrees_east", "standard_name": "longitude"}
    ds["mesh2d_node_x"] = ((ds.mesh2d_node_x - 610_000) / 1000).assign_attrs(degrees)
    degrees = {"units": "degrees_north", "standard_name": "latitude"}
    ds["mesh2d_node_y"] = ((ds.mesh2d_node_y - 5_800_000) / 1000).assign_attrs(degrees)
    ds["depth"] = np.floor(ds.depth / 2) % 3
    levels = xr.concat([ds.depth, ds.depth], "level").assign_coords(level=("level", [5.0, 10.0]))
    found, alone = (
        each.cluster.pixels(["depth"]).kmeans(3, order="depth").regions()
        for each in (ds.assign(depth=levels), ds)
    )
    assert (
        found.region_level.values.tolist()
        == [5.0] * alone.sizes["region"] + [10.0] * (alone.sizes["region"])
    )
    for name in ("samples", "perimeter", "area", "latitude_centroid"):
        np.testing.assert_array_equal(found[name], np.tile(alone[name], 2))


def test_cells_of_healpix_and_graphs_have_regions():
    pytest.importorskip("cdshealpix")
    random, n = np.random.default_rng(0), 12 * 8**2
    attrs = {"grid_mapping_name": "healpix", "refinement_level": 3, "indexing_scheme": "nested"}
    values = (np.arange(n) // 96 % 3).astype(float)
    values[random.random(n) < 0.1] = 2.0
    ds = xr.Dataset({"v": ("cell", values), "crs": ((), 0, attrs)}).assign_coords(
        cell=("cell", np.arange(n))
    )
    ds.v.attrs["grid_mapping"] = "crs"
    found = ds.cluster.pixels(["v"]).kmeans(3, order="v").regions()
    pairs = healpix_of(["cell"], ds).pairs()
    graph = np.zeros((n, n), bool)
    graph[tuple(pairs[values[pairs[:, 0]] == values[pairs[:, 1]]].T)] = True
    count, piece = connected_components(graph, directed=False)
    assert found.sizes["region"] == count
    first = np.unique(piece, return_index=True)[1]
    np.testing.assert_array_equal(found.region_map, np.argsort(np.argsort(first))[piece])
    np.testing.assert_allclose(found.area.sum(), 4 * np.pi * RADIUS**2, rtol=1e-9)
    cells = healpix_of(["cell"], ds)
    lon, lat, _ = cells.polygons()
    corners = np.stack([np.cos(np.deg2rad(lat)) * np.cos(np.deg2rad(lon)),
                        np.cos(np.deg2rad(lat)) * np.sin(np.deg2rad(lon)),
                        np.sin(np.deg2rad(lat))], axis=-1)  # fmt: skip
    total = np.zeros(count)
    keys = np.round(corners, 9)
    sides = {}
    for cell, side in np.ndindex(n, 4):
        ends = frozenset((tuple(keys[cell, side]), tuple(keys[cell, (side + 1) % 4])))
        sides.setdefault(ends, []).append(cell)
    for (first, second), (a, b) in sides.items():
        if values[a] != values[b]:
            arc = RADIUS * np.arccos(np.dot(first, second))
            total[found.region_map[[a, b]].values] += arc
    np.testing.assert_allclose(found.perimeter, total, rtol=2e-3)  # sides are no great circles
    assert found.perimeter.units == "km"
    whole = ds.assign(v=ds.v * 0).cluster.pixels(["v"]).kmeans(1).regions()
    assert whole.perimeter.item() == 0
    centre = unit_vectors(*cells.centres())
    mean = np.stack([ndimage.mean(each, found.region_map, found.region) for each in centre])
    np.testing.assert_allclose(
        found.latitude_centroid, np.rad2deg(np.arctan2(mean[2], np.hypot(*mean[:2]))), atol=1e-9
    )


def test_regions_in_a_graph_of_the_user():
    ds = speckled(20, 30, gaps=0)
    flat = ds.stack(sample=("y", "x")).reset_index("sample").drop_vars(["y", "x"])
    fit = flat.cluster.pixels().hac(12, contiguous=grid_connectivity((20, 30)))
    found = fit.regions()
    expected = pieces(fit.labels.values.reshape(20, 30))
    assert found.sizes["region"] == expected.max()
    np.testing.assert_array_equal(
        np.sort(found.samples), np.sort(np.bincount(expected.ravel())[1:])
    )


# ----------------------------------------------------------------------------------------- chunks


def test_no_chunks_change_a_region(found):
    random = np.random.default_rng(1)
    for _ in range(4):
        cut = {"y": int(random.integers(20, 180)), "x": int(random.integers(20, 200))}
        chunked = clustered(speckled().chunk(cut)).regions()
        assert chunked.region_map.chunks == speckled().chunk(cut).level.chunks
        assert chunked.samples.chunks is None
        xr.testing.assert_identical(chunked.compute(), found)
    turned = speckled().isel(y=slice(None, None, -1)).transpose("x", "y").chunk(x=70)
    ours = clustered(turned).regions().compute().sortby("y").transpose("y", "x", ...)
    for name in found:
        np.testing.assert_array_equal(ours[name].transpose(*found[name].dims), found[name])


def test_a_large_map_in_memory_is_measured_in_blocks(found, monkeypatch):
    monkeypatch.setattr("xcluster.blocks.regions.BLOCK_CELLS", 5000)
    fit = clustered(speckled())
    again = fit.regions()
    assert again.region_map.chunks is None
    xr.testing.assert_identical(again, found)


def test_the_globe_in_chunks_is_the_globe():
    ds = on_earth(np.arange(0, 360, 2.0))
    whole = ds.cluster.pixels().kmeans(3, order="level").regions(8)
    for cut in ({"lon": 50}, {"lat": 7, "lon": 180}, {"lat": 11, "lon": 31}):
        ours = ds.chunk(cut).cluster.pixels().kmeans(3, order="level").regions(8)
        xr.testing.assert_identical(ours.compute(), whole)


def test_the_table_reads_each_block_once_and_the_map_once_more():
    reads = []

    def read(block):
        reads.append(block.shape)
        return block

    with dask.config.set(scheduler="synchronous"):
        lazy = speckled().chunk(y=60, x=50)
        lazy["level"] = lazy.level.copy(data=lazy.level.data.map_blocks(read, dtype=float))
        fit = lazy.cluster.pixels().kmeans(5, n_init=3)
        reads.clear()
        found = fit.regions()
        assert len(reads) == 3 * 4
        found.region_map.compute()
    assert len(reads) == 2 * 3 * 4


# ------------------------------------------------------------------------------ what can be asked


def test_unclassified_and_filled_points_belong_to_regions():
    ds = speckled(60, 70)
    soft = ds.assign(other=ds.level**2).cluster.pixels().fuzzy(3, n_init=2).threshold(0.75)
    found = soft.regions()
    assert (found.label == -1).any()
    samples = found.samples.groupby(found.label).sum()
    np.testing.assert_array_equal(samples, soft.report().samples.sort_index())
    filled = soft.fill()
    found = filled.regions()
    assert (found.region_map >= 0).sum() == filled.labels.notnull().sum() > found.samples.sum()
    assert found.samples.sum() == soft.labels.notnull().sum()


def test_names_of_labels_and_of_the_user_are_kept(fit):
    named = fit.relabel(["a", "b", "c", "d", "e"]).regions()
    assert str(named.label_name[int(np.argmax(named.label.values == 3))].item()) == "d"
    ds = speckled(30, 40).rename(level="samples")
    found = ds.cluster.pixels().kmeans(3).regions()
    np.testing.assert_allclose(found.samples_std, 0.0, atol=1)
    assert found["samples_"].sum() == ds.samples.notnull().sum()
    with pytest.raises(ValueError, match="rename"):
        speckled(30, 40).rename(x="region").cluster.pixels().kmeans(3).regions()


def test_a_saved_result_without_data_has_regions_without_means(fit, found, tmp_path):
    fit.save(tmp_path / "fit.nc")
    alone = xcluster.open(tmp_path / "fit.nc").regions()
    xr.testing.assert_equal(alone, found.drop_vars(["level", "level_std"]))
    found.to_netcdf(tmp_path / "regions.nc")
    xr.testing.assert_equal(xr.load_dataset(tmp_path / "regions.nc"), found)


def test_scenes_have_regions_of_their_own():
    scenes = {"a": speckled(40, 50, 1), "b": speckled(60, 30, 2)}
    pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels()).kmeans(5, n_init=3)
    for name in scenes:
        found = pooled[name].regions()
        assert found.samples.sum() == scenes[name].level.notnull().sum()


def test_areas_and_perimeters_are_missing_where_they_are_not_known():
    found = speckled(30, 40).drop_vars(["x", "y"]).cluster.pixels().kmeans(3).regions()
    assert not {"area", "perimeter"} & set(found)
    assert found.x_max.max() == 39


def test_the_figure_has_the_numbers_of_the_largest_regions(fit, found):
    artist = fit.plot.regions(largest=7)
    largest = np.sort(np.argsort(-found.samples.values, kind="stable")[:7])
    texts = artist.axes.texts
    assert [text.get_text() for text in texts] == [str(each) for each in largest]
    for text, number in zip(texts, largest, strict=True):
        x, y = text.get_position()
        assert found.region_map.sel(x=x, y=y) == number
    assert artist.axes.get_title() == f"{found.sizes['region']:,} regions"


def test_a_number_on_a_mesh_lies_in_the_middle_of_its_region():
    ds, _ = flat_mesh()
    shuffled = ds.isel({FACE: np.random.default_rng(0).permutation(ds.sizes[FACE])})
    x, y = (each - each.mean() for each in mesh_of([FACE], shuffled).centres())
    inner = np.hypot(x, y) < 300  # metres
    found = shuffled.assign(depth=(FACE, inner.astype(float)))
    fit = found.cluster.pixels(["depth"]).kmeans(2, order="depth")
    disc = str(int(fit.regions().depth.values.argmax()))
    texts = {text.get_text(): text for text in fit.plot.regions().axes.texts}
    place = np.array(texts[disc].get_position())
    middle = [float(ds.mesh2d_node_x.mean()), float(ds.mesh2d_node_y.mean())]
    assert np.hypot(*(place - middle)) < 120
    plt.close("all")


def test_samples_without_neighbours_are_refused(fit):
    days = xr.DataArray(np.eye(9)[:, :4], dims=("time", "x"), name="v")
    with pytest.raises(ValueError, match=r"regions\(\).*needs neighbours in space"):
        days.cluster.snapshots("time").kmeans(2).regions()
    with pytest.raises(ValueError, match="neighbours=6"):
        fit.regions(6)
