"""Spectra of labels as EMSA/MAS files, read back by RosettaSciIO."""

import errno
import warnings

import numpy as np
import pytest
import xarray as xr
from rsciio import msa as theirs

import xcluster
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.files import replacing


def spectra(energy=None, units="keV", **attrs):
    """Return a map of spectra of three kinds."""
    rng = np.random.default_rng(0)
    at = np.arange(40) * 0.02 + 0.3 if energy is None else energy
    peaks = np.exp(-(((np.arange(40) - np.array([8, 20, 31])[:, None]) / 2.0) ** 2)) * 50
    kind = np.arange(12 * 15).reshape(12, 15) % 3
    coords = {"energy": ("energy", at, {"units": units, "long_name": "X-ray energy"})}
    attrs = {"units": "counts", "long_name": "X-rays", **attrs}
    values = rng.poisson(peaks[kind]).astype(float)
    return xr.DataArray(values, coords, ("y", "x", "energy"), name="counts", attrs=attrs)


def read(path):
    """Return values, axis and header, as RosettaSciIO has them; it must not warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = theirs.file_reader(str(path))
    return found["data"], found["axes"][0], found["original_metadata"], found["metadata"]


def fitted(da, k=3):
    return da.cluster.pixels(dim="energy").kmeans(k)


@pytest.mark.parametrize("what", ["centers", "back_projection"])
def test_each_label_is_a_file_that_rosettasciio_reads(tmp_path, what):
    fit = fitted(spectra()).relabel(["quartz", "Fe-oxide (µ)", "label 2"])
    paths = fit.to_msa(tmp_path / "spectra", what, signal_type="EDS_TEM")
    names = ["label_0_quartz.msa", "label_1_Fe_oxide_u.msa", "label_2_label_2.msa"]
    assert [path.name for path in paths] == names
    means = spectra().groupby(fit.labels.rename("label")).mean().transpose("label", "energy")
    for label, path in enumerate(paths):
        values, axis, header, metadata = read(path)
        np.testing.assert_allclose(values, means.values[label], rtol=1e-6, atol=1e-9)
        assert (axis["scale"], axis["offset"]) == pytest.approx((0.02, 0.3), rel=1e-9)
        assert (axis["units"], axis["name"], axis["size"]) == ("keV", "X-ray energy", 40)
        assert (header["SIGNALTYPE"], header["YUNITS"], header["NPOINTS"]) == ("EDS", "counts", 40)
        assert metadata["Signal"]["signal_type"].startswith("EDS")
        assert metadata["General"]["date"]
    assert header["TITLE"] == "2 label 2"
    lines = paths[0].read_bytes().decode("ascii").split("\r\n")
    assert lines[0] == "#FORMAT      : EMSA/MAS Spectral Data File"
    assert lines[-2:] == ["#ENDOFDATA   : ", ""]
    assert all(len(line) <= 79 for line in lines)


def test_soft_back_projections_are_those_of_the_result(tmp_path):
    fit = spectra().cluster.pixels(dim="energy").pca(3).fuzzy(3)
    paths = fit.to_msa(tmp_path, "back_projection")
    for label, path in enumerate(paths):
        np.testing.assert_allclose(
            read(path)[0], fit.back_projection().counts[label], rtol=1e-6, atol=1e-9
        )


@pytest.mark.parametrize(("units", "shown"), [("ev", "eV"), ("KeV", "keV"), ("µm", "um"), ("", "")])
def test_units_are_those_that_the_format_knows(tmp_path, units, shown):
    axis = read(fitted(spectra(units=units)).to_msa(tmp_path)[0])[1]
    assert (axis["units"] or "") == shown


def test_the_kind_of_a_signal_is_given_stated_or_told_by_its_axis(tmp_path):
    def kind(da, **given):
        return read(fitted(da).to_msa(tmp_path, **given)[0])[2].get("SIGNALTYPE")

    losses = spectra().assign_coords(
        energy=("energy", np.arange(40.0), {"units": "eV", "long_name": "energy loss"})
    )
    assert kind(losses) == "ELS"
    assert kind(losses, signal_type="EDS_TEM") == "EDS"
    assert kind(spectra(signal_type="CL")) == "CLS"
    assert kind(spectra()) is None


def test_an_axis_without_coordinate_or_falling_is_written_as_it_is(tmp_path):
    _, axis, header, _ = read(fitted(spectra().drop_vars("energy")).to_msa(tmp_path)[0])
    assert (axis["scale"], axis["offset"], header["XLABEL"]) == (1, 0, "energy")
    falling = spectra().isel(energy=slice(None, None, -1))
    values, axis, _, _ = read(fitted(falling).to_msa(tmp_path)[0])
    assert (axis["scale"], axis["offset"]) == pytest.approx((-0.02, 1.08))
    np.testing.assert_allclose(values, fitted(falling).centers.counts[0], rtol=1e-6, atol=1e-9)


def test_an_uneven_axis_is_refused_and_the_remedy_works(tmp_path):
    uneven = spectra(np.linspace(0.5, 1.5, 40) ** 2)
    with pytest.raises(BadValueError, match="evenly spaced") as caught:
        fitted(uneven).to_msa(tmp_path)
    code = caught.value.remedy.removeprefix("cluster ").removesuffix(" instead")
    even = eval(code, {"ds": uneven, "np": np})
    assert len(fitted(even).to_msa(tmp_path)) == 3
    assert list(fitted(spectra()).to_msa(tmp_path / "a")) != []


def test_an_axis_of_names_is_refused(tmp_path):
    names = [f"channel {i}" for i in range(40)]
    with pytest.raises(BadTypeError, match="needs numbers"):
        fitted(spectra().assign_coords(energy=names)).to_msa(tmp_path)


def test_a_label_without_samples_has_no_file_and_this_is_said(tmp_path):
    da = spectra().isel(x=[0] * 15).copy()
    da[4, 4] = spectra()[0, 1]
    da[9, 9] = spectra()[0, 2]
    fit = fitted(da).sieve(2)
    gone = np.flatnonzero(fit.centers.counts.isnull().all("energy"))
    assert len(gone) > 0
    with pytest.warns(UserWarning, match=f"label {gone[0]} .* has no spectrum"):
        assert len(fit.to_msa(tmp_path)) == 3 - len(gone)


def test_files_sort_in_the_order_of_labels(tmp_path):
    paths = fitted(spectra(), 11).to_msa(tmp_path)
    assert paths == sorted(paths)
    assert paths[2].name == "label_02.msa"


def test_results_without_spectra_are_refused(tmp_path):
    fit = spectra().mean("energy").cluster.pixels().kmeans(2)
    with pytest.raises(BadValueError, match=r"one feature dim.*pixels\(dim=\.\.\.\)"):
        fit.to_msa(tmp_path)
    with pytest.raises(BadValueError, match="var='count'"):
        fitted(spectra()).to_msa(tmp_path, var="count")
    with pytest.raises(FileNotFoundError, match="folder="):
        fitted(spectra()).to_msa(tmp_path / "no" / "such")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match="folder="):
        fitted(spectra()).to_msa(tmp_path / "file")


def test_a_full_disk_leaves_old_files_whole(tmp_path, monkeypatch):
    old = [path.read_bytes() for path in fitted(spectra()).to_msa(tmp_path)]

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(replacing, "flush", full)
    with pytest.raises(OSError, match=r"path=.*cannot be written \(No space left"):
        fitted(spectra() * 2).to_msa(tmp_path)
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == old


def test_spectra_of_an_opened_result_are_written(tmp_path):
    fit = fitted(spectra())
    fit.save(tmp_path / "fit.nc")
    opened = xcluster.open(tmp_path / "fit.nc").to_msa(tmp_path / "spectra")
    np.testing.assert_allclose(read(opened[0])[0], fit.centers.counts[0], rtol=1e-6, atol=1e-9)


def test_scenes_have_their_spectra_in_common(tmp_path):
    scenes = {"one": spectra(), "two": spectra().isel(y=slice(5))}
    fit = xcluster.pool(scenes, lambda each: each.cluster.pixels(dim="energy")).kmeans(3)
    for label, path in enumerate(fit.to_msa(tmp_path)):
        np.testing.assert_allclose(read(path)[0], fit.centers.counts[label], rtol=1e-6, atol=1e-9)
