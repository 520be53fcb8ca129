"""Packages that only some users need: imported when they are needed, or named in an error."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def optional(module: str, what: str, install: str) -> Any:
    """Return a module of another package that ``what`` needs.

    Raises
    ------
    ImportError
        If it is not installed; the error says which packages ``pip install`` is to be given.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(f"{what} needs {package}: pip install {install}") from error
