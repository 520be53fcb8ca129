"""Distances and centres of series that may be shifted, by their cross-correlation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from scipy.linalg import eigh

from xcluster.algorithms.parts.directions import directions
from xcluster.base.parallel import map_rows, map_threads

Array = NDArray[Any]

CELLS = 2**20
"""Correlations that are computed at once, 8 MB of them."""
EQUAL = 1e-14
"""Distances below this are rounding: the series have one shape."""


@dataclass(frozen=True)
class ShapeBased:
    """Squared shape-based distances, and centres by shape extraction.

    Parameters
    ----------
    n_channels : int, default 1
        Number of equal blocks that a row consists of, shifted together.
    """

    n_channels: int = 1

    def costs(self, X: Array, centers: Array) -> Array:
        """Return squared distances, of shape (n_samples, n_clusters)."""
        return self.compared(X, centers)[0] ** 2

    def distances(self, costs: Array) -> Array:
        """Return the square roots."""
        return np.asarray(np.sqrt(costs))

    def barycentres(
        self, X: Array, weight: Array, members: list[Array], centers: Array, max_iter: int
    ) -> Array:
        """Return for each centre the shape that its members have in common, in their units.

        A shape has neither level nor size: it gets the means of those of its members.
        """

        def of_cluster(k: int) -> Array:
            rows = members[k]
            return self._common(X[rows], weight[rows], centers[k]) if len(rows) else centers[k]

        return np.array(map_threads(of_cluster, range(len(centers))))

    def compared(self, X: Array, centers: Array) -> tuple[Array, Array]:
        """Return distances, and by how many points rows lie behind centres.

        Both are of shape (n_samples, n_clusters).
        """
        shapes = self._shapes(centers)
        n_rows = max(CELLS // max(2 * shapes.size, 1), 1)
        parts = map_rows(lambda rows: _nearest_shifts(self._shapes(rows), shapes), X, n_rows)
        away, shifts = (np.concatenate(each) for each in zip(*parts, strict=True))
        return away, shifts

    def _shapes(self, rows: Array) -> Array:
        """Return series without level and size, of shape (n_samples, n_channels, length).

        All channels count the same; one that does not vary is zero.
        """
        series = np.ascontiguousarray(rows).reshape(len(rows), self.n_channels, -1)
        each = directions(series.reshape(-1, series.shape[2]), "correlation")
        shapes = np.nan_to_num(each).reshape(series.shape)
        varying = np.count_nonzero(shapes.any(axis=2), axis=1)
        return np.asarray(shapes / np.sqrt(np.maximum(varying, 1))[:, None, None])

    def _common(self, X: Array, weight: Array, centre: Array) -> Array:
        shapes, own = self._shapes(X), self._shapes(centre[None])
        lags = _nearest_shifts(shapes, own)[1][:, 0]
        aligned = _shifted(shapes, -lags)
        series = X.reshape(shapes.shape)
        level = np.average(series.mean(axis=2), axis=0, weights=weight)
        size = np.average(series.std(axis=2), axis=0, weights=weight)
        found = [_direction(aligned[:, c], weight) for c in range(self.n_channels)]
        return np.asarray(level[:, None] + size[:, None] * np.array(found)).ravel()


def _nearest_shifts(X: Array, Y: Array) -> tuple[Array, Array]:
    """Return the distance of each series of X to each of Y at the best shift, and that shift."""
    length = X.shape[2]
    n_fft = next_fast_len(2 * length - 1, real=True)
    spectra = np.fft.rfft(X, n_fft)[:, None] * np.fft.rfft(Y, n_fft).conj()
    correlation = np.fft.irfft(spectra.sum(axis=2), n_fft)
    # From small shifts to large ones, so that of equal ones the smallest is taken.
    lags = np.array(sorted(range(1 - length, length), key=lambda lag: (abs(lag), lag)))
    ordered = correlation[..., lags]
    best = ordered.argmax(axis=2)
    away = 1 - np.take_along_axis(ordered, best[..., None], axis=2)[..., 0]
    return np.where(away < EQUAL, 0.0, away), lags[best]


def _shifted(shapes: Array, lags: Array) -> Array:
    """Return series moved by so many points; zero where nothing is known."""
    length = shapes.shape[2]
    source = np.arange(length) - lags[:, None]
    known = (source >= 0) & (source < length)
    taken = np.take_along_axis(shapes, np.clip(source, 0, length - 1)[:, None], axis=2)
    return np.where(known[:, None], taken, 0.0)


def _direction(aligned: Array, weight: Array) -> Array:
    """Return the series of mean 0 and deviation 1 that is most like all others.

    It is the first eigenvector of the sums of products of the centred series, found from the
    products of series where these are fewer than their points.
    """
    rows = (aligned - aligned.mean(axis=1, keepdims=True)) * np.sqrt(weight)[:, None]
    n, length = rows.shape
    few = n < length
    gram = rows @ rows.T if few else rows.T @ rows
    vector = eigh(gram, subset_by_index=[len(gram) - 1] * 2)[1][:, 0]
    vector = rows.T @ vector if few else vector
    vector = vector - vector.mean()
    sign = -1.0 if weight @ (aligned @ vector) < 0 else 1.0
    return np.asarray(sign * vector / (vector.std() or 1.0))
