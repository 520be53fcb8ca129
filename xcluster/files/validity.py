"""Whether the parts of an opened result fit together.

Checksums show that a file did not change, not who wrote it. Parts that would cause errors later,
when the file is no longer in view, are refused here.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from xcluster.fit.assign import Labeller
from xcluster.fit.fitted import Fitted
from xcluster.fit.fitting import reduced_centers
from xcluster.fit.labels import UNCLASSIFIED, Partition
from xcluster.fit.record import Record
from xcluster.fit.sources import Stored
from xcluster.grid.layout import LABEL, cell_columns


def check(clustering: Fitted, n_labels: int) -> None:
    """Raise a ValueError that says which part does not fit the others.

    Any other error of a part means the same. ``n_labels`` is the length of the label dim in the
    file: after a match with another result there may be more labels than the clusterer has.
    """
    _check_partition(clustering.partition, n_labels)
    _check_record(clustering.record, clustering.partition)
    columns = np.sort(cell_columns(clustering.template))
    n_features = len(columns)
    _need(np.array_equal(columns, np.arange(n_features)), "columns")
    _check_model(clustering.assign, n_features)
    _check_means(clustering, n_features)
    _check_stored(clustering)
    _check_cleaning(clustering, n_features)
    _need(bool(clustering.centers.sizes[LABEL] == clustering.k), "centers")
    _need(isinstance(clustering.method_name, str), "method")
    said = {**clustering.keywords}
    _need(all(isinstance(each, str) for each in (*said, *said.values())), "keywords")


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _shape(value: Any) -> tuple[int, ...]:
    _need(isinstance(value, np.ndarray) and value.dtype.kind in "iuf", "numbers")
    return tuple(value.shape)


# ----------------------------------------------------------------------------- names and counts


def _check_partition(partition: Partition, n_labels: int) -> None:
    codes, floor = partition.codes, partition.floor
    _need(codes.ndim == 1 and bool((codes >= 0).all()), "codes")
    _need(partition.n_labels == n_labels, "codes")
    for texts in (partition.names, partition.colors):
        _need(texts is None or len(texts) == partition.n_labels, "names")
        _need(texts is None or all(isinstance(text, str) for text in texts), "names")
    _need(floor is None or (isinstance(floor, int | float) and np.isfinite(floor)), "floor")
    _need(isinstance(partition.ordered, bool) and isinstance(partition.has_noise, bool), "flags")
    partition.relabelled(None, partition.label_colors())


def _check_record(record: Record, partition: Partition) -> None:
    counts = (record.points, record.outside, record.incomplete, record.fitted, record.passes)
    _need(all(isinstance(count, int) and count >= 0 for count in counts), "record")
    _need(isinstance(record.random_state, int) and isinstance(record.fit_on, str), "record")
    _need(len(record.counts) >= len(partition.codes), "counts")
    _need(all(isinstance(count, int | float) for count in record.counts), "counts")
    _need(all(isinstance(said, str) for said in record.sentences()), "record")


# ------------------------------------------------------------------------------------ the model


def _check_model(assign: Labeller, n_features: int) -> None:
    """Compare shapes first, because compiled code trusts them; then label one row."""
    own = reduced_centers(assign.clusterer)
    row = np.ones((1, n_features))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # the user did not ask for labels of this row
        width = assign.chain(row).shape[1]
        expected = (len(assign.partition.codes), width)
        _need(_shape(assign.centers) == expected, "centers")
        _need(own is None or _shape(own) == expected, "centers of the clusterer")
        _need(getattr(assign.clusterer, "n_features_in_", width) == width, "features")
        labels = assign.labels(row)
        _need(labels.shape == (1,) and _are_labels(labels, assign.partition), "labels")
        if assign.is_soft:
            shape = (1, assign.partition.n_labels)
            _need(_shape(assign.memberships(row)) == shape, "memberships")


def _are_labels(values: Any, partition: Partition) -> bool:
    inside = (values >= UNCLASSIFIED) & (values < partition.n_labels) & (values % 1 == 0)
    return bool((inside | (values != values)).all())


# --------------------------------------------------------------------------------- stored arrays


def _check_cleaning(clustering: Fitted, n_features: int) -> None:
    source = clustering.source
    assert isinstance(source, Stored)
    n_raw = len(clustering.partition.codes)
    for partition, step in source.cleaning:
        _check_partition(partition, partition.n_labels)
        _need(len(partition.codes) == n_raw, "cleaning")
        _need(type(step).checked(**vars(step)) == step, "cleaning")
    _need((source.of_labels is None) == (not source.cleaning), "cleaning")
    if source.of_labels is not None:
        means, weights = source.of_labels
        _need(_shape(means) == (clustering.k, n_features), "means of labels")
        each = (clustering.k, n_features)[: 1 + clustering.assign.chain.gaps]
        _need(_shape(weights) == each, "weights of labels")


def _check_means(clustering: Fitted, n_features: int) -> None:
    assert isinstance(clustering.source, Stored)
    means, n_raw = clustering.source.means, len(clustering.partition.codes)
    if means is not None:
        _need(_shape(means.rows) == (n_raw, n_features), "means")
        n_weights, *columns = _shape(means.weight)
        _need(n_weights >= n_raw and columns in ([], [n_features]), "weights of means")


def _check_stored(clustering: Fitted) -> None:
    assert isinstance(clustering.source, Stored)
    stored, rows = clustering.source.arrays, clustering.source.rows
    labels = stored["labels"]
    _need(_are_labels(labels, clustering.partition), "labels")
    _need(clustering.is_soft == ("memberships" in stored), "memberships")
    if clustering.is_soft:
        memberships = stored["memberships"]
        _need(memberships.dtype.kind == "f", "memberships")
        sizes = {LABEL: stored.sizes.get(LABEL), **labels.sizes}
        _need(dict(memberships.sizes) == sizes, "memberships")
    if rows is not None:
        n_rows = len(clustering.assign.clusterer.row_labels_)
        _need(rows.sizes == labels.sizes and rows.dtype.kind == "i", "rows")
        _need(bool(((rows >= -1) & (rows < n_rows)).all()), "rows")
