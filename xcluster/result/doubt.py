"""Maps of uncertainty, from refits to other rows and from memberships."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import clone

from xcluster import scores
from xcluster.base.arrays import Array
from xcluster.base.checks import as_typed, check_seed
from xcluster.base.errors import BadValueError
from xcluster.blocks import matrix
from xcluster.fit import fitting, labelled
from xcluster.fit.assign import Labeller
from xcluster.fit.fitted import Fitted, labelled_dim, samples_of
from xcluster.fit.labels import FILL_VALUE
from xcluster.fit.methods import TYPED_AS
from xcluster.fit.trials import STARTS_OF_REFITS, unheard_warnings
from xcluster.grid.layout import COLUMN, LABEL
from xcluster.grid.links import with_attrs
from xcluster.grid.names import check_free

REFIT_ROWS = 20_000

AGREEMENT = ("agreement", "share of refits of the same label")
OF_MEMBERSHIPS = (
    ("membership_entropy", "entropy of the memberships, in nats"),
    ("margin", "largest membership less the second"),
    ("robustness", "robustness"),
    ("robustness_class", "class of robustness"),
)


def uncertainty(
    fitted: Fitted, n_refits: int, resampling: str, fraction: float, random_state: int | None
) -> xr.Dataset:
    """Return how similar labels are in refits to other rows; see `Clustering.uncertainty`."""
    layout = samples_of(fitted, "uncertainty").layout
    own = random_state is None
    seed = fitted.record.random_state if own else check_seed("random_state", random_state)
    if fitted.source.rows is not None:
        rule = "labels follow from the places of the samples, which resampled rows do not have"
        remedy = "cluster without contiguous=, a graph or given distances"
        raise BadValueError("method", fitted.method_name, rule, remedy)
    found = labelled.read(layout, [fitted.labels], fitted.assign.chain, REFIT_ROWS)
    refit = partial(fitting.refit, _unfitted(fitted.assign.clusterer))
    with as_typed(TYPED_AS), unheard_warnings():
        stability = scores.stability(
            found.Z,
            found.labels[0],
            refit,
            sample_weight=found.weight,
            n_refits=n_refits,
            resampling=resampling,
            fraction=fraction,
            random_state=seed,
        )
    jaccard = xr.DataArray(stability.jaccard, {LABEL: stability.labels}, (LABEL,))
    jaccard = jaccard.reindex({LABEL: np.arange(fitted.k)})
    summary = xr.Dataset({"jaccard": jaccard, "mean_agreement": stability.mean_agreement})
    maps = _maps(fitted, stability.refits)
    check_free(maps["agreement"], [*summary.variables, *maps])
    return labelled_dim(fitted, summary.assign(maps))


def _unfitted(clusterer: Any) -> Any:
    """Return the clusterer unfitted, with few starts."""
    fresh = clone(clusterer)
    return fresh.set_params(n_init=STARTS_OF_REFITS) if "n_init" in fresh.get_params() else fresh


def _maps(fitted: Fitted, refits: Sequence[scores.Refit]) -> dict[str, xr.DataArray]:
    """Return the maps of uncertainty, from one pass over the data."""
    layout = samples_of(fitted, "uncertainty").layout
    quantities = (AGREEMENT, *OF_MEMBERSHIPS) if fitted.is_soft else (AGREEMENT,)
    of_rows = _DoubtOfRows(fitted.assign, tuple(refits))
    columns = matrix.apply(layout, of_rows, width=len(quantities), called="uncertainty")
    maps = {
        name: columns.isel({COLUMN: column}).rename(name).assign_attrs(long_name=text, units="1")
        for column, (name, text) in enumerate(quantities)
    }
    if "robustness_class" in maps:
        maps["robustness_class"] = _flagged(maps["robustness_class"])
    return maps


def _flagged(classes: xr.DataArray) -> xr.DataArray:
    """Give the classes of robustness their names, as CF flags."""
    names = scores.ROBUSTNESS_CLASSES
    flags = {
        "flag_values": np.arange(len(names), dtype=np.int16),
        "flag_meanings": " ".join(name.replace(" ", "_") for name in names),
    }
    flagged = with_attrs(classes, {"long_name": classes.attrs["long_name"], **flags}, on=classes)
    flagged.encoding = {"dtype": "int16", "_FillValue": FILL_VALUE}
    return flagged


@dataclass(frozen=True, eq=False)
class _DoubtOfRows:
    """Gives the uncertainty of rows; it is sent to blocks.

    Parameters
    ----------
    assign
        Gives labels and memberships of the result.
    refits
        The refits, with labels matched to those of the result.
    """

    assign: Labeller
    refits: tuple[scores.Refit, ...]

    def __call__(self, X: Array) -> Array:
        """Return one row per sample: agreement, and four columns from memberships if any."""
        labels = self.assign.labels(X)
        columns = [self._agreement(X, labels)]
        if self.assign.is_soft:
            columns += self._of_memberships(self.assign.memberships(X))
        return np.stack(columns, axis=1)

    def _agreement(self, X: Array, labels: Array) -> Array:
        Z = self.assign.chain(X)
        known = self.assign.chain.usable(Z) & (labels >= 0)
        agreement = np.full(len(X), np.nan)
        if known.any():
            Z, mine = Z[known], labels[known]
            agreement[known] = np.mean([refit(Z) == mine for refit in self.refits], axis=0)
        return agreement

    def _of_memberships(self, memberships: Array) -> list[Array]:
        classes = scores.robustness_classes(memberships).astype(float)
        return [
            scores.membership_entropy(memberships),
            scores.membership_margin(memberships),
            scores.robustness(memberships),
            np.where(classes < 0, np.nan, classes),
        ]
