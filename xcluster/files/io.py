"""Results in files: one tree of labels, centres, scores and model, checked when read."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.checks import check_path
from xcluster.base.errors import BadValueError, MissingFileError
from xcluster.base.retries import retrying
from xcluster.blocks.failures import named_failures
from xcluster.chain.anomaly import Climatology
from xcluster.chain.question import AnyQuestion, Question
from xcluster.files import manifest as manifests
from xcluster.files import storage, validity
from xcluster.files.integrity import (
    APART,
    BESIDE,
    GROUPS,
    checked_manifest,
    scene_group,
    unreadable,
)
from xcluster.files.replacing import kept_aside
from xcluster.files.serial import RefusedError
from xcluster.fit.fitted import Fitted
from xcluster.fit.sources import Cleaned, Live, Source, Stored
from xcluster.grid.columns import Like
from xcluster.grid.features import as_named, layout_like, replace_names
from xcluster.grid.layout import LABEL
from xcluster.grid.names import check_free, free, names_in
from xcluster.result import formatting
from xcluster.result.matching import check_same_grid
from xcluster.result.relabelling import with_partition
from xcluster.result.tables import to_dataset

StrPath = str | os.PathLike[str]

ROLES = ("mask", "weights", "likeliest", "row")
"""Roles of further arrays of a file. A role is also the name, unless the user has that name."""


# -------------------------------------------------------------------------------------- writing


def save(fitted: Fitted, path: StrPath, retries: int = 0) -> None:
    """Write a result; see `Clustering.save`."""
    root, own = _over_samples(fitted)
    with retrying(retries):
        _write(path, fitted, fitted.samples, {"/": root}, {"own": own})


def save_scenes(
    whole: Fitted, scenes: Mapping[str, Fitted], path: StrPath, retries: int = 0
) -> None:
    """Write a result of several scenes; see `PooledClustering.save`.

    Groups have numbers and the manifest has the names, as users may give scenes any name.
    """
    parts = [_over_samples(scene) for scene in scenes.values()]
    groups = {
        f"/{scene_group(i)}": root.drop_attrs(deep=False) for i, (root, _) in enumerate(parts)
    }
    said = {"scenes": list(scenes), "own": [own for _, own in parts]}
    root = xr.Dataset(attrs=dict(whole.attrs))
    questions = [scene.samples for scene in scenes.values()]
    # The manifest takes the weighting from a question, if it is not an array.
    told = [each for each in questions if each and isinstance(each.weighting, str)]
    with retrying(retries):
        _write(path, whole, [*told, *questions][0], {"/": root, **groups}, said)


def _write(
    path: StrPath,
    whole: Fitted,
    asked: Question | None,
    roots: Mapping[str, xr.Dataset],
    said: Mapping[str, Any],
) -> None:
    """Write a model, what was asked, and the arrays over the samples."""
    arrays: dict[str, Array] = {}
    manifest = {**manifests.entries(whole, asked, arrays), **said}
    ours = {"/scores": _scores(whole), "/model": _model_arrays(arrays)}
    if _meet(roots["/"], ours.values()):
        roots, manifest["apart"] = _apart(roots["/"]), True
    groups = {**roots, "/centers": whole.centers, **ours}
    manifest["cftime"] = storage.cftime_names(groups.values())
    manifest["order"] = {
        name.strip("/") or "/": list(map(str, group.variables)) for name, group in groups.items()
    }
    layout = None if whole.samples is None else whole.samples.layout
    failures = partial(named_failures, layout)
    storage.write(check_path("path", path), groups, manifest, failures)


def _meet(root: xr.Dataset, ours: Iterable[xr.Dataset]) -> bool:
    """Whether a name of the user is also that of a group, or of an array in a group below the root.

    A group inherits the dims and coordinates of the groups above it.
    """
    taken = {*GROUPS, *BESIDE, *(name for group in ours for name in names_in(group))}
    users, own = ({str(name).lower() for name in names} for names in (names_in(root), taken))
    return bool(users & own)


def _apart(root: xr.Dataset) -> dict[str, xr.Dataset]:
    """Return the arrays over the samples in a group of their own, from which none inherits."""
    return {"/": xr.Dataset(attrs=root.attrs), f"/{APART}": root.drop_attrs(deep=False)}


def _over_samples(fitted: Fitted) -> tuple[xr.Dataset, dict[str, str]]:
    """Return the arrays over the samples, and the names of our further arrays by their roles."""
    check_free(fitted.labels, ("labels", "memberships"))
    arrays = _own_arrays(fitted)
    names = {role: free(role, names_in(fitted.labels)) for role in ROLES if role in arrays}
    root = to_dataset(fitted).assign({names[role]: array for role, array in arrays.items()})
    return root, names


def _own_arrays(fitted: Fitted) -> dict[str, xr.DataArray]:
    """Return the further arrays that a result needs in a file, by their roles."""
    question, arrays = fitted.samples, {}
    if question is not None:
        layout = question.layout  # mask and weights as the fit used them, on the sample grid
        if layout.mask is not None:
            arrays["mask"] = layout.mask.astype(np.int8)
        if layout.weight is not None and not isinstance(question.weighting, str):
            arrays["weights"] = layout.weight.drop_encoding()
    if fitted.partition.floor is not None and not fitted.source.cleaning:
        # The labels before the floor, from which other floors and merging start.
        arrays["likeliest"] = with_partition(fitted, replace(fitted.partition, floor=None)).labels
    if fitted.source.rows is not None:
        arrays["row"] = fitted.source.rows
    return arrays


def _scores(fitted: Fitted) -> xr.Dataset:
    if fitted.sweep is None:
        return xr.Dataset()
    # The user may have a dim "k", and all groups of a file share their dims.
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
    """A result as a file stored it.

    Parameters
    ----------
    fitted
        The result of one object, or what is common to all scenes.
    scenes : mapping of str to Stored
        The stored labels of each of several scenes; empty for one object.
    own
        For each scene our further arrays by their roles; one object has the key "".
    asked, weighting
        The steps and the weighting that the user asked for, as far as they are not arrays.
    """

    fitted: Fitted
    scenes: Mapping[str, Stored]
    own: Mapping[str, Mapping[str, xr.DataArray]]
    asked: Any
    weighting: Any

    def live(self, scene: str, data: Any, kind: type[AnyQuestion]) -> Live:
        """Return the fitted samples in ``data``, as a question of this ``kind``."""
        stored = self.scenes[scene] if self.scenes else self.fitted.source
        assert isinstance(stored, Stored)
        sampler, template, own = self.fitted.sampler, self.fitted.template, self.own[scene]
        layout = layout_like(data, sampler, template)
        check_same_grid("data", layout, stored.arrays["labels"])
        question = kind(
            as_named(data, list(template)),
            replace_names(sampler, list(layout.shown)),
            steps=manifests.asked_steps(self.fitted, self.asked),
            mask=own["mask"].astype(bool) if "mask" in own else None,
            weighting=own.get("weights", self.weighting),
            random_state=self.fitted.record.random_state,
            climatology=self._climatology(scene),
            columns=Like.fitted(template),
        )
        return Live(question, stored.rows, stored.means)

    def cleaned(self, live: Live) -> Source:
        """Return live data with the steps that cleaned the stored labels."""
        return self._cleaned(live)

    def all_cleaned(self, pooled: Live, scenes: Mapping[str, Live]) -> tuple[Source, Any]:
        """Return the live data of all scenes together, and of each, with these steps."""
        sources = {name: self._cleaned(live) for name, live in scenes.items()}
        return self._cleaned(pooled, sources), sources

    def _cleaned(self, live: Live, scenes: Any = None) -> Source:
        source: Source = live
        for partition, step in self.fitted.source.cleaning:
            assign = replace(self.fitted.assign, partition=partition)
            source = Cleaned(source, assign, step, self.fitted.graph, scenes=scenes or {})
        return source

    def _climatology(self, scene: str) -> Climatology | None:
        found = self.fitted.climatology
        return None if found is None else found.scene(scene)


def read(path: StrPath, trusted: Collection[str]) -> Saved:
    """Return what a file holds, after it is checked that it is complete and fits together."""
    source = check_path("path", path)
    _, raw = storage.engine(source)  # refuses other suffixes
    if not source.exists():
        aside = kept_aside(source)
        remedy = f"rename {str(aside)!r}, the old file" if aside else "check the path"
        raise MissingFileError("path", str(path), "there is no such file", remedy)
    with storage.ONE_AT_A_TIME, storage.held(source):
        manifest = checked_manifest(source, raw, manifests.FORMATS)
        return _fitting_together(manifest, source, trusted)


def _fitting_together(manifest: Mapping[str, Any], path: Path, trusted: Collection[str]) -> Saved:
    """Return the result that a manifest describes; refuse one whose parts do not fit together."""
    try:
        saved = _rebuilt(manifest, path, trusted)
        n_labels = storage.size(path, LABEL, ("/", "centers"))
        for source in saved.scenes.values() or [saved.fitted.source]:
            validity.check(replace(saved.fitted, source=source), n_labels)
        # These two use the remaining entries of a manifest.
        manifests.asked_steps(saved.fitted, saved.asked)
        formatting.scenes_text(saved.fitted, list(saved.scenes))
    except RefusedError as error:
        raise BadValueError("path", str(path), error.rule, error.remedy) from None
    except Exception as error:
        reason = f"its parts do not fit together ({type(error).__name__}: {error})"
        raise unreadable(path, reason) from error
    return saved


def _rebuilt(manifest: Mapping[str, Any], path: Path, trusted: Collection[str]) -> Saved:
    groups = {name: storage.decoded(path, name, manifest) for name in ("/", "centers", "scores")}
    fitted = manifests.fitted(manifest, storage.arrays(path), groups, trusted)
    names = manifest.get("scenes")
    if names is None:
        root = storage.decoded(path, APART, manifest) if manifest.get("apart") else groups["/"]
        scenes, own = {}, {"": _own(root, manifest.get("own"))}
        fitted = replace(fitted, source=_stored(root, own[""], fitted))
    else:
        roots = [
            storage.decoded(path, scene_group(number), manifest) for number in range(len(names))
        ]
        owns = [_own(*each) for each in zip(roots, manifest["own"], strict=True)]
        stored = [_stored(root, own, fitted) for root, own in zip(roots, owns, strict=True)]
        scenes, own = dict(zip(names, stored, strict=True)), dict(zip(names, owns, strict=True))
    return Saved(fitted, scenes, own, manifest.get("asked"), manifest["weighting"])


def _own(root: xr.Dataset, names: Mapping[str, str] | None) -> dict[str, xr.DataArray]:
    """Return our further arrays, by their roles."""
    if names is None:  # in older files only data variables can be ours
        names = {role: role for role in ROLES if role in root.data_vars}
    return {role: root[name] for role, name in names.items()}


def _stored(root: xr.Dataset, own: Mapping[str, xr.DataArray], fitted: Fitted) -> Stored:
    """Return the stored labels, before any floor on memberships, and memberships."""
    labels = own.get("likeliest", root["labels"]).rename("labels")
    kept = ["memberships"] if fitted.is_soft else []
    arrays = root[kept].assign(labels=labels).drop_attrs(deep=False)
    rows = own["row"].rename("row").compute() if "row" in own else None
    assert isinstance(fitted.source, Stored)
    return replace(fitted.source, arrays=arrays, rows=rows)
