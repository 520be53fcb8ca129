"""Cells on the sphere as polygons: their corners from their centres, and their areas."""

from __future__ import annotations

import numpy as np

from xcluster.base.arrays import Array

SAME_DEGREES = 1e-9
"""Edges that change less in latitude or in longitude follow a meridian or a parallel."""


def corners(longitude: Array, latitude: Array) -> tuple[Array, Array]:
    """Return longitude and latitude of the corners of curvilinear cells, from their centres.

    Centres are averaged as points in space, so that neither poles nor the date line matter.

    Parameters
    ----------
    longitude, latitude : array of shape (ny, nx)
        In degrees; NaN where there is no cell.

    Returns
    -------
    longitude, latitude : array of shape (ny + 1, nx + 1)
        NaN where no neighbour has coordinates.
    """
    points = unit_vectors(longitude, latitude)
    for axis in (1, 2):
        points = _midpoints(points, axis)
    return as_degrees(points)


def as_degrees(points: Array) -> tuple[Array, Array]:
    """Return longitude and latitude of vectors (3, ...) of any length."""
    x, y, z = points
    return np.rad2deg(np.arctan2(y, x)), np.rad2deg(np.arctan2(z, np.hypot(x, y)))


def of_cells(corner: Array) -> Array:
    """Return the four corners of each cell (ny, nx, 4, ...), going round it."""
    around = (corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1])
    return np.stack(around, axis=2)


def solid_angles(longitude: Array, latitude: Array) -> Array:
    """Return the solid angle of polygons of shape (..., n_corners), in steradians.

    Edges along meridians and parallels are followed exactly, all others are great circles. Corners
    may be repeated, as where polygons of fewer corners are filled up.
    """
    eastward = (np.roll(longitude, -1, axis=-1) - longitude + 180) % 360 - 180
    northward = np.roll(latitude, -1, axis=-1) - latitude
    level = np.minimum(np.abs(eastward), np.abs(northward)).max(axis=-1) < SAME_DEGREES
    height = np.sin(np.deg2rad(latitude + northward / 2))
    boxes = np.abs((np.deg2rad(eastward) * height).sum(axis=-1))
    return np.where(level, boxes, _of_great_circles(unit_vectors(longitude, latitude)))


def flat_areas(x: Array, y: Array) -> Array:
    """Return the area of flat polygons of shape (..., n_corners); corners may be repeated."""
    # Seen from the first corner, as differences of squared eastings and northings would cancel.
    x, y = x - x[..., :1], y - y[..., :1]
    twice = (x * np.roll(y, -1, axis=-1) - np.roll(x, -1, axis=-1) * y).sum(axis=-1)
    return np.asarray(np.abs(twice) / 2)


def unit_vectors(longitude: Array, latitude: Array) -> Array:
    """Return points on the unit sphere, of shape (3, ...)."""
    lon, lat = np.deg2rad(longitude), np.deg2rad(latitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def _midpoints(points: Array, axis: int) -> Array:
    """Average neighbours along ``axis``, continued by half a cell at both ends."""
    inner = np.moveaxis(points, axis, 0)
    padded = np.concatenate([[2 * inner[0] - inner[1]], inner, [2 * inner[-1] - inner[-2]]])
    low, high = padded[:-1], padded[1:]
    low, high = np.where(np.isnan(low), high, low), np.where(np.isnan(high), low, high)
    return np.moveaxis((low + high) / 2, 0, axis)


def _of_great_circles(points: Array) -> Array:
    """Return solid angles as the sum of triangles from the first corner.

    Van Oosterom and Strackee (1983), IEEE Trans. Biomed. Eng. 30, 125.
    """
    first, second, third = points[..., :1], points[..., 1:-1], points[..., 2:]
    volume = (first * np.cross(second, third, axis=0)).sum(axis=0)
    cosines = 1 + (first * second + second * third + third * first).sum(axis=0)
    angles: Array = np.abs(2 * np.arctan2(volume, cosines).sum(axis=-1))
    return angles
