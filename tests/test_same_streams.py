"""Same data, same labels, while streaming: whole fits of larger data, in several chunkings.

One sum that depends on blocks changes some of these bits, though hardly ever a label.
"""

import numpy as np
import pytest
import xarray as xr

from xcluster.fit import fitting

pytestmark = [pytest.mark.large, pytest.mark.filterwarnings("ignore")]

SHAPE = {"y": 500, "x": 400}
NAMES = ("a", "b", "c", "d")
FITS = {
    "scale.kmeans": lambda s: s.scale("standard").kmeans(5, n_init=2, fit_on="all"),
    "kmeans": lambda s: s.scale(None).kmeans(5, n_init=2, fit_on="all"),
    "minmax.pca.kmeans": lambda s: s.scale("minmax").pca(2).kmeans(5, n_init=2, fit_on="all"),
    "pca.gmm": lambda s: s.pca(3).gmm(3, max_iter=8, fit_on="all"),
    "gmm": lambda s: s.gmm(4, max_iter=8, fit_on="all"),
    "diagonal gmm": lambda s: s.gmm(4, covariance_type="diag", max_iter=8, fit_on="all"),
    "tied gmm": lambda s: s.gmm(4, covariance_type="tied", max_iter=8, fit_on="all"),
    "fuzzy": lambda s: s.fuzzy(4, n_init=1, max_iter=12, fit_on="all"),
    "gustafson-kessel": lambda s: s.fuzzy(
        3, shape="gustafson-kessel", n_init=1, max_iter=6, fit_on="all"
    ),
    "som": lambda s: s.som((4, 4), fit_on="all"),
    "nmf.kmeans": lambda s: s.scale("minmax").nmf(2).kmeans(4, n_init=1, fit_on="all"),
}
WEIGHTED = ("scale.kmeans", "pca.gmm", "fuzzy", "som")
CASES = [*((name, False) for name in FITS), *((name, True) for name in WEIGHTED)]


@pytest.fixture(autouse=True)
def _large(monkeypatch):
    """Let grids of 200,000 points count as too large to gather."""
    monkeypatch.setattr(fitting, "ALL_POINTS", 1_000)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 3_000)


def scene():
    """Return groups that overlap, in four units, with gaps and a few rows far out."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, *SHAPE.values())) + 2 * rng.integers(0, 4, tuple(SHAPE.values()))
    values[:, 3, 7] *= 300
    values *= np.array([1, 50, 1e-3, 7])[:, None, None]
    values[0][rng.random(values[0].shape) < 0.02] = np.nan
    coords = {dim: np.arange(size, dtype=float) for dim, size in SHAPE.items()}
    arrays = {name: (tuple(SHAPE), each) for name, each in zip(NAMES, values, strict=True)}
    return xr.Dataset({**arrays, "w": (tuple(SHAPE), rng.gamma(2, 1, values[0].shape))}, coords)


def arrangements(ds):
    """Yield the same data in other chunks, orders and directions."""
    yield ds.chunk(y=500, x=31)
    yield ds.chunk(y=(1, 250, 249), x=(399, 1))
    yield ds.chunk(y=77, x=123)
    yield ds.transpose("x", "y").chunk(y=100, x=100)
    yield ds.isel(y=slice(None, None, -1)).chunk(y=41)
    yield ds.isel(x=slice(None, None, -1))  # in memory


def numbers(estimator):
    """Return all that an estimator learned, by name."""
    kept = {name: np.asarray(value) for name, value in vars(estimator).items() if name[-1] == "_"}
    return {name: value for name, value in kept.items() if value.dtype.kind in "fi"}


def fitted(ds, name, weighted):
    samples = ds.cluster.pixels(NAMES)
    return FITS[name](samples.weights(ds["w"]) if weighted else samples)


@pytest.mark.parametrize(("name", "weighted"), CASES)
def test_a_streamed_fit_has_the_same_bits_in_any_chunks(name, weighted):
    ds = scene()
    expected = fitted(ds, name, weighted)
    labels = expected.labels
    assert expected.record.fit_on == "all rows, streamed"
    for arranged in arrangements(ds):
        found = fitted(arranged, name, weighted)
        assert found.record == expected.record
        xr.testing.assert_equal(found.centers, expected.centers)
        for (step, ours), (_, other) in zip(found.model.steps, expected.model.steps, strict=True):
            for key, value in numbers(other).items():
                np.testing.assert_array_equal(numbers(ours)[key], value, f"{step}, {key}")
        xr.testing.assert_equal(
            found.labels.compute().transpose("y", "x").sortby(["y", "x"]), labels
        )
