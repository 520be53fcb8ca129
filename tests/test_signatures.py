"""A signature names each keyword of a TypedDict."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict, Unpack

import pytest

from xcluster.base.signatures import spelled_out

if TYPE_CHECKING:
    from fractions import Fraction


class Shared(TypedDict, total=False):
    quiet: Annotated[bool, False]


class Keywords(Shared, total=False):
    how: Annotated[Literal["near", "far"], "near"]
    share: Annotated[Fraction | None, None]


class Needed(TypedDict):
    size: int


class Cutter:
    @spelled_out
    def cut(self, k: int, *, deep: bool = True, **keywords: Unpack[Keywords]) -> Fraction:
        """Cut."""
        return dict(keywords) | {"k": k, "deep": deep}

    @spelled_out
    def fill(self, **keywords: Unpack[Needed]) -> None:
        """Fill."""


def test_each_keyword_stands_in_the_signature_with_type_and_default():
    found = inspect.signature(Cutter.cut)
    assert list(found.parameters) == ["self", "k", "deep", "quiet", "how", "share"]
    new = [found.parameters[name] for name in ("quiet", "how", "share")]
    assert [each.default for each in new] == [False, "near", None]
    types = ["bool", "Literal['near', 'far']", "Fraction | None"]
    assert [each.annotation for each in new] == types
    assert {each.kind for each in new} == {inspect.Parameter.KEYWORD_ONLY}
    assert found.return_annotation == "Fraction"


def test_a_bound_method_has_no_self():
    assert str(inspect.signature(Cutter().fill)) == "(*, size: 'int') -> 'None'"


def test_a_call_passes_what_it_is_given_alone():
    assert Cutter().cut(3, how="far") == {"k": 3, "deep": True, "how": "far"}


def test_a_key_without_a_default_has_to_be_given():
    assert inspect.signature(Cutter.fill).parameters["size"].default is inspect.Parameter.empty


def test_a_keyword_that_is_named_already_is_an_error_where_it_is_written():
    with pytest.raises(ValueError, match="duplicate parameter name: 'size'"):

        @spelled_out
        def twice(size: int, **keywords: Unpack[Needed]) -> None:
            """Take one keyword twice."""
