"""In which order features become columns of rows.

Our own estimators get an order that does not depend on how data lie: variables by name, features
by rising coordinate. Estimators of the user's own get the order of the user's arrays.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from xcluster.grid.layout import (
    Layout,
    Places,
    Variable,
    canonical_dims,
    flat_features,
    is_descending,
    unflat_features,
)


@dataclass(frozen=True)
class Sorted:
    """What is put in order before features become columns.

    Parameters
    ----------
    variables
        Whether variables are ordered by name.
    features
        Whether the features along a dim are ordered by rising coordinates. A dim whose index is
        missing, or has an entry twice, keeps its order. Falling coordinates are always reversed.
    """

    variables: bool = True
    features: bool = True

    @classmethod
    def for_chain(cls, estimators: Iterable[Any]) -> Sorted:
        """Sort all that no estimator of a chain reads from the order of its columns."""
        read = {what for each in estimators if each is not None for what in _read(each)}
        return cls(variables="variables" not in read, features="features" not in read)

    def of(self, layout: Layout) -> Layout:
        """Return a layout, which has the user's order, with columns in this order."""
        names = sorted(layout.variables, key=_by_text) if self.variables else layout.shown
        variables = {name: layout.variables[name] for name in names}
        if self.features:
            variables = {n: replace(each, order=_rising(each)) for n, each in variables.items()}
        return replace(layout, variables=variables)


@dataclass(frozen=True, eq=False)
class Like:
    """The columns of another layout, whatever the coordinates are.

    Parameters
    ----------
    orders
        `Variable.order` of each variable, by name and in the order of their columns.
    """

    orders: Mapping[Hashable, Places | None]

    @classmethod
    def fitted(cls, features: xr.Dataset) -> Like:
        """Return the columns of a fit, from `Layout.features`."""
        first = {name: float(each.min()) for name, each in features.data_vars.items()}
        names = sorted(first, key=lambda name: first[name])
        flat = {name: flat_features(features[name], features[name].dims) for name in names}
        return cls({name: _unless_rising(np.argsort(each)) for name, each in flat.items()})

    @classmethod
    def layout(cls, layout: Layout) -> Like:
        """Return the columns of another layout."""
        return cls({name: each.order for name, each in layout.variables.items()})

    def of(self, layout: Layout) -> Layout:
        """Return a layout of the same variables with columns in this order."""
        variables = {
            name: _ordered(layout.variables[name], order) for name, order in self.orders.items()
        }
        return replace(layout, variables=variables)

    def holds(self, layout: Layout) -> bool:
        """Whether a layout has columns in this order."""
        ours: Mapping[Hashable, Any] = self.orders
        theirs: Mapping[Hashable, Any] = Like.layout(layout).orders
        return list(ours) == list(theirs) and all(np.array_equal(ours[n], theirs[n]) for n in ours)


Columns = Sorted | Like


def with_columns(known: xr.Dataset, columns: Places | None) -> xr.Dataset:
    """Return one sample with the column of each feature, as in `Layout.features`.

    Parameters
    ----------
    known
        One sample, True at each feature.
    columns
        The column of each feature, as `cell_columns` returns them. By default features are
        columns in the order of their cells.
    """
    cells = {name: flat_features(each, each.dims) for name, each in known.data_vars.items()}
    n_features = sum(int(each.sum()) for each in cells.values())
    following = np.arange(n_features) if columns is None else columns
    templates = {}
    for name, each in cells.items():
        column = np.full(len(each), np.nan)
        column[each], following = np.split(following, [int(each.sum())])
        templates[name] = known[name].copy(data=unflat_features(column, known[name]))
    return xr.Dataset(templates)


def _read(estimator: Any) -> tuple[str, ...]:
    """Return what an estimator reads from the order of its columns: everything, if not known."""
    known: tuple[str, ...] | None = getattr(estimator, "reads_order_of", None)
    # A function of the user's own gets columns as the user knows them.
    if known is None or any(map(callable, estimator.get_params(deep=False).values())):
        return ("variables", "features")
    return known


def _ordered(variable: Variable, order: Places | None) -> Variable:
    fits = order is None or len(order) == variable.extent  # another grid is refused later
    return replace(variable, order=order if fits else None)


def _by_text(name: Hashable) -> tuple[str, str]:
    return str(name), type(name).__name__


def _rising(variable: Variable) -> Places | None:
    """Return the cells of a variable by rising coordinates; None if they lie so."""
    if variable.levels is not None:  # these are sorted; others have been refused
        return None
    dims = canonical_dims(variable.feature_dims)
    along = [_places(variable.array, dim) for dim in dims]
    if all(_unless_rising(each) is None for each in along):
        return None
    cells = np.arange(variable.extent).reshape([len(each) for each in along])
    return cells[np.ix_(*along)].ravel()


def _places(array: xr.DataArray, dim: Hashable) -> Places:
    """Return the places along a dim by rising coordinates; falling ones are reversed elsewhere."""
    index, unmoved = array.indexes.get(dim), np.arange(array.sizes[dim])
    if index is None or not index.is_unique or is_descending(array, dim):
        return unmoved
    try:
        return np.asarray(index.argsort())
    except TypeError:  # values of several types have no order
        return unmoved


def _unless_rising(order: Places) -> Places | None:
    return None if np.array_equal(order, np.arange(len(order))) else order
