"""Samplers say what one sample is and what its features are: each makes a `Layout` of an object."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol, Self

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.checks import (
    check_hashable,
    check_integer,
    check_number,
    did_you_mean,
    is_one_of,
    is_text,
    several,
)
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.grid.ensembles import warn_of_strange_dims
from xcluster.grid.foreign import check_plain, foreign_name
from xcluster.grid.layout import LABEL, Cells, Layout, Variable, flat_cells, is_descending
from xcluster.grid.levels import (
    Levels,
    OwnLevels,
    levels_of,
    plain,
    positions,
    regular_levels,
    within,
)
from xcluster.grid.links import on_other_grid, selected, with_axes
from xcluster.grid.own_levels import (
    check_sample_dims,
    common_levels,
    own_axis,
    warn_of_own_levels,
)
from xcluster.grid.remedies import Gaps, fewer_entries, filled, only, runs, smaller, together
from xcluster.grid.roles import describing

Names = Hashable | Sequence[Hashable] | None

Level = float | str | dt.date | np.datetime64
"""A place along the axis of profiles: a number, or a date."""

Step = float | str | dt.timedelta | np.timedelta64
"""A distance along the axis of profiles: a number, or a length of time."""

Missing = Literal["drop", "keep"]
"""What happens to samples that lack some of their features."""

COVERAGE = 0.5
"""The least share of its features that a sample has by default, if samples may have gaps."""


class Sampler(Protocol):
    """A choice of samples and features, which can be applied to any object."""

    @property
    def least(self) -> float | None:
        """The least share of its features that a sample has; None if it must have all."""
        ...

    def arrange(self, data: xr.Dataset, like: xr.Dataset | None = None) -> Layout:
        """Return the layout of ``data``; ``like`` has the features of an earlier fit."""
        ...


class MayKeepGaps:
    """A sampler that keeps samples with gaps if ``missing`` says so."""

    missing: Any
    coverage: float

    def __post_init__(self) -> None:
        """Refuse wrong values."""
        check_missing(self.missing, self.coverage)

    @property
    def least(self) -> float | None:
        """The least share of its features that a sample has; None if it must have all."""
        return self.coverage if is_text(self.missing, "keep") else None


def check_missing(missing: Any, coverage: Any) -> None:
    """Refuse other words than "drop" and "keep", and a coverage that would have no effect."""
    if not is_one_of(missing, ("drop", "keep")):
        rule = "must be 'drop' or 'keep'"
        raise BadValueError("missing", missing, rule, "pass missing='drop'")
    check_coverage(missing, coverage)


def check_coverage(missing: Any, coverage: Any) -> None:
    """Refuse a coverage that is no share, or that would have no effect."""
    check_number("coverage", coverage, minimum=0, maximum=1)
    if coverage != COVERAGE and not is_text(missing, "keep"):
        rule = "says how much of a sample must be there, but samples with gaps are not kept"
        raise BadValueError("coverage", coverage, rule, "pass missing='keep' too, or leave it out")


@dataclass(frozen=True)
class Pixels(MayKeepGaps):
    """One sample per grid point; features are the variables, or the entries of feature dims.

    ``dim`` is one dim, whose name may be a tuple, or a list of dims.
    """

    vars: Names = None
    dim: Hashable | list[Any] | None = None
    missing: Missing = "drop"
    coverage: float = COVERAGE

    def arrange(self, data: xr.Dataset, like: xr.Dataset | None = None) -> Layout:
        """Return the layout of ``data``."""
        feature_dims = () if self.dim is None else _feature_dims(data, self.dim)
        several = isinstance(self.dim, list)
        names, left_out = choose_variables(data, self.vars, feature_dims, any_of=several)
        for dim in feature_dims:
            _check_used(data, dim, names)
        layout = lay_out(data, names, feature_dims, left_out)
        return replace(layout, remedy=self.remedy, coverage=self.least)

    def remedy(self, gaps: Gaps) -> str:
        """Return what to do if no sample is complete."""
        if self.dim is None:
            return together(only(gaps.variables, gaps))
        return smaller(gaps, self.dim if isinstance(self.dim, list) else [self.dim])


@dataclass(frozen=True)
class Profiles(MayKeepGaps):
    """One sample per column; features are the values along ``dim``."""

    dim: Hashable
    vars: Names = None
    between: tuple[Level, Level] | None = None
    step: Step | None = None
    every: int | Mapping[Hashable, int] = 1
    missing: Literal["drop", "keep", "interpolate"] | float = "drop"
    along: Hashable | None = None
    coverage: float = COVERAGE

    def __post_init__(self) -> None:
        """Turn values of any type into numbers or text, which files can hold."""
        _coverage(self.missing)
        check_coverage(self.missing, self.coverage)
        object.__setattr__(self, "step", plain(self.step))
        if self.between is not None:
            rule, remedy = "must be two numbers, or two dates", "pass between=(lowest, highest)"
            ends = several("between", self.between, rule, remedy)
            object.__setattr__(self, "between", tuple(plain(each) for each in ends))

    def arrange(self, data: xr.Dataset, like: xr.Dataset | None = None) -> Layout:
        """Return the layout of ``data``; with ``step`` it has the levels of ``like``."""
        dim = known_dim(data, self.dim)
        axis = own_axis(data, dim, self.along) if self.has_own_levels else None
        names, left_out = self._names(data)
        data = selected(data, names)
        if self.between is not None and axis is None:
            data = self._between(data)
        strides = _strides(self.every, data, [name for name in data.dims if name != dim])
        data = data if self.every == 1 else on_other_grid(data.isel(strides))
        layout = lay_out(data, names, (dim,), left_out)
        layout = replace(layout, remedy=self.remedy, coverage=self.least)
        if axis is not None:
            return self._resampled(layout, axis.isel(strides, missing_dims="ignore"))
        levels = self._levels(data, like)
        return layout.with_each(
            lambda _, each: replace(each, levels=levels) if each.feature_dims else each
        )

    @property
    def has_own_levels(self) -> bool:
        """Whether each column has levels of its own."""
        return self.along is not None and not is_one_of(self.along, [self.dim])

    def warned(self, data: xr.Dataset) -> Self:
        """Return the sampler; warn if levels that differ between columns are not used."""
        if self.along is None and is_one_of(self.dim, data.dims):
            warn_of_own_levels(data, self.dim, [] if self.vars is None else _listed(self.vars))
        return self

    def _names(self, data: xr.Dataset) -> tuple[list[Hashable], dict[Hashable, str]]:
        """Return the variables to use, and why others are left out."""
        if self.has_own_levels:
            if self.vars is not None and self.along in _listed(self.vars):
                rule = "holds the levels of the columns (along)"
                raise BadValueError("vars", self.along, rule, "leave it out of vars")
            data = data.set_coords([self.along])
        names, left_out = choose_variables(data, self.vars, (self.dim,))
        _check_used(data, self.dim, names)
        return names, left_out

    def _resampled(self, layout: Layout, axis: xr.DataArray) -> Layout:
        """Return the layout with each column resampled from its own levels to common ones."""
        check_sample_dims(axis, self.dim, layout.sample_dims)
        target = common_levels(self.dim, self.between, self.step)
        levels = OwnLevels(self.dim, target, _coverage(self.missing))
        own = axis.drop_vars(axis.coords)

        def change(each: Variable) -> Variable:
            return replace(each, feature_dims=(self.along,), levels=levels, axis=own)

        return layout.with_each(lambda _, each: change(each) if each.feature_dims else each)

    def remedy(self, gaps: Gaps) -> str:
        """Return what to do if no sample is complete."""
        dim = self.along if self.has_own_levels else self.dim
        has_levels = any(dim in gaps.kept[name].dims for name in gaps.variables)
        levels = self._fewer_levels(gaps, dim) if has_levels else []
        return together([*only(gaps.variables, gaps), *levels])

    def _fewer_levels(self, gaps: Gaps, dim: Hashable) -> list[str]:
        keep, levels = gaps.along(dim), gaps.kept.indexes.get(dim)
        parts, is_axis = runs(keep), levels is not None and _is_axis(levels)
        as_given = self.between is None and self.step is None
        if keep.all():
            return []
        if is_axis and len(parts) == 1 and keep.sum() > 1:
            ends = sorted(plain(gaps.kept[dim].values[keep][end]) for end in (0, -1))
            return [f"choose a smaller range: between={tuple(ends)}"]
        if as_given and (gaps.never or not is_axis):
            return fewer_entries(gaps, dim)
        return ["fill gaps between levels: missing='interpolate'"]

    def _between(self, data: xr.Dataset) -> xr.Dataset:
        levels = levels_of(data, self.dim, "between", self.between)
        return data.isel({self.dim: within(levels, self.dim, self.between)})

    def _levels(self, data: xr.Dataset, like: xr.Dataset | None) -> Levels | None:
        coverage = _coverage(self.missing)
        if self.step is None and coverage is None:
            return None
        source = self._source(data)
        source = source[::-1] if is_descending(data, self.dim) else source
        if (np.diff(positions(source, source[0])) < 0).any():
            rule = "its levels must be sorted, but they neither rise nor fall"
            raise BadValueError("dim", self.dim, rule, f"use ds.sortby({self.dim!r})")
        if self.step is None:
            return Levels(source, source, coverage)
        if like is None:
            return Levels(source, regular_levels(source, self.step), coverage)
        target = np.sort(levels_of(like, self.dim, "step", self.step))
        # Dates of another calendar, or numbers instead of dates, are refused later.
        kinds = [getattr(each[0], "calendar", each.dtype.kind) for each in (source, target)]
        return Levels(source, target if kinds[0] == kinds[1] else source, coverage)

    def _source(self, data: xr.Dataset) -> NDArray[Any]:
        """Return the levels of the data; positions if there are no coordinates to fill gaps by."""
        if self.step is not None:
            return levels_of(data, self.dim, "step", self.step)
        if self.dim not in data.coords:
            return np.arange(data.sizes[self.dim], dtype=float)
        return levels_of(data, self.dim, "missing", self.missing)


@dataclass(frozen=True)
class Snapshots(MayKeepGaps):
    """One sample per step along ``dim``; features are the cells of the field that have data.

    A list, or a tuple that is not itself the name of a dim, names several dims.
    """

    dim: Hashable | Sequence[Hashable] = "time"
    vars: Names = None
    missing: Missing = "drop"
    coverage: float = COVERAGE

    def __post_init__(self) -> None:
        """Turn a list into a tuple, as all fields can be hashed."""
        super().__post_init__()
        if isinstance(self.dim, list):
            object.__setattr__(self, "dim", tuple(self.dim))

    def arrange(self, data: xr.Dataset, like: xr.Dataset | None = None) -> Layout:
        """Return the layout of ``data``."""
        dims = self._dims(data)
        names, left_out = choose_variables(data, self.vars, dims)
        check_each_has("dim", data, names, dims)
        feature_dims = tuple(name for name in data[names].dims if name not in dims)
        layout = lay_out(data, names, feature_dims, left_out)
        layout = replace(layout, remedy=self.remedy, coverage=self.least)
        return layout.with_each(
            lambda name, each: (
                replace(each, cells=_cells(name, each, like)) if each.feature_dims else each
            )
        )

    def _dims(self, data: xr.Dataset) -> tuple[Hashable, ...]:
        """Return the dims of the samples."""
        if not isinstance(self.dim, tuple) or is_one_of(self.dim, data.dims):
            return (known_dim(data, self.dim),)
        dims = tuple(known_dim(data, each) for each in self.dim)
        if not dims or len(set(dims)) < len(dims):
            rule = "must name at least one dim, and each once"
            raise BadValueError("dim", list(dims), rule, "pass dim=['member', 'time']")
        return dims

    def warned(self, data: xr.Dataset) -> Self:
        """Return the sampler; warn if a dim that is not spatial gives features."""
        layout = self.arrange(data)
        dims = dict.fromkeys(d for each in layout.variables.values() for d in each.feature_dims)
        warn_of_strange_dims(data, layout.sample_dims, tuple(dims))
        return self

    def remedy(self, gaps: Gaps) -> str:
        """Return what to do if no sample is complete."""
        dims = list(self.dim) if isinstance(self.dim, tuple) else self.dim
        if not gaps.least:
            return filled(gaps, f"ds.mean({dims!r})")
        variables = only(gaps.variables, gaps)
        if all(each.all() for each in gaps.kept[gaps.variables].values()):
            return together(variables)
        said = "take only cells that enough samples have: "
        return together([*variables, f"{said}ds.where(ds.count({dims!r}) >= {gaps.least})"])


def _cells(name: Hashable, variable: Variable, like: xr.Dataset | None) -> Cells:
    """Return which cells of a field are features: those of ``like`` if it has the same grid."""
    dims = variable.feature_dims
    if like is None or {dim: like[name].sizes.get(dim) for dim in dims} != {
        dim: variable.array.sizes[dim] for dim in dims
    }:
        return Cells()  # another grid is refused later
    return Cells(partial(flat_cells, like[name].notnull(), dims))


def lay_out(
    data: xr.Dataset,
    names: Sequence[Hashable],
    feature_dims: Sequence[Hashable],
    left_out: Mapping[Hashable, str],
) -> Layout:
    """Return the layout of the variables ``names``; all other dims are sample dims."""
    chosen = selected(data, names)
    variables = {name: _variable(chosen[name], feature_dims) for name in names}
    sample_dims = _ordered_sample_dims(chosen, names, feature_dims)
    check_dims(chosen, sample_dims, feature_dims)
    _check_positions(chosen, names, sample_dims)
    _check_one_grid(data, variables, sample_dims)
    layout = Layout(
        variables=variables,
        shown=tuple(names),
        sample_dims=sample_dims,
        sizes={dim: chosen.sizes[dim] for dim in sample_dims},
        coords={
            name: coord
            for name, coord in chosen.coords.items()
            if set(coord.dims) <= set(sample_dims)
        },
        left_out=left_out,
    )
    return replace(layout, coords=with_axes(layout.coords)) if layout.links else layout


def _variable(array: xr.DataArray, feature_dims: Sequence[Hashable]) -> Variable:
    return Variable(array, tuple(dim for dim in array.dims if dim in feature_dims))


def _ordered_sample_dims(
    data: xr.Dataset, names: Sequence[Hashable], feature_dims: Sequence[Hashable]
) -> tuple[Hashable, ...]:
    """Return the sample dims; those of the variable with most dims first, as in the data."""
    fullest = sorted(names, key=lambda name: -data[name].ndim)
    dims = dict.fromkeys(dim for name in fullest for dim in data[name].dims)
    return tuple(dim for dim in dims if dim not in feature_dims)


def _check_positions(
    data: xr.Dataset, names: Sequence[Hashable], sample_dims: Sequence[Hashable]
) -> None:
    """Refuse coordinates of features; one number may be the place of a row of new samples."""
    for name in names:
        dims = data[name].dims if name in data.coords else ()
        if dims and not set(dims) & set(sample_dims):
            rule = f"is a coordinate of the features, over {list(dims)}"
            raise BadValueError("vars", name, rule, "name coordinates of the samples only")


def check_each_has(
    parameter: str, data: xr.Dataset, names: Sequence[Hashable], dims: Sequence[Hashable]
) -> None:
    """Refuse variables without some of these dims."""
    lacking = [(name, dim) for name in names for dim in dims if dim not in data[name].dims]
    if lacking:
        name, dim = lacking[0]
        rule = f"must be a dim of each variable, but {name!r} lacks it"
        raise BadValueError(parameter, dim, rule, "leave that variable out of vars")


def _check_one_grid(
    data: xr.Dataset, variables: Mapping[Hashable, Variable], sample_dims: Sequence[Hashable]
) -> None:
    """Refuse variables on several grids, of which none has all sample dims."""
    own = {
        name: [d for d in sample_dims if d in each.array.dims] for name, each in variables.items()
    }
    first = max(own, key=lambda name: len(own[name]))
    if len(own[first]) == len(sample_dims):
        return
    other = next(name for name, dims in own.items() if not set(dims) <= set(own[first]))
    n = math.prod(data.sizes[dim] for dim in sample_dims)
    rule = f"{first!r} lies over {own[first]} and {other!r} over {own[other]}: every pair of their "
    rule += f"points would be a sample, {n:,} in all"
    raise BadValueError("vars", list(variables), rule, _to_one_grid(data, other, own, first))


def _to_one_grid(
    data: xr.Dataset, name: Hashable, dims: Mapping[Hashable, Sequence[Hashable]], onto: Hashable
) -> str:
    """Return how to bring a variable to the grid of another one."""
    ours = [dim for dim in dims[onto] if dim not in dims[name]]
    theirs = [dim for dim in dims[name] if dim not in dims[onto]]
    pairs = dict(zip(theirs, ours, strict=False))
    moved = f"ds.assign({{{name!r}: ds[{name!r}]"
    if len(ours) == len(theirs):
        if all(dim in data.coords and data[dim].dtype.kind in "fiu" for dim in (*ours, *theirs)):
            places = ", ".join(f"{dim!r}: ds[{to!r}]" for dim, to in pairs.items())
            return f"interpolate: {moved}.interp({{{places}}})}})"
        if all(data.sizes[a] == data.sizes[b] and a not in data.coords for a, b in pairs.items()):
            return f"if their points are the same: {moved}.rename({pairs})}})"
    return "bring them to one grid first, or leave one of them out of vars"


def choose_variables(
    data: xr.Dataset, names: Names, feature_dims: Sequence[Hashable], *, any_of: bool = False
) -> tuple[list[Hashable], dict[Hashable, str]]:
    """Return the variables to use, and for each other variable why it is left out.

    If ``names`` is None, these are the numeric variables with the feature dims (or ``any_of``
    them). If their other dims differ, those with the most common dims are taken.
    """
    if names is not None:
        return _named(data, names)
    left_out = describing(data)
    for name, array in data.data_vars.items():
        if name not in left_out and (reason := _unfit(array, feature_dims, any_of)):
            left_out[name] = reason
    dims = {
        name: frozenset(data[name].dims).difference(feature_dims)
        for name in data.data_vars
        if name not in left_out
    }
    if not dims:
        rule = "finds no variable of real numbers"
        rule += f" with the dims {list(feature_dims)}" if feature_dims else ""
        reasons = [f"{name!r} {reason}" for name, reason in list(left_out.items())[:6]]
        rule += f": {'; '.join(reasons) or 'the data have no variable'}"
        raise BadValueError("vars", None, rule, "name the variables to use, as numbers")
    counts = Counter(dims.values())
    grid = max(counts, key=lambda each: (bool(each), counts[each], len(each)))
    left_out |= {
        name: f"has other dims: {sorted(map(str, data[name].dims))}"
        for name, each in dims.items()
        if each != grid
    }
    return [name for name in dims if name not in left_out], left_out


def _named(data: xr.Dataset, names: Names) -> tuple[list[Hashable], dict[Hashable, str]]:
    """Return the variables that a user names, and the others."""
    wanted = _listed(names)
    for name in wanted:
        _check_variable(data, name)
    if all(name in data.coords for name in wanted):
        rule = "is a coordinate, and there is no variable beside it"
        remedy = "name a variable too; ds.reset_coords() makes variables of those that are no index"
        raise BadValueError("vars", wanted[0], rule, remedy)
    return wanted, {name: "not named" for name in data.data_vars if name not in wanted}


def _listed(names: Names) -> list[Hashable]:
    single = isinstance(names, str) or not isinstance(names, Iterable)
    rule, remedy = "must be one name or several", "pass names as text"
    wanted = [names] if single else several("vars", names, rule, remedy)
    check_hashable("vars", wanted)
    repeated = [name for name, count in Counter(wanted).items() if count > 1]
    if not wanted or repeated:
        rule = f"names {repeated[0]!r} twice" if repeated else "names no variable"
        raise BadValueError("vars", names, rule, "name each variable once")
    return wanted


def _check_variable(data: xr.Dataset, name: Hashable) -> None:
    if name not in data.variables:
        rule, remedy = "is not a variable of the Dataset", did_you_mean(name, data.data_vars)
        if is_one_of(name, data.dims):
            rule = "is a dim without coordinates"
            remedy = f"number its points: ds.assign_coords({{{name!r}: range({data.sizes[name]})}})"
        raise BadValueError("vars", name, rule, remedy)
    kind = data[name].dtype.kind
    if kind not in "fiub":
        rule = f"has dtype {data[name].dtype}, but only real numbers can be clustered"
        remedies = dict.fromkeys("mM", "use a number that is computed from it")
        remedies["c"] = "use abs(), or real and imag as two variables"
        raise BadTypeError("vars", name, rule, remedies.get(kind, "encode it as numbers"))
    check_plain("vars", name, data[name])


def _unfit(array: xr.DataArray, feature_dims: Sequence[Hashable], any_of: bool) -> str:
    if array.dtype.kind not in "fiu":
        return f"has dtype {array.dtype}"
    if foreign := foreign_name(array):
        return f"is an array of {foreign}"
    lacking = [dim for dim in feature_dims if dim not in array.dims]
    if lacking and not (any_of and len(lacking) < len(feature_dims)):
        return f"has no dim {lacking[0]!r}"
    return "" if array.ndim else "has no dims"


def _feature_dims(data: xr.Dataset, dim: Hashable | list[Any]) -> tuple[Hashable, ...]:
    """Return the dims that a user names: one, or those of a list."""
    if not isinstance(dim, list):
        parts = dim if isinstance(dim, tuple) and not is_one_of(dim, data.dims) else ()
        if parts and all(is_one_of(each, data.dims) for each in parts):
            rule = "is not a dim of the data: a tuple is the name of one dim"
            raise BadValueError("dim", dim, rule, f"pass a list: dim={list(parts)}")
        return (known_dim(data, dim),)
    check_hashable("dim", dim)
    if not dim or len(set(dim)) < len(dim):
        rule = "names a dim twice" if dim else "names no dim"
        raise BadValueError("dim", dim, rule, "name each feature dim once")
    return tuple(known_dim(data, each) for each in dim)


def _check_used(data: xr.Dataset, dim: Hashable, names: Sequence[Hashable]) -> None:
    if not any(dim in data[name].dims for name in names):
        rule = f"is a dim of none of the chosen variables {', '.join(map(repr, names))}"
        raise BadValueError("dim", dim, rule, "name a variable with that dim in vars")


def known_dim(data: xr.Dataset, dim: Hashable) -> Hashable:
    """Return ``dim`` if ``data`` has it; otherwise the error suggests a similar name."""
    if is_one_of(dim, data.dims):
        return dim
    raise BadValueError("dim", dim, "is not a dim of the data", did_you_mean(dim, data.dims))


def check_dims(
    data: xr.Dataset, sample_dims: Sequence[Hashable], feature_dims: Sequence[Hashable]
) -> None:
    """Refuse a dim named label, empty dims, unknown chunk sizes, and data without sample dims."""
    if LABEL in (*sample_dims, *feature_dims, *data.variables):
        rule = "is the name of a dim of results"
        raise BadValueError("dim", LABEL, rule, "rename yours: ds.rename(label='class')")
    for dim in (*sample_dims, *feature_dims):
        if data.sizes[dim] == 0:
            raise BadValueError(str(dim), 0, "the dim is empty", "select at least one entry")
    for name, array in data.data_vars.items():
        if array.chunks is not None and any(np.isnan(sizes).any() for sizes in array.chunks):
            rule = "is a dask array with unknown chunk sizes"
            raise BadValueError("vars", name, rule, "call compute_chunk_sizes() on it")
    if not sample_dims:
        rule = "leaves no dim for the samples"
        raise BadValueError("dim", list(feature_dims), rule, "choose fewer feature dims")


def _is_axis(index: pd.Index[Any]) -> bool:
    """Whether levels are sorted numbers or dates, so that a range of them can be told."""
    is_number = index.dtype.kind in "fiuM" or isinstance(index, xr.CFTimeIndex)
    return is_number and (index.is_monotonic_increasing or index.is_monotonic_decreasing)


def _coverage(missing: Any) -> float | None:
    """Return the minimum share of levels with data for filling gaps; None: no gaps are filled."""
    if isinstance(missing, str):
        if missing in ("drop", "keep", "interpolate"):
            return 0.0 if missing == "interpolate" else None
    elif isinstance(missing, int | float) and not isinstance(missing, bool) and 0 < missing <= 1:
        return float(missing)
    rule = "must be 'drop', 'keep', 'interpolate' or a fraction above 0 and at most 1"
    raise BadValueError("missing", missing, rule, "pass missing='drop'")


def _strides(
    every: Any, data: xr.Dataset, dims: Sequence[Hashable]
) -> dict[Hashable, slice | NDArray[np.intp]]:
    steps = every if isinstance(every, Mapping) else dict.fromkeys(dims, every)
    for dim, step in steps.items():
        check_integer("every", step, minimum=1)
        if dim not in dims:
            raise BadValueError("every", dim, "is not a sample dim", did_you_mean(dim, dims))
    return {dim: _each(data, dim, step) for dim, step in steps.items()}


def _each(data: xr.Dataset, dim: Hashable, step: int) -> slice | NDArray[np.intp]:
    """Return every ``step``-th place from the lowest coordinate on, whatever the direction."""
    if is_descending(data, dim):
        return slice((data.sizes[dim] - 1) % step, None, step)
    values = data[dim].values
    if values.dtype.kind not in "fiuM" or (values[1:] >= values[:-1]).all():
        return slice(None, None, step)
    return np.sort(np.argsort(values, kind="stable")[::step])
