"""The ``.cluster`` accessor: stores the object, nothing else."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Literal

import xarray as xr

from xcluster.prediction import as_dataset
from xcluster.samplers import Names, Pixels, Profiles, Snapshots
from xcluster.samples import Samples


@xr.register_dataset_accessor("cluster")
@xr.register_dataarray_accessor("cluster")
class ClusterAccessor:
    """Cluster the samples of a Dataset or DataArray.

    Each method chooses what a sample is, and returns `Samples`.

    Examples
    --------
    >>> import xcluster
    >>> ds = xcluster.datasets.ocean()
    >>> labels = ds.cluster.pixels().kmeans(4).labels
    """

    def __init__(self, data: xr.Dataset | xr.DataArray) -> None:
        self._data = data

    def pixels(
        self, vars: Names = None, dim: Hashable | None = None, *, random_state: int = 0
    ) -> Samples:
        """Take one sample a grid point.

        Parameters
        ----------
        vars : name or list of names, optional
            The variables whose values are the features; by default all numeric ones on the grid
            that most of them share.
        dim : optional
            A dim whose entries are the features: bands, channels, energies. A named variable
            without it joins as a single feature.
        random_state : int, default 0
            Seed of everything random that follows.

        Returns
        -------
        Samples

        Raises
        ------
        ValueError
            If a variable or dim is unknown (the nearest is named), empty, or named ``label``.
        TypeError
            If a variable holds no real numbers.

        Examples
        --------
        >>> import xcluster
        >>> samples = xcluster.datasets.ocean().cluster.pixels(vars=["SST", "SLP"])
        """
        return Samples(as_dataset(self._data), Pixels(vars, dim), random_state=random_state)

    def profiles(
        self,
        dim: Hashable,
        vars: Names = None,
        *,
        between: tuple[float, float] | None = None,
        step: float | None = None,
        every: int | Mapping[Hashable, int] = 1,
        missing: Literal["drop", "interpolate"] | float = "drop",
        random_state: int = 0,
    ) -> Samples:
        """Take one sample a column: the values along ``dim``.

        Parameters
        ----------
        dim
            The axis of the profiles: depth, pressure, height, time.
        vars : name or list of names, optional
            By default all numeric variables with that dim, on the grid that most share. A named
            variable without it (the surface) joins as a single feature.
        between : (float, float), optional
            Range of the levels to keep, both ends included, in units of the coordinate.
        step : float, optional
            Resample linearly to levels this far apart, from the first one kept to no further
            than the last.
        every : int or mapping, default 1
            Keep each n-th grid point along the sample dims.
        missing : {"drop", "interpolate"} or float, default "drop"
            What becomes of profiles with gaps. "interpolate" fills them: linearly between
            levels, with the nearest level at the ends. A fraction fills those that have data at
            that share of the levels or more, and drops the others.
        random_state : int, default 0
            Seed of everything random that follows.

        Returns
        -------
        Samples

        Raises
        ------
        ValueError
            If a name is unknown, the range holds no level, or the levels are not sorted.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> samples = model.cluster.profiles("depth", between=(10, 60), step=5)
        """
        sampler = Profiles(dim, vars, between, step, every, missing)
        return Samples(as_dataset(self._data), sampler, random_state=random_state)

    def snapshots(
        self, dim: Hashable = "time", vars: Names = None, *, random_state: int = 0
    ) -> Samples:
        """Take one sample a step along ``dim``: the whole field.

        Parameters
        ----------
        dim : default "time"
            The dim whose steps are the samples.
        vars : name or list of names, optional
            By default all numeric variables with that dim, on the grid that most share.
        random_state : int, default 0
            Seed of everything random that follows.

        Returns
        -------
        Samples

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> rng = np.random.default_rng(0)
        >>> sst = xr.DataArray(rng.normal(size=(20, 4, 5)), dims=("time", "lat", "lon"))
        >>> sst.cluster.snapshots("time").kmeans(2).labels.dims
        ('time',)
        """
        return Samples(as_dataset(self._data), Snapshots(dim, vars), random_state=random_state)
