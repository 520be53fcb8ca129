"""The STEM study of sub-images: windows around positions, mixtures of them raw or reduced."""

import warnings
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from oracles import agreeing, counterparts, numbers, opened, rows
from scipy.ndimage import gaussian_filter, maximum_filter
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

import xcluster
from xcluster import datasets

SIZE = 40


def domains():
    return datasets.stem(size=256).intensity, 3


def graphene():
    image = opened("microscopy/stem_graphene_gb_512.nc").intensity
    return image.isel(y=slice(100, 400), x=slice(100, 400)), 3


def adatoms():
    image = opened("microscopy/stem_MoS2_Se_1024.nc").intensity
    return image.isel(y=slice(300, 620), x=slice(300, 620)), 3


@pytest.fixture(scope="module", params=[domains, graphene, adatoms])
def case(request):
    """An image with a hole, the positions of its columns, and the windows around them."""
    image, k = request.param()
    image = image.transpose("y", "x").astype("float64").rename("intensity")
    image[120:123, 60:62] = np.nan
    positions = bright(image.values)
    windows = windows_around(image.values, positions, SIZE)
    at = np.column_stack([image.y.values[positions[:, 0]], image.x.values[positions[:, 1]]])
    return SimpleNamespace(
        image=image,
        k=k,
        positions=positions,
        X=windows.reshape(len(windows), -1),
        samples=image.cluster.patches(SIZE, at=at),
    )


def bright(values, sigma=1.5, distance=4):
    """Return pixels that no other of their neighbourhood is brighter than, once smoothed."""
    known = np.isfinite(values)
    share = gaussian_filter(known.astype(float), sigma, mode="nearest")
    smooth = gaussian_filter(np.where(known, values, 0), sigma, mode="nearest") / share
    smooth = np.where(known, smooth, -np.inf)
    top = (smooth == maximum_filter(smooth, 2 * distance + 1)) & (smooth > np.median(smooth[known]))
    top[[0, -1]] = top[:, [0, -1]] = False
    return np.argwhere(top)


def windows_around(values, positions, size):
    """Return the windows of positions that have a full one without gaps."""
    half, found = size // 2, []
    for i, j in positions:
        window = values[max(i - half, 0) : i - half + size, max(j - half, 0) : j - half + size]
        if window.shape == (size, size) and np.isfinite(window).all():
            found.append(window.T)  # the order of our features
    return np.array(found)


def test_positions_are_the_brightest_pixels_of_their_neighbourhoods(case):
    found = xcluster.peaks(case.image, sigma=1.5, min_distance=4)
    ours = {(float(y), float(x)) for y, x in zip(found.y, found.x, strict=True)}
    y, x = case.image.y.values, case.image.x.values
    theirs = {(float(y[i]), float(x[j])) for i, j in case.positions}
    assert len(ours & theirs) >= 0.98 * len(ours | theirs)


def test_descriptors_are_the_full_windows_without_gaps(case):
    assert case.X.shape[1] == 1600
    np.testing.assert_array_equal(rows(case.samples.transform()), case.X)
    assert len(case.X) < len(case.positions)  # some lie at the edge or by the hole
    assert "have no full window" in repr(case.samples)


def mixture(X, k, **keywords):
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        return GaussianMixture(k, random_state=0, **keywords).fit(X)


@pytest.fixture(scope="module")
def fit(case):
    return case.samples.pca(2).gmm(case.k, tol=1e-6, max_iter=500)


def test_two_components_and_a_mixture_are_theirs(case, fit):
    with threadpool_limits(1):
        flat = PCA(2, svd_solver="covariance_eigh").fit_transform(case.X)
    ours = rows(fit.features)
    np.testing.assert_allclose(np.abs(ours), np.abs(flat), atol=1e-3 * np.abs(flat).max())
    peer = mixture(ours, case.k, n_init=10, tol=1e-6, max_iter=500)
    model = fit.model[-1]
    assert model.score_samples(ours).mean() >= peer.score(ours) - 1e-3
    if model.score_samples(ours).mean() <= peer.score(ours) + 1e-3:
        assert agreeing(peer.predict(ours), numbers(fit.labels)) > 0.98
        order = counterparts(peer.predict(ours), model.predict(ours))
        np.testing.assert_allclose(model.weights_[order], peer.weights_, atol=0.02)


def test_a_mixture_from_their_start_has_their_likelihood_parameters_and_memberships(case):
    reduced, k = case.samples.pca(4), case.k
    X = rows(reduced.transform())
    start = {
        "weights_init": np.full(k, 1 / k),
        "means_init": X[np.linspace(0, len(X) - 1, k).astype(int)],
        "precisions_init": np.tile(np.eye(4) / X.var(), (k, 1, 1)),
        "reg_covar": 1e-6,
    }
    peer = mixture(X, k, tol=1e-7, max_iter=1_000, **start)
    fit = reduced.gmm(k, tol=1e-7, max_iter=1_000, **start)
    model = fit.model[-1]
    np.testing.assert_allclose(model.means_, peer.means_, atol=1e-3 * np.abs(X).max())
    np.testing.assert_allclose(model.weights_, peer.weights_, atol=1e-3)
    np.testing.assert_allclose(model.predict_proba(X), peer.predict_proba(X), atol=1e-2)
    assert model.score_samples(X).mean() == pytest.approx(peer.score(X), abs=1e-5)
    found = fit.scores()
    assert float(found.bic) == pytest.approx(peer.bic(X), rel=1e-5)
    free = k * (4 + 10) + k - 1
    by_hand = -2 * len(X) * peer.score(X) + free * np.log(len(X))
    assert float(found.bic) == pytest.approx(by_hand, rel=1e-5)


def test_the_class_means_are_the_mean_windows_and_lie_at_their_positions(case, fit):
    labels = numbers(fit.labels)
    u = fit.memberships.values[:, np.isfinite(fit.labels.values)]
    ours = fit.back_projection(0.5)["intensity"].transpose("label", "window_x", "window_y")
    for label in range(case.k):
        mean = case.X[u[label] > 0.5].mean(axis=0)
        np.testing.assert_allclose(ours[label].values.ravel(), mean, rtol=1e-6)
        assert (labels[u[label] > 0.5] == label).all()
    places = np.column_stack([case.samples.layout.coords[dim] for dim in ("y", "x")])
    expected = np.array([each for each in case.positions if full(each, case.image.shape)])
    along = [case.image[dim].values[expected[:, n]] for n, dim in enumerate(("y", "x"))]
    np.testing.assert_allclose(places, np.column_stack(along))
    drawn = fit.plot.map().get_offsets()
    plt.close("all")
    known = np.isfinite(fit.labels.values)
    np.testing.assert_allclose(np.sort(drawn[:, 0]), np.sort(places[known, 1]))


def full(position, shape):
    return all(SIZE // 2 <= p <= n - SIZE // 2 for p, n in zip(position, shape, strict=True))


# -------------------------------------------------------------------------- raw descriptors


@pytest.fixture(scope="module")
def small(case):
    """Windows of 10 x 10 on a lattice: a hundred numbers each, and more windows than that."""
    return case.image.cluster.patches(10, every=11)


def test_a_mixture_of_raw_descriptors_is_theirs_where_regularised_alike(small):
    X = rows(small.transform())
    start = X[np.argsort(X.mean(axis=1))[[len(X) // 4, 3 * len(X) // 4]]]
    keywords = {"reg_covar": 1e-2 * X.var(), "max_iter": 300, "tol": 1e-6}
    begin = {
        "weights_init": [0.5, 0.5],
        "means_init": start,
        "precisions_init": np.tile(np.eye(100) / X.var(), (2, 1, 1)),
    }
    peer = mixture(X, 2, **keywords, **begin)
    with pytest.warns(UserWarning, match="parameters"):
        fit = small.gmm(2, **keywords, **begin)
    model = fit.model[-1]
    assert model.score_samples(X).mean() == pytest.approx(peer.score(X), rel=1e-4)
    assert agreeing(peer.predict(X), numbers(fit.labels)) >= 0.99


def test_sixteen_hundred_numbers_and_five_classes_have_millions_of_parameters_and_a_warning():
    """Windows of 40 x 40 as they are: far fewer of them than numbers to be found."""
    p, k = 1600, 5
    assert k * (p + p * (p + 1) // 2) + k - 1 == 6_412_004
    image, _ = domains()
    windows = image.cluster.patches(SIZE, every=36)
    free = 2 * (p + p * (p + 1) // 2) + 1
    with pytest.warns(UserWarning, match=f"{free} parameters but only 49 samples"):
        fit = windows.gmm(2, n_init=1, max_iter=100, reg_covar=1e-2)
    assert np.isfinite(fit.model[-1].lower_bound_)
    assert sorted(np.unique(numbers(fit.labels))) == [0, 1]


def test_two_components_find_the_domains_that_the_image_was_made_of():
    ds = datasets.stem()
    found = xcluster.peaks(ds.intensity, sigma=1.5, min_distance=4, threshold=0.6)
    fit = ds.intensity.cluster.patches(SIZE, at=found).pca(2).gmm(3)
    assert float(fit.scores(truth=truth_at(ds, fit)).adjusted_rand) > 0.5


def truth_at(ds, fit):
    at = {dim: fit.labels[dim] for dim in ("y", "x")}
    return (
        ds.truth.sel(at, method="nearest")
        .astype(float)
        .drop_vars(["y", "x"])
        .assign_coords({dim: fit.labels[dim] for dim in ("y", "x")})
    )
