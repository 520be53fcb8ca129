"""Figures without a screen, closed after each test; label maps to draw."""

import matplotlib as mpl
import numpy as np
import pytest
from label_maps import flagged

mpl.use("agg")


@pytest.fixture(autouse=True)
def _settings_stay_as_they_were_and_figures_are_closed():
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before
    plt.close("all")


@pytest.fixture
def globe():
    """Labels that follow longitude: 0 in the west, 2 in the east; NaN at the north pole."""
    latitude, longitude = np.arange(-85.0, 90, 10), np.arange(-175.0, 180, 10)
    values = np.broadcast_to(np.floor((longitude + 180) / 120), (18, 36)).copy()
    values[-1] = np.nan
    return flagged(values, latitude=latitude, longitude=longitude)
