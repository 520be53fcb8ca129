"""The keywords of each method of `Samples`: their names, types and defaults.

Editors and type checkers read them from ``**keywords: Unpack[KMeansKeywords]``. The decorator
`spelled_out` writes them into the signature that ``help()`` shows. A default stands beside its
type: ``n_init: Annotated[int, 10]``. The docstrings of the methods describe the keywords; the
code that fits checks their values.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol, TypedDict

import xarray as xr

from xcluster.base.arrays import Array

Numbers = Array | Sequence[float]
Rows = Array | Sequence[Sequence[float]]
Order = Hashable | Callable[[xr.Dataset], Any] | None


class Sparse(Protocol):
    """A sparse matrix of scipy."""

    def tocoo(self) -> Any:
        """Return it by coordinates."""


Contiguous = (
    bool
    | Literal[4, 8, "mesh", "healpix"]
    | tuple[Literal["nearest"], int]
    | Array
    | Sequence[Sequence[int]]
    | Sparse
)

MedoidMetric = (
    Literal[
        "euclidean",
        "sqeuclidean",
        "cityblock",
        "chebyshev",
        "canberra",
        "braycurtis",
        "hamming",
        "haversine",
        "cosine",
        "correlation",
        "dtw",
        "sbd",
    ]
    | Callable[[Array, Array], float]
)
MethodName = Literal["kmeans", "kmedoids", "gmm", "mixture", "hac", "fuzzy"]
CriterionName = Literal[
    "inertia",
    "distortion",
    "silhouette",
    "simplified_silhouette",
    "calinski_harabasz",
    "davies_bouldin",
    "entropy",
    "gap",
    "gap_error",
    "bic",
    "aic",
    "icl",
    "partition_coefficient",
    "xie_beni",
    "deviance",
    "medoid_silhouette",
    "medoid_distance",
    "stability",
]


class FitKeywords(TypedDict, total=False):
    """Keywords of all clusterers."""

    fit_on: Annotated[int | Literal["auto", "all"], "auto"]
    attrs: Annotated[Mapping[str, Any] | None, None]
    progress: Annotated[bool, True]
    smooth: Annotated[bool, False]
    interp_method: Annotated[Literal["interp1d", "polynomial"], "interp1d"]
    random_state: Annotated[int | None, None]
    retries: Annotated[int, 0]


class OrderedKeywords(FitKeywords, total=False):
    """Keywords of all clusterers whose labels can be numbered in an order of the user's choice."""

    order: Annotated[Order, None]


class KMeansKeywords(OrderedKeywords, total=False):
    """Keywords of `kmeans`; ``window`` and those after it are for "dtw" and "softdtw"."""

    n_init: Annotated[int, 10]
    max_iter: Annotated[int, 300]
    tol: Annotated[float, 1e-4]
    init: Annotated[Rows | Literal["k-means++", "random"], "k-means++"]
    window: Annotated[int | None, None]
    gamma: Annotated[float, 1.0]
    max_iter_barycenter: Annotated[int, 10]


class KMedoidsKeywords(OrderedKeywords, total=False):
    """Keywords of `kmedoids`; ``window`` is for "dtw"."""

    n_init: Annotated[int, 8]
    max_iter: Annotated[int, 100]
    max_exact: Annotated[int | None, None]
    window: Annotated[int | None, None]


class GMMKeywords(OrderedKeywords, total=False):
    """Keywords of `gmm`."""

    n_init: Annotated[int, 10]
    max_iter: Annotated[int, 100]
    tol: Annotated[float, 1e-3]
    reg_covar: Annotated[float | None, None]
    init_params: Annotated[Literal["kmeans", "random_from_data"], "kmeans"]
    weights_init: Annotated[Numbers | None, None]
    means_init: Annotated[Rows | None, None]
    precisions_init: Annotated[Numbers | Rows | None, None]


class MixtureKeywords(OrderedKeywords, total=False):
    """Keywords of `mixture`."""

    n_init: Annotated[int, 10]
    max_iter: Annotated[int, 100]
    tol: Annotated[float, 1e-3]


class HACKeywords(OrderedKeywords, total=False):
    """Keywords of `hac`."""

    metric: Annotated[Literal["euclidean", "cityblock", "cosine", "correlation"], "euclidean"]
    max_exact: Annotated[int | None, None]


class FuzzyKeywords(OrderedKeywords, total=False):
    """Keywords of `fuzzy`."""

    n_init: Annotated[int, 5]
    max_iter: Annotated[int, 300]
    tol: Annotated[float, 1e-5]
    init: Annotated[Rows | Literal["k-means++"], "k-means++"]
    delta: Annotated[float | None, None]


class SOMKeywords(FitKeywords, total=False):
    """Keywords of `som`; its labels are node numbers and keep their order."""

    sigma: Annotated[float | None, None]
    learning_rate: Annotated[float | None, None]
    n_iter: Annotated[int | None, None]


class DBSCANKeywords(OrderedKeywords, total=False):
    """Keywords of `dbscan`."""

    metric: Annotated[str, "euclidean"]


class HDBSCANKeywords(OrderedKeywords, total=False):
    """Keywords of `hdbscan`."""

    min_samples: Annotated[int | None, None]
    cluster_selection_epsilon: Annotated[float, 0.0]
    cluster_selection_method: Annotated[Literal["eom", "leaf"], "eom"]
    allow_single_cluster: Annotated[bool, False]
    metric: Annotated[str, "euclidean"]


class SweepKeywords(KMeansKeywords, total=False):
    """Keywords of the methods that `sweep` knows; defaults are those of `kmeans` if it has one."""

    metric: Annotated[
        Literal["euclidean", "cosine", "correlation", "dtw", "softdtw", "sbd", "cityblock"]
        | MedoidMetric,
        "euclidean",
    ]
    trim: Annotated[float, 0.0]
    outliers: Annotated[bool, False]
    covariance_type: Annotated[Literal["full", "tied", "diag", "spherical"], "full"]
    reg_covar: Annotated[float | None, None]
    init_params: Annotated[Literal["kmeans", "random_from_data"], "kmeans"]
    weights_init: Annotated[Numbers | None, None]
    means_init: Annotated[Rows | None, None]
    precisions_init: Annotated[Numbers | Rows | None, None]
    family: Annotated[Literal["poisson"], "poisson"]
    linkage: Annotated[Literal["ward", "average", "complete", "single"], "ward"]
    contiguous: Annotated[Contiguous, False]
    max_exact: Annotated[int | None, None]
    m: Annotated[float, 2.0]
    kind: Annotated[Literal["probabilistic", "possibilistic", "noise"], "probabilistic"]
    delta: Annotated[float | None, None]
    shape: Annotated[Literal["spherical", "gustafson-kessel"], "spherical"]


class VAEKeywords(TypedDict, total=False):
    """Keywords of `vae`; its ``random_state`` is that of the samples, which is 0 by default."""

    hidden: Annotated[int, 38]
    alpha: Annotated[float, 1e-4]
    epochs: Annotated[int, 200]
    batch_size: Annotated[int, 128]
    learning_rate: Annotated[float, 3e-3]
    patience: Annotated[int, 40]
    random_state: Annotated[int, 0]
    device: Annotated[str, "auto"]
