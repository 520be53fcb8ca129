"""The same result under other labels: thresholds, names, merged and matched numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.checks import several
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.fit import prediction
from xcluster.fit.arrays import GridArrays
from xcluster.fit.fitted import Fitted, need_soft, number_of
from xcluster.fit.labels import Partition, check_floor
from xcluster.result import matching

Array = NDArray[Any]
AnyFitted = TypeVar("AnyFitted", bound=Fitted)


class Relabelling(GridArrays):
    """The methods of `Clustering` that return it with labels that mean something else."""

    def threshold(self, u: float) -> Self:
        """Return the clustering whose labels are -1 where no membership exceeds ``u``.

        Parameters
        ----------
        u : float
            From 0 to below 1.

        Raises
        ------
        ValueError
            If the method is not a soft one.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().gmm(3)
        >>> bool((fit.threshold(0.9).labels == -1).any())
        True
        """
        need_soft(self, "threshold")
        return with_partition(self, replace(self.partition, floor=check_floor(u)), self.stored)

    def relabel(
        self,
        names: Sequence[str] | Mapping[int, str] | None = None,
        *,
        colors: Sequence[Any] | Mapping[int, Any] | None = None,
    ) -> Self:
        """Return the clustering with other names or colours; numbers stay.

        Parameters
        ----------
        names : sequence or mapping, optional
            One a label, or some by number.
        colors : sequence or mapping, optional
            Anything that matplotlib takes.

        Raises
        ------
        ValueError
            If there are too few or unknown labels, a name twice, or no such colour.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(2)
        >>> fit.relabel(["warm", "cold"], colors=["red", "blue"]).labels.flag_meanings
        'warm cold'
        """
        return with_partition(self, self.partition.relabelled(names, colors), self.stored)

    def merge(self, groups: Iterable[Sequence[int | str]]) -> Self:
        """Return the clustering with labels joined; the others keep their order.

        Parameters
        ----------
        groups : iterable of sequences
            The labels to join, by number or name; each label at most once.

        Raises
        ------
        ValueError
            If a label is unknown or stands in two groups.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> fit.merge([[0, 2]]).k
        3
        """
        rule = "must be sequences of labels"
        listed = several("groups", groups, rule, "pass [[0, 1]], for example")
        if any(isinstance(group, str) or not isinstance(group, Iterable) for group in listed):
            raise BadTypeError("groups", listed, rule, f"pass {[listed]!r}")
        return recoded(
            self, _merged(self.k, [[number_of(self, each) for each in group] for group in listed])
        )

    def match(self, other: Relabelling | xr.DataArray) -> Self:
        """Return the clustering with the numbers of ``other`` where the two overlap most.

        Parameters
        ----------
        other : Clustering or DataArray of labels
            On the same grid. A Clustering also lends its names and colours.

        Raises
        ------
        TypeError
            If ``other`` holds no labels.
        ValueError
            If it lies on another grid, or holds fractions.

        Notes
        -----
        The assignment that maximises the number of samples of equal label (Kuhn 1955, Naval
        Research Logistics 2, 83). Labels without a partner are numbered after all others.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> again = ds.cluster.pixels().kmeans(4, order="sst")
        >>> again.match(fit).labels.equals(fit.labels)
        True
        """
        theirs = other.labels if isinstance(other, Relabelling) else other
        matched = recoded(self, matching.mapping(self.labels, theirs, self.k))
        if not isinstance(other, Relabelling):
            return matched
        ours, plain = matched.partition, Partition(np.arange(matched.k))
        names, colors = other.partition.names, other.partition.label_colors()
        return matched.relabel(
            _lent(names, ours.label_names(), plain.label_names()) if names else None,
            colors=_lent(colors, ours.label_colors(), plain.label_colors()),
        )


def _lent(theirs: Sequence[str], own: Sequence[str], default: Sequence[str]) -> list[str]:
    """Return texts of another result; labels beyond it have their own, or the default if taken."""
    beyond = zip(own[len(theirs) :], default[len(theirs) :], strict=True)
    return [*theirs[: len(own)], *(text if mine in theirs else mine for mine, text in beyond)]


def with_partition(fitted: AnyFitted, partition: Partition, stored: xr.Dataset | None) -> AnyFitted:
    """Return the clustering whose labels mean something else; ``stored`` ones come along."""
    return replace(fitted, assign=replace(fitted.assign, partition=partition), stored=stored)


def recoded(fitted: AnyFitted, mapping: Array) -> AnyFitted:
    """Return the clustering with each label ``mapping[label]``."""
    stored = None if fitted.stored is None else prediction.recode(fitted.stored, mapping)
    return with_partition(fitted, fitted.partition.recoded(mapping), stored)


def _merged(k: int, groups: Sequence[Sequence[int]]) -> Array:
    """Return the number of each of ``k`` labels once those of a group are one."""
    together = np.arange(k)
    listed = [label for group in groups for label in group]
    if len(listed) != len(set(listed)):
        rule = "holds a label twice"
        raise BadValueError("groups", groups, rule, "put each label in one group")
    for group in groups:
        together[list(group)] = min(group)
    return np.unique(together, return_inverse=True)[1]
