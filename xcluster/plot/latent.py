"""Rows of features on a grid of panels: points of a reduced space, or the nodes of a map."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.checks import check_choice
from xcluster.base.errors import BadValueError
from xcluster.blocks import matrix
from xcluster.chain.reduction import Chain
from xcluster.grid.names import free, names_in

# Of the samples, a lattice leaves out this share on each side.
TAIL = 0.02


def decoded_lattice(chain: Chain, space: xr.DataArray, x: int, y: int, n: int) -> tuple[Array, Any]:
    """Return what ``n`` by ``n`` points of a reduced space are in the data.

    Parameters
    ----------
    chain
        The fitted steps.
    space : DataArray
        The samples, over ``component`` and their dims.
    x, y
        Numbers of two components; the others are held at their median.
    n
        Points along each.

    Returns
    -------
    rows : array of shape (n * n, n_features)
    coords : dict
        Coordinates of ``row`` (along ``y``) and ``col`` (along ``x``).
    """
    size, remedy = space.sizes["component"], "reduce by .vae(2) or .pca(2)"
    if chain.keeps_columns or max(x, y) >= size:
        what = "features" if chain.keeps_columns else "components"
        rule = f"needs two components of a reduced space, and there are {size} {what}"
        raise BadValueError("steps", chain.names, rule, remedy)
    points, coords = _lattice(_complete_rows(space), x, y, n)
    rows = chain.inverse(points)
    if rows is None:
        raise BadValueError("steps", chain.names, "needs steps that have an inverse", remedy)
    return np.asarray(rows), coords


def _complete_rows(space: xr.DataArray) -> Array:
    rows = space.transpose(..., "component").values.reshape(-1, space.sizes["component"])
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows):
        rule = "leave no complete sample to span a lattice"
        raise BadValueError("samples", "...", rule, "check the mask")
    return np.asarray(rows)


def _lattice(rows: Array, x: int, y: int, n: int) -> tuple[Array, dict[str, Any]]:
    """Return points (n * n, n_components), rows first, and the coordinates of the lattice."""
    low, high = np.quantile(rows[:, [x, y]], [TAIL, 1 - TAIL], axis=0)
    along_x, along_y = np.linspace(low, high, n).T
    points = np.tile(np.median(rows, axis=0), (n * n, 1))
    points[:, y], points[:, x] = np.repeat(along_y, n), np.tile(along_x, n)
    return points, {
        "row": ("row", along_y, {"long_name": f"component {y}"}),
        "col": ("col", along_x, {"long_name": f"component {x}"}),
    }


def on_panels(
    template: xr.Dataset,
    rows: Array,
    shape: tuple[int, int],
    var: Hashable | None,
    coords: Mapping[str, Any] | None = None,
) -> xr.DataArray | dict[Hashable, xr.DataArray]:
    """Return a variable of curves over ``row``, ``col`` and its dim, or single values by name.

    Parameters
    ----------
    template
        One sample without values.
    rows : array of shape (n_rows * n_cols, n_features)
    shape
        Number of rows and columns of the grid.
    var
        The variable that is wanted; by default the first with one feature dim, else all without.
    coords
        Of ``row`` and ``col``.
    """
    curves = [name for name, array in template.data_vars.items() if array.ndim == 1]
    single = [name for name, array in template.data_vars.items() if array.ndim == 0]
    if not (curves or single):
        rule = "lies along two dims, and nodes are drawn of curves and of single values"
        raise BadValueError("var", list(map(str, template.data_vars)), rule, "draw plot.centers()")
    if var is not None:
        check_choice("var", var, (*curves, *single))
        wanted = [var]
    else:
        wanted = curves[:1] or single
    node = free("node", names_in(template))
    unpacked = matrix.unpack(template, rows, node, np.arange(len(rows)))
    placed = {name: _placed(unpacked[name], node, shape, coords or {}) for name in wanted}
    return placed[wanted[0]] if wanted[0] in curves else placed


def _placed(
    array: xr.DataArray, node: Hashable, shape: tuple[int, int], coords: Mapping[str, Any]
) -> xr.DataArray:
    """Spread nodes over ``row`` and ``col``; a dim of the user's of these names gets another."""
    array = array.transpose(node, ...)
    dims = [free(str(dim), ("row", "col")) for dim in array.dims[1:]]
    levels = {}
    for dim, own in zip(array.dims[1:], dims, strict=True):
        if dim in array.coords or own != dim:
            attrs = {} if own == dim else {"long_name": str(dim)}
            levels[own] = (own, array[dim].values, {**attrs, **array[dim].attrs})
    values = array.values.reshape(*shape, *array.shape[1:])
    coords = {**levels, **coords}
    return xr.DataArray(values, coords, ("row", "col", *dims), array.name, array.attrs)
