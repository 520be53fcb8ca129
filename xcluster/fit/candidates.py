"""Fits of several k, the criteria of each, and which of them decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.checks import check_choice, warn
from xcluster.base.errors import BadValueError
from xcluster.chain.question import Question
from xcluster.chain.reduction import Reduction
from xcluster.fit.criteria import CRITERIA
from xcluster.fit.fitting import Fit
from xcluster.fit.methods import Method, Options
from xcluster.fit.record import Note

Array = NDArray[Any]

FALLBACK = "simplified_silhouette"
FALLBACKS = (FALLBACK, "silhouette")


@dataclass(frozen=True, eq=False)
class Fits:
    """The fits behind a table of candidates, from which any of them can become a result.

    Parameters
    ----------
    models
        For each k the fitted clusterer, its record, and the means of its rows.
    question, reduction
        What was fitted.
    key
        Canonical position of each fitted row, if labels depend on neighbours on the grid.
    """

    models: Mapping[int, Fit]
    question: Question
    reduction: Reduction
    key: Array | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Candidates:
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
    """

    table: xr.Dataset
    method: Method
    options: Options
    fits: Fits | None = None
    keywords: Mapping[str, str] = field(default_factory=dict)

    def best(self, criterion: str | None = None) -> int:
        """Return the k that a criterion chooses.

        Parameters
        ----------
        criterion : str, optional
            A criterion of the table. By default the method's own (a knee of the distortion, or
            the lowest BIC), or the first one if that was not measured.

        Returns
        -------
        int

        Warns
        -----
        UserWarning
            If the curve has no knee. Then the k with the best simplified silhouette is taken.

        Raises
        ------
        ValueError
            If the criterion is not in the table, or if its curve has no knee and no silhouette
            was measured either.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> sweep = ds.cluster.pixels().sweep(range(2, 6))
        >>> sweep.best("simplified_silhouette") in range(2, 6)
        True
        """
        return self.choose(criterion)[0]

    def choose(self, criterion: str | None) -> tuple[int, Note | None]:
        """Return k, and a note if it was not chosen by the criterion itself."""
        own = str(self.method.criterion)
        if criterion is None:
            criterion = own if own in self.choosing else self.choosing[0]
        check_choice("criterion", criterion, tuple(self.choosing))
        chosen = CRITERIA[criterion].choose(self.table, criterion, self.options)
        return (int(chosen), None) if chosen is not None else self._fall_back(criterion)

    def _fall_back(self, criterion: str) -> tuple[int, Note]:
        """Return the k of the best silhouette, and a note that the curve has no knee."""
        none = f"{criterion} has no knee for k = {self.keywords['k']}"
        measured = [name for name in FALLBACKS if name in self.table]
        measured = [name for name in measured if np.isfinite(self.table[name]).any()]
        if not measured:
            remedy = f"widen the range, or measure criteria=[{criterion!r}, {FALLBACK!r}]"
            raise BadValueError("criterion", criterion, none, remedy)
        chosen = int(self.table[measured[0]].idxmax())
        text = f"{none}; k={chosen} has the best {CRITERIA[measured[0]].long_name}"
        warn(f"{text}. Choose k yourself, or widen the range.")
        return chosen, Note("knee", text)

    @property
    def models(self) -> Mapping[int, Fit]:
        """For each k the fitted clusterer, its record, and the means of its rows."""
        return {} if self.fits is None else self.fits.models

    @property
    def choosing(self) -> list[str]:
        """The criteria of the table that can choose a k."""
        names = map(str, self.table)
        return [name for name in names if CRITERIA[name].better is not None]

    def agreement(self) -> xr.Dataset:
        """Return the k that each criterion chooses, side by side.

        Returns
        -------
        Dataset with ``chosen`` over ``criterion``; 0 means that the curve has no knee. The
        attribute ``agree`` is 1 if all criteria that choose a k choose the same.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> sweep = ds.cluster.pixels().sweep(range(2, 6))
        >>> sweep.agreement().criterion.values.tolist()
        ['distortion', 'simplified_silhouette']
        """
        names = self.choosing
        chosen = [CRITERIA[name].choose(self.table, name, self.options) or 0 for name in names]
        agree = len({each for each in chosen if each}) == 1
        return xr.Dataset(
            {"chosen": ("criterion", chosen)}, {"criterion": names}, {"agree": int(agree)}
        )
