"""Same data, same labels, at sizes where rounding shows: the bits that reach a clusterer are equal.

Some labels of 30,000 rows change if rows change places in a sum, labels of 300 rows hardly ever.
"""

import hashlib

import dask
import numpy as np
import pytest
import xarray as xr

from xcluster.algorithms.parts.ordering import value_order
from xcluster.base import parallel
from xcluster.fit import fitting
from xcluster.fit.methods import Options

pytestmark = pytest.mark.large

SHAPE = {"y": 160, "x": 190}


def dataset(values, coords=True):
    """Return three variables over a grid; ``values`` is (3, y, x)."""
    coords = {dim: np.arange(size, dtype=float) for dim, size in SHAPE.items()} if coords else {}
    return xr.Dataset(
        {name: (tuple(SHAPE), each) for name, each in zip("abc", values, strict=True)}, coords
    )


def noise(rng, dtype=np.float64):
    return (rng.normal(size=(3, *SHAPE.values())) * [[[1]], [[30]], [[1e-3]]]).astype(dtype)


def symmetric(rng):
    half = noise(rng)[:, : SHAPE["y"] // 2]
    return np.concatenate([half, -half], axis=1)


def signed_zeros(rng):
    values = rng.integers(-2, 3, (3, *SHAPE.values())).astype(np.float32)
    return np.where((values == 0) & (rng.random(values.shape) < 0.5), -0.0, values)


def duplicates(rng):
    some = rng.normal(size=(3, 700))
    return some[:, rng.integers(0, 700, tuple(SHAPE.values()))]


def gaps(rng):
    values = noise(rng, np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    return values


VALUES = {
    "noise": noise,
    "single precision": lambda rng: noise(rng, np.float32),
    "far from zero": lambda rng: noise(rng) + 1e5,
    "counts": lambda rng: rng.integers(0, 4, (3, *SHAPE.values())),
    "symmetric": symmetric,
    "signed zeros": signed_zeros,
    "duplicates": duplicates,
    "gaps": gaps,
    "large unit": lambda rng: noise(rng) * 1e24,
    "small unit": lambda rng: noise(rng) * 1e-24,
}
QUESTIONS = {
    "plain": lambda ds: ds.cluster.pixels(),
    "mask": lambda ds: ds.cluster.pixels().where(ds.a > 0),
    "weights": lambda ds: ds.cluster.pixels().weights(np.exp(ds.b / abs(ds.b).max()).fillna(0)),
    "scale.pca": lambda ds: ds.cluster.pixels().scale("robust").pca(2),
    "minmax": lambda ds: ds.cluster.pixels().scale("minmax"),
}


def arrangements(ds, rng):
    """Yield the same data in other chunks, orders and directions."""
    yield ds.chunk(y=7, x=190)
    yield ds.chunk(y=(100, 13, 47), x=(1, 188, 1))
    yield ds.transpose("x", "y")
    yield ds.isel(y=slice(None, None, -1)).chunk(y=31, x=64)
    yield ds.isel(x=slice(None, None, -1), y=slice(None, None, -1)).transpose("x", "y")
    yield ds.isel(y=rng.permutation(SHAPE["y"]), x=rng.permutation(SHAPE["x"]))


def bits(prepared):
    """Return a digest of all that a clusterer is given."""
    parts = [prepared.X, *([] if prepared.weight is None else [prepared.weight])]
    return [(each.dtype, each.shape, hashlib.sha256(each.tobytes()).hexdigest()) for each in parts]


def given(ds, question, **options):
    return bits(fitting.prepare(QUESTIONS[question](ds), Options(progress=False, **options)))


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("values", VALUES)
def test_a_clusterer_is_given_the_same_bits_for_any_arrangement(values, question):
    rng = np.random.default_rng(0)
    ds = dataset(VALUES[values](rng))
    expected = given(ds, question)
    for arranged in arrangements(ds, rng):
        assert given(arranged, question) == expected


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("values", ["noise", "counts", "gaps"])
def test_a_sample_has_the_same_bits_for_any_arrangement(values, question):
    rng = np.random.default_rng(1)
    ds = dataset(VALUES[values](rng))
    expected = given(ds, question, fit_on=9000)
    for arranged in arrangements(ds, rng):
        assert given(arranged, question, fit_on=9000) == expected


def test_directions_do_not_matter_without_coordinates():
    """Positions then follow the direction, but all rows are taken and ordered by value."""
    rng = np.random.default_rng(2)
    ds = dataset(VALUES["counts"](rng), coords=False)
    for arranged in arrangements(ds, rng):
        assert given(arranged, "plain") == given(ds, "plain")


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_threads_and_schedulers_do_not_matter(monkeypatch, threads, scheduler):
    ds = dataset(VALUES["noise"](np.random.default_rng(3)))
    expected = given(ds, "weights")
    monkeypatch.setattr(parallel, "n_threads", lambda: threads)
    with dask.config.set(scheduler=scheduler):
        assert given(ds, "weights") == expected
        assert given(ds.chunk(y=11), "weights") == expected


def test_of_samples_with_equal_coordinates_any_may_be_drawn_but_always_the_same():
    rng = np.random.default_rng(4)
    ds = dataset(VALUES["noise"](rng)).stack(cell=("y", "x")).reset_index("cell", drop=True)
    ds = ds.drop_vars(["y", "x"], errors="ignore")
    ds = ds.assign_coords(cell=np.zeros(ds.sizes["cell"]))
    prepared = fitting.prepare(ds.cluster.pixels().scale(None), Options(fit_on=4000))
    again = fitting.prepare(ds.chunk(cell=997).cluster.pixels().scale(None), Options(fit_on=4000))
    assert bits(prepared) == bits(again)
    assert abs(prepared.X[:, 0].mean()) < 0.1  # not the first by value


def test_few_different_rows_have_exact_weights():
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(3, 5))
    which = np.minimum(rng.geometric(0.97, tuple(SHAPE.values())) - 1, 4)
    ds = dataset(rows[:, which])
    weight = xr.DataArray(np.exp(rng.normal(size=which.shape)), ds.coords)
    ds["w"] = weight

    def ask(ds):
        samples = ds.cluster.pixels(["a", "b", "c"]).weights(ds.w).scale(None)
        return fitting.prepare(samples, Options(fit_on=40), k=4)

    expected = ask(ds)
    assert len(expected.X) == len(np.unique(which))
    totals = np.array([weight.values[which == each].sum() for each in range(5)])
    order = [int(np.flatnonzero((row == expected.X).all(1))[0]) for row in rows.T[np.unique(which)]]
    shares = expected.weight[order] / expected.weight.sum()
    np.testing.assert_allclose(shares, totals[np.unique(which)] / totals.sum(), rtol=1e-12)
    for arranged in arrangements(ds, rng):
        assert bits(ask(arranged)) == bits(expected)


# ------------------------------------------------------------------------------- order by value


@pytest.mark.parametrize("dtype", ["f4", "f8", "u4", "u8", "i8"])
@pytest.mark.parametrize("distinct", [2, 50, 10**6])
def test_the_order_by_value_is_that_of_numpy(dtype, distinct):
    rng = np.random.default_rng(6)
    values = rng.integers(0, distinct, (3, 30_000)).astype(dtype)
    if np.dtype(dtype).kind == "f":
        values = (values - distinct / 3) * 10.0 ** rng.integers(-20, 20, distinct)[0]
    order = value_order(list(values))
    np.testing.assert_array_equal(values[:, order], values[:, np.lexsort(values[::-1])])


def test_rows_of_many_equal_columns_are_ordered_too():
    X = np.zeros((500, 300), np.float32)
    X[:, -1] = np.random.default_rng(7).permutation(500)
    np.testing.assert_array_equal(X[value_order(X.T), -1], np.arange(500))
