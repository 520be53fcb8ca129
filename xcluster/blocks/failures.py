"""If a block cannot be read, its own task says so; an error names its variable and its place."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from traceback import walk_tb
from typing import Any

import xarray as xr

from xcluster.base.errors import BadFileError
from xcluster.blocks.block import OURS, inputs_of
from xcluster.grid.layout import Layout

Links = Mapping[Any, Collection[Any]]

PASSING = ("Connect", "Timeout", "MemoryError")
"""What errors that are not of the data have in the name of their class, or of one above it."""

AXES = re.compile(r"(_\.\d+)+$")
"""What dask adds to the name of a layer that is part of another: the axes of that one."""


class Place(str):
    """A note on an error that says which task of dask failed.

    Parameters
    ----------
    task
        The key of the task.
    steps
        The keys of the steps inside this task, from outside to where the error was raised.
    """

    __slots__ = ("steps", "task")
    task: Any
    steps: Sequence[Any]

    @classmethod
    def of(cls, task: Any, error: Exception) -> Place:
        """Return the place where an error was raised that is just being handled."""
        place = cls(f"in the task {task!r}")
        place.task = task
        place.steps = [
            frame.f_locals.get("key")
            for frame, _ in walk_tb(error.__traceback__)
            if frame.f_code.co_name == "execute_graph"  # how dask runs tasks that were fused
        ]
        return place


@dataclass(frozen=True, eq=False)
class Watched:
    """The function of a task, which leaves a note on its errors."""

    function: Callable[..., Any]
    key: Any

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Return the result of the function."""
        try:
            return self.function(*args, **keywords)
        except Exception as error:
            if OURS not in _notes(error):
                error.add_note(Place.of(self.key, error))
            raise


def _notes(error: Exception) -> Sequence[str]:
    return getattr(error, "__notes__", ())


@contextmanager
def named_failures(layout: Layout | None, computed: Iterable[Any]) -> Iterator[None]:
    """If a block cannot be read, raise an error with its variable and its place.

    Nothing is read for this. ``computed`` are the dask arrays that are computed within.
    """
    try:
        yield
    except Exception as error:
        place = next((note for note in _notes(error) if isinstance(note, Place)), None)
        if layout is None or place is None or _passes(error):
            raise
        unreadable = next(_unreadable(layout, computed, place), None)
        if unreadable is None:
            raise
        array, ranges = unreadable
        rule = (
            f"the block [{ranges}] of {array.name!r} cannot be read "
            f"({type(error).__name__}: {error})"
        )
        remedy = "repair or replace it, or select data without it"
        raise BadFileError("vars", array.name, rule, remedy) from error


def _passes(error: Exception) -> bool:
    """Whether an error is of memory or of the network, however the data are."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    ours = "distributed" in type(error).__module__  # such as lost workers
    return ours or any(word in kind for kind in kinds for word in PASSING)


def _unreadable(
    layout: Layout, computed: Iterable[Any], place: Place
) -> Iterator[tuple[xr.DataArray, str]]:
    """Yield the chunks of the user's arrays for which the failed task works, with their ranges."""
    from dask.array.core import slices_from_chunks
    from dask.core import flatten, get_deps

    graph = {key: task for each in computed for key, task in dict(each.dask).items()}
    needs, needed_by = get_deps(graph)
    task = {place.task} & needs.keys()
    around = _reached(task, needs) | _reached(task, needed_by)
    behind = _reached(_failed(place, around or needs.keys()), needed_by)
    for array in (array for scene in layout.scenes for array in inputs_of(scene).arrays):
        if array.chunks is None:
            continue
        keys = flatten(array.data.__dask_keys__())
        for key, where in zip(keys, slices_from_chunks(array.chunks), strict=True):
            if key in behind and (key in around or not around):
                yield array, _ranges(array, where)


def _failed(place: Place, among: Collection[Any]) -> set[Any]:
    """Return the innermost step that failed; a step may be known by its layer alone."""
    by_layer = defaultdict(set)
    for key in among:
        by_layer[key[0] if isinstance(key, tuple) else key].add(key)
    for step in reversed([place.task, *place.steps]):
        layer = AXES.sub("", step) if isinstance(step, str) else None
        found = {step} & set(among) or by_layer.get(layer)
        if found:
            return found
    return set()


def _reached(start: Collection[Any], links: Links) -> set[Any]:
    """Return all keys to which links lead from some keys, and these keys."""
    found, waiting = set(start), list(start)
    while waiting:
        fresh = set(links[waiting.pop()]) & links.keys() - found
        found |= fresh
        waiting += fresh
    return found


def _ranges(array: xr.DataArray, where: Sequence[slice]) -> str:
    pairs = zip(array.dims, where, strict=True)
    return ", ".join(f"{dim} {each.start}:{each.stop}" for dim, each in pairs)
