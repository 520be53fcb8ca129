"""Dims, coordinates and variables may have any name that the package uses itself.

Every answer is the one of the same data under neutral names, or the documented error.
"""

import ast
import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import xcluster
from xcluster.base.errors import BadValueError

pytestmark = pytest.mark.large

PACKAGE = Path(xcluster.__file__).parent


def words_of(path):
    """The texts in the source of a module that a user might choose as a name."""
    nodes = ast.walk(ast.parse(path.read_text()))
    texts = (node.value for node in nodes if isinstance(node, ast.Constant))
    return {text for text in texts if isinstance(text, str) and text.isidentifier()}


FORMATTED = ("component_0", "membership_0", "array_0", "array_0_0", "centers_0", "means_1")
FORMATTED += ("variable_error", "other_error", "labels_", "row_", "mask_", "label_name_", "_group")
WORDS = sorted(set(FORMATTED).union(*map(words_of, PACKAGE.rglob("*.py"))))
LIKELY = [
    *("mask", "weight", "weights", "labels", "memberships", "label_name", "k", "sweep_k", "row"),
    *("likeliest", "area", "samples", "features", "component", "feature", "other", "sample"),
    *("point", "time", "centers", "scores", "model", "manifest", "scenes", "means", "data"),
    *("variable", "scene", "som_row", "som_col", "window_y", "column", "x", "y", "group", "index"),
    *("distances", "silhouette", "similarity", "frequency", "agreement", "jaccard", *FORMATTED),
]
ROLES = ("south_north", "west_east", "level", "number", "text", "variable", "other")
"""Neutral names: of two sample dims, a feature dim, a coordinate of each, and two variables."""

NEVER_SEEN = {"label"}
"""Refused as soon as samples are chosen; see its own test below."""


def image():
    """Two variables in three clear groups, of which one has levels."""
    rng = np.random.default_rng(0)
    group = np.digitize(np.arange(42), [8, 22]).reshape(6, 7) * 5.0
    return xr.Dataset(
        {
            "variable": (ROLES[:3], rng.normal(size=(6, 7, 4)) + group[..., None]),
            "other": (ROLES[:2], rng.normal(size=(6, 7)) - group),
        },
        {
            "south_north": np.arange(6.0) * 10,
            "west_east": np.arange(7.0),
            "level": np.arange(4.0) + 1,
            "number": ("south_north", np.arange(6) % 2),
            "text": ("level", list("abcd")),
        },
    )


IMAGE = image()
SAMPLERS = {
    "pixels": lambda ds, name: ds.cluster.pixels([name["variable"], name["other"]]),
    "bands": lambda ds, name: ds.cluster.pixels(name["variable"], dim=name["level"]),
    "profiles": lambda ds, name: ds.cluster.profiles(
        name["level"], [name["variable"], name["other"]]
    ),
    "snapshots": lambda ds, name: ds.cluster.snapshots(name["south_north"], name["variable"]),
}
METHODS = {
    "kmeans": lambda samples: samples.kmeans(2),
    "gmm": lambda samples: samples.gmm(2),
    "components": lambda samples: samples.pca(2).kmeans(2),
    "named": lambda samples: samples.kmeans(2).relabel(["near", "far"]),
    "som": lambda samples: samples.som((2, 2)),
    "sweep": lambda samples: samples.kmeans([2, 3]),
}


def told(array, neutral):
    """Dims, values and the user's coordinates of an array, under neutral names."""
    dims = tuple(neutral.get(dim, dim) for dim in array.dims)
    theirs = [name for name, each in array.coords.items() if set(each.dims) <= set(neutral)]
    return dims, array.values, {neutral[name]: array[name].values.tolist() for name in theirs}


def told_of_ours(ds, neutral):
    """The same of each variable of ours, whatever it is called."""
    return [told(array, neutral) for array in ds.data_vars.values()]


def told_of_theirs(ds, neutral):
    """The same of each variable of the user's with its name, and of those of ours among them."""
    variables = {new: old for new, old in neutral.items() if old in ("variable", "other")}
    return [(variables.get(name), told(array, neutral)) for name, array in ds.data_vars.items()]


def told_of_features(features, neutral):
    """The features, whose order follows the names of their dims."""
    dims, values, coords = told(features.rename(component="of ours"), neutral)
    return dims, np.sort(values, axis=0), coords


def told_of_table(fit, neutral):
    frame = fit.to_dataframe()
    theirs = [name for name in frame if name in {*fit.labels.dims, *fit.labels.coords}]
    ours = frame.drop(columns=theirs).select_dtypes("number")
    return {neutral[name]: frame[name].tolist() for name in theirs}, np.sort(ours.values, axis=1)


def told_of_file(fit, ds, neutral, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/a{suffix}"
        fit.save(path)
        alone, whole = xcluster.open(path), xcluster.open(path, data=ds)
        said = [told(each.labels, neutral) for each in (fit, alone, whole)]
        centers = [told_of_theirs(each.centers, neutral) for each in (fit, alone)]
        return said, centers, told(alone.predict(ds), neutral), whole.report().samples.tolist()


def questions(fit, ds, neutral):
    """Each answer by its name; ours are counted, and theirs told by their neutral names."""
    yield "labels", lambda: told(fit.labels, neutral)
    yield "centers", lambda: told_of_theirs(fit.centers, neutral)
    yield "distances", lambda: told(fit.distances, neutral)
    yield "features", lambda: told_of_features(fit.features, neutral)
    yield "back_projection", lambda: told_of_theirs(fit.back_projection(), neutral)
    yield "members", lambda: told_of_theirs(fit.members(0), neutral)
    yield "report", lambda: fit.report()[["samples", "share"]].values
    yield "table", lambda: told_of_table(fit, neutral)
    yield "dataset", lambda: told_of_ours(fit.to_dataset(), neutral)
    yield "predict", lambda: told(fit.predict(ds), neutral)
    yield "silhouette", lambda: told(fit.silhouette, neutral)
    for suffix in (".nc", ".zarr"):
        yield suffix, lambda suffix=suffix: told_of_file(fit, ds, neutral, suffix)
    if fit.is_soft:
        yield "memberships", lambda: told(fit.memberships, neutral)
        yield "both", lambda: told_of_ours(fit.predict(ds, memberships=True), neutral)
        yield "uncertainty", lambda: told_of_ours(fit.uncertainty(n_refits=2), neutral)
    if len(fit.labels.dims) == 1:
        yield "regimes", lambda: told_of_ours(fit.regimes(), neutral)


def answers(sampler, method, name):
    """All answers for data under these names; an error where one is documented."""
    ds = IMAGE.rename({old: new for old, new in name.items() if old != new})
    mask = IMAGE.south_north < 45
    mask = mask.rename(south_north=name["south_north"], number=name["number"])
    weight = xr.DataArray(np.arange(6.0) + 1, dims=name["south_north"])
    samples = SAMPLERS[sampler](ds, name).where(mask)
    samples = samples if method in ("gmm", "named") else samples.weights(weight)
    fit = METHODS[method](samples)
    neutral = {new: old for old, new in name.items()}
    found = {}
    for question, ask in questions(fit, ds, neutral):
        try:
            found[question] = ask()
        except BadValueError as error:
            found[question] = error
    return found


@functools.cache
def expected(sampler, method):
    return answers(sampler, method, dict(zip(ROLES, ROLES, strict=True)))


def assert_same(found, wanted, where):
    if isinstance(wanted, np.ndarray):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5, err_msg=where)
    elif isinstance(wanted, dict):
        assert_same(sorted(found.items()), sorted(wanted.items()), where)
    elif isinstance(wanted, list | tuple):
        assert len(found) == len(wanted), where
        for each, other in zip(found, wanted, strict=True):
            assert_same(each, other, where)
    else:
        assert found == wanted or found is wanted, where


def assert_as_under_neutral_names(sampler, method, name):
    found, wanted = answers(sampler, method, name), expected(sampler, method)
    assert list(found) == list(wanted)
    for question, answer in found.items():
        where = f"{question} of {sampler}().{method}() under the names {name}"
        if isinstance(answer, BadValueError) and not isinstance(wanted[question], BadValueError):
            assert question not in ("labels", "centers", "report", "table", "predict"), where
            assert answer.parameter == "coords", where
            assert answer.value in name.values(), where
            assert answer.remedy.startswith("rename yours"), where
        elif not isinstance(answer, BadValueError):
            assert_same(answer, wanted[question], where)


names = st.lists(
    st.one_of(st.sampled_from(LIKELY), st.sampled_from(WORDS)).filter(
        lambda word: word not in NEVER_SEEN
    ),
    min_size=len(ROLES),
    max_size=len(ROLES),
    unique=True,
)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.sampled_from(list(SAMPLERS)), st.sampled_from(list(METHODS)), names)
def test_answers_are_those_under_neutral_names_or_the_documented_error(sampler, method, words):
    assert_as_under_neutral_names(sampler, method, dict(zip(ROLES, words, strict=True)))


# ------------------------------------------------------------------------------ one name at a time


@pytest.mark.parametrize("chunks", [None, 40])
def test_dims_named_mask_and_weight_neither_hide_nor_weigh_samples(chunks):
    rng = np.random.default_rng(0)
    group = rng.integers(0, 4, (150, 200, 1)) * [3.0, -2.0]
    field = xr.DataArray(group + rng.normal(size=(150, 200, 2)), dims=("y", "x", "band"), name="v")
    field = field if chunks is None else field.chunk(y=chunks, x=chunks)
    for ask in (
        lambda da: da.cluster.pixels(dim="band").kmeans(4),
        lambda da: da.cluster.pixels(dim="band").where(da.isel(band=0) > -4).gmm(4),
        lambda da: da.cluster.pixels(dim="band").weights(abs(da.isel(band=1))).kmeans(4),
    ):
        # Names in the same order, as rows at one place of the first axis stand by their dims.
        plain, named = ask(field), ask(field.rename(x="mask", y="weight"))
        assert plain.record == named.record
        np.testing.assert_array_equal(named.labels.values, plain.labels.values)
        assert named.report().equals(plain.report())


@pytest.mark.parametrize("role", ROLES[:-1])
def test_the_name_label_is_refused_where_samples_are_chosen(role):
    name = {each: "label" if each == role else each for each in ROLES}
    with pytest.raises(ValueError, match=r"^dim='label': .*Rename yours"):
        SAMPLERS["bands"](IMAGE.rename({role: "label"}), name)


def pixels(**names):
    """Samples of two variables over two dims."""
    image = IMAGE.isel(level=0, drop=True).rename(names)
    # Named, as by default a variable whose name ends in "_error" describes another one.
    return image.cluster.pixels(vars=list(image.data_vars))


def test_columns_of_ours_give_way_in_a_table():
    fit = pixels(number="component_0", west_east="membership_1").pca(2).gmm(2)
    frame = fit.to_dataframe()
    assert frame.columns.is_unique
    theirs = ["south_north", "membership_1", "component_0"]
    ours = ["label", "component_0_", "component_1", "membership_0", "membership_1_"]
    assert sorted(frame) == sorted(theirs + ours)
    assert set(frame["component_0"]) == {0, 1}
    features = pixels(variable="membership_0").gmm(2).to_dataframe()
    assert {"membership_0", "membership_0_", "membership_1"} < set(features)


def test_errors_of_the_mean_give_way_to_errors_of_the_users():
    found = pixels(other="variable_error").kmeans(2).back_projection()
    assert list(found) == [
        *("variable", "variable_error"),
        *("variable_error_", "variable_error_error"),
    ]
    plain = pixels().kmeans(2).back_projection()
    for name, neutral in zip(found, plain, strict=True):
        np.testing.assert_allclose(found[name], plain[neutral])


@pytest.mark.parametrize("name", ["component", "feature"])
def test_the_reduced_space_keeps_the_coordinates_of_the_users(name):
    samples = pixels(number=name)
    if name == "component":
        with pytest.raises(ValueError, match=r"^coords='component'.*Rename yours"):
            samples.transform()
    else:
        assert samples.transform()[name].dims == ("south_north",)
    assert samples.kmeans(2).to_dataframe()[name].isin([0, 1]).all()


def test_names_of_labels_give_way_to_a_coordinate_of_the_features():
    samples = SAMPLERS["bands"](IMAGE.rename(text="label_name"), dict.fromkeys(ROLES) | BANDS)
    centers = samples.kmeans(2).relabel(["near", "far"]).centers
    assert centers.label_name.values.tolist() == list("abcd")
    assert centers.label_name_.values.tolist() == ["near", "far"]


BANDS = {"variable": "variable", "level": "level"}


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("name", ["centers", "Model", "manifest", "sweep_k", "centers_0", "row"])
@pytest.mark.filterwarnings("ignore:.*no knee")
def test_files_keep_names_that_groups_and_arrays_of_ours_have(tmp_path, name, suffix):
    fit = pixels(south_north=name).kmeans([2, 3])
    fit.save(tmp_path / f"a{suffix}")
    again = xcluster.open(tmp_path / f"a{suffix}")
    xr.testing.assert_identical(again.labels.compute(), fit.labels)
    xr.testing.assert_identical(again.centers, fit.centers)
    xr.testing.assert_identical(again.sweep.table, fit.sweep.table)
    again.save(tmp_path / f"b{suffix}")
    xr.testing.assert_identical(xcluster.open(tmp_path / f"b{suffix}").labels.compute(), fit.labels)


def test_a_variable_may_have_the_name_that_a_label_map_would_have():
    fit, plain = pixels(other="labels 0").kmeans(2), pixels().kmeans(2)
    np.testing.assert_array_equal(fit.silhouette, plain.silhouette)
    assert fit.scores().equals(plain.scores())


def test_a_cycle_may_be_taken_from_a_field_over_any_dim():
    days = xr.date_range("2001-01-15", periods=48, freq="MS")
    values = np.random.default_rng(0).normal(size=(48, 5))
    field = xr.DataArray(values, {"time": days, "x": np.arange(5.0)}, ("time", "x"), name="v")
    plain = field.cluster.snapshots("time").anomaly("time.month").kmeans(2)
    for name in ("_group", "group", "column"):
        fit = field.rename(x=name).cluster.snapshots("time").anomaly("time.month").kmeans(2)
        np.testing.assert_array_equal(fit.labels, plain.labels)
        np.testing.assert_array_equal(fit.predict(field.rename(x=name)), plain.labels)
