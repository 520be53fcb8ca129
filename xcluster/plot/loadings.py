"""The axes of a reduced space in the coordinates of the data."""

from __future__ import annotations

from typing import Any

import xarray as xr

from xcluster.palette import label_colors
from xcluster.plot.matrices import features
from xcluster.plot.panels import panel_grid
from xcluster.plot.profiles import centers as draw_curves
from xcluster.plot.style import legend as draw_legend


def loadings(
    ds: xr.Dataset,
    *,
    at_most: int = 10,
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
    col_wrap : int, optional
        Number of panels in a row.
    figsize : tuple of float, optional
        In inches.
    **kwargs
        To `xcluster.plot.maps.map`, or to ``Axes.imshow`` for a table.

    Returns
    -------
    list of matplotlib Axes
        One a variable with curves, where variables have one feature dim.
    xarray.plot.FacetGrid
        One map a component, where the first variable has two.
    matplotlib AxesImage
        Variables by components, where they have none.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import xcluster
    >>> from xcluster.plot.loadings import loadings
    >>> samples = xcluster.datasets.tomography().cluster.profiles("depth", every=4).pca(2)
    >>> len(loadings(samples.loadings())[0].lines)
    2
    """
    ds = ds.isel(component=slice(at_most))
    curves = [array for array in ds.data_vars.values() if array.ndim == 2]
    if curves:
        return _curves(curves, col_wrap, figsize)
    fields = [array for array in ds.data_vars.values() if array.ndim == 3]
    if fields:
        return _fields(fields[0], col_wrap, figsize, kwargs)
    table = ds.to_array("variable").transpose("component", "variable")
    limit = float(abs(table).max()) or 1.0
    looks = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit, "scaled": False, **kwargs}
    image = features(table.rename("loading"), figsize=figsize, **looks)
    image.axes.set_ylabel("component")
    return image


def _curves(
    curves: list[xr.DataArray], col_wrap: int | None, figsize: tuple[float, float] | None
) -> list[Any]:
    axes = panel_grid(len(curves), (3.6, 4.2), col_wrap, figsize, sharex=False, sharey=False)
    for ax, array in zip(axes, curves, strict=True):
        named = array.rename(component="label")
        named.attrs = {**array.attrs, "units": "1"}
        draw_curves(named, ax=ax, legend=False)
    names = [f"component {number}" for number in curves[0]["component"].values]
    draw_legend(axes, names, label_colors(len(names)))
    return axes


def _fields(
    field: xr.DataArray,
    col_wrap: int | None,
    figsize: tuple[float, float] | None,
    kwargs: dict[str, Any],
) -> Any:
    from xcluster.plot.maps import map as draw_map

    named = field.assign_attrs(long_name="loading", units="1")
    limit = float(abs(named).max()) or 1.0
    looks = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit, **kwargs}
    return draw_map(
        named, col="component", col_wrap=col_wrap or min(3, field.sizes["component"]),
        figsize=figsize, **looks,
    )  # fmt: skip
