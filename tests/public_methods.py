"""Every public method, found by itself, and how to call it on small data."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr

import xcluster
from xcluster import PooledClustering, PooledSamples
from xcluster.api.accessor import ClusterAccessor
from xcluster.explore.page import Page
from xcluster.fit import methods
from xcluster.plot.clustering import ClusteringPlot
from xcluster.plot.samples import SamplesPlot
from xcluster.plot.sweep import SweepPlot

mpl.use("agg")

CLASSES = (
    ClusterAccessor,
    xcluster.Samples,
    xcluster.Clustering,
    xcluster.Sweep,
    PooledSamples,
    PooledClustering,
    ClusteringPlot,
    SamplesPlot,
    SweepPlot,
    Page,
)
MODULES = (xcluster, xcluster.coords, xcluster.datasets)


def public_methods():
    """Every public method and function by name: found, not listed."""
    found = {}
    for owner in CLASSES:
        # What completion does not list is for the package alone.
        ours = getattr(owner, "_for_us", ())
        for name, method in inspect.getmembers(owner, inspect.isfunction):
            is_called = name == "__call__" or not (name.startswith("_") or name in ours)
            if method.__module__.startswith("xcluster") and is_called:
                found[f"{owner.__name__}.{name}"] = method
    for module in MODULES:
        for name in getattr(module, "__all__", [each for each in dir(module) if each[0] != "_"]):
            function = getattr(module, name)
            if inspect.isfunction(function) and function.__module__.startswith(module.__name__):
                found[f"{module.__name__}.{name}"] = function
    helpers = {name for name, each in found.items() if each.__module__ == "xcluster.base.checks"}
    return {name: each for name, each in found.items() if name not in helpers}


METHODS = public_methods()


# ------------------------------------------------------------------------------------- subjects


def _grouped(shape, seed=0):
    random = np.random.default_rng(seed)
    group = np.arange(np.prod(shape)).reshape(shape) % 3
    return 4.0 * group + random.normal(size=shape)


def scene():
    """Two variables on a small grid."""
    coords = {"y": np.arange(6.0), "x": np.arange(5.0)}
    return xr.Dataset(
        {name: (("y", "x"), _grouped((6, 5), seed)) for seed, name in enumerate("ab")}, coords
    )


def image():
    """Bands of a small image."""
    values = np.abs(_grouped((6, 5)) + np.arange(4.0)[:, None, None])
    coords = {"band": np.arange(4.0), "y": np.arange(6.0), "x": np.arange(5.0)}
    return xr.DataArray(values, coords, ("band", "y", "x"), name="counts")


def series():
    """Monthly fields."""
    time = pd.date_range("2001-01-01", periods=36, freq="MS")
    coords = {"time": time, "lat": [10.0, 20.0], "lon": [0.0, 1.0, 2.0]}
    return xr.DataArray(_grouped((36, 2, 3)), coords, ("time", "lat", "lon"), name="sst")


def picture():
    """An image with a lattice of bright spots."""
    y, x = np.indices((16, 14))
    values = np.cos(y * np.pi / 2) * np.cos(x * np.pi / 2) + y / 40
    return xr.DataArray(values, {"y": y[:, 0] * 0.5, "x": x[0] * 0.5}, ("y", "x"), name="stem")


def scenes():
    """Two scenes of one kind."""
    return {"one": scene(), "two": scene().isel(x=slice(3))}


def counted():
    """The scene as counts of at least one."""
    return np.ceil(abs(scene())) + 1


SUBJECTS = {
    "scene.cluster": lambda: scene().cluster,
    "image.cluster": lambda: image().cluster,
    "series.cluster": lambda: series().cluster,
    "picture.cluster": lambda: picture().cluster,
    "samples": lambda: scene().cluster.pixels(),
    "bands": lambda: image().cluster.profiles("band"),
    "counted": lambda: counted().cluster.pixels(),
    "counted pool": lambda: xcluster.pool(
        [counted(), counted()], lambda each: each.cluster.pixels()
    ),
    "months": lambda: series().cluster.snapshots("time"),
    "pca": lambda: image().cluster.profiles("band").pca(2),
    "vae": lambda: image().cluster.profiles("band").vae(2, epochs=2, hidden=4),
    "fit": lambda: scene().cluster.pixels().kmeans(3),
    "curves": lambda: image().cluster.profiles("band").kmeans(3),
    "fit of pca": lambda: get("pca").kmeans(3),
    "fit of vae": lambda: get("vae").kmeans(3),
    "soft": lambda: scene().cluster.pixels().gmm(2, covariance_type="diag"),
    "tree": lambda: scene().cluster.pixels().hac(3),
    "nodes": lambda: image().cluster.profiles("band").som((2, 2)),
    "windows": lambda: picture().cluster.patches(3, every=3).kmeans(2),
    "regimes": lambda: get("months").kmeans(2),
    "sweep": lambda: scene().cluster.pixels().sweep([2, 3, 4]),
    "pool": lambda: xcluster.pool(scenes(), lambda each: each.cluster.pixels()),
    "pooled": lambda: get("pool").kmeans(2),
    "pooled curves": lambda: xcluster.pool(
        [image(), image()], lambda each: each.cluster.profiles("band")
    ).kmeans(3),
    "pooled soft": lambda: get("pool").gmm(2, covariance_type="diag"),
    "pooled vae": lambda: xcluster.pool(
        [image(), image()], lambda each: each.cluster.profiles("band").vae(2, epochs=2, hidden=4)
    ).kmeans(3),
    "pooled windows": lambda: xcluster.pool(
        [picture()], lambda each: each.cluster.patches(3, every=3)
    ).kmeans(2),
    "pooled tree": lambda: get("pool").hac(3),
    "pooled nodes": lambda: get("pool").som((2, 2)),
    "pooled regimes": lambda: xcluster.pool(
        [series(), series()], lambda each: each.cluster.snapshots("time")
    ).kmeans(2),
    "page": lambda: get("fit").explore(),
}


@cache
def get(name):
    """Return a subject, made once."""
    return SUBJECTS[name]()


# -------------------------------------------------------------------------------------- entries

FOLDER = mkdtemp()
FILE = str(Path(FOLDER) / "fit.nc")
RASTER = str(Path(FOLDER) / "fit.tif")
"""Where results are saved."""

SHARED = tuple(each.name for each in fields(methods.Options))


def keywords_of(estimator, *given):
    """Names of the keywords that a clusterer takes for its estimator, and of the shared ones."""
    own = set(inspect.signature(estimator).parameters)
    return tuple(sorted((own | set(SHARED)) - {"n_clusters", "n_components", *given}))


def drawn_by(name):
    """Names of the keywords of a drawing function, asked for when they are needed."""
    module, _, function = name.partition(".")

    def keywords():
        draw = getattr(import_module(f"xcluster.plot.{module}"), function)
        named = inspect.signature(draw).parameters.values()
        return tuple(each.name for each in named if each.kind is each.KEYWORD_ONLY)

    return keywords


@dataclass(frozen=True)
class Entry:
    """How a method is called: on which subject, with which other arguments."""

    subject: str | None = None
    given: Mapping = field(default_factory=dict)
    keywords: object = ()

    def more(self):
        return self.keywords() if callable(self.keywords) else self.keywords

    def others(self):
        return self.given() if callable(self.given) else self.given


def _entries():
    from sklearn.cluster import KMeans as TheirKMeans

    from xcluster.algorithms.density import DBSCAN, HDBSCAN
    from xcluster.algorithms.fuzzy import FuzzyCMeans
    from xcluster.algorithms.hierarchical import Hierarchical
    from xcluster.algorithms.kmeans import KMeans
    from xcluster.algorithms.medoids import KMedoids
    from xcluster.algorithms.mixture import GaussianMixture
    from xcluster.algorithms.poisson_mixture import PoissonMixture
    from xcluster.algorithms.som import SOM
    from xcluster.algorithms.vae import VAE

    clusterers = {
        "kmeans": Entry("samples", {"k": 2}, keywords_of(KMeans)),
        "kmedoids": Entry("samples", {"k": 2}, keywords_of(KMedoids)),
        "gmm": Entry("samples", {"k": 2}, keywords_of(GaussianMixture, "covariance_type")),
        "mixture": Entry("counted", {"k": 2}, keywords_of(PoissonMixture, "family")),
        "hac": Entry("samples", {"k": 2}, keywords_of(Hierarchical, "linkage")),
        "fuzzy": Entry("samples", {"k": 2}, keywords_of(FuzzyCMeans, "m", "kind", "shape")),
        "som": Entry("samples", {"grid": (2, 2)}, keywords_of(SOM, "grid", "training")),
        "dbscan": Entry("samples", {"eps": 1.0}, keywords_of(DBSCAN, "eps", "min_samples")),
        "hdbscan": Entry("samples", {}, keywords_of(HDBSCAN, "min_cluster_size")),
        "fit": Entry("samples", {"clusterer": TheirKMeans(2, n_init=1)}, SHARED),
        "sweep": Entry("samples", {"ks": [2, 3]}, ("n_init", *SHARED)),
    }
    pooled = {
        f"PooledSamples.{name}": Entry(
            "counted pool" if each.subject == "counted" else "pool", each.given, SHARED
        )
        for name, each in clusterers.items()
    }
    return {
        "ClusterAccessor.pixels": Entry("image.cluster", {"dim": "band"}),
        "ClusterAccessor.profiles": Entry("image.cluster", {"dim": "band"}),
        "ClusterAccessor.patches": Entry("picture.cluster", {"size": 3}),
        "ClusterAccessor.snapshots": Entry("series.cluster"),
        **{f"Samples.{name}": each for name, each in clusterers.items()},
        **{f"Samples.{name}": Entry("samples") for name in ("where", "weights")},
        "Samples.pca": Entry("samples", {"n": 1}),
        "Samples.scale": Entry("samples", {"over": "variable"}),
        "Samples.nmf": Entry("bands", {"n": 1}),
        "Samples.vae": Entry(
            "bands", {"n": 1, "epochs": 1, "hidden": 2}, tuple(inspect.signature(VAE).parameters)
        ),
        "Samples.then": Entry("samples"),
        "Samples.anomaly": Entry("months", {"groupby": "time.month"}),
        "Samples.decode": Entry("vae"),
        "Samples.latent_gradient": Entry("vae"),
        "Samples.latent_distances": Entry("vae"),
        **{
            f"Samples.{name}": Entry("pca")
            for name in (
                "transform",
                "loadings",
                "explained_variance",
                "reconstruction",
                "correlation",
            )
        },
        **pooled,
        "PooledClustering.predict": Entry("pooled", {"new": scene()}),
        **{
            f"PooledClustering.{name}": Entry("pooled")
            for name in (
                "explore",
                "match",
                "members",
                "mask",
                "merge",
                "relabel",
                "report",
                "scores",
                "to_dataframe",
                "to_datatree",
                "uncertainty",
            )
        },
        "PooledClustering.decode": Entry("pooled vae"),
        "PooledClustering.latent_gradient": Entry("pooled vae"),
        "PooledClustering.latent_distances": Entry("pooled vae"),
        "PooledClustering.upsample": Entry("pooled windows"),
        "PooledClustering.back_projection": Entry("pooled soft"),
        "PooledClustering.threshold": Entry("pooled soft"),
        "PooledClustering.save": Entry("pooled", {"path": FILE}),
        "PooledClustering.to_raster": Entry("pooled", {"folder": FOLDER}),
        "PooledClustering.to_polygons": Entry("pooled"),
        "PooledClustering.smooth": Entry("pooled"),
        "PooledClustering.sieve": Entry("pooled", {"min_size": 4}),
        "PooledClustering.fill": Entry("pooled"),
        "PooledClustering.regions": Entry("pooled"),
        "PooledClustering.cut": Entry("pooled tree"),
        "PooledClustering.merge_nodes": Entry("pooled nodes"),
        "PooledClustering.u_matrix": Entry("pooled nodes"),
        "PooledClustering.regimes": Entry("pooled regimes"),
        "Sweep.best": Entry("sweep"),
        "Sweep.agreement": Entry("sweep"),
        "Sweep.clustering": Entry("sweep"),
        "SweepPlot.__call__": Entry("sweep", {}, drawn_by("curves.criteria")),
        "Page.save": Entry("page"),
        "Clustering.back_projection": Entry("soft"),
        "Clustering.cut": Entry("tree"),
        "Clustering.decode": Entry("fit of vae"),
        "Clustering.latent_gradient": Entry("fit of vae"),
        "Clustering.latent_distances": Entry("fit of vae"),
        "Clustering.merge_nodes": Entry("nodes"),
        "Clustering.u_matrix": Entry("nodes"),
        "Clustering.predict": Entry("fit", {"new": scene()}),
        "Clustering.regimes": Entry("regimes"),
        "Clustering.threshold": Entry("soft"),
        "Clustering.save": Entry("fit", {"path": FILE}),
        "Clustering.to_tiff": Entry("fit", {"path": str(Path(FILE).with_suffix(".tif"))}),
        "Clustering.to_msa": Entry("curves", {"folder": str(Path(FILE).parent)}),
        "Clustering.to_hyperspy": Entry("curves"),
        "PooledClustering.to_tiff": Entry("pooled", {"folder": str(Path(FILE).parent)}),
        "PooledClustering.to_msa": Entry("pooled curves", {"folder": str(Path(FILE).parent)}),
        "PooledClustering.to_hyperspy": Entry("pooled curves"),
        "Clustering.smooth": Entry("fit"),
        "Clustering.sieve": Entry("fit", {"min_size": 4}),
        "Clustering.fill": Entry("fit"),
        "Clustering.to_raster": Entry("fit", {"path": RASTER}),
        "Clustering.to_polygons": Entry("fit"),
        "Clustering.regions": Entry("fit"),
        "Clustering.upsample": Entry("windows"),
        **{
            f"Clustering.{name}": Entry("fit")
            for name in (
                "explore",
                "match",
                "members",
                "mask",
                "merge",
                "relabel",
                "report",
                "scores",
                "to_dataframe",
                "to_dataset",
                "uncertainty",
            )
        },
        "ClusteringPlot.centers": Entry("curves", {}, drawn_by("profiles.centers")),
        "ClusteringPlot.confusion": Entry(
            "fit", lambda: {"other": get("soft")}, drawn_by("matrices.confusion")
        ),
        "ClusteringPlot.dendrogram": Entry("tree", {}, drawn_by("dendrogram.dendrogram")),
        "ClusteringPlot.histogram": Entry("fit", {}, drawn_by("scatter.histogram")),
        "ClusteringPlot.latent": Entry("fit of pca", {}, drawn_by("nodes.nodes")),
        "ClusteringPlot.map": Entry("fit", {}, drawn_by("maps.map")),
        "ClusteringPlot.memberships": Entry("soft", {}, drawn_by("memberships.memberships")),
        "ClusteringPlot.nodes": Entry("nodes", {}, drawn_by("nodes.nodes")),
        "ClusteringPlot.parallel": Entry("fit", {}, drawn_by("scatter.parallel")),
        "ClusteringPlot.phases": Entry("soft", {}, drawn_by("maps.map")),
        "ClusteringPlot.profiles": Entry("curves", {}, drawn_by("profiles.profiles")),
        "ClusteringPlot.change": Entry(
            "fit", lambda: {"other": get("fit")}, drawn_by("matrices.changes")
        ),
        "ClusteringPlot.regions": Entry("fit", {}, drawn_by("regions.regions")),
        "ClusteringPlot.zones": Entry(
            "fit", {"by": xr.zeros_like(scene().a, dtype=int)}, drawn_by("zones.zones")
        ),
        "ClusteringPlot.scatter": Entry("fit", {}, drawn_by("scatter.scatter")),
        "ClusteringPlot.scatter3d": Entry("curves", {}, drawn_by("scatter.scatter3d")),
        "ClusteringPlot.scree": Entry("fit of pca", {}, drawn_by("curves.scree")),
        "ClusteringPlot.silhouette": Entry("fit", {}, drawn_by("silhouette.silhouette")),
        "ClusteringPlot.training": Entry("fit of vae", {}, drawn_by("training.training")),
        "ClusteringPlot.transitions": Entry("regimes", {}, drawn_by("matrices.transitions")),
        "ClusteringPlot.u_matrix": Entry("nodes", {}, drawn_by("nodes.u_matrix")),
        "SamplesPlot.correlation": Entry("samples", {}, drawn_by("matrices.correlation")),
        "SamplesPlot.histogram": Entry("samples", {}, drawn_by("scatter.histogram")),
        "SamplesPlot.loadings": Entry("pca", {}, drawn_by("loadings.loadings")),
        "SamplesPlot.map": Entry("samples", {}, lambda: ("sel", *drawn_by("maps.map")())),
        "SamplesPlot.scatter": Entry("samples", {}, drawn_by("scatter.scatter")),
        "SamplesPlot.scree": Entry("pca", {}, drawn_by("curves.scree")),
        "xcluster.open": Entry(None, {"path": "no such file.nc"}),
        "xcluster.change": Entry(None, lambda: {"a": get("fit"), "b": get("fit")}),
        "xcluster.compare": Entry(None, lambda: {"a": get("fit"), "b": get("soft")}),
        "xcluster.peaks": Entry(None, {"image": picture()}),
        "xcluster.pool": Entry(
            None, {"objects": scenes(), "question": lambda each: each.cluster.pixels()}
        ),
        "xcluster.coords.calibrate": Entry(
            None, {"da": image(), "dim": "band", "found": [0, 1], "known": [0.1, 0.3]}
        ),
        "xcluster.coords.find_peaks": Entry(None, {"da": image(), "dim": "band"}),
        "xcluster.coords.pixel_size": Entry(None, {"da": image(), "size": 1.0, "unit": "nm"}),
        "xcluster.datasets.eds": Entry(None, {"size": 8}),
        "xcluster.datasets.stem": Entry(None, {"size": 60}),
        "xcluster.datasets.weather": Entry(None, {"days": 8}),
        **{
            f"xcluster.datasets.{name}": Entry()
            for name in ("nanosims", "ocean", "ocean_profiles", "tomography")
        },
    }


ENTRIES = _entries()


def parameters(name):
    """Return what can be given to a method, its keywords among them."""
    named = [
        each.name
        for each in inspect.signature(METHODS[name]).parameters.values()
        if each.name != "self" and each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
    ]
    return list(dict.fromkeys([*named, *ENTRIES[name].more()]))


def bound(name):
    """Return the method on its subject."""
    owner, _, method = name.rpartition(".")
    entry = ENTRIES[name]
    if entry.subject is None:
        return METHODS[name]
    subject = get(entry.subject)
    if owner.endswith("Plot"):
        subject = subject.plot
    return getattr(subject, method)


def finish(result):
    """Compute what a method only promises, as errors must not wait for the user there."""
    if isinstance(result, xcluster.Samples):
        result.transform().compute()
    elif isinstance(result, xcluster.Clustering):
        result.labels.compute()
    elif isinstance(result, PooledSamples):
        result.kmeans(2)
    elif isinstance(result, xr.DataArray | xr.Dataset):
        result.compute()
