"""The figures of a page, each on its own."""

from __future__ import annotations

import base64
from importlib.resources import files
from typing import Any

import numpy as np
from bokeh.models import (
    BasicTicker,
    BoxSelectTool,
    ColorBar,
    ColumnDataSource,
    CustomJSHover,
    FixedTicker,
    HoverTool,
    LassoSelectTool,
    Legend,
    LegendItem,
    LinearColorMapper,
    Range1d,
)
from bokeh.plotting import figure as new_figure
from numpy.typing import NDArray

from xcluster.explore.gather import Content, Result
from xcluster.explore.panels import Panel
from xcluster.explore.raster import Raster
from xcluster.plot.earth import coast_points
from xcluster.plot.flags import Flags

Array = NDArray[Any]

MAP_SIZE = {1: (560, 540), 2: (520, 420)}
SIDE = {1: 320, 2: 230}
COMMON = {"tools": "pan,wheel_zoom,box_zoom,reset,save", "toolbar_location": "above"}
CLEAR = "rgba(0,0,0,0)"
LEGEND_ROWS = 20

# Degrees of longitude below which the finer coast lines are carried.
FINE_WIDTH = 100.0


def map_ranges(raster: Raster) -> tuple[Range1d, Range1d]:
    """Return what of x and y shows at first; maps side by side move together."""
    x, y, width, height = raster.box
    ends = (y, y + height) if raster.upward else (y + height, y)
    return Range1d(x, x + width), Range1d(*ends)


def map_figure(
    raster: Raster, title: str, name: str, halves: int, ranges: tuple[Range1d, Range1d]
) -> Any:
    """Return empty axes over the raster, over the Earth where it is geographic."""
    shape = float(np.clip(raster.shape, 0.4, 4.0))
    frame = int(min(MAP_SIZE[halves][0], MAP_SIZE[halves][1] * shape))
    figure = new_figure(
        title=title,
        name=name,
        frame_width=frame,
        frame_height=max(int(frame / shape), 60),
        x_range=ranges[0],
        y_range=ranges[1],
        x_axis_type="datetime" if raster.kinds[0] == "time" else "linear",
        **COMMON,
        active_scroll="wheel_zoom",
        x_axis_label=raster.names[0],
        y_axis_label=raster.names[1],
    )
    finish(figure)
    figure.xgrid.visible = figure.ygrid.visible = False
    if raster.is_geographic:
        add_earth(figure, raster)
    if raster.lattice is None:
        figure.yaxis.visible = False
    return figure


def finish(figure: Any) -> None:
    """Add the tools to brush with, and leave out the logo, which links to a site."""
    figure.toolbar.logo = None
    figure.add_tools(BoxSelectTool(), LassoSelectTool())


def add_earth(figure: Any, raster: Raster) -> None:
    """Draw the Earth from space beneath everything, as many times as the map goes round it."""
    data = (files("xcluster.plot") / "data" / "blue_marble.jpg").read_bytes()
    url = "data:image/jpeg;base64," + base64.b64encode(data).decode()
    figure.image_url(
        url=[url] * len(_turns(raster)),
        x=[-180 + 360 * turn for turn in _turns(raster)],
        y=90, w=360, h=180, anchor="top_left", level="image",
    )  # fmt: skip


def _turns(raster: Raster) -> list[int]:
    west, _, width, _ = raster.box
    return list(range(int((west + 180) // 360), int(np.ceil((west + width + 180) / 360))))


def add_coast(figure: Any, raster: Raster) -> None:
    """Draw the coast lines around the raster, where it has a place on Earth."""
    lattice = raster.lattice
    if lattice is None or lattice.crs is None:
        return
    west, south, width, height = raster.box
    points = coast_points("50m" if not raster.is_geographic or width < FINE_WIDTH else "110m")
    if raster.is_geographic:
        turned = [points + np.array([360 * turn, 0], np.float32) for turn in _turns(raster)]
        points = np.concatenate(turned)
    else:
        import cartopy.crs as ccrs

        points = lattice.crs.transform_points(ccrs.PlateCarree(), *points.T)[:, :2]
    margin = 0.5 * max(width, height)
    low, high = [west - margin, south - margin], [west + width + margin, south + height + margin]
    near: NDArray[np.bool_] = np.all((points > low) & (points < high), axis=1)
    line = np.where(near[:, None], points, np.nan).astype(np.float32)
    # One gap is as good as many.
    line = line[near | np.append(near[1:], False)]
    figure.line(*line.T, color="#222222", line_width=0.8, name="coast")


def label_images(content: Content, result: Result) -> ColumnDataSource:
    """Return the labels of a result as an image, and its memberships where there are any."""
    none = len(result.flags.values)
    images = {"image": [_on_raster(content.cells, result.position, none)]}
    if result.membership is not None:
        images["membership"] = [_on_raster(content.cells, result.membership, 0)]
    return ColumnDataSource(images)


def _on_raster(cells: Array, values: Array, empty: int) -> Array:
    table = np.append(values, values.dtype.type(empty))  # -1 is the last
    return np.asarray(table[cells])


def opacity(raster: Raster) -> float:
    """Return how opaque labels are at first."""
    return 0.75 if raster.is_geographic else 1.0


def draw_labels(
    figure: Any, raster: Raster, images: ColumnDataSource, mapper: LinearColorMapper
) -> Any:
    """Draw the labels, half transparent where the Earth shows through them."""
    x, y, width, height = raster.box
    return figure.image(
        "image", x=x, y=y, dw=width, dh=height, source=images, color_mapper=mapper,
        global_alpha=opacity(raster), level="image", name="labels",
    )  # fmt: skip


def draw_shade(figure: Any, raster: Raster, shape: tuple[int, ...], name: str) -> ColumnDataSource:
    """Draw a veil that is clear until something is brushed."""
    x, y, width, height = raster.box
    source = ColumnDataSource({"image": [np.zeros(shape, np.uint8)]}, name=name)
    mapper = LinearColorMapper(palette=[CLEAR, "rgba(255,255,255,0.8)"], low=-0.5, high=1.5)
    figure.image(
        "image", x=x, y=y, dw=width, dh=height, source=source, color_mapper=mapper, level="image"
    )
    return source


def add_hover(figure: Any, labels: Any, names: CustomJSHover, soft: bool) -> None:
    """Say label, place and membership beside the pointer."""
    tips = [("label", "@image{custom}"), ("place", "$x{0.00}, $y{0.00}")]
    formatters = {"@image": names}
    if soft:
        tips.append(("membership", "@membership{custom}"))
        formatters["@membership"] = CustomJSHover(code="return (value / 254).toFixed(2);")
    figure.add_tools(HoverTool(renderers=[labels], tooltips=tips, formatters=formatters))


def add_legend(figure: Any, flags: Flags) -> list[Any]:
    """Add names that hide and show their labels when clicked; return what they switch."""
    items = [
        figure.scatter(
            x=[np.nan], y=[np.nan], marker="square", size=12, color=color, name=f"legend {name}"
        )
        for name, color in zip(flags.names, flags.colors, strict=True)
    ]
    entries = [
        LegendItem(label=name, renderers=[item])
        for name, item in zip(flags.names, items, strict=True)
    ]
    legend = Legend(
        items=entries, click_policy="hide", label_text_font_size="9pt", spacing=1, padding=4,
        ncols=max(-(-len(entries) // LEGEND_ROWS), 1),
    )  # fmt: skip
    figure.add_layout(legend, "right")
    return items


def scatter_figure(
    points: ColumnDataSource,
    mapper: LinearColorMapper,
    axes: tuple[str, str],
    name: str,
    halves: int,
) -> Any:
    """Return the components of the samples, coloured by label."""
    figure = new_figure(
        name=name, frame_width=SIDE[halves], frame_height=SIDE[halves], title="components",
        x_axis_label=axes[0], y_axis_label=axes[1], active_scroll="wheel_zoom", **COMMON,
    )  # fmt: skip
    finish(figure)
    figure.toolbar.active_drag = figure.select_one(BoxSelectTool)
    size = float(np.clip(120 / np.sqrt(max(len(points.data["x"]), 1)), 2, 7))
    figure.scatter(
        "x", "y", source=points, size=size, line_color=None, fill_alpha=0.7,
        fill_color={"field": "label", "transform": mapper}, nonselection_fill_alpha=0.04,
    )  # fmt: skip
    return figure


def curve_figure(
    panel: Panel, centers: ColumnDataSource, mapper: LinearColorMapper, name: str, halves: int
) -> tuple[Any, dict[str, Any]]:
    """Return a figure of the sample's curve against its centre, and what a script changes."""
    values = panel.kind == "values"
    along, across = ("from least to greatest", "") if values else panel.titles[::-1]
    sides = (along, across) if panel.upright else (across, along)
    width = int((0.75 if panel.upright else 1.0) * SIDE[halves])
    figure = new_figure(
        name=name, frame_width=width, frame_height=SIDE[halves], x_axis_label=sides[0],
        y_axis_label=sides[1], title="sample (black) and its centre", **COMMON,
    )  # fmt: skip
    figure.toolbar.logo = None
    x, y = ("value", "level") if panel.upright else ("level", "value")
    color = {"field": "label", "transform": mapper}
    figure.multi_line(x, y, source=centers, line_color=color, line_alpha=0.45, line_width=1.2)
    shown = ColumnDataSource({"level": [], "value": [], "center": []}, name=f"{name}_shown")
    ends = (x, "center") if y == "value" else ("center", y)
    middle = figure.line(*ends, source=shown, line_width=4)
    own = figure.line(x, y, source=shown, line_width=2, line_color="black")
    figure.add_tools(HoverTool(renderers=[own], tooltips=[(across, "@level"), (along, "@value")]))
    if panel.downward:
        figure.y_range.flipped = True
    if panel.level_names:
        _name_levels(figure, panel)
    if values:
        figure.y_range = Range1d(-0.02, 1.02)
    return figure, {"shown": shown, "center_line": middle}


def _name_levels(figure: Any, panel: Panel) -> None:
    """Put the names of variables, or of levels that are no numbers, along the axis."""
    axis = figure.yaxis if panel.upright else figure.xaxis
    axis.ticker = FixedTicker(ticks=list(panel.level))
    axis.major_label_overrides = dict(zip(panel.level, panel.level_names, strict=True))
    if not panel.upright:
        axis.major_label_orientation = 1.0


def shown_values(panel: Panel, values: Array) -> Array:
    """Return what is drawn of values in data units: shares of the range, for single values."""
    if panel.kind != "values":
        return values
    return np.asarray((values - panel.low) / np.where(panel.step > 0, 254 * panel.step, 1.0))


def field_figure(panel: Panel, name: str, halves: int) -> tuple[Any, dict[str, Any]]:
    """Return a figure of the sample's field beside that of its centre."""
    rows, columns = panel.shape
    ends = float(panel.low.min()), float((panel.low + 254 * panel.step).max())
    mapper = LinearColorMapper(palette="Viridis256", low=ends[0], high=ends[1], nan_color=CLEAR)
    height = max(int(SIDE[halves] / 2.1 * rows / columns), 40)
    figure = new_figure(
        name=name, frame_width=SIDE[halves], frame_height=height, **COMMON,
        x_range=Range1d(0, 2.1 * columns), y_range=Range1d(rows, 0),
        title="sample (left) and its centre",
    )  # fmt: skip
    figure.toolbar.logo = None
    figure.axis.visible = figure.grid.visible = False
    sources = {}
    for key, x in (("own", 0.0), ("middle", 1.1 * columns)):
        empty = np.full((rows, columns), np.nan, np.float32)
        sources[key] = ColumnDataSource({"image": [empty]}, name=f"{name}_{key}")
        figure.image("image", x=x, y=0, dw=columns, dh=rows, source=sources[key],
                     color_mapper=mapper)  # fmt: skip
    bar = ColorBar(color_mapper=mapper, title=panel.titles[2], ticker=BasicTicker(), width=8)
    figure.add_layout(bar, "right")
    return figure, sources
