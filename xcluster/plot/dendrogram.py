"""The tree of a hierarchical clustering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xcluster.base.arrays import Array
from xcluster.base.checks import check_integer
from xcluster.base.errors import BadValueError
from xcluster.base.palette import label_colors
from xcluster.plot.panels import single_axes
from xcluster.plot.style import legend as draw_legend

ABOVE = "0.35"


def dendrogram(
    linkage: Array,
    p: int = 30,
    *,
    cut: float | None = None,
    colors: Sequence[str] | None = None,
    leaf_colors: Sequence[str] | None = None,
    leaf_sizes: Sequence[float] | None = None,
    names: Mapping[str, str] | None = None,
    legend: bool = True,
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
    leaf_colors : sequence of str, optional
        Of the leaves, instead of ``cut`` and ``colors``: a branch whose leaves have one colour
        has that colour.
    leaf_sizes : sequence of float, optional
        How many samples each leaf stands for; by default 1.
    names : mapping of str to str, optional
        The colour of each label by its name, for the legend.
    legend : bool, default True
        Whether to draw a legend beside the tree, where ``names`` are given.
    ax : matplotlib Axes, optional
        By default a new figure is made.
    figsize : tuple of float, optional
        In inches.
    ylabel : str, default "distance"
        What the axis of the heights says.

    Returns
    -------
    dict
        As from `scipy.cluster.hierarchy.dendrogram`.

    Notes
    -----
    Where a merge is lower than one beneath it, it is drawn as high as that one. Parts that never
    merge (whose merges have infinite height) are joined at the top, above all others.

    Raises
    ------
    ValueError
        If ``linkage`` is not a table of merges, there are fewer colours than labels, or both
        ``colors`` and ``leaf_colors`` are given.

    Examples
    --------
    >>> from scipy.cluster.hierarchy import ward
    >>> from xcluster.plot.dendrogram import dendrogram
    >>> dendrogram(ward([[0], [1], [5], [6]]), cut=3)["ivl"]
    ['0', '1', '2', '3']
    """
    from scipy.cluster import hierarchy

    merges = np.array(linkage, dtype=float)
    if merges.ndim != 2 or merges.shape[1:] != (4,):
        rule = "must have four columns, and one row per merge"
        remedy = "only hierarchical clusterings have a tree: use .hac()"
        raise BadValueError("linkage", np.shape(linkage), rule, remedy)
    check_integer("p", p, minimum=2)
    if colors is not None and leaf_colors is not None:
        rule = "the leaves have colours already, those of their labels"
        remedy = "change these: result.relabel(colors=...), or leave leaf_colors out"
        raise BadValueError("colors", colors, rule, remedy)
    merges[:, 2] = _rising(merges[:, 2])
    ax = single_axes(ax, figsize, (9.0, 4.5))
    paint = _by_cut(merges, cut, colors) if leaf_colors is None else _by_leaf(merges, leaf_colors)
    looks = {"link_color_func": paint, "leaf_rotation": 90, "leaf_font_size": 8}
    if leaf_sizes is not None:
        looks["leaf_label_func"] = _size_texts(merges, leaf_sizes)
    tree: dict[str, Any] = hierarchy.dendrogram(merges, p=p, truncate_mode="lastp", ax=ax, **looks)
    if cut is not None:
        ax.axhline(cut, color="0.1", linestyle="--", linewidth=1.0)
    if names and legend:
        draw_legend([ax], list(names), list(names.values()))
    alone = "sample, or " if leaf_sizes is None else ""
    ax.set(ylabel=ylabel, xlabel=f"{alone}number of samples in brackets")
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    return tree


def cut_height(merges: Array, k: int) -> float:
    """Return a height between the last merge that is made for ``k`` labels and the next one."""
    # Where nothing is cut, or separate parts only, the line stands between these and the rest.
    bounded = _rising(np.append(merges[:, 2], np.inf))
    below = len(merges) - k
    return float((bounded[below + 1] + (bounded[below] if below >= 0 else 0.0)) / 2)


def _rising(heights: Array) -> Array:
    """Return heights that never fall, with infinite ones a step above all others."""
    top = float(heights[np.isfinite(heights)].max(initial=0.0)) or 1.0
    return np.maximum.accumulate(np.where(np.isfinite(heights), heights, 1.15 * top))


def _by_leaf(merges: Array, leaf_colors: Sequence[str]) -> Any:
    """Return the function that gives each merge the colour of its leaves where they agree."""
    colors = [*leaf_colors]
    for left, right in merges[:, :2].astype(int):
        colors.append(colors[left] if colors[left] == colors[right] else ABOVE)
    return colors.__getitem__


def _size_texts(merges: Array, leaf_sizes: Sequence[float]) -> Any:
    """Return the function that says how many samples lie beneath a branch."""
    sizes = [*leaf_sizes]
    for left, right in merges[:, :2].astype(int):
        sizes.append(sizes[left] + sizes[right])
    return lambda node: f"({sizes[node]:,.0f})"


def _by_cut(merges: Array, cut: float | None, colors: Sequence[str] | None) -> Any:
    """Return the function that gives each merge the colour of its branch below the cut."""
    if cut is None:
        return lambda node: ABOVE
    tops = _branches_below(merges, cut)
    colors = label_colors(len(tops)) if colors is None else list(colors)
    if len(colors) < len(tops):
        rule = f"there are {len(tops)} labels below the cut at {cut:g}"
        raise BadValueError("colors", colors, rule, "give one colour to each")
    color_of = {
        node: color
        for top, color in zip(tops, colors, strict=False)
        for node in _under(merges, top)
    }
    return lambda node: color_of.get(node, ABOVE)


def _branches_below(merges: Array, cut: float) -> list[int]:
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


def _under(merges: Array, top: int) -> list[int]:
    """Return a node and every merge beneath it."""
    n = len(merges) + 1
    waiting, found = [top], []
    while waiting:
        node = waiting.pop()
        found.append(node)
        if node >= n:
            waiting += merges[node - n, :2].astype(int).tolist()
    return found
