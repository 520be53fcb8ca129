"""Methods about the latent space of `vae`, which `Samples` and `Clustering` share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import xarray as xr

from xcluster.chain import latent
from xcluster.chain.reduction import Chain


class LatentSpace(ABC):
    """What can be asked about the latent space, if the chain ends in `vae`."""

    @abstractmethod
    def _latent_parts(self) -> tuple[Chain, xr.Dataset]:
        """Return the fitted steps, and one sample without values."""

    @abstractmethod
    def _latent(self) -> xr.DataArray:
        """Return the latent variables of the samples, over ``component``."""

    def decode(self, z: Any) -> xr.Dataset:
        """Decode points of the latent space to data, in the units of the data.

        Parameters
        ----------
        z : array of shape (n, L) or (L,), or DataArray over a dim ``component``
            Points of the latent space of `vae`.

        Returns
        -------
        Dataset over ``point`` and the feature dims.

        Raises
        ------
        ValueError
            If the chain does not end in ``vae()``, or a point does not have L numbers.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> samples = model.cluster.profiles("depth", every=6).vae(2, epochs=2)
        >>> samples.decode([[0, 0], [1, 0]]).vs.shape
        (2, 41)
        """
        return latent.decode(*self._latent_parts(), z)

    def latent_gradient(self, n: int = 50) -> xr.DataArray:
        """Return how fast the decoded features change, on a grid in the latent space.

        Parameters
        ----------
        n : int, default 50
            Number of points along each latent dimension, over the range of the samples.

        Returns
        -------
        DataArray over ``z_0``, ``z_1``, ...: the norm of the gradient of ``|decode(z)|``, in
        units of the space before ``vae()``. Its ``.plot()`` draws the map.

        Raises
        ------
        ValueError
            If the chain does not end in ``vae()``, or has more than three latent dimensions.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> samples = model.cluster.profiles("depth", every=6).vae(2, epochs=2)
        >>> dict(samples.latent_gradient(n=10).sizes)
        {'z_0': 10, 'z_1': 10}
        """
        return latent.gradient(self._latent_parts()[0], self._latent(), n)

    def latent_distances(self, n: int = 1000, *, random_state: int = 0) -> xr.Dataset:
        """Return the distances between random pairs of samples, before and after decoding.

        Parameters
        ----------
        n : int, default 1000
            Number of pairs.
        random_state : int, default 0
            Seed of the pairs.

        Returns
        -------
        Dataset over ``pair``: ``latent`` and ``decoded``. If the two distances rise together,
        distances in the latent space are meaningful; ``.plot.scatter(x="latent", y="decoded")``
        shows it.

        Raises
        ------
        ValueError
            If the chain does not end in ``vae()``, or there are fewer than two samples.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> samples = model.cluster.profiles("depth", every=6).vae(2, epochs=2)
        >>> list(samples.latent_distances(n=100))
        ['latent', 'decoded']
        """
        return latent.distances(self._latent_parts()[0], self._latent(), n, random_state)
