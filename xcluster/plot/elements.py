"""X-ray lines and absorption edges of elements, drawn on spectra along energies."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.checks import several, warn
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.base.optional import optional

EV = {"ev": 1.0, "kev": 1e-3, "electronvolt": 1.0, "kiloelectronvolt": 1e-3}
"""One electronvolt in units of energy, written in small letters."""

LINES = {
    "Ka1": "K\u03b1",
    "Kb1": "K\u03b2",
    "La1": "L\u03b1",
    "Lb1": "L\u03b2",
    "Ma": "M\u03b1",
    "Mb": "M\u03b2",
}
"""The lines that are drawn, as xraydb and as readers name them."""

EDGES = {"K": "K", "L3": "L3", "M5": "M5"}
"""The edges that are drawn along energy losses."""

HEAVIEST = 98
"""Atomic number of californium, the last element whose lines xraydb has."""

SIZE, BESIDE = 7.0, 1.25
"""Size of names in points, and their distance in such sizes."""

ROOM, LEADER, MOST_ROOM = 40.0, 10.0, 0.5
"""Points above the curves, those of them beneath names, and the share of a panel at most."""


@dataclass(frozen=True)
class Line:
    """One line or edge.

    Parameters
    ----------
    name : str
        Element and line.
    position : float
        In the unit of the axis.
    """

    name: str
    position: float


def energy_unit(axis: xr.DataArray) -> str | None:
    """Return "eV" or "keV" if an axis is one of energies, otherwise None."""
    factor = EV.get(str(axis.attrs.get("units", "")).strip().lower().removesuffix("s"))
    return None if factor is None else "eV" if factor == 1 else "keV"


def is_loss(axis: xr.DataArray) -> bool:
    """Whether energies are those that electrons lost: there elements have edges, not lines."""
    stated = (axis.name, axis.attrs.get("long_name"), axis.attrs.get("standard_name"))
    return any("loss" in str(each).lower() for each in stated)


def refuse_lines(lines: Any) -> None:
    """Refuse lines of elements in figures that show no curves."""
    if lines is not None:
        rule = "belongs to spectra along one dim, and this figure is of maps or a table"
        remedy = "leave it out, or choose a variable with one feature dim by var="
        raise BadValueError("lines", lines, rule, remedy)


def lines_of(lines: Any, axis: xr.DataArray) -> list[Line]:
    """Return the K, L and M lines of elements within an axis, by rising energy.

    Parameters
    ----------
    lines : str or list of str
        Symbols of elements, such as "Fe".
    axis : DataArray
        Energies with the unit eV or keV. Along energy losses edges are returned instead of lines.

    Raises
    ------
    ImportError
        If xraydb is not installed.
    TypeError
        If a symbol is not text.
    ValueError
        If an element is unknown, or the axis is not one of energies.

    Warns
    -----
    UserWarning
        If an element has no line within the axis.

    References
    ----------
    Elam, Ravel and Sieber (2002), Radiation Physics and Chemistry 63, 121: the energies of xraydb,
    which are in the public domain.
    """
    unit = energy_unit(axis)
    if unit is None:
        units = str(axis.attrs.get("units", ""))
        rule = f"needs energies in eV or keV, and {str(axis.name)!r} has the units {units!r}"
        remedy = "calibrate it by xcluster.coords.calibrate(..., units='keV'), or state its units"
        raise BadValueError("lines", lines, rule, remedy)
    xraydb = optional("xraydb", "lines=", '"xarray-cluster[microscopy]"')
    low, high, found = float(axis.min()), float(axis.max()), list[Line]()
    for symbol in _symbols(lines, xraydb):
        every = _energies(xraydb, symbol, is_loss(axis))
        named = (Line(f"{symbol} {name}", ev * EV[unit.lower()]) for name, ev in every.items())
        here = [line for line in named if low <= line.position <= high]
        if not here:
            warn(f"{symbol} has no line from {low:.4g} to {high:.4g} {unit}")
        found += here
    return sorted(found, key=lambda line: line.position)


def _symbols(lines: Any, xraydb: Any) -> list[str]:
    """Return symbols of elements, each once."""
    rule, remedy = "must be symbols of elements", 'pass lines=["O", "Fe"], for example'
    given = [lines] if isinstance(lines, str) else several("lines", lines, rule, remedy)
    known = [xraydb.atomic_symbol(number) for number in range(1, HEAVIEST + 1)]
    for each in given:
        if not isinstance(each, str):
            raise BadTypeError("lines", each, rule, remedy)
        if each not in known:
            near = get_close_matches(each.strip().capitalize(), known, n=1, cutoff=0.4)
            asked = f"did you mean {near[0]!r}?" if near else remedy
            raise BadValueError("lines", each, "is no symbol of an element", asked)
    return list(dict.fromkeys(given))


def _energies(xraydb: Any, symbol: str, edges: bool) -> dict[str, float]:
    """Return the energy of each line or edge in eV."""
    table, named = (xraydb.xray_edges, EDGES) if edges else (xraydb.xray_lines, LINES)
    found = table(symbol)
    return {named[name]: float(found[name].energy) for name in named if name in found}


def draw_lines(axes: Sequence[Any], spectra: xr.DataArray, dim: Hashable, lines: Any) -> None:
    """Draw lines of elements on finished panels, with names side by side above the curves.

    Parameters
    ----------
    axes : sequence of matplotlib Axes
        With energies along x.
    spectra : DataArray
        With ``dim``, along which energies lie.
    dim : hashable
    lines : str, list of str, or None
        As of `lines_of`.
    """
    if lines is None or not axes:
        return
    found = lines_of(lines, spectra[dim])
    axes[0].figure.draw_without_rendering()  # so that panels have their final size
    sizes = [ax.get_window_extent().transformed(_points(ax)) for ax in axes]
    limits = [_with_room(ax, size.height) for ax, size in zip(axes, sizes, strict=True)]
    for ax, size, limit in zip(axes, sizes, limits, strict=True):
        ax.set_ylim(limit)
        _draw_on(ax, found, size.width, size.height)


def _points(ax: Any) -> Any:
    """Return what turns pixels of the figure into points."""
    from matplotlib.transforms import Affine2D

    return Affine2D().scale(72 / ax.figure.dpi)


def _with_room(ax: Any, height: float) -> tuple[float, float]:
    """Return limits of y with room for names, above all that is drawn."""
    scale = ax.yaxis.get_transform()
    low, high = scale.transform(np.array(ax.get_ylim(), float))
    top = low + (high - low) / (1 - min(ROOM / height, MOST_ROOM))
    return float(scale.inverted().transform(low)), float(scale.inverted().transform(top))


def _draw_on(ax: Any, lines: Sequence[Line], width: float, height: float) -> None:
    """Draw lines up to the room for names, and on from there to their names."""
    below = 1 - min(ROOM / height, MOST_ROOM)
    above = below + (1 - below) * LEADER / ROOM
    to_axes = ax.transData + ax.transAxes.inverted()
    at = to_axes.transform([(line.position, ax.get_ylim()[0]) for line in lines])[:, 0]
    step = BESIDE * SIZE / width
    size = SIZE * min(1.0, 1 / ((len(lines) + 1) * step))
    looks = {"transform": ax.transAxes, "color": "0.75", "linewidth": 0.8, "zorder": 0.5}
    for line, x, to in zip(lines, at, _apart(at, step * size / SIZE), strict=True):
        ax.plot([x, x, to], [0, below, above], scalex=False, scaley=False, **looks)
        text = {"rotation": 90, "ha": "center", "va": "bottom", "fontsize": size, "color": "0.3"}
        ax.text(to, above, line.name, transform=ax.transAxes, **text)


def _apart(at: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Return places from 0 to 1 near those given, in their order, no two nearer than a step."""
    from scipy.optimize import isotonic_regression

    even = np.arange(len(at)) * step
    shifted = isotonic_regression(at - even).x
    return np.asarray(np.clip(shifted, step, max(1 - step - even[-1], step)) + even)
