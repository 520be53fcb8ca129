"""Axes for figures of one or several panels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.plot.text import in_lines

Figsize = tuple[float, float] | None

# Width of a character of tick labels, in inches.
CHARACTER = 0.083

# More names than this do not fit along one axis.
NAMES_MAX = 40


def single_axes(ax: Any, figsize: Figsize, size: tuple[float, float] = (6.0, 4.0)) -> Any:
    """Return ``ax``, or the axes of a new figure, of ``size`` by default."""
    if ax is not None:
        refuse_size(figsize)
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=figsize or size, layout="constrained")[1]


def refuse_size(figsize: Figsize) -> None:
    """Refuse the size of a figure where axes are given, as these have one already."""
    if figsize is not None:
        rule = "axes are given, and they have the size of their figure"
        raise BadValueError("figsize", figsize, rule, "pass either ax or figsize")


def named_places(n: int) -> NDArray[np.intp]:
    """Return which of ``n`` entries along an axis are named: evenly spaced ones of too many."""
    return np.arange(0, n, -(-n // NAMES_MAX) or 1)


def write_places(axis: Any, entries: Array) -> None:
    """Write dates at round places, and names where they stand; numbers are written already."""
    if entries.dtype.kind == "M":
        write_dates(axis)
    elif entries.dtype.kind not in "iufb":
        names = [str(entry).removesuffix(" 00:00:00") for entry in entries]
        long = axis.axis_name == "x" and max(map(len, names), default=0) > 4
        places = named_places(len(names))
        axis.set_ticks(places, [names[at] for at in places], rotation=90 if long else 0)


def days_of(dates: Array) -> Array:
    """Return dates as the days that matplotlib counts; NaN where one is missing."""
    from matplotlib.dates import date2num

    return np.asarray(date2num(dates))  # type: ignore[no-untyped-call]


def write_dates(axis: Any, **ticks: int) -> None:
    """Write dates at round places: each says what differs from the one before."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(**ticks)  # type: ignore[no-untyped-call]
    axis.set_major_locator(locator)
    axis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def panel_columns(n: int, at_most: int = 6) -> int:
    """Return how many columns ``n`` panels stand in, so that rows are as full as can be."""
    rows = -(-n // at_most)
    return -(-n // rows) if n else 1


def panel_grid(
    n: int,
    panel: tuple[float, float],
    col_wrap: int | None = None,
    figsize: Figsize = None,
    *,
    ax: Any = None,
    sharex: bool = True,
    sharey: bool = True,
) -> list[Any]:
    """Return ``n`` axes of a new figure that share their scales, those left over being hidden.

    Parameters
    ----------
    n
        Number of panels.
    panel
        Width and height of one, in inches.
    ax
        Axes to use instead, at least ``n``.
    """
    import matplotlib.pyplot as plt

    if ax is not None:
        return _given(ax, n, col_wrap, figsize)
    columns = min(col_wrap or panel_columns(n, 6 if panel[0] < panel[1] else 3), n)
    rows = -(-n // columns)
    size = figsize or (columns * panel[0] + 0.5, rows * panel[1] + 0.5)
    looks: Any = {"sharex": sharex, "sharey": sharey, "layout": "constrained"}
    _, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **looks)
    for left_over in axes.flat[n:]:
        left_over.set_visible(False)
    for above in axes.flat[max(n - columns, 0) : n]:
        above.tick_params(labelbottom=True)
    return list(axes.flat[:n])


def _given(ax: Any, n: int, col_wrap: int | None, figsize: Figsize) -> list[Any]:
    refuse_size(figsize)
    axes = list(np.ravel(np.asarray(ax, dtype=object)))
    if len(axes) < n:
        remedy = "pass that many, as plt.subplots() returns them"
        raise BadValueError("ax", len(axes), f"there are {n} panels", remedy)
    if col_wrap is not None:
        raise BadValueError("col_wrap", col_wrap, "axes are given", "pass either of them")
    return axes[:n]


def outer_labels(axes: list[Any], x: str, y: str, *, given: bool = False) -> None:
    """Write what the axes of a grid of panels are: once for all, on each where they are given."""
    x, y = in_lines(x), in_lines(y)
    if given:
        for ax in axes:
            ax.set(xlabel=x, ylabel=y)
        return
    figure = axes[0].figure
    figure.supxlabel(x, fontsize="medium")
    figure.supylabel(y, fontsize="medium")
