"""The question: which samples, features and steps; nothing is computed before a clusterer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcluster.api.clusterers import Clusterers
from xcluster.api.clustering import Clustering
from xcluster.api.transformers import Transformers
from xcluster.fit.reduced import ReducedSpace
from xcluster.result import formatting

if TYPE_CHECKING:
    from xcluster.plot.samples import SamplesPlot


@dataclass(frozen=True, eq=False, repr=False)
class Samples(Transformers, ReducedSpace, Clusterers[Clustering]):
    """Samples of an object, with the steps that their features go through.

    Made by ``ds.cluster.pixels()``, ``.profiles()``, ``.patches()`` or ``.snapshots()``. Every
    method returns a new object; nothing is computed until a clusterer is called.

    Parameters
    ----------
    data : Dataset
        The user's object.
    sampler
        What is a sample and what are its features.
    steps
        Scaling and reduction, in order.
    mask : DataArray of bool, optional
        Which samples count.
    weighting : "area", DataArray or None
        How much each sample counts.
    random_state : int
        Seed of everything random that follows.
    climatology : Climatology, optional
        What is subtracted from the data.

    Notes
    -----
    All clusterers take these keywords beside their own:

    fit_on : "auto", "all" or int, default "auto"
        Rows to fit. "auto": all up to 1,000,000 grid points and 150,000,000 values, else a sample
        of 100,000 complete rows (at most 25,000,000 values), chosen by their coordinates. "all"
        streams over larger data.
    order : "size", "center", a variable's name or a callable, default "size"
        What the labels are numbered by; for a latent space of one dimension "center".
    attrs : mapping, optional
        Free attributes of the result.
    progress : bool, default True
        Show a bar for what takes longer than two seconds.
    smooth, interp_method
        Passed to the search for a knee where ``k`` is not an int.

    Examples
    --------
    >>> import xcluster
    >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
    >>> samples = ds.cluster.pixels().where(ds.sst > 0).weights("area").pca(3)
    >>> samples.kmeans(4).k
    4
    """

    @property
    def plot(self) -> SamplesPlot:
        """Figures of the data before clustering: ``plot.map()``, ``plot.scatter()`` and others.

        Examples
        --------
        >>> import xcluster
        >>> xcluster.datasets.ocean().cluster.pixels().plot.map("sst")  # doctest: +SKIP
        """
        from xcluster.plot.samples import SamplesPlot

        return SamplesPlot(self)

    def __repr__(self) -> str:
        return formatting.samples_text(self)

    def _repr_html_(self) -> str:
        return formatting.samples_html(self)
