"""Time a map of 1,000 x 2,000 labels, drawn and saved."""

from __future__ import annotations

import io
import time

import matplotlib as mpl
import numpy as np
import xarray as xr

from xcluster.palette import label_colors
from xcluster.plot.maps import map as draw_map

TARGET = 3.0


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


if __name__ == "__main__":
    main()
