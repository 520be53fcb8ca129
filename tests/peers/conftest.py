"""What the tests of peers expect of pytest, and what we expect of them."""

import re
import types

import numpy as np
import pytest
import sklearn

TABLES_ARE_OF = "1.9."
"""The scikit-learn whose tests the tables name. Of another one, tests may pass in spite of them."""


@pytest.fixture
def global_random_seed():
    return 42


@pytest.fixture
def global_dtype():
    return np.float64


@pytest.fixture(autouse=True)
def own_words(request, monkeypatch):
    """Let the tests that a class lists compare kinds of errors and warnings, not their messages."""
    if _entries(request.node, "worded"):
        wordless = {name: _without_match(getattr(pytest, name)) for name in ("raises", "warns")}
        theirs = types.SimpleNamespace(**vars(pytest) | wordless)
        monkeypatch.setattr(request.cls.module, "pytest", theirs)


def _without_match(expected):
    return lambda *kinds, match=None, **keywords: expected(*kinds, **keywords)


def pytest_collection_modifyitems(items):
    """Expect those tests to fail that a class lists with the reason why it is different.

    Tests of mini-batches are left out; they are parameters of those of k-means.
    """
    strict = sklearn.__version__.startswith(TABLES_ARE_OF)
    for item in [item for item in items if _is_theirs(item)]:
        if "MiniBatchKMeans" in item.name:
            items.remove(item)
        for reason in _entries(item, "different"):
            item.add_marker(pytest.mark.xfail(reason=reason, strict=strict))


def _is_theirs(item):
    return hasattr(getattr(item, "cls", None), "different")


def _entries(item, table):
    """Return the entries of a table of the item's class that are about the item."""
    found = getattr(item.cls, table, {})
    return [found[pattern] for pattern in found if re.match(pattern, item.name)]
