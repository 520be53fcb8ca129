"""Figures of data whose dims, variables and coordinates have names that figures use themselves."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

WORDS = ("row", "col", "node", "sample", "variable", "feature", "label_name", "value", "level")


def curves_of(fit):
    """What lines show, in each figure that draws curves of a result."""
    axes = {"nodes": fit.plot.nodes(), "profiles": fit.plot.profiles()}
    lines = {
        "centers": fit.plot.centers(),
        **{k: [a.lines[-1] for a in v] for k, v in axes.items()},
    }
    found = {name: [line.get_xydata() for line in drawn] for name, drawn in lines.items()}
    plt.close("all")
    return found


@pytest.fixture(scope="module")
def image():
    values = np.random.default_rng(0).normal(size=(6, 9, 7)) + np.arange(9)[:, None] // 3 * 5
    return xr.DataArray(values, {"band": np.arange(6.0)}, ("band", "y", "x"), name="counts")


@pytest.fixture(scope="module")
def plain(image):
    return curves_of(image.cluster.profiles("band").som((2, 2)))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("role", ["feature dim", "variable", "coordinate of the features"])
def test_curves_are_those_of_any_other_name(image, plain, role, word):
    named = {
        "feature dim": lambda: image.rename(band=word),
        "variable": lambda: image.rename(word),
        "coordinate of the features": lambda: image.assign_coords({word: ("band", list("abcdef"))}),
    }[role]()
    fit = named.cluster.profiles(named.dims[0]).som((2, 2))
    found = curves_of(fit)
    for figure, lines in plain.items():
        np.testing.assert_allclose(found[figure], lines, rtol=1e-6)
    assert len(fit.plot.parallel()) == fit.k


def test_a_dim_keeps_its_name_beside_the_axis(image):
    axes = image.rename(band="row").cluster.profiles("row").som((2, 2)).plot.nodes()
    assert axes[0].figure.get_supxlabel() == "row"


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("role", ["sample dim", "coordinate of the samples"])
def test_components_are_those_of_any_other_name(image, role, word):
    named = {
        "sample dim": lambda: image.rename(y=word),
        "coordinate of the samples": lambda: image.assign_coords({word: ("y", np.arange(9) // 2)}),
    }[role]()
    fits = [each.cluster.profiles("band").pca(2).kmeans(2) for each in (image, named)]
    points, theirs = (fit.plot.scatter() for fit in fits)
    np.testing.assert_allclose(points.get_offsets(), theirs.get_offsets(), rtol=1e-6)
    assert points.axes.get_xlabel() == theirs.axes.get_xlabel() == "component 0"
    assert len(fits[1].plot.parallel()) == 2


@pytest.mark.parametrize("word", WORDS)
def test_variables_of_pixels_are_those_of_any_other_name(image, word):
    ds = image.isel(band=slice(3)).assign_coords(band=["a", "b", "c"]).to_dataset("band")
    named = ds.rename(b=word)
    for figure in (
        lambda samples: samples.som((2, 2)).plot.nodes()[1].collections[0].get_array().ravel(),
        lambda samples: samples.pca(2).plot.loadings().get_array().ravel(),
        lambda samples: samples.kmeans(3).plot.centers().get_array().ravel(),
        lambda samples: samples.pca(2).kmeans(2).plot.latent(n=2)[1].collections[0].get_array(),
    ):
        np.testing.assert_allclose(*(np.abs(figure(each.cluster.pixels())) for each in (ds, named)))
