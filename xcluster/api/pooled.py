"""The answer for several scenes: one fitted model, a `Clustering` of each scene."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, ClassVar, Literal, Self

import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from xcluster.api.clustering import Clustering
from xcluster.api.completion import Completed
from xcluster.api.sweep import Sweep
from xcluster.chain.question import Question
from xcluster.explore import Page, explore_scenes
from xcluster.files import io
from xcluster.fit.labels import Partition
from xcluster.fit.record import Note, Record
from xcluster.fit.sources import Live, Stored
from xcluster.plot.scenes import ScenesPlot
from xcluster.result import (
    back_projection,
    diagnostics,
    doubt,
    formatting,
    new_data,
    nodes,
    regimes,
    relabelling,
    tables,
)

Array = NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class PooledClustering(Completed, Mapping[str, Clustering]):
    """One fitted model over several scenes; a mapping from scene to its `Clustering`.

    What does not lie on a grid is of all scenes together; what does is given scene by scene.

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
    scenes: Mapping[str, Live | Stored]

    _for_us: ClassVar = frozenset(("of",))

    @classmethod
    def of(cls, whole: Clustering, questions: Mapping[str, Question]) -> Self:
        """Return the result of a fit to these scenes."""
        return cls(whole, {name: Live(question) for name, question in questions.items()})

    def __getitem__(self, scene: str) -> Clustering:
        source, record = self.scenes[scene], self.whole.record
        if not self.whole.assign.inverts:
            source = replace(source, means=self.whole.raw_centers)
        if len(self) > 1:
            text = f"the counts are of {len(self)} scenes fitted together; this is {scene!r}"
            record = replace(record, notes=(*record.notes, Note("scenes", text)))
        return replace(self.whole, source=source, record=record)

    def __iter__(self) -> Iterator[str]:
        return iter(self.scenes)

    def __len__(self) -> int:
        return len(self.scenes)

    # -------------------------------------------------------------------------------- of all scenes

    @property
    def method(self) -> str:
        """Name of the clusterer's method.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).method
        'kmeans'
        """
        return self.whole.method

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
        ['scale', 'kmeans']
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
    def sweep(self) -> Sweep | None:
        """The fits among which k was chosen; None where k was given.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans([2, 3]).sweep.table.k.values.tolist()
        [2, 3]
        """
        return self.whole.sweep

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
        return self._tree(lambda scene: scene.labels.to_dataset())

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
        return self._tree(lambda scene: scene.memberships.to_dataset())

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
        return self._tree(lambda scene: scene.distances.to_dataset())

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
        return self._tree(lambda scene: scene.features.to_dataset())

    @property
    def silhouette(self) -> xr.DataTree:
        """One node per scene, each with ``silhouette``, among the samples of that scene.

        Raises
        ------
        ValueError
            If there is one label only, or the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).silhouette["north"]["silhouette"].dims
        ('latitude', 'longitude')
        """
        return self._tree(lambda scene: scene.silhouette.to_dataset())

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

    def scores(self, space: str = "features") -> xr.Dataset:
        """Return the scores of each scene, over ``scene``; see `Clustering.scores`.

        Parameters
        ----------
        space : {"features", "data"}, default "features"
            Where distances are taken: in the space that was clustered, or between the data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).scores().silhouette.dims
        ('scene',)
        """
        found = [diagnostics.all_scores(scene, space, None) for scene in self.values()]
        scenes = xr.DataArray(list(self), dims="scene", name="scene")
        return xr.concat(found, scenes, combine_attrs="drop_conflicts")

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

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> sorted(pooled.kmeans(3).uncertainty(n_refits=2)["north"].data_vars)
        ['agreement', 'jaccard', 'mean_agreement']
        """
        return self._tree(
            lambda scene: doubt.uncertainty(scene, n_refits, resampling, fraction, random_state)
        )

    def regimes(self, *, min_duration: int = 1, min_similarity: float | None = None) -> xr.DataTree:
        """Return the regimes of each scene, one node per scene; see `Clustering.regimes`.

        Parameters
        ----------
        min_duration, min_similarity
            As of `Clustering.regimes`.

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> field = np.repeat(np.eye(3)[[0, 1, 0]], 4, axis=0)
        >>> one = xr.DataArray(field, dims=("time", "x"))
        >>> fit = xcluster.pool([one, one + 0.1], lambda ds: ds.cluster.snapshots("time")).kmeans(2)
        >>> fit.regimes()["1"].duration.values
        array([4., 4.])
        """
        return self._tree(
            lambda scene: regimes.regimes(scene, None, min_duration, min_similarity, None)
        )

    def report(self) -> pd.DataFrame:
        """Return one row per scene and label; see `Clustering.report`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> list(pooled.kmeans(3).report().index.names)
        ['scene', 'label']
        """
        found = {name: tables.report(scene) for name, scene in self.items()}
        return pd.concat(found, names=["scene"])

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
        return replace(self, whole=relabelling.threshold(self.whole, u))

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
        mapping = relabelling.matching_scenes(self, other)
        matched = self._recoded(mapping)
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

    # -------------------------------------------------------------------------------- out of xarray

    def save(self, path: str | PathLike[str]) -> None:
        """Write the result to a netCDF (``.nc``) or Zarr (``.zarr``) file; see `Clustering.save`.

        Parameters
        ----------
        path
            Of the file, or directory for Zarr.

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
        io.save_scenes(self.whole, self, path)

    def explore(self, *, sel: Mapping[Hashable, Any] | None = None) -> Page:
        """Return one HTML page with a tab per scene (needs bokeh); see `Clustering.explore`.

        Parameters
        ----------
        sel : mapping, optional
            Which entry of further dims to show.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> pooled.kmeans(3).explore().save("page.html")  # doctest: +SKIP
        """
        return explore_scenes(self, sel=sel)

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
        return xr.DataTree.from_dict({name: function(scene) for name, scene in self.items()})

    def _recoded(self, mapping: Array) -> Self:
        scenes = {name: source.recoded(mapping) for name, source in self.scenes.items()}
        return replace(self, whole=relabelling.recoded(self.whole, mapping), scenes=scenes)
