"""Every public method takes a bad value as a valid one after all, or refuses it by name."""

import inspect
import os
import warnings
from pathlib import Path

import bad_values
import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from bad_values import NEVER, VALUES, offence
from public_methods import (
    ENTRIES,
    FILE,
    METHODS,
    bound,
    finish,
    get,
    image,
    parameters,
    scene,
)

import xcluster
from xcluster.base import checks
from xcluster.base.errors import BadTypeError, complaint
from xcluster.plot.clustering import ClusteringPlot

pytest.importorskip("torch")  # now, as no import should run into a time limit

EFFORT = ("n_init", "n_iter", "epochs", "n_refits")
"""How much work is wanted: a huge number is a wish, not a mistake."""

PER_METHOD = {"some": 40, "all": 120}
"""About as many calls of each method, shared among its parameters."""

AT_LEAST = {"some": 4, "all": 12}
"""Values that each parameter gets; a method with few parameters gets all of them."""

CASES = [
    (name, parameter, place) for name in METHODS for place, parameter in enumerate(parameters(name))
]


def chosen(name, parameter, place, effort="some"):
    """Names of the values that a parameter gets: others than those of the one before it."""
    n_each = max(PER_METHOD[effort] // len(parameters(name)), AT_LEAST[effort])
    stride = -(-len(VALUES) // n_each)
    names = list(VALUES)[place % stride :: stride]
    return [each for each in names if not (each == "10**9" and parameter in EFFORT)]


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def test_every_public_method_has_an_entry():
    assert set(METHODS) == set(ENTRIES)


def test_every_method_gets_twenty_kinds_of_bad_value():
    for name in METHODS:
        given = {value for case in CASES if case[0] == name for value in chosen(*case)}
        assert len(given) >= 20 or not parameters(name), name


@pytest.mark.parametrize("effort", ["some", pytest.param("all", marks=pytest.mark.large)])
@pytest.mark.parametrize(
    ("name", "parameter", "place"), CASES, ids=[".".join(c[:2]) for c in CASES]
)
def test_a_bad_value_is_refused_by_name_or_works(
    name, parameter, place, effort, tmp_path, monkeypatch
):
    if name.endswith("to_hyperspy"):
        pytest.importorskip("hyperspy")
    monkeypatch.chdir(tmp_path)
    method, given = bound(name), ENTRIES[name].others()
    wrong = {}
    for label in chosen(name, parameter, place, effort):
        arguments = {**given, parameter: VALUES[label]()}
        found = offence(lambda arguments=arguments: finish(method(**arguments)))
        if found is None:
            plt.close("all")
            found = "is taken" if label in NEVER else ""
        if found == "" and plt.get_fignums():
            found = "leaves a figure open"
        if found:
            wrong[label] = found
    assert not wrong, "\n".join(f"{k}: {v}" for k, v in wrong.items())
    assert os.listdir(tmp_path) == [] or parameter in ("path", "folder")


@pytest.mark.parametrize("name", METHODS)
def test_unknown_keywords_are_refused(name):
    found = offence(lambda: bound(name)(**ENTRIES[name].others(), no_such_keyword=1))
    assert not found or "got an unexpected keyword argument 'no_such_keyword'" in found
    assert found is not None


def test_subjects_stay_as_they_were():
    for subject, made in (("scene.cluster", scene), ("image.cluster", image)):
        data = get(subject)._data
        xr.testing.assert_identical(data, made())


# ------------------------------------------------------------------------------------- bad data


def _broken(block):
    raise OSError("the disk is gone")


def _lazy(array, function):
    lazy = da.map_blocks(function, array.chunk({"x": 2}).data, dtype=array.dtype)
    return array.copy(data=lazy)


def _with(array, **where):
    changed = array.copy(deep=True)
    for value, place in where.values():
        changed[place] = value
    return changed


BAD_DATA = {
    "all NaN": lambda d: d * np.nan,
    "one NaN a pixel": lambda d: d.where(d.band > 0),
    "constant": lambda d: d * 0 + 3,
    "zero": lambda d: d * 0,
    "one sample": lambda d: d.isel(y=[0], x=[0]),
    "two samples": lambda d: d.isel(y=[0], x=[0, 1]),
    "no sample": lambda d: d.isel(x=[]),
    "no feature": lambda d: d.isel(band=[]),
    "one feature": lambda d: d.isel(band=[0]),
    "infinite": lambda d: d.where(d.x > 0, np.inf),
    "minus infinite": lambda d: d.where(d.x > 0, -np.inf),
    "huge": lambda d: d * 1e300,
    "tiny": lambda d: d * 1e-300,
    "negative": lambda d: -d - 1,
    "half precision": lambda d: d.astype(np.float16),
    "bool": lambda d: d > 5,
    "bytes": lambda d: d.astype(np.int8),
    "objects": lambda d: d.astype(object),
    "strings": lambda d: d.astype(str),
    "complex": lambda d: d * 1j,
    "dates": lambda d: d.astype("M8[ns]"),
    "coordinate twice": lambda d: d.assign_coords(x=[0.0, 0.0, 1.0, 1.0, 2.0]),
    "coordinate NaN": lambda d: d.assign_coords(x=[0.0, np.nan, 1.0, 2.0, 3.0]),
    "coordinate of text": lambda d: d.assign_coords(x=list("abcde")),
    "dim label": lambda d: d.rename(x="label"),
    "name of a dim": lambda d: d.rename("x"),
    "no name": lambda d: d.rename(None),
    "fill values": lambda d: d.assign_attrs(_FillValue=float(d[0, 0, 0]), missing_value=[1e99, -1]),
    "fill values of any kind": lambda d: d.assign_attrs(_FillValue="none", nodata=[{}, None]),
    "nobody's blocks": lambda d: _lazy(d, _broken),
    "negative block": lambda d: _lazy(d, lambda block: -block - 1),
}

ENDS = {
    "kmeans": lambda s: s.kmeans(2),
    "candidates": lambda s: s.kmeans([2, 3]),
    "gmm": lambda s: s.gmm(2),
    "hac": lambda s: s.hac(2),
    "neighbours": lambda s: s.hac(2, contiguous=True),
    "fuzzy": lambda s: s.fuzzy(2),
    "som": lambda s: s.som((2, 2)),
    "dbscan": lambda s: s.dbscan(),
    "hdbscan": lambda s: s.hdbscan(),
    "sweep": lambda s: s.sweep([2, 3], criteria=["silhouette", "distortion"]),
    "pca": lambda s: s.pca(1).transform().compute(),
    "nmf": lambda s: s.nmf(1).transform().compute(),
    "correlation": lambda s: s.correlation(),
    "balance": lambda s: s.scale(over="variable", balance=True).transform().compute(),
    "anomaly": lambda s: s.anomaly("y.month"),
    **{
        f"scale {how}": lambda s, how=how: s.scale(how).transform().compute()
        for how in ("standard", "robust", "minmax", "max", "norm", "log", "clr", "anscombe")
    },
}


@pytest.mark.parametrize("data", BAD_DATA)
def test_bad_data_are_refused_by_name_or_work(data):
    bad = BAD_DATA[data](image())
    wrong = {}
    for end, act in ENDS.items():
        found = offence(lambda act=act: finish(act(bad.cluster.pixels(dim="band"))))
        if found:
            wrong[end] = found
    if "blocks" in data:  # what the user computes of lazy results is read by dask alone
        assert not {end: each for end, each in wrong.items() if "the disk is gone" not in each}
        return
    for name, act in {
        "profiles": lambda: finish(bad.cluster.profiles("band", step=0.5).kmeans(2)),
        "interpolated": lambda: finish(bad.cluster.profiles("band", missing=0.5).kmeans(2)),
        "snapshots": lambda: finish(bad.cluster.snapshots("y").kmeans(2)),
        "patches": lambda: finish(bad.cluster.patches(2, dims=("y", "x")).kmeans(2)),
        "tiny step": lambda: finish(bad.cluster.profiles("band", step=1e-12).kmeans(2)),
        "predict": lambda: finish(get("curves").predict(bad)),
    }.items():
        found = offence(act)
        if found:
            wrong[name] = found
    assert not wrong, "\n".join(f"{k}: {v}" for k, v in wrong.items())


# ----------------------------------------------------------------------------------- odd results


def _opened(tmp):
    get("fit").save(tmp / "fit.nc")
    return xcluster.open(tmp / "fit.nc")


ODD = {
    "one label": lambda _: get("samples").kmeans(1),
    "noise alone": lambda _: get("samples").dbscan(1e-9),
    "opened without data": _opened,
    "merged into one": lambda _: get("fit").merge([[0, 1, 2]]),
    "nothing above the threshold": lambda _: get("soft").threshold(0.9999),
    "tree": lambda _: get("tree"),
    "windows": lambda _: get("windows"),
    "snapshots": lambda _: get("regimes"),
    "latent": lambda _: get("fit of vae"),
    "one scene of several": lambda _: get("pooled")["one"],
    "one dim": lambda _: scene().isel(x=0).cluster.pixels().kmeans(2),
    "lazy": lambda _: scene().chunk(x=2).cluster.pixels().kmeans(2),
}

GIVEN = {
    "members": {"label": 0},
    "mask": {"labels": [0]},
    "merge": {"groups": [[0]]},
    "match": {"other": None},
    "predict": {"new": scene()},
    "decode": {"z": [0.0, 0.0]},
    "merge_nodes": {"k": 2},
    "threshold": {"u": 0.5},
    "cut": {"k": 2},
    "confusion": {"other": None},
    "uncertainty": {"n_refits": 2},
    "zones": {"by": xr.zeros_like(scene().a, dtype=int)},
    "save": None,
    "to_raster": None,
    "to_tiff": {"path": str(Path(FILE).with_suffix(".tif"))},
    "to_msa": {"folder": str(Path(FILE).parent)},
    "to_hyperspy": None,
    "explore": None,
}


def asked_of(result):
    """Return everything that can be asked of a result, by name."""
    for name, each in inspect.getmembers(type(result)):
        if not name.startswith("_") and isinstance(each, property):
            yield name, lambda name=name: finish(getattr(result, name))
    for owner, subject in ((type(result), result), (ClusteringPlot, result.plot)):
        for name, _ in inspect.getmembers(owner, inspect.isfunction):
            given = GIVEN.get(name, {})
            if not name.startswith("_") and given is not None:
                given = {k: result if k == "other" else v for k, v in given.items()}
                yield name, lambda s=subject, n=name, g=given: finish(getattr(s, n)(**g))


@pytest.mark.parametrize("odd", ODD)
def test_what_an_odd_result_lacks_is_said_by_name(odd, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        result = ODD[odd](tmp_path)
    wrong = {}
    for name, act in asked_of(result):
        found = offence(act)
        if found:
            wrong[name] = found
        plt.close("all")
    assert not wrong, "\n".join(f"{k}: {v}" for k, v in wrong.items())


# ------------------------------------------------------------------------------ the judge itself


def test_the_judge_finds_an_error_of_numpy():
    assert "comes from elsewhere" in offence(lambda: np.zeros(3) + np.zeros(4))


def test_the_judge_finds_a_check_that_is_missing(monkeypatch):
    monkeypatch.setattr("xcluster.fit.selection.check_integer", lambda parameter, value, **_: value)
    assert "comes from elsewhere" in offence(lambda: get("samples").kmeans("3"))


def test_the_judge_finds_a_message_in_another_form(monkeypatch):
    monkeypatch.setattr("xcluster.base.errors.complaint", lambda *parts: "no")
    assert "has another form" in offence(lambda: checks.check_flag("progress", 3))


@pytest.mark.parametrize("remedy", ["", "pass it.", " pass it"])
def test_the_judge_finds_a_remedy_that_makes_no_sentence(monkeypatch, remedy):
    monkeypatch.setattr("xcluster.base.checks.did_you_mean", lambda *_: remedy)
    assert "has another form" in offence(lambda: checks.check_choice("how", "a", ["b"]))


def test_the_judge_finds_an_error_without_its_parts(monkeypatch):
    plain = lambda *parts: TypeError(complaint(*parts))  # noqa: E731
    monkeypatch.setattr("xcluster.base.checks.BadTypeError", plain)
    assert "has no parameter" in offence(lambda: checks.check_flag("progress", 3))


def test_the_judge_finds_an_error_that_another_process_does_not_get(monkeypatch):
    monkeypatch.setattr(BadTypeError, "__reduce__", lambda error: (BadTypeError, ("a",) * 4))
    assert "on its way to another process" in offence(lambda: checks.check_flag("progress", 3))


def test_the_judge_finds_a_warning_that_leaks():
    assert "leaks RuntimeWarning" in offence(lambda: np.float64(1) / np.zeros(1))


@pytest.mark.parametrize(
    ("action", "found"), [("error", "leaks DeprecationWarning"), ("default", None)]
)
def test_the_judge_lets_deprecations_be_where_the_run_does(action, found):
    def old():
        warnings.warn_explicit("is old", DeprecationWarning, "of_others.py", 1)

    with warnings.catch_warnings():
        warnings.simplefilter(action, DeprecationWarning)
        said = offence(old)
    assert said is found or said.startswith(found)


def test_the_judge_finds_a_call_that_hangs(monkeypatch):
    monkeypatch.setattr(bad_values, "SECONDS", 0.05)

    def hang():
        while True:
            pass

    assert "took longer" in offence(hang)
