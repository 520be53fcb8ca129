"""What a Gaussian mixture accepts, and what it warns of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from xcluster.algorithms.parts.covariances import COVARIANCE_TYPES, from_precisions, shape
from xcluster.base.checks import (
    check_choice,
    check_integer,
    check_number,
    check_numbers,
    warn,
)
from xcluster.base.errors import BadValueError

if TYPE_CHECKING:
    from xcluster.algorithms.mixture import GaussianMixture

Array = NDArray[Any]

INIT_PARAMS = ("kmeans", "random_from_data")
SIMPLER = (
    'fewer components, pca first, covariance_type="diag", or a larger reg_covar (it is in '
    "squared units of the data)"
)


def check_parameters(mixture: GaussianMixture) -> None:
    """Refuse parameters that are out of range."""
    check_integer("n_components", mixture.n_components, minimum=1)
    check_choice("covariance_type", mixture.covariance_type, COVARIANCE_TYPES)
    check_number("tol", mixture.tol, minimum=0)
    check_number("reg_covar", mixture.reg_covar, minimum=0)
    check_integer("max_iter", mixture.max_iter, minimum=1)
    check_integer("n_init", mixture.n_init, minimum=1)
    check_choice("init_params", mixture.init_params, INIT_PARAMS)


def check_size(mixture: GaussianMixture, n_samples: int) -> None:
    """Refuse fewer samples than components; warn of fewer samples than parameters."""
    k, n_free_numbers = mixture.n_components, mixture._n_parameters()
    if n_samples < k:
        rule = f"must be at most the number of samples, n_samples = {n_samples}"
        remedy = f"pass n_components={n_samples} or fewer"
        raise BadValueError("n_components", k, rule, remedy)
    if n_free_numbers > n_samples:
        _warn(
            f"The mixture has {n_free_numbers} parameters but only {n_samples} samples, so it "
            f"may fit noise. Use {SIMPLER}.",
            UserWarning,
        )


def warn_of_outcome(mixture: GaussianMixture, least_share: float) -> None:
    """Warn of components without samples, and of a fit that still changed."""
    n_empty = int((mixture.weights_ < 2 * least_share).sum())
    if n_empty:
        _warn(
            f"{n_empty} of {mixture.n_components} components have no samples. Use fewer.",
            UserWarning,
        )
    if not mixture.converged_:
        _warn(
            f"The mixture still changed after max_iter={mixture.max_iter} iterations. Use a "
            "larger max_iter or tol, or fewer components.",
            ConvergenceWarning,
        )


def _warn(message: str, category: type[Warning]) -> None:
    warn(message, category)  # the caller of fit


def given_start(mixture: GaussianMixture, p: int) -> dict[str, Array]:
    """Return those of weights, means and precisions that the user gave.

    Raises
    ------
    ValueError
        For a wrong shape, infinite numbers, weights that are not positive or do not sum to 1,
        and precisions that are not symmetric and positive definite.
    """
    k = mixture.n_components
    checked = {
        "weights": (_check_shares, (k,)),
        "means": (_check_finite, (k, p)),
        "precisions": (_check_finite, shape(mixture.covariance_type, k, p)),
    }
    given = {name: getattr(mixture, f"{name}_init") for name in checked}
    return {
        name: check(f"{name}_init", given[name], expected)
        for name, (check, expected) in checked.items()
        if given[name] is not None
    }


def _check_finite(parameter: str, value: Any, expected: tuple[int, ...]) -> Array:
    array = check_numbers(parameter, value, f"pass an array of shape {expected}")
    if array.shape != expected:
        rule = f"must be finite numbers of shape {expected}"
        raise BadValueError(parameter, value, rule, f"pass an array of shape {expected}")
    return array


def _check_shares(parameter: str, value: Any, expected: tuple[int, ...]) -> Array:
    shares = _check_finite(parameter, value, expected)
    if not (shares > 0).all() or not np.isclose(shares.sum(), 1):
        rule = "must be positive and sum to 1"
        raise BadValueError(parameter, value, rule, "divide them by their sum")
    return shares


def covariances_from(precisions: Array, covariance_type: str) -> Array:
    """Return the covariances that belong to `precisions_init`."""
    try:
        return from_precisions(covariance_type, precisions)
    except np.linalg.LinAlgError:
        rule = "must be symmetric and positive definite"
        remedy = "pass the inverses of covariance matrices"
        raise BadValueError("precisions_init", precisions, rule, remedy) from None
