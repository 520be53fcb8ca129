"""What users see by completion is what the documentation lists, and nothing else."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

import xcluster

REFERENCE = Path(__file__).parents[1] / "docs" / "api.rst"
NOUNS = (
    xcluster.Samples,
    xcluster.Clustering,
    xcluster.Sweep,
    xcluster.PooledSamples,
    xcluster.PooledClustering,
    xcluster.PooledSweep,
)
OF_MAPPINGS = {"get", "items", "keys", "values"}
"""What a result of several scenes has of every mapping; Python's own reference describes it."""


def documented():
    """Every entry of the reference, as it is written there."""
    return set(re.findall(r"^   ([A-Za-z]\w*(?:\.\w+)*)$", REFERENCE.read_text(), re.MULTILINE))


def public(names):
    return {name for name in names if not name.startswith("_")}


def fields(noun):
    """What the constructor takes; the reference shows it as the parameters of the class."""
    return {field.name for field in dataclasses.fields(noun)}


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_every_public_attribute_stands_in_the_reference_and_every_entry_exists(noun):
    entries = {name for name in documented() if name.startswith(f"{noun.__name__}.")}
    methods = public(dir(noun)) - fields(noun) - noun._for_us - OF_MAPPINGS
    assert {f"{noun.__name__}.{name}" for name in methods} == entries


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_completion_of_an_object_leaves_out_what_is_for_the_package_alone(noun):
    listed = set(object.__new__(noun).__dir__())
    assert noun._for_us <= {*dir(noun), *fields(noun)}
    assert listed == set(object.__dir__(object.__new__(noun))) - noun._for_us


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_every_field_is_described_where_the_class_is(noun):
    parameters = inspect.getdoc(noun).split("Parameters\n")[1].split("\n\n")[0]
    described = re.findall(r"^(\w[\w, ]*?)(?: :.*)?$", parameters, re.MULTILINE)
    assert {name for line in described for name in line.split(", ")} == fields(noun)


def test_completion_lists_what_users_call_before_any_of_it_was_used():
    listed = public(dir(xcluster))
    assert listed == public(xcluster.__all__) | {"algorithms", "scores"}
    assert all(hasattr(xcluster, name) for name in listed)


def test_everything_that_the_package_exports_stands_in_the_reference():
    entries = {name.split(".")[0] for name in documented()}
    assert public(xcluster.__all__) <= entries
    # The methods of the accessor stand there as users reach them.
    methods = public(dir(xcluster.ClusterAccessor))
    listed = {name for name in documented() if name.startswith("Dataset.cluster.")}
    assert {f"Dataset.cluster.{name}" for name in methods} == listed


def test_every_top_level_name_of_the_reference_is_exported_and_every_other_can_be_imported():
    for name in documented():
        if name.startswith("Dataset."):
            continue
        first = name.split(".")[0]
        assert "." in name or first in xcluster.__all__, name
        assert hasattr(reached(name), name.split(".")[-1]), name


def reached(name):
    """Import the modules on the way to an entry, and return what holds it."""
    held = xcluster
    for part in name.split(".")[:-1]:
        if not hasattr(held, part):
            __import__(f"{held.__name__}.{part}")
        held = getattr(held, part)
    return held
