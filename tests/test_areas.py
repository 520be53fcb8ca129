"""Areas of cells against exact spherical areas, geodesic polygons, and what the data state."""

from pathlib import Path

import numpy as np
import pytest
import shapely
import xarray as xr
from flat_mesh import FACE, flat_mesh
from pyproj import Geod

from xcluster.grid.areas import cell_areas
from xcluster.grid.intervals import cells
from xcluster.grid.meshes import mesh_of

RADIUS = 6371.0088
EARTH = 4 * np.pi * RADIUS**2
SPHERE = Geod(a=RADIUS * 1e3, b=RADIUS * 1e3)
DATA = Path(__file__).parents[2] / "shared" / "data"


def globe(step=1.0, first=-180.0):
    lat, lon = np.arange(-90 + step / 2, 90, step), np.arange(first + step / 2, first + 360, step)
    return xr.Dataset(
        {"a": (("lat", "lon"), np.ones((lat.size, lon.size)))}, {"lat": lat, "lon": lon}
    )


def box(south, north, west, east):
    """The exact area between two parallels and two meridians."""
    height = np.sin(np.deg2rad(north)) - np.sin(np.deg2rad(south))
    return RADIUS**2 * np.deg2rad(east - west) * height


def geodesic(lon, lat):
    """The area of a polygon of great circles."""
    return abs(SPHERE.polygon_area_perimeter(lon, lat)[0]) / 1e6


def total(ds):
    area = cell_areas(dict(ds.coords), ds)
    assert area.attrs["units"] == "km2"
    return float(area.sum())


@pytest.mark.parametrize("step", [0.5, 2.0, 4.5])
@pytest.mark.parametrize("first", [-180.0, 0.0, 77.0])
def test_areas_of_the_globe_add_up_in_any_order(step, first):
    ds = globe(step, first)
    rng = np.random.default_rng(0)
    shuffled = ds.isel(lat=rng.permutation(ds.lat.size), lon=rng.permutation(ds.lon.size))
    for each in (ds, shuffled, ds.isel(lat=slice(None, None, -1)), ds.transpose()):
        assert total(each) == pytest.approx(EARTH, rel=1e-9)


@pytest.mark.parametrize(
    ("kept", "exact"),
    [
        (lambda ds: ds.isel(lat=np.abs(ds.lat.values) > 60), 2 * box(60, 90, 0, 360)),
        (lambda ds: ds.isel(lat=np.abs(ds.lat.values) < 30), box(-30, 30, 0, 360)),
        (
            lambda ds: ds.isel(lon=(ds.lon.values < -120) | (ds.lon.values > 140)),
            box(-90, 90, 0, 100),
        ),
        (
            lambda ds: ds.isel(lat=[10, 11, 40, 41, 90], lon=[0, 5, 6, 200]),
            4 * (box(-80, -78, 0, 1) + box(-50, -48, 0, 1) + box(0, 1, 0, 1)),
        ),
        (lambda ds: xr.concat([ds, ds.isel(lon=slice(0, 40))], "lon"), EARTH),
        (lambda ds: xr.concat([ds.isel(lat=[3, 4, 5])] * 3, "lat"), box(-87, -84, 0, 360)),
    ],
)
def test_a_selection_has_the_area_of_its_cells(kept, exact):
    rng = np.random.default_rng(1)
    ds = kept(globe())
    for each in (ds, ds.isel(lat=rng.permutation(ds.lat.size), lon=rng.permutation(ds.lon.size))):
        assert total(each) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("lon", [np.arange(-180, 181, 2.0), np.arange(0, 361, 2.0)])
def test_a_meridian_that_occurs_twice_counts_once(lon):
    ds = xr.Dataset(coords={"lat": np.arange(-90, 91, 2.0), "lon": lon})
    assert total(ds) == pytest.approx(EARTH, rel=1e-9)
    area = cell_areas(dict(ds.coords), ds)
    np.testing.assert_allclose(2 * area.isel(lon=0), area.isel(lon=5), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_meridian_may_occur_twice_by_two_names_in_single_precision(dtype):
    lon = np.append(-9.9 + 0.1 * np.arange(3600), 350.1).astype(dtype)  # -9.9 again
    ds = xr.Dataset(coords={"lat": np.arange(-89.5, 90), "lon": lon})
    assert total(ds) == pytest.approx(EARTH, rel=1e-4 if dtype is np.float32 else 1e-9)


def test_weights_by_area_are_the_same_bits_wherever_longitudes_begin():
    values = np.random.default_rng(0).normal(size=(40, 700))
    coords = {"lat": np.linspace(-78, 78, 40), "lon": np.arange(-180, 179.9, 360 / 700)}
    ds = xr.Dataset({"a": (("lat", "lon"), values)}, coords)
    turned = ds.assign_coords(lon=ds.lon % 360).sortby("lon")
    weights = [
        each.cluster.pixels().weights("area").layout.weight.values
        for each in (ds, ds.isel(lon=slice(None, None, -1)), turned)
    ]
    for other in weights[1:]:
        np.testing.assert_array_equal(weights[0], other)


def test_edges_of_uneven_axes_lie_midway_and_beside_no_hole():
    lower, upper = cells(np.array([0.0, 1.0, 2.2, 3.6, 20.0, 21.2, 22.2]))
    np.testing.assert_allclose(lower, [-0.5, 0.5, 1.6, 2.9, 19.4, 20.6, 21.7])
    np.testing.assert_allclose(upper, [0.5, 1.6, 2.9, 4.3, 20.6, 21.7, 22.7])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_coordinates_in_single_precision_are_even_too(dtype):
    lat, lon = np.arange(40.05, 50, 0.1).astype(dtype), np.arange(300.05, 310, 0.1).astype(dtype)
    kept = np.r_[0:20, 50:100]
    ds = xr.Dataset(coords={"lat": lat[kept], "lon": lon})
    exact = box(40, 42, 0, 10) + box(45, 50, 0, 10)
    assert total(ds) == pytest.approx(exact, rel=1e-4 if dtype is np.float32 else 1e-9)


def test_a_report_measures_the_caps_that_were_selected():
    ds = globe(2.0)
    ds["a"] = ds.a * np.sign(ds.lat)
    caps = ds.isel(lat=np.abs(ds.lat.values) > 60)
    report = caps.cluster.pixels().kmeans(2).report()
    np.testing.assert_allclose(report["area_km2"], box(60, 90, 0, 360), rtol=1e-9)


# ------------------------------------------------------------------------- what the data state


def test_bounds_of_single_cells_may_cross_zero_and_stand_in_any_order():
    bounds = [[359.0, 1.0], [3.0, 1.0], [3.0, 6.0]]
    ds = xr.Dataset(
        {"lon_bnds": (("lon", "nv"), bounds), "lat_bnds": (("lat", "nv"), [[10.0, 0.0], [10, 30]])},
        {"lon": ("lon", [0.0, 2.0, 4.5]), "lat": ("lat", [5.0, 20.0])},
    )
    for name in ("lon", "lat"):
        ds[name].attrs["bounds"] = f"{name}_bnds"
    exact = [[box(0, 10, 0, width) for width in (2, 2, 3)], [box(10, 30, 0, w) for w in (2, 2, 3)]]
    np.testing.assert_allclose(cell_areas(dict(ds.coords), ds), exact, rtol=1e-12)


@pytest.mark.parametrize(
    ("lon", "edges"),
    [(np.arange(0, 361, 30.0), [0, *range(15, 360, 30), 360]), ([120, 300], [0, 240, 360])],
)
def test_half_cells_at_both_ends_and_wide_ones_are_as_wide_as_their_bounds(lon, edges):
    ds = xr.Dataset(
        {"lon_bnds": (("lon", "nv"), np.column_stack([edges[:-1], edges[1:]]).astype(float))},
        {"lon": ("lon", lon, {"bounds": "lon_bnds"}), "lat": np.arange(-85, 90, 10.0)},
    )
    assert total(ds) == pytest.approx(EARTH, rel=1e-9)
    assert total(ds.isel(lon=[1, 0, 0])) == pytest.approx(EARTH * edges[2] / 360, rel=1e-9)


def curvilinear(ds, turn=0):
    """Latitudes, longitudes and their bounds over two dims, with corners from the ``turn``-th."""
    lat, lon = np.meshgrid(ds.lat, ds.lon, indexing="ij")
    north, east = [-0.5, -0.5, 0.5, 0.5], [-0.5, 0.5, 0.5, -0.5]
    lat_corners = lat[..., None] + np.roll(north, turn)
    lon_corners = (lon[..., None] + np.roll(east, turn) + 180) % 360 - 180
    dims = ("y", "x")
    return xr.Dataset(
        {"lat_v": ((*dims, "v"), lat_corners), "lon_v": ((*dims, "v"), lon_corners)},
        {
            "latitude": (dims, lat, {"units": "degrees_north", "bounds": "lat_v"}),
            "longitude": (dims, lon, {"units": "degrees_east", "bounds": "lon_v"}),
        },
    )


@pytest.mark.parametrize("turn", range(4))
def test_bounds_of_two_dims_give_exact_areas_whatever_corner_is_first(turn):
    ds = curvilinear(globe(), turn)
    area = cell_areas(dict(ds.coords), ds)
    np.testing.assert_allclose(area[:, 7], [box(s, s + 1, 0, 1) for s in range(-90, 90)], rtol=1e-9)
    assert float(area.sum()) == pytest.approx(EARTH, rel=1e-9)
    overlapping = ds.isel(x=[*range(360), 0, 1], y=[*range(180), 90])
    assert total(overlapping) == pytest.approx(EARTH, rel=1e-9)


def test_boxes_of_a_list_lie_between_two_parallels_and_two_meridians():
    corners = np.array(
        [[0.0, 10, 350, 5], [-20, 30, 10, 20], [-20, 30, 10, 20]]
    )  # south north west east
    ds = xr.Dataset(
        {
            "lat_bnds": (("cell", "nv"), corners[:, :2]),
            "lon_bnds": (("cell", "nv"), corners[:, 2:]),
        },
        {"lat": ("cell", [5.0, 5, 5]), "lon": ("cell", [357.5, 15, 15])},
    )
    for name in ("lat", "lon"):
        ds[name].attrs["bounds"] = f"{name}_bnds"
    exact = [box(0, 10, -10, 5), box(-20, 30, 10, 20) / 2, box(-20, 30, 10, 20) / 2]
    np.testing.assert_allclose(cell_areas(dict(ds.coords), ds), exact, rtol=1e-12)


def test_polygons_of_a_list_are_those_of_geodesics():
    rng = np.random.default_rng(2)
    lon = rng.uniform(-180, 180, (50, 1)) + rng.uniform(0, 8, (50, 3))
    lat = rng.uniform(-80, 80, (50, 1)) + rng.uniform(0, 8, (50, 3))
    filled = [np.concatenate([each, each[:, -1:]], axis=1) for each in (lon, lat)]  # a corner twice
    ds = xr.Dataset(
        {"lon_v": (("cell", "v"), filled[0]), "lat_v": (("cell", "v"), filled[1])},
        {
            "lon": ("cell", lon.mean(axis=1), {"units": "degrees_east", "bounds": "lon_v"}),
            "lat": ("cell", lat.mean(axis=1), {"units": "degrees_north", "bounds": "lat_v"}),
        },
    )
    exact = [
        abs(SPHERE.polygon_area_perimeter(*each)[0]) / 1e6 for each in zip(lon, lat, strict=True)
    ]
    np.testing.assert_allclose(cell_areas(dict(ds.coords), ds), exact, rtol=1e-6)


@pytest.mark.parametrize(("units", "factor"), [("m2", 1e-6), ("km2", 1.0), ("km^2", 1.0)])
def test_cell_measures_of_the_data_come_first(units, factor):
    ds = globe(10.0)
    stated = np.random.default_rng(0).uniform(1, 2, ds.a.shape)
    ds["cells"] = (ds.a.dims, stated, {"units": units})
    ds["a"].attrs["cell_measures"] = "area: cells"
    np.testing.assert_allclose(cell_areas(dict(ds.coords), ds), stated * factor)
    weight = ds.cluster.pixels(vars=["a"]).weights("area").layout.weight
    np.testing.assert_allclose(weight, stated * factor)


# ------------------------------------------------------------------------------ curvilinear


def rotated(step):
    """A globe of cells of a rotated pole, with true latitudes and longitudes over two dims."""
    ds = globe(step)
    lat, lon = (np.deg2rad(each) for each in np.meshgrid(ds.lat, ds.lon, indexing="ij"))
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
    tilt = np.deg2rad(52.0)
    x, z = np.cos(tilt) * x - np.sin(tilt) * z, np.sin(tilt) * x + np.cos(tilt) * z
    dims = ("rlat", "rlon")
    true = {
        "lat": (dims, np.rad2deg(np.arcsin(z)), {"units": "degrees_north"}),
        "lon": (dims, np.rad2deg(np.arctan2(y, x)), {"units": "degrees_east"}),
    }
    return xr.Dataset({"a": (dims, ds.a.values)}, true), ds


def test_cells_between_centres_of_two_dims_cover_the_sphere():
    ds, _ = rotated(2.0)
    exact = [box(s, s + 2, 0, 2) for s in range(-90, 90, 2)]
    area = cell_areas(dict(ds.coords), ds)
    assert float(area.sum()) == pytest.approx(EARTH, rel=1e-3)
    np.testing.assert_allclose(area[1:-1, 10], exact[1:-1], rtol=1e-3)


ANY = np.random.default_rng(3)
SELECTIONS = {
    "two caps": {"rlat": [*range(15), *range(70, 90)]},
    "two boxes": {"rlon": [*range(40, 80), *range(120, 170)]},
    "at random": {"rlat": np.flatnonzero(ANY.random(90) < 0.7)},
    "in any order": {"rlat": ANY.permutation(90), "rlon": ANY.permutation(180)[:170]},
    "repeated": {"rlon": [*range(180), 0, 1, 1], "rlat": [5, *range(90)]},
}


@pytest.mark.parametrize("name", SELECTIONS)
def test_a_selection_of_curvilinear_cells_has_their_area(name):
    ds, plain = rotated(2.0)
    ds = ds.assign_coords(rlat=plain.lat.values, rlon=plain.lon.values).isel(SELECTIONS[name])
    bands = sum(box(lat - 1, lat + 1, 0, 2) for lat in np.unique(ds.rlat))
    ds = ds if name == "in any order" else ds.drop_vars(["rlat", "rlon"])
    exact = bands * len(np.unique(plain.lon[SELECTIONS[name].get("rlon", slice(None))]))
    for each in (ds, ds.assign_coords(lon=ds.lon.transpose())):
        assert total(each) == pytest.approx(exact, rel=1e-3)


def test_a_cell_beside_land_without_coordinates_is_as_wide_as_its_own_spacing():
    ds, plain = rotated(2.0)
    land = np.random.default_rng(0).random(ds.a.shape) < 0.3
    gaps = ds.assign_coords({name: ds[name].where(~land) for name in ("lat", "lon")})
    exact = np.array([box(lat - 1, lat + 1, 0, 2) for lat in plain.lat])[:, None] * ~land
    area = cell_areas(dict(gaps.coords), gaps)
    np.testing.assert_array_equal(area.isnull(), land)
    np.testing.assert_allclose(area.sum("rlon")[1:-1], exact.sum(1)[1:-1], rtol=2e-3)
    assert float(area.sum()) == pytest.approx(exact.sum(), rel=1e-3)


def test_only_samples_need_a_place_to_be_weighed_by_area():
    ds, plain = rotated(2.0)
    ocean = xr.DataArray(plain.lat.values < 40, dims="rlat")
    ds["a"] = ds.rlat + 0.1 * ds.rlon
    places = {name: ds[name].where(ocean) for name in ("lat", "lon")}
    samples = ds.where(ocean).assign_coords(places).cluster.pixels().weights("area")
    report = samples.kmeans(3).report()
    assert report["area_km2"].sum() == pytest.approx(box(-90, 40, 0, 360), rel=1e-3)
    land = int((~ocean).sum()) * ds.sizes["rlon"]
    assert f"{land:,} grid points incomplete, 'a' in {land:,}" in report.attrs["notes"]
    with pytest.raises(ValueError, match="for each sample inside the mask"):
        ds.assign_coords(places).cluster.pixels().weights("area").kmeans(3)


def test_a_row_that_a_file_repeats_backwards_counts_once():
    ds, _ = rotated(2.0)
    folded = xr.concat([ds, ds.isel(rlat=[45], rlon=slice(None, None, -1))], "rlat")
    assert total(folded) == pytest.approx(EARTH, rel=1e-3)


def test_coordinates_of_a_rotated_pole_give_exact_areas():
    ds, plain = rotated(2.0)
    for name, values in (("latitude", plain.lat), ("longitude", plain.lon)):
        attrs = {"standard_name": f"grid_{name}", "units": "degrees"}
        ds = ds.assign_coords({f"r{name[:3]}": (f"r{name[:3]}", values.values, attrs)})
    assert total(ds) == pytest.approx(EARTH, rel=1e-9)


def test_cells_without_coordinates_have_no_area_and_change_no_other():
    ds, _ = rotated(4.0)
    whole = cell_areas(dict(ds.coords), ds)
    gaps = ds.assign_coords({name: ds[name].where(ds.rlon > 5) for name in ("lat", "lon")})
    area = cell_areas(dict(gaps.coords), gaps)
    assert area[:, :6].isnull().all()
    np.testing.assert_allclose(area[1:-1, 7:-1], whole[1:-1, 7:-1], rtol=1e-9)


@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")
def test_the_displaced_pole_of_a_real_ocean_model():
    pop = xr.open_dataset(DATA / "ocean_climate" / "pop_curvilinear.nc")
    area = cell_areas(dict(pop.coords), pop)
    geod = [geodesic(*around(pop, *at)) for at in [(100, 100), (200, 20), (300, 250)]]
    found = [float(area[at]) for at in [(100, 100), (200, 20), (300, 250)]]
    np.testing.assert_allclose(found, geod, rtol=1e-3)


def around(pop, row, column):
    """Corners midway between centres, by geodesics."""
    corners = []
    for down, right in [(-1, -1), (-1, 1), (1, 1), (1, -1)]:
        ends = []
        for r in (row, row + down):
            pair = [
                (float(pop.lon2d[r, c]), float(pop.lat2d[r, c])) for c in (column, column + right)
            ]
            ends.append(SPHERE.npts(*pair[0], *pair[1], 1)[0])
        corners.append(SPHERE.npts(*ends[0], *ends[1], 1)[0])
    return zip(*corners, strict=True)


# ---------------------------------------------------------------------- what is no latitude


@pytest.mark.parametrize(
    ("units", "step", "name", "side"),
    [("m", 30.0, "area_km2", 0.03), ("km", 2.0, "area_km2", 2.0), ("um", 0.5, "area_um2", 0.5)],
)
def test_planes_have_the_area_of_their_pixels(units, step, name, side):
    values = np.repeat([[0.0], [1.0]], 8, axis=0) + np.zeros((16, 20))
    coords = {
        "y": ("y", 1e6 + step * np.arange(16), {"units": units}),
        "x": ("x", 5e5 + step * np.arange(20), {"units": units}),
    }
    image = xr.DataArray(values, coords, ("y", "x"))
    report = image.cluster.pixels().kmeans(2).report()
    np.testing.assert_allclose(report[name], 160 * side**2)


@pytest.mark.parametrize(("step", "attrs"), [(1000.0, {"units": "m"}), (1000.0, {}), (1.0, {})])
def test_what_has_the_name_of_a_longitude_but_is_none_drops_no_pixel(step, attrs):
    ds = xr.Dataset(
        {"a": (("lat", "lon"), np.random.default_rng(0).normal(size=(30, 400)))},
        {
            "lat": ("lat", np.arange(30) * 1000.0, attrs),
            "lon": ("lon", step * np.arange(400), attrs),
        },
    )
    fit = ds.cluster.pixels().kmeans(3)
    assert int(fit.labels.notnull().sum()) == 12_000
    turned = ds.isel(lon=slice(None, None, -1)).cluster.pixels().kmeans(3).labels
    xr.testing.assert_equal(fit.labels, turned.sel(lon=ds.lon))
    assert not fit.report().columns.str.startswith("area").any() or attrs
    with pytest.raises(ValueError, match="weights='area': needs a latitude"):
        ds.drop_vars(["lat", "lon"]).cluster.pixels().weights("area")


def test_scattered_points_have_no_area_and_are_not_weighed_by_it():
    ds = xr.Dataset(
        {"a": ("point", np.arange(40.0))},
        {"lat": ("point", np.linspace(-80, 80, 40)), "lon": ("point", np.linspace(0, 300, 40))},
    )
    samples = ds.cluster.pixels()
    assert "area_km2" not in samples.kmeans(2).report()
    with pytest.raises(ValueError, match=r"not known of points along 'point'.*cell_measures"):
        samples.weights("area")
    cosines = np.cos(np.deg2rad(ds.lat))
    np.testing.assert_allclose(samples.weights(cosines).layout.weight, cosines)  # the remedy
    ds["cells"] = ("point", np.arange(1.0, 41), {"units": "km2"})
    ds["a"].attrs["cell_measures"] = "area: cells"  # the other one
    weight = ds.cluster.pixels(vars=["a"]).weights("area").layout.weight
    np.testing.assert_allclose(weight, ds.cells)


# ------------------------------------------------------------------------------- lists of cells


def test_cells_of_a_stacked_grid_have_the_areas_of_the_grid():
    ds = globe(4.0)
    rng = np.random.default_rng(0)
    stacked = ds.stack(cell=("lon", "lat"))
    stacked = stacked.isel(cell=rng.permutation(stacked.sizes["cell"])[:3000])
    area = cell_areas(dict(stacked.coords), stacked)
    exact = [box(lat - 2, lat + 2, 0, 4) for lat in stacked.lat.values]
    np.testing.assert_allclose(area, exact, rtol=1e-9)
    weight = stacked.cluster.pixels().weights("area").layout.weight
    np.testing.assert_allclose(weight, exact, rtol=1e-9)
    assert total(ds.stack(cell=["lat", "lon"]).isel(cell=[*range(4050), 0, 7])) == pytest.approx(
        EARTH
    )


def test_cells_of_any_stacked_grid_have_the_areas_of_the_grid():
    random = np.random.default_rng(0)
    edges = {name: np.sort(random.uniform(-60, 60, 6)) for name in ("lat", "lon")}
    uneven = xr.Dataset(
        {f"{n}_bnds": ((n, "nv"), np.column_stack([e[:-1], e[1:]])) for n, e in edges.items()}
    )
    for name, each in edges.items():
        uneven = uneven.assign_coords({name: (name, each[:-1] + 0.01, {"bounds": f"{name}_bnds"})})
    metres = {"units": "m"}
    plane = xr.Dataset(
        coords={"y": ("y", [0.0, 30, 60], metres), "x": ("x", [0.0, 20, 40], metres)}
    )
    numbered = rotated(30.0)[0].assign_coords(rlat=range(6), rlon=range(12))
    for ds, dims in [(uneven, ["lat", "lon"]), (plane, ["y", "x"]), (numbered, ["rlat", "rlon"])]:
        grid = cell_areas(dict(ds.coords), ds)
        order = random.permutation(grid.size)
        stacked = ds.stack(cell=dims).isel(cell=order)
        area = cell_areas(dict(stacked.coords), stacked)
        np.testing.assert_allclose(area, grid.values.ravel()[order], rtol=1e-9)


@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")
def test_faces_and_nodes_of_a_real_mesh_have_the_areas_of_geodesics():
    ds = xr.open_dataset(DATA / "mesh" / "fesom_pi_ts.nc").isel(depth=0)
    faces = ds.face_nodes.values.astype(int)
    exact = np.array([geodesic(ds.node_lon.values[f], ds.node_lat.values[f]) for f in faces])
    ds["t"] = ("face", ds.temperature.values[faces].mean(axis=1))
    weight = ds.cluster.pixels(vars=["t"]).weights("area").layout.weight
    np.testing.assert_allclose(weight, exact, rtol=1e-6)
    nodes = ds.cluster.pixels(vars=["temperature"])
    thirds = np.bincount(faces.ravel(), np.repeat(exact / 3, 3), minlength=ds.sizes["node"])
    np.testing.assert_allclose(nodes.weights("area").layout.weight, thirds, rtol=1e-6)
    # Theirs are of another radius, and flat.
    np.testing.assert_allclose(thirds * 1e6, ds.node_area, rtol=0.03)
    assert nodes.kmeans(3).report()["area_km2"].sum() == pytest.approx(exact.sum(), rel=1e-6)


def test_healpix_cells_have_equal_areas_that_add_up_to_the_globe():
    attrs = {"grid_mapping_name": "healpix", "healpix_nside": 8, "healpix_order": "nest"}
    values = np.random.default_rng(0).normal(size=768)
    ds = xr.Dataset({"a": ("cell", values)}, {"crs": ((), 0, attrs)})
    samples = ds.cluster.pixels()
    np.testing.assert_allclose(samples.weights("area").layout.weight, EARTH / 768, rtol=1e-12)
    assert samples.kmeans(3).report()["area_km2"].sum() == pytest.approx(EARTH, rel=1e-9)
    half = ds.assign_coords(cell=np.arange(768)).isel(cell=slice(100))
    assert half.cluster.pixels().kmeans(2).report()["area_km2"].sum() == pytest.approx(
        EARTH * 100 / 768, rel=1e-9
    )


def on_plane(ds, faces):
    """Polygons of shapely, from the places of nodes."""
    places = np.column_stack([ds.mesh2d_node_x, ds.mesh2d_node_y])
    return np.array([shapely.Polygon(places[face]).area for face in faces])


@pytest.mark.parametrize(("units", "factor", "said"), [("m", 1e-6, "km2"), ("um", 1, "um2")])
def test_faces_and_nodes_of_a_mesh_on_a_plane_have_the_areas_of_their_polygons(units, factor, said):
    ds, faces = flat_mesh(units=units)
    exact = factor * on_plane(ds, faces)
    area = cell_areas({}, ds, [FACE])
    assert area.attrs["units"] == said
    np.testing.assert_allclose(area, exact, rtol=1e-9)
    depth = ds.cluster.pixels(["depth"]).weights("area")
    np.testing.assert_allclose(depth.layout.weight, exact, rtol=1e-9)
    assert depth.kmeans(3).report()[f"area_{said}"].sum() == pytest.approx(exact.sum(), rel=1e-9)
    parts = np.concatenate(
        [[[n, own / len(f)] for n in f] for f, own in zip(faces, exact, strict=True)]
    )
    weight = ds.cluster.pixels(["bed"]).weights("area").layout.weight
    np.testing.assert_allclose(weight, np.bincount(parts[:, 0].astype(int), parts[:, 1]), rtol=1e-9)


def test_which_coordinate_of_a_plane_is_named_first_does_not_matter():
    ds, faces = flat_mesh()
    ds.mesh2d.attrs["node_coordinates"] = "mesh2d_node_y mesh2d_node_x"
    mesh = mesh_of([FACE], ds)
    np.testing.assert_array_equal(mesh.x, ds.mesh2d_node_x)
    np.testing.assert_allclose(mesh.areas(), on_plane(ds, faces), rtol=1e-9)


@pytest.mark.parametrize("units", [None, "furlong"])
def test_a_plane_without_a_unit_of_length_has_neighbours_but_no_areas(units):
    ds, faces = flat_mesh()
    for axis in "xy":
        ds[f"mesh2d_node_{axis}"].attrs["units"] = units or ""
    assert cell_areas({}, ds, [FACE]) is None
    with pytest.raises(ValueError, match="area"):
        ds.cluster.pixels(["depth"]).weights("area")
    fit = ds.cluster.pixels(["depth"]).hac(3, contiguous="mesh")
    assert "area_km2" not in fit.report()
    assert fit.labels.size == len(faces)


@pytest.mark.parametrize("units", ["radian", "degrees"])
def test_angles_that_are_no_longitudes_are_no_plane(units):
    ds, _ = flat_mesh()
    for axis in "xy":
        ds[f"mesh2d_node_{axis}"].attrs = {"units": units}
    assert mesh_of([FACE], ds) is None


@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")
def test_a_real_mantle_model_with_its_meridian_twice_covers_the_globe():
    ds = xr.open_dataset(DATA / "tomography" / "S362ANI+M.nc").isel(depth=[3, 4])
    samples = ds.cluster.profiles("depth", ["vs"]).weights("area")
    fit = samples.kmeans(3)
    assert fit.report()["area_km2"].sum() == pytest.approx(EARTH, rel=1e-9)
    once = ds.isel(longitude=slice(-1)).cluster.profiles("depth", ["vs"]).weights("area")
    weight = samples.layout.weight * xr.ones_like(ds.vs[0], float)
    alone = once.layout.weight * xr.ones_like(ds.vs[0, :, :-1], float)
    both = weight.isel(longitude=0) + weight.isel(longitude=-1)
    np.testing.assert_allclose(both / weight.isel(longitude=5), 1, rtol=1e-9)
    np.testing.assert_allclose(alone.isel(longitude=0) / alone.isel(longitude=5), 1, rtol=1e-9)


@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")
def test_areas_of_labels_of_the_real_ocean_are_sums_of_its_cells():
    ds = xr.open_dataset(DATA / "ocean_climate" / "levitus_TS_annual.nc")
    fit = ds.cluster.profiles("depth", between=(0, 500)).weights("area").kmeans(4)
    area = box(ds.latitude - 0.5, ds.latitude + 0.5, 0, 1)
    exact = [float((area * (fit.labels == label)).sum()) for label in range(4)]
    np.testing.assert_allclose(fit.report()["area_km2"], exact, rtol=1e-9)
    complete = ds.sel(depth=slice(0, 500)).to_dataarray().notnull().all(["variable", "depth"])
    assert sum(exact) == pytest.approx(float((area * complete).sum()), rel=1e-9)


def test_cells_of_a_metre_at_one_longitude_are_no_copies():
    north, east = np.meshgrid(45 + 1e-5 * np.arange(6), 200 + 1e-5 * np.arange(8), indexing="ij")
    coords = {name: (("y", "x"), each) for name, each in (("lat", north), ("lon", east))}
    ds = xr.Dataset(coords=coords)
    ds.lat.attrs["units"], ds.lon.attrs["units"] = "degrees_north", "degrees_east"
    exact = box(45 - 5e-6, 45 + 5.5e-5, 0, 8e-5)
    assert float(cell_areas(dict(ds.coords), ds).sum()) == pytest.approx(exact, rel=1e-3)
