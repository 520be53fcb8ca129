"""What was fitted: counted once, kept with the result and saved with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from xcluster.blocks.tally import Tally
from xcluster.grid.layout import Layout


@dataclass(frozen=True)
class Note:
    """A sentence about a result that its report shows.

    Parameters
    ----------
    kind
        What it is about: the "samples", the choice of k ("knee"), the "clusterer", the "scenes"
        that were fitted together, or the "centers" of an older file.
    text
        The sentence.
    """

    kind: Literal["samples", "knee", "clusterer", "scenes", "centers"]
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Record:
    """How many samples there were, how many were fitted, and how.

    Parameters
    ----------
    points : int
        Number of all grid points.
    outside : int
        Points left out by the mask or by a weight of zero.
    incomplete : int
        Points left out because a feature is missing.
    fitted : int
        Number of fitted rows.
    fit_on : str
        "all rows", "a sample" or "all rows, streamed".
    missing : mapping
        Per variable, at how many points a value is missing.
    weighted : bool
        Whether samples had weights.
    unweighted, sampled : tuple of str
        Steps that could not use weights, and steps that could not be fitted to streamed rows.
    passes : int
        Passes over the data for the iterations of the clusterer, if it was streamed.
    notes : tuple of Note
        Other sentences for the report.
    random_state : int
        The seed.
    counts : tuple of float
        Weight of the fitted rows of each of the clusterer's own numbers. Weights of rows in
        memory are 1 on average.
    unclassified : int
        Number of fitted rows to which the clusterer gave no label.
    empty : int
        Rows that were read and left out, because they hold nothing of what a step needs.
    lacking : str
        What they lack, such as "counts".
    gaps : int
        Number of samples that lack some of their features.
    there : mapping
        If samples may have gaps: per variable, which share of its values the samples have.
    """

    points: int
    outside: int
    incomplete: int
    fitted: int
    fit_on: str
    missing: Mapping[str, int] = field(default_factory=dict)
    weighted: bool = False
    unweighted: tuple[str, ...] = ()
    sampled: tuple[str, ...] = ()
    passes: int = 0
    notes: tuple[Note, ...] = ()
    random_state: int = 0
    counts: tuple[float, ...] = ()
    unclassified: int = 0
    empty: int = 0
    lacking: str = "counts"
    gaps: int = 0
    there: Mapping[str, float] = field(default_factory=dict)

    @property
    def complete(self) -> int:
        """Grid points that are samples."""
        return self.points - self.outside - self.incomplete

    @property
    def all_fitted(self) -> bool:
        """Whether all samples were fitted that could be."""
        return self.fitted + self.empty == self.complete

    @property
    def noise(self) -> float:
        """Weight of the fitted rows without a label: all rows minus the sum of ``counts``."""
        return max(self.fitted - sum(self.counts), 0.0) if self.unclassified else 0.0

    @staticmethod
    def of(
        tally: Tally,
        layout: Layout,
        fitted: int,
        fit_on: str,
        random_state: int,
        remarks: Sequence[str] = (),
    ) -> Record:
        """Return the record of a fit that has read its rows; ``remarks`` are about samples."""
        missing = {
            str(name): int(count)
            for name, count in zip(layout.variables, tally.missing, strict=True)
            if count
        }
        return Record(
            points=tally.points,
            outside=tally.outside,
            incomplete=tally.incomplete,
            fitted=fitted,
            fit_on=fit_on,
            missing=missing,
            weighted=layout.weight is not None,
            notes=tuple(Note("samples", text) for text in (*layout.notes, *remarks)),
            random_state=random_state,
            gaps=tally.gaps,
            there=_shares(tally, layout),
        )

    def sentences(self) -> list[str]:
        """Return the record as text, one sentence per fact."""
        said = [f"{self.fitted:,} of {self.complete:,} samples fitted ({self.fit_on})"]
        if self.outside:
            said.append(f"{self.outside:,} of {self.points:,} grid points outside the mask")
        if self.incomplete:
            worst = max(self.missing, key=lambda name: self.missing[name], default=None)
            blame = f", {worst!r} in {self.missing[worst]:,}" if worst else ""
            said.append(f"{self.incomplete:,} grid points incomplete{blame}")
        said += self._of_gaps()
        if self.empty:
            said.append(
                f"{self.empty:,} of {self.fitted + self.empty:,} samples without {self.lacking}"
            )
        if self.unweighted:
            said.append(f"fitted without weights: {', '.join(self.unweighted)}")
        if self.sampled:
            said.append(f"fitted on the sample only: {', '.join(self.sampled)}")
        return [*said, *map(str, self.notes)]

    def _of_gaps(self) -> list[str]:
        """Return how much of the samples there was, if they may have gaps."""
        if not self.gaps:
            return []
        share = sum(self.there.values()) / len(self.there)
        worst = min(self.there, key=lambda name: self.there[name])
        least = f", fewest of {worst!r} ({self.there[worst]:.0%})" if len(self.there) > 1 else ""
        said = f"{self.gaps:,} of {self.complete:,} samples have gaps: "
        return [f"{said}{share:.0%} of their values are there{least}"]


def _shares(tally: Tally, layout: Layout) -> dict[str, float]:
    """Return which share of the values of each variable samples have, if they may have gaps."""
    if layout.coverage is None:
        return {}
    return {
        str(name): int(there) / max(tally.complete * variable.size, 1)
        for (name, variable), there in zip(layout.variables.items(), tally.there, strict=True)
    }
