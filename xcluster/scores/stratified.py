"""Areas from a map and a reference sample, with their standard errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError


@dataclass(frozen=True, eq=False)
class StratifiedShares:
    """Shares of the map that true classes have.

    Parameters
    ----------
    share, error : arrays of shape (n_classes,)
        The share of each true class, and its standard error.
    accuracy, accuracy_error : float
        The share of the map that is right, and its standard error.
    """

    share: Array
    error: Array
    accuracy: float
    accuracy_error: float


def stratified_shares(counts: Array, mapped: Array) -> StratifiedShares:
    """Return the shares of true classes by the stratified estimator of Olofsson et al. (2014).

    Parameters
    ----------
    counts : int array of shape (n_classes, n_classes)
        Reference samples by mapped class, which is the stratum (rows), and by true class.
    mapped : array of shape (n_classes,)
        How much of the map each class has, in any unit. A class with none needs no samples.

    Raises
    ------
    ValueError
        If a mapped class has fewer than two reference samples.

    References
    ----------
    Olofsson, Foody, Herold, Stehman, Woodcock and Wulder (2014), "Good practices for estimating
    area and assessing accuracy of land change", Remote Sensing of Environment 148, equations 1,
    5, 9 and 10.
    """
    n = counts.sum(axis=1)
    if (few := (mapped > 0) & (n < 2)).any():
        rule = f"needs at least two samples of each mapped class; {few.sum()} have fewer"
        remedy = "sample these classes too, or merge labels that are rare"
        raise BadValueError("reference", int(n[few][0]), rule, remedy)
    weight = mapped / mapped.sum()
    rate = counts / np.maximum(n, 1)[:, None]
    within = weight[:, None] ** 2 * rate * (1 - rate) / np.maximum(n - 1, 1)[:, None]
    right = np.diag(rate)
    of_right = weight**2 * right * (1 - right) / np.maximum(n - 1, 1)
    error, accuracy = np.sqrt(within.sum(axis=0)), float(weight @ right)
    return StratifiedShares(weight @ rate, error, accuracy, float(np.sqrt(of_right.sum())))
