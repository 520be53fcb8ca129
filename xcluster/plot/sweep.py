"""The figure of candidates for the number of labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from xcluster.base.signatures import spelled_out
from xcluster.plot import curves
from xcluster.plot.keywords import PanelKeywords
from xcluster.plot.looks import drawn

if TYPE_CHECKING:
    from xcluster.fit.candidates import Candidates


@dataclass(frozen=True, eq=False, repr=False)
class SweepPlot:
    """Draws the criteria of a sweep.

    Parameters
    ----------
    sweep
        What to draw.
    """

    sweep: Candidates

    @spelled_out
    def __call__(self, **keywords: Unpack[PanelKeywords]) -> list[Any]:
        """Draw one panel per criterion, with the k that it chooses marked.

        Keywords go to `xcluster.plot.curves.criteria`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> axes = ds.cluster.pixels().sweep(range(2, 6)).plot()
        >>> len(axes)
        2
        """
        chosen = self.sweep.agreement()["chosen"]
        marked = {str(each.criterion.item()): int(each) for each in chosen if int(each)}
        return drawn(curves.criteria, self.sweep.table, marked, **keywords)
