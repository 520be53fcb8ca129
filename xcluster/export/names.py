"""Names of files and texts that every system and every format can hold."""

from __future__ import annotations

import re
import unicodedata
from os import PathLike
from pathlib import Path

from xcluster.base.checks import blamed_path, check_path


def plain_text(text: str) -> str:
    """Return text on one line, in ASCII."""
    decomposed = unicodedata.normalize("NFKD", re.sub("[\u00b5\u03bc]", "u", text))
    return " ".join(decomposed.encode("ascii", "ignore").decode().split())


def plain_name(text: str) -> str:
    """Return text as the name of a file; empty if nothing of it can be one."""
    return re.sub(r"\W+", "_", plain_text(text)).strip("_")


def made_folder(folder: str | PathLike[str]) -> Path:
    """Return a folder, which is made if it does not exist."""
    target = check_path("folder", folder)
    with blamed_path("folder", target):
        target.mkdir(exist_ok=True)
    return target
