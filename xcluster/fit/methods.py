"""What each clustering method builds: an estimator, the name of its k, and its own criterion."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np
from sklearn.base import clone

from xcluster.algorithms.density import DBSCAN, HDBSCAN
from xcluster.algorithms.fuzzy import KINDS, FuzzyCMeans
from xcluster.algorithms.hierarchical import Hierarchical
from xcluster.algorithms.inductive import Inductive
from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.medoids import KMedoids
from xcluster.algorithms.mixture import GaussianMixture
from xcluster.algorithms.parts.directions import METRICS, SHAPES, compares_directions
from xcluster.algorithms.parts.dissimilarities import OF_SERIES, check_metric
from xcluster.algorithms.parts.som_grid import check_grid
from xcluster.algorithms.poisson_mixture import PoissonMixture
from xcluster.algorithms.shapes import ShapeKMeans
from xcluster.algorithms.som import SOM
from xcluster.algorithms.spherical import SphericalKMeans
from xcluster.algorithms.trimmed import TrimmedKMeans, TrimmedSphericalKMeans, check_trim
from xcluster.algorithms.warping import WarpingKMeans
from xcluster.base.checks import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_seed,
    did_you_mean,
    is_one_of,
    is_text,
)
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.base.wording import call_text, changed, value_text
from xcluster.chain.question import Question
from xcluster.fit import indexed
from xcluster.grid.layout import Layout, Places, shown_columns
from xcluster.grid.neighbours import Neighbours, neighbours_of
from xcluster.scores.knee import INTERPOLATIONS

CALLED_K = ("n_clusters", "n_components")
"""What estimators call k."""

TYPED_AS = {**dict.fromkeys(CALLED_K, "k"), "sample_weight": "weights"}
"""What users call some of the parameters of estimators."""


@dataclass(frozen=True, eq=False)
class Method:
    """A clusterer that only needs its k.

    Parameters
    ----------
    name
        Name of the method of `Samples`.
    estimator
        Not fitted; it is cloned for each fit.
    parameter
        The estimator's name for k; None if the method takes no k.
    criterion
        What chooses k among candidates.
    neighbours
        How neighbours are found, if only these may share a label.
    placed
        Whether labels follow from the places of the samples, not from their features alone.
    indexed
        Parameters of an estimator of the user's own that number the samples, or have an entry for
        each.
    reorders
        Whether labels are renumbered; the nodes of a self-organising map are not.
    takes_keywords
        Whether parameters of the estimator are keywords of the method. An estimator of the
        user's own already has its parameters.
    by_feature
        Parameters of the estimator that may be arrays with a value per feature, and the axes
        along which they have it.
    defaults
        Defaults of the method that differ from those of the estimator.
    needing
        Keywords that need another one, as text.
    typed
        Its own keywords that differ from the defaults, as text, as the user typed them: arrays
        may be put in another order for the fit.
    """

    name: str
    estimator: Any
    parameter: str | None = None
    criterion: str | None = None
    neighbours: Neighbours | None = None
    placed: bool = False
    indexed: tuple[str, ...] = ()
    reorders: bool = True
    takes_keywords: bool = True
    by_feature: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    needing: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs_all(self) -> str | None:
        """The parameter for which all samples must be fitted, if there is one."""
        if self.neighbours:
            return "contiguous"
        return self.indexed[0].rpartition("__")[2] if self.indexed else None

    @property
    def sweeps_by(self) -> Literal["cutting", "growing", "sharing"] | None:
        """How the estimator gets from one k to the next; None if each k is fitted by itself."""
        return getattr(self.estimator, "sweeps_by", None)

    def build(self, k: int | None = None, **params: Any) -> Any:
        """Return an unfitted estimator for ``k``; parameters that it lacks are left out."""
        known = self.estimator.get_params(deep=False)
        params = {name: value for name, value in params.items() if name in known}
        if self.parameter is not None and k is not None:
            params[self.parameter] = k
        return clone(self.estimator).set_params(**params)

    @property
    def said(self) -> str:
        """The method as text, with its keywords that differ from the defaults."""
        return call_text(self.name, self.typed)

    def with_params(self, params: Mapping[str, Any]) -> Method:
        """Return the method with parameters of its estimator changed."""
        return replace(self, estimator=clone(self.estimator).set_params(**params))

    def for_rows(self, question: Question) -> Method:
        """Return the method with the user's arrays over features in the order of the columns."""
        params = self.estimator.get_params(deep=False)
        given = [name for name in self.by_feature if _is_array(params[name])]
        if not given or not all(step.kind.keeps_columns for step in question.steps):
            return self
        place = np.argsort(shown_columns(question.layout.features))
        if np.array_equal(place, np.arange(len(place))):
            return self
        return self.with_params(
            {name: _taken(params[name], self.by_feature[name], place) for name in given}
        )


def _is_array(value: Any) -> bool:
    return not (value is None or isinstance(value, str) or callable(value))


def _taken(value: Any, axes: Sequence[int], place: Places) -> Any:
    """Return an array in another order along some axes; a wrong one unchanged, as it is refused."""
    try:
        array = np.asanyarray(value)
    except ValueError:  # rows of different lengths
        return value
    if any(array.ndim < -axis or array.shape[axis] != len(place) for axis in axes):
        return value
    for axis in axes:
        array = array.take(place, axis)
    return array


@dataclass(frozen=True)
class Options:
    """The keywords that all clusterers share; `xcluster.Samples` describes them."""

    fit_on: Any = "auto"
    order: Any = None
    attrs: Mapping[str, Any] | None = None
    progress: bool = True
    smooth: bool = False
    interp_method: str = "interp1d"
    random_state: int | None = None
    retries: int = 0

    def checked(self) -> Options:
        """Return these options, or raise an error for a wrong value."""
        check_flag("progress", self.progress)
        check_flag("smooth", self.smooth)
        check_choice("interp_method", self.interp_method, INTERPOLATIONS)
        if self.random_state is not None:
            check_seed("random_state", self.random_state)
        check_integer("retries", self.retries, minimum=0)
        return self


INTERNAL = ("connectivity", "n_channels")
"""Parameters of our estimators that follow from the samples."""

WITHOUT_EFFECT = ("attrs", "progress", "random_state", "retries")
"""Options that change no label, or are told apart."""


def keywords_said(
    method: Method, options: Options, random_state: int, k: str | None
) -> dict[str, str]:
    """Return the keywords that differ from the defaults, as text, ``k`` first.

    This is what two fits differ by, if they are not the same fit.
    """
    said = {} if k is None else {"k": k}
    said |= method.typed
    for each in fields(Options):
        if each.name in WITHOUT_EFFECT:
            continue
        text = value_text(getattr(options, each.name))
        if text != value_text(each.default):
            said[each.name] = text
    return said | ({"random_state": str(random_state)} if random_state else {})


def _own_keywords(method: Method) -> dict[str, str]:
    """Return the method's own keywords that differ from the defaults, as text."""
    estimator = method.estimator
    if isinstance(estimator, Inductive):
        return {"clusterer": value_text(estimator.estimator)}
    if not method.takes_keywords:  # its seed is that of the samples
        given = changed(estimator, hidden=["random_state"])
        return {"clusterer": call_text(type(estimator).__name__, given)}
    hidden = ["random_state", *INTERNAL, *filter(None, [method.parameter])]
    said = changed(estimator, method.defaults, hidden)
    if method.neighbours is not None:
        said["contiguous"] = method.neighbours.said
    return said


def several_said(ks: Iterable[int]) -> str:
    """Return candidates as text."""
    ks = [int(k) for k in ks]
    if len(ks) > 1 and ks == list(range(ks[0], ks[-1] + 1)):
        return f"{ks[0]} to {ks[-1]}"
    return value_text(tuple(ks))


def split_keywords(method: Method, keywords: Mapping[str, Any]) -> tuple[Method, Options]:
    """Return the method with its own keywords set, and the options among ``keywords``."""
    shared = {each.name for each in fields(Options)}
    own = set(method.estimator.get_params(deep=False)) - {method.parameter, *INTERNAL}
    own = own if method.takes_keywords else set()
    for name in keywords:
        if name in CALLED_K:
            given = keywords[name]
            remedy = f"pass k={given!r}" if isinstance(given, int) else "pass an integer as k"
            raise BadTypeError(name, given, "the number of labels is called k here", remedy)
        if name == "connectivity" and method.name == "hac":
            rule = "hac() finds the neighbours of each sample on the grid itself"
            remedy = "pass contiguous=True, or the graph as contiguous="
            raise BadTypeError(name, type(keywords[name]).__name__, rule, remedy)
        if name in method.needing:
            needed = method.needing[name]
            remedy = f"pass {needed} too, or leave it out"
            raise BadTypeError(name, keywords[name], f"needs {needed}", remedy)
        if name not in shared | own:
            rule = f"is not a keyword of {method.name}()"
            remedy = did_you_mean(name, sorted(shared | own))
            raise BadTypeError(name, keywords[name], rule, remedy)
    params = {name: _reusable(name, keywords[name]) for name in keywords if name in own}
    if "n_init" in params:  # a sweep uses its own number and would not notice a wrong one
        check_integer("n_init", params["n_init"], minimum=1)
    options = Options(**{name: value for name, value in keywords.items() if name in shared})
    method = method.with_params(params)
    return replace(method, typed=_own_keywords(method)), options.checked()


def _reusable(parameter: str, value: Any) -> Any:
    """Return a value; refuse an iterator, which is empty after the first fit."""
    if isinstance(value, Iterator):
        rule = "can be read only once, but each fit needs it"
        raise BadTypeError(parameter, value, rule, "pass a list or an array")
    return value


INIT = {"init": (-1,)}
PRECISIONS: dict[str, tuple[int, ...]] = {
    "full": (-2, -1),
    "tied": (-2, -1),
    "diag": (-1,),
    "spherical": (),
}
"""Axes of precisions that have one entry per feature, by the type of covariance."""

METRICS_OF = {
    "window": ("dtw",),
    "gamma": ("softdtw",),
    "max_iter_barycenter": ("dtw", "softdtw"),
}
"""The metrics of k-means that read a keyword."""


TRIMMED = ("euclidean", *METRICS)
"""The metrics of k-means under which the farthest samples can be left out."""


def kmeans(layout: Layout, metric: str = "euclidean", trim: float = 0.0) -> Method:
    """Return k-means under a metric, of all samples or without the farthest."""
    check_choice("metric", metric, (*TRIMMED, "dtw", "softdtw", SHAPES))
    trims = check_trim(trim) > 0
    if trims and metric not in TRIMMED:
        rule = f"cannot be used with metric={metric!r}"
        raise BadValueError("trim", trim, rule, "leave it out, or choose metric='euclidean'")
    needing = {
        name: f"metric={metrics[0]!r}"
        for name, metrics in METRICS_OF.items()
        if metric not in metrics
    }
    if metric == "euclidean":
        estimator: Any = TrimmedKMeans(trim=trim) if trims else KMeans()
    elif trims:
        estimator = TrimmedSphericalKMeans(metric=metric, trim=trim)
    elif compares_directions(metric):
        estimator = SphericalKMeans(metric=metric)
    else:
        kind = ShapeKMeans if metric == SHAPES else WarpingKMeans
        estimator = kind(metric=metric, n_channels=_channels(layout, metric))
    return Method(
        "kmeans",
        estimator,
        "n_clusters",
        "distortion",
        by_feature=INIT,
        defaults={"metric": "euclidean", "trim": 0.0},
        needing=needing,
    )


def kmedoids(layout: Layout, metric: Any = "euclidean") -> Method:
    """Return k-medoids under a metric."""
    check_metric(metric)
    of_series = is_one_of(metric, OF_SERIES)
    estimator = KMedoids(metric=metric, n_channels=_channels(layout, metric) if of_series else 1)
    needing = {} if is_text(metric, "dtw") else {"window": "metric='dtw'"}
    return Method("kmedoids", estimator, "n_clusters", "medoid_silhouette", needing=needing)


def _channels(layout: Layout, metric: str) -> int:
    """Return how many series each sample has; they must have one dim and the same length."""
    wide = {
        n: each.feature_dims for n, each in layout.variables.items() if len(each.feature_dims) > 1
    }
    if wide:
        name, dims = next(iter(wide.items()))
        rule = f"needs series along one dim, but {name!r} has the feature dims {list(dims)}"
        raise BadValueError("metric", metric, rule, "choose one feature dim, or metric='euclidean'")
    sizes = {variable.size for variable in layout.variables.values()}
    if len(sizes) > 1:
        rule = f"needs variables of the same length, but these have {sorted(sizes)} features"
        raise BadValueError("metric", metric, rule, "choose variables with the same dim")
    return len(layout.variables)


def gmm(layout: Layout, covariance_type: str = "full", outliers: bool = False) -> Method:
    """Return a Gaussian mixture."""
    check_choice("covariance_type", covariance_type, tuple(PRECISIONS))
    check_flag("outliers", outliers)
    estimator = GaussianMixture(covariance_type=covariance_type, outliers=outliers, n_init=10)
    by_feature = {"means_init": (-1,), "precisions_init": PRECISIONS[covariance_type]}
    defaults = {"n_init": 10}
    return Method("gmm", estimator, "n_components", "bic", by_feature=by_feature, defaults=defaults)


def mixture(layout: Layout, family: str = "poisson") -> Method:
    """Return a mixture of a family of distributions."""
    check_choice("family", family, ("poisson",))
    estimator = PoissonMixture(n_init=10)
    return Method("mixture", estimator, "n_components", "bic", defaults={"n_init": 10})


def wrapped(layout: Layout, estimator: Any) -> Method:
    """Return the method for the user's own estimator."""
    takes_fit = callable(getattr(estimator, "fit", None))
    labels = any(callable(getattr(estimator, name, None)) for name in ("predict", "fit_predict"))
    if isinstance(estimator, type) or not (takes_fit and labels):
        rule = "must be an object with fit, and predict or fit_predict"
        remedy = "pass an instance, for example fit(SpectralClustering(4))"
        raise BadTypeError("clusterer", estimator, rule, remedy)
    placed = bool(indexed.by_place(estimator))
    keeps_labels = hasattr(type(estimator), "row_labels_")
    if not callable(getattr(estimator, "predict", None)) or (placed and not keeps_labels):
        estimator = Inductive(estimator)
    known = (*indexed.by_place(estimator), *indexed.by_row(estimator, layout.n_pooled))
    return Method("fit", estimator, placed=placed, indexed=known, takes_keywords=False)


def hac(layout: Layout, linkage: str = "ward", contiguous: Any = False) -> Method:
    """Return hierarchical clustering; with ``contiguous`` only neighbours are merged."""
    check_choice("linkage", linkage, ("ward", "average", "complete", "single"))
    neighbours = neighbours_of(contiguous, layout)
    estimator = Hierarchical(linkage=linkage)
    placed = neighbours is not None
    return Method("hac", estimator, "n_clusters", "distortion", neighbours, placed)


def fuzzy(
    layout: Layout, m: float = 2.0, kind: str = "probabilistic", shape: str = "spherical"
) -> Method:
    """Return fuzzy c-means."""
    check_number("m", m, above=1)
    check_choice("kind", kind, KINDS)
    check_choice("shape", shape, ("spherical", "gustafson-kessel"))
    estimator = FuzzyCMeans(m=m, kind=kind, shape=shape)
    needing = {} if kind == "noise" else {"delta": "kind='noise'"}
    return Method("fuzzy", estimator, "n_clusters", "distortion", by_feature=INIT, needing=needing)


def som(layout: Layout, grid: tuple[int, int] | None = None, training: str = "batch") -> Method:
    """Return a self-organising map."""
    check_choice("training", training, ("batch", "online"))
    grid = None if grid is None else check_grid(grid)
    needing = {} if training == "online" else {"learning_rate": "training='online'"}
    return Method("som", SOM(grid, training=training), reorders=False, needing=needing)


def dbscan(layout: Layout, eps: float, min_samples: int) -> Method:
    """Return DBSCAN."""
    check_number("eps", eps, above=0)
    check_integer("min_samples", min_samples, minimum=1)
    return Method("dbscan", DBSCAN(eps, min_samples=min_samples))


def hdbscan(layout: Layout, min_cluster_size: int) -> Method:
    """Return HDBSCAN."""
    check_integer("min_cluster_size", min_cluster_size, minimum=2)
    return Method("hdbscan", HDBSCAN(min_cluster_size))


BY_NAME: dict[str, Callable[..., Method]] = {
    "kmeans": kmeans,
    "kmedoids": kmedoids,
    "gmm": gmm,
    "mixture": mixture,
    "hac": hac,
    "fuzzy": fuzzy,
}


def by_name(
    name: str, layout: Layout, keywords: Mapping[str, Any]
) -> tuple[Method, dict[str, Any]]:
    """Return the method called ``name``, and the keywords that it did not use."""
    build = BY_NAME[check_choice("method", name, tuple(BY_NAME))]
    own = set(inspect.signature(build).parameters) - {"layout"}
    taken = {key: value for key, value in keywords.items() if key in own}
    return build(layout, **taken), {k: v for k, v in keywords.items() if k not in own}
