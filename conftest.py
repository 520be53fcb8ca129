"""Examples need no screen and leave no figures open; PyTorch only where they train a network."""

import sys

import matplotlib as mpl
import pytest


@pytest.fixture(autouse=True)
def figures_without_a_screen(request):
    """Let examples draw without a screen, and close what they have drawn."""
    if not isinstance(request.node, pytest.DoctestItem):
        yield
        return
    mpl.use("agg")
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True)
def torch_for_auto_encoders(request):
    """Skip an example that trains an auto-encoder where PyTorch is not installed."""
    if isinstance(request.node, pytest.DoctestItem):
        example = request.node.dtest.docstring
        if ".vae(" in example or " VAE(" in example:
            pytest.importorskip("torch")
