"""The answer for several scenes: one fitted model, a `Clustering` of each scene."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast, overload

import pandas as pd
import xarray as xr
from sklearn.pipeline import Pipeline

from xcluster.api.clustering import Clustering
from xcluster.api.completion import Completed
from xcluster.api.latent import LatentSpace
from xcluster.api.sweep import AnySweep, Sweep, clustering_of
from xcluster.base.arrays import Array
from xcluster.base.errors import UnknownNameError
from xcluster.chain import reduction
from xcluster.chain.pooling import Objects, of_all_or_each, of_each, scenes_of, tree_of
from xcluster.chain.question import PooledQuestion
from xcluster.chain.reduction import Chain
from xcluster.explore import Page, explore_scenes
from xcluster.export import hyperspy, msa, polygons, raster, tiff
from xcluster.files import io
from xcluster.fit.cleaning import Cleaning, Fill, Sieve, Smooth
from xcluster.fit.fitted import Fitted
from xcluster.fit.labels import Partition
from xcluster.fit.record import Note, Record
from xcluster.fit.selection import fitted_of
from xcluster.fit.sources import Cleaned, Live, Source
from xcluster.plot.scenes import ScenesPlot
from xcluster.result import (
    back_projection,
    formatting,
    medoids,
    new_data,
    nodes,
    regimes,
    regions,
    relabelling,
    scenes,
    tables,
    upsampling,
    zones,
)

if TYPE_CHECKING:
    import geopandas as gpd

    from xcluster.api.scenes import PooledSamples


@dataclass(frozen=True, eq=False, repr=False)
class PooledClustering(Completed, LatentSpace, Mapping[str, Clustering]):
    """One fitted model over several scenes; a mapping from scene to its `Clustering`.

    What does not lie on a grid is of all scenes together; what does is given scene by scene, as a
    DataTree of one node per scene. Names of scenes with a slash are paths in these trees.

    Parameters
    ----------
    whole : Clustering
        Fitted to the rows of all scenes.
    scenes : mapping of str to what each result stands on
        Live data, or what a file stored.

    Examples
    --------
    >>> import xcluster
    >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
    >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
    >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
    >>> fit = pooled.kmeans(3)
    >>> {name: result.labels.shape for name, result in fit.items()}
    {'globe': (30, 180), 'north': (15, 180)}
    """

    whole: Clustering
    scenes: Mapping[str, Source]

    _for_us: ClassVar = frozenset(("of", "whole", "scenes"))

    @classmethod
    def of(cls, fitted: Fitted) -> Self:
        """Return the result of a fit to several scenes."""
        question = fitted.source.asked("scenes")
        assert isinstance(question, PooledQuestion)
        scenes = {name: Live(each) for name, each in question.scenes.items()}
        return cls(clustering_of(fitted), scenes)

    def __getitem__(self, scene: str) -> Clustering:
        if scene not in self.scenes:
            rule = f"is no scene; they are {list(self.scenes)}"
            raise UnknownNameError("scene", scene, rule, "choose one of these")
        return self._results[scene]

    @cached_property
    def _results(self) -> dict[str, Clustering]:
        """The result of each scene, which keeps its labels once they are computed."""
        return {name: self._result(name) for name in self.scenes}

    def _result(self, scene: str) -> Clustering:
        source, record, sweep = self.scenes[scene], self.whole.record, self.whole.sweep
        cycle = self.whole.climatology
        if isinstance(source, Live) and self.whole.source.means is not None:
            # Of all scenes together, and not before they are asked for.
            source = replace(source, means=partial(getattr, self.whole, "raw_means"))
        if isinstance(source, Cleaned):
            source = replace(source, of_labels=partial(getattr, self.whole, "means_of_labels"))
        if len(self) > 1:
            text = f"the counts are of {len(self)} scenes fitted together; this is {scene!r}"
            record = replace(record, notes=(*record.notes, Note("scenes", text)))
        sweep = None if sweep is None else replace(_SceneSweep.of(sweep), scene=scene)
        cycle = None if cycle is None else cycle.scene(scene)
        return replace(self.whole, source=source, record=record, sweep=sweep, climatology=cycle)

    def __iter__(self) -> Iterator[str]:
        return iter(self.scenes)

    def __len__(self) -> int:
        return len(self.scenes)

    # -------------------------------------------------------------------------------- of all scenes

    @property
    def method(self) -> str:
        """What was fitted: the method, and its keywords that differ from the defaults.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).method
        'kmeans(k=3)'
        """
        return self.whole.method

    @property
    def method_name(self) -> str:
        """Name of the clusterer's method.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).method_name
        'kmeans'
        """
        return self.whole.method_name

    @property
    def k(self) -> int:
        """Number of labels.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).k
        3
        """
        return self.whole.k

    @property
    def is_soft(self) -> bool:
        """Whether there are memberships.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).is_soft
        False
        """
        return self.whole.is_soft

    @property
    def model(self) -> Pipeline:
        """The fitted steps and clusterer as a scikit-learn Pipeline.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> [name for name, _ in pooled.kmeans(3).model.steps]
        ['columns', 'scale', 'kmeans']
        """
        return self.whole.model

    @property
    def partition(self) -> Partition:
        """What the clusterer's own numbers mean: order, names, colours.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).partition.n_labels
        3
        """
        return self.whole.partition

    @property
    def record(self) -> Record:
        """What the fit saw, of all scenes together.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).record.fit_on
        'all rows'
        """
        return self.whole.record

    @property
    def sweep(self) -> PooledSweep | None:
        """The fits among which k was chosen; None where k was given.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.gmm([2, 3]).sweep.table.k.values.tolist()
        [2, 3]
        """
        sweep = self.whole.sweep
        return None if sweep is None else PooledSweep.of(sweep)

    @property
    def samples(self) -> PooledSamples | None:
        """The samples of all scenes; None where a result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).samples.gmm(4).k
        4
        """
        return cast("PooledSamples | None", self.whole.samples)

    @property
    def attrs(self) -> Mapping[str, Any]:
        """The user's own attributes.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> dict(pooled.kmeans(3, attrs={"season": "all"}).attrs)
        {'season': 'all'}
        """
        return self.whole.attrs

    @property
    def centers(self) -> xr.Dataset:
        """Centre of each label in data units, of all scenes together.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).centers.sst.dims
        ('label',)
        """
        return self.whole.centers

    @property
    def prototypes(self) -> xr.Dataset:
        """What `predict` compares samples with, in data units, of all scenes together.

        See Also
        --------
        xcluster.Clustering.prototypes : What they are, and which results have them.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).prototypes.sst.dims
        ('label',)
        """
        return self.whole.prototypes

    def back_projection(self, u: float = 0.5, weighted: bool = False) -> xr.Dataset:
        """Return mean and standard error of the data of each label, of all scenes together.

        See Also
        --------
        xcluster.Clustering.back_projection : The parameters, and what is returned.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> sorted(pooled.fuzzy(3).back_projection())[:2]
        ['air_temperature', 'air_temperature_error']
        """
        return back_projection.back_projection(self.whole, u, weighted)

    @property
    def tree(self) -> Array:
        """Merges of `hac` as a scipy linkage matrix; see `Clustering.tree`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.hac(3).tree.shape[1]
        4
        """
        return relabelling.tree(self.whole)

    def u_matrix(self) -> xr.DataArray:
        """Return the mean distance of each node of `som` to its neighbours on the map.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.som((3, 4)).u_matrix().shape
        (3, 4)
        """
        return nodes.u_matrix(self.whole)

    def predict(
        self, new: xr.Dataset | xr.DataArray, memberships: bool = False
    ) -> xr.DataArray | xr.Dataset:
        """Return the labels of another object; see `Clustering.predict`.

        Parameters
        ----------
        new : Dataset or DataArray
            With the features of the fitted scenes, on any grid.
        memberships : bool, default False
            Return a Dataset of ``labels`` and ``memberships``.

        Raises
        ------
        ValueError
            If the data do not fit; the error lists each reason.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).predict(ds).sizes == ds.sst.sizes
        True
        """
        return new_data.predict(self.whole, new, memberships)

    # ------------------------------------------------------------------------------- scene by scene

    @property
    def labels(self) -> xr.DataTree:
        """One node per scene, each with ``labels`` on the scene's own grid.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).labels["north"]["labels"].dims
        ('latitude', 'longitude')
        """
        return self._tree(lambda scene: tables.alone(scene.labels))

    @property
    def memberships(self) -> xr.DataTree:
        """One node per scene, each with ``memberships`` (soft methods).

        Raises
        ------
        ValueError
            If the method is not a soft one.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.gmm(3).memberships["north"]["memberships"].dims
        ('label', 'latitude', 'longitude')
        """
        return self._tree(lambda scene: tables.alone(scene.memberships))

    @property
    def distances(self) -> xr.DataTree:
        """One node per scene, each with ``distances`` to the centres; see `Clustering.distances`.

        Raises
        ------
        ValueError
            If the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).distances["north"]["distances"].dims
        ('label', 'latitude', 'longitude')
        """
        return self._tree(lambda scene: tables.alone(scene.distances))

    @property
    def shifts(self) -> xr.DataTree:
        """One node per scene, each with ``shifts``: how far a sample lies behind its centre.

        See `Clustering.shifts`.

        Raises
        ------
        ValueError
            If the method does not shift samples, or the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> scenes = {"west": model.isel(longitude=slice(0, 20)), "all": model}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.profiles("depth", every=6))
        >>> pooled.kmeans(3, metric="sbd").shifts["west"]["shifts"].dims
        ('latitude', 'longitude')
        """
        return self._tree(lambda scene: tables.alone(scene.shifts))

    @property
    def strength(self) -> xr.DataTree:
        """One node per scene, each with ``strength``: how firmly a sample belongs to its label.

        See `Clustering.strength`.

        Raises
        ------
        ValueError
            For other methods than `hdbscan`, for files of version 0.1.0, and if the result was
            opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.hdbscan(20).strength["north"]["strength"].dims
        ('latitude', 'longitude')
        """
        return self._tree(lambda scene: tables.alone(scene.strength))

    @property
    def coverage(self) -> xr.DataTree:
        """One node per scene, each with ``coverage``: which share of its features a sample has.

        See `Clustering.coverage`.

        Raises
        ------
        ValueError
            If the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels(missing="keep"))
        >>> pooled.kmeans(3).coverage["north"]["coverage"].dims
        ('latitude', 'longitude')
        """
        return self._tree(lambda scene: tables.alone(scene.coverage))

    @property
    def features(self) -> xr.DataTree:
        """One node per scene, each with ``features``: the space that was clustered.

        Raises
        ------
        ValueError
            If the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).features["north"]["features"].dims
        ('component', 'latitude', 'longitude')
        """
        return self._tree(lambda scene: tables.alone(scene.features))

    @property
    def silhouette(self) -> xr.DataTree:
        """One node per scene, each with ``silhouette``, among the samples of that scene.

        NaN where a scene has fewer than two of the labels.

        Raises
        ------
        ValueError
            If there is one label in all, or the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).silhouette["north"]["silhouette"].dims
        ('latitude', 'longitude')
        """
        return self._tree(lambda scene: tables.alone(scenes.silhouette(scene)))

    def members(self, label: int | str) -> xr.DataTree:
        """Return the data of one label, one node per scene; see `Clustering.members`.

        Parameters
        ----------
        label : int or str
            Its number or name.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> list(pooled.kmeans(3).members(0)["north"])[:1]
        ['sst']
        """
        return self._tree(lambda scene: scene.members(label))

    @property
    def medoids(self) -> xr.DataTree:
        """The samples that are medoids, one node per scene with those that lie in it.

        See Also
        --------
        xcluster.Clustering.medoids : Which coordinates they have.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> found = pooled.kmedoids(3).medoids
        >>> found["globe"].sizes["label"] + found["north"].sizes["label"]
        3
        """
        return tree_of(dict(zip(self, medoids.of_scenes(self.whole), strict=True)))

    def mask(self, labels: int | str | Sequence[int | str]) -> xr.DataTree:
        """Return where some labels are, one node per scene; see `Clustering.mask`.

        Parameters
        ----------
        labels : int, str, or list of these
            Numbers or names.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).mask([0, 2])["north"]["mask"].dtype
        dtype('bool')
        """
        return self._tree(lambda scene: tables.alone(scene.mask(labels)))

    def scores(
        self, space: Literal["features", "data"] = "features", *, truth: Any = None
    ) -> xr.Dataset:
        """Return the scores of each scene, over ``scene``; see `Clustering.scores`.

        Parameters
        ----------
        space : {"features", "data"}, default "features"
            Where distances are taken: in the space that was clustered, or between the data.
        truth : PooledClustering, or mapping of str to DataArray or Clustering, optional
            Labels of each scene to compare with.

        Returns
        -------
        Dataset over ``scene``; NaN where a scene has no label, or one without a value.

        Raises
        ------
        ValueError
            If the result was opened without its data, or the truth has other scenes or lies on
            another grid.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).scores().silhouette.dims
        ('scene',)
        """
        truths = dict.fromkeys(self) if truth is None else of_each("truth", truth, self)
        return scenes.scores(self, space, truths)

    def uncertainty(
        self,
        n_refits: int = 20,
        *,
        resampling: Literal["bootstrap", "subsample"] = "bootstrap",
        fraction: float = 0.5,
        random_state: int | None = None,
    ) -> xr.DataTree:
        """Return how well labels come back in each scene; see `Clustering.uncertainty`.

        Parameters
        ----------
        n_refits, resampling, fraction, random_state
            As of `Clustering.uncertainty`; refits see the samples of one scene.

        Returns
        -------
        DataTree of one node per scene, which is empty where a scene has no label.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> sorted(pooled.kmeans(3).uncertainty(n_refits=2)["north"].data_vars)
        ['agreement', 'jaccard', 'mean_agreement']
        """
        options = n_refits, resampling, fraction, random_state
        return self._tree(lambda scene: scenes.doubt(scene, *options))

    def regimes(
        self,
        *,
        min_duration: int = 1,
        min_similarity: float | None = None,
        composites: Objects | None = None,
        by: Hashable | Sequence[Hashable] | None = None,
    ) -> xr.DataTree:
        """Return the regimes of each scene, one node per scene; see `Clustering.regimes`.

        Parameters
        ----------
        min_duration, min_similarity, by
            As of `Clustering.regimes`.
        composites : DataTree or mapping of str to Dataset or DataArray, optional
            Any variables over the times of each scene, of which the mean of each regime is
            returned.

        Raises
        ------
        ValueError
            If the samples have several dims of which none has dates, a parameter is out of range,
            or the composites have other scenes or times.

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> field = np.repeat(np.eye(3)[[0, 1, 0]], 4, axis=0)
        >>> one = xr.DataArray(field, dims=("time", "x"))
        >>> fit = xcluster.pool([one, one + 0.1], lambda ds: ds.cluster.snapshots("time")).kmeans(2)
        >>> fit.regimes()["1"].duration.values
        array([4., 4.])
        """
        further: Mapping[str, xr.Dataset | None] = dict.fromkeys(self)
        if composites is not None:
            further = of_each("composites", scenes_of(composites, "composites"), self)
        found = {
            name: regimes.regimes(scene, None, min_duration, min_similarity, further[name], by)
            for name, scene in self.items()
        }
        return tree_of(found)

    def regions(self, neighbours: Literal[4, 8] = 4) -> xr.DataTree:
        """Return the regions of the map of each scene, one node per scene.

        Parameters
        ----------
        neighbours : {4, 8}, default 4
            As of `Clustering.regions`.

        Raises
        ------
        ValueError
            As of `Clustering.regions`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> fit = xcluster.pool(scenes, lambda each: each.cluster.pixels()).kmeans(3)
        >>> fit.regions()["north"].samples.dims
        ('region',)
        """
        return self._tree(lambda scene: regions.regions(scene, neighbours))

    @overload
    def report(self, by: None = None) -> pd.DataFrame: ...

    @overload
    def report(self, by: object) -> xr.DataTree: ...

    def report(self, by: Any = None) -> pd.DataFrame | xr.DataTree:
        """Return one row per scene and label; see `Clustering.report`.

        Parameters
        ----------
        by : DataArray, GeoDataFrame or mapping of these by scene, optional
            Zones or polygons of all scenes, or those of each. Then the areas of each label in each
            zone are returned, one node per scene.

        Raises
        ------
        ValueError
            As of `Clustering.report`, and if a mapping names other scenes.
        TypeError
            As of `Clustering.report`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> list(pooled.kmeans(3).report().index.names)
        ['scene', 'label']
        """
        if by is None:
            found = {name: tables.report(scene) for name, scene in self.items()}
            return pd.concat(found, names=["scene"])
        own = of_all_or_each("by", by, self)
        return tree_of({name: zones.report_by(scene, own[name]) for name, scene in self.items()})

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per complete sample, indexed by ``scene``; see `Clustering.to_dataframe`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> table = pooled.kmeans(3).to_dataframe()
        >>> table.index.name, list(table)[:3]
        ('scene', ['latitude', 'longitude', 'label'])
        """
        found = {name: tables.samples_table(scene) for name, scene in self.items()}
        return pd.concat(found, names=["scene"]).reset_index(level=1, drop=True)

    def to_datatree(self) -> xr.DataTree:
        """Return labels, and memberships of a soft method, one node per scene.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> list(pooled.gmm(3).to_datatree()["north"].data_vars)
        ['labels', 'memberships']
        """
        return self._tree(tables.to_dataset)

    # --------------------------------------------------------------------------------- other labels

    def threshold(self, u: float) -> Self:
        """Return the same with labels of -1 where no membership exceeds ``u``.

        Parameters
        ----------
        u : float
            From 0 to below 1.

        Raises
        ------
        ValueError
            If the method is not a soft one.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> bool((pooled.gmm(3).threshold(0.9).labels["north"]["labels"] == -1).any())
        True
        """
        return self._with(*relabelling.threshold_scenes(self.whole, self, u))

    def smooth(self, size: int = 3, *, by: Literal["majority", "memberships"] = "majority") -> Self:
        """Return the same with labels of windows in each scene; see `Clustering.smooth`.

        Parameters
        ----------
        size, by
            As of `Clustering.smooth`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).smooth(5)["north"].labels.shape
        (15, 180)
        """
        return self._cleaned(Smooth.checked(size, by))

    def sieve(
        self,
        min_size: int | None = None,
        *,
        min_area: str | None = None,
        neighbours: Literal[4, 8] = 4,
        into: Literal["largest", "nearest"] = "largest",
    ) -> Self:
        """Return the same without small pieces in any scene; see `Clustering.sieve`.

        Parameters
        ----------
        min_size, min_area, neighbours, into
            As of `Clustering.sieve`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).sieve(20)["north"].labels.shape
        (15, 180)
        """
        return self._cleaned(Sieve.checked(min_size, min_area, neighbours, into))

    def fill(self) -> Self:
        """Return the same with holes inside one label filled; see `Clustering.fill`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).fill()["north"].labels.shape
        (15, 180)
        """
        return self._cleaned(Fill.checked())

    def relabel(
        self,
        names: Sequence[str] | Mapping[int, str] | None = None,
        *,
        colors: Sequence[Any] | Mapping[int, Any] | None = None,
    ) -> Self:
        """Return the same with other names or colours; see `Clustering.relabel`.

        Parameters
        ----------
        names, colors
            As of `Clustering.relabel`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> fit = pooled.kmeans(2).relabel(["warm", "cold"])
        >>> fit["north"].labels.flag_meanings
        'warm cold'
        """
        return replace(self, whole=relabelling.relabel(self.whole, names, colors))

    def merge(self, groups: Iterable[Sequence[int | str]]) -> Self:
        """Return the same with labels joined; see `Clustering.merge`.

        Parameters
        ----------
        groups : iterable of sequences
            The labels to join, by number or name; each label at most once.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(4).merge([[0, 2]]).k
        3
        """
        return self._recoded(relabelling.merging(self.whole, groups))

    def match(self, other: PooledClustering) -> Self:
        """Return the same with the numbers of ``other`` where the two overlap most.

        Parameters
        ----------
        other : PooledClustering
            Of the same scenes on the same grids. It also lends its names and colours.

        Raises
        ------
        TypeError
            If ``other`` is no PooledClustering.
        ValueError
            If it has other scenes, or one lies on another grid.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> fit, again = pooled.kmeans(4), pooled.kmeans(4, order="sst")
        >>> again.match(fit)["north"].labels.equals(fit["north"].labels)
        True
        """
        matched = self._recoded(relabelling.matching_scenes(self, other))
        return replace(matched, whole=relabelling.lent(matched.whole, other.whole.partition))

    def cut(self, k: int | None = None, *, height: float | None = None) -> Self:
        """Return the same with the tree of `hac` cut elsewhere; see `Clustering.cut`.

        Parameters
        ----------
        k, height
            As of `Clustering.cut`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.hac(5).cut(3).k
        3
        """
        return replace(self, whole=relabelling.cut(self.whole, k, height))

    def merge_nodes(self, k: int) -> Self:
        """Return the same with the nodes of `som` merged; see `Clustering.merge_nodes`.

        Parameters
        ----------
        k : int
            Number of classes.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.som((3, 3)).merge_nodes(3).k
        3
        """
        return self._recoded(relabelling.classes_of_nodes(self.whole, k))

    def upsample(self, beyond: bool = False) -> xr.DataTree:
        """Return the labels of `patches` painted on the pixels of each image, one node per scene.

        Parameters
        ----------
        beyond : bool, default False
            Also paint pixels that lie in no window, as the nearest centre has it; else NaN.

        Raises
        ------
        ValueError
            If the samples are no patches, or the result was opened without its data.

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> image = xr.DataArray(np.random.default_rng(0).normal(size=(20, 30)), dims=("y", "x"))
        >>> pooled = xcluster.pool([image, image.T], lambda ds: ds.cluster.patches(5, every=5))
        >>> pooled.kmeans(3).upsample()["1"]["labels"].sizes == image.T.sizes
        True
        """
        return self._tree(lambda scene: tables.alone(upsampling.upsample(scene, beyond)))

    # -------------------------------------------------------------------------------- out of xarray

    def save(self, path: str | PathLike[str], *, retries: int = 0) -> None:
        """Write the result to a netCDF (``.nc``) or Zarr (``.zarr``) file; see `Clustering.save`.

        Parameters
        ----------
        path
            Of the file, or directory for Zarr.
        retries : int, default 0
            How often a cluster of dask.distributed reads a block again if this fails.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pooled.kmeans(3).save(f"{folder}/scenes.nc")
        ...     list(xcluster.open(f"{folder}/scenes.nc"))
        ['globe', 'north']
        """
        io.save_scenes(self.whole, self, path, retries)

    def to_raster(
        self,
        folder: str | PathLike[str],
        what: Literal["labels", "memberships"] = "labels",
        *,
        sel: Mapping[Hashable, Any] | None = None,
    ) -> list[Path]:
        """Write one GeoTIFF per scene, ``<scene>.tif``; see `Clustering.to_raster`.

        What no file may be called in the name of a scene, such as a slash, is written as ``%2F``.

        Parameters
        ----------
        folder
            Where to write them; it is made if it does not exist.
        what, sel
            As of `Clustering.to_raster`.

        Raises
        ------
        ImportError
            If rasterio is not installed.
        OSError
            If the folder cannot be made, or a file cannot be written.
        ValueError
            If the samples of a scene lie on no regular grid.

        Examples
        --------
        >>> import tempfile, xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in pooled.kmeans(3).to_raster(folder)]
        ['globe.tif', 'north.tif']
        """
        return raster.scenes_to_raster(self, folder, what, sel)

    def to_polygons(
        self,
        by: Literal["region", "label"] = "region",
        *,
        simplify: float | None = None,
        sel: Mapping[Hashable, Any] | None = None,
    ) -> gpd.GeoDataFrame:
        """Return the labels of all scenes as polygons, indexed by scene.

        Parameters
        ----------
        by, simplify, sel
            As of `Clustering.to_polygons`.

        Raises
        ------
        ImportError
            If geopandas or rasterio is not installed.
        ValueError
            If the samples of a scene lie on no regular grid, or scenes have different CRS.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).to_polygons("label").index.to_list()
        ['globe', 'globe', 'globe', 'north', 'north', 'north']
        """
        return polygons.scenes_to_polygons(self, by, simplify, sel)

    def to_tiff(
        self,
        folder: str | PathLike[str],
        what: Literal["labels", "memberships"] = "labels",
    ) -> list[Path]:
        """Write one TIFF image per scene, ``<scene>.tif``; see `Clustering.to_tiff`.

        What no file may be called in the name of a scene, such as a slash, is written as ``%2F``.

        Parameters
        ----------
        folder
            Is made if it does not exist.
        what
            As of `Clustering.to_tiff`.

        Returns
        -------
        list of Path
            Of the files, in the order of scenes.

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> values = np.random.default_rng(0).random((9, 8, 5))
        >>> image = xr.DataArray(values, dims=("y", "x", "energy"))
        >>> maps = {"one": image, "two": image[:4]}
        >>> pooled = xcluster.pool(maps, lambda each: each.cluster.pixels(dim="energy"))
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in pooled.kmeans(2).to_tiff(folder)]
        ['one.tif', 'two.tif']
        """
        return tiff.write_scenes(self, folder, what)

    def to_msa(
        self,
        folder: str | PathLike[str],
        what: Literal["centers", "back_projection"] = "centers",
        *,
        var: Hashable | None = None,
        signal_type: str | None = None,
    ) -> list[Path]:
        """Write one spectrum per label, of all scenes together; see `Clustering.to_msa`.

        Parameters
        ----------
        folder, what, var, signal_type
            As of `Clustering.to_msa`.

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> values = np.random.default_rng(0).random((9, 8, 5))
        >>> image = xr.DataArray(values, dims=("y", "x", "energy"))
        >>> maps = {"one": image, "two": image[:4]}
        >>> pooled = xcluster.pool(maps, lambda each: each.cluster.pixels(dim="energy"))
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in pooled.kmeans(2).to_msa(folder)]
        ['label_0.msa', 'label_1.msa']
        """
        return msa.write(self.whole, folder, what, var, signal_type)

    def to_hyperspy(
        self,
        what: Literal["labels", "memberships", "centers", "back_projection"] = "labels",
        *,
        var: Hashable | None = None,
        signal_type: str | None = None,
    ) -> Any:
        """Return signals of HyperSpy by scene, or of all scenes; see `Clustering.to_hyperspy`.

        Parameters
        ----------
        what, var, signal_type
            As of `Clustering.to_hyperspy`.

        Returns
        -------
        dict of str to Signal2D
            Labels or memberships, by scene.
        Signal1D
            Spectra, of all scenes together.

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> values = np.random.default_rng(0).random((9, 8, 5))
        >>> image = xr.DataArray(values, dims=("y", "x", "energy"))
        >>> maps = {"one": image, "two": image[:4]}
        >>> pooled = xcluster.pool(maps, lambda each: each.cluster.pixels(dim="energy"))
        >>> signals = pooled.kmeans(2).to_hyperspy()  # doctest: +SKIP
        """
        return hyperspy.signals_of_scenes(self.whole, self, what, var, signal_type)

    def explore(
        self, other: PooledClustering | None = None, *, sel: Mapping[Hashable, Any] | None = None
    ) -> Page:
        """Return one HTML page with a tab per scene (needs bokeh); see `Clustering.explore`.

        Parameters
        ----------
        other : PooledClustering, optional
            A second result of the same scenes, shown beside the first in each tab.
        sel : mapping, optional
            Which entry of further dims to show.

        Raises
        ------
        ImportError
            If bokeh is not installed.
        ValueError
            If a result was opened without its data, ``other`` has other scenes or grids, or
            ``sel`` names an entry that there is not.
        TypeError
            If ``other`` is no PooledClustering.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).explore().save("page.html")  # doctest: +SKIP
        """
        return explore_scenes(self, other, sel=sel)

    @property
    def plot(self) -> ScenesPlot:
        """Figures: of the model as of one result, of what lies on a grid one per scene.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).plot.map()  # doctest: +SKIP
        """
        return ScenesPlot(self.whole, self)

    def __repr__(self) -> str:
        return formatting.scenes_text(self.whole, list(self))

    def _repr_html_(self) -> str:
        return formatting.scenes_html(self.whole, list(self))

    def _tree(self, function: Callable[[Clustering], xr.Dataset]) -> xr.DataTree:
        return tree_of({name: function(scene) for name, scene in self.items()})

    def _latent_parts(self) -> tuple[Chain, xr.Dataset]:
        return self.whole.assign.chain, self.whole.template

    def _latent(self) -> xr.DataArray:
        return reduction.as_rows([scene.features for scene in self.values()])

    def _cleaned(self, step: Cleaning) -> Self:
        return self._with(*relabelling.cleaned_scenes(self.whole, self, step))

    def _recoded(self, mapping: Array) -> Self:
        moved = {name: source.recoded(mapping) for name, source in self.scenes.items()}
        return self._with(relabelling.recoded(self.whole, mapping), moved)

    def _with(self, whole: Clustering, scenes: Mapping[str, Source]) -> Self:
        return replace(self, whole=whole, scenes=scenes)


@dataclass(frozen=True, eq=False, repr=False)
class PooledSweep(AnySweep):
    """Fits of several scenes over a range of k; see `Sweep`.

    Parameters
    ----------
    table : Dataset
        Criteria over ``k``, of all scenes together.
    method, options
        What was fitted, and how k is chosen.
    fits : optional
        The models; a file keeps the table alone.
    keywords : mapping of str to str
        Keywords of the method that differ from the defaults, as text; ``k`` are the candidates.

    Examples
    --------
    >>> import xcluster
    >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
    >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
    >>> sweep = xcluster.pool(scenes, lambda each: each.cluster.pixels()).sweep([2, 3, 4])
    >>> sweep.table.k.values.tolist()
    [2, 3, 4]
    """

    _shown: ClassVar = "PooledSweep"

    def clustering(self, k: int) -> PooledClustering:
        """Return the result for one k of the table, without a refit.

        Parameters
        ----------
        k : int

        Raises
        ------
        ValueError
            If ``k`` is not among those fitted.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> sweep = xcluster.pool(scenes, lambda each: each.cluster.pixels()).sweep([2, 3, 4])
        >>> list(sweep.clustering(3))
        ['globe', 'north']
        """
        return PooledClustering.of(fitted_of(self, k))


@dataclass(frozen=True, eq=False, repr=False)
class _SceneSweep(Sweep):
    """The fits of several scenes as one of these sees them."""

    scene: str = ""

    def clustering(self, k: int) -> Clustering:
        """Return the clustering of the scene for one k; see `Sweep.clustering`."""
        return PooledSweep.of(self).clustering(k)[self.scene]
