"""How many labels: a fit for each k, criteria over k, and the choice among them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.utils.validation import has_fit_parameter

from xcluster import conclusion, connection, fitting
from xcluster.algorithms.hierarchical import Hierarchical
from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.seeding import grow
from xcluster.checks import as_typed, check_choice, check_integer, complaint
from xcluster.criteria import CRITERIA, Fit, available, measure
from xcluster.methods import Method, Options, split_keywords
from xcluster.progress import bar
from xcluster.reduction import Reduction

if TYPE_CHECKING:
    from xcluster.clustering import Clustering
    from xcluster.fitting import Prepared
    from xcluster.plot.sweep import SweepPlot
    from xcluster.record import Record
    from xcluster.samples import Samples

Array = NDArray[Any]

DEFAULT_KS = range(2, 21)
FALLBACK = "simplified_silhouette"
SPEAKS_OF_K = {"n_clusters": "k", "n_components": "k"}


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """Fits over a range of k; keeps the models, never their label maps.

    Parameters
    ----------
    table : Dataset
        Criteria over ``k``.
    models : mapping
        The fitted clusterer and its record of each k.
    samples, reduction, method, options
        What was fitted.
    """

    table: xr.Dataset
    models: Mapping[int, tuple[Any, Record]]
    method: Method
    options: Options
    samples: Samples | None = None
    reduction: Reduction | None = None

    def best(self, criterion: str | None = None) -> int:
        """Return the k that a criterion chooses.

        Parameters
        ----------
        criterion : str, optional
            One of the table; by default the method's own (a knee of the distortion, or the
            lowest BIC).

        Returns
        -------
        int

        Warns
        -----
        UserWarning
            If the curve has no knee; the best simplified silhouette is taken.

        Raises
        ------
        ValueError
            If the table lacks the criterion.
        """
        return self._choose(criterion)[0]

    def _choose(self, criterion: str | None) -> tuple[int, str]:
        """Return k and, where it is not plainly the criterion's, a note why."""
        criterion = criterion or str(self.method.criterion)
        check_choice("criterion", criterion, tuple(map(str, self.table)))
        ks = self.table["k"].values
        chosen = CRITERIA[criterion].choose(self.table, criterion, self.options)
        if chosen is not None:
            return int(chosen), ""
        chosen = int(ks[int(np.nanargmax(self.table[FALLBACK].values))])
        note = (
            f"{criterion} has no knee for k = {ks[0]} to {ks[-1]}; "
            f"k={chosen} has the best simplified silhouette"
        )
        warnings.warn(f"{note}. Choose k yourself, or widen the range.", UserWarning, stacklevel=3)
        return chosen, note

    def agreement(self) -> xr.Dataset:
        """Return what each criterion would choose, side by side.

        Returns
        -------
        Dataset with ``chosen`` over ``criterion`` (0 where there is no knee), and the attribute
        ``agree``: 1 where all that choose choose the same.
        """
        names = [str(name) for name in self.table]
        chosen = [CRITERIA[name].choose(self.table, name, self.options) or 0 for name in names]
        agree = len({each for each in chosen if each}) == 1
        return xr.Dataset(
            {"chosen": ("criterion", chosen)}, {"criterion": names}, {"agree": int(agree)}
        )

    def clustering(self, k: int) -> Clustering:
        """Return the clustering for one k of the table, without a refit.

        Parameters
        ----------
        k : int

        Raises
        ------
        ValueError
            If ``k`` is not among those fitted.
        """
        if self.samples is None or self.reduction is None:
            rule = "its models were not saved with the sweep"
            raise ValueError(complaint("k", k, rule, f"refit with k={k}"))
        check_choice("k", k, tuple(self.models))
        estimator, record = self.models[k]
        return conclusion.conclude(
            self.samples, self.reduction, self.method, estimator, record, self.options, self
        )

    @property
    def plot(self) -> SweepPlot:
        """Figures: ``plot()`` draws one panel a criterion, the choice marked."""
        from xcluster.plot.sweep import SweepPlot

        return SweepPlot(self)

    def __repr__(self) -> str:
        ks = self.table["k"].values
        names = ", ".join(map(str, self.table))
        return f"<xcluster.Sweep> {self.method.name}, k = {ks[0]} to {ks[-1]}: {names}"


# ------------------------------------------------------------------------------------ the fits


def cluster(samples: Samples, method: Method, k: Any, keywords: Mapping[str, Any]) -> Clustering:
    """Fit for ``k``, or for the k that the method's criterion chooses."""
    method, options = split_keywords(method, keywords)
    if method.parameter is None:
        with as_typed({"sample_weight": "weights"}):
            return _single(samples, method, None, options)
    with as_typed(SPEAKS_OF_K):
        if k is None or (isinstance(k, Iterable) and not isinstance(k, str)):
            return _chosen(samples, method, DEFAULT_KS if k is None else k, options)
        k = check_integer("k", k, minimum=1)
        check_k(k, samples)
        return _single(samples, method, k, options)


def check_k(k: int, samples: Samples) -> None:
    """Refuse more labels than there are grid points."""
    if k > samples.layout.n_pooled:
        rule = f"is more than the {samples.layout.n_pooled:,} grid points"
        raise ValueError(complaint("k", k, rule, "choose a smaller k"))


def _single(samples: Samples, method: Method, k: int | None, options: Options) -> Clustering:
    fitting.check_fits(samples.layout, method, options)
    weighs = has_fit_parameter(method.estimator, "sample_weight")
    prepared = fitting.prepare(samples, options, k if k and weighs else 1)
    estimator = _built(method, prepared, k)
    estimator, record = fitting.fit_clusterer(prepared, estimator, options.progress)
    return conclusion.conclude(
        samples, prepared.reduction, method, estimator, record, options, prepared=prepared
    )


def _built(method: Method, prepared: Prepared, k: int | None, **params: Any) -> Any:
    """Return an unfitted estimator that knows the seed, and the neighbours where it needs them."""
    estimator = method.build(k, random_state=prepared.record.random_state, **params)
    if method.neighbours is not None:
        layout = prepared.reduction.layout
        pairs = connection.connect(layout, prepared.key, method.neighbours)
        estimator.set_params(connectivity=pairs)
    return estimator


def _chosen(samples: Samples, method: Method, ks: Iterable[int], options: Options) -> Clustering:
    fitting.check_fits(samples.layout, method, options)
    prepared = fitting.prepare(samples, options)
    swept = run(samples, prepared, method, check_ks(ks), None, options)
    k, note = swept._choose(None)
    estimator, record = _best_start(prepared, swept, method, k, options)
    if note:
        record = replace(record, notes=(*record.notes, note))
    return conclusion.conclude(
        samples, prepared.reduction, method, estimator, record, options, swept, prepared
    )


def _best_start(
    prepared: Prepared, swept: Sweep, method: Method, k: int, options: Options
) -> tuple[Any, Record]:
    """Fit the chosen k from several starts; the sweep's own fit may still be the best."""
    if isinstance(swept.models[k][0], Hierarchical):
        return swept.models[k]  # there is one tree only
    estimator = _built(method, prepared, k)
    in_memory = replace(prepared, blocks=None)
    estimator, record = fitting.fit_clusterer(in_memory, estimator, options.progress)
    if fitting.objective(swept.models[k][0]) < fitting.objective(estimator):
        estimator, record = swept.models[k]
    if prepared.blocks is None:
        return estimator, record
    return fitting.refine_clusterer(prepared, estimator, record, options.progress)


def sweep(
    samples: Samples,
    method: Method,
    ks: Iterable[int] | None,
    criteria: Any,
    keywords: Mapping[str, Any],
) -> Sweep:
    """Fit each k, and measure the criteria."""
    method, options = split_keywords(method, keywords)
    wanted = check_ks(DEFAULT_KS if ks is None else ks)
    names = check_criteria(criteria, method)
    fitting.check_fits(samples.layout, method, options)
    prepared = replace(fitting.prepare(samples, options), blocks=None)
    with as_typed(SPEAKS_OF_K):
        return run(samples, prepared, method, wanted, names, options)


def check_ks(ks: Iterable[int]) -> list[int]:
    """Return the candidates, each once and rising."""
    if isinstance(ks, int) and not isinstance(ks, bool):
        ks = [ks]
    if isinstance(ks, str) or not isinstance(ks, Iterable):
        raise TypeError(complaint("ks", ks, "must be several integers", "pass range(2, 21)"))
    wanted = sorted({check_integer("k", k, minimum=1) for k in ks})
    if not wanted:
        raise ValueError(complaint("ks", ks, "holds no candidate", "pass range(2, 21)"))
    return wanted


def check_criteria(criteria: Any, method: Method) -> list[str] | None:
    """Return the names of the criteria that are wanted; refuse what the method cannot give."""
    if criteria is None:
        return None
    names = [criteria] if isinstance(criteria, str) else list(criteria)
    for name in names:
        check_choice("criteria", name, available(method))
    return names


def run(
    samples: Samples,
    prepared: Prepared,
    method: Method,
    ks: Sequence[int],
    criteria: Sequence[str] | None,
    options: Options,
) -> Sweep:
    """Fit each k to the same rows, each started from the one before where the method can.

    An interrupt returns what was finished, with a warning.
    """
    names = list(criteria or dict.fromkeys([str(method.criterion), FALLBACK]))
    ks = _within_rows(ks, len(prepared.X))
    in_memory = replace(prepared, blocks=None)
    models: dict[int, tuple[Any, Record]] = {}
    rows: dict[int, dict[str, float]] = {}
    before: Any = None
    with bar(options.progress, "k", total=len(ks)) as shown:
        try:
            for k in ks:
                estimator, record = _fit_k(in_memory, method, k, before)
                rows[k] = measure(names, _fit_of(in_memory, estimator))
                fitting.forget_rows(estimator)
                models[k], before = (estimator, record), estimator
                shown.update()
        except ValueError as error:
            if not rows:
                raise
            # Every further k would fail as well: rows that are equal cannot be told apart.
            reason = str(error).partition(": ")[2]
            message = f"candidates from k={k} on were left out: {reason}"
            warnings.warn(message, UserWarning, stacklevel=2)
        except KeyboardInterrupt:
            if not rows:
                raise
            message = f"interrupted: {len(rows)} of {len(ks)} candidates were fitted"
            warnings.warn(message, UserWarning, stacklevel=2)
    table = xr.Dataset(
        {name: ("k", [rows[k][name] for k in rows], CRITERIA[name].attrs) for name in names},
        {"k": list(rows)},
    )
    return Sweep(table, models, method, options, samples, prepared.reduction)


def _fit_of(prepared: Prepared, estimator: Any) -> Fit:
    labels = fitting.row_labels(estimator, prepared.X)
    centers = fitting.raw_centers(estimator)
    if centers is None:
        centers = fitting.mean_rows(prepared, estimator, int(labels.max()) + 1)
    return Fit(prepared.X, prepared.weight, estimator, labels, centers)


def _within_rows(ks: Sequence[int], n_rows: int) -> list[int]:
    kept = [k for k in ks if k <= n_rows]
    if not kept:
        rule = f"are all more than the {n_rows:,} samples"
        raise ValueError(complaint("ks", list(ks), rule, "choose smaller ones"))
    if len(kept) < len(ks):
        message = f"candidates above the {n_rows:,} samples were left out"
        warnings.warn(message, UserWarning, stacklevel=4)
    return kept


def _fit_k(prepared: Prepared, method: Method, k: int, before: Any) -> tuple[Any, Record]:
    """Fit one k quickly: one start, the centres of k - 1 and one more where there are any."""
    if isinstance(before, Hierarchical):
        estimator = before.recut(k)
        return estimator, fitting.count_labels(prepared, estimator)
    params: dict[str, Any] = {"n_init": 1}
    if isinstance(before, KMeans) and before.n_clusters == k - 1:
        params["init"] = grow(before.cluster_centers_, prepared.X, prepared.weight)
    return fitting.fit_clusterer(prepared, _built(method, prepared, k, **params), progress=False)
