"""What was fitted is said: two fits that differ in a keyword never read alike."""

import inspect
import itertools

import numpy as np
import pytest
import scipy.sparse
import xarray as xr
from sklearn.cluster import AgglomerativeClustering, BisectingKMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer

import xcluster
from xcluster.base.wording import value_text
from xcluster.explore.gather import gather

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")

WITHOUT_EFFECT = {"self", "attrs", "progress", "retries"}
"""Attributes have lines of their own in a repr; a progress bar and retries change no label."""

RNG = np.random.default_rng(0)
STARTS = [RNG.normal(size=(2, 4)) for _ in range(2)]
MATRICES = [np.stack([np.eye(4) * scale] * 2) for scale in (1.0, 2.0)]
DTW = {"metric": "dtw"}

OF_ALL = {
    "fit_on": [10, 20, "all"],
    "smooth": [True],
    "interp_method": ["polynomial"],
    "random_state": [1, 2],
    "order": ["center", "a", lambda ds: ds.a.mean("level"), lambda ds: -ds.a.mean("level")],
}
STEPPED = {"n_init": [13, 14], "max_iter": [20, 30], "tol": [1e-2, 1e-3 / 3]}
VALUES = {
    "kmeans": {
        "k": [3, [2, 3], [2, 4], [2, 3, 4], None],
        "metric": ["cosine", "correlation", "dtw", "softdtw"],
        "trim": [0.1, 0.02],
        "window": [1, 2],
        "gamma": [0.5, 2.0],
        "max_iter_barycenter": [2, 3],
        "init": STARTS,
        **STEPPED,
    },
    "kmedoids": {
        "k": [3, [2, 3]],
        "metric": ["cityblock", "dtw"],
        "max_exact": [30, 50],
        "window": [1, 2],
        "n_init": [2, 3],
        "max_iter": [2, 3],
    },
    "gmm": {
        "k": [3, [2, 3]],
        "covariance_type": ["tied", "diag", "spherical"],
        "outliers": [True],
        "reg_covar": [1e-2, 1e-3],
        "init_params": ["random_from_data"],
        "weights_init": [[0.5, 0.5], [0.4, 0.6]],
        "means_init": STARTS,
        "precisions_init": MATRICES,
        **STEPPED,
    },
    "hac": {
        "k": [3, [2, 3]],
        "linkage": ["average", "complete", "single"],
        "contiguous": [True, 8],
        "metric": ["cityblock", "cosine", "correlation"],
        "max_exact": [30, 50],
    },
    "fuzzy": {
        "k": [3, [2, 3]],
        "m": [1.5, 3],
        "kind": ["possibilistic", "noise"],
        "delta": [1.0, 2.0],
        "shape": ["gustafson-kessel"],
        "init": STARTS,
        **STEPPED,
    },
    "som": {
        "grid": [(2, 2), (2, 3)],
        "training": ["online"],
        "sigma": [0.5, 1.5],
        "learning_rate": [0.1, 0.2],
        "n_iter": [5, 6],
    },
    "dbscan": {"eps": [0.3, 1.0], "min_samples": [2, 3], "metric": ["cityblock", "chebyshev"]},
    "hdbscan": {
        "min_cluster_size": [3, 4],
        "min_samples": [2, 3],
        "cluster_selection_epsilon": [0.1, 0.2],
        "cluster_selection_method": ["leaf"],
        "allow_single_cluster": [True],
        "metric": ["cityblock", "chebyshev"],
    },
    "fit": {
        "clusterer": [
            AgglomerativeClustering(2),
            AgglomerativeClustering(2, linkage="average"),
            AgglomerativeClustering(2, connectivity=scipy.sparse.eye(60, k=1)),
            AgglomerativeClustering(2, connectivity=scipy.sparse.eye(60, k=2)),
            BisectingKMeans(2),
            BisectingKMeans(2, n_init=3),
        ]
    },
}
TOGETHER = {
    ("kmeans", "window"): DTW,
    ("kmeans", "gamma"): {"metric": "softdtw"},
    ("kmeans", "max_iter_barycenter"): DTW,
    ("fuzzy", "delta"): {"kind": "noise"},
    ("kmedoids", "window"): DTW,
    ("hac", "metric"): {"linkage": "average"},
    ("hac", "max_exact"): {"k": 2},
    ("som", "learning_rate"): {"training": "online", "n_iter": 20},
}
"""Keywords that others need."""


@pytest.fixture(scope="module")
def data():
    """Sixty points with one variable of four levels."""
    values = RNG.normal(size=(10, 6, 4)) + 5 + 4 * (np.arange(10) % 2)[:, None, None]
    coords = {"y": np.arange(10.0), "x": np.arange(6.0), "level": np.arange(4.0)}
    return xr.Dataset({"a": (("y", "x", "level"), values)}, coords)


def parameters(name):
    return inspect.signature(getattr(xcluster.Samples, name)).parameters.keys() - WITHOUT_EFFECT


@pytest.mark.parametrize("name", VALUES)
def test_every_keyword_is_tried(name):
    shared = OF_ALL.keys() - ({"order"} if name == "som" else set())
    assert VALUES[name].keys() | shared == parameters(name)


def calls(name):
    """Return keywords that all differ, each without those that are the defaults."""
    first = {
        "kmeans": {"k": 2},
        "kmedoids": {"k": 2},
        "gmm": {"k": 2},
        "hac": {"k": 2},
        "fuzzy": {"k": 2},
    }
    first |= {"fit": {"clusterer": AgglomerativeClustering(2)}}
    base = first.get(name, {})
    tried = {**VALUES[name], **{k: v for k, v in OF_ALL.items() if k in parameters(name)}}
    listed = [base] if name != "fit" else []
    for keyword, values in tried.items():
        needed = {**base, **TOGETHER.get((name, keyword), {})}
        listed += [needed] if needed not in listed and needed != base else []
        listed += [{**needed, keyword: value} for value in values]
    return listed


@pytest.mark.parametrize("name", VALUES)
def test_two_fits_that_differ_in_a_keyword_never_read_alike(data, name):
    samples = data.cluster.profiles("level")
    fits = [getattr(samples, name)(progress=False, **each) for each in calls(name)]
    for said in (lambda fit: fit.method, lambda fit: repr(fit).splitlines()[0]):
        texts = [said(fit) for fit in fits]
        same = [pair for pair in itertools.combinations(texts, 2) if pair[0] == pair[1]]
        assert same == []
        assert all(f" {name}" in f" {text}" for text in texts)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda s: s.kmeans(8, metric="dtw", window=3), "kmeans(k=8, metric='dtw', window=3)"),
        (lambda s: s.kmeans(2, metric="euclidean", n_init=10, tol=1e-4), "kmeans(k=2)"),
        (lambda s: s.kmeans(np.int64(2), max_iter=np.int64(300)), "kmeans(k=2)"),
        (lambda s: s.gmm(2, covariance_type="diag", n_init=10), "gmm(k=2, covariance_type='diag')"),
        (lambda s: s.hac(2, contiguous=4), "hac(k=2, contiguous=True)"),
        (lambda s: s.som(), "som"),
        (lambda s: s.som([2, 3]), "som(grid=(2, 3))"),
        (lambda s: s.hac(5).cut(3), "hac(k=3)"),
        (lambda s: s.hac(5).merge([[0, 1]]), "hac(k=5)"),
        (lambda s: s.sweep([2, 4], "hac").clustering(4), "hac(k=4 of (2, 4))"),
        (lambda s: s.kmeans(2, progress=False, attrs={"a": "b"}), "kmeans(k=2)"),
        (
            lambda s: s.fit(BisectingKMeans(2, bisecting_strategy="largest_cluster")),
            "fit(clusterer=BisectingKMeans(bisecting_strategy='largest_cluster', n_clusters=2))",
        ),
    ],
)
def test_only_what_differs_from_the_defaults_is_said(data, call, said):
    assert call(data.cluster.profiles("level")).method == said


def test_figures_pages_tables_and_files_say_the_same(data, tmp_path):
    fit = data.cluster.profiles("level").kmeans([2, 3], metric="dtw", window=2)
    said = f"kmeans(k={fit.k} of 2 to 3, metric='dtw', window=2)"
    assert fit.method == said
    assert said in repr(fit)
    assert said.replace("'", "&#x27;") in fit._repr_html_()
    assert fit.plot.map().axes.get_title() == said
    assert gather([fit], {}).results[0].title == said
    assert fit.report().attrs["method"] == said
    assert repr(fit.sweep).startswith("<xcluster.Sweep> kmeans(k=2 to 3, metric='dtw', window=2)")
    for path in (tmp_path / "a.nc", tmp_path / "a.zarr"):
        fit.save(path)
        again = xcluster.open(path)
        assert again.method == said
        assert repr(again.sweep) == repr(fit.sweep)
    pooled = xcluster.pool({"one": data, "two": data}, lambda ds: ds.cluster.profiles("level"))
    assert pooled.gmm(2, covariance_type="diag").method == "gmm(k=2, covariance_type='diag')"
    assert (fit.method_name, pooled.kmeans(2).method_name) == ("kmeans", "kmeans")


def test_long_titles_are_broken_into_lines(data):
    fit = data.cluster.profiles("level").gmm(
        2, tol=0.01, max_iter=20, n_init=3, reg_covar=0.1, random_state=7
    )
    lines = fit.plot.map().axes.get_title().splitlines()
    assert len(lines) == 2
    assert " ".join(lines) == fit.method


def test_steps_say_their_keywords_too(data):
    samples = data.cluster.profiles("level")
    steps = [
        samples.vae(2, epochs=2),
        samples.vae(2, epochs=2, hidden=8),
        samples.pca(2),
        samples.scale(QuantileTransformer(n_quantiles=10)),
        samples.scale(QuantileTransformer(n_quantiles=20)),
        samples.then(FunctionTransformer(np.sqrt)),
        samples.then(FunctionTransformer(np.cbrt)),
        samples.scale("robust", over="all"),
    ]
    texts = [repr(each) for each in steps]
    assert len(set(texts)) == len(texts)
    assert "vae(2, epochs=2, hidden=8)" in texts[1]
    assert "then(FunctionTransformer(func=<ufunc 'sqrt'>))" in texts[5]


def test_samples_say_how_they_were_chosen(data):
    image = data.a.isel(level=0, drop=True)
    chosen = [
        data.cluster.profiles("level"),
        data.cluster.profiles("level", between=(0, 2)),
        data.cluster.profiles("level", between=(1, 3)),
        data.cluster.profiles("level", step=0.5),
        data.cluster.profiles("level", every=2),
        data.cluster.profiles("level", every={"x": 2}),
        data.cluster.profiles("level", missing=0.5),
        data.cluster.pixels(dim="level"),
        image.cluster.patches(2),
        image.cluster.patches(3),
        image.cluster.patches(2, every=2),
        image.cluster.patches(3, at=[(2.0, 2.0), (4.0, 3.0)]),
        image.cluster.patches(3, at=[(2.0, 2.0), (5.0, 3.0)]),
    ]
    lines = [repr(each).splitlines()[1] for each in chosen]
    assert len(set(lines)) == len(lines)
    assert "profiles(dim='level', between=(0, 2)) over (y: 10, x: 6)" in lines[1]


def test_values_are_told_apart_and_do_not_depend_on_where_they_lie():
    a, b = np.arange(12.0).reshape(3, 4), np.arange(12.0).reshape(4, 3)
    different = [
        a,
        b,
        a + 1,
        a.astype(int),
        None,
        1,
        1.0,
        True,
        "a",
        [1, 2],
        (1, 2),
        ["a"],
        np.sqrt,
    ]
    texts = [value_text(each) for each in different]
    assert len(set(texts)) == len(texts)
    assert value_text(a.copy()) == value_text(a.tolist()) == value_text(xr.DataArray(a))
    assert value_text(np.float64(0.5)) == "0.5"
    pipeline = Pipeline([("one", PCA(2))])
    assert value_text(pipeline) == "Pipeline(steps=[('one', PCA(n_components=2))])"
    assert value_text({"a": (1,), "b": [[1], [2, 3]]}) == "{'a': (1,), 'b': [[1], [2, 3]]}"
    functions = [eval("lambda x: x + 1"), eval("lambda x: x + 2"), eval("lambda x: x + 1")]
    one, two, again = map(value_text, functions)
    assert one == again != two
