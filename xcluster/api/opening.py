"""Saved results as the public classes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from os import PathLike
from typing import Any, overload

import xarray as xr

from xcluster.api.clustering import Clustering
from xcluster.api.pooled import PooledClustering
from xcluster.api.samples import Samples
from xcluster.api.scenes import PooledSamples
from xcluster.api.sweep import clustering_of
from xcluster.base.errors import BadTypeError
from xcluster.chain.pooling import of_each, scenes_of
from xcluster.files import io
from xcluster.files.io import Saved
from xcluster.fit.sources import Live

Path = str | PathLike[str]


@overload
def open(
    path: Path, data: xr.Dataset | xr.DataArray, trusted: Collection[str] = ()
) -> Clustering: ...
@overload
def open(
    path: Path, data: xr.DataTree | Mapping[str, Any], trusted: Collection[str] = ()
) -> PooledClustering: ...
@overload
def open(path: Path, data: None = None, trusted: Collection[str] = ()) -> Any: ...
def open(path: Path, data: Any = None, trusted: Collection[str] = ()) -> Any:
    """Open a saved clustering.

    Parameters
    ----------
    path
        Of a netCDF file or Zarr directory that `Clustering.save` or `PooledClustering.save` wrote.
    data : Dataset, DataArray, or several of them as `xcluster.pool` takes them, optional
        What was clustered. Without it labels, memberships and centres are as saved,
        `Clustering.predict` works, and what needs the original values says so.
    trusted : collection of str, default ()
        Types of other packages that may be loaded, by their full names. Estimators of
        scikit-learn and of this package need none.

    Returns
    -------
    Clustering, or PooledClustering of several scenes

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no saved clustering, is truncated or was changed, holds types that are not
        trusted, or ``data`` lies on another grid or has other scenes.

    Examples
    --------
    >>> import tempfile, pathlib, xcluster
    >>> fit = xcluster.datasets.ocean().cluster.pixels().kmeans(3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fit.save(pathlib.Path(folder) / "provinces.nc")
    ...     again = xcluster.open(pathlib.Path(folder) / "provinces.nc")
    >>> bool((again.labels == fit.labels).sum() == fit.labels.notnull().sum())
    True
    """
    saved = io.read(path, trusted)
    return _of_scenes(saved, data) if saved.scenes else _of_one(saved, data)


def _of_one(saved: Saved, data: Any) -> Clustering:
    """Return a saved result of one object; over its data where these are given."""
    clustering = clustering_of(saved.fitted)
    if data is None:
        return clustering
    if not isinstance(data, xr.Dataset | xr.DataArray):
        rule = "is no Dataset or DataArray, and the file holds the result of one"
        raise BadTypeError("data", type(data).__name__, rule, "pass the object that was clustered")
    return replace(clustering, source=saved.cleaned(saved.live("", data, Samples)))


def _of_scenes(saved: Saved, data: Any) -> PooledClustering:
    """Return a saved result of several scenes; over their data where these are given."""
    whole = clustering_of(saved.fitted)
    if data is None:
        return PooledClustering(whole, saved.scenes)
    if isinstance(data, xr.Dataset | xr.DataArray) and len(saved.scenes) > 1:
        rule = f"is one object, and the file holds the scenes {list(saved.scenes)}"
        raise BadTypeError("data", type(data).__name__, rule, "pass a mapping of these names")
    scenes = of_each("data", scenes_of(data, "data"), saved.scenes)
    sources = {name: saved.live(name, scenes[name], Samples) for name in saved.scenes}
    questions = {name: each.question for name, each in sources.items()}
    pooled = Live(PooledSamples.of(questions), means=whole.source.means)
    together, each = saved.all_cleaned(pooled, sources)
    return PooledClustering(replace(whole, source=together), each)
