"""Variables that count the same, whatever their number of features."""

import numpy as np
import pytest
import xarray as xr
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import xcluster
from xcluster.algorithms.scaling import Scaler

N = 170


@pytest.fixture(scope="module")
def scene():
    """One clear image in two groups, and a spectrum of 200 channels of noise."""
    rng = np.random.default_rng(0)
    truth = np.broadcast_to(np.arange(N) % 2, (N, N))
    image = rng.normal(size=(N, N)) + 6 * truth
    noise = 40 * rng.normal(size=(N, N, 200)).astype("f4") + 7
    dims = ("y", "x")
    ds = xr.Dataset({"image": (dims, image), "noise": ((*dims, "channel"), noise)})
    return ds.assign_coords(channel=np.arange(200.0)), truth.ravel()


def samples_of(ds):
    return ds.cluster.pixels(["image", "noise"], dim="channel")


def test_a_clear_image_is_found_beside_200_channels_of_noise(scene):
    ds, truth = scene
    plain = samples_of(ds).scale(over="variable").kmeans(2).labels
    assert adjusted_rand_score(plain.values.ravel(), truth) < 0.05
    fit = samples_of(ds).scale(over="variable", balance=True).kmeans(2)
    image, noise = ds["image"].values.ravel(), ds["noise"].values.reshape(-1, 200)
    scaled = [(each - each.mean()) / each.std() for each in (image[:, None], noise)]
    X = np.concatenate([scaled[0], scaled[1] / np.sqrt(200)], axis=1)
    right = KMeans(2, n_init=3, random_state=0).fit_predict(X)
    assert adjusted_rand_score(fit.labels.values.ravel(), right) == 1
    assert adjusted_rand_score(fit.labels.values.ravel(), truth) > 0.98
    means = ds.groupby(fit.labels).mean()
    for name in ("image", "noise"):
        np.testing.assert_allclose(fit.centers[name], means[name], rtol=1e-4)


def test_the_default_stays(scene):
    ds, _ = scene
    few = ds.isel(y=slice(0, 20))
    stated = samples_of(few).scale("standard", over="variable", balance=False)
    np.testing.assert_array_equal(stated.transform(), samples_of(few).transform())


@pytest.mark.parametrize("how", ["standard", "robust", "minmax", "max"])
def test_all_groups_have_the_same_weight_in_a_distance(how):
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], [1, 7, 60])
    X = rng.normal(size=(500, 68)) * 10.0**groups
    plain = Scaler(how, groups=groups).fit(X)
    scaler = Scaler(how, groups=groups, balance=True).fit(X)
    size = np.bincount(groups)[groups]
    np.testing.assert_allclose(scaler.transform(X), plain.transform(X) / np.sqrt(size), rtol=1e-12)
    np.testing.assert_allclose(scaler.inverse_transform(scaler.transform(X)), X, atol=1e-9)
    if how == "standard":
        variances = np.bincount(groups, scaler.transform(X).var(axis=0))
        np.testing.assert_allclose(variances, 1, rtol=1e-2)


def test_the_balance_is_said_saved_and_opened(tmp_path, scene):
    ds = scene[0].isel(y=slice(0, 20))
    fit = samples_of(ds).scale("max", over="variable", balance=True).kmeans(2)
    assert "scale('max', balance=True, over='variable')" in repr(fit)
    fit.save(tmp_path / "a.nc")
    for opened in (xcluster.open(tmp_path / "a.nc"), xcluster.open(tmp_path / "a.nc", data=ds)):
        assert "balance=True" in repr(opened)
        np.testing.assert_array_equal(opened.predict(ds), fit.labels)


def test_samples_say_when_variables_differ_tenfold_in_features(scene):
    ds, _ = scene
    said = "noise, with 200 features, counts more than image, with 1;"
    assert said in repr(samples_of(ds))
    assert said in samples_of(ds)._repr_html_()
    assert said not in repr(samples_of(ds).scale(over="variable", balance=True))
    assert "counts more" not in repr(samples_of(ds.isel(channel=slice(0, 9))))
    assert "counts more" in repr(samples_of(ds.isel(channel=slice(0, 10))))
    assert "counts more" not in repr(ds.cluster.pixels("noise", dim="channel"))


@pytest.mark.parametrize(
    ("keywords", "error", "said"),
    [
        ({"balance": True}, ValueError, "over='feature' was passed. Pass over='variable' too"),
        ({"over": "all", "balance": True}, ValueError, "Pass over='variable' too"),
        ({"over": "variable", "balance": 1}, TypeError, "balance=1"),
        ({"how": "log", "over": "variable", "balance": True}, ValueError, "needs a scaling by"),
        ({"how": None, "over": "variable", "balance": True}, ValueError, "needs a scaling by"),
    ],
)
def test_a_balance_that_means_nothing_is_refused(scene, keywords, error, said):
    with pytest.raises(error, match=said):
        samples_of(scene[0]).scale(**keywords)
