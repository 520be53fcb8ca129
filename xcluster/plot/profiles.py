"""Profiles, spectra and other curves by label."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.grid.levels import positions
from xcluster.plot.elements import draw_lines
from xcluster.plot.flags import flags_of, flags_of_centers
from xcluster.plot.panels import days_of, outer_labels, panel_grid, single_axes, write_dates
from xcluster.plot.style import bold_line
from xcluster.plot.style import legend as draw_legend
from xcluster.plot.text import dim_text, in_lines, is_depth, is_vertical, with_units

MEMBERS = 200


def profiles(
    data: xr.DataArray,
    labels: xr.DataArray,
    centers: xr.DataArray | None = None,
    *,
    members: int = MEMBERS,
    quantiles: tuple[float, float] | None = (0.05, 0.95),
    lines: str | Sequence[str] | None = None,
    ax: Any = None,
    col_wrap: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Any]:
    """Draw one panel per label: its members, their quantile band, and its centre.

    Parameters
    ----------
    data : DataArray
        The curves, over the dims of ``labels`` and one more, in any order.
    labels : DataArray
        The label of each curve. Names and colours come from its flags.
    centers : DataArray, optional
        Over ``label`` and the curves' dim, which may have other levels than the data; by default
        the means of the members.
    members : int, default 200
        The most members drawn in a panel, evenly spaced among all. The band and the count always
        include all members.
    quantiles : tuple of float, optional
        Limits of the band; None leaves it out.
    lines : str or sequence of str, optional
        Elements, such as ``["O", "Fe"]``, whose K, L and M lines are drawn on spectra; needs
        energies in eV or keV, and xraydb (of the extra ``microscopy``). Along energy losses
        these are edges.
    ax : sequence of matplotlib Axes, optional
        One per panel; by default a new figure is made.
    col_wrap : int, optional
        Number of panels in a row; by default 1 to 6, by the number of labels.
    figsize : tuple of float, optional
        In inches.

    Returns
    -------
    list of matplotlib Axes
        One per label, -1 included where samples have it. Depth and pressure increase downwards,
        dates to the right.

    Raises
    ------
    ValueError
        If ``data`` does not have exactly one dim more than ``labels``, an element is unknown, or
        lines are asked for along an axis without energies.

    Examples
    --------
    >>> import xcluster.datasets
    >>> from xcluster.plot.profiles import profiles
    >>> vs = xcluster.datasets.tomography().vs
    >>> fast = (vs.sel(depth=10) > 3.5).astype(float)
    >>> [ax.get_title() for ax in profiles(vs, fast)]
    ['0 (n = 5,481)', '1 (n = 296)']
    """
    dim = _curve_dim(data, labels)
    curves = data.transpose(*labels.dims, dim).compute()
    values = curves.values.reshape(-1, curves.sizes[dim])
    of_sample = np.asarray(labels.values).reshape(-1)
    flags = flags_of(labels)
    upright = is_vertical(data, dim)
    panel = (1.9, 3.2) if upright else (3.0, 2.0)
    axes = panel_grid(max(len(flags.values), 1), panel, col_wrap, figsize, ax=ax)
    levels = _levels(data, dim)
    for own, label, name, color in zip(axes, flags.values, flags.names, flags.colors, strict=False):
        chosen = values[of_sample == label]
        drawing = _Curves(own, upright, color)
        drawing.members(levels, chosen[_spread(len(chosen), members)])
        if quantiles is not None:
            drawing.band(levels, chosen, quantiles)
        drawing.center(*_center(centers, int(label), levels, chosen, dim))
        own.set_title(f"{name} (n = {len(chosen):,})", fontsize="medium")
    _direct(axes, data, dim, upright)
    sides = with_units(data), dim_text(data, dim)
    outer_labels(axes, *(sides if upright else sides[::-1]), given=ax is not None)
    draw_lines(axes, data, dim, lines)
    return axes


def centers(
    centers: xr.DataArray,
    *,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    legend: bool = True,
    lines: str | Sequence[str] | None = None,
    **kwargs: Any,
) -> list[Any]:
    """Draw all centres in one panel, one curve per label.

    Parameters
    ----------
    centers : DataArray
        Over ``label`` and one more dim. Names come from the coordinate ``label_name``, or names
        and colours from flags on ``label``.
    ax : matplotlib Axes, optional
        By default a new figure is made.
    figsize : tuple of float, optional
        In inches.
    legend : bool, default True
        Whether to name the labels beside the curves.
    lines : str or sequence of str, optional
        Elements, such as ``["O", "Fe"]``, whose K, L and M lines are drawn on spectra; needs
        energies in eV or keV, and xraydb (of the extra ``microscopy``). Along energy losses
        these are edges.
    **kwargs
        To ``Axes.plot``.

    Returns
    -------
    list of matplotlib Line2D

    Raises
    ------
    ValueError
        If ``centers`` does not have exactly one dim beside ``label``, an element is unknown, or
        lines are asked for along an axis without energies.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xcluster.plot.profiles import centers
    >>> curves = xr.DataArray(np.arange(8.0).reshape(2, 4), dims=("label", "depth"))
    >>> len(centers(curves))
    2
    """
    dim = _curve_dim(centers, centers["label"])
    flags = flags_of_centers(centers)
    upright = is_vertical(centers, dim)
    ax = single_axes(ax, figsize, (4.5, 5.0) if upright else (7.0, 4.0))
    levels = _levels(centers, dim)
    rows = centers.transpose("label", dim).values
    drawn = []
    for values, name, color in zip(rows, flags.names, flags.colors, strict=True):
        xy = (values, levels) if upright else (levels, values)
        drawn += ax.plot(*xy, **{"color": color, "linewidth": 2.0, "label": name, **kwargs})
    _direct([ax], centers, dim, upright)
    sides = in_lines(with_units(centers)), in_lines(dim_text(centers, dim))
    ax.set(**dict(zip(("xlabel", "ylabel"), sides if upright else sides[::-1], strict=True)))
    if legend:
        draw_legend([ax], flags.names, flags.colors)
    draw_lines([ax], centers, dim, lines)
    return drawn


class _Curves:
    """Curves of one label, along a vertical or a horizontal axis."""

    def __init__(self, ax: Any, upright: bool, color: str) -> None:
        self.ax, self.upright, self.color = ax, upright, color

    def members(self, levels: Array, values: Array) -> None:
        """Draw each row as a thin line, fainter where there are many."""
        from matplotlib.collections import LineCollection

        along = np.broadcast_to(levels, values.shape)
        points = np.stack([values, along] if self.upright else [along, values], axis=-1)
        alpha = float(np.clip(8 / max(len(values), 1), 0.08, 0.5))
        lines = LineCollection(list(points), colors=self.color, linewidths=0.5, alpha=alpha)
        self.ax.add_collection(lines)
        self.ax.autoscale_view()

    def band(self, levels: Array, values: Array, quantiles: tuple[float, float]) -> None:
        """Shade what lies between two quantiles of the rows."""
        filled = np.isfinite(values).any(axis=0)
        if not filled.any():
            return
        low, high = np.nanquantile(values[:, filled], quantiles, axis=0)
        fill = self.ax.fill_betweenx if self.upright else self.ax.fill_between
        fill(levels[filled], low, high, color=self.color, alpha=0.3, linewidth=0, zorder=2)

    def center(self, levels: Array, values: Array) -> None:
        """Draw one bold line."""
        xy = (values, levels) if self.upright else (levels, values)
        bold_line(self.ax, *xy, self.color)


def _curve_dim(data: xr.DataArray, labels: xr.DataArray) -> Hashable:
    left = [dim for dim in data.dims if dim not in labels.dims]
    if len(left) == 1 and set(labels.dims) <= set(data.dims):
        return left[0]
    rule = f"must have the dims of the labels {tuple(map(str, labels.dims))} and one more"
    remedy = "draw a map of labels that have no curves, or choose one variable and one dim"
    raise BadValueError("dims", tuple(map(str, data.dims)), rule, remedy)


def _levels(data: xr.DataArray, dim: Hashable) -> Array:
    """Return the positions along ``dim``: of dates, days; of other names, their numbers."""
    values = data[dim].values
    if values.dtype.kind == "M":
        return days_of(values)
    if (epoch := _epoch(data, dim)) is not None:
        return positions(values, epoch) / 86_400
    return values if values.dtype.kind in "iuf" else np.arange(len(values))


def _epoch(data: xr.DataArray, dim: Hashable) -> Any:
    """Return what dates that only cftime has are counted from; None for all else."""
    index = data.indexes.get(dim)
    if not isinstance(index, xr.CFTimeIndex):
        return None
    midnight = dict.fromkeys(("hour", "minute", "second", "microsecond"), 0)
    return index[0].replace(year=2000, month=1, day=1, **midnight)


def _spread(n: int, at_most: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, max(n - 1, 0), min(n, at_most)).astype(np.intp))


def _center(
    centers: xr.DataArray | None, label: int, levels: Array, members: Array, dim: Hashable
) -> tuple[Array, Array]:
    """Return levels and values of a centre: the mean of the members where none is given."""
    if centers is not None and label in centers["label"].values:
        return _levels(centers, dim), centers.sel(label=label).values
    count = np.isfinite(members).sum(axis=0)
    return levels, np.where(count > 0, np.nansum(members, axis=0) / np.maximum(count, 1), np.nan)


def _direct(axes: Sequence[Any], data: xr.DataArray, dim: Hashable, upright: bool) -> None:
    """Fit the axis along the curves to its levels, downwards for depth, and write names on it."""
    levels = _levels(data, dim)
    ends = (levels.min(), levels.max())
    for ax in axes:
        if upright:
            ax.set_ylim(*(ends[::-1] if is_depth(data, dim) else ends))
        elif len(levels) > 1:
            ax.set_xlim(*ends)
        axis = ax.yaxis if upright else ax.xaxis
        if data[dim].dtype.kind == "M":
            axis.axis_date()
            write_dates(axis, minticks=3, maxticks=5)
        elif (epoch := _epoch(data, dim)) is not None:
            _write_calendar(axis, epoch, 24 * float(ends[1] - ends[0]))
        elif data[dim].dtype.kind not in "iuf":
            ax.set_xticks(levels, [str(value) for value in data[dim].values], rotation=90)


def _write_calendar(axis: Any, epoch: Any, hours: float) -> None:
    """Write dates that matplotlib does not know, in full and so at very few places."""
    from matplotlib.ticker import MaxNLocator, MultipleLocator

    def said(days: float, _: object = None) -> str:
        date = epoch + dt.timedelta(days=days)
        return str(date.strftime("%Y-%m-%d\n%H:%M")).removesuffix("\n00:00")

    # Days are parted into tenths otherwise, which are no times that one would name.
    apart = [each for each in (1, 3, 6, 12, 24, 48) if 2 <= hours < 3 * each]
    axis.set_major_locator(MultipleLocator(apart[0] / 24) if apart else MaxNLocator(3))
    axis.set_major_formatter(said)
