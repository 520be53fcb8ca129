"""Where the labels of a result come from: the clustered data, or a file that stored the labels."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import xarray as xr
from numpy.typing import NDArray

from xcluster.base.errors import BadValueError
from xcluster.chain.question import Question
from xcluster.fit import prediction
from xcluster.fit.assign import Labeller

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Live:
    """The user's data; they are read whenever labels or values are needed.

    Parameters
    ----------
    question
        The question that the result answers.
    rows : DataArray of int, optional
        The number of the fitted row at each grid point (-1: none), if labels do not follow from
        the features alone.
    means : array of shape (n_raw, n_features) or callable, optional
        Centres of the clusterer's own numbers in data units, if they are known already; or what
        finds them when they are wanted.
    """

    question: Question
    rows: xr.DataArray | None = None
    means: Array | Callable[[], Array] | None = None

    def asked(self, what: str) -> Question:
        """Return the question: ``what`` needs the original values, which are here."""
        return self.question

    def labels(self, assign: Labeller) -> xr.DataArray:
        """Return the label map; lazy if the data are lazy."""
        if self.rows is not None:
            return prediction.labels_of_rows(self.rows, self.question.layout, assign)
        return prediction.labels(self.question.layout, assign)

    def memberships(self, assign: Labeller) -> xr.DataArray:
        """Return the memberships, over ``label`` and the sample dims."""
        return prediction.memberships(self.question.layout, assign)

    @property
    def sizes(self) -> Mapping[Hashable, int]:
        """Number of grid points along each sample dim."""
        return self.question.layout.sizes

    @property
    def n_points(self) -> int:
        """Number of grid points, of all scenes that were fitted together."""
        return self.question.layout.n_pooled

    def recoded(self, mapping: Array) -> Live:
        """Return this source unchanged: its labels are computed anew from the partition."""
        return self


@dataclass(frozen=True, eq=False)
class Stored:
    """Labels and memberships as a file stored them, without the data.

    Parameters
    ----------
    arrays : Dataset
        ``labels``, before any floor on memberships, and ``memberships`` of soft methods.
    rows, means
        As in `Live`; means are known.
    """

    arrays: xr.Dataset
    rows: xr.DataArray | None = None
    means: Array | None = None

    def asked(self, what: str) -> Question:
        """Refuse ``what``, which needs the original values."""
        rule = f"{what} needs the original values, but the result was opened without its data"
        raise BadValueError("data", None, rule, "pass them: xcluster.open(path, data=ds)")

    def labels(self, assign: Labeller) -> xr.DataArray:
        """Return the labels as they were saved."""
        return prediction.stored_labels(self.arrays, assign.partition)

    def memberships(self, assign: Labeller) -> xr.DataArray:
        """Return the memberships as they were saved."""
        return self.arrays["memberships"]

    @property
    def sizes(self) -> Mapping[Hashable, int]:
        """Number of grid points along each sample dim."""
        return self.arrays["labels"].sizes

    @property
    def n_points(self) -> int:
        """Number of grid points that were saved."""
        return int(self.arrays["labels"].size)

    def recoded(self, mapping: Array) -> Stored:
        """Return the source with each label replaced by ``mapping[label]``."""
        return replace(self, arrays=prediction.recode(self.arrays, mapping))
