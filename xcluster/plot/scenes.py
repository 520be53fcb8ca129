"""The figures of several scenes: of the model as of one result, of what lies on a grid each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sized
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, Unpack

from xcluster.base.errors import TooFewError
from xcluster.base.signatures import spelled_out
from xcluster.chain.pooling import of_all_or_each, of_each
from xcluster.fit.fitted import Fitted
from xcluster.plot.clustering import ClusteringPlot
from xcluster.plot.keywords import TableKeywords, ZoneKeywords

P = ParamSpec("P")
Figure = TypeVar("Figure")
Drawn = Callable[Concatenate[ClusteringPlot, P], Figure]


def _of_model(method: Drawn[P, Figure]) -> Callable[Concatenate[ScenesPlot, P], Figure]:
    """Return the figure of the fitted model, which is one for all scenes."""

    @wraps(method)
    def draw(self: ScenesPlot, /, *args: P.args, **keywords: P.kwargs) -> Figure:
        return method(ClusteringPlot(self.whole), *args, **keywords)

    draw.__doc__ = f"Draw one figure, of all scenes together. {method.__doc__}"
    return draw


def _each(method: Drawn[P, Figure]) -> Callable[Concatenate[ScenesPlot, P], dict[str, Figure]]:
    """Return the figures of all scenes, by scene."""

    @wraps(method)
    def draw(self: ScenesPlot, /, *args: P.args, **keywords: P.kwargs) -> dict[str, Figure]:
        return _figures(self.scenes, method, lambda _: args, keywords)

    draw.__doc__ = f"Draw one figure per scene, returned by scene. {method.__doc__}"
    return draw


@dataclass(frozen=True, eq=False, repr=False)
class ScenesPlot:
    """Figures of a `PooledClustering`; the methods and keywords are those of one result.

    Figures of the model return what one result's do. Figures of what lies on a grid are drawn
    scene by scene, and come as a dict by scene; scenes without a label that such a figure needs
    are left out. Their keyword ``ax`` takes a mapping of scene to axes.

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
    nodes = _of_model(ClusteringPlot.nodes)
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
    regions = _each(ClusteringPlot.regions)
    phases = _each(ClusteringPlot.phases)
    latent = _each(ClusteringPlot.latent)
    transitions = _each(ClusteringPlot.transitions)

    @spelled_out
    def confusion(
        self, other: Mapping[str, Any], **keywords: Unpack[TableKeywords]
    ) -> dict[str, Any]:
        """Draw one figure per scene, returned by scene: which labels of two results go together.

        ``other`` is a PooledClustering of the same scenes, or a mapping of scene to result or
        label map; all other keywords go to `xcluster.plot.matrices.confusion`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> list(pooled.kmeans(3).plot.confusion(pooled.kmeans(4)))
        ['globe', 'north']
        """
        others = of_each("other", other, self.scenes)
        method = ClusteringPlot.confusion
        return _figures(self.scenes, method, lambda name: (others[name],), dict(keywords))

    @spelled_out
    def change(
        self,
        other: Mapping[str, Any] | None = None,
        *,
        dim: Hashable | None = None,
        **keywords: Unpack[TableKeywords],
    ) -> dict[str, Any]:
        """Draw one figure per scene, returned by scene: how much of each label becomes which other.

        ``other`` is a PooledClustering of the same scenes, or a mapping of scene to result or
        label map; or ``dim`` names a dim of the labels. All other keywords go to
        `xcluster.plot.matrices.changes`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels())
        >>> list(pooled.kmeans(3).plot.change(pooled.gmm(3)))
        ['globe', 'north']
        """
        others = (
            dict.fromkeys(self.scenes) if other is None else of_each("other", other, self.scenes)
        )
        method = ClusteringPlot.change
        given = {**keywords, "dim": dim}
        return _figures(self.scenes, method, lambda name: (others[name],), given)

    @spelled_out
    def zones(self, by: Any, **keywords: Unpack[ZoneKeywords]) -> dict[str, Any]:
        """Draw one figure per scene, returned by scene: how much of each zone each label covers.

        ``by`` are zones or polygons of all scenes, or a mapping of scene to its own, as of
        `PooledClustering.report`. All other keywords go to `xcluster.plot.zones.zones`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> scenes = {"globe": ds, "north": ds.sel(latitude=slice(0, 90))}
        >>> fit = xcluster.pool(scenes, lambda each: each.cluster.pixels()).kmeans(3)
        >>> belts = {name: (each.latitude // 30).astype(int) for name, each in scenes.items()}
        >>> list(fit.plot.zones(belts))
        ['globe', 'north']
        """
        own = of_all_or_each("by", by, self.scenes)
        return _figures(self.scenes, ClusteringPlot.zones, lambda name: (own[name],), keywords)


def _figures(
    scenes: Mapping[str, Fitted],
    method: Callable[..., Figure],
    args: Callable[[str], tuple[Any, ...]],
    keywords: Mapping[str, Any],
) -> dict[str, Figure]:
    """Return the figure of each scene that has one, its name above; all of them, or none."""
    axes, figures = _axes_of_each(keywords.get("ax"), scenes), {}
    try:
        for name, scene in scenes.items():
            with suppress(TooFewError):
                plot, given = ClusteringPlot(scene), {**keywords, **axes.get(name, {})}
                figures[name] = _titled(method(plot, *args(name), **given), name, scenes, axes)
    except Exception:
        _close([] if axes else figures.values())
        raise
    return figures


def _axes_of_each(ax: Any, scenes: Mapping[str, Fitted]) -> dict[str, dict[str, Any]]:
    """Return the keyword ``ax`` of each scene, where the user gives any."""
    if ax is None:
        return {}
    if isinstance(ax, Mapping) or len(scenes) > 1:
        return {name: {"ax": each} for name, each in of_each("ax", ax, scenes).items()}
    return {name: {"ax": ax} for name in scenes}


def _titled(figure: Figure, scene: str, scenes: Sized, given: Sized) -> Figure:
    """Write the name of a scene above its figure, and before any title that it has."""
    axes = _axes_of(figure)
    if len(scenes) < 2 or not axes:
        return figure
    name = scene.replace("$", r"\$")
    if len(axes) == 1 and not hasattr(figure, "axs"):
        axes[0].set_title(_before(name, axes[0].get_title()))
    elif not given:
        whole = axes[0].figure
        whole.suptitle(_before(name, whole.get_suptitle()), fontsize="medium")
    return figure


def _before(name: str, title: str) -> str:
    return f"{name}: {title}" if title else name


def _axes_of(figure: Any) -> list[Any]:
    """Return the axes that a figure method has drawn on, each once."""
    drawn = figure.axs.flat if hasattr(figure, "axs") else figure
    parts = list(drawn) if isinstance(drawn, Iterable) else [drawn]
    return list(dict.fromkeys(each.axes for each in parts))


def _close(figures: Iterable[Any]) -> None:
    """Close figures, so that one that fails leaves none behind."""
    import matplotlib.pyplot as plt

    for figure in figures:
        for axes in _axes_of(figure):
            plt.close(axes.figure)
