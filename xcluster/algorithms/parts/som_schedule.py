"""How long a map is trained and how far its nodes reach; online training through MiniSom."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

if TYPE_CHECKING:
    from xcluster.algorithms.som import SOM

Array = NDArray[Any]

BATCH_PASSES = 30
ONLINE_STEPS = 50_000
LAST_SIGMA = 0.3
"""Radius that ends the batch schedule: a neighbour's samples weigh 0.4 % of a node's own."""
SHRINKING_SHARE = 2 / 3
"""Share of the passes in which the radius shrinks; the others let the nodes settle."""


def n_steps(som: SOM) -> int:
    """Return how many passes, or samples shown, the training takes."""
    if som.n_iter is not None:
        return som.n_iter
    return ONLINE_STEPS if som.training == "online" else BATCH_PASSES


def first_sigma(som: SOM) -> float:
    """Return the radius of the neighbourhood that training begins with."""
    return max(max(som.grid_) / 4, 1.0) if som.sigma is None else som.sigma


def radius(som: SOM) -> float:
    """Return the radius of the neighbourhood for the pass under way."""
    start = first_sigma(som)
    shrinking = max(SHRINKING_SHARE * n_steps(som) - 1, 1)
    done = min(som.n_iter_ / shrinking, 1.0) if som.training == "batch" else 1.0
    return float(start * (min(LAST_SIGMA, start) / start) ** done)


def online_nodes(som: SOM, X: Array) -> Array:
    """Return the nodes, of shape (n_nodes, n_features), that MiniSom trains row by row."""
    from minisom import MiniSom

    trained = MiniSom(
        *som.grid_,
        X.shape[1],
        sigma=first_sigma(som),
        learning_rate=0.5 if som.learning_rate is None else som.learning_rate,
        random_seed=_as_seed(som.random_state),
    )
    trained.random_weights_init(X)
    trained.train(X, n_steps(som))
    return np.asarray(trained.get_weights().reshape(-1, X.shape[1]))


def _as_seed(random_state: Any) -> int:
    """Return an int seed as it is, or one drawn from another random state."""
    if isinstance(random_state, numbers.Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
