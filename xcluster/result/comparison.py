"""Compare two label maps: how far they agree, where they differ, and which fits better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from xcluster import scores
from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError
from xcluster.fit import labelled
from xcluster.fit.criteria import silhouettes_by
from xcluster.fit.fitted import Fitted, samples_of
from xcluster.grid.links import with_attrs
from xcluster.result import matching
from xcluster.result.diagnostics import agreement

BOUNDS = {"silhouette": "value", "silhouette_low": "low", "silhouette_high": "high"}


def compare(a: Fitted | xr.DataArray, b: Fitted | xr.DataArray) -> xr.Dataset:
    """Return how far two clusterings of the same grid agree.

    Parameters
    ----------
    a, b : Clustering or DataArray of labels
        On the same grid, dims in any order. Labels in a DataArray are whole numbers; NaN and
        negative numbers count as no label. Samples without a label in ``a`` or ``b`` are left
        out.

    Returns
    -------
    Dataset of

    ``adjusted_rand``, ``adjusted_mutual_info``, ``v_measure``
        1 if both agree, apart from the numbers of the labels;
    ``contingency`` over ``label_a`` and ``label_b``
        number of samples of each pair of labels;
    ``matched`` over the sample dims
        ``b`` renumbered: each label takes the most similar label of ``a``, as in
        `Clustering.match`;
    ``difference`` over the sample dims
        1 where ``matched`` differs from ``a``, 0 where it does not; NaN where ``a`` or ``b`` has
        no label;
    ``silhouette``, ``silhouette_low``, ``silhouette_high`` over ``space`` and ``labelling``
        the silhouette of both labellings, measured in the space of each Clustering, and the
        bounds of a 95 % confidence interval. Missing if neither ``a`` nor ``b`` is a Clustering
        with its data.

    Raises
    ------
    TypeError
        If ``a`` or ``b`` is neither a Clustering nor a DataArray of numbers.
    ValueError
        If the grids differ (the error shows both), no sample has a label in both, or labels are
        not whole numbers.

    References
    ----------
    Hubert and Arabie (1985), "Comparing partitions"; Vinh, Epps, Bailey (2010), "Information
    theoretic measures for clusterings comparison"; Rosenberg and Hirschberg (2007), "V-measure".

    Examples
    --------
    >>> import xcluster
    >>> samples = xcluster.datasets.ocean().cluster.pixels()
    >>> both = xcluster.compare(samples.kmeans(3), samples.gmm(3))
    >>> both.contingency.shape
    (3, 3)
    """
    first = matching.label_map(a, "a")
    second = matching.aligned(first, b, "b")
    ours, theirs = matching.integers(first, "a"), matching.integers(second, "b")
    if not ((ours >= 0) & (theirs >= 0)).any():
        rule = "no sample has a label in both a and b"
        raise BadValueError("b", second.name, rule, "compare maps of the same samples")
    out = xr.Dataset(dict(agreement(theirs, ours)))
    out = out.assign({"contingency": _contingency(ours, theirs), **_maps(first, ours, theirs)})
    spaces = _with_data({"a": a, "b": b})
    return out.assign(_silhouettes(spaces, {"a": first, "b": second})) if spaces else out


def _with_data(given: Mapping[str, Any]) -> dict[str, Fitted]:
    return {
        name: each
        for name, each in given.items()
        if isinstance(each, Fitted) and each.samples is not None
    }


def _contingency(ours: Array, theirs: Array) -> xr.DataArray:
    found = scores.contingency(ours, theirs)
    coords = {"label_a": found.labels_a, "label_b": found.labels_b}
    attrs = {"long_name": "samples of both labels"}
    return xr.DataArray(found.table.astype(np.int64), coords, ("label_a", "label_b"), attrs=attrs)


def _maps(first: xr.DataArray, ours: Array, theirs: Array) -> dict[str, xr.DataArray]:
    """Return the second map with the numbers of the first, and where the two differ."""
    matched = scores.relabel(theirs, scores.match_labels(ours, theirs))
    differ = np.where((ours < 0) | (theirs < 0), np.nan, matched != ours)
    grid = xr.DataArray(np.empty(first.shape, np.float32), first.coords, first.dims)
    grid = with_attrs(grid, {}, on=first)

    def on_grid(values: Array, long_name: str) -> xr.DataArray:
        data = values.reshape(first.shape).astype(np.float32)
        return grid.copy(data=data).assign_attrs(long_name=long_name)

    return {
        "matched": on_grid(np.where(theirs < 0, np.nan, matched), "b in the numbers of a"),
        "difference": on_grid(differ, "whether the labels differ"),
    }


def _silhouettes(
    spaces: dict[str, Fitted], labellings: dict[str, xr.DataArray]
) -> dict[str, xr.DataArray]:
    """Return the silhouettes of both labellings in each space."""
    found = [_in_space(each, labellings) for each in spaces.values()]
    coords = {"space": list(spaces), "labelling": list(labellings)}
    return {
        name: xr.DataArray(
            [[getattr(score, attribute) for score in row] for row in found],
            coords,
            ("space", "labelling"),
        )
        for name, attribute in BOUNDS.items()
    }


def _in_space(fitted: Fitted, labellings: dict[str, xr.DataArray]) -> list[scores.SilhouetteScore]:
    layout = samples_of(fitted, "compare").layout
    maps = [matching.aligned(fitted.labels, each, name) for name, each in labellings.items()]
    found = labelled.read(layout, maps, fitted.assign.chain)
    known = (found.labels >= 0).all(axis=0)
    if all(len(np.unique(each[known])) < 2 for each in found.labels):
        return [scores.SilhouetteScore(np.nan, np.nan, np.nan, 0)] * len(maps)
    return scores.silhouette_scores(
        found.Z,
        list(found.labels),
        sample_weight=found.weight,
        **silhouettes_by(fitted.assign.clusterer),
    )
