"""Tables as coloured cells with numbers: confusion, correlation, transitions, features."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Unpack

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.base.signatures import spelled_out
from xcluster.plot.keywords import TableKeywords
from xcluster.plot.panels import CHARACTER, named_places, single_axes
from xcluster.plot.style import color_bar, is_light
from xcluster.plot.style import scaled as in_shares
from xcluster.plot.text import dim_text, with_units

# Cells beyond this number are too small for numbers in them.
CELLS_WITH_NUMBERS = 400

# Inches: of a digit in a cell, and of all cells beside each other.
DIGIT, WIDEST = 0.075, 14.0

# Tables with numbers from this on have no decimals.
IN_WHOLE = 1000.0

# Numbers below this are written without an exponent.
IN_FULL = 1e6


@spelled_out
def correlation(da: xr.DataArray, **kwargs: Unpack[TableKeywords]) -> Any:
    """Draw a correlation matrix from -1 to 1.

    Parameters
    ----------
    da : DataArray
        Square, over two dims whose coordinates name rows and columns.
    **kwargs
        ``ax``, ``figsize``, ``annotate`` (numbers in the cells; by default where they fit),
        ``legend`` (the colour bar), and others to ``Axes.imshow``: ``cmap``, ``vmin``, ``vmax``.

    Returns
    -------
    matplotlib AxesImage

    Examples
    --------
    >>> import xarray as xr
    >>> from xcluster.plot.matrices import correlation
    >>> names = ["NDVI", "DHR"]
    >>> da = xr.DataArray([[1, -0.4], [-0.4, 1]], {"a": names, "b": names}, ("a", "b"))
    >>> [text.get_text() for text in correlation(da).axes.texts]
    ['1.00', '-0.40', '-0.40', '1.00']
    """
    named = da.assign_attrs({"long_name": "correlation", **da.attrs})
    looks: dict[str, Any] = {"vmin": -1.0, "vmax": 1.0, "cmap": "RdBu_r", **kwargs}
    return _table(named, "{:.2f}", axis_names=False, **looks)


@spelled_out
def confusion(table: xr.DataArray, **kwargs: Unpack[TableKeywords]) -> Any:
    """Draw how many samples have one label in a first result and another in a second.

    Parameters
    ----------
    table : DataArray
        Counts over two dims, one for each result.
    **kwargs
        As for `correlation`.

    Returns
    -------
    matplotlib AxesImage

    Examples
    --------
    >>> import xarray as xr
    >>> from xcluster.plot.matrices import confusion
    >>> da = xr.DataArray([[12, 3], [0, 9]], dims=("ours", "theirs"))
    >>> [text.get_text() for text in confusion(da).axes.texts]
    ['12', '3', '0', '9']
    """
    named = table.assign_attrs({"long_name": "samples", **table.attrs})
    looks: dict[str, Any] = {"vmin": 0.0, "cmap": "Blues", **kwargs}
    return _table(named, "{:,.0f}", **looks)


@spelled_out
def transitions(table: xr.DataArray, **kwargs: Unpack[TableKeywords]) -> Any:
    """Draw the probability of each label after each other.

    Parameters
    ----------
    table : DataArray
        Shares of 1, over the label before and the label after.
    **kwargs
        As for `correlation`.

    Returns
    -------
    matplotlib AxesImage

    Examples
    --------
    >>> import xarray as xr
    >>> from xcluster.plot.matrices import transitions
    >>> da = xr.DataArray([[0.75, 0.25], [0.5, 0.5]], dims=("label", "next_label"))
    >>> [text.get_text() for text in transitions(da).axes.texts]
    ['0.75', '0.25', '0.50', '0.50']
    """
    named = table.assign_attrs({"long_name": "probability", **table.attrs})
    looks: dict[str, Any] = {"vmin": 0.0, "vmax": 1.0, "cmap": "Purples", **kwargs}
    return _table(named, "{:.2f}", **looks)


@spelled_out
def changes(table: xr.DataArray, **kwargs: Unpack[TableKeywords]) -> Any:
    """Draw how much went from one label to another; what stayed has a number, but no colour.

    Parameters
    ----------
    table : DataArray
        Samples or areas, over the labels before and the same labels after.
    **kwargs
        As for `correlation`.

    Returns
    -------
    matplotlib AxesImage

    Examples
    --------
    >>> import xarray as xr
    >>> from xcluster.plot.matrices import changes
    >>> da = xr.DataArray([[120, 7], [2.5, 90]], dims=("from", "to"))
    >>> [text.get_text() for text in changes(da).axes.texts]
    ['120', '7', '2.5', '90']
    """
    values = table.values.astype(float)
    moved = table.copy(data=np.where(np.eye(*values.shape) > 0, np.nan, values))
    looks: dict[str, Any] = {"vmin": 0.0, "cmap": "Oranges", **kwargs}
    form = "{:,.0f}" if values.max(initial=0.0) >= IN_WHOLE else "{:.4g}"
    return _table(moved, form, numbers=values, **looks)


@spelled_out
def features(da: xr.DataArray, *, scaled: bool = True, **kwargs: Unpack[TableKeywords]) -> Any:
    """Draw one row per entry and one column per feature, coloured from least to greatest.

    Parameters
    ----------
    da : DataArray
        Over two dims, the second being the features, each in units of its own.
    scaled : bool, default True
        Whether colours run from least to greatest of each column; else they are of the values.
    **kwargs
        As for `correlation`.

    Returns
    -------
    matplotlib AxesImage
        The numbers in the cells are the values themselves.

    Examples
    --------
    >>> import xarray as xr
    >>> from xcluster.plot.matrices import features
    >>> da = xr.DataArray([[28.0, 6.0], [4.5, 9.5]], dims=("label", "variable"))
    >>> [text.get_text() for text in features(da).axes.texts]
    ['28', '6', '4.5', '9.5']
    """
    if not da.size:
        rule = "a table needs at least one row and one column"
        raise BadValueError("shape", da.shape, rule, "pass entries with features")
    looks: dict[str, Any] = {"cmap": "cividis", "axis_names": False, **kwargs}
    if not scaled:
        return _table(da, "{:.2f}", **looks)
    values = da.values.astype(float)
    named = da.copy(data=in_shares(values)).assign_attrs(long_name="from least (0) to greatest (1)")
    return _table(named, "{:.4g}", numbers=values, **{"vmin": 0.0, "vmax": 1.0, **looks})


def _table(
    da: xr.DataArray,
    form: str,
    *,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    annotate: bool | None = None,
    legend: bool = True,
    axis_names: bool = True,
    numbers: Array | None = None,
    **kwargs: Any,
) -> Any:
    if da.ndim != 2:
        rule = "a table needs two dims"
        raise BadValueError("dims", da.dims, rule, "choose along the others with .isel()")
    texts = _texts(da.values if numbers is None else numbers, form, annotate)
    ax = single_axes(ax, figsize, _size(da, texts))
    image = ax.imshow(da.values, **{"aspect": "auto", **kwargs})
    _name_cells(ax, da, axis_names)
    _write_numbers(image, da.values, texts)
    if legend:
        color_bar(image, [ax], with_units(da))
    return image


def _size(da: xr.DataArray, texts: Array) -> tuple[float, float]:
    """Return a size in which the cells, their names and the text of the colour bar have room."""
    rows, columns = (_names(da, dim) for dim in da.dims)
    # Names of columns are turned, and the first one reaches to the left.
    beside, below = max(_length(rows), 0.7 * _length(columns[:1])), 0.7 * _length(columns)
    high = max(0.5 * len(rows), CHARACTER * len(with_units(da)), 1.2)
    wide = max(_cell_width(texts) * len(columns), 1.2)
    return min(wide, WIDEST if texts.any() else 8.0) + beside + 1.6, min(high, 8.0) + below + 0.7


def _length(names: list[str]) -> float:
    """Return the length in inches of the longest line."""
    return CHARACTER * max((len(line) for name in names for line in name.split("\n")), default=0)


def _cell_width(texts: Array) -> float:
    """Return the width in inches of a cell that has room for the longest number."""
    return max(0.55, DIGIT * max(map(len, texts.flat), default=0) + 0.1)


def _name_cells(ax: Any, da: xr.DataArray, axis_names: bool) -> None:
    rows, columns = da.dims
    names, places = _names(da, columns), named_places(da.sizes[columns])
    long = max(map(len, names), default=0) > 4
    turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if long else {}
    ax.set_xticks(places, [names[place] for place in places], **turned)
    names, places = _names(da, rows), named_places(da.sizes[rows])
    ax.set_yticks(places, [names[place] for place in places])
    ax.tick_params(length=0)
    if axis_names:
        ax.set(xlabel=dim_text(da, columns), ylabel=dim_text(da, rows))


def _names(da: xr.DataArray, dim: Hashable) -> list[str]:
    """Return ``<dim>_name`` or ``label_name`` where they are, else the coordinate itself."""
    for name in (f"{dim}_name", "label_name"):
        if name in da.coords and da[name].dims == (dim,):
            return [str(value) for value in da[name].values]
    return [str(value) for value in da[dim].values]


def _texts(numbers: Array, form: str, annotate: bool | None) -> Array:
    """Return what stands in each cell: nothing if it is not finite, or if not all would fit."""
    nothing = np.full(numbers.shape, "", dtype=object)
    if not (numbers.size <= CELLS_WITH_NUMBERS if annotate is None else annotate):
        return nothing
    texts = nothing.copy()
    for place, value in np.ndenumerate(numbers):
        text = form.format(value) if np.isfinite(value) else ""
        texts[place] = f"{value:.0f}" if "e+0" in text and abs(value) < IN_FULL else text
    fits = annotate or _cell_width(texts) * numbers.shape[1] <= WIDEST
    return texts if fits else nothing


def _write_numbers(image: Any, shown: Array, texts: Array) -> None:
    """Write each number in its cell, black on light and white on dark colours."""
    light = is_light(image.cmap(image.norm(shown))) | ~np.isfinite(shown)
    for (row, column), text in np.ndenumerate(texts):
        if text:
            color = "black" if light[row, column] else "white"
            image.axes.text(column, row, text, ha="center", va="center", color=color, size="small")
