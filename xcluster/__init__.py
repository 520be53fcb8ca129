"""Cluster labelled arrays: an xarray accessor from data to a map of classes.

``import xcluster`` gives every Dataset and DataArray ``.cluster``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sklearn  # noqa: F401  (before ours: from deep within their chain it takes half a second more)

from xcluster.api.accessor import ClusterAccessor
from xcluster.api.clustering import Clustering
from xcluster.api.pooled import PooledClustering, PooledSweep
from xcluster.api.samples import Samples
from xcluster.api.scenes import PooledSamples, pool
from xcluster.api.sweep import Sweep
from xcluster.base.version import __version__ as __version__
from xcluster.image_peaks import peaks
from xcluster.result.change import change
from xcluster.result.comparison import compare

if TYPE_CHECKING:
    from xcluster import coords, datasets
    from xcluster.api.opening import open


__all__ = [
    "ClusterAccessor",
    "Clustering",
    "PooledClustering",
    "PooledSamples",
    "PooledSweep",
    "Samples",
    "Sweep",
    "change",
    "compare",
    "coords",
    "datasets",
    "open",
    "peaks",
    "pool",
]

_LAZY_MODULES = ("coords", "datasets")


def __getattr__(name: str) -> Any:
    """Import what few sessions need when it is first asked for."""
    from importlib import import_module

    if name in _LAZY_MODULES:
        return import_module(f"xcluster.{name}")
    if name == "open":
        return import_module("xcluster.api.opening").open
    raise AttributeError(f"module 'xcluster' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what users call, whether or not it has been imported yet."""
    return sorted([*__all__, "__version__", "algorithms", "scores"])
