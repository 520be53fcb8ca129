"""The NanoSIMS notebooks: channels by their maxima, k-means, and a score by entropy."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from kneed import KneeLocator
from oracles import agreeing, counterparts, group_means, kmeans, mean_square, numbers, opened, rows
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.stats import entropy
from sklearn.decomposition import PCA
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from xcluster import datasets
from xcluster.scores import cluster_entropy

ON_EDGES = 5e-4
"""Counts are whole numbers, and where one lies on the edge of a bin rounding decides its side."""


def grain():
    return datasets.nanosims().counts


def tissue():
    return opened("microscopy/nanosims_tissue_256.nc").counts.sum("frame")


def coral():
    """Four ratios on the coral alone, as variables rather than channels."""
    ds = opened("microscopy/nanosims_coral_ratios.nc")
    named = ds[["CN_C", "C15N_C14N", "C2_C", "S_C"]].to_array("species")
    return named.where(ds["mask"] > 0).isel(y=slice(None, None, 2), x=slice(None, None, 2))


@pytest.fixture(scope="module", params=[grain, tissue, coral])
def case(request):
    """An image over (species, y, x), thinned out, and its pixels as rows."""
    image = request.param().isel(y=slice(None, None, 4), x=slice(None, None, 4))
    image = image.transpose("species", "y", "x").astype("float64").rename("counts")
    flat = image.values.reshape(image.sizes["species"], -1).T
    flat = flat[np.isfinite(flat).all(axis=1)]
    samples = image.cluster.pixels(dim="species").scale("max")
    return SimpleNamespace(image=image, flat=flat, X=flat / flat.max(axis=0), samples=samples)


def uncertainty_within(X, labels, bins=10):
    """Return the entropy of each channel in each cluster, by the clusters' sizes, added up."""
    total = 0.0
    for channel in X.T:
        edges = np.linspace(channel.min(), channel.max(), bins + 1)
        for label in np.unique(labels):
            own = channel[labels == label]
            total += len(own) / len(X) * entropy(np.histogram(own, edges)[0])
    return total


def test_channels_are_divided_by_their_own_maxima(case):
    np.testing.assert_allclose(rows(case.samples.kmeans(2).features), case.X, rtol=1e-6)


def test_kmeans_from_their_start_gives_their_labels_and_centres_in_counts(case):
    start = case.X[np.linspace(0, len(case.X) - 1, 5).astype(int)] + np.arange(5)[:, None] * 1e-3
    theirs = kmeans(case.X, 5, init=start, n_init=1, tol=0)
    fit = case.samples.kmeans(5, init=start, tol=0)
    ours = numbers(fit.labels)
    assert agreeing(theirs.labels_, ours) >= 0.999
    order = np.argsort(counterparts(theirs.labels_, ours))
    counts = theirs.cluster_centers_[order] * case.flat.max(axis=0)
    off = fit.centers["counts"].transpose("label", "species").values - counts
    assert np.abs(off / case.flat.max(axis=0)).max() < 2e-4


def test_kmeans_fits_as_closely_as_the_best_of_ten_of_theirs(case):
    theirs = kmeans(case.X, 7)
    found = case.samples.kmeans(7).scores()
    assert float(found.inertia) <= theirs.inertia_ * (1 + 2e-3)


def test_kmeans_of_two_components_is_theirs(case):
    flat = PCA(2).fit_transform(case.X)
    fit = case.samples.pca(2).kmeans(4)
    ours = rows(fit.features)
    np.testing.assert_allclose(np.abs(ours), np.abs(flat), atol=2e-5)
    theirs = kmeans(flat, 4)
    assert float(fit.scores().inertia) <= theirs.inertia_ * (1 + 1e-3)
    if float(fit.scores().inertia) == pytest.approx(theirs.inertia_, rel=1e-3):
        assert agreeing(theirs.labels_, numbers(fit.labels)) > 0.98


def test_a_circle_reaches_from_a_centre_to_its_farthest_member(case):
    fit = case.samples.pca(2).kmeans(3)
    fit.plot.scatter(circles=True)
    circles = [patch for patch in plt.gca().patches if hasattr(patch, "radius")]
    plt.close("all")
    points, labels = rows(fit.features), numbers(fit.labels)
    means = group_means(points, labels)
    radii = [np.linalg.norm(points[labels == i] - means[i], axis=1).max() for i in range(3)]
    np.testing.assert_allclose(sorted(each.radius for each in circles), sorted(radii), rtol=1e-3)


def test_scores_are_scikit_learns_in_the_space_that_was_clustered(case):
    """The silhouette is left out there as too slow at 65,536 pixels."""
    for samples in (case.samples, case.samples.pca(2)):
        fit = samples.kmeans(4)
        X, labels, found = rows(fit.features), numbers(fit.labels), fit.scores()
        some = np.arange(0, len(X), max(1, len(X) // 4_000))
        if len(some) == len(X):
            exact = silhouette_score(X, labels)
            assert float(found.silhouette) == pytest.approx(exact, abs=1e-6)
        expected = calinski_harabasz_score(X, labels)
        assert float(found.calinski_harabasz) == pytest.approx(expected, rel=1e-5)
        expected = davies_bouldin_score(X, labels)
        assert float(found.davies_bouldin) == pytest.approx(expected, rel=1e-4)
        assert float(found.distortion) == pytest.approx(
            mean_square(X, group_means(X, labels)), rel=1e-3
        )


def test_the_entropy_is_that_of_histograms_within_clusters(case):
    fit = case.samples.kmeans(4)
    X, labels = rows(fit.features), numbers(fit.labels)
    assert float(fit.scores().entropy) == pytest.approx(uncertainty_within(X, labels), rel=ON_EDGES)
    found = cluster_entropy(X, labels, bins=16, base=2)
    in_bits = uncertainty_within(X, labels, 16) / np.log(2)
    assert found.value == pytest.approx(in_bits, rel=ON_EDGES)
    one = uncertainty_within(X, np.zeros(len(X)), 16) / np.log(2)
    assert found.information == pytest.approx(one - in_bits, rel=ON_EDGES)


def test_the_entropy_has_what_is_known_of_theirs(case):
    """Never negative, 0 where all of a cluster are equal, lower is better, adds over channels."""
    X = case.X
    labels = numbers(case.samples.kmeans(5).labels)
    whole = cluster_entropy(X, labels).value
    parts = [cluster_entropy(X[:, [c]], labels).value for c in range(X.shape[1])]
    assert whole == pytest.approx(sum(parts))
    assert min(parts) >= 0
    assert whole < cluster_entropy(X, np.zeros(len(X), int)).value
    shuffled = np.random.default_rng(0).permutation(labels)
    assert whole < 0.9 * cluster_entropy(X, shuffled).value
    equal = group_means(X, labels)[labels]
    assert cluster_entropy(equal, labels).value == pytest.approx(0, abs=1e-12)


@pytest.fixture(scope="module")
def swept(case):
    return case.samples.sweep(
        range(2, 32), criteria="entropy", interp_method="polynomial", progress=False
    )


def test_the_sweep_over_entropy_is_its_definition_at_each_k(case, swept):
    for k in (2, 7, 19, 31):
        labels = numbers(swept.clustering(k).labels)
        expected = uncertainty_within(case.X, labels)
        assert float(swept.table.entropy.sel(k=k)) == pytest.approx(expected, rel=ON_EDGES)


@pytest.mark.filterwarnings("ignore")
def test_the_knee_of_the_entropy_is_kneeds_by_polynomial(swept):
    curve = swept.table.entropy.values
    look = {"curve": "convex", "direction": "decreasing", "interp_method": "polynomial"}
    found = KneeLocator(range(2, 32), curve, **look).knee
    assert int(swept.agreement().chosen[0]) == (found or 0)


def test_the_tree_that_is_left_out_there_is_scipys(case):
    """Theirs would need the distances of all pairs; ours keeps only the rows."""
    image = case.image.isel(y=slice(None, None, 2), x=slice(None, None, 2))
    fit = image.cluster.pixels(dim="species").scale("max").hac(5)
    X = rows(fit.features)
    tree = linkage(X, "ward")
    assert fit.tree[:, 2].sum() == pytest.approx(tree[:, 2].sum(), rel=1e-4)
    np.testing.assert_allclose(fit.tree[-10:, 2], tree[-10:, 2], rtol=1e-2)
    theirs = fcluster(tree, 5, criterion="maxclust") - 1
    assert agreeing(theirs, numbers(fit.labels)) > 0.95
