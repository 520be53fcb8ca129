"""Rows in the order in which the user sees the samples, for parameters that number the samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from xcluster.base.errors import BadValueError
from xcluster.chain.steps import is_precomputed
from xcluster.fit import indexed
from xcluster.fit.fitting import Prepared
from xcluster.fit.methods import Method
from xcluster.grid.layout import Layout, flat_features
from xcluster.grid.neighbours import places

Array = NDArray[Any]


def aligned(method: Method, prepared: Prepared) -> tuple[Method, Prepared]:
    """Return a method and the rows for it, with rows and samples of the same number.

    Rows are put into the order of the user's grid, incomplete ones left out, if parameters of the
    user's own clusterer may number them.
    """
    if method.takes_keywords:
        return method, prepared
    record, estimator = prepared.record, method.estimator
    numbering = [*method.indexed, *indexed.by_row(estimator, record.complete)]
    if not (numbering or indexed.has_functions(estimator)):
        return method, prepared
    scenes = prepared.reduction.layout.scenes
    if record.fitted < record.complete or len(scenes) > 1:
        if numbering:
            raise _unnumbered(numbering[0], len(scenes))
        return method, prepared
    place = places(prepared.reduction.layout, prepared.key)
    order = np.argsort(place)
    weight = None if prepared.weight is None else prepared.weight[order]
    data = None if prepared.data is None else prepared.data[order]
    rows = replace(prepared, X=prepared.X[order], weight=weight, key=prepared.key[order], data=data)
    params = dict(_of_samples(estimator, rows, place[order]))
    return method.with_params(params), rows


def _unnumbered(name: str, n_scenes: int) -> BadValueError:
    found = "pooled scenes" if n_scenes > 1 else "a sample of the rows"
    rule = f"numbers the samples of one grid, and {found} has other numbers"
    remedy = "cluster one object of at most 1,000,000 grid points, without fit_on="
    return BadValueError(name.rpartition("__")[2], "given", rule, remedy)


def _of_samples(estimator: Any, rows: Prepared, place: Array) -> Iterator[tuple[str, Any]]:
    """Yield parameters that fit the samples at these places of the grid."""
    for name in indexed.by_place(estimator):
        value = estimator.get_params(deep=True)[name]
        if is_precomputed(value):
            yield "columns", _columns(rows, name, value, place)
        else:
            yield name, _graph(value, rows.reduction.layout, place)


def _graph(graph: Any, layout: Layout, place: Array) -> Any:
    graph = csr_array(graph) if issparse(graph) else np.asarray(graph)
    n, n_points = len(place), layout.n_points
    if graph.shape == (n_points, n_points):
        return graph[place][:, place]
    if graph.shape != (n, n):
        rule = f"must have the shape {(n, n)} of the complete samples, in the order of the grid"
        rule += "" if n == n_points else f", or {(n_points, n_points)} of all grid points"
        remedy = "leave the other samples out of it, as grid_to_graph(mask=...) does"
        raise BadValueError("connectivity", graph.shape, rule, remedy)
    return graph


def _columns(rows: Prepared, name: str, value: str, place: Array) -> Array:
    """Return the columns that hold the distances to the samples at these places of the grid."""
    layout, parameter = rows.reduction.layout, name.rpartition("__")[2]
    if rows.reduction.chain.steps:
        rule = f"takes distances as they are, but {rows.reduction.chain.names[0]}() changes them"
        raise BadValueError(parameter, value, rule, "leave the steps out")
    shape = rows.X.shape
    if len(layout.variables) > 1 or shape[1] != layout.n_points:
        rule = f"needs the distance of each sample to all {layout.n_points:,} grid points as its "
        rule += f"features, but the rows have the shape {shape}"
        remedy = "pass distances over the samples and one further dim: pixels(dim='other')"
        raise BadValueError(parameter, value, rule, remedy)
    ((template, dims),) = ((each.template, each.feature_dims) for each in layout.variables.values())
    number = template.copy(data=np.arange(template.size).reshape(template.shape))
    return np.argsort(flat_features(number, dims))[place]
