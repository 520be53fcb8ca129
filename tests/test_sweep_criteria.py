"""Criteria over k: what each measures, who can give it, and which k it chooses."""

import warnings

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import calinski_harabasz_score, silhouette_score

import xcluster  # noqa: F401  (registers the accessor)
from xcluster import scores
from xcluster.algorithms.kmeans import KMeans
from xcluster.fit import trials

OF_ALL = {
    "inertia",
    "distortion",
    "silhouette",
    "simplified_silhouette",
    "calinski_harabasz",
    "davies_bouldin",
    "entropy",
    "gap",
    "gap_error",
    "stability",
}


def grid(values):
    """Lay rows on a map of 20 by n / 20 pixels."""
    values = values.reshape(20, -1, values.shape[-1])
    return xr.DataArray(values, dims=("y", "x", "band"))


@pytest.fixture(scope="module")
def four():
    """Four clear groups."""
    random = np.random.default_rng(1)
    centers = np.array([[0, 0, 0], [20, 0, 0], [0, 20, 0], [0, 0, 20]])
    return grid(centers[random.integers(0, 4, 400)] + random.normal(size=(400, 3)))


@pytest.fixture(scope="module")
def noise():
    """No groups at all."""
    return grid(np.random.default_rng(2).uniform(size=(600, 3)))


@pytest.mark.parametrize("method", ["kmeans", "kmedoids", "hac", "gmm", "fuzzy"])
def test_each_method_gives_every_criterion_that_it_can(four, method):
    names = OF_ALL | {
        "gmm": {"bic", "aic", "icl", "partition_coefficient", "xie_beni"},
        "fuzzy": {"partition_coefficient", "xie_beni"},
        "kmedoids": {"medoid_silhouette", "medoid_distance"},
    }.get(method, set())
    sweep = four.cluster.pixels(dim="band").sweep([1, 2, 4], method=method, criteria=names)
    assert set(sweep.table) == names
    several = sweep.table.sel(k=slice(2, None))
    assert all(np.isfinite(several[name]).all() for name in names)


def test_one_label_beside_noise_is_one_label(four):
    names = ["silhouette", "simplified_silhouette", "davies_bouldin"]
    table = four.cluster.pixels(dim="band").sweep([1, 4], trim=0.1, criteria=names).table
    assert all(np.isnan(table[name][0]) and np.isfinite(table[name][1]) for name in names)


@pytest.mark.parametrize("method", ["kmeans", "hac", "gmm", "fuzzy"])
@pytest.mark.parametrize("criterion", ["gap", "silhouette", "stability"])
def test_four_clear_groups_are_found(four, method, criterion):
    sweep = four.cluster.pixels(dim="band").sweep(range(2, 6), method=method, criteria=criterion)
    chosen = sweep.best(criterion)
    # Groups that do not overlap come back in halves of the rows for fewer labels as well.
    assert chosen == 4 or (
        criterion == "stability" and float(sweep.table.stability.sel(k=4)) > 0.99
    )


@pytest.mark.parametrize("method", ["kmeans", "hac"])
def test_the_gap_answers_one_label_where_there_are_no_groups(noise, method):
    sweep = noise.cluster.pixels(dim="band").sweep(range(1, 6), method=method, criteria="gap")
    assert sweep.best("gap") == 1


def test_the_gap_chooses_by_its_errors_which_come_along(four):
    sweep = four.cluster.pixels(dim="band").sweep(range(1, 7), criteria=["gap"])
    table = sweep.table
    assert list(table) == ["gap", "gap_error"]
    expected = scores.GapStatistic(table.k.values, table.gap.values, table.gap_error.values)
    assert sweep.best() == sweep.best("gap") == expected.best
    assert "gap_error" not in sweep.agreement().criterion.values


def test_a_gap_that_still_grows_chooses_nothing(four):
    sweep = four.cluster.pixels(dim="band").sweep([1, 2, 3], criteria=["gap", "silhouette"])
    assert sweep.agreement().chosen.sel(criterion="gap") == 0
    with pytest.warns(UserWarning, match="gap has no knee for k = 1 to 3; k=3 has the best silh"):
        assert sweep.best("gap") == 3


def test_without_a_knee_or_a_silhouette_an_error_says_what_to_measure(noise):
    sweep = noise.cluster.pixels(dim="band").sweep([2, 3], criteria=["inertia"])
    with pytest.raises(ValueError, match=r"criterion='inertia': .*no knee.*simplified_silhouette"):
        sweep.best()


@pytest.mark.parametrize("method", ["kmeans", "gmm"])
def test_silhouettes_of_a_sweep_are_those_of_each_fit(four, method):
    samples = four.cluster.pixels(dim="band")
    names = ["silhouette", "calinski_harabasz"]
    sweep = samples.sweep([1, 2, 3, 5], method=method, criteria=names)
    rows = four.values.reshape(-1, 3)
    assert np.isnan(sweep.table.silhouette.sel(k=1))
    for k in (2, 3, 5):
        labels = sweep.clustering(k).labels.values.ravel()
        row = sweep.table.sel(k=k)
        assert float(row.silhouette) == pytest.approx(silhouette_score(rows, labels), abs=1e-6)
        assert float(row.calinski_harabasz) == pytest.approx(calinski_harabasz_score(rows, labels))


@pytest.mark.parametrize(
    ("method", "keywords", "criterion", "gives"),
    [
        ("kmeans", {}, "bic", "stability"),
        ("hac", {}, "partition_coefficient", "gap"),
        ("hac", {"contiguous": True}, "gap", "silhouette"),
        ("hac", {"contiguous": True}, "stability", "silhouette"),
        ("kmeans", {"metric": "dtw"}, "gap", "stability"),
        ("fuzzy", {}, "icl", "xie_beni"),
    ],
)
def test_a_criterion_that_a_method_cannot_give_is_named_with_those_it_can(
    four, method, keywords, criterion, gives
):
    with pytest.raises(ValueError, match=rf"criteria='{criterion}': .* for {method}\(\).*{gives}"):
        four.cluster.pixels(dim="band").sweep([2, 3], method, criteria=criterion, **keywords)


@pytest.mark.parametrize("method", ["kmeans", "hac", "gmm", "fuzzy"])
def test_a_sweep_of_one_k_is_a_table_of_one(four, method):
    sweep = four.cluster.pixels(dim="band").sweep(4, method=method)
    assert sweep.table.k.values.tolist() == [4]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a single point as well there is no knee
        assert sweep.best() == 4


@pytest.mark.parametrize("method", ["kmeans", "gmm"])
def test_an_interrupted_sweep_returns_what_was_finished(four, method, monkeypatch):
    fit_k = trials.fit_k

    def until_four(build, k, *rest):
        if k == 4:
            raise KeyboardInterrupt
        return fit_k(build, k, *rest)

    monkeypatch.setattr(trials, "fit_k", until_four)
    samples = four.cluster.pixels(dim="band")
    with pytest.warns(UserWarning, match="interrupted: 2 of 5 candidates"):
        sweep = samples.sweep(range(2, 7), method, criteria=["davies_bouldin", "silhouette"])
    assert sweep.table.k.values.tolist() == [2, 3]
    assert np.isfinite(sweep.table.davies_bouldin).all()
    assert sweep.clustering(3).k == 3


def test_the_inertia_never_rises_also_where_candidates_are_left_out(noise):
    for ks in (range(2, 15), [2, 5, 6, 11, 14]):
        table = noise.cluster.pixels(dim="band").sweep(ks, criteria="inertia").table
        assert (table.inertia.diff("k") <= 0).all()


def test_models_of_a_sweep_start_anew_when_refitted(four):
    sweep = four.cluster.pixels(dim="band").sweep([2, 3], criteria="inertia")
    model = sweep.models[3][0]
    assert isinstance(model, KMeans)
    assert model.init == "k-means++"


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e6])
def test_scores_do_not_depend_on_the_unit_of_weights(four, unit):
    names = ["calinski_harabasz", "silhouette", "distortion", "davies_bouldin", "inertia"]
    weight = xr.DataArray(np.random.default_rng(3).uniform(0.5, 1, (20, 20)), dims=("y", "x"))
    samples = four.cluster.pixels(dim="band")
    ours = samples.weights(weight * unit).sweep([2, 4], criteria=names).table
    theirs = samples.weights(weight).sweep([2, 4], criteria=names).table
    xr.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_weights_of_two_equal_rows_repeated(four):
    names = ["calinski_harabasz", "davies_bouldin", "distortion", "simplified_silhouette"]
    twice = xr.concat([four, four.isel(x=slice(5))], "x")
    weight = xr.DataArray(np.r_[np.full(5, 2), np.ones(15)], dims="x")
    table = four.cluster.pixels(dim="band").weights(weight).sweep([4], criteria=names).table
    expected = twice.cluster.pixels(dim="band").sweep([4], criteria=names).table
    # Calinski-Harabasz counts rows: 400 of mean weight 1 against 500.
    dof = (400 - 4) / (500 - 4)
    expected["calinski_harabasz"] = expected.calinski_harabasz * dof
    xr.testing.assert_allclose(table, expected, rtol=1e-5)


def test_contiguous_labels_of_a_sweep_are_those_of_a_fit(noise):
    samples = noise.cluster.pixels(dim="band")
    sweep = samples.sweep([20, 30], "hac", contiguous=True, criteria="distortion")
    expected = samples.hac(30, contiguous=True)
    xr.testing.assert_identical(sweep.clustering(30).labels, expected.labels)
