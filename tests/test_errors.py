"""Errors: which parameter, its value, the rule it broke and a remedy, as attributes and as text."""

import ast
import builtins
import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

import xcluster
from xcluster.base import errors
from xcluster.base.checks import as_typed, blamed, blamed_path, check_choice, check_numbers
from xcluster.base.errors import (
    BadFileError,
    BadParameterError,
    BadTypeError,
    BadValueError,
    MissingFileError,
)

PACKAGE = Path(xcluster.__file__).parent


def kinds(of=BadParameterError):
    """Every class of error that says what is wrong with a parameter."""
    below = [kind for each in of.__subclasses__() for kind in (each, *kinds(each))]
    return list(dict.fromkeys(below))


@pytest.mark.parametrize("kind", kinds())
def test_an_error_keeps_its_parts_and_is_one_that_users_expect(kind):
    error = kind("k", 0, "must be at least 1", "pass k=1 or more")
    assert (error.parameter, error.value) == ("k", 0)
    assert (error.rule, error.remedy) == ("must be at least 1", "pass k=1 or more")
    assert str(error) == "k=0: must be at least 1. Pass k=1 or more."
    assert isinstance(error, ValueError | TypeError | OSError)


@pytest.mark.parametrize("copied", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("kind", kinds())
def test_a_copied_error_has_the_same_parts_whatever_the_value_was(kind, copied):
    error = kind("order", lambda centers: centers, "fails", "did you mean 'size'?")
    other = copied(error)
    assert type(other) is kind
    assert str(other) == str(error)
    assert (other.parameter, other.rule, other.remedy) == ("order", "fails", error.remedy)
    assert repr(other.value) == repr(error.value)


def test_a_question_keeps_its_mark():
    with pytest.raises(BadValueError, match=r"\. Did you mean 'ward'\?$"):
        check_choice("linkage", "wrad", ["ward", "single"])


def test_a_large_value_is_shown_by_its_beginning_on_one_line():
    error = BadValueError("init", np.zeros((300, 300)), "is no start", "leave it out")
    assert str(error).startswith("init=array([[0., 0.")
    assert len(str(error)) < 300
    assert "\n" not in str(error)
    assert error.value.shape == (300, 300)


def test_an_error_about_an_estimator_names_what_the_user_typed():
    with pytest.raises(BadValueError, match="k=9: ") as caught, as_typed({"n_clusters": "k"}):
        raise BadValueError("n_clusters", 9, "is more than the samples", "pass fewer")
    assert caught.value.parameter == "k"
    assert caught.value.__cause__.parameter == "n_clusters"


def test_an_error_about_anything_else_stays_as_it_was():
    error = BadTypeError("tol", "n_clusters=3: ", "must be a number", "pass tol=0.1")
    with pytest.raises(BadTypeError) as caught, as_typed({"n_clusters": "k"}):
        raise error
    assert caught.value is error


def test_what_other_software_says_is_part_of_the_rule():
    with pytest.raises(BadValueError) as caught, blamed("metric", "cos", "choose another"):
        raise RuntimeError("no such\nmetric.")
    assert caught.value.rule == "failed with RuntimeError, no such metric"


def test_what_other_software_says_at_length_is_cut_between_words():
    with pytest.raises(BadValueError) as caught, blamed("metric", "cos", "choose another"):
        raise RuntimeError("one of " + "euclidean, " * 100)
    assert caught.value.rule.endswith("euclidean, (and so on)")
    assert len(caught.value.rule) < 400


def test_an_error_of_ours_is_blamed_on_nothing_else():
    error = BadValueError("k", 0, "must be at least 1", "pass k=1")
    with pytest.raises(BadValueError) as caught, blamed("clusterer", None, "pass another"):
        raise error
    assert caught.value is error


def test_an_interrupt_behind_an_error_stays_one():
    def interrupted():
        raise SystemError("compiled code") from KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt), blamed("clusterer", None, "pass another"):
        interrupted()


@pytest.mark.parametrize(
    ("theirs", "kind"), [(FileNotFoundError, MissingFileError), (OSError, BadFileError)]
)
def test_an_error_of_the_system_is_one_about_the_path_of_the_same_kind(theirs, kind):
    with pytest.raises(theirs) as caught, blamed_path("path", "a.nc"):
        raise theirs(5, "the disk is gone")
    assert type(caught.value) is kind
    assert caught.value.rule == "cannot be used: the disk is gone"


@pytest.mark.parametrize("value", ["1", 1j, np.datetime64("2001"), object(), [[1], [2, 3]]])
def test_what_numpy_would_make_numbers_of_is_refused(value):
    with pytest.raises(BadTypeError, match="weights="):
        check_numbers("weights", value, "pass numbers")


# ----------------------------------------------------------------------------- the whole package

CAUGHT_INSIDE = {
    "algorithms/kernels/lloyd.py",
    "algorithms/parts/warping_metrics.py",
    "export/raster.py",  # of the disk: `files.replacing.beside` names the path
    *(f"files/{name}.py" for name in ("integrity", "serial", "storage", "validity")),
}
"""Files that raise plain errors which no user gets to see."""


def plain_errors():
    """Yield each place that raises an error of Python's own, as (file, line, name)."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            raised = getattr(node, "exc", None) if isinstance(node, ast.Raise) else None
            name = getattr(getattr(raised, "func", raised), "id", "")
            kind = getattr(builtins, name, None)
            if isinstance(kind, type) and issubclass(kind, ValueError | TypeError | OSError):
                yield path.relative_to(PACKAGE).as_posix(), node.lineno, name


def test_no_plain_error_is_raised_for_bad_input():
    found = [place for place in plain_errors() if place[0] not in CAUGHT_INSIDE]
    assert found == []


def test_no_error_class_of_users_lacks_the_parts():
    """Classes of other modules are for inside use alone, and start with what they say."""
    assert {kind.__module__ for kind in kinds()} == {errors.__name__}
