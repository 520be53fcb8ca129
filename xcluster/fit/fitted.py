"""What every part of a `Clustering` stands on: its fields, and what they tell by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.checks import check_integer
from xcluster.base.errors import BadValueError
from xcluster.fit.assign import Assign
from xcluster.fit.labels import Partition
from xcluster.fit.record import Record
from xcluster.grid.layout import LABEL

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from xcluster.api.clustering import Clustering
    from xcluster.api.samples import Samples
    from xcluster.chain.anomaly import Climatology
    from xcluster.fit.selection import Sweep
    from xcluster.grid.samplers import Sampler

Array = NDArray[Any]
Labelled = TypeVar("Labelled", xr.DataArray, xr.Dataset)


@dataclass(frozen=True, eq=False, repr=False)
class Fitted:
    """The fields of a `Clustering`, which describes them, and its model."""

    method: str
    sampler: Sampler
    template: xr.Dataset
    assign: Assign
    record: Record
    samples: Samples | None = None
    sweep: Sweep | None = None
    attrs: Mapping[str, Any] = field(default_factory=dict)
    stored: xr.Dataset | None = None
    means: Array | None = None
    rows: xr.DataArray | None = None
    climatology: Climatology | None = None

    @property
    def k(self) -> int:
        """Number of labels.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4).merge([[0, 1]])
        >>> fit.k
        3
        """
        return self.partition.n_labels

    @property
    def partition(self) -> Partition:
        """What the clusterer's own numbers mean: order, names, colours.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4).merge([[0, 1]])
        >>> sorted(fit.partition.codes.tolist())
        [0, 0, 1, 2]
        """
        return self.assign.partition

    @property
    def model(self) -> Pipeline:
        """The fitted steps and clusterer as a scikit-learn Pipeline.

        Its numbers are the clusterer's own; ``partition.codes`` turns them into labels.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> [name for name, _ in fit.model.steps]
        ['scale', 'kmeans']
        """
        from sklearn.pipeline import Pipeline

        return Pipeline([*self.assign.chain.steps, (self.method, self.assign.clusterer)])

    @property
    def is_soft(self) -> bool:
        """Whether there are memberships.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().gmm(3)
        >>> fit.is_soft
        True
        """
        return self.assign.is_soft

    @property
    def _whole(self) -> Clustering:
        """The result itself, for functions of all that it holds."""
        return cast("Clustering", self)


def bound(fitted: Fitted, what: str) -> Samples:
    """Return the samples; an error says that ``what`` needs the original values."""
    if fitted.samples is None:
        rule = "needs the original values, and the result was opened without them"
        remedy = "pass them: xcluster.open(path, data=ds)"
        raise BadValueError("data", None, f"{what} {rule}", remedy)
    return fitted.samples


def need_soft(fitted: Fitted, what: str) -> None:
    """Refuse ``what`` of a method without memberships."""
    if not fitted.is_soft:
        rule = f"{fitted.method} gives no memberships, so there is no {what}"
        raise BadValueError("method", fitted.method, rule, "gmm and fuzzy have them")


def number_of(fitted: Fitted, label: int | str) -> int:
    """Return the number of a label that is given by number or name."""
    names = fitted.partition.label_names()
    if isinstance(label, str) and label in names:
        return names.index(label)
    if not isinstance(label, str):
        number = check_integer("label", label, minimum=0)
        if number < fitted.k:
            return number
    if not names:
        rule = "this result has no labels: every sample is noise"
        raise BadValueError("label", label, rule, "cluster with other parameters")
    rule = f"is no label; they are 0 to {fitted.k - 1}, named {', '.join(names)}"
    raise BadValueError("label", label, rule, "choose one of these")


def named(fitted: Fitted, obj: Labelled) -> Labelled:
    """Give the label coordinate its flags, and names where there are any."""
    partition = replace(fitted.partition, floor=None, has_noise=False)
    obj = obj.assign_coords({LABEL: obj[LABEL].assign_attrs(partition.attrs)})
    if hasattr(fitted.assign.clusterer, "grid_"):
        node = np.argsort(partition.codes)
        if np.array_equal(partition.codes[node], np.arange(fitted.k)):  # one node a label
            row, column = np.divmod(node, fitted.assign.clusterer.grid_[1])
            obj = obj.assign_coords(som_row=(LABEL, row), som_col=(LABEL, column))
    if partition.names is None:
        return obj
    return obj.assign_coords(label_name=(LABEL, list(partition.names)))
