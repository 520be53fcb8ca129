"""What a page shows, as plain arrays small enough to carry."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster import matrix
from xcluster.checks import complaint
from xcluster.explore.panels import Panel, panels_of, stored_width
from xcluster.explore.raster import Raster, raster_of
from xcluster.fitted import bound
from xcluster.layout import COLUMN, LABEL, Layout
from xcluster.matching import check_same_grid
from xcluster.plot.flags import Flags, flags_of
from xcluster.plot.text import facet_title
from xcluster.question import layout_of

if TYPE_CHECKING:
    from xcluster.clustering import Clustering

Array = NDArray[Any]

MAX_SAMPLES = 262_144
MAX_BYTES = 6_000_000
MAX_POINTS = 20_000


@dataclass(frozen=True, eq=False)
class Result:
    """One clustering on the samples of the page.

    Parameters
    ----------
    title
        Method and number of labels.
    flags
        Names and colours of the labels.
    position : array of shape (n,)
        Place of each sample's label in ``flags``; their number where it has none.
    membership : uint8 array of shape (n,), optional
        Greatest membership, 0 to 254.
    components : float32 array of shape (n, 2)
    axes
        What the two components are.
    centers : Dataset
        Over ``label``, in data units.
    """

    title: str
    flags: Flags
    position: Array
    membership: Array | None
    components: Array
    axes: tuple[str, str]
    centers: xr.Dataset


@dataclass(frozen=True, eq=False)
class Content:
    """Everything that a page shows.

    Parameters
    ----------
    raster
        The map's pixels.
    cells : int32 array of shape (ny, nx)
        The sample that each pixel shows; -1 for none.
    x, y : arrays of shape (n,)
        Where each sample lies.
    results
        One or two.
    panels
        What is drawn of the sample under the pointer.
    drawn : int array
        The samples that are drawn among the components.
    notes
        What was left out.
    """

    raster: Raster
    cells: Array
    x: Array
    y: Array
    results: Sequence[Result]
    panels: Sequence[Panel]
    drawn: Array
    notes: Sequence[str] = field(default_factory=list)


def gather(clusterings: Sequence[Clustering], sel: Mapping[Hashable, Any]) -> Content:
    """Collect what the page of one or two clusterings shows."""
    first = clusterings[0]
    layouts = [layout_of(bound(each, "explore")) for each in clusterings]
    for layout in layouts[1:]:
        check_same_grid("other", layout, first.labels)
    indexers, notes = _choose(layouts[0], sel)
    count = int(first.labels.isel(indexers).notnull().sum())
    strides = _strides(layouts[0], indexers, count, stored_width(layouts[0].features))
    if strides:
        step = max(each.step for each in strides.values())
        notes.append(f"1 of {step} grid points along each dim")
    indexers |= strides
    labels = [each.labels.isel(indexers).squeeze(_single(layouts[0], indexers)).compute()
              for each in clusterings]  # fmt: skip
    raster = raster_of(labels[0])
    kept = np.flatnonzero(np.any([np.isfinite(each.values.ravel()) for each in labels], axis=0))
    cells = _renumbered(raster.points, kept, labels[0].size)
    rows = _rows(thinned(layouts[0], indexers))[kept]
    panels, said = panels_of(layouts[0].features, rows)
    results = [
        _result(each, own, indexers, kept) for each, own in zip(clusterings, labels, strict=True)
    ]
    drawn = np.arange(len(kept))
    if len(kept) > MAX_POINTS:
        drawn = np.sort(np.random.default_rng(0).choice(len(kept), MAX_POINTS, replace=False))
        said.append(f"{MAX_POINTS:,} of {len(kept):,} samples drawn among the components")
    return Content(
        raster, cells, raster.x[kept], raster.y[kept], results, panels, drawn, [*notes, *said]
    )


def thinned(layout: Layout, indexers: Mapping[Hashable, Any]) -> Layout:
    """Return the layout of some of the grid points."""

    def cut(array: xr.DataArray) -> xr.DataArray:
        return array.isel({dim: each for dim, each in indexers.items() if dim in array.dims})

    variables = {
        name: replace(variable, array=cut(variable.array))
        for name, variable in layout.variables.items()
    }
    sizes = {
        dim: len(np.arange(size)[indexers.get(dim, slice(None))])
        for dim, size in layout.sizes.items()
    }
    return replace(
        layout,
        variables=variables,
        sizes=sizes,
        coords={name: cut(coord) for name, coord in layout.coords.items()},
        mask=None if layout.mask is None else cut(layout.mask),
        weight=None if layout.weight is None else cut(layout.weight),
    )


def _choose(layout: Layout, sel: Mapping[Hashable, Any]) -> tuple[dict[Hashable, slice], list[str]]:
    """Return one entry of every dim that a map has no room for: that of ``sel``, or the first."""
    unknown = [dim for dim in sel if dim not in layout.sample_dims]
    if unknown:
        rule = f"names {unknown[0]!r}, and the samples lie over {list(layout.sample_dims)}"
        raise ValueError(complaint("sel", dict(sel), rule, "choose along one of these"))
    grid = xr.DataArray(
        np.broadcast_to(np.int8(0), layout.shape), dict(layout.coords), layout.sample_dims
    )
    spatial = [dim for dim in layout.sample_dims if dim in sel or layout.sizes[dim] == 1]
    free = [dim for dim in layout.sample_dims if dim not in spatial]
    extra = [] if len(free) <= 2 else free[: len(free) - 2]
    places = {dim: _place(grid, dim, sel) for dim in (*sel, *extra)}
    found = {dim: slice(place, place + 1) for dim, place in places.items()}
    shown = {
        dim: grid[dim].values[place] if dim in grid.coords else place
        for dim, place in places.items()
    }
    said = [f"{facet_title(grid, {dim: value})} only" for dim, value in shown.items()]
    return found, said


def _place(grid: xr.DataArray, dim: Hashable, sel: Mapping[Hashable, Any]) -> int:
    if dim not in sel:
        return 0
    if dim not in grid.coords:
        return int(sel[dim])
    index = grid.indexes[dim]
    nearest = None if index.dtype.kind == "O" else "nearest"
    return int(index.get_indexer([sel[dim]], method=nearest)[0])


def _strides(
    layout: Layout, indexers: Mapping[Hashable, slice], count: int, width: int
) -> dict[Hashable, slice]:
    """Return the finest strides at which the page stays small."""
    dims = [dim for dim in layout.sample_dims if dim not in indexers and layout.sizes[dim] > 1]
    allowed = min(MAX_SAMPLES, max(MAX_BYTES // max(width, 1), 1))
    step = int(np.ceil((count / allowed) ** (1 / max(len(dims), 1)) - 1e-9))
    return {dim: slice(None, None, step) for dim in dims} if step > 1 else {}


def _single(layout: Layout, indexers: Mapping[Hashable, slice]) -> list[Hashable]:
    """Return the dims of which one entry is shown, as long as one dim is left."""
    found = [
        dim
        for dim in layout.sample_dims
        if layout.sizes[dim] == 1 or (dim in indexers and indexers[dim].stop is not None)
    ]
    return found if len(found) < len(layout.sample_dims) else found[1:]


def _renumbered(points: Array, kept: Array, size: int) -> Array:
    number = np.full(size + 1, -1, np.int32)
    number[kept] = np.arange(len(kept))
    return number[points]


def _rows(layout: Layout) -> Array:
    """Return the features of every grid point in data units, shape (n_points, n_features)."""
    values = matrix.apply(layout, np.asarray, width=layout.n_features, dtype=np.float32)
    return np.asarray(values.transpose(..., COLUMN).values.reshape(layout.n_points, -1))


def _result(
    clustering: Clustering, labels: xr.DataArray, indexers: Mapping[Hashable, Any], kept: Array
) -> Result:
    flags = flags_of(labels)
    positions = flags.positions(labels.values.ravel()[kept])
    small = np.uint8 if len(flags.values) < 255 else np.uint16
    components, axes = _components(clustering, indexers, kept)
    return Result(
        title=f"{clustering.method}, {clustering.k} labels",
        flags=flags,
        position=np.where(np.isfinite(positions), positions, len(flags.values)).astype(small),
        membership=_membership(clustering, indexers, kept),
        components=components,
        axes=axes,
        centers=clustering.centers,
    )


def _membership(
    clustering: Clustering, indexers: Mapping[Hashable, Any], kept: Array
) -> Array | None:
    if not clustering.is_soft:
        return None
    greatest = clustering.memberships.isel(indexers).max(LABEL).values.ravel()[kept]
    return np.asarray(np.rint(254 * np.nan_to_num(greatest)).astype(np.uint8))


def _components(
    clustering: Clustering, indexers: Mapping[Hashable, Any], kept: Array
) -> tuple[Array, tuple[str, str]]:
    """Return two columns to draw: the first of the reduced space, else principal components."""
    space = clustering.features.isel(indexers).transpose(..., "component")
    rows = space.values.reshape(-1, space.sizes["component"])[kept].astype(float)
    names = [f"component {number}" for number in space["component"].values]
    if "feature" in space.coords:
        names = [str(name) for name in space["feature"].values]
    if clustering.assign.chain.keeps_columns and rows.shape[1] > 2:
        rows, names = _principal(rows), ["principal component 1", "principal component 2"]
    if rows.shape[1] == 1:
        # A single component is spread upwards, evenly and without a pattern, so that points show.
        spread = (np.arange(len(rows)) * 0.618034) % 1
        rows, names = np.column_stack([rows, spread]), [names[0], ""]
    return rows[:, :2].astype(np.float32), (names[0], names[1])


def _principal(rows: Array) -> Array:
    from sklearn.utils.extmath import randomized_svd

    complete = np.isfinite(rows).all(axis=1)
    if complete.sum() < 2:
        return rows[:, :2]
    centered = rows - rows[complete].mean(axis=0)
    _, _, axes = randomized_svd(centered[complete], 2, random_state=0)
    return np.asarray(centered @ axes.T)
