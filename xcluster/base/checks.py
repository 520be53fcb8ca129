"""Checks of values: each returns the value in its normal form, or raises an error."""

from __future__ import annotations

import difflib
import math
import numbers
import os
import sys
import textwrap
import warnings
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.base.errors import (
    SHOWN,
    BadFileError,
    BadParameterError,
    BadTypeError,
    BadValueError,
    like_theirs,
)

LARGEST_INTEGER = 2**31 - 1
LARGEST_SEED = 2**32 - 1


@contextmanager
def as_typed(names: Mapping[str, str]) -> Iterator[None]:
    """Let errors about an estimator's parameter name the one that the user typed."""
    try:
        yield
    except BadParameterError as error:
        if error.parameter not in names:
            raise
        raise error.named(names[error.parameter]) from error


@contextmanager
def blamed(parameter: str, value: object, remedy: str) -> Iterator[None]:
    """Say which parameter is why other software failed; the error is raised from theirs."""
    try:
        yield
    except BadParameterError:
        raise
    except Exception as error:
        if _is_interrupt(error):
            raise KeyboardInterrupt from error
        said = textwrap.shorten(str(error).rstrip(". "), 2 * SHOWN, placeholder=" (and so on)")
        rule = f"failed with {type(error).__name__}" + (f", {said}" if said else "")
        raise BadValueError(parameter, value, rule, remedy) from error


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: compiled code makes a SystemError of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line outside this package that led here, however deep the call."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_inside(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _is_inside(module: str) -> bool:
    """Whether a module is ours, or between two of ours as cached properties are."""
    return module.startswith("xcluster") or module == "functools"


def check_integer(
    parameter: str, value: Any, *, minimum: int, maximum: int = LARGEST_INTEGER, remedy: str = ""
) -> int:
    """Return ``value`` as an int within bounds; bools and floats are refused."""
    rule = f"must be an integer of at least {minimum}"
    remedy = remedy or f"pass {parameter}={minimum} or more"
    if not _is_a(numbers.Integral, value):
        raise BadTypeError(parameter, value, rule, remedy)
    if value < minimum:
        raise BadValueError(parameter, value, rule, remedy)
    if value > maximum:
        rule = f"must be an integer of at most {maximum}"
        raise BadValueError(parameter, value, rule, f"pass {parameter}={maximum} or less")
    return int(value)


def check_seed(parameter: str, value: Any) -> int:
    """Return ``value`` as a seed of random numbers."""
    remedy = f"pass {parameter}=0, for example"
    return check_integer(parameter, value, minimum=0, maximum=LARGEST_SEED, remedy=remedy)


def check_number(
    parameter: str,
    value: Any,
    *,
    above: float | None = None,
    minimum: float | None = None,
    maximum: float = math.inf,
    remedy: str = "",
) -> float:
    """Return ``value`` as a finite float within bounds."""
    rule = "must be a finite number"
    if above is not None:
        rule += f" above {above}"
    elif minimum is not None:
        rule += f" of at least {minimum}"
    example = 1.0 + max(above or 0.0, minimum or 0.0)
    remedy = remedy or f"pass a number, for example {parameter}={example}"
    if not _is_a(numbers.Real, value):
        raise BadTypeError(parameter, value, rule, remedy)
    number = _as_float(value)
    too_small = number < (-math.inf if minimum is None else minimum)
    too_small |= above is not None and number <= above
    if too_small or not math.isfinite(number):
        raise BadValueError(parameter, value, rule, remedy)
    if number > maximum:
        raise BadValueError(parameter, value, f"must be at most {maximum:g}", remedy)
    return number


def _as_float(value: Any) -> float:
    """Return a number as a float, infinite where it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_a(kind: type, value: Any) -> bool:
    """Whether a value is such a number; numpy counts its time spans as integers."""
    return isinstance(value, kind) and not isinstance(value, bool | np.timedelta64)


def check_numbers(parameter: str, value: Any, remedy: str) -> NDArray[np.float64]:
    """Return ``value`` as an array of finite float64."""
    rule = "must be finite numbers"
    try:
        array = _real_numbers(value)
    except Exception as error:  # whatever the object's own conversion says
        raise BadTypeError(parameter, value, rule, remedy) from error
    if array is None:
        raise BadTypeError(parameter, value, rule, remedy)
    if not np.isfinite(array).all():
        raise BadValueError(parameter, value, rule, remedy)
    return array


def _real_numbers(value: Any) -> NDArray[np.float64] | None:
    """Return an array; None for text, dates and complex numbers, of which numpy makes real ones."""
    array = np.asarray(value)
    return array.astype(np.float64) if array.dtype.kind in "biufO" else None


def check_object(parameter: str, value: Any, kinds: tuple[type, ...]) -> Any:
    """Return ``value`` where it is a DataArray or Dataset, as ``kinds`` says."""
    if not isinstance(value, kinds):
        names = " or a ".join(kind.__name__ for kind in kinds)
        remedy = f"pass a {kinds[0].__name__}, for example one variable of a Dataset"
        raise BadTypeError(parameter, type(value), f"must be a {names}", remedy)
    return value


def check_text(parameter: str, value: Any) -> str:
    """Return ``value`` where it is text."""
    if not isinstance(value, str):
        raise BadTypeError(parameter, value, "must be text", f"pass {parameter}='...'")
    return value


def check_flag(parameter: str, value: Any) -> bool:
    """Return ``value`` where it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise BadTypeError(parameter, value, "must be True or False", f"pass {parameter}=True")
    return bool(value)


def check_path(parameter: str, value: Any) -> Path:
    """Return ``value`` as a path; it need not exist."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        rule = "must be text or a pathlib.Path"
        raise BadTypeError(parameter, value, rule, f"pass {parameter}='result.nc'")
    if "\0" in os.fspath(value) or not os.fspath(value):
        raise BadValueError(parameter, value, "names no file", f"pass {parameter}='result.nc'")
    return Path(value)


@contextmanager
def blamed_path(parameter: str, value: object) -> Iterator[None]:
    """Say which path cannot be read or written."""
    try:
        yield
    except BadFileError:
        raise
    except OSError as error:
        rule = f"cannot be used: {error.strerror or error}"
        remedy = "pass the path of a file in a folder that exists and may be written"
        raise like_theirs(type(error))(parameter, str(value), rule, remedy) from error


def several(parameter: str, value: Any, rule: str, remedy: str) -> list[Any]:
    """Return ``value`` as a list; text, mappings and what cannot be iterated are refused."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise BadTypeError(parameter, value, rule, remedy)
    try:
        return list(value)
    except TypeError as error:  # an array without dims
        raise BadTypeError(parameter, value, rule, remedy) from error


def is_text(value: Any, text: str) -> bool:
    """Whether a value is this text; arrays would compare their entries."""
    return isinstance(value, str) and value == text


def is_one_of(value: Any, names: Collection[Hashable]) -> bool:
    """Whether a value is one of these names; False for what has no hash."""
    try:
        hash(value)
    except TypeError:
        return False
    return value in names


def check_hashable(parameter: str, names: Iterable[Any]) -> None:
    """Refuse names that cannot be names."""
    for name in names:
        try:
            hash(name)
        except TypeError as error:
            rule = "cannot be a name"
            raise BadTypeError(parameter, name, rule, "pass names, as text") from error


def check_choice(parameter: str, value: Any, choices: Iterable[Any]) -> Any:
    """Return ``value`` where it is one of ``choices``; the error names the nearest."""
    choices = tuple(choices)
    if any(_is_same(value, choice) for choice in choices):
        return value
    one_of = "one of " if len(choices) > 1 else ""
    rule = f"must be {one_of}{', '.join(map(repr, choices))}"
    remedy = "pass one of these" if one_of else f"pass {choices[0]!r}"
    raise BadValueError(parameter, value, rule, did_you_mean(value, choices, remedy))


def _is_same(value: Any, choice: Any) -> bool:
    """Whether a value is a choice; True is not 1, and arrays would compare their entries."""
    return value is choice or (type(value) is type(choice) and bool(value == choice))


def did_you_mean(value: object, names: Iterable[Hashable], otherwise: str = "") -> str:
    """Name the nearest of ``names``; where none is near, say ``otherwise``, or all of them."""
    named = {str(name): repr(name) for name in names}
    near = difflib.get_close_matches(str(value), named, n=1, cutoff=0.5)
    if near:
        return f"did you mean {named[near[0]]}?"
    every = f"choose from {', '.join(named.values())}" if named else "there is nothing to choose"
    return otherwise or every
