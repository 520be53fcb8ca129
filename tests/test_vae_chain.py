"""The variational auto-encoder within a chain: labels, centres, files, latent diagnostics."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import xcluster

pytest.importorskip("torch")

QUICK = {"epochs": 12, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def curve():
    """Three clumps along a curve in five variables, NaN at some points."""
    random = np.random.default_rng(0)
    angle = np.repeat([0.3, 1.5, 2.7], 200).reshape(20, 30) + 0.1 * random.normal(size=(20, 30))
    values = np.stack([np.cos(k * angle) for k in range(1, 6)]) * np.arange(1, 6)[:, None, None]
    values[:, 0, :4] = np.nan
    names = [f"band_{number}" for number in range(5)]
    return xr.Dataset({name: (("y", "x"), each) for name, each in zip(names, values, strict=True)})


@pytest.fixture(scope="module")
def fit(curve):
    return curve.cluster.pixels().vae(2, **QUICK).kmeans(3, progress=False)


def test_labels_of_the_latent_space_are_those_of_the_clumps(curve, fit):
    clumps = np.repeat([0, 1, 2], 200).reshape(20, 30).astype(float)
    clumps[0, :4] = np.nan
    matched = fit.match(xr.DataArray(clumps, dims=("y", "x"), name="labels"))
    assert float((matched.labels == clumps).sum()) > 0.95 * 596


def test_centers_are_decoded_into_data_units(curve, fit):
    means = curve.groupby(fit.labels.rename("labels")).mean()
    for name in curve:
        spread = float(curve[name].std())
        np.testing.assert_allclose(fit.centers[name], means[name], atol=0.5 * spread)


def test_chunked_data_give_the_labels_of_eager_ones(curve, fit):
    lazy = curve.chunk(y=6, x=11).cluster.pixels().vae(2, **QUICK).kmeans(3, progress=False)
    xr.testing.assert_equal(lazy.labels.compute(), fit.labels)


def test_labels_of_one_latent_dimension_are_numbered_along_it(curve):
    samples = curve.cluster.pixels().vae(1, **QUICK)
    fit = samples.kmeans(3, progress=False)
    along = fit.features.isel(component=0).groupby(fit.labels).mean()
    assert (np.diff(along) > 0).all()
    by_size = samples.kmeans(3, order="size", progress=False).report()["samples"].to_numpy()
    assert (np.diff(by_size) <= 0).all()


def test_the_number_of_labels_can_be_chosen(curve):
    fit = curve.cluster.pixels().vae(2, **QUICK).gmm([2, 3, 4], progress=False)
    assert fit.k in (2, 3, 4)
    assert fit.memberships.sizes["label"] == fit.k


def test_a_saved_result_is_used_without_torch(curve, fit, tmp_path):
    fit.save(tmp_path / "a.nc")
    fit.labels.to_netcdf(tmp_path / "labels.nc")
    curve.to_netcdf(tmp_path / "data.nc")
    code = f"""
import builtins, sys
import xarray as xr, xcluster
fit = xcluster.open({str(tmp_path / "a.nc")!r})
with xr.open_dataset({str(tmp_path / "data.nc")!r}) as ds:
    labels = fit.predict(ds.load())
with xr.open_dataset({str(tmp_path / "labels.nc")!r}) as expected:
    assert labels.equals(expected.label.astype("float32"))
fit.decode([[0.0, 0.0]])
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_latent_points_are_decoded_as_their_samples_are(curve, fit):
    points = fit.features.isel(y=5).dropna("x")
    decoded = fit.decode(points)
    expected = fit.assign.chain.inverse(points.transpose("x", "component").values)
    np.testing.assert_allclose(decoded.to_dataarray().T, expected, rtol=1e-5)
    assert fit.decode([0.0, 0.0]).sizes == {"point": 1, "component": 2}


def test_latent_diagnostics_cover_the_samples(curve, fit):
    gradient = fit.latent_gradient(7)
    assert gradient.sizes == {"z_0": 7, "z_1": 7}
    assert (gradient >= 0).all()
    pairs = curve.cluster.pixels().vae(2, **QUICK).latent_distances(300)
    assert pairs.sizes == {"pair": 300}
    assert np.corrcoef(pairs.latent, pairs.decoded)[0, 1] > 0.5


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"n": 0}, ValueError, "n=0"),
        ({"alpha": -1}, ValueError, "alpha=-1"),
        ({"hiden": 8}, TypeError, "'hidden'"),
        ({"epochs": 0}, ValueError, "epochs=0"),
        ({"learning_rate": 0}, ValueError, "learning_rate=0"),
    ],
)
def test_wrong_keywords_are_refused_where_they_are_written(curve, keywords, error, message):
    with pytest.raises(error, match=message):
        curve.cluster.pixels().vae(**keywords)


def test_training_that_diverges_stops_and_says_in_which_epoch(curve):
    with pytest.raises(ValueError, match=r"diverged in epoch \d+.*[Ll]ower learning_rate"):
        curve.cluster.pixels().vae(2, learning_rate=1e30).kmeans(2)


def test_decoding_needs_a_latent_space(curve, fit):
    with pytest.raises(ValueError, match=r"add|Add .vae"):
        curve.cluster.pixels().kmeans(2).decode([0.0])
    with pytest.raises(ValueError, match="2 numbers"):
        fit.decode([[1.0, 2.0, 3.0]])


def test_windows_can_be_reduced_by_it_too():
    image = xr.DataArray(np.random.default_rng(0).normal(size=(20, 20)), dims=("y", "x"))
    fit = image.cluster.patches(4, every=2).vae(2, epochs=2).kmeans(2, progress=False)
    assert fit.upsample().sizes == image.sizes
    assert xcluster.Clustering is type(fit)
