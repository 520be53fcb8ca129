"""The page in bokeh's terms: what stands where."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from bokeh.embed import file_html
from bokeh.models import Column, ColumnDataSource, Div, Row, Slider, TabPanel, Tabs
from bokeh.resources import INLINE

from xcluster.explore import maps
from xcluster.explore.gather import Content
from xcluster.explore.linked import Half
from xcluster.explore.wiring import HELP, Wiring

TITLE = "xcluster: explore"


def document(contents: Mapping[str, Content]) -> str:
    """Return the page as HTML, with all scripts and data inside; several contents in tabs."""
    layouts = {name: _layout(content) for name, content in contents.items()}
    if len(layouts) == 1:
        (whole,) = layouts.values()
    else:
        titles = {name: name if name.strip() else repr(name) for name in layouts}
        panels = [TabPanel(child=each, title=titles[name]) for name, each in layouts.items()]
        whole = Tabs(tabs=panels, sizing_mode="stretch_width")
    return str(file_html(whole, INLINE, title=TITLE))


def _layout(content: Content) -> Any:
    """Return what stands where, of one result or of two side by side."""
    page = Wiring(content)
    halves = [Half(page, number).draw() for number in range(len(content.results))]
    looks = {"title": "opacity of labels", "width": 200, "margin": (5, 25, 5, 5)}
    slider = Slider(start=0, end=1, step=0.05, value=maps.opacity(content), **looks)
    for half in halves:
        slider.js_link("value", half.drawn.glyph, half.fades)
    page.hovered.js_on_change("data", page.callback("info", **_info_arguments(page, halves)))
    notes = "; ".join(html.escape(str(note)) for note in content.notes)
    text = f"<b>{page.title}</b><br><small>{HELP}<br>{notes}</small>"
    head = Div(text=text, name="notes", sizing_mode="stretch_width")
    layouts = [half.layout for half in halves]
    body = Row(*layouts, sizing_mode="stretch_width") if len(halves) > 1 else layouts[0]
    top = Row(head, slider, sizing_mode="stretch_width")
    return Column(top, page.info, body, sizing_mode="stretch_width")


def _info_arguments(page: Wiring, halves: list[Half]) -> dict[str, Any]:
    raster = page.content.raster
    axes = zip(raster.names, ("x", "y"), raster.kinds, strict=True)
    sides = [""] if len(halves) == 1 else ["left", "right"]
    results = [
        {
            "column": half.name("label"),
            "membership": half.name("membership") if half.result.membership is not None else None,
            "names": escaped(half.result.flags.names),
            "colors": list(half.result.flags.colors),
            "title": side,
        }
        for side, half in zip(sides, halves, strict=True)
    ]
    values = [
        {
            "scale": ColumnDataSource({"low": panel.low, "step": panel.step}),
            "column": column,
            "names": escaped(panel.titles),
        }
        for column, panel in page.singles()
    ]
    return {
        "samples": page.samples,
        "info": page.info,
        "room": page.room,
        "entries": escaped(raster.entries),
        "places": [[html.escape(name), column, kind] for name, column, kind in axes if name],
        "results": results,
        "values": values,
    }


def escaped(names: Sequence[str]) -> list[str]:
    """Return names that a script can put into a page, whatever they are made of."""
    return [html.escape(name) for name in names]
