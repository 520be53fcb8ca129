"""The page of a result: what it carries, what it says, and what it does in a browser."""

import base64
import builtins
import gzip
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr
from chromium import PROGRAM, Chromium

from xcluster.explore import gather as gathering
from xcluster.explore.gather import gather
from xcluster.explore.panels import in_steps
from xcluster.explore.raster import raster_of

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
    monkeypatch.setattr(gathering, "MAX_BYTES", 4200)
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
    (panel,) = content.panels
    found = panel.low + panel.step * panel.steps
    values = tomography.vs.transpose("latitude", "longitude", "depth").values.reshape(-1, 41)
    assert panel.steps.dtype == np.uint8
    assert np.abs(found - values).max() <= panel.step.max() * 0.501
    np.testing.assert_array_equal(panel.level, tomography.depth)
    assert (panel.upright, panel.downward) == (True, True)


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


def test_one_step_of_time_is_shown_and_named(bands):
    da = bands.rename(band="time").assign_coords(
        time=np.arange("2001-01", "2001-07", dtype="M8[M]")
    )
    clustering = da.astype(float).cluster.pixels().kmeans(2)
    content = gather([clustering], {"time": "2001-03"})
    np.testing.assert_array_equal(content.results[0].position, clustering.labels[2].values.ravel())
    assert "time = 2001-03-01T00:00:00 only" in content.notes
    assert any("2001-01-01" in note for note in gather([clustering], {}).notes)


def test_snapshots_are_bars_along_their_dim_with_fields(bands):
    clustering = bands.cluster.snapshots("band").kmeans(2)
    content = gather([clustering], {})
    assert content.cells.tolist() == [[0, 1, 2, 3, 4, 5]]
    (panel,) = content.panels
    assert (panel.kind, panel.shape) == ("field", (9, 7))
    assert clustering.explore().text


def test_fields_have_the_north_at_the_top(ocean):
    stack = xr.concat([ocean.sst.fillna(0) + i for i in range(4)], "time").sortby("latitude")
    (panel,) = gather([stack.cluster.snapshots("time").kmeans(2)], {}).panels
    first = (panel.low + panel.step * panel.steps)[0].reshape(panel.shape)
    north_first = stack[0].sortby("latitude", ascending=False).values
    np.testing.assert_allclose(first, north_first, atol=0.02)


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


def test_labels_that_are_all_missing_make_an_empty_page(ocean, waters):
    empty = waters.samples.where(ocean.sst > 1e9)
    assert replace(waters, samples=empty).explore().text


def test_the_page_is_saved_and_shown_in_a_frame(columns, tmp_path):
    page = columns.explore()
    page.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page.text
    assert page._repr_html_().startswith("<iframe srcdoc=")
    assert "<script" not in page._repr_html_()


# ------------------------------------------------------------------------------ what it refuses


def test_without_bokeh_the_error_has_the_install_command(columns, monkeypatch):
    original = builtins.__import__

    def without(name, *args, **keywords):
        if name.startswith("bokeh"):
            raise ImportError(name)
        return original(name, *args, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "xarray-cluster\[explore\]"'):
        columns.explore()


def test_another_grid_is_refused(columns, waters):
    with pytest.raises(ValueError, match=r"other=.*latitude"):
        columns.explore(waters)


def test_an_unknown_dim_is_refused(columns):
    with pytest.raises(ValueError, match=r"sel=.*names 'time'"):
        columns.explore(sel={"time": 0})


def test_a_result_without_its_data_says_so(columns, tmp_path):
    import xcluster

    columns.save(tmp_path / "fit.nc")
    with pytest.raises(ValueError, match="explore needs the original values"):
        xcluster.open(tmp_path / "fit.nc").explore()


# --------------------------------------------------------------------------- what it does


@pytest.fixture(scope="module")
def tab():
    if PROGRAM is None:
        pytest.skip("needs chromium")
    tab = Chromium()
    yield tab
    tab.close()


@pytest.fixture
def opened(tab, waters, tmp_path):
    """The page of the waters in a browser; nothing may be logged as an error, nothing fetched."""
    waters.explore().save(tmp_path / "page.html")
    tab.errors.clear()
    tab.requests.clear()
    tab.open(tmp_path / "page.html")
    yield tab
    assert tab.errors == []
    assert [url for url in tab.requests if not url.startswith(("file:", "data:", "blob:"))] == []


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
    tab.run(
        f"(() => {{ const bar = {DOCUMENT}('{name}').toolbar;"
        "bar.active_drag = bar.tools.find((tool) => tool.type === 'BoxSelectTool'); })()"
    )
    box = frame(tab, name)
    middle = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
    tab.drag(at(box, *low), at(box, *middle), at(box, *high))


def test_pointing_at_the_map_shows_the_sample_there(opened, waters):
    opened.move(*at(frame(opened, "map0"), 0.5 + 3 / 120, 0.5))
    opened.wait(f"{DOCUMENT}('hovered').data.sample[0] >= 0")
    label = waters.labels.sel(latitude=0, longitude=9, method="nearest")
    text = opened.run(f"{DOCUMENT}('info').text")
    x, y = (float(each) for each in re.findall(r"tude \[\w+\] (-?[\d.]+)", text))
    label = waters.labels.sel(latitude=y, longitude=x)
    assert f"label {int(label)}</b>, membership" in text
    value = float(re.search(r"air temperature \[degC\]: (-?[\d.]+)", text)[1])
    place = waters.samples.data.air_temperature.sel(latitude=y, longitude=x)
    assert value == pytest.approx(float(place), rel=0.02)
    shown = opened.run(f"Array.from({DOCUMENT}('panel0_0_shown').data.center)")
    assert len(shown) == 7


def test_a_box_on_the_map_marks_the_same_samples_among_the_components(opened):
    brush(opened, "map0", (0.2, 0.2), (0.6, 0.6))
    opened.wait(f"{DOCUMENT}('chosen').data.inside.length > 0")
    chosen = opened.run(f"{DOCUMENT}('chosen').data.inside.reduce((a, b) => a + b, 0)")
    marked = opened.run(f"{DOCUMENT}('points0').selected.indices.length")
    total = opened.run(f"{DOCUMENT}('samples').data.x.length")
    assert 0 < chosen == marked < total
    veiled = opened.run(f"{DOCUMENT}('shade0').data.image[0].reduce((a, b) => a + b, 0)")
    assert veiled == total - chosen


def test_a_box_among_the_components_marks_the_samples_on_the_map(opened):
    brush(opened, "scatter0", (0.05, 0.05), (0.5, 0.95))
    opened.wait(f"{DOCUMENT}('chosen').data.inside.length > 0")
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


def test_a_click_on_a_name_hides_its_label_and_another_shows_it(opened, waters):
    palette = (
        f"{DOCUMENT}('map0').renderers.find((each) => each.name === 'labels')"
        ".glyph.color_mapper.palette"
    )
    colors = opened.run(palette)
    assert colors == list(waters.partition.label_colors())
    box = frame(opened, "map0")
    place = box[0] + box[2] + 30, box[1] + 25
    opened.click(*place)
    opened.wait(f"{palette}[0] !== '{colors[0]}'")
    assert opened.run(palette) == ["rgba(0,0,0,0)", *colors[1:]]
    opened.click(*place)
    opened.wait(f"{palette}[0] === '{colors[0]}'")
