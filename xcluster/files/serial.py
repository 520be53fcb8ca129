"""Estimators as parameters and arrays, which are read without running any code of the file.

Values become JSON, and arrays go into a table beside it. Only classes of scikit-learn and of this
package are rebuilt, by name. Everything else is foreign: it is stored as skops bytes, which are
refused unless the user names their types.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from xcluster.base.arrays import Array
from xcluster.base.errors import BadTypeError

Arrays = dict[str, Array]

OWN_PACKAGES = ("sklearn.", "xcluster.")
CONSTRUCTION = {"__new__", "__reduce__", "__reduce_ex__", "__setstate__", "__slots__"}
KINDS = "biufUS"
"""Kinds of dtypes that arrays of both formats can have."""
PLAIN = (bool, int, float, str, type(None))


FIT_ONLY = {
    "sklearn.cluster._birch:Birch": {"root_", "dummy_leaf_"},
    "sklearn.cluster._bisect_k_means:BisectingKMeans": {"_kmeans_single"},
}
"""Attributes that an estimator needs only to continue fitting, and that arrays cannot hold."""


class ForeignError(TypeError):
    """A value that cannot be written as parameters and arrays."""


class RefusedError(ValueError):
    """A type that may not be loaded: which rule it breaks, and what to do."""

    def __init__(self, rule: str, remedy: str) -> None:
        super().__init__(f"{rule}. {remedy[:1].upper()}{remedy[1:]}.")
        self.rule, self.remedy = rule, remedy


def encode_estimator(estimator: Any, arrays: Arrays) -> Any:
    """Return a fitted estimator as JSON values, its arrays added to ``arrays``."""
    added: Arrays = {}
    try:
        encoded = encode(estimator, added, start=len(arrays))
    except (ForeignError, RecursionError):
        return _encode_foreign(estimator, arrays)
    arrays.update(added)
    return encoded


def encode(value: Any, arrays: Arrays, start: int = 0) -> Any:
    """Return ``value`` as JSON values; a structure becomes a mapping with one tag."""
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, np.generic):
        return encode(value.item(), arrays, start)
    if isinstance(value, np.ndarray) and (names := _plain_fields(value.dtype)):
        return {"fields": [[name, encode(value[name], arrays, start)] for name in names]}
    if isinstance(value, np.ndarray):
        return {"array": _keep(value, arrays, start)}
    if isinstance(value, list | tuple):
        tag = "list" if isinstance(value, list) else "tuple"
        return {tag: [encode(each, arrays, start) for each in value]}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"dict": {key: encode(each, arrays, start) for key, each in value.items()}}
    if isinstance(value, np.random.RandomState):
        return {"random_state": encode(value.get_state(legacy=True), arrays, start)}
    if isinstance(value, BaseEstimator):
        return _encode_part(value, arrays, start)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # Defaults are left out: older versions do not know all fields.
        fields = {field.name: field.default for field in dataclasses.fields(value)}
        state = {n: getattr(value, n) for n in fields if getattr(value, n) is not fields[n]}
        return _encode_object("dataclass", value, state, arrays, start)
    if _is_plain(type(value)):
        return _encode_object("object", value, dict(vars(value)), arrays, start)
    raise ForeignError(f"{type(value).__module__}.{type(value).__qualname__}")


def _encode_part(estimator: Any, arrays: Arrays, start: int) -> Any:
    """Return an estimator as parameters and arrays if possible, otherwise as foreign."""
    added: Arrays = {}
    state = _estimator_state(estimator)
    try:
        encoded = _encode_object("estimator", estimator, state, added, start + len(arrays))
    except ForeignError:
        return _encode_foreign(estimator, arrays, start)
    arrays.update(added)
    return encoded


def _is_plain(cls: Any) -> bool:
    """Whether objects of a class of scikit-learn consist of nothing but their attributes."""
    own = {name for each in cls.__mro__[:-1] for name in vars(each)}
    return cls.__module__.startswith("sklearn.") and not own & CONSTRUCTION


def _plain_fields(dtype: np.dtype[Any]) -> tuple[str, ...]:
    """Return the fields of an array; none where one of them cannot be stored as an array."""
    names = dtype.names or ()
    return names if all(dtype[name].kind in KINDS for name in names) else ()


def _keep(value: Array, arrays: Arrays, start: int) -> str:
    if value.dtype.kind not in KINDS:
        raise ForeignError(f"array of {value.dtype}")
    name = f"array_{start + len(arrays)}"
    arrays[name] = value
    return name


def _estimator_state(estimator: Any) -> dict[str, Any]:
    params = estimator.get_params(deep=False)
    left_out = {*params, *FIT_ONLY.get(_full_name(type(estimator)), ())}
    fitted = {name: each for name, each in vars(estimator).items() if name not in left_out}
    return {"params": params, "fitted": fitted}


def _encode_object(
    tag: str, value: Any, state: Mapping[str, Any], arrays: Arrays, start: int
) -> Any:
    name = _full_name(type(value))
    if not name.startswith(OWN_PACKAGES):
        raise ForeignError(name)
    return {tag: name, "state": {key: encode(each, arrays, start) for key, each in state.items()}}


def _full_name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def decode(encoded: Any, arrays: Mapping[str, Array], trusted: Collection[str] = ()) -> Any:
    """Return the value that `encode` wrote."""
    if isinstance(encoded, PLAIN):
        return encoded
    if not isinstance(encoded, dict):
        raise ValueError(f"{type(encoded).__name__} is not the form of any value")
    if "array" in encoded:
        return np.array(arrays[encoded["array"]])
    if "fields" in encoded:
        return _structured({name: decode(each, arrays) for name, each in encoded["fields"]})
    if "list" in encoded:
        return [decode(each, arrays, trusted) for each in encoded["list"]]
    if "tuple" in encoded:
        return tuple(decode(each, arrays, trusted) for each in encoded["tuple"])
    if "dict" in encoded:
        return {key: decode(each, arrays, trusted) for key, each in encoded["dict"].items()}
    if "skops" in encoded:
        return _decode_foreign(encoded, arrays, trusted)
    if "random_state" in encoded:
        random = np.random.RandomState()
        random.set_state(decode(encoded["random_state"], arrays, trusted))
        return random
    state = {key: decode(each, arrays, trusted) for key, each in encoded["state"].items()}
    if "estimator" in encoded:
        estimator = _own_class(encoded["estimator"], BaseEstimator)(**state["params"])
        vars(estimator).update(state["fitted"])
        return estimator
    if "object" in encoded:
        plain = object.__new__(_own_class(encoded["object"], object))
        vars(plain).update(state)
        return plain
    return _own_class(encoded["dataclass"], object)(**state)


def _structured(fields: Mapping[str, Array]) -> Array:
    """Return arrays of the same shape as one array with fields."""
    shape = next(iter(fields.values())).shape
    whole = np.empty(shape, [(name, each.dtype) for name, each in fields.items()])
    for name, each in fields.items():
        whole[name] = each
    return whole


def _own_class(name: str, base: type) -> Any:
    """Return a class of scikit-learn or of this package; nothing else is looked up."""
    module, _, qualname = name.partition(":")
    if not name.startswith(OWN_PACKAGES) or not qualname.isidentifier():
        raise RefusedError(f"names the type {name!r}, which may not be loaded", REFUSED)
    found = getattr(import_module(module), qualname, None)
    # Classes that our modules import from elsewhere are not ours.
    ours = isinstance(found, type) and _full_name(found).startswith(OWN_PACKAGES)
    if not ours or not issubclass(found, base):  # type: ignore[arg-type]
        raise RefusedError(f"names {name!r}, which is not an estimator", REFUSED)
    if base is not BaseEstimator and not dataclasses.is_dataclass(found) and not _is_plain(found):
        raise RefusedError(f"names {name!r}, which is not a part of an estimator", REFUSED)
    return found


REFUSED = "do not open the file if you do not know where it comes from"


def _encode_foreign(estimator: Any, arrays: Arrays, start: int = 0) -> Any:
    from skops.io import dumps, get_untrusted_types

    cls, name = type(estimator), f"array_{start + len(arrays)}"
    try:
        data = dumps(estimator)
        unnamed = [each for each in get_untrusted_types(data=data) if "<" in each]
    except Exception as error:  # UnsupportedTypeException, and errors of pickling some objects
        raise _unreadable(cls, "an object") from error
    if unnamed:  # functions within functions, which no name brings back
        raise _unreadable(cls, f"the function {unnamed[0].rpartition('.')[2]}")
    arrays[name] = np.frombuffer(data, np.uint8)
    return {"skops": name, "type": f"{cls.__module__}.{cls.__qualname__}"}


def _unreadable(cls: type, what: str) -> BadTypeError:
    rule = f"contains {what} that can only be read back by running code"
    remedy = "save .to_dataset() instead, or use another clusterer"
    return BadTypeError("clusterer", cls.__name__, rule, remedy)


def _decode_foreign(
    encoded: Mapping[str, Any], arrays: Mapping[str, Array], trusted: Collection[str]
) -> Any:
    from skops.io import get_untrusted_types, loads

    data = np.asarray(arrays[encoded["skops"]], np.uint8).tobytes()
    needed = sorted({str(encoded["type"]), *get_untrusted_types(data=data)} - set(trusted))
    if needed:
        rule = f"contains types of other packages: {', '.join(needed)}"
        raise RefusedError(rule, f"if you trust them, pass trusted={needed}")
    return loads(data, trusted=list(trusted))
