"""Where the labels of a result come from: the clustered data, or a file that stored the labels."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.errors import BadValueError
from xcluster.chain.question import Question
from xcluster.fit import prediction
from xcluster.fit.assign import Labeller
from xcluster.fit.centers import by_label
from xcluster.fit.cleaning import Cleaning, Place
from xcluster.fit.labels import Partition
from xcluster.fit.means import Means
from xcluster.grid.layout import Layout

Array = NDArray[Any]


Steps = tuple[tuple[Partition, Cleaning], ...]
"""Steps that cleaned labels, each with what labels meant before it."""


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
    means : Means or callable, optional
        Means of the fitted rows of the clusterer's own numbers; or what finds them when they are
        wanted. None if its centres, taken back through the steps, are those of the result: of
        prototypes, and of files of older versions.
    """

    question: Question
    rows: xr.DataArray | None = None
    means: Means | Callable[[], Means] | None = None

    @property
    def cleaning(self) -> Steps:
        """The steps that cleaned the labels: none."""
        return ()

    @property
    def layout(self) -> Layout:
        """Where the samples lie."""
        return self.question.layout

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
        ``labels``, before any floor on memberships unless they were cleaned, and ``memberships`` of
        soft methods.
    rows, means
        As in `Live`; means are known.
    cleaning
        The steps that cleaned the labels.
    of_labels : tuple of arrays of shape (n_labels, n_features) and (n_labels,), optional
        Means of the samples of each label, and their weights, if the labels were cleaned; weights
        of each feature, if samples may have gaps.
    """

    arrays: xr.Dataset
    rows: xr.DataArray | None = None
    means: Means | None = None
    cleaning: Steps = ()
    of_labels: tuple[Array, Array] | None = None

    @property
    def question(self) -> None:
        """There is no question without data."""
        return

    @property
    def layout(self) -> Layout:
        """Where the samples lie, as far as the coordinates of labels tell it."""
        labels = self.arrays["labels"]
        data, sizes = labels.to_dataset(name="labels"), dict(labels.sizes)
        return Layout({}, (), labels.dims, sizes, dict(labels.coords), data=data)

    def asked(self, what: str) -> Question:
        """Refuse ``what``, which needs the original values."""
        rule = f"{what} needs the original values, but the result was opened without its data"
        raise BadValueError("data", None, rule, "pass them: xcluster.open(path, data=ds)")

    def labels(self, assign: Labeller) -> xr.DataArray:
        """Return the labels as they were saved."""
        if self.cleaning:
            return prediction.as_labels(self.arrays["labels"], assign.partition)
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
        has_arrays = "labels" in self.arrays  # those of several scenes lie in each scene
        arrays = prediction.recode(self.arrays, mapping) if has_arrays else self.arrays
        moved = replace(self, arrays=arrays)
        if self.of_labels is None:
            return moved
        means, weights = self.of_labels
        total = np.zeros((int(np.max(mapping, initial=-1)) + 1, *weights.shape[1:]))
        np.add.at(total, mapping, weights)
        return replace(moved, of_labels=(by_label(Partition(mapping), weights, means), total))


@dataclass(frozen=True, eq=False)
class Cleaned:
    """What another source has, with labels that were cleaned by one step.

    Parameters
    ----------
    before
        The other source.
    assign
        What its labels mean.
    step
        What was done to them.
    graph : csr_array of bool, optional
        Which samples are neighbours, if the user gave a graph.
    of_labels : callable, optional
        Finds the means of the samples of each label and their weights, in all scenes that were
        fitted together.
    scenes : mapping of str to Cleaned
        If the source is that of several scenes together, the source of each.
    """

    before: Live | Stored | Cleaned
    assign: Labeller
    step: Cleaning
    graph: Any = None
    of_labels: Callable[[], tuple[Array, Array] | None] | None = None
    scenes: Mapping[str, Cleaned] = field(default_factory=dict)

    @property
    def question(self) -> Question | None:
        """The question that the result answers; None without data."""
        return self.before.question

    @property
    def rows(self) -> xr.DataArray | None:
        """The number of the fitted row at each grid point; see `Live`."""
        return self.before.rows

    @property
    def means(self) -> Any:
        """Means of the clusterer's own numbers; see `Live`."""
        return self.before.means

    @property
    def layout(self) -> Layout:
        """Where the samples lie."""
        return self.before.layout

    @property
    def sizes(self) -> Mapping[Hashable, int]:
        """Number of grid points along each sample dim."""
        return self.before.sizes

    @property
    def n_points(self) -> int:
        """Number of grid points."""
        return self.before.n_points

    @property
    def cleaning(self) -> Steps:
        """The steps that cleaned the labels."""
        return (*self.before.cleaning, (self.assign.partition, self.step))

    @property
    def place(self) -> Place:
        """What the step may need beside labels."""
        return Place(
            self.layout,
            self.assign,
            partial(self.before.memberships, self.assign),
            self._distances,
            self.graph,
        )

    def _distances(self) -> xr.DataArray:
        question = self.asked("sieve(into='nearest')")
        return prediction.distances(question.layout, self.assign)

    def asked(self, what: str) -> Question:
        """Return the question; refuse ``what`` if there are no original values."""
        return self.before.asked(what)

    def labels(self, assign: Labeller) -> xr.DataArray:
        """Return the label map after the step, in the labels of ``assign``."""
        cleaned = self.step(self.before.labels(self.assign), self.place)
        moved = prediction.recode_labels(cleaned, self._new_labels(assign))
        return prediction.as_labels(moved, assign.partition)

    def memberships(self, assign: Labeller) -> xr.DataArray:
        """Return the memberships, which were not cleaned, over ``label`` and the sample dims."""
        if not isinstance(self.before, Stored):
            return self.before.memberships(assign)
        stored = self.before.memberships(self.assign)
        return prediction.recode_memberships(stored, self._new_labels(assign))

    def recoded(self, mapping: Array) -> Cleaned:
        """Return this source unchanged: its labels follow from the partition."""
        return self

    def _new_labels(self, assign: Labeller) -> Array:
        """Return what each label became since the step, by merging and the like."""
        new = np.zeros(self.assign.partition.n_labels, np.int64)
        new[self.assign.partition.codes] = assign.partition.codes
        return new


Source = Live | Stored | Cleaned
