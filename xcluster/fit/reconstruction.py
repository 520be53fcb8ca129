"""How much of the data a reduction keeps: the R2 of the reconstructed data."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.algorithms.parts.gaps import known_means
from xcluster.base.errors import BadValueError
from xcluster.chain.reduction import Chain
from xcluster.fit import labelled

if TYPE_CHECKING:
    from xcluster.chain.reduction import Reduction

Array = NDArray[Any]


def reconstruction(reduction: Reduction) -> xr.Dataset:
    """Return the R2 of the reduced rows; see `xcluster.api.samples.Samples.reconstruction`."""
    scaling, reducers = split(reduction.chain)
    found = labelled.read(reduction.layout, [], scaling)
    reduced = reducers(found.Z)
    kept = reducers.usable(reduced)
    given_back = reducers.inverse(reduced[kept])
    if given_back is None:
        names = reducers.names
        rule = "a step has no inverse, so the data cannot be reconstructed"
        raise BadValueError("steps", names, rule, "reduce by pca, nmf or vae")
    Z = found.Z[kept].astype(np.float64)
    weight = np.ones(len(Z)) if found.weight is None else found.weight[kept]
    missed = weight @ _squares(Z - given_back)
    spread = weight @ _squares(Z - known_means(Z, weight))
    layout = reduction.layout
    groups, place = layout.column_groups, {name: i for i, name in enumerate(layout.variables)}
    by_variable = _r2(np.bincount(groups, missed), np.bincount(groups, spread))
    shown = [place[name] for name in layout.shown]
    attrs = {"long_name": "R² of the reconstruction", "units": "1"}
    return xr.Dataset(
        {
            "total": ((), _r2(missed.sum(), spread.sum()), attrs),
            "r2": ("variable", by_variable[shown], attrs),
        },
        {"variable": [str(name) for name in layout.shown]},
    )


def split(chain: Chain) -> tuple[Chain, Chain]:
    """Return the scalings that come first, and the reduction after them."""
    scalings = tuple(takewhile(lambda step: step.kind.keeps_columns, chain.steps))
    rest = chain.steps[len(scalings) :]
    if not rest:
        names = chain.names
        rule = "reconstruction() needs a chain that reduces the features"
        raise BadValueError("steps", names, rule, "add a step, for example .pca(3)")
    return replace(chain, steps=scalings), replace(chain, steps=rest)


def _squares(away: Array) -> Array:
    """Return squares, 0 for what is missing."""
    return np.square(np.where(np.isnan(away), 0.0, away))


def _r2(missed: Array, spread: Array) -> Array:
    return 1 - np.divide(missed, spread, out=np.full_like(spread, np.nan), where=spread > 0)
