"""Results in files: one tree of labels, centres, scores and model, checked when read."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster import matrix, samplers
from xcluster.assign import Assign
from xcluster.checks import complaint
from xcluster.clustering import Clustering
from xcluster.labels import Partition
from xcluster.layout import LABEL
from xcluster.methods import Method, Options
from xcluster.record import Record
from xcluster.reduction import Chain
from xcluster.serial import decode, encode_estimator
from xcluster.steps import Step

if TYPE_CHECKING:
    from xcluster.samplers import Sampler

Array = NDArray[Any]
StrPath = str | os.PathLike[str]

FORMAT = 1
GROUPS = ("/", "centers", "scores", "model")
SLAB_BYTES = 64 * 2**20


# -------------------------------------------------------------------------------------- writing


def save(clustering: Clustering, path: StrPath) -> None:
    """Write a result; see `Clustering.save`."""
    target = Path(path)
    write, read = _engine(target)
    arrays: dict[str, Array] = {}
    manifest = _manifest(clustering, arrays)
    tree = xr.DataTree.from_dict(
        {
            "/": _root(clustering),
            "/centers": _writable(clustering.centers),
            "/scores": _scores(clustering),
            "/model": _model_arrays(arrays),
        }
    )
    layout = None if clustering.samples is None else clustering.samples.layout
    with _beside(target) as unfinished:
        with matrix.named_failures(layout):
            write(tree, unfinished)
        manifest["sha256"] = _checksums(read, unfinished)
        text = json.dumps(manifest, sort_keys=True)
        seal = hashlib.sha256(text.encode()).hexdigest()
        _write_manifest(xr.Dataset(attrs={"manifest": text, "sha256": seal}), unfinished)


def _engine(path: Path) -> tuple[Any, Any]:
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
            name: {"fletcher32": True, "zlib": True, "complevel": 1}
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


def _root(clustering: Clustering) -> xr.Dataset:
    dataset = clustering.to_dataset()
    samples = clustering.samples
    if samples is not None and samples.mask is not None:
        dataset = dataset.assign(mask=samples.mask.astype(np.int8).drop_vars(samples.mask.coords))
    if samples is not None and isinstance(samples.weighting, xr.DataArray):
        dataset = dataset.assign(weights=samples.weighting.drop_vars(samples.weighting.coords))
    if clustering.rows is not None:
        dataset = dataset.assign(row=clustering.rows)
    return _writable(dataset)


def _scores(clustering: Clustering) -> xr.Dataset:
    if clustering.sweep is None:
        return xr.Dataset()
    # "k" may be a dim of the user's, and dims are shared by all groups of a file.
    return _writable(clustering.sweep.table.rename(k="sweep_k"))


def _model_arrays(arrays: Mapping[str, Array]) -> xr.Dataset:
    return xr.Dataset(
        {
            name: xr.Variable([f"{name}_{axis}" for axis in range(array.ndim)], array)
            for name, array in arrays.items()
        }
    )


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


def _manifest(clustering: Clustering, arrays: dict[str, Array]) -> dict[str, Any]:
    partition = clustering.partition
    samples = clustering.samples
    if clustering.assign.chain.inverse(clustering.assign.centers) is None:
        arrays["means"] = clustering.raw_centers
    arrays["centers"] = clustering.assign.centers
    return {
        "format": FORMAT,
        "versions": _versions(),
        "method": clustering.method,
        "sampler": _sampler_entry(clustering.sampler),
        "features": [
            [str(name), [str(dim) for dim in array.dims]]
            for name, array in clustering.template.data_vars.items()
        ],
        "steps": [
            {"name": name, "transformer": encode_estimator(transformer, arrays)}
            for name, transformer in clustering.assign.chain.steps
        ],
        "over": {}
        if samples is None
        else {step.name: step.over for step in samples.steps if step.transformer is not None},
        "clusterer": encode_estimator(clustering.assign.clusterer, arrays),
        "partition": {
            "codes": partition.codes.tolist(),
            "names": partition.names,
            "colors": partition.colors,
            "floor": partition.floor,
            "ordered": partition.ordered,
            "has_noise": partition.has_noise,
        },
        "record": dataclasses.asdict(clustering.record),
        "weighting": samples.weighting if samples and isinstance(samples.weighting, str) else None,
        "criterion": None if clustering.sweep is None else clustering.sweep.method.criterion,
    }


def _versions() -> dict[str, str]:
    import sklearn

    from xcluster import __version__

    return {
        "xcluster": __version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "xarray": xr.__version__,
    }


def _sampler_entry(sampler: Sampler) -> dict[str, Any]:
    fields = {each.name: getattr(sampler, each.name) for each in dataclasses.fields(sampler)}  # type: ignore[arg-type]
    return {"kind": type(sampler).__name__, **fields}


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


def open(
    path: StrPath,
    data: xr.Dataset | xr.DataArray | None = None,
    trusted: Collection[str] = (),
) -> Clustering:
    """Open a saved clustering.

    Parameters
    ----------
    path
        Of a netCDF file or Zarr directory that `Clustering.save` wrote.
    data : Dataset or DataArray, optional
        The object that was clustered. Without it labels, memberships and centres are as saved,
        `Clustering.predict` works, and what needs the original values says so.
    trusted : collection of str, default ()
        Types of other packages that may be loaded, by their full names. Estimators of
        scikit-learn and of this package need none.

    Returns
    -------
    Clustering

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no saved clustering, is truncated or was changed, holds types that are not
        trusted, or ``data`` lies on another grid.

    Examples
    --------
    >>> import tempfile, pathlib, xcluster
    >>> fit = xcluster.datasets.ocean().cluster.pixels().kmeans(3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fit.save(pathlib.Path(folder) / "provinces.nc")
    ...     again = xcluster.open(pathlib.Path(folder) / "provinces.nc")
    >>> bool((again.labels == fit.labels).sum() == fit.labels.notnull().sum())
    True
    """
    source = Path(path)
    _, read = _engine(source)
    if not source.exists():
        raise FileNotFoundError(complaint("path", str(path), "there is no such file", "check it"))
    manifest = _checked_manifest(source, read)
    try:
        with read(source, "model") as raw:
            arrays = {str(name): raw[name].values for name in raw.variables}
        clustering = _rebuilt(manifest, arrays, source, trusted)
    except (KeyError, TypeError, AttributeError, ImportError) as error:
        raise ValueError(_unreadable(source, f"its manifest does not fit ({error})")) from error
    return clustering if data is None else _bound(clustering, manifest, source, data)


def _unreadable(path: Path, rule: str) -> str:
    return complaint("path", str(path), rule, "save the result again, or use a copy of the file")


def _checked_manifest(path: Path, read: Any) -> dict[str, Any]:
    """Return the manifest once every checksum holds."""
    try:
        with read(path, "manifest") as dataset:
            text, seal = str(dataset.attrs["manifest"]), str(dataset.attrs["sha256"])
    except Exception as error:  # whatever a reader says of a file that is not what it seems
        rule = "is no saved clustering, or is not whole"
        raise ValueError(_unreadable(path, f"{rule} ({type(error).__name__})")) from error
    if hashlib.sha256(text.encode()).hexdigest() != seal:
        raise ValueError(_unreadable(path, "was changed: the manifest's checksum differs"))
    manifest: dict[str, Any] = json.loads(text)
    if manifest.get("format") != FORMAT:
        rule = f"has format {manifest.get('format')!r}, and this version reads {FORMAT}"
        raise ValueError(complaint("path", str(path), rule, "update xarray-cluster"))
    try:
        found = _checksums(read, path)
    except Exception as error:  # likewise
        rule = f"cannot be read to its end ({type(error).__name__})"
        raise ValueError(_unreadable(path, rule)) from error
    wrong = [
        name
        for name in {**manifest["sha256"], **found}
        if manifest["sha256"].get(name) != found.get(name)
    ]
    if wrong:
        raise ValueError(_unreadable(path, f"was changed: the checksum of {wrong[0]!r} differs"))
    return manifest


def _rebuilt(
    manifest: Mapping[str, Any], arrays: Mapping[str, Array], path: Path, trusted: Collection[str]
) -> Clustering:
    steps = [
        (step["name"], decode(step["transformer"], arrays, trusted)) for step in manifest["steps"]
    ]
    entry = dict(manifest["partition"])
    partition = Partition(
        **{
            **entry,
            "codes": np.asarray(entry["codes"], np.int64),
            "names": None if entry["names"] is None else tuple(entry["names"]),
            "colors": None if entry["colors"] is None else tuple(entry["colors"]),
        }
    )
    assign = Assign(
        Chain(tuple(steps)),
        decode(manifest["clusterer"], arrays, trusted),
        partition,
        arrays["centers"],
    )
    root = _decoded(path, "/")
    return Clustering(
        method=manifest["method"],
        sampler=_sampler(manifest["sampler"]),
        template=_template(_decoded(path, "centers"), manifest["features"]),
        assign=assign,
        record=_record(manifest["record"]),
        sweep=_sweep(manifest, _decoded(path, "scores")),
        attrs=dict(root.attrs),
        stored=root.drop_vars(["mask", "weights", "row"], errors="ignore").drop_attrs(deep=False),
        means=arrays.get("means"),
        rows=root["row"].compute() if "row" in root else None,
    )


def _decoded(path: Path, group: str) -> xr.Dataset:
    """Return one group; in memory from netCDF, lazily from Zarr."""
    if path.is_dir():
        return xr.open_dataset(path, group=group, engine="zarr", consolidated=False, chunks={})
    with xr.open_dataset(path, group=group, engine="netcdf4") as dataset:
        return dataset.load()


def _sampler(entry: Mapping[str, Any]) -> Sampler:
    kinds = {cls.__name__: cls for cls in samplers.SAMPLERS}
    fields = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in entry.items()
        if name != "kind"
    }
    sampler: Sampler = kinds[entry["kind"]](**fields)
    return sampler


def _template(centers: xr.Dataset, features: Sequence[tuple[str, list[str]]]) -> xr.Dataset:
    one = centers.isel({LABEL: 0}, drop=True).drop_vars("label_name", errors="ignore").compute()
    # Files may give variables in another order; that of the features must come back.
    return xr.Dataset({name: one[name].transpose(*dims) * np.nan for name, dims in features})


def _record(entry: Mapping[str, Any]) -> Record:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()
    }
    return Record(**fields)


def _sweep(manifest: Mapping[str, Any], table: xr.Dataset) -> Any:
    from xcluster.selection import Sweep

    if manifest["criterion"] is None:
        return None
    method = Method(manifest["method"], None, criterion=manifest["criterion"])
    return Sweep(table.rename(sweep_k="k").compute(), {}, method, Options())


def _bound(
    clustering: Clustering, manifest: Mapping[str, Any], path: Path, data: Any
) -> Clustering:
    """Return the clustering with the object that it was fitted to."""
    from xcluster.matching import check_same_grid
    from xcluster.prediction import as_dataset, layout_of
    from xcluster.samples import Samples

    layout = layout_of(data, clustering.sampler, clustering.template)
    stored = clustering.stored
    assert stored is not None
    check_same_grid("data", layout, stored["labels"])
    root = _decoded(path, "/")
    sampler = dataclasses.replace(clustering.sampler, vars=tuple(layout.variables))  # type: ignore
    samples = Samples(
        as_dataset(data),
        sampler,
        steps=_steps(clustering, manifest["over"]),
        mask=root["mask"].astype(bool) if "mask" in root else None,
        weighting=root["weights"] if "weights" in root else manifest["weighting"],
        random_state=clustering.record.random_state,
    )
    return dataclasses.replace(clustering, samples=samples)


def _steps(clustering: Clustering, over: Mapping[str, str]) -> tuple[Step, ...]:
    from sklearn.base import clone

    return tuple(
        Step(name.split("_")[0], clone(transformer), over.get(name, "variable"))  # type: ignore
        for name, transformer in clustering.assign.chain.steps
    )
