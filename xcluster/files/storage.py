"""Trees of Datasets on disk: how they are written to netCDF or Zarr, and read."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import DummyFileManager, NetCDF4DataStore

from xcluster.base.errors import BadValueError, ExistingFileError, FolderError
from xcluster.base.parallel import joined_threads
from xcluster.blocks.graphs import in_one_graph
from xcluster.files.integrity import (
    Read,
    add_trailer,
    groups_of,
    header_checksums,
    sealed,
    value_checksums,
)
from xcluster.files.replacing import beside
from xcluster.grid.links import states_crs

Write = Callable[[xr.DataTree, Path], None]

OTHERS = {
    **dict.fromkeys((".tif", ".tiff"), "a map: fit.to_raster(path) or fit.to_tiff(path)"),
    **dict.fromkeys((".gpkg", ".shp", ".geojson"), "polygons: fit.to_polygons().to_file(path)"),
    ".csv": "a table: fit.to_dataframe().to_csv(path)",
    ".hspy": "a signal of HyperSpy: fit.to_hyperspy().save(path)",
    ".msa": "spectra: fit.to_msa(folder)",
}
"""What writes files of other programs, by the end of their names."""

ONE_AT_A_TIME = threading.RLock()
"""A lock that is held while files are written or read. If two threads open and close files at the
same time, the C libraries of netCDF and HDF5 end the process; xarray's lock is not enough."""


def write(
    path: Path,
    groups: Mapping[str, xr.Dataset],
    manifest: Mapping[str, Any],
    failures: Callable[[Sequence[Any]], AbstractContextManager[Any]],
) -> None:
    """Write groups and a manifest; an older file is replaced when the new one is complete.

    Values are computed within ``failures`` of their dask arrays, which may explain errors.
    """
    write_tree, read = engine(path)
    check_replaceable(path)
    written = {name: _writable(group).copy() for name, group in groups.items()}
    lazy = _computed_together(written.values())
    tree = xr.DataTree.from_dict(written)
    with ONE_AT_A_TIME, beside(path) as unfinished:
        with failures(lazy), joined_threads():
            write_tree(tree, unfinished)
        names = groups_of(manifest)
        with held(unfinished):
            checksums = {
                "headers": header_checksums(read, unfinished, names),
                "values": value_checksums(read, unfinished, names),
            }
        _write_manifest(xr.Dataset(attrs=sealed({**manifest, **checksums})), unfinished)
        _hold(path)


def _computed_together(datasets: Iterable[xr.Dataset]) -> list[Any]:
    """Give all lazy variables one graph; return the arrays as they were before."""
    variables = [
        variable
        for dataset in datasets
        for variable in dataset.variables.values()
        if variable.chunks is not None
    ]
    before = [variable.data for variable in variables]
    if before:
        for variable, data in zip(variables, in_one_graph(before), strict=True):
            variable.data = data
    return before


def engine(path: Path) -> tuple[Write, Read]:
    """Return the functions that write a tree, and read one of its groups without decoding."""
    if path.suffix == ".zarr":
        return _write_zarr, partial(_read_raw, engine="zarr")
    if path.suffix in (".nc", ".nc4"):
        return _write_netcdf, partial(_read_raw, engine="netcdf4")
    rule = "must end in .nc (netCDF) or .zarr (Zarr)"
    other = OTHERS.get(path.suffix.lower(), "")
    remedy = f"save to {path.stem}.nc" + (f", or write {other}" if other else "")
    raise BadValueError("path", str(path), rule, remedy)


def check_replaceable(path: Path) -> None:
    """Refuse to replace a folder, unless it holds a saved clustering."""
    if path.is_dir() and path.suffix != ".zarr":
        rule = "is a folder, but a netCDF result is a file"
        raise FolderError("path", str(path), rule, "choose another name")
    if path.is_file() and path.suffix == ".zarr":
        rule = "is a file, but a Zarr result is a folder"
        raise ExistingFileError("path", str(path), rule, "choose another name")
    if path.is_dir() and any(path.iterdir()) and not (path / "manifest" / "zarr.json").is_file():
        rule = "is a folder without a saved clustering, whose contents would be lost"
        raise ExistingFileError("path", str(path), rule, "choose another name")


def _write_netcdf(tree: xr.DataTree, path: Path) -> None:
    def options(variable: xr.Variable) -> dict[str, Any]:
        takes_them = variable.ndim > 0 and variable.dtype.kind in "iufbmM"
        return {"fletcher32": True, "zlib": True, "complevel": 1} if takes_them else {}

    tree.to_netcdf(path, engine="netcdf4", encoding=_encoding(tree, options))


def _write_zarr(tree: xr.DataTree, path: Path) -> None:
    from zarr.codecs import Crc32cCodec, ZstdCodec

    def options(variable: xr.Variable) -> dict[str, Any]:
        # For an empty array xarray would ask for chunks of length 0, which Zarr refuses.
        blocks = {} if variable.size else {"chunks": tuple(max(n, 1) for n in variable.shape)}
        return {"compressors": (ZstdCodec(), Crc32cCodec()), **blocks}

    # Stated, as the user may have other settings of Zarr. Empty chunks show that none is missing.
    stated: dict[str, Any] = {"zarr_format": 3, "write_empty_chunks": True}
    tree.to_zarr(path, consolidated=False, encoding=_encoding(tree, options), **stated)


def _encoding(
    tree: xr.DataTree, options: Callable[[xr.Variable], dict[str, Any]]
) -> dict[str, dict[Any, Any]]:
    """Return encodings with compression, and with the format's own checksum of each chunk."""
    return {
        node.path: {
            # An encoding given here replaces the variable's own.
            name: {**variable.encoding, **asked}
            for name, variable in node.to_dataset(inherit=False).variables.items()
            if (asked := options(variable))
        }
        for node in tree.subtree
    }


def _write_manifest(manifest: xr.Dataset, path: Path) -> None:
    if path.is_dir():
        manifest.to_zarr(path, group="manifest", mode="a", consolidated=False, zarr_format=3)
    else:
        manifest.to_netcdf(path, group="manifest", mode="a", engine="netcdf4")
        add_trailer(path)


def _writable(dataset: xr.Dataset) -> xr.Dataset:
    """Return a Dataset that files can hold: plain attributes, even chunks, no MultiIndex."""
    for name, index in dataset.xindexes.items():
        if len(dataset.xindexes.get_all_coords(name)) > 1:
            rule = f"is part of a {type(index).__name__}, which files cannot hold"
            raise BadValueError("coords", name, rule, "call reset_index() on the data")
    dataset = dataset.assign_attrs(_plain(dataset.attrs))
    for name, variable in dataset.variables.items():
        variable.attrs = _plain(variable.attrs)
        kept = _kept_encoding(variable, is_ours=name in dataset.data_vars)
        stated = variable.encoding
        variable.encoding = {key: stated[key] for key in kept if key in stated}
    return _with_plain_texts(dataset.chunk(_even_chunks(dataset)))


def _kept_encoding(variable: xr.Variable, is_ours: bool) -> tuple[str, ...]:
    """Return which parts of the encoding of a variable are kept.

    A coordinate is never packed again: its values may have changed, and must be stored exactly.
    """
    if is_ours:
        return ("dtype", "_FillValue")
    is_date = variable.dtype.kind in "mMO" and "units" in variable.encoding
    return ("dtype", "_FillValue", "units", "calendar") if is_date else ()


def _with_plain_texts(dataset: xr.Dataset) -> xr.Dataset:
    """Return texts as objects in memory: texts of fixed length are not in the standard of Zarr.

    A grid mapping, whose value has no meaning, may be one byte, and becomes a number.
    """
    texts = [name for name, each in dataset.variables.items() if each.dtype.kind == "U"]
    letters = [
        n for n, each in dataset.coords.items() if each.dtype.kind == "S" and states_crs(each)
    ]
    plain = {name: dataset[name].compute().astype(object) for name in texts}
    return dataset.assign(plain | {name: dataset[name].copy(data=0) for name in letters})


def _even_chunks(dataset: xr.Dataset) -> dict[Any, int]:
    return {dim: max(sizes) for dim, sizes in dataset.unify_chunks().chunks.items()}


NUMBERS = {f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)} | {"f4", "f8"}
"""Types of numbers that attributes of netCDF may have."""


def _plain(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes that files can hold; everything except text and numbers becomes text."""
    return {str(name): _plain_value(value) for name, value in attrs.items()}


def _plain_value(value: Any) -> Any:
    """Return a text, a number, or a list of either; a tuple is a list, anything else a text."""
    if isinstance(value, str):
        return value
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        return str(value)
    is_plain = array.dtype.kind == "U" or array.dtype.str[1:] in NUMBERS
    if array.ndim > 1 or not is_plain:
        return str(value)
    return array.tolist() if isinstance(value, list | tuple) else value


# -------------------------------------------------------------------------------------- reading

AS_ZARR: dict[str, Any] = {"engine": "zarr", "consolidated": False, "zarr_format": 3}
"""Format 2 is never read: its filters may run code."""


_held: dict[Path, Any] = {}
"""Files that stay open while their groups are read, under the lock above; None before the first
read."""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Open a netCDF file once for all reads within; opening takes longer the more groups it has."""
    _held[path] = None
    try:
        yield
    finally:
        file = _held.pop(path)
        if file is not None:
            file.close()


class _Borrowed(DummyFileManager):  # type: ignore[type-arg]  # plain in old releases
    """A file that one group does not close, as others read it too."""

    def close(self, needs_lock: bool = True) -> None:
        pass


def _group(path: Path, group: str) -> dict[str, Any]:
    """Return what `xr.open_dataset` needs for one group of a netCDF file."""
    if path not in _held:
        return {"filename_or_obj": path, "group": group, "engine": "netcdf4"}
    import netCDF4

    if _held[path] is None:
        _held[path] = netCDF4.Dataset(path)
    store = NetCDF4DataStore(_Borrowed(_held[path]), None if group == "/" else group)
    return {"filename_or_obj": store}


def _read_raw(path: Path, group: str, engine: str) -> xr.Dataset:
    """Open one group as it is stored, without decoding."""
    as_zarr = {"filename_or_obj": path, "group": group, **AS_ZARR}
    keywords = as_zarr if engine == "zarr" else _group(path, group)
    return xr.open_dataset(decode_cf=False, create_default_indexes=False, **keywords)


def arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of the model as they are stored."""
    _, read = engine(path)
    with read(path, "model") as raw:
        return {str(name): raw[name].values for name in raw.variables}


def size(path: Path, name: str, groups: Sequence[str]) -> int:
    """Return the length of a variable, from the first of these groups that has it."""
    _, read = engine(path)
    for group in groups:
        with read(path, group) as raw:
            if name in raw.variables:
                return int(raw.variables[name].size)
    raise KeyError(name)


def cftime_names(groups: Iterable[xr.Dataset]) -> list[str]:
    """Return the coordinates whose dates are objects of cftime."""
    return [
        str(name)
        for group in groups
        for name, coord in group.coords.items()
        if coord.dtype == object
        and coord.size
        and type(coord.values.flat[0]).__module__.startswith("cftime")
    ]


def decoded(path: Path, group: str, manifest: Mapping[str, Any]) -> xr.Dataset:
    """Return one group; in memory from netCDF, lazily from Zarr.

    The manifest knows the order of variables, which folders do not keep, and whose dates are
    objects of cftime.
    """
    dataset = _decoded(path, group, manifest.get("cftime", ()))
    return _ordered(dataset, manifest.get("order", {}).get(group, ()))  # older files have neither


def _ordered(dataset: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """Return a Dataset whose variables come in this order; others follow."""
    variables = dataset.variables
    order = [*(name for name in names if name in variables), *variables]
    coords, data = (
        {name: variables[name] for name in order if name in part}
        for part in (dataset.coords, dataset.data_vars)
    )
    indexed = xr.Coordinates(coords, indexes=dataset.xindexes)
    return xr.Dataset(data, indexed, dataset.attrs)


def _decoded(path: Path, group: str, cftime: Collection[str]) -> xr.Dataset:
    """Return one group, in which dates of the variables ``cftime`` are objects of that package."""
    coder = xr.coders.CFDatetimeCoder(use_cftime=True)
    keywords: dict[str, Any] = {"decode_times": dict.fromkeys(cftime, coder)} if cftime else {}
    if not path.is_dir():
        with xr.open_dataset(**_group(path, group), **keywords) as dataset:
            return dataset.load()
    keywords |= {"chunks": None, "cache": False, **AS_ZARR}
    dataset = xr.open_dataset(path, group=group, **keywords)
    for variable in dataset.variables.values():
        if variable.ndim and not isinstance(variable, xr.IndexVariable):
            variable.data = _lazy(variable.copy(deep=False), path)
    return dataset


class _Stored:
    """An array of a Zarr folder. It is read when it is needed, or before its folder is replaced."""

    def __init__(self, variable: xr.Variable, path: Path) -> None:
        self.variable, self.path = variable, os.path.realpath(path)
        self.shape, self.dtype, self.ndim = variable.shape, variable.dtype, variable.ndim

    def __getitem__(self, where: Any) -> Any:
        return self.variable[where].values


_opened: weakref.WeakSet[_Stored] = weakref.WeakSet()


def _lazy(variable: xr.Variable, path: Path) -> Any:
    from dask.array import from_array

    stored = _Stored(variable, path)
    _opened.add(stored)
    sizes = variable.encoding.get("preferred_chunks", {})
    blocks = tuple(sizes.get(dim, size) for dim, size in variable.sizes.items())
    return from_array(stored, blocks, name=False)


def _hold(path: Path) -> None:
    """Read all arrays that opened results still need from a folder, before it is replaced."""
    for stored in list(_opened):
        if path.is_dir() and stored.path == os.path.realpath(path):
            stored.variable.load()
