"""Several feature dims: of one variable, and different ones of different variables."""

import numpy as np
import pytest
import xarray as xr
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import xcluster

SIZES = {"y": 170, "x": 170}


def group():
    """Three kinds of pixels in stripes."""
    return np.arange(170) // 10 % 3


@pytest.fixture(scope="module")
def patterns():
    """A diffraction pattern at each pixel: a disk whose place tells the group."""
    rng = np.random.default_rng(0)
    ky, kx = np.linspace(-1, 1, 5), np.linspace(1, -1, 6)
    at = np.array([[-0.5, 0], [0, 0], [0.5, 0.5]])
    away = (ky - at[:, :1])[:, :, None] ** 2 + (kx - at[:, 1:])[:, None] ** 2
    disks = np.exp(-4 * away)
    values = 3 * disks[group()][None] + rng.normal(scale=0.5, size=(170, 170, 5, 6))
    dims = ("y", "x", "ky", "kx")
    return xr.Dataset({"pattern": (dims, values.astype("f4"))}, {"ky": ky, "kx": kx})


@pytest.fixture(scope="module")
def spectra():
    """Two spectra of different lengths and one number at each pixel."""
    rng = np.random.default_rng(1)
    g = group()[None, :, None]
    grid = SIZES.values()
    loss, energy = np.arange(400.0, 408), np.arange(5.0)
    return xr.Dataset(
        {
            "eels": (("y", "x", "loss"), rng.normal(size=(*grid, 8)) + 3 * (g == 1)),
            "eds": (("energy", "y", "x"), rng.normal(size=(5, *grid)) + 3 * (g[None, ..., 0] == 2)),
            "haadf": (("y", "x"), rng.normal(size=tuple(grid))),
        },
        {"loss": loss, "energy": energy},
    )


@pytest.mark.parametrize("chunks", [None, {"y": 60, "kx": 2}])
def test_several_feature_dims_of_one_variable_are_those_of_its_flat_rows(patterns, chunks):
    ds = patterns if chunks is None else patterns.chunk(chunks)
    fit = ds.cluster.pixels(dim=["ky", "kx"]).kmeans(3)
    X = patterns["pattern"].values.reshape(-1, 30)
    labels = fit.labels.values.ravel()
    theirs = KMeans(3, n_init=5, random_state=0).fit_predict(X)
    assert adjusted_rand_score(labels, theirs) == 1
    assert adjusted_rand_score(labels, np.tile(group(), 170)) > 0.99
    assert fit.centers["pattern"].dims == ("label", "ky", "kx")
    means = np.stack([X[labels == k].mean(axis=0) for k in range(3)]).reshape(3, 5, 6)
    np.testing.assert_allclose(fit.centers["pattern"], means, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(fit.centers["kx"], patterns["kx"])


def test_labels_do_not_depend_on_the_order_of_dims_or_their_direction(patterns):
    turned = patterns.transpose("kx", "x", "ky", "y").isel(ky=slice(None, None, -1))
    shuffled = patterns.isel(kx=[3, 0, 5, 1, 4, 2])
    fit = patterns.cluster.pixels(dim=["ky", "kx"]).kmeans(3)
    for other in (turned, shuffled):
        theirs = other.cluster.pixels(dim=["kx", "ky"]).kmeans(3)
        np.testing.assert_array_equal(theirs.labels.transpose("y", "x"), fit.labels)
        np.testing.assert_array_equal(fit.predict(other).transpose("y", "x"), fit.labels)
        xr.testing.assert_equal(
            theirs.centers["pattern"].transpose("label", "ky", "kx").sortby(["ky", "kx"]),
            fit.centers["pattern"].sortby(["ky", "kx"]),
        )


def test_variables_may_have_different_feature_dims(spectra):
    samples = spectra.cluster.pixels(dim=["loss", "energy"])
    assert samples.layout.shown == ("eels", "eds")
    assert samples.layout.left_out == {"haadf": "has no dim 'loss'"}
    fit = spectra.cluster.pixels(["eels", "eds", "haadf"], dim=["loss", "energy"]).kmeans(3)
    assert {name: each.dims for name, each in fit.centers.data_vars.items()} == {
        "eels": ("label", "loss"),
        "eds": ("label", "energy"),
        "haadf": ("label",),
    }
    assert adjusted_rand_score(fit.labels.values.ravel(), np.tile(group(), 170)) > 0.98
    for name in ("eels", "eds", "haadf"):
        means = spectra[name].groupby(fit.labels).mean()
        xr.testing.assert_allclose(fit.centers[name], means.transpose("label", ...), rtol=1e-5)


def test_spectra_that_are_no_image_do_not_outvote_the_images(spectra):
    ds = spectra.assign({f"standard_{i}": ("energy", np.arange(5.0)) for i in range(4)})
    assert ds.cluster.pixels(dim=["loss", "energy"]).layout.shown == ("eels", "eds")
    assert ds.cluster.pixels(dim="energy").layout.shown == ("eds",)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_results_of_several_feature_dims_are_saved_and_opened(tmp_path, patterns, spectra, suffix):
    path = tmp_path / f"a{suffix}"
    for ds, dim in ((patterns, ["ky", "kx"]), (spectra, ["loss", "energy"])):
        fit = ds.cluster.pixels(dim=dim).kmeans(3)
        fit.save(path)
        for opened in (xcluster.open(path), xcluster.open(path, data=ds)):
            assert opened.sampler.dim == dim
            xr.testing.assert_identical(opened.centers, fit.centers)
            np.testing.assert_array_equal(opened.predict(ds), fit.labels)
        assert repr(xcluster.open(path)).splitlines()[1] == repr(fit).splitlines()[1]


def test_centres_are_drawn_as_images_or_curves(patterns, spectra):
    fields = patterns.cluster.pixels(dim=["ky", "kx"]).kmeans(3)
    assert fields.plot.centers().axs.size == 3
    with pytest.raises(ValueError, match=r"feature dim .*plot\.centers"):
        fields.plot.profiles()
    curves = spectra.cluster.pixels(dim=["loss", "energy"]).kmeans(3)
    assert len(curves.plot.centers("eds")) == 3
    drawn = curves.plot.centers("eels")[0]
    np.testing.assert_allclose(drawn.get_ydata(), curves.centers["eels"][0])
    panels = curves.plot.profiles("eds", members=5)
    assert [ax.get_xlim() for ax in panels] == [(0, 4)] * 3


def test_a_tuple_is_the_name_of_one_dim(spectra):
    image = spectra["eels"].rename("a").drop_vars("loss").rename(loss=("loss", "eV"))
    fit = image.cluster.pixels(dim=("loss", "eV")).kmeans(3)
    assert fit.centers["a"].dims == ("label", ("loss", "eV"))
    assert image.cluster.pixels(dim=[("loss", "eV")]).layout.n_features == 8


def test_the_list_of_the_user_is_copied(spectra):
    dims = ["loss", "energy"]
    samples = spectra.cluster.pixels(dim=dims)
    dims.clear()
    assert samples.sampler.dim == ["loss", "energy"]


@pytest.mark.parametrize(
    ("dim", "error", "said"),
    [
        ([], ValueError, "names no dim"),
        (["loss", "loss"], ValueError, "twice"),
        (["loss", "enrgy"], ValueError, "Did you mean 'energy'"),
        ([["loss"]], TypeError, "cannot be a name"),
        (("loss", "energy"), ValueError, r"Pass a list: dim=\['loss', 'energy'\]"),
        ({"loss": 1}, ValueError, "not a dim"),
    ],
)
def test_dims_that_are_no_list_of_dims_are_refused(spectra, dim, error, said):
    with pytest.raises(error, match=said):
        spectra.cluster.pixels(dim=dim)


def test_a_dim_that_no_chosen_variable_has_is_refused(spectra):
    with pytest.raises(ValueError, match=r"dim='energy'.*none of the chosen variables 'eels'"):
        spectra.cluster.pixels("eels", dim=["loss", "energy"])
    with pytest.raises(ValueError, match="none of the chosen variables 'haadf'"):
        spectra.cluster.pixels("haadf", dim="energy")


def test_series_along_two_dims_have_no_order_to_warp(patterns):
    with pytest.raises(ValueError, match="series along one dim, but 'pattern'"):
        patterns.cluster.pixels(dim=["ky", "kx"]).kmeans(3, metric="dtw")
