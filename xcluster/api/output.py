"""What takes a result out of xarray: tables, files, pages and figures."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import xarray as xr

from xcluster.base.errors import BadValueError
from xcluster.fit.arrays import GridArrays
from xcluster.fit.fitted import bound
from xcluster.result import formatting, tables

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd

    from xcluster.api.clustering import Clustering
    from xcluster.explore import Page
    from xcluster.plot.clustering import ClusteringPlot


class Output(GridArrays):
    """The methods of `Clustering` whose answers go to pandas, disk, a browser or a figure."""

    def report(self) -> pd.DataFrame:
        """Return one row a label: samples, share, area and mean membership.

        What was dropped, sampled or fitted without weights stands in ``.attrs["notes"]``.

        Returns
        -------
        DataFrame indexed by label, with the columns ``name``, ``samples``, ``share`` (of the
        weight), ``area_km2`` (on a geographic grid) and ``membership`` (soft methods).

        Raises
        ------
        ValueError
            If the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> list(fit.report())
        ['name', 'samples', 'share', 'area_km2']
        """
        return tables.report(self._whole)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row a complete sample: coordinates, label, components and memberships.

        Raises
        ------
        ValueError
            If the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().pca(2).kmeans(4)
        >>> list(fit.to_dataframe())
        ['latitude', 'longitude', 'label', 'component_0', 'component_1']
        """
        bound(self, "to_dataframe")
        return tables.samples_table(self._whole)

    def to_dataset(self) -> xr.Dataset:
        """Return labels, and memberships of a soft method, as one Dataset.

        Raises
        ------
        ValueError
            If the data have a coordinate or dim of that name.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().gmm(3)
        >>> list(fit.to_dataset())
        ['labels', 'memberships']
        """
        arrays = {"labels": self.labels}
        if self.is_soft:
            arrays["memberships"] = self.memberships
        check_free(self.labels, arrays)
        return xr.Dataset(arrays, attrs=dict(self.attrs))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the result to a netCDF (``.nc``) or Zarr (``.zarr``) file, model included.

        Nothing is pickled. A file of that name is replaced once the new one is whole.

        Parameters
        ----------
        path
            Of the file, or directory for Zarr.

        See Also
        --------
        xcluster.open

        Examples
        --------
        >>> import tempfile, xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ds.cluster.pixels().kmeans(4).save(f"{folder}/provinces.nc")
        ...     xcluster.open(f"{folder}/provinces.nc").k
        4
        """
        from xcluster.files import io

        io.save(self._whole, path)

    def explore(
        self, other: Clustering | None = None, *, sel: Mapping[Hashable, Any] | None = None
    ) -> Page:
        """Return one HTML page to look into the result, alone or beside another (needs bokeh).

        The label map, over the Earth where it is geographic, and over the image where samples
        are windows of one; the profile, spectrum, window, field or values of the sample under
        the pointer against the centre of its label; and the samples among their components. A
        box or an outline drawn on the map or among the components marks the same samples in
        both; a click on a name hides its label. All scripts and data are inside the page, which
        needs no server and no network.

        Parameters
        ----------
        other : Clustering, optional
            A second result on the same grid, shown beside the first with its own labels,
            centres and components; the pointer says the labels of both.
        sel : mapping, optional
            Which entry of further dims to show, as ``{"time": "2001-07"}``; by default the first.

        Returns
        -------
        Page
            Shown inline in a notebook; ``save(path)`` writes it.

        Raises
        ------
        ImportError
            If bokeh is not installed.
        ValueError
            If a result was opened without its data, ``other`` lies on another grid, or
            ``sel`` names an entry that there is not.
        TypeError
            If ``other`` is no result.

        Notes
        -----
        Large grids are thinned, and values stored in 255 steps; the page says so.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().kmeans(4)
        >>> fit.explore().save("page.html")  # doctest: +SKIP
        """
        from xcluster.explore import explore

        return explore(self._whole, other, sel=sel)

    @property
    def plot(self) -> ClusteringPlot:
        """Figures: ``plot.map()``, ``plot.profiles()``, ``plot.centers()`` and others.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3)
        >>> fit.plot.map()  # doctest: +SKIP
        """
        from xcluster.plot.clustering import ClusteringPlot

        return ClusteringPlot(self._whole)

    def __repr__(self) -> str:
        return formatting.text(self._whole)

    def _repr_html_(self) -> str:
        return formatting.html(self._whole)


def check_free(labels: xr.DataArray, names: Iterable[str]) -> None:
    """Refuse coordinates and dims of the user's that an array of the result is called."""
    taken = [name for name in names if name in labels.coords or name in labels.dims]
    if taken:
        rule = "is the name of an array of the result"
        remedy = f"rename yours before the fit: ds.rename({taken[0]}='own_{taken[0]}')"
        raise BadValueError("coords", taken[0], rule, remedy)
