"""Several objects clustered as one: one model, a label map for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import xarray as xr

from xcluster.api.clusterers import Clusterers
from xcluster.api.samples import Samples
from xcluster.api.sweep import Sweep, clustering_of
from xcluster.base.checks import blamed, several
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.chain.question import PooledQuestion
from xcluster.fit.candidates import Candidates
from xcluster.fit.fitted import Fitted
from xcluster.fit.prediction import as_dataset, check_features
from xcluster.fit.record import Note
from xcluster.fit.sources import Live
from xcluster.grid.layout import flat_features

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from xcluster.api.clustering import Clustering
    from xcluster.chain.steps import Step

Objects = xr.DataTree | Mapping[str, Any] | Iterable[Any]


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
        weights. Called once for each scene, so that each may have a mask of its own.

    Returns
    -------
    PooledSamples
        With all the clusterers of `Samples`; they return a `PooledClustering`.

    Raises
    ------
    ValueError
        If there is no scene, a chain has an `anomaly`, or a scene differs from the first in its
        features, steps or seed, or in having weights.

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
    asked = {name: _asked(question, scene) for name, scene in _scenes(objects).items()}
    if not asked:
        rule = "holds no scene"
        raise BadValueError("objects", objects, rule, "give a Dataset at least")
    first = next(iter(asked))
    for name, samples in asked.items():
        if samples.climatology is not None:
            rule = "is learned from one object, and pooled scenes have none in common"
            remedy = "subtract a climatology from each scene before pool()"
            raise BadValueError("anomaly", samples.climatology.groupby, rule, remedy)
        check_features(f"scene {name!r}", "Dataset", _features(samples), _features(asked[first]))
        _check_same_chain(name, samples, first, asked[first])
    return PooledSamples.of(asked)


def _features(samples: Samples) -> xr.Dataset:
    """Return one sample without values, all cells of fields included: which lack data is read."""
    layout = samples.layout
    whole = {name: replace(each, cells=None) for name, each in layout.variables.items()}
    return replace(layout, variables=whole).features


def _check_same_chain(name: str, samples: Samples, first: str, like: Samples) -> None:
    """Refuse a scene that asks for another fit than the first one; nothing is computed."""
    remedy = "ask the same of every scene but for its mask"
    mine, other = f"of scene {name!r}", f"of scene {first!r}"
    if samples.random_state != like.random_state:
        rule = f"{mine} is not that {other}, {like.random_state}"
        raise BadValueError("random_state", samples.random_state, rule, remedy)
    if not _are_same_steps(samples.steps, like.steps):
        steps, expected = ([str(step) for step in each.steps] for each in (samples, like))
        rule = f"{mine} are not those {other}, {expected}"
        raise BadValueError("steps", steps, rule, remedy)
    if (samples.weighting is None) != (like.weighting is None):
        weighted, plain = (name, first) if like.weighting is None else (first, name)
        rule = f"scene {weighted!r} has weights, and scene {plain!r} has none"
        raise BadValueError("weights", name, rule, "weigh every scene, or none")


def _are_same_steps(ours: Sequence[Step], theirs: Sequence[Step]) -> bool:
    return len(ours) == len(theirs) and all(
        (mine.name, mine.over) == (other.name, other.over)
        and _is_same(mine.transformer, other.transformer)
        and _is_same_weight(mine.weight, other.weight)
        for mine, other in zip(ours, theirs, strict=True)
    )


def _is_same(ours: Any, theirs: Any) -> bool:
    """Whether parameters are the same, as far as can be told of what each call makes anew."""
    if ours is theirs:
        return True
    if hasattr(ours, "get_params"):
        same = type(ours) is type(theirs)
        return same and _is_same(*(each.get_params(deep=False) for each in (ours, theirs)))
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return ours.keys() == theirs.keys() and all(_is_same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(map(_is_same, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, float):
        return ours == theirs or (math.isnan(ours) and math.isnan(theirs))
    return np.array_equal(_told_by(ours), _told_by(theirs))


def _told_by(value: Any) -> Any:
    """Return what tells a value from others: without equality a function's code, or the type."""
    equality: Any = type(value).__eq__
    if equality is not object.__eq__:
        return value
    return getattr(value, "__code__", repr(value)) if callable(value) else type(value)


def _is_same_weight(ours: xr.DataArray | None, theirs: xr.DataArray | None) -> bool:
    """Whether features weigh the same; weights in chunks are not computed for it."""
    if ours is None or theirs is None:
        return ours is theirs
    if set(ours.dims) != set(theirs.dims):
        return False
    if ours.chunks is not None or theirs.chunks is not None:
        return True
    mine, other = (flat_features(each, each.dims) for each in (ours, theirs))
    return mine.shape == other.shape and np.allclose(mine, other, equal_nan=True)


def _scenes(objects: Objects) -> dict[str, xr.Dataset]:
    if isinstance(objects, xr.DataTree):
        nodes = {node.path: node for node in objects.subtree if node.data_vars}
        return {path.strip("/") or "root": node.to_dataset() for path, node in nodes.items()}
    if isinstance(objects, xr.Dataset | xr.DataArray):
        return {"0": as_dataset(objects)}
    rule, remedy = "must be several Datasets", "pass a mapping of names to Datasets"
    pairs = (
        objects.items()
        if isinstance(objects, Mapping)
        else enumerate(several("objects", objects, rule, remedy))
    )
    return {str(name): as_dataset(scene, f"scene {str(name)!r}") for name, scene in pairs}


def _asked(question: Callable[[xr.Dataset], Samples], scene: xr.Dataset) -> Samples:
    """Return the samples of one scene."""
    remedy = "pass a function, for example lambda ds: ds.cluster.pixels()"
    if not callable(question):
        rule = "must be a function of one scene"
        raise BadTypeError("question", question, rule, remedy)
    with blamed("question", question, remedy):
        samples = question(scene)
    if not isinstance(samples, Samples):
        rule = f"must return Samples, and returned {type(samples).__name__}"
        raise BadTypeError("question", question, rule, remedy)
    return samples


@dataclass(frozen=True, eq=False, repr=False)
class PooledSamples(Clusterers["PooledClustering"], PooledQuestion):
    """The samples of several scenes, fitted together; made by `pool`.

    Parameters
    ----------
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

    def _answer(self, fitted: Fitted) -> PooledClustering:
        scenes = {name: cast(Samples, each) for name, each in self.scenes.items()}
        return PooledClustering(scenes, clustering_of(fitted))

    def _swept(self, candidates: Candidates) -> Sweep:
        return Sweep.of(candidates)

    def __repr__(self) -> str:
        points = f"{self.layout.n_pooled:,} grid points"
        first = next(iter(self.scenes.values()))
        return f"<xcluster.PooledSamples> {len(self.scenes)} scenes, {points}\n{first!r}"


@dataclass(frozen=True, eq=False)
class PooledClustering(Mapping[str, "Clustering"]):
    """One fitted model over several scenes; a mapping from scene to its `Clustering`.

    Parameters
    ----------
    scenes : mapping of str to Samples
    whole : Clustering
        Fitted to the rows of all scenes. `Clustering.centers`, ``k``, ``model`` and what else
        does not lie on a grid are those of all.

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

    scenes: Mapping[str, Samples]
    whole: Clustering

    def __getitem__(self, scene: str) -> Clustering:
        means = None if self.whole.assign.inverts else self.whole.raw_centers
        record = self.whole.record
        if len(self) > 1:
            text = f"the counts are of {len(self)} scenes fitted together; this is {scene!r}"
            record = replace(record, notes=(*record.notes, Note("scenes", text)))
        source = Live(self.scenes[scene], means=means)
        return replace(self.whole, source=source, record=record)

    def __iter__(self) -> Iterator[str]:
        return iter(self.scenes)

    def __len__(self) -> int:
        return len(self.scenes)

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
    def labels(self) -> xr.DataTree:
        """One node a scene, each with ``labels`` on the scene's own grid.

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
        """One node a scene, each with ``memberships`` (soft methods).

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

    def predict(self, new: Any, memberships: bool = False) -> Any:
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
        return self.whole.predict(new, memberships)

    def report(self) -> pd.DataFrame:
        """Return one row a scene and label; see `Clustering.report`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> list(pooled.kmeans(3).report().index.names)
        ['scene', 'label']
        """
        tables = {name: scene.report() for name, scene in self.items()}
        return pd.concat(tables, names=["scene"])

    def _tree(self, function: Callable[[Clustering], xr.Dataset]) -> xr.DataTree:
        return xr.DataTree.from_dict({name: function(scene) for name, scene in self.items()})

    def __repr__(self) -> str:
        said = f"{self.whole.method}, {self.k} labels; {self.whole.record.sentences()[0]}"
        return f"<xcluster.PooledClustering> {', '.join(self.scenes)}: {said}"
