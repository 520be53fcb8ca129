"""The figures of `Samples`: the data as they are before clustering."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import xarray as xr

from xcluster.base.checks import blamed, check_choice, did_you_mean, is_one_of
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.chain.question import layout_of
from xcluster.grid.windows import Patches
from xcluster.plot.looks import check_components, drawn
from xcluster.plot.text import facet_title, set_title

if TYPE_CHECKING:
    from xcluster.api.samples import Samples


def _selected(array: xr.DataArray, selection: Mapping[Any, Any]) -> xr.DataArray:
    """Select along dims by value: the nearest of numbers and times, names as they are."""
    ordered = {dim: at for dim, at in selection.items() if array[dim].dtype.kind in "iufMm"}
    named = {dim: at for dim, at in selection.items() if dim not in ordered}
    return array.sel(ordered, method="nearest").sel(named) if ordered else array.sel(named)


@dataclass(frozen=True, eq=False, repr=False)
class SamplesPlot:
    """Figures of samples.

    Parameters
    ----------
    samples
        What to draw.
    """

    samples: Samples

    def map(self, var: Hashable | int | None = None, **keywords: Any) -> Any:
        """Draw a map of a variable, or of a component of the reduced space.

        Parameters
        ----------
        var : str or int, optional
            Name of a variable, drawn as it is in the data, before `anomaly` and scaling; or number
            of a component. By default the first variable.
        **keywords
            To `xcluster.plot.maps.map`, ``background="satellite"`` among them. Select one entry
            of further dims with ``sel={"depth": 50}``; of numbers and times the nearest is taken.

        Returns
        -------
        The artist, or xarray's FacetGrid with ``col`` or ``row``.

        Raises
        ------
        ValueError
            If there is no such variable or component, or dims are left over.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> artist = ds.cluster.pixels().plot.map("sst")
        """
        from xcluster.plot.maps import map as draw

        selection = keywords.pop("sel", {})
        if isinstance(var, int) and not isinstance(var, bool):
            chosen = self._component(var)
        else:
            chosen = self._variable(var)
        if not isinstance(selection, Mapping):
            remedy = 'pass sel={"depth": 50}, for example'
            raise BadTypeError("sel", selection, "must be a mapping of dims", remedy)
        with blamed("sel", selection, f"choose along {list(chosen.dims)}"):
            chosen = _selected(chosen, selection)
        artist = drawn(draw, chosen, **keywords)
        place = {dim: chosen[dim].values[()] for dim in selection if dim not in chosen.dims}
        if place:
            set_title(artist, facet_title(chosen, place))
        return artist

    def correlation(self, **keywords: Any) -> Any:
        """Draw the correlation matrix of the features.

        Parameters
        ----------
        **keywords
            To `xcluster.plot.matrices.correlation`.

        Returns
        -------
        matplotlib AxesImage

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> artist = ds.cluster.pixels(["sst", "wind_speed"]).plot.correlation()
        """
        from xcluster.plot.matrices import correlation as draw

        return drawn(draw, self.samples.correlation(), **keywords)

    def scree(self, **keywords: Any) -> Any:
        """Draw the share of variance of each principal component.

        Parameters
        ----------
        **keywords
            To `xcluster.plot.curves.scree`.

        Raises
        ------
        ValueError
            If the last step is not ``pca``.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> artist = ds.cluster.pixels().pca(3).plot.scree()
        """
        from xcluster.plot.curves import scree as draw

        return drawn(draw, self.samples.explained_variance(), **keywords)

    def loadings(self, var: Hashable | None = None, **keywords: Any) -> Any:
        """Draw the axes of the reduced space in data coordinates: curves, maps or a table.

        Parameters
        ----------
        var : optional
            The variable to draw; by default all.
        **keywords
            To `xcluster.plot.loadings.loadings`.

        Raises
        ------
        ValueError
            If the last step has no axes, or there is no such variable.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> artist = model.cluster.profiles("depth", every=6).pca(3).plot.loadings()
        """
        from xcluster.plot.loadings import loadings as draw

        found = self.samples.loadings()
        if var is not None:
            found = found[[check_choice("var", var, tuple(found.data_vars))]]
        return drawn(draw, found, **keywords)

    def scatter(self, x: int = 0, y: int = 1, **keywords: Any) -> Any:
        """Draw two components against each other, coloured by their density.

        Parameters
        ----------
        x, y : int
            Numbers of the components (or features, where nothing reduces them), from 0.
        **keywords
            To `xcluster.plot.scatter.scatter`, ``log=True`` among them.

        Raises
        ------
        ValueError
            If there are fewer components.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> artist = ds.cluster.pixels().pca(3).plot.scatter(0, 1)
        """
        from xcluster.plot.scatter import scatter as draw

        check_components(x=x, y=y)
        return drawn(draw, self.samples.transform().compute(), x=x, y=y, **keywords)

    def histogram(self, **keywords: Any) -> list[Any]:
        """Draw one histogram a component.

        Parameters
        ----------
        **keywords
            To `xcluster.plot.scatter.histogram`.

        Returns
        -------
        list of matplotlib Axes

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> len(ds.cluster.pixels().pca(3).plot.histogram())
        3
        """
        from xcluster.plot.scatter import histogram as draw

        return drawn(draw, self.samples.transform().compute(), **keywords)

    def _variable(self, var: Hashable | None) -> xr.DataArray:
        variables = layout_of(self.samples).variables
        name = next(iter(variables)) if var is None else var
        if not is_one_of(name, variables):
            rule = "is no variable of the samples"
            raise BadValueError("var", var, rule, did_you_mean(var, variables))
        if isinstance(self.samples.sampler, Patches):  # the image, not every window of it
            return self.samples.data[name]
        array = variables[name].array.rename(name)
        mask = self.samples.mask
        return array if mask is None else array.where(mask)

    def _component(self, number: int) -> xr.DataArray:
        space = self.samples.transform()
        if not 0 <= number < space.sizes["component"]:
            rule = f"is no component; they are 0 to {space.sizes['component'] - 1}"
            raise BadValueError("var", number, rule, "choose one of these")
        component = space.isel(component=number, drop=True)
        return component.assign_attrs(long_name=f"component {number}")
