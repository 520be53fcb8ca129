"""The figures of several scenes: of the model as of one result, of what lies on a grid each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from xcluster.fit.fitted import Fitted
from xcluster.plot.clustering import ClusteringPlot

P = ParamSpec("P")
Figure = TypeVar("Figure")
Drawn = Callable[Concatenate[ClusteringPlot, P], Figure]


def _of_model(method: Drawn[P, Figure]) -> Callable[Concatenate[ScenesPlot, P], Figure]:
    """Return the figure of the fitted model, which is one for all scenes."""

    @wraps(method)
    def draw(self: ScenesPlot, /, *args: P.args, **keywords: P.kwargs) -> Figure:
        return method(ClusteringPlot(self.whole), *args, **keywords)

    return draw


def _each(method: Drawn[P, Figure]) -> Callable[Concatenate[ScenesPlot, P], dict[str, Figure]]:
    """Return the figures of all scenes, by scene."""

    @wraps(method)
    def draw(self: ScenesPlot, /, *args: P.args, **keywords: P.kwargs) -> dict[str, Figure]:
        return {
            name: method(ClusteringPlot(scene), *args, **keywords)
            for name, scene in self.scenes.items()
        }

    draw.__doc__ = f"Draw one figure per scene, returned by scene. {method.__doc__}"
    return draw


@dataclass(frozen=True, eq=False, repr=False)
class ScenesPlot:
    """Figures of a `PooledClustering`; the methods and keywords are those of one result.

    Figures of the model return what one result's do. Figures of what lies on a grid are drawn
    scene by scene, and come as a dict by scene.

    Parameters
    ----------
    whole
        The model of all scenes.
    scenes : mapping of str to result
    """

    whole: Fitted
    scenes: Mapping[str, Fitted]

    centers = _of_model(ClusteringPlot.centers)
    dendrogram = _of_model(ClusteringPlot.dendrogram)
    u_matrix = _of_model(ClusteringPlot.u_matrix)
    scree = _of_model(ClusteringPlot.scree)
    training = _of_model(ClusteringPlot.training)

    map = _each(ClusteringPlot.map)
    profiles = _each(ClusteringPlot.profiles)
    scatter = _each(ClusteringPlot.scatter)
    scatter3d = _each(ClusteringPlot.scatter3d)
    histogram = _each(ClusteringPlot.histogram)
    parallel = _each(ClusteringPlot.parallel)
    silhouette = _each(ClusteringPlot.silhouette)
    memberships = _each(ClusteringPlot.memberships)
    phases = _each(ClusteringPlot.phases)
    nodes = _each(ClusteringPlot.nodes)
    latent = _each(ClusteringPlot.latent)
    transitions = _each(ClusteringPlot.transitions)
