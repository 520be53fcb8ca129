"""Samples and results as text and HTML; nothing is computed to write them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from xcluster.chain.question import layout_of
from xcluster.chain.steps import resolve

if TYPE_CHECKING:
    from xcluster.chain.layout import Layout
    from xcluster.chain.samples import Samples
    from xcluster.result.clustering import Clustering

Line = tuple[str, str]
WIDTH = 9
SHOWN_LABELS = 20


def samples_text(samples: Samples) -> str:
    """Return what is asked, a line a choice."""
    return "\n".join(["<xcluster.Samples>", *_aligned(_asked_lines(samples))])


def text(clustering: Clustering) -> str:
    """Return what was found, a line a choice, and the labels' shares."""
    head = f"<xcluster.Clustering> {clustering.method}, {clustering.k} labels"
    shares = [
        f"{label:>5}  {name:<24} {share:6.1%}"
        for label, name, share, _ in _shares(clustering)[:SHOWN_LABELS]
    ]
    if clustering.k > SHOWN_LABELS:
        shares.append(f"   ... and {clustering.k - SHOWN_LABELS} more")
    return "\n".join([head, *_aligned(_clustering_lines(clustering)), *shares])


def html(clustering: Clustering) -> str:
    """Return the same as a table, with the labels' colours."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in _clustering_lines(clustering)
    )
    labels = "".join(
        f"<tr><td><span style='background:{color};padding:0 .7em'></span> {label}</td>"
        f"<td style='text-align:left'>{escape(name)} {share:.1%}</td></tr>"
        for label, name, share, color in _shares(clustering)[:SHOWN_LABELS]
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
    sizes = ", ".join(f"{dim}: {size}" for dim, size in layout.sizes.items())
    lines = [
        ("samples", f"{type(samples.sampler).__name__.lower()} over ({sizes})"),
        ("features", _features(layout)),
        ("steps", _steps(samples)),
    ]
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


def _features(layout: Layout) -> str:
    names = [
        str(name) if variable.extent == 1 else f"{name} ({variable.extent})"
        for name, variable in layout.variables.items()
    ]
    shown = names if len(names) <= 12 else [*names[:10], f"... {len(names) - 10} more"]
    total = sum(variable.extent for variable in layout.variables.values())
    return f"{total}: {', '.join(shown)}"


def _steps(samples: Samples) -> str:
    steps = [
        f"{step} (assumed)" if step.assumed else str(step)
        for step in resolve(samples.steps, layout_of(samples))
    ]
    return " -> ".join(steps) or "none"


def _left_out(layout: Layout) -> str:
    shown = [f"{name} ({reason})" for name, reason in list(layout.left_out.items())[:6]]
    more = len(layout.left_out) - len(shown)
    return ", ".join(shown) + (f", and {more} more" if more > 0 else "")


def _clustering_lines(clustering: Clustering) -> list[Line]:
    lines = [] if clustering.samples is None else _samples_lines(clustering.samples)
    lines += [
        ("fit" if i == 0 else "", said) for i, said in enumerate(clustering.record.sentences())
    ]
    if clustering.sweep is not None:
        ks = clustering.sweep.table["k"].values
        lines.append(
            ("k", f"chosen among {ks[0]} to {ks[-1]} by {clustering.sweep.method.criterion}")
        )
    return lines + [(str(name), str(value)) for name, value in clustering.attrs.items()]


def _shares(clustering: Clustering) -> list[tuple[int, str, float, str]]:
    partition = clustering.partition
    weights = [0.0] * partition.n_labels
    for number, count in enumerate(clustering.record.counts):
        weights[int(partition.codes[number])] += count
    total = sum(weights) or 1.0
    names, colors = partition.label_names(), partition.label_colors()
    return [
        (label, names[label], weights[label] / total, colors[label])
        for label in range(partition.n_labels)
    ]
