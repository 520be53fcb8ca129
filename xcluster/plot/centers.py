"""Centres of labels, drawn as what they are: curves, fields or a table."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
import xarray as xr
from xarray.plot import FacetGrid

from xcluster.base.signatures import spelled_out
from xcluster.plot.flags import flags_of_centers
from xcluster.plot.keywords import FeatureKeywords, OneMapKeywords
from xcluster.plot.maps import map as draw_map
from xcluster.plot.matrices import features
from xcluster.plot.panels import named_places, panel_columns
from xcluster.plot.profiles import centers as curves
from xcluster.plot.style import is_light
from xcluster.plot.text import in_lines, with_units

__all__ = ["curves", "fields", "table"]


@spelled_out
def fields(
    centers: xr.DataArray, *, col_wrap: int | None = None, **kwargs: Unpack[OneMapKeywords]
) -> FacetGrid[Any]:
    """Draw one map per label, all in one scale.

    Parameters
    ----------
    centers : DataArray
        Over ``label`` and two more dims.
    col_wrap : int, optional
        Number of maps in a row; by default at most 3.
    **kwargs
        To `xcluster.plot.maps.map`.

    Returns
    -------
    xarray.plot.FacetGrid

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xcluster.plot.centers import fields
    >>> maps = xr.DataArray(np.arange(24.0).reshape(2, 3, 4), dims=("label", "y", "x"))
    >>> fields(maps).axs.size
    2
    """
    flags = flags_of_centers(centers)
    plain = centers.drop_vars("label_name", errors="ignore")
    columns = col_wrap or panel_columns(len(flags.names), 3)
    grid: FacetGrid[Any] = draw_map(plain, col="label", col_wrap=columns, **kwargs)
    for ax, name, color in zip(grid.axs.flat, flags.names, flags.colors, strict=False):
        ax.set_title(name, fontsize="medium", pad=9, **_chip(color))
    return grid


@spelled_out
def table(centers: xr.Dataset, **kwargs: Unpack[FeatureKeywords]) -> Any:
    """Draw one row per label and one column per variable, coloured from least to greatest.

    Parameters
    ----------
    centers : Dataset
        Variables over ``label``; those with further dims are left out.
    **kwargs
        To `xcluster.plot.matrices.features`.

    Returns
    -------
    matplotlib AxesImage

    Examples
    --------
    >>> import xarray as xr
    >>> from xcluster.plot.centers import table
    >>> ds = xr.Dataset({"sst": ("label", [28.0, 4.5]), "wind": ("label", [6.0, 9.5])})
    >>> [text.get_text() for text in table(ds).axes.texts]
    ['28', '6', '4.5', '9.5']
    """
    flags = flags_of_centers(centers)
    single = [array for array in centers.data_vars.values() if array.ndim == 1]
    values = np.stack([array.values for array in single], axis=1)
    coords = {
        "label": list(flags.names),
        "variable": [in_lines(with_units(array)) for array in single],
    }
    image = features(xr.DataArray(values, coords, ("label", "variable")), **kwargs)
    colors = [flags.colors[place] for place in named_places(len(flags.colors))]
    for text, color in zip(image.axes.get_yticklabels(), colors, strict=True):
        text.set(**_chip(color))
    return image


def _chip(color: str) -> dict[str, Any]:
    """Return the look of a name that stands on the colour of its label."""
    from matplotlib.colors import to_rgb

    box = {"facecolor": color, "edgecolor": "none", "boxstyle": "round,pad=0.25"}
    return {"bbox": box, "color": "black" if is_light(to_rgb(color)) else "white"}
