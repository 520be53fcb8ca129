"""The figures beside the map of a page, each on its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import (
    BasicTicker,
    BoxSelectTool,
    ColorBar,
    ColumnDataSource,
    CustomJS,
    CustomJSHover,
    FixedTicker,
    HoverTool,
    LassoSelectTool,
    LinearColorMapper,
    Range1d,
)
from bokeh.plotting import figure as new_figure

from xcluster.base.arrays import Array
from xcluster.explore.panels import Panel

# Two figures of this side, with their axes and tools, fit below a map.
SIDE = 270
COMMON = {"tools": "pan,wheel_zoom,box_zoom,reset,save", "toolbar_location": "above"}
ASIDE = {"tools": "pan,wheel_zoom,reset,save", "toolbar_location": "right", "min_border_bottom": 55}
CLEAR = "rgba(0,0,0,0)"

# Names along one side: more would cover each other.
MAX_NAMES = 20

# A field that is wider than this, in heights, stands above that of its centre.
WIDE = 1.3

# Between two fields, in their own size.
GAP = 0.06


def brushable(figure: Any) -> None:
    """Add the tools to brush with, and leave out the logo, which links to a site."""
    figure.toolbar.logo = None
    figure.add_tools(BoxSelectTool(), LassoSelectTool())


def scatter_figure(
    points: ColumnDataSource, mapper: LinearColorMapper, axes: tuple[str, str], name: str
) -> tuple[Any, Any]:
    """Return the components of the samples, coloured by label, and their points."""
    figure = new_figure(
        name=name, frame_width=SIDE, frame_height=SIDE, title="components",
        x_axis_label=axes[0], y_axis_label=axes[1], active_scroll="wheel_zoom", **COMMON,
    )  # fmt: skip
    brushable(figure)
    figure.toolbar.active_drag = figure.select_one(BoxSelectTool)
    size = float(np.clip(120 / np.sqrt(max(len(points.data["x"]), 1)), 2, 7))
    drawn = figure.scatter(
        "x", "y", source=points, size=size, line_color=None, fill_alpha=0.7,
        fill_color={"field": "label", "transform": mapper}, nonselection_fill_alpha=0.04,
    )  # fmt: skip
    return figure, drawn


def add_pointer(figure: Any, drawn: Any, names: CustomJSHover, point: CustomJS) -> None:
    """Let the sample under the pointer be the one that all other figures show."""
    tips, formatters = [("label", "@label{custom}")], {"@label": names}
    looks = {"tooltips": tips, "formatters": formatters}
    figure.add_tools(HoverTool(renderers=[drawn], callback=point, **looks))


def curve_figure(
    panel: Panel, centers: ColumnDataSource, mapper: LinearColorMapper, name: str
) -> tuple[Any, dict[str, Any]]:
    """Return a figure of the sample's curve against its centre, and what a script changes."""
    values = panel.kind == "values"
    along, across = ("from least to greatest", "") if values else panel.titles[::-1]
    figure = _curve_axes(panel, along, across, name)
    x, y = ("value", "level") if panel.upright else ("level", "value")
    color = {"field": "label", "transform": mapper}
    figure.multi_line(x, y, source=centers, line_color=color, line_alpha=0.45, line_width=1.2)
    columns = ("level", "value", "center", "name", "sample", "middle")
    shown = ColumnDataSource({each: [] for each in columns}, name=f"{name}_shown")
    ends = (x, "center") if y == "value" else ("center", y)
    middle = figure.line(*ends, source=shown, line_width=4)
    own = figure.line(x, y, source=shown, line_width=2, line_color="black")
    dots = figure.scatter(*ends, source=shown, size=9, line_color=None)
    figure.scatter(x, y, source=shown, size=6, color="black", visible=values)
    dots.visible = values
    tips = [(across or "variable", "@name"), (along, "@sample"), ("centre", "@middle")]
    if values:
        tips = [("", "@name"), ("sample", "@sample"), ("centre", "@middle")]
    mode = "hline" if panel.upright else "vline"
    figure.add_tools(HoverTool(renderers=[own], tooltips=tips, mode=mode))
    return figure, {"shown": shown, "center_line": middle, "center_dots": dots}


def _curve_axes(panel: Panel, along: str, across: str, name: str) -> Any:
    """Return empty axes for curves, levels upwards where they are vertical."""
    sides = (along, across) if panel.upright else (across, along)
    scales = ["datetime" if panel.dated else "linear", "linear"]
    scales = scales[::-1] if panel.upright else scales
    figure = new_figure(
        name=name, x_axis_type=scales[0], y_axis_type=scales[1],
        frame_width=int((0.75 if panel.upright else 1.0) * SIDE),
        frame_height=SIDE, x_axis_label=sides[0], y_axis_label=sides[1],
        title="sample (black), centres", **ASIDE,
    )  # fmt: skip
    figure.toolbar.logo = None
    if panel.downward:
        figure.y_range.flipped = True
    if panel.level_names and not panel.dated:
        _name_levels(figure, panel)
    if panel.kind == "values":
        figure.y_range = Range1d(-0.04, 1.04)
    return figure


def _name_levels(figure: Any, panel: Panel) -> None:
    """Put the names of variables, or of levels that are no numbers, along the axis."""
    axis = figure.yaxis if panel.upright else figure.xaxis
    axis.ticker = FixedTicker(ticks=list(panel.level[:: -(-len(panel.level) // MAX_NAMES)]))
    axis.major_label_overrides = dict(zip(panel.level, panel.level_names, strict=True))
    if not panel.upright:
        axis.major_label_orientation = 1.0


def shown_values(panel: Panel, values: Array) -> Array:
    """Return what is drawn of values in data units: shares of the range, for single values."""
    if panel.kind != "values":
        return values
    return np.asarray((values - panel.low) / np.where(panel.step > 0, 254 * panel.step, 1.0))


def field_figure(panel: Panel, name: str) -> tuple[Any, dict[str, Any]]:
    """Return a figure of the sample's field beside or above that of its centre."""
    rows, columns = panel.shape
    wide = columns > WIDE * rows
    across, down = (0, (1 + GAP) * rows) if wide else ((1 + GAP) * columns, 0)
    size = across + columns, down + rows
    ends = float(panel.low.min()), float((panel.low + 254 * panel.step).max())
    mapper = LinearColorMapper(palette="Viridis256", low=ends[0], high=ends[1], nan_color=CLEAR)
    figure = new_figure(
        name=name, frame_width=SIDE, frame_height=max(int(SIDE * size[1] / size[0]), 40),
        x_range=Range1d(0, size[0]), y_range=Range1d(size[1], 0),
        title=f"sample ({'above' if wide else 'left'}) and its centre", **ASIDE,
    )  # fmt: skip
    figure.toolbar.logo = None
    figure.axis.visible = figure.grid.visible = False
    figure.outline_line_color = None
    sources = {}
    for key, x, y in (("own", 0, 0), ("middle", across, down)):
        empty = np.full((rows, columns), np.nan, np.float32)
        sources[key] = ColumnDataSource({"image": [empty]}, name=f"{name}_{key}")
        figure.image("image", x=x, y=y, dw=columns, dh=rows, source=sources[key],
                     color_mapper=mapper)  # fmt: skip
    figure.add_tools(HoverTool(tooltips=[(panel.titles[2] or "value", "@image{0.000a}")]))
    bar = ColorBar(color_mapper=mapper, title=panel.titles[2], ticker=BasicTicker(), height=8)
    figure.add_layout(bar, "below")
    return figure, sources
