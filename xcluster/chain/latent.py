"""The latent space of a variational auto-encoder: any of its points decoded, and how even it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.checks import check_integer, check_numbers, check_seed
from xcluster.base.errors import BadValueError
from xcluster.blocks import matrix

if TYPE_CHECKING:
    from xcluster.chain.reduction import Chain

Array = NDArray[Any]


LARGEST_LATTICE = 10_000_000
"""Points that are decoded at once."""


class LatentSpace(ABC):
    """What samples and results of a chain that ends in `vae` know of its latent space."""

    @abstractmethod
    def _latent_parts(self) -> tuple[Chain, xr.Dataset]:
        """Return the fitted steps, and one sample without values."""

    @abstractmethod
    def _latent(self) -> xr.DataArray:
        """Return the latent variables of the samples, over ``component``."""

    def decode(self, z: Any) -> xr.Dataset:
        """Return the data that points of the latent space stand for, in data units.

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
            If the chain does not end in ``vae()``, or the points have other than L numbers.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> samples = model.cluster.profiles("depth", every=6).vae(2, epochs=2)
        >>> samples.decode([[0, 0], [1, 0]]).vs.shape
        (2, 41)
        """
        chain, template = self._latent_parts()
        vae = _vae(chain, "decode")
        points = _points(z, vae)
        rows = chain.inverse(points)
        if rows is None:
            rule = "a step before vae() has no inverse"
            raise BadValueError("steps", [name for name, _ in chain.steps], rule, "omit it")
        found = matrix.unpack(template, rows, "point", np.arange(len(points)))
        return found.assign_coords(z=(("point", "component"), points))

    def latent_gradient(self, n: int = 50) -> xr.DataArray:
        """Return how fast the decoded features change over a lattice of the latent space.

        Parameters
        ----------
        n : int, default 50
            Points along each latent dimension, over the range of the samples.

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
        n = check_integer("n", n, minimum=2, maximum=LARGEST_LATTICE)
        # Computed once: each end of each axis would be a pass over lazy data.
        vae, latent = _vae(self._latent_parts()[0], "latent_gradient"), self._latent().compute()
        n_dims = latent.sizes["component"]
        if n_dims > 3:
            rule = f"a lattice over {n_dims} latent dimensions is too large"
            raise BadValueError("n", n, rule, "use vae(2), or latent_distances()")
        if n**n_dims > LARGEST_LATTICE:
            rule = f"gives {n**n_dims:,} points of {n_dims} latent dimensions"
            raise BadValueError("n", n, rule, "pass fewer")
        others = [dim for dim in latent.dims if dim != "component"]
        low, high = (each.values for each in (latent.min(others), latent.max(others)))
        axes = [np.linspace(*ends, n) for ends in zip(low, high, strict=True)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, n_dims)
        values = vae.latent_gradient(points).reshape((n,) * n_dims)
        names = [f"z_{number}" for number in range(n_dims)]
        attrs = {"long_name": "norm of the gradient of the decoded length"}
        return xr.DataArray(
            values, dict(zip(names, axes, strict=True)), names, "latent_gradient", attrs
        )

    def latent_distances(self, n: int = 1000, *, random_state: int = 0) -> xr.Dataset:
        """Return distances of random pairs of samples, in latent space and decoded.

        Parameters
        ----------
        n : int, default 1000
            Pairs.
        random_state : int, default 0

        Returns
        -------
        Dataset over ``pair``: ``latent`` and ``decoded``. Where the one tells the other, distances
        between labels mean something; ``.plot.scatter(x="latent", y="decoded")`` shows it.

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
        vae, latent = _vae(self._latent_parts()[0], "latent_distances"), self._latent()
        n = check_integer("n", n, minimum=1, maximum=LARGEST_LATTICE)
        random_state = check_seed("random_state", random_state)
        points = latent.transpose(..., "component").values.reshape(-1, latent.sizes["component"])
        points = points[np.isfinite(points).all(axis=1)]
        pairs = zip(("latent", "decoded"), vae.latent_pairs(points, n, random_state), strict=True)
        return xr.Dataset(
            {name: ("pair", each, {"long_name": f"{name} distance"}) for name, each in pairs}
        )


def latent_dims(chain: Chain) -> int | None:
    """Return how many latent variables a chain ends in; None where it does not end in a VAE."""
    last = chain.steps[-1][1] if chain.steps else None
    if last is None or not hasattr(last, "latent_gradient"):
        return None
    return int(last.n_components)


def _vae(chain: Chain, what: str) -> Any:
    if latent_dims(chain) is None:
        names = [name for name, _ in chain.steps]
        rule = f"{what}() needs a chain whose last step is vae()"
        raise BadValueError("steps", names, rule, "add .vae(2)")
    return chain.steps[-1][1]


def _points(z: Any, vae: Any) -> Array:
    if isinstance(z, xr.DataArray) and "component" in z.dims:
        z = z.transpose(..., "component").values.reshape(-1, z.sizes["component"])
    points = np.atleast_2d(check_numbers("z", z, "pass an array of shape (n, L)"))
    if points.ndim != 2 or points.shape[1] != vae.n_components:
        rule = f"must have {vae.n_components} numbers a point"
        raise BadValueError("z", points.shape, rule, "pass an array of shape (n, L)")
    return points
