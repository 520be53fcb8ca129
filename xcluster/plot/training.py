"""How a network learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from xcluster.base.arrays import Array
from xcluster.plot.panels import panel_grid

LINE = "#0072b2"
KEPT = "#d55e00"

# Within a smaller factor, a logarithmic scale has no round numbers to show.
LOG_SPAN = 3.0

TITLES = {
    "loss": "loss",
    "reconstruction": "mean squared error",
    "kl": "Kullback-Leibler term",
    "r2": "R² of the reconstruction",
}


def training(
    history: Mapping[str, Array],
    kept: int | None = None,
    *,
    ax: Any = None,
    col_wrap: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Any]:
    """Draw one panel per quantity over the epochs, and mark the epoch that was kept.

    Parameters
    ----------
    history : mapping of str to array of shape (n_epochs,)
        Any of ``loss``, ``reconstruction``, ``kl`` and ``r2``; others are not drawn. What is
        always positive and falls or rises threefold has a logarithmic scale, R2 a linear one.
    kept : int, optional
        The epoch, from 1, whose weights were kept.
    ax : sequence of matplotlib Axes, optional
        One per panel; by default a new figure is made.
    col_wrap : int, optional
        Number of panels in a row; by default 2.
    figsize : tuple of float, optional
        In inches.

    Returns
    -------
    list of matplotlib Axes

    Examples
    --------
    >>> from xcluster.plot.training import training
    >>> [ax.get_ylabel() for ax in training({"loss": [3.0, 2.0], "r2": [0.1, 0.5]}, kept=2)]
    ['loss', 'R² of the reconstruction']
    """
    names = [name for name in TITLES if name in history]
    columns = 2 if ax is None and col_wrap is None else col_wrap
    axes = panel_grid(len(names), (3.8, 2.4), columns, figsize, ax=ax, sharey=False)
    for ax, name in zip(axes, names, strict=True):
        values = np.asarray(history[name], dtype=float)
        ax.plot(np.arange(1, len(values) + 1), values, color=LINE)
        if name != "r2" and values.min() > 0 and values.max() >= LOG_SPAN * values.min():
            ax.set_yscale("log")
        if kept is not None:
            ax.axvline(kept, color=KEPT, linestyle="--", linewidth=1.0, label=f"epoch {kept} kept")
        ax.set(ylabel=TITLES[name], xlabel="epoch")
    if kept is not None:
        axes[0].legend(frameon=False)
    return axes
