"""The question: which samples of which object, how much each counts, and which steps follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal, Self, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.checks import check_flag, check_seed
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.blocks.cells import with_cells
from xcluster.chain.anomaly import Climatology
from xcluster.chain.steps import Step, feature_weights
from xcluster.grid import areas
from xcluster.grid.columns import Columns, Like, Sorted
from xcluster.grid.foreign import as_plain, check_plain
from xcluster.grid.layout import Layout, Scenes, Variable
from xcluster.grid.samplers import Sampler, Snapshots


@dataclass(frozen=True, eq=False, repr=False)
class Question:
    """What is to be clustered. Making a question computes nothing.

    Parameters
    ----------
    data : Dataset
        The user's object.
    sampler
        What one sample is, and what its features are.
    steps
        Scaling and reduction, in order.
    mask : DataArray of bool, optional
        Which samples count.
    weighting : "area", DataArray or None
        How much each sample counts.
    random_state : int
        Seed of everything random that follows.
    climatology : Climatology, optional
        The mean cycle that is subtracted from the data.
    columns : Columns, optional
        In which order features become columns. By default the steps decide.
    """

    data: xr.Dataset
    sampler: Sampler
    steps: tuple[Step, ...] = ()
    mask: xr.DataArray | None = None
    weighting: Literal["area"] | xr.DataArray | None = None
    random_state: int = 0
    climatology: Climatology | None = None
    columns: Columns | None = None

    def __post_init__(self) -> None:
        check_seed("random_state", self.random_state)
        # Arranged at once, so that a wrong name raises its error in the line that has it.
        self.layout  # noqa: B018

    @cached_property
    def layout(self) -> Layout:
        """How samples and features lie in the data."""
        data = self.data if self.climatology is None else self.climatology(self.data)
        layout = self.ordering.of(with_cells(self.sampler.arrange(data)))
        mask = None if self.mask is None else on_grid("mask", self.mask, layout)
        return replace(layout, mask=mask, weight=self._weight(layout), data=self.data)

    @property
    def ordering(self) -> Columns:
        """In which order features become columns."""
        if self.columns is not None:
            return self.columns
        return Sorted.for_chain(step.transformer for step in self.steps)

    def ordered(self, columns: Columns) -> Self:
        """Return the question with columns in another order."""
        return self if self.ordering == columns else replace(self, columns=columns)

    @cached_property
    def ready(self) -> Self:
        """The question, with what has to be learned from the data before rows are read."""
        climatology = self.climatology
        if climatology is None or climatology.means is not None:
            return self
        scene = {self.layout.scene: self.data}
        return replace(self, climatology=climatology.fit(self.layout.variables, scene))

    def _weight(self, layout: Layout) -> xr.DataArray | None:
        if self.weighting is None:
            return None
        if isinstance(self.weighting, xr.DataArray):
            return on_grid("weights", self.weighting, layout)
        area = areas.area_weights(layout.coords, self.data, layout.sample_dims, layout.chunks)
        if area is None:
            rule = "needs a latitude among the coordinates of the samples, and finds none"
            remedy = "pass a DataArray of weights, or set units='degrees_north' on the latitude"
            raise BadValueError("weights", "area", rule, remedy)
        return area


@dataclass(frozen=True, eq=False, repr=False)
class PooledQuestion(Question):
    """The questions of several scenes as one.

    The fields of `Question` are those of the first scene.

    Parameters
    ----------
    scenes : mapping of str to Question
        The questions of all scenes, the first one included.
    """

    scenes: Mapping[str, Question] = field(default_factory=dict)

    @classmethod
    def of(cls, scenes: Mapping[str, Question]) -> Self:
        """Return the questions of these scenes (at least one) as one question.

        All scenes have the columns of the first one: some may lack its coordinates.
        """
        first = next(iter(scenes.values()))
        columns = Like.layout(first.layout)
        scenes = {
            name: each if columns.holds(each.layout) else each.ordered(columns)
            for name, each in scenes.items()
        }
        shared = {each.name: getattr(first, each.name) for each in fields(Question)}
        cycles = {name: each.climatology for name, each in scenes.items()}
        shared["climatology"] = Climatology.of_scenes(cycles)
        return cls(**shared, scenes=scenes)

    @cached_property
    def layout(self) -> Scenes:
        """The layouts of all scenes as one; its own fields are those of the first scene."""
        return Scenes.of([replace(each.layout, scene=name) for name, each in self.scenes.items()])

    def ordered(self, columns: Columns) -> Self:
        """Return the question with columns in another order, in each scene."""
        if self.ordering == columns:
            return self
        return self.of({name: each.ordered(columns) for name, each in self.scenes.items()})

    @cached_property
    def ready(self) -> Self:
        """The question, with what has to be learned from the data before rows are read."""
        first = next(iter(self.scenes.values())).climatology
        if first is None or first.means is not None:
            return self._checked()
        if not first.common:
            return self.of({name: each.ready for name, each in self.scenes.items()})._checked()
        data = {name: each.data for name, each in self.scenes.items()}
        fitted = first.fit(self.layout.variables, data)
        scenes = {name: replace(each, climatology=fitted) for name, each in self.scenes.items()}
        return self.of(scenes)._checked()

    def _checked(self) -> Self:
        """Return the question; refuse fields that have data at other cells in one scene."""
        first, *others = self.layout.scenes
        for scene in others:
            for name, variable in scene.variables.items():
                if not np.array_equal(_cells(variable), _cells(first.variables[name])):
                    rule = f"has data at other cells of {name!r} than scene {first.scene!r}"
                    remedy = "mask every scene to the cells that all of them have"
                    raise BadValueError(f"scene {scene.scene!r}", "Dataset", rule, remedy)
        return self


def _cells(variable: Variable) -> NDArray[np.bool_]:
    """Return which cells of a field are features; this reads the data."""
    kept = variable.kept
    return np.ones(variable.extent, bool) if kept is None else kept


AnyQuestion = TypeVar("AnyQuestion", bound=Question)


def with_step(question: AnyQuestion, step: Step) -> AnyQuestion:
    """Return the question with one more step."""
    return replace(question, steps=(*question.steps, step))


def masked(question: AnyQuestion, mask: Any) -> AnyQuestion:
    """Return the question for the samples where ``mask`` and all earlier masks are True."""
    mask = as_plain(mask) if isinstance(mask, xr.DataArray) else mask
    if not isinstance(mask, xr.DataArray) or mask.dtype != bool:
        rule = f"must be a DataArray of bool, not {_kind(mask)}"
        raise BadTypeError("mask", _kind(mask), rule, "compare: ds.land == 100")
    on_grid("mask", mask, question.layout)
    return replace(question, mask=mask if question.mask is None else question.mask & mask)


def weighted(question: AnyQuestion, weights: Any) -> AnyQuestion:
    """Return the question with weights: of its samples, or of the features of snapshots."""
    rule = "must be 'area' or a DataArray of numbers"
    weights = as_plain(weights) if isinstance(weights, xr.DataArray) else weights
    if isinstance(weights, str):
        if weights != "area":
            remedy = "pass weights('area'), or a variable such as ds[...] as weights"
            raise BadValueError("weights", weights, rule, remedy)
    elif not isinstance(weights, xr.DataArray) or weights.dtype.kind not in "fiub":
        remedy = "wrap it: xr.DataArray(weights, dims=...)"
        raise BadTypeError("weights", _kind(weights), f"{rule}, not {_kind(weights)}", remedy)
    if isinstance(question.sampler, Snapshots) and _weighs_features(question, weights):
        return with_step(question, feature_weights(weights, question.layout, question.data))
    return replace(question, weighting=weights)


def _weighs_features(question: Question, weights: Any) -> bool:
    if isinstance(weights, str):
        return True
    dims = {dim for each in question.layout.variables.values() for dim in each.feature_dims}
    return bool(weights.dims) and set(weights.dims) <= dims


def with_anomaly(
    question: AnyQuestion, groupby: Any, smooth: int | None, common: bool
) -> AnyQuestion:
    """Return the question for the data minus their mean cycle."""
    if question.climatology is not None:
        rule = "is already subtracted"
        raise BadValueError("groupby", question.climatology.groupby, rule, "call anomaly() once")
    if not isinstance(groupby, str):
        raise BadTypeError("groupby", groupby, "must be text", "pass 'time.dayofyear'")
    climatology = Climatology(groupby, smooth, common=check_flag("common", common))
    dims = question.layout.sample_dims
    checked = climatology.checked(question.data, dims)
    if common and isinstance(question.sampler, Snapshots):
        over = tuple(dim for dim in dims if dim != checked.dim)
        checked = replace(checked, over=over)
    return replace(question, climatology=checked)


def _kind(value: Any) -> str:
    if isinstance(value, xr.DataArray):
        return f"DataArray of {value.dtype}"
    return type(value).__name__


def on_grid(parameter: str, array: xr.DataArray, layout: Layout) -> xr.DataArray:
    """Return ``array`` on the grid of the samples; refuse other dims and coordinates."""
    shown = parameter if array.name is None else array.name
    unknown = [dim for dim in array.dims if dim not in layout.sample_dims]
    if unknown:
        rule = f"has the dim {unknown[0]!r}, but the samples lie over {list(layout.sample_dims)}"
        raise BadValueError(parameter, shown, rule, "select one entry of that dim, or average it")
    if array.chunks is not None and any(np.isnan(sizes).any() for sizes in array.chunks):
        rule = "is a dask array with unknown chunk sizes"
        raise BadValueError(parameter, shown, rule, "call compute_chunk_sizes() on it")
    check_plain(parameter, shown, array)
    grid = {dim: layout.coords[dim] for dim in array.dims if dim in layout.coords}
    kept = {
        dim: coord.values
        for dim, coord in grid.items()
        if dim in array.coords and not np.array_equal(coord.values, array[dim].values)
    }
    missing = [dim for dim in kept if not np.isin(kept[dim], array[dim].values).all()]
    if missing:
        rule = f"lacks some values of {missing[0]!r} that the samples have"
        raise BadValueError(parameter, shown, rule, "reindex it to the data")
    repeated = [dim for dim in kept if not array.indexes[dim].is_unique]
    if repeated:
        rule = f"has other values of {repeated[0]!r} than the samples, some of them twice"
        raise BadValueError(parameter, shown, rule, "reindex it to the data's grid")
    array = array.sel(kept)
    wrong = [dim for dim in array.dims if array.sizes[dim] != layout.sizes[dim]]
    if wrong:
        dim = wrong[0]
        rule = f"has {array.sizes[dim]} points along {dim!r}, but the data have {layout.sizes[dim]}"
        raise BadValueError(parameter, shown, rule, "reindex it to the data's grid")
    return array.drop_vars(array.coords)
