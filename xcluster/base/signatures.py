"""Signatures that name every keyword, for ``help()`` and notebooks."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cache
from inspect import Parameter
from typing import Any, TypeVar, get_args

F = TypeVar("F", bound=Callable[..., Any])


def spelled_out(function: F) -> F:
    """Let a signature name each keyword of ``**keywords: Unpack[SomeTypedDict]``.

    Type checkers and editors read ``Unpack`` themselves; ``help()`` and notebooks read
    ``__signature__``, which gets one keyword-only parameter per key, with its type and default.

    Parameters
    ----------
    function
        Its TypedDict gives each key's default beside the type, as ``Annotated[int, 10]``; a key
        without one has to be given. Both modules postpone annotations (``from __future__``).

    Returns
    -------
    The same function.
    """
    signature = inspect.signature(function)
    *named, rest = signature.parameters.values()
    (keywords,) = get_args(eval(rest.annotation, function.__globals__))
    spelled = signature.replace(parameters=[*named, *_each(keywords)])
    function.__dict__["__signature__"] = spelled
    return function


def _each(keywords: Any) -> Iterator[Parameter]:
    """Yield a keyword-only parameter per key of a TypedDict, whose annotations are text."""
    for name, annotation in keywords.__annotations__.items():
        module = annotation.__forward_module__ or keywords.__module__
        kind, default = _type_and_default(annotation.__forward_arg__, module)
        yield Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)


@cache
def _type_and_default(annotation: str, module: str) -> tuple[str, Any]:
    """Read ``Annotated[type, default]``; the type stays text, as it may not exist at run time."""
    parsed = ast.parse(annotation, mode="eval").body
    if not (isinstance(parsed, ast.Subscript) and ast.unparse(parsed.value) == "Annotated"):
        return annotation, Parameter.empty
    kind, default = parsed.slice.elts  # type: ignore[attr-defined]
    return ast.unparse(kind), eval(ast.unparse(default), vars(sys.modules[module]))
