"""Names, colours, nodes and flags of labels, whatever becomes of their numbers."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

import xcluster
from xcluster.plot import matrices

mpl.use("agg")


@pytest.fixture(autouse=True)
def _closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def pixels(ocean):
    return ocean.cluster.pixels()


@pytest.fixture(scope="module")
def four(pixels):
    return pixels.kmeans(4)


def test_labels_of_a_matched_map_stand_at_their_own_nodes(pixels):
    fit = pixels.som((2, 3))
    turned = fit.match((fit.labels + 1) % 6)
    assert turned.partition.codes.tolist() == [1, 2, 3, 4, 5, 0]
    assert turned.centers.som_row.values.tolist() == [1, 0, 0, 0, 1, 1]
    assert turned.centers.som_col.values.tolist() == [2, 0, 1, 2, 0, 1]
    places = turned.centers.set_index(label=("som_row", "som_col")).sst
    ours = fit.centers.set_index(label=("som_row", "som_col")).sst
    np.testing.assert_array_equal(places.sel(som_row=1, som_col=2), ours.sel(som_row=1, som_col=2))
    assert "som_row" not in fit.merge([[0, 1]]).centers.coords


def test_labels_that_nobody_named_are_called_by_their_new_numbers(four):
    merged = four.relabel({0: "tropics"}).merge([[0, 1]])
    assert merged.partition.label_names() == ("tropics", "label_1", "label_2")
    assert merged.labels.flag_meanings.split()[-3:] == ["tropics", "label_1", "label_2"]
    turned = four.relabel({0: "tropics"}).match((four.labels + 1) % 4)
    assert turned.partition.label_names() == ("label_0", "tropics", "label_2", "label_3")


def test_a_label_without_partner_gives_up_a_name_and_a_color_that_another_one_lends(pixels, four):
    reference = pixels.kmeans(3).relabel(["warm", "cold", "mild"])
    matched = four.relabel(["tropics", "warm", "cold", "mild"]).match(reference)
    assert matched.partition.label_names() == ("warm", "cold", "mild", "label_3")
    assert len(set(matched.partition.label_colors())) == 4
    alone = four.relabel(["a", "b", "c", "d"]).match(reference).partition.label_names()[3]
    assert alone in "abcd"
    few = pixels.kmeans(2).match(four.relabel(["a", "b", "c", "d"]))
    assert set(few.partition.label_names()) <= set("abcd")


@pytest.mark.parametrize("names", [[" ", "b", "c", "d"], {3: ""}, {0: "\n"}])
def test_a_name_that_shows_nothing_is_refused(four, names):
    with pytest.raises(ValueError, match=r"^names='[^=]*': is blank"):
        four.relabel(names)


def test_memberships_of_a_file_stay_lazy_where_labels_merge_or_match(pixels, tmp_path, computes):
    fit = pixels.pca(2).gmm(3)
    fit.save(tmp_path / "fit.zarr")
    opened = xcluster.open(tmp_path / "fit.zarr")
    before = computes()
    merged = opened.merge([[0, 1]])
    assert computes() == before
    turned = opened.match((fit.labels + 1) % 3)
    assert computes() == before + 1  # of the labels, which tell the partners
    assert merged.memberships.chunks
    assert turned.memberships.chunks
    np.testing.assert_allclose(merged.memberships, fit.merge([[0, 1]]).memberships, atol=1e-6)


def test_writing_to_centres_does_not_change_the_result(four):
    expected = four.centers.copy(deep=True)
    taken = four.centers
    taken["sst"] = taken.sst + 273.15
    taken.wind_speed[:] = 0
    taken.label.attrs.clear()
    xr.testing.assert_identical(four.centers, expected)


def test_a_method_that_gives_noise_elsewhere_has_a_flag_for_it(bands):
    groups = (bands.mean("band") > bands.mean()).astype(float).expand_dims(band=2)
    fit = groups.cluster.pixels(dim="band").dbscan(eps=0.1)
    assert np.unique(fit.labels).tolist() == [0, 1]
    far = fit.predict(groups + 1e6)
    assert (far == -1).all()
    assert far.flag_values.tolist() == fit.labels.flag_values.tolist() == [-1, 0, 1]


# ----------------------------------------------------------------------------------- in figures


def test_colours_of_a_tree_are_those_of_its_labels(pixels):
    with pytest.raises(ValueError, match=r"^colors=\['red'\]: the leaves have colours already"):
        pixels.hac(3).plot.dendrogram(colors=["red"])


@pytest.mark.parametrize(
    "limits", [{"vmin": 0}, {"vmax": 2.0, "vmin": 0.0}, {"norm": plt.Normalize(0, 1)}]
)
def test_a_map_of_labels_has_no_scale_to_limit(four, limits):
    with pytest.raises(ValueError, match=r"^(vmin|vmax|norm)=.*: labels have one colour each"):
        four.plot.map(**limits)
    assert not plt.get_fignums()


@pytest.mark.filterwarnings("ignore:.*every sample is noise")
def test_centres_of_noise_alone_are_refused_with_the_reason(pixels):
    series = xr.DataArray(np.random.default_rng(0).normal(size=(9, 4, 5)), dims=("time", "y", "x"))
    for samples in (pixels, series.cluster.pixels(dim="time"), series.cluster.snapshots("time")):
        with pytest.raises(ValueError, match=r"^k=0: no labels: every sample is noise\."):
            samples.dbscan(eps=1e-9).plot.centers()
    with pytest.raises(ValueError, match=r"^shape=\(0, 2\): a table needs at least one row"):
        matrices.features(xr.DataArray(np.empty((0, 2))))


@pytest.mark.parametrize(
    ("slip", "meant"), [("coastline", "coastlines"), ("legned", "legend"), ("figsze", "figsize")]
)
def test_a_misspelt_keyword_of_a_map_is_answered_with_the_right_one(four, slip, meant):
    with pytest.raises(TypeError, match=rf"^{slip}=False: map\(\) has .*[Dd]id you mean '{meant}'"):
        four.plot.map(**{slip: False})
    assert not plt.get_fignums()


def test_keywords_of_matplotlib_are_handed_over(four):
    artist = four.plot.map(zorder=7, rasterized=True, label="here")
    assert (artist.get_zorder(), artist.get_label()) == (7, "here")


def test_a_map_has_the_title_that_is_given(pixels, four):
    assert four.plot.map(title="x").axes.get_title() == "x"
    assert four.plot.map(title="").axes.get_title() == ""
    assert four.plot.map().axes.get_title() == "kmeans(k=4)"
    with pytest.raises(TypeError, match=r"^title=3: must be text"):
        four.plot.map(title=3)
