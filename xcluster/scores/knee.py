"""The knee of a curve of scores over the number of clusters."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xcluster.base.arrays import Array
from xcluster.base.checks import check_choice, check_number
from xcluster.base.errors import BadValueError

INTERPOLATIONS = ("interp1d", "polynomial")


def knee(
    ks: ArrayLike,
    values: ArrayLike,
    *,
    curve: str = "convex",
    direction: str = "decreasing",
    S: float = 1.0,
    interp_method: str = "interp1d",
    smooth: bool = False,
) -> int | None:
    """Return the first knee of ``values`` over ``ks``, or None where there is none.

    Parameters
    ----------
    ks : integer array of shape (n,)
        Numbers of clusters, in any order.
    values : array of shape (n,)
        The score of each; those that are not finite are left out.
    curve : {"convex", "concave"}, default "convex"
    direction : {"decreasing", "increasing"}, default "decreasing"
    S : float, default 1
        Sensitivity: how far the curve must fall behind its knee, in steps of ``ks``.
    interp_method : {"interp1d", "polynomial"}, default "interp1d"
        Whether the values are taken as they are or from a polynomial of degree 7 through them.
    smooth : bool, default False
        Whether to take a moving average of width 3 first; both end values are kept.

    Returns
    -------
    int or None
        None also where fewer than three values are finite, or all are equal.

    Raises
    ------
    ValueError
        If shapes differ or an option is unknown.

    References
    ----------
    Satopaa, Albrecht, Irwin, Raghavan (2011), "Finding a 'kneedle' in a haystack", ICDCS
    workshops, 166-171; computed by kneed.

    Examples
    --------
    >>> from xcluster.scores.knee import knee
    >>> knee([1, 2, 3, 4, 5, 6], [100, 40, 10, 8, 6, 4])
    3
    >>> knee([1, 2, 3, 4], [4, 3, 2, 1]) is None
    True
    """
    options = {
        "curve": check_choice("curve", curve, ("convex", "concave")),
        "direction": check_choice("direction", direction, ("decreasing", "increasing")),
        "S": check_number("S", S, minimum=0.0),
        "interp_method": check_choice("interp_method", interp_method, INTERPOLATIONS),
    }
    x, y = _finite_in_order(ks, values)
    if len(x) < 3:
        return None
    y = _moving_average(y) if smooth else y
    return None if np.ptp(y) == 0 else _locate(x, y, options)


def _locate(x: Array, y: Array, options: dict[str, Any]) -> int | None:
    from kneed import KneeLocator

    with warnings.catch_warnings():
        # No knee is an answer here, and a polynomial need not be determined: nothing to warn of.
        warnings.simplefilter("ignore")
        found = KneeLocator(x, y, **options).knee
    return None if found is None else int(found)


def _finite_in_order(ks: ArrayLike, values: ArrayLike) -> tuple[Array, Array]:
    ks, values = np.asarray(ks), np.asarray(values, dtype=np.float64)
    if ks.ndim != 1 or ks.shape != values.shape:
        rule = f"must have the shape of ks, {ks.shape}"
        raise BadValueError("values", values.shape, rule, "pass one value for each k")
    finite = np.isfinite(values)
    x, first = np.unique(ks[finite], return_index=True)
    return x, values[finite][first]


def _moving_average(y: Array) -> Array:
    smooth = np.convolve(y, np.full(3, 1 / 3), mode="same")
    smooth[[0, -1]] = y[[0, -1]]
    return smooth
