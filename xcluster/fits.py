"""What every clusterer of `Samples` comes down to: a fit of any estimator, or of a range of k."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from xcluster import methods, selection
from xcluster.methods import Method
from xcluster.question import Question, layout_of, ready

if TYPE_CHECKING:
    from xcluster.clustering import Clustering
    from xcluster.selection import Sweep

K = int | Iterable[int] | None


class Fits(Question):
    """Fits to the samples by what the user brings."""

    def fit(self, clusterer: Any, **keywords: Any) -> Clustering:
        """Cluster by any scikit-learn clusterer or mixture.

        Parameters
        ----------
        clusterer
            With ``fit`` and ``predict``, or ``fit_predict`` alone: then other samples take the
            label of the nearest one that was fitted. Cloned, never changed.
        **keywords
            Those of all clusterers (see `Samples`).

        Returns
        -------
        Clustering

        Raises
        ------
        TypeError
            If it is no clusterer.

        Examples
        --------
        >>> import xcluster
        >>> from sklearn.cluster import BisectingKMeans
        >>> ds = xcluster.datasets.ocean()
        >>> fit = ds.cluster.pixels().fit(BisectingKMeans(4, random_state=0))
        """
        return self._cluster(methods.wrapped(clusterer), None, keywords)

    def sweep(
        self,
        ks: Iterable[int] | None = None,
        method: str = "kmeans",
        criteria: Any = None,
        **keywords: Any,
    ) -> Sweep:
        """Fit a range of k and compare.

        Parameters
        ----------
        ks : iterable of int, default 2 to 20
        method : {"kmeans", "gmm", "hac", "fuzzy"}, default "kmeans"
        criteria : str or list of str, optional
            What to measure at each k; by default the method's own criterion and the simplified
            silhouette.
        **keywords
            Of the method, and those of all clusterers (see `Samples`).

        Returns
        -------
        Sweep

        Raises
        ------
        ValueError
            If the method or a criterion is unknown, or a k is out of range.

        Examples
        --------
        >>> import xcluster
        >>> sweep = xcluster.datasets.ocean().cluster.pixels().sweep(range(2, 6))
        >>> list(sweep.table)
        ['distortion', 'simplified_silhouette']
        """
        built, others = methods.named(method, layout_of(self), keywords)
        return selection.sweep(ready(self), built, ks, criteria, others)

    def _cluster(self, method: Method, k: K, keywords: Mapping[str, Any]) -> Clustering:
        return selection.cluster(ready(self), method, k, keywords)
