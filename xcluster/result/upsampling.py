"""Labels of windows painted on the pixels of their image."""

from __future__ import annotations

import xarray as xr

from xcluster.base.checks import check_flag
from xcluster.base.errors import BadValueError
from xcluster.fit import prediction
from xcluster.fit.fitted import Fitted, samples_of
from xcluster.grid import windows


def upsample(fitted: Fitted, beyond: bool) -> xr.DataArray:
    """Return the pixels of the image, each with the label of the nearest window."""
    sampler = fitted.sampler
    check_flag("beyond", beyond)
    if not isinstance(sampler, windows.Patches):
        name = type(sampler).__name__.lower()
        rule = "already has labels on its own grid; only labels of patches() can be painted back"
        raise BadValueError("samples", name, rule, "use .labels")
    labels, data = fitted.labels, samples_of(fitted, "upsample").data
    return prediction.as_labels(windows.upsample(labels, sampler, data, beyond), fitted.partition)
