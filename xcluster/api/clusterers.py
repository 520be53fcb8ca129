"""The methods of `Samples` that end a chain: one clusterer each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar, Unpack

from xcluster.api.keywords import (
    CriterionName,
    DBSCANKeywords,
    FuzzyKeywords,
    GMMKeywords,
    HACKeywords,
    HDBSCANKeywords,
    KMeansKeywords,
    MethodName,
    OrderedKeywords,
    SOMKeywords,
    SweepKeywords,
)
from xcluster.base.signatures import spelled_out
from xcluster.chain.question import Question
from xcluster.fit import methods, selection
from xcluster.fit.candidates import Candidates
from xcluster.fit.fitted import Fitted
from xcluster.fit.methods import Method

K = int | Iterable[int] | None

Answer = TypeVar("Answer")
Swept = TypeVar("Swept")
"""What a fit and a sweep return: a `Clustering` and a `Sweep`, or those of several objects."""


class Clusterers(Question, Generic[Answer, Swept], ABC):
    """Every method fits a clusterer to the samples and returns the answer."""

    @spelled_out
    def kmeans(
        self,
        k: K = None,
        *,
        metric: Literal["euclidean", "dtw", "softdtw"] = "euclidean",
        **keywords: Unpack[KMeansKeywords],
    ) -> Answer:
        """Cluster by k-means.

        Parameters
        ----------
        k : int, iterable of int or None, default None
            Number of labels, or candidates (None: 2 to 20) of which the knee of the distortion
            chooses.
        metric : {"euclidean", "dtw", "softdtw"}, default "euclidean"
            Distance; the warped ones are for profiles.
        n_init : int, default 10 (1 for warped metrics)
            Starts, of which the one with the least inertia is kept.
        max_iter : int, default 300 (50)
            Most iterations of one start.
        tol : float, default 1e-4 (1e-6)
            How little change ends a start (see `xcluster.algorithms.kmeans.KMeans` and
            `xcluster.algorithms.warping.WarpingKMeans`).
        init : "k-means++" or array of shape (k, n_features), default "k-means++"
            Where to start.
        window : int, optional
            Sakoe-Chiba radius, for "dtw".
        gamma : float, default 1.0
            Smoothing of "softdtw", in squared units of the features.
        max_iter_barycenter : int, default 10
            Most iterations of one barycentre, for warped metrics.
        **keywords
            Those of all clusterers (see `Samples`).

        Returns
        -------
        Clustering

        Raises
        ------
        ValueError
            If there are fewer distinct samples than ``k``.

        Warns
        -----
        UserWarning
            If no candidate is a knee; the best simplified silhouette is taken.

        References
        ----------
        Lloyd (1982), IEEE Trans. Inf. Theory 28, 129; Arthur and Vassilvitskii (2007), SODA, 1027.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=4).kmeans(3)
        >>> fit.labels.dims
        ('latitude', 'longitude')
        """
        return self._cluster(methods.kmeans(self.layout, metric), k, keywords)

    @spelled_out
    def gmm(
        self,
        k: K = None,
        *,
        covariance_type: Literal["full", "tied", "diag", "spherical"] = "full",
        **keywords: Unpack[GMMKeywords],
    ) -> Answer:
        """Cluster by a Gaussian mixture.

        Parameters
        ----------
        k : int, iterable of int or None, default None
            Number of components, or candidates (None: 2 to 20) of which the lowest BIC chooses.
        covariance_type : {"full", "tied", "diag", "spherical"}, default "full"
            A covariance matrix for each component; one for all; a diagonal for each; a variance
            for each.
        n_init : int, default 10
            Starts, of which the likeliest goes on over all samples.
        max_iter : int, default 100
            Most iterations of one start.
        tol : float, default 1e-3
            The fit is done when the mean log-likelihood changes by less.
        reg_covar : float, default 1e-6
            Added to every variance, in squared units of the features.
        init_params : {"kmeans", "random_from_data"}, default "kmeans"
            Where the components start.
        weights_init, means_init, precisions_init : array, optional
            Start from these instead (see `xcluster.algorithms.mixture.GaussianMixture`).
        **keywords
            Those of all clusterers (see `Samples`).

        Returns
        -------
        Clustering, with `memberships`.

        Raises
        ------
        ValueError
            If ``covariance_type`` is unknown, or there are fewer samples than ``k``.

        References
        ----------
        Dempster, Laird and Rubin (1977), J. R. Stat. Soc. B 39, 1.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().pca(3).gmm(4)
        >>> fit.memberships.dims
        ('label', 'latitude', 'longitude')
        """
        return self._cluster(methods.gmm(self.layout, covariance_type), k, keywords)

    @spelled_out
    def hac(
        self,
        k: K = None,
        *,
        linkage: Literal["ward", "average", "complete", "single"] = "ward",
        contiguous: bool | Literal[4, 8] = False,
        **keywords: Unpack[HACKeywords],
    ) -> Answer:
        """Cluster by merging the nearest groups, again and again.

        Parameters
        ----------
        k : int, iterable of int or None, default None
            Number of labels, or candidates (None: 2 to 20) of which the knee of the distortion
            chooses. All are cuts of one tree.
        linkage : {"ward", "average", "complete", "single"}, default "ward"
            Which groups are near. Only "ward" takes weights.
        contiguous : bool, 4 or 8, default False
            Merge only neighbours on the grid, so that every label is one region: 4 (True) or 8
            neighbours. Masked parts stay separate, and longitudes meet around the globe.
        metric : {"euclidean", "cityblock", "cosine"}, default "euclidean"
            Distance; "ward" has the Euclidean alone.
        max_exact : int, default 131,072 ("ward"), 65,536 ("single") or 20,000
            Most rows of a tree that is grown from single rows.
        **keywords
            Those of all clusterers (see `Samples`).

        Returns
        -------
        Clustering, with `tree` and `cut`.

        Raises
        ------
        ValueError
            If ``k`` is below the number of separate parts, or the samples have no neighbours.

        Notes
        -----
        Beyond ``max_exact`` rows Ward's tree is grown over micro-clusters, and the report says so.
        Other samples than the fitted ones take the label of the nearest fitted one.

        References
        ----------
        Ward (1963), J. Am. Stat. Assoc. 58, 236; Müllner (2013), J. Stat. Softw. 53(9).

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().hac(5)
        >>> fit.cut(3).k
        3
        """
        return self._cluster(methods.hac(self.layout, linkage, contiguous), k, keywords)

    @spelled_out
    def fuzzy(
        self,
        k: K = None,
        *,
        m: float = 2.0,
        kind: Literal["probabilistic", "possibilistic"] = "probabilistic",
        shape: Literal["spherical", "gustafson-kessel"] = "spherical",
        **keywords: Unpack[FuzzyKeywords],
    ) -> Answer:
        """Cluster by fuzzy c-means.

        Parameters
        ----------
        k : int, iterable of int or None, default None
            Number of labels, or candidates (None: 2 to 20) of which the knee of the distortion
            chooses.
        m : float, default 2
            Fuzzifier, above 1; near 1 memberships are nearly 0 or 1.
        kind : {"probabilistic", "possibilistic"}, default "probabilistic"
            Memberships that add up to 1, or that say how typical a sample is of each label.
        shape : {"spherical", "gustafson-kessel"}, default "spherical"
            One distance for all labels, or for each the norm of its own covariance.
        n_init : int, default 5
            Starts, each over at most 8,192 samples; the best goes on over all.
        max_iter : int, default 300
            Most passes over the data.
        tol : float, default 1e-5
            The fit is done when no membership changes by more.
        init : "k-means++" or array of shape (k, n_features), default "k-means++"
            Where to start.
        **keywords
            Those of all clusterers (see `Samples`).

        Returns
        -------
        Clustering, with `memberships`, `threshold` and `back_projection`.

        Raises
        ------
        ValueError
            If an option is unknown or out of range, or there are fewer samples than ``k``.

        References
        ----------
        Bezdek (1981), Pattern Recognition with Fuzzy Objective Function Algorithms, Plenum;
        Krishnapuram and Keller (1993), IEEE Trans. Fuzzy Syst. 1, 98; Gustafson and Kessel
        (1979), Proc. IEEE CDC, 761.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().fuzzy(3)
        >>> phases = fit.threshold(0.5)
        """
        return self._cluster(methods.fuzzy(self.layout, m, kind, shape), k, keywords)

    @spelled_out
    def som(
        self,
        grid: tuple[int, int] | None = None,
        *,
        training: Literal["batch", "online"] = "batch",
        **keywords: Unpack[SOMKeywords],
    ) -> Answer:
        """Cluster by a self-organising map: labels are the nodes of a grid.

        Parameters
        ----------
        grid : (int, int), optional
            Rows and columns of nodes; by default ceil(sqrt(sqrt(n))) each way.
        training : {"batch", "online"}, default "batch"
            All samples at once, deterministic; or one after the other, through MiniSom.
        sigma : float, optional
            First radius of the neighbourhood, in nodes; by default a quarter of the longer side.
        learning_rate : float, default 0.5
            First rate, for "online".
        n_iter : int, default 30 passes ("batch") or 50,000 samples ("online")
            Length of the training.
        **keywords
            Those of all clusterers (see `Samples`), but for ``order``.

        Returns
        -------
        Clustering, with the coordinates ``som_row`` and ``som_col``, `u_matrix` and
        `merge_nodes`. Labels are node numbers (row * columns + column); empty nodes are kept.

        Raises
        ------
        ValueError
            If ``grid`` is not two numbers of at least 1, or an option is out of range.

        References
        ----------
        Kohonen (2013), Neural Networks 37, 52.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=4).som((3, 3))
        >>> fit.merge_nodes(4).k
        4
        """
        return self._cluster(methods.som(self.layout, grid, training), None, keywords)

    @spelled_out
    def dbscan(
        self, eps: float = 0.5, *, min_samples: int = 5, **keywords: Unpack[DBSCANKeywords]
    ) -> Answer:
        """Cluster dense groups of any shape; -1 is noise.

        Parameters
        ----------
        eps : float, default 0.5
            Radius of a neighbourhood, in units of the scaled features.
        min_samples : int, default 5
            Samples in it that make a sample a core one.
        metric : str, default "euclidean"
            Any distance of `sklearn.neighbors.NearestNeighbors`.
        **keywords
            Those of all clusterers (see `Samples`).

        Returns
        -------
        Clustering. Other samples take the label of the nearest core sample within ``eps``.

        Raises
        ------
        ValueError
            If ``eps`` is not above 0, or ``min_samples`` below 1.

        References
        ----------
        Ester, Kriegel, Sander and Xu (1996), KDD, 226.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean()
        >>> fit = ds.cluster.pixels(["sst", "wind_speed"]).dbscan(0.2, min_samples=20)
        """
        built = methods.dbscan(self.layout, eps, min_samples)
        return self._cluster(built, None, keywords)

    @spelled_out
    def hdbscan(self, min_cluster_size: int = 5, **keywords: Unpack[HDBSCANKeywords]) -> Answer:
        """Cluster groups of differing density; -1 is noise.

        Parameters
        ----------
        min_cluster_size : int, default 5
            The fewest samples of a label.
        min_samples : int, default ``min_cluster_size``
            Samples that make a neighbourhood.
        cluster_selection_epsilon : float, default 0
            Groups nearer than this are not split.
        cluster_selection_method : {"eom", "leaf"}, default "eom"
            The most persistent groups of the tree, or its leaves.
        allow_single_cluster : bool, default False
            Whether all samples may be one group.
        metric : str, default "euclidean"
            Any distance of `sklearn.cluster.HDBSCAN`.
        **keywords
            Those of all clusterers (see `Samples`).

        Returns
        -------
        Clustering. Other samples take the label of the nearest fitted one.

        Raises
        ------
        ValueError
            If ``min_cluster_size`` is below 2.

        References
        ----------
        Campello, Moulavi and Sander (2013), PAKDD, 160.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean()
        >>> fit = ds.cluster.pixels(["sst", "wind_speed"]).hdbscan(100)
        """
        return self._cluster(methods.hdbscan(self.layout, min_cluster_size), None, keywords)

    @spelled_out
    def fit(self, clusterer: Any, **keywords: Unpack[OrderedKeywords]) -> Answer:
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

    @spelled_out
    def sweep(
        self,
        ks: Iterable[int] | None = None,
        method: MethodName = "kmeans",
        criteria: CriterionName | Sequence[CriterionName] | None = None,
        **keywords: Unpack[SweepKeywords],
    ) -> Swept:
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
        built, others = methods.by_name(method, self.layout, keywords)
        return self._swept(selection.sweep(self.ready, built, ks, criteria, others))

    def _cluster(self, method: Method, k: K, keywords: Mapping[str, Any]) -> Answer:
        return self._answer(selection.cluster(self.ready, method, k, keywords))

    @abstractmethod
    def _answer(self, fitted: Fitted) -> Answer:
        """Return what the user gets of a fit."""

    @abstractmethod
    def _swept(self, candidates: Candidates) -> Swept:
        """Return what the user gets of fits over a range of k."""
