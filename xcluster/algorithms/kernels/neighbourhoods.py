"""Compiled union of dense samples that are neighbours."""

from __future__ import annotations

from typing import Any

from numba import njit

from xcluster.algorithms.kernels.pieces import root


@njit(cache=True, nogil=True)
def join_neighbours(
    start: Any, counts: Any, near: Any, is_core: Any, parent: Any, is_border: Any
) -> None:
    """Put dense samples into the group of their dense neighbours, and find borders.

    Parameters
    ----------
    start : int
        The first sample of a block.
    counts : int64 array of shape (n_rows,)
        How many neighbours each sample of the block has.
    near : int32 array of shape (counts.sum(),)
        These neighbours, of one sample after the other.
    is_core : bool array of shape (n_samples,)
        Which samples are dense.
    parent : int32 array of shape (n_samples,)
        Changed: an earlier sample of the group of each, or itself.
    is_border : bool array of shape (n_samples,)
        Where it is written which samples are not dense, but have a dense neighbour.
    """
    at = 0
    for row in range(len(counts)):
        sample, end = start + row, at + counts[row]
        mine = root(parent, sample)
        while at < end:
            other = near[at]
            at += 1
            if not is_core[other]:
                continue
            if not is_core[sample]:
                is_border[sample] = True
            elif parent[other] != mine:
                theirs = root(parent, other)
                parent[max(mine, theirs)] = min(mine, theirs)
                mine = min(mine, theirs)


@njit(cache=True, nogil=True)
def number_groups(is_core: Any, parent: Any, labels: Any) -> None:
    """Write the number of the group of each dense sample, in the order of their first samples."""
    count = 0
    for sample in range(len(parent)):
        if not is_core[sample]:
            continue
        first = root(parent, sample)
        if first == sample:
            labels[sample] = count
            count += 1
        else:
            labels[sample] = labels[first]
