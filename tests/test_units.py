"""Any unit and any offset: the same labels, and those of a reference in float64."""

import functools
import itertools
from pathlib import Path

import numpy as np
import pytest
import scipy.cluster.hierarchy
import sklearn.mixture
import xarray as xr
from scipy.spatial.distance import cdist
from sklearn import cluster, decomposition
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from xcluster.algorithms.density import DBSCAN, HDBSCAN
from xcluster.algorithms.feature_weights import FeatureWeights
from xcluster.algorithms.fuzzy import FuzzyCMeans
from xcluster.algorithms.hierarchical import Hierarchical, grid_connectivity
from xcluster.algorithms.inductive import Inductive
from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.mixture import GaussianMixture
from xcluster.algorithms.nmf import NMF
from xcluster.algorithms.parts.spread import robust_variances
from xcluster.algorithms.pca import PCA
from xcluster.algorithms.scaling import Scaler
from xcluster.algorithms.som import SOM
from xcluster.algorithms.trimmed import TrimmedKMeans
from xcluster.algorithms.vae import VAE
from xcluster.algorithms.warping import WarpingKMeans
from xcluster.base.streaming import ArrayBlocks, iterate
from xcluster.files import serial
from xcluster.fit import fitting

N = 1500
POWERS = (-60, -31, -1, 7, 60)
TYPES = (np.float32, np.float64)
ONE_OF_TYPES = (np.float32, pytest.param(np.float64, marks=pytest.mark.large))
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def one_thread():
    """Peers on few rows are faster so."""
    with threadpool_limits(1):
        yield


quiet = pytest.mark.filterwarnings("ignore::UserWarning")


@functools.cache
def blobs(p=4, n=N, dtype=np.float64):
    """Rows in four groups that overlap, all values positive, and the group of each."""
    random = np.random.default_rng(p)
    groups = random.integers(4, size=n)
    centers = 30 + 4 * random.normal(size=(4, p))
    # On a grid of 1/256, so that offsets below 2**15 are added without rounding, in float32 too.
    X = np.round(256 * (centers[groups] + random.normal(size=(n, p)))) / 256
    return X.astype(dtype), groups


def series(n=80, dtype=np.float64):
    """Bumps at two places, of two channels of 8 points each."""
    random = np.random.default_rng(0)
    place = np.where(np.arange(n) % 2, 2, 5)[:, None] + random.normal(scale=0.5, size=(n, 1))
    bump = np.exp(-0.5 * (np.arange(8) - place) ** 2)
    return (np.hstack([bump, 2 - bump]) + 0.1 * random.normal(size=(n, 16))).astype(dtype)


CLUSTERERS = {
    "kmeans": lambda u: (KMeans(4, n_init=3), 4),
    "kmeans, many features": lambda u: (KMeans(4, n_init=3), 80),
    "kmeans, trimmed": lambda u: (TrimmedKMeans(4, n_init=3), 4),
    "gmm full": lambda u: (GaussianMixture(4), 4),
    "gmm outliers": lambda u: (GaussianMixture(4, outliers=True), 4),
    "gmm tied": lambda u: (GaussianMixture(4, covariance_type="tied"), 4),
    "gmm diag": lambda u: (GaussianMixture(4, covariance_type="diag", n_init=3), 4),
    "gmm spherical": lambda u: (GaussianMixture(4, covariance_type="spherical"), 4),
    "gmm, many features": lambda u: (GaussianMixture(2), 24),
    "gmm, a number": lambda u: (GaussianMixture(4, reg_covar=0.01 * u**2), 4),
    "gmm from rows": lambda u: (
        GaussianMixture(4, init_params="random_from_data", random_state=1),
        4,
    ),
    "fuzzy": lambda u: (FuzzyCMeans(4), 4),
    "fuzzy, m=1.4": lambda u: (FuzzyCMeans(4, m=1.4, n_init=2), 4),
    "possibilistic": lambda u: (FuzzyCMeans(4, kind="possibilistic", m=1.5), 4),
    "fuzzy noise": lambda u: (FuzzyCMeans(4, kind="noise"), 4),
    "fuzzy noise, a number": lambda u: (FuzzyCMeans(4, kind="noise", delta=3.0 * u, n_init=2), 4),
    "gustafson-kessel": lambda u: (FuzzyCMeans(4, shape="gustafson-kessel"), 4),
    "som": lambda u: (SOM((5, 4)), 4),
    "som online": lambda u: (SOM((3, 4), training="online", n_iter=2000), 4),
    "hac": lambda u: (Hierarchical(4), 4),
    "hac of micro-clusters": lambda u: (Hierarchical(4, max_exact=300), 4),
    "hac average": lambda u: (Hierarchical(4, linkage="average"), 4),
    "hac complete": lambda u: (Hierarchical(4, linkage="complete", metric="cityblock"), 4),
    "hac cosine": lambda u: (Hierarchical(4, linkage="average", metric="cosine"), 4),
    "hac single": lambda u: (Hierarchical(4, linkage="single"), 4),
    "hac contiguous": lambda u: (Hierarchical(4, connectivity=grid_connectivity((30, 50))), 4),
    "dbscan": lambda u: (DBSCAN(eps=1.2 * u), 4),
    "dbscan, many features": lambda u: (DBSCAN(eps=5.5 * u), 20),
    "hdbscan": lambda u: (HDBSCAN(20, cluster_selection_epsilon=0.3 * u), 4),
    "hdbscan, many features": lambda u: (HDBSCAN(20), 20),
    "inductive": lambda u: (Inductive(cluster.AgglomerativeClustering(4)), 4),
}
UNITLESS = ("predict_proba",)
IN_UNITS = ("box_", "cluster_centers_", "cutoff_", "means_", "samples_", "components_")


def bits(name, unit, dtype):
    """Return what a clusterer says of rows in a unit, with what has the unit divided by it."""
    estimator, p = CLUSTERERS[name](unit)
    X = blobs(p, dtype=dtype)[0] * dtype(unit)
    return said_by(estimator, X, unit)


def said_by(estimator, X, unit):
    estimator.fit(X)
    said = {"predict": estimator.predict(X[::-1])}
    if hasattr(estimator, "labels_"):
        said["labels"] = estimator.labels_
    for name in UNITLESS:
        if hasattr(estimator, name):
            said[name] = getattr(estimator, name)(X)
    for name in IN_UNITS:
        if hasattr(estimator, name):
            said[name] = getattr(estimator, name) / unit
    if hasattr(estimator, "transform"):
        said["transform"] = estimator.transform(X) / X.dtype.type(unit)
    return said


expected = functools.cache(bits)


@quiet
@pytest.mark.parametrize("dtype", ONE_OF_TYPES)
@pytest.mark.parametrize("name", CLUSTERERS)
def test_a_power_of_two_changes_no_bit_of_a_clusterer(name, dtype):
    for power in POWERS:
        for key, value in bits(name, 2.0**power, dtype).items():
            np.testing.assert_array_equal(value, expected(name, 1.0, dtype)[key], f"{key} {power}")


@quiet
@pytest.mark.parametrize("dtype", ONE_OF_TYPES)
@pytest.mark.parametrize("metric", ["dtw", "softdtw"])
def test_a_power_of_two_changes_no_bit_of_warping(metric, dtype):
    def of_unit(unit):
        warping = WarpingKMeans(2, metric=metric, gamma=0.1 * unit**2, n_channels=2, max_iter=5)
        said = said_by(warping, series(dtype=dtype) * dtype(unit), unit)
        said["transform"] /= unit if metric == "softdtw" else 1
        return said

    one = of_unit(1.0)
    for power in POWERS:
        for key, value in of_unit(2.0**power).items():
            np.testing.assert_array_equal(value, one[key], f"{key} {power}")


STEPS = {
    **{
        f"scale {how}": (lambda how=how: Scaler(how), 0)
        for how in ("standard", "robust", "minmax", "max", "norm", "clr")
    },
    "scale in groups": (lambda: Scaler("standard", groups=[0, 0, 1, 1]), 0),
    "norm of groups": (lambda: Scaler("norm", groups=[0, 0, 1, 1]), 0),
    "clr of groups": (lambda: Scaler("clr", groups=[0, 0, 1, 1]), 0),
    "weights": (lambda: FeatureWeights([1.0, 0.3, 0.0, 2.0]), 1),
    "pca": (lambda: PCA(2), 1),
    "pca of a share": (lambda: PCA(0.9), 1),
    "nmf": (lambda: NMF(2), 0),
    "vae": (lambda: VAE(1, hidden=8, epochs=3), 0),
}
"""Each step, and the power of the unit that its results have."""


@quiet
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", STEPS)
def test_a_power_of_two_changes_no_bit_of_a_step(name, dtype):
    build, has_unit = STEPS[name]
    X = blobs(dtype=dtype)[0]
    one = build().fit(X)
    for power in POWERS:
        unit = dtype(2.0**power)
        step = build().fit(X * unit)
        found = step.transform(X * unit)
        np.testing.assert_array_equal(found / unit**has_unit, one.transform(X))
        if hasattr(step, "inverse_transform"):
            given_back = step.inverse_transform(found) / unit
            np.testing.assert_array_equal(given_back, one.inverse_transform(one.transform(X)))


@pytest.mark.parametrize("dtype", TYPES)
def test_a_power_of_two_changes_no_bit_of_components_of_thousands_of_features(dtype):
    X = np.random.default_rng(0).normal(size=(60, 2100)).astype(dtype)
    one = PCA(3).fit(X)
    for power in POWERS:
        unit = dtype(2.0**power)
        pca = PCA(3).fit(X * unit)
        np.testing.assert_array_equal(pca.components_, one.components_)
        np.testing.assert_array_equal(pca.explained_variance_ratio_, one.explained_variance_ratio_)


PLACES = ((3.0, 0.0), (1e-11, 0.0), (1.0, 4096.0), (1.0, -1000.0), (48.0, 4096.0))
"""Other factors, and offsets before them, that are exact in float32."""


@quiet
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", CLUSTERERS)
def test_other_units_and_offsets_change_no_label(name, dtype):
    for factor, offset in PLACES:
        if "cosine" in name and offset:
            continue
        estimator, p = CLUSTERERS[name](factor)
        X = (blobs(p, dtype=dtype)[0] + dtype(offset)) * dtype(factor)
        labels = estimator.fit(X).predict(X)[::-1]
        differ = np.count_nonzero(labels != expected(name, 1.0, dtype)["predict"])
        assert differ == 0, (factor, offset, differ)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("metric", ["dtw", "softdtw"])
def test_other_units_and_offsets_change_no_label_of_warped_series(metric, dtype):
    X = np.round(series(dtype=dtype) * 256) / 256

    def of(factor, offset):
        warping = WarpingKMeans(2, metric=metric, gamma=0.1 * factor**2, n_channels=2, max_iter=5)
        return warping.fit((X + dtype(offset)) * dtype(factor)).labels_

    for place in PLACES:
        np.testing.assert_array_equal(of(*place), of(1.0, 0.0), str(place))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", ["nmf", "vae"])
def test_steps_that_iterate_are_as_near_in_other_units_as_their_steps_are_small(name, dtype):
    build, _ = STEPS[name]
    X = blobs(dtype=dtype)[0]
    one = build().fit_transform(X)
    for factor, offset in PLACES:
        if name == "vae" or not offset:
            found = build().fit_transform((X + dtype(offset)) * dtype(factor))
            np.testing.assert_allclose(found, one, atol=1e-4 * one.std())


# ------------------------------------------------------------------------ references in float64

OUTLIERS = (0.0, 1e6, 1e9)
FRAMES = ((1.0, 0.0), (1e-11, 4096.0), (1e7, 700.0))


def cases(p=4):
    """Rows with and without one that lies far out, in several units, at several places, types."""
    for dtype, outlier, (unit, offset) in itertools.product(TYPES, OUTLIERS, FRAMES):
        X = blobs(p)[0].copy()
        if outlier:
            X[7] = outlier
        X = ((X + offset) * unit).astype(dtype)
        yield pytest.param(X, unit, id=f"{p}-{dtype.__name__}-{outlier:g}-{unit:g}-{offset:g}")


every_case = pytest.mark.parametrize(("X", "unit"), list(cases()))


def starts(X):
    """Return a row of each group, and the one far out."""
    groups = blobs()[1]
    return X[[7, *(np.flatnonzero(groups == g)[3] for g in range(4))]].astype(float)


def lloyd(X, centers):
    """Return the labels of Lloyd's iteration where it ends."""
    while True:
        labels = cdist(X, centers).argmin(axis=1)
        means = np.array([X[labels == k].mean(axis=0) for k in range(len(centers))])
        if np.array_equal(means, centers):
            return labels
        centers = means


def near_a_border(X, centers, share):
    """Return the rows whose two nearest centres are equally far, to this share."""
    first, second = np.sort(cdist(X, centers), axis=1)[:, :2].T
    return second - first <= share * second


def resolution(X, unit):
    """Return the rounding of the values of most rows, in the deviation of a group."""
    return float(np.finfo(X.dtype).eps * np.abs(np.median(X, axis=0)).max() / unit)


@every_case
def test_kmeans_is_lloyds_iteration(X, unit):
    kmeans = KMeans(5, init=starts(X), tol=0).fit(X)
    differ = kmeans.labels_ != lloyd(X.astype(float), starts(X))
    border = near_a_border(X.astype(float), kmeans.cluster_centers_, 1e-5 + resolution(X, unit))
    assert not (differ & ~border).any()


def fuzzy_memberships(X, centers, m=2.0):
    """Return the memberships where centres and memberships no longer change."""
    for _ in range(2000):
        squares = np.maximum(cdist(X, centers, "sqeuclidean"), 1e-300)
        u = (squares.min(axis=1, keepdims=True) / squares) ** (1 / (m - 1))
        u /= u.sum(axis=1, keepdims=True)
        before, centers = centers, (u**m).T @ X / (u**m).sum(axis=0)[:, None]
        if np.abs(centers - before).max() <= 1e-9 * np.ptp(np.sort(X[:, 0])[3:-3]):
            break
    return u


@every_case
def test_fuzzy_memberships_are_those_of_float64(X, unit):
    fuzzy = FuzzyCMeans(5, init=starts(X), tol=1e-9, max_iter=2000).fit(X)
    u = fuzzy_memberships(X.astype(float), starts(X))
    np.testing.assert_allclose(fuzzy.predict_proba(X), u, atol=1e-4)


@quiet
@every_case
def test_a_mixture_is_scikit_learns_of_features_of_unit_spread(X, unit):
    spread = np.sqrt(robust_variances(X))
    given = {"weights_init": np.full(5, 0.2), "max_iter": 200, "tol": 1e-8}
    ours = GaussianMixture(
        5, means_init=starts(X), precisions_init=np.tile(np.diag(spread**-2), (5, 1, 1)), **given
    ).fit(X)
    Z, eye = X.astype(float) / spread, np.tile(np.eye(4), (5, 1, 1))
    theirs = sklearn.mixture.GaussianMixture(
        5, means_init=starts(X) / spread, precisions_init=eye, reg_covar=1e-6, **given
    ).fit(Z)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(Z), atol=1e-4)
    assert ours.score(X) + np.log(spread).sum() == pytest.approx(theirs.score(Z), abs=1e-6)


def batch_som(X, grid):
    """Return the mean distance to the nearest node after 30 passes of the batch map."""
    rows, columns = np.indices(grid).reshape(2, -1)
    apart = (rows - rows[:, None]) ** 2 + (columns - columns[:, None]) ** 2
    mean = X.mean(axis=0)
    deviations, axes = np.linalg.svd(X - mean, full_matrices=False)[1:]
    axes *= np.where(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)] < 0, -1, 1)[:, None]
    axes *= deviations[:, None] / np.sqrt(len(X))
    steps = np.linspace(-1, 1, grid[0])
    nodes = mean + np.outer(steps[rows], axes[0]) + np.outer(steps[columns], axes[1])
    for done in range(30):
        sigma = max(grid) / 4 * (0.3 / (max(grid) / 4)) ** min(done / 19, 1)
        near = np.exp(-apart / (2 * sigma**2))[cdist(X, nodes).argmin(axis=1)]
        nodes = near.T @ X / near.sum(axis=0)[:, None]
    return cdist(X, nodes).min(axis=1)


@every_case
def test_a_map_is_as_near_to_the_rows_as_in_float64(X, unit):
    som = SOM((6, 6)).fit(X)
    distance = np.linalg.norm(X - som.cluster_centers_[som.labels_], axis=1)
    expect = batch_som(X.astype(float), (6, 6))
    bulk = np.arange(len(X)) != 7
    assert distance[bulk].mean() == pytest.approx(expect[bulk].mean(), rel=0.03)


@every_case
def test_trees_are_scipys(X, unit):
    for linkage in ("ward", "average", "complete", "single"):
        hac = Hierarchical(5, linkage=linkage).fit(X)
        tree = scipy.cluster.hierarchy.linkage(X.astype(float), linkage)
        theirs = scipy.cluster.hierarchy.fcluster(tree, 5, "maxclust")
        assert adjusted_rand_score(theirs, hac.labels_) > 0.999
        np.testing.assert_array_equal(hac.predict(X), hac.labels_)


def dense_regions(X, eps, min_samples):
    """Return the labels of DBSCAN from all distances, and whether a row is clear of the border."""
    distances = cdist(X, X)
    core = np.count_nonzero(distances <= eps, axis=1) >= min_samples
    parts = scipy.sparse.csgraph.connected_components(distances[np.ix_(core, core)] <= eps)[1]
    to_core = distances[:, core]
    return np.where(to_core.min(axis=1) <= eps, parts[to_core.argmin(axis=1)], -1)


@pytest.mark.parametrize(("X", "unit"), [*cases(), *cases(20)])
def test_dense_regions_are_those_of_all_distances(X, unit):
    eps = (1.2 if X.shape[1] == 4 else 5.5) * unit
    dbscan = DBSCAN(eps, min_samples=5).fit(X)
    expect = dense_regions(X.astype(float), eps, 5)
    assert adjusted_rand_score(expect, dbscan.labels_) > 0.999
    np.testing.assert_array_equal(dbscan.predict(X), dbscan.labels_)
    hdbscan = HDBSCAN(20).fit(X)
    theirs = cluster.HDBSCAN(20, metric="precomputed", copy=True).fit(cdist(X, X))
    assert adjusted_rand_score(theirs.labels_, hdbscan.labels_) > 0.999


@every_case
def test_scaled_values_are_those_of_float64(X, unit):
    Z = X.astype(float)
    quartiles = np.percentile(Z, (25, 50, 75), axis=0)
    logs = np.log(np.where(Z > 0, Z, np.nan))
    expect = {
        "standard": (Z - Z.mean(axis=0)) / Z.std(axis=0),
        "robust": (Z - quartiles[1]) / (quartiles[2] - quartiles[0]),
        "minmax": (Z - Z.min(axis=0)) / np.ptp(Z, axis=0),
        "max": Z / np.abs(Z).max(axis=0),
        "norm": Z / np.linalg.norm(Z, axis=1, keepdims=True),
        "clr": logs - logs.mean(axis=1, keepdims=True),
    }
    rounding = 4 * np.finfo(X.dtype).eps
    for how, values in expect.items():
        atol = rounding * max(np.abs(values).max(), np.abs(np.log(unit)))
        np.testing.assert_allclose(Scaler(how).fit_transform(X), values, rtol=1e-6, atol=atol)


@every_case
def test_components_are_those_of_a_singular_value_decomposition(X, unit):
    if np.abs(X).max() > 1e8 * unit:
        pytest.skip("beside a variance of 1e15 a covariance in float64 has no digits for 1")
    pca, Z = PCA(3).fit(X), X.astype(float)
    values, axes = np.linalg.svd(Z - Z.mean(axis=0), full_matrices=False)[1:]
    cosines = np.abs(np.sum(pca.components_ * axes[:3], axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-6)
    np.testing.assert_allclose(pca.explained_variance_, values[:3] ** 2 / (N - 1), rtol=1e-4)


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
@every_case
def test_a_factorisation_is_as_near_as_scikit_learns_in_units_of_the_mean(X, unit):
    nmf, Z = NMF(2).fit(X), X / X.mean(dtype=float)
    theirs = decomposition.NMF(2, init="nndsvda", max_iter=400, random_state=0).fit(Z)
    missed = np.linalg.norm(X / unit - nmf.transform(X) @ (nmf.components_ / unit))
    expect = np.linalg.norm(Z - theirs.transform(Z) @ theirs.components_)
    assert missed * unit / X.mean(dtype=float) <= 1.001 * expect + 1e-6 * np.linalg.norm(Z)


# ---------------------------------------------------------------------------------- of a mixture


def test_what_is_added_to_a_variance_follows_each_feature_and_no_outlier():
    X = blobs()[0] * [1.0, 1e-9, 1e4, 1.0] + [0.0, 1.0, 5.0, 1e3]
    quartiles = np.percentile(X, (25, 75), axis=0)
    spread = (quartiles[1] - quartiles[0]) / 1.349
    far = X.copy()
    far[11] = 1e15
    for rows in (X, far):
        added = GaussianMixture(2).fit(rows).reg_covar_
        np.testing.assert_allclose(added, 1e-6 * spread**2, rtol=0.02)
        added = GaussianMixture(2, covariance_type="spherical").fit(rows).reg_covar_
        np.testing.assert_allclose(added, 1e-6 * np.mean(spread**2), rtol=0.02)
    np.testing.assert_array_equal(GaussianMixture(2, reg_covar=0.25).fit(X).reg_covar_, 0.25)


def test_a_feature_that_is_mostly_zero_varies_by_what_is_not():
    random = np.random.default_rng(0)
    sparse = np.where(random.random((5000, 3)) < [0.1, 0.1, 0.0], random.poisson(50, (5000, 3)), 0)
    X = np.column_stack([sparse, random.normal(size=5000)]).astype(float)
    for far in (X, np.vstack([X, np.full((1, 4), 1e9)])):
        variances = robust_variances(far)
        # A tenth of the rows times 50 squared; the constant feature takes the mean of the others.
        np.testing.assert_allclose(variances[:2], 0.1 * 50**2, rtol=0.15)
        assert variances[3] == pytest.approx(1, rel=0.1)
        assert variances[2] == pytest.approx(variances[[0, 1, 3]].mean())


def test_weights_count_rows_in_what_a_feature_varies_by():
    X = blobs()[0]
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    repeated = robust_variances(np.repeat(X, weight, axis=0))
    np.testing.assert_array_equal(robust_variances(X, weight.astype(float)), repeated)
    np.testing.assert_array_equal(robust_variances(X, weight / 3.0), repeated)


def test_groups_are_found_in_kelvin_beside_pascal():
    """A mean variance of all features would swallow 4 K beside 1e4 Pa."""
    random = np.random.default_rng(0)
    groups = random.integers(2, size=3000)
    kelvin = 280 + 0.004 * groups + 0.0005 * random.normal(size=3000)
    X = np.column_stack([kelvin, 1e5 + 1e4 * random.normal(size=3000)])
    start = [[280, 1e5], [280.004, 1e5]]
    labels = GaussianMixture(2, means_init=start, precisions_init=[np.diag([1e6, 1e-8])] * 2,
                             weights_init=[0.5, 0.5]).fit_predict(X)  # fmt: skip
    assert adjusted_rand_score(groups, labels) > 0.99


@quiet
def test_rows_start_at_their_nearest_centre_however_near_all_are():
    """Densities of unit covariance would tie below a distance of 1e-9."""
    X, _ = blobs()
    spread = GaussianMixture(4, max_iter=1, tol=1e9)
    tiny = spread.fit(X * 1e-13).predict_proba(X * 1e-13)
    np.testing.assert_allclose(tiny, spread.fit(X).predict_proba(X), atol=1e-9)


def test_refining_a_mixture_leaves_what_is_added_to_its_variances():
    X, _ = blobs(n=4000)
    mixture = GaussianMixture(4, tol=1e-6).fit(X[:1000])
    added, unit = mixture.reg_covar_.copy(), mixture.unit_
    iterate(mixture, ArrayBlocks(X * 3), 5)
    np.testing.assert_array_equal(mixture.reg_covar_, added)
    assert mixture.unit_ == unit


def test_a_file_keeps_what_was_added_to_variances():
    X, _ = blobs()
    mixture = GaussianMixture(3).fit(X)
    arrays = {}
    again = serial.decode(serial.encode_estimator(mixture, arrays), arrays)
    np.testing.assert_array_equal(again.reg_covar_, mixture.reg_covar_)
    np.testing.assert_array_equal(again.score_samples(X), mixture.score_samples(X))


@quiet
def test_estimators_of_files_without_a_frame_predict_as_before():
    """Version 0.1.0 had no units: what it wrote is read as in the units of the data."""
    X, _ = blobs()
    mixture = GaussianMixture(3).fit(X)
    expect = mixture.predict_proba(X), mixture.score_samples(X)
    for name in ("reg_covar_", "unit_", "_bound"):
        delattr(mixture, name)
    np.testing.assert_allclose(mixture.predict_proba(X), expect[0], atol=1e-12)
    np.testing.assert_allclose(mixture.score_samples(X), expect[1], rtol=1e-12)
    for step in (NMF(2), VAE(1, hidden=4, epochs=2)):
        step.fit(X / X.mean())
        found = step.transform(X)
        names = [name for name in ("unit_", "mean_") if name in vars(step)]
        for name in names:
            delattr(step, name)
        assert np.isfinite(step.transform(X)).all()
        assert found.shape == step.transform(X).shape


def test_windows_of_a_map_in_metres_get_the_labels_of_picometres():
    path = DATA / "microscopy" / "pfm_pto_4channels.nc"
    if not path.exists():
        pytest.skip("shared data are not at hand")
    height = xr.load_dataset(path, engine="netcdf4").height
    metres, picometres = (
        (height * unit).cluster.patches(16, every=8).pca(2).gmm(3, n_init=2).labels
        for unit in (1.0, 1e12)
    )
    assert len(np.unique(metres)) - np.isnan(metres.values).any() == 3
    np.testing.assert_array_equal(metres, picometres)


# -------------------------------------------------------------------------------- of k-means


@pytest.mark.parametrize("far", [1e13, 1e15])
def test_one_value_far_out_takes_one_label_and_no_digits(far):
    X, groups = blobs()
    X = X.copy()
    X[7] = far
    labels = KMeans(5, init=starts(X)).fit(X).labels_
    assert np.count_nonzero(labels == labels[7]) == 1
    assert adjusted_rand_score(np.delete(groups, 7), np.delete(labels, 7)) > 0.95


@pytest.mark.parametrize("dtype", TYPES)
def test_a_value_that_leaves_float32_no_digits_is_named(dtype):
    X = blobs()[0].astype(dtype)
    X[7, 1] = 1e36
    with pytest.raises(ValueError, match=r"n_clusters=5: .* one value lies 1e\+36 away.*[Mm]ask"):
        KMeans(5).fit(X)
    X[8:11, 1] = -1e36
    with pytest.raises(ValueError, match=r"4 values lie 1e\+36 away"):
        KMeans(5).fit(X)
    assert KMeans(4).fit(np.delete(X, slice(7, 11), axis=0)).inertia_ > 0


def test_rows_that_are_equal_are_still_too_few():
    X = np.repeat([[0.0], [1.0], [1e36]], 20, axis=0)
    with pytest.raises(ValueError, match="3 distinct rows"):
        KMeans(4).fit(X)


def test_groups_far_apart_are_told_apart_in_many_features():
    """A product in float32 would round what tells rows of the far groups apart."""
    random = np.random.default_rng(0)
    centers = np.vstack([random.normal(size=(5, 100)), 1e5 + random.normal(size=(5, 100))])
    groups = random.integers(10, size=4000)
    X = centers[groups] + 0.3 * random.normal(size=(4000, 100))
    kmeans = KMeans(10, init=centers).fit(X)
    np.testing.assert_array_equal(kmeans.labels_, groups)
    np.testing.assert_array_equal(kmeans.predict(X), groups)


# ------------------------------------------------------------------------------ through a chain

CHAINS = {
    "kmeans": lambda s, u: s.kmeans(4, n_init=2),
    "trimmed": lambda s, u: s.kmeans(4, trim=0.02, n_init=2),
    "scale": lambda s, u: s.scale("robust").kmeans(4, n_init=2),
    "pca": lambda s, u: s.scale(None).pca(2).gmm(4, n_init=2),
    "gmm": lambda s, u: s.scale(None).gmm(4, n_init=2),
    "gmm outliers": lambda s, u: s.scale(None).gmm(4, outliers=True, n_init=2),
    "bic": lambda s, u: s.gmm([2, 3, 4], n_init=1),
    "fuzzy": lambda s, u: s.scale(None).fuzzy(4),
    "fuzzy noise": lambda s, u: s.scale(None).fuzzy(4, kind="noise", delta=2.0 * u),
    "som": lambda s, u: s.scale(None).som((6, 5)),
    "hac": lambda s, u: s.hac(4, fit_on=3000),
    "nmf": lambda s, u: s.scale(None).nmf(2).kmeans(4, n_init=2),
    "dbscan": lambda s, u: s.scale(None).dbscan(eps=0.8 * u, min_samples=5, fit_on=3000),
}


@functools.cache
def scene(dtype):
    """An image of 150 x 200 pixels in four bands."""
    X = blobs(n=30_000)[0].reshape(150, 200, 4).astype(dtype)
    names = {name: (("y", "x"), X[..., i]) for i, name in enumerate("abcd")}
    return xr.Dataset(names, {"y": np.arange(150.0), "x": np.arange(200.0)})


@quiet
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", CHAINS)
def test_a_power_of_two_changes_no_label_of_30_000_pixels(name, dtype):
    def labels(power):
        unit = 2.0**power
        return CHAINS[name]((scene(dtype) * dtype(unit)).cluster.pixels(), unit).labels

    one = labels(0)
    for power in (-60, 60):
        np.testing.assert_array_equal(labels(power), one, str(power))


@quiet
@pytest.mark.parametrize("name", ["kmeans", "trimmed", "gmm", "fuzzy", "som", "pca"])
def test_a_power_of_two_changes_no_label_of_a_streamed_fit(name, monkeypatch):
    monkeypatch.setattr(fitting, "ALL_POINTS", 10_000)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 3_000)
    ask = {
        "kmeans": lambda s: s.kmeans(4, n_init=2, fit_on="all"),
        "trimmed": lambda s: s.kmeans(4, trim=0.02, n_init=2, fit_on="all"),
        "gmm": lambda s: s.scale(None).gmm(4, n_init=2, fit_on="all"),
        "fuzzy": lambda s: s.scale(None).fuzzy(4, fit_on="all"),
        "som": lambda s: s.scale(None).som((4, 3), fit_on="all"),
        "pca": lambda s: s.scale(None).pca(2).gmm(4, n_init=2, fit_on="all"),
    }[name]
    one, other = (
        ask((scene(np.float32) * np.float32(2.0**power)).chunk(y=40).cluster.pixels()).labels
        for power in (0, -60)
    )
    np.testing.assert_array_equal(one, other)
