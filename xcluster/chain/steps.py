"""The steps before the clusterer, and the scaling that is added where the user states none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from sklearn.base import clone

from xcluster.algorithms.counted import Counted
from xcluster.algorithms.defined import Defined
from xcluster.algorithms.feature_weights import FeatureWeights
from xcluster.algorithms.gap_pca import GapPCA
from xcluster.algorithms.nmf import NMF
from xcluster.algorithms.parts.directions import METRICS, SHAPES
from xcluster.algorithms.pca import PCA
from xcluster.algorithms.poisson_nmf import PoissonNMF
from xcluster.algorithms.poisson_pca import PoissonPCA
from xcluster.algorithms.scaling import Scaler, check_balance
from xcluster.algorithms.vae import VAE
from xcluster.base.checks import (
    check_choice,
    check_flag,
    check_integer,
    check_seed,
    did_you_mean,
    is_one_of,
)
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.base.wording import changed, value_text
from xcluster.grid.areas import area_weights
from xcluster.grid.layout import Layout, flat_features

Over = Literal["feature", "variable", "all"]
Scaling = Literal["standard", "max"]
Noise = Literal["equal", "poisson"]
Loss = Literal["squared", "poisson"]

LARGEST_LATENT = 1000
"""Maximum number of latent dimensions; more are surely a mistake and would fill the memory."""

SCALINGS = ("standard", "robust", "minmax", "max", "norm", "log", "clr", "anscombe")


@dataclass(frozen=True)
class Kind:
    """What all steps of one method of `Samples` have in common.

    Parameters
    ----------
    name
        Name of the method.
    keeps_columns
        Whether each column still is one feature after the step.
    scales
        Whether the step states a scaling, so that none is added.
    assumes
        The scaling that is added before the step if there are several variables and no scaling
        is stated.
    typed_as
        Maps a parameter of the transformer to the name that the user gives it.
    """

    name: str
    keeps_columns: bool = False
    scales: bool = False
    assumes: Scaling | None = "standard"
    typed_as: Mapping[str, str] = field(default_factory=dict)


COMPONENTS = {"n_components": "n"}
SCALE = Kind("scale", keeps_columns=True, scales=True)
WEIGHTS = Kind("weights", keeps_columns=True)
PRINCIPAL = Kind("pca", typed_as=COMPONENTS)
NON_NEGATIVE = Kind("nmf", assumes="max", typed_as=COMPONENTS)
LATENT = Kind("vae", typed_as=COMPONENTS)
THEN = Kind("then", assumes=None)
COUNTS = Kind("counts", keeps_columns=True, scales=True)
DEFINED = Kind("defined", keeps_columns=True)

KINDS = {
    kind.name: kind
    for kind in (SCALE, WEIGHTS, PRINCIPAL, NON_NEGATIVE, LATENT, THEN, COUNTS, DEFINED)
}


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a chain, not yet fitted.

    Parameters
    ----------
    kind
        Kind of the method that added it.
    transformer
        With scikit-learn's interface; None for ``scale(None)``.
    over
        For scaling: which columns share a centre and a scale.
    assumed
        Whether it was added because the user stated no scaling.
    weight
        Weights of the features, over their dims.
    """

    kind: Kind
    transformer: Any
    over: Over = "feature"
    assumed: bool = False
    weight: xr.DataArray | None = None

    @property
    def name(self) -> str:
        """Name of the method that added it."""
        return self.kind.name

    @property
    def assumes(self) -> Scaling | None:
        """The scaling that is added before the step: none before one that reads counts."""
        if getattr(self.transformer, "reads_counts", False):
            return None
        own: Scaling | None = getattr(self.transformer, "assumes", None)
        return own or self.kind.assumes

    def __str__(self) -> str:
        over = f", over={self.over!r}" if self.kind.scales and self.over != "feature" else ""
        return f"{self.name}({_arguments(self.transformer)}{over})"

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


@dataclass(frozen=True, eq=False)
class FittedStep:
    """One fitted step of a chain; it is sent to blocks.

    Parameters
    ----------
    name
        Its name, which no other step of the chain has: a second scaling is "scale_2".
    kind
        Kind of the method that added it.
    transformer
        The fitted transformer.
    """

    name: str
    kind: Kind
    transformer: Any


SET_BY_US = ("groups", "weight", "progress")
"""Parameters of our transformers that do not come from the call alone."""


def _arguments(transformer: Any) -> str:
    """Return what the user typed, as text: one value, and keywords that differ from defaults."""
    if isinstance(transformer, Counted):
        return ""
    if isinstance(transformer, Defined):
        return value_text(transformer.metric)
    if not isinstance(transformer, Scaler | FeatureWeights | PCA | NMF | PoissonNMF | VAE):
        return value_text(transformer)
    first = "how" if hasattr(transformer, "how") else "n_components"
    named = getattr(transformer, "stands_for", {})
    given = named | changed(transformer, hidden=[first, *SET_BY_US])
    others = [f"{name}={text}" for name, text in given.items()]
    return ", ".join([value_text(getattr(transformer, first)), *others])


def resolve(steps: Sequence[Step], layout: Layout) -> list[Step]:
    """Return the steps that will be fitted, including a scaling that the user did not state.

    Several variables are brought to one scale, each variable as a block. This happens first, if
    the first step that mixes columns, or needs their directions, measures distance or variance. If
    the chain begins with a transformer of the user's own, nothing is added: behind it columns no
    longer are variables.
    """
    stated = any(step.kind.scales for step in steps)
    kept = [step for step in steps if step.transformer is not None]
    if stated or len(layout.variables) < 2:
        return kept
    mixes = (step for step in kept if step.kind is DEFINED or not step.kind.keeps_columns)
    first = next(mixes, None)
    how = "standard" if first is None else first.assumes
    # Before weights of the features too: units are made equal first.
    return kept if how is None else [Step(SCALE, Scaler(how), "variable", assumed=True), *kept]


def n_columns(steps: Sequence[Step], n_features: int) -> int | None:
    """Return how many columns steps will leave; None if only a fit can tell."""
    for step in reversed(steps):
        if not step.kind.keeps_columns:
            n = getattr(step.transformer, "n_components", None)
            return n if isinstance(n, int) else None
    return n_features


def unfitted_steps(fitted: Sequence[FittedStep], n_variables: int) -> list[Step]:
    """Return the steps before the fit, from those after it: a file may hold only the model."""
    steps: list[Step] = []
    for each in fitted:
        # After a step that mixes the columns, no column belongs to a variable.
        several = n_variables > 1 or not all(step.kind.keeps_columns for step in steps)
        steps.append(Step(each.kind, each.transformer, _fitted_over(each.transformer, several)))
    return steps


def _fitted_over(transformer: Any, several: bool) -> Over:
    """Return which columns share a scale, from the groups of a fitted step.

    A single group means "all" if there are ``several`` variables, otherwise "variable".
    """
    groups = transformer.get_params(deep=False).get("groups")
    if groups is None:
        return "feature"
    return "all" if several and len(set(groups)) == 1 else "variable"


# --------------------------------------------------------------------------- one function per step


def scaling(how: Any, over: Any, balance: Any, steps: Sequence[Step]) -> Step:
    """Return the step that scales, to be added after ``steps``."""
    check_choice("over", over, get_args(Over))
    _check_over(over, steps)
    if check_flag("balance", balance):
        if over != "variable":
            rule = f"gives variables the same weight, but over={over!r} was passed"
            raise BadValueError("balance", balance, rule, "pass over='variable' too")
        check_balance(how if isinstance(how, str) else None)
    if how is None or hasattr(how, "fit_transform"):
        return Step(SCALE, how, over)
    if not is_one_of(how, SCALINGS):
        rule = f"must be one of {', '.join(map(repr, SCALINGS))}, None or a transformer"
        raise BadValueError("how", how, rule, did_you_mean(how, SCALINGS))
    return Step(SCALE, Scaler(how, balance=balance), over)


def _check_over(over: Any, steps: Sequence[Step]) -> None:
    """Refuse ``over="variable"`` after a step that mixes the columns of variables."""
    mixed = [step.name for step in steps if not step.kind.keeps_columns]
    if over == "variable" and mixed:
        rule = f"needs columns that belong to variables, and {mixed[0]}() has mixed them"
        raise BadValueError("over", over, rule, f"put scale() before {mixed[0]}()")


def principal_components(n: Any, noise: Any, random_state: int, gaps: bool = False) -> Step:
    """Return the step that reduces to principal components, of samples that may have gaps."""
    if not (isinstance(n, float) and 0 < n < 1):
        remedy = "pass a number of components, or a fraction above 0 and below 1"
        n = check_integer("n", n, minimum=1, remedy=remedy)
    check_choice("noise", noise, get_args(Noise))
    equal = GapPCA if gaps else PCA
    kind = PoissonPCA if noise == "poisson" else equal
    return Step(PRINCIPAL, kind(n, random_state=random_state))


def non_negative_components(n: Any, loss: Any, random_state: int) -> Step:
    """Return the step that reduces to non-negative components."""
    n = check_integer("n", n, minimum=1)
    check_choice("loss", loss, get_args(Loss))
    kind = PoissonNMF if loss == "poisson" else NMF
    return Step(NON_NEGATIVE, kind(n, random_state=random_state))


def counted(steps: Sequence[Step], clusterer: Any) -> tuple[Step, ...]:
    """Return the steps before a clusterer: one that reads counts gets no rows without them."""
    if not getattr(clusterer, "reads_counts", False) or any(s.kind is COUNTS for s in steps):
        return tuple(steps)
    return (*steps, Step(COUNTS, Counted()))


def defined(steps: Sequence[Step], clusterer: Any) -> tuple[Step, ...]:
    """Return the steps before a clusterer: one that compares directions gets no rows without."""
    metric: Any = getattr(clusterer, "metric", None)
    if not is_one_of(metric, (*METRICS, SHAPES)):
        return tuple(steps)
    kept = (step for step in steps if step.kind is not DEFINED)
    return (*kept, Step(DEFINED, Defined(metric, getattr(clusterer, "n_channels", 1))))


def auto_encoder(n: Any, random_state: int, keywords: Mapping[str, Any]) -> Step:
    """Return the step that reduces to the latent space of a variational auto-encoder."""
    n = check_integer("n", n, minimum=1, maximum=LARGEST_LATENT)
    known = sorted(set(VAE().get_params()) - {"n_components", "progress"})
    for name, value in keywords.items():
        if name not in known:
            raise BadTypeError(name, value, "is not a keyword of vae()", did_you_mean(name, known))
    keywords = {"random_state": random_state, **keywords}
    check_seed("random_state", keywords["random_state"])
    vae = VAE(n, **keywords)
    vae.check_parameters()
    return Step(LATENT, vae)


def foreign(transformer: Any) -> Step:
    """Return the step for a transformer of the user's own."""
    if isinstance(transformer, type) or not all(
        callable(getattr(transformer, name, None)) for name in ("fit", "transform")
    ):
        rule = "must be an object with fit and transform"
        remedy = "pass an instance, for example then(QuantileTransformer())"
        raise BadTypeError("transformer", transformer, rule, remedy)
    params = transformer.get_params() if hasattr(transformer, "get_params") else {}
    for name, value in params.items():
        if is_precomputed(value):
            rule = "needs distances to the fitted samples, which blocks of rows do not have"
            raise BadValueError(name, value, rule, "let it compute them from the features")
    return Step(THEN, transformer)


def is_precomputed(value: Any) -> bool:
    """Whether a parameter of scikit-learn says that rows are distances instead of features."""
    return isinstance(value, str) and value in ("precomputed", "precomputed_nearest_neighbors")


def feature_weights(weights: Any, layout: Layout, data: xr.Dataset) -> Step:
    """Return the step that weighs features by area, or by an array over some of their dims."""
    if not isinstance(weights, str):
        return Step(WEIGHTS, FeatureWeights(), weight=weights.drop_attrs())
    coords = {k: v for each in layout.variables.values() for k, v in each.array.coords.items()}
    area = area_weights(coords, data)
    if area is None or set(area.dims) & set(layout.sample_dims):
        rule = "needs a latitude among the coordinates of the field, and finds none"
        remedy = "pass a DataArray of weights, or set units='degrees_north' on the latitude"
        raise BadValueError("weights", "area", rule, remedy)
    area = area.assign_coords({dim: coords[dim] for dim in area.dims if dim in coords})
    return Step(WEIGHTS, FeatureWeights(how="area"), weight=area / area.max())


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
            raise BadValueError("weights", weight.name, rule, "reindex it to that grid")
        flat = flat_features(over.assign_coords(template.coords), template.dims)
        flat = flat if variable.kept is None else flat[variable.kept]
        columns += [flat[run] for run in variable.runs]
    return np.concatenate(columns).astype(np.float64)
