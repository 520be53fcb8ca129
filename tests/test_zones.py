"""Reports of zones against plain sums, and polygons against points one by one."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from flat_mesh import flat_mesh
from matplotlib.colors import to_hex
from test_cleaning import speckled

import xcluster
from xcluster.fit.fitted import Fitted


@pytest.fixture(scope="module")
def fit():
    return speckled().cluster.pixels().kmeans(5, order="level", n_init=3)


def zones(seed=0):
    random = np.random.default_rng(seed)
    values = np.kron(random.integers(0, 40, (18, 20)), np.ones((10, 10), int)).astype(float)
    values[:5] = np.nan
    return xr.DataArray(values, speckled().level.coords, name="county")


def expected(labels, by):
    known = np.isfinite(labels) & np.isfinite(by)
    numbers = np.unique(by[np.isfinite(by)])
    table = np.zeros((len(numbers), 5), int)
    np.add.at(table, (np.searchsorted(numbers, by[known]), labels[known].astype(int)), 1)
    return numbers, table


def test_each_label_is_counted_in_each_zone(fit):
    by = zones()
    found = fit.report(by=by)
    numbers, table = expected(fit.labels.values, by.values)
    np.testing.assert_array_equal(found.zone, numbers)
    np.testing.assert_array_equal(found.samples, table)
    np.testing.assert_allclose(found.area, 0.0009 * table, rtol=1e-12)
    assert found.area.units == "km2"
    assert found.samples.dims == ("zone", "label")
    assert found.zone.dtype.kind == "i"


def test_no_chunks_change_a_report_of_zones(fit):
    whole = fit.report(by=zones())
    for cut in ({"y": 37, "x": 61}, {"x": 7}, {"y": 90}):
        lazy = speckled().chunk(cut).cluster.pixels().kmeans(5, order="level", n_init=3)
        for by in (zones(), zones().chunk(cut), zones().isel(y=slice(None, None, -1)).T):
            xr.testing.assert_identical(lazy.report(by=by), whole)


def test_areas_differ_with_latitude_and_steps_are_averaged():
    ds = xcluster.datasets.ocean()
    fit = ds.cluster.pixels(["sst"]).kmeans(3)
    half = (ds.latitude < 0).astype(int).drop_attrs()
    found, whole = fit.report(by=half), fit.report()
    np.testing.assert_allclose(found.area.sum("zone"), whole.area_km2, rtol=1e-12)
    np.testing.assert_array_equal(found.samples.sum("zone"), whole.samples)
    both = xr.concat([ds[["sst"]], ds[["sst"]]], "time")
    twice = both.cluster.pixels().kmeans(3).report(by=half)
    np.testing.assert_array_equal(twice.samples, 2 * found.samples)
    np.testing.assert_allclose(twice.area, found.area, rtol=1e-12)


def test_cleaned_named_and_unclassified_labels_are_reported():
    ds = speckled(60, 70).assign(other=lambda each: each.level**2)
    soft = ds.cluster.pixels().fuzzy(3, n_init=2).threshold(0.75).smooth(3).fill()
    by = xr.zeros_like(ds.level, dtype=int)
    found = soft.relabel(["a", "b", "c"]).report(by=by)
    np.testing.assert_array_equal(found.samples[0], soft.report().samples)
    assert found.label_name.values.tolist() == ["a", "b", "c", "unclassified"]
    by.attrs["_FillValue"] = 0
    assert soft.report(by=by).sizes["zone"] == 0


def test_each_scene_of_a_pooled_result_has_zones_of_its_own():
    scenes = {"one": speckled(), "two": speckled(60, 70)}
    pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels()).kmeans(3)
    by = {name: xr.zeros_like(each.level, dtype=int) for name, each in scenes.items()}
    found = pooled.report(by=by)
    for name, each in pooled.items():
        xr.testing.assert_identical(found[name].to_dataset(), each.report(by=by[name]))
    frame = polygons()
    np.testing.assert_array_equal(
        pooled.report(by=frame)["two"].samples, pooled["two"].report(by=frame).samples
    )
    with pytest.raises(ValueError, match="other scenes"):
        pooled.report(by={"one": by["one"]})


def polygons():
    """Overlapping triangles, one off the map, in metres."""
    geopandas = pytest.importorskip("geopandas")
    from shapely.geometry import Polygon

    shapes = [
        Polygon([(300, 400), (4100, 900), (1800, 5200)]),
        Polygon([(2000, 100), (5500, 2500), (2500, 3900)]),
        Polygon([(9e6, 9e6), (9.1e6, 9e6), (9e6, 9.1e6)]),
    ]
    return geopandas.GeoDataFrame({"name": ["one", "two", "far"]}, geometry=shapes, index=[7, 3, 9])


def by_points(frame, x, y):
    """The number of the first polygon that holds each point, asked one by one."""
    from shapely.geometry import Point

    out = np.full((len(y), len(x)), np.nan)
    for j, i in np.ndindex(out.shape):
        held = [n for n, each in enumerate(frame.geometry) if each.intersects(Point(x[i], y[j]))]
        out[j, i] = held[0] if held else np.nan
    return out


def test_a_sample_belongs_to_the_polygon_that_holds_its_centre(fit):
    frame, ds = polygons(), speckled()
    found = fit.report(by=frame)
    number = by_points(frame, ds.x.values, ds.y.values)
    _, table = expected(fit.labels.values, number)
    assert found.zone.values.tolist() == [7, 3, 9]
    assert found.zone_name.values.tolist() == ["one", "two", "far"]
    np.testing.assert_array_equal(found.samples[:2], table)
    assert (found.samples[2] == 0).all()
    turned = speckled().transpose("x", "y").cluster.pixels().kmeans(5, order="level", n_init=3)
    np.testing.assert_array_equal(turned.report(by=frame).samples, found.samples)
    assert fit.report(by=frame.geometry).samples.equals(found.samples.drop_vars("zone_name"))
    assert fit.report(by=frame.rename(columns=str.upper).set_geometry("GEOMETRY")).equals(found)


@pytest.mark.parametrize("first", [0.0, -180.0])
def test_polygons_over_the_date_line_hold_longitudes_of_any_convention(first):
    geopandas = pytest.importorskip("geopandas")
    from shapely.geometry import box

    longitude = first + np.arange(1, 360, 2.0)
    coords = {"lat": np.arange(-89, 90, 2.0), "lon": longitude}
    values = (np.arange(90)[:, None] + np.arange(180)) % 3
    ds = xr.Dataset({"v": (("lat", "lon"), values.astype(float))}, coords)
    frame = geopandas.GeoDataFrame(geometry=[box(170, -20, 190, 10), box(-10, 0, 10, 30)], crs=4326)
    found = ds.cluster.pixels().kmeans(3).report(by=frame)
    assert found.samples.sum("label").values.tolist() == [10 * 15, 10 * 15]
    assert "note" not in found.attrs


def test_polygons_in_another_crs_are_moved_and_that_is_said():
    geopandas = pytest.importorskip("geopandas")
    from pyproj import CRS
    from shapely.geometry import box

    ds = speckled()
    ds = ds.assign_coords(
        x=ds.x + 500_000, y=ds.y + 5_000_000, spatial_ref=((), 0, CRS.from_epsg(32631).to_cf())
    )
    for name in ("x", "y"):
        ds[name].attrs["units"] = "m"
    fit = ds.cluster.pixels().kmeans(5, order="level", n_init=3)
    here = geopandas.GeoDataFrame(geometry=[box(501_000, 5_001_000, 503_000, 5_004_000)], crs=32631)
    plain = fit.report(by=here)
    moved = fit.report(by=here.to_crs(4326))
    assert "note" not in plain.attrs
    assert "WGS 84" in moved.attrs["note"]
    np.testing.assert_allclose(moved.samples, plain.samples, atol=110)
    assert plain.samples.sum() > 6000
    bare = ds.drop_vars("spatial_ref").cluster.pixels().kmeans(3)
    with pytest.raises(ValueError, match="do not state their CRS"):
        bare.report(by=here)
    assert bare.report(by=here.set_crs(None, allow_override=True)).samples.sum() > 6000


def test_lists_of_cells_lie_in_polygons_too():
    frame = polygons()
    ds = speckled(60, 70)
    whole = ds.cluster.pixels().kmeans(4, order="level", n_init=3).report(by=frame)
    listed = ds.stack(cell=("y", "x")).cluster.pixels().kmeans(4, order="level", n_init=3)
    np.testing.assert_array_equal(listed.report(by=frame).samples, whole.samples)


def test_zones_on_a_coarser_grid_are_refused_and_the_remedy_works(fit):
    coarse = zones().isel(y=slice(None, None, 3), x=slice(None, None, 2))
    with pytest.raises(ValueError, match=r"by.reindex_like\(labels, method='nearest'\)"):
        fit.report(by=coarse)
    table = fit.report(by=coarse.reindex_like(fit.labels, method="nearest"))
    np.testing.assert_array_equal(table.zone, np.unique(zones().values[np.isfinite(zones())]))
    with pytest.raises(ValueError, match="Give both coordinates"):
        fit.report(by=coarse.drop_vars(["x", "y"]))


def test_zones_have_the_names_of_their_flags(fit):
    by = zones().fillna(99).astype(int)
    assert "zone_name" not in fit.report(by=by).coords
    flags = {"flag_values": np.arange(3), "flag_meanings": "the_north south east"}
    names = fit.report(by=by.assign_attrs(flags)).zone_name.values.tolist()
    assert names[:4] == ["the north", "south", "east", "3"]
    moved = xcluster.change(fit, fit, by=by.assign_attrs(flags))
    assert moved.zone_name.values.tolist() == names


def widths(bars, n_zones):
    """The length of each part of the bars, over zone and label."""
    return np.array([bar.get_width() for bar in bars]).reshape(-1, n_zones).T


def test_bars_are_shares_or_areas_in_the_colours_of_the_labels(fit):
    table = fit.report(by=zones()).area
    table = table.isel(zone=np.sort(np.argsort(-table.sum("label").values, kind="stable")[:7]))
    bars = fit.plot.zones(zones(), largest=7)
    np.testing.assert_allclose(widths(bars, 7), table / table.sum("label"), rtol=1e-12)
    assert [to_hex(each.get_facecolor()) for each in bars[::7]] == fit.labels.attrs[
        "flag_colors"
    ].split()
    lefts = np.array([bar.get_x() for bar in bars]).reshape(-1, 7)
    np.testing.assert_allclose(lefts[1:], lefts[:-1] + widths(bars, 7).T[:-1], atol=1e-12)
    axes = bars[0].axes
    assert axes.get_xlabel() == "share of area"
    assert axes.get_ylabel() == f"the largest 7 of {len(np.unique(zones())) - 1} zones"
    assert [text.get_text() for text in axes.get_yticklabels()] == list(map(str, table.zone.values))
    named = [text.get_text() for text in axes.get_legend().get_texts()]
    assert named == [f"label {label}" for label in range(5)]
    areas = fit.plot.zones(zones(), shares=False, largest=7, legend=False)
    np.testing.assert_allclose(widths(areas, 7), table, rtol=1e-12)
    assert areas[0].axes.get_xlabel() == "area [km2]"
    plt.close("all")


def test_bars_of_polygons_have_names_and_unclassified_parts():
    frame = polygons()
    ds = speckled(60, 70).assign(other=lambda each: each.level**2)
    soft = ds.cluster.pixels().fuzzy(3, n_init=2).threshold(0.75).relabel(["a", "b", "c"])
    bars = soft.plot.zones(frame)
    shares = widths(bars, 3)
    assert shares[0, 3] > 0  # unclassified
    np.testing.assert_allclose(shares.sum(axis=1), [1, 1, 0])  # the last one lies off the map
    axes = bars[0].axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["one", "two", "far"]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["a", "b", "c", "unclassified"]
    with pytest.raises(ValueError, match="holds no sample with a label"):
        soft.plot.zones(frame.iloc[2:])
    pooled = xcluster.pool({"here": ds, "there": ds}, lambda each: each.cluster.pixels()).kmeans(3)
    assert list(pooled.plot.zones({"here": frame, "there": frame.iloc[2:]})) == ["here"]
    assert list(pooled.plot.zones(frame)) == ["here", "there"]
    plt.close("all")


def test_faces_of_a_mesh_without_coordinates_lie_in_polygons():
    geopandas = pytest.importorskip("geopandas")
    from shapely.geometry import box

    ds, faces = flat_mesh()
    fit = ds.cluster.pixels(["depth"]).kmeans(2)
    x, y = (ds[f"mesh2d_node_{axis}"].values for axis in "xy")
    west = np.array([x[face].mean() for face in faces]) < x.mean()
    half = geopandas.GeoDataFrame(geometry=[box(x.min(), y.min(), x.mean(), y.max())])
    counts = np.bincount(fit.labels.values[west].astype(int), minlength=2)
    np.testing.assert_array_equal(fit.report(by=half).samples[0], counts)


@pytest.mark.parametrize(
    ("by", "kind", "message"),
    [
        (lambda ds: ds.level.isel(x=slice(9)), ValueError, "at other coordinates"),
        (lambda ds: ds.level.rename(x="col"), ValueError, "lies on y: 180, col: 200"),
        (lambda ds: ds.level + 0.5, ValueError, "zones are whole numbers"),
        (lambda ds: ds.level.astype(str), TypeError, "zones are whole numbers"),
        (lambda ds: "county", TypeError, "GeoDataFrame of polygons"),
        (lambda ds: polygons().geometry.centroid, TypeError, "must hold polygons"),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_wrong_zones_are_refused(by, kind, message, lazy):
    ds = speckled().chunk(y=60) if lazy else speckled()
    fit = ds.cluster.pixels().kmeans(5, n_init=1)
    assert isinstance(fit, Fitted)
    with pytest.raises(kind, match=message):
        fit.report(by=by(speckled()))
