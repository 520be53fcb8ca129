"""The steps between rows and clusterer, and the scaling that stands in where none is stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from sklearn.base import clone

from xcluster.base.errors import BadValueError
from xcluster.grid.geography import find_axis
from xcluster.grid.layout import Layout, flat_features

Over = Literal["feature", "variable", "all"]

# Steps that keep one column a feature, so that variables can still be told apart after them.
KEEPS_COLUMNS = ("scale", "weights")


def keeps_columns(name: str) -> bool:
    """Whether each column is still one feature behind a step; a second scaling is "scale_2"."""
    return name.partition("_")[0] in KEEPS_COLUMNS


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a chain, not yet fitted.

    Parameters
    ----------
    name
        Of the method that added it.
    transformer
        scikit-learn's interface; None for ``scale(None)``.
    over
        For scaling: which columns share a centre and a scale.
    assumed
        Whether it stands in for a scaling that the user did not state.
    weight
        Of the features, over their dims.
    """

    name: str
    transformer: Any
    over: Over = "feature"
    assumed: bool = False
    weight: xr.DataArray | None = None

    def __str__(self) -> str:
        if self.name != "scale":
            return f"{self.name}({_summary(self.transformer)})"
        over = "" if self.over == "feature" else f", over={self.over!r}"
        return f"scale({_summary(self.transformer)}{over})"

    def build(self, n_columns: int, layout: Layout) -> Any:
        """Return an unfitted transformer for rows of ``n_columns``."""
        transformer = clone(self.transformer)
        if self.weight is not None:
            return transformer.set_params(weight=_columns(self.weight, layout))
        if "groups" not in transformer.get_params():
            return transformer
        groups = {
            "feature": None,
            "variable": layout.column_groups,
            "all": np.zeros(n_columns, dtype=np.intp),
        }[self.over]
        return transformer.set_params(groups=groups)


def _summary(transformer: Any) -> str:
    """Name what a reader would have typed."""
    params = {} if transformer is None else transformer.get_params(deep=False)
    for name in ("how", "n_components"):
        if name in params:
            return repr(params[name])
    return type(transformer).__name__ if transformer is not None else "None"


def resolve(steps: Sequence[Step], layout: Layout) -> list[Step]:
    """Return the steps that will be fitted, the scaling that nobody stated among them.

    Features of several variables are brought to one scale, each variable as a block, directly
    before the first step that measures distance or variance. Behind a transformer of the user's
    own nothing is added: its columns are no variables any more.
    """
    stated = any(step.name == "scale" for step in steps)
    kept = [step for step in steps if step.transformer is not None]
    if stated or len(layout.variables) < 2:
        return kept
    first = next((step.name for step in kept if step.name not in KEEPS_COLUMNS), None)
    if first == "then":
        return kept
    # Before weights of the features too: the variables' own units are brought to one first.
    return [assumed_scaling("max" if first == "nmf" else "standard"), *kept]


def fitted_steps(named: Sequence[tuple[str, Any]], n_variables: int) -> list[Step]:
    """Return the steps that fitted transformers came from, where only the model is known."""
    steps: list[Step] = []
    for name, transformer in named:
        # Behind a step that mixes the columns none belongs to a variable.
        several = n_variables > 1 or not all(keeps_columns(step.name) for step in steps)
        steps.append(Step(name.split("_")[0], transformer, _fitted_over(transformer, several)))
    return steps


def _fitted_over(transformer: Any, several: bool) -> Over:
    """Return which columns share a scale, as the groups of a fitted step tell.

    One group is all columns, unless there are not ``several`` variables: then it is that one.
    """
    groups = transformer.get_params(deep=False).get("groups")
    if groups is None:
        return "feature"
    return "all" if several and len(set(groups)) == 1 else "variable"


def feature_weights(weights: Any, layout: Layout) -> Step:
    """Return the step that weighs features by area, or by an array over some of their dims."""
    from xcluster.algorithms.feature_weights import FeatureWeights

    if not isinstance(weights, str):
        return Step("weights", FeatureWeights(), weight=weights.drop_attrs())
    coords = {k: v for each in layout.variables.values() for k, v in each.array.coords.items()}
    latitude = find_axis(coords, "latitude")
    if latitude is None or set(latitude.dims) & set(layout.sample_dims):
        rule = "needs a latitude among the coordinates of the field, and there is none"
        remedy = "give the weights as a DataArray, or the latitude units='degrees_north'"
        raise BadValueError("weights", "area", rule, remedy)
    cosine = latitude.copy(data=np.cos(np.deg2rad(latitude.values.astype(float)))).clip(min=0)
    return Step("weights", FeatureWeights(how="area"), weight=cosine)


def _columns(weight: xr.DataArray, layout: Layout) -> Any:
    """Return the weight of each column."""
    columns = []
    for name, variable in layout.variables.items():
        template = variable.template
        try:
            placed = xr.align(template, weight, join="left", copy=False)[1]
            over = placed.broadcast_like(template).transpose(*template.dims)
        except ValueError:
            over = xr.DataArray(np.empty(0))
        if over.shape != template.shape:
            rule = f"does not lie on the grid of {name!r}"
            raise BadValueError("weights", weight.name, rule, "bring it to that grid")
        flat = flat_features(over.assign_coords(template.coords), template.dims)
        columns.append(flat if variable.kept is None else flat[variable.kept])
    return np.concatenate(columns).astype(np.float64)


def assumed_scaling(how: str) -> Step:
    """Return the scaling that brings several variables to one scale."""
    from xcluster.algorithms.scaling import Scaler

    return Step("scale", Scaler(how), over="variable", assumed=True)


def check_over(over: Any, steps: Sequence[Step]) -> None:
    """Refuse ``over="variable"`` where columns are no longer variables."""
    mixed = [step.name for step in steps if step.name not in KEEPS_COLUMNS]
    if over == "variable" and mixed:
        rule = f"needs columns that belong to variables, and {mixed[0]}() has mixed them"
        raise BadValueError("over", over, rule, f"put scale() before {mixed[0]}()")
