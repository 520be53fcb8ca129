"""The criteria of a sweep: what each measures, and the rule by which it chooses k."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster import scores
from xcluster.algorithms.parts.directions import compares_directions, directions
from xcluster.base.checks import is_one_of
from xcluster.base.errors import TooFewError
from xcluster.fit.methods import Method, Options
from xcluster.scores.knee import knee
from xcluster.scores.labelled import labelled_rows
from xcluster.scores.silhouette import EXACT_ROWS, SILHOUETTE_METRICS

Array = NDArray[Any]
Better = Literal["knee", "low", "high", "gap"]
NAN = float("nan")


@dataclass(frozen=True, eq=False)
class FittedRows:
    """One fitted clusterer with its rows, and values that several criteria need.

    Parameters
    ----------
    X : array of shape (n, n_components)
        The rows.
    weight : array of shape (n,), optional
        Weights of the rows.
    estimator
        The clusterer, fitted to the rows.
    labels : array of shape (n,)
        The clusterer's own number for each row.
    centers : array of shape (n_raw, n_components)
        The centres of these numbers.
    metric : {"euclidean", "cosine", "correlation"}
        How scores compare rows.
    """

    X: Array
    weight: Array | None
    estimator: Any
    labels: Array
    centers: Array
    metric: str = "euclidean"

    @cached_property
    def compared(self) -> Array:
        """The rows as scores compare them: as directions, unless by Euclidean distances."""
        return self.X if self.metric == "euclidean" else directions(self.X, self.metric)

    @property
    def total(self) -> float:
        """Total weight of all rows."""
        return float(len(self.X) if self.weight is None else self.weight.sum())

    @property
    def several(self) -> bool:
        """Whether there are at least two labels; most scores need them."""
        return has_several(self.labels)

    @cached_property
    def memberships(self) -> Array:
        """Memberships of the rows for a soft method, shape (n, n_raw)."""
        return np.asarray(self.estimator.predict_proba(self.X))


def has_several(labels: Array) -> bool:
    """Whether there are at least two labels beside noise."""
    known = labels[labels >= 0]
    return bool((known != known[:1]).any())


def directional(estimator: Any) -> str:
    """Return how scores compare rows: as the clusterer does if that compares directions."""
    metric = getattr(estimator, "metric", None)
    return str(metric) if compares_directions(metric) else "euclidean"


def silhouettes_by(estimator: Any) -> dict[str, Any]:
    """Return keywords of silhouettes: the metric of the clusterer, and how many rows it is for.

    Of the metrics that no kernel sums, k-medoids has its own; others are compared as directions or
    by Euclidean distances.
    """
    measure = getattr(estimator, "measure", None)
    if measure is None or is_one_of(estimator.metric, SILHOUETTE_METRICS):
        return {"metric": directional(estimator), "limit": EXACT_ROWS}
    return {"metric": measure, "limit": estimator.most_exact}


@dataclass(frozen=True, eq=False)
class Criterion:
    """One curve over k.

    Parameters
    ----------
    measure
        Returns the value of one fit; None if it is measured for all fits together.
    better
        What chooses k: the knee, the lowest value, the highest value, or the rule of the gap
        statistic. None if the criterion does not choose.
    long_name : str
        Its name in figures.
    needs : str, optional
        A method, or another attribute, that the estimator must have.
    pairs : bool, default False
        Whether it compares labels, so that it has no value for a single label.
    undefined : str
        When it has no value, as a note beside one that is NaN.
    refits : bool, default False
        Whether it fits other rows, which have no neighbours on the grid.
    euclidean : bool, default False
        Whether it is defined for Euclidean distances only.
    """

    measure: Callable[[FittedRows], float] | None
    better: Better | None
    long_name: str
    needs: str | None = None
    pairs: bool = False
    undefined: str = "undefined for fewer than two labels"
    refits: bool = False
    euclidean: bool = False

    def attrs(self, values: Any) -> dict[str, str]:
        """Return attributes of the curve, with a note if one of its ``values`` is not defined."""
        rule = {} if self.better is None else {"better": self.better}
        note = {"note": self.undefined} if np.isnan(values).any() and self.pairs else {}
        return {"long_name": self.long_name, **rule, **note}

    def suits(self, method: Method) -> bool:
        """Whether this criterion can be measured for a method."""
        estimator = method.estimator
        return (
            (self.needs is None or hasattr(estimator, self.needs))
            and not (self.refits and method.neighbours is not None)
            and not (self.euclidean and getattr(estimator, "metric", "euclidean") != "euclidean")
        )

    def choose(self, table: xr.Dataset, name: str, options: Options) -> int | None:
        """Return the k that the curve chooses; None if it has no knee."""
        ks, values = table["k"].values, table[name].values
        if self.better == "gap":
            return scores.GapStatistic(ks, values, table["gap_error"].values).best
        if self.better == "knee":
            return knee(ks, values, smooth=options.smooth, interp_method=options.interp_method)
        if not np.isfinite(values).any():
            return None
        best = np.nanargmin(values) if self.better == "low" else np.nanargmax(values)
        return int(ks[best])


def _inertia(fit: FittedRows) -> float:
    # The estimator's own if it has one: for "dtw" only the estimator knows the distances.
    if hasattr(fit.estimator, "inertia_"):
        return float(fit.estimator.inertia_)
    return scores.inertia(fit.compared, fit.labels, fit.weight)


def _distortion(fit: FittedRows) -> float:
    return _inertia(fit) / fit.total


def _simplified_silhouette(fit: FittedRows) -> float:
    # About the means of the labels: the centres of a soft method also depend on other rows.
    data = labelled_rows(fit.compared, fit.labels, fit.weight)
    metric = "euclidean" if fit.metric == "euclidean" else "cosine"
    return scores.simplified_silhouette_score(
        data.X, data.cluster, data.means, data.weight, metric=metric
    )


def _calinski_harabasz(fit: FittedRows) -> float:
    return scores.calinski_harabasz(fit.compared, fit.labels, fit.weight)


def _davies_bouldin(fit: FittedRows) -> float:
    return scores.davies_bouldin(fit.compared, fit.labels, fit.weight)


def _deviance(fit: FittedRows) -> float:
    return scores.poisson_deviance(fit.X, fit.labels, fit.weight)


def _entropy(fit: FittedRows) -> float:
    return scores.cluster_entropy(fit.compared, fit.labels, sample_weight=fit.weight).value


def _own_score(name: str) -> Callable[[FittedRows], float]:
    def measure(fit: FittedRows) -> float:
        return float(getattr(fit.estimator, name)(fit.X, fit.weight))

    return measure


def _medoid_distance(fit: FittedRows) -> float:
    return -float(fit.estimator.score(fit.X, sample_weight=fit.weight)) / fit.total


def _partition_coefficient(fit: FittedRows) -> float:
    return scores.partition_coefficient(fit.memberships, fit.weight)


def _xie_beni(fit: FittedRows) -> float:
    return scores.xie_beni(
        fit.X, fit.memberships, fit.centers, getattr(fit.estimator, "m", 2.0), fit.weight
    )


CRITERIA: dict[str, Criterion] = {
    "inertia": Criterion(_inertia, "knee", "within-label sum of squares"),
    "distortion": Criterion(_distortion, "knee", "mean squared distance to the centre"),
    "silhouette": Criterion(None, "high", "silhouette", pairs=True),
    "simplified_silhouette": Criterion(
        _simplified_silhouette, "high", "simplified silhouette", pairs=True
    ),
    "calinski_harabasz": Criterion(
        _calinski_harabasz,
        "high",
        "Calinski-Harabasz score",
        pairs=True,
        undefined="undefined for fewer than two labels, and for as many labels as samples",
    ),
    "davies_bouldin": Criterion(_davies_bouldin, "low", "Davies-Bouldin score", pairs=True),
    "entropy": Criterion(_entropy, "knee", "cluster entropy"),
    "gap": Criterion(None, "gap", "gap statistic", refits=True, euclidean=True),
    "gap_error": Criterion(
        None, None, "standard error of the gap statistic", refits=True, euclidean=True
    ),
    "bic": Criterion(_own_score("bic"), "low", "BIC", needs="bic"),
    "aic": Criterion(_own_score("aic"), "low", "AIC", needs="aic"),
    "icl": Criterion(_own_score("icl"), "low", "ICL", needs="icl"),
    "partition_coefficient": Criterion(
        _partition_coefficient, "high", "partition coefficient", needs="predict_proba", pairs=True
    ),
    "xie_beni": Criterion(_xie_beni, "low", "Xie-Beni index", needs="predict_proba", pairs=True),
    "deviance": Criterion(
        _deviance, "knee", "mean Poisson deviance from the mean of the label", needs="reads_counts"
    ),
    "medoid_silhouette": Criterion(
        _own_score("medoid_silhouette"),
        "high",
        "medoid silhouette",
        needs="medoid_silhouette",
        pairs=True,
    ),
    "medoid_distance": Criterion(
        _medoid_distance, "knee", "mean distance to the medoid", needs="medoid_silhouette"
    ),
    "stability": Criterion(None, "high", "agreement of refits", pairs=True, refits=True),
}


def available(method: Method) -> tuple[str, ...]:
    """Return the names of the criteria that can be measured for a method."""
    return tuple(name for name, criterion in CRITERIA.items() if criterion.suits(method))


def measure(names: Sequence[str], fit: FittedRows) -> dict[str, float]:
    """Return the criteria of one fit; NaN if one is not defined for its labels."""
    return {
        name: _defined(criterion.measure, fit) if fit.several or not criterion.pairs else NAN
        for name in names
        if (criterion := CRITERIA[name]).measure is not None
    }


def _defined(of_fit: Callable[[FittedRows], float], fit: FittedRows) -> float:
    try:
        return of_fit(fit)
    except TooFewError:
        return NAN
