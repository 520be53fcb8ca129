"""The ``.cluster`` accessor; it stores the object and nothing else."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

import xarray as xr

from xcluster.api.samples import Samples
from xcluster.grid import windows
from xcluster.grid.features import as_dataset
from xcluster.grid.positions import positions_of
from xcluster.grid.samplers import (
    COVERAGE,
    Level,
    Missing,
    Names,
    Pixels,
    Profiles,
    Snapshots,
    Step,
)


@xr.register_dataset_accessor("cluster")
@xr.register_dataarray_accessor("cluster")
class ClusterAccessor:
    """Cluster the samples of a Dataset or DataArray.

    Each method says what one sample is, and returns `Samples`.

    Type checkers and editors cannot know ``ds.cluster``. They do know
    ``xcluster.ClusterAccessor(ds)``, which has the same methods.

    Examples
    --------
    >>> import xcluster
    >>> ds = xcluster.datasets.ocean()
    >>> labels = ds.cluster.pixels().kmeans(4).labels
    """

    def __init__(self, data: xr.Dataset | xr.DataArray) -> None:
        self._data = data

    def pixels(
        self,
        vars: Names = None,
        dim: Hashable | list[Any] | None = None,
        *,
        missing: Missing = "drop",
        coverage: float = COVERAGE,
        random_state: int = 0,
    ) -> Samples:
        """Take each grid point as one sample.

        Parameters
        ----------
        vars : name or list of names, optional
            The variables whose values are the features. By default all numeric variables on the
            grid that most of them share, without those that CF says describe others (bounds,
            flags, errors, cell measures). A coordinate of the samples that is named adds their
            position as a feature.
        dim : name or list of names, optional
            A dim whose entries are the features: bands, channels, energies. A list names several:
            of one variable (``["ky", "kx"]``), or of different variables (``["loss",
            "energy"]``). A tuple is the name of one dim. A variable in ``vars`` that lacks these
            dims is added as a single feature.
        missing : {"drop", "keep"}, default "drop"
            What happens to samples that lack features. "keep" clusters them by what is there, if
            steps and clusterer can: see :doc:`/gaps`.
        coverage : float, default 0.5
            With "keep", the least share of its features that a sample has; each variable counts the
            same, however many features it has. A sample without any feature is none.
        random_state : int, default 0
            Seed of everything random that follows.

        Returns
        -------
        Samples

        Raises
        ------
        ValueError
            If a variable or dim is unknown (the error suggests a similar name), empty, or named
            ``label``; if variables lie on several grids; or for a wrong ``missing`` or
            ``coverage``.
        TypeError
            If a variable holds no real numbers, or is an array that is neither numpy nor dask.

        Examples
        --------
        >>> import xcluster
        >>> samples = xcluster.datasets.ocean().cluster.pixels(vars=["sst", "wind_speed"])
        """
        dim = list(dim) if isinstance(dim, list) else dim
        sampler = Pixels(vars, dim, missing, coverage)
        return Samples(as_dataset(self._data), sampler, random_state=random_state)

    def profiles(
        self,
        dim: Hashable,
        vars: Names = None,
        *,
        between: tuple[Level, Level] | None = None,
        step: Step | None = None,
        every: int | Mapping[Hashable, int] = 1,
        missing: Literal["drop", "keep", "interpolate"] | float = "drop",
        along: Hashable | None = None,
        coverage: float = COVERAGE,
        random_state: int = 0,
    ) -> Samples:
        """Take each column as one sample: the values along ``dim``.

        Parameters
        ----------
        dim
            The axis of the profiles: depth, pressure, height, time.
        vars : name or list of names, optional
            By default all numeric variables with that dim, on the grid that most of them share. A
            variable in ``vars`` that lacks the dim (a value at the surface) is added as a single
            feature.
        between : (float, float) or two dates, optional
            Range of the levels to keep, both ends included, in units of the coordinate. Where
            the levels are dates: text, datetime or datetime64. Text without a time stands for the
            whole day, month or year, as in ``ds.sel``.
        step : float or length of time, optional
            Resample linearly to levels this far apart. They start at the first level that is kept
            and do not go beyond the last one. Where the levels are dates: text such as "5D", or a
            timedelta.
        every : int or mapping, default 1
            Keep each n-th grid point along the sample dims, from the lowest coordinate on (along
            a dim without numbers or dates, from its beginning).
        missing : {"drop", "keep", "interpolate"} or float, default "drop"
            What happens to profiles with gaps. "drop" leaves them out. "interpolate" fills the
            gaps: linearly between levels, and with the nearest level at the ends. A fraction does
            this for profiles that have data on at least that share of the levels, and leaves out
            the others. "keep" fills nothing and clusters profiles by what is there, if steps and
            clusterer can: see :doc:`/gaps`.
        along : optional
            A coordinate or variable with the levels of each profile, where these differ: the
            pressures of Argo floats, ``z_rho`` of ROMS, pressures on hybrid levels. Each profile is
            interpolated linearly from its own levels, which may rise or fall, to common ones:
            from the first number of ``between``, ``step`` apart; both are needed. Entries without
            a level or a value are skipped. Outside its own range a profile lacks data: "drop"
            leaves it out, "interpolate" takes the nearest of the common levels. Centres lie over a
            dim of this name. Without ``along``, profiles whose levels differ are compared level
            by level, with a warning; ``along=dim`` does the same without it.
        coverage : float, default 0.5
            With "keep", the least share of its features that a profile has; each variable counts
            the same. A profile without any feature is no sample.
        random_state : int, default 0
            Seed of everything random that follows.

        Returns
        -------
        Samples

        Raises
        ------
        ValueError
            If a name is unknown, the range holds no level, the levels are not sorted, or
            ``between`` or ``step`` is missing beside ``along``.
        TypeError
            If the range is not two numbers or two dates, or the step is not a number (a length
            of time where the levels are dates).

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> samples = model.cluster.profiles("depth", between=(10, 60), step=5)
        """
        data = as_dataset(self._data)
        sampler = Profiles(dim, vars, between, step, every, missing, along, coverage)
        sampler = sampler.warned(data)
        return Samples(data, sampler, random_state=random_state)

    def patches(
        self,
        size: windows.Size,
        vars: Names = None,
        *,
        dims: Sequence[Hashable] | None = None,
        every: windows.Size = 1,
        at: Any = None,
        missing: Missing = "drop",
        coverage: float = COVERAGE,
        random_state: int = 0,
    ) -> Samples:
        """Take each window of an image as one sample: the values of its pixels.

        Only full windows are samples, and by default only those without missing pixels. A label
        lies at the centre of its window: the pixel ``start + size // 2``, counted along rising
        coordinates.
        `Clustering.upsample` paints labels back on the image. `Clustering.centers` are windows,
        over ``label`` and ``window_<dim>``, the distance from the centre of the window. Images in
        memory are not copied. Of a dask array each block reads the edges of its neighbours.

        Parameters
        ----------
        size : int or mapping
            Number of pixels of a window along each dim, odd or even.
        vars : name or list of names, optional
            The channels. By default all numeric variables on the grid that most of them share.
        dims : sequence of names, optional
            The dims of a window. By default both dims of a two-dimensional image. If there are
            further dims, windows are taken at each of their entries.
        every : int or mapping, default 1
            Distance from one window to the next, in pixels.
        at : Dataset, DataFrame, mapping or array of shape (n, 2), optional
            Take windows around these positions instead. They are given in units of the image's
            coordinates: as `xcluster.peaks` returns them, as a table with a column per dim, or as
            an array whose columns have the order of the dims. Labels then lie over ``point``.
            Positions without a full window on the image are left out, and the result counts them.
        missing : {"drop", "keep"}, default "drop"
            What happens to samples that lack features. "keep" clusters them by what is there, if
            steps and clusterer can: see :doc:`/gaps`. A window still lies within the image.
        coverage : float, default 0.5
            With "keep", the least share of its features that a sample has; each variable counts the
            same, however many features it has. A sample without any feature is none.
        random_state : int, default 0
            Seed of everything random that follows.

        Returns
        -------
        Samples

        Raises
        ------
        ValueError
            If a window is larger than the image, ``dims`` are needed and missing, no position has
            a full window, or the positions are clearly not in units of the image's coordinates.

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> image = xr.DataArray(np.random.default_rng(0).normal(size=(20, 30)), dims=("y", "x"))
        >>> fit = image.cluster.patches(5, every=5).pca(2).kmeans(3)
        >>> fit.labels.sizes["y"], fit.centers["data"].dims
        (4, ('label', 'window_y', 'window_x'))
        """
        data = as_dataset(self._data)
        if at is not None:
            dims = windows.image_dims(data, vars, dims)
            at = positions_of(at, dims, data)
        if isinstance(dims, Sequence) and not isinstance(dims, str):
            dims = tuple(dims)
        sampler = windows.Patches(size, vars, dims, every, at, missing, coverage)
        return Samples(data, sampler, random_state=random_state)

    def snapshots(
        self,
        dim: Hashable | Sequence[Hashable] = "time",
        vars: Names = None,
        *,
        missing: Missing = "drop",
        coverage: float = COVERAGE,
        random_state: int = 0,
    ) -> Samples:
        """Take each step along ``dim`` as one sample: the whole field.

        All other dims give features. A warning names those that are not spatial, such as the
        members of an ensemble.

        Parameters
        ----------
        dim : name or list of names, default "time"
            The dim whose steps are the samples. ``["member", "time"]``: each time of each member
            of an ensemble is one sample.
        vars : name or list of names, optional
            By default all numeric variables with that dim, on the grid that most of them share.
        missing : {"drop", "keep"}, default "drop"
            What happens to samples that lack features. "keep" clusters them by what is there, if
            steps and clusterer can: see :doc:`/gaps`.
        coverage : float, default 0.5
            With "keep", the least share of its features that a sample has; each variable counts the
            same, however many features it has. A sample without any feature is none.
        random_state : int, default 0
            Seed of everything random that follows.

        Returns
        -------
        Samples

        Raises
        ------
        ValueError
            If a variable or dim is unknown (the error suggests a similar name).

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> rng = np.random.default_rng(0)
        >>> sst = xr.DataArray(rng.normal(size=(20, 4, 5)), dims=("time", "lat", "lon"))
        >>> sst.cluster.snapshots("time").kmeans(2).labels.dims
        ('time',)
        """
        data = as_dataset(self._data)
        sampler = Snapshots(dim, vars, missing, coverage).warned(data)
        return Samples(data, sampler, random_state=random_state)
