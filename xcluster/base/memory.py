"""Fits that would need more memory than is free, refused before they begin."""

from __future__ import annotations

import math
import os
from pathlib import Path

from xcluster.base.errors import BadValueError

SMALL = 2**28
"""Bytes that are always there."""

OF_SYSTEM = Path("/proc/meminfo")
OF_CONTAINER = Path("/sys/fs/cgroup/memory.max")


def free_memory() -> float:
    """Return how many bytes a fit may use; all of the machine's if the system does not say more."""
    return min(_available(), _limit())


def _available() -> float:
    try:
        lines = OF_SYSTEM.read_text().splitlines()
        found = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(found.split()[1]) * 1024
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        return math.inf


def _limit() -> float:
    """Return what a container may use."""
    try:
        return int(OF_CONTAINER.read_text())
    except (OSError, ValueError):  # none, or "max"
        return math.inf


def check_memory(parameter: str, value: object, needed: float, what: str, remedy: str) -> None:
    """Refuse a fit that needs more bytes than are free, for ``what``."""
    free = free_memory() if needed > SMALL else math.inf
    if needed > free:
        rule = f"needs about {_size(needed)} of memory for {what}, and {_size(free)} are free"
        raise BadValueError(parameter, value, rule, remedy)


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:,.3g} GB" if n_bytes < 1e12 else f"{n_bytes / 1e9:,.0f} GB"
