"""Calls and their keywords as text: what was fitted, as a reader would type it."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Mapping
from types import CodeType
from typing import Any

import numpy as np

SHOWN_VALUES = 4
"""Numbers of a list that are all shown."""

LONGEST = 60
"""Characters of another value that are all shown."""


def call_text(name: str, keywords: Mapping[str, str]) -> str:
    """Return a call as text, such as ``kmeans(k=8, metric='dtw')``; without keywords its name."""
    given = ", ".join(f"{name}={value}" for name, value in keywords.items())
    return f"{name}({given})" if given else name


def changed(
    estimator: Any, defaults: Mapping[str, Any] | None = None, hidden: Iterable[str] = ()
) -> dict[str, str]:
    """Return the parameters of an estimator that differ from its defaults, as text.

    ``defaults`` replace some of its own. Parameters that are ``hidden`` are left out.
    """
    params = estimator.get_params(deep=False)
    usual = {**_defaults(type(estimator)), **(defaults or {})}
    texts = {name: value_text(value) for name, value in params.items() if name not in set(hidden)}
    return {
        name: text
        for name, text in texts.items()
        if name not in usual or text != value_text(usual[name])
    }


def _defaults(cls: Any) -> dict[str, Any]:
    found = inspect.signature(cls).parameters.values()
    return {each.name: each.default for each in found if each.default is not each.empty}


def value_text(value: Any) -> str:
    """Return a value as short text; equal texts mean equal values.

    Of what is too long to show there is a checksum instead.
    """
    if isinstance(value, np.generic):
        return repr(value.item())
    if hasattr(value, "get_params") and not isinstance(value, type):
        return call_text(type(value).__name__, changed(value))
    if hasattr(value, "tocoo"):  # a sparse matrix
        entries = value.tocoo()
        parts = [np.asarray(each) for each in (entries.row, entries.col, entries.data)]
        return f"<{_sizes(value.shape)} sparse {_checksum(*parts)}>"
    array = _numbers(value)
    if array is not None:
        return _array_text(array)
    if hasattr(value, "__code__"):
        return f"<{value.__qualname__} {_checksum(_code_text(value.__code__))}>"
    return _shortened(_container_text(value))


def _numbers(value: Any) -> Any:
    """Return an array, or a list of numbers, as an array; None for all else."""
    if not (hasattr(value, "__array__") or isinstance(value, list)):
        return None
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):  # a Dataset, and rows of several lengths
        return None
    return None if isinstance(value, list) and array.dtype.kind not in "biuf" else array


def _container_text(value: Any) -> str:
    if type(value) is dict:
        pairs = (f"{value_text(key)}: {value_text(each)}" for key, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    if type(value) not in (list, tuple):
        return " ".join(repr(value).split())
    inside = ", ".join(map(value_text, value))
    if isinstance(value, list):
        return f"[{inside}]"
    return f"({inside},)" if len(value) == 1 else f"({inside})"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... <{_checksum(text)}>"


def _array_text(array: Any) -> str:
    if array.ndim < 2 and array.size <= SHOWN_VALUES:
        return repr(array.tolist())
    return f"<{_sizes(array.shape)} array {_checksum(array)}>"


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _code_text(code: CodeType) -> str:
    """Return what a function does, without where its code lies in memory or in a file."""
    inner = [_code_text(each) if isinstance(each, CodeType) else each for each in code.co_consts]
    return repr((code.co_code, code.co_names, inner))


def _checksum(*parts: Any) -> str:
    found = hashlib.sha256()
    for part in parts:
        numbers = isinstance(part, np.ndarray) and part.dtype != object
        found.update(part.tobytes() if numbers else str(part).encode())
    return found.hexdigest()[:8]
