"""How values become colours, and what explains the colours: a legend or a colour bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.plot.flags import Flags, flags_of, has_flags
from xcluster.plot.panels import days_of, write_dates
from xcluster.plot.text import in_lines, name_of, with_units

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More labels than this make a longer legend than a figure; a bar of colours is shorter.
LEGEND_MAX = 40
LEGEND_ROWS = 20

# A scale is symmetric about zero where the shorter side has at least this part of the longer.
BOTH_SIDES = 0.25


def style_of(da: xr.DataArray, cmap: Any = None, **limits: Any) -> Style:
    """Return the style of a label map, which has no limits, or of any other variable."""
    if has_flags(da):
        for name, limit in limits.items():
            if limit is not None:
                rule = "labels have one colour each, and no scale between them"
                remedy = "leave it out; relabel(colors=...) or cmap= change their colours"
                raise BadValueError(name, limit, rule, remedy)
        return LabelStyle(flags_of(da), name_of(da), cmap)
    if np.issubdtype(da.dtype, np.bool_):
        da = da.astype(np.uint8)
    dates = da.dtype.kind == "M"
    values = days_of(da.values) if dates else np.asarray(da.values, dtype=float)
    return ScalarStyle(cmap, limits or _limits(values, cmap), with_units(da), dates=dates)


@dataclass(frozen=True, eq=False)
class LabelStyle:
    """One colour per label, explained by a legend."""

    flags: Flags
    title: str
    cmap: Any = None

    @property
    def keywords(self) -> Mapping[str, Any]:
        """One step of the colour map to each label."""
        from matplotlib.colors import ListedColormap

        n = max(len(self.flags.values), 1)
        return {"cmap": ListedColormap(self.colors or ["none"]), "vmin": -0.5, "vmax": n - 0.5}

    @property
    def colors(self) -> list[Any]:
        """The colours of the labels: their own, or those of ``cmap``."""
        if self.cmap is None:
            return list(self.flags.colors)
        return _take_colors(self.cmap, len(self.flags.values))

    def values(self, da: xr.DataArray) -> NDArray[np.float32]:
        """Return the place of each label in the legend."""
        return self.flags.positions(da.values)

    def explain(self, artist: Any, axes: Sequence[Axes]) -> Any:
        """Draw the names outside the axes; a bar where there are very many."""
        return legend(axes, self.flags.names, self.colors, artist)


@dataclass(frozen=True, eq=False)
class ScalarStyle:
    """A continuous scale, explained by a colour bar."""

    cmap: Any
    limits: Mapping[str, Any]
    label: str
    title: str = ""
    dates: bool = False

    @property
    def keywords(self) -> Mapping[str, Any]:
        """Colour map and limits."""
        default = "RdBu_r" if _is_symmetric(self.limits) else "viridis"
        return {"cmap": self.cmap or default, **self.limits}

    def values(self, da: xr.DataArray) -> Array:
        """Return the values themselves; of dates, days."""
        if self.dates:
            return np.ma.masked_invalid(days_of(da.values))
        return np.ma.masked_invalid(np.asarray(da.values, dtype=float))

    def explain(self, artist: Any, axes: Sequence[Axes]) -> Any:
        """Draw a colour bar with name and units, or with dates."""
        bar = color_bar(artist, axes, self.label)
        if self.dates:
            write_dates(bar.ax.yaxis)
        return bar


Style = LabelStyle | ScalarStyle
"""What a map needs to know about colours."""


def _limits(values: Array, cmap: Any) -> dict[str, float]:
    """Return the range of the data, symmetric about zero where it lies well on both sides."""
    values = values[np.isfinite(values)]
    if not values.size:
        return {"vmin": 0.0, "vmax": 1.0}
    low, high = float(values.min()), float(values.max())
    if min(-low, high) > BOTH_SIDES * max(-low, high) and cmap is None:
        low, high = -max(-low, high), max(-low, high)
    return {"vmin": low, "vmax": high}


def _is_symmetric(limits: Mapping[str, Any]) -> bool:
    low, high = limits.get("vmin"), limits.get("vmax")
    return low is not None and high is not None and low < 0 and low == -high


def _take_colors(cmap: Any, n: int) -> list[Any]:
    """Return the first ``n`` colours of a list, or ``n`` along a scale."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    found = colormaps[cmap] if isinstance(cmap, str) else cmap
    if n > found.N:
        rule = f"has {found.N} colours for {n} labels"
        raise BadValueError("cmap", found.name, rule, "leave it out or pass a longer one")
    is_list = isinstance(found, ListedColormap) and found.N < 256
    return list(found(np.arange(n) if is_list else np.linspace(0, 1, max(n, 2))[:n]))


def legend(
    axes: Sequence[Axes], names: Sequence[str], colors: Sequence[Any], artist: Any = None
) -> Any:
    """Draw names beside colours, to the right of one axes or of a figure of several.

    Very many become a bar, of ``artist`` where one maps places in the list to colours.
    """
    from matplotlib.patches import Patch

    if len(names) > LEGEND_MAX:
        return _name_bar(axes, names, artist or _places(colors))
    handles = [
        Patch(facecolor=color, edgecolor="0.3", linewidth=0.4, label=name)
        for name, color in zip(names, colors, strict=True)
    ]
    columns = -(-len(handles) // LEGEND_ROWS) or 1
    looks = {"handles": handles, "frameon": False, "ncols": columns, "handlelength": 1.2}
    if len(axes) > 1 or hasattr(axes[0], "zaxis"):  # names of three axes stand out from their box
        return axes[0].figure.legend(loc="outside right upper", **looks)
    return axes[0].legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0, **looks)


def _name_bar(axes: Sequence[Axes], names: Sequence[str], artist: Any) -> Any:
    bar = color_bar(artist, axes, "label")
    ticks = np.unique(np.linspace(0, len(names) - 1, 11).astype(int))
    bar.set_ticks(ticks, labels=[names[tick] for tick in ticks])
    return bar


def _places(colors: Sequence[Any]) -> Any:
    """Return what maps places in a list to its colours."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, NoNorm

    return ScalarMappable(NoNorm(0, len(colors) - 1), ListedColormap(list(colors)))


def bold_line(ax: Any, x: Any, y: Any, color: str) -> None:
    """Draw a bold line, outlined so that it stands out from thin ones of its colour."""
    from matplotlib.patheffects import withStroke

    outline = [withStroke(linewidth=3.2, foreground="0.1")]
    ax.plot(x, y, color=color, linewidth=2.2, path_effects=outline, zorder=3)


def scaled(rows: Array) -> NDArray[np.float64]:
    """Return columns from 0, the least value of each, to 1, the greatest."""
    if not np.isfinite(rows).any():
        return np.asarray(rows, dtype=float)
    low, high = np.nanmin(rows, axis=0), np.nanmax(rows, axis=0)
    return np.asarray((rows - low) / np.where(high > low, high - low, 1.0), dtype=float)


def is_light(colors: Any) -> NDArray[np.bool_]:
    """Whether black is read better than white on each colour, shape (..., 3) or (..., 4)."""
    channels: NDArray[np.float64] = np.asarray(colors, dtype=float)[..., :3]
    return np.asarray(channels @ [0.299, 0.587, 0.114] > 0.5)


def color_bar(artist: Any, axes: Sequence[Axes], label: str) -> Any:
    """Draw a colour bar exactly as high as one axes, or beside all axes of a figure."""
    figure, label = axes[0].figure, in_lines(label)
    if len(axes) > 1:
        return figure.colorbar(artist, ax=list(axes), label=label, shrink=0.8, pad=0.02)
    if hasattr(axes[0], "zaxis"):
        return figure.colorbar(artist, ax=axes[0], label=label, shrink=0.8, pad=0.12)
    return figure.colorbar(artist, cax=axes[0].inset_axes((1.03, 0.0, 0.035, 1.0)), label=label)
