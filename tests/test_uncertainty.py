"""How well labels come back from other rows, and how clear memberships are."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import entropy

import xcluster
from xcluster.result import doubt

SOFT = ["membership_entropy", "margin", "robustness", "robustness_class"]


@pytest.fixture(scope="module")
def scene():
    """One group far away from a cloud that any border may cut."""
    random = np.random.default_rng(0)
    far = random.integers(0, 2, (20, 20))
    values = np.where(far, 30.0, 0.0)[..., None] + random.normal(size=(20, 20, 3)) * [1, 1, 0.1]
    values[0, 0] = np.nan
    return xr.DataArray(values, {"y": np.arange(20.0), "x": np.arange(20.0)}, ("y", "x", "band"))


@pytest.fixture(scope="module")
def samples(scene):
    return scene.cluster.pixels(dim="band")


def test_clear_groups_come_back_and_cut_clouds_do_not(samples):
    clear = samples.kmeans(2).uncertainty(n_refits=8)
    np.testing.assert_array_equal(clear.jaccard, 1)
    assert float(clear.agreement.min()) == float(clear.mean_agreement) == 1
    cut = samples.kmeans(5).uncertainty(n_refits=8)
    assert float(cut.jaccard.min()) < 0.75
    assert float(cut.agreement.min()) < 1


@pytest.mark.parametrize("method", ["kmeans", "gmm", "hac", "fuzzy"])
def test_the_map_of_agreement_is_the_share_of_refits(samples, method):
    fit = getattr(samples, method)(3)
    found = fit.uncertainty(n_refits=4, resampling="subsample")
    assert found.agreement.dims == fit.labels.dims
    known = found.agreement.values[np.isfinite(fit.labels.values)]
    np.testing.assert_allclose(known * 4, np.round(known * 4), atol=1e-6)
    assert float(found.mean_agreement) == pytest.approx(known.mean(), abs=1e-6)
    assert np.isnan(found.agreement.values[0, 0])
    assert found.jaccard.sizes == {"label": 3}
    assert (set(SOFT) < set(found)) == fit.is_soft


def test_memberships_tell_entropy_margin_and_robustness(samples):
    fit = samples.gmm(3)
    found = fit.uncertainty(n_refits=1)
    p = fit.memberships.transpose("label", ...).values
    np.testing.assert_allclose(found.membership_entropy, entropy(p, axis=0), atol=1e-5)
    ordered = np.sort(p, axis=0)
    np.testing.assert_allclose(found.margin, ordered[-1] - ordered[-2], atol=1e-5)
    robustness = (ordered[-1] - 1 / 3) * 3 / 2
    np.testing.assert_allclose(found.robustness, robustness, atol=1e-5)
    classes = found.robustness_class
    expected = np.digitize(robustness, [0.33, 0.66, 0.9, 0.99]).astype(float)
    expected[0, 0] = np.nan
    np.testing.assert_array_equal(classes, expected)
    assert classes.flag_values.tolist() == [0, 1, 2, 3, 4]
    assert classes.flag_meanings.split()[-1] == "virtually_certain"


def test_maps_of_doubt_stay_lazy_and_do_not_depend_on_chunks(scene, samples):
    lazy = scene.chunk(y=7, x=9).cluster.pixels(dim="band").gmm(3).uncertainty(n_refits=2)
    assert lazy.agreement.chunksizes == {"y": (7, 7, 6), "x": (9, 9, 2)}
    eager = samples.gmm(3).uncertainty(n_refits=2)
    xr.testing.assert_allclose(lazy.compute(), eager, atol=1e-5)


def test_of_many_samples_a_part_is_refitted_and_all_are_told_of(samples, monkeypatch):
    monkeypatch.setattr(doubt, "REFIT_ROWS", 100)
    found = samples.kmeans(2).uncertainty(n_refits=3)
    assert int(found.agreement.notnull().sum()) == 399
    assert float(found.agreement.min()) == 1


def test_the_same_seed_gives_the_same_doubt_and_another_does_not(samples):
    fit = samples.kmeans(4)
    first, again = (fit.uncertainty(n_refits=3) for _ in range(2))
    xr.testing.assert_identical(first, again)
    other = fit.uncertainty(n_refits=3, random_state=7)
    assert not np.array_equal(first.jaccard, other.jaccard)


def test_doubt_is_told_of_merged_and_of_unclassified_labels(samples):
    fit = samples.gmm(3)
    clear = fit.threshold(0.9).uncertainty(n_refits=2)
    assert bool(clear.agreement.where(fit.threshold(0.9).labels == -1).isnull().all())
    merged = fit.merge([[0, 1]]).uncertainty(n_refits=2)
    assert merged.jaccard.sizes == {"label": 2}


def test_weights_enter_refits(samples):
    weight = xr.DataArray(np.random.default_rng(1).uniform(0.5, 2, (20, 20)), dims=("y", "x"))
    found = samples.weights(weight).kmeans(2).uncertainty(n_refits=2)
    np.testing.assert_array_equal(found.jaccard, 1)


def test_bad_questions_are_refused(samples):
    fit = samples.kmeans(2)
    with pytest.raises(ValueError, match="n_refits=0"):
        fit.uncertainty(n_refits=0)
    with pytest.raises(ValueError, match="resampling='jackknife': must be one of"):
        fit.uncertainty(resampling="jackknife")
    with pytest.raises(ValueError, match="resampled rows do not have"):
        samples.hac(4, contiguous=True).uncertainty()


def test_a_saved_result_without_its_data_says_what_it_needs(samples, tmp_path):
    samples.kmeans(2).save(tmp_path / "fit.nc")
    fit = xcluster.open(tmp_path / "fit.nc")
    for ask in (fit.uncertainty, fit.scores, lambda: fit.silhouette):
        with pytest.raises(ValueError, match="needs the original values"):
            ask()
