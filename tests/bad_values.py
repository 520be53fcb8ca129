"""Values that no method is meant to take, and the judge of what a method does with them."""

import contextlib
import datetime as dt
import decimal
import pickle
import re
import signal
import threading
import traceback
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import xcluster
from xcluster.base.errors import BadParameterError, shown

PACKAGE = str(Path(xcluster.__file__).parent)

NAME = re.compile(r"[\w .,'/]*")
"""What stands for a parameter; a scene or a variable may."""

TOO_LONG = 600
"""Characters of a message, as values of the user's may be huge."""

SECONDS = 20

DEPRECATIONS = DeprecationWarning, PendingDeprecationWarning, FutureWarning


def _elsewhere():
    grid = {"y": np.arange(3.0) + 100, "x": np.arange(2.0) - 50}
    return xr.DataArray(np.ones((3, 2)), grid, ("y", "x"), name="elsewhere")


VALUES = {
    "None": lambda: None,
    "True": lambda: True,
    "False": lambda: False,
    "0": lambda: 0,
    "-1": lambda: -1,
    "0.5": lambda: 0.5,
    "2.5": lambda: 2.5,
    "-0.5": lambda: -0.5,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: float("-inf"),
    "1e-300": lambda: 1e-300,
    "1e300": lambda: 1e300,
    "10**9": lambda: 10**9,
    "10**30": lambda: 10**30,
    "complex": lambda: 1 + 2j,
    "decimal": lambda: decimal.Decimal("NaN"),
    "numpy nan": lambda: np.float32("nan"),
    "numpy int": lambda: np.int64(-3),
    "numpy bool": lambda: np.bool_(True),
    "empty text": lambda: "",
    "text": lambda: "no such thing",
    "number as text": lambda: "2",
    "unicode": lambda: "naïve ☃\x00",
    "label": lambda: "label",
    "bytes": lambda: b"bytes",
    "empty list": list,
    "twice 1": lambda: [1, 1],
    "twice text": lambda: ["a", "a"],
    "falling": lambda: (3.0, 1.0),
    "list of None": lambda: [None, None],
    "ragged": lambda: [[1], [2, 3]],
    "empty dict": dict,
    "dict of text": lambda: {"no such": "thing"},
    "dict of dict": lambda: {1: {}},
    "set": lambda: {1, 2},
    "generator": lambda: (each for each in ("a", "b")),
    "range": lambda: range(0),
    "slice": lambda: slice(1),
    "ellipsis": lambda: ...,
    "object": object,
    "type": lambda: int,
    "function": lambda: lambda *args: args,
    "failing function": lambda: _fail,
    "date": lambda: dt.date(2001, 2, 3),
    "datetime64": lambda: np.datetime64("2001-02-03"),
    "timedelta64": lambda: np.timedelta64(3, "D"),
    "empty array": lambda: np.array([]),
    "cube": lambda: np.ones((2, 3, 4)),
    "objects": lambda: np.array([object(), None, "a"], dtype=object),
    "array elsewhere": _elsewhere,
    "array of text": lambda: _elsewhere().astype(str),
    "array of nan": lambda: _elsewhere() * np.nan,
    "array without dims": lambda: xr.DataArray(1.0),
    "empty Dataset": xr.Dataset,
    "Dataset elsewhere": lambda: _elsewhere().to_dataset(),
    "DataFrame": lambda: pd.DataFrame({"a": [1, 2]}),
}


NEVER = (
    *("complex", "decimal", "bytes", "slice", "ellipsis", "object", "objects", "ragged"),
    *("date", "datetime64", "timedelta64", "generator", "failing function", "list of None"),
    *("nan", "inf", "-inf", "numpy nan", "dict of dict", "DataFrame"),
)
"""Values that are valid nowhere."""


def _fail(*args, **keywords):
    raise RuntimeError("the user's own function failed")


@contextlib.contextmanager
def within(seconds):
    """Raise `TimeoutError` where a call takes longer (where the system has alarms)."""
    can = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not can:
        yield
        return

    def ring(*_):
        raise TimeoutError(f"took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def offence(call, names=()):
    """Return what is wrong with how a call ends, "" where all is right, None where it works.

    Parameters
    ----------
    call
        Takes nothing.
    names
        One of these must stand before the equals sign of a message; any where there are none.
    """
    let_be = tuple(each for each in DEPRECATIONS if _action(each) != "error")
    with warnings.catch_warnings(record=True) as warned, within(SECONDS):
        warnings.simplefilter("always")
        try:
            call()
        except Exception as error:
            found = _of_error(error, names)
        else:
            found = None
    others = [each for each in warned if not _is_ours(each)]
    leaked = [each for each in others if not issubclass(each.category, let_be)]
    if leaked:
        return f"leaks {leaked[0].category.__name__}: {leaked[0].message} ({leaked[0].filename})"
    return found


def _action(category):
    """Return what this run does with a warning: on the oldest releases deprecations are let be."""
    actions = (
        action
        for action, _, taken, module, _ in warnings.filters
        if module is None and issubclass(category, taken)
    )
    return next(actions, "default")


def _of_error(error, names):
    """Return what is wrong with an error: it must be raised by the package, in the one form."""
    message = str(error)
    said = f"{type(error).__name__}: {message[:300]}"
    if not isinstance(error, TypeError | ValueError | OSError | ImportError):
        return f"is of another type: {said} [{_last(error)}]"
    if not _raised_by_package(error):
        return f"comes from elsewhere: {said} [{_last(error)}]"
    if not isinstance(error, BadParameterError):
        return f"has no parameter, value, rule and remedy: {said} [{_last(error)}]"
    if not _is_in_form(error):
        return f"has another form: {said} [{_last(error)}]"
    if not _travels(error):
        return f"changes on its way to another process: {said}"
    if len(message) > TOO_LONG:
        return f"is {len(message)} characters long: {said}"
    if names and error.parameter not in names:
        return f"names none of {sorted(names)}: {said}"
    return ""


def _is_in_form(error):
    """Whether a message is its parts in one line of thought: parameter=value: rule. Remedy."""
    parts = error.parameter, error.rule, error.remedy
    if not all(isinstance(part, str) and part.strip() == part for part in parts):
        return False
    end = "" if error.remedy.endswith("?") else "."
    said = f"{error.rule}. {error.remedy[:1].upper()}{error.remedy[1:]}{end}"
    plain = bool(error.rule and error.remedy) and not (error.rule + error.remedy).endswith(".")
    built = str(error) == f"{error.parameter}={shown(error.value)}: {said}"
    return built and plain and NAME.fullmatch(error.parameter) is not None


def _travels(error):
    """Whether another process gets the same error: type, parts and message."""
    other = pickle.loads(pickle.dumps(error))
    return (
        type(other) is type(error)
        and str(other) == str(error)
        and all(getattr(other, each) == getattr(error, each) for each in ("parameter", "rule"))
        and (other.remedy, shown(other.value)) == (error.remedy, shown(error.value))
    )


def _raised_by_package(error):
    """Whether the traceback ends in the package, on a statement that raises.

    A function written in C leaves no frame of its own, so the file alone would not tell.
    """
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return frame.filename.startswith(PACKAGE) and (frame.line or "").startswith("raise")


def _last(error):
    frames = traceback.extract_tb(error.__traceback__)
    inside = [each for each in frames if each.filename.startswith(PACKAGE)]
    return " < ".join(
        f"{Path(each.filename).name}:{each.lineno}" for each in (frames[-1], *inside[:-4:-1])
    )


def _is_ours(warning):
    """Whether a warning is the package's own: it points at the line outside that led there."""
    outside = Path(warning.filename)
    at_a_thread = outside.parts[-2:] == ("futures", "thread.py")
    named = issubclass(warning.category, UserWarning)
    return named and (outside.parent == Path(__file__).parent or at_a_thread)
