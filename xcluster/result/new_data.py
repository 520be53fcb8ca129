"""Labels of other data than the fitted ones."""

from __future__ import annotations

from typing import Any

import xarray as xr

from xcluster.base.checks import check_flag
from xcluster.fit import prediction
from xcluster.fit.fitted import Fitted, labelled_dim, need_soft


def predict(fitted: Fitted, new: Any, memberships: bool) -> xr.DataArray | xr.Dataset:
    """Return the labels of other data, and memberships on request; lazy where they are."""
    if check_flag("memberships", memberships):
        need_soft(fitted, "memberships")
    layout = prediction.new_layout(fitted, new)
    if not memberships:
        return prediction.labels(layout, fitted.assign)
    return labelled_dim(fitted, prediction.both(layout, fitted.assign))
