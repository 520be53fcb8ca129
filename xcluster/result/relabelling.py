"""A result with other labels: thresholds, names, and merged, matched or cut labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.checks import as_typed, check_integer, several
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.chain.pooling import of_each
from xcluster.fit import fitting
from xcluster.fit.assign import Labeller
from xcluster.fit.centers import group_means
from xcluster.fit.cleaning import Cleaning, Sieve, Smooth, Threshold
from xcluster.fit.fitted import AnyFitted, Fitted, clusterer_with, need_soft, number_of, samples_of
from xcluster.fit.labels import Partition, canonical_order, check_floor
from xcluster.fit.means import Means
from xcluster.fit.methods import TYPED_AS
from xcluster.fit.sources import Cleaned, Live, Source
from xcluster.result import matching


def threshold(fitted: AnyFitted, u: float) -> AnyFitted:
    """Return the result with label -1 where no membership is above ``u``."""
    need_soft(fitted, "threshold")
    if not fitted.source.cleaning:
        return with_partition(fitted, replace(fitted.partition, floor=check_floor(u)))
    step = Threshold.checked(u)
    return with_partition(cleaned(fitted, step), replace(fitted.partition, floor=step.u))


def threshold_scenes(
    whole: AnyFitted, scenes: Mapping[str, Fitted], u: float
) -> tuple[AnyFitted, Mapping[str, Source]]:
    """Return the result of several scenes, and the source of each, after a threshold."""
    need_soft(whole, "threshold")
    if not whole.source.cleaning:
        return threshold(whole, u), {name: each.source for name, each in scenes.items()}
    step = Threshold.checked(u)
    changed, sources = cleaned_scenes(whole, scenes, step)
    return with_partition(changed, replace(whole.partition, floor=step.u)), sources


def cleaned(fitted: AnyFitted, step: Cleaning) -> AnyFitted:
    """Return the result with its labels cleaned by a further step."""
    return replace(fitted, source=_cleaned(fitted, step))


def _cleaned(fitted: Fitted, step: Cleaning) -> Cleaned:
    """Return the source of the cleaned labels; refuse a step that cannot be done."""
    if isinstance(step, Smooth) and step.by == "memberships":
        need_soft(fitted, "smooth(by='memberships')")
        if fitted.source.cleaning:
            rule = "starts from memberships, which no step before it has cleaned"
            raise BadValueError(
                "by", step.by, rule, "make it the first step, or smooth by majority"
            )
    if isinstance(step, Sieve) and step.into == "nearest":
        samples_of(fitted, "sieve(into='nearest')")
    source = Cleaned(fitted.source, fitted.assign, step, fitted.graph)
    step.check(source.place)
    return source


def cleaned_scenes(
    whole: AnyFitted, scenes: Mapping[str, Fitted], step: Cleaning
) -> tuple[AnyFitted, dict[str, Cleaned]]:
    """Return the result of several scenes, and the source of each, cleaned by a further step."""
    sources = {name: _cleaned(scene, step) for name, scene in scenes.items()}
    return replace(whole, source=Cleaned(whole.source, whole.assign, step, scenes=sources)), sources


def relabel(
    fitted: AnyFitted,
    names: Sequence[str] | Mapping[int, str] | None,
    colors: Sequence[Any] | Mapping[int, Any] | None,
) -> AnyFitted:
    """Return the result with other names or colours; the numbers stay."""
    return with_partition(fitted, fitted.partition.relabelled(names, colors))


def merge(fitted: AnyFitted, groups: Iterable[Sequence[int | str]]) -> AnyFitted:
    """Return the result with some labels joined; the others keep their order."""
    return recoded(fitted, merging(fitted, groups))


def merging(fitted: Fitted, groups: Iterable[Sequence[int | str]]) -> Array:
    """Return the new number of each label after the labels of each group are joined."""
    rule = "must be sequences of labels"
    listed = several("groups", groups, rule, "pass, for example, [[0, 1]]")
    if any(isinstance(group, str) or not isinstance(group, Iterable) for group in listed):
        raise BadTypeError("groups", listed, rule, f"pass {[listed]!r}")
    return _merged(fitted.k, [[number_of(fitted, each) for each in group] for group in listed])


def match(fitted: AnyFitted, other: Fitted | xr.DataArray) -> AnyFitted:
    """Return the result renumbered: each label takes the most similar label of ``other``."""
    matched = recoded(fitted, matching.mapping(fitted.labels, other, fitted.k))
    return lent(matched, other.partition) if isinstance(other, Fitted) else matched


def matching_scenes(ours: Mapping[str, Fitted], theirs: Any) -> Array:
    """Return a new number for each of our labels, so that most samples of all scenes agree."""
    others = results_of_scenes(ours, theirs)
    pairs = [matching.paired(ours[name].labels, others[name].labels) for name in ours]
    mine, other = (np.concatenate(each) for each in zip(*pairs, strict=True))
    return matching.numbers(mine, other, next(iter(ours.values())).k)


def results_of_scenes(ours: Iterable[str], theirs: Any) -> Mapping[str, Fitted]:
    """Return the results of a second PooledClustering; refuse one of other scenes."""
    if not isinstance(theirs, Mapping) or not all(
        isinstance(each, Fitted) for each in theirs.values()
    ):
        rule = "must be a PooledClustering"
        raise BadTypeError("other", type(theirs).__name__, rule, "match each scene by itself")
    return of_each("other", theirs, ours)


def lent(matched: AnyFitted, other: Partition) -> AnyFitted:
    """Return a matched result with the names and colours of the other result."""
    ours, plain = matched.partition, Partition(np.arange(matched.k))
    names, colors = other.names, other.label_colors()
    return relabel(
        matched,
        _lent(names, ours.label_names(), plain.label_names()) if names else None,
        _lent(colors, ours.label_colors(), plain.label_colors()),
    )


def tree(fitted: Fitted) -> Array:
    """Return the merges of a tree as a scipy linkage matrix, shape (n_leaves - 1, 4)."""
    return np.array(clusterer_with(fitted, "linkage_matrix_", "tree", "hac").linkage_matrix_)


def cut(fitted: AnyFitted, k: int | None, height: float | None) -> AnyFitted:
    """Return the result with its tree cut elsewhere and its labels numbered by size."""
    clusterer = clusterer_with(fitted, "linkage_matrix_", "cut", "hac")
    samples_of(fitted, "cut")
    if fitted.source.cleaning:
        rule = "needs the labels as they were before they were cleaned"
        raise BadValueError("cut", fitted.source.cleaning[0][1].name, rule, "cut the tree first")
    if (k is None) == (height is None):
        given = "neither" if k is None else "both"
        raise BadValueError("cut", given, "takes either k or height", "pass one, such as cut(k=3)")
    with as_typed(TYPED_AS):
        k = k if k is None else check_integer("k", k, minimum=1)
        estimator = clusterer.recut(k, height=height)
    counts = np.bincount(estimator.leaf_labels_, estimator.leaf_weights_)
    centers = estimator.cluster_centers_
    fitting.forget_rows(estimator)
    partition = Partition(canonical_order(counts, centers))
    # The note about the choice of k does not hold for another cut.
    kept = tuple(note for note in fitted.record.notes if note.kind != "knee")
    record = replace(fitted.record, counts=tuple(float(each) for each in counts), notes=kept)
    assign = replace(fitted.assign, clusterer=estimator, partition=partition, centers=centers)
    assert isinstance(fitted.source, Live), "there are data, and nothing is cleaned"
    source = replace(fitted.source, means=_means_of_cut(fitted.source, assign, counts))
    said = {**fitted.keywords, "k": str(estimator.n_clusters)}
    return replace(fitted, keywords=said, assign=assign, record=record, sweep=None, source=source)


def _means_of_cut(source: Live, assign: Labeller, counts: Array) -> Any:
    """Return the means of labels of another cut, or what finds them from the data."""
    if assign.chain.keeps_means:
        return Means(assign.centers, counts).back(assign.chain)
    return partial(group_means, source.layout, assign, source.rows)


def merge_nodes(fitted: AnyFitted, k: int) -> AnyFitted:
    """Return the result with its nodes merged into ``k`` classes."""
    return recoded(fitted, classes_of_nodes(fitted, k))


def classes_of_nodes(fitted: Fitted, k: int) -> Array:
    """Return the class of each node of a self-organising map, out of ``k`` classes."""
    clusterer = clusterer_with(fitted, "grid_", "merge_nodes", "som")
    with as_typed(TYPED_AS):
        return np.asarray(clusterer.merge_nodes(check_integer("k", k, minimum=1)))


def with_partition(fitted: AnyFitted, partition: Partition) -> AnyFitted:
    """Return the result with another partition of the clusterer's numbers into labels."""
    return replace(fitted, assign=replace(fitted.assign, partition=partition))


def recoded(fitted: AnyFitted, mapping: Array) -> AnyFitted:
    """Return the result with each label replaced by ``mapping[label]``."""
    moved = replace(fitted, source=fitted.source.recoded(mapping))
    return with_partition(moved, fitted.partition.recoded(mapping))


def _lent(theirs: Sequence[str], own: Sequence[str], default: Sequence[str]) -> list[str]:
    """Return the texts of another result; further labels keep theirs, or the default if taken."""
    beyond = zip(own[len(theirs) :], default[len(theirs) :], strict=True)
    return [*theirs[: len(own)], *(text if mine in theirs else mine for mine, text in beyond)]


def _merged(k: int, groups: Sequence[Sequence[int]]) -> Array:
    """Return the new number of each of ``k`` labels after those of each group are joined."""
    together = np.arange(k)
    listed = [label for group in groups for label in group]
    if len(listed) != len(set(listed)):
        rule = "contains a label twice"
        raise BadValueError("groups", groups, rule, "put each label in only one group")
    for group in groups:
        together[list(group)] = min(group)
    return np.unique(together, return_inverse=True)[1]
