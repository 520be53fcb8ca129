"""Samples as points in the space of their components or features."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.plot.flags import Flags, flags_of
from xcluster.plot.panels import CHARACTER, named_places, panel_grid, refuse_size, single_axes
from xcluster.plot.style import bold_line, color_bar, scaled
from xcluster.plot.style import legend as draw_legend
from xcluster.plot.text import bracketed

BINS = 100
CURVES_MAX = 500
POINTS_3D_MAX = 20_000
HISTOGRAMS_MAX = 24

# Of a figure, in inches.
WIDTH_MAX = 13.0


def scatter(
    components: xr.DataArray,
    labels: xr.DataArray | None = None,
    *,
    x: int = 0,
    y: int = 1,
    density: bool = True,
    log: bool = False,
    circles: xr.DataArray | bool = False,
    legend: bool = True,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    **kwargs: Any,
) -> Any:
    """Draw two components against each other, coloured by density or by label.

    Parameters
    ----------
    components : DataArray
        Over ``component`` and the dims of the samples.
    labels : DataArray, optional
        The label of each sample, which then gives the colour.
    x, y : int
        Numbers of the components, from 0.
    density : bool, default True
        Without labels: colour each point by the number of samples in its bin, of 100 x 100, and
        draw dense points last.
    log : bool, default False
        Whether the scale of the density is logarithmic.
    circles : bool or DataArray, default False
        With labels: draw a circle about each centre, out to its farthest member in these two
        components. The centres are a DataArray over ``label`` and ``component``; with True they
        are the means.
    legend : bool, default True
        Whether to explain the colours beside the axes.
    ax : matplotlib Axes, optional
        By default a new figure is made.
    figsize : tuple of float, optional
        In inches.
    **kwargs
        To ``Axes.scatter``.

    Returns
    -------
    matplotlib PathCollection

    Raises
    ------
    ValueError
        If there are fewer components.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xcluster.plot.scatter import scatter
    >>> points = xr.DataArray(np.eye(2), dims=("component", "sample"))
    >>> scatter(points).axes.get_xlabel()
    'component 0'
    """
    _check_components(components, x, y)
    _check_colored(labels, log, circles)
    ax = single_axes(ax, figsize, (6.0, 5.0))
    points = _points(components.isel(component=[x, y]))
    keep = np.isfinite(points).all(axis=1)
    look = {"s": float(np.clip(20_000 / max(keep.sum(), 1), 1, 25)), "linewidths": 0, **kwargs}
    if labels is not None:
        of_sample = _flat(labels, components)
        keep &= np.isfinite(of_sample)
        flags = flags_of(labels)
        artist = _by_label(ax, points[keep], of_sample[keep], flags, look)
        if legend:
            draw_legend([ax], flags.names, flags.colors)
        if circles is not False:
            given = circles.isel(component=[x, y]) if isinstance(circles, xr.DataArray) else None
            _draw_circles(ax, points[keep], of_sample[keep], flags.classified, given)
    elif density:
        artist = _by_density(ax, points[keep], log, look)
        if legend:
            color_bar(artist, [ax], "samples in a bin")
    else:
        artist = ax.scatter(*points[keep].T, **look)
    ax.set(xlabel=_component_text(components, x), ylabel=_component_text(components, y))
    return artist


def scatter3d(
    components: xr.DataArray,
    labels: xr.DataArray,
    *,
    x: int = 0,
    y: int = 1,
    z: int = 2,
    at_most: int = POINTS_3D_MAX,
    legend: bool = True,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    **kwargs: Any,
) -> Any:
    """Draw three components against each other, coloured by label.

    Parameters
    ----------
    components : DataArray
        Over ``component`` and the dims of the samples.
    labels : DataArray
        The label of each sample. Names and colours come from its flags.
    x, y, z : int
        Numbers of the components, from 0.
    at_most : int, default 20,000
        The most points drawn, chosen at random.
    legend : bool, default True
        Whether to name the labels beside the axes.
    ax : mpl_toolkits.mplot3d.Axes3D, optional
        By default a new figure is made.
    figsize : tuple of float, optional
        In inches.
    **kwargs
        To ``Axes3D.scatter``.

    Returns
    -------
    Path3DCollection

    Raises
    ------
    ValueError
        If there are fewer components.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xcluster.plot.scatter import scatter3d
    >>> values = np.random.default_rng(0).normal(size=(3, 20))
    >>> components = xr.DataArray(values, dims=("component", "x"))
    >>> labels = xr.DataArray(np.arange(20) % 2, dims="x")
    >>> points = scatter3d(components, labels)
    """
    _check_components(components, x, y, z)
    points, of_sample = _points(components.isel(component=[x, y, z])), _flat(labels, components)
    keep = np.flatnonzero(np.isfinite(points).all(axis=1) & np.isfinite(of_sample))
    keep = np.random.default_rng(0).permutation(keep)[:at_most]
    if ax is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=figsize or (7.0, 5.5), layout="constrained")
        ax = figure.add_subplot(projection="3d")
    else:
        refuse_size(figsize)
    flags = flags_of(labels)
    size = float(np.clip(20_000 / max(len(keep), 1), 2, 25))
    look = {"s": size, "linewidths": 0, "depthshade": False, **kwargs}
    artist = ax.scatter(*points[keep].T, c=flags.color_of(of_sample[keep]), **look)
    if legend:
        draw_legend([ax], flags.names, flags.colors)
    names = [_component_text(components, number) for number in (x, y, z)]
    ax.set(xlabel=names[0], ylabel=names[1], zlabel=names[2])
    ax.set_box_aspect(None, zoom=0.85)
    return artist


def histogram(
    components: xr.DataArray,
    *,
    bins: int = 100,
    at_most: int = HISTOGRAMS_MAX,
    ax: Any = None,
    col_wrap: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Any]:
    """Draw one histogram per component.

    Parameters
    ----------
    components : DataArray
        Over ``component`` and the dims of the samples.
    bins : int, default 100
        Number of bins between the least and the greatest value.
    at_most : int, default 24
        The most components drawn, from the first on; the figure says of how many.
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
    >>> import numpy as np, xarray as xr
    >>> from xcluster.plot.scatter import histogram
    >>> values = xr.DataArray(np.arange(20.0).reshape(2, 10), dims=("component", "x"))
    >>> len(histogram(values, bins=5))
    2
    """
    size = components.sizes["component"]
    components = components.isel(component=slice(at_most))
    values = _points(components)
    looks = {"ax": ax, "sharex": False, "sharey": False}
    axes = panel_grid(values.shape[1], (3.2, 2.2), col_wrap, figsize, **looks)
    for number, panel in enumerate(axes):
        column = values[:, number]
        panel.hist(column[np.isfinite(column)], bins=bins, color="#0072b2", histtype="stepfilled")
        panel.set(xlabel=_component_text(components, number), ylabel="samples")
    if size > at_most:
        axes[0].figure.suptitle(f"the first {at_most} of {size:,}", fontsize="medium")
    return axes


def parallel(
    values: xr.DataArray,
    labels: xr.DataArray,
    *,
    at_most: int = CURVES_MAX,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    legend: bool = True,
) -> list[Any]:
    """Draw each sample as a line across its features, each scaled from its least to its greatest.

    Parameters
    ----------
    values : DataArray
        Over the dims of ``labels`` and one more, whose coordinate names the features.
    labels : DataArray
        The label of each sample. Names and colours come from its flags.
    at_most : int, default 500
        The most lines of one label, evenly spaced among its samples. The bold line is the median
        of all its samples.
    ax : matplotlib Axes, optional
        By default a new figure is made.
    figsize : tuple of float, optional
        In inches.
    legend : bool, default True
        Whether to name the labels beside the lines.

    Returns
    -------
    list of matplotlib LineCollection
        One per label.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xcluster.plot.scatter import parallel
    >>> values = xr.DataArray(np.arange(20.0).reshape(2, 10), dims=("feature", "x"))
    >>> values["feature"] = ["sst", "wind"]
    >>> len(parallel(values, xr.DataArray(np.arange(10) % 2, dims="x")))
    2
    """
    from matplotlib.collections import LineCollection

    (dim,) = [dim for dim in values.dims if dim not in labels.dims]
    rows = scaled(values.transpose(*labels.dims, dim).values.reshape(-1, values.sizes[dim]))
    of_sample = labels.values.ravel()
    flags = flags_of(labels)
    at = np.arange(rows.shape[1])
    size = float(np.clip(0.9 * len(at), 6.0, WIDTH_MAX)), 4.0
    ax = single_axes(ax, figsize, size)
    drawn = []
    for label, color in zip(flags.values, flags.colors, strict=True):
        own = rows[of_sample == label]
        lines = own[np.linspace(0, len(own) - 1, min(len(own), at_most)).astype(int)]
        points = np.stack([np.broadcast_to(at, lines.shape), lines], axis=-1)
        alpha = float(np.clip(20 / max(len(lines), 1), 0.05, 0.6))
        thin = LineCollection(list(points), colors=color, linewidths=0.5, alpha=alpha)
        drawn.append(ax.add_collection(thin))
        if len(own):
            bold_line(ax, at, np.nanmedian(own, axis=0), color)
    _name_features(ax, [str(name) for name in values[dim].values])
    if legend:
        draw_legend([ax], flags.names, flags.colors)
    return drawn


def _check_components(components: xr.DataArray, *numbers: int) -> None:
    size = components.sizes["component"]
    if not all(0 <= number < size for number in numbers):
        rule = f"needs {len(numbers)} components, and there are {size}, numbered from 0"
        raise BadValueError("components", numbers, rule, "name others, or draw a histogram")


def _check_colored(labels: xr.DataArray | None, log: bool, circles: Any) -> None:
    """Refuse options of the other of the two ways to colour points."""
    if labels is not None and log:
        rule, remedy = "scales the density, and colours here are those of labels", "leave it out"
        raise BadValueError("log", log, rule, remedy)
    if labels is None and circles is not False:
        rule, remedy = "stand around labels, and there are none", "leave them out"
        raise BadValueError("circles", "...", rule, remedy)


def _points(components: xr.DataArray) -> NDArray[np.float64]:
    """Return samples as rows and components as columns."""
    rows = components.transpose(..., "component").values
    return np.asarray(rows.reshape(-1, components.sizes["component"]), dtype=float)


def _flat(labels: xr.DataArray, components: xr.DataArray) -> Array:
    return np.asarray(labels.transpose(*components.isel(component=0).dims).values.ravel())


def _component_text(components: xr.DataArray, number: int) -> str:
    feature = components.coords.get("feature")
    if feature is not None and feature.dims == ("component",):  # not a coordinate of the user's
        scaled = str(feature.attrs.get("long_name", "")).removeprefix("feature")
        return bracketed(f"{feature.values[number]}{scaled}", feature.attrs)
    name = components["component"].values[number]
    return f"component {name}" if np.issubdtype(type(name), np.integer) else str(name)


def _by_density(ax: Any, points: Array, log: bool, look: dict[str, Any]) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    counts = _counts(points)
    order = np.argsort(counts, kind="stable")
    norm = (LogNorm if log else Normalize)(1, max(float(counts.max(initial=1)), 2.0))
    look = {"cmap": "viridis", "norm": norm, **look}
    return ax.scatter(*points[order].T, c=counts[order], **look)


def _counts(points: Array) -> Array:
    """Return for each point how many share its bin."""
    counts, *bounds = np.histogram2d(points[:, 0], points[:, 1], bins=BINS)
    places = [
        np.searchsorted(edges, column, side="right").clip(1, BINS) - 1
        for edges, column in zip(bounds, points.T, strict=True)
    ]
    return np.asarray(counts[tuple(places)])


def _by_label(ax: Any, points: Array, of_sample: Array, flags: Flags, look: dict[str, Any]) -> Any:
    """Draw points in an order that hides no label behind another."""
    order = np.random.default_rng(0).permutation(len(points))
    return ax.scatter(*points[order].T, c=flags.color_of(of_sample[order]), **look)


def _draw_circles(
    ax: Any, points: Array, of_sample: Array, flags: Flags, centers: xr.DataArray | None
) -> None:
    from matplotlib.patches import Circle

    for label, color in zip(flags.values, flags.colors, strict=True):
        own = points[of_sample == label]
        if not len(own):
            continue
        center = own.mean(axis=0) if centers is None else centers.sel(label=label).values
        radius = float(np.linalg.norm(own - center, axis=1).max())
        ax.add_patch(Circle(tuple(center), radius, fill=False, edgecolor=color, linewidth=1.5))
        ax.plot(*center, "o", color=color, markeredgecolor="black", markersize=9, zorder=3)
    ax.set_aspect("equal", adjustable="datalim")


def _name_features(ax: Any, names: list[str]) -> None:
    places = named_places(len(names))
    long = max(map(len, names), default=0) > 8 or len(names) * CHARACTER * 8 > WIDTH_MAX
    turned = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if long else {}
    ax.set_xticks(places, [names[place] for place in places], **turned)
    ax.set(xlim=(0, max(len(names) - 1, 1)), ylim=(-0.02, 1.02))
    ax.set_ylabel("value, from least (0) to greatest (1)")
    ax.grid(axis="x", linewidth=0.8, color="0.6")
