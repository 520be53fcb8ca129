"""From a fitted clusterer to a result, with labels numbered in an order that reruns repeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.checks import blamed, is_one_of, is_text, warn
from xcluster.base.errors import BadTypeError, BadValueError, complaint
from xcluster.blocks import matrix
from xcluster.chain.latent import latent_dims
from xcluster.chain.question import Question
from xcluster.chain.reduction import Reduction
from xcluster.fit import fitting, indexed
from xcluster.fit.assign import Labeller
from xcluster.fit.candidates import Candidates
from xcluster.fit.fitted import Fitted
from xcluster.fit.fitting import Fit, Prepared
from xcluster.fit.labels import Partition, canonical_order
from xcluster.fit.means import Means
from xcluster.fit.methods import Method, Options, keywords_said
from xcluster.fit.record import Note, Record
from xcluster.fit.sources import Live
from xcluster.grid.layout import LABEL, Layout
from xcluster.grid.neighbours import rows_on_grid

Array = NDArray[Any]


def conclude(
    question: Question,
    reduction: Reduction,
    method: Method,
    fit: Fit,
    options: Options,
    sweep: Candidates | None = None,
    prepared: Prepared | None = None,
) -> Fitted:
    """Return the result with numbered labels; the estimator forgets the fitted rows."""
    estimator, record, means = fit
    centers = fitting.reduced_centers(estimator)
    if centers is None:
        assert prepared is not None, "only clusterers with centres are swept"
        centers = fitting.mean_rows(prepared, estimator, len(record.counts))
    partition = numbered(record, centers, means, reduction, method, options.order)
    rows = _fitted_rows(reduction.layout, method, estimator, _key(prepared, sweep))
    fitting.forget_rows(estimator)
    if not len(centers):
        warn(nothing_found(method, estimator))
    return Fitted(
        method_name=method.name,
        keywords=keywords_said(
            method, options, record.random_state, _k_said(method, estimator, sweep)
        ),
        sampler=question.sampler,
        template=reduction.layout.features,
        assign=Labeller(reduction.chain, estimator, partition, centers),
        record=replace(record, notes=(*record.notes, *notes(estimator, record, partition, method))),
        source=Live(question, rows, means),
        sweep=sweep,
        attrs=check_attrs(options.attrs),
        climatology=question.climatology,
        graph=None if method.neighbours is None else method.neighbours.graph,
    )


def _k_said(method: Method, estimator: Any, sweep: Candidates | None) -> str | None:
    """Return how many labels were asked for, and among which candidates, as text."""
    if method.parameter is None:
        return None
    k = str(estimator.get_params(deep=False)[method.parameter])
    return k if sweep is None else f"{k} of {sweep.keywords['k']}"


def _key(prepared: Prepared | None, sweep: Candidates | None) -> Array | None:
    """Return the canonical position of each fitted row, if it is known."""
    if prepared is not None:
        return prepared.key
    return None if sweep is None or sweep.fits is None else sweep.fits.key


def _fitted_rows(
    layout: Layout, method: Method, estimator: Any, key: Array | None
) -> xr.DataArray | None:
    """Return the number of the fitted row at each grid point, if labels depend on places."""
    if not method.placed or key is None:
        return None
    indexed.forget_graphs(estimator)
    return rows_on_grid(layout, key)


DENSER = {"eps": "raise", "min_cluster_size": "lower", "min_samples": "lower"}
"""How to change each parameter so that more samples count as dense."""


def nothing_found(method: Method, estimator: Any) -> str:
    """Return the message that every sample is noise, and what would change that."""
    parameters = estimator.get_params(deep=False)
    given = {name: parameters[name] for name in DENSER if parameters.get(name) is not None}
    remedies = [f"{DENSER[name]} {name}={value}" for name, value in given.items()]
    remedy = " or ".join(remedies) or "cluster with other parameters"
    return complaint("method", method.name, "found no group: every sample is noise", remedy)


def notes(estimator: Any, record: Record, partition: Partition, method: Method) -> list[Note]:
    """Return notes about the fit that the report should show."""
    said, codes = [], partition.codes
    by_size = method.reorders and not partition.ordered and partition.n_labels > 1
    if by_size and not record.all_fitted:
        said.append("labels were numbered by their size among the fitted samples")
    if getattr(estimator, "n_micro_", None) is not None:
        said.append(f"the tree stands on {estimator.n_micro_:,} micro-clusters")
    if hasattr(estimator, "quantization_error_"):
        said.append(f"quantisation error {estimator.quantization_error_:.4g}")
        said.append(f"topographic error {estimator.topographic_error_:.3f}")
    pairs = getattr(estimator, "coincident_", ())
    if len(pairs):
        named = ", ".join(f"{codes[a]} and {codes[b]}" for a, b in pairs)
        said.append(f"coincident centres: {named}")
    return [Note("clusterer", text) for text in said]


def check_options(layout: Layout, method: Method, options: Options) -> None:
    """Refuse wrong values that would otherwise raise an error only after the fit."""
    check_attrs(options.attrs)
    order, names = options.order, layout.shown
    if order is None or is_text(order, "size"):
        return
    if not method.reorders:
        rule = f"labels of {method.name}() are node numbers and keep their order"
        raise BadValueError("order", order, rule, "leave order out, or use merge_nodes(k)")
    if is_text(order, "center") and getattr(method.estimator, "centers_are_directions", False):
        rule = f"needs centres of the components, and those of {method.said} are directions"
        raise BadValueError("order", order, rule, "pass order='size'")
    if not (is_text(order, "center") or callable(order) or is_one_of(order, names)):
        rule = f"must be 'size', 'center', a callable, or one of {', '.join(map(repr, names))}"
        raise BadValueError("order", order, rule, "pass order='size'")


def numbered(
    record: Record,
    centers: Array,
    means: Means | None,
    reduction: Reduction,
    method: Method,
    order: Any,
) -> Partition:
    """Return the partition with labels in the order that the user asked for."""
    if not method.reorders:
        return Partition(np.arange(len(centers)))
    if order is None:
        order = "center" if latent_dims(reduction.chain) == 1 else "size"
    values = None if is_text(order, "size") else order_values(order, centers, means, reduction)
    codes = canonical_order(np.asarray(record.counts), centers, values)
    # DBSCAN can predict noise for other data, even if no fitted sample was noise.
    has_noise = record.unclassified > 0 or getattr(method.estimator, "leaves_noise", False)
    return Partition(codes, ordered=values is not None, has_noise=has_noise)


def order_values(order: Any, centers: Array, means: Means | None, reduction: Reduction) -> Array:
    """Return the values that the clusterer's numbers are ordered by."""
    if is_text(order, "center"):
        return np.asarray(centers.mean(axis=1))
    rows = reduction.chain.inverse(centers) if means is None else means.rows
    assert rows is not None, "there are means, unless centres are prototypes taken back"
    found = matrix.unpack(reduction.layout.features, rows, LABEL, np.arange(len(rows)))
    with blamed("order", order, "pass a function of a Dataset of centres over 'label'"):
        values = order(found) if callable(order) else found[order].mean(_others(found[order]))
    rule = f"must give one number for each of the {len(rows)} labels"
    try:
        values = np.asarray(values, float)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (len(rows),):
        raise BadValueError("order", order, rule, "average over the other dims, for example")
    return np.asarray(values)


def _others(array: xr.DataArray) -> list[Any]:
    return [dim for dim in array.dims if dim != LABEL]


def check_attrs(attrs: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the user's attributes; refuse values that files cannot hold."""
    if not isinstance(attrs, Mapping | None):
        rule = "must be a mapping of names to values"
        raise BadTypeError("attrs", attrs, rule, "pass attrs={'tag': ...}")
    kept = dict(attrs or {})
    for name, value in kept.items():
        fits = isinstance(value, str | int | float | np.ndarray | list)
        if not isinstance(name, str) or not fits or isinstance(value, bool):
            rule = f"holds {name!r}: {value!r}, but files hold text, numbers and lists of them"
            raise BadTypeError("attrs", name, rule, "turn it into text")
    return kept
