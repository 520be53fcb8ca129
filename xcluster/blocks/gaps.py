"""Where values are missing if no sample is complete, and which features to leave out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.errors import TooFewError
from xcluster.blocks import matrix
from xcluster.blocks.block import Block
from xcluster.blocks.tally import Tally
from xcluster.grid.layout import Layout
from xcluster.grid.remedies import Gaps, together

Array = NDArray[Any]


def nothing_complete(layout: Layout, tally: Tally) -> TooFewError:
    """Return the error that no sample is complete, with a remedy for its sampler."""
    names, gaps = list(layout.variables), _gaps(layout)
    rule = f"all {tally.incomplete:,} samples are incomplete; "
    if len(gaps.empty) == len(names):
        rule += f"{', '.join(map(repr, gaps.empty))} holds no number"
        own = any(each.axis is not None for each in layout.variables.values())
        remedy = "check whether between= lies beyond all levels, " if own else "check "
        remedy += "the mask, and how the data state that a value is missing"
        return TooFewError("vars", names, rule, remedy)
    return TooFewError("vars", names, rule + _blame(layout, tally), _remedy(layout, tally, gaps))


def check_enough(layout: Layout, tally: Tally, k: int) -> None:
    """Refuse fewer than ``k`` complete samples, if there are more without some features."""
    if tally.complete >= k or not tally.incomplete:
        return
    remedy = _remedy(layout, tally, _gaps(layout))
    if remedy:
        rule = f"{tally.complete:,} samples are complete and {tally.incomplete:,} are not; "
        remedy = f"ask for fewer clusters, or {remedy}"
        raise TooFewError("k", k, rule + _blame(layout, tally), remedy)


def _blame(layout: Layout, tally: Tally) -> str:
    lacking = tally.missing + tally.infinite
    worst = int(lacking.argmax())
    return f"{list(layout.variables)[worst]!r} lacks values in {lacking[worst]:,} of them"


def _remedy(layout: Layout, tally: Tally, gaps: Gaps) -> str:
    masked = [f"mask infinite values: {finite_only(layout)}"] if tally.infinite.any() else []
    lower = "" if layout.coverage is None else f"pass a coverage below {layout.coverage:g}"
    remedy = together([*masked, *filter(None, [lower or layout.remedy(gaps)])])
    return f"in each scene {remedy}" if remedy and len(layout.scenes) > 1 else remedy


def finite_only(layout: Layout) -> str:
    """Return code that turns infinite values into missing ones, without what is left out."""
    ds = f"ds[{list(layout.shown)}]" if layout.left_out else "ds"
    return f"{ds}.where(np.isfinite({ds}))"


def _gaps(layout: Layout) -> Gaps:
    """Return which features to leave out; this reads the data twice."""
    fields = any(each.is_field for each in layout.variables.values())
    present = matrix.reduce(layout, partial(_present, everywhere=fields), _sum)
    order = np.argsort(present, kind="stable")
    complete = np.cumsum(matrix.reduce(layout, partial(_needed, order=order), _sum))
    kept = np.ones(len(present), bool)
    kept[order[: _fewest(present[order], complete, together=fields)]] = False
    shares = _of_variables(layout, present)
    whole = layout.mask is None and layout.weight is None and not layout.left_out
    single = len(layout.scenes) == 1
    return Gaps(
        kept=_of_variables(layout, kept).astype(bool),
        empty=[name for name in layout.shown if not shares[name].any()],
        least=int(present[kept].min()) if single and kept.any() else 0,
        never=whole and not present[~kept].any(),
    )


def _present(block: Block, everywhere: bool) -> Array:
    """Return how many samples have each feature; ``everywhere``, outside the mask too."""
    chosen = np.ones_like(block.inside) if everywhere else block.inside
    return np.asarray(np.isfinite(block.rows(chosen)).sum(axis=0))


def _needed(block: Block, order: Array) -> Array:
    """Return the number of samples that are complete without the first 0, 1, ... features."""
    lacking = ~np.isfinite(block.rows(block.inside)[:, order])
    n = lacking.shape[1]
    last = np.where(lacking.any(axis=1), n - lacking[:, ::-1].argmax(axis=1), 0)
    return np.bincount(last, minlength=n + 1)


def _sum(parts: Sequence[Array]) -> Array:
    return np.asarray(np.sum(parts, axis=0))


def _fewest(present: Array, complete: Array, together: bool) -> int:
    """Return how many features to leave out, so that most values are kept.

    ``together``: features that equally many samples have are kept or left out together.
    """
    n = len(present)
    values = complete * (n - np.arange(n + 1))
    if together:
        values[1:n][present[1:] == present[:-1]] = 0
    return int(values.argmax()) if values.any() else n


def _of_variables(layout: Layout, columns: Array) -> xr.Dataset:
    """Return one number of each feature as variables over the feature dims; 0 elsewhere."""
    known: dict[Hashable, xr.DataArray] = {}
    for name, column in layout.features.data_vars.items():
        place = np.nan_to_num(column.values).astype(np.intp)
        known[name] = column.copy(data=np.where(np.isnan(column.values), 0, columns[place]))
    return xr.Dataset(known)
