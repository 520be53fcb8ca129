"""How many labels: a fit for each k, criteria over k, and the choice among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.utils.validation import has_fit_parameter

from xcluster.algorithms.hierarchical import Hierarchical
from xcluster.base.checks import as_typed, check_choice, check_integer, several, warn
from xcluster.base.errors import BadValueError
from xcluster.chain.question import layout_of
from xcluster.chain.reduction import Reduction
from xcluster.fit import candidates, conclusion, fitting
from xcluster.fit.criteria import CRITERIA, available
from xcluster.fit.methods import Method, Options, split_keywords

if TYPE_CHECKING:
    from xcluster.api.clustering import Clustering
    from xcluster.api.samples import Samples
    from xcluster.fit.fitting import Prepared
    from xcluster.fit.record import Record
    from xcluster.plot.sweep import SweepPlot

Array = NDArray[Any]

DEFAULT_KS = range(2, 21)
FALLBACK = "simplified_silhouette"
FALLBACKS = (FALLBACK, "silhouette")
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
    key : array, optional
        Canonical position of each fitted row, where labels depend on neighbours on the grid.

    Examples
    --------
    >>> import xcluster
    >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
    >>> sweep = ds.cluster.pixels().sweep(range(2, 6))
    >>> sweep.table.k.values.tolist()
    [2, 3, 4, 5]
    """

    table: xr.Dataset
    models: Mapping[int, tuple[Any, Record]]
    method: Method
    options: Options
    samples: Samples | None = None
    reduction: Reduction | None = None
    key: Array | None = None

    def best(self, criterion: str | None = None) -> int:
        """Return the k that a criterion chooses.

        Parameters
        ----------
        criterion : str, optional
            One of the table; by default the method's own (a knee of the distortion, or the
            lowest BIC), or the first where that was not measured.

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
            If the table lacks the criterion, or has no knee and no silhouette to go by.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> sweep = ds.cluster.pixels().sweep(range(2, 6))
        >>> sweep.best("simplified_silhouette") in range(2, 6)
        True
        """
        return self._choose(criterion)[0]

    def _choose(self, criterion: str | None) -> tuple[int, str]:
        """Return k and, where it is not plainly the criterion's, a note why."""
        choosing = self._choosing
        own = str(self.method.criterion)
        if criterion is None:
            criterion = own if own in choosing else choosing[0]
        check_choice("criterion", criterion, tuple(choosing))
        chosen = CRITERIA[criterion].choose(self.table, criterion, self.options)
        if chosen is not None:
            return int(chosen), ""
        return self._fall_back(criterion)

    def _fall_back(self, criterion: str) -> tuple[int, str]:
        """Return the k of the best silhouette, and why it had to choose."""
        ks = self.table["k"].values
        none = f"{criterion} has no knee for k = {ks[0]} to {ks[-1]}"
        measured = [name for name in FALLBACKS if name in self.table]
        measured = [name for name in measured if np.isfinite(self.table[name]).any()]
        if not measured:
            remedy = f"widen the range, or measure criteria=[{criterion!r}, {FALLBACK!r}]"
            raise BadValueError("criterion", criterion, none, remedy)
        chosen = int(self.table[measured[0]].idxmax())
        note = f"{none}; k={chosen} has the best {CRITERIA[measured[0]].long_name}"
        warn(f"{note}. Choose k yourself, or widen the range.")
        return chosen, note

    @property
    def _choosing(self) -> list[str]:
        """The criteria of the table that can choose."""
        names = map(str, self.table)
        return [name for name in names if CRITERIA[name].better is not None]

    def agreement(self) -> xr.Dataset:
        """Return what each criterion would choose, side by side.

        Returns
        -------
        Dataset with ``chosen`` over ``criterion`` (0 where there is no knee), and the attribute
        ``agree``: 1 where all that choose choose the same.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> sweep = ds.cluster.pixels().sweep(range(2, 6))
        >>> sweep.agreement().criterion.values.tolist()
        ['distortion', 'simplified_silhouette']
        """
        names = self._choosing
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

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> sweep = ds.cluster.pixels().sweep(range(2, 6))
        >>> sweep.clustering(3).k
        3
        """
        if self.samples is None or self.reduction is None:
            rule = "its models were not saved with the sweep"
            raise BadValueError("k", k, rule, f"refit with k={k}")
        check_choice("k", k, tuple(self.models))
        estimator, record = self.models[k]
        return conclusion.conclude(
            self.samples, self.reduction, self.method, estimator, record, self.options, self
        )

    @property
    def plot(self) -> SweepPlot:
        """Figures: ``plot()`` draws one panel a criterion, the choice marked.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> ds.cluster.pixels().sweep(range(2, 6)).plot()  # doctest: +SKIP
        """
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
    if k > layout_of(samples).n_pooled:
        rule = f"is more than the {layout_of(samples).n_pooled:,} grid points"
        raise BadValueError("k", k, rule, "choose a smaller k")


def _check(samples: Samples, method: Method, options: Options) -> None:
    """Refuse before anything is read what cannot be fitted, or answered afterwards."""
    layout = layout_of(samples)
    fitting.check_fits(layout, method, options)
    conclusion.check_options(layout, method, options)


def _single(samples: Samples, method: Method, k: int | None, options: Options) -> Clustering:
    _check(samples, method, options)
    weighs = has_fit_parameter(method.estimator, "sample_weight")
    prepared = fitting.prepare(samples, options, k if k and weighs else 1)
    estimator = candidates.built(method, prepared, k)
    estimator, record = fitting.fit_clusterer(prepared, estimator, options.progress)
    return conclusion.conclude(
        samples, prepared.reduction, method, estimator, record, options, prepared=prepared
    )


def _chosen(samples: Samples, method: Method, ks: Iterable[int], options: Options) -> Clustering:
    _check(samples, method, options)
    prepared = fitting.prepare(samples, options)
    swept = run(samples, prepared, method, check_ks(ks), None, options, unfinished=False)
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
    estimator = candidates.built(method, prepared, k)
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
    _check(samples, method, options)
    prepared = replace(fitting.prepare(samples, options), blocks=None)
    with as_typed(SPEAKS_OF_K):
        return run(samples, prepared, method, wanted, names, options)


def check_ks(ks: Iterable[int]) -> list[int]:
    """Return the candidates, each once and rising."""
    if isinstance(ks, int) and not isinstance(ks, bool):
        ks = [ks]
    listed = several("ks", ks, "must be several integers", "pass range(2, 21)")
    wanted = sorted({check_integer("k", k, minimum=1) for k in listed})
    if not wanted:
        raise BadValueError("ks", ks, "holds no candidate", "pass range(2, 21)")
    return wanted


def check_criteria(criteria: Any, method: Method) -> list[str] | None:
    """Return the names of the criteria that are wanted; refuse what the method cannot give."""
    if criteria is None:
        return None
    remedy = "pass criteria=['silhouette'], for example"
    names = (
        [criteria]
        if isinstance(criteria, str)
        else several("criteria", criteria, "must be one name or several", remedy)
    )
    if not names:
        raise BadValueError("criteria", criteria, "holds no name", remedy)
    for name in names:
        check_choice("criteria", name, tuple(CRITERIA))
        if not CRITERIA[name].suits(method):
            rule = f"{method.name}() cannot give it; must be one of {', '.join(available(method))}"
            raise BadValueError("criteria", name, rule, "choose among these")
    if {"gap", "gap_error"} & set(names):  # the one chooses by the other
        names = [*names, "gap", "gap_error"]
    return list(dict.fromkeys(names))


def run(
    samples: Samples,
    prepared: Prepared,
    method: Method,
    ks: Sequence[int],
    criteria: Sequence[str] | None,
    options: Options,
    unfinished: bool = True,
) -> Sweep:
    """Fit each k to the same rows, and measure the criteria; some k only, if interrupted."""
    names = list(criteria or dict.fromkeys([str(method.criterion), FALLBACK]))
    table, models = candidates.fit_all(prepared, method, ks, names, options.progress, unfinished)
    key = None if method.neighbours is None else prepared.key
    return Sweep(table, models, method, options, samples, prepared.reduction, key)
