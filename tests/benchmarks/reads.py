"""How often each block of lazy data is read, by everything that reads.

    python tests/benchmarks/reads.py

Grids are small, but limits are lowered so that they count as too large for memory. The numbers here
are those that `tests/test_reads.py` demands; the table shows what is counted.
"""

from __future__ import annotations

import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask.array as da
import matplotlib as mpl
import numpy as np
import xarray as xr

import xcluster  # noqa: F401  (registers the accessor)
from xcluster.fit import fitting

Use = Callable[[Any], Any]

SIZES = {"y": 40, "x": 50}
CHUNKS = {"y": 20, "x": 25}
LEVELS, TIMES = 6, 60


class Reader:
    """A lazy copy of a Dataset that counts how often each block is read."""

    def __init__(self, ds: xr.Dataset) -> None:
        self.reads: Counter[Any] = Counter()
        self.data = ds.assign({name: self._lazy(name, ds[name]) for name in ds.data_vars})

    def _lazy(self, name: Any, array: xr.DataArray) -> xr.DataArray:
        def read(block: Any, block_info: Any = None) -> Any:
            self.reads[name, block_info[0]["chunk-location"]] += 1
            return block

        chunks = tuple(CHUNKS.get(str(dim), -1) for dim in array.dims)
        lazy = da.from_array(array.values, chunks)
        meta = np.empty((0,) * array.ndim, array.dtype)
        return array.copy(data=lazy.map_blocks(read, dtype=array.dtype, meta=meta))

    def reads_of(self, use: Use, asked: Any) -> int:
        """Return how often the block that is read most is read."""
        self.reads.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            use(asked)
        return max(self.reads.values(), default=0)


@contextmanager
def low_limits() -> Iterator[None]:
    """Let small grids count as too large to gather."""
    before = fitting.ALL_POINTS, fitting.SAMPLE_ROWS
    fitting.ALL_POINTS, fitting.SAMPLE_ROWS = 1_000, 400
    try:
        yield
    finally:
        fitting.ALL_POINTS, fitting.SAMPLE_ROWS = before


def scene() -> xr.Dataset:
    """Return three variables with four groups."""
    rng = np.random.default_rng(0)
    own = (np.arange(40)[:, None] // 20) * 2 + np.arange(50) // 25
    coords = {dim: np.arange(size) * 10.0 for dim, size in SIZES.items()}
    arrays = {
        name: (tuple(SIZES), (20 + own * step + rng.normal(size=own.shape)).astype(np.float32))
        for name, step in {"a": 3, "b": -4, "c": 5}.items()
    }
    return xr.Dataset(arrays, coords)


def columns() -> xr.Dataset:
    """Return one variable over levels."""
    depth = xr.DataArray(np.arange(float(LEVELS)), dims="depth", name="depth")
    return (scene()["a"] * (1 + depth)).assign_coords(depth=depth).to_dataset(name="t")


def series() -> xr.Dataset:
    """Return fields at several times, of three regimes."""
    regime = np.arange(TIMES) // 7 % 3
    field = np.random.default_rng(1).normal(size=(3, *SIZES.values()))
    noise = np.random.default_rng(2).normal(size=(TIMES, *SIZES.values()))
    coords = {**scene().coords, "time": xr.date_range("2001-01-01", periods=TIMES)}
    values = (3 * field[regime] + noise).astype(np.float32)
    return xr.Dataset({"z": (("time", "y", "x"), values)}, coords)


def image() -> xr.Dataset:
    """Return one variable, of which windows are taken."""
    return scene()[["a"]]


DATA = {"pixels": scene, "profiles": columns, "snapshots": series, "patches": image}
SAMPLES: dict[str, Use] = {
    "pixels": lambda ds: ds.cluster.pixels(),
    "profiles": lambda ds: ds.cluster.profiles("depth"),
    "snapshots": lambda ds: ds.cluster.snapshots("time"),
    "patches": lambda ds: ds.cluster.patches({"y": 8, "x": 8}, every=4),
}

# Each use of samples: data, use, and the reads of a block beside the passes of the clusterer.

FITS: dict[str, tuple[str, Use, int]] = {
    "kmeans(4)": ("pixels", lambda s: s.kmeans(4), 1),
    "gmm(4)": ("pixels", lambda s: s.gmm(4), 1),
    "fuzzy(4)": ("pixels", lambda s: s.fuzzy(4), 1),
    "som((3, 3))": ("pixels", lambda s: s.som((3, 3)), 1),
    "hac(4)": ("pixels", lambda s: s.hac(4), 1),
    "hac(4, contiguous=True)": ("pixels", lambda s: s.hac(4, contiguous=True), 1),
    "dbscan(1)": ("pixels", lambda s: s.dbscan(1), 1),
    "hdbscan()": ("pixels", lambda s: s.hdbscan(), 1),
    "kmeans(3, metric='dtw')": ("profiles", lambda s: s.kmeans(3, metric="dtw", n_init=1), 1),
    "kmeans(None)": ("pixels", lambda s: s.kmeans(range(2, 5)), 1),
    "sweep(range(2, 5))": ("pixels", lambda s: s.sweep(range(2, 5)), 1),
    "scale('robust').pca(2).kmeans(4)": ("pixels", lambda s: s.scale("robust").pca(2).kmeans(4), 1),
    "nmf(2).kmeans(4)": ("pixels", lambda s: s.nmf(2).kmeans(4), 1),
    "anomaly('time.month').pca(2).kmeans(3)": (
        "snapshots",
        lambda s: s.anomaly("time.month").pca(2).kmeans(3),
        3,  # also which cells have data, and the climatology
    ),
    "pca(3).kmeans(3)": (
        "snapshots",
        lambda s: s.pca(3).kmeans(3),
        2,
    ),  # also which cells have data
    "kmeans(4) of windows": ("patches", lambda s: s.kmeans(4), 1),
}
STREAMED: dict[str, tuple[str, Use, int]] = {
    "kmeans(4)": ("pixels", lambda s: s.kmeans(4, fit_on="all"), 1),
    "kmeans(range(2, 5))": ("pixels", lambda s: s.kmeans(range(2, 5), fit_on="all"), 1),
    "gmm(4)": ("pixels", lambda s: s.gmm(4, fit_on="all"), 1),
    "fuzzy(4)": ("pixels", lambda s: s.fuzzy(4, fit_on="all"), 1),
    "som((3, 3))": ("pixels", lambda s: s.som((3, 3), fit_on="all"), 1),
    **{
        f"scale({how!r}).kmeans(4)": (
            "pixels",
            lambda s, how=how: s.scale(how).kmeans(4, fit_on="all"),
            1,
        )
        for how in (None, "standard", "robust", "minmax", "max", "norm", "log", "clr", "anscombe")
    },
    "pca(2).kmeans(4)": ("pixels", lambda s: s.pca(2).kmeans(4, fit_on="all"), 1),
    "scale('log').pca(2).gmm(4)": (
        "pixels",
        lambda s: s.scale("log").pca(2).gmm(4, fit_on="all"),
        1,
    ),
    "nmf(2).kmeans(4)": ("pixels", lambda s: s.nmf(2).kmeans(4, fit_on="all"), 1),
    "pca(2).scale('minmax').kmeans(4)": (
        "pixels",
        lambda s: s.pca(2).scale("minmax").kmeans(4, fit_on="all"),
        2,
    ),
    "kmeans(3)": ("profiles", lambda s: s.kmeans(3, fit_on="all"), 1),
}
ASKED: dict[str, tuple[str, Use, int]] = {
    "transform()": ("pixels", lambda s: s.pca(2).transform().compute(), 2),
    "loadings()": ("pixels", lambda s: s.pca(2).loadings(), 1),
    "explained_variance()": ("pixels", lambda s: s.pca(2).explained_variance(), 1),
    "reconstruction()": ("pixels", lambda s: s.pca(2).reconstruction(), 2),
    "correlation()": ("pixels", lambda s: s.correlation(), 1),
    "plot.map()": ("pixels", lambda s: s.plot.map(), 1),
    "plot.correlation()": ("pixels", lambda s: s.plot.correlation(), 1),
    "plot.scree()": ("pixels", lambda s: s.pca(2).plot.scree(), 1),
    "plot.loadings()": ("profiles", lambda s: s.pca(2).plot.loadings(), 1),
    "plot.scatter()": ("pixels", lambda s: s.plot.scatter(), 2),
    "plot.histogram()": ("pixels", lambda s: s.plot.histogram(), 2),
    "scale(None).plot.scatter()": ("pixels", lambda s: s.scale(None).plot.scatter(), 2),
}

# Each use of a result, whose fit is not counted: data, fit, what is asked, reads of a block.
KMEANS = "pixels", lambda s: s.kmeans(4)
GMM = "pixels", lambda s: s.gmm(4)
CURVES = "profiles", lambda s: s.kmeans(3)
WEATHER = "snapshots", lambda s: s.pca(3).kmeans(3)
NODES = "profiles", lambda s: s.som((3, 3))
TREE = "pixels", lambda s: s.hac(4)


def saved(fit: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fit.save(Path(folder) / "fit.nc")


RESULTS: dict[str, tuple[str, Use, Use, int]] = {
    "repr": (*KMEANS, lambda f: repr(f), 0),
    "centers": (*KMEANS, lambda f: f.centers, 0),
    "labels": (*KMEANS, lambda f: f.labels.compute(), 1),
    "memberships": (*GMM, lambda f: f.memberships.compute(), 1),
    "predict(new, memberships=True)": (
        *GMM,
        lambda f: f.predict(f.samples.data, memberships=True).compute(),
        1,
    ),
    "report()": (*KMEANS, lambda f: f.report(), 1),
    "scores()": (*KMEANS, lambda f: f.scores(), 1),
    "scores('data')": (*KMEANS, lambda f: f.scores("data"), 1),
    "scores(), memberships": (*GMM, lambda f: f.scores(), 1),
    "uncertainty(3)": (*KMEANS, lambda f: f.uncertainty(3).compute(), 2),
    "back_projection()": (*GMM, lambda f: f.back_projection(), 1),
    "to_dataframe()": (*KMEANS, lambda f: f.to_dataframe(), 1),
    "to_dataset().compute()": (*GMM, lambda f: f.to_dataset().compute(), 1),
    "members(0)": (*KMEANS, lambda f: f.members(0).compute(), 1),
    "save()": (*KMEANS, saved, 1),
    "save(), memberships": (*GMM, saved, 1),
    "explore()": (*KMEANS, lambda f: f.explore(), 1),
    "explore() of profiles": (*CURVES, lambda f: f.explore(), 1),
    "threshold(0.8)": (*GMM, lambda f: f.threshold(0.8).labels.compute(), 1),
    "smooth()": (*KMEANS, lambda f: f.smooth().labels.compute(), 1),
    "sieve(5)": (*KMEANS, lambda f: f.sieve(5).labels.compute(), 2),
    "match(other)": (*KMEANS, lambda f: f.match(f), 1),
    "regimes()": (*WEATHER, lambda f: f.regimes(), 1),
    "plot.map()": (*KMEANS, lambda f: f.plot.map(), 1),
    "plot.profiles()": (*CURVES, lambda f: f.plot.profiles(), 1),
    "plot.centers()": (*KMEANS, lambda f: f.plot.centers(), 0),
    "plot.scatter()": (*KMEANS, lambda f: f.plot.scatter(), 1),
    "plot.scatter3d()": (*KMEANS, lambda f: f.plot.scatter3d(), 1),
    "plot.histogram()": (*KMEANS, lambda f: f.plot.histogram(), 1),
    "plot.parallel()": (*KMEANS, lambda f: f.plot.parallel(), 1),
    "plot.silhouette()": (*KMEANS, lambda f: f.plot.silhouette(), 1),
    "plot.confusion(other)": (*KMEANS, lambda f: f.plot.confusion(f), 1),
    "plot.memberships()": (*GMM, lambda f: f.plot.memberships(), 1),
    "plot.phases()": (*GMM, lambda f: f.plot.phases(), 1),
    "plot.dendrogram()": (*TREE, lambda f: f.plot.dendrogram(), 0),
    "plot.nodes()": (*NODES, lambda f: f.plot.nodes(), 0),
    "plot.u_matrix()": (*NODES, lambda f: f.plot.u_matrix(), 0),
    "plot.scree()": (*WEATHER, lambda f: f.plot.scree(), 0),
    "plot.transitions()": (*WEATHER, lambda f: f.plot.transitions(), 1),
}


def of_samples(data: str, use: Use) -> tuple[int, int]:
    """Return the reads of a block, and how many of them were passes of the clusterer."""
    found: list[Any] = []
    with low_limits():
        reader = Reader(DATA[data]())
        samples = SAMPLES[data](reader.data)
        n_reads = reader.reads_of(lambda asked: found.append(use(asked)), samples)
    record = getattr(found[0], "record", None)
    return n_reads, (record.passes or 0) if record else 0


def of_result(data: str, fit: Use, use: Use) -> int:
    """Return the reads of a block by what is asked of a fitted result."""
    with low_limits():
        reader = Reader(DATA[data]())
        fitted: list[Any] = []
        reader.reads_of(lambda samples: fitted.append(fit(samples)), SAMPLES[data](reader.data))
        return reader.reads_of(use, fitted[0])


def table(head: str, uses: dict[str, tuple[str, Use, int]]) -> None:
    print(f"\n| {head} | samples | reads of a block | of these, iterations |\n|---|---|---|---|")
    for name, (data, use, _) in uses.items():
        n_reads, passes = of_samples(data, use)
        print(f"| `{name}` | {data} | {n_reads} | {passes or ''} |", flush=True)


def main() -> None:
    mpl.use("Agg")
    table("fit, by default", FITS)
    table('fit, `fit_on="all"`', STREAMED)
    table("asked of samples", ASKED)
    print("\n| asked of a result | samples | reads of a block |\n|---|---|---|")
    for name, (data, fit, use, _) in RESULTS.items():
        print(f"| `{name}` | {data} | {of_result(data, fit, use)} |", flush=True)


if __name__ == "__main__":
    main()
