"""The figures of one `Clustering`: each takes what it needs from the result and draws it."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
import xarray as xr
from xarray.plot import FacetGrid

from xcluster.base.checks import check_choice, check_flag, check_integer, check_text
from xcluster.base.errors import BadValueError, TooFewError
from xcluster.base.signatures import spelled_out
from xcluster.blocks import matrix
from xcluster.blocks.block import on_levels
from xcluster.blocks.graphs import together
from xcluster.chain.reduction import feature_names, shown_components
from xcluster.fit.centers import by_label
from xcluster.fit.fitted import Fitted, clusterer_with, samples_of
from xcluster.fit.fitted import title as titled
from xcluster.grid.layout import COLUMN, Layout, shown_columns
from xcluster.grid.windows import Patches
from xcluster.plot import (
    centers,
    confusion,
    curves,
    dendrogram,
    maps,
    matrices,
    memberships,
    nodes,
    profiles,
    regions,
    scatter,
    silhouette,
    training,
    zones,
)
from xcluster.plot.elements import refuse_lines
from xcluster.plot.flags import flags_of, flags_of_centers
from xcluster.plot.keywords import (
    AxesKeywords,
    CenterKeywords,
    CloudKeywords,
    HistogramKeywords,
    ImageKeywords,
    MapKeywords,
    MapsKeywords,
    NodeKeywords,
    PanelKeywords,
    ParallelKeywords,
    PointKeywords,
    ProfileKeywords,
    RegionKeywords,
    TableKeywords,
    TreeKeywords,
    ZoneKeywords,
)
from xcluster.plot.latent import decoded_lattice, on_panels
from xcluster.plot.looks import check_components, drawn, instead_of
from xcluster.plot.text import set_title
from xcluster.result.change import change
from xcluster.result.nodes import u_matrix
from xcluster.result.regimes import regimes
from xcluster.result.regions import regions as found_regions
from xcluster.result.relabelling import threshold
from xcluster.result.zones import report_by

# Along each side of a lattice; more cannot be told apart.
MOST_PANELS = 40
WIDEST_TITLE = 60
"""Characters of a line of a title."""


@dataclass(frozen=True, eq=False, repr=False)
class ClusteringPlot:
    """Figures of a clustering; each method passes keywords on to the function that draws it.

    Every figure takes colours and names of labels from the result, so that they agree.

    Parameters
    ----------
    clustering
        The result to draw.
    """

    clustering: Fitted

    # ------------------------------------------------------------------------- of every result

    @spelled_out
    def map(self, *, title: str | None = None, **keywords: Unpack[MapKeywords]) -> Any:
        """Draw the label map; windows at positions are points over their image.

        ``title`` stands above it, by default what was fitted; all other
        keywords go to `xcluster.plot.maps.map`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(3)
        >>> artist = fit.plot.map()
        """
        if title is not None:
            check_text("title", title)
        over = self._over_image(keywords)
        if "ax" in over:  # the image has taken the size
            keywords.pop("figsize", None)
        upright = over["ax"].get_ylim() if "ax" in over else None
        samples = self.clustering.samples
        cells = None if samples is None else samples.data
        artist = drawn(maps.map, self.clustering.labels, cells, **{**over, **keywords})
        if upright is not None:  # images may count downwards, points never do
            artist.axes.set_ylim(upright)
        set_title(artist, _lines(titled(self.clustering)) if title is None else title)
        return artist

    def _over_image(self, given: MapKeywords) -> dict[str, Any]:
        """Draw the image of windows at positions, and return how points lie over it."""
        sampler, samples = self.clustering.sampler, self.clustering.samples
        if not isinstance(sampler, Patches) or sampler.at is None:
            return {}
        (y, _), (x, _) = sampler.at
        if samples is None or "ax" in given:
            return {"x": x, "y": y}
        size = given.get("figsize")
        channel = samples.data[samples.layout.shown[0]]
        image = drawn(maps.map, channel, cmap="gray", legend=False, x=x, y=y, figsize=size)
        return {"x": x, "y": y, "ax": image.axes}

    @spelled_out
    def regions(self, neighbours: int = 4, **keywords: Unpack[RegionKeywords]) -> Any:
        """Draw the label map with the numbers of its largest regions.

        ``neighbours`` is 4 or 8, as of `Clustering.regions`; all other keywords go to
        `xcluster.plot.regions.regions`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(3).sieve(6)
        >>> artist = fit.plot.regions(largest=5)
        """
        table, samples = found_regions(self.clustering, neighbours), self.clustering.samples
        cells = None if samples is None else samples.data
        artist = drawn(regions.regions, self.clustering.labels, table, cells, **keywords)
        set_title(artist, f"{table.sizes['region']:,} regions")
        return artist

    @spelled_out
    def profiles(
        self, var: Hashable | None = None, **keywords: Unpack[ProfileKeywords]
    ) -> list[Any]:
        """Draw members and centre of each label along the feature dim.

        ``var`` is the variable to draw, by default the first that has one feature dim; all other
        keywords go to `xcluster.plot.profiles.profiles`.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3)
        >>> axes = fit.plot.profiles()
        """
        layout = samples_of(self.clustering, "plot.profiles").layout
        var = self._curve(var)
        labels = self.clustering.labels
        data = on_levels(layout.variables[var])
        lacking = {dim: labels.sizes[dim] for dim in labels.dims if dim not in data.dims}
        data, labels = together([data.expand_dims(lacking), labels])
        return drawn(profiles.profiles, data, labels, self.clustering.centers[var], **keywords)

    def _curve(self, var: Hashable | None) -> Hashable:
        """Return a variable of curves: one feature dim."""
        template = self.clustering.template
        curves = [name for name, array in template.data_vars.items() if array.ndim == 1]
        if not curves:
            dims = {str(dim) for dim in template.dims}
            rule = f"no variable lies along a single feature dim (there are {sorted(dims)})"
            use = "plot.centers()" if len(dims) > 1 else "plot.map()"
            remedy = f"curves need profiles(dim) or pixels(dim=...); here use {use}"
            raise BadValueError("var", var, rule, remedy)
        return curves[0] if var is None else check_choice("var", var, curves)

    @spelled_out
    def centers(self, var: Hashable | None = None, **keywords: Unpack[CenterKeywords]) -> Any:
        """Draw the centres of all labels: curves in one panel, one field per label, or a table.

        ``var`` is the variable to draw, by default the first with a feature dim, and without any
        a table of all; all other keywords go to `xcluster.plot.profiles.centers`,
        `xcluster.plot.maps.map` or `xcluster.plot.matrices.features`. ``lines=["O", "Fe"]`` draws
        the X-ray lines of elements on spectra.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3)
        >>> len(fit.plot.centers())
        3
        """
        if not self.clustering.k:
            rule = "no labels: every sample is noise"
            raise BadValueError("k", 0, rule, "cluster with other parameters")
        found = self.clustering.centers
        ndim = {name: array.ndim - 1 for name, array in found.data_vars.items()}
        widest = max(ndim, key=lambda name: (ndim[name] == 1, ndim[name]))
        chosen = widest if var is None else check_choice("var", var, tuple(ndim))
        if ndim[chosen] != 1:
            refuse_lines(keywords.pop("lines", None))
        if ndim[chosen] == 0:
            return drawn(centers.table, found if var is None else found[[var]], **keywords)
        draw = centers.curves if ndim[chosen] == 1 else centers.fields
        return drawn(draw, found[chosen], **keywords)

    @spelled_out
    def scatter(
        self, x: int = 0, y: int = 1, *, circles: bool = False, **keywords: Unpack[PointKeywords]
    ) -> Any:
        """Draw two components of the clustered space against each other, coloured by label.

        ``x`` and ``y`` are their numbers, from 0; ``circles`` draws a circle about each centre out
        to its farthest member; all other keywords go to `xcluster.plot.scatter.scatter`.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3)
        >>> artist = fit.plot.scatter(0, 1)
        """
        check_components(x=x, y=y)
        components, labels = together([self.clustering.features, self.clustering.labels])
        about = self._reduced_centers() if check_flag("circles", circles) else False
        return drawn(scatter.scatter, components, labels, x=x, y=y, circles=about, **keywords)

    def _reduced_centers(self) -> xr.DataArray:
        """Return the centres in the clustered space, over label and component."""
        fitted = self.clustering
        counts, centers = np.asarray(fitted.record.counts), np.asarray(fitted.assign.centers, float)
        rows = by_label(fitted.partition, counts, centers)
        rows = rows[:, shown_components(fitted.assign.chain, fitted.template, rows.shape[1])]
        return xr.DataArray(rows, {"label": range(fitted.k)}, dims=("label", "component"))

    @spelled_out
    def scatter3d(
        self, x: int = 0, y: int = 1, z: int = 2, **keywords: Unpack[CloudKeywords]
    ) -> Any:
        """Draw three components of the clustered space against each other, coloured by label.

        ``x``, ``y`` and ``z`` are their numbers, from 0; all other keywords go to
        `xcluster.plot.scatter.scatter3d`.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3)
        >>> artist = fit.plot.scatter3d()
        """
        check_components(x=x, y=y, z=z)
        components, labels = together([self.clustering.features, self.clustering.labels])
        return drawn(scatter.scatter3d, components, labels, x=x, y=y, z=z, **keywords)

    @spelled_out
    def histogram(self, **keywords: Unpack[HistogramKeywords]) -> list[Any]:
        """Draw one histogram per component of the clustered space.

        Keywords go to `xcluster.plot.scatter.histogram`.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).pca(2).kmeans(3)
        >>> artists = fit.plot.histogram()
        """
        return drawn(scatter.histogram, self.clustering.features.compute(), **keywords)

    @spelled_out
    def parallel(self, **keywords: Unpack[ParallelKeywords]) -> list[Any]:
        """Draw each sample as a line across its features, in data units.

        Keywords go to `xcluster.plot.scatter.parallel`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(3)
        >>> artist = fit.plot.parallel()
        """
        layout = samples_of(self.clustering, "plot.parallel").layout
        values, labels = together([feature_values(layout), self.clustering.labels])
        return drawn(scatter.parallel, values, labels, **keywords)

    @spelled_out
    def change(
        self, other: Any = None, *, dim: Hashable | None = None, **keywords: Unpack[TableKeywords]
    ) -> Any:
        """Draw how much of each label becomes which other: areas, or samples without areas.

        ``other`` is a Clustering or label map of a later time, with the same labels; or ``dim``
        names a dim of the labels, as of `xcluster.change`. All other keywords go to
        `xcluster.plot.matrices.changes`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean()
        >>> fit = ds.cluster.pixels(["sst"]).kmeans(3)
        >>> artist = fit.plot.change(fit.predict(ds.assign(sst=ds.sst + 2)))
        """
        found = change(self.clustering, other, dim=dim)
        areas = [name for name in found if str(name).startswith("area_")]
        return drawn(matrices.changes, found[[*areas, "samples"][0]], **keywords)

    @spelled_out
    def zones(self, by: Any, **keywords: Unpack[ZoneKeywords]) -> Any:
        """Draw how much of each zone each label covers: by area, or samples without areas.

        ``by`` are zones or polygons, as of `Clustering.report`; all other keywords go to
        `xcluster.plot.zones.zones`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(3)
        >>> bars = fit.plot.zones((ds.latitude // 30).astype(int))
        """
        table = report_by(self.clustering, by)
        return drawn(zones.zones, table.get("area", table["samples"]), **keywords)

    @spelled_out
    def silhouette(self, **keywords: Unpack[AxesKeywords]) -> list[Any]:
        """Draw how much nearer each sample is to its own label than to the next.

        Keywords go to `xcluster.plot.silhouette.silhouette`.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3)
        >>> artists = fit.plot.silhouette()
        """
        values, labels = together(self.clustering.silhouettes)
        return drawn(silhouette.silhouette, values, labels, **keywords)

    @spelled_out
    def confusion(self, other: Fitted | xr.DataArray, **keywords: Unpack[TableKeywords]) -> Any:
        """Draw how many samples have one label here and another in ``other``.

        ``other`` is a Clustering, or a DataArray of labels, on the same grid; all other keywords
        go to `xcluster.plot.matrices.confusion`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(3)
        >>> artist = fit.plot.confusion(ds.cluster.pixels().kmeans(4))
        """
        theirs: Any = getattr(other, "labels", other)
        titles = _lines(f"this result ({self.clustering.method})"), _title(other)
        ours, theirs = together([self.clustering.labels, theirs])
        table = confusion.confusion_table(ours, theirs, titles)
        if not table.size:
            rule = "one of the two results holds no label"
            raise TooFewError("other", titles[1], rule, "compare results with labels")
        return drawn(matrices.confusion, table, **keywords)

    # --------------------------------------------------------------------------- of soft methods

    @spelled_out
    def memberships(self, **keywords: Unpack[MapsKeywords]) -> FacetGrid[Any]:
        """Draw one map of memberships per label, of a soft method.

        Keywords go to `xcluster.plot.memberships.memberships`.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).pca(2).gmm(3)
        >>> grid = fit.plot.memberships()
        """
        return drawn(memberships.memberships, self.clustering.memberships, **keywords)

    @spelled_out
    def phases(self, u: float = 0.5, **keywords: Unpack[MapKeywords]) -> Any:
        """Draw the map of labels where a membership exceeds ``u``, the rest as unclassified.

        ``u`` is from 0 to below 1; all other keywords go to `xcluster.plot.maps.map`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().gmm(3)
        >>> artist = fit.plot.phases(0.9)
        """
        artist = drawn(maps.map, threshold(self.clustering, u).labels, **keywords)
        set_title(artist, _lines(f"{self.clustering.method}, membership above {u:g}"))
        return artist

    # ------------------------------------------------------ of one clusterer, step or sampler

    @spelled_out
    def dendrogram(self, p: int = 30, **keywords: Unpack[TreeKeywords]) -> dict[str, Any]:
        """Draw the last merges of the tree of `hac`, and where it is cut into the labels.

        ``p`` is the number of branches at the bottom, or that of labels where it is larger; all
        other keywords go to `xcluster.plot.dendrogram.dendrogram`.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).hac(3)
        >>> drawn = fit.plot.dendrogram(p=10)
        """
        clusterer = clusterer_with(self.clustering, "linkage_matrix_", "tree", "hac")
        merges = clusterer.linkage_matrix_
        partition = self.clustering.partition
        flags = flags_of(xr.DataArray(range(self.clustering.k), attrs=partition.attrs))
        colors = np.array([*partition.label_colors(), dendrogram.ABOVE])
        labels = partition(clusterer.leaf_labels_).astype(int)
        own = {
            "cut": dendrogram.cut_height(merges, clusterer.n_clusters),
            "leaf_colors": colors[labels].tolist(),
            "leaf_sizes": np.bincount(clusterer.leaf_, minlength=clusterer.n_leaves_).tolist(),
            "names": dict(zip(flags.names, flags.colors, strict=True)),
        }
        p = max(check_integer("p", p, minimum=2), clusterer.n_clusters)
        return drawn(dendrogram.dendrogram, merges, p, **instead_of(own, keywords))

    @spelled_out
    def nodes(self, var: Hashable | None = None, **keywords: Unpack[NodeKeywords]) -> list[Any]:
        """Draw the centre of each node of `som` where it stands in the map.

        ``var`` is the variable to draw, by default the first with a feature dim, and without any
        one panel per variable; all other keywords go to `xcluster.plot.nodes.nodes` or
        `xcluster.plot.nodes.planes`.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).som((2, 3))
        >>> len(fit.plot.nodes())
        6
        """
        clusterer = clusterer_with(self.clustering, "grid_", "nodes", "som")
        rows = self.clustering.raw_centers
        found = on_panels(self.clustering.template, rows, clusterer.grid_, var)
        if isinstance(found, dict):
            return drawn(nodes.planes, found, **keywords)
        counts = np.rint(clusterer.counts_).astype(int).reshape(clusterer.grid_)
        colors = np.array(self.clustering.partition.label_colors())
        own = {
            "counts": xr.DataArray(counts, dims=("row", "col")),
            "color": colors[self.clustering.partition.codes].tolist(),
        }
        return drawn(nodes.nodes, found, **instead_of(own, keywords))

    @spelled_out
    def u_matrix(self, **keywords: Unpack[ImageKeywords]) -> Any:
        """Draw how far each node of `som` is from its neighbours.

        Keywords go to `xcluster.plot.nodes.u_matrix`.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).som((2, 3))
        >>> artist = fit.plot.u_matrix()
        """
        distances = u_matrix(self.clustering).rename(som_row="row", som_col="col")
        return drawn(nodes.u_matrix, distances, **keywords)

    @spelled_out
    def scree(self, **keywords: Unpack[AxesKeywords]) -> Any:
        """Draw the share of variance of each principal component, of results with `pca`.

        Keywords go to `xcluster.plot.curves.scree`.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).pca(2).kmeans(3)
        >>> artist = fit.plot.scree()
        """
        ratio = self._step("explained_variance_ratio_", "pca").explained_variance_ratio_
        return drawn(curves.scree, xr.DataArray(np.asarray(ratio), dims="component"), **keywords)

    @spelled_out
    def training(self, **keywords: Unpack[PanelKeywords]) -> list[Any]:
        """Draw how the variational auto-encoder of `vae` learned.

        Keywords go to `xcluster.plot.training.training`.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).vae(2, epochs=2).kmeans(3)
        >>> axes = fit.plot.training()
        """
        step = self._step("history_", "vae")
        return drawn(training.training, step.history_, step.best_epoch_, **keywords)

    def _step(self, attribute: str, owner: str) -> Any:
        """Return the last step that has ``attribute``."""
        chain = self.clustering.assign.chain
        for step in reversed(chain.steps):
            if hasattr(step.transformer, attribute):
                return step.transformer
        rule = f"no step has {attribute}; results with .{owner}() have"
        raise BadValueError("steps", chain.names, rule, f"reduce by .{owner}(2)")

    @spelled_out
    def latent(
        self,
        var: Hashable | None = None,
        *,
        x: int = 0,
        y: int = 1,
        n: int = 7,
        **keywords: Unpack[NodeKeywords],
    ) -> list[Any]:
        """Draw what points of the reduced space are in the data, on a lattice over two components.

        ``var`` is the variable to draw, by default the first with a feature dim, and without any
        one panel per variable; ``x`` and ``y`` are the numbers of the components, the others being
        held at their median; ``n`` is the number of points along each, over all but the outer 2 %
        of the samples on either side. All other keywords go to `xcluster.plot.nodes.nodes` or
        `xcluster.plot.nodes.planes`.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).pca(2).kmeans(3)
        >>> len(fit.plot.latent(n=2))
        4
        """
        n = check_integer("n", n, minimum=2, maximum=MOST_PANELS)
        check_components(x=x, y=y)
        chain, template = self.clustering.assign.chain, self.clustering.template
        rows, at = decoded_lattice(chain, self.clustering.features, x, y, n)
        found = on_panels(template, rows, (n, n), var, at)
        if isinstance(found, dict):
            return drawn(nodes.planes, found, **keywords)
        # The first row of panels is at the top, and the greatest value belongs there.
        axes = drawn(nodes.nodes, found.isel(row=slice(None, None, -1)), **keywords)
        title = f"component {x} rightwards, component {y} upwards"
        axes[0].figure.suptitle(title, fontsize="medium")
        return axes

    @spelled_out
    def transitions(self, min_duration: int = 1, **keywords: Unpack[TableKeywords]) -> Any:
        """Draw the probability of each label after each other, of snapshots along time.

        ``min_duration`` is that of an episode, in steps, shorter ones counting as no label; all
        other keywords go to `xcluster.plot.matrices.transitions`.

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> field = np.repeat(np.eye(3)[[0, 1, 0]], 4, axis=0)
        >>> fit = xr.DataArray(field, dims=("time", "x")).cluster.snapshots("time").kmeans(2)
        >>> artist = fit.plot.transitions()
        """
        table = regimes(self.clustering, None, min_duration, None, None)["transitions"]
        names = list(flags_of_centers(table).names)
        table = table.assign_coords(
            label=("label", table["label"].values, {"long_name": "label"}),
            label_name=("label", names),
            next_label_name=("next_label", names),
        )
        table["next_label"].attrs["long_name"] = "next label"
        return drawn(matrices.transitions, table, **keywords)


def _title(other: object) -> str:
    method = getattr(other, "method", None)
    return _lines(f"the other ({method})") if method else "the other"


def _lines(text: str) -> str:
    """Return text in lines that a figure has room for."""
    return textwrap.fill(text, WIDEST_TITLE, break_long_words=False)


def feature_values(layout: Layout) -> xr.DataArray:
    """Return the features of complete samples in data units, with their names."""
    values = matrix.apply(layout, np.asarray, width=layout.n_features, dtype=layout.dtype)
    values = values.isel({COLUMN: shown_columns(layout.features)})
    return values.assign_coords({COLUMN: feature_names(layout.features)})
