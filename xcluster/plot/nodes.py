"""The nodes of a self-organizing map, on their own grid."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.errors import BadValueError
from xcluster.plot.panels import outer_labels, panel_grid, single_axes
from xcluster.plot.style import color_bar
from xcluster.plot.text import dim_text, is_depth, is_vertical, with_units

LINE = "#0072b2"

# The colour of a node without samples.
EMPTY = "0.75"


def u_matrix(
    da: xr.DataArray, *, ax: Any = None, figsize: tuple[float, float] | None = None, **kwargs: Any
) -> Any:
    """Draw how far each node of a self-organizing map is from its neighbours.

    Parameters
    ----------
    da : DataArray
        Over ``row`` and ``col``.
    ax : matplotlib Axes, optional
        By default a new figure is made.
    figsize : tuple of float, optional
        In inches.
    **kwargs
        To ``Axes.imshow``.

    Returns
    -------
    matplotlib AxesImage

    References
    ----------
    Ultsch and Siemon (1990), Proceedings of INNC'90, 305-308.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xcluster.plot.nodes import u_matrix
    >>> u_matrix(xr.DataArray(np.ones((2, 3)), dims=("row", "col"))).axes.get_xlabel()
    'col'
    """
    _check_grid(da)
    ax = single_axes(ax, figsize, (5.5, 4.5))
    image = ax.imshow(da.transpose("row", "col").values, **{"cmap": "bone_r", **kwargs})
    _whole_ticks(ax)
    ax.set(xlabel=dim_text(da, "col"), ylabel=dim_text(da, "row"))
    color_bar(image, [ax], with_units(da) or "distance to the neighbours")
    return image


def nodes(
    centers: xr.DataArray,
    counts: xr.DataArray | None = None,
    *,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    color: str | Sequence[str] | None = None,
) -> list[Any]:
    """Draw the centre of each node where the node stands in the map.

    Parameters
    ----------
    centers : DataArray
        Over ``row``, ``col`` and one more dim.
    counts : DataArray, optional
        Over ``row`` and ``col``: the number of samples of each node, which is written in its
        panel; nodes without samples are drawn in grey.
    ax : sequence of matplotlib Axes, optional
        One per panel; by default a new figure is made.
    figsize : tuple of float, optional
        In inches.
    color : str or sequence of str, optional
        Of the curves: one for all, by default blue, or one per node, row by row.

    Returns
    -------
    list of matplotlib Axes
        Row by row.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xcluster.plot.nodes import nodes
    >>> curves = xr.DataArray(np.arange(24.0).reshape(2, 3, 4), dims=("row", "col", "depth"))
    >>> len(nodes(curves))
    6
    """
    _check_grid(centers)
    (dim,) = [dim for dim in centers.dims if dim not in ("row", "col")]
    upright = is_vertical(centers, dim)
    rows, columns = centers.sizes["row"], centers.sizes["col"]
    size = min(1.2, 13 / columns), min(1.6 if upright else 1.1, 11 / rows)
    axes = panel_grid(rows * columns, size, columns if ax is None else None, figsize, ax=ax)
    levels = centers[dim].values
    levels = levels if levels.dtype.kind in "iuf" else np.arange(len(levels))
    values = centers.transpose("row", "col", dim).values.reshape(-1, len(levels))
    numbers = [None] * len(axes) if counts is None else _numbers(counts)
    colors = [color or LINE] * len(axes) if color is None or isinstance(color, str) else color
    ends = (levels.max(), levels.min()) if is_depth(centers, dim) else (levels.min(), levels.max())
    for panel, curve, number, own in zip(axes, values, numbers, colors, strict=True):
        xy = (curve, levels) if upright else (levels, curve)
        panel.plot(*xy, color=own if number != 0 else EMPTY, linewidth=1.8)
        if number is not None:
            look = {"ha": "right", "va": "top", "size": "x-small", "color": "0.3"}
            panel.text(0.96, 0.96, f"{number:,}", transform=panel.transAxes, **look)
        if upright:
            panel.set_ylim(*ends)
    sides = with_units(centers), dim_text(centers, dim)
    outer_labels(axes, *(sides if upright else sides[::-1]), given=ax is not None)
    return axes


def planes(
    variables: Mapping[Hashable, xr.DataArray],
    *,
    ax: Any = None,
    col_wrap: int | None = None,
    figsize: tuple[float, float] | None = None,
    **kwargs: Any,
) -> list[Any]:
    """Draw one panel per variable: its value at each node.

    Parameters
    ----------
    variables : Dataset or mapping of DataArray
        Over ``row`` and ``col``; numeric coordinates of these become the axes.
    ax : sequence of matplotlib Axes, optional
        One per panel; by default a new figure is made.
    col_wrap : int, optional
        Number of panels in a row; by default at most 3.
    figsize : tuple of float, optional
        In inches.
    **kwargs
        To ``Axes.pcolormesh``.

    Returns
    -------
    list of matplotlib Axes

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xcluster.plot.nodes import planes
    >>> ds = xr.Dataset({"sst": (("row", "col"), np.arange(6.0).reshape(2, 3))})
    >>> len(planes(ds))
    1
    """
    arrays = list(variables.values())
    axes = panel_grid(len(arrays), (3.6, 2.9), col_wrap, figsize, ax=ax)
    for panel, array in zip(axes, arrays, strict=True):
        _check_grid(array)
        at = array["col"].values, array["row"].values
        values = array.transpose("row", "col").values
        mesh = panel.pcolormesh(*at, values, **{"shading": "nearest", **kwargs})
        color_bar(mesh, [panel], with_units(array))
    first = arrays[0]
    if "row" not in first.coords:
        for panel in axes if ax is not None else axes[:1]:  # those of a new figure share theirs
            panel.invert_yaxis()
            _whole_ticks(panel)
    outer_labels(axes, dim_text(first, "col"), dim_text(first, "row"), given=ax is not None)
    return axes


def _numbers(counts: xr.DataArray) -> list[int]:
    return [int(count) for count in counts.transpose("row", "col").values.ravel()]


def _check_grid(da: xr.DataArray) -> None:
    if not {"row", "col"} <= set(da.dims):
        rule = "nodes lie over the dims 'row' and 'col'"
        remedy = "only self-organizing maps have nodes: use .som()"
        raise BadValueError("dims", tuple(map(str, da.dims)), rule, remedy)


def _whole_ticks(ax: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
