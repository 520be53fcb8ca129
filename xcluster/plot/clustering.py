"""The figures of one `Clustering`: each takes what it needs from the result and draws it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xcluster.base.checks import check_choice, check_flag, check_text
from xcluster.base.errors import BadValueError
from xcluster.blocks import matrix
from xcluster.chain.question import layout_of
from xcluster.chain.reduction import feature_names
from xcluster.fit.centers import by_label
from xcluster.fit.fitted import bound
from xcluster.grid.layout import COLUMN, Layout
from xcluster.grid.windows import Patches
from xcluster.plot.looks import check_components, drawn
from xcluster.plot.methods import MethodPlots
from xcluster.plot.text import set_title

if TYPE_CHECKING:
    from xcluster.api.clustering import Clustering


@dataclass(frozen=True, eq=False, repr=False)
class ClusteringPlot(MethodPlots):
    """Figures of a clustering; each method passes keywords on to the function of its name.

    Every figure takes colours and names of labels from the result, so that they agree.

    Parameters
    ----------
    clustering
        The result to draw.
    """

    clustering: Clustering

    def map(self, *, title: str | None = None, **keywords: Any) -> Any:
        """Draw the label map.

        Windows at positions are points over their image.

        Parameters
        ----------
        title : str, optional
            What stands above it; by default the method and the number of labels.
        **keywords
            To `xcluster.plot.maps.map`.

        Returns
        -------
        The artist, or xarray's FacetGrid with ``col`` or ``row``.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(3)
        >>> artist = fit.plot.map()
        """
        from xcluster.plot.maps import map as draw

        if title is not None:
            check_text("title", title)
        over = self._over_image(keywords)
        if "ax" in over:  # the image has taken the size
            keywords.pop("figsize", None)
        upright = over["ax"].get_ylim() if "ax" in over else None
        artist = drawn(draw, self.clustering.labels, **{**over, **keywords})
        if upright is not None:  # images may count downwards, points never do
            artist.axes.set_ylim(upright)
        stated = f"{self.clustering.method}, {self.clustering.k} labels"
        set_title(artist, stated if title is None else title)
        return artist

    def _over_image(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Draw the image of windows at positions, and return how points lie over it."""
        clustering = self.clustering
        sampler = clustering.sampler
        if not isinstance(sampler, Patches) or sampler.at is None:
            return {}
        (y, _), (x, _) = sampler.at
        if clustering.samples is None or "ax" in given:
            return {"x": x, "y": y}
        size = given.get("figsize")
        image = clustering.samples.plot.map(cmap="gray", legend=False, x=x, y=y, figsize=size)
        return {"x": x, "y": y, "ax": image.axes}

    def memberships(self, **keywords: Any) -> Any:
        """Draw one map of memberships a label.

        Parameters
        ----------
        **keywords
            To `xcluster.plot.memberships.memberships`.

        Returns
        -------
        xarray's FacetGrid

        Raises
        ------
        ValueError
            If the method is not a soft one.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).pca(2).gmm(3)
        >>> grid = fit.plot.memberships()
        """
        from xcluster.plot.memberships import memberships as draw

        return drawn(draw, self.clustering.memberships, **keywords)

    def profiles(self, var: Hashable | None = None, **keywords: Any) -> Any:
        """Draw members and centre of each label along the feature dim.

        Parameters
        ----------
        var : optional
            The variable to draw; by default the first that has a feature dim.
        **keywords
            To `xcluster.plot.profiles.profiles`.

        Raises
        ------
        ValueError
            If the features have no dim to draw them along, or more than one.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3)
        >>> axes = fit.plot.profiles()
        """
        from xcluster.plot.profiles import profiles as draw

        samples = bound(self.clustering, "plot.profiles")
        var = self._curve(var)
        labels = self.clustering.labels
        data = layout_of(samples).variables[var].array
        lacking = {dim: labels.sizes[dim] for dim in labels.dims if dim not in data.dims}
        return drawn(
            draw, data.expand_dims(lacking), labels, self.clustering.centers[var], **keywords
        )

    def centers(self, var: Hashable | None = None, **keywords: Any) -> Any:
        """Draw the centres of all labels: curves in one panel, fields, or a table.

        Parameters
        ----------
        var : optional
            The variable to draw; by default the first with a feature dim. Without any, a table of
            all variables.
        **keywords
            To `xcluster.plot.profiles.centers`, `xcluster.plot.maps.map` (one field a label) or
            `xcluster.plot.matrices.features`.

        Returns
        -------
        list of Line2D, FacetGrid, or AxesImage

        Raises
        ------
        ValueError
            If there is no label, as where every sample is noise, or no such variable.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3)
        >>> len(fit.plot.centers())
        3
        """
        from xcluster.plot.centers import curves, fields, table

        if not self.clustering.k:
            rule = "no labels: every sample is noise"
            raise BadValueError("k", 0, rule, "cluster with other parameters")
        centers = self.clustering.centers
        ndim = {name: array.ndim - 1 for name, array in centers.data_vars.items()}
        widest = max(ndim, key=lambda name: (ndim[name] == 1, ndim[name]))
        chosen = widest if var is None else check_choice("var", var, tuple(ndim))
        if ndim[chosen] == 0:
            return drawn(table, centers if var is None else centers[[var]], **keywords)
        draw = curves if ndim[chosen] == 1 else fields
        return drawn(draw, centers[chosen], **keywords)

    def scatter(self, x: int = 0, y: int = 1, *, circles: bool = False, **keywords: Any) -> Any:
        """Draw two components of the clustered space against each other, coloured by label.

        Parameters
        ----------
        x, y : int
            Numbers of the components, from 0.
        circles : bool, default False
            Draw a circle about each centre out to its farthest member.
        **keywords
            To `xcluster.plot.scatter.scatter`.

        Raises
        ------
        ValueError
            If there are fewer components.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3)
        >>> artist = fit.plot.scatter(0, 1)
        """
        from xcluster.plot.scatter import scatter as draw

        check_components(x=x, y=y)
        components = self.clustering.features.compute()
        about = self._reduced_centers(components) if check_flag("circles", circles) else False
        return drawn(draw, components, self.clustering.labels, x=x, y=y, circles=about, **keywords)

    def scatter3d(self, x: int = 0, y: int = 1, z: int = 2, **keywords: Any) -> Any:
        """Draw three components of the clustered space against each other, coloured by label.

        Parameters
        ----------
        x, y, z : int
            Numbers of the components, from 0.
        **keywords
            To `xcluster.plot.scatter.scatter3d`.

        Raises
        ------
        ValueError
            If there are fewer components.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3)
        >>> artist = fit.plot.scatter3d()
        """
        from xcluster.plot.scatter import scatter3d as draw

        check_components(x=x, y=y, z=z)
        components = self.clustering.features.compute()
        return drawn(draw, components, self.clustering.labels, x=x, y=y, z=z, **keywords)

    def histogram(self, **keywords: Any) -> Any:
        """Draw one histogram a component of the clustered space.

        Parameters
        ----------
        **keywords
            To `xcluster.plot.scatter.histogram`.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).pca(2).kmeans(3)
        >>> artists = fit.plot.histogram()
        """
        from xcluster.plot.scatter import histogram as draw

        return drawn(draw, self.clustering.features.compute(), **keywords)

    def parallel(self, **keywords: Any) -> Any:
        """Draw each sample as a line across its features, in data units.

        Parameters
        ----------
        **keywords
            To `xcluster.plot.scatter.parallel`.

        Raises
        ------
        ValueError
            If the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(3)
        >>> artist = fit.plot.parallel()
        """
        from xcluster.plot.scatter import parallel as draw

        layout = layout_of(bound(self.clustering, "plot.parallel"))
        return drawn(draw, feature_values(layout), self.clustering.labels, **keywords)

    def silhouette(self, **keywords: Any) -> Any:
        """Draw how much nearer each sample is to its own label than to the next.

        Parameters
        ----------
        **keywords
            To `xcluster.plot.silhouette.silhouette`.

        Raises
        ------
        ValueError
            If there is one label only, or the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmeans(3)
        >>> artists = fit.plot.silhouette()
        """
        from xcluster.plot.silhouette import silhouette as draw

        return drawn(draw, self.clustering.silhouette.compute(), self.clustering.labels, **keywords)

    def confusion(self, other: Clustering | xr.DataArray, **keywords: Any) -> Any:
        """Draw how many samples have one label here and another in ``other``.

        Parameters
        ----------
        other : Clustering or DataArray of labels
            On the same grid.
        **keywords
            To `xcluster.plot.matrices.confusion`.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(3)
        >>> artist = fit.plot.confusion(ds.cluster.pixels().kmeans(4))
        """
        from xcluster.plot.confusion import confusion_table
        from xcluster.plot.matrices import confusion as draw

        theirs: Any = getattr(other, "labels", other)
        titles = f"this result ({self.clustering.method})", _title(other)
        table = confusion_table(self.clustering.labels, theirs, titles)
        if not table.size:
            rule = "one of the two results holds no label"
            raise BadValueError("other", titles[1], rule, "compare results with labels")
        return drawn(draw, table, **keywords)

    def _reduced_centers(self, components: xr.DataArray) -> xr.DataArray:
        """Return the centres in the clustered space, over label and component."""
        rows = by_label(self.clustering, np.asarray(self.clustering.assign.centers, float))
        return xr.DataArray(rows, {"label": range(self.clustering.k)}, dims=("label", "component"))

    def _curve(self, var: Hashable | None) -> Hashable:
        """Return a variable of curves: one feature dim."""
        template = self.clustering.template
        curves = [name for name, array in template.data_vars.items() if array.ndim == 1]
        if not curves:
            dims = {str(dim) for dim in template.dims}
            rule = f"no variable lies along a single feature dim (there are {sorted(dims)})"
            remedy = "curves need profiles(dim) or pixels(dim=...); here use plot.map()"
            raise BadValueError("var", var, rule, remedy)
        return curves[0] if var is None else check_choice("var", var, curves)


def _title(other: object) -> str:
    method = getattr(other, "method", None)
    return f"the other ({method})" if method else "the other"


def feature_values(layout: Layout) -> xr.DataArray:
    """Return the features of complete samples in data units, over the sample dims and feature."""
    values = matrix.apply(layout, np.asarray, width=layout.n_features, dtype=layout.dtype)
    named = values.rename({COLUMN: "feature"}).compute()
    return named.assign_coords(feature=feature_names(layout.features))
