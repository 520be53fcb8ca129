"""Cells in lists are drawn as polygons that have their areas and their places."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import shapely
import xarray as xr
from flat_mesh import flat_mesh
from pyproj import Geod
from scipy.spatial import cKDTree

from xcluster.plot.maps import map as draw_map
from xcluster.plot.outlines import outline_of

DATA = Path(__file__).parents[3] / "shared" / "data" / "mesh" / "fesom_pi_ts.nc"
SPHERE = Geod(a=1.0, b=1.0)
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def on_sphere(longitude, latitude):
    lon, lat = np.deg2rad(longitude), np.deg2rad(latitude)
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def fesom():
    ds = xr.open_dataset(DATA).isel(depth=0)
    faces = ds.face_nodes.values.astype(int)
    ds["on_faces"] = ("face", ds.temperature.values[faces].mean(axis=1))
    return ds


@needs_data
@pytest.mark.parametrize("name", ["temperature", "on_faces"])
def test_polygons_cover_the_faces_once(name):
    ds = fesom()
    outline = outline_of(ds[name], ds)
    area = [
        abs(SPHERE.polygon_area_perimeter(lon, lat)[0])
        for lon, lat in zip(outline.x.values, outline.y.values, strict=True)
    ]
    faces = ds.face_nodes.values.astype(int)
    lon, lat = ds.node_lon.values, ds.node_lat.values
    exact = np.array([abs(SPHERE.polygon_area_perimeter(lon[f], lat[f])[0]) for f in faces])
    if name == "temperature":
        exact = np.bincount(faces.ravel(), np.repeat(exact / 3, 3), minlength=ds.sizes["node"])
    np.testing.assert_allclose(np.bincount(outline.owner, area), exact, rtol=0.02)
    assert sum(area) == pytest.approx(exact.sum(), rel=1e-6)


@needs_data
def test_every_polygon_has_the_colour_of_its_node():
    ds = fesom()
    fit = ds.cluster.pixels(["temperature"]).kmeans(4)
    artist = fit.plot.map()
    x, y = np.array([path.vertices[0] for path in artist.get_paths()]).T  # the node itself
    distance, node = cKDTree(on_sphere(ds.node_lon, ds.node_lat)).query(on_sphere(x, y))
    assert distance.max() < 1e-6
    found = fit.labels.values[node]
    np.testing.assert_array_equal(artist.get_array(), found)
    assert len(found) >= 3 * ds.sizes["face"]  # more: those at the date line have two
    assert np.abs(x).max() <= 360
    assert artist.axes.get_xlim() == (-180, 180)


@needs_data
def test_without_its_mesh_a_map_has_points():
    ds = fesom()
    assert type(draw_map(ds.temperature)).__name__ == "PathCollection"
    assert type(draw_map(ds.temperature, ds)).__name__ == "PolyCollection"


@pytest.mark.parametrize("name", ["depth", "bed"])
def test_a_mesh_on_a_plane_is_drawn_in_the_projection_of_its_file(name):
    ds, faces = flat_mesh()
    places = np.column_stack([ds.mesh2d_node_x, ds.mesh2d_node_y])
    artist = ds.cluster.pixels([name]).kmeans(3).plot.map()
    assert artist.axes.projection.to_epsg() == 28992
    drawn = [shapely.Polygon(path.vertices) for path in artist.get_paths()]
    whole = shapely.union_all([shapely.Polygon(places[face]) for face in faces])
    assert shapely.union_all(drawn).symmetric_difference(whole).area < 1e-6 * whole.area
    assert sum(each.area for each in drawn) == pytest.approx(whole.area, rel=1e-6)
    np.testing.assert_allclose(artist.axes.get_xlim(), whole.bounds[::2])
    np.testing.assert_allclose(artist.axes.get_ylim(), whole.bounds[1::2])


def test_a_mesh_in_km_lies_where_its_projection_has_it():
    ds, _ = flat_mesh(step=0.1, units="km")
    axes = ds.cluster.pixels(["depth"]).kmeans(3).plot.map().axes
    np.testing.assert_allclose(axes.get_xlim(), (610_000, 611_200))
    bare = ds.drop_vars("projected_coordinate_system")
    axes = bare.cluster.pixels(["bed"]).kmeans(3).plot.map().axes
    assert not hasattr(axes, "projection")
    np.testing.assert_allclose(axes.get_ylim(), (5_800, 5_800.9))
    assert axes.get_xlabel() == "x [km]"


@pytest.mark.parametrize("scheme", ["nested", "ring"])
def test_healpix_cells_are_drawn_where_they_are(scheme):
    pytest.importorskip("cdshealpix")
    attrs = {"grid_mapping_name": "healpix", "healpix_nside": 16, "indexing_scheme": scheme}
    values = ("cell", np.arange(3072.0))
    ds = xr.Dataset({"a": values}, {"crs": ((), 0, attrs)})
    outline = outline_of(ds.a, None)
    area = [
        abs(SPHERE.polygon_area_perimeter(lon, lat)[0])
        for lon, lat in zip(outline.x.values, outline.y.values, strict=True)
    ]
    np.testing.assert_allclose(area, 4 * np.pi / 3072, rtol=0.1)  # their edges are no great circles
    assert sum(area) == pytest.approx(4 * np.pi, rel=1e-6)
    if scheme == "ring":  # rings have rising numbers from north to south
        assert (np.diff(np.round(outline.centre[1], 3)) <= 0.4).all()
        np.testing.assert_allclose(outline.centre[0][:4] % 360, [45, 135, 225, 315], atol=1e-6)
    artist = ds.cluster.pixels().plot.map()
    assert len(artist.get_paths()) >= 3072
    assert artist.axes.get_xlim() == (-180, 180)


@pytest.mark.parametrize("lacking", ["order", "package"])
def test_healpix_cells_that_cannot_be_drawn_are_points_where_these_are_known(lacking, monkeypatch):
    attrs = {"grid_mapping_name": "healpix", "healpix_nside": 4}
    if lacking == "package":
        attrs["indexing_scheme"] = "nested"
        monkeypatch.setitem(sys.modules, "cdshealpix", None)
    ds = xr.Dataset({"a": ("cell", np.arange(192.0))}, {"crs": ((), 0, attrs)})
    with pytest.raises((ValueError, ImportError), match=r"known order|pip install"):
        draw_map(ds.a, ds)
    lon, lat = np.linspace(0, 359, 192), np.linspace(-80, 80, 192)
    known = ds.assign_coords(lon=("cell", lon), lat=("cell", lat))
    assert type(known.cluster.pixels().plot.map()).__name__ == "PathCollection"
