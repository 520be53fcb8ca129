"""Results in files: one tree of labels, centres, scores and model, checked when read."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.checks import check_choice, check_path
from xcluster.base.errors import BadValueError, MissingFileError
from xcluster.blocks.failures import named_failures
from xcluster.chain.reduction import Chain
from xcluster.chain.steps import KINDS, FittedStep, Over, Step, unfitted_steps
from xcluster.files import storage, validity
from xcluster.files.integrity import checked_manifest, unreadable
from xcluster.files.replacing import kept_aside
from xcluster.files.serial import RefusedError, decode, encode_estimator
from xcluster.fit.assign import Labeller
from xcluster.fit.labels import Partition
from xcluster.fit.methods import Method, Options
from xcluster.fit.record import Note, Record
from xcluster.fit.sources import Live, Stored
from xcluster.grid.layout import LABEL
from xcluster.grid.samplers import Pixels, Profiles, Snapshots
from xcluster.grid.windows import Patches
from xcluster.result.relabelling import with_partition
from xcluster.result.tables import check_free, to_dataset

if TYPE_CHECKING:
    from xcluster.grid.samplers import Sampler

Array = NDArray[Any]
StrPath = str | os.PathLike[str]

FORMAT = 1
"""Of the files, whatever the package's version; raised when older versions could not read them."""

SAMPLERS = (Pixels, Profiles, Snapshots, Patches)

ROLES = ("mask", "weights", "likeliest", "row")
"""Of arrays beside labels and memberships; also their names, unless the user has such a name."""


# -------------------------------------------------------------------------------------- writing


def save(clustering: Any, path: StrPath) -> None:
    """Write a result; see `Clustering.save`."""
    arrays: dict[str, Array] = {}
    root = _root(clustering)
    own = {role: name for role, name in _own_names(clustering).items() if name in root}
    manifest = {**_manifest(clustering, arrays), "own": own}
    groups = {
        "/": root,
        "/centers": clustering.centers,
        "/scores": _scores(clustering),
        "/model": _model_arrays(arrays),
    }
    manifest["cftime"] = storage.cftime_names(groups.values())
    layout = None if clustering.samples is None else clustering.samples.layout
    storage.write(check_path("path", path), groups, manifest, named_failures(layout))


def _root(clustering: Any) -> xr.Dataset:
    """Return what lies over the samples."""
    check_free(clustering.labels, ("labels", "memberships"))
    dataset = to_dataset(clustering)
    names = _own_names(clustering)
    return dataset.assign({names[each]: array for each, array in _own_arrays(clustering).items()})


def _own_arrays(clustering: Any) -> dict[str, xr.DataArray]:
    """Return what a result needs beside its labels, by its role."""
    samples, arrays = clustering.samples, {}
    if samples is not None:
        layout = samples.layout  # as the fit saw them, on the grid of the samples
        if layout.mask is not None:
            arrays["mask"] = layout.mask.astype(np.int8)
        if layout.weight is not None and not isinstance(samples.weighting, str):
            arrays["weights"] = layout.weight.drop_encoding()
    if clustering.partition.floor is not None:
        # The labels without a floor, as merging and other floors start from them.
        plain = dataclasses.replace(clustering.partition, floor=None)
        arrays["likeliest"] = with_partition(clustering, plain).labels
    if clustering.source.rows is not None:
        arrays["row"] = clustering.source.rows
    return arrays


def _own_names(clustering: Any) -> dict[str, str]:
    """Return the name of an array of each role; names of the user's stay theirs."""
    taken = {*clustering.labels.coords, *clustering.labels.dims}
    return {role: _free(role, taken) for role in ROLES}


def _free(name: str, taken: Collection[Hashable]) -> str:
    while name in taken:
        name += "_"
    return name


def _scores(clustering: Any) -> xr.Dataset:
    if clustering.sweep is None:
        return xr.Dataset()
    # "k" may be a dim of the user's, and dims are shared by all groups of a file.
    return clustering.sweep.table.rename(k="sweep_k")


def _model_arrays(arrays: Mapping[str, Array]) -> xr.Dataset:
    return xr.Dataset(
        {
            name: xr.Variable([f"{name}_{axis}" for axis in range(array.ndim)], array)
            for name, array in arrays.items()
        }
    )


def _manifest(clustering: Any, arrays: dict[str, Array]) -> dict[str, Any]:
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
            {"name": step.name, "transformer": encode_estimator(step.transformer, arrays)}
            for step in clustering.assign.chain.steps
        ],
        "asked": None if samples is None else _asked_entry(samples.steps),
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
        "climatology": None
        if clustering.climatology is None
        else encode_estimator(clustering.climatology, arrays),
        "weighting": samples.weighting if samples and isinstance(samples.weighting, str) else None,
        "criterion": None if clustering.sweep is None else clustering.sweep.method.criterion,
        "knee": None if clustering.sweep is None else _knee_entry(clustering.sweep.options),
    }


def _asked_entry(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return what the user said of each step; of two scalings each may be over other columns."""
    return [
        {"name": step.name, "over": step.over, "is_fitted": step.transformer is not None}
        for step in steps
    ]


def _knee_entry(options: Options) -> dict[str, Any]:
    return {"smooth": options.smooth, "interp_method": options.interp_method}


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


# -------------------------------------------------------------------------------------- reading


def open(
    path: StrPath,
    data: xr.Dataset | xr.DataArray | None = None,
    trusted: Collection[str] = (),
) -> Any:
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
    source = check_path("path", path)
    _, read = storage.engine(source)  # refuses other suffixes
    if not source.exists():
        aside = kept_aside(source)
        remedy = f"rename {str(aside)!r}, which was being replaced" if aside else "check it"
        raise MissingFileError("path", str(path), "there is no such file", remedy)
    with storage.ONE_AT_A_TIME:
        manifest = checked_manifest(source, read, FORMAT)
        clustering = _fitting_together(manifest, source, trusted)
        return clustering if data is None else _bound(clustering, manifest, source, data)


def _fitting_together(manifest: Mapping[str, Any], path: Path, trusted: Collection[str]) -> Any:
    """Return the result of a manifest; refuse one that somebody has sealed again, wrongly."""
    try:
        clustering = _rebuilt(manifest, storage.arrays(path), path, trusted)
        validity.check(clustering, storage.size(path, LABEL, ("/", "centers")))
        repr(clustering)  # reads the rest of what a manifest says
        _steps(clustering, manifest.get("asked"))  # likewise
    except RefusedError as error:
        raise BadValueError("path", str(path), error.rule, error.remedy) from None
    except Exception as error:
        reason = f"its parts do not fit together ({type(error).__name__}: {error})"
        raise unreadable(path, reason) from error
    return clustering


def _rebuilt(
    manifest: Mapping[str, Any], arrays: Mapping[str, Array], path: Path, trusted: Collection[str]
) -> Any:
    steps = [
        FittedStep(
            step["name"],
            KINDS[step["name"].partition("_")[0]],
            decode(step["transformer"], arrays, trusted),
        )
        for step in manifest["steps"]
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
    assign = Labeller(
        Chain(tuple(steps)),
        decode(manifest["clusterer"], arrays, trusted),
        partition,
        arrays["centers"],
    )
    cftime = manifest.get("cftime", ())
    root = storage.decoded(path, "/", cftime)
    own = _own(root, manifest)
    from xcluster.api.clustering import Clustering

    return Clustering(
        method=manifest["method"],
        sampler=_sampler(manifest["sampler"]),
        template=_template(storage.decoded(path, "centers", cftime), manifest["features"]),
        assign=assign,
        record=_record(manifest["record"]),
        sweep=_sweep(manifest, storage.decoded(path, "scores")),
        attrs=dict(root.attrs),
        source=Stored(
            _stored(root, own, assign.is_soft),
            own["row"].rename("row").compute() if "row" in own else None,
            arrays.get("means"),
        ),
        climatology=None
        if manifest["climatology"] is None
        else decode(manifest["climatology"], arrays, trusted),
    )


def _sampler(entry: Mapping[str, Any]) -> Sampler:
    kinds = {cls.__name__: cls for cls in SAMPLERS}
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in entry.items()
        if name != "kind"
    }
    sampler: Sampler = kinds[entry["kind"]](**fields)
    return sampler


def _own(root: xr.Dataset, manifest: Mapping[str, Any]) -> dict[str, xr.DataArray]:
    """Return the arrays that are ours, by their role."""
    names = manifest.get("own")
    if names is None:  # an older file, where only what is no coordinate can be ours
        names = {role: role for role in ROLES if role in root.data_vars}
    return {role: root[name] for role, name in names.items()}


def _stored(root: xr.Dataset, own: Mapping[str, xr.DataArray], is_soft: bool) -> xr.Dataset:
    """Return labels, before any floor on memberships, and memberships."""
    labels = own.get("likeliest", root["labels"]).rename("labels")
    kept = ["memberships"] if is_soft else []
    return root[kept].assign(labels=labels).drop_attrs(deep=False)


def _template(centers: xr.Dataset, features: Sequence[tuple[str, list[str]]]) -> xr.Dataset:
    names = [name for name, _ in features]
    # A result of noise alone has no centre that could lack a feature.
    has_data = centers.notnull().any(LABEL) if centers.sizes[LABEL] else centers.isnull().all(LABEL)
    has_data = has_data.drop_vars("label_name", errors="ignore").compute()
    one = xr.zeros_like(has_data[names], np.float32).where(has_data[names])
    # Files may give variables in another order; that of the features must come back.
    return xr.Dataset(
        {
            name: one[name].transpose(*dims).assign_attrs(centers[name].attrs)
            for name, dims in features
        }
    )


def _record(entry: Mapping[str, Any]) -> Record:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()
    }
    fields["notes"] = tuple(
        Note(**each) if isinstance(each, dict) else Note("clusterer", each)
        for each in entry["notes"]
    )
    return Record(**fields)


def _sweep(manifest: Mapping[str, Any], table: xr.Dataset) -> Any:
    from xcluster.api.sweep import Sweep

    if manifest["criterion"] is None:
        return None
    method = Method(manifest["method"], None, criterion=manifest["criterion"])
    knee = manifest.get("knee") or _knee_entry(Options())
    options = Options(smooth=knee["smooth"], interp_method=knee["interp_method"]).checked()
    return Sweep(table.rename(sweep_k="k").compute(), method, options)


def _bound(clustering: Any, manifest: Mapping[str, Any], path: Path, data: Any) -> Any:
    """Return the clustering with the object that it was fitted to."""
    from xcluster.api.samples import Samples
    from xcluster.grid.features import as_named, layout_like
    from xcluster.result.matching import check_same_grid

    layout = layout_like(data, clustering.sampler, clustering.template)
    stored = clustering.source
    assert isinstance(stored, Stored)
    check_same_grid("data", layout, stored.arrays["labels"])
    own = _own(storage.decoded(path, "/", manifest.get("cftime", ())), manifest)
    sampler = dataclasses.replace(clustering.sampler, vars=tuple(layout.variables))  # type: ignore
    samples = Samples(
        as_named(data, list(clustering.template)),
        sampler,
        steps=_steps(clustering, manifest.get("asked")),
        mask=own["mask"].astype(bool) if "mask" in own else None,
        weighting=own.get("weights", manifest["weighting"]),
        random_state=clustering.record.random_state,
        climatology=clustering.climatology,
    )
    source = Live(samples, stored.rows, stored.means)
    return dataclasses.replace(clustering, source=source)


def _steps(clustering: Any, asked: Sequence[Mapping[str, Any]] | None) -> tuple[Step, ...]:
    """Return the steps as they were asked for, or as they were fitted where no file says more."""
    from sklearn.base import clone

    fitted = clustering.assign.chain.steps
    if asked is None:
        known = unfitted_steps(fitted, len(clustering.template))
        return tuple(
            dataclasses.replace(each, transformer=clone(each.transformer)) for each in known
        )
    n_fitted = sum(each["is_fitted"] for each in asked)
    # A scaling that nobody stated stands before all others.
    transformers = iter([clone(each.transformer) for each in fitted[len(fitted) - n_fitted :]])
    return tuple(
        Step(
            KINDS[each["name"]],
            next(transformers) if each["is_fitted"] else None,
            check_choice("over", each["over"], get_args(Over)),
        )
        for each in asked
    )
