"""Fitted steps: from rows of features to the space that is clustered, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

import numpy as np
import xarray as xr

from xcluster.algorithms.parts.gaps import fills_gaps, has_gaps, known_rows
from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.blocks import matrix
from xcluster.chain.steps import FittedStep
from xcluster.grid.layout import COLUMN, Layout, Places, shown_columns, shown_features
from xcluster.grid.names import check_free, names_in


@dataclass(frozen=True, eq=False)
class Chain:
    """Fitted transformers, one after another. It is sent to blocks, so it holds no data.

    Parameters
    ----------
    steps
        The fitted steps, in the order in which rows go through them.
    gaps : bool, default False
        Whether rows may lack some features.
    """

    steps: tuple[FittedStep, ...] = ()
    gaps: bool = False

    @property
    def names(self) -> list[str]:
        """The names of the steps."""
        return [step.name for step in self.steps]

    @property
    def last(self) -> Any:
        """The last transformer; None if there is no step."""
        return self.steps[-1].transformer if self.steps else None

    def __call__(self, X: Array) -> Array:
        """Return ``X`` of shape (n, n_features) as (n, n_components)."""
        for number, step in enumerate(self.steps):
            # Whole rows come without NaN; only a step can make some.
            through = self._through if number or self.gaps else _transformed
            X = through(step.transformer, X)
        return np.asarray(X)

    def usable(self, Z: Array) -> Array:
        """Return which rows behind the chain are samples, shape (n,); a step may give NaN.

        They are finite or, if rows may lack features, have at least one.
        """
        if self.gaps and has_gaps(Z):
            return known_rows(Z)
        return finite_rows(Z)

    def inverse(self, Z: Array) -> Array | None:
        """Return rows of the reduced space as features; None if a step has no inverse."""
        for step in reversed(self.steps):
            if not _inverts(step.transformer):
                return None
            Z = _inverted(step.transformer, Z)
        return Z

    def _through(self, transformer: Any, X: Array) -> Array:
        """Return transformed rows; those that an earlier step made NaN stay NaN."""
        kept = self.usable(X)
        if kept.all():
            return _transformed(transformer, X)
        # Of no row, a single one tells the number of columns.
        found = _transformed(transformer, X[kept] if kept.any() else np.ones_like(X[:1]))
        out = np.full((len(X), found.shape[1]), np.nan, found.dtype)
        out[kept] = found[: kept.sum()]
        return out

    @property
    def inverts(self) -> bool:
        """Whether every step has an inverse."""
        return all(_inverts(step.transformer) for step in self.steps)

    @property
    def fills_gaps(self) -> bool:
        """Whether rows surely have no gaps behind the chain."""
        return any(fills_gaps(step.transformer) for step in self.steps)

    @property
    def keeps_means(self) -> bool:
        """Whether the mean of rows, taken back, is the mean of their features."""
        return len(self.linear.steps) == len(self.steps)

    @property
    def linear(self) -> Chain:
        """The first steps, up to one through which a mean cannot be taken back."""
        kept = takewhile(lambda step: keeps_means(step.transformer), self.steps)
        return replace(self, steps=tuple(kept))

    @property
    def keeps_columns(self) -> bool:
        """Whether each column of the result still is one feature."""
        return all(step.kind.keeps_columns for step in self.steps)


def keeps_means(transformer: Any) -> bool:
    """Whether the mean of transformed rows, taken back, is the mean of the rows."""
    return bool(getattr(transformer, "keeps_means", False))


def _transformed(transformer: Any, X: Array) -> Array:
    return np.asarray(transformer.transform(X))


def finite_rows(Z: Array) -> Array:
    """Return which rows are finite behind a chain, shape (n,); a step may give NaN."""
    finite = np.isfinite(Z)
    # One test of all values is many times faster than one per row, and nearly always enough.
    return np.ones(len(Z), bool) if finite.all() else np.asarray(finite.all(axis=1))


def _inverts(transformer: Any) -> bool:
    """Whether a transformer has an inverse; imputers have the method even if it has none."""
    return hasattr(transformer, "inverse_transform") and not hasattr(transformer, "add_indicator")


def _inverted(transformer: Any, Z: Array) -> Array:
    if not len(Z):  # scikit-learn refuses an array without rows: all is noise, without centres
        return np.empty((0, transformer.n_features_in_))
    return np.asarray(transformer.inverse_transform(Z))


@dataclass(frozen=True, eq=False)
class Reduction:
    """The steps, fitted to the samples of one layout.

    Parameters
    ----------
    layout
        Layout of the samples.
    chain
        The fitted steps.
    """

    layout: Layout
    chain: Chain

    def transform(self) -> xr.DataArray:
        """Return the reduced space over (``component``, sample dims); lazy if the layout is."""
        return transform(self.layout, self.chain, self.layout.features)

    def loadings(self) -> xr.Dataset:
        """Return the axes of the last step, over ``component`` and the feature dims."""
        axes = self._last("components_", "loadings")
        before = replace(self.chain, steps=self.chain.steps[:-1])
        if not before.keeps_columns:
            rule = "loadings() needs a chain with one reduction, and this chain has several"
            raise BadValueError("steps", self.chain.names, rule, "ask a chain with fewer steps")
        return matrix.unpack(self.layout.features, axes, "component", np.arange(len(axes)))

    def explained_variance(self) -> xr.DataArray:
        """Return the share of variance that each component explains, over ``component``."""
        ratio = self._last("explained_variance_ratio_", "explained_variance")
        attrs = {"long_name": "explained variance", "units": "1"}
        coords = {"component": np.arange(len(ratio))}
        return xr.DataArray(ratio, coords, ("component",), "explained_variance", attrs)

    def _last(self, attribute: str, method: str) -> Array:
        last = self.chain.last
        if not hasattr(last, attribute):
            rule = f"{method}() needs a chain that ends in a step with {attribute}"
            raise BadValueError("steps", self.chain.names, rule, "add a step, for example .pca(3)")
        return np.asarray(getattr(last, attribute))


def columns_of(layout: Layout, chain: Chain) -> xr.DataArray:
    """Return the reduced space of a layout over (sample dims, `COLUMN`)."""
    width = n_components(chain, layout.n_features)
    return matrix.apply(layout, chain, width=width, dtype=layout.dtype)


def transform(layout: Layout, chain: Chain, features: xr.Dataset) -> xr.DataArray:
    """Return the reduced space of a layout that has these features; ``component`` is the first dim.

    The coordinate ``feature`` is left out if the user has a dim or coordinate of that name.
    """
    columns = columns_of(layout, chain)
    columns = columns.isel({COLUMN: shown_components(chain, features, columns.sizes[COLUMN])})
    check_free(columns, ["component"])
    reduced = columns.rename({COLUMN: "component"}).transpose("component", ...)
    reduced = reduced.assign_coords(component=np.arange(reduced.sizes["component"]))
    if chain.keeps_columns and "feature" not in names_in(reduced):
        names = ("component", feature_names(features), _feature_attrs(chain, features))
        reduced = reduced.assign_coords(feature=names)
    return reduced.rename("features").assign_attrs(long_name="features")


def shown_components(chain: Chain, features: xr.Dataset, n: int) -> Places:
    """Return the ``n`` dimensions of the reduced space in the order in which users see them.

    If they are features, this is the user's order.
    """
    return shown_columns(features) if chain.keeps_columns else np.arange(n)


def as_rows(spaces: Sequence[xr.DataArray]) -> xr.DataArray:
    """Return the samples of several reduced spaces behind each other, over one dim."""
    stacked = [
        each.variable.stack({COLUMN: [dim for dim in each.dims if dim != "component"]})
        for each in spaces
    ]
    return xr.DataArray(xr.Variable.concat(stacked, COLUMN))


def _feature_attrs(chain: Chain, features: xr.Dataset) -> dict[str, str]:
    """Return the label of an axis of features: scaled, or with their common units."""
    if chain.steps:
        return {"long_name": "feature, scaled"}
    units = {str(template.attrs.get("units", "")) for template in features.data_vars.values()}
    return {"long_name": "feature", **({"units": units.pop()} if len(units) == 1 else {})}


def n_components(chain: Chain, n_features: int) -> int:
    """Return the number of dimensions of the reduced space."""
    return chain(np.ones((1, n_features))).shape[1] if chain.steps else n_features


def feature_names(features: xr.Dataset) -> list[str]:
    """Return the name of each feature, in the order in which users see them.

    It is that of the variable, with the coordinate along each feature dim.
    """
    names: list[str] = []
    for name, template in features.data_vars.items():
        kept = ~np.isnan(shown_features(template))
        names += [
            f"{name}{place}" for place, used in zip(_places(template), kept, strict=True) if used
        ]
    return names


def _places(template: xr.DataArray) -> Sequence[str]:
    places = [""]
    for dim in sorted(template.dims, key=str):
        places = [f"{place} {value}" for place in places for value in template[dim].values]
    return places
