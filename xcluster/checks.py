"""Validators that return the normalised value, and the one form that every error takes."""

from __future__ import annotations

import difflib
import numbers
import sys
import warnings
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


def complaint(parameter: str, value: object, rule: str, remedy: str) -> str:
    """Say which parameter, what it was, which rule it broke and what to do."""
    return f"{parameter}={value!r}: {rule}. {remedy[:1].upper()}{remedy[1:]}."


@contextmanager
def as_typed(names: Mapping[str, str]) -> Iterator[None]:
    """Let errors about an estimator's parameter name the one that the user typed."""
    try:
        yield
    except ValueError as error:
        name, _, rest = str(error).partition("=")
        if name not in names:
            raise
        raise ValueError(f"{names[name]}={rest}") from error


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line outside this package that led here, however deep the call."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("xcluster"):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def check_integer(parameter: str, value: Any, *, minimum: int, remedy: str = "") -> int:
    """Return ``value`` as an int of at least ``minimum``; bools and floats are refused."""
    rule = f"must be an integer of at least {minimum}"
    remedy = remedy or f"pass {parameter}={minimum} or more"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(complaint(parameter, value, rule, remedy))
    if value < minimum:
        raise ValueError(complaint(parameter, value, rule, remedy))
    return int(value)


def check_number(
    parameter: str, value: Any, *, above: float | None = None, minimum: float | None = None
) -> float:
    """Return ``value`` as a finite float above (or at least) the bound."""
    bound = f" above {above}" if above is not None else f" of at least {minimum}"
    rule = "must be a finite number" + (bound if (above, minimum) != (None, None) else "")
    remedy = f"pass a number, for example {parameter}={1.0 + max(above or 0.0, minimum or 0.0)}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(complaint(parameter, value, rule, remedy))
    number = float(value)
    too_small = (above is not None and not number > above) or (
        minimum is not None and not number >= minimum
    )
    if too_small or number != number or number in (float("inf"), float("-inf")):
        raise ValueError(complaint(parameter, value, rule, remedy))
    return number


def check_choice(parameter: str, value: Any, choices: Iterable[Any]) -> Any:
    """Return ``value`` where it is one of ``choices``; the error names the nearest."""
    choices = tuple(choices)
    if any(
        value is choice or (type(value) is type(choice) and value == choice) for choice in choices
    ):
        return value
    rule = f"must be one of {', '.join(map(repr, choices))}"
    raise ValueError(complaint(parameter, value, rule, did_you_mean(value, choices)))


def did_you_mean(value: object, names: Iterable[Hashable]) -> str:
    """Name the nearest of ``names``, or all of them where none is near."""
    texts = [str(name) for name in names]
    near = difflib.get_close_matches(str(value), texts, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"[:-1]
    return f"choose from {', '.join(map(repr, texts))}" if texts else "there is nothing to choose"
