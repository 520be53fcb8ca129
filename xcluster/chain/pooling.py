"""Several scenes: as one question, which must be the same of each, and as trees of results."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from xcluster.base.checks import blamed, several
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.chain.anomaly import Climatology
from xcluster.chain.question import Question
from xcluster.chain.steps import Step
from xcluster.grid.features import as_dataset, check_features
from xcluster.grid.layout import flat_features

Objects = xr.DataTree | Mapping[str, Any] | Iterable[Any]
AnyQuestion = TypeVar("AnyQuestion", bound=Question)


def ask_each(
    objects: Objects, ask: Callable[[xr.Dataset], AnyQuestion], kind: type[AnyQuestion]
) -> dict[str, AnyQuestion]:
    """Return the question of each scene, of this ``kind``; refuse scenes that differ."""
    asked = {name: _asked(ask, scene, kind) for name, scene in scenes_of(objects).items()}
    if not asked:
        raise BadValueError("objects", objects, "holds no scene", "pass at least one Dataset")
    first = next(iter(asked))
    for name, question in asked.items():
        _check_like(name, question, first, asked[first])
    return asked


def _check_like(name: str, question: Question, first: str, like: Question) -> None:
    """Refuse a scene whose features or chain differ from those of the first scene."""
    check_features(f"scene {name!r}", "Dataset", _features(question), _features(like))
    _check_same_chain(name, question, first, like)


def _features(question: Question) -> xr.Dataset:
    """Return one sample without values, with all cells of fields; reads no data."""
    return question.layout.with_each(lambda _, each: replace(each, cells=None)).features


def _check_same_chain(name: str, question: Question, first: str, like: Question) -> None:
    """Refuse a scene that asks for another fit than the first scene; computes nothing."""
    remedy = "use the same chain for every scene; only masks may differ"
    mine, other = f"of scene {name!r}", f"of scene {first!r}"
    if question.random_state != like.random_state:
        rule = f"{mine} differs from that {other}, {like.random_state}"
        raise BadValueError("random_state", question.random_state, rule, remedy)
    if str(question.climatology) != str(like.climatology):
        groupby, options = _told(question.climatology)
        rule = f"{mine}{options} differs from that {other}, {like.climatology}"
        raise BadValueError("anomaly", groupby, rule, remedy)
    if not _are_same_steps(question.steps, like.steps):
        steps, expected = ([str(step) for step in each.steps] for each in (question, like))
        rule = f"{mine} differ from those {other}, {expected}"
        raise BadValueError("steps", steps, rule, remedy)
    if (question.weighting is None) != (like.weighting is None):
        weighted, plain = (name, first) if like.weighting is None else (first, name)
        rule = f"scene {weighted!r} has weights, and scene {plain!r} has none"
        raise BadValueError("weights", name, rule, "give weights to every scene or to none")


def _told(climatology: Climatology | None) -> tuple[str | None, str]:
    """Return what a climatology groups by, and its options as part of a sentence."""
    if climatology is None:
        return None, ""
    options = ", ".join(climatology.options)
    return climatology.groupby, f" with {options}" if options else ""


def _are_same_steps(ours: Sequence[Step], theirs: Sequence[Step]) -> bool:
    return len(ours) == len(theirs) and all(
        (mine.name, mine.over) == (other.name, other.over)
        and _is_same(mine.transformer, other.transformer)
        and _is_same_weight(mine.weight, other.weight)
        for mine, other in zip(ours, theirs, strict=True)
    )


def _is_same(ours: Any, theirs: Any) -> bool:
    """Whether two parameters are the same, as far as can be told: each call makes new objects."""
    if ours is theirs:
        return True
    if hasattr(ours, "get_params"):
        same = type(ours) is type(theirs)
        return same and _is_same(*(each.get_params(deep=False) for each in (ours, theirs)))
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return ours.keys() == theirs.keys() and all(_is_same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(map(_is_same, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, float):
        return ours == theirs or (math.isnan(ours) and math.isnan(theirs))
    return np.array_equal(_told_by(ours), _told_by(theirs))


def _told_by(value: Any) -> Any:
    """Return what can be compared: the value, or a function's code or the type of the value."""
    equality: Any = type(value).__eq__
    if equality is not object.__eq__:
        return value
    return getattr(value, "__code__", repr(value)) if callable(value) else type(value)


def _is_same_weight(ours: xr.DataArray | None, theirs: xr.DataArray | None) -> bool:
    """Whether features have the same weights; chunked weights are not computed for this."""
    if ours is None or theirs is None:
        return ours is theirs
    if set(ours.dims) != set(theirs.dims):
        return False
    if ours.chunks is not None or theirs.chunks is not None:
        return True
    mine, other = (flat_features(each, each.dims) for each in (ours, theirs))
    return mine.shape == other.shape and np.allclose(mine, other, equal_nan=True)


def scenes_of(objects: Objects, parameter: str = "objects") -> dict[str, xr.Dataset]:
    """Return the scenes by name."""
    pairs = [(str(name), scene) for name, scene in _named(objects, parameter)]
    twice = [name for name, n in Counter(name for name, _ in pairs).items() if n > 1]
    if twice:
        rule = f"has two scenes of the name {twice[0]!r}"
        names = [name for name, _ in pairs]
        raise BadValueError(parameter, names, rule, "give each a name of its own")
    return {name: as_dataset(scene, f"scene {name!r}") for name, scene in pairs}


def _named(objects: Objects, parameter: str) -> Iterable[tuple[Hashable, Any]]:
    if isinstance(objects, xr.DataTree):
        nodes = [node for node in objects.subtree if node.data_vars]
        return [(node.path.strip("/") or "root", node.to_dataset()) for node in nodes]
    if isinstance(objects, xr.Dataset | xr.DataArray):
        return [("0", objects)]
    if isinstance(objects, Mapping):
        return objects.items()
    rule, remedy = "must be several Datasets", "pass a mapping of names to Datasets"
    return enumerate(several(parameter, objects, rule, remedy))


def of_each(parameter: str, given: Any, scenes: Iterable[str]) -> Mapping[str, Any]:
    """Return what is ``given`` for each scene, by name; refuse names of other scenes."""
    names = list(scenes)
    if not isinstance(given, Mapping):
        rule = f"must be a mapping of the scenes {names}"
        raise BadTypeError(parameter, type(given).__name__, rule, "name what belongs to each")
    if set(given) != set(names):
        rule = f"has other scenes than the result, which has {names}"
        raise BadValueError(parameter, list(given), rule, "pass a mapping of these names")
    return given


def of_all_or_each(parameter: str, given: Any, scenes: Iterable[str]) -> Mapping[str, Any]:
    """Return what is ``given`` for all scenes, or in a mapping for each, by name."""
    names = list(scenes)
    return (
        of_each(parameter, given, names)
        if isinstance(given, Mapping)
        else dict.fromkeys(names, given)
    )


def tree_of(scenes: Mapping[str, xr.Dataset]) -> xr.DataTree:
    """Return a DataTree with one node per scene, from which `scenes_of` gives the same scenes.

    Names with a slash are paths. A node below another one inherits its coordinates, so both must
    lie on the same grid. A name that cannot be a path is refused.
    """
    for name in scenes:
        if any(part in ("", ".", "..") for part in name.split("/")):
            rule = "is the name of a scene, and no path of a node of a DataTree"
            raise BadValueError("scene", name, rule, _BY_SCENE)
    try:
        return xr.DataTree.from_dict(dict(scenes))
    except (ValueError, KeyError) as error:
        reason = str(error).strip("'\"").splitlines()[0].rstrip(":")
        rule = f"do not make a DataTree ({reason})"
        raise BadValueError("scenes", list(scenes), rule, _BY_SCENE) from error


_BY_SCENE = "ask scene by scene, as in fit[scene].labels, or name scenes without slashes"


def _asked(
    ask: Callable[[xr.Dataset], AnyQuestion], scene: xr.Dataset, kind: type[AnyQuestion]
) -> AnyQuestion:
    """Return the question of one scene."""
    remedy = "pass a function, for example lambda ds: ds.cluster.pixels()"
    if not callable(ask):
        raise BadTypeError("question", ask, "must be a function of one scene", remedy)
    with blamed("question", ask, remedy):
        question = ask(scene)
    if not isinstance(question, kind):
        rule = f"must return {kind.__name__}, and returned {type(question).__name__}"
        raise BadTypeError("question", ask, rule, remedy)
    return question
