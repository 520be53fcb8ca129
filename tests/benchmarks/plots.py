"""Time a map of 1,000 x 2,000 labels, drawn and saved, and a page of 65,536 profiles."""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import xarray as xr

from xcluster.base.palette import label_colors
from xcluster.plot.maps import map as draw_map

TARGET = 3.0
PAGE = "page of 65,536 profiles x 75 levels"


def label_map() -> xr.DataArray:
    """Eight labels over the globe, with gaps."""
    latitude, longitude = np.linspace(-89.91, 89.91, 1000), np.linspace(-179.91, 179.91, 2000)
    values = np.floor(8 * np.random.default_rng(0).random((1000, 2000))).astype(np.float32)
    values[values == 7] = np.nan
    attrs = {
        "flag_values": np.arange(7),
        "flag_meanings": " ".join(f"class_{i}" for i in range(7)),
        "flag_colors": " ".join(label_colors(7)),
    }
    coords = {"latitude": latitude, "longitude": longitude}
    return xr.DataArray(values, coords, ("latitude", "longitude"), attrs=attrs)


def seconds(da: xr.DataArray, **keywords: object) -> float:
    """Time one map from the call to the finished PNG."""
    start = time.perf_counter()
    draw_map(da, **keywords).figure.savefig(io.BytesIO(), format="png")
    return time.perf_counter() - start


def columns() -> xr.Dataset:
    """Return smooth profiles with noise, which do not compress."""
    random, depth = np.random.default_rng(0), np.arange(75.0)
    values = np.sin(depth / 10) * random.normal(size=(256, 256, 1))
    values = values + 0.1 * random.normal(size=(256, 256, 75))
    y, x = np.linspace(-60, 60, 256), np.linspace(-170, 170, 256)
    coords = {"latitude": y, "longitude": x, "depth": depth}
    dims = ("latitude", "longitude", "depth")
    return xr.DataArray(values.astype(np.float32), coords, dims, name="speed").to_dataset()


def page_rows() -> list[str]:
    """Write and open a page; two rows without a browser."""
    import xcluster  # noqa: F401

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from chromium import PROGRAM, Chromium

    fit = columns().cluster.profiles("depth").pca(5).gmm(6)
    fit.labels.load()
    fit.explore()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        start = time.perf_counter()
        fit.explore().save(path)
        written = time.perf_counter() - start
        rows = [
            f"| {PAGE}, written | {written:.2f} s | - | - | 10 s |",
            f"| its size | {path.stat().st_size / 1e6:.1f} MB | - | - | 15 MB |",
        ]
        if PROGRAM is None:
            return rows
        tab = Chromium()
        tab.open(path)
        start = time.perf_counter()
        tab.open(path)
        opened = time.perf_counter() - start
        tab.close()
    return [*rows, f"| opened in Chromium | {opened:.2f} s | - | - | 3 s |"]


def main() -> None:
    """Print the table."""
    import cartopy.crs as ccrs

    mpl.use("agg")
    da = label_map()
    seconds(da[::100, ::100])
    cases = {
        "map of 1,000 x 2,000 labels": {},
        "the same over the Blue Marble": {"background": "satellite"},
        "the same in Robinson's projection": {"projection": ccrs.Robinson()},
    }
    print("| what | ours | peer | ratio | target |\n|---|---|---|---|---|")
    for what, keywords in cases.items():
        print(f"| {what} | {seconds(da, **keywords):.2f} s | - | - | {TARGET:.0f} s |")
    print("\n".join(page_rows()))


if __name__ == "__main__":
    main()
