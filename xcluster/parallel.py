"""Threads for work on blocks: our own pool outside, one BLAS thread inside."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, lru_cache, partial
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


_worker = threading.local()
"""Marks the threads of the pool: one that waited for others of its own pool would wait for ever."""


def _as_worker(function: Callable[[T], R], item: T) -> R:
    _worker.busy = True
    return function(item)


@cache
def _pool(size: int) -> ThreadPoolExecutor:
    """Return a pool that stays: starting threads for each pass took longer than many a pass."""
    return ThreadPoolExecutor(size, thread_name_prefix="xcluster")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_pool.cache_clear)


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


@lru_cache(maxsize=1)
def _loaded(n_modules: int) -> Any:
    """Return the BLAS libraries, looked up (in milliseconds) where modules were imported since."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _limit_blas() -> Any:
    return _loaded(len(sys.modules)).limit(limits=1, user_api="blas").__enter__()


def _lift(limiter: Future[Any]) -> None:
    limiter.result().__exit__(None, None, None)


@cache
def _limiting_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="xcluster-blas")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_limiting_thread.cache_clear)


class _BlasLimit:
    """A limit that several may hold: set by the first, lifted by the last.

    threadpoolctl alone restores what it found, so two overlapping holders would leave the limit
    behind for good. And only the thread that set a limit may lift it, so one thread does both, in
    the order in which it was asked: whoever is interrupted while waiting for it loses nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders: set[object] = set()
        self._limiter: Future[Any] | None = None

    def hold(self, holder: object) -> None:
        with self._lock:
            self._holders.add(holder)
            if self._limiter is None:
                self._limiter = _limiting_thread().submit(_limit_blas)
            limiter = self._limiter
        limiter.result()

    def drop(self, holder: object) -> None:
        """Let go, whether or not ``holder`` came to hold it."""
        with self._lock:
            self._holders.discard(holder)
            if self._holders or self._limiter is None:
                return
            limiter, self._limiter = self._limiter, None
            lifted = _limiting_thread().submit(_lift, limiter)
        lifted.result()


_blas_limit = _BlasLimit()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Limit BLAS to one thread, so that sums do not depend on how many there are."""
    holder = object()
    try:
        _blas_limit.hold(holder)
        yield
    finally:
        _blas_limit.drop(holder)
