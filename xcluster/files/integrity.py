"""Check that a file holds what was written, before its values are used.

Checksums find changes. Before they are computed, anything that is not safe to read is refused:
devices and pipes, encodings that run code, and arrays larger than the file could hold.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.errors import BadTypeError, BadValueError

GROUPS = ("/", "centers", "scores", "model")
BESIDE = ("manifest", "scenes")
"""Further groups at the root. Every file has the first one."""
APART = "samples"
"""Group of the labels if a name of the user is that of a group; otherwise they lie at the root."""
SLAB_BYTES = 64 * 2**20
CODECS = {"bytes", "crc32c", "vlen-utf8", "zstd"}
MOST_COMPRESSED = {"netcdf4": 1_100, "zarr": 40_000}
"""Bytes of arrays per byte of a file, at most; zlib reaches 1,032 and zstd 32,768."""
ALWAYS_ALLOWED = 2**20

Read = Callable[[Path, str], xr.Dataset]
Checksums = dict[str, str]


def unreadable(path: Path, rule: str) -> BadValueError:
    """Return the error for a file that does not hold what was written."""
    remedy = "save the result again, or use a copy of the file"
    return BadValueError("path", str(path), rule, remedy)


# ------------------------------------------------------------------------------------ checksums


def groups_of(manifest: Mapping[str, Any]) -> list[str]:
    """Return the groups of a file, including those of several scenes."""
    n_scenes = len(manifest.get("scenes") or ())
    apart = [APART] if manifest.get("apart") else []
    return [*GROUPS, *apart, *(scene_group(number) for number in range(n_scenes))]


def scene_group(number: int) -> str:
    """Return the group of a scene; it has a number, as users may give scenes any name."""
    return f"scenes/{number}"


def header_checksums(read: Read, path: Path, groups: Sequence[str]) -> Checksums:
    """Return the SHA-256 of attributes, dims, shape and dtype of each group and variable."""
    found = {}
    for group in groups:
        with read(path, group) as dataset:
            found[group] = hashlib.sha256(_canonical(dataset.attrs)).hexdigest()
            for name, variable in dataset.variables.items():
                form = [list(variable.dims), list(variable.shape), _kind(variable.dtype)]
                header = _canonical(variable.attrs) + json.dumps(form).encode()
                found[f"{group}/{name}"] = hashlib.sha256(header).hexdigest()
    return found


def value_checksums(read: Read, path: Path, groups: Sequence[str]) -> Checksums:
    """Return the SHA-256 of the values of each variable."""
    found = {}
    for group in groups:
        with read(path, group) as dataset:
            for name, variable in dataset.variables.items():
                found[f"{group}/{name}"] = _checksum(variable)
    return found


def _kind(dtype: np.dtype[Any]) -> str:
    """Return the name of a dtype; text has different dtypes in different readers."""
    return "text" if dtype.kind in "OUT" else dtype.str


def _checksum(variable: xr.Variable) -> str:
    digest = hashlib.sha256()
    for slab in _slabs(variable):
        values = np.asarray(slab)
        if values.dtype.kind in "OUT":
            digest.update(json.dumps([str(each) for each in values.ravel()]).encode())
        else:
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _slabs(variable: xr.Variable) -> Iterator[Any]:
    """Read a variable in pieces along its first dim, so that it need not fit into memory."""
    if not variable.ndim or variable.nbytes <= SLAB_BYTES:
        yield variable.values
        return
    thickness = max(SLAB_BYTES * variable.shape[0] // variable.nbytes, 1)
    for start in range(0, variable.shape[0], thickness):
        yield variable[start : start + thickness].values


def _canonical(attrs: Mapping[Any, Any]) -> bytes:
    plain = {str(name): np.asarray(value).tolist() for name, value in attrs.items()}
    return json.dumps(plain, sort_keys=True, default=str).encode()


# ------------------------------------------------------------------------------ manifest and seal


def sealed(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return a manifest as attributes: its text, and the checksum of this text."""
    text = json.dumps(manifest, sort_keys=True, default=_as_plain)
    return {"manifest": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def _as_plain(value: Any) -> Any:
    """Return numbers of numpy or xarray as numbers of Python."""
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "biuf":
        rule = f"is a {type(value).__name__}, which files cannot hold"
        raise BadTypeError("path", value, rule, "pass plain numbers and text to the chain")
    return numbers.tolist()


def checked_manifest(path: Path, read: Read, versions: Sequence[int]) -> dict[str, Any]:
    """Return the manifest, after all checksums are compared."""
    manifest = _unsealed(path, read)
    if manifest.get("format") not in versions:
        known = f"{versions[0]} to {versions[-1]}"
        rule = f"has format {manifest.get('format')!r}, but this version reads {known}"
        raise BadValueError("path", str(path), rule, "update xarray-cluster")
    try:
        groups = groups_of(manifest)
        _check_safe(path, read, groups)
        headers = _difference(manifest["headers"], header_checksums(read, path, groups))
        wrong = headers or _difference(manifest["values"], value_checksums(read, path, groups))
    except Exception as error:  # readers raise many kinds for damaged files
        raise unreadable(path, f"cannot be read to its end ({_said(error)})") from error
    if wrong:
        raise unreadable(path, f"was changed: the checksum of {wrong!r} differs")
    return manifest


def _unsealed(path: Path, read: Read) -> dict[str, Any]:
    try:
        _check_kind(path)
        with read(path, "manifest") as dataset:
            text, seal = str(dataset.attrs["manifest"]), str(dataset.attrs["sha256"])
        if hashlib.sha256(text.encode()).hexdigest() == seal:
            return dict(json.loads(text))
    except Exception as error:  # as above
        rule = f"is not a saved clustering, or is damaged ({_said(error)})"
        raise unreadable(path, rule) from error
    raise unreadable(path, "was changed: the manifest's checksum differs")


def _difference(written: Mapping[str, str], found: Mapping[str, str]) -> str | None:
    """Return the first name whose checksums differ or are missing on one side; None if equal."""
    names = {**written, **found}
    return next((name for name in names if written.get(name) != found.get(name)), None)


class _UnsafeError(ValueError):
    """Something is not safe to read; the text of this error is shown to the user."""


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, _UnsafeError) else type(error).__name__


# ------------------------------------------------------------------------------- the whole file

TRAILER = re.compile(rb"\nxcluster sha256 ([0-9a-f]{64})\n")
TRAILER_BYTES = 82


def add_trailer(path: Path) -> None:
    """Append the checksum of the whole file to a netCDF file; HDF5 ignores it.

    HDF5 may crash or never end when it reads a damaged file, so damage has to be found before.
    """
    digest = _digest(path, path.stat().st_size)
    with path.open("ab") as file:
        file.write(f"\nxcluster sha256 {digest}\n".encode())


def _check_trailer(path: Path) -> None:
    """Compare the checksum of the whole file; it is missing if another program wrote to it."""
    n_bytes = path.stat().st_size - TRAILER_BYTES
    if n_bytes < 0:
        return
    with path.open("rb") as file:
        file.seek(n_bytes)
        found = TRAILER.fullmatch(file.read())
    if found and _digest(path, n_bytes) != found[1].decode():
        raise _UnsafeError("its bytes are not those that were written")


def _digest(path: Path, n_bytes: int) -> str:
    """Return the SHA-256 of the first bytes of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while n_bytes and (piece := file.read(min(n_bytes, 2**20))):
            digest.update(piece)
            n_bytes -= len(piece)
    return digest.hexdigest()


# -------------------------------------------------------------------------------------- safety


def _check_kind(path: Path) -> None:
    """Refuse everything except plain files and folders of them: reading a pipe may never end."""
    if path.suffix != ".zarr":
        _check_plain(path, stat.S_ISREG)
        _check_trailer(path)
        return
    _check_plain(path, stat.S_ISDIR)
    for folder, folders, files in os.walk(path):
        for name in folders:
            if os.path.islink(os.path.join(folder, name)):
                raise _UnsafeError(f"{name!r} is a link to a folder")
        for name in files:
            _check_plain(Path(folder, name), stat.S_ISREG)


def _check_plain(path: Path, is_expected: Callable[[int], bool]) -> None:
    if not is_expected(path.stat().st_mode):
        wanted = "file" if is_expected is stat.S_ISREG else "folder"
        raise _UnsafeError(f"{path.name!r} is not a plain {wanted}")


def _check_safe(path: Path, read: Read, groups: Sequence[str]) -> None:
    """Refuse unknown encodings, and arrays that are too large for the size of the file."""
    stored = path.stat().st_size
    if path.is_dir():
        _check_encodings(path)
        stored = sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    declared = sum(_declared_bytes(read, path, group) for group in groups)
    factor = MOST_COMPRESSED["zarr" if path.is_dir() else "netcdf4"]
    if declared > factor * stored + ALWAYS_ALLOWED:
        raise _UnsafeError(f"its {stored:,} bytes cannot hold arrays of {declared:,} bytes")


def _declared_bytes(read: Read, path: Path, group: str) -> int:
    with read(path, group) as dataset:
        return sum(variable.nbytes for variable in dataset.variables.values())


def _check_encodings(path: Path) -> None:
    for each in path.rglob("zarr.json"):
        for codec in json.loads(each.read_text()).get("codecs", ()):
            if codec["name"] not in CODECS:
                raise _UnsafeError(f"{each.parent.name!r} has the unknown codec {codec['name']!r}")
