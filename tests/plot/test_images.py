"""Whole figures beside the images of them in ``baseline/``.

After a change that is meant to be seen, make them anew and look at each:

    python tests/plot/test_images.py

No text is drawn, whose shape depends on the build of FreeType, and axes stand at fixed places, so
that no layout depends on text. Cells of images are whole pixels, which no version of matplotlib
rounds otherwise. The tolerance leaves room for how lines are smoothed, and the tests below show
that it leaves none for another colour or a missing artist.
"""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from cartopy import crs as ccrs
from cartopy.mpl.gridliner import Gridliner
from label_maps import flagged
from matplotlib.testing.compare import compare_images
from matplotlib.text import Text
from scipy.cluster.hierarchy import ward

from xcluster.plot import dendrogram, maps, matrices, profiles, scatter

BASELINE = Path(__file__).parent / "baseline"
DPI = 50

# Root mean square of differences of 0 to 255, over all pixels and channels.
TOLERANCE = 1.5

CHANGED = "#d55e00 #e69f00 #009e73"


def label_map(change):
    """Three labels and a gap, with coast lines."""
    latitude, longitude = np.arange(-85.0, 90, 10), np.arange(-175.0, 180, 10)
    bands = np.round(1 + np.sin(np.deg2rad(longitude)) + np.cos(np.deg2rad(2 * latitude))[:, None])
    da = flagged(bands.clip(0, 2), latitude=latitude, longitude=longitude)
    ax = plt.figure(figsize=(4, 2)).add_axes((0, 0, 1, 1), projection=ccrs.PlateCarree())
    maps.map(change(da.where(da.latitude < 80)), ax=ax, legend=False)


def profiles_panel(change):
    """Curves with depth, their bands and their means."""
    depth, number = np.linspace(0, 100, 21), np.arange(30)
    values = (number % 3)[:, None] + np.sin(depth / 15) + 0.05 * number[:, None]
    data = xr.DataArray(values, {"sample": number, "depth": depth}, ("sample", "depth"))
    _, axes = plt.subplots(1, 3, figsize=(4, 2.5), sharex=True)
    profiles.profiles(data, change(flagged(number % 3, sample=number)), ax=axes)


def tree(change):
    """Branches in the colours of three labels, and the cut."""
    at = np.array([0, 1, 2.5, 10, 11, 13, 30, 32, 35, 36])
    colors = change(flagged([0], x=[0])).attrs["flag_colors"].split()
    _, ax = plt.subplots(figsize=(3, 2))
    leaf_colors = [colors[label] for label in np.searchsorted([5, 20], at)]
    dendrogram.dendrogram(ward(at[:, None]), cut=15, leaf_colors=leaf_colors, ax=ax)


def phase_map(change):
    """Phases of an image, grey where no membership is large enough."""
    y, x = np.arange(24.0), np.arange(32.0)
    away = np.hypot(x - 16, y[:, None] - 12)
    values = np.select([away < 5, away < 7, away < 11], [2, -1, 1], 0)
    ax = plt.figure(figsize=(2.56, 1.92)).add_axes((0, 0, 1, 1))
    maps.map(change(flagged(values, y=y, x=x)), ax=ax, legend=False)


def circles(change):
    """Points by label, centres, and circles out to the farthest members."""
    turn = np.linspace(0, 40, 60)
    label = np.arange(60) % 3
    at = np.stack([np.cos(turn) * turn / 40 + 2 * label, np.sin(turn) * turn / 40 + label % 2])
    points = xr.DataArray(at, {"component": [0, 1], "x": range(60)}, ("component", "x"))
    _, ax = plt.subplots(figsize=(3, 2))
    looks = {"circles": True, "legend": False, "s": 12}
    scatter.scatter(points, change(flagged(label, x=range(60))), ax=ax, **looks)


def confusion(change):
    """Counts of the labels of two results; what changes is the colour map."""
    counts = xr.DataArray([[90, 5, 0], [8, 40, 2], [0, 1, 20]], dims=("ours", "theirs"))
    other = change(flagged([0], x=[0])).attrs["flag_colors"] == CHANGED
    ax = plt.figure(figsize=(1.2, 1.2)).add_axes((0, 0, 1, 1))
    matrices.confusion(counts, ax=ax, legend=False, cmap="Greens" if other else "Blues")


FIGURES = (label_map, profiles_panel, tree, phase_map, circles, confusion)


def drawn(figure, change=lambda da: da):
    """Draw a figure without text, in a style that no setting changes."""
    figure(change)
    for lines in plt.gcf().findobj(Gridliner):
        lines.left_labels = lines.bottom_labels = False
    for text in plt.gcf().findobj(Text):
        text.set_visible(False)
    return plt.gcf()


def difference(figure, name, folder):
    """Return what differs from the baseline, None where nothing does."""
    actual = folder / f"{name}.png"
    figure.savefig(actual, dpi=DPI)
    return compare_images(str(BASELINE / actual.name), str(actual), TOLERANCE)


@pytest.fixture(autouse=True)
def _default_style():
    with mpl.style.context("default"):
        yield


@pytest.mark.parametrize("figure", FIGURES, ids=lambda each: each.__name__)
def test_a_figure_looks_as_it_did(figure, tmp_path):
    assert difference(drawn(figure), figure.__name__, tmp_path) is None


@pytest.mark.parametrize("figure", FIGURES, ids=lambda each: each.__name__)
def test_another_color_of_one_label_would_be_seen(figure, tmp_path):
    changed = drawn(figure, lambda da: da.assign_attrs(flag_colors=CHANGED))
    assert difference(changed, figure.__name__, tmp_path) is not None


@pytest.mark.parametrize("figure", FIGURES, ids=lambda each: each.__name__)
def test_a_missing_kind_of_artist_would_be_seen(figure, tmp_path):
    kinds = {type(artist) for ax in drawn(figure).axes for artist in artists(ax)}
    plt.close("all")
    for kind in kinds:
        picture = drawn(figure)
        for ax in picture.axes:
            for artist in artists(ax):
                artist.set_visible(not isinstance(artist, kind))
        assert difference(picture, figure.__name__, tmp_path) is not None, kind
        plt.close("all")


def artists(ax):
    """What was drawn on axes, but for the faint lines of a graticule."""
    found = [*ax.lines, *ax.collections, *ax.images, *ax.patches, *ax.artists, *ax.child_axes]
    return [artist for artist in found if not isinstance(artist, Gridliner)]


def main():
    """Make the images anew."""
    mpl.use("agg")
    BASELINE.mkdir(exist_ok=True)
    for figure in FIGURES:
        with mpl.style.context("default"):
            drawn(figure).savefig(BASELINE / f"{figure.__name__}.png", dpi=DPI)


if __name__ == "__main__":
    main()
