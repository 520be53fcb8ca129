"""Results in files: one tree of labels, centres, scores and model, checked when read."""

from __future__ import annotations

import os
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.checks import check_path
from xcluster.base.errors import BadValueError, MissingFileError
from xcluster.blocks.failures import named_failures
from xcluster.chain.question import AnyQuestion, Question
from xcluster.files import manifest as manifests
from xcluster.files import storage, validity
from xcluster.files.integrity import checked_manifest, scene_group, unreadable
from xcluster.files.replacing import kept_aside
from xcluster.files.serial import RefusedError
from xcluster.fit.fitted import Fitted
from xcluster.fit.sources import Live, Stored
from xcluster.grid.features import as_named, layout_like, replace_names
from xcluster.grid.layout import LABEL
from xcluster.result import formatting
from xcluster.result.matching import check_same_grid
from xcluster.result.relabelling import with_partition
from xcluster.result.tables import check_free, to_dataset

Array = NDArray[Any]
StrPath = str | os.PathLike[str]

ROLES = ("mask", "weights", "likeliest", "row")
"""Of arrays beside labels and memberships; also their names, unless the user has such a name."""


# -------------------------------------------------------------------------------------- writing


def save(fitted: Fitted, path: StrPath) -> None:
    """Write a result; see `Clustering.save`."""
    root, own = _over_samples(fitted)
    _write(path, fitted, fitted.samples, {"/": root}, {"own": own})


def save_scenes(whole: Fitted, scenes: Mapping[str, Fitted], path: StrPath) -> None:
    """Write a result of several scenes; see `PooledClustering.save`.

    Groups are numbered, and the manifest has the names: users may call a scene what they like.
    """
    parts = [_over_samples(scene) for scene in scenes.values()]
    groups = {
        f"/{scene_group(i)}": root.drop_attrs(deep=False) for i, (root, _) in enumerate(parts)
    }
    said = {"scenes": list(scenes), "own": [own for _, own in parts]}
    root = xr.Dataset(attrs=dict(whole.attrs))
    questions = [scene.samples for scene in scenes.values()]
    # Of weights, only those that are no array are told by a question.
    told = [each for each in questions if each and isinstance(each.weighting, str)]
    _write(path, whole, [*told, *questions][0], {"/": root, **groups}, said)


def _write(
    path: StrPath,
    whole: Fitted,
    asked: Question | None,
    roots: Mapping[str, xr.Dataset],
    said: Mapping[str, Any],
) -> None:
    """Write a model, what was asked, and what lies over samples."""
    arrays: dict[str, Array] = {}
    manifest = {**manifests.entries(whole, asked, arrays), **said}
    groups = {
        **roots,
        "/centers": whole.centers,
        "/scores": _scores(whole),
        "/model": _model_arrays(arrays),
    }
    manifest["cftime"] = storage.cftime_names(groups.values())
    layout = None if whole.samples is None else whole.samples.layout
    storage.write(check_path("path", path), groups, manifest, named_failures(layout))


def _over_samples(fitted: Fitted) -> tuple[xr.Dataset, dict[str, str]]:
    """Return what lies over the samples, and the name of each of our own arrays by its role."""
    check_free(fitted.labels, ("labels", "memberships"))
    arrays = _own_arrays(fitted)
    taken = {*fitted.labels.coords, *fitted.labels.dims}
    names = {role: _free(role, taken) for role in ROLES if role in arrays}
    root = to_dataset(fitted).assign({names[role]: array for role, array in arrays.items()})
    return root, names


def _own_arrays(fitted: Fitted) -> dict[str, xr.DataArray]:
    """Return what a result needs beside its labels, by its role."""
    question, arrays = fitted.samples, {}
    if question is not None:
        layout = question.layout  # as the fit saw them, on the grid of the samples
        if layout.mask is not None:
            arrays["mask"] = layout.mask.astype(np.int8)
        if layout.weight is not None and not isinstance(question.weighting, str):
            arrays["weights"] = layout.weight.drop_encoding()
    if fitted.partition.floor is not None:
        # The labels without a floor, as merging and other floors start from them.
        plain = replace(fitted.partition, floor=None)
        arrays["likeliest"] = with_partition(fitted, plain).labels
    if fitted.source.rows is not None:
        arrays["row"] = fitted.source.rows
    return arrays


def _free(name: str, taken: Collection[Hashable]) -> str:
    while name in taken:
        name += "_"
    return name


def _scores(fitted: Fitted) -> xr.Dataset:
    if fitted.sweep is None:
        return xr.Dataset()
    # "k" may be a dim of the user's, and dims are shared by all groups of a file.
    return fitted.sweep.table.rename(k="sweep_k")


def _model_arrays(arrays: Mapping[str, Array]) -> xr.Dataset:
    return xr.Dataset(
        {
            name: xr.Variable([f"{name}_{axis}" for axis in range(array.ndim)], array)
            for name, array in arrays.items()
        }
    )


# -------------------------------------------------------------------------------------- reading


@dataclass(frozen=True, eq=False)
class Saved:
    """A result as a file kept it.

    Parameters
    ----------
    fitted
        Of one object, or what is common to all scenes.
    scenes : mapping of str to Stored
        What each of several scenes stands on; empty where there was one object.
    own
        The arrays that are ours, by their role; of each scene, or under "" of the one object.
    asked, weighting
        What the samples were asked, where no array is needed to say it.
    """

    fitted: Fitted
    scenes: Mapping[str, Stored]
    own: Mapping[str, Mapping[str, xr.DataArray]]
    asked: Any
    weighting: Any

    def live(self, scene: str, data: Any, kind: type[AnyQuestion]) -> Live:
        """Return the samples of ``data``, which were fitted, as questions of this ``kind``."""
        stored = self.scenes[scene] if self.scenes else self.fitted.source
        assert isinstance(stored, Stored)
        sampler, template, own = self.fitted.sampler, self.fitted.template, self.own[scene]
        layout = layout_like(data, sampler, template)
        check_same_grid("data", layout, stored.arrays["labels"])
        question = kind(
            as_named(data, list(template)),
            replace_names(sampler, list(layout.variables)),
            steps=manifests.asked_steps(self.fitted, self.asked),
            mask=own["mask"].astype(bool) if "mask" in own else None,
            weighting=own.get("weights", self.weighting),
            random_state=self.fitted.record.random_state,
            climatology=self.fitted.climatology,
        )
        return Live(question, stored.rows, stored.means)


def read(path: StrPath, trusted: Collection[str]) -> Saved:
    """Return what a file holds, once all of it is known to be whole and to fit together."""
    source = check_path("path", path)
    _, raw = storage.engine(source)  # refuses other suffixes
    if not source.exists():
        aside = kept_aside(source)
        remedy = f"rename {str(aside)!r}, which was being replaced" if aside else "check it"
        raise MissingFileError("path", str(path), "there is no such file", remedy)
    with storage.ONE_AT_A_TIME:
        manifest = checked_manifest(source, raw, manifests.FORMAT)
        return _fitting_together(manifest, source, trusted)


def _fitting_together(manifest: Mapping[str, Any], path: Path, trusted: Collection[str]) -> Saved:
    """Return the result of a manifest; refuse one that somebody has sealed again, wrongly."""
    try:
        saved = _rebuilt(manifest, path, trusted)
        n_labels = storage.size(path, LABEL, ("/", "centers"))
        for source in saved.scenes.values() or [saved.fitted.source]:
            validity.check(replace(saved.fitted, source=source), n_labels)
        # These read the rest of what a manifest says.
        manifests.asked_steps(saved.fitted, saved.asked)
        formatting.scenes_text(saved.fitted, list(saved.scenes))
    except RefusedError as error:
        raise BadValueError("path", str(path), error.rule, error.remedy) from None
    except Exception as error:
        reason = f"its parts do not fit together ({type(error).__name__}: {error})"
        raise unreadable(path, reason) from error
    return saved


def _rebuilt(manifest: Mapping[str, Any], path: Path, trusted: Collection[str]) -> Saved:
    cftime = manifest.get("cftime", ())
    groups = {name: storage.decoded(path, name, cftime) for name in ("/", "centers", "scores")}
    fitted = manifests.fitted(manifest, storage.arrays(path), groups, trusted)
    names = manifest.get("scenes")
    if names is None:
        own = _own(groups["/"], manifest.get("own"))
        return _saved(
            manifest, replace(fitted, source=_stored(groups["/"], own, fitted)), {}, {"": own}
        )
    roots = [storage.decoded(path, scene_group(number), cftime) for number in range(len(names))]
    owns = [_own(*each) for each in zip(roots, manifest["own"], strict=True)]
    stored = [_stored(root, own, fitted) for root, own in zip(roots, owns, strict=True)]
    scenes = dict(zip(names, stored, strict=True))
    return _saved(manifest, fitted, scenes, dict(zip(names, owns, strict=True)))


def _saved(
    manifest: Mapping[str, Any],
    fitted: Fitted,
    scenes: Mapping[str, Stored],
    own: Mapping[str, Mapping[str, xr.DataArray]],
) -> Saved:
    return Saved(fitted, scenes, own, manifest.get("asked"), manifest["weighting"])


def _own(root: xr.Dataset, names: Mapping[str, str] | None) -> dict[str, xr.DataArray]:
    """Return the arrays that are ours, by their role."""
    if names is None:  # an older file, where only what is no coordinate can be ours
        names = {role: role for role in ROLES if role in root.data_vars}
    return {role: root[name] for role, name in names.items()}


def _stored(root: xr.Dataset, own: Mapping[str, xr.DataArray], fitted: Fitted) -> Stored:
    """Return labels, before any floor on memberships, and memberships."""
    labels = own.get("likeliest", root["labels"]).rename("labels")
    kept = ["memberships"] if fitted.is_soft else []
    arrays = root[kept].assign(labels=labels).drop_attrs(deep=False)
    rows = own["row"].rename("row").compute() if "row" in own else None
    assert isinstance(fitted.source, Stored)
    return replace(fitted.source, arrays=arrays, rows=rows)
