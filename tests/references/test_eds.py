"""The EDS notebook of rutile, titanite and chlorite: calibration, components, fuzzy c-means."""

from types import SimpleNamespace

import numpy as np
import pytest
from oracles import agreeing, numbers, opened, rows
from scipy.signal import find_peaks
from scipy.spatial.distance import cdist
from sklearn.decomposition import NMF, PCA
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from xcluster import coords, datasets
from xcluster.algorithms.fuzzy import FuzzyCMeans

pytestmark = pytest.mark.filterwarnings("ignore:.*constant:UserWarning")


def minerals():
    return datasets.eds(size=40).counts.rename(channel="energy"), 3


def silver_in_aluminium():
    cube = opened("microscopy/eds_sem_AgAl_50x50.nc").counts
    return cube.isel(y=slice(None, 40), x=slice(None, 40)), 2


def rock():
    cube = opened("microscopy/eds_sem_mineral_75x100.nc").counts
    return cube.isel(y=slice(24, None, 2), x=slice(None, None, 2)), 3


def sulphides():
    cube = opened("microscopy/eds_tem_FeS_128x128.nc").counts
    return cube.isel(y=slice(None, None, 3), x=slice(None, None, 3)), 2


@pytest.fixture(scope="module", params=[minerals, silver_in_aluminium, rock, sulphides])
def case(request):
    """A spectral map over (y, x, energy), cropped to channels with counts, and its spectra."""
    cube, k = request.param()
    cube = cube.transpose("y", "x", "energy").astype("float64").rename("counts")
    cube = cube.coarsen(energy=4, boundary="trim").sum()
    cube = cube.isel(energy=np.flatnonzero((cube > 0).sum(("y", "x")) > 20))
    spectra = cube.values.reshape(-1, cube.sizes["energy"])
    return SimpleNamespace(
        cube=cube, k=k, spectra=spectra, samples=cube.cluster.pixels(dim="energy")
    )


@pytest.fixture(scope="module")
def components(case):
    """A hundred principal components of z-scored channels."""
    channels = StandardScaler().fit_transform(case.spectra)
    with threadpool_limits(1):
        pca = PCA(min(100, *channels.shape), svd_solver="full").fit(channels)
    return SimpleNamespace(
        scores=pca.transform(channels)[:, :3], ratios=pca.explained_variance_ratio_
    )


@pytest.fixture(scope="module")
def reduced(case):
    return case.samples.scale().pca(3)


# ------------------------------------------------------------------------------ energy and space


def test_the_energy_axis_is_the_straight_line_through_the_lines_that_were_found():
    ds = datasets.eds(size=32)
    spectrum = ds.counts.values.reshape(-1, 500).mean(axis=0)
    theirs, _ = find_peaks(spectrum, prominence=0.05)
    known = ds.line_energy.sel(line=["O Ka", "Si Ka", "Ca Ka", "Ti Ka", "Fe Ka"]).values
    guess = (known - ds.kev_offset) / ds.kev_per_channel
    found = theirs[np.abs(theirs[:, None] - guess).argmin(axis=0)]
    ours = coords.find_peaks(ds.counts, "channel", prominence=0.05)
    np.testing.assert_array_equal(ours.position, theirs)
    np.testing.assert_allclose(ours.height, spectrum[theirs])
    scale, offset = np.polyfit(found, known, 1)
    cube = coords.calibrate(ds.counts, "channel", found, known, units="keV")
    np.testing.assert_allclose(cube.channel, scale * np.arange(500) + offset, rtol=1e-9)
    assert scale == pytest.approx(ds.kev_per_channel, rel=0.02)
    assert offset == pytest.approx(ds.kev_offset, abs=0.05)
    cropped = cube.sel(channel=slice(0.3, 8.0))
    assert np.array_equal(
        cropped.values, ds.counts.values[..., (cube.channel >= 0.3) & (cube.channel <= 8.0)]
    )
    np.testing.assert_allclose(
        coords.pixel_size(cropped, 0.25, unit="um").y, 0.25 * np.arange(32), rtol=1e-12
    )


# ------------------------------------------------------------------------------------ components


def test_three_components_are_the_first_three_of_their_hundred(reduced, components):
    scores = components.scores
    ours = rows(reduced.transform())
    signs = np.sign((ours * scores).sum(axis=0))
    off = np.linalg.norm(ours * signs - scores, axis=0) / np.linalg.norm(scores, axis=0)
    assert off.max() < 5e-3


def test_the_scree_is_theirs(case, components):
    ours = case.samples.scale().pca(10).explained_variance()
    np.testing.assert_allclose(ours, components.ratios[:10], rtol=5e-3)


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
def test_nmf_is_scikit_learns_in_components_and_maps(case):
    cube = case.cube.isel(y=slice(None, None, 3), x=slice(None, None, 3))
    spectra = cube.values.reshape(-1, cube.sizes["energy"])
    theirs = NMF(3, init="nndsvda", max_iter=400, random_state=0)
    their_maps = theirs.fit_transform(spectra)
    samples = cube.cluster.pixels(dim="energy").nmf(3)
    found = samples.loadings()["counts"].transpose("component", "energy").values
    maps = rows(samples.transform())
    assert found.min() >= 0
    assert maps.min() >= 0
    missed = np.linalg.norm(spectra - maps @ found)
    assert missed <= np.linalg.norm(spectra - their_maps @ theirs.components_) * (1 + 1e-3)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(theirs.components_, axis=1)
    assert ((found * theirs.components_).sum(axis=1) / lengths).min() > 0.99


# --------------------------------------------------------------------------------- fuzzy c-means


def squares(X, centers, norms=None):
    """Return squared distances of shape (n_clusters, n_rows), in a norm for each cluster."""
    if norms is None:
        return cdist(centers, X, "sqeuclidean")
    off = X - centers[:, None]
    return np.einsum("kip,kpq,kiq->ki", off, norms, off)


def probabilistic(d2, m):
    """Return u_i = 1 / sum_j (d_i / d_j)^(2 / (m - 1))."""
    d2 = np.maximum(d2, 1e-12)
    ratio = (d2[:, None] / d2[None]) ** (1 / (m - 1))
    return 1 / ratio.sum(axis=1)


def unit_volume_norms(X, centers, u, m):
    """Return (det F)^(1/p) F^-1 of each cluster's fuzzy covariance F."""
    weight = u**m
    off = X - centers[:, None]
    F = np.einsum("ki,kip,kiq->kpq", weight, off, off) / weight.sum(axis=1)[:, None, None]
    return np.linalg.det(F)[:, None, None] ** (1 / X.shape[1]) * np.linalg.inv(F)


def fuzzy(X, centers, m=2.0, gustafson_kessel=False, eta=None, passes=500):
    """Alternate memberships and centres; possibilistic where ``eta`` is given."""
    norms = None
    history = []
    for _ in range(passes):
        d2 = squares(X, centers, norms)
        u = probabilistic(d2, m) if eta is None else 1 / (1 + (d2 / eta[:, None]) ** (1 / (m - 1)))
        history.append((u**m * d2).sum())
        if eta is not None:
            history[-1] += (eta * ((1 - u) ** m).sum(axis=1)).sum()
        if len(history) > 1 and abs(history[-2] - history[-1]) <= 1e-10 * history[-1]:
            break
        centers = (u**m @ X) / (u**m).sum(axis=1, keepdims=True)
        if gustafson_kessel:
            norms = unit_volume_norms(X, centers, u, m)
    return SimpleNamespace(u=u, d2=d2, centers=centers, J=history[-1], history=history)


def best_of(X, k, starts=3, **keywords):
    random = np.random.default_rng(0)
    runs = [fuzzy(X, X[random.choice(len(X), k, replace=False)], **keywords) for _ in range(starts)]
    return min(runs, key=lambda run: run.J)


def memberships(fit):
    return fit.memberships.values.reshape(fit.k, -1).astype(float)


@pytest.mark.parametrize("m", [1.5, 2.0])
def test_memberships_centres_and_objective_are_the_formulas(case, reduced, m):
    fit = reduced.fuzzy(case.k, m=m, tol=1e-8)
    X = rows(fit.features)
    peer = best_of(X, case.k, m=m)
    model = fit.model[-1]
    assert model.objective_ <= peer.J * (1 + 1e-6)
    order = cdist(fit.assign.centers[np.argsort(fit.partition.codes)], peer.centers).argmin(axis=1)
    np.testing.assert_allclose(memberships(fit), peer.u[order], atol=2e-3)
    u, d2 = peer.u, peer.d2
    assert model.partition_coefficient_ == pytest.approx((u**2).sum() / len(X), rel=1e-4)
    assert model.partition_entropy_ == pytest.approx(-(u * np.log(u)).sum() / len(X), rel=1e-3)
    apart = cdist(peer.centers, peer.centers, "sqeuclidean")[np.triu_indices(case.k, 1)].min()
    assert model.xie_beni_ == pytest.approx((u**m * d2).sum() / len(X) / apart, rel=1e-3)


def test_gustafson_kessel_is_the_formula_from_the_same_start(case, reduced):
    X = rows(reduced.transform())
    start = X[np.linspace(0, len(X) - 1, case.k).astype(int)]
    peer = fuzzy(X, start, gustafson_kessel=True)
    ours = FuzzyCMeans(case.k, shape="gustafson-kessel", init=start, tol=1e-9, max_iter=2_000).fit(
        X
    )
    assert ours.objective_ == pytest.approx(peer.J, rel=1e-5)
    np.testing.assert_allclose(ours.predict_proba(X).T, peer.u, atol=5e-3)
    assert agreeing(peer.u.argmax(axis=0), ours.labels_) >= 0.999


def test_gustafson_kessel_of_several_starts_fits_as_closely_as_the_best_of_theirs(case, reduced):
    fit = reduced.fuzzy(case.k, shape="gustafson-kessel")
    assert (
        fit.model[-1].objective_
        <= 1.001 * best_of(rows(fit.features), case.k, gustafson_kessel=True).J
    )


@pytest.mark.filterwarnings("ignore:.*coincide:UserWarning")
def test_possibilistic_memberships_start_from_the_probabilistic_and_are_the_formula(case, reduced):
    fit = reduced.fuzzy(case.k, kind="possibilistic", tol=1e-8)
    X = rows(fit.features)
    first = best_of(X, case.k)
    eta = (first.u**2 * first.d2).sum(axis=1) / (first.u**2).sum(axis=1)
    peer = fuzzy(X, first.centers, eta=eta)
    model = fit.model[-1]
    ours, theirs = np.argsort(model.eta_), np.argsort(eta)
    np.testing.assert_allclose(model.eta_[ours], eta[theirs], rtol=1e-3)
    assert model.objective_ == pytest.approx(peer.J, rel=1e-4)
    np.testing.assert_allclose(model.predict_proba(X).T[ours], peer.u[theirs], atol=1e-2)


def test_coincident_possibilistic_centres_are_told(reduced):
    """Nothing in the formulas keeps centres apart, and labels of one place look like two."""
    with pytest.warns(UserWarning, match="coincide"):
        fit = reduced.fuzzy(6, kind="possibilistic")
    assert any("coincident" in note for note in fit.report().attrs["notes"])


def test_an_objective_of_plain_distances_rises_where_that_of_squares_falls(case, reduced):
    """scikit-cmeans stops by the sum of u^m d, which the steps do not minimise."""
    X = rows(reduced.transform())
    start = X[np.linspace(0, len(X) - 1, 4).astype(int)]
    plain, squared, centers = [], [], start
    for _ in range(60):
        d2 = squares(X, centers)
        u = probabilistic(d2, 2.0)
        plain.append((u**2 * np.sqrt(d2)).sum())
        squared.append((u**2 * d2).sum())
        centers = (u**2 @ X) / (u**2).sum(axis=1, keepdims=True)
    assert (np.diff(squared) <= 1e-9 * squared[0]).all()
    ours = FuzzyCMeans(4, init=start).fit(X).objective_history_
    np.testing.assert_allclose(ours[:20], squared[: len(ours[:20])], rtol=1e-9)
    assert (np.diff(plain) > 1e-6 * plain[0]).any()


def test_several_starts_from_one_seed_are_several(reduced):
    """scikit-cmeans draws the same start again and again for an integer seed."""
    X = rows(reduced.transform())
    single = [FuzzyCMeans(5, n_init=1, random_state=seed).fit(X).objective_ for seed in range(4)]
    many = FuzzyCMeans(5, n_init=10).fit(X).objective_
    assert many <= min(single) * (1 + 1e-4)


def test_each_k_of_a_sweep_has_its_own_coefficients(case, reduced):
    swept = reduced.sweep(
        range(2, 6), "fuzzy", criteria=["partition_coefficient", "xie_beni"], progress=False
    )
    for k in (2, 4):
        fit = swept.clustering(k)
        X, u = rows(fit.features), memberships(fit)
        assert float(swept.table.partition_coefficient.sel(k=k)) == pytest.approx(
            (u**2).sum() / len(X), rel=1e-4
        )
        own = fit.assign.centers[np.argsort(fit.partition.codes)]
        apart = cdist(own, own, "sqeuclidean")[np.triu_indices(k, 1)].min()
        expected = (u**2 * squares(X, own)).sum() / len(X) / apart
        assert float(swept.table.xie_beni.sel(k=k)) == pytest.approx(expected, rel=1e-3)


# ---------------------------------------------------------------------------------------- phases


@pytest.fixture(scope="module")
def phases(case, reduced):
    return reduced.fuzzy(case.k)


def test_the_phase_map_leaves_unclassified_what_no_membership_exceeds_half(phases):
    u = memberships(phases)
    theirs = np.where(u.max(axis=0) > 0.5, u.argmax(axis=0), -1)
    cut = phases.threshold(0.5)
    np.testing.assert_array_equal(numbers(cut.labels), theirs)
    assert float((cut.labels == -1).mean()) == (theirs == -1).mean()


def test_back_projection_is_the_mean_of_the_original_spectra_of_each_phase(case, phases):
    u = memberships(phases)
    theirs = np.array([case.spectra[own > 0.5].mean(axis=0) for own in u])
    ours = phases.back_projection(0.5)["counts"].transpose("label", "energy")
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)


def test_a_rerun_keeps_indices_and_colours_where_theirs_change(case, phases):
    again = case.cube.cluster.pixels(dim="energy", random_state=11).scale().pca(3).fuzzy(case.k)
    assert (again.labels == phases.labels).mean() > 0.995
    assert again.labels.attrs["flag_colors"] == phases.labels.attrs["flag_colors"]
    turned = (
        case.cube.cluster.pixels(dim="energy")
        .scale()
        .pca(3)
        .fuzzy(case.k, order=lambda centers: -centers["counts"].sum("energy"))
    )
    assert (turned.match(phases).labels == phases.labels).mean() > 0.995
