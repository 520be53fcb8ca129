"""What can be asked of the space that samples are reduced to, before they are clustered."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
import xarray as xr

from xcluster.api.choices import Choices
from xcluster.base.errors import BadValueError
from xcluster.chain.latent import LatentSpace
from xcluster.chain.reduction import Chain, Reduction, feature_names
from xcluster.fit import fitting
from xcluster.fit.methods import Options


class ReducedSpace(Choices, LatentSpace):
    """The methods of `Samples` that fit its steps, as a clusterer would, and tell of them."""

    def transform(self) -> xr.DataArray:
        """Return the reduced space, lazy where the data are.

        Returns
        -------
        DataArray over ``("component", *sample dims)``; NaN where a sample is incomplete.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> ds.cluster.pixels().pca(3).transform().dims
        ('component', 'latitude', 'longitude')
        """
        return self._reduction.transform()

    def loadings(self) -> xr.Dataset:
        """Return the axes of the reduced space in data coordinates.

        Returns
        -------
        Dataset over ``("component", *feature dims)``.

        Raises
        ------
        ValueError
            If the last step has no ``components_``.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> model.cluster.profiles("depth", every=6).pca(3).loadings().vs.dims
        ('component', 'depth')
        """
        return self._reduction.loadings()

    def explained_variance(self) -> xr.DataArray:
        """Return the share of variance that each principal component explains.

        Returns
        -------
        DataArray over ``component``, the ratios.

        Raises
        ------
        ValueError
            If the last step is not ``pca``.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> ratio = ds.cluster.pixels().pca(3).explained_variance()
        >>> bool(ratio[0] > ratio[1])
        True
        """
        return self._reduction.explained_variance()

    def reconstruction(self) -> xr.Dataset:
        """Return how much of the data the reduction keeps: the R2 of what its inverse gives back.

        Compared in the space behind the first scalings, where variables have one unit, over the
        rows that a clusterer would fit, weighted where samples are.

        Returns
        -------
        Dataset of ``total`` and of ``r2`` over ``variable``; 1 where nothing is lost.

        Raises
        ------
        ValueError
            If no step reduces, or one has no inverse.

        Examples
        --------
        >>> import xcluster
        >>> samples = xcluster.datasets.ocean().cluster.pixels().pca(3)
        >>> round(float(samples.reconstruction().total), 2)
        0.85
        """
        from xcluster.fit.reconstruction import reconstruction

        return reconstruction(self._reduction)

    def correlation(self) -> xr.DataArray:
        """Return the correlation of the features with each other, weighted where samples are.

        Returns
        -------
        DataArray over ``feature`` and ``other``, of the rows that a clusterer would fit.

        Examples
        --------
        >>> import xcluster
        >>> found = xcluster.datasets.ocean().cluster.pixels().correlation()
        >>> round(float(found.sel(feature="sst", other="air_temperature")), 2)
        1.0
        """
        prepared = fitting.prepare(replace(self._ready, steps=()), Options())
        if len(prepared.X) < 2:
            rule = "a correlation needs two samples"
            raise BadValueError("samples", len(prepared.X), rule, "pass more data")
        covariance = np.atleast_2d(np.cov(prepared.X.T, aweights=prepared.weight))
        spread = np.sqrt(np.diag(covariance))
        values = covariance / np.where(spread > 0, np.outer(spread, spread), np.nan)
        names = feature_names(self._layout.features)
        coords = {"feature": names, "other": names}
        return xr.DataArray(values, coords, ("feature", "other"), "correlation")

    def _latent_parts(self) -> tuple[Chain, xr.Dataset]:
        return self._reduction.chain, self._reduction.layout.features

    def _latent(self) -> xr.DataArray:
        return self._reduction.transform()

    @cached_property
    def _reduction(self) -> Reduction:
        """The steps fitted as a clusterer would see them."""
        return fitting.prepare(self._ready, Options()).reduction
