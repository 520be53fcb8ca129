"""A file is written under another name, and renamed when it is complete: none is half done."""

from __future__ import annotations

import errno
import os
import platform
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xcluster.base.errors import MissingFileError, like_theirs

AT_FDCWD, RENAME_EXCHANGE, RENAME_SWAP = -100, 2, 2
"""Constants of renameat2 (Linux) and renamex_np (macOS)."""

ATTEMPTS, PAUSE = 20, 0.1
"""How often a folder is removed, with seconds between: if one task of a cluster has failed, others
may still write into it. Threads of this process are waited for, in `storage`."""


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to, and rename it to ``path`` when it is complete.

    At any moment there is either the old file or the new one. A killed process leaves a hidden
    file ``.<name>.<host>-<process>-<token>.unfinished``, which the next save removes.
    """
    target = Path(os.path.realpath(path))  # so that a link stays a link
    _check_folder(path)
    _clear(target)
    unfinished = _unfinished(target)
    try:
        yield unfinished
        flush(unfinished)
        _replace(unfinished, target)
    except (OSError, RuntimeError) as error:
        if not _is_of_the_disk(error):
            raise
        kind = type(error) if isinstance(error, OSError) else OSError
        rule = f"cannot be written ({getattr(error, 'strerror', None) or error})"
        remedy = "check space and permissions, or choose another folder"
        raise like_theirs(kind)("path", str(path), rule, remedy) from error
    finally:
        _remove(unfinished)


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` for what is only needed while that is written."""
    unfinished = _unfinished(Path(os.path.realpath(path)))
    try:
        yield unfinished
    finally:
        _remove(unfinished)


def kept_aside(path: Path) -> Path | None:
    """Return the old file if a process was killed after renaming it, otherwise None."""
    return next(path.parent.glob(f".{path.name}.*.old"), None) if path.parent.is_dir() else None


def _unfinished(target: Path) -> Path:
    token = f"{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}"
    return target.with_name(f".{target.name}.{token}.unfinished")


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        rule = f"the folder {str(path.parent)!r} does not exist"
        raise MissingFileError("path", str(path), rule, "create it first")


def _is_of_the_disk(error: Exception) -> bool:
    """Whether writing failed, rather than the computation of the values."""
    if isinstance(error, OSError):
        return error.errno is not None
    return str(error).startswith("NetCDF: ")


def _replace(source: Path, target: Path) -> None:
    if source.is_file() or not target.exists():
        os.replace(source, target)
    elif not _exchange(source, target):
        old = source.with_suffix(".old")
        target.rename(old)
        try:
            source.rename(target)
        except BaseException:
            old.rename(target)
            raise
        _remove(old)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step; return whether the system could."""
    import ctypes

    names = os.fsencode(one), os.fsencode(other)
    try:
        library = ctypes.CDLL(None)
        if sys.platform == "darwin":
            return bool(library.renamex_np(*names, RENAME_SWAP) == 0)
        places = AT_FDCWD, names[0], AT_FDCWD, names[1]
        return bool(library.renameat2(*places, RENAME_EXCHANGE) == 0)
    except (AttributeError, OSError, TypeError):  # another system, or an old one
        return False


def flush(path: Path) -> None:
    """Make sure that a file is on the disk before it replaces another one."""
    if path.is_file():
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def _remove(path: Path) -> None:
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for _ in range(ATTEMPTS):
        try:
            shutil.rmtree(path)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.ENOENT):
                raise
        time.sleep(PAUSE)


def _clear(target: Path) -> None:
    """Remove unfinished files of processes that ran on this machine and have ended."""
    pattern = re.compile(
        rf"\.{re.escape(target.name)}\.{re.escape(platform.node())}-(\d+)-[0-9a-f]+\.unfinished.*"
    )
    for path in target.parent.glob(".*.unfinished*"):
        found = pattern.fullmatch(path.name)
        if found and not _is_running(int(found[1])):
            _remove(path)


def _is_running(process: int) -> bool:
    if os.name != "posix":  # on other systems os.kill could end the process
        return True
    try:
        os.kill(process, 0)
    except OSError as error:  # another user's process may not be asked, but it runs
        return not isinstance(error, ProcessLookupError)
    return True
