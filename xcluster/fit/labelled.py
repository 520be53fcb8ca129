"""The samples of a layout, each with its label in one or several label maps."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.chain.reduction import Chain
from xcluster.fit import fitting
from xcluster.grid.layout import Layout, Variable
from xcluster.grid.neighbours import rows_on_grid

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class LabelledSamples:
    """Complete rows with a label in each of several maps.

    Parameters
    ----------
    layout
        Layout of the samples.
    Z : array of shape (n, n_components)
        The rows, in the space that was asked for.
    labels : array of shape (n_maps, n)
        Their labels; negative where a row has no label.
    weight : array of shape (n,), optional
        Weights with mean 1.
    key : array of shape (n,)
        Canonical positions of the rows, if all rows were gathered.
    """

    layout: Layout
    Z: Array
    labels: Array
    weight: Array | None
    key: Array

    def on_grid(self, values: Array) -> xr.DataArray:
        """Return one value per row on the grid, NaN elsewhere. Needs all rows to be gathered."""
        place = rows_on_grid(self.layout, self.key)
        return place.copy(data=np.append(values, np.nan).astype(np.float32)[place.values])


class _MapName:
    """The name of a label map among variables; it differs from every name of a user."""

    def __repr__(self) -> str:
        return "labels"


def read(
    layout: Layout,
    maps: Sequence[xr.DataArray],
    chain: Chain,
    most: int | None = None,
    every: bool = False,
) -> LabelledSamples:
    """Return the rows that a fit would use, with their labels.

    Parameters
    ----------
    layout
        Layout of the samples.
    maps
        Label maps in the order of the grid; NaN counts as no label.
    chain
        Fitted steps. An empty chain leaves the rows as they are.
    most
        If there are more grid points than this, take a sample of so many rows.
    every
        Return all complete rows, however many grid points there are.
    """
    # As further variables, labels are read, masked and sampled together with the features.
    further: dict[Hashable, Variable] = {
        _MapName(): Variable(each.reset_coords(drop=True).fillna(-1.0)) for each in maps
    }
    extended = replace(layout, variables={**layout.variables, **further})
    if layout.coverage is not None:  # labels are always there
        known = layout.coverage * len(layout.variables) + len(further)
        extended = replace(extended, coverage=known / len(extended.variables))
    wanted = None if every else fitting.plan(layout, "auto" if most is None else most)[0]
    found = fitting.draw(extended, wanted)
    found, _ = fitting.ordered(found, len(found.X))
    X, labels = np.split(found.X, [found.X.shape[1] - len(maps)], axis=1)
    Z = chain(np.ascontiguousarray(X))
    kept = chain.usable(Z)
    weight = None if found.weight is None else found.weight[kept]
    return LabelledSamples(
        layout, Z[kept], labels[kept].T.astype(np.int64), weight, found.key[kept]
    )
