"""Prediction added to clusterers that have none."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import AgglomerativeClustering, KMeans, SpectralClustering
from sklearn.utils.estimator_checks import parametrize_with_checks

from xcluster.algorithms.inductive import Inductive
from xcluster.algorithms.parts.nearest import nearest

TAKES_NO_WEIGHTS = dict.fromkeys(
    [
        "check_sample_weights_pandas_series",
        "check_sample_weights_not_an_array",
        "check_sample_weights_list",
        "check_all_zero_sample_weights_error",
        "check_sample_weights_shape",
        "check_sample_weights_not_overwritten",
        "check_sample_weight_equivalence_on_dense_data",
    ],
    "the wrapped estimator takes no weights, so they raise",
)


class OnlyFitPredict(ClusterMixin, BaseEstimator):
    """The least that a clusterer can have; negative rows are noise."""

    def fit_predict(self, X, y=None):
        return np.where(X[:, 0] < 0, -1, (X[:, 0] > 5).astype(int))


def rows(n=300, n_features=3, seed=0):
    return np.random.default_rng(seed).normal(3, 4, size=(n, n_features))


@parametrize_with_checks(
    [Inductive(AgglomerativeClustering()), Inductive(AgglomerativeClustering(), by="center")],
    expected_failed_checks=lambda estimator: TAKES_NO_WEIGHTS,
)
def test_follows_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("n_features", [1, 3, 60])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fitted_rows_keep_their_labels(n_features, dtype):
    X = (1e4 + 1e-3 * rows(500, n_features)).astype(dtype)  # near each other, far from zero
    X = np.unique(X, axis=0)
    model = Inductive(AgglomerativeClustering(12)).fit(X)
    np.testing.assert_array_equal(model.predict(X), model.labels_)


def test_new_rows_get_the_label_of_the_nearest_row_noise_included():
    X, new = rows(), rows(100, seed=1)
    model = Inductive(OnlyFitPredict()).fit(X)
    closest = ((new[:, None] - X) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(model.predict(new), model.labels_[closest])
    assert -1 in model.predict(new)


def test_new_rows_get_the_label_of_the_nearest_centre():
    X, new = rows(), rows(100, seed=1)
    model = Inductive(OnlyFitPredict(), by="center").fit(X)
    centers = np.array([X[model.labels_ == k].mean(axis=0) for k in (0, 1)])
    np.testing.assert_allclose(model.cluster_centers_, centers)
    closest = ((new[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(model.predict(new), closest)


def test_weights_are_passed_on_to_an_estimator_that_takes_them():
    X, weights = rows(), np.random.default_rng(0).random(300)
    model = Inductive(KMeans(3, n_init=1, random_state=0)).fit(X, sample_weight=weights)
    alone = KMeans(3, n_init=1, random_state=0).fit(X, sample_weight=weights)
    np.testing.assert_array_equal(model.labels_, alone.labels_)
    own = [np.average(X[alone.labels_ == k], 0, weights[alone.labels_ == k]) for k in range(3)]
    np.testing.assert_allclose(model.cluster_centers_, own)


def test_weights_for_an_estimator_without_are_an_error():
    with pytest.raises(ValueError, match="SpectralClustering takes no weights"):
        Inductive(SpectralClustering(2)).fit(rows(), sample_weight=np.ones(300))


def test_the_wrapped_estimator_is_not_fitted_itself():
    inner = AgglomerativeClustering()
    Inductive(inner).fit(rows())
    assert not hasattr(inner, "labels_")


def test_noise_alone_has_no_centre():
    with pytest.raises(ValueError, match="every row is noise"):
        Inductive(OnlyFitPredict(), by="center").fit(-np.abs(rows()))


def test_an_unknown_way_is_named():
    with pytest.raises(ValueError, match="by='centre'"):
        Inductive(OnlyFitPredict(), by="centre").fit(rows())


def test_equal_rows_are_found_whatever_the_sign_of_zero():
    samples = np.array([[1.0, 2.0], [0.0, 3.0], [0.0, 3.0]])
    index, distance = nearest(samples, np.array([[-0.0, 3.0], [1.0, 1.0]]))
    np.testing.assert_array_equal(index, [1, 0])
    np.testing.assert_array_equal(distance, [0.0, 1.0])
