"""The map of a page: background, labels, coast lines, and what the pointer says."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from bokeh.models import (
    BasicTickFormatter,
    ColumnDataSource,
    CustomJSHover,
    FixedTicker,
    HoverTool,
    Legend,
    LegendItem,
    LinearColorMapper,
    Range1d,
)
from bokeh.plotting import figure as new_figure
from numpy.typing import NDArray

from xcluster.base.arrays import Array
from xcluster.explore.backdrop import Backdrop
from xcluster.explore.figures import CLEAR, COMMON, brushable
from xcluster.explore.gather import Content
from xcluster.explore.raster import Raster
from xcluster.explore.shown import Result
from xcluster.plot.earth import coast_points
from xcluster.plot.flags import Flags

SIZE = {1: (540, 540), 2: (500, 420)}
LEGEND_ROWS = 20
MAX_NAMES = 40

# Eastings and northings in metres have up to this many, and are written in full.
DIGITS = 8

# Frames narrower than this have no room for tools above them.
NARROW = 400

# Degrees of longitude below which the finer coast lines are carried.
FINE_WIDTH = 100.0


def ranges_of(raster: Raster) -> tuple[Range1d, Range1d]:
    """Return what of x and y shows at first; maps side by side move together."""
    x, y, width, height = raster.box
    ends = (y, y + height) if raster.upward else (y + height, y)
    return Range1d(x, x + width), Range1d(*ends)


def map_figure(
    raster: Raster, title: str, name: str, halves: int, ranges: tuple[Range1d, Range1d]
) -> Any:
    """Return empty axes over the raster, over the Earth where it is geographic."""
    shape = float(np.clip(raster.shape, 0.4, 4.0))
    frame = int(min(SIZE[halves][0], SIZE[halves][1] * shape))
    looks = COMMON if frame >= NARROW else COMMON | {"toolbar_location": "left"}
    size = {"frame_width": frame, "frame_height": max(int(frame / shape), 60)}
    axes = {"x_axis_label": raster.names[0], "y_axis_label": raster.names[1]}
    for side, kind in zip("xy", raster.kinds, strict=True):
        axes[f"{side}_axis_type"] = "datetime" if kind == "time" else "linear"
    figure = new_figure(
        title=title, name=name, x_range=ranges[0], y_range=ranges[1], **size, **axes, **looks,
        active_scroll="wheel_zoom", min_border_bottom=60,
    )  # fmt: skip
    brushable(figure)
    figure.xgrid.visible = figure.ygrid.visible = False
    for numbers in figure.select(BasicTickFormatter):
        numbers.power_limit_high = DIGITS
    if raster.is_geographic:
        add_earth(figure, raster)
    if raster.lattice is None:
        figure.yaxis.visible = False
    if raster.entries:
        _name_entries(figure, raster.entries)
    return figure


def _name_entries(figure: Any, entries: Sequence[str]) -> None:
    """Put names along x, each where there is room for all."""
    if len(entries) <= MAX_NAMES:
        figure.xaxis.ticker = FixedTicker(ticks=list(range(len(entries))))
    figure.xaxis.major_label_overrides = dict(enumerate(entries))
    figure.xaxis.major_label_orientation = 1.0


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
    source = ColumnDataSource({"x": line[:, 0], "y": line[:, 1]}, name="coast")
    # Seen on dark and on light.
    for color, thickness in (("rgba(255,255,255,0.4)", 1.6), ("#222222", 0.8)):
        figure.line("x", "y", source=source, color=color, line_width=thickness)


def add_backdrop(figure: Any, backdrop: Backdrop) -> None:
    """Draw the image that windows were taken from."""
    x, y, width, height = backdrop.place.box
    greys = LinearColorMapper(palette="Greys256", low=0, high=255)
    figure.image(
        [backdrop.grey], x=x, y=y, dw=width, dh=height, color_mapper=greys, level="image",
        name="backdrop",
    )  # fmt: skip


def label_images(content: Content, number: int) -> ColumnDataSource:
    """Return the labels of a result as an image, and what the pointer says of all results."""
    images = {}
    for place, result in enumerate(content.results):
        none = len(result.flags.values)
        images[f"label{place}"] = [_on_raster(content.cells, result.position, none)]
        if result.membership is not None:
            images[f"membership{place}"] = [_on_raster(content.cells, result.membership, 0)]
    return ColumnDataSource({"image": images[f"label{number}"], **images})


def _on_raster(cells: Array, values: Array, empty: int) -> Array:
    return np.asarray(np.append(values, values.dtype.type(empty))[cells])  # -1 is the last


def opacity(content: Content) -> float:
    """Return how opaque labels are at first."""
    if content.backdrop is not None and not content.backdrop.separate:
        return 0.5
    return 0.85 if content.raster.is_geographic else 1.0


def draw_labels(
    figure: Any, raster: Raster, images: ColumnDataSource, mapper: LinearColorMapper, alpha: float
) -> Any:
    """Draw the labels, half transparent where there is something beneath them."""
    x, y, width, height = raster.box
    return figure.image(
        "image", x=x, y=y, dw=width, dh=height, source=images, color_mapper=mapper,
        global_alpha=alpha, level="image", name="labels",
    )  # fmt: skip


def draw_marks(figure: Any, marks: ColumnDataSource, mapper: LinearColorMapper) -> Any:
    """Draw windows at given positions, each a mark in the colour of its label."""
    size = float(np.clip(200 / np.sqrt(max(len(marks.data["x"]), 1)), 4, 10))
    return figure.scatter(
        "x", "y", source=marks, size=size, line_color="white", line_width=0.8,
        nonselection_line_alpha=0.1, name="marks",
        fill_color={"field": "label", "transform": mapper}, nonselection_fill_alpha=0.1,
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


def draw_here(figure: Any, here: ColumnDataSource, backdrop: Backdrop | None) -> None:
    """Mark the place of the sample, seen on dark and on light, and the reach of its window."""
    if backdrop is not None:
        width, height = backdrop.window
        for color, line in (("white", 3), ("black", 1)):
            figure.rect(
                "x", "y", width, height, source=here, line_color=color, line_width=line,
                fill_alpha=0,
            )  # fmt: skip
        return
    for color, size, thickness in (("white", 18, 4.0), ("black", 16, 1.5)):
        figure.scatter(
            "x", "y", source=here, marker="cross", size=size, line_color=color,
            line_width=thickness,
        )  # fmt: skip


def add_hover(figure: Any, labels: Any, raster: Raster, results: Sequence[Result]) -> None:
    """Say labels, memberships and place beside the pointer."""
    tips, formatters = [], {}
    sides = [""] if len(results) == 1 else ["left ", "right "]
    for number, (side, result) in enumerate(zip(sides, results, strict=True)):
        tips.append((f"{side}label", f"@label{number}{{custom}}"))
        formatters[f"@label{number}"] = name_of_label(result.flags)
        if result.membership is not None:
            tips.append((f"{side}membership", f"@membership{number}{{custom}}"))
            share = CustomJSHover(code="return (value / 254).toFixed(2);")
            formatters[f"@membership{number}"] = share
    for pointer, axis, kind in zip(("$x", "$y"), raster.names, raster.kinds, strict=True):
        if kind == "name":
            tips.append((axis, f"{pointer}{{custom}}"))
            formatters[pointer] = _nearest_name(raster.entries)
        elif axis:
            # A name of a time would look like a format.
            tips.append((axis, f"{pointer}{{{'%F %H:%M' if kind == 'time' else '%.5g'}}}"))
            formatters[pointer] = "datetime" if kind == "time" else "printf"
    figure.add_tools(HoverTool(renderers=[labels], tooltips=tips, formatters=formatters))


def _nearest_name(entries: Sequence[str]) -> CustomJSHover:
    code = "return entries[Math.round(value)] ?? '';"
    return CustomJSHover(args={"entries": list(entries)}, code=code)


def name_of_label(flags: Flags) -> CustomJSHover:
    """Return what turns the place of a label in the legend into its name."""
    code = "return names[value] ?? 'no label';"
    return CustomJSHover(args={"names": list(flags.names)}, code=code)


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
