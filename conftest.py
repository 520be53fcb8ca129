"""Examples leave no figures open, and need PyTorch only where they train an auto-encoder."""

import sys

import pytest


@pytest.fixture(autouse=True)
def closed_figures(request):
    """Close what an example has drawn, so that many of them leave no figures open."""
    yield
    if isinstance(request.node, pytest.DoctestItem) and "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True)
def torch_for_auto_encoders(request):
    """Skip an example that trains an auto-encoder where PyTorch is not installed."""
    if isinstance(request.node, pytest.DoctestItem):
        example = request.node.dtest.docstring
        if ".vae(" in example or " VAE(" in example:
            pytest.importorskip("torch")
