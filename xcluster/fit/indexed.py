"""Parameters of the user's own clusterer that belong to single samples.

Rows are fitted in an order that follows from their values. These parameters know the samples by
their number on the user's grid instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import issparse

from xcluster.chain.steps import is_precomputed


def by_place(estimator: Any) -> list[str]:
    """Return the parameters that make labels follow from where samples lie: graphs, distances."""
    return [
        name
        for name, value in _parameters(estimator)
        if (is_graph(name) and length(value) is not None) or is_precomputed(value)
    ]


def by_row(estimator: Any, n_rows: int) -> list[str]:
    """Return the parameters that hold numbers of rows, or one entry for each of ``n_rows``."""
    return [
        name
        for name, value in _parameters(estimator)
        if (name.endswith("init") and _are_row_numbers(value))
        or any(length(each) == n_rows for each in (value, *_held(value)))
    ]


def has_functions(estimator: Any) -> bool:
    """Whether a parameter is a function, which may keep something for each row that it gets."""
    return any(_is_function(value) for _, value in _parameters(estimator))


def forget_graphs(estimator: Any) -> None:
    """Delete graphs of the fitted rows, so that a result does not grow with its data."""
    for each in (estimator, getattr(estimator, "estimator_", None)):
        if each is not None:
            names = [name for name, _ in _parameters(each) if is_graph(name)]
            each.set_params(**dict.fromkeys(names))


def is_graph(name: str) -> bool:
    """Whether a parameter, perhaps of an inner estimator, says which samples are neighbours."""
    return name.rpartition("__")[2] == "connectivity"


def length(value: Any) -> int | None:
    """Return the number of rows of an array or a list; None for everything else."""
    if issparse(value) or isinstance(value, list | tuple) or hasattr(value, "__array__"):
        shape = value.shape if hasattr(value, "shape") else (len(value),)
        return int(shape[0]) if shape else None
    return None


def _parameters(estimator: Any) -> Iterator[tuple[str, Any]]:
    yield from estimator.get_params(deep=True).items()


def _are_row_numbers(value: Any) -> bool:
    listed = isinstance(value, list | tuple | np.ndarray) and bool(length(value))
    return listed and all(isinstance(each, int | np.integer) for each in value)


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, type) and not hasattr(value, "get_params")


def _held(value: Any) -> Iterator[Any]:
    """Yield what a function keeps: arguments, variables of its scope, attributes of its object."""
    if isinstance(value, partial):
        yield from (*value.args, *value.keywords.values(), *_held(value.func))
    elif inspect.isfunction(value):
        found = inspect.getclosurevars(value)
        yield from (*found.nonlocals.values(), *found.globals.values(), *(value.__defaults__ or ()))
    elif _is_function(value):
        yield from vars(getattr(value, "__self__", value)).values()
