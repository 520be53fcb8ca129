"""Threads for work on blocks: our own pool outside, one BLAS thread inside."""

from __future__ import annotations

import os
import sys
import threading
from _thread import start_new_thread
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache, lru_cache, partial
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def n_threads() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_threads(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Apply ``function`` to each item in a pool of threads; results keep the items' order."""
    items = list(items)
    with single_threaded_blas():
        if len(items) < 2 or n_threads() < 2 or getattr(_worker, "busy", False):
            return [function(item) for item in items]
        return list(_pool(n_threads()).map(partial(_as_worker, function), items))


def row_blocks(n_rows: int, size: int) -> list[slice]:
    """Return the slices that cut rows into blocks of a fixed size."""
    return [slice(start, start + size) for start in range(0, n_rows, size)]


def map_rows(function: Callable[[Any], R], X: Any, size: int) -> list[R]:
    """Apply ``function`` to each block of ``size`` rows of an array, as `map_threads` does."""
    return map_threads(lambda rows: function(X[rows]), row_blocks(len(X), size))


_worker = threading.local()
"""Marks the threads of the pool: one that waited for others of its own pool would wait for ever."""


def _as_worker(function: Callable[[T], R], item: T) -> R:
    _worker.busy = True
    return function(item)


@cache
def _pool(size: int) -> ThreadPoolExecutor:
    """Return a pool that stays: to start threads for each pass often took longer than the pass."""
    return ThreadPoolExecutor(size, thread_name_prefix="xcluster")


def each_in_threads(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield ``function`` of each item, in their order, while threads work on the next ones.

    What was not begun when the caller stops (or is interrupted) is never computed.
    """
    with single_threaded_blas():
        if n_threads() < 2 or getattr(_worker, "busy", False):
            yield from (function(item) for item in items)
            return
        pool = _pool(n_threads())
        futures = [pool.submit(_as_worker, function, item) for item in items]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


@contextmanager
def joined_threads() -> Iterator[None]:
    """Let an error leave dask's scheduler of threads only when all tasks that run have ended.

    Dask leaves them running. Whoever writes a file would close it then, or remove it, while they
    still write to it. Other schedulers, and pools that the user set up, are left as they are.
    """
    import dask
    from dask.base import get_scheduler
    from dask.threaded import get

    if get_scheduler() not in (None, get) or dask.config.get("pool", None) is not None:
        yield
        return
    size = dask.config.get("num_workers", None) or n_threads()

    def get_joined(graph: Any, keys: Any, **options: Any) -> Any:
        with _TaskThreads(size) as pool:
            return get(graph, keys, pool=pool, **options)

    with dask.config.set(scheduler=get_joined):
        yield


class _TaskThreads(ThreadPoolExecutor):
    """Threads that see the context variables of the thread which hands them tasks, as dask's do."""

    def submit(self, *call: Any, **keywords: Any) -> Any:
        return super().submit(copy_context().run, *call, **keywords)


@lru_cache(maxsize=1)
def _loaded(n_modules: int) -> Any:
    """Return the BLAS libraries; looked up, in milliseconds, once modules have been imported."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _limit_blas() -> Any:
    return _loaded(len(sys.modules)).limit(limits=1, user_api="blas").__enter__()


class _BlasLimit:
    """A limit that several may hold: set for the first, lifted after the last.

    threadpoolctl alone restores what it found, so two holders whose times overlap would leave the
    limit set for good. And only the thread that set a limit may lift it, so one thread of ours
    does both.

    Ctrl-C may interrupt those who ask that thread at any moment. So a holder only enters its name
    in a set, or takes it out, which may be repeated without harm. Requests and answers go through
    queues, which no interruption leaves half written, as it would the executors and conditions of
    the standard library.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin anew: threads do not survive a fork."""
        self._holders: set[object] = set()
        self._limited = False
        self._asked: SimpleQueue[SimpleQueue[BaseException | None]] = SimpleQueue()
        self._served = threading.Lock()

    def hold(self, holder: object) -> None:
        self._holders.add(holder)
        if not self._limited:
            self._settle()

    def drop(self, holder: object) -> None:
        """Let go, whether or not ``holder`` came to hold it."""
        self._holders.discard(holder)
        if not self._holders:
            self._settle()

    def _settle(self) -> None:
        """Have the limit set if somebody holds it, and lifted if nobody does."""
        if not self._served.locked():
            start_new_thread(self._serve, ())
        answer: SimpleQueue[BaseException | None] = SimpleQueue()
        self._asked.put(answer)
        error = answer.get()
        if error is not None:
            raise error

    def _serve(self) -> None:
        if not self._served.acquire(blocking=False):
            return  # another thread serves already
        limiter = None
        while True:
            answer, error = self._asked.get(), None
            try:
                # Set to False before the holders are read, so that whoever enters later asks again.
                self._limited = False
                if self._holders and limiter is None:
                    limiter = _limit_blas()
                elif not self._holders and limiter is not None:
                    limiter.__exit__(None, None, None)
                    limiter = None
                self._limited = limiter is not None
            except BaseException as raised:  # raised where it was asked; the next one asks again
                error = raised
            answer.put(error)


_blas_limit = _BlasLimit()

if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_pool.cache_clear)
    os.register_at_fork(after_in_child=_blas_limit.begin)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Limit BLAS to one thread, so that sums do not depend on how many there are."""
    holder = object()
    try:
        _blas_limit.hold(holder)
        yield
    finally:
        try:
            _blas_limit.drop(holder)
        except BaseException:  # Ctrl-C while waiting
            _blas_limit.drop(holder)
            raise
