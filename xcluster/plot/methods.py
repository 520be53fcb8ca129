"""The figures that only results of one method or reduction have; others say who has them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.api.results import clusterer_with
from xcluster.base.checks import check_choice, check_integer
from xcluster.base.errors import BadValueError
from xcluster.blocks import matrix
from xcluster.fit.centers import raw_centers
from xcluster.plot.flags import flags_of, flags_of_centers
from xcluster.plot.looks import check_components, drawn
from xcluster.plot.text import set_title

if TYPE_CHECKING:
    from xcluster.api.clustering import Clustering

Array = NDArray[Any]

# Along each side of a lattice; more cannot be told apart.
MOST_PANELS = 40

# Of the samples, a lattice in the latent space leaves out this share on each side.
TAIL = 0.02


class MethodPlots:
    """Trees, nodes, phases, regimes, training and latent space."""

    clustering: Clustering

    def dendrogram(self, p: int = 30, **keywords: Any) -> dict[str, Any]:
        """Draw the last merges of the tree of `hac`, and where it is cut into the labels.

        Parameters
        ----------
        p : int, default 30
            Number of branches at the bottom, or that of labels where it is larger.
        **keywords
            To `xcluster.plot.dendrogram.dendrogram`.

        Raises
        ------
        ValueError
            If the result has no tree.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).hac(3)
        >>> drawn = fit.plot.dendrogram(p=10)
        """
        from xcluster.plot.dendrogram import ABOVE
        from xcluster.plot.dendrogram import dendrogram as draw

        clusterer = clusterer_with(self.clustering, "linkage_matrix_", "tree", "hac")
        flags = flags_of(self.clustering.labels).classified
        colors = np.array([*self.clustering.partition.label_colors(), ABOVE])
        labels = self.clustering.partition(clusterer.leaf_labels_).astype(int)
        sizes = np.bincount(clusterer.leaf_, minlength=clusterer.n_leaves_)
        given = {
            "cut": cut_height(clusterer.linkage_matrix_, clusterer.n_clusters),
            "leaf_colors": colors[labels].tolist(),
            "leaf_sizes": sizes.tolist(),
            "names": dict(zip(flags.names, flags.colors, strict=True)),
        }
        p = max(check_integer("p", p, minimum=2), clusterer.n_clusters)
        return drawn(draw, clusterer.linkage_matrix_, p, **{**given, **keywords})

    def nodes(self, var: Hashable | None = None, **keywords: Any) -> list[Any]:
        """Draw the centre of each node of `som` where it stands in the map.

        Parameters
        ----------
        var : optional
            The variable to draw; by default the first with a feature dim. Without any, one panel
            a variable shows its value at each node.
        **keywords
            To `xcluster.plot.nodes.nodes` or `xcluster.plot.nodes.planes`.

        Raises
        ------
        ValueError
            If the result has no nodes, or no such variable.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).som((2, 3))
        >>> len(fit.plot.nodes())
        6
        """
        from xcluster.plot import nodes as draw

        clusterer = clusterer_with(self.clustering, "grid_", "nodes", "som")
        chosen = self._of_lattice(raw_centers(self.clustering), clusterer.grid_, var)
        if isinstance(chosen, xr.Dataset):
            return drawn(draw.planes, chosen, **keywords)
        counts = np.rint(clusterer.counts_).astype(int).reshape(clusterer.grid_)
        colors = np.array(self.clustering.partition.label_colors())
        given = {
            "counts": xr.DataArray(counts, dims=("row", "col")),
            "color": colors[self.clustering.partition.codes].tolist(),
        }
        return drawn(draw.nodes, chosen, **{**given, **keywords})

    def u_matrix(self, **keywords: Any) -> Any:
        """Draw how far each node of `som` is from its neighbours.

        Parameters
        ----------
        **keywords
            To `xcluster.plot.nodes.u_matrix`.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).som((2, 3))
        >>> artist = fit.plot.u_matrix()
        """
        from xcluster.plot.nodes import u_matrix as draw

        return drawn(
            draw, self.clustering.u_matrix().rename(som_row="row", som_col="col"), **keywords
        )

    def scree(self, **keywords: Any) -> Any:
        """Draw the share of variance of each principal component.

        Parameters
        ----------
        **keywords
            To `xcluster.plot.curves.scree`.

        Raises
        ------
        ValueError
            If no step is ``pca``.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).pca(2).kmeans(3)
        >>> artist = fit.plot.scree()
        """
        from xcluster.plot.curves import scree as draw

        return drawn(
            draw, explained_variance(self._step("explained_variance_ratio_", "pca")), **keywords
        )

    def training(self, **keywords: Any) -> list[Any]:
        """Draw how the variational auto-encoder learned.

        Parameters
        ----------
        **keywords
            To `xcluster.plot.training.training`.

        Raises
        ------
        ValueError
            If no step is ``vae``.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).vae(2, epochs=2).kmeans(3)
        >>> axes = fit.plot.training()
        """
        from xcluster.plot.training import training as draw

        step = self._step("history_", "vae")
        return drawn(draw, step.history_, step.best_epoch_, **keywords)

    def latent(
        self, var: Hashable | None = None, *, x: int = 0, y: int = 1, n: int = 7, **keywords: Any
    ) -> list[Any]:
        """Draw what points of the reduced space are in the data, on a lattice over two components.

        Parameters
        ----------
        var : optional
            The variable to draw; by default the first with a feature dim. Without any, one panel
            a variable.
        x, y : int
            Numbers of the components; the others are held at their median.
        n : int, default 7
            Points along each, over all but the outer 2 % of the samples on either side.
        **keywords
            To `xcluster.plot.nodes.nodes` or `xcluster.plot.nodes.planes`.

        Raises
        ------
        ValueError
            If the space was not reduced to two components at least, or a step has no inverse.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).pca(2).kmeans(3)
        >>> len(fit.plot.latent(n=2))
        4
        """
        from xcluster.plot import nodes as draw

        n = check_integer("n", n, minimum=2, maximum=MOST_PANELS)
        check_components(x=x, y=y)
        points, at = self._lattice(x, y, n)
        rows = self.clustering.assign.chain.inverse(points)
        if rows is None:
            rule = "needs steps that have an inverse"
            raise BadValueError("steps", self._steps, rule, "reduce by .vae(2) or .pca(2)")
        chosen = self._of_lattice(np.asarray(rows), (n, n), var)
        if isinstance(chosen, xr.Dataset):
            return drawn(draw.planes, chosen.assign_coords(at), **keywords)
        # The first row of panels is at the top, and the greatest value belongs there.
        upside = chosen.isel(row=slice(None, None, -1))
        axes = drawn(draw.nodes, upside, **keywords)
        axes[0].figure.suptitle(
            f"component {x} rightwards, component {y} upwards", fontsize="medium"
        )
        return axes

    def phases(self, u: float = 0.5, **keywords: Any) -> Any:
        """Draw the map of labels where a membership exceeds ``u``, the rest as unclassified.

        Parameters
        ----------
        u : float, default 0.5
            From 0 to below 1.
        **keywords
            To `xcluster.plot.maps.map`.

        Raises
        ------
        ValueError
            If the method is not a soft one.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().gmm(3)
        >>> artist = fit.plot.phases(0.9)
        """
        from xcluster.plot.maps import map as draw

        artist = drawn(draw, self.clustering.threshold(u).labels, **keywords)
        set_title(artist, f"{self.clustering.method}, membership above {u:g}")
        return artist

    def transitions(self, min_duration: int = 1, **keywords: Any) -> Any:
        """Draw the probability of each label after each other, of snapshots along time.

        Parameters
        ----------
        min_duration : int, default 1
            Of an episode, in steps; shorter ones count as no label.
        **keywords
            To `xcluster.plot.matrices.transitions`.

        Raises
        ------
        ValueError
            If the samples are no series along one dim.

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> field = np.repeat(np.eye(3)[[0, 1, 0]], 4, axis=0)
        >>> fit = xr.DataArray(field, dims=("time", "x")).cluster.snapshots("time").kmeans(2)
        >>> artist = fit.plot.transitions()
        """
        from xcluster.plot.matrices import transitions as draw

        table = self.clustering.regimes(min_duration=min_duration)["transitions"]
        names = list(flags_of_centers(table).names)
        table = table.assign_coords(
            label=("label", table["label"].values, {"long_name": "label"}),
            label_name=("label", names),
            next_label_name=("next_label", names),
        )
        table["next_label"].attrs["long_name"] = "next label"
        return drawn(draw, table, **keywords)

    def _lattice(self, x: int, y: int, n: int) -> tuple[Array, dict[str, Any]]:
        """Return points (n * n, n_components), rows first, and the coordinates of the lattice."""
        space = self.clustering.features
        size = space.sizes["component"]
        if self.clustering.assign.chain.keeps_columns or not (x < size and y < size):
            rule = f"needs two components of a reduced space, and there are {size} features"
            rule = rule if self.clustering.assign.chain.keeps_columns else rule[:-8] + "components"
            raise BadValueError("steps", self._steps, rule, "reduce by .vae(2) or .pca(2)")
        rows = space.transpose(..., "component").values.reshape(-1, size)
        rows = rows[np.isfinite(rows).all(axis=1)]
        if not len(rows):
            rule = "leave no complete sample to span a lattice"
            raise BadValueError("samples", "...", rule, "check the mask")
        low, high = np.quantile(rows[:, [x, y]], [TAIL, 1 - TAIL], axis=0)
        along_x, along_y = np.linspace(low, high, n).T
        points = np.tile(np.median(rows, axis=0), (n * n, 1))
        points[:, y], points[:, x] = np.repeat(along_y, n), np.tile(along_x, n)
        named = {"row": along_y, "col": along_x}
        numbers = {"row": y, "col": x}
        return points, {
            dim: (dim, values, {"long_name": f"component {numbers[dim]}"})
            for dim, values in named.items()
        }

    def _of_lattice(
        self, rows: Array, shape: tuple[int, int], var: Hashable | None
    ) -> xr.DataArray | xr.Dataset:
        """Return rows of features over row and col: one variable of curves, or all single ones."""
        template = self.clustering.template
        unpacked = matrix.unpack(template, rows, "node", np.arange(len(rows)))
        row, col = np.divmod(np.arange(len(rows)), shape[1])
        placed = unpacked.drop_vars("node").assign_coords(row=("node", row), col=("node", col))
        placed = placed.set_index(node=("row", "col")).unstack("node").drop_vars(["row", "col"])
        curves = [name for name, array in template.data_vars.items() if array.ndim == 1]
        single = [name for name, array in template.data_vars.items() if array.ndim == 0]
        if not (curves or single):
            rule = "lies along two dims, and nodes are drawn of curves and of single values"
            names = list(map(str, template.data_vars))
            raise BadValueError("var", names, rule, "draw plot.centers()")
        if var is None:
            return placed[curves[0]] if curves else placed[single]
        check_choice("var", var, (*curves, *single))
        return placed[var] if var in curves else placed[[var]]

    def _step(self, attribute: str, owner: str) -> Any:
        """Return the last step that has ``attribute``."""
        steps = [step for _, step in self.clustering.assign.chain.steps if hasattr(step, attribute)]
        if steps:
            return steps[-1]
        rule = f"no step has {attribute}; results with .{owner}() have"
        raise BadValueError("steps", self._steps, rule, f"reduce by .{owner}(2)")

    @property
    def _steps(self) -> list[str]:
        return [name for name, _ in self.clustering.assign.chain.steps]


def cut_height(merges: Array, k: int) -> float:
    """Return a height between the last merge that is made for ``k`` labels and the next one."""
    heights = np.maximum.accumulate(merges[:, 2])
    finite = heights[np.isfinite(heights)]
    top = float(finite.max(initial=0.0)) or 1.0
    # Where nothing is cut, or separate parts only, the line stands between these and the rest.
    bounded = np.append(np.where(np.isfinite(heights), heights, 1.15 * top), 1.15 * top)
    below = len(merges) - k
    return float((bounded[below + 1] + (bounded[below] if below >= 0 else 0.0)) / 2)


def explained_variance(step: Any) -> xr.DataArray:
    """Return the explained variance ratio of a fitted step, over ``component``."""
    ratio = np.asarray(step.explained_variance_ratio_)
    return xr.DataArray(ratio, {"component": np.arange(len(ratio))}, ("component",))
