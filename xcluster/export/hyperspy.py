"""Label maps and spectra of labels as signals of HyperSpy."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.checks import check_choice, is_one_of
from xcluster.base.errors import BadValueError
from xcluster.base.optional import optional
from xcluster.export.images import image_of
from xcluster.export.spectra import KINDS, spectra_of
from xcluster.fit.fitted import Fitted, title
from xcluster.plot.text import name_of

EVEN = 1e-6
"""Steps that differ by less, relative to a step, make an even axis."""


def signal(fitted: Fitted, what: str, var: Hashable | None, signal_type: str | None) -> Any:
    """Return a signal of HyperSpy; see `Clustering.to_hyperspy`."""
    if check_choice("what", what, ("labels", "memberships", *KINDS)) in KINDS:
        spectra = spectra_of(fitted, what, var, signal_type)
        made = _signals().Signal1D(
            spectra.values.values, **_described(fitted, spectra.values, what)
        )
        if spectra.kind:
            made.set_signal_type(spectra.kind)
        return made
    for name, value in (("var", var), ("signal_type", signal_type)):
        if value is not None:
            remedy = "leave it out, or pass what='centers'"
            raise BadValueError(name, value, f"belongs to spectra, not to {what}", remedy)
    values = image_of(fitted, getattr(fitted, what), "to_hyperspy()").values
    made = _signals().Signal2D(values.data, **_described(fitted, values, what))
    return made if values.chunks is None else made.as_lazy()


def _signals() -> Any:
    return optional("hyperspy.api", "to_hyperspy()", "hyperspy").signals


def signals_of_scenes(
    whole: Fitted,
    scenes: Mapping[str, Fitted],
    what: str,
    var: Hashable | None,
    signal_type: str | None,
) -> Any:
    """Return images by scene, or spectra of all scenes; see `PooledClustering.to_hyperspy`."""
    if is_one_of(what, KINDS):
        return signal(whole, what, var, signal_type)
    return {name: signal(scene, what, var, signal_type) for name, scene in scenes.items()}


def _described(fitted: Fitted, values: xr.DataArray, what: str) -> dict[str, Any]:
    """Return axes and metadata of a signal, of which the last dims are no navigation."""
    first, partition = values.ndim - (1 if what in KINDS else 2), fitted.partition
    ours = {
        "method": title(fitted),
        "names": list(partition.label_names()),
        "colors": list(partition.label_colors()),
    }
    units = str(values.attrs.get("units", ""))
    of_signal = {"quantity": f"{name_of(values)} ({units})" if units else name_of(values)}
    return {
        "axes": [
            {**_axis(values, dim), "navigate": place < first}
            for place, dim in enumerate(values.dims)
        ],
        "metadata": {
            "General": {"title": f"{what.replace('_', ' ')} of {title(fitted)}"},
            "Signal": of_signal,
            "xcluster": ours,
        },
    }


def _axis(values: xr.DataArray, dim: Hashable) -> dict[str, Any]:
    """Return an axis as HyperSpy describes it: even steps, or every place."""
    axis, size = values[dim], values.sizes[dim]
    said = {"name": str(dim), "units": str(axis.attrs.get("units", "")), "size": size}
    if axis.dtype.kind not in "iuf":
        return said
    at = axis.values.astype(float)
    step = (at[-1] - at[0]) / (size - 1) if size > 1 else 1.0
    even = at[0] + step * np.arange(size)
    if np.abs(at - even).max() <= EVEN * abs(step) * size:
        return {**said, "offset": at[0], "scale": step}
    return {**said, "axis": at}
