"""Several objects asked as one: the same samples and steps of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import xarray as xr

from xcluster.api.clusterers import Clusterers
from xcluster.api.completion import Completed
from xcluster.api.pooled import PooledClustering, PooledSweep
from xcluster.api.samples import Samples
from xcluster.chain.pooling import Objects, ask_each
from xcluster.chain.question import PooledQuestion
from xcluster.fit.candidates import Candidates
from xcluster.fit.fitted import Fitted


def pool(objects: Objects, question: Callable[[xr.Dataset], Samples]) -> PooledSamples:
    """Cluster several objects (scenes, files, members of an ensemble) as one.

    Parameters
    ----------
    objects : DataTree, mapping or iterable of Dataset or DataArray
        The scenes. Grids, chunks and sizes may differ; variables, feature coordinates and units
        must agree. Of a DataTree every node with variables is a scene, named by its path; scenes
        of an iterable are named "0", "1" and so on.
    question : callable
        Takes one scene as a Dataset and returns its `Samples`: the sampler, steps, mask and
        weights. Called once for each scene, so that each may have a mask of its own. The mean
        cycle of an `anomaly` is common to all scenes, unless ``common=False``.

    Returns
    -------
    PooledSamples
        With all the clusterers of `Samples`; they return a `PooledClustering`.

    Raises
    ------
    ValueError
        If there is no scene, or a scene differs from the first in its features, anomaly, steps or
        seed, or in having weights.

    Examples
    --------
    >>> import xcluster
    >>> ocean = xcluster.datasets.ocean()
    >>> south, north = ocean.sel(latitude=slice(-90, 0)), ocean.sel(latitude=slice(0, 90))
    >>> scenes = {"south": south, "north": north}
    >>> fit = xcluster.pool(scenes, lambda ds: ds.cluster.pixels(["sst", "wind_speed"])).kmeans(3)
    >>> sorted(fit.labels.children)
    ['north', 'south']
    >>> fit["north"].labels.dims
    ('latitude', 'longitude')
    """
    return PooledSamples.of(ask_each(objects, question, Samples))


@dataclass(frozen=True, eq=False, repr=False)
class PooledSamples(Completed, Clusterers[PooledClustering, PooledSweep], PooledQuestion):
    """The samples of several scenes, fitted together; made by `pool`.

    Parameters
    ----------
    data, sampler, steps, mask, weighting, random_state, climatology, columns
        Of the first scene; all others ask the same but for their own data, mask and weights.
    scenes : mapping of str to Samples

    Examples
    --------
    >>> import xcluster
    >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
    >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
    >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
    >>> list(pooled.scenes)
    ['globe', 'north']
    """

    _for_us: ClassVar = frozenset(
        (
            *("of", "ready", "data", "mask", "sampler", "weighting", "climatology"),
            *("columns", "ordering", "ordered"),
        )
    )

    def _answer(self, fitted: Fitted) -> PooledClustering:
        return PooledClustering.of(fitted)

    def _swept(self, candidates: Candidates) -> PooledSweep:
        return PooledSweep.of(candidates)

    def __repr__(self) -> str:
        points = f"{self.layout.n_pooled:,} grid points"
        first = next(iter(self.scenes.values()))
        return f"<xcluster.PooledSamples> {len(self.scenes)} scenes, {points}\n{first!r}"
