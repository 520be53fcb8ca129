"""What a page shows of one result, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from sklearn.utils.extmath import randomized_svd

from xcluster.base.arrays import Array
from xcluster.blocks import matrix
from xcluster.chain import reduction
from xcluster.explore.excerpt import Excerpt, Indexers, cut
from xcluster.explore.panels import Panel
from xcluster.fit.fitted import Fitted, samples_of, title
from xcluster.grid.layout import LABEL, Layout
from xcluster.plot.flags import Flags, flags_of


@dataclass(frozen=True, eq=False)
class Result:
    """One clustering on the samples of the page.

    Parameters
    ----------
    title
        Steps, method and number of labels.
    flags
        Names and colours of the labels.
    position : array of shape (n,)
        Place of each sample's label in ``flags``; their number where it has none.
    membership : uint8 array of shape (n,), optional
        Greatest membership, 0 to 254.
    components : float32 array of shape (n, 2)
    axes
        What the two components are.
    panels
        What is drawn of the sample under the pointer; where both results compare the same values,
        the panels of the first one.
    centers : Dataset
        Over ``label``, in data units.
    """

    title: str
    flags: Flags
    position: Array
    membership: Array | None
    components: Array
    axes: tuple[str, str]
    panels: Sequence[Panel]
    centers: xr.Dataset


@dataclass(frozen=True, eq=False)
class Source:
    """One clustering before anything is read, turned as the axes of the page run.

    Parameters
    ----------
    clustering
        Bound to its data.
    labels
        On the page's grid.
    turn
        How its other arrays are brought there.
    """

    clustering: Fitted
    labels: xr.DataArray
    turn: Indexers

    @property
    def features(self) -> xr.Dataset:
        """One sample without values."""
        return samples_of(self.clustering, "explore").layout.features

    def layout(self, excerpt: Excerpt) -> Layout:
        """Return where samples and features of the shown grid points lie."""
        return cut(cut(samples_of(self.clustering, "explore").layout, self.turn), excerpt.indexers)

    def arrays(self, excerpt: Excerpt) -> dict[str, xr.DataArray]:
        """Return what is read: labels, features in data units, components, memberships."""
        layout, chain = self.layout(excerpt), self.clustering.assign.chain
        found = {
            "labels": excerpt.cut(self.labels),
            "rows": matrix.apply(layout, np.asarray, width=layout.n_features, dtype=np.float32),
            "space": reduction.transform(layout, chain, self.clustering.template),
        }
        if self.clustering.is_soft:
            greatest = self.clustering.memberships.isel(self.turn).max(LABEL)
            found["membership"] = excerpt.cut(greatest)
        return found

    def show(
        self,
        read: Mapping[str, xr.DataArray],
        excerpt: Excerpt,
        kept: Array,
        panels: Sequence[Panel],
    ) -> Result:
        """Return what the page shows of the samples ``kept``, of `arrays` that were read."""
        clustering, labels = self.clustering, read["labels"]
        flags = flags_of(labels)
        positions = flags.positions(labels.values.ravel()[kept])
        small = np.uint8 if len(flags.values) < 255 else np.uint16
        components, axes = self._components(read["space"], excerpt, kept)
        return Result(
            title=_title(clustering),
            flags=flags,
            position=np.where(np.isfinite(positions), positions, len(flags.values)).astype(small),
            membership=_in_steps(read["membership"], kept) if clustering.is_soft else None,
            components=components,
            axes=axes,
            panels=panels,
            centers=clustering.centers,
        )

    def _components(
        self, space: xr.DataArray, excerpt: Excerpt, kept: Array
    ) -> tuple[Array, tuple[str, str]]:
        """Return two columns: the first of the reduced space, else principal components."""
        chain = self.clustering.assign.chain
        rows = excerpt.rows(space, "component")[kept].astype(float)
        names = [f"component {number}" for number in space["component"].values]
        feature = space.coords.get("feature")
        if feature is not None and feature.dims == ("component",):
            names = [str(name) for name in feature.values]
        if chain.keeps_columns and rows.shape[1] > 2:
            rows, names = _principal(rows), ["principal component 0", "principal component 1"]
        if rows.shape[1] == 1:
            # A single component is spread upwards, evenly and without a pattern, so that points
            # show.
            spread = (np.arange(len(rows)) * 0.618034) % 1
            rows, names = np.column_stack([rows, spread]), [names[0], ""]
        return rows[:, :2].astype(np.float32), (names[0], names[1])


def _in_steps(membership: xr.DataArray, kept: Array) -> Array:
    shares = np.nan_to_num(membership.values.ravel()[kept])
    return np.asarray(np.rint(254 * shares).astype(np.uint8))


def _title(clustering: Fitted) -> str:
    """Say by which steps and method the labels were found."""
    stated = [str(step) for step in samples_of(clustering, "explore").steps if not step.assumed]
    return " → ".join([*stated, title(clustering)])


def _principal(rows: Array) -> Array:
    complete = np.isfinite(rows).all(axis=1)
    if complete.sum() < 2:
        return rows[:, :2]
    centered = rows - rows[complete].mean(axis=0)
    _, _, axes = randomized_svd(centered[complete], 2, random_state=0)
    return np.asarray(centered @ axes.T)
