"""Tasks that a cluster of dask computes again if they fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from xcluster.base.checks import check_integer
from xcluster.base.errors import BadValueError


@contextmanager
def retrying(retries: int) -> Iterator[None]:
    """Let each task that fails be computed again, up to ``retries`` times.

    Raises
    ------
    ValueError
        If no cluster computes: the schedulers within this process compute nothing again.
    """
    if not check_integer("retries", retries, minimum=0):
        yield
        return
    from dask.base import annotate, get_scheduler

    client = getattr(get_scheduler(), "__self__", None)
    if client is None or not type(client).__module__.startswith("distributed"):
        rule = "needs a cluster of dask.distributed: threads of this process compute nothing again"
        remedy = "call distributed.Client() first, or leave retries out"
        raise BadValueError("retries", retries, rule, remedy)
    with annotate(retries=retries):
        yield
