"""What fuzzy c-means accepts, and what it warns of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from xcluster.base.checks import check_choice, check_integer, check_number, warn
from xcluster.base.errors import BadValueError, complaint

if TYPE_CHECKING:
    from xcluster.algorithms.fuzzy import FuzzyCMeans


def check_parameters(fuzzy: FuzzyCMeans) -> None:
    """Refuse parameters that are out of range."""
    check_integer("n_clusters", fuzzy.n_clusters, minimum=1)
    check_integer("n_init", fuzzy.n_init, minimum=1)
    check_integer("max_iter", fuzzy.max_iter, minimum=1)
    check_number("m", fuzzy.m, above=1)
    check_number("tol", fuzzy.tol, minimum=0)
    check_choice("kind", fuzzy.kind, ("probabilistic", "possibilistic"))
    check_choice("shape", fuzzy.shape, ("spherical", "gustafson-kessel"))
    if isinstance(fuzzy.init, str):
        check_choice("init", fuzzy.init, ("k-means++",))


def check_size(fuzzy: FuzzyCMeans, n_samples: int) -> None:
    """Refuse fewer samples than clusters."""
    if n_samples < fuzzy.n_clusters:
        rule = f"there are fewer samples, n_samples={n_samples}"
        raise BadValueError("n_clusters", fuzzy.n_clusters, rule, "ask for fewer")


def warn_of_outcome(fuzzy: FuzzyCMeans, settled: bool) -> None:
    """Warn of clusters that still move or coincide, and of singular covariances."""
    if not settled:
        message = complaint("max_iter", fuzzy.max_iter, "the clusters still move", "raise it")
        warn(message, ConvergenceWarning)
    if len(fuzzy.coincident_):
        pairs = ", ".join(f"{a} and {b}" for a, b in fuzzy.coincident_)
        rule = f"the centres of {pairs} coincide"
        message = complaint("n_clusters", fuzzy.n_clusters, rule, "ask for fewer clusters")
        warn(message)
    if fuzzy.covariances_ is not None and fuzzy.regularized_.any():
        found = ", ".join(map(str, np.flatnonzero(fuzzy.regularized_)))
        rule = f"the covariances of {found} are singular and were regularised"
        message = complaint("shape", fuzzy.shape, rule, "use pca first or fewer clusters")
        warn(message)
