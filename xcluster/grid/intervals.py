"""The cells of one axis, from the coordinates of their centres in any order."""

from __future__ import annotations

import numpy as np

from xcluster.base.arrays import Array

HOLE = 1.5
"""A spacing is a hole if it is wider than the one beside it by more than this."""
EVEN = 0.01
"""Largest distance from a whole number of steps at which spacings count as even."""
DIGITS, DIGITS_OF_SINGLE = 6, 4
"""Coordinates that agree to so many digits are repeated; 180 and 540 degrees, too."""


def halves(centres: Array, period: float | None = None) -> tuple[Array, Array] | None:
    """Return how far the cell of each centre reaches below and above it.

    Edges lie midway between neighbours. Beside a hole, which a selection leaves, and at both ends
    a cell is as wide as its own spacing. A centre that occurs several times has the same cell each
    time.

    Parameters
    ----------
    centres : array of shape (n,)
        In any order.
    period : float, optional
        Of an axis that goes round: 360 for longitudes. Cells of it never cover more than one turn.

    Returns
    -------
    below, above : float64 arrays of shape (n,), or None
        None where there are fewer than two different centres, and so no spacing.
    """
    distinct, place = np.unique(within(centres, period), return_inverse=True)
    if len(distinct) < 2:
        return None
    below, above = _halves(distinct, period)
    return below[place], above[place]


def cells(centres: Array) -> tuple[Array, Array] | None:
    """Return the lower and the upper edge of the cell of each centre; see `halves`."""
    found = halves(centres)
    return None if found is None else (centres - found[0], centres + found[1])


def repeats(*numbers: Array, period: float | None = None) -> Array:
    """Return how often each cell occurs, of which one number or several are the same."""
    key = np.zeros(len(numbers[0]), np.int64)
    for each in numbers:
        distinct, place = np.unique(within(each, period), return_inverse=True)
        _, key = np.unique(key * len(distinct) + place, return_inverse=True)
    return np.bincount(key)[key]


def within(values: Array, period: float | None) -> Array:
    """Return values in double precision, within one period if there is one."""
    plain = values.astype(np.float64)
    if period is None:
        return plain
    digits = DIGITS_OF_SINGLE if values.dtype == np.float32 else DIGITS
    return np.asarray(np.round(plain % period, digits) % period)


def _halves(distinct: Array, period: float | None) -> tuple[Array, Array]:
    """Return how far each cell reaches to both sides of its centre; centres are rising."""
    gaps = np.diff(distinct)
    if period is None:
        widths = _without_holes(gaps, np.pad(gaps, 1, mode="edge"))
        widths = np.pad(widths, 1, constant_values=np.nan)
    else:
        around = np.append(gaps, period - (distinct[-1] - distinct[0]))
        widths = _without_holes(around, np.pad(around, 1, mode="wrap"))
        widths = np.append(widths[-1], widths)
    below, above = widths[:-1], widths[1:]
    usual = np.nanmedian(widths)
    own = np.where(np.isnan(below), np.where(np.isnan(above), usual, above), below)
    return np.where(np.isnan(below), own, below) / 2, np.where(np.isnan(above), own, above) / 2


def _without_holes(gaps: Array, padded: Array) -> Array:
    """Return the gaps between centres, NaN where there is a hole.

    Where all gaps are whole numbers of the least one, the axis is even and lacks some centres.
    """
    steps = gaps / gaps.min()
    if np.abs(steps - np.round(steps)).max() < EVEN:
        return np.where(steps < HOLE, gaps, np.nan)
    beside = np.minimum(padded[:-2], padded[2:])
    return np.where(gaps > HOLE * beside, np.nan, gaps)
