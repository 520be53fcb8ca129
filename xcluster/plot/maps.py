"""Maps of labels and of any other variable, on the Earth or on an image."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr
from xarray.plot import FacetGrid

from xcluster.base.checks import warn
from xcluster.base.errors import BadValueError
from xcluster.plot.cells import draw_cells
from xcluster.plot.earth import Background, add_background, add_graticule, add_lines
from xcluster.plot.lattice import Lattice, lattice_of
from xcluster.plot.panels import Figsize, refuse_size, write_places
from xcluster.plot.style import Style, style_of
from xcluster.plot.text import facet_title, in_lines, with_units
from xcluster.plot.view import Extent, View, largest_box, shape_of, view_of

BACKGROUND_ALPHA = 0.6

# Degrees of longitude below which the finer coast lines show.
FINE_WIDTH = 100.0


def map(
    da: xr.DataArray,
    cells: xr.Dataset | None = None,
    *,
    projection: Any = None,
    transform: Any = None,
    background: Background = None,
    extent: Extent | None = None,
    alpha: float | None = None,
    coastlines: bool = True,
    borders: bool = False,
    legend: bool = True,
    x: Hashable | None = None,
    y: Hashable | None = None,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    cmap: Any = None,
    col: Hashable | None = None,
    row: Hashable | None = None,
    col_wrap: int | None = None,
    **kwargs: Any,
) -> Any:
    """Draw a map of labels, with their names beside it, or of any variable, with a colour bar.

    Parameters
    ----------
    da : DataArray
        Over two spatial dims, in any order and direction, or over one dim with latitudes and
        longitudes; and over the dims of ``col`` and ``row``. It is a label map where it has
        ``flag_values`` and ``flag_meanings``.
    cells : Dataset, optional
        What describes the UGRID mesh or the HEALPix cells that ``da`` lies on along one dim: they
        are drawn as polygons.
    projection : cartopy.crs.Projection, optional
        By default longitudes and latitudes as rectangles, true to shape in the middle of a region;
        the data's own projection where its grid mapping (such as ``spatial_ref``) states one.
    transform : cartopy.crs.CRS, optional
        The CRS of the coordinates, where their attributes do not tell.
    background : {"satellite", "relief"}, optional
        The Earth beneath the data.
    extent : tuple of float, optional
        West, east, south and north of a region, in degrees; in the units of the coordinates on
        an image.
    alpha : float, optional
        Opacity; by default 0.6 over a background, else 1.
    coastlines, borders : bool
        Whether to draw coast lines (default) and land borders (not by default).
    legend : bool, default True
        Whether to explain the colours beside the map.
    x, y : hashable, optional
        Names of the horizontal coordinates, where they are not those found by CF attributes.
    ax : matplotlib Axes, optional
        A GeoAxes where the coordinates are geographic. By default a new figure is made.
    figsize : tuple of float, optional
        In inches.
    cmap : str or Colormap, optional
        Replaces the labels' own colours, or viridis.
    col, row : hashable, optional
        Dims to make facets of, which share one scale and one legend.
    col_wrap : int, optional
        Number of facets in a row.
    **kwargs
        To matplotlib: ``vmin``, ``vmax``, ``norm``, ``zorder``, ...; ``s`` for points.

    Returns
    -------
    AxesImage, QuadMesh, PolyCollection or PathCollection; FacetGrid with ``col`` or ``row``

    Raises
    ------
    ValueError
        If ``da`` does not have two spatial dims; if ``cmap`` has fewer colours than there are
        labels; if ``extent`` is empty; if a projection, a background or borders are wanted for an
        image that has no place on Earth; or if options exclude each other, as ``ax`` and facets.

    Warns
    -----
    UserWarning
        If every value is NaN; the map is then empty. If the grid mapping is not understood; the
        map then has no place on Earth.

    Examples
    --------
    >>> import xcluster.datasets
    >>> from xcluster.plot.maps import map
    >>> map(xcluster.datasets.ocean().sst)
    <matplotlib.image.AxesImage object at ...>
    """
    facets = [dim for dim in (row, col) if dim is not None]
    _check_axes(ax, facets, figsize, projection, col_wrap)
    da = _squeezed(da, facets).compute()
    lattice = lattice_of(da, facets, x, y, transform, cells)
    limits = {key: kwargs.pop(key) for key in ("vmin", "vmax", "norm") if key in kwargs}
    style = style_of(da, cmap, **limits)
    if alpha is None and background is not None:
        alpha = BACKGROUND_ALPHA
    view = view_of(lattice, projection, extent, ax)
    earth = Earth(background, coastlines, borders)
    earth.check(view)
    if not bool(da.notnull().any()):
        warn("nothing to draw: all values are NaN")
    picture = Picture(lattice, view, style, earth, {"alpha": alpha, **kwargs})
    if facets:
        looks: Any = {"figsize": (6.0, 4.0), "subplot_kws": {"projection": view.projection}}
        grid = FacetGrid(da, col=col, row=row, col_wrap=col_wrap, **looks)
        return picture.draw_facets(da, grid, figsize, legend)
    return picture.draw_one(da, ax, figsize, legend)


@dataclass(frozen=True, eq=False)
class Earth:
    """What of the Earth shows on a map."""

    background: Background
    coastlines: bool
    borders: bool

    def check(self, view: View) -> None:
        """Refuse what an image without a place on Earth cannot have."""
        if view.projection is not None:
            return
        for name, wanted in {"background": self.background, "borders": self.borders}.items():
            if wanted:
                rule = "the axes or the coordinates are not geographic"
                remedy = "leave it out, or name x= and y= and pass transform= and a GeoAxes"
                raise BadValueError(name, wanted, rule, remedy)

    def add(self, ax: Any, view: View, left: bool, bottom: bool) -> None:
        """Draw it on a GeoAxes."""
        if self.background is not None:
            add_background(ax, self.background)
        west, east, *_ = view.extent
        fine = view.in_degrees and east - west < FINE_WIDTH
        if self.coastlines:
            add_lines(ax, "coastline", "50m" if fine else "110m")
        if self.borders:
            add_lines(ax, "borders", "110m")
        degrees = view.is_plate_carree or not view.is_global
        across = (west, east) if view.in_degrees and not view.is_global else None
        add_graticule(ax, degrees, left, bottom, across)


@dataclass(frozen=True, eq=False)
class Picture:
    """Everything that the panels of a map share."""

    lattice: Lattice
    view: View
    style: Style
    earth: Earth
    looks: Mapping[str, Any]

    def draw_one(self, da: xr.DataArray, ax: Any, figsize: Figsize, legend: bool) -> Any:
        """Draw one map, on new axes if there are none."""
        made = ax is None and figsize is None
        ax = self._new_axes(figsize) if ax is None else ax
        self.view.apply(ax)
        if made:
            width, height = largest_box(shape_of(ax), 8.0, 5.5)
            ax.figure.set_size_inches(width + 2.0, height + 0.8)
        artist = self._draw_panel(ax, da)
        ax.set_title(self.style.title)
        if legend:
            self.style.explain(artist, [ax])
        return artist

    def draw_facets(self, da: xr.DataArray, grid: Any, figsize: Figsize, legend: bool) -> Any:
        """Draw one map for each entry of the facets' dims, and one legend."""
        grid.fig.set_layout_engine("compressed")
        self.view.apply(grid.axs.flat[0])
        rows, columns = grid.axs.shape
        grid.fig.set_size_inches(figsize or _facet_size(rows, columns, shape_of(grid.axs.flat[0])))
        places = dict(zip(grid.axs.flat, grid.name_dicts.flat, strict=True))
        panels = [ax for ax, place in places.items() if place is not None]
        for ax in places.keys() - panels:
            self.view.apply(ax)  # a panel of another shape would hold the others apart
            ax.set_visible(False)
        for number, ax in enumerate(panels):
            left, bottom = number % columns == 0, number + columns >= len(panels)
            artist = self._draw_panel(ax, da.loc[places[ax]], left, bottom)
            ax.set_title(facet_title(da, places[ax]), fontsize="medium")
        if self.style.title:
            grid.fig.suptitle(self.style.title)
        if legend:
            self.style.explain(artist, panels)
        return grid

    def _draw_panel(self, ax: Any, da: xr.DataArray, left: bool = True, bottom: bool = True) -> Any:
        self.view.apply(ax)
        artist = draw_cells(ax, da, self.lattice, self.view, self.style, self.looks)
        if self.view.projection is not None:
            self.earth.add(ax, self.view, left, bottom)
        else:
            ax.set_xlabel(in_lines(with_units(self.lattice.x)) if bottom else "")
            ax.set_ylabel(in_lines(with_units(self.lattice.y)) if left else "")
            ax.tick_params(labelbottom=bottom, labelleft=left)
            ax.ticklabel_format(useOffset=False, style="plain")
            self._write_places(ax, da)
        self.view.apply(ax)
        return artist

    def _write_places(self, ax: Any, da: xr.DataArray) -> None:
        """Write dates and names along axes whose positions only count them."""
        for axis, at in ((ax.xaxis, self.lattice.x), (ax.yaxis, self.lattice.y)):
            if self.lattice.counted and at.name in da.coords:
                write_places(axis, da[at.name].values)

    def _new_axes(self, figsize: Figsize) -> Any:
        import matplotlib.pyplot as plt

        drawn_in = {"projection": self.view.projection}
        return plt.subplots(figsize=figsize, subplot_kw=drawn_in, layout="compressed")[1]


def _facet_size(rows: int, columns: int, shape: float) -> tuple[float, float]:
    width, height = largest_box(shape, max(9.0 / columns, 2.0), 3.0)
    return columns * (width + 0.2) + 1.6, rows * (height + 0.35) + 0.5


def _check_axes(
    ax: Any, facets: Sequence[Hashable], figsize: Figsize, projection: Any, col_wrap: int | None
) -> None:
    """Refuse options of which one would be ignored."""
    if ax is not None:
        refuse_size(figsize)
        if facets:
            rule = "facets make axes of their own"
            raise BadValueError("ax", ax, rule, "leave out ax, or col and row")
        if projection is not None:
            rule, remedy = "axes are given, and they have one", "pass either ax or projection"
            raise BadValueError("projection", type(projection).__name__, rule, remedy)
    if col_wrap is not None and not facets:
        raise BadValueError("col_wrap", col_wrap, "there are no facets", "name a dim as col=")


def _squeezed(da: xr.DataArray, facets: Any) -> xr.DataArray:
    """Drop dims of size one that nothing needs; two dims stay two."""
    for dim in da.dims:
        n_spatial = len(set(da.dims) - set(facets))
        if da.sizes[dim] == 1 and dim not in facets and n_spatial > 2:
            da = da.isel({dim: 0})
    return da
