"""Nodes of a self-organising map."""

from __future__ import annotations

import xarray as xr

from xcluster.fit.fitted import Fitted, clusterer_with


def u_matrix(fitted: Fitted) -> xr.DataArray:
    """Return the mean distance of each node to its neighbours on the map."""
    clusterer = clusterer_with(fitted, "grid_", "u_matrix", "som")
    attrs = {"long_name": "mean distance to neighbouring nodes"}
    dims = ("som_row", "som_col")
    return xr.DataArray(clusterer.u_matrix(), dims=dims, name="u_matrix", attrs=attrs)
