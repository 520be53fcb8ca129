"""One page to look into a result: map, curves and components, linked; no server, no network."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from xcluster.base.errors import BadTypeError
from xcluster.base.optional import optional
from xcluster.explore import gather
from xcluster.explore.page import Page
from xcluster.fit.fitted import Fitted
from xcluster.result.relabelling import results_of_scenes

__all__ = ["Page", "explore", "explore_scenes"]


def explore(
    clustering: Fitted, other: Fitted | None = None, *, sel: Mapping[Hashable, Any] | None = None
) -> Page:
    """Return a page of one result, or of two side by side; see `Clustering.explore`."""
    results = [clustering] if other is None else [clustering, other]
    return _page({"": results}, sel)


def explore_scenes(
    scenes: Mapping[str, Fitted],
    others: Mapping[str, Fitted] | None = None,
    *,
    sel: Mapping[Hashable, Any] | None = None,
) -> Page:
    """Return a page with a tab per scene; see `PooledClustering.explore`."""
    beside = () if others is None else (results_of_scenes(scenes, others),)
    tabs = {name: [scene, *(each[name] for each in beside)] for name, scene in scenes.items()}
    return _page(tabs, sel)


def _page(tabs: Mapping[str, list[Fitted]], sel: Mapping[Hashable, Any] | None) -> Page:
    """Return a page of the results in each tab."""
    optional("bokeh", "explore()", '"xarray-cluster[explore]"')
    from xcluster.explore.document import document

    if not isinstance(sel, Mapping | None):
        remedy = 'pass sel={"time": "2001-07"}, for example'
        raise BadTypeError("sel", sel, "must be a mapping of dims", remedy)
    entries = dict(sel or {})
    return Page(document({name: gather.gather(each, entries) for name, each in tabs.items()}))
