"""Lines of elements on spectra: which, where, and how their names stand."""

import sys
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.plot.elements import lines_of
from xcluster.plot.profiles import centers

MOSELEY_KA = {"Mg": 1253.6, "Si": 1740.0, "Ca": 3691.7, "Ti": 4510.8, "Fe": 6403.8, "Cu": 8047.8}
"""K-alpha-1 energies in eV as Bearden (1967) measured them."""


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def spectra(units="keV", low=0.3, high=8.0, name="energy", **attrs):
    at = np.linspace(low, high, 500)
    values = np.stack([np.exp(-(((at - 0.8 * high) / (0.1 * high)) ** 2)), at / high])
    coords = {name: (name, at, {"units": units, **attrs}), "label": [0, 1]}
    return xr.DataArray(values, coords, ("label", name), name="counts")


def found(elements, da):
    dim = da.dims[1]
    return {line.name: line.position for line in lines_of(elements, da[dim])}


def test_energies_are_those_that_were_measured():
    lines = found(list(MOSELEY_KA), spectra(high=10.0))
    for symbol, energy in MOSELEY_KA.items():
        assert lines[f"{symbol} K\u03b1"] == pytest.approx(energy / 1000, rel=2e-3)
    gold = found("Au", spectra("eV", 300, 20_000))
    assert gold == pytest.approx(
        {"Au M\u03b1": 2123, "Au M\u03b2": 2205, "Au L\u03b1": 9713, "Au L\u03b2": 11442}, rel=4e-3
    )


@pytest.mark.parametrize(
    ("units", "factor"), [("eV", 1000), ("keV", 1), ("KEV", 1), (" ev ", 1000)]
)
def test_lines_are_in_the_unit_of_the_axis_and_inside_it(units, factor):
    da = spectra(units, 0.3 * factor, 8.0 * factor)
    lines = found(["O", "Fe", "Cu"], da)
    names = ("O Ka", "Fe La", "Fe Lb", "Cu La", "Cu Lb", "Fe Ka", "Fe Kb")
    assert set(lines) == {name.replace("a", "\u03b1").replace("b", "\u03b2") for name in names}
    assert lines["Fe K\u03b1"] == pytest.approx(6.405 * factor, rel=1e-3)
    assert list(lines.values()) == sorted(lines.values())


def test_along_energy_losses_there_are_edges():
    da = spectra("eV", 350.0, 900.0, name="energy_loss")
    edges = found(["O", "Ti", "Mn", "La"], da)
    assert edges == pytest.approx({"Ti L3": 456, "O K": 532, "Mn L3": 640, "La M5": 832}, rel=0.025)
    assert "O K" in found("O", spectra("eV", 350.0, 900.0, long_name="electron energy loss"))


def test_an_element_without_a_line_in_the_axis_is_said():
    with pytest.warns(UserWarning, match=r"Na has no line from 2 to 8 keV"):
        assert found(["Na", "Fe"], spectra(low=2.0)).keys() == {"Fe K\u03b1", "Fe K\u03b2"}


@pytest.mark.parametrize(
    ("lines", "kind", "message"),
    [
        (["Fe", "Xx"], BadValueError, "lines='Xx': is no symbol of an element"),
        ("fe", BadValueError, r"lines='fe': .*Did you mean 'Fe'\?"),
        ("SI", BadValueError, r"Did you mean 'Si'\?"),
        ([26], BadTypeError, "lines=26: must be symbols of elements"),
        (7, BadTypeError, "lines=7: must be symbols of elements"),
        ({"Fe": 1}, BadTypeError, "must be symbols of elements"),
    ],
)
def test_what_is_no_element_is_refused(lines, kind, message):
    with pytest.raises(kind, match=message):
        centers(spectra(), lines=lines)


@pytest.mark.parametrize("units", ["", "channel", "nm", "meV", "K"])
def test_axes_without_energies_are_refused(units):
    with pytest.raises(BadValueError, match=r"needs energies in eV or keV.*calibrate"):
        centers(spectra(units), lines="Fe")


def test_figures_without_curves_refuse_lines():
    grid = xr.DataArray(np.random.default_rng(0).normal(size=(6, 7)), dims=("y", "x"), name="a")
    fit = grid.cluster.pixels().kmeans(2)
    with pytest.raises(BadValueError, match="lines='Fe': belongs to spectra along one dim"):
        fit.plot.centers(lines="Fe")
    stack = grid.expand_dims(band=3).cluster.pixels().pca(1)
    with pytest.raises(BadValueError, match="lines='Fe': belongs to spectra"):
        stack.plot.loadings(lines="Fe")


def test_a_missing_xraydb_is_named_with_its_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "xraydb", None)
    with pytest.raises(ImportError, match=r'pip install "xarray-cluster\[microscopy\]"'):
        centers(spectra(), lines="Fe")


# ------------------------------------------------------------------------------------- how it looks


def boxes(ax):
    ax.figure.draw_without_rendering()
    texts = [text for text in ax.texts if text.get_rotation() == 90]
    return [(text.get_text(), text.get_window_extent()) for text in texts]


MANY = ["O", "Mg", "Al", "Si", "Ca", "Ti", "Fe", "Au", "Pb", "Cu", "Zn", "Ba", "La", "Ce"]


@pytest.mark.parametrize(
    "elements", [["Fe"], ["O", "Si", "Fe"], MANY, [*MANY, "Ni", "Co", "Mn", "Cr", "V"]]
)
@pytest.mark.parametrize("figsize", [None, (3.5, 2.5)])
def test_names_do_not_cover_each_other_nor_the_curves(elements, figsize):
    drawn = centers(spectra(), lines=elements, figsize=figsize)
    ax = drawn[0].axes
    named = boxes(ax)
    assert len(named) == len(found(elements, spectra()))
    frame = ax.get_window_extent()
    for (_, left), (_, right) in pairwise(named):
        assert left.x1 <= right.x0 + 0.5
    for _, box in named:
        assert frame.x0 <= box.x0
        assert box.x1 <= frame.x1
        assert box.y1 <= frame.y1 + 1
    highest = max(float(line.get_ydata().max()) for line in drawn)
    assert ax.transData.transform((0, highest))[1] <= min(box.y0 for _, box in named)


def test_each_line_stands_at_its_energy():
    ax = centers(spectra(), lines=["O", "Fe"])[0].axes
    ax.figure.draw_without_rendering()
    here = [line for line in ax.lines if line.get_transform() == ax.transAxes]
    at = [
        ax.transData.inverted().transform(ax.transAxes.transform((line.get_xdata()[0], 0)))[0]
        for line in here
    ]
    np.testing.assert_allclose(at, list(found(["O", "Fe"], spectra()).values()), rtol=1e-6)


def test_a_logarithmic_panel_has_room_as_well():
    _, ax = plt.subplots(layout="constrained")
    ax.set_yscale("log")
    drawn = centers(spectra() + 1e-3, lines=["O", "Fe"], ax=ax)
    highest = max(float(line.get_ydata().max()) for line in drawn)
    assert ax.transData.transform((1, highest))[1] <= min(box.y0 for _, box in boxes(ax))


def test_profiles_and_loadings_draw_lines_on_every_panel():
    rng = np.random.default_rng(0)
    cube = spectra().values[rng.integers(0, 2, (8, 9))] + rng.random((8, 9, 500)) * 0.01
    da = xr.DataArray(cube, {"energy": spectra().energy}, ("y", "x", "energy"), name="counts")
    samples = da.cluster.pixels(dim="energy").pca(2)
    axes = samples.kmeans(2).plot.profiles(lines=["Si", "Fe"])
    assert [len(boxes(ax)) for ax in axes] == [6, 6]
    assert axes[0].get_ylim() == axes[1].get_ylim()
    (ax,) = samples.plot.loadings(lines="Fe")
    assert [name for name, _ in boxes(ax)][-1] == "Fe K\u03b2"
    assert len(boxes(samples.kmeans(2).plot.centers(lines="Fe")[0].axes)) == 4
