"""Axes for figures of one or several panels."""

from __future__ import annotations

from typing import Any

Figsize = tuple[float, float] | None


def single_axes(ax: Any, figsize: Figsize = None) -> Any:
    """Return ``ax``, or the axes of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=figsize or (6.0, 4.0), layout="constrained")[1]


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
    """
    import matplotlib.pyplot as plt

    columns = col_wrap or panel_columns(n, 6 if panel[0] < panel[1] else 3)
    columns = min(columns, n)
    rows = -(-n // columns)
    width, height = panel
    _, axes = plt.subplots(
        rows,
        columns,
        figsize=figsize or (columns * width + 0.5, rows * height + 0.5),
        sharex=sharex,
        sharey=sharey,
        squeeze=False,
        layout="constrained",
    )
    for left_over in axes.flat[n:]:
        left_over.set_visible(False)
    for above in axes.flat[max(n - columns, 0) : n]:
        above.tick_params(labelbottom=True)
    return list(axes.flat[:n])


def outer_labels(axes: list[Any], x: str, y: str) -> None:
    """Write what the axes of a grid of panels are, once for all of them."""
    figure = axes[0].figure
    figure.supxlabel(x, fontsize="medium")
    figure.supylabel(y, fontsize="medium")
