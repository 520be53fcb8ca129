"""Results as signals of HyperSpy, where it is installed."""

import sys

import numpy as np
import pytest
import xarray as xr

import xcluster
from xcluster.base.errors import BadValueError
from xcluster.export.hyperspy import _axis


def spectra(**attrs):
    eds = xcluster.datasets.eds(size=20).counts
    energy = ("energy", np.arange(eds.sizes["channel"]) * 0.02, {"units": "keV"})
    eds = eds.rename(channel="energy").assign_coords(energy=energy).assign_attrs(attrs)
    return xcluster.coords.pixel_size(eds, 0.25, unit="um").isel(energy=slice(20, 120))


@pytest.fixture(scope="module")
def hs():
    pytest.importorskip("exspy")
    return pytest.importorskip("hyperspy.api")


@pytest.fixture(scope="module")
def fit():
    return spectra().cluster.pixels(dim="energy").pca(3).gmm(3)


def test_labels_are_an_image(hs, fit):
    named = fit.relabel(["a", "b", "c"], colors=["red", "lime", "blue"])
    signal = named.to_hyperspy()
    assert type(signal) is hs.signals.Signal2D
    np.testing.assert_array_equal(signal.data, fit.labels.values)
    x, y = signal.axes_manager.signal_axes
    assert (x.name, x.scale, x.offset, x.units) == ("x", 0.25, 0.0, "um")
    assert (y.name, y.size) == ("y", 20)
    assert signal.metadata.xcluster.names == ["a", "b", "c"]
    assert signal.metadata.xcluster.colors[1] == "#00ff00"


def test_memberships_and_frames_are_navigated(hs):
    movie = xr.concat([spectra(), spectra() * 2], "frame")
    fit = movie.cluster.pixels(dim="energy").pca(3).gmm(3, covariance_type="diag")
    assert fit.to_hyperspy().axes_manager.navigation_shape == (2,)
    signal = fit.to_hyperspy("memberships")
    theirs = fit.memberships.transpose("label", "frame", "y", "x")
    assert signal.axes_manager.navigation_shape == (2, 3)
    np.testing.assert_array_equal(signal.data, theirs)


def test_lazy_labels_stay_lazy(hs, fit, computes):
    lazy = spectra().chunk(y=7).cluster.pixels(dim="energy").pca(3).gmm(3)
    before = computes()
    signal = lazy.to_hyperspy()
    assert signal._lazy
    assert computes() == before
    signal.compute(show_progressbar=False)
    np.testing.assert_array_equal(signal.data, fit.labels.values)


@pytest.mark.parametrize("what", ["centers", "back_projection"])
def test_centres_are_spectra_of_a_kind_with_an_energy_axis(hs, fit, what):
    signal = fit.to_hyperspy(what, signal_type="EDS_TEM")
    assert type(signal).__name__ == "EDSTEMSpectrum"
    (axis,) = signal.axes_manager.signal_axes
    assert (axis.name, axis.units, axis.size) == ("energy", "keV", 100)
    assert (axis.scale, axis.offset) == pytest.approx((0.02, 0.4))
    found = fit.centers if what == "centers" else fit.back_projection()
    np.testing.assert_allclose(signal.data, found.counts)
    signal.set_elements(["Si", "O"])
    intensity = signal.get_lines_intensity(["Si_Ka"])[0]
    assert int(np.argmax(intensity.data)) == int(
        np.argmax(found.counts.sel(energy=1.74, method="nearest").values)
    )


def test_the_kind_is_stated_by_the_data_or_by_the_axis(hs):
    stated = spectra(signal_type="EDS_SEM").cluster.pixels(dim="energy").kmeans(2)
    assert type(stated.to_hyperspy("centers")).__name__ == "EDSSEMSpectrum"
    losses = spectra().rename(energy="energy_loss")
    fit = losses.cluster.pixels(dim="energy_loss").kmeans(2)
    assert type(fit.to_hyperspy("centers")).__name__ == "EELSSpectrum"


def test_a_signal_is_saved_and_loaded(hs, fit, tmp_path):
    pytest.importorskip("h5py")
    fit.to_hyperspy().save(tmp_path / "labels.hspy")
    again = hs.load(tmp_path / "labels.hspy")
    np.testing.assert_array_equal(again.data, fit.labels.values)
    assert again.metadata.xcluster.names == list(fit.partition.label_names())


def test_scenes_are_images_and_have_spectra_in_common(hs):
    scenes = {"one": spectra(), "two": spectra().isel(y=slice(5))}
    fit = xcluster.pool(scenes, lambda each: each.cluster.pixels(dim="energy")).kmeans(3)
    found = fit.to_hyperspy()
    assert {name: each.data.shape for name, each in found.items()} == {
        "one": (20, 20),
        "two": (5, 20),
    }
    np.testing.assert_allclose(fit.to_hyperspy("centers").data, fit.centers.counts)


# ---------------------------------------------------------------------- where it is not installed


def test_a_missing_hyperspy_is_named_with_its_install(fit, monkeypatch):
    monkeypatch.setitem(sys.modules, "hyperspy.api", None)
    with pytest.raises(ImportError, match=r"to_hyperspy\(\) needs hyperspy: pip install hyperspy"):
        fit.to_hyperspy()


def test_other_words_are_refused(fit):
    with pytest.raises(BadValueError, match=r"Did you mean 'labels'\?"):
        fit.to_hyperspy("label")
    with pytest.raises(BadValueError, match="belongs to spectra, not to labels"):
        fit.to_hyperspy(signal_type="EDS_TEM")
    with pytest.raises(BadValueError, match=r"Did you mean 'EDS_TEM'\?"):
        fit.to_hyperspy("centers", signal_type="EDSTEM")


def test_axes_are_even_or_say_every_place():
    da = xr.DataArray(np.zeros((3, 4, 2)), dims=("y", "x", "z"))
    da = da.assign_coords(
        y=("y", [3.0, 2.5, 2.0], {"units": "nm"}), x=[1.0, 2.0, 4.0, 8.0], z=["a", "b"]
    )
    plain = {"units": "", "size": 2}
    assert _axis(da, "y") == {"name": "y", "units": "nm", "size": 3, "offset": 3.0, "scale": -0.5}
    assert _axis(da, "x")["axis"].tolist() == [1.0, 2.0, 4.0, 8.0]
    assert _axis(da, "z") == {"name": "z", **plain}
    energies = xr.DataArray(
        np.zeros(4096), {"e": np.float32(0.1) + np.arange(4096) * np.float32(0.01)}, "e"
    )
    assert _axis(energies, "e")["scale"] == pytest.approx(0.01)
