"""The one form that every error takes: which parameter, its value, the rule it broke, a remedy."""

from __future__ import annotations

from typing import Any, Self

SHOWN = 160
"""Characters of a value in a message."""


def complaint(parameter: str, value: object, rule: str, remedy: str) -> str:
    """Say which parameter, what it was, which rule it broke and what to do."""
    return f"{parameter}={shown(value)}: {advice(rule, remedy)}"


def advice(rule: str, remedy: str) -> str:
    """Return a rule and a remedy as two sentences."""
    end = "" if remedy.endswith("?") else "."
    return f"{rule}. {remedy[:1].upper()}{remedy[1:]}{end}"


def shown(value: object) -> str:
    """Return a value as text: of large ones the beginning, on one line."""
    text = repr(value)
    if "\n" in text:  # of an array, for example
        text = " ".join(text[: 4 * SHOWN].split())
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


class _Text(str):
    """A value as a message shows it, where the value itself did not travel along."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class BadParameterError(Exception):
    """What is wrong with one parameter; each error of this package is one of these.

    Parameters
    ----------
    parameter
        Its name, as the user typed it.
    value
        What it was; its text alone, once the error has come from another process.
    rule
        What it breaks.
    remedy
        What to do.
    """

    def __init__(self, parameter: str, value: Any, rule: str, remedy: str) -> None:
        super().__init__(complaint(parameter, value, rule, remedy))
        self.parameter, self.value, self.rule, self.remedy = parameter, value, rule, remedy

    @property
    def advice(self) -> str:
        """The rule and the remedy, as two sentences."""
        return advice(self.rule, self.remedy)

    def named(self, parameter: str) -> BadParameterError:
        """Return the same error about a parameter of another name."""
        return type(self)(parameter, self.value, self.rule, self.remedy)

    def __reduce__(self) -> tuple[Any, ...]:
        parts = (self.parameter, _Text(shown(self.value)), self.rule, self.remedy)
        return type(self), parts


class BadValueError(BadParameterError, ValueError):
    """A value that breaks a rule."""


class NotCountsError(BadValueError):
    """Values that are no counts, in one feature.

    Parameters
    ----------
    parameter, value, rule, remedy
        As of any error.
    kind : str
        What the values are.
    column : int
        Where they are.
    """

    kind: str
    column: int

    @classmethod
    def of(cls, parameter: str, kind: str, column: int, where: str) -> Self:
        """Return the error that tells where values are no counts."""
        rule = f"needs counts, but there are {kind} values in {where}"
        remedy = f"give the counts as they were measured, or leave {parameter} out"
        error = cls(parameter, "poisson", rule, remedy)
        error.kind, error.column = kind, column
        return error

    def at(self, feature: str) -> Self:
        """Return the same error with the name of the feature."""
        return self.of(self.parameter, self.kind, self.column, feature)


class TooFewError(BadValueError):
    """Samples, or labels among them, that are fewer than what was asked needs."""


class UnknownNameError(BadValueError, KeyError):
    """A name that a mapping does not have."""

    __str__ = Exception.__str__  # a KeyError would show its message in quotes


class BadTypeError(BadParameterError, TypeError):
    """A value of a type that cannot be used."""


class BadFileError(BadParameterError, OSError):
    """A path that cannot be read or written."""


class MissingFileError(BadFileError, FileNotFoundError):
    """A path where there is nothing."""


class ExistingFileError(BadFileError, FileExistsError):
    """A path where there is something else already."""


class FolderError(BadFileError, IsADirectoryError):
    """The path of a folder where a file is meant."""


class NoFolderError(BadFileError, NotADirectoryError):
    """The path of a file where a folder is meant."""


class ForbiddenFileError(BadFileError, PermissionError):
    """A path that may not be read or written."""


LIKE: dict[type[OSError], type[BadFileError]] = {
    FileNotFoundError: MissingFileError,
    FileExistsError: ExistingFileError,
    IsADirectoryError: FolderError,
    NotADirectoryError: NoFolderError,
    PermissionError: ForbiddenFileError,
}


def like_theirs(kind: type[OSError]) -> type[BadFileError]:
    """Return the error of ours that is also one of a kind of the system's."""
    return next((ours for theirs, ours in LIKE.items() if issubclass(kind, theirs)), BadFileError)
