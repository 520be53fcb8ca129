"""Anomalies: the data minus their mean cycle, which is learned once and kept with the result."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from xcluster.algorithms.parts.sums import Binned
from xcluster.base.arrays import Array
from xcluster.base.checks import check_choice, check_integer, warn
from xcluster.base.errors import BadValueError
from xcluster.blocks import matrix
from xcluster.blocks.block import Block
from xcluster.grid.features import check_features
from xcluster.grid.fills import undecoded
from xcluster.grid.layout import COLUMN, COORDINATE_TOLERANCE, Layout, Scenes
from xcluster.grid.samplers import Snapshots, known_dim

Sums = Mapping[int, tuple[Binned, Array]]

CYCLES = {"dayofyear": (1, 366), "month": (1, 12), "quarter": (1, 4), "dayofweek": (0, 6)}
CYCLES |= {"hour": (0, 23)}
COMPONENTS = (*CYCLES, "season")
SEASONS = ("DJF", "MAM", "JJA", "SON")

SLAB_ROWS = 256


@dataclass(frozen=True, eq=False)
class Climatology:
    """The mean of each group of time steps, smoothed around the cycle.

    Parameters
    ----------
    groupby : str
        Dim and component of its dates, such as "time.dayofyear".
    smooth : int, optional
        Number of groups in the running mean around the cycle; odd.
    means : mapping of str to array, optional
        Per variable the means, shape (n_groups, ...) over ``dims``; None before the fit.
    dims : mapping of str to tuple of str
        Per variable the dims of its field.
    coords : mapping of str to array
        The coordinates of the fields.
    common : bool
        Whether all members of an ensemble, and all scenes of a pool, have the same means.
    over : tuple of str
        The dims of members that have the same means.
    of : mapping of str to Climatology, optional
        The climatology of each scene of a pool, if each has its own.
    """

    groupby: str
    smooth: int | None = None
    means: Mapping[str, Array] | None = None
    dims: Mapping[str, tuple[str, ...]] | None = None
    coords: Mapping[str, Array] | None = None
    common: bool = True
    over: tuple[Hashable, ...] = ()
    of: Mapping[str, Climatology] | None = None

    @classmethod
    def of_scenes(cls, each: Mapping[str, Climatology | None]) -> Climatology | None:
        """Return the climatology of several scenes: that of all, or of each its own."""
        first = next(iter(each.values()))
        if first is None or first.common:
            return first
        own = {name: one for name, one in each.items() if one is not None}
        return cls(first.groupby, first.smooth, common=False, of=own)

    def scene(self, name: str) -> Climatology:
        """Return the climatology of one scene."""
        return self if self.of is None else self.of[name]

    @property
    def dim(self) -> str:
        """The dim of time."""
        return self.groupby.rpartition(".")[0]

    @property
    def component(self) -> str:
        """The component of the dates."""
        return self.groupby.rpartition(".")[2]

    @property
    def groups(self) -> list[Any]:
        """All values that the component can have."""
        if self.component == "season":
            return list(SEASONS)
        first, last = CYCLES[self.component]
        return list(range(first, last + 1))

    def __str__(self) -> str:
        return ", ".join([repr(self.groupby), *self.options])

    @property
    def options(self) -> list[str]:
        """What a user passed beside ``groupby``."""
        smooth = [] if self.smooth is None else [f"smooth={self.smooth}"]
        return smooth if self.common else [*smooth, "common=False"]

    # ----------------------------------------------------------------------------- learning it

    def checked(self, data: xr.Dataset, sample_dims: Sequence[Hashable]) -> Climatology:
        """Return this climatology, or raise an error if the data cannot be grouped by it."""
        if "." not in self.groupby:
            rule = "must name a dim and a component of its dates"
            raise BadValueError("groupby", self.groupby, rule, "pass 'time.dayofyear'")
        known_dim(data, self.dim)
        check_choice("groupby", self.component, COMPONENTS)
        if self.dim not in sample_dims:
            rule = f"the samples lie over {list(sample_dims)}, without {self.dim!r}"
            raise BadValueError("groupby", self.groupby, rule, "use snapshots()")
        if self.smooth is not None and check_integer("smooth", self.smooth, minimum=1) % 2 == 0:
            rule = "must be odd: as many groups before as after the middle one"
            raise BadValueError("smooth", self.smooth, rule, f"pass {self.smooth + 1}")
        if self.smooth is not None and self.smooth > len(self.groups):
            rule = f"is more than the {len(self.groups)} groups"
            raise BadValueError("smooth", self.smooth, rule, "pass a smaller number")
        check_regular(data, self.dim)
        return self

    def fit(self, variables: Iterable[Hashable], scenes: Mapping[str, xr.Dataset]) -> Climatology:
        """Return the climatology of these variables of one or several scenes; reads them once."""
        fields = self._fields(variables, scenes)

        def codes(scene: Layout) -> dict[str, xr.DataArray]:
            return {"group": xr.DataArray(self._codes(scenes[scene.scene]), dims=[self.dim])}

        found, filled = matrix.reduce(
            fields, _group_sums, _merge, extra=codes, called="climatology"
        )
        # Behind the subtraction such numbers could no longer be told.
        for sentence in undecoded(fields, filled):
            warn(sentence)
        names = list(fields.variables)
        rows = self._means(found, fields.n_features).astype(fields.dtype)
        means = matrix.unpack(fields.features, rows, COLUMN, np.arange(len(rows)))
        kinds = "fiu" if self.common else "fiuU"  # names of members too
        return replace(
            self,
            means={str(name): means[name].values for name in names},
            dims={str(name): tuple(map(str, means[name].dims[1:])) for name in names},
            coords={
                str(dim): means[dim].values
                for dim in fields.features.dims
                if dim in means.coords and means[dim].dtype.kind in kinds
            },
        )

    def _fields(self, variables: Iterable[Hashable], scenes: Mapping[str, xr.Dataset]) -> Scenes:
        """Return the layouts of the fields that are averaged, as one."""
        each = [self._scene_fields(variables, data, name) for name, data in scenes.items()]
        for other in each:
            self._check_like(other, each[0])
        return Scenes.of(each)

    def _scene_fields(self, variables: Iterable[Hashable], data: xr.Dataset, scene: str) -> Layout:
        names = tuple(name for name in variables if self.dim in data[name].dims)
        layout = Snapshots((self.dim, *self.over), names).arrange(data)
        return replace(layout.with_each(lambda _, each: replace(each, cells=None)), scene=scene)

    def _check_like(self, ours: Layout, first: Layout) -> None:
        """Refuse a scene whose fields lie on another grid than those of the first scene."""
        try:
            check_features(f"scene {ours.scene!r}", "Dataset", ours.features, first.features)
        except BadValueError as error:
            rule = (
                f"of scene {ours.scene!r} lies on another grid than that of scene {first.scene!r}"
            )
            remedy = "give each scene a cycle of its own: anomaly(..., common=False)"
            raise BadValueError("anomaly", self.groupby, rule, remedy) from error

    def _codes(self, data: xr.Dataset) -> Array:
        """Return the number of the group of each time step."""
        values = getattr(data[self.dim].dt, self.component).values
        place = {group: number for number, group in enumerate(self.groups)}
        return np.array([place[value] for value in values.tolist()], np.int64)

    def _means(self, found: Sums, n_features: int) -> Array:
        total, count = np.zeros((2, len(self.groups), n_features))
        for group, (sums, counts) in found.items():
            total[group], count[group] = sums.total()[0], counts
        if self.smooth is not None:
            total, count = _around(total, self.smooth), _around(count, self.smooth)
        if self.component == "dayofyear":  # day 366 has no data without a leap year
            lacking = count[-1] == 0
            total[-1, lacking], count[-1, lacking] = total[-2, lacking], count[-2, lacking]
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)

    # --------------------------------------------------------------------------- subtracting it

    def __call__(self, data: xr.Dataset) -> xr.Dataset:
        """Return the anomalies of data on the same grid; lazy if the data are lazy.

        Before the fit the data are returned unchanged.
        """
        if self.of is not None:
            rule = f"is another one for each of the scenes {list(self.of)}"
            raise BadValueError("anomaly", self.groupby, rule, "use fit[scene].predict(new)")
        if self.means is None or self.dims is None:
            return data
        known_dim(data, self.dim)
        codes = self._codes(data)
        return data.assign({name: self._anomaly(data[name], name, codes) for name in self.means})

    def _anomaly(self, array: xr.DataArray, name: str, codes: Array) -> xr.DataArray:
        assert self.means is not None
        assert self.dims is not None
        means, dims = self.means[name], self.dims[name]
        lacking = [self.groups[code] for code in np.unique(codes) if np.isnan(means[code]).all()]
        if lacking:
            rule = f"was fitted without {self.component} {lacking[0]!r}"
            raise BadValueError("anomaly", self.groupby, rule, "leave those samples out")
        others = [dim for dim in array.dims if dim not in (self.dim, *dims)]
        ordered = array.transpose(self.dim, *others, *dims)
        means = np.expand_dims(self._at(means, dims, ordered), tuple(range(1, len(others) + 1)))
        less = _less_dask if ordered.chunks is not None else _less_numpy
        return ordered.copy(data=less(ordered.data, codes, means)).transpose(*array.dims)

    def _at(self, means: Array, dims: Sequence[str], array: xr.DataArray) -> Array:
        """Return the means with their axes in the direction of ``array``."""
        for axis, dim in enumerate(dims, start=1):
            ours = (self.coords or {}).get(dim)
            if means.shape[axis] != array.sizes[dim]:
                n, size = means.shape[axis], array.sizes[dim]
                raise self._elsewhere(
                    f"was fitted on {n} points along {dim!r}, here are {size}", dim
                )
            if ours is None or dim not in array.coords:
                continue
            if _is_near(array[dim].values, ours[::-1]) and len(ours) > 1:
                means = np.flip(means, axis)
            elif not _is_near(array[dim].values, ours):
                raise self._elsewhere(f"was fitted at other values of {dim!r}", dim)
        return means

    def _elsewhere(self, rule: str, dim: str) -> BadValueError:
        remedy = f"select the fitted entries of {dim!r}"
        remedy += "" if self.common else ", or fit with common=True"
        return BadValueError("anomaly", self.groupby, rule, remedy)


def _is_near(ours: Array, theirs: Array) -> bool:
    """Whether two coordinates hold the same values."""
    if ours.dtype.kind not in "fiu" or theirs.dtype.kind not in "fiu":
        return np.array_equal(ours, theirs)
    slack = COORDINATE_TOLERANCE * float(np.abs(theirs).max())
    return np.allclose(ours, theirs, rtol=0, atol=slack)


def check_regular(data: xr.Dataset, dim: Hashable) -> None:
    """Refuse a time axis without dates or with uneven steps; whole seasons may be missing."""
    index = data.indexes.get(dim)
    if index is None or not hasattr(index, "year"):
        rule = "has no dates along it"
        raise BadValueError("groupby", dim, rule, "decode times: xr.decode_cf(ds)")
    if len(index) < 3:
        rule = f"has {len(index)} steps, too few for a cycle"
        raise BadValueError("groupby", dim, rule, "pass a longer series")
    steps = np.asarray((index[1:] - index[:-1]).total_seconds(), np.float64)
    step = float(np.median(steps))
    if steps.min() <= 0:
        rule = "must rise, but a time occurs twice or is out of order"
        raise BadValueError("groupby", dim, rule, f"use ds.sortby({dim!r})")
    ratio = steps / step
    whole = np.maximum(np.round(ratio), 1)
    even = np.abs(ratio - whole) <= 0.11 * whole  # months have 28 to 31 days
    if not even.all() or (whole == 1).mean() < 0.9:
        days = f"{steps.min() / 86400:g} to {steps.max() / 86400:g} days"
        rule = f"is irregular: its steps are {days}"
        remedy = f"make its steps even: ds.resample({dim}='1D').mean()"
        raise BadValueError("groupby", dim, rule, remedy)


def _group_sums(block: Block) -> tuple[Sums, Array]:
    """Return sum and count of the values of each group in one block, without missing ones.

    Beside them, the number of samples of each variable that hold a number called missing.
    """
    codes = block.further("group")
    assert codes is not None
    n_axes = len(block.shape)
    pieces = [
        np.broadcast_to(each, (*block.shape, *each.shape[n_axes:])).reshape(len(codes), -1)
        for each in block.pieces
    ]
    sums = {
        int(group): _sum_and_count([each[codes == group] for each in pieces])
        for group in np.unique(codes)
    }
    return sums, block.n_filled


def _sum_and_count(pieces: Sequence[Array]) -> tuple[Binned, Array]:
    rows = np.concatenate([each.T for each in pieces]).astype(np.float64)
    known = np.isfinite(rows)  # infinite values are refused when the anomalies are read
    ones = np.ones((1, rows.shape[1]))
    return Binned.products(ones, np.where(known, rows, 0.0)), np.asarray(known.sum(axis=1))


def _merge(parts: Sequence[tuple[Sums, Array]]) -> tuple[Sums, Array]:
    merged: dict[int, tuple[Binned, Array]] = {}
    for part, _ in parts:
        for group, (total, count) in part.items():
            if group in merged:
                total, count = merged[group][0] + total, merged[group][1] + count
            merged[group] = total, count
    return merged, np.sum([filled for _, filled in parts], axis=0)


def _around(values: Array, width: int) -> Array:
    """Return sums over ``width`` groups around each; the first group follows the last."""
    half = width // 2
    shifted = (np.roll(values, shift, axis=0) for shift in range(-half, half + 1))
    return np.asarray(sum(shifted))


def _less_numpy(values: Array, codes: Array, means: Array) -> Array:
    """Subtract in slabs, so that the means are never repeated for all time steps at once."""
    out = np.empty(values.shape, np.result_type(values, means.dtype))
    for start in range(0, len(values), SLAB_ROWS):
        rows = slice(start, start + SLAB_ROWS)
        np.subtract(values[rows], means[codes[rows]], out=out[rows])
    return out


def _less_dask(values: Any, codes: Array, means: Array) -> Any:
    import dask.array as da

    axes, groups = tuple(range(values.ndim)), values.ndim
    steps = da.from_array(codes, chunks=(values.chunks[0],)), axes[:1]
    chunks = [1 if n == 1 else c for n, c in zip(means.shape[1:], values.chunks[1:], strict=True)]
    fields = da.from_array(means, chunks=(len(means), *chunks)), (groups, *axes[1:])
    meta = np.empty((0,) * values.ndim, np.result_type(values, means.dtype))
    pairs = values, axes, *steps, *fields
    return da.blockwise(_less_block, axes, *pairs, dtype=meta.dtype, meta=meta)


def _less_block(values: Array, codes: Array, means: list[Array]) -> Array:
    return np.asarray(values - means[0][codes], np.result_type(values, means[0].dtype))
