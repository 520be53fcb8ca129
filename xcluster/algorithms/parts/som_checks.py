"""What a self-organising map accepts, and what it warns of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from xcluster.algorithms.parts.weights import check_weight
from xcluster.base.checks import check_choice, check_integer, check_number, warn
from xcluster.base.errors import BadValueError, complaint

if TYPE_CHECKING:
    from xcluster.algorithms.som import SOM

Array = NDArray[Any]


def check_parameters(som: SOM) -> None:
    """Refuse parameters that are out of range."""
    check_choice("training", som.training, ("batch", "online"))
    for name in ("sigma", "learning_rate"):
        if getattr(som, name) is not None:
            check_number(name, getattr(som, name), above=0)
    if som.n_iter is not None:
        check_integer("n_iter", som.n_iter, minimum=1)


def checked_weight(som: SOM, sample_weight: Any, X: Array) -> Array | None:
    """Return the weights of the rows; refuse any in online training."""
    if sample_weight is not None and som.training == "online":
        rule = "online training shows one sample a step and takes no weights"
        raise BadValueError("sample_weight", "...", rule, 'use training="batch"')
    return check_weight(sample_weight, X)


def warn_of_empty_nodes(som: SOM, n_samples: int) -> None:
    """Warn of more nodes than samples."""
    if math.prod(som.grid_) > n_samples:
        rule = f"has more nodes than there are samples ({n_samples}), so some stay empty"
        message = complaint("grid", som.grid_, rule, "take a smaller grid")
        warn(message)
