"""Labels as small whole numbers, with one for samples without a label and one for no data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster.base.arrays import Array
from xcluster.base.errors import BadValueError


@dataclass(frozen=True)
class Codes:
    """The numbers of an image: those of the labels, and the two largest that its type holds.

    Parameters
    ----------
    n_labels : int
        Labels are 0 to n_labels - 1.
    """

    n_labels: int

    def __post_init__(self) -> None:
        most = np.iinfo(np.uint16).max - 1
        if self.n_labels > most:
            rule = f"an image holds at most {most:,} labels"
            raise BadValueError("k", self.n_labels, rule, "join labels by merge()")

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """One byte up to 254 labels, otherwise two."""
        return np.dtype(np.uint8 if self.n_labels <= np.iinfo(np.uint8).max - 1 else np.uint16)

    @property
    def no_data(self) -> int:
        """The number of samples without data."""
        return int(np.iinfo(self.dtype).max)

    @property
    def unclassified(self) -> int:
        """The number of label -1."""
        return self.no_data - 1

    def __call__(self, labels: xr.DataArray) -> xr.DataArray:
        """Return labels as these numbers; lazy if they are lazy."""
        keywords: dict[str, Any] = {"dask": "parallelized", "output_dtypes": [self.dtype]}
        codes: xr.DataArray = xr.apply_ufunc(self._encoded, labels, **keywords, keep_attrs=True)
        return codes

    def _encoded(self, labels: Array) -> NDArray[np.unsignedinteger]:
        codes = np.where(labels < 0, self.unclassified, labels)
        return np.nan_to_num(codes, nan=self.no_data).astype(self.dtype)
