"""The repr of samples and results, as text and HTML; nothing is computed for it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import fields
from html import escape
from typing import NamedTuple

from xcluster.base.palette import UNCLASSIFIED_COLOR
from xcluster.base.wording import call_text, value_text
from xcluster.blocks.sizes import small_blocks
from xcluster.chain.question import Question
from xcluster.chain.steps import Step, resolve, unfitted_steps
from xcluster.fit.fitted import Fitted, title
from xcluster.fit.labels import UNCLASSIFIED
from xcluster.grid.layout import Layout
from xcluster.grid.samplers import Sampler

Line = tuple[str, str]
WIDTH = 9
SHOWN_LABELS = 20
UNEVEN = 10
"""How many times the features of another variable are worth a note."""


class Share(NamedTuple):
    """A label and its share of the fitted samples, as text; empty if the share is not known."""

    label: int
    name: str
    part: str
    color: str


def samples_text(samples: Question) -> str:
    """Return samples as text, one line per choice of the user."""
    return "\n".join(["<xcluster.Samples>", *_aligned(_asked_lines(samples))])


def text(fitted: Fitted) -> str:
    """Return a result as text: one line per choice of the user, then the shares of the labels."""
    lines, shares = _clustering_lines(fitted), _shares(fitted, _counts_hold(fitted))
    return _found(f"<xcluster.Clustering> {title(fitted)}", lines, shares)


def scenes_text(whole: Fitted, scenes: Sequence[str]) -> str:
    """Return the result of several scenes as text, in the same form."""
    lines, shares = _scenes_lines(whole, scenes), _shares(whole, _counts_told(whole))
    return _found(f"<xcluster.PooledClustering> {title(whole)}", lines, shares)


def _found(head: str, lines: Sequence[Line], shares: Sequence[Share]) -> str:
    labels = [each for each in shares if each.label != UNCLASSIFIED]
    said = [_share_text(each) for each in labels[:SHOWN_LABELS]]
    if len(labels) > SHOWN_LABELS:
        said.append(f"   ... and {len(labels) - SHOWN_LABELS} more")
    said += [_share_text(each) for each in shares[len(labels) :]]
    return "\n".join([head, *_aligned(lines), *said])


def html(fitted: Fitted) -> str:
    """Return a result as an HTML table, with the colours of the labels."""
    rows = _share_rows(_shares(fitted, _counts_hold(fitted)))
    return _table(f"xcluster.Clustering: {title(fitted)}", _clustering_lines(fitted), rows)


def scenes_html(whole: Fitted, scenes: Sequence[str]) -> str:
    """Return the result of several scenes as an HTML table."""
    rows = _share_rows(_shares(whole, _counts_told(whole)))
    return _table(f"xcluster.PooledClustering: {title(whole)}", _scenes_lines(whole, scenes), rows)


def _share_rows(shares: Sequence[Share]) -> str:
    labels = [each for each in shares if each.label != UNCLASSIFIED]
    return "".join(
        f"<tr><td><span style='background:{color};padding:0 .7em'></span> {label}</td>"
        f"<td style='text-align:left'>{escape(name)} {part}</td></tr>"
        for label, name, part, color in [*labels[:SHOWN_LABELS], *shares[len(labels) :]]
    )


def samples_html(samples: Question) -> str:
    """Return samples as an HTML table."""
    return _table("xcluster.Samples", _asked_lines(samples))


def _table(head: str, lines: Sequence[Line], more: str = "") -> str:
    """Return lines as the rows of an HTML table with a title, followed by ``more`` rows."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in lines
    )
    return f"<div><b>{escape(head)}</b><table>{rows}{more}</table></div>"


def _aligned(lines: Sequence[Line]) -> list[str]:
    return [f"  {name:<{WIDTH}} {value}" for name, value in lines]


def _asked_lines(samples: Question) -> list[Line]:
    said = [*samples.layout.notes, small_blocks(samples.layout)]
    notes = [("note", note) for note in said if note]
    return [*_samples_lines(samples), *_unbalanced(samples), *notes]


def _samples_lines(samples: Question) -> list[Line]:
    layout = samples.layout
    lines = [
        ("samples", _samples(samples.sampler, layout.sizes)),
        ("features", _features({name: layout.variables[name].extent for name in layout.shown})),
        ("steps", _steps(resolve(samples.steps, layout))),
    ]
    if len(layout.scenes) > 1:  # each scene has its own sizes, mask and weights
        pooled = f"{len(layout.scenes)} scenes, {layout.n_pooled:,} grid points"
        return [("samples", pooled), *lines[1:]]
    if samples.climatology is not None:
        lines.append(("anomaly", str(samples.climatology)))
    if samples.mask is not None:
        lines.append(("where", f"mask over ({', '.join(map(str, samples.mask.dims))})"))
    if samples.weighting is not None:
        name = samples.weighting if isinstance(samples.weighting, str) else "DataArray"
        lines.append(("weights", name))
    if layout.left_out:
        lines.append(("left out", _left_out(layout)))
    return lines


def _unbalanced(samples: Question) -> list[Line]:
    """Return a line if some variables count much more than others, as they have more features."""
    layout = samples.layout
    extents = {name: layout.variables[name].extent for name in layout.shown}
    most, least = max(extents, key=extents.__getitem__), min(extents, key=extents.__getitem__)
    balanced = any(getattr(step.transformer, "balance", False) for step in samples.steps)
    if balanced or extents[most] < UNEVEN * extents[least]:
        return []
    said = f"{most}, with {extents[most]} features, counts more than {least}, with "
    said += f"{extents[least]}; scale(over='variable', balance=True) weighs all alike"
    return [("note", said)]


def _saved_lines(fitted: Fitted) -> list[Line]:
    """Return what is known about the samples of a result that was opened without its data."""
    template = fitted.template
    lines = [
        ("samples", _samples(fitted.sampler, fitted.source.sizes)),
        ("features", _features({name: each.size for name, each in template.data_vars.items()})),
        ("steps", _steps(unfitted_steps(fitted.assign.chain.steps, len(template)))),
    ]
    if fitted.climatology is not None:
        lines.append(("anomaly", str(fitted.climatology)))
    if fitted.record.weighted:
        lines.append(("weights", "as saved"))
    return lines


def _samples(sampler: Sampler, sizes: Mapping[Hashable, int]) -> str:
    over = ", ".join(f"{dim}: {size}" for dim, size in sizes.items())
    given = {
        each.name: value_text(getattr(sampler, each.name))
        for each in fields(sampler)  # type: ignore[arg-type]
        if each.name != "vars" and getattr(sampler, each.name) != each.default
    }
    return f"{call_text(type(sampler).__name__.lower(), given)} over ({over})"


def _features(extents: Mapping[Hashable, int]) -> str:
    names = [str(name) if n == 1 else f"{name} ({n})" for name, n in extents.items()]
    return f"{sum(extents.values())}: {_first_of(names)}"


def _first_of(names: Sequence[str]) -> str:
    """Return names as a line; of very many, the first ones."""
    shown = names if len(names) <= 12 else [*names[:10], f"... {len(names) - 10} more"]
    return ", ".join(shown)


def _steps(steps: Sequence[Step]) -> str:
    said = [f"{each} (assumed)" if each.assumed else str(each) for each in steps]
    return " -> ".join(said) or "none"


def _left_out(layout: Layout) -> str:
    """Return the variables that are not used, together where the reason is the same."""
    names: dict[str, list[str]] = {}
    for name, reason in layout.left_out.items():
        names.setdefault(reason, []).append(str(name))
    return "; ".join(f"{_first_of(each)} ({reason})" for reason, each in names.items())


def _clustering_lines(fitted: Fitted) -> list[Line]:
    samples = fitted.samples
    lines = _saved_lines(fitted) if samples is None else _samples_lines(samples)
    return lines + _fit_lines(fitted)


def _scenes_lines(whole: Fitted, scenes: Sequence[str]) -> list[Line]:
    lines = [
        ("scenes", _first_of([name if name.strip() else repr(name) for name in scenes])),
        ("features", _features({name: each.size for name, each in whole.template.items()})),
        ("steps", _steps(unfitted_steps(whole.assign.chain.steps, len(whole.template)))),
    ]
    return lines + _fit_lines(whole)


def _fit_lines(fitted: Fitted) -> list[Line]:
    lines = [("fit" if i == 0 else "", said) for i, said in enumerate(fitted.record.sentences())]
    if fitted.sweep is not None:
        among, by = fitted.sweep.keywords["k"], fitted.sweep.method.criterion
        lines.append(("k", f"chosen among {among} by {by}"))
    return lines + [(str(name), str(value)) for name, value in fitted.attrs.items()]


def _shares(fitted: Fitted, known: bool) -> list[Share]:
    """Return the share of each label, and of unclassified samples if there can be any."""
    partition, record = fitted.partition, fitted.record
    weights = [0.0] * partition.n_labels
    for label, count in zip(partition.codes, record.counts, strict=False):
        weights[label] += count
    total = sum(record.counts) + record.noise or 1.0
    parts = [f"{weight / total:.1%}" if known else "" for weight in [*weights, record.noise]]
    names, colors = partition.label_names(), partition.label_colors()
    labels = zip(range(len(weights)), names, parts, colors, strict=False)
    shares = [Share(*each) for each in labels]
    if not partition.has_noise and partition.floor is None:
        return shares
    return [*shares, Share(UNCLASSIFIED, "unclassified", parts[-1], UNCLASSIFIED_COLOR)]


def _counts_hold(fitted: Fitted) -> bool:
    """Whether the counts of the fit are those of these labels; else the data must be read."""
    # If several scenes were fitted together, the counts are those of all scenes.
    return _counts_told(fitted) and fitted.source.n_points == fitted.record.points


def _counts_told(fitted: Fitted) -> bool:
    """Whether the fit counted the rows of each label."""
    # A streamed mixture knows the sizes of its components, not how many rows each label has.
    streamed = fitted.record.passes and not hasattr(fitted.assign.clusterer, "counts_")
    return fitted.partition.floor is None and not streamed and not fitted.source.cleaning


def _share_text(share: Share) -> str:
    return f"{share.label:>5}  {share.name:<24} {share.part:>6}".rstrip()
