"""How many labels: candidates, criteria, the choice, and what is recorded of it."""

import warnings

import numpy as np
import pytest
import xarray as xr
from kneed import KneeLocator
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import davies_bouldin_score, silhouette_score

import xcluster  # noqa: F401  (registers the accessor)


@pytest.fixture(scope="module")
def blobs():
    """A map of five clear groups in three variables."""
    random = np.random.default_rng(0)
    group = random.integers(0, 5, (20, 15))
    centers = random.uniform(-20, 20, (5, 3))
    values = centers[group] + random.normal(scale=0.4, size=(20, 15, 3))
    return xr.Dataset({name: (("y", "x"), values[..., i]) for i, name in enumerate("abc")})


@pytest.fixture(scope="module")
def straight():
    """A distortion without a knee: two pairs of points, k of 2 to 3."""
    return xr.DataArray(np.random.default_rng(1).normal(size=(8, 8, 6)), dims=("y", "x", "band"))


@pytest.fixture(scope="module")
def chosen(blobs):
    return blobs.cluster.pixels().kmeans()


def test_kmeans_chooses_the_knee_of_the_distortion_over_2_to_20(chosen):
    table = chosen.sweep.table
    assert table.k.values.tolist() == list(range(2, 21))
    knee = KneeLocator(table.k, table.distortion, S=1, curve="convex", direction="decreasing")
    assert chosen.k == knee.knee == chosen.sweep.best()


def test_a_mixture_chooses_the_lowest_bic(blobs):
    fit = blobs.cluster.pixels().gmm(range(2, 9))
    assert fit.k == 5 == int(fit.sweep.table.bic.idxmin())


def test_candidates_may_be_any_iterable_in_any_order(blobs):
    samples = blobs.cluster.pixels()
    for ks in (
        [9, 3, 5, 4, 5, 7],
        {3, 4, 5, 7, 9},
        np.array([3, 4, 5, 7, 9]),
        iter([3, 4, 5, 7, 9]),
    ):
        assert samples.sweep(ks).table.k.values.tolist() == [3, 4, 5, 7, 9]


def test_the_chosen_fit_is_at_least_as_good_as_the_sweeps_own(chosen):
    inertia = chosen.model[-1].inertia_
    swept = chosen.sweep.models[chosen.k][0].inertia_
    assert inertia <= swept


def test_distortion_falls_with_every_further_label(chosen):
    assert (chosen.sweep.table.distortion.diff("k") <= 1e-9).all()


def test_without_a_knee_it_warns_falls_back_and_records_that(straight):
    with pytest.warns(UserWarning, match="has no knee for k = 2 to 4"):
        fit = straight.cluster.pixels(dim="band").kmeans(range(2, 5))
    best = int(fit.sweep.table.simplified_silhouette.idxmax())
    assert fit.k == best
    assert any("has no knee" in note for note in fit.report().attrs["notes"])
    assert "has no knee" in repr(fit)


def test_agreement_tells_what_each_criterion_chooses(blobs):
    criteria = ["distortion", "silhouette", "davies_bouldin", "calinski_harabasz"]
    sweep = blobs.cluster.pixels().sweep(range(2, 9), criteria=criteria)
    assert list(sweep.table) == criteria
    agreement = sweep.agreement()
    assert agreement.chosen.sel(criterion="silhouette") == 5
    assert agreement.chosen.sel(criterion="davies_bouldin") == 5
    assert sweep.best("silhouette") == 5


def test_criteria_are_those_of_scikit_learn(blobs):
    samples = blobs.cluster.pixels()
    names = ["silhouette", "davies_bouldin", "inertia", "distortion"]
    sweep = samples.sweep([4], criteria=names)
    fit = sweep.clustering(4)
    Z = fit.features.values.reshape(3, -1).T
    labels = fit.labels.values.ravel().astype(int)
    row = sweep.table.sel(k=4)
    assert float(row.silhouette) == pytest.approx(silhouette_score(Z, labels), abs=1e-5)
    assert float(row.davies_bouldin) == pytest.approx(davies_bouldin_score(Z, labels), rel=1e-4)
    assert float(row.distortion) == pytest.approx(float(row.inertia) / 300)
    means = np.stack([Z[labels == label].mean(0) for label in range(4)])
    within = ((Z - means[labels]) ** 2).sum()
    assert float(row.inertia) == pytest.approx(within, rel=1e-3)


def test_a_clustering_of_the_table_needs_no_refit(chosen, blobs):
    fit = chosen.sweep.clustering(3)
    assert fit.k == 3
    assert (fit.report()["samples"].diff().dropna() <= 0).all()
    again = blobs.cluster.pixels().sweep(range(2, 5)).clustering(3)
    np.testing.assert_array_equal(fit.labels, again.labels)


def test_sweeping_twice_gives_the_same_table(blobs):
    ours, theirs = (blobs.cluster.pixels().sweep(range(2, 6)).table for _ in range(2))
    xr.testing.assert_identical(ours, theirs)


def test_candidates_above_the_samples_are_left_out_with_a_warning(straight):
    with pytest.warns(UserWarning, match="above the 64 samples"):
        sweep = straight.cluster.pixels(dim="band").sweep([2, 3, 70])
    assert sweep.table.k.values.tolist() == [2, 3]


def test_a_smoothed_curve_and_a_polynomial_may_place_the_knee(blobs):
    for options in ({"smooth": True}, {"interp_method": "polynomial"}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            assert 2 <= blobs.cluster.pixels().kmeans(range(2, 12), **options).k <= 11


def test_the_sweep_counts_one_label_too(blobs):
    sweep = blobs.cluster.pixels().sweep(range(1, 4))
    assert np.isnan(sweep.table.simplified_silhouette.sel(k=1))
    assert np.isfinite(sweep.table.distortion.sel(k=1))


def test_the_repr_of_a_sweep_tells_method_and_range(chosen):
    assert repr(chosen.sweep).startswith("<xcluster.Sweep> kmeans(k=2 to 20): ")
    assert "chosen among 2 to 20" in repr(chosen)


def forty_groups():
    return make_blobs(2_000, 2, centers=40, cluster_std=0.5, random_state=3)[0]


def fifteen_groups():
    """Grown from fewer labels alone, nine labels end 0.53 % above the best of ten runs."""
    return make_blobs(5_000, 3, centers=15, cluster_std=0.5, random_state=0)[0]


@pytest.mark.parametrize("make", [forty_groups, fifteen_groups], ids=lambda make: make.__name__)
def test_no_k_of_a_sweep_ends_far_above_the_best_of_ten_runs(make):
    X, ks = make(), range(2, 13)
    sweep = xr.DataArray(X, dims=("row", "band")).cluster.pixels(dim="band").sweep(ks)
    peers = [KMeans(k, n_init=10, random_state=0).fit(X).inertia_ / len(X) for k in ks]
    assert (sweep.table.distortion.values / peers).max() <= 1.005
    assert (np.diff(sweep.table.distortion) < 0).all()
