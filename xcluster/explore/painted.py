"""Which face of a mesh, or which HEALPix cell, each pixel of an even raster shows."""

from __future__ import annotations

from typing import Any

import numpy as np

from xcluster.base.arrays import Array
from xcluster.explore.nearest import Box, by_point, pixels_of
from xcluster.plot.lattice import Lattice
from xcluster.plot.outlines import Outline, around_poles
from xcluster.plot.view import data_extent

FINER = 3
"""Times finer than a pixel is what is drawn, so that edges do not widen polygons."""


def painted(lattice: Lattice, flat: Array) -> tuple[Array, Box, Array, Array]:
    """Return the sample that each pixel shows, the raster's box, and x and y of the samples."""
    assert lattice.outline is not None
    west, east, south, north = data_extent(lattice)
    box, pixels = pixels_of(np.array([west, south]), np.array([east, north]))
    corners = _corners(lattice.outline)
    x, y = lattice.outline.centre
    owner, turns = lattice.outline.owner, [0]
    if lattice.is_lonlat:
        x, turns = west + (x - west) % 360, [-360, 0, 360]
    turned = np.concatenate([corners + np.array([turn, 0]) for turn in turns])
    found = _paint(turned, np.tile(owner, len(turns)), box, pixels.shape[:2])
    return np.where(found < 0, -1, flat[found]), box, *by_point([x, y], flat)


def _corners(outline: Outline) -> Array:
    """Return corners (n_polygons, n_corners, 2); of each polygon all on one side of the date line.

    Only longitudes are turned: by whole circles, to be near that of the sample.
    """
    corners = around_poles(outline)
    if outline.is_lonlat:
        centre = outline.centre[0][outline.owner][:, None]
        corners[..., 0] = centre + (corners[..., 0] - centre + 180) % 360 - 180
    return corners


def _paint(corners: Array, owner: Array, box: Box, shape: tuple[int, ...]) -> Array:
    """Draw polygons in colours that are the numbers of their samples, and read these back."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

    left, bottom, width, height = box
    near = (corners.max(axis=1) > [left, bottom]) & (corners.min(axis=1) < [left + width, np.inf])
    shown = near.all(axis=-1)
    number = owner[shown] + 1  # 0 is the paper
    color = np.stack([number >> 16 & 255, number >> 8 & 255, number & 255], axis=-1) / 255
    figure = Figure(figsize=(shape[1], shape[0]), dpi=FINER, facecolor="black")
    canvas: Any = FigureCanvasAgg(figure)
    ax: Any = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(left, left + width), ylim=(bottom, bottom + height))
    ax.set_axis_off()
    # Thin edges leave no pixel empty between two polygons.
    looks: Any = {"facecolors": color, "edgecolors": color, "antialiased": False, "linewidths": 1}
    ax.add_collection(PolyCollection(list(corners[shown]), **looks), autolim=False)
    canvas.draw()
    middle = slice(FINER // 2, None, FINER)
    drawn = np.asarray(canvas.buffer_rgba())[::-1, :, :3][middle, middle].astype(np.int64)
    return np.asarray(drawn @ [1 << 16, 1 << 8, 1] - 1)
