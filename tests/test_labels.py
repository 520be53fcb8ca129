"""Labels: the partitions of scikit-learn, numbered, named and coloured as the user asks."""

import numpy as np
import pytest
import xarray as xr
from sklearn.cluster import DBSCAN, AgglomerativeClustering, Birch, BisectingKMeans, KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

import xcluster
from xcluster.blocks import rows
from xcluster.grid.layout import shown_columns


def matrix_of(samples):
    """The complete rows with features in the user's order, no step applied."""
    return rows.gather(samples.layout).X[:, shown_columns(samples.layout.features)]


def label_rows(labels):
    """The labels of the complete samples of a grid whose coordinates rise, dims by name."""
    values = labels.sortby(list(labels.dims)).transpose(*sorted(labels.dims)).values.ravel()
    return values[np.isfinite(values)].astype(int)


def same_partition(ours, theirs):
    return adjusted_rand_score(theirs, label_rows(ours)) == 1


# --------------------------------------------------------------------- against scikit-learn


@pytest.mark.parametrize("k", [2, 4, 6])
def test_kmeans_finds_the_partition_of_scikit_learn_from_the_same_start(ocean, k):
    samples = ocean.cluster.pixels().scale("standard")
    X = StandardScaler().fit_transform(matrix_of(samples).astype(float))
    start = X[np.random.default_rng(k).choice(len(X), k, replace=False)]
    peer = KMeans(k, init=start, n_init=1, tol=0).fit(X)
    fit = samples.kmeans(k, init=start, tol=0)
    agree = adjusted_rand_score(peer.labels_, label_rows(fit.labels))
    assert agree > 0.999
    inertia = fit.model[-1].inertia_
    assert inertia == pytest.approx(peer.inertia_, rel=1e-5)


def test_kmeans_of_a_tomography_model_is_as_tight_as_that_of_scikit_learn(tomography):
    samples = tomography.cluster.profiles("depth")
    X = matrix_of(samples)
    peer = KMeans(5, n_init=10, random_state=0).fit(X)
    assert samples.kmeans(5).model[-1].inertia_ <= 1.01 * peer.inertia_


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_a_mixture_is_as_likely_as_that_of_scikit_learn(ocean, covariance_type):
    fit = ocean.cluster.pixels().scale("standard").pca(3).gmm(3, covariance_type=covariance_type)
    Z = fit.features.values.reshape(3, -1).T.astype(float)
    Z = Z[np.isfinite(Z).all(1)]
    peer = GaussianMixture(3, covariance_type=covariance_type, n_init=3, random_state=0).fit(Z)
    assert fit.model[-1].score(Z) >= peer.score(Z) - 0.02


def test_memberships_add_up_to_one_and_the_largest_gives_the_label(ocean):
    fit = ocean.cluster.pixels().pca(3).gmm(4)
    memberships = fit.memberships
    known = fit.labels.notnull()
    np.testing.assert_allclose(
        memberships.sum("label").where(known).stack(i=known.dims).dropna("i"), 1, rtol=1e-5
    )
    best = memberships.fillna(-1).argmax("label").where(known)
    xr.testing.assert_equal(best.astype("float32"), fit.labels.drop_attrs())
    assert memberships.attrs["units"] == "1"
    np.testing.assert_array_equal(memberships.label, range(4))


@pytest.mark.parametrize(
    "peer",
    [
        KMeans(3, random_state=0),
        GaussianMixture(3, random_state=0),
        BisectingKMeans(3, random_state=0),
        Birch(n_clusters=3),
        AgglomerativeClustering(3),
        DBSCAN(4.0),
    ],
    ids=lambda peer: type(peer).__name__,
)
def test_any_estimator_gives_its_own_partition_and_stays_unfitted(bands, peer):
    fit = bands.cluster.pixels(dim="band").fit(peer)
    rows_ = bands.transpose("x", "y", "band").values.reshape(-1, 6)
    theirs = type(peer)(**peer.get_params()).fit_predict(rows_)
    assert same_partition(fit.labels, theirs)
    assert not hasattr(peer, "n_features_in_")


def test_noise_is_minus_one_and_no_data_is_nan(bands):
    image = bands.copy()
    image[:, 0, 0] = 500
    image[0, 1, 1] = np.nan
    fit = image.cluster.pixels(dim="band").fit(DBSCAN(4.0))
    assert fit.labels[0, 0] == -1
    assert np.isnan(fit.labels[1, 1])
    assert fit.labels.attrs["flag_meanings"].split()[0] == "unclassified"
    assert fit.report().loc[-1, "samples"] == 1


# -------------------------------------------------------------------------- the label array


def test_labels_are_float32_with_an_int16_encoding_and_flags(ocean):
    labels = ocean.cluster.pixels().kmeans(4).labels
    assert labels.dtype == np.float32
    assert labels.encoding == {"dtype": "int16", "_FillValue": -32768}
    np.testing.assert_array_equal(labels.attrs["flag_values"], range(4))
    assert labels.attrs["flag_meanings"] == "label_0 label_1 label_2 label_3"
    assert "units" not in labels.attrs
    assert labels.name == "label"


def test_labels_never_carry_the_units_of_the_data(tomography):
    fit = tomography.vs.cluster.profiles("depth").kmeans(3)
    assert "units" not in fit.labels.attrs
    assert fit.centers.vs.attrs["units"] == tomography.vs.attrs["units"]


def test_writing_to_labels_does_not_change_the_result(ocean):
    fit = ocean.cluster.pixels().kmeans(3)
    taken = fit.labels
    taken[:] = 7
    taken.attrs.clear()
    assert fit.labels.max() == 2
    assert "flag_values" in fit.labels.attrs


def test_labels_go_into_the_users_dataset_and_its_groups(ocean):
    fit = ocean.cluster.pixels().kmeans(3)
    assert "province" in ocean.assign(province=fit.labels)
    means = ocean.groupby(fit.labels).mean()
    np.testing.assert_array_equal(means.label, [0, 1, 2])
    for lined_up in (means - fit.centers, xr.merge([means.sst, fit.centers.wind_speed])):
        assert lined_up.sizes == {"label": 3}
    np.testing.assert_allclose(means.sst, fit.centers.sst, rtol=1e-4)


@pytest.mark.parametrize(
    "combine",
    [
        lambda fit, ds: fit.memberships.sel(label=fit.labels.fillna(0)),
        lambda fit, ds: fit.centers.sel(label=fit.labels.fillna(0)) - ds,
        lambda fit, ds: fit.memberships.where(fit.labels == 1).sum(["latitude", "longitude"]),
        lambda fit, ds: ds.assign_coords(label=fit.labels).groupby("label").mean() - fit.centers,
        lambda fit, ds: ds.assign_coords(province=fit.labels).groupby("province").mean(),
        lambda fit, ds: xr.merge([fit.to_dataset(), fit.centers]),
        lambda fit, ds: xr.merge(
            [fit.predict(ds, memberships=True), fit.to_dataset()], compat="equals"
        ),
        lambda fit, ds: fit.distances.min("label").groupby(fit.labels).mean() * fit.centers.sst,
        lambda fit, ds: fit.silhouette.groupby(fit.labels).mean() * fit.centers.sst,
    ],
)
def test_results_fit_together_and_drop_nothing(ocean, combine):
    fit = ocean.cluster.pixels().gmm(3, n_init=1)
    found = combine(fit, ocean)
    values = found.to_array() if isinstance(found, xr.Dataset) else found
    assert found.sizes.get("label", 3) == 3
    assert "label" not in getattr(found, "data_vars", {})
    assert values.notnull().any()


@pytest.mark.parametrize("lazy", [False, True])
def test_a_mask_says_where_labels_are(ocean, lazy):
    ds = ocean.chunk(latitude=7) if lazy else ocean
    fit = ds.cluster.pixels().kmeans(4).relabel(["warm", "cold", "windy", "ice"])
    mask = fit.mask("cold")
    assert mask.dtype == bool
    assert mask.name == "mask"
    assert (mask.chunks is not None) == lazy
    xr.testing.assert_equal(mask.compute(), (fit.labels == 1).rename("mask").compute())
    both = (fit.labels == 0) | (fit.labels == 3)
    xr.testing.assert_equal(fit.mask(["warm", 3]).compute(), both.rename("mask").compute())
    assert int(ds.where(mask).sst.count()) == int((fit.labels == 1).sum())
    with pytest.raises(ValueError, match=r"label='craton'.*is not a label"):
        fit.mask("craton")
    with pytest.raises(ValueError, match="label=4: is not a label"):
        fit.mask([0, 4])


# -------------------------------------------------------------------------- canonical order


def test_labels_are_numbered_by_falling_size(ocean):
    counts = ocean.cluster.pixels().kmeans(5).report()["samples"]
    assert (counts.diff().dropna() <= 0).all()


def test_labels_are_numbered_by_the_rising_mean_of_a_variable(ocean):
    fit = ocean.cluster.pixels().kmeans(5, order="sst")
    assert (fit.centers.sst.diff("label") > 0).all()


def test_labels_are_numbered_by_the_rising_value_of_a_callable(ocean):
    fit = ocean.cluster.pixels().kmeans(5, order=lambda centers: -centers.wind_speed)
    assert (fit.centers.wind_speed.diff("label") < 0).all()


def test_labels_are_numbered_by_the_rising_centre_of_one_variable(tomography):
    fit = tomography.cluster.profiles("depth").kmeans(4, order="center")
    assert (fit.centers.vs.mean("depth").diff("label") > 0).all()


def test_the_order_changes_numbers_only(ocean):
    samples = ocean.cluster.pixels()
    ours, theirs = samples.kmeans(5).labels, samples.kmeans(5, order="sst").labels
    assert same_partition(ours, label_rows(theirs))


# ------------------------------------------------------------ names, colours, merges, matches


@pytest.fixture(scope="module")
def fit(ocean):
    return ocean.cluster.pixels().kmeans(4)


@pytest.fixture(scope="module")
def soft(ocean):
    return ocean.cluster.pixels().pca(3).gmm(4)


def test_relabel_names_and_colors_labels_and_keeps_numbers(fit):
    named = fit.relabel(["cold pole", "b", "c", "d"], colors={1: "red"})
    assert named.labels.attrs["flag_meanings"] == "cold_pole b c d"
    assert named.labels.attrs["flag_colors"].split()[1] == "#ff0000"
    np.testing.assert_array_equal(named.labels, fit.labels)
    assert named.centers.label_name.values.tolist() == ["cold pole", "b", "c", "d"]
    np.testing.assert_array_equal(named.centers.label, range(4))
    assert named.report()["name"].tolist() == ["cold pole", "b", "c", "d"]
    assert fit.labels.attrs["flag_meanings"].startswith("label_0")


def test_relabel_by_a_mapping_renames_some(fit):
    assert fit.relabel({2: "warm"}).partition.label_names() == (
        "label_0",
        "label_1",
        "warm",
        "label_3",
    )


def test_members_are_found_by_number_and_by_name(ocean, fit):
    named = fit.relabel({1: "warm"})
    expected = ocean.where(fit.labels == 1)
    xr.testing.assert_equal(named.members("warm"), expected)
    xr.testing.assert_equal(named.members(1), expected)


def test_merge_joins_labels_and_adds_memberships_up(soft):
    merged = soft.merge([[1, 3]])
    assert merged.k == 3
    expected = soft.labels.copy(data=np.array([0, 1, 2, 1])[soft.labels.fillna(0).astype(int)])
    expected = expected.where(soft.labels.notnull()).astype("float32")
    np.testing.assert_array_equal(merged.labels, expected)
    np.testing.assert_allclose(
        merged.memberships.sel(label=1),
        soft.memberships.sel(label=[1, 3]).sum("label", skipna=False),
        atol=1e-6,
    )


def test_the_centre_of_merged_labels_is_the_mean_of_their_samples(ocean, fit):
    merged = fit.merge([[0, 2], ["label_1", 3]])
    for label in (0, 1):
        mean = ocean.where(merged.labels == label).mean()
        for name in ocean:
            assert merged.centers[name].sel(label=label) == pytest.approx(
                float(mean[name]), rel=1e-3
            )


def test_merged_names_are_those_of_the_first_label(fit):
    merged = fit.relabel(["a", "b", "c", "d"]).merge([["d", "b"]])
    assert merged.partition.label_names() == ("a", "b", "c")


def test_match_takes_the_numbers_names_and_colors_of_another_clustering(ocean, fit):
    reference = fit.relabel(["a", "b", "c", "d"], colors=["red", "blue", "lime", "black"])
    other = ocean.cluster.pixels().kmeans(4, order="sst").match(reference)
    xr.testing.assert_identical(other.labels, reference.labels)


def test_match_takes_the_numbers_of_a_label_map(ocean, fit):
    other = ocean.cluster.pixels().kmeans(4, order="sst").match(fit.labels.transpose())
    np.testing.assert_array_equal(other.labels, fit.labels)


@pytest.mark.parametrize("k", [3, 6])
def test_match_with_another_k_numbers_labels_without_partner_last(ocean, fit, k):
    other = ocean.cluster.pixels().kmeans(k)
    matched = other.match(fit)
    assert adjusted_rand_score(label_rows(other.labels), label_rows(matched.labels)) == 1
    agree = (matched.labels == fit.labels).sum()
    assert agree >= (other.labels == fit.labels).sum()


def test_threshold_unclassifies_where_no_membership_exceeds_it(soft):
    for u in (0.5, 0.9):
        labels = soft.threshold(u).labels
        best = soft.memberships.max("label")
        expected = soft.labels.where((best > u) | soft.labels.isnull(), -1)
        np.testing.assert_array_equal(labels, expected)
        assert labels.attrs["flag_values"][0] == -1


def test_a_threshold_holds_for_merged_memberships_too(soft):
    merged = soft.merge([[0, 1]]).threshold(0.9)
    best = merged.memberships.max("label")
    assert ((merged.labels == -1) == (best <= 0.9)).where(best.notnull(), True).all()


def test_a_report_counts_what_is_unclassified(soft):
    report = soft.threshold(0.9).report()
    assert report.loc[-1, "name"] == "unclassified"
    assert report["samples"].sum() == int(soft.labels.notnull().sum())
    assert report["share"].sum() == pytest.approx(1)


def test_one_label_is_a_clustering_too(ocean):
    one = ocean.cluster.pixels().kmeans(1)
    assert (one.labels.fillna(0) == 0).all()
    assert len(one.labels.attrs["flag_values"]) == 2


# ------------------------------------------------------------------------------- noise alone

SPARSE = {
    "eps": lambda samples: samples.dbscan(eps=1e-6, min_samples=40),
    "min_cluster_size": lambda samples: samples.hdbscan(min_cluster_size=200),
}


@pytest.mark.parametrize("parameter", SPARSE)
def test_where_every_sample_is_noise_a_warning_says_so_and_the_result_is_empty(parameter, tmp_path):
    ds = xcluster.datasets.ocean()[["sst", "wind_speed"]]
    ds = ds.isel(latitude=slice(10, 80, 4), longitude=slice(0, 180, 7))
    with pytest.warns(UserWarning, match=rf"every sample is noise\. .*{parameter}="):
        fit = SPARSE[parameter](ds.cluster.pixels().scale())
    assert fit.k == 0
    assert (fit.labels == -1).equals(ds.to_dataarray().notnull().all("variable"))
    assert fit.centers.sizes["label"] == fit.distances.sizes["label"] == 0
    assert list(fit.report().name) == ["unclassified"]
    xr.testing.assert_equal(fit.predict(ds), fit.labels)
    with pytest.raises(ValueError, match="every sample is noise"):
        fit.members(0)
    fit.save(tmp_path / "noise.nc")
    xr.testing.assert_equal(xcluster.open(tmp_path / "noise.nc").predict(ds), fit.labels)
