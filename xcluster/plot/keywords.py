"""The keywords of figures, with their types and defaults, for editors and type checkers.

What a keyword does stands in the docstring of the figure that takes it. Those that a figure hands
on to matplotlib are here where they are often wanted, with None for matplotlib's own default; any
other that matplotlib knows is handed on as well.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from matplotlib.colors import Colormap, Normalize

    from xcluster.plot.view import Extent

Figsize: TypeAlias = tuple[float, float] | None
Color: TypeAlias = str | tuple[float, ...]
LineStyle: TypeAlias = Literal["-", "--", "-.", ":", "solid", "dashed", "dashdot", "dotted"]


class AxesKeywords(TypedDict, total=False):
    """Where a figure is drawn."""

    ax: Annotated[Any, None]
    figsize: Annotated[Figsize, None]


class PanelKeywords(AxesKeywords, total=False):
    """Where several panels are drawn."""

    col_wrap: Annotated[int | None, None]


class ScaleKeywords(TypedDict, total=False):
    """How values become colours."""

    cmap: Annotated[str | Colormap | None, None]
    vmin: Annotated[float | None, None]
    vmax: Annotated[float | None, None]


class OneMapKeywords(AxesKeywords, ScaleKeywords, total=False):
    """Of `xcluster.plot.maps.map`, without facets."""

    projection: Annotated[Any, None]
    transform: Annotated[Any, None]
    background: Annotated[Literal["satellite", "relief"] | None, None]
    extent: Annotated[Extent | None, None]
    alpha: Annotated[float | None, None]
    coastlines: Annotated[bool, True]
    borders: Annotated[bool, False]
    legend: Annotated[bool, True]
    x: Annotated[Hashable | None, None]
    y: Annotated[Hashable | None, None]
    norm: Annotated[str | Normalize | None, None]
    s: Annotated[float | None, None]
    zorder: Annotated[float | None, None]


class MapKeywords(OneMapKeywords, total=False):
    """Of `xcluster.plot.maps.map`."""

    col: Annotated[Hashable | None, None]
    row: Annotated[Hashable | None, None]
    col_wrap: Annotated[int | None, None]


class RegionKeywords(OneMapKeywords, total=False):
    """Of `xcluster.plot.regions.regions`."""

    largest: Annotated[int, 20]


class ZoneKeywords(AxesKeywords, total=False):
    """Of `xcluster.plot.zones.zones`."""

    shares: Annotated[bool, True]
    largest: Annotated[int, 40]
    legend: Annotated[bool, True]


class MapsKeywords(OneMapKeywords, total=False):
    """Of several maps in one figure, such as `xcluster.plot.memberships.memberships`."""

    col_wrap: Annotated[int | None, None]


class LineKeywords(TypedDict, total=False):
    """How a line looks."""

    color: Annotated[Color | None, None]
    linewidth: Annotated[float | None, None]
    linestyle: Annotated[LineStyle | None, None]


class ProfileKeywords(PanelKeywords, total=False):
    """Of `xcluster.plot.profiles.profiles`."""

    members: Annotated[int, 200]
    quantiles: Annotated[tuple[float, float] | None, (0.05, 0.95)]
    lines: Annotated[str | Sequence[str] | None, None]


class ImageKeywords(AxesKeywords, ScaleKeywords, total=False):
    """Of `xcluster.plot.nodes.u_matrix`."""


class TableKeywords(ImageKeywords, total=False):
    """Of the tables of `xcluster.plot.matrices`."""

    annotate: Annotated[bool | None, None]
    legend: Annotated[bool, True]


class FeatureKeywords(TableKeywords, total=False):
    """Of `xcluster.plot.matrices.features`."""

    scaled: Annotated[bool, True]


class CenterKeywords(MapsKeywords, LineKeywords, total=False):
    """Of centres or loadings, whether they are curves, fields or a table."""

    annotate: Annotated[bool | None, None]
    lines: Annotated[str | Sequence[str] | None, None]


class LoadingKeywords(CenterKeywords, total=False):
    """Of `xcluster.plot.loadings.loadings`."""

    at_most: Annotated[int, 10]


class PointKeywords(AxesKeywords, total=False):
    """Of points in the colours of their labels."""

    legend: Annotated[bool, True]
    s: Annotated[float | None, None]
    alpha: Annotated[float | None, None]


class DensityKeywords(PointKeywords, ScaleKeywords, total=False):
    """Of points in colours of their density."""

    density: Annotated[bool, True]
    log: Annotated[bool, False]


class CloudKeywords(PointKeywords, total=False):
    """Of `xcluster.plot.scatter.scatter3d`."""

    at_most: Annotated[int, 20_000]


class HistogramKeywords(PanelKeywords, total=False):
    """Of `xcluster.plot.scatter.histogram`."""

    bins: Annotated[int, 100]
    at_most: Annotated[int, 24]


class ParallelKeywords(AxesKeywords, total=False):
    """Of `xcluster.plot.scatter.parallel`."""

    at_most: Annotated[int, 500]
    legend: Annotated[bool, True]


class TreeKeywords(AxesKeywords, total=False):
    """Of `xcluster.plot.dendrogram.dendrogram`, where cut and colours come from a result."""

    cut: Annotated[float | None, None]
    leaf_colors: Annotated[Sequence[str] | None, None]
    leaf_sizes: Annotated[Sequence[float] | None, None]
    legend: Annotated[bool, True]
    ylabel: Annotated[str, "distance"]


class NodeKeywords(PanelKeywords, ScaleKeywords, total=False):
    """Of `xcluster.plot.nodes.nodes` and `xcluster.plot.nodes.planes`."""

    color: Annotated[str | Sequence[str] | None, None]
