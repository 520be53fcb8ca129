"""How long a map is trained and how far its nodes reach; online training through MiniSom."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from xcluster.algorithms.parts.som_grid import Grid

Array = NDArray[Any]

STEPS = {"batch": 30, "online": 50_000}
"""Passes over the data, or samples shown, that each kind of training takes by default."""
LAST_SIGMA = 0.3
"""Radius that ends the batch schedule: a neighbour's samples weigh 0.4 % of a node's own."""
SHRINKING_SHARE = 2 / 3
"""Share of the passes in which the radius shrinks; the others let the nodes settle."""


def first_sigma(grid: Grid) -> float:
    """Return the radius of the neighbourhood that training begins with by default."""
    return max(max(grid) / 4, 1.0)


def radius(sigma: float, n_done: int, n_steps: int) -> float:
    """Return the radius for the pass after ``n_done``, of training that began with ``sigma``."""
    shrinking = max(SHRINKING_SHARE * n_steps - 1, 1)
    return float(sigma * (min(LAST_SIGMA, sigma) / sigma) ** min(n_done / shrinking, 1.0))


def online_nodes(
    X: Array, grid: Grid, sigma: float, learning_rate: float, n_steps: int, random_state: Any
) -> Array:
    """Return the nodes, of shape (n_nodes, n_features), that MiniSom trains row by row."""
    from minisom import MiniSom

    n_features = X.shape[1]
    trained = MiniSom(
        *grid,
        n_features,
        sigma=sigma,
        learning_rate=learning_rate,
        random_seed=_as_seed(random_state),
    )
    trained.random_weights_init(X)
    trained.train(X, n_steps)
    return np.asarray(trained.get_weights().reshape(-1, n_features))


def _as_seed(random_state: Any) -> int:
    """Return an int seed as it is, or one drawn from another random state."""
    if isinstance(random_state, numbers.Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
