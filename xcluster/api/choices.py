"""The choices that make a question: which samples of which object, and how much each counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import xarray as xr

from xcluster.base.checks import check_choice, check_seed
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.chain.anomaly import Climatology
from xcluster.chain.question import Question
from xcluster.chain.steps import Step, feature_weights
from xcluster.grid import geography
from xcluster.grid.layout import Layout
from xcluster.grid.samplers import Sampler, Snapshots


@dataclass(frozen=True, eq=False, repr=False)
class Choices(Question):
    """The fields of `Samples`, which describes them, and how they are arranged."""

    data: xr.Dataset
    sampler: Sampler
    steps: tuple[Step, ...] = ()
    mask: xr.DataArray | None = None
    weighting: Literal["area"] | xr.DataArray | None = None
    random_state: int = 0
    climatology: Climatology | None = None

    def __post_init__(self) -> None:
        check_seed("random_state", self.random_state)
        # Arranged now, so that a wrong name is an error where it was written.
        self._layout  # noqa: B018

    @cached_property
    def _layout(self) -> Layout:
        """How samples and features lie in the data."""
        data = self.data if self.climatology is None else self.climatology(self.data)
        layout = self.sampler.arrange(data)
        mask = None if self.mask is None else _on_grid("mask", self.mask, layout)
        return replace(layout, mask=mask, weight=self._weight(layout))

    def where(self, mask: xr.DataArray) -> Self:
        """Keep the samples where ``mask`` is True.

        Parameters
        ----------
        mask : DataArray of bool
            Over some or all of the sample dims, on the same coordinates. A further call keeps
            what both allow.

        Raises
        ------
        TypeError
            If it is no DataArray of bool.
        ValueError
            If it lies on another grid.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean()
        >>> warm = ds.cluster.pixels().where(ds.sst > 10)
        """
        if not isinstance(mask, xr.DataArray) or mask.dtype != bool:
            rule = f"must be a DataArray of bool, not {_kind(mask)}"
            raise BadTypeError("mask", _kind(mask), rule, "compare: ds.land == 100")
        _on_grid("mask", mask, self._layout)
        return replace(self, mask=mask if self.mask is None else self.mask & mask)

    def weights(self, weights: Literal["area"] | xr.DataArray) -> Self:
        """Let samples count by their area, or by ``weights``.

        Weights enter standard scaling, PCA and every clusterer and score that can take them;
        other steps are fitted unweighted, and `Clustering.report` says so. For snapshots they
        weigh the features, by their square root. Their unit plays no part: clusterers and scores
        get them divided by their mean over the fitted rows, so that sums stay near counts.

        Parameters
        ----------
        weights : "area" or DataArray
            "area" is the cell's area where the grid has bounds, else the cosine of latitude. A
            DataArray lies over some or all of the sample dims; values at least 0, not all 0.

        Raises
        ------
        ValueError
            If there is no latitude for "area", or the weights lie on another grid.

        Examples
        --------
        >>> import xcluster
        >>> samples = xcluster.datasets.ocean().cluster.pixels().weights("area")
        """
        if isinstance(weights, str):
            check_choice("weights", weights, ("area",))
        elif not isinstance(weights, xr.DataArray) or weights.dtype.kind not in "fiub":
            rule = f"must be 'area' or a DataArray of numbers, not {_kind(weights)}"
            remedy = "wrap it: xr.DataArray(weights, dims=...)"
            raise BadTypeError("weights", _kind(weights), rule, remedy)
        if isinstance(self.sampler, Snapshots) and self._weighs_features(weights):
            return self._with(feature_weights(weights, self._layout))
        return replace(self, weighting=weights)

    def _weighs_features(self, weights: Any) -> bool:
        if isinstance(weights, str):
            return True
        dims = {dim for each in self._layout.variables.values() for dim in each.feature_dims}
        return bool(weights.dims) and set(weights.dims) <= dims

    def _weight(self, layout: Layout) -> xr.DataArray | None:
        if self.weighting is None:
            return None
        if isinstance(self.weighting, xr.DataArray):
            return _on_grid("weights", self.weighting, layout)
        area = geography.area_weights(layout.coords, self.data)
        if area is None:
            rule = "needs a latitude among the coordinates of the samples, and there is none"
            remedy = "give the weights as a DataArray, or the latitude units='degrees_north'"
            raise BadValueError("weights", "area", rule, remedy)
        return area

    def _with(self, step: Step) -> Self:
        return replace(self, steps=(*self.steps, step))

    @cached_property
    def _ready(self) -> Self:
        """The samples with what has to be known of the data before rows are read."""
        climatology = self.climatology
        if climatology is None or climatology.means is not None:
            return self
        return replace(self, climatology=climatology.fit(self._layout, self.data))


def _kind(value: Any) -> str:
    if isinstance(value, xr.DataArray):
        return f"DataArray of {value.dtype}"
    return type(value).__name__


def _on_grid(parameter: str, array: xr.DataArray, layout: Layout) -> xr.DataArray:
    """Return the values of ``array`` for the samples; refuse other dims and coordinates."""
    shown = parameter if array.name is None else array.name
    unknown = [dim for dim in array.dims if dim not in layout.sample_dims]
    if unknown:
        rule = f"has the dim {unknown[0]!r}, and the samples lie over {list(layout.sample_dims)}"
        raise BadValueError(parameter, shown, rule, "reduce or select that dim")
    if array.chunks is not None and any(np.isnan(sizes).any() for sizes in array.chunks):
        rule = "is a dask array of unknown chunk sizes"
        raise BadValueError(parameter, shown, rule, "call compute_chunk_sizes() on it")
    grid = {dim: layout.coords[dim] for dim in array.dims if dim in layout.coords}
    kept = {
        dim: coord.values
        for dim, coord in grid.items()
        if dim in array.coords and not np.array_equal(coord.values, array[dim].values)
    }
    missing = [dim for dim in kept if not np.isin(kept[dim], array[dim].values).all()]
    if missing:
        rule = f"lacks some of the samples' {missing[0]!r}"
        raise BadValueError(parameter, shown, rule, "reindex it to the data")
    repeated = [dim for dim in kept if not array.indexes[dim].is_unique]
    if repeated:
        rule = f"lies on other {repeated[0]!r} than the samples, and holds some twice"
        raise BadValueError(parameter, shown, rule, "bring it to the data's grid")
    array = array.sel(kept)
    wrong = [dim for dim in array.dims if array.sizes[dim] != layout.sizes[dim]]
    if wrong:
        dim = wrong[0]
        rule = f"has {array.sizes[dim]} {dim!r}, and the data {layout.sizes[dim]}"
        raise BadValueError(parameter, shown, rule, "bring it to the data's grid")
    return array.drop_vars(array.coords)
