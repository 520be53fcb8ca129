"""Rows in, labels out: the function that is sent to every block when labels are computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.algorithms.parts.directions import away, compares_directions, directions
from xcluster.algorithms.parts.distances import distances
from xcluster.algorithms.parts.gaps import has_gaps
from xcluster.chain.reduction import Chain
from xcluster.fit.labels import Partition

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Labeller:
    """Gives the labels, memberships and distances of rows.

    Parameters
    ----------
    chain
        The fitted steps.
    clusterer
        With ``predict``, and with ``predict_proba`` if it is soft.
    partition
        What the numbers of the clusterer mean.
    centers : array of shape (n_raw, n_components)
        The centres of these numbers, in the reduced space.
    """

    chain: Chain
    clusterer: Any
    partition: Partition
    centers: Array

    @property
    def is_soft(self) -> bool:
        """Whether the clusterer gives memberships."""
        return hasattr(self.clusterer, "predict_proba")

    def labels(self, X: Array) -> Array:
        """Return the label of each row, shape (n,)."""
        return self._reduced(X, self._labels, None)

    def memberships(self, X: Array) -> Array:
        """Return the membership of each row in each label, shape (n, n_labels)."""
        return self._reduced(X, self._memberships, self.partition.n_labels)

    def both(self, X: Array) -> Array:
        """Return the label and the memberships of each row, shape (n, 1 + n_labels)."""
        return self._reduced(X, self._both, 1 + self.partition.n_labels)

    def strengths(self, X: Array) -> Array:
        """Return how firmly each row belongs to its cluster, shape (n,)."""
        return self._reduced(X, self.clusterer.strength, None)

    def distances(self, X: Array) -> Array:
        """Return the distance of each row to the nearest centre of each label."""
        return self._reduced(X, self._distances, self.partition.n_labels)

    def shifts(self, X: Array) -> Array:
        """Return by how many features each row lies behind its centre, shape (n,)."""
        return self._reduced(X, lambda Z: self.clusterer.shifts(Z).astype(np.float32), None)

    def _reduced(self, X: Array, function: Callable[[Array], Array], width: int | None) -> Array:
        """Apply ``function`` in the reduced space; rows that a step makes NaN stay NaN."""
        Z = self._in_its_precision(self.chain(X))
        finite = self.chain.usable(Z) if self.chain.steps else np.ones(len(Z), bool)
        if finite.all():
            return function(Z)
        tail = () if width is None else (width,)
        out = np.full((len(Z), *tail), np.nan, np.float32)
        if finite.any():
            out[finite] = function(Z[finite])
        return out

    def _in_its_precision(self, Z: Array) -> Array:
        """Return rows in the dtype of the centres, which compiled code of scikit-learn needs."""
        theirs = type(self.clusterer).__module__.startswith("sklearn.")
        centers = getattr(self.clusterer, "cluster_centers_", None) if theirs else None
        return Z if centers is None else Z.astype(centers.dtype, copy=False)

    def _labels(self, Z: Array) -> Array:
        if self.partition.floor is not None:
            return np.asarray(self._both(Z)[:, 0])
        return self.partition(self.clusterer.predict(Z))

    def _memberships(self, Z: Array) -> Array:
        return self.partition.memberships(np.asarray(self.clusterer.predict_proba(Z)))

    def _both(self, Z: Array) -> Array:
        raw = np.asarray(self.clusterer.predict_proba(Z))
        memberships = self.partition.memberships(raw)
        # The clusterer's most likely number, as in its predict(), not the largest sum of merged
        # memberships: merging labels must not change other labels.
        leaves_noise = getattr(self.clusterer, "leaves_noise", False)
        labels = self.partition(self.clusterer.predict(Z) if leaves_noise else raw.argmax(axis=1))
        labels = self.partition.classify(labels, memberships)
        return np.concatenate([labels[:, None], memberships], axis=1)

    def _distances(self, Z: Array) -> Array:
        if hasattr(self.clusterer, "transform"):
            raw = np.asarray(self.clusterer.transform(Z))
        elif len(self.centers):
            raw = _between(Z, self.centers, getattr(self.clusterer, "metric", None))
        else:
            raw = np.empty((len(Z), 0), Z.dtype)
        nearest = np.full((len(Z), self.partition.n_labels), np.inf, raw.dtype)
        for number, label in enumerate(self.partition.codes):
            np.minimum(nearest[:, label], raw[:, number], out=nearest[:, label])
        return nearest


def _between(Z: Array, centers: Array, metric: Any) -> Array:
    """Return the distance of each row to each centre, Euclidean or between directions."""
    from sklearn.metrics import pairwise_distances

    if compares_directions(metric):
        return away(directions(Z, metric), directions(centers, metric), metric)
    measure = distances if has_gaps(Z) else pairwise_distances
    return np.asarray(measure(Z, centers.astype(Z.dtype)))
