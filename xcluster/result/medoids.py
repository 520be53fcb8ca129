"""The samples that are medoids: their data and where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.blocks import matrix
from xcluster.blocks.block import Block
from xcluster.chain.reduction import Chain
from xcluster.fit.fitted import Fitted, clusterer_with, labelled_dim, samples_of
from xcluster.grid.hashing import canonical_positions
from xcluster.grid.layout import LABEL, Layout
from xcluster.grid.neighbours import places

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class _Nearest:
    """The sample nearest to each medoid; of equally near ones the first on the grid.

    Parameters
    ----------
    distance : array of shape (k,)
    key : array of shape (k,)
        Canonical positions.
    """

    distance: Array
    key: Array

    @classmethod
    def merge(cls, parts: Sequence[_Nearest]) -> _Nearest:
        """Return the nearest samples of several blocks."""
        distance, key = (
            np.array([getattr(p, name) for p in parts]) for name in ("distance", "key")
        )
        first = np.lexsort((key, distance), axis=0)[0]
        columns = np.arange(distance.shape[1])
        return cls(distance[first, columns], key[first, columns])


@dataclass(frozen=True, eq=False)
class _OfBlock:
    chain: Chain
    medoids: Array

    def __call__(self, block: Block) -> _Nearest:
        from xcluster.algorithms.kernels.distances import squared_distances

        complete = block.complete
        none = np.full(len(self.medoids), np.inf)
        if not complete.any():
            return _Nearest(none, np.zeros(len(none), np.int64))
        Z, key = self.chain(block.rows(complete)), block.key[complete].astype(np.int64)
        squares = squared_distances(Z, self.medoids)
        squares[:, ~self.chain.usable(Z)] = np.inf
        least = squares.min(axis=1)
        nearest = np.where(squares == least[:, None], key, key.max()).min(axis=1)
        return _Nearest(least, nearest)


def medoids(fitted: Fitted) -> xr.Dataset:
    """Return the data of the medoid of each label; see `Clustering.medoids`."""
    return of_scenes(fitted)[0]


def of_scenes(fitted: Fitted) -> list[xr.Dataset]:
    """Return the medoids that lie in each scene."""
    numbers = _numbers(fitted)
    clusterer = clusterer_with(fitted, "medoid_indices_", "medoids", "kmedoids")
    layout = samples_of(fitted, "medoids").layout
    of_block = _OfBlock(fitted.assign.chain, clusterer.cluster_centers_[numbers])
    found = [_found(scene, of_block) for scene in layout.scenes]
    scene = np.argmin([each.distance for each in found], axis=0)
    selected = map(_selected, layout.scenes, (each.key for each in found))
    return [
        labelled_dim(fitted, each).isel({LABEL: np.flatnonzero(scene == i)})
        for i, each in enumerate(selected)
    ]


def _found(scene: Layout, of_block: _OfBlock) -> _Nearest:
    return matrix.reduce(
        scene, of_block, _Nearest.merge, keys=canonical_positions, called="medoids"
    )


def _numbers(fitted: Fitted) -> Array:
    """Return the clusterer's number for each label: of merged ones that of most samples."""
    codes = fitted.partition.codes
    order = np.lexsort((-np.asarray(fitted.record.counts), codes))
    return order[np.unique(codes[order], return_index=True)[1]]


def _selected(layout: Layout, key: Array) -> xr.Dataset:
    """Return the data of the sample of each label, with the coordinates of these samples."""
    where = np.unravel_index(places(layout, key), layout.shape)
    labels = {LABEL: np.arange(len(key))}
    at = {
        dim: xr.DataArray(index, labels, (LABEL,))
        for dim, index in zip(layout.sample_dims, where, strict=True)
    }
    arrays = {name: layout.variables[name].array for name in layout.shown}
    found = {name: each.isel(at, missing_dims="ignore") for name, each in arrays.items()}
    return xr.Dataset({name: each.transpose(LABEL, ...) for name, each in found.items()})
