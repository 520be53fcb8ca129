"""The latent space of a variational auto-encoder: decoded points, gradients and distances."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.checks import check_integer, check_numbers, check_seed
from xcluster.base.errors import BadValueError
from xcluster.blocks import matrix
from xcluster.chain.reduction import Chain

LARGEST_LATTICE = 10_000_000
"""Maximum number of points that are decoded in one call."""


def decode(chain: Chain, template: xr.Dataset, z: Any) -> xr.Dataset:
    """Return points of the latent space as data, over ``point``."""
    points = _points(z, _vae(chain, "decode"))
    rows = chain.inverse(points)
    if rows is None:
        raise BadValueError("steps", chain.names, "a step before vae() has no inverse", "omit it")
    found = matrix.unpack(template, rows, "point", np.arange(len(points)))
    return found.assign_coords(z=(("point", "component"), points))


def gradient(chain: Chain, latent: xr.DataArray, n: Any) -> xr.DataArray:
    """Return the norm of the gradient of the decoded length, on a lattice of ``n`` per axis."""
    vae = _vae(chain, "latent_gradient")
    n = _check_lattice(n, latent.sizes["component"])
    # Computed once: otherwise each minimum and maximum would read lazy data again.
    axes = _axes(latent.compute(), n)
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    values = vae.latent_gradient(points).reshape((n,) * len(axes))
    names = [f"z_{number}" for number in range(len(axes))]
    attrs = {"long_name": "norm of the gradient of the decoded length"}
    coords = dict(zip(names, axes, strict=True))
    return xr.DataArray(values, coords, names, "latent_gradient", attrs)


def _check_lattice(n: Any, n_dims: int) -> int:
    """Return the number of points per latent dimension; refuse a lattice that is too large."""
    wanted = check_integer("n", n, minimum=2, maximum=LARGEST_LATTICE)
    if n_dims > 3:
        rule = f"a lattice over {n_dims} latent dimensions is too large"
        raise BadValueError("n", n, rule, "use vae(2), or latent_distances()")
    if wanted**n_dims > LARGEST_LATTICE:
        rule = f"gives {wanted**n_dims:,} points in {n_dims} latent dimensions, which is too many"
        raise BadValueError("n", n, rule, "pass a smaller number")
    return wanted


def _axes(latent: xr.DataArray, n: int) -> list[Array]:
    """Return ``n`` points along each latent dimension, over the range of the samples."""
    others = [dim for dim in latent.dims if dim != "component"]
    low, high = (each.values for each in (latent.min(others), latent.max(others)))
    return [np.linspace(*ends, n) for ends in zip(low, high, strict=True)]


def distances(chain: Chain, latent: xr.DataArray, n: Any, random_state: Any) -> xr.Dataset:
    """Return the distances of ``n`` random pairs of samples, in latent space and decoded."""
    vae = _vae(chain, "latent_distances")
    n = check_integer("n", n, minimum=1, maximum=LARGEST_LATTICE)
    random_state = check_seed("random_state", random_state)
    points = latent.transpose(..., "component").values.reshape(-1, latent.sizes["component"])
    points = points[np.isfinite(points).all(axis=1)]
    pairs = zip(("latent", "decoded"), vae.latent_pairs(points, n, random_state), strict=True)
    found = {name: ("pair", each, {"long_name": f"{name} distance"}) for name, each in pairs}
    return xr.Dataset(found)


def latent_dims(chain: Chain) -> int | None:
    """Return the number of latent variables; None if the chain does not end in a VAE."""
    last = chain.last
    if last is None or not hasattr(last, "latent_gradient"):
        return None
    return int(last.n_components)


def _vae(chain: Chain, what: str) -> Any:
    if latent_dims(chain) is None:
        rule = f"{what}() needs a chain whose last step is vae()"
        raise BadValueError("steps", chain.names, rule, "add .vae(2)")
    return chain.last


def _points(z: Any, vae: Any) -> Array:
    if isinstance(z, xr.DataArray) and "component" in z.dims:
        z = z.transpose(..., "component").values.reshape(-1, z.sizes["component"])
    points = np.atleast_2d(check_numbers("z", z, "pass an array of shape (n, L)"))
    if points.ndim != 2 or points.shape[1] != vae.n_components:
        rule = f"must have {vae.n_components} numbers per point"
        raise BadValueError("z", points.shape, rule, "pass an array of shape (n, L)")
    return points
