"""k-Shape against plain numpy and tslearn; shifts, signs and units."""

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_rand_score

import xcluster
from xcluster.algorithms.parts.shape_metrics import ShapeBased
from xcluster.algorithms.shapes import ShapeKMeans

LENGTH = 60


def pulses(n=120, seed=0, channels=1):
    """Three shapes, moved and in any size and level: rows, true labels, true shifts."""
    rng = np.random.default_rng(seed)
    time = np.arange(LENGTH) - LENGTH // 2
    kinds = (
        lambda t: np.exp(-((t / 4) ** 2)),
        lambda t: np.sin(t / 3) * np.exp(-((t / 8) ** 2)),
        lambda t: (np.abs(t) < 7) * 1.0 - (np.abs(t) < 2),
    )
    truth, shifts = rng.integers(0, 3, n), rng.integers(-12, 13, n)
    rows = np.array([kinds[kind](time - by) for kind, by in zip(truth, shifts, strict=True)])
    rows = np.concatenate([rows, -2 * rows**2][:channels], axis=1)
    rows = rows + 0.02 * rng.normal(size=rows.shape)
    return rng.uniform(0.5, 20, (n, 1)) * rows + rng.normal(size=(n, 1)), truth, shifts


@pytest.fixture(scope="module")
def fit():
    return ShapeKMeans(3).fit(pulses()[0])


def plain_distance(x, y):
    """The definition, written out: each shift by itself."""
    x, y = (each - each.mean() for each in (x, y))
    x, y = (each / np.sqrt(each @ each) for each in (x, y))
    padded = np.concatenate([np.zeros(len(x)), y, np.zeros(len(x))])
    shifts = range(-len(x) + 1, len(x))
    matched = {by: x @ padded[len(x) - by : 2 * len(x) - by] for by in shifts}
    best = max(matched, key=matched.get)
    return 1 - matched[best], best


def test_distances_and_shifts_are_those_of_the_definition(fit):
    X = pulses()[0][:20]
    expected = [[plain_distance(row, centre) for centre in fit.cluster_centers_] for row in X]
    away, shifts = np.moveaxis(np.array(expected), 2, 0)
    np.testing.assert_allclose(fit.transform(X), away, atol=1e-9)
    np.testing.assert_array_equal(ShapeBased().compared(X, fit.cluster_centers_)[1], shifts)
    np.testing.assert_array_equal(fit.shifts(X), shifts[np.arange(20), away.argmin(axis=1)])


def test_shapes_are_found_whatever_their_place_size_and_level(fit):
    X, truth, shifts = pulses()
    assert adjusted_rand_score(truth, fit.labels_) == 1
    for kind in range(3):
        found = fit.shifts(X)[truth == kind] - shifts[truth == kind]
        assert np.ptp(found) <= 1


def test_a_centre_is_the_leading_direction_of_its_moved_members(fit):
    X = pulses()[0]
    moved = fit.shifts(X)
    for label, centre in enumerate(fit.cluster_centers_):
        rows = X[fit.labels_ == label]
        unit = rows - rows.mean(axis=1, keepdims=True)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        aligned = np.zeros_like(unit)
        for row, by, to in zip(unit, moved[fit.labels_ == label], aligned, strict=True):
            to[max(-by, 0) : LENGTH - max(by, 0)] = row[max(by, 0) : LENGTH + min(by, 0)]
        centred = aligned - aligned.mean(axis=1, keepdims=True)
        leading = np.linalg.eigh(centred.T @ centred)[1][:, -1]
        assert abs(np.corrcoef(leading, centre)[0, 1]) == pytest.approx(1, abs=1e-9)
        assert np.mean(aligned @ centre) > 0
        assert centre.mean() == pytest.approx(rows.mean())
        assert centre.std() == pytest.approx(rows.std(axis=1).mean())


@pytest.mark.large  # tslearn compiles for half a minute
def test_the_objective_is_that_of_tslearn_and_no_worse():
    clustering = pytest.importorskip("tslearn.clustering")
    X = pulses(n=30)[0]  # theirs takes seconds of more
    fit = ShapeKMeans(3).fit(X)
    Z = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)
    peer = clustering.KShape(3, max_iter=5, random_state=0).fit(Z[:, :, None])
    theirs = peer.cluster_centers_[:, :, 0]
    costs = ShapeBased().costs(X, theirs)
    assert costs.min(axis=1).mean() == pytest.approx(peer.inertia_, rel=1e-9)
    assert fit.inertia_ / len(X) <= peer.inertia_ * (1 + 1e-9)
    np.testing.assert_array_equal(costs.argmin(axis=1), peer.labels_)


def test_variables_are_shifted_together():
    X, truth, _ = pulses(channels=2)
    fit = ShapeKMeans(3, n_channels=2).fit(X)
    assert adjusted_rand_score(truth, fit.labels_) == 1
    twice = np.concatenate([X[:, :LENGTH]] * 2, axis=1)
    both = ShapeBased(2).costs(twice, twice[:3])
    np.testing.assert_allclose(both, ShapeBased().costs(X[:, :LENGTH], X[:3, :LENGTH]), atol=1e-12)
    still = np.concatenate([X[:, :LENGTH], np.ones((len(X), LENGTH))], axis=1)
    alone = ShapeBased(2).costs(still, still[:3])
    np.testing.assert_allclose(alone, ShapeBased().costs(X[:, :LENGTH], X[:3, :LENGTH]), atol=1e-12)


def test_more_points_than_series_give_the_same_shapes():
    X = pulses(n=30)[0]
    few = ShapeBased().barycentres(X, np.ones(30), [np.arange(30)], X[:1], 1)
    many = np.repeat(X, 3, axis=0)
    again = ShapeBased().barycentres(many, np.full(90, 1 / 3), [np.arange(90)], X[:1], 1)
    np.testing.assert_allclose(few, again, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("power", [-60, 7, 60])
def test_a_power_of_two_changes_no_bit(fit, power):
    unit = 2.0**power
    other = ShapeKMeans(3).fit(pulses()[0] * unit)
    np.testing.assert_array_equal(other.labels_, fit.labels_)
    np.testing.assert_array_equal(other.cluster_centers_ / unit, fit.cluster_centers_)
    assert other.inertia_ == fit.inertia_


@pytest.mark.parametrize(("unit", "offset"), [(1e24, 0), (1e-24, 0), (3.7, 1e4)])
def test_units_and_offsets_change_no_label(fit, unit, offset):
    X = pulses()[0] * unit + offset
    np.testing.assert_array_equal(ShapeKMeans(3).fit(X).labels_, fit.labels_)
    np.testing.assert_array_equal(fit.predict(X), fit.labels_)


def test_a_weight_of_two_is_a_row_twice():
    X = pulses(n=40)[0]
    start = X[:3]
    weighted = ShapeKMeans(3, init=start).fit(X, sample_weight=np.full(40, 2.0))
    doubled = ShapeKMeans(3, init=start).fit(np.concatenate([X, X]))
    assert weighted.inertia_ == pytest.approx(doubled.inertia_)
    np.testing.assert_array_equal(weighted.labels_, doubled.labels_[:40])


# ------------------------------------------------------------------------------------ on a grid


def shapes_on_a_grid():
    rows, truth, _ = pulses(n=120)
    rows[7] = 3.0  # no shape
    values = rows.reshape(12, 10, LENGTH).astype(np.float32)
    coords = {"y": np.arange(12), "x": np.arange(10)}
    da = xr.DataArray(values, coords, ("y", "x", "time"), "signal", {"units": "nV"})
    return da, truth


def test_profiles_are_clustered_by_shape(tmp_path):
    da, truth = shapes_on_a_grid()
    fit = da.cluster.profiles("time").kmeans(3, metric="sbd")
    labels = fit.labels.values.ravel()
    assert np.isnan(labels[7])
    assert (fit.record.empty, fit.record.lacking) == (1, "a direction")
    assert adjusted_rand_score(np.delete(truth, 7), np.delete(labels, 7)) == 1
    assert fit.centers["signal"].attrs["units"] == "nV"
    xr.testing.assert_identical(fit.centers, fit.prototypes)
    lazy = da.chunk(y=5, x=3).cluster.profiles("time").kmeans(3, metric="sbd")
    assert lazy.shifts.chunks
    np.testing.assert_array_equal(lazy.labels, fit.labels)
    np.testing.assert_array_equal(lazy.shifts, fit.shifts)
    assert fit.method == "kmeans(k=3, metric='sbd')"
    fit.save(tmp_path / "shapes.nc")
    opened = xcluster.open(tmp_path / "shapes.nc")
    np.testing.assert_array_equal(opened.predict(da), fit.labels)
    with pytest.raises(ValueError, match="shifts"):
        _ = opened.shifts


def test_shifts_move_samples_onto_their_centres():
    da, _ = shapes_on_a_grid()
    fit = da.cluster.profiles("time").kmeans(3, metric="sbd")
    shifts = fit.shifts.values.ravel()
    for row, label, by in zip(
        da.values.reshape(-1, LENGTH), fit.labels.values.ravel(), shifts, strict=True
    ):
        if np.isfinite(label):
            centre = fit.centers["signal"].values[int(label)]
            assert plain_distance(row.astype(float), centre)[1] == by


@pytest.mark.parametrize(
    ("keywords", "said"),
    [({"window": 3}, "window"), ({"gamma": 1.0}, "gamma"), ({"init": "random"}, "init")],
)
def test_what_does_not_belong_is_refused(keywords, said):
    samples = shapes_on_a_grid()[0].cluster.profiles("time")
    with pytest.raises((TypeError, ValueError), match=said):
        samples.kmeans(3, metric="sbd", **keywords)


def test_shifts_belong_to_shapes_alone():
    fit = shapes_on_a_grid()[0].cluster.profiles("time").kmeans(3)
    with pytest.raises(ValueError, match=r"method='kmeans'.*metric=\"sbd\""):
        _ = fit.shifts


@pytest.mark.parametrize("method", ["kmeans", "kmedoids"])
def test_samples_none_of_which_has_a_shape_are_refused_by_their_length_or_values(method):
    same = xr.DataArray(np.ones((3, 4, 6)), dims=("y", "x", "time"))
    with pytest.raises(ValueError, match=r"metric='sbd': .* 12 of 12 samples, whose variables"):
        getattr(same.cluster.profiles("time"), method)(2, metric="sbd")
    with pytest.raises(ValueError, match=r"n_features=1: must be at least 2"):
        getattr(same.isel(time=0).to_dataset(name="a").cluster.pixels(), method)(2, metric="sbd")
