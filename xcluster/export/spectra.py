"""Spectra of labels: which variable holds them, along which axis, and of which kind they are."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import xarray as xr

from xcluster.base.checks import check_choice
from xcluster.base.errors import BadValueError
from xcluster.fit.fitted import Fitted
from xcluster.grid.layout import LABEL
from xcluster.plot.elements import is_loss
from xcluster.result.back_projection import back_projection

KINDS = ("centers", "back_projection")
"""What is averaged for each label."""

SIGNALS = {"EDS_SEM": "EDS", "EDS_TEM": "EDS", "EELS": "ELS", "CL": "CLS"}
"""Types of signals, as HyperSpy and as EMSA files name them."""


@dataclass(frozen=True, eq=False)
class Spectra:
    """One spectrum per label.

    Parameters
    ----------
    values
        Over label and the spectral dim.
    kind : str
        The signal type as HyperSpy names it, such as "EDS_TEM"; empty if it is not known.
    """

    values: xr.DataArray
    kind: str

    @property
    def axis(self) -> xr.DataArray:
        """The coordinate along the spectra, or places where they have none."""
        return self.values[self.values.dims[1]]


def spectra_of(fitted: Fitted, what: str, var: Hashable | None, signal_type: str | None) -> Spectra:
    """Return the centres or the back projection of each label as spectra.

    Raises
    ------
    ValueError
        If the variable has not exactly one feature dim.
    """
    check_choice("what", what, KINDS)
    if not fitted.k:
        rule = "no labels: every sample is noise"
        raise BadValueError("k", 0, rule, "cluster with other parameters")
    template = fitted.template
    curves = [name for name, array in template.data_vars.items() if array.ndim == 1]
    if not curves:
        rule = "a spectrum is along one feature dim, and no variable has exactly one"
        remedy = "make spectra by pixels(dim=...) or profiles(dim)"
        raise BadValueError("var", var, rule, remedy)
    name = curves[0] if var is None else check_choice("var", var, curves)
    found = fitted.centers if what == "centers" else back_projection(fitted, 0.5, False)
    values = found[name].transpose(LABEL, ...)
    return Spectra(values, _kind(values, signal_type))


def _kind(values: xr.DataArray, stated: str | None) -> str:
    """Return the signal type that is given, or stated by the data, or told by the axis."""
    if stated is not None:
        return str(check_choice("signal_type", stated, tuple(SIGNALS)))
    losses = is_loss(values[values.dims[1]])
    return str(values.attrs.get("signal_type", "EELS" if losses else ""))
