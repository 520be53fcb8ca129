"""Centres are means of the fitted samples, whatever the steps; prototypes are taken back."""

from functools import cache

import numpy as np
import pytest
import xarray as xr
from sklearn.cluster import AgglomerativeClustering
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import FunctionTransformer

import xcluster
from xcluster.files import manifest
from xcluster.fit import fitting

pytestmark = pytest.mark.filterwarnings("ignore:.*still changed")

SHAPE = (24, 30)
STEPS = {
    "log": lambda s: s.scale("log"),
    "anscombe.pca": lambda s: s.scale("anscombe").pca(2),
    "standard.pca": lambda s: s.scale("standard").pca(2),
    "clr": lambda s: s.scale("clr"),
    "norm": lambda s: s.scale("norm"),
    "nmf": lambda s: s.nmf(2),
    "poisson": lambda s: s.pca(2, noise="poisson"),
    "foreign": lambda s: s.then(FunctionTransformer(np.sqrt)),
}
METHODS = {
    "kmeans": lambda s: s.kmeans(3, n_init=2),
    "gmm": lambda s: s.gmm(3, n_init=1),
    "fuzzy": lambda s: s.fuzzy(3, n_init=1, m=1.6),
    "hac": lambda s: s.hac(3),
    "cut": lambda s: s.hac(5).cut(3),
    "sweep": lambda s: s.sweep(range(2, 4), n_init=1).clustering(3),
    "chosen": lambda s: s.gmm(range(2, 4), n_init=1),
    "foreign": lambda s: s.fit(AgglomerativeClustering(3)),
    "foreign, soft": lambda s: s.fit(GaussianMixture(3, random_state=0)),
}


@cache
def scene(spread=1.0):
    """Return counts in three groups of pixels, which overlap unless the spread is small."""
    rng = np.random.default_rng(0)
    group = np.sort(rng.integers(0, 3, SHAPE), axis=None).reshape(SHAPE)
    mean = np.array([[20, 8, 40, 9], [45, 9, 12, 20], [25, 30, 8, 25]])[group]
    values = 1 + np.round(mean * (1 + spread * rng.gamma(2, 0.3, mean.shape)))
    coords = {"y": np.arange(24.0), "x": np.arange(30.0), "band": np.arange(4.0)}
    arrays = {
        "a": (("y", "x", "band"), values, {"units": "counts"}),
        "w": (("y", "x"), rng.gamma(2, 1, SHAPE)),
    }
    return xr.Dataset(arrays, coords)


def pixels(ds):
    return ds[["a"]].cluster.pixels(dim="band")


def expected_centers(fit, ds, weight=1.0, power=1.0):
    """Return the means of the samples, from the labels or memberships on the map."""
    if fit.is_soft:
        share = fit.memberships.astype(np.float64) ** power * weight
    else:
        share = (fit.labels == xr.DataArray(np.arange(fit.k), dims="label")) * weight
    share = share.where(fit.labels.notnull(), 0.0)
    total = (ds.a * share).sum(("y", "x")) / share.sum(("y", "x"))
    return total.transpose("label", "band").values


@pytest.mark.parametrize("steps", STEPS)
def test_centers_are_means_of_samples_behind_any_steps(steps):
    ds = scene()
    fit = METHODS["kmeans"](STEPS[steps](pixels(ds)))
    np.testing.assert_allclose(fit.centers.a, expected_centers(fit, ds), rtol=1e-12)
    assert fit.centers.a.units == "counts"


@pytest.mark.parametrize("method", METHODS)
def test_each_method_weighs_samples_by_its_own_weights(method):
    ds = scene()
    fit = METHODS[method](pixels(ds).scale("log").pca(2))
    power = 1.6 if method == "fuzzy" else 1.0
    # Memberships on the map have seven digits.
    rtol = 1e-6 if fit.is_soft else 1e-12
    np.testing.assert_allclose(fit.centers.a, expected_centers(fit, ds, power=power), rtol=rtol)
    assert fit.source.means is not None


def test_weights_of_samples_and_masks_count():
    ds = scene()
    asked = pixels(ds).where(ds.y > 3).weights(ds.w).scale("log")
    for method in ("kmeans", "gmm"):
        fit = METHODS[method](asked)
        found = expected_centers(fit, ds.where(ds.y > 3), ds.w)
        np.testing.assert_allclose(fit.centers.a, found, rtol=1e-6)


def test_merged_labels_have_the_mean_of_all_their_samples():
    ds = scene()
    for method, power in {"kmeans": 1.0, "gmm": 1.0}.items():
        fit = METHODS[method](pixels(ds).scale("clr")).merge([[0, 2]])
        np.testing.assert_allclose(fit.centers.a, expected_centers(fit, ds, power=power), rtol=1e-6)


def test_prototypes_are_what_predict_uses():
    ds = scene()
    fit = pixels(ds).scale("log").gmm(3, n_init=1)
    back = np.exp(fit.model[-1].means_)[np.argsort(fit.partition.codes)]
    np.testing.assert_allclose(fit.prototypes.a, back, rtol=1e-12)
    hard = pixels(ds).scale("log").kmeans(3)
    assert (hard.prototypes.a < hard.centers.a).all()  # geometric and arithmetic means
    with pytest.raises(ValueError, match=r"without an inverse.*Use \.centers"):
        pixels(ds).scale("clr").kmeans(2).prototypes  # noqa: B018
    with pytest.raises(ValueError, match=r"compares samples with fitted ones.*Use \.centers"):
        pixels(ds).hac(2).prototypes  # noqa: B018


@pytest.mark.parametrize(
    "method", [lambda s: s.som((1, 3)), lambda s: s.kmeans(2, metric="dtw", n_init=1)]
)
def test_centers_of_a_map_and_of_warped_series_are_prototypes(method):
    ds = scene().isel(x=slice(6))
    fit = method(ds[["a"]].cluster.profiles("band").scale("log"))
    xr.testing.assert_identical(fit.centers, fit.prototypes)
    without = method(ds[["a"]].cluster.profiles("band").scale("norm"))
    found = expected_centers(without, ds)
    known = ~np.isnan(found).any(axis=1)
    np.testing.assert_allclose(without.centers.a[known], found[known], rtol=1e-12)


def test_labels_can_be_ordered_by_means_behind_a_step_without_an_inverse():
    fit = pixels(scene()).scale("clr").kmeans(3, order="a")
    assert (fit.centers.a.mean("band").diff("label") > 0).all()


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_means_are_saved_with_their_weights(tmp_path, suffix):
    ds, path = scene(), tmp_path / f"a{suffix}"
    fit = METHODS["fuzzy"](pixels(ds).scale("log"))
    fit.save(path)
    for again in (xcluster.open(path), xcluster.open(path, data=ds[["a"]])):
        xr.testing.assert_identical(again.centers, fit.centers)
        xr.testing.assert_identical(again.prototypes, fit.prototypes)
        merged = again.merge([[0, 1]])
        xr.testing.assert_identical(merged.centers, fit.merge([[0, 1]]).centers)
        assert again.record == fit.record


def test_files_without_means_keep_their_centers_and_say_so(tmp_path, monkeypatch):
    fit = METHODS["kmeans"](pixels(scene()).scale("log"))
    arrays = manifest._own_arrays
    with monkeypatch.context() as patch:
        names = ("means", "mean_weights")
        patch.setattr(
            manifest,
            "_own_arrays",
            lambda fitted: {name: a for name, a in arrays(fitted).items() if name not in names},
        )
        fit.save(tmp_path / "old.nc")
    old = xcluster.open(tmp_path / "old.nc")
    xr.testing.assert_identical(old.centers, fit.prototypes)
    assert manifest.OLD_CENTERS.text in old.record.sentences()
    assert manifest.OLD_CENTERS not in fit.record.notes
    old.save(tmp_path / "again.nc")
    again = xcluster.open(tmp_path / "again.nc")
    xr.testing.assert_identical(again.centers, fit.prototypes)
    assert again.record == old.record


def test_scenes_have_the_means_of_all_scenes_together(tmp_path):
    ds = scene()
    parts = {"left": ds[["a"]].isel(x=slice(11)), "right": ds[["a"]].isel(x=slice(11, None))}
    fit = xcluster.pool(parts, lambda each: pixels(each).scale("log")).gmm(3, n_init=1)
    whole = pixels(ds).scale("log").gmm(3, n_init=1)
    np.testing.assert_allclose(fit.centers.a, whole.centers.a, rtol=1e-12)
    xr.testing.assert_identical(fit["left"].centers, fit.centers)
    xr.testing.assert_identical(fit.prototypes, fit["right"].prototypes)
    fit.save(tmp_path / "a.nc")
    xr.testing.assert_identical(xcluster.open(tmp_path / "a.nc").centers, fit.centers)


# ------------------------------------------------------------------------------------ streamed


@pytest.fixture
def _streams(monkeypatch):
    """Let grids of 720 points count as too large to gather."""
    monkeypatch.setattr(fitting, "ALL_POINTS", 500)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 200)


@pytest.mark.usefixtures("_streams")
@pytest.mark.parametrize(
    ("steps", "method", "options"),
    [
        ("log", "fuzzy", {"m": 1.6}),
        ("standard.pca", "gmm", {}),
        ("clr", "kmeans", {}),
        ("poisson", "kmeans", {}),
    ],
)
def test_streamed_means_are_those_of_all_rows_in_any_chunks(steps, method, options):
    # Groups so far apart that no label changes in the last pass; some pixels hold no counts.
    ds = scene(spread=0.2)
    ds = ds.where(ds.y > 0, 0) if steps == "poisson" else ds
    arranged = ds.chunk(y=7, x=11), ds.transpose("band", "x", "y").chunk(x=30)
    keywords = {"fit_on": "all", "n_init": 1, **options}
    fits = [getattr(STEPS[steps](pixels(each)), method)(3, **keywords) for each in arranged]
    assert fits[0].record.fit_on == "all rows, streamed"
    found = expected_centers(fits[0], ds, power=options.get("m", 1.0))
    np.testing.assert_allclose(fits[0].centers.a, found, rtol=1e-6)
    xr.testing.assert_equal(fits[1].centers, fits[0].centers)


@pytest.mark.usefixtures("_streams")
def test_a_streamed_map_behind_a_step_without_an_inverse_has_means():
    ds = scene(spread=0.2).chunk(y=5)
    fit = pixels(ds).scale("norm").som((1, 3), fit_on="all")
    np.testing.assert_allclose(fit.centers.a, expected_centers(fit, ds), rtol=1e-12)


@pytest.mark.usefixtures("_streams")
def test_streamed_fuzzy_centers_are_means_by_the_last_memberships():
    ds = scene().chunk(y=5)
    fit = pixels(ds).weights(ds.w).scale("standard").fuzzy(3, n_init=1, tol=0.05, fit_on="all")
    found = expected_centers(fit, ds, ds.w, power=2.0)
    np.testing.assert_allclose(fit.centers.a, found, rtol=1e-5)
    assert abs(fit.prototypes.a - fit.centers.a).max() > 1e-4  # the clusters still moved


def test_means_of_counts_are_never_negative_by_rounding():
    ds = scene().astype(np.float32)
    ds["a"] = ds.a.where((ds.band != 1) | (ds.y > 12), 0.0)  # some labels have none in a channel
    fit = pixels(ds).scale("standard").kmeans(4, n_init=2)
    assert float(fit.centers.a.min()) >= 0
