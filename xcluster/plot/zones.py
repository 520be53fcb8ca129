"""How much of each zone each label covers: a bar for each zone, in the colours of the labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.errors import TooFewError
from xcluster.plot.flags import flags_of_centers
from xcluster.plot.panels import named_places, single_axes
from xcluster.plot.style import legend as named_colors
from xcluster.plot.text import in_lines, name_of, with_units

# Inches: of a bar, and of all of them above each other.
BAR, HIGHEST = 0.28, 11.0


def zones(
    table: xr.DataArray,
    *,
    shares: bool = True,
    largest: int = 40,
    legend: bool = True,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
) -> Any:
    """Draw a bar for each zone, whose parts are the labels.

    Parameters
    ----------
    table : DataArray
        Areas or samples over (``zone``, ``label``). Zones are named by the coordinate
        ``zone_name`` where it has one; names and colours of labels are those of its flags.
    shares : bool, default True
        Whether all bars are equally long, and parts are shares of the zone; else they are areas.
    largest : int, default 40
        How many zones are drawn: those where the labels cover most, in the order of the table.
    legend : bool, default True
        Whether the names of the labels stand beside the bars.
    ax : matplotlib Axes, optional
        By default a new figure is made.
    figsize : tuple of float, optional
        In inches.

    Returns
    -------
    list of matplotlib Rectangle
        Zone by zone for the first label, then for the next one.

    Examples
    --------
    >>> import xarray as xr
    >>> from xcluster.plot.zones import zones
    >>> da = xr.DataArray([[3.0, 1], [0, 5]], {"zone": [7, 8], "label": [0, 1]}, ("zone", "label"))
    >>> [float(bar.get_width()) for bar in zones(da)]
    [0.75, 0.0, 0.25, 1.0]
    """
    table = table.transpose("zone", "label")
    total, flags = table.values.sum(axis=1, dtype=np.float64), flags_of_centers(table)
    if not (total > 0).any():
        rule = "holds no sample with a label"
        raise TooFewError("by", f"{len(total)} zones", rule, "pass zones where there are labels")
    drawn = np.sort(np.argsort(-total, kind="stable")[:largest])
    values = table.values[drawn] / np.where(shares & (total > 0), total, 1)[drawn, None]
    size = 7.0, min(1.0 + BAR * max(len(drawn), 3), HIGHEST)
    ax = single_axes(ax, figsize, size)
    starts = np.cumsum(values, axis=1) - values
    bars = [
        bar
        for width, left, color in zip(values.T, starts.T, flags.colors, strict=True)
        for bar in ax.barh(np.arange(len(drawn)), width, left=left, color=color)
    ]
    said = f"share of {name_of(table)}" if shares else with_units(table)
    ax.set(ylim=(len(drawn) - 0.5, -0.5), xlim=(0, 1 if shares else None), xlabel=said)
    _name_zones(ax, _names(table), drawn)
    if legend:
        named_colors([ax], flags.names, flags.colors)
    return bars


def _names(table: xr.DataArray) -> list[str]:
    return [str(each) for each in table.coords.get("zone_name", table["zone"]).values.tolist()]


def _name_zones(ax: Any, names: list[str], drawn: Array) -> None:
    """Write the names of the zones that are drawn, and how many there are if these are not all."""
    places = named_places(len(drawn))
    ax.set_yticks(places, [in_lines(names[drawn[place]]) for place in places])
    ax.tick_params(axis="y", length=0)
    if len(drawn) < len(names):
        ax.set_ylabel(f"the largest {len(drawn):,} of {len(names):,} zones")
