"""The axes of a reduced space in the coordinates of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.errors import BadValueError
from xcluster.base.palette import label_colors
from xcluster.plot.elements import draw_lines, refuse_lines
from xcluster.plot.maps import map as draw_map
from xcluster.plot.matrices import features
from xcluster.plot.panels import panel_grid
from xcluster.plot.profiles import centers as draw_curves
from xcluster.plot.style import legend as draw_legend
from xcluster.plot.text import is_vertical, name_of


def loadings(
    ds: xr.Dataset,
    *,
    at_most: int = 10,
    lines: str | Sequence[str] | None = None,
    ax: Any = None,
    col_wrap: int | None = None,
    figsize: tuple[float, float] | None = None,
    **kwargs: Any,
) -> Any:
    """Draw the axes of a reduced space: curves, maps, or a table.

    Parameters
    ----------
    ds : Dataset
        Over ``component`` and the feature dims.
    at_most : int, default 10
        The most components drawn.
    lines : str or sequence of str, optional
        Elements whose lines are drawn on curves, as of `xcluster.plot.profiles.centers`.
    ax : matplotlib Axes or sequence of them, optional
        One for a table, one per variable for curves; by default a new figure is made.
    col_wrap : int, optional
        Number of panels in a row.
    figsize : tuple of float, optional
        In inches.
    **kwargs
        To ``Axes.plot`` for curves, `xcluster.plot.maps.map` for maps, ``Axes.imshow`` for a
        table.

    Returns
    -------
    list of matplotlib Axes
        One per variable, where variables have one feature dim.
    xarray.plot.FacetGrid
        One map per component, where the first variable has two.
    matplotlib AxesImage
        One row per component and one column per variable, where they have none.

    Examples
    --------
    >>> import xcluster
    >>> from xcluster.plot.loadings import loadings
    >>> samples = xcluster.datasets.tomography().cluster.profiles("depth", every=4).pca(2)
    >>> len(loadings(samples.loadings())[0].lines)
    2
    """
    ds = ds.isel(component=slice(at_most))
    of_panels = {"col_wrap": col_wrap, "ax": ax, "figsize": figsize}
    curves = [array for array in ds.data_vars.values() if array.ndim == 2]
    if curves:
        return _curves(curves, lines, of_panels, kwargs)
    refuse_lines(lines)
    fields = [array for array in ds.data_vars.values() if array.ndim == 3]
    if fields:
        return _fields(fields[0], of_panels, kwargs)
    if col_wrap is not None:
        rule = "no variable has a feature dim, and the loadings are one table"
        raise BadValueError("col_wrap", col_wrap, rule, "leave it out")
    return _table(ds, {"ax": ax, "figsize": figsize, **kwargs})


def _curves(
    curves: list[xr.DataArray], lines: Any, of_panels: dict[str, Any], kwargs: dict[str, Any]
) -> list[Any]:
    (dim,) = [dim for dim in curves[0].dims if dim != "component"]
    size = (3.6, 4.2) if is_vertical(curves[0], dim) else (4.8, 2.8)
    axes = panel_grid(len(curves), size, **of_panels, sharex=False, sharey=False)
    for ax, array in zip(axes, curves, strict=True):
        named = array.reset_coords(drop=True).rename(component="label")
        named.attrs = {"long_name": f"loading of {name_of(array)}"}
        draw_curves(named, ax=ax, legend=False, **kwargs)
    names = [f"component {number}" for number in curves[0]["component"].values]
    draw_legend(axes[-1:], names, label_colors(len(names)))
    for ax, array in zip(axes, curves, strict=True):
        draw_lines([ax], array, next(each for each in array.dims if each != "component"), lines)
    return axes


def _table(ds: xr.Dataset, kwargs: dict[str, Any]) -> Any:
    values = np.stack([array.values for array in ds.data_vars.values()], axis=1)
    coords = {"component": ds["component"].values, "variable": list(map(str, ds.data_vars))}
    table = xr.DataArray(values, coords, ("component", "variable"), name="loading")
    limit = float(abs(table).max()) or 1.0
    looks = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit, "scaled": False, **kwargs}
    image = features(table, **looks)
    image.axes.set_ylabel("component")
    return image


def _fields(field: xr.DataArray, of_panels: dict[str, Any], kwargs: dict[str, Any]) -> Any:
    named = field.assign_attrs(long_name="loading", units="1")
    limit = float(abs(named).max()) or 1.0
    looks = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit, **of_panels, **kwargs}
    looks["col_wrap"] = looks["col_wrap"] or min(3, field.sizes["component"])
    return draw_map(named, col="component", **looks)
