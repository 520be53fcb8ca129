"""Unstructured meshes, as files of the UGRID conventions describe them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.checks import warn
from xcluster.grid.geography import find_axis
from xcluster.grid.polygons import as_degrees, flat_areas, solid_angles, unit_vectors

NORTHWARD = ("Y", "projection_y_coordinate")


@dataclass(frozen=True, eq=False)
class Mesh:
    """Faces and nodes on the sphere or on a plane, of which one kind are samples.

    Parameters
    ----------
    dim
        The dim of the samples.
    location
        What they are.
    faces : int array of shape (n_faces, most_corners)
        The nodes of each face; -1 behind the last one.
    x, y : arrays of shape (n_nodes,)
        Of the nodes: longitude and latitude in degrees, or a place on a plane.
    unit : str or None
        Of a place on a plane, empty if the data do not state it; None on the sphere.
    """

    dim: Hashable
    location: Literal["face", "node"]
    faces: Array
    x: Array
    y: Array
    unit: str | None = None

    @cached_property
    def n_corners(self) -> Array:
        """Number of nodes of each face."""
        return np.asarray((self.faces >= 0).sum(axis=1))

    @property
    def corners(self) -> Array:
        """The nodes of each face, the last one repeated where a face has fewer than others."""
        column = np.minimum(np.arange(self.faces.shape[1]), self.n_corners[:, None] - 1)
        return np.asarray(np.take_along_axis(self.faces, column, axis=1))

    def pairs(self) -> Array:
        """Return pairs of faces with a common edge, or of nodes along an edge."""
        ends, face = self._edges()
        order, same = self._shared(ends)
        if self.location == "face":
            return np.column_stack([face[order[same]], face[order[same + 1]]])
        return np.asarray(ends[np.delete(order, same + 1)])

    def _edges(self) -> tuple[Array, Array]:
        """Return both nodes of each side of each face, the smaller one first, and the face."""
        column = np.arange(self.faces.shape[1])
        real = column < self.n_corners[:, None]
        after = np.where(column + 1 < self.n_corners[:, None], column + 1, 0)
        ends = np.stack([self.faces, np.take_along_axis(self.faces, after, axis=1)], axis=-1)
        return np.sort(ends[real], axis=1), np.nonzero(real)[0]

    def _shared(self, ends: Array) -> tuple[Array, Array]:
        """Return an order of sides, and where in it a side and the next one are the same edge."""
        key = ends[:, 0] * len(self.x) + ends[:, 1]
        order = np.argsort(key, kind="stable")
        return order, np.flatnonzero(np.diff(key[order]) == 0)

    def areas(self) -> Array:
        """Return the area of each sample: a solid angle, or in the unit of the plane, squared.

        A node has an equal part of each face around it.
        """
        corners, area = self.corners, solid_angles if self.unit is None else flat_areas
        of_faces = area(self.x[corners], self.y[corners])
        if self.location == "face":
            return of_faces
        real = self.faces >= 0
        part = np.broadcast_to((of_faces / self.n_corners)[:, None], real.shape)
        return np.bincount(self.faces[real], part[real], minlength=len(self.x))

    def sides(self) -> tuple[Array, Array, Array]:
        """Return for each side of each sample the sample, that behind it or -1, and its length.

        Lengths are angles of great circles, in radians, or in the unit of the plane. The cell of a
        node is that of `polygons`.
        """
        ends, face = self._edges()
        order, same = self._shared(ends)
        other = np.full(len(order), -1)
        other[order[same]], other[order[same + 1]] = order[same + 1], order[same]
        points = self._points()
        first, second = points[:, ends[:, 0]], points[:, ends[:, 1]]
        if self.location == "face":
            return face, np.where(other < 0, -1, face[other]), self._lengths(first, second)
        middle = (first + second) / 2
        inward, outer = self._lengths(middle, self._middles()[:, face]), other < 0
        along = [self._lengths(end, middle)[outer] for end in (first, second)]
        return (
            np.concatenate([*ends.T, *ends[outer].T]),
            np.concatenate([*ends[:, ::-1].T, np.full(2 * outer.sum(), -1)]),
            np.concatenate([inward, inward, *along]),
        )

    def centres(self) -> tuple[Array, Array]:
        """Return longitude and latitude, or x and y, of each sample; of a face amid its nodes."""
        if self.location == "node":
            return self.x, self.y
        middles = self._middles()
        x, y = as_degrees(middles) if self.unit is None else middles
        return x, y

    def _points(self) -> Array:
        """Return the nodes as points on the unit sphere (3, n_nodes), or on the plane (2, n)."""
        return unit_vectors(self.x, self.y) if self.unit is None else np.stack([self.x, self.y])

    def _middles(self) -> Array:
        """Return the mean of the nodes of each face, of shape (2 or 3, n_faces)."""
        points = self._points()[:, self.corners]
        return np.asarray((points * (self.faces >= 0)).sum(axis=-1) / self.n_corners)

    def _lengths(self, start: Array, end: Array) -> Array:
        """Return how far points lie apart: along great circles, or on the plane."""
        if self.unit is not None:
            return np.asarray(np.hypot(*(end - start)))
        start, end = (each / np.linalg.norm(each, axis=0) for each in (start, end))
        return np.asarray(2 * np.arcsin(np.linalg.norm(end - start, axis=0) / 2))

    def polygons(self) -> tuple[Array, Array, Array]:
        """Return x and y of the corners of polygons, and the sample of each.

        A node has a quadrilateral in each face around it: to the middle of the face, and to those
        of its sides.
        """
        corners = self.corners
        if self.location == "face":
            return self.x[corners], self.y[corners], np.arange(len(corners))
        real, points = self.faces >= 0, self._points()[:, corners]
        middle = np.broadcast_to(self._middles()[..., None], points.shape)
        column = np.arange(real.shape[1])
        after = np.where(column + 1 < self.n_corners[:, None], column + 1, 0)
        sides = (points + np.take_along_axis(points, after[None], axis=-1)) / 2
        before = np.where(column > 0, column - 1, self.n_corners[:, None] - 1)
        quads = np.stack(
            [points, sides, middle, np.take_along_axis(sides, before[None], axis=-1)], axis=-1
        )[:, real]
        return *(as_degrees(quads) if self.unit is None else quads), self.faces[real]


def mesh_of(dims: Collection[Hashable], data: xr.Dataset | None) -> Mesh | None:
    """Return the mesh whose faces or nodes lie along one of ``dims``; None if there is none."""
    if data is None:
        return None
    for variable in data.variables.values():
        if variable.attrs.get("cf_role") == "mesh_topology":
            found = _described(variable.attrs, dims, data)
            if found is not None:
                return found
    return None


def _described(
    attrs: Mapping[str, Any], dims: Collection[Hashable], data: xr.Dataset
) -> Mesh | None:
    """Return the mesh that a topology names; None if the data lack a part of it."""
    found = _node_places([data[name] for name in _names(attrs, "node_coordinates", data)])
    connectivity = _names(attrs, "face_node_connectivity", data)
    if found is None or not connectivity:
        return None
    (x, y), unit = found
    nodes_of_faces = data[connectivity[0]]
    # What attributes say may have been renamed since.
    said = [name for name in (attrs.get("face_dimension"), *dims) if name in nodes_of_faces.dims]
    face = said[0] if said else nodes_of_faces.dims[0]
    on_faces = face in dims
    if not (on_faces or x.dims[0] in dims):
        return None
    faces = _faces(nodes_of_faces.transpose(face, ...), x.size)
    if faces is None:
        return None
    dim = face if on_faces else x.dims[0]
    place = [each.values.astype(np.float64) for each in (x, y)]
    return Mesh(dim, "face" if on_faces else "node", faces, place[0], place[1], unit)


def _node_places(
    nodes: list[xr.DataArray],
) -> tuple[tuple[xr.DataArray, xr.DataArray], str | None] | None:
    """Return longitude and latitude of the nodes, or x and y and their unit; None if unknown."""
    named = {each.name: each for each in nodes if each.ndim == 1}
    longitude, latitude = (find_axis(named, axis) for axis in ("longitude", "latitude"))
    if longitude is not None and latitude is not None:
        return (longitude, latitude), None
    units = {str(each.attrs.get("units", "")) for each in named.values()}
    if len(named) != 2 or len(units) != 1 or units.pop().startswith(("deg", "rad")):
        return None
    # UGRID names x first; what says that it runs northward is y anyway.
    x, y = sorted(named.values(), key=lambda each: bool({*NORTHWARD} & {*_said(each)}))
    return (x, y), str(x.attrs.get("units", ""))


def _said(axis: xr.DataArray) -> list[str]:
    return [str(axis.attrs.get(key)) for key in ("axis", "standard_name")]


def _names(attrs: Mapping[str, Any], key: str, data: xr.Dataset) -> list[str]:
    return [name for name in str(attrs.get(key, "")).split() if name in data.variables]


def _faces(connectivity: xr.DataArray, n_nodes: int) -> Array | None:
    """Return the nodes of faces, counted from 0; None if they are not all there."""
    given = connectivity.values
    known = np.isfinite(given)
    for stated in (connectivity.attrs, connectivity.encoding):
        if "_FillValue" in stated and given.dtype.kind in "iu":
            known &= given != stated["_FillValue"]
    if given.ndim != 2 or not known.any():
        return None
    first, last = int(given[known].min()), int(given[known].max())
    # Files that do not say it count from 1 where there would be no last node otherwise.
    start = int(connectivity.attrs.get("start_index", first >= 1 and last == n_nodes))
    if first < start or last - start >= n_nodes:
        warn(
            f"the mesh is not used: its faces name nodes {first} to {last}, counted from {start}, "
            f"but there are {n_nodes} nodes. Select no nodes; mask them instead, for example "
            "ds.cluster.pixels().where(mask)."
        )
        return None
    faces = np.where(known, np.where(known, given, 0).astype(np.int64) - start, -1)
    return _distinct(faces)


def _distinct(faces: Array) -> Array:
    """Return faces with each node once, and -1 behind the last one.

    Files repeat the first or the last node of a face that has fewer nodes than others.
    """
    for column in range(1, faces.shape[1]):
        repeated = (faces[:, :column] == faces[:, column, None]).any(axis=1)
        faces[repeated, column] = -1
    order = np.argsort(faces < 0, axis=1, kind="stable")
    return np.asarray(np.take_along_axis(faces, order, axis=1))
