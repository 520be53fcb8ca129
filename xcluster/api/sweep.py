"""How many labels: the fits of several k, as a user sees them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar, Self

from xcluster.api.clustering import Clustering
from xcluster.api.completion import Completed
from xcluster.base.wording import call_text
from xcluster.fit.candidates import Candidates
from xcluster.fit.fitted import Fitted
from xcluster.fit.selection import fitted_of
from xcluster.plot.sweep import SweepPlot


@dataclass(frozen=True, eq=False, repr=False)
class AnySweep(Completed, Candidates):
    """What fits of several k tell, of one object or of several scenes."""

    _shown: ClassVar = "Sweep"
    _for_us: ClassVar = frozenset(
        ("of", "choose", "choosing", "fits", "keywords", "method", "options")
    )

    @classmethod
    def of(cls, candidates: Candidates) -> Self:
        """Return these candidates as the public class."""
        return cls(**{each.name: getattr(candidates, each.name) for each in fields(Candidates)})

    @property
    def plot(self) -> SweepPlot:
        """Figures: ``plot()`` draws one panel per criterion and marks the chosen k.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> ds.cluster.pixels().sweep(range(2, 6)).plot()  # doctest: +SKIP
        """
        return SweepPlot(self)

    def __repr__(self) -> str:
        names = ", ".join(map(str, self.table))
        return f"<xcluster.{self._shown}> {call_text(self.method.name, self.keywords)}: {names}"


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(AnySweep):
    """Fits of several k. The models are kept, their label maps are not.

    Parameters
    ----------
    table : Dataset
        Criteria over ``k``.
    method, options
        What was fitted, and how k is chosen.
    fits : optional
        The models. A file stores only the table.
    keywords : mapping of str to str
        Keywords of the method that differ from the defaults, as text; ``k`` are the candidates.

    Examples
    --------
    >>> import xcluster
    >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
    >>> sweep = ds.cluster.pixels().sweep(range(2, 6))
    >>> sweep.table.k.values.tolist()
    [2, 3, 4, 5]
    """

    def clustering(self, k: int) -> Clustering:
        """Return the result for one k of the table; nothing is fitted again.

        Parameters
        ----------
        k : int
            One of the fitted k.

        Raises
        ------
        ValueError
            If ``k`` was not fitted.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> sweep = ds.cluster.pixels().sweep(range(2, 6))
        >>> sweep.clustering(3).k
        3
        """
        return clustering_of(fitted_of(self, k))


def clustering_of(fitted: Fitted) -> Clustering:
    """Return a result, and its candidates too, as the public classes."""
    return Clustering.of(fitted, None if fitted.sweep is None else Sweep.of(fitted.sweep))
