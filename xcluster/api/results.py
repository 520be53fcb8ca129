"""The methods of `Clustering` that only results of one method or sampler have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.checks import check_flag
from xcluster.base.errors import BadValueError
from xcluster.chain.latent import LatentSpace
from xcluster.fit import prediction
from xcluster.fit.arrays import GridArrays
from xcluster.fit.fitted import Fitted, bound
from xcluster.result.relabelling import recoded

if TYPE_CHECKING:
    from xcluster.api.clustering import Clustering
    from xcluster.chain.reduction import Chain

Array = NDArray[Any]


class MethodResults(GridArrays, LatentSpace):
    """Trees of `hac`, nodes of `som`, regimes of `snapshots`; others raise and say who has them."""

    # ------------------------------------------------------------------------------------- hac

    @property
    def tree(self) -> Array:
        """Merges of `hac` as a scipy linkage matrix, shape (n_leaves - 1, 4).

        Heights stand in units of the reduced space.

        Raises
        ------
        ValueError
            If the result has no tree.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).hac(4)
        >>> fit.tree.shape
        (170, 4)
        """
        return np.array(clusterer_with(self, "linkage_matrix_", "tree", "hac").linkage_matrix_)

    def cut(self, k: int | None = None, *, height: float | None = None) -> Clustering:
        """Return the clustering of `hac` with its tree cut elsewhere, without a refit.

        Labels are numbered by size, whatever order the fit was asked for.

        Parameters
        ----------
        k : int, optional
            Number of labels.
        height : float, optional
            Only merges up to it are made. Give one of the two.

        Raises
        ------
        ValueError
            If the result has no tree or was opened without its data, both or none are given, or
            ``k`` is out of range.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().hac(6)
        >>> fit.cut(3).k
        3
        """
        from xcluster.fit.conclusion import recut

        clusterer_with(self, "linkage_matrix_", "cut", "hac")
        bound(self, "cut")
        return recut(self._whole, k, height)

    # ------------------------------------------------------------------------------------- som

    def u_matrix(self) -> xr.DataArray:
        """Return the mean distance of each node of `som` to its neighbours on the map.

        Returns
        -------
        DataArray over (``som_row``, ``som_col``), in units of the reduced space.

        Raises
        ------
        ValueError
            If the result has no nodes.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).som((3, 4))
        >>> fit.u_matrix().shape
        (3, 4)
        """
        clusterer = clusterer_with(self, "grid_", "u_matrix", "som")
        attrs = {"long_name": "mean distance to neighbouring nodes"}
        return xr.DataArray(
            clusterer.u_matrix(), dims=("som_row", "som_col"), name="u_matrix", attrs=attrs
        )

    def merge_nodes(self, k: int) -> Clustering:
        """Return the clustering of `som` with its nodes merged into classes, by weighted Ward.

        Parameters
        ----------
        k : int
            Number of classes; they are numbered by falling size.

        Raises
        ------
        ValueError
            If the result has no nodes, or fewer occupied ones than ``k``.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).som((3, 4))
        >>> fit.merge_nodes(3).k
        3
        """
        clusterer = clusterer_with(self, "grid_", "merge_nodes", "som")
        return recoded(self._whole, np.asarray(clusterer.merge_nodes(k)))

    # --------------------------------------------------------------------------------- patches

    def upsample(self, beyond: bool = False) -> xr.DataArray:
        """Return the labels of `patches` painted on the pixels of the image.

        Parameters
        ----------
        beyond : bool, default False
            Also paint pixels that lie in no window, as the nearest centre has it; else NaN.

        Returns
        -------
        DataArray over the dims of the image: each pixel as the window whose centre is nearest.

        Raises
        ------
        ValueError
            If the samples are no patches, or the result was opened without its data.

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> image = xr.DataArray(np.random.default_rng(0).normal(size=(20, 30)), dims=("y", "x"))
        >>> fit = image.cluster.patches(5, every=5).kmeans(3)
        >>> fit.upsample().sizes == image.sizes
        True
        """
        from xcluster.grid import windows

        sampler = self.sampler
        check_flag("beyond", beyond)
        if not isinstance(sampler, windows.Patches):
            name = type(sampler).__name__.lower()
            rule = "has labels on its own grid already; only those of patches() are coarser"
            raise BadValueError("samples", name, rule, "use .labels")
        labels, data = self.labels, bound(self, "upsample").data
        painted = windows.upsample(labels, sampler, data, beyond)
        return prediction.as_labels(painted, self.partition)

    # ------------------------------------------------------------------------------- snapshots

    def regimes(
        self,
        new: xr.Dataset | xr.DataArray | None = None,
        *,
        min_duration: int = 1,
        min_similarity: float | None = None,
        composites: xr.Dataset | xr.DataArray | None = None,
    ) -> xr.Dataset:
        """Return how often, how long and in which order each regime of `snapshots` occurs.

        Parameters
        ----------
        new : Dataset or DataArray, optional
            Other data to project on the fitted regimes; by default the fitted data.
        min_duration : int, default 1
            Shorter episodes, in steps, count as no regime.
        min_similarity : float, optional
            Steps whose similarity to their regime is below it count as no regime; -1 to 1.
        composites : Dataset or DataArray, optional
            Any variables over the same times, of which the mean of each regime is returned.

        Returns
        -------
        Dataset
            Over ``label``: ``frequency`` (share of the steps with data), ``persistence``
            (probability to stay one step more), ``episodes`` (number) and ``duration`` (mean,
            in steps); over (``label``, ``next_label``): ``transitions``, the probability of the
            next step's regime where both steps have one; over time: ``labels`` (-1: no regime)
            and, over (``label``, time), ``similarity``; the composites under their names; and
            ``no_regime``, the share of steps without one.

        Raises
        ------
        ValueError
            If the samples have more than one dim, a parameter is out of range, or the
            composites have other times.

        Notes
        -----
        The similarity is the cosine between a step and a regime's centre in the space that was
        clustered, both less the mean of the fitted steps: with area weights the pattern
        correlation (Michelangeli, Vautard and Legras 1995, J. Atmos. Sci. 52, 1237). A step
        that is missing, or a gap in time, ends an episode and is no transition.

        Examples
        --------
        >>> import numpy as np, xarray as xr, xcluster
        >>> field = np.repeat(np.eye(3)[[0, 1, 0]], 4, axis=0)
        >>> fit = xr.DataArray(field, dims=("time", "x")).cluster.snapshots("time").kmeans(2)
        >>> fit.regimes().duration.values
        array([4., 4.])
        """
        from xcluster.result.regimes import regimes

        return regimes(self._whole, new, min_duration, min_similarity, composites)

    # ----------------------------------------------------------------------------- shared parts

    def _latent_parts(self) -> tuple[Chain, xr.Dataset]:
        return self.assign.chain, self.template

    def _latent(self) -> xr.DataArray:
        return self.features


def clusterer_with(fitted: Fitted, attribute: str, what: str, owner: str) -> Any:
    """Return the clusterer where it has ``attribute``; else say whose results have ``what``."""
    clusterer = fitted.assign.clusterer
    if not hasattr(clusterer, attribute):
        rule = f"has no {what}; results of {owner}() have"
        raise BadValueError("method", fitted.method, rule, f"cluster by .{owner}()")
    return clusterer
