"""The GRASP study of land types, rebuilt on scipy, scikit-learn and torch.

Its POLDER climatology is not public; the climate at the sea surface has as many variables.
"""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from oracles import agreeing, counterparts, kmeans, numbers, opened, rows
from scipy.cluster.hierarchy import dendrogram, fcluster, linkage
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, davies_bouldin_score, silhouette_score
from sklearn.preprocessing import StandardScaler

from xcluster import compare, datasets
from xcluster.algorithms.vae import VAE

EPOCHS = 20


def sea():
    return datasets.ocean().isel(latitude=slice(None, None, 2), longitude=slice(None, None, 2))


def plots():
    """Eighteen variables of Oregon: terrain, climate and satellite."""
    ds = opened("land/swo_ecoplot_18vars.nc")
    return ds.isel(y=slice(None, None, 3), x=slice(None, None, 3)).astype("float64")


@pytest.fixture(scope="module", params=[sea, plots])
def case(request):
    """The variables and how much of each cell is land, which is 100 in most."""
    ds = request.param()
    first = ds[next(iter(ds))]
    percentage = (100 - first.copy(data=np.zeros(first.shape))).where(
        first < first.quantile(0.95), 50
    )
    return SimpleNamespace(ds=ds, whole=percentage == 100)


@pytest.fixture(scope="module")
def samples(case):
    return case.ds.cluster.pixels().where(case.whole)


@pytest.fixture(scope="module")
def table(case):
    """The cells of land alone, complete, as rows."""
    flat = np.column_stack([each.values.ravel() for each in case.ds.values()]).astype(float)
    return flat[case.whole.values.ravel() & np.isfinite(flat).all(axis=1)]


@pytest.fixture(scope="module")
def X(table):
    return StandardScaler().fit_transform(table)


@pytest.fixture(scope="module")
def tree(X):
    return linkage(X, "ward")


def test_rows_are_the_complete_cells_of_whole_land(case, samples, table):
    ours = rows(samples.scale(None).kmeans(2).features)
    np.testing.assert_allclose(ours, table, rtol=1e-6)
    assert len(ours) < np.isfinite(case.ds.to_array()).all("variable").sum()


def test_both_scalings_that_occur_are_at_hand(samples, table, X):
    each = rows(samples.scale().kmeans(2).features)
    np.testing.assert_allclose(each, X, atol=2e-4)
    together = rows(samples.scale(over="all").kmeans(2).features)
    np.testing.assert_allclose(together, (table - table.mean()) / table.std(), atol=2e-5)


def test_a_scale_for_each_variable_is_what_stands_in(samples, X):
    np.testing.assert_allclose(rows(samples.kmeans(2).features), X, atol=2e-4)


def test_the_correlation_matrix_is_numpys(samples, table):
    np.testing.assert_allclose(samples.correlation(), np.corrcoef(table.T), atol=1e-6)


# ------------------------------------------------------------------------------ two clusterings


def test_wards_tree_is_scipys_merge_by_merge(samples, tree):
    fit = samples.hac(6)
    assert fit.tree[:, 2].sum() == pytest.approx(tree[:, 2].sum(), rel=1e-5)
    np.testing.assert_allclose(fit.tree[-30:, 2], tree[-30:, 2], rtol=1e-3)
    for k in (2, 6, 15):
        theirs = fcluster(tree, k, criterion="maxclust") - 1
        assert agreeing(theirs, numbers(fit.cut(k).labels)) >= 0.995


def test_the_dendrogram_of_the_last_thirty_merges_is_scipys(samples, tree):
    theirs = dendrogram(tree, p=30, truncate_mode="lastp", no_plot=True)
    ours = samples.hac(6).plot.dendrogram(p=30)
    plt.close("all")
    assert len(ours["ivl"]) == 30

    def sizes(drawn):
        return sorted(int(text.strip("()").replace(",", "")) for text in drawn["ivl"])

    def heights(drawn):
        return np.sort([max(line) for line in drawn["dcoord"]])

    np.testing.assert_allclose(heights(ours), heights(theirs), rtol=1e-3)
    assert np.abs(np.subtract(sizes(ours), sizes(theirs))).max() <= 3


@pytest.fixture(scope="module")
def peer(X):
    return kmeans(X, 6)


def test_kmeans_has_their_labels_and_centres_at_no_larger_sum_of_squares(samples, table, X, peer):
    fit = samples.kmeans(6)
    assert float(fit.scores().inertia) <= peer.inertia_ * (1 + 1e-4)
    ours = numbers(fit.labels)
    assert agreeing(peer.labels_, ours) >= 0.99
    order = np.argsort(counterparts(peer.labels_, ours))
    means = np.array([table[peer.labels_ == each].mean(axis=0) for each in order])
    off = (np.column_stack([fit.centers[name] for name in fit.centers]) - means) / table.std(axis=0)
    assert np.abs(off).max() < 0.05


def test_kmeans_from_their_start_gives_their_labels(samples, X):
    start = X[:: len(X) // 6][:6]
    theirs = kmeans(X, 6, init=start, n_init=1, tol=0)
    ours = samples.kmeans(6, init=start, tol=0)
    assert agreeing(theirs.labels_, numbers(ours.labels)) >= 0.999
    assert float(ours.scores().inertia) == pytest.approx(theirs.inertia_, rel=1e-6)


def test_scores_of_both_are_scikit_learns(samples, X):
    for fit in (samples.kmeans(6), samples.hac(6)):
        found, labels = fit.scores(), numbers(fit.labels)
        assert float(found.silhouette) == pytest.approx(silhouette_score(X, labels), abs=1e-5)
        assert float(found.davies_bouldin) == pytest.approx(
            davies_bouldin_score(X, labels), rel=1e-4
        )


def test_the_agreement_of_the_two_is_scikit_learns(samples):
    one, other = samples.kmeans(6), samples.hac(6)
    expected = adjusted_rand_score(numbers(one.labels), numbers(other.labels))
    assert float(compare(one, other).adjusted_rand) == pytest.approx(expected, abs=1e-9)


def test_the_sums_of_squares_over_k_are_no_larger_than_of_ten_starts(samples, X):
    ks = range(1, 21)
    theirs = [kmeans(X, k).inertia_ for k in ks]
    swept = samples.sweep(ks, criteria="inertia", progress=False).table.inertia
    ratio = swept / theirs
    assert float(ratio[0]) == pytest.approx(1, rel=1e-6)
    assert float(ratio.mean()) <= 1.01  # a few starts of ours, ten of theirs
    tens = [float(samples.kmeans(k).scores().inertia) / theirs[k - 1] for k in (4, 8, 12, 16)]
    assert np.mean(tens) <= 1.003


def test_labels_can_be_numbered_by_their_centres_value_as_theirs_are(samples):
    fit = samples.kmeans(6, order="center")
    values = rows(fit.features)
    labels = numbers(fit.labels)
    means = [values[labels == each].mean() for each in range(6)]
    assert (np.diff(means) > 0).all()


# ----------------------------------------------------------------------------------- components


def test_components_explain_the_variance_that_theirs_do(samples, X):
    p = X.shape[1]
    theirs = PCA().fit(X)
    np.testing.assert_allclose(
        samples.pca(p).explained_variance(), theirs.explained_variance_ratio_, atol=1e-6
    )
    for n in (1, 2):
        flat = PCA(n).fit(X)
        given_back = flat.inverse_transform(flat.transform(X))
        r2 = 1 - ((X - given_back) ** 2).sum() / (X**2).sum()
        assert float(samples.pca(n).reconstruction().total) == pytest.approx(r2, abs=1e-5)


def test_components_are_theirs_but_for_their_signs(samples, X):
    ours, theirs = rows(samples.pca(3).transform()), PCA(3).fit_transform(X)
    signs = np.sign((ours * theirs).sum(axis=0))
    np.testing.assert_allclose(ours * signs, theirs, atol=2e-3)


def test_points_are_coloured_by_their_hundred_by_hundred_bins_dense_ones_last(samples):
    ours = rows(samples.pca(2).transform())
    counts, *edges = np.histogram2d(*ours.T, bins=100)
    place = [np.clip(np.digitize(c, e) - 1, 0, 99) for c, e in zip(ours.T, edges, strict=True)]
    drawn = samples.pca(2).plot.scatter()
    plt.close("all")
    np.testing.assert_array_equal(drawn.get_array(), np.sort(counts[tuple(place)]))


# ------------------------------------------------------------------------------- auto-encoder


@pytest.fixture(scope="module", params=[1, 2])
def latent(request):
    pytest.importorskip("torch")
    return sea().cluster.pixels().vae(request.param, epochs=EPOCHS).kmeans(7)


def test_the_auto_encoder_keeps_more_than_as_many_components(latent):
    values = rows(sea().cluster.pixels().kmeans(2).features)
    vae = latent.model[-2]
    # The network has variables by name; the table has them as the data do.
    columns = latent.model.named_steps["columns"]
    given_back = columns.inverse_transform(vae.inverse_transform(rows(latent.features)))
    r2 = 1 - ((values - given_back) ** 2).sum() / ((values - values.mean(axis=0)) ** 2).sum()
    assert r2 == pytest.approx(vae.history_["r2"][vae.best_epoch_ - 1], abs=1e-4)
    assert r2 > PCA(vae.n_components).fit(values).explained_variance_ratio_.sum()


def test_labels_along_a_latent_axis_stand_in_its_order(latent):
    z, labels = rows(latent.features), numbers(latent.labels)
    means = np.array([z[labels == each].mean(axis=0) for each in range(7)])
    assert (np.diff(means[:, 0]) > 0).all() == (z.shape[1] == 1)


def test_scores_in_the_latent_space_and_in_the_data_are_scikit_learns(latent):
    labels = numbers(latent.labels)
    table = rows(sea().cluster.pixels().scale(None).kmeans(2).features)
    for space, values in (("features", rows(latent.features)), ("data", table)):
        expected = silhouette_score(values, labels)
        assert float(latent.scores(space).silhouette) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("size", [50, 100, 400])
def test_their_loss_is_ours_at_a_batch_of_a_hundred_and_grows_with_the_batch_beside_it(size):
    """Theirs adds a sum over the batch to a mean over it; ours takes means of both."""
    torch = pytest.importorskip("torch")
    from xcluster.algorithms.parts.vae_network import _Training

    flat = sea().to_array().values.reshape(7, -1).T
    values = StandardScaler().fit_transform(flat[np.isfinite(flat).all(axis=1)])
    training = _Training(VAE(2, alpha=1e-4, random_state=1), values[:size])
    with torch.no_grad():
        mu, log_variance = training._encode(training.rows)
        ours = training._terms(training.rows, mu, log_variance, training.noise)
        z = mu + torch.exp(0.5 * log_variance) * training.noise
        decoded = training._forward("decoder", z)
        kl_sum = -0.5 * torch.sum(1 + log_variance - mu**2 - torch.exp(log_variance))
        theirs = torch.mean((training.rows - decoded) ** 2) + 1e-6 * kl_sum
    ours_kl, their_kl = 1e-4 * float(ours.kl), 1e-6 * float(kl_sum)
    assert their_kl == pytest.approx(ours_kl * size / 100, rel=1e-4)
    expected = float(ours.reconstruction) + ours_kl * size / 100
    assert float(theirs) == pytest.approx(expected, rel=1e-6)
