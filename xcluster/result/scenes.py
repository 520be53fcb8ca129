"""Scores and uncertainty of several scenes, even if some scenes have no labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import numpy as np
import xarray as xr

from xcluster.base.errors import TooFewError
from xcluster.fit.fitted import Fitted
from xcluster.grid.links import with_attrs
from xcluster.result.diagnostics import all_scores
from xcluster.result.doubt import uncertainty

P = ParamSpec("P")
Found = TypeVar("Found")


def scores(scenes: Mapping[str, Fitted], space: str, truths: Mapping[str, Any]) -> xr.Dataset:
    """Return all scores of each scene, over ``scene``; NaN for scenes without labels."""
    found = {
        name: _if_any(all_scores, scene, space, truths[name]) for name, scene in scenes.items()
    }
    known = {name: each for name, each in found.items() if each is not None}
    if not known:
        rule = "have no label, so there is nothing to score"
        raise TooFewError("scenes", list(scenes), rule, "cluster with other parameters")
    along = xr.DataArray(list(known), dims="scene", name="scene")
    joined = xr.concat(list(known.values()), along, combine_attrs="drop_conflicts")
    return joined.reindex(scene=list(scenes))


def silhouette(scene: Fitted) -> xr.DataArray:
    """Return the silhouette of each sample; NaN if the scene has fewer than two labels."""
    found: xr.DataArray | None = _if_any(getattr, scene, "silhouette")
    if found is not None:
        return found
    nothing = xr.full_like(scene.labels, np.nan).rename("silhouette")
    return with_attrs(nothing, {"long_name": "silhouette"}, on=scene.labels)


def doubt(scene: Fitted, *options: Any) -> xr.Dataset:
    """Return how similar labels are in refits; an empty Dataset if the scene has no labels."""
    found = _if_any(uncertainty, scene, *options)
    return xr.Dataset() if found is None else found


def _if_any(function: Callable[P, Found], *args: P.args, **keywords: P.kwargs) -> Found | None:
    """Return the result of a function; None if there are too few samples or labels for it."""
    try:
        return function(*args, **keywords)
    except TooFewError:
        return None
