"""Which of scattered grid points each pixel of an even raster shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from xcluster.base.arrays import Array
from xcluster.plot.lattice import Lattice, longitude_range

Box = tuple[float, float, float, float]

# On the longer side of the raster.
PIXELS = 700

# A point without neighbours is drawn as a disc of this share of the map's diagonal.
DISC = 0.006


def scattered(lattice: Lattice, flat: Array) -> tuple[Array, Box, Array, Array]:
    """Return the grid point that each pixel shows, the raster's box, and x and y of the points."""
    x = lattice.x.transpose(*lattice.dims).values.astype(float)
    y = lattice.y.transpose(*lattice.dims).values.astype(float)
    if lattice.is_lonlat:
        west = longitude_range(x)[0]
        x = west + (x - west) % 360
    known = np.isfinite(x) & np.isfinite(y)
    places = np.column_stack([x[known], y[known]])
    if not len(places):
        places, known = np.zeros((1, 2)), np.zeros_like(known)
    disc = DISC * float(np.hypot(*np.ptp(places, axis=0))) or 0.5
    space, unit = (_on_sphere, np.pi / 180) if lattice.is_lonlat else (np.asarray, 1.0)
    tree = cKDTree(space(places))
    if lattice.kind == "points":
        reach = np.minimum(_spacing(tree), 2 * disc * unit)
    else:
        reach = _half_diagonals(space(np.stack([x, y], axis=-1)))[known]
    margin = max(disc, float(reach.max(initial=0.0)) / unit)
    box, pixels = pixels_of(*_limits(places, margin, lattice.is_lonlat))
    distance, nearest = tree.query(space(pixels))
    shown = distance <= reach[nearest] if len(reach) else np.zeros(distance.shape, bool)
    if lattice.kind == "points":
        # On a map of degrees discs are round everywhere, also near the poles.
        distance, closest = cKDTree(places).query(pixels)
        nearest, shown = np.where(distance <= disc, closest, nearest), shown | (distance <= disc)
    shown &= known.any()
    points = np.where(shown, np.append(flat[known], -1)[nearest], -1)
    return points, box, *by_point([x, y], flat)


def pixels_of(low: Array, high: Array) -> tuple[Box, Array]:
    """Return the box between two corners, and the middles of the pixels that fill it."""
    width, height = map(float, high - low)
    box = (float(low[0]), float(low[1]), width, height)
    columns, rows = np.maximum(PIXELS * (high - low) / (high - low).max(), 2).astype(int)
    return box, middles(box, rows, columns)


def by_point(coordinates: Any, flat: Array) -> tuple[Array, Array]:
    """Return coordinates in the order of the labels' own grid points."""
    out = np.empty((2, flat.size))
    for row, values in zip(out, coordinates, strict=True):
        row[flat.ravel()] = np.asarray(values).ravel()
    return out[0], out[1]


def _on_sphere(degrees: Array) -> Array:
    """Return points of the unit sphere, where neither poles nor the date line matter."""
    longitude, latitude = np.deg2rad(degrees[..., 0]), np.deg2rad(degrees[..., 1])
    across = np.cos(latitude)
    x, y = across * np.cos(longitude), across * np.sin(longitude)
    return np.stack([x, y, np.sin(latitude)], axis=-1)


def _spacing(tree: Any) -> Array:
    """Return the distance of each point to the fourth of its neighbours."""
    if tree.n < 5:
        return np.zeros(tree.n)
    return np.asarray(tree.query(tree.data, k=5)[0][:, -1])


def _half_diagonals(centres: Array) -> Array:
    """Return half the diagonal of each cell of a curvilinear grid, of shape (ny, nx)."""
    steps = []
    for axis in (0, 1):
        step = np.linalg.norm(np.diff(centres, axis=axis), axis=-1)
        edge = np.full_like(np.take(centres[..., 0], [0], axis=axis), np.nan)
        before, after = (np.concatenate(pair, axis=axis) for pair in ([edge, step], [step, edge]))
        steps.append(np.fmax(before, after))
    # A tenth more, as cells are no rectangles.
    half = 0.55 * np.hypot(*(np.nan_to_num(step) for step in steps))
    usual = np.median(half[half > 0]) if (half > 0).any() else 0.0
    return np.asarray(np.minimum(half, 3 * usual))


def _limits(places: Array, margin: float, is_lonlat: bool) -> tuple[Array, Array]:
    low, high = places.min(axis=0) - margin, places.max(axis=0) + margin
    if is_lonlat:
        low[1], high[1] = max(low[1], -90.0), min(high[1], 90.0)
        if high[0] - low[0] >= 360:
            low[0] = longitude_range(places[:, 0])[0]
            high[0] = low[0] + 360
    return low, high


def middles(box: Box, rows: int, columns: int) -> Array:
    """Return the middle of each pixel of a raster, shape (rows, columns, 2)."""
    left, bottom, width, height = box
    x = left + (np.arange(columns) + 0.5) * width / columns
    y = bottom + (np.arange(rows) + 0.5) * height / rows
    return np.stack(np.meshgrid(x, y), axis=-1)
