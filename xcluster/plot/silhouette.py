"""How much nearer each sample is to its own label than to the next."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.plot.flags import flags_of
from xcluster.plot.panels import named_places, single_axes

GAP = 0.02
BARS_MAX = 2000
HEIGHT_MAX = 11.0


def silhouette(
    values: xr.DataArray,
    labels: xr.DataArray,
    *,
    ax: Any = None,
    figsize: tuple[float, float] | None = None,
) -> Any:
    """Draw the silhouette of every sample, sorted within its label, and the means.

    Parameters
    ----------
    values : DataArray
        Silhouettes from -1 to 1, NaN where there is none; over the dims of ``labels``.
    labels : DataArray
        The label of each sample. Names and colours come from its flags; -1 is left out.
    ax : matplotlib Axes, optional
        By default a new figure is made.
    figsize : tuple of float, optional
        In inches.

    Returns
    -------
    list of matplotlib FillBetweenPolyCollection
        One for each label that has samples.

    References
    ----------
    Rousseeuw (1987), Journal of Computational and Applied Mathematics 20, 53-65.

    Examples
    --------
    >>> import xarray as xr
    >>> from xcluster.plot.silhouette import silhouette
    >>> labels = xr.DataArray([0.0, 0, 1, 1], dims="sample")
    >>> len(silhouette(xr.DataArray([0.8, 0.6, 0.3, -0.1], dims="sample"), labels))
    2
    """
    flags = flags_of(labels).classified
    height = min(max(4.0, 1.5 + 0.25 * len(flags.values)), HEIGHT_MAX)
    ax = single_axes(ax, figsize, (6.5, height))
    scores = values.transpose(*labels.dims).values.ravel()
    of_sample = np.where(np.isfinite(scores), labels.values.ravel(), np.nan)
    total = max(int(np.isfinite(of_sample).sum()), 1)
    shapes, start, middles = [], 0.0, []
    for label, color in zip(flags.values, flags.colors, strict=True):
        own = np.sort(scores[of_sample == label])[::-1]
        stop = start + len(own) / total
        middles.append((start + stop) / 2)
        if len(own):
            thinned = own[np.linspace(0, len(own) - 1, min(len(own), BARS_MAX)).astype(int)]
            at = np.linspace(start, stop, len(thinned) + 1)
            steps = np.append(thinned, thinned[-1])
            shapes.append(ax.fill_betweenx(at, 0, steps, step="post", color=color, linewidth=0))
        start = stop + GAP
    _mark_mean(ax, scores[np.isfinite(of_sample) & (of_sample >= 0)])
    _finish(ax, start, middles, _side_text(flags.names, flags.values, scores, of_sample))
    return shapes


def _mark_mean(ax: Any, scores: Array) -> None:
    if len(scores):
        mean = float(scores.mean())
        ax.axvline(mean, color="0.1", linestyle="--", linewidth=1.0, label=f"mean {mean:.2f}")
        above = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.1}
        ax.legend(frameon=False, **above)


def _side_text(names: Any, values: Any, scores: Any, of_sample: Any) -> list[str]:
    means = [scores[of_sample == label] for label in values]
    return [
        f"{name} ({own.mean():.2f})" if len(own) else name
        for name, own in zip(names, means, strict=True)
    ]


def _finish(ax: Any, height: float, middles: list[float], texts: list[str]) -> None:
    ax.set(ylim=(height - GAP, 0), xlabel="silhouette")
    places = named_places(len(texts))
    ax.set_yticks([middles[place] for place in places], [texts[place] for place in places])
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color="0.1", linewidth=0.8)
