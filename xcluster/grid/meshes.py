"""Unstructured meshes, as files of the UGRID conventions describe them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.grid.geography import find_axis
from xcluster.grid.polygons import as_degrees, solid_angles, unit_vectors


@dataclass(frozen=True, eq=False)
class Mesh:
    """Faces and nodes on the sphere, of which one kind are samples.

    Parameters
    ----------
    dim
        The dim of the samples.
    location
        What they are.
    faces : int array of shape (n_faces, most_corners)
        The nodes of each face; -1 behind the last one.
    longitude, latitude : arrays of shape (n_nodes,)
        Of the nodes, in degrees.
    """

    dim: Hashable
    location: Literal["face", "node"]
    faces: Array
    longitude: Array
    latitude: Array

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
        key = ends[:, 0] * len(self.longitude) + ends[:, 1]
        order = np.argsort(key, kind="stable")
        same = np.flatnonzero(np.diff(key[order]) == 0)
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

    def solid_angles(self) -> Array:
        """Return the solid angle of each sample; a node has an equal part of each face around."""
        corners = self.corners
        of_faces = solid_angles(self.longitude[corners], self.latitude[corners])
        if self.location == "face":
            return of_faces
        real = self.faces >= 0
        part = np.broadcast_to((of_faces / self.n_corners)[:, None], real.shape)
        return np.bincount(self.faces[real], part[real], minlength=len(self.longitude))

    def polygons(self) -> tuple[Array, Array, Array]:
        """Return longitude and latitude of the corners of polygons, and the sample of each.

        A node has a quadrilateral in each face around it: to the middle of the face, and to those
        of its sides.
        """
        corners = self.corners
        lonlat = self.longitude[corners], self.latitude[corners]
        if self.location == "face":
            return *lonlat, np.arange(len(corners))
        real = self.faces >= 0
        points = unit_vectors(*lonlat)
        middle = (points * real).sum(axis=-1, keepdims=True) + np.zeros(real.shape)
        column = np.arange(real.shape[1])
        after = np.where(column + 1 < self.n_corners[:, None], column + 1, 0)
        sides = points + np.take_along_axis(points, after[None], axis=-1)
        before = np.where(column > 0, column - 1, self.n_corners[:, None] - 1)
        quads = np.stack(
            [points, sides, middle, np.take_along_axis(sides, before[None], axis=-1)], axis=-1
        )
        return *as_degrees(quads[:, real]), self.faces[real]


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
    nodes: dict[Hashable, xr.DataArray] = {
        name: data[name] for name in _names(attrs, "node_coordinates", data)
    }
    longitude, latitude = (find_axis(nodes, axis) for axis in ("longitude", "latitude"))
    connectivity = _names(attrs, "face_node_connectivity", data)
    if longitude is None or latitude is None or longitude.ndim != 1 or not connectivity:
        return None
    nodes_of_faces = data[connectivity[0]]
    # What attributes say may have been renamed since.
    said = [name for name in (attrs.get("face_dimension"), *dims) if name in nodes_of_faces.dims]
    face = said[0] if said else nodes_of_faces.dims[0]
    faces = _faces(nodes_of_faces.transpose(face, ...), longitude.size)
    on_faces = face in dims
    if faces is None or not (on_faces or longitude.dims[0] in dims):
        return None
    dim, location = (face, "face") if on_faces else (longitude.dims[0], "node")
    lonlat = (each.values.astype(np.float64) for each in (longitude, latitude))
    return Mesh(dim, "face" if location == "face" else "node", faces, *lonlat)


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
    start = connectivity.attrs.get("start_index", int(first >= 1 and last == n_nodes))
    faces = np.where(known, np.where(known, given, 0).astype(np.int64) - int(start), -1)
    return _distinct(faces) if faces[known].min() >= 0 and faces.max() < n_nodes else None


def _distinct(faces: Array) -> Array:
    """Return faces with each node once, and -1 behind the last one.

    Files repeat the first or the last node of a face that has fewer nodes than others.
    """
    for column in range(1, faces.shape[1]):
        repeated = (faces[:, :column] == faces[:, column, None]).any(axis=1)
        faces[repeated, column] = -1
    order = np.argsort(faces < 0, axis=1, kind="stable")
    return np.asarray(np.take_along_axis(faces, order, axis=1))
