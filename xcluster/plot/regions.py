"""Regions of a label map: in the colours of their labels, with the numbers of the largest."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.signatures import spelled_out
from xcluster.plot import maps
from xcluster.plot.keywords import OneMapKeywords
from xcluster.plot.lattice import Lattice, lattice_of


@spelled_out
def regions(
    labels: xr.DataArray,
    table: xr.Dataset,
    cells: xr.Dataset | None = None,
    *,
    largest: int = 20,
    **keywords: Unpack[OneMapKeywords],
) -> Any:
    """Draw a label map, and on the largest of its regions their numbers.

    Parameters
    ----------
    labels : DataArray
        The label map, over two spatial dims, or over one with latitudes and longitudes.
    table : Dataset
        ``region_map`` on its grid, and ``samples`` over ``region``.
    cells : Dataset, optional
        As for `xcluster.plot.maps.map`.
    largest : int, default 20
        How many regions get their number.
    **keywords
        As for `xcluster.plot.maps.map`, without facets.

    Returns
    -------
    AxesImage, QuadMesh, PolyCollection or PathCollection

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xcluster.plot.regions import regions
    >>> labels = xr.DataArray([[0.0, 0.0], [1.0, 1.0]], dims=("y", "x"))
    >>> table = xr.Dataset({"region_map": labels.astype(int), "samples": ("region", [2, 2])})
    >>> [text.get_text() for text in regions(labels, table).axes.texts]
    ['0', '1']
    """
    from matplotlib.patheffects import withStroke

    artist = maps.map(labels, cells, **keywords)
    x, y, transform = (keywords.get(name) for name in ("x", "y", "transform"))
    numbers = table["region_map"]
    lattice = lattice_of(numbers.squeeze(drop=True), (), x, y, transform, cells)
    halo = [withStroke(linewidth=2, foreground="white")]
    where = {"transform": lattice.crs} if hasattr(artist.axes, "projection") else {}
    for number in np.sort(np.argsort(-table["samples"].values, kind="stable")[:largest]):
        place = _place(numbers.squeeze(drop=True), int(number), lattice)
        looks = {"ha": "center", "va": "center", "fontsize": "small", "clip_on": True}
        artist.axes.text(*place, str(number), path_effects=halo, **looks, **where)
    return artist


def _place(numbers: xr.DataArray, number: int, lattice: Lattice) -> Array:
    """Return x and y of the cell of a region that lies nearest to the middle of its cells."""
    mine = np.argwhere((numbers == number).values)
    at = {dim: xr.DataArray(each) for dim, each in zip(numbers.dims, mine.T, strict=True)}
    places = np.stack(
        [each.isel({dim: at[dim] for dim in each.dims}).values for each in (lattice.x, lattice.y)],
        axis=1,
    )
    # On a grid rows and columns are counted: they are even, and go on over the first longitude.
    where = mine if numbers.ndim > 1 else places
    return np.asarray(places[np.square(where - where.mean(axis=0)).sum(axis=1).argmin()])
