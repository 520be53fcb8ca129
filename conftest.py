"""Figures that examples draw are closed behind them."""

import sys

import pytest


@pytest.fixture(autouse=True)
def closed_figures(request):
    """Close what an example has drawn, so that many of them leave no figures open."""
    yield
    if isinstance(request.node, pytest.DoctestItem) and "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
