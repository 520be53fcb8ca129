"""Keywords of figures, checked before anything is drawn."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import numpy as np

from xcluster.base.checks import (
    blamed,
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_numbers,
    check_text,
    did_you_mean,
    is_one_of,
)
from xcluster.base.errors import BadTypeError, BadValueError

T = TypeVar("T")

LARGEST_FIGURE = 500.0
"""Inches; a larger figure does not fit into memory."""

LARGEST_COUNT = 10_000_000
"""Things drawn side by side."""

MISSPELT = 0.8
"""A name this similar to one of ours (1: the same) is a slip; none of matplotlib's comes close."""


def drawn(draw: Callable[..., T], *data: Any, **keywords: Any) -> T:
    """Return what ``draw`` draws; refuse its keywords by name, and leave no half-drawn figure.

    Parameters
    ----------
    draw
        A figure function of this package.
    *data
        What to draw.
    **keywords
        The user's. Those that ``draw`` does not name go to matplotlib; an error of matplotlib's is
        told with their names. None stands for the default.
    """
    import matplotlib.pyplot as plt

    _check_names(draw, len(data), keywords)
    keywords = {
        name: value
        for name, value in keywords.items()
        if value is not None or name in _own_names(draw)
    }
    for name, value in keywords.items():
        if name in LOOKS and value is not None:
            LOOKS[name](name, value)
    before = set(plt.get_fignums())
    try:
        with _blamed_on(draw, keywords):
            return draw(*data, **keywords)
    except Exception:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)
        raise


def instead_of(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords of a result with those that the user gives in their places."""
    return {**own, **{name: value for name, value in given.items() if value is not None}}


def _own_names(draw: Callable[..., Any]) -> tuple[str, ...]:
    """Return the parameters that a function names itself, none that it hands on."""
    code = draw.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _check_names(draw: Callable[..., Any], n_data: int, keywords: Mapping[str, Any]) -> None:
    """Refuse what neither a function nor matplotlib takes, and what is almost a name of ours."""
    parameters = list(inspect.signature(draw).parameters.values())[n_data:]
    known = [each.name for each in parameters if each.kind is not each.VAR_KEYWORD]
    hands_on = bool(draw.__code__.co_flags & inspect.CO_VARKEYWORDS)
    for name in keywords:
        if name in known:
            continue
        if not hands_on and name in LOOKS:
            rule = f"belongs to other figures than {draw.__name__}()"
            raise BadTypeError(name, keywords[name], rule, "leave it out")
        if not hands_on or difflib.get_close_matches(name, known, cutoff=MISSPELT):
            rule = f"{draw.__name__}() has no such keyword"
            raise BadTypeError(name, keywords[name], rule, did_you_mean(name, known))


def _blamed_on(draw: Callable[..., Any], keywords: Mapping[str, Any]) -> Any:
    """Blame matplotlib's errors on the keywords that only it knows, or on all that there are."""
    known = set(inspect.signature(draw).parameters)
    unchecked = {name: value for name, value in keywords.items() if name not in LOOKS}
    foreign = {name: value for name, value in unchecked.items() if name not in known}
    named = foreign or unchecked or keywords or {"data": "the result"}
    values = next(iter(named.values())) if len(named) == 1 else named
    return blamed(", ".join(named), values, "pass what matplotlib takes, or leave it out")


def _check_size(parameter: str, value: Any) -> None:
    remedy = f"pass {parameter}=(8, 5), in inches"
    size = check_numbers(parameter, value, remedy)
    if size.shape != (2,) or not ((size > 0) & (size <= LARGEST_FIGURE)).all():
        rule = f"must be width and height, above 0 and at most {LARGEST_FIGURE:g}"
        raise BadValueError(parameter, value, rule, remedy)


def _check_axes(parameter: str, value: Any) -> None:
    from matplotlib.axes import Axes

    listed = value.ravel() if isinstance(value, np.ndarray) else value
    listed = listed if isinstance(listed, list | tuple | np.ndarray) else [value]
    if not len(listed) or not all(isinstance(each, Axes) for each in listed):
        rule = "must be matplotlib Axes, or several for several panels"
        raise BadTypeError(parameter, value, rule, "pass those of plt.subplots()")


def _check_colormap(parameter: str, value: Any) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import Colormap

    if isinstance(value, Colormap) or is_one_of(value, colormaps):
        return
    near = difflib.get_close_matches(value, colormaps, n=1) if isinstance(value, str) else []
    rule = "is no colour map that matplotlib knows"
    raise BadValueError(parameter, value, rule, f"pass cmap={(*near, 'viridis')[0]!r}")


def _check_colors(parameter: str, value: Any) -> None:
    from matplotlib.colors import is_color_like

    single = is_color_like(value)
    listed = [value] if single or not isinstance(value, list | tuple | np.ndarray) else value
    if not len(listed) or not all(is_color_like(each) for each in listed):
        rule = "must be one colour that matplotlib knows, or a list of them"
        raise BadValueError(parameter, value, rule, f"pass {parameter}='#0072b2'")


def _check_quantiles(parameter: str, value: Any) -> None:
    remedy = f"pass {parameter}=(0.05, 0.95)"
    pair = check_numbers(parameter, value, remedy)
    if pair.shape != (2,) or not 0 <= pair[0] <= pair[1] <= 1:
        raise BadValueError(parameter, value, "must be two rising numbers from 0 to 1", remedy)


def _check_extent(parameter: str, value: Any) -> None:
    remedy = f"pass {parameter}=(west, east, south, north)"
    if check_numbers(parameter, value, remedy).shape != (4,):
        raise BadValueError(parameter, value, "must be west, east, south and north", remedy)


def _check_norm(parameter: str, value: Any) -> None:
    from matplotlib.colors import Normalize

    if not isinstance(value, str | Normalize):
        rule = "must be a matplotlib norm or the name of a scale"
        raise BadTypeError(parameter, value, rule, f"pass {parameter}='log', for example")


def _check_linestyle(parameter: str, value: Any) -> None:
    if not isinstance(value, str | tuple):
        rule = "must be a line style that matplotlib knows"
        raise BadTypeError(parameter, value, rule, f"pass {parameter}='--', for example")


def _check_point_sizes(parameter: str, value: Any) -> None:
    remedy = f"pass {parameter}=4, in square points"
    if not (check_numbers(parameter, value, remedy) >= 0).all():
        raise BadValueError(parameter, value, "must be 0 or more", remedy)


def _check_projection(parameter: str, value: Any) -> None:
    import cartopy.crs as ccrs

    if not isinstance(value, ccrs.CRS):
        rule = "must be one of cartopy.crs"
        raise BadTypeError(parameter, value, rule, "pass ccrs.PlateCarree(), for example")


def check_components(**numbers: Any) -> None:
    """Refuse what cannot be the number of a component."""
    for name, number in numbers.items():
        check_integer(name, number, minimum=0)


LOOKS: Mapping[str, Callable[[str, Any], object]] = {
    **dict.fromkeys(
        ("legend", "coastlines", "borders", "density", "log", "annotate", "scaled", "shares"),
        check_flag,
    ),
    **dict.fromkeys(
        ("col_wrap", "bins", "members", "at_most", "largest"),
        partial(check_integer, minimum=1, maximum=LARGEST_COUNT),
    ),
    **dict.fromkeys(("projection", "transform"), _check_projection),
    **dict.fromkeys(("color", "colors", "leaf_colors"), _check_colors),
    **dict.fromkeys(("vmin", "vmax", "zorder", "cut"), check_number),
    "s": _check_point_sizes,
    "linewidth": partial(check_number, minimum=0),
    "linestyle": _check_linestyle,
    "norm": _check_norm,
    "leaf_sizes": partial(check_numbers, remedy="pass one number per leaf"),
    "background": partial(check_choice, choices=("satellite", "relief")),
    "figsize": _check_size,
    "ax": _check_axes,
    "cmap": _check_colormap,
    "alpha": partial(check_number, minimum=0, maximum=1),
    "quantiles": _check_quantiles,
    "extent": _check_extent,
    "ylabel": check_text,
}
"""The check of each keyword that several figures share. None is not checked."""
