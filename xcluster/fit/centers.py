"""What a result gives for each label: its centre, and the mean and error of its data."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.checks import check_flag
from xcluster.base.errors import BadValueError
from xcluster.blocks import matrix
from xcluster.chain.question import layout_of
from xcluster.fit import prediction, summary
from xcluster.fit.fitted import Fitted, bound, named
from xcluster.fit.labels import Partition, check_floor
from xcluster.grid.layout import LABEL

Array = NDArray[Any]


class Centers(Fitted):
    """The arrays of a `Clustering` that lie over the feature dims, in data units."""

    @property
    def centers(self) -> xr.Dataset:
        """Centre of each label in data units, over (``label``, feature dims).

        The inverse of the steps where they have one, else the mean of the label's samples.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3)
        >>> fit.centers.vs.dims, fit.centers.vs.units
        (('label', 'depth'), 'km s-1')
        """
        return self._centers.copy(deep=True)

    @cached_property
    def _centers(self) -> xr.Dataset:
        return _as_features(self, by_label(self, self._raw_centers))

    def back_projection(self, u: float = 0.5, weighted: bool = False) -> xr.Dataset:
        """Return mean and standard error of the original data of each label.

        Parameters
        ----------
        u : float, default 0.5
            For soft methods: only samples whose membership exceeds it are averaged; from 0 to
            below 1.
        weighted : bool, default False
            For soft methods: weigh every sample by its membership instead.

        Returns
        -------
        Dataset over (``label``, feature dims): each variable, and ``<name>_error``.

        Raises
        ------
        ValueError
            If ``u`` is out of range, or ``weighted`` is asked of a method without memberships.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().fuzzy(3)
        >>> sorted(fit.back_projection())[:2]
        ['air_temperature', 'air_temperature_error']
        """
        u = check_floor(u)
        if check_flag("weighted", weighted) and not self.is_soft:
            rule = f"{self.method} gives no memberships to weigh by"
            raise BadValueError("weighted", weighted, rule, "gmm and fuzzy have them")
        shift = np.nan_to_num(self._raw_centers)
        shift = shift.sum(axis=0) / max(len(shift), 1)  # noise alone has no centre
        floor = None if weighted else u
        mean, error = summary.back_projection(self._whole, floor, shift)
        return _as_features(self, mean, error)

    @cached_property
    def _raw_centers(self) -> Array:
        """Centres in data units of the clusterer's own numbers, shape (n_raw, n_features)."""
        if self.means is not None:
            return self.means
        inverse = self.assign.chain.inverse(self.assign.centers)
        return _group_means(self) if inverse is None else np.asarray(inverse)


def raw_centers(fitted: Centers) -> Array:
    """Return centres in data units of the clusterer's own numbers, shape (n_raw, n_features)."""
    return fitted._raw_centers


def _as_features(fitted: Fitted, rows: Array, errors: Array | None = None) -> xr.Dataset:
    """Return one row a label, shape (k, n_features), as variables over label and features."""
    number = np.arange(fitted.k)
    out = matrix.unpack(fitted.template, rows, LABEL, number)
    if errors is not None:
        spread = matrix.unpack(fitted.template, errors, LABEL, number)
        out = out.assign({f"{name}_error": spread[name] for name in spread.data_vars})
    return named(fitted, out)


def _group_means(fitted: Fitted) -> Array:
    """Return the mean of the samples of each of the clusterer's own numbers."""
    plain = replace(fitted.assign, partition=Partition(np.arange(len(fitted.partition.codes))))
    layout = layout_of(bound(fitted, "centers"))
    labels = None
    if fitted.rows is not None:
        labels = prediction.labels_of_rows(fitted.rows, layout, plain)
    sums = summary.label_sums(layout, plain, labels=labels, features=True)
    weight = sums.get("weight", sums["samples"])[:-1, None].astype(float)
    return _over(sums["features"][:-1], weight)


def by_label(fitted: Fitted, raw: Array) -> Array:
    """Average the clusterer's own centres by label, as the fitted samples weigh them."""
    counts, codes = np.asarray(fitted.record.counts), fitted.partition.codes
    total, weight = np.zeros((fitted.k, raw.shape[1])), np.zeros((fitted.k, 1))
    for number in np.flatnonzero(np.isfinite(raw).all(axis=1)):
        # A centre that got no sample still is the centre of a label of its own.
        share = max(counts[number], 1e-200)
        total[codes[number]] += share * raw[number]
        weight[codes[number]] += share
    return _over(total, weight)


def _over(total: Array, weight: Array) -> Array:
    """Return totals over weights; NaN where there is none."""
    return np.asarray(np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0))
