"""What a page shows, as plain arrays small enough to carry."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.blocks.graphs import together
from xcluster.explore.backdrop import Backdrop, backdrop_of
from xcluster.explore.excerpt import Indexers, excerpt_of
from xcluster.explore.panels import Panel, panels_of, stored_width
from xcluster.explore.raster import Raster, raster_of
from xcluster.explore.shown import Result, Source
from xcluster.fit.fitted import Fitted, samples_of
from xcluster.grid.layout import COLUMN
from xcluster.result.matching import aligned

MAX_POINTS = 20_000


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
    drawn : int array
        The samples that are drawn as points.
    backdrop
        The image that windows were taken from.
    notes
        What was left out.
    """

    raster: Raster
    cells: Array
    x: Array
    y: Array
    results: Sequence[Result]
    drawn: Array
    backdrop: Backdrop | None = None
    notes: Sequence[str] = field(default_factory=list)


def gather(clusterings: Sequence[Fitted], sel: Mapping[Hashable, Any]) -> Content:
    """Collect what the page of one or two clusterings shows."""
    first = clusterings[0]
    layout = samples_of(first, "explore").layout
    sources = [Source(first, first.labels, {}), *(_beside(first, each) for each in clusterings[1:])]
    excerpt = excerpt_of(layout, first.record.complete, sel, _width(sources))
    read = _read([each.arrays(excerpt) for each in sources])
    labels = [each["labels"] for each in read]
    kept = np.flatnonzero(np.any([np.isfinite(each.values.ravel()) for each in labels], axis=0))
    backdrop = backdrop_of(first, excerpt, labels[0])
    raster = raster_of(labels[0], layout.data) if backdrop is None else backdrop.raster(labels[0])
    rows = [excerpt.rows(each["rows"], COLUMN)[kept] for each in read]
    panels, notes = _panels(sources, rows)
    if not len(kept):
        notes.append("no sample has a label")
    if len(kept) > MAX_POINTS:
        notes.append(f"{MAX_POINTS:,} of {len(kept):,} samples drawn as points")
    results = [
        source.show(arrays, excerpt, kept, own)
        for source, arrays, own in zip(sources, read, panels, strict=True)
    ]
    return Content(
        raster=raster,
        cells=_renumbered(raster.points, kept, labels[0].size),
        x=raster.x[kept],
        y=raster.y[kept],
        results=results,
        drawn=_drawn(len(kept)),
        backdrop=backdrop,
        notes=[*excerpt.notes, *notes],
    )


def _drawn(n: int) -> Array:
    """Return which of ``n`` samples are drawn as points."""
    if n <= MAX_POINTS:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, MAX_POINTS, replace=False))


def _read(arrays: Sequence[Mapping[str, xr.DataArray]]) -> list[dict[str, xr.DataArray]]:
    """Return the arrays of all results in memory; each block is read once for all of them."""
    found = iter(together([each for named in arrays for each in named.values()]))
    return [{name: next(found) for name in named} for named in arrays]


def _beside(first: Fitted, other: Fitted) -> Source:
    """Turn another result as the first lies; refuse one of other places."""
    if not isinstance(other, Fitted):
        kind = type(other).__name__
        raise BadTypeError("other", kind, "must be a Clustering", "fit one on this grid")
    layout = samples_of(other, "explore").layout
    labels = aligned(first.labels, other.labels, "other")
    for name, coord in first.labels.coords.items():
        if coord.dims and name in labels.coords and not _same(coord, labels.coords[name]):
            rule = f"has other values of {str(name)!r}"
            raise BadValueError("other", labels.name, rule, "bring both to one grid")
    turn: Indexers = {
        dim: slice(None, None, -1)
        for dim in labels.dims
        if dim in layout.coords and not _same(labels[dim], layout.coords[dim])
    }
    return Source(other, labels, turn)


def _same(one: xr.DataArray, two: xr.DataArray) -> bool:
    return bool(one.variable.equals(two.variable))


def _width(sources: Sequence[Source]) -> int:
    """Return how many bytes one sample takes."""
    distinct = sources[:1] if _alike(sources) else sources
    return sum(stored_width(each.features) for each in distinct)


def _alike(sources: Sequence[Source]) -> bool:
    return all(each.features.identical(sources[0].features) for each in sources)


def _panels(sources: Sequence[Source], rows: list[Array]) -> tuple[list[list[Panel]], list[str]]:
    """Return the panels of each result, the same where values are, and what was left out."""
    if len(rows) == 2 and _alike(sources):
        # A sample may be complete, or not masked, for one of two results alone.
        one, two = (np.where(np.isnan(a), b, a) for a, b in (rows, rows[::-1]))
        if np.array_equal(one, two, equal_nan=True):
            rows = [one]
    found = [panels_of(each.features, own) for each, own in zip(sources, rows, strict=False)]
    notes = list(dict.fromkeys(note for _, said in found for note in said))
    panels = [own for own, _ in found]
    return (panels if len(panels) == len(sources) else panels * len(sources)), notes


def _renumbered(points: Array, kept: Array, size: int) -> Array:
    number = np.full(size + 1, -1, np.int32)
    number[kept] = np.arange(len(kept))
    return number[points]
