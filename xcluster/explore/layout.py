"""The page in bokeh's terms: figures side by side, and what links them."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from bokeh.embed import file_html
from bokeh.events import MouseMove, Reset, SelectionGeometry
from bokeh.models import (
    Column,
    ColumnDataSource,
    CustomJS,
    Div,
    InlineStyleSheet,
    LinearColorMapper,
    Row,
    Slider,
)
from bokeh.resources import INLINE

from xcluster.explore import figures, maps
from xcluster.explore.gather import Content
from xcluster.explore.panels import Panel
from xcluster.explore.shown import Result

TITLE = "xcluster: explore"

HELP = """Point at the map or among the components; draw a box or an outline on either to mark
the same samples in both; click names to hide labels; the reset tool shows everything again."""

# Of one line of words, in pixels and in letters.
LINE, LETTERS = 18, 190


def document(content: Content) -> str:
    """Return the page as HTML, with all scripts and data inside."""
    page = Wiring(content)
    halves = [Half(page, number).draw() for number in range(len(content.results))]
    looks = {"title": "opacity of labels", "width": 200, "margin": (5, 25, 5, 5)}
    slider = Slider(start=0, end=1, step=0.05, value=maps.opacity(content), **looks)
    for half in halves:
        slider.js_link("value", half.drawn.glyph, half.fades)
    page.hovered.js_on_change("data", page.callback("info", **_info_arguments(page, halves)))
    notes = "; ".join(html.escape(str(note)) for note in content.notes)
    head = Div(
        text=f"<b>{page.title}</b><br><small>{notes}</small>",
        name="notes",
        sizing_mode="stretch_width",
    )
    layouts = [half.layout for half in halves]
    body = Row(*layouts, sizing_mode="stretch_width") if len(halves) > 1 else layouts[0]
    top = Row(head, slider, sizing_mode="stretch_width")
    whole = Column(top, page.info, body, sizing_mode="stretch_width")
    return str(file_html(whole, INLINE, title=TITLE))


def flowing(*items: Any) -> Any:
    """Return figures in rows as wide as the window."""
    for item in items:
        # Figures keep the size of their frames; bokeh would stretch them.
        item.stylesheets = [InlineStyleSheet(css=":host { flex: none !important; }")]
    styles = InlineStyleSheet(css=":host { flex-wrap: wrap; align-items: flex-start; }")
    return Row(*items, sizing_mode="stretch_width", stylesheets=[styles])


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
        self.ranges = maps.ranges_of(content.raster)
        self.here = ColumnDataSource({"x": [], "y": []}, name="here")
        # Room for all that will be said, lest the map should move under the pointer.
        height = LINE * (1 + self._letters() // LETTERS)
        self.info = Div(text=HELP, name="info", min_height=height, sizing_mode="stretch_width")
        self.hovered.js_on_change(
            "data", self.callback("mark", mark=self.here, samples=self.samples, x="x", y="y")
        )

    @property
    def title(self) -> str:
        """Say what is explored."""
        return html.escape(" | ".join(result.title for result in self.content.results))

    def owner(self, number: int) -> int:
        """Return the result whose panels show the values of a result."""
        results = self.content.results
        return 0 if results[number].panels is results[0].panels else number

    def singles(self) -> list[tuple[str, Panel]]:
        """Return column and panel of the single values of each result that has its own."""
        return [
            (f"panel{number}_{place}", panel)
            for number, result in enumerate(self.content.results)
            for place, panel in enumerate(result.panels)
            if panel.kind == "values" and self.owner(number) == number
        ]

    def callback(self, name: str, **arguments: Any) -> CustomJS:
        """Return a script of the package that sees the page's sources and these arguments."""
        return CustomJS(args={"hovered": self.hovered, **arguments}, code=script(name))

    def _letters(self) -> int:
        names = [name for _, panel in self.singles() for name in panel.titles[:12]]
        return 100 * len(self.content.results) + sum(len(name) + 9 for name in names)

    def _columns(self) -> dict[str, Any]:
        content = self.content
        columns: dict[str, Any] = {"x": content.x, "y": content.y}
        for number, result in enumerate(content.results):
            columns[f"label{number}"] = result.position
            columns[f"component{number}_x"] = result.components[:, 0]
            columns[f"component{number}_y"] = result.components[:, 1]
            if result.membership is not None:
                columns[f"membership{number}"] = result.membership
            if self.owner(number) == number:
                panels = enumerate(result.panels)
                columns |= {f"panel{number}_{place}": panel.steps for place, panel in panels}
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
    centers: list[ColumnDataSource] = field(default_factory=list)

    def draw(self) -> Half:
        """Build the figures and link them."""
        self.mapper = LinearColorMapper(
            palette=list(self.result.flags.colors) or ["#ffffff"],
            low=-0.5,
            high=max(len(self.result.flags.values), 1) - 0.5,
            low_color=figures.CLEAR,
            high_color=figures.CLEAR,
        )
        self.dotted: list[ColumnDataSource] = []
        self.shade: ColumnDataSource | None = None
        self.map = self._map()
        scatter = self._scatter()
        panels = [self._panel(place, panel) for place, panel in enumerate(self.result.panels)]
        apply = self._link_brush(scatter)
        hide = self.page.callback(
            "legend", mapper=self.mapper, items=self.items, colors=list(self.result.flags.colors),
            sources=[*self.dotted, *self.centers],
        )  # fmt: skip
        for item in self.items:
            item.js_on_change("visible", hide, apply)
        self.layout = flowing(self.map, *panels[:1], scatter, *panels[1:])
        return self

    @property
    def result(self) -> Result:
        """The result that is drawn."""
        return self.page.content.results[self.number]

    @property
    def halves(self) -> int:
        """How many results the page shows."""
        return len(self.page.content.results)

    @property
    def fades(self) -> str:
        """The property of what is drawn that makes labels transparent."""
        return "fill_alpha" if self.shade is None else "global_alpha"

    def name(self, what: str) -> str:
        """Return the name of a column or model of this half."""
        return f"{what}{self.number}"

    def _map(self) -> Any:
        page, content = self.page, self.page.content
        raster, backdrop = content.raster, content.backdrop
        figure = maps.map_figure(
            raster, self.result.title, self.name("map"), self.halves, page.ranges
        )
        if backdrop is not None:
            maps.add_backdrop(figure, backdrop)
        images = maps.label_images(content, self.number)
        marked = backdrop is not None and backdrop.separate
        alpha = 0.0 if marked else maps.opacity(content)
        labels = self.drawn = maps.draw_labels(figure, raster, images, self.mapper, alpha)
        if marked:
            marks = self._dots(content.x, content.y, self.name("marks"))
            self.drawn = maps.draw_marks(figure, marks, self.mapper)
        else:
            self.shade = maps.draw_shade(figure, raster, content.cells.shape, self.name("shade"))
        maps.add_hover(figure, labels, raster, content.results)
        maps.add_coast(figure, raster)
        maps.draw_here(figure, page.here, backdrop)
        self.items = maps.add_legend(figure, self.result.flags)
        hover = page.callback("hover", raster=page.raster, box=list(map(float, raster.box)))
        figure.js_on_event(MouseMove, hover)
        return figure

    def _dots(self, x: Any, y: Any, name: str) -> ColumnDataSource:
        """Return samples as points that brushing selects."""
        drawn = self.page.content.drawn
        source = ColumnDataSource(
            {
                "x": x[drawn],
                "y": y[drawn],
                "label": self.result.position[drawn],
                "sample": drawn.astype("int32"),
            },
            name=name,
        )
        self.dotted.append(source)
        return source

    def _scatter(self) -> Any:
        page = self.page
        x, y = self.result.components.T
        points = self._dots(x, y, self.name("points"))
        figure, drawn = figures.scatter_figure(
            points, self.mapper, self.result.axes, self.name("scatter"), self.halves
        )
        point = page.callback("point", points=points)
        figures.add_pointer(figure, drawn, maps.name_of_label(self.result.flags), point)
        ring = ColumnDataSource({"x": [], "y": []})
        figure.scatter(
            "x", "y", source=ring, size=14, line_color="black", fill_alpha=0, line_width=2
        )
        mark = page.callback(
            "mark", mark=ring, samples=page.samples,
            x=self.name("component") + "_x", y=self.name("component") + "_y",
        )  # fmt: skip
        page.hovered.js_on_change("data", mark)
        return figure

    def _link_brush(self, scatter: Any) -> CustomJS:
        """Let boxes and outlines on the map and among the components mark the same samples."""
        page, component = self.page, self.name("component")
        columns = {self.map: ("x", "y"), scatter: (f"{component}_x", f"{component}_y")}
        for figure, (x, y) in columns.items():
            shared = {"chosen": page.chosen, "samples": page.samples}
            figure.js_on_event(SelectionGeometry, page.callback("brush", **shared, x=x, y=y))
            figure.js_on_event(Reset, page.callback("clear", chosen=page.chosen))
        apply = page.callback(
            "apply", chosen=page.chosen, raster=page.raster, shade=self.shade, dotted=self.dotted,
            samples=page.samples, position=self.name("label"), items=self.items,
        )  # fmt: skip
        page.chosen.js_on_change("data", apply)
        return apply

    def _panel(self, place: int, panel: Panel) -> Any:
        page = self.page
        centers = self._centers(panel)
        arguments = {
            "samples": page.samples,
            "scale": ColumnDataSource({"level": panel.level, "low": panel.low, "step": panel.step}),
            "centers": centers,
            "column": f"panel{page.owner(self.number)}_{place}",
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
        arguments |= {
            "colors": list(self.result.flags.colors),
            "level_names": list(panel.level_names),
            "names": list(panel.titles) if panel.kind == "values" else None,
        }
        page.hovered.js_on_change("data", page.callback("curve", **arguments, **shown))
        return figure

    def _centers(self, panel: Panel) -> ColumnDataSource:
        """Return the centres of all labels along a panel; none where nothing shows with them."""
        if len(panel.steps) and set(panel.names) <= set(self.result.centers.data_vars):
            values = panel.of(self.result.centers, "label")
            if values.shape[1] == len(panel.low):
                return ColumnDataSource({"value": values})
        return ColumnDataSource({"value": panel.low[None][:0]})

    def _curves(self, panel: Panel, centers: ColumnDataSource) -> ColumnDataSource:
        values = figures.shown_values(panel, centers.data["value"])
        source = ColumnDataSource(
            {
                "level": [panel.level for _ in values],
                "value": list(values),
                "label": list(range(len(values))),
            }
        )
        self.centers.append(source)
        return source


def _info_arguments(page: Wiring, halves: list[Half]) -> dict[str, Any]:
    raster = page.content.raster
    axes = zip(raster.names, ("x", "y"), raster.kinds, strict=True)
    sides = [""] if len(halves) == 1 else ["left", "right"]
    results = [
        {
            "column": half.name("label"),
            "membership": half.name("membership") if half.result.membership is not None else None,
            "names": list(half.result.flags.names),
            "colors": list(half.result.flags.colors),
            "title": side,
        }
        for side, half in zip(sides, halves, strict=True)
    ]
    values = [
        {
            "scale": ColumnDataSource({"low": panel.low, "step": panel.step}),
            "column": column,
            "names": list(panel.titles),
        }
        for column, panel in page.singles()
    ]
    return {
        "samples": page.samples,
        "info": page.info,
        "places": [[name, column, kind] for name, column, kind in axes if name],
        "results": results,
        "values": values,
    }
