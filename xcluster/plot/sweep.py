"""The figure of a `Sweep`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xcluster.plot.looks import drawn

if TYPE_CHECKING:
    from xcluster.fit.selection import Sweep


@dataclass(frozen=True, eq=False, repr=False)
class SweepPlot:
    """Draws the criteria of a sweep.

    Parameters
    ----------
    sweep
        What to draw.
    """

    sweep: Sweep

    def __call__(self, **keywords: Any) -> list[Any]:
        """Draw one panel a criterion, the k that it chooses marked.

        Parameters
        ----------
        **keywords
            To `xcluster.plot.curves.criteria`.

        Returns
        -------
        list of matplotlib Axes

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> axes = ds.cluster.pixels().sweep(range(2, 6)).plot()
        >>> len(axes)
        2
        """
        from xcluster.plot.curves import criteria as draw

        chosen = self.sweep.agreement()["chosen"]
        marked = {str(each.criterion.item()): int(each) for each in chosen if int(each)}
        return drawn(draw, self.sweep.table, marked, **keywords)
