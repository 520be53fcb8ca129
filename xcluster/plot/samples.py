"""The figures of `Samples`: the data as they are before clustering."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Unpack

import xarray as xr

from xcluster.base.checks import blamed, check_choice, did_you_mean, is_one_of
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.base.signatures import spelled_out
from xcluster.blocks.block import on_levels
from xcluster.fit.reduced import Reducible, correlation
from xcluster.grid.windows import Patches
from xcluster.plot import curves, loadings, maps, matrices, scatter
from xcluster.plot.keywords import (
    AxesKeywords,
    DensityKeywords,
    HistogramKeywords,
    LoadingKeywords,
    MapKeywords,
    TableKeywords,
)
from xcluster.plot.looks import check_components, drawn
from xcluster.plot.text import facet_title, set_title


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

    samples: Reducible

    @spelled_out
    def map(
        self,
        var: Hashable | int | None = None,
        *,
        sel: Mapping[Any, Any] | None = None,
        **keywords: Unpack[MapKeywords],
    ) -> Any:
        """Draw a map of a variable, or of a component of the reduced space.

        ``var`` is the name of a variable, by default the first, drawn as it is in the data before
        `anomaly` and scaling; or the number of a component. ``sel={"depth": 50}`` selects one
        entry of a further dim, of numbers and times the nearest. All other keywords go to
        `xcluster.plot.maps.map`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> artist = ds.cluster.pixels().plot.map("sst")
        """
        if isinstance(var, int) and not isinstance(var, bool):
            chosen = self._component(var)
        else:
            chosen = self._variable(var)
        selection = {} if sel is None else sel
        if not isinstance(selection, Mapping):
            remedy = 'pass sel={"depth": 50}, for example'
            raise BadTypeError("sel", selection, "must be a mapping of dims", remedy)
        with blamed("sel", selection, f"choose along {list(chosen.dims)}"):
            chosen = _selected(chosen, selection)
        artist = drawn(maps.map, chosen, **keywords)
        place = {dim: chosen[dim].values[()] for dim in selection if dim not in chosen.dims}
        if place:
            set_title(artist, facet_title(chosen, place))
        return artist

    @spelled_out
    def correlation(self, **keywords: Unpack[TableKeywords]) -> Any:
        """Draw the correlation matrix of the features.

        Keywords go to `xcluster.plot.matrices.correlation`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> artist = ds.cluster.pixels(["sst", "wind_speed"]).plot.correlation()
        """
        return drawn(matrices.correlation, correlation(self.samples), **keywords)

    @spelled_out
    def scree(self, **keywords: Unpack[AxesKeywords]) -> Any:
        """Draw the share of variance of each principal component, where the last step is `pca`.

        Keywords go to `xcluster.plot.curves.scree`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> artist = ds.cluster.pixels().pca(3).plot.scree()
        """
        return drawn(curves.scree, self.samples.reduction.explained_variance(), **keywords)

    @spelled_out
    def loadings(self, var: Hashable | None = None, **keywords: Unpack[LoadingKeywords]) -> Any:
        """Draw the axes of the reduced space in data coordinates: curves, maps or a table.

        ``var`` is the variable to draw, by default all; all other keywords go to
        `xcluster.plot.loadings.loadings`.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> artist = model.cluster.profiles("depth", every=6).pca(3).plot.loadings()
        """
        found = self.samples.reduction.loadings()
        if var is not None:
            found = found[[check_choice("var", var, tuple(found.data_vars))]]
        return drawn(loadings.loadings, found, **keywords)

    @spelled_out
    def scatter(self, x: int = 0, y: int = 1, **keywords: Unpack[DensityKeywords]) -> Any:
        """Draw two components against each other, coloured by their density.

        ``x`` and ``y`` are the numbers of the components (or features, where nothing reduces
        them), from 0; all other keywords go to `xcluster.plot.scatter.scatter`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> artist = ds.cluster.pixels().pca(3).plot.scatter(0, 1)
        """
        check_components(x=x, y=y)
        components = self.samples.reduction.transform().compute()
        return drawn(scatter.scatter, components, x=x, y=y, **keywords)

    @spelled_out
    def histogram(self, **keywords: Unpack[HistogramKeywords]) -> list[Any]:
        """Draw one histogram per component.

        Keywords go to `xcluster.plot.scatter.histogram`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> len(ds.cluster.pixels().pca(3).plot.histogram())
        3
        """
        return drawn(scatter.histogram, self.samples.reduction.transform().compute(), **keywords)

    def _variable(self, var: Hashable | None) -> xr.DataArray:
        variables = self.samples.layout.variables
        name = self.samples.layout.shown[0] if var is None else var
        if not is_one_of(name, variables):
            rule = "is no variable of the samples"
            raise BadValueError("var", var, rule, did_you_mean(var, variables))
        if isinstance(self.samples.sampler, Patches):  # the image, not every window of it
            return self.samples.data[name]
        array = on_levels(variables[name]).rename(name)
        mask = self.samples.mask
        return array if mask is None else array.where(mask)

    def _component(self, number: int) -> xr.DataArray:
        space = self.samples.reduction.transform()
        if not 0 <= number < space.sizes["component"]:
            rule = f"is no component; they are 0 to {space.sizes['component'] - 1}"
            raise BadValueError("var", number, rule, "choose one of these")
        return space.isel(component=number, drop=True).assign_attrs(long_name=f"component {number}")
