"""What stands on a map beside the data: coast lines, borders, background, grid lines.

Everything comes with the package (the relief with cartopy): nothing is fetched from a network.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import as_file, files
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xcluster.base.checks import check_choice
from xcluster.plot.view import largest_box, shape_of

Background = Literal["satellite", "relief"] | None
Scale = Literal["110m", "50m"]

# Points are stored as steps of this many degrees.
STEP = 1 / 180


def add_lines(ax: Any, name: Literal["coastline", "borders"], scale: Scale) -> Any:
    """Draw coast lines or land borders on a GeoAxes, and return the artist."""
    import cartopy.crs as ccrs
    from cartopy.feature import ShapelyFeature

    feature = ShapelyFeature([_lines(f"{name}_{scale}")], ccrs.PlateCarree())
    width, color = (0.6, "0.15") if name == "coastline" else (0.4, "0.35")
    return ax.add_feature(feature, facecolor="none", edgecolor=color, linewidth=width, zorder=3)


def add_background(ax: Any, background: Background) -> Any:
    """Draw the Earth from space, or its relief, beneath everything else."""
    check_choice("background", background, ("satellite", "relief", None))
    if background == "relief":
        return ax.stock_img()
    import cartopy.crs as ccrs

    world = ccrs.PlateCarree()
    looks = {"origin": "upper", "extent": (-180, 180, -90, 90), "zorder": 0}
    return ax.imshow(_blue_marble(), transform=world, **looks)


def coast_points(scale: Scale) -> NDArray[np.float32]:
    """Return longitudes and latitudes of the coast, shape (n, 2), NaN between two lines."""
    gap = np.full((1, 2), np.nan)
    lines = [part for line in _points(f"coastline_{scale}") for part in (line, gap)]
    return np.concatenate(lines).astype(np.float32)


@lru_cache
def _lines(name: str) -> Any:
    from shapely.geometry import LineString, MultiLineString

    return MultiLineString([LineString(line) for line in _points(name)])


def _points(name: str) -> list[NDArray[np.float64]]:
    with as_file(files("xcluster.plot") / "data" / "lines.npz") as path, np.load(path) as archive:
        steps, sizes = archive[f"{name}_steps"], archive[f"{name}_sizes"]
    return np.split(np.cumsum(steps, axis=0, dtype=np.int16) * STEP, np.cumsum(sizes)[:-1])


@lru_cache
def _blue_marble() -> NDArray[np.uint8]:
    from PIL import Image

    with as_file(files("xcluster.plot") / "data" / "blue_marble.jpg") as path:
        return np.asarray(Image.open(path))


def add_graticule(
    ax: Any, degrees: bool, left: bool, bottom: bool, longitudes: tuple[float, float] | None
) -> None:
    """Draw thin lines of longitude and latitude, with degrees on the sides where wanted.

    The range of ``longitudes`` may reach across the date line.
    """
    from cartopy.mpl.ticker import LatitudeLocator, LongitudeLocator

    looks = {"linewidth": 0.3, "color": "0.5", "alpha": 0.6, "zorder": 2.5}
    texts = {"draw_labels": degrees, "rotate_labels": False, "x_inline": False, "y_inline": False}
    lines = ax.gridlines(**texts, **looks)
    lines.top_labels = lines.right_labels = False
    lines.left_labels, lines.bottom_labels = left and degrees, bottom and degrees
    lines.xlabel_style = lines.ylabel_style = {"size": "small"}
    width, height = _inches(ax)
    meridians = LongitudeLocator(nbins=int(np.clip(width / 0.7, 2, 6)))
    lines.xlocator = meridians if longitudes is None else _around(meridians, *longitudes)
    lines.ylocator = LatitudeLocator(nbins=int(np.clip(height / 0.5, 2, 8)))


def _around(meridians: Any, west: float, east: float) -> Any:
    """Return a locator of the meridians from west to east, as -180 to 180."""
    from matplotlib.ticker import FixedLocator

    at = meridians.tick_values(west, east)
    within = at[(at >= west - 1e-6) & (at <= east + 1e-6)]
    return FixedLocator(np.unique((within + 180) % 360 - 180).tolist())


def _inches(ax: Any) -> tuple[float, float]:
    """Return the size that an axes will have, its shape being fixed."""
    figure_width, figure_height = ax.get_figure(root=True).get_size_inches()
    box = ax.get_position()
    return largest_box(shape_of(ax), box.width * figure_width, box.height * figure_height)
