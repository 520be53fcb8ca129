"""The tree of a hierarchical clustering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcluster.checks import check_integer, complaint
from xcluster.palette import label_colors
from xcluster.plot.panels import single_axes

ABOVE = "0.35"


def dendrogram(
    linkage: NDArray[Any],
    p: int = 30,
    *,
    cut: float | None = None,
    colors: Sequence[str] | None = None,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
    ylabel: str = "distance",
) -> dict[str, Any]:
    """Draw the last merges of a tree, and where it is cut into labels.

    Parameters
    ----------
    linkage : array of shape (n_samples - 1, 4)
        Merges in SciPy's form.
    p : int, default 30
        Number of branches at the bottom; each says how many samples it holds, in brackets.
    cut : float, optional
        Height of the cut. Branches below it have the colours of the labels.
    colors : sequence of str, optional
        Of the labels, from left to right of the tree; by default the package's own.
    ax : matplotlib Axes, optional
        By default a new figure is made.
    figsize : tuple of float, optional
        In inches.
    ylabel : str, default "distance"
        What the heights are.

    Returns
    -------
    dict
        As from `scipy.cluster.hierarchy.dendrogram`.

    Raises
    ------
    ValueError
        If ``linkage`` is not a table of merges, or there are fewer colours than labels.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from scipy.cluster.hierarchy import ward
    >>> from xcluster.plot.dendrogram import dendrogram
    >>> dendrogram(ward([[0], [1], [5], [6]]), cut=3)["ivl"]
    ['0', '1', '2', '3']
    """
    from scipy.cluster.hierarchy import dendrogram as draw

    merges = np.asarray(linkage, dtype=float)
    if merges.ndim != 2 or merges.shape[1:] != (4,):
        rule = "must have four columns, one row a merge"
        remedy = "only hierarchical clusterings have a tree: use .hac()"
        raise ValueError(complaint("linkage", np.shape(linkage), rule, remedy))
    check_integer("p", p, minimum=2)
    ax = single_axes(ax, figsize or (9.0, 4.5))
    paint = _painter(merges, p, cut, colors)
    tree: dict[str, Any] = draw(
        merges, p=p, truncate_mode="lastp", ax=ax, link_color_func=paint, leaf_rotation=90
    )
    if cut is not None:
        ax.axhline(cut, color="0.1", linestyle="--", linewidth=1.0)
    ax.set(ylabel=ylabel, xlabel="sample, or number of samples in brackets")
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    return tree


def _painter(merges: NDArray[Any], p: int, cut: float | None, colors: Sequence[str] | None) -> Any:
    """Return the function that gives each merge its colour."""
    if cut is None:
        return lambda node: ABOVE
    tops = _branches_below(merges, cut)
    colors = label_colors(len(tops)) if colors is None else list(colors)
    if len(colors) < len(tops):
        rule = f"there are {len(tops)} labels below the cut at {cut:g}"
        raise ValueError(complaint("colors", colors, rule, "give one colour to each"))
    color_of = {
        node: color
        for top, color in zip(tops, colors, strict=False)
        for node in _under(merges, top)
    }
    return lambda node: color_of.get(node, ABOVE)


def _branches_below(merges: NDArray[Any], cut: float) -> list[int]:
    """Return the highest nodes that merge below the cut, from left to right."""
    n = len(merges) + 1
    waiting, found = [2 * n - 2], []
    while waiting:
        node = waiting.pop()
        if node < n or merges[node - n, 2] <= cut:
            found.append(node)
        else:
            left, right = merges[node - n, :2].astype(int)
            waiting += [right, left]
    return found


def _under(merges: NDArray[Any], top: int) -> list[int]:
    """Return a node and every merge beneath it."""
    n = len(merges) + 1
    waiting, found = [top], []
    while waiting:
        node = waiting.pop()
        found.append(node)
        if node >= n:
            waiting += merges[node - n, :2].astype(int).tolist()
    return found
