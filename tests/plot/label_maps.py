"""Small label maps with flags, for the tests of figures."""

import numpy as np
import xarray as xr

COLORS = ["#0072b2", "#e69f00", "#009e73"]


def flagged(values, **coords):
    """A label map of three classes over latitude and longitude."""
    attrs = {
        "flag_values": np.arange(3),
        "flag_meanings": "deep_ocean shelf coast",
        "flag_colors": " ".join(COLORS),
        "long_name": "k-means labels",
    }
    return xr.DataArray(np.asarray(values, np.float32), coords, tuple(coords), "labels", attrs)
