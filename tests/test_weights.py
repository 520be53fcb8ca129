"""What a weight means: to arrays a number of rows, to the samples of an object a share."""

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import pdist
from scipy.stats import multivariate_normal
from sklearn import metrics

from xcluster import scores
from xcluster.algorithms.fuzzy import FuzzyCMeans
from xcluster.algorithms.mixture import GaussianMixture

RNG = np.random.default_rng(0)
GROUP = np.arange(400) % 3
X = RNG.normal(size=(400, 3)) * [1, 2, 0.5] + 4 * np.eye(3)[GROUP]
WEIGHT = RNG.integers(1, 4, 400)
CENTERS = np.stack([X[k == GROUP].mean(axis=0) for k in range(3)])
SQUARES = ((X[:, None] - CENTERS) ** 2).sum(axis=2)
P = 1 / SQUARES / (1 / SQUARES).sum(axis=1, keepdims=True)


def repeated(values):
    return np.repeat(values, WEIGHT, axis=0)


def within(rows, labels):
    centers = np.stack([rows[labels == k].mean(axis=0) for k in range(3)])
    return float(((rows - centers[labels]) ** 2).sum())


def xie_beni(rows, memberships):
    squares = ((rows[:, None] - CENTERS) ** 2).sum(axis=2)
    return (memberships**2 * squares).sum() / len(rows) / pdist(CENTERS, "sqeuclidean").min()


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (scores.inertia(X, GROUP, WEIGHT), within(repeated(X), repeated(GROUP))),
        (
            scores.distortion(X, GROUP, WEIGHT),
            within(repeated(X), repeated(GROUP)) / WEIGHT.sum(),
        ),
        (
            scores.calinski_harabasz(X, GROUP, WEIGHT),
            metrics.calinski_harabasz_score(repeated(X), repeated(GROUP)),
        ),
        (
            scores.davies_bouldin(X, GROUP, WEIGHT),
            metrics.davies_bouldin_score(repeated(X), repeated(GROUP)),
        ),
        (
            scores.silhouette_score(X, GROUP, sample_weight=WEIGHT).value,
            metrics.silhouette_score(repeated(X), repeated(GROUP)),
        ),
        (scores.partition_coefficient(P, WEIGHT), (repeated(P) ** 2).sum() / WEIGHT.sum()),
        (scores.xie_beni(X, P, CENTERS, sample_weight=WEIGHT), xie_beni(repeated(X), repeated(P))),
    ],
)
def test_to_a_score_of_arrays_a_weight_is_a_number_of_rows(ours, expected):
    assert ours == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ["bic", "aic", "icl"])
def test_to_the_criteria_of_a_mixture_a_weight_is_a_number_of_rows(name):
    mixture = GaussianMixture(3).fit(X)
    of_rows = getattr(mixture, name)(repeated(X))
    assert getattr(mixture, name)(X, WEIGHT) == pytest.approx(of_rows, rel=1e-12)
    shares = np.array(
        [
            weight * multivariate_normal(mean, covariance).pdf(repeated(X))
            for weight, mean, covariance in zip(
                mixture.weights_, mixture.means_, mixture.covariances_, strict=True
            )
        ]
    )
    n_free = 3 * 9 + 2
    bic = -2 * np.log(shares.sum(axis=0)).sum() + n_free * np.log(WEIGHT.sum())
    assert mixture.bic(X, WEIGHT) == pytest.approx(bic, rel=1e-9)


@pytest.fixture(scope="module")
def data():
    variables = {f"v{i}": ("x", X[:, i]) for i in range(3)}
    return xr.Dataset(variables).assign(weight=("x", WEIGHT.astype(float)))


def weighted(data, unit=1.0):
    return data.cluster.pixels(["v0", "v1", "v2"]).scale(None).weights(data.weight * unit)


METHODS = {
    "kmeans": lambda s: s.kmeans(3),
    "gmm": lambda s: s.gmm(3),
    "fuzzy": lambda s: s.fuzzy(3),
    "hac": lambda s: s.hac(3),
}


@pytest.mark.parametrize("name", METHODS)
def test_weights_of_samples_have_mean_one_in_every_score(data, name):
    """So n is the number of rows, and integer weights do not count as rows there."""
    fit = METHODS[name](weighted(data))
    found, share = fit.scores(), WEIGHT / WEIGHT.mean()
    labels = fit.labels.values.astype(int)
    assert found.attrs["n_samples"] == 400
    assert float(found.inertia) == pytest.approx(scores.inertia(X, labels, share))
    assert float(found.distortion) == pytest.approx(float(found.inertia) / 400)
    centers = np.stack(
        [np.average(X[labels == k], axis=0, weights=share[labels == k]) for k in range(3)]
    )
    middle = np.average(X, axis=0, weights=share)
    between = sum(share[labels == k].sum() * ((centers[k] - middle) ** 2).sum() for k in range(3))
    calinski = between / 2 * (400 - 3) / float(found.inertia)
    assert float(found.calinski_harabasz) == pytest.approx(calinski)
    silhouette = scores.silhouette_score(X, labels, sample_weight=share).value
    assert float(found.silhouette) == pytest.approx(silhouette)


def test_the_bic_of_samples_counts_rows_and_not_weights(data):
    fit = weighted(data).gmm(3)
    mixture, share = fit.model.steps[-1][1], WEIGHT / WEIGHT.mean()
    expected = -2 * (share * mixture.score_samples(X)).sum() + (3 * 9 + 2) * np.log(400)
    assert float(fit.scores().bic) == pytest.approx(expected, rel=1e-9)
    swept = weighted(data).sweep([3], "gmm", ["bic"])
    assert float(swept.table.bic[0]) == pytest.approx(
        float(swept.clustering(3).scores().bic), rel=1e-9
    )


@pytest.mark.parametrize("name", METHODS)
def test_the_unit_of_weights_changes_no_score(data, name):
    one, large, small = (
        METHODS[name](weighted(data, unit)).scores() for unit in (1.0, 2.0**40, 2.0**-40)
    )
    xr.testing.assert_identical(one, large)
    xr.testing.assert_identical(one, small)
    xr.testing.assert_allclose(one, METHODS[name](weighted(data, 1e-7)).scores(), rtol=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_equal_weights_score_like_none(data, name):
    plain = data.cluster.pixels(["v0", "v1", "v2"]).scale(None)
    equal = plain.weights(xr.full_like(data.weight, 3.0))
    xr.testing.assert_allclose(METHODS[name](equal).scores(), METHODS[name](plain).scores())


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["rows", "weights"])
@pytest.mark.parametrize("m", [1.6, 2.0])
@pytest.mark.parametrize("shape", ["spherical", "gustafson-kessel"])
def test_xie_beni_has_one_definition(shape, m, weight):
    fuzzy = FuzzyCMeans(3, m=m, shape=shape).fit(X, sample_weight=weight)
    u, centers = fuzzy.predict_proba(X), fuzzy.cluster_centers_
    w = np.ones(400) if weight is None else weight
    squares = ((X[:, None] - centers) ** 2).sum(axis=2)
    separation = pdist(centers, "sqeuclidean").min()
    expected = (w[:, None] * u**m * squares).sum() / w.sum() / separation
    assert fuzzy.xie_beni_ == pytest.approx(expected, rel=1e-9)
    assert scores.xie_beni(X, u, centers, m, weight) == pytest.approx(expected, rel=1e-9)


def test_xie_beni_of_a_result_is_that_of_its_estimator(data):
    fit = weighted(data).fuzzy(3, shape="gustafson-kessel")
    assert float(fit.scores().xie_beni) == pytest.approx(fit.model.steps[-1][1].xie_beni_)


@pytest.mark.parametrize("method", ["kmeans", "gmm", "fuzzy", "hac"])
def test_a_sweep_and_a_result_measure_the_same(data, method):
    """Distances are to the means of the labels in both, also for soft methods."""
    names = ["inertia", "distortion", "simplified_silhouette", "calinski_harabasz"]
    swept = weighted(data).sweep([2, 3, 4], method, names)
    for k in (2, 3, 4):
        found = swept.clustering(k).scores()
        for name in names:
            expected = float(swept.table[name].sel(k=k))
            assert float(found[name]) == pytest.approx(expected, rel=1e-4), (k, name)
