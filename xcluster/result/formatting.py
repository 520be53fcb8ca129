"""Samples and results as text and HTML; nothing is computed to write them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from xcluster.base.palette import UNCLASSIFIED as UNCLASSIFIED_COLOR
from xcluster.chain.question import layout_of
from xcluster.chain.steps import Step, fitted_steps, resolve
from xcluster.fit.labels import UNCLASSIFIED

if TYPE_CHECKING:
    from xcluster.api.clustering import Clustering
    from xcluster.api.samples import Samples
    from xcluster.grid.layout import Layout
    from xcluster.grid.samplers import Sampler

Line = tuple[str, str]
WIDTH = 9
SHOWN_LABELS = 20


class Share(NamedTuple):
    """A label, and its part of all fitted samples, as written; empty where it is not known."""

    label: int
    name: str
    part: str
    color: str


def samples_text(samples: Samples) -> str:
    """Return what is asked, a line a choice."""
    return "\n".join(["<xcluster.Samples>", *_aligned(_asked_lines(samples))])


def text(clustering: Clustering) -> str:
    """Return what was found, a line a choice, and the labels' shares."""
    head = f"<xcluster.Clustering> {clustering.method}, {clustering.k} labels"
    labels, unclassified = _label_shares(clustering), _unclassified_share(clustering)
    shares = [_share_text(each) for each in labels[:SHOWN_LABELS]]
    if clustering.k > SHOWN_LABELS:
        shares.append(f"   ... and {clustering.k - SHOWN_LABELS} more")
    shares += [_share_text(each) for each in unclassified]
    return "\n".join([head, *_aligned(_clustering_lines(clustering)), *shares])


def html(clustering: Clustering) -> str:
    """Return the same as a table, with the labels' colours."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in _clustering_lines(clustering)
    )
    shares = [*_label_shares(clustering)[:SHOWN_LABELS], *_unclassified_share(clustering)]
    labels = "".join(
        f"<tr><td><span style='background:{color};padding:0 .7em'></span> {label}</td>"
        f"<td style='text-align:left'>{escape(name)} {part}</td></tr>"
        for label, name, part, color in shares
    )
    title = f"xcluster.Clustering: {escape(clustering.method)}, {clustering.k} labels"
    return f"<div><b>{title}</b><table>{rows}{labels}</table></div>"


def samples_html(samples: Samples) -> str:
    """Return the choices as a table."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in _asked_lines(samples)
    )
    return f"<div><b>xcluster.Samples</b><table>{rows}</table></div>"


def _aligned(lines: Sequence[Line]) -> list[str]:
    return [f"  {name:<{WIDTH}} {value}" for name, value in lines]


def _asked_lines(samples: Samples) -> list[Line]:
    return _samples_lines(samples) + [("note", note) for note in layout_of(samples).notes]


def _samples_lines(samples: Samples) -> list[Line]:
    layout = layout_of(samples)
    lines = [
        ("samples", _samples(samples.sampler, layout.sizes)),
        ("features", _features({name: each.extent for name, each in layout.variables.items()})),
        ("steps", _steps(resolve(samples.steps, layout))),
    ]
    if layout.others:  # sizes, mask and weights are each scene's own
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


def _saved_lines(clustering: Clustering) -> list[Line]:
    """Return what a result that was opened without its data still knows of its samples."""
    assert clustering.stored is not None
    template = clustering.template
    lines = [
        ("samples", _samples(clustering.sampler, clustering.stored["labels"].sizes)),
        ("features", _features({name: each.size for name, each in template.data_vars.items()})),
        ("steps", _steps(fitted_steps(clustering.assign.chain.steps, len(template)))),
    ]
    if clustering.climatology is not None:
        lines.append(("anomaly", str(clustering.climatology)))
    if clustering.record.weighted:
        lines.append(("weights", "as saved"))
    return lines


def _samples(sampler: Sampler, sizes: Mapping[Hashable, int]) -> str:
    over = ", ".join(f"{dim}: {size}" for dim, size in sizes.items())
    return f"{type(sampler).__name__.lower()} over ({over})"


def _features(extents: Mapping[Hashable, int]) -> str:
    names = [str(name) if n == 1 else f"{name} ({n})" for name, n in extents.items()]
    shown = names if len(names) <= 12 else [*names[:10], f"... {len(names) - 10} more"]
    return f"{sum(extents.values())}: {', '.join(shown)}"


def _steps(steps: Sequence[Step]) -> str:
    return " -> ".join(f"{each} (assumed)" if each.assumed else str(each) for each in steps) or (
        "none"
    )


def _left_out(layout: Layout) -> str:
    shown = [f"{name} ({reason})" for name, reason in list(layout.left_out.items())[:6]]
    more = len(layout.left_out) - len(shown)
    return ", ".join(shown) + (f", and {more} more" if more > 0 else "")


def _clustering_lines(clustering: Clustering) -> list[Line]:
    samples = clustering.samples
    lines = _saved_lines(clustering) if samples is None else _samples_lines(samples)
    lines += [
        ("fit" if i == 0 else "", said) for i, said in enumerate(clustering.record.sentences())
    ]
    if clustering.sweep is not None:
        ks = clustering.sweep.table["k"].values
        lines.append(
            ("k", f"chosen among {ks[0]} to {ks[-1]} by {clustering.sweep.method.criterion}")
        )
    return lines + [(str(name), str(value)) for name, value in clustering.attrs.items()]


def _label_shares(clustering: Clustering) -> list[Share]:
    partition, record = clustering.partition, clustering.record
    weights = [0.0] * partition.n_labels
    for label, count in zip(partition.codes, record.counts, strict=False):
        weights[label] += count
    parts = _parts(clustering, weights)
    names, colors = partition.label_names(), partition.label_colors()
    return [Share(*each) for each in zip(range(len(weights)), names, parts, colors, strict=True)]


def _unclassified_share(clustering: Clustering) -> list[Share]:
    """Return the line of what has no label, where there may be such."""
    partition, noise = clustering.partition, clustering.record.noise
    if not partition.has_noise and partition.floor is None:
        return []
    (part,) = _parts(clustering, [noise])
    return [Share(UNCLASSIFIED, "unclassified", part, UNCLASSIFIED_COLOR)]


def _parts(clustering: Clustering, weights: Sequence[float]) -> list[str]:
    """Return weights as parts of all that was fitted."""
    record = clustering.record
    total = sum(record.counts) + record.noise or 1.0
    known = _counts_hold(clustering)
    return [f"{weight / total:.1%}" if known else "" for weight in weights]


def _counts_hold(clustering: Clustering) -> bool:
    """Whether the counts of the fit are those of the labels; else only reading the data tells."""
    record, samples = clustering.record, clustering.samples
    if clustering.partition.floor is not None:
        return False
    # A streamed mixture knows how large its components are, not how many rows each label has.
    if record.passes and not hasattr(clustering.assign.clusterer, "counts_"):
        return False
    if samples is not None:
        return layout_of(samples).n_pooled == record.points
    assert clustering.stored is not None
    return clustering.stored["labels"].size == record.points  # else one scene of a pool


def _share_text(share: Share) -> str:
    return f"{share.label:>5}  {share.name:<24} {share.part:>6}".rstrip()
