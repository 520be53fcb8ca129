"""Errors say what is wrong with what the user typed, and are raised before the work."""

import numpy as np
import pytest
import xarray as xr
from sklearn.cluster import SpectralClustering

from xcluster import scores
from xcluster.algorithms.density import DBSCAN, HDBSCAN
from xcluster.algorithms.fuzzy import FuzzyCMeans
from xcluster.algorithms.hierarchical import Hierarchical
from xcluster.algorithms.mixture import GaussianMixture
from xcluster.algorithms.som import SOM
from xcluster.algorithms.warping import WarpingKMeans
from xcluster.base import memory
from xcluster.base.errors import BadTypeError, BadValueError

GB = 1e9


@pytest.fixture(scope="module")
def data():
    """Sixty points with four levels."""
    values = np.random.default_rng(0).normal(size=(10, 6, 4))
    values += 4 * (np.arange(10) % 2)[:, None, None]
    coords = {"y": np.arange(10.0), "x": np.arange(6.0), "level": np.arange(4.0)}
    return xr.Dataset({"a": (("y", "x", "level"), values)}, coords)


def profiles(data):
    return data.cluster.profiles("level")


# ------------------------------------------------------------------------ as many labels as rows


def test_a_score_that_is_undefined_is_nan_with_a_note_and_the_others_stand(data):
    few = data.isel(y=slice(2), x=slice(3))
    found = profiles(few).kmeans(6).scores()
    assert np.isnan(float(found.calinski_harabasz))
    assert "as many labels as samples" in found.calinski_harabasz.attrs["note"]
    assert float(found.inertia) == pytest.approx(0, abs=1e-12)
    assert float(found.silhouette) == 0
    swept = profiles(few).sweep([2, 6], criteria=["calinski_harabasz", "distortion"])
    assert np.isfinite(swept.table.calinski_harabasz).values.tolist() == [True, False]
    assert "as many labels as samples" in swept.table.calinski_harabasz.attrs["note"]
    assert swept.best("calinski_harabasz") == 2


def test_a_score_that_is_defined_has_no_note(data):
    found = profiles(data).kmeans(3).scores()
    assert all("note" not in each.attrs for each in found.values())


def test_without_weights_no_weight_is_blamed():
    X = np.arange(8.0).reshape(4, 2)
    with pytest.raises(BadValueError, match="labels=4: there are as many labels as the 4 rows"):
        scores.calinski_harabasz(X, [0, 1, 2, 3])
    with pytest.raises(BadValueError, match=r"sample_weight=2.0: the total weight stands for"):
        scores.calinski_harabasz(X, [0, 0, 1, 1], [0.5] * 4)


# ----------------------------------------------------------------------------- what the user typed


@pytest.mark.parametrize(
    ("call", "parameter", "message"),
    [
        (
            lambda s: s.weights("areas"),
            "weights",
            r"weights='areas': must be 'area' or a DataArray of numbers\. Pass weights\('area'\)",
        ),
        (lambda s: s.weights(np.ones(3)), "weights", "must be 'area' or a DataArray of numbers"),
        (lambda s: s.scale("standart"), "how", r"None or a transformer\. Did you mean 'standard'"),
        (lambda s: s.hac(4).cut(2.5), "k", r"k=2\.5: must be an integer.* Pass k=1 or more"),
        (lambda s: s.hac(4).cut(99), "k", "k=99: must be at most the number of distinct rows"),
        (lambda s: s.hac(4).cut(), "cut", "cut='neither': takes either k or height"),
        (lambda s: s.hac(4).cut(2, height=1.0), "cut", "cut='both': takes either k or height"),
        (lambda s: s.som((2, 2)).merge_nodes(2.5), "k", r"k=2\.5: must be an integer"),
        (lambda s: s.som((2, 2)).merge_nodes(9), "k", "k=9: the map has only 4 nodes"),
        (lambda s: s.sweep([2, 3]).clustering(2.5), "k", r"must be one of 2, 3\. Did you mean 2\?"),
        (
            lambda s: s.kmeans(2, window=3),
            "window",
            "window=3: needs metric='dtw'. Pass metric='dtw'",
        ),
        (lambda s: s.kmeans(2, gamma=2.0), "gamma", r"gamma=2\.0: needs metric='softdtw'"),
        (lambda s: s.kmeans(2, metric="dtw", gamma=2.0), "gamma", "needs metric='softdtw'"),
        (lambda s: s.kmeans(2, metric="softdtw", window=2), "window", "needs metric='dtw'"),
        (
            lambda s: s.som((2, 2), learning_rate=0.1),
            "learning_rate",
            r"learning_rate=0\.1: needs training='online'",
        ),
        (lambda s: s.sweep([2], window=3), "window", "window=3: needs metric='dtw'"),
        (lambda s: s.kmeans(2, n_clusters=3), "n_clusters", "is called k here. Pass k=3"),
        (lambda s: s.kmeans(2, n_clusters=2.5), "n_clusters", "Pass an integer as k"),
        (
            lambda s: s.weights(xr.ones_like(s.data.a[..., 0])).hac(3, linkage="average"),
            "weights",
            r"weights='given': hac\(linkage='average'\) takes no weights\. Leave them out",
        ),
        (
            lambda s: s.kmeans(2).memberships,
            "method",
            r"method='kmeans': \.memberships needs a method that gives memberships, and kmeans",
        ),
    ],
)
def test_a_message_speaks_of_what_was_typed(data, call, parameter, message):
    with pytest.raises((BadTypeError, BadValueError), match=message) as caught:
        call(profiles(data))
    assert caught.value.parameter == parameter
    assert "n_clusters" not in str(caught.value) or parameter == "n_clusters"


def test_too_many_components_are_told_as_k(data):
    with pytest.raises(BadValueError, match=r"k=31: .* Pass 30 or fewer") as caught:
        profiles(data.where(data.y < 5)).gmm(31)
    assert "n_components" not in str(caught.value)


def test_coincident_centres_have_the_numbers_of_the_labels(data):
    with pytest.warns(UserWarning, match="coincide .the numbers are those of the estimator"):
        fit = profiles(data).fuzzy(4, kind="possibilistic")
    pairs, codes = fit.model.steps[-1][1].coincident_, fit.partition.codes
    told = ", ".join(f"{codes[a]} and {codes[b]}" for a, b in pairs)
    assert f"coincident centres: {told}" in fit.report().attrs["notes"]


# ------------------------------------------------------------------------------ distances without


@pytest.mark.parametrize(
    ("estimator", "row"),
    [
        (Hierarchical(2, linkage="average", metric="cosine"), 0.0),
        (DBSCAN(0.1, metric="cosine"), 0.0),
        (DBSCAN(0.1, metric="correlation"), 3.0),
        (HDBSCAN(metric="correlation"), 3.0),
        (HDBSCAN(metric="braycurtis"), 0.0),
    ],
)
def test_rows_without_a_distance_are_refused_before_the_fit(estimator, row):
    X = np.random.default_rng(0).random((50, 4)) + 1
    estimator.fit(X)
    X[[3, 7]] = row
    said = r"metric='\w+': is undefined for 2 of 50 samples, which are .* Mask them"
    with pytest.raises(BadValueError, match=said):
        estimator.fit(X)


def test_the_remedies_for_rows_without_a_distance_work(data):
    data = data.where(data.y > 0, 0.0)
    with pytest.raises(BadValueError, match=r"is undefined for 6 of 60 samples"):
        profiles(data).hdbscan(5, metric="braycurtis")
    assert profiles(data).where(data.y > 0).hdbscan(5, metric="braycurtis").record.fitted == 54
    kept = profiles(data).hac(3, linkage="average", metric="cosine")
    assert kept.k == profiles(data).hac(3, linkage="average").k == 3


# ----------------------------------------------------------------------------------------- memory


@pytest.fixture
def little(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 2 * GB)


def wide(n_features, n_samples=40):
    values = np.zeros((n_samples, n_features), np.float32)
    return xr.DataArray(values, dims=("x", "band"), name="a").cluster.pixels(dim="band")


def test_what_is_free_is_known_on_this_machine():
    assert memory.free_memory() > memory.SMALL


def test_the_limit_of_a_container_counts(monkeypatch, tmp_path):
    for text, expected in (("123456\n", 123456), ("max\n", memory.free_memory())):
        (tmp_path / "limit").write_text(text)
        monkeypatch.setattr(memory, "OF_CONTAINER", tmp_path / "limit")
        assert memory.free_memory() == pytest.approx(expected, rel=0.5)
    monkeypatch.setattr(memory, "OF_SYSTEM", tmp_path / "missing")
    assert memory.free_memory() > memory.SMALL


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: wide(50_000).gmm(4),
            r"covariance_type='full': needs about 640 GB of memory for matrices of 50,000 x "
            r"50,000, and 2 GB are free\. Use pca first, or covariance_type=\"diag\"",
        ),
        (lambda: wide(50_000).gmm([2, 4]), "covariance_type='full': needs about 640 GB"),
        (lambda: wide(50_000).sweep([2, 4], "gmm"), "covariance_type='full': needs about 640 GB"),
        (lambda: wide(50_000).gmm(4, covariance_type="tied"), "'tied': needs about 320 GB"),
        (
            lambda: wide(50_000).fuzzy(4, shape="gustafson-kessel"),
            "shape='gustafson-kessel': needs",
        ),
        (lambda: wide(20_000).kmeans(2, metric="dtw"), "metric='dtw': needs .* 20,000 x 20,000"),
        (lambda: wide(4).som((200, 200)), r"grid=\(200, 200\): needs .* 40,000 nodes"),
        (lambda: wide(50_000).correlation(), "features=50000: needs .* 50,000 x 50,000"),
        (lambda: wide(1_000, 600_000).kmeans(2, fit_on=500_000), "fit_on=500000: needs about 4 GB"),
    ],
)
def test_what_grows_with_the_square_of_features_is_refused_before_anything_is_read(
    little, monkeypatch, call, message
):
    monkeypatch.setattr("xcluster.fit.fitting.prepare", lambda *_: pytest.fail("it was read"))
    with pytest.raises(BadValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda s: s.hac(3, linkage="average"), r"hac\(linkage='average'\)"),
        (lambda s: s.hac([2, 3], linkage="single"), r"hac\(linkage='single'\)"),
        (lambda s: s.som((2, 2), training="online"), r"som\(grid=\(2, 2\), training='online'\)"),
        (lambda s: s.fit(SpectralClustering(3)), r"fit\(clusterer=SpectralClustering\("),
        (lambda s: s.dbscan(0.1), "dbscan"),
    ],
)
def test_weights_that_nobody_takes_are_refused_before_anything_is_read(
    data, monkeypatch, call, said
):
    monkeypatch.setattr("xcluster.fit.fitting.prepare", lambda *_: pytest.fail("it was read"))
    samples = profiles(data)
    with pytest.raises(BadValueError, match=f"weights='given': {said}.* takes no weights"):
        call(samples.weights(xr.ones_like(samples.data.a[..., 0])))


@pytest.mark.parametrize(
    "call",
    [
        lambda samples: samples.pca(3).gmm(2),
        lambda samples: samples.gmm(2, covariance_type="diag"),
        lambda samples: samples.fuzzy(2),
    ],
)
def test_the_remedies_for_many_features_are_not_refused(little, monkeypatch, call):
    class ReadError(Exception):
        pass

    def read(*_):
        raise ReadError

    monkeypatch.setattr("xcluster.fit.fitting.prepare", read)
    with pytest.raises(ReadError):
        call(wide(50_000))


@pytest.mark.parametrize(
    ("estimator", "shape", "needed"),
    [
        (GaussianMixture(4), (10, 50_000), 640 * GB),
        (GaussianMixture(4, covariance_type="tied"), (10, 50_000), 320 * GB),
        (FuzzyCMeans(4, shape="gustafson-kessel"), (10, 50_000), 640 * GB),
        (SOM((200, 200)), (10, 4), 25.6 * GB),
        (WarpingKMeans(2, n_channels=2), (10, 40_000), 102.4 * GB),
        (Hierarchical(linkage="average", max_exact=100_000), (50_000, 4), 20 * GB),
        (Hierarchical(linkage="complete", max_exact=100_000), (50_000, 4), 20 * GB),
        (HDBSCAN(metric="cosine"), (50_000, 4), 47.5 * GB),
    ],
)
def test_each_estimate_grows_with_the_square(monkeypatch, estimator, shape, needed):
    threads = "xcluster.algorithms.warping.n_threads"
    monkeypatch.setattr(threads, lambda: 1)
    monkeypatch.setattr(memory, "free_memory", lambda: 1.01 * needed)
    estimator.check_memory(*shape)
    monkeypatch.setattr(memory, "free_memory", lambda: 0.99 * needed)
    with pytest.raises(BadValueError, match="of memory for"):
        estimator.check_memory(*shape)


@pytest.mark.parametrize(
    "estimator",
    [
        Hierarchical(),
        Hierarchical(linkage="single"),
        HDBSCAN(),
        DBSCAN(),
        GaussianMixture(4, covariance_type="diag"),
        FuzzyCMeans(4),
    ],
)
def test_what_does_not_grow_with_the_square_is_never_refused(little, estimator):
    check = getattr(estimator, "check_memory", lambda *_: None)
    check(1_000_000, 100_000)


def test_what_cannot_be_streamed_is_said_with_its_metric(data, monkeypatch):
    monkeypatch.setattr("xcluster.fit.fitting.ALL_POINTS", 10)
    said = r"cannot stream kmeans\(metric='dtw'\) over 60 grid points"
    with pytest.raises(BadValueError, match=said):
        profiles(data).kmeans(2, metric="dtw", fit_on="all")
