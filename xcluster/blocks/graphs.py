"""What dask computes in one pass: a task per block, and a tree that merges their results."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from operator import itemgetter
from typing import Any

import xarray as xr

from xcluster.blocks.failures import Watched

SPLIT_EVERY = 8

MERGE = "xcluster-merge"
"""What the name of each tree begins with; people see it on dask's dashboard."""


@dataclass(frozen=True, eq=False)
class Tree:
    """A collection of dask with one value: results of blocks, merged a few at a time.

    The results stay what they are: only dask's functions of arrays need arrays.
    """

    key: tuple[Any, ...]
    graph: Any

    @classmethod
    def of(cls, blocks: Sequence[Any], merge: Callable[[Sequence[Any]], Any]) -> Tree:
        """Merge all blocks of these dask arrays, in their order."""
        from dask._task_spec import List, Task, TaskRef
        from dask.base import tokenize
        from dask.core import flatten

        keys = [key for each in blocks for key in flatten(each.__dask_keys__())]
        name = f"{MERGE}-{tokenize(merge, *(each.name for each in blocks))}"
        tasks: dict[Any, Any] = {}
        for level in count():
            groups = [keys[i : i + SPLIT_EVERY] for i in range(0, len(keys), SPLIT_EVERY)]
            keys = [(name, level, i) for i in range(len(groups))]
            for key, group in zip(keys, groups, strict=True):
                tasks[key] = Task(key, merge, List(*map(TaskRef, group)))
            if len(keys) == 1:
                break
        return cls(keys[0], _above(name, tasks, blocks))

    def __dask_graph__(self) -> Any:
        return self.graph

    def __dask_keys__(self) -> list[Any]:
        return [self.key]

    def __dask_layers__(self) -> tuple[str, ...]:
        return (self.key[0],)

    def __dask_postcompute__(self) -> tuple[Callable[[Sequence[Any]], Any], tuple[()]]:
        return itemgetter(0), ()

    @staticmethod
    def __dask_optimize__(graph: Any, keys: Any, **options: Any) -> Any:
        return _optimized(graph, keys, **options)

    @staticmethod
    def __dask_scheduler__(*args: Any, **options: Any) -> Any:
        from dask.threaded import get

        return get(*args, **options)


def _above(name: str, tasks: Mapping[Any, Any], arrays: Sequence[Any]) -> Any:
    """Return the graph of some dask arrays with a layer of tasks above them."""
    from dask.highlevelgraph import HighLevelGraph

    if all(isinstance(each.dask, HighLevelGraph) for each in arrays):
        return HighLevelGraph.from_collections(name, tasks, dependencies=arrays)
    below = {each.name: each.dask for each in arrays}  # with dask's query planning
    needs = {name: set(below), **{each: set[str]() for each in below}}
    return HighLevelGraph({name: tasks, **below}, needs)


def in_one_graph(arrays: Sequence[Any]) -> list[Any]:
    """Return dask arrays that are computed together as a pass is: their blocks as single tasks."""
    from dask.array.core import Array
    from dask.core import flatten
    from dask.highlevelgraph import HighLevelGraph

    keys = [key for each in arrays for key in flatten(each.__dask_keys__())]
    graph = _optimized(HighLevelGraph.merge(*(each.dask for each in arrays)), keys)
    return [Array(graph, each.name, each.chunks, meta=each._meta) for each in arrays]


def together(arrays: Sequence[xr.DataArray]) -> list[xr.DataArray]:
    """Return arrays in memory; a block that several of them need is read once."""
    from dask.base import compute

    return list(compute(*arrays))


def _optimized(graph: Any, keys: Any, **options: Any) -> Any:
    from dask.array.optimization import optimize
    from dask.core import flatten

    found = optimize(graph, keys, **options)
    return fused(found, set(flatten([keys]))) if isinstance(found, dict) else found


def fused(graph: Mapping[Any, Any], kept: Collection[Any]) -> dict[Any, Any]:
    """Return a graph in which each block is one task, with all that only this block needs.

    Dask itself fuses chains, but not what several variables were each cut or masked by. Chunks that
    a task joins stay tasks of their own, so that they are read side by side; so do the keys
    ``kept``. A task that fails says so in a note on its error.
    """
    from dask._task_spec import Task

    groups = defaultdict(list)
    for key, taker in _takers(graph, kept).items():
        groups[taker].append(graph[key])
    return {
        key: _watched(tasks[0] if len(tasks) == 1 else Task.fuse(*tasks, key=key))
        for key, tasks in groups.items()
    }


def _watched(task: Any) -> Any:
    from dask._task_spec import Task

    if type(task) is not Task or _name(task.key).startswith(MERGE):
        return task
    produces = {"_data_producer": task.data_producer}
    return Task(task.key, Watched(task.func, task.key), *task.args, **produces, **task.kwargs)


def _takers(graph: Mapping[Any, Any], kept: Collection[Any]) -> dict[Any, Any]:
    """Return for each task the task of which it becomes a part; often this is itself."""
    needs = {key: task.dependencies & graph.keys() for key, task in graph.items()}
    needed_by = defaultdict(list)
    for key, found in needs.items():
        for each in found:
            needed_by[each].append(key)
    left = {key: len(needed_by[key]) for key in graph}
    ready = [key for key, number in left.items() if not number]
    takers: dict[Any, Any] = {}
    joined = _joined(needs)
    for key in ready:  # grows below: each task comes after all that need it
        candidates = {takers[each] for each in needed_by[key]}
        (taker,) = candidates if len(candidates) == 1 and key not in joined else (key,)
        takers[key] = key if key in kept or _name(taker).startswith(MERGE) else taker
        for each in needs[key]:
            left[each] -= 1
            if not left[each]:
                ready.append(each)
    return takers


def _joined(needs: Mapping[Any, Any]) -> set[Any]:
    """Return the tasks that are chunks of one array beside others which the same task needs."""
    found = set()
    for keys in needs.values():
        times = Counter(map(_name, keys))
        found |= {key for key in keys if times[_name(key)] > 1}
    return found


def _name(key: Any) -> str:
    return str(key[0] if isinstance(key, tuple) else key)
