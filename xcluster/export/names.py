"""Names of files and texts that every system and every format can hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from xcluster.base.checks import blamed_path, check_path

T = TypeVar("T")


def plain_text(text: str) -> str:
    """Return text on one line, in ASCII."""
    decomposed = unicodedata.normalize("NFKD", re.sub("[\u00b5\u03bc]", "u", text))
    return " ".join(decomposed.encode("ascii", "ignore").decode().split())


def plain_name(text: str) -> str:
    """Return text as the name of a file; empty if nothing of it can be one."""
    return re.sub(r"\W+", "_", plain_text(text)).strip("_")


def each_in_folder(
    scenes: Mapping[str, T], folder: str | PathLike[str], write: Callable[[T, Path], None]
) -> list[Path]:
    """Write an image of each scene into a folder, named after it; return the files.

    What no file may be called is written as in URLs.
    """
    target = made_folder(folder)
    written = [target / f"{quote(name, safe=' ')}.tif" for name in scenes]
    for path, scene in zip(written, scenes.values(), strict=True):
        write(scene, path)
    return written


def made_folder(folder: str | PathLike[str]) -> Path:
    """Return a folder, which is made if it does not exist."""
    target = check_path("folder", folder)
    with blamed_path("folder", target):
        target.mkdir(exist_ok=True)
    return target
