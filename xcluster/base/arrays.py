"""The type of arrays in annotations, and arrays as compiled code takes them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


def read_only(array: Array) -> Array:
    """Return a view, in C order, that may not be written to.

    Compiled code that only reads takes this, so that it is compiled once for both kinds of array.
    """
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
