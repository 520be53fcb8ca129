"""How far each sample belongs to each label."""

from __future__ import annotations

from typing import Any, Unpack

import xarray as xr
from xarray.plot import FacetGrid

from xcluster.base.signatures import spelled_out
from xcluster.plot.flags import flags_of_centers
from xcluster.plot.keywords import OneMapKeywords
from xcluster.plot.maps import map as draw_map
from xcluster.plot.panels import panel_columns


@spelled_out
def memberships(
    da: xr.DataArray, *, col_wrap: int | None = None, **kwargs: Unpack[OneMapKeywords]
) -> FacetGrid[Any]:
    """Draw one map of memberships per label, all from 0 to 1.

    Parameters
    ----------
    da : DataArray
        Memberships over ``label`` and the dims of a map.
    col_wrap : int, optional
        Number of maps in a row; by default at most 3.
    **kwargs
        To `xcluster.plot.maps.map`.

    Returns
    -------
    xarray.plot.FacetGrid

    Raises
    ------
    ValueError
        If ``da`` does not have two spatial dims beside ``label``.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xcluster.plot.memberships import memberships
    >>> u = np.linspace(0, 1, 12).reshape(3, 4)
    >>> grid = memberships(xr.DataArray([u, 1 - u], dims=("label", "y", "x")))
    >>> [ax.get_title() for ax in grid.axs.flat]
    ['0', '1']
    """
    if "label" not in da.coords:
        da = da.assign_coords(label=range(da.sizes["label"]))
    flags = flags_of_centers(da)
    named = da.drop_vars("label_name", errors="ignore")
    named.attrs = {"long_name": "membership", **da.attrs}
    looks: dict[str, Any] = {"vmin": 0.0, "vmax": 1.0, "cmap": "cividis", **kwargs}
    columns = col_wrap or panel_columns(len(flags.names), 3)
    grid: FacetGrid[Any] = draw_map(named, col="label", col_wrap=columns, **looks)
    for ax, name in zip(grid.axs.flat, flags.names, strict=False):
        ax.set_title(name, fontsize="medium")
    return grid
