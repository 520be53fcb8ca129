"""Bad input: an error that names parameter, value, rule and remedy, and nothing half done."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from sklearn.cluster import AgglomerativeClustering

import xcluster  # noqa: F401  (registers the accessor)
from xcluster.base.errors import BadParameterError


@pytest.fixture(scope="module")
def image():
    """Six bands on a grid of 5 x 4."""
    values = np.random.default_rng(0).normal(size=(6, 5, 4)).astype(np.float32)
    coords = {"band": np.arange(6.0), "y": np.arange(5.0), "x": np.arange(4.0)}
    return xr.DataArray(values, coords, ("band", "y", "x"), name="counts", attrs={"units": "1"})


def pixels(image):
    return image.cluster.pixels(dim="band")


def infinite(image):
    return image.where(image.x > 0, np.inf)


def three_values(image):
    return image.copy(data=np.broadcast_to(np.arange(20).reshape(5, 4) % 3, image.shape) * 1.0)


def unknown_chunks():
    values = da.arange(20.0, chunks=5)
    return xr.DataArray(values[values > 3], dims="x", name="counts")


def both(image):
    return xr.Dataset({"a": image.isel(band=0, drop=True), "b": image.isel(band=1, drop=True)})


ONES = xr.DataArray(np.ones((5, 4)), {"y": np.arange(5.0), "x": np.arange(4.0)}, ("y", "x"))
V, T = ValueError, TypeError

# What is done, the error, and what its message must say: parameter=value, rule, remedy.
CASES = {
    # unknown names, with the nearest
    "variable": (
        lambda d: both(d).rename(a="temperature").cluster.pixels(["temprature"]),
        V,
        ("vars='temprature'", "not a variable", "Did you mean 'temperature'"),
    ),
    "variable that is a coordinate": (
        lambda d: d.cluster.pixels("band"),
        V,
        ("vars='band'", "is a coordinate", "reset_coords"),
    ),
    "no variable": (lambda d: both(d).cluster.pixels([]), V, ("vars=[]", "names no", "each")),
    "variable twice": (
        lambda d: both(d).cluster.pixels(["a", "a"]),
        V,
        ("vars=['a', 'a']", "'a' twice", "once"),
    ),
    "dim": (
        lambda d: d.cluster.profiles("bnad"),
        V,
        ("dim='bnad'", "not a dim", "Did you mean 'band'"),
    ),
    "dim of pixels": (lambda d: d.cluster.pixels(dim="bnd"), V, ("dim='bnd'", "'band'")),
    "dims of pixels": (
        lambda d: d.cluster.pixels(dim=["band", "bnd"]),
        V,
        ("dim='bnd'", "not a dim", "'band'"),
    ),
    "tuple of dims": (
        lambda d: d.cluster.pixels(dim=("band", "y")),
        V,
        ("dim=('band', 'y')", "name of one dim", "dim=['band', 'y']"),
    ),
    "balance without variables": (
        lambda d: pixels(d).scale(balance=True),
        V,
        ("balance=True", "over='feature'", "Pass over='variable'"),
    ),
    "balance without a scale": (
        lambda d: pixels(d).scale("clr", over="variable", balance=True),
        V,
        ("balance=True", "centre and a scale", "how='standard'"),
    ),
    "dim of snapshots": (lambda d: d.cluster.snapshots(), V, ("dim='time'", "not a dim", "'band'")),
    "dim as list": (lambda d: d.cluster.profiles(["band"]), V, ("dim=['band']", "'band'")),
    "dim in every": (
        lambda d: d.cluster.profiles("band", every={"z": 2}),
        V,
        ("every='z'", "not a sample dim", "'y', 'x'"),
    ),
    # empty selections and ranges
    "empty selection": (lambda d: d.isel(x=[]).cluster.pixels(dim="band"), V, ("x=0", "empty")),
    "empty Dataset": (lambda d: xr.Dataset().cluster.pixels(), V, ("vars=None", "no variable")),
    "number": (lambda d: d[0, 0, 0].cluster.pixels(), V, ("vars=None", "no dims", "Name")),
    "between levels": (
        lambda d: d.cluster.profiles("band", between=(1.2, 1.8)),
        V,
        ("between=(1.2, 1.8)", "no level of 'band'", "0.0 to 5.0", "inside"),
    ),
    "between reversed": (
        lambda d: d.cluster.profiles("band", between=(3, 1)),
        V,
        ("between=(3, 1)", "not be above the second", "between=(1.0, 3.0)"),
    ),
    "between NaN": (
        lambda d: d.cluster.profiles("band", between=(np.nan, 1)),
        V,
        ("between=(nan, 1)", "not NaN", "(lowest, highest)"),
    ),
    "between one": (
        lambda d: d.cluster.profiles("band", between=3),
        T,
        ("between=3", "two numbers", "(lowest, highest)"),
    ),
    "between without coordinate": (
        lambda d: d.drop_vars("band").cluster.profiles("band", between=(0, 1)),
        V,
        ("between=(0, 1)", "numbers or dates along 'band'", "assign_coords"),
    ),
    # other parameters of samplers
    "step 0": (lambda d: d.cluster.profiles("band", step=0), V, ("step=0", "above 0", "Pass")),
    "step NaN": (lambda d: d.cluster.profiles("band", step=np.nan), V, ("step=nan", "finite")),
    "step text": (lambda d: d.cluster.profiles("band", step="1"), T, ("step='1'", "number")),
    "levels unsorted": (
        lambda d: d.isel(band=[2, 0, 1]).cluster.profiles("band", step=1),
        V,
        ("dim='band'", "neither rise nor fall", "sortby"),
    ),
    "every 0": (lambda d: d.cluster.profiles("band", every=0), V, ("every=0", "at least 1")),
    "every True": (lambda d: d.cluster.profiles("band", every=True), T, ("every=True", "integer")),
    "missing": (
        lambda d: d.cluster.profiles("band", missing="fill"),
        V,
        ("missing='fill'", "'drop', 'keep', 'interpolate'", "Pass missing="),
    ),
    "missing 0": (lambda d: d.cluster.profiles("band", missing=0), V, ("missing=0", "above 0")),
    "missing 2": (lambda d: d.cluster.profiles("band", missing=2.0), V, ("missing=2.0", "most 1")),
    "seed": (lambda d: d.cluster.pixels(random_state=-1), V, ("random_state=-1", "at least 0")),
    "seed text": (
        lambda d: pixels(d).kmeans(2, random_state="a"),
        T,
        ("random_state='a'", "integer"),
    ),
    # incomplete and infinite
    "all incomplete": (
        lambda d: both(d).assign(b=np.nan * d[0]).cluster.pixels().kmeans(2),
        V,
        ("vars=['a', 'b']", "all 20 samples are incomplete", "'b' lacks values in 20", "Leave"),
    ),
    "infinite": (
        lambda d: pixels(infinite(d)).kmeans(2),
        V,
        ("vars='counts'", "infinite values at 5 of 20", "np.isfinite"),
    ),
    "infinite, chunked": (
        lambda d: pixels(infinite(d).chunk(x=2)).kmeans(2),
        V,
        ("vars='counts'", "infinite values at 5 of 20", "np.isfinite"),
    ),
    "infinite, resampled": (
        lambda d: infinite(d).cluster.profiles("band", step=0.5).kmeans(2),
        V,
        ("vars='counts'", "infinite values at 5 of 20", "np.isfinite"),
    ),
    # k
    "k above grid": (lambda d: pixels(d).kmeans(21), V, ("k=21", "20 grid points", "smaller")),
    "k above samples": (
        lambda d: pixels(d.where(d.x < 1)).kmeans(7),
        V,
        ("k=7", "distinct rows", "5 rows", "fewer"),
    ),
    "k above distinct samples": (
        lambda d: pixels(three_values(d)).kmeans(5),
        V,
        ("k=5", "3 distinct rows", "fewer"),
    ),
    "k above distinct samples, chunked": (
        lambda d: pixels(three_values(d).chunk(x=2)).kmeans(5),
        V,
        ("k=5", "3 distinct rows", "fewer"),
    ),
    **{
        f"k={k!r} in {method}": (
            lambda d, k=k, method=method: getattr(pixels(d), method)(k),
            V if type(k) is int else T,
            (f"k={k!r}", "an integer of at least 1", "Pass k="),
        )
        for k in (0, -2, 2.0, True, "3")
        for method in ("kmeans", "gmm")
    },
    "no candidates": (lambda d: pixels(d).kmeans([]), V, ("ks=[]", "empty", "range(2, 21)")),
    "candidate": (lambda d: pixels(d).kmeans([2, 2.5]), T, ("k=2.5", "integer")),
    "candidates": (lambda d: pixels(d).sweep([30, 40]), V, ("ks=[30, 40]", "20 samples", "small")),
    "n_clusters": (lambda d: pixels(d).kmeans(n_clusters=3), T, ("n_clusters=3", "Pass k=3")),
    "n_components": (lambda d: pixels(d).gmm(n_components=3), T, ("n_components=3", "Pass k=3")),
    "keyword": (lambda d: pixels(d).kmeans(2, n_int=1), T, ("n_int=1", "Did you mean 'n_init'")),
    "n_init": (lambda d: pixels(d).kmeans(2, n_init=0), V, ("n_init=0", "at least 1")),
    "metric": (lambda d: pixels(d).kmeans(2, metric="cos"), V, ("metric='cos'", "'dtw'")),
    "covariance": (
        lambda d: pixels(d).gmm(2, covariance_type="ful"),
        V,
        ("covariance_type='ful'", "one of", "Did you mean 'full'"),
    ),
    "order": (lambda d: pixels(d).kmeans(2, order="a"), V, ("order='a'", "'size'", "Pass order")),
    "order of arrays": (
        lambda d: pixels(d).kmeans(2, order=lambda centers: centers),
        V,
        ("order=", "one number for each of the 2 labels", "Average over the other dims"),
    ),
    "fit_on": (lambda d: pixels(d).kmeans(2, fit_on="a"), V, ("fit_on='a'", "'all'", "Pass")),
    "attrs": (lambda d: pixels(d).kmeans(2, attrs={"a": {}}), T, ("attrs='a'", "text", "Turn")),
    "attrs text": (lambda d: pixels(d).kmeans(2, attrs="a"), T, ("attrs='a'", "mapping", "Pass")),
    "no criterion": (
        lambda d: pixels(d).sweep([2, 3], criteria=[]),
        V,
        ("criteria=[]", "empty", "Pass"),
    ),
    "criterion": (
        lambda d: pixels(d).sweep([2, 3], criteria="silhouete"),
        V,
        ("criteria='silhouete'", "Did you mean 'silhouette'"),
    ),
    "criterion of others": (
        lambda d: pixels(d).sweep([2, 3], criteria="bic"),
        V,
        ("criteria='bic'", "one of"),
    ),
    "method": (lambda d: pixels(d).sweep(method="kmean"), V, ("method='kmean'", "'kmeans'")),
    "clusterer": (lambda d: pixels(d).fit(3), T, ("clusterer=3", "fit_predict", "instance")),
    # steps
    "negative under nmf": (lambda d: pixels(d).nmf(2).kmeans(2), V, ("egative", "NMF", "Leave")),
    "negative under log": (
        lambda d: pixels(d).scale("log").kmeans(2),
        V,
        ("how='log'", "above 0", "mask"),
    ),
    "zero under clr": (
        lambda d: pixels(d * 0).scale("clr").kmeans(2),
        V,
        ("how='clr'", "above 0", "mask"),
    ),
    "components of pca": (lambda d: pixels(d).pca(20).kmeans(2), V, ("n=20", "1 to 6", "6 comp")),
    "components of nmf": (lambda d: pixels(abs(d)).nmf(20).kmeans(2), V, ("n=20", "most 6", "Ask")),
    "pca 0": (lambda d: pixels(d).pca(0), V, ("n=0", "at least 1", "fraction")),
    "pca 1.5": (lambda d: pixels(d).pca(1.5), T, ("n=1.5", "integer", "fraction")),
    "scaling": (lambda d: pixels(d).scale("z"), V, ("how='z'", "'standard'")),
    "over": (lambda d: pixels(d).scale(over="vars"), V, ("over='vars'", "'variable'")),
    "over behind pca": (
        lambda d: pixels(d).pca(2).scale(over="variable"),
        V,
        ("over='variable'", "mixed", "before pca()"),
    ),
    "transformer": (lambda d: pixels(d).then(3), T, ("transformer=3", "fit and tr", "instance")),
    "loadings of nothing": (lambda d: pixels(d).loadings(), V, ("steps=[]", "components_", "pca")),
    # kinds of data
    "complex": (lambda d: pixels(d * 1j), V, ("vars=None", "'counts' has dtype complex")),
    "complex, named": (
        lambda d: (d * 1j).cluster.pixels("counts", dim="band"),
        T,
        ("vars='counts'", "complex", "real numbers", "abs()"),
    ),
    "objects": (
        lambda d: d.astype(object).cluster.pixels("counts", dim="band"),
        T,
        ("vars='counts'", "object", "real numbers", "Encode"),
    ),
    "strings": (
        lambda d: d.astype(str).cluster.pixels("counts", dim="band"),
        T,
        ("vars='counts'", "<U", "real numbers", "Encode"),
    ),
    "dates": (
        lambda d: d.astype("M8[ns]").cluster.pixels("counts", dim="band"),
        T,
        ("vars='counts'", "datetime64", "a number"),
    ),
    "dim label": (lambda d: pixels(d.rename(x="label")), V, ("dim='label'", "results", "rename")),
    "feature dim label": (
        lambda d: d.rename(band="label").cluster.pixels(dim="label"),
        V,
        ("dim='label'", "results", "rename"),
    ),
    "coordinate label": (
        lambda d: pixels(d.assign_coords(label=("x", range(4)))),
        V,
        ("dim='label'", "results", "rename"),
    ),
    "unknown chunks": (
        lambda d: unknown_chunks().cluster.pixels(),
        V,
        ("vars='counts'", "unknown chunk sizes", "compute_chunk_sizes()"),
    ),
    # masks and weights
    "mask of other coordinates": (
        lambda d: pixels(d).where(ONES.assign_coords(x=range(1, 5)) > 0),
        V,
        ("mask='mask'", "lacks some values of 'x'", "Reindex"),
    ),
    "mask of another size": (
        lambda d: pixels(d).where(xr.DataArray(np.ones(3, bool), dims="x")),
        V,
        ("mask='mask'", "3 points along 'x'", "4", "grid"),
    ),
    "mask of other dims": (
        lambda d: pixels(d).where(ONES.rename(x="lon") > 0),
        V,
        ("mask='mask'", "dim 'lon'", "['y', 'x']", "Select one entry of that dim"),
    ),
    "mask of numbers": (lambda d: pixels(d).where(ONES), T, ("mask=", "of bool", "Compare")),
    "mask of numpy": (lambda d: pixels(d).where(np.ones(3, bool)), T, ("mask=", "DataArray")),
    "mask of unknown chunks": (
        lambda d: d[0, 0].cluster.pixels().where(unknown_chunks() > 0),
        V,
        ("unknown chunk sizes", "compute_chunk_sizes()"),
    ),
    "mask that leaves nothing": (
        lambda d: pixels(d).where(ONES > 1).kmeans(2),
        V,
        ("where='mask'", "all 20 points", "Check"),
    ),
    **{
        f"weights of {value}": (
            lambda d, value=value: pixels(d).weights(ONES.where(ONES.x > 0, value)).kmeans(2),
            V,
            (f"weights={value}", "finite numbers of at least 0", "fillna"),
        )
        for value in (np.nan, -1.0, np.inf)
    },
    "weights of NaN, chunked": (
        lambda d: pixels(d.chunk(x=2)).weights(ONES * np.nan).kmeans(2),
        V,
        ("weights=nan", "finite numbers of at least 0", "fillna"),
    ),
    "weights of 0": (
        lambda d: pixels(d).weights(0 * ONES).kmeans(2),
        V,
        ("weights='all 0'", "all 20 points", "weights"),
    ),
    "weights of text": (lambda d: pixels(d).weights("aera"), V, ("weights='aera'", "'area'")),
    "weights of numpy": (lambda d: pixels(d).weights(np.ones(3)), T, ("weights=", "DataArray")),
    "weights of strings": (lambda d: pixels(d).weights(ONES.astype(str)), T, ("weights=", "num")),
    "weights on another grid": (
        lambda d: pixels(d).weights(ONES.isel(x=[0])),
        V,
        ("weights='weights'", "lacks some", "Reindex"),
    ),
    "area without latitude": (
        lambda d: pixels(d).weights("area"),
        V,
        ("weights='area'", "latitude", "degrees_north"),
    ),
    "weights that nobody takes": (
        lambda d: pixels(d).weights(ONES).fit(AgglomerativeClustering(2)),
        V,
        ("weights=", "takes no weights", "Leave them out"),
    ),
}


def check_parts(error, parts):
    """Assert that a message says these parts, and the error has each by its name, too."""
    assert isinstance(error, BadParameterError)
    assert str(error).startswith(f"{error.parameter}=")
    assert f": {error.rule}. " in str(error)
    assert error.remedy[1:] in str(error)
    for part in parts:
        assert part in str(error)


@pytest.mark.parametrize("case", CASES)
def test_bad_questions_are_refused_with_parameter_value_rule_and_remedy(image, case):
    act, error, parts = CASES[case]
    before = image.copy(deep=True)
    with pytest.raises(error) as caught:
        act(image)
    check_parts(caught.value, parts)
    xr.testing.assert_identical(image, before)


# ------------------------------------------------------------------------------- of a result


@pytest.fixture(scope="module")
def fit(image):
    return both(image).cluster.pixels().kmeans(3)


@pytest.fixture(scope="module")
def soft(image):
    return both(image).cluster.pixels().gmm(2, covariance_type="diag")


@pytest.fixture(scope="module")
def columns(image):
    return image.cluster.profiles("band").kmeans(3)


RESULTS = {
    "variables missing": (
        lambda fit, d: fit.predict(both(d)[["a"]].rename(a="bb")),
        V,
        ("new=", "'a' is missing", "'b' is missing", "did you mean 'bb'", "Rename"),
    ),
    "other units": (
        lambda fit, d: fit.predict(both(d.assign_attrs(units="km"))),
        V,
        ("new=", "'a' has the units 'km', not '1'", "'b' has the units", "Rename"),
    ),
    "no xarray": (lambda fit, d: fit.predict(np.ones(3)), T, ("new='ndarray'", "Dataset", "Wrap")),
    "memberships": (lambda fit, d: fit.memberships, V, ("'kmeans'", "memberships", "fuzzy")),
    "threshold": (lambda fit, d: fit.threshold(0.5), V, ("'kmeans'", "threshold", "fuzzy")),
    "too few names": (lambda fit, d: fit.relabel(["a"]), V, ("names=['a']", "3 labels", "mapping")),
    "names of a number": (lambda fit, d: fit.relabel(3), V, ("names=3", "3 labels", "mapping")),
    "a name twice": (lambda fit, d: fit.relabel(["a", "a", "b"]), V, ("'a'", "twice", "merge()")),
    "names of no label": (lambda fit, d: fit.relabel({7: "a"}), V, ("names=", "7", "0 to 2")),
    "no colour": (lambda fit, d: fit.relabel(colors=["r", "g", "reed"]), V, ("colors='reed'", "#")),
    "merge of no label": (lambda fit, d: fit.merge([[0, 3]]), V, ("label=3", "0 to 2", "Choose")),
    "merge twice": (lambda fit, d: fit.merge([[0, 1], [1, 2]]), V, ("groups=", "twice", "one gr")),
    "merge of numbers": (lambda fit, d: fit.merge([0, 1]), T, ("groups=[0, 1]", "[[0, 1]]")),
    "match of nothing": (lambda fit, d: fit.match(3), T, ("other='int'", "DataArray", "Pass")),
    "match on another grid": (
        lambda fit, d: fit.match(fit.labels.isel(x=[0, 1])),
        V,
        ("other='label'", "x: 2", "x: 4", "eindex"),
    ),
    "match of other dims": (
        lambda fit, d: fit.match(fit.labels[0]),
        V,
        ("other='label'", "lies on x: 4", "on the same grid"),
    ),
    "members of no label": (lambda fit, d: fit.members(5), V, ("label=5", "0 to 2", "Choose")),
    "members of no name": (lambda fit, d: fit.members("a"), V, ("label='a'", "label_0", "Choose")),
    "members of a float": (lambda fit, d: fit.members(1.0), T, ("label=1.0", "integer")),
    "suffix": (lambda fit, d: fit.save("a.csv"), V, ("path='a.csv'", ".zarr", "a.nc")),
    "folder": (
        lambda fit, d: fit.save("nowhere/a.nc"),
        FileNotFoundError,
        ("path='nowhere/a.nc'", "does not exist", "Create"),
    ),
}


@pytest.mark.parametrize("case", RESULTS)
def test_results_refuse_what_they_cannot_do(fit, image, case):
    act, error, parts = RESULTS[case]
    with pytest.raises(error) as caught:
        act(fit, image)
    check_parts(caught.value, parts)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (
            lambda d: d.assign_coords(band=d.band + 1),
            (
                "new='DataArray'",
                "other values of 'band'",
                "step=, which accepts other levels of 'band'",
            ),
        ),
        (
            lambda d: d.isel(band=[0, 1]),
            ("new='DataArray'", "2 points along 'band', not 6", "step="),
        ),
        (lambda d: both(d)[["a"]], ("new='Dataset'", "'counts' is missing")),
        (lambda d: d.rename(band="energy"), ("dim='band'", "not a dim", "'energy'")),
        (lambda d: d.isel(x=[]), ("x=0", "empty")),
        (lambda d: d.rename(x="label"), ("dim='label'", "rename")),
    ],
)
def test_predict_refuses_other_features(columns, image, change, parts):
    with pytest.raises(ValueError, match="=") as caught:
        columns.predict(change(image))
    check_parts(caught.value, parts)


@pytest.mark.parametrize(("u", "error"), [(1, V), (-0.1, V), (np.nan, V), ("a", T), (True, T)])
def test_a_threshold_lies_from_0_to_below_1(soft, u, error):
    for ask in (soft.threshold, soft.back_projection):
        with pytest.raises(error, match="u="):
            ask(u)


def test_units_that_are_missing_pass(fit, image):
    assert fit.predict(both(image).drop_attrs()).notnull().all()


# ------------------------------------------------------------------------------ only warnings


def test_constant_features_are_kept_as_0_and_warned(image):
    flat = image.copy()
    flat[2] = 7
    with pytest.warns(UserWarning, match="no spread in 1 of 6 features"):
        Z = pixels(flat).scale("standard").transform()
    assert (Z[2] == 0).all()


def test_candidates_above_the_distinct_samples_are_left_out_with_a_warning(image):
    with (
        pytest.warns(UserWarning, match="from k=4 on were left out: .*3 distinct rows"),
        pytest.warns(UserWarning, match="has no knee"),
    ):
        fit = pixels(three_values(image)).kmeans(None)
    assert fit.sweep.table.k.values.tolist() == [2, 3]


def test_infinities_outside_the_mask_do_not_matter(image):
    assert pixels(infinite(image)).where(ONES.x > 0).kmeans(2).k == 2
