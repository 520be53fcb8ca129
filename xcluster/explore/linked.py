"""Map, components and panels of one result, linked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bokeh.events import MouseMove, Reset, SelectionGeometry
from bokeh.models import ColumnDataSource, CustomJS, InlineStyleSheet, LinearColorMapper, Row

from xcluster.explore import figures, maps
from xcluster.explore.panels import Panel
from xcluster.explore.shown import Result
from xcluster.explore.wiring import Wiring


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
        title, name = self.result.title, self.name("map")
        figure = maps.map_figure(raster, title, name, self.halves, page.ranges)
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
        columns = {"x": x[drawn], "y": y[drawn], "label": self.result.position[drawn]}
        source = ColumnDataSource(columns | {"sample": drawn.astype("int32")}, name=name)
        self.dotted.append(source)
        return source

    def _scatter(self) -> Any:
        page = self.page
        x, y = self.result.components.T
        points = self._dots(x, y, self.name("points"))
        axes, name = self.result.axes, self.name("scatter")
        figure, drawn = figures.scatter_figure(points, self.mapper, axes, name)
        point = page.callback("point", points=points)
        figures.add_pointer(figure, drawn, maps.name_of_label(self.result.flags), point)
        ring = ColumnDataSource({"x": [], "y": []})
        looks = {"size": 14, "line_color": "black", "line_width": 2, "fill_alpha": 0}
        figure.scatter("x", "y", source=ring, **looks)
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
            figure, shown = figures.field_figure(panel, name)
            page.hovered.js_on_change("data", page.callback("field", **arguments, **shown))
            return figure
        figure, shown = figures.curve_figure(panel, self._curves(panel, centers), self.mapper, name)
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
        levels, labels = [panel.level for _ in values], list(range(len(values)))
        source = ColumnDataSource({"level": levels, "value": list(values), "label": labels})
        self.centers.append(source)
        return source


def flowing(*items: Any) -> Any:
    """Return figures in rows as wide as the window."""
    for item in items:
        # Figures keep the size of their frames; bokeh would stretch them.
        item.stylesheets = [InlineStyleSheet(css=":host { flex: none !important; }")]
    styles = InlineStyleSheet(css=":host { flex-wrap: wrap; align-items: flex-start; }")
    return Row(*items, sizing_mode="stretch_width", stylesheets=[styles])
