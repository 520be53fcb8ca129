"""What changes between two label maps, or along a dim of one: how much, where and how often."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import xarray as xr

from xcluster.algorithms.parts.group_sums import KeyedSums
from xcluster.base.arrays import Array
from xcluster.base.checks import did_you_mean
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.blocks.graphs import Tree
from xcluster.blocks.label_maps import object_blocks
from xcluster.fit.fitted import Fitted
from xcluster.grid import areas
from xcluster.grid.layout import LABEL, Layout
from xcluster.grid.links import with_attrs
from xcluster.result import matching
from xcluster.result.zones import ZONE, numbered_zones, stated_names, with_names
from xcluster.scores.stratified import stratified_shares

FROM, TO = "from", "to"
MOST = 2**15
"""Labels are below this number."""
Z95 = 1.959963984540054
"""Half the width of a 95 % confidence interval, in standard errors."""


def change(
    a: Fitted | xr.DataArray,
    b: Fitted | xr.DataArray | None = None,
    *,
    dim: Hashable | None = None,
    by: Any = None,
    reference: Sequence[xr.DataArray] | None = None,
) -> xr.Dataset:
    """Return what changes between two label maps, or along a dim of one.

    Labels must mean the same in both: those of one model (`Clustering.predict`), or of results that
    were brought together by `Clustering.match`.

    Parameters
    ----------
    a, b : Clustering or DataArray of labels
        Before and after, on the same grid. Labels in a DataArray are whole numbers; NaN and
        negative numbers count as no label, and such samples are left out.
    dim : hashable, optional
        A dim of ``a``, such as "time": each step is compared with the last one before it that has a
        label there. Give this or ``b``.
    by : DataArray or GeoDataFrame, optional
        Zones, as of `Clustering.report`: tables are then over ``zone``, too.
    reference : pair of DataArray, optional
        True labels before and after on the grid of ``a``, at places drawn at random among the
        samples of each mapped change; NaN elsewhere. Only with ``b``, without ``by``.

    Returns
    -------
    Dataset of

    ``samples`` over (``from``, ``to``)
        number of samples with each pair of labels, of all steps together;
    ``area_km2`` over (``from``, ``to``)
        their area, or in another unit such as ``area_um2``; missing where areas are not known;
    ``gains``, ``losses`` over ``label``
        samples that a label takes from all others, and that it gives to them; ``gains_km2`` and
        ``losses_km2`` are their areas;
    ``changed`` on the grid
        1 where the label changed, 0 where it did not, NaN where either is missing; lazy if labels
        are. Along ``dim`` it lacks the first step;
    ``changes``, ``last_change`` on the grid without ``dim``
        how often the label changed, and the coordinate of the last step at which it did, or the
        number of the step if this is no number or date; NaN (NaT) if never. Only with ``dim``;
    ``estimate``, ``estimate_low``, ``estimate_high`` over (``from``, ``to``)
        with ``reference``: true area of each change (samples, where areas are not known), and a
        95 % confidence interval. ``accuracy`` and ``accuracy_error`` are the share of the map that
        is right and its standard error.

    Raises
    ------
    TypeError
        If ``a`` or ``b`` is neither a Clustering nor a DataArray of numbers.
    ValueError
        If both or neither of ``b`` and ``dim`` are given, grids differ, labels are no whole
        numbers, or a mapped change has fewer than two reference samples.

    Notes
    -----
    Pixels counted on a map are no unbiased area of change, as errors of both maps add up to false
    changes. With a reference sample areas are estimated by the stratified estimator of Olofsson et
    al. (2014), Remote Sensing of Environment 148; each mapped change is a stratum.

    Examples
    --------
    >>> import xcluster
    >>> ds = xcluster.datasets.ocean()
    >>> fit = ds.cluster.pixels(["sst"]).kmeans(3)
    >>> warmer = fit.predict(ds.assign(sst=ds.sst + 2))
    >>> moved = xcluster.change(fit, warmer)
    >>> moved.samples.dims
    ('from', 'to')
    """
    first = _numbers(matching.label_map(a, "a"), "a")
    _check_given(first, b, dim, reference, by)
    if dim is None:
        before, after = first, _numbers(matching.aligned(first, b, "b"), "b")
    else:
        before, after = _steps_along(first, dim)
    layout = _layout_of(a, first)
    zones, note = (None, "") if by is None else numbered_zones(by, layout, first)
    data = xr.Dataset() if layout.data is None else layout.data
    area = areas.cell_areas(layout.coords, data, layout.sample_dims, layout.chunks)
    counts = _counted(before, after, area, zones)
    names = {label: name for label, name in stated_names(first).items() if label >= 0}
    out = _tables(counts, names, area, zones is not None)
    if by is not None:
        out = with_names(out, by)
    out = out.assign(dict(_maps(before, after, dim)))
    if reference is not None:
        out = out.assign(_estimates(out, before, after, reference))
    return out.assign_attrs({"note": note} if note else {})


def _numbers(labels: xr.DataArray, parameter: str) -> xr.DataArray:
    """Return a label map as numbers that can be missing; refuse text."""
    if labels.dtype.kind not in "fiub":
        rule, remedy = f"holds {labels.dtype}, but labels are whole numbers", "number them from 0"
        raise BadTypeError(parameter, labels.name, rule, remedy)
    return labels if labels.dtype.kind == "f" else labels.astype(np.float32)


def _check_given(
    first: xr.DataArray, b: Any, dim: Hashable | None, reference: Any, by: Any
) -> None:
    if (b is None) == (dim is None):
        given = "neither" if b is None else "both"
        rule = "takes either a second label map b, or a dim of the first"
        raise BadValueError("change", given, rule, 'pass one, such as dim="time"')
    if dim is not None and (dim not in first.dims or first.sizes[dim] < 2):
        rule = "must be a dim of the labels with at least two steps"
        raise BadValueError("dim", dim, rule, did_you_mean(dim, first.dims))
    if reference is None:
        return
    if dim is not None or by is not None:
        rule = "needs two label maps, and no zones"
        raise BadValueError("reference", "dim" if dim is not None else "by", rule, "leave it out")
    if not isinstance(reference, list | tuple) or len(reference) != 2:
        rule = "must be two DataArrays: true labels before and after"
        raise BadTypeError("reference", type(reference).__name__, rule, "pass (before, after)")


def _layout_of(a: Any, labels: xr.DataArray) -> Layout:
    """Return where labels lie; of a DataArray its coordinates tell it."""
    if isinstance(a, Fitted):
        return a.source.layout
    coords = dict(labels.coords)
    data = xr.Dataset(coords=labels.coords)
    return Layout({}, (), labels.dims, dict(labels.sizes), coords, data=data)


def _steps_along(labels: xr.DataArray, dim: Hashable) -> tuple[xr.DataArray, xr.DataArray]:
    """Return for each step but the first the last label before it, and its own label."""
    whole = labels if labels.chunks is None else labels.chunk({dim: -1})
    before = xr.apply_ufunc(
        _last_known,
        whole,
        input_core_dims=[[dim]],
        output_core_dims=[[dim]],
        dask="parallelized",
        output_dtypes=[np.float32],
    ).transpose(*labels.dims)
    later = {dim: slice(1, None)}
    return before.isel(later), whole.isel(later)


def _last_known(labels: Array) -> Array:
    """Return along the last axis the last label before each; NaN if there is none."""
    steps = np.arange(labels.shape[-1])
    at = np.maximum.accumulate(np.where(labels >= 0, steps, -1), axis=-1)
    at = np.concatenate([np.full((*at.shape[:-1], 1), -1), at[..., :-1]], axis=-1)
    found = np.take_along_axis(labels, np.maximum(at, 0), axis=-1)
    return np.where(at >= 0, found, np.nan).astype(np.float32)


# ------------------------------------------------------------------------------------------ tables


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Sums over the samples of each zone and pair of labels in one block."""

    names: Sequence[str]
    missing: Sequence[Sequence[int]]

    def __call__(self, before: Array, *arrays: Array) -> list[KeyedSums]:
        """Return the sums by ``(zone * MOST + from) * MOST + to``, as the only entry of a list."""
        full = [np.expand_dims(*each) for each in zip(arrays, self.missing, strict=True)]
        given = {
            name: np.broadcast_to(each, before.shape)
            for name, each in zip(self.names, full, strict=True)
        }
        known = (before >= 0) & (given["after"] >= 0)
        if "zone" in given:
            known &= np.isfinite(given["zone"])
        key = _whole("a", before[known]) * MOST + _whole("b", given["after"][known])
        if "zone" in given:
            key += _whole("by", given["zone"][known], None) * MOST**2
        columns = [np.ones(len(key))]
        if "area" in given:
            columns.append(np.nan_to_num(given["area"][known]).astype(np.float64))
        return [KeyedSums.of(columns, key)]


def _whole(parameter: str, values: Array, most: int | None = MOST) -> Array:
    wrong = values[(values % 1 != 0) | (False if most is None else values >= most)]
    if wrong.size:
        rule = "must hold whole numbers" + ("" if most is None else f" below {most:,}")
        raise BadValueError(parameter, float(wrong[0]), rule, "number them from 0")
    return values.astype(np.int64)


def _counted(
    before: xr.DataArray,
    after: xr.DataArray,
    area: xr.DataArray | None = None,
    zones: xr.DataArray | None = None,
) -> KeyedSums:
    """Return samples and area of each zone and pair of labels, from one pass over all blocks."""
    given = {"after": after, "area": area, "zone": zones}
    arrays = {name: each for name, each in given.items() if each is not None}
    arrays = {
        name: each.transpose(*before.dims, missing_dims="ignore") for name, each in arrays.items()
    }
    missing = [[before.get_axis_num(d) for d in before.dims if d not in each.dims]
               for each in arrays.values()]  # fmt: skip
    pairs = _Pairs(tuple(arrays), missing)
    if before.chunks is None and after.chunks is not None:
        before = before.chunk(after.chunksizes)
    if before.chunks is None:
        return KeyedSums.joined(pairs(before.values, *(each.values for each in arrays.values())))
    from dask.base import compute

    blocks = object_blocks(before, list(arrays.values()), pairs)
    (found,) = compute(Tree.of([blocks], _listed))
    return KeyedSums.joined(found)


def _listed(parts: Sequence[list[KeyedSums]]) -> list[KeyedSums]:
    return list(chain.from_iterable(parts))


def _tables(
    counts: KeyedSums, names: Mapping[int, str], area: xr.DataArray | None, zoned: bool
) -> xr.Dataset:
    """Return samples and areas by pair of labels, and what each label gains and loses."""
    zone, pair = np.divmod(counts.keys, MOST**2)
    ends = np.divmod(pair, MOST)
    labels = np.unique([*names, *np.concatenate(ends)]).astype(np.int64)
    zones, at = np.unique(zone, return_inverse=True)
    zones, at = (zones, at) if zoned else (np.zeros(1, np.int64), at)
    sums = np.zeros((len(counts.sums.top), len(zones), len(labels), len(labels)))
    first, second = (np.searchsorted(labels, each) for each in ends)
    sums[:, at, first, second] = counts.sums.total()
    kinds = {"samples": ("", "number of samples", sums[0].astype(np.int64))}
    attrs: dict[str, dict[str, str]] = {"samples": {}}
    if area is not None:
        unit = area.attrs["units"]
        kinds[f"area_{unit}"] = (f"_{unit}", "area", sums[1])
        attrs[f"area_{unit}"] = {"units": unit}
    dims, coords = (ZONE, FROM, TO), {ZONE: zones, FROM: labels, TO: labels, LABEL: labels}
    own = 1 - np.eye(len(labels), dtype=np.int64)
    out = xr.Dataset(coords=coords)
    for name, (suffix, said, table) in kinds.items():
        out[name] = dims, table, {"long_name": said, **attrs[name]}
        for side, axis in (("gains", 1), ("losses", 2)):
            moved = (table * own).sum(axis=axis)
            text = {"long_name": f"{side} of {said}", **attrs[name]}
            out[f"{side}{suffix}"] = (ZONE, LABEL), moved, text
    texts = [names.get(int(label), str(label)) for label in labels]
    out = out.assign_coords({f"{dim}_name": (dim, texts) for dim in (FROM, TO, LABEL)})
    return out if zoned else out.isel({ZONE: 0}, drop=True)


# -------------------------------------------------------------------------------------------- maps


def _maps(
    before: xr.DataArray, after: xr.DataArray, dim: Hashable | None
) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield where labels changed, and along a dim how often and when last."""
    known = (before >= 0) & (after >= 0)
    changed = (before != after).where(known).astype(np.float32)
    text = {"long_name": "whether the label changed"}
    yield "changed", with_attrs(changed.rename("changed"), text, on=after)
    if dim is None:
        return
    text = {"long_name": "how often the label changed"}
    times = changed.sum([dim], min_count=1).astype(np.float32)
    yield "changes", with_attrs(times.rename("changes"), text, on=after)
    steps = xr.DataArray(np.arange(1, after.sizes[dim] + 1), dims=[dim])
    last = xr.where(changed == 1, steps, 0).max(dim)
    values, unit = _values_of(after, dim)
    found = xr.apply_ufunc(
        values.__getitem__, last, dask="parallelized", output_dtypes=[values.dtype]
    )
    text = {"long_name": f"last {dim} at which the label changed", **unit}
    yield "last_change", with_attrs(found.rename("last_change"), text, on=after)


def _values_of(after: xr.DataArray, dim: Hashable) -> tuple[Array, dict[str, str]]:
    """Return the coordinates of steps, before them a value for none; numbers if they are text."""
    values = after[dim].values
    if values.dtype.kind == "M":
        return np.concatenate([np.array(["NaT"], values.dtype), values]), {}
    counted = dim not in after.coords or values.dtype.kind not in "iuf"
    numbers = np.arange(1.0, len(values) + 1) if counted else values.astype(np.float64)
    units = after[dim].attrs.get("units")
    said = {} if units is None or counted else {"units": units}
    return np.concatenate([[np.nan], numbers]), said


# ------------------------------------------------------------------------------------- references


def _estimates(
    table: xr.Dataset, before: xr.DataArray, after: xr.DataArray, truth: Sequence[xr.DataArray]
) -> dict[str, Any]:
    """Return the true area of each change, from places where the true labels are known."""
    labels = table[FROM].values
    n = int(labels.max(initial=0)) + 1
    known = [_truth(before, each, labels) for each in truth]
    found = _counted(_coded(before, after, n), _coded(known[0], known[1], n))
    own = [name for name in table if str(name).startswith("area_")] or ["samples"]
    amount = np.zeros((n, n))
    amount[np.ix_(labels, labels)] = table[own[0]].values
    mapped, true = np.divmod(found.keys, MOST)
    codes = np.unique(np.concatenate([np.flatnonzero(amount), mapped, true]))
    counts = np.zeros((len(codes), len(codes)), np.int64)
    counts[np.searchsorted(codes, mapped), np.searchsorted(codes, true)] = found.sums.total()[0]
    shares = stratified_shares(counts, amount.flat[codes])
    rows = {"": shares.share}
    rows["_low"] = np.maximum(shares.share - Z95 * shares.error, 0)
    rows["_high"] = shares.share + Z95 * shares.error
    attrs = {**table[own[0]].attrs, "long_name": "true area"}
    out: dict[str, Any] = {}
    for suffix, values in rows.items():
        every = np.zeros((n, n))
        every.flat[codes] = values * amount.sum()
        out[f"estimate{suffix}"] = ((FROM, TO), every[np.ix_(labels, labels)], attrs)
    out["accuracy"] = ((), shares.accuracy, {"long_name": "share of the map that is right"})
    out["accuracy_error"] = ((), shares.accuracy_error, {"long_name": "standard error"})
    return out


def _truth(ours: xr.DataArray, given: Any, labels: Array) -> xr.DataArray:
    """Return true labels on the grid of ours; refuse labels that the maps do not know."""
    known = _numbers(matching.aligned(ours, given, "reference"), "reference").compute()
    other = np.setdiff1d(known.values[known.values >= 0], labels)
    if len(other):
        rule = f"must hold labels of the maps, which are {labels.tolist()}"
        raise BadValueError("reference", float(other[0]), rule, "number true labels like theirs")
    return known


def _coded(before: xr.DataArray, after: xr.DataArray, n: int) -> xr.DataArray:
    """Return one number for each pair of labels below ``n``; -1 where one is missing."""
    if n**2 > MOST:
        rule = f"is known of at most {int(MOST**0.5)} labels"
        raise BadValueError("reference", n, rule, "merge labels, or number them from 0")
    known, second = (before >= 0) & (after >= 0), after.variable.to_base_variable()
    return before.copy(data=(before.variable * float(n) + second).data).where(known, -1)
