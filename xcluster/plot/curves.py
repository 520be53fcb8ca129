"""Criteria over the number of labels, and shares of variance over components."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import xarray as xr

from xcluster.plot.panels import panel_grid, single_axes
from xcluster.plot.text import dim_text, with_units

LINE = "#0072b2"
CHOICE = "#d55e00"

# Characters beside one panel of several.
PANEL_TEXT = 28


def criterion(
    da: xr.DataArray,
    chosen: int | None = None,
    *,
    error: xr.DataArray | None = None,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    **kwargs: Any,
) -> Any:
    """Draw a criterion over the number of labels, and mark the number that was chosen.

    Parameters
    ----------
    da : DataArray
        Over ``k``.
    chosen : int, optional
        The k to mark.
    error : DataArray, optional
        Over ``k``: half the length of error bars.
    ax : matplotlib Axes, optional
        By default a new figure is made.
    figsize : tuple of float, optional
        In inches.
    **kwargs
        To ``Axes.plot``.

    Returns
    -------
    matplotlib Line2D

    Examples
    --------
    >>> import xarray as xr
    >>> from xcluster.plot.curves import criterion
    >>> curve = xr.DataArray([9.0, 3.0, 2.5], {"k": [2, 3, 4]}, "k", name="distortion")
    >>> criterion(curve, 3).axes.get_legend().get_texts()[0].get_text()
    'k = 3'
    """
    ax = single_axes(ax, figsize)
    look = {"color": LINE, "marker": "o", "markersize": 4, **kwargs}
    (line,) = ax.plot(da["k"].values, da.values, **look)
    if error is not None:
        ax.errorbar(da["k"].values, da.values, yerr=error.values, fmt="none", ecolor=LINE)
    if chosen is not None:
        ax.axvline(chosen, color=CHOICE, linestyle="--", linewidth=1.2, label=f"k = {chosen}")
        if chosen in da["k"].values:
            ax.plot(chosen, da.sel(k=chosen), "o", color=CHOICE, markersize=8, zorder=3)
        ax.legend(frameon=False)
    ax.set(xlabel=_k_text(da), ylabel=with_units(da))
    _whole_numbers(ax)
    return line


def criteria(
    ds: xr.Dataset,
    chosen: Mapping[str, int] | None = None,
    *,
    ax: Any = None,
    col_wrap: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Any]:
    """Draw one panel per criterion.

    Parameters
    ----------
    ds : Dataset
        Criteria over ``k``. A variable ``<name>_error`` becomes error bars of ``<name>``.
    chosen : mapping, optional
        The k to mark, by the name of the criterion.
    ax : sequence of matplotlib Axes, optional
        One per panel; by default a new figure is made.
    col_wrap : int, optional
        Number of panels in a row; by default at most 3.
    figsize : tuple of float, optional
        In inches.

    Returns
    -------
    list of matplotlib Axes

    Examples
    --------
    >>> import xarray as xr
    >>> from xcluster.plot.curves import criteria
    >>> ds = xr.Dataset({"bic": ("k", [9.0, 5.0, 6.0])}, {"k": [2, 3, 4]})
    >>> len(criteria(ds, {"bic": 3}))
    1
    """
    chosen = chosen or {}
    errors = {str(name) for name in ds if str(name).removesuffix("_error") in set(ds) - {name}}
    names = [str(name) for name in ds if ds[name].dims == ("k",) and str(name) not in errors]
    axes = panel_grid(len(names), (3.4, 2.4), col_wrap, figsize, ax=ax, sharey=False)
    for panel, name in zip(axes, names, strict=True):
        criterion(ds[name], chosen.get(name), error=ds.get(f"{name}_error"), ax=panel)
        panel.set_ylabel(fill(panel.get_ylabel(), PANEL_TEXT))
    return axes


def scree(
    explained_variance_ratio: xr.DataArray,
    *,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
) -> Any:
    """Draw the share of variance of each component as bars, and the sum up to it as a line.

    Parameters
    ----------
    explained_variance_ratio : DataArray
        Over ``component``, as shares of 1. Without a coordinate, components are numbered from 0.
    ax : matplotlib Axes, optional
        By default a new figure is made.
    figsize : tuple of float, optional
        In inches.

    Returns
    -------
    matplotlib BarContainer

    Examples
    --------
    >>> import xarray as xr
    >>> from xcluster.plot.curves import scree
    >>> len(scree(xr.DataArray([0.7, 0.2, 0.1], dims="component")))
    3
    """
    ax = single_axes(ax, figsize)
    shares = 100 * explained_variance_ratio.values
    numbers = explained_variance_ratio["component"].values
    bars = ax.bar(numbers, shares, color=LINE, width=0.8, label="of this component")
    ax.plot(numbers, shares.cumsum(), "o-", color=CHOICE, markersize=4, label="up to here")
    ax.set(xlabel="component", ylabel="explained variance [%]", ylim=(0, 105))
    ax.legend(frameon=False, loc="center right")
    _whole_numbers(ax)
    return bars


def _k_text(da: xr.DataArray) -> str:
    return dim_text(da, "k") if "long_name" in da["k"].attrs else "number of labels k"


def _whole_numbers(ax: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
