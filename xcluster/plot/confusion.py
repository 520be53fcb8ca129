"""How many samples have each label of two results: the table that `matrices.py` draws."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xcluster.plot.flags import flags_of
from xcluster.result.matching import paired
from xcluster.scores import contingency


def confusion_table(
    ours: xr.DataArray, theirs: xr.DataArray, titles: tuple[str, str] = ("first", "second")
) -> xr.DataArray:
    """Return how many samples have each label of ``ours`` and each of ``theirs``.

    Parameters
    ----------
    ours, theirs : DataArray
        Label maps on one grid. Samples without data or label in either are left out.
    titles : tuple of str, default ("first", "second")
        What the axes of the table say.

    Returns
    -------
    DataArray over ``first`` and ``second``, with the names ``first_name`` and ``second_name``.

    Examples
    --------
    >>> import xarray as xr
    >>> from xcluster.plot.confusion import confusion_table
    >>> labels = xr.DataArray([0.0, 0.0, 1.0], dims="sample")
    >>> confusion_table(labels, xr.DataArray([1.0, 1.0, 0.0], dims="sample")).values
    array([[0, 2],
           [1, 0]])
    """
    first, second = paired(ours, theirs)
    flags = flags_of(ours).classified, flags_of(theirs).classified
    met = contingency(first, second)
    numbers = {"first": met.labels_a, "second": met.labels_b}
    table = xr.DataArray(met.table.astype(np.int64), numbers, ("first", "second"), name="samples")
    table = table.reindex(first=flags[0].values, second=flags[1].values, fill_value=0)
    for dim, own, title in zip(("first", "second"), flags, titles, strict=True):
        stated = dim, own.values, {"long_name": title}
        table = table.assign_coords({dim: stated, f"{dim}_name": (dim, list(own.names))})
    return table
