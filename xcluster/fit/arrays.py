"""What a result gives for each sample: labels, memberships, distances, features, members."""

from __future__ import annotations

from functools import cached_property

import xarray as xr

from xcluster.chain import reduction
from xcluster.chain.question import layout_of
from xcluster.fit import prediction
from xcluster.fit.fitted import Fitted, bound, named, need_soft, number_of


class GridArrays(Fitted):
    """The arrays of a `Clustering` that lie over the sample dims."""

    @property
    def labels(self) -> xr.DataArray:
        """Label of each sample, over the sample dims.

        float32 in memory: NaN without data, -1 unclassified, else 0 to k - 1; int16 in files. Lazy
        where the data are, with their chunks. CF ``flag_values`` and ``flag_meanings`` name them.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> fit.labels.dims, fit.labels.dtype
        (('latitude', 'longitude'), dtype('float32'))
        """
        return self._labels.copy()

    @cached_property
    def _labels(self) -> xr.DataArray:
        if self.samples is None:
            assert self.stored is not None
            return prediction.stored_labels(self.stored, self.partition)
        if self.rows is not None:
            return prediction.labels_of_rows(self.rows, layout_of(self.samples), self.assign)
        return prediction.labels(layout_of(self.samples), self.assign)

    @property
    def memberships(self) -> xr.DataArray:
        """Membership of each sample in each label, over (``label``, sample dims), 0 to 1.

        Raises
        ------
        ValueError
            If the method is not a soft one.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().gmm(3)
        >>> total = fit.memberships.sum("label", skipna=False)
        >>> round(float(total.max()), 3)
        1.0
        """
        need_soft(self, "memberships")
        if self.samples is None:
            assert self.stored is not None
            return named(self, self.stored["memberships"])
        return named(self, prediction.memberships(layout_of(self.samples), self.assign))

    @property
    def distances(self) -> xr.DataArray:
        """Distance of each sample to each centre, over (``label``, sample dims).

        In the space that was clustered, and in its units; NaN where a sample is incomplete.

        Raises
        ------
        ValueError
            If the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> fit.distances.dims
        ('label', 'latitude', 'longitude')
        """
        return named(self, prediction.distances(layout_of(bound(self, "distances")), self.assign))

    @property
    def features(self) -> xr.DataArray:
        """The space that was clustered, over (``component``, sample dims).

        Raises
        ------
        ValueError
            If the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().pca(2).kmeans(4)
        >>> fit.features.dims
        ('component', 'latitude', 'longitude')
        """
        layout = layout_of(bound(self, "features"))
        return reduction.transform(layout, self.assign.chain, self.template)

    def members(self, label: int | str) -> xr.Dataset:
        """Return the data of one label: the variables, NaN at samples of other labels.

        Parameters
        ----------
        label : int or str
            Its number or name.

        Returns
        -------
        Dataset over the dims of the data, in their units.

        Raises
        ------
        ValueError
            If there is no such label, or the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> list(fit.members(0))[:3]
        ['sst', 'air_temperature', 'specific_humidity']
        """
        samples = bound(self, "members")
        data = xr.Dataset({name: each.array for name, each in layout_of(samples).variables.items()})
        return data.where(self.labels == number_of(self, label))
