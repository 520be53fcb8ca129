"""Trees of Datasets on disk: written beside their place, sealed, and checked when read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xcluster.checks import complaint

GROUPS = ("/", "centers", "scores", "model")
SLAB_BYTES = 64 * 2**20


def write(
    path: Path,
    groups: Mapping[str, xr.Dataset],
    manifest: Mapping[str, Any],
    failures: AbstractContextManager[Any],
) -> None:
    """Write groups and a manifest; a file of that name is replaced once the new one is whole.

    Values are computed within ``failures``, which may say more of what fails.
    """
    write_tree, read = engine(path)
    tree = xr.DataTree.from_dict({name: _writable(group) for name, group in groups.items()})
    with _beside(path) as unfinished:
        with failures:
            write_tree(tree, unfinished)
        text = json.dumps({**manifest, "sha256": _checksums(read, unfinished)}, sort_keys=True)
        seal = hashlib.sha256(text.encode()).hexdigest()
        _write_manifest(xr.Dataset(attrs={"manifest": text, "sha256": seal}), unfinished)


def engine(path: Path) -> tuple[Any, Any]:
    """Return how a tree is written, and how one of its groups is read as it is stored."""
    if path.suffix == ".zarr":
        return _write_zarr, partial(_read_raw, engine="zarr")
    if path.suffix in (".nc", ".nc4"):
        return _write_netcdf, partial(_read_raw, engine="netcdf4")
    rule = "must end in .nc (netCDF) or .zarr (Zarr)"
    raise ValueError(complaint("path", str(path), rule, f"save to {path.stem}.nc"))


def _write_netcdf(tree: xr.DataTree, path: Path) -> None:
    tree.to_netcdf(path, engine="netcdf4", encoding=_fletcher(tree))


def _fletcher(tree: xr.DataTree) -> dict[str, Any]:
    """Ask netCDF for its own checksum of each block, as Zarr has one by default."""
    return {
        node.path: {
            # An encoding given here replaces the variable's own.
            name: {**variable.encoding, "fletcher32": True, "zlib": True, "complevel": 1}
            for name, variable in node.to_dataset(inherit=False).variables.items()
            if variable.ndim and variable.dtype.kind in "iufb"
        }
        for node in tree.subtree
    }


def _write_zarr(tree: xr.DataTree, path: Path) -> None:
    tree.to_zarr(path, consolidated=False)


def _write_manifest(manifest: xr.Dataset, path: Path) -> None:
    if path.is_dir():
        manifest.to_zarr(path, group="manifest", mode="a", consolidated=False)
    else:
        manifest.to_netcdf(path, group="manifest", mode="a", engine="netcdf4")


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Give a place beside ``target`` to write to, and move it there once it is whole."""
    if not target.parent.is_dir():
        rule = f"the folder {str(target.parent)!r} does not exist"
        raise FileNotFoundError(complaint("path", str(target), rule, "create it first"))
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        _replace(unfinished, target)
    finally:
        _remove(unfinished)


def _replace(source: Path, target: Path) -> None:
    if source.is_file() and not target.is_dir():
        os.replace(source, target)
        return
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        target.rename(old)
    source.rename(target)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _writable(dataset: xr.Dataset) -> xr.Dataset:
    """Return a Dataset that files can hold: plain attributes, even chunks, no MultiIndex."""
    for name, index in dataset.xindexes.items():
        if len(dataset.xindexes.get_all_coords(name)) > 1:
            rule = f"is part of a {type(index).__name__}, which files cannot hold"
            raise ValueError(complaint("coords", name, rule, "call reset_index() on the data"))
    dataset = dataset.assign_attrs(_plain(dataset.attrs))
    for variable in dataset.variables.values():
        variable.attrs = _plain(variable.attrs)
        kept = ("dtype", "_FillValue", "units", "calendar")
        variable.encoding = {
            key: variable.encoding[key] for key in kept if key in variable.encoding
        }
    return dataset.chunk(_even_chunks(dataset))


def _even_chunks(dataset: xr.Dataset) -> dict[Any, int]:
    return (
        {}
        if not dataset.chunks
        else {dim: max(sizes) for dim, sizes in dataset.unify_chunks().chunks.items()}
    )


def _plain(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes as files can hold them; what is neither text nor number becomes text."""
    return {
        str(name): value
        if isinstance(value, str | int | float | np.ndarray | np.generic | list)
        and not isinstance(value, bool)
        else str(value)
        for name, value in attrs.items()
    }


# ------------------------------------------------------------------------------------ checksums


def _read_raw(path: Path, group: str, engine: str) -> xr.Dataset:
    """Open one group as it is stored: no value or attribute decoded."""
    keywords: dict[str, Any] = {"consolidated": False} if engine == "zarr" else {}
    return xr.open_dataset(
        path, group=group, engine=engine, decode_cf=False, create_default_indexes=False, **keywords
    )


def _checksums(read: Any, path: Path) -> dict[str, str]:
    """Return the SHA-256 of each variable: name, dims, dtype, attributes and values."""
    found = {}
    for group in GROUPS:
        with read(path, group) as dataset:
            found[group] = hashlib.sha256(_canonical(dataset.attrs)).hexdigest()
            for name, variable in dataset.variables.items():
                found[f"{group}/{name}"] = _checksum(variable)
    return found


def _checksum(variable: xr.Variable) -> str:
    digest = hashlib.sha256(_canonical(variable.attrs))
    digest.update(json.dumps([list(variable.dims), list(variable.shape)]).encode())
    for slab in _slabs(variable):
        values = np.asarray(slab)
        if values.dtype.kind in "OUT":
            digest.update(json.dumps([str(each) for each in values.ravel()]).encode())
        else:
            digest.update(values.dtype.str.encode() + np.ascontiguousarray(values).tobytes())
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


# -------------------------------------------------------------------------------------- reading


def unreadable(path: Path, rule: str) -> str:
    """Return what is said of a file that does not hold what was written."""
    return complaint("path", str(path), rule, "save the result again, or use a copy of the file")


def checked_manifest(path: Path, version: int) -> dict[str, Any]:
    """Return the manifest once every checksum holds."""
    _, read = engine(path)
    try:
        with read(path, "manifest") as dataset:
            text, seal = str(dataset.attrs["manifest"]), str(dataset.attrs["sha256"])
    except Exception as error:  # whatever a reader says of a file that is not what it seems
        rule = "is no saved clustering, or is not whole"
        raise ValueError(unreadable(path, f"{rule} ({type(error).__name__})")) from error
    if hashlib.sha256(text.encode()).hexdigest() != seal:
        raise ValueError(unreadable(path, "was changed: the manifest's checksum differs"))
    manifest: dict[str, Any] = json.loads(text)
    if manifest.get("format") != version:
        rule = f"has format {manifest.get('format')!r}, and this version reads {version}"
        raise ValueError(complaint("path", str(path), rule, "update xarray-cluster"))
    try:
        found = _checksums(read, path)
    except Exception as error:  # likewise
        rule = f"cannot be read to its end ({type(error).__name__})"
        raise ValueError(unreadable(path, rule)) from error
    wrong = [
        name
        for name in {**manifest["sha256"], **found}
        if manifest["sha256"].get(name) != found.get(name)
    ]
    if wrong:
        raise ValueError(unreadable(path, f"was changed: the checksum of {wrong[0]!r} differs"))
    return manifest


def arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of the model as they are stored."""
    _, read = engine(path)
    with read(path, "model") as raw:
        return {str(name): raw[name].values for name in raw.variables}


def decoded(path: Path, group: str) -> xr.Dataset:
    """Return one group; in memory from netCDF, lazily from Zarr."""
    if path.is_dir():
        return xr.open_dataset(path, group=group, engine="zarr", consolidated=False, chunks={})
    with xr.open_dataset(path, group=group, engine="netcdf4") as dataset:
        return dataset.load()
