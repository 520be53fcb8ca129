"""One colour per label: safe for colour-blind readers up to ten, distinct beyond, or ordered."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.base.checks import check_integer

UNCLASSIFIED_COLOR = "#bbbbbb"
"""The colour of label -1."""

# The seven hues of Okabe and Ito (2008), and three that stay as far from them, from each other
# and from white when seen with any of the three kinds of colour blindness.
SAFE = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9",
    "#d55e00", "#f0e442", "#8044dd", "#663311", "#5fe3a1",
)  # fmt: skip

# From dark to light with even steps of lightness: the viridis colour map at nine points.
SEQUENTIAL = (
    "#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c",
    "#28ae80", "#5ec962", "#addc30", "#fde725",
)  # fmt: skip


def label_colors(n: int, *, ordered: bool = False) -> list[str]:
    """Return ``n`` colours for labels 0 to n - 1.

    Parameters
    ----------
    n : int
        Number of labels.
    ordered : bool, default False
        Whether the labels have an order, which a sequence from dark to light then shows.

    Returns
    -------
    list of str
        Hexadecimal colours. Unordered ones do not depend on ``n``: label 3 has the same colour
        among four labels and among forty.

    Raises
    ------
    ValueError
        If ``n`` is negative.

    References
    ----------
    Okabe and Ito (2008), Color Universal Design.

    Examples
    --------
    >>> label_colors(3)
    ['#0072b2', '#e69f00', '#009e73']
    >>> label_colors(3, ordered=True)
    ['#440154', '#21918c', '#fde725']
    """
    n = check_integer("n", n, minimum=0)
    if ordered:
        return _sequence(n)
    return [*SAFE, *_farthest(n - len(SAFE))][:n]


def _sequence(n: int) -> list[str]:
    anchors = np.array([_channels(color) for color in SEQUENTIAL])
    at = np.linspace(0, len(anchors) - 1, n)
    channels = [np.interp(at, range(len(anchors)), anchors[:, i]) for i in range(3)]
    return [_hex(rgb) for rgb in np.transpose(channels)]


@lru_cache
def _farthest(n: int) -> tuple[str, ...]:
    """Return ``n`` colours, each as far as can be from all before it, grey, black and white."""
    levels = np.linspace(0, 255, 14)
    candidates = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3)
    seen = _lab(candidates)
    taken = [_channels(color) for color in (*SAFE, UNCLASSIFIED_COLOR, "#ffffff", "#000000")]
    distance = np.full(len(candidates), np.inf)
    chosen: list[str] = []
    for place in range(len(taken) + max(n, 0)):
        if place >= len(taken):
            taken.append(candidates[distance.argmax()])
            chosen.append(_hex(taken[-1]))
        distance = np.minimum(distance, np.linalg.norm(seen - _lab(taken[place]), axis=1))
    return tuple(chosen)


def _channels(color: str) -> NDArray[np.float64]:
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], dtype=float)


def _hex(rgb: NDArray[Any]) -> str:
    red, green, blue = np.rint(rgb).astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


# sRGB to CIE XYZ relative to its white, D65 (IEC 61966-2-1).
_TO_XYZ = np.array(
    [
        [0.4339, 0.3762, 0.1899],
        [0.2126, 0.7152, 0.0722],
        [0.0178, 0.1095, 0.8727],
    ]
)


def _lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return CIE L*a*b* of sRGB channels of 0 to 255, in which distance is what the eye sees."""
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T
    x, y, z = np.moveaxis(np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
