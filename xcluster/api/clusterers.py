"""The methods that end a chain, one per clusterer: `kmeans`, `gmm`, `hac`, ..."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar, Unpack

from xcluster.api.keywords import (
    Contiguous,
    CriterionName,
    DBSCANKeywords,
    FuzzyKeywords,
    GMMKeywords,
    HACKeywords,
    HDBSCANKeywords,
    KMeansKeywords,
    KMedoidsKeywords,
    MedoidMetric,
    MethodName,
    MixtureKeywords,
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
    """Each method fits a clusterer to the samples and returns the result."""

    @spelled_out
    def kmeans(
        self,
        k: K = None,
        *,
        metric: Literal[
            "euclidean", "cosine", "correlation", "dtw", "softdtw", "sbd"
        ] = "euclidean",
        trim: float = 0.0,
        **keywords: Unpack[KMeansKeywords],
    ) -> Answer:
        """Cluster by k-means.

        Parameters
        ----------
        k : int, iterable of int or None, default None
            Number of labels, or several candidates (None: 2 to 20). The knee of the distortion
            chooses among candidates.
        metric : str, default "euclidean"
            One of "euclidean", "cosine", "correlation", "dtw", "softdtw" and "sbd". "cosine"
            compares directions: samples that differ by a factor are equal. So does "correlation",
            which first subtracts from each sample the mean of its features. "dtw" and "softdtw"
            compare profiles after time warping, "sbd" (k-Shape) by their largest correlation at
            any shift.
        trim : float, default 0
            Share of the fitted samples (by weight), below 0.5, that lies farthest from its centre:
            it moves no centre, and has the label -1. So have samples that were not fitted, beyond
            the same distance. Not for "dtw", "softdtw" and "sbd".
        n_init : int, default 10 (1 for "dtw" and "softdtw", 3 for "sbd")
            Number of starts; the one with the lowest inertia is kept. Starts that are not given are
            improved by a local search, which moves centres to where they are missing.
        max_iter : int, default 300 (50 for "dtw" and "softdtw", 100 for "sbd")
            Maximum number of iterations of one start.
        tol : float, default 1e-4 (1e-6 for "dtw", "softdtw" and "sbd")
            A start ends when it changes by less than this (see
            `xcluster.algorithms.kmeans.KMeans`, `xcluster.algorithms.warping.WarpingKMeans` and
            `xcluster.algorithms.shapes.ShapeKMeans`).
        init : {"k-means++", "random"} or array of shape (k, n_features), default "k-means++"
            Where to start: samples far apart, any samples (not for "dtw", "softdtw" and "sbd"), or
            these centres, with features in the order of the data. Given centres are iterated and
            not searched.
        window : int, optional
            Sakoe-Chiba radius, for "dtw".
        gamma : float, default 1.0
            Smoothing of "softdtw", in squared units of the features.
        max_iter_barycenter : int, default 10
            Maximum number of iterations of one barycentre, for "dtw" and "softdtw".
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
            If the curve has no knee. Then the candidate with the best simplified silhouette is
            taken.

        Notes
        -----
        With ``trim`` (trimmed k-means) the distortion is that of the samples within the cut-off
        distance, divided by the number of all. A streamed fit trims each pass by the cut-off of the
        pass before it, which is at most 0.2 % too far (see
        `xcluster.algorithms.trimmed.TrimmedKMeans`).

        Under "cosine" and "correlation" (spherical k-means) `Clustering.distances` are angles in
        radians (the spectral angle) or 1 - r, and silhouettes compare 1 - cosine or 1 - r. Centres
        are the means of the samples of a label; ``order`` can only be "size". Samples of zeros
        (under "correlation": those with the same value in all features) are no data, and `report`
        counts them. Several variables are divided by their maxima before "cosine", which keeps
        zero where it is.

        Under "sbd" a centre is the shape that the samples of a label share, with their mean level
        and mean standard deviation. `Clustering.shifts` says how far each sample lies behind it.
        Samples all of whose variables are constant are no data. Scores and silhouettes are
        Euclidean, as those under "dtw" are.

        References
        ----------
        Lloyd (1982), IEEE Trans. Inf. Theory 28, 129; Arthur and Vassilvitskii (2007), SODA, 1027;
        Dhillon and Modha (2001), Mach. Learn. 42, 143; Cuesta-Albertos, Gordaliza and Matran
        (1997), Ann. Statist. 25, 553; Paparrizos and Gravano (2015), SIGMOD, 1855.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=4).kmeans(3)
        >>> fit.labels.dims
        ('latitude', 'longitude')
        """
        return self._cluster(methods.kmeans(self.layout, metric, trim), k, keywords)

    @spelled_out
    def kmedoids(
        self,
        k: K = None,
        *,
        metric: MedoidMetric = "euclidean",
        **keywords: Unpack[KMedoidsKeywords],
    ) -> Answer:
        """Cluster by k-medoids: the centre of each label is one of the samples.

        Medoids are the samples for which the weighted sum of the distances from all samples to the
        nearest of them is small.

        Parameters
        ----------
        k : int, iterable of int or None, default None
            Number of labels, or several candidates (None: 2 to 20). The highest medoid silhouette
            chooses among candidates.
        metric : str or callable, default "euclidean"
            Distance: "euclidean", "sqeuclidean", "cityblock", "chebyshev", "canberra",
            "braycurtis", "hamming", "haversine", "cosine" or "correlation" (as in scikit-learn);
            "dtw", which compares profiles after time warping; "sbd", which compares their shape at
            any shift. Or a function of two samples (arrays of shape (n_features,), features in the
            order of the data, after all steps) that returns their distance: symmetric, 0 or more,
            and 0 for equal samples.
        n_init : int, default 8
            Number of starts, each among at most 4,096 samples; the best three are continued among
            all.
        max_iter : int, default 100
            Maximum number of passes of one start over all samples that could be medoids.
        max_exact : int, default 20,000, or 2,000 for a function
            Maximum number of different samples for which all distances are computed. Of more, five
            samples of 8,192 (512 for a function) are searched, and the medoids that suit all
            samples best are kept (CLARA).
        window : int, optional
            Sakoe-Chiba radius, for "dtw".
        **keywords
            Those of all clusterers (see `Samples`).

        Returns
        -------
        Clustering, with `medoids`; they are also its `centers`.

        Raises
        ------
        ValueError
            If the metric tells fewer than ``k`` samples apart, if a function is no metric (some
            pairs are tried), or if distances do not fit in memory.

        Notes
        -----
        `Clustering.distances` are in the metric, under "cosine" angles in radians. Samples for
        which "cosine" or "correlation" is not defined (zeros, constants) are no data. Several
        variables are scaled as for `kmeans`; "haversine" needs ``scale(None)``, latitude before
        longitude, in radians. A result with a function of your own as metric cannot be saved
        unless that function can be imported.

        References
        ----------
        Kaufman and Rousseeuw (1990), Finding Groups in Data, Wiley; Schubert and Rousseeuw (2021),
        Inf. Syst. 101, 101804 (FasterPAM and FasterCLARA); Lenssen and Schubert (2024), Inf. Syst.
        120, 102290 (medoid silhouette).

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> fit = model.cluster.profiles("depth", every=6).kmedoids(3, metric="cityblock")
        >>> fit.medoids.vs.dims
        ('label', 'depth')
        """
        return self._cluster(methods.kmedoids(self.layout, metric), k, keywords)

    @spelled_out
    def gmm(
        self,
        k: K = None,
        *,
        covariance_type: Literal["full", "tied", "diag", "spherical"] = "full",
        outliers: bool = False,
        **keywords: Unpack[GMMKeywords],
    ) -> Answer:
        """Cluster by a Gaussian mixture.

        Parameters
        ----------
        k : int, iterable of int or None, default None
            Number of components, or several candidates (None: 2 to 20). The lowest BIC chooses
            among candidates.
        covariance_type : {"full", "tied", "diag", "spherical"}, default "full"
            Per component a covariance matrix ("full"), a diagonal one ("diag") or one variance
            ("spherical"); or one matrix for all components ("tied").
        outliers : bool, default False
            Add a component of uniform density, 1 / volume of a robust bounding box of the fitted
            samples (see `xcluster.algorithms.mixture.GaussianMixture`). Samples to which it is the
            most probable have the label -1, and memberships add up to 1 less that in it.
        n_init : int, default 10
            Number of starts. A local search improves the likeliest three, and the best one is
            continued on all samples. With 1 there is no search.
        max_iter : int, default 100
            Maximum number of iterations of one start.
        tol : float, default 1e-3
            The fit ends when the mean log-likelihood changes by less than this.
        reg_covar : float, optional
            Added to every variance, in squared units of the features. By default 1e-6 times the
            variance of each feature, of which values far out are no part.
        init_params : {"kmeans", "random_from_data"}, default "kmeans"
            How the first components are found.
        weights_init, means_init, precisions_init : array, optional
            Start from these instead (see `xcluster.algorithms.mixture.GaussianMixture`), with
            features in the order of the data.
        **keywords
            Those of all clusterers (see `Samples`).

        Returns
        -------
        Clustering, with `memberships`.

        Raises
        ------
        ValueError
            If ``covariance_type`` is unknown, or there are fewer distinct samples than ``k``.

        References
        ----------
        Dempster, Laird and Rubin (1977), J. R. Stat. Soc. B 39, 1; Banfield and Raftery (1993),
        Biometrics 49, 803.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().pca(3).gmm(4)
        >>> fit.memberships.dims
        ('label', 'latitude', 'longitude')
        """
        return self._cluster(methods.gmm(self.layout, covariance_type, outliers), k, keywords)

    @spelled_out
    def mixture(
        self,
        k: K = None,
        *,
        family: Literal["poisson"] = "poisson",
        **keywords: Unpack[MixtureKeywords],
    ) -> Answer:
        """Cluster counts by a mixture of Poisson distributions.

        No scaling is added before it. Samples without counts are no data.

        Parameters
        ----------
        k : int, iterable of int or None, default None
            Number of components, or several candidates (None: 2 to 20). The lowest BIC chooses
            among candidates.
        family : {"poisson"}, default "poisson"
            The distribution of each feature within a component.
        n_init : int, default 10
            Number of starts; the likeliest is kept.
        max_iter : int, default 100
            Maximum number of iterations of one start.
        tol : float, default 1e-3
            The fit ends when the mean log-likelihood changes by less than this.
        **keywords
            Those of all clusterers (see `Samples`).

        Returns
        -------
        Clustering, with `memberships`.

        Raises
        ------
        ValueError
            If ``family`` is unknown, a value is negative or no whole number, or there are fewer
            distinct samples than ``k``.

        References
        ----------
        Dempster, Laird and Rubin (1977), J. R. Stat. Soc. B 39, 1.

        Examples
        --------
        >>> import xcluster
        >>> eds = xcluster.datasets.eds(size=32)
        >>> fit = eds.cluster.pixels("counts", dim="channel").mixture(3)
        >>> fit.memberships.dims
        ('label', 'y', 'x')
        """
        return self._cluster(methods.mixture(self.layout, family), k, keywords)

    @spelled_out
    def hac(
        self,
        k: K = None,
        *,
        linkage: Literal["ward", "average", "complete", "single"] = "ward",
        contiguous: Contiguous = False,
        **keywords: Unpack[HACKeywords],
    ) -> Answer:
        """Cluster hierarchically: merge the two nearest groups again and again.

        Parameters
        ----------
        k : int, iterable of int or None, default None
            Number of labels, or several candidates (None: 2 to 20). The knee of the distortion
            chooses among candidates. All of them are cuts of the same tree.
        linkage : {"ward", "average", "complete", "single"}, default "ward"
            How the distance between two groups is measured. Only "ward" takes weights.
        contiguous : bool, 4, 8, "mesh", "healpix", ("nearest", n) or graph, default False
            Merge only neighbours, so that every label is one region. On a grid True and 4 count
            4 neighbours per point, 8 counts diagonal ones too. Masked points separate regions;
            the first and the last longitude of a global grid are neighbours. "mesh": cells of a
            UGRID mesh with a common edge, or nodes along an edge. "healpix": HEALPix cells with a
            common side (8: or corner). Further dims, such as time, are axes, on a grid and beside
            cells: each step has those before and behind it. ("nearest", 6): each sample and its 6
            nearest, on the sphere if there are longitudes and latitudes. A graph is a sparse
            matrix over all grid points in the order of the grid (also those without data), or an
            array (n, 2) of numbers of neighbours.
        metric : {"euclidean", "cityblock", "cosine", "correlation"}, default "euclidean"
            Distance. "ward" allows only "euclidean". Samples for which "cosine" or "correlation" is
            not defined (zeros, constants) are no data.
        max_exact : int, default 131,072 ("ward"), 65,536 ("single") or 20,000
            Maximum number of rows for which the tree starts from single rows.
        **keywords
            Those of all clusterers (see `Samples`).

        Returns
        -------
        Clustering, with `tree` and `cut`.

        Raises
        ------
        ValueError
            If there are fewer distinct samples than ``k``. If ``contiguous`` is set and the
            samples have no neighbours, ``fit_on`` is a number, or ``k`` is below the number of
            separate regions of a grid.

        Warns
        -----
        UserWarning
            If ``contiguous`` is set and there are more samples than ``fit_on="auto"`` would fit:
            how much memory all of them need. If a mesh or graph has more separate parts than
            ``k``: each is joined to the most similar sample of the largest part.

        Notes
        -----
        If there are more than ``max_exact`` rows, Ward's tree starts from micro-clusters instead
        of single rows, and the report says so. A sample that was not fitted takes the label of
        the nearest fitted sample. With ``contiguous`` all samples are fitted, whatever ``fit_on``
        says, and labels follow from their places: equal samples may have different ones. So
        `Clustering.predict` is refused; the labels are in ``fit.labels``.

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
        kind: Literal["probabilistic", "possibilistic", "noise"] = "probabilistic",
        shape: Literal["spherical", "gustafson-kessel"] = "spherical",
        **keywords: Unpack[FuzzyKeywords],
    ) -> Answer:
        """Cluster by fuzzy c-means.

        Parameters
        ----------
        k : int, iterable of int or None, default None
            Number of labels, or several candidates (None: 2 to 20). The knee of the distortion
            chooses among candidates.
        m : float, default 2
            Fuzzifier, above 1. Near 1, memberships are nearly 0 or 1.
        kind : {"probabilistic", "possibilistic", "noise"}, default "probabilistic"
            "probabilistic": memberships of a sample add up to 1. "possibilistic": a membership
            says how typical the sample is of that label. "noise": they add up to 1 less that in a
            further cluster, noise, which is equally far from all samples. Samples of which this is
            the largest have the label -1. Do not use "possibilistic" where groups overlap: centres
            then coincide, and a warning says so (`coincident centres` in the report).
        shape : {"spherical", "gustafson-kessel"}, default "spherical"
            "spherical": one distance for all labels. "gustafson-kessel": each label has its own
            distance, from its own covariance.
        n_init : int, default 5
            Number of starts, each on at most 8,192 samples. The best one is continued on all.
        max_iter : int, default 300
            Maximum number of passes over the data.
        tol : float, default 1e-5
            The fit ends when no centre moves by more than this share of the typical distance and
            the objective falls by no larger share. A streamed fit ends by the objective alone.
        init : "k-means++" or array of shape (k, n_features), default "k-means++"
            Where to start, with features in the order of the data.
        delta : float, optional
            Distance of noise from every sample, in units of the features after all steps; only for
            ``kind="noise"``. By default its square is the mean squared distance between
            samples and the centres of the start, without the 5 % of the samples that lie farthest
            from these. It does not change during the fit.
        **keywords
            Those of all clusterers (see `Samples`).

        Returns
        -------
        Clustering, with `memberships`, `threshold` and `back_projection`.

        Raises
        ------
        ValueError
            If an option is unknown or out of range, or there are fewer distinct samples than ``k``.

        Warns
        -----
        UserWarning
            If all memberships are 1/k, as for many features and a large ``m``.

        References
        ----------
        Bezdek (1981), Pattern Recognition with Fuzzy Objective Function Algorithms, Plenum;
        Krishnapuram and Keller (1993), IEEE Trans. Fuzzy Syst. 1, 98; Gustafson and Kessel
        (1979), Proc. IEEE CDC, 761; Dave (1991), Pattern Recognit. Lett. 12, 657.

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
            Number of rows and columns of nodes. By default both are ceil(sqrt(sqrt(n))) for n
            samples.
        training : {"batch", "online"}, default "batch"
            "batch": all samples at once; nothing is random. "online": one sample after another,
            by MiniSom.
        sigma : float, optional
            Radius of the neighbourhood at the start, in nodes. By default a quarter of the longer
            side.
        learning_rate : float, default 0.5
            Learning rate at the start, for "online".
        n_iter : int, default 30 passes ("batch") or 50,000 samples ("online")
            Length of the training.
        **keywords
            Those of all clusterers (see `Samples`), except ``order``.

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
        """Cluster by DBSCAN: dense groups of any shape. The label -1 is noise.

        Parameters
        ----------
        eps : float, default 0.5
            Radius of a neighbourhood, in units of the features after all steps.
        min_samples : int, default 5
            A sample with so many samples in its neighbourhood is a core sample.
        metric : str, default "euclidean"
            Any distance of `sklearn.neighbors.NearestNeighbors`. Samples for which "cosine" or
            "correlation" is not defined (zeros, constants) are no data.
        **keywords
            Those of all clusterers (see `Samples`).

        Returns
        -------
        Clustering. A sample that was not fitted takes the label of the nearest core sample
        within ``eps``.

        Raises
        ------
        ValueError
            If ``eps`` is not above 0, or ``min_samples`` is below 1.

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
        """Cluster by HDBSCAN: groups of different density. The label -1 is noise.

        Parameters
        ----------
        min_cluster_size : int, default 5
            Minimum number of samples of a label.
        min_samples : int, default ``min_cluster_size``
            Number of samples that make a neighbourhood.
        cluster_selection_epsilon : float, default 0
            Groups that are nearer to each other than this are not split.
        cluster_selection_method : {"eom", "leaf"}, default "eom"
            Take the most persistent groups of the tree ("eom"), or its leaves ("leaf").
        allow_single_cluster : bool, default False
            Whether all samples may be one group.
        metric : str, default "euclidean"
            Any distance of `sklearn.cluster.HDBSCAN`. Samples for which "cosine" or "correlation"
            is not defined (zeros, constants) are no data.
        **keywords
            Those of all clusterers (see `Samples`).

        Returns
        -------
        Clustering, with `strength`. A sample that was not fitted joins the tree of the fit at the
        least mutual reachability to one of the nearest fitted samples. It takes the label of that
        one, or -1 if this is at least the distance at which its group was born.

        Raises
        ------
        ValueError
            If ``min_cluster_size`` is below 2.

        References
        ----------
        Campello, Moulavi and Sander (2013), PAKDD, 160; McInnes, Healy and Astels (2017), J. Open
        Source Softw. 2, 205.

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
            An object with ``fit``, and with ``predict`` or ``fit_predict``. If ``predict`` is
            missing, a sample that was not fitted takes the label of the nearest fitted sample.
            The object is cloned and never changed. It gets variables and features in the order
            of the data (falling coordinates are reversed), also after steps of this package.
        **keywords
            Those of all clusterers (see `Samples`).

        Returns
        -------
        Clustering

        Raises
        ------
        TypeError
            If it is not a clusterer.
        ValueError
            If a graph or distances do not belong to the samples, or ``fit_on`` is a number although
            a parameter belongs to all samples.

        Notes
        -----
        Some parameters belong to samples: the graph ``connectivity``, distances
        (``metric="precomputed"``, with one variable over the samples and a second dim that has as
        many entries), row numbers in ``init``, arrays with an entry per sample, and functions that
        keep such arrays. Then all samples are fitted, in the order of
        ``fit.labels.values.ravel()`` with incomplete ones left out. A graph may also connect all
        grid points. Labels of a graph or of distances belong to the places of the samples, so
        `Clustering.predict` is refused. Other functions get rows in the same order if all are
        fitted; a function that keeps rows in another way cannot be told from others.

        Examples
        --------
        >>> import xcluster
        >>> from sklearn.cluster import BisectingKMeans
        >>> ds = xcluster.datasets.ocean()
        >>> fit = ds.cluster.pixels().fit(BisectingKMeans(4, random_state=0))
        """
        return self._cluster(methods.wrapped(self.layout, clusterer), None, keywords)

    @spelled_out
    def sweep(
        self,
        ks: Iterable[int] | None = None,
        method: MethodName = "kmeans",
        criteria: CriterionName | Sequence[CriterionName] | None = None,
        **keywords: Unpack[SweepKeywords],
    ) -> Swept:
        """Fit several k and compare them by criteria.

        Parameters
        ----------
        ks : iterable of int, default 2 to 20
            The candidates.
        method : {"kmeans", "kmedoids", "gmm", "mixture", "hac", "fuzzy"}, default "kmeans"
            The clusterer.
        criteria : str or list of str, optional
            What to measure for each k. By default the method's own criterion and the simplified
            silhouette.
        **keywords
            Those of the method, and those of all clusterers (see `Samples`).

        Returns
        -------
        Sweep

        Raises
        ------
        ValueError
            If the method or a criterion is unknown, or a k is out of range.

        Warns
        -----
        UserWarning
            If there are fewer distinct samples than some k, which are left out.

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
        """Return what the user gets from a fit."""

    @abstractmethod
    def _swept(self, candidates: Candidates) -> Swept:
        """Return what the user gets from fits of several k."""
