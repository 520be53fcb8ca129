"""The answer: labels on the user's own grid, and everything that a fit can tell about them."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from xcluster.api.output import Output
from xcluster.api.results import MethodResults
from xcluster.base.checks import check_flag
from xcluster.fit import prediction
from xcluster.fit.centers import Centers
from xcluster.fit.fitted import named, need_soft
from xcluster.result.diagnostics import Diagnostics
from xcluster.result.relabelling import Relabelling


@dataclass(frozen=True, eq=False, repr=False)
class Clustering(Relabelling, Centers, MethodResults, Diagnostics, Output):
    """A fitted clustering; every array that it gives lies on the user's coordinates.

    Parameters
    ----------
    method : str
        Name of the clusterer's method.
    sampler
        What a sample is.
    template : Dataset
        One sample without values: names, coordinates and units of the features.
    assign
        The fitted steps and clusterer, and what its numbers mean.
    record
        What the fit saw.
    samples : Samples, optional
        Of the fitted object; None where a saved result was opened without its data.
    sweep : Sweep, optional
        The fits among which k was chosen.
    attrs : mapping
        The user's own attributes.
    stored : Dataset, optional
        Labels and memberships as saved, where there is no object.
    means : array of shape (n_raw, n_features), optional
        Centres in data units as saved, where the steps have no inverse.
    rows : DataArray of int, optional
        The fitted row at each grid point (-1: none), where labels cannot be told from the
        features alone.
    climatology
        The means that are subtracted from data before anything else.

    Examples
    --------
    >>> import xcluster
    >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
    >>> fit = ds.cluster.pixels().kmeans(4)
    >>> fit.relabel({0: "tropics"}).report().name[0]
    'tropics'
    """

    def predict(
        self, new: xr.Dataset | xr.DataArray, memberships: bool = False
    ) -> xr.DataArray | xr.Dataset:
        """Return the labels of other data; lazy where they are.

        Parameters
        ----------
        new : Dataset or DataArray
            With the variables, feature coordinates (to 1e-6) and units of the fitted ones. Levels
            may differ where the chain says ``step``. Masks are not carried over.
        memberships : bool, default False
            Return a Dataset of ``labels`` and ``memberships``, from one pass over the data.

        Raises
        ------
        ValueError
            If the data do not fit; the error lists each reason.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> south, north = ds.sel(latitude=slice(-90, 0)), ds.sel(latitude=slice(0, 90))
        >>> fit = south.cluster.pixels().kmeans(4)
        >>> fit.predict(north).sizes == north.sst.sizes
        True
        """
        if check_flag("memberships", memberships):
            need_soft(self, "memberships")
        layout = prediction.new_layout(self, new)
        if not memberships:
            return prediction.labels(layout, self.assign)
        return named(self, prediction.both(layout, self.assign))
