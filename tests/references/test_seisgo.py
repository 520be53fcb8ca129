"""SeisGo's clustering of depth profiles, rebuilt on tslearn, MiniSom and kneed."""

import math
import warnings
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import tslearn
import xarray as xr
from kneed import KneeLocator
from minisom import MiniSom
from oracles import agreeing, counterparts, mean_square, numbers, opened, rows
from packaging.version import Version
from tslearn.clustering import TimeSeriesKMeans

from xcluster import datasets
from xcluster.algorithms.som import SOM

STEPS = 50_000
KS = range(2, 21)

quick_means = pytest.mark.skipif(
    Version(tslearn.__version__) < Version("0.7"), reason="its means of series take minutes"
)


def cascadia():
    return SimpleNamespace(ds=datasets.tomography(), name="vs", between=(5.0, 60.0), step=2.0)


def western_states():
    ds = opened("tomography/wUS-SH-2010_percent.nc")
    return SimpleNamespace(ds=ds, name="dvs", between=(90.0, 500.0), step=25.0)


def conductivity():
    ds = opened("tomography/SRPY-MT.nc")
    name = next(iter(ds.data_vars))
    return SimpleNamespace(ds=ds, name=name, between=(20.0, 200.0), step=10.0)


@pytest.fixture(scope="module", params=[cascadia, western_states, conductivity])
def case(request):
    """A model, holes cut into it, with the choices that SeisGo asks for."""
    case = request.param()
    array = case.ds[case.name].transpose("depth", "latitude", "longitude").astype(float)
    array[3, ::9, ::7] = np.nan
    array[2:, 4:8, 4:8] = np.nan
    case.array = array
    case.every = max(1, math.ceil(math.sqrt(array[0].size / 1_600)))
    return case


def profiles(array, between, step, every, dim="depth"):
    """Return SeisGo's matrix: levels between two, resampled, each n-th column, the whole ones."""
    depth = array[dim].values.astype(float)
    inside = (depth >= between[0]) & (depth <= between[1])
    depth = depth[inside]
    levels = np.arange(depth.min(), depth.max() + 0.5 * step, step)
    found = []
    for i in range(0, array.sizes["latitude"], every):
        for j in range(0, array.sizes["longitude"], every):
            column = array.isel(latitude=i, longitude=j).values[inside]
            if not np.isnan(column).any():
                place = float(array.latitude[i]), float(array.longitude[j])
                found.append((*place, *np.interp(levels, depth, column)))
    return levels, np.array(found)[:, :2], np.array(found)[:, 2:]


@pytest.fixture(scope="module")
def theirs(case):
    levels, places, X = profiles(case.array, case.between, case.step, case.every)
    kept = levels <= case.array.depth.sel(depth=slice(*case.between)).values.max()
    return SimpleNamespace(levels=levels, places=places, X=X[:, kept], kept=kept)


@pytest.fixture(scope="module")
def samples(case):
    return case.array.to_dataset(name="v").cluster.profiles(
        "depth", between=case.between, step=case.step, every=case.every
    )


def series_kmeans(X, k, **keywords):
    keywords = {"max_iter": 50, "tol": 1e-6, "n_init": 1, "random_state": 0} | keywords
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return TimeSeriesKMeans(k, metric="euclidean", **keywords).fit(X[:, :, None])


def test_the_samples_are_theirs_profile_by_profile(samples, theirs):
    ours = samples.transform()
    np.testing.assert_allclose(rows(ours), theirs.X, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(samples.layout.features["v"].depth, theirs.levels[theirs.kept])
    assert ours.sizes["latitude"] * ours.sizes["longitude"] > len(theirs.X)


def test_theirs_go_on_past_the_last_depth_with_its_value_and_ours_stop():
    """The range of their levels reaches half a step beyond; interp repeats the last value."""
    array = datasets.tomography().vs.isel(latitude=slice(0, 4), longitude=slice(0, 4))
    levels, _, X = profiles(array, (0, 100), 15.0, 1)
    assert levels[-1] == 105
    np.testing.assert_array_equal(X[:, -1], array.sel(depth=100).values.ravel())
    ours = array.to_dataset().cluster.profiles("depth", between=(0, 100), step=15)
    np.testing.assert_array_equal(ours.layout.features.depth, levels[:-1])
    np.testing.assert_allclose(rows(ours.transform()), X[:, :-1], rtol=1e-6)


@quick_means
def test_kmeans_from_their_start_gives_their_labels_centres_and_mean_square(samples, theirs):
    start = theirs.X[:: len(theirs.X) // 7][:7]
    peer = series_kmeans(theirs.X, 7, init=start[:, :, None], max_iter=300, tol=0)
    fit = samples.kmeans(7, init=start, tol=0)
    ours = numbers(fit.labels)
    assert agreeing(peer.labels_, ours) >= 0.999
    order = np.argsort(counterparts(peer.labels_, ours))
    centres = peer.cluster_centers_[order, :, 0]
    scale = np.abs(theirs.X - theirs.X.mean(axis=0)).max()
    np.testing.assert_allclose(fit.centers["v"].values, centres, atol=2e-3 * scale)
    assert float(fit.scores().distortion) == pytest.approx(peer.inertia_, rel=1e-5)
    assert peer.inertia_ == pytest.approx(mean_square(theirs.X, peer.cluster_centers_[:, :, 0]))


@pytest.fixture(scope="module")
def swept(samples):
    return samples.sweep(KS, progress=False)


@pytest.mark.large
@quick_means
def test_our_curve_over_k_lies_below_what_theirs_is_on_average(swept, theirs):
    """One start of what depends on its start, beside starts that compete."""
    runs = [[series_kmeans(theirs.X, k, random_state=run).inertia_ for k in KS] for run in range(3)]
    ratio = swept.table.distortion.values / np.mean(runs, axis=0)
    assert ratio.mean() < 0.995
    assert ratio.max() <= 1.02
    assert (np.diff(swept.table.distortion) < 0).all()


@pytest.mark.parametrize("smooth", [False, True])
def test_the_knee_of_a_curve_is_theirs(samples, swept, smooth):
    curve = swept.table.distortion.values
    if smooth:  # three in a row averaged, both ends restored
        curve = np.array([curve[0], *(curve[:-2] + curve[1:-1] + curve[2:]) / 3, curve[-1]])
    found = KneeLocator(list(KS), curve, S=1, curve="convex", direction="decreasing")
    chosen = samples.kmeans(smooth=smooth, progress=False)
    assert chosen.k == sorted(found.all_knees)[0]
    np.testing.assert_array_equal(chosen.sweep.table.distortion, swept.table.distortion)


def test_the_chosen_k_is_fitted_no_worse_than_theirs(samples, theirs):
    fit = samples.kmeans(progress=False)
    best = min(series_kmeans(theirs.X, fit.k, random_state=seed).inertia_ for seed in range(5))
    assert float(fit.scores().distortion) <= best * (1 + 1e-4)


def test_where_theirs_fails_for_want_of_a_knee_ours_warns_and_goes_on():
    """Equal steps: a straight curve has no knee, and the first of none is an IndexError."""
    straight = KneeLocator(range(2, 6), [5, 4, 3, 2], curve="convex", direction="decreasing")
    with pytest.raises(IndexError):
        list(straight.all_knees)[0]  # noqa: RUF015
    rng = np.random.default_rng(0)
    values = np.eye(4)[np.arange(40) % 4] * 10 + rng.normal(size=(40, 4)) * 1e-9
    flat = xr.DataArray(values, dims=("x", "depth")).to_dataset(name="v")
    with pytest.warns(UserWarning, match="no knee"):
        fit = flat.cluster.profiles("depth").kmeans([2, 3, 4])
    assert fit.k == 4
    assert any("no knee" in note for note in fit.report().attrs["notes"])


def test_profiles_of_a_cluster_and_the_table_are_theirs(samples, theirs):
    fit = samples.kmeans(5)
    table = fit.to_dataframe()
    np.testing.assert_allclose(table[["latitude", "longitude"]], theirs.places)
    members = fit.labels.values
    for number in range(fit.k):
        of_label = theirs.X[table.label.to_numpy() == number]
        assert fit.report().samples[number] == len(of_label) == (members == number).sum()
        np.testing.assert_allclose(fit.centers["v"][number], of_label.mean(axis=0), rtol=1e-5)
    their_cluster = numbers(fit.labels) + 1  # their table counts from 1, ours from 0
    np.testing.assert_array_equal(table.label + 1, their_cluster)


# ------------------------------------------------------------------------------- the map


def trained(X, side, steps, seed=1):
    som = MiniSom(side, side, X.shape[1], sigma=0.3, learning_rate=0.1, random_seed=seed)
    som.random_weights_init(X)
    som.train(X, steps)
    return som


def side_of(X):
    return math.ceil(math.sqrt(math.sqrt(len(X))))


def test_online_training_in_their_order_is_theirs_node_by_node(theirs):
    X, steps = theirs.X, 3_000
    peer = trained(X, side_of(X), steps)
    som = SOM(training="online", sigma=0.3, learning_rate=0.1, n_iter=steps, random_state=1).fit(X)
    weights = peer.get_weights()
    assert som.grid_ == weights.shape[:2]
    np.testing.assert_array_equal(som.cluster_centers_, weights.reshape(-1, X.shape[1]))
    np.testing.assert_array_equal(som.bmus_, [peer.winner(row) for row in X])


@pytest.mark.large
def test_our_map_lies_closer_and_is_ordered_where_theirs_is_hardly_trained(samples, theirs):
    X = theirs.X
    peer = trained(X, side_of(X), STEPS)
    som = samples.som().model[-1]
    assert som.grid_ == peer.get_weights().shape[:2]
    assert som.quantization_error_ <= peer.quantization_error(X)
    assert som.topographic_error_ < peer.topographic_error(X) / 2


def test_a_neighbour_of_their_winner_moves_by_less_than_half_a_percent_of_it():
    closeness = MiniSom(5, 5, 2, sigma=0.3, random_seed=0).neighborhood((2, 2), 0.3)
    assert closeness[2, 2] == 1
    assert closeness[2, 3] == pytest.approx(0.0039, abs=1e-4)


def test_two_of_their_maps_differ_and_two_of_ours_do_not(samples, theirs):
    def nodes(seed):
        som = trained(theirs.X, 4, 2_000, seed)
        return np.array([np.ravel_multi_index(som.winner(row), (4, 4)) for row in theirs.X])

    assert agreeing(nodes(1), nodes(2)) < 0.9
    xr.testing.assert_identical(samples.som((4, 4)).labels, samples.som((4, 4)).labels)


def test_nodes_are_numbered_once_where_their_map_and_figure_count_apart():
    """Their map counts all nodes, their figure only those with profiles."""
    values = np.repeat(np.eye(4), 5, axis=0) + np.random.default_rng(0).normal(0, 0.01, (20, 4))
    few = xr.DataArray(values, dims=("x", "depth"), name="v").to_dataset()
    fit = few.cluster.profiles("depth").som((3, 3))
    number = np.unique(numbers(fit.labels))
    assert len(number) < fit.k == 9
    assert not np.array_equal(number, np.arange(len(number)))  # theirs differ here
    place = fit.centers.som_row * 3 + fit.centers.som_col
    np.testing.assert_array_equal(place, fit.centers.label)
    counts = np.bincount(numbers(fit.labels), minlength=9)
    titles = [ax.get_title() for ax in fit.plot.profiles()]
    plt.close("all")
    assert titles == [f"label {node} (n = {count})" for node, count in enumerate(counts)]
