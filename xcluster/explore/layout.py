"""The page in bokeh's terms: figures side by side, and what links them."""

from __future__ import annotations

import html
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from bokeh.embed import file_html
from bokeh.events import MouseMove, Reset, SelectionGeometry
from bokeh.layouts import column, row
from bokeh.models import (
    ColumnDataSource,
    CustomJS,
    CustomJSHover,
    Div,
    LinearColorMapper,
    Slider,
)
from bokeh.resources import INLINE

from xcluster.explore import figures
from xcluster.explore.gather import Content, Result
from xcluster.explore.panels import MISSING, Panel

TITLE = "xcluster: explore"


def document(content: Content) -> str:
    """Return the page as HTML, with all scripts and data inside."""
    page = Wiring(content)
    halves = [Half(page, number).draw() for number in range(len(content.results))]
    looks = {"title": "opacity of labels", "width": 250}
    slider = Slider(start=0, end=1, step=0.05, value=figures.opacity(content.raster), **looks)
    for half in halves:
        slider.js_link("value", half.labels.glyph, "global_alpha")
    page.hovered.js_on_change("data", page.callback("info", **_info_arguments(page, halves)))
    notes = "; ".join(html.escape(str(note)) for note in content.notes)
    head = Div(
        text=f"<b>{page.title}</b><br><small>{notes}</small>",
        name="notes",
        sizing_mode="stretch_width",
    )
    body = row(*[half.layout for half in halves])
    whole = column(head, page.info, body, slider, sizing_mode="stretch_width")
    return str(file_html(whole, INLINE, title=TITLE))


def script(name: str) -> str:
    """Return a script of the package."""
    return (files("xcluster.explore") / "js" / f"{name}.js").read_text(encoding="utf-8")


class Wiring:
    """The data of a page, which all of its figures share.

    Parameters
    ----------
    content
        What the page shows.
    """

    def __init__(self, content: Content) -> None:
        self.content = content
        self.samples = ColumnDataSource(self._columns(), name="samples")
        self.raster = ColumnDataSource({"cell": [content.cells]}, name="raster")
        self.hovered = ColumnDataSource({"sample": [-1]}, name="hovered")
        self.chosen = ColumnDataSource({"inside": []}, name="chosen")
        self.ranges = figures.map_ranges(content.raster)
        self.here = ColumnDataSource({"x": [], "y": []}, name="here")
        self.scales = [
            ColumnDataSource({"level": panel.level, "low": panel.low, "step": panel.step})
            for panel in content.panels
        ]
        text = "Point at the map; draw a box or an outline on the map or among the components; "
        text += "click names to hide labels."
        self.info = Div(text=text, name="info", min_height=40, sizing_mode="stretch_width")
        self.hovered.js_on_change(
            "data", self.callback("mark", mark=self.here, samples=self.samples, x="x", y="y")
        )

    @property
    def title(self) -> str:
        """Say what is explored."""
        return html.escape(" | ".join(result.title for result in self.content.results))

    def drawn_scale(self, place: int) -> ColumnDataSource:
        """Return how stored steps become what is drawn: single values as shares of their range."""
        panel, scale = self.content.panels[place], self.scales[place]
        if panel.kind != "values":
            return scale
        share = {"low": 0 * panel.low, "step": 0 * panel.low + 1 / (MISSING - 1)}
        return ColumnDataSource({**scale.data, **share})

    def callback(self, name: str, **arguments: Any) -> CustomJS:
        """Return a script of the package that sees the page's sources and these arguments."""
        return CustomJS(args={"hovered": self.hovered, **arguments}, code=script(name))

    def _columns(self) -> dict[str, Any]:
        content = self.content
        columns: dict[str, Any] = {"x": content.x, "y": content.y}
        columns |= {f"panel{number}": panel.steps for number, panel in enumerate(content.panels)}
        for number, result in enumerate(content.results):
            columns[f"label{number}"] = result.position
            columns[f"component{number}_x"] = result.components[:, 0]
            columns[f"component{number}_y"] = result.components[:, 1]
            if result.membership is not None:
                columns[f"membership{number}"] = result.membership
        return columns


@dataclass(eq=False)
class Half:
    """Map, components and panels of one result.

    Parameters
    ----------
    page
        What it shares with the other.
    number
        Of the result.
    """

    page: Wiring
    number: int

    def draw(self) -> Half:
        """Build the figures and link them."""
        self.mapper = LinearColorMapper(
            palette=list(self.result.flags.colors) or ["#ffffff"],
            low=-0.5,
            high=max(len(self.result.flags.values), 1) - 0.5,
            low_color="rgba(0,0,0,0)",
            high_color="rgba(0,0,0,0)",
        )
        self.map, self.labels, shade, items = self._map()
        scatter, points = self._scatter()
        panels = [self._panel(place) for place in range(len(self.page.content.panels))]
        self._link_brush(shade, points, scatter, items)
        hide = self.page.callback(
            "legend", mapper=self.mapper, items=items, colors=list(self.result.flags.colors),
            sources=[points, *self.centers],
        )  # fmt: skip
        for item in items:
            item.js_on_change("visible", hide)
        self.layout = (
            row(self.map, column(*panels), scatter)
            if self.halves == 1
            else column(self.map, row(*panels, scatter))
        )
        return self

    @property
    def result(self) -> Result:
        """The result that is drawn."""
        return self.page.content.results[self.number]

    @property
    def halves(self) -> int:
        """How many results the page shows."""
        return len(self.page.content.results)

    def name(self, what: str) -> str:
        """Return the name of a column or model of this half."""
        return f"{what}{self.number}"

    def _map(self) -> tuple[Any, Any, ColumnDataSource, list[Any]]:
        page, raster = self.page, self.page.content.raster
        figure = figures.map_figure(
            raster, self.result.title, self.name("map"), self.halves, page.ranges
        )
        images = figures.label_images(page.content, self.result)
        labels = figures.draw_labels(figure, raster, images, self.mapper)
        shade = figures.draw_shade(figure, raster, page.content.cells.shape, self.name("shade"))
        names = CustomJSHover(args={"names": list(self.result.flags.names)}, code=script("name"))
        figures.add_hover(figure, labels, names, "membership" in images.data)
        figures.add_coast(figure, raster)
        figure.scatter("x", "y", source=page.here, marker="cross", size=16, color="black")
        items = figures.add_legend(figure, self.result.flags)
        hover = page.callback("hover", raster=page.raster, box=list(map(float, raster.box)))
        figure.js_on_event(MouseMove, hover)
        return figure, labels, shade, items

    def _scatter(self) -> tuple[Any, ColumnDataSource]:
        page, drawn = self.page, self.page.content.drawn
        points = ColumnDataSource(
            {
                "x": self.result.components[drawn, 0],
                "y": self.result.components[drawn, 1],
                "label": self.result.position[drawn],
                "sample": drawn.astype("int32"),
            },
            name=self.name("points"),
        )
        figure = figures.scatter_figure(
            points, self.mapper, self.result.axes, self.name("scatter"), self.halves
        )
        ring = ColumnDataSource({"x": [], "y": []})
        figure.scatter(
            "x", "y", source=ring, size=14, line_color="black", fill_alpha=0, line_width=2
        )
        mark = page.callback(
            "mark", mark=ring, samples=page.samples,
            x=self.name("component") + "_x", y=self.name("component") + "_y",
        )  # fmt: skip
        page.hovered.js_on_change("data", mark)
        return figure, points

    def _link_brush(
        self, shade: ColumnDataSource, points: ColumnDataSource, scatter: Any, items: list[Any]
    ) -> None:
        """Let boxes and outlines on the map and among the components mark the same samples."""
        page, component = self.page, self.name("component")
        columns = {self.map: ("x", "y"), scatter: (f"{component}_x", f"{component}_y")}
        for figure, (x, y) in columns.items():
            shared = {"chosen": page.chosen, "samples": page.samples}
            figure.js_on_event(SelectionGeometry, page.callback("brush", **shared, x=x, y=y))
            figure.js_on_event(Reset, page.callback("clear", chosen=page.chosen))
        apply = page.callback(
            "apply", chosen=page.chosen, raster=page.raster, shade=shade, points=points,
            samples=page.samples, position=self.name("label"), items=items,
        )  # fmt: skip
        page.chosen.js_on_change("data", apply)

    def _panel(self, place: int) -> Any:
        page, panel = self.page, self.page.content.panels[place]
        centers = self._centers(panel)
        arguments = {
            "samples": page.samples,
            "scale": page.drawn_scale(place),
            "centers": centers,
            "column": f"panel{place}",
            "position": self.name("label"),
        }
        name = f"{self.name('panel')}_{place}"
        if panel.kind == "field":
            figure, shown = figures.field_figure(panel, name, self.halves)
            page.hovered.js_on_change("data", page.callback("field", **arguments, **shown))
            return figure
        figure, shown = figures.curve_figure(
            panel, self._curves(panel, centers), self.mapper, name, self.halves
        )
        arguments["colors"] = list(self.result.flags.colors)
        page.hovered.js_on_change("data", page.callback("curve", **arguments, **shown))
        return figure

    def _centers(self, panel: Panel) -> ColumnDataSource:
        """Return the centres of all labels along a panel; none where the features differ."""
        if set(panel.names) <= set(self.result.centers.data_vars):
            values = panel.of(self.result.centers, "label")
            if values.shape[1] == len(panel.low):
                return ColumnDataSource({"value": figures.shown_values(panel, values)})
        return ColumnDataSource({"value": panel.low[None][:0]})

    def _curves(self, panel: Panel, centers: ColumnDataSource) -> ColumnDataSource:
        values = centers.data["value"]
        source = ColumnDataSource(
            {
                "level": [panel.level for _ in values],
                "value": list(values),
                "label": list(range(len(values))),
            }
        )
        self.centers.append(source)
        return source

    def __post_init__(self) -> None:
        self.centers: list[ColumnDataSource] = []


def _info_arguments(page: Wiring, halves: list[Half]) -> dict[str, Any]:
    raster = page.content.raster
    axes = zip(raster.names, ("x", "y"), raster.kinds, strict=True)
    results = [
        {
            "column": half.name("label"),
            "membership": half.name("membership") if half.result.membership is not None else None,
            "names": list(half.result.flags.names),
            "colors": list(half.result.flags.colors),
            "title": half.result.title if len(halves) > 1 else "",
        }
        for half in halves
    ]
    values = None
    for place, panel in enumerate(page.content.panels):
        if panel.kind == "values":
            names = list(panel.titles)
            values = {"scale": page.scales[place], "column": f"panel{place}", "names": names}
    return {
        "samples": page.samples,
        "info": page.info,
        "places": [[name, column, kind] for name, column, kind in axes if name],
        "results": results,
        "values": values,
    }
