"""What an estimator says of a row does not depend on the rows beside it, to the last bit."""

import numpy as np
import pytest
from scipy.optimize import nnls

from xcluster.algorithms.density import DBSCAN, HDBSCAN
from xcluster.algorithms.feature_weights import FeatureWeights
from xcluster.algorithms.fuzzy import FuzzyCMeans
from xcluster.algorithms.hierarchical import Hierarchical
from xcluster.algorithms.kernels.lloyd import decided_by_product, nearest
from xcluster.algorithms.kernels.nonnegative import nonnegative_coefficients
from xcluster.algorithms.kernels.products import lanes_product, rows_product, squared_lengths
from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.medoids import KMedoids
from xcluster.algorithms.mixture import GaussianMixture
from xcluster.algorithms.nmf import NMF
from xcluster.algorithms.pca import PCA
from xcluster.algorithms.poisson_mixture import PoissonMixture
from xcluster.algorithms.poisson_nmf import PoissonNMF
from xcluster.algorithms.poisson_pca import PoissonPCA
from xcluster.algorithms.scaling import Scaler
from xcluster.algorithms.shapes import ShapeKMeans
from xcluster.algorithms.som import SOM
from xcluster.algorithms.spherical import SphericalKMeans
from xcluster.algorithms.trimmed import TrimmedKMeans
from xcluster.algorithms.vae import VAE
from xcluster.algorithms.warping import WarpingKMeans

ESTIMATORS = {
    "standard": Scaler("standard"),
    "robust": Scaler("robust"),
    "weights": FeatureWeights([0, 1] * 6),
    "pca": PCA(3),
    "nmf": NMF(3),
    "kmeans": KMeans(9, n_init=1),
    "kmedoids": KMedoids(9, n_init=1),
    "kmedoids by cosine": KMedoids(9, n_init=1, metric="cosine"),
    "cosine": SphericalKMeans(9, n_init=1),
    "correlation": SphericalKMeans(9, metric="correlation", n_init=1),
    "trimmed": TrimmedKMeans(9, n_init=1),
    "full": GaussianMixture(3, n_init=1, max_iter=5),
    "outliers": GaussianMixture(3, outliers=True, max_iter=5),
    "full of many": GaussianMixture(12, n_init=1, max_iter=5),
    "tied": GaussianMixture(3, covariance_type="tied", n_init=1, max_iter=5),
    "diag": GaussianMixture(9, covariance_type="diag", n_init=1, max_iter=5),
    "spherical": GaussianMixture(3, covariance_type="spherical", n_init=1, max_iter=5),
    "fuzzy": FuzzyCMeans(9),
    "fuzzy noise": FuzzyCMeans(9, kind="noise"),
    "gustafson-kessel": FuzzyCMeans(3, shape="gustafson-kessel"),
    "som": SOM((4, 4)),
    "hac": Hierarchical(9),
    "dbscan": DBSCAN(3.0),
    "hdbscan": HDBSCAN(20),
    "vae": VAE(2, epochs=2),
    "dtw": WarpingKMeans(4, metric="dtw", n_init=1),
    "sbd": ShapeKMeans(4, n_channels=2, n_init=1),
}
COUNTS = {"poisson nmf": PoissonNMF(3), "poisson pca": PoissonPCA(3), "mixture": PoissonMixture(3)}
ANSWERS = ("predict", "predict_proba", "transform")


def rows(n, p=12):
    rng = np.random.default_rng(0)
    X = np.abs(rng.normal(size=(n, p)) + 4 * rng.integers(0, 3, (n, 1))) * np.arange(1, p + 1)
    return X.astype(np.float32)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_row_alone_and_in_any_block_has_the_same_answers(name, dtype):
    X = rows(3000).astype(dtype)
    fitted = ESTIMATORS[name].fit(X[::2])
    for answer in ANSWERS:
        ask = getattr(fitted, answer, None)
        if ask is None:
            continue
        whole = ask(X)
        for size in (1, 7, 64, 1000):
            blocks = [ask(X[i : i + size]) for i in range(0, min(len(X), 40 * size), size)]
            parts = np.concatenate(blocks)
            np.testing.assert_array_equal(parts, whole[: len(parts)], err_msg=f"{answer}, {size}")


@pytest.mark.parametrize("name", COUNTS)
def test_a_row_of_counts_alone_and_in_any_block_has_the_same_answers(name):
    X = np.random.default_rng(0).poisson(rows(3000) / 8).astype(np.float32)
    fitted = COUNTS[name].fit(X[::2])
    for ask in (getattr(fitted, answer) for answer in ANSWERS if hasattr(fitted, answer)):
        whole = ask(X)
        for size in (1, 7, 64, 1000):
            blocks = [ask(X[i : i + size]) for i in range(0, min(len(X), 40 * size), size)]
            parts = np.concatenate(blocks)
            np.testing.assert_array_equal(parts, whole[: len(parts)], err_msg=str(size))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("p", "k"), [(100, 9), (1200, 4), (30, 200)])
def test_a_row_between_two_centres_has_one_nearest_in_any_block(p, k, dtype):
    rng = np.random.default_rng(3)
    centers = rng.normal(size=(k, p)).astype(np.float32)
    pairs = np.sort([rng.choice(k, 2, replace=False) for _ in range(2000)])
    X = centers[pairs].mean(axis=1).astype(dtype)
    X[::2] += np.finfo(dtype).eps * rng.normal(size=X[::2].shape).astype(dtype)
    origin = np.zeros(p)
    whole = nearest(X, origin, 1.0, centers)
    for size in (1, 7, 64, 1000):
        blocks = [nearest(X[i : i + size], origin, 1.0, centers) for i in range(0, 2000, size)]
        for part, all_rows in zip(zip(*blocks, strict=True), whole, strict=True):
            np.testing.assert_array_equal(np.concatenate(part), all_rows, err_msg=str(size))
    away = X[:, None].astype(float) - centers.astype(float)
    squared = np.einsum("rkp,rkp->rk", away, away)
    own = np.take_along_axis(squared, whole[0][:, None].astype(int), axis=1)[:, 0]
    np.testing.assert_allclose(own, squared.min(axis=1), rtol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 9, 30])
def test_products_decide_even_if_one_centre_lies_far_away(k):
    rng = np.random.default_rng(4)
    centers = rng.normal(size=(k, 20)).astype(np.float32)
    centers[-1] *= 1e6
    X = np.concatenate([rng.normal(size=(3000, 20)), centers[-1:] + 1, np.full((1, 20), 1e30)])
    found = decided_by_product(X, np.zeros(20), 1.0, centers)
    squared = ((X[:, None] - centers.astype(float)) ** 2).sum(axis=2)
    sure = found >= 0
    np.testing.assert_array_equal(found[sure], squared.argmin(axis=1)[sure])
    assert sure[:-1].mean() > 0.99
    assert k == 1 or not sure[-1]


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (65, 7, 3), (300, 130, 9), (64, 64, 64), (7, 1600, 2)]
)
def test_products_are_those_of_numpy(shape):
    n, p, k = shape
    rng = np.random.default_rng(1)
    X, origin, coefficients = rng.normal(size=(n, p)), rng.normal(size=p), rng.normal(size=(k, p))
    expected = (X - origin) @ coefficients.T
    np.testing.assert_allclose(rows_product(X, origin, coefficients), expected, atol=1e-11)
    np.testing.assert_allclose(lanes_product(coefficients, (X - origin).T), expected.T, atol=1e-11)


@pytest.mark.parametrize("shape", [(1, 1, 1), (65, 7, 3), (300, 130, 9), (70, 1600, 2)])
def test_squared_lengths_are_those_of_numpy_and_of_each_row_alone(shape):
    n, p, k = shape
    rng = np.random.default_rng(3)
    X, offsets = rng.normal(size=(n, p)), rng.normal(size=(k, p))
    factors = np.tril(rng.normal(size=(k, p, p)))
    found = squared_lengths(X.T, offsets, factors)
    scaled = np.einsum("kij,nkj->kni", factors, X[:, None] - offsets, optimize=True)
    np.testing.assert_allclose(found, (scaled**2).sum(axis=-1), rtol=1e-12)
    for size in (1, 7, 64):
        blocks = [squared_lengths(X[i : i + size].T, offsets, factors) for i in range(0, n, size)]
        np.testing.assert_array_equal(np.concatenate(blocks, axis=1), found, err_msg=str(size))


def test_coefficients_are_those_of_scipy():
    rng = np.random.default_rng(2)
    X, parts = rng.gamma(1, 1, (200, 40)), rng.gamma(1, 1, (6, 40))
    found = nonnegative_coefficients(X, parts, 1e-9, 5000)
    expected = [nnls(parts.T, row)[0] for row in X]
    np.testing.assert_allclose(found, expected, atol=1e-6)
