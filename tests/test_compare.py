"""Two label maps side by side."""

import numpy as np
import pytest
import xarray as xr
from sklearn import metrics

import xcluster


@pytest.fixture(scope="module")
def pair(ocean):
    samples = ocean.cluster.pixels()
    return samples.kmeans(4), samples.pca(2).gmm(3)


def known(*maps):
    """Return flat labels where every map has one."""
    flat = np.stack([each.values.ravel() for each in maps])
    return flat[:, (flat >= 0).all(axis=0)].astype(int)


def test_agreement_is_that_of_scikit_learn(pair):
    a, b = pair
    found = xcluster.compare(a, b)
    ours, theirs = known(a.labels, b.labels)
    assert float(found.adjusted_rand) == pytest.approx(metrics.adjusted_rand_score(ours, theirs))
    expected = metrics.adjusted_mutual_info_score(ours, theirs)
    assert float(found.adjusted_mutual_info) == pytest.approx(expected)
    assert float(found.v_measure) == pytest.approx(metrics.v_measure_score(ours, theirs))
    expected = metrics.cluster.contingency_matrix(ours, theirs)
    np.testing.assert_array_equal(found.contingency, expected)


def test_a_renumbered_map_agrees_fully(pair):
    a, _ = pair
    renumbered = (3 - a.labels).rename("other")
    found = xcluster.compare(a, renumbered)
    assert float(found.adjusted_rand) == 1
    assert float(found.difference.sum()) == 0
    np.testing.assert_array_equal(found.matched, a.labels)


def test_the_matched_map_is_that_of_match(pair):
    a, b = pair
    found = xcluster.compare(a, b)
    np.testing.assert_array_equal(found.matched, b.match(a).labels)
    differ = (found.matched != a.labels).where(a.labels.notnull())
    np.testing.assert_array_equal(found.difference, differ)


def test_a_reference_of_fewer_labels_leaves_the_others_numbers_above_it(pair):
    a, b = pair
    found = xcluster.compare(b, a)
    assert sorted(np.unique(found.matched.values[found.matched.notnull()])) == [0, 1, 2, 3]


def test_silhouettes_stand_side_by_side_in_each_space(pair):
    a, b = pair
    found = xcluster.compare(a, b).silhouette
    assert found.dims == ("space", "labelling")
    for space, fit in (("a", a), ("b", b)):
        Z = fit.features.values.reshape(fit.features.sizes["component"], -1).T
        for name, other in (("a", a), ("b", b)):
            labels = other.labels.values.ravel()
            kept = np.isfinite(labels)
            expected = metrics.silhouette_score(Z[kept], labels[kept])
            actual = float(found.sel(space=space, labelling=name))
            assert actual == pytest.approx(expected, abs=1e-5)


def test_label_maps_from_elsewhere_are_taken_in_any_order_of_dims(pair):
    a, b = pair
    turned = b.labels.isel(latitude=slice(None, None, -1)).transpose("longitude", "latitude")
    found = xcluster.compare(a.labels, turned)
    expected = xcluster.compare(a, b)
    xr.testing.assert_identical(found.contingency, expected.contingency)
    np.testing.assert_array_equal(found.difference, expected.difference)
    assert "silhouette" not in found
    assert "silhouette" in xcluster.compare(a.labels, b)


def test_samples_without_a_label_in_either_are_left_out(pair):
    a, b = pair
    theirs = b.labels.where(b.labels != 1, -1).where(b.labels.latitude > -60)
    found = xcluster.compare(a, theirs)
    ours, others = known(a.labels, theirs)
    assert int(found.contingency.sum()) == len(ours)
    assert float(found.adjusted_rand) == pytest.approx(metrics.adjusted_rand_score(ours, others))
    assert bool(found.difference.where((theirs < 0) | theirs.isnull()).isnull().all())


def test_a_comparison_does_not_depend_on_chunks(ocean, pair):
    a, b = pair
    lazy = ocean.chunk(latitude=11).cluster.pixels().kmeans(4)
    xr.testing.assert_allclose(xcluster.compare(lazy, b), xcluster.compare(a, b))


def test_other_grids_are_refused_and_both_are_shown(pair):
    a, b = pair
    smaller = b.labels.isel(latitude=slice(5))
    message = r"b='label': lies on latitude: 5, longitude: 60, .*on latitude: 30, longitude: 60"
    with pytest.raises(ValueError, match=message):
        xcluster.compare(a, smaller)
    with pytest.raises(ValueError, match="at other coordinates"):
        xcluster.compare(a, b.labels.assign_coords(latitude=b.labels.latitude + 1))
    with pytest.raises(ValueError, match="b='label': lies on y: 30, longitude: 60"):
        xcluster.compare(a, b.labels.rename(latitude="y"))


def test_what_is_no_label_map_is_refused(pair):
    a, b = pair
    with pytest.raises(TypeError, match="a='ndarray': must be a Clustering or a DataArray"):
        xcluster.compare(a.labels.values, b)
    with pytest.raises(TypeError, match=r"b='label': holds <U\d+, but labels are whole numbers"):
        xcluster.compare(a, b.labels.astype(str))
    with pytest.raises(ValueError, match="fractions"):
        xcluster.compare(a, b.labels / 2)
    with pytest.raises(ValueError, match="no sample has a label in both"):
        xcluster.compare(a, b.labels * np.nan)
