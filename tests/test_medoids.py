"""`kmedoids` on labelled arrays: medoids are samples, with their data and coordinates."""

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import pairwise_distances, silhouette_score

import xcluster
from xcluster.fit import fitting

RNG = np.random.default_rng(0)


def manhattan(a, b):
    return float(np.abs(a - b).sum())


@pytest.fixture(scope="module")
def columns():
    """Profiles of three kinds, some of them with gaps, and two that are equal."""
    kind = np.arange(120).reshape(12, 10) % 3
    depth = np.linspace(0, 1, 8)
    values = kind[..., None] + np.sin(depth * (2 + kind[..., None]))
    values = values + 0.3 * RNG.normal(size=values.shape) + 2
    values[0, 0, 3] = np.nan
    values[5, 5] = values[2, 1]
    coords = {"y": np.arange(12) * 5.0, "x": np.arange(10.0)[::-1], "depth": depth * 100}
    da = xr.DataArray(values, coords, ("y", "x", "depth"), name="vs", attrs={"units": "km s-1"})
    return da.to_dataset().assign_coords(site=(("y", "x"), np.arange(120).reshape(12, 10)))


@pytest.fixture(scope="module")
def fit(columns):
    return columns.cluster.profiles("depth").kmedoids(3, metric="cityblock", progress=False)


def test_medoids_are_the_samples_at_their_coordinates(columns, fit):
    found = fit.medoids
    assert found.vs.dims == ("label", "depth")
    for label in range(3):
        one = found.sel(label=label)
        there = columns.sel(y=float(one.y), x=float(one.x))
        xr.testing.assert_identical(one.drop_vars("label").vs, there.vs)
        assert int(fit.labels.sel(y=one.y, x=one.x)) == label
        assert float(fit.distances.sel(label=label, y=one.y, x=one.x)) == 0


def test_medoids_lower_the_sum_of_distances_more_than_any_other_member(columns, fit):
    rows = columns.vs.stack(s=("y", "x")).transpose("s", "depth").dropna("s")
    D = pairwise_distances(rows.values, metric="cityblock")
    labels = fit.labels.stack(s=("y", "x")).sel(s=rows.s).values
    for label in range(3):
        mine = np.flatnonzero(labels == label)
        best = D[np.ix_(mine, mine)].sum(axis=1).min()
        medoid = fit.medoids.vs.sel(label=label).values
        assert np.abs(rows.values[mine] - medoid).sum() == pytest.approx(best)


def test_centres_and_prototypes_are_the_medoids(fit):
    np.testing.assert_allclose(fit.centers.vs, fit.medoids.vs, rtol=1e-15)
    np.testing.assert_allclose(fit.prototypes.vs, fit.medoids.vs, rtol=1e-15)


def test_behind_components_centres_still_are_samples(columns):
    fit = columns.cluster.profiles("depth").pca(2).kmedoids(3, progress=False)
    np.testing.assert_allclose(fit.centers.vs, fit.medoids.vs, rtol=1e-12)
    assert float(abs(fit.prototypes.vs - fit.medoids.vs).max()) > 0.01


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "dtw", manhattan])
def test_chunks_and_the_order_of_the_data_change_no_bit(columns, metric):
    fit = columns.cluster.profiles("depth").kmedoids(3, metric=metric, progress=False)
    turned = columns.isel(y=slice(None, None, -1)).transpose("depth", "x", "y")
    chunked = turned.chunk(y=5, x=3)
    lazy = chunked.cluster.profiles("depth").kmedoids(3, metric=metric, progress=False)
    assert lazy.labels.chunks is not None
    assert lazy.medoids.vs.chunks is not None
    found = lazy.labels.compute().transpose(*fit.labels.dims).sel(y=columns.y, x=columns.x)
    np.testing.assert_array_equal(found, fit.labels)
    xr.testing.assert_equal(lazy.medoids.compute(), fit.medoids)
    np.testing.assert_array_equal(fit.predict(chunked).transpose("y", "x").values, lazy.labels.T)


@pytest.mark.parametrize("metric", ["cosine", "dtw", "chebyshev"])
def test_silhouettes_are_in_the_metric(columns, metric):
    samples = columns.cluster.profiles("depth")
    fit = samples.kmedoids([2, 3], metric=metric, progress=False)
    rows = columns.vs.stack(s=("y", "x")).transpose("s", "depth").dropna("s")
    labels = fit.labels.stack(s=("y", "x")).sel(s=rows.s).values
    D = xcluster.algorithms.warping.dtw(rows, rows) if metric == "dtw" else None
    D = pairwise_distances(rows.values, metric=metric) if D is None else D
    expected = silhouette_score(np.where(D > 1e-12, D, 0), labels, metric="precomputed")
    assert float(fit.silhouette.mean()) == pytest.approx(expected, rel=1e-5)
    scores = fit.scores()
    assert float(scores.silhouette) == pytest.approx(expected, rel=1e-9)
    swept = samples.sweep(
        [2, 3], "kmedoids", ["silhouette", "medoid_distance"], metric=metric, progress=False
    )
    assert float(swept.table.silhouette.sel(k=fit.k)) == pytest.approx(expected, rel=1e-9)
    distance = float(swept.table.medoid_distance.sel(k=fit.k))
    assert distance == pytest.approx(float(scores.medoid_distance), rel=1e-9)


def test_the_highest_medoid_silhouette_chooses_k(columns):
    samples = columns.cluster.profiles("depth")
    fit = samples.kmedoids(range(2, 7), progress=False)
    assert list(fit.sweep.table) == ["medoid_silhouette", "simplified_silhouette"]
    assert fit.k == int(fit.sweep.table.medoid_silhouette.idxmax())
    alone = samples.kmedoids(fit.k, progress=False)
    np.testing.assert_array_equal(fit.labels, alone.labels)
    assert fit.method == f"kmedoids(k={fit.k} of 2 to 6)"


def test_a_sampled_fit_finds_its_medoids_among_all(columns):
    fit = columns.cluster.profiles("depth").kmedoids(3, fit_on=60, progress=False)
    np.testing.assert_allclose(fit.medoids.vs, fit.centers.vs, rtol=1e-15)


def test_of_equal_samples_the_medoid_is_that_of_least_coordinates(columns):
    twice = columns.vs.values[[2, 2], [1, 1]]
    near = columns.assign(vs=columns.vs.copy(deep=True))
    near.vs[5:7, 5] = twice
    fit = near.cluster.profiles("depth").kmedoids(117, progress=False)
    same = fit.medoids.where((fit.medoids.vs == near.vs[2, 1]).all("depth"), drop=True)
    assert (float(same.y[0]), float(same.x[0])) == (25.0, 4.0)  # not at x = 8


def test_merged_labels_keep_the_medoid_of_most_samples(fit):
    merged = fit.merge([[1, 2]])
    xr.testing.assert_equal(
        merged.medoids.drop_vars("label"), fit.medoids[{"label": [0, 1]}].drop_vars("label")
    )


def test_named_labels_have_named_medoids(fit):
    named = fit.relabel(["a", "b", "c"])
    assert named.medoids.label_name.values.tolist() == ["a", "b", "c"]


def test_weights_count_samples_several_times(columns):
    weight = xr.DataArray(RNG.integers(1, 4, (12, 10)), dims=("y", "x"))
    times = xr.concat([columns, columns.where(weight > 1), columns.where(weight > 2)], "copy")
    once = columns.cluster.profiles("depth").weights(weight).kmedoids(3, progress=False)
    thrice = times.cluster.profiles("depth").kmedoids(3, progress=False)
    np.testing.assert_allclose(once.centers.vs, thrice.centers.vs, rtol=1e-15)
    np.testing.assert_array_equal(once.labels, thrice.labels.isel(copy=0))


def test_a_result_comes_back_from_a_file(columns, fit, tmp_path):
    path = tmp_path / "fit.nc"
    fit.save(path)
    opened = xcluster.open(path, data=columns)
    xr.testing.assert_equal(opened.labels, fit.labels)
    xr.testing.assert_equal(opened.medoids, fit.medoids)
    xr.testing.assert_equal(opened.predict(columns), fit.labels)
    assert opened.method == "kmedoids(k=3, metric='cityblock')"
    alone = xcluster.open(path)
    xr.testing.assert_equal(alone.centers, fit.centers)
    with pytest.raises(ValueError, match="medoids needs the original values"):
        _ = alone.medoids


def test_a_function_that_no_file_can_hold_is_refused_when_it_is_saved(columns, tmp_path):
    samples = columns.cluster.profiles("depth")
    fit = samples.kmedoids(2, metric=lambda a, b: manhattan(a, b), n_init=1, progress=False)
    with pytest.raises(TypeError, match="only be read back by running code"):
        fit.save(tmp_path / "fit.nc")
    assert not list(tmp_path.iterdir())


def test_pooled_scenes_have_each_medoid_once(columns):
    scenes = {"west": columns.isel(x=slice(5)), "east": columns.isel(x=slice(5, None))}
    pooled = xcluster.pool(scenes, lambda each: each.cluster.profiles("depth"))
    fit = pooled.kmedoids(4, progress=False)
    tree = fit.medoids
    labels = [label for each in scenes for label in tree[each].label.values.tolist()]
    assert sorted(labels) == [0, 1, 2, 3]
    for name in scenes:
        for label in tree[name].label.values:
            one = tree[name].to_dataset().sel(label=label)
            np.testing.assert_array_equal(one.vs, scenes[name].vs.sel(y=one.y, x=one.x))


def test_variables_of_one_number_are_scaled_first(columns):
    vs = columns.vs.drop_vars("depth")
    ds = xr.Dataset({"a": vs[..., 0], "b": vs[..., 4] * 1e6})
    fit = ds.cluster.pixels().kmedoids(3, progress=False)
    assert fit.medoids.a.dims == ("label",)
    np.testing.assert_allclose(fit.centers.b, fit.medoids.b, rtol=1e-12)


def test_samples_with_gaps_are_refused_by_name(columns):
    samples = columns.cluster.profiles("depth", missing="keep")
    with pytest.raises(ValueError, match=r"kmedoids.*cannot cluster samples with gaps"):
        samples.kmedoids(2)


def test_what_other_methods_have_is_refused_by_name(columns, fit):
    with pytest.raises(ValueError, match="kmedoids gives none"):
        _ = fit.memberships
    with pytest.raises(ValueError, match=r"medoids, which only results of kmedoids\(\)"):
        _ = columns.cluster.profiles("depth").hac(2, progress=False).medoids
    with pytest.raises(TypeError, match="window=2: needs metric='dtw'"):
        columns.cluster.profiles("depth").kmedoids(2, window=2)


def test_rows_without_a_direction_are_no_data(columns):
    zero = columns.where((columns.y > 0) | (columns.x > 0), 0.0)
    fit = zero.cluster.profiles("depth").kmedoids(2, metric="cosine", progress=False)
    assert np.isnan(fit.labels.sel(y=0, x=0))


def test_larger_data_cannot_be_streamed(columns, monkeypatch):
    monkeypatch.setattr(fitting, "ALL_POINTS", 50)
    with pytest.raises(ValueError, match=r"cannot stream kmedoids\(metric='dtw'\)"):
        columns.cluster.profiles("depth").kmedoids(2, metric="dtw", fit_on="all")


def test_scores_take_a_function_of_distances():
    X, labels = RNG.normal(size=(40, 3)), np.arange(40) % 3
    weight = RNG.integers(1, 3, 40)
    found = xcluster.scores.silhouette_score(
        X, labels, sample_weight=weight, metric=lambda a, b: pairwise_distances(a, b)
    )
    expected = xcluster.scores.silhouette_score(X, labels, sample_weight=weight)
    assert found.value == pytest.approx(expected.value, rel=1e-6)
