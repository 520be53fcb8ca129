"""The page of a result: what it carries, what it says, and what it does in a browser."""

import base64
import contextlib
import gzip
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from chromium import PROGRAM, Chromium
from flat_mesh import flat_mesh

from xcluster import datasets
from xcluster.explore import excerpt
from xcluster.explore import gather as gathering
from xcluster.explore.backdrop import in_greys
from xcluster.explore.gather import gather
from xcluster.explore.panels import in_steps
from xcluster.explore.raster import raster_of
from xcluster.fit.sources import Live

pytest.importorskip("bokeh")

DOCUMENT = "Bokeh.documents[0].get_model_by_name"


@pytest.fixture(scope="module")
def waters(ocean):
    return ocean.cluster.pixels().pca(3).gmm(4)


@pytest.fixture(scope="module")
def columns(tomography):
    return tomography.cluster.profiles("depth").kmeans(3)


@pytest.fixture
def small(monkeypatch):
    """Limits that a small grid exceeds."""
    monkeypatch.setattr(excerpt, "MAX_BYTES", 4200)
    monkeypatch.setattr(gathering, "MAX_POINTS", 50)


class Addresses(HTMLParser):
    """Collects what elements point to; the text of scripts is none of them."""

    def __init__(self):
        super().__init__()
        self.tags, self.found = set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.found += [value for name, value in attrs if name in ("src", "href")]


def models_of(page):
    """Every named model of a page, by name."""
    text = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page.text, re.S)[1]
    found = {}

    def walk(value):
        if isinstance(value, dict):
            name = value.get("attributes", {}).get("name")
            if name:
                found[name] = value["attributes"]
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(json.loads(text))
    return found


def data_of(model):
    """The columns of a data source as arrays."""
    entries = model["data"]["entries"]
    return {name: array_of(value) for name, value in entries}


def array_of(value):
    while isinstance(value, list) and len(value) == 1:
        (value,) = value
    if not (isinstance(value, dict) and value.get("type") == "ndarray"):
        return value
    content = value["array"]["data"]
    raw = base64.b64decode(content)
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    return np.frombuffer(raw, value["dtype"]).reshape(value["shape"])


# ------------------------------------------------------------------------------ what it carries


def test_the_page_asks_nothing_of_any_network(waters):
    """Scripts, styles and pictures are inside; no attribute points to another host."""
    text = waters.explore().text
    parser = Addresses()
    parser.feed(text)
    assert "script" in parser.tags
    assert parser.found == []
    assert "data:image/jpeg;base64," in text


def test_every_sample_is_carried_once_with_its_label_and_membership(waters):
    data = data_of(models_of(waters.explore())["samples"])
    labels = waters.labels.values.ravel()
    kept = np.isfinite(labels)
    np.testing.assert_array_equal(data["label0"], labels[kept])
    u = waters.memberships.max("label").values.ravel()[kept]
    np.testing.assert_allclose(data["membership0"] / 254, u, atol=0.5 / 254 + 1e-6)
    np.testing.assert_allclose(data["x"], waters.labels.longitude.values[kept.nonzero()[0] % 60])


def test_each_pixel_of_the_map_shows_the_sample_that_lies_there(waters):
    content = gather([waters], {})
    x0, y0, width, height = content.raster.box
    rows, columns = np.nonzero(content.cells >= 0)
    shown = content.cells[rows, columns]
    np.testing.assert_allclose(
        x0 + (columns + 0.5) * width / content.cells.shape[1], content.x[shown], atol=1e-6
    )
    np.testing.assert_allclose(
        y0 + (rows + 0.5) * height / content.cells.shape[0], content.y[shown], atol=1e-6
    )


def test_curves_come_back_from_their_steps(columns, tomography):
    content = gather([columns], {})
    (panel,) = content.results[0].panels
    found = panel.low + panel.step * panel.steps
    assert any("255 steps" in note for note in content.notes)
    values = tomography.vs.transpose("latitude", "longitude", "depth").values.reshape(-1, 41)
    assert panel.steps.dtype == np.uint8
    assert np.abs(found - values).max() <= panel.step.max() * 0.501
    np.testing.assert_array_equal(panel.level, tomography.depth)
    assert (panel.upright, panel.downward) == (True, True)


@pytest.mark.parametrize(
    "named",
    [
        lambda da: da.rename(band="sample"),
        lambda da: da.rename("sample"),
        lambda da: da.assign_coords(sample=("band", np.arange(6.0)), feature=("y", np.arange(9))),
        lambda da: da.rename(y="sample", x="feature"),
    ],
    ids=["feature dim", "variable", "coordinates", "sample dims"],
)
def test_names_of_ours_are_free_for_the_user(bands, named):
    data = named(bands)
    (expected,), (found,) = (
        gather([da.cluster.profiles(da.dims[0]).pca(2).kmeans(2)], {}).results
        for da in (bands, data)
    )
    np.testing.assert_array_equal(found.panels[0].steps, expected.panels[0].steps)
    np.testing.assert_array_equal(found.components, expected.components)
    assert found.axes == expected.axes == ("component 0", "component 1")
    assert data.cluster.profiles(data.dims[0]).kmeans(2).explore().text


def test_steps_keep_missing_and_constant_values():
    values = np.array([[1.0, 5.0], [3.0, 5.0], [np.nan, 5.0]])
    steps, low, step = in_steps(values)
    assert steps.tolist() == [[0, 0], [254, 0], [255, 0]]
    np.testing.assert_allclose(low + step * steps[:2], values[:2])


def test_large_grids_are_thinned_and_the_page_says_so(columns, small):
    content = gather([columns], {})
    assert len(content.x) * 41 <= 4200
    assert len(content.drawn) == 50
    assert "1 of 2 grid points along each dim" in content.notes
    assert any("50 of" in note for note in content.notes)
    assert "1 of 2 grid points" in models_of(columns.explore())["notes"]["text"]


def test_two_results_stand_side_by_side(ocean, waters):
    other = ocean.cluster.pixels().kmeans(4).match(waters)
    models = models_of(waters.explore(other))
    data = data_of(models["samples"])
    kept = np.isfinite(waters.labels.values.ravel())
    np.testing.assert_array_equal(data["label1"], other.labels.values.ravel()[kept])
    assert {"map0", "map1", "scatter0", "scatter1"} <= set(models)


def test_components_of_both_halves_are_numbered_as_in_figures(ocean):
    raw, reduced = ocean.cluster.pixels().kmeans(2), ocean.cluster.pixels().pca(2).kmeans(2)
    whole, part = gather([raw, reduced], {}).results
    assert whole.axes == ("principal component 0", "principal component 1")
    assert part.axes == ("component 0", "component 1")


def test_one_step_of_time_is_shown_and_named(bands):
    da = bands.rename(band="time").assign_coords(
        time=np.arange("2001-01", "2001-07", dtype="M8[M]")
    )
    clustering = da.astype(float).cluster.pixels().kmeans(2)
    content = gather([clustering], {"time": "2001-03"})
    np.testing.assert_array_equal(content.results[0].position, clustering.labels[2].values.ravel())
    assert "time = 2001-03-01T00:00:00 only" in content.notes
    assert any("2001-01-01" in note for note in gather([clustering], {}).notes)


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_a_step_of_any_calendar_is_chosen_by_text_or_by_its_date(bands, calendar):
    time = xr.date_range("2001-01-01", periods=6, freq="MS", calendar=calendar, use_cftime=True)
    clustering = bands.rename(band="time").assign_coords(time=time).cluster.pixels().kmeans(2)
    for chosen in ("2001-03", "2001-03-09", time[2]):
        content = gather([clustering], {"time": chosen})
        expected = clustering.labels[2].values.ravel()
        np.testing.assert_array_equal(content.results[0].position, expected)
        assert "time = 2001-03-01 00:00:00 only" in content.notes
    with pytest.raises(ValueError, match=r"^sel='soon': failed.* Choose from 2001-01-01 00:00:00"):
        clustering.explore(sel={"time": "soon"})


def test_snapshots_are_bars_along_their_dim_with_fields(bands):
    clustering = bands.cluster.snapshots("band").kmeans(2)
    content = gather([clustering], {})
    assert content.cells.tolist() == [[0, 1, 2, 3, 4, 5]]
    (panel,) = content.results[0].panels
    assert (panel.kind, panel.shape) == ("field", (9, 7))
    assert clustering.explore().text


def test_bars_of_named_samples_say_their_names(show, bands):
    named = bands.assign_coords(band=list("abcdef"))
    tab = show(named.cluster.snapshots("band").kmeans(2).explore().text)
    tab.move(*at(frame(tab, "map0"), 3.5 / 6, 0.5))
    tab.wait(f"{DOCUMENT}('hovered').data.sample[0] === 3")
    assert "band d" in tab.run(f"{DOCUMENT}('info').text")
    assert re.search(r"band: *d", tab.run(TEXTS))
    axis = f"{DOCUMENT}('map0').below[0].major_label_overrides"
    assert tab.run(f"{axis}.get(2) ?? {axis}[2]") == "c"


def test_fields_have_the_north_at_the_top(ocean):
    stack = xr.concat([ocean.sst.fillna(0) + i for i in range(4)], "time").sortby("latitude")
    content = gather([stack.cluster.snapshots("time").kmeans(2)], {})
    (panel,) = content.results[0].panels
    first = (panel.low + panel.step * panel.steps)[0].reshape(panel.shape)
    north_first = stack[0].sortby("latitude", ascending=False).values
    np.testing.assert_allclose(first, north_first, atol=0.02)


def test_days_of_members_lie_at_their_dates_with_nothing_between_two_seasons():
    time = pd.date_range("2001-01-01", "2001-12-31")
    winter = time[np.r_[0:59, 334:365]]
    labels = xr.DataArray(
        np.zeros((3, 90)), {"member": [1, 2, 3], "time": winter}, ("member", "time"), name="label"
    )
    raster = raster_of(labels)
    assert raster.kinds == ("time", "number")
    days = pd.to_datetime([raster.box[0], raster.box[0] + raster.box[2]], unit="ms")
    assert list(days) == [time[0] - pd.Timedelta("12h"), time[-1] + pd.Timedelta("12h")]
    shown = raster.points[1] >= 0
    share = np.linspace(0, 365, len(shown), endpoint=False)
    assert shown[(share < 58) | (share > 335)].all()
    assert not shown[(share > 60) & (share < 333)].any()


def test_northings_are_written_in_full():
    axes = {"y": 2_546_000.0 - 30 * np.arange(9), "x": -2_216_000.0 + 30 * np.arange(9)}
    data = xr.Dataset({"red": (("y", "x"), np.arange(81.0).reshape(9, 9))}, axes)
    page = data.cluster.pixels().kmeans(3).explore()
    assert page.text.count('"power_limit_high":8') == 2


def test_stations_are_discs_and_curvilinear_grids_have_no_holes():
    values = np.arange(12.0)
    stations = xr.DataArray(
        values,
        {"lat": ("n", np.linspace(40, 50, 12)), "lon": ("n", np.linspace(0, 30, 12) % 7)},
        ("n",),
    )
    raster = raster_of(stations)
    assert set(np.unique(raster.points)) == {-1, *range(12)}
    lat, lon = np.meshgrid(np.linspace(40, 50, 9), np.linspace(0, 12, 11), indexing="ij")
    turned = xr.DataArray(
        np.zeros((9, 11)),
        {"lat": (("j", "i"), lat + 0.1 * lon), "lon": (("j", "i"), lon - 0.1 * lat)},
        ("j", "i"),
    )
    inner = raster_of(turned).points[200:-200, 200:-200]
    assert (inner >= 0).all()


def middles_of(raster):
    rows, columns = raster.points.shape
    x, y, width, height = raster.box
    x = x + (np.arange(columns) + 0.5) * width / columns
    return np.meshgrid(x, y + (np.arange(rows) + 0.5) * height / rows)


@pytest.mark.parametrize("scheme", ["ring", "nested"])
def test_healpix_cells_of_a_page_are_those_of_healpy_up_to_both_poles(scheme):
    healpy = pytest.importorskip("healpy")
    pytest.importorskip("cdshealpix")
    attrs = {"grid_mapping_name": "healpix", "healpix_nside": 16, "indexing_scheme": scheme}
    ds = xr.Dataset({"a": ("cell", np.arange(3072.0))}, {"crs": ((), 0, attrs)})
    raster = gather([ds.cluster.pixels().kmeans(3)], {}).raster
    lon, lat = middles_of(raster)
    true = healpy.ang2pix(16, lon, lat, nest=scheme == "nested", lonlat=True)
    assert (raster.points >= 0).all()
    assert (raster.points == true).mean() > 0.93  # sides are curved, and pixels lie across them
    assert (raster.points == true)[[0, 1, -2, -1]].mean() > 0.95
    assert raster.names == ("longitude [degrees_east]", "latitude [degrees_north]")


def test_faces_of_a_page_are_polygons_where_the_mesh_has_them():
    ds, faces = flat_mesh()
    page = gather([ds.cluster.pixels(["depth"]).kmeans(3)], {})
    places = np.column_stack([ds.mesh2d_node_x, ds.mesh2d_node_y])
    x, y = middles_of(page.raster)
    true = np.full(x.shape, -1)
    for number, face in enumerate(faces):
        true[shapely.contains_xy(shapely.Polygon(places[face]), x, y)] = number
    assert (page.raster.points == true).mean() > 0.97
    assert page.raster.lattice.crs.to_epsg() == 28992
    inside = [
        shapely.Polygon(places[face]).buffer(1).contains(shapely.Point(*middle))
        for face, middle in zip(faces, zip(page.x, page.y, strict=True), strict=True)
    ]
    assert all(inside)


def test_curvilinear_grids_are_whole_at_the_date_line_and_around_the_pole():
    """Rings around a pole that is none of the grid's points; the grid ends at 179 degrees east."""
    lon, colatitude = np.meshgrid(np.arange(-179, 181, 4.0), np.arange(1, 30, 2.0))
    rings = xr.DataArray(
        np.zeros(lon.shape),
        {"lat": (("j", "i"), 90 - colatitude), "lon": (("j", "i"), lon)},
        ("j", "i"),
    )
    raster = raster_of(rings)
    assert raster.box[0] == -180
    assert raster.box[2] == 360
    _, south, _, height = raster.box
    rows = south + (np.arange(len(raster.points)) + 0.5) * height / len(raster.points)
    assert rows.max() > 89.5
    assert (raster.points[rows > 60] >= 0).all()


def test_one_step_of_stations_over_time_is_shown():
    """The dims of a map are those of longitude and latitude, wherever they stand."""
    random = np.random.default_rng(0)
    values = random.normal(size=(3, 12, 2))
    ds = xr.Dataset(
        {name: (("time", "station"), values[..., i]) for i, name in enumerate("ab")},
        {"lat": ("station", np.linspace(40, 50, 12)), "lon": ("station", np.linspace(0, 30, 12))},
    )
    clustering = ds.cluster.pixels().kmeans(2)
    content = gather([clustering], {"time": 2})
    np.testing.assert_array_equal(content.results[0].position, clustering.labels[2])
    assert "time = 2 only" in content.notes


def test_labels_that_are_all_missing_make_an_empty_page(ocean, waters):
    empty = waters.samples.where(ocean.sst > 1e9)
    page = replace(waters, source=Live(empty)).explore()
    assert "no sample has a label" in models_of(page)["notes"]["text"]


# --------------------------------------------------------------------------- two results


def test_results_of_the_same_values_carry_them_once(ocean, waters):
    other = ocean.cluster.pixels().kmeans(4)
    first, second = gather([waters, other], {}).results
    assert first.panels is second.panels
    assert [
        name for name in data_of(models_of(waters.explore(other))["samples"]) if "panel" in name
    ] == ["panel0_0"]


def test_results_of_other_values_show_their_own(ocean):
    warm = ocean[["sst", "air_temperature"]].cluster.pixels().kmeans(3)
    wind = ocean[["wind_speed", "u_wind", "v_wind"]].cluster.pixels().kmeans(4)
    first, second = gather([warm, wind], {}).results
    assert first.panels[0].names == ["sst", "air_temperature"]
    assert second.panels[0].names == ["wind_speed", "u_wind", "v_wind"]
    assert second.centers.sizes["label"] == 4
    assert (first.axes, second.axes[0]) == (("sst", "air_temperature"), "principal component 0")
    data = data_of(models_of(warm.explore(wind))["samples"])
    assert {"panel0_0", "panel1_0"} <= set(data)


def test_a_result_whose_axes_run_the_other_way_is_turned(ocean, waters):
    turned = ocean.isel(latitude=slice(None, None, -1)).transpose("longitude", "latitude")
    other = turned.cluster.pixels().pca(3).gmm(4)
    first, second = gather([waters, other], {}).results
    np.testing.assert_array_equal(first.position, second.position)
    np.testing.assert_array_equal(first.membership, second.membership)
    np.testing.assert_allclose(first.components, second.components, atol=1e-4)
    assert first.panels is second.panels


def test_samples_of_either_result_are_shown_and_have_no_label_in_the_other(ocean):
    north, south = (ocean.cluster.pixels().where(half).kmeans(2)
                    for half in (ocean.latitude > 0, ocean.latitude < 0))  # fmt: skip
    content = gather([north, south], {})
    first, second = content.results
    assert (first.position == 2).sum() == (content.y < 0).sum() > 0
    assert (second.position == 2).sum() == (content.y > 0).sum() > 0
    assert (first.panels[0].steps < 255).all()


def test_titles_name_the_steps_that_were_stated(ocean, waters):
    assert gather([waters], {}).results[0].title == "pca(3) → gmm(k=4)"
    assert gather([ocean.cluster.pixels().kmeans(1)], {}).results[0].title == "kmeans(k=1)"


# --------------------------------------------------------------------------- windows


@pytest.fixture(scope="module")
def image():
    return datasets.stem().isel(y=slice(60), x=slice(80))


@pytest.fixture(scope="module")
def picked(image):
    """Windows at 30 positions."""
    random = np.random.default_rng(0)
    at = {dim: random.choice(image[dim].values[6:-6], 30) for dim in ("y", "x")}
    return image.cluster.patches(8, at=at).pca(2).kmeans(3)


def test_windows_at_positions_lie_over_their_image(image, picked):
    content = gather([picked], {})
    assert content.raster.box == pytest.approx(raster_of(next(iter(image.data_vars.values()))).box)
    np.testing.assert_array_equal(content.x, picked.labels.x)
    np.testing.assert_array_equal(content.y, picked.labels.y)
    x0, y0, width, height = content.raster.box
    rows, columns = content.cells.shape
    for number, (x, y) in enumerate(zip(content.x, content.y, strict=True)):
        pixel = int((y - y0) / height * rows), int((x - x0) / width * columns)
        shown = content.cells[pixel]
        assert (content.x[shown], content.y[shown]) == (x, y) or shown == number
    half = 4 * float(image.x[1] - image.x[0])
    row, column = np.nonzero(content.cells < 0)
    empty = x0 + (column + 0.5) * width / columns, y0 + (row + 0.5) * height / rows
    away = np.maximum(
        *(np.abs(a[:, None] - b) for a, b in zip(empty, (content.x, content.y), strict=True))
    )
    assert away.min() >= half - 1e-9


def test_each_window_at_a_position_is_a_mark(picked):
    models = models_of(picked.explore())
    marks = data_of(models["marks0"])
    np.testing.assert_array_equal(marks["x"], picked.labels.x)
    np.testing.assert_array_equal(marks["label"], picked.labels)
    assert "backdrop" in models
    assert "shade0" not in models


def test_windows_of_a_lattice_let_their_image_through(image):
    content = gather([image.cluster.patches(8, every=4).kmeans(2)], {})
    assert content.cells.shape == (14, 19)
    assert content.backdrop.grey.shape == (60, 80)
    step = float(image.x[1] - image.x[0])
    assert content.backdrop.window == pytest.approx((8 * step, 8 * step))


def test_greys_leave_extremes_out():
    greys = in_greys(np.r_[np.linspace(0, 1, 1001), 100, np.nan])
    assert greys[-2:].tolist() == [255, 0]
    assert abs(int(greys[500]) - 127) <= 2
    assert in_greys(np.full(3, np.nan)).tolist() == [0, 0, 0]


def test_the_page_is_saved_and_shown_in_a_frame(columns, tmp_path):
    page = columns.explore()
    page.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page.text
    assert page._repr_html_().startswith("<iframe srcdoc=")
    assert "<script" not in page._repr_html_()


# ------------------------------------------------------------------------------ what it refuses


def test_without_bokeh_the_error_has_the_install_command(columns, monkeypatch):
    monkeypatch.setitem(sys.modules, "bokeh", None)
    with pytest.raises(ImportError, match=r'pip install "xarray-cluster\[explore\]"'):
        columns.explore()


def test_another_grid_is_refused(columns, waters):
    with pytest.raises(ValueError, match=r"other=.*latitude"):
        columns.explore(waters)


def test_what_is_no_result_is_refused(columns, tomography):
    with pytest.raises(TypeError, match=r"other='Dataset'.*must be a Clustering"):
        columns.explore(tomography)


def test_windows_at_other_positions_are_refused(image, picked):
    at = {dim: picked.labels[dim].values[::-1] for dim in ("y", "x")}
    with pytest.raises(ValueError, match=r"other=.*other values of '[xy]'"):
        picked.explore(image.cluster.patches(8, at=at).kmeans(3))


def test_an_unknown_dim_is_refused(columns):
    with pytest.raises(ValueError, match=r"sel=.*names 'time'"):
        columns.explore(sel={"time": 0})


def test_an_entry_beyond_a_dim_is_refused(bands):
    clustering = bands.drop_vars("band").cluster.pixels().kmeans(2)
    with pytest.raises(ValueError, match=r"sel=6: is not along 'band'"):
        clustering.explore(sel={"band": 6})


def test_a_result_without_its_data_says_so(columns, tmp_path):
    import xcluster

    columns.save(tmp_path / "fit.nc")
    with pytest.raises(ValueError, match="explore needs the original values"):
        xcluster.open(tmp_path / "fit.nc").explore()
    with pytest.raises(ValueError, match="explore needs the original values"):
        columns.explore(xcluster.open(tmp_path / "fit.nc"))


# --------------------------------------------------------------------------- what it does


@pytest.fixture(scope="module")
def tab():
    if PROGRAM is None:
        pytest.skip("needs chromium")
    tab = Chromium()
    yield tab
    tab.close()


@pytest.fixture
def show(tab, tmp_path):
    """Opens a page in a browser; nothing may be logged as an error, nothing fetched."""

    def open_page(text):
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        tab.errors.clear()
        tab.requests.clear()
        tab.open(tmp_path / "page.html")
        return tab

    yield open_page
    assert tab.errors == []
    assert [url for url in tab.requests if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.fixture(scope="module")
def page_of_waters(waters):
    return waters.explore().text


@pytest.fixture
def opened(show, page_of_waters):
    return show(page_of_waters)


def frame(tab, name):
    """Left, top, width and height of the frame of a figure, on the screen."""
    return tab.run(
        f"(() => {{ const view = Bokeh.index.find_one({DOCUMENT}('{name}'));"
        "const canvas = view.canvas_view.el.getBoundingClientRect(), box = view.frame.bbox;"
        "return [canvas.left + box.left, canvas.top + box.top, box.width, box.height]; })()"
    )


def at(box, x, y):
    return box[0] + x * box[2], box[1] + y * box[3]


def brush(tab, name, low, high):
    """Draw a box; once more where a busy machine has lost a part of the gesture."""
    chosen = f"{DOCUMENT}('chosen').data.inside.length > 0"
    middle = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
    for _ in range(3):
        tab.run(
            f"(() => {{ const bar = {DOCUMENT}('{name}').toolbar;"
            "bar.active_drag = bar.tools.find((tool) => tool.type === 'BoxSelectTool'); })()"
        )
        box = frame(tab, name)
        tab.drag(at(box, *low), at(box, *middle), at(box, *high))
        with contextlib.suppress(AssertionError):
            return tab.wait(chosen, 3)
    raise AssertionError("nothing was brushed")


def test_pointing_at_the_map_shows_the_sample_there(opened, waters):
    before = frame(opened, "map0")
    opened.move(*at(frame(opened, "map0"), 0.5 + 3 / 120, 0.5))
    opened.wait(f"{DOCUMENT}('hovered').data.sample[0] >= 0")
    text = opened.run(f"{DOCUMENT}('info').text")
    x, y = (float(each) for each in re.findall(r"tude \[\w+\] (-?[\d.]+)", text))
    label = waters.labels.sel(latitude=y, longitude=x)
    assert f"label {int(label)}</b>, membership" in text
    # What is said takes room that was there before.
    assert frame(opened, "map0") == before
    value = float(re.search(r"air temperature \[degC\]: (-?[\d.]+)", text)[1])
    place = waters.samples.data.air_temperature.sel(latitude=y, longitude=x)
    assert value == pytest.approx(float(place), rel=0.02)
    shown = opened.run(f"Array.from({DOCUMENT}('panel0_0_shown').data.center)")
    assert len(shown) == 7


def test_a_box_on_the_map_marks_the_same_samples_among_the_components(opened):
    brush(opened, "map0", (0.2, 0.2), (0.6, 0.6))
    chosen = opened.run(f"{DOCUMENT}('chosen').data.inside.reduce((a, b) => a + b, 0)")
    marked = opened.run(f"{DOCUMENT}('points0').selected.indices.length")
    total = opened.run(f"{DOCUMENT}('samples').data.x.length")
    assert 0 < chosen == marked < total
    veiled = opened.run(f"{DOCUMENT}('shade0').data.image[0].reduce((a, b) => a + b, 0)")
    assert veiled == total - chosen


def test_a_box_among_the_components_marks_the_samples_on_the_map(opened):
    brush(opened, "scatter0", (0.05, 0.05), (0.5, 0.95))
    inside = opened.run(f"Array.from({DOCUMENT}('chosen').data.inside)")
    component = opened.run(f"Array.from({DOCUMENT}('samples').data.component0_x)")
    component = np.array(component)[np.array(inside, bool)]
    middle = opened.run(
        f"(() => {{ const r = {DOCUMENT}('scatter0').x_range; return (r.start + r.end) / 2; }})()"
    )
    assert 0 < len(component) < len(inside)
    assert component.max() <= middle + 1e-6
    veiled = opened.run(f"{DOCUMENT}('shade0').data.image[0].reduce((a, b) => a + b, 0)")
    assert veiled == len(inside) - sum(inside)


def palette(tab):
    return tab.run(
        f"{DOCUMENT}('map0').renderers.find((each) => each.name === 'labels')"
        ".glyph.color_mapper.palette"
    )


def first_name(tab):
    """The place of the first name of the legend, on the screen."""
    box = frame(tab, "map0")
    return box[0] + box[2] + 30, box[1] + 25


def test_a_click_on_a_name_hides_its_label_and_another_shows_it(opened, waters):
    colors = palette(opened)
    assert colors == list(waters.partition.label_colors())
    opened.click(*first_name(opened))
    assert palette(opened) == ["rgba(0,0,0,0)", *colors[1:]]
    opened.click(*first_name(opened))
    assert palette(opened) == colors


def test_a_label_that_is_hidden_leaves_no_veil_and_its_return_brings_it_back(opened):
    veiled = (
        f"(() => {{ const cells = {DOCUMENT}('raster').data.cell[0];"
        f"const label = {DOCUMENT}('samples').data.label0;"
        f"const veil = {DOCUMENT}('shade0').data.image[0];"
        "let first = 0, others = 0; veil.forEach((each, j) => {"
        "if (label[cells[j]] === 0) first += each; else others += each; });"
        "return [first, others]; })()"
    )
    brush(opened, "map0", (0.2, 0.2), (0.6, 0.6))
    first, others = opened.run(veiled)
    assert first > 0
    assert others > 0
    opened.click(*first_name(opened))
    assert opened.run(veiled) == [0, others]
    opened.click(*first_name(opened))
    assert opened.run(veiled) == [first, others]


def test_pointing_among_the_components_marks_the_sample_on_the_map(opened):
    place = opened.run(
        f"(() => {{ const view = Bokeh.index.find_one({DOCUMENT}('scatter0'));"
        "const canvas = view.canvas_view.el.getBoundingClientRect();"
        f"const points = {DOCUMENT}('points0').data;"
        "return [canvas.left + view.frame.x_scale.compute(points.x[9]),"
        "canvas.top + view.frame.y_scale.compute(points.y[9])]; })()"
    )
    opened.move(*place)
    opened.wait(f"{DOCUMENT}('hovered').data.sample[0] >= 0")
    number = opened.run(f"{DOCUMENT}('hovered').data.sample[0]")
    shown = opened.run(f"[{DOCUMENT}('here').data.x[0], {DOCUMENT}('here').data.y[0]]")
    samples = f"{DOCUMENT}('samples').data"
    assert shown == opened.run(f"[{samples}.x[{number}], {samples}.y[{number}]]")


def test_the_map_pans_and_zooms(opened):
    limits = f"(() => {{ const r = {DOCUMENT}('map0').x_range; return [r.start, r.end]; }})()"
    box = frame(opened, "map0")
    opened.drag(at(box, 0.5, 0.5), at(box, 0.55, 0.5), at(box, 0.6, 0.5))
    west, east = opened.run(limits)
    assert (west, east) == pytest.approx((-180 - 36, 180 - 36), abs=2)
    opened.scroll(*at(box, 0.5, 0.5), -240)
    opened.wait(f"{limits}[1] - {limits}[0] < 350")


TEXTS = """(() => {
  const texts = [];
  const walk = (root) => root.querySelectorAll("*").forEach((each) => {
    if (!each.shadowRoot) return;
    if (/tooltip/i.test(each.className)) texts.push(each.shadowRoot.textContent);
    walk(each.shadowRoot);
  });
  walk(document);
  return texts.join(" ");
})()"""


def test_pointing_at_either_map_says_the_labels_of_both(show, ocean, waters):
    other = ocean.cluster.pixels().kmeans(5)
    tab = show(waters.explore(other).text)
    for name in ("map0", "map1"):
        tab.move(*at(frame(tab, name), 0.1, 0.1))
        tab.move(*at(frame(tab, name), 0.5 + 3 / 120, 0.5))
        tab.wait(f"/left label.*right label/s.test({TEXTS})")
        number = tab.run(f"{DOCUMENT}('hovered').data.sample[0]")
        samples = f"{DOCUMENT}('samples').data"
        mine, theirs = tab.run(f"[{samples}.label0[{number}], {samples}.label1[{number}]]")
        text = tab.run(f"{DOCUMENT}('info').text")
        assert re.search(rf"left .*label {mine}</b>.*right .*label {theirs}</b>", text)
        tip = tab.run(TEXTS)
        assert re.search(rf"left label: *label {mine}.*right label: *label {theirs}", tip, re.S)


def test_pointing_at_a_window_shows_it_beside_its_centre(show, image, picked):
    tab = show(picked.explore().text)
    place = tab.run(
        f"(() => {{ const view = Bokeh.index.find_one({DOCUMENT}('map0'));"
        "const canvas = view.canvas_view.el.getBoundingClientRect();"
        f"const marks = {DOCUMENT}('marks0').data;"
        "return [canvas.left + view.frame.x_scale.compute(marks.x[4]),"
        "canvas.top + view.frame.y_scale.compute(marks.y[4])]; })()"
    )
    tab.move(*place)
    tab.wait(f"{DOCUMENT}('hovered').data.sample[0] === 4")
    values = next(iter(image.data_vars.values()))
    row, column = (
        int(np.abs(image[dim].values - float(picked.labels[dim][4])).argmin()) for dim in ("y", "x")
    )
    window = values[row - 4 : row + 4, column - 4 : column + 4].values
    own = tab.run(f"Array.from({DOCUMENT}('panel0_0_own').data.image[0])")
    np.testing.assert_allclose(np.reshape(own, (8, 8)), window, atol=0.01)
    middle = tab.run(f"Array.from({DOCUMENT}('panel0_0_middle').data.image[0])")
    center = picked.centers.isel(label=int(picked.labels[4])).to_dataarray()[0]
    np.testing.assert_allclose(np.reshape(middle, (8, 8)), center, atol=0.01)


def test_a_box_on_the_image_marks_the_windows_inside(show, picked):
    tab = show(picked.explore().text)
    brush(tab, "map0", (0.02, 0.02), (0.5, 0.98))
    inside = tab.run(f"Array.from({DOCUMENT}('chosen').data.inside)")
    marked = tab.run(f"{DOCUMENT}('marks0').selected.indices")
    left = picked.labels.x < float(picked.samples.data.x.mean())
    assert 0 < len(marked) == sum(inside) <= int(left.sum())
    assert sorted(marked) == [i for i, each in enumerate(inside) if each]


def test_the_page_is_live_within_a_notebook(tab, columns, tmp_path):
    """A notebook puts the text into its own page, as is done here."""
    cell = f"<!doctype html><body>{columns.explore()._repr_html_()}</body>"
    (tmp_path / "notebook.html").write_text(cell, encoding="utf-8")
    tab.errors.clear()
    tab.call("Page.navigate", url=(tmp_path / "notebook.html").as_uri())
    inner = "document.querySelector('iframe')?.contentWindow?.Bokeh?.documents"
    tab.wait(f"{inner}?.[0]?.get_model_by_name('samples')?.data.x.length === 392")
    assert tab.errors == []
